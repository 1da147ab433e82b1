/* purge.c: what is old enough leaves the journal, and nothing that anybody still stands on.
 *
 *   verify    the whole journal, folded beside the store: is everything still what it was?
 *   base      what it folds to, as a file; loaded again beside the store, it must give the same digest
 *   name      a new segment begins, and its header names the base
 *   go        segment by segment from the first: copied to the archive and read back, or not; then removed
 *
 * A step changes nothing that the step before it has not made good: a base that nothing names is only a file, and a
 * segment goes only when a named base has what was in it. So a kill at any point leaves a store that opens, and a
 * purge that can be done again. The segment that the base's last record stands in always stays: tables, base and
 * journal meet there. */
#include "daemon/store/archive.h"
#include "daemon/store/base.h"
#include "daemon/store/store_internal.h"
#include "lib/codec/codec.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct purging {
    struct store *s;
    const struct store_options *store;
    const struct purge_options *o;
    const char *scratch_dir;
    struct purge_result *ret;
    uint64_t keep_from;                           /* ordinal of the first segment that stays */
    struct hash state;                            /* digest of what the journal folds to */
    int archive;                                  /* directory; -1: none */
    void (*step)(void *to, enum purge_step step, uint64_t number);
    void *to;
};

static int say(struct purging *p, int r, const char *what, const char *why) {
    return store_say(p->ret->problem, r, what, why);
}

/* A base that was written a moment ago, of tables that were verified a moment ago. */
static int damaged(struct purging *p, const struct journal_base *b) {
    char name[BASE_NAME_SIZE];
    base_name(b->seq, name);
    (void)snprintf(p->ret->problem, sizeof p->ret->problem, "%s, just written, does not give back what the journal "
                   "folds to: the disk or the memory of this machine spoils what it holds; nothing was removed: make a "
                   "backup elsewhere, test disk and memory, run `whistlectl verify`, then purge again", name);
    return -EBADMSG;
}

static void done(struct purging *p, enum purge_step step, uint64_t number) {
    if (p->step)
        p->step(p->to, step, number);
}

/* ---- what goes --------------------------------------------------------------------------------------------------- */

static int at_ms_of(struct purging *p, uint64_t seq, int64_t *ret) {
    struct slice bytes;
    PbRecord *record = NULL;
    arena_reset(&p->s->tables.room);
    int r = store_read(p->s, seq, &bytes);
    if (r == 0)
        r = codec_unpack_own(CODEC_RECORD, bytes, &p->s->tables.room, &record);
    if (r == 0)
        *ret = record->at_ms;
    return say(p, r, "read the journal", "a record cannot be read; run `whistlectl verify`");
}

/* Counted from the last record, and not from a clock that may be wrong, or far from the time of a drill. */
static int check_keep(struct purging *p) {
    int64_t last_ms = 0;
    int r = at_ms_of(p, p->ret->seq, &last_ms);
    if (r < 0)
        return r;
    if (!p->s->identity.drill && clock_wall_ms() < last_ms)
        last_ms = clock_wall_ms();
    p->ret->before_ms = p->o->before_ms ? p->o->before_ms : last_ms - p->o->keep_ms;
    if (p->s->identity.drill || last_ms - p->ret->before_ms >= PURGE_KEEP_MS_MIN)
        return 0;
    (void)snprintf(p->ret->problem, sizeof p->ret->problem, "a log is kept for six months at least (网络安全法), counted "
                   "from its last record: give --keep 184d or more; only a drill store may keep less");
    return -EPERM;
}

/* The open case that was reported first: its report's text stands in the journal, and nowhere else. 0: none. */
static int oldest_open(struct purging *p, uint64_t *ret) {
    struct slice key, row;
    struct db_walk w;
    uint64_t oldest = 0;
    int r;
    db_walk_from(&w, p->s->tables.db, TABLE_OPEN, (struct slice){NULL, 0});
    while ((r = db_walk_next(&w, &key, &row)) == 1) {
        uint64_t id = get_be64(key.at + 8);
        oldest = oldest == 0 || id < oldest ? id : oldest;
    }
    db_walk_done(&w);
    *ret = oldest;
    return say(p, r, "read the tables", db_problem(p->s->tables.db));
}

/* From the front: segments whose records are all before the instant, up to the one that the last record is in. */
static int plan(struct purging *p) {
    struct journal_segment at, next;
    uint64_t open = 0;
    int64_t last_ms = 0;
    int r = oldest_open(p, &open);
    CHECK(journal_segment(p->s->journal, 0, &at));
    p->keep_from = at.ordinal;
    p->ret->first_seq = at.first_seq;
    bool going = r == 0;
    for (; journal_segment(p->s->journal, at.ordinal + 1, &next); at = next) {
        p->ret->segments++;
        going = going && next.first_seq <= p->ret->seq;
        if (going && next.first_seq > at.first_seq)
            r = at_ms_of(p, next.first_seq - 1, &last_ms);
        going = going && r == 0 && last_ms < p->ret->before_ms;
        if (going && open && open < next.first_seq && !p->o->open_too) {
            p->ret->held_case = open;
            p->ret->held_segments++;
        } else if (going) {
            p->ret->segments_gone++;
            p->ret->bytes_gone += at.bytes;
            p->ret->first_seq = next.first_seq;
            p->keep_from = next.ordinal;
        }
    }
    p->ret->segments++;
    return r;
}

/* ---- the base ---------------------------------------------------------------------------------------------------- */

static int verify(struct purging *p) {
    struct verify_result v;
    int r = verify_locked(p->s->dir_fd, p->store, p->scratch_dir, &v);
    if (r == 0 && (!v.equal || v.problem[0]))
        r = -EBADMSG;
    if (r < 0)
        return say(p, r, "verify", v.problem);
    p->state = v.state_digest;
    done(p, PURGE_VERIFIED, v.seq);
    return 0;
}

/* Into tables beside the store: do they give the digest of the fold? What was verified is what was written, unless the
 * disk or the memory has changed it since. */
static int prove(struct purging *p, const struct journal_base *b) {
    char path[STORE_PATH_SIZE], lock[STORE_PATH_SIZE + 8];
    struct tables scratch;
    struct hash digest;
    struct tables_options o = {.path = path, .map_bytes = p->store->map_bytes, .scratch = true};
    CHECK(path_in(p->scratch_dir, "base.mdb", path) == 0);        /* the verification's name there is longer */
    (void)snprintf(lock, sizeof lock, "%s-lock", path);
    (void)unlink(path);
    int r = say(p, tables_open(&scratch, &o), "open scratch tables", NULL);
    if (r < 0)
        return r;
    tables_begin(&scratch, p->s->identity.id);
    r = say(p, base_load(&scratch, p->s->dir_fd, b, p->ret->problem), "load the base", scratch.problem);
    if (r == 0)
        r = say(p, db_digest(scratch.db, &digest), "digest", NULL);
    if (r == -EBADMSG || (r == 0 && !hash_equal(&digest, &p->state)))
        r = damaged(p, b);
    tables_close(&scratch);
    (void)unlink(path);
    (void)unlink(lock);
    return r;
}

/* A base at the last record. What is written is believed only when it has been read back. A purge that was killed may
 * have named it already: it is made again all the same, because its file may have been lost since. The same tables make
 * the same bytes. */
static int make_base(struct purging *p) {
    struct journal_base b, named = journal_base(p->s->journal);
    int r = say(p, base_write(&p->s->tables, p->s->dir_fd, &b), "write the base", p->s->tables.problem);
    if (r < 0)
        return r;
    done(p, PURGE_BASE, b.seq);
    r = prove(p, &b);
    if (r < 0)
        return r;
    done(p, PURGE_PROVED, b.seq);
    if (named.seq == b.seq && hash_equal(&named.hash, &b.hash))
        return 0;
    r = journal_turn_over_upon(p->s->journal, &b);
    if (r == 0)
        done(p, PURGE_NAMED, b.seq);
    return say(p, r, "begin a segment upon the base", r == -EAGAIN ? "no space for one" : NULL);
}

/* ---- going ------------------------------------------------------------------------------------------------------- */

static int archive_open(struct purging *p) {
    if (!p->o->archive)
        return 0;
    if (mkdir(p->o->archive, 0700) < 0 && errno != EEXIST)
        return say(p, -errno, "create the archive", NULL);
    p->archive = open(p->o->archive, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return p->archive < 0 ? say(p, -errno, "open the archive", NULL) : 0;
}

static int archive_one(struct purging *p, int from, const char *name) {
    return p->archive < 0 ? 0 : archive_file(from, name, p->archive, p->ret->problem);
}

static int segments_go(struct purging *p) {
    struct journal_segment at;
    char name[JOURNAL_NAME_SIZE];
    int journal = openat(p->s->dir_fd, "journal", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int r = journal < 0 ? say(p, -errno, "open the journal", NULL) : 0;
    while (r == 0 && journal_segment(p->s->journal, 0, &at) && at.ordinal < p->keep_from) {
        journal_segment_name(at.ordinal, name);
        r = say(p, archive_one(p, journal, name), name, NULL);
        if (r == 0 && p->archive >= 0)
            done(p, PURGE_ARCHIVED, at.ordinal);
        if (r == 0)
            r = say(p, journal_drop_first(p->s->journal), name, NULL);
        if (r == 0)
            done(p, PURGE_GONE, at.ordinal);
    }
    if (journal >= 0)
        (void)close(journal);
    return r;
}

static bool is_base(const char *name) {
    struct slice s = slice_of(name), end = SLICE(".dump");
    return slice_starts(s, SLICE("base-")) && s.len > end.len
        && slice_equal(slice_from(s.at + s.len - end.len, end.len), end);
}

/* Bases that nothing names any more: what is archived stands on the earlier one. The one that is named is copied,
 * too. */
static int bases_go(struct purging *p) {
    char named[BASE_NAME_SIZE];
    base_name(p->ret->base_seq, named);
    int fd = openat(p->s->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    int r = d ? 0 : -errno;
    for (struct dirent *e; r == 0 && (e = readdir(d));) {
        bool tmp = strcmp(e->d_name, "base.tmp") == 0;
        if (!tmp && !is_base(e->d_name))
            continue;
        if (!tmp)
            r = archive_one(p, p->s->dir_fd, e->d_name);
        if (r == 0 && strcmp(e->d_name, named) != 0 && unlinkat(p->s->dir_fd, e->d_name, 0) < 0)
            r = -errno;
    }
    if (r == 0 && fsync(p->s->dir_fd) < 0)
        r = -errno;
    if (d)
        (void)closedir(d);
    else if (fd >= 0)
        (void)close(fd);
    return say(p, r, "clear away earlier bases", NULL);
}

/* ---- all of it --------------------------------------------------------------------------------------------------- */

static int make_way(struct purging *p) {
    int r = verify(p);
    if (r == 0)
        r = make_base(p);
    p->ret->base_seq = journal_base(p->s->journal).seq;
    return r == 0 ? segments_go(p) : r;
}

static int purge(struct purging *p) {
    p->ret->seq = journal_durable_seq(p->s->journal);
    p->ret->base_seq = journal_base(p->s->journal).seq;
    int r = p->ret->seq ? check_keep(p) : say(p, -ENOENT, "purge", "the journal is empty");
    if (r == 0)
        r = plan(p);
    if (r < 0 || p->o->dry_run)
        return r;
    r = archive_open(p);
    if (r == 0 && p->ret->segments_gone)
        r = make_way(p);
    return r == 0 ? bases_go(p) : r;
}

int store_purge(const struct store_options *o, const char *scratch_dir, const struct purge_options *options,
                struct purge_result *ret, void (*step)(void *to, enum purge_step step, uint64_t number), void *to) {
    struct store_found found;
    struct store_options opened = *o;
    struct purging p = {
        .store = o, .o = options, .scratch_dir = scratch_dir, .ret = ret, .archive = -1, .step = step, .to = to,
    };
    *ret = (struct purge_result){0};
    opened.read_only = options->dry_run;
    int r = store_open(&p.s, &opened, &found);
    if (r < 0) {
        memcpy(ret->problem, found.problem, sizeof ret->problem);
        return r;
    }
    r = purge(&p);
    if (p.archive >= 0)
        (void)close(p.archive);
    store_close(p.s);
    return r;
}
