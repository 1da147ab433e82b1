/* drill.c: a real year through the real processes, on a driven clock V. Only a drill store (FORMAT says so) comes here.
 *
 *   hold      commands carry drill_at and wait for it; nothing is decided before the driver says how far to go
 *   stride    the longest run of held commands and deadlines in time order, at most 10 minutes and 256 inputs, stopping
 *             before a second input for a case with an unanswered offer; each decided at its own instant; one write,
 *             one sync, speak
 *   barrier   results of offers are held until all are in, sorted by case, decided at V = end of the stride, synced,
 *             spoken; they may offer again
 *   quiet     nothing open, nothing due up to `until`: V = until, and the driver is told
 *
 * V never passes an open offer, so nothing depends on how fast a worker is; nothing depends on real time at all: two
 * drills write the same records in the same order. At one instant commands are decided before deadlines, deadlines by
 * (case, timer). Leases and heartbeats stay on the monotonic clock. */
#include "daemon/daemon.h"

#include <stdlib.h>
#include <string.h>

/* A barrier holds every result until all are in, and a worker that holds as many as it may take gets no more: so a
 * stride makes less work than half of what `whistle-worker --credit 256` always has room for. */
enum { STRIDE_WANTING_MAX = 128 };

struct held_command {
    int64_t at_ms;
    uint8_t id[COMMAND_ID_SIZE];
    struct wire_peer peer;
    struct source source;
    uint32_t at, len;
};
struct held_result { struct pool_item item; uint32_t at, len; };

struct held {
    int64_t v_ms, until_ms;
    bool going, quiet, run;
    int64_t run_v_ms, run_mono_ms;
    struct wire_peer driver;
    uint8_t go_id[COMMAND_ID_SIZE];
    struct held_command *commands;
    unsigned commands_count, next;                    /* sorted; next: the first not yet decided */
    struct held_result *results;
    unsigned results_count;
    uint8_t *bytes, *result_bytes;
    uint32_t bytes_used, result_bytes_used;
    uint64_t wanting[STRIDE_WANTING_MAX];             /* cases of this stride that wait for a desk */
    unsigned wanting_count;
};

/* ---- hold ------------------------------------------------------------------------------------------------------ */

/* A sender that waited long asks again: what is held already is answered when it is decided. */
static bool is_held(const struct held *h, const PbEnvelope *e) {
    for (unsigned i = h->next; i < h->commands_count; i++)
        if (h->commands[i].at_ms == e->drill_at_ms
            && memcmp(h->commands[i].id, e->command_id.data, COMMAND_ID_SIZE) == 0)
            return true;
    return false;
}

PbRefusal drill_hold(struct daemon *d, const struct command *c, const PbEnvelope *e) {
    struct held *h = d->held;
    if (!e->has_drill_at_ms) return REFUSED_FIELD_MISSING;
    if (e->drill_at_ms > INSTANT_MS_MAX) return REFUSED_FIELD_RANGE;
    if (is_held(h, e)) return REFUSED_NOTHING;
    if (h->going || e->drill_at_ms < h->v_ms) return REFUSED_DRILL_ORDER;
    if (h->commands_count == HELD_MAX || HELD_BYTES_MAX - h->bytes_used < c->bytes.len) return REFUSED_BUSY;
    struct held_command *to = &h->commands[h->commands_count++];
    *to = (struct held_command){
        .at_ms = e->drill_at_ms, .peer = c->peer, .source = c->source, .at = h->bytes_used,
        .len = (uint32_t)c->bytes.len,
    };
    memcpy(to->id, e->command_id.data, sizeof to->id);
    memcpy(h->bytes + h->bytes_used, c->bytes.at, c->bytes.len);
    h->bytes_used += (uint32_t)c->bytes.len;
    return REFUSED_NOTHING;
}

static int by_instant(const void *a, const void *b) {
    const struct held_command *x = a, *y = b;
    if (x->at_ms != y->at_ms) return x->at_ms < y->at_ms ? -1 : 1;
    return memcmp(x->id, y->id, sizeof x->id);
}

PbRefusal drill_go(struct daemon *d, const struct query *q) {
    struct held *h = d->held;
    const PbDrillGo *go = q->envelope->drill_go;
    const ProtobufCBinaryData *id = &q->envelope->command_id;
    if (go->until_ms > INSTANT_MS_MAX) return REFUSED_FIELD_RANGE;
    if (h->going && memcmp(h->go_id, id->data, sizeof h->go_id) == 0) return REFUSED_NOTHING;       /* asked again */
    if (h->going || h->run || go->until_ms < h->v_ms) return REFUSED_DRILL_ORDER;
    if (h->commands_count) qsort(h->commands, h->commands_count, sizeof *h->commands, by_instant);
    if (h->commands_count && h->commands[h->commands_count - 1].at_ms > go->until_ms) return REFUSED_DRILL_ORDER;
    h->going = true;
    h->quiet = false;
    h->until_ms = go->until_ms;
    h->driver = q->peer;
    h->run_mono_ms = go->run ? d->mono_ms : 0;
    h->next = 0;
    memcpy(h->go_id, id->data, sizeof h->go_id);
    d->more = true;
    return REFUSED_NOTHING;
}

/* ---- barrier --------------------------------------------------------------------------------------------------- */

/* Work that some connected worker will answer. More than a stride can make is a bug of the driver's set-up: credit too
 * small. */
static unsigned work_open(struct daemon *d) {
    unsigned count = 0;
    for (PbLevel level = LEVEL_COMMUNITY; level <= LEVEL_DISTRICT; level++) {
        struct work_row row, *after = NULL;
        if (!pool_workers(d->pool, level)) continue;
        while (store_next_work(d->store, level, after, &row) == 0 && row.ready_ms <= d->held->v_ms) {
            after = &row;
            count++;
        }
    }
    return count;
}

/* When the next work becomes ready: a case that climbs twice at one instant has its second place a
 * millisecond later. */
static int64_t next_ready_ms(struct daemon *d) {
    int64_t next_ms = INT64_MAX;
    struct work_row row;
    for (PbLevel level = LEVEL_COMMUNITY; level <= LEVEL_DISTRICT; level++)
        if (pool_workers(d->pool, level) && store_next_work(d->store, level, NULL, &row) == 0 && row.ready_ms < next_ms)
            next_ms = row.ready_ms;
    return next_ms;
}

static void hold_result(struct held *h, const struct pool_item *item) {
    CHECK(h->results_count < HELD_MAX && HELD_BYTES_MAX - h->result_bytes_used >= item->decision.len);
    struct held_result *to = &h->results[h->results_count++];
    *to = (struct held_result){ .item = *item, .at = h->result_bytes_used, .len = (uint32_t)item->decision.len };
    memcpy(h->result_bytes + to->at, item->decision.at, to->len);
    h->result_bytes_used += to->len;
}

static int by_case(const void *a, const void *b) {
    uint64_t x = ((const struct held_result *)a)->item.token.case_id,
             y = ((const struct held_result *)b)->item.token.case_id;
    return x < y ? -1 : x > y;
}

static int decide_results(struct daemon *d) {
    struct held *h = d->held;
    qsort(h->results, h->results_count, sizeof *h->results, by_case);
    for (unsigned i = 0; i < h->results_count; i++) {
        struct held_result *held = &h->results[i];
        held->item.decision = slice_from(h->result_bytes + held->at, held->len);
        struct command c = {
            .peer = held->item.peer, .source = held->item.source, .bytes = held->item.decision, .work = &held->item,
        };
        int r = held->item.kind == POOL_RESULT ? command_do(d, &c) : command_offer_failed(d, &held->item);
        if (r < 0) return r;
    }
    h->results_count = h->result_bytes_used = 0;
    return 0;
}

/* ---- stride ---------------------------------------------------------------------------------------------------- */

static bool is_wanting(const struct held *h, uint64_t case_id) {
    for (unsigned i = 0; i < h->wanting_count; i++)
        if (h->wanting[i] == case_id) return true;
    return false;
}

/* The case an envelope is about; 0: it makes one. */
static uint64_t case_of(struct daemon *d, struct slice bytes) {
    struct codec_result why;
    size_t mark = d->room.used;
    const PbEnvelope *e = codec_unpack(CODEC_ENVELOPE, bytes, &d->room, &why);
    CHECK(e);                                         /* it was understood when it was held */
    uint64_t id = command_case(e);
    d->room.used = mark;
    return id;
}

/* The next input in time order: a held command or a deadline. false: none up to `until`. */
struct input { int64_t at_ms; const struct held_command *command; struct due_row due; };

static bool next_input(struct daemon *d, struct input *ret) {
    struct held *h = d->held;
    *ret = (struct input){ .at_ms = INT64_MAX };
    bool due = store_first_due(d->store, &ret->due) == 0;
    if (due)
        ret->at_ms = ret->due.due_ms > h->v_ms ? ret->due.due_ms : h->v_ms; /* never before what was decided already */
    if (h->next < h->commands_count && h->commands[h->next].at_ms <= ret->at_ms) {
        ret->command = &h->commands[h->next];
        ret->at_ms = ret->command->at_ms > h->v_ms ? ret->command->at_ms : h->v_ms;
    }
    return ret->at_ms <= h->until_ms;
}

static int decide_input(struct daemon *d, const struct input *in, struct slice bytes) {
    d->held->v_ms = d->now_ms = in->at_ms;
    if (!in->command) return command_deadline(d, &in->due);
    struct command c = { .peer = in->command->peer, .source = in->command->source, .bytes = bytes, .due = true };
    d->held->next++;
    return command_do(d, &c);
}

static int stride(struct daemon *d) {
    struct held *h = d->held;
    struct input in;
    int64_t start_ms = INT64_MIN;
    h->wanting_count = 0;
    for (unsigned count = 0; count < STRIDE_INPUTS_MAX && next_input(d, &in); count++) {
        if (h->wanting_count == STRIDE_WANTING_MAX) return 0;
        if (start_ms == INT64_MIN) start_ms = in.at_ms;
        if (in.at_ms - start_ms > STRIDE_SPAN_MS) return 0;
        struct slice bytes = in.command ? slice_from(h->bytes + in.command->at, in.command->len) : (struct slice){ 0 };
        uint64_t about = in.command ? case_of(d, bytes) : in.due.case_id;
        if (about && is_wanting(h, about)) return 0;
        d->after.id = 0;
        int r = decide_input(d, &in, bytes);
        if (r < 0 || reload_busy(d) || recompute_busy(d)) return r;
        if (d->after.id && case_wants_desk(&d->after)) h->wanting[h->wanting_count++] = d->after.id;
        d->commands++;
    }
    return 0;
}

/* ---- the turn of a drill --------------------------------------------------------------------------------------- */

static int take_lanes(struct daemon *d) {
    struct front_item item;
    for (enum lane lane = LANE_URGENT; lane < LANES; lane++)
        while (front_take(d->front, lane, &item)) {
            struct command c = { .peer = item.peer, .source = item.source, .bytes = item.bytes };
            int r = command_do(d, &c);
            if (r < 0) return r;
        }
    return 0;
}

static void take_results(struct daemon *d) {
    struct pool_item item;
    while (pool_take(d->pool, d->mono_ms, d->held->v_ms, &item)) {
        if (item.kind == POOL_FAILED && item.how == OFFER_EXPIRED)
            die("drill.lease_expired", 0, "a worker did not answer in time: the drill is void");
        if (item.current) hold_result(d->held, &item);
        else pool_taken(d->pool, &item, REFUSED_WRONG_STAGE, 0);
    }
}

int drill_take(struct daemon *d) {
    struct held *h = d->held;
    int r = take_lanes(d);
    if (r < 0) return r;
    take_results(d);
    d->now_ms = h->v_ms;
    r = reload_take(d);
    if (r == 0) r = recompute_take(d);
    if (r < 0 || reload_busy(d) || recompute_busy(d)) return r;        /* V stands until they are over */
    unsigned open = work_open(d);
    if (open != h->results_count) return 0;           /* somebody still thinks: V stands */
    if (open) return d->more = true, decide_results(d);
    if (!h->going) return 0;
    struct input in;
    bool input = next_input(d, &in);
    int64_t ready_ms = next_ready_ms(d);
    if (ready_ms <= h->until_ms && (!input || ready_ms <= in.at_ms)) {    /* offered when this turn speaks */
        h->v_ms = d->now_ms = ready_ms;
        d->more = true;
        return 0;
    }
    if (input) return d->more = true, stride(d);
    h->v_ms = d->now_ms = h->until_ms;
    h->quiet = true;
    return 0;
}

void drill_spoken(struct daemon *d) {
    struct held *h = d->held;
    if (!h->going || !h->quiet) return;
    struct due_row due;
    PbDrillAt at = { .has_until_ms = 1, .until_ms = h->until_ms, .has_seq = 1, .seq = store_durable_seq(d->store) };
    int64_t next_ms = next_ready_ms(d);
    if (store_first_due(d->store, &due) == 0 && due.due_ms < next_ms) next_ms = due.due_ms;
    if (next_ms < INT64_MAX) at.has_next_due_ms = 1, at.next_due_ms = next_ms;
    PbReply reply = {
        .has_command_id = 1, .command_id = { .len = sizeof h->go_id, .data = h->go_id },
        .reply_case = REPLY_DRILL_AT, .drill_at = &at,
    };
    front_reply(d->front, h->driver, &reply);
    h->going = h->quiet = false;
    h->commands_count = h->next = h->bytes_used = 0;
    if (!h->run_mono_ms) return;
    h->run = true;
    h->run_v_ms = h->v_ms;
    h->run_mono_ms = d->mono_ms;
}

/* ---- V --------------------------------------------------------------------------------------------------------- */

int64_t drill_now(struct daemon *d) {
    struct held *h = d->held;
    if (h->run) h->v_ms = h->run_v_ms + (d->mono_ms - h->run_mono_ms);
    return h->v_ms;
}

bool drill_is_driven(const struct daemon *d) {
    return !d->held->run;
}

void drill_open(struct daemon *d, int64_t start_ms) {
    struct held *h = d->held = memory_or_die(sizeof *h);
    h->commands = memory_or_die(HELD_MAX * sizeof *h->commands);
    h->results = memory_or_die(HELD_MAX * sizeof *h->results);
    h->bytes = memory_or_die(HELD_BYTES_MAX);
    h->result_bytes = memory_or_die(HELD_BYTES_MAX);
    h->v_ms = start_ms;
    d->now_ms = h->v_ms;
}
