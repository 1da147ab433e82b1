#include "tests/sim/net.h"

#include "tests/sim/sim.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

enum { QUEUE_MAX = 2000, ENDPOINT_MAX = 64, SOCKETS_MAX = 48, RECONNECT_NS = 300000000 };

#define NET_ANY_ORDER "sim:front"

struct message { struct message *next; int64_t at_ns; unsigned frames; size_t len[WIRE_FRAMES_MAX]; uint8_t bytes[]; };
struct queue { struct message *first, *last; unsigned count; int64_t last_ns, silent_until_ns; };

struct wire { int unused; };
struct wire_socket {
    bool router, bound;
    char endpoint[ENDPOINT_MAX];
    struct wire_socket *peer;                     /* dealer: the router it is linked to */
    uint32_t id;                                  /* dealer: its id there */
    int64_t dial_ns;                              /* dealer: when it tries again */
    struct queue up, down;                        /* dealer: both directions of its link */
    struct message *held;
    unsigned uid;
    unsigned turn;                                /* router: whose message comes first */
};
struct wire_shared { unsigned users; size_t len; uint8_t bytes[]; };

struct net_faults net_faults;
static struct wire_socket *sockets[SOCKETS_MAX];
static unsigned sockets_used;                     /* none beyond */
static uint32_t ids = 100;
static int descriptor = -1;

/* ---- messages and queues ----------------------------------------------------------------------------------------- */

static void queue_clear(struct queue *q) {
    while (q->first) {
        struct message *m = q->first;
        q->first = m->next;
        sim_free(m);
    }
    *q = (struct queue){.count = 0};
}

static bool per_million(unsigned chance) {
    return chance && sim_roll(SIM_NET, 1000000) < chance;
}

static void queue_last(struct queue *q, struct message *m) {
    if (m->at_ns < q->last_ns) m->at_ns = q->last_ns;                    /* N1: in order */
    q->last_ns = m->at_ns;
    if (q->last) q->last->next = m;
    else q->first = m;
    q->last = m;
    q->count++;
}

/* It overtakes all that is on its way. */
static void queue_first(struct queue *q, struct message *m) {
    m->next = q->first;
    m->at_ns = q->first->at_ns;
    q->first = m;
    q->count++;
    sometimes("net.out_of_order");
}

static struct message *message_of(const struct slice *frames, unsigned count) {
    size_t all = 0;
    for (unsigned i = 0; i < count; i++) all += frames[i].len;
    struct message *m = sim_memory(sizeof *m + all);
    uint8_t *to = m->bytes;
    m->frames = count;
    for (unsigned i = 0; i < count; i++) {
        m->len[i] = frames[i].len;
        if (frames[i].len) memcpy(to, frames[i].at, frames[i].len);
        to += frames[i].len;
    }
    sim_history(m->bytes, all);
    m->at_ns = sim_now_ns() + 20000 + 1000 * (int64_t)sim_roll(SIM_NET, (uint64_t)net_faults.delay_us_max + 1);
    return m;
}

static int queue_add(struct queue *q, const struct slice *frames, unsigned count, bool any_order) {
    bool full = q->count >= QUEUE_MAX || (net_faults.queue_max && q->count >= net_faults.queue_max);
    if (full) return sometimes("net.queue_full"), -EAGAIN;
    if (any_order && per_million(net_faults.drop)) return sometimes("net.dropped"), 0;
    bool twice = any_order && per_million(net_faults.twice);
    if (twice) sometimes("net.twice");
    for (unsigned copies = twice ? 2 : 1; copies > 0; copies--) {
        struct message *m = message_of(frames, count);
        if (any_order && q->first && per_million(net_faults.out_of_order)) queue_first(q, m);
        else queue_last(q, m);
    }
    return 0;
}

static int64_t queue_ready_ns(const struct queue *q) {
    if (!q->first) return INT64_MAX;
    return q->first->at_ns > q->silent_until_ns ? q->first->at_ns : q->silent_until_ns;
}

static struct message *queue_take(struct queue *q) {
    struct message *m = q->first;
    q->first = m->next;
    if (!q->first) q->last = NULL;
    q->count--;
    return m;
}

/* ---- links ------------------------------------------------------------------------------------------------------- */

static void cut(struct wire_socket *dealer) {
    if (!dealer->peer) return;
    dealer->peer = NULL;
    dealer->dial_ns = sim_now_ns() + RECONNECT_NS + (int64_t)sim_roll(SIM_NET, RECONNECT_NS);
    queue_clear(&dealer->up);
    queue_clear(&dealer->down);
}

static void dial(struct wire_socket *dealer) {
    if (dealer->peer || sim_now_ns() < dealer->dial_ns) return;
    for (unsigned i = 0; i < sockets_used; i++) {
        struct wire_socket *r = sockets[i];
        if (!r || !r->router || !r->bound || strcmp(r->endpoint, dealer->endpoint) != 0) continue;
        dealer->peer = r;
        dealer->id = ids++;
        return;
    }
    dealer->dial_ns = sim_now_ns() + RECONNECT_NS;
}

static struct wire_socket *linked(const struct wire_socket *router, uint32_t id) {
    for (unsigned i = 0; i < sockets_used; i++)
        if (sockets[i] && sockets[i]->peer == router && sockets[i]->id == id) return sockets[i];
    return NULL;
}

/* What has arrived waits to be read: it is nothing to wait for. */
static int64_t later(int64_t at_ns, int64_t next) {
    return at_ns > sim_now_ns() && at_ns < next ? at_ns : next;
}

int64_t net_next_ns(void) {
    int64_t next = INT64_MAX;
    for (unsigned i = 0; i < sockets_used; i++) {
        if (!sockets[i] || sockets[i]->router) continue;
        next = later(queue_ready_ns(&sockets[i]->up), next);
    }
    return next;
}

void net_broker_dies(void) {
    for (unsigned i = 0; i < sockets_used; i++)
        if (sockets[i] && !sockets[i]->router) cut(sockets[i]);
    for (unsigned i = 0; i < sockets_used; i++)
        if (sockets[i] && sockets[i]->router) wire_socket_close(sockets[i]);
}

void net_cut_some(uint64_t (*roll)(uint64_t sides), unsigned percent) {
    for (unsigned i = 0; i < sockets_used; i++)
        if (sockets[i] && !sockets[i]->router && roll(100) < percent) cut(sockets[i]), sometimes("net.cut");
}

void net_silence_some(uint64_t (*roll)(uint64_t sides), unsigned percent, int64_t until_ns) {
    for (unsigned i = 0; i < sockets_used; i++) {
        struct wire_socket *s = sockets[i];
        if (!s || s->router || roll(100) >= percent) continue;
        (roll(2) ? &s->up : &s->down)->silent_until_ns = until_ns;
        sometimes("net.one_way_silence");
    }
}

void net_heal(void) {
    net_faults = (struct net_faults){.delay_us_max = 1000};
    for (unsigned i = 0; i < sockets_used; i++)
        if (sockets[i]) sockets[i]->up.silent_until_ns = sockets[i]->down.silent_until_ns = 0;
}

/* ---- wire.h ------------------------------------------------------------------------------------------------------ */

struct wire *wire_open(void) {
    static struct wire one;
    if (descriptor < 0) descriptor = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return &one;
}

void wire_close(struct wire *w) {
    (void)w;
}

static int socket_new(struct wire_socket **ret, const char *endpoint, bool router) {
    struct wire_socket *s = sim_memory(sizeof *s);
    unsigned i = 0;
    while (i < SOCKETS_MAX && sockets[i]) i++;
    CHECK(i < SOCKETS_MAX && strlen(endpoint) < ENDPOINT_MAX);
    memcpy(s->endpoint, endpoint, strlen(endpoint) + 1);
    s->router = s->bound = router;
    s->uid = sim_uid;
    *ret = sockets[i] = s;
    if (i >= sockets_used) sockets_used = i + 1;
    return 0;
}

int wire_bind(struct wire_socket **ret, struct wire *w, const char *endpoint) {
    (void)w;
    return socket_new(ret, endpoint, true);
}

int wire_connect(struct wire_socket **ret, struct wire *w, const char *endpoint) {
    (void)w;
    return socket_new(ret, endpoint, false);
}

const char *wire_endpoint(const struct wire_socket *s) {
    return s->endpoint;
}

int wire_fd(const struct wire_socket *s) {
    (void)s;
    return descriptor;
}

static bool ready(const struct queue *q) {
    return queue_ready_ns(q) <= sim_now_ns();
}

static struct wire_socket *speaker(const struct wire_socket *router, unsigned turn) {
    for (unsigned k = 0; k < sockets_used; k++) {
        struct wire_socket *s = sockets[(turn + k) % sockets_used];
        if (s && s->peer == router && s->up.first && ready(&s->up)) return s;
    }
    return NULL;
}

bool wire_readable(struct wire_socket *s) {
    if (s->router) return speaker(s, 0) != NULL;
    dial(s);
    return s->peer && ready(&s->down);
}

void wire_socket_close(struct wire_socket *s) {
    for (unsigned i = 0; i < sockets_used; i++) {
        if (s->router && sockets[i] && sockets[i]->peer == s) cut(sockets[i]);
        if (sockets[i] == s) sockets[i] = NULL;
    }
    queue_clear(&s->up);
    queue_clear(&s->down);
    sim_free(s->held);
    sim_free(s);
}

int wire_receive(struct wire_socket *s, struct wire_message *ret) {
    if (!s->router) dial(s);
    struct wire_socket *from = s->router ? speaker(s, s->turn++) : s->peer && ready(&s->down) ? s : NULL;
    sim_free(s->held);
    s->held = NULL;
    if (!from) return 0;
    struct message *m = s->held = queue_take(s->router ? &from->up : &from->down);
    *ret = (struct wire_message){.from = {from->id}, .frames = m->frames};
    const uint8_t *at = m->bytes;
    for (unsigned i = 0; i < m->frames && m->frames <= WIRE_FRAMES_MAX; i++) {
        ret->frame[i] = slice_from(at, m->len[i]);
        at += m->len[i];
    }
    if (s->router && m->frames == 1) ear_told(s->endpoint, from->id, ret->frame[0]);
    if (s->router) snprintf(ret->address, sizeof ret->address, ":%u:0:1", from->uid);
    return 1;
}

uint64_t wire_dropped(const struct wire_socket *s) {
    (void)s;
    return 0;
}

int wire_send(struct wire_socket *s, struct wire_peer to, const struct slice *frames, unsigned count) {
    struct wire_socket *dealer = s->router ? linked(s, to.id) : s;
    if (!s->router) dial(s);
    if (!dealer || !dealer->peer) return s->router ? -EHOSTUNREACH : -EAGAIN;
    if (per_million(net_faults.cut)) {
        cut(dealer);
        sometimes("net.cut_while_sending");
        return s->router ? -EHOSTUNREACH : -EAGAIN;
    }
    bool any_order = strcmp(dealer->endpoint, NET_ANY_ORDER) == 0;
    int r = queue_add(s->router ? &dealer->down : &dealer->up, frames, count, any_order);
    if (s->router && r == 0) ear_said(s->endpoint, to.id, frames, count);
    return r;
}

struct wire_shared *wire_share(struct slice bytes) {
    struct wire_shared *b = sim_memory(sizeof *b + bytes.len);
    b->users = 1;
    b->len = bytes.len;
    if (bytes.len) memcpy(b->bytes, bytes.at, bytes.len);
    return b;
}

struct slice wire_shared_bytes(const struct wire_shared *b) {
    return slice_from(b->bytes, b->len);
}

int wire_send_shared(struct wire_socket *s, struct wire_peer to, struct slice first, struct wire_shared *second) {
    struct slice frames[] = {first, wire_shared_bytes(second)};
    return wire_send(s, to, frames, 2);
}

void wire_unshare(struct wire_shared *b) {
    if (--b->users == 0) sim_free(b);
}
