/* returns_sum.c: counted cases -> rows: the whole, each street, each community, each category. */
#include "ctl/returns_internal.h"

#include <stdlib.h>
#include <string.h>

/* ---- what a case is worth ---------------------------------------------------------------------------------------- */

bool counts(const struct returns *r, const struct counted *c) {
    bool covered = r->o.prefixes.count == 0;
    for (unsigned i = 0; i < r->o.prefixes.count; i++)
        covered |= division_covers(r->o.prefixes.at[i], r->divisions[c->division]);
    return covered && !c->exercise;
}

/* Its limit lies in the period and is over, or was met; and nobody took the case elsewhere before. */
static bool was_due(const struct returns *r, const struct counted *c) {
    int64_t limit_ms = c->promise_ms ? c->promise_ms : c->handling_ms;
    bool gone = c->state == STATE_MERGED || c->state == STATE_REJECTED || c->state == STATE_WITHDRAWN
        || c->state == STATE_TRANSFERRED;
    return limit_ms && in_period(r, limit_ms) && (limit_ms <= r->last_ms || c->verified) && (!gone || c->verified);
}

/* The first day is over, or somebody has answered in it. What another system answered is not known here. */
static bool was_to_respond(const struct returns *r, const struct counted *c) {
    bool over = c->responded || c->opened_ms + 86400000LL <= r->last_ms;
    return c->tick[TICK_REPORTED] && !c->self_handled && !c->imported && over;
}

static void worth(const struct returns *r, const struct counted *c, bool again, uint64_t sum[static SUMS]) {
    for (unsigned i = 0; i < TICKS; i++)
        sum[i] = c->tick[i];
    bool due = was_due(r, c), pending = c->round_unsigned && c->round_in_period && c->accept_ms <= r->last_ms;
    sum[TICK_SIGNING_OVER] += pending;
    sum[SUM_DUE] = due;
    sum[SUM_DUE_RESOLVED] = due && c->verified;
    sum[SUM_DUE_ON_TIME] = due && c->verified && c->verified_on_time;
    sum[SUM_DUE_CLOSED] = due && c->closed;
    sum[SUM_DUE_CLOSED_ON_TIME] = due && c->closed && c->closed_on_time;
    sum[SUM_HANDLED] = c->handled;
    sum[SUM_OPEN] = c->stood_open;
    sum[SUM_OVERDUE] = c->stood_overdue;
    sum[SUM_SUSPENDED_NOW] = c->stood_suspended;
    sum[SUM_RESPONSE_OVER] = was_to_respond(r, c);
    sum[SUM_RESPONDED] = was_to_respond(r, c) && c->responded_in_time;
    sum[SUM_ASKED] = c->asked;
    sum[SUM_SOLVED_ANSWERED] = c->asked && c->solved;
    sum[SUM_SOLVED] = c->asked && c->solved == OPINION_YES;
    sum[SUM_SATISFIED_ANSWERED] = c->asked && c->satisfied;
    sum[SUM_SATISFIED] = c->asked && c->satisfied == OPINION_YES;
    sum[SUM_CASES_CLOSED] = c->closed_ms != 0;
    sum[SUM_RECURRED] = c->closed_ms && again;
}

/* ---- rows -------------------------------------------------------------------------------------------------------- */

uint64_t row_code(const struct returns *r, const struct counted *c, enum scope scope) {
    uint64_t division = r->divisions[c->division];
    switch (scope) {
    case SCOPE_WHOLE: return 1;
    case SCOPE_STREET: return division_cut(division, level_digits(LEVEL_STREET));
    case SCOPE_COMMUNITY: return division_cut(division, level_digits(LEVEL_COMMUNITY));
    case SCOPE_CATEGORY: return (uint64_t)c->category + 1;
    default: NEVER("a scope");
    }
}

static int row_order(const void *a, const void *b) {
    const struct row *x = a, *y = b;
    if (x->scope != y->scope)
        return x->scope < y->scope ? -1 : 1;
    return x->code < y->code ? -1 : x->code > y->code;
}

/* Every row there is, once, before anything is added up: (scope, code), sorted. */
static void rows_make(struct returns *r) {
    size_t most = 1 + 2 * (size_t)r->divisions_count + r->categories_count, count = 0;
    struct row *rows = memory_or_die(most * sizeof *rows);
    rows[count++] = (struct row){.scope = SCOPE_WHOLE, .code = 1};
    for (uint32_t i = 0; i < r->divisions_count; i++) {
        uint64_t street = division_cut(r->divisions[i], level_digits(LEVEL_STREET));
        uint64_t community = division_cut(r->divisions[i], level_digits(LEVEL_COMMUNITY));
        if (street)
            rows[count++] = (struct row){.scope = SCOPE_STREET, .code = street};
        if (community)
            rows[count++] = (struct row){.scope = SCOPE_COMMUNITY, .code = community};
    }
    for (uint32_t i = 0; i < r->categories_count; i++)
        rows[count++] = (struct row){.scope = SCOPE_CATEGORY, .code = i + 1};
    qsort(rows, count, sizeof *rows, row_order);
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (kept == 0 || row_order(&rows[kept - 1], &rows[i]) != 0)
            rows[kept++] = rows[i];
    r->rows = rows;
    r->rows_count = kept;
}

/* Categories get their places by their codes, not by when they were met. */
static void categories_sort(struct returns *r) {
    char (*codes)[CATEGORY_BYTES_MAX + 1] = memory_or_die(CATEGORIES_KNOWN_MAX * sizeof *codes);
    uint16_t *place = memory_or_die(CATEGORIES_KNOWN_MAX * sizeof *place);
    for (uint32_t i = 0; i < r->categories_count; i++)
        for (uint32_t k = 0; k < r->categories_count; k++)
            place[i] = (uint16_t)(place[i] + (strcmp(r->categories[k], r->categories[i]) < 0));
    for (uint32_t i = 0; i < r->categories_count; i++)
        memcpy(codes[place[i]], r->categories[i], sizeof codes[0]);
    for (uint32_t i = 0; i < r->cases; i++)
        counted_at(r, i)->category = place[counted_at(r, i)->category];
    free(place);
    free(r->categories);
    r->categories = codes;
}

static struct row *row_find(const struct returns *r, enum scope scope, uint64_t code) {
    struct row key = {.scope = (uint8_t)scope, .code = code};
    return bsearch(&key, r->rows, r->rows_count, sizeof key, row_order);
}

static void add(struct returns *r, const struct counted *c, const uint64_t sum[static SUMS]) {
    for (int scope = 0; scope < SCOPES; scope++) {
        uint64_t code = row_code(r, c, (enum scope)scope);
        struct row *row = code ? row_find(r, (enum scope)scope, code) : NULL;
        for (unsigned i = 0; row && i < SUMS; i++)
            row->sum[i] += sum[i];
    }
}

void returns_sum(struct returns *r) {
    uint64_t sum[SUMS];
    int64_t until_ms = r->last_ms < r->end_ms ? r->last_ms : r->end_ms;
    for (uint32_t i = 0; i < r->cases; i++)
        CHECK(counted_stands(r, i, until_ms) == 0);
    categories_sort(r);
    rows_make(r);
    uint8_t *again = recurred(r);
    for (uint32_t i = 0; i < r->cases; i++) {
        const struct counted *c = counted_at(r, i);
        if (!counts(r, c))
            continue;
        memset(sum, 0, sizeof sum);
        if (c->state != STATE_VOID)
            worth(r, c, again[i], sum);
        else
            sum[SUM_VOID] = c->tick[TICK_REPORTED];
        add(r, c, sum);
    }
    free(again);
    stays_sum(r);
}
