/* decide.c: (case, order, now) -> events or a refusal. The table first, then the orders that make or end a case.
 *
 * Every pair (order, state) has a cell: a function, or the refusal it means. A test visits each. */
#include "daemon/kernel/decide_internal.h"

#include <string.h>

#define SINCE_2000_MS 946684800000LL
enum { LON_E7_MAX = 1800000000, LAT_E7_MAX = 900000000 };

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

bool cursor_matches(struct scene *s, uint32_t stage, uint32_t attempt) {
    if (stage == s->c->stage && attempt == s->c->attempt) return true;
    refuse(s, REFUSED_WRONG_STAGE, stage == s->c->stage ? "attempt" : "stage");
    return false;
}

/* ---- what a report must be --------------------------------------------------------------------------------------- */

static void check_place(struct scene *s, const PbPlace *place) {
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

static void check_external_id(struct scene *s, const char *id) {
    if (!id) return;
    if (strlen(id) > EXTERNAL_ID_BYTES_MAX) return refuse(s, REFUSED_TEXT_TOO_LONG, "external_id");
    for (; *id; id++)
        if (*id < '!' || *id > '~') return refuse(s, REFUSED_BAD_TEXT, "external_id");
}

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

static void check_party(struct scene *s, const char *party, bool needed, const char *field) {
    if (!party) {
        if (needed) refuse(s, REFUSED_FIELD_MISSING, field);
    } else if (!rules_party(s->rules, slice_of(party), s->now)) {
        refuse(s, REFUSED_UNKNOWN_PARTY, field);
    }
}

static bool may_promise(const struct scene *s) {
    for (size_t i = 0; i < s->rules->n_promise_sources; i++) {
        struct slice granted = slice_of(s->rules->promise_sources[i]);
        if (slice_equal(granted, SLICE("*")) || slice_equal(granted, s->in->source)) return true;
    }
    return false;
}

/* A place known only as a street starts at the street's desk. 0: it is coarser than every rung. */
static uint32_t first_stage(const PbPlaybook *p, PbLevel place_level) {
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
    SET(to, day, calendar_date(district, s->now));
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
}

static const PbLimit *promise_of(struct scene *s, const PbReport *r) {
    if (!r->has_promise_ms) return s->category->promise;
    PbLimit *limit = make(s, sizeof *limit);
    SET(limit, unit, UNIT_MILLISECONDS);
    SET(limit, amount, r->promise_ms);
    return limit;
}

static void decide_report(struct scene *s) {
    const PbReport *r = s->order->report;
    check_report(s, r);
    if (s->out->refusal) return;
    PbReported *to = happen(s, EVENT_REPORTED)->reported = make(s, sizeof *to);
    report_into(s, r, to);
    struct timers t = { .count = 0 };
    timers_desk(s, &t, s->stage);
    const PbLimit *promise = promise_of(s, r);
    if (promise) timers_promise(s, &t, promise);
    to->timers = timers_list(s, &t);
    to->n_timers = t.count;
    for (size_t i = 0; i < t.count; i++)
        if (t.list[i]->past_calendar) SET(to, past_calendar, true);
}

static bool is_grid_worker(const PbRules *r, struct slice slug) {
    const PbRole *role = rules_role(r, slug);
    return role && (role->kind == ROLE_GRID_WORKER || role->kind == ROLE_OUTER_WORKER);
}

/* 随手办结: the same grid worker found, did and closes it; only where the category allows it, only in one's own grid. */
static void decide_self_handle(struct scene *s) {
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

/* ---- Accept, Reject, Note ---------------------------------------------------------------------------------------- */

static void decide_accept(struct scene *s) {
    const PbAccept *a = s->order->accept;
    check_party(s, a->party, false, "party");
    if (s->out->refusal) return;
    PbAccepted *to = happen(s, EVENT_ACCEPTED)->accepted = make(s, sizeof *to);
    to->party = a->party;
}

static void decide_reject(struct scene *s) {
    const PbReject *r = s->order->reject;
    if (!cursor_matches(s, r->stage, r->attempt)) return;
    if (r->cause < CAUSE_OUT_OF_SCOPE || r->cause > CAUSE_ELSEWHERE) return refuse(s, REFUSED_FIELD_RANGE, "cause");
    check_text(s, r->text, "text");
    if (s->out->refusal) return;
    PbRejected *to = happen(s, EVENT_REJECTED)->rejected = make(s, sizeof *to);
    SET(to, cause, r->cause);
    to->text = s->order->text;
}

static void decide_note(struct scene *s) {
    const PbNote *n = s->order->note;
    check_party(s, n->party, false, "party");
    check_text(s, n->text, "text");
    if (!n->text || !*n->text) refuse(s, REFUSED_FIELD_MISSING, "text");
    if (s->out->refusal) return;
    PbNoted *to = happen(s, EVENT_NOTED)->noted = make(s, sizeof *to);
    to->party = n->party;
    to->text = s->order->text;
}

/* ---- the table --------------------------------------------------------------------------------------------------- */

struct cell {
    void (*decide)(struct scene *s);
    PbRefusal refusal;                               /* when decide is NULL */
};

#define DO(f)   { f, REFUSED_NOTHING }
#define NO(why) { NULL, REFUSED_##why }

static const struct cell table[ORDER_COUNT][STATE_REJECTED + 1] = {
    /*                       NONE                  REPORTED              ACCEPTED              DISPATCHED
                             HANDLING              RESOLVED              CLOSED                REJECTED */
    [ORDER_REPORT]       = { DO(decide_report),    NO(WRONG_STATE),      NO(WRONG_STATE),      NO(WRONG_STATE),
                             NO(WRONG_STATE),      NO(WRONG_STATE),      NO(WRONG_STATE),      NO(WRONG_STATE) },
    [ORDER_SELF_HANDLE]  = { DO(decide_self_handle), NO(WRONG_STATE), NO(WRONG_STATE), NO(WRONG_STATE),
                             NO(WRONG_STATE),      NO(WRONG_STATE),      NO(WRONG_STATE),      NO(WRONG_STATE) },
    [ORDER_ANSWER]       = { NO(NO_SUCH_CASE),     DO(decide_answer),    DO(decide_answer),    DO(decide_answer),
                             DO(decide_answer),    DO(decide_answer),    NO(CASE_CLOSED),      NO(CASE_CLOSED) },
    [ORDER_ACCEPT]       = { NO(NO_SUCH_CASE),     DO(decide_accept),    NO(WRONG_STATE),      NO(WRONG_STATE),
                             NO(WRONG_STATE),      NO(WRONG_STATE),      NO(CASE_CLOSED),      NO(CASE_CLOSED) },
    [ORDER_REJECT]       = { NO(NO_SUCH_CASE),     DO(decide_reject),    DO(decide_reject),    NO(WRONG_STATE),
                             NO(WRONG_STATE),      NO(WRONG_STATE),      NO(CASE_CLOSED),      NO(CASE_CLOSED) },
    [ORDER_DISPATCH]     = { NO(NO_SUCH_CASE),     DO(decide_dispatch),  DO(decide_dispatch),  NO(WRONG_STATE),
                             NO(WRONG_STATE),      NO(WRONG_STATE),      NO(CASE_CLOSED),      NO(CASE_CLOSED) },
    [ORDER_ESCALATE]     = { NO(NO_SUCH_CASE),     DO(decide_escalate),  DO(decide_escalate),  DO(decide_escalate),
                             DO(decide_escalate),  NO(WRONG_STATE),      NO(CASE_CLOSED),      NO(CASE_CLOSED) },
    [ORDER_NOTE]         = { NO(NO_SUCH_CASE),     DO(decide_note),      DO(decide_note),      DO(decide_note),
                             DO(decide_note),      DO(decide_note),      DO(decide_note),      DO(decide_note) },
    [ORDER_LATER]        = { NO(NOT_YET),          NO(NOT_YET),          NO(NOT_YET),          NO(NOT_YET),
                             NO(NOT_YET),          NO(NOT_YET),          NO(NOT_YET),          NO(NOT_YET) },
    [ORDER_DEADLINE]     = { NO(NO_SUCH_TIMER),    DO(decide_deadline),  DO(decide_deadline),  DO(decide_deadline),
                             DO(decide_deadline),  DO(decide_deadline),  NO(NO_SUCH_TIMER),    NO(NO_SUCH_TIMER) },
    [ORDER_OFFER_FAILED] = { NO(NO_SUCH_CASE), DO(decide_offer_failed), DO(decide_offer_failed),
                             DO(decide_offer_failed), DO(decide_offer_failed), DO(decide_offer_failed),
                             NO(CASE_CLOSED), NO(CASE_CLOSED) },
};

/* Looks up what the case is pinned to. A case's rules are always at hand: they are journaled before it. */
static void scene_bind(struct scene *s) {
    if (s->c->id == 0) return;
    CHECK(s->c->playbook >= 1 && s->c->playbook <= s->rules->n_playbooks);
    s->playbook = s->rules->playbooks[s->c->playbook - 1];
    s->stage = stage_at(s->playbook, s->c->stage);
    s->category = rules_category(s->rules, slice_of(s->c->category));
    s->calendar = rules_calendar(s->rules, s->playbook->calendar ? s->playbook->calendar : s->rules->calendar);
    CHECK(s->category && s->calendar);
}

void decide(const struct decide_input *in, const struct order *order, struct decision *ret) {
    struct scene s = { .in = in, .c = in->state, .order = order, .rules = in->rules, .now = in->now_ms, .out = ret };
    CHECK(order->kind < ORDER_COUNT && in->state->state <= STATE_REJECTED);
    *ret = (struct decision){ .refusal = REFUSED_NOTHING };
    const struct cell *cell = &table[order->kind][in->state->state];
    if (!cell->decide) return refuse(&s, cell->refusal, NULL);
    scene_bind(&s);
    cell->decide(&s);
    if (ret->refusal) ret->count = 0;                /* a refusal changes nothing */
    CHECK((ret->refusal != REFUSED_NOTHING) == (ret->count == 0));
}
