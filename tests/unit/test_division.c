/* Codes and parties: what is one, what lies above it, and what only looks like one. */
#include "daemon/kernel/kernel.h"

#include <setjmp.h>
#include <string.h>

#include <cmocka.h>

static const uint64_t grid = 610402006001003, community = 610402006001, street = 610402006, district = 610402,
                      city = 6104, province = 61;

static void a_code_has_2_4_6_9_12_or_15_digits(void **state) {
    (void)state;
    uint64_t code = 0;
    for (unsigned digits = 1; digits <= 19; digits++) {
        code = code * 10 + digits % 9 + 1;
        bool valid = digits == 2 || digits == 4 || digits == 6 || digits == 9 || digits == 12 || digits == 15;
        assert_int_equal(division_digits(code), valid ? digits : 0);
    }
    assert_int_equal(division_digits(0), 0);
    assert_int_equal(division_digits(UINT64_MAX), 0);
    assert_int_equal(division_digits(10), 2);
    assert_int_equal(division_digits(99), 2);
    assert_int_equal(division_digits(999999999999999), 15);
}

static void each_number_of_digits_is_a_level(void **state) {
    (void)state;
    const uint64_t codes[] = {grid, community, street, district, city, province};
    for (int level = LEVEL_GRID; level <= LEVEL_PROVINCE; level++) {
        assert_int_equal(division_level(codes[level]), level);
        assert_int_equal(level_digits((PbLevel)level), division_digits(codes[level]));
    }
}

static void cutting_a_code_gives_its_ancestors_and_nothing_else(void **state) {
    (void)state;
    const uint64_t codes[] = {grid, community, street, district, city, province};
    for (size_t i = 0; i < COUNT_OF(codes); i++)
        for (unsigned digits = 0; digits <= 16; digits++) {
            uint64_t expected = 0;
            for (size_t k = i; k < COUNT_OF(codes); k++)
                if (division_digits(codes[k]) == digits)
                    expected = codes[k];
            assert_int_equal(division_cut(codes[i], digits), expected);
        }
    assert_int_equal(division_cut(12345, 2), 0);
}

static void a_code_filled_up_with_zeros_is_not_the_short_one(void **state) {
    (void)state;
    assert_int_equal(division_level(610402000000), LEVEL_COMMUNITY);
    assert_int_equal(division_cut(610402000000, 6), district);
    assert_int_equal(division_cut(610402000000, 9), 610402000);
    assert_false(division_covers(610402000000, community));
    assert_false(division_covers(610402000, community));
}

static void a_division_covers_itself_and_all_below_it(void **state) {
    (void)state;
    const uint64_t codes[] = {grid, community, street, district, city, province};
    for (size_t i = 0; i < COUNT_OF(codes); i++)
        for (size_t k = 0; k < COUNT_OF(codes); k++)
            assert_int_equal(division_covers(codes[i], codes[k]), i >= k);
    assert_false(division_covers(street, 610402007001));
    assert_false(division_covers(61040, street));
    assert_false(division_covers(0, street));
    assert_false(division_covers(0, 0));
    assert_false(division_covers(street, 0));
}

static void above_is_the_next_shorter_code_up_to_the_province(void **state) {
    (void)state;
    const PbRules rules = {.n_managed_by = 0};
    const uint64_t codes[] = {grid, community, street, district, city, province, 0};
    for (size_t i = 0; i + 1 < COUNT_OF(codes); i++)
        assert_int_equal(division_above(&rules, codes[i], 0), codes[i + 1]);
}

static void a_street_managed_by_another_goes_there_while_that_holds(void **state) {
    (void)state;
    PbManagedBy other = {.division = 610402005, .by = 611100},
                first = {.division = street, .by = 611100, .valid_from_ms = 1000, .valid_to_ms = 2000},
                then = {.division = street, .by = 611200, .valid_from_ms = 3000},
                last = {.division = 610402007, .by = 611300};
    PbManagedBy *list[] = {&other, &first, &then, &last};
    const PbRules rules = {.n_managed_by = COUNT_OF(list), .managed_by = list};
    static const struct { int64_t at; uint64_t above; } table[] = {
        {0, 610402}, {999, 610402}, {1000, 611100}, {1999, 611100}, {2000, 610402}, {2999, 610402}, {3000, 611200},
        {INT64_MAX, 611200},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++)
        assert_int_equal(division_above(&rules, street, table[i].at), table[i].above);
    assert_int_equal(division_above(&rules, 610402005, 0), 611100);
    assert_int_equal(division_above(&rules, 610402008, 5000), 610402);
    assert_int_equal(division_above(&rules, community, 5000), street);
}

static void a_party_is_a_role_in_a_division(void **state) {
    (void)state;
    struct slice role;
    uint64_t division;
    assert_true(party_split(SLICE("grid-worker@610402006001003"), &role, &division));
    assert_true(slice_equal(role, SLICE("grid-worker")));
    assert_int_equal(division, grid);
    assert_true(party_split(SLICE("a@61"), &role, &division));
    assert_true(party_split(SLICE("a234567890123456789012345678901@610402006001003"), &role, &division));
}

static void what_only_looks_like_a_party_is_refused(void **state) {
    (void)state;
    static const char *const none[] = {"", "@", "desk", "desk@", "@610402", "desk@0610402", "desk@61040",
        "desk@610402 ", "desk@+610402", "desk@610402@1", "Desk@610402", "1desk@610402", "-desk@610402", "de_sk@610402",
        "desk @610402", "d\xc3\xa9sk@610402", "desk@6104020060010030", "a2345678901234567890123456789012@610402",
        "desk@99999999999999999999999"};
    struct slice role = SLICE("untouched");
    uint64_t division = 7;
    for (size_t i = 0; i < COUNT_OF(none); i++)
        assert_false(party_split(slice_of(none[i]), &role, &division));
    assert_true(slice_equal(role, SLICE("untouched")));
    assert_int_equal(division, 7);
}

static void a_party_that_is_printed_is_split_again(void **state) {
    (void)state;
    const uint64_t codes[] = {grid, community, street, district, city, province};
    static const char *const roles[] = {"a", "grid-worker", "a234567890123456789012345678901"};
    for (size_t i = 0; i < COUNT_OF(codes); i++)
        for (size_t k = 0; k < COUNT_OF(roles); k++) {
            char text[PARTY_BYTES_MAX + 1];
            struct slice role;
            uint64_t division;
            memset(text, 'x', sizeof text);
            party_print(text, roles[k], codes[i]);
            assert_true(party_split(slice_of(text), &role, &division));
            assert_true(slice_equal(role, slice_of(roles[k])));
            assert_int_equal(division, codes[i]);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_code_has_2_4_6_9_12_or_15_digits),
        cmocka_unit_test(each_number_of_digits_is_a_level),
        cmocka_unit_test(cutting_a_code_gives_its_ancestors_and_nothing_else),
        cmocka_unit_test(a_code_filled_up_with_zeros_is_not_the_short_one),
        cmocka_unit_test(a_division_covers_itself_and_all_below_it),
        cmocka_unit_test(above_is_the_next_shorter_code_up_to_the_province),
        cmocka_unit_test(a_street_managed_by_another_goes_there_while_that_holds),
        cmocka_unit_test(a_party_is_a_role_in_a_division),
        cmocka_unit_test(what_only_looks_like_a_party_is_refused),
        cmocka_unit_test(a_party_that_is_printed_is_split_again),
    };
    return cmocka_run_group_tests_name("division", tests, NULL, NULL);
}
