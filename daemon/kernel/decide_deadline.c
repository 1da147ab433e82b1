/* decide_deadline.c: what happens at due. Never early; who is told next is in the table. */
#include "daemon/kernel/decide_internal.h"

static void remind(struct scene *s, int64_t late_ms) {
    PbReminded *to = happen(s, EVENT_REMINDED)->reminded = make(s, sizeof *to);
    SET(to, stage, s->c->stage);
    SET(to, attempt, s->c->attempt);
    if (late_ms > 0) SET(to, late_ms, late_ms);
}

/* Escalated (level + 1) at due; on the last rung Supervised. NONE: not a matter of climbing. */
static const PbCause causes[] = {
    [TIMER_DESK]      = CAUSE_DESK_SILENT,
    [TIMER_ACCEPT]    = CAUSE_ACCEPT_OVERDUE,
    [TIMER_REMIND]    = CAUSE_NONE,
    [TIMER_HANDLING]  = CAUSE_HANDLING_OVERDUE,
    [TIMER_PROMISE]   = CAUSE_PROMISE_OVERDUE,
    [TIMER_VERIFY]    = CAUSE_VERIFY_OVERDUE,
    [TIMER_SUPERVISE] = CAUSE_LAST_RUNG,
    [TIMER_REVIEW]    = CAUSE_NONE,
    [TIMER_FOLLOWUP]  = CAUSE_NONE,
    [TIMER_TRANSFER]  = CAUSE_NOT_ACKNOWLEDGED,
};

void decide_deadline(struct scene *s) {
    PbTimerKind kind = s->order->deadline.kind;
    CHECK(kind > TIMER_NONE && kind <= TIMER_TRANSFER);
    const struct timer *t = case_timer(s->c, kind);
    if (!t || t->stopped) return refuse(s, REFUSED_NO_SUCH_TIMER, NULL);
    if (t->due_ms > s->now) return refuse(s, REFUSED_TOO_EARLY, NULL);
    int64_t late_ms = s->now - t->due_ms;
    if (kind == TIMER_REMIND) return remind(s, late_ms);
    if (kind == TIMER_REVIEW) return resume(s, NULL, late_ms);
    if (kind == TIMER_FOLLOWUP) return close_case(s);                /* silence is neither solved nor satisfied */
    if (t == handling_clock(s)) extension_lapses(s, kind);
    bool between = kind == TIMER_HANDLING && t->milestone && t->milestone < s->category->n_milestones;
    climb(s, between ? CAUSE_MILESTONE_OVERDUE : causes[kind], kind, late_ms);
}
