/* returns_cases.c: where counted cases live: in chunks that stay where they are, in the order of their ids, which is
 * the order they come in; so a case is found by halving. Divisions and categories are kept once and named by index. */
#include "ctl/returns_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNKS_MAX = RETURNS_CASES_MAX / CHUNK, DIVISION_SLOTS = 2 * DIVISIONS_KNOWN_MAX, STAYS_FIRST = 4096 };
_Static_assert((DIVISION_SLOTS & (DIVISION_SLOTS - 1)) == 0, "a mask finds the slot");

struct returns *returns_open(const struct returns_options *o) {
    struct returns *r = memory_or_die(sizeof *r);
    r->o = *o;
    r->chunks = memory_or_die(CHUNKS_MAX * sizeof *r->chunks);
    r->divisions = memory_or_die(DIVISIONS_KNOWN_MAX * sizeof *r->divisions);
    r->division_at = memory_or_die(DIVISION_SLOTS * sizeof *r->division_at);
    r->categories = memory_or_die(CATEGORIES_KNOWN_MAX * sizeof *r->categories);
    return r;
}

void returns_close(struct returns *r) {
    if (r == NULL)
        return;
    for (uint32_t i = 0; i * CHUNK < r->cases; i++)
        free(r->chunks[i]);
    free(r->chunks);
    free(r->divisions);
    free(r->division_at);
    free(r->categories);
    free(r->stays);
    free(r->rows);
    free(r->row_stays);
    free(r);
}

uint64_t returns_strangers(const struct returns *r) { return r->strangers; }

/* ---- cases ------------------------------------------------------------------------------------------------------- */

struct counted *counted_at(const struct returns *r, uint32_t at) {
    CHECK(at < r->cases);
    return &r->chunks[at / CHUNK][at % CHUNK];
}

bool counted_find(const struct returns *r, uint64_t id, uint32_t *ret_at) {
    uint32_t low = 0, high = r->cases;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        uint64_t there = counted_at(r, middle)->id;
        if (there == id)
            return *ret_at = middle, true;
        if (there < id)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

int counted_add(struct returns *r, uint64_t id, uint32_t *ret_at) {
    CHECK(r->cases == 0 || counted_at(r, r->cases - 1)->id < id);
    if (r->cases == RETURNS_CASES_MAX)
        return -ENOMEM;
    struct counted **chunk = &r->chunks[r->cases / CHUNK];
    if (!*chunk && !(*chunk = calloc(CHUNK, sizeof **chunk)))
        return -ENOMEM;
    *ret_at = r->cases++;
    counted_at(r, *ret_at)->id = id;
    return 0;
}

int stay_add(struct returns *r, const struct stay *s) {
    if (r->stays_count == r->stays_cap) {
        size_t cap = r->stays_cap ? 2 * r->stays_cap : STAYS_FIRST;
        struct stay *more = cap <= RETURNS_STAYS_MAX ? realloc(r->stays, cap * sizeof *more) : NULL;
        if (!more)
            return -ENOMEM;
        r->stays = more;
        r->stays_cap = cap;
    }
    r->stays[r->stays_count++] = *s;
    return 0;
}

/* ---- names ------------------------------------------------------------------------------------------------------- */

uint32_t division_index(struct returns *r, uint64_t code) {
    uint64_t slot = (code * 0x9E3779B97F4A7C15u) >> 43;
    for (;; slot = (slot + 1) & (DIVISION_SLOTS - 1)) {
        uint32_t at = r->division_at[slot & (DIVISION_SLOTS - 1)];
        if (at && r->divisions[at - 1] == code)
            return at - 1;
        if (at)
            continue;
        CHECK(r->divisions_count < DIVISIONS_KNOWN_MAX);      /* the nation has 620,573 communities */
        r->divisions[r->divisions_count] = code;
        r->division_at[slot & (DIVISION_SLOTS - 1)] = ++r->divisions_count;
        return r->divisions_count - 1;
    }
}

uint16_t category_index(struct returns *r, const char *code) {
    uint32_t i = 0;
    while (i < r->categories_count && strcmp(r->categories[i], code) != 0)
        i++;
    if (i == r->categories_count) {
        size_t len = strlen(code);
        CHECK(i < CATEGORIES_KNOWN_MAX && len <= CATEGORY_BYTES_MAX);
        memcpy(r->categories[i], code, len + 1);
        r->categories_count++;
    }
    return (uint16_t)i;
}
