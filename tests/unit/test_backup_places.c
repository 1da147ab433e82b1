/* A backup that is asked for in a bad place or at a bad moment: what is refused, in which words, and what is not
 * taken for more than it is. */
#include "daemon/store/store_internal.h"
#include "tests/unit/backup_scratch.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

static void small(struct world *w) {
    w->options.slots_ahead = 64;
    world_create(w);
    world_random_turns(w, 3, 20);
}

static void put_byte(const char *path, long offset, int byte) {
    FILE *f = fopen(path, "r+b");
    assert_true(f && fseek(f, offset, SEEK_SET) == 0 && fputc(byte, f) == byte && fclose(f) == 0);
}

/* ---- whom to ask ------------------------------------------------------------------------------------------------- */

typedef int asked(void *to, const uint8_t id[16], uint64_t *ret_seq, char problem[static STORE_PROBLEM_SIZE]);

static int backup_asking(struct world *w, asked *ask, struct backup_result *ret) {
    char to[PATH_BYTES];
    place(w, "backup", to);
    struct backup_options o = {
        .store = w->dir, .to = to, .map_bytes = w->options.map_bytes, .ask = ask, .asked = w,
    };
    return store_backup(&o, ret);
}

static int told_beyond(void *to, const uint8_t id[16], uint64_t *ret_seq, char problem[static STORE_PROBLEM_SIZE]) {
    int r = told_durable(to, id, ret_seq, problem);
    ++*ret_seq;
    return r;
}

static int told_within(void *to, const uint8_t id[16], uint64_t *ret_seq, char problem[static STORE_PROBLEM_SIZE]) {
    int r = told_durable(to, id, ret_seq, problem);
    --*ret_seq;
    return r;
}

/* Answers, and goes on until the next segment is begun. */
static int told_then_turned_over(void *to, const uint8_t id[16], uint64_t *ret_seq,
                                 char problem[static STORE_PROBLEM_SIZE]) {
    struct world *w = to;
    struct journal_segment s;
    uint64_t active = 1;
    int r = told_durable(to, id, ret_seq, problem);
    while (journal_segment(store_journal(w->store), active + 1, &s))
        active++;
    while (!journal_segment(store_journal(w->store), active + 1, &s))
        world_random_turns(w, 5, 40);
    return r;
}

static void a_broker_that_names_another_end_than_the_journals_is_not_believed(void **state) {
    struct world *w = *state;
    struct backup_result b;
    small(w);
    told_why(backup_asking(w, NULL, &b), -EBUSY, b.problem, "no broker to ask");
    told_why(backup_asking(w, told_beyond, &b), -EBADMSG, b.problem, "00000001.seg");
    told_why(backup_asking(w, told_within, &b), -EBADMSG, b.problem, "ends before what is durable");
    assert_int_equal(backup_asking(w, told_durable, &b), 0);
}

static void a_segment_that_is_begun_after_the_broker_was_asked_is_left_out(void **state) {
    struct world *w = *state;
    struct backup_result b;
    small(w);
    uint64_t seq = store_durable_seq(w->store);
    assert_int_equal(backup_asking(w, told_then_turned_over, &b), 0);
    assert_true(b.seq > seq && b.seq < store_durable_seq(w->store));
    struct restore_result back = restore(w, "backup", "back", (struct wish){0});
    assert_int_equal(back.seq, b.seq);
}

/* ---- where to ---------------------------------------------------------------------------------------------------- */

static int backup_to(struct world *w, const char *to, struct backup_result *ret) {
    struct backup_options o = {.store = w->dir, .to = to, .map_bytes = w->options.map_bytes};
    return store_backup(&o, ret);
}

static void a_place_is_named_from_here_or_from_the_root_and_must_lie_apart(void **state) {
    struct world *w = *state;
    struct backup_result b;
    char path[PATH_BYTES], was[1024];
    static char long_name[5000];
    memset(long_name, 'x', sizeof long_name - 1);
    small(w);
    world_close(w);
    told_why(backup_to(w, long_name, &b), -ENAMETOOLONG, b.problem, "open");
    place(w, "nowhere/backup", path);
    told_why(backup_to(w, path, &b), -ENOENT, b.problem, "directory above");
    place(w, "store-of-yesterday", path);         /* begins like the store's own name */
    assert_int_equal(backup_to(w, path, &b), 0);
    assert_non_null(getcwd(was, sizeof was));
    assert_int_equal(chdir(w->top), 0);
    int here = backup_to(w, "backup", &b), checked = store_backup_check("backup", &b);
    assert_int_equal(chdir(was), 0);
    assert_true(here == 0 && checked == 0 && b.has_slots);
}

static void two_backups_do_not_write_to_one_place(void **state) {
    struct world *w = *state;
    struct backup_result b;
    char path[PATH_BYTES];
    small(w);
    (void)backup(w, "backup");
    place(w, "backup", path);
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0);
    told_why(backup_try(w, "backup", &b), -EBUSY, b.problem, "another backup is being written there");
    assert_int_equal(close(fd), 0);
    (void)backup(w, "backup");
}

static void a_copy_of_the_store_that_was_made_by_hand_is_not_written_over(void **state) {
    struct world *w = *state;
    struct backup_result b;
    char path[PATH_BYTES];
    small(w);
    world_close(w);
    place(w, "copy", path);
    path_copy(w->dir, path);
    told_why(backup_try(w, "copy", &b), -EEXIST, b.problem, "no backup of this store");
    place(w, "copy/slots", path);
    assert_int_equal(unlink(path), 0);            /* as a backup that was cut short before its manifest looks */
    (void)backup(w, "copy");
    assert_int_equal(check(w, "copy", &b), 0);
}

static void what_is_left_over_is_swept_and_what_is_not_ours_stays(void **state) {
    static const char *const names[] = {
        "backup/part.new", "backup/journal/part.new", "backup/state-1.mdb", "backup/journal/00000009.seg.7",
        "backup/journal/a-name-that-is-longer-than-that-of-any-file-a-backup-is-ever-going-to-have",
        "backup/notes.txt",
    };
    struct world *w = *state;
    char path[PATH_BYTES];
    small(w);
    (void)backup(w, "backup");
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        place(w, names[i], path);
        FILE *f = fopen(path, "wb");
        assert_true(f && fclose(f) == 0);
    }
    (void)backup(w, "backup");
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        place(w, names[i], path);
        assert_int_equal(access(path, F_OK), i < 4 ? -1 : 0);
    }
}

/* ---- what is copied ---------------------------------------------------------------------------------------------- */

static void what_is_missing_is_left_out_and_said(void **state) {
    struct world *w = *state;
    char path[192];
    small(w);
    struct hash digest = world_digest(w);
    world_close(w);
    world_path(w, "state.mdb", path);
    assert_int_equal(unlink(path), 0);
    world_path(w, "slots", path);
    assert_int_equal(unlink(path), 0);
    struct backup_result b = backup(w, "backup");
    assert_true(!b.has_state && !b.has_slots);
    struct restore_result back = restore(w, "backup", "back", (struct wish){.no_slots = true});
    same_digest(&back.digest, &digest);
}

static void a_resting_journal_that_is_damaged_is_refused_by_place(void **state) {
    struct world *w = *state;
    struct backup_result b;
    small(w);
    world_close(w);
    world_flip(w, "journal/00000001.seg", 50);
    told_why(backup_try(w, "backup", &b), -EBADMSG, b.problem, "00000001.seg");
}

/* The second segment of a store that was brought back, and of the one it was a copy of: both ours, both whole. */
static void a_segment_of_another_history_is_refused(void **state) {
    struct world *w = *state;
    struct backup_result b;
    struct journal_segment s;
    char twin[PATH_BYTES], from[192], to[192];
    small(w);
    world_close(w);
    place(w, "twin", twin);
    path_copy(w->dir, twin);
    world_open(w);
    while (!journal_segment(store_journal(w->store), 3, &s))
        world_random_turns(w, 5, 40);
    world_close(w);
    world_path(w, "journal/00000002.seg", from);
    (void)snprintf(w->dir, sizeof w->dir, "%.120s", twin);
    world_open(w);
    while (!journal_segment(store_journal(w->store), 3, &s))
        world_random_turns(w, 5, 41);
    world_path(w, "journal/00000002.seg", to);
    path_copy(from, to);
    told_why(backup_try(w, "backup", &b), -EBADMSG, b.problem, "00000002.seg");
    assert_non_null(strstr(b.problem, "does not continue"));
}

static void a_purged_store_whose_base_is_damaged_is_not_copied(void **state) {
    struct world *w = *state;
    struct purge_result p;
    struct backup_result b;
    char name[40], path[192];
    struct stat st;
    w->options.drill = true;
    world_create(w);
    world_random_turns(w, 400, 1);
    world_close(w);
    struct purge_options o = {.before_ms = w->now_ms + 1, .open_too = true};
    assert_int_equal(store_purge(&w->options, w->top, &o, &p, NULL, NULL), 0);
    (void)snprintf(name, sizeof name, "base-%llu.dump", (unsigned long long)p.base_seq);
    world_path(w, name, path);
    assert_true(stat(path, &st) == 0 && chmod(path, 0600) == 0);
    world_flip(w, name, (long)st.st_size / 2);
    told_why(backup_try(w, "backup", &b), -EBADMSG, b.problem, "base");
}

/* ---- looking at one ---------------------------------------------------------------------------------------------- */

static void the_archive_of_slots_may_be_gone_but_not_damaged_or_anothers(void **state) {
    static const long hurt[] = {0, 8, 48, 100};   /* whose it is, its format, its length, a key */
    struct world *w = *state;
    struct backup_result b;
    char archive[PATH_BYTES], other[PATH_BYTES];
    small(w);
    (void)backup(w, "backup");
    world_close(w);
    (void)snprintf(w->dir, sizeof w->dir, "%.90s/second", w->top);
    small(w);
    (void)backup(w, "other");
    place(w, "backup.slots", archive);
    place(w, "other.slots", other);
    for (size_t i = 0; i < COUNT_OF(hurt); i++) {
        char safe[PATH_BYTES];
        place(w, "safe", safe);
        path_copy(archive, safe);
        put_byte(archive, hurt[i], 0x6e);
        told_why(check(w, "backup", &b), -EBADMSG, b.problem, "backup.slots: it is damaged");
        assert_int_equal(rename(safe, archive), 0);
    }
    assert_int_equal(check(w, "backup", &b), 0);
    assert_true(b.has_slots);
    assert_int_equal(truncate(archive, 90), 0);
    told_why(check(w, "backup", &b), -EBADMSG, b.problem, "backup.slots: it is damaged");
    assert_int_equal(rename(other, archive), 0);
    told_why(check(w, "backup", &b), -EBADMSG, b.problem, "of another store");
    assert_int_equal(unlink(archive), 0);
    assert_int_equal(check(w, "backup", &b), 0);
    assert_false(b.has_slots);
    assert_true(mkdir(archive, 0700) == 0);
    told_why(check(w, "backup", &b), -EISDIR, b.problem, "directory");
    assert_int_equal(check(w, "nowhere", &b), -ENOENT);
}

/* ---- a journal that another version wrote on --------------------------------------------------------------------- */

/* Its bytes are ours, and say nothing to this version. */
static void add_unreadable_record(struct world *w) {
    struct identity id = w->store->identity;
    struct journal_found found;
    struct journal *j = NULL;
    world_close(w);
    const struct journal_options o = journal_options_of(&w->options, w->dir, &id);
    assert_int_equal(journal_open(&j, &o, false, &found), 0);
    journal_begin(j, w->now_ms, found.epoch);
    assert_int_equal(journal_add(j, SLICE("no record of this version"), 1), 0);
    assert_int_equal(journal_append(j), 0);
    journal_close(j);
}

static void a_cut_by_time_does_not_fall_where_a_record_cannot_be_read(void **state) {
    struct world *w = *state;
    struct restore_result back;
    char tables[192], words[64];
    small(w);
    (void)snprintf(words, sizeof words, "the record of seq %llu cannot be read",
                   (unsigned long long)store_durable_seq(w->store) + 1);
    uint64_t seq = store_durable_seq(w->store);
    add_unreadable_record(w);
    world_path(w, "state.mdb", tables);
    assert_int_equal(unlink(tables), 0);          /* as it was followed */
    struct wish wish = {.until_ms = w->now_ms + 1, .no_slots = true};
    told_why(restore_try(w, "store", "back", wish, &back), -EBADMSG, back.problem, words);
    wish = (struct wish){.until_seq = seq, .no_slots = true};
    assert_int_equal(restore(w, "store", "back", wish).seq, seq);
}

/* A name that can be opened, and to which nothing can be added. */
static void a_name_that_is_too_long_to_look_beside_is_refused(void **state) {
    struct world *w = *state;
    struct backup_result b;
    char path[PATH_BYTES], name[4093];
    small(w);
    (void)backup(w, "backup");
    place(w, "backup", path);
    memset(name, '/', sizeof name);
    (void)snprintf(name + sizeof name - 1 - strlen(path), strlen(path) + 1, "%s", path);
    told_why(store_backup_check(name, &b), -ENAMETOOLONG, b.problem, "check");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        WORLD(a_broker_that_names_another_end_than_the_journals_is_not_believed),
        WORLD(a_segment_that_is_begun_after_the_broker_was_asked_is_left_out),
        WORLD(a_place_is_named_from_here_or_from_the_root_and_must_lie_apart),
        WORLD(two_backups_do_not_write_to_one_place),
        WORLD(a_copy_of_the_store_that_was_made_by_hand_is_not_written_over),
        WORLD(what_is_left_over_is_swept_and_what_is_not_ours_stays),
        WORLD(what_is_missing_is_left_out_and_said),
        WORLD(a_resting_journal_that_is_damaged_is_refused_by_place),
        WORLD(a_segment_of_another_history_is_refused),
        WORLD(a_purged_store_whose_base_is_damaged_is_not_copied),
        WORLD(the_archive_of_slots_may_be_gone_but_not_damaged_or_anothers),
        WORLD(a_cut_by_time_does_not_fall_where_a_record_cannot_be_read),
        WORLD(a_name_that_is_too_long_to_look_beside_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
