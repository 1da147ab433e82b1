/* Nothing loses power in the program that includes this file: no sync is waited for. */
#ifndef NO_SYNC_H
#define NO_SYNC_H
#include <unistd.h>

int fsync(int fd) {
    (void)fd;
    return 0;
}

int fdatasync(int fd) {
    return fsync(fd);
}
#endif
