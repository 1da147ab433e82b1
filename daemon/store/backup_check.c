/* backup_check.c: is every byte of a backup what it was when it was made? */
#include "daemon/store/backup_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int archived_open(int dir, const struct archived *a, int *ret_fd, char problem[static STORE_PROBLEM_SIZE]) {
    struct hash hash;
    uint64_t size = 0;
    const char *why = NULL;
    int fd = openat(dir, a->name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    int r = fd < 0 ? -errno : file_size(fd, &size);
    if (r == 0 && size != a->bytes)
        why = size < a->bytes ? "it is truncated" : "it is longer than it was";
    if (r == 0 && !why)
        r = file_hash(fd, 0, size, &hash);
    if (r == 0 && !why && !hash_equal(&hash, &a->hash))
        why = "its bytes are not what they were";
    if (r == -ENOENT)
        why = "it is missing";
    if (why) {
        (void)snprintf(problem, STORE_PROBLEM_SIZE, "%s: %s; use another backup, or make a new one into this directory",
                       a->name, why);
        r = -EBADMSG;
    }
    if (r == 0)
        *ret_fd = fd;
    else if (fd >= 0)
        (void)close(fd);
    return archive_say(problem, r, "read", a->name);
}

static int check_slots(const char *dir, const struct manifest *m, struct backup_result *ret) {
    struct slots_archive a;
    char path[PATH_MAX];
    int fd = -1, r = path_trim(dir, path);
    if (r < 0)
        return r;
    (void)snprintf(ret->slots, sizeof ret->slots, "%s.slots", path);
    r = slots_archive_open(ret->slots, &a, &fd);
    if (r == -ENOENT)
        return 0;                                 /* it may be thrown away sooner */
    ret->has_slots = true;
    const char *why = r == -EBADMSG ? "it is damaged" : strerror(-r);
    if (r == 0) {
        (void)close(fd);
        if (memcmp(a.store_id, m->store_id, sizeof a.store_id) == 0)
            return 0;
        why = "these are the key slots of another store";
    }
    (void)snprintf(ret->problem, sizeof ret->problem, "%.200s: %s", ret->slots, why);
    return r == 0 ? -EBADMSG : r;
}

static int check_files(int dir, const struct manifest *m, struct backup_result *ret) {
    int r = 0;
    for (size_t i = 0; r == 0 && i < m->files_count; i++) {
        int fd = -1;
        r = archived_open(dir, &m->files[i], &fd, ret->problem);
        if (fd >= 0)
            (void)close(fd);
        ret->files++;
        ret->bytes += m->files[i].bytes;
    }
    return r;
}

int store_backup_check(const char *path, struct backup_result *ret) {
    struct manifest m;
    *ret = (struct backup_result){.live = false};
    int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return archive_say(ret->problem, -errno, "open", path);
    int r = manifest_read(&m, dir, ret->problem);
    if (r == -ENOENT)
        (void)snprintf(ret->problem, sizeof ret->problem, "there is no MANIFEST in %.200s: no backup, or one that was "
                       "cut short; make it again", path);
    if (r == 0) {
        r = check_files(dir, &m, ret);
        if (r == 0)
            r = check_slots(path, &m, ret);
        ret->seq = m.seq;
        ret->epoch = m.epoch;
        ret->state_seq = m.state_seq;
        ret->has_state = m.has_state;
        ret->digest = m.digest;
        ret->drill = m.drill;
        manifest_done(&m);
    }
    (void)close(dir);
    return r == -ENOENT ? -EBADMSG : archive_say(ret->problem, r, "check", path);
}
