/* decide_leader.c: what leaders and approvers say of work that others do: more time, a pause, a reminder. Whoever
 * handles a case approves nothing of it. */
#include "daemon/kernel/decide_internal.h"

#include <string.h>

/* ---- who may approve --------------------------------------------------------------------------------------------- */

static PbLevel highest_level(const PbPlaybook *p) {
    PbLevel highest = LEVEL_GRID;
    for (size_t i = 0; i < p->n_stages; i++)
        if (p->stages[i]->kind == STAGE_HANDLE && p->stages[i]->level > highest) highest = p->stages[i]->level;
    return highest;
}

static bool is_asked(const struct scene *s, const char *party) {
    const struct case_state *c = s->c;
    for (unsigned i = 0; i < c->asks_count; i++)
        if (ask_is_open(&c->asks[i]) && strcmp(c->asks[i].party, party) == 0) return true;
    const struct ask *handler = case_handler(s->c);
    return handler && strcmp(handler->party, party) == 0;
}

/* A desk or a grid leader over the place, of that level or above (on the highest rung: of that rung), who is asked for
 * nothing in this case. */
void check_approver(struct scene *s, const char *party, PbLevel least) {
    check_party(s, party, true, "party");
    if (s->out->refusal) return;
    struct slice slug;
    uint64_t division = 0;
    CHECK(party_split(slice_of(party), &slug, &division));
    const PbRole *role = rules_role(s->rules, slug);
    PbLevel highest = highest_level(s->playbook), at = division_level(division);
    bool leads = role && (role->kind == ROLE_DESK || role->kind == ROLE_GRID_LEADER);
    if (least > highest) least = highest;
    if (!leads || at < least || !division_at_level(s->rules, s->c->division, at, s->now) ||
        division_at_level(s->rules, s->c->division, at, s->now) != division || is_asked(s, party))
        refuse(s, REFUSED_NOT_APPROVER, "party");
}

/* ---- 延期 -------------------------------------------------------------------------------------------------------- */

static const PbLimit *extension_of(const struct scene *s) {
    const PbCategory *g = s->category;
    if (g->extension) return g->extension;
    return g->n_milestones ? g->milestones[g->n_milestones - 1]->limit : s->stage->handling;
}

/* Asked and granted before due: once it is due it is over, whether its deadline has spoken yet or not. */
static bool limit_runs(const struct scene *s) {
    const struct timer *clock = handling_clock(s);
    return clock && clock->due_ms > s->now;
}

static void check_extension(struct scene *s, const PbAskExtension *a, const PbLimit *more) {
    struct playbook_limits limits;
    playbook_limits(s->playbook, &limits);
    check_party(s, a->party, true, "party");
    check_text(s, a->text, "text");
    if (s->out->refusal) return;
    const struct ask *ask = case_ask(s->c, a->party, s->c->stage, s->c->attempt);
    if (!ask || !ask_is_open(ask)) return refuse(s, REFUSED_NOT_ASKED, "party");
    if (!limit_runs(s)) return refuse(s, REFUSED_NO_LIMIT, "case_id");
    if (s->c->more.extension_amount) return refuse(s, REFUSED_PENDING, "case_id");
    if (s->c->more.extensions >= limits.extensions_max) return refuse(s, REFUSED_SPENT, "case_id");
    if (!more || !limit_valid(more)) refuse(s, REFUSED_FIELD_RANGE, "limit");
}

void decide_ask_extension(struct scene *s) {
    const PbAskExtension *a = s->order->ask_extension;
    const PbLimit *more = a->limit ? a->limit : extension_of(s);
    check_extension(s, a, more);
    if (s->out->refusal) return;
    PbExtensionAsked *to = happen(s, EVENT_EXTENSION_ASKED)->extension_asked = make(s, sizeof *to);
    to->party = a->party;
    to->limit = (PbLimit *)more;
    to->text = s->order->text;
}

static void grant(struct scene *s, const PbDecideExtension *d) {
    struct playbook_limits limits;
    playbook_limits(s->playbook, &limits);
    if (!limit_runs(s)) return refuse(s, REFUSED_NO_LIMIT, "case_id");
    PbLimit more = { .has_unit = 1, .unit = (PbUnit)s->c->more.extension_unit, .has_amount = 1,
                     .amount = s->c->more.extension_amount };
    struct timers t = { .count = 0 };
    int64_t added = timers_extended(s, &t, &more, limits.extensions_percent);
    if (!added) return refuse(s, REFUSED_SPENT, "limit");
    PbExtensionGranted *to = happen(s, EVENT_EXTENSION_GRANTED)->extension_granted = make(s, sizeof *to);
    to->party = d->party;
    SET(to, added_ms, added);
    to->timers = timers_list(s, &t, &to->n_timers);
    to->text = s->order->text;
}

/* The first by the leader of the shift; after that one level up. */
void decide_decide_extension(struct scene *s) {
    const PbDecideExtension *d = s->order->decide_extension;
    check_approver(s, d->party, (PbLevel)(s->c->level + (s->c->more.extensions > 0)));
    check_text(s, d->text, "text");
    if (!s->c->more.extension_amount) refuse(s, REFUSED_NOTHING_PENDING, "case_id");
    if (!d->has_grant) refuse(s, REFUSED_FIELD_MISSING, "grant");
    if (s->out->refusal) return;
    if (d->grant) return grant(s, d);
    PbExtensionRefused *to = happen(s, EVENT_EXTENSION_REFUSED)->extension_refused = make(s, sizeof *to);
    to->party = d->party;
    to->text = s->order->text;
}

/* Undecided when the limit is over: treated as refused. */
void extension_lapses(struct scene *s, PbTimerKind fired) {
    if (!s->c->more.extension_amount) return;
    PbExtensionRefused *to = happen(s, EVENT_EXTENSION_REFUSED)->extension_refused = make(s, sizeof *to);
    SET(to, fired, fired);
}

/* ---- 挂起 -------------------------------------------------------------------------------------------------------- */

void decide_suspend(struct scene *s) {
    const PbSuspend *w = s->order->suspend;
    struct playbook_limits limits;
    playbook_limits(s->playbook, &limits);
    check_approver(s, w->party, (PbLevel)s->c->level);
    check_text(s, w->text, "text");
    if (w->cause < CAUSE_ENGINEERING || w->cause > CAUSE_ABSENT) refuse(s, REFUSED_FIELD_RANGE, "cause");
    if (w->review_ms <= s->now || w->review_ms > limit_due(s->calendar, s->now, &limits.suspend_most).due_ms)
        refuse(s, REFUSED_FIELD_RANGE, "review_ms");
    if (s->c->more.suspensions >= limits.suspensions_max) refuse(s, REFUSED_SPENT, "case_id");
    if (s->out->refusal) return;
    PbSuspended *to = happen(s, EVENT_SUSPENDED)->suspended = make(s, sizeof *to);
    to->party = w->party;
    SET(to, cause, w->cause);
    to->text = s->order->text;
    struct timers t = { .count = 0 };
    timers_until(s, &t, TIMER_REVIEW, w->review_ms);
    to->timers = timers_list(s, &t, &to->n_timers);
}

void resume(struct scene *s, const char *party, int64_t late_ms) {
    PbResumed *to = happen(s, EVENT_RESUMED)->resumed = make(s, sizeof *to);
    to->party = party ? text_in_room(s, slice_of(party)) : NULL;
    if (late_ms > 0) SET(to, late_ms, late_ms);
    struct timers t = { .count = 0 };
    timers_resumed(s, &t);
    to->timers = timers_list(s, &t, &to->n_timers);
}

void decide_resume(struct scene *s) {
    check_approver(s, s->order->resume->party, (PbLevel)s->c->level);
    if (!s->out->refusal) resume(s, s->order->resume->party, 0);
}

/* ---- 催办 督办 --------------------------------------------------------------------------------------------------- */

void decide_remind(struct scene *s) {
    const PbRemind *r = s->order->remind;
    check_approver(s, r->party, (PbLevel)s->c->level);
    check_text(s, r->text, "text");
    if (s->c->reminders == UINT16_MAX) refuse(s, REFUSED_SPENT, "case_id");
    if (s->out->refusal) return;
    PbReminded *to = happen(s, EVENT_REMINDED)->reminded = make(s, sizeof *to);
    SET(to, stage, s->c->stage);
    SET(to, attempt, s->c->attempt);
    to->party = r->party;
    to->text = s->order->text;
}

/* A leader's, at any time. The deadline of the last rung's own supervising begins anew. */
void decide_supervise(struct scene *s) {
    const PbSupervise *w = s->order->supervise;
    check_approver(s, w->party, (PbLevel)s->c->level);
    check_text(s, w->text, "text");
    if (s->c->supervised == UINT16_MAX) refuse(s, REFUSED_SPENT, "case_id");
    if (s->out->refusal) return;
    PbSupervised *to = happen(s, EVENT_SUPERVISED)->supervised = make(s, sizeof *to);
    SET(to, times, s->c->supervised + 1u);
    SET(to, cause, CAUSE_LEADER);
    to->party = w->party;
    to->text = s->order->text;
    const struct timer *armed = case_timer(s->c, TIMER_SUPERVISE);
    struct timers t = { .count = 0 };
    if (armed && !armed->stopped) timers_supervise(s, &t);
    to->timers = timers_list(s, &t, &to->n_timers);
}
