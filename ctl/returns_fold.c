/* returns_fold.c: updates -> counted cases. A case keeps what its figures need and forgets the rest.
 *
 * The states are the kernel's, by a table of the same events; that both come to the same state and level after any
 * journal is a unit test. An event counts in the period it happened in; what an import brought happened when it did. */
#include "ctl/returns_internal.h"

#include <errno.h>
#include <string.h>

#define DAY_MS 86400000LL

bool in_period(const struct returns *r, int64_t ms) {
    return ms >= r->from_ms && ms < r->end_ms;
}

/* One update's event: when it happened, and whether that is in the period. */
struct happening { const PbEvent *e; int64_t ms; bool in; };

static void tick(struct counted *c, const struct happening *h, unsigned which, unsigned times) {
    unsigned sum = c->tick[which] + (h->in ? times : 0);
    c->tick[which] = (uint8_t)(sum < UINT8_MAX ? sum : UINT8_MAX);
}

/* ---- rules and days ---------------------------------------------------------------------------------------------- */

/* The instant at which that local day begins. */
static int64_t day_begins(const PbCalendar *calendar, uint32_t date) {
    int64_t midnight = days_of_date(date) * DAY_MS;
    int64_t at = midnight - calendar_offset_ms(calendar, midnight);
    return midnight - calendar_offset_ms(calendar, at);
}

static int rules_are(struct returns *r, uint32_t number) {
    if (number == r->rules_number && r->rules)
        return 0;
    int e = r->o.rules(r->o.to, number, &r->rules);
    if (e < 0)
        return e;
    const PbCalendar *calendar = rules_calendar(r->rules, r->rules->calendar);
    CHECK(calendar);
    r->rules_number = number;
    r->from_ms = day_begins(calendar, r->o.period.first_date);
    r->end_ms = day_begins(calendar, r->o.period.end_date);
    return 0;
}

/* ---- limits ------------------------------------------------------------------------------------------------------ */

/* Where an event's timers stand: their number, and behind it the list. 0: it has none. */
static const uint16_t timers_at[] = {
#define TIMERS(event, type) [event] = offsetof(type, n_timers)
    TIMERS(EVENT_DISPATCHED, PbDispatched), TIMERS(EVENT_REASSIGNED, PbDispatched),
    TIMERS(EVENT_ARBITRATED, PbDispatched), TIMERS(EVENT_ANSWERED, PbAnswered), TIMERS(EVENT_SUPERVISED, PbSupervised),
    TIMERS(EVENT_ESCALATED, PbEscalated), TIMERS(EVENT_MILESTONE_DONE, PbMilestoneDone),
    TIMERS(EVENT_RESOLVED, PbResolved), TIMERS(EVENT_REWORK, PbRework), TIMERS(EVENT_APPEALED, PbAppealed),
    TIMERS(EVENT_SPLIT, PbCaseSplit), TIMERS(EVENT_RETURNED, PbReturned),
    TIMERS(EVENT_EXTENSION_GRANTED, PbExtensionGranted), TIMERS(EVENT_SUSPENDED, PbSuspended),
    TIMERS(EVENT_RESUMED, PbResumed), TIMERS(EVENT_DELEGATED, PbDelegated), TIMERS(EVENT_REOPENED, PbReopened),
    TIMERS(EVENT_CORRECTED, PbCorrected), TIMERS(EVENT_DUE_MOVED, PbDueMoved),
#undef TIMERS
};
_Static_assert(offsetof(PbDispatched, timers) == offsetof(PbDispatched, n_timers) + sizeof(size_t), "side by side");

static void limits_are(struct counted *c, PbTimer *const *timers, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (timers[i]->kind == TIMER_ACCEPT)
            c->accept_ms = timers[i]->due_ms;
        if (c->verified)                          /* the limit it was done under stays its limit */
            continue;
        if (timers[i]->kind == TIMER_PROMISE)
            c->promise_ms = timers[i]->due_ms;
        if (timers[i]->kind == TIMER_HANDLING)
            c->handling_ms = timers[i]->due_ms;
    }
}

/* Every event stands at the same place of its union. */
static void limits_of(struct counted *c, const PbEvent *e) {
    const uint8_t *message = (const uint8_t *)e->reported;
    size_t count;
    PbTimer **timers;
    if ((size_t)e->event_case >= COUNT_OF(timers_at) || !timers_at[e->event_case])
        return;
    memcpy(&count, message + timers_at[e->event_case], sizeof count);
    memcpy(&timers, message + timers_at[e->event_case] + sizeof count, sizeof timers);
    limits_are(c, timers, count);
}

/* ---- where it stands --------------------------------------------------------------------------------------------- */

static enum wait counted_wait(const struct counted *c) {
    static const uint8_t waits[] = {
        [STATE_REPORTED] = WAIT_DESK, [STATE_ACCEPTED] = WAIT_DESK, [STATE_DISPATCHED] = WAIT_SIGNING,
        [STATE_HANDLING] = WAIT_HANDLING, [STATE_SUSPENDED] = WAIT_SUSPENDED, [STATE_RESOLVED] = WAIT_VERIFIER,
        [STATE_FOLLOWUP] = WAIT_REPORTER, [STATE_TRANSFERRED] = WAIT_ELSEWHERE, [STATE_ARCHIVED] = WAIT_NOBODY,
    };
    CHECK(c->state < COUNT_OF(waits));
    return c->acked ? WAIT_NOBODY : (enum wait)waits[c->state];
}

int counted_stands(struct returns *r, uint32_t at, int64_t at_ms) {
    struct counted *c = counted_at(r, at);
    enum wait w = counted_wait(c);
    int64_t due = c->promise_ms ? c->promise_ms : c->handling_ms;
    bool stands = !c->stood && c->opened_ms < r->end_ms;
    c->stood = true;
    if (!stands)
        return 0;
    c->handled |= w == WAIT_HANDLING && c->since_ms < r->end_ms && at_ms >= r->from_ms;
    c->stood_open = w != WAIT_NOBODY;
    c->stood_suspended = w == WAIT_SUSPENDED;
    c->stood_overdue = w != WAIT_NOBODY && w != WAIT_SUSPENDED && !c->resolved && due && due < at_ms;
    struct stay age = {.at = at, .level = c->level, .wait = AGE_OF_HOLD, .ms = at_ms - c->since_ms};
    return c->stood_suspended ? stay_add(r, &age) : 0;
}

/* ---- signing and returning --------------------------------------------------------------------------------------- */

/* FNV-1a: who it was need not be known, only whether it is the same again. Never 0. */
static uint32_t name_of(const char *party) {
    uint32_t hash = 2166136261u;
    for (; *party; party++)
        hash = (hash ^ (uint8_t)*party) * 16777619u;
    return hash ? hash : 1;
}

static void on_dispatch(struct counted *c, const struct happening *h, const PbDispatched *d) {
    bool again = false;
    for (size_t i = 0; i < d->n_asks; i++)
        again |= c->returned_by && name_of(d->asks[i]->party) == c->returned_by;
    tick(c, h, TICK_DISPATCHED, 1);
    tick(c, h, TICK_UPHELD, c->returned_by && !again);
    c->returned_by = 0;
    c->accept_ms = INT64_MAX;
    c->round_in_period = h->in;
    c->round_unsigned = true;
    c->round_whistle = d->n_asks > 1;
    tick(c, h, TICK_WHISTLES, c->round_whistle);
    tick(c, h, TICK_CALLED, c->round_whistle ? (unsigned)d->n_asks : 0);
}

/* Somebody who was asked has looked: signed, done, declined, given back. It counts for the dispatch. */
static void round_signed(struct counted *c, const struct happening *h, bool accepted) {
    struct happening dispatch = {.in = c->round_in_period};
    bool in_time = h->ms <= c->accept_ms;
    if (c->round_unsigned) {
        tick(c, &dispatch, TICK_SIGNING_OVER, 1);
        tick(c, &dispatch, TICK_SIGNED_IN_TIME, in_time);
    }
    if (c->round_whistle && accepted)
        tick(c, &dispatch, TICK_PRESENT, in_time);
    c->round_unsigned = false;
}

/* The round is over unsigned. When its limit was not, nobody had the time, and it counts neither way. */
static void round_over(struct counted *c, const struct happening *h) {
    struct happening dispatch = {.in = c->round_in_period};
    if (c->round_unsigned && h->ms >= c->accept_ms)
        tick(c, &dispatch, TICK_SIGNING_OVER, 1);
    c->round_unsigned = false;
}

/* ---- one function per event that does more than its row says ----------------------------------------------------- */

static void on_resolved(struct counted *c, const struct happening *h) {
    round_signed(c, h, false);
    c->resolved = true;
    c->resolved_on_time = h->e->resolved->on_time;
}

static void on_verified(struct counted *c) {
    if (!c->verified && c->resolved)
        c->verified_on_time = c->resolved_on_time;
    c->verified |= c->resolved;
}

static void on_closed(struct counted *c, const struct happening *h) {
    on_verified(c);
    if (!c->closed)
        c->closed_on_time = h->e->closed->on_time;
    c->closed = true;
    if (!c->closed_ms && h->in)
        c->closed_ms = h->ms;
}

static void on_rejected(struct counted *c, const struct happening *h) {
    static const uint8_t reasons[] = {
        [CAUSE_OUT_OF_SCOPE] = TICK_OUT_OF_SCOPE, [CAUSE_DUPLICATE] = TICK_DUPLICATE,
        [CAUSE_NOT_A_FACT] = TICK_NOT_A_FACT, [CAUSE_ELSEWHERE] = TICK_ELSEWHERE,
    };
    PbCause cause = h->e->rejected->cause;
    if ((size_t)cause < COUNT_OF(reasons) && reasons[cause])
        tick(c, h, reasons[cause], 1);
}

static void comes_to(struct counted *c, const struct happening *h, PbLevel level) {
    c->level = (uint8_t)level;
    if (c->level < LEVELS)
        tick(c, h, TICK_CAME + (unsigned)level, 1);
}

static void on_escalated(struct counted *c, const struct happening *h) {
    const PbEscalated *u = h->e->escalated;
    bool by_limit = u->fired != TIMER_NONE;
    if (u->n_asks) {                              /* the verifier's limit: another verifies it */
        c->level = (uint8_t)u->level;
        return;
    }
    round_over(c, h);
    c->resolved = false;
    if (c->level < LEVELS)
        tick(c, h, (by_limit ? TICK_ROSE_BY_LIMIT : TICK_ROSE_BY_CHOICE) + (unsigned)c->level, 1);
    comes_to(c, h, u->level);
}

static void on_followed_up(struct counted *c, const struct happening *h) {
    if (h->e->followed_up->solved)
        c->solved = (uint8_t)h->e->followed_up->solved;
    if (h->e->followed_up->satisfied)
        c->satisfied = (uint8_t)h->e->followed_up->satisfied;
}

static void on_reopened(struct counted *c, const struct happening *h) {
    const PbReopened *w = h->e->reopened;
    c->state = w->n_asks ? STATE_HANDLING : STATE_ACCEPTED;
    c->level = (uint8_t)w->level;
    c->acked = c->resolved = false;
    if (w->reporter && c->asked)                  /* whoever has it reopened has said that it was not solved */
        c->solved = OPINION_NO;
}

static void on_corrected(struct returns *r, struct counted *c, const struct happening *h) {
    const PbCorrectedFields *to = h->e->corrected->after;
    if (!to)
        return;
    if (to->category)
        c->category = category_index(r, to->category);
    if (!to->place)
        return;
    c->division = division_index(r, to->place->division);
    c->has_place = to->place->has_lon_e7;
    c->lon_e7 = to->place->lon_e7;
    c->lat_e7 = to->place->lat_e7;
}

/* ---- a new case -------------------------------------------------------------------------------------------------- */

/* Found by those whose work it is to look: 未诉先办. */
static bool from_patrol(const struct returns *r, const PbReported *report) {
    struct slice role;
    uint64_t division;
    if (!report->reporter || !party_split(slice_of(report->reporter), &role, &division))
        return false;
    const PbRole *known = rules_role(r->rules, role);
    return known && known->kind != ROLE_OTHER && known->kind != ROLE_DEPARTMENT;
}

static int begin(struct returns *r, const PbUpdate *u, uint32_t *ret_at) {
    const PbEvent *e = u->events[0];
    bool handled = e->event_case == EVENT_SELF_HANDLED, imported = e->event_case == EVENT_IMPORTED;
    const PbReported *report = handled ? e->self_handled->report : imported ? e->imported->report : e->reported;
    int error = rules_are(r, report->rules);
    if (error == 0)
        error = counted_add(r, u->first_seq, ret_at);
    if (error < 0)
        return error;
    struct counted *c = counted_at(r, *ret_at);
    c->opened_ms = c->since_ms = imported ? e->imported->opened_at_ms : u->at_ms;
    struct happening h = {.e = e, .ms = c->opened_ms, .in = in_period(r, c->opened_ms)};
    c->division = division_index(r, report->place->division);
    c->category = category_index(r, report->category);
    c->has_place = report->place->has_lon_e7;
    c->lon_e7 = report->place->lon_e7;
    c->lat_e7 = report->place->lat_e7;
    c->exercise = report->exercise;
    c->imported = imported;
    c->self_handled = handled;
    c->state = (uint8_t)(handled ? STATE_CLOSED : imported ? e->imported->state : STATE_REPORTED);
    c->accept_ms = INT64_MAX;
    limits_are(c, report->timers, report->n_timers);
    tick(c, &h, TICK_REPORTED, 1);
    tick(c, &h, TICK_SELF_HANDLED, handled);
    tick(c, &h, TICK_FROM_PATROL, handled || from_patrol(r, report));
    comes_to(c, &h, report->level);
    return 0;
}

/* ---- the table --------------------------------------------------------------------------------------------------- */

enum { SAME = 0, NO_TICK = TICKS };

struct folding { uint8_t state, tick; bool responds, ends_round; };

/* The state after the event, what it counts as, whether it is the office's first word about the case, whether a round
 * that nobody has signed is over with it. */
static const struct folding foldings[] = {
    [EVENT_ACCEPTED]       = { STATE_ACCEPTED, NO_TICK, true, false },
    [EVENT_REJECTED]       = { STATE_REJECTED, NO_TICK, true, true },
    [EVENT_DISPATCHED]     = { STATE_DISPATCHED, NO_TICK, true, true },
    [EVENT_REASSIGNED]     = { STATE_DISPATCHED, NO_TICK, true, true },
    [EVENT_ARBITRATED]     = { STATE_DISPATCHED, NO_TICK, true, true },
    [EVENT_SIGNED]         = { STATE_HANDLING, NO_TICK, true, false },
    [EVENT_ANSWERED]       = { SAME, NO_TICK, true, false },
    [EVENT_REMINDED]       = { SAME, TICK_REMINDED, false, false },
    [EVENT_SUPERVISED]     = { SAME, TICK_SUPERVISED, false, false },
    [EVENT_ESCALATED]      = { STATE_ACCEPTED, NO_TICK, false, false },
    [EVENT_MILESTONE_DONE] = { SAME, NO_TICK, true, false },
    [EVENT_RESOLVED]       = { STATE_RESOLVED, TICK_RESOLVED, true, false },
    [EVENT_VERIFIED]       = { SAME, NO_TICK, false, false },
    [EVENT_REWORK]         = { STATE_HANDLING, TICK_REWORK, false, false },
    [EVENT_CLOSED]         = { STATE_CLOSED, TICK_CLOSED, true, true },
    [EVENT_NOTED]          = { SAME, NO_TICK, false, false },
    [EVENT_OFFER_FAILED]   = { SAME, NO_TICK, false, false },
    [EVENT_APPEALED]       = { STATE_ACCEPTED, TICK_APPEALED, false, false },
    [EVENT_MERGED]         = { STATE_MERGED, TICK_MERGED, true, true },
    [EVENT_SPLIT]          = { STATE_ACCEPTED, NO_TICK, false, false },
    [EVENT_WITHDRAWN]      = { STATE_WITHDRAWN, TICK_WITHDRAWN, false, true },
    [EVENT_RETURNED]       = { STATE_ACCEPTED, TICK_RETURNED, true, false },
    [EVENT_EXTENSION_ASKED]   = { SAME, TICK_EXTENSION_ASKED, false, false },
    [EVENT_EXTENSION_GRANTED] = { SAME, TICK_EXTENDED, false, false },
    [EVENT_EXTENSION_REFUSED] = { SAME, TICK_EXTENSION_REFUSED, false, false },
    [EVENT_SUSPENDED]      = { STATE_SUSPENDED, TICK_SUSPENDED, false, false },
    [EVENT_RESUMED]        = { STATE_HANDLING, NO_TICK, false, false },
    [EVENT_DELEGATED]      = { STATE_ACCEPTED, TICK_DELEGATED, true, true },
    [EVENT_FOLLOWUP_BEGUN] = { STATE_FOLLOWUP, NO_TICK, false, false },
    [EVENT_FOLLOWED_UP]    = { SAME, NO_TICK, false, false },
    [EVENT_REOPENED]       = { SAME, TICK_REOPENED, false, false },
    [EVENT_TRANSFERRED]    = { STATE_TRANSFERRED, TICK_TRANSFERRED, true, true },
    [EVENT_TRANSFER_ACKNOWLEDGED] = { SAME, TICK_TRANSFER_ACKED, false, false },
    [EVENT_VOIDED]         = { STATE_VOID, NO_TICK, false, true },
    [EVENT_ARCHIVED]       = { STATE_ARCHIVED, NO_TICK, false, false },
};

static void apply_more(struct returns *r, struct counted *c, const struct happening *h) {
    const PbEvent *e = h->e;
    switch (e->event_case) {
    case EVENT_DISPATCHED: on_dispatch(c, h, e->dispatched); break;
    case EVENT_REASSIGNED: on_dispatch(c, h, e->reassigned); break;
    case EVENT_ARBITRATED: on_dispatch(c, h, e->arbitrated); break;
    case EVENT_SIGNED: round_signed(c, h, true); break;
    case EVENT_ANSWERED:
        if (e->answered->fate == FATE_COUNTED)
            round_signed(c, h, e->answered->kind == ANSWER_ACCEPT);
        if (e->answered->reopens_desk)
            c->state = STATE_ACCEPTED;
        break;
    case EVENT_MILESTONE_DONE: round_signed(c, h, false); break;
    case EVENT_RETURNED:
        round_signed(c, h, false);
        c->returned_by = name_of(e->returned->party);
        break;
    case EVENT_REJECTED: on_rejected(c, h); break;
    case EVENT_RESOLVED: on_resolved(c, h); break;
    case EVENT_VERIFIED: on_verified(c); break;
    case EVENT_REWORK:
        c->resolved = false;
        c->level = (uint8_t)e->rework->level;
        break;
    case EVENT_CLOSED: on_closed(c, h); break;
    case EVENT_ESCALATED: on_escalated(c, h); break;
    case EVENT_APPEALED: comes_to(c, h, e->appealed->level); break;
    case EVENT_DELEGATED:
        comes_to(c, h, e->delegated->level);
        if (e->delegated->division)
            c->division = division_index(r, e->delegated->division);
        break;
    case EVENT_FOLLOWUP_BEGUN:
        c->asked |= h->in;
        break;
    case EVENT_FOLLOWED_UP: on_followed_up(c, h); break;
    case EVENT_REOPENED: on_reopened(c, h); break;
    case EVENT_TRANSFERRED: c->resolved = false; break;
    case EVENT_TRANSFER_ACKNOWLEDGED: c->acked = true; break;
    case EVENT_CORRECTED: on_corrected(r, c, h); break;
    default: break;
    }
}

static void responds(struct counted *c, const struct happening *h) {
    size_t event = h->e->event_case;
    bool chosen = event == EVENT_ESCALATED && h->e->escalated->fired == TIMER_NONE;
    if (c->responded || !(chosen || (event < COUNT_OF(foldings) && foldings[event].responds)))
        return;
    c->responded = true;
    c->responded_in_time = h->ms <= c->opened_ms + DAY_MS;
}

static void apply(struct returns *r, struct counted *c, const struct happening *h) {
    static const struct folding nothing = {SAME, NO_TICK, false, false};
    bool known = (size_t)h->e->event_case < COUNT_OF(foldings);
    const struct folding *f = known && (foldings[h->e->event_case].state || foldings[h->e->event_case].tick)
        ? &foldings[h->e->event_case] : &nothing;
    bool verifying = h->e->event_case == EVENT_ESCALATED && h->e->escalated->n_asks > 0;
    if (f->tick != NO_TICK)
        tick(c, h, f->tick, 1);
    if (f->ends_round)
        round_over(c, h);
    responds(c, h);
    if (f->state != SAME && !verifying)
        c->state = f->state;
    apply_more(r, c, h);
    limits_of(c, h->e);
}

/* What it waited for, and at which level, until this event: told when that is over within the period. */
static int fold_event(struct returns *r, uint32_t at, const struct happening *h) {
    struct counted *c = counted_at(r, at);
    enum wait before = counted_wait(c);
    struct stay stay = {.at = at, .level = c->level, .wait = (uint8_t)before, .ms = h->ms - c->since_ms};
    int e = h->ms >= r->end_ms ? counted_stands(r, at, r->end_ms) : 0;
    if (e < 0)
        return e;
    bool handling = before == WAIT_HANDLING;
    c->handled |= handling && c->since_ms < r->end_ms && h->ms >= r->from_ms;
    apply(r, c, h);
    if (counted_wait(c) == before && c->level == stay.level)
        return 0;
    c->since_ms = h->ms;
    return before != WAIT_NOBODY && h->in ? stay_add(r, &stay) : 0;
}

int returns_take(struct returns *r, const PbUpdate *u) {
    if (u->first_seq + u->n_events - 1 > r->o.as_of_seq || u->at_ms > r->o.as_of_ms)
        return 0;
    uint32_t at = 0;
    bool known = counted_find(r, u->case_id, &at), begins = !known && u->case_id == u->first_seq && u->n_events;
    int e = begins ? begin(r, u, &at) : 0;
    if (e < 0)
        return e;
    r->last_seq = u->first_seq + u->n_events - 1;
    r->last_ms = u->at_ms;
    r->strangers += !known && !begins;
    for (size_t i = begins; i < u->n_events && e == 0 && (known || begins); i++) {
        struct happening h = {.e = u->events[i], .ms = u->at_ms, .in = in_period(r, u->at_ms)};
        e = fold_event(r, at, &h);
    }
    return e < 0 ? e : 1;
}
