/* The worldly part of the ground floor: how a bug ends, the clock, instants, the log, options, histograms. */
#include "lib/base/base.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- bugs -------------------------------------------------------------------------------------------------------- */

static void hook_that_fails_too(const char *what, const char *file, int line) {
    (void)file;
    if (strcmp(what, "1 == 2") == 0 && line > 0 && write(STDERR_FILENO, "H", 1) == 1)
        CHECK(false);
}

/* Runs `act` in a child; what it wrote on stderr is in `said`, how it ended is returned. */
static int in_a_child(void (*act)(void), char *said, size_t size) {
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    fflush(NULL);                                        /* or the child would print the parent's words again */
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        signal(SIGILL, SIG_DFL), signal(SIGTRAP, SIG_DFL);   /* cmocka and the sanitizers catch what we want to see */
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]), close(ends[1]);
        act();
        exit(0);                                         /* not _exit: coverage is counted at exit */
    }
    close(ends[1]);
    size_t len = 0;
    ssize_t got;
    while (len < size - 1 && (got = read(ends[0], said + len, size - 1 - len)) > 0)
        len += (size_t)got;
    said[len] = 0;
    close(ends[0]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void break_a_law(void) {
    check_hook = hook_that_fails_too;
    CHECK(1 == 2);
}

static void keep_a_law(void) {
    check_hook = hook_that_fails_too;
    CHECK(1 == 1);
}

static void a_broken_law_ends_the_process_after_one_word(void **state) {
    (void)state;
    char said[256];
    int status = in_a_child(break_a_law, said, sizeof said);
    assert_true(WIFSIGNALED(status));
    assert_string_equal(said, "H");
    status = in_a_child(keep_a_law, said, sizeof said);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_string_equal(said, "");
}

/* ---- clock and instants ------------------------------------------------------------------------------------------ */

static int64_t frozen_ns = 5000000000;
static int64_t frozen_mono_ns(void) { return frozen_ns; }
static int64_t frozen_wall_ms(void) { return 1771061405123; }
static bool never_synchronised(void) { return false; }

static void a_test_can_hold_the_clock(void **state) {
    (void)state;
    int64_t before = clock_mono_ns(), boot = clock_boot_ms();
    assert_true(clock_mono_ns() >= before && clock_boot_ms() >= boot);
    assert_true(clock_wall_ms() > 1700000000000);
    clock_synchronised();                                /* true or false, as the machine is; it must only not fail */
    clock_source = (struct clock_source){frozen_wall_ms, NULL, frozen_mono_ns, never_synchronised};
    assert_true(clock_wall_ms() == 1771061405123 && clock_mono_ns() == frozen_ns);
    assert_false(clock_synchronised());
    assert_true(clock_boot_ms() >= boot);
    clock_source = (struct clock_source){0};
}

static void memory_at_start_up_is_zero_and_there(void **state) {
    (void)state;
    uint8_t *memory = memory_or_die(4096), *nothing = memory_or_die(0);
    for (size_t i = 0; i < 4096; i++)
        assert_int_equal(memory[i], 0);
    assert_non_null(nothing);
    free(memory), free(nothing);
}

static void random_bytes_fill_everything_they_are_given(void **state) {
    (void)state;
    uint8_t a[1000] = {0}, b[1000] = {0};
    random_bytes(a, sizeof a);
    random_bytes(b, sizeof b);
    assert_memory_not_equal(a, b, sizeof a);
    assert_memory_not_equal(a + 990, b + 990, 10);
    random_bytes(a, 0);
}

static void expect_instant(int64_t ms, const char *text) {
    char printed[32];
    int64_t back = -1;
    instant_print(ms, printed);
    assert_string_equal(printed, text);
    assert_true(instant_parse(slice_of(text), &back));
    assert_true(back == ms);
}

static void instants_print_as_they_are_read(void **state) {
    (void)state;
    expect_instant(0, "1970-01-01 00:00:00.000Z");
    expect_instant(1771061405123, "2026-02-14 09:30:05.123Z");
    expect_instant(951782400000, "2000-02-29 00:00:00.000Z");
    expect_instant(951868799999, "2000-02-29 23:59:59.999Z");
    expect_instant(4107542400000, "2100-03-01 00:00:00.000Z");
    expect_instant(-1, "1969-12-31 23:59:59.999Z");
    expect_instant(-86400000, "1969-12-31 00:00:00.000Z");
    expect_instant(-2203891200001, "1900-02-28 23:59:59.999Z");
    expect_instant(-62167219200000, "0000-01-01 00:00:00.000Z");
    expect_instant(253402300799999, "9999-12-31 23:59:59.999Z");
}

static void every_day_of_eight_centuries_follows_the_one_before(void **state) {
    (void)state;
    char last[32], next[32];
    instant_print(-11676096000000, last);
    assert_string_equal(last, "1600-01-01 00:00:00.000Z");
    for (int64_t day = -135139; day < 157000; day++) {
        int64_t back;
        instant_print(day * 86400000, next);
        assert_true(strcmp(last, next) < 0);
        assert_true(instant_parse(slice_of(next), &back) && back == day * 86400000);
        memcpy(last, next, sizeof last);
    }
}

static void instants_that_no_clock_shows_are_refused(void **state) {
    (void)state;
    int64_t ms = 7;
    static const char *const bad[] = {
        "", "2026-02-14", "2026-02-29 00:00:00Z", "1900-02-29 00:00:00Z", "2026-04-31 00:00:00Z",
        "2026-13-01 00:00:00Z", "2026-00-01 00:00:00Z", "2026-01-00 00:00:00Z", "2026-01-32 00:00:00Z",
        "2026-01-01 24:00:00Z",
        "2026-01-01 00:60:00Z", "2026-01-01 00:00:60Z", "2026-01-01 00:00:00 ", "2026-01-01 00:00:00.00Z",
        "2026-01-01 00:00:00.0000", "2026-01-01t00:00:00Z", "2026/01/01 00:00:00Z", "+026-01-01 00:00:00Z",
        "2026-01-01 00:00:00,000Z", "2026-01-01 00:00:00.000z", " 2026-01-01 00:00:00",
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        if (instant_parse(slice_of(bad[i]), &ms))
            fail_msg("accepted '%s'", bad[i]);
    assert_true(ms == 7);
    assert_true(instant_parse(SLICE("2026-02-14T09:30:05Z"), &ms) && ms == 1771061405000);
    assert_true(instant_parse(SLICE("2026-02-14T09:30:05.123Z"), &ms) && ms == 1771061405123);
    char printed[32];
    instant_print(INT64_MAX, printed);
    assert_string_equal(printed, "9223372036854775807 ms");
    instant_print(INT64_MIN, printed);
    assert_string_equal(printed, "-9223372036854775808 ms");
}

/* ---- log --------------------------------------------------------------------------------------------------------- */

static void say_a_lot(void) {
    clock_source.mono_ns = frozen_mono_ns;
    errno = ENOENT;
    for (int i = 0; i < 70; i++)
        log_info("chatter n=%d", i);
    for (int i = 0; i < 70; i++)
        log_error("alarm n=%d", i);
    log_debug("below.threshold");
    frozen_ns += 1000000000;
    log_warn("later name=%s", "a\nb\x1B[31m");
    CHECK(errno == ENOENT);
}

static size_t occurrences(const char *text, const char *word) {
    size_t found = 0;
    for (const char *at = text; (at = strstr(at, word)); at++)
        found++;
    return found;
}

static void chatter_is_cut_and_counted_and_alarms_are_not(void **state) {
    (void)state;
    static char said[16384];
    int status = in_a_child(say_a_lot, said, sizeof said);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_int_equal(occurrences(said, "<6>chatter n="), 50);
    assert_int_equal(occurrences(said, "<3>alarm n="), 70);
    assert_int_equal(occurrences(said, "below.threshold"), 0);
    assert_non_null(strstr(said, "\n<4>log.dropped level=info lines=20\n<4>later name=a?b?[31m\n"));
}

static void say_too_much(void) {
    static char long_value[4000];
    memset(long_value, 'x', sizeof long_value - 1);
    log_warn("long value=%s", long_value);
}

static void a_line_that_was_cut_says_so(void **state) {
    (void)state;
    static char said[8192];
    in_a_child(say_too_much, said, sizeof said);
    size_t len = strlen(said);
    assert_true(len > 900 && len < 1100);
    assert_string_equal(said + len - 5, "x...\n");
}

/* ---- options ----------------------------------------------------------------------------------------------------- */

struct settings {
    uint64_t retries, lease_ms, batch_bytes;
    bool web;
    char directory[OPTION_TEXT_MAX];
    uint8_t after;
};

#define AT(member) .offset = offsetof(struct settings, member)
static const struct option_spec TABLE[] = {
    {"retries", OPTION_U64, 1, 10, 3, NULL, AT(retries), "How often."},
    {"lease_ms", OPTION_MS, 1000, 86400000, 30000, NULL, AT(lease_ms), "How long a worker may hold work."},
    {"batch_bytes", OPTION_BYTES, 512, UINT64_C(4) << 30, 1 << 20, NULL, AT(batch_bytes), "How much at once."},
    {"web", OPTION_BOOL, 0, 1, 1, NULL, AT(web), "Whether browsers are served."},
    {"directory", OPTION_TEXT, 1, 0, 0, "/var/lib/whistled", AT(directory), "Where the journal lives."},
};

static int set(struct settings *s, const char *name, const char *value) {
    return option_set(TABLE, COUNT_OF(TABLE), s, slice_of(name), slice_of(value), NULL);
}

static void options_begin_at_their_defaults(void **state) {
    (void)state;
    struct settings s;
    memset(&s, 0xAA, sizeof s);
    options_default(TABLE, COUNT_OF(TABLE), &s);
    assert_true(s.retries == 3 && s.lease_ms == 30000 && s.batch_bytes == 1 << 20 && s.web);
    assert_string_equal(s.directory, "/var/lib/whistled");
    assert_int_equal(s.after, 0xAA);
}

static void options_take_their_units_and_keep_their_bounds(void **state) {
    (void)state;
    static const struct { const char *name, *value; int status; uint64_t number; } cells[] = {
        {"lease_ms", "1000ms", 0, 1000}, {"lease_ms", "30s", 0, 30000}, {"lease_ms", "5min", 0, 300000},
        {"lease_ms", "2h", 0, 7200000}, {"lease_ms", "1d", 0, 86400000}, {"lease_ms", "999ms", -ERANGE, 0},
        {"lease_ms", "2d", -ERANGE, 0}, {"lease_ms", "30", -EINVAL, 0}, {"lease_ms", "s", -EINVAL, 0},
        {"lease_ms", "30 s", -EINVAL, 0}, {"lease_ms", "30S", -EINVAL, 0}, {"lease_ms", "1.5s", -EINVAL, 0},
        {"lease_ms", "-1s", -EINVAL, 0}, {"lease_ms", "", -EINVAL, 0}, {"lease_ms", "30KiB", -EINVAL, 0},
        {"lease_ms", "18446744073709551615d", -ERANGE, 0}, {"batch_bytes", "512", 0, 512},
        {"batch_bytes", "64KiB", 0, 65536},
        {"batch_bytes", "1MiB", 0, 1 << 20}, {"batch_bytes", "511", -ERANGE, 0},
        {"batch_bytes", "4GiB", 0, UINT64_C(4) << 30},
        {"batch_bytes", "5GiB", -ERANGE, 0}, {"batch_bytes", "1MB", -EINVAL, 0}, {"retries", "1", 0, 1},
        {"retries", "10", 0, 10}, {"retries", "0", -ERANGE, 0}, {"retries", "11", -ERANGE, 0},
        {"retries", "3s", -EINVAL, 0}, {"retries", "99999999999999999999", -ERANGE, 0},
    };
    for (size_t i = 0; i < COUNT_OF(cells); i++) {
        struct settings s = {0}, before = {0};
        options_default(TABLE, COUNT_OF(TABLE), &s);
        options_default(TABLE, COUNT_OF(TABLE), &before);
        int status = set(&s, cells[i].name, cells[i].value);
        if (status != cells[i].status)
            fail_msg("%s = %s: %d", cells[i].name, cells[i].value, status);
        if (status < 0)
            assert_memory_equal(&s, &before, sizeof s);
        else
            assert_true(cells[i].number == (cells[i].name[0] == 'r' ? s.retries :
                                            cells[i].name[0] == 'l' ? s.lease_ms : s.batch_bytes));
    }
}

static void words_are_options_too(void **state) {
    (void)state;
    struct settings s;
    char too_long[OPTION_TEXT_MAX + 1] = {0};
    options_default(TABLE, COUNT_OF(TABLE), &s);
    assert_int_equal(set(&s, "web", "false"), 0);
    assert_false(s.web);
    assert_int_equal(set(&s, "web", "yes"), -EINVAL);
    assert_int_equal(set(&s, "directory", "/srv/哨"), 0);
    assert_string_equal(s.directory, "/srv/哨");
    assert_int_equal(set(&s, "directory", ""), -ERANGE);
    assert_int_equal(set(&s, "directory", "a\nb"), -EINVAL);
    assert_int_equal(set(&s, "directory", "\xFF"), -EINVAL);
    memset(too_long, 'x', OPTION_TEXT_MAX);
    assert_int_equal(set(&s, "directory", too_long), -ERANGE);
    assert_string_equal(s.directory, "/srv/哨");
    too_long[OPTION_TEXT_MAX - 1] = 0;
    assert_int_equal(set(&s, "directory", too_long), 0);
    assert_string_equal(s.directory, too_long);
}

static void a_name_that_is_not_there_is_answered_with_the_nearest(void **state) {
    (void)state;
    static const struct { const char *wrong, *near; } cells[] = {
        {"lease", "lease_ms"}, {"leasems", "lease_ms"}, {"retrys", "retries"}, {"Web", "web"},
        {"directory_with_a_name_that_is_longer_than_any_that_could_ever_be_in_a_table_of_ours", "directory"},
        {"batchbytes", "batch_bytes"},
    };
    struct settings s;
    for (size_t i = 0; i < COUNT_OF(cells); i++) {
        const char *near = NULL;
        int status = option_set(TABLE, COUNT_OF(TABLE), &s, slice_of(cells[i].wrong), SLICE("1"), &near);
        assert_int_equal(status, -ENOENT);
        if (i != 4)                                      /* too long to be a slip: any answer will do, but no crash */
            assert_string_equal(near, cells[i].near);
    }
}

static void whoever_gave_a_wrong_value_is_told_what_would_be_right(void **state) {
    (void)state;
    static const struct { const char *name, *right; } cells[] = {
        {"retries", "it must be a number, from 1 to 10"},
        {"lease_ms", "it must be a time with its unit, such as 30s, from 1s to 1d"},
        {"batch_bytes", "it must be a size with its unit, such as 64MiB, from 512 to 4GiB"},
        {"web", "it must be true or false"},
        {"directory", "it must be one line of 1 to 255 bytes"},
        {"nothing", ""},
    };
    char right[OPTION_RIGHT_BYTES];
    for (size_t i = 0; i < COUNT_OF(cells); i++) {
        option_right(TABLE, COUNT_OF(TABLE), slice_of(cells[i].name), right);
        assert_string_equal(right, cells[i].right);
    }
}

struct printed { char lines[32][512]; size_t count; };

static void keep_line(void *to, const char *text) {
    struct printed *p = to;
    snprintf(p->lines[p->count++], sizeof p->lines[0], "%s", text);
}

static void what_is_printed_can_be_read_back(void **state) {
    (void)state;
    struct settings s, back;
    struct printed p = {.count = 0};
    options_default(TABLE, COUNT_OF(TABLE), &s);
    options_default(TABLE, COUNT_OF(TABLE), &back);
    assert_int_equal(set(&s, "lease_ms", "90s"), 0);
    assert_int_equal(set(&s, "batch_bytes", "1536"), 0);
    assert_int_equal(set(&s, "web", "false"), 0);
    assert_int_equal(set(&s, "directory", "/srv/w"), 0);
    options_print(TABLE, COUNT_OF(TABLE), &s, keep_line, &p);
    assert_int_equal(p.count, 2 * COUNT_OF(TABLE));
    assert_string_equal(p.lines[2], "# How long a worker may hold work. (1s .. 1d)");
    assert_string_equal(p.lines[3], "lease_ms: 90s");
    assert_string_equal(p.lines[4], "# How much at once. (512 .. 4GiB)");
    assert_string_equal(p.lines[9], "directory: \"/srv/w\"");
    for (size_t i = 1; i < p.count; i += 2) {
        struct slice name, value;
        assert_true(slice_cut(slice_of(p.lines[i]), ':', &name, &value));
        value = slice_trim(value);
        if (value.at[0] == '"')
            value.at++, value.len -= 2;
        assert_int_equal(option_set(TABLE, COUNT_OF(TABLE), &back, name, value, NULL), 0);
    }
    assert_true(back.retries == s.retries && back.lease_ms == s.lease_ms && back.batch_bytes == s.batch_bytes);
    assert_true(back.web == s.web && strcmp(back.directory, s.directory) == 0);
}

static void a_text_with_quotes_is_printed_as_yaml_has_it(void **state) {
    (void)state;
    struct settings s;
    struct printed p = {.count = 0};
    options_default(TABLE, COUNT_OF(TABLE), &s);
    assert_int_equal(set(&s, "directory", "/srv/\"w\\"), 0);
    options_print(TABLE, COUNT_OF(TABLE), &s, keep_line, &p);
    assert_string_equal(p.lines[9], "directory: \"/srv/\\\"w\\\\\"");
}

/* To YAML some characters are line breaks, one of which it makes a blank, and some are no text: the file that is
 * printed would say something else, or could not be read. */
static void a_text_that_yaml_would_not_read_back_is_refused(void **state) {
    (void)state;
    static const char *const texts[] = {
        "/srv/\nw", "/srv/\x7Fw", "/srv/\xC2\x80w", "/srv/\xC2\x85w", "/srv/\xC2\x9F", "/srv/\xE2\x80\xA8w",
        "/srv/\xE2\x80\xA9", "/srv/\xEF\xBF\xBE", "/srv/\xEF\xBF\xBF",
    };
    struct settings s;
    options_default(TABLE, COUNT_OF(TABLE), &s);
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        assert_int_equal(set(&s, "directory", texts[i]), -EINVAL);
    assert_int_equal(set(&s, "directory", "/srv/\xC2\xA0\xE2\x80\xA7\xEF\xBF\xBD/区"), 0);
}

/* ---- histogram --------------------------------------------------------------------------------------------------- */

static void a_quantile_is_never_below_the_truth_and_at_most_twice_it(void **state) {
    (void)state;
    static uint64_t sorted[1000];
    struct histogram h = {0};
    assert_true(histogram_quantile_us(&h, 0.5) == 0);
    for (uint64_t i = 0; i < 1000; i++)
        sorted[i] = 1 + i * i;
    for (size_t i = 1000; i > 0; i--)
        histogram_add(&h, sorted[i - 1]);
    assert_true(h.count == 1000 && h.max_us == 998002);
    static const double q[] = {0.001, 0.01, 0.25, 0.5, 0.9, 0.99, 0.999, 1};
    for (size_t i = 0; i < COUNT_OF(q); i++) {
        uint64_t truth = sorted[(size_t)(q[i] * 1000 + 0.5) - 1], said = histogram_quantile_us(&h, q[i]);
        assert_true(said >= truth && said <= 2 * truth);
    }
    assert_true(histogram_quantile_us(&h, 1) == 998002);
}

static void a_histogram_has_a_place_for_every_number(void **state) {
    (void)state;
    static const struct { uint64_t us; unsigned bucket; } cells[] = {
        {0, 0}, {1, 0}, {2, 1}, {3, 2}, {4, 2}, {5, 3}, {1024, 10}, {1025, 11},
        {UINT64_C(1) << 31, 31}, {UINT64_MAX, 31},
    };
    for (size_t i = 0; i < COUNT_OF(cells); i++) {
        struct histogram h = {0};
        histogram_add(&h, cells[i].us);
        assert_int_equal(h.bucket[cells[i].bucket], 1);
        assert_true(histogram_quantile_us(&h, 0) == cells[i].us && histogram_quantile_us(&h, 1) == cells[i].us);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_broken_law_ends_the_process_after_one_word),
        cmocka_unit_test(a_test_can_hold_the_clock),
        cmocka_unit_test(memory_at_start_up_is_zero_and_there),
        cmocka_unit_test(random_bytes_fill_everything_they_are_given),
        cmocka_unit_test(instants_print_as_they_are_read),
        cmocka_unit_test(every_day_of_eight_centuries_follows_the_one_before),
        cmocka_unit_test(instants_that_no_clock_shows_are_refused),
        cmocka_unit_test(chatter_is_cut_and_counted_and_alarms_are_not),
        cmocka_unit_test(a_line_that_was_cut_says_so),
        cmocka_unit_test(options_begin_at_their_defaults),
        cmocka_unit_test(options_take_their_units_and_keep_their_bounds),
        cmocka_unit_test(words_are_options_too),
        cmocka_unit_test(a_name_that_is_not_there_is_answered_with_the_nearest),
        cmocka_unit_test(whoever_gave_a_wrong_value_is_told_what_would_be_right),
        cmocka_unit_test(what_is_printed_can_be_read_back),
        cmocka_unit_test(a_text_with_quotes_is_printed_as_yaml_has_it),
        cmocka_unit_test(a_text_that_yaml_would_not_read_back_is_refused),
        cmocka_unit_test(a_quantile_is_never_below_the_truth_and_at_most_twice_it),
        cmocka_unit_test(a_histogram_has_a_place_for_every_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
