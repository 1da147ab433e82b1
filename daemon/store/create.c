/* create.c: a new store, or none. Everything is made in <dir>.new; the rename at the end is what makes it a store. */
#include "daemon/store/store_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { RESERVE_BYTES_MAX = 16 << 20 };

static int say(char problem[static STORE_PROBLEM_SIZE], int r, const char *what, const char *where) {
    if (r < 0)
        (void)snprintf(problem, STORE_PROBLEM_SIZE, "%.80s %.200s: %.80s", what, where, strerror(-r));
    return r;
}

/* ---- what is there ----------------------------------------------------------------------------------------------- */

/* Removes the plain files of a directory; only its own: what else stands there stops the creation. */
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
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 && strcmp(e->d_name, "journal") != 0)
            r = unlinkat(dirfd(d), e->d_name, 0) < 0 ? -errno : 0;
    (void)closedir(d);
    return r;
}

/* What a creation that was cut short has left. It never had its name, so nobody has been promised anything. */
static int clear(int dir) {
    int r = clear_files(dir, "journal");
    if (r == 0 && unlinkat(dir, "journal", AT_REMOVEDIR) < 0 && errno != ENOENT)
        r = -errno;
    return r == 0 ? clear_files(dir, ".") : r;
}

static int refuse_occupied(const char *path) {
    DIR *d = opendir(path);
    if (!d)
        return errno == ENOENT ? 0 : -errno;
    unsigned entries = 0;
    while (readdir(d))
        entries++;
    (void)closedir(d);
    return entries > 2 ? -EEXIST : 0;
}

/* ---- the parts --------------------------------------------------------------------------------------------------- */

/* Ballast: given back when the disk is full, so that there is room to repair it. */
static int create_reserve(int dir, uint64_t bytes) {
    int fd = openat(dir, "reserve", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    int r = -posix_fallocate(fd, 0, (off_t)(bytes < RESERVE_BYTES_MAX ? bytes : RESERVE_BYTES_MAX));
    if (r == 0 && fsync(fd) < 0)
        r = -errno;
    (void)close(fd);
    return r;
}

static int create_state(const char *dir, const struct store_options *o, const struct identity *id) {
    char path[STORE_PATH_SIZE];
    struct tables t;
    int r = path_in(dir, "state.mdb", path);
    struct tables_options options = {.path = path, .map_bytes = o->map_bytes};
    if (r == 0)
        r = tables_open(&t, &options);
    if (r < 0)
        return r;
    tables_begin(&t, id->id);
    r = tables_commit(&t);
    tables_close(&t);
    return r;
}

static int create_parts(int at, const char *dir, const struct store_options *o) {
    struct identity id;
    identity_draw(&id, o->drill);
    struct key seed = drill_seed();
    struct journal_options journal = journal_options_of(o, dir, &id);
    int r = identity_write_key(at, &id);
    if (r == 0)
        r = journal_create(&journal);
    if (r == 0)
        r = create_state(dir, o, &id);
    if (r == 0)
        r = slots_create(dir, id.id, o->slots_ahead, o->drill ? &seed : NULL);
    if (r == 0)
        r = create_reserve(at, o->segment_bytes);
    if (r == 0)
        r = identity_write_format(at, &id);
    if (r == 0 && fsync(at) < 0)
        r = -errno;
    wipe(&id, sizeof id);
    return r;
}

static int sync_parent(const char *dir) {
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

int store_create(const struct store_options *o, char problem[static 400]) {
    char dir[PATH_MAX], fresh[STORE_PATH_SIZE];
    size_t len = strlen(o->dir);
    while (len > 1 && o->dir[len - 1] == '/')
        len--;
    if (len == 0 || len >= sizeof dir - 8)
        return say(problem, -ENAMETOOLONG, "create", "a store");
    (void)snprintf(dir, sizeof dir, "%.*s", (int)len, o->dir);
    (void)snprintf(fresh, sizeof fresh, "%s.new", dir);
    int r = refuse_occupied(dir), at = -1;
    if (r < 0)
        return say(problem, r, "a store is not created over", dir);
    if (mkdir(fresh, 0700) < 0 && errno != EEXIST)
        return say(problem, -errno, "create", fresh);
    r = store_lock(fresh, &at);
    if (r == 0)
        r = clear(at);
    if (r == 0)
        r = create_parts(at, fresh, o);
    if (r == 0 && rename(fresh, dir) < 0)
        r = -errno;
    if (r == 0)
        r = sync_parent(dir);
    if (at >= 0)
        (void)close(at);
    return say(problem, r, "create the store in", fresh);
}
