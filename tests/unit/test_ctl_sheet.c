/* Columns stay columns whatever is in them, and what people wrote cannot reach the terminal's controls. */
#include "ctl/ctl.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void a_terminal_shows_chinese_in_two_columns(void **state) {
    (void)state;
    assert_int_equal(text_width(""), 0);
    assert_int_equal(text_width("E0102"), 5);
    assert_int_equal(text_width("暴露垃圾"), 8);
    assert_int_equal(text_width("3号楼"), 5);
    assert_int_equal(text_width("，：（）"), 8);
    assert_int_equal(text_width("〔演练〕"), 8);
    assert_int_equal(text_width("Ａ１"), 4);                      /* fullwidth */
    assert_int_equal(text_width("ｱ"), 1);                         /* halfwidth katakana */
    assert_int_equal(text_width("한글"), 4);
    assert_int_equal(text_width("\xF0\xA0\x80\x80"), 2);          /* U+20000, extension B */
    assert_int_equal(text_width("→ é"), 3);
    assert_int_equal(text_width("e\xCC\x81"), 1);                 /* a combining accent takes no room */
    assert_int_equal(text_width("\xFF\xE4"), 2);                  /* no UTF-8: a mark a byte */
}

static void rows_of_both_scripts_are_aligned(void **state) {
    (void)state;
    struct sheet *t;
    char text[512] = "";
    sheet_open(&t, 3);
    sheet_align(t, 1, ALIGN_RIGHT);
    const char *const cells[] = {"类别", "案件", "地点", "E0102 暴露垃圾", "7", "网格", "abc", "1234", "x"};
    for (size_t i = 0; i < COUNT_OF(cells); i++)
        sheet_cell(t, "%s", cells[i]);
    sheet_write(t, text, sizeof text);
    assert_string_equal(text,
        "类别            案件  地点\n"
        "E0102 暴露垃圾     7  网格\n"
        "abc             1234  x\n");
}

static void no_line_ends_with_blanks(void **state) {
    (void)state;
    struct sheet *t;
    char text[512] = "";
    sheet_open(&t, 4);
    const char *const cells[] = {"a", "bb", "cc", "dd", "a", "", "", "", "", "b", "", "d"};
    for (size_t i = 0; i < COUNT_OF(cells); i++)
        sheet_cell(t, "%s", cells[i]);
    sheet_write(t, text, sizeof text);
    assert_string_equal(text, "a  bb  cc  dd\na\n   b       d\n");
}

static void a_cell_is_cut_between_characters(void **state) {
    (void)state;
    char to[64];
    text_clean("abcdef", 6, to, sizeof to);
    assert_string_equal(to, "abcdef");
    text_clean("abcdefg", 6, to, sizeof to);
    assert_string_equal(to, "abcde…");
    text_clean("垃圾堆放", 8, to, sizeof to);
    assert_string_equal(to, "垃圾堆放");
    text_clean("垃圾堆放", 7, to, sizeof to);
    assert_string_equal(to, "垃圾堆…");
    text_clean("垃圾堆放", 6, to, sizeof to);
    assert_string_equal(to, "垃圾…");
    text_clean("垃圾", 1, to, sizeof to);
    assert_string_equal(to, "…");
    text_clean("垃圾堆放", 100, to, 10);                          /* the room may be the limit, too */
    assert_string_equal(to, "垃圾…");
}

static void whatever_is_cut_fits_its_columns_and_its_room(void **state) {
    (void)state;
    static const char text[] = "a垃b圾e\xCC\x81堆\xF0\xA0\x80\x80 \x1B[2J放xyz→";
    for (unsigned columns = 1; columns < 30; columns++)
        for (size_t cap = 8; cap < 48; cap++) {
            char to[64];
            memset(to, '!', sizeof to);
            text_clean(text, columns, to, cap);
            assert_true(strlen(to) < cap);
            assert_int_equal(to[cap], '!');
            assert_true(text_width(to) <= columns);
            assert_true(utf8_valid(slice_of(to)));
        }
}

static void nothing_that_people_wrote_moves_the_cursor_or_turns_the_text(void **state) {
    (void)state;
    char to[128];
    text_clean("a\x1B[2Jb\nc\td\x7F", 60, to, sizeof to);
    assert_string_equal(to, "a\xEF\xBF\xBD[2Jb\xEF\xBF\xBD" "c\xEF\xBF\xBD" "d\xEF\xBF\xBD");
    text_clean("x\xC2\x9By", 60, to, sizeof to);                  /* U+009B starts a sequence as ESC [ does */
    assert_string_equal(to, "x\xEF\xBF\xBDy");
    text_clean("x\xE2\x80\xAEy", 60, to, sizeof to);              /* U+202E: right to left from here */
    assert_string_equal(to, "x\xEF\xBF\xBDy");
    text_clean("x\xFFy", 60, to, sizeof to);
    assert_string_equal(to, "x\xEF\xBF\xBDy");
}

/* Longer than it need be, half of a pair, beyond the last character: some terminals make something of it. */
static void what_only_looks_like_utf8_is_marked_byte_by_byte(void **state) {
    (void)state;
    static const char *const texts[] = {"\xE0\x9E\x9E", "\xED\xA0\x80", "\xF0\x80\x80\x9B", "\xF4\x90\x80\x80"};
    for (unsigned i = 0; i < COUNT_OF(texts); i++) {
        char to[64];
        text_clean(texts[i], 60, to, sizeof to);
        assert_int_equal(text_width(to), strlen(texts[i]));
        assert_true(utf8_valid(slice_of(to)));
    }
}

static void a_long_cell_does_not_widen_its_column_past_the_limit(void **state) {
    (void)state;
    struct sheet *t;
    char text[1024] = "", wide[3 * SHEET_CELL_WIDTH + 1] = "";
    for (size_t i = 0; i < SHEET_CELL_WIDTH; i++)
        memcpy(wide + 3 * i, "堆", 4);
    sheet_open(&t, 2);
    sheet_cell(t, "%s", wide);
    sheet_cell(t, "end");
    sheet_write(t, text, sizeof text);
    assert_true(text_width(text) <= SHEET_CELL_WIDTH + 2 + 3 + 1);
    assert_non_null(strstr(text, "…"));
    assert_non_null(strstr(text, "end\n"));
}

static void rows_past_the_limit_are_counted(void **state) {
    (void)state;
    struct sheet *t;
    static char text[16 * (SHEET_ROWS_MAX + 8)];
    sheet_open(&t, 1);
    for (unsigned i = 0; i < SHEET_ROWS_MAX + 3; i++)
        sheet_cell(t, "%u", i);
    sheet_write(t, text, sizeof text);
    assert_non_null(strstr(text, "\n4095\n... (+3)\n"));
    assert_null(strstr(text, "4096"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_terminal_shows_chinese_in_two_columns),
        cmocka_unit_test(rows_of_both_scripts_are_aligned),
        cmocka_unit_test(no_line_ends_with_blanks),
        cmocka_unit_test(a_cell_is_cut_between_characters),
        cmocka_unit_test(whatever_is_cut_fits_its_columns_and_its_room),
        cmocka_unit_test(nothing_that_people_wrote_moves_the_cursor_or_turns_the_text),
        cmocka_unit_test(what_only_looks_like_utf8_is_marked_byte_by_byte),
        cmocka_unit_test(a_long_cell_does_not_widen_its_column_past_the_limit),
        cmocka_unit_test(rows_past_the_limit_are_counted),
    };
    return cmocka_run_group_tests_name("ctl_sheet", tests, NULL, NULL);
}
