/* restore.c: a backup, or a followed journal, becomes a store. Everything is made in <to>.new, read from its first
 * byte, folded, opened as a start would; the rename at the end is what makes it a store.
 *
 * The journal may be wanted only up to a seq or an instant. Records are whole commands, so the cut falls between two of
 * them: the batch it falls into is written again with the records before it, under the store's own key. Behind the cut
 * stands a witness of an epoch far above the highest that was seen: the next start begins one above it, and leases of
 * all starts before are late, those of starts that are lost, too. */
#include "daemon/store/backup_internal.h"
#include "daemon/store/base.h"
#include "lib/codec/codec.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct restore {
    const struct restore_options *o;
    struct restore_result *ret;
    struct identity id;
    struct manifest manifest;                     /* files_count 0: a followed journal */
    int from, to, to_journal;
    char path[PATH_MAX], fresh[STORE_PATH_SIZE];
    uint64_t first, last;                         /* ordinals in the source */
    /* What of the journal stands in `to` so far. */
    uint64_t ordinal, end, next_seq, epoch;
    int64_t at_ms;
    uint32_t block;
    struct hash chain;
    bool cut;
    struct journal_base base;                     /* the last one that a segment names */
    uint64_t largest;                             /* of the segments' bytes */
    struct arena room;
};

static int say(struct restore *p, int r, const char *what, const char *where) {
    return archive_say(p->ret->problem, r, what, where);
}

/* ---- from what, to what ------------------------------------------------------------------------------------------ */

static int open_from(struct restore *p) {
    const char *from = p->o->from;
    int r = store_lock(from, &p->from);
    if (r == -EBUSY)
        return refuse(p, r, "%.200s is in use: a store that lives is backed up, not restored from; a follower is "
                      "stopped first", from);
    if (r < 0)
        return say(p, r, "open", from);
    r = manifest_read(&p->manifest, p->from, p->ret->problem);
    p->ret->followed = r == -ENOENT;
    if (p->ret->followed && faccessat(p->from, "state.mdb", F_OK, 0) == 0)
        return refuse(p, -EEXIST, "%.200s is a store, not a backup; `whistlectl backup` makes one of it", from);
    if (r < 0 && !p->ret->followed)
        return say(p, r, "read MANIFEST in", from);
    r = identity_read(p->from, &p->id, p->ret->problem);
    if (r == -ENOENT)
        return refuse(p, r, "%.200s is neither a backup nor a followed journal: there is no FORMAT", from);
    p->ret->drill = p->id.drill;
    return say(p, r, "read FORMAT and key in", from);
}

static int open_to(struct restore *p) {
    int busy = -1, r = path_trim(p->o->to, p->path);
    if (r == 0)
        r = dir_lacks_files(p->path);
    if (r == -EEXIST && store_lock(p->path, &busy) == -EBUSY)
        return refuse(p, -EBUSY, "%.150s is a store in use: restore into a directory of its own, then stop whistled "
                      "and change its `data`", p->path);
    if (busy >= 0)
        (void)close(busy);
    if (r == -EEXIST)
        return refuse(p, r, "%.200s is not empty: nothing is restored over something else; name a directory that is "
                      "not there yet", p->path);
    if (r == 0)
        r = dir_prepare(p->path, p->fresh, &p->to);
    if (r == 0 && mkdirat(p->to, "journal", 0700) < 0)
        r = -errno;
    if (r == 0 && (p->to_journal = openat(p->to, "journal", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
        r = -errno;
    return say(p, r, "prepare", p->path);
}

/* ---- the segments ------------------------------------------------------------------------------------------------ */

static const struct archived *archived_segment(const struct restore *p, uint64_t ordinal) {
    for (size_t i = 0; i < p->manifest.files_count; i++)
        if (archived_ordinal(p->manifest.files[i].name) == ordinal)
            return &p->manifest.files[i];
    return NULL;
}

static int find_ordinals(struct restore *p) {
    p->first = UINT64_MAX;
    for (size_t i = 0; i < p->manifest.files_count; i++) {
        uint64_t ordinal = archived_ordinal(p->manifest.files[i].name);
        p->first = ordinal && ordinal < p->first ? ordinal : p->first;
        p->last = ordinal > p->last ? ordinal : p->last;
    }
    if (!p->ret->followed)
        return p->last ? 0 : refuse(p, -EBADMSG, "MANIFEST names no segment of the journal: use another backup");
    int journal = openat(p->from, "journal", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int r = journal < 0 ? -errno : journal_ordinals(journal, &p->first, &p->last, p->ret->problem);
    if (journal >= 0)
        (void)close(journal);
    return say(p, r, "look at the journal in", p->o->from);
}

/* Into `to`, whole; of a backup every byte is compared with the manifest. */
static int copy_segment(struct restore *p, uint64_t ordinal) {
    char name[JOURNAL_NAME_SIZE], path[ARCHIVED_NAME_SIZE];
    const struct archived *a = archived_segment(p, ordinal);
    struct hash ignored;
    uint64_t size = 0;
    int fd = -1, r = 0;
    journal_segment_name(ordinal, name);
    (void)snprintf(path, sizeof path, "journal/%s", name);
    if (!p->ret->followed && !a)
        return refuse(p, -EBADMSG, "MANIFEST lacks %s: use another backup", path);
    if (a)
        r = archived_open(p->from, a, &fd, p->ret->problem);
    else if ((fd = openat(p->from, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)) < 0)
        r = -errno;
    if (r == 0)
        r = file_size(fd, &size);
    if (r == 0)
        r = file_copy(fd, 0, size, p->to_journal, name, 0600, &ignored);
    p->largest = size > p->largest ? size : p->largest;
    if (fd >= 0)
        (void)close(fd);
    return say(p, r, "copy", path);
}

/* ---- the cut ----------------------------------------------------------------------------------------------------- */

static bool cut_wanted(const struct restore *p) {
    return p->o->until_seq != 0 || p->o->until_ms != 0;
}

/* Is this record behind the cut? Negative: it cannot be read. */
static int behind_cut(struct restore *p, uint64_t first, uint32_t seqs, struct slice bytes) {
    PbRecord *record = NULL;
    uint64_t until = p->o->until_seq;
    if (until && first + seqs - 1 > until) {
        p->ret->inside_first = first <= until ? first : 0;
        p->ret->inside_last = first <= until ? first + seqs - 1 : 0;
        return 1;
    }
    if (p->o->until_ms == 0)
        return 0;
    arena_reset(&p->room);
    if (codec_unpack_own(CODEC_RECORD, bytes, &p->room, &record) < 0)
        return refuse(p, -EBADMSG, "the record of seq %" PRIu64 " cannot be read (another version?)", first);
    return record->at_ms > p->o->until_ms;
}

/* How many records of the batch stand before the cut, and where they end. */
static int measure(struct restore *p, const struct segment_walk *w, struct batch_header *ret) {
    struct slice rest = slice_from(w->at + BATCH_HEADER_SIZE, w->batch.bytes);
    *ret = w->batch;
    ret->records = 0;
    ret->seqs = 0;
    for (uint32_t i = 0; i < w->batch.records; i++) {
        uint32_t seqs = 0;
        struct slice record;
        if (!record_read(&rest, &seqs, &record))
            return walk_refuse(w, "a record of the batch that ends here is damaged", p->ret->problem);
        int r = behind_cut(p, w->batch.first_seq + ret->seqs, seqs, record);
        if (r != 0)
            return r;
        ret->records++;
        ret->seqs += seqs;
        ret->bytes = w->batch.bytes - rest.len;
    }
    return 0;
}

/* The last batch again, with fewer records; zeroes behind it up to the block. */
static int write_batch(struct restore *p, const struct segment_walk *w, struct batch_header *h, int fd) {
    uint64_t extent = batch_extent(h, w->header.block);
    uint8_t *bytes = calloc(1, extent);
    if (!bytes)
        return -ENOMEM;
    memcpy(bytes + BATCH_HEADER_SIZE, w->at + BATCH_HEADER_SIZE, h->bytes);
    batch_header_write(bytes, &p->id.key, h);
    int r = file_write(fd, slice_from(bytes, extent), h->offset);
    free(bytes);
    p->end = h->offset + extent;
    p->chain = h->hash;
    p->next_seq = h->first_seq + h->seqs;
    p->at_ms = h->at_ms;
    return r;
}

static void accept_batch(struct restore *p, const struct segment_walk *w) {
    p->end = w->offset;
    p->chain = w->chain;
    p->next_seq = w->next_seq;
    p->epoch = w->epoch;
    p->at_ms = w->batch.at_ms;
}

/* Batches of a segment up to the cut, if that is in it. */
static int pass_batches(struct restore *p, struct segment_walk *w, int fd) {
    struct batch_header h;
    int r = 1;
    while (!p->cut && (r = walk_next(w)) == 1) {
        r = w->batch.records ? measure(p, w, &h) : 0;
        if (r < 0)
            return r;
        p->cut = r == 1;
        if (!p->cut)
            accept_batch(p, w);
        else if (h.records)
            return write_batch(p, w, &h, fd);
    }
    if (r < 0)
        return say(p, r, "read", "a segment of the journal");
    bool torn = !p->cut && w->offset != w->size;
    if (!torn || (p->ret->followed && p->ordinal == p->last))
        return 0;                                 /* a follower may have been killed within a batch */
    return walk_refuse(w, w->why ? w->why : "the batch is damaged", p->ret->problem);
}

static int put_segment(struct restore *p, uint64_t ordinal) {
    struct segment_walk w;
    char name[JOURNAL_NAME_SIZE];
    int fd = -1, r = copy_segment(p, ordinal);
    if (r == 0)
        r = walk_open(&w, p->to_journal, ordinal, &p->id, p->ret->problem);
    if (r < 0)
        return say(p, r == -ENODATA ? -EBADMSG : r, "read the header of", "a segment");
    journal_segment_name(ordinal, name);
    if (ordinal > p->first)
        r = walk_continues(&w, &p->chain, p->next_seq, p->end, p->ret->problem);
    if (r == 0 && (fd = openat(p->to_journal, name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW)) < 0)
        r = -errno;
    p->ordinal = ordinal;
    p->end = w.offset;
    p->block = w.header.block;
    p->next_seq = w.next_seq;
    p->chain = w.chain;
    p->base = w.header.base.seq ? w.header.base : p->base;
    if (r == 0)
        r = pass_batches(p, &w, fd);
    mode_t mode = p->cut || ordinal == p->last ? 0600 : 0400;
    if (r == 0 && (ftruncate(fd, (off_t)p->end) < 0 || fchmod(fd, mode) < 0 || fsync(fd) < 0))
        r = -errno;
    if (fd >= 0)
        (void)close(fd);
    walk_close(&w);
    return say(p, r, "restore", name);
}

/* The highest epoch in the source is that of its last batch, cut away or not. */
static void learn_epoch(struct restore *p) {
    char ignored[STORE_PROBLEM_SIZE];
    struct segment_walk w;
    if (!p->ret->followed)
        p->epoch = p->manifest.epoch > p->epoch ? p->manifest.epoch : p->epoch;
    int journal = p->ret->followed ? openat(p->from, "journal", O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (journal < 0)
        return;
    if (walk_open(&w, journal, p->last, &p->id, ignored) == 0) {
        while (walk_next(&w) == 1) {}
        p->epoch = w.epoch > p->epoch ? w.epoch : p->epoch;
        walk_close(&w);
    }
    (void)close(journal);
}

/* Above all that anybody has seen: starts after the backup had epochs, too, and so had those of a store that was
 * restored from the same one before. Of these nothing is known here but that a start takes more than a millisecond. */
static uint64_t epoch_unseen(const struct restore *p) {
    int64_t now_ms = clock_wall_ms();
    return now_ms > (int64_t)p->epoch ? (uint64_t)now_ms : p->epoch + RESTORE_EPOCHS_LOST;
}

static int put_witness(struct restore *p) {
    char name[JOURNAL_NAME_SIZE];
    uint8_t block[BLOCK_MAX] = {0};
    struct batch_header h = {
        .flags = BATCH_WITNESS, .ordinal = p->ordinal, .offset = p->end, .first_seq = p->next_seq,
        .epoch = epoch_unseen(p), .at_ms = p->at_ms, .previous = p->chain,
    };
    journal_segment_name(p->ordinal, name);
    int fd = openat(p->to_journal, name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return say(p, -errno, "open", name);
    batch_header_write(block, &p->id.key, &h);
    int r = file_write(fd, slice_from(block, p->block), p->end);
    if (r == 0 && (fsync(fd) < 0 || fsync(p->to_journal) < 0))
        r = -errno;
    (void)close(fd);
    return say(p, r, "write the witness into", name);
}

static int put_journal(struct restore *p) {
    int r = find_ordinals(p);
    for (uint64_t ordinal = p->first; r == 0 && !p->cut && ordinal <= p->last; ordinal++)
        r = put_segment(p, ordinal);
    if (r == 0)
        learn_epoch(p);
    if (r == 0 && cut_wanted(p) && !p->cut && p->o->until_seq > p->next_seq - 1)
        return refuse(p, -ERANGE, "the journal there ends at seq %" PRIu64 ": there is no seq %" PRIu64 " to restore "
                      "to", p->next_seq - 1, p->o->until_seq);
    if (r == 0 && p->next_seq == 1)
        return refuse(p, -ERANGE, "nothing had been journaled by then: there is nothing to restore");
    return r == 0 ? put_witness(p) : r;
}

/* ---- the tables -------------------------------------------------------------------------------------------------- */

/* Where a purge has taken the first segments, the fold begins with what they folded to. */
static int put_base(struct restore *p) {
    char name[BASE_NAME_SIZE];
    struct hash ignored;
    uint64_t size = 0;
    if (p->first == 1)
        return 0;
    if (p->base.seq == 0 || p->next_seq <= p->base.seq)           /* the segment that names it begins behind its seq */
        return refuse(p, -ERANGE, "the journal there was purged later than that: its first segments are gone; use a "
                      "backup from before the purge");
    base_name(p->base.seq, name);
    int fd = openat(p->from, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW), r = fd < 0 ? -errno : file_size(fd, &size);
    if (r == 0)
        r = file_copy(fd, 0, size, p->to, name, 0400, &ignored);
    if (fd >= 0)
        (void)close(fd);
    return r < 0 ? say(p, r, "copy", name) : base_check(p->to, &p->base, true, &ignored, p->ret->problem);
}

/* The copy saves folding from the beginning, if it does not stand behind the cut. */
static int put_state(struct restore *p) {
    const struct archived *a = NULL;
    struct hash ignored;
    for (size_t i = 0; i < p->manifest.files_count; i++)
        if (archived_state(p->manifest.files[i].name))
            a = &p->manifest.files[i];
    if (!a || !p->manifest.has_state || p->manifest.state_seq >= p->next_seq)
        return 0;
    int fd = -1, r = archived_open(p->from, a, &fd, p->ret->problem);
    if (r == 0)
        r = file_copy(fd, 0, a->bytes, p->to, "state.mdb", 0600, &ignored);
    if (fd >= 0)
        (void)close(fd);
    return say(p, r, "copy", "the state");
}

static int open_tables(struct restore *p, struct tables *t) {
    char path[STORE_PATH_SIZE];
    struct tables_options o = {.path = path, .map_bytes = p->o->map_bytes};
    bool there = faccessat(p->to, "state.mdb", F_OK, 0) == 0;
    int r = path_in(p->fresh, "state.mdb", path);
    if (r == 0)
        r = tables_open(t, &o);
    if (r == 0 && there)
        r = tables_load(t);
    else if (r == 0)
        tables_begin(t, p->id.id);
    return r == 0 && !there && p->first > 1 ? base_load(t, p->to, &p->base, p->ret->problem) : r;
}

/* How many slots the journal has given out is known when it is folded. */
static int fold(struct restore *p, uint64_t *ret_slots) {
    struct store_options o = {.segment_bytes = JOURNAL_SEGMENT_BYTES_MIN, .segments_ahead = 2, .read_only = true};
    struct journal_options options = journal_options_of(&o, p->fresh, &p->id);
    struct journal_found found;
    struct journal *j = NULL;
    struct tables t;
    uint64_t records = 0;
    int r = journal_open(&j, &options, true, &found);
    wipe(&options.key, sizeof options.key);
    if (r < 0)
        return refuse(p, r, "%.390s", found.problem[0] ? found.problem : strerror(-r));
    r = open_tables(p, &t);
    if (r == 0) {
        r = fold_tail(&t, j, journal_durable_seq(j), true, &records);
        if (r == 0)
            r = tables_commit(&t);
        *ret_slots = t.facts.next_slot;
        p->ret->cases = t.facts.cases_all;
        if (r < 0 && t.problem[0])
            (void)refuse(p, r, "fold the journal: %.350s", t.problem);
        tables_close(&t);
    }
    journal_close(j);
    return say(p, r, "fold the journal in", p->fresh);
}

/* ---- the slots --------------------------------------------------------------------------------------------------- */

/* Slots that had been given out behind the cut are drawn anew: a key serves one case. */
static int put_archived_slots(struct restore *p, uint64_t used) {
    struct slots_archive a;
    struct hash ignored;
    uint64_t bytes = slots_bytes_of(used);
    int fd = -1, r = slots_archive_open(p->o->slots, &a, &fd);
    if (r == -EBADMSG)
        return refuse(p, r, "%.200s is no archive of key slots, or damaged: take another one, or restore without "
                      "--slots: what people wrote is then lost, and nothing else", p->o->slots);
    if (r < 0)
        return say(p, r, "open", p->o->slots);
    if (memcmp(a.store_id, p->id.id, sizeof a.store_id) != 0)
        r = refuse(p, -EBADMSG, "%.200s holds the key slots of another store", p->o->slots);
    else if (a.bytes < bytes)
        r = refuse(p, -ESTALE, "%.150s is older than the journal: it was made at seq %" PRIu64 " and lacks slots that "
                   "were given out since; take a newer one, or restore with --until-seq %" PRIu64, p->o->slots, a.seq,
                   a.seq);
    else
        r = file_copy(fd, SLOTS_ARCHIVE_HEAD, bytes, p->to, "slots", 0600, &ignored);
    (void)close(fd);
    return say(p, r, "copy", p->o->slots);
}

static int put_slots(struct restore *p, uint64_t used) {
    struct key seed = drill_seed();
    if (p->o->slots)
        return put_archived_slots(p, used);
    p->ret->lost_slots = used;
    int r = slots_create(p->fresh, p->id.id, used, p->o->slots_ahead, p->id.drill ? &seed : NULL);
    return say(p, r, "make slots in", p->fresh);
}

/* ---- the store --------------------------------------------------------------------------------------------------- */

/* Opened as a start would, with every byte looked at once more. What it fills ahead is no larger than what there
 * was. */
static int prove(struct restore *p) {
    uint64_t largest = round_up(p->largest, JOURNAL_SEGMENT_BYTES_MIN), most = p->o->segment_bytes;
    struct store_options o = {
        .dir = p->fresh, .segment_bytes = largest < most ? largest : most, .segments_ahead = 2,
        .map_bytes = p->o->map_bytes,
        .slots_ahead = p->o->slots_ahead, .verify_full = true, .checkpoint_bytes_journal = UINT64_MAX,
        .checkpoint_changes = UINT64_MAX, .checkpoint_idle_ms = 200, .checkpoint_age_ms = 10000,
    };
    struct store_found found;
    struct store *s = NULL;
    int r = ballast_make(p->to, ballast_bytes(&o));
    if (r == 0)
        r = identity_write_key(p->to, &p->id);
    if (r == 0)
        r = identity_copy_format(p->from, p->to);
    if (r < 0)
        return say(p, r, "finish", p->fresh);
    (void)close(p->to);                           /* its lock is the store's now */
    p->to = -1;
    r = store_open(&s, &o, &found);
    if (r < 0)
        return refuse(p, r, "%.390s", found.problem);
    r = store_redo_erasures(s, 0, &p->ret->erased_again);
    if (r == 0)
        r = store_digest(s, &p->ret->digest, &p->ret->seq);
    p->ret->epoch = store_epoch(s);
    p->ret->last_ms = p->at_ms;
    store_close(s);
    return say(p, r, "prove", p->fresh);
}

static int make(struct restore *p) {
    uint64_t used = 0;
    int r = put_journal(p);
    if (r == 0)
        r = put_base(p);
    if (r == 0)
        r = put_state(p);
    if (r == 0)
        r = fold(p, &used);
    if (r == 0)
        r = put_slots(p, used);
    if (r == 0)
        r = prove(p);
    if (r == 0 && rename(p->fresh, p->path) < 0)
        r = -errno;
    return r == 0 ? say(p, dir_sync_parent(p->path), "sync the directory above", p->path) : r;
}

int store_restore(const struct restore_options *o, struct restore_result *ret) {
    enum { ROOM_BYTES = 8 << 20 };
    struct restore p = {.o = o, .ret = ret, .from = -1, .to = -1, .to_journal = -1};
    *ret = (struct restore_result){.seq = 0};
    void *room = malloc(ROOM_BYTES);
    int r = room ? 0 : say(&p, -ENOMEM, "restore", o->to);
    if (r == 0) {
        arena_wrap(&p.room, room, ROOM_BYTES);
        r = open_from(&p);
    }
    if (r == 0)
        r = open_to(&p);
    if (r == 0)
        r = make(&p);
    int fds[] = {p.from, p.to, p.to_journal};
    for (size_t i = 0; i < COUNT_OF(fds); i++)
        if (fds[i] >= 0)
            (void)close(fds[i]);
    manifest_done(&p.manifest);
    wipe(&p.id, sizeof p.id);
    free(room);
    return say(&p, r, "restore", o->from);
}
