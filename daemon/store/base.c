/* base.c: tables into a file, and back. One stream out, one stream in; each is hashed as it goes. */
#include "daemon/store/base.h"
#include "daemon/store/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    BASE_FORMAT = 1,
    HEAD_SIZE = 128,
    AT_FORMAT = 8, AT_TABLES = 12, AT_STORE_ID = 16, AT_SEQ = 32, AT_EPOCH = 40, AT_CHAIN = 48, AT_DIGEST = 80,
    ROW_HEAD_SIZE = 3, TABLE_END_SIZE = 9, TABLE_NAME_MAX = 32,
    PIECE_SIZE = 64 << 10,
    NEED_MAX = ROW_HEAD_SIZE + DB_KEY_MAX + DB_VALUE_MAX,         /* in one piece */
};
_Static_assert((int)NEED_MAX <= (int)PIECE_SIZE && (int)HEAD_SIZE <= (int)NEED_MAX, "a row fits into a piece");

static const uint8_t base_magic[8] = "WHBASE";

void base_name(uint64_t seq, char to[static BASE_NAME_SIZE]) {
    (void)snprintf(to, BASE_NAME_SIZE, "base-%llu.dump", (unsigned long long)seq);
}

/* ---- out --------------------------------------------------------------------------------------------------------- */

struct out {
    int fd, fault;
    uint64_t offset;
    size_t used;
    struct hash_stream hash;
    uint8_t piece[PIECE_SIZE];
};

static void flush(struct out *o) {
    struct slice s = slice_from(o->piece, o->used);
    if (o->fault == 0)
        o->fault = file_write(o->fd, s, o->offset);
    hash_more(&o->hash, s);
    o->offset += o->used;
    o->used = 0;
}

static void put(struct out *o, struct slice s) {
    CHECK(s.len <= PIECE_SIZE);
    if (s.len > PIECE_SIZE - o->used)
        flush(o);
    if (s.len > 0)
        memcpy(o->piece + o->used, s.at, s.len);
    o->used += s.len;
}

static int put_table(struct out *o, struct tables *t, enum table table) {
    struct slice key, value, name = slice_of(tables_fold_name(table));
    struct db_walk w;
    uint8_t head[ROW_HEAD_SIZE], end[TABLE_END_SIZE] = {0};
    uint64_t rows = 0;
    int r;
    head[0] = (uint8_t)name.len;
    put(o, slice_from(head, 1));
    put(o, name);
    db_walk_from(&w, t->db, table, (struct slice){NULL, 0});
    while ((r = db_walk_next(&w, &key, &value)) == 1 && o->fault == 0) {
        head[0] = (uint8_t)key.len;
        head[1] = (uint8_t)(value.len & 0xff);
        head[2] = (uint8_t)(value.len >> 8);
        put(o, slice_from(head, sizeof head));
        put(o, key);
        put(o, value);
        rows++;
    }
    db_walk_done(&w);
    put_le64(end + 1, rows);
    put(o, slice_from(end, sizeof end));
    return r < 0 ? tables_result(t, r) : o->fault;
}

static uint32_t fold_tables(void) {
    uint32_t count = 0;
    for (unsigned i = 0; i < TABLE_COUNT; i++)
        count += tables_fold_name(i) != NULL;
    return count;
}

static int put_all(struct out *o, struct tables *t, struct hash *ret) {
    uint8_t head[HEAD_SIZE] = {0};
    struct hash digest;
    int r = tables_facts(t);
    if (r == 0)
        r = tables_result(t, db_digest(t->db, &digest));
    if (r < 0)
        return r;
    memcpy(head, base_magic, sizeof base_magic);
    put_le32(head + AT_FORMAT, BASE_FORMAT);
    put_le32(head + AT_TABLES, fold_tables());
    memcpy(head + AT_STORE_ID, t->meta.store_id, sizeof t->meta.store_id);
    put_le64(head + AT_SEQ, t->meta.folded_seq);
    put_le64(head + AT_EPOCH, t->meta.epoch);
    memcpy(head + AT_CHAIN, t->meta.chain.byte, HASH_SIZE);
    memcpy(head + AT_DIGEST, digest.byte, HASH_SIZE);
    hash_begin(&o->hash);
    put(o, slice_from(head, sizeof head));
    for (unsigned i = 0; i < TABLE_COUNT && r == 0; i++)
        if (tables_fold_name(i))
            r = put_table(o, t, i);
    flush(o);
    *ret = hash_end(&o->hash);
    if (r == 0)
        r = o->fault ? o->fault : file_write(o->fd, slice_from(ret->byte, HASH_SIZE), o->offset);
    return r;
}

int base_write(struct tables *t, int dir, struct journal_base *ret) {
    char name[BASE_NAME_SIZE];
    struct out o = {.fault = 0};
    struct journal_base made = {.seq = t->meta.folded_seq};
    o.fd = file_fresh(dir, "base.tmp", 0600);
    if (o.fd < 0)
        return o.fd;
    int r = put_all(&o, t, &made.hash);
    base_name(made.seq, name);
    if (r == 0 && (fchmod(o.fd, 0400) < 0 || fsync(o.fd) < 0))
        r = -errno;
    if (r == 0 && (renameat(dir, "base.tmp", dir, name) < 0 || fsync(dir) < 0))
        r = -errno;
    (void)close(o.fd);
    if (r < 0)
        (void)unlinkat(dir, "base.tmp", 0);
    else
        *ret = made;
    return r;
}

/* ---- in ---------------------------------------------------------------------------------------------------------- */

struct in {
    const struct journal_base *base;
    char *problem;
    int fd;
    uint64_t offset, end;                         /* of what is not in the piece yet; end: the last hash */
    size_t at, len;                               /* piece[at..len) has not been taken */
    struct hash_stream hash;
    uint8_t piece[PIECE_SIZE];
};

static int refuse(struct in *i, int r, const char *what) {
    char name[BASE_NAME_SIZE];
    base_name(i->base->seq, name);
    (void)snprintf(i->problem, STORE_PROBLEM_SIZE, "%s %s; put it back from a backup or the archive, then run "
                   "`whistlectl recover`", name, what);
    return r;
}

static int fill(struct in *i) {
    memmove(i->piece, i->piece + i->at, i->len - i->at);
    i->len -= i->at;
    i->at = 0;
    size_t want = PIECE_SIZE - i->len;
    if (want > i->end - i->offset)
        want = (size_t)(i->end - i->offset);
    int r = file_read(i->fd, i->piece + i->len, want, i->offset);
    if (r < 0)
        return r;
    hash_more(&i->hash, slice_from(i->piece + i->len, want));
    i->offset += want;
    i->len += want;
    return 0;
}

/* Borrowed until the next take. */
static int take(struct in *i, size_t need, const uint8_t **ret) {
    CHECK(need <= NEED_MAX);
    int r = i->len - i->at < need ? fill(i) : 0;
    if (r < 0)
        return r;
    if (i->len - i->at < need)
        return refuse(i, -EBADMSG, "is damaged: it ends inside a row");
    *ret = i->piece + i->at;
    i->at += need;
    return 0;
}

/* The last hash must be the one that the journal names; then the head may be read. */
static int begin(struct in *i, int dir, const struct journal_base *b, char *problem, uint8_t head[static HEAD_SIZE]) {
    char name[BASE_NAME_SIZE];
    struct hash last;
    uint64_t size = 0;
    const uint8_t *at = NULL;
    *i = (struct in){.base = b, .problem = problem};
    base_name(b->seq, name);
    i->fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (i->fd < 0)
        return errno == ENOENT ? refuse(i, -ENOENT, "is not there, and the journal stands on it") : -errno;
    int r = file_size(i->fd, &size);
    if (r == 0 && size < HEAD_SIZE + HASH_SIZE)
        r = refuse(i, -EBADMSG, "is cut short");
    if (r == 0)
        r = file_read(i->fd, last.byte, HASH_SIZE, size - HASH_SIZE);
    if (r == 0 && !hash_equal(&last, &b->hash))
        r = refuse(i, -EBADMSG, "is damaged, or not the one that the journal names");
    hash_begin(&i->hash);
    i->end = size - HASH_SIZE;
    if (r == 0)
        r = take(i, HEAD_SIZE, &at);
    if (r < 0)
        return r;
    memcpy(head, at, HEAD_SIZE);
    if (memcmp(head, base_magic, sizeof base_magic) != 0 || get_le64(head + AT_SEQ) != b->seq)
        return refuse(i, -EBADMSG, "is damaged in its first bytes");
    return get_le32(head + AT_FORMAT) == BASE_FORMAT ? 0 : refuse(i, -EBADMSG, "is of another format");
}

static void end(struct in *i) {
    if (i->fd >= 0)
        (void)close(i->fd);
}

/* To the last byte. What was loaded on the way counts only when this returns 0. */
static int finish(struct in *i) {
    int r = 0;
    do {
        i->at = i->len;
        r = fill(i);
    } while (r == 0 && i->len > 0);
    if (r < 0)
        return r;
    struct hash all = hash_end(&i->hash);
    return hash_equal(&all, &i->base->hash) ? 0 : refuse(i, -EBADMSG, "is damaged: its hash is another");
}

int base_check(int dir, const struct journal_base *b, bool full, struct hash *ret_digest,
               char problem[static STORE_PROBLEM_SIZE]) {
    struct in i;
    uint8_t head[HEAD_SIZE];
    int r = begin(&i, dir, b, problem, head);
    if (r == 0 && full)
        r = finish(&i);
    end(&i);
    if (r == 0)
        memcpy(ret_digest->byte, head + AT_DIGEST, HASH_SIZE);
    return r;
}

/* ---- into tables ------------------------------------------------------------------------------------------------- */

/* The facts are the first table: a commit on the way writes them as they are known. */
static int load_row(struct tables *t, enum table table, struct slice key, struct slice value) {
    if (table == TABLE_FACTS && !facts_of_row(value, &t->facts))
        return -EBADMSG;
    int r = tables_result(t, db_put_last(t->db, table, key, value));
    return r == 0 && db_changes(t->db) >= FOLD_COMMIT_CHANGES ? tables_commit(t) : r;
}

static int load_table(struct in *i, struct tables *t, enum table table) {
    const uint8_t *at = NULL;
    struct slice name = slice_of(tables_fold_name(table));
    uint64_t rows = 0;
    int r = take(i, 1 + name.len, &at);
    if (r == 0 && (at[0] != name.len || memcmp(at + 1, name.at, name.len) != 0))
        return refuse(i, -EBADMSG, "is damaged, or has tables of another version");
    while (r == 0 && (r = take(i, 1, &at)) == 0 && at[0] != 0) {
        size_t key = at[0], value = 0;
        r = take(i, 2, &at);
        if (r == 0)
            value = (size_t)at[0] | (size_t)at[1] << 8;
        if (r == 0 && (key > DB_KEY_MAX || value > DB_VALUE_MAX))
            r = refuse(i, -EBADMSG, "is damaged: no such row was ever kept");
        if (r == 0)
            r = take(i, key + value, &at);
        if (r == 0)
            r = load_row(t, table, slice_from(at, key), slice_from(at + key, value));
        if (r == -EBADMSG && i->problem[0] == '\0')
            r = refuse(i, r, "has facts of another version");
        rows++;
    }
    if (r == 0)
        r = take(i, 8, &at);
    return r == 0 && get_le64(at) != rows ? refuse(i, -EBADMSG, "is damaged: rows are missing") : r;
}

static int load(struct in *i, struct tables *t, const uint8_t *head) {
    struct hash digest;
    int r = 0;
    if (memcmp(head + AT_STORE_ID, t->meta.store_id, sizeof t->meta.store_id) != 0)
        return refuse(i, -EBADMSG, "belongs to another store");
    if (get_le32(head + AT_TABLES) != fold_tables())
        return refuse(i, -EBADMSG, "has tables of another version");
    for (unsigned table = 0; table < TABLE_COUNT && r == 0; table++)
        if (tables_fold_name(table))
            r = load_table(i, t, table);
    if (r == 0)
        r = finish(i);
    if (r == 0)
        r = tables_result(t, db_digest(t->db, &digest));
    if (r == 0 && memcmp(digest.byte, head + AT_DIGEST, HASH_SIZE) != 0)
        r = refuse(i, -EBADMSG, "does not hold the tables that it was made from");
    if (r < 0)
        return r;
    t->meta.folded_seq = i->base->seq;
    t->meta.epoch = get_le64(head + AT_EPOCH);
    memcpy(t->meta.chain.byte, head + AT_CHAIN, HASH_SIZE);
    r = tables_commit(t);
    return r == 0 ? tables_load(t) : r;           /* nothing of before is remembered */
}

int base_load(struct tables *t, int dir, const struct journal_base *b, char problem[static STORE_PROBLEM_SIZE]) {
    struct in i;
    uint8_t head[HEAD_SIZE];
    CHECK(t->meta.folded_seq == 0);
    problem[0] = '\0';
    int r = begin(&i, dir, b, problem, head);
    if (r == 0)
        r = load(&i, t, head);
    end(&i);
    return r;
}
