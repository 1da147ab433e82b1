/* feed.c: a console's side. hello and subscribe go out together; what comes is numbered by session_seq without a gap.
 *
 *            greet                 WELCOME
 *   AWAY ───────────▶ GREETING ───────────────▶ UP        update, case, live ──▶ caller
 *    ▲  ▲                │                       │
 *    │  └── refused ─────┘                       │
 *    └──── a gap, NO_SESSION, GOODBYE, nobody, 15 s of silence
 *
 * Whatever went wrong, it is begun anew in one way: hello, and subscribe from the last seq that was given. hello ends
 * the old session, so numbers that come before its WELCOME belong to the past and are not looked at. */
#include "lib/client/contact.h"
#include "lib/client/whistle.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    CREDIT = 1024,                                /* updates the broker may be ahead of us */
    REFUSED_RETRY_MS = 5000,
    ROOM_BYTES = (16 << 10) + 32 * WIRE_FRAME_BYTES_MAX,
    FRAME_ROOM_BYTES = 2048,
};

struct whistle_feed {
    struct contact contact;
    uint64_t prefixes[WHISTLE_PREFIXES_MAX];
    unsigned prefixes_count;
    uint64_t last_seq;                            /* everything up to here has been given */
    uint64_t epoch, last_epoch;                   /* of this session; of that in which last_seq was told, 0: unknown */
    bool snapshot;                                /* still to be given, from its first row */
    uint64_t session_seq;                         /* of the last frame */
    unsigned credit_used;
    bool was_up, lost;                            /* contact: ever had; lost and said so */
    struct arena room;
    struct whistle_feed_counts counts;
};

/* ---- life -------------------------------------------------------------------------------------------------------- */

int whistle_feed_open(struct whistle_feed **ret, const struct whistle_feed_options *o) {
    CHECK(ret != NULL && o != NULL);
    if (o->endpoint == NULL || o->prefixes_count == 0 || o->prefixes_count > WHISTLE_PREFIXES_MAX)
        return -EINVAL;
    struct contact contact;
    int r = contact_open(&contact, o->endpoint);
    if (r < 0)
        return r;
    struct whistle_feed *f = memory_or_die(sizeof(*f));
    f->contact = contact;
    f->prefixes_count = o->prefixes_count;
    memcpy(f->prefixes, o->prefixes, o->prefixes_count * sizeof(f->prefixes[0]));
    f->snapshot = o->snapshot;
    f->last_seq = o->snapshot ? 0 : o->from_seq;
    f->last_epoch = o->from_epoch;
    arena_wrap(&f->room, memory_or_die(ROOM_BYTES), ROOM_BYTES);
    *ret = f;
    return 0;
}

int whistle_feed_fd(const struct whistle_feed *f) {
    return wire_fd(f->contact.socket);
}

const struct whistle_feed_counts *whistle_feed_counts(const struct whistle_feed *f) {
    return &f->counts;
}

/* ---- out --------------------------------------------------------------------------------------------------------- */

static int tell(struct whistle_feed *f, PbConsoleFrame *frame) {
    uint8_t memory[FRAME_ROOM_BYTES];
    struct arena room;
    arena_wrap(&room, memory, sizeof(memory));
    frame->has_version = true;
    frame->version = PROTOCOL_VERSION;
    struct slice bytes = codec_packed(CODEC_CONSOLE_FRAME, frame, &room);
    CHECK(bytes.at != NULL);                      /* 64 prefixes take 640 bytes at most */
    return contact_send(&f->contact, bytes);
}

static int tell_subscription(struct whistle_feed *f) {
    PbSubscribe subscribe = {
        .n_prefixes = f->prefixes_count, .prefixes = f->prefixes, .has_credit = true, .credit = CREDIT,
    };
    if (f->snapshot)
        subscribe.has_snapshot = subscribe.snapshot = true;
    else
        subscribe.has_from_seq = true, subscribe.from_seq = f->last_seq;
    if (!f->snapshot && f->last_epoch)
        subscribe.has_epoch = true, subscribe.epoch = f->last_epoch;
    PbConsoleFrame frame = {.console_says_case = CONSOLE_SAYS_SUBSCRIBE, .subscribe = &subscribe};
    return tell(f, &frame);
}

static void greet(struct whistle_feed *f) {
    PbHello hello = {.program = NULL};
    PbConsoleFrame frame = {.console_says_case = CONSOLE_SAYS_HELLO, .hello = &hello};
    if (tell(f, &frame) < 0 || tell_subscription(f) < 0) {
        contact_lost(&f->contact, GREETING_RETRY_MS);
        return;
    }
    contact_greeted(&f->contact);
    f->counts.subscribed++;
}

/* Given back in halves, so that the broker never runs dry while we read. */
static int give_credit(struct whistle_feed *f) {
    PbWorkerCredit credit = {.has_more = true, .more = f->credit_used};
    PbConsoleFrame frame = {.console_says_case = CONSOLE_SAYS_CREDIT, .credit = &credit};
    if (f->credit_used < CREDIT / 2)
        return 0;
    int r = tell(f, &frame);
    if (r == 0)
        f->credit_used = 0;
    return r;
}

static int beat(struct whistle_feed *f) {
    PbHeartbeat heartbeat = {.has_n = false};
    PbConsoleFrame frame = {.console_says_case = CONSOLE_SAYS_HEARTBEAT, .heartbeat = &heartbeat};
    return tell(f, &frame);
}

void whistle_feed_close(struct whistle_feed *f) {
    if (f == NULL)
        return;
    PbGoodbye goodbye = {.why = NULL};
    PbConsoleFrame frame = {.console_says_case = CONSOLE_SAYS_GOODBYE, .goodbye = &goodbye};
    if (f->contact.state == CONTACT_UP)
        tell(f, &frame);
    contact_close(&f->contact);
    free(f->room.base);
    free(f);
}

/* ---- in ---------------------------------------------------------------------------------------------------------- */

/* The handlers of frames: 1, there is something for the caller; 0, go on. */

static int on_welcome(struct whistle_feed *f, struct slice body, struct whistle_update *ret) {
    struct codec_result why;
    if (f->contact.state == CONTACT_AWAY)
        return 0;                                 /* to a hello whose subscription may never have gone out */
    const PbWelcome *welcome = codec_unpack(CODEC_WELCOME, body, &f->room, &why);
    f->epoch = welcome != NULL ? welcome->epoch : 0;
    f->contact.state = CONTACT_UP;
    f->session_seq = 0;
    f->credit_used = 0;
    f->was_up = true;
    if (!f->lost)
        return 0;
    f->lost = false;
    *ret = (struct whistle_update){.kind = WHISTLE_BACK, .seq = f->last_seq};
    return 1;
}

static int on_refused(struct whistle_feed *f, struct slice body, struct whistle_update *ret) {
    struct codec_result why;
    const PbRefused *refused = codec_unpack(CODEC_REFUSED, body, &f->room, &why);
    if (refused != NULL && refused->code == REFUSED_NO_SESSION && f->contact.state == CONTACT_UP) {
        contact_lost(&f->contact, 0);
        return 0;
    }
    if (refused == NULL || refused->code == REFUSED_NO_SESSION)
        return 0;                                 /* said about something older: the greeting is under way */
    contact_lost(&f->contact, REFUSED_RETRY_MS);
    *ret = (struct whistle_update){.kind = WHISTLE_REFUSED, .seq = f->last_seq, .refused = refused};
    return 1;
}

static int on_update(struct whistle_feed *f, uint64_t seq, bool left, struct slice body, struct whistle_update *ret) {
    struct codec_result why;
    f->snapshot = false;                          /* its rows come before all updates */
    if (seq <= f->last_seq) {
        f->counts.repeats++;
        return 0;
    }
    f->last_seq = seq;
    f->last_epoch = f->epoch;
    const PbUpdate *update = codec_unpack(CODEC_UPDATE, body, &f->room, &why);
    if (update == NULL) {
        f->counts.unreadable++;
        return 0;
    }
    f->counts.updates++;
    *ret = (struct whistle_update){
        .kind = WHISTLE_UPDATE, .seq = seq, .epoch = f->epoch, .update = update, .left = left, .bytes = body,
    };
    return 1;
}

static int on_row(struct whistle_feed *f, uint64_t seq, struct slice body, struct whistle_update *ret) {
    struct codec_result why;
    const PbCaseView *view = codec_unpack(CODEC_CASE_VIEW, body, &f->room, &why);
    if (view == NULL) {
        f->counts.unreadable++;
        return 0;
    }
    *ret = (struct whistle_update){.kind = WHISTLE_SNAPSHOT, .seq = seq, .case_view = view, .bytes = body};
    return 1;
}

static int on_live(struct whistle_feed *f, uint64_t seq, struct whistle_update *ret) {
    f->snapshot = false;
    if (seq > f->last_seq)
        f->last_seq = seq;
    f->last_epoch = f->epoch;
    *ret = (struct whistle_update){.kind = WHISTLE_LIVE, .seq = f->last_seq, .epoch = f->epoch};
    return 1;
}

/* We know more than the broker has: it is another store, or one from a backup. */
static int on_resync(struct whistle_feed *f, struct whistle_update *ret) {
    f->counts.resyncs++;
    f->snapshot = true;
    f->last_seq = f->last_epoch = 0;
    contact_lost(&f->contact, GREETING_RETRY_MS);
    *ret = (struct whistle_update){.kind = WHISTLE_OTHER_PAST};
    return 1;
}

static int on_numbered(struct whistle_feed *f, const PbFeedHead *head, struct slice body, struct whistle_update *ret) {
    if (f->contact.state != CONTACT_UP)
        return 0;
    if (head->session_seq != f->session_seq + 1) {
        f->counts.gaps++;
        contact_lost(&f->contact, GREETING_RETRY_MS);
        return 0;
    }
    f->session_seq++;
    f->credit_used += head->kind == FEED_UPDATE || head->kind == FEED_LEFT || head->kind == FEED_SNAPSHOT;
    switch (head->kind) {
    case FEED_UPDATE:
        return on_update(f, head->seq, false, body, ret);
    case FEED_LEFT:
        return on_update(f, head->seq, true, body, ret);
    case FEED_SNAPSHOT:
        return on_row(f, head->seq, body, ret);
    case FEED_LIVE:
        return on_live(f, head->seq, ret);
    case FEED_RESYNC:
        return on_resync(f, ret);
    default:
        return 0;
    }
}

static int on_message(struct whistle_feed *f, const struct wire_message *m, struct whistle_update *ret) {
    struct codec_result why;
    arena_reset(&f->room);
    const PbFeedHead *head = m->frames == 2 ? codec_unpack(CODEC_FEED_HEAD, m->frame[0], &f->room, &why) : NULL;
    if (head == NULL) {
        f->counts.unreadable++;
        return 0;
    }
    if (head->session_seq != 0)
        return on_numbered(f, head, m->frame[1], ret);
    switch (head->kind) {
    case FEED_WELCOME:
        return on_welcome(f, m->frame[1], ret);
    case FEED_REFUSED:
        return on_refused(f, m->frame[1], ret);
    case FEED_GOODBYE:
        contact_lost(&f->contact, GREETING_MS / 10);     /* it is still there, and would not answer */
        return 0;
    default:
        return 0;                                 /* a heartbeat */
    }
}

/* ---- time -------------------------------------------------------------------------------------------------------- */

static int keep_up(struct whistle_feed *f, int64_t now) {
    if (f->contact.state == CONTACT_UP && give_credit(f) < 0)
        contact_lost(&f->contact, GREETING_RETRY_MS);
    switch (contact_need(&f->contact, now)) {
    case CONTACT_NOTHING:
        return 0;
    case CONTACT_GREET:
        greet(f);
        return 0;
    case CONTACT_BEAT:
        if (beat(f) < 0)
            contact_lost(&f->contact, GREETING_RETRY_MS);
        return 0;
    case CONTACT_RENEW:
        return contact_renew(&f->contact);
    }
    NEVER("a need that nobody meets");
}

/* A gap is mended at once and is no loss of contact; who was greeted and does not answer is. */
static bool may_be_lost(const struct whistle_feed *f) {
    return f->was_up && !f->lost && f->contact.state != CONTACT_UP;
}

static bool just_lost(struct whistle_feed *f, int64_t now) {
    if (!may_be_lost(f) || now - f->contact.heard_ms < BEAT_MS)
        return false;
    return f->lost = true;
}

static int64_t due_ms(const struct whistle_feed *f, int64_t until) {
    int64_t due = contact_due_ms(&f->contact), lost = f->contact.heard_ms + BEAT_MS;
    if (may_be_lost(f) && lost < due)
        due = lost;
    return due < until ? due : until;
}

int whistle_feed_next(struct whistle_feed *f, int wait_ms, struct whistle_update *ret) {
    CHECK(f != NULL && ret != NULL && wait_ms >= 0);
    int64_t until = contact_now_ms() + wait_ms;
    for (;;) {
        struct wire_message m;
        int r;
        while ((r = contact_receive(&f->contact, &m)) == 1) {
            if (on_message(f, &m, ret) == 1)
                return 1;
            if (f->contact.state == CONTACT_UP && give_credit(f) < 0)
                contact_lost(&f->contact, GREETING_RETRY_MS);
        }
        int64_t now = contact_now_ms();
        if (r == 0)
            r = keep_up(f, now);
        if (r < 0)
            return r;
        if (just_lost(f, now)) {
            *ret = (struct whistle_update){.kind = WHISTLE_LOST_CONTACT, .seq = f->last_seq};
            return 1;
        }
        if (wire_readable(f->contact.socket))
            continue;
        if (now >= until)
            return 0;
        if (contact_wait(&f->contact, due_ms(f, until)) == -EINTR)
            return 0;
    }
}
