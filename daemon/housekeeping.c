/* housekeeping.c: what nobody asks for and must be done all the same. Receipts expire; ended cases are archived.
 *
 * A slice is taken at the end of a turn, so what it does is in that turn's batch. In an idle turn always; in a busy
 * one, once a second and a smaller one, so that load can delay a round but not stop it. Not in a drill: what two
 * drills journal is the same, and idleness is not. */
#include "daemon/daemon.h"

#include <errno.h>
#include <string.h>

enum {
    SLICE_RECEIPTS = 512, SLICE_CASES = 256,      /* looked at in an idle turn, in less than a millisecond */
    BUSY_SHARE = 8,                               /* of it in a busy one ... */
    BUSY_EVERY_MS = 1000,                         /* ... so often */
    ROUND_EVERY_MS = 6 * 3600000,                 /* by the broker's clock, which a suspended machine does not stop */
};
_Static_assert(BUSY_SHARE <= (int)ARCHIVED_MAX, "a busy turn archives at least one");
#define DAY_MS 86400000LL

static int64_t days_ago(const struct daemon *d, uint64_t days) {
    return d->now_ms - (int64_t)days * DAY_MS;
}

/* ---- receipts -------------------------------------------------------------------------------------------------- */

static void receipts_round_over(struct daemon *d) {
    struct housekeeping *h = &d->housekeeping;
    if (h->receipts_gone)
        log_info("receipts.expired count=%llu horizon_ms=%lld", (unsigned long long)h->receipts_gone,
                 (long long)h->receipts.horizon_ms);
    h->receipts_walk = false;
    h->receipts_ms = d->now_ms + ROUND_EVERY_MS;
}

static int receipts_take(struct daemon *d, unsigned share) {
    struct housekeeping *h = &d->housekeeping;
    if (!h->receipts_walk) {
        if (d->now_ms < h->receipts_ms) return 0;
        h->receipts = (struct receipts_round){ .horizon_ms = days_ago(d, d->settings.receipt_days) };
        h->receipts_gone = 0;
        h->receipts_walk = true;
    }
    PbReceiptsExpired *expired = arena_must(&d->room, sizeof *expired);
    int count = store_receipts_look(d->store, &h->receipts, SLICE_RECEIPTS / share, expired);
    if (count < 0) return count;
    if (count > 0) {
        PbEvent event = { .event_case = EVENT_RECEIPTS_EXPIRED, .receipts_expired = expired };
        int r = broker_event(d, &event);
        if (r < 0) return r;
        COUNT_ADD(RECEIPTS_EXPIRED, count);
        h->receipts_gone += (uint64_t)count;
    }
    if (h->receipts.over) receipts_round_over(d);
    return 0;
}

/* ---- the archive ----------------------------------------------------------------------------------------------- */

static void archive_round_over(struct daemon *d) {
    struct housekeeping *h = &d->housekeeping;
    if (h->archived)
        log_info("cases.archived count=%llu ended_before_ms=%lld", (unsigned long long)h->archived,
                 (long long)h->archive_before_ms);
    h->archive_walk = false;
    h->archive_ms = d->now_ms + ROUND_EVERY_MS;
}

/* Archives what is found among the next cases. The event comes first; the text goes when it is on disk. */
static int archive_take(struct daemon *d, unsigned share) {
    struct housekeeping *h = &d->housekeeping;
    if (!h->archive_walk) {
        if (d->now_ms < h->archive_ms) return 0;
        h->archive_before_ms = days_ago(d, d->settings.archive_after_days);
        h->archive_cursor = h->archived = 0;
        h->archive_walk = true;
    }
    for (unsigned found = 0; found < ARCHIVED_MAX / share; found++) {
        uint64_t id = 0;
        int r = store_next_ended(d->store, &h->archive_cursor, h->archive_before_ms, SLICE_CASES / share, &id);
        if (r == -ENOENT) return archive_round_over(d), 0;
        if (r <= 0) return r;
        r = command_archive(d, id, h->archive_before_ms);
        if (r < 0) return r;
        h->wipe[h->wipe_count++] = d->after.slot;
        h->archived++;
        COUNT(ARCHIVED);
    }
    return 0;
}

void housekeeping_done(struct daemon *d) {
    struct housekeeping *h = &d->housekeeping;
    for (unsigned i = 0; i < h->wipe_count; i++) {
        int r = store_wipe_slot(d->store, h->wipe[i]);
        if (r < 0) die("slots.lost", r, "a key could not be wiped; the next start does it again");
    }
    h->wipe_count = 0;
}

void housekeeping_forget(struct daemon *d) {
    d->housekeeping.wipe_count = 0;
}

/* ---- ballast --------------------------------------------------------------------------------------------------- */

void housekeeping_ballast(struct daemon *d) {
    bool *told = &d->housekeeping.ballast_told;
    int r = store_ballast(d->store);
    if (r < 0 && !*told)
        log_warn("store.ballast_gone error=\"%s\" effect=\"made anew when there is room to spare\"", strerror(-r));
    if (r == 1) {
        COUNT(BALLASTS);
        log_info("store.ballast_made");
    }
    *told = r < 0 || (*told && r == 0);
}

/* ---- both ------------------------------------------------------------------------------------------------------ */

bool housekeeping_wants_turn(const struct daemon *d) {
    return !d->drill && !d->read_only && (d->housekeeping.receipts_walk || d->housekeeping.archive_walk);
}

int housekeeping_take(struct daemon *d) {
    struct housekeeping *h = &d->housekeeping;
    bool idle = d->commands == 0 && !d->more;
    if (d->drill || (!idle && d->mono_ms - h->slice_ms < BUSY_EVERY_MS)) return 0;
    if (!store_admits(d->store, ADMIT_CLOSURE)) return 0;
    h->slice_ms = d->mono_ms;
    unsigned share = idle ? 1 : BUSY_SHARE;
    int r = receipts_take(d, share);
    return r == 0 ? archive_take(d, share) : r;
}
