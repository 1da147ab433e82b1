/* The store as its callers know it: turns, receipts, abandoning, questions, space. */
#include "daemon/store/backup.h"
#include "tests/unit/store_world.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

/* ---- creation (rule 18) ------------------------------------------------------------------------------------------ */

static void a_store_is_created_once_and_never_over_another(void **state) {
    struct world *w = *state;
    char problem[STORE_PROBLEM_SIZE] = "", path[192];
    struct stat st;
    assert_int_equal(store_create(&w->options, problem), 0);
    assert_int_equal(store_create(&w->options, problem), -EEXIST);
    assert_non_null(strstr(problem, "store"));
    static const char *const names[] = {"FORMAT", "key", "state.mdb", "slots", "reserve", "journal/00000001.seg"};
    for (unsigned i = 0; i < COUNT_OF(names); i++) {
        world_path(w, names[i], path);
        assert_int_equal(stat(path, &st), 0);
        if (strcmp(names[i], "FORMAT") != 0)
            assert_int_equal(st.st_mode & 077, 0);
    }
    world_open(w);
    assert_string_equal(w->found.decision, "serve");
    assert_int_equal(w->found.epoch, 0);
    assert_int_equal(store_next_seq(w->store), 1);
    assert_int_equal(store_rules_number(w->store), 0);
}

static void what_a_cut_short_creation_left_is_cleared_away(void **state) {
    struct world *w = *state;
    char problem[STORE_PROBLEM_SIZE] = "", fresh[256], inside[300];
    (void)snprintf(fresh, sizeof fresh, "%s.new", w->dir);
    assert_int_equal(mkdir(fresh, 0700), 0);
    (void)snprintf(inside, sizeof inside, "%s/journal", fresh);
    assert_int_equal(mkdir(inside, 0700), 0);
    (void)snprintf(inside, sizeof inside, "%s/journal/00000001.seg", fresh);
    int fd = open(inside, O_WRONLY | O_CREAT, 0600);
    assert_true(fd >= 0);
    assert_int_equal(close(fd), 0);
    assert_int_equal(store_create(&w->options, problem), 0);
    world_open(w);
}

static void a_second_opening_is_refused_while_the_first_lives(void **state) {
    struct world *w = *state;
    world_create(w);
    struct store *second = NULL;
    struct store_found found;
    assert_int_equal(store_open(&second, &w->options, &found), -EBUSY);
    assert_non_null(strstr(found.problem, "another process"));
    assert_null(second);
    world_close(w);
    assert_int_equal(store_open(&second, &w->options, &found), 0);
    store_close(second);
}

static void the_store_of_a_drill_is_the_same_twice(void **state) {
    struct world *w = *state;
    struct hash digest[2];
    struct key key[2];
    char other[192];
    w->options.drill = true;
    for (unsigned i = 0; i < 2; i++) {
        w->dice = 77, w->ids = 0, w->now_ms = FIXTURE_MONDAY_MS;
        world_create(w);
        assert_true(w->found.drill && store_is_drill(w->store));
        world_random_turns(w, 20, 8);
        digest[i] = world_digest(w);
        assert_int_equal(store_slot_key(w->store, 3, &key[i]), 0);
        world_close(w);
        (void)snprintf(other, sizeof other, "%s.%u", w->dir, i);
        assert_int_equal(rename(w->dir, other), 0);
    }
    assert_memory_equal(&digest[0], &digest[1], sizeof digest[0]);
    assert_memory_equal(&key[0], &key[1], sizeof key[0]);
}

/* ---- turns ------------------------------------------------------------------------------------------------------- */

static void a_later_command_of_a_turn_sees_the_earlier_ones(void **state) {
    struct world *w = *state;
    struct case_state c;
    uint64_t id, division, found;
    world_create(w);
    world_begin(w);
    assert_true(store_turn_empty(w->store));
    uint64_t first = world_report(w, "lamp", FIXTURE_GRID), second = world_report(w, "lamp", FIXTURE_GRID);
    assert_int_equal(second, first + 1);
    assert_false(store_turn_empty(w->store));
    assert_true(store_turn_bytes(w->store) > 100 && store_turn_room(w->store) > 100000);
    assert_int_equal(store_case(w->store, first, &c), 0);
    assert_int_equal(c.day_number, 1);
    assert_int_equal(store_case(w->store, second, &c), 0);
    assert_int_equal(c.day_number, 2);
    assert_int_equal(store_case_by_number(w->store, c.district, c.day, 2, &id), 0);
    assert_int_equal(id, second);
    assert_int_equal(store_next_open(w->store, FIXTURE_COMMUNITY, 0, 0, &division, &found), 0);
    assert_int_equal(found, first);
    assert_int_equal(store_next_number(w->store, c.district, c.day), 3);
    assert_true(store_durable_seq(w->store) < first);
    world_commit(w);
    assert_int_equal(store_durable_seq(w->store), second);
}

static void an_empty_turn_writes_nothing(void **state) {
    struct world *w = *state;
    world_create(w);
    uint64_t seq = store_durable_seq(w->store);
    world_begin(w);
    world_commit(w);
    assert_int_equal(store_durable_seq(w->store), seq);
    assert_int_equal(store_next_seq(w->store), seq + 1);
    world_begin(w);
    assert_int_equal(store_abandon(w->store), 0);
    assert_int_equal(store_next_seq(w->store), seq + 1);
}

static void an_abandoned_turn_never_happened(void **state) {
    struct world *w = *state;
    struct case_state c;
    struct due_row due[2];
    world_create(w);
    world_random_turns(w, 10, 20);
    assert_int_equal(store_checkpoint(w->store), 0);
    world_random_turns(w, 10, 20);
    struct hash before = world_digest(w);
    uint64_t seq = store_next_seq(w->store), slot = store_next_slot(w->store);
    assert_int_equal(store_first_due(w->store, &due[0]), 0);
    world_begin(w);
    uint64_t id = world_report(w, "stall", FIXTURE_GRID2);
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(world_random_order(w), 0);
    assert_int_equal(store_abandon(w->store), 0);
    struct hash after = world_digest(w);
    assert_memory_equal(&before, &after, sizeof before);
    assert_int_equal(store_next_seq(w->store), seq);
    assert_int_equal(store_next_slot(w->store), slot);
    assert_int_equal(store_case(w->store, id, &c), -ENOENT);
    assert_int_equal(store_first_due(w->store, &due[1]), 0);
    assert_int_equal(due[0].due_ms, due[1].due_ms);
    world_random_turns(w, 5, 20);
}

static void a_receipt_is_found_under_its_source_only(void **state) {
    static const uint8_t id[16] = "one command id.";
    struct world *w = *state;
    struct receipt receipt;
    world_create(w);
    world_begin(w);
    uint64_t made = world_report_as(w, "rubbish", FIXTURE_GRID, id);
    assert_int_equal(store_receipt(w->store, SLICE("tcp:loopback"), id, &receipt), 0);
    world_commit(w);
    for (unsigned i = 0; i < 2; i++) {
        struct hash hash = hash_of(slice_from(id, sizeof id));
        assert_int_equal(store_receipt(w->store, SLICE("tcp:loopback"), id, &receipt), 0);
        assert_int_equal(receipt.case_id, made);
        assert_int_equal(receipt.seq, made);
        assert_int_equal(receipt.at_ms, w->now_ms);
        assert_memory_equal(receipt.hash, hash.byte, sizeof receipt.hash);
        assert_int_equal(store_receipt(w->store, SLICE("uid:1000"), id, &receipt), -ENOENT);
        world_close(w);
        world_open(w);
    }
}

/* ---- the same journal, the same tables (P4, S2, rule 14) --------------------------------------------------------- */

static void a_long_run_folds_to_the_same_digest_again(void **state) {
    struct world *w = *state;
    char scratch[192];
    struct verify_result result;
    world_create(w);
    for (unsigned i = 0; i < 6; i++) {
        world_random_turns(w, 30, 25);
        if (i % 2)
            assert_int_equal(store_checkpoint(w->store), 0);
    }
    world_adopt(w, 2, 700);
    world_random_turns(w, 30, 25);
    struct hash live = world_digest(w);
    struct store_figures f;
    store_figures(w->store, &f);
    assert_true(f.cases_all > 500 && f.cases_open < f.cases_all && f.cases_open > 10);
    world_close(w);
    (void)snprintf(scratch, sizeof scratch, "%s", w->top);
    assert_int_equal(store_verify(&w->options, scratch, &result, NULL, NULL), 0);
    assert_string_equal(result.problem, "");
    assert_true(result.equal);
    assert_memory_equal(&result.state_digest, &live, sizeof live);
    assert_int_equal(result.cases, f.cases_all);
    assert_int_equal(store_rebuild(&w->options, &w->found), 0);
    assert_true(w->found.rebuilt && w->found.refolded == result.records);
    world_open(w);
    struct hash again = world_digest(w);
    assert_memory_equal(&live, &again, sizeof live);
    assert_int_equal(store_rules_number(w->store), 2);
}

static uint64_t told_seq, told_times;

static void note_folded(uint64_t seq) {
    assert_true(seq > told_seq);
    told_seq = seq;
    told_times++;
}

static void whoever_waits_for_a_fold_is_told_how_far_it_is(void **state) {
    struct world *w = *state;
    world_create(w);
    world_random_turns(w, 20, 10);
    uint64_t last = store_durable_seq(w->store);
    world_close(w);
    char path[192];
    world_path(w, "state.mdb", path);
    assert_int_equal(unlink(path), 0);
    told_seq = told_times = 0;
    w->options.folded = note_folded;
    world_open(w);
    w->options.folded = NULL;
    assert_int_equal(told_seq, last);
    assert_int_equal(told_times, w->found.refolded);
}

static void cases_are_counted_by_their_state(void **state) {
    struct world *w = *state;
    struct store_figures f;
    uint64_t seen[STORE_STATES_MAX] = {0}, all = 0;
    struct case_state c;
    world_create(w);
    world_random_turns(w, 60, 25);
    world_begin(w);
    world_report(w, "lamp", FIXTURE_GRID);
    assert_int_equal(store_abandon(w->store), 0);     /* did not happen: is not counted */
    for (uint64_t id = 0; store_next_case(w->store, id, &id) == 0; seen[c.state]++, all++)
        assert_int_equal(store_case(w->store, id, &c), 0);
    store_figures(w->store, &f);
    assert_memory_equal(f.cases_by_state, seen, sizeof seen);
    assert_int_equal(f.cases_all, all);
    assert_true(f.cases_by_state[STATE_CLOSED] > 0 && f.cases_by_state[STATE_DISPATCHED] > 0);
}

static void a_digest_is_of_the_rows_and_not_of_the_file(void **state) {
    struct world *w = *state;
    world_create(w);
    world_random_turns(w, 20, 20);
    struct hash a = world_digest(w);
    assert_int_equal(store_checkpoint(w->store), 0);
    struct hash b = world_digest(w);
    world_close(w);
    world_open(w);
    struct hash c = world_digest(w);
    world_epoch(w, 9);
    assert_int_equal(store_epoch(w->store), 9);
    struct hash d = world_digest(w);
    assert_memory_equal(&a, &b, sizeof a);
    assert_memory_equal(&a, &c, sizeof a);
    assert_memory_equal(&a, &d, sizeof a);
    world_begin(w);
    (void)world_report(w, "lamp", FIXTURE_GRID);
    world_commit(w);
    struct hash e = world_digest(w);
    assert_true(memcmp(&a, &e, sizeof a) != 0);
}

static void every_row_of_a_case_follows_from_the_case(void **state) {
    struct world *w = *state;
    uint64_t id = 0, division = 0, seen_open = 0, seen_due = 0, open = 0, timers = 0;
    world_create(w);
    world_random_turns(w, 60, 20);
    struct case_state c;
    while (store_next_case(w->store, id, &id) == 0) {
        uint64_t seq = 0, records = 0, last = 0;
        assert_int_equal(store_case(w->store, id, &c), 0);
        open += case_open(&c);
        timers += c.timers_count;
        while (store_next_story(w->store, id, seq, &seq) == 0)
            records++, last = seq;
        assert_true(records >= 1 && last <= c.last_seq);
        struct slice record;
        assert_int_equal(store_read(w->store, last, &record), 0);
        assert_true(record.len > 10);
    }
    id = 0;
    for (uint64_t before = 0; store_next_open(w->store, 0, division, id, &division, &id) == 0; before = division) {
        assert_true(before == 0 || division_digits(before) != division_digits(division) || before <= division);
        seen_open++;
    }
    struct due_row due = {INT64_MIN, 0, TIMER_NONE}, first;
    assert_int_equal(store_first_due(w->store, &first), 0);
    for (int64_t before = INT64_MIN; store_next_due(w->store, &due, &due) == 0; before = due.due_ms) {
        assert_true(before <= due.due_ms);
        assert_true(seen_due > 0 || (due.due_ms == first.due_ms && due.case_id == first.case_id));
        seen_due++;
    }
    assert_int_equal(seen_open, open);
    assert_int_equal(seen_due, timers);
}

static void work_waits_by_level_in_order_of_readiness(void **state) {
    struct world *w = *state;
    struct work_row work, first;
    world_create(w);
    world_begin(w);
    uint64_t low = world_report(w, "rubbish", FIXTURE_GRID);
    uint64_t high = world_report(w, "rubbish", FIXTURE_STREET);
    world_commit(w);
    assert_int_equal(store_next_work(w->store, LEVEL_COMMUNITY, NULL, &first), 0);
    assert_int_equal(first.case_id, low);
    assert_int_equal(first.division, FIXTURE_GRID);
    assert_int_equal(first.stage, FIXTURE_COMMUNITY_STAGE);
    assert_int_equal(store_next_work(w->store, LEVEL_COMMUNITY, &first, &work), -ENOENT);
    assert_int_equal(store_next_work(w->store, LEVEL_STREET, NULL, &work), 0);
    assert_int_equal(work.case_id, high);
    assert_int_equal(store_next_work(w->store, LEVEL_DISTRICT, NULL, &work), -ENOENT);
}

static void open_cases_are_found_by_every_prefix_of_their_place(void **state) {
    static const uint64_t covers[] = {0, 61, 6104, FIXTURE_DISTRICT, FIXTURE_STREET, FIXTURE_COMMUNITY, FIXTURE_GRID};
    static const uint64_t misses[] = {62, 6105, 610403, 610402007, FIXTURE_COMMUNITY2, FIXTURE_GRID2, 5};
    struct world *w = *state;
    uint64_t division, id;
    world_create(w);
    world_begin(w);
    uint64_t made = world_report(w, "lamp", FIXTURE_GRID);
    world_commit(w);
    for (unsigned i = 0; i < COUNT_OF(covers); i++) {
        assert_int_equal(store_next_open(w->store, covers[i], 0, 0, &division, &id), 0);
        assert_int_equal(id, made);
        assert_int_equal(division, FIXTURE_GRID);
        assert_int_equal(store_next_open(w->store, covers[i], division, id, &division, &id), -ENOENT);
    }
    for (unsigned i = 0; i < COUNT_OF(misses); i++)
        assert_int_equal(store_next_open(w->store, misses[i], 0, 0, &division, &id), -ENOENT);
}

/* ---- rules ------------------------------------------------------------------------------------------------------- */

static void rules_count_when_they_are_adopted_and_stay(void **state) {
    struct world *w = *state;
    struct rules_problem problem;
    world_create(w);
    assert_int_equal(store_rules_number(w->store), 1);
    const PbRules *first = world_rules(w, 1);
    assert_true(rules_check(first, &problem));
    struct hash hash = store_rules_hash(w->store);
    for (uint32_t n = 2; n <= STORE_RULES_VERSIONS_MAX + 3; n++)
        world_adopt(w, n, 3000);
    assert_int_equal(store_rules_number(w->store), STORE_RULES_VERSIONS_MAX + 3);
    struct hash same = store_rules_hash(w->store);
    assert_memory_equal(&hash, &same, sizeof hash);
    for (uint32_t n = 1; n <= STORE_RULES_VERSIONS_MAX + 3; n++)
        assert_string_equal(world_rules(w, n)->name, "fixture");
    world_close(w);
    world_open(w);
    assert_string_equal(world_rules(w, 1)->name, "fixture");
}

/* ---- rest (rules 5, 10) ------------------------------------------------------------------------------------------ */

static int64_t now_mono_ms(void) {
    return clock_mono_ns() / 1000000;
}

static void idleness_brings_a_witness_and_a_checkpoint(void **state) {
    struct world *w = *state;
    struct store_figures f;
    world_create(w);
    assert_true(store_rest(w->store, now_mono_ms(), w->now_ms, true) == 1);
    store_figures(w->store, &f);
    assert_int_equal(f.checkpoints, 0);
    assert_false(journal_witnessed(store_journal(w->store)));
    assert_true(store_rest(w->store, now_mono_ms() + 300, w->now_ms, true) >= 0);
    store_figures(w->store, &f);
    assert_int_equal(f.checkpoints, 1);
    assert_true(journal_witnessed(store_journal(w->store)));
    while (store_rest(w->store, now_mono_ms() + 300, w->now_ms, true) == 1) {}
    store_figures(w->store, &f);
    assert_int_equal(f.checkpoints, 1);
    assert_int_equal(f.segments_ready, 2);
    assert_true(f.quota_bytes > f.journal_bytes + f.state_bytes && f.slots_bytes > 1024 * 32);
}

static void a_busy_store_checkpoints_by_change_by_bytes_and_by_age(void **state) {
    struct world *w = *state;
    struct store_figures f;
    w->options.checkpoint_changes = 2000;
    w->options.checkpoint_bytes_journal = 1 << 30;
    world_create(w);
    assert_int_equal(store_rest(w->store, now_mono_ms(), w->now_ms, false), 0);
    store_figures(w->store, &f);
    assert_int_equal(f.checkpoints, 0);
    world_random_turns(w, 30, 30);
    assert_int_equal(store_rest(w->store, now_mono_ms(), w->now_ms, false), 0);
    store_figures(w->store, &f);
    assert_int_equal(f.checkpoints, 1);
    world_random_turns(w, 1, 5);
    assert_int_equal(store_rest(w->store, now_mono_ms() + 10100, w->now_ms, false), 0);
    store_figures(w->store, &f);
    assert_int_equal(f.checkpoints, 2);
    assert_int_equal(f.checkpoint.count, 2);
}

/* ---- space (rules 2, 12) ----------------------------------------------------------------------------------------- */

static void full_tables_abandon_the_turn_and_service_goes_on(void **state) {
    struct world *w = *state;
    w->options.map_bytes = 1 << 20;
    world_create(w);
    int r = 0;
    uint64_t turns = 0;
    for (; r == 0 && turns < 10000; turns++) {
        world_begin(w);
        for (unsigned i = 0; i < 20 && r == 0; i++)
            r = world_random_order(w);
        if (r == 0)
            world_commit(w);
    }
    assert_int_equal(r, -ENOSPC);
    assert_true(turns > 5);
    uint64_t durable = store_durable_seq(w->store);
    assert_int_equal(store_abandon(w->store), 0);
    assert_int_equal(store_durable_seq(w->store), durable);
    assert_int_equal(store_next_seq(w->store), durable + 1);
    assert_false(store_admits(w->store, ADMIT_REPORT));
    assert_true(store_admits(w->store, ADMIT_CLOSURE));
    world_begin(w);
    world_commit(w);
    world_close(w);
    w->options.map_bytes = 1 << 30;
    world_open(w);
    struct hash before = world_digest(w);
    world_close(w);
    assert_int_equal(store_rebuild(&w->options, &w->found), 0);
    world_open(w);
    struct hash after = world_digest(w);
    assert_memory_equal(&before, &after, sizeof before);
    assert_int_equal(store_durable_seq(w->store), durable);
    assert_true(store_admits(w->store, ADMIT_REPORT));
    world_random_turns(w, 5, 5);
}

static void reports_are_refused_before_answers_and_answers_before_closures(void **state) {
    struct world *w = *state;
    struct store_figures f;
    world_create(w);
    store_figures(w->store, &f);
    uint64_t used = f.journal_bytes + f.state_bytes + f.slots_bytes;
    static const struct { unsigned percent; bool report, answer; } cells[] = {
        {50, true, true}, {84, true, true}, {87, false, true}, {94, false, true}, {97, false, false},
    };
    for (unsigned i = 0; i < COUNT_OF(cells); i++) {
        world_close(w);
        w->options.store_max_bytes = used * 100 / cells[i].percent;
        world_open(w);
        while (store_prepare(w->store, 1 << 20) == 1) {}
        store_figures(w->store, &f);
        used = f.journal_bytes + f.state_bytes + f.slots_bytes;
        world_close(w);
        w->options.store_max_bytes = used * 1000 / (cells[i].percent * 10 + 5);
        world_open(w);
        assert_int_equal(store_admits(w->store, ADMIT_REPORT), cells[i].report);
        assert_int_equal(store_admits(w->store, ADMIT_ANSWER), cells[i].answer);
        assert_true(store_admits(w->store, ADMIT_CLOSURE));
        store_figures(w->store, &f);
        assert_int_equal(f.quota_percent, cells[i].percent);
        assert_int_equal(f.reports_refused, !cells[i].report);
        assert_int_equal(f.only_urgent, !cells[i].answer);
    }
}

static void limit_files(rlim_t bytes) {
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* A disk on which no segment can be allocated, and every other file may still grow a little. */
static void without_a_segment_ready_reports_wait_and_answers_go_on(void **state) {
    struct world *w = *state;
    unsigned answers = 0;
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(store_create(&w->options, (char[400]){0}), 0);
    limit_files(1000 << 10);
    world_open(w);
    world_epoch(w, 1);
    world_adopt(w, 1, 5000);
    assert_false(store_admits(w->store, ADMIT_REPORT));
    while (store_admits(w->store, ADMIT_ANSWER)) {
        world_begin(w);
        (void)world_report(w, "rubbish", FIXTURE_GRID);
        assert_false(store_turn_full(w->store));
        world_commit(w);
        answers++;
    }
    assert_true(answers > 100);                   /* blocks of 4096 bytes leave room for 200 */
    assert_false(store_admits(w->store, ADMIT_CLOSURE));
    assert_true(journal_witness(store_journal(w->store), w->now_ms, 1) == 0);      /* there is always room for one */
    limit_files(RLIM_INFINITY);
    (void)usleep(1100000);                        /* space is looked at once a second */
    world_begin(w);
    assert_true(store_turn_room(w->store) > 900 << 10);
    world_commit(w);
    assert_true(store_prepare(w->store, 1 << 21) >= 0 && store_admits(w->store, ADMIT_REPORT));
}

static void turns_run_on_from_segment_to_segment(void **state) {
    struct world *w = *state;
    world_create(w);
    for (unsigned i = 0; i < 40; i++)
        world_random_turns(w, 10, 40);
    assert_true(store_turn_room(w->store) > (1 << 18) - 4096);
    struct hash before = world_digest(w);
    uint64_t seq = store_durable_seq(w->store);
    world_close(w);
    world_open(w);
    assert_int_equal(store_durable_seq(w->store), seq);
    struct hash after = world_digest(w);
    assert_memory_equal(&before, &after, sizeof before);
}

/* ---- ballast ----------------------------------------------------------------------------------------------------- */

static void the_reserve_is_given_once_and_made_anew_when_there_is_room(void **state) {
    struct world *w = *state;
    struct ballast_given g;
    char path[192];
    world_create(w);
    world_path(w, "reserve", path);
    assert_int_equal(store_ballast_give(w->dir, &g), 0);
    assert_int_equal(g.bytes, w->options.segment_bytes);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(store_ballast_give(w->dir, &g), -ENOENT);
    assert_int_equal(store_ballast(w->store), -ENOSPC);           /* segments ahead come first */
    while (store_prepare(w->store, 1 << 20) == 1) {}
    assert_int_equal(store_ballast(w->store), 0);                 /* looked a moment ago */
    world_close(w);
    world_open(w);
    assert_int_equal(store_ballast(w->store), 1);
    assert_int_equal(access(path, F_OK), 0);
    assert_int_equal(store_ballast_give("/nonexistent", &g), -ENOENT);
    assert_true(g.problem[0] != '\0');
}

int main(void) {
    const struct CMUnitTest tests[] = {
        WORLD(a_store_is_created_once_and_never_over_another),
        WORLD(what_a_cut_short_creation_left_is_cleared_away),
        WORLD(a_second_opening_is_refused_while_the_first_lives),
        WORLD(the_store_of_a_drill_is_the_same_twice),
        WORLD(a_later_command_of_a_turn_sees_the_earlier_ones),
        WORLD(an_empty_turn_writes_nothing),
        WORLD(an_abandoned_turn_never_happened),
        WORLD(a_receipt_is_found_under_its_source_only),
        WORLD(a_long_run_folds_to_the_same_digest_again), WORLD(cases_are_counted_by_their_state),
        WORLD(whoever_waits_for_a_fold_is_told_how_far_it_is),
        WORLD(a_digest_is_of_the_rows_and_not_of_the_file),
        WORLD(every_row_of_a_case_follows_from_the_case),
        WORLD(work_waits_by_level_in_order_of_readiness),
        WORLD(open_cases_are_found_by_every_prefix_of_their_place),
        WORLD(rules_count_when_they_are_adopted_and_stay),
        WORLD(idleness_brings_a_witness_and_a_checkpoint),
        WORLD(a_busy_store_checkpoints_by_change_by_bytes_and_by_age),
        WORLD(full_tables_abandon_the_turn_and_service_goes_on),
        WORLD(reports_are_refused_before_answers_and_answers_before_closures),
        WORLD(without_a_segment_ready_reports_wait_and_answers_go_on),
        WORLD(turns_run_on_from_segment_to_segment),
        WORLD(the_reserve_is_given_once_and_made_anew_when_there_is_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
