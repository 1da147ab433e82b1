/* A store with damaged files, at start-up. It opens or says why not; when it opens, it holds what it held when its
 * journal ended there: the same digest, the same cases, the same keys, or the row that is damaged is told (S4).
 *
 * Each input is looked at in a child. LMDB trusts the form of its own pages, so a state that is damaged may end the
 * child by a signal, as it would end a start: then nothing was served. A sanitizer's find ends it otherwise. */
#include "tests/fuzz/fuzz.h"
#include "tests/unit/store_world.h"

#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum { TURNS = 12, EDITS_MAX = 3, CASES_MAX = 256, SEQS_MAX = 4096, CHILD_WRONG = 99 };

/* Two stores of one life: at rest after a clean stop, and as kill -9 left it with half of it in no checkpoint. */
static struct kept stopped, killed;
static struct world *world;
static struct hash digest_at[SEQS_MAX];              /* of the tables when the journal ended there; 0: no turn did */
static struct case_state cases[CASES_MAX];
static unsigned cases_count;
static uint64_t stopped_seq, killed_seq;
static struct key keys[CASES_MAX];

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

/* Every case as it was when the journal ended there: of those that did not change since. */
static void look_at_cases(struct store *s, uint64_t seq) {
    static struct case_state c;
    struct key key;
    for (unsigned i = 0; i < cases_count; i++) {
        if (cases[i].last_seq > seq) continue;
        int r = store_case(s, cases[i].id, &c);
        if (r == -ENOENT) wrong("a case is missing", seq);
        if (r == 0 && memcmp(&c, &cases[i], sizeof c) != 0) wrong("a case is another", seq);
        r = store_slot_key(s, cases[i].slot, &key);
        if (r == 0 && memcmp(&key, &keys[i], sizeof key) != 0) wrong("a key is another", seq);
    }
}

static int look(const struct store_options *o) {
    static const struct hash none;
    static struct store_found found;
    struct store *s = NULL;
    struct hash digest;
    int r = store_open(&s, o, &found);
    if (r < 0) {
        if (r == -EBADMSG && !found.problem[0]) wrong("refused without a word", 0);
        return 0;
    }
    uint64_t seq = o->read_only ? found.folded_seq : store_durable_seq(s), digested = seq;
    if (seq >= SEQS_MAX || hash_equal(&digest_at[seq], &none)) wrong("ends where no turn ended", seq);
    look_at_cases(s, seq);
    r = store_digest(s, &digest, &digested);
    if (digested != seq || (r == 0 && !hash_equal(&digest, &digest_at[seq]))) wrong("another digest", seq);
    store_close(s);
    return 0;
}

static void child(const struct store_options *o) {
    static const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGABRT, SIGFPE, SIGTRAP};
    for (size_t i = 0; i < COUNT_OF(signals); i++) (void)signal(signals[i], SIG_DFL);
    _exit(look(o));
}

/* ---- an input ---------------------------------------------------------------------------------------------------- */

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len) {
    struct tape t = tape_of(at, len);
    bool state_hurt = false;
    int status = 0;
    if (!world) set_up();
    uint8_t how = tape_byte(&t);
    const struct kept *k = how & 1 ? &killed : &stopped;
    put_back(k);
    for (unsigned i = 0; i < EDITS_MAX && !tape_over(&t); i++)
        state_hurt |= strcmp(spoil(k, &t)->name, "state.mdb") == 0;
    struct store_options o = world->options;
    o.read_only = how & 2;
    o.verify_full = how & 4;
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) child(&o);
    while (waitpid(pid, &status, 0) < 0) CHECK(errno == EINTR);      /* libFuzzer has an alarm */
    CHECK(WIFEXITED(status) ? WEXITSTATUS(status) == 0 : state_hurt);
    return 0;
}
