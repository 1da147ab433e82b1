/* decide_care.c: what is written beside a case, put right, handed over, or brought up to date with the rules. */
#include "daemon/kernel/decide_internal.h"

#include <string.h>

/* ---- 补充 ---------------------------------------------------------------------------------------------------------- */

void decide_note(struct scene *s) {
    const PbNote *n = s->order->note;
    check_party(s, n->party, false, "party");
    check_text(s, n->text, "text");
    if (!n->text || !*n->text) refuse(s, REFUSED_FIELD_MISSING, "text");
    if (s->out->refusal) return;
    PbNoted *to = happen(s, EVENT_NOTED)->noted = make(s, sizeof *to);
    to->party = n->party;
    to->text = s->order->text;
}

/* ---- 更正 ---------------------------------------------------------------------------------------------------------- */

static PbPlace *place_now(struct scene *s) {
    PbPlace *to = make(s, sizeof *to);
    SET(to, division, s->c->division);
    SET(to, wall, (PbWall)s->c->wall);
    if (s->c->has_place) SET(to, lon_e7, s->c->lon_e7), SET(to, lat_e7, s->c->lat_e7);
    return to;
}

/* What the order names, over what is. */
static PbPlace *place_then(struct scene *s, const PbPlace *p) {
    PbPlace *to = place_now(s);
    if (p->has_division) to->division = p->division;
    if (p->has_wall && p->wall != WALL_UNKNOWN) to->wall = p->wall;
    if (p->has_lon_e7) SET(to, lon_e7, p->lon_e7), SET(to, lat_e7, p->lat_e7);
    return to;
}

static bool same_place(const PbPlace *a, const PbPlace *b) {
    return a->division == b->division && a->wall == b->wall && a->has_lon_e7 == b->has_lon_e7
        && a->lon_e7 == b->lon_e7 && a->lat_e7 == b->lat_e7;
}

/* In the same district, whose number it has; and fine enough for the desk that has it. */
static void check_correct_place(struct scene *s, const PbPlace *to) {
    check_place(s, to);
    if (s->out->refusal) return;
    bool same = division_cut(to->division, level_digits(LEVEL_DISTRICT)) == s->c->district;
    if (!same || !division_at_level(s->rules, to->division, (PbLevel)s->c->level, s->now))
        refuse(s, REFUSED_BAD_DIVISION, "place.division");
}

static void correct_into(struct scene *s, const PbCorrect *w, PbCorrectedFields *before, PbCorrectedFields *after) {
    if (w->category && strcmp(w->category, s->c->category) != 0) {
        before->category = text_in_room(s, slice_of(s->c->category));
        after->category = w->category;
    }
    PbUrgency urgency = (PbUrgency)s->c->urgency;
    if (after->category) urgency = rules_category(s->rules, slice_of(after->category))->urgency;
    if (w->has_urgency) urgency = w->urgency;
    if (urgency != (PbUrgency)s->c->urgency) {
        SET(before, urgency, (PbUrgency)s->c->urgency);
        SET(after, urgency, urgency);
    }
    PbPlace *then = w->place ? place_then(s, w->place) : NULL, *now = place_now(s);
    if (then && !same_place(then, now)) before->place = now, after->place = then;
}

static void check_correct(struct scene *s, const PbCorrect *w) {
    check_party(s, w->party, false, "party");
    check_text(s, w->text, "text");
    if (w->category && !rules_category(s->rules, slice_of(w->category)))
        refuse(s, REFUSED_UNKNOWN_CATEGORY, "category");
    if (w->has_urgency && (w->urgency == URGENCY_NONE || w->urgency > URGENCY_IV))
        refuse(s, REFUSED_FIELD_RANGE, "urgency");
    if (w->place && w->place->has_lon_e7 != w->place->has_lat_e7) refuse(s, REFUSED_FIELD_MISSING, "place.lat_e7");
    if (w->place) check_correct_place(s, place_then(s, w->place));
}

/* The old values are kept. Another category has other limits, from the same beginnings, and its own urgency when the
 * order does not say which; the playbook stays. */
void decide_correct(struct scene *s) {
    const PbCorrect *w = s->order->correct;
    check_correct(s, w);
    if (!batch_confirmed(s)) return;
    PbCorrected *to = make(s, sizeof *to);
    to->before = make(s, sizeof *to->before);
    to->after = make(s, sizeof *to->after);
    correct_into(s, w, to->before, to->after);
    if (!to->after->category && !to->after->has_urgency && !to->after->place)
        return refuse(s, REFUSED_NO_CHANGE, NULL);
    happen(s, EVENT_CORRECTED)->corrected = to;
    to->party = w->party;
    to->text = s->order->text;
    struct timers t = { .count = 0 };
    if (to->after->category) timers_corrected(s, &t, rules_category(s->rules, slice_of(w->category)));
    to->timers = timers_list(s, &t, &to->n_timers);
}

/* ---- 交班 ---------------------------------------------------------------------------------------------------------- */

/* Whoever takes over is not asked the same already, and does not verify what it did or gave more time for. */
static bool may_take(const struct scene *s, const struct ask *a, const char *to) {
    if (case_ask(s->c, to, a->stage, a->attempt)) return false;
    const struct ask *handler = case_handler(s->c);
    bool verify = stage_at(s->playbook, a->stage)->kind == STAGE_VERIFY;
    return !verify || !handler || (may_verify(s, to, handler) && strcmp(to, s->c->more.approver) != 0);
}

void decide_hand_over(struct scene *s) {
    const PbHandOver *w = s->order->hand_over;
    uint32_t asks = 0;
    check_party(s, w->to, true, "to");
    if (!w->from) refuse(s, REFUSED_FIELD_MISSING, "from");
    if (!batch_confirmed(s)) return;
    if (strcmp(w->from, w->to) == 0) return refuse(s, REFUSED_SAME_PARTY, "to");
    for (unsigned i = 0; i < s->c->asks_count; i++) {
        const struct ask *a = &s->c->asks[i];
        if (!ask_is_open(a) || strcmp(a->party, w->from) != 0) continue;
        if (!may_take(s, a, w->to)) return refuse(s, REFUSED_SAME_PARTY, "to");
        asks++;
    }
    if (asks == 0) return refuse(s, REFUSED_NOT_ASKED, "from");
    PbHandedOver *to = happen(s, EVENT_HANDED_OVER)->handed_over = make(s, sizeof *to);
    to->from = w->from;
    to->to = w->to;
    SET(to, asks, asks);
}

/* ---- another version of the rules -------------------------------------------------------------------------------- */

/* The stages that the case speaks of are the same there, by number, name and level. */
static bool stage_stays(const struct scene *s, const PbPlaybook *to, uint32_t number) {
    if (number == 0) return true;
    const PbStage *is = stage_at(s->playbook, number), *then = number <= to->n_stages ? to->stages[number - 1] : NULL;
    return then && then->kind == is->kind && then->level == is->level && strcmp(then->name, is->name) == 0;
}

void decide_move(struct scene *s) {
    uint32_t number = 0;
    if (!batch_confirmed(s)) return;
    if (s->in->rules_now_number == s->c->rules) return refuse(s, REFUSED_NO_CHANGE, "case_id");
    const PbPlaybook *to = rules_playbook(s->in->rules_now, s->playbook->name, &number);
    bool same = to && stage_stays(s, to, s->c->stage) && stage_stays(s, to, s->c->handled_stage);
    for (unsigned i = 0; same && i < s->c->asks_count; i++) same = stage_stays(s, to, s->c->asks[i].stage);
    if (!same) return refuse(s, REFUSED_WRONG_STAGE, "playbook");
    if (!rules_category(s->in->rules_now, slice_of(s->c->category)))
        return refuse(s, REFUSED_UNKNOWN_CATEGORY, "category");
    if (!rules_division(s->in->rules_now, s->c->division)) return refuse(s, REFUSED_UNKNOWN_DIVISION, "division");
    PbCaseMoved *e = happen(s, EVENT_CASE_MOVED)->case_moved = make(s, sizeof *e);
    SET(e, rules, s->in->rules_now_number);
    SET(e, playbook, number);
    e->has_playbook_hash = to->has_hash;
    e->playbook_hash = to->hash;
}

/* 时限重算: the case goes by the calendars now in force from here on; what is armed is reckoned anew. */
void decide_recompute(struct scene *s) {
    uint32_t now = s->c->more.calendar_rules ? s->c->more.calendar_rules : s->c->rules;
    const PbCalendar *calendar = calendar_of(s->in->rules_now, s->rules, s->playbook);
    if (now == s->in->rules_now_number || calendar_same(calendar, s->calendar))
        return refuse(s, REFUSED_NO_CHANGE, "case_id");
    PbDueMoved *to = happen(s, EVENT_DUE_MOVED)->due_moved = make(s, sizeof *to);
    SET(to, calendar_rules, s->in->rules_now_number);
    struct timers t = { .count = 0 };
    timers_recomputed(s, &t, calendar);
    to->timers = timers_list(s, &t, &to->n_timers);
}

/* ---- 死信 ---------------------------------------------------------------------------------------------------------- */

void decide_retry_dead(struct scene *s) {
    if (!s->c->offer_dead) return refuse(s, REFUSED_NOTHING_PENDING, "case_id");
    PbDeadRetried *to = happen(s, EVENT_DEAD_RETRIED)->dead_retried = make(s, sizeof *to);
    SET(to, attempt, s->c->attempt);
}

void decide_drop_dead(struct scene *s) {
    if (!s->c->offer_dead || s->c->more.dead_dropped) return refuse(s, REFUSED_NOTHING_PENDING, "case_id");
    PbDeadDropped *to = happen(s, EVENT_DEAD_DROPPED)->dead_dropped = make(s, sizeof *to);
    SET(to, attempt, s->c->attempt);
}
