/* More time, a reminder, a word from above: who handles a case approves nothing of it. */
#include "tests/unit/stories.h"
#include "tests/unit/story.h"

#include <setjmp.h>

#include <cmocka.h>

#define LIMIT(of, n) &(PbLimit){ .has_unit = 1, .unit = UNIT_##of, .has_amount = 1, .amount = (n) }

static void more_time_is_asked_for_before_due_and_granted_by_a_leader_who_does_not_handle_it(void **state) {
    (void)state;
    story("2026-03-02 09:00");
    report("paint");
    dispatch("grid-worker grid-leader");
    ask_extension("grid-worker", NULL);
    answer("grid-worker", ANSWER_ACCEPT);
    ask_extension("outer-worker", NULL);
    ask_extension("grid-worker", NULL);
    ask_extension("grid-worker", NULL);
    decide_on_extension("grid-leader", true);
    decide_on_extension("grid-worker@610402006002001", true);
    decide_on_extension("community-desk", true);
    assert_int_equal(story_case()->more.extensions, 1);
    decide_on_extension("community-desk", true);
    decide_on_extension("street-desk", true);
    decide_on_extension("street-desk", false);
    expect("[09:00] reported to community | desk 11:00\n"
           "[09:00] accepted\n"
           "[09:00] dispatched to grid-worker*, grid-leader: duty | accept 11:00, handling 03-09 09:00, remind "
           "03-06 09:00\n"
           "[09:00] refused: wrong state\n"
           "[09:00] signed by grid-worker\n"
           "[09:00] refused: not asked (party)\n"
           "[09:00] extension-asked by grid-worker: 2 work days\n"
           "[09:00] refused: pending (case_id)\n"
           "[09:00] refused: not approver (party)\n"
           "[09:00] refused: not approver (party)\n"
           "[09:00] extension-granted by community-desk | handling 03-11 09:00, remind 03-09 15:30\n"
           "[09:00] refused: not approver (party)\n"
           "[09:00] refused: nothing pending (case_id)\n"
           "[09:00] refused: nothing pending (case_id)\n");
}

static void the_second_time_one_level_up_and_then_never_again(void **state) {
    (void)state;
    story_handling("paint");
    ask_extension("grid-worker", NULL);
    decide_on_extension("grid-leader", true);
    ask_extension("grid-worker", NULL);
    decide_on_extension("community-desk", true);
    decide_on_extension("community-desk", false);
    decide_on_extension("street-desk", true);
    ask_extension("grid-worker", NULL);
    wait_until("03-13 09:00");
    expect("[09:00] reported to community | desk 11:00\n"
           "[09:00] accepted\n"
           "[09:00] dispatched to grid-worker*: duty | accept 11:00, handling 03-09 09:00, remind 03-06 09:00\n"
           "[09:00] signed by grid-worker\n"
           "[09:00] extension-asked by grid-worker: 2 work days\n"
           "[09:00] extension-granted by grid-leader | handling 03-11 09:00, remind 03-09 15:30\n"
           "[09:00] extension-asked by grid-worker: 2 work days\n"
           "[09:00] refused: not approver (party)\n"
           "[09:00] refused: not approver (party)\n"
           "[09:00] extension-granted by street-desk | handling 03-13 09:00, remind 03-11 10:30\n"
           "[09:00] refused: spent (case_id)\n"
           "[03-11 10:30] reminded\n"
           "[03-13 09:00] escalated from community to street/1: handling overdue | desk 03-13 11:00\n");
}

static void all_of_it_together_is_no_more_than_the_limit_itself(void **state) {
    (void)state;
    story_handling("paint");
    ask_extension("grid-worker", LIMIT(WORK_DAYS, 6));
    decide_on_extension("street-desk", true);
    decide_on_extension("street-desk", false);
    ask_extension("grid-worker", LIMIT(WORK_DAYS, 3));
    decide_on_extension("street-desk", true);
    ask_extension("grid-worker", LIMIT(WORK_DAYS, 3));
    decide_on_extension("street-desk", true);
    ask_extension("grid-worker", LIMIT(WORK_DAYS, 0));
    decide_on_extension("street-desk", false);
    ask_extension("grid-worker", LIMIT(WORK_DAYS, 2));
    decide_on_extension("street-desk", true);
    expect("[09:00] reported to community | desk 11:00\n"
           "[09:00] accepted\n"
           "[09:00] dispatched to grid-worker*: duty | accept 11:00, handling 03-09 09:00, remind 03-06 09:00\n"
           "[09:00] signed by grid-worker\n"
           "[09:00] extension-asked by grid-worker: 6 work days\n"
           "[09:00] refused: spent (limit)\n"
           "[09:00] extension-refused by street-desk\n"
           "[09:00] extension-asked by grid-worker: 3 work days\n"
           "[09:00] extension-granted by street-desk | handling 03-12 09:00, remind 03-10 12:00\n"
           "[09:00] extension-asked by grid-worker: 3 work days\n"
           "[09:00] refused: spent (limit)\n"
           "[09:00] refused: pending (case_id)\n"
           "[09:00] extension-refused by street-desk\n"
           "[09:00] extension-asked by grid-worker: 2 work days\n"
           "[09:00] extension-granted by street-desk | handling 03-16 09:00, remind 03-12 09:00\n");
}

static void undecided_when_the_limit_is_over_it_is_refused(void **state) {
    (void)state;
    story_handling("paint");
    ask_extension("grid-worker", NULL);
    wait_until("03-09 09:00");
    decide_on_extension("street-desk", true);
    expect("[09:00] reported to community | desk 11:00\n"
           "[09:00] accepted\n"
           "[09:00] dispatched to grid-worker*: duty | accept 11:00, handling 03-09 09:00, remind 03-06 09:00\n"
           "[09:00] signed by grid-worker\n"
           "[09:00] extension-asked by grid-worker: 2 work days\n"
           "[03-06 09:00] reminded\n"
           "[03-09 09:00] extension-refused by nobody: handling is over\n"
           "[03-09 09:00] escalated from community to street/1: handling overdue | desk 03-09 11:00\n"
           "[03-09 09:00] refused: wrong state\n");
}

static void a_limit_that_is_over_is_not_put_off_though_its_deadline_is_late(void **state) {
    (void)state;
    story_handling("paint");
    at("03-09 08:59");
    ask_extension("grid-worker", NULL);
    told("the broker is down for an hour");
    story_skip("03-09 10:00");
    decide_on_extension("street-desk", true);
    wait_until("03-09 10:00");
    expect("[09:00] reported to community | desk 11:00\n"
           "[09:00] accepted\n"
           "[09:00] dispatched to grid-worker*: duty | accept 11:00, handling 03-09 09:00, remind 03-06 09:00\n"
           "[09:00] signed by grid-worker\n"
           "[03-06 09:00] reminded\n"
           "[03-09 08:59] extension-asked by grid-worker: 2 work days\n"
           "[03-09 08:59] the broker is down for an hour\n"
           "[03-09 10:00] refused: no limit (case_id)\n"
           "[03-09 10:00] extension-refused by nobody: handling is over\n"
           "[03-09 10:00] escalated from community to street/1: handling overdue, 3600 s late | desk 03-09 12:00\n");
}

static void on_the_last_rung_nothing_is_left_to_put_off(void **state) {
    (void)state;
    story("2026-03-02 09:00");
    report_in("tree", FIXTURE_DISTRICT);
    dispatch("greenery");
    answer("greenery", ANSWER_ACCEPT);
    wait_until("03-30 09:00");
    ask_extension("greenery", NULL);
    expect("[09:00] reported to district | desk 03-03 09:00\n"
           "[09:00] accepted\n"
           "[09:00] dispatched to greenery*: duty | accept 03-03 09:00, handling 03-30 09:00, remind 03-24 09:00\n"
           "[09:00] signed by greenery\n"
           "[03-24 09:00] reminded\n"
           "[03-30 09:00] supervised time 1: handling overdue | supervise 04-06 09:00\n"
           "[03-30 09:00] refused: no limit (case_id)\n");
}

static void what_was_asked_for_is_forgotten_when_the_case_goes_back_to_the_desk(void **state) {
    (void)state;
    story_handling("paint");
    ask_extension("grid-worker", NULL);
    answer("grid-worker", ANSWER_DECLINE);
    wait_until("11:00");
    dispatch("outer-worker");
    answer("outer-worker", ANSWER_ACCEPT);
    decide_on_extension("district-desk", true);
    expect("[09:00] reported to community | desk 11:00\n"
           "[09:00] accepted\n"
           "[09:00] dispatched to grid-worker*: duty | accept 11:00, handling 03-09 09:00, remind 03-06 09:00\n"
           "[09:00] signed by grid-worker\n"
           "[09:00] extension-asked by grid-worker: 2 work days\n"
           "[09:00] answered decline by grid-worker: counted, the desk again | desk 11:00\n"
           "[11:00] escalated from community to street/1: desk silent | desk 15:00\n"
           "[11:00] dispatched to outer-worker*: duty | accept 15:00, handling 03-16 11:00, remind 03-12 11:00\n"
           "[11:00] signed by outer-worker\n"
           "[11:00] refused: nothing pending (case_id)\n");
}

static void a_promise_that_is_the_limit_is_put_off_and_the_verdict_with_it(void **state) {
    (void)state;
    story_handling("lamp");
    ask_extension("grid-worker", LIMIT(CLOCK_HOURS, 24));
    decide_on_extension("community-desk", true);
    wait_until("03-09 18:00");
    answer("grid-worker", ANSWER_DONE);
    expect("[09:00] reported to community | desk 11:00, promise 03-09 09:00\n"
           "[09:00] accepted\n"
           "[09:00] dispatched to grid-worker*: duty | accept 11:00, remind 03-06 09:00\n"
           "[09:00] signed by grid-worker\n"
           "[09:00] extension-asked by grid-worker: 24 clock hours\n"
           "[09:00] extension-granted by community-desk | promise 03-10 09:00, remind 03-06 17:00\n"
           "[03-06 17:00] reminded\n"
           "[03-09 18:00] resolved by grid-worker, on time; to verify: street-desk* | verify 03-12 08:30, remind "
           "03-11 15:00\n");
}

static void whoever_gave_more_time_verifies_only_where_nobody_else_is_left(void **state) {
    (void)state;
    story_handling("paint");
    ask_extension("grid-worker", NULL);
    decide_on_extension("community-desk", true);
    answer("grid-worker", ANSWER_DONE);
    PbEvidence photo = { .has_sha256 = 1, .sha256 = { 32, (uint8_t[32]){ 1 } } }, *photos[] = { &photo };
    PbAnswer done = { .party = (char *)"grid-worker@610402006001001", .stage = 1, .attempt = 1, .has_kind = 1,
            .kind = ANSWER_DONE, .n_evidence = 1, .evidence = photos };
    answer_with(&done);
    story_again();
    report_in("tree", FIXTURE_DISTRICT);
    dispatch("greenery");
    answer("greenery", ANSWER_ACCEPT);
    ask_extension("greenery", LIMIT(WORK_DAYS, 1));
    decide_on_extension("district-desk", true);
    answer("greenery", ANSWER_DONE);
    answer("district-desk", ANSWER_DONE);
    expect("[09:00] reported to community | desk 11:00\n"
           "[09:00] accepted\n"
           "[09:00] dispatched to grid-worker*: duty | accept 11:00, handling 03-09 09:00, remind 03-06 09:00\n"
           "[09:00] signed by grid-worker\n"
           "[09:00] extension-asked by grid-worker: 2 work days\n"
           "[09:00] extension-granted by community-desk | handling 03-11 09:00, remind 03-09 15:30\n"
           "[09:00] refused: evidence missing (evidence)\n"
           "[09:00] resolved by grid-worker, on time; to verify: street-desk* | verify 03-04 09:00, remind 03-03 "
           "15:30\n"
           "[09:00] reported to district | desk 03-03 09:00\n"
           "[09:00] accepted\n"
           "[09:00] dispatched to greenery*: duty | accept 03-03 09:00, handling 03-30 09:00, remind 03-24 09:00\n"
           "[09:00] signed by greenery\n"
           "[09:00] extension-asked by greenery: 1 work days\n"
           "[09:00] extension-granted by district-desk | handling 03-31 09:00, remind 03-24 17:00\n"
           "[09:00] resolved by greenery, on time; to verify: district-desk* | verify 03-04 09:00, remind 03-03 "
           "15:30\n"
           "[09:00] verified by district-desk\n"
           "[09:00] closed, on time\n");
}

static void a_leader_reminds_and_supervises_what_others_do(void **state) {
    (void)state;
    story("2026-03-02 09:00");
    report("rubbish");
    dispatch("grid-worker");
    remind_by("community-desk");
    remind_by("grid-worker");
    supervise_by("street-desk");
    supervise_by("lighting");
    supervise_by("community-desk@610402006002");
    tell_timers();
    assert_int_equal(story_case()->reminders, 1);
    assert_int_equal(story_case()->supervised, 1);
    expect("[09:00] reported to community | desk 11:00\n"
           "[09:00] accepted\n"
           "[09:00] dispatched to grid-worker*: duty | accept 11:00, handling 03-09 09:00, remind 03-06 09:00\n"
           "[09:00] reminded by community-desk\n"
           "[09:00] refused: not approver (party)\n"
           "[09:00] supervised time 1: leader by street-desk\n"
           "[09:00] refused: not approver (party)\n"
           "[09:00] refused: not approver (party)\n"
           "[09:00] timers: accept 11:00, handling 03-09 09:00, remind 03-06 09:00\n");
}

static void a_word_from_above_begins_the_last_rungs_supervising_anew(void **state) {
    (void)state;
    story("2026-03-02 08:30");
    report_in("tree", FIXTURE_DISTRICT);
    wait_until("03-04 08:30");
    supervise_by("district-desk");
    supervise_by("district-desk");
    wait_until("04-14 08:30");
    expect("[08:30] reported to district | desk 03-03 08:30\n"
           "[03-03 08:30] supervised time 1: desk silent | supervise 03-10 08:30\n"
           "[03-04 08:30] supervised time 2: leader by district-desk | supervise 03-18 08:30\n"
           "[03-04 08:30] supervised time 3: leader by district-desk | supervise 04-01 08:30\n"
           "[04-01 08:30] supervised time 4: last rung | supervise 04-29 08:30\n");
}

int stories_of_extension(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(more_time_is_asked_for_before_due_and_granted_by_a_leader_who_does_not_handle_it),
        cmocka_unit_test(the_second_time_one_level_up_and_then_never_again),
        cmocka_unit_test(all_of_it_together_is_no_more_than_the_limit_itself),
        cmocka_unit_test(undecided_when_the_limit_is_over_it_is_refused),
        cmocka_unit_test(a_limit_that_is_over_is_not_put_off_though_its_deadline_is_late),
        cmocka_unit_test(on_the_last_rung_nothing_is_left_to_put_off),
        cmocka_unit_test(what_was_asked_for_is_forgotten_when_the_case_goes_back_to_the_desk),
        cmocka_unit_test(a_promise_that_is_the_limit_is_put_off_and_the_verdict_with_it),
        cmocka_unit_test(whoever_gave_more_time_verifies_only_where_nobody_else_is_left),
        cmocka_unit_test(a_leader_reminds_and_supervises_what_others_do),
        cmocka_unit_test(a_word_from_above_begins_the_last_rungs_supervising_anew),
    };
    return cmocka_run_group_tests_name("extension", tests, NULL, NULL);
}
