/* test_config_detours.c: what a playbook says of its detours and a category of its evidence: taken, or told why not. */
#include "daemon/kernel/kernel.h"
#include "tests/unit/config_scratch.h"
#include <stdio.h>
#include <string.h>

#define INCIDENT "playbooks/incident.yaml"
#define CATEGORIES "categories.csv"

static const char *const limits[] = {"return_within", "suspend_most", "follow_up", "reopen_within", "appeal_within",
                                     "transfer_ack"};
static const struct { const char *key; unsigned least, most; } numbers[] = {
    {"returns_max", 1, 9}, {"extensions_max", 0, 9}, {"extensions_percent", 1, 1000}, {"suspensions_max", 0, 9},
    {"reopens_max", 0, 9}, {"delegations_max", 0, 9},
};

/* Writes this value for that key, whatever stood there; the old line stays behind as a comment. */
static unsigned put(const char *key, const char *value) {
    char from[64], to[128];
    snprintf(from, sizeof from, "\n%s: ", key);
    snprintf(to, sizeof to, "\n%s: %s # ", key, value);
    return change(INCIDENT, "calendar: china", from, to) + 1;
}

static void what_an_office_sees_is_what_holds_when_it_says_nothing(void **state) {
    struct playbook_limits written, silent;
    const PbPlaybook *p = loaded("config/qindu")->playbooks[0];
    PbPlaybook empty = {.name = p->name};
    (void)state;
    playbook_limits(p, &written);
    playbook_limits(&empty, &silent);
    const PbLimit *a[] = {&written.return_within, &written.suspend_most, &written.follow_up, &written.reopen_within,
                          &written.appeal_within, &written.transfer_ack};
    const PbLimit *b[] = {&silent.return_within, &silent.suspend_most, &silent.follow_up, &silent.reopen_within,
                          &silent.appeal_within, &silent.transfer_ack};
    for (size_t i = 0; i < COUNT_OF(a); i++)
        assert_true(a[i]->unit == b[i]->unit && a[i]->amount == b[i]->amount);
    assert_int_equal(written.returns_max, silent.returns_max);
    assert_int_equal(written.extensions_max, silent.extensions_max);
    assert_int_equal(written.extensions_percent, silent.extensions_percent);
    assert_int_equal(written.suspensions_max, silent.suspensions_max);
    assert_int_equal(written.reopens_max, silent.reopens_max);
    assert_int_equal(written.delegations_max, silent.delegations_max);
    assert_true(p->return_within && p->suspend_most && p->follow_up && p->reopen_within && p->appeal_within
                && p->transfer_ack && p->has_returns_max && p->has_delegations_max);
    assert_null(loaded("config/drill")->playbooks[0]->return_within);
}

static void another_value_is_taken(void **state) {
    struct playbook_limits n;
    (void)state;
    put("return_within", "4wh");
    put("suspend_most", "30cd");
    put("follow_up", "3wd");
    put("reopen_within", "1mo");
    put("appeal_within", "60cd");
    put("transfer_ack", "90cm");
    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        char value[16];
        snprintf(value, sizeof value, "%u", numbers[i].most - (unsigned)i);
        put(numbers[i].key, value);
    }
    playbook_limits(loaded(scratch)->playbooks[0], &n);
    assert_true(n.return_within.unit == UNIT_WORK_HOURS && n.return_within.amount == 4);
    assert_true(n.suspend_most.unit == UNIT_CALENDAR_DAYS && n.suspend_most.amount == 30);
    assert_true(n.follow_up.unit == UNIT_WORK_DAYS && n.follow_up.amount == 3);
    assert_true(n.reopen_within.unit == UNIT_MONTHS && n.reopen_within.amount == 1);
    assert_true(n.appeal_within.unit == UNIT_CALENDAR_DAYS && n.appeal_within.amount == 60);
    assert_true(n.transfer_ack.unit == UNIT_CLOCK_MINUTES && n.transfer_ack.amount == 90);
    assert_int_equal(n.returns_max, 9);
    assert_int_equal(n.extensions_max, 8);
    assert_int_equal(n.extensions_percent, 998);
    assert_int_equal(n.suspensions_max, 6);
    assert_int_equal(n.reopens_max, 5);
    assert_int_equal(n.delegations_max, 4);
}

static void a_limit_of_a_detour_that_is_none_is_told_at_its_line(void **state) {
    static const char *const wrong[] = {"2", "wd", "2 wd", "0wd", "-1wd", "2days", "1000001cd", "soon"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(limits); i++) {
        for (size_t k = 0; k < COUNT_OF(wrong); k++)
            config_refused(INCIDENT, put(limits[i], wrong[k]), limits[i], "must be a limit such as");
        config_refused(INCIDENT, put(limits[i], "[2wd]"), limits[i], "must be a single value");
        put(limits[i], "2wd");
        loaded(scratch);
    }
}

static void a_limit_that_no_calendar_reaches_is_told(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(limits); i++) {
        struct config_error error;
        PbRules *rules;
        put(limits[i], "999999mo");
        assert_true(config_load(scratch, &room, &rules, &error) < 0);
        char path[512];
        assert_string_equal(error.file, scratch_file(path, scratch, INCIDENT));
        assert_string_equal(error.key, limits[i]);
        assert_non_null(strstr(error.what, "is too long"));
        put(limits[i], "2wd");
    }
}

static void a_number_of_a_detour_out_of_its_range_is_told_with_the_range(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        char over[16], range[64];
        snprintf(over, sizeof over, "%u", numbers[i].most + 1);
        snprintf(range, sizeof range, "must be a number from %u to %u", numbers[i].least, numbers[i].most);
        const char *const wrong[] = {over, "-1", "two", "1.5", "99999999999999999999", numbers[i].least ? "0" : "2x"};
        for (size_t k = 0; k < COUNT_OF(wrong); k++)
            config_refused(INCIDENT, put(numbers[i].key, wrong[k]), numbers[i].key, range);
        put(numbers[i].key, "1");
        loaded(scratch);
    }
}

static void a_detour_nobody_knows_is_told_with_the_nearest(void **state) {
    (void)state;
    unsigned line = change(INCIDENT, "calendar: china", "reopens_max", "reopen_max");
    config_refused(INCIDENT, line, "reopen_max", "'reopens_max'");
    change(INCIDENT, "calendar: china", "reopen_max", "returns_max");
    config_refused(INCIDENT, line, "returns_max", "twice");
}

/* ---- categories ------------------------------------------------------------------------------------------------ */

static unsigned columns_put(const char *evidence_min, const char *extension) {
    char row[256];
    file_put(CATEGORIES, "", 0);
    snprintf(row, sizeof row, "code,major_zh,minor_zh,minor_en,wall,level,departments,urgency,accept_limit,milestones,"
             "handling_limit,evidence_min,extension\nE0102,市容环境,暴露垃圾,garbage,both,社区/街道,物业(内);环卫(外),III,2wh,"
             "clear=4wh,4wh,%s,%s\n", evidence_min, extension);
    file_put(CATEGORIES, row, strlen(row));
    return 2;
}

static void a_category_asks_for_evidence_and_presets_its_extension(void **state) {
    (void)state;
    columns_put("2", "3wd");
    const PbCategory *c = loaded(scratch)->categories[0];
    assert_true(c->has_evidence_min && c->evidence_min == 2);
    assert_true(c->extension->unit == UNIT_WORK_DAYS && c->extension->amount == 3);
    columns_put("", "");
    c = loaded(scratch)->categories[0];
    assert_false(c->has_evidence_min);
    assert_null(c->extension);
    columns_put("8", "1cd");
    assert_int_equal(loaded(scratch)->categories[0]->evidence_min, 8);
}

static void evidence_and_extensions_that_are_none_are_told_at_their_row(void **state) {
    static const char *const counts[] = {"9", "-1", "one", "1.0"}, *const extensions[] = {"3", "0wd", "3 wd", "later"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(counts); i++)
        config_refused(CATEGORIES, columns_put(counts[i], "3wd"), "evidence_min", "must be a number from 0 to 8");
    for (size_t i = 0; i < COUNT_OF(extensions); i++)
        config_refused(CATEGORIES, columns_put("1", extensions[i]), "extension", "must be a limit such as");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ON_A_COPY(what_an_office_sees_is_what_holds_when_it_says_nothing),
        ON_A_COPY(another_value_is_taken),
        ON_A_COPY(a_limit_of_a_detour_that_is_none_is_told_at_its_line),
        ON_A_COPY(a_limit_that_no_calendar_reaches_is_told),
        ON_A_COPY(a_number_of_a_detour_out_of_its_range_is_told_with_the_range),
        ON_A_COPY(a_detour_nobody_knows_is_told_with_the_nearest),
        ON_A_COPY(a_category_asks_for_evidence_and_presets_its_extension),
        ON_A_COPY(evidence_and_extensions_that_are_none_are_told_at_their_row),
    };
    return cmocka_run_group_tests(tests, room_made, room_freed);
}
