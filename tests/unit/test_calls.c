/* System calls that give less than was asked, and bytes that say more than they have: the smallest parts of the store,
 * which everything else believes. */
#include "daemon/store/file.h"
#include "daemon/store/journal_internal.h"
#include "daemon/store/store_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- a kernel of our own ----------------------------------------------------------------------------------------- */

static struct {
    bool takes_nothing, keeps_no_blocks, disk_is_full;
    unsigned read_only;                           /* so many openings are refused */
    const char *block;                            /* what /sys says of every disk; NULL: there is none */
} world;

ssize_t pwrite(int fd, const void *bytes, size_t len, off_t offset) {
    return world.takes_nothing ? 0 : syscall(SYS_pwrite64, fd, bytes, len, offset);
}

int fallocate(int fd, int mode, off_t from, off_t len) {
    if (world.keeps_no_blocks || world.disk_is_full) {
        errno = world.disk_is_full ? ENOSPC : EOPNOTSUPP;
        return -1;
    }
    return (int)syscall(SYS_fallocate, fd, mode, from, len);
}

int openat(int at, const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    unsigned mode = flags & O_CREAT ? va_arg(rest, unsigned) : 0;
    va_end(rest);
    if (world.read_only && (flags & O_ACCMODE) == O_RDWR) {
        world.read_only--;
        errno = EACCES;
        return -1;
    }
    return (int)syscall(SYS_openat, at, path, flags, mode);
}

/* Of a partition: only its disk, one folder up, has a queue. */
int open(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    unsigned mode = flags & O_CREAT ? va_arg(rest, unsigned) : 0;
    va_end(rest);
    if (strncmp(path, "/sys/dev/block/", 15) != 0)
        return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
    if (!world.block || !strstr(path, "/../")) {
        errno = ENOENT;
        return -1;
    }
    int fd = memfd_create("queue", MFD_CLOEXEC);
    assert_int_equal(write(fd, world.block, strlen(world.block)), strlen(world.block));
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    return fd;
}

static char dir[64];
static int at;

static int make_dir(void **state) {
    (void)state;
    const char *tmp = getenv("TMPDIR");
    (void)snprintf(dir, sizeof dir, "%.40s/calls-XXXXXX", tmp ? tmp : "/tmp");
    memset(&world, 0, sizeof world);
    crypto_init();
    return mkdtemp(dir) ? (at = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0 : -1;
}

static int remove_dir(void **state) {
    static const char *const names[] = {"00000001.seg", "next.tmp", "file"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(names); i++)
        (void)unlinkat(at, names[i], 0);
    return close(at) | rmdir(dir);
}

/* ---- files ------------------------------------------------------------------------------------------------------- */

static void bytes_that_are_not_there_and_bytes_that_are_not_taken_are_faults_of_the_disk(void **state) {
    uint8_t bytes[64];
    (void)state;
    int fd = openat(at, "file", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(file_write(fd, SLICE("0123456789"), 0), 0);
    assert_int_equal(file_read(fd, bytes, 10, 0), 0);
    assert_memory_equal(bytes, "0123456789", 10);
    assert_int_equal(file_read(fd, bytes, 11, 0), -EIO);                    /* or it would be asked for ever */
    world.takes_nothing = true;
    assert_int_equal(file_write(fd, SLICE("ab"), 0), -EIO);
    assert_int_equal(close(fd), 0);
    assert_int_equal(file_read(-1, bytes, 1, 0), -EBADF);
}

/* ---- records and batches ----------------------------------------------------------------------------------------- */

static void a_record_that_its_batch_has_no_room_for_is_not_read(void **state) {
    uint8_t bytes[RECORD_HEADER_SIZE + 8];
    struct slice rest, record;
    uint32_t seqs = 0;
    (void)state;
    record_write(bytes, SLICE("8 bytes."), 3);
    rest = slice_from(bytes, sizeof bytes);
    assert_true(record_read(&rest, &seqs, &record));
    assert_true(seqs == 3 && rest.len == 0 && slice_equal(record, SLICE("8 bytes.")));
    for (size_t len = 0; len < sizeof bytes; len++) {
        rest = slice_from(bytes, len);
        assert_false(record_read(&rest, &seqs, &record));
    }
    record_write(bytes, (struct slice){NULL, 0}, 1);                        /* an empty one is one */
    rest = slice_from(bytes, RECORD_HEADER_SIZE);
    assert_true(record_read(&rest, &seqs, &record) && record.len == 0);
    put_le32(bytes + 4, 0);                                                 /* of no seq: none */
    rest = slice_from(bytes, RECORD_HEADER_SIZE);
    assert_false(record_read(&rest, &seqs, &record));
}

/* Signed with the store's own key, as only a broker with a bug could: its length alone would lead far astray. */
static void a_batch_that_says_it_is_larger_than_any_is_not_one(void **state) {
    enum { AT_BYTES = 48, AT_MAC = 136 };
    uint8_t bytes[BATCH_HEADER_SIZE];
    struct key k = {{1}};
    struct batch_header h = {.flags = BATCH_WITNESS, .ordinal = 1, .offset = 512, .first_seq = 1}, read;
    (void)state;
    batch_header_write(bytes, &k, &h);
    assert_true(batch_header_read(bytes, &k, 1, 512, &read));
    put_le64(bytes + AT_BYTES, (uint64_t)JOURNAL_BATCH_BYTES_MAX + 1);
    assert_false(batch_header_read(bytes, &k, 1, 512, &read));              /* not signed */
    struct hash mac = hash_keyed(&k, slice_from(bytes, AT_MAC));
    memcpy(bytes + AT_MAC, mac.byte, sizeof mac);
    assert_false(batch_header_read(bytes, &k, 1, 512, &read));
    put_le64(bytes + AT_BYTES, (uint64_t)JOURNAL_BATCH_BYTES_MAX);
    mac = hash_keyed(&k, slice_from(bytes, AT_MAC));
    memcpy(bytes + AT_MAC, mac.byte, sizeof mac);
    assert_true(batch_header_read(bytes, &k, 1, 512, &read));
    assert_int_equal(read.bytes, JOURNAL_BATCH_BYTES_MAX);
}

/* ---- segments ---------------------------------------------------------------------------------------------------- */

static void blocks_are_small_only_where_the_disk_says_so(void **state) {
    static const struct { const char *said; uint32_t block; } disks[] = {
        {"512\n", JOURNAL_BLOCK}, {"4096\n", BLOCK_MAX}, {"5120\n", BLOCK_MAX}, {"", BLOCK_MAX}, {NULL, BLOCK_MAX},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(disks); i++) {
        world.block = disks[i].said;
        assert_int_equal(segment_device_block(at), disks[i].block);
    }
    assert_int_equal(segment_device_block(-1), BLOCK_MAX);
}

static void blocks_that_cannot_be_kept_are_given_out_as_they_are_written(void **state) {
    struct stat st;
    int fd = -1;
    (void)state;
    world.keeps_no_blocks = true;
    assert_int_equal(segment_allocate(at, 1 << 20, &fd), 0);
    assert_true(fd >= 0 && close(fd) == 0);
    world.disk_is_full = true;
    fd = -1;
    assert_int_equal(segment_allocate(at, 1 << 20, &fd), -ENOSPC);
    assert_int_equal(fd, -1);
    assert_int_equal(fstatat(at, "next.tmp", &st, 0), -1);
}

/* A start after a crash within the sealing: the file is the active one still, and read-only already. */
static void a_segment_whose_sealing_was_cut_short_can_be_written_again(void **state) {
    struct stat st;
    int fd = openat(at, "00000001.seg", O_WRONLY | O_CREAT | O_CLOEXEC, 0400);
    (void)state;
    assert_true(fd >= 0 && close(fd) == 0);
    fd = -1;
    world.read_only = 1;
    assert_int_equal(segment_open(at, 1, true, &fd), 0);
    assert_true(fstat(fd, &st) == 0 && (st.st_mode & 0777) == 0600 && close(fd) == 0);
    world.read_only = 2;                          /* a disk that is mounted read-only */
    fd = -1;
    assert_int_equal(segment_open(at, 1, true, &fd), -EACCES);
    world.read_only = 1;
    assert_int_equal(segment_open(at, 2, true, &fd), -ENOENT);
    world.read_only = 1;
    assert_int_equal(segment_open(at, 1, false, &fd), 0);                   /* to read it, nothing need be changed */
    assert_int_equal(close(fd), 0);
}

#define CALLS(f) cmocka_unit_test_setup_teardown(f, make_dir, remove_dir)

int main(void) {
    const struct CMUnitTest tests[] = {
        CALLS(bytes_that_are_not_there_and_bytes_that_are_not_taken_are_faults_of_the_disk),
        CALLS(a_record_that_its_batch_has_no_room_for_is_not_read),
        CALLS(a_batch_that_says_it_is_larger_than_any_is_not_one),
        CALLS(blocks_are_small_only_where_the_disk_says_so),
        CALLS(blocks_that_cannot_be_kept_are_given_out_as_they_are_written),
        CALLS(a_segment_whose_sealing_was_cut_short_can_be_written_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
