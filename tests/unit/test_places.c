/* Where a store is made, purged and brought back: names as people type them, and places that hold something else. */
#include "daemon/store/backup_internal.h"
#include "tests/unit/backup_scratch.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

/* ---- hands ------------------------------------------------------------------------------------------------------- */

static void put_file(const char *path, const char *text) {
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) && close(fd) == 0);
}

static void put_dir(const char *path) {
    assert_int_equal(mkdir(path, 0700), 0);
}

static bool is_there(const char *path) {
    return access(path, F_OK) == 0;
}

/* ---- making ------------------------------------------------------------------------------------------------------ */

static void a_store_is_made_where_one_stands_however_its_name_ends(void **state) {
    struct world *w = *state;
    char problem[STORE_PROBLEM_SIZE] = "", before[4096];
    assert_non_null(getcwd(before, sizeof before));
    assert_int_equal(chdir(w->top), 0);
    w->options.dir = "store///";
    assert_int_equal(store_create(&w->options, problem), 0);
    assert_true(is_there("store/FORMAT") && !is_there("store.new"));
    world_open(w);
    world_close(w);
    assert_int_equal(chdir(before), 0);
    assert_int_equal(dir_sync_parent("/store"), 0);
    assert_int_equal(dir_sync_parent("/nowhere/at/all"), -ENOENT);
}

static void a_name_that_is_none_or_too_long_is_refused_before_anything_is_made(void **state) {
    static char long_name[PATH_MAX + 8];
    struct world *w = *state;
    char problem[STORE_PROBLEM_SIZE] = "";
    memset(long_name, 'n', sizeof long_name - 1);
    const char *const names[] = {"", long_name};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        problem[0] = '\0';
        w->options.dir = names[i];
        assert_int_equal(store_create(&w->options, problem), -ENAMETOOLONG);
        assert_non_null(strstr(problem, "a store"));
    }
    assert_int_equal(world_try(w), -ENAMETOOLONG);
    assert_non_null(strstr(w->found.problem, "open the store"));
}

/* Somebody's own, in a place that would have been ours. */
static void what_stands_in_the_way_of_a_creation_is_not_cleared_away_when_it_is_no_file(void **state) {
    struct world *w = *state;
    char problem[STORE_PROBLEM_SIZE] = "", fresh[PATH_BYTES], inside[PATH_BYTES + 16];
    place(w, "store.new", fresh);
    put_dir(fresh);
    (void)snprintf(inside, sizeof inside, "%s/photographs", fresh);
    put_dir(inside);
    assert_int_equal(store_create(&w->options, problem), -EISDIR);
    assert_true(is_there(inside) && strstr(problem, "store.new"));
    assert_int_equal(rmdir(inside), 0);
    (void)snprintf(inside, sizeof inside, "%s/journal", fresh);
    put_dir(inside);
    (void)snprintf(inside, sizeof inside, "%s/journal/mine", fresh);
    put_dir(inside);
    problem[0] = '\0';
    assert_int_equal(store_create(&w->options, problem), -EISDIR);
    assert_true(is_there(inside));
    assert_int_equal(rmdir(inside), 0);
    assert_int_equal(store_create(&w->options, problem), 0);
}

/* ---- purging ----------------------------------------------------------------------------------------------------- */

static int purge(struct world *w, const struct purge_options *o, struct purge_result *ret) {
    return store_purge(&w->options, w->top, o, ret, NULL, NULL);
}

static void an_empty_journal_is_not_purged(void **state) {
    struct world *w = *state;
    struct purge_result p;
    char problem[STORE_PROBLEM_SIZE] = "";
    assert_int_equal(store_create(&w->options, problem), 0);
    assert_int_equal(purge(w, &(struct purge_options){.before_ms = 1}, &p), -ENOENT);
    assert_non_null(strstr(p.problem, "the journal is empty"));
}

/* A clock that was a year ahead has left records that are not old yet: the six months are counted from today. */
static void records_of_a_clock_that_was_ahead_do_not_make_others_older(void **state) {
    struct world *w = *state;
    struct purge_result p;
    world_create(w);
    w->now_ms = clock_wall_ms() + 400 * 86400000LL;
    world_epoch(w, 2);
    world_close(w);
    assert_int_equal(purge(w, &(struct purge_options){.keep_ms = PURGE_KEEP_MS_MIN, .dry_run = true}, &p), 0);
    assert_true(p.before_ms <= clock_wall_ms() - PURGE_KEEP_MS_MIN);
    assert_true(p.before_ms > clock_wall_ms() - PURGE_KEEP_MS_MIN - 3600000);
}

static void an_archive_that_cannot_be_made_is_told_before_anything_is_purged(void **state) {
    struct world *w = *state;
    struct purge_result p;
    struct purge_options o = {.before_ms = 1};
    char file[PATH_BYTES];
    world_create(w);
    world_close(w);
    o.archive = "/nonexistent/archive";
    assert_int_equal(purge(w, &o, &p), -ENOENT);
    assert_non_null(strstr(p.problem, "create the archive"));
    place(w, "a-file", file);
    put_file(file, "");
    o.archive = file;
    assert_int_equal(purge(w, &o, &p), -ENOTDIR);
    assert_non_null(strstr(p.problem, "open the archive"));
    world_open(w);
}

/* Only what has a base's whole name is one. */
static void a_purge_takes_bases_that_nothing_names_and_nothing_else(void **state) {
    static const char *const others[] = {"base-", "base-7", "base-7.dum", "my-base-7.dump"};
    struct world *w = *state;
    struct purge_result p;
    char path[192];
    world_create(w);
    world_close(w);
    world_path(w, "base-7.dump", path);
    put_file(path, "a base that nothing names");
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        world_path(w, others[i], path);
        put_file(path, "somebody's own");
    }
    assert_int_equal(purge(w, &(struct purge_options){.keep_ms = PURGE_KEEP_MS_MIN}, &p), 0);
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        world_path(w, others[i], path);
        assert_int_equal(unlink(path), 0);
    }
    world_path(w, "base-7.dump", path);
    assert_false(is_there(path));
    put_dir(path);
    assert_int_equal(purge(w, &(struct purge_options){.keep_ms = PURGE_KEEP_MS_MIN}, &p), -EISDIR);
    assert_non_null(strstr(p.problem, "clear away earlier bases"));
    assert_int_equal(rmdir(path), 0);
}

/* With every checksum right: a store whose tables say something else than its journal is not made shorter. */
static void a_store_that_does_not_verify_is_not_purged(void **state) {
    struct world *w = *state;
    struct purge_result p;
    char path[192];
    w->options.drill = true;
    world_create(w);
    world_random_turns(w, 450, 1);
    world_close(w);
    world_add_deadline(w);
    assert_int_equal(purge(w, &(struct purge_options){.before_ms = w->now_ms + 1, .open_too = true}, &p), -EBADMSG);
    assert_non_null(strstr(p.problem, "not what the journal folds to"));
    assert_true(p.segments_gone > 0 && p.base_seq == 0);                    /* would have gone */
    world_path(w, "journal/00000001.seg", path);
    assert_true(is_there(path));
}

/* ---- bringing back ----------------------------------------------------------------------------------------------- */

/* Made again with what is left of its files, and signed, as whoever edits a backup by hand would. */
static void edit_manifest(const struct world *w, void (*edit)(struct manifest *m)) {
    char dir[PATH_BYTES], problem[STORE_PROBLEM_SIZE] = "";
    struct manifest m;
    place(w, "backup", dir);
    int at = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(manifest_read(&m, at, problem), 0);
    edit(&m);
    assert_int_equal(manifest_write(&m, at), 0);
    manifest_done(&m);
    assert_int_equal(close(at), 0);
}

static void without_its_second_segment(struct manifest *m) {
    for (size_t i = 0; i < m->files_count; i++)
        if (archived_ordinal(m->files[i].name) == 2)
            m->files[i] = m->files[--m->files_count];
}

static void without_any_segment(struct manifest *m) {
    for (size_t i = m->files_count; i-- > 0;)
        if (archived_ordinal(m->files[i].name))
            m->files[i] = m->files[--m->files_count];
}

static void a_manifest_that_lacks_a_segment_is_no_backup(void **state) {
    struct world *w = *state;
    struct restore_result back;
    live(w);
    world_close(w);
    (void)backup(w, "backup");
    edit_manifest(w, without_its_second_segment);
    told_why(restore_try(w, "backup", "back", (struct wish){0}, &back), -EBADMSG, back.problem,
            "MANIFEST lacks journal/00000002.seg");
    edit_manifest(w, without_any_segment);
    told_why(restore_try(w, "backup", "back", (struct wish){0}, &back), -EBADMSG, back.problem,
            "names no segment of the journal");
}

static char damaged[PATH_BYTES];

static void with_the_hash_of_what_is_there(struct manifest *m) {
    for (size_t i = 0; i < m->files_count; i++)
        if (strcmp(m->files[i].name, "journal/00000001.seg") == 0) {
            int fd = open(damaged, O_RDONLY | O_CLOEXEC);
            assert_int_equal(file_hash(fd, 0, m->files[i].bytes, &m->files[i].hash), 0);
            assert_int_equal(close(fd), 0);
        }
}

/* Every file is what the manifest says; only the journal's own chain tells. */
static void a_backup_of_a_damaged_segment_is_refused_by_place(void **state) {
    struct world *w = *state;
    struct restore_result back;
    live(w);
    world_close(w);
    (void)backup(w, "backup");
    place(w, "backup/journal/00000001.seg", damaged);
    assert_int_equal(chmod(damaged, 0600), 0);
    int fd = open(damaged, O_RDWR | O_CLOEXEC);
    assert_int_equal(pwrite(fd, "not what it was", 15, 5000), 15);
    assert_int_equal(close(fd), 0);
    edit_manifest(w, with_the_hash_of_what_is_there);
    assert_int_equal(restore_try(w, "backup", "back", (struct wish){0}, &back), -EBADMSG);
    assert_non_null(strstr(back.problem, "journal/00000001.seg at byte"));
}

static void key_slots_of_another_store_open_nothing_here(void **state) {
    struct world *w = *state;
    struct restore_result back;
    char ours[PATH_BYTES], theirs[PATH_BYTES];
    world_create(w);
    world_close(w);
    (void)backup(w, "backup");
    place(w, "store", theirs);
    assert_int_equal(path_remove(theirs), 0);
    world_create(w);
    world_close(w);
    (void)backup(w, "other");
    place(w, "backup.slots", ours);
    place(w, "other.slots", theirs);
    assert_int_equal(rename(theirs, ours), 0);
    told_why(restore_try(w, "backup", "back", (struct wish){0}, &back), -EBADMSG, back.problem,
            "holds the key slots of another store");
    assert_int_equal(restore_try(w, "backup", "back", (struct wish){.no_slots = true}, &back), 0);
}

/* A follower has the journal only: a file of it that cannot be opened is a fault, and told by name. */
static void a_followed_journal_that_lost_a_segment_or_holds_none_is_told(void **state) {
    struct world *w = *state;
    struct restore_result back;
    char from[PATH_BYTES], path[PATH_BYTES + 40];
    live(w);
    world_close(w);
    place(w, "store", from);
    (void)snprintf(path, sizeof path, "%s/state.mdb", from);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(restore_try(w, "store", "back", (struct wish){.no_slots = true}, &back), 0);
    assert_true(back.followed);
    (void)snprintf(path, sizeof path, "%s/journal/00000002.seg", from);
    assert_int_equal(unlink(path), 0);
    put_dir(path);
    assert_true(restore_try(w, "store", "again", (struct wish){.no_slots = true}, &back) < 0);
    assert_non_null(strstr(back.problem, "journal/00000002.seg"));
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(symlink("/dev/null", path), 0);
    assert_int_equal(restore_try(w, "store", "again", (struct wish){.no_slots = true}, &back), -ELOOP);
    assert_non_null(strstr(back.problem, "journal/00000002.seg"));
    (void)snprintf(path, sizeof path, "%s/journal", from);
    assert_int_equal(path_remove(path), 0);
    assert_int_equal(restore_try(w, "store", "again", (struct wish){.no_slots = true}, &back), -ENOENT);
    assert_non_null(strstr(back.problem, "look at the journal in"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        WORLD(a_store_is_made_where_one_stands_however_its_name_ends),
        WORLD(a_name_that_is_none_or_too_long_is_refused_before_anything_is_made),
        WORLD(what_stands_in_the_way_of_a_creation_is_not_cleared_away_when_it_is_no_file),
        WORLD(an_empty_journal_is_not_purged),
        WORLD(records_of_a_clock_that_was_ahead_do_not_make_others_older),
        WORLD(an_archive_that_cannot_be_made_is_told_before_anything_is_purged),
        WORLD(a_purge_takes_bases_that_nothing_names_and_nothing_else),
        WORLD(a_store_that_does_not_verify_is_not_purged),
        WORLD(a_manifest_that_lacks_a_segment_is_no_backup),
        WORLD(a_backup_of_a_damaged_segment_is_refused_by_place),
        WORLD(key_slots_of_another_store_open_nothing_here),
        WORLD(a_followed_journal_that_lost_a_segment_or_holds_none_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
