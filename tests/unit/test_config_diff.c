/* test_config_diff.c: what differs between two sets is told in lines that name what was written. */
#include "tests/unit/config_scratch.h"
#include <stdio.h>
#include <string.h>

static char said[8192];
static unsigned lines;

static void say(void *to, const char *text) {
    (void)to;
    size_t used = strlen(said);
    assert_true(strlen(text) < CONFIG_LINE_BYTES);
    snprintf(said + used, sizeof said - used, "%s\n", text);
    lines++;
}

static void differs(const PbRules *before, const PbRules *after) {
    said[0] = 0;
    lines = 0;
    config_diff(before, after, say, NULL);
}

/* Since the copy was as it is in config/qindu: exactly this is said. */
static void says(const char *text) {
    differs(loaded("config/qindu"), loaded(scratch));
    assert_string_equal(said, text);
    arena_reset(&room);
}

#define INCIDENT "playbooks/incident.yaml"
#define CHINA "calendars/china-2024-2026.yaml"

static void the_same_set_has_no_difference(void **state) {
    (void)state;
    says("");
    change(INCIDENT, "name: incident", "name: incident", "# a comment\nname: incident");
    says("");
}

static void a_limit_of_a_stage_is_told_as_it_is_written(void **state) {
    (void)state;
    change(INCIDENT, "street:\n", "handling: 10wd", "handling: 8wd");
    says("~ playbook incident: stages.street.handling 10wd -> 8wd\n");
    change(INCIDENT, "street:\n", "attempts_max: 3", "accept: 90cm\n    attempts_max: 5");
    change(INCIDENT, "district:\n", "tally: all", "tally: count 2");
    says("~ playbook incident: stages.street.accept - -> 90cm\n"
         "~ playbook incident: stages.street.handling 10wd -> 8wd\n"
         "~ playbook incident: stages.street.attempts_max 3 -> 5\n"
         "~ playbook incident: stages.district.tally.kind all -> count\n"
         "~ playbook incident: stages.district.tally.count - -> 2\n");
}

static void what_comes_goes_and_changes_in_a_table_is_told_by_its_key(void **state) {
    (void)state;
    change("categories.csv", "E0103", "E0103", "E0199");
    change("categories.csv", "E0104", "III", "II");
    differs(loaded("config/qindu"), loaded(scratch));
    assert_non_null(strstr(said, "- category E0103 积存建筑垃圾/渣土\n"));
    assert_non_null(strstr(said, "+ category E0199 积存建筑垃圾/渣土\n"));
    assert_non_null(strstr(said, "~ category E0104: urgency iii -> ii\n"));
    assert_int_equal(lines, 3);
}

static void a_duty_and_a_milestone_are_told_by_name(void **state) {
    (void)state;
    change("categories.csv", "E0101", "综合执法队;区自然资源/住建", "综合执法队");
    change("categories.csv", "E0101", "penalise=7wd", "penalise=9wd");
    differs(loaded("config/qindu"), loaded(scratch));
    assert_non_null(strstr(said, "~ category E0101: milestones.penalise.limit 7wd -> 9wd\n"));
    assert_non_null(strstr(said, "~ category E0101: outside.roles dept-enforcement,"));
    assert_int_equal(lines, 3);
}

static void a_holiday_that_comes_and_one_that_moves_are_told_by_date(void **state) {
    (void)state;
    change(CHINA, "days:", "date: 2026-02-16", "date: 2026-02-12");
    change(CHINA, "friday", "08:30-12:00", "08:30-11:30");
    says("~ calendar china: week.5.windows 08:30-12:00,14:00-18:00 -> 08:30-11:30,14:00-18:00\n"
         "~ calendar china: days.20260216 removed\n~ calendar china: days.20260212 added\n");
}

static void stages_that_change_places_are_told(void **state) {
    PbRules *before = loaded("config/qindu"), *after = loaded(scratch);
    PbStage **stages = after->playbooks[0]->stages, *first = stages[0];
    (void)state;
    stages[0] = stages[1];
    stages[1] = first;
    differs(before, after);
    assert_string_equal(said, "~ playbook incident: stages in another order\n");
}

static void what_is_of_no_table_is_the_offices(void **state) {
    (void)state;
    change("office.yaml", "promise_sources", "[", "[\"uid:1000\", ");
    differs(loaded("config/qindu"), loaded(scratch));
    assert_non_null(strstr(said, "~ office qindu: promise_sources "));
    assert_int_equal(lines, 1);
}

/* The same entries of two quite different sets: every line names an entry, none is cut in a character. */
static void two_sets_that_have_nothing_in_common_are_all_pluses_and_minuses(void **state) {
    (void)state;
    differs(loaded("config/qindu"), loaded("config/drill"));
    assert_non_null(strstr(said, "+ calendar boston-2015\n- calendar china\n"));
    assert_true(lines > 200);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ON_A_COPY(the_same_set_has_no_difference),
        ON_A_COPY(a_limit_of_a_stage_is_told_as_it_is_written),
        ON_A_COPY(what_comes_goes_and_changes_in_a_table_is_told_by_its_key),
        ON_A_COPY(a_duty_and_a_milestone_are_told_by_name),
        ON_A_COPY(a_holiday_that_comes_and_one_that_moves_are_told_by_date),
        ON_A_COPY(stages_that_change_places_are_told),
        ON_A_COPY(what_is_of_no_table_is_the_offices),
        ON_A_COPY(two_sets_that_have_nothing_in_common_are_all_pluses_and_minuses),
    };
    return cmocka_run_group_tests(tests, room_made, room_freed);
}
