/* tape.h: what a program asks of its disk, in order: writes, resizes, names, syncs.
 *
 * The C library's calls are replaced for the whole program, liblmdb included. They are done for real, so that the store
 * can read and map what it wrote; those on what lies below the tape's root are noted, too.
 *
 *   T1  an entry is on the tape in the order in which the call returned.
 *   T2  nothing is synced for real: what would have survived is decided by disk.h, from the tape.
 *   T3  modes, times and locks are not noted: no file's content depends on them. */
#ifndef TAPE_H
#define TAPE_H
#include "lib/base/base.h"

enum { TAPE_NAME_SIZE = 40, TAPE_INODES_MAX = 256, TAPE_ROOT = 0 };

enum tape_kind { TAPE_WRITE, TAPE_RESIZE, TAPE_SYNC, TAPE_CREATE, TAPE_MKDIR, TAPE_UNLINK, TAPE_RENAME };

struct entry {
    enum tape_kind kind;
    bool through;                                 /* a write by a descriptor with O_DSYNC: on disk when it returns */
    uint32_t inode;                               /* written, resized, synced; what a name stands for */
    uint64_t offset;                              /* of a write; the size of a resize */
    size_t len;
    uint8_t *bytes;
    uint32_t dir, to_dir;                         /* of a name; where it is renamed to */
    char name[TAPE_NAME_SIZE], to_name[TAPE_NAME_SIZE];
};

struct tape {
    struct entry *entries;
    size_t count, cap;
    uint32_t inodes;                              /* given out, the root's included */
    uint64_t host[TAPE_INODES_MAX];               /* the number that the real filesystem gave; 0: gone */
};

void tape_start(struct tape *t, const char *root);           /* one tape at a time */
/* A file that is there already, before anything happens to it. */
void tape_know(struct tape *t, uint32_t inode, const char *path);
void tape_stop(void);
void tape_free(struct tape *t);
#endif
