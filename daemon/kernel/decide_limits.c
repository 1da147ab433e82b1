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

PbTimer **timers_list(struct scene *s, const struct timers *t, size_t *ret_count) {
    PbTimer **list = make(s, sizeof *list * CASE_TIMERS_MAX);
    for (size_t i = 0; i < t->count; i++) list[i] = t->list[i];
    *ret_count = t->count;
    return list;
}

static PbLimit *limit_of(struct scene *s, PbUnit unit, int64_t amount) {
    PbLimit *limit = make(s, sizeof *limit);
    SET(limit, unit, unit);
    SET(limit, amount, amount);
    return limit;
}

/* A limit between two instants, which no rule set has. */
static PbLimit *limit_span(struct scene *s, int64_t ms) {
    return limit_of(s, UNIT_MILLISECONDS, ms < PROMISE_MS_MAX ? ms : PROMISE_MS_MAX);
}

/* ---- the desk's and the accept limit ----------------------------------------------------------------------------- */

static bool waits_for_opening(const struct scene *s) {
    PbUrgency urgency = s->c->id ? (PbUrgency)s->c->urgency : s->category->urgency;
    return urgency != URGENCY_I && urgency != URGENCY_II;
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

void timers_accept(struct scene *s, struct timers *t) {
    timer_short(s, t, TIMER_ACCEPT, s->stage->accept ? s->stage->accept : s->category->accept);
}

/* Milestones come first; else the promise, while it runs, is the handling limit; else the stage has one. */
void timers_handling_fresh(struct scene *s, struct timers *t, const PbStage *stage) {
    if (s->c->milestones_done < s->category->n_milestones) return timers_milestone(s, t, s->c->milestones_done);
    const struct timer *promise = case_timer(s->c, TIMER_PROMISE);
    if (promise) {
        PbLimit *limit = limit_of(s, (PbUnit)promise->unit, promise->amount);
        return timer_remind(s, t, stage, promise->start_ms, limit);
    }
    const PbLimit *limit = stage->handling;
    CHECK(limit);                                                 /* playbook_check: every stage has one */
    timer_add(s, t, TIMER_HANDLING, s->now, limit_due(s->calendar, s->now, limit), limit);
    timer_remind(s, t, stage, s->now, limit);
}

/* Of a dispatch. After a return, and when others are asked instead, the clock that ran runs on. */
void timers_handling(struct scene *s, struct timers *t) {
    timers_accept(s, t);
    const struct timer *runs = case_timer(s->c, TIMER_HANDLING);
    if (!runs) return timers_handling_fresh(s, t, s->stage);
    timer_remind(s, t, s->stage, runs->start_ms, limit_of(s, (PbUnit)runs->unit, runs->amount));
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

/* 重开: whoever did it has the whole limit again. */
void timers_reopen(struct scene *s, struct timers *t, const PbStage *stage) {
    size_t milestones = s->category->n_milestones;
    const PbLimit *limit = milestones ? s->category->milestones[milestones - 1]->limit : stage->handling;
    CHECK(limit);
    timer_add(s, t, TIMER_HANDLING, s->now, limit_due(s->calendar, s->now, limit), limit);
    timer_remind(s, t, stage, s->now, limit);
}

/* ---- limits that are moved --------------------------------------------------------------------------------------- */

/* The same timer with another due: what it stands for, and what it counts from, stay. */
static void timer_moved(struct scene *s, struct timers *t, const struct timer *was, int64_t start_ms, struct due due) {
    due.due_ms = due.due_ms < start_ms ? start_ms : due.due_ms;
    PbLimit *limit = was->unit ? limit_of(s, (PbUnit)was->unit, was->amount) : NULL;
    PbTimer *timer = timer_add(s, t, (PbTimerKind)was->kind, start_ms, due, limit);
    if (was->milestone) SET(timer, milestone, was->milestone);
}

/* The handling clock: its own timer, or the promise where that is the handling limit. */
const struct timer *handling_clock(const struct scene *s) {
    const struct timer *handling = case_timer(s->c, TIMER_HANDLING);
    return handling ? handling : case_timer(s->c, TIMER_PROMISE);
}

/* 延期: so much after the old due, on the limit's clock. 0: more than may be given in all. */
int64_t timers_extended(struct scene *s, struct timers *t, const PbLimit *more, uint32_t percent) {
    const struct timer *was = handling_clock(s);
    CHECK(was && was->unit);
    PbUnit unit = (PbUnit)was->unit;
    struct due due = limit_due(s->calendar, was->due_ms, more);
    int64_t added = unit_measure(s->calendar, unit, was->due_ms, due.due_ms);
    int64_t whole = unit_measure(s->calendar, unit, was->start_ms, was->due_ms);
    PbLimit limit = { .has_unit = 1, .unit = unit, .has_amount = 1, .amount = was->amount };
    int64_t own = unit_measure(s->calendar, unit, was->start_ms, limit_due(s->calendar, was->start_ms, &limit).due_ms);
    if (added <= 0 || s->c->more.extended_ms + added > own * percent / 100) return 0;
    timer_moved(s, t, was, was->start_ms, due);
    struct due remind = unit_walk(s->calendar, unit, was->start_ms, (whole + added) * s->stage->remind_percent / 100);
    if (s->stage->remind_percent && remind.due_ms > s->now)
        timer_add(s, t, TIMER_REMIND, was->start_ms, remind, limit_of(s, unit, was->amount));
    return added;
}

/* 恢复: every clock goes on with what it had left; its beginning moves by as much as its end. */
void timers_resumed(struct scene *s, struct timers *t) {
    int64_t since = s->c->more.suspended_at_ms;
    for (unsigned i = 0; i < s->c->timers_count; i++) {
        const struct timer *was = &s->c->timers[i];
        if (!was->stopped) continue;
        PbUnit unit = was->unit ? (PbUnit)was->unit : UNIT_MILLISECONDS;
        int64_t left = was->due_ms > since ? unit_measure(s->calendar, unit, since, was->due_ms) : 0;
        timer_moved(s, t, was, was->start_ms + (s->now - since), unit_walk(s->calendar, unit, s->now, left));
    }
}

/* A limit that came with a case from elsewhere: two instants. */
void timers_imported(struct scene *s, struct timers *t, PbTimerKind kind, int64_t start_ms, int64_t due_ms) {
    if (due_ms < start_ms) due_ms = start_ms;
    PbLimit *limit = limit_span(s, due_ms - start_ms);
    timer_add(s, t, kind, start_ms, (struct due){ due_ms, false }, limit);
    if (kind == TIMER_HANDLING) timer_remind(s, t, s->stage, start_ms, limit);
}

/* By how much it was put off since it was armed. */
static int64_t moved_by(const struct scene *s, const struct timer *was) {
    PbLimit limit = { .has_unit = 1, .unit = (PbUnit)was->unit, .has_amount = 1, .amount = was->amount };
    int64_t armed_ms = limit_due(s->calendar, was->start_ms, &limit).due_ms;
    return was->due_ms > armed_ms ? unit_measure(s->calendar, limit.unit, armed_ms, was->due_ms) : 0;
}

/* 更正: another category has another limit, from the same beginning; what was granted stays granted, and a due that
 * would have passed already stays. */
void timers_corrected(struct scene *s, struct timers *t, const PbCategory *to) {
    const struct timer *was = case_timer(s->c, TIMER_HANDLING);
    if (!was || was->stopped) return;
    size_t next = s->c->milestones_done;
    const PbLimit *limit = next < to->n_milestones ? to->milestones[next]->limit : s->stage->handling;
    if (!limit || was->due_ms <= s->now) return;
    struct due due = unit_walk(s->calendar, limit->unit, limit_due(s->calendar, was->start_ms, limit).due_ms,
                               moved_by(s, was));
    if (due.due_ms <= s->now) return;
    PbTimer *timer = timer_add(s, t, TIMER_HANDLING, was->start_ms, due, limit);
    if (next < to->n_milestones) SET(timer, milestone, (uint32_t)next + 1);
    if (case_timer(s->c, TIMER_REMIND)) timer_remind(s, t, s->stage, was->start_ms, limit);
}

/* Where a timer of that kind is armed: at its limit's end, or at the share that is reminded at. */
static struct due due_of_kind(const struct scene *s, PbTimerKind kind, const PbCalendar *c, int64_t from_ms,
                              const PbLimit *limit) {
    return kind == TIMER_REMIND ? limit_share(c, from_ms, limit, s->stage->remind_percent)
                                : limit_due(c, from_ms, limit);
}

/* By another calendar. A limit as it was armed is reckoned anew from its beginning; one that was moved since (resumed,
 * extended, reworked) keeps the working time it has left. It never comes to lie before now. */
static struct due due_anew(struct scene *s, const struct timer *was, const PbCalendar *to) {
    PbLimit limit = { .has_unit = 1, .unit = (PbUnit)was->unit, .has_amount = 1, .amount = was->amount };
    bool past = false, waits = was->kind == TIMER_DESK || was->kind == TIMER_ACCEPT;
    int64_t from = was->start_ms, then = from;
    if (waits && waits_for_opening(s)) {
        from = calendar_opening(s->calendar, was->start_ms, &past);
        then = calendar_opening(to, was->start_ms, &past);
    }
    PbTimerKind kind = (PbTimerKind)was->kind;
    if (due_of_kind(s, kind, s->calendar, from, &limit).due_ms == was->due_ms)
        return due_of_kind(s, kind, to, then, &limit);
    int64_t left = unit_measure(s->calendar, limit.unit, s->now, was->due_ms);
    if (left == unit_measure(to, limit.unit, s->now, was->due_ms))
        return (struct due){ was->due_ms, was->past_calendar };
    return unit_walk(to, limit.unit, s->now, left);
}

void timers_recomputed(struct scene *s, struct timers *t, const PbCalendar *to) {
    for (unsigned i = 0; i < s->c->timers_count; i++) {
        const struct timer *was = &s->c->timers[i];
        if (!was->unit || was->stopped || was->due_ms <= s->now) continue;
        struct due due = due_anew(s, was, to);
        if (due.due_ms < s->now) due.due_ms = s->now;
        if (due.due_ms != was->due_ms) timer_moved(s, t, was, was->start_ms, due);
    }
}

/* One timer of a kind that only one state has. */
void timers_one(struct scene *s, struct timers *t, PbTimerKind kind, const PbLimit *limit) {
    PbLimit *kept = limit_of(s, limit->unit, limit->amount);
    timer_add(s, t, kind, s->now, limit_due(s->calendar, s->now, kept), kept);
}

void timers_until(struct scene *s, struct timers *t, PbTimerKind kind, int64_t due_ms) {
    CHECK(due_ms >= s->now);
    timer_add(s, t, kind, s->now, (struct due){ due_ms, false }, limit_span(s, due_ms - s->now));
}

/* 申诉, 拆案: the promise is due when it was, even if that has passed meanwhile; when it was over before, it has fired. */
void timers_promise_again(struct scene *s, struct timers *t) {
    if (s->c->promise_due_ms <= s->c->closed_at_ms) return;
    timers_imported(s, t, TIMER_PROMISE, s->c->opened_at_ms, s->c->promise_due_ms);
}

/* ---- the last rung ----------------------------------------------------------------------------------------------- */

/* Its own limits, or those of the first stage that has some: the last rung does (playbook_check). */
static const PbStage *supervising(const struct scene *s) {
    if (s->stage->supervise_first) return s->stage;
    for (size_t i = 0; i < s->playbook->n_stages; i++)
        if (s->playbook->stages[i]->supervise_first) return s->playbook->stages[i];
    NEVER("a playbook whose last rung does not supervise");
}

/* 督办: the last rung's deadline, re-armed for ever; each time twice as long, up to the most. */
void timers_supervise(struct scene *s, struct timers *t) {
    const PbStage *stage = supervising(s);
    const PbLimit *first = stage->supervise_first, *most = stage->supervise_most;
    CHECK(first && most && first->unit == most->unit);
    int64_t amount = first->amount;
    for (unsigned i = 0; i < s->c->supervised && amount < most->amount; i++) amount *= 2;
    PbLimit *limit = limit_of(s, first->unit, amount < most->amount ? amount : most->amount);
    timer_add(s, t, TIMER_SUPERVISE, s->now, limit_due(s->calendar, s->now, limit), limit);
}
