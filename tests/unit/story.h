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
#include "tests/unit/laws.h"
#include "tests/unit/story_rules.h"

/* ---- telling ----------------------------------------------------------------------------------------------------- */

void story(const char *when);                          /* a new one, with a case yet to be reported */
void story_handling(const char *category);             /* a new one: reported, dispatched and accepted, 03-02 09:00 */
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
PbRefusal story_refusal(void);                         /* what the last order was refused for */

/* ---- the ways off the main way ----------------------------------------------------------------------------------- */

enum story_batch { NO_BATCH, ASKED_BATCH, CONFIRMED_BATCH };

void other_case(void);                                 /* the one aside comes forward; its number is 101 */
void story_by(const char *person);                     /* who says so from here on, by staff number */
void story_batch(enum story_batch is);                 /* from here on: part of one, confirmed or not */
void story_followers(bool some);                       /* cases are merged into this one */
void story_origin(const char *system, bool known);     /* where it comes from; known: its number there has a case */
void story_rules_become(const PbRules *rules);         /* in force from here on; the case stays pinned to its own */
void tell_timers(void);                                /* another line in the trace */

void reassign(const char *parties);
void reassign_for(const char *parties, uint32_t stage, uint32_t attempt);
void give_back(const char *party, const char *proposed, const char *why);      /* 退回 */
void appeal(const char *party);
void merge_into(uint64_t master);
void split(void);
void withdraw(const char *party);
void escalate_to(PbLevel level);
void delegate(PbLevel level);
void delegate_for(PbLevel level, uint64_t division, uint32_t stage, uint32_t attempt);
void ask_extension(const char *party, const PbLimit *limit);                   /* NULL: the category's preset */
void decide_on_extension(const char *party, bool grant);
void suspend(const char *party, PbCause cause, const char *review);
void resume_by(const char *party);
void remind_by(const char *party);
void supervise_by(const char *party);
void hand_over(const char *from, const char *to);
void follow_up(const char *party, PbOpinion solved, PbOpinion satisfied);
void reopen_by(const char *party);
void reopen_by_reporter(const char *party);
void transfer(PbAuthority authority);
void acknowledge_transfer(const char *external_id);
void void_case(void);
void close_case_of_batch(void);
void correct_with(const PbCorrect *given);
void correct_category(const char *category);
void correct_division(uint64_t division);
void import_with(const PbImport *given);               /* report() in the first grid, number 12345-7, when absent */
void import_as(PbState state, const char *opened, const char *parties);
void move_case(void);
void recompute(void);
void retry_dead(void);
void drop_dead(void);
void archive(const char *ended_before);

/* ---- what has been told ------------------------------------------------------------------------------------------ */

/* An arrow of lifecycle.c, or a guard's refusal, counts as told when it really happened in a story whose whole trace
 * stood in an expect(). Each that was not is named in `missing`; false when there are some. */
bool everything_is_told(char *missing, size_t cap);
#endif
