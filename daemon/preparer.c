/* preparer.c: the thread that zero-fills the next journal segments, a slice at a time, so that a turn never waits for
 * it. */
#include "daemon/daemon.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

enum { SLICE_BYTES = 256 << 10 };

static atomic_bool stop;
static pthread_t thread;

static void *prepare(void *store) {
    const struct timespec breath = { .tv_nsec = 2000000 }, rest = { .tv_nsec = 50000000 };
    bool told = false;
    while (!atomic_load(&stop)) {
        int r = store_prepare(store, SLICE_BYTES);
        if (r < 0 && !told)
            log_warn("journal.no_space error=\"%s\" effect=\"reports are refused until there is\"", strerror(-r));
        if (r == 0 && told) log_info("journal.space_again");
        told = r < 0 || (told && r > 0);
        nanosleep(r > 0 ? &breath : &rest, NULL);
    }
    return NULL;
}

/* The rules that a start adopts may have taken the last segment that was ready. Whoever is told that we serve may
 * report at once, so the next one is made here. What goes wrong is the thread's to tell: it meets it, too. */
void preparer_start(struct store *s) {
    (void)store_prepare_now(s);
    CHECK(pthread_create(&thread, NULL, prepare, s) == 0);
}

void preparer_stop(void) {
    atomic_store(&stop, true);
    pthread_join(thread, NULL);
}
