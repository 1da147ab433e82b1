#include "tests/unit/story.h"
#include "daemon/store/rows.h"
#include "lib/codec/codec.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ZONE_MS (8 * 3600000LL)

enum { NAMES_MAX = 16 };

static struct {
    struct case_state state;
    int64_t now_ms, began_ms;
    const char *source;
    uint8_t memory[64 << 10];
    struct arena room;
    char trace[16 << 10];
    size_t len;
} w;

/* ---- laws -------------------------------------------------------------------------------------------------------- */

struct lawful_seen lawful_seen;

const struct timer *first_timer(const struct case_state *c) {
    const struct timer *first = NULL;
    for (unsigned i = 0; i < c->timers_count; i++) {
        const struct timer *t = &c->timers[i];
        if (!first || t->due_ms < first->due_ms || (t->due_ms == first->due_ms && t->kind < first->kind)) first = t;
    }
    return first;
}

static void folded(const struct case_state *before, const struct decision *d, int64_t now_ms, struct case_state *ret) {
    *ret = *before;
    for (uint32_t i = 0; i < d->count; i++) evolve(ret, d->events[i], before->last_seq + 1 + i, now_ms);
}

static void check_rows(const struct case_state *c) {
    static struct case_state again;
    uint8_t row[DB_VALUE_MAX], row_again[DB_VALUE_MAX];
    size_t len = row_of_case(c, row);
    CHECK(case_of_row(slice_from(row, len), &again));
    CHECK(row_of_case(&again, row_again) == len && memcmp(row, row_again, len) == 0);
}

static void check_same(const struct case_state *a, const struct case_state *b) {
    uint8_t row_a[DB_VALUE_MAX], row_b[DB_VALUE_MAX];
    size_t len = row_of_case(a, row_a);
    CHECK(row_of_case(b, row_b) == len && memcmp(row_a, row_b, len) == 0);
}

/* No ask is there twice, nor older or younger than it was, and the verifier did nothing of what he verifies. */
static void check_asks(const struct case_state *before, const struct case_state *c, int64_t now_ms) {
    const struct ask *handler = case_handler(c);
    CHECK(c->state != STATE_RESOLVED || handler);
    for (unsigned i = 0; i < c->asks_count; i++) {
        const struct ask *a = &c->asks[i];
        const struct ask *was = case_ask(before, a->party, a->stage, a->attempt);
        CHECK(a->asked_at_ms == (was ? was->asked_at_ms : now_ms));
        CHECK(a->answered_at_ms == 0 || (a->answered_at_ms >= a->asked_at_ms && a->answered_at_ms <= now_ms));
        for (unsigned k = 0; k < c->asks_count && c->state == STATE_RESOLVED && ask_is_open(a); k++)
            CHECK(c->asks[k].status != ASK_DONE || c->asks[k].stage != handler->stage ||
                  c->asks[k].attempt != handler->attempt || strcmp(c->asks[k].party, a->party) != 0);
        for (unsigned k = 0; k < i; k++)
            CHECK(a->stage != c->asks[k].stage || a->attempt != c->asks[k].attempt ||
                  strcmp(a->party, c->asks[k].party) != 0);
    }
}

static void check_time(const struct case_state *before, const struct case_state *after, const struct order *order,
                       int64_t now_ms) {
    const struct timer *was = order->kind == ORDER_DEADLINE ? case_timer(before, order->deadline.kind) : NULL;
    if (was) {
        const struct timer *is = case_timer(after, order->deadline.kind);
        CHECK(was->due_ms <= now_ms && (!is || is->due_ms > now_ms));
    }
    if (!case_open(after)) return;
    const struct timer *first = first_timer(after);
    CHECK(first);
    bool waiting = false, coming = false;                         /* due and not fired yet; not due yet */
    for (unsigned i = 0; i < after->timers_count; i++) {
        waiting |= after->timers[i].due_ms <= now_ms;
        coming |= after->timers[i].due_ms > now_ms;
    }
    CHECK(waiting || coming);
    CHECK(before->id == 0 || after->last_seq > before->last_seq);
}

static void see(const struct case_state *before, const struct order *order, const struct decision *d) {
    lawful_seen.cell[order->kind][before->state]++;
    if (d->refusal) return;
    lawful_seen.happened[order->kind][before->state]++;
    if (order->kind == ORDER_DEADLINE) lawful_seen.fired[order->deadline.kind][before->state]++;
    for (uint32_t i = 0; i < d->count; i++) {
        CHECK((size_t)d->events[i]->event_case < COUNT_OF(lawful_seen.event));
        lawful_seen.event[d->events[i]->event_case]++;
    }
}

void lawful_step(const struct decide_input *in, const struct order *order, struct case_state *c, struct decision *ret) {
    static struct case_state before, after, again;
    static struct decision second;
    CHECK(in->state == c);
    before = *c;
    case_check(&before);
    decide(in, order, ret);
    decide(in, order, &second);
    CHECK(memcmp(&before, c, sizeof before) == 0);
    CHECK(ret->refusal == second.refusal && ret->count == second.count);
    see(&before, order, ret);
    if (ret->refusal) {
        CHECK(ret->count == 0);
        return;
    }
    folded(&before, ret, in->now_ms, &after);
    folded(&before, &second, in->now_ms, &again);
    check_same(&after, &again);
    case_check(&after);
    check_asks(&before, &after, in->now_ms);
    check_rows(&after);
    check_time(&before, &after, order, in->now_ms);
    *c = after;
}

/* ---- the trace --------------------------------------------------------------------------------------------------- */

static void say(const char *format, ...) {
    va_list list;
    va_start(list, format);
    int n = vsnprintf(w.trace + w.len, sizeof w.trace - w.len, format, list);
    va_end(list);
    CHECK(n >= 0 && (size_t)n < sizeof w.trace - w.len);
    w.len += (size_t)n;
}

/* As short as it is clear: the day when it is not the first, the year when it is not the first. */
static const char *instant(int64_t ms) {
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

static const char *stage_name(uint32_t stage) {
    const PbPlaybook *p = story_rules()->playbooks[w.state.playbook - 1];
    CHECK(stage <= p->n_stages);
    return stage ? p->stages[stage - 1]->name : "no stage";
}

/* The party that a role means in this case. */
static const char *party_of(const char *role) {
    static char text[PARTY_BYTES_MAX + 1];
    if (strchr(role, '@') || !*role) return role;
    const PbRole *r = rules_role(story_rules(), slice_of(role));
    CHECK(r);
    uint64_t division = w.state.id ? w.state.division : FIXTURE_GRID;
    uint64_t cut = division_cut(division, level_digits(r->level));
    party_print(text, role, cut ? cut : division);
    return text;
}

static const char *short_of(const char *party) {
    static char role[4][PARTY_BYTES_MAX + 1];
    static unsigned turn;
    if (!party) return "nobody named";
    char *to = role[turn++ % COUNT_OF(role)];
    size_t len = strcspn(party, "@");
    memcpy(to, party, len);
    to[len] = '\0';
    return strcmp(party_of(to), party) == 0 ? to : party;
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
    case EVENT_DISPATCHED:
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
    case EVENT_REMINDED: return say_late(e->reminded->late_ms);
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
    case EVENT_CLOSED: return say(", %s", e->closed->on_time ? "on time" : "late");
    default: return;
    }
}

PbRefusal story_order(const struct order *order) {
    struct decision d;
    arena_wrap(&w.room, w.memory, sizeof w.memory);
    struct decide_input in = {
        .state = &w.state, .rules = story_rules(), .rules_number = 1, .now_ms = w.now_ms, .source = slice_of(w.source),
        .day_number = 1, .slot = 7, .room = &w.room,
    };
    lawful_step(&in, order, &w.state, &d);
    if (d.refusal) {
        say("[%s] refused: %s", instant(w.now_ms),
            lower(codec_enum_name(&pb_refusal__descriptor, (int)d.refusal), sizeof "REFUSED"));
        say(d.field ? " (%s)\n" : "\n", d.field);
    }
    for (uint32_t i = 0; i < d.count; i++) {
        say("[%s] %s", instant(w.now_ms), event_name(d.events[i]));
        say_of_desk(d.events[i]);
        say_of_asked(d.events[i]);
        say("\n");
    }
    return d.refusal;
}

/* ---- time -------------------------------------------------------------------------------------------------------- */

static int64_t instant_of(const char *when) {
    char full[32];
    int64_t ms;
    instant_print(w.began_ms + ZONE_MS, full);
    size_t date = strcspn(when, " "), len = strlen(when), from = date == len ? 11 : date == 5 ? 5 : 0;
    CHECK(from + len < sizeof full);
    memcpy(full + from, when, len);
    for (size_t end = from + len; end < 19; end += 3) memcpy(full + end, ":00", 3);
    memcpy(full + (from + len > 19 ? 23 : 19), "Z", 2);
    CHECK(instant_parse(slice_of(full), &ms));
    return ms - ZONE_MS;
}

static void pass(int64_t until_ms, bool with_it) {
    CHECK(until_ms >= w.now_ms);
    for (;;) {
        const struct timer *t = first_timer(&w.state);
        if (!t || t->due_ms > until_ms || (t->due_ms == until_ms && !with_it)) break;
        if (t->due_ms > w.now_ms) w.now_ms = t->due_ms;
        fire((PbTimerKind)t->kind);
    }
    w.now_ms = until_ms;
}

static void broken(const char *what, const char *file, int line) {
    print_error("%s:%d: CHECK(%s) does not hold after:\n%s", file, line, what, w.trace);
}

void story(const char *when) {
    check_hook = broken;
    memset(&w, 0, sizeof w);
    w.source = "uid:1000";
    w.began_ms = instant_of(when);
    w.now_ms = w.began_ms;
}

void at(const char *when) {
    pass(instant_of(when), false);
}

void wait_until(const char *when) {
    pass(instant_of(when), true);
}

void story_skip_to(int64_t at_ms) {
    CHECK(at_ms >= w.now_ms);
    w.now_ms = at_ms;
}

void story_skip(const char *when) {
    story_skip_to(instant_of(when));
}

void story_again(void) {
    memset(&w.state, 0, sizeof w.state);
}

void story_hush(void) {
    w.len = 0;
    w.trace[0] = '\0';
}

void story_source(const char *source) {
    w.source = source;
}

void told(const char *what) {
    say("[%s] %s\n", instant(w.now_ms), what);
}

void expect(const char *trace) {
    if (strcmp(w.trace, trace) == 0) return;
    size_t same = 0;
    for (size_t i = 0; trace[i] && trace[i] == w.trace[i]; i++)
        if (trace[i] == '\n') same = i + 1;
    fprintf(stderr, "the story went:\n%.*s--- and from here on otherwise than expected:\n%s--- expected:\n%s---\n",
            (int)same, w.trace, w.trace + same, trace + same);
    fail();
}

const struct case_state *story_case(void) {
    return &w.state;
}

const char *story_state(void) {
    static const char *const words[] = { "open", "accepted", "done", "declined", "ended" };
    static char text[1024];
    const struct case_state *c = &w.state;
    int n = snprintf(text, sizeof text, "%s at %s/%u:", state_name(c->state), stage_name(c->stage), c->attempt);
    for (unsigned i = 0; i < c->asks_count && (size_t)n < sizeof text; i++) {
        const struct ask *a = &c->asks[i];
        n += snprintf(text + n, sizeof text - (size_t)n, "%s %s%s %u/%u %s", i ? "," : "", short_of(a->party),
                      a->lead ? "*" : "", a->stage, a->attempt, words[a->status]);
    }
    CHECK((size_t)n < sizeof text);
    return text;
}

/* ---- orders ------------------------------------------------------------------------------------------------------ */

void report_with(const PbReport *report) {
    PbReport r = *report;
    PbPlace place = { .has_division = 1, .division = FIXTURE_GRID, .has_wall = 1, .wall = WALL_INSIDE };
    if (!r.place) r.place = &place;
    if (!r.category) r.category = (char *)"rubbish";
    story_order(&(struct order){ .kind = ORDER_REPORT, .report = &r });
}

void report(const char *category) {
    report_with(&(PbReport){ .category = (char *)category });
}

void report_promised(const char *category, int64_t promise_ms) {
    report_with(&(PbReport){ .category = (char *)category, .has_promise_ms = 1, .promise_ms = promise_ms });
}

void report_in(const char *category, uint64_t division) {
    PbPlace place = { .has_division = 1, .division = division };
    report_with(&(PbReport){ .category = (char *)category, .place = &place });
}

void self_handle(const char *category, const char *party) {
    PbPlace place = { .has_division = 1, .division = FIXTURE_GRID };
    PbReport r = { .category = (char *)category, .place = &place };
    PbSelfHandle h = { .report = &r, .party = party ? (char *)party_of(party) : NULL };
    story_order(&(struct order){ .kind = ORDER_SELF_HANDLE, .self_handle = &h });
}

void dispatch_for(const char *parties, uint32_t stage, uint32_t attempt) {
    static char names[NAMES_MAX][PARTY_BYTES_MAX + 1];
    PbAskedParty asked[NAMES_MAX], *list[NAMES_MAX];
    PbDispatch d = { .has_stage = 1, .stage = stage, .has_attempt = 1, .attempt = attempt, .parties = list };
    while (*parties) {
        char role[PARTY_BYTES_MAX + 1];
        size_t len = strcspn(parties, " ");
        CHECK(d.n_parties < NAMES_MAX && len < sizeof role);
        memcpy(role, parties, len);
        role[len] = '\0';
        memcpy(names[d.n_parties], party_of(role), strlen(party_of(role)) + 1);
        asked[d.n_parties] = (PbAskedParty){ .party = names[d.n_parties] };
        list[d.n_parties] = &asked[d.n_parties];
        d.n_parties++;
        parties += len + (parties[len] == ' ');
    }
    story_order(&(struct order){ .kind = ORDER_DISPATCH, .dispatch = &d });
}

void dispatch(const char *parties) {
    dispatch_for(parties, w.state.stage, w.state.attempt);
}

void answer_with(const PbAnswer *a) {
    story_order(&(struct order){ .kind = ORDER_ANSWER, .answer = a });
}

static void answer_named(const char *party, PbAnswerKind kind, uint32_t stage, uint32_t attempt, const char *name) {
    PbAnswer a = {
        .party = party ? (char *)party_of(party) : NULL, .has_kind = 1, .kind = kind, .has_stage = 1, .stage = stage,
        .has_attempt = 1, .attempt = attempt, .milestone = (char *)name,
    };
    answer_with(&a);
}

static void answer_last(const char *party, PbAnswerKind kind, const char *name) {
    uint32_t stage = w.state.stage, attempt = w.state.attempt;
    for (unsigned i = 0; i < w.state.asks_count; i++)
        if (strcmp(w.state.asks[i].party, party_of(party)) == 0)
            stage = w.state.asks[i].stage, attempt = w.state.asks[i].attempt;
    answer_named(party, kind, stage, attempt, name);
}

void answer_for(const char *party, PbAnswerKind kind, uint32_t stage, uint32_t attempt) {
    answer_named(party, kind, stage, attempt, NULL);
}

void answer(const char *party, PbAnswerKind kind) {
    answer_last(party, kind, NULL);
}

void milestone(const char *party, const char *name) {
    answer_last(party, ANSWER_DONE, name);
}

void accept_case(void) {
    story_order(&(struct order){ .kind = ORDER_ACCEPT, .accept = &(PbAccept){ .case_id = w.state.id } });
}

void reject_case(PbCause cause) {
    PbReject r = { .stage = w.state.stage, .attempt = w.state.attempt, .cause = cause };
    story_order(&(struct order){ .kind = ORDER_REJECT, .reject = &r });
}

void escalate_because(PbCause cause) {
    PbEscalate e = { .stage = w.state.stage, .attempt = w.state.attempt, .has_cause = 1, .cause = cause };
    story_order(&(struct order){ .kind = ORDER_ESCALATE, .escalate = &e });
}

void escalate(void) {
    escalate_because(CAUSE_ASKED_FOR_HELP);
}

void note(const char *text) {
    story_order(&(struct order){ .kind = ORDER_NOTE, .note = &(PbNote){ .text = (char *)text } });
}

void later(void) {
    story_order(&(struct order){ .kind = ORDER_LATER });
}

void offer_failed(PbOfferEnd how, int64_t retry_ms) {
    struct order o = { .kind = ORDER_OFFER_FAILED };
    o.offer_failed.stage = w.state.stage;
    o.offer_failed.attempt = w.state.attempt;
    o.offer_failed.tries = w.state.offer_tries;
    o.offer_failed.how = how;
    o.offer_failed.retry_ms = retry_ms;
    story_order(&o);
}

void fire(PbTimerKind kind) {
    struct order o = { .kind = ORDER_DEADLINE };
    o.deadline.kind = kind;
    story_order(&o);
}
