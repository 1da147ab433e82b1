/* adopted.c: the rules as the journal brings them: begun, part by part, adopted. Only the last makes them count.
 *
 *   (number, 0)    hash, bytes, chunks: what RulesBegun promised
 *   (number, n)    the n-th part of the packed rules, at most STORE_RULES_PART_BYTES
 *
 * A case is pinned to the rules it opened under, so every set is kept. Unpacked ones stay in memory; when there are too
 * many, the one that was not asked for longest goes, and is unpacked again when it is. */
#include "daemon/store/tables.h"
#include "lib/codec/codec.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PROMISE_BYTES = HASH_SIZE + 8 + 4, RULES_BYTES_MAX = 64 << 20 };
_Static_assert((int)STORE_RULES_PART_BYTES <= (int)DB_VALUE_MAX, "a part fits into a row");

struct promise {
    struct hash hash;
    uint64_t bytes;
    uint32_t chunks;
};

static int refuse(struct tables *t, uint32_t number, const char *why) {
    (void)snprintf(t->problem, sizeof t->problem, "rules %u: %s", number, why);
    return -EBADMSG;
}

static int promise_read(struct tables *t, uint32_t number, struct promise *ret) {
    struct row_key key = key_rules(number, 0);
    struct slice row;
    int r = tables_get(t, TABLE_RULES, &key, &row);
    if (r < 0)
        return r;
    CHECK(row.len == PROMISE_BYTES);
    memcpy(ret->hash.byte, row.at, HASH_SIZE);
    ret->bytes = get_le64(row.at + HASH_SIZE);
    ret->chunks = get_le32(row.at + HASH_SIZE + 8);
    return 0;
}

/* ---- unpacked ---------------------------------------------------------------------------------------------------- */

/* The parts, one behind the other. -EBADMSG: not as many bytes as were promised. */
static int parts_read(struct tables *t, uint32_t number, uint8_t *to, uint64_t bytes) {
    struct row_key from = key_rules(number, 1);
    struct slice key, part;
    struct db_walk w;
    uint64_t done = 0;
    int r = 0;
    db_walk_from(&w, t->db, TABLE_RULES, key_bytes(&from));
    while (done < bytes && (r = db_walk_next(&w, &key, &part)) == 1) {
        if (memcmp(key.at, from.byte, 4) != 0 || part.len > bytes - done)
            break;
        memcpy(to + done, part.at, part.len);
        done += part.len;
    }
    db_walk_done(&w);
    if (r < 0)
        return tables_result(t, r);
    return done == bytes ? 0 : refuse(t, number, "parts are missing");
}

/* Rows (number, part + 1), (number, part + 2), ... while they fit. */
int rules_packed(struct tables *t, uint32_t number, uint32_t part, uint8_t *to, size_t cap, struct rules_packed *ret) {
    struct row_key from = key_rules(number, part + 1);
    struct slice key, row;
    struct promise p;
    struct db_walk w;
    int r = promise_read(t, number, &p);
    if (r < 0)
        return r;
    *ret = (struct rules_packed){.length = p.bytes, .hash = p.hash};
    db_walk_from(&w, t->db, TABLE_RULES, key_bytes(&from));
    while ((r = db_walk_next(&w, &key, &row)) == 1 && memcmp(key.at, from.byte, 4) == 0) {
        if (row.len > cap - ret->bytes) {
            ret->next_part = part;
            break;
        }
        memcpy(to + ret->bytes, row.at, row.len);
        ret->bytes += row.len;
        part++;
    }
    db_walk_done(&w);
    return r < 0 ? tables_result(t, r) : 0;
}

static int unpack(struct tables *t, uint32_t number, const struct promise *p, struct rules_kept *ret) {
    uint8_t *packed = malloc(p->bytes);
    size_t cap = p->bytes * 32 + (64 << 10);
    void *memory = malloc(cap);
    PbRules *rules = NULL;
    struct arena room;
    int r = packed && memory ? parts_read(t, number, packed, p->bytes) : -ENOMEM;
    struct slice bytes = {packed, p->bytes};
    if (r == 0) {
        struct hash hash = hash_of(bytes);
        if (!hash_equal(&hash, &p->hash))
            r = refuse(t, number, "their hash is not the one that was journaled");
    }
    if (r == 0) {
        arena_wrap(&room, memory, cap);
        r = codec_unpack_own(CODEC_RULES, bytes, &room, &rules);
    }
    free(packed);
    if (r < 0) {
        free(memory);
        return r;
    }
    *ret = (struct rules_kept){.number = number, .used = ++t->rules_uses, .rules = rules, .memory = memory};
    return 0;
}

static void drop(struct rules_kept *k) {
    free(k->memory);
    *k = (struct rules_kept){0};
}

static struct rules_kept *place_for_one(struct tables *t) {
    struct rules_kept *oldest = &t->rules[0];
    for (unsigned i = 1; i < STORE_RULES_VERSIONS_MAX; i++)
        if (t->rules[i].used < oldest->used)
            oldest = &t->rules[i];
    drop(oldest);
    return oldest;
}

int rules_find(struct tables *t, uint32_t number, const PbRules **ret) {
    for (unsigned i = 0; i < STORE_RULES_VERSIONS_MAX; i++)
        if (t->rules[i].number == number && number != 0) {
            t->rules[i].used = ++t->rules_uses;
            *ret = t->rules[i].rules;
            return 0;
        }
    struct promise p = {.bytes = 0};
    int r = number ? promise_read(t, number, &p) : -ENOENT;
    if (r < 0)
        return r;
    struct rules_kept unpacked;
    r = unpack(t, number, &p, &unpacked);
    t->doubtful |= r == -EBADMSG;
    if (r < 0)
        return r;
    struct rules_kept *place = place_for_one(t);
    *place = unpacked;
    *ret = place->rules;
    return 0;
}

int rules_hash_of(struct tables *t, uint32_t number, struct hash *ret) {
    struct promise p = {.bytes = 0};
    int r = promise_read(t, number, &p);
    if (r == 0)
        *ret = p.hash;
    return r;
}

void rules_forget(struct tables *t, uint32_t above) {
    for (unsigned i = 0; i < STORE_RULES_VERSIONS_MAX; i++)
        if (t->rules[i].number > above)
            drop(&t->rules[i]);
}

/* ---- folded ------------------------------------------------------------------------------------------------------ */

/* Rules that were begun and never adopted leave nothing behind. */
static int drop_pending(struct tables *t) {
    int r = 0;
    for (uint32_t i = 0; t->facts.pending && i <= t->facts.pending_parts && r == 0; i++) {
        struct row_key key = key_rules(t->facts.pending, i);
        r = tables_result(t, db_delete(t->db, TABLE_RULES, key_bytes(&key)));
    }
    t->facts.pending = t->facts.pending_chunks = t->facts.pending_parts = 0;
    return r == -ENOENT ? -EBADMSG : r;
}

static int fold_begun(struct tables *t, const PbRulesBegun *b) {
    uint8_t row[PROMISE_BYTES];
    if (b->rules <= t->facts.rules || b->hash.len != HASH_SIZE || b->bytes == 0 || b->bytes > RULES_BYTES_MAX)
        return refuse(t, b->rules, "begun out of order, or with a promise that cannot be kept");
    int r = drop_pending(t);
    if (r < 0)
        return r;
    memcpy(row, b->hash.data, HASH_SIZE);
    put_le64(row + HASH_SIZE, b->bytes);
    put_le32(row + HASH_SIZE + 8, b->chunks);
    t->facts.pending = b->rules;
    struct row_key key = key_rules(b->rules, 0);
    return tables_put(t, TABLE_RULES, &key, slice_from(row, sizeof row));
}

static int fold_chunk(struct tables *t, const PbRulesChunk *c) {
    if (c->rules == 0 || c->rules != t->facts.pending || c->index != t->facts.pending_chunks)
        return refuse(t, c->rules, "a part came out of order");
    t->facts.pending_chunks++;
    int r = 0;
    for (size_t done = 0; done < c->part.len && r == 0;) {
        size_t left = c->part.len - done, len = left < STORE_RULES_PART_BYTES ? left : STORE_RULES_PART_BYTES;
        struct row_key key = key_rules(c->rules, ++t->facts.pending_parts);
        r = tables_put(t, TABLE_RULES, &key, slice_from(c->part.data + done, len));
        done += len;
    }
    return r;
}

static int fold_adopted(struct tables *t, const PbRulesAdopted *a) {
    struct promise p;
    const PbRules *rules = NULL;
    if (a->rules == 0 || a->rules != t->facts.pending || a->hash.len != HASH_SIZE)
        return refuse(t, a->rules, "adopted without having been begun");
    int r = promise_read(t, a->rules, &p);
    if (r == 0 && (p.chunks != t->facts.pending_chunks || memcmp(p.hash.byte, a->hash.data, HASH_SIZE) != 0))
        r = refuse(t, a->rules, "adopted, and not what was begun");
    if (r == 0)
        r = rules_find(t, a->rules, &rules);
    if (r < 0)
        return r;
    t->facts.rules = a->rules;
    t->facts.rules_hash = p.hash;
    t->facts.pending = t->facts.pending_chunks = t->facts.pending_parts = 0;
    return 0;
}

int rules_fold(struct tables *t, const PbEvent *e) {
    switch (e->event_case) {
    case EVENT_RULES_BEGUN: return fold_begun(t, e->rules_begun);
    case EVENT_RULES_CHUNK: return fold_chunk(t, e->rules_chunk);
    case EVENT_RULES_ADOPTED: return fold_adopted(t, e->rules_adopted);
    default: return refuse(t, 0, "this is no event of theirs");
    }
}
