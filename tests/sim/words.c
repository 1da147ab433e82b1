/* words.c: what can be said to the broker: every command of the protocol, mostly as it is meant. */
#include "tests/sim/actors.h"
#include "tests/unit/rules_fixture.h"

#include <stdio.h>
#include <string.h>

static struct arena *room;

static uint64_t roll(const struct actor *a, uint64_t sides) {
    return actor_roll(a, sides);
}

/* ---- what is said: reports --------------------------------------------------------------------------------------- */

static const uint64_t places[] = {FIXTURE_GRID, FIXTURE_GRID2, 610402006002001ULL, 610402006002002ULL,
                                  FIXTURE_COMMUNITY, FIXTURE_COMMUNITY2, FIXTURE_STREET};
static const char *const categories[] = {"lamp", "rubbish", "stall"};
static const char *const parties[] = {
    "community-desk@610402006001", "community-desk@610402006002", "district-desk@610402", "greenery@610402",
    "grid-leader@610402006001", "grid-worker@610402006001001", "grid-worker@610402006001002",
    "grid-worker@610402006002001", "lighting@610402", "outer-worker@610402006", "street-desk@610402006",
    "verifier@610402006", "nobody@610402",
};
#define ANY(a, list) ((char *)list[roll(a, COUNT_OF(list))])

static void *made(size_t size) {
    return arena_must(room, size);
}

static PbReport *a_report(const struct actor *a) {
    PbReport *r = made(sizeof *r);
    PbPlace *p = r->place = made(sizeof *p);
    SET(p, division, places[roll(a, COUNT_OF(places))]);
    if (roll(a, 2)) SET(p, wall, (PbWall)roll(a, 3));
    if (roll(a, 4) == 0) SET(p, lon_e7, 1087000000), SET(p, lat_e7, 343000000);
    r->category = ANY(a, categories);
    if (roll(a, 3) == 0) r->text = (char *)"水管爆了 a burst pipe";
    if (roll(a, 8) == 0) r->address = (char *)"3 号楼";
    if (roll(a, 4) == 0) SET(r, promise_ms, (int64_t)roll(a, 5 * 86400000));
    if (roll(a, 3) == 0) SET(r, ask_me, true);
    if (roll(a, 20) == 0) SET(r, exercise, true);
    if (roll(a, 4) == 0) r->reporter = (char *)"grid-worker@610402006001001";
    if (actor_chance(a, swarm.wrong)) r->category = (char *)"no such thing";
    if (actor_chance(a, swarm.wrong)) p->division = roll(a, 1000000);
    return r;
}

static void say_report(const struct actor *a, PbEnvelope *e) {
    if (roll(a, 4)) {
        e->command_case = COMMAND_REPORT;
        e->report = a_report(a);
        return;
    }
    PbSelfHandle *h = made(sizeof *h);
    h->report = a_report(a);
    h->party = (char *)"grid-worker@610402006001001";
    h->report->place->division = FIXTURE_GRID;
    if (roll(a, 2)) h->report->category = (char *)"rubbish";
    h->text = (char *)"扫了";
    e->command_case = COMMAND_SELF_HANDLE;
    e->self_handle = h;
}

/* ---- what is said: the rest of a case's way ---------------------------------------------------------------------- */

/* Somebody of whom something is open here, or anybody. */
static char *somebody(const struct actor *a, const struct case_state *c) {
    for (unsigned i = 0; i < c->asks_count && roll(a, 8); i++) {
        const struct ask *k = &c->asks[(i + roll(a, 16)) % c->asks_count];
        if (ask_is_open(k)) return (char *)k->party;
    }
    return ANY(a, parties);
}

static void say_answer(const struct actor *a, const struct case_state *c, PbEnvelope *e) {
    PbAnswer *w = made(sizeof *w);
    const struct ask *k = c->asks_count ? &c->asks[roll(a, c->asks_count)] : NULL;
    SET(w, case_id, c->id);
    SET(w, stage, k ? k->stage : c->stage);
    SET(w, attempt, k ? k->attempt : c->attempt);
    w->party = k ? (char *)k->party : ANY(a, parties);
    static const PbAnswerKind kinds[] = {ANSWER_ACCEPT, ANSWER_DONE, ANSWER_DONE, ANSWER_DECLINE, ANSWER_RETURN};
    SET(w, kind, kinds[roll(a, COUNT_OF(kinds))]);
    static const char *const milestones[] = {"stop", "penalise", "demolish"};
    if (roll(a, 3) == 0) w->milestone = ANY(a, milestones);
    if (w->kind == ANSWER_RETURN) w->proposed = ANY(a, parties), w->text = (char *)"不归我们管";
    e->command_case = COMMAND_ANSWER;
    e->answer = w;
}

#define SAY(name, CASE, type) \
    type *w = made(sizeof *w); \
    SET(w, case_id, c->id); \
    e->command_case = CASE; \
    e->name = w

static void say_dispatch(const struct actor *a, const struct case_state *c, PbEnvelope *e) {
    SAY(dispatch, COMMAND_DISPATCH, PbDispatch);
    SET(w, stage, c->stage);
    SET(w, attempt, c->attempt);
    w->n_parties = 1 + roll(a, 3);
    w->parties = made(w->n_parties * sizeof *w->parties);
    for (size_t i = 0; i < w->n_parties; i++) {
        w->parties[i] = made(sizeof *w->parties[i]);
        w->parties[i]->party = ANY(a, parties);
    }
}

static void say_reassign(const struct actor *a, const struct case_state *c, PbEnvelope *e) {
    say_dispatch(a, c, e);
    PbDispatch *d = e->dispatch;
    SAY(reassign, COMMAND_REASSIGN, PbReassign);
    SET(w, stage, d->stage);
    SET(w, attempt, d->attempt);
    w->n_parties = d->n_parties;
    w->parties = d->parties;
}

static void say_escalate(const struct actor *a, const struct case_state *c, PbEnvelope *e) {
    SAY(escalate, COMMAND_ESCALATE, PbEscalate);
    SET(w, stage, c->stage);
    SET(w, attempt, c->attempt);
    if (roll(a, 3) == 0) SET(w, to_level, (PbLevel)roll(a, 6));
}

static void say_delegate(const struct actor *a, const struct case_state *c, PbEnvelope *e) {
    SAY(delegate, COMMAND_DELEGATE, PbDelegate);
    SET(w, stage, c->stage);
    SET(w, attempt, c->attempt);
    SET(w, to_level, (PbLevel)(LEVEL_COMMUNITY + roll(a, 2)));
    if (roll(a, 2)) SET(w, division, places[roll(a, COUNT_OF(places))]);
}

static void say_accept(const struct actor *a, const struct case_state *c, PbEnvelope *e) {
    SAY(accept, COMMAND_ACCEPT, PbAccept);
    w->party = roll(a, 2) ? (char *)"community-desk@610402006001" : NULL;
}

static void say_reject(const struct actor *a, const struct case_state *c, PbEnvelope *e) {
    SAY(reject, COMMAND_REJECT, PbReject);
    SET(w, stage, c->stage);
    SET(w, attempt, c->attempt);
    SET(w, cause, (PbCause)(CAUSE_OUT_OF_SCOPE + (int)roll(a, 4)));
}

static void say_appeal(const struct actor *a, const struct case_state *c, PbEnvelope *e) {
    (void)a;
    SAY(appeal, COMMAND_APPEAL, PbAppeal);
    w->text = (char *)"不服";
}

static void say_merge(const struct actor *a, const struct case_state *c, PbEnvelope *e) {
    SAY(merge, COMMAND_MERGE, PbMerge);
    SET(w, master, oracle_case((unsigned)roll(a, oracle_cases()))->state.id);
}

static void say_split(const struct actor *a, const struct case_state *c, PbEnvelope *e) {
    (void)a;
    SAY(split, COMMAND_SPLIT, PbSplit);
}

/* Half the time the one into which somebody was merged last, if that is open; else the one at hand. */
static const struct case_state *a_master(const struct actor *a, const struct case_state *c) {
    unsigned i = oracle_cases();
    while (i > 0 && oracle_case(i - 1)->state.state != STATE_MERGED) i--;
    const struct case_state *follower = i > 0 && roll(a, 2) ? &oracle_case(i - 1)->state : NULL;
    for (unsigned k = 0; follower && k < oracle_cases(); k++) {
        const struct case_state *master = &oracle_case(k)->state;
        if (master->id == follower->more.master && case_open(master)) return master;
    }
    return c;
}

static void say_withdraw(const struct actor *a, const struct case_state *c, PbEnvelope *e) {
    c = a_master(a, c);
    SAY(withdraw, COMMAND_WITHDRAW, PbWithdraw);
}

static void say_ask_extension(const struct actor *a, const struct case_state *c, PbEnvelope *e) {
    SAY(ask_extension, COMMAND_ASK_EXTENSION, PbAskExtension);
    w->party = somebody(a, c);
    if (roll(a, 2)) {
        w->limit = made(sizeof *w->limit);
        SET(w->limit, unit, (PbUnit)(1 + roll(a, 5)));
        SET(w->limit, amount, 1 + (int64_t)roll(a, 10));
    }
}

static void say_decide_extension(const struct actor *a, const struct case_state *c, PbEnvelope *e) {
    SAY(decide_extension, COMMAND_DECIDE_EXTENSION, PbDecideExtension);
    w->party = ANY(a, parties);
    SET(w, grant, roll(a, 3) != 0);
}

static void say_suspend(const struct actor *a, const struct case_state *c, PbEnvelope *e) {
    SAY(suspend, COMMAND_SUSPEND, PbSuspend);
    w->party = ANY(a, parties);
    SET(w, cause, (PbCause)(CAUSE_ENGINEERING + (int)roll(a, 5)));
    SET(w, review_ms, broker_now_ms() + (int64_t)roll(a, 40LL * 86400000));
}

static void say_resume(const struct actor *a, const struct case_state *c, PbEnvelope *e) {
    SAY(resume, COMMAND_RESUME, PbResume);
    w->party = ANY(a, parties);
}

static void say_remind(const struct actor *a, const struct case_state *c, PbEnvelope *e) {
    SAY(remind, COMMAND_REMIND, PbRemind);
    w->party = ANY(a, parties);
}

static void say_supervise(const struct actor *a, const struct case_state *c, PbEnvelope *e) {
    SAY(supervise, COMMAND_SUPERVISE, PbSupervise);
    w->party = ANY(a, parties);
}

static void say_hand_over(const struct actor *a, const struct case_state *c, PbEnvelope *e) {
    SAY(hand_over, COMMAND_HAND_OVER, PbHandOver);
    w->from = somebody(a, c);
    w->to = ANY(a, parties);
}

static void say_follow_up(const struct actor *a, const struct case_state *c, PbEnvelope *e) {
    SAY(follow_up, COMMAND_FOLLOW_UP, PbFollowUp);
    SET(w, solved, (PbOpinion)roll(a, 3));
    SET(w, satisfied, (PbOpinion)roll(a, 3));
}

static void say_reopen(const struct actor *a, const struct case_state *c, PbEnvelope *e) {
    SAY(reopen, COMMAND_REOPEN, PbReopen);
    if (roll(a, 2)) SET(w, reporter, true);
    else w->party = ANY(a, parties);
}

static void say_transfer(const struct actor *a, const struct case_state *c, PbEnvelope *e) {
    SAY(transfer, COMMAND_TRANSFER, PbTransfer);
    SET(w, authority, (PbAuthority)roll(a, 9));
}

static void say_acknowledge(const struct actor *a, const struct case_state *c, PbEnvelope *e) {
    (void)a;
    SAY(acknowledge_transfer, COMMAND_ACKNOWLEDGE_TRANSFER, PbAcknowledgeTransfer);
    w->external_id = (char *)"110-2026-17";
}

static void say_void(const struct actor *a, const struct case_state *c, PbEnvelope *e) {
    c = a_master(a, c);
    SAY(void_case, COMMAND_VOID_CASE, PbVoidCase);
    static const char *const clerks[] = {"a.1", "b.2"};
    e->by = ANY(a, clerks);
    w->text = (char *)"测试数据";
}

static void say_correct(const struct actor *a, const struct case_state *c, PbEnvelope *e) {
    SAY(correct, COMMAND_CORRECT, PbCorrect);
    if (roll(a, 2)) w->category = ANY(a, categories);
    if (roll(a, 2)) {
        w->place = made(sizeof *w->place);
        SET(w->place, division, places[roll(a, COUNT_OF(places))]);
    }
    if (roll(a, 3) == 0) SET(w, urgency, (PbUrgency)(1 + roll(a, 4)));
}

static void say_note(const struct actor *a, const struct case_state *c, PbEnvelope *e) {
    (void)a;
    SAY(note, COMMAND_NOTE, PbNote);
    w->text = (char *)"现场有人看守";
}

static void say_retry_dead(const struct actor *a, const struct case_state *c, PbEnvelope *e) {
    if (roll(a, 2)) {
        SAY(retry_dead, COMMAND_RETRY_DEAD, PbRetryDead);
    } else {
        SAY(drop_dead, COMMAND_DROP_DEAD, PbDropDead);
    }
}

static void say_move(const struct actor *a, const struct case_state *c, PbEnvelope *e) {
    (void)a;
    SAY(move_case, COMMAND_MOVE_CASE, PbMoveCase);
}

static void say_close(const struct actor *a, const struct case_state *c, PbEnvelope *e) {
    (void)a;
    SAY(close_case, COMMAND_CLOSE_CASE, PbCloseCase);
    w->text = (char *)"已查实";
}

static void say_later(const struct actor *a, const struct case_state *c, PbEnvelope *e) {
    (void)a;
    SAY(later, COMMAND_LATER, PbLater);
}

/* What the case waits for: its asks are answered, the last verified; without any, somebody is asked. */
static void say_next(const struct actor *a, const struct case_state *c, PbEnvelope *e) {
    const struct ask *k = NULL;
    for (unsigned i = 0; i < c->asks_count; i++)
        if (ask_is_open(&c->asks[i]) && (!k || roll(a, 2))) k = &c->asks[i];
    if (!k) return c->state < STATE_DISPATCHED ? say_dispatch(a, c, e) : say_follow_up(a, c, e);
    SAY(answer, COMMAND_ANSWER, PbAnswer);
    SET(w, stage, k->stage);
    SET(w, attempt, k->attempt);
    SET(w, kind, roll(a, 8) ? ANSWER_DONE : ANSWER_DECLINE);
    w->party = (char *)k->party;
}

/* Weights: the main way is walked far more often than the ways round it. */
static const struct { unsigned weight; void (*say)(const struct actor *a, const struct case_state *c, PbEnvelope *e); }
words[] = {
    {40, say_next}, {25, say_answer}, {12, say_dispatch}, {3, say_reassign}, {3, say_escalate}, {4, say_delegate},
    {2, say_accept},
    {2, say_reject}, {2, say_appeal}, {3, say_merge}, {1, say_split}, {1, say_withdraw}, {5, say_ask_extension},
    {3, say_decide_extension}, {2, say_suspend}, {2, say_resume}, {1, say_remind}, {1, say_supervise},
    {2, say_hand_over}, {2, say_follow_up}, {2, say_reopen}, {1, say_transfer}, {1, say_acknowledge}, {2, say_void},
    {2, say_correct}, {2, say_note}, {1, say_retry_dead}, {1, say_move}, {1, say_close}, {1, say_later},
};

/* One of the last forty cases, or at times any. */
static const struct case_state *some_case(const struct actor *a) {
    unsigned cases = oracle_cases(), recent = cases < 40 ? cases : 40;
    if (roll(a, 20) == 0) return &oracle_case((unsigned)roll(a, cases))->state;
    return &oracle_case(cases - 1 - (unsigned)roll(a, recent))->state;
}

static void say_something(const struct actor *a, PbEnvelope *e) {
    unsigned all = 0, i = 0;
    const struct case_state *c = some_case(a);
    for (unsigned k = 0; k < COUNT_OF(words); k++) all += words[k].weight;
    unsigned at = (unsigned)roll(a, all);
    while (at >= words[i].weight) at -= words[i++].weight;
    words[i].say(a, c, e);
}

/* ---- batches ----------------------------------------------------------------------------------------------------- */

static const char *const staff[] = {"a.1", "b.2", "c.3"};
static const struct { PbBatchVerb verb; void (*say)(const struct actor *a, const struct case_state *c, PbEnvelope *e); }
many[] = {
    {BATCH_REASSIGN, say_reassign}, {BATCH_CLOSE, say_close}, {BATCH_VOID, say_void}, {BATCH_CORRECT, say_correct},
    {BATCH_HAND_OVER, say_hand_over}, {BATCH_MOVE, say_move},
};

/* The plan that lies between the two who work on a batch; nobody knows for certain how far it has come. */
static struct { uint8_t id[COMMAND_ID_SIZE], digest[32]; unsigned verb, left; bool there; } plan;

static void ask_batch(const struct actor *a, const uint8_t id[16], PbEnvelope *e) {
    PbAskBatch *w = made(sizeof *w);
    memcpy(plan.id, id, sizeof plan.id);
    plan.verb = (unsigned)roll(a, COUNT_OF(many));
    plan.left = 2 + (unsigned)roll(a, 12);
    plan.there = true;
    for (size_t i = 0; i < sizeof plan.digest; i++) plan.digest[i] = (uint8_t)roll(a, 256);
    SET(w, verb, many[plan.verb].verb);
    SET(w, cases, 1 + (uint32_t)roll(a, plan.left));
    SET(w, digest, ((ProtobufCBinaryData){sizeof plan.digest, plan.digest}));
    e->command_case = COMMAND_ASK_BATCH;
    e->ask_batch = w;
}

static void say_batch(const struct actor *a, const uint8_t id[16], PbEnvelope *e) {
    e->by = ANY(a, staff);
    if (!plan.there || plan.left == 0) return ask_batch(a, id, e);
    ProtobufCBinaryData batch = {sizeof plan.id, plan.id};
    if (roll(a, 4) == 0) {
        PbConfirmBatch *w = made(sizeof *w);
        SET(w, batch, batch);
        SET(w, digest, ((ProtobufCBinaryData){sizeof plan.digest, plan.digest}));
        e->command_case = COMMAND_CONFIRM_BATCH;
        e->confirm_batch = w;
        return;
    }
    plan.left--;
    many[plan.verb].say(a, some_case(a), e);
    SET(e, batch, batch);
}

/* ---- what comes from elsewhere, what concerns the broker, what is only asked ------------------------------------- */

static void say_import(const struct actor *a, PbEnvelope *e) {
    PbImport *w = made(sizeof *w);
    char *external_id = made(EXTERNAL_ID_BYTES_MAX + 1);
    int64_t now_ms = broker_now_ms();
    w->report = a_report(a);
    snprintf(external_id, EXTERNAL_ID_BYTES_MAX, "%u", (unsigned)roll(a, 300));
    w->report->external_id = external_id;
    SET(w, opened_at_ms, now_ms - (int64_t)roll(a, 60 * 86400) * 1000);
    SET(w, state, (PbState)(STATE_REPORTED + (int)roll(a, 4)));
    if (roll(a, 2)) SET(w, level, (PbLevel)(LEVEL_COMMUNITY + (int)roll(a, 3)));
    if (w->state > STATE_ACCEPTED) {
        w->n_parties = 1;
        w->parties = made(sizeof *w->parties);
        w->parties[0] = made(sizeof *w->parties[0]);
        w->parties[0]->party = ANY(a, parties);
    }
    if (roll(a, 2)) SET(w, asked_at_ms, w->opened_at_ms + (int64_t)roll(a, 86400000));
    if (roll(a, 2)) SET(w, handling_due_ms, now_ms + (int64_t)roll(a, 10 * 86400000) - 2 * 86400000);
    if (roll(a, 2)) SET(w, promise_due_ms, now_ms + (int64_t)roll(a, 10 * 86400000) - 2 * 86400000);
    e->origin = (char *)"city";
    e->command_case = COMMAND_IMPORT_CASE;
    e->import_case = w;
}

static void say_of_broker(const struct actor *a, PbEnvelope *e) {
    PbRecompute *recompute = made(sizeof *recompute);
    PbReload *reload = made(sizeof *reload);
    PbDrain *drain = made(sizeof *drain);
    e->by = ANY(a, staff);
    switch (roll(a, 8)) {
    case 0:
        SET(drain, on, roll(a, 4) == 0);          /* it is rather taken back than begun */
        e->command_case = COMMAND_DRAIN, e->drain = drain;
        break;
    case 1: case 2: case 3:
        if (roll(a, 3) == 0) SET(reload, dry_run, true);
        e->command_case = COMMAND_RELOAD, e->reload = reload;
        break;
    default:
        if (roll(a, 3) == 0) SET(recompute, dry_run, true);
        e->command_case = COMMAND_RECOMPUTE, e->recompute = recompute;
    }
}

static void say_question(const struct actor *a, PbEnvelope *e) {
    PbShowCase *show = made(sizeof *show);
    switch (roll(a, 5)) {
    case 0: e->command_case = COMMAND_LIST_CASES, e->list_cases = made(sizeof *e->list_cases); break;
    case 1: e->command_case = COMMAND_ASK_STATUS, e->ask_status = made(sizeof *e->ask_status); break;
    case 2: e->command_case = COMMAND_LIST_DEAD, e->list_dead = made(sizeof *e->list_dead); break;
    case 3:
        e->command_case = COMMAND_SHOW_INBOX, e->show_inbox = made(sizeof *e->show_inbox);
        e->show_inbox->party = ANY(a, parties);
        break;
    default:
        SET(show, case_id, some_case(a)->id);
        e->command_case = COMMAND_SHOW_CASE, e->show_case = show;
    }
}

/* ---- who keeps at one thing -------------------------------------------------------------------------------------- */

static bool waits_for_time(const struct case_state *c) {
    return c->state == STATE_HANDLING && (c->more.extension_amount || !c->more.extensions);
}

/* Those who handle it want more time, and somebody above them gives it, mostly. */
static void want_more_time(const struct actor *a, const struct case_state *c, PbEnvelope *e) {
    static const char *const above[] = {"community-desk@610402006001", "street-desk@610402006", "district-desk@610402"};
    if (!c->more.extension_amount) return say_ask_extension(a, c, e);
    say_decide_extension(a, c, e);
    e->decide_extension->party = ANY(a, above);
}

static const struct ask *asked_first(const struct case_state *c) {
    for (unsigned i = 0; i < c->asks_count; i++)
        if (ask_at_cursor(c, &c->asks[i]) && ask_is_open(&c->asks[i]) && c->asks[i].lead) return &c->asks[i];
    return NULL;
}

static bool goes_to_and_fro(const struct case_state *c) {
    return c->state == STATE_ACCEPTED || (asked_first(c) && c->state != STATE_RESOLVED);
}

/* "Not ours", whoever rules that it is; and they are asked again. */
static void send_back(const struct actor *a, const struct case_state *c, PbEnvelope *e) {
    const struct ask *k = asked_first(c);
    if (!k) return say_dispatch(a, c, e);
    say_answer(a, c, e);
    SET(e->answer, stage, k->stage);
    SET(e->answer, attempt, k->attempt);
    SET(e->answer, kind, ANSWER_RETURN);
    e->answer->party = (char *)k->party;
    e->answer->milestone = NULL;
    e->answer->proposed = (char *)"greenery@610402";
    e->answer->text = (char *)"不归我们管";
}

static bool was_asked(const struct case_state *c) {
    return c->asks_count > 0;
}

/* An app whose button makes a new command every time. */
static void say_it_again(const struct actor *a, const struct case_state *c, PbEnvelope *e) {
    const struct ask *k = &c->asks[0];
    (void)a;
    SAY(answer, COMMAND_ANSWER, PbAnswer);
    SET(w, stage, k->stage);
    SET(w, attempt, k->attempt);
    SET(w, kind, ANSWER_ACCEPT);
    w->party = (char *)k->party;
}

static bool somebody_else_reported(const struct case_state *c) {
    return c->reporter[0] != 0;
}

static void meddle(const struct actor *a, const struct case_state *c, PbEnvelope *e) {
    char *neighbour = (char *)"grid-worker@610402006001002";
    switch (roll(a, 4)) {
    case 0: say_withdraw(a, c, e), e->withdraw->party = neighbour; break;
    case 1: say_follow_up(a, c, e), e->follow_up->party = neighbour; break;
    case 2: say_appeal(a, c, e), e->appeal->party = neighbour; break;
    default: say_reopen(a, c, e), SET(e->reopen, reporter, true), e->reopen->party = neighbour;
    }
}

/* Of one case, so often, while it fits; then of the youngest that does, or of one of those before. */
static const struct {
    unsigned times;
    bool (*fits)(const struct case_state *c);
    void (*say)(const struct actor *a, const struct case_state *c, PbEnvelope *e);
} habits[] = {
    [HABIT_MORE_TIME] = {12, waits_for_time, want_more_time}, [HABIT_SENDS_BACK] = {60, goes_to_and_fro, send_back},
    [HABIT_SAYS_AGAIN] = {40, was_asked, say_it_again}, [HABIT_MEDDLES] = {4, somebody_else_reported, meddle},
};

static void say_as_always(struct actor *a, PbEnvelope *e) {
    const struct case_state *c = NULL;
    bool (*fits)(const struct case_state *c) = habits[swarm.habit].fits;
    for (unsigned i = oracle_cases(); i-- > 0 && !(c && c->id == a->about);) {
        const struct case_state *other = &oracle_case(i)->state;
        bool same = other->id == a->about && a->times < habits[swarm.habit].times;
        if (fits(other) && (same || !c || roll(a, 4) == 0)) c = other;
        if (oracle_cases() - i > 100) break;
    }
    if (!c) return say_question(a, e);
    if (c->id != a->about) a->about = c->id, a->times = 0;
    a->times++;
    habits[swarm.habit].say(a, c, e);
}

void words_say(struct actor *a, struct arena *in, const uint8_t id[16], PbEnvelope *e) {
    room = in;
    if (oracle_cases() == 0) say_report(a, e);
    else if (a->kind == INSISTENT) say_as_always(a, e);
    else if (roll(a, 50) == 0) say_question(a, e);
    else if (a->kind == REPORTER) say_report(a, e);
    else if (actor_chance(a, swarm.batches)) say_batch(a, id, e);
    else if (actor_chance(a, swarm.imports)) say_import(a, e);
    else if (actor_chance(a, swarm.rules)) say_of_broker(a, e);
    else say_something(a, e);
}
