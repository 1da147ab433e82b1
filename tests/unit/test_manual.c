/* test_manual.c: the manual pages and the completion say what the programs do. With an argument, the path of one, it is
 * printed instead. */
#include "tests/unit/manual.h"
#include "lib/base/base.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

static const char *const pages[] = {
    "man/whistlectl.1", "man/zh_CN/whistlectl.1", "man/whistle-worker.1", "man/whistled.yaml.5", "man/whistle.7",
    "man/whistled.8", "completions/whistle.bash",
};

static char *made(const char *path) {
    char *text = NULL, template[128];
    size_t size = 0;
    (void)snprintf(template, sizeof template, "%s.in", path);
    FILE *from = fopen(template, "r"), *to = open_memstream(&text, &size);
    assert_non_null(from);
    assert_non_null(to);
    manual_write(from, to, strstr(path, "zh_CN") != NULL);
    fclose(from);
    assert_int_equal(fclose(to), 0);
    return text;
}

static void the_pages_are_those_that_the_tables_make(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(pages); i++) {
        char *now = made(pages[i]), *there = calloc(1, strlen(now) + 2);
        FILE *f = fopen(pages[i], "r");
        assert_non_null(f);
        assert_non_null(there);
        size_t size = fread(there, 1, strlen(now) + 1, f);
        fclose(f);
        if (size != strlen(now) || memcmp(now, there, size) != 0)
            fail_msg("%s is not what the tables say: run `make docs` and commit it", pages[i]);
        free(now);
        free(there);
    }
}

static void no_mark_is_left(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(pages); i++) {
        char *now = made(pages[i]);
        assert_null(strstr(now, "\n@"));
        free(now);
    }
}

static void what_is_said_cannot_be_taken_for_roff(void **state) {
    (void)state;
    char *text = NULL;
    size_t size = 0;
    FILE *to = open_memstream(&text, &size);
    assert_non_null(to);
    roff_text(to, "%s", ".so `C:\\x` a-b");
    roff_tag(to, BOLD "%s" ROMAN, "'quoted");
    roff_text(to, "%s", "0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 ._-");
    assert_int_equal(fclose(to), 0);
    assert_string_equal(text, "\\&.so \\(gaC:\\ex\\(ga a\\-b\n"
                              ".TP\n\\fB'quoted\\fR\n"
                              "0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 0123456789\n"
                              "\\&._\\-\n");
    free(text);
}

/* For make docs. */
static int print(const char *path) {
    char *now = made(path);
    fputs(now, stdout);
    free(now);
    return 0;
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_pages_are_those_that_the_tables_make),
        cmocka_unit_test(no_mark_is_left),
        cmocka_unit_test(what_is_said_cannot_be_taken_for_roff),
    };
    return argc > 1 ? print(argv[1]) : cmocka_run_group_tests(tests, NULL, NULL);
}
