/* story.h: what the tellers of events share: a line that grows, and the parts that many events have. */
#ifndef CTL_STORY_H
#define CTL_STORY_H
#include "ctl/ctl.h"

struct line {
    char *to;                                     /* LINE_BYTES; what does not fit is cut */
    size_t len;
};
typedef void teller(struct story *s, struct line *l, const PbEvent *e);

teller *teller_of_detour(PbEvent__EventCase kind);   /* story_detours.c; NULL: not one of those */

void tell(struct line *l, const char *format, ...) __attribute__((format(printf, 2, 3)));
const char *tell_in(const struct story *s, const char *zh, const char *en);
void tell_party(const struct story *s, struct line *l, const char *party);            /* with its name, if known */
void tell_by(const struct story *s, struct line *l, const char *party, const char *zh, const char *en);
void tell_whose(const struct story *s, struct line *l, const char *party);            /* ", by X"; NULL: nothing */
void tell_asks(const struct story *s, struct line *l, PbAsk *const *asks, size_t count);
void tell_timers(struct story *s, struct line *l, PbTimer *const *timers, size_t count);
void tell_cause(const struct story *s, struct line *l, PbCause cause, PbTimerKind fired);
void tell_late(const struct story *s, struct line *l, int64_t late_ms);
void tell_text(const struct story *s, struct line *l, const PbSealed *text);
#endif
