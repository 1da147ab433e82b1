/* story_trace.c: what has happened, in words as short as they are clear. */
#include "tests/unit/story_internal.h"
#include "lib/codec/codec.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define w story_world

void say(const char *format, ...) {
    va_list list;
    va_start(list, format);
    int n = vsnprintf(w.trace + w.len, sizeof w.trace - w.len, format, list);
    va_end(list);
    CHECK(n >= 0 && (size_t)n < sizeof w.trace - w.len);
    w.len += (size_t)n;
}

/* As short as it is clear: the day when it is not the first, the year when it is not the first. */
const char *instant(int64_t ms) {
    static char text[4][32];
    static unsigned turn;
    char began[32], *to = text[turn++ % COUNT_OF(text)];
    instant_print(w.began_ms + ZONE_MS, began);
    instant_print(ms + ZONE_MS, to);
    size_t len = strlen(to);
    if (memcmp(to + 20, "000", 3) != 0) to[23] = '\0';
    else to[memcmp(to + 17, "00", 2) != 0 ? 19 : 16] = '\0';
    size_t from = memcmp(to, began, 10) == 0 ? 11 : memcmp(to, began, 4) == 0 ? 5 : 0;
    CHECK(len > from);
    return to + from;
}

static const char *lower(const char *name, size_t skip) {
    static char text[64];
    size_t i = 0;
    for (name += skip; *name; name++, i++) {
        CHECK(i + 1 < sizeof text);
        text[i] = *name == '_' ? ' ' : *name >= 'A' && *name <= 'Z' ? (char)(*name - 'A' + 'a') : *name;
    }
    text[i] = '\0';
    return text;
}

static const char *why(PbCause cause) {
    return lower(codec_enum_name(&pb_cause__descriptor, (int)cause), sizeof "CAUSE");
}

static const char *kind_name(PbTimerKind kind) {
    return lower(codec_enum_name(&pb_timer_kind__descriptor, (int)kind), sizeof "TIMER");
}

static const char *level_word(PbLevel level) {
    return lower(codec_enum_name(&pb_level__descriptor, (int)level), sizeof "LEVEL");
}

const char *stage_name(uint32_t stage) {
    const PbPlaybook *p = story_rules_of(w.state.rules)->playbooks[w.state.playbook - 1];
    CHECK(stage <= p->n_stages);
    return stage ? p->stages[stage - 1]->name : "no stage";
}

const char *short_of(const char *party) {
    static char role[4][PARTY_BYTES_MAX + 1];
    static unsigned turn;
    if (!party) return "nobody named";
    char *to = role[turn++ % COUNT_OF(role)];
    size_t len = strcspn(party, "@");
    memcpy(to, party, len);
    to[len] = '\0';
    return strcmp(story_party(to), party) == 0 ? to : party;
}

static void say_timers(PbTimer *const *timers, size_t count) {
    for (size_t i = 0; i < count; i++)
        say("%s%s %s%s", i ? ", " : " | ", kind_name(timers[i]->kind), instant(timers[i]->due_ms),
            timers[i]->past_calendar ? " past the calendar" : "");
}

static void say_late(int64_t late_ms) {
    if (late_ms) say(", %lld s late", (long long)late_ms / 1000);
}

static void say_asked(PbAsk *const *asks, size_t count) {
    for (size_t i = 0; i < count; i++) say("%s%s%s", i ? ", " : "", short_of(asks[i]->party), asks[i]->lead ? "*" : "");
}

static void say_of_desk(const PbEvent *e) {
    switch (e->event_case) {
    case EVENT_REPORTED:
        say(" to %s%s", stage_name(e->reported->stage), e->reported->past_calendar ? " past the calendar" : "");
        return say_timers(e->reported->timers, e->reported->n_timers);
    case EVENT_SELF_HANDLED: return say(" by %s", short_of(e->self_handled->party));
    case EVENT_REJECTED: return say(": %s", why(e->rejected->cause));
    case EVENT_DISPATCHED: case EVENT_REASSIGNED: case EVENT_ARBITRATED:
        say(" to ");
        say_asked(e->dispatched->asks, e->dispatched->n_asks);
        say(": %s", why(e->dispatched->cause));
        return say_timers(e->dispatched->timers, e->dispatched->n_timers);
    case EVENT_ESCALATED:
        say(" from %s to ", level_word(e->escalated->from_level));
        if (e->escalated->n_asks) say_asked(e->escalated->asks, e->escalated->n_asks);
        else say("%s/%u", stage_name(e->escalated->stage), e->escalated->attempt);
        say(": %s", why(e->escalated->cause));
        say_late(e->escalated->late_ms);
        return say_timers(e->escalated->timers, e->escalated->n_timers);
    case EVENT_SUPERVISED:
        say(" time %u: %s", e->supervised->times, why(e->supervised->cause));
        if (e->supervised->party) say(" by %s", short_of(e->supervised->party));
        say_late(e->supervised->late_ms);
        return say_timers(e->supervised->timers, e->supervised->n_timers);
    case EVENT_OFFER_FAILED:
        if (e->offer_failed->how == OFFER_LATE) return say(": late");
        say(" %u: %s", e->offer_failed->tries,
            lower(codec_enum_name(&pb_offer_end__descriptor, (int)e->offer_failed->how), sizeof "OFFER"));
        return say(e->offer_failed->dead ? ", dead" : ", again at %s", instant(e->offer_failed->ready_at_ms));
    default: return;
    }
}

static void say_answered(const PbAnswered *a) {
    say(" %s", lower(codec_enum_name(&pb_answer_kind__descriptor, (int)a->kind), sizeof "ANSWER"));
    say(" by %s:", short_of(a->party));
    say(" %s%s", lower(codec_enum_name(&pb_answer_fate__descriptor, (int)a->fate), sizeof "FATE"),
        a->reopens_desk ? ", the desk again" : "");
    say_timers(a->timers, a->n_timers);
}

static void say_of_asked(const PbEvent *e) {
    switch (e->event_case) {
    case EVENT_SIGNED: return say(" by %s", short_of(e->signed_->party));
    case EVENT_ANSWERED: return say_answered(e->answered);
    case EVENT_REMINDED:
        if (e->reminded->party) say(" by %s", short_of(e->reminded->party));
        return say_late(e->reminded->late_ms);
    case EVENT_MILESTONE_DONE:
        say(" %s by %s", e->milestone_done->milestone, short_of(e->milestone_done->party));
        return say_timers(e->milestone_done->timers, e->milestone_done->n_timers);
    case EVENT_RESOLVED:
        say(" by %s, %s", short_of(e->resolved->party), e->resolved->on_time ? "on time" : "late");
        if (e->resolved->n_asks) say("; to verify: ");
        say_asked(e->resolved->asks, e->resolved->n_asks);
        return say_timers(e->resolved->timers, e->resolved->n_timers);
    case EVENT_VERIFIED: return say(" by %s", short_of(e->verified->party));
    case EVENT_REWORK:
        say(" for %s at %s/%u", short_of(e->rework->party), stage_name(e->rework->stage), e->rework->attempt);
        return say_timers(e->rework->timers, e->rework->n_timers);
    case EVENT_CLOSED:
        say(", %s", e->closed->on_time ? "on time" : "late");
        if (e->closed->cause) say(": %s", why(e->closed->cause));
        return;
    default: return;
    }
}

/* ---- the ways off the main way ----------------------------------------------------------------------------------- */

static void say_limit(const PbLimit *limit) {
    say("%lld ", (long long)limit->amount);
    say("%s", lower(codec_enum_name(&pb_unit__descriptor, (int)limit->unit), sizeof "UNIT"));
}

static void say_opinion(const char *of, PbOpinion opinion) {
    say(" %s %s", of, opinion == OPINION_NONE ? "unsaid" : opinion == OPINION_YES ? "yes" : "no");
}

static void say_of_leader(const PbEvent *e) {
    switch (e->event_case) {
    case EVENT_EXTENSION_ASKED:
        say(" by %s: ", short_of(e->extension_asked->party));
        return say_limit(e->extension_asked->limit);
    case EVENT_EXTENSION_GRANTED:
        say(" by %s", short_of(e->extension_granted->party));
        return say_timers(e->extension_granted->timers, e->extension_granted->n_timers);
    case EVENT_EXTENSION_REFUSED:
        if (e->extension_refused->party) return say(" by %s", short_of(e->extension_refused->party));
        return say(" by nobody: %s is over", kind_name(e->extension_refused->fired));
    case EVENT_SUSPENDED:
        say(" by %s: %s", short_of(e->suspended->party), why(e->suspended->cause));
        return say_timers(e->suspended->timers, e->suspended->n_timers);
    case EVENT_RESUMED:
        if (e->resumed->party) say(" by %s", short_of(e->resumed->party));
        say_late(e->resumed->late_ms);
        return say_timers(e->resumed->timers, e->resumed->n_timers);
    default: return;
    }
}

static void say_reopened(const PbReopened *r) {
    say(r->reporter ? " by the reporter" : " by %s", short_of(r->party));
    say(" for ");
    if (r->n_asks) say_asked(r->asks, r->n_asks);
    else say("the desk");
    say(" at %s/%u", stage_name(r->stage), r->attempt);
    say_timers(r->timers, r->n_timers);
}

static void say_of_ways(const PbEvent *e) {
    switch (e->event_case) {
    case EVENT_APPEALED:
        say(" from %s to %s/%u", level_word(e->appealed->from_level), stage_name(e->appealed->stage),
            e->appealed->attempt);
        return say_timers(e->appealed->timers, e->appealed->n_timers);
    case EVENT_RETURNED:
        say(" by %s, who names %s%s", short_of(e->returned->party), short_of(e->returned->proposed),
            e->returned->to_arbiter ? ", to be ruled" : "");
        return say_timers(e->returned->timers, e->returned->n_timers);
    case EVENT_MERGED: return say(" into case %llu", (unsigned long long)e->merged->master);
    case EVENT_SPLIT:
        say(" to attempt %u", e->split->attempt);
        return say_timers(e->split->timers, e->split->n_timers);
    case EVENT_DELEGATED:
        say(" from %s to %s/%u", level_word(e->delegated->from_level), stage_name(e->delegated->stage),
            e->delegated->attempt);
        if (e->delegated->has_division) say(" in %llu", (unsigned long long)e->delegated->division);
        return say_timers(e->delegated->timers, e->delegated->n_timers);
    case EVENT_FOLLOWUP_BEGUN: return say_timers(e->followup_begun->timers, e->followup_begun->n_timers);
    case EVENT_FOLLOWED_UP:
        say_opinion("solved", e->followed_up->solved);
        return say_opinion("satisfied", e->followed_up->satisfied);
    case EVENT_REOPENED: return say_reopened(e->reopened);
    case EVENT_TRANSFERRED:
        say(" to %s", lower(codec_enum_name(&pb_authority__descriptor, (int)e->transferred->authority),
                            sizeof "AUTHORITY"));
        return say_timers(e->transferred->timers, e->transferred->n_timers);
    case EVENT_TRANSFER_ACKNOWLEDGED: return say(" as %s", e->transfer_acknowledged->external_id);
    case EVENT_VOID_ASKED: return say(" by %s", e->void_asked->by);
    case EVENT_VOIDED: return say(" by %s%s", e->voided->by, e->voided->cause ? " in a batch" : "");
    default: return;
    }
}

static void say_fields(const PbCorrectedFields *f) {
    if (f->category) say(" %s", f->category);
    if (f->has_urgency) say(" %s", lower(codec_enum_name(&pb_urgency__descriptor, (int)f->urgency), 0));
    if (f->place) {
        say(" %llu", (unsigned long long)f->place->division);
        say(" %s", lower(codec_enum_name(&pb_wall__descriptor, (int)f->place->wall), sizeof "WALL"));
    }
    if (f->place && f->place->has_lon_e7) say(" %d %d", f->place->lon_e7, f->place->lat_e7);
}

static void say_of_care(const PbEvent *e) {
    switch (e->event_case) {
    case EVENT_IMPORTED:
        say(" as %s at %s", state_name(e->imported->state), stage_name(e->imported->report->stage));
        say(", opened %s", instant(e->imported->opened_at_ms));
        if (e->imported->n_asks) say(", asked ");
        say_asked(e->imported->asks, e->imported->n_asks);
        return say_timers(e->imported->report->timers, e->imported->report->n_timers);
    case EVENT_CORRECTED:
        say(" from");
        say_fields(e->corrected->before);
        say(" to");
        say_fields(e->corrected->after);
        return say_timers(e->corrected->timers, e->corrected->n_timers);
    case EVENT_HANDED_OVER:
        say(" from %s to %s, %u", short_of(e->handed_over->from), short_of(e->handed_over->to), e->handed_over->asks);
        return say(e->handed_over->asks == 1 ? " ask" : " asks");
    case EVENT_CASE_MOVED: return say(" to rules %u", e->case_moved->rules);
    case EVENT_DUE_MOVED: return say_timers(e->due_moved->timers, e->due_moved->n_timers);
    default: return;
    }
}

void say_event(const PbEvent *e) {
    say("[%s] %s", instant(w.now_ms), event_name(e));
    say_of_desk(e);
    say_of_asked(e);
    say_of_leader(e);
    say_of_ways(e);
    say_of_care(e);
    say("\n");
}

void say_refusal(const struct decision *d) {
    say("[%s] refused: %s", instant(w.now_ms),
        lower(codec_enum_name(&pb_refusal__descriptor, (int)d->refusal), sizeof "REFUSED"));
    say(d->field ? " (%s)\n" : "\n", d->field);
}

void tell_timers(void) {
    say("[%s] timers:", instant(w.now_ms));
    for (unsigned i = 0; i < w.state.timers_count; i++) {
        const struct timer *t = &w.state.timers[i];
        say("%s %s ", i ? "," : "", kind_name((PbTimerKind)t->kind));
        say("%s", t->stopped ? "stands still" : instant(t->due_ms));
    }
    say("\n");
}
