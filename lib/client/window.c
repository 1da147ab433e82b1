/* window.c: slots, chunks, and a table from id to slot (open addressing, at most half full). */
#include "lib/client/window.h"

#include <stdlib.h>
#include <string.h>

enum {
    CHUNK_BYTES = 256,
    CHUNKS_PER_SLOT = 4,                          /* a report takes one or two */
    CHUNKS_MIN = WHISTLE_ENVELOPE_BYTES_MAX / CHUNK_BYTES,
};
_Static_assert(WHISTLE_ENVELOPE_BYTES_MAX % CHUNK_BYTES == 0, "the largest envelope fits an empty window");

struct window {
    unsigned size, count;
    struct slot *slots;
    uint32_t free_slot;                           /* chained by link[WINDOW_ORDER].after */
    struct { uint32_t first, last; } list[WINDOW_LISTS];

    uint8_t (*chunks)[CHUNK_BYTES];
    uint32_t *chunk_after;
    uint32_t free_chunk, free_chunks;

    uint32_t *table;                              /* slots, or WINDOW_NONE */
    unsigned table_bits;
};

/* ---- life -------------------------------------------------------------------------------------------------------- */

struct window *window_open(unsigned size) {
    CHECK(size > 0 && size <= WHISTLE_WINDOW_MAX);
    struct window *w = memory_or_die(sizeof(*w));
    w->size = size;
    w->slots = memory_or_die(size * sizeof(*w->slots));
    for (uint32_t i = 0; i < size; i++)
        w->slots[i].link[WINDOW_ORDER].after = i + 1 < size ? i + 1 : WINDOW_NONE;
    for (unsigned l = 0; l < WINDOW_LISTS; l++)
        w->list[l].first = w->list[l].last = WINDOW_NONE;

    w->free_chunks = size * CHUNKS_PER_SLOT > CHUNKS_MIN ? size * CHUNKS_PER_SLOT : CHUNKS_MIN;
    w->chunks = memory_or_die(w->free_chunks * sizeof(*w->chunks));
    w->chunk_after = memory_or_die(w->free_chunks * sizeof(*w->chunk_after));
    for (uint32_t i = 0; i < w->free_chunks; i++)
        w->chunk_after[i] = i + 1 < w->free_chunks ? i + 1 : WINDOW_NONE;

    for (w->table_bits = 1; 1u << w->table_bits < 2 * size; w->table_bits++)
        continue;
    w->table = memory_or_die(sizeof(*w->table) << w->table_bits);
    memset(w->table, 0xff, sizeof(*w->table) << w->table_bits);
    return w;
}

void window_close(struct window *w) {
    free(w->table);
    free(w->chunk_after);
    free(w->chunks);
    free(w->slots);
    free(w);
}

struct slot *window_slot(struct window *w, uint32_t at) {
    CHECK(at < w->size && w->slots[at].state != SLOT_FREE);
    return &w->slots[at];
}

unsigned window_count(const struct window *w) {
    return w->count;
}

bool window_full(const struct window *w) {
    return w->count == w->size;
}

/* ---- lists ------------------------------------------------------------------------------------------------------- */

static void list_append(struct window *w, enum window_list l, uint32_t at) {
    uint32_t last = w->list[l].last;
    w->slots[at].link[l].before = last;
    w->slots[at].link[l].after = WINDOW_NONE;
    *(last == WINDOW_NONE ? &w->list[l].first : &w->slots[last].link[l].after) = at;
    w->list[l].last = at;
}

static void list_remove(struct window *w, enum window_list l, uint32_t at) {
    uint32_t before = w->slots[at].link[l].before, after = w->slots[at].link[l].after;
    *(before == WINDOW_NONE ? &w->list[l].first : &w->slots[before].link[l].after) = after;
    *(after == WINDOW_NONE ? &w->list[l].last : &w->slots[after].link[l].before) = before;
}

uint32_t window_first(const struct window *w, enum window_list list) {
    return w->list[list].first;
}

uint32_t window_after(const struct window *w, enum window_list list, uint32_t at) {
    CHECK(at < w->size && w->slots[at].state != SLOT_FREE);
    return w->slots[at].link[list].after;
}

void window_enqueue(struct window *w, uint32_t at) {
    struct slot *s = window_slot(w, at);
    CHECK(s->state != SLOT_QUEUED);
    s->state = SLOT_QUEUED;
    list_append(w, WINDOW_QUEUE, at);
}

void window_dequeue(struct window *w, uint32_t at) {
    struct slot *s = window_slot(w, at);
    CHECK(s->state == SLOT_QUEUED);
    s->state = SLOT_SENT;
    list_remove(w, WINDOW_QUEUE, at);
}

/* ---- the table --------------------------------------------------------------------------------------------------- */

/* Ids are ours, and random at their end: no stranger can make them meet. */
static uint32_t home_of(const struct window *w, const uint8_t id[16]) {
    uint64_t mixed = (get_le64(id) ^ get_le64(id + 8)) * UINT64_C(0x9e3779b97f4a7c15);
    return (uint32_t)(mixed >> (64 - w->table_bits));
}

/* Where the id is, or where it would go. */
static uint32_t table_place(const struct window *w, const uint8_t id[16]) {
    uint32_t mask = (1u << w->table_bits) - 1, i = home_of(w, id);
    while (w->table[i] != WINDOW_NONE && memcmp(w->slots[w->table[i]].id, id, 16) != 0)
        i = (i + 1) & mask;
    return i;
}

uint32_t window_find(const struct window *w, const uint8_t id[16]) {
    return w->table[table_place(w, id)];
}

/* Whoever stands behind the hole, and not at home there, moves up: no tombstones. */
static void table_remove(struct window *w, const uint8_t id[16]) {
    uint32_t mask = (1u << w->table_bits) - 1, hole = table_place(w, id);
    CHECK(w->table[hole] != WINDOW_NONE);
    for (uint32_t i = (hole + 1) & mask; w->table[i] != WINDOW_NONE; i = (i + 1) & mask) {
        uint32_t home = home_of(w, w->slots[w->table[i]].id);
        if (((i - home) & mask) >= ((i - hole) & mask)) {
            w->table[hole] = w->table[i];
            hole = i;
        }
    }
    w->table[hole] = WINDOW_NONE;
}

/* ---- bytes ------------------------------------------------------------------------------------------------------- */

static uint32_t chunks_of(size_t len) {
    return (uint32_t)((len + CHUNK_BYTES - 1) / CHUNK_BYTES);
}

static uint32_t chunks_fill(struct window *w, struct slice bytes) {
    uint32_t first = WINDOW_NONE, *link = &first;
    while (bytes.len > 0) {
        uint32_t at = w->free_chunk;
        size_t part = bytes.len < CHUNK_BYTES ? bytes.len : CHUNK_BYTES;
        CHECK(at != WINDOW_NONE && w->free_chunks > 0);
        w->free_chunk = w->chunk_after[at];
        w->free_chunks--;
        memcpy(w->chunks[at], bytes.at, part);
        *link = at;
        link = &w->chunk_after[at];
        bytes.at += part, bytes.len -= part;
    }
    *link = WINDOW_NONE;
    return first;
}

static void chunks_free(struct window *w, uint32_t first) {
    while (first != WINDOW_NONE) {
        uint32_t after = w->chunk_after[first];
        w->chunk_after[first] = w->free_chunk;
        w->free_chunk = first;
        w->free_chunks++;
        first = after;
    }
}

struct slice window_bytes(const struct window *w, uint32_t at, uint8_t *to) {
    CHECK(at < w->size && w->slots[at].state != SLOT_FREE);
    size_t len = w->slots[at].len, done = 0;
    for (uint32_t c = w->slots[at].first_chunk; c != WINDOW_NONE; c = w->chunk_after[c]) {
        size_t part = len - done < CHUNK_BYTES ? len - done : CHUNK_BYTES;
        memcpy(to + done, w->chunks[c], part);
        done += part;
    }
    CHECK(done == len);
    return slice_from(to, len);
}

/* ---- slots ------------------------------------------------------------------------------------------------------- */

uint32_t window_add(struct window *w, const uint8_t id[16], struct slice bytes) {
    CHECK(bytes.len > 0 && bytes.len <= WHISTLE_ENVELOPE_BYTES_MAX);
    if (w->count == w->size || chunks_of(bytes.len) > w->free_chunks)
        return WINDOW_NONE;
    uint32_t place = table_place(w, id), at = w->free_slot;
    CHECK(w->table[place] == WINDOW_NONE && at != WINDOW_NONE);
    struct slot *s = &w->slots[at];
    w->free_slot = s->link[WINDOW_ORDER].after;
    *s = (struct slot){.state = SLOT_SENT, .len = (uint32_t)bytes.len, .first_chunk = chunks_fill(w, bytes)};
    memcpy(s->id, id, sizeof(s->id));
    w->table[place] = at;
    list_append(w, WINDOW_ORDER, at);
    w->count++;
    return at;
}

void window_remove(struct window *w, uint32_t at) {
    struct slot *s = window_slot(w, at);
    if (s->state == SLOT_QUEUED)
        window_dequeue(w, at);
    list_remove(w, WINDOW_ORDER, at);
    table_remove(w, s->id);
    chunks_free(w, s->first_chunk);
    s->state = SLOT_FREE;
    s->link[WINDOW_ORDER].after = w->free_slot;
    w->free_slot = at;
    w->count--;
}
