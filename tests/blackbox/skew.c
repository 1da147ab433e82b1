/* skew.c: a wall clock that somebody else sets. Preloaded into a broker under test: file SKEW holds milliseconds to add
 * to CLOCK_REALTIME, whether the kernel says that the clock is synchronised ("3600000 0"), and, where it stands, for
 * how many milliseconds the machine slept: those count for CLOCK_BOOTTIME, too ("0 0 86400000"). */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/timex.h>
#include <time.h>

struct skew { long long ms, slept_ms; int synchronised; };

static struct skew skew(void) {
    const char *path = getenv("SKEW");
    FILE *f = path ? fopen(path, "re") : NULL;
    struct skew s = {0};
    if (!f)
        return s;
    if (fscanf(f, "%lld %d %lld", &s.ms, &s.synchronised, &s.slept_ms) < 2)
        s = (struct skew){0};
    (void)fclose(f);
    return s;
}

int clock_gettime(clockid_t clock, struct timespec *ret) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "clock_gettime");
    int r = real(clock, ret);
    if (r != 0 || (clock != CLOCK_REALTIME && clock != CLOCK_BOOTTIME))
        return r;
    struct skew s = skew();
    ret->tv_sec += (s.slept_ms + (clock == CLOCK_REALTIME ? s.ms : 0)) / 1000;
    return r;
}

int adjtimex(struct timex *t) {
    int synchronised = skew().synchronised;
    t->status = synchronised ? 0 : STA_UNSYNC;
    return synchronised ? TIME_OK : TIME_ERROR;
}
