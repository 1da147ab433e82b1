/* import_cases.c: `import cases`: open cases of another system, with the instants and running limits they have there.
 *
 * Every line is checked first, by the same decide that the broker asks; then they are sent, a window in flight.
 * Interrupted and run again it goes on: a command's id is made from the origin and the number there, so what the broker
 * has seen it refuses (CONFLICT: the same id, sent at another time; ALREADY_KNOWN: its receipt is gone, the case is
 * there), and that is counted as there already. */
#include "ctl/commands.h"
#include "ctl/import.h"
#include "daemon/config/config.h"
#include "lib/crypto/crypto.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { IN_FLIGHT_MAX = 256, ROW_ROOM_BYTES = 1 << 20, SILENT_BEFORE_SAID = 5000 };

struct cases_line { const char *file, *origin, *config; bool dry_run, keep_going; };

#define AT(field) offsetof(struct cases_line, field)
static const struct argument table[] = {
    {"FILE", NULL, ARGUMENT_TEXT, AT(file), BOTH("CSV 文件，首行为列名", "a CSV file, the first line names its columns"), true},
    {"--origin", "NAME", ARGUMENT_WORD, AT(origin),
     BOTH("原系统的简称，如 old12345", "the other system's short name, such as old12345"), true},
    {"--dry-run", NULL, ARGUMENT_FLAG, AT(dry_run), BOTH("只检查每一行，不发送", "checks every line, sends nothing"), false},
    {"--keep-going", NULL, ARGUMENT_FLAG, AT(keep_going),
     BOTH("有错的行列出，其余照发", "takes the good lines and lists the others"), false},
    {"--config", "DIR", ARGUMENT_TEXT, AT(config),
     BOTH("按这里的规则检查；不写则按服务器现行规则", "checks by the rules there; left out: by those in force"), false},
};
#undef AT
const struct command_line import_cases_command = {
    "import cases", BOTH("导入另一系统的未结案件", "brings in another system's open cases"), table, COUNT_OF(table),
    BOTH("必有的列：external_id opened_at division category state。其余：level parties asked_at handling_due promise_due\n"
         "occurred_at wall lon lat reporter ask_me text address。时间写法同命令行；parties 用分号隔开，第一个为主办。\n"
         "再导一次不会重复：已有的只计数。退出码 1：有错的行。",
         "Columns that must be there: external_id opened_at division category state. Others: level parties asked_at\n"
         "handling_due promise_due occurred_at wall lon lat reporter ask_me text address. Instants as elsewhere;\n"
         "parties by semicolons, the first in the lead. Run again it adds nothing twice. Exit code 1: bad lines."),
};

/* ---- what is shared by all imports ------------------------------------------------------------------------------- */

void import_problem(struct import_report *r, unsigned line, const char *column, const char *what) {
    struct slice said = both_in(r->c->language, what);
    if (r->bad++ < IMPORT_PROBLEMS_SHOWN_MAX)
        (void)fprintf(stderr, "whistlectl: %s:%u: %s%s%.*s\n", r->file, line, column, column[0] ? ": " : "",
                      (int)said.len, (const char *)said.at);
}

int import_bytes(const struct ctl *c, const char *path, struct slice *ret, void **ret_memory) {
    FILE *file = fopen(path, "rbe");
    long size = file && fseek(file, 0, SEEK_END) == 0 ? ftell(file) : -1;
    if (size < 0 || size > IMPORT_FILE_BYTES_MAX || fseek(file, 0, SEEK_SET) != 0) {
        (void)fprintf(stderr, "whistlectl: %s: %s\n", path, size > IMPORT_FILE_BYTES_MAX
                      ? say(c, "文件超过 256 MiB，请分开", "over 256 MiB; split it") : strerror(errno));
        if (file)
            (void)fclose(file);
        return CTL_USAGE;
    }
    uint8_t *bytes = memory_or_die((size_t)size + 1);
    size_t got = fread(bytes, 1, (size_t)size, file);
    (void)fclose(file);
    *ret = slice_from(bytes, got);
    *ret_memory = bytes;
    if (utf8_valid(*ret))
        return CTL_DONE;
    (void)fprintf(stderr, "whistlectl: %s: %s\n", path,
                  say(c, "不是 UTF-8；请另存为“CSV UTF-8”", "is not UTF-8; save it as CSV UTF-8"));
    return CTL_USAGE;
}

/* ---- before anything is sent ------------------------------------------------------------------------------------- */

struct import {
    struct ctl *c;
    const struct cases_line *line;
    struct slice bytes;
    struct import_report report;
    struct import_columns columns;
    const PbRules *rules;
    uint32_t rules_number;
    int64_t now_ms;
    struct arena text, room;                      /* quoted cells of a pass; one line */
    uint8_t (*ids)[COMMAND_ID_SIZE];              /* of the lines that are good, in order */
    uint32_t *lines;
    uint32_t count;
    uint64_t added, there;
};

/* Not a UUIDv7, which would be read as a time: version 8, whose bits are the maker's. */
static void id_of(const char *origin, const char *number, uint8_t to[static COMMAND_ID_SIZE]) {
    struct hash_stream s;
    hash_begin(&s);
    hash_more(&s, SLICE("import"));
    hash_more(&s, slice_from(origin, strlen(origin) + 1));
    hash_more(&s, slice_of(number));
    struct hash h = hash_end(&s);
    memcpy(to, h.byte, COMMAND_ID_SIZE);
    to[6] = (uint8_t)((to[6] & 0x0F) | 0x80);
    to[8] = (uint8_t)((to[8] & 0x3F) | 0x80);
}

static int rows_begin(struct import *m, struct csv_in *in, struct csv_row *row) {
    m->text.used = 0;
    csv_open(in, m->bytes, &m->text);
    int e = csv_next(in, row);
    if (e <= 0)
        import_problem(&m->report, 1, "", e < 0 ? in->problem : BOTH("文件是空的", "the file is empty"));
    return e;
}

/* Every line, one after the other: 1 and *ret; 0 the end. A bad one is reported; NULL. */
static int row_take(struct import *m, struct csv_in *in, struct csv_row *row, PbImport **ret) {
    int e = csv_next(in, row);
    arena_reset(&m->room);
    *ret = NULL;
    if (e < 0)
        import_problem(&m->report, row->line, "", in->problem);
    if (e == 1)
        *ret = import_case_of(m->c, &m->columns, row, &m->room, &m->report);
    return e != 0;
}

static const struct import *sorting;
static int by_id(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    int order = memcmp(sorting->ids[x], sorting->ids[y], COMMAND_ID_SIZE);
    return order ? order : x < y ? -1 : x > y;
}

/* A number that stands in two lines: which of them is meant is not for us to say. */
static void check_twice(struct import *m) {
    uint32_t *order = memory_or_die((m->count + 1) * sizeof *order);
    char what[96];
    for (uint32_t i = 0; i < m->count; i++)
        order[i] = i;
    sorting = m;
    qsort(order, m->count, sizeof *order, by_id);
    for (uint32_t i = 1; i < m->count; i++) {
        if (memcmp(m->ids[order[i - 1]], m->ids[order[i]], COMMAND_ID_SIZE) != 0)
            continue;
        (void)snprintf(what, sizeof what, say(m->c, "同一个号也在第 %u 行", "the same number stands in line %u"),
                       m->lines[order[i - 1]]);
        import_problem(&m->report, m->lines[order[i]], "external_id", what);
        m->lines[order[i]] = 0;                   /* not sent */
    }
    free(order);
}

static int check_all(struct import *m) {
    struct csv_in in;
    struct csv_row row;
    PbImport *import;
    if (rows_begin(m, &in, &row) <= 0 || !import_header(&row, &m->columns, &m->report))
        return CTL_REFUSED;
    while ((m->report.bad == 0 || m->line->keep_going) && row_take(m, &in, &row, &import)) {
        if (!import || !import_case_fits(import, m->rules, m->rules_number, m->now_ms, m->line->origin, row.line,
                                         &m->room, &m->report))
            continue;
        if (m->count == IMPORT_LINES_MAX) {
            import_problem(&m->report, row.line, "", BOTH("行数太多，请把文件分开", "more lines than fit; split the file"));
            return CTL_REFUSED;
        }
        m->lines[m->count] = row.line;
        id_of(m->line->origin, import->report->external_id, m->ids[m->count++]);
    }
    if (m->report.bad == 0 || m->line->keep_going)
        check_twice(m);
    return m->report.bad && !m->line->keep_going ? CTL_REFUSED : CTL_DONE;
}

/* ---- sending ----------------------------------------------------------------------------------------------------- */

struct sending {
    struct whistle_client *client;
    struct { uint8_t id[COMMAND_ID_SIZE]; unsigned line; } flight[IN_FLIGHT_MAX];
    unsigned count;
    int64_t heard_ns;
};

static void answered(struct import *m, struct sending *s, const PbReply *reply) {
    unsigned i = 0;
    while (i < s->count && memcmp(s->flight[i].id, reply->command_id.data, COMMAND_ID_SIZE) != 0)
        i++;
    if (reply->command_id.len != COMMAND_ID_SIZE || i == s->count)
        return;
    unsigned line = s->flight[i].line;
    s->flight[i] = s->flight[--s->count];
    const PbRefused *r = reply->reply_case == REPLY_REFUSED ? reply->refused : NULL;
    bool known = r && (r->code == REFUSED_ALREADY_KNOWN || r->code == REFUSED_CONFLICT);
    m->there += known;
    m->added += !r;
    if (r && !known)
        import_problem(&m->report, line, r->field ? r->field : "", say(m->c, sentence_of(r->code)->zh,
                                                                       sentence_of(r->code)->en));
}

/* One reply, or a short wait. */
static int hear(struct import *m, struct sending *s, int wait_ms) {
    const PbReply *reply = NULL;
    int r = whistle_next(s->client, wait_ms, &reply);
    if (r == 1) {
        s->heard_ns = clock_mono_ns();
        answered(m, s, reply);
    }
    if (r < 0)
        return CTL_FAULT;
    return clock_mono_ns() - s->heard_ns > m->c->wait_ms * 1000000LL && s->count ? CTL_UNKNOWN : CTL_DONE;
}

static int send_row(struct import *m, struct sending *s, PbImport *import, const uint8_t *id, unsigned line) {
    PbEnvelope e = {.command_case = COMMAND_IMPORT_CASE, .import_case = import, .by = (char *)m->c->by,
                    .origin = (char *)m->line->origin, .has_command_id = true,
                    .command_id = {.len = COMMAND_ID_SIZE, .data = (uint8_t *)id}};
    int r = whistle_send(s->client, &e, NULL);
    if (r == -EMSGSIZE || r == -EBADMSG)
        return import_problem(&m->report, line, "", BOTH("太长，发不出去", "is too long to send")), CTL_DONE;
    if (r < 0)
        return CTL_FAULT;
    memcpy(s->flight[s->count].id, id, COMMAND_ID_SIZE);
    s->flight[s->count++].line = line;
    return CTL_DONE;
}

/* The file is read a second time: what was good before is built again, line by line. */
static int send_all(struct import *m, struct sending *s) {
    struct csv_in in;
    struct csv_row row;
    PbImport *import;
    uint64_t bad = m->report.bad;
    int code = CTL_DONE;
    uint32_t next = 0;
    (void)rows_begin(m, &in, &row);
    while (code == CTL_DONE && next < m->count && csv_next(&in, &row) != 0) {
        if (row.line != m->lines[next]) {
            next += m->lines[next] == 0;          /* this line's number stood in an earlier one */
            continue;
        }
        arena_reset(&m->room);
        import = import_case_of(m->c, &m->columns, &row, &m->room, &m->report);
        while (code == CTL_DONE && s->count == IN_FLIGHT_MAX)
            code = hear(m, s, WHISTLE_TICK_MS);
        if (code == CTL_DONE && import)
            code = send_row(m, s, import, m->ids[next], row.line);
        next++;
        if (code == CTL_DONE)
            code = hear(m, s, 0);
        if (m->report.bad > bad && !m->line->keep_going)
            break;
    }
    while (code == CTL_DONE && s->count)
        code = hear(m, s, WHISTLE_TICK_MS);
    return code;
}

static int send_begin(struct import *m) {
    static struct sending s;
    struct whistle_client_options o = {.endpoint = m->c->front, .window = IN_FLIGHT_MAX};
    s = (struct sending){.heard_ns = clock_mono_ns()};
    int r = whistle_client_open(&s.client, &o);
    if (r < 0)
        return (void)fprintf(stderr, "whistlectl: %s: %s\n", m->c->front, strerror(-r)), CTL_FAULT;
    int code = send_all(m, &s);
    whistle_client_close(s.client);
    if (code == CTL_UNKNOWN)
        (void)fprintf(stderr, "whistlectl: %s\n", say(m->c, "服务器不再回答；恢复后再运行一次即可接着导入",
                      "the broker no longer answers; run it again when it does: it goes on where it was"));
    return code;
}

/* ---- the command ------------------------------------------------------------------------------------------------- */

static int rules_from_files(struct import *m) {
    static struct arena room;
    struct config_error error;
    char line[CONFIG_ERROR_BYTES];
    PbRules *rules = NULL;
    arena_wrap(&room, memory_or_die(CONFIG_ARENA_BYTES), CONFIG_ARENA_BYTES);
    if (config_load(m->line->config, &room, &rules, &error) < 0) {
        (void)fprintf(stderr, "whistlectl: %s\n", config_error_line(&error, line));
        return CTL_USAGE;
    }
    m->rules = rules;
    m->rules_number = 1;
    m->now_ms = clock_wall_ms();
    return CTL_DONE;
}

static int rules_for(struct import *m) {
    static struct ctl_rules rules;
    if (m->line->config)
        return rules_from_files(m);
    int code = ask_rules(m->c, 0, &rules);
    m->rules = rules.rules;
    m->rules_number = rules.number;
    m->now_ms = m->c->now_ms;
    return code;
}

static void print_outcome(const struct import *m) {
    const struct ctl *c = m->c;
    unsigned long long good = m->count, added = m->added, there = m->there, bad = m->report.bad;
    if (c->json)
        printf("{\"checked\":\"%llu\",\"added\":\"%llu\",\"there_already\":\"%llu\",\"bad\":\"%llu\"}\n", good, added,
               there, bad);
    else if (c->language == LANGUAGE_ZH)
        printf("可导入 %llu 行；新增 %llu，已有 %llu，有错 %llu\n", good, added, there, bad);
    else
        printf("%llu lines are good; added %llu, there already %llu, bad %llu\n", good, added, there, bad);
}

int import_cases_main(struct ctl *c, int argc, char **argv) {
    struct cases_line l = {.file = NULL};
    void *memory = NULL;
    int r = arguments_read(c, argc, argv, &l);
    if (r)
        return r;
    if (strlen(l.origin) > ORIGIN_BYTES_MAX)
        return usage(c, "--origin：“%.60s”超过 %d 个字符",
                     "--origin: \"%.60s\" has more than %d letters", l.origin, ORIGIN_BYTES_MAX);
    struct import m = {.c = c, .line = &l, .report = {.c = c, .file = l.file}};
    r = import_bytes(c, l.file, &m.bytes, &memory);
    if (r == CTL_DONE)
        r = rules_for(&m);
    if (r)
        return free(memory), r;
    crypto_init();
    size_t text_cap = 2 * m.bytes.len + 4096;
    arena_wrap(&m.text, memory_or_die(text_cap), text_cap);
    arena_wrap(&m.room, memory_or_die(ROW_ROOM_BYTES), ROW_ROOM_BYTES);
    m.ids = memory_or_die(IMPORT_LINES_MAX * sizeof *m.ids);
    m.lines = memory_or_die(IMPORT_LINES_MAX * sizeof *m.lines);
    r = check_all(&m);
    if (r == CTL_DONE && !l.dry_run)
        r = send_begin(&m);
    print_outcome(&m);
    free(memory), free(m.text.base), free(m.room.base), free(m.ids), free(m.lines);
    return r == CTL_DONE && m.report.bad ? CTL_REFUSED : r;
}
