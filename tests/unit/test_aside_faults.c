/* What stands apart from serving, on a disk that fails: a look at a journal, at a backup, the reserve. A fault of the
 * disk is never called damage, and nothing is half done. */
#include "tests/unit/broken_disk.h"
#include "tests/unit/backup_scratch.h"

static void lived(struct world *w) {
    w->options.slots_ahead = 64;
    world_create(w);
    world_random_turns(w, 3, 20);
}

static void grow_to_segment(struct world *w, uint64_t ordinal) {
    struct journal_segment s;
    while (!journal_segment(store_journal(w->store), ordinal, &s))
        world_random_turns(w, 5, 60);
}

/* What failed was the disk, and it was said: or the call was one that may fail. */
static void told(unsigned at, bool hit, int r, const char *problem) {
    if ((r < 0 && (!hit || problem[0] == '\0')) || r == -EBADMSG)
        print_message("call %u: %d %s\n", at, r, problem);
    assert_true(at < 400 && r != -EBADMSG && (r == 0 || (hit && problem[0])));
}

/* ---- looking ----------------------------------------------------------------------------------------------------- */

static int count_sealed(void *to, const struct segment_seen *s) {
    unsigned *sealed = to;
    *sealed += s->sealed;
    return 0;
}

static void a_survey_that_cannot_read_says_so_and_never_that_a_segment_is_open(void **state) {
    struct world *w = *state;
    char problem[STORE_PROBLEM_SIZE];
    bool hit = true;
    lived(w);
    grow_to_segment(w, 3);
    for (unsigned at = 1; hit; at++) {
        unsigned sealed = 0;
        break_disk(at, at % 2 ? ONCE : FROM_THEN_ON, EIO);
        int r = store_survey(w->dir, 0, count_sealed, &sealed, problem);
        hit = mend_disk();
        told(at, hit, r, problem);
        assert_true(r < 0 || sealed == 2);
    }
    unsigned sealed = 0;
    assert_int_equal(store_survey(w->dir, 2, count_sealed, &sealed, problem), 0);
    assert_true(sealed < 2);                      /* the last two only, of which one at least is not sealed */
}

static void a_check_that_cannot_read_a_backup_does_not_call_it_damaged(void **state) {
    struct world *w = *state;
    struct backup_result b;
    bool hit = true;
    lived(w);
    (void)backup(w, "backup");
    for (unsigned at = 1; hit; at++) {
        break_disk(at, at % 2 ? ONCE : FROM_THEN_ON, EIO);
        int r = check(w, "backup", &b);
        hit = mend_disk();
        told(at, hit, r, b.problem);
        assert_int_equal(r, hit ? -EIO : 0);
    }
}

/* ---- a living store ---------------------------------------------------------------------------------------------- */

static void a_living_stores_backup_that_fails_says_what_and_where(void **state) {
    struct world *w = *state;
    struct backup_result b;
    bool hit = true;
    lived(w);
    grow_to_segment(w, 2);
    for (unsigned at = 1; hit; at++) {
        break_disk(at, ONCE, EIO);
        int r = backup_try(w, "backup", &b);
        hit = mend_disk();
        told(at, hit, r, b.problem);
        assert_true(b.live || r < 0);
    }
    assert_int_equal(check(w, "backup", &b), 0);
}

static void a_full_disk_is_seen_before_anything_is_written(void **state) {
    struct world *w = *state;
    struct backup_result b;
    lived(w);
    (void)backup(w, "backup");
    uint64_t seq = store_durable_seq(w->store);
    world_random_turns(w, 3, 20);
    disk->full = true;
    told_why(backup_try(w, "backup", &b), -ENOSPC, b.problem, "nothing that was there has changed");
    disk->full = false;
    assert_int_equal(check(w, "backup", &b), 0);
    assert_int_equal(b.seq, seq);
}

/* ---- the reserve ------------------------------------------------------------------------------------------------- */

static void a_reserve_that_could_not_be_given_is_given_by_the_next_try(void **state) {
    struct world *w = *state;
    struct ballast_given g;
    char reserve[192], half[192];
    bool hit = true;
    lived(w);
    world_path(w, "reserve", reserve);
    world_path(w, "reserve.new", half);
    for (unsigned at = 1; hit; at++) {
        assert_int_equal(access(reserve, F_OK), 0);
        break_disk(at, ONCE, EIO);
        int r = store_ballast_give(w->dir, &g);
        hit = mend_disk();
        assert_true(at < 50 && (r == 0 || r == -EIO));
        if (access(reserve, F_OK) == 0)
            assert_int_equal(store_ballast_give(w->dir, &g), 0);
        world_close(w);
        world_open(w);
        while (store_prepare(w->store, 1 << 20) == 1) {}
        break_disk(at, ONCE, EIO);
        r = store_ballast(w->store);
        (void)mend_disk();
        assert_true(r == 1 || r == -EIO || r == -ENOSPC);
        assert_int_equal(access(half, F_OK), -1);                 /* half a reserve would be no reserve */
        world_close(w);
        world_open(w);                            /* that it was looked at a moment ago is forgotten */
        assert_true(store_ballast(w->store) >= 0);
    }
}

static void no_reserve_is_made_where_it_would_be_missed(void **state) {
    struct world *w = *state;
    struct ballast_given g;
    char path[192];
    lived(w);
    while (store_prepare(w->store, 1 << 20) == 1) {}
    assert_int_equal(store_ballast(w->store), 0);                 /* it is there */
    assert_int_equal(store_ballast_give(w->dir, &g), 0);
    world_close(w);
    world_open(w);
    disk->full = true;
    assert_int_equal(store_ballast(w->store), -ENOSPC);
    disk->full = false;
    world_close(w);
    w->options.read_only = true;
    world_open(w);
    assert_int_equal(store_ballast(w->store), 0);
    world_path(w, "reserve", path);
    assert_int_equal(access(path, F_OK), -1);
}

/* Whoever has the wrong program at hand on the worst day may still make room with it. */
static void a_later_versions_reserve_may_be_given_and_a_damaged_stores_not(void **state) {
    struct world *w = *state;
    struct ballast_given g;
    char path[192];
    lived(w);
    world_close(w);
    world_path(w, "FORMAT", path);
    FILE *f = fopen(path, "r+b");
    assert_true(f && fseek(f, 15, SEEK_SET) == 0 && fputc('7', f) == '7' && fclose(f) == 0);
    assert_true(world_try(w) < 0);
    assert_int_equal(store_ballast_give(w->dir, &g), 0);
    assert_true(g.bytes > 0 && g.problem[0] == '\0');
    assert_int_equal(unlink(path), 0);
    told_why(store_ballast_give(w->dir, &g), -ENOENT, g.problem, "no FORMAT");
}

/* ---- where the store lies ---------------------------------------------------------------------------------------- */

static void a_file_system_that_was_never_tried_is_told(void **state) {
    static const struct { long kind; bool tried; } kinds[] = {{0xEF53, true}, {0x58465342, true}, {0x6969, false}};
    struct world *w = *state;
    lived(w);
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        world_close(w);
        disk->kind = kinds[i].kind;
        world_open(w);
        assert_int_equal(w->found.not_ext4_xfs, !kinds[i].tried);
    }
    disk->kind = 0;
}

int main(void) {
    if (!disk_share())
        return 1;
    const struct CMUnitTest tests[] = {
        WORLD(a_survey_that_cannot_read_says_so_and_never_that_a_segment_is_open),
        WORLD(a_check_that_cannot_read_a_backup_does_not_call_it_damaged),
        WORLD(a_living_stores_backup_that_fails_says_what_and_where),
        WORLD(a_full_disk_is_seen_before_anything_is_written),
        WORLD(a_reserve_that_could_not_be_given_is_given_by_the_next_try),
        WORLD(no_reserve_is_made_where_it_would_be_missed),
        WORLD(a_later_versions_reserve_may_be_given_and_a_damaged_stores_not),
        WORLD(a_file_system_that_was_never_tried_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
