/* recompute.c: 时限重算. A calendar has changed: the deadlines of open cases by the calendars that are in force now.
 *
 *   order      RecomputeBegun is journaled, its sender told; from there on it is a fact, which a restart finds
 *   take       a slice of the cases, in the order of their ids, behind everything else: what moves is a record each
 *   over       RecomputeEnded, with the counts
 *
 * A case that goes by these calendars already does not change, so the walk may begin anew at any time: after a restart,
 * or when other rules come into force on the way. A dry run walks the same way and writes nothing. */
#include "daemon/daemon.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    SLICE_LOOKED = 1024, SLICE_MOVED = 128,       /* whichever is first; a few milliseconds in an idle turn */
    BUSY_SHARE = 8, BUSY_EVERY_MS = 100,          /* of it in a busy one, and so often */
    ROWS_MAX = 200,
};

/* upto: whatever is opened from there on goes by the rules in force, and the walk must not chase it. */
struct walk { bool on; uint64_t cursor, upto, cases, moved; };
struct row { uint64_t case_id; uint32_t district, day, day_number; PbTimerKind kind; int64_t before_ms, after_ms; };

struct recompute {
    struct walk real, before;                     /* before: when this turn began */
    struct walk dry;
    struct asker asker;                           /* of the dry run */
    struct row rows[ROWS_MAX];
    unsigned rows_count;
    uint64_t left_off;
    int64_t slice_ms;
};

struct recompute *recompute_open(void) {
    return memory_or_die(sizeof(struct recompute));
}

bool recompute_busy(const struct daemon *d) {
    return d->recompute->dry.on || (!d->read_only && store_recompute(d->store) != 0);
}

void recompute_anew(struct daemon *d) {
    d->recompute->real = (struct walk){ .on = false };
}

void recompute_forget(struct daemon *d) {
    d->recompute->real = d->recompute->before;
}

/* ---- a slice --------------------------------------------------------------------------------------------------- */

static void note_rows(struct recompute *w, const struct case_state *c, const PbDueMoved *moved) {
    for (size_t i = 0; i < moved->n_timers; i++) {
        const PbTimer *t = moved->timers[i];
        const struct timer *was = case_timer(c, t->kind);
        if (w->rows_count == ROWS_MAX) {
            w->left_off++;
            continue;
        }
        w->rows[w->rows_count++] = (struct row){
            .case_id = c->id, .district = c->district, .day = c->day, .day_number = c->day_number, .kind = t->kind,
            .before_ms = was ? was->due_ms : 0, .after_ms = t->due_ms,
        };
    }
}

/* The next cases behind the cursor. 1: there are no more; 0: not yet over; negative: fault. */
static int slice(struct daemon *d, struct walk *w, bool dry, unsigned share) {
    const PbDueMoved *moved;
    unsigned journaled = 0;
    for (unsigned looked = 0; looked < SLICE_LOOKED / share && journaled < SLICE_MOVED / share; looked++) {
        size_t mark = d->room.used;
        if (store_turn_full(d->store)) return 0;
        int r = store_next_case(d->store, w->cursor, &w->cursor);
        if (r == -ENOENT || (r == 0 && w->cursor >= w->upto)) return 1;
        if (r == 0) r = store_case(d->store, w->cursor, &d->before);
        if (r < 0) return r;
        if (d->before.timers_count == 0) continue;
        w->cases++;
        r = command_recompute(d, w->cursor, dry, &moved);
        if (r < 0) return r;
        if (moved && moved->n_timers) w->moved++;
        if (moved && dry) note_rows(d->recompute, &d->before, moved);
        journaled += moved != NULL;
        if (dry) d->room.used = mark;
    }
    return 0;
}

/* ---- over ------------------------------------------------------------------------------------------------------ */

static int end(struct daemon *d) {
    struct walk *w = &d->recompute->real;
    PbRecomputeEnded ended = {
        .has_rules = 1, .rules = store_rules_number(d->store), .has_cases = 1, .cases = w->cases, .has_moved = 1,
        .moved = w->moved,
    };
    PbEvent event = { .event_case = EVENT_RECOMPUTE_ENDED, .recompute_ended = &ended };
    int r = broker_event(d, &event);
    if (r < 0) return r;
    COUNT_ADD(DUE_MOVED, w->moved);
    log_info("recompute.ended rules=%u cases=%llu moved=%llu", ended.rules, (unsigned long long)w->cases,
             (unsigned long long)w->moved);
    w->on = false;
    return 0;
}

static PbMoved *moved_of(struct daemon *d, const struct row *row) {
    PbMoved *to = arena_must(&d->room, sizeof *to);
    to->number = arena_must(&d->room, NUMBER_BYTES);
    view_number(row->district, row->day, row->day_number, to->number);
    SET(to, case_id, row->case_id);
    SET(to, kind, row->kind);
    SET(to, due_before_ms, row->before_ms);
    SET(to, due_after_ms, row->after_ms);
    return to;
}

static void answer_dry(struct daemon *d) {
    struct recompute *w = d->recompute;
    PbRecomputed to = {
        .has_rules = 1, .rules = store_rules_number(d->store), .has_cases = 1, .cases = w->dry.moved,
        .has_moved_left_off = 1, .moved_left_off = w->left_off,
    };
    to.moved = arena_must(&d->room, ROWS_MAX * sizeof *to.moved);
    for (unsigned i = 0; i < w->rows_count; i++) to.moved[to.n_moved++] = moved_of(d, &w->rows[i]);
    PbReply reply = { .reply_case = REPLY_RECOMPUTED, .recomputed = &to };
    asker_reply(d, &w->asker, &reply);
    w->dry.on = false;
}

static int take_real(struct daemon *d, unsigned share) {
    struct walk *w = &d->recompute->real;
    if (!w->on) *w = (struct walk){ .on = true, .upto = store_next_seq(d->store) };
    if (!store_admits(d->store, ADMIT_ANSWER)) return 0;
    int over = slice(d, w, false, share);
    return over == 1 ? end(d) : over;
}

static int take_dry(struct daemon *d, unsigned share) {
    int over = slice(d, &d->recompute->dry, true, share);
    if (over == 1) answer_dry(d);
    return over < 0 ? over : 0;
}

int recompute_take(struct daemon *d) {
    struct recompute *w = d->recompute;
    bool idle = d->commands == 0 && !d->more;
    w->before = w->real;
    if (!recompute_busy(d) || (!idle && d->mono_ms - w->slice_ms < BUSY_EVERY_MS)) return 0;
    w->slice_ms = d->mono_ms;
    int r = store_recompute(d->store) ? take_real(d, idle ? 1 : BUSY_SHARE) : 0;
    return r == 0 && w->dry.on ? take_dry(d, idle ? 1 : BUSY_SHARE) : r;
}

/* ---- asked for ------------------------------------------------------------------------------------------------- */

static int begin(struct daemon *d, const struct asker *asker) {
    PbRecomputeBegun begun = { .has_rules = 1, .rules = store_rules_number(d->store), .by = (char *)asker->by };
    PbEvent event = { .event_case = EVENT_RECOMPUTE_BEGUN, .recompute_begun = &begun };
    int r = asker_event(d, asker, &event);
    if (r < 0) return r;
    recompute_anew(d);
    log_info("recompute.begun rules=%u", begun.rules);
    PbRecomputed to = { .has_rules = 1, .rules = begun.rules };
    PbReply reply = { .reply_case = REPLY_RECOMPUTED, .recomputed = &to };
    asker_reply(d, asker, &reply);
    return 0;
}

static void begin_dry(struct recompute *w, const struct asker *asker, uint64_t upto) {
    w->dry = (struct walk){ .on = true, .upto = upto };
    w->rows_count = 0;
    w->left_off = 0;
    w->asker = *asker;
}

int recompute_order(struct daemon *d, const struct command *c, const PbEnvelope *e, const struct hash *hash) {
    struct recompute *w = d->recompute;
    struct asker asker = asker_of(c, e, hash);
    bool dry = e->recompute->dry_run;
    if (!dry && !e->by) return command_refuse(d, c, e, REFUSED_FIELD_MISSING, "by"), 0;
    if (!dry && store_recompute(d->store)) return command_refuse(d, c, e, REFUSED_PENDING, NULL), 0;
    if (!dry) return begin(d, &asker);
    if (!w->dry.on) return begin_dry(w, &asker, store_next_seq(d->store)), 0;
    if (!asker_is(&w->asker, c, e)) return command_refuse(d, c, e, REFUSED_BUSY, NULL), 0;
    w->asker = asker;                             /* he asks again: his answer is on its way */
    return 0;
}

int recompute_again(struct daemon *d, const struct command *c, const PbEnvelope *e, const struct receipt *receipt) {
    PbRecomputed to = { .rules = 0 };
    struct slice bytes;
    PbRecord *record = NULL;
    if (receipt->seq >= store_first_seq(d->store)) {
        int r = store_read(d->store, receipt->seq, &bytes);
        if (r == 0) r = codec_unpack_own(CODEC_RECORD, bytes, &d->room, &record);
        if (r < 0) return r;
        SET(&to, rules, record->events[0]->recompute_begun->rules);
    }
    PbReply reply = {
        .has_command_id = 1, .command_id = e->command_id, .reply_case = REPLY_RECOMPUTED, .recomputed = &to,
    };
    front_reply(d->front, c->peer, &reply);
    return 0;
}

void recompute_tell(struct daemon *d, PbStatus *s) {
    const struct walk *w = &d->recompute->real;
    SET(s, recomputing, store_recompute(d->store) != 0);
    SET(s, recompute_looked, w->cases);
    SET(s, recompute_moved, w->moved);
}
