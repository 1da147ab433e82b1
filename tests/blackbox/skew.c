/* skew.c: a wall clock that somebody else sets. Preloaded into a broker under test, which maps the file SKEW: whether
 * the kernel says that the clock is synchronised, for how many milliseconds the machine slept, which counts for
 * CLOCK_BOOTTIME, too, and milliseconds to add to CLOCK_REALTIME. Of both, whole seconds count. No look at the clock
 * opens a file: what a broker holds open is counted, and how soon it answers measured. */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

struct skew { int64_t synchronised, slept_ms, ms; };

static const struct skew none;
static const volatile struct skew *skew = &none;

__attribute__((constructor)) static void skew_map(void) {
    const char *path = getenv("SKEW");
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    struct stat st = {.st_size = 0};
    void *at = mmap(NULL, sizeof *skew, PROT_READ, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED || fstat(fd, &st) < 0 || st.st_size != sizeof *skew) {
        (void)fprintf(stderr, "skew: SKEW names no file of %zu bytes\n", sizeof *skew);
        _exit(70);
    }
    (void)close(fd);
    skew = at;
}

int clock_gettime(clockid_t clock, struct timespec *ret) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "clock_gettime");
    int r = real(clock, ret);
    if (r != 0 || (clock != CLOCK_REALTIME && clock != CLOCK_BOOTTIME))
        return r;
    ret->tv_sec += (skew->slept_ms + (clock == CLOCK_REALTIME ? skew->ms : 0)) / 1000;
    return r;
}

int adjtimex(struct timex *t) {
    int64_t synchronised = skew->synchronised;
    t->status = synchronised ? 0 : STA_UNSYNC;
    return synchronised ? TIME_OK : TIME_ERROR;
}
