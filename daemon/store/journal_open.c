/* journal_open.c: is everything there, where does the log end, and what of the tail may be cut?
 *
 * Three steps, and only the last one writes:
 *   survey   which segments there are, and whether their headers belong together
 *   scan     every batch of the active segment (of all segments, when `full`), up to the first one that fails
 *   mend     save and zero a torn tail, write the last batch once more, sync
 *
 * A batch that fails is a tear only when nothing says that it was once whole: no later batch or witness, no
 * checkpoint, and no byte behind the place it could reach. Everything else is damage, and is refused by place: a
 * journal that is cut where it should have been mended loses reports that were acknowledged. */
#include "daemon/store/journal_internal.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int journal_refuse(char problem[static PROBLEM_SIZE], uint64_t ordinal, uint64_t offset, uint64_t seq,
                   const char *what) {
    char name[JOURNAL_NAME_SIZE];
    journal_segment_name(ordinal, name);
    (void)snprintf(problem, PROBLEM_SIZE, "journal/%s at byte %" PRIu64 " (seq %" PRIu64 "): %s", name, offset, seq,
                   what);
    return -EBADMSG;
}

/* ---- survey ------------------------------------------------------------------------------------------------------ */

/* The lowest that is missing between others. Nothing else is asked whether it is there. */
static int find_missing(int dir, uint64_t first, uint64_t *ret) {
    char name[JOURNAL_NAME_SIZE];
    do
        journal_segment_name(first++, name);
    while (faccessat(dir, name, F_OK, 0) == 0);
    *ret = first - 1;
    return errno == ENOENT ? 0 : -errno;
}

int segments_find(int dir, struct segments_found *ret) {
    int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (!d) {
        int r = -errno;
        if (fd >= 0)
            (void)close(fd);
        return r;
    }
    struct segments_found x = {0};
    uint64_t count = 0;
    errno = 0;
    for (struct dirent *e; (e = readdir(d));) {
        uint64_t ordinal = segment_ordinal(e->d_name);
        if (ordinal == 0)
            continue;
        count++;
        x.first = x.first == 0 || ordinal < x.first ? ordinal : x.first;
        x.last = ordinal > x.last ? ordinal : x.last;
    }
    int r = -errno;
    (void)closedir(d);
    if (r == 0 && count && count != x.last - x.first + 1)
        r = find_missing(dir, x.first, &x.missing);
    *ret = x;
    return r;
}

#define MISSING "the segment is missing though later ones are there; put it back from a backup"

/* What to say when a segment of this state stands where a begun one should. */
static const char *const segment_words[] = {
    [SEGMENT_BLANK] = "the segment is blank though it was begun" RESTORE,
    [SEGMENT_FOREIGN] = "this is no journal segment: its first bytes are damaged" RESTORE,
    [SEGMENT_NEWER] = "the segment was written in a newer format; start the version of whistled that wrote it",
    [SEGMENT_DAMAGED] = "the segment's header is damaged" RESTORE,
    [SEGMENT_OTHER_STORE] = "the segment belongs to another store; put this store's own file back",
    [SEGMENT_OTHER_KEY] = "the segment's header does not verify under this store's key; give the store its own key",
};

/* States that a turn-over which was cut short may leave behind, as long as nothing stands behind the header. */
static const bool segment_unbegun[] = {
    [SEGMENT_BLANK] = true, [SEGMENT_FOREIGN] = true, [SEGMENT_DAMAGED] = true, [SEGMENT_OTHER_KEY] = false,
};

struct glance {
    int fd;
    uint64_t size;
    enum segment_state state;
    struct segment_header header;
};

/* Opens a segment and reads its header. A file too short for one is damage: it was full length before it had its
 * name. */
static int glance_at(const struct journal *j, struct journal_found *found, uint64_t ordinal, struct glance *ret) {
    uint8_t bytes[SEGMENT_HEADER_SIZE];
    struct glance g = {.fd = -1};
    int r = segment_open(j->dir, ordinal, false, &g.fd);
    if (r < 0)
        return r;
    r = file_size(g.fd, &g.size);
    if (r == 0 && g.size < sizeof bytes)
        r = journal_refuse(found->problem, ordinal, g.size, 0,
                           "the segment is cut short inside its header" RESTORE);
    if (r == 0)
        r = file_read(g.fd, bytes, sizeof bytes, 0);
    if (r < 0) {
        (void)close(g.fd);
        return r;
    }
    g.state = segment_header_read(bytes, &j->options.key, j->options.store_id, &g.header);
    *ret = g;
    return 0;
}

/* Does this header continue the segment before it? The successor of a segment names its length: truncation shows
 * here. */
static int check_succession(const struct journal *j, struct journal_found *found, uint64_t ordinal,
                            const struct glance *g) {
    const struct segment_header *h = &g->header;
    if (h->ordinal != ordinal)
        return journal_refuse(found->problem, ordinal, 0, h->first_seq,
                              "the header is that of another segment: the file was renamed" RESTORE);
    if (g->size < h->block)
        return journal_refuse(found->problem, ordinal, g->size, h->first_seq,
                              "the segment is cut short inside its header" RESTORE);
    if (ordinal == j->first_ordinal)
        return 0;
    const struct segment *before = &j->segments[ordinal - 2];
    if (h->previous_bytes != before->bytes)
        return journal_refuse(found->problem, ordinal - 1, before->bytes, before->first_seq,
                              before->bytes < h->previous_bytes
                                  ? "the sealed segment is truncated: its successor says it was longer" RESTORE
                                  : "the sealed segment is longer than its successor says" RESTORE);
    if (h->first_seq < before->first_seq)
        return journal_refuse(found->problem, ordinal, 0, h->first_seq, "seqs run backwards here" RESTORE);
    return 0;
}

/* A segment behind the last begun one: filled ahead, all zeroes. The next in turn may have a header that was torn as it
 * was written: it never counted, because nothing stands behind it, and will be written over. */
static int check_ready(struct journal *j, struct journal_found *found, uint64_t ordinal, const struct glance *g) {
    uint64_t end = 0;
    int r = file_data_end(g->fd, SEGMENT_HEADER_SIZE, g->size, &end);
    if (r < 0)
        return r;
    bool next_in_turn = ordinal == j->ordinal + 1;
    if (end > SEGMENT_HEADER_SIZE || (g->state != SEGMENT_BLANK && !next_in_turn))
        return journal_refuse(found->problem, ordinal, 0, 0, segment_words[g->state]);
    if (g->size < JOURNAL_SEGMENT_BYTES_MIN)
        return journal_refuse(found->problem, ordinal, g->size, 0,
                              "the segment is shorter than one filled ahead can be: it is truncated" RESTORE);
    atomic_fetch_add(&j->ahead_bytes, g->size);
    return 0;
}

/* Headers of all segments, in order. j->ordinal becomes the last one begun: the active one. */
static int survey(struct journal *j, struct journal_found *found, uint64_t last, struct segment_header *ret_active) {
    for (uint64_t ordinal = j->first_ordinal; ordinal <= last; ordinal++) {
        struct glance g;
        int r = glance_at(j, found, ordinal, &g);
        if (r < 0)
            return r;
        bool begun = g.state == SEGMENT_GOOD;
        if (begun && ordinal != j->ordinal + 1)
            r = journal_refuse(found->problem, j->ordinal + 1, 0, 0, segment_words[SEGMENT_BLANK]);
        else if (begun)
            r = check_succession(j, found, ordinal, &g);
        else if (ordinal == j->first_ordinal || !segment_unbegun[g.state])
            r = journal_refuse(found->problem, ordinal, 0, 0, segment_words[g.state]);
        else
            r = check_ready(j, found, ordinal, &g);
        (void)close(g.fd);
        if (r == 0 && begun) {
            r = journal_segments_note(j, ordinal, (struct segment){g.header.first_seq, g.size});
            *ret_active = g.header;
            j->ordinal = ordinal;
            if (g.header.base.seq)
                j->base = g.header.base;
        }
        if (r < 0)
            return r;
    }
    return 0;
}

/* Where the first segments are gone, a base must have what was in them (J8). */
static int check_first(const struct journal *j, struct journal_found *found) {
    if (j->first_ordinal == 1 || j->base.seq >= journal_first_seq(j))
        return 0;
    found->gap = true;
    return journal_refuse(found->problem, j->first_ordinal - 1, 0, 0, MISSING);
}

/* ---- scan -------------------------------------------------------------------------------------------------------- */

struct scan {
    struct journal *j;
    struct journal_found *found;
    struct window window;
    uint64_t ordinal, size;
    uint32_t block;
    uint64_t offset, next_seq, epoch;             /* of the batch to come */
    struct hash chain;
    uint64_t last_offset, last_extent;            /* the last good batch; extent 0: none in this segment */
    bool witnessed;
    uint64_t reach;                               /* how far the failing batch may have written */
};

static int scan_refuse(const struct scan *s, uint64_t offset, const char *what) {
    return journal_refuse(s->found->problem, s->ordinal, offset, s->next_seq, what);
}

/* A header with our MAC was whole when we wrote it: that it does not fit is no tear. */
static int check_follows(const struct scan *s, const struct batch_header *h) {
    if (!hash_equal(&h->previous, &s->chain))
        return scan_refuse(s, s->offset, "the chain of hashes is broken here" RESTORE);
    if (h->first_seq != s->next_seq)
        return scan_refuse(s, s->offset, "seqs do not follow here" RESTORE);
    if (h->epoch < s->epoch)
        return scan_refuse(s, s->offset, "epochs run backwards here" RESTORE);
    if (batch_extent(h, s->block) > s->size - s->offset)
        return scan_refuse(s, s->offset, "the file ends inside this batch: it is truncated" RESTORE);
    return 0;
}

static void scan_accept(struct scan *s, const struct batch_header *h, uint64_t extent) {
    s->last_offset = s->offset;
    s->last_extent = extent;
    s->witnessed = h->flags & BATCH_WITNESS;
    s->offset += extent;
    s->next_seq += h->seqs;
    s->chain = h->hash;
    s->epoch = h->epoch;
    if (s->ordinal == s->j->ordinal)
        index_note(&s->j->index, h);
}

/* 1: a good batch, passed. 0: none; s->reach says how far a torn one may go. */
static int scan_batch(struct scan *s) {
    const uint8_t *at = NULL;
    struct batch_header h;
    s->reach = round_up(BATCH_HEADER_SIZE + JOURNAL_BATCH_BYTES_MAX, s->block);
    if (s->size - s->offset < s->block)
        return 0;
    int r = window_borrow(&s->window, s->offset, BATCH_HEADER_SIZE, &at);
    if (r < 0)
        return r;
    if (!batch_header_read(at, &s->j->options.key, s->ordinal, s->offset, &h))
        return 0;
    r = check_follows(s, &h);
    if (r < 0)
        return r;
    s->reach = batch_extent(&h, s->block);
    r = window_borrow(&s->window, s->offset, s->reach, &at);
    if (r < 0)
        return r;
    if (!batch_body_good(at, &h, s->block))
        return 0;
    scan_accept(s, &h, s->reach);
    return 1;
}

static int scan_segment(struct scan *s, uint64_t ordinal, const struct segment_header *h, int fd, uint64_t size) {
    s->ordinal = ordinal;
    s->size = size;
    s->block = h->block;
    s->offset = h->block;
    s->last_extent = 0;
    s->witnessed = true;                          /* by this header: it holds the hash of the batch before */
    window_over(&s->window, fd, size);
    if (!hash_equal(&s->chain, &h->previous) || s->next_seq != h->first_seq || s->epoch != h->epoch)
        return scan_refuse(s, 0, "the header does not continue the segment before" RESTORE);
    uint64_t padding = 0;
    int r = file_data_end(fd, SEGMENT_HEADER_SIZE, h->block, &padding);
    if (r == 0 && padding > SEGMENT_HEADER_SIZE)
        r = scan_refuse(s, padding - 1, "the segment's header is damaged" RESTORE);
    while (r == 0 && (r = scan_batch(s)) == 1)
        r = 0;
    return r;
}

/* What stands before this segment is believed. */
static void scan_from(struct scan *s, const struct segment_header *h) {
    s->chain = h->previous;
    s->next_seq = h->first_seq;
    s->epoch = h->epoch;
}

/* Every byte of a sealed segment: batches up to its very end. */
static int verify_sealed(struct scan *s, uint64_t ordinal) {
    struct glance g;
    int r = glance_at(s->j, s->found, ordinal, &g);
    if (r < 0)
        return r;
    CHECK(g.state == SEGMENT_GOOD);               /* the survey saw it */
    if (ordinal == s->j->first_ordinal && ordinal > 1)
        scan_from(s, &g.header);
    r = scan_segment(s, ordinal, &g.header, g.fd, g.size);
    if (r == 0 && s->offset != g.size)
        r = scan_refuse(s, s->offset, "the batch that begins here is damaged" RESTORE);
    (void)close(g.fd);
    return r;
}

/* ---- the end of the log ------------------------------------------------------------------------------------------ */

/* The first batch of ours behind the failing one, up to `end`; 0: none. Only one batch is ever unsynced: if there is
 * a later one, the failing one was once whole. */
static int find_later(struct scan *s, uint64_t end, uint64_t *ret) {
    struct batch_header h;
    const uint8_t *at = NULL;
    for (uint64_t offset = s->offset + s->block; offset < end && s->size - offset >= s->block; offset += s->block) {
        int r = window_borrow(&s->window, offset, BATCH_HEADER_SIZE, &at);
        if (r < 0)
            return r;
        if (batch_header_read(at, &s->j->options.key, s->ordinal, offset, &h)) {
            *ret = offset;
            return 0;
        }
    }
    *ret = 0;
    return 0;
}

/* Zeroes to the end, a torn batch, or damage? Sets *ret_end behind the last byte of a torn one; s->offset: nothing
 * is torn. */
static int judge_tail(struct scan *s, uint64_t covered_seq, uint64_t *ret_end) {
    char words[160];
    uint64_t end = 0, later = 0;
    int r = file_data_end(s->window.fd, s->offset, s->size, &end);
    if (r == 0)
        r = find_later(s, end, &later);
    if (r < 0)
        return r;
    if (later) {
        (void)snprintf(words, sizeof words, "the batch is damaged: a later one stands at byte %" PRIu64
                       RESTORE, later);
        return scan_refuse(s, s->offset, words);
    }
    if (end - s->offset > s->reach) {
        (void)snprintf(words, sizeof words, "the batch is damaged: no single write reaches to byte %" PRIu64
                       RESTORE, end - 1);
        return scan_refuse(s, s->offset, words);
    }
    if (covered_seq >= s->next_seq) {
        (void)snprintf(words, sizeof words, "the journal ends here but the checkpoint stands at seq %" PRIu64
                       "; restore the journal, or run `whistlectl recover --discard-state`", covered_seq);
        return scan_refuse(s, s->offset, words);
    }
    *ret_end = end;
    return 0;
}

/* ---- mend -------------------------------------------------------------------------------------------------------- */

/* A name nobody has yet: an earlier attempt to save the same tail may be the better copy. */
static int torn_create(int dir, uint64_t seq, char name[static 64]) {
    for (unsigned n = 1; n < 1000; n++) {
        int len = n == 1 ? snprintf(name, 64, "torn-%" PRIu64 ".bin", seq)
                         : snprintf(name, 64, "torn-%" PRIu64 "-%u.bin", seq, n);
        CHECK(len > 0 && len < 64);
        int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (fd >= 0 || errno != EEXIST)
            return fd >= 0 ? fd : -errno;
    }
    return -EEXIST;
}

static int torn_save(struct scan *s, uint64_t end) {
    const uint8_t *at = NULL;
    int fd = torn_create(s->j->dir, s->next_seq, s->found->torn_file);
    if (fd < 0)
        return fd;
    int r = window_borrow(&s->window, s->offset, end - s->offset, &at);
    if (r == 0)
        r = file_write(fd, slice_from(at, end - s->offset), 0);
    if (r == 0 && (fsync(fd) < 0 || fsync(s->j->dir) < 0))
        r = -errno;
    (void)close(fd);
    return r;
}

/* What we read was the page cache; what the disk holds we do not know, and a failed sync has forgotten its dirty
 * pages. So the one batch that may never have been synced (or, when there is none, the header before it) is written
 * again, byte for byte. */
static int rewrite_last(struct scan *s) {
    const uint8_t *at = NULL;
    uint64_t offset = s->last_extent ? s->last_offset : 0;
    uint64_t len = s->last_extent ? s->last_extent : SEGMENT_HEADER_SIZE;
    window_over(&s->window, s->j->fd, s->size);
    int r = window_borrow(&s->window, offset, len, &at);
    if (r == 0)
        r = file_write(s->j->fd, slice_from(at, len), offset);
    if (r == 0 && (fdatasync(s->j->fd) < 0 || fsync(s->j->dir) < 0))
        r = -errno;
    return r;
}

static int mend(struct scan *s, uint64_t end) {
    if (unlinkat(s->j->dir, "next.tmp", 0) < 0 && errno != ENOENT)
        return -errno;
    int r = 0;
    if (end > s->offset) {
        r = torn_save(s, end);
        if (r == 0)
            r = file_zero(s->j->fd, s->offset, end);
    }
    return r == 0 ? rewrite_last(s) : r;
}

/* ---- open -------------------------------------------------------------------------------------------------------- */

static void take_over(struct journal *j, const struct scan *s, struct journal_found *found) {
    j->used = s->offset;
    j->next_seq = s->next_seq;
    j->epoch = s->epoch;
    j->chain = s->chain;
    j->witnessed = s->witnessed;
    found->first_seq = s->next_seq > 1 ? journal_first_seq(j) : 0;
    found->first_ordinal = j->first_ordinal;
    found->base = j->base;
    found->durable_seq = s->next_seq - 1;
    found->epoch = s->epoch;
    found->chain = s->chain;
}

/* The survey is done: what it found becomes the journal's. */
static int begin_active(struct journal *j, const struct segment_header *h, uint64_t last) {
    CHECK(j->ordinal >= 1 && j->ordinal <= last);
    CHECK(h->ordinal == j->ordinal);
    for (uint64_t i = j->first_ordinal; i < j->ordinal; i++)
        j->sealed_bytes += j->segments[i - 1].bytes;
    j->capacity = j->segments[j->ordinal - 1].bytes;
    j->block = h->block;
    atomic_store(&j->active_ordinal, j->ordinal);
    atomic_store(&j->last_ordinal, last);
    index_begin(&j->index, j->ordinal, j->capacity);
    return segment_open(j->dir, j->ordinal, !j->options.read_only, &j->fd);
}

/* Batches up to the end of the log, then the tail. */
static int scan_all(struct scan *s, const struct segment_header *active, bool full, uint64_t *ret_end) {
    struct journal *j = s->j;
    int r = 0;
    if (!full || (j->ordinal == j->first_ordinal && j->ordinal > 1))
        scan_from(s, active);
    for (uint64_t ordinal = j->first_ordinal; full && ordinal < j->ordinal && r == 0; ordinal++)
        r = verify_sealed(s, ordinal);
    if (r == 0)
        r = scan_segment(s, j->ordinal, active, j->fd, j->capacity);
    return r == 0 ? judge_tail(s, j->options.covered_seq, ret_end) : r;
}

int journal_recover(struct journal *j, bool full, struct journal_found *found) {
    uint64_t end = 0;
    struct segments_found x;
    struct segment_header active = {0};
    int r = segments_find(j->dir, &x);
    if (r < 0)
        return r;
    if (x.first == 0)
        return -ENOENT;
    found->gap = x.missing;
    if (x.missing)
        return journal_refuse(found->problem, x.missing, 0, 0, MISSING);
    j->first_ordinal = x.first;
    j->ordinal = x.first - 1;
    r = survey(j, found, x.last, &active);
    if (r == 0)
        r = check_first(j, found);
    if (r == 0)
        r = begin_active(j, &active, x.last);
    if (r < 0)
        return r;
    struct scan s = {.j = j, .found = found, .next_seq = 1, .window = {.fd = -1}};
    r = scan_all(&s, &active, full, &end);
    if (r == 0) {
        found->torn_bytes = end - s.offset;
        r = j->options.read_only ? 0 : mend(&s, end);
    }
    if (r == 0)
        take_over(j, &s, found);
    window_done(&s.window);
    return r;
}
