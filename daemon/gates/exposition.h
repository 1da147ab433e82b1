/* exposition.h: figures as text, in the format that Prometheus reads (0.0.4).
 *
 *   exposition_family      # HELP and # TYPE, once a name; its samples follow before the next family begins
 *   exposition_sample      one number, with one label or none
 *   exposition_histogram   buckets that only grow, +Inf, _sum and _count
 *
 *   E1  the text is whole lines. What does not fit is left out and `full` is set: such a page must not be shown.
 *   E2  numbers are integers of 10^-decimals: 1234 with 3 decimals is 1.234. Nothing is rounded, no locale is asked. */
#ifndef EXPOSITION_H
#define EXPOSITION_H
#include "lib/base/base.h"

enum exposition_type { EXPOSITION_GAUGE, EXPOSITION_COUNTER, EXPOSITION_HISTOGRAM };

struct exposition {
    char *text;
    size_t used, size;
    bool full;
};

struct label { const char *name, *value; };                   /* name NULL: none. Never a person or a party */

void exposition_family(struct exposition *x, const char *name, enum exposition_type type, const char *help);
void exposition_sample(struct exposition *x, const char *name, struct label label, uint64_t value, unsigned decimals);
/* Buckets first .. last of h, of which each is twice the one before; what is below the first counts in it. */
struct exposition_buckets { unsigned first, last, decimals; };
void exposition_histogram(struct exposition *x, const char *name, const struct histogram *h,
                          struct exposition_buckets which);
#endif
