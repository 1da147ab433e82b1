#include "tests/crash/tape.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { FDS_MAX = 256, NOBODY = TAPE_INODES_MAX, DISK_HOLE = 4096 };

static struct tape *tape;                         /* NULL: nothing is noted */
static struct { bool ours, through; uint32_t inode; } fds[FDS_MAX];

static void must(bool x, const char *what) {
    if (x)
        return;
    perror(what);
    abort();
}

/* ---- the tape ---------------------------------------------------------------------------------------------------- */

static struct entry *note(enum tape_kind kind, uint32_t inode) {
    if (tape->count == tape->cap) {
        tape->cap = tape->cap ? 2 * tape->cap : 256;
        tape->entries = reallocarray(tape->entries, tape->cap, sizeof *tape->entries);
        must(tape->entries != NULL, "a longer tape");
    }
    struct entry *e = &tape->entries[tape->count++];
    *e = (struct entry){.kind = kind, .inode = inode};
    return e;
}

static uint32_t inode_of_host(uint64_t host) {
    for (uint32_t i = 0; i < tape->inodes; i++)
        if (tape->host[i] == host)
            return i;
    return NOBODY;
}

static uint64_t host_of(int at, const char *path) {
    struct stat st;
    return fstatat(at, path, &st, AT_SYMLINK_NOFOLLOW) == 0 ? st.st_ino : 0;
}

/* The directory and the last part of a path; false: it is not below the root. */
static bool locate(int at, const char *path, uint32_t *ret_dir, char name[static TAPE_NAME_SIZE]) {
    char parent[PATH_MAX] = ".";
    const char *last = strrchr(path, '/');
    if (last)
        (void)snprintf(parent, sizeof parent, "%.*s", last == path ? 1 : (int)(last - path), path);
    *ret_dir = inode_of_host(host_of(at, parent));
    if (*ret_dir == NOBODY)
        return false;
    int len = snprintf(name, TAPE_NAME_SIZE, "%s", last ? last + 1 : path);
    must(len > 0 && len < TAPE_NAME_SIZE, path);
    return true;
}

static uint32_t inode_new(uint64_t host) {
    must(tape->inodes < TAPE_INODES_MAX && host != 0, "a new inode");
    tape->host[tape->inodes] = host;
    return tape->inodes++;
}

static void note_new(enum tape_kind kind, int at, const char *path) {
    uint32_t dir;
    char name[TAPE_NAME_SIZE];
    if (!tape || !locate(at, path, &dir, name))
        return;
    struct entry *e = note(kind, inode_new(host_of(at, path)));
    e->dir = dir;
    memcpy(e->name, name, sizeof e->name);
}

void tape_start(struct tape *t, const char *root) {
    *t = (struct tape){0};
    tape = t;
    memset(fds, 0, sizeof fds);
    (void)inode_new(host_of(AT_FDCWD, root));
}

void tape_know(struct tape *t, uint32_t inode, const char *path) {
    t->host[inode] = host_of(AT_FDCWD, path);
    if (t->inodes <= inode)
        t->inodes = inode + 1;
}

void tape_stop(void) {
    tape = NULL;
    memset(fds, 0, sizeof fds);
}

void tape_free(struct tape *t) {
    for (size_t i = 0; i < t->count; i++)
        free(t->entries[i].bytes);
    free(t->entries);
    *t = (struct tape){0};
}

/* ---- opening ----------------------------------------------------------------------------------------------------- */

static bool ours(int fd) {
    return tape && fd >= 0 && fd < FDS_MAX && fds[fd].ours;
}

static int opened(int fd, int at, const char *path, int flags, bool was_there) {
    struct stat st;
    if (fd < 0 || !tape)
        return fd;
    must(fd < FDS_MAX && fstat(fd, &st) == 0, path);
    if (flags & O_CREAT && !was_there)
        note_new(TAPE_CREATE, at, path);
    uint32_t inode = inode_of_host(st.st_ino);
    fds[fd].ours = inode != NOBODY;
    fds[fd].inode = inode;
    fds[fd].through = (flags & O_DSYNC) != 0;
    if (fds[fd].ours && flags & O_TRUNC && was_there)
        (void)note(TAPE_RESIZE, inode);
    return fd;
}

static int open_at(int at, const char *path, int flags, unsigned mode) {
    bool was_there = tape && flags & O_CREAT && host_of(at, path) != 0;
    return opened((int)syscall(SYS_openat, at, path, flags, mode), at, path, flags, was_there);
}

int openat(int at, const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    unsigned mode = flags & O_CREAT ? va_arg(rest, unsigned) : 0;
    va_end(rest);
    return open_at(at, path, flags, mode);
}

int open(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    unsigned mode = flags & O_CREAT ? va_arg(rest, unsigned) : 0;
    va_end(rest);
    return open_at(AT_FDCWD, path, flags, mode);
}

int close(int fd) {
    if (fd >= 0 && fd < FDS_MAX)
        fds[fd].ours = false;
    return (int)syscall(SYS_close, fd);
}

/* ---- bytes ------------------------------------------------------------------------------------------------------- */

static uint64_t size_of(int fd) {
    struct stat st;
    must(fstat(fd, &st) == 0, "fstat");
    return (uint64_t)st.st_size;
}

static bool zero(const uint8_t *at, size_t len) {
    return len == 0 || (at[0] == 0 && memcmp(at, at + 1, len - 1) == 0);
}

/* Zeroes into a hole leave a hole: segments are filled ahead with them, and memory is what they would cost here. */
static bool into_hole(int fd, const void *bytes, size_t len, off_t offset) {
    if (len < DISK_HOLE || !zero(bytes, len) || (uint64_t)offset + len > size_of(fd))
        return false;
    off_t data = lseek(fd, offset, SEEK_DATA);
    return data < 0 || data >= offset + (off_t)len;
}

ssize_t pwrite(int fd, const void *bytes, size_t len, off_t offset) {
    bool hole = into_hole(fd, bytes, len, offset);
    ssize_t n = hole ? (ssize_t)len : syscall(SYS_pwrite64, fd, bytes, len, offset);
    if (n <= 0 || !ours(fd))
        return n;
    struct entry *e = note(TAPE_WRITE, fds[fd].inode);
    e->offset = (uint64_t)offset, e->len = (size_t)n, e->through = fds[fd].through;
    if (hole)
        return n;
    e->bytes = malloc((size_t)n);
    must(e->bytes != NULL, "a write");
    memcpy(e->bytes, bytes, (size_t)n);
    return n;
}

ssize_t write(int fd, const void *bytes, size_t len) {
    if (!ours(fd))
        return syscall(SYS_write, fd, bytes, len);
    off_t at = lseek(fd, 0, SEEK_CUR);
    ssize_t n = pwrite(fd, bytes, len, at);
    must(n < 0 || lseek(fd, at + n, SEEK_SET) >= 0, "lseek");
    return n;
}

ssize_t writev(int fd, const struct iovec *pieces, int count) {
    ssize_t all = 0;
    if (!ours(fd))
        return syscall(SYS_writev, fd, pieces, count);
    for (int i = 0; i < count; i++) {
        ssize_t n = write(fd, pieces[i].iov_base, pieces[i].iov_len);
        if (n < 0)
            return all ? all : -1;
        all += n;
    }
    return all;
}

int fdatasync(int fd) {
    if (ours(fd))
        (void)note(TAPE_SYNC, fds[fd].inode);
    return 0;
}

int fsync(int fd) {
    return fdatasync(fd);
}

int ftruncate(int fd, off_t len) {
    int r = (int)syscall(SYS_ftruncate, fd, len);
    if (r == 0 && ours(fd))
        note(TAPE_RESIZE, fds[fd].inode)->offset = (uint64_t)len;
    return r;
}

/* No blocks are reserved: only the size is seen. */
int fallocate(int fd, int mode, off_t from, off_t len) {
    (void)mode;
    return (uint64_t)(from + len) > size_of(fd) ? ftruncate(fd, from + len) : 0;
}

int posix_fallocate(int fd, off_t from, off_t len) {
    return fallocate(fd, 0, from, len) < 0 ? errno : 0;
}

/* ---- names ------------------------------------------------------------------------------------------------------- */

int mkdirat(int at, const char *path, mode_t mode) {
    int r = (int)syscall(SYS_mkdirat, at, path, mode);
    if (r == 0)
        note_new(TAPE_MKDIR, at, path);
    return r;
}

int mkdir(const char *path, mode_t mode) {
    return mkdirat(AT_FDCWD, path, mode);
}

int unlinkat(int at, const char *path, int flags) {
    uint32_t dir = NOBODY;
    char name[TAPE_NAME_SIZE];
    bool noted = tape && locate(at, path, &dir, name);
    uint64_t host = noted ? host_of(at, path) : 0;
    int r = (int)syscall(SYS_unlinkat, at, path, flags);
    if (r < 0 || !noted)
        return r;
    uint32_t inode = inode_of_host(host);
    must(inode != NOBODY, path);
    struct entry *e = note(TAPE_UNLINK, inode);
    e->dir = dir;
    memcpy(e->name, name, sizeof e->name);
    tape->host[inode] = 0;                        /* the filesystem may give the number to another */
    return r;
}

int unlink(const char *path) {
    return unlinkat(AT_FDCWD, path, 0);
}

int renameat2(int from_at, const char *from, int to_at, const char *to, unsigned flags) {
    uint64_t host = tape ? host_of(from_at, from) : 0, over = tape ? host_of(to_at, to) : 0;
    int r = (int)syscall(SYS_renameat2, from_at, from, to_at, to, flags);
    uint32_t dir, to_dir;
    char name[TAPE_NAME_SIZE], to_name[TAPE_NAME_SIZE];
    if (r < 0 || !tape || !locate(from_at, from, &dir, name) || !locate(to_at, to, &to_dir, to_name))
        return r;
    struct entry *e = note(TAPE_RENAME, inode_of_host(host));
    e->dir = dir, e->to_dir = to_dir;
    memcpy(e->name, name, sizeof e->name);
    memcpy(e->to_name, to_name, sizeof e->to_name);
    uint32_t gone = over ? inode_of_host(over) : NOBODY;
    if (gone != NOBODY)
        tape->host[gone] = 0;
    return r;
}

int renameat(int from_at, const char *from, int to_at, const char *to) {
    return renameat2(from_at, from, to_at, to, 0);
}

int rename(const char *from, const char *to) {
    return renameat2(AT_FDCWD, from, AT_FDCWD, to, 0);
}
