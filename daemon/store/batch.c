/* batch.c: one batch in memory. What its header says, whether it is ours, and the records inside. No files here. */
#include "daemon/store/journal_internal.h"
#include <string.h>

static const uint8_t batch_magic[8] = "WHBATCH";

/* ---- header ------------------------------------------------------------------------------------------------------ */

enum {                                            /* where a field stands; journal_internal.h has the whole picture */
    AT_FLAGS = 8, AT_RECORDS = 12, AT_ORDINAL = 16, AT_OFFSET = 24, AT_FIRST_SEQ = 32, AT_SEQS = 40, AT_BYTES = 48,
    AT_EPOCH = 56, AT_AT_MS = 64, AT_PREVIOUS = 72, AT_HASH = 104, AT_MAC = 136,
};
_Static_assert(AT_MAC + HASH_SIZE == BATCH_HEADER_SIZE, "the MAC closes the header");

static struct hash batch_hash(const uint8_t *batch, uint64_t payload_bytes) {
    struct hash_stream stream;
    hash_begin(&stream);
    hash_more(&stream, slice_from(batch, AT_HASH));
    hash_more(&stream, slice_from(batch + BATCH_HEADER_SIZE, payload_bytes));
    return hash_end(&stream);
}

void batch_header_write(uint8_t *to, const struct key *k, struct batch_header *h) {
    CHECK(h->bytes <= JOURNAL_BATCH_BYTES_MAX);
    CHECK((h->records == 0) == (h->seqs == 0) && (h->records == 0) == !!(h->flags & BATCH_WITNESS));
    memcpy(to, batch_magic, sizeof batch_magic);
    put_le32(to + AT_FLAGS, h->flags);
    put_le32(to + AT_RECORDS, h->records);
    put_le64(to + AT_ORDINAL, h->ordinal);
    put_le64(to + AT_OFFSET, h->offset);
    put_le64(to + AT_FIRST_SEQ, h->first_seq);
    put_le64(to + AT_SEQS, h->seqs);
    put_le64(to + AT_BYTES, h->bytes);
    put_le64(to + AT_EPOCH, h->epoch);
    put_le64(to + AT_AT_MS, (uint64_t)h->at_ms);
    memcpy(to + AT_PREVIOUS, h->previous.byte, HASH_SIZE);
    h->hash = batch_hash(to, h->bytes);
    memcpy(to + AT_HASH, h->hash.byte, HASH_SIZE);
    struct hash mac = hash_keyed(k, slice_from(to, AT_MAC));
    memcpy(to + AT_MAC, mac.byte, HASH_SIZE);
}

/* The cheap questions come first: recovery asks this of every block of a torn tail. */
bool batch_header_read(const uint8_t *from, const struct key *k, uint64_t ordinal, uint64_t offset,
                       struct batch_header *ret) {
    if (memcmp(from, batch_magic, sizeof batch_magic) != 0)
        return false;
    if (get_le64(from + AT_ORDINAL) != ordinal || get_le64(from + AT_OFFSET) != offset)
        return false;
    struct hash mac = hash_keyed(k, slice_from(from, AT_MAC)), said;
    memcpy(said.byte, from + AT_MAC, HASH_SIZE);
    if (!hash_equal(&mac, &said))
        return false;
    struct batch_header h = {
        .flags = get_le32(from + AT_FLAGS),
        .records = get_le32(from + AT_RECORDS),
        .ordinal = ordinal,
        .offset = offset,
        .first_seq = get_le64(from + AT_FIRST_SEQ),
        .seqs = get_le64(from + AT_SEQS),
        .bytes = get_le64(from + AT_BYTES),
        .epoch = get_le64(from + AT_EPOCH),
        .at_ms = (int64_t)get_le64(from + AT_AT_MS),
    };
    memcpy(h.previous.byte, from + AT_PREVIOUS, HASH_SIZE);
    memcpy(h.hash.byte, from + AT_HASH, HASH_SIZE);
    if (h.bytes > JOURNAL_BATCH_BYTES_MAX)
        return false;
    *ret = h;
    return true;
}

uint64_t batch_extent(const struct batch_header *h, uint32_t block) {
    CHECK(h->bytes <= JOURNAL_BATCH_BYTES_MAX);
    return round_up(BATCH_HEADER_SIZE + h->bytes, block);
}

bool batch_padding_zero(const uint8_t *batch, const struct batch_header *h, uint32_t block) {
    uint64_t end = BATCH_HEADER_SIZE + h->bytes;
    return bytes_zero(batch + end, batch_extent(h, block) - end);
}

bool batch_body_good(const uint8_t *batch, const struct batch_header *h, uint32_t block) {
    struct hash hash = batch_hash(batch, h->bytes);
    return hash_equal(&hash, &h->hash) && batch_padding_zero(batch, h, block);
}

/* ---- records ----------------------------------------------------------------------------------------------------- */

enum { AT_LENGTH = 0, AT_COVERS = 4, AT_CRC = 8 };
_Static_assert(AT_CRC + 4 == RECORD_HEADER_SIZE, "the CRC closes the record's header");

static uint32_t record_crc(const uint8_t *header, struct slice record) {
    return crc32c(crc32c(0, slice_from(header, AT_CRC)), record);
}

void record_write(uint8_t *to, struct slice record, uint32_t seqs) {
    CHECK(seqs >= 1);
    CHECK(record.len <= JOURNAL_RECORD_BYTES_MAX);
    put_le32(to + AT_LENGTH, (uint32_t)record.len);
    put_le32(to + AT_COVERS, seqs);
    put_le32(to + AT_CRC, record_crc(to, record));
    if (record.len)
        memcpy(to + RECORD_HEADER_SIZE, record.at, record.len);
}

bool record_read(struct slice *rest, uint32_t *ret_seqs, struct slice *ret_record) {
    if (rest->len < RECORD_HEADER_SIZE)
        return false;
    size_t len = get_le32(rest->at + AT_LENGTH);
    uint32_t seqs = get_le32(rest->at + AT_COVERS);
    if (len > rest->len - RECORD_HEADER_SIZE || seqs == 0)
        return false;
    struct slice record = slice_from(rest->at + RECORD_HEADER_SIZE, len);
    if (record_crc(rest->at, record) != get_le32(rest->at + AT_CRC))
        return false;
    *rest = slice_from(record.at + len, rest->len - RECORD_HEADER_SIZE - len);
    *ret_seqs = seqs;
    *ret_record = record;
    return true;
}
