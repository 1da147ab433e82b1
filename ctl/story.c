/* story.c: what happened, told in people's words: one event, one line. A table of tellers, one an event; those of what
 * leads off the main way stand in story_detours.c. */
#include "ctl/story.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void tell(struct line *l, const char *format, ...) {
    va_list more;
    va_start(more, format);
    int len = vsnprintf(l->to + l->len, LINE_BYTES - l->len, format, more);
    va_end(more);
    CHECK(len >= 0);
    l->len = l->len + (size_t)len < LINE_BYTES ? l->len + (size_t)len : LINE_BYTES - 1;
}

const char *tell_in(const struct story *s, const char *zh, const char *en) {
    return say(s->c, zh, en);
}

/* ---- what many events have --------------------------------------------------------------------------------------- */

void tell_party(const struct story *s, struct line *l, const char *party) {
    const char *name = NULL;
    for (size_t i = 0; party && s->names && i < s->names->n_asks; i++)
        if (strcmp(s->names->asks[i]->party, party) == 0)
            name = s->names->asks[i]->name_zh;
    if (name && s->c->language == LANGUAGE_ZH)
        tell(l, "%s（%s）", name, party);
    else
        tell(l, "%s", party ? party : tell_in(s, "某人", "somebody"));
}

/* Who did it, and what, in one breath. */
void tell_by(const struct story *s, struct line *l, const char *party, const char *zh, const char *en) {
    tell_party(s, l, party);
    tell(l, "%s", tell_in(s, zh, en));
}

void tell_whose(const struct story *s, struct line *l, const char *party) {
    if (!party)
        return;
    tell(l, "%s", tell_in(s, "，", ", by "));
    tell_party(s, l, party);
}

void tell_asks(const struct story *s, struct line *l, PbAsk *const *asks, size_t count) {
    for (size_t i = 0; i < count; i++) {
        tell(l, "%s", i ? tell_in(s, "、", ", ") : "");
        tell_party(s, l, asks[i]->party);
        if (asks[i]->lead && count > 1)
            tell(l, "%s", tell_in(s, "〔主办〕", " (lead)"));
    }
}

/* What is armed is remembered: the line that says it has passed names its limit. Reminders are no limits. */
void tell_timers(struct story *s, struct line *l, PbTimer *const *timers, size_t count) {
    for (size_t i = 0; i < count; i++) {
        const PbTimer *t = timers[i];
        char limit[PRINTED_BYTES], due[PRINTED_BYTES];
        if ((size_t)t->kind < COUNT_OF(s->limit) && t->limit)
            s->limit[t->kind] = *t->limit;
        if (t->kind == TIMER_REMIND)
            continue;
        print_limit(t->limit, limit);
        print_instant(s->c, t->due_ms, due);
        if (t->limit && t->limit->unit == UNIT_MILLISECONDS)           /* until an instant that somebody named */
            tell(l, "%s%s%s%s", tell_in(s, "；", "; "), word_timer(s->c->language, t->kind),
                 tell_in(s, "至 ", " until "), due);
        else if (s->c->language == LANGUAGE_ZH)
            tell(l, "；%s时限 %s，至 %s", word_timer(LANGUAGE_ZH, t->kind), limit, due);
        else
            tell(l, "; %s within %s, until %s", word_timer(LANGUAGE_EN, t->kind), limit, due);
        if (t->past_calendar)
            tell(l, "%s", tell_in(s, "（超出已知工作日历）", " (past the known calendar)"));
    }
}

void tell_cause(const struct story *s, struct line *l, PbCause cause, PbTimerKind fired) {
    char limit[PRINTED_BYTES], within[PRINTED_BYTES];
    const PbLimit *passed = fired > TIMER_NONE && (size_t)fired < COUNT_OF(s->limit) ? &s->limit[fired] : NULL;
    print_limit(passed, limit);
    bool known = passed && passed->unit != UNIT_NONE && word_cause_within(s->c->language, cause, limit, within);
    tell(l, "%s%s", tell_in(s, "：", ": "), known ? within : word_cause(s->c->language, cause));
}

void tell_late(const struct story *s, struct line *l, int64_t late_ms) {
    char span[PRINTED_BYTES];
    if (late_ms <= 0)
        return;
    print_span(s->c, late_ms, span);
    tell(l, "%s%s%s", tell_in(s, "（迟 ", " (late "), span, tell_in(s, "）", ")"));
}

void tell_text(const struct story *s, struct line *l, const PbSealed *text) {
    if (text && s->text && *s->text)
        tell(l, "%s%s%s", tell_in(s, "：“", ": \""), s->text, tell_in(s, "”", "\""));
    else if (text)
        tell(l, "%s", tell_in(s, "（附文字）", " (with a text)"));
}

static const char *in_time(const struct story *s, bool on_time) {
    return on_time ? tell_in(s, "按时", "in time") : tell_in(s, "逾期", "late");
}

/* ---- the tellers ------------------------------------------------------------------------------------------------- */

static void tell_report(struct story *s, struct line *l, const PbReported *r) {
    const PbPlace *p = r->place;
    tell(l, "%s %s, %llu", tell_in(s, "上报", "reported:"), r->category ? r->category : "-",
        p ? (unsigned long long)p->division : 0ULL);
    if (p && p->wall)
        tell(l, " (%s)", word_wall(s->c->language, p->wall));
    if (r->reporter)
        tell(l, "%s%s", tell_in(s, "，上报人 ", ", by "), r->reporter);
}

static void tell_reported(struct story *s, struct line *l, const PbEvent *e) {
    tell_report(s, l, e->reported);
    tell(l, "%s%s%s", tell_in(s, "；由", "; it goes to the "), word_level(s->c->language, e->reported->level),
        tell_in(s, "值守席派单", " desk"));
    tell_timers(s, l, e->reported->timers, e->reported->n_timers);
}

static void tell_self_handled(struct story *s, struct line *l, const PbEvent *e) {
    tell_report(s, l, e->self_handled->report);
    tell(l, "%s", tell_in(s, "；随手办结：", "; handled on the spot by "));
    tell_party(s, l, e->self_handled->party);
    tell_text(s, l, e->self_handled->text);
}

static void tell_accepted(struct story *s, struct line *l, const PbEvent *e) {
    tell(l, "%s", tell_in(s, "受理", "taken up"));
    if (e->accepted->party) {
        tell(l, "%s", tell_in(s, "：", " by "));
        tell_party(s, l, e->accepted->party);
    }
}

static void tell_rejected(struct story *s, struct line *l, const PbEvent *e) {
    tell(l, "%s", tell_in(s, "不予受理", "rejected"));
    tell_cause(s, l, e->rejected->cause, TIMER_NONE);
    tell_text(s, l, e->rejected->text);
}

static void tell_dispatched(struct story *s, struct line *l, const PbEvent *e) {
    const PbDispatched *d = e->dispatched;
    tell(l, "%s%s%s", tell_in(s, "", "the "), word_level(s->c->language, d->level),
        tell_in(s, "值守席派单给 ", " desk asked "));
    tell_asks(s, l, d->asks, d->n_asks);
    if (d->cause)
        tell_cause(s, l, d->cause, TIMER_NONE);
    tell_timers(s, l, d->timers, d->n_timers);
}

static void tell_signed(struct story *s, struct line *l, const PbEvent *e) {
    tell_party(s, l, e->signed_->party);
    tell(l, "%s", tell_in(s, " 签收", " accepted"));
}

static void tell_answered(struct story *s, struct line *l, const PbEvent *e) {
    const PbAnswered *a = e->answered;
    tell_party(s, l, a->party);
    tell(l, "%s%s (%s)", tell_in(s, " 回应：", " answered: "), word_answer(s->c->language, a->kind),
        word_fate(s->c->language, a->fate));
    tell_text(s, l, a->text);
    if (a->reopens_desk)
        tell(l, "%s", tell_in(s, "；各方均不能办，值守席重新派单", "; everybody has declined, the desk is asked again"));
    tell_timers(s, l, a->timers, a->n_timers);
}

static void tell_reminded(struct story *s, struct line *l, const PbEvent *e) {
    const PbReminded *r = e->reminded;
    if (r->party)
        tell_by(s, l, r->party, " 催办", " reminded them");
    else
        tell(l, "%s", tell_in(s, "催办：时限将到", "reminded: the deadline is near"));
    tell_late(s, l, r->late_ms);
    tell_text(s, l, r->text);
}

static void tell_supervised(struct story *s, struct line *l, const PbEvent *e) {
    const PbSupervised *v = e->supervised;
    if (s->c->language == LANGUAGE_ZH)
        tell(l, "第 %u 次督办", v->times);
    else
        tell(l, "supervised, time %u", v->times);
    tell_cause(s, l, v->cause, v->fired);
    tell_whose(s, l, v->party);
    tell_late(s, l, v->late_ms);
    tell_text(s, l, v->text);
    tell_timers(s, l, v->timers, v->n_timers);
}

static void tell_escalated(struct story *s, struct line *l, const PbEvent *e) {
    const PbEscalated *v = e->escalated;
    enum language in = s->c->language;
    tell(l, "%s %s → %s", tell_in(s, "升级", "escalated"), word_level(in, v->from_level), word_level(in, v->level));
    tell_cause(s, l, v->cause, v->fired);
    tell_late(s, l, v->late_ms);
    if (v->party) {
        tell(l, "%s", tell_in(s, "；提出者 ", "; at the wish of "));
        tell_party(s, l, v->party);
    }
    if (v->n_asks) {
        tell(l, "%s", tell_in(s, "；改由 ", "; now asked: "));
        tell_asks(s, l, v->asks, v->n_asks);
    }
    tell_timers(s, l, v->timers, v->n_timers);
}

static void tell_milestone_done(struct story *s, struct line *l, const PbEvent *e) {
    const PbMilestoneDone *m = e->milestone_done;
    tell_party(s, l, m->party);
    tell(l, "%s%s", tell_in(s, " 完成阶段目标：", " reached the milestone "), m->milestone ? m->milestone : "-");
    tell_text(s, l, m->text);
    tell_timers(s, l, m->timers, m->n_timers);
}

static void tell_resolved(struct story *s, struct line *l, const PbEvent *e) {
    const PbResolved *r = e->resolved;
    tell_party(s, l, r->party);
    tell(l, "%s%s%s", tell_in(s, " 办结（", " has done it ("), in_time(s, r->on_time), tell_in(s, "）", ")"));
    tell_text(s, l, r->text);
    if (r->n_asks) {
        tell(l, "%s", tell_in(s, "；请核查：", "; asked to verify: "));
        tell_asks(s, l, r->asks, r->n_asks);
    }
    tell_timers(s, l, r->timers, r->n_timers);
}

static void tell_verified(struct story *s, struct line *l, const PbEvent *e) {
    tell_party(s, l, e->verified->party);
    tell(l, "%s", tell_in(s, " 核查通过", " verified it"));
}

static void tell_rework(struct story *s, struct line *l, const PbEvent *e) {
    const PbRework *r = e->rework;
    tell_party(s, l, r->party);
    tell(l, "%s%s%s", tell_in(s, " 核查不通过，退回", " sent it back to the "), word_level(s->c->language, r->level),
        tell_in(s, "返工", ": not done properly"));
    tell_text(s, l, r->text);
    tell_timers(s, l, r->timers, r->n_timers);
}

static void tell_closed(struct story *s, struct line *l, const PbEvent *e) {
    const PbClosed *c = e->closed;
    tell(l, "%s%s%s", tell_in(s, "结案（", "closed ("), in_time(s, c->on_time), tell_in(s, "）", ")"));
    if (c->cause)
        tell_cause(s, l, c->cause, TIMER_NONE);
    tell_text(s, l, c->text);
}

static void tell_noted(struct story *s, struct line *l, const PbEvent *e) {
    tell_party(s, l, e->noted->party);
    tell(l, "%s", tell_in(s, " 记录了一条备注", " left a note"));
    tell_text(s, l, e->noted->text);
}

static void tell_offer_failed(struct story *s, struct line *l, const PbEvent *e) {
    const PbOfferFailed *f = e->offer_failed;
    char ready[PRINTED_BYTES];
    tell(l, "%s%s%u%s", word_offer_end(s->c->language, f->how), tell_in(s, "（第 ", " (try "), f->tries,
        tell_in(s, " 次）", ")"));
    print_instant(s->c, f->ready_at_ms, ready);
    if (f->dead)
        tell(l, "%s", tell_in(s, "；不再派给值守程序，等时限推动", "; not offered again: a deadline will move it"));
    else if (f->ready_at_ms)
        tell(l, "%s%s", tell_in(s, "；再次提供：", "; offered again from "), ready);
}

static void tell_epoch_begun(struct story *s, struct line *l, const PbEvent *e) {
    tell(l, "%s %llu%s", tell_in(s, "服务器第", "the broker started, epoch"),
        (unsigned long long)e->epoch_begun->epoch, tell_in(s, " 次启动", ""));
}

static void tell_clock_doubted(struct story *s, struct line *l, const PbEvent *e) {
    char wall[PRINTED_BYTES];
    print_instant(s->c, e->clock_doubted->wall_ms, wall);
    tell(l, "%s %s%s", tell_in(s, "系统时钟跳变：", "the system's clock jumped to"), wall,
        e->clock_doubted->followed ? tell_in(s, "，已跟随", ", followed") : tell_in(s, "，未跟随", ", not followed"));
}

static void tell_rules_begun(struct story *s, struct line *l, const PbEvent *e) {
    tell(l, "%s %u", tell_in(s, "开始采用规则集", "rules begin to be adopted:"), e->rules_begun->rules);
}

static void tell_rules_chunk(struct story *s, struct line *l, const PbEvent *e) {
    tell(l, "%s %u/%u", tell_in(s, "规则集分段", "a part of the rules"), e->rules_chunk->rules, e->rules_chunk->index);
}

static void tell_rules_adopted(struct story *s, struct line *l, const PbEvent *e) {
    tell(l, "%s %u", tell_in(s, "已采用规则集", "rules adopted:"), e->rules_adopted->rules);
}

static void tell_receipts_expired(struct story *s, struct line *l, const PbEvent *e) {
    char before[PRINTED_BYTES];
    print_instant(s->c, e->receipts_expired->horizon_ms, before);
    tell(l, "%s %s", tell_in(s, "清理回执，早于", "receipts expired that are older than"), before);
}

void story_words(struct story *s, const PbEvent *e, char to[static LINE_BYTES]) {
    static teller *const tellers[] = {
        [EVENT_REPORTED] = tell_reported, [EVENT_SELF_HANDLED] = tell_self_handled, [EVENT_ACCEPTED] = tell_accepted,
        [EVENT_REJECTED] = tell_rejected, [EVENT_DISPATCHED] = tell_dispatched, [EVENT_SIGNED] = tell_signed,
        [EVENT_ANSWERED] = tell_answered, [EVENT_REMINDED] = tell_reminded, [EVENT_SUPERVISED] = tell_supervised,
        [EVENT_ESCALATED] = tell_escalated, [EVENT_MILESTONE_DONE] = tell_milestone_done,
        [EVENT_RESOLVED] = tell_resolved, [EVENT_VERIFIED] = tell_verified, [EVENT_REWORK] = tell_rework,
        [EVENT_CLOSED] = tell_closed, [EVENT_NOTED] = tell_noted, [EVENT_OFFER_FAILED] = tell_offer_failed,
        [EVENT_EPOCH_BEGUN] = tell_epoch_begun, [EVENT_CLOCK_DOUBTED] = tell_clock_doubted,
        [EVENT_RULES_BEGUN] = tell_rules_begun, [EVENT_RULES_CHUNK] = tell_rules_chunk,
        [EVENT_RULES_ADOPTED] = tell_rules_adopted, [EVENT_RECEIPTS_EXPIRED] = tell_receipts_expired,
    };
    struct line l = {.to = to};
    size_t which = (size_t)e->event_case;
    to[0] = '\0';
    teller *own = which < COUNT_OF(tellers) ? tellers[which] : NULL;
    teller *found = own ? own : teller_of_detour(e->event_case);
    if (found)
        found(s, &l, e);
    else
        tell(&l, "%s", tell_in(s, "（新版服务器的事件）", "(an event of a newer broker)"));
}
