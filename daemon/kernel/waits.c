/* waits.c: which timer is whose. */
#include "daemon/kernel/waits.h"
#include "daemon/kernel/decide_internal.h"

#define T(kind) (1u << TIMER_##kind)

static unsigned kinds_of(const struct case_state *c, const struct ask *ask) {
    if (!ask) return T(DESK) | T(SUPERVISE) | T(PROMISE);
    if (c->state == STATE_SUSPENDED) return T(REVIEW);
    if (!ask_at_cursor(c, ask)) return T(PROMISE);
    if (c->state == STATE_RESOLVED) return T(VERIFY) | T(SUPERVISE);
    unsigned handling = T(HANDLING) | T(PROMISE) | T(SUPERVISE);
    return ask->status == ASK_OPEN ? handling | T(ACCEPT) : handling;
}

/* NULL: none of them runs. */
static const struct timer *soonest(const struct case_state *c, unsigned kinds) {
    const struct timer *first = NULL;
    for (unsigned i = 0; i < c->timers_count; i++) {
        const struct timer *t = &c->timers[i];
        if (!t->stopped && kinds & 1u << t->kind && (!first || t->due_ms < first->due_ms)) first = t;
    }
    return first;
}

struct wait wait_of(const struct case_state *c, const struct ask *ask) {
    CHECK(case_open(c));
    const struct timer *t = soonest(c, kinds_of(c, ask));
    if (!t && c->handling_due_ms)
        return (struct wait){ TIMER_HANDLING, UNIT_MILLISECONDS, ask ? ask->asked_at_ms : c->opened_at_ms,
                              c->handling_due_ms };
    if (!t) t = soonest(c, ~0u);
    CHECK(t);                                     /* K1 */
    return (struct wait){ (PbTimerKind)t->kind, (PbUnit)t->unit, t->start_ms, t->due_ms };
}

bool case_waits_for_desk(const struct case_state *c, PbLevel level) {
    return (c->state == STATE_REPORTED || c->state == STATE_ACCEPTED) && c->level == level;
}

/* Not 100 before it is due, however the clock rounds. */
uint32_t wait_percent(const struct wait *w, const PbCalendar *calendar, int64_t now_ms) {
    enum { MOST = 1000000 };
    int64_t whole = unit_measure(calendar, w->unit, w->start_ms, w->due_ms);
    int64_t used = unit_measure(calendar, w->unit, w->start_ms, now_ms);
    int64_t percent = whole <= 0 ? 0 : used / whole >= MOST / 100 ? MOST : used * 100 / whole;
    if (now_ms >= w->due_ms) return percent > 100 ? (uint32_t)percent : 100;
    return percent < 99 ? (uint32_t)percent : 99;
}

const PbCalendar *case_calendar(const struct case_state *c, const PbRules *rules, const PbRules *calendar_rules) {
    CHECK(c->playbook >= 1 && c->playbook <= rules->n_playbooks);
    return calendar_of(calendar_rules ? calendar_rules : rules, rules, rules->playbooks[c->playbook - 1]);
}
