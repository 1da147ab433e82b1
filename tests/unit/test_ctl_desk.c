/* Many cases at once: which are meant, and the plan that two persons look at. The table of commands, the bar, the
 * frame. */
#include "ctl/commands.h"
#include "ctl/many.h"
#include "ctl/top.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct ctl c = {.zone_s = 8 * 3600};

/* ---- filters ----------------------------------------------------------------------------------------------------- */

static void assert_filter(const char *word, const char *other, bool takes, const PbCaseView *v) {
    struct texts words = {.at = {word, other}, .count = other ? 2 : 1};
    struct filter f;
    char problem[256] = "";
    if (filter_parse(&c, &words, &f, problem))
        fail_msg("%s: %s", word, problem);
    if (filter_takes(&f, v, 1000 * 86400000LL) != takes)
        fail_msg("%s: %s", word, takes ? "does not take it" : "takes it");
}

static void a_filter_takes_what_all_its_conditions_take(void **state) {
    (void)state;
    PbAskView done = {.party = (char *)"grid-leader@610402006001", .status = (char *)"done"};
    PbAskView asked = {.party = (char *)"grid-worker@610402006001003", .status = (char *)"asked"};
    PbAskView *asks[] = {&done, &asked};
    PbPlace place = {.division = 610402006001003};
    PbCaseView v = {.state = STATE_HANDLING, .place = &place, .category = (char *)"E0102", .asks = asks, .n_asks = 2,
                    .opened_at_ms = 990 * 86400000LL};
    assert_filter("prefix=610402006", NULL, true, &v);
    assert_filter("prefix=610402007", NULL, false, &v);
    assert_filter("state=handling", "category=E0102", true, &v);
    assert_filter("state=办理中", NULL, true, &v);
    assert_filter("state=handling", "category=E0101", false, &v);
    assert_filter("older-than=10d", NULL, true, &v);
    assert_filter("older-than=11d", NULL, false, &v);
    assert_filter("overdue", NULL, false, &v);
    v.overdue = true;
    assert_filter("overdue", "state=handling", true, &v);
    assert_filter("party=grid-worker@610402006001003", NULL, true, &v);
    assert_filter("party=grid-leader@610402006001", NULL, false, &v);        /* has answered: nothing is open */
}

static void a_condition_that_is_none_is_named_with_those_there_are(void **state) {
    (void)state;
    static const struct { const char *word, *other, *says; } wrongs[] = {
        {"colour=red", NULL, "\"colour=red\" is no condition; these are: prefix=CODE"},
        {"state=gone", NULL, "\"gone\" is none of reported"}, {"overdue=yes", NULL, "takes no value"},
        {"prefix", NULL, "needs a value"}, {"prefix=61x", NULL, "is not a division's code"},
        {"state=handling", "state=reported", "is said twice"}, {"older-than=soon", NULL, "is not a time such as"},
    };
    for (size_t i = 0; i < COUNT_OF(wrongs); i++) {
        struct texts words = {.at = {wrongs[i].word, wrongs[i].other}, .count = wrongs[i].other ? 2 : 1};
        struct filter f;
        char problem[256] = "";
        assert_int_equal(filter_parse(&c, &words, &f, problem), CTL_USAGE);
        if (!strstr(problem, wrongs[i].says))
            fail_msg("\"%s\" does not say \"%s\"", problem, wrongs[i].says);
    }
}

/* ---- plans ------------------------------------------------------------------------------------------------------- */

static struct chosen chosen[] = {
    {.case_id = 7, .stage = 1, .attempt = 2, .number = "610402-20260214-00001"},
    {.case_id = 9, .stage = 2, .attempt = 1, .number = "610402-20260214-00002"},
};
static const struct plan plan = {
    .verb = BATCH_REASSIGN, .to = {.at = {"street-desk@610402006", "dept-urban@610402"}, .count = 2}, .text = "按 通知",
    .urgency = URGENCY_II, .wall = WALL_OUTSIDE, .cases = {.at = chosen, .count = COUNT_OF(chosen)},
};

static void a_plan_is_read_as_it_was_written(void **state) {
    (void)state;
    size_t len;
    uint32_t line;
    char problem[256] = "", *text = plan_print(&plan, &len);
    struct plan read;
    assert_int_equal(plan_parse(&c, text, len, &read, &line, problem), 0);
    assert_int_equal(read.verb, BATCH_REASSIGN);
    assert_int_equal(read.to.count, 2);
    assert_string_equal(read.to.at[1], "dept-urban@610402");
    assert_string_equal(read.text, "按 通知");
    assert_null(read.category);
    assert_int_equal(read.urgency, URGENCY_II);
    assert_int_equal(read.wall, WALL_OUTSIDE);
    assert_int_equal(read.cases.count, 2);
    assert_memory_equal(&read.cases.at[0], &chosen[0], sizeof chosen[0]);
    assert_int_equal(read.cases.at[1].case_id, 9);
    struct hash a = selection_digest(&plan.cases), b = selection_digest(&read.cases);
    assert_true(hash_equal(&a, &b));
    plan_free(&read);
}

static void the_digest_is_that_of_the_protocol(void **state) {
    (void)state;
    uint8_t ids[16] = {7, [8] = 9};                              /* 8 bytes each, little-endian, ascending */
    struct hash want = hash_of(slice_from(ids, sizeof ids)), got = selection_digest(&plan.cases);
    assert_true(hash_equal(&want, &got));
}

static void a_line_that_is_none_of_a_plans_is_named(void **state) {
    (void)state;
    static const struct { const char *text; uint32_t line; } wrongs[] = {
        {"verb dance\n", 1}, {"verb close\ncase 7 1 2\n", 2}, {"verb close\ncase 9 1 1 x\ncase 7 1 1 x\n", 3},
        {"verb close\ncolour red\n", 2}, {"verb close\ncase 7 1 1 x", 2}, {"verb close\n", 1},
        {"case 7 1 1 x\n", 1}, {"", 0}, {"verb close\ncase 7 1 99999999999 x\n", 2}, {"verb close\ntext \xFF\n", 2},
    };
    for (size_t i = 0; i < COUNT_OF(wrongs); i++) {
        struct plan p;
        uint32_t line;
        size_t len = strlen(wrongs[i].text);
        char problem[256] = "", *text = malloc(len + !len);
        memcpy(text, wrongs[i].text, len);               /* as from a file: nothing stands behind the last byte */
        if (plan_parse(&c, text, len, &p, &line, problem) == 0)
            fail_msg("%s is taken", wrongs[i].text);
        assert_int_equal(line, wrongs[i].line);
        assert_int_not_equal(problem[0], '\0');
        plan_free(&p);
    }
}

static void what_is_wrong_with_a_plan_is_said_in_the_callers_language(void **state) {
    (void)state;
    struct ctl chinese = {.language = LANGUAGE_ZH};
    struct plan p;
    uint32_t line;
    char problem[256] = "";
    assert_int_not_equal(plan_parse(&chinese, strdup("verb dance\n"), 11, &p, &line, problem), 0);
    assert_string_equal(problem, "“verb dance”不是计划里的一行");
    plan_free(&p);
}

static void a_plan_that_was_changed_does_not_fit_its_batch(void **state) {
    (void)state;
    uint8_t id[COMMAND_ID_SIZE];
    plan_id(id, 1771032600000, SLICE("verb close\ncase 7 1 1 x\n"));
    assert_int_equal(id_instant(id), 1771032600000);
    assert_true(plan_has_id(id, SLICE("verb close\ncase 7 1 1 x\n")));
    assert_false(plan_has_id(id, SLICE("verb close\ncase 8 1 1 x\n")));
}

static void a_case_has_one_command_id_in_a_batch_and_another_in_the_next(void **state) {
    (void)state;
    uint8_t batch[COMMAND_ID_SIZE], next[COMMAND_ID_SIZE], a[COMMAND_ID_SIZE], b[COMMAND_ID_SIZE];
    plan_id(batch, 1771032600000, SLICE("one"));
    plan_id(next, 1771032600000, SLICE("two"));
    plan_case_id(a, batch, 7);
    plan_case_id(b, batch, 7);
    assert_memory_equal(a, b, sizeof a);
    assert_int_equal(id_instant(a), 1771032600000);
    plan_case_id(b, batch, 8);
    assert_memory_not_equal(a, b, sizeof a);
    plan_case_id(b, next, 7);
    assert_memory_not_equal(a, b, sizeof a);
}

/* ---- commands ---------------------------------------------------------------------------------------------------- */

static bool chinese(struct slice s) {
    for (size_t i = 0; i < s.len; i++)
        if (s.at[i] >= 0xE3)
            return true;
    return false;
}

static void assert_both(const char *name, const char *both) {
    struct slice zh = both_in(LANGUAGE_ZH, both), en = both_in(LANGUAGE_EN, both);
    if (!chinese(zh) || en.len == 0 || slice_equal(zh, en))
        fail_msg("%s: \"%s\" is not in both languages: write BOTH(\"...\", \"...\")", name, both);
}

static void everything_that_help_says_is_said_in_both_languages(void **state) {
    (void)state;
    for (size_t i = 0; i < commands_count; i++) {
        const struct command_line *l = commands[i].line;
        assert_non_null(commands[i].main);
        assert_both(l->name, l->sentence);
        if (l->more)
            assert_both(l->name, l->more);
        for (size_t k = 0; k < l->count; k++)
            assert_both(l->name, l->table[k].sentence);
    }
    for (size_t i = 0; i < global_arguments_count; i++)
        assert_both("globals", global_arguments[i].sentence);
    for (int g = 0; g < GROUPS; g++)
        assert_both("groups", group_title((enum command_group)g));
}

static void every_command_has_a_name_of_its_own_and_is_found_by_it(void **state) {
    (void)state;
    for (size_t i = 0; i < commands_count; i++) {
        char name[64], *words[2] = {name, NULL};
        int count = 0;
        (void)snprintf(name, sizeof name, "%s", commands[i].line->name);
        char *space = strchr(name, ' ');
        if (space)
            *space = '\0', words[1] = space + 1;
        assert_ptr_equal(command_find(space ? 2 : 1, words, &count), &commands[i]);
        assert_int_equal(count, space ? 2 : 1);
    }
}

static void a_word_that_is_none_is_told_the_nearest_or_its_family(void **state) {
    (void)state;
    char near[LINE_BYTES];
    command_nearest("reasign", near);
    assert_string_equal(near, "reassign");
    command_nearest("extend", near);
    assert_string_equal(near, "extend ask, extend grant, extend refuse");
}

static void a_choice_is_said_in_either_language(void **state) {
    (void)state;
    for (int type = 0; type < ARGUMENT_TYPES; type++) {
        size_t count;
        const struct choice *list = choices_of((enum argument_type)type, &count);
        struct argument a = {.name = "--x", .type = (enum argument_type)type};
        for (size_t i = 0; list && i < count; i++) {
            int en = -1, zh = -1;
            char problem[256];
            assert_int_equal(argument_take(&c, &a, list[i].word, &en, problem), 0);
            assert_int_equal(argument_take(&c, &a, list[i].zh, &zh, problem), 0);
            assert_int_equal(en, list[i].value);
            assert_int_equal(zh, list[i].value);
        }
    }
}

/* ---- the bar, the frame ------------------------------------------------------------------------------------------ */

static void the_bar_says_how_much_is_used(void **state) {
    (void)state;
    static const struct { uint32_t percent; const char *bar; } bars[] = {
        {0, "[..........]   0%"}, {9, "[..........]   9%"}, {10, "[#.........]  10%"}, {99, "[#########.]  99%"},
        {100, "[##########] 100%!"}, {250, "[##########] 250%!"}, {UINT32_MAX, "[##########] 999%!"},
    };
    char text[PRINTED_BYTES];
    for (size_t i = 0; i < COUNT_OF(bars); i++) {
        print_used(bars[i].percent, text);
        assert_string_equal(text, bars[i].bar);
    }
}

static void the_next_limit_is_no_reminder_and_none_that_stands_still(void **state) {
    (void)state;
    PbTimerView remind = {.kind = TIMER_REMIND, .due_ms = 1};
    PbTimerView still = {.kind = TIMER_HANDLING, .due_ms = 2, .stopped = true};
    PbTimerView review = {.kind = TIMER_REVIEW, .due_ms = 9}, promise = {.kind = TIMER_PROMISE, .due_ms = 12};
    PbTimerView *timers[] = {&remind, &still, &promise, &review};
    PbCaseView v = {.timers = timers, .n_timers = 4};
    assert_ptr_equal(next_limit(&v), &review);
    v.n_timers = 2;
    assert_null(next_limit(&v));
}

/* 40 desks, each case an hour longer overdue than the one before. */
static struct top_count *crowd(void) {
    static struct top_count n;
    memset(&n, 0, sizeof n);
    for (unsigned i = 0; i < 400; i++) {
        char number[32];
        PbPlace place = {.division = 610402006001001 + (i % 40) * 1000};
        (void)snprintf(number, sizeof number, "610402-20260214-%05u", i);
        PbCaseView v = {.number = number, .state = STATE_HANDLING, .level = LEVEL_COMMUNITY, .place = &place,
                        .overdue = true, .promise_due_ms = 1771032600000 - i * 3600000LL,
                        .waiting_for = (char *)"grid-worker@610402006001003"};
        top_count_case(&n, &v, 1771032600000);
    }
    return &n;
}

static void the_frame_fits_the_terminal_in_both_languages(void **state) {
    (void)state;
    const struct top_view v = {.now_ms = 1771032600000, .epoch = 999, .seq = 123456789012, .open = 9999999,
                               .all = 99999999, .sync_p50_us = 999999, .sync_p99_us = 9999999, .draining = true,
                               .silent_ms = 5000};
    for (int l = 0; l < 2; l++) {
        struct ctl in = {.language = l ? LANGUAGE_ZH : LANGUAGE_EN, .zone_s = 8 * 3600, .drill = true};
        char text[TOP_FRAME_BYTES], copy[TOP_FRAME_BYTES];
        unsigned lines = 0;
        top_frame(&in, &v, crowd(), 80, 24, text);
        assert_null(strchr(text, '\x1b'));
        (void)snprintf(copy, sizeof copy, "%s", text);
        for (char *at = copy, *end; *at; at = end + 1, lines++) {
            end = strchr(at, '\n');
            *end = '\0';
            assert_true(text_width(at) <= 80);
        }
        assert_true(lines <= 24);
        assert_non_null(strstr(text, "610402-20260214-00399"));               /* the oldest overdue is shown, */
        assert_null(strstr(text, "610402-20260214-00393"));                   /* the seventh is not */
    }
}

static void the_frame_of_a_small_terminal_is_cut(void **state) {
    (void)state;
    const struct top_view v = {.now_ms = 1771032600000};
    char text[TOP_FRAME_BYTES];
    unsigned lines = 0;
    top_frame(&c, &v, crowd(), 20, 3, text);
    for (const char *at = text; *at; at++)
        lines += *at == '\n';
    assert_int_equal(lines, 3);
}

int main(void) {
    crypto_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_filter_takes_what_all_its_conditions_take),
        cmocka_unit_test(a_condition_that_is_none_is_named_with_those_there_are),
        cmocka_unit_test(a_plan_is_read_as_it_was_written),
        cmocka_unit_test(the_digest_is_that_of_the_protocol),
        cmocka_unit_test(a_line_that_is_none_of_a_plans_is_named),
        cmocka_unit_test(what_is_wrong_with_a_plan_is_said_in_the_callers_language),
        cmocka_unit_test(a_plan_that_was_changed_does_not_fit_its_batch),
        cmocka_unit_test(a_case_has_one_command_id_in_a_batch_and_another_in_the_next),
        cmocka_unit_test(everything_that_help_says_is_said_in_both_languages),
        cmocka_unit_test(every_command_has_a_name_of_its_own_and_is_found_by_it),
        cmocka_unit_test(a_word_that_is_none_is_told_the_nearest_or_its_family),
        cmocka_unit_test(a_choice_is_said_in_either_language),
        cmocka_unit_test(the_bar_says_how_much_is_used),
        cmocka_unit_test(the_next_limit_is_no_reminder_and_none_that_stands_still),
        cmocka_unit_test(the_frame_fits_the_terminal_in_both_languages),
        cmocka_unit_test(the_frame_of_a_small_terminal_is_cut),
    };
    return cmocka_run_group_tests_name("ctl_desk", tests, NULL, NULL);
}
