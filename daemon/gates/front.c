/* front.c: peer frames -> two lanes -> the turn, and replies back.
 *
 * The socket is emptied every turn, so that a report waits in a lane that we can see and bound, not in libzmq. Answers,
 * closures, desk decisions and queries have a lane of their own: a storm of reports cannot keep a closure out. libzmq's
 * fair queueing takes one message a peer in rotation, so one loud street does not starve the rest.
 *
 * The lane of reports is long, for a burst. When it overflows it was no burst: from then on it holds what one turn
 * takes (decisions/0012), so that who is let in is served soon and who is not is told soon. */
#include "daemon/gates/gates.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    REPLY_BYTES_MAX = 24 << 20, REPLIES_MAX = 8192, MESSAGE_BYTES_MAX = 128 << 10, CHAINS = 1024, DRAIN_MAX = 8192,
    BUSY_BYTES_MAX = 512, BUSY_ID_AT = 2,         /* tag and length of the command id come first */
    REFUSALS_MAX = 1024,                          /* spoken at once */
    DRAIN_NS_MAX = 10000000,                      /* as long as a turn decides: more is not heard than can be told */
    LANE_SHED_MIN = 64,                           /* a turn takes as many on the slowest disk */
    CALM_MS = 1000,                               /* without a BUSY: the lane is long again */
};
_Static_assert(REPLIES_MAX >= LANE_REPORTS_MAX + LANE_URGENT_MAX, "a turn that empties both lanes can answer each");

struct lane_item { struct wire_peer peer; struct source source; uint32_t at, len; };

/* A FIFO of messages: headers in a ring, bytes in a ring of their own. An item's bytes never wrap: the rest of the ring
 * is skipped instead. */
struct lane_ring {
    struct lane_item *item;
    uint8_t *bytes;
    uint32_t max, limit, first, count;                                    /* limit: for now; max: what there is */
    uint32_t bytes_head, bytes_tail;                                      /* tail: where the next goes */
};

struct queued { struct wire_peer to; uint32_t at, len; int32_t next; };

struct front {
    struct wire_socket *socket;
    struct lane_ring lanes[LANES];
    uint32_t taken, turn_takes;                           /* reports: by this turn; by one that has enough of them */
    uint8_t busy[BUSY_BYTES_MAX];                         /* the refusal, packed, about command id zero */
    size_t busy_len;
    int64_t overflowed_ms;                                /* the last time that a report was told BUSY */
    struct queued *replies;
    uint8_t *reply_bytes;
    uint32_t replies_count, reply_bytes_used;
    int32_t chain_first[CHAINS], chain_last[CHAINS];      /* replies by peer; first: one more, 0: none */
    uint8_t message[MESSAGE_BYTES_MAX];
};

/* ---- lanes ----------------------------------------------------------------------------------------------------- */

static void lane_init(struct lane_ring *l, uint32_t max) {
    l->max = l->limit = max;
    l->item = memory_or_die(max * sizeof *l->item);
    l->bytes = memory_or_die(LANE_BYTES_MAX);
}

/* Room for len contiguous bytes, or UINT32_MAX. */
static uint32_t lane_room(struct lane_ring *l, uint32_t len) {
    if (l->count == 0) l->bytes_head = l->bytes_tail = 0;
    if (l->count >= l->limit) return UINT32_MAX;
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

static struct front_item item_of(const struct lane_ring *l, uint32_t n) {
    const struct lane_item *i = &l->item[(l->first + n) % l->max];
    return (struct front_item){ .peer = i->peer, .source = i->source, .bytes = slice_from(l->bytes + i->at, i->len) };
}

/* The newest, which has waited the least; its bytes stay until the next push. */
static struct front_item lane_pop(struct lane_ring *l) {
    struct front_item last = item_of(l, --l->count);
    l->bytes_tail = (uint32_t)(last.bytes.at - l->bytes);
    return last;
}

bool front_take(struct front *f, enum lane lane, struct front_item *ret) {
    struct lane_ring *l = &f->lanes[lane];
    if (l->count == 0) return false;
    const struct lane_item *i = &l->item[l->first];
    *ret = item_of(l, 0);
    l->bytes_head = i->at;                            /* its bytes stay until the next take moves the head past them */
    l->first = (l->first + 1) % l->max;
    l->count--;
    if (lane == LANE_REPORTS) f->taken++;
    return true;
}

unsigned front_waiting(const struct front *f, enum lane lane) {
    return f->lanes[lane].count;
}

/* ---- what is to be said ---------------------------------------------------------------------------------------- */

/* Replies{repeated Reply replies = 1} is the plain concatenation of (tag, length, Reply): so a turn's replies to one
 * peer are gathered by copying. Where the Reply's bytes go; NULL: there is no room, and the peer asks again. */
static uint8_t *reply_room(struct front *f, struct wire_peer to, size_t size) {
    if (f->replies_count == REPLIES_MAX || REPLY_BYTES_MAX - f->reply_bytes_used < size + 8
        || size + 8 > MESSAGE_BYTES_MAX) {
        COUNT(REPLIES_DROPPED);
        return NULL;
    }
    uint8_t *at = f->reply_bytes + f->reply_bytes_used, *p = at;
    *p++ = 0x0a;
    for (size_t rest = size; ; rest >>= 7) {
        *p++ = (uint8_t)(rest > 0x7f ? (rest & 0x7f) | 0x80 : rest);
        if (rest <= 0x7f) break;
    }
    uint32_t len = (uint32_t)((size_t)(p - at) + size);
    f->replies[f->replies_count++] = (struct queued){ .to = to, .at = f->reply_bytes_used, .len = len, .next = -1 };
    f->reply_bytes_used += len;
    return p;
}

void front_reply(struct front *f, struct wire_peer to, PbReply *reply) {
    codec_prepare(CODEC_REPLY, reply);
    uint8_t *at = reply_room(f, to, codec_size(CODEC_REPLY, reply));
    if (at) codec_pack(CODEC_REPLY, reply, at);
}

/* With room for the words of the refusal. */
static PbReply refusal_make(PbRefused *room, struct slice command_id, PbRefusal code, const char *field) {
    const struct sentence *words = sentence_of(code);
    *room = (PbRefused){
        .has_code = 1, .code = code, .name = (char *)words->name, .zh = (char *)words->zh, .en = (char *)words->en,
        .field = (char *)field,
    };
    PbReply reply = { .reply_case = REPLY_REFUSED, .refused = room };
    if (command_id.len) {
        reply.has_command_id = 1;
        reply.command_id.data = (uint8_t *)command_id.at;
        reply.command_id.len = command_id.len;
    }
    return reply;
}

void front_refuse(struct front *f, struct wire_peer to, struct slice command_id, PbRefusal code, const char *field) {
    PbRefused room;
    PbReply reply = refusal_make(&room, command_id, code, field);
    COUNT(REFUSED);
    counters_refused[code]++;
    front_reply(f, to, &reply);
}

/* ---- in -------------------------------------------------------------------------------------------------------- */

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

/* It must reach the command it is about. In a storm it is most of what is said: all but the id is packed once. Nothing
 * but refusals is queued while the socket is drained, so they may be spoken when they are many. */
static void refuse_busy(struct front *f, struct wire_peer to, struct slice envelope) {
    struct slice id = codec_peek_id(envelope);
    uint8_t *reply = id.len ? reply_room(f, to, f->busy_len) : NULL;
    if (reply) {
        memcpy(reply, f->busy, f->busy_len);
        memcpy(reply + BUSY_ID_AT, id.at, id.len);
        COUNT(REFUSED);
        counters_refused[REFUSED_BUSY]++;
    } else {
        front_refuse(f, to, id, REFUSED_BUSY, NULL);
    }
    if (f->replies_count >= REFUSALS_MAX) front_speak(f);
}

/* The lane of reports has overflowed: as many may wait as one turn takes, the newest others are told now. */
static void shed(struct front *f, int64_t mono_ms) {
    struct lane_ring *l = &f->lanes[LANE_REPORTS];
    f->overflowed_ms = mono_ms;
    if (l->limit < l->max) return;
    l->limit = f->turn_takes;
    COUNT(SHEDS);
    log_warn("front.shedding waiting=%u let_in=%u", l->count, l->limit);
    while (l->count > l->limit) {
        struct front_item last = lane_pop(l);
        refuse_busy(f, last.peer, last.bytes);
    }
}

/* What did the last turn take? As much as it could, if some were left; else it may take a quarter more. */
static void shed_as_turns_go(struct front *f, int64_t mono_ms) {
    struct lane_ring *l = &f->lanes[LANE_REPORTS];
    if (l->count > 0 && f->taken > 0) f->turn_takes = f->taken;
    else if (f->taken >= f->turn_takes) f->turn_takes = f->taken + f->taken / 4;
    if (f->turn_takes < LANE_SHED_MIN) f->turn_takes = LANE_SHED_MIN;
    if (f->turn_takes > l->max / 2) f->turn_takes = l->max / 2;
    f->taken = 0;
    if (l->limit == l->max) return;
    l->limit = f->turn_takes;
    if (mono_ms - f->overflowed_ms < CALM_MS) return;
    l->limit = l->max;
    log_info("front.calm let_in=%u", l->limit);
}

static void drain_one(struct front *f, const struct wire_message *m, int64_t mono_ms) {
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
    enum lane lane = lane_of(m->frame[0]);
    if (lane_push(&f->lanes[lane], m->from, &source, m->frame[0])) return;
    refuse_busy(f, m->from, m->frame[0]);
    if (lane == LANE_REPORTS) shed(f, mono_ms);
}

void front_drain(struct front *f, int64_t mono_ms) {
    struct wire_message m;
    shed_as_turns_go(f, mono_ms);
    int64_t until_ns = clock_mono_ns() + DRAIN_NS_MAX;
    for (unsigned i = 0; i < DRAIN_MAX && wire_receive(f->socket, &m) == 1; i++) {
        drain_one(f, &m, mono_ms);
        if (i % 64 == 63 && clock_mono_ns() > until_ns) break;
    }
    front_speak(f);
}

/* ---- out ------------------------------------------------------------------------------------------------------- */

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

static void busy_make(struct front *f) {
    static const uint8_t nobody[COMMAND_ID_SIZE];
    PbRefused room;
    PbReply reply = refusal_make(&room, slice_from(nobody, sizeof nobody), REFUSED_BUSY, NULL);
    codec_prepare(CODEC_REPLY, &reply);
    f->busy_len = codec_size(CODEC_REPLY, &reply);
    CHECK(f->busy_len <= sizeof f->busy);
    codec_pack(CODEC_REPLY, &reply, f->busy);
    CHECK(memcmp(f->busy + BUSY_ID_AT, nobody, sizeof nobody) == 0 && f->busy[1] == sizeof nobody);
}

int front_open(struct front **ret, struct wire *w, const char *endpoint) {
    struct front *f = memory_or_die(sizeof *f);
    int r = wire_bind(&f->socket, w, endpoint);
    if (r < 0) return free(f), r;
    lane_init(&f->lanes[LANE_URGENT], LANE_URGENT_MAX);
    lane_init(&f->lanes[LANE_REPORTS], LANE_REPORTS_MAX);
    busy_make(f);
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
    for (enum lane lane = 0; lane < LANES; lane++) {
        free(f->lanes[lane].item);
        free(f->lanes[lane].bytes);
    }
    free(f->replies);
    free(f->reply_bytes);
    free(f);
}
