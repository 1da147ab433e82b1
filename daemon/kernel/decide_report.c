/* decide_report.c: what makes a case: a report, 随手办 (found, done and closed in one), a case of another system. */
#include "daemon/kernel/decide_internal.h"

#include <string.h>

#define SINCE_2000_MS 946684800000LL
enum { LON_E7_MAX = 1800000000, LAT_E7_MAX = 900000000 };

/* ---- what a report must be --------------------------------------------------------------------------------------- */

void check_place(struct scene *s, const PbPlace *place) {
    if (!place || !place->has_division) return refuse(s, REFUSED_FIELD_MISSING, "place.division");
    unsigned digits = division_digits(place->division);
    if (digits < 6) return refuse(s, REFUSED_BAD_DIVISION, "place.division");
    if (!rules_division(s->rules, place->division)) return refuse(s, REFUSED_UNKNOWN_DIVISION, "place.division");
    if (place->has_lon_e7 != place->has_lat_e7) return refuse(s, REFUSED_FIELD_MISSING, "place.lat_e7");
    if (place->lon_e7 > LON_E7_MAX || place->lon_e7 < -LON_E7_MAX)
        return refuse(s, REFUSED_FIELD_RANGE, "place.lon_e7");
    if (place->lat_e7 > LAT_E7_MAX || place->lat_e7 < -LAT_E7_MAX)
        return refuse(s, REFUSED_FIELD_RANGE, "place.lat_e7");
}

void check_external_id(struct scene *s, const char *id) {
    if (!id) return;
    if (strlen(id) > EXTERNAL_ID_BYTES_MAX) return refuse(s, REFUSED_TEXT_TOO_LONG, "external_id");
    for (; *id; id++)
        if (*id < '!' || *id > '~') return refuse(s, REFUSED_BAD_TEXT, "external_id");
}

static bool may_promise(const struct scene *s) {
    for (size_t i = 0; i < s->rules->n_promise_sources; i++) {
        struct slice granted = slice_of(s->rules->promise_sources[i]);
        if (slice_equal(granted, SLICE("*")) || slice_equal(granted, s->in->source)) return true;
    }
    return false;
}

/* A place known only as a street starts at the street's desk. 0: it is coarser than every rung. */
uint32_t first_stage(const PbPlaybook *p, PbLevel place_level) {
    for (uint32_t i = 0; i < p->n_stages; i++)
        if (p->stages[i]->kind == STAGE_HANDLE && p->stages[i]->level >= place_level) return i + 1;
    return 0;
}

static void check_report(struct scene *s, const PbReport *r) {
    if (!r) return refuse(s, REFUSED_FIELD_MISSING, "report");
    check_place(s, r->place);
    if (!r->category) return refuse(s, REFUSED_FIELD_MISSING, "category");
    s->category = rules_category(s->rules, slice_of(r->category));
    if (!s->category) return refuse(s, REFUSED_UNKNOWN_CATEGORY, "category");
    if (r->has_occurred_at_ms && r->occurred_at_ms < SINCE_2000_MS)
        return refuse(s, REFUSED_BAD_INSTANT, "occurred_at_ms");
    if (r->has_occurred_at_ms && r->occurred_at_ms > s->now + FAR_FUTURE_MS)
        return refuse(s, REFUSED_FAR_FUTURE, "occurred_at_ms");
    if (s->in->known) return refuse(s, REFUSED_ALREADY_KNOWN, "external_id");
    if (r->has_promise_ms && !may_promise(s)) return refuse(s, REFUSED_PROMISE_NOT_GRANTED, "promise_ms");
    if (r->has_promise_ms && (r->promise_ms < 0 || r->promise_ms > PROMISE_MS_MAX))
        return refuse(s, REFUSED_FIELD_RANGE, "promise_ms");
    check_text(s, r->text, "text");
    check_text(s, r->address, "address");
    check_external_id(s, r->external_id);
    check_evidence(s, r->evidence, r->n_evidence);
    check_party(s, r->reporter, false, "reporter");
    if (s->out->refusal) return;
    uint32_t number = 0;
    s->playbook = rules_playbook(s->rules, s->category->playbook, &number);
    CHECK(s->playbook && number);
    if (!first_stage(s->playbook, division_level(r->place->division)))
        refuse(s, REFUSED_BAD_DIVISION, "place.division");
}

int64_t decide_number_instant(const struct order *order, int64_t now_ms) {
    const PbImport *i = order->kind == ORDER_IMPORT ? order->import : NULL;
    return i && i->opened_at_ms >= SINCE_2000_MS && i->opened_at_ms <= now_ms ? i->opened_at_ms : now_ms;
}

uint32_t decide_district(const PbReport *report) {
    if (!report || !report->place || division_digits(report->place->division) < 6) return 0;
    return (uint32_t)division_cut(report->place->division, 6);    /* whether there is such a place, decide says */
}

/* ---- Report, SelfHandle ------------------------------------------------------------------------------------------ */

/* 墙内/墙外 is the place's; where the reporter could not say, the category's usual side stands in, then the inside. */
static PbWall wall_of(const struct scene *s, const PbPlace *place) {
    if (place->wall != WALL_UNKNOWN) return place->wall;
    return s->category->wall != WALL_UNKNOWN ? s->category->wall : WALL_INSIDE;
}

/* What Reported and SelfHandled have in common: number, place, pinned rules, sealed text. */
static void report_into(struct scene *s, const PbReport *r, PbReported *to) {
    PbPlace *place = make(s, sizeof *place);
    SET(place, division, r->place->division);
    SET(place, wall, wall_of(s, r->place));
    if (r->place->has_lon_e7) SET(place, lon_e7, r->place->lon_e7), SET(place, lat_e7, r->place->lat_e7);
    uint32_t playbook = 0;
    s->playbook = rules_playbook(s->rules, s->category->playbook, &playbook);
    CHECK(s->playbook && playbook);
    s->calendar = rules_calendar(s->rules, s->playbook->calendar ? s->playbook->calendar : s->rules->calendar);
    CHECK(s->calendar);
    SET(to, district, (uint32_t)division_cut(r->place->division, 6));
    const PbCalendar *district = rules_calendar(s->rules, s->rules->calendar);   /* days are its, not the playbook's */
    CHECK(district);
    SET(to, day, calendar_date(district, decide_number_instant(s->order, s->now)));
    SET(to, day_number, s->in->day_number);
    to->place = place;
    to->category = s->category->code;
    SET(to, rules, s->in->rules_number);
    SET(to, playbook, playbook);
    SET(to, playbook_hash, s->playbook->hash);
    SET(to, urgency, s->category->urgency);
    uint32_t stage = first_stage(s->playbook, division_level(r->place->division));
    s->stage = stage_at(s->playbook, stage);
    SET(to, stage, stage);
    SET(to, level, s->stage->level);
    if (r->has_occurred_at_ms) SET(to, occurred_at_ms, r->occurred_at_ms);
    SET(to, slot, s->in->slot);                  /* always: what is said later about the case is sealed under it too */
    to->text = s->order->text;
    to->address = s->order->address;
    to->n_evidence = r->n_evidence;
    to->evidence = r->evidence;
    to->external_id = r->external_id;
    to->reporter = r->reporter;
    if (r->ask_me) SET(to, ask_me, true);
    if (r->exercise) SET(to, exercise, true);
    if (s->in->origin.len) to->origin = text_in_room(s, s->in->origin);
}

static const PbLimit *promise_of(struct scene *s, const PbReport *r) {
    if (!r->has_promise_ms) return s->category->promise;
    PbLimit *limit = make(s, sizeof *limit);
    SET(limit, unit, UNIT_MILLISECONDS);
    SET(limit, amount, r->promise_ms);
    return limit;
}

void decide_report(struct scene *s) {
    const PbReport *r = s->order->report;
    check_report(s, r);
    if (s->out->refusal) return;
    PbReported *to = happen(s, EVENT_REPORTED)->reported = make(s, sizeof *to);
    report_into(s, r, to);
    struct timers t = { .count = 0 };
    timers_desk(s, &t, s->stage);
    const PbLimit *promise = promise_of(s, r);
    if (promise) timers_promise(s, &t, promise);
    to->timers = timers_list(s, &t, &to->n_timers);
    for (size_t i = 0; i < t.count; i++)
        if (t.list[i]->past_calendar) SET(to, past_calendar, true);
}

static bool is_grid_worker(const PbRules *r, struct slice slug) {
    const PbRole *role = rules_role(r, slug);
    return role && (role->kind == ROLE_GRID_WORKER || role->kind == ROLE_OUTER_WORKER);
}

/* 随手办结: the same grid worker found, did and closes it; only where the category allows it, only in one's own grid. */
void decide_self_handle(struct scene *s) {
    const PbSelfHandle *h = s->order->self_handle;
    check_report(s, h->report);
    check_party(s, h->party, true, "party");
    check_text(s, h->text, "text");
    if (s->out->refusal) return;
    struct slice role;
    uint64_t grid = 0;
    CHECK(party_split(slice_of(h->party), &role, &grid));
    if (!s->category->self_handled) return refuse(s, REFUSED_NOT_SELF_HANDLED, "category");
    if (!is_grid_worker(s->rules, role)) return refuse(s, REFUSED_NOT_SELF_HANDLED, "party");
    if (!division_covers(grid, h->report->place->division))
        return refuse(s, REFUSED_NOT_SELF_HANDLED, "place.division");
    PbSelfHandled *to = happen(s, EVENT_SELF_HANDLED)->self_handled = make(s, sizeof *to);
    to->report = make(s, sizeof *to->report);
    report_into(s, h->report, to->report);
    to->party = h->party;
    to->text = s->order->deed;
}

/* ---- Import ------------------------------------------------------------------------------------------------------ */

static bool asked_already(PbState state) {
    return state == STATE_DISPATCHED || state == STATE_HANDLING;
}

static void check_import(struct scene *s, const PbImport *i) {
    check_report(s, i->report);
    if (s->out->refusal) return;
    if (!s->in->origin.len) return refuse(s, REFUSED_FIELD_MISSING, "origin");
    if (!i->report->external_id) return refuse(s, REFUSED_FIELD_MISSING, "external_id");
    if (i->opened_at_ms < SINCE_2000_MS || i->opened_at_ms > s->now)
        return refuse(s, REFUSED_BAD_INSTANT, "opened_at_ms");
    bool asked = asked_already(i->state);
    if (!asked && i->state != STATE_REPORTED && i->state != STATE_ACCEPTED)
        return refuse(s, REFUSED_FIELD_RANGE, "state");
    if (asked && i->n_parties == 0) return refuse(s, REFUSED_NOBODY_NAMED, "parties");
    if (!asked && i->n_parties != 0) return refuse(s, REFUSED_FIELD_RANGE, "parties");
    if (i->has_asked_at_ms && (i->asked_at_ms < i->opened_at_ms || i->asked_at_ms > s->now))
        return refuse(s, REFUSED_BAD_INSTANT, "asked_at_ms");
    bool dues = (!i->has_handling_due_ms || i->handling_due_ms >= i->opened_at_ms)
        && (!i->has_promise_due_ms || i->promise_due_ms >= i->opened_at_ms);
    int64_t most = s->now + PROMISE_MS_MAX;
    if (!dues || i->handling_due_ms > most || i->promise_due_ms > most)
        return refuse(s, REFUSED_BAD_INSTANT, "handling_due_ms");
}

/* The rung of that level; where it is not said or not there, the first that the place has. */
static uint32_t import_stage(const struct scene *s, const PbImport *i) {
    uint32_t first = first_stage(s->playbook, division_level(i->report->place->division));
    uint32_t there = i->has_level ? stage_of_level(s->playbook, i->level) : 0;
    return there > first ? there : first;
}

/* With its instants and running limits: what is overdue there is overdue here. */
void decide_import(struct scene *s) {
    const PbImport *i = s->order->import;
    check_import(s, i);
    if (s->out->refusal) return;
    PbImported *to = happen(s, EVENT_IMPORTED)->imported = make(s, sizeof *to);
    to->report = make(s, sizeof *to->report);
    report_into(s, i->report, to->report);
    uint32_t stage = import_stage(s, i);
    s->stage = stage_at(s->playbook, stage);
    if (i->n_parties) check_round(s, i->parties, i->n_parties, 0);
    if (s->out->refusal) return;
    SET(to->report, stage, stage);
    SET(to->report, level, s->stage->level);
    SET(to, opened_at_ms, i->opened_at_ms);
    SET(to, state, i->state);
    int64_t asked_at = i->has_asked_at_ms ? i->asked_at_ms : s->now;
    SET(to, asked_at_ms, asked_at);
    to->n_asks = i->n_parties;
    to->asks = asks_of(s, i->parties, i->n_parties);
    struct timers t = { .count = 0 };
    if (!asked_already(i->state)) timers_desk(s, &t, s->stage);
    if (i->has_promise_due_ms) timers_imported(s, &t, TIMER_PROMISE, i->opened_at_ms, i->promise_due_ms);
    if (asked_already(i->state) && i->has_handling_due_ms)
        timers_imported(s, &t, TIMER_HANDLING, asked_at, i->handling_due_ms);
    else if (asked_already(i->state)) timers_handling_fresh(s, &t, s->stage);
    if (i->state == STATE_DISPATCHED) timers_accept(s, &t);
    to->report->timers = timers_list(s, &t, &to->report->n_timers);
}
