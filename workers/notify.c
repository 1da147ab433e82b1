/* notify.c: words to systemd. Door: libsystemd. Without systemd they go nowhere. */
#include "workers/worker.h"

#include <systemd/sd-daemon.h>

void worker_notify(const char *text) {
    sd_notify(0, text);
}
