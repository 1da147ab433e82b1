/* returns.h: daily and monthly returns (日报, 月报): figures of a period, computed from what happened and nothing else.
 *
 *   returns_open        a period, and where rules are found by their number
 *   returns_take        every update, in order, up to the as-of: over the feed or from a resting store, the same
 *   returns_sum         cases -> rows: the whole, each street and community, each category
 *   returns_write       rows -> CSV
 *
 *   Q1  the same updates give the same bytes, for ever: no clock, no locale, no order of arrival, no floating point.
 *   Q2  no figure is about a party or a person, nothing is ranked; rows are in the order of their codes.
 *   Q3  exercises (演练) count nowhere; a void case counts as void and nowhere else.
 *   Q4  a day is what the district's calendar says, in the rules of the latest case at that point of the journal.
 *   Q5  a case counts where it lies at the as-of, and only when it lies under one of the prefixes.
 *
 * Memory: a struct of 128 bytes a case and 16 bytes a stay that ended in the period; both have a limit. What each
 * figure is made of: docs/returns.md. */
#ifndef CTL_RETURNS_H
#define CTL_RETURNS_H
#include "ctl/ctl.h"
#include "daemon/kernel/kernel.h"

enum { RETURNS_CASES_MAX = 16 << 20, RETURNS_STAYS_MAX = 64 << 20, RETURNS_MASK_BELOW = 5 };

/* Days of the district: the first one, and the first one behind the period, yyyymmdd. */
struct period { uint32_t first_date, end_date; bool monthly; };
bool period_of_day(const char *text, struct period *ret);        /* 2026-03-02; false: no such day */
bool period_of_month(const char *text, struct period *ret);      /* 2026-03 */
struct period period_before(uint32_t date, bool monthly);        /* the last whole day or month before that day */

struct returns_options {
    struct period period;
    uint64_t as_of_seq;                           /* updates behind it are not taken */
    int64_t as_of_ms;                             /* nor those after it */
    struct divisions prefixes;                    /* none: everywhere */
    /* 0 and borrowed until returns_close; negative: it cannot be had, and it was said why. */
    int (*rules)(void *to, uint32_t number, const PbRules **ret);
    void *to;
};

struct returns;
struct returns *returns_open(const struct returns_options *o);
void returns_close(struct returns *r);
/* 1: taken; 0: it lies behind the as-of, and so will all that follow; -ENOMEM: more cases than there may be; or what
 * `rules` returned. */
int returns_take(struct returns *r, const PbUpdate *u);
void returns_sum(struct returns *r);              /* once, when all have been taken */
/* masked: for the public, cells below RETURNS_MASK_BELOW are not told. */
void returns_write(const struct returns *r, bool masked, void *file);
uint64_t returns_strangers(const struct returns *r);     /* updates of cases whose beginning was not told: left out */
#endif
