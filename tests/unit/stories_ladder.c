/* How a case climbs: desks that are silent, limits that pass, offers that fail, and the last rung. */
#include "tests/unit/stories.h"
#include "tests/unit/story.h"

#include <setjmp.h>

#include <cmocka.h>

#define HOUR_MS 3600000LL

static void the_rules_of_the_stories_are_rules(void **state) {
    (void)state;
    struct rules_problem problem;
    if (!rules_check(story_rules(), &problem)) fail_msg("%s: %s", problem.path, problem.what);
}

static void the_grid_worker_fixes_it(void **state) {
    (void)state;
    story("2026-03-02 09:30");
    report("rubbish");
    at("09:40");
    dispatch("grid-worker");
    at("09:50");
    answer("grid-worker", ANSWER_ACCEPT);
    at("11:00");
    answer("grid-worker", ANSWER_DONE);
    at("15:00");
    answer("community-desk", ANSWER_DONE);
    wait_until("2026-12-31 23:59");
    expect("[09:30] reported to community | desk 11:30\n"
           "[09:40] accepted\n"
           "[09:40] dispatched to grid-worker*: duty | accept 11:40, handling 03-09 09:40, remind 03-06 09:40\n"
           "[09:50] signed by grid-worker\n"
           "[11:00] resolved by grid-worker, on time; to verify: community-desk* | verify 03-04 11:00, remind 03-03 "
           "17:30\n"
           "[15:00] verified by community-desk\n"
           "[15:00] closed, on time\n");
    assert_null(first_timer(story_case()));
}

static void self_handled_is_one_record_and_no_deadline(void **state) {
    (void)state;
    story("2026-03-02 09:30");
    self_handle("rubbish", "grid-worker");
    assert_int_equal(story_case()->state, STATE_CLOSED);
    assert_int_equal(story_case()->timers_count, 0);
    assert_true(story_case()->self_handled && story_case()->on_time);
    note("it was a mattress");
    expect("[09:30] self-handled by grid-worker\n"
           "[09:30] noted\n");
}

static void only_a_worker_in_his_own_grid_handles_by_himself(void **state) {
    (void)state;
    story("2026-03-02 09:30");
    self_handle("gas", "grid-worker");
    self_handle("rubbish", "grid-worker@610402006001002");
    self_handle("rubbish", "grid-worker@610402006001009");
    self_handle("rubbish", "district-desk");
    self_handle("rubbish", "lighting");
    self_handle("rubbish", NULL);
    expect("[09:30] refused: not self handled (category)\n"
           "[09:30] refused: not self handled (place.division)\n"
           "[09:30] refused: unknown party (party)\n"
           "[09:30] refused: not self handled (party)\n"
           "[09:30] refused: not self handled (party)\n"
           "[09:30] refused: field missing (party)\n");
    assert_int_equal(story_case()->id, 0);
}

static void a_silent_community_desk_is_bypassed(void **state) {
    (void)state;
    story("2026-03-02 16:30");
    report("rubbish");
    wait_until("03-03 12:00");
    dispatch("outer-worker");
    wait_until("03-03 12:00");
    answer("outer-worker", ANSWER_DONE);
    answer("street-desk", ANSWER_DONE);
    expect("[16:30] reported to community | desk 03-03 09:00\n"
           "[03-03 09:00] escalated from community to street/1: desk silent | desk 03-03 11:00\n"
           "[03-03 11:00] escalated from street to district/1: desk silent | desk 03-03 15:00\n"
           "[03-03 12:00] dispatched to outer-worker*: duty | accept 03-03 16:00, handling 03-31 14:00, remind 03-25 "
           "12:00\n"
           "[03-03 12:00] signed by outer-worker\n"
           "[03-03 12:00] resolved by outer-worker, on time; to verify: district-desk* | verify 03-05 14:00, remind "
           "03-05 09:00\n"
           "[03-03 12:00] answered done by street-desk: not asked\n");
}

static void nobody_accepts_and_the_street_is_told_but_the_lower_ask_stays(void **state) {
    (void)state;
    story("2026-03-02 09:30");
    report("rubbish");
    dispatch("grid-worker");
    wait_until("15:00");
    answer("grid-worker", ANSWER_DONE);
    answer("street-desk", ANSWER_DONE);
    expect("[09:30] reported to community | desk 11:30\n"
           "[09:30] accepted\n"
           "[09:30] dispatched to grid-worker*: duty | accept 11:30, handling 03-09 09:30, remind 03-06 09:30\n"
           "[11:30] escalated from community to street/1: accept overdue | desk 15:30\n"
           "[15:00] resolved by grid-worker, on time; to verify: community-desk* | verify 03-04 15:00, remind 03-04 "
           "10:00\n"
           "[15:00] answered done by street-desk: not asked\n");
}

static void what_is_overdue_climbs_one_rung_per_limit(void **state) {
    (void)state;
    story("2026-03-02 09:30");
    report("rubbish");
    dispatch("grid-worker");
    answer("grid-worker", ANSWER_ACCEPT);
    wait_until("03-09 09:30");
    dispatch("outer-worker");
    answer("outer-worker", ANSWER_ACCEPT);
    wait_until("03-23 09:30");
    dispatch("greenery lighting");
    answer("lighting", ANSWER_ACCEPT);
    wait_until("04-20 09:30");
    assert_string_equal(story_state(), "handling at district/1: grid-worker* 1/1 accepted, outer-worker* 2/1 accepted, "
                        "greenery* 3/1 open, lighting 3/1 accepted");
    answer("grid-worker", ANSWER_DONE);
    assert_true(story_case()->overdue);
    expect("[09:30] reported to community | desk 11:30\n"
           "[09:30] accepted\n"
           "[09:30] dispatched to grid-worker*: duty | accept 11:30, handling 03-09 09:30, remind 03-06 09:30\n"
           "[09:30] signed by grid-worker\n"
           "[03-06 09:30] reminded\n"
           "[03-09 09:30] escalated from community to street/1: handling overdue | desk 03-09 11:30\n"
           "[03-09 09:30] dispatched to outer-worker*: duty | accept 03-09 11:30, handling 03-23 09:30, remind 03-19 "
           "09:30\n"
           "[03-09 09:30] signed by outer-worker\n"
           "[03-19 09:30] reminded\n"
           "[03-23 09:30] escalated from street to district/1: handling overdue | desk 03-23 11:30\n"
           "[03-23 09:30] dispatched to greenery*, lighting: duty | accept 03-23 11:30, handling 04-20 09:30, remind "
           "04-14 09:30\n"
           "[03-23 09:30] signed by lighting\n"
           "[04-14 09:30] reminded\n"
           "[04-20 09:30] supervised time 1: handling overdue | supervise 04-27 09:30\n"
           "[04-20 09:30] resolved by grid-worker, late; to verify: community-desk* | verify 04-22 09:30, remind 04-21 "
           "16:00\n");
}

static void a_late_firing_counts_the_next_limit_from_then(void **state) {
    (void)state;
    story("2026-03-02 09:30");
    report("rubbish");
    at("11:30");
    told("the broker is down, and comes back after 13 days");
    story_skip("03-15 00:00");
    fire(TIMER_DESK);
    wait_until("03-16 10:30");
    expect("[09:30] reported to community | desk 11:30\n"
           "[11:30] the broker is down, and comes back after 13 days\n"
           "[03-15 00:00] escalated from community to street/1: desk silent, 1081800 s late | desk 03-16 10:30\n"
           "[03-16 10:30] escalated from street to district/1: desk silent | desk 03-16 14:30\n");
}

static void the_last_rung_is_supervised_for_ever(void **state) {
    (void)state;
    story("2026-03-02 08:30");
    report_in("tree", FIXTURE_DISTRICT);
    wait_until("10-20 08:30");
    expect("[08:30] reported to district | desk 03-03 08:30\n"
           "[03-03 08:30] supervised time 1: desk silent | supervise 03-10 08:30\n"
           "[03-10 08:30] supervised time 2: last rung | supervise 03-24 08:30\n"
           "[03-24 08:30] supervised time 3: last rung | supervise 04-21 08:30\n"
           "[04-21 08:30] supervised time 4: last rung | supervise 05-19 08:30\n"
           "[05-19 08:30] supervised time 5: last rung | supervise 06-16 08:30\n"
           "[06-16 08:30] supervised time 6: last rung | supervise 07-14 08:30\n"
           "[07-14 08:30] supervised time 7: last rung | supervise 08-11 08:30\n"
           "[08-11 08:30] supervised time 8: last rung | supervise 09-08 08:30\n"
           "[09-08 08:30] supervised time 9: last rung | supervise 10-07 08:30\n"
           "[10-07 08:30] supervised time 10: last rung | supervise 11-04 08:30\n");
}

static void what_is_overdue_on_the_last_rung_is_supervised_and_counts_as_overdue(void **state) {
    (void)state;
    story("2026-03-02 09:00");
    report_in("poster", FIXTURE_DISTRICT);
    dispatch("greenery");
    answer("greenery", ANSWER_ACCEPT);
    wait_until("06-30 09:00");
    expect("[09:00] reported to district | desk 22:30\n"
           "[09:00] accepted\n"
           "[09:00] dispatched to greenery*: duty | accept 22:30, handling 03-30 20:30, remind 03-24 06:00\n"
           "[09:00] signed by greenery\n"
           "[03-24 06:00] reminded\n"
           "[03-30 20:30] supervised time 1: handling overdue | supervise 04-06 20:30\n"
           "[04-06 20:30] supervised time 2: last rung | supervise 04-20 20:30\n"
           "[04-20 20:30] supervised time 3: last rung | supervise 05-07 20:30\n"
           "[05-07 20:30] supervised time 4: last rung | supervise 05-22 20:30\n"
           "[05-22 20:30] supervised time 5: last rung | supervise 06-09 20:30\n"
           "[06-09 20:30] supervised time 6: last rung | supervise 06-25 20:30\n"
           "[06-25 20:30] supervised time 7: last rung | supervise 07-13 20:30\n");
    assert_true(story_case()->overdue);
}

static void supervision_never_ends_and_never_grows_over_its_most(void **state) {
    (void)state;
    story("2026-03-02 08:30");
    report_in("tree", FIXTURE_DISTRICT);
    for (unsigned i = 1; i <= 40; i++) {
        const struct timer *t = first_timer(story_case());
        assert_int_equal(t->kind, i == 1 ? TIMER_DESK : TIMER_SUPERVISE);
        if (i > 4) assert_int_equal(t->amount, 20);
        story_skip_to(t->due_ms);
        fire((PbTimerKind)t->kind);
    }
    assert_int_equal(story_case()->supervised, 40);
}

static void the_reminder_comes_at_four_fifths_and_not_when_that_is_past(void **state) {
    (void)state;
    story_handling("lamp");
    wait_until("03-06 09:30");
    told("declined after the reminder: another is asked, and not reminded again of the same promise");
    answer("grid-worker", ANSWER_DECLINE);
    dispatch("grid-leader");
    expect("[09:00] reported to community | desk 11:00, promise 03-09 09:00\n"
           "[09:00] accepted\n"
           "[09:00] dispatched to grid-worker*: duty | accept 11:00, remind 03-06 09:00\n"
           "[09:00] signed by grid-worker\n"
           "[03-06 09:00] reminded\n"
           "[03-06 09:30] declined after the reminder: another is asked, and not reminded again of the same promise\n"
           "[03-06 09:30] answered decline by grid-worker: counted, the desk again | desk 03-06 11:30\n"
           "[03-06 09:30] dispatched to grid-leader*: duty | accept 03-06 11:30\n");
    assert_int_equal(story_case()->reminders, 1);
}

static void a_place_known_as_a_street_starts_at_the_street(void **state) {
    (void)state;
    story("2026-03-02 09:30");
    report_in("rubbish", FIXTURE_STREET);
    escalate();
    escalate();
    expect("[09:30] reported to street | desk 11:30\n"
           "[09:30] escalated from street to district/1: asked for help | desk 11:30\n"
           "[09:30] refused: no higher level (case_id)\n");
    story("2026-03-02 09:30");
    report_in("rubbish", FIXTURE_DISTRICT);
    expect("[09:30] reported to district | desk 11:30\n");
}

static void urgent_limits_run_at_night_and_others_wait_for_opening(void **state) {
    (void)state;
    story("2026-03-02 20:00");
    report("gas");
    dispatch("grid-worker");
    told("urgency I");
    story_again();
    report("lamp");
    told("urgency II");
    story_again();
    report("rubbish");
    dispatch("grid-worker");
    told("urgency III");
    story_again();
    report("tree");
    told("urgency IV");
    expect("[20:00] reported to community | desk 20:30\n"
           "[20:00] accepted\n"
           "[20:00] dispatched to grid-worker*: duty | accept 20:30, handling 21:00, remind 20:48\n"
           "[20:00] urgency I\n"
           "[20:00] reported to community | desk 22:00, promise 03-10 08:30\n"
           "[20:00] urgency II\n"
           "[20:00] reported to community | desk 03-03 10:30\n"
           "[20:00] accepted\n"
           "[20:00] dispatched to grid-worker*: duty | accept 03-03 10:30, handling 03-10 08:30, remind 03-06 18:00\n"
           "[20:00] urgency III\n"
           "[20:00] reported to community | desk 03-04 08:30\n"
           "[20:00] urgency IV\n");
}

static void a_limit_beyond_the_calendar_is_flagged(void **state) {
    (void)state;
    story("2026-12-31 17:00");
    report("rubbish");
    expect("[17:00] reported to community past the calendar | desk 2027-01-01 09:30 past the calendar\n");
    assert_true(story_case()->past_calendar);
    assert_true(first_timer(story_case())->past_calendar);
}

static void help_may_be_asked_for_before_the_deadline(void **state) {
    (void)state;
    story("2026-03-02 09:30");
    report("rubbish");
    escalate_because(CAUSE_NOT_OUR_DUTY);
    dispatch("outer-worker");
    answer("outer-worker", ANSWER_ACCEPT);
    escalate();
    escalate();
    escalate_because(CAUSE_REPORTED);
    escalate_because(CAUSE_LAST_RUNG);
    expect("[09:30] reported to community | desk 11:30\n"
           "[09:30] escalated from community to street/1: not our duty | desk 11:30\n"
           "[09:30] dispatched to outer-worker*: duty | accept 11:30, handling 03-16 09:30, remind 03-12 09:30\n"
           "[09:30] signed by outer-worker\n"
           "[09:30] escalated from street to district/1: asked for help | desk 11:30\n"
           "[09:30] refused: no higher level (case_id)\n"
           "[09:30] refused: field range (cause)\n"
           "[09:30] refused: field range (cause)\n");
    assert_false(story_case()->overdue);
    assert_int_equal(story_case()->escalations, 2);
}

static void failed_offers_are_retried_then_dead_until_a_deadline(void **state) {
    (void)state;
    story("2026-03-02 09:30");
    report("rubbish");
    offer_failed(OFFER_RETRY, 60000);
    assert_int_equal(story_case()->offer_ready_ms - story_case()->opened_at_ms, 60000);
    offer_failed(OFFER_EXPIRED, 0);
    assert_true(case_wants_desk(story_case()));
    offer_failed(OFFER_REFUSED, 0);
    assert_false(case_wants_desk(story_case()));
    offer_failed(OFFER_REFUSED, 0);
    offer_failed(OFFER_LATE, 0);
    wait_until("11:30");
    assert_true(case_wants_desk(story_case()));
    offer_failed(OFFER_REJECTED, 0);
    assert_false(case_wants_desk(story_case()));
    expect("[09:30] reported to community | desk 11:30\n"
           "[09:30] offer-failed 1: retry, again at 09:31\n"
           "[09:30] offer-failed 2: expired, again at 09:31:00.001\n"
           "[09:30] offer-failed 3: refused, dead\n"
           "[09:30] refused: wrong stage (tries)\n"
           "[09:30] offer-failed: late\n"
           "[11:30] escalated from community to street/1: desk silent | desk 15:30\n"
           "[11:30] offer-failed 1: rejected, dead\n");
}

static void a_dead_letter_on_the_last_rung_is_offered_again_at_each_supervision(void **state) {
    (void)state;
    story("2026-03-02 08:30");
    report_in("tree", FIXTURE_DISTRICT);
    offer_failed(OFFER_REJECTED, 0);
    assert_false(case_wants_desk(story_case()));
    wait_until("03-03 08:30");
    assert_true(case_wants_desk(story_case()));
    assert_int_equal(story_case()->offer_tries, 0);
    offer_failed(OFFER_REJECTED, 0);
    wait_until("03-10 08:30");
    assert_true(case_wants_desk(story_case()));
    expect("[08:30] reported to district | desk 03-03 08:30\n"
           "[08:30] offer-failed 1: rejected, dead\n"
           "[03-03 08:30] supervised time 1: desk silent | supervise 03-10 08:30\n"
           "[03-03 08:30] offer-failed 1: rejected, dead\n"
           "[03-10 08:30] supervised time 2: last rung | supervise 03-24 08:30\n");
}

static void the_day_of_a_number_is_the_day_of_the_district(void **state) {
    (void)state;
    story("2026-03-03 07:00");                       /* where the playbook's calendar is, it is the evening before */
    report("poster");
    assert_int_equal(story_case()->day, 20260303);
}

int stories_of_ladder(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_rules_of_the_stories_are_rules),
        cmocka_unit_test(the_grid_worker_fixes_it),
        cmocka_unit_test(self_handled_is_one_record_and_no_deadline),
        cmocka_unit_test(only_a_worker_in_his_own_grid_handles_by_himself),
        cmocka_unit_test(a_silent_community_desk_is_bypassed),
        cmocka_unit_test(nobody_accepts_and_the_street_is_told_but_the_lower_ask_stays),
        cmocka_unit_test(what_is_overdue_climbs_one_rung_per_limit),
        cmocka_unit_test(a_late_firing_counts_the_next_limit_from_then),
        cmocka_unit_test(the_last_rung_is_supervised_for_ever),
        cmocka_unit_test(what_is_overdue_on_the_last_rung_is_supervised_and_counts_as_overdue),
        cmocka_unit_test(supervision_never_ends_and_never_grows_over_its_most),
        cmocka_unit_test(the_reminder_comes_at_four_fifths_and_not_when_that_is_past),
        cmocka_unit_test(a_place_known_as_a_street_starts_at_the_street),
        cmocka_unit_test(urgent_limits_run_at_night_and_others_wait_for_opening),
        cmocka_unit_test(a_limit_beyond_the_calendar_is_flagged),
        cmocka_unit_test(help_may_be_asked_for_before_the_deadline),
        cmocka_unit_test(failed_offers_are_retried_then_dead_until_a_deadline),
        cmocka_unit_test(a_dead_letter_on_the_last_rung_is_offered_again_at_each_supervision),
        cmocka_unit_test(the_day_of_a_number_is_the_day_of_the_district),
    };
    return cmocka_run_group_tests_name("ladder", tests, NULL, NULL);
}
