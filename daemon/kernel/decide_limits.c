/* decide_limits.c: which deadlines an event arms, and when they are due.
 *
 * The unit of a limit decides its clock. Urgency only decides whether the desk's and the accept limit wait for opening
 * hours (III, IV) or not (I, II). The promise is anchored at the report, everything else at the instant that armed it:
 * the handling clock starts at dispatch, never at sign-off. */
#include "daemon/kernel/decide_internal.h"

static PbTimer *timer_add(struct scene *s, struct timers *t, PbTimerKind kind, int64_t start_ms, struct due due,
                          const PbLimit *limit) {
    CHECK(t->count < CASE_TIMERS_MAX && due.due_ms >= start_ms);
    PbTimer *timer = make(s, sizeof *timer);
    SET(timer, kind, kind);
    SET(timer, due_ms, due.due_ms);
    SET(timer, start_ms, start_ms);
    if (due.past_calendar) SET(timer, past_calendar, true);
    timer->limit = (PbLimit *)limit;
    return t->list[t->count++] = timer;
}

PbTimer **timers_list(struct scene *s, const struct timers *t) {
    PbTimer **list = make(s, sizeof *list * CASE_TIMERS_MAX);
    for (size_t i = 0; i < t->count; i++) list[i] = t->list[i];
    return list;
}

static PbLimit *limit_of(struct scene *s, PbUnit unit, int64_t amount) {
    PbLimit *limit = make(s, sizeof *limit);
    SET(limit, unit, unit);
    SET(limit, amount, amount);
    return limit;
}

/* ---- the desk's and the accept limit ----------------------------------------------------------------------------- */

static bool waits_for_opening(const struct scene *s) {
    return s->category->urgency != URGENCY_I && s->category->urgency != URGENCY_II;
}

static void timer_short(struct scene *s, struct timers *t, PbTimerKind kind, const PbLimit *limit) {
    bool past = false;
    int64_t start = waits_for_opening(s) ? calendar_opening(s->calendar, s->now, &past) : s->now;
    struct due due = limit_due(s->calendar, start, limit);
    due.past_calendar |= past;
    timer_add(s, t, kind, s->now, due, limit);
}

void timers_desk(struct scene *s, struct timers *t, const PbStage *stage) {
    timer_short(s, t, TIMER_DESK, stage->desk ? stage->desk : s->category->accept);
}

/* ---- the promise, handling, milestones --------------------------------------------------------------------------- */

void timers_promise(struct scene *s, struct timers *t, const PbLimit *promise) {
    timer_add(s, t, TIMER_PROMISE, s->now, limit_due(s->calendar, s->now, promise), promise);
}

/* 催办 at the reminder share of whatever is due first here; not when that instant has passed already. */
static void timer_remind(struct scene *s, struct timers *t, const PbStage *stage, int64_t start_ms,
                         const PbLimit *limit) {
    if (stage->remind_percent == 0) return;
    struct due at = limit_share(s->calendar, start_ms, limit, stage->remind_percent);
    if (at.due_ms > s->now) timer_add(s, t, TIMER_REMIND, start_ms, at, limit);
}

void timers_milestone(struct scene *s, struct timers *t, unsigned next) {
    CHECK(next < s->category->n_milestones);
    const struct timer *before = case_timer(s->c, TIMER_HANDLING);
    int64_t start = before && before->milestone ? before->start_ms : s->now;    /* all count from the same dispatch */
    const PbLimit *limit = s->category->milestones[next]->limit;
    struct due due = limit_due(s->calendar, start, limit);
    PbTimer *timer = timer_add(s, t, TIMER_HANDLING, start, due, limit);
    SET(timer, milestone, next + 1);
    timer_remind(s, t, s->stage, start, limit);
}

/* Milestones come first; else the promise, while it runs, is the handling limit; else the stage has one. */
void timers_handling(struct scene *s, struct timers *t) {
    timer_short(s, t, TIMER_ACCEPT, s->stage->accept ? s->stage->accept : s->category->accept);
    if (s->c->milestones_done < s->category->n_milestones) return timers_milestone(s, t, s->c->milestones_done);
    const struct timer *promise = case_timer(s->c, TIMER_PROMISE);
    if (promise) {
        PbLimit *limit = limit_of(s, (PbUnit)promise->unit, promise->amount);
        return timer_remind(s, t, s->stage, promise->start_ms, limit);
    }
    const PbLimit *limit = s->stage->handling;
    CHECK(limit);                                                 /* playbook_check: every stage has one */
    timer_add(s, t, TIMER_HANDLING, s->now, limit_due(s->calendar, s->now, limit), limit);
    timer_remind(s, t, s->stage, s->now, limit);
}

/* ---- verifying and rework ---------------------------------------------------------------------------------------- */

void timers_verify(struct scene *s, struct timers *t, const PbStage *verify) {
    const PbLimit *limit = verify->handling;
    CHECK(limit);
    timer_add(s, t, TIMER_VERIFY, s->now, limit_due(s->calendar, s->now, limit), limit);
    timer_remind(s, t, verify, s->now, limit);
}

/* The promise stood still while the work was said to be done. */
bool timers_promise_resumes(struct scene *s, struct timers *t) {
    CHECK(s->c->resolved_at_ms);
    int64_t left = s->c->promise_due_ms - s->c->resolved_at_ms;
    if (s->c->promise_due_ms == 0 || left <= 0) return false;
    timers_promise(s, t, limit_of(s, UNIT_MILLISECONDS, left));
    return true;
}

/* 返工: the clock resumes with what was left when it was said to be done, but never with less than half of the budget.
 * A promise is not longer for having been kept badly: what was left of it is left, and is the handling limit again. */
void timers_rework(struct scene *s, struct timers *t) {
    const PbStage *stage = stage_at(s->playbook, s->c->handled_stage);
    size_t milestones = s->category->n_milestones;
    const PbLimit *limit = milestones ? s->category->milestones[milestones - 1]->limit : stage->handling;
    if (timers_promise_resumes(s, t) && !milestones)
        return timer_remind(s, t, stage, s->now, t->list[t->count - 1]->limit);
    CHECK(limit && s->c->resolved_at_ms);
    struct due whole = limit_due(s->calendar, s->now, limit);
    int64_t half = unit_measure(s->calendar, limit->unit, s->now, whole.due_ms) / 2;
    int64_t left = unit_measure(s->calendar, limit->unit, s->c->resolved_at_ms, s->c->handling_due_ms);
    if (left < half) left = half;
    timer_add(s, t, TIMER_HANDLING, s->now, unit_walk(s->calendar, limit->unit, s->now, left), limit);
    struct due remind = unit_walk(s->calendar, limit->unit, s->now, left * stage->remind_percent / 100);
    if (stage->remind_percent && remind.due_ms > s->now) timer_add(s, t, TIMER_REMIND, s->now, remind, limit);
}

/* ---- the last rung ----------------------------------------------------------------------------------------------- */

/* 督办: the last rung's deadline, re-armed for ever; each time twice as long, up to the most. */
void timers_supervise(struct scene *s, struct timers *t) {
    const PbLimit *first = s->stage->supervise_first, *most = s->stage->supervise_most;
    CHECK(first && most && first->unit == most->unit);
    int64_t amount = first->amount;
    for (unsigned i = 0; i < s->c->supervised && amount < most->amount; i++) amount *= 2;
    PbLimit *limit = limit_of(s, first->unit, amount < most->amount ? amount : most->amount);
    timer_add(s, t, TIMER_SUPERVISE, s->now, limit_due(s->calendar, s->now, limit), limit);
}
