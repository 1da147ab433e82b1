/* decide_answer.c: what the asked parties say. An answer names (case, stage, attempt) and the role it is given in; one
 * that is late, repeated or not asked for is recorded, bounded, and decides nothing. */
#include "daemon/kernel/decide_internal.h"

#include <string.h>

static PbAnswered *answered(struct scene *s, const PbAnswer *w, PbAnswerFate fate) {
    PbAnswered *to = happen(s, EVENT_ANSWERED)->answered = make(s, sizeof *to);
    to->party = w->party;
    SET(to, stage, w->stage);
    SET(to, attempt, w->attempt);
    SET(to, kind, w->kind);
    SET(to, fate, fate);
    to->text = s->order->text;
    to->evidence = w->evidence;
    to->n_evidence = w->n_evidence;
    return to;
}

/* Recorded, not counted; a party that keeps talking is told to stop. */
static void record(struct scene *s, const PbAnswer *w, PbAnswerFate fate) {
    if (s->c->late_answers >= LATE_ANSWERS_MAX) return refuse(s, REFUSED_TOO_MANY_LATE, "case_id");
    answered(s, w, fate);
}

/* Whoever answers the first ask has seen it, too: the accept limit is over. */
static void sign(struct scene *s, const PbAnswer *w, const struct ask *a) {
    if (s->c->state != STATE_DISPATCHED || a->status != ASK_OPEN || !ask_at_cursor(s->c, a)) return;
    PbSigned *to = happen(s, EVENT_SIGNED)->signed_ = make(s, sizeof *to);
    to->party = w->party;
    SET(to, stage, w->stage);
    SET(to, attempt, w->attempt);
}

static struct tally_count count_round(const struct case_state *c, unsigned stage, unsigned attempt) {
    struct tally_count n = { 0 };
    for (unsigned i = 0; i < c->asks_count; i++) {
        const struct ask *a = &c->asks[i];
        if (a->stage != stage || a->attempt != attempt) continue;
        n.asked++;
        n.done += a->status == ASK_DONE;
        n.declined += a->status == ASK_DECLINED || a->status == ASK_ENDED || a->status == ASK_RETURNED;
    }
    return n;
}

/* Who did it and is asked alone to do it again (返工, 重开) is enough, however many were asked at first. */
static enum tally_result tally_of_round(const PbStage *stage, struct tally_count n) {
    PbTally tally = stage->tally ? *stage->tally : (PbTally){ .kind = TALLY_FIRST };
    if (tally.count > n.asked) tally.count = n.asked;
    return tally_of(&tally, n);
}

/* ---- accept ------------------------------------------------------------------------------------------------------ */

static void answer_accept(struct scene *s, const PbAnswer *w, const struct ask *a) {
    if (a->status == ASK_ACCEPTED) return record(s, w, FATE_REPEATED);
    sign(s, w, a);
    if (s->out->count == 0) answered(s, w, FATE_COUNTED);
}

/* ---- decline ----------------------------------------------------------------------------------------------------- */

/* When the answers still possible cannot meet the tally, act at once: ask the desk again, or climb when it has asked
 * often enough. */
static void answer_decline(struct scene *s, const PbAnswer *w, const struct ask *a) {
    bool deciding = ask_at_cursor(s->c, a) && (s->c->state == STATE_DISPATCHED || s->c->state == STATE_HANDLING);
    struct tally_count n = count_round(s->c, a->stage, a->attempt);
    n.declined++;
    if (!deciding || tally_of_round(s->stage, n) != TALLY_IMPOSSIBLE) {
        answered(s, w, FATE_COUNTED);
        return;
    }
    attempt_next(s, s->c->stage);
    if (s->out->refusal) return;
    PbAnswered *to = answered(s, w, FATE_COUNTED);
    SET(to, reopens_desk, true);
    struct timers t = { .count = 0 };
    timers_desk(s, &t, s->stage);
    to->timers = timers_list(s, &t, &to->n_timers);
    if (s->c->attempt >= s->stage->attempts_max)
        climb_declined(s, n.declined == n.asked ? CAUSE_DECLINED : CAUSE_IMPOSSIBLE);
}

/* ---- return ------------------------------------------------------------------------------------------------------ */

static void check_return(struct scene *s, const PbAnswer *w, const struct ask *a,
                         const struct playbook_limits *limits) {
    if (!w->proposed) return refuse(s, REFUSED_FIELD_MISSING, "proposed");
    if (!w->text || !*w->text) return refuse(s, REFUSED_FIELD_MISSING, "text");
    check_party(s, w->proposed, true, "proposed");
    if (s->c->more.arbitrated) return refuse(s, REFUSED_ARBITRATED, "kind");
    if (s->now > limit_due(s->calendar, a->asked_at_ms, &limits->return_within).due_ms)
        refuse(s, REFUSED_TOO_LATE, "kind");
}

/* 退回: the lead names the right unit, and the desk decides: 改派, or the same again. Returned as often as may be, the
 * next level rules (裁定). A helper's return is its own affair. */
static void answer_return(struct scene *s, const PbAnswer *w, const struct ask *a) {
    struct playbook_limits limits;
    playbook_limits(s->playbook, &limits);
    check_return(s, w, a, &limits);
    if (s->out->refusal) return;
    bool asked = s->c->state == STATE_DISPATCHED || s->c->state == STATE_HANDLING;
    if (!asked || !ask_at_cursor(s->c, a) || !a->lead) return answer_decline(s, w, a);
    attempt_next(s, s->c->stage);
    if (s->out->refusal) return;
    PbReturned *to = happen(s, EVENT_RETURNED)->returned = make(s, sizeof *to);
    bool last = s->c->more.returns + 1u >= limits.returns_max;
    to->party = w->party;
    SET(to, stage, w->stage);
    SET(to, attempt, w->attempt);
    to->proposed = w->proposed;
    if (last) SET(to, to_arbiter, true);
    to->text = s->order->text;
    struct timers t = { .count = 0 };
    timers_desk(s, &t, s->stage);
    to->timers = timers_list(s, &t, &to->n_timers);
    if (last && s->stage->on_overdue)
        climb_to(s, s->stage->on_overdue, (PbLevel)s->c->level, CAUSE_RETURNS_SPENT);
}

/* ---- done -------------------------------------------------------------------------------------------------------- */

/* The verdict is by the promise where there is one, and then by instants alone: an answer and a deadline in the same
 * millisecond come to the same in either order. While it is suspended, the clocks stand where they stood then. */
static bool on_time(const struct scene *s) {
    int64_t at_ms = s->c->state == STATE_SUSPENDED ? s->c->more.suspended_at_ms : s->now;
    if (s->c->promise_due_ms) return at_ms <= s->c->promise_due_ms;
    const struct timer *handling = case_timer(s->c, TIMER_HANDLING);
    return !s->c->overdue && (!handling || at_ms <= handling->due_ms);
}

static void resolve(struct scene *s, const PbAnswer *w, const struct ask *a) {
    uint32_t verify = s->stage->on_done;
    const char *verifier = verify ? choose_verifier(s, (PbLevel)a->level, a) : NULL;
    if (verify && !verifier) return refuse(s, REFUSED_SAME_PARTY, "party");
    if (w->n_evidence < s->category->evidence_min) return refuse(s, REFUSED_EVIDENCE_MISSING, "evidence");
    if (s->c->state == STATE_SUSPENDED) resume(s, w->party, 0);   /* crossed with the suspension: done is done */
    sign(s, w, a);
    PbResolved *to = happen(s, EVENT_RESOLVED)->resolved = make(s, sizeof *to);
    to->party = w->party;
    SET(to, stage, w->stage);
    SET(to, attempt, w->attempt);
    SET(to, level, (PbLevel)a->level);
    SET(to, on_time, on_time(s));
    to->text = s->order->text;
    to->evidence = w->evidence;
    to->n_evidence = w->n_evidence;
    if (!verify) {
        PbClosed *closed = happen(s, EVENT_CLOSED)->closed = make(s, sizeof *closed);
        SET(closed, on_time, on_time(s));
        return;
    }
    SET(to, verify_stage, verify);
    to->n_asks = 1;
    to->asks = ask_one(s, verifier);
    struct timers t = { .count = 0 };
    timers_verify(s, &t, stage_at(s->playbook, verify));
    to->timers = timers_list(s, &t, &to->n_timers);
}

/* By the tally of the stage that asked: what a lower rung was asked for may still be done there, whoever is being asked
 * meanwhile. */
static bool meets_tally(const struct scene *s, const struct ask *a) {
    struct tally_count n = count_round(s->c, a->stage, a->attempt);
    n.done++;
    return tally_of_round(stage_at(s->playbook, a->stage), n) == TALLY_MET;
}

static void answer_milestone(struct scene *s, const PbAnswer *w, const struct ask *a) {
    unsigned index = s->c->milestones_done;
    const PbMilestone *next = index < s->category->n_milestones ? s->category->milestones[index] : NULL;
    if (!next || strcmp(next->name, w->milestone) != 0) return refuse(s, REFUSED_MILESTONE_ORDER, "milestone");
    if (s->c->state == STATE_SUSPENDED) return refuse(s, REFUSED_WRONG_STATE, "milestone");     /* clocks stand still */
    sign(s, w, a);
    PbMilestoneDone *to = happen(s, EVENT_MILESTONE_DONE)->milestone_done = make(s, sizeof *to);
    to->party = w->party;
    to->milestone = next->name;
    SET(to, index, index);
    to->evidence = w->evidence;
    to->n_evidence = w->n_evidence;
    to->text = s->order->text;
    struct timers t = { .count = 0 };
    const struct timer *handling = case_timer(s->c, TIMER_HANDLING);
    if (handling && handling->milestone) timers_milestone(s, &t, index + 1);    /* else rework, or the desk is asked */
    to->timers = timers_list(s, &t, &to->n_timers);
}

static void answer_done(struct scene *s, const PbAnswer *w, const struct ask *a) {
    if (w->milestone && *w->milestone) {
        const PbCategory *g = s->category;
        bool last = g->n_milestones && strcmp(g->milestones[g->n_milestones - 1]->name, w->milestone) == 0;
        if (!last || s->c->milestones_done + 1u != g->n_milestones) return answer_milestone(s, w, a);
    }
    if (meets_tally(s, a)) return resolve(s, w, a);
    sign(s, w, a);
    answered(s, w, FATE_COUNTED);
}

/* ---- the verifier's ---------------------------------------------------------------------------------------------- */

static void verified(struct scene *s, const PbAnswer *w) {
    PbVerified *to = happen(s, EVENT_VERIFIED)->verified = make(s, sizeof *to);
    to->party = w->party;
    if (!s->c->ask_me) return close_case(s);
    struct playbook_limits limits;
    playbook_limits(s->playbook, &limits);
    PbFollowupBegun *ask = happen(s, EVENT_FOLLOWUP_BEGUN)->followup_begun = make(s, sizeof *ask);
    struct timers t = { .count = 0 };
    timers_one(s, &t, TIMER_FOLLOWUP, &limits.follow_up);
    ask->timers = timers_list(s, &t, &ask->n_timers);
}

/* 返工, bounded by the playbook; after that the rung above takes it. */
static void rework(struct scene *s, const PbAnswer *w) {
    const struct ask *handler = case_handler(s->c);
    CHECK(handler);
    const PbStage *stage = stage_at(s->playbook, s->c->handled_stage);
    if (s->c->reworks >= s->stage->loops_max && stage->on_overdue) {
        answered(s, w, FATE_COUNTED);
        climb_to(s, stage->on_overdue, stage->level, CAUSE_ATTEMPTS_SPENT);
        return;
    }
    uint32_t attempt = attempt_next(s, s->c->handled_stage);
    attempt_next(s, s->c->stage);                                 /* it will have to be verified again, too */
    if (s->out->refusal) return;
    PbRework *to = happen(s, EVENT_REWORK)->rework = make(s, sizeof *to);
    to->party = ask_one(s, handler->party)[0]->party;
    SET(to, stage, s->c->handled_stage);
    SET(to, attempt, attempt);
    SET(to, level, stage->level);
    to->text = s->order->text;
    struct timers t = { .count = 0 };
    timers_rework(s, &t);
    to->timers = timers_list(s, &t, &to->n_timers);
}

static void answer_verifying(struct scene *s, const PbAnswer *w, const struct ask *a) {
    switch (w->kind) {
    case ANSWER_ACCEPT:
        if (a->status == ASK_ACCEPTED) return record(s, w, FATE_REPEATED);
        answered(s, w, FATE_COUNTED);
        return;
    case ANSWER_DONE: return verified(s, w);
    case ANSWER_RETURN: return refuse(s, REFUSED_WRONG_STATE, "kind");
    default: return rework(s, w);
    }
}

/* ---- the door ---------------------------------------------------------------------------------------------------- */

static bool ever_asked(const struct case_state *c, const char *party) {
    for (unsigned i = 0; i < c->asks_count; i++)
        if (strcmp(c->asks[i].party, party) == 0) return true;
    return false;
}

static void check_answer(struct scene *s, const PbAnswer *w) {
    if (!w->party) return refuse(s, REFUSED_FIELD_MISSING, "party");
    if (!w->has_kind || w->kind == ANSWER_NONE) return refuse(s, REFUSED_FIELD_MISSING, "kind");
    if (w->kind > ANSWER_RETURN) return refuse(s, REFUSED_NOT_YET, "kind");
    if (!rules_party(s->rules, slice_of(w->party), s->now)) return refuse(s, REFUSED_UNKNOWN_PARTY, "party");
    check_text(s, w->text, "text");
    check_evidence(s, w->evidence, w->n_evidence);
}

/* Why an answer to an ask that is over, or never was, decides nothing. */
static PbAnswerFate fate_of(const struct scene *s, const PbAnswer *w, const struct ask *a) {
    bool done = a && (a->status == ASK_DONE || a->status == ASK_VERIFIED);
    bool again = a && ((done && w->kind == ANSWER_DONE) ||
                       (a->status == ASK_DECLINED && w->kind == ANSWER_DECLINE) ||
                       (a->status == ASK_RETURNED && w->kind == ANSWER_RETURN));
    if (again) return FATE_REPEATED;
    return a || ever_asked(s->c, w->party) ? FATE_LATE : FATE_NOT_ASKED;
}

void decide_answer(struct scene *s) {
    const PbAnswer *w = s->order->answer;
    check_answer(s, w);
    if (s->out->refusal) return;
    const struct ask *a = case_ask(s->c, w->party, w->stage, w->attempt);
    if (!a || !ask_is_open(a)) return record(s, w, fate_of(s, w, a));
    bool verify_ask = stage_at(s->playbook, a->stage)->kind == STAGE_VERIFY;
    if (s->c->state == STATE_RESOLVED && verify_ask) return answer_verifying(s, w, a);
    if (s->c->state == STATE_SUSPENDED && w->kind != ANSWER_DONE) return refuse(s, REFUSED_WRONG_STATE, "kind");
    switch (w->kind) {
    case ANSWER_ACCEPT: return answer_accept(s, w, a);
    case ANSWER_DECLINE: return answer_decline(s, w, a);
    case ANSWER_RETURN: return answer_return(s, w, a);
    default: return answer_done(s, w, a);
    }
}
