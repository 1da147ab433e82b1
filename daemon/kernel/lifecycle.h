/* lifecycle.h: the arrows of a case, as a table. evolve takes no way that is not here; docs/lifecycle.md is printed
 * from it; every arrow and every guard has a story in tests/unit.
 *
 * The reference is the transition table of the field (domain practice: 立案 派遣 签收 退回 改派 裁定 延期 挂账 催办 督办
 * 升级 下沉 核查 返工 回访 结案 重开 移交 作废 归档), rows 1..26; row 0 is what the playbooks add to it. */
#ifndef LIFECYCLE_H
#define LIFECYCLE_H
#include "daemon/kernel/kernel.h"

enum { ARROW_GUARDS_MAX = 6, LIFECYCLE_ROWS = 26 };

/* What an order that would take this arrow is refused for, besides what any order is: a case that is not there, a state
 * that has no such arrow, a party nobody knows. */
struct guard {
    PbRefusal refusal;
    const char *says;                             /* "after the limit of the return, two working days" */
};

struct arrow {
    uint8_t row;                                  /* of the reference, 1..26; 0: none of them */
    uint8_t event;                                /* PbEvent__EventCase */
    uint32_t from, to;                            /* a bit per state; to 0: as it was */
    const char *zh, *who;
    struct guard guards[ARROW_GUARDS_MAX];        /* the list ends with REFUSED_NOTHING */
};

extern const struct arrow arrows[];
extern const unsigned arrows_count;

/* Whether that event leads from there to there. */
bool arrow_exists(PbEvent__EventCase event, PbState from, PbState to);
#endif
