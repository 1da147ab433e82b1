/* db.c: the only file that calls LMDB.
 *
 * Each table keeps two cursors in the open transaction: one for gets and puts, so that a put after a get, or a row
 * beside the last one, finds its page without a descent from the root; one for walks. LMDB frees the cursors of a
 * write transaction when it ends, so they are opened anew with each. */
#include "daemon/store/db.h"

#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum {
    CRC_SIZE = 4,
    DB_MODE = 0600,
    PAGE_SIZE = 4096,                                /* of a store; a machine with other pages folds its own */
    PAGE_SIZE_AT = 40,                               /* where a meta page of LMDB's data version 1 keeps it, u32 */
    META_PAGES = 2,
    NODE_HEAD = 8, NODE_MAX = 2038,                  /* LMDB's row in a page of 4096: ((4096 - 16) / 2 & -2) - 2 */
    FREE_DBI = 0, MAIN_DBI = 1,                      /* LMDB's own two trees: free pages, and the names of tables */
    READS_PER_SNAPSHOT = 1024,
    SPACE_MIN = 1 << 20,                             /* EIO with less than this free is a full filesystem */
    PROBLEM_SIZE = 256,
};
_Static_assert(NODE_HEAD + DB_KEY_MAX + DB_VALUE_MAX + CRC_SIZE <= NODE_MAX, "a row never takes overflow pages");
_Static_assert(DB_KEY_MAX < 256, "a key's length is one byte of the checksum's start");

struct table {
    const char *name;
    MDB_dbi dbi;
    bool fold;
    MDB_cursor *at, *walk;
    uint64_t stands;                                 /* ticket of the step that left `walk` there; 0: moved */
};

struct db {
    MDB_env *env;
    MDB_txn *txn;
    int fault;                                       /* what killed the transaction; repeated until db_abort */
    bool read_only, pinned;                          /* pinned: a digest or a check keeps its snapshot to the end */
    unsigned reads;                                  /* since the read transaction was renewed */
    uint64_t tickets, changes;
    unsigned tables_count;
    struct table table[DB_TABLES_MAX];
    char problem[PROBLEM_SIZE];
};

static char open_problem[2 * PROBLEM_SIZE];            /* db_open that fails leaves no db to ask */

const char *db_problem(const struct db *d) {
    return d != NULL ? d->problem : open_problem;
}

/* ---- faults ----------------------------------------------------------------------------------------------------- */

/* LMDB reports a short write as EIO, and what makes a write short is nearly always a full filesystem. */
static bool is_full(MDB_env *env) {
    int fd = -1;
    struct statvfs fs;
    return mdb_env_get_fd(env, &fd) == 0 && fstatvfs(fd, &fs) == 0 && fs.f_bavail * fs.f_frsize < SPACE_MIN;
}

static int errno_of(MDB_env *env, int rc) {
    switch (rc) {
    case MDB_MAP_FULL: case ENOSPC: case EDQUOT: case EFBIG:
        return -ENOSPC;
    case EIO:
        return is_full(env) ? -ENOSPC : -EIO;
    case MDB_TXN_FULL:
        return -E2BIG;
    case MDB_INVALID: case MDB_VERSION_MISMATCH: case MDB_CORRUPTED: case MDB_PAGE_NOTFOUND: case MDB_CURSOR_FULL:
    case MDB_INCOMPATIBLE: case MDB_PAGE_FULL: case MDB_BAD_TXN:    /* the last: what broke it was said to nobody */
        return -EBADMSG;
    default:
        return rc > 0 ? -rc : -EIO;
    }
}

/* An error of LMDB's own: the transaction is dead. */
static int fail(struct db *d, int rc, const char *doing) {
    CHECK(rc != 0 && rc != MDB_NOTFOUND);
    d->fault = errno_of(d->env, rc);
    (void)snprintf(d->problem, sizeof d->problem, "%s: %s", doing, mdb_strerror(rc));
    return d->fault;
}

/* A row that is not what was put. The transaction lives: the caller may read on to see how much is damaged. */
static int damaged(struct db *d, const struct table *t, MDB_val key, const char *what) {
    char hex[2 * DB_KEY_MAX + 1] = "";
    const uint8_t *byte = key.mv_data;
    for (size_t i = 0; i < key.mv_size && i < DB_KEY_MAX; i++)
        (void)snprintf(hex + 2 * i, 3, "%02x", byte[i]);
    (void)snprintf(d->problem, sizeof d->problem, "table %s, key %s: %s", t->name, hex, what);
    return -EBADMSG;
}

/* The file, its bytes, and how many the last commit's header speaks of. */
struct extent { int fd; off_t have, need; };

static int extent_of(struct db *d, struct extent *ret) {
    struct extent e;
    struct stat file;
    MDB_envinfo info;
    CHECK(mdb_env_get_fd(d->env, &e.fd) == 0);
    if (fstat(e.fd, &file) < 0)                      /* a disk that is gone does not even say this */
        return -errno;
    CHECK(mdb_env_info(d->env, &info) == 0);
    const bool absurd = info.me_last_pgno >= INT64_MAX / PAGE_SIZE;
    e.have = file.st_size;
    e.need = absurd ? INT64_MAX : (off_t)(info.me_last_pgno + 1) * PAGE_SIZE;
    *ret = e;
    return 0;
}

/* ---- transactions ----------------------------------------------------------------------------------------------- */

static int begin(struct db *d) {
    CHECK(d->txn == NULL);
    int rc = mdb_txn_begin(d->env, NULL, d->read_only ? MDB_RDONLY : 0, &d->txn);
    for (unsigned i = 0; i < d->tables_count && rc == 0; i++) {
        struct table *t = &d->table[i];
        t->stands = 0;
        rc = mdb_cursor_open(d->txn, t->dbi, &t->at);
        if (rc == 0) rc = mdb_cursor_open(d->txn, t->dbi, &t->walk);
    }
    if (rc != 0) return fail(d, rc, "begin a transaction");
    d->changes = 0;
    d->fault = 0;
    return 0;
}

/* Cursors of a write transaction go with it; those of a read transaction are ours to close. */
static void end(struct db *d) {
    for (unsigned i = 0; i < d->tables_count && d->read_only; i++) {
        mdb_cursor_close(d->table[i].at);
        mdb_cursor_close(d->table[i].walk);
    }
    for (unsigned i = 0; i < d->tables_count; i++)
        d->table[i].at = d->table[i].walk = NULL;
    if (d->txn != NULL)
        mdb_txn_abort(d->txn);
    d->txn = NULL;
}

/* A reader that keeps its snapshot keeps a living broker from using freed pages, and the file grows: so a fresh one
 * now and then. A walk notices and seeks its place. */
static int renew(struct db *d) {
    if (!d->read_only || d->pinned || ++d->reads < READS_PER_SNAPSHOT)
        return 0;
    d->reads = 0;
    end(d);
    return begin(d);
}

/* LMDB does not write a page that was allocated and freed in one transaction. When that was the last one, the file
 * is shorter than its header says, and would look truncated. */
static int cover_last_page(struct db *d) {
    struct extent e;
    int r = extent_of(d, &e);
    if (r < 0) return fail(d, -r, "the size of the file");
    return e.have < e.need && ftruncate(e.fd, e.need) != 0 ? fail(d, errno, "extend the file") : 0;
}

int db_commit(struct db *d) {
    CHECK(!d->read_only);
    if (d->fault != 0)
        return d->fault;
    int rc = mdb_txn_commit(d->txn);
    d->txn = NULL;                                   /* LMDB frees it either way */
    if (rc != 0)
        return fail(d, rc, "commit");
    int r = cover_last_page(d);
    return r < 0 ? r : begin(d);
}

void db_abort(struct db *d) {
    CHECK(!d->read_only);
    end(d);
    (void)begin(d);                                  /* a failure stays in d->fault: the next call returns it */
}

/* ---- opening ---------------------------------------------------------------------------------------------------- */

static int refuse(const char *path, int r, const char *why) {
    (void)snprintf(open_problem, sizeof open_problem, "%s: %s", path, why);
    return r;
}

/* Before LMDB maps the file: it believes the page size it reads and divides by it, and an empty file is a new one
 * to it. */
static int inspect(const struct db_options *o) {
    int fd = open(o->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT && !o->read_only ? 0 : refuse(o->path, -errno, strerror(errno));
    bool good = sysconf(_SC_PAGESIZE) == PAGE_SIZE;
    for (unsigned i = 0; i < META_PAGES && good; i++) {
        uint8_t size[4];
        good = pread(fd, size, sizeof size, i * PAGE_SIZE + PAGE_SIZE_AT) == sizeof size && get_le32(size) == PAGE_SIZE;
    }
    (void)close(fd);
    return good ? 0 : refuse(o->path, -EBADMSG, "not an LMDB file with pages of 4096 bytes, or cut short");
}

static void broken(MDB_env *env, const char *what) {
    (void)env;
    check_failed(what, "lmdb", 0);
}

/* A page beyond the end of the file is a SIGBUS at the first look: size first. */
static int check_size(struct db *d) {
    struct extent e;
    int r = extent_of(d, &e);
    if (r < 0) return fail(d, -r, "the size of the file");
    if (e.have >= e.need)
        return 0;
    (void)snprintf(d->problem, sizeof d->problem, "truncated: %lld bytes are in use, the file has %lld",
                   (long long)e.need, (long long)e.have);
    return -EBADMSG;
}

static int open_env(struct db *d, const struct db_options *o) {
    unsigned flags = MDB_NOSUBDIR | MDB_NOTLS | (o->read_only ? MDB_RDONLY : 0) | (o->scratch ? MDB_NOSYNC : 0);
    int rc = mdb_env_create(&d->env);
    if (rc == 0) rc = mdb_env_set_assert(d->env, broken);
    if (rc == 0) rc = mdb_env_set_maxdbs(d->env, DB_TABLES_MAX);
    if (rc == 0) rc = mdb_env_set_mapsize(d->env, o->map_bytes);
    if (rc == 0) rc = mdb_env_open(d->env, o->path, flags, DB_MODE);
    if (rc == 0) rc = mdb_reader_check(d->env, NULL);         /* frees the slots of readers that died */
    return rc == 0 ? check_size(d) : fail(d, rc, "open");
}

/* In a short transaction of their own. Created only in a file that nothing was ever committed to: in any other a
 * table that is not there was lost, and an empty one in its place would be believed. */
static int open_tables(struct db *d) {
    MDB_envinfo info;
    MDB_txn *txn = NULL;
    CHECK(mdb_env_info(d->env, &info) == 0);
    const bool create = info.me_last_txnid == 0 && !d->read_only;
    int rc = mdb_txn_begin(d->env, NULL, d->read_only ? MDB_RDONLY : 0, &txn);
    if (rc != 0)
        return fail(d, rc, "begin a transaction");
    for (unsigned i = 0; i < d->tables_count && rc == 0; i++) {
        struct table *t = &d->table[i];
        unsigned flags = 0;
        rc = mdb_dbi_open(txn, t->name, create ? MDB_CREATE : 0, &t->dbi);
        if (rc == 0) rc = mdb_dbi_flags(txn, t->dbi, &flags);
        if (rc == MDB_NOTFOUND || flags != 0)
            rc = MDB_CORRUPTED;
        if (rc != 0)
            (void)fail(d, rc, t->name);
    }
    if (rc != 0) {
        mdb_txn_abort(txn);
        return d->fault;
    }
    rc = mdb_txn_commit(txn);
    return rc == 0 ? 0 : fail(d, rc, "create the tables");
}

int db_open(struct db **ret, const struct db_options *o) {
    CHECK(o->tables_count > 0 && o->tables_count <= DB_TABLES_MAX);
    CHECK(!(o->read_only && o->scratch));
    int r = inspect(o);
    if (r < 0)
        return r;
    struct db *d = calloc(1, sizeof *d);
    if (d == NULL)
        return refuse(o->path, -ENOMEM, "no memory");
    d->read_only = o->read_only;
    d->tables_count = o->tables_count;
    for (unsigned i = 0; i < o->tables_count; i++)
        d->table[i] = (struct table){.name = o->tables[i].name, .fold = o->tables[i].fold};
    r = open_env(d, o);
    if (r == 0)
        r = open_tables(d);
    if (r == 0 && !d->read_only)
        r = cover_last_page(d);
    if (r == 0)
        r = begin(d);
    if (r < 0) {
        (void)refuse(o->path, r, d->problem);
        db_close(d);
        return r;
    }
    *ret = d;
    return 0;
}

void db_close(struct db *d) {
    if (d == NULL)
        return;
    end(d);
    mdb_env_close(d->env);
    free(d);
}

/* ---- rows ------------------------------------------------------------------------------------------------------- */

static struct table *table_of(struct db *d, unsigned table) {
    CHECK(table < d->tables_count);
    return &d->table[table];
}

static MDB_val val_of(struct slice s) {
    return (MDB_val){s.len, (void *)s.at};
}

static MDB_val key_of(struct slice key) {
    CHECK(key.len > 0 && key.len <= DB_KEY_MAX);
    return val_of(key);
}

/* The sum starts from the table's number and the key's length: a row that strayed to another table, or a boundary
 * that moved between key and value, does not match either. */
static uint32_t checksum(const struct db *d, const struct table *t, struct slice key, struct slice value) {
    uint32_t start = (uint32_t)(t - d->table) << 8 | (uint32_t)key.len;
    return crc32c(crc32c(start, key), value);
}

static int check_row(struct db *d, const struct table *t, MDB_val key, MDB_val stored, struct slice *ret_value) {
    const size_t tail = t->fold ? CRC_SIZE : 0;
    if (key.mv_size == 0 || key.mv_size > DB_KEY_MAX || stored.mv_size < tail || stored.mv_size > DB_VALUE_MAX + tail)
        return damaged(d, t, key, "no such row was ever put");
    struct slice value = {stored.mv_data, stored.mv_size - tail};
    if (t->fold && checksum(d, t, slice_from(key.mv_data, key.mv_size), value) != get_le32(value.at + value.len))
        return damaged(d, t, key, "the checksum does not match");
    *ret_value = value;
    return 0;
}

int db_get(struct db *d, unsigned table, struct slice key, struct slice *ret_borrowed) {
    struct table *t = table_of(d, table);
    MDB_val k = key_of(key), v;
    if (d->fault != 0 || renew(d) < 0)
        return d->fault;
    int rc = mdb_cursor_get(t->at, &k, &v, MDB_SET);
    if (rc == MDB_NOTFOUND)
        return -ENOENT;
    return rc == 0 ? check_row(d, t, k, v, ret_borrowed) : fail(d, rc, "get");
}

/* The sum is taken before LMDB makes room: if the value was borrowed from a page that moves now (a bug of the
 * caller's), the next read tells. */
static int put(struct db *d, unsigned table, struct slice key, struct slice value, unsigned flags) {
    struct table *t = table_of(d, table);
    CHECK(!d->read_only && value.len <= DB_VALUE_MAX);
    MDB_val k = key_of(key), v = {value.len + (t->fold ? CRC_SIZE : 0), NULL};
    if (d->fault != 0)
        return d->fault;
    const uint32_t sum = t->fold ? checksum(d, t, key, value) : 0;
    int rc = mdb_cursor_put(t->at, &k, &v, MDB_RESERVE | flags);
    if (rc == MDB_KEYEXIST)
        return -EEXIST;
    if (rc != 0)
        return fail(d, rc, "put");
    uint8_t *to = v.mv_data;
    if (value.len > 0)
        memcpy(to, value.at, value.len);
    if (t->fold)
        put_le32(to + value.len, sum);
    t->stands = 0;
    d->changes++;
    return 0;
}

int db_put(struct db *d, unsigned table, struct slice key, struct slice value) {
    return put(d, table, key, value, 0);
}

int db_put_last(struct db *d, unsigned table, struct slice key, struct slice value) {
    int r = put(d, table, key, value, MDB_APPEND);
    return r == -EEXIST ? put(d, table, key, value, 0) : r;
}

int db_delete(struct db *d, unsigned table, struct slice key) {
    struct table *t = table_of(d, table);
    CHECK(!d->read_only);
    MDB_val k = key_of(key);
    if (d->fault != 0)
        return d->fault;
    int rc = mdb_del(d->txn, t->dbi, &k, NULL);
    if (rc == MDB_NOTFOUND)
        return -ENOENT;
    if (rc != 0)
        return fail(d, rc, "delete");
    t->stands = 0;
    d->changes++;
    return 0;
}

/* ---- walks ------------------------------------------------------------------------------------------------------ */

void db_walk_from(struct db_walk *w, struct db *d, unsigned table, struct slice from) {
    CHECK(table < d->tables_count && from.len <= DB_KEY_MAX);
    *w = (struct db_walk){.db = d, .table = table, .last_len = from.len};
    if (from.len > 0)
        memcpy(w->last, from.at, from.len);
}

/* The table's cursor is still where this walk left it only if nothing was put, deleted, committed, renewed or
 * walked there since; else seek the last key given and go on behind it. */
static int walk_step(struct db_walk *w, struct table *t, MDB_val *key, MDB_val *value) {
    if (w->started && w->ticket == t->stands)
        return mdb_cursor_get(t->walk, key, value, MDB_NEXT);
    if (w->last_len == 0)
        return mdb_cursor_get(t->walk, key, value, MDB_FIRST);
    *key = (MDB_val){w->last_len, w->last};
    int rc = mdb_cursor_get(t->walk, key, value, MDB_SET_RANGE);
    if (rc == 0 && w->started && slice_equal(slice_from(key->mv_data, key->mv_size), slice_from(w->last, w->last_len)))
        rc = mdb_cursor_get(t->walk, key, value, MDB_NEXT);
    return rc;
}

int db_walk_next(struct db_walk *w, struct slice *ret_key, struct slice *ret_value) {
    struct db *d = w->db;
    struct table *t = table_of(d, w->table);
    MDB_val key = {0}, stored = {0};
    if (d->fault != 0 || renew(d) < 0)
        return d->fault;
    int rc = walk_step(w, t, &key, &stored);
    t->stands = 0;
    if (rc == MDB_NOTFOUND)
        return 0;
    if (rc != 0)
        return fail(d, rc, "walk");
    int order = slice_order(slice_from(key.mv_data, key.mv_size), slice_from(w->last, w->last_len));
    if (order < 0 || (w->started && order == 0))
        return damaged(d, t, key, "out of order");
    int r = check_row(d, t, key, stored, ret_value);
    if (r < 0)
        return r;
    memcpy(w->last, key.mv_data, key.mv_size);
    w->last_len = key.mv_size;
    w->started = true;
    w->ticket = t->stands = ++d->tickets;
    *ret_key = slice_from(w->last, w->last_len);
    return 1;
}

void db_walk_done(struct db_walk *w) {
    w->db = NULL;
}

/* The first key after all that start with the prefix: the prefix with its last byte that can be counted up, counted
 * up. */
static struct slice behind(struct slice prefix, uint8_t to[static DB_KEY_MAX]) {
    while (prefix.len > 0 && prefix.at[prefix.len - 1] == 0xff)
        prefix.len--;
    if (prefix.len == 0)
        return prefix;
    memcpy(to, prefix.at, prefix.len);
    to[prefix.len - 1]++;
    return slice_from(to, prefix.len);
}

int db_last(struct db *d, unsigned table, struct slice prefix, struct slice *ret_key, struct slice *ret_value) {
    struct table *t = table_of(d, table);
    CHECK(prefix.len <= DB_KEY_MAX);
    if (d->fault != 0 || renew(d) < 0)
        return d->fault;
    uint8_t next[DB_KEY_MAX];
    MDB_val key = val_of(behind(prefix, next)), stored;
    t->stands = 0;
    int rc = key.mv_size > 0 ? mdb_cursor_get(t->walk, &key, &stored, MDB_SET_RANGE) : MDB_NOTFOUND;
    if (rc == 0) rc = mdb_cursor_get(t->walk, &key, &stored, MDB_PREV);
    else if (rc == MDB_NOTFOUND)
        rc = mdb_cursor_get(t->walk, &key, &stored, MDB_LAST);
    if (rc == MDB_NOTFOUND || (rc == 0 && !slice_starts(slice_from(key.mv_data, key.mv_size), prefix)))
        return -ENOENT;
    if (rc != 0)
        return fail(d, rc, "last");
    int r = check_row(d, t, key, stored, ret_value);
    if (r == 0)
        *ret_key = slice_from(key.mv_data, key.mv_size);
    return r;
}

/* ---- size ------------------------------------------------------------------------------------------------------- */

uint64_t db_changes(const struct db *d) {
    return d->changes;
}

static uint64_t pages_of(struct db *d, MDB_dbi dbi) {
    MDB_stat s;
    return mdb_stat(d->txn, dbi, &s) == 0 ? s.ms_branch_pages + s.ms_leaf_pages + s.ms_overflow_pages : 0;
}

uint64_t db_pages_used(struct db *d) {
    if (d->fault != 0)
        return 0;
    uint64_t pages = META_PAGES + pages_of(d, FREE_DBI) + pages_of(d, MAIN_DBI);
    for (unsigned i = 0; i < d->tables_count; i++)
        pages += pages_of(d, d->table[i].dbi);
    return pages;
}

uint64_t db_file_bytes(struct db *d) {
    struct extent e;
    return extent_of(d, &e) == 0 ? (uint64_t)e.have : 0;
}

int db_allocate_ahead(struct db *d, uint64_t bytes) {
    CHECK(!d->read_only && bytes > 0 && bytes < INT64_MAX / 2);
    struct extent e;
    int rc = EINTR, r = extent_of(d, &e);
    if (r < 0) return r;
    while (rc == EINTR)
        rc = posix_fallocate(e.fd, e.need, (off_t)bytes);
    return rc == 0 ? 0 : errno_of(d->env, rc);       /* the transaction lives: nothing of it was touched */
}

int db_copy(struct db *d, int fd) {
    int rc = mdb_env_copyfd2(d->env, fd, MDB_CP_COMPACT);
    return rc == 0 ? 0 : fail(d, rc, "copy");
}

/* ---- the whole -------------------------------------------------------------------------------------------------- */

/* Besides its sum, a row must be found again by its key (a branch page may send the search elsewhere), rows must
 * ascend, and there must be as many as the table says. */
static int verify_table(struct db *d, unsigned table) {
    struct table *t = table_of(d, table);
    struct db_walk w;
    struct slice key, value, found;
    MDB_stat s;
    int rc = mdb_stat(d->txn, t->dbi, &s);
    if (rc != 0)
        return fail(d, rc, "stat");
    uint64_t rows = 0;
    int r = 0;
    db_walk_from(&w, d, table, (struct slice){NULL, 0});
    while ((r = db_walk_next(&w, &key, &value)) > 0) {
        rows++;
        r = db_get(d, table, key, &found);
        if (r == -ENOENT || (r == 0 && found.at != value.at))
            return damaged(d, t, val_of(key), "not found by its key");
        if (r < 0)
            return r;
    }
    db_walk_done(&w);
    return r == 0 && rows != s.ms_entries ? damaged(d, t, (MDB_val){0, NULL}, "rows are missing") : r;
}

int db_verify(struct db *d, char problem[static 256]) {
    if (d->fault != 0)
        return d->fault;
    d->pinned = true;
    int r = check_size(d);
    for (unsigned i = 0; i < d->tables_count && r == 0; i++)
        r = verify_table(d, i);
    d->pinned = false;
    if (r < 0)
        (void)snprintf(problem, PROBLEM_SIZE, "%s", d->problem);
    return r;
}

static void hash_counted(struct hash_stream *s, struct slice text) {
    uint8_t len[8];
    put_le64(len, text.len);
    hash_more(s, slice_from(len, sizeof len));
    hash_more(s, text);
}

/* The table's name, its rows, an empty key: no two contents give the same bytes, as no key is empty. */
static int digest_table(struct db *d, unsigned table, struct hash_stream *s) {
    struct db_walk w;
    struct slice key, value;
    int r = 0;
    hash_counted(s, slice_of(table_of(d, table)->name));
    db_walk_from(&w, d, table, (struct slice){NULL, 0});
    while ((r = db_walk_next(&w, &key, &value)) > 0) {
        hash_counted(s, key);
        hash_counted(s, value);
    }
    hash_counted(s, (struct slice){NULL, 0});
    db_walk_done(&w);
    return r;
}

int db_digest(struct db *d, struct hash *ret) {
    if (d->fault != 0)
        return d->fault;
    struct hash_stream s;
    int r = 0;
    hash_begin(&s);
    d->pinned = true;
    for (unsigned i = 0; i < d->tables_count && r == 0; i++)
        if (d->table[i].fold)
            r = digest_table(d, i, &s);
    d->pinned = false;
    if (r == 0)
        *ret = hash_end(&s);
    return r;
}
