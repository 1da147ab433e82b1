/* similar.c: open cases that may be the same one: of the same category, close by, and not long before or after. A desk
 * looks before it merges. */
#include "daemon/query.h"

#include <errno.h>
#include <math.h>

enum { NEAR_M = 50, SIMILAR_SCAN_MAX = 10000 };
#define APART_MS (72 * 3600000LL)

/* Haversine on a sphere: right to a few millimetres where it matters. */
static double metres(const struct case_state *a, const struct case_state *b) {
    const double radians = 3.14159265358979323846 / 180 * 1e-7, earth_m = 6371008.8;
    double lat_a = a->lat_e7 * radians, lat_b = b->lat_e7 * radians;
    double north = sin((lat_b - lat_a) / 2), east = sin(((double)b->lon_e7 - a->lon_e7) * radians / 2);
    return 2 * earth_m * asin(sqrt(fmin(1, north * north + cos(lat_a) * cos(lat_b) * east * east)));
}

static uint64_t community_of(const struct case_state *c) {
    return division_cut(c->division, level_digits(LEVEL_COMMUNITY));
}

static bool similar(const struct case_state *a, const struct case_state *b) {
    int64_t apart_ms = a->opened_at_ms - b->opened_at_ms;
    if (a->id == b->id || !slice_equal(slice_of(a->category), slice_of(b->category))) return false;
    if (apart_ms > APART_MS || apart_ms < -APART_MS) return false;
    if (a->has_place && b->has_place) return metres(a, b) <= NEAR_M;
    return community_of(a) && community_of(a) == community_of(b);
}

struct search { struct case_state *of; struct page page; unsigned scanned; };

/* What lies under `but` has been looked at. */
static void search_under(struct daemon *d, struct search *s, uint64_t prefix, uint64_t but) {
    uint64_t division = 0, id = 0;
    while (was_found(store_next_open(d->store, prefix, division, id, &division, &id))) {
        if (page_full(&s->page) || s->scanned++ == SIMILAR_SCAN_MAX) {
            SET(&s->page.list, more, true);
            return;
        }
        d->looked_at++;
        if (but && division_covers(but, division)) continue;
        must_read(store_case(d->store, id, &d->other));
        if (similar(s->of, &d->other)) page_add(d, &s->page, &d->other);
    }
}

/* Its own community first; with a place, the whole district, for what lies across the street. */
void find_similar(struct daemon *d, const struct query *q) {
    struct search s = { .of = &d->before };
    int r = store_case(d->store, q->envelope->find_similar->case_id, s.of);
    if (r == -ENOENT) return query_refuse(d, q, REFUSED_NO_SUCH_CASE, "case_id");
    must_read(r);
    if (!guard_may(&q->source, GUARD_QUERY, s.of->division)) return query_refuse(d, q, REFUSED_NOT_PERMITTED, NULL);
    if (!may_look(d, q)) return;
    page_begin(d, &s.page, 0);
    uint64_t community = community_of(s.of);
    if (community) search_under(d, &s, community, 0);
    if (s.of->has_place && !s.page.list.more) search_under(d, &s, s.of->district, community);
    page_reply(d, q, &s.page);
}
