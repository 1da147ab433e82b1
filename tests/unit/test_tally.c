/* When answers are enough: every count of a small stage against the definition, said by trying every way the open
 * answers can go. */
#include "daemon/kernel/kernel.h"

#include <setjmp.h>

#include <cmocka.h>

enum { ASKED_MOST = 7 };

static bool met(const PbTally *t, uint32_t asked, uint32_t done) {
    switch (t->kind) {
    case TALLY_FIRST: return done >= 1;
    case TALLY_ALL: return asked > 0 && done == asked;
    case TALLY_COUNT: return done >= t->count;
    default: return false;
    }
}

/* MET when met now; IMPOSSIBLE when no way the open ones can still go meets it. */
static enum tally_result by_definition(const PbTally *t, struct tally_count n) {
    uint32_t open = n.asked - n.done - n.declined;
    if (met(t, n.asked, n.done))
        return TALLY_MET;
    for (uint32_t ways = 0; ways < 1u << open; ways++)
        if (met(t, n.asked, n.done + (uint32_t)__builtin_popcount(ways)))
            return TALLY_OPEN;
    return TALLY_IMPOSSIBLE;
}

static void every_cell_is_what_the_definition_says(void **state) {
    (void)state;
    unsigned cells = 0, seen[3] = {0};
    for (int kind = TALLY_FIRST; kind <= TALLY_COUNT; kind++)
        for (uint32_t count = 1; count <= ASKED_MOST + 1; count++)
            for (uint32_t asked = 0; asked <= ASKED_MOST; asked++)
                for (uint32_t done = 0; done <= asked; done++)
                    for (uint32_t declined = 0; declined <= asked - done; declined++) {
                        PbTally t = {.kind = (PbTallyKind)kind, .count = count};
                        struct tally_count n = {asked, done, declined};
                        assert_int_equal(tally_of(&t, n), by_definition(&t, n));
                        seen[tally_of(&t, n)]++, cells++;
                    }
    assert_int_equal(cells, 3 * (ASKED_MOST + 1) * 120);
    assert_true(seen[TALLY_OPEN] && seen[TALLY_MET] && seen[TALLY_IMPOSSIBLE]);
}

static void an_empty_stage_is_impossible_and_never_met(void **state) {
    (void)state;
    for (int kind = TALLY_FIRST; kind <= TALLY_COUNT; kind++)
        assert_int_equal(tally_of(&(PbTally){.kind = (PbTallyKind)kind, .count = 1}, (struct tally_count){0, 0, 0}),
            TALLY_IMPOSSIBLE);
}

static void without_a_tally_the_first_answer_is_enough(void **state) {
    (void)state;
    assert_int_equal(tally_of(NULL, (struct tally_count){3, 0, 2}), TALLY_OPEN);
    assert_int_equal(tally_of(NULL, (struct tally_count){3, 1, 2}), TALLY_MET);
    assert_int_equal(tally_of(NULL, (struct tally_count){3, 0, 3}), TALLY_IMPOSSIBLE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_cell_is_what_the_definition_says),
        cmocka_unit_test(an_empty_stage_is_impossible_and_never_met),
        cmocka_unit_test(without_a_tally_the_first_answer_is_enough),
    };
    return cmocka_run_group_tests_name("tally", tests, NULL, NULL);
}
