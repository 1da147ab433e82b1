/* tally.c: when the answers that have come are enough, and when those that can still come cannot be. */
#include "daemon/kernel/kernel.h"

/* How many of the asked must be done. An empty stage needs one all the same: nobody to ask is impossible, never met. */
static uint32_t tally_need(const PbTally *t, uint32_t asked) {
    switch (t ? t->kind : TALLY_FIRST) {
    case TALLY_FIRST: return 1;
    case TALLY_ALL: return asked ? asked : 1;
    case TALLY_COUNT: CHECK(t->count >= 1); return t->count;
    default: NEVER("a tally without a kind");
    }
}

enum tally_result tally_of(const PbTally *t, struct tally_count n) {
    CHECK(n.done <= n.asked && n.declined <= n.asked - n.done);
    uint32_t need = tally_need(t, n.asked);
    if (n.done >= need)
        return TALLY_MET;
    return n.asked - n.declined < need ? TALLY_IMPOSSIBLE : TALLY_OPEN;
}
