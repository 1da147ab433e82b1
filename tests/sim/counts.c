/* counts.c: the office's returns, made as whistlectl makes them, held against what was counted here event by event.
 *
 *   R1  of all cases that are no exercise and not void, each kind of event is counted as often as it happened
 *   R2  so it is of drawn days and months, as of any seq, under any prefix: what happened in that time, to cases that
 *       lie there; and of those that stood open or held when it was over
 *   R3  the categories add up to the whole */
#include "ctl/returns_internal.h"
#include "tests/sim/sim.h"
#include "tests/unit/rules_fixture.h"

#include <string.h>

enum { HAPPENED_MAX = 1 << 20, ROOM_BYTES = 8 << 20, PERIODS = 12 };
#define DAY_MS 86400000LL
#define ZONE_MS (8 * 3600000LL)                   /* the fixture's office */

/* One event, and how it left its case. `seq`: the last of its record; at: when it was in the world, elsewhere for an
 * import. */
struct happened {
    const struct shadow *of;
    int64_t at_ms;
    uint64_t seq, division;
    uint8_t event, state;
    bool open;
};
static struct happened *happened;
static unsigned happened_count;

/* What both count. SELF_HANDLED and IMPORTED begin a case, as REPORTED does. */
static const struct { enum tick tick; PbEvent__EventCase event; const char *name; } counted[] = {
    {TICK_SELF_HANDLED, EVENT_SELF_HANDLED, "self-handled"}, {TICK_MERGED, EVENT_MERGED, "merged"},
    {TICK_WITHDRAWN, EVENT_WITHDRAWN, "withdrawn"}, {TICK_APPEALED, EVENT_APPEALED, "appealed"},
    {TICK_RETURNED, EVENT_RETURNED, "returned"}, {TICK_RESOLVED, EVENT_RESOLVED, "resolved"},
    {TICK_REWORK, EVENT_REWORK, "rework"}, {TICK_EXTENSION_ASKED, EVENT_EXTENSION_ASKED, "extension-asked"},
    {TICK_EXTENDED, EVENT_EXTENSION_GRANTED, "extension-granted"},
    {TICK_EXTENSION_REFUSED, EVENT_EXTENSION_REFUSED, "extension-refused"},
    {TICK_SUSPENDED, EVENT_SUSPENDED, "suspended"}, {TICK_CLOSED, EVENT_CLOSED, "closed"},
    {TICK_REOPENED, EVENT_REOPENED, "reopened"}, {TICK_DELEGATED, EVENT_DELEGATED, "delegated"},
    {TICK_TRANSFERRED, EVENT_TRANSFERRED, "transferred"}, {TICK_REMINDED, EVENT_REMINDED, "reminded"},
    {TICK_SUPERVISED, EVENT_SUPERVISED, "supervised"},
};

static int rules_of(void *to, uint32_t number, const PbRules **ret) {
    return store_rules(to, number, ret);
}

/* ---- what happened ----------------------------------------------------------------------------------------------- */

void counts_happened(const struct shadow *s, const PbEvent *e, uint64_t seq, int64_t at_ms) {
    if (!happened) happened = sim_memory(HAPPENED_MAX * sizeof *happened);
    CHECK(happened_count < HAPPENED_MAX);
    happened[happened_count++] = (struct happened){
        .of = s, .at_ms = e->event_case == EVENT_IMPORTED ? e->imported->opened_at_ms : at_ms, .seq = seq,
        .division = s->state.division, .event = (uint8_t)e->event_case, .state = s->state.state,
        .open = case_open(&s->state),
    };
}

void counts_forget(void) {
    happened_count = 0;
}

/* ---- what the office makes of it --------------------------------------------------------------------------------- */

static struct returns *made_of(struct store *s, const struct returns_options *o) {
    struct returns *made = returns_open(o);
    struct journal_cursor *from = NULL;
    struct arena room;
    struct slice bytes;
    uint64_t first;
    uint32_t seqs;
    void *memory = sim_memory(ROOM_BYTES);
    arena_wrap(&room, memory, ROOM_BYTES);
    CHECK(journal_cursor_open(&from, store_journal(s), store_first_seq(s)) == 0);
    while (journal_next(from, &first, &seqs, &bytes) == 1) {
        PbRecord *record = NULL;
        PbUpdate update;
        arena_reset(&room);
        CHECK(codec_unpack_own(CODEC_RECORD, bytes, &room, &record) == 0);
        codec_update_of(record, &update);
        if (record->case_id && returns_take(made, &update) == 0) break;
    }
    journal_cursor_close(from);
    sim_free(memory);
    returns_sum(made);
    return made;
}

/* ---- and what it was --------------------------------------------------------------------------------------------- */

struct asked { int64_t from_ms, end_ms; uint64_t as_of_seq, prefix; };

/* Of one case, as of then. */
struct tally {
    bool known, began, was_void, open, held;
    uint64_t division;
    uint8_t seen[SIM_EVENTS_MAX];
};

static bool begins(unsigned event) {
    return event == EVENT_REPORTED || event == EVENT_SELF_HANDLED || event == EVENT_IMPORTED;
}

static void pass(struct tally *t, const struct happened *h, const struct asked *asked) {
    bool in = h->at_ms >= asked->from_ms && h->at_ms < asked->end_ms;
    t->known = true;
    t->division = h->division;
    t->was_void = h->state == STATE_VOID;
    t->began |= in && begins(h->event);
    t->seen[h->event] = (uint8_t)(t->seen[h->event] + (in && t->seen[h->event] < UINT8_MAX));
    if (h->at_ms >= asked->end_ms) return;
    t->open = h->open;
    t->held = h->state == STATE_SUSPENDED;
}

static void add_up(const struct tally *t, uint64_t sums[static SUMS]) {
    sums[SUM_VOID] += t->was_void && t->began;
    if (t->was_void) return;
    sums[TICK_REPORTED] += t->began;
    sums[SUM_OPEN] += t->open;
    sums[SUM_SUSPENDED_NOW] += t->held;
    for (unsigned k = 0; k < COUNT_OF(counted); k++) sums[counted[k].tick] += t->seen[counted[k].event];
}

static void count(const struct asked *asked, uint64_t sums[static SUMS]) {
    unsigned cases = oracle_cases();
    struct tally *tallies = sim_memory((cases + 1) * sizeof *tallies);
    memset(sums, 0, SUMS * sizeof *sums);
    for (unsigned i = 0; i < happened_count && happened[i].seq <= asked->as_of_seq; i++)
        pass(&tallies[happened[i].of - oracle_case(0)], &happened[i], asked);
    for (unsigned i = 0; i < cases; i++) {
        bool there = tallies[i].known && !oracle_case(i)->state.exercise;
        if (there && (!asked->prefix || division_covers(asked->prefix, tallies[i].division)))
            add_up(&tallies[i], sums);
    }
    sim_free(tallies);
}

/* ---- are they the same? ------------------------------------------------------------------------------------------ */

static void same(const struct row *whole, unsigned sum, uint64_t here, const char *name, const struct asked *asked) {
    if (whole->sum[sum] != here)
        sim_broken("%s: the returns of days %lld to %lld as of seq %llu under %llu count %llu %s, and it was %llu",
                   asked->as_of_seq == UINT64_MAX && !asked->prefix ? "R1" : "R2",
                   (long long)((asked->from_ms + ZONE_MS) / DAY_MS), (long long)((asked->end_ms + ZONE_MS) / DAY_MS),
                   (unsigned long long)asked->as_of_seq, (unsigned long long)asked->prefix,
                   (unsigned long long)whole->sum[sum], name, (unsigned long long)here);
}

static void add_categories(const struct returns *made) {
    const struct row *whole = &made->rows[0];
    for (unsigned k = 0; k < SUMS; k++) {
        uint64_t sum = 0;
        for (size_t i = 0; i < made->rows_count; i++)
            sum += made->rows[i].scope == SCOPE_CATEGORY ? made->rows[i].sum[k] : 0;
        if (sum != whole->sum[k])
            sim_broken("R3: figure %u is %llu of the whole and %llu of its categories", k,
                       (unsigned long long)whole->sum[k], (unsigned long long)sum);
    }
}

static void judge_returns(struct store *s, const struct period *period, const struct asked *asked) {
    struct returns_options o = {.period = *period, .as_of_seq = asked->as_of_seq, .as_of_ms = INT64_MAX,
                                .rules = rules_of, .to = s};
    uint64_t sums[SUMS];
    if (asked->prefix) o.prefixes.at[o.prefixes.count++] = asked->prefix;
    struct returns *made = made_of(s, &o);
    const struct row *whole = &made->rows[0];
    CHECK(whole->scope == SCOPE_WHOLE);
    count(asked, sums);
    same(whole, SUM_VOID, sums[SUM_VOID], "void", asked);
    same(whole, TICK_REPORTED, sums[TICK_REPORTED], "reported", asked);
    same(whole, SUM_OPEN, sums[SUM_OPEN], "open", asked);
    same(whole, SUM_SUSPENDED_NOW, sums[SUM_SUSPENDED_NOW], "held", asked);
    for (unsigned k = 0; k < COUNT_OF(counted); k++)
        same(whole, counted[k].tick, sums[counted[k].tick], counted[k].name, asked);
    add_categories(made);
    returns_close(made);
    if (sums[TICK_REPORTED]) sometimes("returns.judged");
}

static void judge_days(struct store *s, int64_t first, int64_t end, bool monthly, uint64_t as_of_seq,
                       uint64_t prefix) {
    struct period period = {.first_date = date_of_days(first), .end_date = date_of_days(end), .monthly = monthly};
    judge_returns(s, &period, &(struct asked){.from_ms = first * DAY_MS - ZONE_MS, .end_ms = end * DAY_MS - ZONE_MS,
                                              .as_of_seq = as_of_seq, .prefix = prefix});
}

/* A day or a month that something happened in. */
static void judge_drawn(struct store *s) {
    static const uint64_t prefixes[] = {FIXTURE_STREET, FIXTURE_COMMUNITY, FIXTURE_COMMUNITY2, FIXTURE_GRID};
    int64_t first = (happened[sim_roll(SIM_COUNTS, happened_count)].at_ms + ZONE_MS) / DAY_MS, end = first + 1;
    bool monthly = sim_roll(SIM_COUNTS, 3) == 0;
    while (monthly && date_of_days(first) % 100 != 1) first--;
    while (monthly && date_of_days(end) % 100 != 1) end++;
    uint64_t as_of_seq = UINT64_MAX, prefix = 0;
    if (sim_roll(SIM_COUNTS, 2)) as_of_seq = happened[sim_roll(SIM_COUNTS, happened_count)].seq;
    if (sim_roll(SIM_COUNTS, 2)) prefix = prefixes[sim_roll(SIM_COUNTS, COUNT_OF(prefixes))];
    judge_days(s, first, end, monthly, as_of_seq, prefix);
    sometimes(monthly ? "returns.of_a_month" : "returns.of_a_day");
}

void counts_judge(struct store *s) {
    enum { LONG_BEFORE = 20089, LONG_AFTER = 21915 };        /* 2025-01-01, 2030-01-01 */
    judge_days(s, LONG_BEFORE, LONG_AFTER, false, UINT64_MAX, 0);
    for (unsigned i = 0; happened_count && i < PERIODS; i++) judge_drawn(s);
}
