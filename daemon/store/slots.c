/* slots.c: one flat file of keys. A slot is 32 bytes that never straddle a sector, so it is overwritten or it is
 * not. */
#include "daemon/store/slots.h"
#include "daemon/store/file.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    HEADER_SIZE = 4096,
    SLOTS_FORMAT = 1,
    PIECE_SLOTS = (64 << 10) / KEY_SIZE,          /* filled by one call of slots_ahead */
    WINDOW_SLOTS = 128,
};
_Static_assert(512 % KEY_SIZE == 0 && HEADER_SIZE % 512 == 0, "no slot straddles a sector");

struct slots {
    int fd;
    uint64_t filled;                              /* slots that are filled and synced */
    uint64_t ahead;
    bool drill;
    struct key seed;
    struct key piece[PIECE_SLOTS];                /* keys on their way to the file */
    uint64_t window_first;                        /* keys read lately: new cases take one slot after another */
    unsigned window_count;
    struct key window[WINDOW_SLOTS];
};

/* ---- header ------------------------------------------------------------------------------------------------------ */

static const uint8_t slots_magic[8] = "WHSLOTS";

enum {
    AT_FORMAT = 8, AT_SLOT_SIZE = 12, AT_STORE_ID = 16, AT_AHEAD = 32, AT_DRILL = 40, AT_SEED = 44, AT_CRC = 76,
    AT_REST = 80,
};

static void header_write(uint8_t to[static HEADER_SIZE], const uint8_t store_id[static 16], uint64_t ahead,
                         const struct key *seed) {
    memset(to, 0, HEADER_SIZE);
    memcpy(to, slots_magic, sizeof slots_magic);
    put_le32(to + AT_FORMAT, SLOTS_FORMAT);
    put_le32(to + AT_SLOT_SIZE, KEY_SIZE);
    memcpy(to + AT_STORE_ID, store_id, 16);
    put_le64(to + AT_AHEAD, ahead);
    put_le32(to + AT_DRILL, seed != NULL);
    if (seed)
        memcpy(to + AT_SEED, seed->byte, KEY_SIZE);
    put_le32(to + AT_CRC, crc32c(0, slice_from(to, AT_CRC)));
}

static bool header_good(const uint8_t from[static HEADER_SIZE], const uint8_t store_id[static 16]) {
    return memcmp(from, slots_magic, sizeof slots_magic) == 0
        && get_le32(from + AT_CRC) == crc32c(0, slice_from(from, AT_CRC))
        && get_le32(from + AT_FORMAT) == SLOTS_FORMAT && get_le32(from + AT_SLOT_SIZE) == KEY_SIZE
        && memcmp(from + AT_STORE_ID, store_id, 16) == 0 && bytes_zero(from + AT_REST, HEADER_SIZE - AT_REST);
}

/* ---- filling ----------------------------------------------------------------------------------------------------- */

static uint64_t slot_offset(uint64_t slot) {
    return HEADER_SIZE + slot * KEY_SIZE;
}

static void slot_draw(const struct slots *s, uint64_t slot, struct key *to) {
    if (!s->drill) {
        random_bytes(to->byte, KEY_SIZE);
        return;
    }
    uint8_t number[8];
    put_le64(number, slot);
    struct hash drawn = hash_keyed(&s->seed, slice_from(number, sizeof number));
    memcpy(to->byte, drawn.byte, KEY_SIZE);
}

/* Slots from..to have not been given out. What a crash left of an earlier filling may be zeroes, which would read as
 * wiped, or may be in the page cache only: so zeroes get a key, every other slot keeps its own, and all are written
 * and synced. */
static int fill_piece(struct slots *s, uint64_t from, size_t count) {
    size_t there = from >= s->filled ? 0 : s->filled - from < count ? (size_t)(s->filled - from) : count;
    CHECK(count <= PIECE_SLOTS);
    memset(s->piece, 0, sizeof s->piece);
    int r = file_read(s->fd, s->piece[0].byte, there * KEY_SIZE, slot_offset(from));
    if (r < 0)
        return r;
    if (!s->drill)
        random_bytes(&s->piece[there], (count - there) * KEY_SIZE);       /* once for all that are new */
    for (size_t i = 0; i < count; i++)
        if (bytes_zero(s->piece[i].byte, KEY_SIZE))
            slot_draw(s, from + i, &s->piece[i]);
    return file_write(s->fd, slice_from(s->piece, count * KEY_SIZE), slot_offset(from));
}

static int fill(struct slots *s, uint64_t from, uint64_t to) {
    int r = 0;
    for (uint64_t next = from; r == 0 && next < to; next += PIECE_SLOTS)
        r = fill_piece(s, next, to - next < PIECE_SLOTS ? (size_t)(to - next) : PIECE_SLOTS);
    wipe(s->piece, sizeof s->piece);
    if (r == 0 && fdatasync(s->fd) < 0)
        r = -errno;
    if (r == 0)
        s->filled = to;
    return r;
}

int slots_ahead(struct slots *s, uint64_t used, bool *ret_worked) {
    CHECK(used <= s->filled);
    uint64_t missing = used + s->ahead > s->filled ? used + s->ahead - s->filled : 0;
    int r = missing ? fill(s, s->filled, s->filled + (missing < PIECE_SLOTS ? missing : PIECE_SLOTS)) : 0;
    if (r == 0)
        *ret_worked = missing > 0;
    return r;
}

/* ---- create, open ------------------------------------------------------------------------------------------------ */

static int open_at(const char *dir, int flags, int *ret_dir, int *ret_fd) {
    int at = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (at < 0)
        return -errno;
    int fd = openat(at, "slots", flags | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        int r = -errno;
        (void)close(at);
        return r;
    }
    *ret_dir = at;
    *ret_fd = fd;
    return 0;
}

int slots_create(const char *dir, const uint8_t store_id[16], uint64_t wiped, uint64_t ahead,
                 const struct key *drill_seed) {
    CHECK(ahead >= 1);
    struct slots *s = calloc(1, sizeof *s);
    if (!s)
        return -ENOMEM;
    int at = -1, r = open_at(dir, O_RDWR | O_CREAT | O_EXCL, &at, &s->fd);
    if (r < 0) {
        free(s);
        return r;
    }
    uint8_t header[HEADER_SIZE];
    header_write(header, store_id, ahead, drill_seed);
    s->drill = drill_seed != NULL;
    if (drill_seed)
        s->seed = *drill_seed;
    r = file_write(s->fd, slice_from(header, sizeof header), 0);
    if (r == 0)
        r = fill(s, wiped, wiped + ahead);               /* what lies before is a hole: zeroes */
    if (r == 0 && (fsync(s->fd) < 0 || fsync(at) < 0))
        r = -errno;
    (void)close(at);
    slots_close(s);
    return r;
}

static int load(struct slots *s, const uint8_t store_id[static 16]) {
    uint8_t header[HEADER_SIZE];
    uint64_t size = 0;
    int r = file_size(s->fd, &size);
    if (r == 0 && size < sizeof header)
        r = -EBADMSG;
    if (r == 0)
        r = file_read(s->fd, header, sizeof header, 0);
    if (r == 0 && !header_good(header, store_id))
        r = -EBADMSG;
    if (r < 0)
        return r;
    s->filled = (size - HEADER_SIZE) / KEY_SIZE;
    s->ahead = get_le64(header + AT_AHEAD);
    s->drill = get_le32(header + AT_DRILL) != 0;
    memcpy(s->seed.byte, header + AT_SEED, KEY_SIZE);
    return 0;
}

int slots_open(struct slots **ret, const char *dir, const uint8_t store_id[16], uint64_t used, bool read_only) {
    struct slots *s = calloc(1, sizeof *s);
    if (!s)
        return -ENOMEM;
    int at = -1, r = open_at(dir, read_only ? O_RDONLY : O_RDWR, &at, &s->fd);
    if (r < 0) {
        free(s);
        return r;
    }
    (void)close(at);
    r = load(s, store_id);
    if (r == 0 && used > s->filled)
        r = -ESTALE;
    if (r == 0 && !read_only)
        r = fill(s, used, used + s->ahead > s->filled ? used + s->ahead : s->filled);
    if (r == 0)
        *ret = s;
    else
        slots_close(s);
    return r;
}

void slots_close(struct slots *s) {
    if (!s)
        return;
    (void)close(s->fd);
    wipe(s, sizeof *s);
    free(s);
}

/* ---- keys -------------------------------------------------------------------------------------------------------- */

static int window_load(struct slots *s, uint64_t slot) {
    uint64_t there = s->filled - slot;
    size_t count = there < WINDOW_SLOTS ? (size_t)there : WINDOW_SLOTS;
    s->window_count = 0;
    int r = file_read(s->fd, s->window[0].byte, count * KEY_SIZE, slot_offset(slot));
    if (r == 0) {
        s->window_first = slot;
        s->window_count = (unsigned)count;
    }
    return r;
}

int slots_key(struct slots *s, uint64_t slot, struct key *ret) {
    if (slot >= s->filled)
        return -ENOENT;
    bool here = slot >= s->window_first && slot - s->window_first < s->window_count;
    int r = here ? 0 : window_load(s, slot);
    if (r < 0)
        return r;
    const struct key *key = &s->window[slot - s->window_first];
    if (bytes_zero(key->byte, KEY_SIZE))
        return -ENODATA;
    *ret = *key;
    return 0;
}

/* Also for a slot that is wiped already: an erasure that a crash cut short is done again, and must reach the disk
 * this time. */
int slots_wipe(struct slots *s, uint64_t slot) {
    static const struct key zeroes;
    if (slot >= s->filled)
        return -ENOENT;
    s->window_count = 0;
    wipe(s->window, sizeof s->window);
    int r = file_write(s->fd, slice_from(zeroes.byte, KEY_SIZE), slot_offset(slot));
    return r == 0 && fdatasync(s->fd) < 0 ? -errno : r;
}

uint64_t slots_filled(const struct slots *s) {
    return s->filled;
}

uint64_t slots_bytes(const struct slots *s) {
    return slot_offset(s->filled);
}

uint64_t slots_bytes_of(uint64_t slots) {
    return slot_offset(slots);
}
