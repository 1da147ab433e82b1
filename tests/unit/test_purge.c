/* A purge: what is old leaves the journal, and everything that stands on it goes on standing. */
#include "tests/unit/store_world.h"

#include "daemon/store/base.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* ---- a disk that is killed at its n-th change ---------------------------------------------------------------------
 * */

static unsigned changes, killed_at;               /* 0: never */

static void change(void) {
    if (killed_at && ++changes == killed_at)
        (void)kill(getpid(), SIGKILL);
}

/* Nothing here loses power, so no sync is waited for. */
int fsync(int fd) {
    (void)fd;
    change();
    return 0;
}

int fdatasync(int fd) {
    return fsync(fd);
}

int ftruncate(int fd, off_t len) {
    change();
    return (int)syscall(SYS_ftruncate, fd, len);
}

int fchmod(int fd, mode_t mode) {
    change();
    return (int)syscall(SYS_fchmod, fd, mode);
}

int unlinkat(int at, const char *path, int flags) {
    change();
    return (int)syscall(SYS_unlinkat, at, path, flags);
}

int renameat(int from_at, const char *from, int to_at, const char *to) {
    change();
    return (int)syscall(SYS_renameat2, from_at, from, to_at, to, 0);
}

/* ---- hands ------------------------------------------------------------------------------------------------------- */

static void beside(const struct world *w, const char *name, char to[static 192]) {
    (void)snprintf(to, 192, "%s/%s", w->top, name);
}

static void keep_as(const struct world *w, const char *name) {
    char to[192];
    beside(w, name, to);
    path_copy(w->dir, to);
}

static void go_back_to(const struct world *w, const char *name) {
    char from[192];
    beside(w, name, from);
    (void)path_remove(w->dir);
    path_copy(from, w->dir);
}

static unsigned segments_of(const struct world *w, char first[static 32]) {
    char path[192];
    unsigned count = 0;
    world_path(w, "journal", path);
    DIR *d = opendir(path);
    assert_non_null(d);
    first[0] = '\0';
    for (struct dirent *e; (e = readdir(d));) {
        size_t len = strlen(e->d_name);
        if (len != 12 || strcmp(e->d_name + 8, ".seg") != 0)
            continue;
        count++;
        if (first[0] == '\0' || strcmp(e->d_name, first) < 0)
            (void)snprintf(first, 32, "%.12s", e->d_name);
    }
    (void)closedir(d);
    return count;
}

static bool there(const struct world *w, const char *name) {
    char path[192];
    world_path(w, name, path);
    return access(path, F_OK) == 0;
}

/* ---- a life and its purge ---------------------------------------------------------------------------------------- */

/* Turns of one order each fill segments of a MiB fastest. Closed; the digest of what was. */
static struct hash lived(struct world *w, unsigned turns) {
    if (!w->store && access(w->dir, F_OK) < 0) {
        w->options.drill = true;
        world_create(w);
    } else if (!w->store) {
        world_open(w);
    }
    world_random_turns(w, turns, 1);
    struct hash digest = world_digest(w);
    world_close(w);
    return digest;
}

static int purge(struct world *w, const char *archive, struct purge_result *ret) {
    struct purge_options o = {.before_ms = w->now_ms + 1, .archive = archive, .open_too = true};
    int r = store_purge(&w->options, w->top, &o, ret, NULL, NULL);
    if (r < 0)
        print_message("purge: %d %s\n", r, ret->problem);
    return r;
}

static void verifies_as(struct world *w, const struct hash *digest) {
    struct verify_result v;
    int r = store_verify(&w->options, w->top, &v, NULL, NULL);
    if (r < 0 || !v.equal)
        print_message("verify: %d %s\n", r, v.problem);
    assert_int_equal(r, 0);
    assert_true(v.equal);
    assert_string_equal(v.problem, "");
    assert_memory_equal(&v.state_digest, digest, sizeof *digest);
}

static void opens_as(struct world *w, const char *decision, const struct hash *digest) {
    world_open(w);
    assert_string_equal(w->found.decision, decision);
    world_has(w, digest);
    world_close(w);
}

static void refuses(struct world *w, const char *decision, const char *words) {
    assert_int_equal(world_try(w), -EBADMSG);
    assert_string_equal(w->found.decision, decision);
    if (!strstr(w->found.problem, words))
        print_message("problem: %s\n", w->found.problem);
    assert_non_null(strstr(w->found.problem, words));
}

static void lose(const struct world *w, const char *name) {
    char path[192];
    world_path(w, name, path);
    assert_int_equal(unlink(path), 0);
}

/* ---- stories ----------------------------------------------------------------------------------------------------- */

static void a_purged_store_verifies_opens_and_goes_on(void **state) {
    struct world *w = *state;
    struct purge_result p;
    char first[32];
    struct hash digest = lived(w, 1200);
    unsigned before = segments_of(w, first);
    assert_string_equal(first, "00000001.seg");
    assert_int_equal(purge(w, NULL, &p), 0);
    assert_true(p.segments_gone >= 2 && p.base_seq == p.seq && p.first_seq > 1 && p.first_seq <= p.base_seq);
    assert_true(segments_of(w, first) < before);
    assert_string_not_equal(first, "00000001.seg");
    verifies_as(w, &digest);
    opens_as(w, "serve", &digest);
    digest = lived(w, 400);
    verifies_as(w, &digest);
    opens_as(w, "serve", &digest);
}

static void lost_tables_are_folded_from_the_base_and_the_tail(void **state) {
    struct world *w = *state;
    struct purge_result p;
    struct hash digest = lived(w, 900);
    assert_int_equal(purge(w, NULL, &p), 0);
    for (unsigned more = 0; more < 2; more++) {
        lose(w, "state.mdb");
        opens_as(w, "state-missing", &digest);
        assert_true(w->found.rebuilt && w->found.refolded < 900);
        opens_as(w, "serve", &digest);
        struct store_found found;
        assert_int_equal(store_rebuild(&w->options, &found), 0);
        verifies_as(w, &digest);
        digest = lived(w, 300);
    }
}

static void what_is_left_can_be_read_and_what_went_is_not_there(void **state) {
    struct world *w = *state;
    struct purge_result p;
    struct slice record;
    (void)lived(w, 900);
    assert_int_equal(purge(w, NULL, &p), 0);
    world_open(w);
    assert_int_equal(store_first_seq(w->store), p.first_seq);
    assert_int_equal(store_read(w->store, p.first_seq - 1, &record), -ENOENT);
    assert_int_equal(store_read(w->store, 1, &record), -ENOENT);
    assert_int_equal(store_read(w->store, p.first_seq, &record), 0);
    assert_int_equal(store_read(w->store, p.seq, &record), 0);
    assert_true(store_last_ms(w->store) > 0);
    uint64_t seq = 0, id = 0;
    assert_int_equal(store_next_case(w->store, 0, &id), 0);
    assert_int_equal(store_next_story(w->store, id, 0, &seq), 0);      /* the table still knows that there was one */
    assert_true(seq < p.first_seq);
}

static void tables_of_before_the_purge_are_folded_again_from_the_base(void **state) {
    struct world *w = *state;
    struct purge_result p;
    struct verify_result v;
    char state_path[192], old[192];
    (void)lived(w, 20);
    world_path(w, "state.mdb", state_path);
    beside(w, "old", old);
    path_copy(state_path, old);
    struct hash digest = lived(w, 900);
    assert_int_equal(purge(w, NULL, &p), 0);
    path_copy(old, state_path);
    assert_int_equal(store_verify(&w->options, w->top, &v, NULL, NULL), 0);
    assert_false(v.equal);
    assert_non_null(strstr(v.problem, "before the base"));
    opens_as(w, "state-older", &digest);
    verifies_as(w, &digest);
}

static void a_purge_can_be_done_again_and_again(void **state) {
    struct world *w = *state;
    struct purge_result p, again;
    char name[BASE_NAME_SIZE];
    struct hash digest = lived(w, 700);
    assert_int_equal(purge(w, NULL, &p), 0);
    assert_int_equal(purge(w, NULL, &again), 0);
    assert_true(again.segments_gone == 0 && again.base_seq == p.base_seq && again.first_seq == p.first_seq);
    verifies_as(w, &digest);
    digest = lived(w, 700);
    assert_int_equal(purge(w, NULL, &again), 0);
    assert_true(again.segments_gone > 0 && again.base_seq > p.base_seq && again.first_seq > p.first_seq);
    base_name(p.base_seq, name);
    assert_false(there(w, name));
    base_name(again.base_seq, name);
    assert_true(there(w, name));
    verifies_as(w, &digest);
    lose(w, "state.mdb");
    opens_as(w, "state-missing", &digest);
}

/* ---- what can go wrong ------------------------------------------------------------------------------------------- */

/* A purge in a child that is killed at its n-th change to the disk. false: it lived to its end. */
static bool purge_killed_at(struct world *w, unsigned n, const char *archive) {
    struct purge_result p;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        killed_at = n;
        changes = 0;
        _exit(purge(w, archive, &p) == 0 ? 0 : 1);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
    while (waitpid(-1, NULL, 0) > 0) {}           /* its own child, looking at the tables, has the lock, too */
    return WIFSIGNALED(status);
}

static void killed_at_every_step_a_purge_leaves_a_store_that_opens(void **state) {
    struct world *w = *state;
    struct purge_result p;
    char archive[192];
    beside(w, "archive", archive);
    struct hash digest = lived(w, 650);
    keep_as(w, "before");
    bool killed = true;
    unsigned n = 1;
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    for (; killed; n++) {
        go_back_to(w, "before");
        (void)path_remove(archive);
        killed = purge_killed_at(w, n, archive);
        if (n % 4 == 0)
            verifies_as(w, &digest);
        if (n % 4 == 1)
            lose(w, "state.mdb");
        world_still_has(w, &digest);
        assert_int_equal(purge(w, archive, &p), 0);
        assert_true(p.first_seq > 1 && p.base_seq);
        verifies_as(w, &digest);
    }
    print_message("killed %u times\n", n - 2);
    assert_true(n > 20);
}

static void die_when_named(void *to, enum purge_step step, uint64_t number) {
    (void)to, (void)number;
    if (step == PURGE_NAMED)
        (void)kill(getpid(), SIGKILL);
}

static void a_base_that_was_named_and_lost_is_made_again_before_anything_goes(void **state) {
    struct world *w = *state;
    struct purge_options o = {.before_ms = INT64_MAX / 2, .open_too = true};
    struct purge_result p;
    char name[BASE_NAME_SIZE];
    struct hash digest = lived(w, 650);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(store_purge(&w->options, w->top, &o, &p, die_when_named, NULL) == 0 ? 0 : 1);
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    opens_as(w, "serve", &digest);
    base_name(w->found.journal.base.seq, name);
    lose(w, name);
    verifies_as(w, &digest);                      /* nothing stands on it yet */
    assert_int_equal(purge(w, NULL, &p), 0);
    assert_true(p.segments_gone > 0 && there(w, name));
    lose(w, "state.mdb");
    opens_as(w, "state-missing", &digest);
}

static void every_kind_of_flip_in_the_base_is_found(void **state) {
    struct world *w = *state;
    struct purge_result p;
    struct verify_result v;
    struct stat st;
    char name[BASE_NAME_SIZE], path[192];
    struct hash digest = lived(w, 650);
    assert_int_equal(purge(w, NULL, &p), 0);
    base_name(p.base_seq, name);
    world_path(w, name, path);
    assert_int_equal(chmod(path, 0600), 0);
    assert_int_equal(stat(path, &st), 0);
    for (long at = 0; at < st.st_size; at += at < 260 || at > st.st_size - 70 ? 1 : st.st_size / 40) {
        world_flip(w, name, at);
        assert_int_equal(store_verify(&w->options, w->top, &v, NULL, NULL), -EBADMSG);
        assert_non_null(strstr(v.problem, name));
        if (at % 16 == 0) {
            w->options.verify_full = true;
            refuses(w, "base-broken", name);
            w->options.verify_full = false;
        }
        world_flip(w, name, at);
    }
    verifies_as(w, &digest);
}

static void a_base_cut_short_or_gone_is_refused_by_name(void **state) {
    struct world *w = *state;
    struct purge_result p;
    struct stat st;
    char name[BASE_NAME_SIZE], path[192], kept[192];
    struct hash digest = lived(w, 650);
    assert_int_equal(purge(w, NULL, &p), 0);
    base_name(p.base_seq, name);
    world_path(w, name, path);
    beside(w, "kept", kept);
    path_copy(path, kept);
    assert_int_equal(chmod(path, 0600), 0);
    assert_int_equal(stat(path, &st), 0);
    const off_t sizes[] = {0, 100, 159, st.st_size / 2, st.st_size - 1};
    for (unsigned i = 0; i < COUNT_OF(sizes); i++) {
        assert_int_equal(truncate(path, sizes[i]), 0);
        refuses(w, "base-broken", name);
    }
    lose(w, name);
    refuses(w, "base-missing", name);
    assert_non_null(strstr(w->found.problem, "whistlectl recover"));
    path_copy(kept, path);
    opens_as(w, "serve", &digest);
}

static void flips_in_the_header_that_names_the_base_are_found(void **state) {
    struct world *w = *state;
    struct purge_result p;
    char last[64];
    (void)lived(w, 650);
    assert_int_equal(purge(w, NULL, &p), 0);
    struct hash digest = lived(w, 5);
    (void)snprintf(last, sizeof last, "journal/%08llu.seg", (unsigned long long)p.segments + 1);
    for (long at = 0; at < 512; at++) {
        world_flip(w, last, at);
        assert_int_equal(world_try(w), -EBADMSG);
        world_flip(w, last, at);
    }
    verifies_as(w, &digest);
}

/* Between writing and reading back. */
static void flip_the_base(void *to, enum purge_step step, uint64_t number) {
    char name[BASE_NAME_SIZE];
    base_name(number, name);
    if (step == PURGE_BASE)
        world_flip(to, name, 4000);
}

static void a_base_that_is_spoilt_as_it_is_written_removes_nothing(void **state) {
    struct world *w = *state;
    struct purge_options o = {.before_ms = INT64_MAX / 2, .open_too = true};
    struct purge_result p;
    char first[32];
    struct hash digest = lived(w, 650);
    unsigned before = segments_of(w, first);
    assert_int_equal(store_purge(&w->options, w->top, &o, &p, flip_the_base, w), -EBADMSG);
    assert_non_null(strstr(p.problem, "does not give back"));
    assert_non_null(strstr(p.problem, "then purge again"));
    assert_in_range(segments_of(w, first), before, before + 1);        /* one was prepared */
    assert_string_equal(first, "00000001.seg");
    verifies_as(w, &digest);
    assert_int_equal(purge(w, NULL, &p), 0);      /* of itself it is in nobody's way */
    verifies_as(w, &digest);
}

/* ---- what may go ------------------------------------------------------------------------------------------------- */

static void an_ordinary_store_keeps_six_months_and_a_drill_what_it_likes(void **state) {
    struct world *w = *state;
    struct purge_result p;
    struct purge_options o = {.keep_ms = PURGE_KEEP_MS_MIN - 1};
    world_create(w);
    world_random_turns(w, 300, 1);
    world_close(w);
    assert_int_equal(store_purge(&w->options, w->top, &o, &p, NULL, NULL), -EPERM);
    assert_non_null(strstr(p.problem, "six months"));
    o = (struct purge_options){.before_ms = w->now_ms};
    assert_int_equal(store_purge(&w->options, w->top, &o, &p, NULL, NULL), -EPERM);
    o = (struct purge_options){.keep_ms = PURGE_KEEP_MS_MIN};
    assert_int_equal(store_purge(&w->options, w->top, &o, &p, NULL, NULL), 0);
    assert_int_equal(p.segments_gone, 0);
}

static void only_what_is_older_goes(void **state) {
    struct world *w = *state;
    struct purge_result p;
    (void)lived(w, 600);
    int64_t then = w->now_ms;
    struct hash digest = lived(w, 600);
    struct purge_options o = {.keep_ms = w->now_ms - then, .open_too = true};
    assert_int_equal(store_purge(&w->options, w->top, &o, &p, NULL, NULL), 0);
    assert_true(p.segments_gone >= 1 && p.segments_gone < p.segments - 1);
    world_open(w);
    struct slice bytes;
    assert_int_equal(store_read(w->store, store_durable_seq(w->store) - 600, &bytes), 0);
    world_close(w);
    verifies_as(w, &digest);
}

static void what_an_open_case_was_told_in_stays_unless_it_is_said(void **state) {
    struct world *w = *state;
    struct purge_result p;
    struct purge_options o = {.before_ms = INT64_MAX / 2};
    char first[32];
    (void)lived(w, 900);
    assert_int_equal(store_purge(&w->options, w->top, &o, &p, NULL, NULL), 0);
    assert_true(p.held_case > 0 && p.held_segments > 0 && p.segments_gone == 0);
    (void)segments_of(w, first);
    assert_string_equal(first, "00000001.seg");
}

static void a_dry_run_changes_nothing(void **state) {
    struct world *w = *state;
    struct purge_result p;
    char first[32];
    struct hash digest = lived(w, 650);
    struct purge_options o = {.before_ms = w->now_ms + 1, .dry_run = true, .open_too = true};
    unsigned before = segments_of(w, first);
    assert_int_equal(store_purge(&w->options, w->top, &o, &p, NULL, NULL), 0);
    assert_true(p.segments_gone > 0 && p.bytes_gone > 0 && p.base_seq == 0);
    assert_int_equal(segments_of(w, first), before);
    verifies_as(w, &digest);
}

static void the_archive_has_what_went_and_can_be_put_back(void **state) {
    struct world *w = *state;
    struct purge_result p;
    struct verify_result v;
    char archive[192], from[600], to[600];
    beside(w, "archive", archive);
    struct hash digest = lived(w, 900);
    assert_int_equal(purge(w, archive, &p), 0);
    verifies_as(w, &digest);
    for (uint64_t i = 1; i <= p.segments_gone; i++) {
        (void)snprintf(from, sizeof from, "%s/%08llu.seg", archive, (unsigned long long)i);
        (void)snprintf(to, sizeof to, "%s/journal/%08llu.seg", w->dir, (unsigned long long)i);
        assert_int_not_equal(access(to, F_OK), 0);
        path_copy(from, to);
    }
    assert_int_equal(store_verify(&w->options, w->top, &v, NULL, NULL), 0);
    assert_true(v.equal && v.first_seq == 1 && v.base_seq == 0);       /* from nothing, and held against the base */
    lose(w, "state.mdb");
    opens_as(w, "state-missing", &digest);
}

static void an_archive_of_another_store_is_not_written_over(void **state) {
    struct world *w = *state;
    struct purge_result p;
    struct purge_options o = {.before_ms = INT64_MAX / 2, .open_too = true};
    char archive[192], path[300], first[32];
    struct hash digest = lived(w, 650);
    beside(w, "archive", archive);
    assert_int_equal(mkdir(archive, 0700), 0);
    (void)snprintf(path, sizeof path, "%s/00000001.seg", archive);
    FILE *f = fopen(path, "w");
    assert_true(f && fputs("another's", f) >= 0 && fclose(f) == 0);
    o.archive = archive;
    assert_int_equal(store_purge(&w->options, w->top, &o, &p, NULL, NULL), -EEXIST);
    assert_non_null(strstr(p.problem, "00000001.seg"));
    (void)segments_of(w, first);
    assert_string_equal(first, "00000001.seg");
    verifies_as(w, &digest);
}

static void a_damaged_journal_is_not_purged(void **state) {
    struct world *w = *state;
    struct purge_result p;
    struct purge_options o = {.before_ms = INT64_MAX / 2, .open_too = true};
    char path[192];
    (void)lived(w, 650);
    world_path(w, "journal/00000001.seg", path);
    assert_int_equal(chmod(path, 0600), 0);
    world_flip(w, "journal/00000001.seg", 500000);
    assert_int_equal(store_purge(&w->options, w->top, &o, &p, NULL, NULL), -EBADMSG);
    assert_non_null(strstr(p.problem, "00000001.seg"));
    assert_true(access(path, F_OK) == 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        WORLD(a_purged_store_verifies_opens_and_goes_on),
        WORLD(lost_tables_are_folded_from_the_base_and_the_tail),
        WORLD(what_is_left_can_be_read_and_what_went_is_not_there),
        WORLD(tables_of_before_the_purge_are_folded_again_from_the_base),
        WORLD(a_purge_can_be_done_again_and_again),
        WORLD(killed_at_every_step_a_purge_leaves_a_store_that_opens),
        WORLD(a_base_that_was_named_and_lost_is_made_again_before_anything_goes),
        WORLD(every_kind_of_flip_in_the_base_is_found),
        WORLD(a_base_cut_short_or_gone_is_refused_by_name),
        WORLD(a_base_that_is_spoilt_as_it_is_written_removes_nothing),
        WORLD(flips_in_the_header_that_names_the_base_are_found),
        WORLD(an_ordinary_store_keeps_six_months_and_a_drill_what_it_likes),
        WORLD(only_what_is_older_goes),
        WORLD(what_an_open_case_was_told_in_stays_unless_it_is_said),
        WORLD(a_dry_run_changes_nothing),
        WORLD(the_archive_has_what_went_and_can_be_put_back),
        WORLD(an_archive_of_another_store_is_not_written_over),
        WORLD(a_damaged_journal_is_not_purged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
