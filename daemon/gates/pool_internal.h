/* pool_internal.h: what pool.c (sessions, leases) and offer.c (what an offer says) share. */
#ifndef POOL_INTERNAL_H
#define POOL_INTERNAL_H
#include "daemon/gates/gates.h"

enum { LEASE_HASH = 8191, LEASE_NONE = UINT32_MAX, TAKEN_MAX = 8192, ROOM_BYTES = 3 << 20 };

struct lease {
    uint64_t case_id, number, worker;             /* worker: session; case_id 0: free */
    uint32_t stage, attempt, tries, next;
    int64_t expires_ms;                           /* monotonic */
    bool answered;                                /* its result is being decided, or held until others are in */
};

struct worker {
    uint64_t session;                             /* 0: free */
    struct wire_peer peer;
    PbLevel level;
    unsigned credit, divisions_count;
    uint64_t divisions[WORKER_DIVISIONS_MAX];
    int64_t heard_ms, told_ms;
    bool lapsed;                                  /* a lease ran out, and it was not heard since: no offers meanwhile */
    bool seen_any;
    struct work_row seen;                         /* the last row it looked at */
};

struct taken { struct wire_peer peer; PbLeaseToken token; PbRefusal refusal; uint64_t seq; };

struct pool {
    struct wire_socket *socket;
    struct store *store;
    struct pool_options options;
    uint64_t epoch, sessions, lease_numbers;
    struct worker workers[WORKERS_MAX];
    unsigned workers_used;                        /* none beyond has ever been in use */
    struct lease *leases;
    uint32_t leases_free, leases_count, lease_hash[LEASE_HASH];
    struct taken taken[TAKEN_MAX];
    unsigned taken_count, turn_of;
    bool more;
    int64_t swept_ms;
    struct arena room;                            /* one frame's message */
};

PbLeaseToken lease_token(const struct pool *p, const struct lease *l);     /* by which its worker names it */
/* offer.c: packs and sends. 1; 0: the worker's queue is full or it is gone; negative: its case cannot be read, or is
 * not what the row of its work says. */
int pool_offer(struct pool *p, struct worker *w, const struct lease *l, int64_t now_ms, struct arena *room);
#endif
