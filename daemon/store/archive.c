/* archive.c: copy, sync, read back, compare, name. A copy that is not the original never gets its name. */
#include "daemon/store/archive.h"
#include "daemon/store/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PIECE_SIZE = 64 << 10, PART_NAME_SIZE = 280 };

/* The hash of a file's bytes; into `copy` as well, unless that is -1. */
static int pour(int fd, int copy, struct hash *ret) {
    uint8_t piece[PIECE_SIZE];
    struct hash_stream hash;
    uint64_t size = 0;
    int r = file_size(fd, &size);
    hash_begin(&hash);
    for (uint64_t at = 0; r == 0 && at < size;) {
        size_t len = size - at < sizeof piece ? (size_t)(size - at) : sizeof piece;
        r = file_read(fd, piece, len, at);
        if (r == 0 && copy >= 0)
            r = file_write(copy, slice_from(piece, len), at);
        hash_more(&hash, slice_from(piece, len));
        at += len;
    }
    *ret = hash_end(&hash);
    return r;
}

/* 0: the same; -ENOENT; -EEXIST: another. */
static int compare(int dir, const char *name, const struct hash *with) {
    struct hash h;
    int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return -errno;
    (void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);       /* the disk's word, not the cache's */
    int r = pour(fd, -1, &h);
    (void)close(fd);
    return r < 0 ? r : hash_equal(&h, with) ? 0 : -EEXIST;
}

static int copy(int original, const char *part, int to, struct hash *ret) {
    int fd = file_fresh(to, part, 0600);
    if (fd < 0)
        return fd;
    int r = pour(original, fd, ret);
    if (r == 0 && (fchmod(fd, 0400) < 0 || fsync(fd) < 0))
        r = -errno;
    (void)close(fd);
    return r;
}

static int archive(int original, const char *name, int to) {
    char part[PART_NAME_SIZE];
    struct hash h;
    int r = pour(original, -1, &h);
    if (r == 0)
        r = compare(to, name, &h);
    if (r != -ENOENT)
        return r;
    (void)snprintf(part, sizeof part, "%.255s.part", name);
    r = copy(original, part, to, &h);
    if (r == 0)
        r = compare(to, part, &h);
    if (r == 0 && (renameat(to, part, to, name) < 0 || fsync(to) < 0))
        r = -errno;
    return r == -EEXIST ? -EIO : r;               /* what was read back is not what was written */
}

int archive_file(int from, const char *name, int to, char problem[static STORE_PROBLEM_SIZE]) {
    int original = openat(from, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    int r = original < 0 ? -errno : archive(original, name, to);
    if (original >= 0)
        (void)close(original);
    if (r == -EEXIST)
        (void)snprintf(problem, STORE_PROBLEM_SIZE, "%.60s: the archive has another file of that name: give each "
                       "store an archive of its own", name);
    else if (r < 0)
        (void)snprintf(problem, STORE_PROBLEM_SIZE, "%.60s: it could not be copied to the archive: %s", name,
                       strerror(-r));
    return r;
}
