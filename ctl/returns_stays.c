/* returns_stays.c: how long cases waited, and for whom: the median and the ninth decile of each row's stays, by nearest
 * rank: the value that half, or nine tenths, of the stays do not exceed. Exact: every stay is kept, and sorted. */
#include "ctl/returns_internal.h"

#include <stdlib.h>

/* A stay under the row it is told in. */
struct placed { uint64_t code; int64_t ms; uint8_t level, wait; };

static int placed_order(const void *a, const void *b) {
    const struct placed *x = a, *y = b;
    if (x->code != y->code)
        return x->code < y->code ? -1 : 1;
    if (x->level != y->level)
        return x->level < y->level ? -1 : 1;
    if (x->wait != y->wait)
        return x->wait < y->wait ? -1 : 1;
    return x->ms < y->ms ? -1 : x->ms > y->ms;
}

static bool same_row(const struct placed *a, const struct placed *b) {
    return a->code == b->code && a->level == b->level && a->wait == b->wait;
}

static int64_t ranked(const struct placed *from, size_t count, unsigned percent) {
    size_t rank = (count * percent + 99) / 100;
    return from[rank ? rank - 1 : 0].ms;
}

static size_t place(const struct returns *r, enum scope scope, struct placed *to) {
    size_t count = 0;
    for (size_t i = 0; i < r->stays_count; i++) {
        const struct stay *s = &r->stays[i];
        const struct counted *c = counted_at(r, s->at);
        uint64_t code = row_code(r, c, scope);
        if (code && counts(r, c) && c->state != STATE_VOID)
            to[count++] = (struct placed){.code = code, .ms = s->ms, .level = s->level, .wait = s->wait};
    }
    qsort(to, count, sizeof *to, placed_order);
    return count;
}

/* One row a run of equals; counted first, so that the memory is what it takes. */
static size_t runs(const struct placed *p, size_t count, enum scope scope, struct row_stays *to) {
    size_t rows = 0;
    for (size_t from = 0, end; from < count; from = end, rows++) {
        for (end = from + 1; end < count && same_row(&p[from], &p[end]); end++)
            continue;
        if (to)
            to[rows] = (struct row_stays){.scope = (uint8_t)scope, .code = p[from].code, .level = p[from].level,
                                          .wait = p[from].wait, .count = end - from,
                                          .p50_ms = ranked(p + from, end - from, 50),
                                          .p90_ms = ranked(p + from, end - from, 90)};
    }
    return rows;
}

void stays_sum(struct returns *r) {
    struct placed *p = memory_or_die((r->stays_count + 1) * sizeof *p);
    for (int scope = 0; scope < SCOPES; scope++) {
        size_t count = place(r, (enum scope)scope, p), more = runs(p, count, (enum scope)scope, NULL);
        struct row_stays *rows = realloc(r->row_stays, (r->row_stays_count + more + 1) * sizeof *rows);
        CHECK(rows);
        r->row_stays = rows;
        r->row_stays_count += runs(p, count, (enum scope)scope, rows + r->row_stays_count);
    }
    free(p);
}
