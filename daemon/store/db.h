/* db.h: LMDB, and nothing of our own but its rules. Door: lmdb.
 *
 * One environment, MDB_NOTLS, no dangerous flags, no DUPSORT, no child transactions. One write transaction is open
 * at all times; it takes every fold and is committed at a checkpoint. Reads go through it. All calls from the
 * thread that opened it. A value read is borrowed until the next put, delete, commit or abort: copy what must live.
 * Every value of a fold table ends in CRC32C over (table, key, value): added here at put, checked and stripped at
 * get.
 *
 * Errors. -ENOENT: no such row. -EBADMSG from a get or a walk: this row, or the tree above it, is not what was put.
 * -ENOSPC: the map, the filesystem or a limit of the file's size is full, also when LMDB calls a short write EIO.
 * -E2BIG: more pages changed since the last commit than one transaction holds (131,000; a checkpoint comes long
 * before). After an error of LMDB's own, always so in a put, delete or commit, the transaction is dead: every call
 * but db_abort and db_close returns that error again. Facts behind the rules: docs/store.md. */
#ifndef DB_H
#define DB_H
#include "lib/base/base.h"
#include "lib/crypto/crypto.h"

enum { DB_TABLES_MAX = 16, DB_KEY_MAX = 80, DB_VALUE_MAX = 1944 };   /* two rows fit in a page: no overflow pages */

struct db;
struct db_table_spec { const char *name; bool fold; };               /* fold: has CRCs and is part of the digest */

struct db_options {
    const char *path;                                                /* file, e.g. <dir>/state.mdb (MDB_NOSUBDIR) */
    const struct db_table_spec *tables;
    unsigned tables_count;
    uint64_t map_bytes;                                              /* virtual; 64 GiB */
    bool read_only;                                                  /* read transactions instead of the write one */
    bool scratch;                                                    /* a state to throw away: MDB_NOSYNC is fine */
};

/* Creates the file and its tables; the directory is the caller's to sync. -EBADMSG: not LMDB, other pages than 4096
 * bytes, truncated, or a table is missing. The table specs and their names must live as long as the db. */
int db_open(struct db **ret, const struct db_options *o);
void db_close(struct db *d);                                         /* aborts the open transaction */
int db_commit(struct db *d);                                         /* checkpoint: fully synced; begins the next */
void db_abort(struct db *d);                                         /* forgets all since the last commit; the same */

int db_get(struct db *d, unsigned table, struct slice key, struct slice *ret_borrowed);   /* 0, -ENOENT, -EBADMSG */
int db_put(struct db *d, unsigned table, struct slice key, struct slice value);           /* 0, -ENOSPC, -EIO */
int db_put_last(struct db *d, unsigned table, struct slice key, struct slice value);      /* fuller pages at the end */
int db_delete(struct db *d, unsigned table, struct slice key);       /* 0, -ENOENT, ... */

/* A walk in key order from the first key >= from (from.len 0: the beginning). Puts, deletes, commits and other
 * walks are allowed between steps: it goes on behind the last key it gave. The key is borrowed until the walk's
 * next step, the value until the next call on d. 1 = a row, 0 = the end (for now), negative = fault. */
struct db_walk {
    struct db *db;
    unsigned table;
    bool started;
    uint8_t last[DB_KEY_MAX];
    size_t last_len;
    uint64_t ticket;                                                 /* see struct table in db.c */
};
void db_walk_from(struct db_walk *w, struct db *d, unsigned table, struct slice from);
int db_walk_next(struct db_walk *w, struct slice *ret_key, struct slice *ret_value);
void db_walk_done(struct db_walk *w);
/* The last row whose key starts with prefix (prefix.len 0: of the table). 0, -ENOENT, ... */
int db_last(struct db *d, unsigned table, struct slice prefix, struct slice *ret_key, struct slice *ret_value);

uint64_t db_changes(const struct db *d);                             /* puts and deletes since the last commit */
uint64_t db_pages_used(struct db *d);                                /* 4096 bytes each, free ones not counted */
uint64_t db_file_bytes(struct db *d);                                /* 0: the disk did not say */
int db_allocate_ahead(struct db *d, uint64_t bytes);                 /* posix_fallocate behind the last page; -ENOSPC */
/* The last commit, compact, into an empty file; beside a process that writes, never in it: there it could wait for
 * itself. -ENOSPC ... */
int db_copy(struct db *d, int fd);
/* 0 or -EBADMSG: the file's size; in all tables order, number and finding by key of the rows; in fold tables every
 * CRC. A damaged tree may end the process (SIGSEGV, SIGBUS, CHECK): verify in a child. */
int db_verify(struct db *d, char problem[static 256]);
/* BLAKE2b over (table name, key, value) of all fold tables, in the order of the specs and of the keys, each with
 * its length (docs/store.md 14). */
int db_digest(struct db *d, struct hash *ret);
const char *db_problem(const struct db *d);                          /* words of the last fault; NULL: of db_open */
#endif
