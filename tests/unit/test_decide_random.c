/* A long life: random orders to many cases, by anybody, at any time, with every law asserted at every step. The seed is
 * printed first; SEED=n and STEPS=n repeat or lengthen it. */
#include "tests/unit/story.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HOUR_MS 3600000LL
#define DAY_MS  (24 * HOUR_MS)
#ifdef __SANITIZE_ADDRESS__
#define STEPS_USUAL 400000
#else
#define STEPS_USUAL 2000000
#endif

enum { CASES = 64, PARTIES_MAX = 16, STAGES_OF_STORIES = 4 };

/* A case, and where its desk has been asked: an offer that is over never becomes good again. */
static struct life {
    struct case_state state;
    PbAnswerKind mood;                            /* what its parties say most often */
    bool offered[STAGES_OF_STORIES + 1][ATTEMPT_MAX + 1];
} lives[CASES];

static struct {
    uint64_t dice;
    int64_t now_ms;
    const PbRules *rules;
    uint8_t memory[64 << 10];
    struct arena room;
    uint64_t steps, made, closed, refused, late, attempts;
} w;

/* ---- dice -------------------------------------------------------------------------------------------------------- */

static uint32_t below(uint32_t n) {
    w.dice ^= w.dice << 13, w.dice ^= w.dice >> 7, w.dice ^= w.dice << 17;
    return (uint32_t)(w.dice >> 32) % n;
}

static bool one_in(uint32_t n) {
    return below(n) == 0;
}

static char *any_party(void) {
    if (one_in(64)) return one_in(2) ? NULL : (char *)"mayor@610402";
    return w.rules->parties[below((uint32_t)w.rules->n_parties)]->party;
}

/* Mostly what it is, at times something near. */
static uint32_t about(uint32_t n) {
    return one_in(24) ? below(5) : n;
}

/* ---- one step ---------------------------------------------------------------------------------------------------- */

static void check_offers(struct life *l, const struct case_state *before) {
    const struct case_state *c = &l->state;
    bool desk = c->state == STATE_REPORTED || c->state == STATE_ACCEPTED;
    bool was = before->state == STATE_REPORTED || before->state == STATE_ACCEPTED;
    if (!desk || (was && before->stage == c->stage && before->attempt == c->attempt)) return;
    CHECK(c->stage <= STAGES_OF_STORIES && !l->offered[c->stage][c->attempt]);
    CHECK(c->offer_ready_ms >= before->offer_ready_ms);
    l->offered[c->stage][c->attempt] = true;
}

static PbRefusal give(struct life *l, const struct order *order) {
    static struct case_state before;
    struct decision d;
    arena_wrap(&w.room, w.memory, sizeof w.memory);
    struct decide_input in = {
        .state = &l->state, .rules = w.rules, .rules_number = 1, .now_ms = w.now_ms, .source = SLICE("uid:1000"),
        .day_number = 1, .slot = 7, .room = &w.room,
    };
    before = l->state;
    lawful_step(&in, order, &l->state, &d);
    w.steps++;
    w.refused += d.refusal != 0;
    if (!d.refusal) check_offers(l, &before);
    w.closed += !d.refusal && case_open(&before) && !case_open(&l->state);
    if (l->state.attempt > w.attempts) w.attempts = l->state.attempt;
    return d.refusal;
}

/* Whatever is due fires, in order; then the case has a future. */
static void fire_due(struct life *l) {
    const struct timer *t;
    while ((t = first_timer(&l->state)) && t->due_ms <= w.now_ms) {
        struct order o = { .kind = ORDER_DEADLINE };
        o.deadline.kind = (PbTimerKind)t->kind;
        w.late += t->due_ms < w.now_ms;
        CHECK(give(l, &o) == REFUSED_NOTHING);
    }
    CHECK(!case_open(&l->state) || (t && t->due_ms > w.now_ms));
}

static void make_case(struct life *l) {
    memset(l, 0, sizeof *l);
    l->mood = one_in(2) ? ANSWER_DONE : (PbAnswerKind)(ANSWER_ACCEPT + below(3));
    uint64_t division = w.rules->divisions[below((uint32_t)w.rules->n_divisions)]->code;
    PbPlace place = { .has_division = 1, .division = one_in(64) ? 6104 : division, .wall = (PbWall)below(3) };
    PbReport r = { .place = &place, .category = w.rules->categories[below((uint32_t)w.rules->n_categories)]->code };
    if (one_in(4)) r.has_promise_ms = 1, r.promise_ms = (int64_t)below(10) * DAY_MS * (one_in(8) ? 0 : 1);
    if (one_in(8)) r.has_occurred_at_ms = 1, r.occurred_at_ms = w.now_ms + (int64_t)below(48) * HOUR_MS;
    PbSelfHandle h = { .report = &r, .party = any_party() };
    struct order report = { .kind = ORDER_REPORT, .report = &r };
    struct order by_himself = { .kind = ORDER_SELF_HANDLE, .self_handle = &h };
    w.made += give(l, one_in(8) ? &by_himself : &report) == REFUSED_NOTHING;
}

static void give_answer(struct life *l) {
    const struct case_state *c = &l->state;
    PbAnswer a = { .party = any_party(), .stage = about(c->stage), .attempt = about(c->attempt), .has_kind = 1 };
    if (c->asks_count && !one_in(16)) {
        const struct ask *ask = &c->asks[one_in(2) ? below(c->asks_count) : c->asks_count - 1u];
        a.party = (char *)ask->party, a.stage = about(ask->stage), a.attempt = about(ask->attempt);
    }
    a.kind = one_in(2) ? l->mood : (PbAnswerKind)(ANSWER_ACCEPT + below(3));
    if (one_in(64)) a.kind = (PbAnswerKind)below(ANSWER_PLEDGE + 1);
    const PbCategory *g = rules_category(w.rules, slice_of(c->category));
    if (g && g->n_milestones && one_in(3)) {
        uint32_t next = one_in(4) ? below((uint32_t)g->n_milestones) : c->milestones_done;
        if (next < g->n_milestones) a.milestone = g->milestones[next]->name;
    }
    give(l, &(struct order){ .kind = ORDER_ANSWER, .answer = &a });
}

static void give_dispatch(struct life *l) {
    PbAskedParty asked[PARTIES_MAX], *list[PARTIES_MAX];
    PbDispatch d = { .stage = about(l->state.stage), .attempt = about(l->state.attempt), .parties = list };
    d.n_parties = one_in(16) ? below(PARTIES_MAX + 1) : 1 + below(3);
    uint32_t from = below((uint32_t)w.rules->n_parties), lead = below(4);
    for (size_t i = 0; i < d.n_parties; i++) {
        char *next = w.rules->parties[(from + i) % w.rules->n_parties]->party;
        asked[i] = (PbAskedParty){ .party = one_in(48) ? any_party() : next, .has_lead = 1, .lead = i == lead };
        list[i] = &asked[i];
    }
    give(l, &(struct order){ .kind = ORDER_DISPATCH, .dispatch = &d });
}

static void give_desk_word(struct life *l) {
    const struct case_state *c = &l->state;
    uint32_t stage = about(c->stage), attempt = about(c->attempt);
    PbAccept accept = { .party = one_in(2) ? any_party() : NULL };
    PbReject reject = { .stage = stage, .attempt = attempt, .cause = (PbCause)(CAUSE_OUT_OF_SCOPE - 1 + below(5)) };
    PbEscalate up = { .stage = stage, .attempt = attempt, .party = one_in(2) ? any_party() : NULL };
    if (one_in(2)) up.has_cause = 1, up.cause = (PbCause)below(CAUSE_ELSEWHERE + 1);
    PbNote n = { .party = one_in(2) ? any_party() : NULL, .text = (char *)(one_in(8) ? "" : "so it is") };
    switch (below(16)) {
    case 0: case 1: give(l, &(struct order){ .kind = ORDER_REJECT, .reject = &reject }); break;
    case 2: case 3: give(l, &(struct order){ .kind = ORDER_ESCALATE, .escalate = &up }); break;
    case 4: give(l, &(struct order){ .kind = ORDER_LATER }); break;
    case 5: case 6: give(l, &(struct order){ .kind = ORDER_NOTE, .note = &n }); break;
    default: give(l, &(struct order){ .kind = ORDER_ACCEPT, .accept = &accept });
    }
}

static void give_offer_end(struct life *l) {
    struct order o = { .kind = ORDER_OFFER_FAILED };
    o.offer_failed.stage = about(l->state.stage);
    o.offer_failed.attempt = about(l->state.attempt);
    o.offer_failed.tries = about(l->state.offer_tries);
    o.offer_failed.how = (PbOfferEnd)below(OFFER_LATE + 1);
    o.offer_failed.retry_ms = (int64_t)below(100000);
    give(l, &o);
}

static void give_deadline(struct life *l) {
    struct order o = { .kind = ORDER_DEADLINE };
    o.deadline.kind = (PbTimerKind)(TIMER_DESK + below(TIMER_SUPERVISE));
    give(l, &o);
}

static void time_passes(const struct case_state *c) {
    const struct timer *t = first_timer(c);
    switch (below(8)) {
    case 0: w.now_ms += (int64_t)below((uint32_t)HOUR_MS); break;
    case 1: if (one_in(16)) w.now_ms += (int64_t)below((uint32_t)(5 * DAY_MS)); break;
    case 2: case 3:
        if (t && t->due_ms > w.now_ms && (t->due_ms < w.now_ms + DAY_MS || one_in(32)))
            w.now_ms = t->due_ms - below(2) + below(2);           /* just before, at, or just after it */
        break;
    default: break;
    }
}

static void one_step(void) {
    static void (*const gives[])(struct life *) = {
        give_answer, give_answer, give_answer, give_answer, give_dispatch, give_dispatch, give_dispatch, give_desk_word,
        give_offer_end, give_deadline,
    };
    struct life *l = &lives[below(CASES)];
    if (!l->state.id || (!case_open(&l->state) && one_in(3))) return make_case(l);
    time_passes(&l->state);
    if (!one_in(16)) fire_due(l);
    if (one_in(64)) {                                             /* a report where there is a case already */
        static const PbReport report;
        static const PbSelfHandle deed;
        give(l, &(struct order){ .kind = ORDER_REPORT, .report = &report });
        give(l, &(struct order){ .kind = ORDER_SELF_HANDLE, .self_handle = &deed });
    }
    gives[below(COUNT_OF(gives))](l);
}

/* Orders to a case that is none: only those that make one happen. */
static void nothing_happens_to_a_case_that_is_none(void) {
    static struct life none;
    give_answer(&none), give_dispatch(&none), give_offer_end(&none), give_deadline(&none);
    for (unsigned i = 0; i < 1000; i++) give_desk_word(&none);
    CHECK(none.state.id == 0);
}

/* ---- what was seen ----------------------------------------------------------------------------------------------- */

/* Where which deadline can be armed: none, reported, accepted, dispatched, handling, resolved, closed, rejected. */
static const char *const armed[] = {
    [TIMER_DESK] = ".++.....",   [TIMER_ACCEPT] = "...+....",  [TIMER_REMIND] = "...+++..",
    [TIMER_HANDLING] = "...++...", [TIMER_PROMISE] = ".++++...", [TIMER_VERIFY] = ".....+..",
    [TIMER_SUPERVISE] = ".+++++..",
};

static void everything_was_seen(void) {
    for (unsigned kind = 0; kind < ORDER_COUNT; kind++)
        for (unsigned state = 0; state <= STATE_REJECTED; state++)
            if (!lawful_seen.cell[kind][state]) fail_msg("order %u never met state %u", kind, state);
    for (unsigned kind = EVENT_REPORTED; kind <= EVENT_OFFER_FAILED; kind++)
        if (!lawful_seen.event[kind]) fail_msg("event %u never happened", kind);
    for (unsigned kind = TIMER_DESK; kind <= TIMER_SUPERVISE; kind++)
        for (unsigned state = 0; state <= STATE_REJECTED; state++)
            if ((armed[kind][state] == '+') != (lawful_seen.fired[kind][state] > 0))
                fail_msg("timer %u fired %" PRIu64 " times in state %u", kind, lawful_seen.fired[kind][state], state);
}

static void no_law_is_broken_in_a_long_life(void **state) {
    (void)state;
    const char *seed = getenv("SEED"), *steps = getenv("STEPS");
    uint64_t most = STEPS_USUAL;
    w.dice = 20260302;
    if (seed) assert_true(parse_u64(slice_of(seed), &w.dice) && w.dice != 0);
    if (steps) assert_true(parse_u64(slice_of(steps), &most));
    print_message("SEED=%" PRIu64 " STEPS=%" PRIu64 "\n", w.dice, most);
    w.rules = story_rules();
    w.now_ms = FIXTURE_MONDAY_MS;
    int64_t began_ns = clock_mono_ns();
    nothing_happens_to_a_case_that_is_none();
    while (w.steps < most) one_step();
    double seconds = (double)(clock_mono_ns() - began_ns) / 1e9;
    char end[32];
    instant_print(w.now_ms, end);
    print_message("steps=%" PRIu64 " cases=%" PRIu64 " closed=%" PRIu64 " refused=%" PRIu64 " late=%" PRIu64
                  " attempts<=%" PRIu64 " until %s in %.2f s: %.0f steps/s with all laws\n", w.steps, w.made, w.closed,
                  w.refused, w.late, w.attempts, end, seconds, (double)w.steps / seconds);
    if (most >= STEPS_USUAL) everything_was_seen();
}

/* ---- how fast it is without the laws ----------------------------------------------------------------------------- */

/* The life of most cases: reported, dispatched, accepted, done, verified. */
static void one_ordinary_case(struct case_state *c) {
    PbPlace place = { .has_division = 1, .division = FIXTURE_GRID };
    PbReport r = { .place = &place, .category = (char *)"rubbish" };
    PbAskedParty asked = { .party = (char *)"grid-worker@610402006001001" }, *parties[] = { &asked };
    PbDispatch d = { .stage = 1, .attempt = 1, .n_parties = 1, .parties = parties };
    PbAnswer accept = { .party = asked.party, .stage = 1, .attempt = 1, .has_kind = 1, .kind = ANSWER_ACCEPT };
    PbAnswer done = accept, fine = accept;
    done.kind = fine.kind = ANSWER_DONE;
    fine.party = (char *)"community-desk@610402006001", fine.stage = 4;
    const struct order orders[] = {
        { .kind = ORDER_REPORT, .report = &r }, { .kind = ORDER_DISPATCH, .dispatch = &d },
        { .kind = ORDER_ANSWER, .answer = &accept }, { .kind = ORDER_ANSWER, .answer = &done },
        { .kind = ORDER_ANSWER, .answer = &fine },
    };
    memset(c, 0, sizeof *c);
    for (size_t i = 0; i < COUNT_OF(orders); i++) {
        struct decision decision;
        arena_wrap(&w.room, w.memory, sizeof w.memory);
        struct decide_input in = { .state = c, .rules = w.rules, .rules_number = 1, .now_ms = FIXTURE_MONDAY_MS,
                                   .day_number = 1, .slot = 7, .room = &w.room };
        decide(&in, &orders[i], &decision);
        CHECK(!decision.refusal);
        for (uint32_t e = 0; e < decision.count; e++)
            evolve(c, decision.events[e], c->last_seq + 1, FIXTURE_MONDAY_MS);
        case_check(c);
    }
}

static void an_ordinary_case_is_decided_fast(void **state) {
    (void)state;
    enum { TIMES = 20000, STEPS_OF_ONE = 5 };
    static struct case_state c;
    w.rules = story_rules();
    int64_t began_ns = clock_mono_ns();
    for (unsigned i = 0; i < TIMES; i++) one_ordinary_case(&c);
    double seconds = (double)(clock_mono_ns() - began_ns) / 1e9;
    assert_int_equal(c.state, STATE_CLOSED);
    print_message("decide + evolve + case_check: %.0f steps/s\n", TIMES * STEPS_OF_ONE / seconds);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_law_is_broken_in_a_long_life),
        cmocka_unit_test(an_ordinary_case_is_decided_fast),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
