#include "tests/unit/laws.h"
#include "daemon/store/rows.h"
#include "lib/codec/codec.h"

#include <string.h>

struct lawful_seen lawful_seen;
uint64_t lawful_dear = 1;

const struct timer *first_timer(const struct case_state *c) {
    const struct timer *first = NULL;
    for (unsigned i = 0; i < c->timers_count; i++) {
        const struct timer *t = &c->timers[i];
        if (t->stopped) continue;
        if (!first || t->due_ms < first->due_ms || (t->due_ms == first->due_ms && t->kind < first->kind)) first = t;
    }
    return first;
}

unsigned arrow_taken(PbEvent__EventCase event, PbState from, PbState to) {
    for (unsigned i = 0; i < arrows_count; i++) {
        const struct arrow *a = &arrows[i];
        if (a->event == event && a->from & 1u << from && (a->to ? (a->to & 1u << to) != 0 : from == to)) return i;
    }
    NEVER("an event took a way that is in no table");
}

/* ---- live == replay ---------------------------------------------------------------------------------------------- */

static void check_same(const struct case_state *a, const struct case_state *b) {
    uint8_t row_a[DB_VALUE_MAX], row_b[DB_VALUE_MAX];
    size_t len = row_of_case(a, row_a);
    CHECK(row_of_case(b, row_b) == len && memcmp(row_a, row_b, len) == 0);
}

static void check_rows(const struct case_state *c) {
    static struct case_state again;
    uint8_t row[DB_VALUE_MAX], row_again[DB_VALUE_MAX];
    size_t len = row_of_case(c, row);
    CHECK(case_of_row(slice_from(row, len), &again));
    CHECK(row_of_case(&again, row_again) == len && memcmp(row, row_again, len) == 0);
}

static void folded(const struct case_state *before, PbEvent *const *events, size_t count, int64_t now_ms,
                   struct case_state *ret) {
    *ret = *before;
    for (size_t i = 0; i < count; i++) evolve(ret, events[i], before->last_seq + 1 + i, now_ms);
}

/* Into a record and out of it: a field that was set without its has_ would be lost in the journal. */
static void replayed(const struct case_state *before, const struct decision *d, int64_t now_ms,
                     struct case_state *ret) {
    static uint8_t memory[128 << 10];
    struct arena room;
    arena_wrap(&room, memory, sizeof memory);
    PbRecord record = {
        .has_first_seq = 1, .first_seq = before->last_seq + 1, .has_at_ms = 1, .at_ms = now_ms,
        .n_events = d->count, .events = (PbEvent **)d->events,
    }, *read;
    struct slice bytes = codec_packed(CODEC_RECORD, &record, &room);
    CHECK(bytes.at && codec_unpack_own(CODEC_RECORD, bytes, &room, &read) == 0);
    CHECK(read->n_events == d->count);
    folded(before, read->events, read->n_events, now_ms, ret);
}

/* ---- asks and time ----------------------------------------------------------------------------------------------- */

/* Since when that party has been asked this, itself or whoever it took over from; now: it is asked anew. */
static int64_t asked_since(const struct case_state *before, const struct ask *a, const struct order *order,
                           int64_t now_ms) {
    const struct ask *was = case_ask(before, a->party, a->stage, a->attempt);
    if (!was && order->kind == ORDER_HAND_OVER) was = case_ask(before, order->hand_over->from, a->stage, a->attempt);
    return was ? was->asked_at_ms : now_ms;
}

/* No ask is there twice, nor older or younger than it was, and the verifier did nothing of what he verifies. */
static void check_asks(const struct case_state *before, const struct case_state *c, const struct order *order,
                       int64_t now_ms) {
    const struct ask *handler = case_handler(c);
    CHECK(c->state != STATE_RESOLVED || handler);
    for (unsigned i = 0; i < c->asks_count; i++) {
        const struct ask *a = &c->asks[i];
        bool elsewhere = order->kind == ORDER_IMPORT;               /* it was asked there, when it was */
        CHECK(elsewhere || a->asked_at_ms == asked_since(before, a, order, now_ms));
        CHECK(a->answered_at_ms == 0 || (a->answered_at_ms >= a->asked_at_ms && a->answered_at_ms <= now_ms));
        for (unsigned k = 0; k < c->asks_count && c->state == STATE_RESOLVED && ask_is_open(a); k++)
            CHECK(c->asks[k].status != ASK_DONE || c->asks[k].stage != handler->stage ||
                  c->asks[k].attempt != handler->attempt || strcmp(c->asks[k].party, a->party) != 0);
        for (unsigned k = 0; k < i; k++)
            CHECK(a->stage != c->asks[k].stage || a->attempt != c->asks[k].attempt ||
                  strcmp(a->party, c->asks[k].party) != 0);
    }
}

static void check_time(const struct case_state *before, const struct case_state *after, const struct order *order,
                       int64_t now_ms) {
    const struct timer *was = order->kind == ORDER_DEADLINE ? case_timer(before, order->deadline.kind) : NULL;
    if (was) {
        const struct timer *is = case_timer(after, order->deadline.kind);
        CHECK(was->due_ms <= now_ms && (!is || is->due_ms > now_ms));
    }
    CHECK(!case_open(after) || first_timer(after));
    CHECK(before->id == 0 || after->last_seq > before->last_seq);
}

/* ---- one step ---------------------------------------------------------------------------------------------------- */

/* Counts it, and folds what happened into *ret. */
static void see(const struct case_state *before, const struct order *order, const struct decision *d, int64_t now_ms,
                struct case_state *ret) {
    PbState from = before->id ? (PbState)before->state : STATE_NONE;
    CHECK(arrows_count <= SEEN_ARROWS && (unsigned)d->refusal < SEEN_REFUSALS);
    lawful_seen.cell[order->kind][from]++;
    lawful_seen.refused[order->kind][d->refusal]++;
    if (d->refusal) return;
    lawful_seen.happened[order->kind][from]++;
    if (order->kind == ORDER_DEADLINE) lawful_seen.fired[order->deadline.kind][from]++;
    *ret = *before;
    for (uint32_t i = 0; i < d->count; i++) {
        from = ret->id ? (PbState)ret->state : STATE_NONE;
        evolve(ret, d->events[i], ret->last_seq + 1, now_ms);
        lawful_seen.arrow[arrow_taken(d->events[i]->event_case, from, (PbState)ret->state)][from]++;
    }
}

/* Deciding again says the same; so do the bytes of what was said; the row is the case. */
static void check_dear(const struct decide_input *in, const struct order *order, const struct decision *d,
                       const struct case_state *after) {
    static struct case_state again;
    static struct decision second;
    decide(in, order, &second);
    CHECK(d->refusal == second.refusal && d->count == second.count);
    if (d->refusal) return;
    folded(in->state, second.events, second.count, in->now_ms, &again);
    check_same(after, &again);
    replayed(in->state, &second, in->now_ms, &again);
    check_same(after, &again);
    check_rows(after);
}

void lawful_step(const struct decide_input *in, const struct order *order, struct case_state *c, struct decision *ret) {
    static struct case_state before, after;
    static uint64_t steps;
    CHECK(in->state == c);
    bool dear = ++steps % lawful_dear == 0;
    before = *c;
    if (dear) case_check(&before);
    decide(in, order, ret);
    CHECK(memcmp(&before, c, sizeof before) == 0);
    see(&before, order, ret, in->now_ms, &after);
    if (dear) check_dear(in, order, ret, &after);
    if (ret->refusal) {
        CHECK(ret->count == 0);
        return;
    }
    case_check(&after);
    check_asks(&before, &after, order, in->now_ms);
    check_time(&before, &after, order, in->now_ms);
    *c = after;
}
