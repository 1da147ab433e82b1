/* A journal is followed elsewhere, byte for byte, through anything that may happen to either side. The broker's side
 * here is a store in the same process: what it would say over the wire is journal_part. */
#include "daemon/store/backup.h"
#include "tests/unit/store_world.h"

#include <fcntl.h>
#include <sys/stat.h>

enum { PATH_BYTES = 200, PART_MAX = 96 << 10 };

struct follower {
    struct world *w;
    struct follow *f;
    char dir[PATH_BYTES], problem[STORE_PROBLEM_SIZE];
};

static void place(const struct follower *p, const char *name, char to[static PATH_BYTES]) {
    (void)snprintf(to, PATH_BYTES, "%.95s/%.95s", p->dir, name);
}

static void follower_open(struct follower *p, struct world *w, const char *name) {
    p->w = w;
    (void)snprintf(p->dir, sizeof p->dir, "%.95s/%.95s", w->top, name);
    int r = follow_open(&p->f, p->dir, p->problem);
    if (r < 0)
        print_message("follow_open: %s\n", p->problem);
    assert_int_equal(r, 0);
}

static void follower_close(struct follower *p) {
    follow_close(p->f);
    p->f = NULL;
}

static void introduce(struct follower *p) {
    uint8_t format[IDENTITY_FILE_MAX], key[IDENTITY_FILE_MAX];
    struct slice format_text, key_text;
    assert_int_equal(store_identity_file(p->w->store, "FORMAT", format, &format_text), 0);
    assert_int_equal(store_identity_file(p->w->store, "key", key, &key_text), 0);
    assert_int_equal(follow_begin(p->f, format_text, key_text, p->problem), 0);
}

/* One question and what comes of it: 1 something came, 0 all of it is here, negative: refused. */
static int step(struct follower *p, size_t cap) {
    static uint8_t bytes[PART_MAX];
    struct follow_place at;
    struct journal_part part;
    follow_where(p->f, &at);
    if (!at.known)
        introduce(p);
    assert_int_equal(journal_part(store_journal(p->w->store), at.ordinal, at.offset, bytes, cap, &part), 0);
    assert_true(part.length >= at.offset);
    int r = part.bytes ? follow_take(p->f, part.ordinal, slice_from(bytes, part.bytes), p->problem) : 0;
    bool complete = at.offset + part.bytes == part.length;
    if (r == 0 && complete && part.sealed)
        r = follow_seal(p->f, p->problem);
    return r < 0 ? r : part.bytes > 0 || part.sealed;
}

static void catch_up(struct follower *p, size_t cap) {
    int r;
    while ((r = step(p, cap)) == 1) {}
    if (r < 0)
        print_message("refused: %s\n", p->problem);
    assert_int_equal(r, 0);
}

/* Every byte that is durable, and none more. */
static void same_files(const struct follower *p, struct world *w) {
    static uint8_t ours[PART_MAX], theirs[PART_MAX];
    struct journal_part part = {.last_ordinal = 1};
    for (uint64_t ordinal = 1; ordinal <= part.last_ordinal; ordinal++) {
        char name[32], path[PATH_BYTES];
        struct stat st;
        (void)snprintf(name, sizeof name, "journal/%08llu.seg", (unsigned long long)ordinal);
        place(p, name, path);
        int fd = open(path, O_RDONLY);
        assert_true(fd >= 0 && fstat(fd, &st) == 0);
        uint64_t at = 0;
        do {
            assert_int_equal(journal_part(store_journal(w->store), ordinal, at, ours, PART_MAX, &part), 0);
            assert_int_equal(pread(fd, theirs, part.bytes, (off_t)at), part.bytes);
            assert_memory_equal(ours, theirs, part.bytes);
            at += part.bytes;
        } while (part.bytes);
        assert_int_equal(st.st_size, part.length);
        assert_int_equal(st.st_mode & 0777, part.sealed ? 0400 : 0600);
        assert_int_equal(close(fd), 0);
    }
}

static void a_follower_has_the_same_bytes_however_small_the_parts(void **state) {
    struct world *w = *state;
    struct follower p;
    static const size_t caps[] = {100, 4096, 5000, PART_MAX};
    world_create(w);
    follower_open(&p, w, "follower");
    for (unsigned i = 0; i < 12; i++) {
        world_random_turns(w, 25, 40);
        catch_up(&p, caps[i % COUNT_OF(caps)]);
        same_files(&p, w);
        struct follow_place at;
        follow_where(p.f, &at);
        assert_int_equal(at.seq, store_durable_seq(w->store));
    }
    follower_close(&p);
}

/* Killed: nothing is closed, and half a part may lie behind the last whole batch. */
static void a_follower_that_was_killed_goes_on_from_the_last_whole_batch(void **state) {
    struct world *w = *state;
    struct follower p;
    world_create(w);
    for (unsigned i = 0; i < 40; i++) {
        follower_open(&p, w, "follower");
        world_random_turns(w, 8, 40);
        for (uint64_t steps = world_roll(w, 30); steps > 0; steps--)
            assert_true(step(&p, 1 + world_roll(w, 20000)) >= 0);
        follower_close(&p);
    }
    follower_open(&p, w, "follower");
    catch_up(&p, PART_MAX);
    same_files(&p, w);
    follower_close(&p);
}

static void a_broker_that_starts_again_is_followed_on(void **state) {
    struct world *w = *state;
    struct follower p;
    world_create(w);
    follower_open(&p, w, "follower");
    for (unsigned i = 0; i < 6; i++) {
        world_random_turns(w, 20, 30);
        catch_up(&p, 7777);
        world_close(w);
        world_open(w);
        world_epoch(w, i + 2);
    }
    catch_up(&p, PART_MAX);
    same_files(&p, w);
    follower_close(&p);
}

static struct restore_result restored(struct follower *p, const char *as, uint64_t until_seq) {
    char to[PATH_BYTES];
    struct restore_result back;
    (void)snprintf(to, sizeof to, "%.95s/%.95s", p->w->top, as);
    struct restore_options o = {
        .from = p->dir, .to = to, .until_seq = until_seq, .map_bytes = 1 << 30, .segment_bytes = 1 << 20,
        .slots_ahead = 64,
    };
    int r = store_restore(&o, &back);
    if (r < 0)
        print_message("store_restore: %s\n", back.problem);
    assert_int_equal(r, 0);
    return back;
}

static void a_followed_journal_becomes_a_store(void **state) {
    struct world *w = *state;
    struct follower p;
    world_create(w);
    world_random_turns(w, 100, 40);
    struct hash digest = world_digest(w);
    follower_open(&p, w, "follower");
    catch_up(&p, PART_MAX);
    follower_close(&p);
    struct restore_result back = restored(&p, "back", 0);
    assert_true(back.followed && back.seq == store_durable_seq(w->store));
    assert_memory_equal(&back.digest, &digest, sizeof digest);
}

static int fetch_base(struct follower *p, size_t cap, uint8_t spoil) {
    static uint8_t bytes[PART_MAX];
    uint64_t seq = journal_base(store_journal(p->w->store)).seq, length = 1;
    size_t came = 0;
    int r = 0;
    for (uint64_t at = 0; r == 0 && at < length; at += came) {
        assert_int_equal(store_base_part(p->w->store, at, bytes, cap, &length, &came), 0);
        assert_true(came > 0 && came <= cap);
        bytes[0] ^= spoil;
        r = follow_base(p->f, seq, at, slice_from(bytes, came), at + came == length, p->problem);
    }
    return r;
}

/* What the purge took is not in the journal any more: the base has it, and whole or not at all. */
static void a_purged_store_is_followed_from_its_base(void **state) {
    struct world *w = *state;
    struct purge_result purged;
    struct follower p;
    char archive[PATH_BYTES];
    uint8_t bytes[16], id[16];
    uint64_t length;
    size_t came;
    (void)snprintf(archive, sizeof archive, "%.95s/archive", w->top);
    const struct purge_options o = {.before_ms = INT64_MAX / 2, .archive = archive, .open_too = true};
    w->options.drill = true;
    world_create(w);
    world_random_turns(w, 400, 1);
    assert_int_equal(store_base_part(w->store, 0, bytes, sizeof bytes, &length, &came), -ENOENT);
    world_close(w);
    assert_int_equal(store_purge(&w->options, w->top, &o, &purged, NULL, NULL), 0);
    world_open(w);
    world_random_turns(w, 3, 5);
    struct journal_segment first;
    assert_true(journal_segment(store_journal(w->store), 0, &first) && first.ordinal > 1);
    assert_false(journal_segment(store_journal(w->store), 1, &first));
    struct hash digest = world_digest(w);
    store_id(w->store, id);
    follower_open(&p, w, "follower");
    introduce(&p);
    assert_true(follow_is_of(p.f, id));
    id[0] ^= 1;
    assert_false(follow_is_of(p.f, id));
    assert_int_equal(fetch_base(&p, PART_MAX, 1), -EBADMSG);
    assert_int_equal(follow_base(p.f, 1, 0, SLICE("short"), true, p.problem), -EBADMSG);
    assert_int_equal(fetch_base(&p, 1000, 0), 0);
    catch_up(&p, PART_MAX);
    follower_close(&p);
    struct restore_result back = restored(&p, "back", 0);
    assert_memory_equal(&back.digest, &digest, sizeof digest);
}

/* The broker's store is put back to an earlier point: same id, another history. */
static void a_broker_with_another_history_is_refused(void **state) {
    struct world *w = *state;
    struct follower p;
    char moved[PATH_BYTES];
    uint8_t header[512];
    struct follow_place at;
    struct journal_part part;
    world_create(w);
    world_random_turns(w, 6, 20);
    follower_open(&p, w, "follower");
    catch_up(&p, PART_MAX);
    uint64_t seq = store_durable_seq(w->store);
    follower_close(&p);
    (void)restored(&p, "back", seq / 2);
    follower_open(&p, w, "follower");
    world_close(w);
    (void)snprintf(moved, sizeof moved, "%.150s/back", w->top);
    (void)snprintf(w->dir, sizeof w->dir, "%.120s", moved);
    world_open(w);
    world_random_turns(w, 60, 60);                /* it has grown past the place again */
    follow_where(p.f, &at);
    struct journal *theirs = store_journal(w->store);
    assert_int_equal(journal_part(theirs, at.ordinal, at.last_offset, header, at.last_bytes, &part), 0);
    assert_int_equal(follow_same(p.f, slice_from(header, part.bytes), p.problem), -EBADMSG);
    assert_non_null(strstr(p.problem, "another"));
    p.problem[0] = '\0';
    assert_int_equal(journal_part(store_journal(w->store), 1, 4096, header, sizeof header, &part), 0);
    assert_int_equal(follow_take(p.f, at.ordinal, slice_from(header, part.bytes), p.problem), 0);  /* half a batch */
    static uint8_t rest[8192];
    assert_int_equal(journal_part(store_journal(w->store), 1, 4096 + 512, rest, sizeof rest, &part), 0);
    assert_int_equal(follow_take(p.f, at.ordinal, slice_from(rest, part.bytes), p.problem), -EBADMSG);
    assert_non_null(strstr(p.problem, "does not continue"));
    follow_where(p.f, &at);
    assert_int_equal(at.seq, seq);                /* nothing that was refused has stayed */
    follower_close(&p);
}

/* The next bytes that `w` has for it, without a look at whether they fit. */
static int take_blindly(struct follower *p, uint64_t ordinal, size_t cap) {
    static uint8_t bytes[PART_MAX];
    struct follow_place at;
    struct journal_part part;
    follow_where(p->f, &at);
    p->problem[0] = '\0';
    assert_int_equal(journal_part(store_journal(p->w->store), ordinal, at.offset, bytes, cap, &part), 0);
    assert_true(part.bytes > 0);
    return follow_take(p->f, ordinal, slice_from(bytes, part.bytes), p->problem);
}

static void move_world(struct world *w, const char *as) {
    world_close(w);
    (void)snprintf(w->dir, sizeof w->dir, "%.90s/%.30s", w->top, as);
}

static void grow_to_segment(struct world *w, uint64_t ordinal) {
    struct journal_segment s;
    while (!journal_segment(store_journal(w->store), ordinal, &s))
        world_random_turns(w, 5, 40);
}

static void a_header_of_another_store_is_refused_and_nothing_of_it_stays(void **state) {
    struct world *w = *state;
    struct follower p;
    struct follow_place at;
    world_create(w);
    follower_open(&p, w, "follower");
    introduce(&p);
    move_world(w, "second");
    world_create(w);
    assert_int_equal(take_blindly(&p, 1, 4096), -EBADMSG);
    assert_non_null(strstr(p.problem, "another store"));
    follow_where(p.f, &at);
    assert_true(at.offset == 0 && at.last_bytes == 0);
    follower_close(&p);
    follow_close(NULL);                           /* of an opening that failed */
}

static void a_segment_that_does_not_continue_the_one_before_it_is_refused(void **state) {
    struct world *w = *state;
    struct follower p;
    struct follow_place at = {.ordinal = 0};
    char twin[PATH_BYTES];
    world_create(w);
    world_close(w);
    (void)snprintf(twin, sizeof twin, "%.95s/twin", w->top);
    path_copy(w->dir, twin);
    world_open(w);
    grow_to_segment(w, 3);
    follower_open(&p, w, "follower");
    for (; at.ordinal < 2; follow_where(p.f, &at))
        assert_int_equal(step(&p, PART_MAX), 1);
    assert_int_equal(at.offset, 0);
    move_world(w, "twin");
    world_open(w);
    grow_to_segment(w, 2);
    assert_int_equal(take_blindly(&p, 2, 4096), -EBADMSG);
    assert_non_null(strstr(p.problem, "does not continue"));
    follower_close(&p);
}

static void a_segment_is_not_sealed_before_all_of_it_is_here(void **state) {
    struct world *w = *state;
    struct follower p;
    world_create(w);
    world_random_turns(w, 3, 20);
    follower_open(&p, w, "follower");
    introduce(&p);
    assert_int_equal(follow_seal(p.f, p.problem), -EBADMSG);      /* nothing has come */
    assert_int_equal(take_blindly(&p, 1, 4000), 0);
    p.problem[0] = '\0';
    assert_int_equal(follow_seal(p.f, p.problem), -EBADMSG);      /* half a batch lies at the end */
    assert_non_null(strstr(p.problem, "does not continue"));
    catch_up(&p, PART_MAX);
    same_files(&p, w);
    follower_close(&p);
}

/* A crash leaves what was not synced, and no more than that is cut. */
static void what_no_crash_can_have_left_behind_the_last_batch_is_refused(void **state) {
    struct world *w = *state;
    struct follower p;
    struct follow_place at;
    char path[PATH_BYTES];
    world_create(w);
    grow_to_segment(w, 3);
    follower_open(&p, w, "follower");
    catch_up(&p, PART_MAX);
    follow_where(p.f, &at);
    follower_close(&p);
    place(&p, "journal/00000003.seg", path);
    assert_int_equal(truncate(path, (off_t)at.offset + 5000), 0);
    follower_open(&p, w, "follower");
    follow_where(p.f, &at);
    assert_int_equal(at.cut_bytes, 5000);
    follower_close(&p);
    assert_int_equal(truncate(path, (off_t)at.offset + (9 << 20)), 0);
    assert_int_equal(follow_open(&p.f, p.dir, p.problem), -EBADMSG);
    assert_non_null(strstr(p.problem, "zeroes"));
    assert_int_equal(truncate(path, (off_t)at.offset), 0);
    place(&p, "journal/00000002.seg", path);
    assert_int_equal(chmod(path, 0600), 0);
    FILE *f = fopen(path, "r+b");
    assert_true(f && fseek(f, 300000, SEEK_SET) == 0 && fputs("damage", f) >= 0 && fclose(f) == 0);
    assert_int_equal(follow_open(&p.f, p.dir, p.problem), -EBADMSG);
    assert_non_null(strstr(p.problem, "00000002.seg"));
}

static void damage_in_what_was_followed_is_refused_by_place(void **state) {
    struct world *w = *state;
    struct follower p;
    char path[PATH_BYTES];
    world_create(w);
    world_random_turns(w, 250, 60);
    follower_open(&p, w, "follower");
    catch_up(&p, PART_MAX);
    struct follow_place at;
    follow_where(p.f, &at);
    assert_true(at.ordinal >= 3);
    follower_close(&p);
    place(&p, "journal/00000002.seg", path);
    assert_int_equal(chmod(path, 0600), 0);
    assert_int_equal(truncate(path, 200), 0);
    assert_int_equal(follow_open(&p.f, p.dir, p.problem), -EBADMSG);
    assert_non_null(strstr(p.problem, "followed journal"));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(follow_open(&p.f, p.dir, p.problem), -EBADMSG);
    assert_non_null(strstr(p.problem, "00000002.seg"));
}

static void a_follower_wants_a_directory_of_its_own(void **state) {
    struct world *w = *state;
    struct follower p, second = {.f = NULL};
    char problem[STORE_PROBLEM_SIZE];
    world_create(w);
    assert_int_equal(follow_open(&second.f, w->top, problem), -EEXIST);
    assert_non_null(strstr(problem, "not empty"));
    assert_int_equal(follow_open(&second.f, w->dir, problem), -EBUSY);
    follower_open(&p, w, "follower");
    assert_int_equal(follow_open(&second.f, p.dir, problem), -EBUSY);
    assert_non_null(strstr(problem, "another follower"));
    follower_close(&p);
    world_close(w);
    assert_int_equal(follow_open(&second.f, w->dir, problem), -EEXIST);
    assert_non_null(strstr(problem, "a store"));
    char path[PATH_BYTES];
    place(&p, "MANIFEST", path);
    FILE *f = fopen(path, "wb");
    assert_true(f && fclose(f) == 0);
    assert_int_equal(follow_open(&second.f, p.dir, problem), -EEXIST);
    assert_non_null(strstr(problem, "a backup"));
}

static int note_last(void *to, const struct segment_seen *s) {
    uint64_t *last = to;
    *last = s->begun ? s->last_seq : *last;
    return 0;
}

static int refuse_all(void *to, const struct segment_seen *s) {
    (void)to, (void)s;
    return -ECANCELED;
}

static void a_survey_sees_every_segment_of_a_living_store_and_names_damage(void **state) {
    struct world *w = *state;
    char problem[STORE_PROBLEM_SIZE];
    uint64_t last = 0;
    world_create(w);
    world_random_turns(w, 120, 60);
    assert_int_equal(store_survey(w->dir, 0, note_last, &last, problem), 0);
    assert_int_equal(last, store_durable_seq(w->store));
    last = 0;
    assert_int_equal(store_survey(w->dir, 4, note_last, &last, problem), 0);
    assert_int_equal(last, store_durable_seq(w->store));
    last = 0;
    assert_int_equal(store_survey(w->dir, 100, note_last, &last, problem), 0);
    assert_int_equal(last, store_durable_seq(w->store));
    assert_int_equal(store_survey(w->dir, 0, refuse_all, NULL, problem), -ECANCELED);
    world_close(w);
    world_flip(w, "journal/00000001.seg", 200000);
    assert_int_equal(store_survey(w->dir, 0, note_last, &last, problem), -EBADMSG);
    assert_non_null(strstr(problem, "00000001.seg"));
    world_flip(w, "journal/00000001.seg", 50);
    assert_int_equal(store_survey(w->dir, 0, note_last, &last, problem), -EBADMSG);
    assert_non_null(strstr(problem, "header is damaged"));
    char from[192], to[192];
    world_path(w, "journal", from);
    world_path(w, "diary", to);
    assert_int_equal(rename(from, to), 0);
    assert_int_equal(store_survey(w->dir, 0, note_last, &last, problem), -ENOENT);
    assert_int_equal(store_survey(w->top, 0, note_last, &last, problem), -ENOENT);
    assert_non_null(strstr(problem, "no FORMAT"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        WORLD(a_follower_has_the_same_bytes_however_small_the_parts),
        WORLD(a_follower_that_was_killed_goes_on_from_the_last_whole_batch),
        WORLD(a_broker_that_starts_again_is_followed_on),
        WORLD(a_followed_journal_becomes_a_store),
        WORLD(a_purged_store_is_followed_from_its_base),
        WORLD(a_broker_with_another_history_is_refused),
        WORLD(a_header_of_another_store_is_refused_and_nothing_of_it_stays),
        WORLD(a_segment_that_does_not_continue_the_one_before_it_is_refused),
        WORLD(a_segment_is_not_sealed_before_all_of_it_is_here),
        WORLD(what_no_crash_can_have_left_behind_the_last_batch_is_refused),
        WORLD(damage_in_what_was_followed_is_refused_by_place),
        WORLD(a_follower_wants_a_directory_of_its_own),
        WORLD(a_survey_sees_every_segment_of_a_living_store_and_names_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
