/* counts.c: the office's returns of the whole world, made as whistlectl makes them, held against what was counted here
 * event by event.
 *
 *   R1  of all cases that are no exercise and not void, each kind of event is counted as often as it happened */
#include "ctl/returns_internal.h"
#include "tests/sim/sim.h"

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

static struct returns *made_of(struct store *s) {
    enum { ROOM_BYTES = 8 << 20 };
    struct returns_options o = {.period = {.first_date = 20250101, .end_date = 20300101}, .as_of_seq = UINT64_MAX,
                                .as_of_ms = INT64_MAX, .rules = rules_of, .to = s};
    struct returns *made = returns_open(&o);
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
        if (record->case_id) CHECK(returns_take(made, &update) == 1);
    }
    journal_cursor_close(from);
    sim_free(memory);
    returns_sum(made);
    return made;
}

static void same(const struct row *whole, unsigned sum, uint64_t here, const char *name) {
    if (whole->sum[sum] != here)
        sim_broken("R1: the returns count %llu %s, and it was %llu", (unsigned long long)whole->sum[sum], name,
                   (unsigned long long)here);
}

void counts_judge(struct store *s) {
    struct returns *made = made_of(s);
    const struct row *whole = &made->rows[0];
    uint64_t sums[SUMS] = {0};
    for (unsigned i = 0; i < oracle_cases(); i++) {
        const struct shadow *c = oracle_case(i);
        if (c->state.exercise) continue;
        sums[SUM_VOID] += c->state.state == STATE_VOID;
        if (c->state.state == STATE_VOID) continue;
        sums[TICK_REPORTED]++;
        for (unsigned k = 0; k < COUNT_OF(counted); k++) sums[counted[k].tick] += c->seen[counted[k].event];
    }
    CHECK(whole->scope == SCOPE_WHOLE);
    same(whole, SUM_VOID, sums[SUM_VOID], "void");
    same(whole, TICK_REPORTED, sums[TICK_REPORTED], "reported");
    for (unsigned k = 0; k < COUNT_OF(counted); k++)
        same(whole, counted[k].tick, sums[counted[k].tick], counted[k].name);
    returns_close(made);
    sometimes("returns.judged");
}
