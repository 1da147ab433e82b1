/* returns_recur.c: which cases came back (复发): another of the same category, reported within 30 days of the closing, at
 * most 50 m away or, where one of the two has no coordinates, in the same grid. It catches what was closed, not done.
 *
 * Distance is in integers, so that every machine says the same: along a meridian 10^-7 degree is 11.1195 mm; along a
 * parallel that much times the cosine, by Bhaskara's formula (off by 0.17 % at most: 9 cm of 50 m). */
#include "ctl/returns_internal.h"

#include <stdlib.h>

enum { NEAR_MM = 50000, CELL_LAT_E7 = 4500, CELL_LON_E7 = 9000, CELLS_ROUND = 1 << 20 };
_Static_assert(CELL_LAT_E7 * 111195LL / 10000 >= NEAR_MM && CELL_LON_E7 * 111195LL / 20000 >= NEAR_MM,
               "up to 60 degrees of latitude what is near lies in the same cell or in one beside it");
#define AGAIN_WITHIN_MS (30 * 86400000LL)

/* A new case by its category and place, then by when it was reported. A case is in the list under its grid, and again
 * by its cell or, where it has no coordinates, among those of its grid that have none. */
enum list { OF_GRID, OF_GRID_UNPLACED, OF_CELL };
struct arrival { uint16_t category; uint8_t list; int64_t place; int64_t opened_ms; uint32_t at; };

static int arrival_order(const void *a, const void *b) {
    const struct arrival *x = a, *y = b;
    if (x->category != y->category)
        return x->category < y->category ? -1 : 1;
    if (x->list != y->list)
        return x->list < y->list ? -1 : 1;
    if (x->place != y->place)
        return x->place < y->place ? -1 : 1;
    if (x->opened_ms != y->opened_ms)
        return x->opened_ms < y->opened_ms ? -1 : 1;
    return x->at < y->at ? -1 : x->at > y->at;
}

/* The cell so many to the north and to the east. */
static int64_t cell_of(const struct counted *c, int north, int east) {
    int64_t lat = ((int64_t)c->lat_e7 + 900000000) / CELL_LAT_E7, lon = ((int64_t)c->lon_e7 + 1800000000) / CELL_LON_E7;
    return (lat + north) * CELLS_ROUND + lon + east;
}

static bool near(const struct counted *a, const struct counted *b) {
    int64_t tenths = (a->lat_e7 < 0 ? -(int64_t)a->lat_e7 : a->lat_e7) / 1000000, square = tenths * tenths;
    int64_t cosine = 10000 * (3240000 - 4 * square) / (3240000 + square);
    int64_t north = ((int64_t)a->lat_e7 - b->lat_e7) * 111195 / 10000;
    int64_t east = ((int64_t)a->lon_e7 - b->lon_e7) * 111195 / 10000 * cosine / 10000;
    if (north > NEAR_MM || north < -NEAR_MM || east > NEAR_MM || east < -NEAR_MM)
        return false;
    return north * north + east * east <= (int64_t)NEAR_MM * NEAR_MM;
}

/* The first arrival that is not before `key`. */
static size_t first_from(const struct arrival *list, size_t count, const struct arrival *key) {
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (arrival_order(&list[middle], key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Whether one came after the closing at that place; of a cell it must be near. */
static bool came_back(const struct returns *r, const struct arrival *list, size_t count, const struct counted *c,
                      enum list which, int64_t place) {
    struct arrival key = {.category = c->category, .list = (uint8_t)which, .place = place,
                          .opened_ms = c->closed_ms + 1};
    for (size_t i = first_from(list, count, &key); i < count; i++) {
        const struct arrival *a = &list[i];
        const struct counted *other = counted_at(r, a->at);
        if (a->category != c->category || a->list != which || a->place != place
            || a->opened_ms > c->closed_ms + AGAIN_WITHIN_MS)
            return false;
        if (other != c && (which != OF_CELL || near(c, other)))
            return true;
    }
    return false;
}

/* to NULL: only how many. */
static size_t arrivals(const struct returns *r, struct arrival *to) {
    size_t count = 0;
    for (uint32_t i = 0; i < r->cases; i++) {
        const struct counted *c = counted_at(r, i);
        bool late = c->opened_ms >= r->from_ms && c->opened_ms < r->end_ms + AGAIN_WITHIN_MS;
        if (!late || !counts(r, c) || c->state == STATE_VOID)
            continue;
        struct arrival a = {.category = c->category, .place = (int64_t)r->divisions[c->division],
                            .opened_ms = c->opened_ms, .at = i};
        if (to)
            to[count] = a;
        a.list = c->has_place ? OF_CELL : OF_GRID_UNPLACED;
        a.place = c->has_place ? cell_of(c, 0, 0) : a.place;
        if (to)
            to[count + 1] = a;
        count += 2;
    }
    if (to)
        qsort(to, count, sizeof *to, arrival_order);
    return count;
}

uint8_t *recurred(const struct returns *r) {
    uint8_t *again = memory_or_die(r->cases + 1);
    struct arrival *list = memory_or_die((arrivals(r, NULL) + 1) * sizeof *list);
    size_t count = arrivals(r, list);
    for (uint32_t i = 0; i < r->cases; i++) {
        const struct counted *c = counted_at(r, i);
        if (!c->closed_ms || !counts(r, c))
            continue;
        bool back = came_back(r, list, count, c, c->has_place ? OF_GRID_UNPLACED : OF_GRID,
                              (int64_t)r->divisions[c->division]);
        for (int cell = 0; !back && c->has_place && cell < 9; cell++)
            back = came_back(r, list, count, c, OF_CELL, cell_of(c, cell / 3 - 1, cell % 3 - 1));
        again[i] = back;
    }
    free(list);
    return again;
}
