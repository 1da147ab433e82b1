/* worker.c: whistle-worker. Arguments, signals, a connection, the loop, goodbye. */
#include "workers/worker.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

enum { EXIT_FAULT = 1, EXIT_USAGE = 2 };

static volatile int stop;

static void on_signal(int number) {
    stop = number;
}

static void on_failed_check(const char *what, const char *file, int line) {
    log_error("bug.check at=%s:%d what=\"%s\"", file, line, what);
}

/* No SA_RESTART: a wait that is under way ends. */
static void watch_signals(void) {
    const struct sigaction ask = {.sa_handler = on_signal}, never = {.sa_handler = SIG_IGN};
    sigaction(SIGTERM, &ask, NULL);
    sigaction(SIGINT, &ask, NULL);
    sigaction(SIGPIPE, &never, NULL);
}

int main(int argc, char **argv) {
    struct worker_settings s = {.help = false};
    char why[WORKER_WHY_MAX];
    check_hook = on_failed_check;
    if (worker_arguments(argc, argv, &s, why) < 0) {
        fprintf(stderr, "whistle-worker: %s\nwhistle-worker: see whistle-worker --help\n", why);
        return EXIT_USAGE;
    }
    if (s.help) {
        worker_help();
        return 0;
    }
    watch_signals();

    struct whistle_worker *w;
    const struct whistle_worker_options o = {
        .endpoint = s.endpoint, .level = s.level, .divisions = s.divisions, .divisions_count = s.divisions_count,
        .credit = s.credit, .program = s.program,
    };
    int r = whistle_worker_open(&w, &o);
    if (r < 0) {
        fprintf(stderr, "whistle-worker: --endpoint %s: %s; use ipc:///PATH or tcp://127.0.0.1:PORT\n", s.endpoint,
                strerror(-r));
        return EXIT_USAGE;
    }
    r = worker_serve(w, &s, &stop);
    whistle_worker_close(w);
    return r < 0 ? EXIT_FAULT : 0;
}
