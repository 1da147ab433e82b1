/* turn.c: the heart. Take, decide, commit, speak.
 *
 *   take     deadlines that are due, results of desks, the urgent lane, then reports
 *   decide   each against the state after all before it: decide, evolve into the transaction, encode into the batch
 *   commit   one write and one sync; a failure here ends the process: the outcome is unknown; the restart finds out
 *   speak    replies, offers, updates, answers to queries: everything said is already true on disk */
#include "daemon/daemon.h"

#include <errno.h>

enum { ABANDONED_PAUSE_MS = 1000 };

/* ---- limits ---------------------------------------------------------------------------------------------------- */

/* The clock is only read every 16th time. */
static bool turn_full(const struct daemon *d, int64_t until_ns) {
    return d->commands >= TURN_COMMANDS_MAX || store_turn_bytes(d->store) >= TURN_BYTES_MAX || store_turn_full(d->store)
        || d->room.cap - d->room.used < 8 * COMMAND_ROOM_BYTES
        || (d->commands % 16 == 0 && clock_mono_ns() > until_ns);
}

/* ---- take and decide ------------------------------------------------------------------------------------------- */

/* A step of the wall clock is journaled; whether it is followed, clock.c has decided. */
static int turn_doubt(struct daemon *d, enum clock_word word) {
    if (word == CLOCK_FINE) return 0;
    COUNT(CLOCK_DOUBTED);
    int64_t wall = clock_wall_ms();
    log_warn("clock.doubted wall_ms=%lld ours_ms=%lld followed=%d", (long long)wall, (long long)d->now_ms,
             word == CLOCK_FOLLOW);
    PbClockDoubted doubt = { .has_wall_ms = 1, .wall_ms = wall, .has_followed = 1, .followed = word == CLOCK_FOLLOW };
    PbEvent event = { .event_case = EVENT_CLOCK_DOUBTED, .clock_doubted = &doubt };
    return broker_event(d, &event);
}

static int turn_deadlines(struct daemon *d, int64_t until_ns) {
    struct due_row due;
    if (!store_admits(d->store, ADMIT_CLOSURE)) return 0; /* not even room for a record: they fire late, and say so */
    for (unsigned i = 0; i < TURN_DEADLINES_MAX; i++) {
        if (store_first_due(d->store, &due) < 0 || due.due_ms > d->now_ms) return 0;
        int r = command_deadline(d, &due);
        if (r < 0) return r;
        d->commands++;
        if (turn_full(d, until_ns)) break;
    }
    d->more = true;
    return 0;
}

static int turn_work(struct daemon *d, int64_t until_ns) {
    struct pool_item item;
    if (!store_admits(d->store, ADMIT_CLOSURE)) return 0;
    while (pool_take(d->pool, d->mono_ms, d->now_ms, &item)) {
        struct command c = { .peer = item.peer, .source = item.source, .bytes = item.decision, .work = &item };
        int r = item.kind == POOL_RESULT ? command_do(d, &c) : command_offer_failed(d, &item);
        if (r < 0) return r;
        d->commands++;
        if (turn_full(d, until_ns)) return d->more = true, 0;
    }
    return 0;
}

static int turn_lane(struct daemon *d, enum lane lane, unsigned most, int64_t until_ns) {
    struct front_item item;
    for (unsigned i = 0; i < most; i++) {
        if (turn_full(d, until_ns)) return d->more = true, 0;
        if (!front_take(d->front, lane, &item)) return 0;
        struct command c = { .peer = item.peer, .source = item.source, .bytes = item.bytes };
        int r = command_do(d, &c);
        if (r < 0) return r;
        d->commands++;
    }
    if (front_waiting(d->front, lane)) d->more = true;
    return 0;
}

bool turn_pauses(const struct daemon *d) {
    return d->mono_ms < d->resumes_ms;
}

/* What the broker does of itself. */
static int turn_housework(struct daemon *d) {
    int r = reload_take(d);
    if (r == 0) r = recompute_take(d);
    return r == 0 ? housekeeping_take(d) : r;
}

/* Deadlines take at most half of the time: after downtime thousands are due, and new reports must not wait for them. */
static int turn_take(struct daemon *d, enum clock_word word) {
    front_drain(d->front, d->mono_ms);
    feed_take(d->feed, d->mono_ms, d->now_ms);
    int64_t since_ns = clock_mono_ns(), until_ns = since_ns + TURN_DECIDE_NS_MAX;        /* however much has arrived */
    if (d->drill && drill_is_driven(d)) return drill_take(d);
    bool pauses = turn_pauses(d);
    int r = turn_doubt(d, word);
    if (r == 0 && !pauses) r = turn_deadlines(d, since_ns + TURN_DECIDE_NS_MAX / 2);
    if (r == 0 && !pauses) r = turn_work(d, until_ns);
    if (r == 0) r = turn_lane(d, LANE_URGENT, TURN_COMMANDS_MAX, until_ns);
    if (r == 0) r = turn_lane(d, LANE_REPORTS, TURN_REPORTS_MAX, until_ns);
    return r == 0 && !pauses ? turn_housework(d) : r;
}

/* ---- commit and speak ------------------------------------------------------------------------------------------ */

static void turn_commit(struct daemon *d) {
    if (!store_turn_empty(d->store)) COUNT(TURNS);
    int r = store_commit(d->store);                   /* of an empty turn: nothing is written */
    if (r < 0)
        die("journal.lost", r,
            "the journal could not be written; what became of the last batch is unknown; the next start finds out");
}

/* No space for the folds: this turn did not happen. Nothing was said, so nothing is broken; its senders ask again. What
 * nobody asks for waits a while, or it would be tried without end and take every answer in its turn down with it. */
static void turn_abandon(struct daemon *d) {
    COUNT(ABANDONED);
    d->resumes_ms = d->mono_ms + ABANDONED_PAUSE_MS;
    log_error("turn.abandoned commands=%u reason=space", d->commands);
    front_forget(d->front);
    pool_forget(d->pool);
    feed_forget(d->feed);
    housekeeping_forget(d);
    d->queries_count = 0;
    d->draining = d->drained_before;
    reload_forget(d);
    recompute_forget(d);
    int r = store_abandon(d->store);
    if (r < 0) die("state.lost", r, "the state could not be folded again");
    pulse_beat();
}

static void speak_of_rows(struct daemon *d) {
    int r = d->read_only ? 0 : pool_speak(d->pool, d->mono_ms, d->now_ms, &d->room);
    if (r == 0) r = feed_speak(d->feed, d->mono_ms, d->commands > 0, &d->room);
    if (r < 0)
        die("state.unreadable", r,
            "a row or a record that was to be told could not be read; the next start folds it again from the journal");
}

static void turn_speak(struct daemon *d) {
    for (unsigned i = 0; i < d->queries_count; i++) query_answer(d, &d->queries[i]);
    d->queries_count = 0;
    if (d->drill) drill_spoken(d);
    front_speak(d->front);
    speak_of_rows(d);
}

/* The store cannot be written: questions are answered, everything else is refused, no desk is asked. */
static void turn_read_only(struct daemon *d) {
    front_drain(d->front, d->mono_ms);
    feed_take(d->feed, d->mono_ms, d->now_ms);
    int64_t until_ns = clock_mono_ns() + TURN_DECIDE_NS_MAX;                             /* however much has arrived */
    for (enum lane lane = LANE_URGENT; lane < LANES; lane++)
        if (turn_lane(d, lane, TURN_REPORTS_MAX, until_ns) < 0)
            die("state.unreadable", -EIO, "a row could not be read");
    for (unsigned i = 0; i < d->queries_count; i++) query_answer(d, &d->queries[i]);
    d->queries_count = 0;
    front_speak(d->front);
    speak_of_rows(d);
    pulse_beat();
}

void turn(struct daemon *d) {
    arena_reset(&d->room);
    d->commands = d->journal_parts = d->looked_at = 0;
    d->more = false;
    d->mono_ms = clock_mono_ns() / 1000000;
    if (d->read_only) return turn_read_only(d);
    enum clock_word word = CLOCK_FINE;
    if (d->drill) d->now_ms = drill_now(d);
    else word = broker_clock_read(&d->clock, &d->now_ms);
    store_begin(d->store, d->now_ms);
    d->drained_before = d->draining;
    int r = turn_take(d, word);
    if (r == -ENOSPC) return turn_abandon(d);
    if (r < 0)
        die("state.unreadable", r,
            "a row could not be read or written; the next start folds it again from the journal");
    turn_commit(d);
    housekeeping_done(d);
    turn_speak(d);
    pulse_beat();
}
