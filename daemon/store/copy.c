/* copy.c: bytes to another place, with the hash of what was read; and directories that are there whole or not. */
#include "daemon/store/backup_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { COPY_PIECE = 256 << 10 };

int archive_say(char problem[static STORE_PROBLEM_SIZE], int r, const char *what, const char *where) {
    if (r < 0 && problem[0] == '\0')
        (void)snprintf(problem, STORE_PROBLEM_SIZE, "%.80s %.200s: %.80s", what, where, strerror(-r));
    return r;
}

int archive_refuse(char problem[static STORE_PROBLEM_SIZE], int r, const char *format, ...) {
    va_list more;
    va_start(more, format);
    (void)vsnprintf(problem, STORE_PROBLEM_SIZE, format, more);
    va_end(more);
    return r;
}

/* ---- files ------------------------------------------------------------------------------------------------------- */

/* to < 0: only read. */
static int pass_bytes(int from, uint64_t offset, uint64_t bytes, int to, struct hash *ret) {
    uint8_t *piece = malloc(COPY_PIECE);
    struct hash_stream hash;
    int r = piece ? 0 : -ENOMEM;
    hash_begin(&hash);
    for (uint64_t done = 0; r == 0 && done < bytes;) {
        size_t len = bytes - done < COPY_PIECE ? (size_t)(bytes - done) : COPY_PIECE;
        r = file_read(from, piece, len, offset + done);
        if (r == 0)
            hash_more(&hash, slice_from(piece, len));
        if (r == 0 && to >= 0)
            r = file_write(to, slice_from(piece, len), done);
        done += len;
    }
    *ret = hash_end(&hash);
    if (piece)
        wipe(piece, COPY_PIECE);                  /* it may have been a key */
    free(piece);
    return r;
}

int file_hash(int fd, uint64_t from, uint64_t to, struct hash *ret) {
    CHECK(from <= to);
    return pass_bytes(fd, from, to - from, -1, ret);
}

int file_copy(int from, uint64_t offset, uint64_t bytes, int dir, const char *name, mode_t mode, struct hash *ret) {
    int fd = file_fresh(dir, name, mode);
    if (fd < 0)
        return fd;
    int r = pass_bytes(from, offset, bytes, fd, ret);
    if (r == 0 && fsync(fd) < 0)
        r = -errno;
    (void)close(fd);
    if (r < 0)
        (void)unlinkat(dir, name, 0);
    return r;
}

int file_put_text(int dir, const char *name, struct slice text, mode_t mode) {
    char fresh[ARCHIVED_NAME_SIZE];
    int len = snprintf(fresh, sizeof fresh, "%s.new", name);
    CHECK(len > 0 && len < (int)sizeof fresh);
    int fd = file_fresh(dir, fresh, mode);
    if (fd < 0)
        return fd;
    int r = file_write(fd, text, 0);
    if (r == 0 && fsync(fd) < 0)
        r = -errno;
    (void)close(fd);
    if (r == 0 && (renameat(dir, fresh, dir, name) < 0 || fsync(dir) < 0))
        r = -errno;
    return r;
}

/* ---- directories ------------------------------------------------------------------------------------------------- */

int path_trim(const char *path, char to[static PATH_MAX]) {
    size_t len = strlen(path);
    while (len > 1 && path[len - 1] == '/')
        len--;
    if (len == 0 || len >= PATH_MAX - 8)
        return -ENAMETOOLONG;
    memcpy(to, path, len);
    to[len] = '\0';
    return 0;
}

int dir_lacks_files(const char *path) {
    DIR *d = opendir(path);
    if (!d)
        return errno == ENOENT ? 0 : -errno;
    unsigned entries = 0;
    while (readdir(d))
        entries++;
    (void)closedir(d);
    return entries > 2 ? -EEXIST : 0;
}

int dir_sync_parent(const char *dir) {
    char parent[PATH_MAX];
    const char *slash = strrchr(dir, '/');
    size_t len = slash ? (size_t)(slash - dir) : 0;
    (void)snprintf(parent, sizeof parent, "%.*s", (int)len, dir);
    const char *name = slash ? (len ? parent : "/") : ".";
    int fd = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int r = fd < 0 || fsync(fd) < 0 ? -errno : 0;
    if (fd >= 0)
        (void)close(fd);
    return r;
}

/* Removes the plain files of a directory; only its own: what else stands there stops us. */
static int clear_files(int at, const char *name) {
    int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (!d) {
        int r = -errno;
        if (fd >= 0)
            (void)close(fd);
        return r == -ENOENT ? 0 : r;
    }
    int r = 0;
    for (struct dirent *e; r == 0 && (e = readdir(d));)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            r = unlinkat(dirfd(d), e->d_name, 0) < 0 ? -errno : 0;
    (void)closedir(d);
    return r;
}

/* What was cut short the last time. It never had its name, so nobody has been promised anything. */
static int clear(int dir) {
    int r = clear_files(dir, "journal");
    if (r == 0 && unlinkat(dir, "journal", AT_REMOVEDIR) < 0 && errno != ENOENT)
        r = -errno;
    return r == 0 ? clear_files(dir, ".") : r;
}

int dir_prepare(const char *path, char fresh[static STORE_PATH_SIZE], int *ret_dir) {
    int at = -1;
    (void)snprintf(fresh, STORE_PATH_SIZE, "%s.new", path);
    if (mkdir(fresh, 0700) < 0 && errno != EEXIST)
        return -errno;
    int r = store_lock(fresh, &at);
    if (r == 0)
        r = clear(at);
    if (r == 0)
        *ret_dir = at;
    else if (at >= 0)
        (void)close(at);
    return r;
}
