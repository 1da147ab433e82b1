/* whistle.h: libwhistle, for programs that talk to the broker: apps, workers, consoles. One thread per connection; no
 * callbacks.
 *
 *   struct whistle_client *c;
 *   whistle_client_open(&c, &(struct whistle_client_options){.endpoint = "ipc:///run/whistled/front", .window = 1});
 *   whistle_call(c, &envelope, 5000, &reply);       one command, one answer; the same id is sent until there is one
 *
 * or, with a window:  whistle_send(...) many times, whistle_next(...) for the replies.
 *
 *   L1  a command that was sent is sent again, byte for byte, under the same id, until it is answered or given up. The
 *       broker counts it once. So "no answer" means "unknown", never "no".
 *   L2  BUSY, RETRY_LATER and STOPPING are no answers: the command waits (100 ms, doubling to 2 s) and is sent again.
 *   L3  memory is bounded and taken at open: a window of commands, a table of offers, one message that is being read.
 *   L4  nothing waits longer than it is told to; a signal ends a wait early, which looks like nothing having come.
 *
 * The descriptors are for an event loop, watched level-triggered. Ask for the descriptor again after every call: a
 * connection that fell silent is replaced. Before sleeping, call _next with 0 ms until it says 0, also after sends; and
 * call it once in WHISTLE_TICK_MS whatever the descriptor says, because resending and heartbeats happen inside. */
#ifndef WHISTLE_H
#define WHISTLE_H
#include "lib/base/base.h"
#include "lib/codec/codec.h"

enum {
    WHISTLE_TICK_MS = 50,
    WHISTLE_WINDOW_MAX = 4096,                    /* commands in flight */
    WHISTLE_ENVELOPE_BYTES_MAX = 128 << 10,
    WHISTLE_PREFIXES_MAX = 64,                    /* of a console */
    WHISTLE_DIVISIONS_MAX = 64,                   /* of a worker */
    WHISTLE_CREDIT_MAX = 256,                     /* offers a worker holds at once */
    WHISTLE_DECISION_BYTES_MAX = 4096,
};

/* ---- ids --------------------------------------------------------------------------------------------------------- */

/* UUIDv7 (RFC 9562): milliseconds, then `seed`'s bits: ordered by time and then by seed, so that a source's receipts
 * share a hot page. seed NULL: random. */
void whistle_id(uint8_t to[16], int64_t at_ms, const uint64_t *seed);

/* ---- front: commands and queries --------------------------------------------------------------------------------- */

struct whistle_client;
struct whistle_client_options {
    const char *endpoint;
    unsigned window;                              /* commands in flight, 1 .. WHISTLE_WINDOW_MAX */
};

/* 0; -EINVAL a window or an endpoint that is none; otherwise as wire_connect. Nobody needs to be there yet. */
int whistle_client_open(struct whistle_client **ret, const struct whistle_client_options *o);
void whistle_client_close(struct whistle_client *c);
int whistle_client_fd(const struct whistle_client *c);

/* Sends an envelope: fills in version, command id and sent_at where they are absent, packs, keeps the bytes until
 * answered. The envelope is left as it was but for prepared descriptors. Nobody there is no failure: it goes out when
 * somebody is. ret_id may be NULL.
 * 0; -EAGAIN the window is full; -EEXIST the same id is in flight; -EMSGSIZE; -EBADMSG an id that is not 16 bytes. */
int whistle_send(struct whistle_client *c, PbEnvelope *envelope, uint8_t ret_id[16]);

/* The next reply (borrowed until the next call) within wait_ms; 1, 0 nothing yet, negative fault. Sends unanswered
 * commands again meanwhile: after 1 s in which the broker said nothing at all (doubling to 5 s), and after 5 s in which
 * it answered others. */
int whistle_next(struct whistle_client *c, int wait_ms, const PbReply **ret);

/* Gives up on a command: it is not sent again, and an answer that still comes is not shown. -ENOENT: not in flight. */
int whistle_forget(struct whistle_client *c, const uint8_t id[16]);

/* One command, one answer, on a connection with nothing else in flight (-EBUSY). 0; -ETIMEDOUT: unknown, and given up
 * here; to ask again under the same id, put one (whistle_id) into the envelope before the first time. */
int whistle_call(struct whistle_client *c, PbEnvelope *envelope, int wait_ms, const PbReply **ret);

unsigned whistle_in_flight(const struct whistle_client *c);

struct whistle_counts {
    uint64_t sent, resent, answered;
    uint64_t held_off;                            /* told BUSY, RETRY_LATER or STOPPING */
    uint64_t strays;                              /* replies to nothing in flight: second answers, mostly */
    uint64_t unreadable;                          /* frames that are no Replies */
};
const struct whistle_counts *whistle_client_counts(const struct whistle_client *c);

/* ---- feed: updates ----------------------------------------------------------------------------------------------- */

struct whistle_feed;
struct whistle_feed_options {
    const char *endpoint;
    const uint64_t *prefixes;                     /* copied */
    unsigned prefixes_count;                      /* 1 .. WHISTLE_PREFIXES_MAX */
    uint64_t from_seq;                            /* everything after it */
    uint64_t from_epoch;                          /* in which that was told; 0: not known */
    bool snapshot;                                /* instead: the open cases first, then what happens */
};

enum whistle_feed_kind {
    WHISTLE_UPDATE,
    WHISTLE_SNAPSHOT,                             /* one open case; from the first again if the broker went meanwhile */
    WHISTLE_LIVE,                                 /* all there was has been given; again after every resumption */
    WHISTLE_LOST_CONTACT, WHISTLE_BACK,
    WHISTLE_REFUSED,                              /* of the subscription; it is tried again every 5 s */
    WHISTLE_OTHER_PAST                            /* another store, restored, purged: forget all; a snapshot follows */
};
struct whistle_update {
    enum whistle_feed_kind kind;
    uint64_t seq;                                 /* of an update its last, of a case its own, else the last one told */
    const PbUpdate *update;                       /* WHISTLE_UPDATE */
    uint64_t epoch;                               /* of the broker that told it: to be kept with the seq */
    bool left;                                    /* it is the last of its case: that went to other divisions */
    const PbCaseView *case_view;                  /* WHISTLE_SNAPSHOT */
    const PbRefused *refused;                     /* WHISTLE_REFUSED */
    struct slice bytes;                           /* what the broker sent, of an update or a case */
};

int whistle_feed_open(struct whistle_feed **ret, const struct whistle_feed_options *o);
void whistle_feed_close(struct whistle_feed *f);
int whistle_feed_fd(const struct whistle_feed *f);

/* The next thing to know. Resumes by itself after a gap, silence (15 s) or a broker restart, from the last seq it gave:
 * no gap, no repeat. A row of a snapshot may be newer than updates that follow it: ignore an update of a case whose seq
 * is not above its row's. Credit is given as you read. 1, 0, negative. Borrowed until the next call. */
int whistle_feed_next(struct whistle_feed *f, int wait_ms, struct whistle_update *ret);

struct whistle_feed_counts {
    uint64_t updates, subscribed;
    uint64_t gaps;                                /* in session_seq: a loss, made good by subscribing again */
    uint64_t resyncs, repeats;                    /* told that the past is another; updates not given a second time */
    uint64_t unreadable;                          /* of a newer broker: passed over, as docs/protocol.md demands */
};
const struct whistle_feed_counts *whistle_feed_counts(const struct whistle_feed *f);

/* ---- pool: a worker's side --------------------------------------------------------------------------------------- */

struct whistle_worker;
struct whistle_worker_options {
    const char *endpoint;
    PbLevel level;
    const uint64_t *divisions;                    /* copied */
    unsigned divisions_count;                     /* 1 .. WHISTLE_DIVISIONS_MAX */
    unsigned credit;                              /* offers open at once, 1 .. WHISTLE_CREDIT_MAX */
    const char *program;                          /* copied; NULL: not said */
};

int whistle_worker_open(struct whistle_worker **ret, const struct whistle_worker_options *o);
void whistle_worker_close(struct whistle_worker *w);     /* says goodbye: its leases are free at once */
int whistle_worker_fd(const struct whistle_worker *w);

/* The next offer (borrowed until the next call) within wait_ms. Signs on, heartbeats, re-presents held tokens after a
 * reconnect. Every offer is ended by one of the three below. 1, 0, negative. */
int whistle_worker_next(struct whistle_worker *w, int wait_ms, const PbOffer **ret);

/* Its end. decision: an envelope with dispatch, escalate or reject; version, command id, sent_at are filled in: a pure
 * function of the offer (docs/protocol.md), so that a result sent twice counts once. Sent again until taken.
 * 0; -ENOENT the lease was lost meanwhile, or the offer ended before; of a decision -EMSGSIZE, -EBADMSG too. */
int whistle_worker_done(struct whistle_worker *w, const PbLeaseToken *token, PbEnvelope *decision);
int whistle_worker_retry(struct whistle_worker *w, const PbLeaseToken *token, uint32_t after_ms);
int whistle_worker_reject(struct whistle_worker *w, const PbLeaseToken *token);
int whistle_worker_extend(struct whistle_worker *w, const PbLeaseToken *token);     /* -EAGAIN: nobody to tell */

/* Whether the broker knows this worker; of TURNED_AWAY, *ret_why says why (may be NULL). It goes on trying. */
enum whistle_standing { WHISTLE_AWAY, WHISTLE_SERVING, WHISTLE_TURNED_AWAY };
enum whistle_standing whistle_worker_standing(const struct whistle_worker *w, PbRefusal *ret_why);

struct whistle_worker_counts {
    uint64_t offers, results, taken, resent;
    uint64_t refused;                             /* of those taken: late, or decided otherwise meanwhile */
    uint64_t lost;                                /* leases */
};
const struct whistle_worker_counts *whistle_worker_counts(const struct whistle_worker *w);
#endif
