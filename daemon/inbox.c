/* inbox.c: what waits for a party, or for a desk, soonest first.
 *
 *   gather    the party's open asks by their index; for a desk the open cases of its division that it decides next, and
 *             the asks of its own party, which verifies
 *   sort      by due, then case: that pair is where the next page goes on from
 *   show      a page, each with how much of its limit is used */
#include "daemon/kernel/waits.h"
#include "daemon/query.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { GATHERED_MAX = 10000, LOOKED_AT_MAX = 20000 };

struct item { int64_t due_ms; uint64_t case_id; uint8_t stage, attempt; };   /* stage 0: the desk decides */

struct inbox {
    struct daemon *d;
    char party[PARTY_BYTES_MAX + 1];
    uint64_t division;                            /* of the desk; 0: a party's inbox */
    PbLevel level;
    struct item *items;
    unsigned count, looked_at, overdue;
    bool cut;                                     /* more waits than is looked at */
};

/* ---- gather ---------------------------------------------------------------------------------------------------- */

/* A case once, however often it asks the same party: by what is soonest. */
static void add(struct inbox *b, const struct case_state *c, const struct ask *ask) {
    struct wait w = wait_of(c, ask);
    struct item item = { .due_ms = w.due_ms, .case_id = c->id, .stage = ask ? ask->stage : 0,
                         .attempt = ask ? ask->attempt : 0 };
    struct item *last = b->count ? &b->items[b->count - 1] : NULL;
    if (last && last->case_id == c->id) {
        if (item.due_ms < last->due_ms) *last = item;
        return;
    }
    if (b->count == GATHERED_MAX) b->cut = true;
    else b->items[b->count++] = item;
    b->overdue += b->d->now_ms >= w.due_ms || c->overdue;
}

static bool looks_on(struct inbox *b) {
    b->d->looked_at++;
    if (b->count == GATHERED_MAX || ++b->looked_at > LOOKED_AT_MAX) b->cut = true;
    return !b->cut;
}

static bool is_ours(const struct inbox *b, const struct case_state *c) {
    if (!b->division || !case_waits_for_desk(c, b->level)) return false;
    const PbRules *rules = must_have_rules(b->d, c->rules);
    return division_at_level(rules, c->division, b->level, b->d->now_ms) == b->division;
}

static void gather_asks(struct inbox *b) {
    struct ask_row row;
    const struct ask_row *after = NULL;
    struct case_state *c = &b->d->before;
    for (; was_found(store_next_ask(b->d->store, b->party, after, &row)) && looks_on(b); after = &row) {
        must_read(store_case(b->d->store, row.case_id, c));
        const struct ask *ask = case_ask(c, b->party, row.stage, row.attempt);
        if (ask && ask_is_open(ask) && !is_ours(b, c)) add(b, c, ask);
    }
}

static void gather_under(struct inbox *b, uint64_t prefix) {
    uint64_t division = 0, id = 0;
    struct case_state *c = &b->d->before;
    while (was_found(store_next_open(b->d->store, prefix, division, id, &division, &id)) && looks_on(b)) {
        must_read(store_case(b->d->store, id, c));
        if (is_ours(b, c)) add(b, c, NULL);
    }
}

/* 代管: what others are the territory of and this division manages, too. */
static void gather_desk(struct inbox *b) {
    const PbRules *rules = must_have_rules(b->d, store_rules_number(b->d->store));
    gather_under(b, b->division);
    for (size_t i = 0; i < rules->n_managed_by; i++) {
        const PbManagedBy *m = rules->managed_by[i];
        bool elsewhere = !division_covers(b->division, m->division);
        bool holds = division_above(rules, m->division, b->d->now_ms) == m->by;
        if (elsewhere && holds && division_covers(b->division, m->by)) gather_under(b, m->division);
    }
}

/* ---- sort, show ------------------------------------------------------------------------------------------------ */

static int by_due(const void *a, const void *b) {
    const struct item *x = a, *y = b;
    if (x->due_ms != y->due_ms) return x->due_ms < y->due_ms ? -1 : 1;
    return x->case_id < y->case_id ? -1 : x->case_id > y->case_id;
}

static PbInboxItem *view_item(struct inbox *b, const struct item *item) {
    struct daemon *d = b->d;
    struct case_state *c = &d->before;
    must_read(store_case(d->store, item->case_id, c));
    const struct ask *ask = item->stage ? case_ask(c, b->party, item->stage, item->attempt) : NULL;
    const PbRules *calendars = c->more.calendar_rules ? must_have_rules(d, c->more.calendar_rules) : NULL;
    struct wait w = wait_of(c, ask);
    PbInboxItem *to = arena_must(&d->room, sizeof *to);
    to->case_view = must_view(d, c, false);
    SET(to, waits_for, w.kind);
    SET(to, due_ms, w.due_ms);
    SET(to, budget_percent,
        wait_percent(&w, case_calendar(c, must_have_rules(d, c->rules), calendars), d->now_ms));
    to->party = b->party;
    if (ask) SET(to, lead, ask->lead);
    return to;
}

static void show(struct inbox *b, const PbShowInbox *w, PbInbox *to) {
    struct item after = { .due_ms = w->after_due_ms, .case_id = w->after_case_id };
    unsigned most = page_most(w->count);
    size_t bytes_used = 0;
    to->items = arena_must(&b->d->room, most * sizeof *to->items);
    qsort(b->items, b->count, sizeof *b->items, by_due);
    for (unsigned i = 0; i < b->count; i++) {
        if (w->has_after_due_ms && by_due(&b->items[i], &after) <= 0) continue;
        if (to->n_items == most || bytes_used > PAGE_BYTES_MAX) {
            SET(to, more, true);
            break;
        }
        PbInboxItem *item = to->items[to->n_items++] = view_item(b, &b->items[i]);
        codec_prepare(CODEC_CASE_VIEW, item->case_view);
        bytes_used += codec_size(CODEC_CASE_VIEW, item->case_view);
    }
    if (b->cut) SET(to, more, true);
    SET(to, waiting, b->count);
    SET(to, overdue, b->overdue);
}

/* ---- the question ---------------------------------------------------------------------------------------------- */

/* Whose inbox. NOTHING, or why there is none, with the field. */
static PbRefusal open_inbox(struct daemon *d, const PbShowInbox *w, struct inbox *b, const char **ret_field) {
    const PbRules *rules = must_have_rules(d, store_rules_number(d->store));
    struct slice role;
    uint64_t at;
    *b = (struct inbox){ .d = d };
    *ret_field = w->party ? "party" : "division";
    if (w->party) {
        size_t len = strlen(w->party);
        if (len > PARTY_BYTES_MAX || !party_split(slice_of(w->party), &role, &at)) return REFUSED_UNKNOWN_PARTY;
        memcpy(b->party, w->party, len + 1);
        return REFUSED_NOTHING;
    }
    if (!w->has_division) return *ret_field = "party", REFUSED_FIELD_MISSING;
    if (!division_digits(w->division)) return REFUSED_BAD_DIVISION;
    if (!rules_division(rules, w->division)) return REFUSED_UNKNOWN_DIVISION;
    b->division = w->division;
    b->level = w->has_level ? w->level : division_level(w->division);
    const PbRole *desk = rules_role_of_kind(rules, ROLE_DESK, b->level);
    if (!desk || b->level != division_level(w->division)) return *ret_field = "level", REFUSED_FIELD_RANGE;
    party_print(b->party, desk->slug, b->division);
    return REFUSED_NOTHING;
}

void show_inbox(struct daemon *d, const struct query *q) {
    const PbShowInbox *w = q->envelope->show_inbox;
    struct inbox b;
    const char *field;
    PbRefusal refusal = open_inbox(d, w, &b, &field);
    if (refusal) return query_refuse(d, q, refusal, field);
    if (!guard_may(&q->source, GUARD_QUERY, b.division)) return query_refuse(d, q, REFUSED_NOT_PERMITTED, field);
    if (!may_look(d, q)) return;
    b.items = arena_must(&d->room, GATHERED_MAX * sizeof *b.items);
    if (b.division) gather_desk(&b);
    gather_asks(&b);
    PbInbox inbox = { .n_items = 0 };
    show(&b, w, &inbox);
    PbReply reply = { .reply_case = REPLY_INBOX, .inbox = &inbox };
    query_reply(d, q, &reply);
}
