/* stats.c: histograms. Bucket i holds the values of (2^(i-1), 2^i] microseconds; the last one also everything above. */
#include "lib/base/base.h"

enum { BUCKETS = COUNT_OF(((struct histogram *)0)->bucket) };

void histogram_add(struct histogram *h, uint64_t us) {
    unsigned i = 0;
    while (i < BUCKETS - 1 && us > UINT64_C(1) << i)
        i++;
    h->bucket[i]++;
    h->count++;
    h->sum_us += us;
    if (h->max_us < us)
        h->max_us = us;
}

uint64_t histogram_quantile_us(const struct histogram *h, double q) {
    CHECK(q >= 0 && q <= 1);
    uint64_t seen = 0;
    for (unsigned i = 0; i < BUCKETS - 1; i++) {
        seen += h->bucket[i];
        if (seen && (double)seen >= q * (double)h->count) {
            uint64_t bound = UINT64_C(1) << i;
            return bound < h->max_us ? bound : h->max_us;    /* nothing was slower than the slowest */
        }
    }
    return h->max_us;                                    /* the last bucket has no bound of its own; 0 when empty */
}
