/* top.h: what `top` shows, apart from where it comes from: the frame is a function of this, so it can be tested. */
#ifndef CTL_TOP_H
#define CTL_TOP_H
#include "ctl/ctl.h"

enum { TOP_DESKS_MAX = 4096, TOP_DESKS_SHOWN = 5, TOP_OLDEST_MAX = 6, TOP_FRAME_BYTES = 16384 };

struct top_desk { uint64_t division; PbLevel level; uint32_t open, overdue; };
struct top_case { char number[32], waits[64]; int64_t due_ms; };

/* Of the open cases, as far as they were gone through. */
struct top_count {
    uint32_t cases, overdue, due_soon;            /* due_soon: within the hour */
    uint32_t by_state[STATE_ARCHIVED + 1];
    uint32_t desks_count;
    struct top_desk desks[TOP_DESKS_MAX];
    uint32_t oldest_count;
    struct top_case oldest[TOP_OLDEST_MAX];       /* longest overdue first */
    bool cut;                                     /* there are more than were gone through */
};
struct top_view {
    int64_t now_ms, silent_ms;                    /* silent: since the broker last answered; 0: it does */
    uint64_t epoch, seq, open, all, sync_p50_us, sync_p99_us, workers, consoles, offers, refused;
    uint64_t commands_a_second;
    uint32_t quota_percent;
    bool draining;
};

void top_count_case(struct top_count *n, const PbCaseView *v, int64_t now_ms);
/* Lines of at most `columns`, at most `rows` of them, each ended by a newline. */
void top_frame(const struct ctl *c, const struct top_view *v, const struct top_count *n, unsigned columns,
               unsigned rows, char to[static TOP_FRAME_BYTES]);
#endif
