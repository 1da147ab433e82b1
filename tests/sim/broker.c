/* broker.c: the daemon's lives. Each begins as whistled.c begins one, passes as its loop does, and ends somehow. */
#include "tests/sim/disk.h"
#include "tests/sim/net.h"
#include "tests/sim/sim.h"
#include "daemon/config/config.h"
#include "tests/unit/rules_fixture.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SECOND_NS 1000000000LL
#define WORLD_BEGINS_MS FIXTURE_MONDAY_MS
enum {
    LOOK_MS = 100, LOOK_MOST_MS = 60000, RESTART_MS = 200, RESTART_MOST_MS = 10000,
    RULES_ROOM_BYTES = 4 << 20, SPINS_MAX = 5000, MAP_BYTES = 256 << 20, MAP_LEAST_BYTES = 512 << 10,
    NO_ROOM_MAX = 20, SEGMENT_LEAST_BYTES = 256 << 10,     /* a turn wants a quarter, and a command 64 KiB */
};

static struct daemon d;
static struct settings settings;
static char dir[128], scratch[160];
static void *room;
static pid_t world_pid;
static struct arena rules_room;
static bool alive, adopted, wants_more, works, rests;        /* adopted: rules, once */
static bool excused;                              /* what is due now may be late */
static int64_t wakes_ns, busy_until_ns, up_since_ns, paused_until_ns, wall_step_ms;
static int64_t look_ms = LOOK_MS, rests_ms, restart_ms;
static uint64_t passes, syncs;
static unsigned spins, no_room;
static bool synchronised = true;

static struct {
    int64_t full_until_ns, slow_until_ns, power_after, kill_after;
    bool fails[DISK_CALLS];                       /* the next of these */
} fate;

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

/* ---- clocks ------------------------------------------------------------------------------------------------------ */

static int64_t wall_ms(void) { return WORLD_BEGINS_MS + sim_now_ns() / 1000000 + wall_step_ms; }
static int64_t boot_ms(void) { return 5000 + sim_now_ns() / 1000000; }
static int64_t mono_ns(void) { return 7 * SECOND_NS + sim_now_ns(); }
static bool clock_is_synchronised(void) { return synchronised; }

/* ---- the disk, as fate has it ------------------------------------------------------------------------------------ */

/* A child of the store (daemon/store/child.c) has no fate of its own: it would go on as another world. */
static int asks(enum disk_call call, uint64_t grows) {
    if (!life_here() || getpid() != world_pid) return 0;
    if (fate.power_after > 0 && --fate.power_after == 0) life_over(LIFE_NO_POWER);
    if (fate.kill_after > 0 && --fate.kill_after == 0) life_over(LIFE_KILLED);
    if (fate.fails[call]) {
        fate.fails[call] = false;
        sometimes(call == DISK_SYNC ? "disk.sync_failed" : "disk.write_failed");
        return EIO;
    }
    if (grows && sim_now_ns() < fate.full_until_ns) return sometimes("disk.full"), ENOSPC;
    return 0;
}

/* ---- starting ---------------------------------------------------------------------------------------------------- */

/* Playbooks are drawn, too: whatever playbook_check lets through must be safe. What meets a tally stays (judge.c). */
static void draw_playbook(PbPlaybook *p) {
    for (size_t i = 0; i < p->n_stages; i++) {
        PbStage *s = p->stages[i];
        s->remind_percent = (uint32_t)sim_roll(SIM_BROKER, 100);
        s->attempts_max = 1 + (uint32_t)sim_roll(SIM_BROKER, 4);
        s->offers_max = 1 + (uint32_t)sim_roll(SIM_BROKER, 4);
    }
    p->stages[p->n_stages - 1]->loops_max = 1 + (uint32_t)sim_roll(SIM_BROKER, 3);
    p->has_returns_max = p->has_reopens_max = p->has_delegations_max = 1;
    p->returns_max = 1 + (uint32_t)sim_roll(SIM_BROKER, 3);
    p->reopens_max = (uint32_t)sim_roll(SIM_BROKER, 3);
    p->delegations_max = (uint32_t)sim_roll(SIM_BROKER, 3);
}

static void draw_tallies(PbPlaybook *p) {
    static PbTally tallies[3] = {{.has_kind = 1, .kind = TALLY_FIRST}, {.has_kind = 1, .kind = TALLY_ALL},
                                 {.has_kind = 1, .kind = TALLY_COUNT, .has_count = 1, .count = 2}};
    for (size_t i = 0; i < p->n_stages; i++)
        if (p->stages[i]->kind == STAGE_HANDLE) p->stages[i]->tally = &tallies[sim_roll(SIM_BROKER, 3)];
}

/* The office edits its files: another playbook, another holiday. In force at a reload, or at the next start. The first
 * rules stay the fixture's: judge.c reckons with those by hand. */
static void edit_rules(void) {
    if (!adopted) return;
    PbRules *r = fixture_rules();
    if (swarm.playbook) draw_playbook(r->playbooks[0]);
    r->calendars[0]->days[0]->date = 20260301 + (uint32_t)sim_roll(SIM_BROKER, 30);
}

/* What the thread of reload.c would read. It runs at once, within the turn that started it. */
int __wrap_config_load(const char *from, struct arena *in, PbRules **ret, struct config_error *e) {
    (void)from, (void)in, (void)e;
    *ret = fixture_rules();
    return 0;
}

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *how, void *(*run)(void *arg), void *arg) {
    (void)how;
    *thread = pthread_self();
    run(arg);
    return 0;
}

int __wrap_pthread_join(pthread_t thread, void **ret) {
    (void)thread, (void)ret;
    return 0;
}

static int begin_epoch(void) {
    PbEpochBegun begun = {.has_epoch = 1, .epoch = store_epoch(d.store) + 1};
    PbEvent event = {.event_case = EVENT_EPOCH_BEGUN, .epoch_begun = &begun};
    struct slice bytes = {NULL, 0};
    struct hash hash = {{0}}, in_force = store_rules_hash(d.store);
    store_begin(d.store, d.now_ms);
    int r = broker_event(&d, &event);
    if (r == 0) r = store_commit(d.store);
    if (r == 0) r = config_canonical(fixture_rules(), &rules_room, &bytes, &hash);
    bool changed = r == 0 && (store_rules_number(d.store) == 0 || !hash_equal(&hash, &in_force));
    if (changed && store_rules_number(d.store)) sometimes("rules.others_at_start");
    struct adoption adoption = {.bytes = bytes, .hash = hash};
    for (int done = changed ? 0 : 1; r == 0 && done == 0;) {
        arena_reset(&d.room);
        store_begin(d.store, d.now_ms);
        done = adoption_take(&d, &adoption, NULL);
        r = done < 0 ? done : store_commit(d.store);
    }
    adopted |= r == 0;
    return r;
}

static void start(void *unused) {
    (void)unused;
    struct store_options o = {
        .dir = dir, .segment_bytes = settings.segment_bytes, .segments_ahead = settings.segments_ahead,
        .map_bytes = settings.map_bytes, .store_max_bytes = settings.store_max_bytes,
        .slots_ahead = settings.slots_ahead, .checkpoint_bytes_journal = settings.checkpoint_bytes,
        .checkpoint_changes = settings.checkpoint_changes, .checkpoint_idle_ms = (int64_t)settings.checkpoint_idle_ms,
        .checkpoint_age_ms = (int64_t)settings.checkpoint_age_ms, .verify_full = sim_chance(SIM_BROKER, 50),
    };
    struct store_found found = {.rebuilt = false};
    memset(&d, 0, sizeof d);
    d.settings = settings;
    arena_wrap(&d.room, room, TURN_ROOM_BYTES);
    int r = store_open(&d.store, &o, &found);
    if (r == -ENOENT) r = store_create(&o, found.problem);
    if (r == 0 && !d.store) r = store_open(&d.store, &o, &found);
    if (r == -EBADMSG || r == -ESTALE) sim_broken("the store does not open: %s", found.problem);
    if (r < 0) die("store.open", r, found.problem);
    if (found.journal.torn_bytes) sometimes("journal.torn_tail");
    if (found.rebuilt) sometimes("state.rebuilt");
    if (found.refolded) sometimes("state.tail_folded");
    broker_clock_start(&d.clock, store_last_ms(d.store), (int64_t)settings.clock_step_ms);
    d.now_ms = d.clock.last_ms;
    oracle_recovered(d.store);
    d.reload = reload_open();
    d.recompute = recompute_open();
    guard_open(0, false);
    arena_reset(&rules_room);
    r = begin_epoch();
    if (r < 0) die("journal.lost", r, "the first batch");
    struct pool_options pool = {.endpoint = "sim:pool", .lease_ms = (int64_t)settings.lease_ms};
    d.wire = wire_open();
    CHECK(front_open(&d.front, d.wire, "sim:front") == 0 && pool_open(&d.pool, d.wire, &pool, d.store) == 0 &&
          feed_open(&d.feed, d.wire, "sim:feed", d.store, false) == 0);
    alive = true;
    up_since_ns = sim_now_ns();
    trace("broker.started seq=%llu %s", (unsigned long long)store_durable_seq(d.store), found.decision);
}

/* ---- passing ----------------------------------------------------------------------------------------------------- */

static void pass(void *unused) {
    (void)unused;
    turn(&d);
    bool pauses = turn_pauses(&d);
    wants_more = d.more || (!pauses && pool_wants_turn(d.pool)) || feed_wants_turn(d.feed);
    bool idle = d.commands == 0 && !wants_more;
    int r = store_rest(d.store, d.mono_ms, d.now_ms, idle);
    if (r < 0 && r != -ENOSPC) die("state.lost", r, "a checkpoint failed");
    works = !pauses && (housekeeping_wants_turn(&d) || reload_busy(&d) || recompute_busy(&d));
    rests = r > 0;
    for (unsigned i = 0; i < 4 && store_prepare(d.store, 256 << 10) > 0;) i++;
}

/* Somebody removes what can be folded again. */
static void lose_tables(void) {
    char path[160];
    if (!sim_chance(SIM_FATE, swarm.tables)) return;
    snprintf(path, sizeof path, "%s/state.mdb", dir);
    if (unlink(path) == 0) sometimes("state.removed");
}

/* The machine that served is lost, with all that lay on it. Another one gets the newest backup, with tables that have
 * room; its clock is right, for an epoch is made of it. */
static void lose_all(void) {
    if (!alive || !swarm.loss || settings.map_bytes != MAP_BYTES || !sim_chance(SIM_LOSS, swarm.loss)) return;
    wall_step_ms = 0;
    uint64_t seq = backup_serve(dir, settings.map_bytes, settings.segment_bytes, settings.slots_ahead);
    if (!seq) return;
    trace("broker.store is lost: goes on from seq %llu", (unsigned long long)seq);
    if (disk_unsynced()) disk_lose(disk_roll);
    oracle_lost(seq);
    follower_lost();
}

static void bury(enum life_end how) {
    if (how == LIFE_GOES_ON) return;
    sim_history(&how, sizeof how);
    trace("broker.ends how=%d unsynced=%zu", (int)how, disk_unsynced());
    sometimes(how == LIFE_KILLED ? "broker.killed" : how == LIFE_NO_POWER ? "broker.without_power" : "broker.exited");
    if (disk_unsynced()) sometimes("disk.unsynced_at_the_end");
    oracle_abandoned();
    net_broker_dies();
    life_bury();
    if (how == LIFE_NO_POWER) disk_lose(disk_roll);
    else disk_close_all();
    lose_tables();
    lose_all();
    restart_ms = alive ? RESTART_MS : least(2 * restart_ms, RESTART_MOST_MS);
    alive = false;
    wakes_ns = sim_now_ns() + restart_ms * 1000000;
}

/* A map that is full takes another number in the settings, and a restart. */
static void enlarge(void) {
    trace("broker.map is enlarged");
    settings.map_bytes = MAP_BYTES;
    no_room = 0;
    if (alive) bury(LIFE_EXIT);
}

void broker_no_room(void) {
    static int64_t last_ns, up_ns;
    static uint64_t commands;
    if (settings.map_bytes == MAP_BYTES) sim_broken("O9: a turn was abandoned, and the tables have room");
    bool again = last_ns && up_ns == up_since_ns && counters[COUNTER_COMMANDS] == commands;
    if (again && sim_now_ns() - last_ns < SECOND_NS - 2000000)       /* turns count whole milliseconds */
        sim_broken("O10: a turn was abandoned that nobody had asked for, soon after another");
    last_ns = sim_now_ns();
    up_ns = up_since_ns;
    commands = counters[COUNTER_COMMANDS];
    no_room++;
}

/* As whistled.c sleeps, but for its looks: they come further and further apart while nobody is connected, and those
 * that wait for a checkpoint come a few times, not every millisecond. */
static int64_t sleep_ms(void) {
    struct due_row due;
    bool alone = pool_workers_all(d.pool) + feed_consoles(d.feed) == 0;
    look_ms = d.commands || wants_more || !alone ? LOOK_MS : least(2 * look_ms, LOOK_MOST_MS);
    if (wants_more || d.commands) return 0;
    if (works || rests) return works ? 1 : rests_ms;
    bool pauses = turn_pauses(&d);
    int64_t wait = alone ? look_ms : least(pool_next_ms(d.pool, d.mono_ms), feed_next_ms(d.feed, d.mono_ms));
    if (pauses) wait = least(look_ms, d.resumes_ms - d.mono_ms);
    if (!pauses && store_first_due(d.store, &due) == 0) wait = least(wait, due.due_ms - d.now_ms);
    return wait < 1 ? 1 : wait;
}

void broker_step(void) {
    if (sim_now_ns() < paused_until_ns) {
        wakes_ns = paused_until_ns;
        return;
    }
    if (!alive) {
        excused = true;
        enum life_end end = life_run(start, NULL);
        if (end != LIFE_GOES_ON) sometimes("broker.ended_while_starting");
        return bury(end);
    }
    enum life_end how = life_run(pass, NULL);
    passes++;
    if (how != LIFE_GOES_ON) return bury(how);
    if (no_room > NO_ROOM_MAX) return enlarge();
    bool roomy = store_admits(d.store, ADMIT_CLOSURE) && settings.map_bytes == MAP_BYTES;
    struct due_row due;
    excused = !roomy || (excused && store_first_due(d.store, &due) == 0 && due.due_ms <= d.now_ms);
    bool healthy = roomy && sim_now_ns() - up_since_ns > 5 * SECOND_NS;
    oracle_passed(d.store, d.now_ms, healthy);
    spins = wants_more && d.commands == 0 && disk_calls(DISK_SYNC) == syncs ? spins + 1 : 0;
    syncs = disk_calls(DISK_SYNC);
    if (spins > SPINS_MAX) sim_broken("O8: %u passes on end, and nothing came of them", spins);
    int64_t cost = 50000 + (int64_t)sim_roll(SIM_BROKER, 400000);
    if (sim_now_ns() < fate.slow_until_ns && d.commands) {
        cost += (int64_t)sim_roll(SIM_BROKER, 5 * SECOND_NS);
        sometimes("disk.slow");
        excused = true;
    }
    busy_until_ns = sim_now_ns() + cost;
    wakes_ns = busy_until_ns + sleep_ms() * 1000000;
}

/* ---- fate -------------------------------------------------------------------------------------------------------- */

void broker_fate(void) {
    if (sim_chance(SIM_FATE, swarm.kill)) fate.kill_after = 1 + (int64_t)sim_roll(SIM_FATE, 60);
    if (sim_chance(SIM_FATE, swarm.power)) fate.power_after = 1 + (int64_t)sim_roll(SIM_FATE, 60);
    if (sim_chance(SIM_FATE, swarm.pause)) {
        paused_until_ns = sim_now_ns() + 2 * sim_a_while_ns();
        excused = true;
        sometimes("broker.paused");
    }
    int64_t a_while_ns = sim_now_ns() + sim_a_while_ns();
    if (sim_chance(SIM_FATE, swarm.disk_full)) fate.full_until_ns = a_while_ns;
    if (sim_chance(SIM_FATE, swarm.disk_error)) fate.fails[sim_roll(SIM_FATE, DISK_CALLS)] = true;
    if (sim_chance(SIM_FATE, swarm.disk_slow)) fate.slow_until_ns = a_while_ns;
    if (sim_chance(SIM_FATE, swarm.rules)) edit_rules();
    if (alive && swarm.backup && sim_chance(SIM_LATER, swarm.backup))
        backup_take(d.store, scratch, dir, settings.map_bytes, settings.map_bytes == MAP_BYTES);
    if (alive && swarm.follow && sim_chance(SIM_FOLLOW, swarm.follow)) follower_step(d.store, scratch);
    if (sim_chance(SIM_FATE, swarm.clock_jump)) {
        int64_t step_ms = (int64_t)sim_roll(SIM_FATE, 2 * 86400000) - 86400000;
        sometimes(step_ms < wall_step_ms ? "clock.jumped_back" : "clock.jumped_forward");
        wall_step_ms = step_ms;
        excused = true;
        synchronised = sim_roll(SIM_FATE, 2);
        if (synchronised) sometimes("clock.jumped_and_trusted");
    }
}

void broker_heal(void) {
    memset(&fate, 0, sizeof fate);
    paused_until_ns = 0;
    synchronised = excused = true;
    if (settings.map_bytes != MAP_BYTES) enlarge();
}

/* ---- what others ask --------------------------------------------------------------------------------------------- */

void broker_world(const char *path) {
    static const struct clock_source source = {wall_ms, boot_ms, mono_ns, clock_is_synchronised};
    clock_source = source;
    options_default(settings_table, settings_count, &settings);
    world_pid = getpid();
    snprintf(dir, sizeof dir, "%s/store", path);
    snprintf(scratch, sizeof scratch, "%s", path);
    settings.segment_bytes = swarm.segments ? SEGMENT_LEAST_BYTES + ((uint64_t)swarm.segments << 10) : 1 << 20;
    settings.map_bytes = swarm.map ? MAP_LEAST_BYTES + ((uint64_t)swarm.map << 10) : MAP_BYTES;
    settings.slots_ahead = 64;
    settings.checkpoint_changes = 50 + sim_roll(SIM_SWARM, 5000);
    settings.checkpoint_idle_ms = 1 + sim_roll(SIM_SWARM, 1000);
    rests_ms = 1 + (int64_t)settings.checkpoint_idle_ms / 4;
    settings.lease_ms = sim_roll(SIM_SWARM, 3) ? 1000 + sim_roll(SIM_SWARM, 60000) : 20 + sim_roll(SIM_SWARM, 2000);
    room = sim_memory(TURN_ROOM_BYTES);
    arena_wrap(&rules_room, sim_memory(RULES_ROOM_BYTES), RULES_ROOM_BYTES);
    if (swarm.playbook) draw_tallies(fixture_rules()->playbooks[0]), draw_playbook(fixture_rules()->playbooks[0]);
    disk_attach(path);
    disk_asks = asks;
}

bool broker_alive(void) { return alive; }

/* A message wakes it, but not before its pass is over. */
int64_t broker_wakes_ns(void) {
    if (!alive || sim_now_ns() < paused_until_ns) return wakes_ns > paused_until_ns ? wakes_ns : paused_until_ns;
    bool called = wire_readable(front_socket(d.front)) || wire_readable(pool_socket(d.pool)) ||
                  wire_readable(feed_socket(d.feed));
    return called ? busy_until_ns : wakes_ns;
}

struct store *broker_store(void) { return alive ? d.store : NULL; }
int64_t broker_now_ms(void) { return d.now_ms; }
bool broker_excused(void) { return excused; }
int64_t broker_up_since_ns(void) { return up_since_ns; }
uint64_t broker_passes(void) { return passes; }

static void stop(void *unused) {
    (void)unused;
    front_close(d.front);
    pool_close(d.pool);
    feed_close(d.feed);
    store_close(d.store);
}

static void verify(void *to) {
    struct store_options o = {.dir = dir, .map_bytes = settings.map_bytes, .segment_bytes = settings.segment_bytes,
                              .segments_ahead = settings.segments_ahead, .read_only = true, .verify_full = true};
    struct verify_result result;
    int r = store_verify(&o, scratch, &result, NULL, NULL);
    if (r < 0 || !result.equal) sim_broken("live is not replay: %s", result.problem);
    *(struct hash *)to = result.state_digest;
}

struct hash broker_final(void) {
    struct hash digest = {{0}};
    CHECK(alive);
    follower_end(d.store, scratch);
    if (life_run(stop, NULL) != LIFE_GOES_ON) sim_broken("a clean stop failed");
    alive = false;
    life_bury();
    disk_close_all();
    if (life_run(verify, &digest) != LIFE_GOES_ON) sim_broken("verifying failed");
    life_bury();
    backup_restore(settings.map_bytes, settings.segment_bytes, settings.slots_ahead);
    follower_restore(scratch, settings.map_bytes, settings.segment_bytes, &digest);
    return digest;
}
