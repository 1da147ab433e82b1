/* What is erased stays erased: after a crash between the event and the wiping, after keys have come back from an
 * archive, and on a disk that fails meanwhile. */
#include "tests/unit/broken_disk.h"
#include "tests/unit/backup_scratch.h"

/* A case that has ended, archived: the event is on disk, and its key is still there. */
static struct case_state archived(struct world *w) {
    struct order order = {.kind = ORDER_ARCHIVE};
    PbRefusal refusal = REFUSED_NOTHING;
    struct case_state c;
    uint64_t cursor = 0, id = 0;
    struct key key;
    while (store_next_ended(w->store, &cursor, w->now_ms, 1000, &id) != 1)
        world_random_turns(w, 5, 20);
    order.archive.ended_before_ms = w->now_ms;
    world_begin(w);
    assert_int_equal(world_order(w, &order, id, NULL, &refusal, &id), 0);
    assert_int_equal(refusal, REFUSED_NOTHING);
    world_commit(w);
    assert_int_equal(store_case(w->store, id, &c), 0);
    assert_true(case_is_erased(&c));
    assert_int_equal(store_slot_key(w->store, c.slot, &key), 0);
    return c;
}

static void lived(struct world *w) {
    w->options.slots_ahead = 64;
    world_create(w);
    world_random_turns(w, 5, 20);
}

static void a_key_that_outlived_a_crash_is_erased_by_the_start(void **state) {
    struct world *w = *state;
    struct key key;
    char path[PATH_BYTES];
    uint64_t count = 7;
    lived(w);
    assert_int_equal(store_checkpoint(w->store), 0);
    struct case_state c = archived(w);
    uint64_t seq = store_durable_seq(w->store);
    place(w, "after", path);
    path_copy(w->dir, path);                      /* as a crash leaves it: the tables stand at the checkpoint */
    move_to(w, "after");
    assert_int_equal(store_slot_key(w->store, c.slot, &key), -ENODATA);
    assert_int_equal(store_redo_erasures(w->store, seq, &count), 0);
    assert_int_equal(count, 0);                   /* nothing came since */
    world_random_turns(w, 1, 5);
    assert_int_equal(store_redo_erasures(w->store, seq - 1, &count), 0);
    assert_int_equal(count, 0);                   /* what is wiped is left alone */
    assert_int_equal(store_redo_erasures(w->store, 0, &count), 0);
    assert_int_equal(count, 0);
    struct verify_result result;
    world_close(w);
    assert_int_equal(store_verify(&w->options, w->top, &result, NULL, NULL), 0);
    assert_true(result.equal);                    /* a key that is gone is no damage */
}

static void keys_that_come_back_from_an_archive_are_erased_by_the_restore(void **state) {
    struct world *w = *state;
    struct key key;
    char archive[PATH_BYTES], old[PATH_BYTES];
    lived(w);
    place(w, "backup.slots", archive);
    place(w, "old.slots", old);
    struct case_state c = archived(w);
    (void)backup(w, "backup");
    assert_int_equal(rename(archive, old), 0);
    assert_int_equal(store_wipe_slot(w->store, c.slot), 0);
    (void)backup(w, "backup");
    assert_int_equal(restore(w, "backup", "back", (struct wish){0}).erased_again, 0);
    assert_int_equal(rename(old, archive), 0);
    assert_int_equal(restore(w, "backup", "again", (struct wish){0}).erased_again, 1);
    move_to(w, "again");
    assert_int_equal(store_slot_key(w->store, c.slot, &key), -ENODATA);
}

/* Keys put back beside tables that know of the erasure: nobody looks by himself. */
static void erased_on_a_broken_disk(struct world *w, const struct case_state *c, const char *kept, uint64_t after_seq) {
    char slots[192];
    struct key key;
    uint64_t count = 0;
    bool hit = true;
    world_path(w, "slots", slots);
    for (unsigned at = 1; hit; at++) {
        path_copy(kept, slots);
        world_open(w);
        assert_int_equal(store_slot_key(w->store, c->slot, &key), 0);
        break_disk(at, at % 2 ? ONCE : FROM_THEN_ON, EIO);
        int r = store_redo_erasures(w->store, after_seq, &count);
        hit = mend_disk();
        assert_true(at < 100 && r == (hit ? -EIO : 0));
        assert_int_equal(store_redo_erasures(w->store, after_seq, &count), 0);
        assert_true(hit || count == 0);
        assert_int_equal(store_slot_key(w->store, c->slot, &key), -ENODATA);
        world_close(w);
    }
}

static void an_erasure_that_fails_is_done_by_the_next_try(void **state) {
    struct world *w = *state;
    char slots[192], kept[PATH_BYTES];
    lived(w);
    struct case_state c = archived(w);
    uint64_t seq = store_durable_seq(w->store);
    assert_int_equal(store_checkpoint(w->store), 0);
    world_close(w);
    world_path(w, "slots", slots);
    place(w, "kept", kept);
    path_copy(slots, kept);
    erased_on_a_broken_disk(w, &c, kept, 0);
    erased_on_a_broken_disk(w, &c, kept, seq - 1);
}

int main(void) {
    if (!disk_share())
        return 1;
    const struct CMUnitTest tests[] = {
        WORLD(a_key_that_outlived_a_crash_is_erased_by_the_start),
        WORLD(keys_that_come_back_from_an_archive_are_erased_by_the_restore),
        WORLD(an_erasure_that_fails_is_done_by_the_next_try),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
