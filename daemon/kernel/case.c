/* case.c: the laws of a case, asserted. The words beside each CHECK are the invariants of kernel.h. */
#include "daemon/kernel/kernel.h"

#include <string.h>

bool case_is_erased(const struct case_state *c) {
    return c->id != 0 && c->state == STATE_ARCHIVED;
}

/* A case that went elsewhere is open until somebody there has said that they have it. */
bool case_open(const struct case_state *c) {
    const unsigned ended = 1u << STATE_CLOSED | 1u << STATE_REJECTED | 1u << STATE_MERGED | 1u << STATE_WITHDRAWN
        | 1u << STATE_VOID | 1u << STATE_ARCHIVED;
    if (c->id == 0 || ended & 1u << c->state) return false;
    return c->state != STATE_TRANSFERRED || !c->more.transfer_acked;
}

bool case_ended(const struct case_state *c) {
    return c->id != 0 && !case_open(c);
}

static bool at_the_desk(const struct case_state *c) {
    return c->id != 0 && (c->state == STATE_REPORTED || c->state == STATE_ACCEPTED);
}

bool case_wants_desk(const struct case_state *c) {
    return at_the_desk(c) && !c->offer_dead;
}

bool case_is_dead_letter(const struct case_state *c) {
    return at_the_desk(c) && c->offer_dead && !c->more.dead_dropped;
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
    CHECK(stage >= 1 && stage <= STAGES_MAX);
    return c->attempts[stage - 1] + 1u;
}

/* K5: which of the timers that only one state has must be there. */
static void check_timers_of_state(const struct case_state *c, unsigned kinds) {
    bool desk = kinds & 1u << TIMER_DESK, verify = kinds & 1u << TIMER_VERIFY;
    bool review = kinds & 1u << TIMER_REVIEW, followup = kinds & 1u << TIMER_FOLLOWUP;
    bool transfer = kinds & 1u << TIMER_TRANSFER, supervise = kinds & 1u << TIMER_SUPERVISE;
    if (c->state == STATE_REPORTED || c->state == STATE_ACCEPTED) CHECK(desk || supervise);
    else CHECK(!desk);
    if (c->state == STATE_RESOLVED) CHECK(verify || supervise);
    else CHECK(!verify);
    if (c->state == STATE_TRANSFERRED && case_open(c)) CHECK(transfer || supervise);
    else CHECK(!transfer);
    CHECK(review == (c->state == STATE_SUSPENDED));
    CHECK(followup == (c->state == STATE_FOLLOWUP));
}

/* K1, K3 */
static void check_timers(const struct case_state *c) {
    unsigned kinds = 0, running = 0;
    CHECK(c->timers_count <= CASE_TIMERS_MAX);
    for (unsigned i = 0; i < c->timers_count; i++) {
        const struct timer *t = &c->timers[i];
        CHECK(t->kind != TIMER_NONE && t->kind <= TIMER_TRANSFER);
        CHECK((kinds & 1u << t->kind) == 0);                                          /* K3 */
        CHECK(t->due_ms > 0);                                                         /* K3 */
        CHECK(!t->stopped || c->state == STATE_SUSPENDED);                            /* K3 */
        kinds |= 1u << t->kind;
        running += !t->stopped;
    }
    CHECK(case_open(c) ? running != 0 : kinds == 0);                                  /* K1 */
    check_timers_of_state(c, kinds);
}

/* K4 */
static void check_asks(const struct case_state *c) {
    unsigned open_all = 0, open_here = 0, leads_here = 0;
    CHECK(c->asks_count <= CASE_ASKS_MAX);
    for (unsigned i = 0; i < c->asks_count; i++) {
        const struct ask *a = &c->asks[i];
        CHECK(a->party[0] != '\0' && a->stage >= 1 && a->attempt >= 1 && a->status <= ASK_VERIFIED);
        open_all += ask_is_open(a);
        open_here += ask_is_open(a) && ask_at_cursor(c, a);
        leads_here += a->lead && ask_at_cursor(c, a);
    }
    switch (c->state) {
    case STATE_DISPATCHED: case STATE_HANDLING: case STATE_SUSPENDED:
        CHECK(open_here >= 1 && leads_here == 1);
        break;
    case STATE_RESOLVED: CHECK(open_here == 1 && leads_here == 1); break;
    case STATE_REPORTED: case STATE_ACCEPTED: CHECK(open_here == 0); break;
    default: CHECK(open_all == 0);
    }
}

void case_check(const struct case_state *c) {
    if (c->id == 0) return;
    CHECK(c->state > STATE_NONE && c->state <= STATE_ARCHIVED);
    CHECK(c->stage >= 1 && c->stage <= STAGES_MAX && c->attempt >= 1 && c->level <= LEVEL_CITY);     /* K2 */
    CHECK(c->attempt <= c->attempts[c->stage - 1]);                                                   /* K2 */
    CHECK(c->last_seq >= c->id && c->opened_at_ms > 0);                                               /* K6 */
    CHECK(c->resolved_at_ms == 0 || c->resolved_at_ms >= c->opened_at_ms);                            /* K6 */
    CHECK(c->closed_at_ms == 0 || c->closed_at_ms >= c->resolved_at_ms);                              /* K6 */
    CHECK(case_ended(c) == (c->closed_at_ms != 0));                                                   /* K6 */
    if (c->state != STATE_ARCHIVED) CHECK((c->state == STATE_MERGED) == (c->more.master != 0));       /* K7 */
    bool runs = c->state == STATE_HANDLING && (case_timer(c, TIMER_HANDLING) || case_timer(c, TIMER_PROMISE));
    CHECK(runs || c->more.extension_amount == 0);                                                     /* K7 */
    check_timers(c);
    check_asks(c);
}

/* ---- words ------------------------------------------------------------------------------------------------------- */

const char *state_name(PbState state) {
    static const char *const names[] = {
        "none", "reported", "accepted", "dispatched", "handling", "resolved", "closed", "rejected", "suspended",
        "followup", "merged", "withdrawn", "void", "transferred", "archived",
    };
    return (unsigned)state < COUNT_OF(names) ? names[state] : "?";
}

const char *order_name(enum order_kind kind) {
    static const char *const names[ORDER_COUNT] = {
#define X(name, word) [ORDER_##name] = word,
        ORDERS(X)
#undef X
    };
    return (unsigned)kind < ORDER_COUNT ? names[kind] : "?";
}

const char *event_name(const PbEvent *e) {
    static const char *const names[] = {
        [EVENT_REPORTED] = "reported", [EVENT_SELF_HANDLED] = "self-handled", [EVENT_ACCEPTED] = "accepted",
        [EVENT_REJECTED] = "rejected", [EVENT_DISPATCHED] = "dispatched", [EVENT_SIGNED] = "signed",
        [EVENT_ANSWERED] = "answered", [EVENT_REMINDED] = "reminded", [EVENT_SUPERVISED] = "supervised",
        [EVENT_ESCALATED] = "escalated", [EVENT_MILESTONE_DONE] = "milestone-done", [EVENT_RESOLVED] = "resolved",
        [EVENT_VERIFIED] = "verified", [EVENT_REWORK] = "rework", [EVENT_CLOSED] = "closed", [EVENT_NOTED] = "noted",
        [EVENT_OFFER_FAILED] = "offer-failed", [EVENT_APPEALED] = "appealed", [EVENT_MERGED] = "merged",
        [EVENT_SPLIT] = "split", [EVENT_WITHDRAWN] = "withdrawn", [EVENT_RETURNED] = "returned",
        [EVENT_REASSIGNED] = "reassigned", [EVENT_ARBITRATED] = "arbitrated",
        [EVENT_EXTENSION_ASKED] = "extension-asked", [EVENT_EXTENSION_GRANTED] = "extension-granted",
        [EVENT_EXTENSION_REFUSED] = "extension-refused", [EVENT_SUSPENDED] = "suspended",
        [EVENT_RESUMED] = "resumed", [EVENT_DELEGATED] = "delegated", [EVENT_FOLLOWUP_BEGUN] = "followup-begun",
        [EVENT_FOLLOWED_UP] = "followed-up", [EVENT_REOPENED] = "reopened", [EVENT_TRANSFERRED] = "transferred",
        [EVENT_TRANSFER_ACKNOWLEDGED] = "transfer-acknowledged", [EVENT_VOID_ASKED] = "void-asked",
        [EVENT_VOIDED] = "voided", [EVENT_ARCHIVED] = "archived", [EVENT_CORRECTED] = "corrected",
        [EVENT_IMPORTED] = "imported", [EVENT_HANDED_OVER] = "handed-over", [EVENT_CASE_MOVED] = "case-moved",
        [EVENT_DUE_MOVED] = "due-moved", [EVENT_DEAD_RETRIED] = "dead-retried", [EVENT_DEAD_DROPPED] = "dead-dropped",
    };
    size_t kind = (size_t)e->event_case;
    return kind < COUNT_OF(names) && names[kind] ? names[kind] : "of-the-broker";
}
