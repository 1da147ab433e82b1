/* Off the main way: merged, withdrawn, appealed, sent down, transferred, voided, archived. */
#include "tests/unit/stories.h"
#include "tests/unit/story.h"

#include <setjmp.h>

#include <cmocka.h>

#define HOUR_MS 3600000LL

/* A case that was merged into the one aside. */
static void merged(void) {
    story("2026-03-02 09:00");
    other_case();
    report("rubbish");
    other_case();
    report("rubbish");
    merge_into(101);
}

static void a_case_is_merged_into_an_open_one_and_split_off_again(void **state) {
    (void)state;
    story("2026-03-02 09:00");
    other_case();
    report("rubbish");
    other_case();
    report_promised("rubbish", 3 * HOUR_MS);
    merge_into(1);
    merge_into(7);
    merge_into(101);
    assert_true(case_ended(story_case()));
    split();
    at("10:00");
    merge_into(101);
    at("14:00");
    split();
    expect("[09:00] reported to community | desk 11:00\n"
           "[09:00] reported to community | desk 11:00, promise 12:00\n"
           "[09:00] refused: field range (master)\n"
           "[09:00] refused: no such case (master)\n"
           "[09:00] merged into case 101\n"
           "[09:00] split to attempt 2 | desk 11:00, promise 12:00\n"
           "[10:00] merged into case 101\n"
           "[14:00] split to attempt 3 | desk 16:00, promise 12:00\n");
}

static void a_promise_that_was_over_before_is_not_over_twice(void **state) {
    (void)state;
    story("2026-03-02 09:00");
    other_case();
    report("rubbish");
    other_case();
    report_promised("rubbish", HOUR_MS);
    wait_until("10:30");
    merge_into(101);
    at("11:00");
    split();
    expect("[09:00] reported to community | desk 11:00\n"
           "[09:00] reported to community | desk 11:00, promise 10:00\n"
           "[10:00] escalated from community to street/1: promise overdue | desk 12:00\n"
           "[10:30] merged into case 101\n"
           "[11:00] split to attempt 2 | desk 15:00\n");
}

static void nobody_is_merged_into_what_has_ended_nor_split_from_it(void **state) {
    (void)state;
    merged();
    other_case();
    reject_case(CAUSE_NOT_A_FACT);
    other_case();
    split();
    story_again();
    report("road");
    merge_into(101);
    expect("[09:00] reported to community | desk 11:00\n"
           "[09:00] reported to community | desk 11:00\n"
           "[09:00] merged into case 101\n"
           "[09:00] rejected: not a fact\n"
           "[09:00] refused: master ended (case_id)\n"
           "[09:00] reported to community | desk 11:00\n"
           "[09:00] refused: master ended (master)\n");
}

static void the_reporter_withdraws_before_anybody_has_begun_but_never_a_danger(void **state) {
    (void)state;
    story("2026-03-02 09:00");
    report_with(&(PbReport){ .reporter = (char *)"grid-worker@610402006001001" });
    withdraw("grid-leader");
    story_followers(true);
    withdraw("grid-worker");
    story_followers(false);
    withdraw("grid-worker");
    withdraw("grid-worker");
    story_again();
    report("gas");
    withdraw(NULL);
    story_again();
    report("rubbish");
    accept_case();
    withdraw(NULL);
    expect("[09:00] reported to community | desk 11:00\n"
           "[09:00] refused: not the reporter (party)\n"
           "[09:00] refused: has followers (case_id)\n"
           "[09:00] withdrawn\n"
           "[09:00] refused: case closed\n"
           "[09:00] reported to community | desk 09:30\n"
           "[09:00] refused: danger (case_id)\n"
           "[09:00] reported to community | desk 11:00\n"
           "[09:00] accepted\n"
           "[09:00] refused: wrong state\n");
}

static void against_a_rejection_one_appeals_once_to_the_next_level(void **state) {
    (void)state;
    story("2026-03-02 09:00");
    report_with(&(PbReport){ .reporter = (char *)"grid-worker@610402006001001", .has_promise_ms = 1,
            .promise_ms = 30 * HOUR_MS });
    reject_case(CAUSE_OUT_OF_SCOPE);
    at("10:00");
    appeal("grid-leader");
    appeal("grid-worker");
    reject_case(CAUSE_OUT_OF_SCOPE);
    appeal("grid-worker");
    expect("[09:00] reported to community | desk 11:00, promise 03-03 15:00\n"
           "[09:00] rejected: out of scope\n"
           "[10:00] refused: not the reporter (party)\n"
           "[10:00] appealed from community to street/1 | desk 12:00, promise 03-03 15:00\n"
           "[10:00] rejected: out of scope\n"
           "[10:00] refused: spent (case_id)\n");
}

static void an_appeal_has_its_days_and_needs_somebody_above(void **state) {
    (void)state;
    story("2026-03-02 09:00");
    report("rubbish");
    reject_case(CAUSE_DUPLICATE);
    at("03-17 09:00:00.001");
    appeal(NULL);
    story_again();
    report_in("tree", FIXTURE_DISTRICT);
    reject_case(CAUSE_DUPLICATE);
    appeal(NULL);
    expect("[09:00] reported to community | desk 11:00\n"
           "[09:00] rejected: duplicate\n"
           "[03-17 09:00:00.001] refused: too late (case_id)\n"
           "[03-17 09:00:00.001] reported to district | desk 03-18 09:00:00.001\n"
           "[03-17 09:00:00.001] rejected: duplicate\n"
           "[03-17 09:00:00.001] refused: no higher level (case_id)\n");
}

static void a_case_goes_down_to_the_level_whose_matter_it_is_with_the_place_made_clear(void **state) {
    (void)state;
    story("2026-03-02 09:00");
    PbPlace street = { .has_division = 1, .division = FIXTURE_STREET, .has_wall = 1, .wall = WALL_INSIDE };
    report_with(&(PbReport){ .place = &street });
    delegate(LEVEL_COMMUNITY);
    delegate(LEVEL_DISTRICT);
    delegate(LEVEL_GRID);
    delegate_for(LEVEL_COMMUNITY, 610402007001, 2, 1);
    delegate_for(LEVEL_COMMUNITY, FIXTURE_COMMUNITY, 2, 2);
    delegate_for(LEVEL_COMMUNITY, FIXTURE_COMMUNITY, 2, 1);
    dispatch("grid-leader");
    answer("grid-leader", ANSWER_ACCEPT);
    escalate();
    delegate(LEVEL_COMMUNITY);
    tell_timers();
    answer("grid-leader", ANSWER_DONE);
    expect("[09:00] reported to street | desk 11:00\n"
           "[09:00] refused: bad division (division)\n"
           "[09:00] refused: field range (to_level)\n"
           "[09:00] refused: field range (to_level)\n"
           "[09:00] refused: bad division (division)\n"
           "[09:00] refused: wrong stage (attempt)\n"
           "[09:00] delegated from street to community/1 in 610402006001 | desk 11:00\n"
           "[09:00] dispatched to grid-leader*: duty | accept 11:00, handling 03-09 09:00, remind 03-06 09:00\n"
           "[09:00] signed by grid-leader\n"
           "[09:00] escalated from community to street/2: asked for help | desk 11:00\n"
           "[09:00] delegated from street to community/2 | desk 11:00\n"
           "[09:00] timers: desk 11:00\n"
           "[09:00] resolved by grid-leader, on time; to verify: community-desk* | verify 03-04 09:00, remind "
           "03-03 15:30\n");
}

static void what_is_a_matter_for_the_street_does_not_go_further_down(void **state) {
    (void)state;
    story("2026-03-02 09:00");
    report("road");
    escalate();
    escalate_to(LEVEL_STREET);
    delegate(LEVEL_COMMUNITY);
    escalate_to(LEVEL_DISTRICT);
    delegate(LEVEL_COMMUNITY);
    delegate(LEVEL_STREET);
    expect("[09:00] reported to community | desk 11:00\n"
           "[09:00] escalated from community to street/1: asked for help | desk 11:00\n"
           "[09:00] refused: no higher level (to_level)\n"
           "[09:00] refused: not admitted (to_level)\n"
           "[09:00] escalated from street to district/1: asked for help | desk 11:00\n"
           "[09:00] refused: not admitted (to_level)\n"
           "[09:00] delegated from district to street/2 | desk 11:00\n");
}

static void sent_up_and_down_without_asking_anybody_no_attempt_is_used_twice_and_not_for_ever(void **state) {
    (void)state;
    merged();
    split();
    for (unsigned i = 0; i < 3; i++) {
        escalate();
        delegate(LEVEL_COMMUNITY);
    }
    escalate();
    delegate(LEVEL_COMMUNITY);
    expect("[09:00] reported to community | desk 11:00\n"
           "[09:00] reported to community | desk 11:00\n"
           "[09:00] merged into case 101\n"
           "[09:00] split to attempt 2 | desk 11:00\n"
           "[09:00] escalated from community to street/1: asked for help | desk 11:00\n"
           "[09:00] delegated from street to community/3 | desk 11:00\n"
           "[09:00] escalated from community to street/2: asked for help | desk 11:00\n"
           "[09:00] delegated from street to community/4 | desk 11:00\n"
           "[09:00] escalated from community to street/3: asked for help | desk 11:00\n"
           "[09:00] delegated from street to community/5 | desk 11:00\n"
           "[09:00] escalated from community to street/4: asked for help | desk 11:00\n"
           "[09:00] refused: spent (case_id)\n");
}

static void sent_down_while_somebody_works_on_it_it_may_still_be_done_there(void **state) {
    (void)state;
    story("2026-03-02 09:00");
    report("rubbish");
    escalate();
    dispatch("outer-worker");
    answer("outer-worker", ANSWER_ACCEPT);
    at("10:00");
    delegate(LEVEL_COMMUNITY);
    dispatch("grid-worker");
    assert_string_equal(story_state(), "dispatched at community/2: outer-worker* 2/1 accepted, grid-worker* 1/2 open");
    answer("outer-worker", ANSWER_DONE);
    expect("[09:00] reported to community | desk 11:00\n"
           "[09:00] escalated from community to street/1: asked for help | desk 11:00\n"
           "[09:00] dispatched to outer-worker*: duty | accept 11:00, handling 03-16 09:00, remind 03-12 09:00\n"
           "[09:00] signed by outer-worker\n"
           "[10:00] delegated from street to community/2 | desk 12:00\n"
           "[10:00] dispatched to grid-worker*: duty | accept 12:00, handling 03-09 10:00, remind 03-06 10:00\n"
           "[10:00] resolved by outer-worker, on time; to verify: street-desk* | verify 03-04 10:00, remind 03-03 "
           "16:30\n");
}

static void a_case_that_went_elsewhere_is_open_until_somebody_there_has_said_so(void **state) {
    (void)state;
    story("2026-03-02 09:00");
    report("gas");
    dispatch("grid-worker");
    transfer(AUTHORITY_NONE);
    transfer((PbAuthority)(AUTHORITY_OTHER + 1));
    story_followers(true);
    transfer(AUTHORITY_FIRE);
    story_followers(false);
    transfer(AUTHORITY_FIRE);
    answer("grid-worker", ANSWER_DONE);
    assert_true(case_open(story_case()));
    wait_until("03-03 10:00");
    acknowledge_transfer(NULL);
    acknowledge_transfer("no blanks please");
    acknowledge_transfer("119-2026-7");
    assert_true(case_ended(story_case()));
    acknowledge_transfer("119-2026-8");
    expect("[09:00] reported to community | desk 09:30\n"
           "[09:00] accepted\n"
           "[09:00] dispatched to grid-worker*: duty | accept 09:30, handling 10:00, remind 09:48\n"
           "[09:00] refused: field range (authority)\n"
           "[09:00] refused: field range (authority)\n"
           "[09:00] refused: has followers (case_id)\n"
           "[09:00] transferred to fire | transfer 03-03 09:00\n"
           "[09:00] refused: case closed\n"
           "[03-03 09:00] supervised time 1: not acknowledged | supervise 03-10 09:00\n"
           "[03-03 10:00] refused: field missing (external_id)\n"
           "[03-03 10:00] refused: bad text (external_id)\n"
           "[03-03 10:00] transfer-acknowledged as 119-2026-7\n"
           "[03-03 10:00] refused: case closed (case_id)\n");
}

static void two_persons_within_a_week_void_a_case(void **state) {
    (void)state;
    story("2026-03-02 09:00");
    report("rubbish");
    dispatch("grid-worker");
    void_case();
    story_by("0017");
    story_followers(true);
    void_case();
    story_followers(false);
    void_case();
    void_case();
    story_by("0018");
    story_followers(true);
    void_case();
    story_followers(false);
    at("03-09 09:00:00.001");
    told("the first word has lapsed");
    void_case();
    void_case();
    story_by("0017");
    void_case();
    void_case();
    expect("[09:00] reported to community | desk 11:00\n"
           "[09:00] accepted\n"
           "[09:00] dispatched to grid-worker*: duty | accept 11:00, handling 03-09 09:00, remind 03-06 09:00\n"
           "[09:00] refused: field missing (by)\n"
           "[09:00] refused: has followers (case_id)\n"
           "[09:00] void-asked by 0017\n"
           "[09:00] refused: same person (by)\n"
           "[09:00] refused: has followers (case_id)\n"
           "[11:00] escalated from community to street/1: accept overdue | desk 15:00\n"
           "[15:00] escalated from street to district/1: desk silent | desk 17:00\n"
           "[17:00] supervised time 1: desk silent | supervise 03-09 17:00\n"
           "[03-09 09:00:00.001] the first word has lapsed\n"
           "[03-09 09:00:00.001] void-asked by 0018\n"
           "[03-09 09:00:00.001] refused: same person (by)\n"
           "[03-09 09:00:00.001] voided by 0017\n"
           "[03-09 09:00:00.001] refused: case closed\n");
}

static void what_has_ended_may_be_voided_too(void **state) {
    (void)state;
    merged();
    story_by("0017");
    void_case();
    story_by("0018");
    void_case();
    split();
    expect("[09:00] reported to community | desk 11:00\n"
           "[09:00] reported to community | desk 11:00\n"
           "[09:00] merged into case 101\n"
           "[09:00] void-asked by 0017\n"
           "[09:00] voided by 0018\n"
           "[09:00] refused: wrong state\n");
}

static void a_batch_closes_and_voids_what_two_persons_have_confirmed(void **state) {
    (void)state;
    story("2026-03-02 09:00");
    story_by("0017");
    report("rubbish");
    close_case_of_batch();
    story_batch(ASKED_BATCH);
    close_case_of_batch();
    void_case();
    reassign("grid-leader");
    story_batch(CONFIRMED_BATCH);
    dispatch("grid-worker");
    close_case_of_batch();
    story_again();
    report("rubbish");
    void_case();
    expect("[09:00] reported to community | desk 11:00\n"
           "[09:00] refused: batch not confirmed (batch)\n"
           "[09:00] refused: batch not confirmed (batch)\n"
           "[09:00] refused: batch not confirmed (batch)\n"
           "[09:00] refused: wrong state\n"
           "[09:00] accepted\n"
           "[09:00] dispatched to grid-worker*: duty | accept 11:00, handling 03-09 09:00, remind 03-06 09:00\n"
           "[09:00] closed, late: batch\n"
           "[09:00] reported to community | desk 11:00\n"
           "[09:00] voided by 0017 in a batch\n");
}

static void retention_archives_what_ended_before_and_nothing_wakes_it(void **state) {
    (void)state;
    story("2026-03-02 09:00");
    report("rubbish");
    reject_case(CAUSE_NOT_A_FACT);
    archive("09:00");
    at("03-03 09:00");
    archive("03-04 09:00");
    archive("03-03 09:00");
    story_by("0017");
    void_case();
    appeal(NULL);
    note("kept");
    story_again();
    report("rubbish");
    transfer(AUTHORITY_COURT);
    wait_until("03-09 09:00");
    archive("03-08 09:00");
    expect("[09:00] reported to community | desk 11:00\n"
           "[09:00] rejected: not a fact\n"
           "[09:00] refused: too early\n"
           "[03-03 09:00] refused: too early\n"
           "[03-03 09:00] archived\n"
           "[03-03 09:00] refused: case closed\n"
           "[03-03 09:00] refused: wrong state\n"
           "[03-03 09:00] noted\n"
           "[03-03 09:00] reported to community | desk 03-03 11:00\n"
           "[03-03 09:00] transferred to court | transfer 03-04 09:00\n"
           "[03-04 09:00] supervised time 1: not acknowledged | supervise 03-11 09:00\n"
           "[03-09 09:00] refused: too early\n");
}

int stories_of_ways(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_case_is_merged_into_an_open_one_and_split_off_again),
        cmocka_unit_test(a_promise_that_was_over_before_is_not_over_twice),
        cmocka_unit_test(nobody_is_merged_into_what_has_ended_nor_split_from_it),
        cmocka_unit_test(the_reporter_withdraws_before_anybody_has_begun_but_never_a_danger),
        cmocka_unit_test(against_a_rejection_one_appeals_once_to_the_next_level),
        cmocka_unit_test(an_appeal_has_its_days_and_needs_somebody_above),
        cmocka_unit_test(a_case_goes_down_to_the_level_whose_matter_it_is_with_the_place_made_clear),
        cmocka_unit_test(what_is_a_matter_for_the_street_does_not_go_further_down),
        cmocka_unit_test(sent_up_and_down_without_asking_anybody_no_attempt_is_used_twice_and_not_for_ever),
        cmocka_unit_test(sent_down_while_somebody_works_on_it_it_may_still_be_done_there),
        cmocka_unit_test(a_case_that_went_elsewhere_is_open_until_somebody_there_has_said_so),
        cmocka_unit_test(two_persons_within_a_week_void_a_case),
        cmocka_unit_test(what_has_ended_may_be_voided_too),
        cmocka_unit_test(a_batch_closes_and_voids_what_two_persons_have_confirmed),
        cmocka_unit_test(retention_archives_what_ended_before_and_nothing_wakes_it),
    };
    return cmocka_run_group_tests_name("ways", tests, NULL, NULL);
}
