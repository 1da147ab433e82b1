/* evolve_internal.h: what the files of evolve share. Whatever writes a case is below this line. */
#ifndef EVOLVE_INTERNAL_H
#define EVOLVE_INTERNAL_H
#include "daemon/kernel/lifecycle.h"

#define T(kind) (1u << TIMER_##kind)
#define ALL_TIMERS 0xffffu

/* evolve.c */
void text_into(char *to, size_t cap, const char *from);
void timers_clear(struct case_state *c, unsigned kinds);
void timers_set(struct case_state *c, PbTimer *const *timers, size_t count);
struct ask *ask_find(struct case_state *c, const char *party, uint32_t stage, uint32_t attempt);
void asks_add(struct case_state *c, PbAsk *const *asks, size_t count, int64_t at_ms);
void asks_end(struct case_state *c, bool all, int64_t at_ms);      /* those at the cursor, or all of them */
void offer_afresh(struct case_state *c, int64_t at_ms);
void on_ended(struct case_state *c, const PbEvent *e, int64_t at_ms);

/* evolve_detours.c: one function per event */
void on_appealed(struct case_state *c, const PbEvent *e, int64_t at_ms);
void on_merged(struct case_state *c, const PbEvent *e, int64_t at_ms);
void on_split(struct case_state *c, const PbEvent *e, int64_t at_ms);
void on_returned(struct case_state *c, const PbEvent *e, int64_t at_ms);
void on_reassigned(struct case_state *c, const PbEvent *e, int64_t at_ms);
void on_arbitrated(struct case_state *c, const PbEvent *e, int64_t at_ms);
void on_extension_asked(struct case_state *c, const PbEvent *e, int64_t at_ms);
void on_extension_granted(struct case_state *c, const PbEvent *e, int64_t at_ms);
void on_extension_refused(struct case_state *c, const PbEvent *e, int64_t at_ms);
void on_suspended(struct case_state *c, const PbEvent *e, int64_t at_ms);
void on_resumed(struct case_state *c, const PbEvent *e, int64_t at_ms);
void on_delegated(struct case_state *c, const PbEvent *e, int64_t at_ms);
void on_followup_begun(struct case_state *c, const PbEvent *e, int64_t at_ms);
void on_followed_up(struct case_state *c, const PbEvent *e, int64_t at_ms);
void on_reopened(struct case_state *c, const PbEvent *e, int64_t at_ms);
void on_transferred(struct case_state *c, const PbEvent *e, int64_t at_ms);
void on_transfer_acknowledged(struct case_state *c, const PbEvent *e, int64_t at_ms);
void on_void_asked(struct case_state *c, const PbEvent *e, int64_t at_ms);
void on_voided(struct case_state *c, const PbEvent *e, int64_t at_ms);
void on_corrected(struct case_state *c, const PbEvent *e, int64_t at_ms);
void on_handed_over(struct case_state *c, const PbEvent *e, int64_t at_ms);
void on_case_moved(struct case_state *c, const PbEvent *e, int64_t at_ms);
void on_due_moved(struct case_state *c, const PbEvent *e, int64_t at_ms);
void on_dead_retried(struct case_state *c, const PbEvent *e, int64_t at_ms);
void on_dead_dropped(struct case_state *c, const PbEvent *e, int64_t at_ms);
#endif
