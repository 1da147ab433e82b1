/* health.c: what the pages of the web gate say. The loop answers them itself: whoever gets an answer knows that it
 * turns. */
#include "daemon/metrics.h"

#include <stdio.h>

enum { SEEN_AGAIN_MS = 100, WHY_BYTES_MAX = 96 };

/* ---- ready ----------------------------------------------------------------------------------------------------- */

static bool is_stopping(struct daemon *d) { return d->stopping; }
static bool is_read_only(struct daemon *d) { return d->read_only; }
static bool is_draining(struct daemon *d) { return d->draining; }
static bool has_no_space(struct daemon *d) { return !store_admits(d->store, ADMIT_REPORT); }

/* The first that holds is told. */
static const struct { bool (*holds)(struct daemon *d); const char *why; } reasons[] = {
    { is_stopping, "stopping\n" },
    { is_read_only, "read-only: there was no space to fold the journal at start; make some and restart\n" },
    { is_draining, "draining: no new reports are taken; answers and closures are\n" },
    { has_no_space, "no space: reports are refused until there is\n" },
};

const char *health_unready(struct daemon *d) {
    for (unsigned i = 0; i < COUNT_OF(reasons); i++)
        if (reasons[i].holds(d)) return reasons[i].why;
    return NULL;
}

static void tell_ready(struct daemon *d, struct web_reply *ret) {
    const char *why = health_unready(d);
    web_text(ret, why ? 503 : 200, why ? why : "ready\n");
}

/* ---- turning --------------------------------------------------------------------------------------------------- */

static void tell_turning(struct daemon *d, struct web_reply *ret) {
    static char why[WHY_BYTES_MAX];
    if (d->turn_took_ms <= (int64_t)d->settings.watchdog_ms) return web_text(ret, 200, "ok\n");
    snprintf(why, sizeof why, "slow: the last turn took %lld ms; look at the disk\n", (long long)d->turn_took_ms);
    web_text(ret, 503, why);
}

/* ---- figures --------------------------------------------------------------------------------------------------- */

/* However often it is asked for, the page is made ten times a second at the most. */
static void tell_metrics(struct daemon *d, struct web_reply *ret) {
    static char text[METRICS_PAGE_BYTES];
    static struct exposition page = { .text = text, .size = sizeof text };
    static int64_t seen_ms;
    int64_t now_ms = clock_mono_ns() / 1000000;
    if (page.used == 0 || now_ms - seen_ms >= SEEN_AGAIN_MS) {
        struct metrics_seen seen;
        metrics_see(d, &seen);
        page.used = 0;
        metrics_write(&seen, &page);
        seen_ms = now_ms;
    }
    if (page.full) return web_text(ret, 500, "the page is too small for the figures\n");
    web_text(ret, 200, "");
    ret->type = "text/plain; version=0.0.4; charset=utf-8";
    ret->body = slice_from(page.text, page.used);
}

void health_tell(void *daemon, enum web_page page, struct web_reply *ret) {
    static void (*const tell[WEB_PAGES])(struct daemon *d, struct web_reply *ret) = {
        [WEB_METRICS] = tell_metrics, [WEB_HEALTHZ] = tell_turning, [WEB_READYZ] = tell_ready,
    };
    tell[page](daemon, ret);
}
