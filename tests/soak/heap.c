/* heap.c: how much of what it asked for a program has not given back. Preloaded; once a second it writes into the file
 * HEAP, which it maps, how many bytes malloc has handed out and not got back: of all arenas together, and in blocks so
 * large that each is a mapping of its own, which are rooms made at the start, touched or not. What is resident says
 * less: a burst leaves pages behind that are free and used again, and looks like a leak until they are all there.
 * LEAK=n loses so many bytes a second, to see whether that is found. */
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct heap { uint64_t arenas, blocks; };

static volatile struct heap *heap;

static void *look(void *unused) {
    const char *leak = getenv("LEAK");
    size_t lost = leak ? strtoul(leak, NULL, 10) : 0;
    for (;; (void)sleep(1)) {
        void *gone = lost ? malloc(lost) : NULL;
        if (gone)
            memset(gone, 1, lost);
        struct mallinfo2 m = mallinfo2();
        heap->arenas = m.uordblks;
        heap->blocks = m.hblkhd;
    }
    return unused;
}

__attribute__((constructor)) static void heap_watch(void) {
    const char *path = getenv("HEAP");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    heap = mmap(NULL, sizeof *heap, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    pthread_t thread;
    if (heap == MAP_FAILED || close(fd) < 0 || pthread_create(&thread, NULL, look, NULL) != 0) {
        perror("heap: watch HEAP");
        _exit(70);
    }
}
