/* seeds.c: many worlds, a child each.
 *
 *   sim [--seed N] [--seeds N] [--steps N] [--until N] [--without NAME,...] [--file FILE] [--reach often|all]
 *       [--jobs N] [--trace] [--once]
 *
 * The first seed is lived through twice: the same history, or nothing here could be repeated. The first world that is
 * broken is made smaller: fewer steps, then one kind of fault or actor after the other switched off, as long as the
 * same law breaks. The last line of that is the command that shows the smallest. */
#include "tests/sim/sim.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    JOBS_MAX = 8, RUNS_MAX = 1 << 16,
    WORLD_SECONDS_MAX = 120,                      /* of a processor; longer: it hangs */
    SMALLER_SECONDS_MAX = 240, STEPS_LEAST = 10,
};

struct arguments {
    uint64_t seed, seeds, steps, until, without, jobs;
    enum sim_reach reach;
    bool once;                                    /* neither again nor smaller: for tests/mutants */
    const char *file;
};

static struct { pid_t pid; struct sim_run run; struct sim_report *report; } children[JOBS_MAX];
static struct sim_run *runs;
static uint64_t runs_count;
static struct sim_report all;
static struct { struct sim_run run; struct sim_report report; } first_broken;
static unsigned broken;

/* ---- one world --------------------------------------------------------------------------------------------------- */

static void child_start(unsigned slot, const struct sim_run *run, bool here) {
    memset(children[slot].report, 0, sizeof *children[slot].report);
    fflush(stdout);
    pid_t pid = here ? 0 : fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        const struct rlimit most = {WORLD_SECONDS_MAX, WORLD_SECONDS_MAX};
        if (!here) setrlimit(RLIMIT_CPU, &most);
        sim_run(run, children[slot].report);
        if (!here) _Exit(0);
        return;
    }
    children[slot].pid = pid;
    children[slot].run = *run;
}

/* A world that was killed has broken the law of that signal. */
static bool is_broken(struct sim_report *r, int status) {
    static const char killed[] = "a signal";
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return false;
    if (!r->law) {
        r->law = killed;
        r->line = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
        snprintf(r->told, sizeof r->told, r->line == SIGKILL ? "it hangs" : "signal %d", r->line);
    }
    return true;
}

static bool same_law(const struct sim_report *a, const struct sim_report *b) {
    return a->law == b->law && a->line == b->line;
}

static void tell_broken(const char *word, const struct sim_run *run, const struct sim_report *r) {
    printf("%s seed=%" PRIu64 " step=%" PRIu64 " at=%.3fs: %s\n", word, run->seed, r->step,
           (double)r->counts[COUNT_MS] / 1e3, r->told);
}

/* ---- smaller ----------------------------------------------------------------------------------------------------- */

static bool breaks(const struct sim_run *run, struct sim_report *ret) {
    int status = 0;
    child_start(0, run, false);
    waitpid(children[0].pid, &status, 0);
    children[0].pid = 0;
    sim_tidy(children[0].report);
    if (!is_broken(children[0].report, status) || !same_law(children[0].report, &first_broken.report)) return false;
    *ret = *children[0].report;
    return true;
}

/* The fewest steps after which the world still breaks, while it happens or when all is compared at the end. */
static void fewer_steps(struct sim_run *run, struct sim_report *report, time_t until) {
    uint64_t low = 0, high = report->step < run->steps ? report->step : run->steps;
    struct sim_run try = *run;
    for (try.steps = high; low + STEPS_LEAST < high && time(NULL) < until; try.steps = low + (high - low) / 2) {
        if (breaks(&try, report)) high = run->steps = try.steps;
        else low = try.steps;
    }
}

static void fewer_faults(struct sim_run *run, struct sim_report *report, time_t until) {
    for (unsigned i = 0; i < swarm_switches() && time(NULL) < until; i++) {
        struct sim_run try = *run;
        try.without |= 1ULL << i;
        if (try.without != run->without && breaks(&try, report)) *run = try;
    }
}

static void make_smaller(void) {
    struct sim_run run = first_broken.run;
    struct sim_report report = first_broken.report;
    time_t until = time(NULL) + SMALLER_SECONDS_MAX;
    fewer_steps(&run, &report, until);
    fewer_faults(&run, &report, until);
    fewer_steps(&run, &report, until);
    tell_broken("smallest", &run, &report);
    printf("  again: make sim SEED=%" PRIu64 " STEPS=%" PRIu64, run.seed, run.steps);
    for (unsigned i = 0, said = 0; i < swarm_switches(); i++)
        if (run.without >> i & 1) printf("%s%s", said++ ? "," : " WITHOUT=", swarm_switch(i));
    printf(" TRACE=1\n");
}

/* ---- many -------------------------------------------------------------------------------------------------------- */

static void child_ended(void) {
    int status = 0;
    pid_t pid = wait(&status);
    for (unsigned i = 0; i < JOBS_MAX; i++) {
        if (children[i].pid != pid) continue;
        struct sim_report *r = children[i].report;
        children[i].pid = 0;
        sim_tidy(r);
        for (unsigned k = 0; k < SIM_COUNTS_MAX; k++) all.counts[k] += r->counts[k];
        for (unsigned k = 0; k < SIM_PATHS_MAX; k++) all.paths[k] += r->paths[k];
        all.history ^= r->history * (2 * children[i].run.seed + 1);
        if (!is_broken(r, status)) continue;
        tell_broken("BROKEN", &children[i].run, r);
        if (broken++ == 0) first_broken.run = children[i].run, first_broken.report = *r;
    }
}

static int slot_free(uint64_t jobs) {
    for (unsigned i = 0; i < jobs; i++)
        if (!children[i].pid) return (int)i;
    return -1;
}

static bool anybody(void) {
    for (unsigned i = 0; i < JOBS_MAX; i++)
        if (children[i].pid) return true;
    return false;
}

static void live_all(uint64_t jobs) {
    for (uint64_t n = 0; n < runs_count;) {
        int slot = slot_free(jobs);
        if (slot >= 0) child_start((unsigned)slot, &runs[n++], false);
        else child_ended();
    }
    while (anybody()) child_ended();
}

/* The first world again. */
static void same_again(void) {
    struct sim_report once;
    int status = 0;
    for (unsigned time = 0; time < 2; time++) {
        child_start(0, &runs[0], false);
        waitpid(children[0].pid, &status, 0);
        children[0].pid = 0;
        sim_tidy(children[0].report);
        if (time == 0) once = *children[0].report;
    }
    if (once.history == children[0].report->history) return;
    broken++;
    printf("BROKEN seed=%" PRIu64 ": one seed, two histories: %016" PRIx64 " and %016" PRIx64 "\n", runs[0].seed,
           once.history, children[0].report->history);
}

/* ---- which ------------------------------------------------------------------------------------------------------- */

static void add_run(const struct arguments *a, uint64_t seed, uint64_t steps) {
    CHECK(runs_count < RUNS_MAX);
    runs[runs_count++] = (struct sim_run){.seed = seed, .steps = steps, .until = a->until, .without = a->without};
}

/* Lines of `seed steps why`; # begins a comment. */
static bool read_file(const struct arguments *a) {
    char line[200];
    FILE *f = fopen(a->file, "r");
    for (unsigned n = 1; f && fgets(line, sizeof line, f); n++) {
        uint64_t seed, steps;
        char why;
        if (line[0] == '#' || line[0] == '\n') continue;
        if (sscanf(line, "%" SCNu64 " %" SCNu64 " %c", &seed, &steps, &why) != 3)
            return fprintf(stderr, "sim: %s:%u: not a seed, its steps and why\n", a->file, n), fclose(f), false;
        add_run(a, seed, steps);
    }
    if (!f) return perror(a->file), false;
    fclose(f);
    return true;
}

static bool parse_word(struct arguments *a, const char *name, const char *value) {
    static const struct { const char *name; size_t at; } numbers[] = {
        {"--seed", offsetof(struct arguments, seed)}, {"--seeds", offsetof(struct arguments, seeds)},
        {"--steps", offsetof(struct arguments, steps)}, {"--until", offsetof(struct arguments, until)},
        {"--jobs", offsetof(struct arguments, jobs)},
    };
    for (unsigned k = 0; k < COUNT_OF(numbers); k++)
        if (strcmp(name, numbers[k].name) == 0)
            return parse_u64(slice_of(value), (uint64_t *)((char *)a + numbers[k].at));
    if (strcmp(name, "--without") == 0) return swarm_parse(slice_of(value), &a->without);
    if (strcmp(name, "--file") == 0) return a->file = value, true;
    if (strcmp(name, "--reach") != 0) return false;
    a->reach = strcmp(value, "all") == 0 ? REACH_ALL : strcmp(value, "often") == 0 ? REACH_OFTEN : REACH_ANY;
    return a->reach != REACH_ANY;
}

static bool parse(int argc, char **argv, struct arguments *a) {
    for (int i = 1; i < argc; i++) {
        sim_trace |= strcmp(argv[i], "--trace") == 0;
        a->once |= strcmp(argv[i], "--once") == 0;
        if (strcmp(argv[i], "--trace") == 0 || strcmp(argv[i], "--once") == 0) continue;
        if (i + 1 < argc && parse_word(a, argv[i], argv[i + 1])) {
            i++;
            continue;
        }
        fprintf(stderr, "sim: %s %s: not understood; switches:", argv[i], i + 1 < argc ? argv[i + 1] : "");
        for (unsigned k = 0; k < swarm_switches(); k++) fprintf(stderr, " %s", swarm_switch(k));
        fputc('\n', stderr);
        return false;
    }
    if (a->jobs < 1 || a->jobs > JOBS_MAX) a->jobs = 2;
    for (uint64_t i = 0; i < a->seeds; i++) add_run(a, a->seed + i, a->steps);
    return !a->file || read_file(a);
}

static void tell(unsigned missed, double seconds) {
    uint64_t lost = paths_count(all.paths, "broker.without_power");
    printf("sim: worlds=%" PRIu64 " broken=%u missed=%u steps=%" PRIu64 " kernel=%" PRIu64 " deadlines=%" PRIu64
           " in-time=%" PRIu64 "/%" PRIu64 " passes=%" PRIu64 " cases=%" PRIu64 " acknowledged=%" PRIu64
           " kills=%" PRIu64 " power-cuts=%" PRIu64
           " exits=%" PRIu64 " rebuilt=%" PRIu64 " simulated=%.1f days (%.2f years) history=%016" PRIx64
           " in %.1f s\n",
           runs_count, broken, missed, all.counts[COUNT_STEPS], all.counts[COUNT_KERNEL], all.counts[COUNT_DEADLINES],
           all.counts[COUNT_JUDGED] - all.counts[COUNT_LATE], all.counts[COUNT_JUDGED],
           all.counts[COUNT_PASSES], all.counts[COUNT_CASES], all.counts[COUNT_DONE],
           paths_count(all.paths, "broker.killed"), lost, paths_count(all.paths, "broker.exited"),
           paths_count(all.paths, "state.rebuilt"), (double)all.counts[COUNT_MS] / 86400e3,
           (double)all.counts[COUNT_MS] / 86400e3 / 365, all.history, seconds);
}

int main(int argc, char **argv) {
    struct arguments a = {.seed = 1, .seeds = 1, .steps = 20000, .until = UINT64_MAX, .jobs = 1};
    runs = calloc(RUNS_MAX, sizeof *runs);
    CHECK(runs);
    if (!parse(argc, argv, &a)) return 2;
    log_threshold = sim_trace ? LOG_LEVEL_DEBUG : (enum log_level)0;
    crypto_init();
    printf("sim: seed=%" PRIu64 " seeds=%" PRIu64 " steps=%" PRIu64 "\n", a.seed, a.seeds, a.steps);
    const int readable = PROT_READ | PROT_WRITE, shared = MAP_SHARED | MAP_ANONYMOUS;
    for (unsigned i = 0; i < JOBS_MAX; i++)
        CHECK((children[i].report = mmap(NULL, sizeof(struct sim_report), readable, shared, -1, 0)) != MAP_FAILED);
    if (sim_trace && runs_count == 1) {           /* in this process: for a debugger */
        child_start(0, &runs[0], true);
        all = *children[0].report;
        sim_tidy(&all);
        return tell(paths_tell(all.paths, a.reach), 0), 0;
    }
    int64_t began_ns = clock_mono_ns();
    if (runs_count > 0 && !a.once) same_again();
    live_all(a.jobs);
    unsigned missed = paths_tell(all.paths, a.reach);
    if (first_broken.report.law && !a.once) make_smaller();
    tell(missed, (double)(clock_mono_ns() - began_ns) / 1e9);
    return broken || missed ? 1 : 0;
}
