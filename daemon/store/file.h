/* file.h: whole reads and writes at an offset, and zeroes. Shared by the journal and the key slots. */
#ifndef FILE_H
#define FILE_H
#include "lib/base/base.h"

#include <sys/types.h>

enum { FILE_ZERO_PIECE = 256 << 10 };             /* more in one go stalls the syncs of others (docs/store.md) */

uint64_t round_up(uint64_t n, uint64_t to);
bool bytes_zero(const uint8_t *at, size_t len);
/* A new file of that name, to read and to write, or a negative errno. What an attempt that was cut short left there
 * goes first: it may be read-only by now, and only root could open it. */
int file_fresh(int dir, const char *name, mode_t mode);
int file_write(int fd, struct slice s, uint64_t offset);              /* all of it, or a negative errno */
int file_read(int fd, uint8_t *to, size_t len, uint64_t offset);      /* -EIO when the file ends before */
int file_size(int fd, uint64_t *ret);
int file_zero(int fd, uint64_t from, uint64_t to);                    /* in pieces, each of them synced */
int file_data_end(int fd, uint64_t from, uint64_t to, uint64_t *ret); /* behind the last byte not 0, or `from` */
#endif
