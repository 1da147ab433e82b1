/* attack.h: what no power cut leaves, but a bad sector, an old file or a clever client may: in the last batch of the
 * journal and behind it. */
#ifndef CRASH_ATTACK_H
#define CRASH_ATTACK_H
#include "tests/crash/life.h"

enum attack_kind {
    ATTACK_FLIP,                                  /* in the last acknowledged batch: cannot be told from a tear */
    ATTACK_FLIP_WITNESSED,                        /* in the one before: a later one says that it was whole */
    ATTACK_STALE,                                 /* an old batch's bytes behind the last one */
    ATTACK_FORGED,                                /* a torn batch, and in its text a header that would fit */
    ATTACK_KINDS
};

struct attack {
    enum attack_kind kind;
    const struct life *life;
    const struct entry *last, *before;            /* the last two batches' writes, in one segment */
    size_t at;
    uint64_t dice;
};

/* False: at that length of the tape no turn has just been acknowledged. */
bool attack_find(const struct life *l, size_t at, enum attack_kind kind, uint64_t *dice, struct attack *ret);
/* Changes the image; what it must hold afterwards. */
void attack_do(const struct attack *a, struct disk *image, struct said *ret);
/* What the judge said of the image, judged: NULL, it is as it must be. */
const char *attack_judge(const struct attack *a, const char *problem);
#endif
