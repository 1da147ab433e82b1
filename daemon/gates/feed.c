/* feed.c: consoles. Unicast from a ROUTER, so that each session has its own contiguous numbers, its own credit and
 * exactly its own divisions.
 *
 *   subscribe ──▶ SNAPSHOT (rows of open cases) ──▶ CATCH-UP (the journal, in slices) ──▶ LIVE
 *                                                        ▲                                  │
 *                                                        └── no credit, or it does not read ┘
 *
 * There is no queue per console: one that falls behind goes back to reading the journal from where it stood. An update
 * is a pure function of its record (codec_update_of), so what a console catches up on is byte for byte what it would
 * have been told live. Those who catch up travel together: a record is read and packed once for all who stand before
 * it, and a turn gives it a millisecond; while reports come in, a quarter of one in each, so that a thousand of them
 * who come back at once keep no report waiting. */
#include "daemon/gates/gates.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { LIVE_MAX = 8192, SLICE_RECORDS = 512, SLICE_ROWS = 32, ROOM_BYTES = 4 << 20,
       LEVELS = LEVEL_PROVINCE + 1, FOUND_BITS = 12, STUCK_MS = 20 };

/* Catching up, alone; and while commands come in, and a little longer: a slice, and then a rest. */
enum { CATCH_UP_NS_MAX = 1000000, BESIDE_NS_MAX = 250000, BESIDE_REST_MS = 1, BESIDE_MS = 50 };

enum mode { MODE_GREETED, MODE_SNAPSHOT, MODE_CATCHING_UP, MODE_LIVE };

struct console {
    uint64_t session;                                        /* 0: free */
    struct wire_peer peer;
    struct source source;
    enum mode mode;
    unsigned prefixes_count;
    uint64_t prefixes[CONSOLE_PREFIXES_MAX];
    uint64_t session_seq, next_seq; /* next_seq: the first event it has not been told or spared */
    uint32_t credit;
    int64_t heard_ms, told_ms;
    int64_t again_ms;                             /* it did not take what was sent: not before then again */
    bool live_said;
    unsigned row_prefix;                                      /* where its snapshot stands */
    uint64_t row_division, row_case;
};

/* A record on its way to consoles: packed once for everybody, and every prefix under which it lies, so that each
 * console only compares. The first `here` are where the case is and whom it asks; the others, where that was so until
 * now. */
struct live {
    struct wire_shared *update;
    uint64_t first_seq, last_seq;
    unsigned here, prefixes_count;
    uint64_t prefixes[(1 + 2 * ROUTES_MAX) * LEVELS];
};

/* One that catches up, in this turn. next_seq 0: not any more. */
struct traveller { uint64_t next_seq; struct console *console; };

struct feed {
    struct wire_socket *socket;
    struct store *store;
    bool drill, behind;                                       /* behind: somebody catches up, has credit, and may */
    uint64_t sessions;
    int64_t mono_ms;                              /* of this turn */
    int64_t beside_ms, rest_ms;                   /* until then: commands come in; nobody catches up */
    unsigned listening, turn_of;                              /* listening: consoles that are LIVE */
    unsigned consoles_used;                                   /* none beyond has ever been in use */
    struct console consoles[CONSOLES_MAX];
    uint16_t found[1 << FOUND_BITS];                          /* by peer: its place among the consoles, perhaps */
    struct live *live;
    unsigned live_count;
    struct traveller travellers[CONSOLES_MAX];
    unsigned travellers_count;
    struct journal_cursor *cursor;                            /* of the last who travelled; NULL: none yet */
    uint64_t cursor_seq;                                      /* of the record it gives next */
    struct arena room;
};

/* ---- one frame pair -------------------------------------------------------------------------------------------- */

static struct slice head_of(PbFeedKind kind, uint64_t session_seq, uint64_t seq, uint8_t to[static 48]) {
    PbFeedHead head = {
        .has_session_seq = 1, .session_seq = session_seq, .has_kind = 1, .kind = kind, .has_seq = 1, .seq = seq,
    };
    return small_packed(CODEC_FEED_HEAD, &head, to, 48);
}

/* Numbered frames take a number and a credit only when they were sent. */
static int say(struct feed *f, struct console *c, PbFeedKind kind, uint64_t seq, struct slice body) {
    uint8_t bytes[48];
    bool numbered = kind != FEED_HEARTBEAT && kind != FEED_WELCOME && kind != FEED_REFUSED && kind != FEED_GOODBYE;
    struct slice frames[2] = { head_of(kind, numbered ? c->session_seq + 1 : 0, seq, bytes), body };
    int r = wire_send(f->socket, c->peer, frames, 2);
    if (r == 0 && numbered) c->session_seq++;
    return r;
}

static void refuse(struct feed *f, struct wire_peer to, PbRefusal code) {
    uint8_t bytes[512];
    PbRefused refused = refused_of(code);
    struct console nobody = { .peer = to };
    say(f, &nobody, FEED_REFUSED, 0, small_packed(CODEC_REFUSED, &refused, bytes, sizeof bytes));
}

/* ---- sessions -------------------------------------------------------------------------------------------------- */

static bool is_of(const struct console *c, struct wire_peer peer) {
    return c->session && c->peer.id == peer.id;
}

/* Where it was found the last time; else it is looked for. */
static struct console *console_of(struct feed *f, struct wire_peer peer) {
    uint16_t *found = &f->found[peer.id * 2654435761u >> (32 - FOUND_BITS)];
    for (unsigned i = 0; i < f->consoles_used && !is_of(&f->consoles[*found], peer); i++)
        if (is_of(&f->consoles[i], peer)) *found = (uint16_t)i;
    return is_of(&f->consoles[*found], peer) ? &f->consoles[*found] : NULL;
}

static void set_mode(struct feed *f, struct console *c, enum mode mode) {
    if (c->mode == MODE_LIVE) f->listening--;
    if (mode == MODE_LIVE) f->listening++;
    c->mode = mode;
}

static void console_leaves(struct feed *f, struct console *c) {
    set_mode(f, c, MODE_GREETED);
    memset(c, 0, sizeof *c);
}

static void on_hello(struct feed *f, struct wire_peer from, const struct source *source, int64_t mono_ms,
                     int64_t now_ms) {
    struct console *c = console_of(f, from);
    for (unsigned i = 0; !c && i < CONSOLES_MAX; i++)
        if (!f->consoles[i].session) c = &f->consoles[i];
    if (!c) return refuse(f, from, REFUSED_TOO_MANY_SESSIONS);
    unsigned end = (unsigned)(c - f->consoles) + 1;
    f->consoles_used = end > f->consoles_used ? end : f->consoles_used;
    if (c->session) console_leaves(f, c);
    *c = (struct console){
        .session = ++f->sessions, .peer = from, .source = *source, .heard_ms = mono_ms, .told_ms = mono_ms,
    };
    PbWelcome welcome = welcome_of(f->store, f->drill, now_ms);
    uint8_t bytes[128];
    SET(&welcome, session, c->session);
    say(f, c, FEED_WELCOME, welcome.durable_seq, small_packed(CODEC_WELCOME, &welcome, bytes, sizeof bytes));
}

static PbRefusal check_subscription(const struct console *c, const PbSubscribe *s) {
    if (s->n_prefixes == 0 || s->n_prefixes > CONSOLE_PREFIXES_MAX) return REFUSED_TOO_MANY_PREFIXES;
    for (size_t i = 0; i < s->n_prefixes; i++) {
        if (!division_digits(s->prefixes[i])) return REFUSED_BAD_DIVISION;
        if (!guard_may(&c->source, GUARD_WATCH, s->prefixes[i])) return REFUSED_NOT_PERMITTED;
    }
    return REFUSED_NOTHING;
}

/* It has seen a future that is not ours (a restored store), or misses a past that is no longer here (a purge). What it
 * was told last is never younger than the session it was told in: else it is another's, under the same seq. */
static bool has_another_past(struct feed *f, const PbSubscribe *s, uint64_t durable) {
    uint64_t epoch = 0;
    if (s->from_seq > durable || s->from_seq + 1 < store_first_seq(f->store)) return true;
    return s->has_epoch && store_epoch_at(f->store, s->from_seq, &epoch) == 0 && epoch > s->epoch;
}

static void on_subscribe(struct feed *f, struct console *c, const PbSubscribe *s) {
    PbRefusal refusal = check_subscription(c, s);
    if (refusal) return refuse(f, c->peer, refusal);
    set_mode(f, c, MODE_GREETED);
    uint64_t durable = store_durable_seq(f->store);
    c->session_seq = 0;
    c->live_said = false;
    c->credit = s->credit < CONSOLE_CREDIT_MAX ? s->credit : CONSOLE_CREDIT_MAX;
    if (!s->snapshot && has_another_past(f, s, durable)) {
        COUNT(RESYNCS);
        say(f, c, FEED_RESYNC, durable, (struct slice){ 0 });
        return;
    }
    c->prefixes_count = (unsigned)s->n_prefixes;
    memcpy(c->prefixes, s->prefixes, s->n_prefixes * sizeof c->prefixes[0]);
    c->next_seq = (s->snapshot ? durable : s->from_seq) + 1;
    c->row_prefix = 0;
    c->row_division = c->row_case = 0;
    set_mode(f, c, s->snapshot ? MODE_SNAPSHOT : MODE_CATCHING_UP);
}

static void on_credit(struct console *c, uint32_t more) {
    c->credit = more > CONSOLE_CREDIT_MAX - c->credit ? CONSOLE_CREDIT_MAX : c->credit + more;
}

static void on_frame(struct feed *f, const struct wire_message *m, int64_t mono_ms, int64_t now_ms) {
    struct source source;
    struct codec_result why;
    if (!guard_source(m->address, &source) || !guard_may(&source, GUARD_WATCH, 0)) return (void)COUNT(STRANGERS);
    arena_reset(&f->room);
    if (m->frames != 1) return COUNT(FRAMES_BAD), refuse(f, m->from, REFUSED_FRAME_COUNT);
    const PbConsoleFrame *frame = codec_unpack(CODEC_CONSOLE_FRAME, m->frame[0], &f->room, &why);
    if (!frame) return COUNT(FRAMES_BAD), refuse(f, m->from, why.refusal);
    if (frame->version != PROTOCOL_VERSION) return refuse(f, m->from, REFUSED_VERSION);
    if (frame->console_says_case == CONSOLE_SAYS_HELLO) return on_hello(f, m->from, &source, mono_ms, now_ms);
    struct console *c = console_of(f, m->from);
    if (!c) return refuse(f, m->from, REFUSED_NO_SESSION);
    c->heard_ms = mono_ms;
    switch (frame->console_says_case) {
    case CONSOLE_SAYS_SUBSCRIBE: return on_subscribe(f, c, frame->subscribe);
    case CONSOLE_SAYS_GOODBYE: return console_leaves(f, c);
    case CONSOLE_SAYS_CREDIT:
        return on_credit(c, frame->credit->more);
    default: return;                                          /* a heartbeat */
    }
}

void feed_take(struct feed *f, int64_t mono_ms, int64_t now_ms) {
    struct wire_message m;
    for (unsigned i = 0; i < 2 * CONSOLES_MAX; i++) {
        if (wire_receive(f->socket, &m) != 1) break;
        on_frame(f, &m, mono_ms, now_ms);
    }
    for (unsigned i = 0; i < f->consoles_used; i++) {
        struct console *c = &f->consoles[i];
        if (!c->session || mono_ms - c->heard_ms < SILENCE_MS) continue;
        COUNT(CONSOLES_GONE);
        console_leaves(f, c);
    }
}

/* ---- whose is it ----------------------------------------------------------------------------------------------- */

static void add_prefixes(struct live *l, uint64_t division) {
    for (PbLevel level = LEVEL_GRID; level < (PbLevel)LEVELS; level++) {
        uint64_t prefix = division_cut(division, level_digits(level));
        bool known = prefix == 0;
        for (unsigned i = 0; i < l->prefixes_count && !known; i++) known = l->prefixes[i] == prefix;
        if (!known) l->prefixes[l->prefixes_count++] = prefix;
    }
}

/* The same of a record, live or from the journal; its update is packed when somebody wants it. */
static void live_of(const PbRecord *record, struct live *ret) {
    CHECK(record->n_routes <= ROUTES_MAX && record->n_left <= ROUTES_MAX);
    ret->update = NULL;
    ret->first_seq = record->first_seq;
    ret->last_seq = record->first_seq + record->n_events - 1;
    ret->prefixes_count = 0;
    add_prefixes(ret, record->division);
    for (size_t i = 0; i < record->n_routes; i++) add_prefixes(ret, record->routes[i]);
    ret->here = ret->prefixes_count;
    for (size_t i = 0; i < record->n_left; i++) add_prefixes(ret, record->left[i]);
}

/* A console covers what lies under one of its prefixes: where the case is, or whom it asks. Where that was so until
 * now, this is the last it is told of the case. false: nothing of it is its affair. */
static bool concerns(const struct console *c, const struct live *l, PbFeedKind *ret_kind) {
    for (unsigned i = 0; i < l->prefixes_count; i++)
        for (unsigned p = 0; p < c->prefixes_count; p++)
            if (c->prefixes[p] == l->prefixes[i]) return *ret_kind = i < l->here ? FEED_UPDATE : FEED_LEFT, true;
    return false;
}

/* ---- live ------------------------------------------------------------------------------------------------------ */

static int packed_update(const PbRecord *record, struct arena *room, struct wire_shared **ret) {
    PbUpdate update;
    codec_update_of(record, &update);
    struct slice bytes = codec_packed(CODEC_UPDATE, &update, room);
    CHECK(bytes.at);
    *ret = wire_share(bytes);
    return *ret ? 0 : -ENOMEM;
}

int feed_record(struct feed *f, PbRecord *record, struct arena *room) {
    if (f->listening == 0 || record->case_id == 0) return 0;
    if (f->live_count == LIVE_MAX) return 0; /* feed_speak sees the gap and sends everybody back to the journal */
    size_t mark = room->used;
    struct live *l = &f->live[f->live_count];
    live_of(record, l);
    int r = packed_update(record, room, &l->update);
    if (r == 0) f->live_count++;
    room->used = mark;
    return r;
}

/* It does not read, or has gone and nobody has noticed yet: it is left alone for a moment, or the loop would only turn
 * round it. */
static bool left_alone(const struct feed *f, struct console *c) {
    c->again_ms = f->mono_ms + STUCK_MS;
    return false;
}

/* false: not now. It has no credit, or does not read. */
static bool say_update(struct feed *f, struct console *c, PbFeedKind kind, const struct live *l) {
    uint8_t bytes[48];
    if (!c->credit) return false;
    struct slice head = head_of(kind, c->session_seq + 1, l->last_seq, bytes);
    if (wire_send_shared(f->socket, c->peer, head, l->update) < 0) return left_alone(f, c);
    c->session_seq++;
    c->credit--;
    COUNT(UPDATES);
    return true;
}

static void fall_behind(struct feed *f, struct console *c, uint64_t seq) {
    COUNT(FEED_BEHIND);
    c->next_seq = seq;
    set_mode(f, c, MODE_CATCHING_UP);
}

static void say_live(struct feed *f, struct console *c) {
    for (unsigned i = 0; i < f->live_count; i++) {
        const struct live *l = &f->live[i];
        PbFeedKind kind;
        if (l->last_seq < c->next_seq || !concerns(c, l, &kind)) continue;
        if (!say_update(f, c, kind, l)) return fall_behind(f, c, l->first_seq);
    }
    c->next_seq = store_durable_seq(f->store) + 1;
}

/* ---- catching up ----------------------------------------------------------------------------------------------- */

/* One open case: 1 it was said; 0 it cannot be sent now; negative: what is on disk cannot be read. */
static int say_row(struct feed *f, struct console *c, uint64_t case_id, struct arena *room) {
    static struct case_state state;
    size_t mark = room->used;
    int r = store_case(f->store, case_id, &state);
    if (r < 0) return r;
    PbCaseView *view = NULL;
    r = view_case(f->store, &state, true, room, &view);
    if (r < 0) return r;
    struct slice bytes = codec_packed(CODEC_CASE_VIEW, view, room);
    CHECK(bytes.at);
    r = say(f, c, FEED_SNAPSHOT, state.last_seq, bytes);
    room->used = mark;
    if (r == 0) c->credit--;
    return r == 0 || left_alone(f, c);
}

/* A case under two of its prefixes is sent under the first that covers it. */
static bool row_is_repeated(const struct console *c, uint64_t division) {
    for (unsigned i = 0; i < c->row_prefix; i++)
        if (division_covers(c->prefixes[i], division)) return true;
    return false;
}

/* A slice of them; the same. */
static int say_snapshot(struct feed *f, struct console *c, struct arena *room) {
    uint64_t division, case_id;
    for (unsigned rows = 0; c->credit && rows < SLICE_ROWS; rows++) {
        uint64_t prefix = c->prefixes[c->row_prefix];
        int r = store_next_open(f->store, prefix, c->row_division, c->row_case, &division, &case_id);
        if (r == -ENOENT) {
            c->row_division = c->row_case = 0;
            if (++c->row_prefix < c->prefixes_count) continue;
            return set_mode(f, c, MODE_CATCHING_UP), 1;
        }
        if (r == 0) r = row_is_repeated(c, division) ? 1 : say_row(f, c, case_id, room);
        if (r <= 0) return r;
        c->row_division = division;
        c->row_case = case_id;
    }
    return 1;
}

static void now_live(struct feed *f, struct console *c) {
    if (!c->live_said && say(f, c, FEED_LIVE, c->next_seq - 1, (struct slice){ 0 }) < 0) {
        left_alone(f, c);
        return;
    }
    c->live_said = true;
    set_mode(f, c, MODE_LIVE);
}

/* One record of the journal to all who stand before it, or in it. Who does not take it stays where it is. 1: somebody
 * goes on to the next; 0: nobody; negative: it could not be packed. */
static int say_record(struct feed *f, const PbRecord *record, struct arena *room) {
    struct live l;
    int anybody = 0;
    PbFeedKind kind;
    live_of(record, &l);
    for (unsigned i = 0; i < f->travellers_count; i++) {
        struct traveller *t = &f->travellers[i];
        struct console *c = t->console;
        if (t->next_seq < l.first_seq || t->next_seq > l.last_seq) continue;
        bool concerned = record->case_id && concerns(c, &l, &kind);
        int r = concerned && !l.update ? packed_update(record, room, &l.update) : 0;
        if (r < 0) return r;
        if (concerned && !say_update(f, c, kind, &l)) t->next_seq = 0;
        else t->next_seq = c->next_seq = l.last_seq + 1, anybody = 1;
    }
    if (l.update) wire_unshare(l.update);
    return anybody;
}

/* A slice of the journal from where `first` stands; whoever it comes by goes along. Negative: it cannot be read. */
static int travel(struct feed *f, const struct console *first, int64_t until_ns, struct arena *room) {
    uint64_t seq;
    uint32_t seqs;
    struct slice bytes;
    int r = 1;
    if (f->cursor && f->cursor_seq != first->next_seq) journal_cursor_close(f->cursor), f->cursor = NULL;
    if (!f->cursor) r = journal_cursor_open(&f->cursor, store_journal(f->store), first->next_seq);
    if (r < 0) return r == -EBADMSG || r == -EIO ? r : 0;     /* no file can be opened just now: later */
    f->cursor_seq = first->next_seq;
    for (unsigned i = 0; i < SLICE_RECORDS && clock_mono_ns() < until_ns; i++) {
        PbRecord *record = NULL;
        size_t mark = room->used;
        r = journal_next(f->cursor, &seq, &seqs, &bytes);
        if (r <= 0) return r;
        r = codec_unpack_own(CODEC_RECORD, bytes, room, &record);
        if (r < 0) return r;
        r = say_record(f, record, room);
        room->used = mark;
        f->cursor_seq = seq + seqs;
        if (r <= 0) return r < 0 ? r : 1;                     /* the journal is not read on for nobody */
    }
    return 1;
}

static bool catches_up(const struct feed *f, const struct console *c) {
    return c->credit && c->again_ms <= f->mono_ms && (c->mode == MODE_SNAPSHOT || c->mode == MODE_CATCHING_UP);
}

/* At least one of those who catch up gets on each turn, and each turn begins with the one behind it. */
static int catch_up(struct feed *f, struct arena *room) {
    bool beside = f->mono_ms < f->beside_ms;
    int64_t until_ns = clock_mono_ns() + (beside ? BESIDE_NS_MAX : CATCH_UP_NS_MAX);
    uint64_t durable = store_durable_seq(f->store);
    f->travellers_count = 0;
    f->behind = false;
    if (f->mono_ms < f->rest_ms) return 0;
    for (unsigned i = 0; i < f->consoles_used; i++) {
        struct console *c = &f->consoles[i];
        if (c->mode == MODE_CATCHING_UP && catches_up(f, c))
            f->travellers[f->travellers_count++] = (struct traveller){ c->next_seq, c };
    }
    for (unsigned i = 0, first = f->turn_of; i < f->consoles_used; i++) {
        struct console *c = &f->consoles[(first + i) % f->consoles_used];
        int r = 0;
        if (!catches_up(f, c)) continue;
        f->behind = true;
        if (clock_mono_ns() >= until_ns) return 0;
        if (c->mode == MODE_SNAPSHOT) r = say_snapshot(f, c, room);
        else if (c->next_seq <= durable) r = travel(f, c, until_ns, room);
        if (r < 0) return r;
        if (c->mode == MODE_CATCHING_UP && c->credit && c->next_seq > durable) now_live(f, c);
        f->turn_of = (first + i + 1) % f->consoles_used;
    }
    return 0;
}

/* Who reports comes first. */
static void rest(struct feed *f) {
    if (!f->behind || f->mono_ms >= f->beside_ms || f->mono_ms < f->rest_ms) return;
    f->rest_ms = f->mono_ms + 1 + BESIDE_REST_MS;             /* the millisecond that runs is not counted */
    f->behind = false;
}

/* ---- the end of the turn --------------------------------------------------------------------------------------- */

static void heartbeat(struct feed *f, struct console *c, int64_t mono_ms) {
    if (mono_ms - c->told_ms < HEARTBEAT_MS) return;
    c->told_ms = mono_ms;
    say(f, c, FEED_HEARTBEAT, store_durable_seq(f->store), (struct slice){ 0 });
}

void feed_forget(struct feed *f) {
    for (unsigned i = 0; i < f->live_count; i++) wire_unshare(f->live[i].update);
    f->live_count = 0;
}

int feed_speak(struct feed *f, int64_t mono_ms, bool beside, struct arena *room) {
    f->mono_ms = mono_ms;
    if (beside) f->beside_ms = mono_ms + BESIDE_MS;
    for (unsigned i = 0; i < f->consoles_used; i++) {
        struct console *c = &f->consoles[i];
        if (!c->session) continue;
        if (c->mode == MODE_LIVE) {
            if (f->live_count == LIVE_MAX) fall_behind(f, c, c->next_seq);
            else if (f->live_count) say_live(f, c);
            else c->next_seq = store_durable_seq(f->store) + 1;
        }
        heartbeat(f, c, mono_ms);
    }
    int r = catch_up(f, room);
    rest(f);
    feed_forget(f);
    return r;
}

/* ---- figures and life ------------------------------------------------------------------------------------------ */

bool feed_wants_turn(const struct feed *f) {
    return f->behind;
}

unsigned feed_consoles(const struct feed *f) {
    unsigned count = 0;
    for (unsigned i = 0; i < CONSOLES_MAX; i++) count += f->consoles[i].session != 0;
    return count;
}

int64_t feed_next_ms(const struct feed *f, int64_t mono_ms) {
    int64_t next = f->rest_ms > mono_ms ? f->rest_ms - mono_ms : 1000;
    for (unsigned i = 0; i < f->consoles_used; i++) {
        const struct console *c = &f->consoles[i];
        if (!c->session) continue;
        if (c->told_ms + HEARTBEAT_MS - mono_ms < next) next = c->told_ms + HEARTBEAT_MS - mono_ms;
        if (c->again_ms > mono_ms && c->again_ms - mono_ms < next) next = c->again_ms - mono_ms;
    }
    return next > 0 ? next : 0;
}

int feed_open(struct feed **ret, struct wire *w, const char *endpoint, struct store *s, bool drill) {
    struct feed *f = memory_or_die(sizeof *f);
    int r = wire_bind(&f->socket, w, endpoint);
    if (r < 0) return free(f), r;
    f->store = s;
    f->drill = drill;
    f->live = memory_or_die(LIVE_MAX * sizeof *f->live);
    arena_wrap(&f->room, memory_or_die(ROOM_BYTES), ROOM_BYTES);
    *ret = f;
    return 0;
}

struct wire_socket *feed_socket(struct feed *f) {
    return f->socket;
}

void feed_close(struct feed *f) {
    for (unsigned i = 0; i < CONSOLES_MAX; i++) {
        struct console *c = &f->consoles[i];
        if (!c->session) continue;
        say(f, c, FEED_GOODBYE, store_durable_seq(f->store), (struct slice){ 0 });
        console_leaves(f, c);
    }
    if (f->cursor) journal_cursor_close(f->cursor);
    wire_socket_close(f->socket);
    free(f->room.base);
    free(f->live);
    free(f);
}
