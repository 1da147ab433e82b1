/* A damaged store is refused, or told at the read: a wrong row is never given. */
#include "tests/unit/db_scratch.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

static void open_is_refused(const char *what) {
    struct db_options o = options_for(64 << 20);
    struct db *d = NULL;
    if (db_open(&d, &o) != -EBADMSG || d != NULL)
        fail_msg("%s was opened", what);
    assert_true(strlen(db_problem(NULL)) > 0);
    o.read_only = true;
    assert_int_equal(db_open(&d, &o), -EBADMSG);
}

static void fill(unsigned rows) {
    struct db *d = open_small();
    char text[64];
    for (unsigned i = 0; i < rows; i++) {
        (void)snprintf(text, sizeof text, "row %u, and so on and so forth", i);
        put_text(d, i % 2 == 0 ? CASES : TIMERS, i, text);
    }
    assert_int_equal(db_commit(d), 0);
    put_text(d, NOTES, 1, "note");
    assert_int_equal(db_commit(d), 0);
    db_close(d);
}

static void another_file_or_a_shorter_one_is_refused(void **state) {
    (void)state;
    fill(500);
    struct stat st;
    assert_int_equal(stat(file, &st), 0);
    for (off_t size = st.st_size - 1; size >= 0; size -= 4096) {
        assert_int_equal(truncate(file, size), 0);
        open_is_refused("a truncated file");
    }
    FILE *f = fopen(file, "w");
    assert_non_null(f);
    for (unsigned i = 0; i < 4096; i++)
        assert_true(fputs("not a database ", f) >= 0);
    assert_int_equal(fclose(f), 0);
    open_is_refused("a text");
}

static void a_store_that_lost_a_table_is_refused(void **state) {
    (void)state;
    struct db_options o = options_for(64 << 20);
    struct db *d = NULL;
    o.tables_count = TABLES - 1;
    assert_int_equal(db_open(&d, &o), 0);
    db_close(d);
    open_is_refused("a store without a table");
}

static void flip(off_t at, uint8_t mask) {
    int fd = open(file, O_RDWR | O_CLOEXEC);
    uint8_t byte = 0;
    assert_true(fd >= 0 && pread(fd, &byte, 1, at) == 1);
    byte ^= mask;
    assert_true(pwrite(fd, &byte, 1, at) == 1);
    assert_int_equal(close(fd), 0);
}

static off_t find_in_file(struct slice text) {
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    static uint8_t bytes[1 << 20];
    ssize_t len = pread(fd, bytes, sizeof bytes, 0);
    assert_true(fd >= 0 && len > 0);
    assert_int_equal(close(fd), 0);
    const uint8_t *at = memmem(bytes, (size_t)len, text.at, text.len);
    return at != NULL ? at - bytes : -1;
}

static void one_flipped_bit_of_a_value_is_told_at_the_read_and_by_verify(void **state) {
    (void)state;
    struct db *d = open_small();
    struct number n;
    struct slice got, key;
    struct hash h;
    char problem[256];
    put_text(d, CASES, 1, "sound");
    put_text(d, CASES, 2, "the value that is damaged");
    assert_int_equal(db_commit(d), 0);
    off_t at = find_in_file(SLICE("the value that is damaged"));
    assert_true(at > 0);
    db_close(d);
    flip(at + 4, 0x20);
    d = open_small();
    expect_text(d, CASES, 1, "sound");
    assert_int_equal(db_get(d, CASES, key_of(&n, 2), &got), -EBADMSG);
    assert_non_null(strstr(db_problem(d), "table cases, key 0000000000000002"));
    assert_int_equal(db_last(d, CASES, all, &key, &got), -EBADMSG);
    assert_int_equal(db_digest(d, &h), -EBADMSG);
    assert_int_equal(db_verify(d, problem), -EBADMSG);
    assert_non_null(strstr(problem, "cases"));
    expect_text(d, CASES, 1, "sound");               /* a damaged row does not end the transaction */
    put_text(d, CASES, 2, "repaired");
    assert_int_equal(db_verify(d, problem), 0);
    db_close(d);
}

/* What a child saw in a file with one flipped bit. */
enum { SEEN_NOTHING, SEEN_AT_OPEN, SEEN_BY_GET, SEEN_BY_VERIFY, SEEN_WRONG, SEEN_CRASH, SEEN_KINDS };
/* LMDB puts the names of the tables, and where they begin, on that page of this file. */
enum { SWEEP_ROWS = 300, SWEEP_STEP = 53, NAMES_STEP = 3, PAGE = 4096, NAMES_PAGE = 12 };

static int look(void) {
    struct db_options o = options_for(64 << 20);
    struct db *d = NULL;
    int opened = db_open(&d, &o);
    if (opened < 0)
        return opened == -EBADMSG ? SEEN_AT_OPEN : SEEN_WRONG;
    int seen = SEEN_NOTHING;
    char text[64], problem[256];
    for (unsigned i = 0; i < SWEEP_ROWS; i++) {
        struct number n;
        struct slice got;
        (void)snprintf(text, sizeof text, "row %u, and so on and so forth", i);
        int r = db_get(d, i % 2 == 0 ? CASES : TIMERS, key_of(&n, i), &got);
        if (r < 0 && r != -EBADMSG && r != -ENOENT)
            return SEEN_WRONG;
        if (r < 0)
            seen = SEEN_BY_GET;
        else if (!slice_equal(got, slice_of(text)))
            return SEEN_WRONG;
    }
    if (db_verify(d, problem) < 0)
        return seen == SEEN_NOTHING ? SEEN_BY_VERIFY : seen;
    return seen == SEEN_BY_GET ? SEEN_WRONG : seen;  /* a row gone, and verify finds all well: wrong as well */
}

static void no_flipped_bit_anywhere_gives_a_wrong_row(void **state) {
    (void)state;
    fill(SWEEP_ROWS);
    unsigned count[SEEN_KINDS] = {0};
    struct stat st;
    assert_int_equal(stat(file, &st), 0);
    for (off_t at = 0; at < st.st_size; at += at / PAGE == NAMES_PAGE ? NAMES_STEP : SWEEP_STEP) {
        uint8_t mask = (uint8_t)(1u << (at / NAMES_STEP % 8));
        flip(at, mask);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            struct rlimit none = {0, 0};
            (void)setrlimit(RLIMIT_CORE, &none);
            for (int s = 1; s < 32; s++)
                (void)signal(s, SIG_DFL);            /* cmocka catches what must kill here */
            (void)alarm(20);
            (void)close(STDERR_FILENO);
            _exit(look());
        }
        int status = 0;
        assert_int_equal(waitpid(child, &status, 0), child);
        int seen = WIFEXITED(status) && WEXITSTATUS(status) < SEEN_CRASH ? WEXITSTATUS(status) : SEEN_CRASH;
        count[seen]++;
        if (seen == SEEN_WRONG)
            print_message("wrong at byte %lld, mask %02x\n", (long long)at, mask);
        flip(at, mask);
    }
    print_message("flips: %u seen at open, %u by a get, %u by verify only, %u by a signal, %u where nothing reads\n",
                  count[SEEN_AT_OPEN], count[SEEN_BY_GET], count[SEEN_BY_VERIFY], count[SEEN_CRASH],
                  count[SEEN_NOTHING]);
    assert_int_equal(count[SEEN_WRONG], 0);
    assert_true(count[SEEN_BY_GET] > 0);
}

/* Of a table without checksums: the order of the keys is all that tells. In LMDB's pages a key stands before its
 * value. */
static void a_key_that_is_another_one_than_it_was_is_told_by_a_walk_and_by_verify(void **state) {
    (void)state;
    struct db *d = open_small();
    struct db_walk w;
    struct slice key, value;
    char problem[256] = "";
    put_text(d, NOTES, 1, "the first note");
    put_text(d, NOTES, 2, "the second note");
    put_text(d, NOTES, 3, "the third note");
    assert_int_equal(db_commit(d), 0);
    db_close(d);
    flip(find_in_file(SLICE("the first note")) - 1, 8);
    d = open_small();
    db_walk_from(&w, d, NOTES, all);
    assert_int_equal(db_walk_next(&w, &key, &value), 1);
    assert_int_equal(db_walk_next(&w, &key, &value), -EBADMSG);
    assert_non_null(strstr(db_problem(d), "table notes, key 0000000000000002: out of order"));
    assert_int_equal(db_verify(d, problem), -EBADMSG);
    assert_non_null(strstr(problem, "key 0000000000000009: not found by its key"));
    db_close(d);
}

/* Written by a program that kept no sums: too short to end in one. */
static void a_row_too_short_for_its_checksum_is_told_by_its_key(void **state) {
    (void)state;
    static const struct db_table_spec bare[TABLES] = {{"cases", false}, {"timers", false}, {"notes", false}};
    struct db_options o = options_for(64 << 20);
    struct db *d = NULL;
    struct number n;
    struct slice value;
    o.tables = bare;
    assert_int_equal(db_open(&d, &o), 0);
    put_text(d, CASES, 0x1f, "abc");
    assert_int_equal(db_commit(d), 0);
    db_close(d);
    d = open_small();
    assert_int_equal(db_get(d, CASES, key_of(&n, 0x1f), &value), -EBADMSG);
    assert_string_equal(db_problem(d), "table cases, key 000000000000001f: no such row was ever put");
    expect_none(d, CASES, 1);
    db_close(d);
}

int main(void) {
    crypto_init();
    const struct CMUnitTest tests[] = {
        TEST(another_file_or_a_shorter_one_is_refused),
        TEST(a_store_that_lost_a_table_is_refused),
        TEST(one_flipped_bit_of_a_value_is_told_at_the_read_and_by_verify),
        TEST(a_key_that_is_another_one_than_it_was_is_told_by_a_walk_and_by_verify),
        TEST(a_row_too_short_for_its_checksum_is_told_by_its_key),
        TEST(no_flipped_bit_anywhere_gives_a_wrong_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
