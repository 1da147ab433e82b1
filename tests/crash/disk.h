/* disk.h: what a power cut may leave of a tape: a disk that holds what was synced, what is under way, and images.
 *
 * Played entry by entry. What is under way is written, not synced; a sync of a file puts its bytes and size on the
 * disk, a sync of a directory its names. An image is the disk plus any part of what is under way:
 *
 *   KEPT       all of it (kill -9: the page cache survives)
 *   LOST       none
 *   SOME       each write, resize and name kept or lost by the dice
 *   TORN       the same, a write sector by sector of 512 bytes
 *   REORDERED  all but one that is not the last
 *   NAMELESS   all bytes, each name kept or lost
 *
 * A name that depends on a lost one (renamed from what is not there) is lost with it. */
#ifndef CRASH_DISK_H
#define CRASH_DISK_H
#include "tests/crash/tape.h"

enum disk_kind { DISK_KEPT, DISK_LOST, DISK_SOME, DISK_TORN, DISK_REORDERED, DISK_NAMELESS, DISK_KINDS };

enum { DISK_PAGE = 4096, DISK_SECTOR = 512, DISK_NAMES_MAX = 128, DISK_PENDING_MAX = 4096 };

/* Pages come from a pool and are shared with the disk that an image was made of, until they are written to. */
struct pool {
    uint8_t *base;
    size_t used, cap;
};

struct disk_file {
    bool there, dir;
    uint64_t size;
    uint8_t **pages;                              /* NULL: zeroes */
    size_t pages_count;
};

struct disk_name {
    uint32_t dir, inode;
    char name[TAPE_NAME_SIZE];
};

struct disk {
    struct pool *pool;
    struct disk_file file[TAPE_INODES_MAX];
    uint32_t files;
    struct disk_name name[DISK_NAMES_MAX];
    size_t names;
    const struct entry *pending[DISK_PENDING_MAX];
    size_t pending_count;
};

/* A liar's disk, for controls: what it says it synced it has not. */
enum disk_lie { DISK_HONEST, DISK_IGNORES_SYNCS, DISK_IGNORES_SYNCS_OF_STATE };

void pool_make(struct pool *p, size_t cap);
void pool_reset(struct pool *p);

void disk_begin(struct disk *d, struct pool *pool);                /* empty but for its root */
void disk_play(struct disk *d, const struct entry *e, enum disk_lie lie);
/* What is synced, in pages of another pool. */
void disk_copy(const struct disk *d, struct pool *pool, struct disk *ret);
/* What is under way on the one is under way on its copy as well. */
void disk_carry(const struct disk *d, struct disk *copy);
/* ret: a disk of its own with nothing under way, in `pool`, which is reset. */
void disk_image(const struct disk *d, enum disk_kind kind, uint64_t *dice, struct pool *pool, struct disk *ret);
/* Of all that an image shows: names and bytes. */
uint64_t disk_mark(const struct disk *d);
bool disk_names_pending(const struct disk *d);
/* As real files, below an empty directory; told of each. */
void disk_write(const struct disk *d, const char *root, struct tape *known);
uint64_t dice_roll(uint64_t *dice, uint64_t sides);
/* The file of that path below the root, or NULL; bytes of it. */
struct disk_file *disk_find(struct disk *d, const char *path);
void disk_put(struct disk *d, struct disk_file *f, uint64_t offset, const void *bytes, size_t len);
void disk_get(const struct disk_file *f, uint64_t offset, void *bytes, size_t len);
#endif
