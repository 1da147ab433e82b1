/* judge.c: was it decided well? evolve says what an event does, and the shadow of a case is made with it: so what was
 * decided must be held against the rules themselves, and not by the kernel's own reckoning.
 *
 *   J1  work is resolved by the answer that meets its tally, not before and not after
 *   J2  a deadline climbs one rung
 *   J3  a deadline fires once: what was due first is due no more
 *   J4  a case is voided by two persons, and not away from those who were merged into it
 *   J5  a desk's decision is taken for the try it was offered in, never for an earlier one
 *   J6  working time by hand: hours and days of the fixture's office, counted window by window; under the first rules,
 *       because the holidays of later ones are drawn
 *   J7  a deadline fires within a second of its time, unless something kept the broker from it (broker_excused) */
#include "tests/sim/sim.h"
#include "tests/unit/laws.h"
#include "tests/unit/rules_fixture.h"

#include <string.h>

#define SECOND_MS 1000LL
#define MINUTE_MS 60000LL
#define DAY_MS (1440 * MINUTE_MS)

static const PbPlaybook *playbook_of(const struct case_state *c) {
    return fixture_rules()->playbooks[c->playbook - 1];
}

/* ---- J1 ---------------------------------------------------------------------------------------------------------- */

/* How many of those asked in that round are still needed. */
static unsigned still_needed(const struct case_state *c, uint32_t stage, uint32_t attempt) {
    const PbTally *t = playbook_of(c)->stages[stage - 1]->tally;
    unsigned asked = 0, done = 0;
    for (unsigned i = 0; i < c->asks_count; i++) {
        if (c->asks[i].stage != stage || c->asks[i].attempt != attempt) continue;
        asked++;
        done += c->asks[i].status == ASK_DONE;
    }
    unsigned needed = t->kind == TALLY_ALL ? asked : t->kind == TALLY_COUNT ? t->count : 1;
    if (needed > asked) needed = asked;                   /* who does it again is asked alone */
    return needed > done ? needed - done : 0;
}

static void judge_tally(const struct case_state *before, const PbEvent *e) {
    if (e->event_case == EVENT_RESOLVED) {
        unsigned needed = still_needed(before, e->resolved->stage, e->resolved->attempt);
        if (needed != 1)
            sim_broken("J1: case %llu was resolved with %u answers still needed", (unsigned long long)before->id,
                       needed);
    }
    const PbAnswered *a = e->event_case == EVENT_ANSWERED ? e->answered : NULL;
    if (a && a->kind == ANSWER_DONE && a->fate == FATE_COUNTED && before->state != STATE_RESOLVED &&
        still_needed(before, a->stage, a->attempt) == 1)
        sim_broken("J1: case %llu: the answer that meets the tally does not resolve it",
                   (unsigned long long)before->id);
}

/* ---- J2, J3 ------------------------------------------------------------------------------------------------------ */

static void judge_fired(const struct case_state *before, const struct case_state *after, int64_t at_ms) {
    const struct timer *was = first_timer(before);
    if (!was || was->due_ms > at_ms)
        sim_broken("O3: case %llu: a deadline fired early", (unsigned long long)before->id);
    const struct timer *is = case_timer(after, (PbTimerKind)was->kind);
    if (is && is->due_ms <= at_ms)
        sim_broken("J3: case %llu: a deadline fired and is due still", (unsigned long long)before->id);
}

static void judge_late(const struct case_state *before, const struct shadow *after, int64_t at_ms) {
    int64_t due_ms = first_timer(before)->due_ms, from_ms = due_ms > after->due_since_ms ? due_ms : after->due_since_ms;
    if (broker_excused()) return;
    sim_count(COUNT_JUDGED, 1);
    if (at_ms - from_ms <= SECOND_MS) return;
    sim_count(COUNT_LATE, 1);
    sim_broken("J7: case %llu: a deadline fired %lld ms late", (unsigned long long)before->id,
               (long long)(at_ms - from_ms));
}

/* Another is due first, or the same at another time: known only from now on. */
static void note_first(const struct case_state *before, struct shadow *after, int64_t at_ms) {
    const struct timer *was = first_timer(before), *is = first_timer(&after->state);
    if (!was || !is || was->kind != is->kind || was->due_ms != is->due_ms) after->due_since_ms = at_ms;
}

static void judge_climb(const struct case_state *before, const PbEvent *e) {
    if (e->event_case != EVENT_ESCALATED || before->state == STATE_RESOLVED) return;
    uint32_t next = playbook_of(before)->stages[before->stage - 1]->on_overdue;
    if (e->escalated->stage != next)
        sim_broken("J2: case %llu climbed from stage %u to %u, and %u is next", (unsigned long long)before->id,
                   before->stage, e->escalated->stage, next);
}

/* ---- J4 ---------------------------------------------------------------------------------------------------------- */

static bool is_followed(uint64_t id) {
    for (unsigned i = 0; i < oracle_cases(); i++) {
        const struct case_state *c = &oracle_case(i)->state;
        if (c->state == STATE_MERGED && c->more.master == id) return true;
    }
    return false;
}

static void judge_end(const struct case_state *before, const PbRecord *r, const PbEvent *e) {
    bool voided = e->event_case == EVENT_VOIDED && !r->has_batch;
    if (voided && (!before->more.void_by[0] || strcmp(before->more.void_by, e->voided->by) == 0))
        sim_broken("J4: case %llu was voided by one person", (unsigned long long)before->id);
    bool goes = e->event_case == EVENT_VOIDED || e->event_case == EVENT_WITHDRAWN || e->event_case == EVENT_TRANSFERRED;
    if (goes && is_followed(before->id))
        sim_broken("J4: case %llu ended away from those who follow it", (unsigned long long)before->id);
}

/* ---- J5 ---------------------------------------------------------------------------------------------------------- */

/* A result's id is made of what was offered (docs/protocol.md). */
static void judge_lease(const struct case_state *before, const PbRecord *r) {
    uint8_t offered[24] = "work";
    if (strcmp(r->source, "work") != 0 || r->command_id.len != 16) return;
    put_le64(offered + 4, before->id);
    put_le32(offered + 12, before->stage);
    put_le32(offered + 16, before->attempt);
    put_le32(offered + 20, before->offer_tries);
    struct hash h = hash_of(slice_from(offered, sizeof offered));
    if (memcmp(h.byte, r->command_id.data, 16) != 0)
        sim_broken("J5: case %llu: a decision was taken of an offer that was over", (unsigned long long)before->id);
}

/* ---- J6 ---------------------------------------------------------------------------------------------------------- */

/* Monday to Friday, but for two holidays and one Saturday in exchange. Days since 1970-01-01, a Thursday. */
static bool works(int64_t day) {
    enum { MAY_1 = 20574, MAY_9 = 20582, OCTOBER_1 = 20727 };
    return day == MAY_9 || (day != MAY_1 && day != OCTOBER_1 && (day + 3) % 7 < 5);
}

static const int64_t windows[2][2] = {{510 * MINUTE_MS, 720 * MINUTE_MS}, {840 * MINUTE_MS, 1080 * MINUTE_MS}};

/* Local time in, local time out: the instant at which so much of it has been worked. */
static int64_t hours_by_hand(int64_t from, int64_t budget) {
    CHECK(budget > 0);
    for (int64_t day = from / DAY_MS;; day++)
        for (unsigned w = 0; w < 2 && works(day); w++) {
            int64_t open = day * DAY_MS + windows[w][0], close = day * DAY_MS + windows[w][1];
            if (open < from) open = from;
            if (open >= close) continue;
            if (budget <= close - open) return open + budget;
            budget -= close - open;
        }
}

/* Into an open window first; then the same time of day on the n-th working day after. */
static int64_t days_by_hand(int64_t from, int64_t count) {
    int64_t start = hours_by_hand(from, 1) - 1, day = start / DAY_MS;
    while (count) count -= works(++day);
    return day * DAY_MS + start % DAY_MS;
}

static void judge_timer(const struct case_state *c, const struct timer *t, int64_t at_ms) {
    const unsigned fresh = 1u << TIMER_DESK | 1u << TIMER_ACCEPT | 1u << TIMER_VERIFY | 1u << TIMER_SUPERVISE;
    if (c->rules > 1 || c->more.calendar_rules > 1) return;
    if (!(fresh & 1u << t->kind) || t->start_ms != at_ms || t->past_calendar) return;
    int64_t zone = 8 * 60 * MINUTE_MS, from = t->start_ms + zone, due;
    if (t->unit == UNIT_WORK_HOURS) due = hours_by_hand(from, t->amount * 60 * MINUTE_MS) - zone;
    else if (t->unit == UNIT_WORK_DAYS) due = days_by_hand(from, t->amount) - zone;
    else return;
    if (due != t->due_ms)
        sim_broken("J6: case %llu: timer %u from %lld is due %lld, and by hand %lld", (unsigned long long)c->id,
                   t->kind, (long long)t->start_ms, (long long)t->due_ms, (long long)due);
}

/* ---- all of it --------------------------------------------------------------------------------------------------- */

void judge(const struct case_state *before, struct shadow *shadow, const PbRecord *r) {
    const struct case_state *after = &shadow->state;
    bool timer = strcmp(r->source, "timer") == 0;
    if (timer) judge_fired(before, after, r->at_ms);
    if (timer) judge_late(before, shadow, r->at_ms);
    note_first(before, shadow, r->at_ms);
    for (unsigned i = 0; i < after->timers_count; i++) judge_timer(after, &after->timers[i], r->at_ms);
    if (before->id == 0) return;
    judge_lease(before, r);
    for (size_t i = 0; i < r->n_events; i++) {
        judge_tally(before, r->events[i]);
        judge_end(before, r, r->events[i]);
        if (timer) judge_climb(before, r->events[i]);
    }
}
