/* A purge on a disk that says no: behind its verification every system call that can fail is made to, one after the
 * other; opening and verifying have tests of their own. What the store was it still is, what went wrong is said, and
 * the purge can be done again. */
#include "tests/unit/broken_disk.h"
#include "tests/unit/store_world.h"

#include "daemon/store/base.h"

static void keep_as(const struct world *w, char to[static 160]) {
    (void)snprintf(to, 160, "%s/before", w->top);
    path_copy(w->dir, to);
}

static void go_back_to(const struct world *w, const char *kept, const char *archive) {
    (void)path_remove(archive);
    assert_int_equal(path_remove(w->dir), 0);
    path_copy(kept, w->dir);
}

static void break_when_verified(void *to, enum purge_step step, uint64_t number) {
    const unsigned *at = to;
    (void)number;
    if (step == PURGE_VERIFIED && *at)
        break_disk(*at, *at % 2 ? ONCE : FROM_THEN_ON, *at % 3 ? EIO : ENOSPC);
}

/* `at`: the call that fails; 0: none. */
static int purge(struct world *w, const char *archive, unsigned at, struct purge_result *ret) {
    struct purge_options o = {.before_ms = w->now_ms + 1, .archive = archive, .open_too = true};
    return store_purge(&w->options, w->top, &o, ret, break_when_verified, &at);
}

static void is_still(struct world *w, const struct hash *digest) {
    world_still_has(w, digest);
}

/* false: the series is over. */
static bool purge_breaks(struct world *w, unsigned at, const char *archive, const struct hash *digest) {
    struct purge_result p, again;
    int r = purge(w, archive, at, &p);
    bool hit = mend_disk();
    if (r < 0 && (!hit || p.problem[0] == '\0'))
        print_message("call %u: %d %s\n", at, r, p.problem);
    assert_true(r == 0 || (hit && p.problem[0]));
    is_still(w, digest);
    if (r < 0 && at % 8 == 0) {
        assert_int_equal(purge(w, archive, 0, &again), 0);
        assert_true(again.first_seq > 1 && again.base_seq);
        is_still(w, digest);
    }
    return hit;
}

static void a_purge_that_fails_leaves_the_store_what_it_was(void **state) {
    struct world *w = *state;
    char before[160], archive[160];
    (void)snprintf(archive, sizeof archive, "%s/archive", w->top);
    w->options.drill = true;
    w->options.slots_ahead = 64;
    world_create(w);
    world_random_turns(w, 450, 1);
    struct hash digest = world_digest(w);
    world_close(w);
    keep_as(w, before);
    bool hit = true;
    for (unsigned at = 1; hit; at++) {
        go_back_to(w, before, archive);
        hit = purge_breaks(w, at, archive, &digest);
        assert_true(at < 2000);
    }
}

int main(void) {
    if (!disk_share())
        return 1;
    const struct CMUnitTest tests[] = {
        WORLD(a_purge_that_fails_leaves_the_store_what_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
