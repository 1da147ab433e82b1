/* decide_desk.c: what a desk decides (accept, reject, dispatch, reassign, send up or down), how a case climbs, and what
 * becomes of an offer that nobody decided. */
#include "daemon/kernel/decide_internal.h"

#include <limits.h>
#include <string.h>

/* ---- Accept, Reject --------------------------------------------------------------------------------------------- */

void decide_accept(struct scene *s) {
    const PbAccept *a = s->order->accept;
    check_party(s, a->party, false, "party");
    if (s->out->refusal) return;
    PbAccepted *to = happen(s, EVENT_ACCEPTED)->accepted = make(s, sizeof *to);
    to->party = a->party;
}

void decide_reject(struct scene *s) {
    const PbReject *r = s->order->reject;
    if (!cursor_matches(s, r->stage, r->attempt)) return;
    if (r->cause < CAUSE_OUT_OF_SCOPE || r->cause > CAUSE_ELSEWHERE) return refuse(s, REFUSED_FIELD_RANGE, "cause");
    check_text(s, r->text, "text");
    if (s->out->refusal) return;
    PbRejected *to = happen(s, EVENT_REJECTED)->rejected = make(s, sizeof *to);
    SET(to, cause, r->cause);
    to->text = s->order->text;
}

/* ---- Dispatch, Reassign ------------------------------------------------------------------------------------------ */

static unsigned asks_open(const struct case_state *c) {
    unsigned count = 0;
    for (unsigned i = 0; i < c->asks_count; i++) count += ask_is_open(&c->asks[i]);
    return count;
}

static void check_parties(struct scene *s, PbAskedParty *const *parties, size_t count) {
    if (count > CASE_ASKS_MAX) return refuse(s, REFUSED_TOO_MANY_ASKS, "parties");
    for (size_t i = 0; i < count; i++) {
        const char *party = parties[i]->party;
        if (!party || !rules_party(s->rules, slice_of(party), s->now))
            return refuse(s, REFUSED_UNKNOWN_PARTY, "parties.party");
        for (size_t k = 0; k < i; k++)
            if (strcmp(party, parties[k]->party) == 0) return refuse(s, REFUSED_FIELD_RANGE, "parties.party");
    }
}

/* Too few for the tally is as good as nobody: it could never be met. */
void check_round(struct scene *s, PbAskedParty *const *parties, size_t count, unsigned open) {
    if (count == 0) return refuse(s, REFUSED_NOBODY_NAMED, "parties");
    if (open + count > CASE_ASKS_MAX) return refuse(s, REFUSED_TOO_MANY_ASKS, "parties");
    check_parties(s, parties, count);
    struct tally_count asked = { .asked = (uint32_t)count };
    if (tally_of(s->stage->tally, asked) == TALLY_IMPOSSIBLE) refuse(s, REFUSED_FIELD_RANGE, "parties");
}

/* The first with `lead`, or the first, is the lead (主办); the others help (协办). */
PbAsk **asks_of(struct scene *s, PbAskedParty *const *parties, size_t count) {
    size_t lead = 0;
    for (size_t i = count; i-- > 0;)
        if (parties[i]->lead) lead = i;
    PbAsk **asks = make(s, (count + 1) * sizeof *asks);
    for (size_t i = 0; i < count; i++) {
        asks[i] = make(s, sizeof *asks[i]);
        asks[i]->party = parties[i]->party;
        SET(asks[i], lead, i == lead);
    }
    return asks;
}

static PbDispatched *dispatched(struct scene *s, uint32_t attempt, PbCause cause, PbAskedParty *const *parties,
                                size_t count) {
    PbDispatched *to = make(s, sizeof *to);
    SET(to, stage, s->c->stage);
    SET(to, attempt, attempt);
    SET(to, level, (PbLevel)s->c->level);
    SET(to, cause, cause);
    to->n_asks = count;
    to->asks = asks_of(s, parties, count);
    struct timers t = { .count = 0 };
    timers_handling(s, &t);
    to->timers = timers_list(s, &t, &to->n_timers);
    return to;
}

/* After a return it is 改派, or 裁定派遣 when it was returned as often as may be. */
void decide_dispatch(struct scene *s) {
    const PbDispatch *d = s->order->dispatch;
    if (!cursor_matches(s, d->stage, d->attempt)) return;
    check_round(s, d->parties, d->n_parties, asks_open(s->c));
    if (s->out->refusal) return;
    if (s->c->state == STATE_REPORTED) happen(s, EVENT_ACCEPTED)->accepted = make(s, sizeof(PbAccepted));
    PbEvent__EventCase kind = s->c->more.arbitrating ? EVENT_ARBITRATED
        : s->c->more.returned ? EVENT_REASSIGNED : EVENT_DISPATCHED;
    PbDispatched *to = dispatched(s, s->c->attempt, d->has_cause ? d->cause : CAUSE_DUTY, d->parties, d->n_parties);
    happen(s, kind)->dispatched = to;
}

/* 改派: others are asked, without a return. The handling clock of the case runs on. */
void decide_reassign(struct scene *s) {
    const PbReassign *d = s->order->reassign;
    if (!batch_confirmed(s) || !cursor_matches(s, d->stage, d->attempt)) return;
    unsigned here = 0;
    for (unsigned i = 0; i < s->c->asks_count; i++)
        here += ask_is_open(&s->c->asks[i]) && ask_at_cursor(s->c, &s->c->asks[i]);
    check_round(s, d->parties, d->n_parties, asks_open(s->c) - here);
    uint32_t attempt = attempt_next(s, s->c->stage);
    if (s->out->refusal) return;
    PbDispatched *to = dispatched(s, attempt, CAUSE_DUTY, d->parties, d->n_parties);
    happen(s, EVENT_REASSIGNED)->reassigned = to;
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

bool may_verify(const struct scene *s, const char *party, const struct ask *handled) {
    for (unsigned i = 0; i < s->c->asks_count; i++) {
        const struct ask *a = &s->c->asks[i];
        bool did_it = a == handled || (a->status == ASK_DONE && a->stage == handled->stage &&
                                       a->attempt == handled->attempt);
        if (did_it && strcmp(a->party, party) == 0) return false;
    }
    return rules_party(s->rules, slice_of(party), s->now);
}

/* Better somebody who has not found it well done already, before it was reopened; better still nobody who approved of
 * more time for it. But where nobody else is left, it is verified all the same. */
static unsigned partiality(const struct scene *s, const char *party) {
    unsigned verified_before = 0;
    for (unsigned i = 0; i < s->c->asks_count; i++)
        verified_before |= s->c->asks[i].status == ASK_VERIFIED && strcmp(s->c->asks[i].party, party) == 0;
    return verified_before + (strcmp(party, s->c->more.approver) == 0 ? 2u : 0u);
}

/* Handler and verifier are different parties. A desk alone on its level borrows the verifier of `above`. */
const char *choose_verifier(struct scene *s, PbLevel from, const struct ask *handled) {
    static const PbRoleKind kinds[] = { ROLE_DESK, ROLE_VERIFIER };
    char *party = make(s, PARTY_BYTES_MAX + 1), *best = NULL;
    unsigned least = UINT_MAX;
    for (unsigned k = 0; k < COUNT_OF(kinds); k++)
        for (PbLevel at = from; at <= LEVEL_CITY; at++) {
            const PbRole *role = rules_role_of_kind(s->rules, kinds[k], at);
            uint64_t division = division_at_level(s->rules, s->c->division, at, s->now);
            if (!role || !division) continue;
            party_print(party, role->slug, division);
            if (!may_verify(s, party, handled) || partiality(s, party) >= least) continue;
            least = partiality(s, party);
            best = text_in_room(s, slice_of(party));
        }
    return best;
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
    to->timers = timers_list(s, &t, &to->n_timers);
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
    to->timers = timers_list(s, &t, &to->n_timers);
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
    bool room = asks_open(s->c) < CASE_ASKS_MAX
        && case_next_attempt(s->c, s->c->stage) <= ATTEMPT_MAX - ATTEMPTS_KEPT;
    if (!verifier || !room) return NULL;
    PbEscalated *to = escalated(s, from, level_of(verifier), s->c->stage, cause);
    to->n_asks = 1;
    to->asks = ask_one(s, verifier);
    struct timers t = { .count = 0 };
    timers_verify(s, &t, s->stage);
    to->timers = timers_list(s, &t, &to->n_timers);
    return to;
}

void climb(struct scene *s, PbCause cause, PbTimerKind fired, int64_t late_ms) {
    PbEscalated *to = NULL;
    if (s->c->state == STATE_RESOLVED) to = climb_verifying(s, cause);
    else if (s->c->state != STATE_TRANSFERRED && s->stage->on_overdue)
        to = climb_to(s, s->stage->on_overdue, (PbLevel)s->c->level, cause);
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
    uint32_t next = s->stage->on_overdue;
    if (e->has_to_level) next = e->to_level > (PbLevel)s->c->level ? stage_of_level(s->playbook, e->to_level) : 0;
    if (!next) return refuse(s, REFUSED_NO_HIGHER_LEVEL, e->has_to_level ? "to_level" : "case_id");
    climb_to(s, next, (PbLevel)s->c->level, cause)->party = e->party;
}

/* ---- Delegate: 下沉, to a lower level whose matter it is -------------------------------------------------------- */

/* 准入: the lowest level that the category's duty begins at, on this side of the wall. */
static bool admitted(const struct scene *s, PbLevel level) {
    const PbDuty *duty = s->c->wall == WALL_OUTSIDE ? s->category->outside : s->category->inside;
    return !duty || duty->level <= level;
}

void decide_delegate(struct scene *s) {
    const PbDelegate *d = s->order->delegate;
    struct playbook_limits limits;
    playbook_limits(s->playbook, &limits);
    if (!cursor_matches(s, d->stage, d->attempt)) return;
    check_party(s, d->party, false, "party");
    check_text(s, d->text, "text");
    bool lower = d->has_to_level && d->to_level < (PbLevel)s->c->level;
    uint32_t stage = lower ? stage_of_level(s->playbook, d->to_level) : 0;
    if (!stage) return refuse(s, REFUSED_FIELD_RANGE, "to_level");
    if (!admitted(s, d->to_level)) return refuse(s, REFUSED_NOT_ADMITTED, "to_level");
    if (s->c->more.delegations >= limits.delegations_max) return refuse(s, REFUSED_SPENT, "case_id");
    uint64_t division = d->has_division ? d->division : s->c->division;
    bool finer = division_covers(s->c->division, division) && rules_division(s->rules, division);
    if (!finer || !division_at_level(s->rules, division, d->to_level, s->now))
        return refuse(s, REFUSED_BAD_DIVISION, "division");
    uint32_t attempt = attempt_next(s, stage);
    if (s->out->refusal) return;
    PbDelegated *to = happen(s, EVENT_DELEGATED)->delegated = make(s, sizeof *to);
    SET(to, from_level, (PbLevel)s->c->level);
    SET(to, level, d->to_level);
    SET(to, stage, stage);
    SET(to, attempt, attempt);
    to->party = d->party;
    if (division != s->c->division) SET(to, division, division);
    to->text = s->order->text;
    struct timers t = { .count = 0 };
    timers_desk(s, &t, stage_at(s->playbook, stage));
    to->timers = timers_list(s, &t, &to->n_timers);
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
