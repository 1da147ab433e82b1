/* Every order meets every state, every deadline fires in every state it can be armed in, and both tables, written down
 * here once more, agree with what happens. */
#include "tests/unit/story.h"

#include <setjmp.h>

#include <cmocka.h>

enum { STATES = STATE_ARCHIVED + 1, TIMERS = TIMER_TRANSFER + 1 };

/* ---- a case in each state ---------------------------------------------------------------------------------------- */

static void master_aside(void) {
    other_case();
    report("rubbish");
    other_case();
}

static void reach_handling(void) {
    report_with(&(PbReport){ .has_ask_me = 1, .ask_me = 1 });
    dispatch("grid-worker");
    answer("grid-worker", ANSWER_ACCEPT);
}

static void reach_off_the_main_way(PbState state) {
    if (state != STATE_SUSPENDED && state != STATE_FOLLOWUP) report("rubbish");
    switch (state) {
    case STATE_MERGED: return merge_into(101);
    case STATE_WITHDRAWN: return withdraw(NULL);
    case STATE_VOID: void_case(); story_by("0018"); return void_case();
    case STATE_TRANSFERRED: return transfer(AUTHORITY_POLICE);
    case STATE_ARCHIVED: reject_case(CAUSE_NOT_A_FACT); story_skip("09:01"); return archive("09:01");
    default: reach_handling();
    }
    if (state == STATE_SUSPENDED) return suspend("street-desk", CAUSE_SEASON, "04-01 09:00");
    answer("grid-worker", ANSWER_DONE);
    answer("community-desk", ANSWER_DONE);
}

static void reach(PbState state) {
    story("2026-03-02 09:00");
    story_by("0017");
    master_aside();
    if (state == STATE_NONE) return;
    if (state >= STATE_SUSPENDED) return reach_off_the_main_way(state);
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

static void issue_import(void) {
    story_origin("city", false);
    import_as(STATE_REPORTED, "08:00", "");
    story_origin("", false);
}

static void issue_deadline(const struct case_state *c) {
    const struct timer *first = first_timer(c);
    if (first) story_skip_to(first->due_ms);
    fire(first ? (PbTimerKind)first->kind : TIMER_DESK);
}

/* What an order needs before it can happen. */
static void prepare(enum order_kind kind) {
    PbState state = (PbState)story_case()->state;
    bool desk = state == STATE_REPORTED || state == STATE_ACCEPTED;
    if (kind == ORDER_DECIDE_EXTENSION && state == STATE_HANDLING) ask_extension("grid-worker", NULL);
    if ((kind == ORDER_RETRY_DEAD || kind == ORDER_DROP_DEAD) && desk) offer_failed(OFFER_REJECTED, 0);
    if (kind == ORDER_MOVE || kind == ORDER_RECOMPUTE) story_rules_become(story_rules_later());
    if (kind == ORDER_CLOSE) story_batch(CONFIRMED_BATCH);
    if (kind == ORDER_ARCHIVE) story_skip("09:02");
    if (kind == ORDER_VOID) story_by("0019");
}

/* The order as somebody would give it who knows how the case stands. */
static void issue(enum order_kind kind) {
    const struct case_state *c = story_case();
    const char *asked = c->state == STATE_RESOLVED ? "community-desk" : "grid-worker";
    switch (kind) {
    case ORDER_REPORT: return report("rubbish");
    case ORDER_SELF_HANDLE: return self_handle("rubbish", "grid-worker");
    case ORDER_IMPORT: return issue_import();
    case ORDER_ANSWER: return answer_for(asked, ANSWER_DONE, c->stage, c->attempt);
    case ORDER_ACCEPT: return accept_case();
    case ORDER_REJECT: return reject_case(CAUSE_DUPLICATE);
    case ORDER_APPEAL: return appeal(NULL);
    case ORDER_MERGE: return merge_into(101);
    case ORDER_SPLIT: return split();
    case ORDER_WITHDRAW: return withdraw(NULL);
    case ORDER_DISPATCH: return dispatch("grid-worker");
    case ORDER_REASSIGN: return reassign("grid-leader");
    case ORDER_ESCALATE: return escalate();
    case ORDER_DELEGATE: return delegate(LEVEL_GRID);
    case ORDER_ASK_EXTENSION: return ask_extension("grid-worker", NULL);
    case ORDER_DECIDE_EXTENSION: return decide_on_extension("street-desk", true);
    case ORDER_SUSPEND: return suspend("street-desk", CAUSE_SEASON, "04-01 09:00");
    case ORDER_RESUME: return resume_by("street-desk");
    case ORDER_REMIND: return remind_by("street-desk");
    case ORDER_SUPERVISE: return supervise_by("street-desk");
    case ORDER_HAND_OVER: return hand_over(asked, "street-desk");
    case ORDER_FOLLOW_UP: return follow_up(NULL, OPINION_YES, OPINION_YES);
    case ORDER_REOPEN: return reopen_by("street-desk");
    case ORDER_TRANSFER: return transfer(AUTHORITY_FIRE);
    case ORDER_ACKNOWLEDGE_TRANSFER: return acknowledge_transfer("119-7");
    case ORDER_VOID: return void_case();
    case ORDER_CLOSE: return close_case_of_batch();
    case ORDER_CORRECT: return correct_category("gas");
    case ORDER_NOTE: return note("as it is");
    case ORDER_MOVE: return move_case();
    case ORDER_RETRY_DEAD: return retry_dead();
    case ORDER_DROP_DEAD: return drop_dead();
    case ORDER_LATER: return later();
    case ORDER_DEADLINE: return issue_deadline(c);
    case ORDER_OFFER_FAILED: return offer_failed(OFFER_RETRY, 0);
    case ORDER_ARCHIVE: return archive("09:02");
    case ORDER_RECOMPUTE: return recompute();
    default: NEVER("an order nobody gives");
    }
}

/* ---- orders ------------------------------------------------------------------------------------------------------ */

/* + it happens   S wrong state   W wrong stage   C case closed   N no such case   T no such timer   Y not yet
 * R out of range: no lower level   A not asked   E too early: nobody has acknowledged it
 * none, reported, accepted, dispatched, handling, resolved, closed, rejected, suspended, followup, merged, withdrawn,
 * void, transferred, archived */
static const char *const want[ORDER_COUNT] = {
    [ORDER_REPORT]               = "+SSSSSSSSSSSSSS",
    [ORDER_SELF_HANDLE]          = "+SSSSSSSSSSSSSS",
    [ORDER_IMPORT]               = "+SSSSSSSSSSSSSS",
    [ORDER_ANSWER]               = "N+++++CC++CCCCC",
    [ORDER_ACCEPT]               = "N+SSSSCCSSCCCCC",
    [ORDER_REJECT]               = "N++SSSCCSSCCCCC",
    [ORDER_APPEAL]               = "NSSSSSS+SSSSSSS",
    [ORDER_MERGE]                = "N++SSSCCSSCCCCC",
    [ORDER_SPLIT]                = "NSSSSSSSSS+SSSS",
    [ORDER_WITHDRAW]             = "N+SSSSCCSSCCCCC",
    [ORDER_DISPATCH]             = "N++SSSCCSSCCCCC",
    [ORDER_REASSIGN]             = "NSS++SCCSSCCCCC",
    [ORDER_ESCALATE]             = "N++++SCCSSCCCCC",
    [ORDER_DELEGATE]             = "NRRRRSCCSSCCCCC",
    [ORDER_ASK_EXTENSION]        = "NSSS+SCCSSCCCCC",
    [ORDER_DECIDE_EXTENSION]     = "NSSS+SCCSSCCCCC",
    [ORDER_SUSPEND]              = "NSSS+SCCSSCCCCC",
    [ORDER_RESUME]               = "NSSSSSCC+SCCCCC",
    [ORDER_REMIND]               = "N+++++CC++CCCCC",
    [ORDER_SUPERVISE]            = "N+++++CC++CCCCC",
    [ORDER_HAND_OVER]            = "NAA+++CC+ACCCCC",
    [ORDER_FOLLOW_UP]            = "NSSSSSCCS+CCCCC",
    [ORDER_REOPEN]               = "NSSSSS+CS+CCC+C",
    [ORDER_TRANSFER]             = "N+++++CC++CCCCC",
    [ORDER_ACKNOWLEDGE_TRANSFER] = "NSSSSSSSSSSSS+S",
    [ORDER_VOID]                 = "N+++++++++++C+C",
    [ORDER_CLOSE]                = "N+++++CC++CCCCC",
    [ORDER_CORRECT]              = "N+++++CC++CCCCC",
    [ORDER_NOTE]                 = "N++++++++++++++",
    [ORDER_MOVE]                 = "N+++++CC++CCCCC",
    [ORDER_RETRY_DEAD]           = "N++SSSCCSSCCCCC",
    [ORDER_DROP_DEAD]            = "N++SSSCCSSCCCCC",
    [ORDER_LATER]                = "YYYYYYYYYYYYYYY",
    [ORDER_DEADLINE]             = "T+++++TT++TTT+T",
    [ORDER_OFFER_FAILED]         = "N++WWWCCWWCCCCC",
    [ORDER_ARCHIVE]              = "NSSSSS++SS+++ES",
    [ORDER_RECOMPUTE]            = "N+++++CC++CCC+C",
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
    case REFUSED_FIELD_RANGE: return 'R';
    case REFUSED_NOT_ASKED: return 'A';
    case REFUSED_TOO_EARLY: return 'E';
    default: return '?';
    }
}

static void every_order_meets_every_state(void **unused) {
    (void)unused;
    for (enum order_kind kind = 0; kind < ORDER_COUNT; kind++)
        for (PbState state = STATE_NONE; state <= STATE_ARCHIVED; state++) {
            reach(state);
            prepare(kind);
            assert_int_equal(story_case()->state, state);
            struct case_state before = *story_case();
            uint64_t met = lawful_seen.cell[kind][state];
            issue(kind);
            PbRefusal refusal = story_refusal();
            assert_int_equal(lawful_seen.cell[kind][state], met + 1);
            if (letter(refusal) != want[kind][state])
                fail_msg("%s in %s: %c, not %c", order_name(kind), state_name(state), letter(refusal),
                         want[kind][state]);
            if (refusal) assert_memory_equal(&before, story_case(), sizeof before);
        }
}

/* ---- deadlines --------------------------------------------------------------------------------------------------- */

/* Where which deadline can be armed: none, reported, accepted, dispatched, handling, resolved, closed, rejected,
 * suspended, followup, merged, withdrawn, void, transferred, archived. */
static const char *const armed[TIMERS] = {
    [TIMER_NONE]     = "...............", [TIMER_DESK]     = ".++............", [TIMER_ACCEPT]   = "...+...........",
    [TIMER_REMIND]   = "...+++.........", [TIMER_HANDLING] = "..+++..........", [TIMER_PROMISE]  = ".++++..........",
    [TIMER_VERIFY]   = ".....+.........", [TIMER_REVIEW]   = "........+......", [TIMER_FOLLOWUP] = ".........+.....",
    [TIMER_SUPERVISE] = ".+++++.......+.", [TIMER_TRANSFER] = ".............+.",
};

static void fire_at_due(PbTimerKind kind) {
    const struct timer *t = case_timer(story_case(), kind);
    assert_non_null(t);
    story_skip_to(t->due_ms);
    fire(kind);
}

/* With a promise, or on the last rung with every deadline missed so far. */
static void reach_late(PbState state, bool last) {
    story("2026-03-02 09:00");
    if (last) report_in("tree", FIXTURE_DISTRICT);
    else report("lamp");
    if (state == STATE_TRANSFERRED) return transfer(AUTHORITY_COURT), fire_at_due(TIMER_TRANSFER);
    if (last && state <= STATE_ACCEPTED) fire_at_due(TIMER_DESK);
    if (state == STATE_ACCEPTED) accept_case();
    if (state <= STATE_ACCEPTED) return;
    dispatch("greenery");
    if (last && state == STATE_DISPATCHED) fire_at_due(TIMER_ACCEPT);
    if (state == STATE_DISPATCHED) return;
    answer("greenery", ANSWER_ACCEPT);
    if (last && state == STATE_HANDLING) fire_at_due(TIMER_HANDLING);
    if (state == STATE_HANDLING) return;
    answer("greenery", ANSWER_DONE);
    if (last) fire_at_due(TIMER_VERIFY);
}

static void reach_with(PbState state, PbTimerKind kind) {
    if (kind == TIMER_PROMISE || kind == TIMER_SUPERVISE) return reach_late(state, kind == TIMER_SUPERVISE);
    if (kind != TIMER_HANDLING || state != STATE_ACCEPTED) return reach(state);
    reach(STATE_HANDLING);
    give_back("grid-worker", "outer-worker", "not in my grid");
}

static void every_deadline_fires_once_in_every_state_it_can_be_armed_in(void **unused) {
    (void)unused;
    for (PbTimerKind kind = TIMER_DESK; kind <= TIMER_TRANSFER; kind++)
        for (PbState state = STATE_NONE; state <= STATE_ARCHIVED; state++) {
            if (armed[kind][state] != '+') {
                reach(state);
                fire(kind);
                assert_int_equal(story_refusal(), REFUSED_NO_SUCH_TIMER);
                continue;
            }
            reach_with(state, kind);
            assert_int_equal(story_case()->state, state);
            const struct timer *t = case_timer(story_case(), kind);
            if (!t) fail_msg("timer %d is not armed in %s", (int)kind, state_name(state));
            int64_t due_ms = t->due_ms;
            story_skip_to(due_ms - 1);
            fire(kind);
            assert_int_equal(story_refusal(), REFUSED_TOO_EARLY);
            story_skip_to(due_ms);
            fire(kind);
            assert_int_equal(story_refusal(), REFUSED_NOTHING);
            fire(kind);
            assert_true(story_refusal() == REFUSED_TOO_EARLY || story_refusal() == REFUSED_NO_SUCH_TIMER);
            assert_true(lawful_seen.fired[kind][state] > 0);
        }
}

/* ---- places and parties ------------------------------------------------------------------------------------------ */

/* Nobody on the ladder would be asked: the sender is told, and no case is made that waits for nobody. */
static void a_report_from_above_the_ladder_is_refused(void **unused) {
    (void)unused;
    static uint8_t memory[16 << 10];
    struct arena room;
    struct decision decision;
    const struct case_state nothing = { .id = 0 };
    PbPlaybook community_only = *fixture_rules()->playbooks[0], *playbooks[] = { &community_only };
    PbRules rules = *fixture_rules();
    community_only.n_stages = 1, rules.n_playbooks = 1, rules.playbooks = playbooks;
    PbPlace place = { .has_division = 1 };
    PbReport to_report = { .place = &place, .category = (char *)"rubbish" };
    const struct order order = { .kind = ORDER_REPORT, .report = &to_report };
    static const struct { uint64_t division; PbRefusal refusal; } told[] = {
        { FIXTURE_GRID, REFUSED_NOTHING }, { FIXTURE_COMMUNITY, REFUSED_NOTHING },
        { FIXTURE_STREET, REFUSED_BAD_DIVISION }, { FIXTURE_DISTRICT, REFUSED_BAD_DIVISION },
    };
    for (size_t i = 0; i < COUNT_OF(told); i++) {
        arena_wrap(&room, memory, sizeof memory);
        place.division = told[i].division;
        decide(&(struct decide_input){ .state = &nothing, .rules = &rules, .rules_number = 1, .day_number = 1,
                                       .now_ms = FIXTURE_MONDAY_MS, .slot = 7, .room = &room }, &order, &decision);
        assert_int_equal(decision.refusal, told[i].refusal);
        if (decision.refusal) assert_string_equal(decision.field, "place.division");
    }
}

static void only_a_party_that_is_there_escalates(void **unused) {
    (void)unused;
    PbEscalate e = { .has_stage = 1, .stage = 1, .has_attempt = 1, .attempt = 1, .party = (char *)"mayor@610402" };
    reach(STATE_REPORTED);
    assert_int_equal(story_order(&(struct order){ .kind = ORDER_ESCALATE, .escalate = &e }), REFUSED_UNKNOWN_PARTY);
    e.party = (char *)"community-desk@610402006001";
    assert_int_equal(story_order(&(struct order){ .kind = ORDER_ESCALATE, .escalate = &e }), REFUSED_NOTHING);
}

/* ---- events ------------------------------------------------------------------------------------------------------ */

static void every_event_of_a_case_has_a_name_of_its_own(void **unused) {
    (void)unused;
    for (const struct arrow *a = arrows; a < arrows + arrows_count; a++)
        for (const struct arrow *b = arrows; b < a; b++)
            if (a->event != b->event)
                assert_string_not_equal(event_name(&(PbEvent){ .event_case = (PbEvent__EventCase)a->event }),
                                        event_name(&(PbEvent){ .event_case = (PbEvent__EventCase)b->event }));
    assert_string_equal(event_name(&(PbEvent){ .event_case = EVENT_EPOCH_BEGUN }), "of-the-broker");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_order_meets_every_state),
        cmocka_unit_test(every_deadline_fires_once_in_every_state_it_can_be_armed_in),
        cmocka_unit_test(every_event_of_a_case_has_a_name_of_its_own),
        cmocka_unit_test(a_report_from_above_the_ladder_is_refused),
        cmocka_unit_test(only_a_party_that_is_there_escalates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
