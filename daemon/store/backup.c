/* backup.c: state, sealed segments, tail, slots, manifest, in this order, into a directory of its own.
 *
 * The state is copied before the journal's end is asked for, so it never stands ahead of it. Of the journal nothing is
 * copied that the broker has not called durable, and nothing that does not verify: damage is found while there is
 * still an older backup. Files are never written over: what changes has its seq in its name. */
#include "daemon/store/backup_internal.h"
#include "daemon/store/base.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define PART "part.new"

struct backup {
    const struct backup_options *o;
    struct backup_result *ret;
    struct identity id;
    int store, journal, to, to_journal;
    char path[PATH_MAX];                          /* of `to` */
    struct manifest old, fresh;
    uint64_t durable, first;                      /* first: ordinal of the first segment there is */
    struct journal_base base;                     /* the last one that a segment names */
};

static int say(struct backup *b, int r, const char *what, const char *where) {
    return archive_say(b->ret->problem, r, what, where);
}

/* ---- from where -------------------------------------------------------------------------------------------------- */

static int open_store(struct backup *b) {
    int r = store_lock(b->o->store, &b->store);
    b->ret->live = r == -EBUSY;
    if (b->ret->live) {
        b->store = open(b->o->store, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        r = b->store < 0 ? -errno : 0;
    }
    if (r == 0)
        r = identity_read(b->store, &b->id, b->ret->problem);
    if (r == 0 && (b->journal = openat(b->store, "journal", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
        r = -errno;
    b->ret->drill = b->id.drill;
    return say(b, r, "open", b->o->store);
}

/* ---- to where ---------------------------------------------------------------------------------------------------- */

/* A backup of a store in itself would be copied into itself, and be lost with it. */
static int check_apart(struct backup *b) {
    char store[PATH_MAX], to[PATH_MAX], parent[PATH_MAX];
    (void)snprintf(parent, sizeof parent, "%s", b->path);
    char *slash = strrchr(parent, '/');
    if (slash)
        slash[slash == parent] = '\0';
    if (!realpath(b->path, to) && !realpath(slash ? parent : ".", to))
        return say(b, -errno, "open the directory above", b->path);
    if (!realpath(b->o->store, store))
        return say(b, -errno, "open", b->o->store);
    size_t len = strlen(store);
    if (strncmp(to, store, len) == 0 && (to[len] == '/' || to[len] == '\0'))
        return refuse(b, -EINVAL, "%.150s lies inside the store: a backup there would be lost with it; name a "
                      "directory elsewhere, best on another disk", b->path);
    return 0;
}

/* Ours: it has a manifest of this store; or FORMAT of this store and nothing that makes a store (cut short). */
static int check_ours(struct backup *b) {
    struct identity theirs = {.drill = false};
    char ignored[STORE_PROBLEM_SIZE];
    int r = manifest_read(&b->old, b->to, b->ret->problem);
    bool ours = r == 0 && memcmp(b->old.store_id, b->id.id, sizeof b->id.id) == 0;
    if (r == 0 && !ours)
        return refuse(b, -EEXIST, "%.150s is a backup of another store; name a directory of its own", b->path);
    if (r == -ENOENT) {                           /* cut short before it had its first file */
        (void)unlinkat(b->to, PART, 0);
        (void)unlinkat(b->to, "journal", AT_REMOVEDIR);
    }
    if (r != -ENOENT || dir_lacks_files(b->path) == 0)
        return r == -ENOENT ? 0 : say(b, r, "read MANIFEST in", b->path);
    r = identity_read(b->to, &theirs, ignored);
    ours = memcmp(theirs.id, b->id.id, sizeof b->id.id) == 0 && faccessat(b->to, "slots", F_OK, 0) < 0;
    wipe(&theirs, sizeof theirs);
    return ours ? 0 : refuse(b, -EEXIST, "%.150s is not empty and no backup of this store; name an empty directory, or "
                             "one that is not there yet", b->path);
}

static int open_target(struct backup *b) {
    int r = path_trim(b->o->to, b->path);
    if (r == 0)
        r = check_apart(b);
    if (r < 0)
        return say(b, r, "open", b->o->to);
    if (mkdir(b->path, 0700) < 0 && errno != EEXIST)
        return say(b, -errno, "create", b->path);
    r = store_lock(b->path, &b->to);
    if (r == -EBUSY)
        return refuse(b, r, "%.150s: another backup is being written there, or it is a store in use", b->path);
    if (r == 0)
        r = check_ours(b);
    if (r == 0 && mkdirat(b->to, "journal", 0700) < 0 && errno != EEXIST)
        r = -errno;
    if (r == 0 && (b->to_journal = openat(b->to, "journal", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
        r = -errno;
    return say(b, r, "open", b->path);
}

/* ---- room -------------------------------------------------------------------------------------------------------- */

static int check_room(struct backup *b, uint64_t bytes, const char *what) {
    struct statvfs fs;
    if (fstatvfs(b->to, &fs) < 0)
        return say(b, -errno, "look for room in", b->path);
    uint64_t room = (uint64_t)fs.f_bavail * fs.f_frsize;
    return bytes <= room ? 0 : refuse(b, -ENOSPC, "no space in %.150s: %s needs %" PRIu64 " KiB, %" PRIu64 " KiB are "
                                      "free; nothing that was there has changed", b->path, what, bytes >> 10,
                                      room >> 10);
}

static uint64_t size_at(int dir, const char *name) {
    struct stat st;
    return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 ? (uint64_t)st.st_size : 0;
}

/* All but the tail, which asks for itself: sealed segments that are not there yet, state and slots. */
static int check_all_room(struct backup *b) {
    uint64_t first = 0, last = 0, bytes = size_at(b->store, "slots") + size_at(b->store, "state.mdb");
    int r = journal_ordinals(b->journal, &first, &last, b->ret->problem);
    for (uint64_t ordinal = first; r == 0 && ordinal <= last; ordinal++) {
        char name[JOURNAL_NAME_SIZE];
        struct stat st;
        journal_segment_name(ordinal, name);
        bool sealed = fstatat(b->journal, name, &st, 0) == 0 && (st.st_mode & 0200) == 0;
        if (sealed && size_at(b->to_journal, name) != (uint64_t)st.st_size)
            bytes += (uint64_t)st.st_size;
    }
    return r < 0 ? say(b, r, "look at the journal of", b->o->store) : check_room(b, bytes, "this backup");
}

/* ---- one file ---------------------------------------------------------------------------------------------------- */

static int split(const struct backup *b, const char *name, const char **ret_base) {
    bool inside = slice_starts(slice_of(name), SLICE("journal/"));
    *ret_base = inside ? name + 8 : name;
    return inside ? b->to_journal : b->to;
}

/* There already, byte for byte? Both are read: a backup that has rotted is made good. */
static bool is_there(struct backup *b, int from, uint64_t bytes, const char *name, struct hash *ret) {
    const char *base;
    struct hash theirs;
    uint64_t size = 0;
    int dir = split(b, name, &base), fd = openat(dir, base, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return false;
    bool same = file_size(fd, &size) == 0 && size == bytes && file_hash(fd, 0, bytes, &theirs) == 0
        && file_hash(from, 0, bytes, ret) == 0 && hash_equal(&theirs, ret);
    (void)close(fd);
    return same;
}

static int put_new(struct backup *b, int from, uint64_t bytes, const char *name, struct hash *ret) {
    const char *base;
    int dir = split(b, name, &base), r = check_room(b, bytes, name);
    if (r == 0)
        r = file_copy(from, 0, bytes, dir, PART, strcmp(base, "FORMAT") == 0 ? 0644 : 0600, ret);
    if (r == 0 && (renameat(dir, PART, dir, base) < 0 || fsync(dir) < 0))
        r = -errno;
    b->ret->bytes_copied += r == 0 ? bytes : 0;
    return say(b, r, "copy", name);
}

static int put(struct backup *b, int from, uint64_t bytes, const char *name) {
    struct hash hash;
    int r = 0;
    if (is_there(b, from, bytes, name, &hash))
        b->ret->files_kept++;
    else
        r = put_new(b, from, bytes, name, &hash);
    b->ret->bytes += bytes;
    b->ret->files++;
    return r == 0 ? manifest_add(&b->fresh, name, bytes, &hash) : r;
}

static int put_named(struct backup *b, const char *name) {
    int fd = openat(b->store, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    uint64_t size = 0;
    int r = fd < 0 ? -errno : file_size(fd, &size);
    if (r == 0)
        r = put(b, fd, size, name);
    if (fd >= 0)
        (void)close(fd);
    return say(b, r, "copy", name);
}

/* ---- the state --------------------------------------------------------------------------------------------------- */

/* Compact, by another process than the one that writes it; then every row of the copy is looked at. */
static int copy_state(struct backup *b, const char *part, struct state_seen *seen) {
    char path[STORE_PATH_SIZE], lock[STORE_PATH_SIZE + 8];
    struct store_options o = {.map_bytes = b->o->map_bytes};
    int fd = openat(b->to, PART, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    int r = fd < 0 ? -errno : path_in(b->o->store, "state.mdb", path);
    if (r == 0)
        r = state_copy(&o, path, fd);
    if (r == 0 && fsync(fd) < 0)
        r = -errno;
    if (fd >= 0)
        (void)close(fd);
    if (r == 0)
        r = state_inspect(&o, part, seen);
    (void)snprintf(lock, sizeof lock, "%s-lock", part);
    (void)unlink(lock);
    return r == 0 ? seen->result : r;
}

/* A state that cannot be read is left out: the journal folds to it. */
static int put_state(struct backup *b) {
    char part[STORE_PATH_SIZE], name[ARCHIVED_NAME_SIZE];
    struct state_seen seen = {.result = 0};
    int r = check_room(b, size_at(b->store, "state.mdb"), "the state");
    if (r < 0)
        return r;
    r = path_in(b->path, PART, part);
    CHECK(r == 0);                                /* path_trim left room for more */
    r = copy_state(b, part, &seen);
    if (r == 0 && renameat(b->to, PART, b->to, "state.part") < 0)
        r = -errno;
    if (r == -EBADMSG || r == -ENOENT)
        return 0;                                 /* PART is written over, or swept */
    if (r < 0)
        return say(b, r, "copy", "state.mdb");
    b->fresh.has_state = true;
    b->fresh.digest = seen.digest;
    b->fresh.state_seq = seen.seq;
    (void)snprintf(name, sizeof name, "state-%" PRIu64 ".mdb", seen.seq);
    int fd = openat(b->to, "state.part", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    uint64_t size = 0;
    r = fd < 0 ? -errno : file_size(fd, &size);
    if (r == 0)
        r = put(b, fd, size, name);
    if (fd >= 0)
        (void)close(fd);
    (void)unlinkat(b->to, "state.part", 0);
    return say(b, r, "copy", "state.mdb");
}

/* ---- the journal ------------------------------------------------------------------------------------------------- */

static int learn_durable(struct backup *b) {
    if (b->ret->live && !b->o->ask)
        return refuse(b, -EBUSY, "%.150s is in use, and there is no broker to ask how far it is durable", b->o->store);
    if (b->ret->live)
        return b->o->ask(b->o->asked, b->id.id, &b->durable, b->ret->problem);
    struct store_options o = {.segment_bytes = JOURNAL_SEGMENT_BYTES_MIN, .segments_ahead = 2, .read_only = true};
    struct journal_options j = journal_options_of(&o, b->o->store, &b->id);
    struct journal_found found;
    struct journal *journal = NULL;
    j.covered_seq = b->fresh.has_state ? b->fresh.state_seq : 0;
    int r = journal_open(&journal, &j, false, &found);
    journal_close(journal);
    wipe(&j.key, sizeof j.key);
    if (r == -EBADMSG)
        (void)snprintf(b->ret->problem, sizeof b->ret->problem, "%s", found.problem);
    b->durable = found.durable_seq;
    return say(b, r, "open the journal of", b->o->store);
}

/* What the segment before has said of the one to come. */
struct link { bool known; struct hash chain; uint64_t next_seq, bytes; };

static int pass_batches(struct backup *b, struct segment_walk *w, bool sealed) {
    int r = 1;
    while (r == 1 && (sealed || w->next_seq <= b->durable))
        r = walk_next(w);
    if (r < 0)
        return say(b, r, "read", "a segment of the journal");
    if (sealed ? w->offset != w->size : w->next_seq != b->durable + 1)
        return walk_refuse(w, w->why ? w->why : "the journal ends before what is durable", b->ret->problem);
    return 0;
}

static int put_segment(struct backup *b, struct segment_walk *w, bool sealed, struct link *link) {
    char name[ARCHIVED_NAME_SIZE], segment[JOURNAL_NAME_SIZE];
    struct hash ignored;
    journal_segment_name(w->ordinal, segment);
    (void)snprintf(name, sizeof name, "journal/%s", segment);
    int r = link->known ? walk_continues(w, &link->chain, link->next_seq, link->bytes, b->ret->problem) : 0;
    link->known = !(sealed && is_there(b, w->window.fd, w->size, name, &ignored));
    if (r == 0 && link->known)                    /* else it was verified when it was copied */
        r = pass_batches(b, w, sealed);
    if (r < 0)
        return r;
    if (!sealed)
        (void)snprintf(name, sizeof name, "journal/%s.%" PRIu64, segment, b->durable);
    link->chain = w->chain;
    link->next_seq = w->next_seq;
    link->bytes = w->size;
    if (link->known) {
        b->fresh.seq = w->next_seq - 1;
        b->fresh.epoch = w->epoch;
    }
    return put(b, w->window.fd, sealed ? w->size : w->offset, name);
}

/* A segment that was begun after the broker was asked has nothing in it that counts yet. */
static int put_journal(struct backup *b) {
    uint64_t last = 0;
    struct link link = {.known = false};
    int r = journal_ordinals(b->journal, &b->first, &last, b->ret->problem);
    bool sealed = true;
    for (uint64_t ordinal = b->first; r == 0 && sealed; ordinal++) {
        struct segment_walk w;
        r = walk_is_sealed(b->journal, ordinal, &b->id, &sealed);
        if (r == 0)
            r = walk_open(&w, b->journal, ordinal, &b->id, b->ret->problem);
        if (r < 0)
            break;
        b->fresh.seq = w.header.first_seq - 1;
        b->fresh.epoch = w.header.epoch;
        b->base = w.header.base.seq ? w.header.base : b->base;
        bool later = !sealed && ordinal > b->first && w.header.first_seq > b->durable + 1;
        r = later ? 0 : put_segment(b, &w, sealed, &link);
        walk_close(&w);
    }
    return say(b, r, "copy the journal of", b->o->store);
}

/* Where a purge has taken the first segments, the journal stands on it. */
static int put_base(struct backup *b) {
    char name[BASE_NAME_SIZE];
    struct hash ignored;
    if (b->first == 1)
        return 0;
    int r = base_check(b->store, &b->base, true, &ignored, b->ret->problem);
    base_name(b->base.seq, name);
    return r < 0 ? say(b, r, "read", name) : put_named(b, name);
}

/* ---- slots, manifest --------------------------------------------------------------------------------------------- */

static int put_slots(struct backup *b) {
    struct slots_archive a = {.seq = b->fresh.seq, .made_ms = b->fresh.made_ms};
    memcpy(a.store_id, b->id.id, sizeof a.store_id);
    (void)snprintf(b->ret->slots, sizeof b->ret->slots, "%s.slots", b->path);
    int fd = openat(b->store, "slots", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return errno == ENOENT ? 0 : say(b, -errno, "open", "slots");
    int r = file_size(fd, &a.bytes);
    a.bytes -= a.bytes % KEY_SIZE;                /* the broker may be adding one */
    if (r == 0)
        r = check_room(b, a.bytes, "the key slots' archive");
    if (r == 0)
        r = slots_archive_write(fd, &a, b->ret->slots);
    (void)close(fd);
    b->ret->has_slots = r == 0;
    return say(b, r, "write", b->ret->slots);
}

/* What an earlier backup, or one that was cut short, had and this one has not. */
static int sweep(const struct backup *b, int dir, const char *prefix) {
    int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (!d)
        return -errno;
    int r = 0;
    for (struct dirent *e; r == 0 && (e = readdir(d));) {
        char name[ARCHIVED_NAME_SIZE];
        int len = snprintf(name, sizeof name, "%s%s", prefix, e->d_name);
        bool ours = len < (int)sizeof name
            && (archived_ordinal(name) || archived_state(name) || archived_base(name) || strcmp(e->d_name, PART) == 0);
        if (ours && !manifest_find(&b->fresh, name) && unlinkat(dir, e->d_name, 0) < 0)
            r = -errno;
    }
    (void)closedir(d);
    return r;
}

static int finish(struct backup *b) {
    struct backup_result *ret = b->ret;
    int r = say(b, manifest_write(&b->fresh, b->to), "write MANIFEST in", b->path);
    if (r == 0)
        r = say(b, dir_sync_parent(b->path), "sync the directory above", b->path);
    if (r == 0 && sweep(b, b->to, "") == 0)
        (void)sweep(b, b->to_journal, "journal/");            /* what is left over does no harm */
    ret->seq = b->fresh.seq;
    ret->epoch = b->fresh.epoch;
    ret->state_seq = b->fresh.state_seq;
    ret->has_state = b->fresh.has_state;
    ret->digest = b->fresh.digest;
    return r;
}

int store_backup(const struct backup_options *o, struct backup_result *ret) {
    struct backup b = {.o = o, .ret = ret, .store = -1, .journal = -1, .to = -1, .to_journal = -1};
    *ret = (struct backup_result){.live = false};
    int r = open_store(&b);
    if (r == 0)
        r = open_target(&b);
    if (r == 0)
        r = check_all_room(&b);
    b.fresh.made_ms = clock_wall_ms();
    b.fresh.drill = b.id.drill;
    memcpy(b.fresh.store_id, b.id.id, sizeof b.id.id);
    int (*const steps[])(struct backup *) = {put_state, learn_durable, put_journal, put_base, put_slots, finish};
    if (r == 0)
        r = put_named(&b, "FORMAT");
    if (r == 0)
        r = put_named(&b, "key");
    for (size_t i = 0; r == 0 && i < COUNT_OF(steps); i++)
        r = steps[i](&b);
    int fds[] = {b.store, b.journal, b.to, b.to_journal};
    for (size_t i = 0; i < COUNT_OF(fds); i++)
        if (fds[i] >= 0)
            (void)close(fds[i]);
    manifest_done(&b.old);
    manifest_done(&b.fresh);
    wipe(&b.id, sizeof b.id);
    return r;
}
