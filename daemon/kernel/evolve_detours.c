/* evolve_detours.c: what the events round the main way write. Called by the table in evolve.c. */
#include "daemon/kernel/evolve_internal.h"

#include <string.h>

/* To the desk of the cursor's level: its work is offered. */
static void to_the_desk(struct case_state *c, uint32_t stage, uint32_t attempt, PbLevel level, int64_t at_ms) {
    CHECK(stage >= 1 && attempt >= 1 && attempt <= ATTEMPT_MAX);
    c->state = STATE_ACCEPTED;
    c->stage = (uint8_t)stage;
    c->attempt = (uint8_t)attempt;
    c->level = (uint8_t)level;
    c->resolved_at_ms = c->closed_at_ms = 0;
    c->on_time = false;
    offer_afresh(c, at_ms);
}

void on_appealed(struct case_state *c, const PbEvent *e, int64_t at_ms) {
    const PbAppealed *a = e->appealed;
    to_the_desk(c, a->stage, a->attempt, a->level, at_ms);
    c->escalations++;
    c->more.appealed = true;
    timers_set(c, a->timers, a->n_timers);
}

void on_merged(struct case_state *c, const PbEvent *e, int64_t at_ms) {
    on_ended(c, e, at_ms);
    c->more.master = e->merged->master;
}

void on_split(struct case_state *c, const PbEvent *e, int64_t at_ms) {
    to_the_desk(c, c->stage, e->split->attempt, (PbLevel)c->level, at_ms);
    c->more.master = 0;
    timers_set(c, e->split->timers, e->split->n_timers);
}

/* The desk decides whether the return is upheld; until then the handling clock of the case runs on. */
void on_returned(struct case_state *c, const PbEvent *e, int64_t at_ms) {
    const PbReturned *w = e->returned;
    struct ask *a = ask_find(c, w->party, w->stage, w->attempt);
    CHECK(ask_is_open(a) && ask_at_cursor(c, a));
    a->status = ASK_RETURNED;
    a->answered_at_ms = at_ms;
    asks_end(c, false, at_ms);
    c->attempt++;
    c->more.returns++;
    c->more.returned = true;
    c->more.arbitrating = w->to_arbiter;
    text_into(c->more.proposed, sizeof c->more.proposed, w->proposed);
    offer_afresh(c, at_ms);
    timers_set(c, w->timers, w->n_timers);
}

/* 改派: whoever was asked at the cursor is asked no more. */
static void redispatch(struct case_state *c, const PbDispatched *d, int64_t at_ms) {
    CHECK(d->stage == c->stage && d->attempt >= c->attempt && d->attempt <= ATTEMPT_MAX && d->n_asks >= 1);
    asks_end(c, false, at_ms);
    c->attempt = (uint8_t)d->attempt;
    asks_add(c, d->asks, d->n_asks, at_ms);
    timers_set(c, d->timers, d->n_timers);
    c->more.returned = false;
    text_into(c->more.proposed, sizeof c->more.proposed, "");
}

void on_reassigned(struct case_state *c, const PbEvent *e, int64_t at_ms) {
    redispatch(c, e->reassigned, at_ms);
}

void on_arbitrated(struct case_state *c, const PbEvent *e, int64_t at_ms) {
    redispatch(c, e->arbitrated, at_ms);
    c->more.arbitrating = false;
    c->more.arbitrated = true;
}

void on_extension_asked(struct case_state *c, const PbEvent *e, int64_t at_ms) {
    (void)at_ms;
    c->more.extension_unit = (uint8_t)e->extension_asked->limit->unit;
    c->more.extension_amount = e->extension_asked->limit->amount;
}

static void extension_decided(struct case_state *c, const char *by) {
    c->more.extension_unit = UNIT_NONE;
    c->more.extension_amount = 0;
    if (by) text_into(c->more.approver, sizeof c->more.approver, by);
}

void on_extension_granted(struct case_state *c, const PbEvent *e, int64_t at_ms) {
    const PbExtensionGranted *g = e->extension_granted;
    (void)at_ms;
    extension_decided(c, g->party);
    c->more.extensions++;
    c->more.extended_ms += g->added_ms;
    timers_clear(c, T(REMIND));
    timers_set(c, g->timers, g->n_timers);
}

void on_extension_refused(struct case_state *c, const PbEvent *e, int64_t at_ms) {
    (void)at_ms;
    extension_decided(c, e->extension_refused->party);
}

void on_suspended(struct case_state *c, const PbEvent *e, int64_t at_ms) {
    const PbSuspended *w = e->suspended;
    for (unsigned i = 0; i < c->timers_count; i++) c->timers[i].stopped = true;
    extension_decided(c, w->party);
    c->more.suspensions++;
    c->more.suspended_at_ms = at_ms;
    timers_set(c, w->timers, w->n_timers);
}

/* The event has every timer that goes on, with its new due. */
void on_resumed(struct case_state *c, const PbEvent *e, int64_t at_ms) {
    (void)at_ms;
    timers_set(c, e->resumed->timers, e->resumed->n_timers);
}

void on_delegated(struct case_state *c, const PbEvent *e, int64_t at_ms) {
    const PbDelegated *d = e->delegated;
    to_the_desk(c, d->stage, d->attempt, d->level, at_ms);
    if (d->division) c->division = d->division;
    c->more.delegations++;
    c->more.returned = false;
    timers_set(c, d->timers, d->n_timers);
}

void on_followup_begun(struct case_state *c, const PbEvent *e, int64_t at_ms) {
    asks_end(c, true, at_ms);
    timers_set(c, e->followup_begun->timers, e->followup_begun->n_timers);
}

void on_followed_up(struct case_state *c, const PbEvent *e, int64_t at_ms) {
    (void)at_ms;
    c->more.solved = (uint8_t)e->followed_up->solved;
    c->more.satisfied = (uint8_t)e->followed_up->satisfied;
}

void on_reopened(struct case_state *c, const PbEvent *e, int64_t at_ms) {
    const PbReopened *w = e->reopened;
    to_the_desk(c, w->stage, w->attempt, w->level, at_ms);
    asks_add(c, w->asks, w->n_asks, at_ms);
    if (w->n_asks) {
        c->state = STATE_HANDLING;
        c->asks[c->asks_count - 1].status = ASK_ACCEPTED;
    }
    c->self_handled = false;
    c->more.reopens++;
    c->more.reporter_reopened |= w->reporter;
    c->more.authority = AUTHORITY_NONE;
    c->more.transfer_acked = false;
    timers_set(c, w->timers, w->n_timers);
}

void on_transferred(struct case_state *c, const PbEvent *e, int64_t at_ms) {
    asks_end(c, true, at_ms);
    c->resolved_at_ms = 0;
    c->on_time = false;
    c->more.authority = (uint8_t)e->transferred->authority;
    timers_set(c, e->transferred->timers, e->transferred->n_timers);
}

void on_transfer_acknowledged(struct case_state *c, const PbEvent *e, int64_t at_ms) {
    (void)e;
    c->more.transfer_acked = true;
    c->closed_at_ms = at_ms;
}

void on_void_asked(struct case_state *c, const PbEvent *e, int64_t at_ms) {
    text_into(c->more.void_by, sizeof c->more.void_by, e->void_asked->by);
    c->more.void_asked_at_ms = at_ms;
}

void on_voided(struct case_state *c, const PbEvent *e, int64_t at_ms) {
    on_ended(c, e, at_ms);
    c->more.master = 0;
}

void on_corrected(struct case_state *c, const PbEvent *e, int64_t at_ms) {
    const PbCorrectedFields *to = e->corrected->after;
    if (to->category) text_into(c->category, sizeof c->category, to->category);
    if (to->has_urgency) c->urgency = (uint8_t)to->urgency;
    if (to->place) {
        if (to->place->division != c->division && case_wants_desk(c)) offer_afresh(c, at_ms);
        c->division = to->place->division;
        c->wall = (uint8_t)to->place->wall;
        c->has_place = to->place->has_lon_e7;
        c->lon_e7 = to->place->lon_e7;
        c->lat_e7 = to->place->lat_e7;
    }
    if (e->corrected->n_timers) timers_clear(c, T(REMIND));
    timers_set(c, e->corrected->timers, e->corrected->n_timers);
}

void on_handed_over(struct case_state *c, const PbEvent *e, int64_t at_ms) {
    (void)at_ms;
    for (unsigned i = 0; i < c->asks_count; i++) {
        struct ask *a = &c->asks[i];
        if (ask_is_open(a) && strcmp(a->party, e->handed_over->from) == 0)
            text_into(a->party, sizeof a->party, e->handed_over->to);
    }
}

void on_case_moved(struct case_state *c, const PbEvent *e, int64_t at_ms) {
    (void)at_ms;
    c->rules = e->case_moved->rules;
    c->playbook = (uint8_t)e->case_moved->playbook;
    c->more.calendar_rules = 0;
}

void on_due_moved(struct case_state *c, const PbEvent *e, int64_t at_ms) {
    (void)at_ms;
    c->more.calendar_rules = e->due_moved->calendar_rules;
    timers_set(c, e->due_moved->timers, e->due_moved->n_timers);
}

void on_dead_retried(struct case_state *c, const PbEvent *e, int64_t at_ms) {
    (void)e;
    offer_afresh(c, at_ms);
    c->more.dead_dropped = false;
}

void on_dead_dropped(struct case_state *c, const PbEvent *e, int64_t at_ms) {
    (void)e, (void)at_ms;
    c->more.dead_dropped = true;
}
