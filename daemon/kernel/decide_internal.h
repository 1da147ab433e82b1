/* decide_internal.h: what the files of decide share. A scene is one case, one order, one instant, with everything
 * looked up once. */
#ifndef DECIDE_INTERNAL_H
#define DECIDE_INTERNAL_H
#include "daemon/kernel/kernel.h"

struct scene {
    const struct decide_input *in;
    const struct case_state *c;
    const struct order *order;
    const PbRules *rules;
    const PbPlaybook *playbook;                    /* NULL for an order that makes a new case, until it is chosen */
    const PbStage *stage;                          /* at the cursor */
    const PbCategory *category;
    const PbCalendar *calendar;
    int64_t now;
    struct decision *out;
};

/* decide.c */
void refuse(struct scene *s, PbRefusal why, const char *field);
void *make(struct scene *s, size_t size);          /* zeroed, in the room; the room is large enough or it is a bug */
char *text_in_room(struct scene *s, struct slice text);
PbEvent *happen(struct scene *s, PbEvent__EventCase kind);                /* one more event of the decision */
const PbStage *stage_at(const PbPlaybook *p, uint32_t number);
uint32_t stage_of_level(const PbPlaybook *p, PbLevel level);              /* the handling stage; 0: there is none */
const PbCalendar *calendar_of(const PbRules *from, const PbRules *own, const PbPlaybook *p);
uint32_t attempt_next(struct scene *s, uint32_t stage);                    /* for what may be refused: TOO_MANY_ASKS */
bool cursor_matches(struct scene *s, uint32_t stage, uint32_t attempt);   /* else refuses WRONG_STAGE */
bool is_reporter(const struct scene *s, const char *party);               /* or nobody says who it is */
void check_text(struct scene *s, const char *text, const char *field);
void check_evidence(struct scene *s, PbEvidence *const *list, size_t count);
void check_party(struct scene *s, const char *party, bool needed, const char *field);

/* decide_report.c */
uint32_t first_stage(const PbPlaybook *p, PbLevel place_level);
void check_place(struct scene *s, const PbPlace *place);
void check_external_id(struct scene *s, const char *id);
void decide_report(struct scene *s);
void decide_self_handle(struct scene *s);
void decide_import(struct scene *s);

/* decide_limits.c: the timers that events arm */
struct timers { PbTimer *list[CASE_TIMERS_MAX]; size_t count; };
void timers_desk(struct scene *s, struct timers *t, const PbStage *stage);
void timers_accept(struct scene *s, struct timers *t);
void timers_promise(struct scene *s, struct timers *t, const PbLimit *promise);
void timers_handling(struct scene *s, struct timers *t);           /* accept, handling or next milestone, reminder */
void timers_handling_fresh(struct scene *s, struct timers *t, const PbStage *stage);
void timers_milestone(struct scene *s, struct timers *t, unsigned next);
void timers_verify(struct scene *s, struct timers *t, const PbStage *verify);
bool timers_promise_resumes(struct scene *s, struct timers *t);    /* false: there is none, or it has passed */
void timers_promise_again(struct scene *s, struct timers *t);
void timers_rework(struct scene *s, struct timers *t);             /* what was left, at least half; the promise */
void timers_reopen(struct scene *s, struct timers *t, const PbStage *stage);
void timers_supervise(struct scene *s, struct timers *t);
void timers_one(struct scene *s, struct timers *t, PbTimerKind kind, const PbLimit *limit);
void timers_until(struct scene *s, struct timers *t, PbTimerKind kind, int64_t due_ms);
void timers_imported(struct scene *s, struct timers *t, PbTimerKind kind, int64_t start_ms, int64_t due_ms);
void timers_resumed(struct scene *s, struct timers *t);
void timers_corrected(struct scene *s, struct timers *t, const PbCategory *to);
void timers_recomputed(struct scene *s, struct timers *t, const PbCalendar *to);
/* The limit of handling, due or not; NULL: there is none any more. */
const struct timer *handling_clock(const struct scene *s);
int64_t timers_extended(struct scene *s, struct timers *t, const PbLimit *more, uint32_t percent);
PbTimer **timers_list(struct scene *s, const struct timers *t, size_t *ret_count);

/* decide_desk.c */
/* What may be asked of whom besides `open` asks that stay; refuses what could never meet the tally of s->stage. */
void check_round(struct scene *s, PbAskedParty *const *parties, size_t count, unsigned open);
PbAsk **asks_of(struct scene *s, PbAskedParty *const *parties, size_t count);
void decide_accept(struct scene *s);
void decide_reject(struct scene *s);
void decide_dispatch(struct scene *s);
void decide_reassign(struct scene *s);
void decide_escalate(struct scene *s);
void decide_delegate(struct scene *s);
void decide_offer_failed(struct scene *s);
/* At due: the next rung, or on the last one the supervise ladder. fired: the timer that brought it, or NONE. */
void climb(struct scene *s, PbCause cause, PbTimerKind fired, int64_t late_ms);
void climb_declined(struct scene *s, PbCause cause);               /* where the playbook sends what is declined */
/* The rung at `stage`: its desk is asked, with a limit of its own. from: the level it comes from. */
PbEscalated *climb_to(struct scene *s, uint32_t stage, PbLevel from, PbCause cause);
PbAsk **ask_one(struct scene *s, const char *party);               /* it alone, the lead; copied into the room */
bool may_verify(const struct scene *s, const char *party, const struct ask *handled);
/* From that level up, a desk that did not help to do what this ask was for, or else a verifier. NULL: nobody. */
const char *choose_verifier(struct scene *s, PbLevel from, const struct ask *handled);

/* decide_leader.c */
void check_approver(struct scene *s, const char *party, PbLevel least);
void decide_ask_extension(struct scene *s);
void decide_decide_extension(struct scene *s);
void extension_lapses(struct scene *s, PbTimerKind fired);
void decide_suspend(struct scene *s);
void resume(struct scene *s, const char *party, int64_t late_ms);
void decide_resume(struct scene *s);
void decide_remind(struct scene *s);
void decide_supervise(struct scene *s);

/* decide_ways.c */
void close_case(struct scene *s);
bool batch_confirmed(struct scene *s);             /* or it is in none; else refuses BATCH_NOT_CONFIRMED */
void decide_appeal(struct scene *s);
void decide_merge(struct scene *s);
void decide_split(struct scene *s);
void decide_withdraw(struct scene *s);
void decide_follow_up(struct scene *s);
void decide_reopen(struct scene *s);
void decide_transfer(struct scene *s);
void decide_acknowledge_transfer(struct scene *s);
void decide_void(struct scene *s);
void decide_close(struct scene *s);
void decide_archive(struct scene *s);

/* decide_care.c */
void decide_note(struct scene *s);
void decide_correct(struct scene *s);
void decide_hand_over(struct scene *s);
void decide_move(struct scene *s);
void decide_recompute(struct scene *s);
void decide_retry_dead(struct scene *s);
void decide_drop_dead(struct scene *s);

/* decide_answer.c, decide_deadline.c */
void decide_answer(struct scene *s);
void decide_deadline(struct scene *s);
#endif
