#include "ctl/gzip.h"

#include <errno.h>
#include <stdlib.h>
#include <zlib.h>

/* Reads to the end into memory that doubles. */
static int read_all(gzFile file, uint8_t **memory, size_t *ret_len) {
    size_t len = 0;
    for (size_t cap = 1 << 20; cap <= GZIP_BYTES_MAX; cap *= 2) {
        uint8_t *more = realloc(*memory, cap);
        if (!more) return -ENOMEM;
        *memory = more;
        while (len < cap) {
            int got = gzread(file, more + len, (unsigned)(cap - len));
            if (got < 0) return -EBADMSG;
            if (got == 0) return *ret_len = len, 0;
            len += (size_t)got;
        }
    }
    return -EFBIG;
}

int gzip_read(const char *path, struct slice *ret) {
    uint8_t *memory = NULL;
    size_t len = 0;
    errno = 0;
    gzFile file = gzopen(path, "rb");
    if (!file) return errno ? -errno : -ENOMEM;
    int r = read_all(file, &memory, &len);
    int closed = gzclose(file);                   /* Z_BUF_ERROR: it ends in the middle of something */
    if (r == 0 && closed != Z_OK) r = -EBADMSG;
    if (r < 0) {
        free(memory);
        return r;
    }
    *ret = slice_from(memory, len);
    return 0;
}
