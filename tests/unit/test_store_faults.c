/* What the disk says no to, of a whole store: every system call that can fail is made to, one after the other. Whatever
 * comes of it, the next start must find all that was acknowledged. */
#include "tests/unit/broken_disk.h"
#include "tests/unit/store_world.h"


/* ---- a store --------------------------------------------------------------------------------------------------- */

static void remove_store(const struct world *w) {
    assert_int_equal(path_remove(w->dir), 0);
}

/* What a crash at this point would leave, beside the store. */
static void keep(const struct world *w, const char *as) {
    char to[140];
    (void)snprintf(to, sizeof to, "%s/%s", w->top, as);
    path_copy(w->dir, to);
}

static void restore(const struct world *w, const char *from) {
    char path[140];
    (void)snprintf(path, sizeof path, "%s/%s", w->top, from);
    remove_store(w);
    path_copy(path, w->dir);
}

static void a_store_is_created_whole_or_not_at_all(void **state) {
    struct world *w = *state;
    bool hit = true;
    char problem[STORE_PROBLEM_SIZE];
    w->options.slots_ahead = 64;
    for (unsigned at = 1; hit; at++) {
        problem[0] = '\0';
        break_disk(at, at % 2 ? ONCE : FROM_THEN_ON, at % 3 ? EIO : ENOSPC);
        int r = store_create(&w->options, problem);
        hit = mend_disk();
        assert_true((r < 0) == (problem[0] != '\0'));
        assert_true(at < 300 && (hit || r == 0));
        if (access(w->dir, F_OK) < 0) {
            assert_true(r < 0);
            assert_int_equal(store_create(&w->options, problem), 0);
        }
        world_open(w);
        world_epoch(w, 1);
        world_close(w);
        remove_store(w);
    }
}

static void a_commit_that_fails_is_final_and_takes_nothing_acknowledged_with_it(void **state) {
    struct world *w = *state;
    struct case_state c;
    world_create(w);
    for (unsigned at = 1; at <= 2; at++) {        /* the write, the sync */
        world_begin(w);
        uint64_t kept = world_report(w, "rubbish", FIXTURE_GRID);
        world_commit(w);
        world_begin(w);
        uint64_t lost = world_report(w, "rubbish", FIXTURE_GRID);
        break_disk(at, ONCE, EIO);
        assert_int_equal(store_commit(w->store), -EIO);
        assert_true(mend_disk());
        assert_true(store_durable_seq(w->store) < lost);
        assert_int_equal(store_rest(w->store, 1, w->now_ms, true), -EIO);
        assert_int_equal(store_checkpoint(w->store), -EIO);
        assert_false(store_admits(w->store, ADMIT_CLOSURE));
        PbEvent e = {.event_case = EVENT_CLOCK_DOUBTED}, *events = &e;
        world_begin(w);
        assert_int_equal(world_events(w, &events, 1), -EIO);
        assert_int_equal(store_commit(w->store), -EIO);
        assert_int_equal(store_abandon(w->store), -EIO);
        world_close(w);
        world_open(w);
        assert_int_equal(store_case(w->store, kept, &c), 0);
        assert_int_equal(store_case(w->store, lost, &c), at == 1 ? -ENOENT : 0);
    }
}

/* A turn and a rest with all that it can bring: 0, or what failed first. *ret_case: acknowledged. */
static int turn_and_rest(struct world *w, uint64_t *ret_case) {
    world_begin(w);
    PbEvent *e = arena_zero(&w->room, sizeof *e);
    e->event_case = EVENT_CLOCK_DOUBTED;
    e->clock_doubted = arena_zero(&w->room, sizeof *e->clock_doubted);
    int r = world_events(w, &e, 1);
    uint64_t id = r == 0 ? world_report(w, "stall", FIXTURE_GRID) : 0;
    if (r == 0)
        r = store_commit(w->store);
    if (r < 0)
        return r;
    *ret_case = id;
    r = store_rest(w->store, INT64_MAX / 2, w->now_ms, true);
    while (r == 1)
        r = store_rest(w->store, INT64_MAX / 2, w->now_ms, true);
    return r;
}

static void whatever_fails_in_a_turn_or_a_rest_the_next_start_knows_what_was_acknowledged(void **state) {
    struct world *w = *state;
    struct case_state c;
    uint64_t kept = 0;
    world_create(w);
    bool hit = true;
    for (unsigned at = 1; hit; at++) {
        int error = at % 3 ? EIO : ENOSPC;
        break_disk(at, at % 2 ? ONCE : FROM_THEN_ON, error);
        int r = turn_and_rest(w, &kept);
        hit = mend_disk();
        assert_true((hit || r == 0) && at < 200);
        if (r == -ENOSPC && store_checkpoint(w->store) == 0)
            assert_int_equal(store_durable_seq(w->store) + 1, store_next_seq(w->store));
        world_close(w);
        world_open(w);
        if (kept)
            assert_int_equal(store_case(w->store, kept, &c), 0);
    }
    struct verify_result result;
    world_close(w);
    assert_int_equal(store_verify(&w->options, w->top, &result, NULL, NULL), 0);
    assert_true(result.equal && kept);
}

/* A lack of space is waited out, so nothing that is final may be called one: the tables would stand half folded, in an
 * epoch that is over. */
static void a_checkpoint_without_space_goes_on_or_is_final_and_says_which(void **state) {
    struct world *w = *state;
    unsigned waited = 0, final = 0;
    bool hit = true;
    world_create(w);
    for (unsigned at = 1; hit; at++) {
        assert_int_equal(store_checkpoint(w->store), 0);
        world_epoch(w, 1 + at);
        break_disk(at, at % 2 ? FROM_THEN_ON : ONCE, ENOSPC);
        int r = store_checkpoint(w->store);
        hit = mend_disk();
        assert_true(at < 50 && (hit || r == 0));
        waited += r == -ENOSPC, final += r < 0 && r != -ENOSPC;
        if (r == 0 || r == -ENOSPC) {
            world_begin(w);
            (void)world_report(w, "rubbish", FIXTURE_GRID);
            world_commit(w);
        }
        world_close(w);
        world_open(w);
    }
    assert_true(waited && final);
}

/* Opened with a disk that fails at every call in turn; the next opening must find what was there. */
static void openings_fail(struct world *w, const char *kept, const struct hash *digest, int error) {
    bool hit = true;
    for (unsigned at = 1; hit; at++) {
        restore(w, kept);
        break_disk(at, at % 2 ? ONCE : FROM_THEN_ON, error);
        int r = world_try(w);
        hit = mend_disk();
        assert_true(r == 0 || (r < 0 && hit && w->found.problem[0]));
        assert_true(at < 400);
        world_close(w);
        world_still_has(w, digest);
    }
}

static void a_start_that_fails_leaves_everything_for_the_next(void **state) {
    struct world *w = *state;
    char path[192];
    w->options.slots_ahead = 64;
    world_create(w);
    world_random_turns(w, 3, 10);
    assert_int_equal(store_checkpoint(w->store), 0);
    world_random_turns(w, 3, 10);
    struct hash digest = world_digest(w);
    keep(w, "tail");
    world_close(w);
    keep(w, "clean");
    world_path(w, "state.mdb", path);
    assert_int_equal(unlink(path), 0);
    keep(w, "gone");
    openings_fail(w, "tail", &digest, EIO);
    openings_fail(w, "gone", &digest, ENOSPC);
    w->options.verify_full = true;
    openings_fail(w, "clean", &digest, EIO);
}

static void without_room_for_key_slots_reports_wait_and_all_else_goes_on(void **state) {
    struct world *w = *state;
    PbClockDoubted doubted = {.has_followed = 1};
    PbEvent e = {.event_case = EVENT_CLOCK_DOUBTED, .clock_doubted = &doubted}, *events = &e;
    w->options.slots_ahead = 4;
    world_create(w);
    assert_int_equal(store_prepare_now(w->store), 0);
    world_begin(w);
    break_disk(1, FROM_THEN_ON, ENOSPC);
    for (unsigned i = 0; i < 4; i++) {
        assert_true(store_admits(w->store, ADMIT_REPORT));
        (void)world_report(w, "rubbish", FIXTURE_GRID);
    }
    assert_false(store_admits(w->store, ADMIT_REPORT));
    assert_true(store_admits(w->store, ADMIT_ANSWER));
    assert_int_equal(world_events(w, &events, 1), 0);
    assert_true(mend_disk());
    assert_true(store_admits(w->store, ADMIT_REPORT));
    world_commit(w);
}

static void a_last_instant_that_cannot_be_read_is_a_fault_of_the_disk(void **state) {
    struct world *w = *state;
    world_create(w);
    world_close(w);
    world_open(w);
    break_disk(1, FROM_THEN_ON, EIO);
    int64_t last_ms = store_last_ms(w->store);
    assert_true(mend_disk());
    assert_int_equal(last_ms, -EIO);
    assert_int_equal(store_last_ms(w->store), w->now_ms);
}

static void a_verification_that_fails_never_says_equal(void **state) {
    struct world *w = *state;
    struct verify_result result;
    world_create(w);
    world_random_turns(w, 5, 10);
    world_close(w);
    bool hit = true;
    for (unsigned at = 1; hit; at++) {
        break_disk(at, at % 2 ? ONCE : FROM_THEN_ON, EIO);
        int r = store_verify(&w->options, w->top, &result, NULL, NULL);
        hit = mend_disk();
        assert_true(at < 500 && (hit || result.equal));
        assert_true(r == 0 ? result.equal || result.problem[0] : result.problem[0] != '\0');
    }
}

static void a_verification_that_is_interrupted_goes_on(void **state) {
    struct world *w = *state;
    struct verify_result result;
    unsigned went_on = 0;
    world_create(w);
    world_random_turns(w, 2, 10);
    world_close(w);
    bool hit = true;
    for (unsigned at = 1; hit; at++) {
        break_disk(at, ONCE, EINTR);
        int r = store_verify(&w->options, w->top, &result, NULL, NULL);
        hit = mend_disk();
        went_on += r == 0 && result.equal;
        assert_true(at < 500 && (r == 0 ? result.equal || result.problem[0] : hit && result.problem[0]));
    }
    assert_true(went_on > 10);                    /* reading, writing, and what the child has seen */
}

static void folding_again_that_fails_is_done_by_the_next_start(void **state) {
    struct world *w = *state;
    w->options.slots_ahead = 64;
    world_create(w);
    world_random_turns(w, 5, 10);
    struct hash digest = world_digest(w);
    world_close(w);
    bool hit = true;
    for (unsigned at = 1; hit; at++) {
        break_disk(at, at % 2 ? ONCE : FROM_THEN_ON, at % 3 ? EIO : ENOSPC);
        int r = store_rebuild(&w->options, &w->found);
        hit = mend_disk();
        assert_true(at < 300 && (r == 0 || (hit && w->found.problem[0])));
        world_still_has(w, &digest);
    }
}

/* Calls far into it are like those beside them: the further, the wider the stride. */
static void a_purge_that_fails_leaves_a_store_that_opens_and_can_be_purged(void **state) {
    struct world *w = *state;
    struct purge_options o = {.before_ms = INT64_MAX / 2, .open_too = true};
    struct purge_result p;
    struct verify_result v;
    char archive[140];
    (void)snprintf(archive, sizeof archive, "%s/archive", w->top);
    o.archive = archive;
    w->options.slots_ahead = 64;
    w->options.drill = true;
    world_create(w);
    world_random_turns(w, 400, 1);
    struct hash digest = world_digest(w);
    world_close(w);
    keep(w, "full");
    bool hit = true;
    for (unsigned at = 1; hit; at += 1 + at / 10) {
        restore(w, "full");
        (void)path_remove(archive);
        break_disk(at, at % 2 ? ONCE : FROM_THEN_ON, at % 3 ? EIO : ENOSPC);
        int r = store_purge(&w->options, w->top, &o, &p, NULL, NULL);
        hit = mend_disk();
        assert_true(at < 2000 && (hit || r == 0) && (r == 0 || p.problem[0]));
        world_still_has(w, &digest);
        assert_int_equal(store_purge(&w->options, w->top, &o, &p, NULL, NULL), 0);
        assert_int_equal(store_verify(&w->options, w->top, &v, NULL, NULL), 0);
        assert_true(v.equal && v.first_seq > 1 && v.problem[0] == '\0');
    }
}

int main(void) {
    if (!disk_share())
        return 1;
    const struct CMUnitTest tests[] = {
        WORLD(a_store_is_created_whole_or_not_at_all),
        WORLD(a_commit_that_fails_is_final_and_takes_nothing_acknowledged_with_it),
        WORLD(whatever_fails_in_a_turn_or_a_rest_the_next_start_knows_what_was_acknowledged),
        WORLD(a_checkpoint_without_space_goes_on_or_is_final_and_says_which),
        WORLD(a_start_that_fails_leaves_everything_for_the_next),
        WORLD(without_room_for_key_slots_reports_wait_and_all_else_goes_on),
        WORLD(a_last_instant_that_cannot_be_read_is_a_fault_of_the_disk),
        WORLD(a_verification_that_fails_never_says_equal),
        WORLD(a_purge_that_fails_leaves_a_store_that_opens_and_can_be_purged),
        WORLD(a_verification_that_is_interrupted_goes_on),
        WORLD(folding_again_that_fails_is_done_by_the_next_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
