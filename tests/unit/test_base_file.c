/* A base that carries the hash that is asked for, and still says what cannot be: each field is looked at. */
#include "daemon/store/base.h"
#include "daemon/store/store_internal.h"
#include "tests/unit/store_world.h"

#include <fcntl.h>

enum { BASE_MAX = 1 << 20, HEAD = 128, AT_FORMAT = 8, AT_TABLES = 12, AT_STORE_ID = 16, AT_SEQ = 32, AT_DIGEST = 80 };

static uint8_t bytes[BASE_MAX];

/* The file again, `len` bytes of it and the hash over them; what loading that says. */
static int load(struct world *w, size_t len, uint64_t seq, char problem[static STORE_PROBLEM_SIZE]) {
    struct hash all = hash_of(slice_from(bytes, len));
    struct journal_base b = {.seq = seq, .hash = all};
    char name[BASE_NAME_SIZE], path[192];
    struct tables t;
    const struct tables_options o = {.path = path, .map_bytes = 64 << 20, .scratch = true};
    base_name(seq, name);
    (void)unlinkat(w->store->dir_fd, name, 0);
    int fd = openat(w->store->dir_fd, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, bytes, len), len);
    assert_int_equal(write(fd, all.byte, HASH_SIZE), HASH_SIZE);
    assert_int_equal(close(fd), 0);
    (void)snprintf(path, sizeof path, "%s/base.mdb", w->top);
    assert_int_equal(tables_open(&t, &o), 0);
    tables_begin(&t, w->store->identity.id);
    int r = base_load(&t, w->store->dir_fd, &b, problem);
    tables_close(&t);
    assert_int_equal(unlink(path), 0);
    return r;
}

static void every_field_of_a_base_is_believed_only_when_it_can_be(void **state) {
    static const struct { size_t at; uint8_t byte; const char *words; } edits[] = {
        {0, 'X', "damaged in its first bytes"}, {AT_SEQ, 0xee, "damaged in its first bytes"},
        {AT_FORMAT, 9, "of another format"}, {AT_TABLES, 3, "tables of another version"},
        {AT_STORE_ID, 0xee, "belongs to another store"},
        {AT_DIGEST, 0xee, "does not hold the tables that it was made from"},
        {HEAD, 77, "tables of another version"}, {HEAD + 1, 'x', "tables of another version"},
        {HEAD + 6, 200, "no such row was ever kept"}, {HEAD + 8, 200, "no such row was ever kept"},
        {HEAD + 17, 9, "facts of another version"},
    };
    struct world *w = *state;
    struct journal_base b;
    char problem[STORE_PROBLEM_SIZE], name[BASE_NAME_SIZE];
    world_create(w);
    world_random_turns(w, 3, 10);
    assert_int_equal(base_write(&w->store->tables, w->store->dir_fd, &b), 0);
    base_name(b.seq, name);
    int fd = openat(w->store->dir_fd, name, O_RDONLY | O_CLOEXEC);
    ssize_t read_bytes = read(fd, bytes, sizeof bytes);
    assert_true(read_bytes > HEAD + HASH_SIZE && close(fd) == 0);
    size_t len = (size_t)read_bytes - HASH_SIZE;
    assert_int_equal(load(w, len, b.seq, problem), 0);
    for (size_t i = 0; i < COUNT_OF(edits); i++) {
        uint8_t was = bytes[edits[i].at];
        bytes[edits[i].at] = edits[i].byte;
        assert_int_equal(load(w, len, b.seq, problem), -EBADMSG);
        if (!strstr(problem, edits[i].words))
            fail_msg("byte %zu: %s", edits[i].at, problem);
        bytes[edits[i].at] = was;
    }
    for (size_t cut = HEAD; cut < len; cut += 1 + cut / 4)
        assert_int_equal(load(w, cut, b.seq, problem), -EBADMSG);
    assert_non_null(strstr(problem, "ends inside a row"));
    bytes[len - 8]++;                             /* rows of the last table */
    assert_int_equal(load(w, len, b.seq, problem), -EBADMSG);
    assert_non_null(strstr(problem, "rows are missing"));
}

int main(void) {
    const struct CMUnitTest tests[] = {WORLD(every_field_of_a_base_is_believed_only_when_it_can_be)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
