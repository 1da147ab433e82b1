/* actors.c: who talks to the broker. Reporters and the office through libwhistle, desks with the decisions of lib/desk,
 * consoles, and strangers who send what they like. */
#include "lib/wire/wire.h"
#include "tests/sim/sim.h"
#include "tests/unit/rules_fixture.h"
#include "workers/worker.h"

#include <string.h>

enum { KEPT_MAX = 256, KEPT_BYTES = 1024, ROOM_BYTES = 1 << 20, ACTORS_MAX = 24,
       RESTING_NS = 50000000 };

enum actor_kind { REPORTER, OFFICE, DESK, CONSOLE, STRANGER };

/* A command that was acknowledged once, to be sent again some day, byte for byte. */
struct kept { unsigned len; uint8_t bytes[KEPT_BYTES]; };

struct actor {
    enum actor_kind kind;
    unsigned number, uid;
    int64_t wakes_ns;
    struct whistle_client *client;
    struct whistle_worker *worker;
    struct whistle_feed *feed;
    struct wire_socket *socket;
    PbLevel level;
    struct kept *kept;
    unsigned kept_count;
    uint64_t last_seq;                            /* console: where it goes on after a night */
    unsigned absent;                              /* console: so many steps it will not read */
};

static struct actor actors[ACTORS_MAX];
static unsigned actors_count;
static bool only_wait;
static struct arena room;

static uint64_t roll(const struct actor *a, uint64_t sides) {
    return sim_roll((enum sim_stream)(SIM_ACTOR + a->number), sides);
}

static bool chance(const struct actor *a, unsigned of_a_thousand) {
    return roll(a, 1000) < of_a_thousand;
}

/* ---- what is said: reports --------------------------------------------------------------------------------------- */

static const uint64_t places[] = {FIXTURE_GRID, FIXTURE_GRID2, 610402006002001ULL, 610402006002002ULL,
                                  FIXTURE_COMMUNITY, FIXTURE_COMMUNITY2, FIXTURE_STREET};
static const char *const categories[] = {"lamp", "rubbish", "stall"};
static const char *const parties[] = {
    "community-desk@610402006001", "community-desk@610402006002", "district-desk@610402", "greenery@610402",
    "grid-leader@610402006001", "grid-worker@610402006001001", "grid-worker@610402006001002",
    "grid-worker@610402006002001", "lighting@610402", "outer-worker@610402006", "street-desk@610402006",
    "verifier@610402006", "nobody@610402",
};
#define ANY(a, list) ((char *)list[roll(a, COUNT_OF(list))])

static void *made(size_t size) {
    return arena_must(&room, size);
}

static PbReport *a_report(const struct actor *a) {
    PbReport *r = made(sizeof *r);
    PbPlace *p = r->place = made(sizeof *p);
    SET(p, division, places[roll(a, COUNT_OF(places))]);
    if (roll(a, 2)) SET(p, wall, (PbWall)roll(a, 3));
    if (roll(a, 4) == 0) SET(p, lon_e7, 1087000000), SET(p, lat_e7, 343000000);
    r->category = ANY(a, categories);
    if (roll(a, 3) == 0) r->text = (char *)"水管爆了 a burst pipe";
    if (roll(a, 8) == 0) r->address = (char *)"3 号楼";
    if (roll(a, 4) == 0) SET(r, promise_ms, (int64_t)roll(a, 5 * 86400000));
    if (roll(a, 3) == 0) SET(r, ask_me, true);
    if (roll(a, 20) == 0) SET(r, exercise, true);
    if (roll(a, 4) == 0) r->reporter = (char *)"grid-worker@610402006001001";
    if (chance(a, swarm.wrong)) r->category = (char *)"no such thing";
    if (chance(a, swarm.wrong)) p->division = roll(a, 1000000);
    return r;
}

static void say_report(const struct actor *a, PbEnvelope *e) {
    if (roll(a, 4)) {
        e->command_case = COMMAND_REPORT;
        e->report = a_report(a);
        return;
    }
    PbSelfHandle *h = made(sizeof *h);
    h->report = a_report(a);
    h->party = (char *)"grid-worker@610402006001001";
    h->report->place->division = FIXTURE_GRID;
    if (roll(a, 2)) h->report->category = (char *)"rubbish";
    h->text = (char *)"扫了";
    e->command_case = COMMAND_SELF_HANDLE;
    e->self_handle = h;
}

/* ---- what is said: the rest of a case's way ---------------------------------------------------------------------- */

/* Somebody of whom something is open here, or anybody. */
static char *somebody(const struct actor *a, const struct case_state *c) {
    for (unsigned i = 0; i < c->asks_count && roll(a, 8); i++) {
        const struct ask *k = &c->asks[(i + roll(a, 16)) % c->asks_count];
        if (ask_is_open(k)) return (char *)k->party;
    }
    return ANY(a, parties);
}

static void say_answer(const struct actor *a, const struct case_state *c, PbEnvelope *e) {
    PbAnswer *w = made(sizeof *w);
    const struct ask *k = c->asks_count ? &c->asks[roll(a, c->asks_count)] : NULL;
    SET(w, case_id, c->id);
    SET(w, stage, k ? k->stage : c->stage);
    SET(w, attempt, k ? k->attempt : c->attempt);
    w->party = k ? (char *)k->party : ANY(a, parties);
    static const PbAnswerKind kinds[] = {ANSWER_ACCEPT, ANSWER_DONE, ANSWER_DONE, ANSWER_DECLINE, ANSWER_RETURN};
    SET(w, kind, kinds[roll(a, COUNT_OF(kinds))]);
    static const char *const milestones[] = {"stop", "penalise", "demolish"};
    if (roll(a, 3) == 0) w->milestone = ANY(a, milestones);
    if (w->kind == ANSWER_RETURN) w->proposed = ANY(a, parties), w->text = (char *)"不归我们管";
    e->command_case = COMMAND_ANSWER;
    e->answer = w;
}

#define SAY(name, CASE, type) \
    type *w = made(sizeof *w); \
    SET(w, case_id, c->id); \
    e->command_case = CASE; \
    e->name = w

static void say_dispatch(const struct actor *a, const struct case_state *c, PbEnvelope *e) {
    SAY(dispatch, COMMAND_DISPATCH, PbDispatch);
    SET(w, stage, c->stage);
    SET(w, attempt, c->attempt);
    w->n_parties = 1 + roll(a, 3);
    w->parties = made(w->n_parties * sizeof *w->parties);
    for (size_t i = 0; i < w->n_parties; i++) {
        w->parties[i] = made(sizeof *w->parties[i]);
        w->parties[i]->party = ANY(a, parties);
    }
}

static void say_reassign(const struct actor *a, const struct case_state *c, PbEnvelope *e) {
    say_dispatch(a, c, e);
    PbDispatch *d = e->dispatch;
    SAY(reassign, COMMAND_REASSIGN, PbReassign);
    SET(w, stage, d->stage);
    SET(w, attempt, d->attempt);
    w->n_parties = d->n_parties;
    w->parties = d->parties;
}

static void say_escalate(const struct actor *a, const struct case_state *c, PbEnvelope *e) {
    SAY(escalate, COMMAND_ESCALATE, PbEscalate);
    SET(w, stage, c->stage);
    SET(w, attempt, c->attempt);
    if (roll(a, 3) == 0) SET(w, to_level, (PbLevel)roll(a, 6));
}

static void say_delegate(const struct actor *a, const struct case_state *c, PbEnvelope *e) {
    SAY(delegate, COMMAND_DELEGATE, PbDelegate);
    SET(w, stage, c->stage);
    SET(w, attempt, c->attempt);
    SET(w, to_level, (PbLevel)(LEVEL_COMMUNITY + roll(a, 2)));
    if (roll(a, 2)) SET(w, division, places[roll(a, COUNT_OF(places))]);
}

static void say_accept(const struct actor *a, const struct case_state *c, PbEnvelope *e) {
    SAY(accept, COMMAND_ACCEPT, PbAccept);
    w->party = roll(a, 2) ? (char *)"community-desk@610402006001" : NULL;
}

static void say_reject(const struct actor *a, const struct case_state *c, PbEnvelope *e) {
    SAY(reject, COMMAND_REJECT, PbReject);
    SET(w, stage, c->stage);
    SET(w, attempt, c->attempt);
    SET(w, cause, (PbCause)(CAUSE_OUT_OF_SCOPE + (int)roll(a, 4)));
}

static void say_appeal(const struct actor *a, const struct case_state *c, PbEnvelope *e) {
    (void)a;
    SAY(appeal, COMMAND_APPEAL, PbAppeal);
    w->text = (char *)"不服";
}

static void say_merge(const struct actor *a, const struct case_state *c, PbEnvelope *e) {
    SAY(merge, COMMAND_MERGE, PbMerge);
    SET(w, master, oracle_case((unsigned)roll(a, oracle_cases()))->state.id);
}

static void say_split(const struct actor *a, const struct case_state *c, PbEnvelope *e) {
    (void)a;
    SAY(split, COMMAND_SPLIT, PbSplit);
}

static void say_withdraw(const struct actor *a, const struct case_state *c, PbEnvelope *e) {
    (void)a;
    SAY(withdraw, COMMAND_WITHDRAW, PbWithdraw);
}

static void say_ask_extension(const struct actor *a, const struct case_state *c, PbEnvelope *e) {
    SAY(ask_extension, COMMAND_ASK_EXTENSION, PbAskExtension);
    w->party = somebody(a, c);
    if (roll(a, 2)) {
        w->limit = made(sizeof *w->limit);
        SET(w->limit, unit, (PbUnit)(1 + roll(a, 5)));
        SET(w->limit, amount, 1 + (int64_t)roll(a, 10));
    }
}

static void say_decide_extension(const struct actor *a, const struct case_state *c, PbEnvelope *e) {
    SAY(decide_extension, COMMAND_DECIDE_EXTENSION, PbDecideExtension);
    w->party = ANY(a, parties);
    SET(w, grant, roll(a, 3) != 0);
}

static void say_suspend(const struct actor *a, const struct case_state *c, PbEnvelope *e) {
    SAY(suspend, COMMAND_SUSPEND, PbSuspend);
    w->party = ANY(a, parties);
    SET(w, cause, (PbCause)(CAUSE_ENGINEERING + (int)roll(a, 5)));
    SET(w, review_ms, broker_now_ms() + (int64_t)roll(a, 40LL * 86400000));
}

static void say_resume(const struct actor *a, const struct case_state *c, PbEnvelope *e) {
    SAY(resume, COMMAND_RESUME, PbResume);
    w->party = ANY(a, parties);
}

static void say_remind(const struct actor *a, const struct case_state *c, PbEnvelope *e) {
    SAY(remind, COMMAND_REMIND, PbRemind);
    w->party = ANY(a, parties);
}

static void say_supervise(const struct actor *a, const struct case_state *c, PbEnvelope *e) {
    SAY(supervise, COMMAND_SUPERVISE, PbSupervise);
    w->party = ANY(a, parties);
}

static void say_hand_over(const struct actor *a, const struct case_state *c, PbEnvelope *e) {
    SAY(hand_over, COMMAND_HAND_OVER, PbHandOver);
    w->from = somebody(a, c);
    w->to = ANY(a, parties);
}

static void say_follow_up(const struct actor *a, const struct case_state *c, PbEnvelope *e) {
    SAY(follow_up, COMMAND_FOLLOW_UP, PbFollowUp);
    SET(w, solved, (PbOpinion)roll(a, 3));
    SET(w, satisfied, (PbOpinion)roll(a, 3));
}

static void say_reopen(const struct actor *a, const struct case_state *c, PbEnvelope *e) {
    SAY(reopen, COMMAND_REOPEN, PbReopen);
    if (roll(a, 2)) SET(w, reporter, true);
    else w->party = ANY(a, parties);
}

static void say_transfer(const struct actor *a, const struct case_state *c, PbEnvelope *e) {
    SAY(transfer, COMMAND_TRANSFER, PbTransfer);
    SET(w, authority, (PbAuthority)roll(a, 9));
}

static void say_acknowledge(const struct actor *a, const struct case_state *c, PbEnvelope *e) {
    (void)a;
    SAY(acknowledge_transfer, COMMAND_ACKNOWLEDGE_TRANSFER, PbAcknowledgeTransfer);
    w->external_id = (char *)"110-2026-17";
}

static void say_void(const struct actor *a, const struct case_state *c, PbEnvelope *e) {
    SAY(void_case, COMMAND_VOID_CASE, PbVoidCase);
    static const char *const staff[] = {"a.1", "b.2"};
    e->by = ANY(a, staff);
    w->text = (char *)"测试数据";
}

static void say_correct(const struct actor *a, const struct case_state *c, PbEnvelope *e) {
    SAY(correct, COMMAND_CORRECT, PbCorrect);
    if (roll(a, 2)) w->category = ANY(a, categories);
    if (roll(a, 2)) {
        w->place = made(sizeof *w->place);
        SET(w->place, division, places[roll(a, COUNT_OF(places))]);
    }
    if (roll(a, 3) == 0) SET(w, urgency, (PbUrgency)(1 + roll(a, 4)));
}

static void say_note(const struct actor *a, const struct case_state *c, PbEnvelope *e) {
    (void)a;
    SAY(note, COMMAND_NOTE, PbNote);
    w->text = (char *)"现场有人看守";
}

static void say_retry_dead(const struct actor *a, const struct case_state *c, PbEnvelope *e) {
    if (roll(a, 2)) {
        SAY(retry_dead, COMMAND_RETRY_DEAD, PbRetryDead);
    } else {
        SAY(drop_dead, COMMAND_DROP_DEAD, PbDropDead);
    }
}

/* Weights: the main way is walked far more often than the ways round it. */
static const struct { unsigned weight; void (*say)(const struct actor *a, const struct case_state *c, PbEnvelope *e); }
words[] = {
    {40, say_answer}, {12, say_dispatch}, {3, say_reassign}, {3, say_escalate}, {3, say_delegate}, {2, say_accept},
    {1, say_reject}, {1, say_appeal}, {2, say_merge}, {1, say_split}, {1, say_withdraw}, {3, say_ask_extension},
    {3, say_decide_extension}, {2, say_suspend}, {2, say_resume}, {1, say_remind}, {1, say_supervise},
    {2, say_hand_over}, {2, say_follow_up}, {2, say_reopen}, {1, say_transfer}, {1, say_acknowledge}, {1, say_void},
    {2, say_correct}, {2, say_note}, {1, say_retry_dead},
};

static void say_something(const struct actor *a, PbEnvelope *e) {
    unsigned all = 0, i = 0;
    unsigned recent = oracle_cases() < 40 ? oracle_cases() : 40;
    const struct case_state *c = &oracle_case(oracle_cases() - 1 - (unsigned)roll(a, recent))->state;
    if (roll(a, 20) == 0) c = &oracle_case((unsigned)roll(a, oracle_cases()))->state;
    for (unsigned k = 0; k < COUNT_OF(words); k++) all += words[k].weight;
    unsigned at = (unsigned)roll(a, all);
    while (at >= words[i].weight) at -= words[i++].weight;
    words[i].say(a, c, e);
}

/* ---- clients: reporters and the office --------------------------------------------------------------------------- */

static void hear_replies(struct actor *a) {
    const PbReply *reply;
    while (whistle_next(a->client, 0, &reply) == 1) {
        if (reply->reply_case == REPLY_DONE) oracle_acknowledged(a->uid, reply->command_id.data, reply->done);
        if (reply->reply_case == REPLY_REFUSED) sometimes_refused(reply->refused->code);
    }
}

static void keep(struct actor *a, PbEnvelope *e) {
    if (a->kept_count < KEPT_MAX || roll(a, 8) == 0) {
        struct kept *k = &a->kept[a->kept_count < KEPT_MAX ? a->kept_count++ : roll(a, KEPT_MAX)];
        struct slice bytes = codec_packed(CODEC_ENVELOPE, e, &room);
        k->len = bytes.len <= KEPT_BYTES ? (unsigned)bytes.len : 0;
        if (k->len) memcpy(k->bytes, bytes.at, k->len);
    }
}

static void say_again(struct actor *a) {
    struct codec_result why;
    const struct kept *k = &a->kept[roll(a, a->kept_count)];
    PbEnvelope *e = k->len ? codec_unpack(CODEC_ENVELOPE, slice_from(k->bytes, k->len), &room, &why) : NULL;
    if (e && whistle_send(a->client, e, NULL) == 0) sometimes("client.said_again");
}

static void client_step(struct actor *a) {
    hear_replies(a);
    if (only_wait || whistle_in_flight(a->client) > 8) return;
    arena_reset(&room);
    if (a->kept_count && chance(a, swarm.again)) return say_again(a);
    uint8_t id[16];
    uint64_t seed = roll(a, UINT64_MAX);
    PbEnvelope e = {.command_case = ENVELOPE_COMMAND_NOT_SET};
    whistle_id(id, clock_wall_ms(), &seed);
    SET(&e, version, PROTOCOL_VERSION);
    SET(&e, command_id, ((ProtobufCBinaryData){16, id}));
    SET(&e, sent_at_ms, clock_wall_ms());
    if (a->kind == REPORTER || oracle_cases() == 0) say_report(a, &e);
    else say_something(a, &e);
    codec_prepare(CODEC_ENVELOPE, &e);
    keep(a, &e);
    whistle_send(a->client, &e, NULL);
}

/* ---- desks ------------------------------------------------------------------------------------------------------- */

static void desk_step(struct actor *a) {
    const PbOffer *offer;
    for (unsigned i = 0; i < 8 && whistle_worker_next(a->worker, 0, &offer) == 1; i++) {
        uint64_t mood = roll(a, 20);
        if (mood == 0) sometimes("desk.silent");
        else if (mood == 1) whistle_worker_retry(a->worker, offer->token, (uint32_t)roll(a, 60000));
        else if (mood == 2) whistle_worker_reject(a->worker, offer->token);
        else worker_decide(a->worker, a->level, offer);
    }
}

/* ---- consoles ---------------------------------------------------------------------------------------------------- */

static void console_step(struct actor *a) {
    struct whistle_update u;
    if (!only_wait && !a->absent && chance(a, 10)) a->absent = 1 + (unsigned)roll(a, 300);
    if (!only_wait && a->absent) a->absent--;
    if (!only_wait && (a->absent || chance(a, 300))) return;        /* it does not read for a while */
    for (unsigned i = 0; i < 256 && whistle_feed_next(a->feed, 0, &u) == 1; i++) {
        if (u.kind == WHISTLE_OTHER_PAST) sim_broken("O5: console %u knows more than the journal", a->number);
        if (u.kind == WHISTLE_REFUSED) sometimes("console.refused");
        if (u.kind != WHISTLE_UPDATE) continue;
        a->last_seq = u.seq;
        oracle_heard(a->number, u.update, u.seq);
    }
}

/* ---- strangers --------------------------------------------------------------------------------------------------- */

static void stranger_step(struct actor *a) {
    static const char *const doors[] = {"sim:front", "sim:pool", "sim:feed"};
    uint8_t bytes[300];
    struct slice frames[WIRE_FRAMES_MAX];
    struct wire_message m;
    if (only_wait) return;
    if (a->socket && roll(a, 10) == 0) {
        wire_socket_close(a->socket);
        a->socket = NULL;
    }
    if (!a->socket) CHECK(wire_connect(&a->socket, wire_open(), ANY(a, doors)) == 0);
    while (wire_receive(a->socket, &m) == 1) sometimes("stranger.was_answered");
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)roll(a, 256);
    if (roll(a, 2)) memcpy(bytes, "\x08\x01\x12\x10", 4);           /* as an envelope begins */
    unsigned count = 1 + (unsigned)roll(a, WIRE_FRAMES_MAX);
    for (unsigned i = 0; i < count; i++) frames[i] = slice_from(bytes, roll(a, sizeof bytes));
    wire_send(a->socket, (struct wire_peer){0}, frames, count);
}

/* ---- all of them ------------------------------------------------------------------------------------------------- */

static void console_open(struct actor *a) {
    static const uint64_t prefixes[][2] = {{FIXTURE_DISTRICT, 0}, {FIXTURE_COMMUNITY, 0},
                                           {FIXTURE_GRID2, FIXTURE_COMMUNITY2}};
    const uint64_t *mine = prefixes[a->number % COUNT_OF(prefixes)];
    unsigned count = mine[1] ? 2 : 1;
    struct whistle_feed_options o = {.endpoint = "sim:feed", .prefixes = mine, .prefixes_count = count,
                                     .from_seq = a->last_seq};
    oracle_console_is(a->number, mine, count);
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
        manners[a->kind].step(a);
        int64_t think = only_wait ? RESTING_NS : swarm.think_ns;
        a->wakes_ns = sim_now_ns() + 1 + (int64_t)roll(a, (uint64_t)think * 2);
    }
}

void actors_leave(void) {
    for (unsigned i = 0; i < actors_count; i++) {
        struct actor *a = &actors[i];
        sim_uid = a->uid;
        if (a->client) whistle_client_close(a->client);
        if (a->worker) whistle_worker_close(a->worker);
        if (a->feed) whistle_feed_close(a->feed);
        a->client = NULL, a->worker = NULL, a->feed = NULL;
        a->wakes_ns = sim_now_ns() + swarm.night_ns;
    }
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
