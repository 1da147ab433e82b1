/* A journal is followed onto a disk that fails, call by call. Whatever comes of it, the next try goes on from what is
 * whole, and has every byte in the end. */
#include "daemon/store/backup.h"
#include "tests/unit/broken_disk.h"
#include "tests/unit/store_world.h"

enum { PART_BYTES = 20 << 10, FOREVER = 1000000 };

/* What the broker says: its own disk is well. */
static void broker_says(struct world *w, const struct follow_place *at, uint8_t *bytes, struct journal_part *ret) {
    bool armed = disk->armed;
    disk->armed = false;
    assert_int_equal(journal_part(store_journal(w->store), at->ordinal, at->offset, bytes, PART_BYTES, ret), 0);
    disk->armed = armed;
}

static int introduce(struct world *w, struct follow *f, char *problem) {
    uint8_t format[IDENTITY_FILE_MAX], key[IDENTITY_FILE_MAX];
    struct slice format_text, key_text;
    bool armed = disk->armed;
    disk->armed = false;
    assert_int_equal(store_identity_file(w->store, "FORMAT", format, &format_text), 0);
    assert_int_equal(store_identity_file(w->store, "key", key, &key_text), 0);
    disk->armed = armed;
    return follow_begin(f, format_text, key_text, problem);
}

/* The last place once more, the next part, and its segment's end: 1, 0 when all is here, or what failed. */
static int step(struct world *w, struct follow *f, char *problem) {
    static uint8_t bytes[PART_BYTES];
    struct follow_place at;
    struct journal_part part;
    follow_where(f, &at);
    if (at.last_bytes) {
        broker_says(w, &(struct follow_place){.ordinal = at.ordinal, .offset = at.last_offset}, bytes, &part);
        int r = follow_same(f, slice_from(bytes, at.last_bytes), problem);
        if (r < 0)
            return r;
    }
    broker_says(w, &at, bytes, &part);
    int r = part.bytes ? follow_take(f, part.ordinal, slice_from(bytes, part.bytes), problem) : 0;
    if (r == 0 && part.sealed && at.offset + part.bytes == part.length)
        r = follow_seal(f, problem);
    return r < 0 ? r : part.bytes > 0 || part.sealed;
}

/* *ret: where it stands now. */
static int follow_for(struct world *w, const char *dir, unsigned steps, struct follow_place *ret) {
    char problem[STORE_PROBLEM_SIZE];
    struct follow *f = NULL;
    int r = follow_open(&f, dir, problem);
    if (r < 0 && !disk->armed)
        print_message("follow_open: %s\n", problem);
    assert_true(r == 0 || problem[0]);
    if (r < 0)
        return r;
    follow_where(f, ret);
    r = ret->known ? 1 : introduce(w, f, problem);
    for (r = r < 0 ? r : 1; r == 1 && steps; steps--)
        r = step(w, f, problem);
    assert_true(r >= 0 || r == -EIO || problem[0]);
    if (r == 0)
        r = follow_sync(f);
    follow_where(f, ret);
    follow_close(f);
    return r < 0 ? r : 0;
}

static void followed_with_a_broken_disk_from(struct world *w, unsigned steps) {
    struct follow_place at;
    char dir[140];
    bool hit = true;
    (void)snprintf(dir, sizeof dir, "%s/follower", w->top);
    for (unsigned n = 1; hit; n += 1 + n / 20) {
        if (steps)
            assert_int_equal(follow_for(w, dir, steps, &at), 0);
        break_disk(n, n % 2 ? ONCE : FROM_THEN_ON, n % 3 ? EIO : ENOSPC);
        int r = follow_for(w, dir, FOREVER, &at);
        hit = mend_disk();
        assert_true(n < 3000 && (hit || r == 0));
        assert_int_equal(follow_for(w, dir, FOREVER, &at), 0);
        assert_int_equal(at.seq, store_durable_seq(w->store));
        assert_int_equal(path_remove(dir), 0);
    }
}

static void a_follower_whose_disk_fails_goes_on_from_what_is_whole(void **state) {
    struct world *w = *state;
    world_create(w);
    world_random_turns(w, 120, 60);
    followed_with_a_broken_disk_from(w, 0);
    followed_with_a_broken_disk_from(w, 3);
    followed_with_a_broken_disk_from(w, 9);
}

int main(void) {
    if (!disk_share())
        return 1;
    const struct CMUnitTest tests[] = {
        WORLD(a_follower_whose_disk_fails_goes_on_from_what_is_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
