/* ear.c: what passes between the broker and its peers, heard on the way. What a client's library would drop in silence
 * is heard here.
 *
 *   E1  nothing is said that is not on disk
 *   E2  updates to a console only go forward from where it asked to begin
 *   E3  a desk's decision is taken in the life of the broker that offered the work (oracle_offered_in) */
#include "tests/sim/sim.h"

#include <string.h>

enum { SESSIONS_MAX = 64, ROOM_BYTES = 4 << 20 };

/* By link; an old one is forgotten. */
static struct { uint32_t peer; uint64_t seq; } sessions[SESSIONS_MAX];
static struct arena room;

static void *unpack(enum codec_type type, struct slice frame) {
    struct codec_result why;
    if (!room.base) arena_wrap(&room, sim_memory(ROOM_BYTES), ROOM_BYTES);
    arena_reset(&room);
    return codec_unpack(type, frame, &room, &why);
}

static uint64_t *heard_of(uint32_t peer) {
    unsigned at = peer % SESSIONS_MAX;
    if (sessions[at].peer != peer) sessions[at].peer = peer, sessions[at].seq = 0;
    return &sessions[at].seq;
}

/* ---- by the broker ----------------------------------------------------------------------------------------------- */

static uint64_t seq_of_replies(struct slice frame) {
    const PbReplies *r = unpack(CODEC_REPLIES, frame);
    uint64_t seq = 0;
    for (size_t i = 0; r && i < r->n_replies; i++)
        if (r->replies[i]->reply_case == REPLY_DONE && r->replies[i]->done->seq > seq) seq = r->replies[i]->done->seq;
    return seq;
}

static uint64_t seq_of_head(uint32_t peer, struct slice frame) {
    const PbFeedHead *head = unpack(CODEC_FEED_HEAD, frame);
    if (!head) return 0;
    uint64_t *before = heard_of(peer);
    bool update = head->kind == FEED_UPDATE || head->kind == FEED_LEFT;
    if (update && head->seq <= *before)
        sim_broken("O5: a console is told seq %llu behind %llu", (unsigned long long)head->seq,
                   (unsigned long long)*before);
    if (update) *before = head->seq;
    return head->seq;
}

void ear_said(const char *door, uint32_t peer, const struct slice *frames, unsigned count) {
    uint64_t seq = 0;
    if (strcmp(door, "sim:feed") == 0) seq = seq_of_head(peer, frames[0]);
    else if (strcmp(door, "sim:front") == 0 && count == 1) seq = seq_of_replies(frames[0]);
    if (seq > oracle_on_disk()) sim_broken("O1: seq %llu was told before it was on disk", (unsigned long long)seq);
}

/* ---- to the broker, as it takes it ------------------------------------------------------------------------------- */

void ear_told(const char *door, uint32_t peer, struct slice frame) {
    if (strcmp(door, "sim:feed") == 0) {
        const PbConsoleFrame *f = unpack(CODEC_CONSOLE_FRAME, frame);
        if (f && f->console_says_case == CONSOLE_SAYS_SUBSCRIBE) *heard_of(peer) = f->subscribe->from_seq;
    } else if (strcmp(door, "sim:pool") == 0) {
        const PbWorkerFrame *f = unpack(CODEC_WORKER_FRAME, frame);
        const PbLeaseToken *t = f && f->worker_says_case == WORKER_SAYS_RESULT ? f->result->token : NULL;
        if (t) oracle_offered_in(t->case_id, t->epoch);
    }
}
