/* walk.c: the batches of one segment file, one after the other, for those who have the file and not the journal: a
 * backup of a living store, a restore, a follower. Nothing is believed that does not verify. */
#include "daemon/store/backup_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int walk_refuse(const struct segment_walk *w, const char *why, char problem[static STORE_PROBLEM_SIZE]) {
    return journal_refuse(problem, w->ordinal, w->offset, w->next_seq, why);
}

/* ---- the header -------------------------------------------------------------------------------------------------- */

static int judge_header(struct segment_walk *w, enum segment_state state, char problem[static STORE_PROBLEM_SIZE]) {
    if (state == SEGMENT_BLANK)
        return -ENODATA;
    if (state == SEGMENT_OTHER_STORE)
        return walk_refuse(w, "the segment belongs to another store", problem);
    if (state == SEGMENT_OTHER_KEY)
        return walk_refuse(w, "the segment does not verify under this store's key", problem);
    if (state == SEGMENT_NEWER)
        return walk_refuse(w, "a newer version of whistled wrote the segment: use that one", problem);
    if (state != SEGMENT_GOOD || w->header.ordinal != w->ordinal)
        return walk_refuse(w, "the segment's header is damaged", problem);
    return w->size < w->header.block ? -ENODATA : 0;
}

int walk_open(struct segment_walk *w, int journal, uint64_t ordinal, const struct identity *id,
              char problem[static STORE_PROBLEM_SIZE]) {
    uint8_t bytes[SEGMENT_HEADER_SIZE];
    *w = (struct segment_walk){.key = &id->key, .ordinal = ordinal, .window = {.fd = -1}};
    int fd = -1, r = segment_open(journal, ordinal, false, &fd);
    if (r < 0)
        return r;
    r = file_size(fd, &w->size);
    window_over(&w->window, fd, w->size);
    if (r == 0)
        r = w->size < sizeof bytes ? -ENODATA : file_read(fd, bytes, sizeof bytes, 0);
    if (r == 0)
        r = judge_header(w, segment_header_read(bytes, &id->key, id->id, &w->header), problem);
    if (r < 0) {
        walk_close(w);
        return r;
    }
    w->offset = w->header.block;
    w->next_seq = w->header.first_seq;
    w->chain = w->header.previous;
    w->epoch = w->header.epoch;
    return 0;
}

int walk_is_sealed(int journal, uint64_t ordinal, const struct identity *id, bool *ret) {
    struct segment_walk next;
    char ignored[STORE_PROBLEM_SIZE];
    int r = walk_open(&next, journal, ordinal + 1, id, ignored);
    if (r < 0 && r != -ENOENT && r != -ENODATA && r != -EBADMSG)
        return r;
    *ret = r == 0;
    if (r == 0)
        walk_close(&next);
    return 0;
}

int walk_continues(const struct segment_walk *w, const struct hash *chain, uint64_t next_seq, uint64_t bytes,
                   char problem[static STORE_PROBLEM_SIZE]) {
    const struct segment_header *h = &w->header;
    if (hash_equal(&h->previous, chain) && h->first_seq == next_seq && h->previous_bytes == bytes)
        return 0;
    return walk_refuse(w, "the segment does not continue the one before it", problem);
}

/* ---- batches ----------------------------------------------------------------------------------------------------- */

static int stop(struct segment_walk *w, const char *why) {
    w->why = why;
    return 0;
}

int walk_next(struct segment_walk *w) {
    const uint8_t *at = NULL;
    struct batch_header h;
    w->why = NULL;
    if (w->offset == w->size)
        return 0;
    if (w->size - w->offset < w->header.block)
        return stop(w, "the file ends inside a batch");
    int r = window_borrow(&w->window, w->offset, BATCH_HEADER_SIZE, &at);
    if (r < 0)
        return r;
    if (!batch_header_read(at, w->key, w->ordinal, w->offset, &h))
        return stop(w, bytes_zero(at, BATCH_HEADER_SIZE) ? "zeroes stand here" : "the batch's header is damaged");
    if (!hash_equal(&h.previous, &w->chain) || h.first_seq != w->next_seq)
        return stop(w, "the chain of hashes is broken here");
    uint64_t extent = batch_extent(&h, w->header.block);
    if (extent > w->size - w->offset)
        return stop(w, "the file ends inside a batch");
    r = window_borrow(&w->window, w->offset, extent, &at);
    if (r < 0)
        return r;
    if (!batch_body_good(at, &h, w->header.block))
        return stop(w, "the batch is damaged");
    w->batch = h;
    w->at = at;
    w->offset += extent;
    w->next_seq += h.seqs;
    w->chain = h.hash;
    w->epoch = h.epoch;
    return 1;
}

bool walk_is_cut(const struct segment_walk *w) {
    return w->why && strcmp(w->why, "the file ends inside a batch") == 0;
}

void walk_extend(struct segment_walk *w, uint64_t size) {
    CHECK(size >= w->size);
    w->size = size;
    window_over(&w->window, w->window.fd, size);
}

void walk_close(struct segment_walk *w) {
    if (w->window.fd >= 0)
        (void)close(w->window.fd);
    window_done(&w->window);
}

/* ---- which there are --------------------------------------------------------------------------------------------- */

int journal_ordinals(int journal, uint64_t *ret_first, uint64_t *ret_last, char problem[static STORE_PROBLEM_SIZE]) {
    struct segments_found there;
    int r = segments_find(journal, &there);
    if (r < 0)
        return r;
    if (there.first == 0)
        return -ENOENT;
    *ret_first = there.first;
    *ret_last = there.last;
    if (there.missing == 0)
        return 0;
    char name[JOURNAL_NAME_SIZE];
    journal_segment_name(there.missing, name);
    (void)snprintf(problem, STORE_PROBLEM_SIZE, "journal/%s is missing though later segments are there", name);
    return -EBADMSG;
}
