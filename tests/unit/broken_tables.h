/* Tables whose LMDB says no: the n-th of its calls from a point on, whatever the reason that is given. Each function
 * below takes the place of LMDB's in the program that includes this file, for those who call it from outside; one
 * program, one file that includes it.
 *
 *   bool hit = true;
 *   for (unsigned at = 1; hit; at++) {
 *       break_tables(at, MDB_MAP_FULL);
 *       int r = whatever_may_fail();
 *       hit = mend_tables();                     false: what was tried no longer gets as far as n calls
 *   } */
#ifndef BROKEN_TABLES_H
#define BROKEN_TABLES_H
#include "tests/unit/no_sync.h"

#include <dlfcn.h>
#include <lmdb.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

static struct broken_tables {
    unsigned seen;                                /* calls so far */
    unsigned at;                                  /* the one that fails */
    int why;
    bool armed;
    bool writes;                                  /* only those calls count that want pages */
} broken_tables;

static void break_tables(unsigned at, int why) {
    broken_tables = (struct broken_tables){.at = at, .why = why, .armed = true};
}

/* Without space: only puts and deletes want any. */
static void fill_tables(unsigned at) {
    break_tables(at, MDB_MAP_FULL);
    broken_tables.writes = true;
}

/* Whether anything failed: false ends the series. */
static bool mend_tables(void) {
    broken_tables.armed = false;
    return broken_tables.seen >= broken_tables.at;
}

/* What LMDB is made to say; 0: let it say what it says. */
static int says_no(bool write) {
    bool counts = broken_tables.armed && (write || !broken_tables.writes);
    return counts && ++broken_tables.seen == broken_tables.at ? broken_tables.why : 0;
}

/* The one that LMDB has under that name. */
static void *behind(const char *name) {
    return dlsym(RTLD_NEXT, name);
}

#define INSTEAD_OF(name, write, taken, given)                         \
    int name taken {                                                  \
        static int (*real) taken;                                     \
        int no = says_no(write);                                      \
        if (real == NULL)                                             \
            *(void **)&real = behind(#name);                          \
        return no != 0 ? no : real given;                             \
    }

static bool stat_lies;                            /* of one row more than there are */

int mdb_stat(MDB_txn *txn, MDB_dbi dbi, MDB_stat *ret) {
    static int (*real)(MDB_txn *txn, MDB_dbi dbi, MDB_stat *ret);
    if (real == NULL)
        *(void **)&real = behind("mdb_stat");
    int no = says_no(false), rc = no != 0 ? no : real(txn, dbi, ret);
    if (rc == 0)
        ret->ms_entries += stat_lies;
    return rc;
}

static const void *lost_row;                      /* a key of eight bytes that no walk comes by; NULL: none */

int mdb_cursor_get(MDB_cursor *c, MDB_val *key, MDB_val *value, MDB_cursor_op op) {
    static int (*real)(MDB_cursor *c, MDB_val *key, MDB_val *value, MDB_cursor_op op);
    if (real == NULL)
        *(void **)&real = behind("mdb_cursor_get");
    int no = says_no(false), rc = no != 0 ? no : real(c, key, value, op);
    bool lost = rc == 0 && lost_row != NULL && key->mv_size == 8 && memcmp(key->mv_data, lost_row, 8) == 0;
    return lost ? real(c, key, value, MDB_NEXT) : rc;
}

INSTEAD_OF(mdb_cursor_put, true, (MDB_cursor *c, MDB_val *key, MDB_val *value, unsigned flags), (c, key, value, flags))
INSTEAD_OF(mdb_cursor_open, false, (MDB_txn *txn, MDB_dbi dbi, MDB_cursor **ret), (txn, dbi, ret))
INSTEAD_OF(mdb_del, true, (MDB_txn *txn, MDB_dbi dbi, MDB_val *key, MDB_val *value), (txn, dbi, key, value))
INSTEAD_OF(mdb_dbi_open, false, (MDB_txn *txn, const char *name, unsigned flags, MDB_dbi *ret), (txn, name, flags, ret))
INSTEAD_OF(mdb_dbi_flags, false, (MDB_txn *txn, MDB_dbi dbi, unsigned *ret), (txn, dbi, ret))
INSTEAD_OF(mdb_env_create, false, (MDB_env **ret), (ret))
INSTEAD_OF(mdb_reader_check, false, (MDB_env *env, int *ret), (env, ret))
#endif
