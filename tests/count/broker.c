/* broker.c: a fixed day of the broker, to have its instructions counted (tests/count/run.sh): the production's turn,
 * store and codec in one thread, its clock ours, its wire the mailboxes of wire.c. Nothing is drawn, nothing waits.
 *
 *   reports come in, are dispatched, accepted, done and verified, a wave a turn, and a console of the district is told;
 *   every fourth case is left lying when it was dispatched, until deadlines have taken it all the way up;
 *   a wave is said once more, as when a connection was cut.
 *
 *   count_broker                    prints how many steps it was: commands and deadlines. toggled: turn, store_rest */
#include "tests/count/count.h"

#include "daemon/daemon.h"
#include "tests/unit/store_world.h"

enum { CASES = 512, WAVE = 64, DAYS = 30, ROOM_BYTES = 8 << 20 };
#define DAY_MS 86400000LL

static struct daemon d;
static int64_t now_ms = FIXTURE_MONDAY_MS;
static uint64_t cases[CASES], commands, updates, steps;
static struct arena room;

/* ---- the world --------------------------------------------------------------------------------------------------- */

static int64_t clock_ms(void) { return now_ms; }
static int64_t clock_ns(void) { return (now_ms - FIXTURE_MONDAY_MS) * 1000000 + 1; }
static bool trusted(void) { return true; }

_Noreturn void die(const char *event, int error, const char *what) {
    (void)fprintf(stderr, "count_broker: %s: %s: %s\n", event, strerror(-error), what);
    exit(1);
}

static void begin(struct world *w) {
    static const struct clock_source ours = {clock_ms, clock_ms, clock_ns, trusted};
    clock_source = ours;
    log_threshold = LOG_LEVEL_WARN;
    w->options.drill = true;                                   /* its keys come from a fixed seed */
    world_create(w);
    options_default(settings_table, settings_count, &d.settings);
    d.store = w->store;
    arena_wrap(&d.room, memory_or_die(TURN_ROOM_BYTES), TURN_ROOM_BYTES);
    arena_wrap(&room, memory_or_die(ROOM_BYTES), ROOM_BYTES);
    broker_clock_start(&d.clock, store_last_ms(d.store), DAY_MS);
    d.reload = reload_open();
    d.recompute = recompute_open();
    guard_open(0, false);
    d.wire = wire_open();
    const struct pool_options pool = {.endpoint = "pool", .lease_ms = (int64_t)d.settings.lease_ms};
    CHECK(front_open(&d.front, d.wire, "front") == 0 && pool_open(&d.pool, d.wire, &pool, d.store) == 0);
    CHECK(feed_open(&d.feed, d.wire, "feed", d.store, false) == 0);
}

/* ---- what is said ------------------------------------------------------------------------------------------------ */

/* The id holds the instant, so that a command needs no other word for its age. */
static void say(PbEnvelope *e, uint64_t number) {
    uint8_t id[COMMAND_ID_SIZE];
    put_be64(id, (uint64_t)FIXTURE_MONDAY_MS << 16 | 0x7000);
    put_be64(id + 8, 0x8000000000000000u | number);
    SET(e, version, PROTOCOL_VERSION);
    SET(e, command_id, ((ProtobufCBinaryData){sizeof id, id}));
    struct slice bytes = codec_packed(CODEC_ENVELOPE, e, &room);
    CHECK(bytes.at);
    count_tell(COUNT_FRONT, bytes);
}

static void say_report(unsigned i) {
    PbPlace place = {.has_division = 1, .division = FIXTURE_GRID};
    PbReport report = {
        .place = &place, .category = (char *)"rubbish", .reporter = (char *)"grid-worker@610402006001001",
        .text = (char *)"楼下垃圾桶已经三天没有清运,垃圾堆到了路面上,气味很大,居民反映强烈。",
    };
    PbEnvelope e = {.command_case = COMMAND_REPORT, .report = &report};
    say(&e, i);
}

static void say_dispatch(unsigned i) {
    PbAskedParty asked = {.party = (char *)"grid-worker@610402006001001"}, *parties[] = {&asked};
    PbDispatch dispatch = {.n_parties = 1, .parties = parties};
    SET(&dispatch, case_id, cases[i]), SET(&dispatch, stage, 1), SET(&dispatch, attempt, 1);
    PbEnvelope e = {.command_case = COMMAND_DISPATCH, .dispatch = &dispatch};
    say(&e, CASES + i);
}

static void say_answer(unsigned i, uint64_t number, const char *party, uint32_t stage, PbAnswerKind kind) {
    PbAnswer answer = {.party = (char *)party};
    SET(&answer, case_id, cases[i]), SET(&answer, stage, stage), SET(&answer, attempt, 1), SET(&answer, kind, kind);
    PbEnvelope e = {.command_case = COMMAND_ANSWER, .answer = &answer};
    say(&e, number);
}

static bool left_lying(unsigned i) { return i % 4 == 3; }

static void say_accept(unsigned i) {
    if (!left_lying(i)) say_answer(i, 2 * CASES + i, "grid-worker@610402006001001", 1, ANSWER_ACCEPT);
}

static void say_done(unsigned i) {
    if (!left_lying(i)) say_answer(i, 3 * CASES + i, "grid-worker@610402006001001", 1, ANSWER_DONE);
}

static void say_verified(unsigned i) {
    if (!left_lying(i)) say_answer(i, 4 * CASES + i, "community-desk@610402006001", FIXTURE_VERIFY_STAGE, ANSWER_DONE);
}

static void say_console(PbConsoleFrame *f) {
    SET(f, version, PROTOCOL_VERSION);
    count_tell(COUNT_FEED, codec_packed(CODEC_CONSOLE_FRAME, f, &room));
}

static void console_comes(void) {
    uint64_t district = FIXTURE_DISTRICT;
    PbHello hello = {.program = (char *)"count"};
    PbSubscribe subscribe = {.n_prefixes = 1, .prefixes = &district};
    SET(&subscribe, credit, 1000);
    PbConsoleFrame frames[] = {
        {.console_says_case = CONSOLE_SAYS_HELLO, .hello = &hello},
        {.console_says_case = CONSOLE_SAYS_SUBSCRIBE, .subscribe = &subscribe},
    };
    for (unsigned i = 0; i < COUNT_OF(frames); i++) say_console(&frames[i]);
}

static void console_reads_on(void) {
    PbWorkerCredit credit = {.has_more = 1, .more = 1000};
    PbConsoleFrame frame = {.console_says_case = CONSOLE_SAYS_CREDIT, .credit = &credit};
    say_console(&frame);
}

/* ---- what is heard ----------------------------------------------------------------------------------------------- */

/* Replies come in the order of the commands: the first of all made the cases. */
static void hear_replies(struct slice bytes) {
    struct codec_result why;
    const PbReplies *replies = codec_unpack(CODEC_REPLIES, bytes, &room, &why);
    CHECK(replies);
    for (size_t i = 0; i < replies->n_replies; i++, commands++) {
        const PbReply *r = replies->replies[i];
        if (r->reply_case != REPLY_DONE)
            die("refused", -EINVAL, r->reply_case == REPLY_REFUSED ? r->refused->en : "no word of done");
        if (commands < CASES) cases[commands] = r->done->case_id;
    }
}

/* A turn and what follows it, as serve() of whistled.c has it; then what was said is read. */
static void pass(void) {
    struct wire_message m;
    now_ms++;
    do {
        turn(&d);
        steps += d.commands;
        bool idle = d.commands == 0 && !d.more;
        CHECK(store_rest(d.store, d.mono_ms, d.now_ms, idle) >= 0);
        while (store_prepare(d.store, 256 << 10) > 0) continue;
    } while (d.more || pool_wants_turn(d.pool) || feed_wants_turn(d.feed));
    while (count_hear(COUNT_FRONT, &m)) hear_replies(m.frame[0]);
    for (; count_hear(COUNT_FEED, &m); updates++) continue;
    arena_reset(&room);
    console_reads_on();
}

static void waves(void (*say_of)(unsigned i), unsigned count) {
    for (unsigned i = 0; i < count; i++) {
        say_of(i);
        if (i % WAVE == WAVE - 1) pass();
    }
}

int main(void) {
    void *world;
    CHECK(world_make(&world) == 0);
    begin(world);
    console_comes();
    waves(say_report, CASES);
    waves(say_dispatch, CASES);
    waves(say_accept, CASES);
    waves(say_done, CASES);
    waves(say_verified, CASES);
    waves(say_report, WAVE);
    for (unsigned day = 0; day < DAYS; day++) {
        now_ms += DAY_MS;
        pass();
    }
    struct case_state c;
    CHECK(store_case(d.store, cases[0], &c) == 0 && c.state == STATE_CLOSED);
    CHECK(store_case(d.store, cases[3], &c) == 0 && c.stage == FIXTURE_DISTRICT_STAGE);
    CHECK(commands == 2 * CASES + 3 * CASES / 4 * 3 + WAVE && updates > commands);
    printf("steps %llu, updates %llu\n", (unsigned long long)steps, (unsigned long long)updates);
    return world_remove(&world);
}
