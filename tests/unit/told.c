/* told.c: which arrows and which refusals of the lifecycle's table have a story. */
#include "tests/unit/story_internal.h"
#include "lib/codec/codec.h"

#include <stdio.h>

#define w story_world

static bool arrow_told[SEEN_ARROWS], guard_told[SEEN_ARROWS][SEEN_REFUSALS];

/* Whether that order, given to that case, would have taken this arrow if it had not been refused. */
static bool leads_to(const struct order *o, const struct case_state *c, const struct arrow *a) {
    static const enum order_kind plain[] = {
        [EVENT_REPORTED] = ORDER_REPORT, [EVENT_SELF_HANDLED] = ORDER_SELF_HANDLE, [EVENT_IMPORTED] = ORDER_IMPORT,
        [EVENT_ACCEPTED] = ORDER_ACCEPT, [EVENT_REJECTED] = ORDER_REJECT, [EVENT_APPEALED] = ORDER_APPEAL,
        [EVENT_MERGED] = ORDER_MERGE, [EVENT_SPLIT] = ORDER_SPLIT, [EVENT_WITHDRAWN] = ORDER_WITHDRAW,
        [EVENT_DISPATCHED] = ORDER_DISPATCH, [EVENT_REASSIGNED] = ORDER_REASSIGN,
        [EVENT_EXTENSION_ASKED] = ORDER_ASK_EXTENSION, [EVENT_EXTENSION_GRANTED] = ORDER_DECIDE_EXTENSION,
        [EVENT_EXTENSION_REFUSED] = ORDER_DECIDE_EXTENSION, [EVENT_SUSPENDED] = ORDER_SUSPEND,
        [EVENT_RESUMED] = ORDER_RESUME, [EVENT_MILESTONE_DONE] = ORDER_ANSWER, [EVENT_REMINDED] = ORDER_REMIND,
        [EVENT_SUPERVISED] = ORDER_SUPERVISE, [EVENT_ESCALATED] = ORDER_ESCALATE, [EVENT_DELEGATED] = ORDER_DELEGATE,
        [EVENT_RESOLVED] = ORDER_ANSWER, [EVENT_RETURNED] = ORDER_ANSWER, [EVENT_FOLLOWED_UP] = ORDER_FOLLOW_UP,
        [EVENT_REOPENED] = ORDER_REOPEN, [EVENT_TRANSFERRED] = ORDER_TRANSFER,
        [EVENT_TRANSFER_ACKNOWLEDGED] = ORDER_ACKNOWLEDGE_TRANSFER, [EVENT_VOID_ASKED] = ORDER_VOID,
        [EVENT_VOIDED] = ORDER_VOID, [EVENT_ARCHIVED] = ORDER_ARCHIVE, [EVENT_NOTED] = ORDER_NOTE,
        [EVENT_CORRECTED] = ORDER_CORRECT, [EVENT_ANSWERED] = ORDER_ANSWER, [EVENT_CLOSED] = ORDER_CLOSE,
        [EVENT_HANDED_OVER] = ORDER_HAND_OVER, [EVENT_CASE_MOVED] = ORDER_MOVE, [EVENT_DUE_MOVED] = ORDER_RECOMPUTE,
        [EVENT_OFFER_FAILED] = ORDER_OFFER_FAILED, [EVENT_DEAD_RETRIED] = ORDER_RETRY_DEAD,
        [EVENT_DEAD_DROPPED] = ORDER_DROP_DEAD,
    };
    if (a->event >= COUNT_OF(plain) || o->kind != plain[a->event]) return false;
    uint32_t from = a->from;
    if (a->event == EVENT_DISPATCHED) from |= 1u << STATE_REPORTED;                    /* it is accepted on the way */
    if (!(from & 1u << (c->id ? c->state : STATE_NONE))) return false;
    PbAnswerKind kind = o->kind == ORDER_ANSWER ? o->answer->kind : ANSWER_NONE;
    switch (a->event) {
    case EVENT_RETURNED: return kind == ANSWER_RETURN;
    case EVENT_RESOLVED: return kind == ANSWER_DONE;
    case EVENT_MILESTONE_DONE: return kind == ANSWER_DONE && o->answer->milestone;
    case EVENT_ANSWERED: return !a->to || kind == ANSWER_DECLINE;
    case EVENT_EXTENSION_GRANTED: return o->decide_extension->grant;
    case EVENT_EXTENSION_REFUSED: return !o->decide_extension->grant;
    case EVENT_VOID_ASKED: return !c->more.void_by[0];
    case EVENT_VOIDED: return c->more.void_by[0] || w.in_batch;
    default: return true;
    }
}

static void pend(unsigned arrow, PbRefusal refusal) {
    CHECK(w.pending_count < STORY_PENDING_MAX);
    w.pending[w.pending_count++] = (struct told){ (uint16_t)arrow, (uint16_t)refusal };
}

void told_event(PbEvent__EventCase event, PbState from, PbState to) {
    pend(arrow_taken(event, from, to), REFUSED_NOTHING);
}

void told_refusal(const struct order *order, const struct case_state *c, PbRefusal refusal) {
    for (unsigned i = 0; i < arrows_count; i++)
        if (leads_to(order, c, &arrows[i])) pend(i, refusal);
}

void told_is_expected(void) {
    for (size_t i = 0; i < w.pending_count; i++) {
        const struct told *t = &w.pending[i];
        if (t->refusal == REFUSED_NOTHING) arrow_told[t->arrow] = true;
        else guard_told[t->arrow][t->refusal] = true;
    }
    w.pending_count = 0;
}

void told_forget(void) {
    w.pending_count = 0;
}

static const char *name_of(const struct arrow *a) {
    return event_name(&(PbEvent){ .event_case = (PbEvent__EventCase)a->event });
}

bool everything_is_told(char *missing, size_t cap) {
    size_t len = 0;
    for (unsigned i = 0; i < arrows_count && len < cap; i++) {
        const struct arrow *a = &arrows[i];
        if (!arrow_told[i])
            len += (size_t)snprintf(missing + len, cap - len, "row %u: no story of %s (%s)\n", a->row, name_of(a),
                                    a->zh);
        for (const struct guard *g = a->guards; g < a->guards + ARROW_GUARDS_MAX && g->refusal && len < cap; g++)
            if (!guard_told[i][g->refusal])
                len += (size_t)snprintf(missing + len, cap - len, "row %u: no story of %s refused %s: %s\n", a->row,
                                        name_of(a), codec_enum_name(&pb_refusal__descriptor, (int)g->refusal), g->says);
    }
    return len == 0;
}
