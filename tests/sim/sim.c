/* sim.c: the world. One seed, one thread, one heap of time; a child a seed.
 *
 *   sim [--seed N] [--seeds N] [--steps N] [--until N] [--trace] [--jobs N] [--expect-broken]
 *
 * Every seed: draw a world; let everything happen that the world has (safety); then heal it, let it come to rest within
 * a bound (liveness), and compare all there is. */
#include "tests/sim/disk.h"
#include "tests/sim/net.h"
#include "tests/sim/sim.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define SECOND_NS 1000000000LL
#define REST_NS (900 * SECOND_NS)
enum { NAMES_MAX = 512, NAME_BYTES = 48, JOBS_MAX = 8 };

struct swarm swarm;
unsigned sim_uid;
bool sim_trace;

static uint64_t seed, streams[SIM_STREAMS];
static int64_t now_ns;

/* What a child leaves behind for its parent, in memory they share. */
struct report {
    struct { char name[NAME_BYTES]; uint64_t count; } names[NAMES_MAX];
    uint64_t steps, passes, cases, lives;
    int64_t ns;
    struct hash digest;
};
static struct report *mine;

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

void trace(const char *format, ...) {
    va_list rest;
    if (!sim_trace) return;
    va_start(rest, format);
    fprintf(stderr, "%12.6f step %llu: ", (double)now_ns / 1e9, (unsigned long long)oracle_steps());
    vfprintf(stderr, format, rest);
    fputc('\n', stderr);
    va_end(rest);
}

void sim_broken(const char *format, ...) {
    va_list rest;
    va_start(rest, format);
    printf("BROKEN seed=%llu step=%llu at=%.3fs: ", (unsigned long long)seed, (unsigned long long)oracle_steps(),
           (double)now_ns / 1e9);
    vprintf(format, rest);
    printf("\n");
    va_end(rest);
    fflush(stdout);
    _Exit(1);
}

static void on_failed_check(const char *what, const char *file, int line) {
    sim_broken("CHECK(%s) at %s:%d", what, file, line);
}

static void count_in(struct report *r, const char *name, uint64_t times) {
    for (unsigned i = 0; i < NAMES_MAX; i++) {
        if (r->names[i].name[0] == '\0') snprintf(r->names[i].name, NAME_BYTES, "%s", name);
        if (strncmp(r->names[i].name, name, NAME_BYTES - 1) != 0) continue;
        r->names[i].count += times;
        return;
    }
    sim_broken("more rare paths than there is room for");
}

void sometimes(const char *name) {
    count_in(mine, name, 1);
}

static void sometimes_of(const char *what, const char *which) {
    char name[NAME_BYTES];
    snprintf(name, sizeof name, "%s.%s", what, which);
    sometimes(name);
}

void sometimes_event(const PbEvent *e) { sometimes_of("event", event_name(e)); }
void sometimes_refused(PbRefusal code) { sometimes_of("refused", sentence_of(code)->name); }

/* ---- what the broker says on its way ----------------------------------------------------------------------------- */

int __real_store_record(struct store *s, PbRecord *record, const struct case_state *before, const struct case_state *c,
                        struct arena *room);
int __real_store_commit(struct store *s);
int __real_store_abandon(struct store *s);

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
    return __real_store_abandon(s);
}

/* ---- one seed ---------------------------------------------------------------------------------------------------- */

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

static unsigned drawn(unsigned of_a_hundred, unsigned most) {
    return sim_roll(SIM_SWARM, 100) < of_a_hundred ? 1 + (unsigned)sim_roll(SIM_SWARM, most) : 0;
}

static void draw_world(void) {
    static const int64_t paces[] = {200000, 2000000, 50000000, SECOND_NS, 60 * SECOND_NS, 1800 * SECOND_NS};
    for (unsigned i = 0; i < SIM_STREAMS; i++) streams[i] = scrambled(seed * 1000003 + i + 1);
    int64_t pace = paces[sim_roll(SIM_SWARM, COUNT_OF(paces))];
    swarm = (struct swarm){
        .reporters = 1 + (unsigned)sim_roll(SIM_SWARM, 4), .desks = (unsigned)sim_roll(SIM_SWARM, 4),
        .consoles = (unsigned)sim_roll(SIM_SWARM, 4), .think_ns = pace, .fate_ns = 20 * pace,
        .kill = drawn(50, 60), .power = drawn(50, 60), .pause = drawn(20, 20), .cut = drawn(40, 100),
        .silence = drawn(20, 20), .clock_jump = drawn(20, 10), .disk_full = drawn(20, 15), .disk_error = drawn(15, 15),
        .night_ns = sim_roll(SIM_SWARM, 3) ? 0 : (int64_t)sim_roll(SIM_SWARM, 7 * 86400) * SECOND_NS,
        .wrong = drawn(50, 50), .again = drawn(70, 150), .strange = drawn(40, 1),
    };
    uint64_t delay = (uint64_t)least(pace, 10 * SECOND_NS) + 1;
    net_faults.delay_ns_max = (int64_t)sim_roll(SIM_SWARM, delay);
    net_faults.cut_per_million = drawn(30, 2000);
    net_faults.queue_max = drawn(30, 40);
}

static void step_fate(void) {
    broker_fate();
    if (sim_chance(SIM_FATE, swarm.cut)) net_cut_some(fate_roll, 50);
    if (sim_chance(SIM_FATE, swarm.silence))
        net_silence_some(fate_roll, 30, now_ns + (int64_t)sim_roll(SIM_FATE, 60 * SECOND_NS));
    if (swarm.night_ns && sim_chance(SIM_FATE, 30)) sometimes("world.night"), actors_leave();
}

static void move_to(int64_t ns) {
    now_ns = ns > now_ns ? ns : now_ns + 1;
}

/* Until the steps are spent, or `until_ns`. */
static void live(uint64_t steps, int64_t until_ns, bool faults) {
    int64_t fate_ns = now_ns;
    while (oracle_steps() < steps && now_ns < until_ns) {
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
        live(UINT64_MAX, now_ns + SECOND_NS, false);
    }
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *f) {
    (void)st, (void)type, (void)f;
    return remove(path);
}

static void run_seed(uint64_t number, uint64_t steps) {
    char dir[] = "/dev/shm/whistle-sim-XXXXXX";
    CHECK(mkdtemp(dir));
    seed = number;
    draw_world();
    broker_world(dir);
    actors_open();
    live(steps, INT64_MAX, true);
    come_to_rest();
    oracle_end(broker_store());
    mine->steps = oracle_steps();
    mine->passes = broker_passes();
    mine->cases = oracle_cases();
    mine->ns = now_ns;
    mine->digest = broker_final();
    nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* ---- many seeds -------------------------------------------------------------------------------------------------- */

struct arguments { uint64_t seed, seeds, steps; unsigned jobs; bool twice; };

static struct { pid_t pid; uint64_t seed; struct report *report; } children[JOBS_MAX];
static struct report all;
static unsigned broken;

static void child_start(unsigned slot, uint64_t number, const struct arguments *a) {
    struct report *r = children[slot].report;
    memset(r, 0, sizeof *r);
    fflush(stdout);
    pid_t pid = sim_trace && a->seeds == 1 ? 0 : fork();       /* a lone seed that is traced is for a debugger */
    CHECK(pid >= 0);
    if (pid == 0) {
        mine = r;
        run_seed(number, a->steps);
        _Exit(0);
    }
    children[slot].pid = pid;
    children[slot].seed = number;
}

static void child_ended(int status) {
    pid_t pid = wait(&status);
    for (unsigned i = 0; i < JOBS_MAX; i++) {
        if (children[i].pid != pid) continue;
        const struct report *r = children[i].report;
        children[i].pid = 0;
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
            broken++;
            if (!WIFEXITED(status))
                printf("BROKEN seed=%llu: signal %d\n", (unsigned long long)children[i].seed, WTERMSIG(status));
            printf("  again: make sim SEED=%llu TRACE=1\n", (unsigned long long)children[i].seed);
            continue;
        }
        all.steps += r->steps, all.passes += r->passes, all.cases += r->cases, all.ns += r->ns;
        for (unsigned k = 0; k < NAMES_MAX && r->names[k].name[0]; k++)
            count_in(&all, r->names[k].name, r->names[k].count);
        for (unsigned k = 0; k < HASH_SIZE; k++) all.digest.byte[k] ^= r->digest.byte[k];
    }
}

static int slot_free(unsigned jobs) {
    for (unsigned i = 0; i < jobs; i++)
        if (!children[i].pid) return (int)i;
    return -1;
}

static bool anybody(void) {
    for (unsigned i = 0; i < JOBS_MAX; i++)
        if (children[i].pid) return true;
    return false;
}

static bool parse(int argc, char **argv, struct arguments *a) {
    static const struct { const char *name; size_t at; } numbers[] = {
        {"--seed", offsetof(struct arguments, seed)}, {"--seeds", offsetof(struct arguments, seeds)},
        {"--steps", offsetof(struct arguments, steps)},
    };
    for (int i = 1; i < argc; i++) {
        bool known = strcmp(argv[i], "--trace") == 0;
        sim_trace |= known;
        for (unsigned k = 0; k < COUNT_OF(numbers) && !known && i + 1 < argc; k++)
            if (strcmp(argv[i], numbers[k].name) == 0)
                known = parse_u64(slice_of(argv[++i]), (uint64_t *)((char *)a + numbers[k].at));
        uint64_t jobs = a->jobs;
        if (!known && strcmp(argv[i], "--jobs") == 0 && i + 1 < argc) known = parse_u64(slice_of(argv[++i]), &jobs);
        a->jobs = (unsigned)jobs;
        if (!known) return fprintf(stderr, "sim: %s: not understood\n", argv[i]), false;
    }
    return a->jobs >= 1 && a->jobs <= JOBS_MAX;
}

static void tell(const struct arguments *a) {
    char digest[2 * HASH_SIZE + 1];
    for (unsigned i = 0; i < HASH_SIZE; i++) snprintf(digest + 2 * i, 3, "%02x", all.digest.byte[i]);
    for (unsigned i = 0; i < NAMES_MAX && all.names[i].name[0]; i++)
        printf("  %12llu  %s\n", (unsigned long long)all.names[i].count, all.names[i].name);
    printf("sim: seeds=%llu broken=%u events=%llu passes=%llu cases=%llu simulated=%.2f years digest=%.16s\n",
           (unsigned long long)a->seeds, broken, (unsigned long long)all.steps, (unsigned long long)all.passes,
           (unsigned long long)all.cases, (double)all.ns / 1e9 / 86400 / 365, digest);
}

int main(int argc, char **argv) {
    struct arguments a = {.seed = 1, .seeds = 1, .steps = 20000, .jobs = 1};
    if (!parse(argc, argv, &a)) return 2;
    check_hook = on_failed_check;
    log_threshold = sim_trace ? LOG_LEVEL_DEBUG : (enum log_level)-1;
    crypto_init();
    printf("sim: seed=%llu seeds=%llu steps=%llu\n", (unsigned long long)a.seed, (unsigned long long)a.seeds,
           (unsigned long long)a.steps);
    const int readable = PROT_READ | PROT_WRITE, shared = MAP_SHARED | MAP_ANONYMOUS;
    for (unsigned i = 0; i < JOBS_MAX; i++)
        CHECK((children[i].report = mmap(NULL, sizeof(struct report), readable, shared, -1, 0)) != MAP_FAILED);
    for (uint64_t n = 0; n < a.seeds;) {
        int slot = slot_free(a.jobs);
        if (slot >= 0) child_start((unsigned)slot, a.seed + n++, &a);
        else child_ended(0);
    }
    while (anybody()) child_ended(0);
    tell(&a);
    return broken ? 1 : 0;
}
