/* test_lifecycle_doc.c: docs/lifecycle.md says what the code does. With an argument it is printed instead. */
#include "tests/unit/lifecycle_doc.h"
#include "daemon/kernel/lifecycle.h"
#include "lib/codec/codec.h"
#include "lib/crypto/crypto.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#define TEMPLATE "docs/lifecycle.md.in"

static char *page(void) {
    char *text = NULL;
    size_t size = 0;
    FILE *template = fopen(TEMPLATE, "r"), *to = open_memstream(&text, &size);
    assert_non_null(template);
    assert_non_null(to);
    lifecycle_doc_write(template, to);
    assert_int_equal(fclose(to), 0);
    fclose(template);
    return text;
}

static void the_page_is_the_one_that_the_code_makes(void **state) {
    char *made = page(), *there = calloc(1, strlen(made) + 2);
    FILE *f = fopen("docs/lifecycle.md", "r");
    (void)state;
    assert_non_null(f);
    size_t size = fread(there, 1, strlen(made) + 1, f);
    fclose(f);
    if (size != strlen(made) || memcmp(made, there, size) != 0)
        print_error("docs/lifecycle.md is not what the code says: run `make docs` and commit it\n");
    assert_int_equal(size, strlen(made));
    assert_memory_equal(made, there, size);
    free(made);
    free(there);
}

/* Every arrow is on the page with its words, and every refusal it names. */
static void no_arrow_and_no_refusal_is_left_out(void **state) {
    char *made = page();
    (void)state;
    for (unsigned i = 0; i < arrows_count; i++) {
        const struct arrow *a = &arrows[i];
        assert_non_null(strstr(made, a->zh));
        assert_non_null(strstr(made, a->who));
        for (unsigned g = 0; g < ARROW_GUARDS_MAX && a->guards[g].refusal; g++)
            assert_non_null(strstr(made, sentence_of(a->guards[g].refusal)->name));
    }
    for (int s = STATE_REPORTED; s <= STATE_ARCHIVED; s++)
        assert_non_null(strstr(made, state_name((PbState)s)));
    assert_null(strchr(made, '@'));
    free(made);
}

/* A journal that says otherwise is damaged or foreign: evolve ends the process over it. */
static void there_is_no_arrow_but_those_of_the_table(void **state) {
    (void)state;
    assert_true(arrow_exists(EVENT_REPORTED, STATE_NONE, STATE_REPORTED));
    assert_false(arrow_exists(EVENT_REPORTED, STATE_CLOSED, STATE_REPORTED));
    assert_false(arrow_exists(EVENT_ESCALATED, STATE_ARCHIVED, STATE_ARCHIVED));
}

/* What logs and refusals call them: one word each, and a number from elsewhere has one, too. */
static void every_order_and_state_has_a_word_of_its_own(void **state) {
    (void)state;
    for (int i = 0; i < ORDER_COUNT; i++)
        for (int k = 0; k < i; k++)
            assert_string_not_equal(order_name((enum order_kind)i), order_name((enum order_kind)k));
    for (int i = 0; i <= STATE_ARCHIVED; i++)
        for (int k = 0; k < i; k++)
            assert_string_not_equal(state_name((PbState)i), state_name((PbState)k));
    assert_string_equal(order_name(ORDER_COUNT), "?");
    assert_string_equal(state_name((PbState)(STATE_ARCHIVED + 1)), "?");
}

/* The drawing's source, and its name: the first bytes of its hash, which the drawing bears. */
static struct slice dot_of(const char *made, char name[static 17]) {
    const char *dot = strstr(made, "```dot\n") + 7;
    struct slice block = slice_from(dot, (size_t)(strstr(dot, "```") - dot));
    struct hash hash = hash_of(block);
    for (unsigned i = 0; i < 8; i++)
        (void)snprintf(name + 2 * i, 3, "%02x", hash.byte[i]);
    return block;
}

static void the_drawing_is_of_this_page(void **state) {
    char *made = page(), name[17], line[512];
    bool found = false;
    (void)state;
    (void)dot_of(made, name);
    FILE *f = fopen("docs/lifecycle.svg", "r");
    assert_non_null(f);
    while (fgets(line, sizeof line, f))
        found = found || strstr(line, name);
    fclose(f);
    free(made);
    if (!found)
        print_error("docs/lifecycle.svg is of another page: install graphviz, run `make docs` and commit it\n");
    assert_true(found);
}

/* page, dot or name: for make docs. */
static int print(const char *what) {
    char *made = page(), name[17];
    struct slice dot = dot_of(made, name);
    if (strcmp(what, "page") == 0)
        fputs(made, stdout);
    else if (strcmp(what, "dot") == 0)
        fwrite(dot.at, 1, dot.len, stdout);
    else
        puts(name);
    free(made);
    return 0;
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_page_is_the_one_that_the_code_makes),
        cmocka_unit_test(no_arrow_and_no_refusal_is_left_out),
        cmocka_unit_test(there_is_no_arrow_but_those_of_the_table),
        cmocka_unit_test(every_order_and_state_has_a_word_of_its_own),
        cmocka_unit_test(the_drawing_is_of_this_page),
    };
    crypto_init();
    return argc > 1 ? print(argv[1]) : cmocka_run_group_tests(tests, NULL, NULL);
}
