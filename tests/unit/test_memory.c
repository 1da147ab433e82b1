/* Memory that is refused, allocation by allocation: of a store and of the rules. Whatever comes of it is told by a
 * negative errno and a sentence, nothing leaks, and the next try, with memory, finds all that was acknowledged. */
#include "daemon/config/config.h"
#include "daemon/store/backup.h"
#include "daemon/store/slots.h"
#include "tests/unit/broken_memory.h"
#include "tests/unit/no_sync.h"
#include "tests/unit/store_world.h"

#include <fcntl.h>
#include <ftw.h>

/* Allocations far into it are like those beside them: the further, the wider the stride. EVERY=1 (make faults): each */
static unsigned after(unsigned at) {
    return at + 1 + (getenv("EVERY") ? 0 : at / 10);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *f) {
    (void)st, (void)type, (void)f;
    return remove(path);
}

static void lose(const char *path) {
    if (access(path, F_OK) == 0)
        assert_int_equal(nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

static void lived(struct world *w) {
    w->options.slots_ahead = 64;
    world_create(w);
    world_random_turns(w, 8, 10);
}

/* ---- the store --------------------------------------------------------------------------------------------------- */

static void a_store_is_created_whole_or_not_at_all(void **state) {
    struct world *w = *state;
    char problem[400];
    bool hit = true;
    w->options.slots_ahead = 64;
    for (unsigned at = 1; hit; at = after(at)) {
        problem[0] = '\0';
        starve(at, at % 2 ? ONCE : FROM_THEN_ON);
        int r = store_create(&w->options, problem);
        hit = feed();
        assert_true(at < 300 && (hit || r == 0) && (r < 0) == (problem[0] != '\0'));
        if (access(w->dir, F_OK) < 0)
            assert_int_equal(store_create(&w->options, problem), 0);
        world_open(w);
        world_epoch(w, 1);
        world_close(w);
        lose(w->dir);
    }
}

/* With a tail to fold, without tables, and looking at every byte. */
static void openings_starve(struct world *w, const struct hash *digest, int how, bool without_tables) {
    char tables[192];
    bool hit = true;
    world_path(w, "state.mdb", tables);
    for (unsigned at = 1; hit; at = after(at)) {
        if (without_tables)
            assert_int_equal(unlink(tables), 0);
        starve(at, how);
        int r = world_try(w);
        hit = feed();
        assert_true(at < 3000 && (r == 0 || (r < 0 && hit && w->found.problem[0])));
        world_close(w);
        world_still_has(w, digest);
    }
}

static void a_start_that_is_refused_memory_leaves_everything_for_the_next(void **state) {
    struct world *w = *state;
    lived(w);
    struct hash digest = world_digest(w);
    world_close(w);
    openings_starve(w, &digest, ONCE, false);
    openings_starve(w, &digest, FROM_THEN_ON, true);
    w->options.verify_full = true;
    openings_starve(w, &digest, ONCE, true);
}

/* A report, committed, and a rest with its checkpoint: 0, or what failed first. *ret_case: acknowledged. */
static int turn_and_rest(struct world *w, uint64_t *ret_case) {
    PbPlace place = {.has_division = 1, .division = FIXTURE_GRID};
    PbReport report = {.place = &place, .category = (char *)"stall", .external_id = (char *)"1"};
    struct order order = {.kind = ORDER_REPORT, .report = &report};
    PbRefusal refusal = REFUSED_NOTHING;
    uint64_t id = 0;
    world_begin(w);
    int r = world_order(w, &order, 0, NULL, &refusal, &id);
    if (r == 0)
        r = store_commit(w->store);
    if (r < 0)
        return r;
    *ret_case = id;
    do
        r = store_rest(w->store, INT64_MAX / 2, w->now_ms, true);
    while (r == 1);
    return r;
}

static void whatever_is_refused_in_a_turn_or_a_rest_the_next_start_knows_what_was_acknowledged(void **state) {
    struct world *w = *state;
    struct verify_result v;
    struct case_state c;
    uint64_t kept = 0;
    bool hit = true;
    lived(w);
    for (unsigned at = 1; hit; at = after(at)) {
        starve(at, at % 2 ? ONCE : FROM_THEN_ON);
        int r = turn_and_rest(w, &kept);
        hit = feed();
        assert_true((hit || r == 0) && at < 300);
        world_close(w);
        world_open(w);
        if (kept)
            assert_int_equal(store_case(w->store, kept, &c), 0);
    }
    world_close(w);
    assert_int_equal(store_verify(&w->options, w->top, &v, NULL, NULL), 0);
    assert_true(v.equal && kept);
}

static void a_verification_and_a_backup_that_are_refused_memory_say_so(void **state) {
    struct world *w = *state;
    struct verify_result v;
    struct backup_result b, checked;
    char to[140];
    bool hit = true;
    lived(w);
    world_close(w);
    for (unsigned at = 1; hit; at = after(at)) {
        starve(at, at % 2 ? ONCE : FROM_THEN_ON);
        int r = store_verify(&w->options, w->top, &v, NULL, NULL);
        hit = feed();
        assert_true(at < 5000 && (hit || (r == 0 && v.equal)));
        assert_true(v.problem[0] || (r == 0 && v.equal));
    }
    (void)snprintf(to, sizeof to, "%s/backup", w->top);
    struct backup_options o = {.store = w->dir, .to = to, .map_bytes = w->options.map_bytes};
    hit = true;
    for (unsigned at = 1; hit; at = after(at)) {
        starve(at, at % 2 ? ONCE : FROM_THEN_ON);
        int r = store_backup(&o, &b);
        hit = feed();
        assert_true(at < 3000 && (r == 0 || (hit && b.problem[0])));
        assert_int_equal(store_backup(&o, &b), 0);
        assert_int_equal(store_backup_check(to, &checked), 0);
        lose(to);
    }
}

static int seen_none(void *to, const struct segment_seen *s) {
    (void)to, (void)s;
    return 0;
}

static void a_follower_and_a_survey_that_are_refused_memory_say_so(void **state) {
    struct world *w = *state;
    char to[140], problem[STORE_PROBLEM_SIZE];
    bool hit = true;
    lived(w);
    (void)snprintf(to, sizeof to, "%s/follower", w->top);
    for (unsigned at = 1; hit; at = after(at)) {
        struct follow *f = NULL;
        starve(at, ONCE);
        int r = follow_open(&f, to, problem);
        hit = feed();
        assert_true(at < 100 && (r == 0 || (hit && problem[0])));
        follow_close(f);
    }
    hit = true;
    for (unsigned at = 1; hit; at = after(at)) {
        starve(at, ONCE);
        int r = store_survey(w->dir, 0, seen_none, NULL, problem);
        hit = feed();
        assert_true(at < 100 && (r == 0 || (hit && r == -ENOMEM && problem[0])));
    }
}

static unsigned descriptors(void) {
    unsigned count = 0;
    for (int fd = 0; fd < 256; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

static void key_slots_that_are_refused_memory_leave_nothing_open(void **state) {
    static const uint8_t id[16] = "a store of tests";
    struct world *w = *state;
    struct slots *slots = NULL;
    bool hit = true;
    unsigned before = descriptors();
    for (unsigned at = 1; hit; at++) {
        starve(at, ONCE);
        int r = slots_create(w->top, id, 0, 100, NULL);
        hit = feed();
        assert_int_equal(r, hit ? -ENOMEM : 0);
    }
    hit = true;
    for (unsigned at = 1; hit; at++) {
        starve(at, ONCE);
        int r = slots_open(&slots, w->top, id, 0, false);
        hit = feed();
        assert_int_equal(r, hit ? -ENOMEM : 0);
    }
    slots_close(slots);
    assert_int_equal(descriptors(), before);
}

/* ---- the rules --------------------------------------------------------------------------------------------------- */

static void rules_that_are_refused_memory_are_not_loaded_and_the_file_is_named(void **state) {
    static uint8_t memory_of_rules[CONFIG_ARENA_BYTES];
    struct arena room;
    struct config_error e;
    PbRules *rules;
    (void)state;
    bool hit = true;
    for (unsigned at = 1; hit; at = after(at)) {
        rules = NULL;
        e = (struct config_error){.line = 0};
        arena_wrap(&room, memory_of_rules, sizeof memory_of_rules);
        starve(at, at % 2 ? ONCE : FROM_THEN_ON);
        int r = config_load("config/qindu", &room, &rules, &e);
        hit = feed();
        assert_true(hit || r == 0);
        assert_true(r == 0 ? rules != NULL : rules == NULL && e.file[0] && e.what[0]);
    }
}

int main(void) {
    if (!memory_share())
        return 1;
    const struct CMUnitTest tests[] = {
        WORLD(a_store_is_created_whole_or_not_at_all),
        WORLD(a_start_that_is_refused_memory_leaves_everything_for_the_next),
        WORLD(whatever_is_refused_in_a_turn_or_a_rest_the_next_start_knows_what_was_acknowledged),
        WORLD(a_verification_and_a_backup_that_are_refused_memory_say_so),
        WORLD(a_follower_and_a_survey_that_are_refused_memory_say_so),
        WORLD(key_slots_that_are_refused_memory_leave_nothing_open),
        cmocka_unit_test(rules_that_are_refused_memory_are_not_loaded_and_the_file_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
