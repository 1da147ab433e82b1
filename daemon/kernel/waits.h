/* waits.h: what a case waits for, as one party or its desk sees it: until when, and how much of the time is used.
 * Pure. */
#ifndef WAITS_H
#define WAITS_H
#include "daemon/kernel/kernel.h"

struct wait {
    PbTimerKind kind;                             /* the timer that is next for that party */
    PbUnit unit;
    int64_t start_ms, due_ms;
};

/* The case must be open. ask NULL: its desk. An ask that was left open below has no timer of its own any more: it waits
 * for the promise, or for the handling limit that has passed. */
struct wait wait_of(const struct case_state *c, const struct ask *ask);

/* Whether a desk of that level decides next. */
bool case_waits_for_desk(const struct case_state *c, PbLevel level);

/* How much of the limit is used, on its own clock; 100 and more: it is over. */
uint32_t wait_percent(const struct wait *w, const PbCalendar *calendar, int64_t now_ms);
/* The calendar that a case goes by. calendar_rules: of its more.calendar_rules, or NULL. */
const PbCalendar *case_calendar(const struct case_state *c, const PbRules *rules, const PbRules *calendar_rules);
#endif
