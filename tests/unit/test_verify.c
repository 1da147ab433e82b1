/* What only a verification can find, because every file by itself is whole and signed: a base that was made of
 * something else, a text that was never sealed; and what it says when it has no room. */
#include "daemon/store/base.h"
#include "daemon/store/rows.h"
#include "daemon/store/store_internal.h"
#include "tests/unit/store_world.h"

#include <sys/stat.h>

static void found(struct world *w, int expected, const char *words) {
    struct verify_result v;
    int r = store_verify(&w->options, w->top, &v, NULL, NULL);
    if (r != expected || !strstr(v.problem, words))
        fail_msg("%d, \"%s\", not %d, \"%s\"", r, v.problem, expected, words);
    assert_false(v.equal);
}

static void grow_to_segment(struct world *w, uint64_t ordinal) {
    struct journal_segment s;
    while (!journal_segment(store_journal(w->store), ordinal, &s))
        world_random_turns(w, 5, 40);
}

/* A segment is begun upon a base that a broken broker has made, and the tables are lost. */
static void forge(struct world *w, void (*spoil)(struct tables *t), struct journal_base *ret) {
    char path[192];
    world_create(w);
    grow_to_segment(w, 2);
    while (store_prepare(w->store, 1 << 20) == 1) {}
    assert_int_equal(store_checkpoint(w->store), 0);
    spoil(&w->store->tables);
    assert_int_equal(base_write(&w->store->tables, w->store->dir_fd, ret), 0);
    assert_int_equal(journal_turn_over_upon(w->store->journal, ret), 0);
    world_close(w);
    world_path(w, "state.mdb", path);
    (void)unlink(path);
}

static void add_a_row(struct tables *t) {
    struct row_key key = key_deadline(&(struct due_row){1, 999999, TIMER_DESK});
    assert_int_equal(tables_put(t, TABLE_DEADLINES, &key, (struct slice){NULL, 0}), 0);
}

static void change_the_chain(struct tables *t) {
    t->meta.chain.byte[5] ^= 1;
}

static void a_base_that_does_not_hold_what_the_journal_folds_to_is_found(void **state) {
    struct world *w = *state;
    struct journal_base base;
    char name[BASE_NAME_SIZE], path[192];
    struct stat st;
    forge(w, add_a_row, &base);
    found(w, -EBADMSG, "it does not hold what the journal folds to");
    base_name(base.seq, name);
    world_path(w, name, path);
    assert_true(stat(path, &st) == 0 && chmod(path, 0600) == 0);
    world_flip(w, name, (long)st.st_size / 2);
    found(w, -EBADMSG, "base");
}

/* The first segment is gone, and the base begins the fold. */
static void a_base_of_another_history_is_found(void **state) {
    struct world *w = *state;
    struct journal_base base;
    char path[192];
    forge(w, change_the_chain, &base);
    world_path(w, "journal/00000001.seg", path);
    assert_int_equal(unlink(path), 0);
    found(w, -EBADMSG, "another history of this journal");
}

static void a_text_that_is_too_short_to_have_been_sealed_is_found(void **state) {
    static uint8_t short_box[SEAL_OVERHEAD - 1];
    struct world *w = *state;
    PbPlace place = {.has_division = 1, .division = FIXTURE_GRID};
    PbReport report = {.place = &place, .category = (char *)"stall", .external_id = (char *)"1"};
    PbSealed text = {.box = {sizeof short_box, short_box}, .has_box = 1};
    struct order order = {.kind = ORDER_REPORT, .report = &report, .text = &text};
    PbRefusal refusal = REFUSED_NOTHING;
    uint64_t id = 0;
    world_create(w);
    world_begin(w);
    assert_int_equal(world_order(w, &order, 0, NULL, &refusal, &id), 0);
    assert_int_equal(refusal, REFUSED_NOTHING);
    world_commit(w);
    world_close(w);
    found(w, -EBADMSG, "does not open with the key of slot");
}

static void a_key_that_is_not_there_any_more_is_found(void **state) {
    struct world *w = *state;
    char path[192];
    world_create(w);
    world_begin(w);
    (void)world_report(w, "rubbish", FIXTURE_GRID);
    (void)world_report(w, "rubbish", FIXTURE_GRID);
    world_commit(w);
    world_close(w);
    world_path(w, "slots", path);
    assert_int_equal(truncate(path, 4096 + KEY_SIZE), 0);
    found(w, -ENOENT, "put back the newest copy of `slots`");
}

/* Wherever the room ends: no verdict, and it is said what was being done. */
static void a_verification_without_room_never_says_equal(void **state) {
    static char nowhere[STORE_PATH_SIZE];
    struct world *w = *state;
    struct verify_result v = {.equal = false};
    unsigned tries = 0;
    world_create(w);
    world_random_turns(w, 2, 20);
    world_close(w);
    memset(nowhere, 'n', sizeof nowhere - 1);
    assert_int_equal(store_verify(&w->options, nowhere, &v, NULL, NULL), -ENAMETOOLONG);
    assert_true(v.problem[0] && !v.equal);
    for (w->options.map_bytes = 32 << 10; !v.equal; w->options.map_bytes += 4096, tries++) {
        int r = store_verify(&w->options, w->top, &v, NULL, NULL);
        assert_true(tries < 2000 && (v.equal ? r == 0 : r < 0 && v.problem[0]));
    }
    assert_true(tries > 5);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        WORLD(a_base_that_does_not_hold_what_the_journal_folds_to_is_found),
        WORLD(a_base_of_another_history_is_found),
        WORLD(a_text_that_is_too_short_to_have_been_sealed_is_found),
        WORLD(a_key_that_is_not_there_any_more_is_found),
        WORLD(a_verification_without_room_never_says_equal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
