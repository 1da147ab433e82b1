/* recover.c: what to do at a start, as a table. Pure: whoever opened the files says what was seen.
 *
 * The first row with a sign that was seen applies. What only the tables have lost is folded again without asking: they
 * are nothing but a fold. What the journal has lost is never made good by the tables, and never in silence. */
#include "daemon/store/store_internal.h"

enum sign {
    SIGN_NEWER_FORMAT = 1 << 0, SIGN_JOURNAL_MISSING = 1 << 1, SIGN_GAP = 1 << 2, SIGN_JOURNAL_BROKEN = 1 << 3,
    SIGN_SLOTS_OLDER = 1 << 4, SIGN_STATE_MISSING = 1 << 5, SIGN_STATE_BROKEN = 1 << 6, SIGN_OTHER_STORE = 1 << 7,
    SIGN_BEHIND = 1 << 8, SIGN_OTHER_EPOCH = 1 << 9, SIGN_AHEAD = 1 << 10, SIGN_EQUAL = 1 << 11,
    SIGN_BASE_MISSING = 1 << 12, SIGN_BASE_BROKEN = 1 << 13, SIGN_STATE_OLDER = 1 << 14,
};

#define DISCARD ", or run `whistlectl recover --discard-state` to believe the journal"

static const struct verdict {
    unsigned sign;
    enum recovery decision;
    const char *name, *why;
} verdicts[] = {
    {SIGN_NEWER_FORMAT, RECOVER_REFUSE, "newer-format",
     "another version of whistled wrote this store: start that one; see `whistlectl recover --help`"},
    {SIGN_JOURNAL_MISSING, RECOVER_REFUSE, "journal-missing", "there is no journal: restore it from a backup"},
    {SIGN_GAP, RECOVER_REFUSE, "gap-in-ordinals", "a segment of the journal is missing: put it back from a backup"},
    {SIGN_JOURNAL_BROKEN, RECOVER_REFUSE, "journal-broken", "the journal is damaged: restore it from a backup"},
    {SIGN_BASE_MISSING, RECOVER_REFUSE, "base-missing",
     "the journal begins behind a purge, and the base that it stands on is missing"},
    {SIGN_BASE_BROKEN, RECOVER_REFUSE, "base-broken",
     "the journal begins behind a purge, and the base that it stands on is damaged"},
    {SIGN_SLOTS_OLDER, RECOVER_REFUSE, "slots-older",
     "the key slots are missing, damaged or older than the journal: put back the newest copy of `slots`"},
    {SIGN_STATE_MISSING, RECOVER_FOLD_ALL, "state-missing", "the tables are not there: folded from the journal"},
    {SIGN_STATE_BROKEN, RECOVER_FOLD_ALL, "state-broken", "the tables are damaged: folded again from the journal"},
    {SIGN_OTHER_STORE, RECOVER_REFUSE, "other-store",
     "state.mdb belongs to another store: put this store's own file back" DISCARD},
    {SIGN_STATE_OLDER, RECOVER_FOLD_ALL, "state-older",
     "the tables end before what a purge has left of the journal: folded again from the base"},
    {SIGN_BEHIND, RECOVER_REFUSE, "journal-behind",
     "the journal ends before the checkpoint: acknowledged records are missing; restore the journal" DISCARD},
    {SIGN_OTHER_EPOCH, RECOVER_REFUSE, "other-history",
     "the tables were folded from another history of this journal: restore the one they belong to" DISCARD},
    {SIGN_AHEAD, RECOVER_FOLD_TAIL, "fold-tail", "the tail of the journal is folded"},
    {SIGN_EQUAL, RECOVER_SERVE, "serve", "nothing is missing"},
};

static const struct verdict *verdict_of(const struct recovery_case *c) {
    static const unsigned of_standing[] = {
        [STANDING_EQUAL] = SIGN_EQUAL, [STANDING_AHEAD] = SIGN_AHEAD, [STANDING_BEHIND] = SIGN_BEHIND,
        [STANDING_BROKEN] = SIGN_JOURNAL_BROKEN, [STANDING_MISSING] = SIGN_JOURNAL_MISSING,
    };
    CHECK((size_t)c->journal < COUNT_OF(of_standing));
    unsigned seen = of_standing[c->journal];
    seen |= c->newer_format ? SIGN_NEWER_FORMAT : 0u;
    seen |= c->gap_in_ordinals ? SIGN_GAP : 0u;
    seen |= c->base_missing ? SIGN_BASE_MISSING : 0u;
    seen |= c->base_broken ? SIGN_BASE_BROKEN : 0u;
    seen |= c->state_older ? SIGN_STATE_OLDER : 0u;
    seen |= c->slots_older ? SIGN_SLOTS_OLDER : 0u;
    seen |= c->state_missing ? SIGN_STATE_MISSING : 0u;
    seen |= c->state_broken ? SIGN_STATE_BROKEN : 0u;
    seen |= c->other_store ? SIGN_OTHER_STORE : 0u;
    seen |= c->other_epoch ? SIGN_OTHER_EPOCH : 0u;
    const struct verdict *v = verdicts;
    while (!(v->sign & seen))                                 /* every standing has a row */
        v++;
    CHECK(v < verdicts + COUNT_OF(verdicts));
    return v;
}

enum recovery recovery_decide(const struct recovery_case *c, const char **ret_why) {
    const struct verdict *v = verdict_of(c);
    *ret_why = v->why;
    return v->decision;
}

const char *recovery_name(const struct recovery_case *c) {
    return verdict_of(c)->name;
}
