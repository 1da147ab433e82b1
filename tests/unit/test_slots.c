/* The key slots: filled ahead and synced, overwritten in place, the same in every drill. */
#include "daemon/store/slots.h"
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

enum { AHEAD = 5000, HEADER = 4096 };

static char dir[128], path[160];
static struct slots *s;
static uint8_t store_id[16] = "a store of tests";

static int set_up(void **state) {
    (void)state;
    const char *tmp = getenv("TMPDIR");
    (void)snprintf(dir, sizeof dir, "%s/slots-XXXXXX", tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(dir));
    (void)snprintf(path, sizeof path, "%s/slots", dir);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    slots_close(s);
    s = NULL;
    (void)unlink(path);
    return rmdir(dir);
}

static void create_slots(const struct key *seed) {
    assert_int_equal(slots_create(dir, store_id, 0, AHEAD, seed), 0);
    assert_int_equal(slots_open(&s, dir, store_id, 0, false), 0);
}

static void reopen_slots(uint64_t used) {
    slots_close(s);
    s = NULL;
    assert_int_equal(slots_open(&s, dir, store_id, used, false), 0);
}

static struct key key_of(uint64_t slot) {
    struct key key;
    assert_int_equal(slots_key(s, slot, &key), 0);
    return key;
}

static bool same(struct key a, struct key b) {
    return memcmp(a.byte, b.byte, KEY_SIZE) == 0;
}

static void put_bytes(uint64_t offset, int byte, size_t len) {
    uint8_t bytes[512];
    assert_true(len <= sizeof bytes);
    memset(bytes, byte, len);
    int fd = open(path, O_WRONLY);
    assert_int_equal(pwrite(fd, bytes, len, (off_t)offset), len);
    (void)close(fd);
}

static uint64_t size_of_file(void) {
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    return (uint64_t)st.st_size;
}

static void every_slot_has_a_key_of_its_own_that_stays(void **state) {
    (void)state;
    create_slots(NULL);
    assert_int_equal(slots_filled(s), AHEAD);
    assert_int_equal(slots_bytes(s), size_of_file());
    struct key first = key_of(0), second = key_of(1), last = key_of(AHEAD - 1), none = last;
    assert_false(same(first, second));
    assert_false(same(second, last));
    assert_int_equal(slots_key(s, AHEAD, &none), -ENOENT);
    assert_true(same(none, last));                /* untouched on failure */
    reopen_slots(1);
    assert_true(same(first, key_of(0)));
    assert_true(same(second, key_of(1)));
    assert_true(same(last, key_of(AHEAD - 1)));
    assert_int_equal(slots_create(dir, store_id, 0, AHEAD, NULL), -EEXIST);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

static void a_wiped_slot_is_zeroes_in_its_place_and_its_neighbours_stay(void **state) {
    (void)state;
    create_slots(NULL);
    struct key before = key_of(6), after = key_of(8), key;
    assert_int_equal(slots_wipe(s, 7), 0);
    assert_int_equal(slots_wipe(s, 7), 0);        /* an erasure is done again after a crash */
    assert_int_equal(slots_wipe(s, AHEAD), -ENOENT);
    assert_int_equal(slots_key(s, 7, &key), -ENODATA);
    assert_true(same(before, key_of(6)));
    assert_true(same(after, key_of(8)));
    reopen_slots(20);
    assert_int_equal(slots_key(s, 7, &key), -ENODATA);
    int fd = open(path, O_RDONLY);
    assert_int_equal(pread(fd, key.byte, KEY_SIZE, HEADER + 7 * KEY_SIZE), KEY_SIZE);
    (void)close(fd);
    for (size_t i = 0; i < KEY_SIZE; i++)
        assert_int_equal(key.byte[i], 0);
}

static void filling_ahead_keeps_its_distance_in_pieces(void **state) {
    (void)state;
    bool worked = true;
    create_slots(NULL);
    assert_int_equal(slots_ahead(s, 0, &worked), 0);
    assert_false(worked);
    assert_int_equal(slots_ahead(s, 3000, &worked), 0);
    assert_true(worked);
    assert_int_equal(slots_filled(s), AHEAD + 2048);
    assert_int_equal(slots_ahead(s, 3000, &worked), 0);
    assert_true(worked);
    assert_int_equal(slots_filled(s), AHEAD + 3000);
    assert_int_equal(slots_ahead(s, 3000, &worked), 0);
    assert_false(worked);
    struct key key = key_of(AHEAD + 2999);
    reopen_slots(3000);
    assert_true(same(key, key_of(AHEAD + 2999)));
    assert_int_equal(slots_filled(s), AHEAD + 3000);
    reopen_slots(4000);                           /* opening fills up as well */
    assert_int_equal(slots_filled(s), AHEAD + 4000);
}

static void a_filling_that_a_crash_cut_short_leaves_no_slot_without_a_key(void **state) {
    (void)state;
    create_slots(NULL);
    struct key used = key_of(9), spare = key_of(12);
    put_bytes(HEADER + 10 * KEY_SIZE, 0, 2 * KEY_SIZE);                   /* blocks that never reached the disk */
    put_bytes(HEADER + AHEAD * KEY_SIZE, 7, KEY_SIZE + 5);                /* a slot and a piece of one */
    reopen_slots(10);
    assert_int_equal(slots_filled(s), AHEAD + 10);
    assert_true(same(used, key_of(9)));
    assert_true(same(spare, key_of(12)));
    assert_false(same(key_of(10), key_of(11)));
    assert_false(same(key_of(AHEAD + 1), key_of(AHEAD + 2)));
}

static void slots_older_than_the_journal_are_refused(void **state) {
    (void)state;
    create_slots(NULL);
    slots_close(s);
    s = NULL;
    assert_int_equal(slots_open(&s, dir, store_id, AHEAD + 1, false), -ESTALE);
    assert_int_equal(slots_open(&s, dir, store_id, AHEAD + 1, true), -ESTALE);
    assert_int_equal(slots_open(&s, dir, store_id, AHEAD, false), 0);
}

static void another_stores_slots_and_a_damaged_header_are_refused(void **state) {
    (void)state;
    assert_int_equal(slots_open(&s, dir, store_id, 0, false), -ENOENT);
    create_slots(NULL);
    slots_close(s);
    s = NULL;
    uint8_t other[16] = "some other store";
    assert_int_equal(slots_open(&s, dir, other, 0, false), -EBADMSG);
    static const uint64_t hurt[] = {0, 8, 12, 16, 32, 40, 44, 76, 80, HEADER - 1};
    for (size_t i = 0; i < COUNT_OF(hurt); i++) {
        uint8_t old, bad;
        int fd = open(path, O_RDWR);
        assert_int_equal(pread(fd, &old, 1, (off_t)hurt[i]), 1);
        bad = old ^ 0x20;
        assert_int_equal(pwrite(fd, &bad, 1, (off_t)hurt[i]), 1);
        assert_int_equal(slots_open(&s, dir, store_id, 0, false), -EBADMSG);
        assert_int_equal(pwrite(fd, &old, 1, (off_t)hurt[i]), 1);
        (void)close(fd);
    }
    assert_int_equal(truncate(path, 1000), 0);
    assert_int_equal(slots_open(&s, dir, store_id, 0, false), -EBADMSG);
}

/* Its sum is right: it was written so. */
static void a_header_of_another_version_is_refused(void **state) {
    static const uint64_t places[] = {8, 12};     /* the format, the size of a slot */
    (void)state;
    create_slots(NULL);
    slots_close(s);
    s = NULL;
    for (size_t i = 0; i < COUNT_OF(places); i++) {
        uint8_t head[80], good[80];
        int fd = open(path, O_RDWR);
        assert_int_equal(pread(fd, head, sizeof head, 0), sizeof head);
        memcpy(good, head, sizeof good);
        head[places[i]] ^= 0x40;
        put_le32(head + 76, crc32c(0, slice_from(head, 76)));
        assert_int_equal(pwrite(fd, head, sizeof head, 0), sizeof head);
        assert_int_equal(slots_open(&s, dir, store_id, 0, false), -EBADMSG);
        assert_int_equal(pwrite(fd, good, sizeof good, 0), sizeof good);
        (void)close(fd);
    }
    assert_int_equal(slots_open(&s, dir, store_id, 0, false), 0);
}

static void two_drills_have_the_same_keys(void **state) {
    (void)state;
    struct key seed, key;
    uint8_t number[8];
    memset(seed.byte, 3, sizeof seed.byte);
    create_slots(&seed);
    for (uint64_t slot = 0; slot < AHEAD; slot += 99) {
        put_le64(number, slot);
        struct hash drawn = hash_keyed(&seed, slice_from(number, sizeof number));
        key = key_of(slot);
        assert_memory_equal(key.byte, drawn.byte, KEY_SIZE);
    }
    reopen_slots(4000);                           /* the seed is in the file: filling on goes on the same way */
    put_le64(number, AHEAD + 3999);
    struct hash drawn = hash_keyed(&seed, slice_from(number, sizeof number));
    key = key_of(AHEAD + 3999);
    assert_memory_equal(key.byte, drawn.byte, KEY_SIZE);
}

static void opening_read_only_fills_nothing(void **state) {
    (void)state;
    create_slots(NULL);
    slots_close(s);
    s = NULL;
    uint64_t size = size_of_file();
    put_bytes(HEADER + 10 * KEY_SIZE, 0, KEY_SIZE);
    assert_int_equal(slots_open(&s, dir, store_id, 100, true), 0);
    assert_int_equal(size_of_file(), size);
    struct key key;
    assert_int_equal(slots_key(s, 10, &key), -ENODATA);
    assert_int_equal(slots_key(s, 11, &key), 0);
}

#define STORY(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    static const struct CMUnitTest stories[] = {
        STORY(every_slot_has_a_key_of_its_own_that_stays),
        STORY(a_wiped_slot_is_zeroes_in_its_place_and_its_neighbours_stay),
        STORY(filling_ahead_keeps_its_distance_in_pieces),
        STORY(a_filling_that_a_crash_cut_short_leaves_no_slot_without_a_key),
        STORY(slots_older_than_the_journal_are_refused),
        STORY(another_stores_slots_and_a_damaged_header_are_refused),
        STORY(a_header_of_another_version_is_refused),
        STORY(two_drills_have_the_same_keys),
        STORY(opening_read_only_fills_nothing),
    };
    crypto_init();
    return cmocka_run_group_tests(stories, NULL, NULL);
}
