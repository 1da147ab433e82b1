/* test_config_errors.c: what is wrong is told at the file, line and key where it was written. */
#include "tests/unit/config_scratch.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- a set ----------------------------------------------------------------------------------------------------- */

#define INCIDENT "playbooks/incident.yaml"
#define CHINA "calendars/china-2024-2026.yaml"

static void an_unknown_key_is_told_with_the_nearest_one(void **state) {
    (void)state;
    unsigned line = change(INCIDENT, "street:\n", "remind_percent: 80", "remind_procent: 80");
    config_refused(INCIDENT, line, "remind_procent", "'remind_percent'");
}

static void a_missing_key_is_told_where_it_should_be(void **state) {
    (void)state;
    unsigned line = change(INCIDENT, "street:\n", "    kind: handle\n", "");
    config_refused(INCIDENT, line - 1, "kind", "is missing");
}

static void what_only_the_checks_miss_is_named_at_the_nearest_line(void **state) {
    (void)state;
    change(INCIDENT, "  verify:\n", "    supervise_first: 5wd ", "    # ");
    unsigned line = change(INCIDENT, "  verify:\n", "verify", "verify");
    config_refused(INCIDENT, line, "verify", "supervise_first: is missing");
}

static void a_value_of_the_wrong_type_is_refused(void **state) {
    (void)state;
    unsigned line = change(INCIDENT, "street:\n", "attempts_max: 3", "attempts_max: three");
    config_refused(INCIDENT, line, "attempts_max", "a number from 1 to 100");
}

static void a_list_where_a_word_belongs_is_refused(void **state) {
    (void)state;
    unsigned line = change("roles.yaml", "grid-leader:", "name_zh: 网格长", "name_zh: [网格长]");
    config_refused("roles.yaml", line, "name_zh", "must be a single value");
}

static void a_word_that_is_none_of_the_choices_is_refused_with_the_choices(void **state) {
    (void)state;
    unsigned line = change("roles.yaml", "grid-leader:", "level: community", "level: village");
    config_refused("roles.yaml", line, "level", "none of: grid, community, street");
}

static void a_role_whose_name_begins_with_no_letter_is_refused(void **state) {
    (void)state;
    unsigned line = change("roles.yaml", "outer-worker:", "outer-worker", "2nd-worker");
    config_refused("roles.yaml", line, "2nd-worker", "a role's name is a letter");
}

static void so_is_a_department_whose_role_begins_with_no_letter(void **state) {
    (void)state;
    unsigned line = change("departments.csv", "物业", "dept-property", "-property");
    config_refused("departments.csv", line, "role", "a role's name is a letter");
}

static void a_bad_limit_is_refused(void **state) {
    (void)state;
    unsigned line = change(INCIDENT, "district:\n", "handling: 20wd", "handling: 20 days");
    config_refused(INCIDENT, line, "handling", "5wd");
}

static void an_alias_is_refused_at_its_own_line(void **state) {
    (void)state;
    change(INCIDENT, "street:\n", "handling: 10wd", "handling: &ten 10wd");
    unsigned line = change(INCIDENT, "district:\n", "handling: 20wd", "handling: *ten");
    config_refused(INCIDENT, line, "handling", "alias");
}

static void a_duplicate_key_is_refused_at_the_second(void **state) {
    (void)state;
    unsigned line = change(INCIDENT, "district:\n", "handling: 20wd", "handling: 20wd\n    handling: 30wd");
    config_refused(INCIDENT, line + 1, "handling", "twice, first in line");
}

static void nesting_deeper_than_sixteen_is_refused(void **state) {
    (void)state;
    unsigned line = change("office.yaml", "managed_by", "[]", "[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]");
    config_refused("office.yaml", line, "", "deeper than 16");
}

static void a_second_document_is_refused(void **state) {
    (void)state;
    unsigned line = change("office.yaml", "managed_by", "managed_by: []\n", "managed_by: []\n---\nformat: 1\n");
    config_refused("office.yaml", line + 1, "", "second document");
}

static void text_that_is_not_yaml_is_refused(void **state) {
    (void)state;
    unsigned line = change("office.yaml", "name: qindu", "name: qindu", "name: \"qindu");
    struct config_error error;
    PbRules *rules;
    assert_int_equal(config_load(scratch, &room, &rules, &error), -EINVAL);
    assert_true(error.line >= line);
    assert_non_null(strstr(error.what, "not YAML"));
}

static void text_that_is_not_utf8_is_refused(void **state) {
    (void)state;
    unsigned line = change("departments.csv", "物业,", "物业", "\xCE\xEF\xD2\xB5");      /* GBK */
    config_refused("departments.csv", line, "", "not UTF-8");
}

static void a_file_over_four_mebibytes_is_refused(void **state) {
    size_t size = CONFIG_FILE_BYTES_MAX + 1;
    char *bytes = malloc(size);
    (void)state;
    memset(bytes, '#', size);
    file_put("roles.yaml", bytes, size);
    free(bytes);
    config_refused("roles.yaml", 0, "", "4 MiB");
}

static void an_impossible_date_is_refused(void **state) {
    (void)state;
    unsigned line = change(CHINA, "days:", "date: 2026-02-16", "date: 2026-02-30");
    config_refused(CHINA, line, "date", "date of the calendar");
}

static void a_day_that_is_there_twice_is_told_at_its_line(void **state) {
    (void)state;
    unsigned line = change(CHINA, "days:", "date: 2026-02-17", "date: 2026-02-16");
    struct config_error error;
    PbRules *rules;
    assert_int_equal(config_load(scratch, &room, &rules, &error), -EINVAL);
    expect_error(&error, CHINA, line, "20260216", "twice");
}

static void opening_hours_that_close_before_they_open_are_refused(void **state) {
    (void)state;
    unsigned line = change(CHINA, "friday", "08:30-12:00", "12:00-08:30");
    config_refused(CHINA, line, "friday", "opening hours");
}

static void a_zone_is_an_offset_or_steps_not_both_and_not_neither(void **state) {
    (void)state;
    change(CHINA, "offset:", "offset: \"+08:00\"", "");
    struct config_error error;
    PbRules *rules;
    assert_int_equal(config_load(scratch, &room, &rules, &error), -EINVAL);
    assert_string_equal(error.key, "offset");
}

static void a_stage_that_cannot_be_reached_is_told_at_its_line(void **state) {
    (void)state;
    unsigned line = change(INCIDENT, "  verify:\n", "  verify:\n",
                           "  audit:\n    kind: verify\n    tally: first\n    handling: 2wd\n"
        "    loops_max: 3\n    on_done: close\n    supervise_first: 5wd\n    supervise_most: 20wd\n\n  verify:\n");
    config_refused(INCIDENT, line, "audit", "cannot be reached");
}

static void an_endless_loop_is_told_at_the_key_that_makes_it(void **state) {
    (void)state;
    unsigned line = change(INCIDENT, "  street:\n", "on_declined: district", "on_declined: community");
    config_refused(INCIDENT, line, "on_declined", "endless loop");
}

static void a_stage_that_is_not_there_is_refused(void **state) {
    (void)state;
    unsigned line = change(INCIDENT, "  street:\n", "on_overdue: district", "on_overdue: city");
    config_refused(INCIDENT, line, "on_overdue", "name of a stage");
}

static void a_department_nobody_knows_is_refused(void **state) {
    (void)state;
    unsigned line = change("categories.csv", "E0104", "环卫", "环围");
    config_refused("categories.csv", line, "departments", "'环围' is not in departments.csv");
}

static void a_handling_limit_that_differs_from_the_last_milestone_is_refused(void **state) {
    (void)state;
    unsigned line = change("categories.csv", "E0104", "2wh,R1", "3wh,R1");
    config_refused("categories.csv", line, "handling_limit", "differs from the last milestone");
}

static void milestones_out_of_order_are_told_at_their_column(void **state) {
    (void)state;
    unsigned line = change("categories.csv", "E0101", "penalise=7wd", "penalise=27wd");
    config_refused("categories.csv", line, "milestones", "after penalise");
}

static void a_csv_file_without_a_column_it_needs_is_refused(void **state) {
    (void)state;
    change("divisions.csv", "code", "level", "rank");
    config_refused("divisions.csv", 1, "rank", "not a column");
    change("divisions.csv", "code", ",rank", "");
    config_refused("divisions.csv", 1, "level", "column is missing");
}

static void a_row_that_is_too_short_or_too_long_is_refused(void **state) {
    (void)state;
    unsigned line = change("departments.csv", "环卫", ",street", "");
    config_refused("departments.csv", line, "level", "ends before this column");
    change("departments.csv", "环卫", "dept-sanitation", "dept-sanitation,street,extra");
    config_refused("departments.csv", line, "", "more than the header's 3");
}

static void quoted_fields_may_hold_commas_quotes_and_line_ends(void **state) {
    (void)state;
    unsigned line = change("departments.csv", "环卫,", "环卫,dept-sanitation,street",
                           "\"环卫\",\"dept-sanitation\",street\r");
    loaded(scratch);
    change("departments.csv", "\"环卫\"", "\"环卫\"", "\"环\"\"\n卫\"");
    config_refused("departments.csv", line, "name_zh", "one line");
    change("departments.csv", "\"环", "street\r", "street\"");
    config_refused("departments.csv", line + 1, "", "quote in the wrong place");
}

static void a_code_that_does_not_lie_in_its_parent_is_refused(void **state) {
    (void)state;
    unsigned line = change("divisions.csv", "610402006001", ",610402006\n", ",610402005\n");
    config_refused("divisions.csv", line, "parent", "cut by one level");
}

static void grids_of_a_community_that_is_not_there_are_refused(void **state) {
    (void)state;
    unsigned line = change("office.yaml", "but:", "610402006005: 18", "610402006055: 18");
    config_refused("office.yaml", line, "610402006055", "no community of the district");
}

static void a_category_that_is_there_twice_is_told_at_its_line(void **state) {
    struct config_error error;
    PbRules *rules;
    (void)state;
    unsigned line = change("categories.csv", "E0104", "E0104", "E0103");
    assert_int_equal(config_load(scratch, &room, &rules, &error), -EINVAL);
    expect_error(&error, "categories.csv", line, "E0103", "twice");
}

static void a_calendar_that_is_not_there_is_told_at_its_key(void **state) {
    (void)state;
    unsigned line = change("office.yaml", "calendar: china", "calendar: china", "calendar: chine");
    config_refused("office.yaml", line, "calendar", "chine");
}

static void a_file_outside_the_sets_is_refused_and_a_missing_one_is_told(void **state) {
    struct config_error error;
    PbRules *rules;
    (void)state;
    unsigned line = change("office.yaml", "roles:", "roles.yaml", "../../etc/passwd");
    config_refused("office.yaml", line, "roles", "a file of this set or of one beside it");
    change("office.yaml", "roles:", "../../etc/passwd", "rolls.yaml");
    assert_int_equal(config_load(scratch, &room, &rules, &error), -ENOENT);
    expect_error(&error, "rolls.yaml", 0, "", "No such file");
}

static void a_set_that_does_not_fit_its_memory_is_refused(void **state) {
    struct config_error error;
    PbRules *rules;
    static uint8_t memory[300000];
    struct arena small;
    (void)state;
    for (size_t cap = 1000; cap < sizeof memory; cap += 1777) {
        arena_wrap(&small, memory, cap);
        assert_int_equal(config_load("config/qindu", &small, &rules, &error), -ENOMEM);
        assert_non_null(strstr(error.what, "too large"));
    }
}

/* ---- whistled.yaml --------------------------------------------------------------------------------------------- */

struct settings { uint64_t lease_ms; char store[OPTION_TEXT_MAX]; };
static const struct option_spec settings_table[] = {
    {"lease_ms", OPTION_MS, 1000, 600000, 30000, NULL, offsetof(struct settings, lease_ms), "A lease."},
    {"store", OPTION_TEXT, 1, 0, 0, "/var/lib/whistled", offsetof(struct settings, store), "A place."},
};

static int settings_of(const char *text, struct settings *ret, struct config_error *error) {
    char path[512];
    file_put("settings.yaml", text, strlen(text));
    options_default(settings_table, COUNT_OF(settings_table), ret);
    return config_settings(scratch_file(path, scratch, "settings.yaml"), settings_table, COUNT_OF(settings_table), ret,
                           error);
}

static void settings_are_taken_and_their_errors_told_with_line_and_key(void **state) {
    static const struct { const char *text; unsigned line; const char *key, *what; } wrong[] = {
        {"store: a\nlease: 30s\n", 2, "lease", "'lease_ms'"},
        {"lease_ms: 30min\n", 1, "lease_ms", "bounds; it must be a time with its unit, such as 30s, from 1s to 10min"},
        {"\n\nlease_ms: soon\n", 3, "lease_ms", "cannot be read; it must be a time"},
        {"store: [a]\n", 1, "store", "single value"},
        {"store: a\nstore: b\n", 2, "store", "twice"},
        {"- a\n", 1, "", "mapping"},
        {"store: !!str a\n", 1, "store", "tag"},
        {"", 1, "", "empty"},
    };
    struct settings s;
    struct config_error error;
    (void)state;
    assert_int_equal(settings_of("# all\nlease_ms: 45s\nstore: \"/tmp/谷\"\n", &s, &error), 0);
    assert_int_equal(s.lease_ms, 45000);
    assert_string_equal(s.store, "/tmp/谷");
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        assert_int_equal(settings_of(wrong[i].text, &s, &error), -EINVAL);
        expect_error(&error, "settings.yaml", wrong[i].line, wrong[i].key, wrong[i].what);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ON_A_COPY(an_unknown_key_is_told_with_the_nearest_one),
        ON_A_COPY(a_missing_key_is_told_where_it_should_be),
        ON_A_COPY(what_only_the_checks_miss_is_named_at_the_nearest_line),
        ON_A_COPY(a_value_of_the_wrong_type_is_refused),
        ON_A_COPY(a_list_where_a_word_belongs_is_refused),
        ON_A_COPY(a_word_that_is_none_of_the_choices_is_refused_with_the_choices),
        ON_A_COPY(a_role_whose_name_begins_with_no_letter_is_refused),
        ON_A_COPY(so_is_a_department_whose_role_begins_with_no_letter),
        ON_A_COPY(a_bad_limit_is_refused),
        ON_A_COPY(an_alias_is_refused_at_its_own_line),
        ON_A_COPY(a_duplicate_key_is_refused_at_the_second),
        ON_A_COPY(nesting_deeper_than_sixteen_is_refused),
        ON_A_COPY(a_second_document_is_refused),
        ON_A_COPY(text_that_is_not_yaml_is_refused),
        ON_A_COPY(text_that_is_not_utf8_is_refused),
        ON_A_COPY(a_file_over_four_mebibytes_is_refused),
        ON_A_COPY(an_impossible_date_is_refused),
        ON_A_COPY(a_day_that_is_there_twice_is_told_at_its_line),
        ON_A_COPY(opening_hours_that_close_before_they_open_are_refused),
        ON_A_COPY(a_zone_is_an_offset_or_steps_not_both_and_not_neither),
        ON_A_COPY(a_stage_that_cannot_be_reached_is_told_at_its_line),
        ON_A_COPY(an_endless_loop_is_told_at_the_key_that_makes_it),
        ON_A_COPY(a_stage_that_is_not_there_is_refused),
        ON_A_COPY(a_department_nobody_knows_is_refused),
        ON_A_COPY(a_handling_limit_that_differs_from_the_last_milestone_is_refused),
        ON_A_COPY(milestones_out_of_order_are_told_at_their_column),
        ON_A_COPY(a_csv_file_without_a_column_it_needs_is_refused),
        ON_A_COPY(a_row_that_is_too_short_or_too_long_is_refused),
        ON_A_COPY(quoted_fields_may_hold_commas_quotes_and_line_ends),
        ON_A_COPY(a_code_that_does_not_lie_in_its_parent_is_refused),
        ON_A_COPY(grids_of_a_community_that_is_not_there_are_refused),
        ON_A_COPY(a_category_that_is_there_twice_is_told_at_its_line),
        ON_A_COPY(a_calendar_that_is_not_there_is_told_at_its_key),
        ON_A_COPY(a_file_outside_the_sets_is_refused_and_a_missing_one_is_told),
        ON_A_COPY(a_set_that_does_not_fit_its_memory_is_refused),
        ON_A_COPY(settings_are_taken_and_their_errors_told_with_line_and_key),
    };
    return cmocka_run_group_tests(tests, room_made, room_freed);
}
