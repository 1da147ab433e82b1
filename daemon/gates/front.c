/* front.c: peer frames -> two lanes -> the turn, and replies back.
 *
 * The socket is emptied every turn, so that a report waits in a lane that we can see and bound, not in libzmq. Answers,
 * closures, desk decisions and queries have a lane of their own: a storm of reports cannot keep a closure out. libzmq's
 * fair queueing takes one message a peer in rotation, so one loud street does not starve the rest. */
#include "daemon/gates/gates.h"

#include <errno.h>
#include <string.h>

enum { REPLY_BYTES_MAX = 24 << 20, REPLIES_MAX = 8192, MESSAGE_BYTES_MAX = 128 << 10, CHAINS = 1024, DRAIN_MAX = 8192 };
_Static_assert(REPLIES_MAX >= LANE_REPORTS_MAX + LANE_URGENT_MAX, "a turn that empties both lanes can answer each");

struct lane_item { struct wire_peer peer; struct source source; uint32_t at, len; };

/* A FIFO of messages: headers in a ring, bytes in a ring of their own. An item's bytes never wrap: the rest of the ring
 * is skipped instead. */
struct lane_ring {
    struct lane_item *item;
    uint8_t *bytes;
    uint32_t max, first, count;
    uint32_t bytes_head, bytes_tail;                                      /* tail: where the next goes */
};

struct queued { struct wire_peer to; uint32_t at, len; int32_t next; };

struct front {
    struct wire_socket *socket;
    struct lane_ring lanes[LANES];
    struct queued *replies;
    uint8_t *reply_bytes;
    uint32_t replies_count, reply_bytes_used;
    int32_t chain_first[CHAINS], chain_last[CHAINS];      /* replies by peer; first: one more, 0: none */
    uint8_t message[MESSAGE_BYTES_MAX];
};

/* ---- lanes ----------------------------------------------------------------------------------------------------- */

static void lane_init(struct lane_ring *l, uint32_t max) {
    l->max = max;
    l->item = memory_or_die(max * sizeof *l->item);
    l->bytes = memory_or_die(LANE_BYTES_MAX);
}

/* Room for len contiguous bytes, or UINT32_MAX. */
static uint32_t lane_room(struct lane_ring *l, uint32_t len) {
    if (l->count == 0) l->bytes_head = l->bytes_tail = 0;
    if (l->count == l->max) return UINT32_MAX;
    if (l->bytes_tail >= l->bytes_head) {
        if (LANE_BYTES_MAX - l->bytes_tail >= len) return l->bytes_tail;
        return l->bytes_head > len ? 0 : UINT32_MAX;
    }
    return l->bytes_head - l->bytes_tail > len ? l->bytes_tail : UINT32_MAX;
}

static bool lane_push(struct lane_ring *l, struct wire_peer peer, const struct source *source, struct slice bytes) {
    uint32_t len = (uint32_t)bytes.len, at = lane_room(l, len);
    if (at == UINT32_MAX) return false;
    memcpy(l->bytes + at, bytes.at, len);
    l->item[(l->first + l->count) % l->max]
        = (struct lane_item){ .peer = peer, .source = *source, .at = at, .len = len };
    l->count++;
    l->bytes_tail = at + len;
    return true;
}

bool front_take(struct front *f, enum lane lane, struct front_item *ret) {
    struct lane_ring *l = &f->lanes[lane];
    if (l->count == 0) return false;
    const struct lane_item *i = &l->item[l->first];
    *ret = (struct front_item){ .peer = i->peer, .source = i->source, .bytes = slice_from(l->bytes + i->at, i->len) };
    l->bytes_head = i->at;                            /* its bytes stay until the next take moves the head past them */
    l->first = (l->first + 1) % l->max;
    l->count--;
    return true;
}

unsigned front_waiting(const struct front *f, enum lane lane) {
    return f->lanes[lane].count;
}

/* ---- in -------------------------------------------------------------------------------------------------------- */

void front_refuse(struct front *f, struct wire_peer to, struct slice command_id, PbRefusal code, const char *field) {
    PbRefused refused = refused_of(code);
    refused.zh = (char *)sentence_of(code)->zh;
    refused.field = (char *)field;
    PbReply reply = { .reply_case = REPLY_REFUSED, .refused = &refused };
    if (command_id.len) {
        reply.has_command_id = 1;
        reply.command_id.data = (uint8_t *)command_id.at;
        reply.command_id.len = command_id.len;
    }
    front_reply(f, to, &reply);
}

/* Reports and what a reporter does on the spot wait in one lane; everything that moves or shows an open case in the
 * other. */
static enum lane lane_of(struct slice envelope) {
    uint32_t command = codec_peek_command(envelope);
    return command == COMMAND_REPORT || command == COMMAND_SELF_HANDLE ? LANE_REPORTS : LANE_URGENT;
}

static PbRefusal frame_refusal(const struct wire_message *m) {
    if (m->frames != 1) return REFUSED_FRAME_COUNT;
    if (m->frame[0].len == 0) return REFUSED_FRAME_EMPTY;
    return m->frame[0].len > WIRE_FRAME_BYTES_MAX ? REFUSED_FRAME_TOO_LARGE : REFUSED_NOTHING;
}

static void drain_one(struct front *f, const struct wire_message *m) {
    struct source source;
    if (!guard_source(m->address, &source)) {
        COUNT(STRANGERS);
        return;
    }
    PbRefusal refusal = frame_refusal(m);
    if (refusal != REFUSED_NOTHING) {
        COUNT(COMMANDS);
        COUNT(FRAMES_BAD);
        return front_refuse(f, m->from, (struct slice){ 0 }, refusal, NULL);
    }
    if (lane_push(&f->lanes[lane_of(m->frame[0])], m->from, &source, m->frame[0])) return;
    front_refuse(f, m->from, codec_peek_id(m->frame[0]), REFUSED_BUSY,
                 NULL); /* it must reach the command it is about */
}

void front_drain(struct front *f) {
    struct wire_message m;
    for (unsigned i = 0; i < DRAIN_MAX && f->replies_count < REPLIES_MAX - LANE_URGENT_MAX; i++) {
        if (wire_receive(f->socket, &m) != 1) return;
        drain_one(f, &m);
    }
}

/* ---- out ------------------------------------------------------------------------------------------------------- */

/* Replies{repeated Reply replies = 1} is the plain concatenation of (tag, length, Reply): so a turn's replies to one
 * peer are gathered by copying. */
void front_reply(struct front *f, struct wire_peer to, PbReply *reply) {
    codec_prepare(CODEC_REPLY, reply);
    size_t size = codec_size(CODEC_REPLY, reply);
    if (f->replies_count == REPLIES_MAX || REPLY_BYTES_MAX - f->reply_bytes_used < size + 8
        || size + 8 > MESSAGE_BYTES_MAX) {
        COUNT(REPLIES_DROPPED);
        return;
    }
    uint8_t *at = f->reply_bytes + f->reply_bytes_used, *p = at;
    *p++ = 0x0a;
    for (size_t rest = size; ; rest >>= 7) {
        *p++ = (uint8_t)(rest > 0x7f ? (rest & 0x7f) | 0x80 : rest);
        if (rest <= 0x7f) break;
    }
    codec_pack(CODEC_REPLY, reply, p);
    uint32_t len = (uint32_t)((size_t)(p - at) + size);
    f->replies[f->replies_count++] = (struct queued){ .to = to, .at = f->reply_bytes_used, .len = len, .next = -1 };
    f->reply_bytes_used += len;
}

static void send_now(struct front *f, struct wire_peer to, uint32_t len) {
    struct slice frame = slice_from(f->message, len);
    if (len && wire_send(f->socket, to, &frame, 1) < 0) COUNT(REPLIES_DROPPED);
}

/* Everything queued for the peer of the chain's first, in order, in as few messages as the limit allows; the others
 * stay chained. */
static int32_t speak_to_one(struct front *f, int32_t first) {
    struct wire_peer to = f->replies[first].to;
    int32_t rest_first = -1, *rest_last = &rest_first;
    uint32_t len = 0;
    for (int32_t i = first; i >= 0; i = f->replies[i].next) {
        struct queued *q = &f->replies[i];
        if (q->to.id != to.id) {
            *rest_last = i;
            rest_last = &q->next;
            continue;
        }
        if (len + q->len > MESSAGE_BYTES_MAX) send_now(f, to, len), len = 0;
        memcpy(f->message + len, f->reply_bytes + q->at, q->len);
        len += q->len;
    }
    *rest_last = -1;
    send_now(f, to, len);
    return rest_first;
}

void front_speak(struct front *f) {
    uint16_t chains[CHAINS];
    unsigned count = 0;
    for (uint32_t i = 0; i < f->replies_count; i++) {
        unsigned chain = f->replies[i].to.id * 2654435761u >> 22;
        if (f->chain_first[chain] == 0) {
            f->chain_first[chain] = (int32_t)i + 1;
            chains[count++] = (uint16_t)chain;
        } else {
            f->replies[f->chain_last[chain]].next = (int32_t)i;
        }
        f->chain_last[chain] = (int32_t)i;
    }
    for (unsigned i = 0; i < count; i++) {
        for (int32_t at = f->chain_first[chains[i]] - 1; at >= 0;) at = speak_to_one(f, at);
        f->chain_first[chains[i]] = 0;
    }
    front_forget(f);
}

void front_forget(struct front *f) {
    f->replies_count = f->reply_bytes_used = 0;
}

/* ---- life ------------------------------------------------------------------------------------------------------ */

int front_open(struct front **ret, struct wire *w, const char *endpoint) {
    struct front *f = memory_or_die(sizeof *f);
    int r = wire_bind(&f->socket, w, endpoint);
    if (r < 0) return r;
    lane_init(&f->lanes[LANE_URGENT], LANE_URGENT_MAX);
    lane_init(&f->lanes[LANE_REPORTS], LANE_REPORTS_MAX);
    f->replies = memory_or_die(REPLIES_MAX * sizeof *f->replies);
    f->reply_bytes = memory_or_die(REPLY_BYTES_MAX);
    *ret = f;
    return 0;
}

struct wire_socket *front_socket(struct front *f) {
    return f->socket;
}

void front_close(struct front *f) {
    wire_socket_close(f->socket);
    f->socket = NULL;
}
