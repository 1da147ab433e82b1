/* Between turns, on a disk that says no: what may wait is tried again, what may not is final, and a doubt gets onto the
 * disk as soon as it can. */
#include "daemon/store/base.h"
#include "daemon/store/journal_internal.h"
#include "daemon/store/store_internal.h"
#include "tests/unit/broken_disk.h"
#include "tests/unit/store_world.h"

static bool is_there(const struct world *w, const char *name) {
    char path[192];
    world_path(w, name, path);
    return access(path, F_OK) == 0;
}

/* The row is not served either way; but only a doubt on disk makes the next start fold everything. */
static void a_doubt_that_cannot_be_written_is_written_at_the_next_question(void **state) {
    struct world *w = *state;
    struct case_state c;
    world_create(w);
    w->store->tables.doubtful = true;
    for (unsigned at = 1; at <= 3; at++) {        /* opened, synced, and its name */
        break_disk(at, ONCE, EIO);
        assert_int_equal(store_case(w->store, 1, &c), -ENOENT);
        assert_true(mend_disk());
        assert_false(w->store->marked);
    }
    assert_int_equal(store_case(w->store, 1, &c), -ENOENT);
    assert_true(w->store->marked && is_there(w, "doubt"));
    world_close(w);
    world_open(w);
    assert_string_equal(w->found.decision, "state-broken");
    assert_false(is_there(w, "doubt"));
}

static void nobody_waits_for_whoever_prepares_a_segment(void **state) {
    struct world *w = *state;
    struct store_figures before, after;
    world_create(w);
    while (store_rest(w->store, INT64_MAX / 2, w->now_ms, true) == 1) {}
    assert_int_equal(store_prepare_now(w->store), 0);
    store_figures(w->store, &before);
    assert_int_equal(pthread_mutex_lock(&w->store->preparing), 0);
    assert_int_equal(store_rest(w->store, INT64_MAX / 2, w->now_ms, true), 0);
    assert_int_equal(pthread_mutex_unlock(&w->store->preparing), 0);
    store_figures(w->store, &after);
    assert_int_equal(after.segments_ready, before.segments_ready);
}

/* Whichever call of it fails for want of space, the next try, with space, makes the segment. */
static void a_segment_that_could_not_be_prepared_is_prepared_when_there_is_space(void **state) {
    struct world *w = *state;
    bool hit = true;
    int r;
    assert_int_equal(store_create(&w->options, (char[STORE_PROBLEM_SIZE]){0}), 0);
    for (unsigned at = 1; hit; at++) {
        world_open(w);
        break_disk(at, ONCE, ENOSPC);
        while ((r = store_prepare(w->store, 1 << 20)) == 1) {}
        hit = mend_disk();
        assert_int_equal(r, hit ? -ENOSPC : 0);
        while ((r = store_prepare(w->store, 1 << 20)) == 1) {}
        assert_int_equal(r, 0);
        assert_int_equal(journal_segments_ready(store_journal(w->store)), w->options.segments_ahead);
        w->options.segments_ahead++;
        world_close(w);
    }
}

/* Until everything is ahead: witness, checkpoint, slots, segments. */
static int rest(struct world *w) {
    int r;
    do
        r = store_rest(w->store, INT64_MAX / 2, w->now_ms, true);
    while (r == 1);
    return r;
}

static void rests_fail(struct world *w, int how, int error) {
    bool hit = true;
    unsigned waited = 0, final = 0;
    for (unsigned at = 1; hit; at++) {
        world_random_turns(w, 1, 5);
        w->store->options.slots_ahead += 64;      /* there is always something to fill */
        break_disk(at, how, error);
        int r = rest(w);
        hit = mend_disk();
        assert_true(hit || r == 0);
        waited += r == -ENOSPC, final += r < 0 && r != -ENOSPC;
        assert_int_equal(w->store->fault, r == -ENOSPC ? 0 : r);
        if (w->store->fault == 0)
            continue;
        assert_int_equal(rest(w), r);
        world_close(w);
        world_open(w);
    }
    assert_true(error == ENOSPC ? waited > 0 : final > 0 && waited == 0);
}

static void a_rest_without_space_waits_and_one_without_a_disk_is_the_last(void **state) {
    struct world *w = *state;
    w->options.slots_ahead = 64;
    world_create(w);
    rests_fail(w, ONCE, ENOSPC);
    rests_fail(w, FROM_THEN_ON, EIO);
}

/* The same beside all that a rest does, and some of which may fail without a word. */
static void a_rest_that_could_not_prepare_a_segment_is_made_good_by_the_next(void **state) {
    struct world *w = *state;
    bool hit = true;
    assert_int_equal(store_create(&w->options, (char[STORE_PROBLEM_SIZE]){0}), 0);
    for (unsigned at = 1; hit; at++) {
        world_open(w);
        break_disk(at, ONCE, ENOSPC);
        int r = rest(w);
        hit = mend_disk();
        assert_true(r == 0 || (hit && r == -ENOSPC));
        assert_int_equal(rest(w), 0);
        assert_int_equal(journal_segments_ready(store_journal(w->store)), w->options.segments_ahead);
        w->options.segments_ahead++;
        world_close(w);
    }
}

/* As it was killed between sealing a segment and beginning the next, which was lost: opened on a disk whose `at`th call
 * finds no space. false: there are not so many. */
static bool opens_sealed(struct world *w, const char *killed, unsigned at, uint64_t used) {
    char active[192], ready[192];
    assert_int_equal(path_remove(w->dir), 0);
    path_copy(killed, w->dir);
    world_path(w, "journal/00000001.seg", active);
    world_path(w, "journal/00000002.seg", ready);
    assert_true(truncate(active, (off_t)used) == 0 && unlink(ready) == 0);
    break_disk(at, ONCE, ENOSPC);
    int r = world_try(w);
    bool hit = mend_disk();
    assert_true(hit || r == 0);
    return hit;
}

static void without_room_for_a_witness_the_checkpoint_covers_the_last_batch(void **state) {
    struct world *w = *state;
    char killed[160];
    unsigned without = 0;
    (void)snprintf(killed, sizeof killed, "%s/killed", w->top);
    w->options.slots_ahead = 64;
    world_create(w);
    world_random_turns(w, 2, 5);
    path_copy(w->dir, killed);
    uint64_t used = w->store->journal->used, seq = store_durable_seq(w->store);
    assert_true(w->store->journal->ordinal == 1 && journal_segments_ready(w->store->journal) == 1);
    world_close(w);
    bool hit = true;
    for (unsigned at = 1; hit; at++) {
        hit = opens_sealed(w, killed, at, used);
        if (w->store && journal_segments_ready(w->store->journal) == 0) {
            without++;
            assert_true(store_rest(w->store, INT64_MAX / 2, w->now_ms, true) >= 0);
            assert_false(journal_witnessed(w->store->journal));
            assert_true(w->store->fault == 0 && w->store->tables.meta.folded_seq == seq);
            assert_int_equal(rest(w), 0);         /* with space: a segment, whose header witnesses */
            assert_true(journal_witnessed(w->store->journal));
        }
        world_close(w);
    }
    assert_true(without > 0);
}

/* Read from its first byte to its last: what the disk does not give is no damage of the base. */
static void a_base_that_cannot_be_read_is_not_called_damaged(void **state) {
    struct world *w = *state;
    struct journal_base b;
    struct hash digest;
    char problem[STORE_PROBLEM_SIZE];
    bool hit = true;
    world_create(w);
    world_random_turns(w, 40, 20);                /* more than is read at a time */
    assert_int_equal(base_write(&w->store->tables, w->store->dir_fd, &b), 0);
    for (unsigned at = 1; hit; at++) {
        break_disk(at, ONCE, EIO);
        int r = base_check(w->store->dir_fd, &b, true, &digest, problem);
        hit = mend_disk();
        assert_int_equal(r, hit ? -EIO : 0);
    }
}

/* How full the disk is cannot be told: then only what an operator allows counts. */
static void a_disk_that_does_not_say_how_full_it_is_is_not_full(void **state) {
    struct world *w = *state;
    struct store_figures f;
    world_create(w);
    assert_int_equal(store_prepare_now(w->store), 0);
    w->store->space.looked_ms = 0;
    break_disk(1, FROM_THEN_ON, EIO);
    store_figures(w->store, &f);
    assert_true(mend_disk());
    assert_true(f.quota_bytes == UINT64_MAX && !f.reports_refused);
    assert_true(store_admits(w->store, ADMIT_REPORT));
}

int main(void) {
    if (!disk_share())
        return 1;
    const struct CMUnitTest tests[] = {
        WORLD(a_doubt_that_cannot_be_written_is_written_at_the_next_question),
        WORLD(nobody_waits_for_whoever_prepares_a_segment),
        WORLD(a_segment_that_could_not_be_prepared_is_prepared_when_there_is_space),
        WORLD(a_rest_without_space_waits_and_one_without_a_disk_is_the_last),
        WORLD(a_rest_that_could_not_prepare_a_segment_is_made_good_by_the_next),
        WORLD(without_room_for_a_witness_the_checkpoint_covers_the_last_batch),
        WORLD(a_base_that_cannot_be_read_is_not_called_damaged),
        WORLD(a_disk_that_does_not_say_how_full_it_is_is_not_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
