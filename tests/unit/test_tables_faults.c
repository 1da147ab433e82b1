/* LMDB says no, call by call, for every reason it has. A question is then answered with that and with nothing else; a
 * record that could not be folded was never there; and what was committed is found by whoever opens again. */
#include "daemon/store/base.h"
#include "daemon/store/store_internal.h"
#include "tests/unit/broken_tables.h"
#include "tests/unit/store_world.h"

#include <sys/statvfs.h>

#define WORKER "grid-worker@610402006001001"

/* ---- the faults themselves --------------------------------------------------------------------------------------- */

static enum { DISK_HAS_ROOM, DISK_IS_FULL, DISK_IS_GONE } disk;

int fstatvfs(int fd, struct statvfs *ret) {
    (void)fd;
    *ret = (struct statvfs){.f_bsize = 4096, .f_frsize = 4096, .f_bavail = disk == DISK_IS_FULL ? 7 : 1 << 20};
    return disk == DISK_IS_GONE ? -1 : 0;
}

/* LMDB calls a short write EIO, and what makes a write short is nearly always a full filesystem. */
static void an_error_of_a_full_disk_is_a_lack_of_space(void **state) {
    static const int words[] = {[DISK_HAS_ROOM] = -EIO, [DISK_IS_FULL] = -ENOSPC, [DISK_IS_GONE] = -EIO};
    struct world *w = *state;
    struct case_state c;
    world_create(w);
    for (disk = DISK_HAS_ROOM; disk <= DISK_IS_GONE; disk++) {
        break_tables(1, EIO);
        assert_int_equal(store_case(w->store, 1, &c), words[disk]);
        assert_true(mend_tables());
        assert_int_equal(store_return(w->store), 0);
    }
    disk = DISK_HAS_ROOM;
}

/* A transaction that holds too many pages is no damage, and no full disk: whoever reads the word must know which. */
static void every_word_of_lmdb_becomes_the_errno_that_says_what_to_do(void **state) {
    static const struct { int why, r; } words[] = {
        {MDB_MAP_FULL, -ENOSPC}, {ENOSPC, -ENOSPC}, {EDQUOT, -ENOSPC}, {EFBIG, -ENOSPC}, {EIO, -EIO},
        {MDB_TXN_FULL, -E2BIG}, {MDB_CORRUPTED, -EBADMSG}, {MDB_PAGE_NOTFOUND, -EBADMSG}, {MDB_CURSOR_FULL, -EBADMSG},
        {ENOMEM, -ENOMEM}, {MDB_PANIC, -EIO}, {MDB_BAD_TXN, -EBADMSG},
    };
    struct world *w = *state;
    struct case_state c;
    world_create(w);
    for (unsigned i = 0; i < COUNT_OF(words); i++) {
        break_tables(1, words[i].why);
        assert_int_equal(store_case(w->store, 1, &c), words[i].r);
        assert_true(mend_tables());
        assert_int_equal(store_case(w->store, 1, &c), words[i].r);          /* until it is thrown away */
        assert_non_null(strstr(w->store->tables.problem, mdb_strerror(words[i].why)));
        assert_int_equal(store_return(w->store), 0);
        assert_int_equal(store_case(w->store, 1, &c), -ENOENT);
    }
}

/* ---- questions --------------------------------------------------------------------------------------------------- */

static uint64_t made;
static const uint8_t batch_id[16] = {1, 2, 3};

static int by_id(struct store *s) {
    struct case_state c;
    return store_case(s, made, &c);
}

static int by_number(struct store *s) {
    uint64_t id = 0;
    return store_case_by_number(s, FIXTURE_DISTRICT, 20260302, 1, &id);
}

static int by_external(struct store *s) {
    uint64_t id = 0;
    return store_external(s, "city", "12345-2026-0001", &id);
}

static int by_batch(struct store *s) {
    struct batch_state b;
    return store_batch(s, batch_id, &b);
}

static int by_receipt(struct store *s) {
    struct receipt r;
    return store_receipt(s, SLICE("tcp:loopback"), batch_id, &r);
}

static int first_due(struct store *s) {
    struct due_row due;
    s->tables.due_known = DUE_UNKNOWN;            /* T1: it can be forgotten at any time */
    return store_first_due(s, &due);
}

static int next_due(struct store *s) {
    struct due_row due, after = {.due_ms = 1};
    return store_next_due(s, &after, &due);
}

static int next_work(struct store *s) {
    struct work_row work;
    return store_next_work(s, LEVEL_COMMUNITY, NULL, &work);
}

static int next_open(struct store *s) {
    uint64_t id, division;
    return store_next_open(s, FIXTURE_DISTRICT, 0, 0, &division, &id);
}

static int next_dead(struct store *s) {
    uint64_t id, division;
    return store_next_dead(s, FIXTURE_DISTRICT, 0, 0, &division, &id);
}

static int next_follower(struct store *s) {
    uint64_t id;
    return store_next_follower(s, made, 0, &id);
}

static int next_story(struct store *s) {
    uint64_t seq;
    return store_next_story(s, made, 0, &seq);
}

static int next_ask(struct store *s) {
    struct ask_row ask;
    return store_next_ask(s, WORKER, NULL, &ask);
}

static int next_case(struct store *s) {
    uint64_t id;
    return store_next_case(s, 0, &id);
}

static int next_ended(struct store *s) {
    uint64_t cursor = 0, id;
    return store_next_ended(s, &cursor, INT64_MAX, 100, &id);
}

static int receipts_look(struct store *s) {
    struct receipts_round round = {.horizon_ms = INT64_MAX / 2};
    PbReceiptsExpired e;
    return store_receipts_look(s, &round, 100, &e);
}

static int rules_hash(struct store *s) {
    struct hash hash;
    return store_rules_hash_of(s, 1, &hash);
}

static int rules_parts(struct store *s) {
    static uint8_t parts[64 << 10];
    struct rules_packed packed;
    return store_rules_packed(s, 1, 0, parts, sizeof parts, &packed);
}

static int rules_unpacked(struct store *s) {
    const PbRules *rules = NULL;
    rules_forget(&s->tables, 0);                  /* T1 */
    return rules_find(&s->tables, 1, &rules);
}

static int last_number(struct store *s) {
    uint32_t last = 0;
    memset(s->tables.numbers, 0, sizeof s->tables.numbers);
    return tables_last_number(&s->tables, FIXTURE_DISTRICT, 20260302, &last);
}

static int digest(struct store *s) {
    struct hash hash;
    uint64_t seq = 0;
    return store_digest(s, &hash, &seq);
}

static int base(struct store *s) {
    struct journal_base b;
    return base_write(&s->tables, s->dir_fd, &b);
}

static int checked(struct store *s) {
    char problem[256];
    return db_verify(s->tables.db, problem);
}

#define ASKED(f) {#f, f}
static const struct { const char *what; int (*ask)(struct store *s); } questions[] = {
    ASKED(by_id), ASKED(by_number), ASKED(by_external), ASKED(by_batch), ASKED(by_receipt), ASKED(first_due),
    ASKED(next_due), ASKED(next_work), ASKED(next_open), ASKED(next_dead), ASKED(next_follower), ASKED(next_story),
    ASKED(next_ask), ASKED(next_case), ASKED(next_ended), ASKED(receipts_look), ASKED(rules_hash), ASKED(rules_parts),
    ASKED(rules_unpacked), ASKED(last_number), ASKED(digest), ASKED(base), ASKED(checked),
};

static void no_question_is_answered_by_tables_that_fail(void **state) {
    struct world *w = *state;
    world_create(w);
    world_begin(w);
    made = world_report_as(w, "rubbish", FIXTURE_GRID, batch_id);
    world_commit(w);
    assert_int_equal(store_checkpoint(w->store), 0);
    for (unsigned i = 0; i < COUNT_OF(questions); i++) {
        int without = questions[i].ask(w->store);
        bool hit = true;
        for (unsigned at = 1; hit; at += 1 + at / 8) {
            break_tables(at, at % 2 ? ENOMEM : MDB_CORRUPTED);
            int r = questions[i].ask(w->store);
            hit = mend_tables();
            if (r != (hit ? at % 2 ? -ENOMEM : -EBADMSG : without))
                fail_msg("%s gave %d at call %u", questions[i].what, r, at);
            assert_int_equal(store_return(w->store), 0);
        }
        assert_int_equal(questions[i].ask(w->store), without);
    }
    assert_int_equal(access(w->dir, F_OK), 0);
    world_close(w);
    world_open(w);
    assert_string_equal(w->found.decision, "state-broken");                 /* it was told, and is folded anew */
}

/* ---- records ----------------------------------------------------------------------------------------------------- */

static int order(struct world *w, const struct order *o, uint64_t case_id) {
    PbRefusal refusal = REFUSED_NOTHING;
    uint64_t id = 0;
    int r = world_order(w, o, case_id, NULL, &refusal, &id);
    assert_int_equal(refusal, REFUSED_NOTHING);
    made = id ? id : made;
    return r;
}

static int imported(struct world *w) {
    return world_import(w, "city", "12345-2026-0001", &made);
}

static int event(struct world *w, PbEvent *e) {
    return world_events(w, &e, 1);
}

static int batch_asked(struct world *w) {
    static uint8_t about[BATCH_DIGEST_BYTES] = {9};
    PbBatchAsked asked = {.by = (char *)"0018"};
    SET(&asked, batch, ((ProtobufCBinaryData){sizeof batch_id, (uint8_t *)batch_id})), SET(&asked, verb, BATCH_VOID);
    SET(&asked, cases, 3), SET(&asked, digest, ((ProtobufCBinaryData){sizeof about, about}));
    return event(w, &(PbEvent){.event_case = EVENT_BATCH_ASKED, .batch_asked = &asked});
}

static int batch_confirmed(struct world *w) {
    PbBatchConfirmed confirmed = {.by = (char *)"0019"};
    SET(&confirmed, batch, ((ProtobufCBinaryData){sizeof batch_id, (uint8_t *)batch_id}));
    return event(w, &(PbEvent){.event_case = EVENT_BATCH_CONFIRMED, .batch_confirmed = &confirmed});
}

static int dispatched(struct world *w) {
    PbAskedParty asked = {.party = (char *)WORKER}, *parties[] = {&asked};
    PbDispatch dispatch = {.n_parties = 1, .parties = parties};
    SET(&dispatch, case_id, made), SET(&dispatch, stage, 1), SET(&dispatch, attempt, 1);
    w->batch = batch_id;
    int r = order(w, &(struct order){.kind = ORDER_DISPATCH, .dispatch = &dispatch}, made);
    w->batch = NULL;
    return r;
}

static int self_handled(struct world *w) {
    PbPlace place = {.has_division = 1, .division = FIXTURE_GRID};
    PbReport report = {.place = &place, .category = (char *)"rubbish"};
    PbSelfHandle handle = {.report = &report, .party = (char *)WORKER};
    return order(w, &(struct order){.kind = ORDER_SELF_HANDLE, .self_handle = &handle}, 0);
}

static int expired(struct world *w) {
    static uint8_t last[DB_KEY_MAX];
    PbReceiptsExpired e = {0};
    memset(last, 0xff, sizeof last);
    SET(&e, upto_key, ((ProtobufCBinaryData){sizeof last, last}));
    SET(&e, horizon_ms, w->now_ms + 1000LL * 86400000);
    return event(w, &(PbEvent){.event_case = EVENT_RECEIPTS_EXPIRED, .receipts_expired = &e});
}

static int rules_begun(struct world *w) {
    static uint8_t of[HASH_SIZE] = {1};
    PbRulesBegun b = {0};
    SET(&b, hash, ((ProtobufCBinaryData){sizeof of, of}));
    SET(&b, rules, store_rules_number(w->store) + 1), SET(&b, bytes, 5000), SET(&b, chunks, 1);
    return event(w, &(PbEvent){.event_case = EVENT_RULES_BEGUN, .rules_begun = &b});
}

static int rules_part(struct world *w) {
    static uint8_t bytes[5000];
    PbRulesChunk c = {0};
    SET(&c, part, ((ProtobufCBinaryData){sizeof bytes, bytes})), SET(&c, index, 0);
    SET(&c, rules, store_rules_number(w->store) + 1);
    return event(w, &(PbEvent){.event_case = EVENT_RULES_CHUNK, .rules_chunk = &c});
}

static const struct { const char *what; int (*record)(struct world *w); } records[] = {
    {"imported", imported}, {"batch asked", batch_asked}, {"batch confirmed", batch_confirmed},
    {"dispatched", dispatched}, {"self-handled", self_handled}, {"receipts expired", expired},
    {"rules begun", rules_begun}, {"rules, a part", rules_part}, {"rules begun anew", rules_begun},
};

/* A record's calls of LMDB fail one by one, and each time `after` sees to it that the tables are what they were; then
 * none fails, and the record stays. */
static void let_each_call_fail(struct world *w, unsigned record, void (*arm)(unsigned at), int expected,
                               void (*after)(struct world *w, unsigned record)) {
    struct hash before = world_digest(w);
    bool hit = true;
    for (unsigned at = 1; hit; at++) {
        world_begin(w);
        arm(at);
        int r = records[record].record(w);
        hit = mend_tables();
        if (r != (hit ? expected : 0))
            fail_msg("%s gave %d at call %u", records[record].what, r, at);
        if (hit) {
            after(w, record);
            world_has(w, &before);
        }
    }
    world_commit(w);
    struct hash now = world_digest(w);
    assert_memory_not_equal(&now, &before, sizeof now);
}

static void abandoned(struct world *w, unsigned record) {
    (void)record;
    assert_int_equal(store_abandon(w->store), 0);
}

/* A lack of space is waited out: the turn is abandoned, and the tables are what they were. */
static void a_record_that_could_not_be_folded_was_never_there(void **state) {
    struct world *w = *state;
    world_create(w);
    for (unsigned i = 0; i < COUNT_OF(records); i++)
        let_each_call_fail(w, i, fill_tables, -ENOSPC, abandoned);
    struct hash live = world_digest(w);
    world_close(w);
    assert_int_equal(store_rebuild(&w->options, &w->found), 0);
    world_open(w);
    world_has(w, &live);
}

/* Nothing more is taken, and the next start folds what is on disk. */
static void is_the_last(struct world *w, int (*record)(struct world *w)) {
    assert_int_equal(record(w), -EBADMSG);
    assert_int_equal(store_commit(w->store), -EBADMSG);
    assert_int_equal(store_abandon(w->store), -EBADMSG);
    assert_int_equal(store_rest(w->store, 0, 0, true), -EBADMSG);
    assert_int_equal(store_checkpoint(w->store), -EBADMSG);
    assert_false(store_admits(w->store, ADMIT_CLOSURE));
}

static void damage_tables(unsigned at) {
    break_tables(at, MDB_CORRUPTED);
}

static void started_again(struct world *w, unsigned record) {
    if (w->store->fault)                          /* and not what was asked before it could be decided */
        is_the_last(w, records[record].record);
    world_close(w);
    world_open(w);
}

static void a_record_whose_fold_finds_damage_is_the_last(void **state) {
    struct world *w = *state;
    world_create(w);
    for (unsigned i = 0; i < COUNT_OF(records); i++)
        let_each_call_fail(w, i, damage_tables, -EBADMSG, started_again);
}

/* The way of a restart: cases from their rows, and events from the journal. */
static void a_journal_that_cannot_be_folded_again_is_final_until_it_can(void **state) {
    struct world *w = *state;
    struct store_figures f;
    world_create(w);
    for (unsigned i = 0; i < COUNT_OF(records); i++) {
        world_begin(w);
        assert_int_equal(records[i].record(w), 0);
        world_commit(w);
    }
    struct hash live = world_digest(w);
    bool hit = true;
    for (unsigned at = 1; hit; at += 1 + at / 32) {
        break_tables(at, at % 2 ? EIO : MDB_CORRUPTED);
        int r = store_return(w->store);
        hit = mend_tables();
        assert_int_equal(r, !hit ? 0 : at % 2 ? -EIO : -EBADMSG);
        assert_int_equal(store_checkpoint(w->store), r);
        w->store->fault = 0;                      /* another start */
        assert_int_equal(store_return(w->store), 0);
    }
    struct hash again = world_digest(w);
    assert_memory_equal(&again, &live, sizeof live);
    store_figures(w->store, &f);
    assert_int_equal(f.cases_all, 2);
}

/* The facts are written for a digest: without space it is not given, and the turns go on. */
static void a_digest_without_space_is_no_fault_of_the_tables(void **state) {
    struct world *w = *state;
    struct hash hash;
    uint64_t seq = 0;
    world_create(w);
    struct hash before = world_digest(w);
    fill_tables(1);
    assert_int_equal(store_digest(w->store, &hash, &seq), -ENOSPC);
    assert_true(mend_tables());
    world_has(w, &before);
    fill_tables(1);
    assert_int_equal(store_digest(w->store, &hash, &seq), -ENOSPC);
    fill_tables(1);
    world_begin(w);
    assert_int_equal(self_handled(w), -ENOSPC);
    break_tables(1, EIO);                         /* and it cannot be folded again: that is final */
    assert_int_equal(store_abandon(w->store), -EIO);
    assert_int_equal(store_digest(w->store, &hash, &seq), -EIO);
}

/* The number of a new case is asked for where no fault can be given: so it is kept, and ends what is written next. */
static void a_day_number_that_cannot_be_read_ends_the_turn(void **state) {
    struct world *w = *state;
    world_create(w);
    world_begin(w);
    memset(w->store->tables.numbers, 0, sizeof w->store->tables.numbers);
    break_tables(1, MDB_CORRUPTED);
    (void)store_next_number(w->store, FIXTURE_DISTRICT, 20260302);
    assert_true(mend_tables());
    assert_int_equal(self_handled(w), -EBADMSG);
    assert_int_equal(store_abandon(w->store), -EBADMSG);
}

/* A verification makes the rows that follow from cases at its end, and looks at nothing on the way. */
static void rows_that_could_not_be_derived_are_not_called_derived(void **state) {
    struct world *w = *state;
    struct hash live;
    world_create(w);
    world_random_turns(w, 3, 10);
    live = world_digest(w);
    bool hit = true;
    for (unsigned at = 1; hit; at += 1 + at / 8) {
        struct tables *t = &w->store->tables;
        t->later = true;
        break_tables(at, EIO);
        int r = fold_derive(t);
        hit = mend_tables();
        assert_int_equal(r, hit ? -EIO : 0);
        assert_int_equal(store_return(w->store), 0);
    }
    world_has(w, &live);
}

/* ---- files ------------------------------------------------------------------------------------------------------- */

static void tables_that_fail_are_not_opened_and_the_next_opening_has_everything(void **state) {
    struct world *w = *state;
    world_create(w);
    world_random_turns(w, 2, 10);
    struct hash before = world_digest(w);
    world_close(w);
    bool hit = true;
    for (unsigned at = 1; hit; at++) {
        break_tables(at, at % 3 ? ENOMEM : MDB_CORRUPTED);
        int r = world_try(w);
        hit = mend_tables();
        assert_true(r == 0 || (hit && w->found.problem[0]));
        world_close(w);
        world_still_has(w, &before);
    }
}

/* Into tables beside the store: loaded whole, or not. */
static void a_base_that_could_not_be_loaded_is_not_called_loaded(void **state) {
    struct world *w = *state;
    struct journal_base b;
    struct tables t;
    char path[192], problem[STORE_PROBLEM_SIZE];
    const struct tables_options o = {.path = path, .map_bytes = w->options.map_bytes, .scratch = true};
    world_create(w);
    world_random_turns(w, 2, 10);
    struct hash before = world_digest(w);
    assert_int_equal(base_write(&w->store->tables, w->store->dir_fd, &b), 0);
    (void)snprintf(path, sizeof path, "%s/base.mdb", w->top);
    bool hit = true;
    for (unsigned at = 1; hit; at += 1 + at / 8) {
        assert_int_equal(tables_open(&t, &o), 0);
        tables_begin(&t, w->store->identity.id);
        break_tables(at, MDB_MAP_FULL);
        int r = base_load(&t, w->store->dir_fd, &b, problem);
        hit = mend_tables();
        assert_int_equal(r, hit ? -ENOSPC : 0);
        struct hash loaded;
        if (r == 0)
            assert_int_equal(db_digest(t.db, &loaded), 0);
        assert_true(r < 0 || hash_equal(&loaded, &before));
        tables_close(&t);
        assert_int_equal(unlink(path), 0);
    }
}

/* A page that loses a row has no sum to tell it; neither have the rows that are left. */
static void lose_the_first_case(void *to, enum purge_step step, uint64_t number) {
    static uint8_t key[8];
    (void)number;
    put_be64(key, made);
    *(enum purge_step *)to = step;
    if (step == PURGE_VERIFIED)
        lost_row = key;
}

static void a_row_that_is_lost_behind_its_verification_stops_a_purge_before_anything_goes(void **state) {
    struct world *w = *state;
    struct purge_options o = {.before_ms = INT64_MAX / 2, .open_too = true};
    struct purge_result p;
    enum purge_step last = PURGE_GONE;
    w->options.drill = true;
    world_create(w);
    world_random_turns(w, 450, 1);
    struct hash digest = world_digest(w);
    assert_int_equal(store_next_case(w->store, 0, &made), 0);
    world_close(w);
    assert_int_equal(store_purge(&w->options, w->top, &o, &p, lose_the_first_case, &last), -EBADMSG);
    lost_row = NULL;
    assert_int_equal(last, PURGE_BASE);
    assert_non_null(strstr(p.problem, "does not give back what the journal folds to"));
    world_still_has(w, &digest);
    assert_int_equal(store_purge(&w->options, w->top, &o, &p, NULL, NULL), 0);
    assert_true(p.segments_gone > 0);
    world_still_has(w, &digest);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        WORLD(an_error_of_a_full_disk_is_a_lack_of_space),
        WORLD(every_word_of_lmdb_becomes_the_errno_that_says_what_to_do),
        WORLD(no_question_is_answered_by_tables_that_fail),
        WORLD(a_record_that_could_not_be_folded_was_never_there),
        WORLD(a_record_whose_fold_finds_damage_is_the_last),
        WORLD(a_journal_that_cannot_be_folded_again_is_final_until_it_can),
        WORLD(a_digest_without_space_is_no_fault_of_the_tables),
        WORLD(a_day_number_that_cannot_be_read_ends_the_turn),
        WORLD(rows_that_could_not_be_derived_are_not_called_derived),
        WORLD(tables_that_fail_are_not_opened_and_the_next_opening_has_everything),
        WORLD(a_base_that_could_not_be_loaded_is_not_called_loaded),
        WORLD(a_row_that_is_lost_behind_its_verification_stops_a_purge_before_anything_goes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
