/* returns_internal.h: what the files of the returns share. A case is small while it is counted, a row is large. */
#ifndef CTL_RETURNS_INTERNAL_H
#define CTL_RETURNS_INTERNAL_H
#include "ctl/returns.h"

enum { LEVELS = LEVEL_CITY + 1 };

/* What is counted of a case while its updates come by. Each is for events of the period; of one case 255 at most. */
enum tick {
    TICK_REPORTED, TICK_SELF_HANDLED, TICK_FROM_PATROL, TICK_MERGED, TICK_OUT_OF_SCOPE, TICK_DUPLICATE,
    TICK_NOT_A_FACT, TICK_ELSEWHERE, TICK_WITHDRAWN, TICK_APPEALED, TICK_DISPATCHED, TICK_SIGNING_OVER,
    TICK_SIGNED_IN_TIME, TICK_RETURNED, TICK_UPHELD, TICK_RESOLVED, TICK_REWORK, TICK_EXTENSION_ASKED, TICK_EXTENDED,
    TICK_EXTENSION_REFUSED, TICK_SUSPENDED, TICK_CLOSED,
    TICK_REOPENED, TICK_DELEGATED, TICK_TRANSFERRED, TICK_TRANSFER_ACKED, TICK_REMINDED, TICK_SUPERVISED,
    TICK_WHISTLES, TICK_CALLED, TICK_PRESENT,
    TICK_CAME,                                    /* to each level */
    TICK_ROSE_BY_LIMIT = TICK_CAME + LEVELS,      /* from each level, because a limit was over */
    TICK_ROSE_BY_CHOICE = TICK_ROSE_BY_LIMIT + LEVELS,
    TICKS = TICK_ROSE_BY_CHOICE + LEVELS
};

/* What is counted of a case once all its updates have come by. */
enum {
    SUM_VOID = TICKS, SUM_DUE, SUM_DUE_RESOLVED, SUM_DUE_ON_TIME, SUM_DUE_CLOSED, SUM_DUE_CLOSED_ON_TIME, SUM_HANDLED,
    SUM_OPEN, SUM_OVERDUE, SUM_SUSPENDED_NOW, SUM_RESPONSE_OVER, SUM_RESPONDED, SUM_ASKED, SUM_SOLVED_ANSWERED,
    SUM_SOLVED, SUM_SATISFIED_ANSWERED, SUM_SATISFIED, SUM_CASES_CLOSED, SUM_RECURRED, SUMS
};

/* For whom a case waits. Stays that ended in the period have their lengths told; of a hold its age, too. */
enum wait {
    WAIT_NOBODY, WAIT_DESK, WAIT_SIGNING, WAIT_HANDLING, WAIT_SUSPENDED, WAIT_VERIFIER, WAIT_REPORTER, WAIT_ELSEWHERE,
    WAITS, AGE_OF_HOLD = WAITS
};

struct counted {
    uint64_t id;
    int64_t opened_ms, since_ms;                  /* since it waits for whom it waits for */
    int64_t promise_ms, handling_ms;              /* due; 0: none. Kept as they were once it is verified */
    int64_t accept_ms;                            /* the last dispatch is to be signed by then */
    int64_t closed_ms;                            /* first, in the period */
    int32_t lon_e7, lat_e7;
    uint32_t division, returned_by;               /* index; hash of the party whose return is not decided */
    uint16_t category;
    uint8_t state, level, solved, satisfied;
    bool exercise : 1, imported : 1, has_place : 1, acked : 1, resolved : 1, resolved_on_time : 1, verified : 1;
    bool verified_on_time : 1, closed : 1, closed_on_time : 1, self_handled : 1, handled : 1, responded : 1;
    bool responded_in_time : 1, asked : 1, round_in_period : 1, round_unsigned : 1, round_whistle : 1, stood : 1;
    bool stood_open : 1, stood_overdue : 1, stood_suspended : 1;
    uint8_t tick[TICKS];
};
_Static_assert(sizeof(struct counted) <= 136, "a million cases fit anywhere");

struct stay { uint32_t at; uint8_t level, wait; int64_t ms; };   /* at: which case */

enum scope { SCOPE_WHOLE, SCOPE_STREET, SCOPE_COMMUNITY, SCOPE_CATEGORY, SCOPES };
struct row { uint8_t scope; uint64_t code; uint64_t sum[SUMS]; };     /* code of a category: its index */
struct row_stays { uint8_t scope; uint64_t code; uint8_t level, wait; uint64_t count; int64_t p50_ms, p90_ms; };

enum { CHUNK = 4096, DIVISIONS_KNOWN_MAX = 1 << 20, CATEGORIES_KNOWN_MAX = 4096 };

struct returns {
    struct returns_options o;
    uint32_t rules_number;
    const PbRules *rules;                         /* of the latest case */
    int64_t from_ms, end_ms;                      /* the period, by those rules */
    uint64_t last_seq;
    int64_t last_ms;
    uint64_t strangers;
    struct counted **chunks;                      /* by id, which grows */
    uint32_t cases;
    struct stay *stays;
    size_t stays_count, stays_cap;
    uint64_t *divisions;                          /* in the order in which they were met */
    uint32_t divisions_count;
    uint32_t *division_at;                        /* open addressing: index + 1 */
    char (*categories)[CATEGORY_BYTES_MAX + 1];
    uint32_t categories_count;
    struct row *rows;                             /* sorted by scope and code */
    size_t rows_count;
    struct row_stays *row_stays;
    size_t row_stays_count;
};

/* returns_cases.c */
struct counted *counted_at(const struct returns *r, uint32_t at);
bool counted_find(const struct returns *r, uint64_t id, uint32_t *ret_at);    /* false: its beginning was not seen */
int counted_add(struct returns *r, uint64_t id, uint32_t *ret_at);            /* ids grow */
uint32_t division_index(struct returns *r, uint64_t code);
uint16_t category_index(struct returns *r, const char *code);
int stay_add(struct returns *r, const struct stay *s);

/* returns_fold.c */
/* What it was when the period was over; `at_ms`: the end of the period, or the as-of when that is earlier. */
int counted_stands(struct returns *r, uint32_t at, int64_t at_ms);
bool in_period(const struct returns *r, int64_t ms);
bool counts(const struct returns *r, const struct counted *c);                /* Q3, Q5 */

/* returns_recur.c: which cases closed in the period came back, as a bit a case; caller frees. */
uint8_t *recurred(const struct returns *r);
/* returns_stays.c */
void stays_sum(struct returns *r);
uint64_t row_code(const struct returns *r, const struct counted *c, enum scope scope);     /* 0: it has none there */
#endif
