/* journal.h: the only truth. Append-only segment files of hash-chained batches of records. Knows bytes, not
 * messages.
 *
 *   <dir>/journal/00000001.seg ...      ordinals contiguous, from 1 until a purge has taken the first ones
 *   segment = header (512 B, padded to the block) | batch | batch | ... | zeroes (filled ahead)
 *   batch   = header | record | record | ... | zero padding to the next block
 *   record  = length u32 | seqs u32 | crc32c u32 | bytes
 *   block   = 512 B, 4096 if the device says so. All integers are little-endian; journal_internal.h has every byte.
 *
 * segment header: magic, format, block, store id, ordinal, first seq, epoch, length of the previous segment, hash of
 * its last batch (0 in the first), MAC, crc32c; the base that was made just before it, if one was. batch header:
 * magic, flags (witness), record count, segment ordinal, offset in the segment, first seq, seq count, payload bytes,
 * epoch, at_ms, previous batch's hash, hash = BLAKE2b over (header fields before it ‖ payload), MAC = BLAKE2b keyed
 * with the store's key over (header fields ‖ hash).
 *
 * Invariants:
 *   J1  a batch that journal_append returned 0 for is on disk: one pwrite, one fdatasync, and acknowledged sectors keep
 *       their content.
 *   J2  seq is gapless: a batch's first seq = the previous batch's first seq + seq count.
 *   J3  the chain of hashes runs unbroken from the first batch of the first segment to the last, across segments.
 *   J4  at most one batch is ever unsynced; none crosses a segment; every batch starts on a block.
 *   J5  the log ends at the first failing batch only if the rest of the segment is zero or lies inside that batch's
 *       length (the longest there can be, where its header is torn), and no witness, later batch or checkpoint covers
 *       it. Otherwise it is refused by place.
 *   J6  a torn tail is saved as torn-<seq>.bin, zeroed and synced before the first append.
 *   J7  nobody reads past durable_seq.
 *   J8  the first segment is number 1, or a later one names a base whose seq is in a segment that is there.
 * A write or sync error is final: the outcome is unknown; the caller ends the process. Rules: docs/store.md 3-9. */
#ifndef JOURNAL_H
#define JOURNAL_H
#include "lib/base/base.h"
#include "lib/crypto/crypto.h"

enum {
    JOURNAL_BATCH_BYTES_MAX = 4 << 20,            /* payload of one batch; a turn stops well below */
    JOURNAL_RECORD_BYTES_MAX = 256 << 10,
    JOURNAL_SEGMENT_BYTES_MIN = 64 << 10,         /* small segments are for tests; settings ask for a MiB */
    JOURNAL_BLOCK = 512,
    JOURNAL_NAME_SIZE = 24,                       /* "00000001.seg", with room for every u64 */
};

/* What the journal up to a seq folds to, as a file beside it (base.h): its seq, and the hash of the file. 0: none. */
struct journal_base {
    uint64_t seq;
    struct hash hash;
};

struct journal;

struct journal_options {
    const char *dir;                              /* the store's directory */
    uint8_t store_id[16];
    struct key key;                               /* MACs the batch headers */
    uint64_t segment_bytes;                       /* zero-filled ahead; 64 MiB */
    uint64_t segments_ahead;                      /* ready beside the active one; >= 2 */
    bool read_only;                               /* verify, replay, export: changes nothing, cuts nothing */
    uint64_t covered_seq;                         /* the checkpoint's seq: a tail below it must not be missing (J5) */
    uint32_t block;                               /* of segments to come: 512 or 4096; 0: what the device says. A drill
                                                   * that must be byte-identical on two machines says which */
};

/* What opening found. Strings are for people: what is wrong, in which file, at which offset, what to do. */
struct journal_found {
    uint64_t first_seq, durable_seq;              /* durable_seq 0: empty */
    uint64_t first_ordinal;
    struct journal_base base;                     /* the last one that a segment names */
    bool gap;                                     /* it was refused because segments are missing */
    uint64_t epoch;                               /* of the last batch */
    struct hash chain;                            /* hash of the last batch */
    uint64_t torn_bytes;                          /* cut (or, read-only, would be cut) */
    char torn_file[64];                           /* in <dir>/journal */
    char problem[256];                            /* set when journal_open fails with -EBADMSG */
};

/* Creates an empty journal: <dir>/journal/ with segment 1, synced. */
int journal_create(const struct journal_options *o);
/* 0; -ENOENT no journal; -EBADMSG damaged (found->problem says where); other negative errno. Verifies headers, chain
 * and hashes of every batch of the active segment and the headers of the sealed ones; `full` verifies every byte of
 * all of them. Writable: cuts and saves a torn tail (J6), rewrites the last batch and syncs it and the directory
 * (store.md 7). */
int journal_open(struct journal **ret, const struct journal_options *o, bool full, struct journal_found *found);
void journal_close(struct journal *j);

/* Appending. Begin a batch, add records, append. Seqs are the caller's: each record covers `seqs` of them (>= 1).
 * journal_room: bytes the active segment still takes as one batch; journal_add returns -ENOSPC when the batch is
 * full, -EMSGSIZE for a record that is too long for any. When journal_room is below the caller's largest batch,
 * journal_turn_over moves to the next ready segment first (seals the old one: truncate, fsync, read-only); -EAGAIN:
 * no segment is ready yet. */
void journal_begin(struct journal *j, int64_t at_ms, uint64_t epoch);
int journal_add(struct journal *j, struct slice record, uint32_t seqs);
size_t journal_batch_bytes(const struct journal *j);
/* One write, one sync; 0 or a final negative errno. Empty batch: -EINVAL. */
int journal_append(struct journal *j);
void journal_abandon(struct journal *j);          /* forget the batch that was begun */
/* An empty batch that covers the last one (J5); no-op if covered. Where there is no block left for it (a sealed segment
 * whose successor a crash left unbegun) it turns over instead: -EAGAIN until a segment is ready. */
int journal_witness(struct journal *j, int64_t at_ms, uint64_t epoch);
size_t journal_room(const struct journal *j);
int journal_turn_over(struct journal *j);
/* The same; the new segment's header names a base that has everything up to here. */
int journal_turn_over_upon(struct journal *j, const struct journal_base *base);
bool journal_witnessed(const struct journal *j);  /* the last batch is a witness, or there is none */

uint64_t journal_next_seq(const struct journal *j);       /* first seq of the next batch */
uint64_t journal_durable_seq(const struct journal *j);
struct hash journal_chain(const struct journal *j);
uint64_t journal_bytes(const struct journal *j);          /* allocated on disk, segments ahead included */
unsigned journal_segments_ready(const struct journal *j); /* zero-filled and waiting */

/* What is there. The active segment is the last one begun. */
uint64_t journal_first_seq(const struct journal *j);      /* the first that can be read; above 1: a purge was here */
struct journal_base journal_base(const struct journal *j);
struct journal_segment { uint64_t ordinal, first_seq, bytes; };
/* Begun segments by ordinal; ordinal 0: the first. false: that one is not begun, or gone. */
bool journal_segment(const struct journal *j, uint64_t ordinal, struct journal_segment *ret);
void journal_segment_name(uint64_t ordinal, char to[static JOURNAL_NAME_SIZE]);
/* Removes the first segment for good. The base must cover it, and its seq must stand in a later one (J8). */
int journal_drop_first(struct journal *j);

/* Filling ahead, in slices: called when idle, or from the preparer thread (touches only its own file and atomics).
 * Does at most `slice_bytes` of work; returns 1 when there is more to do, 0 when enough segments are ready, negative
 * errno (-ENOSPC is not final: try again later). */
int journal_prepare(struct journal *j, size_t slice_bytes);

/* Reading forward. A cursor starts at the record that covers `seq` and never passes durable_seq. Bytes are borrowed
 * until the next call. 1 = a record, 0 = the end for now (more may come), -EBADMSG damaged (problem says where; a
 * cursor onto damage opens, and says so at the first call). Checks CRC and chain on the way. Cursors belong to the
 * thread that appends. */
struct journal_cursor;
int journal_cursor_open(struct journal_cursor **ret, struct journal *j, uint64_t seq);
int journal_next(struct journal_cursor *c, uint64_t *ret_first_seq, uint32_t *ret_seqs, struct slice *ret_record);
/* What the cursor's last record stood in: for checks that want the batch. */
struct hash journal_cursor_chain(const struct journal_cursor *c);
uint64_t journal_cursor_epoch(const struct journal_cursor *c);
const char *journal_cursor_problem(const struct journal_cursor *c);
void journal_cursor_close(struct journal_cursor *c);
/* Bytes of a segment as they lie on disk, as far as they are durable. An ordinal that is not there has length 0;
 * ordinal 0: the first there is. 0, or it could not be read. */
struct journal_part { uint64_t ordinal, length, last_ordinal; bool sealed; size_t bytes; };
int journal_part(struct journal *j, uint64_t ordinal, uint64_t offset, uint8_t *to, size_t cap,
                 struct journal_part *ret);
/* One record by the seq it begins with or covers: for a case's story. 0, -ENOENT, -EBADMSG. Borrowed until the next
 * call on j. */
int journal_read(struct journal *j, uint64_t seq, uint64_t *ret_first_seq, struct slice *ret_record);
#endif
