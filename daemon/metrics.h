/* metrics.h: the figures that are watched, as one page.
 *
 *   metrics_see     gathers them: reads the store's facts and counts the deadlines that are due, up to DUE_COUNTED_MAX
 *   metrics_write   writes them: one table says name, kind and meaning of each; lib/base/counters.h adds the counters
 *
 *   M1  names are stable, begin with whistled_ and carry their unit; durations are in seconds, sizes in bytes.
 *   M2  a label is never a person, a party, a division or a case: only what this program's own lists enumerate. */
#ifndef METRICS_H
#define METRICS_H
#include "daemon/daemon.h"
#include "daemon/gates/exposition.h"

enum { DUE_COUNTED_MAX = 1000, METRICS_PAGE_BYTES = 64 << 10, LEVELS_WITH_DESKS = 3 };

struct metrics_seen {
    struct store_figures store;
    struct histogram lateness;                    /* of deadlines when they fire, in milliseconds */
    uint64_t ready, drill, epoch, seq, deadlines_due, overdue_ms, workers[LEVELS_WITH_DESKS], consoles, offers_open;
    uint64_t clock_doubted, resident_bytes, fds, uptime_ms, rules, calendar_days, recomputing;
};

void metrics_see(struct daemon *d, struct metrics_seen *ret);
void metrics_write(const struct metrics_seen *seen, struct exposition *to);

/* health.c: NULL when commands are taken, else why not; and what is told of each page. */
const char *health_unready(struct daemon *d);
void health_tell(void *daemon, enum web_page page, struct web_reply *ret);
#endif
