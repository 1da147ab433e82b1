/* What can be asked of a store, and is answered the same from the turn that wrote it, from the next start, and from
 * tables folded anew: rows that come from fewer commands than a case does. */
#include "daemon/store/tables.h"
#include "tests/unit/store_world.h"

#define WORKER "grid-worker@610402006001001"

/* Told by each test what must hold; asked three times. */
static void at_every_time(struct world *w, void (*holds)(struct world *w)) {
    holds(w);
    world_commit(w);
    holds(w);
    struct hash live = world_digest(w);
    world_close(w);
    world_open(w);
    holds(w);
    world_close(w);
    assert_int_equal(store_rebuild(&w->options, &w->found), 0);
    world_open(w);
    holds(w);
    struct hash now = world_digest(w);
    assert_memory_equal(&now, &live, sizeof now);
    world_begin(w);
}

/* ---- batches ----------------------------------------------------------------------------------------------------- */

static uint8_t batch_id[16] = {1, 2, 3}, batch_digest[BATCH_DIGEST_BYTES] = {9};
static uint64_t made;

static void ask(struct world *w) {
    PbBatchAsked asked = {.by = (char *)"0018"};
    SET(&asked, batch, ((ProtobufCBinaryData){sizeof batch_id, batch_id})), SET(&asked, verb, BATCH_VOID);
    SET(&asked, cases, 3), SET(&asked, digest, ((ProtobufCBinaryData){sizeof batch_digest, batch_digest}));
    PbEvent event = {.event_case = EVENT_BATCH_ASKED, .batch_asked = &asked}, *events = &event;
    assert_int_equal(world_events(w, &events, 1), 0);
}

static int confirm(struct world *w) {
    PbBatchConfirmed confirmed = {.by = (char *)"0019"};
    SET(&confirmed, batch, ((ProtobufCBinaryData){sizeof batch_id, batch_id}));
    PbEvent event = {.event_case = EVENT_BATCH_CONFIRMED, .batch_confirmed = &confirmed}, *events = &event;
    return world_events(w, &events, 1);
}

static void it_is_asked(struct world *w) {
    struct batch_state b;
    const uint8_t other[16] = {1, 2, 4};
    assert_int_equal(store_batch(w->store, batch_id, &b), 0);
    assert_true(b.verb == BATCH_VOID && b.cases == 3 && b.done == 0 && !b.confirmed);
    assert_int_equal(b.asked_at_ms, FIXTURE_MONDAY_MS);
    assert_memory_equal(b.digest, batch_digest, sizeof b.digest);
    assert_string_equal(b.by, "0018");
    assert_int_equal(store_batch(w->store, other, &b), -ENOENT);
}

static void it_is_confirmed(struct world *w) {
    struct batch_state b;
    assert_int_equal(store_batch(w->store, batch_id, &b), 0);
    assert_true(b.confirmed && b.asked_at_ms == FIXTURE_MONDAY_MS && b.confirmed_at_ms == FIXTURE_MONDAY_MS + 5000);
    assert_string_equal(b.by, "0018");
    assert_string_equal(b.confirmed_by, "0019");
}

static void a_batch_is_kept_with_both_who_said_so(void **state) {
    struct world *w = *state;
    world_create(w);
    world_begin(w);
    ask(w);
    at_every_time(w, it_is_asked);
    w->now_ms += 5000;
    world_commit(w);
    world_begin(w);
    assert_int_equal(confirm(w), 0);
    at_every_time(w, it_is_confirmed);
    world_commit(w);
}

/* It would have been refused: a journal that holds it is damaged, and nothing is made of it. */
static void a_batch_that_nobody_asked_for_is_not_confirmed(void **state) {
    struct world *w = *state;
    world_create(w);
    world_begin(w);
    assert_int_equal(confirm(w), -EBADMSG);
}

/* Of a program that wrote other rows: with every checksum right, and no batch. */
static void a_row_that_is_no_batch_is_never_taken_for_one(void **state) {
    struct world *w = *state;
    struct batch_state b;
    struct tables t;
    char path[192];
    world_create(w);
    world_close(w);
    world_path(w, "state.mdb", path);
    const struct tables_options o = {.path = path, .map_bytes = w->options.map_bytes};
    assert_int_equal(tables_open(&t, &o), 0);
    assert_int_equal(tables_load(&t), 0);
    struct row_key key = key_batch(batch_id);
    assert_int_equal(tables_put(&t, TABLE_BATCHES, &key, SLICE("three weeks")), 0);
    assert_int_equal(tables_commit(&t), 0);
    tables_close(&t);
    world_open(w);
    assert_int_equal(store_batch(w->store, batch_id, &b), -EBADMSG);
    world_begin(w);
    assert_int_equal(confirm(w), -EBADMSG);
    assert_int_equal(store_abandon(w->store), -EBADMSG);     /* what may follow from it is not known: final */
}

/* A case, reported and given to a worker; of what the second record became. */
static int dispatched(struct world *w) {
    PbAskedParty asked = {.party = (char *)WORKER}, *parties[] = {&asked};
    PbDispatch dispatch = {.n_parties = 1, .parties = parties};
    PbRefusal refusal;
    const uint8_t *batch = w->batch;
    w->batch = NULL;
    made = world_report(w, "rubbish", FIXTURE_GRID);
    w->batch = batch;
    SET(&dispatch, case_id, made), SET(&dispatch, stage, 1), SET(&dispatch, attempt, 1);
    struct order order = {.kind = ORDER_DISPATCH, .dispatch = &dispatch};
    int r = world_order(w, &order, made, NULL, &refusal, &made);
    assert_int_equal(refusal, REFUSED_NOTHING);
    return r;
}

static void one_is_done(struct world *w) {
    struct batch_state b;
    assert_int_equal(store_batch(w->store, batch_id, &b), 0);
    assert_int_equal(b.done, 1);
}

static void what_a_batch_has_done_is_counted(void **state) {
    struct world *w = *state;
    static const uint8_t nobodys[16] = {7};
    world_create(w);
    world_begin(w);
    ask(w);
    w->batch = batch_id;
    assert_int_equal(dispatched(w), 0);
    at_every_time(w, one_is_done);
    w->batch = nobodys;                           /* as only a damaged journal has it */
    assert_int_equal(dispatched(w), -EBADMSG);
}

/* ---- rules and the broker's own ---------------------------------------------------------------------------------- */

static void say(struct world *w, PbEvent *e) {
    assert_int_equal(world_events(w, &e, 1), 0);
}

static uint32_t recomputed;

static void so_it_says(struct world *w) {
    struct hash in_force = store_rules_hash(w->store), of_one;
    assert_int_equal(store_recompute(w->store), recomputed);
    assert_int_equal(store_rules_hash_of(w->store, 1, &of_one), 0);
    assert_memory_equal(&of_one, &in_force, sizeof of_one);
    assert_int_equal(store_rules_hash_of(w->store, 2, &of_one), -ENOENT);
}

/* A start goes on with what a broker that was killed had begun. */
static void a_recomputing_is_under_way_until_it_is_said_to_be_over(void **state) {
    struct world *w = *state;
    PbRecomputeBegun begun = {.by = (char *)"0018"};
    PbRecomputeEnded ended = {0};
    PbDrained drained = {.by = (char *)"0018"};
    SET(&begun, rules, 1), SET(&ended, rules, 1), SET(&drained, on, 1);
    world_create(w);
    world_begin(w);
    say(w, &(PbEvent){.event_case = EVENT_DRAINED, .drained = &drained});
    say(w, &(PbEvent){.event_case = EVENT_RECOMPUTE_BEGUN, .recompute_begun = &begun});
    recomputed = 1;
    at_every_time(w, so_it_says);
    say(w, &(PbEvent){.event_case = EVENT_RECOMPUTE_ENDED, .recompute_ended = &ended});
    recomputed = 0;
    at_every_time(w, so_it_says);
    world_commit(w);
}

/* ---- keys -------------------------------------------------------------------------------------------------------- */

static void a_key_that_was_wiped_is_gone_for_good(void **state) {
    struct world *w = *state;
    struct key k;
    world_create(w);
    world_begin(w);
    (void)world_report(w, "rubbish", FIXTURE_GRID);
    (void)world_report(w, "rubbish", FIXTURE_GRID);
    world_commit(w);
    assert_int_equal(store_slot_key(w->store, 0, &k), 0);
    assert_int_equal(store_wipe_slot(w->store, 0), 0);
    for (unsigned start = 0; start < 2; start++) {
        assert_int_equal(store_slot_key(w->store, 0, &k), -ENODATA);
        assert_int_equal(store_slot_key(w->store, 1, &k), 0);
        world_close(w);
        world_open(w);
    }
    world_close(w);
    w->options.read_only = true;
    world_open(w);
    assert_int_equal(store_slot_key(w->store, 1, &k), 0);
    assert_int_equal(store_slot_key(w->store, store_next_slot(w->store), &k), 0);      /* filled ahead */
    assert_int_equal(store_slot_key(w->store, 1 << 20, &k), -ENOENT);
}

/* ---- numbers and places ------------------------------------------------------------------------------------------ */

static void it_is_found(struct world *w) {
    struct case_state c;
    uint64_t id = 0, division = 0, seq = 0;
    assert_int_equal(store_case(w->store, made, &c), 0);
    assert_int_equal(store_case(w->store, 0, &c), -ENOENT);
    assert_int_equal(store_case_by_number(w->store, c.district, c.day, c.day_number, &id), 0);
    assert_int_equal(id, made);
    assert_int_equal(store_case_by_number(w->store, c.district, c.day, c.day_number + 1, &id), -ENOENT);
    assert_int_equal(store_next_open(w->store, FIXTURE_DISTRICT, 0, 0, &division, &id), 0);
    assert_true(id == made && division == FIXTURE_GRID);
    assert_int_equal(store_next_open(w->store, FIXTURE_COMMUNITY2, 0, 0, &division, &id), -ENOENT);
    assert_int_equal(store_next_open(w->store, FIXTURE_DISTRICT, division, id, &division, &id), -ENOENT);
    assert_int_equal(store_next_dead(w->store, FIXTURE_DISTRICT, 0, 0, &division, &id), -ENOENT);
    assert_int_equal(store_next_follower(w->store, made, 0, &id), -ENOENT);
    assert_int_equal(store_external(w->store, "city", "12345-2026-0001", &id), -ENOENT);
    assert_int_equal(store_next_story(w->store, made, 0, &seq), 0);
    assert_true(seq > 0 && seq <= c.last_seq);
}

static void a_case_is_found_by_its_number_and_its_place(void **state) {
    struct world *w = *state;
    world_create(w);
    world_begin(w);
    made = world_report(w, "rubbish", FIXTURE_GRID);
    at_every_time(w, it_is_found);
    world_commit(w);
}

static void it_is_asked_of_the_worker(struct world *w) {
    struct ask_row row = {0}, after;
    assert_int_equal(store_next_ask(w->store, WORKER, NULL, &row), 0);
    assert_true(row.case_id == made && row.stage == 1 && row.attempt == 1);
    after = row;
    assert_int_equal(store_next_ask(w->store, WORKER, &after, &row), -ENOENT);
    assert_int_equal(store_next_ask(w->store, "grid-worker@61040200600100", NULL, &row), -ENOENT);
}

/* The key of its work is when, for whom and which: where is only in the row. */
static void it_waits_in_the_other_grid(struct world *w) {
    struct work_row work;
    uint64_t id = 0, division = 0;
    assert_int_equal(store_next_work(w->store, LEVEL_COMMUNITY, NULL, &work), 0);
    assert_true(work.case_id == made && work.division == FIXTURE_GRID2);
    assert_int_equal(store_next_open(w->store, FIXTURE_GRID2, 0, 0, &division, &id), 0);
    assert_true(id == made && division == FIXTURE_GRID2);
    assert_int_equal(store_next_open(w->store, FIXTURE_GRID, 0, 0, &division, &id), -ENOENT);
    assert_int_equal(store_next_open(w->store, 12345678901234567890u, 0, 0, &division, &id), -ENOENT);
    assert_int_equal(store_next_open(w->store, 0, 12345678901234567890u, id, &division, &id), -ENOENT);
}

static void a_case_that_was_put_right_waits_where_it_really_is(void **state) {
    struct world *w = *state;
    PbPlace place = {.has_division = 1, .division = FIXTURE_GRID2};
    PbCorrect correct = {.place = &place};
    PbRefusal refusal;
    world_create(w);
    world_begin(w);
    made = world_report(w, "rubbish", FIXTURE_GRID);
    SET(&correct, case_id, made);
    struct order order = {.kind = ORDER_CORRECT, .correct = &correct};
    assert_int_equal(world_order(w, &order, made, NULL, &refusal, &made), 0);
    assert_int_equal(refusal, REFUSED_NOTHING);
    at_every_time(w, it_waits_in_the_other_grid);
    world_commit(w);
}

static void it_is_known_under_their_number(struct world *w) {
    struct case_state c;
    uint64_t id = 0;
    assert_int_equal(store_external(w->store, "city", "12345-7", &id), 0);
    assert_int_equal(id, made);
    assert_int_equal(store_case(w->store, id, &c), 0);
    assert_string_equal(c.more.origin, "city");
    assert_int_equal(store_external(w->store, "city", "12345-8", &id), -ENOENT);
    assert_int_equal(store_external(w->store, "province", "12345-7", &id), -ENOENT);
}

static void an_imported_case_is_found_by_the_number_of_where_it_comes_from(void **state) {
    struct world *w = *state;
    world_create(w);
    world_begin(w);
    assert_int_equal(world_import(w, "city", "12345-7", &made), 0);
    at_every_time(w, it_is_known_under_their_number);
    world_commit(w);
}

/* ---- what is due ------------------------------------------------------------------------------------------------- */

static int64_t earliest_ms;

static void the_earliest_is_first(struct world *w) {
    struct due_row due, next;
    assert_int_equal(store_first_due(w->store, &due), 0);
    assert_int_equal(due.due_ms, earliest_ms);
    assert_int_equal(store_next_due(w->store, &due, &next), 0);
    assert_true(next.due_ms > due.due_ms || (next.due_ms == due.due_ms && next.case_id >= due.case_id));
}

/* It is remembered, and not looked for in every turn: what comes in between must be noticed. */
static void the_first_deadline_is_known_as_cases_come_in_any_order(void **state) {
    struct world *w = *state;
    struct due_row due;
    struct case_state c;
    world_create(w);
    assert_int_equal(store_first_due(w->store, &due), -ENOENT);
    assert_int_equal(store_first_due(w->store, &due), -ENOENT);
    world_begin(w);
    w->now_ms += 3600000;
    (void)world_report(w, "rubbish", FIXTURE_GRID);
    assert_int_equal(store_first_due(w->store, &due), 0);
    w->now_ms -= 3600000;                         /* the machine's clock was put right */
    made = world_report(w, "rubbish", FIXTURE_GRID);
    assert_int_equal(store_case(w->store, made, &c), 0);
    earliest_ms = c.timers[0].due_ms;
    assert_true(earliest_ms < due.due_ms);
    at_every_time(w, the_earliest_is_first);
    world_commit(w);
}

static void an_open_ask_is_found_by_who_is_asked(void **state) {
    struct world *w = *state;
    world_create(w);
    world_begin(w);
    assert_int_equal(dispatched(w), 0);
    at_every_time(w, it_is_asked_of_the_worker);
    world_commit(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        WORLD(a_batch_is_kept_with_both_who_said_so),
        WORLD(a_row_that_is_no_batch_is_never_taken_for_one),
        WORLD(a_batch_that_nobody_asked_for_is_not_confirmed),
        WORLD(what_a_batch_has_done_is_counted),
        WORLD(a_recomputing_is_under_way_until_it_is_said_to_be_over),
        WORLD(a_key_that_was_wiped_is_gone_for_good),
        WORLD(a_case_that_was_put_right_waits_where_it_really_is),
        WORLD(an_imported_case_is_found_by_the_number_of_where_it_comes_from),
        WORLD(the_first_deadline_is_known_as_cases_come_in_any_order),
        WORLD(a_case_is_found_by_its_number_and_its_place),
        WORLD(an_open_ask_is_found_by_who_is_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
