/* Memory that is refused, allocation by allocation, to those who make another store of one: a purge, a restore, and
 * what they are made of; and to rules that are unpacked again. It is said, and what was there stays. */
#include "daemon/store/backup_internal.h"
#include "daemon/store/store_internal.h"
#include "tests/unit/backup_scratch.h"
#include "tests/unit/broken_memory.h"
#include "tests/unit/no_sync.h"

#include <fcntl.h>

/* Allocations far into it, where tables are folded, are like those beside them: the further, the wider the stride. */
static unsigned after(unsigned at) {
    return at < 60 ? at + 1 : at + 1 + at / 6;
}

static void lose(const char *path) {
    if (access(path, F_OK) == 0)
        assert_int_equal(path_remove(path), 0);
}

static void still_has(struct world *w, const struct hash *digest) {
    world_open(w);
    struct hash now = world_digest(w);
    same_digest(&now, digest);
    world_close(w);
}

/* ---- a restore --------------------------------------------------------------------------------------------------- */

static void restores_starve(struct world *w, struct wish wish, int how) {
    struct restore_result back;
    char to[PATH_BYTES];
    bool hit = true;
    place(w, "back", to);
    for (unsigned at = 1; hit; at = after(at)) {
        starve(at, how);
        int r = restore_try(w, "backup", "back", wish, &back);
        hit = feed();
        assert_true(at < 3000 && (r == 0 || (hit && back.problem[0])));
        lose(to);
    }
    assert_int_equal(restore_try(w, "backup", "back", wish, &back), 0);
    lose(to);
}

static void a_restore_that_is_refused_memory_says_so_and_the_next_one_is_made(void **state) {
    struct world *w = *state;
    w->options.slots_ahead = 64;
    world_create(w);
    world_random_turns(w, 8, 10);
    uint64_t seq = store_durable_seq(w->store);
    world_close(w);
    (void)backup(w, "backup");
    restores_starve(w, (struct wish){0}, ONCE);
    restores_starve(w, (struct wish){.until_seq = seq - 3}, ONCE);
    restores_starve(w, (struct wish){.until_seq = seq - 3}, FROM_THEN_ON);
}

/* ---- a manifest -------------------------------------------------------------------------------------------------- */

static void a_manifest_is_written_and_read_whole_or_not_at_all(void **state) {
    struct world *w = *state;
    struct manifest m = {.seq = 7}, read;
    struct hash hash = {{3}};
    char problem[STORE_PROBLEM_SIZE], name[ARCHIVED_NAME_SIZE];
    int dir = open(w->top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (unsigned i = 1; i <= 200; i++) {
        (void)snprintf(name, sizeof name, "journal/%08u.seg", i);
        starve(1, ONCE);
        int r = manifest_add(&m, name, i, &hash);
        assert_int_equal(r, feed() ? -ENOMEM : 0);
        if (r < 0)
            assert_int_equal(manifest_add(&m, name, i, &hash), 0);
    }
    assert_int_equal(m.files_count, 200);
    starve(1, ONCE);
    assert_int_equal(manifest_write(&m, dir), -ENOMEM);
    assert_true(feed());
    assert_int_equal(manifest_read(&read, dir, problem), -ENOENT);
    assert_int_equal(manifest_write(&m, dir), 0);
    bool hit = true;
    for (unsigned at = 1; hit; at++) {
        problem[0] = '\0';
        starve(at, ONCE);
        int r = manifest_read(&read, dir, problem);
        hit = feed();
        assert_int_equal(r < 0, hit);
        assert_int_equal(read.files_count, hit ? 0 : 200);
        manifest_done(&read);
    }
    manifest_done(&m);
    assert_int_equal(close(dir), 0);
}

/* ---- a purge ----------------------------------------------------------------------------------------------------- */

static void a_purge_that_is_refused_memory_leaves_what_was_there(void **state) {
    struct world *w = *state;
    struct purge_result p;
    struct purge_options o = {.keep_ms = PURGE_KEEP_MS_MIN};
    bool hit = true;
    w->options.slots_ahead = 64;
    world_create(w);
    world_random_turns(w, 8, 10);
    struct hash digest = world_digest(w);
    world_close(w);
    for (unsigned at = 1; hit; at++) {
        starve(at, at % 2 ? ONCE : FROM_THEN_ON);
        int r = store_purge(&w->options, w->top, &o, &p, NULL, NULL);
        hit = feed();
        assert_true(at < 300 && (r == 0 || (hit && p.problem[0])));
        still_has(w, &digest);
    }
}

/* ---- rules ------------------------------------------------------------------------------------------------------- */

/* A case of old rules: what was dropped to make room is unpacked again, or it is said that it could not be. */
static void rules_that_cannot_be_unpacked_are_unpacked_the_next_time(void **state) {
    struct world *w = *state;
    const PbRules *rules = NULL;
    bool hit = true;
    world_create(w);
    for (unsigned at = 1; hit; at++) {
        rules_forget(&w->store->tables, 0);
        starve(at, ONCE);
        int r = store_rules(w->store, 1, &rules);
        hit = feed();
        assert_int_equal(r, hit ? -ENOMEM : 0);
        assert_int_equal(store_rules(w->store, 1, &rules), 0);
        assert_string_equal(rules->name, fixture_rules()->name);
    }
}

/* Whoever reads the journal beside the one that is kept for it. */
static void a_cursor_that_is_refused_memory_is_not_opened(void **state) {
    struct world *w = *state;
    struct journal_cursor *c = NULL;
    world_create(w);
    starve(1, ONCE);
    assert_int_equal(journal_cursor_open(&c, store_journal(w->store), 1), -ENOMEM);
    assert_true(feed());
    assert_null(c);
    assert_int_equal(journal_cursor_open(&c, store_journal(w->store), 1), 0);
    journal_cursor_close(c);
    journal_cursor_close(NULL);
}

int main(void) {
    if (!memory_share())
        return 1;
    const struct CMUnitTest tests[] = {
        WORLD(a_restore_that_is_refused_memory_says_so_and_the_next_one_is_made),
        WORLD(a_manifest_is_written_and_read_whole_or_not_at_all),
        WORLD(a_purge_that_is_refused_memory_leaves_what_was_there),
        WORLD(rules_that_cannot_be_unpacked_are_unpacked_the_next_time),
        WORLD(a_cursor_that_is_refused_memory_is_not_opened),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
