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

/* As a crash leaves it: something lies behind the last whole batch. */
static void tear(const char *dir, const struct follow_place *at) {
    static const uint8_t rest[700] = {1};
    char path[200];
    (void)snprintf(path, sizeof path, "%.150s/journal/%08llu.seg", dir, (unsigned long long)at->ordinal);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (at->offset == 0 || fd < 0)
        return;
    assert_int_equal(pwrite(fd, rest, sizeof rest, (off_t)at->offset), sizeof rest);
    assert_int_equal(close(fd), 0);
}

static void followed_with_a_broken_disk_from(struct world *w, unsigned steps) {
    struct follow_place at;
    char dir[140];
    bool hit = true;
    (void)snprintf(dir, sizeof dir, "%s/follower", w->top);
    for (unsigned n = 1; hit; n += 1 + n / 20) {
        if (steps) {
            assert_int_equal(follow_for(w, dir, steps, &at), 0);
            tear(dir, &at);
        }
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

static struct follow *opened(const char *dir) {
    char problem[STORE_PROBLEM_SIZE];
    struct follow *f = NULL;
    assert_int_equal(follow_open(&f, dir, problem), 0);
    return f;
}

static void what_is_refused_is_gone_by_the_next_start_even_when_the_disk_fails(void **state) {
    static const uint8_t foreign[4096] = {7};
    struct world *w = *state;
    struct follow_place before, at;
    char dir[140], problem[STORE_PROBLEM_SIZE];
    bool hit = true;
    (void)snprintf(dir, sizeof dir, "%s/follower", w->top);
    world_create(w);
    world_random_turns(w, 5, 20);
    assert_int_equal(follow_for(w, dir, FOREVER, &before), 0);
    for (unsigned n = 1; hit; n++) {
        struct follow *f = opened(dir);
        problem[0] = '\0';
        break_disk(n, ONCE, EIO);
        int r = follow_take(f, before.ordinal, slice_from(foreign, sizeof foreign), problem);
        hit = mend_disk();
        assert_true(n < 50 && (r == -EBADMSG || (hit && r == -EIO)) && problem[0]);
        follow_close(f);
        follow_close(opened(dir));                /* cuts what may be left */
        f = opened(dir);
        follow_where(f, &at);
        assert_true(at.seq == before.seq && at.offset == before.offset);
        follow_close(f);
    }
}

static void a_base_that_could_not_be_kept_is_fetched_again(void **state) {
    static uint8_t base[1 << 20];
    struct world *w = *state;
    struct follow_place at;
    struct purge_result purged;
    const struct purge_options o = {.before_ms = INT64_MAX / 2, .open_too = true};
    char dir[140], problem[STORE_PROBLEM_SIZE];
    uint64_t length = 0;
    size_t came = 0;
    bool hit = true;
    (void)snprintf(dir, sizeof dir, "%s/follower", w->top);
    w->options.drill = true;
    world_create(w);
    world_random_turns(w, 400, 1);
    world_close(w);
    assert_int_equal(store_purge(&w->options, w->top, &o, &purged, NULL, NULL), 0);
    world_open(w);
    for (unsigned n = 1; hit; n++) {              /* and it is told only when it could be read */
        break_disk(n, ONCE, EIO);
        int r = store_base_part(w->store, 0, base, sizeof base, &length, &came);
        hit = mend_disk();
        assert_int_equal(r, hit ? -EIO : 0);
    }
    assert_int_equal(came, length);
    assert_int_equal(store_base_part(w->store, length, base, sizeof base, &length, &came), 0);
    assert_int_equal(came, 0);                    /* nothing stands behind it */
    assert_int_equal(store_base_part(w->store, 0, base, sizeof base, &length, &came), 0);
    hit = true;
    uint64_t seq = journal_base(store_journal(w->store)).seq;
    for (unsigned n = 1; hit; n++) {
        struct follow *f = opened(dir);
        assert_int_equal(introduce(w, f, problem), 0);
        problem[0] = '\0';
        break_disk(n, ONCE, n % 2 ? EIO : ENOSPC);
        int r = follow_base(f, seq, 0, slice_from(base, came), true, problem);
        hit = mend_disk();
        assert_true(n < 50 && (hit ? r < 0 && r != -EBADMSG && problem[0] : r == 0));
        assert_int_equal(follow_base(f, seq, 0, slice_from(base, came), true, problem), 0);
        follow_close(f);
        if (hit)
            assert_int_equal(path_remove(dir), 0);
    }
    assert_int_equal(follow_for(w, dir, FOREVER, &at), 0);
    assert_int_equal(at.seq, store_durable_seq(w->store));
}

/* Of a segment that takes long to fill; a crash would cost all that is not synced. */
static void what_comes_is_synced_every_few_megabytes(void **state) {
    struct world *w = *state;
    struct follow_place at;
    char dir[140], problem[STORE_PROBLEM_SIZE];
    (void)snprintf(dir, sizeof dir, "%s/follower", w->top);
    w->options.segment_bytes = 8 << 20;
    world_create(w);
    world_random_turns(w, 400, 60);
    struct follow *f = opened(dir);
    assert_int_equal(introduce(w, f, problem), 0);
    do {
        assert_int_equal(step(w, f, problem), 1);
        follow_where(f, &at);
    } while (at.offset <= 2 * PART_BYTES);
    unsigned before = disk->synced;
    while (at.ordinal == 1 && at.offset < (4u << 20) + 2 * PART_BYTES && step(w, f, problem) == 1)
        follow_where(f, &at);
    assert_true(at.ordinal == 1 && at.offset >= 4 << 20);
    assert_int_equal(disk->synced, before + 1);
    follow_close(f);
}

int main(void) {
    if (!disk_share())
        return 1;
    const struct CMUnitTest tests[] = {
        WORLD(a_follower_whose_disk_fails_goes_on_from_what_is_whole),
        WORLD(what_is_refused_is_gone_by_the_next_start_even_when_the_disk_fails),
        WORLD(a_base_that_could_not_be_kept_is_fetched_again),
        WORLD(what_comes_is_synced_every_few_megabytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
