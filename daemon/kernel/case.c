/* case.c: the laws of a case, asserted. The words beside each CHECK are the invariants of kernel.h. */
#include "daemon/kernel/kernel.h"

#include <string.h>

bool case_open(const struct case_state *c) {
    return c->id != 0 && c->state != STATE_CLOSED && c->state != STATE_REJECTED;
}

bool case_wants_desk(const struct case_state *c) {
    return c->id != 0 && (c->state == STATE_REPORTED || c->state == STATE_ACCEPTED) && !c->offer_dead;
}

bool ask_is_open(const struct ask *a) {
    return a->status == ASK_OPEN || a->status == ASK_ACCEPTED;
}

bool ask_at_cursor(const struct case_state *c, const struct ask *a) {
    return a->stage == c->stage && a->attempt == c->attempt;
}

const struct timer *case_timer(const struct case_state *c, PbTimerKind kind) {
    for (unsigned i = 0; i < c->timers_count; i++)
        if (c->timers[i].kind == kind) return &c->timers[i];
    return NULL;
}

const struct ask *case_ask(const struct case_state *c, const char *party, uint32_t stage, uint32_t attempt) {
    for (unsigned i = 0; i < c->asks_count; i++)
        if (c->asks[i].stage == stage && c->asks[i].attempt == attempt && strcmp(c->asks[i].party, party) == 0)
            return &c->asks[i];
    return NULL;
}

const struct ask *case_handler(const struct case_state *c) {
    const struct ask *last = NULL;
    for (unsigned i = 0; i < c->asks_count; i++)
        if (c->asks[i].status == ASK_DONE && (!last || c->asks[i].answered_at_ms >= last->answered_at_ms))
            last = &c->asks[i];
    return last;
}

uint32_t case_next_attempt(const struct case_state *c, uint32_t stage) {
    uint32_t most = 0;
    for (unsigned i = 0; i < c->asks_count; i++)
        if (c->asks[i].stage == stage && c->asks[i].attempt > most) most = c->asks[i].attempt;
    return most + 1;
}

/* K1, K3, K5 */
static void check_timers(const struct case_state *c) {
    unsigned kinds = 0;
    CHECK(c->timers_count <= CASE_TIMERS_MAX);
    for (unsigned i = 0; i < c->timers_count; i++) {
        const struct timer *t = &c->timers[i];
        CHECK(t->kind != TIMER_NONE && t->kind <= TIMER_SUPERVISE);
        CHECK((kinds & 1u << t->kind) == 0);                                          /* K3 */
        CHECK(t->due_ms > 0);                                                         /* K3 */
        kinds |= 1u << t->kind;
    }
    CHECK(case_open(c) ? kinds != 0 : kinds == 0);                                    /* K1 */
    bool desk = kinds & 1u << TIMER_DESK, verify = kinds & 1u << TIMER_VERIFY;
    bool supervise = kinds & 1u << TIMER_SUPERVISE;
    if (c->state == STATE_REPORTED || c->state == STATE_ACCEPTED) CHECK(desk || supervise);   /* K5 */
    else CHECK(!desk);
    if (c->state == STATE_RESOLVED) CHECK(verify || supervise);
    else CHECK(!verify);
}

/* K4 */
static void check_asks(const struct case_state *c) {
    unsigned open_all = 0, open_here = 0, leads_here = 0;
    CHECK(c->asks_count <= CASE_ASKS_MAX);
    for (unsigned i = 0; i < c->asks_count; i++) {
        const struct ask *a = &c->asks[i];
        CHECK(a->party[0] != '\0' && a->stage >= 1 && a->attempt >= 1 && a->status <= ASK_ENDED);
        open_all += ask_is_open(a);
        open_here += ask_is_open(a) && ask_at_cursor(c, a);
        leads_here += a->lead && ask_at_cursor(c, a);
    }
    switch (c->state) {
    case STATE_DISPATCHED: case STATE_HANDLING: CHECK(open_here >= 1 && leads_here == 1); break;
    case STATE_RESOLVED: CHECK(open_here == 1 && leads_here == 1); break;
    case STATE_REPORTED: case STATE_ACCEPTED: CHECK(open_here == 0); break;
    default: CHECK(open_all == 0);
    }
}

void case_check(const struct case_state *c) {
    if (c->id == 0) return;
    CHECK(c->state > STATE_NONE && c->state <= STATE_REJECTED);
    CHECK(c->stage >= 1 && c->stage <= STAGES_MAX && c->attempt >= 1 && c->level <= LEVEL_CITY);     /* K2 */
    CHECK(c->last_seq >= c->id && c->opened_at_ms > 0);                                               /* K6 */
    CHECK(c->resolved_at_ms == 0 || c->resolved_at_ms >= c->opened_at_ms);                            /* K6 */
    CHECK(c->closed_at_ms == 0 || c->closed_at_ms >= c->resolved_at_ms);                              /* K6 */
    check_timers(c);
    check_asks(c);
}

const char *state_name(PbState state) {
    static const char *const names[] = {
        "none", "reported", "accepted", "dispatched", "handling", "resolved", "closed", "rejected",
    };
    return (unsigned)state < COUNT_OF(names) ? names[state] : "?";
}

const char *order_name(enum order_kind kind) {
    static const char *const names[ORDER_COUNT] = {
        "report", "self-handle", "answer", "accept", "reject", "dispatch", "escalate", "note", "later", "deadline",
        "offer-failed",
    };
    return (unsigned)kind < ORDER_COUNT ? names[kind] : "?";
}

const char *event_name(const PbEvent *e) {
    switch (e->event_case) {
    case EVENT_REPORTED: return "reported";
    case EVENT_SELF_HANDLED: return "self-handled";
    case EVENT_ACCEPTED: return "accepted";
    case EVENT_REJECTED: return "rejected";
    case EVENT_DISPATCHED: return "dispatched";
    case EVENT_SIGNED: return "signed";
    case EVENT_ANSWERED: return "answered";
    case EVENT_REMINDED: return "reminded";
    case EVENT_SUPERVISED: return "supervised";
    case EVENT_ESCALATED: return "escalated";
    case EVENT_MILESTONE_DONE: return "milestone-done";
    case EVENT_RESOLVED: return "resolved";
    case EVENT_VERIFIED: return "verified";
    case EVENT_REWORK: return "rework";
    case EVENT_CLOSED: return "closed";
    case EVENT_NOTED: return "noted";
    case EVENT_OFFER_FAILED: return "offer-failed";
    default: return "of-the-broker";
    }
}
