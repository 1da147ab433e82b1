/* What peers may send, through the real gates and the turn behind them: any frames, in any order and number, from
 * anybody, to peers that do not read or have gone. libzmq alone is not there: the wire below hands over what the tape
 * says and judges what it is given.
 *
 *   everything that is said can be read (docs/protocol.md)      every message of a known peer has one reply
 *   a console's numbers have no gap, its updates no more than   every refusal is counted, under its reason
 *     its credit and nothing from outside its divisions         memory is bounded, and given back
 *   a lease's number is never given twice, nor to a worker      the tables are what their journal folds to
 *     without credit */
#include "tests/fuzz/fuzz.h"
#include "daemon/daemon.h"
#include "tests/unit/store_world.h"

#include <sys/mman.h>

enum gate { FRONT, POOL, FEED, GATES };
enum {
    STEPS_MAX = 120, PEERS = 12, CROWD_FROM = 100, CROWD_MAX = 1100, QUEUE_MAX = 8192, ROOM_BYTES = 32 << 20,
    BLOCKS_MAX = 24, PREFIXES_MAX = 256, TURNS_TO_REST = 200, MEMORY_MORE_MAX = 96 << 20,
    OFTEN = 3000, OFTEN_BYTES_MAX = 4096,
};

size_t __sanitizer_get_current_allocated_bytes(void);    /* its header is clang's alone */

/* ---- what is known of a peer, from what it sent and was sent ----------------------------------------------------- */

struct peer {
    bool reads_not, gone;                            /* EAGAIN, EHOSTUNREACH */
    uint64_t credit[GATES];                          /* at the most */
    uint64_t session_seq, seq;                       /* the last that it was told */
    unsigned subscribed;                             /* times it may begin at 1 again */
    uint64_t prefixes[PREFIXES_MAX];
    unsigned prefixes_count;
    struct slice last[GATES];                        /* the last that it said at each gate */
};
struct said { uint32_t peer; unsigned frames; struct slice frame[WIRE_FRAMES_MAX]; };
struct wire { int unused; };
struct wire_socket { struct said queue[QUEUE_MAX]; unsigned first, count; };
struct wire_shared { struct wire_shared *self; size_t len; uint8_t bytes[]; };

static struct {
    struct tape t;
    struct kept before;                              /* a store in which a few things have happened */
    struct world *world;
    struct daemon d;
    struct arena turn_room, room;                    /* room: of this input */
    struct wire_socket socket[GATES];
    unsigned opened;
    struct peer peer[PEERS], crowd;
    int64_t now_ms, mono_ms;
    PbLeaseToken token;
    struct case_state at;
    uint64_t lease_number, asked, told, lost, refused, shared;
    void *block[BLOCKS_MAX];
    size_t block_bytes[BLOCKS_MAX];
    unsigned blocks, blocks_used;
    bool keeps;
} w;

static const char *address_of(uint32_t id) {
    static const char *const odd[] = {":0:0:1", "127.0.0.1", "::1", "10.0.0.9", "", ":x:1:2", ":1002:1:"};
    return id < COUNT_OF(odd) ? odd[id] : ":1000:100:77";
}

static struct peer *peer_of(uint32_t id) {
    return id < PEERS ? &w.peer[id] : &w.crowd;
}

/* ---- memory that is taken at a start: the same each time, and zero again ----------------------------------------- */

void *__wrap_memory_or_die(size_t size);
void *__real_memory_or_die(size_t size);
void *__wrap_memory_or_die(size_t size) {
    if (!w.keeps) return __real_memory_or_die(size);
    unsigned i = w.blocks_used++;
    CHECK(i < BLOCKS_MAX);
    if (i == w.blocks) {
        w.block_bytes[i] = size;
        w.block[i] = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        CHECK(w.block[w.blocks++] != MAP_FAILED);
    }
    CHECK(w.block_bytes[i] == size && madvise(w.block[i], size, MADV_DONTNEED) == 0);
    return w.block[i];
}

/* ---- what the broker says ---------------------------------------------------------------------------------------- */

static void *read_as(enum codec_type type, struct slice bytes) {
    struct codec_result why;
    void *message = codec_unpack(type, bytes, &w.room, &why);
    CHECK(message);
    return message;
}

static void told_front(const struct slice *frames, bool arrives) {
    const PbReplies *r = read_as(CODEC_REPLIES, frames[0]);
    CHECK(r->n_replies > 0);
    if (!arrives) w.lost++;
    w.told += r->n_replies;
    for (size_t i = 0; i < r->n_replies; i++) {
        const PbReply *reply = r->replies[i];
        if (reply->reply_case != REPLY_REFUSED) continue;
        CHECK(strcmp(reply->refused->name, sentence_of(reply->refused->code)->name) == 0);
        w.refused++;
    }
}

static bool lies_under(const struct peer *p, uint64_t division) {
    for (unsigned i = 0; i < p->prefixes_count; i++)
        if (division_covers(p->prefixes[i], division)) return true;
    return p->prefixes_count == PREFIXES_MAX;
}

static void told_pool(struct peer *p, const struct slice *frames, bool arrives) {
    const PbPoolFrame *f = read_as(CODEC_POOL_FRAME, frames[0]);
    if (f->pool_says_case == POOL_SAYS_REFUSED) w.refused++;
    if (f->pool_says_case != POOL_SAYS_OFFER) return;
    const PbLeaseToken *token = f->offer->token;
    CHECK(p->credit[POOL] > 0 && token->number > w.lease_number && token->epoch == store_epoch(w.d.store));
    CHECK(lies_under(p, f->offer->case_view->place->division));
    w.lease_number = token->number;
    if (!arrives) return;
    p->credit[POOL]--;
    w.token = *token;
}

/* Who may be told of a case it is not under is who lies over a party of it: the journal's routes say so, not the
 * update. Such a case has been dispatched, or moved. */
static bool may_be_routed(const PbUpdate *u) {
    struct case_state c;
    return store_case(w.d.store, u->case_id, &c) == 0 && (c.asks_count || c.more.master || c.last_seq != c.id);
}

static void told_feed(struct peer *p, const struct slice *frames, bool arrives) {
    const PbFeedHead *head = read_as(CODEC_FEED_HEAD, frames[0]);
    bool update = head->kind == FEED_UPDATE || head->kind == FEED_LEFT;
    if (head->kind == FEED_REFUSED) w.refused++, (void)read_as(CODEC_REFUSED, frames[1]);
    if (head->kind == FEED_WELCOME) (void)read_as(CODEC_WELCOME, frames[1]);
    if (head->kind == FEED_SNAPSHOT) {
        const PbCaseView *v = read_as(CODEC_CASE_VIEW, frames[1]);
        CHECK(lies_under(p, v->place->division) && v->case_id <= head->seq);
    }
    if (update) {
        const PbUpdate *u = read_as(CODEC_UPDATE, frames[1]);
        CHECK(u->first_seq + u->n_events - 1 == head->seq && (lies_under(p, u->division) || may_be_routed(u)));
    }
    CHECK(head->seq <= store_durable_seq(w.d.store));                /* G1 */
    if (!arrives || !head->session_seq || p == &w.crowd) return;
    CHECK(head->session_seq == p->session_seq + 1 || (head->session_seq == 1 && p->subscribed));
    if (head->session_seq == 1) p->subscribed = 0, p->seq = 0;
    p->session_seq = head->session_seq;
    if (!update && head->kind != FEED_SNAPSHOT) return;
    CHECK(p->credit[FEED]-- > 0);
    if (!update) return;
    CHECK(head->seq > p->seq);
    p->seq = head->seq;
}

/* ---- the wire ---------------------------------------------------------------------------------------------------- */

struct wire *wire_open(void) {
    static struct wire one;
    return &one;
}

int wire_bind(struct wire_socket **ret, struct wire *wire, const char *endpoint) {
    (void)wire, (void)endpoint;
    *ret = &w.socket[w.opened++];
    (*ret)->first = (*ret)->count = 0;
    return 0;
}

int wire_connect(struct wire_socket **ret, struct wire *wire, const char *endpoint) {
    (void)ret, (void)wire, (void)endpoint;
    NEVER("a broker connects to nobody");
}

void wire_close(struct wire *wire) { (void)wire; }
const char *wire_endpoint(const struct wire_socket *s) { return (void)s, "fuzz"; }
int wire_fd(const struct wire_socket *s) { return (void)s, -1; }
bool wire_readable(struct wire_socket *s) { return s->count > 0; }
void wire_socket_close(struct wire_socket *s) { s->count = 0; }
uint64_t wire_dropped(const struct wire_socket *s) { return (void)s, 0; }

int wire_receive(struct wire_socket *s, struct wire_message *ret) {
    struct source source;
    if (s->count == 0) return 0;
    const struct said *m = &s->queue[s->first];
    s->first = (s->first + 1) % QUEUE_MAX;
    s->count--;
    *ret = (struct wire_message){.from = {m->peer}, .frames = m->frames};
    if (m->frames <= WIRE_FRAMES_MAX) memcpy(ret->frame, m->frame, sizeof ret->frame);
    (void)snprintf(ret->address, sizeof ret->address, "%s", address_of(m->peer));
    w.asked += s == &w.socket[FRONT] && guard_source(ret->address, &source);
    return 1;
}

int wire_send(struct wire_socket *s, struct wire_peer to, const struct slice *frames, unsigned count) {
    struct peer *p = peer_of(to.id);
    bool arrives = !p->reads_not && !p->gone;
    size_t mark = w.room.used;
    CHECK(count == (s == &w.socket[FEED] ? 2 : 1) && s < w.socket + GATES);
    for (unsigned i = 0; i < count; i++) CHECK(frames[i].len <= WIRE_FRAME_BYTES_MAX);
    if (s == &w.socket[FRONT]) told_front(frames, arrives);
    else if (s == &w.socket[POOL]) told_pool(p, frames, arrives);
    else told_feed(p, frames, arrives);
    w.room.used = mark;
    return arrives ? 0 : p->gone ? -EHOSTUNREACH : -EAGAIN;
}

struct wire_shared *wire_share(struct slice bytes) {
    struct wire_shared *b = malloc(sizeof *b + bytes.len);
    CHECK(b);
    *b = (struct wire_shared){.self = b, .len = bytes.len};
    if (bytes.len) memcpy(b->bytes, bytes.at, bytes.len);
    w.shared++;
    return b;
}

struct slice wire_shared_bytes(const struct wire_shared *b) { return slice_from(b->bytes, b->len); }

int wire_send_shared(struct wire_socket *s, struct wire_peer to, struct slice first, struct wire_shared *second) {
    struct slice frames[] = {first, wire_shared_bytes(second)};
    return wire_send(s, to, frames, 2);
}

void wire_unshare(struct wire_shared *b) {
    CHECK(b->self == b && w.shared-- > 0);
    free(b);
}

/* ---- what a peer says -------------------------------------------------------------------------------------------- */

static struct slice pack_drawn(enum gate gate) {
    static const enum codec_type types[GATES] = {CODEC_ENVELOPE, CODEC_WORKER_FRAME, CODEC_CONSOLE_FRAME};
    struct draw_world world = {
        .rules = fixture_rules(), .now_ms = w.now_ms, .at = w.at.id ? &w.at : NULL,
        .token = w.token.number ? &w.token : NULL, .cases = store_durable_seq(w.d.store),
    };
    void *drawn = draw(codec_descriptor(types[gate]), &w.t, &world, &w.room);
    struct slice packed = codec_packed(types[gate], drawn, &w.room);
    CHECK(packed.at);
    return packed;
}

static struct slice damaged(struct slice bytes) {
    struct slice copy = arena_copy(&w.room, bytes);
    uint32_t at = tape_two(&w.t);
    if (copy.len == 0) return copy;
    if (tape_byte(&w.t) & 1) copy.len = at % copy.len;
    else ((uint8_t *)copy.at)[at % copy.len] ^= tape_byte(&w.t);
    return copy;
}

static struct slice draw_frame(enum gate gate, const struct peer *p) {
    static const uint8_t much[WIRE_FRAME_BYTES_HEARD];
    uint8_t how = tape_byte(&w.t);
    if (how < 176) return pack_drawn(gate);
    if (how < 200) return damaged(pack_drawn(gate));
    if (how < 212) return tape_bytes(&w.t, tape_byte(&w.t));
    if (how < 220) return (struct slice){NULL, 0};
    if (how < 226) return slice_from(much, WIRE_FRAME_BYTES_MAX - 1 + tape_below(&w.t, 3));
    if (how < 229) return slice_from(much, sizeof much);
    if (how < 245) return p->last[gate];
    return pack_drawn((enum gate)((gate + 1) % GATES));
}

/* What this entitles it to, should it be taken. */
static void note_rights(struct peer *p, enum gate gate, struct slice bytes) {
    struct codec_result why;
    const uint64_t *divisions = NULL;
    size_t count = 0, mark = w.room.used;
    const PbWorkerFrame *f = gate == POOL ? codec_unpack(CODEC_WORKER_FRAME, bytes, &w.room, &why) : NULL;
    const PbConsoleFrame *c = gate == FEED ? codec_unpack(CODEC_CONSOLE_FRAME, bytes, &w.room, &why) : NULL;
    if (f && f->worker_says_case == WORKER_SAYS_HELLO) divisions = f->hello->divisions, count = f->hello->n_divisions;
    if (f && f->worker_says_case == WORKER_SAYS_CREDIT) p->credit[POOL] += f->credit->more;
    if (c && c->console_says_case == CONSOLE_SAYS_CREDIT) p->credit[FEED] += c->credit->more;
    if (c && c->console_says_case == CONSOLE_SAYS_HELLO) p->subscribed++;
    if (c && c->console_says_case == CONSOLE_SAYS_SUBSCRIBE) {
        divisions = c->subscribe->prefixes, count = c->subscribe->n_prefixes;
        p->credit[FEED] += c->subscribe->credit;
        p->subscribed++;
    }
    for (size_t i = 0; i < count && p->prefixes_count < PREFIXES_MAX; i++)
        p->prefixes[p->prefixes_count++] = divisions[i];
    w.room.used = mark;
}

/* Reading rules again is a thread's work, and no foreign bytes are in it. */
static bool is_reload(struct slice bytes) {
    return bytes.len && codec_peek_command(bytes) == COMMAND_RELOAD;
}

static void say_once(enum gate gate, const struct said *m) {
    struct wire_socket *s = &w.socket[gate];
    if (s->count == QUEUE_MAX) return;
    s->queue[(s->first + s->count++) % QUEUE_MAX] = *m;
    if (m->frames == 1) note_rights(peer_of(m->peer), gate, m->frame[0]);
}

static void one_says(void) {
    enum gate gate = (enum gate)tape_below(&w.t, GATES);
    struct said m = {.peer = tape_below(&w.t, PEERS), .frames = 1};
    struct peer *p = peer_of(m.peer);
    uint8_t how = tape_byte(&w.t);
    if (how >= 224) m.frames = how % (WIRE_FRAMES_MAX + 3);
    for (unsigned i = 0; i < m.frames && i < WIRE_FRAMES_MAX; i++) m.frame[i] = draw_frame(gate, p);
    p->last[gate] = m.frame[0];
    unsigned times = how < 216 || how >= 224 || m.frame[0].len > OFTEN_BYTES_MAX ? 1
        : how < 223 ? 1 + tape_byte(&w.t) : OFTEN;
    if (gate == FRONT && is_reload(m.frame[0])) return;
    while (times--) say_once(gate, &m);
}

/* All at once, as after a restart; what they say is one thing. */
static void crowd_says(void) {
    enum gate gate = (enum gate)tape_below(&w.t, GATES);
    struct said m = {.frames = 1, .frame = {pack_drawn(gate)}};
    unsigned count = tape_below(&w.t, 4) ? tape_byte(&w.t) : CROWD_MAX;
    if (gate == FRONT && is_reload(m.frame[0])) return;
    for (unsigned i = 0; i < count; i++) {
        m.peer = CROWD_FROM + i;
        say_once(gate, &m);
    }
}

/* ---- time and turns ---------------------------------------------------------------------------------------------- */

static int64_t wall_ms(void) { return w.now_ms; }
static int64_t mono_ns(void) { return w.mono_ms * 1000000; }
static bool synchronised(void) { return true; }

void die(const char *event, int error, const char *what) {
    (void)fprintf(stderr, "die: %s %d %s\n", event, error, what);
    NEVER("a client ended the broker");
}

static void pass_time(int64_t ms) {
    w.now_ms += ms;
    w.mono_ms += ms;
}

static void one_turn(void) {
    turn(&w.d);
    bool idle = w.d.commands == 0 && !w.d.more && !pool_wants_turn(w.d.pool) && !feed_wants_turn(w.d.feed);
    CHECK(store_rest(w.d.store, w.d.mono_ms, w.d.now_ms, idle) >= 0);
    CHECK(front_waiting(w.d.front, LANE_URGENT) <= LANE_URGENT_MAX);
    CHECK(front_waiting(w.d.front, LANE_REPORTS) <= LANE_REPORTS_MAX);
    CHECK(pool_offers_open(w.d.pool) <= LEASES_MAX && feed_consoles(w.d.feed) <= CONSOLES_MAX);
    CHECK(pool_workers_all(w.d.pool) <= WORKERS_MAX);
    uint64_t id;
    if (store_next_case(w.d.store, tape_below(&w.t, (uint32_t)store_durable_seq(w.d.store) + 1), &id) == 0)
        CHECK(store_case(w.d.store, id, &w.at) == 0);
}

static void one_step(void) {
    uint8_t how = tape_byte(&w.t);
    struct peer *p = &w.peer[tape_below(&w.t, PEERS)];
    if (how < 128) one_says();
    else if (how < 192) pass_time(1), one_turn();
    else if (how < 204) p->reads_not = !p->reads_not;
    else if (how < 210) p->gone = !p->gone;
    else if (how < 214) crowd_says();
    else if (how < 240) pass_time(tape_byte(&w.t) * 200), one_turn();
    else pass_time((int64_t)tape_byte(&w.t) * 3600000), one_turn();
}

/* ---- a life ------------------------------------------------------------------------------------------------------ */

static void set_up(void) {
    char top[PATH_MAX_BYTES];
    CHECK(setenv("TMPDIR", scratch_path("", top), 1) == 0 && world_make((void **)&w.world) == 0);
    w.world->options.map_bytes = 64 << 20;
    w.world->options.slots_ahead = 64;
    arena_wrap(&w.turn_room, memory_or_die(TURN_ROOM_BYTES), TURN_ROOM_BYTES);
    arena_wrap(&w.room, memory_or_die(ROOM_BYTES), ROOM_BYTES);
    world_create(w.world);
    world_random_turns(w.world, 6, 6);
    world_close(w.world);
    guard_open(4242, false);
    clock_source = (struct clock_source){wall_ms, wall_ms, mono_ns, synchronised};
    keep(&w.before, w.world->dir);
}

static void begin(void) {
    struct store_found found;
    struct pool_options pool = {.endpoint = "pool", .lease_ms = 30000};
    put_back(&w.before);
    memset(&w.d, 0, sizeof w.d);
    memset(w.peer, 0, sizeof w.peer);
    memset(&w.crowd, 0, sizeof w.crowd);
    memset(&w.at, 0, sizeof w.at);
    w.token = (PbLeaseToken){.number = 0};
    w.lease_number = w.asked = w.told = w.lost = w.refused = w.opened = w.blocks_used = 0;
    memset(counters, 0, sizeof counters);
    memset(counters_refused, 0, sizeof counters_refused);
    w.now_ms = w.world->now_ms + 60000;
    w.mono_ms = 1000000;
    arena_reset(&w.room);
    options_default(settings_table, settings_count, &w.d.settings);
    w.d.room = w.turn_room;
    CHECK(store_open(&w.d.store, &w.world->options, &found) == 0);
    broker_clock_start(&w.d.clock, store_last_ms(w.d.store), (int64_t)w.d.settings.clock_step_ms);
    w.d.now_ms = w.d.clock.last_ms;
    CHECK(front_open(&w.d.front, NULL, "front") == 0 && pool_open(&w.d.pool, NULL, &pool, w.d.store) == 0);
    CHECK(feed_open(&w.d.feed, NULL, "feed", w.d.store, false) == 0);
    w.keeps = true;                               /* the gates give their memory back when they are closed */
    w.d.reload = reload_open();
    w.d.recompute = recompute_open();
    w.keeps = false;
}

/* Until nobody waits for anything; then everybody has been told. */
static void come_to_rest(void) {
    unsigned turns = 0;
    do {
        CHECK(turns++ < TURNS_TO_REST);
        pass_time(1);
        one_turn();
    } while (w.socket[FRONT].count || w.d.queries_count || front_waiting(w.d.front, LANE_URGENT) || recompute_busy(&w.d)
             || front_waiting(w.d.front, LANE_REPORTS));
    uint64_t by_reason = 0, dropped = counters[COUNTER_REPLIES_DROPPED] - w.lost;
    for (unsigned i = 0; i < COUNTERS_REASONS_MAX; i++) by_reason += counters_refused[i];
    CHECK(by_reason == counters[COUNTER_REFUSED] && w.refused <= by_reason);
    CHECK(w.asked == w.told + dropped || counters[COUNTER_ABANDONED]);
}

/* P4: from its journal alone it is the same. */
static void fold_again(const struct hash *digest) {
    char path[192];
    struct hash again;
    uint64_t seq;
    struct store_found found;
    world_path(w.world, "state.mdb", path);
    CHECK(unlink(path) == 0 && store_open(&w.d.store, &w.world->options, &found) == 0 && found.rebuilt);
    CHECK(store_digest(w.d.store, &again, &seq) == 0 && hash_equal(digest, &again));
    store_close(w.d.store);
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len) {
    struct hash digest;
    uint64_t seq;
    if (!w.before.count) set_up();
    w.t = tape_of(at, len);
    uint8_t how = tape_byte(&w.t);
    begin();
    size_t memory = __sanitizer_get_current_allocated_bytes();
    for (unsigned i = 0; i < STEPS_MAX && !tape_over(&w.t); i++) {
        one_step();
        CHECK(__sanitizer_get_current_allocated_bytes() < memory + MEMORY_MORE_MAX);
    }
    come_to_rest();
    CHECK(store_digest(w.d.store, &digest, &seq) == 0);
    front_close(w.d.front);
    pool_close(w.d.pool);
    feed_close(w.d.feed);
    CHECK(w.shared == 0);
    store_close(w.d.store);
    if (how & 1) fold_again(&digest);
    return 0;
}
