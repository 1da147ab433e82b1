/* Memory that is refused: the n-th allocation from a point on, once or from then on. The functions below take the
 * place of the C library's in the program that includes this file, for every library of it as well; one program, one
 * file that includes it. Under ASan they stand in front of its own.
 *
 *   bool hit = true;
 *   for (unsigned at = 1; hit; at++) {
 *       starve(at, ONCE);
 *       int r = whatever_may_fail();
 *       hit = feed();                            false: what was tried no longer asks n times
 *   } */
#ifndef BROKEN_MEMORY_H
#define BROKEN_MEMORY_H
#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

#ifdef __SANITIZE_ADDRESS__
#define MEMORY_OF(name) __interceptor_##name
#define EARLY __attribute__((no_sanitize("address", "undefined")))    /* asked before ASan is ready for it */
#else
#define MEMORY_OF(name) __libc_##name
#define EARLY
#endif
void *MEMORY_OF(malloc)(size_t size);
void *MEMORY_OF(calloc)(size_t count, size_t size);
void *MEMORY_OF(realloc)(void *old, size_t size);
void *MEMORY_OF(memalign)(size_t align, size_t size);

enum { ONCE, FROM_THEN_ON };
static struct memory {
    atomic_bool armed;
    atomic_uint seen;                             /* allocations so far */
    unsigned at;                                  /* the one that fails */
    int how;
} whole, *memory = &whole;                        /* shared with children: they look at tables */
static bool counting;

/* A child that hands in the lines it took asks on its own behalf. */
void child_counts(void) {
    counting = true;
}

/* First of all, once. */
static bool memory_share(void) {
    memory = mmap(NULL, sizeof *memory, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return memory != MAP_FAILED;
}

static void starve(unsigned at, int how) {
    memory->seen = 0;
    memory->at = at, memory->how = how;
    memory->armed = true;
}

/* Whether anything failed: false ends the series. */
static bool feed(void) {
    memory->armed = false;
    return memory->seen >= memory->at;
}

EARLY static bool refused(void) {
    if (!memory->armed || counting)
        return false;
    unsigned n = ++memory->seen;
    bool now = n == memory->at || (memory->how == FROM_THEN_ON && n > memory->at);
    if (now)
        errno = ENOMEM;
    return now;
}

EARLY void *malloc(size_t size) {
    return refused() ? NULL : MEMORY_OF(malloc)(size);
}

EARLY void *calloc(size_t count, size_t size) {
    return refused() ? NULL : MEMORY_OF(calloc)(count, size);
}

EARLY void *realloc(void *old, size_t size) {
    return refused() ? NULL : MEMORY_OF(realloc)(old, size);
}

EARLY void *aligned_alloc(size_t align, size_t size) {
    return refused() ? NULL : MEMORY_OF(memalign)(align, size);
}

EARLY void *reallocarray(void *old, size_t count, size_t size) {
    if (size && count > SIZE_MAX / size) {
        errno = ENOMEM;
        return NULL;
    }
    return realloc(old, count * size);
}
#endif
