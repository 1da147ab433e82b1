/* decide_desk.c: what a desk decides (dispatch, send up), how a case climbs, and what becomes of an offer that nobody
 * decided. */
#include "daemon/kernel/decide_internal.h"

#include <string.h>

/* ---- Dispatch ---------------------------------------------------------------------------------------------------- */

static unsigned asks_open(const struct case_state *c) {
    unsigned count = 0;
    for (unsigned i = 0; i < c->asks_count; i++) count += ask_is_open(&c->asks[i]);
    return count;
}

/* Too few for the tally is as good as nobody: it could never be met. */
static void check_parties(struct scene *s, const PbDispatch *d) {
    if (d->n_parties == 0) return refuse(s, REFUSED_NOBODY_NAMED, "parties");
    if (asks_open(s->c) + d->n_parties > CASE_ASKS_MAX) return refuse(s, REFUSED_TOO_MANY_ASKS, "parties");
    for (size_t i = 0; i < d->n_parties; i++) {
        const char *party = d->parties[i]->party;
        if (!party || !rules_party(s->rules, slice_of(party), s->now))
            return refuse(s, REFUSED_UNKNOWN_PARTY, "parties.party");
        for (size_t k = 0; k < i; k++)
            if (strcmp(party, d->parties[k]->party) == 0) return refuse(s, REFUSED_FIELD_RANGE, "parties.party");
    }
    struct tally_count asked = { .asked = (uint32_t)d->n_parties };
    if (tally_of(s->stage->tally, asked) == TALLY_IMPOSSIBLE) refuse(s, REFUSED_FIELD_RANGE, "parties");
}

static size_t lead_of(const PbDispatch *d) {
    for (size_t i = 0; i < d->n_parties; i++)
        if (d->parties[i]->lead) return i;
    return 0;
}

void decide_dispatch(struct scene *s) {
    const PbDispatch *d = s->order->dispatch;
    if (!cursor_matches(s, d->stage, d->attempt)) return;
    check_parties(s, d);
    if (s->out->refusal) return;
    if (s->c->state == STATE_REPORTED) happen(s, EVENT_ACCEPTED)->accepted = make(s, sizeof(PbAccepted));
    PbDispatched *to = happen(s, EVENT_DISPATCHED)->dispatched = make(s, sizeof *to);
    SET(to, stage, s->c->stage);
    SET(to, attempt, s->c->attempt);
    SET(to, level, (PbLevel)s->c->level);
    SET(to, cause, d->has_cause ? d->cause : CAUSE_DUTY);
    to->n_asks = d->n_parties;
    to->asks = make(s, d->n_parties * sizeof *to->asks);
    size_t lead = lead_of(d);
    for (size_t i = 0; i < d->n_parties; i++) {
        to->asks[i] = make(s, sizeof *to->asks[i]);
        to->asks[i]->party = d->parties[i]->party;
        SET(to->asks[i], lead, i == lead);
    }
    struct timers t = { .count = 0 };
    timers_handling(s, &t);
    to->timers = timers_list(s, &t);
    to->n_timers = t.count;
}

/* ---- who verifies ------------------------------------------------------------------------------------------------ */

PbAsk **ask_one(struct scene *s, const char *party) {
    size_t size = strlen(party) + 1;
    PbAsk **list = make(s, sizeof *list);
    list[0] = make(s, sizeof *list[0]);
    list[0]->party = memcpy(make(s, size), party, size);
    SET(list[0], lead, true);
    return list;
}

static bool may_verify(const struct scene *s, const char *party, const struct ask *handled) {
    for (unsigned i = 0; i < s->c->asks_count; i++) {
        const struct ask *a = &s->c->asks[i];
        bool did_it = a == handled || (a->status == ASK_DONE && a->stage == handled->stage &&
                                       a->attempt == handled->attempt);
        if (did_it && strcmp(a->party, party) == 0) return false;
    }
    return rules_party(s->rules, slice_of(party), s->now);
}

/* Handler and verifier are different parties. A desk alone on its level borrows the verifier of `above`. */
const char *choose_verifier(struct scene *s, PbLevel from, const struct ask *handled) {
    static const PbRoleKind kinds[] = { ROLE_DESK, ROLE_VERIFIER };
    char *party = make(s, PARTY_BYTES_MAX + 1);
    for (unsigned k = 0; k < COUNT_OF(kinds); k++)
        for (PbLevel at = from; at <= LEVEL_CITY; at++) {
            const PbRole *role = rules_role_of_kind(s->rules, kinds[k], at);
            uint64_t division = division_at_level(s->rules, s->c->division, at, s->now);
            if (!role || !division) continue;
            party_print(party, role->slug, division);
            if (may_verify(s, party, handled)) return party;
        }
    return NULL;
}

/* ---- climbing ---------------------------------------------------------------------------------------------------- */

static void supervise(struct scene *s, PbCause cause, PbTimerKind fired, int64_t late_ms) {
    PbSupervised *to = happen(s, EVENT_SUPERVISED)->supervised = make(s, sizeof *to);
    SET(to, times, s->c->supervised + 1u);
    SET(to, cause, cause);
    if (fired != TIMER_NONE) SET(to, fired, fired);
    if (late_ms > 0) SET(to, late_ms, late_ms);
    struct timers t = { .count = 0 };
    timers_supervise(s, &t);
    to->timers = timers_list(s, &t);
    to->n_timers = t.count;
}

static PbEscalated *escalated(struct scene *s, PbLevel from, PbLevel level, uint32_t stage, PbCause cause) {
    PbEscalated *to = happen(s, EVENT_ESCALATED)->escalated = make(s, sizeof *to);
    uint32_t attempt = case_next_attempt(s->c, stage);
    CHECK(attempt <= ATTEMPT_MAX);
    SET(to, from_level, from);
    SET(to, level, level);
    SET(to, stage, stage);
    SET(to, attempt, attempt);
    SET(to, cause, cause);
    return to;
}

PbEscalated *climb_to(struct scene *s, uint32_t stage, PbLevel from, PbCause cause) {
    const PbStage *next = stage_at(s->playbook, stage);
    PbEscalated *to = escalated(s, from, next->level, stage, cause);
    struct timers t = { .count = 0 };
    timers_desk(s, &t, next);
    if (s->c->state == STATE_RESOLVED) timers_promise_resumes(s, &t);
    to->timers = timers_list(s, &t);
    to->n_timers = t.count;
    return to;
}

static PbLevel level_of(const char *party) {
    struct slice role;
    uint64_t division = 0;
    CHECK(party_split(slice_of(party), &role, &division));
    return division_level(division);
}

/* Nobody verified: the desk above is asked to, beside the first. NULL: there is none above. */
static PbEscalated *climb_verifying(struct scene *s, PbCause cause) {
    const struct ask *handled = case_handler(s->c), *silent = NULL;
    for (unsigned i = 0; i < s->c->asks_count; i++)
        if (ask_at_cursor(s->c, &s->c->asks[i])) silent = &s->c->asks[i];
    CHECK(handled && silent);
    PbLevel from = level_of(silent->party);
    const char *verifier = choose_verifier(s, (PbLevel)(from + 1), handled);
    bool room = asks_open(s->c) < CASE_ASKS_MAX && case_next_attempt(s->c, s->c->stage) <= ATTEMPT_MAX;
    if (!verifier || !room) return NULL;
    PbEscalated *to = escalated(s, from, level_of(verifier), s->c->stage, cause);
    to->n_asks = 1;
    to->asks = ask_one(s, verifier);
    struct timers t = { .count = 0 };
    timers_verify(s, &t, s->stage);
    to->timers = timers_list(s, &t);
    to->n_timers = t.count;
    return to;
}

void climb(struct scene *s, PbCause cause, PbTimerKind fired, int64_t late_ms) {
    PbEscalated *to = NULL;
    if (s->c->state == STATE_RESOLVED) to = climb_verifying(s, cause);
    else if (s->stage->on_overdue) to = climb_to(s, s->stage->on_overdue, (PbLevel)s->c->level, cause);
    if (!to) return supervise(s, cause, fired, late_ms);
    if (fired != TIMER_NONE) SET(to, fired, fired);
    if (late_ms > 0) SET(to, late_ms, late_ms);
}

/* A rung that does not say what becomes of what is declined treats it like what is overdue. */
void climb_declined(struct scene *s, PbCause cause) {
    uint32_t next = s->stage->on_declined ? s->stage->on_declined : s->stage->on_overdue;
    if (next) climb_to(s, next, (PbLevel)s->c->level, cause);
    else supervise(s, cause, TIMER_NONE, 0);
}

/* ---- Escalate: asking for help before the deadline never counts against anyone ----------------------------------- */

void decide_escalate(struct scene *s) {
    const PbEscalate *e = s->order->escalate;
    if (!cursor_matches(s, e->stage, e->attempt)) return;
    PbCause cause = e->has_cause ? e->cause : CAUSE_ASKED_FOR_HELP;
    if (cause < CAUSE_OUTSIDE_WALL || cause > CAUSE_ATTEMPTS_SPENT) return refuse(s, REFUSED_FIELD_RANGE, "cause");
    if (e->party && !rules_party(s->rules, slice_of(e->party), s->now))
        return refuse(s, REFUSED_UNKNOWN_PARTY, "party");
    if (!s->stage->on_overdue) return refuse(s, REFUSED_NO_HIGHER_LEVEL, "case_id");
    climb_to(s, s->stage->on_overdue, (PbLevel)s->c->level, cause)->party = e->party;
}

/* ---- OfferFailed ------------------------------------------------------------------------------------------------- */

/* The desk's worker gave the work back, or was lost with it. Bounded: after the stage's offers it is a dead letter
 * until a deadline moves the case. */
void decide_offer_failed(struct scene *s) {
    uint32_t tries = s->order->offer_failed.tries;
    PbOfferEnd how = s->order->offer_failed.how;
    if (how == OFFER_LATE) {                                      /* after its lease or epoch: recorded, bounded */
        if (s->c->late_answers >= LATE_ANSWERS_MAX) return refuse(s, REFUSED_TOO_MANY_LATE, "case_id");
    } else {
        if (!cursor_matches(s, s->order->offer_failed.stage, s->order->offer_failed.attempt)) return;
        if (tries != s->c->offer_tries || !case_wants_desk(s->c)) return refuse(s, REFUSED_WRONG_STAGE, "tries");
    }
    int64_t retry_ms = s->order->offer_failed.retry_ms;
    CHECK(retry_ms >= 0);
    PbOfferFailed *to = happen(s, EVENT_OFFER_FAILED)->offer_failed = make(s, sizeof *to);
    SET(to, stage, s->order->offer_failed.stage);
    SET(to, attempt, s->order->offer_failed.attempt);
    SET(to, how, how);
    if (how == OFFER_LATE) return;
    SET(to, tries, tries + 1);
    int64_t ready = s->now + retry_ms;
    SET(to, ready_at_ms, ready > s->c->offer_ready_ms ? ready : s->c->offer_ready_ms + 1);   /* evolve: offer_afresh */
    if (how == OFFER_REJECTED || tries + 1 >= s->stage->offers_max) SET(to, dead, true);
}
