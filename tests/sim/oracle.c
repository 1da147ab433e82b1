/* oracle.c: what must hold, kept beside the broker and not believed from it.
 *
 *   O1  nothing is said that is not on disk; a command that was acknowledged is in the journal under the seq that was
 *       told, for ever (P1)
 *   O2  a command is in the journal once; every repeat hears the first answer (P2)
 *   O3  an open case has a running timer; none fires early; none stays due while the broker is well; its time
 *       never goes back (P3)
 *   O4  the broker's row of a case is the row of its events, byte for byte; so is the whole store at the end (P4)
 *   O5  a console hears every record of its prefixes, in order, once, and no other (P5)
 *   O6  seqs have no gap; nothing committed is ever missing after a start; every start is an epoch of its own
 *   O7  a case takes no way that lifecycle.c does not have; its laws hold after every event (case_check)
 *   O8  the broker does not turn round and round with nothing to do (broker.c)
 *   O9  a full disk abandons no turn: only tables without room do (broker.c)
 *   O10 such a turn is begun again at once only for somebody who asks (broker.c) */
#include "daemon/store/rows.h"
#include "tests/sim/sim.h"

#include <stdio.h>
#include <string.h>

enum {
    CASES_MAX = 1 << 15, RECORDS_MAX = 1 << 20, KEYS = 1 << 21, PENDING_MAX = 8192, HEARERS_MAX = 8,
    ROOM_BYTES = 16 << 20, PENDING_BYTES_MAX = 32 << 20,
};
#define STAYS_DUE_NS 30000000000LL

struct heard_of {
    uint64_t first_seq, last_seq, division, routes[ROUTES_MAX], left[ROUTES_MAX];
    unsigned routes_count, left_count;
};
struct key_seq { uint64_t uid, hi, lo, seq, reply; };   /* reply: of what was told first */

static struct shadow *cases;
static unsigned cases_count;
static struct heard_of *records;
static unsigned records_count;
static struct key_seq *keys;                      /* open addressing over (source, command id) */
static struct { uint64_t prefixes[4]; unsigned prefixes_count, next; } consoles[HEARERS_MAX];
static struct { size_t at, len; } pending[PENDING_MAX];
static unsigned pending_count;
static uint8_t *pending_bytes;
static size_t pending_used;
static uint64_t applied, steps, epoch;            /* applied: the last seq known to be on disk */
static int64_t last_ms;                           /* the instant of that record */
static struct arena room;
static struct { struct due_row due; int64_t since_ns; } first_due;

static void prepare(void) {
    if (cases) return;
    cases = sim_memory(CASES_MAX * sizeof *cases);
    records = sim_memory(RECORDS_MAX * sizeof *records);
    keys = sim_memory(KEYS * sizeof *keys);
    pending_bytes = sim_memory(PENDING_BYTES_MAX);
    arena_wrap(&room, sim_memory(ROOM_BYTES), ROOM_BYTES);
}

unsigned oracle_cases(void) {
    return cases_count;
}

struct shadow *oracle_case(unsigned index) {
    CHECK(index < cases_count);
    return &cases[index];
}

uint64_t oracle_on_disk(void) {
    return applied;
}

uint64_t oracle_steps(void) {
    return steps;
}

/* ---- commands, once ---------------------------------------------------------------------------------------------- */

/* The source's number: uid:1000 -> 1000; the broker's own have none and no id. */
static uint64_t source_number(const char *source) {
    struct slice s = slice_of(source), before, after;
    uint64_t n = 0;
    if (slice_cut(s, ':', &before, &after) && parse_u64(after, &n)) return n;
    return slice_equal(s, SLICE("work")) ? 1 : 0;
}

static struct key_seq *find(uint64_t uid, const uint8_t id[16]) {
    uint64_t hi = get_be64(id), lo = get_be64(id + 8), i = (hi * 31 + lo * 17 + uid) % KEYS;
    while (keys[i].seq && (keys[i].uid != uid || keys[i].hi != hi || keys[i].lo != lo)) i = (i + 1) % KEYS;
    keys[i].uid = uid;
    keys[i].hi = hi;
    keys[i].lo = lo;
    return &keys[i];
}

/* The number apart, which names the case that is named. */
static uint64_t digest_of(const PbDone *done) {
    uint8_t told[24];
    put_le64(told, done->seq);
    put_le64(told + 8, done->case_id);
    put_le64(told + 16, (uint64_t)done->at_ms);
    return get_be64(hash_of(slice_from(told, sizeof told)).byte) | 1;
}

void oracle_acknowledged(unsigned uid, const uint8_t id[16], const PbDone *done) {
    struct key_seq *k = find(uid, id);
    sim_count(COUNT_DONE, 1);
    if (k->seq == 0) sim_broken("O1: seq %llu was acknowledged and is not committed", (unsigned long long)done->seq);
    if (k->seq != done->seq || (k->reply && k->reply != digest_of(done)))
        sim_broken("O2: one command, two answers: seq %llu and %llu", (unsigned long long)k->seq,
                   (unsigned long long)done->seq);
    k->reply = digest_of(done);
}

/* ---- records, as they reach the disk ----------------------------------------------------------------------------- */

static struct shadow *shadow_of(uint64_t id) {
    unsigned low = 0, high = cases_count;         /* ids rise */
    while (low < high) {
        unsigned middle = (low + high) / 2;
        if (cases[middle].state.id < id) low = middle + 1;
        else high = middle;
    }
    return low < cases_count && cases[low].state.id == id ? &cases[low] : NULL;
}

/* A result came: its work was offered in that epoch. Of several that come for one case the youngest is believed. */
void oracle_offered_in(uint64_t case_id, uint64_t in_epoch) {
    struct shadow *s = shadow_of(case_id);
    if (s && in_epoch > s->offered_in) s->offered_in = in_epoch;
}

static void check_offer(const struct shadow *s, const PbRecord *r) {
    if (strcmp(r->source, "work") == 0 && r->command_id.len == 16 && s->offered_in < epoch)
        sim_broken("O6: case %llu: a decision was taken of an offer of epoch %llu in epoch %llu",
                   (unsigned long long)r->case_id, (unsigned long long)s->offered_in, (unsigned long long)epoch);
}

static void apply_case(const PbRecord *r) {
    static struct case_state before;
    struct shadow *s = shadow_of(r->case_id);
    if (!s && r->case_id != r->first_seq) sim_broken("O6: a record of a case that never began");
    if (!s) {
        CHECK(cases_count < CASES_MAX);
        s = &cases[cases_count++];
    }
    before = s->state;
    check_offer(s, r);
    for (size_t i = 0; i < r->n_events; i++) {
        evolve(&s->state, r->events[i], r->first_seq + i, r->at_ms);     /* O7: it checks */
        sometimes_event(r->events[i]);
        uint8_t *seen = &s->seen[r->events[i]->event_case];
        *seen = (uint8_t)(*seen + (*seen < UINT8_MAX));
        steps++;
    }
    case_check(&s->state);
    judge(&before, s, r);
}

/* Leases of an earlier life are known by its epoch. */
static void apply_own(const PbRecord *r) {
    for (size_t i = 0; i < r->n_events; i++) {
        const PbEvent *e = r->events[i];
        if (e->event_case != EVENT_EPOCH_BEGUN) continue;
        if (e->epoch_begun->epoch <= epoch)
            sim_broken("O6: epoch %llu begins again", (unsigned long long)e->epoch_begun->epoch);
        epoch = e->epoch_begun->epoch;
    }
}

static void apply(const PbRecord *r) {
    if (r->first_seq != applied + 1)
        sim_broken("O6: seq %llu follows %llu", (unsigned long long)r->first_seq, (unsigned long long)applied);
    applied = r->first_seq + r->n_events - 1;
    if (r->at_ms < last_ms) sim_broken("O3: time went back at seq %llu", (unsigned long long)r->first_seq);
    last_ms = r->at_ms;
    if (r->command_id.len == 16) {
        struct key_seq *k = find(source_number(r->source), r->command_id.data);
        if (k->seq)
            sim_broken("O2: a command counted twice: seq %llu and %llu", (unsigned long long)k->seq,
                       (unsigned long long)applied);
        k->seq = applied;
    }
    if (!r->case_id) return apply_own(r);
    CHECK(records_count < RECORDS_MAX);
    struct heard_of *h = &records[records_count++];
    *h = (struct heard_of){.first_seq = r->first_seq, .last_seq = applied, .division = r->division,
                           .routes_count = (unsigned)r->n_routes, .left_count = (unsigned)r->n_left};
    CHECK(r->n_routes <= ROUTES_MAX && r->n_left <= ROUTES_MAX);
    for (size_t i = 0; i < r->n_routes; i++) h->routes[i] = r->routes[i];
    for (size_t i = 0; i < r->n_left; i++) h->left[i] = r->left[i];
    apply_case(r);
}

static void apply_bytes(struct slice bytes) {
    PbRecord *r = NULL;
    arena_reset(&room);
    sim_history(bytes.at, bytes.len);
    if (codec_unpack_own(CODEC_RECORD, bytes, &room, &r) < 0) sim_broken("O6: a record cannot be read");
    apply(r);
}

void oracle_recorded(const PbRecord *record) {
    prepare();
    size_t len = codec_size(CODEC_RECORD, record);
    CHECK(pending_count < PENDING_MAX && pending_used + len <= PENDING_BYTES_MAX);
    codec_pack(CODEC_RECORD, record, pending_bytes + pending_used);
    pending[pending_count].at = pending_used;
    pending[pending_count++].len = len;
    pending_used += len;
}

void oracle_committed(void) {
    for (unsigned i = 0; i < pending_count; i++)
        apply_bytes(slice_from(pending_bytes + pending[i].at, pending[i].len));
    oracle_abandoned();
}

void oracle_abandoned(void) {
    pending_count = 0;
    pending_used = 0;
}

/* The last batch may be there without ever having been told; nothing that was committed may be gone. */
void oracle_recovered(struct store *s) {
    prepare();
    uint64_t durable = store_durable_seq(s);
    if (durable < applied)
        sim_broken("O1: the journal ends at seq %llu; %llu was committed", (unsigned long long)durable,
                   (unsigned long long)applied);
    while (applied < durable) {
        struct slice bytes;
        if (store_read(s, applied + 1, &bytes) < 0)
            sim_broken("O6: seq %llu cannot be read", (unsigned long long)applied + 1);
        apply_bytes(bytes);
        sometimes("journal.more_than_was_told");
    }
}

/* ---- after every pass -------------------------------------------------------------------------------------------- */

static void compare(struct store *s, const struct shadow *c) {
    static struct case_state theirs;
    uint8_t a[DB_VALUE_MAX], b[DB_VALUE_MAX];
    int r = store_case(s, c->state.id, &theirs);
    if (r < 0) sim_broken("O4: case %llu cannot be read: %d", (unsigned long long)c->state.id, r);
    size_t len = row_of_case(&c->state, a);
    if (row_of_case(&theirs, b) != len || memcmp(a, b, len) != 0)
        sim_broken("O4: case %llu is not what its events say", (unsigned long long)c->state.id);
}

static void check_due(struct store *s, int64_t now_ms, bool healthy) {
    struct due_row due;
    bool is_due = store_first_due(s, &due) == 0 && due.due_ms <= now_ms;
    bool same = is_due && due.case_id == first_due.due.case_id && due.due_ms == first_due.due.due_ms &&
                due.kind == first_due.due.kind;
    if (!is_due || !healthy) first_due.since_ns = 0;
    else if (!same || !first_due.since_ns) first_due.due = due, first_due.since_ns = sim_now_ns();
    else if (sim_now_ns() - first_due.since_ns > STAYS_DUE_NS && broker_passes() % 64 > 8)
        sim_broken("O3: case %llu is due and stays so", (unsigned long long)due.case_id);
}

void oracle_passed(struct store *s, int64_t now_ms, bool healthy) {
    check_due(s, now_ms, healthy);
    if (cases_count == 0 || broker_passes() % 16) return;
    for (unsigned i = 0; i < 4; i++) compare(s, &cases[sim_roll(SIM_BROKER, cases_count)]);
}

/* ---- consoles ---------------------------------------------------------------------------------------------------- */

static bool covers(unsigned console, uint64_t division) {
    for (unsigned p = 0; p < consoles[console].prefixes_count; p++)
        if (division_covers(consoles[console].prefixes[p], division)) return true;
    return false;
}

/* Where the case is, was until now, or whom it asks. */
static bool concerns(unsigned console, const struct heard_of *h) {
    bool any = covers(console, h->division);
    for (unsigned i = 0; i < h->routes_count; i++) any |= covers(console, h->routes[i]);
    for (unsigned i = 0; i < h->left_count; i++) any |= covers(console, h->left[i]);
    return any;
}

void oracle_console_is(unsigned console, const uint64_t *prefixes, unsigned count) {
    CHECK(console < HEARERS_MAX && count <= COUNT_OF(consoles[0].prefixes));
    memcpy(consoles[console].prefixes, prefixes, count * sizeof *prefixes);
    consoles[console].prefixes_count = count;
}

static void skip_what_does_not_concern(unsigned console) {
    unsigned *next = &consoles[console].next;
    while (*next < records_count && !concerns(console, &records[*next])) ++*next;
}

void oracle_heard(unsigned console, const PbUpdate *update, uint64_t seq) {
    skip_what_does_not_concern(console);
    unsigned next = consoles[console].next;
    if (next == records_count)
        sim_broken("O5: console %u hears of seq %llu, which is not on disk or not its own", console,
                   (unsigned long long)update->first_seq);
    const struct heard_of *h = &records[next];
    if (update->first_seq != h->first_seq || seq != h->last_seq)
        sim_broken("O5: console %u hears of seq %llu where %llu is next", console,
                   (unsigned long long)update->first_seq, (unsigned long long)h->first_seq);
    consoles[console].next++;
}

/* ---- at the end -------------------------------------------------------------------------------------------------- */

bool oracle_consoles_know_all(void) {
    for (unsigned c = 0; c < HEARERS_MAX; c++) {
        if (!consoles[c].prefixes_count) continue;
        skip_what_does_not_concern(c);
        if (consoles[c].next < records_count) return false;
    }
    return true;
}

void oracle_end(struct store *s) {
    for (unsigned i = 0; i < cases_count; i++) compare(s, &cases[i]);
}
