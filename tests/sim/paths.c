/* paths.c: rare paths, by name, and how often each was taken. A path that no world of a run takes is one that was not
 * tried: the run has failed, when it was asked for so much (REACH_OFTEN, REACH_ALL). */
#include "tests/sim/sim.h"

#include <stdio.h>
#include <string.h>

/* SELDOM: taken by long runs only (REACH_ALL). ELSEWHERE: not in these worlds at all; other tests have it. */
enum rank { OFTEN, SELDOM, ELSEWHERE };
enum {
    NAMED_MAX = 64, EVENTS_MAX = SIM_EVENTS_MAX, REFUSALS_MAX = 96,
    EVENTS_AT = NAMED_MAX, REFUSALS_AT = EVENTS_AT + EVENTS_MAX,
};
_Static_assert(REFUSALS_AT + REFUSALS_MAX == SIM_PATHS_MAX, "each path has its number");

static const struct { const char *name; enum rank rank; } named[] = {
    {"broker.killed", OFTEN}, {"broker.without_power", OFTEN}, {"broker.exited", OFTEN}, {"broker.paused", OFTEN},
    {"broker.exit_for_a_fault", OFTEN}, {"broker.exit_for_space", SELDOM}, {"broker.ended_while_starting", OFTEN},
    {"turn.abandoned", SELDOM},
    {"disk.unsynced_at_the_end", OFTEN}, {"disk.full", OFTEN}, {"disk.sync_failed", OFTEN},
    {"disk.write_failed", OFTEN}, {"disk.slow", OFTEN}, {"disk.all_lost", OFTEN}, {"disk.some_lost", OFTEN},
    {"disk.torn", OFTEN}, {"disk.nothing_lost", OFTEN},
    {"journal.torn_tail", SELDOM}, {"journal.more_than_was_told", OFTEN}, {"state.removed", OFTEN},
    {"state.rebuilt", OFTEN}, {"state.tail_folded", OFTEN},
    {"clock.jumped_forward", OFTEN}, {"clock.jumped_back", OFTEN}, {"clock.jumped_and_trusted", OFTEN},
    {"net.cut", OFTEN}, {"net.cut_while_sending", OFTEN}, {"net.one_way_silence", OFTEN}, {"net.queue_full", OFTEN},
    {"net.dropped", OFTEN}, {"net.twice", OFTEN}, {"net.out_of_order", OFTEN},
    {"client.said_again", OFTEN}, {"client.left", OFTEN}, {"desk.silent", OFTEN}, {"desk.put_off", OFTEN},
    {"desk.rejected", OFTEN}, {"desk.left_with_offers", SELDOM}, {"console.refused", SELDOM},
    {"console.resumed", OFTEN}, {"console.slow", OFTEN}, {"stranger.was_answered", OFTEN},
    {"stranger.changed_a_command", OFTEN}, {"world.night", OFTEN}, {"rules.others_at_start", OFTEN},
    {"rules.reloaded", OFTEN}, {"recompute.over", OFTEN}, {"backup.taken", OFTEN},
    {"backup.again", SELDOM}, {"backup.without_digest", SELDOM}, {"backup.restored", OFTEN}, {"backup.served", SELDOM},
    {"console.other_past", SELDOM}, {"console.snapshot", SELDOM}, {"follow.step", OFTEN}, {"follow.killed", OFTEN},
    {"follow.cut", OFTEN}, {"follow.segment", SELDOM}, {"follow.refused", SELDOM}, {"follow.restored", OFTEN},
    {"returns.judged", OFTEN}, {"returns.of_a_day", OFTEN}, {"returns.of_a_month", OFTEN},
};
_Static_assert(COUNT_OF(named) <= NAMED_MAX, "room for names");

/* No world lasts the three years after which a case is archived: tests/unit/test_archived does. */
static const uint8_t events[EVENTS_MAX] = {
    [EVENT_ARCHIVED] = ELSEWHERE, [EVENT_CASE_MOVED] = SELDOM, [EVENT_DEAD_DROPPED] = SELDOM, [EVENT_SPLIT] = SELDOM,
    [EVENT_FOLLOWUP_BEGUN] = SELDOM, [EVENT_FOLLOWED_UP] = SELDOM, [EVENT_TRANSFER_ACKNOWLEDGED] = SELDOM,
    [EVENT_EXTENSION_GRANTED] = SELDOM, [EVENT_EXTENSION_REFUSED] = SELDOM, [EVENT_SUSPENDED] = SELDOM,
    [EVENT_MILESTONE_DONE] = SELDOM,
    [EVENT_APPEALED] = SELDOM, [EVENT_ARBITRATED] = SELDOM, [EVENT_DELEGATED] = SELDOM, [EVENT_DEAD_RETRIED] = SELDOM,
    [EVENT_RESUMED] = SELDOM, [EVENT_VOIDED] = SELDOM, [EVENT_DUE_MOVED] = SELDOM,
};

/* Bytes that are no command, what libwhistle hears and keeps to itself, and what only a drill or a full house is told:
 * tests/unit and tests/fuzz have them. */
static const uint8_t refusals[REFUSALS_MAX] = {
    [REFUSED_NOTHING] = ELSEWHERE, [REFUSED_FRAME_COUNT] = ELSEWHERE, [REFUSED_FRAME_EMPTY] = ELSEWHERE,
    [REFUSED_FRAME_TOO_LARGE] = ELSEWHERE, [REFUSED_VERSION] = ELSEWHERE, [REFUSED_BAD_PROTOBUF] = ELSEWHERE,
    [REFUSED_UNKNOWN_FIELD] = ELSEWHERE, [REFUSED_TOO_COMPLEX] = ELSEWHERE, [REFUSED_BAD_TEXT] = ELSEWHERE,
    [REFUSED_BAD_COMMAND_ID] = ELSEWHERE, [REFUSED_NO_COMMAND] = ELSEWHERE, [REFUSED_FIELD_MISSING] = ELSEWHERE,
    [REFUSED_TEXT_TOO_LONG] = ELSEWHERE, [REFUSED_NOT_PERMITTED] = ELSEWHERE, [REFUSED_NO_SESSION] = ELSEWHERE,
    [REFUSED_CONFLICT] = ELSEWHERE, [REFUSED_FAR_FUTURE] = ELSEWHERE, [REFUSED_NO_SUCH_CASE] = ELSEWHERE,
    [REFUSED_BAD_INSTANT] = SELDOM, [REFUSED_NOBODY_NAMED] = ELSEWHERE, [REFUSED_TOO_EARLY] = ELSEWHERE,
    [REFUSED_NO_SUCH_TIMER] = ELSEWHERE, [REFUSED_NOT_A_DRILL] = ELSEWHERE, [REFUSED_ONLY_IN_DRILL] = ELSEWHERE,
    [REFUSED_DRILL_ORDER] = ELSEWHERE, [REFUSED_TOO_MANY_SESSIONS] = ELSEWHERE, [REFUSED_READ_ONLY] = ELSEWHERE,
    [REFUSED_TOO_MANY_PREFIXES] = ELSEWHERE, [REFUSED_RULES_WRONG] = ELSEWHERE, [REFUSED_EVIDENCE_MISSING] = ELSEWHERE,
    [REFUSED_PROMISE_NOT_GRANTED] = ELSEWHERE, [REFUSED_TOO_MANY_ASKS] = ELSEWHERE, [REFUSED_NO_SUCH_BATCH] = SELDOM,
    [REFUSED_BUSY] = ELSEWHERE, [REFUSED_RETRY_LATER] = ELSEWHERE, [REFUSED_STOPPING] = ELSEWHERE,
    [REFUSED_STALE] = SELDOM, [REFUSED_TOO_MANY_LATE] = SELDOM, [REFUSED_ARBITRATED] = SELDOM,
    [REFUSED_BATCH_SPENT] = SELDOM, [REFUSED_PENDING] = SELDOM, [REFUSED_NO_LIMIT] = SELDOM,
    [REFUSED_DRAINING] = SELDOM, [REFUSED_NOT_THE_REPORTER] = SELDOM, [REFUSED_MASTER_ENDED] = SELDOM,
    [REFUSED_HAS_FOLLOWERS] = SELDOM, [REFUSED_NOT_YET] = SELDOM, [REFUSED_TOO_LATE] = SELDOM,
    [REFUSED_MILESTONE_ORDER] = SELDOM, [REFUSED_ALREADY_KNOWN] = SELDOM, [REFUSED_SAME_PERSON] = SELDOM,
};

static struct sim_report *mine;

void paths_of(struct sim_report *report) {
    mine = report;
}

void sometimes(const char *name) {
    for (unsigned i = 0; i < COUNT_OF(named); i++) {
        if (strcmp(named[i].name, name) != 0) continue;
        mine->paths[i]++;
        return;
    }
    sim_broken("%s is no path that tests/sim/paths.c knows", name);
}

void sometimes_event(const PbEvent *e) {
    CHECK((unsigned)e->event_case < EVENTS_MAX);
    mine->paths[EVENTS_AT + e->event_case]++;
}

void sometimes_refused(PbRefusal code) {
    CHECK((unsigned)code < REFUSALS_MAX);
    mine->paths[REFUSALS_AT + code]++;
}

/* ---- telling ----------------------------------------------------------------------------------------------------- */

/* false: no path has this number. */
static bool path_of(unsigned i, char name[64], enum rank *ret_rank) {
    const PbEvent e = {.event_case = (PbEvent__EventCase)(i - EVENTS_AT)};
    const PbRefusal code = (PbRefusal)(i - REFUSALS_AT);
    if (i < EVENTS_AT) {
        if (i >= COUNT_OF(named)) return false;
        snprintf(name, 64, "%s", named[i].name);
        *ret_rank = named[i].rank;
    } else if (i < REFUSALS_AT) {
        const char *event = event_name(&e);
        if (!event || strcmp(event, "of-the-broker") == 0) return false;
        snprintf(name, 64, "event.%s", event);
        *ret_rank = (enum rank)events[i - EVENTS_AT];
    } else {
        const struct sentence *s = sentence_of(code);
        if (s == sentence_of((PbRefusal)INT32_MAX)) return false;
        snprintf(name, 64, "refused.%s", s->name);
        *ret_rank = (enum rank)refusals[i - REFUSALS_AT];
    }
    return true;
}

unsigned paths_tell(const uint64_t counts[SIM_PATHS_MAX], enum sim_reach reach) {
    char name[64];
    enum rank rank;
    unsigned missed = 0;
    for (unsigned i = 0; i < SIM_PATHS_MAX; i++) {
        if (!path_of(i, name, &rank) || (rank == ELSEWHERE && !counts[i])) continue;
        bool wanted = reach == REACH_ALL || (reach == REACH_OFTEN && rank == OFTEN);
        bool miss = wanted && !counts[i] && rank != ELSEWHERE;
        missed += miss;
        if (miss) printf("NEVER %s: no world of this run went there\n", name);
        else printf("  %12llu  %s%s\n", (unsigned long long)counts[i], name, rank == SELDOM ? "  (seldom)" : "");
    }
    return missed;
}

uint64_t paths_count(const uint64_t counts[SIM_PATHS_MAX], const char *name) {
    for (unsigned i = 0; i < COUNT_OF(named); i++)
        if (strcmp(named[i].name, name) == 0) return counts[i];
    NEVER("a path without a name");
}
