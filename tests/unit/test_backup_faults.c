/* A backup and a restore on a disk that says no: every system call that can fail is made to, one after the other.
 * The backup of before stays whole, a store never half appears, and what went wrong is said. */
#include "tests/unit/broken_disk.h"
#include "tests/unit/store_world.h"

#include "daemon/store/backup.h"


static void lose(const char *path) {
    if (access(path, F_OK) == 0)
        assert_int_equal(path_remove(path), 0);
}

struct places { char backup[160], back[160], fresh[168], slots[168]; };

static struct places places_of(const struct world *w) {
    struct places p;
    (void)snprintf(p.backup, sizeof p.backup, "%s/backup", w->top);
    (void)snprintf(p.back, sizeof p.back, "%s/back", w->top);
    (void)snprintf(p.fresh, sizeof p.fresh, "%s.new", p.back);
    (void)snprintf(p.slots, sizeof p.slots, "%s.slots", p.backup);
    return p;
}

static int backup(const struct world *w, const struct places *p, struct backup_result *ret) {
    struct backup_options o = {.store = w->dir, .to = p->backup, .map_bytes = w->options.map_bytes};
    return store_backup(&o, ret);
}

static int restore(const struct world *w, const struct places *p, uint64_t until, struct restore_result *ret) {
    struct restore_options o = {
        .from = p->backup, .to = p->back, .slots = p->slots, .until_seq = until, .map_bytes = w->options.map_bytes,
        .segment_bytes = w->options.segment_bytes, .slots_ahead = 64,
    };
    return store_restore(&o, ret);
}

static void lived(struct world *w) {
    w->options.slots_ahead = 64;
    world_create(w);
    world_random_turns(w, 20, 20);
    world_close(w);
}

/* 0: the series is over. */
static bool backup_breaks(struct world *w, const struct places *p, unsigned at, uint64_t before) {
    struct backup_result b, checked;
    break_disk(at, at % 2 ? ONCE : FROM_THEN_ON, at % 3 ? EIO : ENOSPC);
    int r = backup(w, p, &b);
    bool hit = mend_disk();
    if (r < 0 && b.problem[0] == '\0')
        print_message("call %u: %d without a word\n", at, r);
    assert_true(r == 0 || (hit && b.problem[0]));
    assert_int_equal(store_backup_check(p->backup, &checked), 0);
    assert_true(checked.seq == before || (r == 0 && checked.seq == b.seq) || checked.seq > before);
    return hit;
}

static void a_backup_that_fails_leaves_the_one_before_it_whole(void **state) {
    struct world *w = *state;
    struct places p = places_of(w);
    struct backup_result b;
    lived(w);
    assert_int_equal(backup(w, &p, &b), 0);
    bool hit = true;
    for (unsigned at = 1; hit; at++) {
        if (at % 16 == 1) {                       /* there is something new to copy, now and then */
            world_open(w);
            world_random_turns(w, 1, 10);
            world_close(w);
        }
        assert_int_equal(store_backup_check(p.backup, &b), 0);
        hit = backup_breaks(w, &p, at, b.seq);
        assert_true(at < 400);
    }
}

static void a_first_backup_that_was_cut_short_is_made_by_the_next(void **state) {
    struct world *w = *state;
    struct places p = places_of(w);
    struct backup_result b;
    lived(w);
    bool hit = true;
    for (unsigned at = 1; hit; at++) {
        lose(p.backup);
        break_disk(at, FROM_THEN_ON, EIO);
        int r = backup(w, &p, &b);
        hit = mend_disk();
        assert_true(at < 400 && (r == 0 || (hit && b.problem[0])));
        assert_int_equal(backup(w, &p, &b), 0);
        assert_int_equal(store_backup_check(p.backup, &b), 0);
    }
}

static void restores_break(struct world *w, const struct places *p, uint64_t until, const struct hash *digest) {
    struct restore_result back;
    bool hit = true;
    for (unsigned at = 1; hit; at++) {
        break_disk(at, at % 2 ? ONCE : FROM_THEN_ON, at % 3 ? EIO : ENOSPC);
        int r = restore(w, p, until, &back);
        hit = mend_disk();
        if (r < 0 && (back.problem[0] == '\0' || !hit))
            print_message("call %u: %d %s\n", at, r, back.problem);
        assert_true(at < 900 && (r == 0 || (hit && back.problem[0])));
        assert_true(r == 0 || access(p->back, F_OK) < 0 || back.problem[0]);
        lose(p->back);
        if (at % 8 == 0) {                        /* what was left half made is in nobody's way */
            assert_int_equal(restore(w, p, until, &back), 0);
            assert_memory_equal(&back.digest, digest, sizeof *digest);
            lose(p->back);
        }
    }
}

static void a_restore_that_fails_makes_no_store_and_the_next_one_does(void **state) {
    struct world *w = *state;
    struct places p = places_of(w);
    struct backup_result b;
    struct restore_result back;
    lived(w);
    assert_int_equal(backup(w, &p, &b), 0);
    assert_int_equal(restore(w, &p, 0, &back), 0);
    lose(p.back);
    struct hash all = back.digest;
    assert_int_equal(restore(w, &p, b.seq / 2, &back), 0);
    lose(p.back);
    struct hash half = back.digest;
    restores_break(w, &p, 0, &all);
    restores_break(w, &p, b.seq / 2, &half);
}

int main(void) {
    if (!disk_share())
        return 1;
    const struct CMUnitTest tests[] = {
        WORLD(a_backup_that_fails_leaves_the_one_before_it_whole),
        WORLD(a_first_backup_that_was_cut_short_is_made_by_the_next),
        WORLD(a_restore_that_fails_makes_no_store_and_the_next_one_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
