/* 回访 and 重开: the reporter is asked, and what was not solved comes back. */
#include "tests/unit/stories.h"
#include "tests/unit/story.h"

#include <setjmp.h>

#include <cmocka.h>

/* Reported by one grid worker, done by the other, found well done by the desk. */
static void done_and_verified(bool ask_me) {
    report_with(&(PbReport){ .reporter = (char *)"grid-worker@610402006001001", .has_ask_me = 1, .ask_me = ask_me });
    dispatch("grid-worker@610402006001002");
    answer("grid-worker@610402006001002", ANSWER_DONE);
    answer("community-desk", ANSWER_DONE);
}

static void the_reporter_who_agreed_is_asked_and_silence_is_neither_yes_nor_no(void **state) {
    (void)state;
    story("2026-03-02 09:00");
    done_and_verified(true);
    answer("grid-worker", ANSWER_DONE);
    wait_until("03-09 09:00");
    assert_int_equal(story_case()->more.solved, OPINION_NONE);
    expect("[09:00] reported to community | desk 11:00\n"
           "[09:00] accepted\n"
           "[09:00] dispatched to grid-worker@610402006001002*: duty | accept 11:00, handling 03-09 09:00, remind "
           "03-06 09:00\n"
           "[09:00] signed by grid-worker@610402006001002\n"
           "[09:00] resolved by grid-worker@610402006001002, on time; to verify: community-desk* | verify 03-04 "
           "09:00, remind 03-03 15:30\n"
           "[09:00] verified by community-desk\n"
           "[09:00] followup-begun | followup 03-09 09:00\n"
           "[09:00] answered done by grid-worker: not asked\n"
           "[03-09 09:00] closed, on time\n");
}

static void solved_and_satisfied_are_two_answers(void **state) {
    (void)state;
    story("2026-03-02 09:00");
    done_and_verified(true);
    follow_up("grid-worker", OPINION_NONE, OPINION_NONE);
    follow_up("grid-leader", OPINION_YES, OPINION_YES);
    follow_up("grid-worker", (PbOpinion)3, OPINION_YES);
    follow_up("grid-worker", OPINION_YES, OPINION_NO);
    assert_int_equal(story_case()->more.satisfied, OPINION_NO);
    expect("[09:00] reported to community | desk 11:00\n"
           "[09:00] accepted\n"
           "[09:00] dispatched to grid-worker@610402006001002*: duty | accept 11:00, handling 03-09 09:00, remind "
           "03-06 09:00\n"
           "[09:00] signed by grid-worker@610402006001002\n"
           "[09:00] resolved by grid-worker@610402006001002, on time; to verify: community-desk* | verify 03-04 "
           "09:00, remind 03-03 15:30\n"
           "[09:00] verified by community-desk\n"
           "[09:00] followup-begun | followup 03-09 09:00\n"
           "[09:00] refused: field missing (solved)\n"
           "[09:00] refused: not the reporter (party)\n"
           "[09:00] refused: field range (solved)\n"
           "[09:00] followed-up solved yes satisfied no\n"
           "[09:00] closed, on time\n");
}

static void not_solved_it_goes_back_once_to_who_did_it_and_somebody_else_verifies(void **state) {
    (void)state;
    story("2026-03-02 09:00");
    done_and_verified(true);
    at("03-03 09:00");
    follow_up("grid-worker", OPINION_NO, OPINION_NO);
    assert_string_equal(story_state(), "handling at community/2: grid-worker@610402006001002* 1/1 done, "
        "community-desk* 4/1 verified, grid-worker@610402006001002* 1/2 accepted");
    answer("grid-worker@610402006001002", ANSWER_DONE);
    answer("community-desk", ANSWER_DONE);
    answer("street-desk", ANSWER_DONE);
    follow_up("grid-worker", OPINION_NO, OPINION_NO);
    reopen_by_reporter("grid-worker");
    expect("[09:00] reported to community | desk 11:00\n"
           "[09:00] accepted\n"
           "[09:00] dispatched to grid-worker@610402006001002*: duty | accept 11:00, handling 03-09 09:00, remind "
           "03-06 09:00\n"
           "[09:00] signed by grid-worker@610402006001002\n"
           "[09:00] resolved by grid-worker@610402006001002, on time; to verify: community-desk* | verify 03-04 "
           "09:00, remind 03-03 15:30\n"
           "[09:00] verified by community-desk\n"
           "[09:00] followup-begun | followup 03-09 09:00\n"
           "[03-03 09:00] followed-up solved no satisfied no\n"
           "[03-03 09:00] reopened by the reporter for grid-worker@610402006001002* at community/2 | handling "
           "03-10 09:00, remind 03-09 09:00\n"
           "[03-03 09:00] resolved by grid-worker@610402006001002, on time; to verify: street-desk* | verify 03-05 "
           "09:00, remind 03-04 15:30\n"
           "[03-03 09:00] answered done by community-desk: repeated\n"
           "[03-03 09:00] verified by street-desk\n"
           "[03-03 09:00] followup-begun | followup 03-10 09:00\n"
           "[03-03 09:00] followed-up solved no satisfied no\n"
           "[03-03 09:00] closed, on time\n"
           "[03-03 09:00] refused: spent (reporter)\n");
}

static void closed_it_is_reopened_by_the_reporter_once_or_by_who_supervises_and_within_its_days(void **state) {
    (void)state;
    story("2026-03-02 09:00");
    done_and_verified(false);
    reopen_by_reporter("grid-leader");
    reopen_by("grid-worker@610402006001002");
    reopen_by("mayor@610402");
    reopen_by_reporter("grid-worker");
    answer("grid-worker@610402006001002", ANSWER_DONE);
    answer("street-desk", ANSWER_DONE);
    reopen_by_reporter("grid-worker");
    reopen_by("community-desk");
    answer("grid-worker@610402006001002", ANSWER_DONE);
    answer("verifier", ANSWER_DONE);
    answer("district-desk", ANSWER_DONE);
    reopen_by("street-desk");
    answer("grid-worker@610402006001002", ANSWER_DONE);
    answer("verifier", ANSWER_DONE);
    reopen_by("street-desk");
    at("03-17 09:00:00.001");
    reopen_by("street-desk");
    expect("[09:00] reported to community | desk 11:00\n"
           "[09:00] accepted\n"
           "[09:00] dispatched to grid-worker@610402006001002*: duty | accept 11:00, handling 03-09 09:00, remind "
           "03-06 09:00\n"
           "[09:00] signed by grid-worker@610402006001002\n"
           "[09:00] resolved by grid-worker@610402006001002, on time; to verify: community-desk* | verify 03-04 "
           "09:00, remind 03-03 15:30\n"
           "[09:00] verified by community-desk\n"
           "[09:00] closed, on time\n"
           "[09:00] refused: not the reporter (party)\n"
           "[09:00] refused: not approver (party)\n"
           "[09:00] refused: unknown party (party)\n"
           "[09:00] reopened by the reporter for grid-worker@610402006001002* at community/2 | handling 03-09 "
           "09:00, remind 03-06 09:00\n"
           "[09:00] resolved by grid-worker@610402006001002, on time; to verify: street-desk* | verify 03-04 "
           "09:00, remind 03-03 15:30\n"
           "[09:00] verified by street-desk\n"
           "[09:00] closed, on time\n"
           "[09:00] refused: spent (reporter)\n"
           "[09:00] reopened by community-desk for grid-worker@610402006001002* at community/3 | handling 03-09 "
           "09:00, remind 03-06 09:00\n"
           "[09:00] resolved by grid-worker@610402006001002, on time; to verify: district-desk* | verify 03-04 "
           "09:00, remind 03-03 15:30\n"
           "[09:00] answered done by verifier: not asked\n"
           "[09:00] verified by district-desk\n"
           "[09:00] closed, on time\n"
           "[09:00] reopened by street-desk for grid-worker@610402006001002* at community/4 | handling 03-09 "
           "09:00, remind 03-06 09:00\n"
           "[09:00] resolved by grid-worker@610402006001002, on time; to verify: verifier* | verify 03-04 09:00, "
           "remind 03-03 15:30\n"
           "[09:00] verified by verifier\n"
           "[09:00] closed, on time\n"
           "[09:00] refused: spent (case_id)\n"
           "[03-17 09:00:00.001] refused: too late (case_id)\n");
}

static void who_handled_it_does_not_reopen_it(void **state) {
    (void)state;
    story("2026-03-02 09:00");
    report("rubbish");
    dispatch("community-desk");
    answer("community-desk", ANSWER_DONE);
    answer("street-desk", ANSWER_DONE);
    reopen_by("community-desk");
    reopen_by("street-desk");
    expect("[09:00] reported to community | desk 11:00\n"
           "[09:00] accepted\n"
           "[09:00] dispatched to community-desk*: duty | accept 11:00, handling 03-09 09:00, remind 03-06 09:00\n"
           "[09:00] signed by community-desk\n"
           "[09:00] resolved by community-desk, on time; to verify: street-desk* | verify 03-04 09:00, remind "
           "03-03 15:30\n"
           "[09:00] verified by street-desk\n"
           "[09:00] closed, on time\n"
           "[09:00] refused: not approver (party)\n"
           "[09:00] reopened by street-desk for community-desk* at community/2 | handling 03-09 09:00, remind "
           "03-06 09:00\n");
}

static void without_somebody_who_did_it_the_desk_has_it(void **state) {
    (void)state;
    story("2026-03-02 09:00");
    self_handle("rubbish", "grid-worker");
    reopen_by("community-desk");
    assert_false(story_case()->self_handled);
    wait_until("11:00");
    story_again();
    report("rubbish");
    transfer(AUTHORITY_POLICE);
    reopen_by("community-desk");
    transfer(AUTHORITY_POLICE);
    acknowledge_transfer("110-9");
    reopen_by_reporter(NULL);
    tell_timers();
    expect("[09:00] self-handled by grid-worker\n"
           "[09:00] reopened by community-desk for the desk at community/2 | desk 11:00\n"
           "[11:00] escalated from community to street/1: desk silent | desk 15:00\n"
           "[11:00] reported to community | desk 15:00\n"
           "[11:00] transferred to police | transfer 03-03 11:00\n"
           "[11:00] reopened by community-desk for the desk at community/2 | desk 15:00\n"
           "[11:00] transferred to police | transfer 03-03 11:00\n"
           "[11:00] transfer-acknowledged as 110-9\n"
           "[11:00] reopened by the reporter for the desk at community/3 | desk 15:00\n"
           "[11:00] timers: desk 15:00\n");
}

static void transferred_while_it_was_verified_it_comes_back_to_the_desk_of_its_level(void **state) {
    (void)state;
    story("2026-03-02 09:00");
    report("rubbish");
    dispatch("grid-worker");
    answer("grid-worker", ANSWER_DONE);
    transfer(AUTHORITY_COURT);
    reopen_by("street-desk");
    dispatch("grid-worker");
    expect("[09:00] reported to community | desk 11:00\n"
           "[09:00] accepted\n"
           "[09:00] dispatched to grid-worker*: duty | accept 11:00, handling 03-09 09:00, remind 03-06 09:00\n"
           "[09:00] signed by grid-worker\n"
           "[09:00] resolved by grid-worker, on time; to verify: community-desk* | verify 03-04 09:00, remind "
           "03-03 15:30\n"
           "[09:00] transferred to court | transfer 03-03 09:00\n"
           "[09:00] reopened by street-desk for the desk at community/2 | desk 11:00\n"
           "[09:00] dispatched to grid-worker*: duty | accept 11:00, handling 03-09 09:00, remind 03-06 09:00\n");
}

static void where_two_must_do_it_who_did_it_last_is_enough_when_it_comes_back(void **state) {
    (void)state;
    story("2026-03-02 09:00");
    report("poster");
    dispatch("grid-worker@610402006001001 grid-worker@610402006001002");
    answer("grid-worker@610402006001001", ANSWER_DONE);
    answer("grid-worker@610402006001002", ANSWER_DONE);
    reopen_by("community-desk");
    answer("grid-worker@610402006001002", ANSWER_DONE);
    expect("[09:00] reported to community | desk 22:30\n"
           "[09:00] accepted\n"
           "[09:00] dispatched to grid-worker*, grid-worker@610402006001002: duty | accept 22:30, handling 03-09 "
           "20:30, remind 03-06 06:00\n"
           "[09:00] signed by grid-worker\n"
           "[09:00] answered done by grid-worker: counted\n"
           "[09:00] resolved by grid-worker@610402006001002, on time\n"
           "[09:00] closed, on time\n"
           "[09:00] reopened by community-desk for grid-worker@610402006001002* at community/2 | handling 03-09 "
           "20:30, remind 03-06 06:00\n"
           "[09:00] resolved by grid-worker@610402006001002, on time\n"
           "[09:00] closed, on time\n");
}

static void what_comes_back_has_its_last_milestones_limit(void **state) {
    (void)state;
    story("2026-03-02 09:00");
    report("gas");
    dispatch("grid-worker");
    milestone("grid-worker", "isolate");
    milestone("grid-worker", "repair");
    milestone("grid-worker", "restore");
    answer("community-desk", ANSWER_DONE);
    reopen_by("street-desk");
    milestone("grid-worker", "isolate");
    answer("grid-worker", ANSWER_DONE);
    expect("[09:00] reported to community | desk 09:30\n"
           "[09:00] accepted\n"
           "[09:00] dispatched to grid-worker*: duty | accept 09:30, handling 10:00, remind 09:48\n"
           "[09:00] signed by grid-worker\n"
           "[09:00] milestone-done isolate by grid-worker | handling 03-03 09:00, remind 03-03 04:12\n"
           "[09:00] milestone-done repair by grid-worker | handling 03-05 09:00, remind 03-04 12:00\n"
           "[09:00] resolved by grid-worker, on time; to verify: community-desk* | verify 03-04 09:00, remind "
           "03-03 15:30\n"
           "[09:00] verified by community-desk\n"
           "[09:00] closed, on time\n"
           "[09:00] reopened by street-desk for grid-worker* at community/2 | handling 03-05 09:00, remind 03-04 "
           "12:00\n"
           "[09:00] refused: milestone order (milestone)\n"
           "[09:00] resolved by grid-worker, on time; to verify: street-desk* | verify 03-04 09:00, remind 03-03 "
           "15:30\n");
}

int stories_of_reopened(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_reporter_who_agreed_is_asked_and_silence_is_neither_yes_nor_no),
        cmocka_unit_test(solved_and_satisfied_are_two_answers),
        cmocka_unit_test(not_solved_it_goes_back_once_to_who_did_it_and_somebody_else_verifies),
        cmocka_unit_test(closed_it_is_reopened_by_the_reporter_once_or_by_who_supervises_and_within_its_days),
        cmocka_unit_test(who_handled_it_does_not_reopen_it),
        cmocka_unit_test(without_somebody_who_did_it_the_desk_has_it),
        cmocka_unit_test(transferred_while_it_was_verified_it_comes_back_to_the_desk_of_its_level),
        cmocka_unit_test(where_two_must_do_it_who_did_it_last_is_enough_when_it_comes_back),
        cmocka_unit_test(what_comes_back_has_its_last_milestones_limit),
    };
    return cmocka_run_group_tests_name("reopened", tests, NULL, NULL);
}
