/* A store in a directory of its own, and rows with numbers for keys: for the tests of db.c. */
#ifndef DB_SCRATCH_H
#define DB_SCRATCH_H
#include "daemon/store/db.h"

#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { CASES, TIMERS, NOTES, TABLES };
static const struct db_table_spec tables[TABLES] = {{"cases", true}, {"timers", true}, {"notes", false}};
static const struct slice all = {NULL, 0};           /* as a prefix, or as the beginning of a walk */
static char dir[PATH_MAX], file[PATH_MAX + 16];

#define TEST(f) cmocka_unit_test_setup_teardown(f, make_dir, remove_dir)

static inline int make_dir(void **state) {
    (void)state;
    const char *tmp = getenv("TMPDIR");
    (void)snprintf(dir, sizeof dir, "%s/db-XXXXXX", tmp != NULL ? tmp : "/tmp");
    if (mkdtemp(dir) == NULL)
        return -1;
    (void)snprintf(file, sizeof file, "%s/state.mdb", dir);
    return 0;
}

static inline int remove_dir(void **state) {
    (void)state;
    char lock[sizeof file + 8];
    (void)snprintf(lock, sizeof lock, "%s-lock", file);
    (void)unlink(file);
    (void)unlink(lock);
    return rmdir(dir);
}

static inline struct db_options options_for(uint64_t map_bytes) {
    return (struct db_options){.path = file, .tables = tables, .tables_count = TABLES, .map_bytes = map_bytes};
}

static inline struct db *open_small(void) {
    struct db_options o = options_for(64 << 20);
    struct db *d = NULL;
    assert_int_equal(db_open(&d, &o), 0);
    return d;
}

struct number { uint8_t byte[8]; };

static inline struct slice key_of(struct number *n, uint64_t v) {
    put_be64(n->byte, v);
    return slice_from(n->byte, sizeof n->byte);
}

static inline void put_text(struct db *d, unsigned table, uint64_t key, const char *text) {
    struct number n;
    assert_int_equal(db_put(d, table, key_of(&n, key), slice_of(text)), 0);
}

static inline void expect_text(struct db *d, unsigned table, uint64_t key, const char *text) {
    struct number n;
    struct slice got;
    assert_int_equal(db_get(d, table, key_of(&n, key), &got), 0);
    assert_true(slice_equal(got, slice_of(text)));
}

static inline void expect_none(struct db *d, unsigned table, uint64_t key) {
    struct number n;
    struct slice got;
    assert_int_equal(db_get(d, table, key_of(&n, key), &got), -ENOENT);
}
#endif
