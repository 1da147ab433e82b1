/* A store with damaged files, at start-up and in the life after. It opens or says why not; when it opens, it holds what
 * it held when its journal ended there: the same digest, the same cases, the same keys, or the row that is damaged is
 * told (S4).
 *
 * LMDB trusts the form of its own pages, so a state that is damaged may end a start by a signal: then nothing was
 * served, and the journal holds it all. What must not be is that it ends every start: so each start is a child, as
 * the real one is a process, and after a death there is another on what the last has left, until one lives. */
#include "tests/fuzz/fuzz.h"
#include "tests/unit/store_world.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum { TURNS = 12, EDITS_MAX = 3, CASES_MAX = 256, SEQS_MAX = 4096, CHILD_WRONG = 99, STARTS_MAX = 2 };

/* Two stores of one life: at rest after a clean stop, and as kill -9 left it with half of it in no checkpoint. In none
 * a start was cut off: that one would be inspected whatever it is like. */
static struct kept stopped, killed;
static struct world *world;
static struct hash digest_at[SEQS_MAX];              /* of the tables when the journal ended there; 0: no turn did */
static struct case_state cases[CASES_MAX];
static unsigned cases_count;
static uint64_t stopped_seq, killed_seq;
static struct key keys[CASES_MAX];
static bool state_hurt, slots_hurt;                  /* by this input */

/* ---- the store before -------------------------------------------------------------------------------------------- */

static uint64_t note_digest(void) {
    struct hash digest;
    uint64_t seq = 0;
    CHECK(store_digest(world->store, &digest, &seq) == 0 && seq < SEQS_MAX);
    digest_at[seq] = digest;
    return seq;
}

static void live(unsigned turns) {
    for (unsigned i = 0; i < turns; i++) {
        world_random_turns(world, 1, 6);
        killed_seq = note_digest();
    }
}

static void note_cases(void) {
    for (uint64_t id = 0; store_next_case(world->store, id, &id) == 0;) {
        CHECK(cases_count < CASES_MAX && store_case(world->store, id, &cases[cases_count]) == 0);
        CHECK(store_slot_key(world->store, cases[cases_count].slot, &keys[cases_count]) == 0);
        cases_count++;
    }
}

static void set_up(void) {
    char top[PATH_MAX_BYTES];
    CHECK(setenv("TMPDIR", scratch_path("", top), 1) == 0);
    CHECK(world_make((void **)&world) == 0);
    world->options.map_bytes = 64 << 20;
    world->options.slots_ahead = 256;
    world_create(world);
    (void)note_digest();
    live(TURNS);
    world_close(world);
    keep(&stopped, world->dir);
    world_open(world);
    stopped_seq = note_digest();
    CHECK(store_checkpoint(world->store) == 0);
    live(TURNS);
    keep(&killed, world->dir);
    note_cases();
    world_close(world);
}

/* ---- in the child ------------------------------------------------------------------------------------------------ */

static void wrong(const char *what, uint64_t seq) {
    (void)fprintf(stderr, "fuzz_store: %s at seq %llu\n", what, (unsigned long long)seq);
    _exit(CHILD_WRONG);
}

/* Every case as it was when the journal ended there: of those that did not change since. A key stands alone in its
 * slot; that it is another is told by the text that it does not open. */
static void look_at_cases(struct store *s, uint64_t seq) {
    static struct case_state c;
    struct key key;
    for (unsigned i = 0; i < cases_count; i++) {
        if (cases[i].last_seq > seq) continue;
        int r = store_case(s, cases[i].id, &c);
        if (r == -ENOENT) wrong("a case is missing", seq);
        if (r == 0 && memcmp(&c, &cases[i], sizeof c) != 0) wrong("a case is another", seq);
        r = store_slot_key(s, cases[i].slot, &key);
        if (r == 0 && !slots_hurt && memcmp(&key, &keys[i], sizeof key) != 0) wrong("a key is another", seq);
    }
}

/* As the broker begins: an epoch of its own, and a checkpoint soon after. */
static int begin(struct store *s) {
    int r;
    world->store = s;
    arena_reset(&world->room);
    PbEvent *e = arena_must(&world->room, sizeof *e);
    e->event_case = EVENT_EPOCH_BEGUN;
    e->epoch_begun = arena_must(&world->room, sizeof *e->epoch_begun);
    e->epoch_begun->has_epoch = 1;
    e->epoch_begun->epoch = store_epoch(s) + 1;
    store_begin(s, world->now_ms);
    r = world_events(world, &e, 1);
    if (r == 0) r = store_commit(s);
    return r == 0 ? store_checkpoint(s) : r;
}

/* What is read after a checkpoint is read when no mark says any more that this start has not lived long. */
static void look(const struct store_options *o, bool goes_on, bool first) {
    static const struct hash none;
    static struct store_found found;
    struct store *s = NULL;
    struct hash digest;
    int r = store_open(&s, o, &found);
    if (r < 0) {
        if (r == -EBADMSG && !found.problem[0]) wrong("refused without a word", 0);
        return;
    }
    uint64_t seq = o->read_only ? found.folded_seq : store_durable_seq(s), digested = seq;
    bool known = seq < SEQS_MAX && !hash_equal(&digest_at[seq], &none);
    if (first && !known) wrong("ends where no turn ended", seq);
    if (goes_on && begin(s) < 0) return;
    look_at_cases(s, seq);
    digested = goes_on ? store_durable_seq(s) : seq;
    r = store_digest(s, &digest, &digested);
    if (!goes_on && known && (digested != seq || (r == 0 && !hash_equal(&digest, &digest_at[seq]))))
        wrong("another digest", seq);
    store_close(s);
}

/* libFuzzer counts in this process which ways were taken: what a child counts must be seen here, however it ends. The
 * counters' whole pages become shared memory. The Makefile says where they are, for the compiler keeps their names;
 * AFL++ has none. */
extern uint8_t counters_begin[] __attribute__((weak)), counters_end[] __attribute__((weak));

static void share_counters(void) {
    const uintptr_t page = 4096;
    uintptr_t from = ((uintptr_t)counters_begin + page - 1) & ~(page - 1);
    uintptr_t to = (uintptr_t)counters_end & ~(page - 1);
    if (to <= from) return;
    void *at = mmap((void *)from, to - from, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    CHECK(at == (void *)from);
}

/* How a start of this store ends. */
static int start(const struct store_options *o, bool goes_on, bool first) {
    static const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGABRT, SIGFPE, SIGTRAP};
    int status = 0;
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        for (size_t i = 0; i < COUNT_OF(signals); i++) (void)signal(signals[i], SIG_DFL);
        look(o, goes_on, first);
        _exit(0);
    }
    while (waitpid(pid, &status, 0) < 0) CHECK(errno == EINTR);      /* libFuzzer has an alarm */
    return status;
}

/* ---- an input ---------------------------------------------------------------------------------------------------- */

/* A store that is only read leaves no mark: whoever reads it is told by the signal, and starts the broker. */
int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len) {
    struct tape t = tape_of(at, len);
    if (!world) set_up(), share_counters();
    state_hurt = slots_hurt = false;
    uint8_t how = tape_byte(&t);
    const struct kept *k = how & 1 ? &killed : &stopped;
    put_back(k);
    for (unsigned i = 0; i < EDITS_MAX && !tape_over(&t); i++) {
        const char *name = spoil(k, &t)->name;
        state_hurt |= strcmp(name, "state.mdb") == 0;
        slots_hurt |= strcmp(name, "slots") == 0;
    }
    struct store_options o = world->options;
    o.read_only = how & 2;
    o.verify_full = how & 4;
    int status = start(&o, !o.read_only && how & 8, true);
    for (unsigned starts = 1; WIFSIGNALED(status); starts++) {
        CHECK(state_hurt);
        if (o.read_only) return 0;
        CHECK(starts < STARTS_MAX);                      /* else the store would end its broker for ever */
        status = start(&o, how & 8, false);
    }
    CHECK(WEXITSTATUS(status) == 0);
    return 0;
}
