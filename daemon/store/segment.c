/* segment.c: one file of the journal. Its bytes, its header, and its life: next.tmp, ready, active, sealed. */
#include "daemon/store/journal_internal.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* ---- header ------------------------------------------------------------------------------------------------------ */

static const uint8_t segment_magic[8] = "WHSEGMT";

enum {
    AT_FORMAT = 8, AT_BLOCK = 12, AT_STORE_ID = 16, AT_ORDINAL = 32, AT_FIRST_SEQ = 40, AT_EPOCH = 48,
    AT_PREVIOUS_BYTES = 56, AT_PREVIOUS = 64, AT_MAC = 96, AT_CRC = 128, AT_REST = 132,
    AT_BASE_SEQ = 136, AT_BASE_HASH = 144, AT_BASE_MAC = 176, AT_BASE_REST = 208,
};

void journal_segment_name(uint64_t ordinal, char to[static JOURNAL_NAME_SIZE]) {
    int n = snprintf(to, JOURNAL_NAME_SIZE, "%08llu.seg", (unsigned long long)ordinal);
    CHECK(n > 0 && n < JOURNAL_NAME_SIZE);
}

uint64_t segment_ordinal(const char *name) {
    struct slice s = slice_of(name);
    uint64_t ordinal = 0;
    if (s.len != 12 || !slice_equal(slice_from(s.at + 8, 4), SLICE(".seg")))
        return 0;
    return parse_u64(slice_from(s.at, 8), &ordinal) ? ordinal : 0;
}

void segment_header_write(uint8_t to[static SEGMENT_HEADER_SIZE], const struct key *k, const struct segment_header *h) {
    CHECK(h->ordinal >= 1 && h->first_seq >= 1);
    CHECK(h->block >= JOURNAL_BLOCK && h->block <= BLOCK_MAX);
    memset(to, 0, SEGMENT_HEADER_SIZE);
    memcpy(to, segment_magic, sizeof segment_magic);
    put_le32(to + AT_FORMAT, h->base.seq ? SEGMENT_FORMAT_BASE : SEGMENT_FORMAT);
    put_le32(to + AT_BLOCK, h->block);
    memcpy(to + AT_STORE_ID, h->store_id, sizeof h->store_id);
    put_le64(to + AT_ORDINAL, h->ordinal);
    put_le64(to + AT_FIRST_SEQ, h->first_seq);
    put_le64(to + AT_EPOCH, h->epoch);
    put_le64(to + AT_PREVIOUS_BYTES, h->previous_bytes);
    memcpy(to + AT_PREVIOUS, h->previous.byte, HASH_SIZE);
    struct hash mac = hash_keyed(k, slice_from(to, AT_MAC));
    memcpy(to + AT_MAC, mac.byte, HASH_SIZE);
    put_le32(to + AT_CRC, crc32c(0, slice_from(to, AT_CRC)));
    if (h->base.seq == 0)
        return;
    put_le64(to + AT_BASE_SEQ, h->base.seq);
    memcpy(to + AT_BASE_HASH, h->base.hash.byte, HASH_SIZE);
    mac = hash_keyed(k, slice_from(to, AT_BASE_MAC));
    memcpy(to + AT_BASE_MAC, mac.byte, HASH_SIZE);
}

static bool mac_good(const uint8_t *from, const struct key *k, size_t at) {
    struct hash mac = hash_keyed(k, slice_from(from, at)), said;
    memcpy(said.byte, from + at, HASH_SIZE);
    return hash_equal(&mac, &said);
}

/* The order matters: a newer format may have its CRC elsewhere, and another store's file has another key. */
static enum segment_state header_judge(const uint8_t *from, const struct key *k, const uint8_t *store_id) {
    if (bytes_zero(from, SEGMENT_HEADER_SIZE))
        return SEGMENT_BLANK;
    if (memcmp(from, segment_magic, sizeof segment_magic) != 0)
        return SEGMENT_FOREIGN;
    uint32_t format = get_le32(from + AT_FORMAT), rest = format == SEGMENT_FORMAT_BASE ? AT_BASE_REST : AT_REST;
    if (format > SEGMENT_FORMAT_BASE)
        return SEGMENT_NEWER;
    bool crc_good = get_le32(from + AT_CRC) == crc32c(0, slice_from(from, AT_CRC));
    if (!crc_good || !bytes_zero(from + rest, SEGMENT_HEADER_SIZE - rest))
        return SEGMENT_DAMAGED;
    if (memcmp(from + AT_STORE_ID, store_id, 16) != 0)
        return SEGMENT_OTHER_STORE;
    if (!mac_good(from, k, AT_MAC))
        return SEGMENT_OTHER_KEY;
    return format == SEGMENT_FORMAT || mac_good(from, k, AT_BASE_MAC) ? SEGMENT_GOOD : SEGMENT_DAMAGED;
}

enum segment_state segment_header_read(const uint8_t from[static SEGMENT_HEADER_SIZE], const struct key *k,
                                       const uint8_t store_id[static 16], struct segment_header *ret) {
    enum segment_state state = header_judge(from, k, store_id);
    if (state != SEGMENT_GOOD)
        return state;
    *ret = (struct segment_header){
        .block = get_le32(from + AT_BLOCK),
        .ordinal = get_le64(from + AT_ORDINAL),
        .first_seq = get_le64(from + AT_FIRST_SEQ),
        .epoch = get_le64(from + AT_EPOCH),
        .previous_bytes = get_le64(from + AT_PREVIOUS_BYTES),
    };
    memcpy(ret->store_id, from + AT_STORE_ID, sizeof ret->store_id);
    memcpy(ret->previous.byte, from + AT_PREVIOUS, HASH_SIZE);
    ret->base.seq = get_le64(from + AT_BASE_SEQ);
    memcpy(ret->base.hash.byte, from + AT_BASE_HASH, HASH_SIZE);
    return SEGMENT_GOOD;
}

/* ---- its life ---------------------------------------------------------------------------------------------------- */

/* A drive that writes 4 KiB at a time rewrites the neighbours of a 512-byte sector, acknowledged ones too. A
 * partition has no queue of its own: its disk, one folder up, has. Where nothing is known (tmpfs, a network) 4 KiB
 * is never wrong. */
uint32_t segment_device_block(int dir) {
    static const char *const up[] = {"", "../"};
    struct stat st;
    if (fstat(dir, &st) < 0)
        return BLOCK_MAX;
    for (size_t i = 0; i < COUNT_OF(up); i++) {
        char path[96], text[16];
        (void)snprintf(path, sizeof path, "/sys/dev/block/%u:%u/%squeue/physical_block_size", major(st.st_dev),
                       minor(st.st_dev), up[i]);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            continue;
        ssize_t n = read(fd, text, sizeof text);
        (void)close(fd);
        if (n > 1 && slice_equal(slice_from(text, (size_t)n), SLICE("512\n")))
            return JOURNAL_BLOCK;
        break;
    }
    return BLOCK_MAX;
}

/* Blocks are reserved at once, so that a full disk is found out before the work and not in its middle, and so that
 * they lie together. A filesystem that cannot reserve gives them out as they are written. */
int segment_allocate(int dir, uint64_t bytes, int *ret_fd) {
    int fd = openat(dir, "next.tmp", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    if (fallocate(fd, 0, 0, (off_t)bytes) < 0 && errno != EOPNOTSUPP) {
        int r = -errno;
        (void)close(fd);
        (void)unlinkat(dir, "next.tmp", 0);
        return r;
    }
    *ret_fd = fd;
    return 0;
}

int segment_publish(int dir, int fd, uint64_t ordinal) {
    char name[JOURNAL_NAME_SIZE];
    journal_segment_name(ordinal, name);
    if (fsync(fd) < 0 || renameat2(dir, "next.tmp", dir, name, RENAME_NOREPLACE) < 0)
        return -errno;
    int r = fsync(dir) < 0 ? -errno : 0;
    if (r < 0)
        (void)unlinkat(dir, name, 0);             /* it is tried again, and must not find the name taken */
    return r;
}

int segment_seal(int fd, uint64_t bytes) {
    if (ftruncate(fd, (off_t)bytes) < 0 || fchmod(fd, 0400) < 0 || fsync(fd) < 0)
        return -errno;
    return 0;
}

/* A segment whose sealing was cut short is still the active one, and already read-only. */
int segment_open(int dir, uint64_t ordinal, bool writable, int *ret_fd) {
    char name[JOURNAL_NAME_SIZE];
    journal_segment_name(ordinal, name);
    int flags = (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NOFOLLOW;
    int fd = openat(dir, name, flags);
    if (fd < 0 && errno == EACCES && writable && fchmodat(dir, name, 0600, 0) == 0)
        fd = openat(dir, name, flags);
    if (fd < 0)
        return -errno;
    *ret_fd = fd;
    return 0;
}

/* ---- a window ---------------------------------------------------------------------------------------------------- */

void window_over(struct window *w, int fd, uint64_t limit) {
    w->fd = fd;
    w->limit = limit;
    w->at = 0;
    w->len = 0;
}

static bool window_holds(const struct window *w, uint64_t offset, size_t len) {
    return offset >= w->at && offset - w->at <= w->len && w->len - (offset - w->at) >= len;
}

int window_borrow(struct window *w, uint64_t offset, size_t len, const uint8_t **ret) {
    enum { WINDOW_MIN = 64 << 10 };
    CHECK(offset <= w->limit && len <= w->limit - offset);
    if (!window_holds(w, offset, len)) {
        size_t want = len > WINDOW_MIN ? len : WINDOW_MIN;
        if (want > w->cap) {
            uint8_t *bytes = realloc(w->bytes, want);
            if (!bytes)
                return -ENOMEM;
            w->bytes = bytes;
            w->cap = want;
        }
        w->at = offset;
        w->len = 0;
        if (want > w->limit - offset)
            want = (size_t)(w->limit - offset);
        int r = file_read(w->fd, w->bytes, want, offset);
        if (r < 0)
            return r;
        w->len = want;
    }
    CHECK(window_holds(w, offset, len));
    *ret = w->bytes + (offset - w->at);
    return 0;
}

void window_done(struct window *w) {
    free(w->bytes);
    *w = (struct window){.fd = -1};
}
