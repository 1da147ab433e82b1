/* file.c: whole reads and writes at an offset. A short one is tried on, an interrupted one again. */
#include "daemon/store/file.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

uint64_t round_up(uint64_t n, uint64_t to) {
    CHECK(to > 0);
    CHECK(n <= UINT64_MAX - to);
    return (n + to - 1) / to * to;
}

/* Zeroes compared with themselves, one byte on: as fast as memcmp is. */
bool bytes_zero(const uint8_t *at, size_t len) {
    return len == 0 || (at[0] == 0 && memcmp(at, at + 1, len - 1) == 0);
}

int file_fresh(int dir, const char *name, mode_t mode) {
    if (unlinkat(dir, name, 0) < 0 && errno != ENOENT)
        return -errno;
    int fd = openat(dir, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
    return fd < 0 ? -errno : fd;
}

int file_write(int fd, struct slice s, uint64_t offset) {
    while (s.len) {
        ssize_t n = pwrite(fd, s.at, s.len, (off_t)offset);
        if (n < 0 && errno != EINTR)
            return -errno;
        if (n == 0)
            return -EIO;
        if (n > 0) {
            s = slice_from(s.at + n, s.len - (size_t)n);
            offset += (uint64_t)n;
        }
    }
    return 0;
}

int file_read(int fd, uint8_t *to, size_t len, uint64_t offset) {
    while (len) {
        ssize_t n = pread(fd, to, len, (off_t)offset);
        if (n < 0 && errno != EINTR)
            return -errno;
        if (n == 0)
            return -EIO;
        if (n > 0) {
            to += n;
            len -= (size_t)n;
            offset += (uint64_t)n;
        }
    }
    return 0;
}

int file_size(int fd, uint64_t *ret) {
    struct stat st;
    if (fstat(fd, &st) < 0)
        return -errno;
    *ret = (uint64_t)st.st_size;
    return 0;
}

int file_zero(int fd, uint64_t from, uint64_t to) {
    static const uint8_t zeroes[FILE_ZERO_PIECE];
    while (from < to) {
        size_t len = to - from < FILE_ZERO_PIECE ? (size_t)(to - from) : FILE_ZERO_PIECE;
        int r = file_write(fd, slice_from(zeroes, len), from);
        if (r < 0)
            return r;
        if (fdatasync(fd) < 0)
            return -errno;
        from += len;
    }
    return 0;
}

/* From the end backwards: a tail is short and the zeroes behind it are many, but one look at them all is needed
 * anyway. */
int file_data_end(int fd, uint64_t from, uint64_t to, uint64_t *ret) {
    uint8_t piece[32 << 10];
    while (to > from) {
        size_t len = to - from < sizeof piece ? (size_t)(to - from) : sizeof piece;
        int r = file_read(fd, piece, len, to - len);
        if (r < 0)
            return r;
        if (!bytes_zero(piece, len)) {
            while (piece[len - 1] == 0)
                len--, to--;
            break;
        }
        to -= len;
    }
    *ret = to;
    return 0;
}
