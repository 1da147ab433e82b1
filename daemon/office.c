/* office.c: what concerns the broker as a whole and no case: batches, draining, rules, and its own events.
 *
 * Commands like any other: once, with a receipt, refused for a reason; their reply names no case. */
#include "daemon/daemon.h"

#include <errno.h>
#include <string.h>

/* ---- into the journal ------------------------------------------------------------------------------------------ */

static int journal_own(struct daemon *d, PbRecord *record, PbEvent *event) {
    record->n_events = 1;
    record->events = &event;
    SET(record, first_seq, store_next_seq(d->store));
    SET(record, at_ms, d->now_ms);
    COUNT(EVENTS);
    return store_record(d->store, record, NULL, NULL, &d->room);
}

int broker_event(struct daemon *d, PbEvent *event) {
    PbRecord record = { .source = (char *)"broker" };
    return journal_own(d, &record, event);
}

int broker_order(struct daemon *d, const struct command *c, const PbEnvelope *e, const struct hash *hash,
                 PbEvent *event) {
    PbRecord record = { .source = (char *)c->source.name, .by = e->by, .origin = e->origin };
    SET(&record, command_id, e->command_id);
    SET(&record, command_hash, ((ProtobufCBinaryData){ .len = HASH_SIZE, .data = (uint8_t *)hash->byte }));
    return journal_own(d, &record, event);
}

/* It happens, and its sender is told. */
static int happen(struct daemon *d, const struct command *c, const PbEnvelope *e, const struct hash *hash,
                  PbEvent *event) {
    int r = broker_order(d, c, e, hash, event);
    if (r < 0) return r;
    COUNT(ACKNOWLEDGED);
    command_done(d, c, e, store_next_seq(d->store) - 1, NULL, d->now_ms);
    return 0;
}

static int refuse(struct daemon *d, const struct command *c, const PbEnvelope *e, PbRefusal why, const char *field) {
    command_refuse(d, c, e, why, field);
    return 0;
}

static struct slice by_of(const PbEnvelope *e) {
    return slice_of(e->by ? e->by : "");
}

/* ---- batches: daemon/kernel/batch.h ---------------------------------------------------------------------------- */

static int ask_batch(struct daemon *d, const struct command *c, const PbEnvelope *e, const struct hash *hash) {
    const PbAskBatch *a = e->ask_batch;
    const char *field = NULL;
    struct batch_state there;
    PbRefusal refusal = batch_ask(a, by_of(e), &field);
    if (refusal) return refuse(d, c, e, refusal, field);
    int r = store_batch(d->store, e->command_id.data, &there);
    if (r == 0) return refuse(d, c, e, REFUSED_CONFLICT, "command_id");   /* of another source: the id is the batch's */
    if (r != -ENOENT) return r;
    PbBatchAsked asked = {
        .has_batch = 1, .batch = e->command_id, .has_verb = 1, .verb = a->verb, .has_cases = 1, .cases = a->cases,
        .has_digest = 1, .digest = a->digest, .by = e->by,
    };
    PbEvent event = { .event_case = EVENT_BATCH_ASKED, .batch_asked = &asked };
    return happen(d, c, e, hash, &event);
}

static int confirm_batch(struct daemon *d, const struct command *c, const PbEnvelope *e, const struct hash *hash) {
    const PbConfirmBatch *w = e->confirm_batch;
    const char *field = NULL;
    struct batch_state b;
    if (w->batch.len != COMMAND_ID_SIZE) return refuse(d, c, e, REFUSED_FIELD_RANGE, "batch");
    int r = store_batch(d->store, w->batch.data, &b);
    if (r == -ENOENT) return refuse(d, c, e, REFUSED_NO_SUCH_BATCH, "batch");
    if (r < 0) return r;
    PbRefusal refusal = batch_confirm(&b, w, by_of(e), d->now_ms, &field);
    if (refusal) return refuse(d, c, e, refusal, field);
    PbBatchConfirmed confirmed = { .has_batch = 1, .batch = w->batch, .by = e->by };
    PbEvent event = { .event_case = EVENT_BATCH_CONFIRMED, .batch_confirmed = &confirmed };
    return happen(d, c, e, hash, &event);
}

/* ---- draining -------------------------------------------------------------------------------------------------- */

/* What is there is finished, nothing new is taken. Of this run: a restart takes reports again. */
static int drain(struct daemon *d, const struct command *c, const PbEnvelope *e, const struct hash *hash) {
    const PbDrain *w = e->drain;
    if (!e->by) return refuse(d, c, e, REFUSED_FIELD_MISSING, "by");
    if (!w->has_on) return refuse(d, c, e, REFUSED_FIELD_MISSING, "on");
    if ((bool)w->on == d->draining) return refuse(d, c, e, REFUSED_NO_CHANGE, "on");
    PbDrained drained = { .has_on = 1, .on = w->on, .by = e->by };
    PbEvent event = { .event_case = EVENT_DRAINED, .drained = &drained };
    int r = happen(d, c, e, hash, &event);
    if (r < 0) return r;
    d->draining = w->on;
    log_info("drain.%s seq=%llu", d->draining ? "on" : "off", (unsigned long long)store_next_seq(d->store) - 1);
    return 0;
}

/* ---- the door -------------------------------------------------------------------------------------------------- */

static int done_again(struct daemon *d, const struct command *c, const PbEnvelope *e, const struct receipt *r) {
    command_done(d, c, e, r->seq, NULL, r->at_ms);
    return 0;
}

static const struct duty {
    int (*take)(struct daemon *d, const struct command *c, const PbEnvelope *e, const struct hash *hash);
    int (*again)(struct daemon *d, const struct command *c, const PbEnvelope *e, const struct receipt *r);
    enum admission admission;
} duties[] = {
    [COMMAND_ASK_BATCH]     = { ask_batch, done_again, ADMIT_ANSWER },
    [COMMAND_CONFIRM_BATCH] = { confirm_batch, done_again, ADMIT_ANSWER },
    [COMMAND_DRAIN]         = { drain, done_again, ADMIT_CLOSURE },
    [COMMAND_RELOAD]        = { reload_order, reload_again, ADMIT_REPORT },
    [COMMAND_RECOMPUTE]     = { recompute_order, recompute_again, ADMIT_ANSWER },
};

bool office_takes(const PbEnvelope *e) {
    return (size_t)e->command_case < COUNT_OF(duties) && duties[e->command_case].take;
}

int office_take(struct daemon *d, const struct command *c, const PbEnvelope *e, const struct hash *hash) {
    const struct duty *duty = &duties[e->command_case];
    if (e->has_batch) return refuse(d, c, e, REFUSED_BATCH_SPENT, "batch");       /* no batch is for this */
    if (!store_admits(d->store, duty->admission)) return refuse(d, c, e, REFUSED_RETRY_LATER, NULL);
    return duty->take(d, c, e, hash);
}

int office_again(struct daemon *d, const struct command *c, const PbEnvelope *e, const struct receipt *r) {
    COUNT(REPEATED);
    return duties[e->command_case].again(d, c, e, r);
}
