/* playbook.c: is a playbook one that always ends, and never leaves a case alone?
 *
 * Handling stages are the rungs of a ladder. They stand in order, their levels never fall, and every way on from a
 * rung goes up, so a ladder ends. The last rung is supervised for ever. Work that is done goes to a verify stage or
 * closes the case; what a verifier sends back is the only way down, and that is counted. So it is enough to look at
 * each stage by itself, and then whether one can get there. */
#include "daemon/kernel/check.h"

enum { PERCENT_MAX = 99, ATTEMPTS_MAX = 100, LOOPS_MAX = 9 };
_Static_assert(STAGES_MAX < 32, "a set of stages is a bit mask");

static const PbStage *stage_of(const PbPlaybook *p, uint32_t number) {
    CHECK(number >= 1 && number <= p->n_stages);
    return p->stages[number - 1];
}

static uint32_t last_rung(const PbPlaybook *p) {
    uint32_t last = 0;
    for (uint32_t n = 1; n <= p->n_stages; n++)
        if (stage_of(p, n)->kind == STAGE_HANDLE)
            last = n;
    return last;
}

/* ---- one stage by itself ----------------------------------------------------------------------------------------- */

static bool range_check(const struct where *stage, const char *name, uint32_t n, uint32_t least, uint32_t most) {
    struct where at = where_in(stage, name);
    if (n >= least && n <= most)
        return true;
    return WRONG(&at, "is ", decimal_of(n).text, ", not ", decimal_of(least).text, " to ", decimal_of(most).text);
}

static bool tally_check(const struct where *stage, const PbTally *t) {
    struct where at = where_in(stage, "tally");
    if (!t)
        return true;                                     /* the first answer is enough */
    if ((unsigned)t->kind > TALLY_COUNT)
        return WRONG(&at, "is not one of first, all, count");
    return t->kind != TALLY_COUNT || range_check(&at, "count", t->count, 1, CASE_ASKS_MAX);
}

static bool numbers_check(const struct where *at, const PbStage *s) {
    return range_check(at, "remind_percent", s->remind_percent, 0, PERCENT_MAX) &&
        range_check(at, "attempts_max", s->attempts_max, 0, ATTEMPTS_MAX) &&
        range_check(at, "offers_max", s->offers_max, 0, ATTEMPTS_MAX) &&
        range_check(at, "loops_max", s->loops_max, s->kind == STAGE_VERIFY, LOOPS_MAX);
}

/* Where nobody above can be told, the deadline is set again for ever, each time later, up to the most. */
static bool supervise_check(const struct where *at, const PbStage *s) {
    struct where most = where_in(at, "supervise_most");
    if (!limit_check(at, "supervise_first", s->supervise_first, 1) ||
        !limit_check(at, "supervise_most", s->supervise_most, 1))
        return false;
    if (s->supervise_first->unit != s->supervise_most->unit)
        return WRONG(&most, "must have the unit of supervise_first");
    return s->supervise_first->amount <= s->supervise_most->amount || WRONG(&most, "is shorter than supervise_first");
}

static bool limits_check(const struct where *at, const PbStage *s) {
    return limit_check_optional(at, "desk", s->desk, 0) && limit_check_optional(at, "accept", s->accept, 0) &&
        limit_check(at, "handling", s->handling, 0) &&
        limit_check_optional(at, "supervise_first", s->supervise_first, 1) &&
        limit_check_optional(at, "supervise_most", s->supervise_most, 1);
}

static bool stage_check(const struct where *stages, const PbPlaybook *p, uint32_t number) {
    const PbStage *s = stage_of(p, number);
    struct decimal unnamed = decimal_of(number);
    struct where at = where_in(stages, text_is(s->name, "") ? unnamed.text : s->name), kind = where_in(&at, "kind");
    if (!name_check(&at, s->name, NAME_BYTES_MAX))
        return false;
    for (uint32_t n = 1; n < number; n++)
        if (text_is(stage_of(p, n)->name, s->name))
            return WRONG(&at, "is there twice");
    if ((unsigned)s->kind > STAGE_VERIFY)
        return WRONG(&kind, "is neither handle nor verify");
    return range_check(&at, "level", (uint32_t)s->level, LEVEL_GRID, LEVEL_CITY) && tally_check(&at, s->tally) &&
        numbers_check(&at, s) && limits_check(&at, s);
}

/* ---- where it goes from there ------------------------------------------------------------------------------------ */

/* The way on from a rung goes up: anything else would be an endless loop. 0 is looked at by the caller. */
static bool up_check(const struct where *stage, const char *name, const PbPlaybook *p, uint32_t from, uint32_t to) {
    struct where at = where_in(stage, name);
    if (to == 0)
        return true;
    if (to > p->n_stages)
        return WRONG(&at, "leads to a stage that does not exist");
    if (stage_of(p, to)->kind != STAGE_HANDLE)
        return WRONG(&at, "leads to a verify stage although nothing is done yet");
    return to > from || WRONG(&at, "leads back to ", stage_of(p, to)->name, ": an endless loop");
}

static bool rung_check(const struct where *at, const PbPlaybook *p, uint32_t number) {
    const PbStage *s = stage_of(p, number);
    struct where done = where_in(at, "on_done"), overdue = where_in(at, "on_overdue"), level = where_in(at, "level");
    for (uint32_t n = 1; n < number; n++)
        if (stage_of(p, n)->kind == STAGE_HANDLE && stage_of(p, n)->level > s->level)
            return WRONG(&level, "is lower than that of ", stage_of(p, n)->name, ", which comes before");
    if (s->on_done > p->n_stages)
        return WRONG(&done, "leads to a stage that does not exist");
    if (s->on_done && stage_of(p, s->on_done)->kind != STAGE_VERIFY)
        return WRONG(&done, "must lead to a verify stage or close the case");
    if (!up_check(at, "on_overdue", p, number, s->on_overdue) ||
        !up_check(at, "on_declined", p, number, s->on_declined))
        return false;
    if (s->on_overdue)
        return true;
    if (number != last_rung(p))
        return WRONG(&overdue, "leads nowhere: only the last rung is supervised");
    return supervise_check(at, s);
}

/* Verifying climbs by itself to the verifier of the level above; where there is none it is supervised. */
static bool verify_check(const struct where *at, const PbPlaybook *p, uint32_t number) {
    const PbStage *s = stage_of(p, number);
    struct where done = where_in(at, "on_done"), overdue = where_in(at, "on_overdue");
    struct where declined = where_in(at, "on_declined");
    if (s->on_done)
        return WRONG(&done, "must close the case: what is verified is over");
    if (s->on_overdue)
        return WRONG(&overdue, "must be left out: verifying goes to the level above by itself");
    if (s->on_declined > p->n_stages)
        return WRONG(&declined, "leads to a stage that does not exist");
    if (s->on_declined && stage_of(p, s->on_declined)->kind != STAGE_HANDLE)
        return WRONG(&declined, "must lead to a handling stage");
    return supervise_check(at, s);
}

/* ---- the detours ------------------------------------------------------------------------------------------------- */

static PbLimit limit_or(const PbLimit *own, PbUnit unit, int64_t amount) {
    if (own) return *own;
    return (PbLimit){.has_unit = 1, .unit = unit, .has_amount = 1, .amount = amount};
}

void playbook_limits(const PbPlaybook *p, struct playbook_limits *ret) {
    *ret = (struct playbook_limits){
        .return_within = limit_or(p->return_within, UNIT_WORK_DAYS, 2),
        .suspend_most = limit_or(p->suspend_most, UNIT_CALENDAR_DAYS, 90),
        .follow_up = limit_or(p->follow_up, UNIT_CALENDAR_DAYS, 7),
        .reopen_within = limit_or(p->reopen_within, UNIT_CALENDAR_DAYS, 15),
        .appeal_within = limit_or(p->appeal_within, UNIT_CALENDAR_DAYS, 15),
        .transfer_ack = limit_or(p->transfer_ack, UNIT_CLOCK_HOURS, 24),
        .returns_max = p->has_returns_max ? p->returns_max : 2,
        .extensions_max = p->has_extensions_max ? p->extensions_max : 2,
        .extensions_percent = p->has_extensions_percent ? p->extensions_percent : 100,
        .suspensions_max = p->has_suspensions_max ? p->suspensions_max : 3,
        .reopens_max = p->has_reopens_max ? p->reopens_max : 3,
        .delegations_max = p->has_delegations_max ? p->delegations_max : 3,
    };
}

/* What is written must be in range; what is not is as above. */
static bool detours_check(const struct where *at, const PbPlaybook *p) {
    struct playbook_limits n;
    playbook_limits(p, &n);
    return limit_check(at, "return_within", &n.return_within, 1) && limit_check(at, "suspend_most", &n.suspend_most, 1)
        && limit_check(at, "follow_up", &n.follow_up, 1) && limit_check(at, "reopen_within", &n.reopen_within, 1)
        && limit_check(at, "appeal_within", &n.appeal_within, 1) && limit_check(at, "transfer_ack", &n.transfer_ack, 1)
        && range_check(at, "returns_max", n.returns_max, 1, DETOURS_MAX)
        && range_check(at, "extensions_max", n.extensions_max, 0, DETOURS_MAX)
        && range_check(at, "extensions_percent", n.extensions_percent, 1, EXTENSIONS_PERCENT_MAX)
        && range_check(at, "suspensions_max", n.suspensions_max, 0, DETOURS_MAX)
        && range_check(at, "reopens_max", n.reopens_max, 0, DETOURS_MAX)
        && range_check(at, "delegations_max", n.delegations_max, 0, DETOURS_MAX);
}

/* ---- whether one can get there ----------------------------------------------------------------------------------- */

/* A report starts at the lowest rung that its place has: a place of nine digits has no grid and starts at the
 * street. */
static uint32_t starts_of(const PbPlaybook *p) {
    uint32_t starts = 0;
    for (int level = LEVEL_GRID; level <= LEVEL_DISTRICT; level++)
        for (uint32_t n = 1; n <= p->n_stages; n++)
            if (stage_of(p, n)->kind == STAGE_HANDLE && (int)stage_of(p, n)->level >= level) {
                starts |= 1u << n;
                break;
            }
    return starts;
}

static bool reach_check(const struct where *stages, const PbPlaybook *p) {
    uint32_t reached = starts_of(p), before = 0;
    while (reached != before) {
        before = reached;
        for (uint32_t n = 1; n <= p->n_stages; n++) {
            const PbStage *s = stage_of(p, n);
            if (reached & 1u << n)
                reached |= 1u << s->on_done | 1u << s->on_overdue | 1u << s->on_declined;
        }
    }
    for (uint32_t n = 1; n <= p->n_stages; n++) {
        struct where at = where_in(stages, stage_of(p, n)->name);
        if (!(reached & 1u << n))
            return WRONG(&at, "cannot be reached: no report starts there and no stage leads to it");
    }
    return true;
}

bool playbook_check(const PbPlaybook *p, struct rules_problem *ret) {
    struct where top = {NULL, "playbooks", ret}, book = where_in(&top, p->name), stages = where_in(&book, "stages");
    ret->path[0] = ret->what[0] = 0;
    if (!name_check(&book, p->name, NAME_BYTES_MAX))
        return false;
    if (p->n_stages < 1 || p->n_stages > STAGES_MAX)
        return range_check(&book, "stages", (uint32_t)p->n_stages, 1, STAGES_MAX);
    for (uint32_t n = 1; n <= p->n_stages; n++)
        if (!stage_check(&stages, p, n))
            return false;
    struct where first = where_in(&stages, stage_of(p, 1)->name);
    if (stage_of(p, 1)->kind != STAGE_HANDLE)
        return WRONG(&first, "comes first and must be a handling stage");
    for (uint32_t n = 1; n <= p->n_stages; n++) {
        struct where at = where_in(&stages, stage_of(p, n)->name);
        if (!(stage_of(p, n)->kind == STAGE_HANDLE ? rung_check : verify_check)(&at, p, n))
            return false;
    }
    return detours_check(&book, p) && reach_check(&stages, p);
}
