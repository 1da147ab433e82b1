/* The store's tables: what was put is read, in order; what was not committed is forgotten. */
#include "tests/unit/db_scratch.h"

#include <signal.h>
#include <sys/resource.h>

/* ---- rows ------------------------------------------------------------------------------------------------------- */

static void what_was_put_is_got_until_deleted(void **state) {
    (void)state;
    struct db *d = open_small();
    struct number n;
    expect_none(d, CASES, 7);
    put_text(d, CASES, 7, "first");
    put_text(d, TIMERS, 7, "another table");
    expect_text(d, CASES, 7, "first");
    put_text(d, CASES, 7, "a longer second");
    put_text(d, CASES, 8, "");
    put_text(d, NOTES, 8, "");
    expect_text(d, CASES, 7, "a longer second");
    expect_text(d, CASES, 8, "");
    expect_text(d, NOTES, 8, "");
    expect_text(d, TIMERS, 7, "another table");
    assert_int_equal(db_changes(d), 5);
    assert_int_equal(db_delete(d, CASES, key_of(&n, 7)), 0);
    assert_int_equal(db_delete(d, CASES, key_of(&n, 7)), -ENOENT);
    expect_none(d, CASES, 7);
    expect_text(d, CASES, 8, "");
    db_close(d);
}

static void the_largest_key_and_value_fit(void **state) {
    (void)state;
    uint8_t key[DB_KEY_MAX], value[DB_VALUE_MAX];
    memset(value, 0x77, sizeof value);
    struct db *d = open_small();
    for (unsigned i = 0; i < 50; i++) {
        memset(key, (int)i, sizeof key);
        assert_int_equal(db_put_last(d, CASES, slice_from(key, sizeof key), slice_from(value, sizeof value)), 0);
    }
    assert_int_equal(db_commit(d), 0);
    assert_true(db_pages_used(d) < 40);              /* two rows a page; overflow pages would be one a row and more */
    struct slice got;
    assert_int_equal(db_get(d, CASES, slice_from(key, sizeof key), &got), 0);
    assert_true(slice_equal(got, slice_from(value, sizeof value)));
    db_close(d);
}

static void abort_forgets_and_commit_keeps(void **state) {
    (void)state;
    struct db *d = open_small();
    put_text(d, CASES, 1, "kept");
    assert_int_equal(db_commit(d), 0);
    assert_int_equal(db_changes(d), 0);
    put_text(d, CASES, 1, "lost");
    put_text(d, CASES, 2, "lost");
    db_abort(d);
    expect_text(d, CASES, 1, "kept");
    expect_none(d, CASES, 2);
    put_text(d, CASES, 3, "lost with the process");
    db_close(d);
    d = open_small();
    expect_text(d, CASES, 1, "kept");
    expect_none(d, CASES, 3);
    db_close(d);
}

static void a_read_only_store_is_read_through_many_snapshots(void **state) {
    (void)state;
    struct db_options o = options_for(64 << 20);
    o.read_only = true;
    struct db *d = NULL;
    assert_int_equal(db_open(&d, &o), -ENOENT);
    d = open_small();
    for (unsigned i = 0; i < 3000; i++)
        put_text(d, CASES, i, "row");
    assert_int_equal(db_commit(d), 0);
    db_close(d);
    assert_int_equal(db_open(&d, &o), 0);
    struct db_walk w;
    struct slice key, value;
    unsigned rows = 0;
    db_walk_from(&w, d, CASES, all);
    while (db_walk_next(&w, &key, &value) == 1)
        assert_int_equal(get_be64(key.at), rows++);
    assert_int_equal(rows, 3000);
    char problem[256];
    assert_int_equal(db_verify(d, problem), 0);
    db_close(d);
}

static void rows_put_last_or_anywhere_are_the_same_rows(void **state) {
    (void)state;
    struct db *d = open_small();
    struct number n;
    static const uint64_t order[] = {5, 9, 7, 9, 12, 1, 13};
    for (size_t i = 0; i < COUNT_OF(order); i++)
        assert_int_equal(db_put_last(d, TIMERS, key_of(&n, order[i]), SLICE("t")), 0);
    static const uint64_t sorted[] = {1, 5, 7, 9, 12, 13};
    struct db_walk w;
    struct slice key, value;
    db_walk_from(&w, d, TIMERS, all);
    for (size_t i = 0; i < COUNT_OF(sorted); i++) {
        assert_int_equal(db_walk_next(&w, &key, &value), 1);
        assert_int_equal(get_be64(key.at), sorted[i]);
    }
    assert_int_equal(db_walk_next(&w, &key, &value), 0);
    db_close(d);
}

/* ---- walks ------------------------------------------------------------------------------------------------------ */

static void big_endian_keys_walk_in_the_order_of_numbers(void **state) {
    (void)state;
    struct db *d = open_small();
    uint64_t seed = 1;
    for (unsigned i = 0; i < 2000; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        put_text(d, CASES, seed >> (seed % 60), "x");
    }
    struct db_walk w;
    struct slice key, value;
    uint64_t last = 0, rows = 0;
    db_walk_from(&w, d, CASES, all);
    while (db_walk_next(&w, &key, &value) == 1) {
        assert_true(rows++ == 0 || get_be64(key.at) > last);
        last = get_be64(key.at);
    }
    assert_true(rows > 1000);
    struct number n;
    db_walk_from(&w, d, CASES, key_of(&n, last));
    assert_int_equal(db_walk_next(&w, &key, &value), 1);
    assert_int_equal(get_be64(key.at), last);
    assert_int_equal(db_walk_next(&w, &key, &value), 0);
    db_walk_done(&w);
    db_close(d);
}

/* Delete what was just given, put before and behind, walk elsewhere in the table, commit: each row is still given
 * once. */
static void a_walk_goes_on_behind_its_last_key_whatever_happens_meanwhile(void **state) {
    (void)state;
    struct db *d = open_small();
    struct number n;
    struct slice key, value, other_key;
    for (unsigned i = 0; i < 1000; i++)
        put_text(d, CASES, i * 10, "original");
    struct db_walk w, other;
    db_walk_from(&w, d, CASES, all);
    for (unsigned i = 0; i < 1000; i++) {
        assert_int_equal(db_walk_next(&w, &key, &value), 1);
        assert_int_equal(get_be64(key.at), i * 10);
        assert_true(slice_equal(value, SLICE("original")));
        if (i % 2 == 0)
            assert_int_equal(db_delete(d, CASES, key_of(&n, i * 10)), 0);
        if (i % 3 == 0 && i > 0)
            put_text(d, CASES, i * 10 - 5, "behind the walk, in a row long enough to split pages under it");
        if (i % 5 == 0) {
            db_walk_from(&other, d, CASES, all);
            assert_int_equal(db_walk_next(&other, &other_key, &value), 1);
        }
        if (i % 100 == 99)
            assert_int_equal(db_commit(d), 0);
    }
    assert_int_equal(db_walk_next(&w, &key, &value), 0);
    put_text(d, CASES, 1000000, "late");
    assert_int_equal(db_walk_next(&w, &key, &value), 1);
    assert_int_equal(get_be64(key.at), 1000000);
    assert_int_equal(db_walk_next(&w, &key, &value), 0);
    db_close(d);
}

static void expect_last(struct db *d, struct slice prefix, struct slice expected) {
    struct slice key, value;
    int r = db_last(d, NOTES, prefix, &key, &value);
    assert_int_equal(r, expected.at == NULL ? -ENOENT : 0);
    assert_true(expected.at == NULL || slice_equal(key, expected));
}

static void last_is_the_last_row_under_a_prefix(void **state) {
    (void)state;
    struct db *d = open_small();
    expect_last(d, all, all);
    static const char *const keys[] = {"a1", "a2", "a9z", "c", "c\xff", "c\xff\xff", "\xff\xff", "\xff\xff\x01"};
    for (size_t i = 0; i < COUNT_OF(keys); i++)
        assert_int_equal(db_put(d, NOTES, slice_of(keys[i]), SLICE("v")), 0);
    expect_last(d, SLICE("a"), SLICE("a9z"));
    expect_last(d, SLICE("a9"), SLICE("a9z"));
    expect_last(d, SLICE("a2"), SLICE("a2"));
    expect_last(d, SLICE("a3"), all);
    expect_last(d, SLICE("A"), all);
    expect_last(d, SLICE("b"), all);
    expect_last(d, SLICE("c"), SLICE("c\xff\xff"));
    expect_last(d, SLICE("c\xff"), SLICE("c\xff\xff"));
    expect_last(d, SLICE("\xff"), SLICE("\xff\xff\x01"));
    expect_last(d, SLICE("\xff\xff\xff"), all);
    expect_last(d, all, SLICE("\xff\xff\x01"));
    db_close(d);
}

/* ---- against a model -------------------------------------------------------------------------------------------- */

enum { MODEL_KEYS = 600, MODEL_STEPS = 60000 };

static uint32_t random_below(uint64_t *seed, uint32_t bound) {
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((*seed >> 33) % bound);
}

/* A row's value is made of one number, its length too: 0 is no row. */
static struct slice model_value(uint32_t version, uint8_t to[static 512]) {
    size_t len = 4 + version % 500;
    memset(to, (int)(version & 0xff), len);
    put_le32(to, version);
    return slice_from(to, len);
}

static void expect_model(struct db *d, const uint32_t model[static MODEL_KEYS]) {
    struct db_walk w;
    struct slice key, value;
    uint8_t expected[512];
    db_walk_from(&w, d, CASES, all);
    for (uint32_t k = 0; k < MODEL_KEYS; k++) {
        if (model[k] == 0)
            continue;
        assert_int_equal(db_walk_next(&w, &key, &value), 1);
        assert_int_equal(get_be64(key.at), k);
        assert_true(slice_equal(value, model_value(model[k], expected)));
    }
    assert_int_equal(db_walk_next(&w, &key, &value), 0);
}

static void a_random_life_agrees_with_a_plain_array(void **state) {
    (void)state;
    struct db *d = open_small();
    uint32_t now[MODEL_KEYS] = {0}, kept[MODEL_KEYS] = {0};
    uint64_t seed = 42;
    uint8_t bytes[512];
    struct number n;
    struct slice got;
    char problem[256];
    for (uint32_t step = 1; step <= MODEL_STEPS; step++) {
        uint32_t dice = random_below(&seed, 1000), k = random_below(&seed, MODEL_KEYS);
        if (dice < 400) {
            struct slice value = model_value(step, bytes);
            assert_int_equal((dice % 2 != 0 ? db_put : db_put_last)(d, CASES, key_of(&n, k), value), 0);
            now[k] = step;
        } else if (dice < 750) {
            assert_int_equal(db_delete(d, CASES, key_of(&n, k)), now[k] != 0 ? 0 : -ENOENT);
            now[k] = 0;
        } else if (dice < 990) {
            int r = db_get(d, CASES, key_of(&n, k), &got);
            assert_int_equal(r, now[k] != 0 ? 0 : -ENOENT);
            assert_true(r != 0 || slice_equal(got, model_value(now[k], bytes)));
        } else if (dice < 995) {
            assert_int_equal(db_commit(d), 0);
            memcpy(kept, now, sizeof kept);
        } else if (dice < 998) {
            db_abort(d);
            memcpy(now, kept, sizeof now);
        } else {
            db_close(d);
            d = open_small();
            memcpy(now, kept, sizeof now);
        }
        if (step % 500 == 0)
            expect_model(d, now);
        if (step % 5000 == 0)
            assert_int_equal(db_verify(d, problem), 0);
    }
    db_close(d);
}

/* ---- digest ----------------------------------------------------------------------------------------------------- */

static struct hash digest_of(struct db *d) {
    struct hash h;
    assert_int_equal(db_digest(d, &h), 0);
    return h;
}

static void the_digest_does_not_know_the_order_of_puts(void **state) {
    (void)state;
    struct db *d = open_small();
    for (unsigned i = 0; i < 500; i++)
        put_text(d, CASES, i, "row");
    struct hash forward = digest_of(d);
    db_abort(d);
    for (unsigned i = 500; i-- > 0;) {
        put_text(d, CASES, i, "another length first");
        put_text(d, TIMERS, i, "gone in the end");
        put_text(d, NOTES, i, "no fold");
    }
    struct number n;
    for (unsigned i = 0; i < 500; i++) {
        put_text(d, CASES, i, "row");
        assert_int_equal(db_delete(d, TIMERS, key_of(&n, i)), 0);
    }
    struct hash backward = digest_of(d);
    assert_true(hash_equal(&forward, &backward));
    assert_int_equal(db_commit(d), 0);
    backward = digest_of(d);
    assert_true(hash_equal(&forward, &backward));
    db_close(d);
}

static void the_digest_knows_every_row(void **state) {
    (void)state;
    struct db *d = open_small();
    struct number n;
    for (unsigned i = 0; i < 100; i++)
        put_text(d, CASES, i, "row");
    assert_int_equal(db_commit(d), 0);
    struct hash before = digest_of(d), after;
    for (unsigned i = 0; i < 100; i++) {
        put_text(d, CASES, i, "roW");
        after = digest_of(d);
        assert_false(hash_equal(&before, &after));
        db_abort(d);
        assert_int_equal(db_delete(d, CASES, key_of(&n, i)), 0);
        after = digest_of(d);
        assert_false(hash_equal(&before, &after));
        put_text(d, TIMERS, i, "row");               /* moved to another table */
        after = digest_of(d);
        assert_false(hash_equal(&before, &after));
        db_abort(d);
    }
    after = digest_of(d);
    assert_true(hash_equal(&before, &after));
    db_close(d);
}

/* ---- space ------------------------------------------------------------------------------------------------------ */

/* A map of 64 pages, with one row committed. */
static struct db *open_tiny(void) {
    struct db_options o = options_for(64 * 4096);
    struct db *d = NULL;
    assert_int_equal(db_open(&d, &o), 0);
    put_text(d, CASES, 0, "kept");
    assert_int_equal(db_commit(d), 0);
    return d;
}

static void put_until_full(struct db *d, int (*put)(struct db *, unsigned, struct slice, struct slice)) {
    static const uint8_t value[1000] = {0};
    struct number n;
    int r = 0;
    for (unsigned i = 1; r == 0; i++) {
        assert_true(i < 1000);
        r = put(d, CASES, key_of(&n, i), slice_from(value, sizeof value));
    }
    assert_int_equal(r, -ENOSPC);
}

static void a_full_map_is_no_space_and_abort_gives_back_what_was_committed(void **state) {
    (void)state;
    struct db *d = open_tiny();
    struct number n;
    struct slice got;
    put_until_full(d, db_put);
    assert_int_equal(db_get(d, CASES, key_of(&n, 0), &got), -ENOSPC);
    assert_int_equal(db_commit(d), -ENOSPC);
    assert_true(strlen(db_problem(d)) > 0);
    db_abort(d);
    expect_text(d, CASES, 0, "kept");
    expect_none(d, CASES, 1);
    put_text(d, CASES, 1, "after");
    assert_int_equal(db_commit(d), 0);
    expect_text(d, CASES, 1, "after");
    db_close(d);
}

/* Whoever asks next must not take half a transaction for an answer. */
static void a_dead_transaction_says_to_everybody_what_killed_it(void **state) {
    (void)state;
    struct db *d = open_tiny();
    const uint64_t pages = db_pages_used(d);
    struct slice key, got;
    struct db_walk walk;
    struct number n;
    struct hash digest;
    char problem[256] = "";
    put_until_full(d, db_put_last);
    assert_int_equal(db_put(d, CASES, key_of(&n, 0), SLICE("a row")), -ENOSPC);
    assert_int_equal(db_delete(d, CASES, key_of(&n, 0)), -ENOSPC);
    db_walk_from(&walk, d, CASES, all);
    assert_int_equal(db_walk_next(&walk, &key, &got), -ENOSPC);
    assert_int_equal(db_last(d, CASES, all, &key, &got), -ENOSPC);
    assert_int_equal(db_verify(d, problem), -ENOSPC);
    assert_int_equal(db_digest(d, &digest), -ENOSPC);
    assert_int_equal(db_pages_used(d), 0);
    db_abort(d);
    assert_int_equal(db_pages_used(d), pages);
    expect_text(d, CASES, 0, "kept");
    db_close(d);
    db_close(NULL);
}

static void a_commit_that_cannot_grow_the_file_is_no_space_and_loses_nothing_older(void **state) {
    (void)state;
    struct db *d = open_small();
    uint8_t value[1000] = {0};
    struct number n;
    put_text(d, CASES, 0, "kept");
    assert_int_equal(db_commit(d), 0);
    for (unsigned i = 1; i < 200; i++)
        assert_int_equal(db_put(d, CASES, key_of(&n, i), slice_from(value, sizeof value)), 0);
    struct rlimit before, now;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    now = (struct rlimit){.rlim_cur = db_file_bytes(d), .rlim_max = before.rlim_max};
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &now), 0);
    int r = db_commit(d);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_true(r == -ENOSPC || r == -EIO);          /* EIO: LMDB's word for a short write, and the disk is not full */
    db_abort(d);
    expect_text(d, CASES, 0, "kept");
    expect_none(d, CASES, 1);
    put_text(d, CASES, 1, "after");
    assert_int_equal(db_commit(d), 0);
    db_close(d);
    d = open_small();
    expect_text(d, CASES, 1, "after");
    db_close(d);
}

static void allocating_ahead_grows_the_file_and_not_the_use(void **state) {
    (void)state;
    struct db *d = open_small();
    put_text(d, CASES, 1, "row");
    assert_int_equal(db_commit(d), 0);
    uint64_t used = db_pages_used(d);
    assert_int_equal(db_allocate_ahead(d, 1 << 20), 0);
    assert_true(db_file_bytes(d) >= 1 << 20);
    assert_int_equal(db_pages_used(d), used);
    db_close(d);
    d = open_small();
    expect_text(d, CASES, 1, "row");
    for (unsigned i = 0; i < 1000; i++)
        put_text(d, CASES, i, "row");
    assert_true(db_pages_used(d) > used);
    db_close(d);
}

int main(void) {
    crypto_init();
    const struct CMUnitTest tests[] = {
        TEST(what_was_put_is_got_until_deleted),
        TEST(the_largest_key_and_value_fit),
        TEST(abort_forgets_and_commit_keeps),
        TEST(a_read_only_store_is_read_through_many_snapshots),
        TEST(rows_put_last_or_anywhere_are_the_same_rows),
        TEST(big_endian_keys_walk_in_the_order_of_numbers),
        TEST(a_walk_goes_on_behind_its_last_key_whatever_happens_meanwhile),
        TEST(last_is_the_last_row_under_a_prefix),
        TEST(a_random_life_agrees_with_a_plain_array),
        TEST(the_digest_does_not_know_the_order_of_puts),
        TEST(the_digest_knows_every_row),
        TEST(a_full_map_is_no_space_and_abort_gives_back_what_was_committed),
        TEST(a_dead_transaction_says_to_everybody_what_killed_it),
        TEST(a_commit_that_cannot_grow_the_file_is_no_space_and_loses_nothing_older),
        TEST(allocating_ahead_grows_the_file_and_not_the_use),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
