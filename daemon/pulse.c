/* pulse.c: the thread that tells systemd the truth. It shares a few atomics with the turn: what the process is at, when
 * it last came round, how far it has come.
 *
 *   starting, stopping   EXTEND_TIMEOUT_USEC while there is progress: a long journal takes its time to be folded
 *   serving              WATCHDOG=1 while the turn comes round
 *
 * Waiting for a slow disk is not being dead: the watchdog is petted for up to three times its period while a turn is
 * late, with a status that says so; a turn that never comes round stops the petting, and systemd restarts us. */
#include "daemon/daemon.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

enum {
    TICK_MS = 500,
    EXTEND_MS = 30000,                            /* asked for again at every tick */
    PATIENCE_MS = 600000,                         /* while starting: a row or a segment may be far from the next */
    STATUS_BYTES_MAX = 96,
};

static atomic_int_fast64_t beat_ns;
static atomic_uint_fast64_t folded;
static _Atomic enum pulse_phase phase;
static _Atomic(const char *) status;              /* while all is well */
static atomic_bool stop;
static pthread_t thread;
static uint64_t late_ms, watchdog_ms;

static uint64_t silent_ms(void) {
    return (uint64_t)(clock_mono_ns() - atomic_load(&beat_ns)) / 1000000;
}

/* ---- one tick -------------------------------------------------------------------------------------------------- */

/* How far the folding has come is said when it has moved. */
static void tick_on_the_way(void) {
    static uint64_t told;
    char text[STATUS_BYTES_MAX];
    uint64_t now = atomic_load(&folded);
    if (silent_ms() > PATIENCE_MS) return;
    notify_extend(EXTEND_MS);
    if (now == told) return;
    told = now;
    snprintf(text, sizeof text, "folding the journal: at seq %llu", (unsigned long long)now);
    notify_status(text);
}

static void tick_serving(void) {
    static bool told;
    char text[STATUS_BYTES_MAX];
    uint64_t silent = silent_ms();
    bool late = silent > late_ms;
    if (late && !told) {
        snprintf(text, sizeof text, "a turn has taken %llu s so far: slow disk?", (unsigned long long)silent / 1000);
        notify_status(text);
        log_warn("turn.slow silent_ms=%llu", (unsigned long long)silent);
    }
    if (told && !late) notify_status(atomic_load(&status));
    told = late;
    if (watchdog_ms && silent < 3 * watchdog_ms) notify_watchdog();
}

static void *pulse(void *unused) {
    static void (*const ticks[])(void) = {
        [PULSE_STARTING] = tick_on_the_way, [PULSE_SERVING] = tick_serving, [PULSE_STOPPING] = tick_on_the_way,
    };
    const struct timespec tick = { .tv_nsec = TICK_MS * 1000000L };
    while (!atomic_load(&stop)) {
        nanosleep(&tick, NULL);
        ticks[atomic_load(&phase)]();
    }
    return unused;
}

/* ---- what the turn says ---------------------------------------------------------------------------------------- */

void pulse_beat(void) {
    atomic_store(&beat_ns, clock_mono_ns());
}

void pulse_folded(uint64_t seq) {
    atomic_store(&folded, seq);
    pulse_beat();
}

void pulse_start(uint64_t slow_ms) {
    late_ms = slow_ms;
    watchdog_ms = notify_watchdog_ms();
    pulse_beat();
    CHECK(pthread_create(&thread, NULL, pulse, NULL) == 0);
}

void pulse_serving(const char *text) {
    atomic_store(&status, text);
    pulse_beat();
    atomic_store(&phase, PULSE_SERVING);
    notify_ready(text);
}

void pulse_stopping(void) {
    pulse_beat();
    atomic_store(&phase, PULSE_STOPPING);
    notify_stopping();
}

void pulse_stop(void) {
    atomic_store(&stop, true);
    pthread_join(thread, NULL);
}
