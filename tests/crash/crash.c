/* crash.c: lives of stores on tapes, and what power cuts would have left of them, image by image.
 *
 *   crash [images] [seed]                  ends with 1 when an image is bad, or when a control finds nothing wrong */
#include "tests/crash/attack.h"
#include "tests/crash/life.h"

#include <ftw.h>
#include <malloc.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum {
    WORKERS = 2,
    COMPOUND = DISK_KINDS, ATTACKS, KINDS = ATTACKS + ATTACK_KINDS,
    COMPOUND_EVERY = 4, COMPOUNDS = 4,            /* images of the recovery from every so manieth */
    BAD_SHOWN = 12, BAD_MAX = 100,                /* said; enough to stop at, but a control stops at the first */
    CONTROL_IMAGES = 6000,
    TWICE_EVERY = 4,                              /* so manieth image is opened once more at its end */
    MARKS = 1 << 16,                              /* a life has some thousand images */
};
#define IMAGE_POOL (64UL << 20)
#define DISK_POOL (256UL << 20)

static const char *const kind_words[KINDS] = {
    [DISK_KEPT] = "nothing lost", [DISK_LOST] = "all lost", [DISK_SOME] = "some lost", [DISK_TORN] = "torn",
    [DISK_REORDERED] = "reordered", [DISK_NAMELESS] = "names lost", [COMPOUND] = "while recovering",
    [ATTACKS + ATTACK_FLIP] = "flip in the last batch", [ATTACKS + ATTACK_FLIP_WITNESSED] = "flip, witnessed",
    [ATTACKS + ATTACK_STALE] = "stale bytes", [ATTACKS + ATTACK_FORGED] = "forged header",
};

static const char *const phase_words[PHASES] = {
    [PHASE_CREATION] = "creation", [PHASE_RULES] = "adoption of rules", [PHASE_TURNS] = "turns",
    [PHASE_CHECKPOINT] = "rest, checkpoint", [PHASE_ROTATION] = "rotation", [PHASE_RESTART] = "stop and start",
    [PHASE_ERASURE] = "expiry, erasure", [PHASE_PURGE] = "purge", [PHASE_BALLAST] = "ballast",
};

/* What the workers tell: in memory that outlives them. */
static struct tally {
    atomic_ulong count[KINDS], phase[PHASES], alike, bad;
    atomic_ullong marks[MARKS];                   /* of images that were looked at */
    struct { atomic_ulong now; char at[120]; } worker[WORKERS];
} *tally;

static struct run {
    char top[64];
    enum disk_lie lie;
    unsigned long images;                         /* wanted, of all lives */
    uint64_t seed;
    bool quiet;                                   /* a control: what is bad is expected */
} run;

/* One worker's: whose turn it is, and what it works with. */
static struct work {
    unsigned self;
    unsigned long number, from;                   /* of the image to come; the first it has to look at */
    unsigned long judged;
    char root[96], scratch[96];
    struct pool disk_pool, image_pool, then_pool, again_pool;
    struct disk disk, image, then_disk, again;
    struct life then, after;
} work;

/* ---- one image --------------------------------------------------------------------------------------------------- */

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *f) {
    (void)st, (void)type;
    return f->level ? remove(path) : 0;
}

static void sweep(const char *path) {
    (void)nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void tell_bad(unsigned kind, const char *problem) {
    unsigned long before = atomic_fetch_add(&tally->bad, 1);
    if (!run.quiet && before < BAD_SHOWN)
        print_message("BAD %s, %s: %s\n", tally->worker[work.self].at, kind_words[kind], problem);
}

static unsigned long images_seen(void) {
    unsigned long all = 0;
    for (unsigned i = 0; i < KINDS; i++)
        all += atomic_load(&tally->count[i]);
    return all;
}

static bool enough(void) {
    return images_seen() >= run.images || atomic_load(&tally->bad) >= (run.quiet ? 1 : BAD_MAX);
}

static const char *judged(struct life *l, const struct said *s, struct life *then, const struct disk *image) {
    sweep(work.root);
    sweep(work.scratch);
    return life_judge(l, s, work.root, work.scratch, then, image, ++work.judged % TWICE_EVERY == 0);
}

/* Whose number is up? Dealt out one by one, so that workers share every life. */
static bool mine(size_t entry) {
    unsigned long number = work.number++;
    if (number % WORKERS != work.self || number < work.from)
        return false;
    atomic_store(&tally->worker[work.self].now, number);
    char *at = tally->worker[work.self].at;
    (void)snprintf(at, sizeof tally->worker[0].at, "seed %llu entry %zu image %lu",
                   (unsigned long long)run.seed, entry, number);
    return true;
}

/* The same bytes under the same names, of which the same must hold: once is enough. */
static bool alike(const struct disk *image, const struct said *s) {
    uint64_t mark = (disk_mark(image) ^ s->at) * 0x9e3779b97f4a7c15 | 1;
    for (uint64_t i = mark >> 48; ; i++) {
        unsigned long long there = 0;
        if (atomic_compare_exchange_strong(&tally->marks[i % MARKS], &there, mark))
            return false;
        if (there == mark)
            return true;
    }
}

static void counted(const struct life *l, unsigned kind, size_t at) {
    atomic_fetch_add(&tally->count[kind], 1);
    atomic_fetch_add(&tally->phase[life_phase(l, at)], 1);
}

/* The power goes again while the store recovers, writes and rests; once just when it has opened. After a mere kill -9
 * what was under way still is: the page cache shows it, and no disk has it. */
static void compound(enum disk_kind first, uint64_t *dice) {
    struct life *l = &work.then;
    size_t when[COMPOUNDS], count = l->tape.count;
    for (unsigned i = 0; i < COMPOUNDS; i++)
        when[i] = i == 0 && l->said_count > 1 ? l->said[1].at : count ? dice_roll(dice, count) : 0;
    pool_reset(&work.then_pool);
    disk_copy(first == DISK_KEPT ? &work.disk : &work.image, &work.then_pool, &work.then_disk);
    if (first == DISK_KEPT)
        disk_carry(&work.disk, &work.then_disk);
    for (size_t at = 0; at < count; at++) {
        disk_play(&work.then_disk, &l->tape.entries[at], run.lie);
        for (unsigned i = 0; i < COMPOUNDS; i++) {
            if (when[i] != at)
                continue;
            struct said must_hold = life_said(l, at + 1);
            enum disk_kind kind = (enum disk_kind)dice_roll(dice, DISK_KINDS);
            disk_image(&work.then_disk, kind, dice, &work.again_pool, &work.again);
            atomic_fetch_add(&tally->count[COMPOUND], 1);
            const char *problem = judged(l, &must_hold, &work.after, &work.again);
            tape_free(&work.after.tape);
            if (problem)
                tell_bad(COMPOUND, problem);
        }
    }
}

static void look_at(struct life *l, enum disk_kind kind, size_t at) {
    if (!mine(at))
        return;
    uint64_t dice = (work.number + 1) * 0x9e3779b97f4a7c15 | 1;
    struct said must_hold = life_said(l, at + 1);
    disk_image(&work.disk, kind, &dice, &work.image_pool, &work.image);
    if (alike(&work.image, &must_hold)) {
        atomic_fetch_add(&tally->alike, 1);
        return;
    }
    counted(l, kind, at);
    const char *problem = judged(l, &must_hold, &work.then, &work.image);
    if (problem)
        tell_bad(kind, problem);
    else if (work.number / WORKERS % COMPOUND_EVERY == 0)
        compound(kind, &dice);
    tape_free(&work.then.tape);
}

static void attack_all(struct life *l, size_t at) {
    for (unsigned how = 0; how < ATTACK_KINDS; how++) {
        struct said must_hold;
        uint64_t dice = (work.number + 1) * 0x9e3779b97f4a7c15 | 1;
        struct attack a;
        if (!attack_find(l, at, (enum attack_kind)how, &dice, &a) || !mine(at))
            continue;
        disk_image(&work.disk, DISK_KEPT, &dice, &work.image_pool, &work.image);
        attack_do(&a, &work.image, &must_hold);
        counted(l, ATTACKS + how, at);
        const char *problem = judged(l, &must_hold, &work.then, &work.image);
        tape_free(&work.then.tape);
        problem = attack_judge(&a, problem);
        if (problem)
            tell_bad(ATTACKS + how, problem);
    }
}

/* ---- a life ------------------------------------------------------------------------------------------------------ */

static bool says_something(const struct disk *d, enum disk_kind kind) {
    switch (kind) {
    case DISK_KEPT: return true;
    case DISK_REORDERED: return d->pending_count > 1;
    case DISK_NAMELESS: return disk_names_pending(d);
    case DISK_LOST: case DISK_SOME: case DISK_TORN: case DISK_KINDS: default: return d->pending_count > 0;
    }
}

_Noreturn static void worker(struct life *l, unsigned self, unsigned long from) {
    work.self = self, work.from = from, work.number = 0;
    (void)snprintf(work.root, sizeof work.root, "%s/root-%u", run.top, self);
    (void)snprintf(work.scratch, sizeof work.scratch, "%s/scratch-%u", run.top, self);
    (void)signal(SIGABRT, SIG_DFL);
    struct pool *const pools[] = {&work.disk_pool, &work.image_pool, &work.then_pool, &work.again_pool};
    for (unsigned i = 0; i < COUNT_OF(pools); i++)       /* a store forks to look at its tables: they need none of it */
        (void)madvise(pools[i]->base, pools[i]->cap, MADV_DONTFORK);
    disk_begin(&work.disk, &work.disk_pool);
    for (size_t at = 0; at < l->tape.count && !enough(); at++) {
        disk_play(&work.disk, &l->tape.entries[at], run.lie);
        for (unsigned kind = 0; kind < DISK_KINDS; kind++)
            if (l->tape.entries[at].kind != TAPE_SYNC && says_something(&work.disk, kind))
                look_at(l, kind, at);
        if (run.lie == DISK_HONEST)
            attack_all(l, at);
    }
    _exit(0);
}

static pid_t begin(struct life *l, unsigned self, unsigned long from) {
    (void)fflush(stdout);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        worker(l, self, from);
    return pid;
}

/* A worker that dies has found something; another one goes on behind that image. */
static void look_at_life(struct life *l) {
    pid_t pids[WORKERS];
    memset(tally->marks, 0, sizeof tally->marks);
    for (unsigned i = 0; i < WORKERS; i++)
        pids[i] = begin(l, i, 0);
    for (unsigned i = 0; i < WORKERS; i++) {
        int status = 0;
        while (waitpid(pids[i], &status, 0) == pids[i] && status != 0) {
            unsigned long before = atomic_fetch_add(&tally->bad, 1);
            if (!run.quiet && before < BAD_SHOWN)
                print_message("BAD %s: the process ended with status %#x\n", tally->worker[i].at, (unsigned)status);
            if (enough())
                break;
            pids[i] = begin(l, i, atomic_load(&tally->worker[i].now) + 1);
        }
    }
}

/* ---- all --------------------------------------------------------------------------------------------------------- */

static void go(enum disk_lie lie, unsigned long images) {
    static struct life l;
    char root[96], scratch[96];
    memset(tally, 0, sizeof *tally);
    run.lie = lie, run.images = images, run.quiet = lie != DISK_HONEST;
    (void)snprintf(root, sizeof root, "%s/life", run.top);
    (void)snprintf(scratch, sizeof scratch, "%s/scratch-0", run.top);
    while (!enough()) {
        sweep(root);
        sweep(scratch);
        life_live(&l, root, scratch, run.seed);
        look_at_life(&l);
        life_free(&l);
        run.seed++;
    }
}

static void make_places(void) {
    static const char *const names[] = {"life", "root-0", "root-1", "scratch-0", "scratch-1"};
    char path[96];
    (void)snprintf(run.top, sizeof run.top, "%s/crash-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    assert_non_null(mkdtemp(run.top));
    for (unsigned i = 0; i < COUNT_OF(names); i++) {
        (void)snprintf(path, sizeof path, "%s/%s", run.top, names[i]);
        assert_int_equal(mkdir(path, 0700), 0);
    }
    pool_make(&work.disk_pool, DISK_POOL);
    pool_make(&work.image_pool, IMAGE_POOL);
    pool_make(&work.then_pool, IMAGE_POOL);
    pool_make(&work.again_pool, IMAGE_POOL);
    tally = mmap(NULL, sizeof *tally, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(tally, MAP_FAILED);
}

static bool control(const char *name, enum disk_lie lie) {
    uint64_t seed = run.seed;
    go(lie, CONTROL_IMAGES);
    run.seed = seed;
    unsigned long bad = atomic_load(&tally->bad);
    print_message("control, %s: %s at image %lu\n", name, bad ? "found" : "NOT FOUND", images_seen());
    return bad > 0;
}

static void say_check(const char *what, const char *file, int line) {
    if (!run.quiet)
        print_message("%s:%d: CHECK(%s)\n", file, line, what);
}

int main(int argc, char **argv) {
    uint64_t images = 20000;
    run.seed = 1;
    bool understood = (argc < 2 || parse_u64(slice_of(argv[1]), &images))
        && (argc < 3 || parse_u64(slice_of(argv[2]), &run.seed));
    if (!understood) {
        print_message("usage: crash [images] [seed]\n");
        return 2;
    }
    (void)setenv("CMOCKA_TEST_ABORT", "1", 1);    /* an assertion that fails ends the process, and says so */
    crypto_init();
    check_hook = say_check;
    (void)mallopt(M_MMAP_THRESHOLD, 128 << 10);   /* large and empty tables are not copied by forks */
    make_places();
    int64_t began = clock_mono_ns();
    go(DISK_HONEST, images);
    double seconds = (double)(clock_mono_ns() - began) / 1e9;
    unsigned long bad = atomic_load(&tally->bad), all = images_seen();
    for (unsigned i = 0; i < KINDS; i++)
        print_message("%-24s %lu\n", kind_words[i], atomic_load(&tally->count[i]));
    for (unsigned i = 0; i < PHASES; i++)
        print_message("  during %-15s %lu\n", phase_words[i], atomic_load(&tally->phase[i]));
    print_message("alike, once is enough    %lu\n", atomic_load(&tally->alike));
    bool good = control("a disk that ignores syncs", DISK_IGNORES_SYNCS);
    good = control("tables without syncs", DISK_IGNORES_SYNCS_OF_STATE) && good;
    print_message("crash images %lu, bad %lu, %.0f images/s\n", all, bad, (double)all / seconds);
    sweep(run.top);
    (void)rmdir(run.top);
    return bad == 0 && good ? 0 : 1;
}
