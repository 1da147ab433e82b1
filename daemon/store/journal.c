/* journal.c: creating, appending, turning over to the next segment, and filling segments ahead.
 *
 * The append path allocates nothing: records are copied into one buffer that already has the shape of the file, so
 * that a batch is one hash, one write and one sync. The blocks it writes to were written before (with zeroes) and
 * synced with their metadata; the sync is one flush of the device. */
#include "daemon/store/journal_internal.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- create ------------------------------------------------------------------------------------------------------ */

static int options_check(const struct journal_options *o) {
    bool block_known = o->block == 0 || o->block == JOURNAL_BLOCK || o->block == BLOCK_MAX;
    if (!o->dir || !block_known || o->segment_bytes < JOURNAL_SEGMENT_BYTES_MIN)
        return -EINVAL;
    return o->segments_ahead < 2 ? -EINVAL : 0;
}

static int dir_open(const char *path, int at, int *ret_fd) {
    int fd = openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    *ret_fd = fd;
    return 0;
}

static uint32_t block_of(const struct journal_options *o, int dir) {
    return o->block ? o->block : segment_device_block(dir);
}

/* Segment 1 has its header before it has its name: there is no moment at which the journal is there and blank. */
static int create_first(const struct journal_options *o, int dir) {
    uint64_t bytes = round_up(o->segment_bytes, BLOCK_MAX);
    uint8_t header[SEGMENT_HEADER_SIZE];
    struct segment_header h = {.block = block_of(o, dir), .ordinal = 1, .first_seq = 1};
    memcpy(h.store_id, o->store_id, sizeof h.store_id);
    segment_header_write(header, &o->key, &h);
    int fd = -1, r = segment_allocate(dir, bytes, &fd);
    if (r < 0)
        return r;
    r = file_zero(fd, 0, bytes);
    if (r == 0)
        r = file_write(fd, slice_from(header, sizeof header), 0);
    if (r == 0)
        r = segment_publish(dir, fd, 1);
    (void)close(fd);
    return r;
}

int journal_create(const struct journal_options *o) {
    int store = -1, dir = -1, r = options_check(o);
    if (r == 0)
        r = dir_open(o->dir, AT_FDCWD, &store);
    if (r < 0)
        return r;
    if (mkdirat(store, "journal", 0700) < 0 && errno != EEXIST)
        r = -errno;
    if (r == 0)
        r = dir_open("journal", store, &dir);
    if (r == 0)
        r = create_first(o, dir);                 /* -EEXIST: there is a journal already */
    if (r == 0 && fsync(store) < 0)
        r = -errno;
    if (dir >= 0)
        (void)close(dir);
    (void)close(store);
    return r;
}

/* ---- open and close ---------------------------------------------------------------------------------------------- */

int journal_segments_note(struct journal *j, uint64_t ordinal, struct segment s) {
    CHECK(ordinal >= 1 && ordinal == j->ordinal + 1);
    if (ordinal > j->segments_cap) {
        size_t cap = 2 * (size_t)ordinal + 62;
        struct segment *segments = reallocarray(j->segments, cap, sizeof *segments);
        if (!segments)
            return -ENOMEM;
        j->segments = segments;
        j->segments_cap = cap;
    }
    j->segments[ordinal - 1] = s;
    return 0;
}

static int open_dir(const struct journal_options *o, int *ret_fd) {
    int store = -1, r = dir_open(o->dir, AT_FDCWD, &store);
    if (r < 0)
        return r;
    r = dir_open("journal", store, ret_fd);
    (void)close(store);
    return r;
}

int journal_open(struct journal **ret, const struct journal_options *o, bool full, struct journal_found *found) {
    int r = options_check(o);
    if (r < 0)
        return r;
    *found = (struct journal_found){0};
    struct journal *j = calloc(1, sizeof *j);
    if (!j)
        return -ENOMEM;
    j->dir = j->fd = j->fill_fd = -1;
    j->options = *o;
    j->options.dir = NULL;
    j->fill_bytes = round_up(o->segment_bytes, BLOCK_MAX);
    r = open_dir(o, &j->dir);
    if (r == 0)
        r = journal_recover(j, full, found);
    if (r == 0) {
        j->block_next = block_of(o, j->dir);
        j->buffer = aligned_alloc(BLOCK_MAX, round_up(BATCH_HEADER_SIZE + JOURNAL_BATCH_BYTES_MAX, BLOCK_MAX));
        r = j->buffer ? 0 : -ENOMEM;
    }
    if (r == 0)
        *ret = j;
    else
        journal_close(j);
    return r;
}

void journal_close(struct journal *j) {
    if (!j)
        return;
    journal_cursor_close(j->reading);
    int fds[] = {j->fd, j->fill_fd, j->dir};
    for (size_t i = 0; i < COUNT_OF(fds); i++)
        if (fds[i] >= 0)
            (void)close(fds[i]);
    free(j->buffer);
    free(j->segments);
    wipe(&j->options.key, sizeof j->options.key);
    free(j);
}

/* ---- append ------------------------------------------------------------------------------------------------------ */

/* One block is always left for a witness: it belongs into the segment of the batch that it covers. */
size_t journal_room(const struct journal *j) {
    uint64_t left = j->capacity - j->used;
    if (left < 2 * (uint64_t)j->block)
        return 0;
    uint64_t room = (left / j->block - 1) * j->block - BATCH_HEADER_SIZE;
    return room < JOURNAL_BATCH_BYTES_MAX ? (size_t)room : JOURNAL_BATCH_BYTES_MAX;
}

void journal_begin(struct journal *j, int64_t at_ms, uint64_t epoch) {
    CHECK(!j->begun && !j->options.read_only);
    CHECK(epoch >= j->epoch);
    j->batch = (struct batch_header){.at_ms = at_ms, .epoch = epoch};
    j->begun = true;
}

int journal_add(struct journal *j, struct slice record, uint32_t seqs) {
    CHECK(j->begun);
    if (record.len > JOURNAL_RECORD_BYTES_MAX)
        return -EMSGSIZE;
    size_t bytes = RECORD_HEADER_SIZE + record.len;
    if (j->batch.bytes + bytes > journal_room(j))
        return -ENOSPC;
    record_write(j->buffer + BATCH_HEADER_SIZE + j->batch.bytes, record, seqs);
    j->batch.bytes += bytes;
    j->batch.records++;
    j->batch.seqs += seqs;
    return 0;
}

size_t journal_batch_bytes(const struct journal *j) {
    return j->begun ? j->batch.bytes : 0;
}

void journal_abandon(struct journal *j) {
    j->begun = false;
}

/* After a failed write or sync nobody knows what the disk holds, and trying again would not tell: fsync reports an
 * error once. */
static int give_up(struct journal *j, int r) {
    j->broken = r;
    return r;
}

static int batch_write(struct journal *j, struct batch_header *h) {
    h->ordinal = j->ordinal;
    h->offset = j->used;
    h->first_seq = j->next_seq;
    h->previous = j->chain;
    uint64_t extent = batch_extent(h, j->block), end = BATCH_HEADER_SIZE + h->bytes;
    CHECK(extent <= j->capacity - j->used);
    memset(j->buffer + end, 0, extent - end);
    batch_header_write(j->buffer, &j->options.key, h);
    int r = file_write(j->fd, slice_from(j->buffer, extent), j->used);
    if (r == 0 && fdatasync(j->fd) < 0)
        r = -errno;
    if (r < 0)
        return give_up(j, r);
    index_note(&j->index, h);
    j->used += extent;
    j->next_seq += h->seqs;
    j->epoch = h->epoch;
    j->chain = h->hash;
    j->witnessed = h->flags & BATCH_WITNESS;
    return 0;
}

int journal_append(struct journal *j) {
    CHECK(j->begun);
    if (j->broken)
        return j->broken;
    if (j->batch.records == 0)
        return -EINVAL;
    j->begun = false;
    return batch_write(j, &j->batch);
}

/* In a segment that was sealed just before a crash there is no room; the header of the next one witnesses as well. */
int journal_witness(struct journal *j, int64_t at_ms, uint64_t epoch) {
    CHECK(!j->begun && !j->options.read_only);
    if (j->broken || j->witnessed)
        return j->broken;
    if (j->capacity - j->used < j->block)
        return journal_turn_over(j);
    struct batch_header h = {.flags = BATCH_WITNESS, .at_ms = at_ms, .epoch = epoch};
    return batch_write(j, &h);
}

bool journal_witnessed(const struct journal *j) {
    return j->witnessed;
}

/* ---- turn over --------------------------------------------------------------------------------------------------- */

static int begin_segment(struct journal *j, int fd, const struct journal_base *base) {
    uint8_t bytes[SEGMENT_HEADER_SIZE];
    struct segment_header h = {
        .block = j->block_next,
        .ordinal = j->ordinal + 1,
        .first_seq = j->next_seq,
        .epoch = j->epoch,
        .previous_bytes = j->used,
        .previous = j->chain,
        .base = *base,
    };
    memcpy(h.store_id, j->options.store_id, sizeof h.store_id);
    segment_header_write(bytes, &j->options.key, &h);
    int r = file_write(fd, slice_from(bytes, sizeof bytes), 0);
    if (r == 0 && fdatasync(fd) < 0)
        r = -errno;
    return r;
}

static void become_active(struct journal *j, int fd, uint64_t capacity) {
    index_keep(j);
    (void)close(j->fd);
    j->fd = fd;
    j->segments[j->ordinal - 1].bytes = j->used;
    j->sealed_bytes += j->used;
    j->ordinal++;
    j->capacity = capacity;
    j->block = j->block_next;
    j->used = j->block;
    j->witnessed = true;
    index_begin(&j->index, j->ordinal, capacity);
    atomic_fetch_sub(&j->ahead_bytes, capacity);
    atomic_store(&j->active_ordinal, j->ordinal);
}

/* The old one is sealed before the new one is begun: a begun segment means that everything before it is whole and
 * synced. */
static int turn_over(struct journal *j, const struct journal_base *base) {
    CHECK(!j->begun && !j->options.read_only);
    if (j->broken)
        return j->broken;
    if (journal_segments_ready(j) == 0)
        return -EAGAIN;
    uint64_t capacity = 0;
    int fd = -1, r = segment_open(j->dir, j->ordinal + 1, true, &fd);
    if (r == 0)
        r = file_size(fd, &capacity);
    if (r == 0)
        r = journal_segments_note(j, j->ordinal + 1, (struct segment){j->next_seq, capacity});
    if (r == 0)
        r = segment_seal(j->fd, j->used);
    if (r == 0)
        r = begin_segment(j, fd, base);
    if (r < 0) {
        if (fd >= 0)
            (void)close(fd);
        return give_up(j, r);
    }
    become_active(j, fd, capacity);
    return 0;
}

int journal_turn_over(struct journal *j) {
    return turn_over(j, &(struct journal_base){0});
}

int journal_turn_over_upon(struct journal *j, const struct journal_base *base) {
    CHECK(base->seq == journal_durable_seq(j) && base->seq > 0);
    int r = turn_over(j, base);
    if (r == 0)
        j->base = *base;
    return r;
}

/* ---- numbers ----------------------------------------------------------------------------------------------------- */

uint64_t journal_next_seq(const struct journal *j) {
    return j->next_seq;
}

uint64_t journal_durable_seq(const struct journal *j) {
    return j->next_seq - 1;
}

struct hash journal_chain(const struct journal *j) {
    return j->chain;
}

uint64_t journal_bytes(const struct journal *j) {
    return j->sealed_bytes + j->capacity + atomic_load(&j->ahead_bytes);
}

unsigned journal_segments_ready(const struct journal *j) {
    return (unsigned)(atomic_load(&j->last_ordinal) - atomic_load(&j->active_ordinal));
}

/* ---- what is there ----------------------------------------------------------------------------------------------- */

uint64_t journal_first_seq(const struct journal *j) {
    return j->segments[j->first_ordinal - 1].first_seq;
}

struct journal_base journal_base(const struct journal *j) {
    return j->base;
}

bool journal_segment(const struct journal *j, uint64_t ordinal, struct journal_segment *ret) {
    ordinal = ordinal ? ordinal : j->first_ordinal;
    if (ordinal < j->first_ordinal || ordinal > j->ordinal)
        return false;
    const struct segment *s = &j->segments[ordinal - 1];
    *ret = (struct journal_segment){ordinal, s->first_seq, s->bytes};
    return true;
}

/* From the front and one by one, so that a crash in between leaves no gap. */
int journal_drop_first(struct journal *j) {
    char name[JOURNAL_NAME_SIZE];
    uint64_t ordinal = j->first_ordinal;
    CHECK(!j->options.read_only && ordinal < j->ordinal && j->segments[ordinal].first_seq <= j->base.seq);
    journal_segment_name(ordinal, name);
    if (unlinkat(j->dir, name, 0) < 0 || fsync(j->dir) < 0)
        return -errno;
    j->sealed_bytes -= j->segments[ordinal - 1].bytes;
    j->first_ordinal++;
    return 0;
}

/* ---- filling ahead ----------------------------------------------------------------------------------------------- */

/* Gives the space back: what is half filled is of no use to a full disk. EFBIG and EDQUOT are other names for no
 * space. */
static int fill_fail(struct journal *j, int r) {
    if (j->fill_fd >= 0) {
        (void)close(j->fill_fd);
        (void)unlinkat(j->dir, "next.tmp", 0);
        atomic_fetch_sub(&j->ahead_bytes, j->fill_bytes);
    }
    j->fill_fd = -1;
    return r == -EFBIG || r == -EDQUOT ? -ENOSPC : r;
}

static int fill_begin(struct journal *j) {
    int r = segment_allocate(j->dir, j->fill_bytes, &j->fill_fd);
    if (r < 0)
        return r;
    j->fill_done = 0;
    atomic_fetch_add(&j->ahead_bytes, j->fill_bytes);
    return 0;
}

static int fill_finish(struct journal *j) {
    uint64_t ordinal = atomic_load(&j->last_ordinal) + 1;
    int r = segment_publish(j->dir, j->fill_fd, ordinal);
    if (r < 0)
        return r;
    (void)close(j->fill_fd);
    j->fill_fd = -1;
    atomic_store(&j->last_ordinal, ordinal);
    return 0;
}

/* Runs beside the appending thread: of the journal it reads what never changes, and the atomics. */
int journal_prepare(struct journal *j, size_t slice_bytes) {
    CHECK(slice_bytes > 0 && !j->options.read_only);
    if (journal_segments_ready(j) >= j->options.segments_ahead)
        return 0;
    int r = j->fill_fd >= 0 ? 0 : fill_begin(j);
    if (r < 0)
        return fill_fail(j, r);
    uint64_t left = j->fill_bytes - j->fill_done, len = left < slice_bytes ? left : slice_bytes;
    r = file_zero(j->fill_fd, j->fill_done, j->fill_done + len);
    if (r < 0)
        return fill_fail(j, r);
    j->fill_done += len;
    if (j->fill_done == j->fill_bytes)
        r = fill_finish(j);
    if (r < 0)
        return fill_fail(j, r);
    return journal_segments_ready(j) < j->options.segments_ahead;
}
