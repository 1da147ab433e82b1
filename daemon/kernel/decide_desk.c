/* decide_desk.c: what a desk decides (dispatch, send up), how a case climbs, and what becomes of an offer that nobody decided. */
#include "daemon/kernel/decide_internal.h"

#include <string.h>

/* ---- Dispatch ------------------------------------------------------------------------------------------------------------------ */

static unsigned asks_open(const struct case_state *c)
{
    unsigned count = 0;
    for (unsigned i = 0; i < c->asks_count; i++) count += ask_is_open(&c->asks[i]);
    return count;
}

static void check_parties(struct scene *s, const PbDispatch *d)
{
    if (d->n_parties == 0) return refuse(s, REFUSED_NOBODY_NAMED, "parties");
    if (asks_open(s->c) + d->n_parties > CASE_ASKS_MAX) return refuse(s, REFUSED_TOO_MANY_ASKS, "parties");
    for (size_t i = 0; i < d->n_parties; i++) {
        const char *party = d->parties[i]->party;
        if (!party || !rules_party(s->rules, slice_of(party), s->now)) return refuse(s, REFUSED_UNKNOWN_PARTY, "parties.party");
        for (size_t k = 0; k < i; k++)
            if (strcmp(party, d->parties[k]->party) == 0) return refuse(s, REFUSED_SAME_PARTY, "parties.party");
    }
}

static size_t lead_of(const PbDispatch *d)
{
    for (size_t i = 0; i < d->n_parties; i++)
        if (d->parties[i]->lead) return i;
    return 0;
}

void decide_dispatch(struct scene *s)
{
    const PbDispatch *d = s->order->dispatch;
    if (!cursor_matches(s, d->stage, d->attempt)) return;
    check_parties(s, d);
    if (s->out->refusal) return;
    if (s->c->state == STATE_REPORTED) {
        PbAccepted *accepted = happen(s, EVENT_ACCEPTED)->accepted = make(s, sizeof *accepted);
        (void)accepted;
    }
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

/* ---- climbing ------------------------------------------------------------------------------------------------------------------- */

/* handler, verifier: different parties. A desk alone on its level borrows the verifier of `above`. */
const char *choose_verifier(struct scene *s, PbLevel level, const char *handler)
{
    static const PbRoleKind kinds[] = { ROLE_DESK, ROLE_VERIFIER };
    for (unsigned k = 0; k < COUNT_OF(kinds); k++)
        for (PbLevel at = level; at <= LEVEL_CITY; at++) {
            const PbRole *role = rules_role_of_kind(s->rules, kinds[k], at);
            uint64_t division = division_at_level(s->rules, s->c->division, at, s->now);
            if (!role || !division) continue;
            char *party = make(s, PARTY_BYTES_MAX + 1);
            party_print(party, role->slug, division);
            if (strcmp(party, handler) != 0 && rules_party(s->rules, slice_of(party), s->now)) return party;
        }
    return NULL;
}

static void supervise(struct scene *s, PbCause cause, PbTimerKind fired, int64_t late_ms)
{
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

static PbEscalated *escalated(struct scene *s, uint32_t stage, uint32_t attempt, PbLevel level, PbCause cause)
{
    PbEscalated *to = happen(s, EVENT_ESCALATED)->escalated = make(s, sizeof *to);
    SET(to, from_level, (PbLevel)s->c->level);
    SET(to, level, level);
    SET(to, stage, stage);
    SET(to, attempt, attempt);
    SET(to, cause, cause);
    return to;
}

uint32_t next_attempt(const struct case_state *c, uint32_t stage)
{
    uint32_t most = 0;
    for (unsigned i = 0; i < c->asks_count; i++)
        if (c->asks[i].stage == stage && c->asks[i].attempt > most) most = c->asks[i].attempt;
    return most < UINT8_MAX ? most + 1 : UINT8_MAX;
}

PbEscalated *climb_to(struct scene *s, uint32_t stage, PbCause cause)
{
    const PbStage *next = stage_at(s->playbook, stage);
    PbEscalated *to = escalated(s, stage, next_attempt(s->c, stage), next->level, cause);
    struct timers t = { .count = 0 };
    timers_desk(s, &t, next);
    to->timers = timers_list(s, &t);
    to->n_timers = t.count;
    return to;
}

/* Nobody verified: the desk one level up is asked to, beside the first. NULL: there is none above. */
static PbEscalated *climb_verifying(struct scene *s, PbCause cause)
{
    const struct ask *now_asked = NULL;
    for (unsigned i = 0; i < s->c->asks_count; i++)
        if (ask_at_cursor(s->c, &s->c->asks[i])) now_asked = &s->c->asks[i];
    CHECK(now_asked);
    PbLevel level = (PbLevel)(s->c->level + 1);
    const char *verifier = level <= LEVEL_DISTRICT ? choose_verifier(s, level, now_asked->party) : NULL;
    if (!verifier || asks_open(s->c) >= CASE_ASKS_MAX) return NULL;
    for (unsigned i = 0; i < s->c->asks_count; i++)                       /* and never the one who handled it */
        if (s->c->asks[i].status == ASK_DONE && strcmp(s->c->asks[i].party, verifier) == 0) return NULL;
    PbEscalated *to = escalated(s, s->c->stage, s->c->attempt + 1u, level, cause);
    to->n_asks = 1;
    to->asks = make(s, sizeof *to->asks);
    to->asks[0] = make(s, sizeof *to->asks[0]);
    to->asks[0]->party = (char *)verifier;
    SET(to->asks[0], lead, true);
    struct timers t = { .count = 0 };
    timers_verify(s, &t, s->stage);
    to->timers = timers_list(s, &t);
    to->n_timers = t.count;
    return to;
}

void climb(struct scene *s, PbCause cause, PbTimerKind fired, int64_t late_ms, const char *party)
{
    PbEscalated *to = NULL;
    if (s->c->state == STATE_RESOLVED) to = climb_verifying(s, cause);
    else if (s->stage->on_overdue) to = climb_to(s, s->stage->on_overdue, cause);
    if (!to) return supervise(s, cause, fired, late_ms);
    if (fired != TIMER_NONE) SET(to, fired, fired);
    if (late_ms > 0) SET(to, late_ms, late_ms);
    to->party = (char *)party;
}

/* ---- Escalate: asking for help before the deadline never counts against anyone ------------------------------------------------- */

void decide_escalate(struct scene *s)
{
    const PbEscalate *e = s->order->escalate;
    if (!cursor_matches(s, e->stage, e->attempt)) return;
    PbCause cause = e->has_cause ? e->cause : CAUSE_ASKED_FOR_HELP;
    if (cause < CAUSE_OUTSIDE_WALL || cause > CAUSE_ATTEMPTS_SPENT) return refuse(s, REFUSED_FIELD_RANGE, "cause");
    if (e->party && !rules_party(s->rules, slice_of(e->party), s->now)) return refuse(s, REFUSED_UNKNOWN_PARTY, "party");
    if (!s->stage->on_overdue) return refuse(s, REFUSED_NO_HIGHER_LEVEL, "case_id");
    climb(s, cause, TIMER_NONE, 0, e->party);
}

/* ---- OfferFailed ------------------------------------------------------------------------------------------------------------------ */

/* The desk's worker gave the work back, or was lost with it. Bounded: after the stage's offers it is a dead letter until a deadline moves the case. */
void decide_offer_failed(struct scene *s)
{
    uint32_t tries = s->order->offer_failed.tries;
    PbOfferEnd how = s->order->offer_failed.how;
    if (how == OFFER_LATE) {                                      /* a result after its lease or epoch: recorded, bounded */
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
    SET(to, ready_at_ms, s->now + retry_ms);
    if (how == OFFER_REJECTED || tries + 1 >= s->stage->offers_max) SET(to, dead, true);
}
