/* pool.c: workers of the desks. Sign on, credit, offers, leases, results.
 *
 * A lease is volatile: token = (epoch journaled at start, number). What must survive is in the journal: the work itself
 * (a function of the case) and each failed attempt. So a worker or the broker may be killed at any moment: the work is
 * offered again, and a result under an old token is late.
 *
 * Work rows are ordered by readiness, and every change of a row moves it behind: so a worker's place in its level's
 * rows only goes forward, and goes back to the beginning only when leases were given back without a trace in the rows
 * (goodbye). */
#include "daemon/gates/pool_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { TAKE_MAX = 4096, SPEAK_OFFERS_MAX = 1024, SCAN_MAX = 8192 };

/* ---- leases ---------------------------------------------------------------------------------------------------- */

static struct lease *lease_of_case(struct pool *p, uint64_t case_id) {
    for (uint32_t i = p->lease_hash[case_id % LEASE_HASH]; i != LEASE_NONE; i = p->leases[i].next)
        if (p->leases[i].case_id == case_id) return &p->leases[i];
    return NULL;
}

PbLeaseToken lease_token(const struct pool *p, const struct lease *l) {
    PbLeaseToken t = { .has_epoch = 1, .epoch = p->epoch };
    SET(&t, number, l->number);
    SET(&t, case_id, l->case_id);
    SET(&t, stage, l->stage);
    SET(&t, attempt, l->attempt);
    SET(&t, tries, l->tries);
    return t;
}

static struct lease *lease_find(struct pool *p, const PbLeaseToken *t) {
    struct lease *l = lease_of_case(p, t->case_id);
    bool same = l && l->number == t->number && t->epoch == p->epoch && l->stage == t->stage && l->attempt == t->attempt
                && l->tries == t->tries;
    return same ? l : NULL;
}

static struct lease *lease_new(struct pool *p, struct worker *w, const struct work_row *row, int64_t mono_ms) {
    CHECK(p->leases_free != LEASE_NONE);
    uint32_t at = p->leases_free;
    struct lease *l = &p->leases[at];
    p->leases_free = l->next;
    *l = (struct lease){
        .case_id = row->case_id, .number = ++p->lease_numbers, .worker = w->session, .stage = row->stage,
        .attempt = row->attempt, .tries = row->tries, .expires_ms = mono_ms + p->options.lease_ms,
        .next = p->lease_hash[row->case_id % LEASE_HASH],
    };
    p->lease_hash[row->case_id % LEASE_HASH] = at;
    p->leases_count++;
    return l;
}

static void lease_end(struct pool *p, struct lease *l) {
    uint32_t at = (uint32_t)(l - p->leases), *link = &p->lease_hash[l->case_id % LEASE_HASH];
    while (*link != at) {
        CHECK(*link != LEASE_NONE);
        link = &p->leases[*link].next;
    }
    *link = l->next;
    *l = (struct lease){ .next = p->leases_free };
    p->leases_free = at;
    p->leases_count--;
}

/* ---- workers --------------------------------------------------------------------------------------------------- */

static struct worker *worker_of(struct pool *p, struct wire_peer peer) {
    for (unsigned i = 0; i < p->workers_used; i++)
        if (p->workers[i].session && p->workers[i].peer.id == peer.id) return &p->workers[i];
    return NULL;
}

static void tell(struct pool *p, struct wire_peer to, PbPoolFrame *frame) {
    uint8_t bytes[512];
    struct slice one = small_packed(CODEC_POOL_FRAME, frame, bytes, sizeof bytes);
    wire_send(p->socket, to, &one, 1); /* a worker that does not read falls silent, and its leases run out */
}

static void refuse(struct pool *p, struct wire_peer to, PbRefusal code) {
    PbRefused refused = refused_of(code);
    PbPoolFrame frame = { .pool_says_case = POOL_SAYS_REFUSED, .refused = &refused };
    tell(p, to, &frame);
}

static void rewind_level(struct pool *p, PbLevel level) {
    for (unsigned i = 0; i < p->workers_used; i++)
        if (p->workers[i].level == level) p->workers[i].seen_any = false;
}

/* Its leases go; the work they were for is offered to others. A clean goodbye is no failed attempt. */
static void worker_leaves(struct pool *p, struct worker *w, bool cleanly) {
    for (uint32_t i = 0; i < LEASES_MAX; i++) {
        struct lease *l = &p->leases[i];
        if (!l->case_id || l->worker != w->session || l->answered) continue;
        if (cleanly) lease_end(p, l);
        else l->expires_ms = INT64_MIN;
    }
    if (cleanly) rewind_level(p, w->level);
    *w = (struct worker){ .session = 0 };
}

static void keep_tokens(struct pool *p, struct worker *w, const PbWorkerHello *h) {
    for (size_t i = 0; i < h->n_tokens; i++) {
        struct lease *l = lease_find(p, h->tokens[i]);
        if (l) {
            l->worker = w->session;
            continue;
        }
        PbPoolFrame frame = { .pool_says_case = POOL_SAYS_LEASE_LOST, .lease_lost = h->tokens[i] };
        tell(p, w->peer, &frame);
    }
}

static void on_hello(struct pool *p, struct wire_peer from, const PbWorkerHello *h, int64_t mono_ms, int64_t now_ms) {
    struct worker *w = worker_of(p, from);
    for (unsigned i = 0; !w && i < WORKERS_MAX; i++)
        if (!p->workers[i].session) w = &p->workers[i];
    if (!w) return refuse(p, from, REFUSED_TOO_MANY_SESSIONS);
    unsigned end = (unsigned)(w - p->workers) + 1;
    p->workers_used = end > p->workers_used ? end : p->workers_used;
    if (h->n_divisions == 0 || h->n_divisions > WORKER_DIVISIONS_MAX)
        return refuse(p, from, REFUSED_TOO_MANY_PREFIXES);
    for (size_t i = 0; i < h->n_divisions; i++)
        if (!division_digits(h->divisions[i])) return refuse(p, from, REFUSED_BAD_DIVISION);
    *w = (struct worker){
        .session = ++p->sessions, .peer = from, .level = h->level, .heard_ms = mono_ms, .told_ms = mono_ms,
    };
    w->divisions_count = (unsigned)h->n_divisions;
    memcpy(w->divisions, h->divisions, h->n_divisions * sizeof w->divisions[0]);
    PbWelcome welcome = welcome_of(p->store, p->options.drill, now_ms);
    SET(&welcome, session, w->session);
    PbPoolFrame frame = { .pool_says_case = POOL_SAYS_WELCOME, .welcome = &welcome };
    tell(p, from, &frame);
    keep_tokens(p, w, h);
}

/* ---- results --------------------------------------------------------------------------------------------------- */

/* The lease stays until its result is decided (pool_taken): its work is offered to nobody else meanwhile. */
static bool on_result(struct pool *p, struct worker *w, const struct source *source, const PbWorkerResult *r,
                      struct pool_item *ret) {
    if (!r->token) return refuse(p, w->peer, REFUSED_FIELD_MISSING), false;
    if (!r->has_failed && !r->has_decision) return refuse(p, w->peer, REFUSED_FIELD_MISSING), false;
    if (r->has_failed && r->failed > OFFER_REJECTED) return refuse(p, w->peer, REFUSED_FIELD_RANGE), false;
    struct lease *l = lease_find(p, r->token);
    *ret = (struct pool_item){ .peer = w->peer, .source = *source, .token = *r->token };
    ret->current = l && !l->answered;
    if (ret->current) l->answered = true;
    else COUNT(OFFERS_LATE);
    ret->kind = r->has_failed ? POOL_FAILED : POOL_RESULT;
    ret->how = r->failed;
    ret->retry_ms = r->retry_ms;
    ret->decision = slice_from(r->decision.data, r->decision.len);
    return true;
}

static void on_extend(struct pool *p, const PbWorkerExtend *e, int64_t mono_ms) {
    struct lease *l = e->token ? lease_find(p, e->token) : NULL;
    if (l) l->expires_ms = mono_ms + p->options.lease_ms;
}

static void on_credit(struct worker *w, const PbWorkerCredit *c) {
    w->credit = c->more > WORKER_CREDIT_MAX - w->credit ? WORKER_CREDIT_MAX : w->credit + c->more;
}

/* One frame; true when the turn has something to decide. */
static bool on_frame(struct pool *p, const struct wire_message *m, int64_t mono_ms, int64_t now_ms,
                     struct pool_item *ret) {
    struct source source;
    struct codec_result why;
    if (!guard_source(m->address, &source) || !guard_may(&source, GUARD_WORK, 0)) return COUNT(STRANGERS), false;
    arena_reset(&p->room);
    if (m->frames != 1) return COUNT(FRAMES_BAD), refuse(p, m->from, REFUSED_FRAME_COUNT), false;
    const PbWorkerFrame *f = codec_unpack(CODEC_WORKER_FRAME, m->frame[0], &p->room, &why);
    if (!f) return COUNT(FRAMES_BAD), refuse(p, m->from, why.refusal), false;
    if (f->version != PROTOCOL_VERSION) return refuse(p, m->from, REFUSED_VERSION), false;
    if (f->worker_says_case == WORKER_SAYS_HELLO) return on_hello(p, m->from, f->hello, mono_ms, now_ms), false;
    struct worker *w = worker_of(p, m->from);
    if (!w) return refuse(p, m->from, REFUSED_NO_SESSION), false;
    w->heard_ms = mono_ms;
    w->lapsed = false;
    switch (f->worker_says_case) {
    case WORKER_SAYS_CREDIT: return on_credit(w, f->credit), false;
    case WORKER_SAYS_RESULT: return on_result(p, w, &source, f->result, ret);
    case WORKER_SAYS_EXTEND: return on_extend(p, f->extend, mono_ms), false;
    case WORKER_SAYS_GOODBYE: return worker_leaves(p, w, true), false;
    default: return false;                                    /* a heartbeat, or a word of a later version */
    }
}

/* ---- time ------------------------------------------------------------------------------------------------------ */

static void silence(struct pool *p, int64_t mono_ms) {
    for (unsigned i = 0; i < p->workers_used; i++) {
        struct worker *w = &p->workers[i];
        if (!w->session || mono_ms - w->heard_ms < SILENCE_MS) continue;
        COUNT(WORKERS_GONE);
        worker_leaves(p, w, false);
    }
}

/* Who lets a lease run out is perhaps not there any more: what it did not answer goes to others, not to it again. */
static void worker_lapses(struct pool *p, uint64_t session) {
    for (unsigned i = 0; i < p->workers_used; i++)
        if (p->workers[i].session == session) p->workers[i].lapsed = true;
}

/* A lease that ran out is a failed attempt, and the turn journals it. */
static bool expire_one(struct pool *p, int64_t mono_ms, struct pool_item *ret) {
    for (uint32_t i = 0; p->leases_count && i < LEASES_MAX; i++) {
        struct lease *l = &p->leases[i];
        if (!l->case_id || l->answered || l->expires_ms > mono_ms) continue;
        *ret = (struct pool_item){
            .kind = POOL_FAILED, .current = true, .how = OFFER_EXPIRED, .token = lease_token(p, l),
        };
        COUNT(OFFERS_EXPIRED);
        worker_lapses(p, l->worker);
        lease_end(p, l);
        return true;
    }
    return false;
}

bool pool_take(struct pool *p, int64_t mono_ms, int64_t now_ms, struct pool_item *ret) {
    struct wire_message m;
    for (unsigned i = 0; i < TAKE_MAX; i++) {
        if (wire_receive(p->socket, &m) != 1) {
            if (mono_ms - p->swept_ms < 100) return false;    /* liveness is judged only after draining */
            silence(p, mono_ms);
            if (expire_one(p, mono_ms, ret)) return true;
            p->swept_ms = mono_ms;
            return false;
        }
        if (on_frame(p, &m, mono_ms, now_ms, ret)) return true;
    }
    return false;
}

/* ---- out ------------------------------------------------------------------------------------------------------- */

void pool_taken(struct pool *p, const struct pool_item *item, PbRefusal refusal, uint64_t seq) {
    struct lease *l = item->current ? lease_find(p, &item->token) : NULL;
    if (l) lease_end(p, l);
    if (item->how == OFFER_EXPIRED && item->kind == POOL_FAILED) return;
    if (p->taken_count == TAKEN_MAX) return;                  /* it asks again with the same id */
    p->taken[p->taken_count++]
        = (struct taken){ .peer = item->peer, .token = item->token, .refusal = refusal, .seq = seq };
}

static void say_taken(struct pool *p, struct taken *t) {
    PbResultTaken taken = { .token = &t->token, .has_seq = 1, .seq = t->seq };
    if (t->refusal != REFUSED_NOTHING) taken.has_refusal = 1, taken.refusal = t->refusal;
    PbPoolFrame frame = { .pool_says_case = POOL_SAYS_TAKEN, .taken = &taken };
    tell(p, t->peer, &frame);
}

static bool covers(const struct worker *w, uint64_t division) {
    for (unsigned i = 0; i < w->divisions_count; i++)
        if (division_covers(w->divisions[i], division)) return true;
    return false;
}

/* Offers to one worker what waits at its level, from where it last looked. What became ready in this millisecond is
 * looked at again: another case may yet become ready in it, and come before. */
static int offer_to(struct pool *p, struct worker *w, unsigned *left, int64_t mono_ms, int64_t now_ms,
                    struct arena *room) {
    struct work_row at = w->seen, row;
    bool any = w->seen_any;
    for (unsigned scanned = 0; w->credit && *left && p->leases_free != LEASE_NONE; scanned++) {
        if (scanned == SCAN_MAX) return p->more = true, 0;
        int r = store_next_work(p->store, w->level, any ? &at : NULL, &row);
        if (r == -ENOENT || (r == 0 && row.ready_ms > now_ms)) return 0;
        if (r < 0) return r;
        at = row;
        any = true;
        if (row.ready_ms < now_ms) w->seen = row, w->seen_any = true;
        if (!covers(w, row.division) || lease_of_case(p, row.case_id)) continue;
        struct lease *l = lease_new(p, w, &row, mono_ms);
        r = pool_offer(p, w, l, now_ms, room);
        if (r <= 0) {                                         /* it does not read: later, or it falls silent */
            lease_end(p, l);
            w->seen_any = false;
            return r;
        }
        w->credit--;
        --*left;
        COUNT(OFFERS);
    }
    return 0;
}

static void heartbeats(struct pool *p, int64_t mono_ms) {
    PbHeartbeat beat = { .has_n = 1, .n = p->epoch };
    PbPoolFrame frame = { .pool_says_case = POOL_SAYS_HEARTBEAT, .heartbeat = &beat };
    for (unsigned i = 0; i < p->workers_used; i++) {
        struct worker *w = &p->workers[i];
        if (!w->session || mono_ms - w->told_ms < HEARTBEAT_MS) continue;
        w->told_ms = mono_ms;
        tell(p, w->peer, &frame);
    }
}

int pool_speak(struct pool *p, int64_t mono_ms, int64_t now_ms, struct arena *room) {
    for (unsigned i = 0; i < p->taken_count; i++) say_taken(p, &p->taken[i]);
    p->taken_count = 0;
    p->more = false;
    unsigned left = SPEAK_OFFERS_MAX;
    for (unsigned i = 0; i < p->workers_used && left; i++) {
        struct worker *w = &p->workers[(p->turn_of + i) % p->workers_used];
        int r = w->session && w->credit && !w->lapsed ? offer_to(p, w, &left, mono_ms, now_ms, room) : 0;
        if (r < 0) return r;
    }
    p->turn_of++;                                             /* nobody is always served first */
    if (left == 0) p->more = true;
    heartbeats(p, mono_ms);
    return 0;
}

void pool_forget(struct pool *p) {
    p->taken_count = 0;
}

/* ---- figures and life ------------------------------------------------------------------------------------------ */

unsigned pool_offers_open(const struct pool *p) {
    return p->leases_count;
}

unsigned pool_workers(const struct pool *p, PbLevel level) {
    unsigned count = 0;
    for (unsigned i = 0; i < p->workers_used; i++) count += p->workers[i].session && p->workers[i].level == level;
    return count;
}

unsigned pool_workers_all(const struct pool *p) {
    unsigned count = 0;
    for (unsigned i = 0; i < p->workers_used; i++) count += p->workers[i].session != 0;
    return count;
}

bool pool_wants_turn(const struct pool *p) {
    return p->more;
}

int64_t pool_next_ms(const struct pool *p, int64_t mono_ms) {
    int64_t next = 1000;
    for (unsigned i = 0; i < p->workers_used; i++)
        if (p->workers[i].session && p->workers[i].told_ms + HEARTBEAT_MS - mono_ms < next)
            next = p->workers[i].told_ms + HEARTBEAT_MS - mono_ms;
    return next > 0 ? next : 0;
}

int pool_open(struct pool **ret, struct wire *w, const struct pool_options *o, struct store *s) {
    struct pool *p = memory_or_die(sizeof *p);
    int r = wire_bind(&p->socket, w, o->endpoint);
    if (r < 0) return free(p), r;
    p->options = *o;
    p->store = s;
    p->epoch = store_epoch(s);
    p->leases = memory_or_die(LEASES_MAX * sizeof *p->leases);
    for (uint32_t i = 0; i < LEASES_MAX; i++) p->leases[i].next = i + 1 < LEASES_MAX ? i + 1 : LEASE_NONE;
    for (uint32_t i = 0; i < LEASE_HASH; i++) p->lease_hash[i] = LEASE_NONE;
    arena_wrap(&p->room, memory_or_die(ROOM_BYTES), ROOM_BYTES);
    *ret = p;
    return 0;
}

struct wire_socket *pool_socket(struct pool *p) {
    return p->socket;
}

void pool_close(struct pool *p) {
    PbGoodbye goodbye = { .why = (char *)"stopping" };
    PbPoolFrame frame = { .pool_says_case = POOL_SAYS_GOODBYE, .goodbye = &goodbye };
    for (unsigned i = 0; i < p->workers_used; i++)
        if (p->workers[i].session) tell(p, p->workers[i].peer, &frame);
    wire_socket_close(p->socket);
    free(p->room.base);
    free(p->leases);
    free(p);
}
