/* decide.c: (case, order, now) -> events or a refusal. The door, and the table of who decides what in which state.
 *
 * Every pair (order, state) has an end: a function, or the refusal it means. A test visits each. */
#include "daemon/kernel/decide_internal.h"
#include "daemon/kernel/states.h"

#include <string.h>

void refuse(struct scene *s, PbRefusal why, const char *field) {
    CHECK(why != REFUSED_NOTHING);
    if (s->out->refusal != REFUSED_NOTHING) return;              /* the first reason is the one that is told */
    s->out->refusal = why;
    s->out->field = field;
}

void *make(struct scene *s, size_t size) {
    return arena_must(s->in->room, size);
}

PbEvent *happen(struct scene *s, PbEvent__EventCase kind) {
    CHECK(s->out->count < DECISION_EVENTS_MAX);
    PbEvent *e = make(s, sizeof *e);
    e->event_case = kind;
    s->out->events[s->out->count++] = e;
    return e;
}

const PbStage *stage_at(const PbPlaybook *p, uint32_t number) {
    CHECK(number >= 1 && number <= p->n_stages);
    return p->stages[number - 1];
}

uint32_t attempt_next(struct scene *s, uint32_t stage) {
    uint32_t next = case_next_attempt(s->c, stage);
    if (next > ATTEMPT_MAX - ATTEMPTS_KEPT) refuse(s, REFUSED_TOO_MANY_ASKS, "attempt");
    return next;
}

bool cursor_matches(struct scene *s, uint32_t stage, uint32_t attempt) {
    if (stage == s->c->stage && attempt == s->c->attempt) return true;
    refuse(s, REFUSED_WRONG_STAGE, stage == s->c->stage ? "attempt" : "stage");
    return false;
}

char *text_in_room(struct scene *s, struct slice text) {
    char *to = make(s, text.len + 1);
    if (text.len) memcpy(to, text.at, text.len);
    return to;
}

/* ---- what many orders have in common ----------------------------------------------------------------------------- */

void check_evidence(struct scene *s, PbEvidence *const *list, size_t count) {
    if (count > EVIDENCE_MAX) return refuse(s, REFUSED_FIELD_RANGE, "evidence");
    for (size_t i = 0; i < count; i++) {
        const PbEvidence *e = list[i];
        if (!e->has_sha256 || e->sha256.len != 32) return refuse(s, REFUSED_FIELD_RANGE, "evidence.sha256");
        if (e->url && strlen(e->url) > EVIDENCE_URL_BYTES_MAX) return refuse(s, REFUSED_TEXT_TOO_LONG, "evidence.url");
        if (e->type && strlen(e->type) > EXTERNAL_ID_BYTES_MAX)
            return refuse(s, REFUSED_TEXT_TOO_LONG, "evidence.type");
    }
}

void check_text(struct scene *s, const char *text, const char *field) {
    if (text && strlen(text) > TEXT_BYTES_MAX) refuse(s, REFUSED_TEXT_TOO_LONG, field);
}

void check_party(struct scene *s, const char *party, bool needed, const char *field) {
    if (!party) {
        if (needed) refuse(s, REFUSED_FIELD_MISSING, field);
    } else if (!rules_party(s->rules, slice_of(party), s->now)) {
        refuse(s, REFUSED_UNKNOWN_PARTY, field);
    }
}

bool is_reporter(const struct scene *s, const char *party) {
    return !s->c->reporter[0] || !party || strcmp(s->c->reporter, party) == 0;
}

uint32_t stage_of_level(const PbPlaybook *p, PbLevel level) {
    for (uint32_t n = 1; n <= p->n_stages; n++)
        if (p->stages[n - 1]->kind == STAGE_HANDLE && p->stages[n - 1]->level == level) return n;
    return 0;
}

/* The playbook's calendar out of those rules, or out of its own when they have none of that name any more. */
const PbCalendar *calendar_of(const PbRules *from, const PbRules *own, const PbPlaybook *p) {
    const PbCalendar *there = rules_calendar(from, p->calendar ? p->calendar : from->calendar);
    return there ? there : rules_calendar(own, p->calendar ? p->calendar : own->calendar);
}

/* ---- the table --------------------------------------------------------------------------------------------------- */

static void decide_later(struct scene *s) {
    refuse(s, REFUSED_NOT_YET, NULL);
}

static const struct row {
    void (*decide)(struct scene *s);
    uint32_t states;                                 /* that it may be given in; in others: refusal_of */
} table[ORDER_COUNT] = {
    [ORDER_REPORT]           = { decide_report,           S(NONE) },
    [ORDER_SELF_HANDLE]      = { decide_self_handle,      S(NONE) },
    [ORDER_IMPORT]           = { decide_import,           S(NONE) },
    [ORDER_ANSWER]           = { decide_answer,           OPEN },
    [ORDER_ACCEPT]           = { decide_accept,           S(REPORTED) },
    [ORDER_REJECT]           = { decide_reject,           DESK },
    [ORDER_APPEAL]           = { decide_appeal,           S(REJECTED) },
    [ORDER_MERGE]            = { decide_merge,            DESK },
    [ORDER_SPLIT]            = { decide_split,            S(MERGED) },
    [ORDER_WITHDRAW]         = { decide_withdraw,         S(REPORTED) },
    [ORDER_DISPATCH]         = { decide_dispatch,         DESK },
    [ORDER_REASSIGN]         = { decide_reassign,         ASKED },
    [ORDER_ESCALATE]         = { decide_escalate,         DESK | ASKED },
    [ORDER_DELEGATE]         = { decide_delegate,         DESK | ASKED },
    [ORDER_ASK_EXTENSION]    = { decide_ask_extension,    S(HANDLING) },
    [ORDER_DECIDE_EXTENSION] = { decide_decide_extension, S(HANDLING) },
    [ORDER_SUSPEND]          = { decide_suspend,          S(HANDLING) },
    [ORDER_RESUME]           = { decide_resume,           S(SUSPENDED) },
    [ORDER_REMIND]           = { decide_remind,           OPEN },
    [ORDER_SUPERVISE]        = { decide_supervise,        OPEN },
    [ORDER_HAND_OVER]        = { decide_hand_over,        OPEN },
    [ORDER_FOLLOW_UP]        = { decide_follow_up,        S(FOLLOWUP) },
    [ORDER_REOPEN]           = { decide_reopen,           S(FOLLOWUP) | S(CLOSED) | S(TRANSFERRED) },
    [ORDER_TRANSFER]         = { decide_transfer,         OPEN },
    [ORDER_ACKNOWLEDGE_TRANSFER] = { decide_acknowledge_transfer, S(TRANSFERRED) },
    [ORDER_VOID]             = { decide_void,             OPEN | (ENDED & ~S(VOID)) },
    [ORDER_CLOSE]            = { decide_close,            OPEN },
    [ORDER_CORRECT]          = { decide_correct,          OPEN },
    [ORDER_NOTE]             = { decide_note,             ANY },
    [ORDER_MOVE]             = { decide_move,             OPEN },
    [ORDER_RETRY_DEAD]       = { decide_retry_dead,       DESK },
    [ORDER_DROP_DEAD]        = { decide_drop_dead,        DESK },
    [ORDER_LATER]            = { decide_later,            ANY | S(NONE) },
    [ORDER_DEADLINE]         = { decide_deadline,         OPEN | S(TRANSFERRED) },
    [ORDER_OFFER_FAILED]     = { decide_offer_failed,     OPEN },
    [ORDER_ARCHIVE]          = { decide_archive,          ENDED },
    [ORDER_RECOMPUTE]        = { decide_recompute,        OPEN | S(TRANSFERRED) },
};

static PbRefusal refusal_of(enum order_kind order, PbState state) {
    if (order == ORDER_DEADLINE) return REFUSED_NO_SUCH_TIMER;
    if (state == STATE_NONE) return REFUSED_NO_SUCH_CASE;
    bool over = (ENDED | S(ARCHIVED)) & 1u << state;
    return over && (table[order].states & OPEN) ? REFUSED_CASE_CLOSED : REFUSED_WRONG_STATE;
}

/* Looks up what the case is pinned to. A case's rules are always at hand: they are journaled before it. */
static void scene_bind(struct scene *s) {
    if (s->c->id == 0) return;
    CHECK(s->c->playbook >= 1 && s->c->playbook <= s->rules->n_playbooks);
    s->playbook = s->rules->playbooks[s->c->playbook - 1];
    s->stage = stage_at(s->playbook, s->c->stage);
    s->category = rules_category(s->rules, slice_of(s->c->category));
    s->calendar = calendar_of(s->in->calendar_rules ? s->in->calendar_rules : s->rules, s->rules, s->playbook);
    CHECK(s->category && s->calendar);
}

void decide(const struct decide_input *in, const struct order *order, struct decision *ret) {
    struct scene s = { .in = in, .c = in->state, .order = order, .rules = in->rules, .now = in->now_ms, .out = ret };
    CHECK(order->kind < ORDER_COUNT && in->state->state <= STATE_ARCHIVED);
    *ret = (struct decision){ .refusal = REFUSED_NOTHING };
    PbState state = in->state->id ? (PbState)in->state->state : STATE_NONE;
    const struct row *row = &table[order->kind];
    if (!(row->states & 1u << state)) return refuse(&s, refusal_of(order->kind, state), NULL);
    scene_bind(&s);
    row->decide(&s);
    if (ret->refusal) ret->count = 0;                /* a refusal changes nothing */
    CHECK((ret->refusal != REFUSED_NOTHING) == (ret->count == 0));
}
