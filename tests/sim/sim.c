/* sim.c: the world. One seed, one thread, one clock that moves to whatever comes next.
 *
 * Every seed: draw a world; let everything happen that the world has (safety); then heal it, let it come to rest within
 * a bound (liveness), and compare all there is. */
#include "tests/sim/disk.h"
#include "tests/sim/net.h"
#include "tests/sim/sim.h"
#include "daemon/kernel/lifecycle.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECOND_NS 1000000000LL
#define REST_NS (900 * SECOND_NS)
/* A world in which little happens ends all the same: after so many moves of its clock for each step it was to make. */
enum { MOVES_A_STEP = 400, STEPS_A_DAY = 20 };

unsigned sim_uid;
bool sim_trace;

static struct sim_run world;
static struct sim_report *mine;
static uint64_t streams[SIM_STREAMS];
static int64_t now_ns;

/* ---- numbers ----------------------------------------------------------------------------------------------------- */

static uint64_t scrambled(uint64_t x) {
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
    return x ^ x >> 31;
}

uint64_t sim_roll(enum sim_stream stream, uint64_t sides) {
    CHECK(stream < SIM_STREAMS);
    uint64_t *s = &streams[stream];
    *s += 0x9e3779b97f4a7c15ULL;
    return sides ? scrambled(*s) % sides : 0;
}

bool sim_chance(enum sim_stream stream, unsigned of_a_thousand) {
    return sim_roll(stream, 1000) < of_a_thousand;
}

uint64_t disk_roll(uint64_t sides) { return sim_roll(SIM_DISK, sides); }
static uint64_t fate_roll(uint64_t sides) { return sim_roll(SIM_FATE, sides); }
int64_t sim_now_ns(void) { return now_ns; }

/* ---- what is told ------------------------------------------------------------------------------------------------ */

void sim_count(enum sim_count what, uint64_t times) {
    mine->counts[what] += times;
}

/* Not for safekeeping, only to be the same again. */
void sim_history(const void *bytes, size_t len) {
    const uint8_t *at = bytes;
    uint64_t h = mine->history ^ scrambled((uint64_t)now_ns ^ len), word;
    for (; len >= sizeof word; at += sizeof word, len -= sizeof word) {
        memcpy(&word, at, sizeof word);
        h = (h ^ word) * 0x9e3779b97f4a7c15ULL;
        h ^= h >> 29;
    }
    for (; len; len--) h = (h ^ *at++) * 0x9e3779b97f4a7c15ULL;
    mine->history = scrambled(h);
}

void trace(const char *format, ...) {
    va_list rest;
    if (!sim_trace) return;
    va_start(rest, format);
    fprintf(stderr, "%12.6f step %llu: ", (double)now_ns / 1e9, (unsigned long long)oracle_steps());
    vfprintf(stderr, format, rest);
    fputc('\n', stderr);
    va_end(rest);
}

/* The parent tells it: it may be lived through many times until it is small. */
_Noreturn static void world_broken(const char *law, int line) {
    mine->law = law;
    mine->line = line;
    mine->step = oracle_steps();
    mine->counts[COUNT_MS] = (uint64_t)(now_ns / 1000000);
    trace("BROKEN %s", mine->told);
    _Exit(1);
}

void sim_broken(const char *format, ...) {
    va_list rest;
    va_start(rest, format);
    vsnprintf(mine->told, sizeof mine->told, format, rest);
    va_end(rest);
    world_broken(format, 0);
}

static void on_failed_check(const char *what, const char *file, int line) {
    snprintf(mine->told, sizeof mine->told, "CHECK(%s) at %s:%d", what, file, line);
    world_broken(file, line);
}

/* ---- what the broker says on its way ----------------------------------------------------------------------------- */

int __real_store_record(struct store *s, PbRecord *record, const struct case_state *before, const struct case_state *c,
                        struct arena *room);
int __real_store_commit(struct store *s);
int __real_store_abandon(struct store *s);
void __real_decide(const struct decide_input *in, const struct order *order, struct decision *ret);

int __wrap_store_record(struct store *s, PbRecord *record, const struct case_state *before, const struct case_state *c,
                        struct arena *room) {
    int r = __real_store_record(s, record, before, c, room);
    if (r == 0) oracle_recorded(record);
    return r;
}

int __wrap_store_commit(struct store *s) {
    uint64_t failed = disk_failed_syncs();
    int r = __real_store_commit(s);
    if (r == 0 && disk_failed_syncs() != failed) sim_broken("O1: a sync failed, and the commit is believed");
    if (r == 0) oracle_committed();
    return r;
}

int __wrap_store_abandon(struct store *s) {
    sometimes("turn.abandoned");
    oracle_abandoned();
    broker_no_room();
    return __real_store_abandon(s);
}

void __wrap_decide(const struct decide_input *in, const struct order *order, struct decision *ret) {
    sim_count(COUNT_KERNEL, 1);
    if (order->kind == ORDER_DEADLINE) sim_count(COUNT_DEADLINES, 1);
    __real_decide(in, order, ret);
}

/* ---- its time ---------------------------------------------------------------------------------------------------- */

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

/* Nobody is there for a while; not before the day has brought something. */
static void night(void) {
    static uint64_t day_began;
    if (oracle_steps() < day_began + STEPS_A_DAY || !sim_chance(SIM_FATE, swarm.night)) return;
    day_began = oracle_steps();
    sometimes("world.night");
    trace("world.night for %.1f h", (double)swarm.night_ns / 3600e9);
    actors_leave();
}

int64_t sim_a_while_ns(void) {
    return (int64_t)sim_roll(SIM_FATE, (uint64_t)least(60 * SECOND_NS, 50 * swarm.fate_ns));
}

static void step_fate(void) {
    broker_fate();
    if (sim_chance(SIM_FATE, swarm.cut)) net_cut_some(fate_roll, 50);
    if (sim_chance(SIM_FATE, swarm.silence))
        net_silence_some(fate_roll, 30, now_ns + sim_a_while_ns());
    if (sim_chance(SIM_FATE, swarm.leave)) actors_one_leaves(fate_roll);
    night();
}

static void move_to(int64_t ns) {
    now_ns = ns > now_ns ? ns : now_ns + 1;
}

/* Until the steps or the moves are spent, or `until_ns`. */
static void live(uint64_t steps, uint64_t moves, int64_t until_ns, bool faults) {
    int64_t fate_ns = now_ns;
    while (oracle_steps() < steps && moves-- > 0 && now_ns < until_ns) {
        int64_t next = least(actors_next_ns(), broker_wakes_ns());
        next = least(next, net_next_ns());
        if (faults) next = least(next, fate_ns);
        move_to(next);
        if (faults && now_ns >= fate_ns) {
            step_fate();
            int64_t alone = (actors_next_ns() - now_ns) / 16, pace = alone > swarm.fate_ns ? alone : swarm.fate_ns;
            fate_ns = now_ns + 1 + (int64_t)sim_roll(SIM_FATE, (uint64_t)pace);
        }
        if (now_ns >= actors_next_ns()) actors_step();
        if (now_ns >= broker_wakes_ns()) broker_step();
    }
}

/* Faults are over: everything must come to rest within the bound. */
static void come_to_rest(void) {
    int64_t until = now_ns + REST_NS;
    broker_heal();
    net_heal();
    actors_only_wait();
    while (!(actors_quiet() && broker_alive() && oracle_consoles_know_all() &&
             now_ns > until - REST_NS + 120 * SECOND_NS)) {
        if (now_ns >= until)
            sim_broken("no rest within %lld s after the faults were over: %s", REST_NS / SECOND_NS,
                       !broker_alive() ? "the broker" : actors_quiet() ? "a console" : "a client");
        live(UINT64_MAX, UINT64_MAX, now_ns + SECOND_NS, false);
    }
}

/* ---- one seed ---------------------------------------------------------------------------------------------------- */

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *f) {
    (void)st, (void)type, (void)f;
    return remove(path);
}

static void count_all(void) {
    mine->step = oracle_steps();
    mine->counts[COUNT_STEPS] = oracle_steps();
    mine->counts[COUNT_PASSES] = broker_passes();
    mine->counts[COUNT_CASES] = oracle_cases();
    mine->counts[COUNT_MS] = (uint64_t)(now_ns / 1000000);
}

/* With UNTIL the world just stops there: for a look at what came before. */
void sim_run(const struct sim_run *run, struct sim_report *report) {
    world = *run;
    mine = report;
    paths_of(report);
    check_hook = on_failed_check;
    snprintf(report->dir, sizeof report->dir, "/dev/shm/whistle-sim-XXXXXX");
    CHECK(mkdtemp(report->dir));
    for (unsigned i = 0; i < SIM_STREAMS; i++) streams[i] = scrambled(run->seed * 1000003 + i + 1);
    swarm_draw(run->without);
    broker_world(report->dir);
    actors_open();
    live(run->until < run->steps ? run->until : run->steps, run->steps * MOVES_A_STEP, INT64_MAX, true);
    if (run->until > run->steps) {
        come_to_rest();
        oracle_end(broker_store());
        counts_judge(broker_store());
        count_all();
        struct hash digest = broker_final();
        sim_history(digest.byte, HASH_SIZE);
    } else {
        count_all();
    }
}

void sim_remove(const char *path) {
    nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void sim_tidy(const struct sim_report *report) {
    if (report->dir[0]) sim_remove(report->dir);
}
