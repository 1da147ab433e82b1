/* wire.c: lib/wire/wire.h without libzmq, for what is counted: one mailbox into each gate and one out of it, in this
 * process. What libzmq does has nothing to do with what the broker's own code costs. */
#include "tests/count/count.h"

#include <stdlib.h>
#include <string.h>

enum { MAIL_MAX = 4096, PEER = 7 };

struct mail { unsigned frames; size_t len[WIRE_FRAMES_MAX]; uint8_t *bytes; };
struct box { struct mail mail[MAIL_MAX]; unsigned first, count; };

struct wire { int unused; };
struct wire_socket { const char *endpoint; struct box in, out; struct mail held; };
struct wire_shared { unsigned users; struct slice bytes; };

static struct wire_socket *bound[COUNT_GATES];
static unsigned bound_count;

/* ---- boxes ------------------------------------------------------------------------------------------------------- */

static int put(struct box *b, const struct slice *frames, unsigned count) {
    size_t all = 0;
    CHECK(b->count < MAIL_MAX && count <= WIRE_FRAMES_MAX);
    struct mail *m = &b->mail[(b->first + b->count++) % MAIL_MAX];
    m->frames = count;
    for (unsigned i = 0; i < count; i++) all += m->len[i] = frames[i].len;
    uint8_t *to = m->bytes = memory_or_die(all + 1);
    for (unsigned i = 0; i < count; i++) {
        memcpy(to, frames[i].at, frames[i].len);
        to += frames[i].len;
    }
    return 0;
}

static bool take(struct wire_socket *s, struct box *b, struct wire_message *ret) {
    free(s->held.bytes);
    s->held.bytes = NULL;
    if (b->count == 0) return false;
    s->held = b->mail[b->first];
    b->first = (b->first + 1) % MAIL_MAX;
    b->count--;
    *ret = (struct wire_message){.from = {PEER}, .frames = s->held.frames, .address = ":0:0:1"};
    const uint8_t *at = s->held.bytes;
    for (unsigned i = 0; i < s->held.frames; i++) {
        ret->frame[i] = slice_from(at, s->held.len[i]);
        at += s->held.len[i];
    }
    return true;
}

void count_tell(enum count_gate gate, struct slice frame) {
    (void)put(&bound[gate]->in, &frame, 1);
}

bool count_hear(enum count_gate gate, struct wire_message *ret) {
    return take(bound[gate], &bound[gate]->out, ret);
}

/* ---- wire.h ------------------------------------------------------------------------------------------------------ */

struct wire *wire_open(void) {
    static struct wire one;
    return &one;
}

void wire_close(struct wire *w) { (void)w; }

int wire_bind(struct wire_socket **ret, struct wire *w, const char *endpoint) {
    (void)w;
    CHECK(bound_count < COUNT_GATES);
    *ret = bound[bound_count++] = memory_or_die(sizeof **ret);
    (*ret)->endpoint = endpoint;
    return 0;
}

int wire_connect(struct wire_socket **ret, struct wire *w, const char *endpoint) {
    (void)ret, (void)w, (void)endpoint;
    NEVER("nobody connects here");
}

const char *wire_endpoint(const struct wire_socket *s) { return s->endpoint; }
int wire_fd(const struct wire_socket *s) { return (void)s, -1; }
bool wire_readable(struct wire_socket *s) { return s->in.count > 0; }
uint64_t wire_dropped(const struct wire_socket *s) { return (void)s, 0; }

void wire_socket_close(struct wire_socket *s) {
    struct wire_message unread;
    while (take(s, &s->in, &unread) || take(s, &s->out, &unread)) continue;
    free(s);
}

int wire_receive(struct wire_socket *s, struct wire_message *ret) {
    return take(s, &s->in, ret);
}

int wire_send(struct wire_socket *s, struct wire_peer to, const struct slice *frames, unsigned count) {
    (void)to;
    return put(&s->out, frames, count);
}

struct wire_shared *wire_share(struct slice bytes) {
    struct wire_shared *b = memory_or_die(sizeof *b + bytes.len);
    uint8_t *to = (uint8_t *)(b + 1);
    memcpy(to, bytes.at, bytes.len);
    *b = (struct wire_shared){.users = 1, .bytes = slice_from(to, bytes.len)};
    return b;
}

struct slice wire_shared_bytes(const struct wire_shared *b) { return b->bytes; }

int wire_send_shared(struct wire_socket *s, struct wire_peer to, struct slice first, struct wire_shared *second) {
    struct slice frames[] = {first, second->bytes};
    return wire_send(s, to, frames, 2);
}

void wire_unshare(struct wire_shared *b) {
    if (--b->users == 0) free(b);
}
