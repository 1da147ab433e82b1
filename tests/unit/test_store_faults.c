/* What the disk says no to. Every system call of the store that can fail is made to, one after the other: the n-th from
 * a point on, n = 1, 2, 3 ... until what was tried no longer gets as far. Whatever comes of it, the next start must
 * find all that was acknowledged.
 *
 * The calls below take the place of the C library's in this program, for liblmdb as well. */
#include "daemon/store/slots.h"
#include "tests/unit/journal_scratch.h"
#include "tests/unit/store_world.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>

/* ---- the disk ---------------------------------------------------------------------------------------------------- */

enum { ONCE, FROM_THEN_ON };
static struct disk {
    atomic_uint seen;                             /* calls so far */
    unsigned at;                                  /* the one that fails */
    int how, error;
    bool armed;
    bool torn;                                    /* reads and writes: every other one interrupted, the rest short */
} whole, *disk = &whole;                          /* shared with children: they look at tables */

static void break_disk(unsigned at, int how, int error) {
    disk->seen = 0;
    disk->at = at, disk->how = how, disk->error = error;
    disk->armed = true;
}

/* Whether anything failed: false ends the series. */
static bool mend_disk(void) {
    disk->armed = disk->torn = false;
    return disk->seen >= disk->at;
}

static bool fails(void) {
    if (!disk->armed)
        return false;
    unsigned n = ++disk->seen;
    bool now = n == disk->at || (disk->how == FROM_THEN_ON && n > disk->at);
    if (now)
        errno = disk->error;
    return now;
}

static long torn(long call, int fd, long bytes, size_t len, off_t offset) {
    if (disk->torn && ++disk->seen % 2) {
        errno = EINTR;
        return -1;
    }
    return syscall(call, fd, bytes, disk->torn && len > 1 ? len / 2 : len, offset);
}

ssize_t pwrite(int fd, const void *bytes, size_t len, off_t offset) {
    return fails() ? -1 : torn(SYS_pwrite64, fd, (long)bytes, len, offset);
}

ssize_t pread(int fd, void *bytes, size_t len, off_t offset) {
    return fails() ? -1 : torn(SYS_pread64, fd, (long)bytes, len, offset);
}

ssize_t write(int fd, const void *bytes, size_t len) {
    return fails() ? -1 : syscall(SYS_write, fd, bytes, len);
}

ssize_t read(int fd, void *bytes, size_t len) {
    return fails() ? -1 : syscall(SYS_read, fd, bytes, len);
}

ssize_t writev(int fd, const struct iovec *pieces, int count) {
    return fails() ? -1 : syscall(SYS_writev, fd, pieces, count);
}

/* Nothing here loses power: a sync that does not fail is not waited for. */
int fsync(int fd) {
    (void)fd;
    return fails() ? -1 : 0;
}

int fdatasync(int fd) {
    return fsync(fd);
}

int ftruncate(int fd, off_t len) {
    return fails() ? -1 : (int)syscall(SYS_ftruncate, fd, len);
}

int fchmod(int fd, mode_t mode) {
    return fails() ? -1 : (int)syscall(SYS_fchmod, fd, mode);
}

int fallocate(int fd, int mode, off_t from, off_t len) {
    return fails() ? -1 : (int)syscall(SYS_fallocate, fd, mode, from, len);
}

int posix_fallocate(int fd, off_t from, off_t len) {
    return fails() ? disk->error : syscall(SYS_fallocate, fd, 0, from, len) < 0 ? errno : 0;
}

int openat(int at, const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    unsigned mode = flags & O_CREAT ? va_arg(rest, unsigned) : 0;
    va_end(rest);
    return fails() ? -1 : (int)syscall(SYS_openat, at, path, flags, mode);
}

int open(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    unsigned mode = flags & O_CREAT ? va_arg(rest, unsigned) : 0;
    va_end(rest);
    return fails() ? -1 : (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

int unlinkat(int at, const char *path, int flags) {
    return fails() ? -1 : (int)syscall(SYS_unlinkat, at, path, flags);
}

int mkdir(const char *path, mode_t mode) {
    return fails() ? -1 : (int)syscall(SYS_mkdir, path, mode);
}

int mkdirat(int at, const char *path, mode_t mode) {
    return fails() ? -1 : (int)syscall(SYS_mkdirat, at, path, mode);
}

int rename(const char *from, const char *to) {
    return fails() ? -1 : (int)syscall(SYS_rename, from, to);
}

int renameat2(int from_at, const char *from, int to_at, const char *to, unsigned flags) {
    return fails() ? -1 : (int)syscall(SYS_renameat2, from_at, from, to_at, to, flags);
}

/* ---- the journal ------------------------------------------------------------------------------------------------- */

enum { LEN = 500, LONG = 60000 };

/* One batch as the turns make it; what journal_append says. */
static int try_append(size_t len) {
    journal_begin(j, 1000, 1);
    assert_int_equal(journal_add(j, record_of(journal_next_seq(j), len), 1), 0);
    return journal_append(j);
}

static void a_journal_that_could_not_be_created_can_be_created_again(void **state) {
    (void)state;
    bool hit = true;
    for (unsigned at = 1; hit; at++) {
        break_disk(at, ONCE, EIO);
        int r = journal_create(&options);
        hit = mend_disk();
        if (r < 0 && access(path_of("00000001.seg"), F_OK) < 0)
            assert_int_equal(journal_create(&options), 0);
        open_journal();
        append(1, LEN);
        close_journal();
        remove_journal();
        assert_true(hit ? at < 50 : at > 8 && r == 0);
    }
}

/* Nobody knows what the disk holds: the batch may be there or not, and the journal takes no other. */
static void after_a_failed_append_nothing_is_appended_and_what_was_acknowledged_is_there(void **state) {
    (void)state;
    create_journal();
    bool hit = true;
    for (unsigned at = 1; hit; at++) {
        uint64_t acknowledged = journal_durable_seq(j);
        break_disk(at, ONCE, at % 2 ? EIO : ENOSPC);
        int r = try_append(LEN);
        hit = mend_disk();
        assert_int_equal(r, !hit ? 0 : at % 2 ? -EIO : -ENOSPC);
        assert_int_equal(journal_durable_seq(j), acknowledged + (r == 0));
        if (r < 0) {
            assert_int_equal(try_append(LEN), r);
            journal_abandon(j);
            assert_int_equal(journal_witness(j, 1000, 1), r);
            assert_int_equal(journal_turn_over(j), r);
            close_journal();
            open_journal();
            assert_true(journal_durable_seq(j) - acknowledged <= 1);
        }
        assert_holds(1, journal_durable_seq(j), LEN);
    }
}

static void a_turn_over_that_fails_is_final_and_goes_on_after_the_next_start(void **state) {
    (void)state;
    bool hit = true;
    for (unsigned at = 1; hit; at++) {
        create_journal();
        fill_ahead();
        append(3, LEN);
        break_disk(at, at % 2 ? ONCE : FROM_THEN_ON, EIO);
        int r = journal_turn_over(j);
        hit = mend_disk();
        assert_true(hit == (r < 0) && at < 30);
        if (r < 0) {
            assert_int_equal(try_append(LEN), r);
            journal_abandon(j);
            close_journal();
            open_journal();
        }
        assert_int_equal(journal_durable_seq(j), 3);
        fill_ahead();
        if (journal_room(j) == 0)                 /* sealed, and its successor not begun */
            assert_int_equal(journal_turn_over(j), 0);
        append(2, LEN);
        assert_int_equal(journal_turn_over(j), 0);
        append(1, LEN);
        close_journal();
        open_journal();
        assert_holds(1, 6, LEN);
        close_journal();
        remove_journal();
    }
}

/* No space is not final: what was half filled is given back, and the next try begins anew. */
static void a_segment_that_could_not_be_filled_is_filled_later(void **state) {
    static const int errors[] = {ENOSPC, EDQUOT, EFBIG, EIO};
    (void)state;
    create_journal();
    uint64_t bytes = journal_bytes(j);
    bool hit = true;
    for (unsigned at = 1; hit; at++) {
        int error = errors[at % COUNT_OF(errors)], r = 1;
        break_disk(at, ONCE, error);
        while (r == 1 && journal_segments_ready(j) == 0)
            r = journal_prepare(j, MIB / 4);
        hit = mend_disk();
        assert_int_equal(hit ? r : -error, error == EIO ? -EIO : hit ? -ENOSPC : -error);
        if (!hit)
            break;
        assert_int_equal(journal_bytes(j), bytes);
        /* Published and not known to be: the name is taken until the next start. */
        if (file_is_there("00000002.seg")) {
            close_journal();
            open_journal();
            assert_int_equal(journal_segments_ready(j), 1);
            close_journal();
            assert_int_equal(remove(path_of("00000002.seg")), 0);
            open_journal();
        }
    }
    fill_ahead();
    assert_int_equal(journal_turn_over(j), 0);
    append(5, LEN);
    assert_holds(1, 5, LEN);
}

/* Two segments sealed, one active whose last batch is torn, one ready. */
static void live_and_crash(void) {
    create_journal();
    for (unsigned segment = 0; segment < 2; segment++) {
        fill_ahead();
        append(4, LEN);
        assert_int_equal(journal_turn_over(j), 0);
    }
    append(4, LEN);
    append(4, LEN);
    close_journal();
    flip_byte("00000003.seg", ONE + EXTENT + 300);
}

static void an_opening_that_fails_leaves_everything_for_the_next(void **state) {
    (void)state;
    bool hit = true;
    for (unsigned at = 1; hit; at++) {
        live_and_crash();
        break_disk(at, at % 2 ? ONCE : FROM_THEN_ON, EIO);
        int r = journal_open(&j, &options, at % 3 == 0, &found);
        hit = mend_disk();
        if (r == 0)
            close_journal();
        assert_true(at < 300);
        assert_int_equal(journal_open(&j, &options, true, &found), 0);
        assert_int_equal(journal_durable_seq(j), 12);
        assert_holds(1, 12, LEN);
        append(1, LEN);
        assert_holds(1, 13, LEN);
        close_journal();
        remove_journal();
    }
}

static void a_read_that_fails_is_no_damage_and_succeeds_later(void **state) {
    uint64_t first = 0;
    uint32_t seqs = 0;
    struct slice record;
    (void)state;
    create_journal();
    for (unsigned segment = 0; segment < 3; segment++) {
        fill_ahead();
        append(1, LONG), append(1, LONG), append(1, LONG);
        assert_int_equal(journal_turn_over(j), 0);
    }
    bool hit = true;
    for (unsigned at = 1; hit; at++) {
        struct journal_cursor *c = NULL;
        break_disk(at, ONCE, EIO);
        int r = journal_cursor_open(&c, j, 1 + at % 9);
        while (r >= 0 && (r = journal_next(c, &first, &seqs, &record)) == 1)
            continue;
        hit = mend_disk();
        assert_int_equal(r, hit ? -EIO : 0);
        journal_cursor_close(c);
        assert_holds(1, 9, LONG);
        close_journal();                          /* forgets the indices of sealed segments */
        open_journal();
        break_disk(at, ONCE, EIO);
        r = journal_read(j, 1 + at % 9, &first, &record);
        assert_int_equal(r, mend_disk() ? -EIO : 0);
        assert_int_equal(journal_read(j, 5, &first, &record), 0);
        assert_true(slice_equal(record, record_of(5, LONG)));
    }
}

static void interrupted_and_short_calls_are_tried_on(void **state) {
    (void)state;
    create_journal();
    disk->torn = true;
    fill_ahead();
    append(2, LEN);
    assert_int_equal(journal_turn_over(j), 0);
    append(3, LEN);
    assert_holds(1, 5, LEN);
    close_journal();
    open_journal();
    assert_holds(1, 5, LEN);
    assert_true(disk->seen > 100);
    disk->torn = false;
}

/* ---- key slots --------------------------------------------------------------------------------------------------- */

static void key_slots_that_could_not_be_written_stay_as_they_were(void **state) {
    static const uint8_t id[16] = "a store of tests";
    struct slots *s = NULL;
    struct key first, again;
    bool worked = false, hit = true;
    (void)state;
    for (unsigned at = 1; hit; at++) {
        break_disk(at, ONCE, EIO);
        int r = slots_create(dir, id, 100, NULL);
        hit = mend_disk();
        assert_int_equal(r, hit ? -EIO : 0);
        char path[192];
        (void)snprintf(path, sizeof path, "%s/slots", dir);
        if (hit)
            (void)unlink(path);
    }
    assert_int_equal(slots_open(&s, dir, id, 0, false), 0);
    assert_int_equal(slots_key(s, 7, &first), 0);
    slots_close(s);
    s = NULL;
    hit = true;
    for (unsigned at = 1; hit; at++) {
        break_disk(at, ONCE, EIO);
        int r = slots_open(&s, dir, id, 10 * at, false);
        if (r == 0)
            r = slots_ahead(s, 10 * at + 5, &worked);
        if (r == 0)
            r = slots_key(s, 9, &again);
        if (r == 0)
            r = slots_wipe(s, 8);
        hit = mend_disk();
        assert_int_equal(r, hit ? -EIO : 0);
        if (s)
            slots_close(s);
        s = NULL;
        assert_int_equal(slots_open(&s, dir, id, 10 * at, false), 0);
        assert_int_equal(slots_key(s, 7, &again), 0);
        assert_memory_equal(&first, &again, sizeof first);
        assert_true(slots_filled(s) >= 100 + 10 * at);
        if (!hit)
            assert_int_equal(slots_key(s, 8, &again), -ENODATA);
        slots_close(s);
        s = NULL;
    }
}

/* ---- the store --------------------------------------------------------------------------------------------------- */

static void restore(const struct world *w, const char *from) {
    char command[400];
    (void)snprintf(command, sizeof command, "rm -rf %s && cp -a %s/%s %s", w->dir, w->top, from, w->dir);
    assert_int_equal(system(command), 0);
}

/* What a crash at this point would leave, beside the store. */
static void keep(const struct world *w, const char *as) {
    char command[400];
    (void)snprintf(command, sizeof command, "cp -a %s %s/%s", w->dir, w->top, as);
    assert_int_equal(system(command), 0);
}

static void a_store_is_created_whole_or_not_at_all(void **state) {
    struct world *w = *state;
    bool hit = true;
    char problem[400], command[200];
    (void)snprintf(command, sizeof command, "rm -rf %s", w->dir);
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
        assert_int_equal(system(command), 0);
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
        world_open(w);
        struct hash now = world_digest(w);
        assert_memory_equal(&now, digest, sizeof now);
        world_close(w);
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
        world_open(w);
        struct hash now = world_digest(w);
        assert_memory_equal(&now, &digest, sizeof now);
        world_close(w);
    }
}

#define JOURNAL(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void) {
    crypto_init();
    disk = mmap(NULL, sizeof *disk, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (disk == MAP_FAILED)
        return 1;
    const struct CMUnitTest tests[] = {
        JOURNAL(a_journal_that_could_not_be_created_can_be_created_again),
        JOURNAL(after_a_failed_append_nothing_is_appended_and_what_was_acknowledged_is_there),
        JOURNAL(a_turn_over_that_fails_is_final_and_goes_on_after_the_next_start),
        JOURNAL(a_segment_that_could_not_be_filled_is_filled_later),
        JOURNAL(an_opening_that_fails_leaves_everything_for_the_next),
        JOURNAL(a_read_that_fails_is_no_damage_and_succeeds_later),
        JOURNAL(interrupted_and_short_calls_are_tried_on),
        JOURNAL(key_slots_that_could_not_be_written_stay_as_they_were),
        WORLD(a_store_is_created_whole_or_not_at_all),
        WORLD(a_commit_that_fails_is_final_and_takes_nothing_acknowledged_with_it),
        WORLD(whatever_fails_in_a_turn_or_a_rest_the_next_start_knows_what_was_acknowledged),
        WORLD(a_start_that_fails_leaves_everything_for_the_next),
        WORLD(a_verification_that_fails_never_says_equal),
        WORLD(folding_again_that_fails_is_done_by_the_next_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
