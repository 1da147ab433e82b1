/* ballast.c: the file `reserve`, space that is held for the worst day. A full disk cannot be repaired without some: a
 * checkpoint, a closure, a log line all want a block. Given back by hand, taken again by the broker when there is room
 * to spare. */
#include "daemon/store/backup_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum {
    BALLAST_BYTES_MAX = 16 << 20,
    BALLAST_PERCENT = 70,                         /* of the quota: below it there is room to spare (store.md 12) */
    BALLAST_LOOK_MS = 1000,
};

uint64_t ballast_bytes(const struct store_options *o) {
    return o->segment_bytes < BALLAST_BYTES_MAX ? o->segment_bytes : BALLAST_BYTES_MAX;
}

/* Under a name of its own first: half a reserve must not pass for one. */
int ballast_make(int dir, uint64_t bytes) {
    int fd = openat(dir, "reserve.new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return -errno;
    int r = -posix_fallocate(fd, 0, (off_t)bytes);
    if (r == 0 && fsync(fd) < 0)
        r = -errno;
    (void)close(fd);
    if (r == 0 && (renameat(dir, "reserve.new", dir, "reserve") < 0 || fsync(dir) < 0))
        r = -errno;
    if (r < 0)
        (void)unlinkat(dir, "reserve.new", 0);
    return r;
}

/* ---- given ------------------------------------------------------------------------------------------------------- */

static uint64_t free_bytes(int dir) {
    struct statvfs fs;
    return fstatvfs(dir, &fs) == 0 ? (uint64_t)fs.f_bavail * fs.f_frsize : 0;
}

static int give(int dir, struct ballast_given *ret) {
    struct identity id;
    struct stat st;
    int r = identity_read(dir, &id, ret->problem);
    wipe(&id, sizeof id);
    if (r < 0 && r != -EPROTO)                    /* of another version: its ballast is ballast all the same */
        return r;
    ret->problem[0] = '\0';
    if (fstatat(dir, "reserve", &st, AT_SYMLINK_NOFOLLOW) < 0)
        return -errno;
    ret->bytes = (uint64_t)st.st_blocks * 512;
    ret->free_before = free_bytes(dir);
    if (unlinkat(dir, "reserve", 0) < 0 || fsync(dir) < 0)
        return archive_say(ret->problem, -errno, "give back", "reserve");
    ret->free_after = free_bytes(dir);
    return 0;
}

int store_ballast_give(const char *store, struct ballast_given *ret) {
    *ret = (struct ballast_given){.bytes = 0};
    int dir = open(store, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return archive_say(ret->problem, -errno, "open", store);
    int r = give(dir, ret);
    (void)close(dir);
    return r;
}

/* ---- taken again ------------------------------------------------------------------------------------------------- */

/* Not as long as it would bring the store near its limits again: whoever gave it back needs the room. */
int store_ballast(struct store *s) {
    int64_t now = mono_ms();
    uint64_t bytes = ballast_bytes(&s->options);
    struct store_figures f;
    if (s->options.read_only || now < s->ballast_due_ms)
        return 0;
    s->ballast_due_ms = now + BALLAST_LOOK_MS;
    if (faccessat(s->dir_fd, "reserve", F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        return 0;
    store_figures(s, &f);
    if (f.quota_percent >= BALLAST_PERCENT || f.segments_ready < s->options.segments_ahead
        || free_bytes(s->dir_fd) < 4 * bytes)
        return -ENOSPC;
    int r = ballast_make(s->dir_fd, bytes);
    return r < 0 ? r : 1;
}
