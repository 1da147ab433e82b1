/* A command line is understood, or it is said what would be right. */
#include "ctl/ctl.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct values {
    bool flag;
    const char *word, *kind, *text;
    uint64_t number, division;
    int64_t span_ms, at_ms;
    struct divisions divisions;
    struct texts texts;
    struct command_id id;
    const char *by;
    PbLimit limit;
    int level;
    struct evidences evidence;
};

#define AT(field) offsetof(struct values, field)
static const struct argument table[] = {
    {"CASE", NULL, ARGUMENT_TEXT, AT(word), "a case", true},
    {"KIND", NULL, ARGUMENT_TEXT, AT(kind), "a kind", false},
    {"--flag", NULL, ARGUMENT_FLAG, AT(flag), "a flag", false},
    {"--text", "TEXT", ARGUMENT_TEXT, AT(text), "a text", false},
    {"--number", "N", ARGUMENT_NUMBER, AT(number), "a number", false},
    {"--promise", "TIME", ARGUMENT_SPAN, AT(span_ms), "a time", false},
    {"--occurred", "INSTANT", ARGUMENT_INSTANT, AT(at_ms), "an instant", false},
    {"--division", "CODE", ARGUMENT_DIVISION, AT(division), "a division", false},
    {"--prefix", "CODE", ARGUMENT_DIVISIONS, AT(divisions), "divisions", false},
    {"--to", "PARTY", ARGUMENT_TEXTS, AT(texts), "parties", false},
    {"--id", "HEX", ARGUMENT_ID, AT(id), "an id", false},
    {"--who", "WORD", ARGUMENT_WORD, AT(by), "a staff number", false},
    {"--limit", "LIMIT", ARGUMENT_LIMIT, AT(limit), "a limit", false},
    {"--level", "LEVEL", ARGUMENT_LEVEL, AT(level), BOTH("层级", "a level"), false},
    {"--evidence", "SHA256", ARGUMENT_EVIDENCE, AT(evidence), "evidence", false},
};
static const struct command_line line = {"try", "tries", table, COUNT_OF(table), NULL};

static struct ctl c;
static struct values v;
static char problem[256];

/* Up to eight words after the command's name. */
struct given { const char *word[9]; };

static int parse(struct given g) {
    char *argv[10] = {(char *)"try"};
    int argc = 1;
    for (size_t i = 0; i < COUNT_OF(g.word) && g.word[i]; i++)
        argv[argc++] = (char *)g.word[i];
    c = (struct ctl){.zone_s = 8 * 3600, .wait_ms = 5000};
    v = (struct values){.flag = false};
    problem[0] = '\0';
    return arguments_parse(&c, &line, argc, argv, &v, problem);
}
#define PARSE(...) parse((struct given){{__VA_ARGS__}})

static void assert_wrong(int r, const char *says) {
    assert_int_equal(r, CTL_USAGE);
    if (!strstr(problem, says))
        fail_msg("\"%s\" does not say \"%s\"", problem, says);
}

static void words_are_taken_by_their_place_and_options_anywhere(void **state) {
    (void)state;
    assert_int_equal(PARSE("--flag", "14", "--text", "两天", "done", "--number=7"), 0);
    assert_string_equal(v.word, "14");
    assert_string_equal(v.kind, "done");
    assert_true(v.flag);
    assert_string_equal(v.text, "两天");
    assert_int_equal(v.number, 7);
    assert_int_equal(PARSE("14", "--text", ""), 0);
    assert_string_equal(v.text, "");
    assert_int_equal(PARSE("14", "--text=--flag"), 0);
    assert_string_equal(v.text, "--flag");
    assert_false(v.flag);
}

static void global_options_are_taken_anywhere(void **state) {
    (void)state;
    assert_int_equal(PARSE("14", "--json", "--lang", "zh_CN.UTF-8", "--wait", "2s", "--front", "ipc:///x"), 0);
    assert_true(c.json);
    assert_int_equal(c.language, LANGUAGE_ZH);
    assert_int_equal(c.wait_ms, 2000);
    assert_string_equal(c.front, "ipc:///x");
    assert_int_equal(PARSE("14", "--zone", "-05:30"), 0);
    assert_int_equal(c.zone_s, -(5 * 3600 + 30 * 60));
    assert_wrong(PARSE("14", "--zone", "+8"), "--zone: \"+8\" is not a zone such as +08:00");
    assert_wrong(PARSE("14", "--zone", "+19:00"), "is not a zone");
    assert_wrong(PARSE("14", "--wait", "2d"), "is not a time up to 1d");
    assert_wrong(PARSE("14", "--lang", "fr"), "is not zh or en");
}

static void global_options_may_stand_before_the_command(void **state) {
    (void)state;
    char *argv[] = {(char *)"whistlectl", (char *)"--json", (char *)"--wait=1s", (char *)"list", (char *)"--all"};
    int at = 0;
    c = (struct ctl){.zone_s = 0};
    assert_int_equal(arguments_globals(&c, COUNT_OF(argv), argv, &at, problem), 0);
    assert_int_equal(at, 3);
    assert_true(c.json);
    assert_int_equal(c.wait_ms, 1000);
    char *unknown[] = {(char *)"whistlectl", (char *)"--jsn", (char *)"list"};
    assert_wrong(arguments_globals(&c, COUNT_OF(unknown), unknown, &at, problem), "the nearest is --json");
    char *help[] = {(char *)"whistlectl", (char *)"--json", (char *)"--help"};
    assert_int_equal(arguments_globals(&c, COUNT_OF(help), help, &at, problem), 0);
    assert_int_equal(at, 2);
}

static void instants_are_read_in_the_zone_that_is_named_wherever_it_stands(void **state) {
    (void)state;
    const int64_t half_past_nine = 1771032600000;                 /* 2026-02-14 09:30 in +08:00 */
    static const char *const same[] = {
        "2026-02-14T09:30", "2026-02-14 09:30:00", "2026-02-14T09:30:00.000", "2026-02-14T01:30:00Z",
        "2026-02-14T01:30Z", "2026-02-13T20:30:00-05:00", "2026-02-14T09:30+08:00",
    };
    for (size_t i = 0; i < COUNT_OF(same); i++) {
        assert_int_equal(PARSE("14", "--occurred", same[i]), 0);
        assert_int_equal(v.at_ms, half_past_nine);
    }
    assert_int_equal(PARSE("14", "--occurred", "2026-02-14T01:30", "--zone", "UTC"), 0);
    assert_int_equal(v.at_ms, half_past_nine);
    assert_int_equal(PARSE("14", "--occurred", "2026-02-14"), 0);
    assert_int_equal(v.at_ms, half_past_nine - (9 * 60 + 30) * 60000);
    static const char *const none[] = {"2026-02-30T09:30", "2026-02-", "yesterday", "2026-02-14T25:00", "",
                                       "2026-02-14T09:30:00+99:00", "2026-02-14T09:30:00ZZ"};
    for (size_t i = 0; i < COUNT_OF(none); i++)
        assert_wrong(PARSE("14", "--occurred", none[i]), "is not an instant such as");
}

static void a_division_has_a_number_of_digits_that_divisions_have(void **state) {
    (void)state;
    assert_int_equal(PARSE("14", "--division", "610402006001001"), 0);
    assert_int_equal(v.division, 610402006001001);
    assert_wrong(PARSE("14", "--division", "61040"), "is not a division's code of 2, 4, 6, 9, 12 or 15 digits");
    assert_wrong(PARSE("14", "--division", "秦都"), "is not a division's code");
    assert_int_equal(PARSE("14", "--prefix", "610402", "--prefix", "61"), 0);
    assert_int_equal(v.divisions.count, 2);
    assert_int_equal(v.divisions.at[1], 61);
}

static void times_have_units_and_numbers_have_none(void **state) {
    (void)state;
    assert_int_equal(PARSE("14", "--promise", "5d"), 0);
    assert_int_equal(v.span_ms, 5 * 86400000LL);
    assert_wrong(PARSE("14", "--promise", "5"), "is not a time such as");
    assert_wrong(PARSE("14", "--promise", "-5d"), "is not a time such as");
    assert_wrong(PARSE("14", "--promise", "999999999999d"), "is not a time such as");
    assert_wrong(PARSE("14", "--number", "seven"), "is not a number");
    assert_wrong(PARSE("14", "--number", "18446744073709551616"), "is not a number");
}

static void an_id_is_thirty_two_hexadecimal_digits(void **state) {
    (void)state;
    assert_int_equal(PARSE("14", "--id", "019c5a0bcB0F70008000000000000001"), 0);
    assert_true(v.id.given);
    const uint8_t want[COMMAND_ID_SIZE] = {0x01, 0x9c, 0x5a, 0x0b, 0xcb, 0x0f, 0x70, 0, 0x80, 0, 0, 0, 0, 0, 0, 1};
    assert_memory_equal(v.id.byte, want, sizeof want);
    assert_wrong(PARSE("14", "--id", "019c"), "is not an id of 32");
    assert_wrong(PARSE("14", "--id", "019c5a0bcb0f7000800000000000000g"), "is not an id of 32");
    assert_int_equal(PARSE("14"), 0);
    assert_false(v.id.given);
}

static void a_limit_has_a_unit_of_the_playbooks(void **state) {
    (void)state;
    assert_int_equal(PARSE("14", "--limit", "3wd"), 0);
    assert_int_equal(v.limit.unit, UNIT_WORK_DAYS);
    assert_int_equal(v.limit.amount, 3);
    static const char *const none[] = {"3", "wd", "3d", "0wd", "-3wd", "3 wd", "99999999999999999999wd", "3wd "};
    for (size_t i = 0; i < COUNT_OF(none); i++)
        assert_wrong(PARSE("14", "--limit", none[i]), "is not a limit such as 3wd");
}

static void a_choice_that_is_none_is_told_all_there_are(void **state) {
    (void)state;
    assert_int_equal(PARSE("14", "--level", "street"), 0);
    assert_int_equal(v.level, LEVEL_STREET);
    assert_int_equal(PARSE("14", "--level", "街道"), 0);
    assert_int_equal(v.level, LEVEL_STREET);
    assert_wrong(PARSE("14", "--level", "moon"),
                 "--level: \"moon\" is none of grid, community, street, district, city, province");
    assert_wrong(PARSE("14", "--who", "王五"), "is not a staff number");
}

static void evidence_is_a_sum_and_perhaps_a_place_eight_times_at_most(void **state) {
    (void)state;
    static const char sum[] = "abababababababababababababababababababababababababababababababab";
    char with[128], *argv[2 + 2 * (EVIDENCES_MAX + 1)] = {(char *)"try", (char *)"14"};
    (void)snprintf(with, sizeof with, "%s=https://photos/1", sum);
    assert_int_equal(PARSE("14", "--evidence", sum, "--evidence", with), 0);
    assert_int_equal(v.evidence.count, 2);
    PbEvidence **list = evidence_list(&v.evidence);
    assert_int_equal(list[0]->sha256.len, 32);
    assert_int_equal(list[1]->sha256.data[31], 0xab);
    assert_null(list[0]->url);
    assert_string_equal(list[1]->url, "https://photos/1");
    assert_wrong(PARSE("14", "--evidence", "abab"), "is not 64 hexadecimal digits");
    for (int i = 0; i <= EVIDENCES_MAX; i++)
        argv[2 + 2 * i] = (char *)"--evidence", argv[3 + 2 * i] = (char *)sum;
    v = (struct values){.flag = false};
    assert_int_equal(arguments_parse(&c, &line, 2 + 2 * EVIDENCES_MAX, argv, &v, problem), 0);
    v = (struct values){.flag = false};
    assert_wrong(arguments_parse(&c, &line, 4 + 2 * EVIDENCES_MAX, argv, &v, problem), "8 times at most");
}

static void help_and_complaints_are_in_the_language_that_is_named(void **state) {
    (void)state;
    assert_wrong(PARSE("14", "--lang", "zh", "--level"), "--level 还缺 LEVEL：层级");
    assert_wrong(PARSE("14", "--lang", "en", "--level"), "--level needs its LEVEL: a level");
}

static void what_is_missing_is_named(void **state) {
    (void)state;
    assert_wrong(PARSE(NULL), "CASE is missing: a case");
    assert_wrong(PARSE("--flag"), "CASE is missing: a case");
    assert_wrong(PARSE("14", "--text"), "--text needs its TEXT: a text");
    assert_wrong(PARSE("14", "--text", "--flag"), "--text needs its TEXT");
}

static void what_is_wrong_is_named_with_what_would_be_right(void **state) {
    (void)state;
    assert_wrong(PARSE("14", "--divison", "61"), "--divison: no such option; the nearest is --division");
    assert_wrong(PARSE("14", "--jsno"), "the nearest is --json");
    assert_wrong(PARSE("14", "done", "extra"), "\"extra\" is one word too many");
    assert_wrong(PARSE("14", "--flag=yes"), "--flag takes no value");
    assert_wrong(PARSE("14", "--number", "1", "--number", "2"), "--number is given twice");
    assert_wrong(PARSE("14", "--text", "\xFF"), "is not text in UTF-8");
}

static void what_may_be_repeated_has_a_limit(void **state) {
    (void)state;
    char *argv[2 + 2 * (TEXTS_MAX + 1)] = {(char *)"try", (char *)"14"};
    for (int i = 0; i <= TEXTS_MAX; i++)
        argv[2 + 2 * i] = (char *)"--to", argv[3 + 2 * i] = (char *)"grid-worker@610402006001001";
    v = (struct values){.flag = false};
    assert_int_equal(arguments_parse(&c, &line, 2 + 2 * TEXTS_MAX, argv, &v, problem), 0);
    assert_int_equal(v.texts.count, TEXTS_MAX);
    v = (struct values){.flag = false};
    assert_wrong(arguments_parse(&c, &line, 4 + 2 * TEXTS_MAX, argv, &v, problem), "sixteen times at most");
}

static void help_is_asked_for_before_anything_is_missing(void **state) {
    (void)state;
    assert_int_equal(PARSE("--help"), ARGUMENTS_HELPED);
    assert_int_equal(PARSE("14", "-h"), ARGUMENTS_HELPED);
}

static void a_case_is_an_id_or_a_number(void **state) {
    (void)state;
    static const struct command_line show = {.name = "show", .sentence = ""};
    PbShowCase s;
    c.line = &show;
    assert_int_equal(case_question(&c, "1234", &s), CTL_DONE);
    assert_true(s.has_case_id);
    assert_int_equal(s.case_id, 1234);
    assert_int_equal(case_question(&c, "610402-20260214-00123", &s), CTL_DONE);
    assert_false(s.has_case_id);
    assert_string_equal(s.number, "610402-20260214-00123");
    static const char *const neither[] = {"", "0", "abc", "610402-20260214", "1-2-3-4", "610402-2026x214-00123"};
    for (size_t i = 0; i < COUNT_OF(neither); i++)
        assert_int_equal(case_question(&c, neither[i], &s), CTL_USAGE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_taken_by_their_place_and_options_anywhere),
        cmocka_unit_test(global_options_are_taken_anywhere),
        cmocka_unit_test(global_options_may_stand_before_the_command),
        cmocka_unit_test(instants_are_read_in_the_zone_that_is_named_wherever_it_stands),
        cmocka_unit_test(a_division_has_a_number_of_digits_that_divisions_have),
        cmocka_unit_test(times_have_units_and_numbers_have_none),
        cmocka_unit_test(an_id_is_thirty_two_hexadecimal_digits),
        cmocka_unit_test(a_limit_has_a_unit_of_the_playbooks),
        cmocka_unit_test(a_choice_that_is_none_is_told_all_there_are),
        cmocka_unit_test(evidence_is_a_sum_and_perhaps_a_place_eight_times_at_most),
        cmocka_unit_test(help_and_complaints_are_in_the_language_that_is_named),
        cmocka_unit_test(what_is_missing_is_named),
        cmocka_unit_test(what_is_wrong_is_named_with_what_would_be_right),
        cmocka_unit_test(what_may_be_repeated_has_a_limit),
        cmocka_unit_test(help_is_asked_for_before_anything_is_missing),
        cmocka_unit_test(a_case_is_an_id_or_a_number),
    };
    return cmocka_run_group_tests_name("ctl_arguments", tests, NULL, NULL);
}
