/* test_feed.c: what a console that does not read may cost, on a wire that takes nothing for it; and what becomes of an
 * update when there is no memory for it. How much of the journal is read is told by the clock: it is asked before each
 * record. */
#include "lib/codec/codec.h"
#include "tests/unit/store_world.h"

#include "daemon/gates/gates.h"

/* OF_A_TURN: how often a turn asks the clock anyway, and then some. */
enum { REPORTS = 200, CREDIT = 1000, OF_A_TURN = 20 };

/* ---- the wire ---------------------------------------------------------------------------------------------------- */

struct wire { int unused; };
struct wire_socket { struct slice said; bool full, starved; uint64_t updates; };
struct wire_shared { size_t len; uint8_t bytes[]; };

static struct wire_socket wire;

int wire_bind(struct wire_socket **ret, struct wire *w, const char *endpoint) {
    (void)w, (void)endpoint;
    *ret = &wire;
    return 0;
}

void wire_socket_close(struct wire_socket *s) { s->said = (struct slice){NULL, 0}; }

int wire_receive(struct wire_socket *s, struct wire_message *ret) {
    if (!s->said.len) return 0;
    *ret = (struct wire_message){.from = {7}, .frames = 1, .frame = {s->said}, .address = ":1000:100:77"};
    s->said.len = 0;
    return 1;
}

int wire_send(struct wire_socket *s, struct wire_peer to, const struct slice *frames, unsigned count) {
    (void)to, (void)frames, (void)count;
    return s->full ? -EAGAIN : 0;
}

struct wire_shared *wire_share(struct slice bytes) {
    if (wire.starved) return NULL;
    struct wire_shared *b = test_malloc(sizeof *b + bytes.len);
    b->len = bytes.len;
    memcpy(b->bytes, bytes.at, bytes.len);
    return b;
}

int wire_send_shared(struct wire_socket *s, struct wire_peer to, struct slice first, struct wire_shared *second) {
    int r = wire_send(s, to, &first, second->len > 0);
    s->updates += r == 0;
    return r;
}

void wire_unshare(struct wire_shared *b) { test_free(b); }

/* ---- the console ------------------------------------------------------------------------------------------------- */

static uint64_t asked;

static int64_t no_time_passes(void) {
    asked++;
    return 0;
}

static void hear(struct feed *f, PbConsoleFrame frame) {
    uint8_t memory[256];
    struct arena room;
    arena_wrap(&room, memory, sizeof memory);
    SET(&frame, version, PROTOCOL_VERSION);
    wire.said = codec_packed(CODEC_CONSOLE_FRAME, &frame, &room);
    feed_take(f, 1, FIXTURE_MONDAY_MS);
}

/* Told of all from the first seq on; it has credit for everything. */
static struct feed *watched(struct world *w) {
    struct feed *f;
    uint64_t district = FIXTURE_DISTRICT;
    PbHello hello = {.program = NULL};
    PbSubscribe all = {.n_prefixes = 1, .prefixes = &district, .has_credit = 1, .credit = CREDIT};
    wire = (struct wire_socket){.full = false};
    guard_open(0, false);
    assert_int_equal(feed_open(&f, NULL, "test", w->store, false), 0);
    hear(f, (PbConsoleFrame){.console_says_case = CONSOLE_SAYS_HELLO, .hello = &hello});
    hear(f, (PbConsoleFrame){.console_says_case = CONSOLE_SAYS_SUBSCRIBE, .subscribe = &all});
    return f;
}

static uint64_t asked_in_a_turn(struct world *w, struct feed *f, int64_t mono_ms) {
    asked = 0;
    arena_reset(&w->room);
    assert_int_equal(feed_speak(f, mono_ms, false, &w->room), 0);
    return asked;
}

/* ---- stories ----------------------------------------------------------------------------------------------------- */

static void the_journal_is_not_read_on_for_a_console_that_does_not_read(void **state) {
    struct world *w = *state;
    const struct clock_source real = clock_source;
    world_create(w);
    for (unsigned i = 0; i < REPORTS; i++) {
        world_begin(w);
        world_report(w, "lamp", FIXTURE_GRID);
        world_commit(w);
    }
    struct feed *f = watched(w);
    clock_source.mono_ns = no_time_passes;
    wire.full = true;
    for (int64_t ms = 1; ms < 1000; ms += 20) assert_in_range(asked_in_a_turn(w, f, ms), 0, OF_A_TURN);
    assert_int_equal(wire.updates, 0);

    wire.full = false;                            /* it reads again: all of it, in one go */
    assert_in_range(asked_in_a_turn(w, f, 2000), REPORTS, REPORTS + OF_A_TURN);
    assert_int_equal(wire.updates, REPORTS);
    clock_source = real;
    feed_close(f);
    world_close(w);
}

/* The last record again, as a turn hands it over. */
static int told_live(struct world *w, struct feed *f) {
    PbRecord *record = NULL;
    struct slice bytes;
    assert_int_equal(store_read(w->store, store_durable_seq(w->store), &bytes), 0);
    assert_int_equal(codec_unpack_own(CODEC_RECORD, bytes, &w->room, &record), 0);
    return feed_record(f, record, &w->room);
}

static void an_update_without_memory_is_a_fault_that_the_turn_is_told(void **state) {
    struct world *w = *state;
    world_create(w);
    world_begin(w);
    world_report(w, "lamp", FIXTURE_GRID);
    world_commit(w);
    struct feed *f = watched(w);
    wire.starved = true;
    assert_int_equal(feed_speak(f, 1, false, &w->room), -ENOMEM);
    wire.starved = false;
    assert_int_equal(feed_speak(f, 2, false, &w->room), 0);
    assert_int_equal(wire.updates, 1);
    wire.starved = true;                          /* it has caught up */
    assert_int_equal(told_live(w, f), -ENOMEM);
    wire.starved = false;
    assert_int_equal(told_live(w, f), 0);
    feed_forget(f);
    feed_close(f);
    world_close(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        WORLD(an_update_without_memory_is_a_fault_that_the_turn_is_told),
        WORLD(the_journal_is_not_read_on_for_a_console_that_does_not_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
