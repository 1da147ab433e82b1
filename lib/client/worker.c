/* worker.c: a desk's side of the pool. Offers come as far as credit was granted; each is held here until its result is
 * taken, or its lease lost.
 *
 *   offer ──▶ held OPEN ──▶ caller ──▶ done, retry, reject ──▶ held ENDED (the frame is kept) ──▶ taken
 *                  └──────────────────── lease_lost ─────────────────┴──────────────────────────▶ free
 *
 * A reconnect begins a new session: hello presents the tokens of all that is held, and results go out again as they
 * were. What the broker has no lease for any more it says is lost: it has counted the result, or offers the work
 * again. */
#include "lib/client/contact.h"
#include "lib/client/whistle.h"
#include "lib/crypto/crypto.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    HELD_MAX = WHISTLE_CREDIT_MAX,                /* and what a hello may present (codec.c) */
    AGAIN_MS = 10000,                             /* a result without `taken`; connected, libzmq loses nothing */
    SETTLE_MS = 100,                              /* after a welcome: leases that are lost are told right behind it */
    REFUSED_RETRY_MS = 5000,
    PROGRAM_MAX = 64,
    RESULT_BYTES_MAX = WHISTLE_DECISION_BYTES_MAX + 128,
    HELLO_ROOM_BYTES = 64 << 10,
    ROOM_BYTES = (16 << 10) + 32 * WIRE_FRAME_BYTES_MAX,
};

enum held_state { HELD_FREE, HELD_OPEN, HELD_ENDED };

struct held {
    enum held_state state;
    PbLeaseToken token;
    int64_t now_ms;                               /* of the offer: what its decision says it was sent at */
    int64_t due_ms;                               /* ENDED: when its frame goes out next; 0: once settled */
    uint32_t len;                                 /* of its frame */
};

struct whistle_worker {
    struct contact contact;
    PbLevel level;
    uint64_t divisions[WHISTLE_DIVISIONS_MAX];
    unsigned divisions_count, credit;
    char program[PROGRAM_MAX];
    int64_t settled_ms;                           /* the session's beginning is over, what was lost has been told */
    bool turned_away;
    PbRefusal why;
    unsigned granted;                             /* credit the broker has and has not used */
    unsigned open, ended;                         /* how many are held */
    struct held held[HELD_MAX];
    uint8_t (*frames)[RESULT_BYTES_MAX];          /* of results, by place in held */
    struct arena room;
    uint8_t hello_room[HELLO_ROOM_BYTES];
    struct whistle_worker_counts counts;
};

/* ---- life -------------------------------------------------------------------------------------------------------- */

int whistle_worker_open(struct whistle_worker **ret, const struct whistle_worker_options *o) {
    CHECK(ret != NULL && o != NULL);
    size_t program = o->program != NULL ? strlen(o->program) : 0;
    if (o->endpoint == NULL || o->divisions_count == 0 || o->divisions_count > WHISTLE_DIVISIONS_MAX)
        return -EINVAL;
    if (o->credit == 0 || o->credit > WHISTLE_CREDIT_MAX || program >= PROGRAM_MAX)
        return -EINVAL;
    struct contact contact;
    int r = contact_open(&contact, o->endpoint);
    if (r < 0)
        return r;
    struct whistle_worker *w = memory_or_die(sizeof(*w));
    w->contact = contact;
    w->level = o->level;
    w->divisions_count = o->divisions_count;
    memcpy(w->divisions, o->divisions, o->divisions_count * sizeof(w->divisions[0]));
    w->credit = o->credit;
    if (program > 0)
        memcpy(w->program, o->program, program);
    w->frames = memory_or_die(HELD_MAX * sizeof(w->frames[0]));
    arena_wrap(&w->room, memory_or_die(ROOM_BYTES), ROOM_BYTES);
    *ret = w;
    return 0;
}

int whistle_worker_fd(const struct whistle_worker *w) {
    return wire_fd(w->contact.socket);
}

enum whistle_standing whistle_worker_standing(const struct whistle_worker *w, PbRefusal *ret_why) {
    if (w->contact.state == CONTACT_UP)
        return WHISTLE_SERVING;
    if (w->turned_away && ret_why != NULL)
        *ret_why = w->why;
    return w->turned_away ? WHISTLE_TURNED_AWAY : WHISTLE_AWAY;
}

const struct whistle_worker_counts *whistle_worker_counts(const struct whistle_worker *w) {
    return &w->counts;
}

/* ---- what is held ------------------------------------------------------------------------------------------------ */

static bool same_token(const PbLeaseToken *a, const PbLeaseToken *b) {
    return a->number == b->number && a->epoch == b->epoch && a->case_id == b->case_id && a->stage == b->stage &&
           a->attempt == b->attempt && a->tries == b->tries;
}

static struct held *held_find(struct whistle_worker *w, const PbLeaseToken *token) {
    for (unsigned i = 0; token != NULL && i < HELD_MAX; i++)
        if (w->held[i].state != HELD_FREE && same_token(&w->held[i].token, token))
            return &w->held[i];
    return NULL;
}

static struct held *held_new(struct whistle_worker *w) {
    for (unsigned i = 0; i < HELD_MAX; i++)
        if (w->held[i].state == HELD_FREE)
            return &w->held[i];
    return NULL;
}

static void held_set(struct whistle_worker *w, struct held *h, enum held_state state) {
    w->open -= h->state == HELD_OPEN;
    w->ended -= h->state == HELD_ENDED;
    h->state = state;
    w->open += state == HELD_OPEN;
    w->ended += state == HELD_ENDED;
    CHECK(w->open + w->ended <= HELD_MAX);
}

/* ---- out --------------------------------------------------------------------------------------------------------- */

static struct slice frame_packed(PbWorkerFrame *frame, struct arena *room) {
    frame->has_version = true;
    frame->version = PROTOCOL_VERSION;
    return codec_packed(CODEC_WORKER_FRAME, frame, room);
}

/* A small frame of the session's upkeep. Nobody there: the session is over. */
static int tell(struct whistle_worker *w, PbWorkerFrame *frame) {
    uint8_t memory[512];
    struct arena room;
    arena_wrap(&room, memory, sizeof(memory));
    struct slice bytes = frame_packed(frame, &room);
    CHECK(bytes.at != NULL);
    int r = contact_send(&w->contact, bytes);
    if (r < 0)
        contact_lost(&w->contact, GREETING_RETRY_MS);
    return r;
}

static void greet(struct whistle_worker *w) {
    PbLeaseToken *tokens[HELD_MAX];
    PbWorkerHello hello = {
        .has_version = true, .version = PROTOCOL_VERSION, .has_level = true, .level = w->level,
        .n_divisions = w->divisions_count, .divisions = w->divisions, .tokens = tokens,
        .program = w->program[0] != '\0' ? w->program : NULL,
    };
    for (unsigned i = 0; i < HELD_MAX; i++)
        if (w->held[i].state != HELD_FREE)
            tokens[hello.n_tokens++] = &w->held[i].token;
    PbWorkerFrame frame = {.worker_says_case = WORKER_SAYS_HELLO, .hello = &hello};
    struct arena room;
    arena_wrap(&room, w->hello_room, sizeof(w->hello_room));
    struct slice bytes = frame_packed(&frame, &room);
    CHECK(bytes.at != NULL);                      /* 256 tokens of 40 bytes */
    if (contact_send(&w->contact, bytes) < 0)
        contact_lost(&w->contact, GREETING_RETRY_MS);
    else
        contact_greeted(&w->contact);
}

/* What is held and what the broker may still send never exceed the table; in pieces, so that a result is one frame. */
static void grant(struct whistle_worker *w) {
    unsigned busy = w->granted + w->open, room = HELD_MAX - w->open - w->ended;
    unsigned more = busy < w->credit ? w->credit - busy : 0;
    if (w->granted + more > room)
        more = room > w->granted ? room - w->granted : 0;
    if (more < (w->credit + 1) / 2)
        return;
    PbWorkerCredit credit = {.has_more = true, .more = more};
    PbWorkerFrame frame = {.worker_says_case = WORKER_SAYS_CREDIT, .credit = &credit};
    if (tell(w, &frame) == 0)
        w->granted += more;
}

static void send_result(struct whistle_worker *w, struct held *h, int64_t now) {
    if (contact_send(&w->contact, slice_from(w->frames[h - w->held], h->len)) < 0) {
        contact_lost(&w->contact, GREETING_RETRY_MS);
        return;
    }
    h->due_ms = now + AGAIN_MS;
}

static void send_results_again(struct whistle_worker *w, int64_t now) {
    for (unsigned i = 0; w->ended > 0 && i < HELD_MAX && w->contact.state == CONTACT_UP; i++) {
        struct held *h = &w->held[i];
        if (h->state != HELD_ENDED || now < h->due_ms)
            continue;
        send_result(w, h, now);
        w->counts.resent++;
    }
}

void whistle_worker_close(struct whistle_worker *w) {
    if (w == NULL)
        return;
    PbGoodbye goodbye = {.why = NULL};
    PbWorkerFrame frame = {.worker_says_case = WORKER_SAYS_GOODBYE, .goodbye = &goodbye};
    if (w->contact.state == CONTACT_UP)
        tell(w, &frame);
    contact_close(&w->contact);
    free(w->frames);
    free(w->room.base);
    free(w);
}

/* ---- in ---------------------------------------------------------------------------------------------------------- */

static void on_welcome(struct whistle_worker *w) {
    w->contact.state = CONTACT_UP;
    w->turned_away = false;
    w->granted = 0;
    for (unsigned i = 0; i < HELD_MAX; i++)
        w->held[i].due_ms = 0;
    w->settled_ms = w->open + w->ended > 0 ? w->contact.heard_ms + SETTLE_MS : w->contact.heard_ms;
}

static void on_refused(struct whistle_worker *w, PbRefusal code) {
    bool no_session = code == REFUSED_NO_SESSION;
    if (no_session && w->contact.state == CONTACT_UP)
        contact_lost(&w->contact, 0);
    if (no_session || w->contact.state != CONTACT_GREETING)
        return;
    w->turned_away = true;
    w->why = code;
    contact_lost(&w->contact, REFUSED_RETRY_MS);
}

/* More than was granted, which only a session begun twice can bring: somebody else may have it. */
static void decline(struct whistle_worker *w, PbOffer *offer) {
    PbWorkerResult result = {.token = offer->token, .has_failed = true, .failed = OFFER_RETRY, .has_retry_ms = true};
    PbWorkerFrame frame = {.worker_says_case = WORKER_SAYS_RESULT, .result = &result};
    tell(w, &frame);
}

/* True: it is for the caller. */
static bool on_offer(struct whistle_worker *w, PbOffer *offer) {
    if (offer->token == NULL || held_find(w, offer->token) != NULL)
        return false;
    w->granted -= w->granted > 0;
    struct held *h = held_new(w);
    if (h == NULL) {
        decline(w, offer);
        return false;
    }
    h->token = *offer->token;
    h->now_ms = offer->now_ms;
    held_set(w, h, HELD_OPEN);
    w->counts.offers++;
    return true;
}

static void on_taken(struct whistle_worker *w, const PbResultTaken *taken) {
    struct held *h = held_find(w, taken->token);
    if (h == NULL || h->state != HELD_ENDED)
        return;
    held_set(w, h, HELD_FREE);
    w->counts.taken++;
    w->counts.refused += taken->has_refusal && taken->refusal != REFUSED_NOTHING;
}

static void on_lost(struct whistle_worker *w, const PbLeaseToken *token) {
    struct held *h = held_find(w, token);
    if (h == NULL)
        return;
    held_set(w, h, HELD_FREE);
    w->counts.lost++;
}

/* The offer, if it is one for the caller. */
static const PbOffer *on_message(struct whistle_worker *w, const struct wire_message *m) {
    struct codec_result why;
    arena_reset(&w->room);
    const PbPoolFrame *frame = m->frames == 1 ? codec_unpack(CODEC_POOL_FRAME, m->frame[0], &w->room, &why) : NULL;
    if (frame == NULL)
        return NULL;                              /* a word of a newer broker */
    switch (frame->pool_says_case) {
    case POOL_SAYS_WELCOME:
        on_welcome(w);
        return NULL;
    case POOL_SAYS_OFFER:
        return on_offer(w, frame->offer) ? frame->offer : NULL;
    case POOL_SAYS_TAKEN:
        on_taken(w, frame->taken);
        return NULL;
    case POOL_SAYS_LEASE_LOST:
        on_lost(w, frame->lease_lost);
        return NULL;
    case POOL_SAYS_REFUSED:
        on_refused(w, frame->refused->code);
        return NULL;
    case POOL_SAYS_GOODBYE:
        contact_lost(&w->contact, GREETING_MS / 10);     /* it is still there, and would not answer */
        return NULL;
    default:
        return NULL;                              /* a heartbeat */
    }
}

/* ---- time -------------------------------------------------------------------------------------------------------- */

static int keep_up(struct whistle_worker *w, int64_t now) {
    PbHeartbeat heartbeat = {.has_n = false};
    PbWorkerFrame beat = {.worker_says_case = WORKER_SAYS_HEARTBEAT, .heartbeat = &heartbeat};
    if (w->contact.state == CONTACT_UP && now >= w->settled_ms) {
        send_results_again(w, now);
        grant(w);
    }
    switch (contact_need(&w->contact, now)) {
    case CONTACT_NOTHING:
        return 0;
    case CONTACT_GREET:
        greet(w);
        return 0;
    case CONTACT_BEAT:
        tell(w, &beat);
        return 0;
    case CONTACT_RENEW:
        return contact_renew(&w->contact);
    }
    NEVER("a need that nobody meets");
}

int whistle_worker_next(struct whistle_worker *w, int wait_ms, const PbOffer **ret) {
    CHECK(w != NULL && ret != NULL && wait_ms >= 0);
    int64_t until = contact_now_ms() + wait_ms;
    for (;;) {
        struct wire_message m;
        int r;
        while ((r = contact_receive(&w->contact, &m)) == 1) {
            const PbOffer *offer = on_message(w, &m);
            if (offer != NULL) {
                *ret = offer;
                return 1;
            }
        }
        int64_t now = contact_now_ms();
        if (r == 0)
            r = keep_up(w, now);
        if (r < 0)
            return r;
        if (wire_readable(w->contact.socket))
            continue;
        if (now >= until)
            return 0;
        int64_t due = contact_due_ms(&w->contact);
        if (w->contact.state == CONTACT_UP && now < w->settled_ms)
            due = w->settled_ms;
        if (contact_wait(&w->contact, due < until ? due : until) == -EINTR)
            return 0;
    }
}

/* ---- the end of an offer ----------------------------------------------------------------------------------------- */

/* The same work, decided by whomever and how often, is the same command. */
static void decision_id(const PbLeaseToken *t, uint8_t id[COMMAND_ID_SIZE]) {
    uint8_t bytes[24] = "work";
    put_le64(bytes + 4, t->case_id);
    put_le32(bytes + 12, t->stage);
    put_le32(bytes + 16, t->attempt);
    put_le32(bytes + 20, t->tries);
    struct hash h = hash_of(slice_from(bytes, sizeof(bytes)));
    memcpy(id, h.byte, COMMAND_ID_SIZE);
}

static int decision_packed(const struct held *h, const PbEnvelope *decision, struct arena *room, struct slice *ret) {
    uint8_t id[COMMAND_ID_SIZE];
    PbEnvelope e = *decision;
    decision_id(&h->token, id);
    e.has_version = true, e.version = PROTOCOL_VERSION;
    e.has_command_id = true, e.command_id = (ProtobufCBinaryData){.len = sizeof(id), .data = id};
    e.has_sent_at_ms = true, e.sent_at_ms = h->now_ms;
    *ret = codec_packed(CODEC_ENVELOPE, &e, room);
    if (ret->at == NULL)
        return -EMSGSIZE;
    return codec_check(CODEC_ENVELOPE, *ret).refusal == REFUSED_NOTHING ? 0 : -EBADMSG;
}

static int end(struct whistle_worker *w, struct held *h, PbWorkerResult *result) {
    struct arena room;
    PbWorkerFrame frame = {.worker_says_case = WORKER_SAYS_RESULT, .result = result};
    result->token = &h->token;
    arena_wrap(&room, w->frames[h - w->held], RESULT_BYTES_MAX);
    struct slice bytes = frame_packed(&frame, &room);
    CHECK(bytes.at == w->frames[h - w->held]);    /* a decision, a token and their tags */
    h->len = (uint32_t)bytes.len;
    h->due_ms = contact_now_ms();
    held_set(w, h, HELD_ENDED);
    w->counts.results++;
    if (w->contact.state == CONTACT_UP)
        send_result(w, h, h->due_ms);
    return 0;
}

static struct held *open_find(struct whistle_worker *w, const PbLeaseToken *token) {
    CHECK(w != NULL && token != NULL);
    struct held *h = held_find(w, token);
    return h != NULL && h->state == HELD_OPEN ? h : NULL;
}

int whistle_worker_done(struct whistle_worker *w, const PbLeaseToken *token, PbEnvelope *decision) {
    struct held *h = open_find(w, token);
    if (h == NULL)
        return -ENOENT;
    uint8_t memory[WHISTLE_DECISION_BYTES_MAX];
    struct arena room;
    struct slice bytes;
    arena_wrap(&room, memory, sizeof(memory));
    int r = decision_packed(h, decision, &room, &bytes);
    if (r < 0)
        return r;
    PbWorkerResult result = {
        .has_decision = true, .decision = {.len = bytes.len, .data = (uint8_t *)bytes.at},
    };
    return end(w, h, &result);
}

int whistle_worker_retry(struct whistle_worker *w, const PbLeaseToken *token, uint32_t after_ms) {
    PbWorkerResult result = {.has_failed = true, .failed = OFFER_RETRY, .has_retry_ms = true, .retry_ms = after_ms};
    struct held *h = open_find(w, token);
    return h != NULL ? end(w, h, &result) : -ENOENT;
}

int whistle_worker_reject(struct whistle_worker *w, const PbLeaseToken *token) {
    PbWorkerResult result = {.has_failed = true, .failed = OFFER_REJECTED};
    struct held *h = open_find(w, token);
    return h != NULL ? end(w, h, &result) : -ENOENT;
}

int whistle_worker_extend(struct whistle_worker *w, const PbLeaseToken *token) {
    struct held *h = open_find(w, token);
    if (h == NULL)
        return -ENOENT;
    PbWorkerExtend extend = {.token = &h->token};
    PbWorkerFrame frame = {.worker_says_case = WORKER_SAYS_EXTEND, .extend = &extend};
    return w->contact.state == CONTACT_UP ? tell(w, &frame) : -EAGAIN;
}
