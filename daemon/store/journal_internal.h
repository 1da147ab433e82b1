/* journal_internal.h: the format of the journal's files, byte by byte, and what its five sources share. Only they
 * include it.
 *
 *   batch.c          one batch in memory: its header, its hash, its records
 *   segment.c        one file: its name, its header, reserving it, sealing it
 *   journal.c        creating, appending, turning over, filling ahead
 *   journal_open.c   is everything there, where does the log end, what of the tail is cut
 *   cursor.c         reading forward, and the sparse index that finds a seq
 *
 * All integers are little-endian. `block` is 512, or 4096 where the device says that it writes that much at a time.
 *
 *   NNNNNNNN.seg              eight digits, from 00000001, without a gap
 *       0  segment header     512 bytes, then zeroes up to the block
 *   block  batch, batch ...   each begins on a block, none crosses the file's end
 *     ...  zeroes             to the end of the file; a sealed file ends behind its last batch
 *
 *   segment header                                 batch header
 *       0   8  magic "WHSEGMT\0"                       0   8  magic "WHBATCH\0"
 *       8   4  format, 1; 2 with a base                8   4  flags: 1 = witness
 *      12   4  block                                  12   4  records
 *      16  16  store id                               16   8  ordinal of the segment
 *      32   8  ordinal, from 1                        24   8  offset of this header in the segment
 *      40   8  first seq                              32   8  first seq
 *      48   8  epoch of the batch before              40   8  seqs
 *      56   8  length of the segment before           48   8  bytes of payload
 *      64  32  hash of the batch before, or 0         56   8  epoch
 *      96  32  MAC of bytes 0..95                     64   8  at_ms, UTC, signed
 *     128   4  CRC32C of bytes 0..127                 72  32  hash of the batch before, or 0
 *     132   4  zeroes                                104  32  hash: BLAKE2b-256 of bytes 0..103 and the payload
 *                                                    136  32  MAC of bytes 0..135
 *   record                                           168      payload: the records, one behind the other,
 *       0   4  length                                         then zeroes up to the block
 *       4   4  seqs that it covers, at least 1
 *       8   4  CRC32C of bytes 0..7 and the record's own bytes
 *      12      the record's own bytes
 *
 *   The rest of a segment header is zeroes, unless a base was made just before the segment was begun (format 2):
 *     136   8  seq of the base: first seq - 1          176  32  MAC of bytes 0..175
 *     144  32  hash of the base's file                 208 304  zeroes
 *
 * MAC = BLAKE2b-256 under the store's key. The two magics keep the two kinds of header apart under one key, and a
 * batch names its own segment and offset: a true header that a client sends back to us inside a record is not
 * believed at another place.
 *
 * Files beside the segments: next.tmp, being filled, worth nothing after a crash; torn-SEQ.bin, what recovery cut
 * off. */
#ifndef JOURNAL_INTERNAL_H
#define JOURNAL_INTERNAL_H
#include "daemon/store/file.h"
#include "daemon/store/journal.h"
#include <stdatomic.h>

enum {
    SEGMENT_FORMAT = 1, SEGMENT_FORMAT_BASE = 2,
    SEGMENT_HEADER_SIZE = 512,
    BATCH_HEADER_SIZE = 168,
    RECORD_HEADER_SIZE = 12,
    BLOCK_MAX = 4096,
    PROBLEM_SIZE = 256,
    INDEX_ENTRIES = 1024,                         /* 64 MiB / 64 KiB */
    INDEX_STRIDE_MIN = 64 << 10,
    INDEX_SEALED_MAX = 16,                        /* sealed segments whose index is kept: 16 KiB each */
};
_Static_assert(BATCH_HEADER_SIZE <= (int)JOURNAL_BLOCK, "a header lies in one sector: it is there or it is not");
_Static_assert(SEGMENT_HEADER_SIZE <= (int)JOURNAL_BLOCK, "and so does a segment's");
_Static_assert((int)JOURNAL_RECORD_BYTES_MAX + RECORD_HEADER_SIZE <= (int)JOURNAL_BATCH_BYTES_MAX, "a record fits");

/* ---- segment.c: one file ----------------------------------------------------------------------------------------- */

struct segment_header {
    uint32_t block;
    uint8_t store_id[16];
    uint64_t ordinal, first_seq, epoch;
    uint64_t previous_bytes;
    struct hash previous;
    struct journal_base base;                     /* seq 0: none */
};

enum segment_state {
    SEGMENT_GOOD,
    SEGMENT_BLANK,                                /* nothing but zeroes: filled ahead, not begun */
    SEGMENT_FOREIGN,                              /* no magic */
    SEGMENT_NEWER,
    SEGMENT_DAMAGED,
    SEGMENT_OTHER_STORE,
    SEGMENT_OTHER_KEY,
};

uint64_t segment_ordinal(const char *name);                      /* 0: not a segment's name */
void segment_header_write(uint8_t to[static SEGMENT_HEADER_SIZE], const struct key *k, const struct segment_header *h);
enum segment_state segment_header_read(const uint8_t from[static SEGMENT_HEADER_SIZE], const struct key *k,
                                       const uint8_t store_id[static 16], struct segment_header *ret);
uint32_t segment_device_block(int dir);                          /* what the device under `dir` writes at a time */
int segment_allocate(int dir, uint64_t bytes, int *ret_fd);                  /* next.tmp, with its blocks reserved */
int segment_publish(int dir, int fd, uint64_t ordinal);                      /* fsync, rename, fsync the directory */
int segment_seal(int fd, uint64_t bytes);                                    /* truncate, read-only, fsync */
int segment_open(int dir, uint64_t ordinal, bool writable, int *ret_fd);

/* Bytes of a file, read at least 64 KiB at a time, never past `limit`: what lies behind it may still change. */
struct window {
    int fd;
    uint64_t limit;
    uint8_t *bytes;
    size_t cap;
    uint64_t at;                                  /* bytes[0..len) are the file's at..at+len */
    size_t len;
};
void window_over(struct window *w, int fd, uint64_t limit);      /* forgets what it holds, keeps its memory */
/* Valid until the next borrow. */
int window_borrow(struct window *w, uint64_t offset, size_t len, const uint8_t **ret);
void window_done(struct window *w);                                          /* the fd is not its own */

/* ---- batch.c: one batch ------------------------------------------------------------------------------------------ */

enum { BATCH_WITNESS = 1 };

struct batch_header {
    uint32_t flags, records;
    uint64_t ordinal, offset, first_seq, seqs, bytes, epoch;
    int64_t at_ms;
    struct hash previous, hash;
};

/* Sets h->hash over the payload, which stands BATCH_HEADER_SIZE behind `to`. */
void batch_header_write(uint8_t *to, const struct key *k, struct batch_header *h);
/* False unless we wrote these bytes, under this key, for this place. */
bool batch_header_read(const uint8_t *from, const struct key *k, uint64_t ordinal, uint64_t offset,
                       struct batch_header *ret);
uint64_t batch_extent(const struct batch_header *h, uint32_t block);         /* header, payload and padding */
bool batch_padding_zero(const uint8_t *batch, const struct batch_header *h, uint32_t block);
bool batch_body_good(const uint8_t *batch, const struct batch_header *h, uint32_t block);  /* hash and padding */

void record_write(uint8_t *to, struct slice record, uint32_t seqs);          /* RECORD_HEADER_SIZE + record.len bytes */
/* Takes the first record off `rest`. False: it does not stand. */
bool record_read(struct slice *rest, uint32_t *ret_seqs, struct slice *ret_record);

/* ---- the journal ------------------------------------------------------------------------------------------------- */

/* Where a seq may be found: about one entry every `stride` bytes. */
struct index {
    uint64_t ordinal;                             /* 0: unused */
    uint64_t used;                                /* by the journal's count of uses: the least is replaced */
    uint64_t stride;
    uint32_t count;
    struct index_entry { uint64_t first_seq, offset; } entry[INDEX_ENTRIES];
};

struct segment { uint64_t first_seq, bytes; };    /* bytes: sealed length; the active one's is journal.used */

struct journal {
    int dir;                                      /* <dir>/journal */
    struct journal_options options;               /* .dir is not kept */
    uint32_t block_next;                          /* block of segments to come */

    /* The active segment. */
    int fd;
    uint64_t ordinal, used, capacity;
    uint32_t block;
    uint64_t next_seq, epoch;
    struct hash chain;
    bool witnessed;
    int broken;                                   /* the errno after which nothing is known any more */

    /* The batch that was begun, header and payload, as it will be written. */
    uint8_t *buffer;
    struct batch_header batch;
    bool begun;

    struct segment *segments;                     /* [ordinal - 1], from the first one up to the active one */
    size_t segments_cap;
    uint64_t first_ordinal;
    struct journal_base base;                     /* the last one that a segment names */
    uint64_t sealed_bytes;
    struct index index;                           /* of the active segment */
    struct index sealed[INDEX_SEALED_MAX];
    uint64_t index_uses;
    struct journal_cursor *reading;               /* journal_read's own */

    /* The preparer's: its file, and the three numbers that both sides look at. */
    int fill_fd;
    uint64_t fill_bytes, fill_done;
    atomic_uint_fast64_t active_ordinal;          /* written by the owner */
    atomic_uint_fast64_t last_ordinal;            /* written by the preparer: the last segment that is ready */
    atomic_uint_fast64_t ahead_bytes;             /* ready and being filled; both sides add and subtract */
};

int journal_segments_note(struct journal *j, uint64_t ordinal, struct segment s);    /* journal.c */
/* journal_open.c: which segment files there are in a folder. */
struct segments_found { uint64_t first, last, missing; };       /* 0: none. missing: the lowest one between others */
int segments_find(int dir, struct segments_found *ret);
/* j->dir is open and the options stand; the caller closes what there is when it fails. */
int journal_recover(struct journal *j, bool full, struct journal_found *found);

/* cursor.c, for the others */
void index_begin(struct index *x, uint64_t ordinal, uint64_t capacity);
void index_note(struct index *x, const struct batch_header *h);
void index_keep(struct journal *j);               /* the active segment was sealed: its index joins the others */

/* Ends most refusals: recovery cuts nothing that was acknowledged, so a whole copy is what helps. */
#define RESTORE "; restore the file from a backup"

/* Says what is wrong, where, and what to do about it. Always -EBADMSG. */
int journal_refuse(char problem[static PROBLEM_SIZE], uint64_t ordinal, uint64_t offset, uint64_t seq,
                   const char *what);
#endif
