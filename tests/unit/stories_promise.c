/* The promise to the reporter, what a report must be, and everything that is unknown. */
#include "tests/unit/stories.h"
#include "tests/unit/story.h"

#include <setjmp.h>
#include <string.h>

#include <cmocka.h>

#define MINUTE_MS 60000LL
#define HOUR_MS   3600000LL

/* ---- the promise ------------------------------------------------------------------------------------------------- */

static void promised_till_noon(void) {
    story("2026-03-02 09:00");
    report_promised("rubbish", 3 * HOUR_MS);
    dispatch("grid-worker");
    answer("grid-worker", ANSWER_ACCEPT);
}

static void at_the_very_instant_of_due_is_on_time(void **state) {
    (void)state;
    promised_till_noon();
    at("12:00");
    answer("grid-worker", ANSWER_DONE);
    expect("[09:00] reported to community | desk 11:00, promise 12:00\n"
           "[09:00] accepted\n"
           "[09:00] dispatched to grid-worker*: duty | accept 11:00, remind 11:24\n"
           "[09:00] signed by grid-worker\n"
           "[11:24] reminded\n"
           "[12:00] resolved by grid-worker, on time; to verify: community-desk* | verify 03-04 14:00, remind 03-04 "
           "09:00\n");
}

static void one_millisecond_after_due_is_late(void **state) {
    (void)state;
    promised_till_noon();
    at("12:00:00.001");
    answer("grid-worker", ANSWER_DONE);
    expect("[09:00] reported to community | desk 11:00, promise 12:00\n"
           "[09:00] accepted\n"
           "[09:00] dispatched to grid-worker*: duty | accept 11:00, remind 11:24\n"
           "[09:00] signed by grid-worker\n"
           "[11:24] reminded\n"
           "[12:00] escalated from community to street/1: promise overdue | desk 16:00\n"
           "[12:00:00.001] resolved by grid-worker, late; to verify: community-desk* | verify 03-04 14:00, remind "
           "03-04 09:00\n");
}

static void the_answer_and_the_deadline_in_one_millisecond_end_alike_in_either_order(void **state) {
    (void)state;
    promised_till_noon();
    wait_until("12:00");
    answer("grid-worker", ANSWER_DONE);
    expect("[09:00] reported to community | desk 11:00, promise 12:00\n"
           "[09:00] accepted\n"
           "[09:00] dispatched to grid-worker*: duty | accept 11:00, remind 11:24\n"
           "[09:00] signed by grid-worker\n"
           "[11:24] reminded\n"
           "[12:00] escalated from community to street/1: promise overdue | desk 16:00\n"
           "[12:00] resolved by grid-worker, on time; to verify: community-desk* | verify 03-04 14:00, remind 03-04 "
           "09:00\n");
}

static void a_handling_limit_is_met_at_the_very_instant_of_due_and_missed_after(void **state) {
    (void)state;
    for (unsigned late = 0; late < 2; late++) {
        story("2026-03-02 09:00");
        report("rubbish");
        dispatch("grid-worker");
        answer("grid-worker", ANSWER_ACCEPT);
        story_skip(late ? "03-09 09:00:00.001" : "03-09 09:00");
        answer("grid-worker", ANSWER_DONE);
        assert_int_equal(story_case()->state, STATE_RESOLVED);
        assert_int_equal(story_case()->on_time, !late);
    }
}

static void the_promise_stands_still_while_resolved_and_resumes_on_rework(void **state) {
    (void)state;
    story_handling("lamp");
    at("03-05 09:00");
    answer("grid-worker", ANSWER_DONE);
    at("03-06 09:00");
    answer("community-desk", ANSWER_DECLINE);
    told("four days of the promise were left, by the clock of all days");
    wait_until("03-10 09:00");
    answer("grid-worker", ANSWER_DONE);
    expect("[09:00] reported to community | desk 11:00, promise 03-09 09:00\n"
           "[09:00] accepted\n"
           "[09:00] dispatched to grid-worker*: duty | accept 11:00, remind 03-06 09:00\n"
           "[09:00] signed by grid-worker\n"
           "[03-05 09:00] resolved by grid-worker, on time; to verify: community-desk* | verify 03-09 09:00, remind "
           "03-06 15:30\n"
           "[03-06 09:00] rework for grid-worker at community/2 | promise 03-10 09:00, remind 03-09 13:48\n"
           "[03-06 09:00] four days of the promise were left, by the clock of all days\n"
           "[03-09 13:48] reminded\n"
           "[03-10 09:00] escalated from community to street/1: promise overdue | desk 03-10 11:00\n"
           "[03-10 09:00] resolved by grid-worker, on time; to verify: community-desk* | verify 03-12 09:00, remind "
           "03-11 15:30\n");
}

static void the_promise_resumes_also_when_what_is_not_good_climbs(void **state) {
    (void)state;
    story("2026-03-02 09:00");
    report("lamp");
    dispatch("grid-worker");
    for (unsigned i = 0; i < 3; i++) {
        answer("grid-worker", ANSWER_DONE);
        at(i == 0 ? "10:00" : i == 1 ? "11:00" : "12:00");
        answer("community-desk", ANSWER_DECLINE);
    }
    expect("[09:00] reported to community | desk 11:00, promise 03-09 09:00\n"
           "[09:00] accepted\n"
           "[09:00] dispatched to grid-worker*: duty | accept 11:00, remind 03-06 09:00\n"
           "[09:00] signed by grid-worker\n"
           "[09:00] resolved by grid-worker, on time; to verify: community-desk* | verify 03-04 09:00, remind 03-03 "
           "15:30\n"
           "[10:00] rework for grid-worker at community/2 | promise 03-09 10:00, remind 03-08 00:24\n"
           "[10:00] resolved by grid-worker, on time; to verify: community-desk* | verify 03-04 10:00, remind 03-03 "
           "16:30\n"
           "[11:00] rework for grid-worker at community/3 | promise 03-09 11:00, remind 03-08 01:24\n"
           "[11:00] resolved by grid-worker, on time; to verify: community-desk* | verify 03-04 11:00, remind 03-03 "
           "17:30\n"
           "[12:00] answered decline by community-desk: counted\n"
           "[12:00] escalated from community to street/1: attempts spent | desk 14:00, promise 03-09 12:00\n");
    assert_non_null(case_timer(story_case(), TIMER_PROMISE));
    assert_false(story_case()->on_time);
}

static void a_promise_that_has_passed_leaves_rework_its_limit(void **state) {
    (void)state;
    story("2026-03-02 09:00");
    report_promised("rubbish", HOUR_MS);
    dispatch("grid-worker");
    wait_until("10:00");
    answer("grid-worker", ANSWER_DONE);
    answer("community-desk", ANSWER_DONE);
    expect("[09:00] reported to community | desk 11:00, promise 10:00\n"
           "[09:00] accepted\n"
           "[09:00] dispatched to grid-worker*: duty | accept 11:00, remind 09:48\n"
           "[09:48] reminded\n"
           "[10:00] escalated from community to street/1: promise overdue | desk 12:00\n"
           "[10:00] resolved by grid-worker, on time; to verify: community-desk* | verify 03-04 10:00, remind 03-03 "
           "16:30\n"
           "[10:00] verified by community-desk\n"
           "[10:00] closed, on time\n");
    story("2026-03-02 09:00");
    report_promised("rubbish", HOUR_MS);
    dispatch("grid-worker");
    at("10:00:00.001");
    answer("grid-worker", ANSWER_DONE);
    answer("community-desk", ANSWER_DECLINE);
    expect("[09:00] reported to community | desk 11:00, promise 10:00\n"
           "[09:00] accepted\n"
           "[09:00] dispatched to grid-worker*: duty | accept 11:00, remind 09:48\n"
           "[09:48] reminded\n"
           "[10:00] escalated from community to street/1: promise overdue | desk 12:00\n"
           "[10:00:00.001] resolved by grid-worker, late; to verify: community-desk* | verify 03-04 10:00:00.001, "
           "remind 03-03 16:30:00.001\n"
           "[10:00:00.001] rework for grid-worker at street/2 | handling 03-09 10:00:00.001, remind 03-06 "
           "10:00:00.001\n");
}

static void an_overdue_promise_climbs(void **state) {
    (void)state;
    story_handling("lamp");
    wait_until("03-09 09:00");
    dispatch("outer-worker");
    told("the promise has passed: the street's own limit stands");
    expect("[09:00] reported to community | desk 11:00, promise 03-09 09:00\n"
           "[09:00] accepted\n"
           "[09:00] dispatched to grid-worker*: duty | accept 11:00, remind 03-06 09:00\n"
           "[09:00] signed by grid-worker\n"
           "[03-06 09:00] reminded\n"
           "[03-09 09:00] escalated from community to street/1: promise overdue | desk 03-09 11:00\n"
           "[03-09 09:00] dispatched to outer-worker*: duty | accept 03-09 11:00, handling 03-23 09:00, remind 03-19 "
           "09:00\n"
           "[03-09 09:00] the promise has passed: the street's own limit stands\n");
    assert_true(story_case()->overdue);
}

static void a_promise_of_nothing_is_due_at_once(void **state) {
    (void)state;
    story("2026-03-02 09:00");
    report_promised("rubbish", 0);
    dispatch("grid-worker");
    told("at one instant the orders come first");
    answer("grid-worker", ANSWER_DONE);
    expect("[09:00] reported to community | desk 11:00, promise 09:00\n"
           "[09:00] accepted\n"
           "[09:00] dispatched to grid-worker*: duty | accept 11:00\n"
           "[09:00] at one instant the orders come first\n"
           "[09:00] signed by grid-worker\n"
           "[09:00] resolved by grid-worker, on time; to verify: community-desk* | verify 03-04 09:00, remind 03-03 "
           "15:30\n");
    story("2026-03-02 09:00");
    report_promised("rubbish", 0);
    wait_until("09:00");
    expect("[09:00] reported to community | desk 11:00, promise 09:00\n"
           "[09:00] escalated from community to street/1: promise overdue | desk 11:00\n");
}

static void a_promise_must_be_granted_and_in_range(void **state) {
    (void)state;
    story("2026-03-02 09:00");
    report_promised("rubbish", -1);
    report_promised("rubbish", PROMISE_MS_MAX + 1);
    story_source("uid:1001");
    report_promised("rubbish", HOUR_MS);
    story_source("uid:1000");
    report_promised("rubbish", PROMISE_MS_MAX);
    expect("[09:00] refused: field range (promise_ms)\n"
           "[09:00] refused: field range (promise_ms)\n"
           "[09:00] refused: promise not granted (promise_ms)\n"
           "[09:00] reported to community | desk 11:00, promise 2031-03-06 09:00\n");
}

/* ---- what a report must be --------------------------------------------------------------------------------------- */

static void a_report_says_where_and_what_and_not_in_the_far_future(void **state) {
    (void)state;
    int64_t now = FIXTURE_MONDAY_MS + 10 * MINUTE_MS;
    char longest[EXTERNAL_ID_BYTES_MAX + 2] = "";
    memset(longest, '7', sizeof longest - 1);
    story("2026-03-02 09:00");
    report_with(&(PbReport){ .place = &(PbPlace){ .has_wall = 1 } });
    report_in("rubbish", 6104);
    report_in("rubbish", 1);
    report_in("rubbish", 0);
    report_in("rubbish", 610402006001009);
    report("");
    report("mermaid");
    report_with(&(PbReport){ .has_occurred_at_ms = 1, .occurred_at_ms = now + FAR_FUTURE_MS + 1 });
    report_with(&(PbReport){ .has_occurred_at_ms = 1, .occurred_at_ms = 0 });
    report_with(&(PbReport){ .reporter = (char *)"grid-worker@610402006001009" });
    report_with(&(PbReport){ .external_id = (char *)"with a blank" });
    report_with(&(PbReport){ .external_id = (char *)"\x7f" });
    report_with(&(PbReport){ .external_id = longest });
    longest[EXTERNAL_ID_BYTES_MAX] = '\0';
    PbPlace half = { .has_division = 1, .division = FIXTURE_GRID, .has_lon_e7 = 1, .lon_e7 = 1 };
    report_with(&(PbReport){ .place = &half });
    PbPlace out = { .has_division = 1, .division = FIXTURE_GRID, .has_lon_e7 = 1, .has_lat_e7 = 1 };
    static const int32_t nowhere[][2] = {{1800000001, 0}, {-1800000001, 0}, {0, 900000001}, {0, -900000001}};
    for (unsigned i = 0; i < COUNT_OF(nowhere); i++) {
        out.lon_e7 = nowhere[i][0], out.lat_e7 = nowhere[i][1];
        report_with(&(PbReport){ .place = &out });
    }
    out.lon_e7 = -1800000000, out.lat_e7 = -900000000;
    report_with(&(PbReport){ .has_occurred_at_ms = 1, .occurred_at_ms = now + FAR_FUTURE_MS, .place = &out,
                             .external_id = longest });
    expect("[09:00] refused: field missing (place.division)\n"
           "[09:00] refused: bad division (place.division)\n"
           "[09:00] refused: bad division (place.division)\n"
           "[09:00] refused: bad division (place.division)\n"
           "[09:00] refused: unknown division (place.division)\n"
           "[09:00] refused: unknown category (category)\n"
           "[09:00] refused: unknown category (category)\n"
           "[09:00] refused: far future (occurred_at_ms)\n"
           "[09:00] refused: bad instant (occurred_at_ms)\n"
           "[09:00] refused: unknown party (reporter)\n"
           "[09:00] refused: bad text (external_id)\n"
           "[09:00] refused: bad text (external_id)\n"
           "[09:00] refused: text too long (external_id)\n"
           "[09:00] refused: field missing (place.lat_e7)\n"
           "[09:00] refused: field range (place.lon_e7)\n"
           "[09:00] refused: field range (place.lon_e7)\n"
           "[09:00] refused: field range (place.lat_e7)\n"
           "[09:00] refused: field range (place.lat_e7)\n"
           "[09:00] reported to community | desk 11:00\n");
}

static void text_and_evidence_have_bounds_wherever_they_are_said(void **state) {
    (void)state;
    static char text[TEXT_BYTES_MAX + 2], url[EVIDENCE_URL_BYTES_MAX + 2];
    uint8_t sum[32] = { 0 };
    memset(text, 'a', sizeof text - 1);
    memset(url, 'u', sizeof url - 1);
    PbEvidence fine = { .has_sha256 = 1, .sha256 = { sizeof sum, sum } }, shortened = fine, far = fine, typed = fine;
    shortened.sha256.len = 31;
    far.url = typed.type = url;
    PbEvidence *lists[][1] = { { &shortened }, { &far }, { &typed } }, *many[EVIDENCE_MAX + 1];
    for (unsigned i = 0; i <= EVIDENCE_MAX; i++) many[i] = &fine;
    story("2026-03-02 09:00");
    report_with(&(PbReport){ .text = text });
    report_with(&(PbReport){ .address = text });
    for (unsigned i = 0; i < COUNT_OF(lists); i++) report_with(&(PbReport){ .n_evidence = 1, .evidence = lists[i] });
    report_with(&(PbReport){ .n_evidence = EVIDENCE_MAX + 1, .evidence = many });
    report_with(&(PbReport){ .n_evidence = EVIDENCE_MAX, .evidence = many });
    note(text);
    dispatch("grid-worker");
    PbAnswer done = { .party = (char *)"grid-worker@610402006001001", .has_kind = 1, .kind = ANSWER_DONE, .stage = 1,
                      .attempt = 1, .text = text };
    answer_with(&done);
    done.text = NULL;
    for (unsigned i = 0; i < COUNT_OF(lists); i++) {
        done.n_evidence = 1, done.evidence = lists[i];
        answer_with(&done);
    }
    done.n_evidence = EVIDENCE_MAX + 1, done.evidence = many;
    answer_with(&done);
    expect("[09:00] refused: text too long (text)\n"
           "[09:00] refused: text too long (address)\n"
           "[09:00] refused: field range (evidence.sha256)\n"
           "[09:00] refused: text too long (evidence.url)\n"
           "[09:00] refused: text too long (evidence.type)\n"
           "[09:00] refused: field range (evidence)\n"
           "[09:00] reported to community | desk 11:00\n"
           "[09:00] refused: text too long (text)\n"
           "[09:00] accepted\n"
           "[09:00] dispatched to grid-worker*: duty | accept 11:00, handling 03-09 09:00, remind 03-06 09:00\n"
           "[09:00] refused: text too long (text)\n"
           "[09:00] refused: field range (evidence.sha256)\n"
           "[09:00] refused: text too long (evidence.url)\n"
           "[09:00] refused: text too long (evidence.type)\n"
           "[09:00] refused: field range (evidence)\n");
}

static void whoever_is_unknown_is_refused(void **state) {
    (void)state;
    story("2026-03-02 09:00");
    answer("grid-worker", ANSWER_DONE);
    dispatch_for("grid-worker", 1, 1);
    note("no case");
    accept_case();
    escalate();
    reject_case(CAUSE_DUPLICATE);
    offer_failed(OFFER_RETRY, 0);
    fire(TIMER_DESK);
    report("rubbish");
    answer("mayor@610402", ANSWER_DONE);
    answer("grid-worker@610402006001009", ANSWER_DONE);
    answer("", ANSWER_DONE);
    dispatch("mayor@610402");
    fire(TIMER_PROMISE);
    fire(TIMER_DESK);
    expect("[09:00] refused: no such case\n"
           "[09:00] refused: no such case\n"
           "[09:00] refused: no such case\n"
           "[09:00] refused: no such case\n"
           "[09:00] refused: no such case\n"
           "[09:00] refused: no such case\n"
           "[09:00] refused: no such case\n"
           "[09:00] refused: no such timer\n"
           "[09:00] reported to community | desk 11:00\n"
           "[09:00] refused: unknown party (party)\n"
           "[09:00] refused: unknown party (party)\n"
           "[09:00] refused: unknown party (party)\n"
           "[09:00] refused: unknown party (parties.party)\n"
           "[09:00] refused: no such timer\n"
           "[09:00] refused: too early\n");
}

static void the_wall_is_the_places_then_the_categorys_then_inside(void **state) {
    (void)state;
    PbPlace place = { .has_division = 1, .division = FIXTURE_GRID, .has_wall = 1, .wall = WALL_INSIDE };
    story("2026-03-02 09:00");
    report_with(&(PbReport){ .place = &place });
    assert_int_equal(story_case()->wall, WALL_INSIDE);
    story_again();
    place.wall = WALL_UNKNOWN;
    report_with(&(PbReport){ .place = &place });
    assert_int_equal(story_case()->wall, WALL_OUTSIDE);
    story_again();
    report_with(&(PbReport){ .place = &place, .category = (char *)"road" });
    assert_int_equal(story_case()->wall, WALL_INSIDE);
}

int stories_of_promise(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(at_the_very_instant_of_due_is_on_time),
        cmocka_unit_test(one_millisecond_after_due_is_late),
        cmocka_unit_test(the_answer_and_the_deadline_in_one_millisecond_end_alike_in_either_order),
        cmocka_unit_test(a_handling_limit_is_met_at_the_very_instant_of_due_and_missed_after),
        cmocka_unit_test(the_promise_stands_still_while_resolved_and_resumes_on_rework),
        cmocka_unit_test(the_promise_resumes_also_when_what_is_not_good_climbs),
        cmocka_unit_test(a_promise_that_has_passed_leaves_rework_its_limit),
        cmocka_unit_test(an_overdue_promise_climbs),
        cmocka_unit_test(a_promise_of_nothing_is_due_at_once),
        cmocka_unit_test(a_promise_must_be_granted_and_in_range),
        cmocka_unit_test(a_report_says_where_and_what_and_not_in_the_far_future),
        cmocka_unit_test(text_and_evidence_have_bounds_wherever_they_are_said),
        cmocka_unit_test(whoever_is_unknown_is_refused),
        cmocka_unit_test(the_wall_is_the_places_then_the_categorys_then_inside),
    };
    return cmocka_run_group_tests_name("promise", tests, NULL, NULL);
}
