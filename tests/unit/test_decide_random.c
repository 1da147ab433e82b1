/* A long life: random orders to many cases, by anybody, at any time, with every law asserted at every step. The seed is
 * printed first; SEED=n and STEPS=n repeat or lengthen it; DEAR=n asserts what costs most at every n-th step only. */
#include "tests/unit/story.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HOUR_MS 3600000LL
#define DAY_MS  (24 * HOUR_MS)
#ifdef __SANITIZE_ADDRESS__
#define STEPS_USUAL 400000
#else
#define STEPS_USUAL 2000000
#endif

#define STEPS_ENOUGH 2000000                      /* to have seen everything, the rarest some ten times */

enum { CASES = 64, PARTIES_MAX = 16, STAGES_OF_STORIES = 4 };

/* A case, and where its cursor has been: what was asked there and is over never becomes good again. */
static struct life {
    struct case_state state;
    PbAnswerKind mood;                            /* what its parties say most often */
    bool strict;                                  /* its verifiers are never content */
    bool been[STAGES_OF_STORIES + 1][ATTEMPT_MAX + 1];
} lives[CASES];

static struct {
    uint64_t dice;
    int64_t now_ms;
    const PbRules *rules, *versions[2];           /* the rules are the same; the calendars of every second differ */
    uint32_t version;                             /* in force */
    uint8_t memory[64 << 10];
    struct arena room;
    const struct life *life;                      /* whose step it is, and which order */
    enum order_kind order;
    uint64_t serial, steps, made, closed, refused, late, attempts;
} w;

/* ---- dice -------------------------------------------------------------------------------------------------------- */

static uint32_t below(uint32_t n) {
    w.dice ^= w.dice << 13, w.dice ^= w.dice >> 7, w.dice ^= w.dice << 17;
    return (uint32_t)(w.dice >> 32) % n;
}

static bool one_in(uint32_t n) {
    return below(n) == 0;
}

static char *any_party(void) {
    if (one_in(64)) return one_in(2) ? NULL : (char *)"mayor@610402";
    return w.rules->parties[below((uint32_t)w.rules->n_parties)]->party;
}

/* Mostly one that there is; at times one that there is not. */
static uint32_t any_enum(uint32_t last) {
    return !one_in(32) ? below(last + 1) : one_in(2) ? last + 1 : (uint32_t)INT32_MAX;
}

/* Mostly what it is, at times something near. */
static uint32_t about(uint32_t n) {
    return one_in(24) ? below(5) : n;
}

/* ---- one step ---------------------------------------------------------------------------------------------------- */

static void check_cursor(struct life *l, const struct case_state *before) {
    const struct case_state *c = &l->state;
    CHECK(c->offer_ready_ms >= before->offer_ready_ms);
    if (before->id && before->stage == c->stage && before->attempt == c->attempt) return;
    CHECK(c->stage <= STAGES_OF_STORIES && !l->been[c->stage][c->attempt]);
    l->been[c->stage][c->attempt] = true;
}

static const PbRules *rules_of(uint32_t number) {
    return w.versions[number % COUNT_OF(w.versions)];
}

/* The case that this one was merged into; when its life has been given to another since, what it was would do as well:
 * one that has ended. */
static const struct case_state *master_of(const struct case_state *c) {
    static struct case_state gone;
    for (size_t i = 0; i < CASES; i++)
        if (lives[i].state.id == c->more.master) return &lives[i].state;
    gone = (struct case_state){ .id = c->more.master, .state = STATE_CLOSED };
    return &gone;
}

static PbRefusal give(struct life *l, const struct order *order) {
    static struct case_state before;
    struct decision d;
    arena_wrap(&w.room, w.memory, sizeof w.memory);
    const struct case_state *c = &l->state, *other = &lives[below(CASES)].state;
    if (order->kind == ORDER_SPLIT) other = master_of(c);
    uint32_t rules = c->id ? c->rules : w.version;
    struct decide_input in = {
        .state = c, .rules = rules_of(rules), .rules_number = rules, .now_ms = w.now_ms, .source = SLICE("uid:1000"),
        .calendar_rules = c->more.calendar_rules ? rules_of(c->more.calendar_rules) : NULL,
        .rules_now = rules_of(w.version), .rules_now_number = w.version, .day_number = 1, .slot = 7,
        .other = other && other->id && other != c ? other : NULL, .known = one_in(64), .has_followers = one_in(8),
        .in_batch = one_in(4), .batch_confirmed = !one_in(4), .room = &w.room,
        .by = one_in(16) ? SLICE("") : one_in(2) ? SLICE("0017") : SLICE("0018"),
        .origin = one_in(2) ? SLICE("city") : SLICE(""),
    };
    if (order->kind == ORDER_MERGE) ((PbMerge *)order->merge)->master = in.other ? in.other->id : 0;
    before = l->state;
    w.life = l, w.order = order->kind;
    lawful_step(&in, order, &l->state, &d);
    w.steps++;
    w.refused += d.refusal != 0;
    if (!d.refusal) check_cursor(l, &before);
    w.closed += !d.refusal && case_open(&before) && !case_open(&l->state);
    if (l->state.attempt > w.attempts) w.attempts = l->state.attempt;
    return d.refusal;
}

/* Whatever is due fires, in order; then the case has a future. */
static void fire_due(struct life *l) {
    const struct timer *t;
    while ((t = first_timer(&l->state)) && t->due_ms <= w.now_ms) {
        struct order o = { .kind = ORDER_DEADLINE };
        o.deadline.kind = (PbTimerKind)t->kind;
        w.late += t->due_ms < w.now_ms;
        CHECK(give(l, &o) == REFUSED_NOTHING);
    }
    CHECK(!case_open(&l->state) || (t && t->due_ms > w.now_ms));
}

static size_t some_parties(PbAskedParty *asked, PbAskedParty **list) {
    size_t count = one_in(16) ? below(PARTIES_MAX + 1) : 1 + below(3);
    uint32_t from = below((uint32_t)w.rules->n_parties), lead = below(4);
    for (size_t i = 0; i < count; i++) {
        char *next = w.rules->parties[(from + i) % w.rules->n_parties]->party;
        asked[i] = (PbAskedParty){ .party = one_in(48) ? any_party() : next, .has_lead = 1, .lead = i == lead };
        list[i] = &asked[i];
    }
    return count;
}

static void make_import(struct life *l, PbReport *r) {
    PbAskedParty asked[PARTIES_MAX], *list[PARTIES_MAX];
    PbImport i = { .report = r, .state = (PbState)any_enum(STATE_HANDLING), .parties = list };
    r->external_id = (char *)(one_in(16) ? NULL : "12345-7");
    i.opened_at_ms = one_in(16) ? 0 : w.now_ms - (int64_t)below(1000) * HOUR_MS;
    if (one_in(2)) i.has_level = 1, i.level = (PbLevel)any_enum(LEVEL_CITY);
    if (i.state > STATE_ACCEPTED) i.n_parties = some_parties(asked, list);
    if (one_in(2)) i.has_asked_at_ms = 1, i.asked_at_ms = w.now_ms - (int64_t)below(500) * HOUR_MS;
    if (one_in(2)) i.has_handling_due_ms = 1, i.handling_due_ms = w.now_ms + ((int64_t)below(400) - 99) * HOUR_MS;
    if (one_in(2)) i.has_promise_due_ms = 1, i.promise_due_ms = w.now_ms + ((int64_t)below(400) - 99) * HOUR_MS;
    w.made += give(l, &(struct order){ .kind = ORDER_IMPORT, .import = &i }) == REFUSED_NOTHING;
}

static void make_case(struct life *l) {
    memset(l, 0, sizeof *l);
    l->state.last_seq = ++w.serial * 1000000;
    l->strict = one_in(4);
    l->mood = one_in(2) ? ANSWER_DONE : (PbAnswerKind)(ANSWER_ACCEPT + below(4));
    uint64_t division = w.rules->divisions[below((uint32_t)w.rules->n_divisions)]->code;
    PbPlace place = { .has_division = 1, .division = one_in(64) ? 6104 : division, .wall = (PbWall)below(3) };
    PbReport r = { .place = &place, .category = w.rules->categories[below((uint32_t)w.rules->n_categories)]->code };
    if (one_in(4)) r.has_promise_ms = 1, r.promise_ms = (int64_t)below(10) * DAY_MS * (one_in(8) ? 0 : 1);
    if (one_in(8)) r.has_occurred_at_ms = 1, r.occurred_at_ms = w.now_ms + (int64_t)below(48) * HOUR_MS;
    r.has_ask_me = 1, r.ask_me = one_in(2);
    if (one_in(2)) r.reporter = any_party();
    if (one_in(16)) return make_import(l, &r);
    PbSelfHandle h = { .report = &r, .party = any_party() };
    struct order report = { .kind = ORDER_REPORT, .report = &r };
    struct order by_himself = { .kind = ORDER_SELF_HANDLE, .self_handle = &h };
    w.made += give(l, one_in(8) ? &by_himself : &report) == REFUSED_NOTHING;
}

static void give_answer(struct life *l) {
    static uint8_t sha[32];
    static PbEvidence photo = { .has_sha256 = 1, .sha256 = { sizeof sha, sha } }, *evidence[] = { &photo };
    const struct case_state *c = &l->state;
    PbAnswer a = { .party = any_party(), .stage = about(c->stage), .attempt = about(c->attempt), .has_kind = 1 };
    if (c->asks_count && !one_in(16)) {
        const struct ask *ask = &c->asks[one_in(2) ? below(c->asks_count) : c->asks_count - 1u];
        a.party = (char *)ask->party, a.stage = about(ask->stage), a.attempt = about(ask->attempt);
    }
    a.kind = one_in(2) ? l->mood : (PbAnswerKind)(ANSWER_ACCEPT + below(4));
    if (l->strict && c->state == STATE_RESOLVED) a.kind = ANSWER_DECLINE;
    if (one_in(64)) a.kind = (PbAnswerKind)any_enum(ANSWER_PLEDGE);
    if (!one_in(16)) a.proposed = any_party(), a.text = (char *)"not ours";
    if (!one_in(16)) a.n_evidence = 1, a.evidence = evidence;
    const PbCategory *g = rules_category(w.rules, slice_of(c->category));
    if (g && g->n_milestones && one_in(3)) {
        uint32_t next = one_in(4) ? below((uint32_t)g->n_milestones) : c->milestones_done;
        if (next < g->n_milestones) a.milestone = g->milestones[next]->name;
    }
    give(l, &(struct order){ .kind = ORDER_ANSWER, .answer = &a });
}

static void give_dispatch(struct life *l) {
    PbAskedParty asked[PARTIES_MAX], *list[PARTIES_MAX];
    PbDispatch d = { .stage = about(l->state.stage), .attempt = about(l->state.attempt), .parties = list };
    d.n_parties = some_parties(asked, list);
    give(l, &(struct order){ .kind = ORDER_DISPATCH, .dispatch = &d });
}

static void give_desk_word(struct life *l) {
    const struct case_state *c = &l->state;
    uint32_t stage = about(c->stage), attempt = about(c->attempt);
    PbAccept accept = { .party = one_in(2) ? any_party() : NULL };
    PbReject reject = { .stage = stage, .attempt = attempt, .cause = (PbCause)(CAUSE_OUT_OF_SCOPE - 1 + below(5)) };
    PbEscalate up = { .stage = stage, .attempt = attempt, .party = one_in(2) ? any_party() : NULL };
    if (one_in(2)) up.has_cause = 1, up.cause = (PbCause)below(CAUSE_ELSEWHERE + 1);
    PbNote n = { .party = one_in(2) ? any_party() : NULL, .text = (char *)(one_in(8) ? "" : "so it is") };
    switch (below(16)) {
    case 0: case 1: give(l, &(struct order){ .kind = ORDER_REJECT, .reject = &reject }); break;
    case 2: case 3: give(l, &(struct order){ .kind = ORDER_ESCALATE, .escalate = &up }); break;
    case 4: give(l, &(struct order){ .kind = ORDER_LATER }); break;
    case 5: case 6: give(l, &(struct order){ .kind = ORDER_NOTE, .note = &n }); break;
    default: give(l, &(struct order){ .kind = ORDER_ACCEPT, .accept = &accept });
    }
}

static void give_offer_end(struct life *l) {
    struct order o = { .kind = ORDER_OFFER_FAILED };
    o.offer_failed.stage = about(l->state.stage);
    o.offer_failed.attempt = about(l->state.attempt);
    o.offer_failed.tries = about(l->state.offer_tries);
    o.offer_failed.how = (PbOfferEnd)below(OFFER_LATE + 1);
    o.offer_failed.retry_ms = (int64_t)below(100000);
    give(l, &o);
}

/* ---- the ways off the main way ----------------------------------------------------------------------------------- */

#define GIVE(kind_of, member, type, ...) \
    give(l, &(struct order){ .kind = ORDER_##kind_of, .member = &(type){ __VA_ARGS__ } })
#define CURSOR .stage = about(l->state.stage), .attempt = about(l->state.attempt)

/* A desk over the place, at its level or above; at times anybody. */
static char *a_leader(const struct case_state *c) {
    static char party[PARTY_BYTES_MAX + 1];
    PbLevel at = (PbLevel)(c->level + below(2));
    const PbRole *role = rules_role_of_kind(w.rules, one_in(3) ? ROLE_GRID_LEADER : ROLE_DESK, at);
    uint64_t division = c->id ? division_at_level(w.rules, c->division, at, w.now_ms) : 0;
    if (one_in(6) || !role || !division) return any_party();
    party_print(party, role->slug, division);
    return party;
}

static void give_leader_word(struct life *l) {
    const struct case_state *c = &l->state;
    PbLimit limit = { .has_unit = 1, .unit = (PbUnit)any_enum(UNIT_MONTHS), .has_amount = 1 };
    limit.amount = (int64_t)below(9) - 1;
    PbLimit *more = one_in(2) ? &limit : NULL;
    char *asked = c->asks_count ? (char *)c->asks[c->asks_count - 1].party : any_party();
    PbCause why = (PbCause)(CAUSE_ENGINEERING + below(6) - one_in(8));
    int64_t review_ms = w.now_ms + (int64_t)below(100) * DAY_MS;
    switch (below(8)) {
    case 0: case 1: GIVE(ASK_EXTENSION, ask_extension, PbAskExtension, .party = asked, .limit = more); break;
    case 2: case 3: GIVE(DECIDE_EXTENSION, decide_extension, PbDecideExtension, .party = a_leader(c),
                         .has_grant = !one_in(16), .grant = !one_in(4)); break;
    case 4: GIVE(SUSPEND, suspend, PbSuspend, .party = a_leader(c), .cause = why, .review_ms = review_ms); break;
    case 5: GIVE(RESUME, resume, PbResume, .party = a_leader(c)); break;
    case 6: GIVE(REMIND, remind, PbRemind, .party = a_leader(c)); break;
    default: GIVE(SUPERVISE, supervise, PbSupervise, .party = a_leader(c));
    }
}

static void give_reassign(struct life *l) {
    PbAskedParty asked[PARTIES_MAX], *list[PARTIES_MAX];
    PbReassign d = { CURSOR, .parties = list };
    d.n_parties = some_parties(asked, list);
    give(l, &(struct order){ .kind = ORDER_REASSIGN, .reassign = &d });
}

static void give_hand_over(struct life *l) {
    const struct case_state *c = &l->state;
    char *from = c->asks_count && !one_in(8) ? (char *)c->asks[below(c->asks_count)].party : any_party();
    GIVE(HAND_OVER, hand_over, PbHandOver, .from = from, .to = any_party());
}

static void give_delegate(struct life *l) {
    uint64_t division = w.rules->divisions[below((uint32_t)w.rules->n_divisions)]->code;
    GIVE(DELEGATE, delegate, PbDelegate, CURSOR, .has_to_level = 1, .to_level = (PbLevel)any_enum(LEVEL_DISTRICT),
         .has_division = one_in(3), .division = division, .party = one_in(2) ? any_party() : NULL);
}

static char *who_reported(const struct case_state *c) {
    return one_in(4) ? any_party() : c->reporter[0] ? (char *)c->reporter : NULL;
}

/* Back to life, or off the way in a manner that can be taken back. */
static void give_way(struct life *l) {
    const struct case_state *c = &l->state;
    switch (below(8)) {
    case 0: GIVE(APPEAL, appeal, PbAppeal, .party = who_reported(c)); break;
    case 1: GIVE(MERGE, merge, PbMerge, .party = one_in(2) ? any_party() : NULL); break;
    case 2: case 3: GIVE(SPLIT, split, PbSplit, .party = one_in(2) ? any_party() : NULL); break;
    case 4: GIVE(FOLLOW_UP, follow_up, PbFollowUp, .party = who_reported(c), .solved = (PbOpinion)any_enum(OPINION_NO),
                 .satisfied = (PbOpinion)any_enum(OPINION_NO)); break;
    case 5: GIVE(ESCALATE, escalate, PbEscalate, CURSOR, .has_to_level = 1, .to_level = (PbLevel)any_enum(LEVEL_CITY));
        break;
    default: GIVE(REOPEN, reopen, PbReopen, .reporter = one_in(2), .party = one_in(2) ? who_reported(c) : a_leader(c));
    }
}

/* What ends a case, mostly for good. */
static void give_end(struct life *l) {
    struct order archive = { .kind = ORDER_ARCHIVE };
    archive.archive.ended_before_ms = w.now_ms + (one_in(8) ? 1 : 0);
    switch (below(8)) {
    case 0: GIVE(WITHDRAW, withdraw, PbWithdraw, .party = who_reported(&l->state)); break;
    case 1: GIVE(TRANSFER, transfer, PbTransfer, .authority = (PbAuthority)any_enum(AUTHORITY_OTHER)); break;
    case 2: GIVE(ACKNOWLEDGE_TRANSFER, acknowledge_transfer, PbAcknowledgeTransfer,
                 .external_id = (char *)(one_in(8) ? NULL : one_in(8) ? "no good" : "110-9")); break;
    case 3: case 4: GIVE(VOID, void_case, PbVoidCase, .text = NULL); break;
    case 5: GIVE(CLOSE, close_case, PbCloseCase, .text = NULL); break;
    default: if (one_in(4) || case_open(&l->state)) give(l, &archive);
    }
}

static void give_correction(struct life *l) {
    PbPlace place = { .has_division = one_in(2), .has_wall = 1, .wall = (PbWall)below(3), .has_lon_e7 = one_in(3) };
    place.division = w.rules->divisions[below((uint32_t)w.rules->n_divisions)]->code;
    place.has_lat_e7 = place.has_lon_e7 ^ one_in(16);
    PbCorrect c = { .party = one_in(2) ? any_party() : NULL, .place = one_in(2) ? &place : NULL };
    if (one_in(2)) c.category = w.rules->categories[below((uint32_t)w.rules->n_categories)]->code;
    if (one_in(32)) c.category = (char *)"weather";
    if (one_in(3)) c.has_urgency = 1, c.urgency = (PbUrgency)any_enum(URGENCY_IV);
    give(l, &(struct order){ .kind = ORDER_CORRECT, .correct = &c });
}

static void give_care(struct life *l) {
    w.version += one_in(64);
    switch (below(8)) {
    case 0: case 1: give_correction(l); break;
    case 2: GIVE(MOVE, move_case, PbMoveCase, .has_case_id = 1); break;
    case 3: give(l, &(struct order){ .kind = ORDER_RECOMPUTE }); break;
    case 4: GIVE(RETRY_DEAD, retry_dead, PbRetryDead, .has_case_id = 1); break;
    case 5: GIVE(DROP_DEAD, drop_dead, PbDropDead, .has_case_id = 1); break;
    default: give_hand_over(l);
    }
}

static void give_detour(struct life *l) {
    static void (*const gives[])(struct life *) = {
        give_leader_word, give_leader_word, give_leader_word, give_reassign, give_delegate, give_way, give_way,
        give_care, give_care, give_care,
    };
    const struct case_state *c = &l->state;
    const unsigned seldom = 1u << STATE_SUSPENDED | 1u << STATE_FOLLOWUP | 1u << STATE_TRANSFERRED;
    if (c->state == STATE_REJECTED && one_in(4)) GIVE(APPEAL, appeal, PbAppeal, .party = who_reported(c));
    if (c->more.extension_amount && one_in(2))
        GIVE(DECIDE_EXTENSION, decide_extension, PbDecideExtension, .party = a_leader(c), .has_grant = 1, .grant = 1);
    for (unsigned i = 0; i < 4 && c->state == STATE_REPORTED && one_in(2); i++) {
        if (one_in(2)) GIVE(WITHDRAW, withdraw, PbWithdraw, .party = who_reported(c));
        give_end(l), give_offer_end(l);
    }
    for (unsigned i = 0; i < 8 && !case_open(c) && one_in(2); i++) {
        give_leader_word(l), give_reassign(l), give_care(l), give_desk_word(l);
        if (c->state == STATE_ARCHIVED) give_end(l);
    }
    if (c->state == STATE_TRANSFERRED && one_in(4))
        GIVE(ACKNOWLEDGE_TRANSFER, acknowledge_transfer, PbAcknowledgeTransfer, .external_id = (char *)"110-9");
    if (c->offer_dead && one_in(4)) GIVE(RETRY_DEAD, retry_dead, PbRetryDead, .has_case_id = 1);
    if (c->offer_dead && one_in(4)) GIVE(DROP_DEAD, drop_dead, PbDropDead, .has_case_id = 1);
    uint32_t odds = !case_open(c) ? 2 : seldom & 1u << c->state ? 4 : 24;
    if (one_in(odds)) return one_in(2) ? give_end(l) : give_way(l);
    gives[below(COUNT_OF(gives))](l);
}

static void give_deadline(struct life *l) {
    struct order o = { .kind = ORDER_DEADLINE };
    o.deadline.kind = (PbTimerKind)(TIMER_DESK + below(TIMER_TRANSFER));
    give(l, &o);
}

static void time_passes(const struct case_state *c) {
    const struct timer *t = first_timer(c);
    switch (below(8)) {
    case 0: w.now_ms += (int64_t)below((uint32_t)HOUR_MS); break;
    case 1: if (one_in(16)) w.now_ms += (int64_t)below((uint32_t)(5 * DAY_MS)); break;
    case 2: case 3:
        if (t && t->due_ms > w.now_ms && (t->due_ms < w.now_ms + DAY_MS || one_in(32)))
            w.now_ms = t->due_ms - below(2) + below(2);           /* just before, at, or just after it */
        break;
    default: break;
    }
}

static void one_step(void) {
    static void (*const gives[])(struct life *) = {
        give_answer, give_answer, give_answer, give_answer, give_dispatch, give_dispatch, give_dispatch, give_desk_word,
        give_offer_end, give_deadline, give_detour, give_detour, give_detour, give_detour,
    };
    struct life *l = &lives[below(CASES)];
    if (!l->state.id || (!case_open(&l->state) && one_in(8)) || one_in(256)) return make_case(l);
    time_passes(&l->state);
    if (!one_in(16)) fire_due(l);
    if (one_in(64)) {                                             /* a report where there is a case already */
        static const PbReport report;
        static const PbSelfHandle deed;
        give(l, &(struct order){ .kind = ORDER_REPORT, .report = &report });
        static const PbImport import;
        give(l, &(struct order){ .kind = ORDER_SELF_HANDLE, .self_handle = &deed });
        give(l, &(struct order){ .kind = ORDER_IMPORT, .import = &import });
    }
    gives[below(COUNT_OF(gives))](l);
}

/* Orders to a case that is none: only those that make one happen. */
static void nothing_happens_to_a_case_that_is_none(void) {
    static struct life none;
    give_answer(&none), give_dispatch(&none), give_offer_end(&none), give_deadline(&none);
    for (unsigned i = 0; i < 1000; i++) {
        give_desk_word(&none), give_leader_word(&none), give_reassign(&none), give_hand_over(&none);
        give_delegate(&none), give_way(&none), give_end(&none), give_care(&none);
    }
    CHECK(none.state.id == 0);
}

/* Which step it was: the same seed leads there again. */
static void broken(const char *what, const char *file, int line) {
    print_error("%s:%d: CHECK(%s) does not hold at step %" PRIu64 ": %s in %s\n", file, line, what, w.steps,
                order_name(w.order), state_name((PbState)w.life->state.state));
    const struct case_state *c = &w.life->state;
    for (unsigned i = 0; i < c->asks_count; i++)
        print_error("%s %u/%u %u%s\n", c->asks[i].party, c->asks[i].stage, c->asks[i].attempt, c->asks[i].status,
                    c->asks[i].lead ? "*" : "");
}

/* ---- what was seen ----------------------------------------------------------------------------------------------- */

/* Where which deadline can be armed: none, reported, accepted, dispatched, handling, resolved, closed, rejected,
 * suspended, followup, merged, withdrawn, void, transferred, archived. */
static const char *const armed[] = {
    [TIMER_DESK]     = ".++............", [TIMER_ACCEPT]   = "...+...........", [TIMER_REMIND]    = "...+++.........",
    [TIMER_HANDLING] = "..+++..........", [TIMER_PROMISE]  = ".++++..........", [TIMER_VERIFY]    = ".....+.........",
    [TIMER_REVIEW]   = "........+......", [TIMER_FOLLOWUP] = ".........+.....", [TIMER_SUPERVISE] = ".+++++.......+.",
    [TIMER_TRANSFER] = ".............+.",
};

/* A refusal that any order may have, or that the arrows of lifecycle.c name. */
static bool refusal_is_said(PbRefusal refusal) {
    static const PbRefusal of_any[] = {
        REFUSED_FIELD_MISSING, REFUSED_FIELD_RANGE, REFUSED_TEXT_TOO_LONG, REFUSED_BAD_TEXT, REFUSED_UNKNOWN_PARTY,
        REFUSED_NO_SUCH_CASE, REFUSED_CASE_CLOSED, REFUSED_WRONG_STATE, REFUSED_WRONG_STAGE, REFUSED_NOT_YET,
        REFUSED_TOO_EARLY, REFUSED_NO_SUCH_TIMER, REFUSED_TOO_MANY_ASKS, REFUSED_BATCH_NOT_CONFIRMED,
    };
    for (size_t i = 0; i < COUNT_OF(of_any); i++)
        if (of_any[i] == refusal) return true;
    for (unsigned i = 0; i < arrows_count; i++)
        for (const struct guard *g = arrows[i].guards; g < arrows[i].guards + ARROW_GUARDS_MAX && g->refusal; g++)
            if (g->refusal == refusal) return true;
    return false;
}

static void everything_was_seen(void) {
    unsigned unseen = 0;
    for (unsigned kind = 0; kind < ORDER_COUNT; kind++)
        for (unsigned state = 0; state <= STATE_ARCHIVED; state++)
            if (!lawful_seen.cell[kind][state])
                unseen++, print_error("%s never met %s\n", order_name(kind), state_name((PbState)state));
    for (unsigned i = 0; i < arrows_count; i++)
        for (unsigned state = 0; state <= STATE_ARCHIVED; state++)
            if (arrows[i].from & 1u << state && !lawful_seen.arrow[i][state])
                unseen++, print_error("row %u: %s never happened in %s\n", arrows[i].row,
                                      event_name(&(PbEvent){ .event_case = (PbEvent__EventCase)arrows[i].event }),
                                      state_name((PbState)state));
    for (unsigned kind = TIMER_DESK; kind <= TIMER_TRANSFER; kind++)
        for (unsigned state = 0; state <= STATE_ARCHIVED; state++)
            if ((armed[kind][state] == '+') != (lawful_seen.fired[kind][state] > 0))
                unseen++, print_error("timer %u fired %" PRIu64 " times in %s\n", kind, lawful_seen.fired[kind][state],
                                      state_name((PbState)state));
    for (unsigned kind = 0; kind < ORDER_COUNT; kind++)
        for (unsigned refusal = 1; refusal < SEEN_REFUSALS; refusal++)
            if (lawful_seen.refused[kind][refusal] && !refusal_is_said((PbRefusal)refusal))
                unseen++, print_error("%s is refused %u, which no guard says\n", order_name(kind), refusal);
    assert_int_equal(unseen, 0);
}

/* A long life leaves the calendar behind after some 25 million steps: long before, its cases are forgotten and time
 * begins anew. */
#define LIFE_ENDS_MS 95617584000000LL             /* 5000-01-01 */

static void life_begins(void) {
    memset(lives, 0, sizeof lives);
    w.now_ms = FIXTURE_MONDAY_MS;
}

static void no_law_is_broken_in_a_long_life(void **state) {
    (void)state;
    const char *seed = getenv("SEED"), *steps = getenv("STEPS"), *dear = getenv("DEAR");
    uint64_t most = STEPS_USUAL;
    w.dice = 20260302;
    if (seed) assert_true(parse_u64(slice_of(seed), &w.dice) && w.dice != 0);
    if (steps) assert_true(parse_u64(slice_of(steps), &most));
    if (dear) assert_true(parse_u64(slice_of(dear), &lawful_dear) && lawful_dear != 0);
    print_message("SEED=%" PRIu64 " STEPS=%" PRIu64 "\n", w.dice, most);
    check_hook = broken;
    w.rules = w.versions[1] = story_rules();
    w.versions[0] = story_rules_later();
    w.version = 1;
    life_begins();
    int64_t began_ns = clock_mono_ns();
    nothing_happens_to_a_case_that_is_none();
    for (; w.steps < most; one_step())
        if (w.now_ms > LIFE_ENDS_MS) life_begins();
    double seconds = (double)(clock_mono_ns() - began_ns) / 1e9;
    char end[32];
    instant_print(w.now_ms, end);
    print_message("steps=%" PRIu64 " cases=%" PRIu64 " closed=%" PRIu64 " refused=%" PRIu64 " late=%" PRIu64
                  " attempts<=%" PRIu64 " until %s in %.2f s: %.0f steps/s with all laws\n", w.steps, w.made, w.closed,
                  w.refused, w.late, w.attempts, end, seconds, (double)w.steps / seconds);
    if (most >= STEPS_ENOUGH) everything_was_seen();
}

/* ---- how fast it is without the laws ----------------------------------------------------------------------------- */

/* The life of most cases: reported, dispatched, accepted, done, verified. */
static void one_ordinary_case(struct case_state *c) {
    PbPlace place = { .has_division = 1, .division = FIXTURE_GRID };
    PbReport r = { .place = &place, .category = (char *)"rubbish" };
    PbAskedParty asked = { .party = (char *)"grid-worker@610402006001001" }, *parties[] = { &asked };
    PbDispatch d = { .stage = 1, .attempt = 1, .n_parties = 1, .parties = parties };
    PbAnswer accept = { .party = asked.party, .stage = 1, .attempt = 1, .has_kind = 1, .kind = ANSWER_ACCEPT };
    PbAnswer done = accept, fine = accept;
    done.kind = fine.kind = ANSWER_DONE;
    fine.party = (char *)"community-desk@610402006001", fine.stage = 4;
    const struct order orders[] = {
        { .kind = ORDER_REPORT, .report = &r }, { .kind = ORDER_DISPATCH, .dispatch = &d },
        { .kind = ORDER_ANSWER, .answer = &accept }, { .kind = ORDER_ANSWER, .answer = &done },
        { .kind = ORDER_ANSWER, .answer = &fine },
    };
    memset(c, 0, sizeof *c);
    for (size_t i = 0; i < COUNT_OF(orders); i++) {
        struct decision decision;
        arena_wrap(&w.room, w.memory, sizeof w.memory);
        struct decide_input in = { .state = c, .rules = w.rules, .rules_number = 1, .now_ms = FIXTURE_MONDAY_MS,
                                   .day_number = 1, .slot = 7, .room = &w.room };
        decide(&in, &orders[i], &decision);
        CHECK(!decision.refusal);
        for (uint32_t e = 0; e < decision.count; e++)
            evolve(c, decision.events[e], c->last_seq + 1, FIXTURE_MONDAY_MS);
        case_check(c);
    }
}

static void an_ordinary_case_is_decided_fast(void **state) {
    (void)state;
    enum { TIMES = 20000, STEPS_OF_ONE = 5 };
    static struct case_state c;
    w.rules = story_rules();
    int64_t began_ns = clock_mono_ns();
    for (unsigned i = 0; i < TIMES; i++) one_ordinary_case(&c);
    double seconds = (double)(clock_mono_ns() - began_ns) / 1e9;
    assert_int_equal(c.state, STATE_CLOSED);
    print_message("decide + evolve + case_check: %.0f steps/s\n", TIMES * STEPS_OF_ONE / seconds);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_law_is_broken_in_a_long_life),
        cmocka_unit_test(an_ordinary_case_is_decided_fast),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
