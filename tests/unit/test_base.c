/* The pure part of the ground floor: slices, UTF-8, numbers, arenas. */
#include "lib/base/base.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct slice NOTHING = {NULL, 0};

static void expect_slice(struct slice s, const char *text) {
    assert_int_equal(s.len, strlen(text));
    assert_true(slice_equal(s, slice_of(text)));
}

/* ---- slices ------------------------------------------------------------------------------------------------------ */

static void slices_compare_like_words_in_a_dictionary(void **state) {
    (void)state;
    static const char *const sorted[] = {"", "a", "aa", "ab", "b", "\xFF"};
    for (size_t i = 0; i < COUNT_OF(sorted); i++)
        for (size_t k = 0; k < COUNT_OF(sorted); k++) {
            int order = slice_order(slice_of(sorted[i]), slice_of(sorted[k]));
            assert_int_equal((order > 0) - (order < 0), (i > k) - (i < k));
            assert_int_equal(slice_equal(slice_of(sorted[i]), slice_of(sorted[k])), i == k);
        }
    assert_true(slice_equal(NOTHING, SLICE("")));
    assert_int_equal(slice_order(NOTHING, NOTHING), 0);
}

static void a_prefix_is_not_longer_than_its_slice(void **state) {
    (void)state;
    assert_true(slice_starts(SLICE("610402"), SLICE("6104")));
    assert_true(slice_starts(SLICE("6104"), SLICE("6104")));
    assert_true(slice_starts(SLICE("6104"), NOTHING));
    assert_true(slice_starts(NOTHING, NOTHING));
    assert_false(slice_starts(SLICE("6104"), SLICE("610402")));
    assert_false(slice_starts(SLICE("6104"), SLICE("6105")));
}

static void trimming_takes_blanks_at_the_ends_only(void **state) {
    (void)state;
    expect_slice(slice_trim(SLICE(" \t a b\t ")), "a b");
    expect_slice(slice_trim(SLICE("a\n")), "a\n");
    expect_slice(slice_trim(SLICE(" \t ")), "");
    expect_slice(slice_trim(NOTHING), "");
}

static void cutting_finds_the_first_or_leaves_everything_alone(void **state) {
    (void)state;
    struct slice before = SLICE("untouched"), after = before;
    assert_false(slice_cut(SLICE("key"), '=', &before, &after));
    assert_false(slice_cut(NOTHING, '=', &before, &after));
    expect_slice(before, "untouched");
    expect_slice(after, "untouched");
    assert_true(slice_cut(SLICE("key=a=b"), '=', &before, &after));
    expect_slice(before, "key");
    expect_slice(after, "a=b");
    assert_true(slice_cut(SLICE("="), '=', &before, &after));
    expect_slice(before, "");
    expect_slice(after, "");
}

/* Every code point, encoded here by the definition in RFC 3629, section 3. */
static size_t utf8_encode(uint32_t c, uint8_t to[static 4]) {
    if (c < 0x80) {
        to[0] = (uint8_t)c;
        return 1;
    }
    size_t len = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = len - 1; i > 0; i--, c >>= 6)
        to[i] = (uint8_t)(0x80 | (c & 0x3F));
    to[0] = (uint8_t)((0xF00 >> len & 0xFF) | c);
    return len;
}

static void every_code_point_but_nul_and_surrogates_is_valid_and_none_can_be_cut(void **state) {
    (void)state;
    for (uint32_t c = 0; c < 0x120000; c++) {
        uint8_t bytes[4];
        size_t len = utf8_encode(c, bytes);
        bool good = c != 0 && (c < 0xD800 || c > 0xDFFF) && c <= 0x10FFFF;
        if (utf8_valid(slice_from(bytes, len)) != good)
            fail_msg("U+%04X", (unsigned)c);
        for (size_t cut = 1; cut < len; cut++)
            if (utf8_valid(slice_from(bytes, cut)))
                fail_msg("U+%04X cut to %zu", (unsigned)c, cut);
    }
}

static void malformed_utf8_is_seen_wherever_it_stands(void **state) {
    (void)state;
    static const char *const bad[] = {
        "\x80", "\xBF", "\xC0\x80", "\xC1\xBF", "\xE0\x80\x80", "\xE0\x9F\xBF", "\xF0\x80\x80\x80", "\xF0\x8F\xBF\xBF",
        "\xED\xA0\x80", "\xED\xBF\xBF", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xF8\x88\x80\x80\x80", "\xFE", "\xFF",
        "\xE4\xB8", "\xE4\x41\xAD", "\xE4\xB8\x41", "\xF0\x9F\x98\xC0",
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        char text[64];
        assert_false(utf8_valid(slice_of(bad[i])));
        snprintf(text, sizeof text, "路灯不亮%s", bad[i]);
        assert_false(utf8_valid(slice_of(text)));
        snprintf(text, sizeof text, "%s路灯不亮", bad[i]);
        assert_false(utf8_valid(slice_of(text)));
    }
    assert_false(utf8_valid(SLICE("a\0b")));
    assert_true(utf8_valid(NOTHING));
    assert_true(utf8_valid(SLICE("路灯不亮 \xF0\x9F\x92\xA1")));
}

/* ---- numbers ----------------------------------------------------------------------------------------------------- */

static void numbers_parse_to_their_last_value_and_not_one_further(void **state) {
    (void)state;
    uint64_t u = 7;
    int64_t i = 7;
    assert_true(parse_u64(SLICE("18446744073709551615"), &u) && u == UINT64_MAX);
    assert_true(parse_u64(SLICE("000"), &u) && u == 0);
    assert_true(parse_i64(SLICE("9223372036854775807"), &i) && i == INT64_MAX);
    assert_true(parse_i64(SLICE("-9223372036854775808"), &i) && i == INT64_MIN);
    assert_true(parse_i64(SLICE("-0"), &i) && i == 0);
    assert_true(parse_i64(SLICE("-42"), &i) && i == -42);
    static const char *const bad[] = {"", "-", "+1", " 1", "1 ", "1a", "--1", "0x1", "18446744073709551616",
                                      "99999999999999999999", "184467440737095516150"};
    for (size_t k = 0; k < COUNT_OF(bad); k++) {
        assert_false(parse_u64(slice_of(bad[k]), &u));
        assert_false(parse_i64(slice_of(bad[k]), &i));
    }
    assert_false(parse_u64(SLICE("-1"), &u));
    assert_false(parse_i64(SLICE("9223372036854775808"), &i));
    assert_false(parse_i64(SLICE("-9223372036854775809"), &i));
    assert_true(u == 0 && i == -42);
}

static uint64_t dice(uint64_t *seed) {
    *seed ^= *seed << 13, *seed ^= *seed >> 7, *seed ^= *seed << 17;
    return *seed >> (*seed & 63);
}

static void big_endian_bytes_sort_as_their_numbers(void **state) {
    (void)state;
    uint64_t seed = 20260214;
    for (int round = 0; round < 20000; round++) {
        uint64_t a = dice(&seed), b = dice(&seed);
        uint8_t at[8], bt[8];
        put_be64(at, a), put_be64(bt, b);
        assert_true(get_be64(at) == a);
        int order = memcmp(at, bt, 8);
        assert_int_equal((order > 0) - (order < 0), (a > b) - (a < b));
    }
}

static void little_endian_bytes_are_the_ones_on_disk(void **state) {
    (void)state;
    static const uint8_t expected[8] = {0xEF, 0xCD, 0xAB, 0x89, 0x67, 0x45, 0x23, 0x01};
    uint8_t bytes[8];
    put_le64(bytes, UINT64_C(0x0123456789ABCDEF));
    assert_memory_equal(bytes, expected, 8);
    assert_true(get_le64(bytes) == UINT64_C(0x0123456789ABCDEF));
    put_le32(bytes, UINT32_C(0x89ABCDEF));
    assert_memory_equal(bytes, expected, 4);
    assert_true(get_le32(bytes) == UINT32_C(0x89ABCDEF));
}

/* ---- arena ------------------------------------------------------------------------------------------------------- */

static void an_arena_gives_aligned_pieces_that_do_not_touch(void **state) {
    (void)state;
    uint8_t memory[1024 + 3];
    struct arena a;
    arena_wrap(&a, memory + 3, 1024);
    uint8_t *last_end = memory + 3, *piece;
    size_t pieces = 0;
    for (size_t size = 1; (piece = arena_take(&a, size)); size += 7, pieces++) {
        assert_int_equal((uintptr_t)piece % 16, 0);
        assert_true(piece >= last_end && piece + size <= memory + sizeof memory);
        memset(piece, 0xAA, size);
        last_end = piece + size;
    }
    assert_true(pieces > 10);
}

static void a_word_for_the_journal_is_no_name_and_no_sentence(void **state) {
    (void)state;
    static const char *const none[] = {"", "王五", "a b", "x@y", "a/b", "0123456789012345678901234567890x"};
    assert_true(word_valid(SLICE("610402-0017"), 31));
    assert_true(word_valid(SLICE("aZ.b_c-9"), 8));
    assert_false(word_valid(SLICE("aZ.b_c-9"), 7));
    for (size_t i = 0; i < COUNT_OF(none); i++)
        assert_false(word_valid(slice_of(none[i]), 31));
}

static void a_full_arena_says_no_and_stays_usable(void **state) {
    (void)state;
    _Alignas(16) uint8_t memory[64];
    struct arena a;
    arena_wrap(&a, memory, sizeof memory);
    assert_null(arena_take(&a, 65));
    assert_null(arena_take(&a, SIZE_MAX));
    assert_null(arena_text(&a, (struct slice){memory, SIZE_MAX}));
    assert_non_null(arena_take(&a, 40));
    assert_null(arena_copy(&a, slice_from(memory, 17)).at);
    assert_non_null(arena_take(&a, 16));
    assert_null(arena_zero(&a, 1));
    assert_int_equal(a.peak, 64);
    arena_reset(&a);
    assert_int_equal(a.used, 0);
    assert_int_equal(a.peak, 64);
    assert_non_null(arena_take(&a, 64));
}

static void what_an_arena_copies_is_a_copy(void **state) {
    (void)state;
    uint8_t memory[256];
    memset(memory, 0xAA, sizeof memory);
    struct arena a;
    arena_wrap(&a, memory, sizeof memory);
    char word[] = "street";
    struct slice copy = arena_copy(&a, slice_of(word));
    char *text = arena_text(&a, slice_of(word));
    uint8_t *zeroes = arena_zero(&a, 32);
    word[0] = 'X';
    expect_slice(copy, "street");
    assert_string_equal(text, "street");
    for (size_t i = 0; i < 32; i++)
        assert_int_equal(zeroes[i], 0);
    assert_non_null(arena_copy(&a, NOTHING).at);
    assert_string_equal(arena_text(&a, NOTHING), "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slices_compare_like_words_in_a_dictionary),
        cmocka_unit_test(a_prefix_is_not_longer_than_its_slice),
        cmocka_unit_test(trimming_takes_blanks_at_the_ends_only),
        cmocka_unit_test(cutting_finds_the_first_or_leaves_everything_alone),
        cmocka_unit_test(every_code_point_but_nul_and_surrogates_is_valid_and_none_can_be_cut),
        cmocka_unit_test(a_word_for_the_journal_is_no_name_and_no_sentence),
        cmocka_unit_test(malformed_utf8_is_seen_wherever_it_stands),
        cmocka_unit_test(numbers_parse_to_their_last_value_and_not_one_further),
        cmocka_unit_test(big_endian_bytes_sort_as_their_numbers),
        cmocka_unit_test(little_endian_bytes_are_the_ones_on_disk),
        cmocka_unit_test(an_arena_gives_aligned_pieces_that_do_not_touch),
        cmocka_unit_test(a_full_arena_says_no_and_stays_usable),
        cmocka_unit_test(what_an_arena_copies_is_a_copy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
