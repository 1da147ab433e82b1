/* cursor.c: reading forward, and the sparse index that finds where a seq begins.
 *
 * A cursor never reads past what is durable: it stops at journal.used, which moves only after a sync. It believes
 * nothing: each batch must be ours, for its place, and continue the chain; each record must match its CRC. */
#include "daemon/store/journal_internal.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- index ------------------------------------------------------------------------------------------------------- */

/* The stride grows with the segment, so that an index of any segment has the same bound. */
void index_begin(struct index *x, uint64_t ordinal, uint64_t capacity) {
    uint64_t stride = capacity / (INDEX_ENTRIES - 1);
    x->ordinal = ordinal;
    x->stride = stride > INDEX_STRIDE_MIN ? stride : INDEX_STRIDE_MIN;
    x->count = 0;
}

void index_note(struct index *x, const struct batch_header *h) {
    if (x->count && h->offset - x->entry[x->count - 1].offset < x->stride)
        return;
    CHECK(h->ordinal == x->ordinal);
    CHECK(x->count < INDEX_ENTRIES);
    x->entry[x->count++] = (struct index_entry){h->first_seq, h->offset};
}

static struct index *index_oldest(struct journal *j) {
    struct index *oldest = &j->sealed[0];
    for (size_t i = 1; i < COUNT_OF(j->sealed); i++)
        if (j->sealed[i].used < oldest->used)
            oldest = &j->sealed[i];
    return oldest;
}

static struct index *index_borrow(struct journal *j, uint64_t ordinal) {
    if (ordinal == j->ordinal)
        return &j->index;
    for (size_t i = 0; i < COUNT_OF(j->sealed); i++)
        if (j->sealed[i].ordinal == ordinal) {
            j->sealed[i].used = ++j->index_uses;
            return &j->sealed[i];
        }
    return NULL;
}

void index_keep(struct journal *j) {
    struct index *x = index_oldest(j);
    *x = j->index;
    x->used = ++j->index_uses;
}

/* The last entry at or before seq: the batch that covers seq is there or behind. 0: the segment has no batch. */
static uint64_t index_find(const struct index *x, uint64_t seq) {
    size_t low = 0, high = x->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (x->entry[middle].first_seq <= seq)
            low = middle + 1;
        else
            high = middle;
    }
    return low ? x->entry[low - 1].offset : 0;
}

/* ---- cursor ------------------------------------------------------------------------------------------------------ */

struct journal_cursor {
    struct journal *j;
    struct window window;                         /* over the segment's file, up to what is durable */
    uint64_t ordinal;                             /* 0: nowhere yet */
    uint32_t block;
    uint64_t offset;                              /* of the batch to come */
    struct hash chain;                            /* of the batch at hand */
    bool chain_known;                             /* false: the index led here, and the batch before was not seen */
    uint64_t epoch;
    uint64_t want_seq;                            /* records that end before it are passed over */
    uint64_t next_seq;                            /* of the record to come */
    uint64_t batch_end_seq;
    uint32_t records_left;
    struct slice rest;                            /* of the batch's payload */
    int failed;
    char problem[PROBLEM_SIZE];
};

static int cursor_refuse(struct journal_cursor *c, uint64_t offset, const char *what) {
    c->failed = journal_refuse(c->problem, c->ordinal, offset, c->next_seq, what);
    return c->failed;
}

static uint64_t cursor_limit(const struct journal_cursor *c) {
    return c->ordinal == c->j->ordinal ? c->j->used : c->j->segments[c->ordinal - 1].bytes;
}

static int segment_header_of(const struct journal *j, uint64_t ordinal, int *ret_fd,
                             uint8_t ret[static SEGMENT_HEADER_SIZE]) {
    int fd = -1, r = segment_open(j->dir, ordinal, false, &fd);
    if (r == 0)
        r = file_read(fd, ret, SEGMENT_HEADER_SIZE, 0);
    if (r == 0)
        *ret_fd = fd;
    else if (fd >= 0)
        (void)close(fd);
    return r;
}

/* Moves to a segment's first batch. A fault leaves the cursor where it was; damage ends it. */
static int cursor_enter(struct journal_cursor *c, uint64_t ordinal) {
    uint8_t bytes[SEGMENT_HEADER_SIZE];
    struct segment_header h;
    int fd = -1, r = segment_header_of(c->j, ordinal, &fd, bytes);
    if (r < 0)
        return r;
    if (c->window.fd >= 0)
        (void)close(c->window.fd);
    c->ordinal = ordinal;
    window_over(&c->window, fd, cursor_limit(c));
    enum segment_state state = segment_header_read(bytes, &c->j->options.key, c->j->options.store_id, &h);
    if (state != SEGMENT_GOOD || h.ordinal != ordinal || h.first_seq != c->j->segments[ordinal - 1].first_seq)
        return cursor_refuse(c, 0, "the segment's header is damaged" RESTORE);
    if (c->chain_known && !(hash_equal(&h.previous, &c->chain) && h.first_seq == c->next_seq))
        return cursor_refuse(c, 0, "the header does not continue the segment before" RESTORE);
    c->block = h.block;
    c->offset = h.block;
    c->next_seq = h.first_seq;
    c->chain = h.previous;
    c->chain_known = true;
    return 0;
}

/* The header at `offset`, and that its batch ends within what is durable. */
static int cursor_header(struct journal_cursor *c, uint64_t offset, struct batch_header *ret) {
    const uint8_t *at = NULL;
    struct batch_header h;
    if (c->window.limit - offset < c->block)
        return cursor_refuse(c, offset, "the segment ends inside a batch" RESTORE);
    int r = window_borrow(&c->window, offset, BATCH_HEADER_SIZE, &at);
    if (r < 0)
        return r;
    if (!batch_header_read(at, &c->j->options.key, c->ordinal, offset, &h))
        return cursor_refuse(c, offset, "the batch's header is damaged" RESTORE);
    if (batch_extent(&h, c->block) > c->window.limit - offset)
        return cursor_refuse(c, offset, "the segment ends inside a batch" RESTORE);
    *ret = h;
    return 0;
}

static int cursor_load(struct journal_cursor *c, const struct batch_header *h) {
    const uint8_t *at = NULL;
    if (c->chain_known && !(hash_equal(&h->previous, &c->chain) && h->first_seq == c->next_seq))
        return cursor_refuse(c, c->offset, "the chain of hashes is broken here" RESTORE);
    int r = window_borrow(&c->window, c->offset, batch_extent(h, c->block), &at);
    if (r < 0)
        return r;
    if (!batch_padding_zero(at, h, c->block))
        return cursor_refuse(c, c->offset, "the batch is damaged behind its records" RESTORE);
    c->rest = slice_from(at + BATCH_HEADER_SIZE, h->bytes);
    c->records_left = h->records;
    c->next_seq = h->first_seq;
    c->batch_end_seq = h->first_seq + h->seqs;
    if (c->batch_end_seq <= c->want_seq) {        /* on the way from the index to what was asked for */
        c->records_left = 0;
        c->next_seq = c->batch_end_seq;
    }
    c->chain = h->hash;
    c->chain_known = true;
    c->epoch = h->epoch;
    c->offset += batch_extent(h, c->block);
    return 1;
}

/* 1: a batch is at hand. 0: the end of what is durable. */
static int cursor_batch(struct journal_cursor *c) {
    struct batch_header h;
    c->window.limit = cursor_limit(c);
    while (c->offset >= c->window.limit) {
        if (c->ordinal == c->j->ordinal)
            return 0;
        int r = cursor_enter(c, c->ordinal + 1);
        if (r < 0)
            return r;
    }
    int r = cursor_header(c, c->offset, &h);
    return r < 0 ? r : cursor_load(c, &h);
}

int journal_next(struct journal_cursor *c, uint64_t *ret_first_seq, uint32_t *ret_seqs, struct slice *ret_record) {
    if (c->failed)
        return c->failed;
    for (;;) {
        while (c->records_left == 0) {
            int r = cursor_batch(c);
            if (r <= 0)
                return r;
        }
        uint64_t first = c->next_seq, at = c->offset;
        uint32_t seqs = 0;
        struct slice record = {0};
        if (!record_read(&c->rest, &seqs, &record) || seqs > c->batch_end_seq - first)
            return cursor_refuse(c, at, "a record of the batch that ends here is damaged" RESTORE);
        c->next_seq += seqs;
        c->records_left--;
        if (c->records_left == 0 && (c->rest.len != 0 || c->next_seq != c->batch_end_seq))
            return cursor_refuse(c, at, "the batch that ends here does not add up" RESTORE);
        if (c->next_seq <= c->want_seq)
            continue;
        *ret_first_seq = first;
        *ret_seqs = seqs;
        *ret_record = record;
        return 1;
    }
}

struct hash journal_cursor_chain(const struct journal_cursor *c) {
    return c->chain;
}

uint64_t journal_cursor_epoch(const struct journal_cursor *c) {
    return c->epoch;
}

const char *journal_cursor_problem(const struct journal_cursor *c) {
    return c->problem;
}

void journal_cursor_close(struct journal_cursor *c) {
    if (!c)
        return;
    if (c->window.fd >= 0)
        (void)close(c->window.fd);
    window_done(&c->window);
    free(c);
}

/* ---- going to a seq ---------------------------------------------------------------------------------------------- */

/* The last segment that begins at or before seq. An empty one begins where the next does, and so is never the one
 * that covers it. */
static uint64_t segment_of(const struct journal *j, uint64_t seq) {
    uint64_t low = j->first_ordinal, high = j->ordinal;
    while (low < high) {
        uint64_t middle = low + (high - low + 1) / 2;
        if (j->segments[middle - 1].first_seq <= seq)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

/* A sealed segment's index, made once by hopping from header to header. */
static int index_build(struct journal_cursor *c) {
    struct index *x = index_oldest(c->j);
    struct batch_header h;
    uint64_t limit = cursor_limit(c);
    index_begin(x, c->ordinal, limit);
    for (uint64_t offset = c->block; offset < limit; offset += batch_extent(&h, c->block)) {
        int r = cursor_header(c, offset, &h);
        if (r < 0) {
            *x = (struct index){0};
            return r;
        }
        index_note(x, &h);
    }
    x->used = ++c->j->index_uses;
    return 0;
}

static int cursor_seek(struct journal_cursor *c, uint64_t seq) {
    uint64_t ordinal = segment_of(c->j, seq);
    bool here = ordinal == c->ordinal && !c->failed;
    int r = 0;
    c->failed = 0;
    c->records_left = 0;
    c->want_seq = seq;
    c->chain_known = false;
    if (here)
        c->offset = c->block;
    else
        r = cursor_enter(c, ordinal);
    if (r < 0)
        return r;                                 /* it may still be nowhere */
    c->window.limit = cursor_limit(c);
    if (!index_borrow(c->j, ordinal))
        r = index_build(c);
    if (r < 0)
        return r;
    uint64_t offset = index_find(index_borrow(c->j, ordinal), seq);
    if (offset > c->offset) {
        c->offset = offset;
        c->chain_known = false;
    }
    return 0;
}

/* A cursor onto damage opens: its first journal_next says what is wrong. */
int journal_cursor_open(struct journal_cursor **ret, struct journal *j, uint64_t seq) {
    struct journal_cursor *c = calloc(1, sizeof *c);
    if (!c)
        return -ENOMEM;
    c->j = j;
    c->window.fd = -1;
    int r = cursor_seek(c, seq);
    if (r < 0 && r != -EBADMSG) {
        journal_cursor_close(c);
        return r;
    }
    *ret = c;
    return 0;
}

int journal_read(struct journal *j, uint64_t seq, uint64_t *ret_first_seq, struct slice *ret_record) {
    uint64_t first = 0;
    uint32_t seqs = 0;
    struct slice record = {0};
    if (seq < journal_first_seq(j) || seq > journal_durable_seq(j))
        return -ENOENT;
    int r = j->reading ? cursor_seek(j->reading, seq) : journal_cursor_open(&j->reading, j, seq);
    if (r == 0)
        r = journal_next(j->reading, &first, &seqs, &record);
    if (r < 0)
        return r;
    CHECK(r == 1 && first <= seq && seq - first < seqs);
    *ret_first_seq = first;
    *ret_record = record;
    return 0;
}

/* ---- bytes ------------------------------------------------------------------------------------------------------- */

int journal_part(struct journal *j, uint64_t ordinal, uint64_t offset, uint8_t *to, size_t cap,
                 struct journal_part *ret) {
    struct journal_part p = {.ordinal = ordinal ? ordinal : j->first_ordinal, .last_ordinal = j->ordinal};
    if (p.ordinal >= j->first_ordinal && p.ordinal <= j->ordinal)
        p.length = p.ordinal == j->ordinal ? j->used : j->segments[p.ordinal - 1].bytes;
    p.sealed = p.ordinal < j->ordinal;
    if (offset < p.length)
        p.bytes = p.length - offset < cap ? (size_t)(p.length - offset) : cap;
    int fd = -1, r = p.bytes ? segment_open(j->dir, p.ordinal, false, &fd) : 0;
    if (r == 0)
        r = file_read(fd, to, p.bytes, offset);
    if (fd >= 0)
        (void)close(fd);
    if (r == 0)
        *ret = p;
    return r;
}
