/* laws.h: what holds at every step of every case, whoever says what and when. */
#ifndef LAWS_H
#define LAWS_H
#include "daemon/kernel/lifecycle.h"

/* One order, decided and folded into the case, with every law asserted on the way: deciding reads only and says the
 * same twice (dear); a refusal changes nothing; the case before and after is one (case_check); what the events say
 * survives being written and read back, so live == replay (dear); nothing fires early, and what fired is gone or set
 * again later; an open case has something that will fire; nobody verifies what he has done; the row of the case is the
 * case (dear). */
extern uint64_t lawful_dear;                      /* the dear ones only at every so manieth step */
void lawful_step(const struct decide_input *in, const struct order *order, struct case_state *c, struct decision *ret);

/* Of those that run, by (due, kind); NULL: none. */
const struct timer *first_timer(const struct case_state *c);

/* How often which order met which state and what it was refused for, which arrow was taken from which state, and which
 * timer fired in which state. */
enum { SEEN_ARROWS = 96, SEEN_REFUSALS = REFUSED_NO_LIMIT + 1 };
struct lawful_seen {
    uint64_t cell[ORDER_COUNT][STATE_ARCHIVED + 1], happened[ORDER_COUNT][STATE_ARCHIVED + 1];
    uint64_t refused[ORDER_COUNT][SEEN_REFUSALS];
    uint64_t arrow[SEEN_ARROWS][STATE_ARCHIVED + 1];
    uint64_t fired[TIMER_TRANSFER + 1][STATE_ARCHIVED + 1];
};
extern struct lawful_seen lawful_seen;

/* The arrow that an event took; every one is in the table, or evolve stops. */
unsigned arrow_taken(PbEvent__EventCase event, PbState from, PbState to);
#endif
