/* actors.c: who talks to the broker. Reporters and the office through libwhistle, desks with the decisions of lib/desk,
 * consoles, and strangers who send what they like. */
#include "lib/wire/wire.h"
#include "tests/sim/actors.h"
#include "tests/unit/rules_fixture.h"
#include "workers/worker.h"

#include <string.h>

enum { ROOM_BYTES = 1 << 20, ACTORS_MAX = 24, RESTING_NS = 50000000 };

static struct actor actors[ACTORS_MAX];
static unsigned actors_count;
static bool only_wait;
static struct arena room;

uint64_t actor_roll(const struct actor *a, uint64_t sides) {
    return sim_roll((enum sim_stream)(SIM_ACTOR + a->number), sides);
}

bool actor_chance(const struct actor *a, unsigned of_a_thousand) {
    return actor_roll(a, 1000) < of_a_thousand;
}

/* ---- clients: reporters and the office --------------------------------------------------------------------------- */

static void hear_replies(struct actor *a) {
    const PbReply *reply;
    while (whistle_next(a->client, 0, &reply) == 1) {
        if (reply->reply_case == REPLY_DONE) oracle_acknowledged(a->uid, reply->command_id.data, reply->done);
        if (reply->reply_case == REPLY_REFUSED) sometimes_refused(reply->refused->code);
        if (reply->reply_case == REPLY_RELOADED && reply->reloaded->adopted) sometimes("rules.reloaded");
        if (reply->reply_case == REPLY_RECOMPUTED) sometimes("recompute.over");
    }
}

static void keep(struct actor *a, PbEnvelope *e) {
    if (a->kept_count < KEPT_MAX || actor_roll(a, 8) == 0) {
        struct kept *k = &a->kept[a->kept_count < KEPT_MAX ? a->kept_count++ : actor_roll(a, KEPT_MAX)];
        struct slice bytes = codec_packed(CODEC_ENVELOPE, e, &room);
        k->len = bytes.len <= KEPT_BYTES ? (unsigned)bytes.len : 0;
        if (k->len) memcpy(k->bytes, bytes.at, k->len);
    }
}

static void say_again(struct actor *a) {
    struct codec_result why;
    const struct kept *k = &a->kept[actor_roll(a, a->kept_count)];
    PbEnvelope *e = k->len ? codec_unpack(CODEC_ENVELOPE, slice_from(k->bytes, k->len), &room, &why) : NULL;
    if (e && whistle_send(a->client, e, NULL) == 0) sometimes("client.said_again");
}

static void client_step(struct actor *a) {
    hear_replies(a);
    if (only_wait || whistle_in_flight(a->client) > 8) return;
    arena_reset(&room);
    if (a->kept_count && actor_chance(a, swarm.again)) return say_again(a);
    uint8_t id[16];
    uint64_t seed = actor_roll(a, UINT64_MAX);
    PbEnvelope e = {.command_case = ENVELOPE_COMMAND_NOT_SET};
    whistle_id(id, clock_wall_ms(), &seed);
    SET(&e, version, PROTOCOL_VERSION);
    SET(&e, command_id, ((ProtobufCBinaryData){16, id}));
    SET(&e, sent_at_ms, clock_wall_ms());
    words_say(a, &room, id, &e);
    codec_prepare(CODEC_ENVELOPE, &e);
    keep(a, &e);
    whistle_send(a->client, &e, NULL);
}

/* ---- desks ------------------------------------------------------------------------------------------------------- */

static void desk_step(struct actor *a) {
    const PbOffer *offer;
    for (unsigned i = 0; i < 8 && whistle_worker_next(a->worker, 0, &offer) == 1; i++) {
        uint64_t mood = actor_roll(a, 20);
        if (mood == 0) {
            sometimes("desk.silent");
            a->in_hand++;
        } else if (mood == 1) {
            sometimes("desk.put_off");
            whistle_worker_retry(a->worker, offer->token, (uint32_t)actor_roll(a, 60000));
        } else if (mood == 2) {
            sometimes("desk.rejected");
            whistle_worker_reject(a->worker, offer->token);
        }
        else { worker_decide(a->worker, a->level, offer); }
    }
}

/* ---- consoles ---------------------------------------------------------------------------------------------------- */

static void leave(struct actor *a, int64_t for_ns) {
    sim_uid = a->uid;
    if (a->client) whistle_client_close(a->client);
    if (a->worker) whistle_worker_close(a->worker);
    if (a->feed) whistle_feed_close(a->feed);
    a->client = NULL, a->worker = NULL, a->feed = NULL;
    a->in_hand = 0;
    a->wakes_ns = sim_now_ns() + for_ns;
}

static void console_step(struct actor *a) {
    struct whistle_update u;
    if (!only_wait && !a->absent && actor_chance(a, 10)) {
        sometimes("console.slow");
        a->absent = 1 + (unsigned)actor_roll(a, 300);
    }
    if (!only_wait && a->absent) a->absent--;
    if (!only_wait && (a->absent || actor_chance(a, 300))) return;        /* it does not read for a while */
    for (unsigned i = 0; i < 256 && whistle_feed_next(a->feed, 0, &u) == 1; i++) {
        if (u.kind == WHISTLE_OTHER_PAST) oracle_other_past(a->number), a->anew = true, a->last_seq = a->last_epoch = 0;
        if (u.kind == WHISTLE_SNAPSHOT) oracle_row(a->number, u.case_view->case_id, u.seq);
        if (u.kind == WHISTLE_LIVE) oracle_live(a->number, u.seq);
        if (u.kind == WHISTLE_LIVE && a->anew) a->anew = false, a->last_seq = u.seq, a->last_epoch = u.epoch;
        if (u.kind == WHISTLE_REFUSED) {
            sometimes("console.refused");
            if (a->mistyped) return leave(a, 1000000000);                 /* and types it again */
        }
        if (u.kind != WHISTLE_UPDATE) continue;
        a->last_seq = u.seq;
        a->last_epoch = u.epoch;
        oracle_heard(a->number, u.update, u.seq);
    }
}

/* ---- strangers --------------------------------------------------------------------------------------------------- */

/* What an honest client has sent, with some bits turned, under the stranger's name. */
static bool a_changed_command(const struct actor *a, uint8_t *bytes, size_t most, struct slice *ret) {
    const struct actor *honest = &actors[actor_roll(a, actors_count)];
    if (!honest->kept_count) return false;
    const struct kept *k = &honest->kept[actor_roll(a, honest->kept_count)];
    if (k->len == 0 || k->len > most) return false;
    memcpy(bytes, k->bytes, k->len);
    for (uint64_t i = actor_roll(a, 4); i > 0; i--) bytes[actor_roll(a, k->len)] ^= (uint8_t)(1u << actor_roll(a, 8));
    *ret = slice_from(bytes, k->len);
    sometimes("stranger.changed_a_command");
    return true;
}

static void stranger_step(struct actor *a) {
    static const char *const doors[] = {"sim:front", "sim:pool", "sim:feed"};
    uint8_t bytes[400];
    struct slice frames[WIRE_FRAMES_MAX];
    struct wire_message m;
    if (only_wait || !actor_chance(a, swarm.strange)) return;
    if (a->socket && actor_roll(a, 10) == 0) {
        wire_socket_close(a->socket);
        a->socket = NULL;
    }
    if (!a->socket) CHECK(wire_connect(&a->socket, wire_open(), doors[actor_roll(a, COUNT_OF(doors))]) == 0);
    while (wire_receive(a->socket, &m) == 1) sometimes("stranger.was_answered");
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)actor_roll(a, 256);
    if (actor_roll(a, 2)) memcpy(bytes, "\x08\x01\x12\x10", 4);           /* as an envelope begins */
    unsigned count = 1 + (unsigned)actor_roll(a, WIRE_FRAMES_MAX);
    for (unsigned i = 0; i < count; i++) frames[i] = slice_from(bytes, actor_roll(a, sizeof bytes));
    if (actor_roll(a, 2)) count = a_changed_command(a, bytes, sizeof bytes, frames) ? 1 : count;
    wire_send(a->socket, (struct wire_peer){0}, frames, count);
}

/* ---- all of them ------------------------------------------------------------------------------------------------- */

static void console_open(struct actor *a) {
    static const uint64_t prefixes[][2] = {{FIXTURE_DISTRICT, 0}, {FIXTURE_COMMUNITY, 0},
                                           {FIXTURE_GRID2, FIXTURE_COMMUNITY2}};
    const uint64_t *mine = prefixes[a->number % COUNT_OF(prefixes)];
    static const uint64_t no_division = FIXTURE_DISTRICT / 10;
    unsigned count = mine[1] ? 2 : 1;
    struct whistle_feed_options o = {.endpoint = "sim:feed", .prefixes = mine, .prefixes_count = count,
                                     .from_seq = a->last_seq, .from_epoch = a->last_epoch,
                                     .snapshot = a->anew};
    a->mistyped = !only_wait && swarm.mistyped && sim_chance(SIM_LATER, swarm.mistyped);
    if (a->mistyped) o.prefixes = &no_division, o.prefixes_count = 1;
    else oracle_console_is(a->number, mine, count, a->last_seq);
    if (a->last_seq) sometimes("console.resumed");
    CHECK(whistle_feed_open(&a->feed, &o) == 0);
}

static void desk_open(struct actor *a) {
    static const uint64_t district = FIXTURE_DISTRICT;
    a->level = (PbLevel)(LEVEL_COMMUNITY + a->number % 3);
    struct whistle_worker_options o = {.endpoint = "sim:pool", .level = a->level, .divisions = &district,
                                       .divisions_count = 1, .credit = 16};
    CHECK(whistle_worker_open(&a->worker, &o) == 0);
}

static void client_open(struct actor *a) {
    struct whistle_client_options o = {.endpoint = "sim:front", .window = 16};
    if (!a->kept) a->kept = sim_memory(KEPT_MAX * sizeof *a->kept);
    CHECK(whistle_client_open(&a->client, &o) == 0);
}

static const struct { void (*open)(struct actor *a), (*step)(struct actor *a); } manners[] = {
    [REPORTER] = {client_open, client_step}, [OFFICE] = {client_open, client_step}, [DESK] = {desk_open, desk_step},
    [CONSOLE] = {console_open, console_step}, [STRANGER] = {NULL, stranger_step},
    [INSISTENT] = {client_open, client_step},
};

static bool is_here(const struct actor *a) {
    return a->client || a->worker || a->feed || a->kind == STRANGER;
}

static void add(enum actor_kind kind, unsigned count, unsigned first) {
    for (unsigned i = 0; i < count; i++) {
        CHECK(actors_count < ACTORS_MAX);
        struct actor *a = &actors[actors_count];
        *a = (struct actor){.kind = kind, .number = first + i, .uid = kind == OFFICE ? 0 : 1000 + actors_count};
        actors_count++;
    }
}

void actors_open(void) {
    arena_wrap(&room, sim_memory(ROOM_BYTES), ROOM_BYTES);
    add(CONSOLE, swarm.consoles, 0);
    add(REPORTER, swarm.reporters, 8);
    add(OFFICE, 2, 16);
    add(DESK, swarm.desks, 20);
    if (swarm.strange) add(STRANGER, 1, 30);
    if (swarm.habit) add(INSISTENT, 1, 24);
}

int64_t actors_next_ns(void) {
    int64_t next = INT64_MAX;
    for (unsigned i = 0; i < actors_count; i++)
        if (actors[i].wakes_ns < next) next = actors[i].wakes_ns;
    return next;
}

void actors_step(void) {
    for (unsigned i = 0; i < actors_count; i++) {
        struct actor *a = &actors[i];
        if (a->wakes_ns > sim_now_ns()) continue;
        sim_uid = a->uid;
        if (!is_here(a)) manners[a->kind].open(a);
        int64_t think = only_wait ? RESTING_NS : swarm.think_ns;
        a->wakes_ns = sim_now_ns() + 1 + (int64_t)actor_roll(a, (uint64_t)think * 2);
        manners[a->kind].step(a);
    }
}

void actors_leave(void) {
    for (unsigned i = 0; i < actors_count; i++) leave(&actors[i], swarm.night_ns);
}

void actors_one_leaves(uint64_t (*roll)(uint64_t sides)) {
    struct actor *a = &actors[roll(actors_count)];
    if (!is_here(a) || a->kind == STRANGER) return;
    if (a->in_hand) sometimes("desk.left_with_offers");
    sometimes("client.left");
    leave(a, 1 + (int64_t)roll(60) * 1000000000);
}

bool actors_quiet(void) {
    for (unsigned i = 0; i < actors_count; i++) {
        const struct actor *a = &actors[i];
        if (!is_here(a)) return false;
        if (a->client && whistle_in_flight(a->client)) return false;
    }
    return true;
}

void actors_only_wait(void) {
    only_wait = true;
    for (unsigned i = 0; i < actors_count; i++) actors[i].wakes_ns = sim_now_ns();
}
