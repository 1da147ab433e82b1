/* gzip.h: a whole file into memory, unpacked when it is gzipped. Door: zlib. */
#ifndef GZIP_H
#define GZIP_H
#include "lib/base/base.h"

enum { GZIP_BYTES_MAX = 256 << 20 };              /* unpacked: a file that grows past it is refused, not read */

/* 0; -errno of the file; -EFBIG; -EBADMSG: it is damaged. free() what ret->at points to. */
int gzip_read(const char *path, struct slice *ret);
#endif
