/* Files that LMDB itself takes, and that we never wrote; and LMDB or the disk that says no while the file is walked.
 * A row that was never put is not given, and a fault of the disk is not called damage. */
#include "tests/unit/broken_tables.h"
#include "tests/unit/db_scratch.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

/* ---- a disk and a library of our own ----------------------------------------------------------------------------- */

static bool disk_is_gone;
static MDB_assert_func *asserted;

int fstat(int fd, struct stat *ret) {
    errno = EIO;
    return disk_is_gone ? -1 : (int)syscall(SYS_newfstatat, fd, "", ret, AT_EMPTY_PATH);
}

int ftruncate(int fd, off_t len) {
    errno = EIO;
    return disk_is_gone ? -1 : (int)syscall(SYS_ftruncate, fd, len);
}

int mdb_env_set_assert(MDB_env *env, MDB_assert_func *f) {
    (void)env;
    asserted = f;
    return 0;
}

/* As another program would: no sums, no limits of ours. */
static void put_raw(const char *table, unsigned flags, const char *key, size_t key_len, size_t value_len) {
    static char bytes[4096];
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi dbi;
    MDB_val k = {key_len, (void *)key}, v = {value_len, bytes};
    assert_int_equal(mdb_env_create(&env), 0);
    assert_int_equal(mdb_env_set_maxdbs(env, DB_TABLES_MAX), 0);
    assert_int_equal(mdb_env_set_mapsize(env, 64 << 20), 0);
    assert_int_equal(mdb_env_open(env, file, MDB_NOSUBDIR, 0600), 0);
    assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
    assert_int_equal(mdb_dbi_open(txn, table, MDB_CREATE | flags, &dbi), 0);
    assert_int_equal(mdb_put(txn, dbi, &k, &v, 0), 0);
    assert_int_equal(mdb_txn_commit(txn), 0);
    mdb_env_close(env);
}

static void walk_is_refused(const char *words) {
    struct db *d = open_small();
    struct db_walk w;
    struct slice key, value;
    char problem[256] = "";
    db_walk_from(&w, d, NOTES, all);
    assert_int_equal(db_walk_next(&w, &key, &value), -EBADMSG);
    assert_non_null(strstr(db_problem(d), words));
    assert_int_equal(db_last(d, NOTES, all, &key, &value), -EBADMSG);
    assert_int_equal(db_verify(d, problem), -EBADMSG);
    assert_non_null(strstr(problem, words));
    db_close(d);
}

/* ---- files ------------------------------------------------------------------------------------------------------- */

/* Its key fills the words as far as one of ours could. */
static void a_key_longer_than_any_of_ours_is_refused(void **state) {
    static const char key[200] = "k";
    (void)state;
    db_close(open_small());
    put_raw("notes", 0, key, sizeof key, 4);
    walk_is_refused("no such row was ever put");
}

static void a_value_larger_than_any_of_ours_is_refused(void **state) {
    (void)state;
    db_close(open_small());
    put_raw("notes", 0, "key", 3, DB_VALUE_MAX + 1);
    walk_is_refused("table notes, key 6b6579: no such row was ever put");
}

/* In such a table a key would have many rows, in an order of their own. */
static void a_table_that_sorts_otherwise_is_not_opened(void **state) {
    (void)state;
    struct db_options o = options_for(64 << 20);
    struct db *d = NULL;
    put_raw("cases", 0, "1", 1, 4);
    put_raw("timers", 0, "1", 1, 4);
    put_raw("notes", MDB_DUPSORT, "1", 1, 4);
    assert_int_equal(db_open(&d, &o), -EBADMSG);
    assert_null(d);
    assert_non_null(strstr(db_problem(NULL), "notes"));
}

static void keep_a_row(void) {
    struct db *d = open_small();
    put_text(d, CASES, 1, "row");
    assert_int_equal(db_commit(d), 0);
    db_close(d);
}

/* The header's number of the last page, in both of its copies. */
static void a_header_that_speaks_of_more_pages_than_there_can_be_is_refused(void **state) {
    enum { LAST_PAGE_AT = 136 };
    static const uint8_t absurd[8] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f};
    (void)state;
    struct db_options o = options_for(64 << 20);
    struct db *d = NULL;
    keep_a_row();
    int fd = open(file, O_RDWR | O_CLOEXEC);
    for (off_t page = 0; page < 2; page++)
        assert_int_equal(pwrite(fd, absurd, sizeof absurd, page * 4096 + LAST_PAGE_AT), sizeof absurd);
    assert_int_equal(close(fd), 0);
    d = NULL;
    assert_int_equal(db_open(&d, &o), -EBADMSG);
    assert_non_null(strstr(db_problem(NULL), "truncated"));
}

static void rows_that_a_table_says_it_has_and_cannot_be_walked_are_missing(void **state) {
    (void)state;
    struct db *d = open_small();
    char problem[256] = "";
    put_text(d, CASES, 1, "row");
    assert_int_equal(db_verify(d, problem), 0);
    stat_lies = true;
    assert_int_equal(db_verify(d, problem), -EBADMSG);
    stat_lies = false;
    assert_string_equal(problem, "table cases, key : rows are missing");
    db_close(d);
}

/* ---- a disk that is gone ----------------------------------------------------------------------------------------- */

static void a_disk_that_does_not_say_how_large_a_file_is_is_a_fault_and_no_damage(void **state) {
    (void)state;
    struct db_options o = options_for(64 << 20);
    struct db *d = open_small(), *another = NULL;
    char problem[256] = "";
    put_text(d, CASES, 1, "row");
    disk_is_gone = true;
    assert_int_equal(db_file_bytes(d), 0);
    assert_int_equal(db_allocate_ahead(d, 4096), -EIO);
    expect_text(d, CASES, 1, "row");              /* that changed nothing */
    assert_int_equal(db_open(&another, &o), -EIO);
    assert_int_equal(db_verify(d, problem), -EIO);
    assert_non_null(strstr(problem, "the size of the file"));
    db_abort(d);
    put_text(d, CASES, 1, "row");
    assert_int_equal(db_commit(d), -EIO);
    disk_is_gone = false;
    db_close(d);
}

/* LMDB does not write a page that was allocated and freed in one transaction: the file would look truncated. */
static void a_last_page_that_was_never_written_is_there_all_the_same(void **state) {
    (void)state;
    struct db_options o = options_for(64 << 20);
    uint8_t value[1000] = {0};
    struct number n;
    struct db *d = open_small();
    for (unsigned i = 0; i < 200; i++)
        assert_int_equal(db_put(d, CASES, key_of(&n, i), slice_from(value, sizeof value)), 0);
    for (unsigned i = 0; i < 200; i++)
        assert_int_equal(db_delete(d, CASES, key_of(&n, i)), 0);
    assert_int_equal(db_commit(d), 0);
    db_close(d);
    o.read_only = true;
    d = NULL;
    assert_int_equal(db_open(&d, &o), 0);
    db_close(d);
}

/* ---- LMDB says no ------------------------------------------------------------------------------------------------ */

static jmp_buf broke;
static const char *broken_law;

static void remember(const char *what, const char *where, int line) {
    assert_string_equal(where, "lmdb");
    assert_int_equal(line, 0);
    broken_law = what;
    longjmp(broke, 1);
}

static void what_lmdb_takes_for_its_own_bug_is_one_of_ours(void **state) {
    (void)state;
    db_close(open_small());
    assert_non_null(asserted);
    void (*before)(const char *, const char *, int) = check_hook;
    check_hook = remember;
    if (setjmp(broke) == 0)
        asserted(NULL, "mc->mc_top > 0");
    check_hook = before;
    assert_string_equal(broken_law, "mc->mc_top > 0");
}

static int looks_up(struct db *d) {
    struct number n;
    struct slice value;
    return db_get(d, CASES, key_of(&n, 1), &value);
}

static int walks(struct db *d) {
    struct db_walk w;
    struct slice key, value;
    db_walk_from(&w, d, CASES, all);
    int r = db_walk_next(&w, &key, &value);
    return r == 1 ? 0 : r;
}

static int asks_for_the_last(struct db *d) {
    struct slice key, value;
    return db_last(d, CASES, all, &key, &value);
}

/* A reader takes a fresh snapshot now and then: when it gets none, nothing is read from the old one, which is gone. */
static void a_reader_that_gets_no_new_snapshot_says_so_until_it_is_closed(void **state) {
    static int (*const readers[])(struct db *d) = {looks_up, walks, asks_for_the_last};
    enum { SNAPSHOT_READS = 1024 };
    (void)state;
    struct db_options o = options_for(64 << 20);
    struct db *d = NULL;
    keep_a_row();
    o.read_only = true;
    for (size_t i = 0; i < COUNT_OF(readers); i++) {
        d = NULL;
        assert_int_equal(db_open(&d, &o), 0);
        break_tables(SNAPSHOT_READS, ENOMEM);
        for (unsigned k = 1; k < SNAPSHOT_READS; k++)
            assert_int_equal(readers[i](d), 0);
        assert_int_equal(readers[i](d), -ENOMEM);
        assert_true(mend_tables());
        assert_int_equal(readers[i](d), -ENOMEM);
        assert_non_null(strstr(db_problem(d), "begin a transaction"));
        db_close(d);
    }
}

/* Space is wanted for a row that goes, too: its page is copied first. */
static void a_row_that_cannot_go_for_want_of_space_is_still_there(void **state) {
    (void)state;
    struct db *d = open_small();
    struct number n;
    put_text(d, CASES, 1, "row");
    assert_int_equal(db_commit(d), 0);
    fill_tables(1);
    assert_int_equal(db_delete(d, CASES, key_of(&n, 1)), -ENOSPC);
    assert_true(mend_tables());
    db_abort(d);
    expect_text(d, CASES, 1, "row");
    db_close(d);
}

static void pages_that_are_not_told_are_not_counted(void **state) {
    (void)state;
    struct db *d = open_small();
    put_text(d, CASES, 1, "row");
    uint64_t pages = db_pages_used(d);
    for (unsigned at = 1; at <= 2 + TABLES; at++) {
        break_tables(at, MDB_BAD_TXN);
        assert_true(db_pages_used(d) <= pages);
        assert_true(mend_tables());
    }
    assert_int_equal(db_pages_used(d), pages);
    db_close(d);
}

int main(void) {
    crypto_init();
    const struct CMUnitTest tests[] = {
        TEST(a_key_longer_than_any_of_ours_is_refused),
        TEST(a_value_larger_than_any_of_ours_is_refused),
        TEST(a_table_that_sorts_otherwise_is_not_opened),
        TEST(a_header_that_speaks_of_more_pages_than_there_can_be_is_refused),
        TEST(rows_that_a_table_says_it_has_and_cannot_be_walked_are_missing),
        TEST(a_disk_that_does_not_say_how_large_a_file_is_is_a_fault_and_no_damage),
        TEST(a_last_page_that_was_never_written_is_there_all_the_same),
        TEST(what_lmdb_takes_for_its_own_bug_is_one_of_ours),
        TEST(a_reader_that_gets_no_new_snapshot_says_so_until_it_is_closed),
        TEST(a_row_that_cannot_go_for_want_of_space_is_still_there),
        TEST(pages_that_are_not_told_are_not_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
