#include "tests/sim/disk.h"
#include "tests/sim/sim.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { SECTOR = 512, FDS_MAX = 1024, OPS_MAX = 1 << 16 };

int (*disk_asks)(enum disk_call call, uint64_t grows);

/* A write that may yet be lost: where, what was there, what came. A resize has no bytes but those it cut off. */
struct op {
    ino_t file;
    int fd;                                       /* a descriptor of our own, to undo through */
    uint64_t offset, size_before;
    size_t len, old_len;
    uint8_t *old, *new;                           /* new NULL: a resize to `offset` */
};

static struct { bool ours, through; ino_t file; } fds[FDS_MAX];
static struct op ops[OPS_MAX];
static size_t ops_count;
static uint64_t calls[DISK_CALLS], failed_syncs;
static char root[PATH_MAX];

static void must(bool x) {
    if (!x) {
        perror("the simulated disk");
        abort();
    }
}

/* ---- what is remembered ------------------------------------------------------------------------------------------ */

static void op_free(struct op *o) {
    sim_free(o->old);
    sim_free(o->new);
    syscall(SYS_close, o->fd);
}

static void synced(ino_t file) {
    size_t kept = 0;
    for (size_t i = 0; i < ops_count; i++) {
        if (ops[i].file == file) op_free(&ops[i]);
        else ops[kept++] = ops[i];
    }
    ops_count = kept;
}

static uint64_t size_of(int fd) {
    struct stat st;
    must(fstat(fd, &st) == 0);
    return (uint64_t)st.st_size;
}

static int own_descriptor(int fd) {
    char path[40];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int mine = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0);
    must(mine >= 0);
    return mine;
}

static struct op *op_new(int fd, uint64_t offset, uint64_t covers) {
    must(ops_count < OPS_MAX);
    struct op *o = &ops[ops_count++];
    uint64_t size = size_of(fd);
    *o = (struct op){.file = fds[fd].file, .fd = own_descriptor(fd), .offset = offset, .size_before = size};
    o->old_len = offset >= size ? 0 : (size_t)(covers < size - offset ? covers : size - offset);
    o->old = sim_memory(o->old_len + 1);
    must(syscall(SYS_pread64, o->fd, o->old, o->old_len, offset) == (long)o->old_len);
    return o;
}

static void remember_write(int fd, const void *bytes, size_t len, uint64_t offset) {
    struct op *o = op_new(fd, offset, len);
    o->len = len;
    o->new = sim_memory(len + 1);
    memcpy(o->new, bytes, len);
}

static void undo(const struct op *o) {
    must(syscall(SYS_ftruncate, o->fd, o->size_before) == 0);
    must(syscall(SYS_pwrite64, o->fd, o->old, o->old_len, o->offset) == (long)o->old_len);
}

/* Sector by sector: what lies in one sector comes whole or not at all. */
static void redo(const struct op *o, bool whole, uint64_t (*roll)(uint64_t sides)) {
    if (!o->new) {
        if (whole || roll(2)) must(syscall(SYS_ftruncate, o->fd, o->offset) == 0);
        return;
    }
    for (size_t at = 0; at < o->len;) {
        size_t to_edge = SECTOR - (size_t)((o->offset + at) % SECTOR);
        size_t len = o->len - at < to_edge ? o->len - at : to_edge;
        if (whole || roll(2)) must(syscall(SYS_pwrite64, o->fd, o->new + at, len, o->offset + at) == (long)len);
        at += len;
    }
}

void disk_lose(uint64_t (*roll)(uint64_t sides)) {
    enum { NOTHING_LOST, ALL_LOST, SOME_LOST, SOME_TORN, HOWS };
    static const char *const names[] = {"disk.nothing_lost", "disk.all_lost", "disk.some_lost", "disk.torn"};
    uint64_t how = roll(HOWS);
    sometimes(names[how]);
    for (size_t i = ops_count; i-- > 0;) undo(&ops[i]);
    for (size_t i = 0; i < ops_count && how != ALL_LOST; i++) {
        bool whole = how == NOTHING_LOST || roll(2);
        if (whole || how == SOME_TORN) redo(&ops[i], whole, roll);
    }
    for (size_t i = 0; i < ops_count; i++) op_free(&ops[i]);
    ops_count = 0;
    disk_close_all();
}

void disk_close_all(void) {
    for (int fd = 0; fd < FDS_MAX; fd++) {
        struct stat st;
        if (!fds[fd].ours) continue;
        fds[fd].ours = false;
        if (fstat(fd, &st) == 0 && st.st_ino == fds[fd].file) syscall(SYS_close, fd);   /* else closed by closedir */
    }
}

void disk_attach(const char *path) {
    must(realpath(path, root) != NULL);
}

size_t disk_unsynced(void) {
    return ops_count;
}

uint64_t disk_calls(enum disk_call call) {
    return calls[call];
}

uint64_t disk_failed_syncs(void) {
    return failed_syncs;
}

/* ---- the calls --------------------------------------------------------------------------------------------------- */

static bool ours(int fd) {
    return fd >= 0 && fd < FDS_MAX && fds[fd].ours;
}

static int asks(enum disk_call call, uint64_t grows) {
    calls[call]++;
    int error = disk_asks ? disk_asks(call, grows) : 0;
    if (error) errno = error;
    failed_syncs += error && call == DISK_SYNC;
    return error;
}

static uint64_t grows_to(int fd, uint64_t size) {
    uint64_t now = size_of(fd);
    return size > now ? size - now : 0;
}

static int opened(int fd, int flags) {
    char link[40], path[PATH_MAX];
    struct stat st;
    if (fd < 0 || fd >= FDS_MAX || !root[0]) return fd;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    size_t len = strlen(root);
    must(fstat(fd, &st) == 0);
    fds[fd].ours = n > 0 && (size_t)n >= len && memcmp(path, root, len) == 0;
    fds[fd].through = (flags & O_DSYNC) != 0;
    fds[fd].file = st.st_ino;
    return fd;
}

int openat(int at, const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    unsigned mode = flags & O_CREAT ? va_arg(rest, unsigned) : 0;
    va_end(rest);
    return opened((int)syscall(SYS_openat, at, path, flags, mode), flags);
}

int open(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    unsigned mode = flags & O_CREAT ? va_arg(rest, unsigned) : 0;
    va_end(rest);
    return opened((int)syscall(SYS_openat, AT_FDCWD, path, flags, mode), flags);
}

int close(int fd) {
    if (ours(fd)) fds[fd].ours = false;
    return (int)syscall(SYS_close, fd);
}

ssize_t pwrite(int fd, const void *bytes, size_t len, off_t offset) {
    if (!ours(fd)) return syscall(SYS_pwrite64, fd, bytes, len, offset);
    if (asks(DISK_WRITE, grows_to(fd, (uint64_t)offset + len))) return -1;
    if (!fds[fd].through) remember_write(fd, bytes, len, (uint64_t)offset);
    return syscall(SYS_pwrite64, fd, bytes, len, offset);
}

ssize_t write(int fd, const void *bytes, size_t len) {
    if (!ours(fd)) return syscall(SYS_write, fd, bytes, len);
    uint64_t offset = (uint64_t)lseek(fd, 0, SEEK_CUR);
    if (asks(DISK_WRITE, grows_to(fd, offset + len))) return -1;
    if (!fds[fd].through) remember_write(fd, bytes, len, offset);
    return syscall(SYS_write, fd, bytes, len);
}

static ssize_t write_pieces(int fd, const struct iovec *pieces, int count, off_t offset) {
    ssize_t all = 0;
    for (int i = 0; i < count; i++) {
        ssize_t n = pwrite(fd, pieces[i].iov_base, pieces[i].iov_len, offset + all);
        if (n < 0) return all ? all : -1;
        all += n;
    }
    return all;
}

ssize_t pwritev(int fd, const struct iovec *pieces, int count, off_t offset) {
    return ours(fd) ? write_pieces(fd, pieces, count, offset) : syscall(SYS_pwritev, fd, pieces, count, offset, 0);
}

ssize_t writev(int fd, const struct iovec *pieces, int count) {
    if (!ours(fd)) return syscall(SYS_writev, fd, pieces, count);
    ssize_t n = write_pieces(fd, pieces, count, lseek(fd, 0, SEEK_CUR));
    if (n > 0) must(lseek(fd, n, SEEK_CUR) >= 0);
    return n;
}

/* The real one would only cost time: nothing here outlives this machine. */
int fdatasync(int fd) {
    if (!ours(fd)) return (int)syscall(SYS_fdatasync, fd);
    if (asks(DISK_SYNC, 0)) return -1;
    synced(fds[fd].file);
    return 0;
}

int fsync(int fd) {
    return fdatasync(fd);
}

int ftruncate(int fd, off_t len) {
    if (!ours(fd)) return (int)syscall(SYS_ftruncate, fd, len);
    if (asks(DISK_RESIZE, grows_to(fd, (uint64_t)len))) return -1;
    op_new(fd, (uint64_t)len, UINT64_MAX);
    return (int)syscall(SYS_ftruncate, fd, len);
}

int fallocate(int fd, int mode, off_t from, off_t len) {
    if (!ours(fd)) return (int)syscall(SYS_fallocate, fd, mode, from, len);
    uint64_t grows = grows_to(fd, (uint64_t)(from + len));
    if (asks(DISK_RESIZE, grows)) return -1;
    if (grows) op_new(fd, (uint64_t)(from + len), 0);
    return (int)syscall(SYS_fallocate, fd, mode, from, len);
}

int posix_fallocate(int fd, off_t from, off_t len) {
    return fallocate(fd, 0, from, len) < 0 ? errno : 0;
}
