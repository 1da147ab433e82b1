/* Put right, handed over, brought up to date, taken over from elsewhere, given up. */
#include "tests/unit/stories.h"
#include "tests/unit/story.h"

#include <setjmp.h>

#include <cmocka.h>

/* The same rules, but that the first rung is called otherwise. */
static const PbRules *with_another_first_rung(void) {
    static PbRules rules;
    static PbPlaybook book;
    static PbPlaybook *books[2];
    static PbStage renamed, *stages[STAGES_MAX];
    rules = *story_rules();
    assert_int_equal(rules.n_playbooks, COUNT_OF(books));
    book = *rules.playbooks[0];
    for (size_t i = 0; i < book.n_stages; i++) stages[i] = book.stages[i];
    renamed = *stages[0];
    renamed.name = (char *)"neighbourhood";
    stages[0] = &renamed;
    book.stages = stages;
    books[0] = &book, books[1] = rules.playbooks[1];
    rules.playbooks = books;
    return &rules;
}

static void another_category_has_other_limits_from_the_same_beginning_and_its_own_urgency(void **state) {
    (void)state;
    story_handling("rubbish");
    at("09:30");
    correct_category("gas");
    assert_int_equal(story_case()->urgency, URGENCY_I);
    milestone("grid-worker", "isolate");
    correct_category("gas");
    correct_category("weather");
    correct_with(&(PbCorrect){ .has_urgency = 1, .urgency = URGENCY_II });
    correct_with(&(PbCorrect){ .has_urgency = 1, .urgency = URGENCY_NONE });
    expect("[09:00] reported to community | desk 11:00\n"
           "[09:00] accepted\n"
           "[09:00] dispatched to grid-worker*: duty | accept 11:00, handling 03-09 09:00, remind 03-06 09:00\n"
           "[09:00] signed by grid-worker\n"
           "[09:30] corrected from rubbish urgency iii to gas urgency i | handling 10:00, remind 09:48\n"
           "[09:30] milestone-done isolate by grid-worker | handling 03-03 09:00, remind 03-03 04:12\n"
           "[09:30] refused: no change\n"
           "[09:30] refused: unknown category (category)\n"
           "[09:30] corrected from urgency i to urgency ii\n"
           "[09:30] refused: field range (urgency)\n");
}

static void a_correction_never_makes_overdue_what_was_not_and_keeps_what_was_granted(void **state) {
    (void)state;
    story_handling("paint");
    ask_extension("grid-worker", NULL);
    decide_on_extension("community-desk", true);
    correct_category("rubbish");
    at("15:00");
    correct_category("gas");
    tell_timers();
    story_again();
    report("rubbish");
    dispatch("grid-worker");
    answer("grid-worker", ANSWER_ACCEPT);
    at("17:00");
    correct_category("gas");
    tell_timers();
    expect("[09:00] reported to community | desk 11:00\n"
           "[09:00] accepted\n"
           "[09:00] dispatched to grid-worker*: duty | accept 11:00, handling 03-09 09:00, remind 03-06 09:00\n"
           "[09:00] signed by grid-worker\n"
           "[09:00] extension-asked by grid-worker: 2 work days\n"
           "[09:00] extension-granted by community-desk | handling 03-11 09:00, remind 03-09 15:30\n"
           "[09:00] corrected from paint to rubbish | handling 03-11 09:00, remind 03-06 09:00\n"
           "[15:00] corrected from rubbish urgency iii to gas urgency i | handling 03-03 01:00\n"
           "[15:00] timers: handling 03-03 01:00\n"
           "[15:00] reported to community | desk 17:00\n"
           "[15:00] accepted\n"
           "[15:00] dispatched to grid-worker*: duty | accept 17:00, handling 03-09 15:00, remind 03-06 15:00\n"
           "[15:00] signed by grid-worker\n"
           "[17:00] corrected from rubbish urgency iii to gas urgency i\n"
           "[17:00] timers: handling 03-09 15:00, remind 03-06 15:00\n");
}

static void a_place_is_put_right_within_its_district_and_as_fine_as_its_desk_needs(void **state) {
    (void)state;
    story("2026-03-02 09:00");
    report("rubbish");
    correct_division(FIXTURE_GRID);
    correct_division(610402006002001);
    correct_division(610403);
    correct_division(FIXTURE_STREET);
    PbPlace half = { .has_lon_e7 = 1, .lon_e7 = 1087000000 };
    correct_with(&(PbCorrect){ .place = &half });
    PbPlace whole = { .has_lon_e7 = 1, .lon_e7 = 1087000000, .has_lat_e7 = 1, .lat_e7 = 343300000 };
    correct_with(&(PbCorrect){ .place = &whole });
    PbPlace outside = { .has_wall = 1, .wall = WALL_OUTSIDE };
    correct_with(&(PbCorrect){ .place = &outside });
    story_batch(ASKED_BATCH);
    correct_with(&(PbCorrect){ .place = &outside });
    expect("[09:00] reported to community | desk 11:00\n"
           "[09:00] refused: no change\n"
           "[09:00] corrected from 610402006001001 inside to 610402006002001 inside\n"
           "[09:00] refused: unknown division (place.division)\n"
           "[09:00] refused: bad division (place.division)\n"
           "[09:00] refused: field missing (place.lat_e7)\n"
           "[09:00] corrected from 610402006002001 inside to 610402006002001 inside 1087000000 343300000\n"
           "[09:00] corrected from 610402006002001 inside 1087000000 343300000 to 610402006002001 outside "
           "1087000000 343300000\n"
           "[09:00] refused: batch not confirmed (batch)\n");
}

static void whoever_leaves_hands_over_what_is_asked_of_him(void **state) {
    (void)state;
    story("2026-03-02 09:00");
    report("rubbish");
    dispatch("grid-worker grid-leader");
    hand_over("outer-worker", "grid-worker");
    hand_over("grid-worker", "grid-worker");
    hand_over("grid-worker", "grid-leader");
    hand_over("grid-worker", "mayor@610402");
    hand_over("grid-worker", "outer-worker");
    answer("grid-worker", ANSWER_DONE);
    answer("outer-worker", ANSWER_DONE);
    hand_over("community-desk", "outer-worker");
    hand_over("community-desk", "street-desk");
    answer("street-desk", ANSWER_DONE);
    expect("[09:00] reported to community | desk 11:00\n"
           "[09:00] accepted\n"
           "[09:00] dispatched to grid-worker*, grid-leader: duty | accept 11:00, handling 03-09 09:00, remind "
           "03-06 09:00\n"
           "[09:00] refused: not asked (from)\n"
           "[09:00] refused: same party (to)\n"
           "[09:00] refused: same party (to)\n"
           "[09:00] refused: unknown party (to)\n"
           "[09:00] handed-over from grid-worker to outer-worker, 1 ask\n"
           "[09:00] answered done by grid-worker: not asked\n"
           "[09:00] signed by outer-worker\n"
           "[09:00] resolved by outer-worker, on time; to verify: community-desk* | verify 03-04 09:00, remind "
           "03-03 15:30\n"
           "[09:00] refused: same party (to)\n"
           "[09:00] handed-over from community-desk to street-desk, 1 ask\n"
           "[09:00] verified by street-desk\n"
           "[09:00] closed, on time\n");
}

static void whoever_gave_more_time_takes_over_no_verifying(void **state) {
    (void)state;
    story_handling("rubbish");
    ask_extension("grid-worker", NULL);
    decide_on_extension("community-desk", true);
    answer("grid-worker", ANSWER_DONE);
    hand_over("street-desk", "community-desk");
    expect("[09:00] reported to community | desk 11:00\n"
           "[09:00] accepted\n"
           "[09:00] dispatched to grid-worker*: duty | accept 11:00, handling 03-09 09:00, remind 03-06 09:00\n"
           "[09:00] signed by grid-worker\n"
           "[09:00] extension-asked by grid-worker: 5 work days\n"
           "[09:00] extension-granted by community-desk | handling 03-16 09:00, remind 03-12 09:00\n"
           "[09:00] resolved by grid-worker, on time; to verify: street-desk* | verify 03-04 09:00, remind 03-03 "
           "15:30\n"
           "[09:00] refused: same party (to)\n");
}

static const PbRules *without_rubbish(void) {
    static PbRules rules;
    static PbCategory *categories[8];
    rules = *story_rules();
    size_t count = 0;
    for (size_t i = 0; i < rules.n_categories; i++)
        if (rules.categories[i]->self_handled == 0) categories[count++] = rules.categories[i];
    rules.n_categories = count, rules.categories = categories;
    return &rules;
}

static void a_case_stays_with_its_rules_when_those_in_force_know_no_such_category(void **state) {
    (void)state;
    story("2026-03-02 09:00");
    report("rubbish");
    story_rules_become(without_rubbish());
    move_case();
    expect("[09:00] reported to community | desk 11:00\n"
           "[09:00] refused: unknown category (category)\n");
}

static void a_case_goes_by_the_rules_in_force_when_its_stages_are_the_same_there(void **state) {
    (void)state;
    story_handling("rubbish");
    move_case();
    story_rules_become(with_another_first_rung());
    move_case();
    story_rules_become(story_rules_later());
    story_batch(ASKED_BATCH);
    move_case();
    story_batch(CONFIRMED_BATCH);
    move_case();
    assert_int_equal(story_case()->rules, 3);
    move_case();
    expect("[09:00] reported to community | desk 11:00\n"
           "[09:00] accepted\n"
           "[09:00] dispatched to grid-worker*: duty | accept 11:00, handling 03-09 09:00, remind 03-06 09:00\n"
           "[09:00] signed by grid-worker\n"
           "[09:00] refused: no change (case_id)\n"
           "[09:00] refused: wrong stage (playbook)\n"
           "[09:00] refused: batch not confirmed (batch)\n"
           "[09:00] case-moved to rules 3\n"
           "[09:00] refused: no change (case_id)\n");
}

static void deadlines_are_reckoned_anew_by_another_calendar(void **state) {
    (void)state;
    story("2026-03-02 09:00");
    report("rubbish");
    dispatch("grid-worker");
    answer("grid-worker", ANSWER_DONE);
    recompute();
    at("03-03 09:00");
    story_rules_become(story_rules_later());
    recompute();
    recompute();
    tell_timers();
    expect("[09:00] reported to community | desk 11:00\n"
           "[09:00] accepted\n"
           "[09:00] dispatched to grid-worker*: duty | accept 11:00, handling 03-09 09:00, remind 03-06 09:00\n"
           "[09:00] signed by grid-worker\n"
           "[09:00] resolved by grid-worker, on time; to verify: community-desk* | verify 03-04 09:00, remind "
           "03-03 15:30\n"
           "[09:00] refused: no change (case_id)\n"
           "[03-03 09:00] due-moved | verify 03-05 09:00, remind 03-03 11:42\n"
           "[03-03 09:00] refused: no change (case_id)\n"
           "[03-03 09:00] timers: verify 03-05 09:00, remind 03-03 11:42\n");
}

/* It keeps the working time it has left, which both calendars measure alike: the change lies behind it. */
static void what_was_moved_stays_where_both_calendars_agree(void **state) {
    (void)state;
    PbRules far = *story_rules();
    PbCalendar ends[2], *calendars[] = { &ends[0], &ends[1] };
    for (size_t i = 0; i < COUNT_OF(ends); i++) ends[i] = *far.calendars[i], ends[i].last_date--;
    far.calendars = calendars;
    story_handling("rubbish");
    ask_extension("grid-worker", NULL);
    decide_on_extension("street-desk", true);
    at("03-04 10:00");
    tell_timers();
    story_rules_become(&far);
    recompute();
    tell_timers();
    expect("[09:00] reported to community | desk 11:00\n"
           "[09:00] accepted\n"
           "[09:00] dispatched to grid-worker*: duty | accept 11:00, handling 03-09 09:00, remind 03-06 09:00\n"
           "[09:00] signed by grid-worker\n"
           "[09:00] extension-asked by grid-worker: 5 work days\n"
           "[09:00] extension-granted by street-desk | handling 03-16 09:00, remind 03-12 09:00\n"
           "[03-04 10:00] timers: handling 03-16 09:00, remind 03-12 09:00\n"
           "[03-04 10:00] due-moved\n"
           "[03-04 10:00] timers: handling 03-16 09:00, remind 03-12 09:00\n");
}

static void a_case_of_another_system_comes_with_its_instants(void **state) {
    (void)state;
    story("2026-03-02 09:00");
    import_as(STATE_REPORTED, "08:00", "");
    story_origin("city", true);
    import_as(STATE_REPORTED, "08:00", "");
    report_with(&(PbReport){ .external_id = (char *)"12345-7" });
    story_origin("city", false);
    import_with(&(PbImport){ .report = &(PbReport){ .category = (char *)"rubbish",
                .place = &(PbPlace){ .has_division = 1, .division = FIXTURE_GRID } }, .state = STATE_REPORTED });
    import_as(STATE_REPORTED, "1999-12-31 08:00", "");
    import_as(STATE_REPORTED, "09:00:00.001", "");
    import_as(STATE_DISPATCHED, "08:00", "");
    import_as(STATE_CLOSED, "08:00", "");
    import_as(STATE_ACCEPTED, "08:00", "grid-worker");
    import_as(STATE_HANDLING, "08:00", "grid-worker mayor@610402");
    import_as(STATE_DISPATCHED, "2025-12-30 10:00", "grid-worker grid-leader");
    answer("grid-worker", ANSWER_DONE);
    story_again();
    import_as(STATE_ACCEPTED, "08:00", "");
    dispatch("grid-worker");
    expect("[09:00] refused: field missing (origin)\n"
           "[09:00] refused: already known (external_id)\n"
           "[09:00] refused: already known (external_id)\n"
           "[09:00] refused: field missing (external_id)\n"
           "[09:00] refused: bad instant (opened_at_ms)\n"
           "[09:00] refused: bad instant (opened_at_ms)\n"
           "[09:00] refused: nobody named (parties)\n"
           "[09:00] refused: field range (state)\n"
           "[09:00] refused: field range (parties)\n"
           "[09:00] refused: unknown party (parties.party)\n"
           "[09:00] imported as dispatched at community, opened 2025-12-30 10:00, asked grid-worker*, grid-leader "
           "| handling 03-09 09:00, remind 03-06 09:00, accept 11:00\n"
           "[09:00] signed by grid-worker\n"
           "[09:00] resolved by grid-worker, on time; to verify: community-desk* | verify 03-04 09:00, remind "
           "03-03 15:30\n"
           "[09:00] imported as accepted at community, opened 08:00 | desk 11:00\n"
           "[09:00] dispatched to grid-worker*: duty | accept 11:00, handling 03-09 09:00, remind 03-06 09:00\n");
}

static void what_is_overdue_there_is_overdue_here(void **state) {
    (void)state;
    story("2026-03-02 09:00");
    story_origin("city", false);
    PbPlace place = { .has_division = 1, .division = FIXTURE_GRID };
    PbReport r = { .place = &place, .category = (char *)"lamp", .external_id = (char *)"L-1" };
    PbAskedParty worker = { .party = (char *)"outer-worker@610402006" }, *parties[] = { &worker };
    int64_t hour_ms = 3600000, now_ms = FIXTURE_MONDAY_MS + hour_ms / 6;
    PbImport i = { .report = &r, .state = STATE_HANDLING, .opened_at_ms = now_ms - 90 * hour_ms, .has_asked_at_ms = 1,
            .asked_at_ms = now_ms - 80 * hour_ms, .has_level = 1, .level = LEVEL_STREET, .n_parties = 1,
            .parties = parties,
            .has_handling_due_ms = 1, .handling_due_ms = now_ms - hour_ms, .has_promise_due_ms = 1,
            .promise_due_ms = now_ms + hour_ms };
    import_with(&i);
    wait_until("09:00");
    expect("[09:00] imported as handling at street, opened 02-26 15:00, asked outer-worker* | promise 10:00, "
           "handling 08:00\n"
           "[09:00] escalated from street to district/1: handling overdue, 3600 s late | desk 11:00\n");
}

static void limits_that_end_before_they_begin_or_in_another_age_are_not_taken_over(void **state) {
    (void)state;
    story("2026-03-02 09:00");
    story_origin("city", false);
    int64_t opened_ms = FIXTURE_MONDAY_MS, never_ms = INSTANT_MS_MAX;
    PbImport i = { .state = STATE_REPORTED, .opened_at_ms = opened_ms, .has_promise_due_ms = 1, .promise_due_ms = 1 };
    import_with(&i);
    i.promise_due_ms = never_ms;
    import_with(&i);
    i.has_asked_at_ms = 1, i.asked_at_ms = opened_ms - 1;
    import_with(&i);
    PbPlace high = { .has_division = 1, .division = FIXTURE_GRID, .has_lon_e7 = 1, .has_lat_e7 = 1 };
    high.lat_e7 = 900000001;
    report_with(&(PbReport){ .place = &high });
    expect("[09:00] refused: bad instant (handling_due_ms)\n"
           "[09:00] refused: bad instant (handling_due_ms)\n"
           "[09:00] refused: bad instant (asked_at_ms)\n"
           "[09:00] refused: field range (place.lat_e7)\n");
}

static void too_few_for_the_tally_are_not_taken_over_either(void **state) {
    (void)state;
    story("2026-03-02 09:00");
    story_origin("city", false);
    PbPlace place = { .has_division = 1, .division = FIXTURE_GRID };
    PbReport r = { .place = &place, .category = (char *)"poster", .external_id = (char *)"P-1" };
    PbAskedParty worker = { .party = (char *)"grid-worker@610402006001001" }, *parties[] = { &worker };
    PbImport i = { .report = &r, .state = STATE_DISPATCHED, .opened_at_ms = FIXTURE_MONDAY_MS, .n_parties = 1,
            .parties = parties };
    import_with(&i);
    expect("[09:00] refused: field range (parties)\n");
}

static void a_dead_letter_is_tried_again_or_taken_off_the_list(void **state) {
    (void)state;
    story("2026-03-02 09:00");
    report("rubbish");
    retry_dead();
    drop_dead();
    offer_failed(OFFER_REJECTED, 0);
    retry_dead();
    assert_true(case_wants_desk(story_case()));
    offer_failed(OFFER_REJECTED, 0);
    drop_dead();
    drop_dead();
    assert_false(case_wants_desk(story_case()));
    wait_until("11:00");
    assert_true(case_wants_desk(story_case()));
    expect("[09:00] reported to community | desk 11:00\n"
           "[09:00] refused: nothing pending (case_id)\n"
           "[09:00] refused: nothing pending (case_id)\n"
           "[09:00] offer-failed 1: rejected, dead\n"
           "[09:00] dead-retried\n"
           "[09:00] offer-failed 1: rejected, dead\n"
           "[09:00] dead-dropped\n"
           "[09:00] refused: nothing pending (case_id)\n"
           "[11:00] escalated from community to street/1: desk silent | desk 15:00\n");
}

int stories_of_care(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(another_category_has_other_limits_from_the_same_beginning_and_its_own_urgency),
        cmocka_unit_test(a_correction_never_makes_overdue_what_was_not_and_keeps_what_was_granted),
        cmocka_unit_test(a_place_is_put_right_within_its_district_and_as_fine_as_its_desk_needs),
        cmocka_unit_test(whoever_leaves_hands_over_what_is_asked_of_him),
        cmocka_unit_test(whoever_gave_more_time_takes_over_no_verifying),
        cmocka_unit_test(a_case_stays_with_its_rules_when_those_in_force_know_no_such_category),
        cmocka_unit_test(a_case_goes_by_the_rules_in_force_when_its_stages_are_the_same_there),
        cmocka_unit_test(deadlines_are_reckoned_anew_by_another_calendar),
    cmocka_unit_test(what_was_moved_stays_where_both_calendars_agree),
        cmocka_unit_test(a_case_of_another_system_comes_with_its_instants),
        cmocka_unit_test(what_is_overdue_there_is_overdue_here),
        cmocka_unit_test(limits_that_end_before_they_begin_or_in_another_age_are_not_taken_over),
        cmocka_unit_test(too_few_for_the_tally_are_not_taken_over_either),
        cmocka_unit_test(a_dead_letter_is_tried_again_or_taken_off_the_list),
    };
    return cmocka_run_group_tests_name("care", tests, NULL, NULL);
}
