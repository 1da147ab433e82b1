/* kernel.h: the domain, and nothing else.
 *
 *   decide(input, order) -> decision      reads, never writes: a refusal, or the events that happen now
 *   evolve(case, event)                   writes, never refuses: the only writer of a case
 *
 * No allocation of its own, no clock, no I/O, no library: same inputs, same decision, for ever. Time comes in with the
 * order. The messages of proto/ are the vocabulary (PbReport, PbEvent ...): plain data; this floor calls no function of
 * protobuf-c.
 *
 *   the main way     REPORTED -> ACCEPTED -> DISPATCHED -> HANDLING -> RESOLVED (-> FOLLOWUP) -> CLOSED
 *   and round it     returned, reassigned, arbitrated; suspended; escalated, delegated; merged; transferred; reopened
 *
 *   Every arrow, who may take it and what is refused: lifecycle.c, drawn in docs/lifecycle.md. The desk decides in
 *   REPORTED and ACCEPTED (work is offered); the asked parties answer in DISPATCHED and HANDLING; the verifier in
 *   RESOLVED; the reporter in FOLLOWUP. What happens at due: Reminded at the reminder share, Escalated (level + 1) at
 *   due, Supervised on the last rung, for ever.
 *
 * Invariants (case_check, at entry and exit of every step; the same law on both sides of the disk):
 *   K1  an open case has at least one timer that runs; one that has ended has none.
 *   K2  1 <= stage <= stages of its playbook; attempt >= 1, and the highest that its stage has had is known, so that no
 *       (stage, attempt) is ever asked twice; level <= CITY.
 *   K3  at most one timer of a kind; every timer has a due; timers stand still only in SUSPENDED.
 *   K4  DISPATCHED, HANDLING, SUSPENDED: at least one open ask at the cursor (stage, attempt), exactly one of the
 *       cursor's asks is the lead; RESOLVED: exactly one open ask at the cursor; REPORTED, ACCEPTED: none at the
 *       cursor; every other state: no open ask at all.
 *   K5  TIMER_DESK exactly in REPORTED and ACCEPTED, except on the last rung, where SUPERVISE stands in once the desk
 *       has been silent; VERIFY or SUPERVISE in RESOLVED; REVIEW exactly in SUSPENDED; FOLLOWUP exactly in FOLLOWUP;
 *       TRANSFER or SUPERVISE in TRANSFERRED until it is acknowledged.
 *   K6  last_seq >= case id; opened <= resolved <= closed where they are set; closed_at is set when it has ended.
 *   K7  MERGED names its master, nothing else does; only in HANDLING, while a limit runs, more time is asked for.
 *
 * Limits and where they come from: design section 4; anchors, units and clocks: calendar part below. */
#ifndef KERNEL_H
#define KERNEL_H
#include "lib/base/base.h"
#include "whistle.pb-c.h"

enum {
    CASE_ASKS_MAX = 16,
    ATTEMPT_MAX = 255,                        /* of a stage */
    ATTEMPTS_KEPT = 64,                       /* the last of them, for what is never refused: climbing, verifying,
                                                 reopening; whoever asks for more is refused TOO_MANY_ASKS */
    CASE_TIMERS_MAX = 8,
    PARTY_BYTES_MAX = 47,                     /* role@division */
    CATEGORY_BYTES_MAX = 15,
    EXTERNAL_ID_BYTES_MAX = 63,
    TEXT_BYTES_MAX = 2000,                    /* a report's or an answer's text before sealing */
    EVIDENCE_MAX = 8,
    EVIDENCE_URL_BYTES_MAX = 255,
    DECISION_EVENTS_MAX = 6,
    BY_BYTES_MAX = 31,                        /* a staff number */
    ORIGIN_BYTES_MAX = 15,                    /* a system's short name */
    STAGES_MAX = 16,
    LATE_ANSWERS_MAX = 32,                    /* recorded per case; then REFUSED_TOO_MANY_LATE */
    MILESTONES_MAX = 6,
    DETOURS_MAX = 9,                          /* how often a playbook may let one detour be taken */
    EXTENSIONS_PERCENT_MAX = 1000,
};
#define PROMISE_MS_MAX (5LL * 366 * 86400000)
#define FAR_FUTURE_MS (86400000LL)            /* occurred_at may be this far ahead of broker time */
#define INSTANT_MS_MAX 200000000000000LL      /* the year 8307; broker time is 0 .. here, so every due has a date */

/* ---- the case ---------------------------------------------------------------------------------------------------- */

enum ask_status { ASK_OPEN, ASK_ACCEPTED, ASK_DONE, ASK_DECLINED, ASK_ENDED, ASK_RETURNED, ASK_VERIFIED };

struct ask {
    char party[PARTY_BYTES_MAX + 1];
    uint8_t stage, attempt, level;
    bool lead;
    uint8_t status;                           /* enum ask_status */
    int64_t asked_at_ms, answered_at_ms;
};

struct timer {
    uint8_t kind;                             /* PbTimerKind */
    uint8_t unit;                             /* PbUnit of the budget */
    uint8_t milestone;                        /* HANDLING: index + 1 of the milestone it stands for; 0 none */
    bool past_calendar;
    bool stopped;                             /* 挂起: stands still, and has no deadline row */
    int64_t amount, start_ms, due_ms;
};

/* What most cases never have: all zero unless the case left the main way. */
struct case_detours {
    uint64_t master;                          /* MERGED into */
    int64_t suspended_at_ms, void_asked_at_ms;
    int64_t extended_ms;                      /* granted so far, on the clock of the limit */
    int64_t extension_amount;                 /* asked for and not decided: > 0 */
    uint32_t calendar_rules;                  /* whose calendars it goes by; 0: those of its rules */
    uint8_t extension_unit;                   /* PbUnit */
    uint8_t returns, extensions, suspensions, reopens, delegations;
    uint8_t solved, satisfied;                /* PbOpinion */
    uint8_t authority;                        /* PbAuthority it was transferred to */
    bool returned;                            /* the desk has a return to decide */
    bool arbitrating, arbitrated;             /* the next dispatch is a ruling; it was ruled who does it */
    bool appealed, reporter_reopened, transfer_acked, dead_dropped, imported;
    char void_by[BY_BYTES_MAX + 1];           /* the first of two */
    char approver[PARTY_BYTES_MAX + 1];       /* who granted or suspended last: does not verify */
    char origin[ORIGIN_BYTES_MAX + 1];
    char proposed[PARTY_BYTES_MAX + 1];       /* whom the last return named; "" once it is decided */
};

struct case_state {
    uint64_t id;                              /* seq of its first event; 0: no case */
    uint64_t last_seq;
    uint64_t division;
    uint32_t district, day, day_number;       /* 610402-20260214-00123 */
    int32_t lon_e7, lat_e7;
    uint32_t rules;                           /* pinned: number of the rule set in force when it opened */
    uint64_t slot;                            /* key slot of its sealed text */
    int64_t opened_at_ms, occurred_at_ms, resolved_at_ms, closed_at_ms;
    int64_t promise_due_ms;                   /* 0: none. Kept for the verdict when its timer is gone */
    int64_t handling_due_ms;                  /* the same for the stage's handling limit */
    int64_t offer_ready_ms;                   /* the desk's work may be offered from then on */
    uint32_t late_answers;
    uint16_t reminders, supervised, escalations, reworks;
    uint8_t state, level, wall, urgency;
    uint8_t playbook, stage, attempt;         /* playbook: index + 1 in its rules; the cursor */
    uint8_t handled_stage;                    /* RESOLVED: the stage that rework goes back to */
    uint8_t milestones_done, offer_tries;
    bool overdue, self_handled, on_time, offer_dead, has_place, has_text, has_address, past_calendar;
    bool ask_me, exercise;
    uint8_t asks_count, timers_count;
    uint8_t attempts[STAGES_MAX];             /* the highest that each stage has had, by number - 1 */
    char category[CATEGORY_BYTES_MAX + 1];
    char external_id[EXTERNAL_ID_BYTES_MAX + 1];
    struct ask asks[CASE_ASKS_MAX];
    struct timer timers[CASE_TIMERS_MAX];
    char reporter[PARTY_BYTES_MAX + 1];       /* the reporting party; "" unknown */
    struct case_detours more;
};

void case_check(const struct case_state *c);                     /* K1..K7; a case with id 0 is not checked */
bool case_is_erased(const struct case_state *c);                 /* its key slot is wiped, and stays so */
bool case_open(const struct case_state *c);                      /* somebody still has to do something */
bool case_ended(const struct case_state *c);                     /* there is one, and it is not open */
bool case_wants_desk(const struct case_state *c);                /* its work is to be offered to the desk of c->level */
bool case_is_dead_letter(const struct case_state *c);            /* its work was given up, and is on the list */
const struct timer *case_timer(const struct case_state *c, PbTimerKind kind);   /* NULL: not armed */
/* NULL: not asked */
const struct ask *case_ask(const struct case_state *c, const char *party, uint32_t stage, uint32_t attempt);
const struct ask *case_handler(const struct case_state *c);      /* whose `done` was the last; NULL: nobody's */
/* The number after the last attempt of that stage; may be over ATTEMPT_MAX. */
uint32_t case_next_attempt(const struct case_state *c, uint32_t stage);
bool ask_is_open(const struct ask *a);                           /* OPEN or ACCEPTED: an answer is still expected */
bool ask_at_cursor(const struct case_state *c, const struct ask *a);

/* ---- divisions and parties --------------------------------------------------------------------------------------- */

unsigned division_digits(uint64_t code);                         /* 2 4 6 9 12 15; 0: not a code */
PbLevel division_level(uint64_t code);                           /* GRID..PROVINCE; code must be valid */
uint64_t division_cut(uint64_t code, unsigned digits);           /* its ancestor; 0 when it has no such many digits */
unsigned level_digits(PbLevel level);                            /* GRID 15 ... PROVINCE 2 */
bool division_covers(uint64_t prefix, uint64_t code);            /* the same or an ancestor */
/* managed_by while it holds, else cut; 0 at a province */
uint64_t division_above(const PbRules *r, uint64_t code, int64_t at_ms);

/* The division whose desk answers for this place at that level: `above`, rung by rung. 0: the place is coarser than the
 * level has desks. */
uint64_t division_at_level(const PbRules *r, uint64_t code, PbLevel level, int64_t at_ms);

bool party_split(struct slice party, struct slice *ret_role, uint64_t *ret_division);
/* role@division into `to`; CHECKs that it fits. */
void party_print(char to[static PARTY_BYTES_MAX + 1], const char *role, uint64_t division);

/* ---- rules: the compiled configuration, sorted by key at compile time -------------------------------------------- */

const PbDivision *rules_division(const PbRules *r, uint64_t code);
const PbCategory *rules_category(const PbRules *r, struct slice code);
const PbRole *rules_role(const PbRules *r, struct slice slug);
const PbParty *rules_party(const PbRules *r, struct slice party, int64_t at_ms);   /* known and valid at that instant */
const PbCalendar *rules_calendar(const PbRules *r, const char *name);
const PbPlaybook *rules_playbook(const PbRules *r, const char *name, uint32_t *ret_number);   /* number: index + 1 */
const PbRole *rules_role_of_kind(const PbRules *r, PbRoleKind kind, PbLevel level);

/* What is wrong with a rule set, for people who wrote it. path: "playbooks/incident/stages/street", empty when all is
 * well. */
struct rules_problem { char path[160]; char what[200]; };
bool rules_check(const PbRules *r, struct rules_problem *ret);    /* all of it: order, references, limits, playbooks */
/* Every stage reachable, every timeout leads somewhere, loops bounded. */
bool playbook_check(const PbPlaybook *p, struct rules_problem *ret);

/* How often and how long the detours may be: the playbook's own, or these where it is silent (domain practice; a city
 * that knows better writes its own into the playbook). */
struct playbook_limits {
    PbLimit return_within;                    /* 2 wd after dispatch */
    PbLimit suspend_most;                     /* 90 cd */
    PbLimit follow_up;                        /* 7 cd */
    PbLimit reopen_within, appeal_within;     /* 15 cd each */
    PbLimit transfer_ack;                     /* 24 ch */
    uint32_t returns_max, extensions_max, extensions_percent, suspensions_max, reopens_max, delegations_max;
};                                            /* 2, 2, 100 % of the handling limit, 3, 3, 3 */
void playbook_limits(const PbPlaybook *p, struct playbook_limits *ret);

/* ---- time -------------------------------------------------------------------------------------------------------- */

/* Limits. cm, ch: start + n. cd: same local wall time n days on. wd: move the start into an open window, then the same
 * wall time on the n-th working day after (its next opening when that time is not open, or its last close when no
 * opening follows). wh: consume open windows; a due that falls on a close stays there. weeks, months: the n-th
 * recurrence, same local wall time, day clamped to the month. past_calendar: a day beyond the calendar's known range
 * was looked at. */
struct due { int64_t due_ms; bool past_calendar; };
struct due limit_due(const PbCalendar *c, int64_t start_ms, const PbLimit *limit);
/* The instant at `percent` of the limit, by the same walk over floor(percent × length): working time for wh and wd,
 * else clock time. */
struct due limit_share(const PbCalendar *c, int64_t start_ms, const PbLimit *limit, uint32_t percent);
/* How long from..to is on the clock of that unit, and where a walk of that length ends. */
bool limit_valid(const PbLimit *limit);                          /* of a unit, and 1 .. its most */
int64_t unit_measure(const PbCalendar *c, PbUnit unit, int64_t from_ms, int64_t to_ms);
struct due unit_walk(const PbCalendar *c, PbUnit unit, int64_t start_ms, int64_t length_ms);
int64_t calendar_opening(const PbCalendar *c, int64_t at_ms, bool *ret_past);   /* at_ms when open, else the next one */
bool calendar_same(const PbCalendar *a, const PbCalendar *b);      /* every due by the one is the due by the other */
bool calendar_is_open(const PbCalendar *c, int64_t at_ms);
uint32_t calendar_date(const PbCalendar *c, int64_t at_ms);        /* local yyyymmdd */
int64_t calendar_offset_ms(const PbCalendar *c, int64_t at_ms);
uint32_t date_of_days(int64_t days_since_1970);                    /* civil date arithmetic, proleptic Gregorian */
int64_t days_of_date(uint32_t date);                               /* INT64_MIN: no such date (2015-02-30) */

/* ---- tally ------------------------------------------------------------------------------------------------------- */

struct tally_count { uint32_t asked, done, declined; };            /* declined: can no longer be done */
enum tally_result { TALLY_OPEN, TALLY_MET, TALLY_IMPOSSIBLE };
enum tally_result tally_of(const PbTally *t, struct tally_count n);

/* ---- decide and evolve ------------------------------------------------------------------------------------------- */

/* name of the order, its word, what the table of cells may ask of the shell (ORDER_NEEDS_...) */
#define ORDERS(X) \
    X(REPORT, "report") X(SELF_HANDLE, "self-handle") X(IMPORT, "import") X(ANSWER, "answer") X(ACCEPT, "accept") \
    X(REJECT, "reject") X(APPEAL, "appeal") X(MERGE, "merge") X(SPLIT, "split") X(WITHDRAW, "withdraw") \
    X(DISPATCH, "dispatch") X(REASSIGN, "reassign") X(ESCALATE, "escalate") X(DELEGATE, "delegate") \
    X(ASK_EXTENSION, "ask-extension") X(DECIDE_EXTENSION, "decide-extension") X(SUSPEND, "suspend") \
    X(RESUME, "resume") X(REMIND, "remind") X(SUPERVISE, "supervise") X(HAND_OVER, "hand-over") \
    X(FOLLOW_UP, "follow-up") X(REOPEN, "reopen") X(TRANSFER, "transfer") \
    X(ACKNOWLEDGE_TRANSFER, "acknowledge-transfer") X(VOID, "void") X(CLOSE, "close") X(CORRECT, "correct") \
    X(NOTE, "note") X(MOVE, "move") X(RETRY_DEAD, "retry-dead") X(DROP_DEAD, "drop-dead") X(LATER, "later") \
    X(DEADLINE, "deadline") X(OFFER_FAILED, "offer-failed") X(ARCHIVE, "archive") X(RECOMPUTE, "recompute")

enum order_kind {
#define X(name, word) ORDER_##name,
    ORDERS(X)
#undef X
    ORDER_COUNT
};

struct order {
    enum order_kind kind;
    union {
        const PbReport *report; const PbSelfHandle *self_handle; const PbImport *import; const PbAnswer *answer;
        const PbAccept *accept; const PbReject *reject; const PbAppeal *appeal; const PbMerge *merge;
        const PbSplit *split; const PbWithdraw *withdraw; const PbDispatch *dispatch; const PbReassign *reassign;
        const PbEscalate *escalate; const PbDelegate *delegate; const PbAskExtension *ask_extension;
        const PbDecideExtension *decide_extension; const PbSuspend *suspend; const PbResume *resume;
        const PbRemind *remind; const PbSupervise *supervise; const PbHandOver *hand_over;
        const PbFollowUp *follow_up; const PbReopen *reopen; const PbTransfer *transfer;
        const PbAcknowledgeTransfer *acknowledge_transfer; const PbVoidCase *void_case; const PbCloseCase *close_case;
        const PbCorrect *correct; const PbNote *note; const PbMoveCase *move_case; const PbRetryDead *retry_dead;
        const PbDropDead *drop_dead;
        struct { PbTimerKind kind; } deadline;
        struct { uint32_t stage, attempt, tries; PbOfferEnd how; int64_t retry_ms; } offer_failed;
        struct { int64_t ended_before_ms; } archive;
    };
    PbSealed *text, *address, *deed;          /* already sealed by the shell; NULL: none */
};

struct decide_input {
    const struct case_state *state;           /* id 0: the order makes a new case */
    const PbRules *rules;                     /* those the case is pinned to; for a new case those in force */
    uint32_t rules_number;
    /* Whose calendars count, when they are not `rules`: the case's more.calendar_rules. NULL: rules. */
    const PbRules *calendar_rules;
    /* MOVE, RECOMPUTE: the rules in force, that the case goes to. */
    const PbRules *rules_now;
    uint32_t rules_now_number;
    int64_t now_ms;
    struct slice source;
    uint32_t day_number;                      /* new case: the next number of its district and day */
    uint64_t slot;                            /* new case: the next key slot */
    const struct case_state *other;           /* MERGE, SPLIT: the master; NULL: there is none such */
    bool has_followers;                       /* VOID, WITHDRAW: cases are merged into this one */
    bool known;                               /* IMPORT: its external id has a case */
    bool in_batch, batch_confirmed;           /* part of a batch; two persons have confirmed it for this verb */
    struct slice by, origin;                  /* of the envelope; empty: not said */
    struct arena *room;                       /* where the events' parts live: the turn's arena */
};

struct decision {
    PbRefusal refusal;                        /* REFUSED_NOTHING: the events happen */
    const char *field;                        /* the offending field, or NULL */
    uint32_t count;
    PbEvent *events[DECISION_EVENTS_MAX];     /* in the room; descriptors are set by the codec before packing */
};

/* Where a report would go: its number needs the district, and the day in the rules' calendar. 0: refused division. */
uint32_t decide_district(const PbReport *report);
/* The instant its number's day is taken from: now, and for an import when it was opened. */
int64_t decide_number_instant(const struct order *order, int64_t now_ms);

void decide(const struct decide_input *in, const struct order *order, struct decision *ret);
void evolve(struct case_state *c, const PbEvent *e, uint64_t seq, int64_t at_ms);

/* For tests and for docs: which orders a state takes. */
const char *order_name(enum order_kind kind);
const char *state_name(PbState state);
const char *event_name(const PbEvent *e);
#endif
