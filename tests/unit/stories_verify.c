/* What the verifiers say of what was done, who they are, and what becomes of it when it was not good. */
#include "tests/unit/stories.h"
#include "tests/unit/story.h"

#include <setjmp.h>

#include <cmocka.h>

/* Up to the first `done`, which the community's own desk is to verify. */
static void resolved(void) {
    story_handling("rubbish");
    at("10:00");
    answer("grid-worker", ANSWER_DONE);
}

static void a_desk_that_did_it_alone_borrows_the_verifier_above(void **state) {
    (void)state;
    story("2026-03-02 09:00");
    report("rubbish");
    dispatch("community-desk");
    answer("community-desk", ANSWER_DONE);
    answer("street-desk", ANSWER_ACCEPT);
    answer("street-desk", ANSWER_ACCEPT);
    answer("street-desk", ANSWER_DONE);
    expect("[09:00] reported to community | desk 11:00\n"
           "[09:00] accepted\n"
           "[09:00] dispatched to community-desk*: duty | accept 11:00, handling 03-09 09:00, remind 03-06 09:00\n"
           "[09:00] signed by community-desk\n"
           "[09:00] resolved by community-desk, on time; to verify: street-desk* | verify 03-04 09:00, remind 03-03 "
           "15:30\n"
           "[09:00] answered accept by street-desk: counted\n"
           "[09:00] answered accept by street-desk: repeated\n"
           "[09:00] verified by street-desk\n"
           "[09:00] closed, on time\n");
}

static void nobody_verifies_what_he_has_helped_to_do(void **state) {
    (void)state;
    story("2026-03-02 09:00");
    report_in("tree", FIXTURE_COMMUNITY);
    escalate();
    escalate();
    dispatch("district-desk lighting");
    answer("district-desk", ANSWER_DONE);
    told("only the district's desk could verify, and it is among those who did it");
    answer("lighting", ANSWER_DONE);
    answer("lighting", ANSWER_DECLINE);
    dispatch("greenery lighting");
    answer("greenery", ANSWER_DONE);
    answer("lighting", ANSWER_DONE);
    expect("[09:00] reported to community | desk 03-03 09:00\n"
           "[09:00] escalated from community to street/1: asked for help | desk 03-03 09:00\n"
           "[09:00] escalated from street to district/1: asked for help | desk 03-03 09:00\n"
           "[09:00] dispatched to district-desk*, lighting: duty | accept 03-03 09:00, handling 03-30 09:00, remind "
           "03-24 09:00\n"
           "[09:00] signed by district-desk\n"
           "[09:00] answered done by district-desk: counted\n"
           "[09:00] only the district's desk could verify, and it is among those who did it\n"
           "[09:00] refused: same party (party)\n"
           "[09:00] answered decline by lighting: counted, the desk again | desk 03-03 09:00\n"
           "[09:00] dispatched to greenery*, lighting: duty | accept 03-03 09:00, handling 03-30 09:00, remind 03-24 "
           "09:00\n"
           "[09:00] signed by greenery\n"
           "[09:00] answered done by greenery: counted\n"
           "[09:00] resolved by lighting, on time; to verify: district-desk* | verify 03-04 09:00, remind 03-03 "
           "15:30\n");
}

static void rework_gives_back_what_was_left_but_at_least_half(void **state) {
    (void)state;
    resolved();
    told("4 wd and 3 wh of 5 wd are left");
    at("11:00");
    answer("community-desk", ANSWER_DECLINE);
    assert_string_equal(story_state(), "handling at community/2: grid-worker* 1/1 done, community-desk* 4/1 ended, "
                        "grid-worker* 1/2 accepted");
    at("03-09 09:50");
    told("10 minutes are left");
    answer("grid-worker", ANSWER_DONE);
    answer("community-desk", ANSWER_DECLINE);
    expect("[09:00] reported to community | desk 11:00\n"
           "[09:00] accepted\n"
           "[09:00] dispatched to grid-worker*: duty | accept 11:00, handling 03-09 09:00, remind 03-06 09:00\n"
           "[09:00] signed by grid-worker\n"
           "[10:00] resolved by grid-worker, on time; to verify: community-desk* | verify 03-04 10:00, remind 03-03 "
           "16:30\n"
           "[10:00] 4 wd and 3 wh of 5 wd are left\n"
           "[11:00] rework for grid-worker at community/2 | handling 03-09 10:00, remind 03-06 10:12\n"
           "[03-06 10:12] reminded\n"
           "[03-09 09:50] 10 minutes are left\n"
           "[03-09 09:50] resolved by grid-worker, on time; to verify: community-desk* | verify 03-11 09:50, remind "
           "03-10 16:20\n"
           "[03-09 09:50] rework for grid-worker at community/3 | handling 03-11 15:35, remind 03-11 09:50\n");
    assert_int_equal(story_case()->reworks, 2);
}

static void rework_is_bounded_and_then_climbs(void **state) {
    (void)state;
    resolved();
    answer("community-desk", ANSWER_DECLINE);
    answer("grid-worker", ANSWER_DONE);
    answer("community-desk", ANSWER_DECLINE);
    answer("grid-worker", ANSWER_DONE);
    answer("community-desk", ANSWER_DECLINE);
    answer("grid-worker", ANSWER_DONE);
    dispatch("outer-worker");
    answer("outer-worker", ANSWER_DONE);
    answer("street-desk", ANSWER_DECLINE);
    dispatch("greenery");
    answer("greenery", ANSWER_DONE);
    told("the last rung has nobody above: the work comes back as often as it is not good");
    answer("district-desk", ANSWER_DECLINE);
    answer("greenery", ANSWER_DONE);
    answer("district-desk", ANSWER_DECLINE);
    expect("[09:00] reported to community | desk 11:00\n"
           "[09:00] accepted\n"
           "[09:00] dispatched to grid-worker*: duty | accept 11:00, handling 03-09 09:00, remind 03-06 09:00\n"
           "[09:00] signed by grid-worker\n"
           "[10:00] resolved by grid-worker, on time; to verify: community-desk* | verify 03-04 10:00, remind 03-03 "
           "16:30\n"
           "[10:00] rework for grid-worker at community/2 | handling 03-09 09:00, remind 03-06 09:12\n"
           "[10:00] resolved by grid-worker, on time; to verify: community-desk* | verify 03-04 10:00, remind 03-03 "
           "16:30\n"
           "[10:00] rework for grid-worker at community/3 | handling 03-09 09:00, remind 03-06 09:12\n"
           "[10:00] resolved by grid-worker, on time; to verify: community-desk* | verify 03-04 10:00, remind 03-03 "
           "16:30\n"
           "[10:00] answered decline by community-desk: counted\n"
           "[10:00] escalated from community to street/1: attempts spent | desk 12:00\n"
           "[10:00] answered done by grid-worker: repeated\n"
           "[10:00] dispatched to outer-worker*: duty | accept 12:00, handling 03-16 10:00, remind 03-12 10:00\n"
           "[10:00] signed by outer-worker\n"
           "[10:00] resolved by outer-worker, on time; to verify: street-desk* | verify 03-04 10:00, remind 03-03 "
           "16:30\n"
           "[10:00] answered decline by street-desk: counted\n"
           "[10:00] escalated from street to district/1: attempts spent | desk 12:00\n"
           "[10:00] dispatched to greenery*: duty | accept 12:00, handling 03-30 10:00, remind 03-24 10:00\n"
           "[10:00] signed by greenery\n"
           "[10:00] resolved by greenery, on time; to verify: district-desk* | verify 03-04 10:00, remind 03-03 16:30\n"
           "[10:00] the last rung has nobody above: the work comes back as often as it is not good\n"
           "[10:00] rework for greenery at district/2 | handling 03-30 10:00, remind 03-24 10:00\n"
           "[10:00] resolved by greenery, on time; to verify: district-desk* | verify 03-04 10:00, remind 03-03 16:30\n"
           "[10:00] rework for greenery at district/3 | handling 03-30 10:00, remind 03-24 10:00\n");
}

static void a_silent_verifier_is_joined_by_the_desks_above_and_then_supervised(void **state) {
    (void)state;
    resolved();
    wait_until("03-18 10:00");
    assert_string_equal(story_state(), "resolved at verify/3: grid-worker* 1/1 done, community-desk* 4/1 open, "
                        "street-desk* 4/2 open, district-desk* 4/3 open");
    told("the first one is late, and still counts");
    answer("community-desk", ANSWER_DONE);
    expect("[09:00] reported to community | desk 11:00\n"
           "[09:00] accepted\n"
           "[09:00] dispatched to grid-worker*: duty | accept 11:00, handling 03-09 09:00, remind 03-06 09:00\n"
           "[09:00] signed by grid-worker\n"
           "[10:00] resolved by grid-worker, on time; to verify: community-desk* | verify 03-04 10:00, remind 03-03 "
           "16:30\n"
           "[03-03 16:30] reminded\n"
           "[03-04 10:00] escalated from community to street-desk*: verify overdue | verify 03-06 10:00, remind 03-05 "
           "16:30\n"
           "[03-05 16:30] reminded\n"
           "[03-06 10:00] escalated from street to district-desk*: verify overdue | verify 03-10 10:00, remind 03-09 "
           "16:30\n"
           "[03-09 16:30] reminded\n"
           "[03-10 10:00] supervised time 1: verify overdue | supervise 03-17 10:00\n"
           "[03-17 10:00] supervised time 2: last rung | supervise 03-31 10:00\n"
           "[03-18 10:00] the first one is late, and still counts\n"
           "[03-18 10:00] verified by community-desk\n"
           "[03-18 10:00] closed, on time\n");
}

static void a_handler_among_the_desks_above_is_passed_over(void **state) {
    (void)state;
    story("2026-03-02 09:00");
    report("rubbish");
    dispatch("street-desk");
    answer("street-desk", ANSWER_DONE);
    wait_until("03-04 09:00");
    expect("[09:00] reported to community | desk 11:00\n"
           "[09:00] accepted\n"
           "[09:00] dispatched to street-desk*: duty | accept 11:00, handling 03-09 09:00, remind 03-06 09:00\n"
           "[09:00] signed by street-desk\n"
           "[09:00] resolved by street-desk, on time; to verify: community-desk* | verify 03-04 09:00, remind 03-03 "
           "15:30\n"
           "[03-03 15:30] reminded\n"
           "[03-04 09:00] escalated from community to district-desk*: verify overdue | verify 03-06 09:00, remind "
           "03-05 15:30\n");
    assert_int_equal(story_case()->level, LEVEL_DISTRICT);
}

static void after_a_silent_verifier_the_work_is_sent_back_and_verified_again(void **state) {
    (void)state;
    resolved();
    wait_until("03-04 10:00");
    answer("street-desk", ANSWER_DECLINE);
    answer("grid-worker", ANSWER_DONE);
    answer("street-desk", ANSWER_DONE);
    answer("community-desk", ANSWER_DONE);
    expect("[09:00] reported to community | desk 11:00\n"
           "[09:00] accepted\n"
           "[09:00] dispatched to grid-worker*: duty | accept 11:00, handling 03-09 09:00, remind 03-06 09:00\n"
           "[09:00] signed by grid-worker\n"
           "[10:00] resolved by grid-worker, on time; to verify: community-desk* | verify 03-04 10:00, remind 03-03 "
           "16:30\n"
           "[03-03 16:30] reminded\n"
           "[03-04 10:00] escalated from community to street-desk*: verify overdue | verify 03-06 10:00, remind 03-05 "
           "16:30\n"
           "[03-04 10:00] rework for grid-worker at community/2 | handling 03-11 09:00, remind 03-10 09:12\n"
           "[03-04 10:00] resolved by grid-worker, on time; to verify: community-desk* | verify 03-06 10:00, remind "
           "03-05 16:30\n"
           "[03-04 10:00] answered done by street-desk: late\n"
           "[03-04 10:00] verified by community-desk\n"
           "[03-04 10:00] closed, on time\n");
}

static void of_two_in_the_same_millisecond_the_one_that_met_the_tally_does_it_again(void **state) {
    (void)state;
    story("2026-03-02 09:00");
    report_in("tree", FIXTURE_DISTRICT);
    dispatch("greenery lighting");
    answer("lighting", ANSWER_DONE);
    answer("greenery", ANSWER_DONE);
    answer("district-desk", ANSWER_DECLINE);
    expect("[09:00] reported to district | desk 03-03 09:00\n"
           "[09:00] accepted\n"
           "[09:00] dispatched to greenery*, lighting: duty | accept 03-03 09:00, handling 03-30 09:00, remind 03-24 "
           "09:00\n"
           "[09:00] signed by lighting\n"
           "[09:00] answered done by lighting: counted\n"
           "[09:00] resolved by greenery, on time; to verify: district-desk* | verify 03-04 09:00, remind 03-03 15:30\n"
           "[09:00] rework for greenery at district/2 | handling 03-30 09:00, remind 03-24 09:00\n");
}

static void sixteen_are_asked_and_the_first_one_does_it_again(void **state) {
    (void)state;
    story("2026-03-02 09:00");
    report_in("tree", FIXTURE_DISTRICT);
    dispatch("grid-worker@610402006001001 grid-worker@610402006001002 grid-worker@610402006002001 "
             "grid-worker@610402006002002 grid-leader@610402006001 grid-leader@610402006002 "
             "community-desk@610402006001 community-desk@610402006002 outer-worker@610402006 verifier@610402006 "
             "street-desk@610402006 greenery lighting urban-management");
    answer("greenery", ANSWER_DECLINE);
    dispatch("grid-worker@610402006001001 grid-worker@610402006001002");
    answer("grid-worker@610402006001002", ANSWER_DONE);
    at("10:00");
    answer("grid-worker@610402006001001", ANSWER_DONE);
    for (unsigned i = 0; i < 9; i++) {
        answer("district-desk", ANSWER_DECLINE);
        answer("grid-worker@610402006001001", ANSWER_DONE);
    }
    assert_int_equal(story_case()->reworks, 9);
    assert_int_equal(story_case()->state, STATE_RESOLVED);
}

static void no_attempt_of_a_stage_is_used_twice_though_its_asks_are_forgotten(void **state) {
    (void)state;
    story("2026-03-02 09:00");
    report_in("tree", FIXTURE_COMMUNITY);
    dispatch("grid-worker@610402006001001 grid-worker@610402006001002 grid-worker@610402006002001 "
             "grid-worker@610402006002002 grid-leader@610402006001 grid-leader@610402006002 "
             "community-desk@610402006002 greenery lighting urban-management verifier");
    escalate();
    dispatch("outer-worker verifier greenery");
    escalate();
    for (unsigned i = 0; i < 2; i++) {
        dispatch("greenery lighting");
        answer("lighting", ANSWER_DECLINE);
    }
    at("10:00");
    answer("grid-leader", ANSWER_DONE);
    wait_until("03-04 10:00");
    answer("community-desk", ANSWER_DECLINE);
    assert_int_equal(story_case()->stage, 3);
    assert_int_equal(story_case()->attempt, 4);
    expect("[09:00] reported to community | desk 03-03 09:00\n"
           "[09:00] accepted\n"
           "[09:00] dispatched to grid-worker@610402006001001*, grid-worker@610402006001002, "
           "grid-worker@610402006002001, grid-worker@610402006002002, grid-leader, grid-leader@610402006002, "
           "community-desk@610402006002, greenery, lighting, urban-management, verifier: duty | accept 03-03 09:00, "
           "handling 03-09 09:00, remind 03-06 09:00\n"
           "[09:00] escalated from community to street/1: asked for help | desk 03-03 09:00\n"
           "[09:00] dispatched to outer-worker*, verifier, greenery: duty | accept 03-03 09:00, handling 03-16 09:00, "
           "remind 03-12 09:00\n"
           "[09:00] escalated from street to district/1: asked for help | desk 03-03 09:00\n"
           "[09:00] dispatched to greenery*, lighting: duty | accept 03-03 09:00, handling 03-30 09:00, remind 03-24 "
           "09:00\n"
           "[09:00] answered decline by lighting: counted, the desk again | desk 03-03 09:00\n"
           "[09:00] dispatched to greenery*, lighting: duty | accept 03-03 09:00, handling 03-30 09:00, remind 03-24 "
           "09:00\n"
           "[09:00] answered decline by lighting: counted, the desk again | desk 03-03 09:00\n"
           "[09:00] supervised time 1: impossible | supervise 03-09 09:00\n"
           "[10:00] resolved by grid-leader, on time; to verify: community-desk* | verify 03-04 10:00, remind 03-03 "
           "16:30\n"
           "[03-03 16:30] reminded\n"
           "[03-04 10:00] escalated from community to street-desk*: verify overdue | verify 03-06 10:00, remind 03-05 "
           "16:30\n"
           "[03-04 10:00] rework for grid-leader at district/4 | handling 04-01 09:00, remind 03-26 09:12\n");
}

static void once_it_has_climbed_nobody_below_verifies_what_was_not_good(void **state) {
    (void)state;
    resolved();
    for (unsigned i = 0; i < 2; i++) {
        answer("community-desk", ANSWER_DECLINE);
        answer("grid-worker", ANSWER_DONE);
    }
    wait_until("03-04 10:00");
    answer("street-desk", ANSWER_DECLINE);
    answer("community-desk", ANSWER_DONE);
    expect("[09:00] reported to community | desk 11:00\n"
           "[09:00] accepted\n"
           "[09:00] dispatched to grid-worker*: duty | accept 11:00, handling 03-09 09:00, remind 03-06 09:00\n"
           "[09:00] signed by grid-worker\n"
           "[10:00] resolved by grid-worker, on time; to verify: community-desk* | verify 03-04 10:00, remind 03-03 "
           "16:30\n"
           "[10:00] rework for grid-worker at community/2 | handling 03-09 09:00, remind 03-06 09:12\n"
           "[10:00] resolved by grid-worker, on time; to verify: community-desk* | verify 03-04 10:00, remind 03-03 "
           "16:30\n"
           "[10:00] rework for grid-worker at community/3 | handling 03-09 09:00, remind 03-06 09:12\n"
           "[10:00] resolved by grid-worker, on time; to verify: community-desk* | verify 03-04 10:00, remind 03-03 "
           "16:30\n"
           "[03-03 16:30] reminded\n"
           "[03-04 10:00] escalated from community to street-desk*: verify overdue | verify 03-06 10:00, remind 03-05 "
           "16:30\n"
           "[03-04 10:00] answered decline by street-desk: counted\n"
           "[03-04 10:00] escalated from community to street/1: attempts spent | desk 03-04 12:00\n"
           "[03-04 10:00] answered done by community-desk: late\n");
}

static void who_was_asked_to_verify_already_is_passed_over(void **state) {
    (void)state;
    story("2026-03-02 09:00");
    report("rubbish");
    dispatch("community-desk");
    answer("community-desk", ANSWER_DONE);
    wait_until("03-06 09:00");
    expect("[09:00] reported to community | desk 11:00\n"
           "[09:00] accepted\n"
           "[09:00] dispatched to community-desk*: duty | accept 11:00, handling 03-09 09:00, remind 03-06 09:00\n"
           "[09:00] signed by community-desk\n"
           "[09:00] resolved by community-desk, on time; to verify: street-desk* | verify 03-04 09:00, remind 03-03 "
           "15:30\n"
           "[03-03 15:30] reminded\n"
           "[03-04 09:00] escalated from street to district-desk*: verify overdue | verify 03-06 09:00, remind 03-05 "
           "15:30\n"
           "[03-05 15:30] reminded\n"
           "[03-06 09:00] supervised time 1: verify overdue | supervise 03-13 09:00\n");
    assert_int_equal(story_case()->level, LEVEL_DISTRICT);
}

int stories_of_verify(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_desk_that_did_it_alone_borrows_the_verifier_above),
        cmocka_unit_test(nobody_verifies_what_he_has_helped_to_do),
        cmocka_unit_test(rework_gives_back_what_was_left_but_at_least_half),
        cmocka_unit_test(rework_is_bounded_and_then_climbs),
        cmocka_unit_test(a_silent_verifier_is_joined_by_the_desks_above_and_then_supervised),
        cmocka_unit_test(a_handler_among_the_desks_above_is_passed_over),
        cmocka_unit_test(after_a_silent_verifier_the_work_is_sent_back_and_verified_again),
        cmocka_unit_test(of_two_in_the_same_millisecond_the_one_that_met_the_tally_does_it_again),
        cmocka_unit_test(no_attempt_of_a_stage_is_used_twice_though_its_asks_are_forgotten),
        cmocka_unit_test(once_it_has_climbed_nobody_below_verifies_what_was_not_good),
        cmocka_unit_test(who_was_asked_to_verify_already_is_passed_over),
        cmocka_unit_test(sixteen_are_asked_and_the_first_one_does_it_again),
    };
    return cmocka_run_group_tests_name("verify", tests, NULL, NULL);
}
