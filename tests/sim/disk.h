/* disk.h: a disk that forgets what was not synced.
 *
 * The C library's write calls are replaced for the whole program, liblmdb included. Calls on files below `root` are
 * done for real, and remembered with the bytes they covered until their file is synced. When the power goes, what is
 * remembered is taken back, and any part of it done again: all, none, some writes of many, some sectors of a write.
 *
 *   D1  what was synced, or written through a descriptor opened with O_DSYNC, is never taken back.
 *   D2  a sector of 512 bytes is never torn.
 *   D3  names (create, rename, unlink) are durable at once; tests/crash looks at those that are not.
 *
 * Before each write and sync the world is asked whether it happens, fails, or never comes back. It is told by how much
 * the file grows: a full disk takes what only overwrites. */
#ifndef DISK_H
#define DISK_H
#include "lib/base/base.h"

enum disk_call { DISK_WRITE, DISK_SYNC, DISK_RESIZE, DISK_CALLS };

/* 0: it happens; an errno: it fails. Need not return: then the power is gone before the call. */
extern int (*disk_asks)(enum disk_call call, uint64_t grows);

void disk_attach(const char *root);
/* The power is gone. roll(n) draws a number below n. Descriptors of the dead are closed. */
void disk_lose(uint64_t (*roll)(uint64_t sides));
void disk_close_all(void);                        /* kill -9: the page cache survives, the descriptors do not */
size_t disk_unsynced(void);                       /* writes that could be lost */
uint64_t disk_calls(enum disk_call call);
uint64_t disk_failed_syncs(void);
#endif
