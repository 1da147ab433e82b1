/* 挂起: every clock stands still, and goes on with what it had left. */
#include "tests/unit/stories.h"
#include "tests/unit/story.h"

#include <setjmp.h>

#include <cmocka.h>

#define HOUR_MS 3600000LL

static void what_was_left_is_left(void **state) {
    (void)state;
    story_handling("rubbish");
    at("03-03 09:00");
    suspend("grid-leader", CAUSE_ENGINEERING, "03-20 09:00");
    tell_timers();
    resume_by("grid-worker");
    at("03-17 09:00");
    resume_by("community-desk");
    tell_timers();
    expect("[09:00] reported to community | desk 11:00\n"
           "[09:00] accepted\n"
           "[09:00] dispatched to grid-worker*: duty | accept 11:00, handling 03-09 09:00, remind 03-06 09:00\n"
           "[09:00] signed by grid-worker\n"
           "[03-03 09:00] suspended by grid-leader: engineering | review 03-20 09:00\n"
           "[03-03 09:00] timers: handling stands still, remind stands still, review 03-20 09:00\n"
           "[03-03 09:00] refused: not approver (party)\n"
           "[03-17 09:00] resumed by community-desk | handling 03-23 09:00, remind 03-20 09:00\n"
           "[03-17 09:00] timers: handling 03-23 09:00, remind 03-20 09:00\n");
}

static void it_ends_by_itself_on_its_review_date(void **state) {
    (void)state;
    story_handling("lamp");
    at("03-03 09:00");
    suspend("street-desk", CAUSE_FUNDING, "03-10 09:00");
    wait_until("03-16 09:00");
    expect("[09:00] reported to community | desk 11:00, promise 03-09 09:00\n"
           "[09:00] accepted\n"
           "[09:00] dispatched to grid-worker*: duty | accept 11:00, remind 03-06 09:00\n"
           "[09:00] signed by grid-worker\n"
           "[03-03 09:00] suspended by street-desk: funding | review 03-10 09:00\n"
           "[03-10 09:00] resumed | promise 03-16 09:00, remind 03-13 09:00\n"
           "[03-13 09:00] reminded\n"
           "[03-16 09:00] escalated from community to street/1: promise overdue | desk 03-16 11:00\n");
}

static void only_an_approver_for_a_cause_and_not_for_ever(void **state) {
    (void)state;
    story("2026-03-02 09:00");
    report("rubbish");
    dispatch("grid-worker grid-leader");
    answer("grid-worker", ANSWER_ACCEPT);
    suspend("grid-leader", CAUSE_SEASON, "04-01 09:00");
    suspend("verifier", CAUSE_SEASON, "04-01 09:00");
    suspend("street-desk", CAUSE_DUTY, "04-01 09:00");
    suspend("street-desk", CAUSE_SEASON, "05-31 09:00:00.001");
    suspend("street-desk", CAUSE_SEASON, "09:00");
    for (unsigned i = 0; i < 3; i++) {
        suspend("street-desk", CAUSE_SEASON, "04-01 09:00");
        resume_by("street-desk");
    }
    suspend("street-desk", CAUSE_SEASON, "04-01 09:00");
    expect("[09:00] reported to community | desk 11:00\n"
           "[09:00] accepted\n"
           "[09:00] dispatched to grid-worker*, grid-leader: duty | accept 11:00, handling 03-09 09:00, remind "
           "03-06 09:00\n"
           "[09:00] signed by grid-worker\n"
           "[09:00] refused: not approver (party)\n"
           "[09:00] refused: not approver (party)\n"
           "[09:00] refused: field range (cause)\n"
           "[09:00] refused: field range (review_ms)\n"
           "[09:00] refused: field range (review_ms)\n"
           "[09:00] suspended by street-desk: season | review 04-01 09:00\n"
           "[09:00] resumed by street-desk | handling 03-09 09:00, remind 03-06 09:00\n"
           "[09:00] suspended by street-desk: season | review 04-01 09:00\n"
           "[09:00] resumed by street-desk | handling 03-09 09:00, remind 03-06 09:00\n"
           "[09:00] suspended by street-desk: season | review 04-01 09:00\n"
           "[09:00] resumed by street-desk | handling 03-09 09:00, remind 03-06 09:00\n"
           "[09:00] refused: spent (case_id)\n");
}

static void what_is_done_meanwhile_is_done_and_on_time_when_it_was_then(void **state) {
    (void)state;
    story("2026-03-02 09:00");
    report_promised("rubbish", 24 * HOUR_MS);
    dispatch("grid-worker");
    answer("grid-worker", ANSWER_ACCEPT);
    at("10:00");
    suspend("street-desk", CAUSE_ABSENT, "03-20 09:00");
    at("03-10 09:00");
    answer("grid-worker", ANSWER_ACCEPT);
    answer("grid-worker", ANSWER_DECLINE);
    give_back("grid-worker", "outer-worker", "nobody is at home");
    answer("grid-worker", ANSWER_DONE);
    assert_true(story_case()->on_time);
    expect("[09:00] reported to community | desk 11:00, promise 03-03 09:00\n"
           "[09:00] accepted\n"
           "[09:00] dispatched to grid-worker*: duty | accept 11:00, remind 03-03 04:12\n"
           "[09:00] signed by grid-worker\n"
           "[10:00] suspended by street-desk: absent | review 03-20 09:00\n"
           "[03-10 09:00] refused: wrong state (kind)\n"
           "[03-10 09:00] refused: wrong state (kind)\n"
           "[03-10 09:00] refused: wrong state (kind)\n"
           "[03-10 09:00] resumed by grid-worker | promise 03-11 08:00, remind 03-11 03:12\n"
           "[03-10 09:00] resolved by grid-worker, on time; to verify: community-desk* | verify 03-12 09:00, "
           "remind 03-11 15:30\n");
}

static void a_milestone_waits_and_counts_on_from_where_it_stood(void **state) {
    (void)state;
    story("2026-03-02 09:00");
    report("gas");
    dispatch("grid-worker");
    milestone("grid-worker", "isolate");
    at("10:00");
    suspend("street-desk", CAUSE_ENGINEERING, "03-12 09:00");
    milestone("grid-worker", "repair");
    at("03-09 10:00");
    resume_by("street-desk");
    milestone("grid-worker", "repair");
    milestone("grid-worker", "restore");
    expect("[09:00] reported to community | desk 09:30\n"
           "[09:00] accepted\n"
           "[09:00] dispatched to grid-worker*: duty | accept 09:30, handling 10:00, remind 09:48\n"
           "[09:00] signed by grid-worker\n"
           "[09:00] milestone-done isolate by grid-worker | handling 03-03 09:00, remind 03-03 04:12\n"
           "[10:00] suspended by street-desk: engineering | review 03-12 09:00\n"
           "[10:00] refused: wrong state (milestone)\n"
           "[03-09 10:00] resumed by street-desk | handling 03-10 09:00, remind 03-10 04:12\n"
           "[03-09 10:00] milestone-done repair by grid-worker | handling 03-12 09:00, remind 03-11 12:00\n"
           "[03-09 10:00] resolved by grid-worker, on time; to verify: community-desk* | verify 03-11 10:00, "
           "remind 03-10 16:30\n");
}

static void a_helper_that_is_done_meanwhile_is_counted_and_the_clocks_stay(void **state) {
    (void)state;
    story("2026-03-02 09:00");
    report_in("tree", FIXTURE_DISTRICT);
    dispatch("greenery lighting");
    answer("greenery", ANSWER_ACCEPT);
    suspend("district-desk", CAUSE_LITIGATION, "04-01 09:00");
    answer("lighting", ANSWER_DONE);
    answer("greenery", ANSWER_DONE);
    expect("[09:00] reported to district | desk 03-03 09:00\n"
           "[09:00] accepted\n"
           "[09:00] dispatched to greenery*, lighting: duty | accept 03-03 09:00, handling 03-30 09:00, remind "
           "03-24 09:00\n"
           "[09:00] signed by greenery\n"
           "[09:00] suspended by district-desk: litigation | review 04-01 09:00\n"
           "[09:00] answered done by lighting: counted\n"
           "[09:00] resumed by greenery | handling 03-30 09:00, remind 03-24 09:00\n"
           "[09:00] resolved by greenery, on time; to verify: district-desk* | verify 03-04 09:00, remind 03-03 "
           "15:30\n");
}

static void supervised_while_it_is_suspended_it_is_supervised_when_it_goes_on(void **state) {
    (void)state;
    story("2026-03-02 09:00");
    report_in("tree", FIXTURE_DISTRICT);
    dispatch("greenery");
    answer("greenery", ANSWER_ACCEPT);
    wait_until("03-30 09:00");
    suspend("district-desk", CAUSE_SEASON, "04-10 09:00");
    supervise_by("district-desk");
    remind_by("district-desk");
    tell_timers();
    wait_until("04-10 09:00");
    tell_timers();
    expect("[09:00] reported to district | desk 03-03 09:00\n"
           "[09:00] accepted\n"
           "[09:00] dispatched to greenery*: duty | accept 03-03 09:00, handling 03-30 09:00, remind 03-24 09:00\n"
           "[09:00] signed by greenery\n"
           "[03-24 09:00] reminded\n"
           "[03-30 09:00] supervised time 1: handling overdue | supervise 04-06 09:00\n"
           "[03-30 09:00] suspended by district-desk: season | review 04-10 09:00\n"
           "[03-30 09:00] supervised time 2: leader by district-desk\n"
           "[03-30 09:00] reminded by district-desk\n"
           "[03-30 09:00] timers: supervise stands still, review 04-10 09:00\n"
           "[04-10 09:00] resumed | supervise 04-17 09:00\n"
           "[04-10 09:00] timers: supervise 04-17 09:00\n");
}

static void the_review_comes_late_and_takes_nothing_away(void **state) {
    (void)state;
    story_handling("rubbish");
    suspend("street-desk", CAUSE_SEASON, "03-09 09:00");
    told("the broker is down for a day");
    story_skip("03-10 09:00");
    fire(TIMER_HANDLING);
    fire(TIMER_REVIEW);
    expect("[09:00] reported to community | desk 11:00\n"
           "[09:00] accepted\n"
           "[09:00] dispatched to grid-worker*: duty | accept 11:00, handling 03-09 09:00, remind 03-06 09:00\n"
           "[09:00] signed by grid-worker\n"
           "[09:00] suspended by street-desk: season | review 03-09 09:00\n"
           "[09:00] the broker is down for a day\n"
           "[03-10 09:00] refused: no such timer\n"
           "[03-10 09:00] resumed, 86400 s late | handling 03-17 09:00, remind 03-16 09:00\n");
}

int stories_of_suspended(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_left_is_left),
        cmocka_unit_test(it_ends_by_itself_on_its_review_date),
        cmocka_unit_test(only_an_approver_for_a_cause_and_not_for_ever),
        cmocka_unit_test(what_is_done_meanwhile_is_done_and_on_time_when_it_was_then),
        cmocka_unit_test(a_milestone_waits_and_counts_on_from_where_it_stood),
        cmocka_unit_test(a_helper_that_is_done_meanwhile_is_counted_and_the_clocks_stay),
        cmocka_unit_test(supervised_while_it_is_suspended_it_is_supervised_when_it_goes_on),
        cmocka_unit_test(the_review_comes_late_and_takes_nothing_away),
    };
    return cmocka_run_group_tests_name("suspended", tests, NULL, NULL);
}
