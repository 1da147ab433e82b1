/* desk.h: what a desk does with an offer. Pure: an offer in, a decision out; no I/O, no state. Shared by workers and
 * rehearsals.
 *
 * The three levels differ in a table (desk.c), not in code: which parties are asked first, and what is sent up at once.
 *
 *   community   墙内 and within its duty: the grid worker (网格员) of the 15-digit grid, then the grid leader (网格长),
 *               then its own desk. 墙外, or not its duty: up at once, with the reason.
 *   street      the department the duty row names, else its outer-grid worker (外网网格员), then its own desk.
 *   district    the lead (主办) and the co-departments (协办) the duty row names, then its own desk.
 *
 * A case that came back goes to whom the return named, when that is a candidate. A ruling (裁定, after as many returns
 * as may be) goes to whom the return named if the duty row names its role, else to the desk of the territory (属地兜底).
 *
 *   D1  whoever was tried in this stage is not asked again, but for the last rung's own desk, and by a ruling.
 *   D2  nothing is sent up from the last rung: there the order is gone through whatever the place and the duty are.
 *   D3  nobody left: up; on the last rung its own desk once more; without a desk: later.
 *   D4  a party is named once, and every name is the offer's own memory.
 *   D5  a ruling is made where it is asked for: nothing is sent up instead, unless there is nobody to name. */
#ifndef DESK_H
#define DESK_H
#include "lib/base/base.h"
#include "whistle.pb-c.h"

enum { DESK_PARTIES_MAX = 8 };
enum desk_verb { DESK_DISPATCH, DESK_ESCALATE, DESK_RETRY };

struct desk_decision {
    enum desk_verb verb;
    PbCause cause;                                /* CAUSE_DUTY of a dispatch; why up; CAUSE_NOBODY_TO_ASK of a retry */
    unsigned parties_count;                       /* 0 but for a dispatch */
    const char *parties[DESK_PARTIES_MAX];        /* borrowed from the offer; the first is the lead */
};

bool desk_serves(PbLevel level);                  /* there is a row for it: community, street, district */
/* CHECKs that the desk serves the level. The offer may lack anything: what is absent is unknown, and names nobody. */
void desk_decide(PbLevel level, const PbOffer *offer, struct desk_decision *ret);
#endif
