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

#define SET(message, field, value) ((message)->has_##field = 1, (message)->field = (value))

/* decide.c */
void refuse(struct scene *s, PbRefusal why, const char *field);
void *make(struct scene *s, size_t size);          /* zeroed, in the room; the room is large enough or it is a bug */
PbEvent *happen(struct scene *s, PbEvent__EventCase kind);                /* one more event of the decision */
const PbStage *stage_at(const PbPlaybook *p, uint32_t number);
bool cursor_matches(struct scene *s, uint32_t stage, uint32_t attempt);   /* else refuses WRONG_STAGE */
void check_text(struct scene *s, const char *text, const char *field);
void check_evidence(struct scene *s, PbEvidence *const *list, size_t count);

/* decide_limits.c: the timers that events arm */
struct timers { PbTimer *list[CASE_TIMERS_MAX]; size_t count; };
void timers_desk(struct scene *s, struct timers *t, const PbStage *stage);
void timers_promise(struct scene *s, struct timers *t, const PbLimit *promise);
void timers_handling(struct scene *s, struct timers *t);           /* accept, handling or next milestone, reminder */
void timers_milestone(struct scene *s, struct timers *t, unsigned next);
void timers_verify(struct scene *s, struct timers *t, const PbStage *verify);
bool timers_promise_resumes(struct scene *s, struct timers *t);    /* false: there is none, or it has passed */
void timers_rework(struct scene *s, struct timers *t);             /* what was left, at least half; the promise */
void timers_supervise(struct scene *s, struct timers *t);
PbTimer **timers_list(struct scene *s, const struct timers *t);

/* decide_desk.c */
void decide_dispatch(struct scene *s);
void decide_escalate(struct scene *s);
void decide_offer_failed(struct scene *s);
/* At due: the next rung, or on the last one the supervise ladder. fired: the timer that brought it, or NONE. */
void climb(struct scene *s, PbCause cause, PbTimerKind fired, int64_t late_ms);
void climb_declined(struct scene *s, PbCause cause);               /* where the playbook sends what is declined */
/* The rung at `stage`: its desk is asked, with a limit of its own. from: the level it comes from. */
PbEscalated *climb_to(struct scene *s, uint32_t stage, PbLevel from, PbCause cause);
PbAsk **ask_one(struct scene *s, const char *party);               /* it alone, the lead; copied into the room */
/* From that level up, a desk that did not help to do what this ask was for, or else a verifier. NULL: nobody. */
const char *choose_verifier(struct scene *s, PbLevel from, const struct ask *handled);

/* decide_answer.c, decide_deadline.c */
void decide_answer(struct scene *s);
void decide_deadline(struct scene *s);
#endif
