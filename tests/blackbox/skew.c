/* skew.c: a wall clock that somebody else sets. Preloaded into a broker under test: file SKEW holds milliseconds to add
 * to CLOCK_REALTIME, and whether the kernel says that the clock is synchronised ("3600000 0"). */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/timex.h>
#include <time.h>

static void skew(long long *ret_ms, int *ret_synchronised) {
    const char *path = getenv("SKEW");
    FILE *f = path ? fopen(path, "re") : NULL;
    *ret_ms = 0;
    *ret_synchronised = 0;
    if (!f)
        return;
    if (fscanf(f, "%lld %d", ret_ms, ret_synchronised) != 2)
        *ret_ms = 0;
    (void)fclose(f);
}

int clock_gettime(clockid_t clock, struct timespec *ret) {
    static int (*real)(clockid_t, struct timespec *);
    long long ms;
    int unused;
    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "clock_gettime");
    int r = real(clock, ret);
    if (r == 0 && clock == CLOCK_REALTIME) {
        skew(&ms, &unused);
        ret->tv_sec += ms / 1000;
    }
    return r;
}

int adjtimex(struct timex *t) {
    long long unused;
    int synchronised;
    skew(&unused, &synchronised);
    t->status = synchronised ? 0 : STA_UNSYNC;
    return synchronised ? TIME_OK : TIME_ERROR;
}
