/* evolve.c: (case, event) -> case. The only writer of a case. Never refuses: what it is given has happened.
 *
 * One row per event: the state after it, the timers that end with it, and what else it writes. The event carries
 * everything that decide computed (dues, asks, levels), so a replay needs neither rules nor calendars. */
#include "daemon/kernel/evolve_internal.h"

#include <string.h>

enum { SAME = 0xff };

void text_into(char *to, size_t cap, const char *from) {
    size_t len = from ? strlen(from) : 0;
    CHECK(len < cap);
    if (len) memcpy(to, from, len);
    memset(to + len, 0, cap - len);
}

/* ---- timers ------------------------------------------------------------------------------------------------------ */

void timers_clear(struct case_state *c, unsigned kinds) {
    unsigned kept = 0;
    for (unsigned i = 0; i < c->timers_count; i++)
        if (!(kinds & 1u << c->timers[i].kind)) c->timers[kept++] = c->timers[i];
    memset(&c->timers[kept], 0, (c->timers_count - kept) * sizeof c->timers[0]);
    c->timers_count = (uint8_t)kept;
}

void timers_set(struct case_state *c, PbTimer *const *timers, size_t count) {
    for (size_t i = 0; i < count; i++) {
        const PbTimer *t = timers[i];
        timers_clear(c, 1u << t->kind);
        CHECK(c->timers_count < CASE_TIMERS_MAX);
        c->timers[c->timers_count++] = (struct timer){
            .kind = (uint8_t)t->kind, .unit = (uint8_t)(t->limit ? t->limit->unit : UNIT_NONE),
            .amount = t->limit ? t->limit->amount : 0, .milestone = (uint8_t)t->milestone,
            .past_calendar = t->past_calendar, .stopped = t->stopped, .start_ms = t->start_ms, .due_ms = t->due_ms,
        };
        if (t->kind == TIMER_PROMISE) c->promise_due_ms = t->due_ms;
        if (t->kind == TIMER_HANDLING) c->handling_due_ms = t->due_ms;
        c->past_calendar |= t->past_calendar;
    }
}

/* ---- asks -------------------------------------------------------------------------------------------------------- */

struct ask *ask_find(struct case_state *c, const char *party, uint32_t stage, uint32_t attempt) {
    for (unsigned i = 0; i < c->asks_count; i++) {
        struct ask *a = &c->asks[i];
        if (a->stage == stage && a->attempt == attempt && strcmp(a->party, party) == 0) return a;
    }
    NEVER("an ask of somebody who was not asked");
}

/* Why an ask that is over is still needed: who did it may have to do it again; and whoever helped to do it, or has
 * found it well done, had better not verify it. */
static unsigned worth(const struct case_state *c, const struct ask *a) {
    if (a == case_handler(c)) return 2;
    return a->status == ASK_DONE || a->status == ASK_VERIFIED;
}

static bool forgotten_before(const struct case_state *c, const struct ask *a, const struct ask *b) {
    unsigned worth_a = worth(c, a), worth_b = worth(c, b);
    return worth_a != worth_b ? worth_a < worth_b : a->answered_at_ms < b->answered_at_ms;
}

/* Room for one more: an ask that nobody waits for goes. decide has made sure that there is one. */
static struct ask *ask_new(struct case_state *c) {
    struct ask *gone = NULL;
    for (unsigned i = 0; c->asks_count == CASE_ASKS_MAX && i < c->asks_count; i++) {
        struct ask *a = &c->asks[i];
        if (!ask_is_open(a) && (!gone || forgotten_before(c, a, gone))) gone = a;
    }
    if (gone) {
        memmove(gone, gone + 1, (size_t)(&c->asks[c->asks_count] - gone - 1) * sizeof *gone);
        c->asks_count--;
    }
    CHECK(c->asks_count < CASE_ASKS_MAX);
    struct ask *a = &c->asks[c->asks_count++];
    memset(a, 0, sizeof *a);
    return a;
}

/* The handler of a case is whose done came last; of two in the same millisecond it is the one further back. */
static struct ask *ask_to_the_end(struct case_state *c, struct ask *a) {
    struct ask moved = *a, *last = &c->asks[c->asks_count - 1];
    memmove(a, a + 1, (size_t)(last - a) * sizeof *a);
    *last = moved;
    return last;
}

void asks_add(struct case_state *c, PbAsk *const *asks, size_t count, int64_t at_ms) {
    for (size_t i = 0; i < count; i++) {
        struct ask *a = ask_new(c);
        text_into(a->party, sizeof a->party, asks[i]->party);
        a->stage = c->stage;
        a->attempt = c->attempt;
        a->level = c->level;
        a->lead = asks[i]->lead;
        a->status = ASK_OPEN;
        a->asked_at_ms = at_ms;
    }
}

/* Ends the asks at the cursor, or all of them. */
void asks_end(struct case_state *c, bool all, int64_t at_ms) {
    for (unsigned i = 0; i < c->asks_count; i++) {
        struct ask *a = &c->asks[i];
        if (!ask_is_open(a) || (!all && !ask_at_cursor(c, a))) continue;
        a->status = ASK_ENDED;
        a->answered_at_ms = at_ms;
    }
}

/* Somebody is always the lead: when it declines, the next open ask beside it takes over. */
static void lead_passes_on(struct case_state *c, struct ask *from) {
    for (unsigned i = 0; i < c->asks_count; i++) {
        struct ask *a = &c->asks[i];
        if (a == from || !ask_is_open(a) || a->stage != from->stage || a->attempt != from->attempt) continue;
        from->lead = false;
        a->lead = true;
        return;
    }
}

/* ---- one function per event that does more than its row says ----------------------------------------------------- */

static void apply_report(struct case_state *c, const PbReported *r, int64_t at_ms) {
    c->opened_at_ms = at_ms;
    c->occurred_at_ms = r->occurred_at_ms;
    c->district = r->district;
    c->day = r->day;
    c->day_number = r->day_number;
    c->division = r->place->division;
    c->wall = (uint8_t)r->place->wall;
    c->has_place = r->place->has_lon_e7;
    c->lon_e7 = r->place->lon_e7;
    c->lat_e7 = r->place->lat_e7;
    c->rules = r->rules;
    c->playbook = (uint8_t)r->playbook;
    c->urgency = (uint8_t)r->urgency;
    c->level = (uint8_t)r->level;
    c->stage = (uint8_t)r->stage;
    c->attempt = 1;
    c->slot = r->slot;
    c->has_text = r->text != NULL;
    c->has_address = r->address != NULL;
    c->past_calendar = r->past_calendar;
    c->ask_me = r->ask_me;
    c->exercise = r->exercise;
    c->offer_ready_ms = at_ms;
    text_into(c->reporter, sizeof c->reporter, r->reporter);
    text_into(c->more.origin, sizeof c->more.origin, r->origin);
    text_into(c->category, sizeof c->category, r->category);
    text_into(c->external_id, sizeof c->external_id, r->external_id);
    timers_set(c, r->timers, r->n_timers);
}

static void on_reported(struct case_state *c, const PbEvent *e, int64_t at_ms) {
    apply_report(c, e->reported, at_ms);
}

static void on_self_handled(struct case_state *c, const PbEvent *e, int64_t at_ms) {
    apply_report(c, e->self_handled->report, at_ms);
    timers_clear(c, ALL_TIMERS);
    c->self_handled = c->on_time = true;
    c->resolved_at_ms = c->closed_at_ms = at_ms;
}

/* From another system: opened there when it was, asked there when it was. */
static void on_imported(struct case_state *c, const PbEvent *e, int64_t at_ms) {
    const PbImported *i = e->imported;
    apply_report(c, i->report, i->opened_at_ms);
    c->state = (uint8_t)i->state;
    c->more.imported = true;
    c->offer_ready_ms = at_ms;
    asks_add(c, i->asks, i->n_asks, i->asked_at_ms);
    if (i->state == STATE_HANDLING)
        for (unsigned k = 0; k < c->asks_count; k++)
            if (c->asks[k].lead) c->asks[k].status = ASK_ACCEPTED, c->asks[k].answered_at_ms = i->asked_at_ms;
}

void on_ended(struct case_state *c, const PbEvent *e, int64_t at_ms) {
    (void)e;
    asks_end(c, true, at_ms);
    c->closed_at_ms = at_ms;
}

static void on_dispatched(struct case_state *c, const PbEvent *e, int64_t at_ms) {
    const PbDispatched *d = e->dispatched;
    CHECK(d->stage == c->stage && d->attempt == c->attempt && d->n_asks >= 1);
    asks_add(c, d->asks, d->n_asks, at_ms);
    timers_set(c, d->timers, d->n_timers);
    c->more.returned = false;
}

static void on_signed(struct case_state *c, const PbEvent *e, int64_t at_ms) {
    struct ask *a = ask_find(c, e->signed_->party, e->signed_->stage, e->signed_->attempt);
    CHECK(a->status == ASK_OPEN);
    a->status = ASK_ACCEPTED;
    a->answered_at_ms = at_ms;
}

/* The desk's work is offered from now on, as if it never had been. A place in the order of readiness is never used
 * twice: who looks at that order goes forward only. */
void offer_afresh(struct case_state *c, int64_t at_ms) {
    c->offer_tries = 0;
    c->offer_dead = false;
    c->offer_ready_ms = at_ms > c->offer_ready_ms ? at_ms : c->offer_ready_ms + 1;
}

/* The desk is asked again: a new attempt of the same stage. */
static void desk_reopens(struct case_state *c, int64_t at_ms) {
    asks_end(c, false, at_ms);
    timers_clear(c, T(ACCEPT) | T(REMIND) | T(HANDLING) | T(SUPERVISE));
    c->state = STATE_ACCEPTED;
    c->attempt++;
    offer_afresh(c, at_ms);
}

static void on_answered(struct case_state *c, const PbEvent *e, int64_t at_ms) {
    static const uint8_t status[] = {
        [ANSWER_ACCEPT] = ASK_ACCEPTED, [ANSWER_DONE] = ASK_DONE, [ANSWER_DECLINE] = ASK_DECLINED,
        [ANSWER_RETURN] = ASK_RETURNED,
    };
    const PbAnswered *w = e->answered;
    if (w->fate != FATE_COUNTED) {
        c->late_answers++;
        return;
    }
    struct ask *a = ask_find(c, w->party, w->stage, w->attempt);
    CHECK(ask_is_open(a) && w->kind >= ANSWER_ACCEPT && w->kind <= ANSWER_RETURN);
    a->status = status[w->kind];
    a->answered_at_ms = at_ms;
    if (w->kind >= ANSWER_DECLINE && a->lead) lead_passes_on(c, a);
    if (w->reopens_desk) desk_reopens(c, at_ms);
    timers_set(c, w->timers, w->n_timers);
}

static void on_reminded(struct case_state *c, const PbEvent *e, int64_t at_ms) {
    (void)at_ms;
    if (c->reminders < UINT16_MAX) c->reminders++;
    if (!e->reminded->party) timers_clear(c, T(REMIND));         /* a leader's word leaves the timer its own */
}

static bool is_overdue(PbTimerKind fired) {
    return fired == TIMER_HANDLING || fired == TIMER_PROMISE;
}

static void on_supervised(struct case_state *c, const PbEvent *e, int64_t at_ms) {
    if (c->supervised < UINT16_MAX) c->supervised++;
    c->overdue |= is_overdue(e->supervised->fired);
    if (c->offer_dead) offer_afresh(c, at_ms);                   /* a dead letter, until a deadline moves the case */
    timers_clear(c, 1u << e->supervised->fired);
    timers_set(c, e->supervised->timers, e->supervised->n_timers);
}

/* The level below stays a co-party: its open asks keep their (stage, attempt) and may still be answered. */
static void on_escalated(struct case_state *c, const PbEvent *e, int64_t at_ms) {
    const PbEscalated *u = e->escalated;
    bool verifying = u->n_asks > 0;
    if (c->state == STATE_RESOLVED && !verifying) asks_end(c, true, at_ms);
    c->escalations++;
    c->overdue |= is_overdue(u->fired);
    timers_clear(c, 1u << u->fired);
    c->state = verifying ? STATE_RESOLVED : STATE_ACCEPTED;
    if (!verifying) c->resolved_at_ms = 0, c->on_time = false;
    c->more.returned = false;
    c->level = (uint8_t)u->level;
    c->stage = (uint8_t)u->stage;
    c->attempt = (uint8_t)u->attempt;
    offer_afresh(c, at_ms);
    asks_add(c, u->asks, u->n_asks, at_ms);
    timers_set(c, u->timers, u->n_timers);
}

static void on_milestone_done(struct case_state *c, const PbEvent *e, int64_t at_ms) {
    (void)at_ms;
    c->milestones_done = (uint8_t)(e->milestone_done->index + 1);
    if (e->milestone_done->n_timers) timers_clear(c, T(REMIND) | T(HANDLING));
    timers_set(c, e->milestone_done->timers, e->milestone_done->n_timers);
}

static void on_resolved(struct case_state *c, const PbEvent *e, int64_t at_ms) {
    const PbResolved *r = e->resolved;
    struct ask *a = ask_find(c, r->party, r->stage, r->attempt);
    CHECK(ask_is_open(a));
    a = ask_to_the_end(c, a);
    a->status = ASK_DONE;
    a->answered_at_ms = at_ms;
    asks_end(c, true, at_ms);
    c->resolved_at_ms = at_ms;
    c->on_time = r->on_time;
    if (r->verify_stage) {
        uint32_t attempt = case_next_attempt(c, r->verify_stage);
        CHECK(attempt <= ATTEMPT_MAX);
        c->handled_stage = c->stage;
        c->stage = (uint8_t)r->verify_stage;
        c->attempt = (uint8_t)attempt;
    }
    asks_add(c, r->asks, r->n_asks, at_ms);
    timers_set(c, r->timers, r->n_timers);
}

/* Not only the last verifier who was asked: those below that were passed over may still say so. */
static void on_verified(struct case_state *c, const PbEvent *e, int64_t at_ms) {
    struct ask *by = NULL;
    for (unsigned i = 0; i < c->asks_count; i++) {
        struct ask *a = &c->asks[i];
        if (ask_is_open(a) && a->stage == c->stage && strcmp(a->party, e->verified->party) == 0) by = a;
    }
    CHECK(by);
    by->status = ASK_VERIFIED;
    by->answered_at_ms = at_ms;
}

/* Back to the party that said it was done, under a new attempt of the stage it was done in. */
static void on_rework(struct case_state *c, const PbEvent *e, int64_t at_ms) {
    const PbRework *w = e->rework;
    PbAsk again = { .party = w->party, .lead = true }, *asks[] = { &again };
    asks_end(c, true, at_ms);
    c->reworks++;
    c->resolved_at_ms = 0;
    c->on_time = false;
    c->level = (uint8_t)w->level;
    c->stage = (uint8_t)w->stage;
    c->attempt = (uint8_t)w->attempt;
    asks_add(c, asks, 1, at_ms);
    c->asks[c->asks_count - 1].status = ASK_ACCEPTED;
    timers_set(c, w->timers, w->n_timers);
}

static void on_offer_failed(struct case_state *c, const PbEvent *e, int64_t at_ms) {
    (void)at_ms;
    if (e->offer_failed->how == OFFER_LATE) {                    /* recorded; it decides nothing */
        c->late_answers++;
        return;
    }
    c->offer_tries = (uint8_t)e->offer_failed->tries;
    c->offer_dead = e->offer_failed->dead;
    c->offer_ready_ms = e->offer_failed->ready_at_ms;
    c->more.dead_dropped = false;
}

/* ---- the table --------------------------------------------------------------------------------------------------- */

struct evolution {
    uint8_t state;                                   /* after the event */
    uint16_t ends;                                   /* timers that end with it */
    void (*apply)(struct case_state *c, const PbEvent *e, int64_t at_ms);
};

static const struct evolution evolutions[] = {
    [EVENT_REPORTED]       = { STATE_REPORTED,   0, on_reported },
    [EVENT_SELF_HANDLED]   = { STATE_CLOSED,     0, on_self_handled },
    [EVENT_ACCEPTED]       = { STATE_ACCEPTED,   0, NULL },
    [EVENT_REJECTED]       = { STATE_REJECTED,   ALL_TIMERS, on_ended },
    [EVENT_DISPATCHED]     = { STATE_DISPATCHED, ~T(PROMISE) & ALL_TIMERS, on_dispatched },
    [EVENT_SIGNED]         = { STATE_HANDLING,   T(ACCEPT), on_signed },
    [EVENT_ANSWERED]       = { SAME,             0, on_answered },
    [EVENT_REMINDED]       = { SAME,             0, on_reminded },
    [EVENT_SUPERVISED]     = { SAME,             0, on_supervised },
    [EVENT_ESCALATED]      = { SAME,             ~T(PROMISE) & ALL_TIMERS, on_escalated },
    [EVENT_MILESTONE_DONE] = { SAME,             0, on_milestone_done },
    [EVENT_RESOLVED]       = { STATE_RESOLVED,   ALL_TIMERS, on_resolved },
    [EVENT_VERIFIED]       = { SAME,             T(VERIFY) | T(REMIND), on_verified },
    [EVENT_REWORK]         = { STATE_HANDLING,   ALL_TIMERS, on_rework },
    [EVENT_CLOSED]         = { STATE_CLOSED,     ALL_TIMERS, on_ended },
    [EVENT_NOTED]          = { SAME,             0, NULL },
    [EVENT_OFFER_FAILED]   = { SAME,             0, on_offer_failed },

    [EVENT_IMPORTED]       = { SAME,             0, on_imported },
    [EVENT_APPEALED]       = { STATE_ACCEPTED,   0, on_appealed },
    [EVENT_MERGED]         = { STATE_MERGED,     ALL_TIMERS, on_merged },
    [EVENT_SPLIT]          = { STATE_ACCEPTED,   0, on_split },
    [EVENT_WITHDRAWN]      = { STATE_WITHDRAWN,  ALL_TIMERS, on_ended },
    [EVENT_RETURNED]       = { STATE_ACCEPTED,   T(ACCEPT) | T(REMIND) | T(SUPERVISE), on_returned },
    [EVENT_REASSIGNED]     = { STATE_DISPATCHED, T(DESK) | T(ACCEPT) | T(REMIND) | T(SUPERVISE), on_reassigned },
    [EVENT_ARBITRATED]     = { STATE_DISPATCHED, T(DESK) | T(ACCEPT) | T(REMIND) | T(SUPERVISE), on_arbitrated },
    [EVENT_EXTENSION_ASKED]   = { SAME,          0, on_extension_asked },
    [EVENT_EXTENSION_GRANTED] = { SAME,          0, on_extension_granted },
    [EVENT_EXTENSION_REFUSED] = { SAME,          0, on_extension_refused },
    [EVENT_SUSPENDED]      = { STATE_SUSPENDED,  T(ACCEPT), on_suspended },
    [EVENT_RESUMED]        = { STATE_HANDLING,   ALL_TIMERS, on_resumed },
    [EVENT_DELEGATED]      = { STATE_ACCEPTED,   ~T(PROMISE) & ALL_TIMERS, on_delegated },
    [EVENT_FOLLOWUP_BEGUN] = { STATE_FOLLOWUP,   ALL_TIMERS, on_followup_begun },
    [EVENT_FOLLOWED_UP]    = { SAME,             0, on_followed_up },
    [EVENT_REOPENED]       = { STATE_ACCEPTED,   ALL_TIMERS, on_reopened },
    [EVENT_TRANSFERRED]    = { STATE_TRANSFERRED, ALL_TIMERS, on_transferred },
    [EVENT_TRANSFER_ACKNOWLEDGED] = { SAME,      ALL_TIMERS, on_transfer_acknowledged },
    [EVENT_VOID_ASKED]     = { SAME,             0, on_void_asked },
    [EVENT_VOIDED]         = { STATE_VOID,       ALL_TIMERS, on_voided },
    [EVENT_ARCHIVED]       = { STATE_ARCHIVED,   0, NULL },
    [EVENT_CORRECTED]      = { SAME,             0, on_corrected },
    [EVENT_HANDED_OVER]    = { SAME,             0, on_handed_over },
    [EVENT_CASE_MOVED]     = { SAME,             0, on_case_moved },
    [EVENT_DUE_MOVED]      = { SAME,             0, on_due_moved },
    [EVENT_DEAD_RETRIED]   = { SAME,             0, on_dead_retried },
    [EVENT_DEAD_DROPPED]   = { SAME,             0, on_dead_dropped },
};

/* What belongs to one state ends with it, whichever way the case leaves; where the cursor has been it will not be
 * again. */
static void settle(struct case_state *c) {
    if (c->state != STATE_HANDLING) c->more.extension_unit = UNIT_NONE, c->more.extension_amount = 0;
    if (c->state != STATE_SUSPENDED) c->more.suspended_at_ms = 0;
    CHECK(c->stage >= 1 && c->stage <= STAGES_MAX);
    if (c->attempt > c->attempts[c->stage - 1]) c->attempts[c->stage - 1] = c->attempt;
}

void evolve(struct case_state *c, const PbEvent *e, uint64_t seq, int64_t at_ms) {
    CHECK((size_t)e->event_case < COUNT_OF(evolutions) && evolutions[e->event_case].state);
    const struct evolution *row = &evolutions[e->event_case];
    PbState from = c->id ? (PbState)c->state : STATE_NONE;
    bool first = e->event_case == EVENT_REPORTED || e->event_case == EVENT_SELF_HANDLED
        || e->event_case == EVENT_IMPORTED;
    CHECK(first == (c->id == 0));
    CHECK(seq > c->last_seq);
    if (first) {
        memset(c, 0, sizeof *c);
        c->id = seq;
    }
    timers_clear(c, row->ends);
    if (row->state != SAME) c->state = row->state;
    if (row->apply) row->apply(c, e, at_ms);
    settle(c);
    CHECK(arrow_exists(e->event_case, from, (PbState)c->state));
    c->last_seq = seq;
}
