/* How much of a turn the housekeeping takes, and when. The turn's clock is ours. */
#include "tests/unit/store_world.h"

#include "tests/unit/final_fault.h"

#define DAY_MS 86400000LL

enum { ROOM = 4 << 20, RECEIPTS = 1000, SLICE_IDLE = 512, SLICE_BUSY = 64 };

static struct daemon d;

/* A store full of receipts whose cases are closed and that are forty days old. */
static void grown_old(struct world *w) {
    static uint8_t memory[ROOM];
    world_create(w);
    for (unsigned i = 0; i < RECEIPTS; i += 50) {
        world_begin(w);
        for (unsigned k = 0; k < 50; k++)
            (void)world_self_handle(w, NULL);
        world_commit(w);
    }
    w->now_ms += 40 * DAY_MS;
    memset(&d, 0, sizeof d);
    d.store = w->store;
    d.now_ms = w->now_ms;
    d.mono_ms = 1000000;
    d.settings.receipt_days = 30;
    d.settings.archive_after_days = 36500;
    arena_wrap(&d.room, memory, sizeof memory);
}

static uint64_t receipts(struct world *w) {
    struct store_figures f;
    store_figures(w->store, &f);
    return f.receipts;
}

/* One turn with so many commands, so long after the last. How many receipts it dropped. */
static uint64_t a_turn(struct world *w, unsigned commands, int64_t after_ms) {
    uint64_t before = receipts(w);
    arena_reset(&d.room);
    d.commands = commands;
    d.mono_ms += after_ms;
    d.now_ms = w->now_ms += after_ms;
    store_begin(w->store, d.now_ms);
    assert_int_equal(housekeeping_take(&d), 0);
    world_commit(w);
    housekeeping_done(&d);
    return before - receipts(w);
}

static unsigned to_the_end_of_the_round(struct world *w) {
    unsigned turns = 0;
    for (; housekeeping_wants_turn(&d); turns++)
        a_turn(w, 0, 1);
    return turns;
}

static void an_idle_turn_takes_a_slice_and_the_next_one_goes_on(void **state) {
    struct world *w = *state;
    grown_old(w);
    assert_int_equal(a_turn(w, 0, 1), SLICE_IDLE);
    assert_true(housekeeping_wants_turn(&d));
    assert_int_equal(a_turn(w, 0, 1), RECEIPTS - SLICE_IDLE);
    assert_int_equal(receipts(w), 0);
    assert_true(to_the_end_of_the_round(w) <= 5); /* the walk over the cases is a longer one */
}

static void a_busy_broker_takes_a_small_slice_a_second_and_comes_to_an_end(void **state) {
    struct world *w = *state;
    unsigned seconds = 0;
    grown_old(w);
    for (; receipts(w) > 0; seconds++) {
        uint64_t gone = 0;
        for (unsigned i = 0; i < 100; i++)
            gone += a_turn(w, 500, 10);
        assert_true(gone > 0 && gone <= SLICE_BUSY);
        assert_true(seconds <= RECEIPTS / SLICE_BUSY + 1);
    }
    assert_true(seconds >= RECEIPTS / SLICE_BUSY);
}

static void a_round_begins_every_six_hours(void **state) {
    struct world *w = *state;
    grown_old(w);
    a_turn(w, 0, 1);
    (void)to_the_end_of_the_round(w);
    uint8_t id[16] = {[6] = 7 << 4, [8] = 2 << 6};             /* a UUIDv7 of 1970: its receipt may go at once */
    d.settings.receipt_days = 0;
    world_begin(w);
    (void)world_self_handle(w, id);
    (void)world_report(w, "lamp", FIXTURE_GRID);
    world_commit(w);
    for (unsigned i = 0; i < 359; i++) {
        assert_int_equal(a_turn(w, 0, 60000), 0);
        assert_false(housekeeping_wants_turn(&d));
    }
    assert_int_equal(a_turn(w, 0, 120000), 1);
    uint64_t seq = store_durable_seq(w->store);
    (void)to_the_end_of_the_round(w);
    assert_int_equal(a_turn(w, 0, 6 * 3600000 + 1), 0);
    assert_int_equal(store_durable_seq(w->store), seq);        /* looked, and found nothing: nothing is journaled */
}

static void in_a_drill_nothing_is_done_by_itself(void **state) {
    struct world *w = *state;
    grown_old(w);
    d.drill = true;
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(a_turn(w, 0, 1000), 0);
    assert_false(housekeeping_wants_turn(&d));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        WORLD(an_idle_turn_takes_a_slice_and_the_next_one_goes_on),
        WORLD(a_busy_broker_takes_a_small_slice_a_second_and_comes_to_an_end),
        WORLD(a_round_begins_every_six_hours),
        WORLD(in_a_drill_nothing_is_done_by_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
