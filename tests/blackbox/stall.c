/* stall.c: a disk that does not answer, or slowly. Preloaded into a broker under test: while the file STALL exists, no
 * sync of the process comes back; when a number stands in it, each takes so many milliseconds longer. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { LOOK_US = 10000 };

/* Of the file; 0: it is empty, and -1: it is not there. */
static int stalled_ms(void) {
    const char *path = getenv("STALL");
    FILE *f = path ? fopen(path, "re") : NULL;
    int ms = 0;
    if (!f)
        return -1;
    if (fscanf(f, "%d", &ms) != 1)
        ms = 0;
    (void)fclose(f);
    return ms;
}

int fdatasync(int fd) {
    static int (*real)(int);
    int ms;
    while ((ms = stalled_ms()) == 0)
        (void)usleep(LOOK_US);
    if (ms > 0)
        (void)usleep((useconds_t)ms * 1000);
    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "fdatasync");
    return real(fd);
}
