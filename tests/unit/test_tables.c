/* Records that no healthy broker writes: what folding them says, and that the tables say what is wrong. */
#include "daemon/store/tables.h"
#include "daemon/store/texts.h"
#include "lib/codec/codec.h"
#include "tests/unit/store_world.h"

static struct tables t;
static char top[96];
static uint8_t memory[1 << 20];
static struct arena room;

static int make_tables(void **state) {
    char path[128];
    const char *tmp = getenv("TMPDIR");
    (void)state;
    (void)snprintf(top, sizeof top, "%.60s/tables-XXXXXX", tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(top));
    (void)snprintf(path, sizeof path, "%s/state.mdb", top);
    struct tables_options o = {.path = path, .map_bytes = 64 << 20, .scratch = true};
    assert_int_equal(tables_open(&t, &o), 0);
    tables_begin(&t, (const uint8_t *)"a store of tests");
    arena_wrap(&room, memory, sizeof memory);
    return 0;
}

static int remove_tables(void **state) {
    static const char *const names[] = {"/state.mdb", "/state.mdb-lock"};
    char path[128];
    (void)state;
    tables_close(&t);
    for (unsigned i = 0; i < COUNT_OF(names); i++) {
        (void)snprintf(path, sizeof path, "%s%s", top, names[i]);
        (void)unlink(path);
    }
    return rmdir(top);
}

static void *make(size_t size) {
    void *at = arena_zero(&room, size);
    assert_non_null(at);
    return at;
}

/* A record of one event and no case; what folding it says. */
static int fold(PbEvent *e) {
    PbRecord r = {.n_events = 1, .events = &e, .source = (char *)"broker"};
    SET(&r, first_seq, t.meta.folded_seq + 1);
    return fold_record(&t, &r, NULL, NULL);
}

static void says(const char *words) {
    if (!strstr(t.problem, words))
        print_message("problem: %s\n", t.problem);
    assert_non_null(strstr(t.problem, words));
}

/* ---- rules ------------------------------------------------------------------------------------------------------- */

static ProtobufCBinaryData data_of(struct slice s) {
    return (ProtobufCBinaryData){s.len, (uint8_t *)s.at};
}

static int begun(uint32_t number, const struct hash *hash, uint64_t bytes, uint32_t chunks) {
    PbEvent *e = make(sizeof *e);
    e->event_case = EVENT_RULES_BEGUN;
    e->rules_begun = make(sizeof *e->rules_begun);
    SET(e->rules_begun, rules, number);
    SET(e->rules_begun, hash, data_of(slice_from(hash->byte, HASH_SIZE)));
    SET(e->rules_begun, bytes, bytes);
    SET(e->rules_begun, chunks, chunks);
    return fold(e);
}

static int chunk(uint32_t number, uint32_t index, struct slice part) {
    PbEvent *e = make(sizeof *e);
    e->event_case = EVENT_RULES_CHUNK;
    e->rules_chunk = make(sizeof *e->rules_chunk);
    SET(e->rules_chunk, rules, number);
    SET(e->rules_chunk, index, index);
    SET(e->rules_chunk, part, data_of(part));
    return fold(e);
}

static int adopted(uint32_t number, const struct hash *hash) {
    PbEvent *e = make(sizeof *e);
    e->event_case = EVENT_RULES_ADOPTED;
    e->rules_adopted = make(sizeof *e->rules_adopted);
    SET(e->rules_adopted, rules, number);
    SET(e->rules_adopted, hash, data_of(slice_from(hash->byte, HASH_SIZE)));
    return fold(e);
}

static struct slice packed_rules(struct hash *ret_hash) {
    struct slice packed = codec_packed(CODEC_RULES, fixture_rules(), &room);
    assert_non_null(packed.at);
    *ret_hash = hash_of(packed);
    return packed;
}

static void rules_whose_promise_cannot_be_kept_are_refused(void **state) {
    static const char *const words = "begun out of order, or with a promise that cannot be kept";
    struct hash hash;
    (void)state;
    struct slice packed = packed_rules(&hash);
    assert_int_equal(begun(0, &hash, packed.len, 1), -EBADMSG);
    says(words);
    assert_int_equal(begun(1, &hash, 0, 1), -EBADMSG);
    assert_int_equal(begun(1, &hash, (64 << 20) + 1, 1), -EBADMSG);
    assert_int_equal(t.facts.pending, 0);
    assert_int_equal(t.meta.folded_seq, 0);
    assert_int_equal(begun(3, &hash, packed.len, 1), 0);
    assert_int_equal(chunk(3, 0, packed), 0);
    assert_int_equal(adopted(3, &hash), 0);
    t.problem[0] = '\0';
    assert_int_equal(begun(3, &hash, packed.len, 1), -EBADMSG);
    says(words);
    assert_int_equal(t.facts.rules, 3);
}

static void parts_count_only_in_their_order_and_behind_their_beginning(void **state) {
    struct hash hash;
    (void)state;
    struct slice packed = packed_rules(&hash);
    assert_int_equal(chunk(1, 0, packed), -EBADMSG);
    says("rules 1: a part came out of order");
    assert_int_equal(begun(1, &hash, packed.len, 2), 0);
    assert_int_equal(chunk(1, 1, packed), -EBADMSG);
    assert_int_equal(chunk(2, 0, packed), -EBADMSG);
    assert_int_equal(chunk(0, 0, packed), -EBADMSG);
    says("rules 0: a part came out of order");
    assert_int_equal(adopted(2, &hash), -EBADMSG);
    says("adopted without having been begun");
    assert_int_equal(adopted(1, &hash), -EBADMSG);
    says("adopted, and not what was begun");       /* too few parts */
    assert_int_equal(t.facts.rules, 0);
}

static void rules_are_adopted_as_they_were_promised_or_not_at_all(void **state) {
    struct hash hash, other = {{9}};
    const PbRules *rules = NULL;
    (void)state;
    struct slice packed = packed_rules(&hash);
    assert_int_equal(begun(1, &hash, packed.len, 1), 0);
    assert_int_equal(chunk(1, 0, packed), 0);
    assert_int_equal(adopted(1, &other), -EBADMSG);
    says("adopted, and not what was begun");
    assert_int_equal(begun(2, &other, packed.len, 1), 0);
    assert_int_equal(chunk(2, 0, packed), 0);
    assert_int_equal(adopted(2, &other), -EBADMSG);
    says("their hash is not the one that was journaled");
    assert_int_equal(begun(3, &hash, packed.len + 1, 1), 0);
    assert_int_equal(chunk(3, 0, packed), 0);
    assert_int_equal(adopted(3, &hash), -EBADMSG);
    says("parts are missing");
    assert_int_equal(begun(4, &hash, packed.len - 1, 1), 0);
    assert_int_equal(chunk(4, 0, packed), 0);
    assert_int_equal(adopted(4, &hash), -EBADMSG);
    says("parts are missing");
    struct hash garbage = hash_of(SLICE("no rules at all"));
    assert_int_equal(begun(5, &garbage, 15, 1), 0);
    assert_int_equal(chunk(5, 0, SLICE("no rules at all")), 0);
    assert_true(adopted(5, &garbage) < 0);
    assert_int_equal(t.facts.rules, 0);
    assert_int_equal(rules_find(&t, 0, &rules), -ENOENT);
    assert_int_equal(rules_find(&t, 9, &rules), -ENOENT);
    assert_null(rules);
}

/* A case may hold to any of them: they are unpacked again when they were dropped. */
static void more_rules_than_are_kept_are_all_found_again(void **state) {
    struct hash hash;
    const PbRules *rules = NULL;
    (void)state;
    struct slice packed = packed_rules(&hash);
    for (uint32_t i = 1; i <= STORE_RULES_VERSIONS_MAX + 6; i++) {
        struct arena before = room;
        assert_int_equal(begun(i, &hash, packed.len, 1), 0);
        assert_int_equal(chunk(i, 0, packed), 0);
        assert_int_equal(adopted(i, &hash), 0);
        room = before;
    }
    for (uint32_t i = 1; i <= STORE_RULES_VERSIONS_MAX + 6; i++) {
        assert_int_equal(rules_find(&t, i, &rules), 0);
        assert_string_equal(rules->name, fixture_rules()->name);
    }
    PbEvent stray = {.event_case = EVENT_CLOCK_DOUBTED};
    assert_int_equal(rules_fold(&t, &stray), -EBADMSG);
    says("this is no event of theirs");
}

/* Told to a follower in pieces, each as large as it can take: only their own parts, and all of them. */
static void parts_are_told_up_to_the_last_of_their_rules(void **state) {
    static uint8_t parts[128 << 10];
    struct hash hash;
    struct rules_packed told;
    (void)state;
    struct slice packed = packed_rules(&hash);
    assert_true(packed.len > STORE_RULES_PART_BYTES && packed.len < sizeof parts);
    for (uint32_t number = 1; number <= 2; number++) {
        assert_int_equal(begun(number, &hash, packed.len, 1), 0);
        assert_int_equal(chunk(number, 0, packed), 0);
        assert_int_equal(adopted(number, &hash), 0);
    }
    assert_int_equal(rules_packed(&t, 1, 0, parts, sizeof parts, &told), 0);
    assert_true(told.bytes == packed.len && told.length == packed.len && told.next_part == 0);
    assert_memory_equal(parts, packed.at, packed.len);
    assert_int_equal(rules_packed(&t, 1, 0, parts, packed.len - 1, &told), 0);
    assert_true(told.bytes < packed.len && told.next_part > 0);
    size_t first = told.bytes;
    assert_int_equal(rules_packed(&t, 1, told.next_part, parts + first, sizeof parts - first, &told), 0);
    assert_true(first + told.bytes == packed.len && told.next_part == 0);
    assert_memory_equal(parts, packed.at, packed.len);
    assert_int_equal(rules_packed(&t, 3, 0, parts, sizeof parts, &told), -ENOENT);
}

/* The rows of the next rules stand where the missing ones should. */
static void rules_that_lost_a_part_are_not_made_up_from_the_next(void **state) {
    struct hash hash;
    const PbRules *rules = NULL;
    (void)state;
    struct slice packed = packed_rules(&hash);
    for (uint32_t number = 1; number <= 2; number++) {
        assert_int_equal(begun(number, &hash, packed.len, 1), 0);
        assert_int_equal(chunk(number, 0, packed), 0);
        assert_int_equal(adopted(number, &hash), 0);
    }
    uint32_t last = (uint32_t)((packed.len + STORE_RULES_PART_BYTES - 1) / STORE_RULES_PART_BYTES);
    struct row_key key = key_rules(1, last);
    assert_int_equal(db_delete(t.db, TABLE_RULES, key_bytes(&key)), 0);
    rules_forget(&t, 0);
    assert_int_equal(rules_find(&t, 1, &rules), -EBADMSG);
    says("rules 1: parts are missing");
    assert_true(t.doubtful);                      /* or every start would end at the first case of theirs */
    assert_int_equal(rules_find(&t, 2, &rules), 0);
}

static void a_hash_of_another_length_is_no_promise(void **state) {
    struct hash hash;
    (void)state;
    struct slice packed = packed_rules(&hash);
    PbRulesBegun begins = {.rules = 1, .bytes = packed.len, .chunks = 1, .hash = {HASH_SIZE - 1, hash.byte}};
    PbRulesAdopted adopts = {.rules = 1, .hash = {HASH_SIZE - 1, hash.byte}};
    assert_int_equal(fold(&(PbEvent){.event_case = EVENT_RULES_BEGUN, .rules_begun = &begins}), -EBADMSG);
    says("a promise that cannot be kept");
    assert_int_equal(begun(1, &hash, packed.len, 1), 0);
    assert_int_equal(chunk(1, 0, packed), 0);
    assert_int_equal(fold(&(PbEvent){.event_case = EVENT_RULES_ADOPTED, .rules_adopted = &adopts}), -EBADMSG);
    says("adopted without having been begun");
    adopts.rules = 0;
    assert_int_equal(fold(&(PbEvent){.event_case = EVENT_RULES_ADOPTED, .rules_adopted = &adopts}), -EBADMSG);
}

/* Adopted rules whose row is gone are what a start folds again. */
static void rules_that_were_begun_and_lost_a_row_make_the_tables_wrong(void **state) {
    struct hash hash;
    (void)state;
    struct slice packed = packed_rules(&hash);
    struct row_key promise = key_rules(1, 0);
    assert_int_equal(begun(1, &hash, packed.len, 1), 0);
    assert_int_equal(db_delete(t.db, TABLE_RULES, key_bytes(&promise)), 0);
    assert_int_equal(chunk(1, 0, packed), 0);
    assert_int_equal(adopted(1, &hash), -ENOENT);
    assert_int_equal(begun(2, &hash, packed.len, 1), -EBADMSG);
}

/* ---- the broker's own -------------------------------------------------------------------------------------------- */

static void an_epoch_never_goes_back_and_doubts_about_the_clock_are_counted(void **state) {
    (void)state;
    static const uint64_t epochs[][2] = {{3, 3}, {2, 3}, {3, 3}, {7, 7}};
    for (unsigned i = 0; i < COUNT_OF(epochs); i++) {
        PbEvent e = {.event_case = EVENT_EPOCH_BEGUN, .epoch_begun = make(sizeof(PbEpochBegun))};
        SET(e.epoch_begun, epoch, epochs[i][0]);
        assert_int_equal(fold(&e), 0);
        assert_int_equal(t.meta.epoch, epochs[i][1]);
        PbEvent doubt = {.event_case = EVENT_CLOCK_DOUBTED, .clock_doubted = make(sizeof(PbClockDoubted))};
        assert_int_equal(fold(&doubt), 0);
        assert_int_equal(t.facts.clock_doubts, i + 1);
    }
    assert_int_equal(t.meta.folded_seq, 8);
}

static void an_event_of_a_case_stands_in_no_record_without_one(void **state) {
    (void)state;
    PbEvent e = {.event_case = EVENT_REPORTED};
    assert_int_equal(fold(&e), -EBADMSG);
    says("stands in a record without a case");
    PbEvent unknown = {.event_case = (PbEvent__EventCase)0};
    assert_int_equal(fold(&unknown), -EBADMSG);
    assert_int_equal(t.meta.folded_seq, 0);
}

static void a_record_of_a_case_that_is_not_there_is_refused_by_its_number(void **state) {
    (void)state;
    PbEvent e = {.event_case = EVENT_ACCEPTED}, *events = &e;
    PbRecord r = {.n_events = 1, .events = &events, .source = (char *)"uid:1000"};
    SET(&r, first_seq, 1);
    SET(&r, case_id, 77);
    assert_int_equal(fold_record(&t, &r, NULL, NULL), -EBADMSG);
    says("a record speaks of case 77, which is not there");
}

static void a_record_that_cannot_be_read_is_refused_by_its_seq(void **state) {
    (void)state;
    assert_int_equal(fold_bytes(&t, 1, 1, SLICE("\xff\xff\xff")), -EBADMSG);
    says("the record of seq 1 cannot be read");
    PbEvent doubt = {.event_case = EVENT_CLOCK_DOUBTED, .clock_doubted = make(sizeof(PbClockDoubted))};
    PbEvent *events = &doubt;
    PbRecord r = {.n_events = 1, .events = &events, .source = (char *)"broker"};
    SET(&r, first_seq, 1);
    struct slice bytes = codec_packed(CODEC_RECORD, &r, &room);
    assert_non_null(bytes.at);
    assert_int_equal(fold_bytes(&t, 2, 1, bytes), -EBADMSG);
    says("the record of seq 2 cannot be read");
    assert_int_equal(fold_bytes(&t, 1, 2, bytes), -EBADMSG);
    assert_int_equal(fold_bytes(&t, 1, 1, bytes), 0);
}

static void tables_that_do_not_say_how_far_they_are_are_doubted(void **state) {
    static const uint8_t nonsense[4] = {1, 2, 3, 4};
    struct row_key key = key_number(0);
    (void)state;
    assert_int_equal(tables_load(&t), -ENOENT);
    for (unsigned table = TABLE_META; table <= TABLE_FACTS; table++) {
        assert_int_equal(tables_commit(&t), 0);
        assert_int_equal(tables_load(&t), 0);
        assert_int_equal(tables_put(&t, table, &key, slice_from(nonsense, sizeof nonsense)), 0);
        t.doubtful = false;
        assert_int_equal(tables_load(&t), -EBADMSG);
        assert_true(t.doubtful);
        says("the tables do not say how far they are");
    }
    assert_int_equal(tables_commit(&t), 0);
    assert_int_equal(db_delete(t.db, TABLE_FACTS, key_bytes(&key)), 0);
    assert_int_equal(tables_load(&t), -EBADMSG);
}

/* Every receipt answers a repeat; only one with the hash of its command tells whether it is one. */
static void a_command_without_a_hash_has_a_receipt_all_the_same(void **state) {
    static uint8_t id[16] = {5}, hash[HASH_SIZE] = {8};
    struct receipt kept;
    struct slice row;
    (void)state;
    for (unsigned hashed = 0; hashed < 2; hashed++) {
        PbEvent e = {.event_case = EVENT_CLOCK_DOUBTED, .clock_doubted = make(sizeof(PbClockDoubted))}, *events = &e;
        PbRecord r = {.n_events = 1, .events = &events, .source = (char *)"uid:1000", .command_id = {sizeof id, id}};
        r.command_hash = (ProtobufCBinaryData){hashed ? sizeof hash : 0, hash};
        SET(&r, first_seq, t.meta.folded_seq + 1);
        assert_int_equal(fold_record(&t, &r, NULL, NULL), 0);
        struct row_key key = key_receipt(SLICE("uid:1000"), id);
        assert_int_equal(tables_get(&t, TABLE_RECEIPTS, &key, &row), 0);
        assert_true(receipt_of_row(row, &kept) && kept.seq == r.first_seq && kept.hash[0] == (hashed ? 8 : 0));
    }
}

/* What a verification opens and an erasure closes: forgotten here, it would be kept for ever. */
static void a_text_is_found_wherever_an_event_has_one(void **state) {
    PbSealed said, where, done;
    PbReported report = {.text = &said, .address = &where};
    PbImported imported = {.report = &report};
    PbSelfHandled handled = {.report = &report, .text = &done};
    PbNoted noted = {.text = &done};
    struct sealed_text found[EVENT_TEXTS_MAX];
    (void)state;
    PbEvent e = {.event_case = EVENT_REPORTED, .reported = &report};
    assert_int_equal(event_texts(&e, found), 2);
    assert_true(found[0].sealed == &said && found[1].sealed == &where);
    e = (PbEvent){.event_case = EVENT_IMPORTED, .imported = &imported};
    assert_int_equal(event_texts(&e, found), 2);
    assert_string_equal(found[1].context, "address");
    e = (PbEvent){.event_case = EVENT_SELF_HANDLED, .self_handled = &handled};
    assert_int_equal(event_texts(&e, found), 3);
    assert_true(found[0].sealed == &done && found[1].sealed == &said);
    assert_string_equal(found[0].context, "deed");
    report.address = NULL;
    report.text = NULL;
    assert_int_equal(event_texts(&e, found), 1);
    e = (PbEvent){.event_case = EVENT_NOTED, .noted = &noted};
    assert_int_equal(event_texts(&e, found), 1);
    assert_string_equal(found[0].context, "text");
    noted.text = NULL;
    assert_int_equal(event_texts(&e, found), 0);
    e = (PbEvent){.event_case = EVENT_CLOCK_DOUBTED};
    assert_int_equal(event_texts(&e, found), 0);
    e = (PbEvent){.event_case = (PbEvent__EventCase)9999};                  /* of a later version */
    assert_int_equal(event_texts(&e, found), 0);
}

/* ---- questions to a store ---------------------------------------------------------------------------------------- */

static void the_last_instant_is_that_of_the_last_record(void **state) {
    struct world *w = *state;
    assert_int_equal(store_create(&w->options, (char[400]){0}), 0);
    world_open(w);
    assert_int_equal(store_last_ms(w->store), 0);
    world_epoch(w, 1);
    world_adopt(w, 1, 5000);
    w->now_ms += 12345;
    world_random_turns(w, 1, 3);
    int64_t last = store_last_ms(w->store);
    assert_true(last >= FIXTURE_MONDAY_MS + 12345 && last <= w->now_ms);
    world_close(w);
    world_open(w);
    assert_int_equal(store_last_ms(w->store), last);
}

static void a_command_hash_is_the_stores_own(void **state) {
    struct world *w = *state;
    struct hash hash[3], plain = hash_of(SLICE("a command"));
    world_create(w);
    hash[0] = store_command_hash(w->store, SLICE("a command"));
    hash[1] = store_command_hash(w->store, SLICE("a commanD"));
    assert_memory_not_equal(&hash[0], &hash[1], sizeof hash[0]);
    assert_memory_not_equal(&hash[0], &plain, sizeof hash[0]);
    world_close(w);
    world_open(w);
    hash[2] = store_command_hash(w->store, SLICE("a command"));
    assert_memory_equal(&hash[0], &hash[2], sizeof hash[0]);
}

static void what_a_cases_row_speaks_of_must_be_there(void **state) {
    struct world *w = *state;
    struct case_state before, after;
    struct row rows[ROWS_OF_CASE_MAX];
    world_create(w);
    world_begin(w);
    uint64_t id = world_report(w, "rubbish", FIXTURE_GRID);
    world_commit(w);
    assert_int_equal(store_case(w->store, id, &before), 0);
    assert_true(rows_of_case(&before, rows) > 0);
    PbEvent e = {.event_case = EVENT_REJECTED, .rejected = arena_zero(&w->room, sizeof(PbRejected))}, *events = &e;
    PbRecord r = {.n_events = 1, .events = &events, .source = (char *)"uid:1000"};
    t.meta.folded_seq = before.last_seq;
    SET(&r, first_seq, before.last_seq + 1);
    SET(&r, case_id, id);
    after = before;
    evolve(&after, &e, r.first_seq, w->now_ms);
    assert_int_equal(fold_record(&t, &r, &before, &after), -EBADMSG);      /* tables in which the case never was */
    says("that its case speaks of is missing");
    assert_true(t.doubtful);
}

static int make_both(void **state) {
    return make_tables(NULL) || world_make(state);
}

/* Two states that differ in one row, of whatever table, are two. */
static void the_digest_knows_every_table(void **state) {
    (void)state;
    for (enum table table = 0; table < TABLE_COUNT; table++) {
        struct hash before, after;
        if (!tables_fold_name(table))
            continue;
        assert_int_equal(db_digest(t.db, &before), 0);
        assert_int_equal(db_put(t.db, table, SLICE("a row that nobody has"), SLICE("its value")), 0);
        assert_int_equal(db_digest(t.db, &after), 0);
        if (hash_equal(&before, &after))
            print_message("the table: %s\n", tables_fold_name(table));
        assert_false(hash_equal(&before, &after));
    }
}

static int remove_both(void **state) {
    return remove_tables(NULL) || world_remove(state);
}

#define TABLES(f) cmocka_unit_test_setup_teardown(f, make_tables, remove_tables)

int main(void) {
    crypto_init();
    const struct CMUnitTest tests[] = {
        TABLES(rules_whose_promise_cannot_be_kept_are_refused),
        TABLES(parts_count_only_in_their_order_and_behind_their_beginning),
        TABLES(rules_are_adopted_as_they_were_promised_or_not_at_all),
        TABLES(more_rules_than_are_kept_are_all_found_again),
        TABLES(rules_that_were_begun_and_lost_a_row_make_the_tables_wrong),
        TABLES(parts_are_told_up_to_the_last_of_their_rules),
        TABLES(rules_that_lost_a_part_are_not_made_up_from_the_next),
        TABLES(a_hash_of_another_length_is_no_promise),
        TABLES(a_command_without_a_hash_has_a_receipt_all_the_same),
        TABLES(a_text_is_found_wherever_an_event_has_one),
        TABLES(an_epoch_never_goes_back_and_doubts_about_the_clock_are_counted),
        TABLES(an_event_of_a_case_stands_in_no_record_without_one),
        TABLES(a_record_of_a_case_that_is_not_there_is_refused_by_its_number),
        TABLES(a_record_that_cannot_be_read_is_refused_by_its_seq),
        TABLES(the_digest_knows_every_table),
        TABLES(tables_that_do_not_say_how_far_they_are_are_doubted),
        WORLD(the_last_instant_is_that_of_the_last_record),
        WORLD(a_command_hash_is_the_stores_own),
        cmocka_unit_test_setup_teardown(what_a_cases_row_speaks_of_must_be_there, make_both, remove_both),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
