/* story_detours.c: the events that lead off a case's main way and back, those of batches, and the broker's own. */
#include "ctl/story.h"

#include <stdio.h>

/* ---- to another desk, and back ----------------------------------------------------------------------------------- */

static void tell_levels(const struct story *s, struct line *l, PbLevel from, PbLevel to) {
    tell(l, " %s → %s", word_level(s->c->language, from), word_level(s->c->language, to));
}

static void tell_appealed(struct story *s, struct line *l, const PbEvent *e) {
    const PbAppealed *a = e->appealed;
    tell(l, "%s", tell_in(s, "申诉：不予受理", "appealed against the rejection"));
    tell_levels(s, l, a->from_level, a->level);
    tell_whose(s, l, a->party);
    tell_text(s, l, a->text);
    tell_timers(s, l, a->timers, a->n_timers);
}

static void tell_returned(struct story *s, struct line *l, const PbEvent *e) {
    const PbReturned *r = e->returned;
    tell_by(s, l, r->party, " 退回，建议由 ", " returned it: the matter of ");
    tell_party(s, l, r->proposed);
    tell_text(s, l, r->text);
    if (r->to_arbiter)
        tell(l, "%s", tell_in(s, "；退回次数已用完，下一次派遣即为裁定", "; returned as often as may be: a ruling follows"));
    tell_timers(s, l, r->timers, r->n_timers);
}

static void tell_reassigned(struct story *s, struct line *l, const PbEvent *e) {
    const PbDispatched *d = e->reassigned;
    tell(l, "%s", tell_in(s, "改派给 ", "reassigned to "));
    tell_asks(s, l, d->asks, d->n_asks);
    tell_timers(s, l, d->timers, d->n_timers);
}

static void tell_arbitrated(struct story *s, struct line *l, const PbEvent *e) {
    const PbDispatched *d = e->arbitrated;
    tell(l, "%s%s%s", tell_in(s, "", "the "), word_level(s->c->language, d->level),
         tell_in(s, "裁定由 ", " desk ruled that it is done by "));
    tell_asks(s, l, d->asks, d->n_asks);
    tell_timers(s, l, d->timers, d->n_timers);
}

static void tell_delegated(struct story *s, struct line *l, const PbEvent *e) {
    const PbDelegated *d = e->delegated;
    tell(l, "%s", tell_in(s, "下沉", "delegated"));
    tell_levels(s, l, d->from_level, d->level);
    if (d->division)
        tell(l, ", %llu", (unsigned long long)d->division);
    tell_whose(s, l, d->party);
    tell_text(s, l, d->text);
    tell_timers(s, l, d->timers, d->n_timers);
}

static void tell_handed_over(struct story *s, struct line *l, const PbEvent *e) {
    const PbHandedOver *h = e->handed_over;
    tell_by(s, l, h->from, " 交班给 ", " handed over to ");
    tell_party(s, l, h->to);
    tell(l, "%s%u%s", tell_in(s, "（", " ("), h->asks, tell_in(s, " 件派单）", " asks)"));
}

/* ---- merged, withdrawn, void ------------------------------------------------------------------------------------- */

static void tell_merged(struct story *s, struct line *l, const PbEvent *e) {
    tell(l, "%s %llu", tell_in(s, "并入案件", "merged into case"), (unsigned long long)e->merged->master);
    tell_whose(s, l, e->merged->party);
}

static void tell_split(struct story *s, struct line *l, const PbEvent *e) {
    tell(l, "%s", tell_in(s, "拆案，单独办理", "split off again, a case of its own"));
    tell_whose(s, l, e->split->party);
    tell_timers(s, l, e->split->timers, e->split->n_timers);
}

static void tell_withdrawn(struct story *s, struct line *l, const PbEvent *e) {
    tell(l, "%s", tell_in(s, "撤回", "withdrawn"));
    tell_whose(s, l, e->withdrawn->party);
    tell_text(s, l, e->withdrawn->text);
}

static void tell_void_asked(struct story *s, struct line *l, const PbEvent *e) {
    tell(l, "%s%s", tell_in(s, "申请作废，待另一人确认", "to be void, once another person says so"),
         tell_in(s, "：", ": by "));
    tell_party(s, l, e->void_asked->by);
    tell_text(s, l, e->void_asked->text);
}

static void tell_voided(struct story *s, struct line *l, const PbEvent *e) {
    tell(l, "%s", tell_in(s, "作废", "void"));
    tell_whose(s, l, e->voided->by);
    if (e->voided->cause)
        tell_cause(s, l, e->voided->cause, TIMER_NONE);
    tell_text(s, l, e->voided->text);
}

static void tell_archived(struct story *s, struct line *l, const PbEvent *e) {
    (void)e;
    tell(l, "%s", tell_in(s, "归档：文字已销毁", "archived: what was written is erased"));
}

/* ---- more time --------------------------------------------------------------------------------------------------- */

static void tell_extension_asked(struct story *s, struct line *l, const PbEvent *e) {
    const PbExtensionAsked *a = e->extension_asked;
    char limit[PRINTED_BYTES];
    print_limit(a->limit, limit);
    tell_by(s, l, a->party, " 申请延期 ", " asked for more time: ");
    tell(l, "%s", limit);
    tell_text(s, l, a->text);
}

static void tell_extension_granted(struct story *s, struct line *l, const PbEvent *e) {
    const PbExtensionGranted *g = e->extension_granted;
    tell_by(s, l, g->party, " 批准延期", " granted more time");
    tell_text(s, l, g->text);
    tell_timers(s, l, g->timers, g->n_timers);
}

static void tell_extension_refused(struct story *s, struct line *l, const PbEvent *e) {
    const PbExtensionRefused *r = e->extension_refused;
    if (r->fired)
        tell(l, "%s", tell_in(s, "延期逾期未批，视为驳回", "nobody granted more time before the limit was over"));
    else
        tell_by(s, l, r->party, " 驳回延期", " refused more time");
    tell_text(s, l, r->text);
}

static void tell_suspended(struct story *s, struct line *l, const PbEvent *e) {
    const PbSuspended *w = e->suspended;
    tell(l, "%s", tell_in(s, "挂起", "suspended"));
    tell_cause(s, l, w->cause, TIMER_NONE);
    tell_whose(s, l, w->party);
    tell_text(s, l, w->text);
    tell_timers(s, l, w->timers, w->n_timers);
}

static void tell_resumed(struct story *s, struct line *l, const PbEvent *e) {
    const PbResumed *r = e->resumed;
    tell(l, "%s", r->party ? tell_in(s, "恢复办理", "resumed")
                           : tell_in(s, "挂起到期，恢复办理", "resumed: the suspension has ended"));
    tell_whose(s, l, r->party);
    tell_late(s, l, r->late_ms);
    tell_timers(s, l, r->timers, r->n_timers);
}

/* ---- after it was done ------------------------------------------------------------------------------------------- */

static void tell_followup_begun(struct story *s, struct line *l, const PbEvent *e) {
    tell(l, "%s", tell_in(s, "转回访", "the reporter is asked"));
    tell_timers(s, l, e->followup_begun->timers, e->followup_begun->n_timers);
}

static void tell_followed_up(struct story *s, struct line *l, const PbEvent *e) {
    const PbFollowedUp *f = e->followed_up;
    enum language in = s->c->language;
    tell(l, "%s%s%s%s", tell_in(s, "回访：解决 ", "the reporter said: solved "), word_opinion(in, f->solved),
         tell_in(s, "，满意 ", ", satisfied "), word_opinion(in, f->satisfied));
    tell_text(s, l, f->text);
}

static void tell_reopened(struct story *s, struct line *l, const PbEvent *e) {
    const PbReopened *r = e->reopened;
    tell(l, "%s", r->reporter ? tell_in(s, "上报人要求重开", "reopened for the reporter")
                              : tell_in(s, "重开", "reopened"));
    tell_whose(s, l, r->party);
    if (r->n_asks) {
        tell(l, "%s", tell_in(s, "；由 ", "; asked: "));
        tell_asks(s, l, r->asks, r->n_asks);
    }
    tell_text(s, l, r->text);
    tell_timers(s, l, r->timers, r->n_timers);
}

static void tell_transferred(struct story *s, struct line *l, const PbEvent *e) {
    const PbTransferred *t = e->transferred;
    tell(l, "%s%s", tell_in(s, "移交：", "transferred to "), word_authority(s->c->language, t->authority));
    tell_whose(s, l, t->party);
    tell_text(s, l, t->text);
    tell_timers(s, l, t->timers, t->n_timers);
}

static void tell_transfer_acknowledged(struct story *s, struct line *l, const PbEvent *e) {
    const char *number = e->transfer_acknowledged->external_id;
    tell(l, "%s%s", tell_in(s, "对方已确认，编号 ", "acknowledged there, as "), number ? number : "-");
}

/* ---- put right, brought up to date ------------------------------------------------------------------------------- */

static void tell_fields(const struct story *s, struct line *l, const PbCorrectedFields *f) {
    if (f && f->category)
        tell(l, " %s", f->category);
    if (f && f->urgency)
        tell(l, " %s", word_urgency(s->c->language, f->urgency));
    if (f && f->place)
        tell(l, " %llu (%s)", (unsigned long long)f->place->division, word_wall(s->c->language, f->place->wall));
}

static void tell_corrected(struct story *s, struct line *l, const PbEvent *e) {
    const PbCorrected *w = e->corrected;
    tell(l, "%s", tell_in(s, "更正：", "corrected:"));
    tell_fields(s, l, w->before);
    tell(l, " →");
    tell_fields(s, l, w->after);
    tell_whose(s, l, w->party);
    tell_text(s, l, w->text);
    tell_timers(s, l, w->timers, w->n_timers);
}

static void tell_imported(struct story *s, struct line *l, const PbEvent *e) {
    const PbReported *r = e->imported->report;
    char opened[PRINTED_BYTES];
    print_instant(s->c, e->imported->opened_at_ms, opened);
    tell(l, "%s%s", tell_in(s, "导入，原上报时间 ", "imported, opened there at "), opened);
    if (r && r->origin)
        tell(l, "%s%s %s", tell_in(s, "；来自 ", "; from "), r->origin, r->external_id ? r->external_id : "-");
    tell_asks(s, l, e->imported->asks, e->imported->n_asks);
}

static void tell_case_moved(struct story *s, struct line *l, const PbEvent *e) {
    tell(l, "%s %u", tell_in(s, "改用规则集", "goes by the rules"), e->case_moved->rules);
}

static void tell_due_moved(struct story *s, struct line *l, const PbEvent *e) {
    tell(l, "%s %u", tell_in(s, "按新日历重算时限，规则集", "deadlines reckoned anew by the calendars of the rules"),
         e->due_moved->calendar_rules);
    tell_timers(s, l, e->due_moved->timers, e->due_moved->n_timers);
}

static void tell_dead_retried(struct story *s, struct line *l, const PbEvent *e) {
    (void)e;
    tell(l, "%s", tell_in(s, "死信重派", "the dead letter is offered again"));
}

static void tell_dead_dropped(struct story *s, struct line *l, const PbEvent *e) {
    (void)e;
    tell(l, "%s", tell_in(s, "死信销号，等时限推动", "the dead letter is off the list: a deadline will move it"));
}

/* ---- of many cases, of the broker -------------------------------------------------------------------------------- */

static void tell_batch_asked(struct story *s, struct line *l, const PbEvent *e) {
    const PbBatchAsked *b = e->batch_asked;
    tell(l, "%s%s, %u%s", tell_in(s, "申请批量", "a batch was asked for: "), word_batch(s->c->language, b->verb), b->cases,
         tell_in(s, " 件", " cases"));
    tell_whose(s, l, b->by);
}

static void tell_batch_confirmed(struct story *s, struct line *l, const PbEvent *e) {
    tell(l, "%s", tell_in(s, "批量办理已确认", "the batch is confirmed"));
    tell_whose(s, l, e->batch_confirmed->by);
}

static void tell_drained(struct story *s, struct line *l, const PbEvent *e) {
    tell(l, "%s", e->drained->on ? tell_in(s, "停止接收新上报", "no new reports are taken")
                                 : tell_in(s, "恢复接收新上报", "new reports are taken again"));
    tell_whose(s, l, e->drained->by);
}

static void tell_recompute_begun(struct story *s, struct line *l, const PbEvent *e) {
    tell(l, "%s %u", tell_in(s, "开始重算时限，规则集", "deadlines begin to be reckoned anew, rules"),
         e->recompute_begun->rules);
    tell_whose(s, l, e->recompute_begun->by);
}

static void tell_recompute_ended(struct story *s, struct line *l, const PbEvent *e) {
    const PbRecomputeEnded *r = e->recompute_ended;
    tell(l, "%s%llu/%llu", tell_in(s, "时限重算完毕，变动 ", "deadlines reckoned anew, moved "),
         (unsigned long long)r->moved, (unsigned long long)r->cases);
}

teller *teller_of_detour(PbEvent__EventCase kind) {
    static teller *const tellers[] = {
        [EVENT_APPEALED] = tell_appealed, [EVENT_RETURNED] = tell_returned, [EVENT_REASSIGNED] = tell_reassigned,
        [EVENT_ARBITRATED] = tell_arbitrated, [EVENT_DELEGATED] = tell_delegated,
        [EVENT_HANDED_OVER] = tell_handed_over, [EVENT_MERGED] = tell_merged, [EVENT_SPLIT] = tell_split,
        [EVENT_WITHDRAWN] = tell_withdrawn, [EVENT_VOID_ASKED] = tell_void_asked, [EVENT_VOIDED] = tell_voided,
        [EVENT_ARCHIVED] = tell_archived, [EVENT_EXTENSION_ASKED] = tell_extension_asked,
        [EVENT_EXTENSION_GRANTED] = tell_extension_granted, [EVENT_EXTENSION_REFUSED] = tell_extension_refused,
        [EVENT_SUSPENDED] = tell_suspended, [EVENT_RESUMED] = tell_resumed,
        [EVENT_FOLLOWUP_BEGUN] = tell_followup_begun, [EVENT_FOLLOWED_UP] = tell_followed_up,
        [EVENT_REOPENED] = tell_reopened, [EVENT_TRANSFERRED] = tell_transferred,
        [EVENT_TRANSFER_ACKNOWLEDGED] = tell_transfer_acknowledged, [EVENT_CORRECTED] = tell_corrected,
        [EVENT_IMPORTED] = tell_imported, [EVENT_CASE_MOVED] = tell_case_moved, [EVENT_DUE_MOVED] = tell_due_moved,
        [EVENT_DEAD_RETRIED] = tell_dead_retried, [EVENT_DEAD_DROPPED] = tell_dead_dropped,
        [EVENT_BATCH_ASKED] = tell_batch_asked, [EVENT_BATCH_CONFIRMED] = tell_batch_confirmed,
        [EVENT_DRAINED] = tell_drained, [EVENT_RECOMPUTE_BEGUN] = tell_recompute_begun,
        [EVENT_RECOMPUTE_ENDED] = tell_recompute_ended,
    };
    return (size_t)kind < COUNT_OF(tellers) ? tellers[kind] : NULL;
}
