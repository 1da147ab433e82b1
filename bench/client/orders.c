/* orders.c: what is said to a server: reports from every grid of an office, and what becomes of them. */
#include "bench/client/client.h"
#include "daemon/config/config.h"

#include <stdarg.h>

uint64_t random_seed = 1;
static struct order reports[GRIDS_MAX];
static unsigned reports_count;

void give_up(const char *format, ...) {
    va_list list;
    va_start(list, format);
    (void)fputs("load: ", stderr);
    (void)vfprintf(stderr, format, list);
    (void)fputs("\n", stderr);
    va_end(list);
    exit(1);
}

uint64_t random_next(void) {
    random_seed ^= random_seed >> 12;
    random_seed ^= random_seed << 25;
    random_seed ^= random_seed >> 27;
    return random_seed * 2685821657736338717u;
}

double number_of(const char *text) {
    char *end;
    double v = strtod(text, &end);
    if (*end || v < 0)
        give_up("%s is no number", text);
    return v;
}

/* ---- packing ----------------------------------------------------------------------------------------------------- */

static const char *const texts[] = {
    "人行道上的井盖松动翘起,夜间没有照明也没有警示牌,已经有两位老人在这里绊倒,请尽快派人处理。",
    "楼下垃圾桶已经三天没有清运,垃圾堆到了路面上,气味很大,夏天蚊蝇多,居民反映强烈。",
    "小区东门外的流动摊贩占道经营,早晚高峰车辆无法通行,油污流到路面,请协调城管现场处理。",
    "单元门口的路灯不亮已有一周,晚归的学生和老人行走不便,物业表示无法维修,请帮助联系。",
};

static void pack(PbEnvelope *envelope, struct order *ret) {
    static uint8_t memory[64 << 10];
    struct arena room;
    uint8_t id[COMMAND_ID_SIZE] = {0};
    arena_wrap(&room, memory, sizeof memory);
    envelope->has_version = envelope->has_command_id = envelope->has_sent_at_ms = 1;
    envelope->version = PROTOCOL_VERSION;
    envelope->command_id.len = sizeof id;
    envelope->command_id.data = id;
    envelope->sent_at_ms = clock_wall_ms();
    struct slice bytes = codec_packed(CODEC_ENVELOPE, envelope, &room);
    CHECK(bytes.at && bytes.len <= sizeof ret->bytes);
    CHECK(codec_peek_id(bytes).at == bytes.at + ID_AT);
    memcpy(ret->bytes, bytes.at, bytes.len);
    ret->len = (uint16_t)bytes.len;
}

static void report_make(const PbDivision *grid, const PbCategory *category, struct order *ret) {
    char reporter[64];
    (void)snprintf(reporter, sizeof reporter, "grid-worker@%llu", (unsigned long long)grid->code);
    PbPlace place = {
        .has_division = 1, .division = grid->code, .has_wall = 1,
        .wall = category->wall ? category->wall : random_next() & 1 ? WALL_INSIDE : WALL_OUTSIDE,
        .has_lon_e7 = 1, .lon_e7 = 1087000000 + (int32_t)(random_next() % 1000000),
        .has_lat_e7 = 1, .lat_e7 = 343000000 + (int32_t)(random_next() % 1000000),
    };
    PbReport report = {
        .place = &place, .category = category->code, .has_occurred_at_ms = 1, .occurred_at_ms = clock_wall_ms(),
        .text = (char *)texts[random_next() % COUNT_OF(texts)], .address = (char *)"人民西路与古渡路交叉口东北角",
        .reporter = reporter,
    };
    PbEnvelope envelope = {.command_case = COMMAND_REPORT, .report = &report};
    pack(&envelope, ret);
    ret->division = grid->code;
}

/* One report for every grid of the office's rules, of any category that is reported from a grid. */
unsigned reports_make(const char *config) {
    struct arena room;
    struct config_error e;
    PbRules *rules = NULL;
    arena_wrap(&room, memory_or_die(CONFIG_ARENA_BYTES), CONFIG_ARENA_BYTES);
    if (config_load(config, &room, &rules, &e) < 0)
        give_up("%s:%u: %s", e.file, e.line, e.what);
    for (size_t i = 0; i < rules->n_divisions && reports_count < GRIDS_MAX; i++)
        if (rules->divisions[i]->code >= 100000000000000)
            report_make(rules->divisions[i], rules->categories[random_next() % rules->n_categories],
                        &reports[reports_count++]);
    if (reports_count == 0)
        give_up("%s has no grids", config);
    free(room.base);
    return reports_count;
}

const struct order *report_of(unsigned i) {
    CHECK(i < reports_count);
    return &reports[i];
}

/* The leader of the community that the grid lies in. */
static void leader_of(uint64_t grid, char to[static 64]) {
    (void)snprintf(to, 64, "grid-leader@%llu", (unsigned long long)grid / 1000);
}

void dispatch_make(uint64_t case_id, uint64_t grid, struct order *ret) {
    char leader[64];
    leader_of(grid, leader);
    PbAskedParty asked = {.party = leader}, *parties[] = {&asked};
    PbDispatch dispatch = {.has_case_id = 1, .case_id = case_id, .has_stage = 1, .stage = 1, .has_attempt = 1,
                           .attempt = 1, .n_parties = 1, .parties = parties};
    PbEnvelope envelope = {.command_case = COMMAND_DISPATCH, .dispatch = &dispatch};
    pack(&envelope, ret);
}

void accept_make(uint64_t case_id, uint64_t grid, struct order *ret) {
    char leader[64];
    leader_of(grid, leader);
    PbAnswer answer = {.has_case_id = 1, .case_id = case_id, .has_stage = 1, .stage = 1, .has_attempt = 1,
                       .attempt = 1, .party = leader, .has_kind = 1, .kind = ANSWER_ACCEPT};
    PbEnvelope envelope = {.command_case = COMMAND_ANSWER, .answer = &answer};
    pack(&envelope, ret);
}
