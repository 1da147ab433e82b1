/* view.c: a case for people and desks: names resolved, sealed text opened where the asker may read it. */
#include "daemon/gates/gates.h"

#include "daemon/store/texts.h"

#include <string.h>

enum { FOLLOWERS_COUNTED_MAX = 1000 };

static char *text_in(struct arena *room, const char *text) {
    char *at = arena_text(room, slice_of(text));
    CHECK(at);
    return at;
}

/* A name out of the rules, which another view's rules may drive out of memory before this one is packed. */
static char *name_in(struct arena *room, const char *name) {
    return name ? text_in(room, name) : NULL;
}

/* At least `width` digits and `end` behind them; where that was written, or what follows it. */
static char *digits(char *to, uint32_t number, unsigned width, char end) {
    char text[10];
    unsigned count = 0;
    for (; number > 0 || count < width; number /= 10) text[count++] = (char)('0' + number % 10);
    while (count > 0) *to++ = text[--count];
    *to = end;
    return to + 1;
}

void view_number(uint32_t district, uint32_t day, uint32_t day_number, char to[static NUMBER_BYTES]) {
    digits(digits(digits(to, district, 6, '-'), day, 8, '-'), day_number, 5, '\0');
}

static const char *ask_status_name(uint8_t status) {
    static const char *const names[] = { "asked", "accepted", "done", "declined", "ended", "returned",
                                         "done" /* verified */ };
    CHECK(status < COUNT_OF(names));
    return names[status];
}

static void view_asks(const struct case_state *c, const PbRules *r, PbCaseView *v, struct arena *room) {
    v->n_asks = c->asks_count;
    v->asks = arena_must(room, (c->asks_count + 1u) * sizeof *v->asks);
    for (unsigned i = 0; i < c->asks_count; i++) {
        const struct ask *a = &c->asks[i];
        PbAskView *to = v->asks[i] = arena_must(room, sizeof *to);
        const PbParty *party = rules_party(r, slice_of(a->party), a->asked_at_ms);
        to->party = text_in(room, a->party);
        to->name_zh = name_in(room, party ? party->name_zh : NULL);
        SET(to, lead, a->lead);
        SET(to, stage, a->stage);
        SET(to, attempt, a->attempt);
        to->status = (char *)ask_status_name(a->status);
        SET(to, asked_at_ms, a->asked_at_ms);
        if (a->answered_at_ms) SET(to, answered_at_ms, a->answered_at_ms);
        SET(to, level, (PbLevel)a->level);
    }
}

static void view_timers(const struct case_state *c, const PbCategory *g, PbCaseView *v, struct arena *room) {
    v->n_timers = c->timers_count;
    v->timers = arena_must(room, (c->timers_count + 1u) * sizeof *v->timers);
    for (unsigned i = 0; i < c->timers_count; i++) {
        const struct timer *t = &c->timers[i];
        PbTimerView *to = v->timers[i] = arena_must(room, sizeof *to);
        SET(to, kind, (PbTimerKind)t->kind);
        SET(to, due_ms, t->due_ms);
        SET(to, start_ms, t->start_ms);
        to->limit = arena_must(room, sizeof *to->limit);
        SET(to->limit, unit, (PbUnit)t->unit);
        SET(to->limit, amount, t->amount);
        if (t->milestone && g && t->milestone <= g->n_milestones)
            to->milestone = name_in(room, g->milestones[t->milestone - 1]->name);
        if (t->past_calendar) SET(to, past_calendar, true);
        if (t->stopped) SET(to, stopped, true);
    }
}

/* Text and address stand sealed in the case's first record; their key stands in its slot. An erased slot opens nothing,
 * and is asked for nothing; a damaged one opens nothing, either, and that is counted. */
static char *open_sealed(const struct key *k, const char *context, const PbSealed *sealed, struct arena *room) {
    if (!sealed || sealed->box.len < SEAL_OVERHEAD) return NULL;
    size_t len = sealed->box.len - SEAL_OVERHEAD;
    uint8_t *plain = arena_must(room, len + 1);
    if (!seal_open(k, slice_of(context), slice_from(sealed->box.data, sealed->box.len), plain))
        return COUNT(TEXTS_DAMAGED), NULL;
    plain[len] = '\0';
    return (char *)plain;
}

static void view_text(struct store *s, const struct case_state *c, PbCaseView *v, struct arena *room) {
    struct slice bytes;
    struct key k;
    PbRecord *record = NULL;
    if (store_slot_key(s, c->slot, &k) < 0 || store_read(s, c->id, &bytes) < 0) return;
    if (codec_unpack_own(CODEC_RECORD, bytes, room, &record) < 0 || record->n_events == 0) return;
    const PbReported *r = event_report(record->events[0]);
    if (!r) return;
    v->text = open_sealed(&k, "text", r->text, room);
    v->address = open_sealed(&k, "address", r->address, room);
    wipe(&k, sizeof k);
}

char *view_text_of(struct store *s, const struct case_state *c, const PbRecord *record, struct arena *room) {
    struct key k;
    char *text = NULL;
    for (size_t i = 0; i < record->n_events && !text; i++) {
        const char *context;
        const PbSealed *sealed = event_text(record->events[i], &context);
        if (!sealed || store_slot_key(s, c->slot, &k) < 0) continue;
        text = open_sealed(&k, context, sealed, room);
        wipe(&k, sizeof k);
    }
    return text ? text : arena_must(room, 1);
}

static const char *authority_name(uint8_t authority) {
    static const char *const names[] = { "", "police", "fire", "ambulance", "court", "petition", "district", "hotline",
                                         "other" };
    CHECK(authority < COUNT_OF(names));
    return names[authority];
}

/* Whom an open case waits for, in one word for a list: the party in the lead, the reporter, another authority, or the
 * desk of its level. */
static char *waiting_for(const struct case_state *c, const PbRules *r, struct arena *room) {
    if (!case_open(c)) return NULL;
    if (c->state == STATE_FOLLOWUP) return text_in(room, c->reporter[0] ? c->reporter : "reporter");
    if (c->state == STATE_TRANSFERRED) return text_in(room, authority_name(c->more.authority));
    for (unsigned i = 0; i < c->asks_count; i++)
        if (ask_at_cursor(c, &c->asks[i]) && ask_is_open(&c->asks[i]) && c->asks[i].lead)
            return text_in(room, c->asks[i].party);
    char desk[PARTY_BYTES_MAX + 1];
    const PbRole *role = rules_role_of_kind(r, ROLE_DESK, (PbLevel)c->level);
    uint64_t division = division_cut(c->division, level_digits((PbLevel)c->level));
    if (!role || !division) return NULL;
    party_print(desk, role->slug, division);
    return text_in(room, desk);
}

static void view_place(const struct case_state *c, const PbRules *r, PbCaseView *v, struct arena *room) {
    const PbDivision *division = rules_division(r, c->division);
    v->place = arena_must(room, sizeof *v->place);
    SET(v->place, division, c->division);
    SET(v->place, wall, (PbWall)c->wall);
    if (c->has_place) SET(v->place, lon_e7, c->lon_e7), SET(v->place, lat_e7, c->lat_e7);
    v->division_zh = name_in(room, division ? division->name_zh : NULL);
}

static void view_counts(const struct case_state *c, PbCaseView *v) {
    SET(v, opened_at_ms, c->opened_at_ms);
    if (c->resolved_at_ms) SET(v, resolved_at_ms, c->resolved_at_ms);
    if (c->closed_at_ms) SET(v, closed_at_ms, c->closed_at_ms);
    SET(v, overdue, c->overdue);
    SET(v, supervised, c->supervised);
    SET(v, escalations, c->escalations);
    SET(v, reworks, c->reworks);
    SET(v, reminders, c->reminders);
    SET(v, self_handled, c->self_handled);
    SET(v, last_seq, c->last_seq);
    if (c->promise_due_ms) SET(v, promise_due_ms, c->promise_due_ms);
    if (c->handling_due_ms) SET(v, handling_due_ms, c->handling_due_ms);
    if (c->offer_dead) SET(v, work_dead, true);
}

/* How often it left the main way; what never happened is not said. */
static void view_detours(const struct case_state *c, PbCaseView *v, struct arena *room) {
    const struct case_detours *m = &c->more;
    if (m->returns) SET(v, returns, m->returns);
    if (m->extensions) SET(v, extensions, m->extensions);
    if (m->extension_amount) SET(v, extension_asked, true);
    if (m->suspensions) SET(v, suspensions, m->suspensions);
    if (m->reopens) SET(v, reopens, m->reopens);
    if (m->delegations) SET(v, delegations, m->delegations);
    if (m->authority) SET(v, authority, (PbAuthority)m->authority);
    if (m->solved) SET(v, solved, (PbOpinion)m->solved);
    if (m->satisfied) SET(v, satisfied, (PbOpinion)m->satisfied);
    if (m->arbitrated) SET(v, arbitrated, true);
    if (m->void_by[0] && c->state != STATE_VOID) SET(v, void_asked, true);
    if (m->origin[0]) v->origin = text_in(room, m->origin);
    if (c->exercise) SET(v, exercise, true);
    SET(v, rules, c->rules);
}

/* The case it was merged into, and how many were merged into it. */
static void view_family(struct store *s, const struct case_state *c, PbCaseView *v, struct arena *room) {
    struct case_state master;
    uint64_t follower = 0;
    uint32_t count = 0;
    char number[NUMBER_BYTES];
    if (c->more.master) SET(v, master, c->more.master);
    if (c->more.master && store_case(s, c->more.master, &master) == 0) {
        view_number(master.district, master.day, master.day_number, number);
        v->master_number = text_in(room, number);
    }
    while (count < FOLLOWERS_COUNTED_MAX && store_next_follower(s, c->id, follower, &follower) == 0) count++;
    if (count) SET(v, followers, count);
}

int view_case(struct store *s, const struct case_state *c, bool with_text, struct arena *room, PbCaseView **ret) {
    const PbRules *r = NULL;
    int error = store_rules(s, c->rules, &r);
    if (error < 0) return error;
    const PbCategory *g = rules_category(r, slice_of(c->category));
    const PbPlaybook *p = r->playbooks[c->playbook - 1];
    char number[NUMBER_BYTES];
    PbCaseView *v = arena_must(room, sizeof *v);
    view_number(c->district, c->day, c->day_number, number);
    SET(v, case_id, c->id);
    v->number = text_in(room, number);
    SET(v, state, (PbState)c->state);
    SET(v, level, (PbLevel)c->level);
    SET(v, urgency, (PbUrgency)c->urgency);
    view_place(c, r, v, room);
    v->category = text_in(room, c->category);
    v->category_zh = name_in(room, g ? g->name_zh : NULL);
    v->category_en = name_in(room, g ? g->name_en : NULL);
    v->playbook = name_in(room, p->name);
    SET(v, stage, c->stage);
    SET(v, attempt, c->attempt);
    v->stage_name = name_in(room, p->stages[c->stage - 1]->name);
    view_counts(c, v);
    view_asks(c, r, v, room);
    view_timers(c, g, v, room);
    view_detours(c, v, room);
    view_family(s, c, v, room);
    if (c->external_id[0]) v->external_id = text_in(room, c->external_id);
    v->waiting_for = waiting_for(c, r, room);
    if (with_text && (c->has_text || c->has_address)) view_text(s, c, v, room);
    *ret = v;
    return 0;
}
