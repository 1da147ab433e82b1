/* decide_limits.c: which deadlines an event arms, and when they are due.
 *
 * The unit of a limit decides its clock. Urgency only decides whether the desk's and the accept limit wait for opening hours (III, IV) or
 * not (I, II). The promise is anchored at the report, everything else at the instant that armed it: the handling clock starts at dispatch,
 * never at sign-off. */
#include "daemon/kernel/decide_internal.h"

static PbTimer *timer_add(struct scene *s, struct timers *t, PbTimerKind kind, int64_t start_ms, struct due due, const PbLimit *limit)
{
    CHECK(t->count < CASE_TIMERS_MAX && due.due_ms >= start_ms);
    PbTimer *timer = make(s, sizeof *timer);
    SET(timer, kind, kind);
    SET(timer, due_ms, due.due_ms);
    SET(timer, start_ms, start_ms);
    if (due.past_calendar) SET(timer, past_calendar, true);
    timer->limit = (PbLimit *)limit;
    return t->list[t->count++] = timer;
}

PbTimer **timers_list(struct scene *s, const struct timers *t)
{
    PbTimer **list = make(s, sizeof *list * CASE_TIMERS_MAX);
    for (size_t i = 0; i < t->count; i++) list[i] = t->list[i];
    return list;
}

static bool waits_for_opening(const struct scene *s)
{
    return s->category->urgency != URGENCY_I && s->category->urgency != URGENCY_II;
}

static void timer_short(struct scene *s, struct timers *t, PbTimerKind kind, const PbLimit *limit)
{
    bool past = false;
    int64_t start = waits_for_opening(s) ? calendar_opening(s->calendar, s->now, &past) : s->now;
    struct due due = limit_due(s->calendar, start, limit);
    due.past_calendar |= past;
    timer_add(s, t, kind, s->now, due, limit);
}

void timers_desk(struct scene *s, struct timers *t, const PbStage *stage)
{
    timer_short(s, t, TIMER_DESK, stage->desk ? stage->desk : s->category->accept);
}

void timers_promise(struct scene *s, struct timers *t, const PbLimit *promise)
{
    timer_add(s, t, TIMER_PROMISE, s->now, limit_due(s->calendar, s->now, promise), promise);
}

/* 催办 at the reminder share of whatever is due first here; not when that instant has passed already. */
static void timer_remind(struct scene *s, struct timers *t, const PbStage *stage, int64_t start_ms, const PbLimit *limit)
{
    if (stage->remind_percent == 0 || !limit) return;
    struct due at = limit_share(s->calendar, start_ms, limit, stage->remind_percent);
    if (at.due_ms > s->now) timer_add(s, t, TIMER_REMIND, start_ms, at, limit);
}

void timers_milestone(struct scene *s, struct timers *t, unsigned next)
{
    CHECK(next < s->category->n_milestones);
    const struct timer *before = case_timer(s->c, TIMER_HANDLING);
    int64_t start = before && before->milestone ? before->start_ms : s->now;      /* all milestones count from the same dispatch */
    const PbLimit *limit = s->category->milestones[next]->limit;
    struct due due = limit_due(s->calendar, start, limit);
    PbTimer *timer = timer_add(s, t, TIMER_HANDLING, start, due, limit);
    SET(timer, milestone, next + 1);
    timer_remind(s, t, s->stage, start, limit);
}

void timers_handling(struct scene *s, struct timers *t)
{
    timer_short(s, t, TIMER_ACCEPT, s->stage->accept ? s->stage->accept : s->category->accept);
    if (s->c->milestones_done < s->category->n_milestones) return timers_milestone(s, t, s->c->milestones_done);
    const struct timer *promise = case_timer(s->c, TIMER_PROMISE);
    if (promise) {                                                                 /* the promise is the handling limit */
        PbLimit *limit = make(s, sizeof *limit);
        SET(limit, unit, promise->unit);
        SET(limit, amount, promise->amount);
        return timer_remind(s, t, s->stage, promise->start_ms, limit);
    }
    const PbLimit *limit = s->stage->handling;
    CHECK(limit);                                                                  /* playbook_check: every stage has one */
    timer_add(s, t, TIMER_HANDLING, s->now, limit_due(s->calendar, s->now, limit), limit);
    timer_remind(s, t, s->stage, s->now, limit);
}

void timers_verify(struct scene *s, struct timers *t, const PbStage *verify)
{
    const PbLimit *limit = verify->handling ? verify->handling : s->category->accept;
    timer_add(s, t, TIMER_VERIFY, s->now, limit_due(s->calendar, s->now, limit), limit);
    timer_remind(s, t, verify, s->now, limit);
}

/* 返工: the clock resumes with what was left when it was said to be done, but never with less than half of the budget. */
void timers_rework(struct scene *s, struct timers *t)
{
    const PbStage *stage = stage_at(s->playbook, s->c->handled_stage);
    const PbLimit *limit = s->category->n_milestones ? s->category->milestones[s->category->n_milestones - 1]->limit : stage->handling;
    CHECK(limit && s->c->resolved_at_ms);
    int64_t budget = unit_measure(s->calendar, limit->unit, s->now, limit_due(s->calendar, s->now, limit).due_ms), left = 0;
    if (s->c->handling_due_ms > s->c->resolved_at_ms)
        left = unit_measure(s->calendar, limit->unit, s->c->resolved_at_ms, s->c->handling_due_ms);
    if (left < budget / 2) left = budget / 2;
    timer_add(s, t, TIMER_HANDLING, s->now, unit_walk(s->calendar, limit->unit, s->now, left), limit);
    if (s->c->promise_due_ms > s->c->resolved_at_ms) {                            /* it stood still while it was said to be done */
        PbLimit *rest = make(s, sizeof *rest);
        SET(rest, unit, UNIT_MILLISECONDS);
        SET(rest, amount, s->c->promise_due_ms - s->c->resolved_at_ms);
        timers_promise(s, t, rest);
    }
}

/* 督办: the last rung's deadline, re-armed for ever; each time twice as long, up to the most. */
void timers_supervise(struct scene *s, struct timers *t)
{
    const PbLimit *first = s->stage->supervise_first, *most = s->stage->supervise_most;
    CHECK(first && most && first->unit == most->unit);
    PbLimit *limit = make(s, sizeof *limit);
    int64_t amount = first->amount;
    for (unsigned i = 0; i < s->c->supervised && amount < most->amount; i++) amount *= 2;
    SET(limit, unit, first->unit);
    SET(limit, amount, amount < most->amount ? amount : most->amount);
    timer_add(s, t, TIMER_SUPERVISE, s->now, limit_due(s->calendar, s->now, limit), limit);
}
