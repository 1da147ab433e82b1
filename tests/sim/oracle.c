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
 *   O10 such a turn is begun again at once only for somebody who asks (broker.c)
 *   K3  when all is lost and the newest backup is served, everything up to its seq is there, byte for byte, under the
 *       seq that was told; and nothing behind it is claimed: what is asked for again counts as if it never had
 *   K4  its epoch is above every epoch that anybody has seen
 *   K5  a console that has heard what is lost is told so before it hears more; then it is given every open case of its
 *       prefixes as it is, and hears on from there. Any other is told nothing of the kind */
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
struct key_seq { uint64_t uid, hi, lo, seq, reply; };   /* reply: of what was told first. seq LOST: is no more */
struct written { uint64_t last_seq, digest; };    /* a record */
#define LOST UINT64_MAX

static struct shadow *cases;
static unsigned cases_count;
static struct heard_of *records;
static unsigned records_count;
static struct key_seq *keys;                      /* open addressing over (source, command id) */
static struct {
    uint64_t prefixes[4];
    unsigned prefixes_count, next;
    uint64_t told;                                /* the last seq that it knows of */
    uint64_t true_until;                          /* of what it knows, when some of it is lost; LOST: nothing is */
    bool anew;                                    /* it was told so; until it knows all again */
    uint64_t *known;                              /* meanwhile: the last seq of each case */
} consoles[HEARERS_MAX];
static struct { size_t at, len; } pending[PENDING_MAX];
static unsigned pending_count;
static uint8_t *pending_bytes;
static size_t pending_used;
static uint64_t applied, steps, epoch;            /* applied: the last seq known to be on disk */
static struct written *written;                   /* all records, in order */
static unsigned written_count, read_again;
static uint64_t kept_until, highest_epoch;        /* kept_until: of the last loss; up to there all is read again */
static int64_t last_ms;                           /* the instant of that record */
static struct arena room;
static struct { struct due_row due; int64_t since_ns; } first_due;

static void prepare(void) {
    if (cases) return;
    cases = sim_memory(CASES_MAX * sizeof *cases);
    records = sim_memory(RECORDS_MAX * sizeof *records);
    keys = sim_memory(KEYS * sizeof *keys);
    written = sim_memory(RECORDS_MAX * sizeof *written);
    for (unsigned i = 0; i < HEARERS_MAX; i++) {
        consoles[i].known = sim_memory(CASES_MAX * sizeof *consoles[i].known);
        consoles[i].true_until = LOST;
    }
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
    if (k->seq == 0 || k->seq == LOST)
        sim_broken("O1: seq %llu was acknowledged and is not committed", (unsigned long long)done->seq);
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

/* It is the store that came back, up to where it was lost. */
static bool again(void) {
    return applied <= kept_until;
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
    if (!again()) check_offer(s, r);
    for (size_t i = 0; i < r->n_events; i++) {
        evolve(&s->state, r->events[i], r->first_seq + i, r->at_ms);     /* O7: it checks */
        counts_happened(s, r->events[i], applied, r->at_ms);
        if (again()) continue;
        sometimes_event(r->events[i]);
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
        if (!again() && epoch <= highest_epoch)
            sim_broken("K4: epoch %llu begins again after a loss", (unsigned long long)epoch);
        highest_epoch = epoch > highest_epoch ? epoch : highest_epoch;
    }
}

static void note_command(const PbRecord *r) {
    struct key_seq *k = find(source_number(r->source), r->command_id.data);
    if (again() ? k->seq != applied : k->seq && k->seq != LOST)
        sim_broken("%s: a command counted twice: seq %llu and %llu", again() ? "K3" : "O2", (unsigned long long)k->seq,
                   (unsigned long long)applied);
    k->seq = applied;
}

static void apply(const PbRecord *r) {
    if (r->first_seq != applied + 1)
        sim_broken("O6: seq %llu follows %llu", (unsigned long long)r->first_seq, (unsigned long long)applied);
    applied = r->first_seq + r->n_events - 1;
    if (r->at_ms < last_ms) sim_broken("O3: time went back at seq %llu", (unsigned long long)r->first_seq);
    last_ms = r->at_ms;
    if (r->command_id.len == 16) note_command(r);
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

/* Each record, as it was written: those that are read again are the same. */
static void note_written(uint64_t last_seq, struct slice bytes) {
    uint64_t digest = get_be64(hash_of(bytes).byte);
    if (last_seq > kept_until) {
        CHECK(written_count < RECORDS_MAX);
        written[written_count++] = (struct written){last_seq, digest};
        return;
    }
    const struct written *was = &written[read_again++];
    if (was->last_seq != last_seq || was->digest != digest)
        sim_broken("K3: seq %llu of the store that came back is not what was committed", (unsigned long long)last_seq);
}

static void apply_bytes(struct slice bytes) {
    PbRecord *r = NULL;
    arena_reset(&room);
    sim_history(bytes.at, bytes.len);
    if (codec_unpack_own(CODEC_RECORD, bytes, &room, &r) < 0) sim_broken("O6: a record cannot be read");
    note_written(r->first_seq + r->n_events - 1, bytes);
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
    if (applied < kept_until && durable != kept_until)
        sim_broken("K3: the store that came back reaches to seq %llu, and the backup did to %llu",
                   (unsigned long long)durable, (unsigned long long)kept_until);
    if (durable < applied)
        sim_broken("O1: the journal ends at seq %llu; %llu was committed", (unsigned long long)durable,
                   (unsigned long long)applied);
    while (applied < durable) {
        struct slice bytes;
        if (store_read(s, applied + 1, &bytes) < 0)
            sim_broken("O6: seq %llu cannot be read", (unsigned long long)applied + 1);
        apply_bytes(bytes);
        if (!again()) sometimes("journal.more_than_was_told");
    }
}

/* ---- when all is lost -------------------------------------------------------------------------------------------- */

static void forget_commands(uint64_t behind) {
    for (size_t i = 0; i < KEYS; i++)
        if (keys[i].seq > behind) keys[i].seq = LOST, keys[i].reply = 0;
}

/* Who knows of what is lost will be told; the others hear on from where they are. */
static void lose_hearers(uint64_t seq) {
    unsigned kept = records_count;
    while (kept && records[kept - 1].last_seq > seq) kept--;
    for (unsigned i = 0; i < HEARERS_MAX; i++) {
        if (consoles[i].next > kept) consoles[i].next = kept;
        if (consoles[i].told > seq && seq < consoles[i].true_until) consoles[i].true_until = seq;
        for (unsigned c = 0; consoles[i].anew && c < cases_count; c++)
            if (consoles[i].known[c] > seq) consoles[i].known[c] = 0;
    }
}

/* The store that comes back is read from its beginning: cases are what they were then. */
void oracle_lost(uint64_t seq) {
    if (applied < kept_until) return;             /* lost again before it was read: the same comes back */
    while (written_count && written[written_count - 1].last_seq > seq) written_count--;
    if (!written_count || written[written_count - 1].last_seq != seq)
        sim_broken("K3: a backup ends at seq %llu, within what was one record", (unsigned long long)seq);
    forget_commands(seq);
    lose_hearers(seq);
    counts_forget();
    memset(cases, 0, cases_count * sizeof *cases);
    cases_count = records_count = read_again = 0;
    applied = epoch = 0;
    last_ms = first_due.since_ns = 0;
    kept_until = seq;
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

static void know_nothing(unsigned console) {
    memset(consoles[console].known, 0, CASES_MAX * sizeof *consoles[console].known);
}

void oracle_console_is(unsigned console, const uint64_t *prefixes, unsigned count, uint64_t from_seq) {
    prepare();
    CHECK(console < HEARERS_MAX && count <= COUNT_OF(consoles[0].prefixes));
    consoles[console].told = from_seq;
    if (from_seq <= consoles[console].true_until) consoles[console].true_until = LOST;
    know_nothing(console);
    memcpy(consoles[console].prefixes, prefixes, count * sizeof *prefixes);
    consoles[console].prefixes_count = count;
}

static void skip_what_does_not_concern(unsigned console) {
    unsigned *next = &consoles[console].next;
    while (*next < records_count && !concerns(console, &records[*next])) ++*next;
}

static void hears(unsigned console, uint64_t seq) {
    if (consoles[console].true_until != LOST)
        sim_broken("K5: console %u hears of seq %llu, and what it knew behind seq %llu is lost", console,
                   (unsigned long long)seq, (unsigned long long)consoles[console].true_until);
    if (seq > consoles[console].told) consoles[console].told = seq;
}

static void note_known(unsigned console, uint64_t case_id, uint64_t seq) {
    const struct shadow *s = shadow_of(case_id);
    if (!s || seq > applied)
        sim_broken("K5: console %u is told of case %llu at seq %llu, and there is none", console,
                   (unsigned long long)case_id, (unsigned long long)seq);
    uint64_t *known = &consoles[console].known[s - cases];
    if (seq > *known) *known = seq;
}

void oracle_other_past(unsigned console) {
    if (consoles[console].true_until == LOST) sim_broken("O5: console %u knows more than the journal", console);
    sometimes("console.other_past");
    consoles[console].true_until = LOST;
    consoles[console].anew = true;
    consoles[console].told = 0;
    know_nothing(console);
}

void oracle_row(unsigned console, uint64_t case_id, uint64_t seq) {
    if (!consoles[console].anew) sim_broken("K5: console %u is given a snapshot, and had a past", console);
    hears(console, 0);
    note_known(console, case_id, seq);
}

/* Everything up to there has been told. */
void oracle_live(unsigned console, uint64_t seq) {
    hears(console, seq);
    if (!consoles[console].anew) return;
    for (unsigned i = 0; i < cases_count; i++) {
        const struct case_state *c = &cases[i].state;
        if (case_open(c) && c->last_seq <= seq && covers(console, c->division) &&
            consoles[console].known[i] != c->last_seq)
            sim_broken("K5: console %u began anew, and knows case %llu as of seq %llu, not %llu", console,
                       (unsigned long long)c->id, (unsigned long long)consoles[console].known[i],
                       (unsigned long long)c->last_seq);
    }
    unsigned *next = &consoles[console].next;
    for (*next = records_count; *next && records[*next - 1].last_seq > seq;) --*next;
    consoles[console].anew = false;
    sometimes("console.snapshot");
}

void oracle_heard(unsigned console, const PbUpdate *update, uint64_t seq) {
    hears(console, seq);
    if (consoles[console].anew) return note_known(console, update->case_id, seq);
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
        if (consoles[c].anew || consoles[c].true_until != LOST) return false;
        skip_what_does_not_concern(c);
        if (consoles[c].next < records_count) return false;
    }
    return true;
}

void oracle_end(struct store *s) {
    for (unsigned i = 0; i < cases_count; i++) compare(s, &cases[i]);
}
