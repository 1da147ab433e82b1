/* follow.c: a journal elsewhere, byte for byte, as it grows: the follower's side on disk.
 *
 *   FORMAT, key              as the store has them, once
 *   journal/NNNNNNNN.seg     sealed ones complete and read-only; the last one as far as it has come
 *
 * Every batch that arrives is verified and must continue the chain of those before it: bytes of another store, or of
 * the same one with another history (it was restored), are refused at the first batch. What a crash of the follower
 * left behind its last whole batch is cut and fetched again: the broker has it. */
#include "daemon/store/backup_internal.h"
#include "daemon/store/base.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { UNSYNCED_MAX = 8 << 20 };                  /* no more than that was ever written without a sync */

struct follow {
    int dir, journal, fd;                         /* fd: the last segment, for writing; -1: none yet */
    bool known;
    struct identity id;
    uint64_t ordinal, size;                       /* of the last segment; 0: none yet */
    uint64_t unsynced;
    struct segment_walk walk;
    bool walking;                                 /* its header is here, and good */
    bool linked;                                  /* the segment before is here */
    struct hash chain;                            /* of the segment before */
    uint64_t next_seq, before_bytes;
    int64_t at_ms;
    uint64_t last_offset, cut_bytes;
};

static int say(char problem[static STORE_PROBLEM_SIZE], int r, const char *what) {
    return archive_say(problem, r, what, "the followed journal");
}

/* ---- the last segment -------------------------------------------------------------------------------------------- */

static const char other[] = "what the broker has does not continue what was followed: it was restored, or it is "
                            "another store; follow into a new directory";

/* Its header, once it is here. */
static int begin_walk(struct follow *f, char problem[static STORE_PROBLEM_SIZE]) {
    if (f->walking)
        return walk_extend(&f->walk, f->size), 0;
    int r = walk_open(&f->walk, f->journal, f->ordinal, &f->id, problem);
    if (r == -ENODATA)
        return 0;
    if (r < 0)
        return say(problem, r, "read");
    f->walking = true;
    f->last_offset = 0;
    char ignored[STORE_PROBLEM_SIZE];
    if (f->linked && walk_continues(&f->walk, &f->chain, f->next_seq, f->before_bytes, ignored) < 0)
        return walk_refuse(&f->walk, other, problem);
    return 0;
}

/* Everything that has come so far; an incomplete batch waits for its rest. */
static int pass_batches(struct follow *f, char problem[static STORE_PROBLEM_SIZE]) {
    int r = begin_walk(f, problem);
    if (r < 0 || !f->walking)
        return r;
    for (uint64_t at = f->walk.offset; (r = walk_next(&f->walk)) == 1; at = f->walk.offset) {
        f->last_offset = at;
        f->at_ms = f->walk.batch.at_ms;
    }
    if (r < 0)
        return say(problem, r, "read");
    return f->walk.why && !walk_is_cut(&f->walk) ? -EBADMSG : 0;
}

static void end_walk(struct follow *f) {
    if (f->walking)
        walk_close(&f->walk);
    f->walking = false;
}

static int cut(struct follow *f, uint64_t to) {
    f->cut_bytes = f->size - to;
    f->size = to;
    end_walk(f);
    return ftruncate(f->fd, (off_t)to) < 0 || fsync(f->fd) < 0 ? -errno : 0;
}

/* After a crash the last whole batch is what counts. */
static int resume_last(struct follow *f, char problem[static STORE_PROBLEM_SIZE]) {
    int r = segment_open(f->journal, f->ordinal, true, &f->fd);
    if (r == 0)
        r = file_size(f->fd, &f->size);
    if (r == 0)
        r = pass_batches(f, problem);
    if (problem[0] || (r < 0 && r != -EBADMSG))   /* another's header, or the disk's affair */
        return say(problem, r, "open");
    uint64_t whole = f->walking ? f->walk.offset : 0;
    if (r < 0 && f->size - whole > UNSYNCED_MAX)
        return walk_refuse(&f->walk, f->walk.why, problem);
    if (whole == f->size)
        return 0;
    r = cut(f, whole);
    if (r == 0)
        r = pass_batches(f, problem);
    return say(problem, r, "cut");
}

/* ---- opening ----------------------------------------------------------------------------------------------------- */

/* Sealed segments: whole by their successors' word. */
static int look_at_sealed(struct follow *f, uint64_t first, uint64_t last, char problem[static STORE_PROBLEM_SIZE]) {
    int r = 0;
    for (uint64_t ordinal = first; r == 0 && ordinal < last; ordinal++) {
        struct segment_walk w;
        r = walk_open(&w, f->journal, ordinal, &f->id, problem);
        if (r < 0)
            return say(problem, r == -ENODATA ? -EBADMSG : r, "read a segment of");
        if (ordinal + 1 == last)
            while ((r = walk_next(&w)) == 1) {}
        f->linked = ordinal + 1 == last;
        f->chain = w.chain;
        f->next_seq = w.next_seq;
        f->before_bytes = w.size;
        if (r == 0 && w.why)
            r = walk_refuse(&w, w.why, problem);
        walk_close(&w);
    }
    return r;
}

static int resume(struct follow *f, char problem[static STORE_PROBLEM_SIZE]) {
    uint64_t first = 0;
    int r = journal_ordinals(f->journal, &first, &f->ordinal, problem);
    if (r == -ENOENT)
        return f->ordinal = 0, 0;
    if (r == 0)
        r = look_at_sealed(f, first, f->ordinal, problem);
    return r == 0 ? resume_last(f, problem) : r;
}

static int look_at_identity(struct follow *f, const char *path, char problem[static STORE_PROBLEM_SIZE]) {
    if (faccessat(f->dir, "state.mdb", F_OK, 0) == 0 || faccessat(f->dir, "MANIFEST", F_OK, 0) == 0) {
        (void)snprintf(problem, STORE_PROBLEM_SIZE, "%.200s is a store or a backup: follow into a directory of its own",
                       path);
        return -EEXIST;
    }
    f->known = faccessat(f->dir, "FORMAT", F_OK, 0) == 0;
    if (f->known)
        return identity_read(f->dir, &f->id, problem);
    static const char *const begun[] = {"key.new", "key", "FORMAT.new"};
    for (size_t i = 0; i < COUNT_OF(begun); i++)  /* of a beginning that was cut short */
        (void)unlinkat(f->dir, begun[i], 0);
    (void)unlinkat(f->dir, "journal", AT_REMOVEDIR);
    if (dir_lacks_files(path) == 0)
        return 0;
    (void)snprintf(problem, STORE_PROBLEM_SIZE, "%.200s is not empty, and nothing was followed into it: name a "
                   "directory of its own", path);
    return -EEXIST;
}

static int open_journal(struct follow *f) {
    if (mkdirat(f->dir, "journal", 0700) < 0 && errno != EEXIST)
        return -errno;
    f->journal = openat(f->dir, "journal", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return f->journal < 0 || fsync(f->dir) < 0 ? -errno : 0;
}

int follow_open(struct follow **ret, const char *dir, char problem[static STORE_PROBLEM_SIZE]) {
    struct follow *f = calloc(1, sizeof *f);
    problem[0] = '\0';
    if (!f)
        return say(problem, -ENOMEM, "open");
    f->dir = f->journal = f->fd = -1;
    int r = mkdir(dir, 0700) < 0 && errno != EEXIST ? -errno : store_lock(dir, &f->dir);
    if (r == -EBUSY)
        (void)snprintf(problem, STORE_PROBLEM_SIZE, "%.200s: another follower is at work there", dir);
    if (r == 0)
        r = look_at_identity(f, dir, problem);
    if (r == 0)
        r = open_journal(f);
    if (r == 0 && f->known)
        r = resume(f, problem);
    if (r == 0)
        *ret = f;
    else
        follow_close(f);
    return archive_say(problem, r, "open", dir);
}

int follow_begin(struct follow *f, struct slice format, struct slice key, char problem[static STORE_PROBLEM_SIZE]) {
    CHECK(!f->known);
    int r = file_put_text(f->dir, "key", key, 0600);
    if (r == 0)
        r = file_put_text(f->dir, "FORMAT", format, 0644);
    if (r == 0)
        r = identity_read(f->dir, &f->id, problem);
    f->known = r == 0;
    return say(problem, r, "begin");
}

/* ---- the base ---------------------------------------------------------------------------------------------------- */

/* Its last bytes are the hash of all before them; that it is the one a segment names, the restore looks. */
static int prove_base(int fd, uint64_t size) {
    struct hash is, said;
    if (size < HASH_SIZE)
        return -EBADMSG;
    int r = file_hash(fd, 0, size - HASH_SIZE, &is);
    if (r == 0)
        r = file_read(fd, said.byte, HASH_SIZE, size - HASH_SIZE);
    return r < 0 ? r : hash_equal(&is, &said) ? 0 : -EBADMSG;
}

static int base_open(const struct follow *f, uint64_t offset) {
    if (offset == 0)
        return file_fresh(f->dir, "base.new", 0600);
    int fd = openat(f->dir, "base.new", O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    return fd < 0 ? -errno : fd;
}

int follow_base(struct follow *f, uint64_t seq, uint64_t offset, struct slice bytes, bool last,
                char problem[static STORE_PROBLEM_SIZE]) {
    char name[BASE_NAME_SIZE];
    base_name(seq, name);
    CHECK(f->ordinal == 0);
    int fd = base_open(f, offset);
    int r = fd < 0 ? fd : file_write(fd, bytes, offset);
    if (r == 0 && last)
        r = prove_base(fd, offset + bytes.len);
    if (r == 0 && last && (fchmod(fd, 0400) < 0 || fsync(fd) < 0 || renameat(f->dir, "base.new", f->dir, name) < 0
                           || fsync(f->dir) < 0))
        r = -errno;
    if (fd >= 0)
        (void)close(fd);
    return archive_say(problem, r, "fetch", name);
}

/* ---- what is wanted, what comes ---------------------------------------------------------------------------------- */

void follow_where(const struct follow *f, struct follow_place *ret) {
    bool some = f->walking && f->last_offset;
    *ret = (struct follow_place){
        .known = f->known, .ordinal = f->ordinal, .offset = f->size,
        .seq = f->walking ? f->walk.next_seq - 1 : f->next_seq ? f->next_seq - 1 : 0, .at_ms = f->at_ms,
        .last_offset = some ? f->last_offset : 0, .last_bytes = some ? BATCH_HEADER_SIZE : SEGMENT_HEADER_SIZE,
        .cut_bytes = f->cut_bytes,
    };
    if (!f->walking)
        ret->last_bytes = 0;
}

bool follow_is_of(const struct follow *f, const uint8_t store_id[static 16]) {
    return memcmp(f->id.id, store_id, 16) == 0;
}

int follow_same(struct follow *f, struct slice header, char problem[static STORE_PROBLEM_SIZE]) {
    uint8_t ours[SEGMENT_HEADER_SIZE];
    struct follow_place place;
    follow_where(f, &place);
    CHECK(place.last_bytes && place.last_bytes <= sizeof ours);
    int r = file_read(f->fd, ours, place.last_bytes, place.last_offset);
    if (r < 0)
        return say(problem, r, "read");
    return slice_equal(header, slice_from(ours, place.last_bytes)) ? 0 : walk_refuse(&f->walk, other, problem);
}

static int open_next(struct follow *f, uint64_t ordinal) {
    char name[JOURNAL_NAME_SIZE];
    journal_segment_name(ordinal, name);
    f->fd = openat(f->journal, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (f->fd < 0 || fsync(f->journal) < 0)
        return -errno;
    f->ordinal = ordinal;
    f->size = 0;
    return 0;
}

int follow_take(struct follow *f, uint64_t ordinal, struct slice bytes, char problem[static STORE_PROBLEM_SIZE]) {
    int r = f->fd < 0 ? open_next(f, ordinal) : 0;
    CHECK(r < 0 || ordinal == f->ordinal);
    if (r == 0)
        r = file_write(f->fd, bytes, f->size);
    if (r < 0)
        return say(problem, r, "write");
    f->size += bytes.len;
    f->unsynced += bytes.len;
    r = pass_batches(f, problem);
    if (r == -EBADMSG) {
        char ignored[STORE_PROBLEM_SIZE];
        if (problem[0] == '\0')
            (void)walk_refuse(&f->walk, other, problem);
        if (cut(f, f->walking ? f->walk.offset : 0) == 0)         /* nothing that is refused stays */
            (void)pass_batches(f, ignored);
        return r;
    }
    return r == 0 && f->unsynced >= UNSYNCED_MAX / 2 ? follow_sync(f) : r;
}

int follow_sync(struct follow *f) {
    if (f->fd >= 0 && f->unsynced && fdatasync(f->fd) < 0)
        return -errno;
    f->unsynced = 0;
    return 0;
}

int follow_seal(struct follow *f, char problem[static STORE_PROBLEM_SIZE]) {
    if (!f->walking || f->walk.offset != f->size)
        return walk_refuse(&f->walk, other, problem);
    int r = segment_seal(f->fd, f->size);
    if (r < 0)
        return say(problem, r, "seal a segment of");
    f->linked = true;
    f->chain = f->walk.chain;
    f->next_seq = f->walk.next_seq;
    f->before_bytes = f->size;
    end_walk(f);
    (void)close(f->fd);
    f->fd = -1;
    f->ordinal++;
    f->size = f->unsynced = 0;
    return 0;
}

void follow_close(struct follow *f) {
    if (!f)
        return;
    (void)follow_sync(f);
    end_walk(f);
    int fds[] = {f->fd, f->journal, f->dir};
    for (size_t i = 0; i < COUNT_OF(fds); i++)
        if (fds[i] >= 0)
            (void)close(fds[i]);
    wipe(&f->id, sizeof f->id);
    free(f);
}
