/* story.h: a story is a timetable of orders to one case, in virtual time, and the exact trace it must leave.
 *
 *   story("2026-03-02 09:30");
 *   report("rubbish");
 *   wait_until("10:30");                deadlines fire on the way, by (due, kind), as they would in life
 *   dispatch("grid-worker");
 *   answer("grid-worker", ANSWER_DONE);
 *   expect("[09:30] reported to community | desk 11:30\n" ...);
 *
 * Instants are in the zone of the calendar (+08:00): "09:30" is on the story's first day, "03-04 09:30" in its year.
 * Parties are named by their role where the case's own division makes clear which one is meant. */
#ifndef STORY_H
#define STORY_H
#include "tests/unit/story_rules.h"

/* ---- telling ----------------------------------------------------------------------------------------------------- */

void story(const char *when);                          /* a new one, with a case yet to be reported */
void at(const char *when);                             /* fires what is due before; at one instant orders come first */
void wait_until(const char *when);                     /* fires what is due then, too */
void story_skip(const char *when);                     /* nothing fires: the broker is down */
void story_skip_to(int64_t at_ms);
void story_again(void);                                /* another case, at the same instant, in the same trace */
void story_hush(void);                                 /* the trace so far is forgotten */
void story_source(const char *source);                 /* who sends from here on; uid:1000 at first */
void told(const char *what);                           /* another line in the trace */
void expect(const char *trace);                        /* the whole trace since the story began */
const struct case_state *story_case(void);
const char *story_state(void);                         /* "handling at street/1: grid-worker 1/1 done, ..." */

void report(const char *category);                     /* in the first grid, inside the wall */
void report_with(const PbReport *report);              /* category and place of report() where they are absent */
void report_promised(const char *category, int64_t promise_ms);
void report_in(const char *category, uint64_t division);
void self_handle(const char *category, const char *party);
void dispatch(const char *parties);                    /* "lighting greenery": the first is the lead */
void dispatch_for(const char *parties, uint32_t stage, uint32_t attempt);
void answer(const char *party, PbAnswerKind kind);     /* to the last ask of that party */
void answer_for(const char *party, PbAnswerKind kind, uint32_t stage, uint32_t attempt);
void answer_with(const PbAnswer *a);
void milestone(const char *party, const char *name);
void accept_case(void);
void reject_case(PbCause cause);
void escalate(void);
void escalate_because(PbCause cause);
void note(const char *text);
void later(void);
void offer_failed(PbOfferEnd how, int64_t retry_ms);
void fire(PbTimerKind kind);                           /* now, due or not */
PbRefusal story_order(const struct order *order);

/* ---- laws -------------------------------------------------------------------------------------------------------- */

/* One order, decided and folded into the case, with every law asserted on the way: deciding reads only and says the
 * same twice; a refusal changes nothing; the case before and after is one (case_check); nothing fires early, and what
 * fired is gone or set again later; an open case has something that will fire; nobody verifies what he has done; the
 * row of the case is the case. */
void lawful_step(const struct decide_input *in, const struct order *order, struct case_state *c, struct decision *ret);
const struct timer *first_timer(const struct case_state *c);   /* by (due, kind); NULL: none */

/* How often which order met which state, which event was folded and which timer fired in which state. */
struct lawful_seen {
    uint64_t cell[ORDER_COUNT][STATE_REJECTED + 1], happened[ORDER_COUNT][STATE_REJECTED + 1];
    uint64_t event[EVENT_OFFER_FAILED + 1], fired[TIMER_SUPERVISE + 1][STATE_REJECTED + 1];
};
extern struct lawful_seen lawful_seen;
#endif
