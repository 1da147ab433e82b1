#include "tests/crash/life.h"

#include "daemon/store/backup_internal.h"

#define DAY_MS 86400000LL

enum { ROOM_BYTES = 8 << 20 };

/* Tables are looked at here, not in a child, which takes as long as all the rest of an image: no power cut damages a
 * tree, and if one did, the worker's end would tell. */
int child_begin(struct child *ret, int (*work)(const void *with), const void *with) {
    ret->pid = work(with);
    return 0;
}

int child_end(struct child *c) {
    return c->pid;
}

/* ---- what is said ------------------------------------------------------------------------------------------------ */

static struct said *say(struct life *l) {
    assert_true(l->said_count < LIFE_SAID_MAX);
    struct said *s = &l->said[l->said_count++];
    *s = l->said_count > 1 ? s[-1] : (struct said){0};
    s->at = l->tape.count;
    return s;
}

struct said life_said(const struct life *l, size_t at) {
    struct said last = {0};
    for (size_t i = 0; i < l->said_count && l->said[i].at <= at; i++)
        last = l->said[i];
    return last;
}

static void enter(struct life *l, enum life_phase phase) {
    assert_true(l->phases < LIFE_PHASES_MAX);
    l->entered[l->phases].at = l->tape.count;
    l->entered[l->phases++].phase = phase;
}

enum life_phase life_phase(const struct life *l, size_t at) {
    size_t i = l->phases;
    while (i > 1 && l->entered[i - 1].at > at)
        i--;
    return l->entered[i - 1].phase;
}

static void remember_records(struct life *l, struct store *s, uint64_t from) {
    struct journal_cursor *c = NULL;
    struct slice bytes;
    uint64_t first;
    uint32_t seqs;
    assert_int_equal(journal_cursor_open(&c, store_journal(s), from), 0);
    while (journal_next(c, &first, &seqs, &bytes) == 1) {
        assert_true(l->records < LIFE_RECORDS_MAX);
        l->record[l->records].first_seq = first;
        l->record[l->records++].bytes = hash_of(bytes);
    }
    journal_cursor_close(c);
}

static struct hash key_of(struct store *s, uint64_t slot, int *ret) {
    struct key k = {0};
    *ret = store_slot_key(s, slot, &k);
    return hash_of(slice_from(k.byte, KEY_SIZE));
}

/* A turn has been committed: from now on all of it counts. */
static void committed(struct life *l, struct store *s) {
    struct said *said = say(l);
    uint64_t from = said->seq + 1, at;
    int r;
    said->seq = store_durable_seq(s);
    said->slots = store_next_slot(s);
    if (said->seq < from)
        return;
    assert_int_equal(store_digest(s, &l->state[l->states].digest, &at), 0);
    assert_int_equal(at, said->seq);
    l->state[l->states++].seq = at;
    remember_records(l, s, from);
    for (; l->slots < said->slots; l->slots++) {
        assert_true(l->slots < LIFE_SLOTS_MAX);
        l->key[l->slots] = key_of(s, l->slots, &r);
        assert_int_equal(r, 0);
    }
}

/* ---- a life ------------------------------------------------------------------------------------------------------ */

static void world_at(struct world *w, const char *root, uint64_t seed) {
    static uint8_t room[ROOM_BYTES];
    *w = (struct world){.dice = seed * 0x9e3779b97f4a7c15 | 1, .now_ms = FIXTURE_MONDAY_MS - 2 * 364 * DAY_MS};
    (void)snprintf(w->dir, sizeof w->dir, "%s/store", root);
    w->options = (struct store_options){
        .dir = w->dir, .segment_bytes = JOURNAL_SEGMENT_BYTES_MIN, .segments_ahead = 2, .map_bytes = 64 << 20,
        .slots_ahead = 16, .checkpoint_bytes_journal = 64 << 20, .checkpoint_changes = 16384,
        .checkpoint_idle_ms = 200, .checkpoint_age_ms = 10000, .store_max_bytes = 16 << 20,
    };
    arena_wrap(&w->room, room, sizeof room);
}

static void turns(struct life *l, struct world *w, unsigned count) {
    enter(l, PHASE_TURNS);
    for (unsigned i = 0; i < count; i++) {
        world_begin(w);
        for (uint64_t k = world_roll(w, 3) + 1; k > 0; k--)
            assert_int_equal(world_random_order(w), 0);
        world_commit(w);
        committed(l, w->store);
        w->now_ms += (int64_t)world_roll(w, 10) * 60000;
    }
}

static void rest(struct world *w) {
    int64_t now = clock_mono_ns() / 1000000 + 1000;
    for (unsigned i = 0; i < 4; i++)
        assert_true(store_rest(w->store, now + i, w->now_ms, true) >= 0);
}

static void checkpoint(struct life *l, struct world *w) {
    enter(l, PHASE_CHECKPOINT);
    rest(w);
}

static void handle_and_forget(struct life *l, struct world *w) {
    world_begin(w);
    (void)world_self_handle(w, NULL);
    world_commit(w);
    committed(l, w->store);
}

static void turn_over(struct life *l, struct world *w) {
    enter(l, PHASE_ROTATION);
    while (store_prepare(w->store, 256 << 10) == 1)
        continue;
    assert_int_equal(journal_turn_over(store_journal(w->store)), 0);
    handle_and_forget(l, w);
}

static void sleep_over(struct life *l, struct world *w) {
    enter(l, PHASE_RESTART);
    world_close(w);
    world_open(w);
    world_epoch(w, store_epoch(w->store) + 1);
    committed(l, w->store);
}

/* Receipts older than thirty days go. */
static void expire(struct life *l, struct world *w) {
    struct receipts_round round = {.horizon_ms = w->now_ms - 30 * DAY_MS};
    PbReceiptsExpired expired;
    PbEvent event = {.event_case = EVENT_RECEIPTS_EXPIRED, .receipts_expired = &expired}, *events = &event;
    world_begin(w);
    assert_true(store_receipts_look(w->store, &round, 512, &expired) > 0);
    assert_int_equal(world_events(w, &events, 1), 0);
    world_commit(w);
    committed(l, w->store);
}

/* The event first; when it is on disk the key goes. */
static void archive(struct life *l, struct world *w) {
    struct order order = {.kind = ORDER_ARCHIVE, .archive.ended_before_ms = w->now_ms - 30 * DAY_MS};
    struct case_state c;
    PbRefusal refusal;
    uint64_t cursor = 0, id = 0;
    while (store_next_ended(w->store, &cursor, w->now_ms - 30 * DAY_MS, 256, &id) == 1) {
        assert_int_equal(store_case(w->store, id, &c), 0);
        world_begin(w);
        assert_int_equal(world_order(w, &order, id, NULL, &refusal, &id), 0);
        assert_int_equal(refusal, REFUSED_NOTHING);
        world_commit(w);
        committed(l, w->store);
        l->erased[l->erased_count++] = c.slot;
        assert_int_equal(store_wipe_slot(w->store, c.slot), 0);
        say(l)->erased = l->erased_count;
    }
    assert_true(l->erased_count > 0);
}

static void grow_old(struct life *l, struct world *w) {
    enter(l, PHASE_ERASURE);
    w->now_ms += 40 * DAY_MS;
    expire(l, w);
    archive(l, w);
}

static void purge(struct life *l, struct world *w, const char *scratch) {
    struct purge_result result;
    w->now_ms += 400 * DAY_MS;
    turn_over(l, w);
    enter(l, PHASE_PURGE);
    world_close(w);
    const struct purge_options o = {.before_ms = w->now_ms - 200 * DAY_MS, .open_too = true};
    int r = store_purge(&w->options, scratch, &o, &result, NULL, NULL);
    if (r < 0)
        print_message("purge: %d %s\n", r, result.problem);
    assert_int_equal(r, 0);
    assert_true(result.segments_gone > 0);
    world_open(w);
}

/* What an operator of a full disk does; the broker makes it good. */
static void give_and_take(struct life *l, struct world *w) {
    struct ballast_given given;
    enter(l, PHASE_BALLAST);
    assert_int_equal(store_ballast_give(w->dir, &given), 0);
    checkpoint(l, w);
    enter(l, PHASE_BALLAST);
    assert_int_equal(store_ballast(w->store), 1);
}

static void adopt(struct life *l, struct world *w, uint32_t number) {
    enter(l, PHASE_RULES);
    world_adopt(w, number, 1900);
    committed(l, w->store);
}

void life_live(struct life *l, const char *root, const char *scratch, uint64_t seed) {
    struct world w;
    char problem[400];
    memset(l, 0, sizeof *l);
    world_at(&w, root, seed);
    tape_start(&l->tape, root);
    enter(l, PHASE_CREATION);
    assert_int_equal(store_create(&w.options, problem), 0);
    say(l)->created = true;
    enter(l, PHASE_RESTART);
    world_open(&w);
    world_epoch(&w, 1);
    committed(l, w.store);
    adopt(l, &w, 1);
    checkpoint(l, &w);
    turns(l, &w, 2 + (unsigned)world_roll(&w, 3));
    handle_and_forget(l, &w);
    checkpoint(l, &w);
    turns(l, &w, (unsigned)world_roll(&w, 3));
    turn_over(l, &w);
    assert_int_equal(store_checkpoint(w.store), 0);
    turns(l, &w, 1 + (unsigned)world_roll(&w, 3));
    give_and_take(l, &w);
    sleep_over(l, &w);
    turns(l, &w, 1 + (unsigned)world_roll(&w, 2));
    adopt(l, &w, 2);
    turns(l, &w, 1);
    grow_old(l, &w);
    checkpoint(l, &w);
    turns(l, &w, 1);
    purge(l, &w, scratch);
    turns(l, &w, 2);
    checkpoint(l, &w);
    world_close(&w);
    l->now_ms = w.now_ms;
    tape_stop();
}

void life_free(struct life *l) {
    tape_free(&l->tape);
}

/* ---- the judge --------------------------------------------------------------------------------------------------- */

static char words[600];

static const char *bad(const char *what, uint64_t here, uint64_t there) {
    (void)snprintf(words, sizeof words, "%s (%llu, %llu)", what, (unsigned long long)here, (unsigned long long)there);
    return words;
}

static const char *judge_state(const struct life *l, struct store *s) {
    struct hash digest;
    uint64_t seq;
    int r = store_digest(s, &digest, &seq);
    if (r < 0)
        return bad("the tables cannot be read", (uint64_t)-r, 0);
    if (seq != store_durable_seq(s))
        return bad("tables and journal differ", seq, store_durable_seq(s));
    for (size_t i = l->states; seq > 0 && i-- > 0;)
        if (l->state[i].seq == seq)
            return hash_equal(&l->state[i].digest, &digest) ? NULL : bad("the tables are not what they were", seq, 0);
    return seq == 0 ? NULL : bad("it ends where no turn did", seq, 0);
}

static const char *judge_records(const struct life *l, struct store *s) {
    struct journal_cursor *c = NULL;
    struct slice bytes;
    uint64_t first = store_first_seq(s), seen = 0;
    uint32_t seqs;
    const char *problem = NULL;
    size_t at = 0;
    if (store_durable_seq(s) == 0)
        return NULL;
    while (at < l->records && l->record[at].first_seq < first)
        at++;
    if (journal_cursor_open(&c, store_journal(s), first) < 0)
        return bad("the journal cannot be read", first, 0);
    for (int r; !problem && (r = journal_next(c, &first, &seqs, &bytes)) != 0; seen = first + seqs - 1, at++) {
        struct hash h = hash_of(r == 1 ? bytes : SLICE(""));
        if (r < 0 || at >= l->records || l->record[at].first_seq != first || !hash_equal(&l->record[at].bytes, &h))
            problem = bad("a record is not what it was", first, (uint64_t)at);
    }
    journal_cursor_close(c);
    return problem ? problem : seen == store_durable_seq(s) ? NULL : bad("records are missing", seen, 0);
}

static const char *judge_slots(const struct life *l, const struct said *must_hold, struct store *s) {
    for (uint64_t slot = 0; slot < must_hold->slots; slot++) {
        int r;
        struct hash h = key_of(s, slot, &r);
        bool gone = false, may_go = false;
        for (size_t i = 0; i < l->erased_count; i++) {
            may_go |= l->erased[i] == slot;
            gone |= l->erased[i] == slot && i < must_hold->erased;
        }
        if (gone && r != -ENODATA)
            return bad("erased text can be read again", slot, 0);
        if (r == -ENODATA ? !may_go : r != 0 || !hash_equal(&h, &l->key[slot]))
            return bad("a key of sealed text is lost", slot, (uint64_t)-r);
    }
    return NULL;
}

static const char *judge_open(struct life *l, const struct said *must_hold, struct world *w) {
    int r = world_try(w);
    if (r < 0 && must_hold->created) {
        (void)snprintf(words, sizeof words, "it does not open: %d %s: %s", r, w->found.decision, w->found.problem);
        return words;
    }
    if (r < 0) {
        char problem[400];
        r = store_create(&w->options, problem);
        if (r == 0)
            r = world_try(w);
        return r < 0 ? bad("what a creation left is in the way of the next", (uint64_t)-r, 0) : NULL;
    }
    if (store_durable_seq(w->store) < must_hold->seq)
        return bad("acknowledged commands are missing", store_durable_seq(w->store), must_hold->seq);
    const char *problem = judge_state(l, w->store);
    if (!problem)
        problem = judge_records(l, w->store);
    return problem ? problem : judge_slots(l, must_hold, w->store);
}

/* What was not acknowledged and is not there now never was. What is there is served from now on, and so counts. */
static void forget_what_was_lost(struct life *then, struct world *w) {
    struct said *said = say(then);
    said->created = true;
    said->seq = store_durable_seq(w->store);
    while (then->states && then->state[then->states - 1].seq > said->seq)
        then->states--;
    while (then->records && then->record[then->records - 1].first_seq > said->seq)
        then->records--;
    then->slots = said->slots;
}

/* What it goes on with, as if nothing had been. */
static void go_on(struct life *then, struct world *w) {
    world_epoch(w, store_epoch(w->store) + 1);
    committed(then, w->store);
    if (store_rules_number(w->store)) {
        world_begin(w);
        (void)world_report(w, "lamp", FIXTURE_GRID);
        world_commit(w);
        committed(then, w->store);
    }
    rest(w);
    world_close(w);
}

static const char *judge_again(struct world *w, const struct hash *digest, const char *scratch, bool twice) {
    struct verify_result v;
    int r = store_verify(&w->options, scratch, &v, NULL, NULL);
    if (r < 0 || !v.equal) {
        (void)snprintf(words, sizeof words, "it does not verify: %d %s", r, v.problem);
        return words;
    }
    if (!hash_equal(&v.state_digest, digest))
        return bad("the journal folds to something else", v.seq, 0);
    if (!twice)
        return NULL;
    r = world_try(w);
    if (r < 0 || strcmp(w->found.decision, "serve") != 0) {
        (void)snprintf(words, sizeof words, "it does not open again: %d %s: %s", r, w->found.decision,
                       w->found.problem);
        return words;
    }
    struct hash now = world_digest(w);
    world_close(w);
    return hash_equal(&now, digest) ? NULL : bad("it is another one when it opens again", 0, 0);
}

const char *life_judge(struct life *l, const struct said *must_hold, const char *root, const char *scratch,
                       struct life *then, const struct disk *image, bool twice) {
    struct world w;
    world_at(&w, root, 77);
    w.ids = (uint64_t)1 << 40;
    *then = *l;
    tape_start(&then->tape, root);
    disk_write(image, root, &then->tape);
    then->said_count = 1;
    then->said[0] = *must_hold;
    then->said[0].at = 0;
    const char *problem = judge_open(l, must_hold, &w);
    if (!problem) {
        int64_t last = store_last_ms(w.store);
        w.now_ms = last > w.now_ms ? last : w.now_ms;
        forget_what_was_lost(then, &w);
        go_on(then, &w);
    }
    tape_stop();
    if (problem) {
        store_close(w.store);
        return problem;
    }
    return judge_again(&w, &then->state[then->states - 1].digest, scratch, twice);
}
