/* Receipts: how long a repeat is recognised, and what becomes of one that comes later still. Virtual time. */
#include "tests/unit/store_world.h"

#define DAY_MS 86400000LL

static struct slice source(void) {
    return SLICE("tcp:loopback");
}

static void id_of(int64_t at_ms, uint64_t n, uint8_t to[static 16]) {
    put_be64(to, (uint64_t)at_ms << 16 | 0x7000);
    put_be64(to + 8, 1ULL << 63 | n);
}

/* A round as the housekeeping takes it, a turn a slice. How many receipts went. */
static unsigned expire(struct world *w, int64_t horizon_ms, unsigned most) {
    struct receipts_round round = {.horizon_ms = horizon_ms};
    unsigned gone = 0;
    while (!round.over) {
        world_begin(w);
        PbReceiptsExpired expired;
        PbEvent event = {.event_case = EVENT_RECEIPTS_EXPIRED, .receipts_expired = &expired}, *events = &event;
        int count = store_receipts_look(w->store, &round, most, &expired);
        assert_true(count >= 0 && (unsigned)count <= most);
        if (count)
            assert_int_equal(world_events(w, &events, 1), 0);
        gone += (unsigned)count;
        world_commit(w);
    }
    return gone;
}

static unsigned expire_as_set(struct world *w) {
    return expire(w, w->now_ms - 30 * DAY_MS, 512);
}

static uint64_t closed_at_once(struct world *w, const uint8_t id[static 16]) {
    world_begin(w);
    uint64_t case_id = world_self_handle(w, id);
    world_commit(w);
    return case_id;
}

static bool has_receipt(struct world *w, const uint8_t id[static 16]) {
    struct receipt r;
    int result = store_receipt(w->store, source(), id, &r);
    assert_true(result == 0 || result == -ENOENT);
    return result == 0;
}

static struct hash reopened(struct world *w) {
    world_close(w);
    world_open(w);
    return world_digest(w);
}

/* Thrown away and folded again, the tables are what they were. */
static void replays_as_it_lived(struct world *w) {
    struct store_found found;
    struct hash live = world_digest(w);
    world_close(w);
    assert_int_equal(store_rebuild(&w->options, &found), 0);
    assert_true(found.rebuilt);
    world_open(w);
    struct hash again = world_digest(w);
    assert_memory_equal(&live, &again, sizeof live);
}

static void a_repeat_after_29_days_finds_its_receipt(void **state) {
    struct world *w = *state;
    struct receipt first, again;
    uint8_t id[16];
    world_create(w);
    id_of(w->now_ms, 1, id);
    uint64_t case_id = closed_at_once(w, id);
    assert_int_equal(store_receipt(w->store, source(), id, &first), 0);
    assert_int_equal(first.case_id, case_id);
    w->now_ms += 29 * DAY_MS;
    assert_int_equal(expire_as_set(w), 0);
    assert_int_equal(store_receipt(w->store, source(), id, &again), 0);
    assert_memory_equal(&first, &again, sizeof first);
    assert_int_equal(store_age(w->store, id, NULL), AGE_YOUNG);
}

static void after_its_receipt_has_gone_a_repeat_is_stale_and_so_after_a_restart(void **state) {
    struct world *w = *state;
    struct store_figures f;
    uint8_t id[16], young[16];
    world_create(w);
    id_of(w->now_ms, 1, id);
    closed_at_once(w, id);
    w->now_ms += 30 * DAY_MS + 1;
    assert_int_equal(expire_as_set(w), 1);
    id_of(w->now_ms - 30 * DAY_MS, 2, young);
    for (unsigned restart = 0; restart < 2; restart++) {
        assert_false(has_receipt(w, id));
        assert_int_equal(store_age(w->store, id, NULL), AGE_STALE);
        assert_int_equal(store_age(w->store, young, NULL), AGE_YOUNG);
        store_figures(w->store, &f);
        assert_int_equal(f.receipts, 0);
        (void)reopened(w);
    }
    replays_as_it_lived(w);
    assert_int_equal(store_age(w->store, id, NULL), AGE_STALE);
}

static void an_open_case_keeps_its_receipt_for_ever(void **state) {
    struct world *w = *state;
    uint8_t open[16], closed[16];
    world_create(w);
    id_of(w->now_ms, 1, open);
    id_of(w->now_ms, 2, closed);
    world_begin(w);
    world_report_as(w, "lamp", FIXTURE_GRID, open);
    world_commit(w);
    closed_at_once(w, closed);
    w->now_ms += 3000 * DAY_MS;
    assert_int_equal(expire_as_set(w), 1);
    assert_true(has_receipt(w, open));
    assert_false(has_receipt(w, closed));
}

/* The app's clock was two hours ahead of ours: its id is younger than the receipt. Until the id is old, too, a repeat
 * would not be known as one without the receipt. */
static void a_receipt_outlives_what_its_id_claims(void **state) {
    struct world *w = *state;
    uint8_t id[16];
    world_create(w);
    id_of(w->now_ms + 2 * 3600000, 1, id);
    closed_at_once(w, id);
    w->now_ms += 30 * DAY_MS + 3600000;
    assert_int_equal(expire_as_set(w), 0);
    assert_true(has_receipt(w, id));
    w->now_ms += 2 * 3600000;
    assert_int_equal(expire_as_set(w), 1);
    assert_int_equal(store_age(w->store, id, NULL), AGE_STALE);
}

static void an_id_without_a_time_is_as_old_as_it_was_sent(void **state) {
    struct world *w = *state;
    uint8_t id[16] = {"random, or a v4"}, other[16] = {"another of them"}, v7[16];
    world_create(w);
    int64_t sent = w->now_ms + DAY_MS;            /* as far ahead as is taken */
    closed_at_once(w, id);
    assert_int_equal(store_age(w->store, other, NULL), AGE_YOUNG);     /* nothing has expired: nothing need be said */
    w->now_ms += 30 * DAY_MS + 1;
    assert_int_equal(expire_as_set(w), 0);        /* a day more, for a clock that was ahead */
    w->now_ms += DAY_MS;
    assert_int_equal(expire_as_set(w), 1);
    assert_int_equal(store_age(w->store, id, &sent), AGE_STALE);
    assert_int_equal(store_age(w->store, other, NULL), AGE_UNKNOWN);
    int64_t now = w->now_ms, old = now - 40 * DAY_MS;
    assert_int_equal(store_age(w->store, other, &now), AGE_YOUNG);
    id_of(old, 1, v7);
    assert_int_equal(store_age(w->store, v7, &now), AGE_STALE);        /* the id's own time goes before sent_at_ms */
}

/* A horizon holds as soon as the first receipt has gone under it, not when the round is over. */
static void no_repeat_slips_through_in_the_middle_of_a_round(void **state) {
    struct world *w = *state;
    enum { COMMANDS = 50 };
    uint8_t id[COMMANDS][16];
    world_create(w);
    for (unsigned i = 0; i < COMMANDS; i++) {
        id_of(w->now_ms, i, id[i]);
        closed_at_once(w, id[i]);
    }
    w->now_ms += 31 * DAY_MS;
    struct receipts_round round = {.horizon_ms = w->now_ms - 30 * DAY_MS};
    while (!round.over) {
        PbReceiptsExpired expired;
        PbEvent event = {.event_case = EVENT_RECEIPTS_EXPIRED, .receipts_expired = &expired}, *events = &event;
        world_begin(w);
        if (store_receipts_look(w->store, &round, 7, &expired) > 0)
            assert_int_equal(world_events(w, &events, 1), 0);
        world_commit(w);
        for (unsigned i = 0; i < COMMANDS; i++)
            assert_true(has_receipt(w, id[i]) || store_age(w->store, id[i], NULL) == AGE_STALE);
        (void)reopened(w);                        /* a restart forgets the round; the next begins anew */
    }
    for (unsigned i = 0; i < COMMANDS; i++)
        assert_false(has_receipt(w, id[i]));
}

static void random_lives_with_expiries_replay_to_the_same_digest(void **state) {
    struct world *w = *state;
    unsigned gone = 0;
    world_create(w);
    for (unsigned life = 0; life < 12; life++) {
        world_random_turns(w, 25, 12);
        w->now_ms += (int64_t)world_roll(w, 40) * DAY_MS;
        gone += expire(w, w->now_ms - 30 * DAY_MS, 1 + (unsigned)world_roll(w, 100));
        if (life % 4 == 3)
            replays_as_it_lived(w);
    }
    assert_true(gone > 50);
}

static void a_slice_looks_at_no_more_than_it_was_told(void **state) {
    struct world *w = *state;
    world_create(w);
    world_random_turns(w, 30, 20);
    struct store_figures f;
    store_figures(w->store, &f);
    struct receipts_round round = {.horizon_ms = w->now_ms - 30 * DAY_MS};
    PbReceiptsExpired expired;
    unsigned slices = 0;
    for (; !round.over; slices++)
        assert_int_equal(store_receipts_look(w->store, &round, 10, &expired), 0);
    assert_true(slices >= f.receipts / 10 && slices <= f.receipts / 10 + 1);
}

static void ended_cases_are_found_in_slices(void **state) {
    struct world *w = *state;
    uint64_t cursor = 0, found = 0, id = 0;
    uint8_t command[16] = {1};
    int r;
    world_create(w);
    world_begin(w);
    for (unsigned i = 0; i < 20; i++)
        world_report(w, "lamp", FIXTURE_GRID);
    world_commit(w);
    uint64_t ended = closed_at_once(w, command);
    int64_t at_ms = w->now_ms;
    unsigned calls = 0;
    for (; (r = store_next_ended(w->store, &cursor, at_ms + 1, 8, &id)) != -ENOENT; calls++)
        if (r == 1) {
            found++;
            assert_int_equal(id, ended);
        }
    assert_int_equal(found, 1);
    assert_true(calls >= 3);
    cursor = 0;
    while ((r = store_next_ended(w->store, &cursor, at_ms, 8, &id)) != -ENOENT)
        assert_int_equal(r, 0);                   /* it ended at that instant, not before */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        WORLD(a_repeat_after_29_days_finds_its_receipt),
        WORLD(after_its_receipt_has_gone_a_repeat_is_stale_and_so_after_a_restart),
        WORLD(an_open_case_keeps_its_receipt_for_ever),
        WORLD(a_receipt_outlives_what_its_id_claims),
        WORLD(an_id_without_a_time_is_as_old_as_it_was_sent),
        WORLD(no_repeat_slips_through_in_the_middle_of_a_round),
        WORLD(random_lives_with_expiries_replay_to_the_same_digest),
        WORLD(a_slice_looks_at_no_more_than_it_was_told),
        WORLD(ended_cases_are_found_in_slices),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
