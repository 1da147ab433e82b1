/* pulse.c: the thread that tells systemd the truth. It shares one atomic with the turn: when it last came round.
 *
 * Waiting for a slow disk is not being dead: the watchdog is petted for up to three times its period while a turn is
 * late, with a status that says so; a turn that never comes round stops the petting, and systemd restarts us. */
#include "daemon/daemon.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

static atomic_int_fast64_t beat_ns;
static atomic_bool stop;
static pthread_t thread;
static uint64_t late_ms, watchdog_ms;

static void *pulse(void *unused) {
    (void)unused;
    const struct timespec tick = { .tv_nsec = 500000000 };
    bool told = false;
    while (!atomic_load(&stop)) {
        nanosleep(&tick, NULL);
        uint64_t silent_ms = (uint64_t)(clock_mono_ns() - atomic_load(&beat_ns)) / 1000000;
        bool late = silent_ms > late_ms;
        if (late && !told) {
            char text[96];
            snprintf(text, sizeof text, "a turn has taken %llu s so far: slow disk?",
                     (unsigned long long)silent_ms / 1000);
            notify_status(text);
            log_warn("turn.slow silent_ms=%llu", (unsigned long long)silent_ms);
        }
        if (told && !late) notify_status("serving");
        told = late;
        if (watchdog_ms && silent_ms < 3 * watchdog_ms) notify_watchdog();
    }
    return NULL;
}

void pulse_beat(void) {
    atomic_store(&beat_ns, clock_mono_ns());
}

void pulse_start(uint64_t slow_ms) {
    late_ms = slow_ms;
    watchdog_ms = notify_watchdog_ms();
    pulse_beat();
    CHECK(pthread_create(&thread, NULL, pulse, NULL) == 0);
}

void pulse_stop(void) {
    atomic_store(&stop, true);
    pthread_join(thread, NULL);
}
