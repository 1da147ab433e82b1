/* journal_scratch.c: a journal in a directory of its own, and hands on its files. */
#include "tests/unit/journal_scratch.h"
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { RECORD_MAX = 70000 };

/* ---- a journal in a scratch directory ---------------------------------------------------------------------------- */

char dir[128];
struct journal *j;
struct journal_options options;
struct journal_found found;

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *f) {
    (void)st, (void)type, (void)f;
    return remove(path);
}

int set_up(void **state) {
    (void)state;
    const char *tmp = getenv("TMPDIR");
    (void)snprintf(dir, sizeof dir, "%s/journal-XXXXXX", tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(dir));
    options = (struct journal_options){
        .dir = dir, .store_id = "a store of tests", .segment_bytes = MIB, .segments_ahead = 2, .block = 512,
    };
    memset(options.key.byte, 7, KEY_SIZE);
    return 0;
}

int tear_down(void **state) {
    (void)state;
    close_journal();
    return nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

void remove_journal(void) {
    assert_int_equal(nftw(path_of(""), remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

void open_journal(void) {
    assert_int_equal(journal_open(&j, &options, false, &found), 0);
}

void close_journal(void) {
    journal_close(j);
    j = NULL;
}

void create_journal(void) {
    assert_int_equal(journal_create(&options), 0);
    open_journal();
}

void fill_ahead(void) {
    int r;
    while ((r = journal_prepare(j, MIB)) == 1)
        continue;
    assert_int_equal(r, 0);
}

static uint8_t content[RECORD_MAX];

struct slice record_of(uint64_t seq, size_t len) {
    assert_true(len <= sizeof content);
    for (size_t i = 0; i < len; i++)
        content[i] = (uint8_t)(seq * 31 + i * 7 + (i >> 8));
    return slice_from(content, len);
}

void append(unsigned records, size_t len) {
    journal_begin(j, 1000, 1);
    for (unsigned i = 0; i < records; i++)
        assert_int_equal(journal_add(j, record_of(journal_next_seq(j) + i, len), 1), 0);
    assert_int_equal(journal_append(j), 0);
}

void append_other(uint64_t from, uint64_t epoch) {
    journal_begin(j, 1000, epoch);
    for (uint64_t i = 0; i < 5; i++)
        assert_int_equal(journal_add(j, record_of(from + i, 500), 1), 0);
    assert_int_equal(journal_append(j), 0);
}

void append_two_segments(void) {
    fill_ahead();
    append(5, 500);
    append(5, 500);
    assert_int_equal(journal_turn_over(j), 0);
    append(5, 500);
}

void assert_holds(uint64_t from, uint64_t to, size_t len) {
    struct journal_cursor *c = NULL;
    struct slice record = {0};
    uint64_t first = 0;
    uint32_t seqs = 0;
    assert_int_equal(journal_cursor_open(&c, j, from), 0);
    for (uint64_t seq = from; seq <= to; seq++) {
        assert_int_equal(journal_next(c, &first, &seqs, &record), 1);
        assert_int_equal(first, seq);
        assert_int_equal(seqs, 1);
        assert_true(slice_equal(record, record_of(seq, len)));
    }
    assert_int_equal(journal_next(c, &first, &seqs, &record), 0);
    journal_cursor_close(c);
}

/* ---- files behind the journal's back ----------------------------------------------------------------------------- */

const char *path_of(const char *name) {
    static char path[512];
    (void)snprintf(path, sizeof path, "%s/journal/%s", dir, name);
    return path;
}

static int file_at(const char *name) {
    (void)chmod(path_of(name), 0600);
    int fd = open(path_of(name), O_RDWR | O_CREAT, 0600);
    assert_true(fd >= 0);
    return fd;
}

void put_bytes(const char *name, uint64_t offset, const void *bytes, size_t len) {
    int fd = file_at(name);
    assert_int_equal(pwrite(fd, bytes, len, (off_t)offset), len);
    (void)close(fd);
}

void get_bytes(const char *name, uint64_t offset, void *bytes, size_t len) {
    int fd = file_at(name);
    assert_int_equal(pread(fd, bytes, len, (off_t)offset), len);
    (void)close(fd);
}

void flip_byte(const char *name, uint64_t offset) {
    uint8_t byte;
    get_bytes(name, offset, &byte, 1);
    byte ^= 0x40;
    put_bytes(name, offset, &byte, 1);
}

void fill_bytes(const char *name, uint64_t offset, int byte, size_t len) {
    uint8_t *bytes = malloc(len + 1);
    assert_non_null(bytes);
    for (size_t i = 0; i < len; i++)
        bytes[i] = byte < 0 ? (uint8_t)(rand() >> 7) : (uint8_t)byte;
    put_bytes(name, offset, bytes, len);
    free(bytes);
}

void cut_file(const char *name, uint64_t len) {
    int fd = file_at(name);
    assert_int_equal(ftruncate(fd, (off_t)len), 0);
    (void)close(fd);
}

void copy_file(const char *from, const char *to) {
    struct stat st;
    assert_int_equal(stat(path_of(from), &st), 0);
    uint8_t *bytes = malloc((size_t)st.st_size);
    assert_non_null(bytes);
    get_bytes(from, 0, bytes, (size_t)st.st_size);
    put_bytes(to, 0, bytes, (size_t)st.st_size);
    cut_file(to, (uint64_t)st.st_size);
    free(bytes);
}

void rename_file(const char *from, const char *to) {
    char old[512];
    (void)snprintf(old, sizeof old, "%s", path_of(from));
    assert_int_equal(rename(old, path_of(to)), 0);
}

bool file_is_there(const char *name) {
    return access(path_of(name), F_OK) == 0;
}

void assert_refused(const char *file, const char *words) {
    assert_int_equal(journal_open(&j, &options, false, &found), -EBADMSG);
    if (!strstr(found.problem, file) || !strstr(found.problem, words))
        fail_msg("expected \"%s\" and \"%s\" in \"%s\"", file, words, found.problem);
}
