/* stall.c: a disk that does not answer. Preloaded into a broker under test: while the file STALL exists, no sync of the
 * process comes back. */
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>

int fdatasync(int fd) {
    static int (*real)(int);
    const char *path = getenv("STALL");
    while (path && access(path, F_OK) == 0)
        (void)usleep(10000);
    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "fdatasync");
    return real(fd);
}
