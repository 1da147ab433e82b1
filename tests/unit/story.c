/* story.c: the world of a story: its cases, its time, its trace. */
#include "tests/unit/story_internal.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define w story_world

struct story_world story_world;

/* ---- one order --------------------------------------------------------------------------------------------------- */

const PbRules *story_rules_of(uint32_t number) {
    CHECK(number >= 1 && number <= w.versions_count);
    return w.versions[number - 1];
}

static struct decide_input input_of(void) {
    const struct case_state *c = &w.state;
    uint32_t now = w.versions_count, rules = c->id ? c->rules : now;
    return (struct decide_input){
        .state = c, .rules = story_rules_of(rules), .rules_number = rules,
        .calendar_rules = c->id && c->more.calendar_rules ? story_rules_of(c->more.calendar_rules) : NULL,
        .rules_now = story_rules_of(now), .rules_now_number = now, .now_ms = w.now_ms, .source = slice_of(w.source),
        .day_number = 1, .slot = 7, .has_followers = w.followers, .known = w.known, .in_batch = w.in_batch,
        .batch_confirmed = w.batch_confirmed, .by = slice_of(w.by), .origin = slice_of(w.origin), .room = &w.room,
    };
}

PbRefusal story_order(const struct order *order) {
    static struct case_state before;
    struct decision d;
    arena_wrap(&w.room, w.memory, sizeof w.memory);
    struct decide_input in = input_of();
    uint64_t master = order->kind == ORDER_MERGE ? order->merge->master : w.state.more.master;
    if (w.other.id && w.other.id == master) in.other = &w.other;
    before = w.state;
    lawful_step(&in, order, &w.state, &d);
    if (d.refusal) {
        told_refusal(order, &before, d.refusal);
        say_refusal(&d);
    }
    for (uint32_t i = 0; i < d.count; i++) {
        PbState from = before.id ? (PbState)before.state : STATE_NONE;
        evolve(&before, d.events[i], before.last_seq + 1, w.now_ms);
        told_event(d.events[i]->event_case, from, (PbState)before.state);
        say_event(d.events[i]);
    }
    return w.refusal = d.refusal;
}

PbRefusal story_refusal(void) {
    return w.refusal;
}

/* The party that a role means in this case. */
const char *story_party(const char *role) {
    static char text[PARTY_BYTES_MAX + 1];
    if (strchr(role, '@') || !*role) return role;
    const PbRole *r = rules_role(story_rules_of(w.versions_count), slice_of(role));
    CHECK(r);
    uint64_t division = w.state.id ? w.state.division : FIXTURE_GRID;
    uint64_t cut = division_cut(division, level_digits(r->level));
    party_print(text, role, cut ? cut : division);
    return text;
}

/* ---- time -------------------------------------------------------------------------------------------------------- */

int64_t story_instant(const char *when) {
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
    w.source = "uid:1000", w.by = w.origin = "";
    w.other.last_seq = 100;                                        /* its number will be 101 */
    story_rules_become(story_rules());
    told_forget();
    w.began_ms = story_instant(when);
    w.now_ms = w.began_ms;
}

void story_handling(const char *category) {
    story("2026-03-02 09:00");
    report(category);
    dispatch("grid-worker");
    answer("grid-worker", ANSWER_ACCEPT);
}

void at(const char *when) {
    pass(story_instant(when), false);
}

void wait_until(const char *when) {
    pass(story_instant(when), true);
}

void story_skip_to(int64_t at_ms) {
    CHECK(at_ms >= w.now_ms);
    w.now_ms = at_ms;
}

void story_skip(const char *when) {
    story_skip_to(story_instant(when));
}

void story_again(void) {
    memset(&w.state, 0, sizeof w.state);
}

void story_hush(void) {
    w.len = 0;
    w.trace[0] = '\0';
    told_forget();
}

void story_rules_become(const PbRules *rules) {
    CHECK(w.versions_count < STORY_VERSIONS_MAX);
    w.versions[w.versions_count++] = rules;
}

void other_case(void) {
    static struct case_state kept;
    kept = w.state;
    w.state = w.other;
    w.other = kept;
}

void story_by(const char *person) {
    w.by = person;
}

void story_origin(const char *system, bool known) {
    w.origin = system;
    w.known = known;
}

void story_followers(bool some) {
    w.followers = some;
}

void story_batch(enum story_batch is) {
    w.in_batch = is != NO_BATCH;
    w.batch_confirmed = is == CONFIRMED_BATCH;
}

void story_source(const char *source) {
    w.source = source;
}

void told(const char *what) {
    say("[%s] %s\n", instant(w.now_ms), what);
}

void expect(const char *trace) {
    if (strcmp(w.trace, trace) == 0) return told_is_expected();
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
    static const char *const words[] = { "open", "accepted", "done", "declined", "ended", "returned",
                                         "verified" };
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
