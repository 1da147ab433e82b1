/* What goes back to the desk and round to others: returned, reassigned, ruled. */
#include "tests/unit/stories.h"
#include "tests/unit/story.h"

#include <setjmp.h>

#include <cmocka.h>

#define HOUR_MS 3600000LL

static void a_return_names_who_it_is_for_and_the_clock_of_the_case_runs_on(void **state) {
    (void)state;
    story("2026-03-02 09:00");
    report("rubbish");
    dispatch("grid-worker grid-leader");
    answer("grid-worker", ANSWER_ACCEPT);
    at("10:00");
    give_back("grid-worker", "outer-worker", "outside the wall");
    answer("grid-worker", ANSWER_DONE);
    at("10:30");
    dispatch("outer-worker");
    answer("outer-worker", ANSWER_ACCEPT);
    assert_int_equal(story_case()->more.returns, 1);
    expect("[09:00] reported to community | desk 11:00\n"
           "[09:00] accepted\n"
           "[09:00] dispatched to grid-worker*, grid-leader: duty | accept 11:00, handling 03-09 09:00, remind "
           "03-06 09:00\n"
           "[09:00] signed by grid-worker\n"
           "[10:00] returned by grid-worker, who names outer-worker | desk 12:00\n"
           "[10:00] answered done by grid-worker: late\n"
           "[10:30] reassigned to outer-worker*: duty | accept 14:30, remind 03-06 09:00\n"
           "[10:30] signed by outer-worker\n");
}

static void a_return_says_why_and_for_whom_and_within_two_working_days(void **state) {
    (void)state;
    story("2026-03-02 09:00");
    report("rubbish");
    dispatch("grid-worker");
    give_back("grid-worker", NULL, "not mine");
    give_back("grid-worker", "outer-worker", "");
    give_back("grid-worker", "mayor@610402", "not mine");
    give_back("outer-worker", "grid-worker", "nobody asked me");
    answer("grid-worker", ANSWER_ACCEPT);
    wait_until("03-04 09:00:00.001");
    give_back("grid-worker", "outer-worker", "two days are over");
    expect("[09:00] reported to community | desk 11:00\n"
           "[09:00] accepted\n"
           "[09:00] dispatched to grid-worker*: duty | accept 11:00, handling 03-09 09:00, remind 03-06 09:00\n"
           "[09:00] refused: field missing (proposed)\n"
           "[09:00] refused: field missing (text)\n"
           "[09:00] refused: unknown party (proposed)\n"
           "[09:00] answered return by outer-worker: not asked\n"
           "[09:00] signed by grid-worker\n"
           "[03-04 09:00:00.001] refused: too late (kind)\n");
}

static void a_helper_that_returns_it_declines(void **state) {
    (void)state;
    story("2026-03-02 09:00");
    report("rubbish");
    dispatch("grid-worker grid-leader");
    give_back("grid-leader", "outer-worker", "I only help");
    assert_int_equal(story_case()->more.returns, 0);
    assert_string_equal(story_state(), "dispatched at community/1: grid-worker* 1/1 open, grid-leader 1/1 returned");
    give_back("grid-leader", "outer-worker", "I only help");
    expect("[09:00] reported to community | desk 11:00\n"
           "[09:00] accepted\n"
           "[09:00] dispatched to grid-worker*, grid-leader: duty | accept 11:00, handling 03-09 09:00, remind "
           "03-06 09:00\n"
           "[09:00] answered return by grid-leader: counted\n"
           "[09:00] answered return by grid-leader: repeated\n");
}

static void returned_twice_the_next_level_rules_and_then_nobody_returns_it(void **state) {
    (void)state;
    story("2026-03-02 09:00");
    report("rubbish");
    dispatch("grid-worker");
    give_back("grid-worker", "grid-leader", "not mine");
    dispatch("grid-leader");
    give_back("grid-leader", "grid-worker", "not mine either");
    told("the street rules");
    dispatch("grid-worker");
    give_back("grid-worker", "grid-leader", "still not mine");
    assert_true(story_case()->more.arbitrated);
    answer("grid-worker", ANSWER_DONE);
    expect("[09:00] reported to community | desk 11:00\n"
           "[09:00] accepted\n"
           "[09:00] dispatched to grid-worker*: duty | accept 11:00, handling 03-09 09:00, remind 03-06 09:00\n"
           "[09:00] returned by grid-worker, who names grid-leader | desk 11:00\n"
           "[09:00] reassigned to grid-leader*: duty | accept 11:00, remind 03-06 09:00\n"
           "[09:00] returned by grid-leader, who names grid-worker, to be ruled | desk 11:00\n"
           "[09:00] escalated from community to street/1: returns spent | desk 11:00\n"
           "[09:00] the street rules\n"
           "[09:00] arbitrated to grid-worker*: duty | accept 11:00, handling 03-16 09:00, remind 03-12 09:00\n"
           "[09:00] refused: arbitrated (kind)\n"
           "[09:00] signed by grid-worker\n"
           "[09:00] resolved by grid-worker, on time; to verify: street-desk* | verify 03-04 09:00, remind 03-03 "
           "15:30\n");
}

static void on_the_last_rung_its_own_desk_rules(void **state) {
    (void)state;
    story("2026-03-02 09:00");
    report_in("tree", FIXTURE_DISTRICT);
    dispatch("greenery");
    give_back("greenery", "lighting", "the lamp fell on it");
    dispatch("lighting");
    give_back("lighting", "greenery", "the tree fell on it");
    told("nobody is above");
    dispatch("lighting");
    give_back("lighting", "greenery", "it did");
    expect("[09:00] reported to district | desk 03-03 09:00\n"
           "[09:00] accepted\n"
           "[09:00] dispatched to greenery*: duty | accept 03-03 09:00, handling 03-30 09:00, remind 03-24 09:00\n"
           "[09:00] returned by greenery, who names lighting | desk 03-03 09:00\n"
           "[09:00] reassigned to lighting*: duty | accept 03-03 09:00, remind 03-24 09:00\n"
           "[09:00] returned by lighting, who names greenery, to be ruled | desk 03-03 09:00\n"
           "[09:00] nobody is above\n"
           "[09:00] arbitrated to lighting*: duty | accept 03-03 09:00, remind 03-24 09:00\n"
           "[09:00] refused: arbitrated (kind)\n");
}

static void what_is_overdue_while_the_desk_ponders_climbs_all_the_same(void **state) {
    (void)state;
    story("2026-03-02 09:00");
    report_promised("rubbish", 3 * HOUR_MS);
    dispatch("grid-worker");
    at("10:30");
    give_back("grid-worker", "outer-worker", "outside the wall");
    wait_until("12:00");
    assert_true(story_case()->overdue);
    assert_false(story_case()->more.returned);
    expect("[09:00] reported to community | desk 11:00, promise 12:00\n"
           "[09:00] accepted\n"
           "[09:00] dispatched to grid-worker*: duty | accept 11:00, remind 11:24\n"
           "[10:30] returned by grid-worker, who names outer-worker | desk 14:30\n"
           "[12:00] escalated from community to street/1: promise overdue | desk 16:00\n");
}

static void overdue_on_the_last_rung_while_the_desk_ponders_it_is_supervised(void **state) {
    (void)state;
    story("2026-03-02 09:00");
    report_in("tree", FIXTURE_DISTRICT);
    dispatch("greenery");
    answer("greenery", ANSWER_ACCEPT);
    wait_until("03-02 10:00");
    give_back("greenery", "lighting", "not a tree");
    tell_timers();
    wait_until("03-30 09:00");
    tell_timers();
    dispatch("lighting");
    expect("[09:00] reported to district | desk 03-03 09:00\n"
           "[09:00] accepted\n"
           "[09:00] dispatched to greenery*: duty | accept 03-03 09:00, handling 03-30 09:00, remind 03-24 09:00\n"
           "[09:00] signed by greenery\n"
           "[10:00] returned by greenery, who names lighting | desk 03-03 10:00\n"
           "[10:00] timers: handling 03-30 09:00, desk 03-03 10:00\n"
           "[03-03 10:00] supervised time 1: desk silent | supervise 03-10 10:00\n"
           "[03-10 10:00] supervised time 2: last rung | supervise 03-24 10:00\n"
           "[03-24 10:00] supervised time 3: last rung | supervise 04-21 10:00\n"
           "[03-30 09:00] supervised time 4: handling overdue | supervise 04-27 09:00\n"
           "[03-30 09:00] timers: supervise 04-27 09:00\n"
           "[03-30 09:00] reassigned to lighting*: duty | accept 03-31 09:00, handling 04-27 09:00, remind 04-21 "
           "09:00\n");
}

static void others_may_be_asked_instead_and_the_clock_of_the_case_runs_on(void **state) {
    (void)state;
    story_handling("rubbish");
    at("03-03 09:00");
    reassign("grid-leader outer-worker");
    answer("grid-worker", ANSWER_DONE);
    reassign("");
    reassign_for("grid-worker", 1, 1);
    reassign("grid-worker mayor@610402");
    tell_timers();
    answer("outer-worker", ANSWER_DONE);
    expect("[09:00] reported to community | desk 11:00\n"
           "[09:00] accepted\n"
           "[09:00] dispatched to grid-worker*: duty | accept 11:00, handling 03-09 09:00, remind 03-06 09:00\n"
           "[09:00] signed by grid-worker\n"
           "[03-03 09:00] reassigned to grid-leader*, outer-worker: duty | accept 03-03 11:00, remind 03-06 09:00\n"
           "[03-03 09:00] answered done by grid-worker: late\n"
           "[03-03 09:00] refused: nobody named (parties)\n"
           "[03-03 09:00] refused: wrong stage (attempt)\n"
           "[03-03 09:00] refused: unknown party (parties.party)\n"
           "[03-03 09:00] timers: handling 03-09 09:00, accept 03-03 11:00, remind 03-06 09:00\n"
           "[03-03 09:00] signed by outer-worker\n"
           "[03-03 09:00] resolved by outer-worker, on time; to verify: community-desk* | verify 03-05 09:00, "
           "remind 03-04 15:30\n");
}

static void a_desk_asks_nobody_too_late_nor_too_many(void **state) {
    (void)state;
    story("2026-03-02 09:00");
    PbAccept nobody = { .party = (char *)"mayor@610402" };
    report("rubbish");
    story_order(&(struct order){ .kind = ORDER_ACCEPT, .accept = &nobody });
    PbReject late = { .stage = 2, .attempt = 1, .cause = CAUSE_NOT_A_FACT };
    story_order(&(struct order){ .kind = ORDER_REJECT, .reject = &late });
    PbEscalate up = { .stage = 1, .attempt = 2 };
    story_order(&(struct order){ .kind = ORDER_ESCALATE, .escalate = &up });
    dispatch_for("grid-worker", 2, 1);
    dispatch("");
    dispatch("mayor@610402");
    dispatch("grid-worker@610402006001001 grid-worker@610402006001002 grid-worker@610402006002001 "
        "grid-worker@610402006002002 grid-leader@610402006001 grid-leader@610402006002 greenery lighting "
        "urban-management verifier outer-worker street-desk district-desk community-desk@610402006001");
    escalate();
    dispatch("greenery lighting urban-management");
    expect("[09:00] reported to community | desk 11:00\n"
           "[09:00] refused: unknown party (party)\n"
           "[09:00] refused: wrong stage (stage)\n"
           "[09:00] refused: wrong stage (attempt)\n"
           "[09:00] refused: wrong stage (stage)\n"
           "[09:00] refused: nobody named (parties)\n"
           "[09:00] refused: unknown party (parties.party)\n"
           "[09:00] accepted\n"
           "[09:00] dispatched to grid-worker*, grid-worker@610402006001002, grid-worker@610402006002001, "
           "grid-worker@610402006002002, grid-leader, grid-leader@610402006002, greenery, lighting, "
           "urban-management, verifier, outer-worker, street-desk, district-desk, community-desk: duty | accept "
           "11:00, handling 03-09 09:00, remind 03-06 09:00\n"
           "[09:00] escalated from community to street/1: asked for help | desk 11:00\n"
           "[09:00] refused: too many asks (parties)\n");
}

static void asked_and_declined_as_often_as_can_be_counted_it_stays_with_whoever_has_it(void **state) {
    (void)state;
    story("2026-03-02 09:00");
    report_in("tree", FIXTURE_DISTRICT);
    for (unsigned i = 1; i < ATTEMPT_MAX - ATTEMPTS_KEPT; i++) {
        dispatch("greenery");
        answer("greenery", ANSWER_DECLINE);
        story_hush();
    }
    dispatch("greenery");
    answer("greenery", ANSWER_DECLINE);
    give_back("greenery", "lighting", "a lamp");
    reassign("lighting");
    answer("greenery", ANSWER_DONE);
    answer("district-desk", ANSWER_DONE);
    expect("[09:00] dispatched to greenery*: duty | accept 03-03 09:00, handling 03-30 09:00, remind 03-24 09:00\n"
           "[09:00] refused: too many asks (attempt)\n"
           "[09:00] refused: too many asks (attempt)\n"
           "[09:00] refused: too many asks (attempt)\n"
           "[09:00] signed by greenery\n"
           "[09:00] resolved by greenery, on time; to verify: district-desk* | verify 03-04 09:00, remind 03-03 "
           "15:30\n"
           "[09:00] verified by district-desk\n"
           "[09:00] closed, on time\n");
}

int stories_of_returns(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_return_names_who_it_is_for_and_the_clock_of_the_case_runs_on),
        cmocka_unit_test(a_return_says_why_and_for_whom_and_within_two_working_days),
        cmocka_unit_test(a_helper_that_returns_it_declines),
        cmocka_unit_test(returned_twice_the_next_level_rules_and_then_nobody_returns_it),
        cmocka_unit_test(on_the_last_rung_its_own_desk_rules),
        cmocka_unit_test(what_is_overdue_while_the_desk_ponders_climbs_all_the_same),
        cmocka_unit_test(overdue_on_the_last_rung_while_the_desk_ponders_it_is_supervised),
        cmocka_unit_test(others_may_be_asked_instead_and_the_clock_of_the_case_runs_on),
        cmocka_unit_test(a_desk_asks_nobody_too_late_nor_too_many),
        cmocka_unit_test(asked_and_declined_as_often_as_can_be_counted_it_stays_with_whoever_has_it),
    };
    return cmocka_run_group_tests_name("returns", tests, NULL, NULL);
}
