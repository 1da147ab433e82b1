/* decide_ways.c: the ways off the main way, and back: appealed, merged and split, withdrawn, followed up, reopened,
 * transferred, voided, archived. */
#include "daemon/kernel/decide_internal.h"

#include <string.h>

#define VOID_WITHIN_MS (7LL * 86400000)                /* the second person's word; later it takes two again */
_Static_assert(DECISION_EVENTS_MAX >= 4, "an answer may sign, resume, resolve and close at once");

static void check_window(struct scene *s, const PbLimit *within) {
    CHECK(s->c->closed_at_ms);
    if (s->now > limit_due(s->calendar, s->c->closed_at_ms, within).due_ms) refuse(s, REFUSED_TOO_LATE, "case_id");
}

void close_case(struct scene *s) {
    PbClosed *closed = happen(s, EVENT_CLOSED)->closed = make(s, sizeof *closed);
    SET(closed, on_time, s->c->on_time);
}

/* ---- 申诉 ---------------------------------------------------------------------------------------------------------- */

void decide_appeal(struct scene *s) {
    const PbAppeal *a = s->order->appeal;
    struct playbook_limits limits;
    playbook_limits(s->playbook, &limits);
    check_party(s, a->party, false, "party");
    check_text(s, a->text, "text");
    if (!is_reporter(s, a->party)) refuse(s, REFUSED_NOT_THE_REPORTER, "party");
    if (s->c->more.appealed) refuse(s, REFUSED_SPENT, "case_id");
    check_window(s, &limits.appeal_within);
    if (!s->stage->on_overdue) refuse(s, REFUSED_NO_HIGHER_LEVEL, "case_id");
    if (s->out->refusal) return;
    const PbStage *next = stage_at(s->playbook, s->stage->on_overdue);
    PbAppealed *to = happen(s, EVENT_APPEALED)->appealed = make(s, sizeof *to);
    to->party = a->party;
    SET(to, from_level, (PbLevel)s->c->level);
    SET(to, level, next->level);
    SET(to, stage, s->stage->on_overdue);
    SET(to, attempt, case_next_attempt(s->c, s->stage->on_overdue));
    to->text = s->order->text;
    struct timers t = { .count = 0 };
    timers_desk(s, &t, next);
    timers_promise_again(s, &t);
    to->timers = timers_list(s, &t, &to->n_timers);
}

/* ---- 并案 拆案 ------------------------------------------------------------------------------------------------------- */

/* The master is open, and what is open has no master: a chain has no circle. */
void decide_merge(struct scene *s) {
    const PbMerge *m = s->order->merge;
    check_party(s, m->party, false, "party");
    if (m->master == s->c->id) return refuse(s, REFUSED_FIELD_RANGE, "master");
    if (!s->in->other) return refuse(s, REFUSED_NO_SUCH_CASE, "master");
    CHECK(s->in->other->id == m->master);
    if (!case_open(s->in->other)) return refuse(s, REFUSED_MASTER_ENDED, "master");
    if (s->out->refusal) return;
    PbMerged *to = happen(s, EVENT_MERGED)->merged = make(s, sizeof *to);
    SET(to, master, m->master);
    to->party = m->party;
}

void decide_split(struct scene *s) {
    const PbSplit *w = s->order->split;
    check_party(s, w->party, false, "party");
    CHECK(s->in->other && s->in->other->id == s->c->more.master);
    if (!case_open(s->in->other)) return refuse(s, REFUSED_MASTER_ENDED, "case_id");
    uint32_t attempt = attempt_next(s, s->c->stage);
    if (s->out->refusal) return;
    PbCaseSplit *to = happen(s, EVENT_SPLIT)->split = make(s, sizeof *to);
    to->party = w->party;
    SET(to, attempt, attempt);
    struct timers t = { .count = 0 };
    timers_desk(s, &t, s->stage);
    timers_promise_again(s, &t);
    to->timers = timers_list(s, &t, &to->n_timers);
}

/* ---- 撤回 ---------------------------------------------------------------------------------------------------------- */

void decide_withdraw(struct scene *s) {
    const PbWithdraw *w = s->order->withdraw;
    check_party(s, w->party, false, "party");
    check_text(s, w->text, "text");
    if (s->c->urgency == URGENCY_I || s->c->urgency == URGENCY_II) refuse(s, REFUSED_DANGER, "case_id");
    if (!is_reporter(s, w->party)) refuse(s, REFUSED_NOT_THE_REPORTER, "party");
    if (s->in->has_followers) refuse(s, REFUSED_HAS_FOLLOWERS, "case_id");
    if (s->out->refusal) return;
    PbWithdrawn *to = happen(s, EVENT_WITHDRAWN)->withdrawn = make(s, sizeof *to);
    to->party = w->party;
    to->text = s->order->text;
}

/* ---- 回访 重开 ------------------------------------------------------------------------------------------------------- */

/* The rung that a reopened case goes to when no party has handled it: that of its level. */
static uint32_t desk_stage(const struct scene *s) {
    if (s->stage->kind == STAGE_HANDLE) return s->c->stage;
    uint32_t there = stage_of_level(s->playbook, (PbLevel)s->c->level);
    return there ? there : first_stage(s->playbook, division_level(s->c->division));
}

/* Not in office now, or it comes back from elsewhere: then the desk decides anew. */
static const struct ask *who_does_it_again(const struct scene *s) {
    const struct ask *last = s->c->state == STATE_TRANSFERRED ? NULL : case_handler(s->c);
    return last && rules_party(s->rules, slice_of(last->party), s->now) ? last : NULL;
}

static void reopen(struct scene *s, const char *party, bool reporter) {
    const struct ask *handler = who_does_it_again(s);
    uint32_t number = handler ? handler->stage : desk_stage(s), attempt = case_next_attempt(s->c, number);
    const PbStage *stage = stage_at(s->playbook, number);
    PbReopened *to = happen(s, EVENT_REOPENED)->reopened = make(s, sizeof *to);
    to->party = (char *)party;
    if (reporter) SET(to, reporter, true);
    SET(to, level, handler || s->stage->kind != STAGE_HANDLE ? stage->level : (PbLevel)s->c->level);
    SET(to, stage, number);
    SET(to, attempt, attempt);
    if (s->order->kind == ORDER_REOPEN) to->text = s->order->text;
    if (handler) to->n_asks = 1, to->asks = ask_one(s, handler->party);
    struct timers t = { .count = 0 };
    if (handler) timers_reopen(s, &t, stage);
    else timers_desk(s, &t, stage);
    to->timers = timers_list(s, &t, &to->n_timers);
}

/* Solved and satisfied are kept apart. Not solved: back to who did it, once; after that a supervising desk may. */
void decide_follow_up(struct scene *s) {
    const PbFollowUp *w = s->order->follow_up;
    check_party(s, w->party, false, "party");
    check_text(s, w->text, "text");
    if (w->solved > OPINION_NO) refuse(s, REFUSED_FIELD_RANGE, "solved");
    if (w->satisfied > OPINION_NO) refuse(s, REFUSED_FIELD_RANGE, "satisfied");
    if (w->solved == OPINION_NONE && w->satisfied == OPINION_NONE) refuse(s, REFUSED_FIELD_MISSING, "solved");
    if (!is_reporter(s, w->party)) refuse(s, REFUSED_NOT_THE_REPORTER, "party");
    if (s->out->refusal) return;
    PbFollowedUp *to = happen(s, EVENT_FOLLOWED_UP)->followed_up = make(s, sizeof *to);
    SET(to, solved, w->solved);
    SET(to, satisfied, w->satisfied);
    to->text = s->order->text;
    struct playbook_limits limits;
    playbook_limits(s->playbook, &limits);
    bool again = w->solved == OPINION_NO && !s->c->more.reporter_reopened && s->c->more.reopens < limits.reopens_max;
    if (again) reopen(s, w->party, true);
    else close_case(s);
}

void decide_reopen(struct scene *s) {
    const PbReopen *w = s->order->reopen;
    struct playbook_limits limits;
    playbook_limits(s->playbook, &limits);
    check_text(s, w->text, "text");
    if (w->reporter) {
        check_party(s, w->party, false, "party");
        if (!is_reporter(s, w->party)) refuse(s, REFUSED_NOT_THE_REPORTER, "party");
        if (s->c->more.reporter_reopened) refuse(s, REFUSED_SPENT, "reporter");
    } else {
        check_approver(s, w->party, (PbLevel)s->c->level);
    }
    if (s->c->state == STATE_CLOSED) check_window(s, &limits.reopen_within);
    if (s->c->more.reopens >= limits.reopens_max) refuse(s, REFUSED_SPENT, "case_id");
    if (!s->out->refusal) reopen(s, w->party, w->reporter);
}

/* ---- 移交 ---------------------------------------------------------------------------------------------------------- */

void decide_transfer(struct scene *s) {
    const PbTransfer *w = s->order->transfer;
    struct playbook_limits limits;
    playbook_limits(s->playbook, &limits);
    check_party(s, w->party, false, "party");
    check_text(s, w->text, "text");
    if (w->authority == AUTHORITY_NONE || w->authority > AUTHORITY_OTHER) refuse(s, REFUSED_FIELD_RANGE, "authority");
    if (s->in->has_followers) refuse(s, REFUSED_HAS_FOLLOWERS, "case_id");
    if (s->out->refusal) return;
    PbTransferred *to = happen(s, EVENT_TRANSFERRED)->transferred = make(s, sizeof *to);
    to->party = w->party;
    SET(to, authority, w->authority);
    to->text = s->order->text;
    struct timers t = { .count = 0 };
    timers_one(s, &t, TIMER_TRANSFER, &limits.transfer_ack);
    to->timers = timers_list(s, &t, &to->n_timers);
}

void decide_acknowledge_transfer(struct scene *s) {
    const PbAcknowledgeTransfer *a = s->order->acknowledge_transfer;
    if (s->c->more.transfer_acked) return refuse(s, REFUSED_CASE_CLOSED, "case_id");
    if (!a->external_id || !*a->external_id) return refuse(s, REFUSED_FIELD_MISSING, "external_id");
    check_external_id(s, a->external_id);
    if (s->out->refusal) return;
    PbTransferAcknowledged *to = make(s, sizeof *to);
    happen(s, EVENT_TRANSFER_ACKNOWLEDGED)->transfer_acknowledged = to;
    to->external_id = a->external_id;
}

/* ---- 作废, a batch's closing --------------------------------------------------------------------------------------- */

bool batch_confirmed(struct scene *s) {
    if (s->in->in_batch && !s->in->batch_confirmed) refuse(s, REFUSED_BATCH_NOT_CONFIRMED, "batch");
    return s->out->refusal == REFUSED_NOTHING;
}

/* Two persons: one after the other, within a week; or the two that confirmed the batch. */
void decide_void(struct scene *s) {
    const PbVoidCase *w = s->order->void_case;
    const struct case_detours *m = &s->c->more;
    check_text(s, w->text, "text");
    if (!s->in->by.len) refuse(s, REFUSED_FIELD_MISSING, "by");
    if (s->in->has_followers) refuse(s, REFUSED_HAS_FOLLOWERS, "case_id");
    if (!batch_confirmed(s)) return;
    bool asked = m->void_by[0] && s->now - m->void_asked_at_ms <= VOID_WITHIN_MS;
    if (asked && !s->in->in_batch && slice_equal(slice_of(m->void_by), s->in->by))
        return refuse(s, REFUSED_SAME_PERSON, "by");
    char *by = text_in_room(s, s->in->by);
    if (!asked && !s->in->in_batch) {
        PbVoidAsked *to = happen(s, EVENT_VOID_ASKED)->void_asked = make(s, sizeof *to);
        to->by = by;
        to->text = s->order->text;
        return;
    }
    PbVoided *to = happen(s, EVENT_VOIDED)->voided = make(s, sizeof *to);
    to->by = by;
    if (s->in->in_batch) SET(to, cause, CAUSE_BATCH);
    to->text = s->order->text;
}

void decide_close(struct scene *s) {
    check_text(s, s->order->close_case->text, "text");
    if (!s->in->in_batch) refuse(s, REFUSED_BATCH_NOT_CONFIRMED, "batch");
    if (!batch_confirmed(s)) return;
    PbClosed *to = happen(s, EVENT_CLOSED)->closed = make(s, sizeof *to);
    SET(to, on_time, s->c->on_time);
    SET(to, cause, CAUSE_BATCH);
    to->text = s->order->text;
}

/* ---- 归档 ---------------------------------------------------------------------------------------------------------- */

void decide_archive(struct scene *s) {
    int64_t before = s->order->archive.ended_before_ms;
    if (!case_ended(s->c) || s->c->closed_at_ms >= before || before > s->now) return refuse(s, REFUSED_TOO_EARLY, NULL);
    PbArchived *to = happen(s, EVENT_ARCHIVED)->archived = make(s, sizeof *to);
    SET(to, ended_before_ms, before);
}
