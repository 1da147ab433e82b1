/* offer.c: what an offer says. Everything a desk needs to decide, so that its worker keeps no state: the case, the duty
 * row of its category at this side of the wall, and the parties this level may ask, with those that were tried. */
#include "daemon/gates/pool_internal.h"

#include <errno.h>
#include <string.h>

enum { CANDIDATES_MAX = 24 };

/* Asked before in this stage and not asked any more: it declined, or the desk was reopened over it. */
static bool tried(const struct case_state *c, const char *party) {
    for (unsigned i = 0; i < c->asks_count; i++)
        if (c->asks[i].stage == c->stage && c->asks[i].attempt < c->attempt && strcmp(c->asks[i].party, party) == 0)
            return true;
    return false;
}

struct candidates {
    const PbRules *rules;
    const struct case_state *c;
    int64_t now_ms;
    struct arena *room;
    PbOffer *offer;
};

static void candidate(struct candidates *x, const PbRole *role, uint64_t division) {
    char name[PARTY_BYTES_MAX + 1];
    if (!role || !division || x->offer->n_candidates == CANDIDATES_MAX) return;
    party_print(name, role->slug, division);
    const PbParty *party = rules_party(x->rules, slice_of(name), x->now_ms);
    if (!party) return;
    for (size_t i = 0; i < x->offer->n_candidates; i++)
        if (x->offer->candidates[i]->party == party->party) return;       /* named already, by another way */
    PbCandidate *to = x->offer->candidates[x->offer->n_candidates++] = arena_must(x->room, sizeof *to);
    to->party = party->party;
    to->name_zh = party->name_zh;
    SET(to, kind, role->kind);
    if (tried(x->c, name)) SET(to, tried, true);
}

/* The departments that the duty row names, at this level or below it. */
static void candidate_departments(struct candidates *x, const PbDuty *duty, PbLevel level, uint64_t desk) {
    for (size_t i = 0; duty && i < duty->n_roles; i++) {
        const PbRole *role = rules_role(x->rules, slice_of(duty->roles[i]));
        if (!role || role->level > level) continue;
        uint64_t at = role->level == level ? desk : division_at_level(x->rules, x->c->division, role->level, x->now_ms);
        candidate(x, role, at);
    }
}

/* Whom the last return named, up to this level; the duty row need not name it. */
static void candidate_proposed(struct candidates *x, PbLevel level) {
    struct slice slug;
    uint64_t at;
    const char *party = x->c->more.proposed;
    if (!party[0] || !party_split(slice_of(party), &slug, &at)) return;
    const PbRole *role = rules_role(x->rules, slug);
    if (role && division_level(at) <= level) candidate(x, role, at);
}

/* 属地兜底: whose it is when it is nobody's, the desk one level below the one that rules. */
static void candidate_territory(struct candidates *x, PbLevel level) {
    if (level <= LEVEL_COMMUNITY) return;
    PbLevel below = (PbLevel)(level - 1);
    candidate(x, rules_role_of_kind(x->rules, ROLE_DESK, below),
              division_at_level(x->rules, x->c->division, below, x->now_ms));
}

static void candidates_of(struct candidates *x, const PbDuty *duty, PbLevel level) {
    uint64_t desk = division_at_level(x->rules, x->c->division, level, x->now_ms),
             grid = division_cut(x->c->division, 15);
    x->offer->candidates = arena_must(x->room, CANDIDATES_MAX * sizeof *x->offer->candidates);
    if (level == LEVEL_COMMUNITY) {
        candidate(x, rules_role_of_kind(x->rules, ROLE_GRID_WORKER, LEVEL_GRID), grid);
        candidate(x, rules_role_of_kind(x->rules, ROLE_GRID_LEADER, LEVEL_COMMUNITY), desk);
    } else {
        candidate_departments(x, duty, level, desk);
        candidate(x, rules_role_of_kind(x->rules, ROLE_OUTER_WORKER, level), desk);
    }
    candidate(x, rules_role_of_kind(x->rules, ROLE_DESK, level), desk);
    candidate_proposed(x, level);
    if (x->c->more.arbitrating) candidate_territory(x, level);
}

/* What a desk needs to know of a return before it decides: who, whom they named, and whether this is to be a ruling. */
static void say_return(const struct case_state *c, PbOffer *o) {
    if (!c->more.returned && !c->more.arbitrating) return;
    const struct ask *last = NULL;
    for (unsigned i = 0; i < c->asks_count; i++)
        if (c->asks[i].status == ASK_RETURNED && (!last || c->asks[i].answered_at_ms >= last->answered_at_ms))
            last = &c->asks[i];
    o->returned_by = last ? (char *)last->party : NULL;       /* the case outlives its offer's packing */
    o->proposed = c->more.proposed[0] ? (char *)c->more.proposed : NULL;
    if (c->more.arbitrating) SET(o, arbitrating, true);
}

static int offer_make(struct pool *p, const struct case_state *c, const struct lease *l, int64_t now_ms,
                      struct arena *room, PbOffer **ret) {
    const PbRules *rules = NULL;
    PbCaseView *view = NULL;
    int r = store_rules(p->store, c->rules, &rules);
    if (r == 0) r = view_case(p->store, c, false, room, &view);
    if (r < 0) return r;
    const PbCategory *g = rules_category(rules, slice_of(c->category));
    const PbStage *stage = rules->playbooks[c->playbook - 1]->stages[c->stage - 1];
    const PbDuty *duty = c->wall == WALL_OUTSIDE ? g->outside : g->inside;
    PbOffer *o = arena_must(room, sizeof *o);
    o->token = arena_must(room, sizeof *o->token);
    *o->token = lease_token(p, l);
    SET(o, lease_ms, (uint32_t)p->options.lease_ms);
    o->case_view = view;
    SET(o, desk_level, (PbLevel)c->level);
    SET(o, duty_level, duty ? duty->level : LEVEL_COMMUNITY);
    SET(o, last_rung, stage->on_overdue == 0);
    SET(o, now_ms, now_ms);
    if (duty) o->n_duty_roles = duty->n_roles, o->duty_roles = duty->roles;
    struct candidates x = { .rules = rules, .c = c, .now_ms = now_ms, .room = room, .offer = o };
    candidates_of(&x, duty, (PbLevel)c->level);
    say_return(c, o);
    *ret = o;
    return 0;
}

int pool_offer(struct pool *p, struct worker *w, const struct lease *l, int64_t now_ms, struct arena *room) {
    static struct case_state c;                               /* one thread; too large for the stack of a loop */
    size_t mark = room->used;
    int r = store_case(p->store, l->case_id, &c);
    if (r < 0) return r;
    if (c.stage != l->stage || c.attempt != l->attempt || c.offer_tries != l->tries) return -EBADMSG;
    PbPoolFrame frame = { .pool_says_case = POOL_SAYS_OFFER };
    r = offer_make(p, &c, l, now_ms, room, &frame.offer);
    if (r < 0) return r;
    struct slice bytes = codec_packed(CODEC_POOL_FRAME, &frame, room);
    CHECK(bytes.at);
    r = wire_send(p->socket, w->peer, &bytes, 1);
    room->used = mark;                                        /* an offer's parts live only until it is sent */
    return r == 0;
}
