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

/* ---- numbers and places ------------------------------------------------------------------------------------------ */

static void it_is_found(struct world *w) {
    struct case_state c;
    uint64_t id = 0, division = 0, seq = 0;
    assert_int_equal(store_case(w->store, made, &c), 0);
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

static void an_open_ask_is_found_by_who_is_asked(void **state) {
    struct world *w = *state;
    PbAskedParty asked = {.party = (char *)WORKER}, *parties[] = {&asked};
    PbDispatch dispatch = {.n_parties = 1, .parties = parties};
    PbRefusal refusal;
    world_create(w);
    world_begin(w);
    made = world_report(w, "rubbish", FIXTURE_GRID);
    SET(&dispatch, case_id, made), SET(&dispatch, stage, 1), SET(&dispatch, attempt, 1);
    struct order order = {.kind = ORDER_DISPATCH, .dispatch = &dispatch};
    assert_int_equal(world_order(w, &order, made, NULL, &refusal, &made), 0);
    assert_int_equal(refusal, REFUSED_NOTHING);
    at_every_time(w, it_is_asked_of_the_worker);
    world_commit(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        WORLD(a_batch_is_kept_with_both_who_said_so),
        WORLD(a_row_that_is_no_batch_is_never_taken_for_one),
        WORLD(a_batch_that_nobody_asked_for_is_not_confirmed),
        WORLD(a_case_is_found_by_its_number_and_its_place),
        WORLD(an_open_ask_is_found_by_who_is_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
