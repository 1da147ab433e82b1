/* drill_hear.c: what comes back. Replies say what is on disk; the feed says what happened, and is all that the
 * drill goes by. */
#include "ctl/drill.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

enum { SILENCE_S = 60, SPOT_BITS = 8 };

/* ---- parties ----------------------------------------------------------------------------------------------------- */

/* Open addressing over a table twice as large; slot: number + 1. */
uint16_t drill_party(struct drill *d, const char *party) {
    size_t len = strlen(party);
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < len; i++) hash = (hash ^ (uint8_t)party[i]) * 16777619u;
    CHECK(len <= PARTY_BYTES_MAX && d->parties_count < DRILL_PARTIES_MAX);
    uint32_t at = hash % (2 * DRILL_PARTIES_MAX);
    for (; d->party_slots[at]; at = (at + 1) % (2 * DRILL_PARTIES_MAX))
        if (strcmp(d->parties[d->party_slots[at] - 1], party) == 0) return (uint16_t)(d->party_slots[at] - 1);
    memcpy(d->parties[d->parties_count], party, len + 1);
    d->party_slots[at] = (uint16_t)++d->parties_count;
    return (uint16_t)(d->parties_count - 1);
}

/* The lead goes last: when it says done, whoever else was asked has said so. */
static void asked_set(struct drill *d, struct asked *to, uint32_t stage, uint32_t attempt, PbAsk *const *asks,
                      size_t count) {
    *to = (struct asked){ .stage = (uint8_t)stage, .attempt = (uint8_t)attempt };
    for (unsigned lead = 0; lead < 2; lead++)
        for (size_t i = 0; i < count && to->count < DRILL_ASKED_MAX; i++)
            if (asks[i]->lead == (int)lead && asks[i]->party) to->party[to->count++] = drill_party(d, asks[i]->party);
}

/* ---- events ------------------------------------------------------------------------------------------------------ */

static void enqueue(struct drill *d, uint32_t row) {
    if (d->cases[row].queued) return;
    d->cases[row].queued = true;
    CHECK(d->queue_count < d->plan.rows_count);
    d->queue[d->queue_count++] = row;
}

static int begin_case(struct drill *d, uint64_t case_id, const PbReported *r, uint32_t *ret_row) {
    uint64_t number = 0;
    if (!r || !r->external_id || !parse_u64(slice_of(r->external_id), &number)) return 0;
    uint32_t row = drill_row_by_id(&d->plan, number);
    if (row == UINT32_MAX) return 0;
    struct row_case *c = &d->cases[row];
    if (c->id) return drill_fail(d, CTL_REFUSED, "row %u was counted twice", row + 1);
    if (case_id >= DRILL_SEQS_MAX) return drill_fail(d, CTL_FAULT, "more than %d events", DRILL_SEQS_MAX);
    c->id = case_id;
    for (size_t i = 0; i < r->n_timers; i++)
        if (r->timers[i]->kind == TIMER_PROMISE) c->promise_due_ms = r->timers[i]->due_ms;
    d->row_of_case[case_id] = row + 1;
    d->funnel.reported++;
    d->funnel.open++;
    *ret_row = row;
    return 0;
}

static void on_overdue(struct drill *d, struct row_case *c, PbTimerKind fired) {
    if (c->overdue || (fired != TIMER_PROMISE && fired != TIMER_HANDLING)) return;
    c->overdue = true;
    d->funnel.overdue++;
}

static void on_escalated(struct drill *d, uint32_t row, const PbEscalated *e) {
    struct row_case *c = &d->cases[row];
    on_overdue(d, c, e->fired);
    if (e->fired != TIMER_NONE && !c->escalated) {       /* what a desk sends up itself is not held against anybody */
        c->escalated = true;
        d->funnel.escalated++;
    }
    if (e->n_asks == 0) return;
    asked_set(d, &c->verifier, e->stage, e->attempt, e->asks, e->n_asks);
    c->verify_waits = true;
    enqueue(d, row);
}

static void on_dispatched(struct drill *d, uint32_t row, const PbDispatched *e) {
    struct row_case *c = &d->cases[row];
    asked_set(d, &c->handlers, e->stage, e->attempt, e->asks, e->n_asks);
    c->accept_waits = true;
    enqueue(d, row);
}

static void on_resolved(struct drill *d, uint32_t row, const PbResolved *e) {
    struct row_case *c = &d->cases[row];
    c->resolved = true;
    c->on_time = e->on_time;
    c->level = (uint8_t)e->level;
    if (e->n_asks == 0) return;
    asked_set(d, &c->verifier, e->verify_stage, 1, e->asks, e->n_asks);
    c->verify_waits = true;
    enqueue(d, row);
}

static void on_closed(struct drill *d, uint32_t row, const PbClosed *e) {
    struct row_case *c = &d->cases[row];
    CHECK(!c->closed && c->level <= LEVEL_PROVINCE);
    c->closed = true;
    c->on_time = e->on_time;
    d->funnel.closed[c->level]++;
    d->funnel.open--;
}

static void on_self_handled(struct drill *d, uint32_t row) {
    struct row_case *c = &d->cases[row];
    c->resolved = c->closed = c->on_time = true;
    d->funnel.on_the_spot++;
    d->funnel.open--;
}

static void hear_event(struct drill *d, uint32_t row, const PbEvent *e) {
    struct row_case *c = &d->cases[row];
    d->events++;
    switch (e->event_case) {
    case EVENT_SELF_HANDLED: on_self_handled(d, row); break;
    case EVENT_DISPATCHED: on_dispatched(d, row, e->dispatched); break;
    case EVENT_ESCALATED: on_escalated(d, row, e->escalated); break;
    case EVENT_SUPERVISED: on_overdue(d, c, e->supervised->fired); break;
    case EVENT_RESOLVED: on_resolved(d, row, e->resolved); break;
    case EVENT_CLOSED: on_closed(d, row, e->closed); break;
    case EVENT_ANSWERED: d->not_counted += e->answered->fate != FATE_COUNTED; break;
    case EVENT_OFFER_FAILED: d->offers_failed++; break;
    default: break;                                      /* it changes nothing that an answer needs */
    }
}

int drill_hear_update(struct drill *d, const struct whistle_update *u) {
    const PbUpdate *update = u->update;
    uint32_t row = UINT32_MAX;
    if (u->seq >= DRILL_SEQS_MAX) return drill_fail(d, CTL_FAULT, "more than %d events", DRILL_SEQS_MAX);
    d->told[u->seq / SPOT_BITS] |= (uint8_t)(1u << u->seq % SPOT_BITS);
    d->heard_seq = u->seq;
    if (update->case_id < DRILL_SEQS_MAX) row = d->row_of_case[update->case_id] - 1;
    for (size_t i = 0; i < update->n_events; i++) {
        const PbEvent *e = update->events[i];
        const PbReported *first = e->event_case == EVENT_REPORTED ? e->reported
            : e->event_case == EVENT_SELF_HANDLED ? e->self_handled->report : NULL;
        int r = first ? begin_case(d, update->case_id, first, &row) : 0;
        if (r) return r;
        if (row != UINT32_MAX) hear_event(d, row, e);
    }
    return 0;
}

static int hear_feed(struct drill *d, unsigned *heard) {
    struct whistle_update u;
    int r, code = 0;
    while (code == 0 && (r = whistle_feed_next(d->feed, 0, &u)) != 0) {
        if (r < 0) return drill_fail(d, CTL_FAULT, "the feed cannot be read: %s", strerror(-r));
        if (u.kind == WHISTLE_REFUSED) return drill_fail(d, CTL_REFUSED, "the feed was refused: %s", u.refused->en);
        if (u.kind == WHISTLE_UPDATE) code = drill_hear_update(d, &u);
        ++*heard;
    }
    return code;
}

/* ---- replies ----------------------------------------------------------------------------------------------------- */

static int hear_refusal(struct drill *d, const PbReply *reply) {
    const PbRefused *why = reply->refused;
    unsigned long row = 0;
    for (unsigned i = 0; i < d->sent_count; i++)
        if (d->sent[i].row != UINT32_MAX && reply->command_id.len == COMMAND_ID_SIZE
            && memcmp(d->sent[i].id, reply->command_id.data, COMMAND_ID_SIZE) == 0) row = d->sent[i].row + 1ul;
    return drill_fail(d, CTL_REFUSED, "refused: %s: %s%s%s (row %lu)", why->name ? why->name : "?",
                      why->en ? why->en : "", why->field ? "; field " : "", why->field ? why->field : "", row);
}

static int hear_reply(struct drill *d, const PbReply *reply) {
    switch (reply->reply_case) {
    case REPLY_DONE:
        CHECK(d->acknowledged_count < DRILL_SENT_MAX);
        d->acknowledged_seq[d->acknowledged_count++] = reply->done->seq;
        return 0;
    case REPLY_DRILL_AT:
        d->at = true;
        d->at_seq = reply->drill_at->seq;
        d->v_ms = reply->drill_at->until_ms;
        d->next_due_ms = reply->drill_at->has_next_due_ms ? reply->drill_at->next_due_ms : INT64_MAX;
        return 0;
    case REPLY_REFUSED: return hear_refusal(d, reply);
    default: return 0;
    }
}

static int hear_replies(struct drill *d, unsigned *heard) {
    const PbReply *reply;
    int r, code = 0;
    while (code == 0 && (r = whistle_next(d->client, 0, &reply)) != 0) {
        if (r < 0) return drill_fail(d, CTL_FAULT, "replies cannot be read: %s", strerror(-r));
        code = hear_reply(d, reply);
        ++*heard;
    }
    return code;
}

/* ---- a window ---------------------------------------------------------------------------------------------------- */

static void sleep_until_news(struct drill *d) {
    struct pollfd fds[] = { { .fd = whistle_client_fd(d->client), .events = POLLIN },
                            { .fd = whistle_feed_fd(d->feed), .events = POLLIN } };
    poll(fds, COUNT_OF(fds), WHISTLE_TICK_MS);
}

/* An acknowledged command whose record nobody was told of is a lost one; so is one that was never answered. */
static void count_lost(struct drill *d) {
    d->acknowledged += d->acknowledged_count;
    for (unsigned i = 0; i < d->acknowledged_count; i++) {
        uint64_t seq = d->acknowledged_seq[i];
        d->lost += seq >= DRILL_SEQS_MAX || !(d->told[seq / SPOT_BITS] >> seq % SPOT_BITS & 1);
    }
    CHECK(d->sent_count >= 1);
    unsigned commands = d->sent_count - 1;               /* the last is DrillGo */
    if (d->acknowledged_count < commands) d->lost += commands - d->acknowledged_count;
}

int drill_hear_window(struct drill *d) {
    d->last_news_ns = clock_mono_ns();
    for (;;) {
        unsigned heard = 0;
        int r = hear_replies(d, &heard);
        if (r == 0) r = hear_feed(d, &heard);
        if (r) return r;
        if (d->at && whistle_in_flight(d->client) == 0 && d->heard_seq >= d->at_seq) break;
        if (heard) {
            d->last_news_ns = clock_mono_ns();
            continue;
        }
        if (clock_mono_ns() - d->last_news_ns > SILENCE_S * 1000000000LL)
            return drill_fail(d, CTL_UNKNOWN, "the broker has said nothing for %d s; its log tells why", SILENCE_S);
        sleep_until_news(d);
    }
    count_lost(d);
    return 0;
}
