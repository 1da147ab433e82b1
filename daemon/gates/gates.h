/* gates.h: where the world comes in and is spoken to. Frames in, commands out; decisions in, frames out.
 *
 *   guard    who is it, and may it                      one function that every gate calls
 *   front    commands and queries  -> two lanes         reports are told BUSY first
 *   pool     desks' workers        -> offers, leases    leases are volatile; attempts and ends are journaled
 *   feed     consoles              -> updates           unicast, contiguous per session; from the journal when behind
 *
 * A gate has two verbs: take (what has arrived, never waits) and speak (after the sync, what is true now; heartbeats).
 *
 *   G1  nothing is sent that is not on disk, but refusals and heartbeats.
 *   G2  no queue is unbounded: lanes by count and bytes, leases by count, sessions by count, updates by the credit that
 *       the console gives.
 *   G3  a peer that does not read harms itself only: its replies are dropped (it asks again), its updates wait in the
 *       journal.
 *   G4  every drop and refusal has a counter. */
#ifndef GATES_H
#define GATES_H
#include "daemon/store/store.h"
#include "lib/base/counters.h"
#include "lib/codec/codec.h"
#include "lib/wire/wire.h"

enum {
    LANE_REPORTS_MAX = 6144, LANE_URGENT_MAX = 2048, LANE_BYTES_MAX = 8 << 20,
    HEARTBEAT_MS = 5000, SILENCE_MS = 3 * HEARTBEAT_MS,
    WORKERS_MAX = 256, WORKER_DIVISIONS_MAX = 64, LEASES_MAX = 4096, WORKER_CREDIT_MAX = 1024,
    CONSOLES_MAX = 1024, CONSOLE_PREFIXES_MAX = 64, CONSOLE_CREDIT_MAX = 65536,
    SOURCE_MAX = STORE_SOURCE_BYTES_MAX,
    ROUTES_MAX = 1 + CASE_ASKS_MAX,                           /* divisions a record concerns besides its own */
};

/* ---- what every gate says alike (words.c) ---------------------------------------------------------------------- */

PbWelcome welcome_of(const struct store *s, bool drill, int64_t now_ms);      /* without a session */
PbRefused refused_of(PbRefusal code);                         /* counts it */
struct slice small_packed(enum codec_type type, void *message, uint8_t *to, size_t cap);  /* CHECKs that it fits */

/* ---- guard ----------------------------------------------------------------------------------------------------- */

struct source { char name[SOURCE_MAX]; };                     /* "uid:1000", "tcp:loopback" */

/* From the transport's address of the peer. false: a stranger (other tcp addresses than loopback, or unknown): count
 * and drop. */
bool guard_source(const char *address, struct source *ret);
/* Whether we listen there at all: an ipc path from the root, or tcp on loopback. */
bool guard_endpoint(const char *endpoint);
/* Before any gate is open: whose store it is, and whether whoever is on loopback may operate it, too. */
void guard_open(uint64_t owner_uid, bool loopback_operates);
enum guard_verb { GUARD_COMMAND, GUARD_QUERY, GUARD_WORK, GUARD_WATCH, GUARD_OPERATE };
/* The one authorisation function: publish, live, replay, query and export all ask it. First policy: local peers may do
 * everything but operate: batches, draining, reloading, voiding, importing and the like are for root and the store's
 * owner. */
bool guard_may(const struct source *who, enum guard_verb verb, uint64_t division);

/* The whole journal and its key: no division covers that. The store's owner and root, over ipc; in a drill, where
 * nothing is secret, loopback too. */
bool guard_may_follow(const struct source *who, bool drill);

/* ---- front ----------------------------------------------------------------------------------------------------- */

struct front;
struct front_item {
    struct wire_peer peer;
    struct source source;
    struct slice bytes;                           /* borrowed until the next take of its lane */
};
enum lane { LANE_URGENT, LANE_REPORTS, LANES };

int front_open(struct front **ret, struct wire *w, const char *endpoint);
struct wire_socket *front_socket(struct front *f);
void front_close(struct front *f);
/* Moves what has arrived into the lanes; a full lane answers BUSY at once. Frames that are no single envelope are
 * refused here. When the turn begins: nothing else is queued. */
void front_drain(struct front *f, int64_t mono_ms);
bool front_take(struct front *f, enum lane lane, struct front_item *ret);                 /* false: the lane is empty */
unsigned front_waiting(const struct front *f, enum lane lane);
/* Queues a reply for the end of the turn; packed at once. Grouped by peer, sent by front_speak. */
void front_reply(struct front *f, struct wire_peer to, PbReply *reply);
void front_refuse(struct front *f, struct wire_peer to, struct slice command_id, PbRefusal code, const char *field);
void front_speak(struct front *f);
void front_forget(struct front *f);                           /* the turn was abandoned: nothing queued is said */

/* ---- pool ------------------------------------------------------------------------------------------------------ */

struct pool;
struct pool_options { const char *endpoint; int64_t lease_ms; bool drill; };

/* What a worker's message asks the turn to do. */
enum pool_kind { POOL_RESULT, POOL_FAILED };
struct pool_item {
    enum pool_kind kind;
    struct wire_peer peer;
    struct source source;
    PbLeaseToken token;                                       /* by value; its lease stays until pool_taken */
    bool current;                                             /* the lease was valid; else the result is late */
    struct slice decision;                        /* RESULT: an envelope, borrowed until the next pool_take */
    PbOfferEnd how;                                           /* FAILED */
    int64_t retry_ms;
};

int pool_open(struct pool **ret, struct wire *w, const struct pool_options *o, struct store *s);
struct wire_socket *pool_socket(struct pool *p);
void pool_close(struct pool *p);                              /* says goodbye to the workers */
/* The next result or failure, among them leases that ran out; everything else (hello, credit, heartbeat, extend) is
 * dealt with inside. */
bool pool_take(struct pool *p, int64_t mono_ms, int64_t now_ms, struct pool_item *ret);
/* What became of a result; spoken after the sync. */
void pool_taken(struct pool *p, const struct pool_item *item, PbRefusal refusal, uint64_t seq);
/* Answers to results, new offers, heartbeats. Negative: a row cannot be read, which is final. */
int pool_speak(struct pool *p, int64_t mono_ms, int64_t now_ms, struct arena *room);
void pool_forget(struct pool *p);
unsigned pool_offers_open(const struct pool *p);
unsigned pool_workers(const struct pool *p, PbLevel level);
unsigned pool_workers_all(const struct pool *p);
bool pool_wants_turn(const struct pool *p);                   /* work may wait, and a worker has credit */
int64_t pool_next_ms(const struct pool *p, int64_t mono_ms);  /* until the next lease or heartbeat is due */

enum { NUMBER_BYTES = 24 };
/* 610402-20260214-00123: the number that people read out. */
void view_number(uint32_t district, uint32_t day, uint32_t day_number, char to[static NUMBER_BYTES]);
/* What was written at this record of the case (an answer's, a note's text), opened; "" when nothing was, or it is
 * erased. */
char *view_text_of(struct store *s, const struct case_state *c, const PbRecord *record, struct arena *room);
/* A case for people and desks: names resolved, sealed text opened where allowed. Lives in the room. Negative: its rules
 * cannot be had. */
int view_case(struct store *s, const struct case_state *c, bool with_text, struct arena *room, PbCaseView **ret);

/* ---- feed ------------------------------------------------------------------------------------------------------ */

struct feed;
int feed_open(struct feed **ret, struct wire *w, const char *endpoint, struct store *s, bool drill);
struct wire_socket *feed_socket(struct feed *f);
void feed_close(struct feed *f);
void feed_take(struct feed *f, int64_t mono_ms, int64_t now_ms);
/* A record of this turn, told after its sync. -ENOMEM. */
int feed_record(struct feed *f, PbRecord *record, struct arena *room);
void feed_forget(struct feed *f);                             /* the turn was abandoned */
/* Live updates, then slices of catching up, heartbeats. beside: commands came in this turn. Negative: what is on disk
 * cannot be read, which is final. */
int feed_speak(struct feed *f, int64_t mono_ms, bool beside, struct arena *room);
bool feed_wants_turn(const struct feed *f);                   /* somebody is catching up, has credit, and may now */
unsigned feed_consoles(const struct feed *f);
int64_t feed_next_ms(const struct feed *f, int64_t mono_ms);

#endif
