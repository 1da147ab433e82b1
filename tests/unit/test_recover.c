/* The recovery table (docs/store.md 19), cell by cell: five standings times ten signs. */
#include "daemon/store/store.h"

#include <setjmp.h>
#include <string.h>

#include <cmocka.h>

enum { SIGNS = 10 };

static struct recovery_case cell(enum standing journal, unsigned signs) {
    return (struct recovery_case){
        .journal = journal, .state_missing = signs & 1, .state_broken = signs & 2, .other_store = signs & 4,
        .gap_in_ordinals = signs & 8, .slots_older = signs & 16, .newer_format = signs & 32, .other_epoch = signs & 64,
        .base_missing = signs & 128, .base_broken = signs & 256, .state_older = signs & 512,
    };
}

/* The rule in words: refuse for whatever the journal, the slots or the format lack; fold all when only the tables are
 * lost; refuse tables that belong elsewhere; else by how far they are. */
static enum recovery expected(const struct recovery_case *c) {
    if (c->newer_format || c->gap_in_ordinals || c->slots_older || c->base_missing || c->base_broken)
        return RECOVER_REFUSE;
    if (c->journal == STANDING_MISSING || c->journal == STANDING_BROKEN)
        return RECOVER_REFUSE;
    if (c->state_missing || c->state_broken)
        return RECOVER_FOLD_ALL;
    if (c->other_store)
        return RECOVER_REFUSE;
    if (c->state_older)
        return RECOVER_FOLD_ALL;
    if (c->other_epoch || c->journal == STANDING_BEHIND)
        return RECOVER_REFUSE;
    return c->journal == STANDING_AHEAD ? RECOVER_FOLD_TAIL : RECOVER_SERVE;
}

static void every_cell_decides_as_the_rule_says(void **state) {
    (void)state;
    unsigned seen[RECOVER_REFUSE + 1] = {0};
    for (enum standing journal = 0; journal <= STANDING_MISSING; journal++)
        for (unsigned signs = 0; signs < 1u << SIGNS; signs++) {
            struct recovery_case c = cell(journal, signs);
            const char *why = NULL;
            enum recovery decision = recovery_decide(&c, &why);
            assert_int_equal(decision, expected(&c));
            assert_true(why && strlen(why) > 10);
            seen[decision]++;
        }
    for (unsigned i = 0; i <= RECOVER_REFUSE; i++)
        assert_true(seen[i] > 0);
}

static void one_sign_alone_is_named(void **state) {
    (void)state;
    static const struct { enum standing journal; unsigned signs; enum recovery decision; const char *words; } rows[] = {
        {STANDING_EQUAL, 0, RECOVER_SERVE, "nothing is missing"},
        {STANDING_AHEAD, 0, RECOVER_FOLD_TAIL, "tail"},
        {STANDING_BEHIND, 0, RECOVER_REFUSE, "--discard-state"},
        {STANDING_BROKEN, 0, RECOVER_REFUSE, "backup"},
        {STANDING_MISSING, 0, RECOVER_REFUSE, "no journal"},
        {STANDING_AHEAD, 1, RECOVER_FOLD_ALL, "not there"},
        {STANDING_AHEAD, 2, RECOVER_FOLD_ALL, "damaged"},
        {STANDING_EQUAL, 4, RECOVER_REFUSE, "another store"},
        {STANDING_BROKEN, 8, RECOVER_REFUSE, "segment"},
        {STANDING_EQUAL, 16, RECOVER_REFUSE, "slots"},
        {STANDING_EQUAL, 32, RECOVER_REFUSE, "version"},
        {STANDING_EQUAL, 64, RECOVER_REFUSE, "another history"},
        {STANDING_AHEAD, 128, RECOVER_REFUSE, "missing"},
        {STANDING_AHEAD, 256, RECOVER_REFUSE, "damaged"},
        {STANDING_AHEAD, 512, RECOVER_FOLD_ALL, "from the base"},
    };
    for (unsigned i = 0; i < COUNT_OF(rows); i++) {
        struct recovery_case c = cell(rows[i].journal, rows[i].signs);
        const char *why = NULL;
        assert_int_equal(recovery_decide(&c, &why), rows[i].decision);
        assert_non_null(strstr(why, rows[i].words));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_cell_decides_as_the_rule_says),
        cmocka_unit_test(one_sign_alone_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
