/* desk.c: an offer in, a decision out. The table says what the levels do; below it stands how a row is read. */
#include "lib/desk/desk.h"

#include <string.h>

/* together: everybody of this kind at once, the first leads (主办) and the others help (协办). Else the first alone. */
struct step {
    PbRoleKind kind;                              /* ROLE_OTHER: the row ends */
    bool together;
};

enum { STEPS_MAX = 4 };

static const struct row {
    PbLevel level;
    bool inside_only;                             /* 墙外 is not this level's place: up */
    struct step steps[STEPS_MAX];
} rows[] = {
    {LEVEL_COMMUNITY, true,  {{ROLE_GRID_WORKER, false}, {ROLE_GRID_LEADER, false},  {ROLE_DESK, false}}},
    {LEVEL_STREET,    false, {{ROLE_DEPARTMENT, false},  {ROLE_OUTER_WORKER, false}, {ROLE_DESK, false}}},
    {LEVEL_DISTRICT,  false, {{ROLE_DEPARTMENT, true},   {ROLE_DESK, false}}},
};

static const struct row *row_of(PbLevel level) {
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (rows[i].level == level)
            return &rows[i];
    return NULL;
}

bool desk_serves(PbLevel level) {
    return row_of(level) != NULL;
}

/* ---- up at once -------------------------------------------------------------------------------------------------- */

static PbWall wall_of(const PbOffer *offer) {
    const PbPlace *place = offer->case_view != NULL ? offer->case_view->place : NULL;
    return place != NULL && place->has_wall ? place->wall : WALL_UNKNOWN;
}

/* CAUSE_NONE: it stays. The wall comes first: who is responsible is a property of the place. */
static PbCause cause_to_send_up(const struct row *row, const PbOffer *offer) {
    if (row->inside_only && wall_of(offer) == WALL_OUTSIDE)
        return CAUSE_OUTSIDE_WALL;
    if (offer->has_duty_level && offer->duty_level > row->level)
        return CAUSE_NOT_OUR_DUTY;
    return CAUSE_NONE;
}

/* ---- who is asked ------------------------------------------------------------------------------------------------ */

static bool already_named(const struct desk_decision *d, const char *party) {
    for (unsigned i = 0; i < d->parties_count; i++)
        if (strcmp(d->parties[i], party) == 0)
            return true;
    return false;
}

static void name(struct desk_decision *d, const char *party) {
    if (d->parties_count < DESK_PARTIES_MAX && !already_named(d, party))
        d->parties[d->parties_count++] = party;
}

/* A party is written role@division. */
static bool plays(const PbCandidate *c, const char *role) {
    size_t len = strlen(role);
    return strncmp(c->party, role, len) == 0 && c->party[len] == '@';
}

static bool may_be_asked(const PbCandidate *c, PbRoleKind kind, bool again) {
    return c->party != NULL && c->has_kind && c->kind == kind && (again || !c->has_tried || !c->tried);
}

/* role NULL: whatever its role is. */
static void name_candidates(struct desk_decision *d, const PbOffer *offer, PbRoleKind kind, const char *role,
                            bool again) {
    for (size_t i = 0; i < offer->n_candidates; i++) {
        const PbCandidate *c = offer->candidates[i];
        if (may_be_asked(c, kind, again) && (role == NULL || plays(c, role)))
            name(d, c->party);
    }
}

/* Departments only as the duty row names them, and in its order: its first is the lead. */
static void name_step(struct desk_decision *d, const PbOffer *offer, const struct step *step) {
    CHECK(step->kind != ROLE_OTHER && d->parties_count == 0);
    if (step->kind == ROLE_DEPARTMENT) {
        for (size_t i = 0; i < offer->n_duty_roles; i++)
            name_candidates(d, offer, step->kind, offer->duty_roles[i], false);
    } else {
        name_candidates(d, offer, step->kind, NULL, false);
    }
    if (!step->together && d->parties_count > 1)
        d->parties_count = 1;
}

/* ---- after a return ---------------------------------------------------------------------------------------------- */

static const PbCandidate *candidate_of(const PbOffer *offer, const char *party) {
    for (size_t i = 0; party != NULL && i < offer->n_candidates; i++)
        if (offer->candidates[i]->party != NULL && strcmp(offer->candidates[i]->party, party) == 0)
            return offer->candidates[i];
    return NULL;
}

static bool has_duty(const PbOffer *offer, const PbCandidate *c) {
    for (size_t i = 0; i < offer->n_duty_roles; i++)
        if (plays(c, offer->duty_roles[i]))
            return true;
    return false;
}

/* Of the desks among the candidates the lowest: its division has the most digits. */
static const PbCandidate *territory_of(const PbOffer *offer) {
    const PbCandidate *lowest = NULL;
    size_t digits = 0;
    for (size_t i = 0; i < offer->n_candidates; i++) {
        const PbCandidate *c = offer->candidates[i];
        const char *at = may_be_asked(c, ROLE_DESK, true) ? memchr(c->party, '@', strlen(c->party)) : NULL;
        if (at != NULL && strlen(at) > digits)
            digits = strlen(at), lowest = c;
    }
    return lowest;
}

/* false: it did not come back, or that names nobody; the table goes on. */
static bool decide_return(struct desk_decision *d, const PbOffer *offer) {
    bool ruling = offer->has_arbitrating && offer->arbitrating;
    const PbCandidate *proposed = candidate_of(offer, offer->proposed), *chosen = proposed;
    if (ruling && (proposed == NULL || !has_duty(offer, proposed)))
        chosen = territory_of(offer);
    if (!ruling && proposed != NULL && proposed->has_tried && proposed->tried)
        chosen = NULL;
    if (chosen == NULL)
        return false;
    *d = (struct desk_decision){.verb = DESK_DISPATCH, .cause = CAUSE_DUTY};
    name(d, chosen->party);
    return true;
}

/* ---- the decision ------------------------------------------------------------------------------------------------ */

void desk_decide(PbLevel level, const PbOffer *offer, struct desk_decision *ret) {
    const struct row *row = row_of(level);
    CHECK(row != NULL && offer != NULL);
    bool last_rung = offer->has_last_rung && offer->last_rung;

    if (decide_return(ret, offer))
        return;
    *ret = (struct desk_decision){.verb = DESK_ESCALATE, .cause = cause_to_send_up(row, offer)};
    if (ret->cause != CAUSE_NONE && !last_rung)
        return;

    for (size_t i = 0; i < STEPS_MAX && row->steps[i].kind != ROLE_OTHER && ret->parties_count == 0; i++)
        name_step(ret, offer, &row->steps[i]);
    if (ret->parties_count == 0 && last_rung) {
        name_candidates(ret, offer, ROLE_DESK, NULL, true);
        ret->parties_count = ret->parties_count > 0;
        ret->verb = DESK_RETRY;
    }
    ret->cause = CAUSE_NOBODY_TO_ASK;
    if (ret->parties_count > 0) {
        ret->verb = DESK_DISPATCH;
        ret->cause = CAUSE_DUTY;
    }
    CHECK(ret->verb == DESK_DISPATCH || ret->parties_count == 0);
}
