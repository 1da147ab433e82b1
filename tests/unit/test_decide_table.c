/* Every order meets every state, every deadline fires in every state it can be armed in, and both tables, written down
 * here once more, agree with what happens. */
#include "tests/unit/story.h"

#include <setjmp.h>

#include <cmocka.h>

enum { STATES = STATE_REJECTED + 1, TIMERS = TIMER_SUPERVISE + 1 };

/* ---- a case in each state ---------------------------------------------------------------------------------------- */

static void reach(PbState state) {
    story("2026-03-02 09:00");
    if (state == STATE_NONE) return;
    report("rubbish");
    if (state == STATE_REPORTED) return;
    if (state == STATE_REJECTED) return reject_case(CAUSE_NOT_A_FACT);
    if (state == STATE_ACCEPTED) return accept_case();
    dispatch("grid-worker");
    if (state == STATE_DISPATCHED) return;
    answer("grid-worker", ANSWER_ACCEPT);
    if (state == STATE_HANDLING) return;
    answer("grid-worker", ANSWER_DONE);
    if (state == STATE_CLOSED) answer("community-desk", ANSWER_DONE);
}

/* The order as somebody would give it who knows how the case stands. */
static PbRefusal issue(enum order_kind kind) {
    const struct case_state *c = story_case();
    PbPlace place = { .has_division = 1, .division = FIXTURE_GRID };
    PbReport r = { .place = &place, .category = (char *)"rubbish" };
    PbSelfHandle h = { .report = &r, .party = (char *)"grid-worker@610402006001001" };
    PbAnswer answer = { .stage = c->stage, .attempt = c->attempt, .has_kind = 1, .kind = ANSWER_DONE };
    answer.party = (char *)(c->state == STATE_RESOLVED ? "community-desk@610402006001" : "grid-worker@610402006001001");
    PbAskedParty asked = { .party = (char *)"grid-worker@610402006001001" }, *parties[] = { &asked };
    PbDispatch d = { .stage = c->stage, .attempt = c->attempt, .n_parties = 1, .parties = parties };
    PbEscalate e = { .stage = c->stage, .attempt = c->attempt };
    PbReject reject = { .stage = c->stage, .attempt = c->attempt, .cause = CAUSE_DUPLICATE };
    PbAccept accept = { .party = NULL };
    PbNote words = { .text = (char *)"as it is" };
    struct order o = { .kind = kind };
    switch (kind) {
    case ORDER_REPORT: o.report = &r; break;
    case ORDER_SELF_HANDLE: o.self_handle = &h; break;
    case ORDER_ANSWER: o.answer = &answer; break;
    case ORDER_ACCEPT: o.accept = &accept; break;
    case ORDER_REJECT: o.reject = &reject; break;
    case ORDER_DISPATCH: o.dispatch = &d; break;
    case ORDER_ESCALATE: o.escalate = &e; break;
    case ORDER_NOTE: o.note = &words; break;
    case ORDER_DEADLINE:
        o.deadline.kind = first_timer(c) ? (PbTimerKind)first_timer(c)->kind : TIMER_DESK;
        if (first_timer(c)) story_skip_to(first_timer(c)->due_ms);
        break;
    case ORDER_OFFER_FAILED:
        o.offer_failed.stage = c->stage;
        o.offer_failed.attempt = c->attempt;
        o.offer_failed.tries = c->offer_tries;
        break;
    default: break;
    }
    return story_order(&o);
}

/* ---- orders ------------------------------------------------------------------------------------------------------ */

/* + it happens   S wrong state   W wrong stage   C case closed   N no such case   T no such timer   Y not yet
 * none, reported, accepted, dispatched, handling, resolved, closed, rejected */
static const char *const want[ORDER_COUNT] = {
    [ORDER_REPORT]       = "+SSSSSSS",
    [ORDER_SELF_HANDLE]  = "+SSSSSSS",
    [ORDER_ANSWER]       = "N+++++CC",
    [ORDER_ACCEPT]       = "N+SSSSCC",
    [ORDER_REJECT]       = "N++SSSCC",
    [ORDER_DISPATCH]     = "N++SSSCC",
    [ORDER_ESCALATE]     = "N++++SCC",
    [ORDER_NOTE]         = "N+++++++",
    [ORDER_LATER]        = "YYYYYYYY",
    [ORDER_DEADLINE]     = "T+++++TT",
    [ORDER_OFFER_FAILED] = "N++WWWCC",
};

static char letter(PbRefusal refusal) {
    switch (refusal) {
    case REFUSED_NOTHING: return '+';
    case REFUSED_WRONG_STATE: return 'S';
    case REFUSED_WRONG_STAGE: return 'W';
    case REFUSED_CASE_CLOSED: return 'C';
    case REFUSED_NO_SUCH_CASE: return 'N';
    case REFUSED_NO_SUCH_TIMER: return 'T';
    case REFUSED_NOT_YET: return 'Y';
    default: return '?';
    }
}

static void every_order_meets_every_state(void **unused) {
    (void)unused;
    bool visited[ORDER_COUNT][STATES] = { 0 };
    for (enum order_kind kind = 0; kind < ORDER_COUNT; kind++)
        for (PbState state = STATE_NONE; state <= STATE_REJECTED; state++) {
            reach(state);
            assert_int_equal(story_case()->state, state);
            struct case_state before = *story_case();
            PbRefusal refusal = issue(kind);
            if (letter(refusal) != want[kind][state])
                fail_msg("%s in %s: %c, not %c", order_name(kind), state_name(state), letter(refusal),
                         want[kind][state]);
            if (refusal) assert_memory_equal(&before, story_case(), sizeof before);
            visited[kind][state] = true;
        }
    for (unsigned i = 0; i < ORDER_COUNT * STATES; i++) {
        assert_true(visited[i / STATES][i % STATES]);
        assert_true(lawful_seen.cell[i / STATES][i % STATES] > 0);
    }
}

/* ---- deadlines --------------------------------------------------------------------------------------------------- */

/* Where which deadline can be armed: none, reported, accepted, dispatched, handling, resolved, closed, rejected. */
static const char *const armed[TIMERS] = {
    [TIMER_NONE]      = "........",
    [TIMER_DESK]      = ".++.....",
    [TIMER_ACCEPT]    = "...+....",
    [TIMER_REMIND]    = "...+++..",
    [TIMER_HANDLING]  = "...++...",
    [TIMER_PROMISE]   = ".++++...",
    [TIMER_VERIFY]    = ".....+..",
    [TIMER_SUPERVISE] = ".+++++..",
};

/* Like reach, with a promise, or on the last rung with every deadline missed so far. */
static void reach_with(PbState state, PbTimerKind kind) {
    if (kind != TIMER_PROMISE && kind != TIMER_SUPERVISE) return reach(state);
    bool last = kind == TIMER_SUPERVISE;
    story("2026-03-02 09:00");
    if (last) report_in("tree", FIXTURE_DISTRICT);
    else report("lamp");
    if (last && state <= STATE_ACCEPTED) story_skip_to(first_timer(story_case())->due_ms), fire(TIMER_DESK);
    if (state == STATE_ACCEPTED) accept_case();
    if (state <= STATE_ACCEPTED) return;
    dispatch("greenery");
    if (last && state == STATE_DISPATCHED) story_skip_to(first_timer(story_case())->due_ms), fire(TIMER_ACCEPT);
    if (state == STATE_DISPATCHED) return;
    answer("greenery", ANSWER_ACCEPT);
    if (last && state == STATE_HANDLING) story_skip("03-30 09:00"), fire(TIMER_HANDLING);
    if (state == STATE_HANDLING) return;
    answer("greenery", ANSWER_DONE);
    if (last) story_skip("03-30 09:00"), fire(TIMER_VERIFY);
}

static void every_deadline_fires_once_in_every_state_it_can_be_armed_in(void **unused) {
    (void)unused;
    for (PbTimerKind kind = TIMER_DESK; kind <= TIMER_SUPERVISE; kind++)
        for (PbState state = STATE_NONE; state <= STATE_REJECTED; state++) {
            if (armed[kind][state] != '+') {
                reach(state);
                struct order o = { .kind = ORDER_DEADLINE };
                o.deadline.kind = kind;
                assert_int_equal(story_order(&o), REFUSED_NO_SUCH_TIMER);
                continue;
            }
            reach_with(state, kind);
            assert_int_equal(story_case()->state, state);
            const struct timer *t = case_timer(story_case(), kind);
            if (!t) fail_msg("timer %d is not armed in %s", (int)kind, state_name(state));
            int64_t due_ms = t->due_ms;
            struct order o = { .kind = ORDER_DEADLINE };
            o.deadline.kind = kind;
            story_skip_to(due_ms - 1);
            assert_int_equal(story_order(&o), REFUSED_TOO_EARLY);
            story_skip_to(due_ms);
            assert_int_equal(story_order(&o), REFUSED_NOTHING);
            PbRefusal again = story_order(&o);
            assert_true(again == REFUSED_TOO_EARLY || again == REFUSED_NO_SUCH_TIMER);
            assert_true(lawful_seen.fired[kind][state] > 0);
        }
}

/* ---- events ------------------------------------------------------------------------------------------------------ */

static void every_event_of_a_case_has_a_name_of_its_own(void **unused) {
    (void)unused;
    for (unsigned kind = EVENT_REPORTED; kind <= EVENT_OFFER_FAILED; kind++)
        for (unsigned other = EVENT_REPORTED; other < kind; other++)
            assert_string_not_equal(event_name(&(PbEvent){ .event_case = (PbEvent__EventCase)kind }),
                                    event_name(&(PbEvent){ .event_case = (PbEvent__EventCase)other }));
    assert_string_equal(event_name(&(PbEvent){ .event_case = EVENT_EPOCH_BEGUN }), "of-the-broker");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_order_meets_every_state),
        cmocka_unit_test(every_deadline_fires_once_in_every_state_it_can_be_armed_in),
        cmocka_unit_test(every_event_of_a_case_has_a_name_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
