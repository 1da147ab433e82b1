/* command.c: one message, all the way: unpack, who, seen before?, load, decide, journal, fold, reply.
 *
 * Every command is decided against the state after all earlier ones of its turn. A refusal changes nothing and holds no
 * receipt. */
#include "daemon/daemon.h"

#include <errno.h>
#include <string.h>

#define SINCE_2000_MS 946684800000LL

enum { REFUSED_RETRY_MS = 30000 };                /* until work whose decision was refused is offered again */

/* ---- what each command means ----------------------------------------------------------------------------------- */

/* A command about a case: the order it is, how urgent it is to journal, and where in its message case and text are. */
struct verb {
    enum order_kind order;
    enum admission admission;
    bool journaled;                               /* else a query, or the office's */
    uint16_t case_at, text_at;                    /* 0: it names none */
    uint8_t batch;                                /* PbBatchVerb: what it is called when it is done to many */
    bool operator;                                /* an operator's to give; in a batch they all are */
};

#define CASE_OF(message) .case_at = offsetof(message, case_id)
#define TEXT_OF(message) .text_at = offsetof(message, text)
#define BOTH_OF(message) CASE_OF(message), TEXT_OF(message)
#define MANY(verb) .batch = BATCH_##verb
#define OPERATOR .operator = true

static const struct verb verbs[] = {
    [COMMAND_REPORT]           = { ORDER_REPORT, ADMIT_REPORT, true, TEXT_OF(PbReport) },
    [COMMAND_SELF_HANDLE]      = { ORDER_SELF_HANDLE, ADMIT_REPORT, true, .case_at = 0 },
    [COMMAND_IMPORT_CASE]      = { ORDER_IMPORT, ADMIT_REPORT, true, OPERATOR },
    [COMMAND_ANSWER]           = { ORDER_ANSWER, ADMIT_CLOSURE, true, BOTH_OF(PbAnswer) },
    [COMMAND_ACCEPT]           = { ORDER_ACCEPT, ADMIT_ANSWER, true, CASE_OF(PbAccept) },
    [COMMAND_REJECT]           = { ORDER_REJECT, ADMIT_CLOSURE, true, BOTH_OF(PbReject) },
    [COMMAND_APPEAL]           = { ORDER_APPEAL, ADMIT_ANSWER, true, BOTH_OF(PbAppeal) },
    [COMMAND_MERGE]            = { ORDER_MERGE, ADMIT_CLOSURE, true, CASE_OF(PbMerge) },
    [COMMAND_SPLIT]            = { ORDER_SPLIT, ADMIT_ANSWER, true, CASE_OF(PbSplit) },
    [COMMAND_WITHDRAW]         = { ORDER_WITHDRAW, ADMIT_CLOSURE, true, BOTH_OF(PbWithdraw) },
    [COMMAND_DISPATCH]         = { ORDER_DISPATCH, ADMIT_ANSWER, true, CASE_OF(PbDispatch) },
    [COMMAND_REASSIGN]         = { ORDER_REASSIGN, ADMIT_ANSWER, true, CASE_OF(PbReassign), MANY(REASSIGN) },
    [COMMAND_ESCALATE]         = { ORDER_ESCALATE, ADMIT_ANSWER, true, CASE_OF(PbEscalate) },
    [COMMAND_DELEGATE]         = { ORDER_DELEGATE, ADMIT_ANSWER, true, BOTH_OF(PbDelegate) },
    [COMMAND_ASK_EXTENSION]    = { ORDER_ASK_EXTENSION, ADMIT_ANSWER, true, BOTH_OF(PbAskExtension) },
    [COMMAND_DECIDE_EXTENSION] = { ORDER_DECIDE_EXTENSION, ADMIT_ANSWER, true, BOTH_OF(PbDecideExtension) },
    [COMMAND_SUSPEND]          = { ORDER_SUSPEND, ADMIT_ANSWER, true, BOTH_OF(PbSuspend) },
    [COMMAND_RESUME]           = { ORDER_RESUME, ADMIT_ANSWER, true, CASE_OF(PbResume) },
    [COMMAND_REMIND]           = { ORDER_REMIND, ADMIT_ANSWER, true, BOTH_OF(PbRemind) },
    [COMMAND_SUPERVISE]        = { ORDER_SUPERVISE, ADMIT_ANSWER, true, BOTH_OF(PbSupervise) },
    [COMMAND_HAND_OVER]        = { ORDER_HAND_OVER, ADMIT_ANSWER, true, CASE_OF(PbHandOver), MANY(HAND_OVER) },
    [COMMAND_FOLLOW_UP]        = { ORDER_FOLLOW_UP, ADMIT_CLOSURE, true, BOTH_OF(PbFollowUp) },
    [COMMAND_REOPEN]           = { ORDER_REOPEN, ADMIT_ANSWER, true, BOTH_OF(PbReopen) },
    [COMMAND_TRANSFER]         = { ORDER_TRANSFER, ADMIT_CLOSURE, true, BOTH_OF(PbTransfer) },
    [COMMAND_ACKNOWLEDGE_TRANSFER]
        = { ORDER_ACKNOWLEDGE_TRANSFER, ADMIT_CLOSURE, true, CASE_OF(PbAcknowledgeTransfer) },
    [COMMAND_VOID_CASE]        = { ORDER_VOID, ADMIT_CLOSURE, true, BOTH_OF(PbVoidCase), MANY(VOID), OPERATOR },
    [COMMAND_CLOSE_CASE]       = { ORDER_CLOSE, ADMIT_CLOSURE, true, BOTH_OF(PbCloseCase), MANY(CLOSE), OPERATOR },
    [COMMAND_CORRECT]          = { ORDER_CORRECT, ADMIT_ANSWER, true, BOTH_OF(PbCorrect), MANY(CORRECT) },
    [COMMAND_NOTE]             = { ORDER_NOTE, ADMIT_ANSWER, true, BOTH_OF(PbNote) },
    [COMMAND_MOVE_CASE]        = { ORDER_MOVE, ADMIT_ANSWER, true, CASE_OF(PbMoveCase), MANY(MOVE), OPERATOR },
    [COMMAND_RETRY_DEAD]       = { ORDER_RETRY_DEAD, ADMIT_ANSWER, true, CASE_OF(PbRetryDead), OPERATOR },
    [COMMAND_DROP_DEAD]        = { ORDER_DROP_DEAD, ADMIT_ANSWER, true, CASE_OF(PbDropDead), OPERATOR },
    [COMMAND_LATER]            = { ORDER_LATER, ADMIT_ANSWER, true, CASE_OF(PbLater) },
};

static bool is_journaled(const PbEnvelope *e) {
    return (size_t)e->command_case < COUNT_OF(verbs) && verbs[e->command_case].journaled;
}

/* The order, the case it is about (0: it makes one), and its plain texts. */
struct parts { struct order order; uint64_t case_id; const PbReport *report; const char *text, *address, *deed; };

/* Every message of a command stands at the same place of the envelope, and every order's at the same of the order. */
static void parts_of(const PbEnvelope *e, struct parts *p) {
    const struct verb *v = &verbs[e->command_case];
    const uint8_t *message = (const uint8_t *)e->report;
    CHECK(v->journaled && message);
    *p = (struct parts){ .order.kind = v->order, .order.report = e->report };
    if (v->case_at) memcpy(&p->case_id, message + v->case_at, sizeof p->case_id);
    if (v->text_at) memcpy(&p->text, message + v->text_at, sizeof p->text);
    if (v->order == ORDER_REPORT) p->report = e->report;
    if (v->order == ORDER_SELF_HANDLE) p->report = e->self_handle->report, p->deed = e->self_handle->text;
    if (v->order == ORDER_IMPORT) p->report = e->import_case->report;
    if (p->report) p->text = p->report->text, p->address = p->report->address;
}

uint64_t command_case(const PbEnvelope *e) {
    struct parts p;
    if (!is_journaled(e)) return 0;
    parts_of(e, &p);
    return p.case_id;
}

/* ---- replies --------------------------------------------------------------------------------------------------- */

void command_refuse(struct daemon *d, const struct command *c, const PbEnvelope *e, PbRefusal code, const char *field) {
    struct slice id = { 0 };
    if (e && e->has_command_id) id = slice_from(e->command_id.data, e->command_id.len);
    if (!c->work) return front_refuse(d->front, c->peer, id, code, field);
    COUNT(REFUSED);
    counters_refused[code]++;
    d->work_refused = code; /* told when its offer has been ended */
}

void command_done(struct daemon *d, const struct command *c, const PbEnvelope *e, uint64_t seq,
                  const struct case_state *about, int64_t at_ms) {
    if (c->work) return pool_taken(d->pool, c->work, REFUSED_NOTHING, seq);
    char number[NUMBER_BYTES];
    PbDone done = { .has_seq = 1, .seq = seq, .has_case_id = 1, .has_at_ms = 1, .at_ms = at_ms };
    if (about) {
        view_number(about->district, about->day, about->day_number, number);
        done.case_id = about->id;
        done.number = number;
    }
    PbReply reply = { .has_command_id = 1, .command_id = e->command_id, .reply_case = REPLY_DONE, .done = &done };
    front_reply(d->front, c->peer, &reply);
}

/* Seen before: the first reply again, or CONFLICT when the bytes differ. */
static int repeat(struct daemon *d, const struct command *c, const PbEnvelope *e, const struct receipt *r,
                  const struct hash *hash) {
    if (memcmp(r->hash, hash->byte, sizeof r->hash) != 0) {
        command_refuse(d, c, e, REFUSED_CONFLICT, "command_id");
        return 0;
    }
    if (office_takes(e)) return office_again(d, c, e, r);
    int error = r->case_id ? store_case(d->store, r->case_id, &d->before) : 0;
    if (error < 0) return error;
    COUNT(REPEATED);
    command_done(d, c, e, r->seq, r->case_id ? &d->before : NULL, r->at_ms);
    return 0;
}

/* ---- sealed text ----------------------------------------------------------------------------------------------- */

struct sealing { struct key key; const struct hash *command; };

static PbSealed *sealed(struct daemon *d, const struct sealing *s, const char *context, const char *text) {
    size_t len = text ? strlen(text) : 0;
    if (len == 0 || len > TEXT_BYTES_MAX) return NULL;                    /* too long: decide refuses it */
    PbSealed *to = arena_zero(&d->room, sizeof *to);
    uint8_t *box = arena_take(&d->room, len + SEAL_OVERHEAD);
    CHECK(to && box);
    seal(&s->key, slice_of(context), s->command, slice_from(text, len), box);
    SET(to, box, ((ProtobufCBinaryData){ .len = len + SEAL_OVERHEAD, .data = box }));
    return to;
}

static int seal_texts(struct daemon *d, struct parts *p, uint64_t slot, const struct hash *command) {
    if (!p->text && !p->address && !p->deed) return 0;
    struct sealing s = { .command = command };
    int r = store_slot_key(d->store, slot, &s.key);
    if (r < 0) return r;
    p->order.text = sealed(d, &s, "text", p->text);
    p->order.address = sealed(d, &s, "address", p->address);
    p->order.deed = sealed(d, &s, "deed", p->deed);
    wipe(&s.key, sizeof s.key);
    return 0;
}

/* ---- decided: into the record ---------------------------------------------------------------------------------- */

/* The divisions that a case concerns: its own, then those where its parties sit. */
struct scope { unsigned count; uint64_t at[ROUTES_MAX]; };

/* Whoever covers that division covers one of these, too. */
static bool scope_reaches(const struct scope *s, uint64_t division) {
    for (unsigned i = 0; i < s->count; i++)
        if (division_covers(division, s->at[i])) return true;
    return false;
}

static void scope_of(const struct case_state *c, struct scope *s) {
    *s = (struct scope){ .count = 0 };
    if (c->id == 0) return;
    s->at[s->count++] = c->division;
    for (unsigned i = 0; i < c->asks_count; i++) {
        struct slice role;
        uint64_t at;
        CHECK(party_split(slice_of(c->asks[i].party), &role, &at));
        if (!scope_reaches(s, at)) s->at[s->count++] = at;
    }
}

/* Whom a record concerns besides the case's own division, and whom it concerned until now: they are told it and no
 * more. */
static void routes_into(struct daemon *d, PbRecord *record) {
    struct scope before, after, left = { .count = 0 };
    scope_of(&d->before, &before);
    scope_of(&d->after, &after);
    for (unsigned i = 0; i < before.count; i++)
        if (!scope_reaches(&after, before.at[i]) && !scope_reaches(&left, before.at[i]))
            left.at[left.count++] = before.at[i];
    uint64_t *routes = arena_must(&d->room, (after.count + left.count) * sizeof *routes);
    memcpy(routes, after.at + 1, (after.count - 1) * sizeof *routes);
    memcpy(routes + after.count, left.at, left.count * sizeof *routes);
    record->n_routes = after.count - 1;
    record->routes = routes;
    record->n_left = left.count;
    record->left = routes + after.count;
}

/* `envelope`: whose words about who, which batch and where from go into the record; NULL: our own order. */
static int journal(struct daemon *d, const char *source, const PbEnvelope *envelope, const struct hash *hash,
                   const struct decision *decision, PbRecord *record) {
    uint64_t first = store_next_seq(d->store);
    *record = (PbRecord){ .source = (char *)source, .n_events = decision->count };
    if (envelope) {
        SET(record, command_id, envelope->command_id);
        record->by = envelope->by;
        record->has_batch = envelope->has_batch;
        record->batch = envelope->batch;
        record->origin = envelope->origin;
    }
    record->events = (PbEvent **)decision->events;
    SET(record, first_seq, first);
    SET(record, at_ms, d->now_ms);
    if (hash) SET(record, command_hash, ((ProtobufCBinaryData){ .len = HASH_SIZE, .data = (uint8_t *)hash->byte }));
    d->after = d->before;
    for (uint32_t i = 0; i < decision->count; i++) evolve(&d->after, decision->events[i], first + i, d->now_ms);
    case_check(&d->after);
    SET(record, case_id, d->after.id);
    SET(record, division, d->after.division);
    routes_into(d, record);
    int r = store_record(d->store, record, &d->before, &d->after, &d->room);
    if (r < 0) return r;
    COUNT_ADD(EVENTS, decision->count);
    return feed_record(d->feed, record, &d->room);
}

/* ---- one command ----------------------------------------------------------------------------------------------- */

static PbRefusal check_envelope(const struct daemon *d, const PbEnvelope *e, const char **ret_field) {
    *ret_field = "version";
    if (e->version != PROTOCOL_VERSION) return REFUSED_VERSION;
    *ret_field = "command";
    if (e->command_case == ENVELOPE_COMMAND_NOT_SET) return REFUSED_NO_COMMAND;
    *ret_field = "command_id";
    if (!e->has_command_id || e->command_id.len != COMMAND_ID_SIZE) return REFUSED_BAD_COMMAND_ID;
    *ret_field = "sent_at_ms";
    if (e->has_sent_at_ms && e->sent_at_ms < SINCE_2000_MS) return REFUSED_BAD_INSTANT;
    if (!d->drill && e->has_sent_at_ms && e->sent_at_ms > d->now_ms + FAR_FUTURE_MS) return REFUSED_FAR_FUTURE;
    *ret_field = "drill_at_ms";
    if (e->has_drill_at_ms && !d->drill) return REFUSED_NOT_A_DRILL;
    *ret_field = "by";
    if (e->by && !word_valid(slice_of(e->by), BY_BYTES_MAX)) return REFUSED_BAD_TEXT;
    *ret_field = "origin";
    if (e->origin && !word_valid(slice_of(e->origin), ORIGIN_BYTES_MAX)) return REFUSED_BAD_TEXT;
    *ret_field = "batch";
    if (e->has_batch && e->batch.len != COMMAND_ID_SIZE) return REFUSED_FIELD_RANGE;
    *ret_field = NULL;
    return REFUSED_NOTHING;
}

/* The case, the rules it is pinned to, and for a new one its number of the day. 0; refusal in *ret; negative: fault. */
static int load(struct daemon *d, const struct parts *p, struct decide_input *in, PbRefusal *ret) {
    uint32_t now = store_rules_number(d->store), rules = now;
    d->before.id = 0;
    d->before.state = STATE_NONE;
    if (p->case_id) {
        int r = store_case(d->store, p->case_id, &d->before);
        if (r == -ENOENT) return *ret = REFUSED_NO_SUCH_CASE, 0;
        if (r < 0) return r;
        rules = d->before.rules;
    } else {
        memset(&d->before, 0, sizeof d->before);
    }
    *in = (struct decide_input){
        .state = &d->before, .rules_number = rules, .rules_now_number = now, .now_ms = d->now_ms, .room = &d->room,
    };
    uint32_t calendars = d->before.more.calendar_rules;
    int r = store_rules(d->store, rules, &in->rules);
    if (r == 0 && calendars) r = store_rules(d->store, calendars, &in->calendar_rules);
    if (r == 0) r = store_rules(d->store, now, &in->rules_now);
    if (r < 0) return r;
    uint32_t district = p->report ? decide_district(p->report) : 0;
    if (district) {
        const PbCalendar *calendar = rules_calendar(in->rules, in->rules->calendar);
        int64_t at = decide_number_instant(&p->order, d->now_ms);
        in->day_number = store_next_number(d->store, district, calendar_date(calendar, at));
        in->slot = store_next_slot(d->store);
    }
    return 0;
}

/* What an order asks of other rows: a master, followers, a number of another system. 0, or negative: a fault. */
static int load_others(struct daemon *d, const struct parts *p, struct decide_input *in) {
    uint64_t id = 0;
    int r = 0;
    if (p->order.kind == ORDER_MERGE || p->order.kind == ORDER_SPLIT) {
        id = p->order.kind == ORDER_MERGE ? p->order.merge->master : d->before.more.master;
        r = id ? store_case(d->store, id, &d->other) : -ENOENT;
        if (r == 0) in->other = &d->other;
    }
    if (p->order.kind == ORDER_VOID || p->order.kind == ORDER_WITHDRAW || p->order.kind == ORDER_TRANSFER) {
        r = store_next_follower(d->store, p->case_id, 0, &id);
        in->has_followers = r == 0;
    }
    const char *number = p->report ? p->report->external_id : NULL;
    if (number && in->origin.len && strlen(number) <= EXTERNAL_ID_BYTES_MAX) {
        r = store_external(d->store, (const char *)in->origin.at, number, &id);
        in->known = r == 0;
    }
    return r == -ENOENT ? 0 : r;
}

/* As part of a batch: two persons said so. 0; refusal in *ret; negative: fault. */
static int load_batch(struct daemon *d, const PbEnvelope *e, struct decide_input *in, PbRefusal *ret) {
    struct batch_state batch;
    if (!e->has_batch) return 0;
    int r = store_batch(d->store, e->batch.data, &batch);
    if (r == -ENOENT) return *ret = REFUSED_NO_SUCH_BATCH, 0;
    if (r < 0) return r;
    *ret = batch_take(&batch, (PbBatchVerb)verbs[e->command_case].batch, d->now_ms);
    in->in_batch = in->batch_confirmed = true;
    return 0;
}

static int decide_and_journal(struct daemon *d, const struct command *c, const PbEnvelope *e, const struct hash *hash) {
    struct parts p;
    struct decide_input in;
    struct decision decision;
    PbRefusal refusal = REFUSED_NOTHING;
    enum admission admission = verbs[e->command_case].admission;
    parts_of(e, &p);
    if (d->draining && admission == ADMIT_REPORT) return command_refuse(d, c, e, REFUSED_DRAINING, NULL), 0;
    if (!store_admits(d->store, admission)) return command_refuse(d, c, e, REFUSED_RETRY_LATER, NULL), 0;
    int r = load(d, &p, &in, &refusal);
    if (r < 0) return r;
    if (refusal) return command_refuse(d, c, e, refusal, "case_id"), 0;
    in.by = slice_of(e->by ? e->by : "");
    in.origin = slice_of(e->origin ? e->origin : "");
    r = load_others(d, &p, &in);
    if (r < 0) return r;
    r = load_batch(d, e, &in, &refusal);
    if (r < 0) return r;
    if (refusal) return command_refuse(d, c, e, refusal, "batch"), 0;
    r = seal_texts(d, &p, p.case_id ? d->before.slot : in.slot, hash);
    if (r == -ENOENT) return command_refuse(d, c, e, REFUSED_RETRY_LATER, NULL), 0;      /* no key slot is ready yet */
    if (r < 0 && r != -ENODATA) return r;
    in.source = slice_of(c->source.name);
    decide(&in, &p.order, &decision);
    if (decision.refusal) return command_refuse(d, c, e, decision.refusal, decision.field), 0;
    PbRecord record;
    const char *source = c->work ? "work" : c->source.name;
    r = journal(d, source, e, hash, &decision, &record);
    if (r < 0) return r;
    COUNT(ACKNOWLEDGED);
    command_done(d, c, e, record.first_seq + record.n_events - 1, &d->after, d->now_ms);
    return 0;
}

/* Queries wait for the end of the turn: they are answered from what is on disk. */
static void hold_query(struct daemon *d, const struct command *c, PbEnvelope *e) {
    if (!guard_may(&c->source, GUARD_QUERY, 0)) return command_refuse(d, c, e, REFUSED_NOT_PERMITTED, NULL);
    if (d->queries_count == TURN_QUERIES_MAX) return command_refuse(d, c, e, REFUSED_BUSY, NULL);
    d->queries[d->queries_count++] = (struct query){ .peer = c->peer, .source = c->source, .envelope = e };
}

/* ---- the broker's own orders ----------------------------------------------------------------------------------- */

static int own_order(struct daemon *d, const char *source, uint64_t case_id, const struct order *order,
                     PbRefusal *ret) {
    struct parts p = { .case_id = case_id };
    struct decide_input in;
    struct decision decision;
    PbRecord record;
    *ret = REFUSED_NOTHING;
    int r = load(d, &p, &in, ret);
    if (r < 0 || *ret) return r;
    decide(&in, order, &decision);
    if (decision.refusal) return *ret = decision.refusal, 0;
    return journal(d, source, NULL, NULL, &decision, &record);
}

int command_recompute(struct daemon *d, uint64_t case_id, bool dry, const PbDueMoved **ret) {
    struct parts p = { .case_id = case_id };
    struct order order = { .kind = ORDER_RECOMPUTE };
    struct decide_input in;
    struct decision decision;
    PbRecord record;
    PbRefusal refusal = REFUSED_NOTHING;
    *ret = NULL;
    int r = load(d, &p, &in, &refusal);
    if (r < 0 || refusal) return r;
    decide(&in, &order, &decision);
    if (decision.refusal) return 0;
    *ret = decision.events[0]->due_moved;
    return dry ? 0 : journal(d, "broker", NULL, NULL, &decision, &record);
}

int command_deadline(struct daemon *d, const struct due_row *due) {
    PbRefusal refusal;
    struct order order = { .kind = ORDER_DEADLINE, .deadline.kind = due->kind };
    int64_t late_ms = d->now_ms - due->due_ms;
    CHECK(late_ms >= 0);                              /* never early */
    int r = own_order(d, "timer", due->case_id, &order, &refusal);
    CHECK(r < 0 || refusal == REFUSED_NOTHING); /* the row and the case are one fold: they agree */
    if (r < 0) return r;
    COUNT(DEADLINES);
    histogram_add(&d->lateness, (uint64_t)late_ms);
    if (late_ms > 1000) COUNT(DEADLINES_LATE);
    return 0;
}

int command_archive(struct daemon *d, uint64_t case_id, int64_t ended_before_ms) {
    PbRefusal refusal;
    struct order order = { .kind = ORDER_ARCHIVE, .archive.ended_before_ms = ended_before_ms };
    int r = own_order(d, "broker", case_id, &order, &refusal);
    CHECK(r < 0 || refusal == REFUSED_NOTHING); /* who walked the rows asked what decide asks */
    return r;
}

static int offer_failed(struct daemon *d, const struct pool_item *item, PbOfferEnd how, int64_t retry_ms,
                        PbRefusal *ret) {
    struct order order = { .kind = ORDER_OFFER_FAILED };
    order.offer_failed.stage = item->token.stage;
    order.offer_failed.attempt = item->token.attempt;
    order.offer_failed.tries = item->token.tries;
    order.offer_failed.how = how;
    order.offer_failed.retry_ms = retry_ms;
    int r = own_order(d, "work", item->token.case_id, &order, ret);
    if (r < 0) return r;
    COUNT(OFFERS_FAILED);
    if (!*ret && d->after.offer_dead) COUNT(DEAD_LETTERS);
    return 0;
}

/* After its lease or under an older epoch it is late: recorded, changes nothing. */
int command_offer_failed(struct daemon *d, const struct pool_item *item) {
    PbRefusal refusal;
    int r = offer_failed(d, item, item->current ? item->how : OFFER_LATE, item->current ? item->retry_ms : 0, &refusal);
    if (r == 0) pool_taken(d->pool, item, refusal, store_next_seq(d->store) - 1);
    return r;
}

/* A decision that was refused: its lease is gone, so the work must be offered again, and not for ever. */
static int offer_refused(struct daemon *d, const struct pool_item *item, PbRefusal why) {
    PbRefusal moved_on;
    int r = item->current ? offer_failed(d, item, OFFER_REFUSED, REFUSED_RETRY_MS, &moved_on) : 0;
    if (r == 0) pool_taken(d->pool, item, why, 0);
    return r;
}

/* ---- the door -------------------------------------------------------------------------------------------------- */

/* What a worker may say with its lease: what becomes of the case that it was offered. */
static bool decides(const PbEnvelope *e, const struct pool_item *work) {
    struct parts p;
    if (e->command_case != COMMAND_DISPATCH && e->command_case != COMMAND_ESCALATE && e->command_case != COMMAND_REJECT)
        return false;
    parts_of(e, &p);
    return p.case_id == work->token.case_id;
}

/* It has no receipt. May it be so old that it had one? A desk's decision never asks: its case tells what is over. */
static PbRefusal check_age(const struct daemon *d, const struct command *c, const PbEnvelope *e,
                           const char **ret_field) {
    static const PbRefusal refusals[]
        = { [AGE_YOUNG] = REFUSED_NOTHING, [AGE_STALE] = REFUSED_STALE, [AGE_UNKNOWN] = REFUSED_FIELD_MISSING };
    static const char *const fields[]
        = { [AGE_YOUNG] = NULL, [AGE_STALE] = "command_id", [AGE_UNKNOWN] = "sent_at_ms" };
    if (c->work) return *ret_field = NULL, REFUSED_NOTHING;
    enum command_age age = store_age(d->store, e->command_id.data, e->has_sent_at_ms ? &e->sent_at_ms : NULL);
    *ret_field = fields[age];
    return refusals[age];
}

static enum guard_verb guard_verb(const PbEnvelope *e) {
    bool operates = office_takes(e) || e->has_batch || verbs[e->command_case].operator;
    return operates ? GUARD_OPERATE : GUARD_COMMAND;
}

static int command_take(struct daemon *d, const struct command *c) {
    struct codec_result why;
    struct receipt receipt;
    const char *field;
    COUNT(COMMANDS);
    PbEnvelope *e = codec_unpack(CODEC_ENVELOPE, c->bytes, &d->room, &why);
    if (!e) {
        COUNT(FRAMES_BAD);
        if (c->work) return command_refuse(d, c, NULL, why.refusal, why.field), 0;
        return front_refuse(d->front, c->peer, codec_peek_id(c->bytes), why.refusal, why.field), 0;
    }
    PbRefusal refusal = check_envelope(d, e, &field);
    if (refusal) return command_refuse(d, c, e, refusal, field), 0;
    if (c->work && !decides(e, c->work)) return command_refuse(d, c, e, REFUSED_NOT_PERMITTED, "decision"), 0;
    if (!is_journaled(e) && !office_takes(e)) return hold_query(d, c, e), 0;
    if (d->stopping) return command_refuse(d, c, e, REFUSED_STOPPING, NULL), 0;
    if (d->read_only) return command_refuse(d, c, e, REFUSED_READ_ONLY, NULL), 0;
    if (!guard_may(&c->source, guard_verb(e), 0)) return command_refuse(d, c, e, REFUSED_NOT_PERMITTED, NULL), 0;
    struct hash hash = store_command_hash(d->store, c->bytes);
    struct slice source = c->work ? SLICE("work") : slice_of(c->source.name);
    int r = store_receipt(d->store, source, e->command_id.data, &receipt);
    if (r == 0) return repeat(d, c, e, &receipt, &hash);
    if (r != -ENOENT) return r;
    refusal = check_age(d, c, e, &field);
    if (refusal) return command_refuse(d, c, e, refusal, field), 0;
    if (d->drill && drill_is_driven(d) && !c->work && !c->due) {
        refusal = drill_hold(d, c, e);
        return refusal ? command_refuse(d, c, e, refusal, "drill_at_ms") : (void)0, 0;
    }
    if (c->work && !c->work->current) return command_offer_failed(d, c->work);
    return office_takes(e) ? office_take(d, c, e, &hash) : decide_and_journal(d, c, e, &hash);
}

int command_do(struct daemon *d, const struct command *c) {
    d->work_refused = REFUSED_NOTHING;
    int r = command_take(d, c);
    return r == 0 && d->work_refused != REFUSED_NOTHING ? offer_refused(d, c->work, d->work_refused) : r;
}
