/* client.c: the front. Commands go out as soon as somebody takes them and are kept until answered.
 *
 *   whistle_send ──▶ window (bytes kept) ──▶ queue ──▶ wire ──▶ broker
 *                       ▲      silence, BUSY ──┘                   │
 *   whistle_next ◀── reply, matched by id ◀────────────────────────┘
 *
 * There is no session on this side. libzmq reconnects unseen, and what was under way then is lost: silence is how that
 * is noticed. A broker that is busy with other commands is not silent for long, so it is not told everything twice. */
#include "lib/client/contact.h"
#include "lib/client/whistle.h"
#include "lib/client/window.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    SWEEP_MS = WHISTLE_TICK_MS,
    SILENT_MS = 1000, SILENT_MAX_MS = 5000,       /* nothing said at all; doubling */
    PASSED_OVER_MS = 5000,                        /* others answered */
    HOLD_MS = 100, HOLD_MAX_MS = 2000,            /* told BUSY; doubling */
    ROOM_BYTES = (16 << 10) + 32 * WIRE_FRAME_BYTES_MAX,     /* what one frame needs at most (codec.c); hardly used */
    SEEDS = 64,
};

struct whistle_client {
    struct contact contact;
    struct window *window;
    int64_t sweep_ms;
    const PbReplies *replies;                     /* the message being read, in room; NULL: none */
    size_t replies_read;
    struct arena room;
    struct whistle_counts counts;
    uint64_t seeds[SEEDS];                        /* randomness fetched ahead: the kernel is asked once for 64 ids */
    unsigned seeds_left;
    uint8_t bytes[WHISTLE_ENVELOPE_BYTES_MAX];
};

/* ---- life -------------------------------------------------------------------------------------------------------- */

int whistle_client_open(struct whistle_client **ret, const struct whistle_client_options *o) {
    CHECK(ret != NULL && o != NULL);
    if (o->endpoint == NULL || o->window == 0 || o->window > WHISTLE_WINDOW_MAX)
        return -EINVAL;
    struct contact contact;
    int r = contact_open(&contact, o->endpoint);
    if (r < 0)
        return r;
    struct whistle_client *c = memory_or_die(sizeof(*c));
    c->contact = contact;
    c->window = window_open(o->window);
    arena_wrap(&c->room, memory_or_die(ROOM_BYTES), ROOM_BYTES);
    *ret = c;
    return 0;
}

void whistle_client_close(struct whistle_client *c) {
    if (c == NULL)
        return;
    contact_close(&c->contact);
    window_close(c->window);
    free(c->room.base);
    free(c);
}

int whistle_client_fd(const struct whistle_client *c) {
    return wire_fd(c->contact.socket);
}

unsigned whistle_in_flight(const struct whistle_client *c) {
    return window_count(c->window);
}

const struct whistle_counts *whistle_client_counts(const struct whistle_client *c) {
    return &c->counts;
}

/* ---- out --------------------------------------------------------------------------------------------------------- */

static bool transmit(struct whistle_client *c, struct slot *s, struct slice bytes) {
    if (contact_send(&c->contact, bytes) < 0)
        return false;
    *(s->sent_ms == 0 ? &c->counts.sent : &c->counts.resent) += 1;
    s->sent_ms = c->contact.told_ms;
    return true;
}

/* What waits to be written, in order, as far as somebody takes it. */
static void flush(struct whistle_client *c) {
    uint32_t at;
    while ((at = window_first(c->window, WINDOW_QUEUE)) != WINDOW_NONE) {
        if (!transmit(c, window_slot(c->window, at), window_bytes(c->window, at, c->bytes)))
            return;
        window_dequeue(c->window, at);
    }
}

static uint64_t seed_next(struct whistle_client *c) {
    if (c->seeds_left == 0) {
        random_bytes(c->seeds, sizeof(c->seeds));
        c->seeds_left = SEEDS;
    }
    return c->seeds[--c->seeds_left];
}

static void fill_in(struct whistle_client *c, PbEnvelope *e, uint8_t id[16]) {
    if (!e->has_version)
        e->has_version = true, e->version = PROTOCOL_VERSION;
    if (e->has_command_id && e->has_sent_at_ms)
        return;
    int64_t now = clock_wall_ms();
    if (!e->has_sent_at_ms)
        e->has_sent_at_ms = true, e->sent_at_ms = now;
    if (!e->has_command_id) {
        uint64_t seed = seed_next(c);
        whistle_id(id, now, &seed);
        e->has_command_id = true;
        e->command_id = (ProtobufCBinaryData){.len = COMMAND_ID_SIZE, .data = id};
    }
}

/* What it says is for the broker to judge; an id of the right size is what the verdict comes back by. */
static int pack(struct whistle_client *c, PbEnvelope *e, struct slice *ret) {
    if (e->command_id.len != COMMAND_ID_SIZE)
        return -EBADMSG;
    codec_prepare(CODEC_ENVELOPE, e);
    size_t size = codec_size(CODEC_ENVELOPE, e);
    if (size > sizeof(c->bytes))
        return -EMSGSIZE;
    codec_pack(CODEC_ENVELOPE, e, c->bytes);
    *ret = slice_from(c->bytes, size);
    return 0;
}

static int keep_and_send(struct whistle_client *c, const uint8_t id[16], struct slice bytes) {
    if (window_find(c->window, id) != WINDOW_NONE)
        return -EEXIST;
    uint32_t at = window_add(c->window, id, bytes);
    if (at == WINDOW_NONE)
        return -EAGAIN;
    bool first_in_line = window_first(c->window, WINDOW_QUEUE) == WINDOW_NONE;
    if (!first_in_line || !transmit(c, window_slot(c->window, at), bytes))
        window_enqueue(c->window, at);
    if (!first_in_line)
        flush(c);
    return 0;
}

int whistle_send(struct whistle_client *c, PbEnvelope *envelope, uint8_t ret_id[16]) {
    CHECK(c != NULL && envelope != NULL);
    if (window_full(c->window))
        return -EAGAIN;
    uint8_t id[COMMAND_ID_SIZE];
    struct slice bytes;
    PbEnvelope filled = *envelope;
    fill_in(c, &filled, id);
    int r = pack(c, &filled, &bytes);
    if (r < 0)
        return r;
    if (filled.command_id.data != id)
        memcpy(id, filled.command_id.data, sizeof(id));
    r = keep_and_send(c, id, bytes);
    if (r == 0 && ret_id != NULL)
        memcpy(ret_id, id, sizeof(id));
    return r;
}

/* ---- again ------------------------------------------------------------------------------------------------------- */

static uint32_t doubled(uint32_t last, uint32_t first, uint32_t most) {
    return last == 0 ? first : 2 * last < most ? 2 * last : most;
}

static bool is_silent(const struct whistle_client *c, const struct slot *s, int64_t now) {
    int64_t since = s->sent_ms > c->contact.heard_ms ? s->sent_ms : c->contact.heard_ms;
    return now - since >= doubled(s->silent_ms, SILENT_MS, SILENT_MAX_MS) || now - s->sent_ms >= PASSED_OVER_MS;
}

/* Who is due goes back into the queue, in the order of first sending. */
static void sweep(struct whistle_client *c, int64_t now) {
    if (now < c->sweep_ms || window_count(c->window) == 0)
        return;
    c->sweep_ms = now + SWEEP_MS;
    uint32_t at = window_first(c->window, WINDOW_ORDER);
    for (; at != WINDOW_NONE; at = window_after(c->window, WINDOW_ORDER, at)) {
        struct slot *s = window_slot(c->window, at);
        if (s->state == SLOT_SENT && is_silent(c, s, now)) {
            s->silent_ms = doubled(s->silent_ms, SILENT_MS, SILENT_MAX_MS);
            window_enqueue(c->window, at);
        } else if (s->state == SLOT_HELD_OFF && now >= s->due_ms) {
            window_enqueue(c->window, at);
        }
    }
}

/* Spread by the id, so that all who were told BUSY together do not come back together. */
static void hold_off(struct whistle_client *c, uint32_t at) {
    struct slot *s = window_slot(c->window, at);
    if (s->state == SLOT_QUEUED)
        window_dequeue(c->window, at);
    s->state = SLOT_HELD_OFF;
    s->held_ms = doubled(s->held_ms, HOLD_MS, HOLD_MAX_MS);
    s->due_ms = c->contact.heard_ms + s->held_ms + s->id[15] % (s->held_ms / 4);
    c->counts.held_off++;
}

/* ---- in ---------------------------------------------------------------------------------------------------------- */

static bool is_not_now(const PbReply *reply) {
    if (reply->reply_case != REPLY_REFUSED)
        return false;
    PbRefusal code = reply->refused->code;
    return code == REFUSED_BUSY || code == REFUSED_RETRY_LATER || code == REFUSED_STOPPING;
}

/* True: it is for the caller. */
static bool settle(struct whistle_client *c, const PbReply *reply) {
    uint32_t at = WINDOW_NONE;
    if (reply->command_id.len == COMMAND_ID_SIZE)
        at = window_find(c->window, reply->command_id.data);
    if (at == WINDOW_NONE) {
        c->counts.strays++;
        return false;
    }
    if (is_not_now(reply)) {
        hold_off(c, at);
        return false;
    }
    window_remove(c->window, at);
    c->counts.answered++;
    return true;
}

/* The next reply that is for the caller, of the message being read. */
static const PbReply *reply_next(struct whistle_client *c) {
    while (c->replies != NULL && c->replies_read < c->replies->n_replies) {
        const PbReply *reply = c->replies->replies[c->replies_read++];
        if (settle(c, reply))
            return reply;
    }
    c->replies = NULL;
    return NULL;
}

/* 1 a message is there to be read; 0 none; negative. */
static int message_next(struct whistle_client *c) {
    struct wire_message m;
    int r;
    CHECK(c->replies == NULL);
    while ((r = contact_receive(&c->contact, &m)) == 1) {
        struct codec_result why;
        arena_reset(&c->room);
        c->replies = m.frames == 1 ? codec_unpack(CODEC_REPLIES, m.frame[0], &c->room, &why) : NULL;
        c->replies_read = 0;
        if (c->replies != NULL)
            return 1;
        c->counts.unreadable++;
    }
    return r;
}

int whistle_next(struct whistle_client *c, int wait_ms, const PbReply **ret) {
    CHECK(c != NULL && ret != NULL && wait_ms >= 0);
    int64_t until = 0;
    for (;;) {
        int r;
        do {
            const PbReply *reply = reply_next(c);
            if (reply != NULL) {
                *ret = reply;
                return 1;
            }
            r = message_next(c);
        } while (r == 1);
        if (r < 0)
            return r;
        int64_t now = contact_now_ms();
        if (until == 0)
            until = now + wait_ms;
        sweep(c, now);
        flush(c);
        if (wire_readable(c->contact.socket))
            continue;                             /* sending brought something in */
        if (now >= until)
            return 0;
        int64_t tick = window_count(c->window) > 0 ? now + SWEEP_MS : until;
        if (contact_wait(&c->contact, tick < until ? tick : until) == -EINTR)
            return 0;
    }
}

int whistle_forget(struct whistle_client *c, const uint8_t id[16]) {
    uint32_t at = window_find(c->window, id);
    if (at == WINDOW_NONE)
        return -ENOENT;
    window_remove(c->window, at);
    return 0;
}

int whistle_call(struct whistle_client *c, PbEnvelope *envelope, int wait_ms, const PbReply **ret) {
    CHECK(c != NULL && ret != NULL);
    if (window_count(c->window) > 0)
        return -EBUSY;
    uint8_t id[COMMAND_ID_SIZE];
    int r = whistle_send(c, envelope, id);
    if (r < 0)
        return r;
    int64_t until = contact_now_ms() + wait_ms, left = wait_ms;
    do {
        r = whistle_next(c, (int)left, ret);
        left = until - contact_now_ms();
    } while (r == 0 && left > 0);
    if (r == 1)
        return 0;
    whistle_forget(c, id);
    return r < 0 ? r : -ETIMEDOUT;
}
