/* disk_syncs: what the disk takes for 4 KiB overwritten and synced, in a file that was filled before: the least that an
 * acknowledgement costs here.
 *
 *   disk_syncs <directory> [seconds] */
#include "lib/base/base.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BLOCK = 4096, BLOCKS = 2048, SAMPLES_MAX = 1 << 18 };

static void must(bool good, const char *what) {
    if (good)
        return;
    (void)fprintf(stderr, "disk_syncs: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int by_size(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv) {
    static uint8_t block[BLOCK];
    static int64_t took_ns[SAMPLES_MAX];
    char path[4096];
    size_t count = 0;
    if (argc < 2)
        return (void)fprintf(stderr, "usage: disk_syncs <directory> [seconds]\n"), 2;
    (void)snprintf(path, sizeof path, "%s/disk_syncs", argv[1]);
    int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
    must(fd >= 0, path);
    for (off_t i = 0; i < BLOCKS; i++)
        must(pwrite(fd, block, BLOCK, i * BLOCK) == BLOCK, "write");
    must(fsync(fd) == 0, "fsync");
    int64_t now = clock_mono_ns(), end = now + (int64_t)((argc > 2 ? strtod(argv[2], NULL) : 1) * 1e9);
    for (; now < end && count < SAMPLES_MAX; count++) {
        int64_t began = now;
        block[0] = (uint8_t)count;
        must(pwrite(fd, block, BLOCK, (off_t)(count % BLOCKS) * BLOCK) == BLOCK && fdatasync(fd) == 0, "fdatasync");
        now = clock_mono_ns();
        took_ns[count] = now - began;
    }
    (void)unlink(path);
    must(count > 0, "no time to measure");
    qsort(took_ns, count, sizeof took_ns[0], by_size);
    (void)printf("p50 %.0f us, p99 %.0f us, max %.0f us\n", (double)took_ns[count / 2] / 1e3,
                 (double)took_ns[count * 99 / 100] / 1e3, (double)took_ns[count - 1] / 1e3);
    return 0;
}
