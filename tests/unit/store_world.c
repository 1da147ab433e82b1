#include "tests/unit/store_world.h"
#include "daemon/store/tables.h"

#include "lib/codec/codec.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

enum { ROOM_BYTES = 8 << 20, MINUTE_MS = 60000 };

/* ---- a store ----------------------------------------------------------------------------------------------------- */

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *f) {
    (void)st, (void)type, (void)f;
    return remove(path);
}

int path_remove(const char *path) {
    return nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void say_check(const char *what, const char *file, int line) {
    (void)fprintf(stderr, "%s:%d: CHECK(%s)\n", file, line, what);
}

int world_make(void **state) {
    struct world *w = calloc(1, sizeof *w);
    const char *tmp = getenv("TMPDIR");
    assert_non_null(w);
    crypto_init();
    check_hook = say_check;
    (void)snprintf(w->top, sizeof w->top, "%.60s/store-XXXXXX", tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(w->top));
    (void)snprintf(w->dir, sizeof w->dir, "%s/store", w->top);
    w->options = (struct store_options){
        .dir = w->dir, .segment_bytes = 1 << 20, .segments_ahead = 2, .map_bytes = 1 << 30, .slots_ahead = 1024,
        .checkpoint_bytes_journal = 64 << 20, .checkpoint_changes = 16384, .checkpoint_idle_ms = 200,
        .checkpoint_age_ms = 10000,
    };
    arena_wrap(&w->room, malloc(ROOM_BYTES), ROOM_BYTES);
    w->now_ms = FIXTURE_MONDAY_MS;
    w->dice = 0x9e3779b97f4a7c15;
    *state = w;
    return 0;
}

int world_remove(void **state) {
    struct world *w = *state;
    store_close(w->store);
    free(w->room.base);
    int r = path_remove(w->top);
    free(w);
    return r;
}

int world_try(struct world *w) {
    assert_null(w->store);
    return store_open(&w->store, &w->options, &w->found);
}

void world_open(struct world *w) {
    int r = world_try(w);
    if (r < 0)
        print_message("store_open: %d %s\n", r, w->found.problem);
    assert_int_equal(r, 0);
}

void world_close(struct world *w) {
    store_close(w->store);
    w->store = NULL;
}

void world_create(struct world *w) {
    char problem[STORE_PROBLEM_SIZE] = "";
    int r = store_create(&w->options, problem);
    if (r < 0)
        print_message("store_create: %s\n", problem);
    assert_int_equal(r, 0);
    world_open(w);
    world_epoch(w, 1);
    world_adopt(w, 1, 5000);
}

void world_path(const struct world *w, const char *name, char to[static 192]) {
    (void)snprintf(to, 192, "%s/%s", w->dir, name);
}

void world_flip(const struct world *w, const char *name, long offset) {
    char path[192];
    uint8_t byte;
    world_path(w, name, path);
    assert_int_equal(chmod(path, 0600), 0);
    FILE *f = fopen(path, "r+b");
    assert_non_null(f);
    assert_int_equal(fseek(f, offset, offset < 0 ? SEEK_END : SEEK_SET), 0);
    long at = ftell(f);
    assert_int_equal(fread(&byte, 1, 1, f), 1);
    byte ^= 0x40;
    assert_int_equal(fseek(f, at, SEEK_SET), 0);
    assert_int_equal(fwrite(&byte, 1, 1, f), 1);
    assert_int_equal(fclose(f), 0);
}

void world_add_deadline(const struct world *w) {
    struct tables t;
    char path[192];
    world_path(w, "state.mdb", path);
    const struct tables_options o = {.path = path, .map_bytes = w->options.map_bytes};
    assert_int_equal(tables_open(&t, &o), 0);
    assert_int_equal(tables_load(&t), 0);
    struct row_key key = key_deadline(&(struct due_row){1, 999999, TIMER_DESK});
    assert_int_equal(tables_put(&t, TABLE_DEADLINES, &key, (struct slice){NULL, 0}), 0);
    assert_int_equal(tables_commit(&t), 0);
    tables_close(&t);
}

struct hash world_digest(struct world *w) {
    struct hash digest;
    uint64_t seq = 0;
    assert_int_equal(store_digest(w->store, &digest, &seq), 0);
    return digest;
}

void world_has(struct world *w, const struct hash *digest) {
    struct hash now = world_digest(w);
    assert_memory_equal(&now, digest, sizeof now);
}

void world_still_has(struct world *w, const struct hash *digest) {
    world_open(w);
    world_has(w, digest);
    world_close(w);
}

static void file_copy_to(const char *from, const char *to, const struct stat *st) {
    (void)unlink(to);
    int in = open(from, O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_EXCL, st->st_mode & 0777);
    assert_true(in >= 0 && out >= 0);
    for (off_t done = 0; done < st->st_size;)
        assert_true(sendfile(out, in, &done, (size_t)(st->st_size - done)) > 0);
    assert_int_equal(close(in) | close(out), 0);
}

static void dir_copy_to(const char *from, const char *to) {
    char here[600], there[600];
    DIR *d = opendir(from);
    assert_non_null(d);
    assert_int_equal(mkdir(to, 0700), 0);
    for (struct dirent *e; (e = readdir(d));) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        (void)snprintf(here, sizeof here, "%.250s/%.255s", from, e->d_name);
        (void)snprintf(there, sizeof there, "%.250s/%.255s", to, e->d_name);
        path_copy(here, there);
    }
    (void)closedir(d);
}

void path_copy(const char *from, const char *to) {
    struct stat st;
    assert_int_equal(lstat(from, &st), 0);
    if (S_ISDIR(st.st_mode))
        dir_copy_to(from, to);
    else
        file_copy_to(from, to, &st);
}

/* ---- turns ------------------------------------------------------------------------------------------------------- */

void world_begin(struct world *w) {
    arena_reset(&w->room);
    store_begin(w->store, w->now_ms);
}

void world_commit(struct world *w) {
    assert_int_equal(store_commit(w->store), 0);
}

static void *make(struct world *w, size_t size) {
    void *at = arena_zero(&w->room, size);
    assert_non_null(at);
    return at;
}

static PbRecord *record_of(struct world *w, PbEvent **events, size_t count) {
    PbRecord *r = make(w, sizeof *r);
    SET(r, first_seq, store_next_seq(w->store));
    SET(r, at_ms, w->now_ms);
    r->n_events = count;
    r->events = events;
    return r;
}

int world_events(struct world *w, PbEvent **events, size_t count) {
    PbRecord *r = record_of(w, events, count);
    r->source = (char *)"broker";
    return store_record(w->store, r, NULL, NULL, &w->room);
}

void world_epoch(struct world *w, uint64_t epoch) {
    world_begin(w);
    PbEvent *e = make(w, sizeof *e);
    e->event_case = EVENT_EPOCH_BEGUN;
    e->epoch_begun = make(w, sizeof *e->epoch_begun);
    SET(e->epoch_begun, epoch, epoch);
    assert_int_equal(world_events(w, &e, 1), 0);
    world_commit(w);
}

static void rules_event(struct world *w, uint32_t number, struct slice packed, uint32_t chunks, int64_t index,
                        size_t chunk_bytes) {
    struct hash hash = hash_of(packed);
    ProtobufCBinaryData digest = {sizeof hash, hash.byte};
    PbEvent *e = make(w, sizeof *e);
    if (index < 0) {
        e->event_case = EVENT_RULES_BEGUN;
        e->rules_begun = make(w, sizeof *e->rules_begun);
        SET(e->rules_begun, rules, number);
        SET(e->rules_begun, hash, digest);
        SET(e->rules_begun, bytes, packed.len);
        SET(e->rules_begun, chunks, chunks);
    } else if (index < chunks) {
        size_t from = (size_t)index * chunk_bytes, left = packed.len - from;
        ProtobufCBinaryData part = {left < chunk_bytes ? left : chunk_bytes, (uint8_t *)packed.at + from};
        e->event_case = EVENT_RULES_CHUNK;
        e->rules_chunk = make(w, sizeof *e->rules_chunk);
        SET(e->rules_chunk, rules, number);
        SET(e->rules_chunk, index, (uint32_t)index);
        SET(e->rules_chunk, part, part);
    } else {
        e->event_case = EVENT_RULES_ADOPTED;
        e->rules_adopted = make(w, sizeof *e->rules_adopted);
        SET(e->rules_adopted, rules, number);
        SET(e->rules_adopted, hash, digest);
    }
    assert_int_equal(world_events(w, &e, 1), 0);
}

void world_adopt(struct world *w, uint32_t number, size_t chunk_bytes) {
    world_begin(w);
    struct slice packed = codec_packed(CODEC_RULES, fixture_rules(), &w->room);
    assert_non_null(packed.at);
    uint32_t chunks = (uint32_t)((packed.len + chunk_bytes - 1) / chunk_bytes);
    for (int64_t i = -1; i <= chunks; i++)
        rules_event(w, number, packed, chunks, i, chunk_bytes);
    world_commit(w);
}

static void record_sign(struct world *w, PbRecord *r, const struct order *order, const uint8_t *command_id) {
    bool timer = order->kind == ORDER_DEADLINE || order->kind == ORDER_OFFER_FAILED;
    r->source = (char *)(timer ? "timer" : "tcp:loopback");
    if (w->batch)
        SET(r, batch, ((ProtobufCBinaryData){COMMAND_ID_SIZE, (uint8_t *)w->batch}));
    if (timer && !command_id)
        return;
    uint8_t *id = make(w, COMMAND_ID_SIZE);
    if (command_id)
        memcpy(id, command_id, COMMAND_ID_SIZE);
    else
        put_be64(id, ++w->ids);
    struct hash *hash = make(w, sizeof *hash);
    *hash = hash_of(slice_from(id, COMMAND_ID_SIZE));
    SET(r, command_id, ((ProtobufCBinaryData){COMMAND_ID_SIZE, id}));
    SET(r, command_hash, ((ProtobufCBinaryData){sizeof *hash, hash->byte}));
}

const PbRules *world_rules(struct world *w, uint32_t number) {
    const PbRules *rules = NULL;
    assert_int_equal(store_rules(w->store, number, &rules), 0);
    return rules;
}

static void input_for(struct world *w, const struct order *order, const struct case_state *c,
                      struct decide_input *ret) {
    *ret = (struct decide_input){
        .state = c, .rules_number = c->id ? c->rules : store_rules_number(w->store), .now_ms = w->now_ms,
        .source = SLICE("tcp:loopback"), .slot = store_next_slot(w->store), .room = &w->room,
        .origin = w->origin ? slice_of(w->origin) : (struct slice){NULL, 0},
    };
    ret->rules = world_rules(w, ret->rules_number);
    if (c->id)
        return;
    const PbReport *report = order->kind == ORDER_REPORT ? order->report
        : order->kind == ORDER_IMPORT ? order->import->report : order->self_handle->report;
    uint32_t district = decide_district(report);
    uint32_t day = calendar_date(rules_calendar(ret->rules, ret->rules->calendar), w->now_ms);
    ret->day_number = store_next_number(w->store, district, day);
}

int world_order(struct world *w, const struct order *order, uint64_t case_id, const uint8_t *command_id,
                PbRefusal *ret_refusal, uint64_t *ret_case) {
    struct case_state before = {0}, after;
    struct decide_input in;
    struct decision decision;
    *ret_refusal = REFUSED_NOTHING;
    int r = case_id ? store_case(w->store, case_id, &before) : 0;
    if (r < 0)
        return r;
    input_for(w, order, &before, &in);
    decide(&in, order, &decision);
    *ret_refusal = decision.refusal;
    if (decision.refusal != REFUSED_NOTHING)
        return 0;
    PbEvent **events = make(w, sizeof(PbEvent *) * DECISION_EVENTS_MAX);
    memcpy(events, decision.events, decision.count * sizeof(PbEvent *));
    PbRecord *record = record_of(w, events, decision.count);
    record_sign(w, record, order, command_id);
    after = before;
    for (uint32_t i = 0; i < decision.count; i++)
        evolve(&after, events[i], record->first_seq + i, w->now_ms);
    SET(record, case_id, after.id);
    SET(record, division, after.division);
    *ret_case = after.id;
    return store_record(w->store, record, &before, &after, &w->room);
}

static PbReport *report_of(struct world *w, const char *category, uint64_t division) {
    PbReport *r = make(w, sizeof *r);
    r->place = make(w, sizeof *r->place);
    SET(r->place, division, division);
    r->category = (char *)category;
    r->external_id = (char *)"12345-2026-0001";
    return r;
}

uint64_t world_report_as(struct world *w, const char *category, uint64_t division, const uint8_t *command_id) {
    static const char said[] = "the lamp in front of number 7 has been dark for three nights";
    uint8_t *sealed = make(w, sizeof said + SEAL_OVERHEAD);
    PbSealed *text = make(w, sizeof *text);
    SET(text, box, ((ProtobufCBinaryData){sizeof said - 1 + SEAL_OVERHEAD, sealed}));
    struct hash unique = hash_of(SLICE("a command"));
    struct key k;
    if (store_slot_key(w->store, store_next_slot(w->store), &k) < 0)
        text = NULL;                              /* a disk that fails: without its text */
    else
        seal(&k, SLICE("text"), &unique, SLICE(said), sealed);
    struct order order = {.kind = ORDER_REPORT, .report = report_of(w, category, division), .text = text};
    PbRefusal refusal;
    uint64_t id = 0;
    assert_int_equal(world_order(w, &order, 0, command_id, &refusal, &id), 0);
    assert_int_equal(refusal, REFUSED_NOTHING);
    return id;
}

uint64_t world_report(struct world *w, const char *category, uint64_t division) {
    return world_report_as(w, category, division, NULL);
}

static int self_handle(struct world *w, const uint8_t *command_id, PbRefusal *ret_refusal, uint64_t *ret_case) {
    PbSelfHandle *h = make(w, sizeof *h);
    h->report = report_of(w, "rubbish", FIXTURE_GRID);
    h->party = (char *)"grid-worker@610402006001001";
    struct order order = {.kind = ORDER_SELF_HANDLE, .self_handle = h};
    return world_order(w, &order, 0, command_id, ret_refusal, ret_case);
}

uint64_t world_self_handle(struct world *w, const uint8_t *command_id) {
    PbRefusal refusal;
    uint64_t id = 0;
    assert_int_equal(self_handle(w, command_id, &refusal, &id), 0);
    assert_int_equal(refusal, REFUSED_NOTHING);
    return id;
}

int world_import(struct world *w, const char *origin, const char *number, uint64_t *ret_case) {
    PbReport *report = report_of(w, "rubbish", FIXTURE_GRID);
    PbImport import = {.report = report, .state = STATE_REPORTED};
    PbRefusal refusal;
    report->external_id = (char *)number;
    SET(&import, opened_at_ms, w->now_ms - 10 * MINUTE_MS);
    w->origin = origin;
    int r = world_order(w, &(struct order){.kind = ORDER_IMPORT, .import = &import}, 0, NULL, &refusal, ret_case);
    w->origin = NULL;
    assert_int_equal(refusal, REFUSED_NOTHING);
    return r;
}

/* ---- dice -------------------------------------------------------------------------------------------------------- */

uint64_t world_roll(struct world *w, uint64_t sides) {
    w->dice ^= w->dice << 13;
    w->dice ^= w->dice >> 7;
    w->dice ^= w->dice << 17;
    return w->dice % sides;
}

static int random_report(struct world *w) {
    static const char *const categories[] = {"lamp", "rubbish", "stall"};
    static const uint64_t places[] = {
        FIXTURE_GRID, FIXTURE_GRID2, 610402006002001, 610402006002002, FIXTURE_COMMUNITY, FIXTURE_STREET,
    };
    PbRefusal refusal;
    uint64_t id, place = places[world_roll(w, COUNT_OF(places))];
    if (world_roll(w, 4) == 0)
        return self_handle(w, NULL, &refusal, &id);
    PbReport *report = report_of(w, categories[world_roll(w, COUNT_OF(categories))], place);
    if (world_roll(w, 2))
        SET(report, occurred_at_ms, w->now_ms - (int64_t)world_roll(w, 1000000));
    struct order order = {.kind = ORDER_REPORT, .report = report};
    return world_order(w, &order, 0, NULL, &refusal, &id);
}

static int random_desk(struct world *w, const struct case_state *c) {
    const PbRules *rules = world_rules(w, c->rules);
    PbRefusal refusal;
    uint64_t id;
    if (world_roll(w, 8) == 0) {
        struct order order = {.kind = ORDER_OFFER_FAILED};
        order.offer_failed.stage = c->stage, order.offer_failed.attempt = c->attempt;
        order.offer_failed.tries = c->offer_tries, order.offer_failed.how = OFFER_RETRY;
        order.offer_failed.retry_ms = 1000;
        return world_order(w, &order, c->id, NULL, &refusal, &id);
    }
    PbDispatch *d = make(w, sizeof *d);
    SET(d, case_id, c->id), SET(d, stage, c->stage), SET(d, attempt, c->attempt);
    d->n_parties = 1 + world_roll(w, 3);
    d->parties = make(w, d->n_parties * sizeof *d->parties);
    for (size_t i = 0; i < d->n_parties; i++) {
        d->parties[i] = make(w, sizeof *d->parties[i]);
        d->parties[i]->party = rules->parties[world_roll(w, rules->n_parties)]->party;
    }
    struct order order = {.kind = ORDER_DISPATCH, .dispatch = d};
    return world_order(w, &order, c->id, NULL, &refusal, &id);
}

static int random_answer(struct world *w, const struct case_state *c) {
    static const PbAnswerKind kinds[] = {ANSWER_ACCEPT, ANSWER_ACCEPT, ANSWER_DONE, ANSWER_DONE, ANSWER_DECLINE};
    PbAnswer *a = make(w, sizeof *a);
    PbRefusal refusal;
    uint64_t id;
    const struct ask *asked = &c->asks[world_roll(w, c->asks_count)];
    char *party = make(w, sizeof asked->party);
    memcpy(party, asked->party, sizeof asked->party);
    SET(a, case_id, c->id), SET(a, stage, asked->stage), SET(a, attempt, asked->attempt);
    SET(a, kind, kinds[world_roll(w, COUNT_OF(kinds))]);
    a->party = party;
    struct order order = {.kind = ORDER_ANSWER, .answer = a};
    return world_order(w, &order, c->id, NULL, &refusal, &id);
}

static int first_deadline(struct world *w) {
    struct due_row due;
    PbRefusal refusal;
    uint64_t id;
    int r = store_first_due(w->store, &due);
    if (r == -ENOENT)
        return 0;
    assert_int_equal(r, 0);
    if (due.due_ms > w->now_ms)
        w->now_ms = due.due_ms;
    struct order order = {.kind = ORDER_DEADLINE};
    order.deadline.kind = due.kind;
    r = world_order(w, &order, due.case_id, NULL, &refusal, &id);
    assert_int_equal(refusal, REFUSED_NOTHING);
    return r;
}

int world_random_order(struct world *w) {
    struct case_state c;
    uint64_t id = 0, division = 0;
    uint64_t dice = world_roll(w, 10);
    if (dice < 3)
        return random_report(w);
    if (dice == 3)
        return first_deadline(w);
    if (store_next_open(w->store, 0, FIXTURE_GRID, world_roll(w, store_next_seq(w->store)) + 1, &division, &id) != 0
        && store_next_open(w->store, 0, 0, 0, &division, &id) != 0)
        return random_report(w);
    assert_int_equal(store_case(w->store, id, &c), 0);
    bool desk = c.state == STATE_REPORTED || c.state == STATE_ACCEPTED;
    return desk || c.asks_count == 0 ? random_desk(w, &c) : random_answer(w, &c);
}

void world_random_turns(struct world *w, unsigned turns, unsigned orders) {
    for (unsigned i = 0; i < turns; i++) {
        world_begin(w);
        for (unsigned k = 0; k < orders; k++)
            assert_int_equal(world_random_order(w), 0);
        world_commit(w);
        w->now_ms += (int64_t)world_roll(w, 10) * MINUTE_MS;
    }
}
