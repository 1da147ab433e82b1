/* What a crash, a bad disk or a wrong hand can leave, and what the next start makes of it. */
#include "tests/unit/store_world.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* ---- hands on files ---------------------------------------------------------------------------------------------- */

static void keep(const struct world *w, const char *name, const char *as) {
    char from[192], to[192];
    world_path(w, name, from);
    (void)snprintf(to, sizeof to, "%s/%s", w->top, as);
    path_copy(from, to);
}

static void put_back(const struct world *w, const char *as, const char *name) {
    char from[192], to[192];
    (void)snprintf(from, sizeof from, "%s/%s", w->top, as);
    world_path(w, name, to);
    path_copy(from, to);
}

static void lose(const struct world *w, const char *name) {
    char path[192];
    world_path(w, name, path);
    assert_int_equal(unlink(path), 0);
}

static void refuses(struct world *w, const char *decision, const char *words) {
    assert_int_equal(world_try(w), -EBADMSG);
    assert_null(w->store);
    assert_string_equal(w->found.decision, decision);
    if (!strstr(w->found.problem, words))
        print_message("problem: %s\n", w->found.problem);
    assert_non_null(strstr(w->found.problem, words));
}

/* A store with some life in it, closed; what its tables were. */
static struct hash lived(struct world *w, unsigned turns) {
    if (!w->store && access(w->dir, F_OK) < 0)
        world_create(w);
    else if (!w->store)
        world_open(w);
    world_random_turns(w, turns, 20);
    struct hash digest = world_digest(w);
    world_close(w);
    return digest;
}

static void opens_as(struct world *w, const char *decision, const struct hash *digest) {
    world_open(w);
    assert_string_equal(w->found.decision, decision);
    struct hash now = world_digest(w);
    assert_memory_equal(&now, digest, sizeof now);
}

/* ---- the tables are a fold: whatever happens to them, the journal brings them back ------------------------------- */

static void tables_that_are_gone_are_folded_again(void **state) {
    struct world *w = *state;
    struct hash digest = lived(w, 20);
    lose(w, "state.mdb");
    opens_as(w, "state-missing", &digest);
    assert_true(w->found.rebuilt && w->found.refolded > 100);
    world_close(w);
    opens_as(w, "serve", &digest);
    assert_int_equal(w->found.refolded, 0);
}

static void a_truncated_table_file_is_folded_again(void **state) {
    static const long sizes[] = {0, 100, 4096, 8192, 12288, 40960};
    struct world *w = *state;
    char path[192];
    struct hash digest = lived(w, 20);
    world_path(w, "state.mdb", path);
    for (unsigned i = 0; i < COUNT_OF(sizes); i++) {
        assert_int_equal(truncate(path, sizes[i]), 0);
        opens_as(w, "state-broken", &digest);
        world_close(w);
    }
}

/* Why a start looks at every row: it is asked to; the one before did not live to its first checkpoint, which leaves
 * `starting` behind; the tables are small. */
enum why_look { ASKED, STARTED_BADLY, SMALL };

/* Where the file is in use, a flip must be found; where it is not, it must do no harm. */
static void flips_are_found(struct world *w, enum why_look why) {
    char path[192];
    struct stat st;
    unsigned found = 0;
    struct hash digest = lived(w, 30);
    world_path(w, "state.mdb", path);
    w->options.verify_full = why == ASKED;
    w->options.inspect_bytes = why == SMALL ? 64 << 20 : 0;
    for (unsigned i = 0; i < 40; i++) {
        keep(w, "FORMAT", "any-file");
        if (why == STARTED_BADLY)
            put_back(w, "any-file", "starting");
        assert_int_equal(stat(path, &st), 0);
        world_flip(w, "state.mdb", (long)world_roll(w, (uint64_t)st.st_size < 400000 ? (uint64_t)st.st_size : 400000));
        world_open(w);
        found += strcmp(w->found.decision, "state-broken") == 0;
        struct hash now = world_digest(w);
        assert_memory_equal(&now, &digest, sizeof now);
        world_close(w);
    }
    assert_true(found > 5);
}

static void flips_in_the_tables_are_found_by_the_full_check(void **state) {
    flips_are_found(*state, ASKED);
}

static void a_start_that_did_not_get_far_makes_the_next_one_look_at_everything(void **state) {
    flips_are_found(*state, STARTED_BADLY);
}

static void small_tables_are_looked_at_row_by_row_at_each_start(void **state) {
    flips_are_found(*state, SMALL);
}

/* The value of an external id, in the middle of a row. */
static void flip_a_case(const struct world *w) {
    static const char mark[] = "12345-2026-0001";
    char path[192];
    world_path(w, "state.mdb", path);
    int fd = open(path, O_RDWR);
    struct stat st;
    assert_true(fd >= 0 && fstat(fd, &st) == 0);
    uint8_t *at = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), *hit = at;
    assert_ptr_not_equal(at, MAP_FAILED);
    unsigned hits = 0;
    while ((hit = memmem(hit, (size_t)(st.st_size - (hit - at)), mark, sizeof mark - 1)) != NULL)
        *hit = 'X', hits++;
    assert_true(hits > 0);
    assert_int_equal(munmap(at, (size_t)st.st_size), 0);
    assert_int_equal(close(fd), 0);
}

static void a_damaged_row_is_never_served_and_heals_at_the_next_start(void **state) {
    struct world *w = *state;
    struct case_state c;
    uint64_t id = 0;
    struct hash digest = lived(w, 5);
    flip_a_case(w);
    world_open(w);
    assert_string_equal(w->found.decision, "serve");
    assert_int_equal(store_next_case(w->store, 0, &id), -EBADMSG);
    world_close(w);
    opens_as(w, "state-broken", &digest);
    assert_int_equal(store_next_case(w->store, 0, &id), 0);
    assert_int_equal(store_case(w->store, id, &c), 0);
}

static void what_the_checkpoint_lacks_is_folded(void **state) {
    struct world *w = *state;
    (void)lived(w, 10);
    keep(w, "state.mdb", "older");
    struct hash digest = lived(w, 10);
    put_back(w, "older", "state.mdb");
    opens_as(w, "fold-tail", &digest);
    assert_true(w->found.refolded > 20 && !w->found.rebuilt);
}

/* ---- tables of another place or time ----------------------------------------------------------------------------- */

static void a_checkpoint_ahead_of_the_journal_is_refused(void **state) {
    struct world *w = *state;
    struct hash digest = lived(w, 5);
    keep(w, "journal/00000001.seg", "segment");
    (void)lived(w, 5);
    put_back(w, "segment", "journal/00000001.seg");
    refuses(w, "journal-behind", "--discard-state");
    assert_int_equal(store_rebuild(&w->options, &w->found), 0);
    opens_as(w, "serve", &digest);
}

/* A second store, of so many turns, gets the tables of a first one. They are refused, and it can be folded anew. */
static void foreign_tables_are_refused(struct world *w, unsigned turns, const char *decision, const char *words) {
    char other[192];
    (void)lived(w, 5);
    keep(w, "state.mdb", "foreign");
    (void)snprintf(other, sizeof other, "%s.other", w->dir);
    assert_int_equal(rename(w->dir, other), 0);
    struct hash digest = lived(w, turns);
    put_back(w, "foreign", "state.mdb");
    refuses(w, decision, words);
    assert_int_equal(store_rebuild(&w->options, &w->found), 0);
    opens_as(w, "serve", &digest);
}

static void the_tables_of_another_store_are_refused(void **state) {
    foreign_tables_are_refused(*state, 5, "other-store", "another store");
}

static void the_tables_of_another_history_are_refused(void **state) {
    struct world *w = *state;
    w->options.drill = true;                      /* two drills have one id */
    foreign_tables_are_refused(w, 9, "other-history", "another history");
}

/* ---- what the tables cannot make good ---------------------------------------------------------------------------- */

static void a_journal_that_is_gone_or_damaged_is_refused_by_place(void **state) {
    struct world *w = *state;
    char path[192];
    (void)lived(w, 10);
    keep(w, "journal/00000001.seg", "segment");
    world_flip(w, "journal/00000001.seg", 2000);
    refuses(w, "journal-broken", "00000001.seg");
    put_back(w, "segment", "journal/00000001.seg");
    world_open(w);
    while (store_prepare(w->store, 1 << 20) == 1) {}
    world_close(w);
    lose(w, "journal/00000002.seg");
    refuses(w, "gap-in-ordinals", "missing");
    world_path(w, "journal", path);
    assert_int_equal(path_remove(path), 0);
    refuses(w, "journal-missing", "backup");
}

static void key_slots_older_than_the_journal_are_refused(void **state) {
    struct world *w = *state;
    char path[192];
    (void)lived(w, 10);
    keep(w, "slots", "slots");
    world_path(w, "slots", path);
    assert_int_equal(truncate(path, 4096 + 32), 0);
    refuses(w, "slots-older", "slots");
    lose(w, "slots");
    refuses(w, "slots-older", "slots");
    put_back(w, "slots", "slots");
    world_open(w);
}

static void write_format(const struct world *w, const char *text) {
    char path[192];
    world_path(w, "FORMAT", path);
    FILE *f = fopen(path, "wb");
    assert_true(f && fputs(text, f) >= 0 && fclose(f) == 0);
}

static void a_format_that_is_not_ours_is_refused_by_the_name_of_the_command_that_helps(void **state) {
    struct world *w = *state;
    (void)lived(w, 2);
    keep(w, "FORMAT", "FORMAT");
    write_format(w, "whistled store 2\nid 00\nsomething new\n");
    refuses(w, "newer-format", "whistlectl recover");
    write_format(w, "whistled store 1\nid 00\nkind drill\ncreated now\n");
    refuses(w, "", "whistlectl recover");
    write_format(w, "");
    refuses(w, "", "whistlectl recover");
    lose(w, "FORMAT");
    refuses(w, "", "whistlectl recover");
    put_back(w, "FORMAT", "FORMAT");
    keep(w, "key", "key");
    lose(w, "key");
    refuses(w, "", "key");
    put_back(w, "key", "key");
    world_open(w);
    world_close(w);
    w->options.dir = "/nonexistent/store";
    assert_int_equal(world_try(w), -ENOENT);
}

/* ---- reading without touching ------------------------------------------------------------------------------------ */

static void where_there_is_no_store_nothing_is_folded_again_and_nothing_is_left(void **state) {
    struct world *w = *state;
    struct store_found found;
    assert_int_equal(store_rebuild(&w->options, &found), -ENOENT);
    assert_int_equal(mkdir(w->dir, 0700), 0);
    assert_int_equal(store_rebuild(&w->options, &found), -EBADMSG);
    assert_non_null(strstr(found.problem, "there is no FORMAT here"));
    assert_int_equal(rmdir(w->dir), 0);           /* as empty as it was */
}

static void a_resting_store_is_read_without_a_change(void **state) {
    struct world *w = *state;
    uint64_t id = 0, cases = 0;
    struct case_state c;
    struct hash digest = lived(w, 10);
    w->options.read_only = true;
    opens_as(w, "serve", &digest);
    while (store_next_case(w->store, id, &id) == 0)
        cases += store_case(w->store, id, &c) == 0;
    assert_true(cases > 20);
    assert_false(store_admits(w->store, ADMIT_CLOSURE));
    world_close(w);
    lose(w, "state.mdb");
    refuses(w, "state-missing", "whistlectl recover");
}

static void verification_finds_a_flip_in_the_tables_and_in_the_journal(void **state) {
    struct world *w = *state;
    struct verify_result result;
    (void)lived(w, 10);
    assert_int_equal(store_verify(&w->options, w->top, &result, NULL, NULL), 0);
    assert_true(result.equal && result.records > 50 && result.batches >= 12 && result.cases > 20);
    keep(w, "state.mdb", "whole");
    flip_a_case(w);
    assert_int_equal(store_verify(&w->options, w->top, &result, NULL, NULL), 0);
    assert_false(result.equal);
    assert_non_null(strstr(result.problem, "checksum"));
    put_back(w, "whole", "state.mdb");
    world_flip(w, "journal/00000001.seg", 3000);
    assert_int_equal(store_verify(&w->options, w->top, &result, NULL, NULL), -EBADMSG);
    assert_false(result.equal);
    assert_non_null(strstr(result.problem, "00000001.seg"));
}

/* With every checksum right: what follows from a case is made from the cases alone. */
static void verification_finds_a_deadline_that_no_case_speaks_of(void **state) {
    struct world *w = *state;
    struct verify_result result;
    (void)lived(w, 10);
    world_add_deadline(w);
    assert_int_equal(store_verify(&w->options, w->top, &result, NULL, NULL), 0);
    assert_false(result.equal);
    assert_non_null(strstr(result.problem, "not what the journal folds to"));
}

/* Not equal, and the words say which end is the wrong one. */
static void verification_of_tables_ahead_of_the_journal_names_both_ends(void **state) {
    struct world *w = *state;
    struct verify_result result;
    (void)lived(w, 5);
    keep(w, "journal/00000001.seg", "segment");
    (void)lived(w, 5);
    put_back(w, "segment", "journal/00000001.seg");
    assert_int_equal(store_verify(&w->options, w->top, &result, NULL, NULL), -EBADMSG);
    assert_false(result.equal);
    assert_non_null(strstr(result.problem, "checkpoint"));
}

/* Whose text it is, and which copy helps. */
static void verification_tells_a_key_that_opens_nothing_and_keys_that_are_gone(void **state) {
    struct world *w = *state;
    struct verify_result result;
    char path[192];
    world_create(w);
    world_begin(w);
    (void)world_report(w, "rubbish", FIXTURE_GRID);
    world_commit(w);
    world_close(w);
    keep(w, "slots", "slots");
    for (long key = 0; key < 8; key++)
        world_flip(w, "slots", 4096 + 32 * key);
    assert_int_equal(store_verify(&w->options, w->top, &result, NULL, NULL), -EBADMSG);
    assert_false(result.equal);
    assert_non_null(strstr(result.problem, "put back the newest copy of `slots`"));
    world_path(w, "slots", path);
    assert_int_equal(truncate(path, 100), 0);
    assert_int_equal(store_verify(&w->options, w->top, &result, NULL, NULL), -EBADMSG);
    assert_non_null(strstr(result.problem, "missing or damaged"));
    lose(w, "slots");
    assert_int_equal(store_verify(&w->options, w->top, &result, NULL, NULL), -ENOENT);
    assert_non_null(strstr(result.problem, "missing or damaged"));
    put_back(w, "slots", "slots");
    assert_int_equal(store_verify(&w->options, w->top, &result, NULL, NULL), 0);
    assert_true(result.equal);
}

static unsigned told;

static void note_progress(void *to, uint64_t seq, uint64_t last) {
    assert_true(seq <= last);
    *(uint64_t *)to = seq;
    told++;
}

static void a_long_verification_says_how_far_it_is(void **state) {
    struct world *w = *state;
    struct verify_result result;
    uint64_t seq = 0;
    world_create(w);
    while (store_durable_seq(w->store) < 20000)
        world_random_turns(w, 10, 200);
    world_close(w);
    assert_int_equal(store_verify(&w->options, w->top, &result, note_progress, &seq), 0);
    assert_true(result.equal && told == result.records / 4096 && told >= 1 && seq > 4096 && seq <= result.seq);
}

/* ---- kill -9 ----------------------------------------------------------------------------------------------------- */

/* What the child has been told is durable, in memory that outlives it. */
struct promise { volatile uint64_t durable, turns; };

static void child(struct world *w, struct promise *p, unsigned cycle) {
    w->dice += cycle * 7919;
    w->ids = (uint64_t)cycle << 32;
    (void)signal(SIGILL, SIG_DFL);                /* a CHECK that fails here is no test's exception */
    if (world_try(w) != 0)
        _exit(3);
    w->now_ms = store_last_ms(w->store);
    world_epoch(w, store_epoch(w->store) + 1);
    for (;;) {
        world_random_turns(w, 1, 1 + (unsigned)world_roll(w, 30));
        p->durable = store_durable_seq(w->store);
        p->turns++;
        if (world_roll(w, 20) == 0 && store_checkpoint(w->store) != 0)
            _exit(4);
        if (store_rest(w->store, clock_mono_ns() / 1000000 + (int64_t)world_roll(w, 300), w->now_ms, true) < 0)
            _exit(5);
    }
}

/* However slow the machine is, the child gets that far; only then is it killed. */
static void wait_for_turns(const struct promise *p, uint64_t turns) {
    for (unsigned i = 0; i < 50000 && *(const volatile uint64_t *)&p->turns < turns; i++)
        (void)usleep(200);
    assert_true(p->turns >= turns);
}

static void killed_at_any_point_everything_that_was_committed_is_there(void **state) {
    struct world *w = *state;
    struct verify_result result;
    struct promise *p = mmap(NULL, sizeof *p, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(p, MAP_FAILED);
    (void)lived(w, 1);
    for (unsigned cycle = 1; cycle <= 50; cycle++) {
        int status = 0;
        pid_t pid = fork();
        if (pid == 0)
            child(w, p, cycle);
        assert_true(pid > 0);
        wait_for_turns(p, p->turns + world_roll(w, 20));
        assert_int_equal(usleep((useconds_t)world_roll(w, 3000)), 0);
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        world_open(w);
        assert_true(store_durable_seq(w->store) >= p->durable);
        struct slice record;
        if (p->durable)
            assert_int_equal(store_read(w->store, p->durable, &record), 0);
        world_close(w);
    }
    assert_true(p->turns > 100);
    assert_int_equal(store_verify(&w->options, w->top, &result, NULL, NULL), 0);
    assert_string_equal(result.problem, "");
    assert_true(result.equal);
    assert_int_equal(munmap(p, sizeof *p), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        WORLD(tables_that_are_gone_are_folded_again),
        WORLD(a_truncated_table_file_is_folded_again),
        WORLD(flips_in_the_tables_are_found_by_the_full_check),
        WORLD(a_start_that_did_not_get_far_makes_the_next_one_look_at_everything),
        WORLD(small_tables_are_looked_at_row_by_row_at_each_start),
        WORLD(a_damaged_row_is_never_served_and_heals_at_the_next_start),
        WORLD(what_the_checkpoint_lacks_is_folded),
        WORLD(a_checkpoint_ahead_of_the_journal_is_refused),
        WORLD(the_tables_of_another_store_are_refused),
        WORLD(the_tables_of_another_history_are_refused),
        WORLD(a_journal_that_is_gone_or_damaged_is_refused_by_place),
        WORLD(key_slots_older_than_the_journal_are_refused),
        WORLD(a_format_that_is_not_ours_is_refused_by_the_name_of_the_command_that_helps),
        WORLD(where_there_is_no_store_nothing_is_folded_again_and_nothing_is_left),
        WORLD(a_resting_store_is_read_without_a_change),
        WORLD(verification_finds_a_flip_in_the_tables_and_in_the_journal),
        WORLD(verification_finds_a_deadline_that_no_case_speaks_of),
        WORLD(verification_of_tables_ahead_of_the_journal_names_both_ends),
        WORLD(verification_tells_a_key_that_opens_nothing_and_keys_that_are_gone),
        WORLD(a_long_verification_says_how_far_it_is),
        WORLD(killed_at_any_point_everything_that_was_committed_is_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
