/* What the asked parties say. */
#include "tests/unit/stories.h"
#include "tests/unit/story.h"

#include <setjmp.h>

#include <cmocka.h>

/* ---- done -------------------------------------------------------------------------------------------------------- */

static void two_departments_must_both_be_done(void **state) {
    (void)state;
    story("2026-03-02 09:00");
    report_in("tree", FIXTURE_DISTRICT);
    dispatch("greenery lighting");
    at("10:00");
    answer("greenery", ANSWER_DONE);
    wait_until("03-04 09:00");
    assert_string_equal(story_state(), "handling at district/1: greenery* 3/1 done, lighting 3/1 open");
    answer("greenery", ANSWER_DONE);
    answer("lighting", ANSWER_DONE);
    answer("district-desk", ANSWER_DONE);
    expect("[09:00] reported to district | desk 03-03 09:00\n"
           "[09:00] accepted\n"
           "[09:00] dispatched to greenery*, lighting: duty | accept 03-03 09:00, handling 03-30 09:00, remind 03-24 "
           "09:00\n"
           "[10:00] signed by greenery\n"
           "[10:00] answered done by greenery: counted\n"
           "[03-04 09:00] answered done by greenery: repeated\n"
           "[03-04 09:00] resolved by lighting, on time; to verify: district-desk* | verify 03-06 09:00, remind 03-05 "
           "15:30\n"
           "[03-04 09:00] verified by district-desk\n"
           "[03-04 09:00] closed, on time\n");
}

static void the_done_of_a_lower_ask_counts_by_the_tally_of_its_own_stage(void **state) {
    (void)state;
    story("2026-03-02 09:00");
    report("rubbish");
    dispatch("grid-worker grid-leader");
    wait_until("11:00");
    told("the first of the two is enough, also for the one that is not the lead");
    answer("grid-leader", ANSWER_DONE);
    expect("[09:00] reported to community | desk 11:00\n"
           "[09:00] accepted\n"
           "[09:00] dispatched to grid-worker*, grid-leader: duty | accept 11:00, handling 03-09 09:00, remind 03-06 "
           "09:00\n"
           "[11:00] escalated from community to street/1: accept overdue | desk 15:00\n"
           "[11:00] the first of the two is enough, also for the one that is not the lead\n"
           "[11:00] resolved by grid-leader, on time; to verify: community-desk* | verify 03-04 11:00, remind 03-03 "
           "17:30\n");

    story("2026-03-02 09:00");
    report("poster");
    dispatch("grid-worker grid-leader");
    wait_until("11:00");
    told("two are needed: the lead alone is not enough");
    answer("grid-worker", ANSWER_DONE);
    answer("grid-leader", ANSWER_DONE);
    expect("[09:00] reported to community | desk 22:30\n"
           "[09:00] accepted\n"
           "[09:00] dispatched to grid-worker*, grid-leader: duty | accept 22:30, handling 03-09 20:30, remind 03-06 "
           "06:00\n"
           "[11:00] two are needed: the lead alone is not enough\n"
           "[11:00] signed by grid-worker\n"
           "[11:00] answered done by grid-worker: counted\n"
           "[11:00] resolved by grid-leader, on time\n"
           "[11:00] closed, on time\n");
}

static void a_tally_that_cannot_be_met_is_not_dispatched(void **state) {
    (void)state;
    story("2026-03-02 09:00");
    report("poster");
    dispatch("grid-worker");
    dispatch("grid-worker grid-leader");
    answer("grid-leader", ANSWER_DONE);
    answer("grid-worker", ANSWER_DONE);
    expect("[09:00] reported to community | desk 22:30\n"
           "[09:00] refused: field range (parties)\n"
           "[09:00] accepted\n"
           "[09:00] dispatched to grid-worker*, grid-leader: duty | accept 22:30, handling 03-09 20:30, remind 03-06 "
           "06:00\n"
           "[09:00] signed by grid-leader\n"
           "[09:00] answered done by grid-leader: counted\n"
           "[09:00] resolved by grid-worker, on time\n"
           "[09:00] closed, on time\n");
}

static void who_is_named_to_handle_must_be_known_once_and_not_too_many(void **state) {
    (void)state;
    story("2026-03-02 09:00");
    report("rubbish");
    dispatch("");
    dispatch("grid-worker grid-worker");
    dispatch("grid-worker@610402006001009");
    dispatch_for("grid-worker", 1, 2);
    dispatch_for("grid-worker", 2, 1);
    expect("[09:00] reported to community | desk 11:00\n"
           "[09:00] refused: nobody named (parties)\n"
           "[09:00] refused: field range (parties.party)\n"
           "[09:00] refused: unknown party (parties.party)\n"
           "[09:00] refused: wrong stage (attempt)\n"
           "[09:00] refused: wrong stage (stage)\n");
}

/* ---- milestones -------------------------------------------------------------------------------------------------- */

static void milestones_are_done_in_order_and_the_last_one_resolves(void **state) {
    (void)state;
    story("2026-03-02 09:00");
    report("gas");
    dispatch("grid-worker");
    at("09:10");
    milestone("grid-worker", "repair");
    milestone("grid-worker", "restore");
    milestone("grid-worker", "sing");
    milestone("grid-worker", "isolate");
    milestone("grid-worker", "isolate");
    at("15:00");
    milestone("grid-worker", "repair");
    at("16:00");
    milestone("grid-worker", "restore");
    expect("[09:00] reported to community | desk 09:30\n"
           "[09:00] accepted\n"
           "[09:00] dispatched to grid-worker*: duty | accept 09:30, handling 10:00, remind 09:48\n"
           "[09:10] refused: milestone order (milestone)\n"
           "[09:10] refused: milestone order (milestone)\n"
           "[09:10] refused: milestone order (milestone)\n"
           "[09:10] signed by grid-worker\n"
           "[09:10] milestone-done isolate by grid-worker | handling 03-03 09:00, remind 03-03 04:12\n"
           "[09:10] refused: milestone order (milestone)\n"
           "[15:00] milestone-done repair by grid-worker | handling 03-05 09:00, remind 03-04 12:00\n"
           "[16:00] resolved by grid-worker, on time; to verify: community-desk* | verify 03-04 16:00, remind 03-04 "
           "11:00\n");
}

static void each_milestone_climbs_when_it_is_overdue(void **state) {
    (void)state;
    story_handling("gas");
    wait_until("10:00");
    dispatch("outer-worker");
    milestone("outer-worker", "isolate");
    wait_until("03-03 10:00");
    dispatch("greenery");
    milestone("greenery", "repair");
    wait_until("03-06 10:00");
    expect("[09:00] reported to community | desk 09:30\n"
           "[09:00] accepted\n"
           "[09:00] dispatched to grid-worker*: duty | accept 09:30, handling 10:00, remind 09:48\n"
           "[09:00] signed by grid-worker\n"
           "[09:48] reminded\n"
           "[10:00] escalated from community to street/1: milestone overdue | desk 10:30\n"
           "[10:00] dispatched to outer-worker*: duty | accept 10:30, handling 11:00, remind 10:48\n"
           "[10:00] signed by outer-worker\n"
           "[10:00] milestone-done isolate by outer-worker | handling 03-03 10:00, remind 03-03 05:12\n"
           "[03-03 05:12] reminded\n"
           "[03-03 10:00] escalated from street to district/1: milestone overdue | desk 03-03 10:30\n"
           "[03-03 10:00] dispatched to greenery*: duty | accept 03-03 10:30, handling 03-04 10:00, remind 03-04 "
           "05:12\n"
           "[03-03 10:00] signed by greenery\n"
           "[03-03 10:00] milestone-done repair by greenery | handling 03-06 10:00, remind 03-05 15:00\n"
           "[03-05 15:00] reminded\n"
           "[03-06 10:00] supervised time 1: handling overdue | supervise 03-13 10:00\n");
}

static void a_milestone_in_rework_leaves_the_limit_of_rework(void **state) {
    (void)state;
    story("2026-03-02 09:00");
    report("gas");
    dispatch("grid-worker");
    answer("grid-worker", ANSWER_DONE);
    answer("community-desk", ANSWER_DECLINE);
    milestone("grid-worker", "isolate");
    assert_non_null(case_timer(story_case(), TIMER_HANDLING));
    assert_int_equal(case_timer(story_case(), TIMER_HANDLING)->milestone, 0);
    expect("[09:00] reported to community | desk 09:30\n"
           "[09:00] accepted\n"
           "[09:00] dispatched to grid-worker*: duty | accept 09:30, handling 10:00, remind 09:48\n"
           "[09:00] signed by grid-worker\n"
           "[09:00] resolved by grid-worker, on time; to verify: community-desk* | verify 03-04 09:00, remind 03-03 "
           "15:30\n"
           "[09:00] rework for grid-worker at community/2 | handling 03-03 14:45, remind 03-03 10:30\n"
           "[09:00] milestone-done isolate by grid-worker\n");
}

/* ---- decline ----------------------------------------------------------------------------------------------------- */

static void one_department_declines_and_the_desk_is_asked_again_until_its_attempts_are_spent(void **state) {
    (void)state;
    story("2026-03-02 09:00");
    report_in("tree", FIXTURE_DISTRICT);
    dispatch("greenery lighting");
    answer("greenery", ANSWER_ACCEPT);
    at("10:00");
    answer("lighting", ANSWER_DECLINE);
    answer("greenery", ANSWER_DONE);
    dispatch("greenery urban-management");
    answer("urban-management", ANSWER_DECLINE);
    dispatch("greenery");
    expect("[09:00] reported to district | desk 03-03 09:00\n"
           "[09:00] accepted\n"
           "[09:00] dispatched to greenery*, lighting: duty | accept 03-03 09:00, handling 03-30 09:00, remind 03-24 "
           "09:00\n"
           "[09:00] signed by greenery\n"
           "[10:00] answered decline by lighting: counted, the desk again | desk 03-03 10:00\n"
           "[10:00] answered done by greenery: late\n"
           "[10:00] dispatched to greenery*, urban-management: duty | accept 03-03 10:00, handling 03-30 10:00, remind "
           "03-24 10:00\n"
           "[10:00] answered decline by urban-management: counted, the desk again | desk 03-03 10:00\n"
           "[10:00] supervised time 1: impossible | supervise 03-09 10:00\n"
           "[10:00] dispatched to greenery*: duty | accept 03-03 10:00, handling 03-30 10:00, remind 03-24 10:00\n");
}

static void everybody_declines_and_the_case_climbs_when_the_attempts_are_spent(void **state) {
    (void)state;
    story("2026-03-02 09:00");
    report("rubbish");
    dispatch("grid-worker");
    answer("grid-worker", ANSWER_DECLINE);
    dispatch("grid-worker grid-leader");
    answer("grid-leader", ANSWER_ACCEPT);
    answer("grid-worker", ANSWER_DECLINE);
    answer("grid-leader", ANSWER_DECLINE);
    expect("[09:00] reported to community | desk 11:00\n"
           "[09:00] accepted\n"
           "[09:00] dispatched to grid-worker*: duty | accept 11:00, handling 03-09 09:00, remind 03-06 09:00\n"
           "[09:00] answered decline by grid-worker: counted, the desk again | desk 11:00\n"
           "[09:00] dispatched to grid-worker*, grid-leader: duty | accept 11:00, handling 03-09 09:00, remind 03-06 "
           "09:00\n"
           "[09:00] signed by grid-leader\n"
           "[09:00] answered decline by grid-worker: counted\n"
           "[09:00] answered decline by grid-leader: counted, the desk again | desk 11:00\n"
           "[09:00] escalated from community to street/1: declined | desk 11:00\n");
    assert_false(story_case()->overdue);
}

static void what_is_declined_goes_where_the_playbook_says(void **state) {
    (void)state;
    story("2026-03-02 09:00");
    report("poster");
    dispatch("grid-worker grid-leader");
    answer("grid-worker", ANSWER_DECLINE);
    dispatch("grid-worker grid-leader");
    answer("grid-worker", ANSWER_DECLINE);
    told("the community's way on is the district; the street's, which names none, is where overdue leads");
    expect("[09:00] reported to community | desk 22:30\n"
           "[09:00] accepted\n"
           "[09:00] dispatched to grid-worker*, grid-leader: duty | accept 22:30, handling 03-09 20:30, remind 03-06 "
           "06:00\n"
           "[09:00] answered decline by grid-worker: counted, the desk again | desk 22:30\n"
           "[09:00] dispatched to grid-worker*, grid-leader: duty | accept 22:30, handling 03-09 20:30, remind 03-06 "
           "06:00\n"
           "[09:00] answered decline by grid-worker: counted, the desk again | desk 22:30\n"
           "[09:00] escalated from community to district/1: impossible | desk 22:30\n"
           "[09:00] the community's way on is the district; the street's, which names none, is where overdue leads\n");
    story("2026-03-02 09:00");
    report_in("poster", FIXTURE_STREET);
    dispatch("outer-worker street-desk");
    answer("street-desk", ANSWER_DECLINE);
    dispatch("outer-worker street-desk");
    answer("outer-worker", ANSWER_DECLINE);
    expect("[09:00] reported to street | desk 22:30\n"
           "[09:00] accepted\n"
           "[09:00] dispatched to outer-worker*, street-desk: duty | accept 22:30, handling 03-16 20:30, remind 03-12 "
           "06:00\n"
           "[09:00] answered decline by street-desk: counted, the desk again | desk 22:30\n"
           "[09:00] dispatched to outer-worker*, street-desk: duty | accept 22:30, handling 03-16 20:30, remind 03-12 "
           "06:00\n"
           "[09:00] answered decline by outer-worker: counted, the desk again | desk 22:30\n"
           "[09:00] escalated from street to district/1: impossible | desk 22:30\n");
}

static void the_lead_passes_on(void **state) {
    (void)state;
    story("2026-03-02 09:00");
    report("rubbish");
    dispatch("grid-worker grid-leader");
    answer("grid-worker", ANSWER_DECLINE);
    assert_string_equal(story_state(), "dispatched at community/1: grid-worker 1/1 declined, grid-leader* 1/1 open");
    answer("grid-leader", ANSWER_ACCEPT);
    answer("grid-worker", ANSWER_DONE);
    answer("grid-leader", ANSWER_DONE);
    expect("[09:00] reported to community | desk 11:00\n"
           "[09:00] accepted\n"
           "[09:00] dispatched to grid-worker*, grid-leader: duty | accept 11:00, handling 03-09 09:00, remind 03-06 "
           "09:00\n"
           "[09:00] answered decline by grid-worker: counted\n"
           "[09:00] signed by grid-leader\n"
           "[09:00] answered done by grid-worker: late\n"
           "[09:00] resolved by grid-leader, on time; to verify: community-desk* | verify 03-04 09:00, remind 03-03 "
           "15:30\n");
}

/* ---- answers that decide nothing --------------------------------------------------------------------------------- */

static void answers_that_are_late_repeated_or_not_asked_for_are_recorded_until_there_are_too_many(void **state) {
    (void)state;
    story("2026-03-02 09:00");
    report("poster");
    dispatch("grid-worker grid-leader");
    answer("grid-worker", ANSWER_ACCEPT);
    answer("grid-worker", ANSWER_ACCEPT);
    answer("grid-worker", ANSWER_DONE);
    answer("grid-worker", ANSWER_DONE);
    answer("grid-worker", ANSWER_DECLINE);
    answer("grid-worker@610402006001002", ANSWER_DONE);
    answer_for("grid-leader", ANSWER_DONE, 1, 2);
    answer_for("grid-leader", ANSWER_DONE, 0, 0);
    expect("[09:00] reported to community | desk 22:30\n"
           "[09:00] accepted\n"
           "[09:00] dispatched to grid-worker*, grid-leader: duty | accept 22:30, handling 03-09 20:30, remind 03-06 "
           "06:00\n"
           "[09:00] signed by grid-worker\n"
           "[09:00] answered accept by grid-worker: repeated\n"
           "[09:00] answered done by grid-worker: counted\n"
           "[09:00] answered done by grid-worker: repeated\n"
           "[09:00] answered decline by grid-worker: late\n"
           "[09:00] answered done by grid-worker@610402006001002: not asked\n"
           "[09:00] answered done by grid-leader: late\n"
           "[09:00] answered done by grid-leader: late\n");
    for (unsigned i = story_case()->late_answers; i < LATE_ANSWERS_MAX; i++) answer("grid-worker", ANSWER_ACCEPT);
    story_hush();
    answer("grid-worker", ANSWER_ACCEPT);
    answer("verifier", ANSWER_DONE);
    offer_failed(OFFER_LATE, 0);
    told("what counts is heard all the same");
    answer("grid-leader", ANSWER_DONE);
    expect("[09:00] refused: too many late (case_id)\n"
           "[09:00] refused: too many late (case_id)\n"
           "[09:00] refused: too many late (case_id)\n"
           "[09:00] what counts is heard all the same\n"
           "[09:00] resolved by grid-leader, on time\n"
           "[09:00] closed, on time\n");
}

static void a_closed_case_refuses_all_but_notes(void **state) {
    (void)state;
    story("2026-03-02 09:00");
    report("rubbish");
    reject_case(CAUSE_DUTY);
    reject_case(CAUSE_DUPLICATE);
    answer("grid-worker", ANSWER_DONE);
    accept_case();
    reject_case(CAUSE_DUPLICATE);
    dispatch("grid-worker");
    escalate();
    offer_failed(OFFER_LATE, 0);
    fire(TIMER_DESK);
    note("it was the other one's mattress");
    note("");
    expect("[09:00] reported to community | desk 11:00\n"
           "[09:00] refused: field range (cause)\n"
           "[09:00] rejected: duplicate\n"
           "[09:00] refused: case closed\n"
           "[09:00] refused: case closed\n"
           "[09:00] refused: case closed\n"
           "[09:00] refused: case closed\n"
           "[09:00] refused: case closed\n"
           "[09:00] refused: case closed\n"
           "[09:00] refused: no such timer\n"
           "[09:00] noted\n"
           "[09:00] refused: field missing (text)\n");
    assert_int_equal(story_case()->closed_at_ms, story_case()->opened_at_ms);
}

static void words_of_a_version_to_come_are_not_yet(void **state) {
    (void)state;
    story("2026-03-02 09:00");
    later();
    report("rubbish");
    dispatch("grid-worker");
    later();
    for (PbAnswerKind kind = ANSWER_VOTE; kind <= ANSWER_PLEDGE; kind++) answer("grid-worker", kind);
    answer("grid-worker", ANSWER_NONE);
    expect("[09:00] refused: not yet\n"
           "[09:00] reported to community | desk 11:00\n"
           "[09:00] accepted\n"
           "[09:00] dispatched to grid-worker*: duty | accept 11:00, handling 03-09 09:00, remind 03-06 09:00\n"
           "[09:00] refused: not yet\n"
           "[09:00] refused: not yet (kind)\n"
           "[09:00] refused: not yet (kind)\n"
           "[09:00] refused: not yet (kind)\n"
           "[09:00] refused: field missing (kind)\n");
}

int stories_of_answers(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_departments_must_both_be_done),
        cmocka_unit_test(the_done_of_a_lower_ask_counts_by_the_tally_of_its_own_stage),
        cmocka_unit_test(a_tally_that_cannot_be_met_is_not_dispatched),
        cmocka_unit_test(who_is_named_to_handle_must_be_known_once_and_not_too_many),
        cmocka_unit_test(milestones_are_done_in_order_and_the_last_one_resolves),
        cmocka_unit_test(each_milestone_climbs_when_it_is_overdue),
        cmocka_unit_test(a_milestone_in_rework_leaves_the_limit_of_rework),
        cmocka_unit_test(one_department_declines_and_the_desk_is_asked_again_until_its_attempts_are_spent),
        cmocka_unit_test(everybody_declines_and_the_case_climbs_when_the_attempts_are_spent),
        cmocka_unit_test(what_is_declined_goes_where_the_playbook_says),
        cmocka_unit_test(the_lead_passes_on),
        cmocka_unit_test(answers_that_are_late_repeated_or_not_asked_for_are_recorded_until_there_are_too_many),
        cmocka_unit_test(a_closed_case_refuses_all_but_notes),
        cmocka_unit_test(words_of_a_version_to_come_are_not_yet),
    };
    return cmocka_run_group_tests_name("answers", tests, NULL, NULL);
}
