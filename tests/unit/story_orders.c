/* story_orders.c: what can be said to the case of a story. */
#include "tests/unit/story_internal.h"

#include <string.h>

#define w story_world

enum { NAMES_MAX = 16 };

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
    PbSelfHandle h = { .report = &r, .party = party ? (char *)story_party(party) : NULL };
    story_order(&(struct order){ .kind = ORDER_SELF_HANDLE, .self_handle = &h });
}

/* "lighting greenery": whoever is named there, the first as the lead. */
static size_t asked_of(const char *parties, PbAskedParty *asked, PbAskedParty **list) {
    static char names[NAMES_MAX][PARTY_BYTES_MAX + 1];
    size_t count = 0;
    while (*parties) {
        char role[PARTY_BYTES_MAX + 1];
        size_t len = strcspn(parties, " ");
        CHECK(count < NAMES_MAX && len < sizeof role);
        memcpy(role, parties, len);
        role[len] = '\0';
        memcpy(names[count], story_party(role), strlen(story_party(role)) + 1);
        asked[count] = (PbAskedParty){ .party = names[count] };
        list[count] = &asked[count];
        count++;
        parties += len + (parties[len] == ' ');
    }
    return count;
}

void dispatch_for(const char *parties, uint32_t stage, uint32_t attempt) {
    PbAskedParty asked[NAMES_MAX], *list[NAMES_MAX];
    PbDispatch d = { .has_stage = 1, .stage = stage, .has_attempt = 1, .attempt = attempt, .parties = list };
    d.n_parties = asked_of(parties, asked, list);
    story_order(&(struct order){ .kind = ORDER_DISPATCH, .dispatch = &d });
}

void dispatch(const char *parties) {
    dispatch_for(parties, w.state.stage, w.state.attempt);
}

void reassign(const char *parties) {
    PbAskedParty asked[NAMES_MAX], *list[NAMES_MAX];
    PbReassign d = { .stage = w.state.stage, .attempt = w.state.attempt, .parties = list };
    d.n_parties = asked_of(parties, asked, list);
    story_order(&(struct order){ .kind = ORDER_REASSIGN, .reassign = &d });
}

void reassign_for(const char *parties, uint32_t stage, uint32_t attempt) {
    PbAskedParty asked[NAMES_MAX], *list[NAMES_MAX];
    PbReassign d = { .stage = stage, .attempt = attempt, .parties = list };
    d.n_parties = asked_of(parties, asked, list);
    story_order(&(struct order){ .kind = ORDER_REASSIGN, .reassign = &d });
}

void answer_with(const PbAnswer *a) {
    story_order(&(struct order){ .kind = ORDER_ANSWER, .answer = a });
}

static void answer_named(const char *party, PbAnswerKind kind, uint32_t stage, uint32_t attempt, const char *name) {
    PbAnswer a = {
        .party = party ? (char *)story_party(party) : NULL, .has_kind = 1, .kind = kind, .has_stage = 1, .stage = stage,
        .has_attempt = 1, .attempt = attempt, .milestone = (char *)name,
    };
    answer_with(&a);
}

static void answer_last(const char *party, PbAnswerKind kind, const char *name) {
    uint32_t stage = w.state.stage, attempt = w.state.attempt;
    for (unsigned i = 0; i < w.state.asks_count; i++)
        if (strcmp(w.state.asks[i].party, story_party(party)) == 0)
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

/* ---- the ways off the main way ----------------------------------------------------------------------------------- */

#define TEXT(plain) (char *)(plain)

static char *party_or_none(const char *role) {
    static char names[4][PARTY_BYTES_MAX + 1];
    static unsigned turn;
    if (!role) return NULL;
    char *to = names[turn++ % COUNT_OF(names)];
    size_t size = strlen(story_party(role)) + 1;
    CHECK(size <= sizeof names[0]);
    return memcpy(to, story_party(role), size);
}

void give_back(const char *party, const char *proposed, const char *why) {
    uint32_t stage = w.state.stage, attempt = w.state.attempt;
    for (unsigned i = 0; i < w.state.asks_count; i++)
        if (strcmp(w.state.asks[i].party, story_party(party)) == 0)
            stage = w.state.asks[i].stage, attempt = w.state.asks[i].attempt;
    PbAnswer a = {
        .party = party_or_none(party), .has_kind = 1, .kind = ANSWER_RETURN, .stage = stage, .attempt = attempt,
        .proposed = party_or_none(proposed), .text = TEXT(why),
    };
    answer_with(&a);
}

#define GIVE(kind_of, member, type, ...) \
    story_order(&(struct order){ .kind = ORDER_##kind_of, .member = &(type){ __VA_ARGS__ } })

void appeal(const char *party) {
    GIVE(APPEAL, appeal, PbAppeal, .party = party_or_none(party));
}

void merge_into(uint64_t master) {
    GIVE(MERGE, merge, PbMerge, .master = master);
}

void split(void) {
    GIVE(SPLIT, split, PbSplit, .party = NULL);
}

void withdraw(const char *party) {
    GIVE(WITHDRAW, withdraw, PbWithdraw, .party = party_or_none(party));
}

void escalate_to(PbLevel level) {
    GIVE(ESCALATE, escalate, PbEscalate, .stage = w.state.stage, .attempt = w.state.attempt, .has_to_level = 1,
         .to_level = level);
}

void delegate_for(PbLevel level, uint64_t division, uint32_t stage, uint32_t attempt) {
    GIVE(DELEGATE, delegate, PbDelegate, .stage = stage, .attempt = attempt, .has_to_level = 1, .to_level = level,
         .has_division = division != 0, .division = division);
}

void delegate(PbLevel level) {
    delegate_for(level, 0, w.state.stage, w.state.attempt);
}

void ask_extension(const char *party, const PbLimit *limit) {
    GIVE(ASK_EXTENSION, ask_extension, PbAskExtension, .party = party_or_none(party), .limit = (PbLimit *)limit);
}

void decide_on_extension(const char *party, bool grant) {
    GIVE(DECIDE_EXTENSION, decide_extension, PbDecideExtension, .party = party_or_none(party), .has_grant = 1,
         .grant = grant);
}

void suspend(const char *party, PbCause cause, const char *review) {
    GIVE(SUSPEND, suspend, PbSuspend, .party = party_or_none(party), .cause = cause,
         .review_ms = story_instant(review));
}

void resume_by(const char *party) {
    GIVE(RESUME, resume, PbResume, .party = party_or_none(party));
}

void remind_by(const char *party) {
    GIVE(REMIND, remind, PbRemind, .party = party_or_none(party));
}

void supervise_by(const char *party) {
    GIVE(SUPERVISE, supervise, PbSupervise, .party = party_or_none(party));
}

void hand_over(const char *from, const char *to) {
    GIVE(HAND_OVER, hand_over, PbHandOver, .from = party_or_none(from), .to = party_or_none(to));
}

void follow_up(const char *party, PbOpinion solved, PbOpinion satisfied) {
    GIVE(FOLLOW_UP, follow_up, PbFollowUp, .party = party_or_none(party), .solved = solved, .satisfied = satisfied);
}

void reopen_by(const char *party) {
    GIVE(REOPEN, reopen, PbReopen, .party = party_or_none(party));
}

void reopen_by_reporter(const char *party) {
    GIVE(REOPEN, reopen, PbReopen, .party = party_or_none(party), .reporter = 1);
}

void transfer(PbAuthority authority) {
    GIVE(TRANSFER, transfer, PbTransfer, .authority = authority);
}

void acknowledge_transfer(const char *external_id) {
    GIVE(ACKNOWLEDGE_TRANSFER, acknowledge_transfer, PbAcknowledgeTransfer, .external_id = TEXT(external_id));
}

void void_case(void) {
    GIVE(VOID, void_case, PbVoidCase, .text = NULL);
}

void close_case_of_batch(void) {
    GIVE(CLOSE, close_case, PbCloseCase, .text = NULL);
}

void correct_with(const PbCorrect *given) {
    story_order(&(struct order){ .kind = ORDER_CORRECT, .correct = given });
}

void correct_category(const char *category) {
    correct_with(&(PbCorrect){ .category = TEXT(category) });
}

void correct_division(uint64_t division) {
    PbPlace place = { .has_division = 1, .division = division };
    correct_with(&(PbCorrect){ .place = &place });
}

void import_with(const PbImport *given) {
    PbImport i = *given;
    PbPlace place = { .has_division = 1, .division = FIXTURE_GRID };
    PbReport r = { .place = &place, .category = TEXT("rubbish"), .external_id = TEXT("12345-7") };
    if (!i.report) i.report = &r;
    story_order(&(struct order){ .kind = ORDER_IMPORT, .import = &i });
}

void import_as(PbState state, const char *opened, const char *parties) {
    PbAskedParty asked[NAMES_MAX], *list[NAMES_MAX];
    PbImport i = { .has_opened_at_ms = 1, .opened_at_ms = story_instant(opened), .state = state, .parties = list };
    i.n_parties = asked_of(parties, asked, list);
    import_with(&i);
}

void move_case(void) {
    GIVE(MOVE, move_case, PbMoveCase, .has_case_id = 1);
}

void recompute(void) {
    story_order(&(struct order){ .kind = ORDER_RECOMPUTE });
}

void retry_dead(void) {
    GIVE(RETRY_DEAD, retry_dead, PbRetryDead, .has_case_id = 1);
}

void drop_dead(void) {
    GIVE(DROP_DEAD, drop_dead, PbDropDead, .has_case_id = 1);
}

void archive(const char *ended_before) {
    struct order o = { .kind = ORDER_ARCHIVE };
    o.archive.ended_before_ms = story_instant(ended_before);
    story_order(&o);
}
