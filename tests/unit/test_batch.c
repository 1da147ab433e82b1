/* test_batch.c: what takes two persons, and for how long. */
#include "daemon/kernel/batch.h"

#include <setjmp.h>
#include <string.h>

#include <cmocka.h>

#define NOW 1772413200000LL
#define LI SLICE("0417")
#define WANG SLICE("0502")

static uint8_t digest[BATCH_DIGEST_BYTES], other[BATCH_DIGEST_BYTES] = { 1 };

static PbAskBatch good(void) {
    return (PbAskBatch){ .has_verb = 1, .verb = BATCH_CLOSE, .has_cases = 1, .cases = 3, .has_digest = 1,
                         .digest = { .len = sizeof digest, .data = digest } };
}

static struct batch_state asked(void) {
    return (struct batch_state){ .verb = BATCH_CLOSE, .cases = 2, .asked_at_ms = NOW, .by = "0417" };
}

static struct batch_state confirmed(void) {
    struct batch_state b = asked();
    b.confirmed = true;
    b.confirmed_at_ms = NOW + 1;
    memcpy(b.confirmed_by, "0502", 5);
    return b;
}

static PbRefusal confirm(const struct batch_state *b, uint8_t *of, struct slice by, int64_t at_ms, const char **field) {
    PbConfirmBatch c = { .has_digest = 1, .digest = { .len = sizeof digest, .data = of } };
    return batch_confirm(b, &c, by, at_ms, field);
}

static void it_is_asked_for_by_somebody_for_so_many_cases_of_one_verb(void **state) {
    (void)state;
    const char *field = NULL;
    PbAskBatch a = good();
    assert_int_equal(batch_ask(&a, LI, &field), REFUSED_NOTHING);
    assert_int_equal(batch_ask(&a, SLICE(""), &field), REFUSED_FIELD_MISSING);
    assert_string_equal(field, "by");
    a.verb = BATCH_NONE;
    assert_int_equal(batch_ask(&a, LI, &field), REFUSED_FIELD_MISSING);
    assert_string_equal(field, "verb");
    a = good();
    a.cases = BATCH_CASES_MAX;
    assert_int_equal(batch_ask(&a, LI, &field), REFUSED_NOTHING);
    a.cases++;
    assert_int_equal(batch_ask(&a, LI, &field), REFUSED_FIELD_RANGE);
    assert_string_equal(field, "cases");
    a.cases = 0;
    assert_int_equal(batch_ask(&a, LI, &field), REFUSED_FIELD_RANGE);
    a = good();
    a.digest.len = 31;
    assert_int_equal(batch_ask(&a, LI, &field), REFUSED_FIELD_RANGE);
    assert_string_equal(field, "digest");
}

static void another_person_confirms_what_the_first_one_saw(void **state) {
    (void)state;
    struct batch_state b = asked();
    const char *field = NULL;
    assert_int_equal(confirm(&b, digest, WANG, NOW, &field), REFUSED_NOTHING);
    assert_int_equal(confirm(&b, digest, LI, NOW, &field), REFUSED_SAME_PERSON);
    assert_string_equal(field, "by");
    assert_int_equal(confirm(&b, digest, SLICE(""), NOW, &field), REFUSED_FIELD_MISSING);
    assert_int_equal(confirm(&b, other, WANG, NOW, &field), REFUSED_FIELD_RANGE);
    assert_string_equal(field, "digest");
    b = confirmed();
    assert_int_equal(confirm(&b, digest, WANG, NOW + 2, &field), REFUSED_NOTHING_PENDING);
    assert_string_equal(field, "batch");
}

static void unconfirmed_for_a_week_it_is_over(void **state) {
    (void)state;
    struct batch_state b = asked();
    const char *field = NULL;
    assert_int_equal(batch_expires_ms(&b), NOW + BATCH_LASTS_MS);
    assert_int_equal(confirm(&b, digest, WANG, NOW + BATCH_LASTS_MS, &field), REFUSED_NOTHING);
    assert_int_equal(confirm(&b, digest, WANG, NOW + BATCH_LASTS_MS + 1, &field), REFUSED_TOO_LATE);
}

static void it_is_carried_out_on_no_more_cases_than_were_confirmed(void **state) {
    (void)state;
    struct batch_state b = confirmed();
    for (; b.done < b.cases; b.done++) assert_int_equal(batch_take(&b, BATCH_CLOSE, NOW + 2), REFUSED_NOTHING);
    assert_int_equal(batch_take(&b, BATCH_CLOSE, NOW + 2), REFUSED_BATCH_SPENT);
}

static void it_is_for_one_verb(void **state) {
    (void)state;
    struct batch_state b = confirmed();
    assert_int_equal(batch_take(&b, BATCH_VOID, NOW + 2), REFUSED_BATCH_SPENT);
    assert_int_equal(batch_take(&b, BATCH_NONE, NOW + 2), REFUSED_BATCH_SPENT);
}

static void nothing_is_carried_out_before_it_is_confirmed_nor_a_week_after(void **state) {
    (void)state;
    struct batch_state b = asked();
    assert_int_equal(batch_take(&b, BATCH_CLOSE, NOW), REFUSED_BATCH_NOT_CONFIRMED);
    b = confirmed();
    assert_int_equal(batch_take(&b, BATCH_CLOSE, NOW + 1 + BATCH_LASTS_MS), REFUSED_NOTHING);
    assert_int_equal(batch_take(&b, BATCH_CLOSE, NOW + 2 + BATCH_LASTS_MS), REFUSED_TOO_LATE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_asked_for_by_somebody_for_so_many_cases_of_one_verb),
        cmocka_unit_test(another_person_confirms_what_the_first_one_saw),
        cmocka_unit_test(unconfirmed_for_a_week_it_is_over),
        cmocka_unit_test(it_is_carried_out_on_no_more_cases_than_were_confirmed),
        cmocka_unit_test(it_is_for_one_verb),
        cmocka_unit_test(nothing_is_carried_out_before_it_is_confirmed_nor_a_week_after),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
