/* Rows and keys: what is packed comes back, and keys sort as what they stand for. */
#include "daemon/store/rows.h"

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static uint64_t dice = 88172645463325252;

static uint64_t roll(void) {
    dice ^= dice << 13;
    dice ^= dice >> 7;
    return dice ^= dice << 17;
}

/* Small numbers, large ones, and the ends: what sorts wrongly sorts wrongly there. */
static uint64_t any(void) {
    switch (roll() % 5) {
    case 0: return roll() % 3;
    case 1: return UINT64_MAX - roll() % 3;
    case 2: return 1ULL << roll() % 64;
    default: return roll();
    }
}

static struct case_state a_case(void) {
    struct case_state c;
    memset(&c, 0, sizeof c);
    c.id = 7;
    c.asks_count = c.timers_count = 1;
    memcpy(c.category, "lamp", 4);
    memcpy(c.asks[0].party, "lighting@610402", 15);
    return c;
}

/* What compilers put between the members of a case, its first ask, its first timer and its detours on machines of 64
 * bits. */
enum { PADDING = 6 };

/* ---- cases ------------------------------------------------------------------------------------------------------- */

static bool is_text_or_count(size_t offset) {
    size_t ask = offsetof(struct case_state, asks), party = ask + offsetof(struct ask, party);
    return (offset >= offsetof(struct case_state, category) && offset < ask)
        || (offset >= party && offset < party + PARTY_BYTES_MAX + 1)
        || offset == offsetof(struct case_state, asks_count) || offset == offsetof(struct case_state, timers_count)
        || (offset >= ask + sizeof(struct ask) && offset < offsetof(struct case_state, timers))
        || (offset >= offsetof(struct case_state, timers) + sizeof(struct timer)
            && offset < offsetof(struct case_state, more))
        || offset >= offsetof(struct case_state, more) + offsetof(struct case_detours, void_by);
}

/* Each byte of the struct, changed alone: it must come back changed, or be the compiler's padding. */
static void no_byte_of_a_case_is_forgotten(void **state) {
    (void)state;
    uint8_t row[DB_VALUE_MAX], same[DB_VALUE_MAX];
    struct case_state plain = a_case(), c, back;
    size_t forgotten = 0, len = row_of_case(&plain, same);
    assert_true(case_of_row(slice_from(same, len), &back));
    assert_memory_equal(&plain, &back, sizeof plain);
    for (size_t i = 0; i < sizeof c; i++) {
        if (is_text_or_count(i))
            continue;
        c = plain;
        ((uint8_t *)&c)[i] ^= 1;
        if (c.id == 0)
            continue;
        len = row_of_case(&c, row);
        assert_true(case_of_row(slice_from(row, len), &back));
        bool lost = memcmp(row, same, len) == 0;
        if (!lost)
            assert_memory_equal(&c, &back, sizeof c);
        forgotten += lost;
    }
    assert_int_equal(forgotten, PADDING);
}

static void the_largest_case_fits_and_comes_back(void **state) {
    (void)state;
    uint8_t row[DB_VALUE_MAX];
    struct case_state c = a_case(), back;
    memset(c.category, 'c', CATEGORY_BYTES_MAX);
    memset(c.external_id, 'x', EXTERNAL_ID_BYTES_MAX);
    c.asks_count = CASE_ASKS_MAX;
    c.timers_count = CASE_TIMERS_MAX;
    for (unsigned i = 0; i < CASE_ASKS_MAX; i++) {
        memset(c.asks[i].party, 'p', PARTY_BYTES_MAX);
        c.asks[i].asked_at_ms = INT64_MIN + (int64_t)i;
    }
    for (unsigned i = 0; i < CASE_TIMERS_MAX; i++)
        c.timers[i].due_ms = INT64_MAX - (int64_t)i;
    size_t len = row_of_case(&c, row);
    assert_true(len > 1400 && len <= sizeof row);
    assert_true(case_of_row(slice_from(row, len), &back));
    assert_memory_equal(&c, &back, sizeof c);
}

static void no_row_of_a_case_is_made_of_another_one(const struct case_state *c) {
    uint8_t row[DB_VALUE_MAX] = {0};
    struct case_state back;
    size_t len = row_of_case(c, row);
    for (size_t cut = 0; cut < len; cut++)
        assert_false(case_of_row(slice_from(row, cut), &back));
    assert_false(case_of_row(slice_from(row, len + 1), &back));
    row[0] = ROWS_FORMAT + 1;
    assert_false(case_of_row(slice_from(row, len), &back));
    row[0] = ROWS_FORMAT;
    /* No byte may become a bool that is neither, nor a count that runs over its list. */
    for (size_t i = 1; i < len; i++) {
        uint8_t was = row[i];
        row[i] = 0xff;
        if (case_of_row(slice_from(row, len), &back))
            assert_true(back.asks_count <= CASE_ASKS_MAX && back.timers_count <= CASE_TIMERS_MAX);
        row[i] = was;
    }
    assert_true(case_of_row(slice_from(row, len), &back));
    memset(row + 1, 0, sizeof c->id);
    assert_false(case_of_row(slice_from(row, len), &back));
}

static void what_is_no_row_of_a_case_is_refused(void **state) {
    (void)state;
    struct case_state c = a_case();
    no_row_of_a_case_is_made_of_another_one(&c);
    c.more.returns = 2;
    memcpy(c.more.void_by, "0018", 4);
    memcpy(c.more.approver, "street@610402", 13);
    memcpy(c.more.origin, "12345", 5);
    memcpy(c.more.proposed, "lighting@610402", 15);
    no_row_of_a_case_is_made_of_another_one(&c);
}

/* ---- what follows from a case ------------------------------------------------------------------------------------ */

static unsigned count_of(const struct row *rows, unsigned count, enum table table) {
    unsigned n = 0;
    for (unsigned i = 0; i < count; i++)
        n += rows[i].table == table;
    return n;
}

static void an_open_case_stands_in_the_tables_that_wait_for_it(void **state) {
    (void)state;
    struct row rows[ROWS_OF_CASE_MAX];
    struct case_state c = a_case();
    c.division = 610402006001001;
    c.state = STATE_REPORTED;
    c.timers[0] = (struct timer){.kind = TIMER_DESK, .due_ms = 5};
    c.asks[0].status = ASK_DONE;
    unsigned count = rows_of_case(&c, rows);
    assert_int_equal(count, 3);
    assert_int_equal(count_of(rows, count, TABLE_OPEN), 1);
    assert_int_equal(count_of(rows, count, TABLE_WORK), 1);
    assert_int_equal(count_of(rows, count, TABLE_DEADLINES), 1);
    c.state = STATE_DISPATCHED;
    c.asks[0].status = ASK_ACCEPTED;
    count = rows_of_case(&c, rows);
    assert_int_equal(count_of(rows, count, TABLE_WORK), 0);
    assert_int_equal(count_of(rows, count, TABLE_ASKS), 1);
    c.timers[0].stopped = true;
    count = rows_of_case(&c, rows);
    assert_int_equal(count_of(rows, count, TABLE_DEADLINES), 0);
    c.state = STATE_MERGED;
    c.more.master = 3;
    c.asks[0].status = ASK_ENDED;
    count = rows_of_case(&c, rows);
    assert_int_equal(count_of(rows, count, TABLE_FOLLOWERS), 1);
    assert_int_equal(count_of(rows, count, TABLE_OPEN), 0);
    c.state = STATE_CLOSED;
    c.timers_count = 0;
    assert_int_equal(rows_of_case(&c, rows), 0);
    assert_int_equal(rows_of_case(&(struct case_state){.id = 0}, rows), 0);
}

/* Its master must not be ended away from it: whatever it is, an exercise or not. */
static void a_case_that_was_merged_stands_with_its_master(void **state) {
    (void)state;
    struct row rows[ROWS_OF_CASE_MAX];
    struct case_state c = a_case();
    c.state = STATE_MERGED;
    c.more.master = 5;
    c.asks_count = c.timers_count = 0;
    for (unsigned exercise = 0; exercise < 2; exercise++) {
        c.exercise = exercise;
        assert_int_equal(rows_of_case(&c, rows), 1);
        struct row_key key = key_follower(5, c.id);
        assert_int_equal(rows[0].table, TABLE_FOLLOWERS);
        assert_int_equal(rows[0].key.len, key.len);
        assert_memory_equal(rows[0].key.byte, key.byte, key.len);
    }
}

/* ---- the others -------------------------------------------------------------------------------------------------- */

static void meta_knows_every_flip(void **state) {
    (void)state;
    uint8_t row[META_ROW_BYTES];
    struct meta m = {.folded_seq = 77, .epoch = 3, .chain = {{9}}, .store_id = "sixteen bytes.."}, back;
    row_of_meta(&m, row);
    assert_true(meta_of_row(slice_from(row, sizeof row), &back));
    assert_int_equal(back.folded_seq, 77);
    assert_memory_equal(&m, &back, sizeof m);
    for (size_t i = 0; i < 8 * sizeof row; i++) {
        row[i / 8] ^= (uint8_t)(1 << i % 8);
        assert_false(meta_of_row(slice_from(row, sizeof row), &back));
        row[i / 8] ^= (uint8_t)(1 << i % 8);
    }
    assert_false(meta_of_row(slice_from(row, sizeof row - 1), &back));
}

static void facts_and_receipts_come_back(void **state) {
    (void)state;
    uint8_t row[FACTS_ROW_BYTES], receipt_row[RECEIPT_ROW_BYTES];
    struct facts f, facts_back;
    struct receipt r = {.seq = 5, .case_id = 4, .at_ms = -3, .hash = {1, 2, 3}}, back;
    memset(&f, 0x5a, sizeof f);
    row_of_facts(&f, row);
    assert_true(facts_of_row(slice_from(row, sizeof row), &facts_back));
    assert_memory_equal(&f, &facts_back, sizeof f);
    row[0] = FACTS_FORMAT - 1;                        /* of a version that counted less */
    assert_false(facts_of_row(slice_from(row, sizeof row), &facts_back));
    row_of_receipt(&r, receipt_row);
    assert_true(receipt_of_row(slice_from(receipt_row, sizeof receipt_row), &back));
    assert_memory_equal(&r, &back, sizeof r);
    assert_false(receipt_of_row(slice_from(receipt_row, sizeof receipt_row - 1), &back));
}

static void a_batch_comes_back_and_nothing_else_is_taken_for_one(void **state) {
    (void)state;
    uint8_t row[BATCH_ROW_BYTES];
    struct batch_state b, back;
    memset(&b, 0, sizeof b);
    b.verb = 1, b.confirmed = true, b.cases = 7, b.done = 3, b.asked_at_ms = -5;
    row_of_batch(&b, row);
    assert_true(batch_of_row(slice_from(row, sizeof row), &back));
    assert_true(back.confirmed && back.cases == 7 && back.done == 3 && back.asked_at_ms == -5);
    assert_false(batch_of_row(slice_from(row, sizeof row - 1), &back));
    row[1] = 2;                                   /* neither confirmed nor not */
    assert_false(batch_of_row(slice_from(row, sizeof row), &back));
}

/* ---- keys -------------------------------------------------------------------------------------------------------- */

static int sign(int v) {
    return (v > 0) - (v < 0);
}

static int order_u(uint64_t a, uint64_t b) {
    return (a > b) - (a < b);
}

static int order_i(int64_t a, int64_t b) {
    return (a > b) - (a < b);
}

static int order_keys(struct row_key a, struct row_key b) {
    return sign(slice_order(key_bytes(&a), key_bytes(&b)));
}

/* The first that is not equal decides. */
static int first_of(int a, int b, int c) {
    return a ? a : b ? b : c;
}

static void keys_sort_as_what_they_stand_for(void **state) {
    (void)state;
    for (unsigned i = 0; i < 20000; i++) {
        uint64_t a[3] = {any(), any(), any()}, b[3] = {any(), any(), any()};
        for (unsigned k = 0; k < 3; k++)
            if (roll() % 2)
                b[k] = a[k];
        struct due_row d = {(int64_t)a[0], a[1], a[2] % 8}, e = {(int64_t)b[0], b[1], b[2] % 8};
        assert_int_equal(order_keys(key_deadline(&d), key_deadline(&e)),
                         first_of(order_i(d.due_ms, e.due_ms), order_u(d.case_id, e.case_id), order_u(d.kind, e.kind)));
        struct work_row v = {.level = a[2] % 6, .ready_ms = (int64_t)a[0], .case_id = a[1]};
        struct work_row w = {.level = b[2] % 6, .ready_ms = (int64_t)b[0], .case_id = b[1]};
        assert_int_equal(order_keys(key_work(&v), key_work(&w)),
                         first_of(order_u(v.level, w.level), order_i(v.ready_ms, w.ready_ms), order_u(a[1], b[1])));
        assert_int_equal(order_keys(key_story(a[0], a[1]), key_story(b[0], b[1])),
                         first_of(order_u(a[0], b[0]), order_u(a[1], b[1]), 0));
        uint32_t x[3] = {(uint32_t)a[0], (uint32_t)a[1], (uint32_t)a[2]};
        uint32_t y[3] = {(uint32_t)b[0], (uint32_t)b[1], (uint32_t)b[2]};
        assert_int_equal(order_keys(key_case_number(x[0], x[1], x[2]), key_case_number(y[0], y[1], y[2])),
                         first_of(order_u(x[0], y[0]), order_u(x[1], y[1]), order_u(x[2], y[2])));
        assert_int_equal(order_keys(key_number(a[0]), key_number(b[0])), order_u(a[0], b[0]));
    }
}

static void keys_say_again_what_they_were_made_of(void **state) {
    (void)state;
    uint8_t value[11] = {0};
    for (unsigned i = 0; i < 1000; i++) {
        struct due_row d = {(int64_t)any(), any(), any() % 8}, due;
        struct work_row w = {.level = any() % 6, .ready_ms = (int64_t)any(), .case_id = any()}, work;
        struct row_key k = key_deadline(&d);
        assert_true(due_of_key(key_bytes(&k), &due));
        assert_true(due.due_ms == d.due_ms && due.case_id == d.case_id && due.kind == d.kind);
        k = key_work(&w);
        assert_true(work_of_row(key_bytes(&k), slice_from(value, sizeof value), &work));
        assert_true(work.level == w.level && work.ready_ms == w.ready_ms && work.case_id == w.case_id);
        assert_false(work_of_row(key_bytes(&k), slice_from(value, sizeof value - 1), &work));
        assert_false(due_of_key(slice_from(k.byte, 16), &due));
    }
}

static void a_place_sorts_inside_of_everything_that_covers_it(void **state) {
    (void)state;
    static const uint64_t codes[] = {
        61, 62, 6104, 6105, 610402, 610403, 610402006, 610402007, 610402006001, 610402006002, 610402006001001,
        610402006001002, 610402007001001, 610403000000, 610499999999999, 10, 99, 999999999999999,
    };
    for (unsigned i = 0; i < COUNT_OF(codes); i++)
        for (unsigned k = 0; k < COUNT_OF(codes); k++) {
            uint64_t at = division_left(codes[k]);
            bool inside = at >= division_left(codes[i]) && at < division_behind(codes[i]);
            /* One that is coarser stands at the beginning of its first part: that is why the row has its own code. */
            bool coarser = division_digits(codes[k]) < division_digits(codes[i]);
            if (!coarser)
                assert_int_equal(inside, division_covers(codes[i], codes[k]));
            assert_true(at < division_behind(0));
        }
}

static void sources_and_parties_never_run_into_what_follows(void **state) {
    (void)state;
    static const uint8_t id[16] = "aaaaaaaaaaaaaaa", other[16] = "baaaaaaaaaaaaaa";
    struct row_key a = key_receipt(SLICE("uid:1"), id), b = key_receipt(SLICE("uid:1a"), id);
    struct row_key c = key_receipt(SLICE("uid:1"), other);
    assert_true(order_keys(a, b) != 0 && order_keys(a, c) != 0);
    assert_int_equal(a.len, 1 + 5 + 16);
    struct row_key d = key_ask("desk@61", 1, 1, 1), e = key_ask("desk@6104", 1, 1, 1);
    assert_false(slice_starts(key_bytes(&e), slice_from(d.byte, 8)));
    assert_int_equal(d.len, 7 + 1 + 8 + 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_byte_of_a_case_is_forgotten),
        cmocka_unit_test(the_largest_case_fits_and_comes_back),
        cmocka_unit_test(what_is_no_row_of_a_case_is_refused),
        cmocka_unit_test(an_open_case_stands_in_the_tables_that_wait_for_it),
        cmocka_unit_test(a_case_that_was_merged_stands_with_its_master),
        cmocka_unit_test(meta_knows_every_flip),
        cmocka_unit_test(facts_and_receipts_come_back),
        cmocka_unit_test(a_batch_comes_back_and_nothing_else_is_taken_for_one),
        cmocka_unit_test(keys_sort_as_what_they_stand_for),
        cmocka_unit_test(keys_say_again_what_they_were_made_of),
        cmocka_unit_test(a_place_sorts_inside_of_everything_that_covers_it),
        cmocka_unit_test(sources_and_parties_never_run_into_what_follows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
