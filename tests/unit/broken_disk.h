/* A disk that fails, or a machine that lacks a pipe or a process: the n-th system call from a point on, once or from
 * then on. Each function below takes the place of the C library's in the program that includes this file, for liblmdb
 * as well; one program, one file that includes it.
 *
 *   bool hit = true;
 *   for (unsigned at = 1; hit; at++) {
 *       break_disk(at, ONCE, EIO);
 *       int r = whatever_may_fail();
 *       hit = mend_disk();                       false: what was tried no longer gets as far as n calls
 *   } */
#ifndef BROKEN_DISK_H
#define BROKEN_DISK_H
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

enum { ONCE, FROM_THEN_ON };
static struct disk {
    atomic_uint seen;                             /* calls so far */
    unsigned at;                                  /* the one that fails */
    int how, error;
    bool armed;
    bool torn;                                    /* reads and writes: every other one interrupted, the rest short */
    bool full;                                    /* whoever asks is told that no block is free */
    atomic_uint synced;                           /* files, since the program began */
    long kind;                                    /* of the file system, unless 0: one magic number */
} whole, *disk = &whole;                          /* shared with children: they look at tables */
static bool counting;

/* A child that hands in the lines it took writes them on its own behalf. */
void child_counts(void) {
    counting = true;
}

/* First of all, once. */
static bool disk_share(void) {
    disk = mmap(NULL, sizeof *disk, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return disk != MAP_FAILED;
}

static void break_disk(unsigned at, int how, int error) {
    disk->seen = 0;
    disk->at = at, disk->how = how, disk->error = error;
    disk->armed = true;
}

/* Whether anything failed: false ends the series. */
static bool mend_disk(void) {
    disk->armed = disk->torn = false;
    return disk->seen >= disk->at;
}

static bool fails(void) {
    if (!disk->armed || counting)
        return false;
    unsigned n = ++disk->seen;
    bool now = n == disk->at || (disk->how == FROM_THEN_ON && n > disk->at);
    if (now)
        errno = disk->error;
    return now;
}

static long torn(long call, int fd, long bytes, size_t len, off_t offset) {
    if (disk->torn && !counting && ++disk->seen % 2) {
        errno = EINTR;
        return -1;
    }
    return syscall(call, fd, bytes, disk->torn && !counting && len > 1 ? len / 2 : len, offset);
}

ssize_t pwrite(int fd, const void *bytes, size_t len, off_t offset) {
    return fails() ? -1 : torn(SYS_pwrite64, fd, (long)bytes, len, offset);
}

ssize_t pread(int fd, void *bytes, size_t len, off_t offset) {
    return fails() ? -1 : torn(SYS_pread64, fd, (long)bytes, len, offset);
}

int fstat(int fd, struct stat *ret) {
    return fails() ? -1 : (int)syscall(SYS_newfstatat, fd, "", ret, AT_EMPTY_PATH);
}

int fstatat(int at, const char *path, struct stat *ret, int flags) {
    return fails() ? -1 : (int)syscall(SYS_newfstatat, at, path, ret, flags);
}

int fstatfs(int fd, struct statfs *ret) {
    int r = fails() ? -1 : (int)syscall(SYS_fstatfs, fd, ret);
    if (r == 0 && disk->kind)
        ret->f_type = disk->kind;
    return r;
}

/* As many blocks are free as on a large disk, or none: how full this machine's is does not matter here. */
int fstatvfs(int fd, struct statvfs *ret) {
    (void)fd;
    *ret = (struct statvfs){.f_bsize = 4096, .f_frsize = 4096, .f_bavail = disk->full ? 0 : 1 << 28};
    return fails() ? -1 : 0;
}

char *realpath(const char *path, char *to) {
    char *whole_path = fails() ? NULL : canonicalize_file_name(path);
    if (!whole_path || !to)
        return whole_path;
    (void)snprintf(to, PATH_MAX, "%s", whole_path);
    free(whole_path);
    return to;
}

ssize_t write(int fd, const void *bytes, size_t len) {
    return fails() ? -1 : syscall(SYS_write, fd, bytes, len);
}

ssize_t read(int fd, void *bytes, size_t len) {
    return fails() ? -1 : syscall(SYS_read, fd, bytes, len);
}

ssize_t writev(int fd, const struct iovec *pieces, int count) {
    return fails() ? -1 : syscall(SYS_writev, fd, pieces, count);
}

/* Nothing here loses power: a sync that does not fail is not waited for. */
int fsync(int fd) {
    (void)fd;
    disk->synced++;
    return fails() ? -1 : 0;
}

int fdatasync(int fd) {
    return fsync(fd);
}

int ftruncate(int fd, off_t len) {
    return fails() ? -1 : (int)syscall(SYS_ftruncate, fd, len);
}

int fchmod(int fd, mode_t mode) {
    return fails() ? -1 : (int)syscall(SYS_fchmod, fd, mode);
}

int fallocate(int fd, int mode, off_t from, off_t len) {
    return fails() ? -1 : (int)syscall(SYS_fallocate, fd, mode, from, len);
}

int posix_fallocate(int fd, off_t from, off_t len) {
    return fails() ? disk->error : syscall(SYS_fallocate, fd, 0, from, len) < 0 ? errno : 0;
}

int openat(int at, const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    unsigned mode = flags & O_CREAT ? va_arg(rest, unsigned) : 0;
    va_end(rest);
    return fails() ? -1 : (int)syscall(SYS_openat, at, path, flags, mode);
}

int open(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    unsigned mode = flags & O_CREAT ? va_arg(rest, unsigned) : 0;
    va_end(rest);
    return fails() ? -1 : (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

int unlinkat(int at, const char *path, int flags) {
    return fails() ? -1 : (int)syscall(SYS_unlinkat, at, path, flags);
}

int mkdir(const char *path, mode_t mode) {
    return fails() ? -1 : (int)syscall(SYS_mkdir, path, mode);
}

int mkdirat(int at, const char *path, mode_t mode) {
    return fails() ? -1 : (int)syscall(SYS_mkdirat, at, path, mode);
}

int flock(int fd, int operation) {
    return fails() ? -1 : (int)syscall(SYS_flock, fd, operation);
}

int pipe2(int ends[2], int flags) {
    return fails() ? -1 : (int)syscall(SYS_pipe2, ends, flags);
}

pid_t fork(void) {
    return fails() ? -1 : _Fork();
}

int rename(const char *from, const char *to) {
    return fails() ? -1 : (int)syscall(SYS_rename, from, to);
}

int renameat(int from_at, const char *from, int to_at, const char *to) {
    return fails() ? -1 : (int)syscall(SYS_renameat2, from_at, from, to_at, to, 0);
}

int renameat2(int from_at, const char *from, int to_at, const char *to, unsigned flags) {
    return fails() ? -1 : (int)syscall(SYS_renameat2, from_at, from, to_at, to, flags);
}
#endif
