/* drill.h: `whistlectl drill` from the inside: app, handlers, verifiers and auditor of a whole year in one process. It
 * is an ordinary client and an ordinary console; nothing is told to it that others are not told.
 *
 *   window   drill_next_window ──▶ answers to what was asked, and the plan's steps, each with its instant (drill_say.c)
 *            DrillGo{until}    ──▶ the broker decides them at their instants, and its deadlines between them
 *            replies, DrillAt{seq}; the feed is read up to seq: now everything that was asked is known (drill_hear.c)
 *   verdict  what came out beside what the city wrote down; every acknowledged command looked for (drill_sum.c)
 *
 * Who does what: a lead accepts at the beginning of the next window, is done at the instant the city closed it, and
 * the verifier agrees at the beginning of the window after. Nobody declines, and nobody is late but by the city's own
 * account. */
#ifndef DRILL_H
#define DRILL_H
#include "ctl/ctl.h"
#include "ctl/drill_plan.h"

enum {
    DRILL_ASKED_MAX = 8,                          /* parties of one ask */
    DRILL_PARTIES_MAX = 16384,
    DRILL_SENT_MAX = WHISTLE_WINDOW_MAX,
    DRILL_SEQS_MAX = 16 << 20,                    /* events of one drill */
};
_Static_assert(DRILL_ANSWERS_MAX + DRILL_ASKED_MAX + DRILL_STEPS_MAX < 2048, "the broker's urgent lane takes a window");

/* ---- what is known of a row's case, from the feed alone ---------------------------------------------------------- */

struct asked { uint8_t stage, attempt, count; uint16_t party[DRILL_ASKED_MAX]; };    /* the lead last; 0: nobody */

struct row_case {
    uint64_t id;                                  /* 0: none yet */
    int64_t promise_due_ms;                       /* 0: none */
    struct asked handlers, verifier;
    uint16_t commands;                            /* sent about it; part of their ids */
    uint8_t level;                                /* where it was done */
    bool accept_waits, verify_waits, queued;      /* answers for the next window */
    bool resolved, closed, on_time, overdue, escalated;
};

struct funnel { uint64_t reported, on_the_spot, closed[LEVEL_PROVINCE + 1], overdue, escalated, open; };

struct sent { uint8_t id[COMMAND_ID_SIZE]; uint32_t row; };

struct drill_options { const char *data, *config; int64_t until_ms; uint64_t rows; bool quiet; };

struct drill {
    struct ctl *ctl;
    struct drill_options options;
    struct arena room;                            /* the rules' */
    struct drill_plan plan;
    struct whistle_client *client;
    struct whistle_feed *feed;
    bool complete;                                /* all rows, up to the instant the city's copy was cut */
    int64_t end_ms, v_ms, next_due_ms;
    uint32_t next_step;

    struct row_case *cases;                       /* by row */
    uint32_t *row_of_case;                        /* by case id: row + 1; 0: not ours */
    uint8_t *told;                                /* bit by seq: it is the last of an update that was read */
    uint32_t *queue;                              /* rows with answers waiting, in the order they were asked */
    uint32_t queue_count;
    char (*parties)[PARTY_BYTES_MAX + 1];
    uint16_t *party_slots;
    unsigned parties_count;

    struct sent sent[DRILL_SENT_MAX];             /* of this window */
    uint64_t acknowledged_seq[DRILL_SENT_MAX];
    unsigned sent_count, acknowledged_count;
    uint8_t go_id[COMMAND_ID_SIZE];
    uint64_t heard_seq, at_seq;                   /* the feed's; DrillAt's */
    bool at;                                      /* DrillAt has come */

    struct funnel funnel;
    uint64_t commands, acknowledged, lost, windows, events, not_counted, offers_failed;
    int64_t start_ns, shown_ns, last_news_ns;
    uint32_t shown_month;                         /* yyyymm */
};

/* drill_say.c: 0 or an enum ctl_exit, after having said why. */
int drill_say_window(struct drill *d, const struct drill_window *w);
int drill_say_run(struct drill *d);               /* from the end on, broker time runs by itself */

/* drill_hear.c */
int drill_hear_window(struct drill *d);           /* until all is answered and the feed is read up to DrillAt's seq */
uint16_t drill_party(struct drill *d, const char *party);                    /* its number; a new one is noted */
int drill_hear_update(struct drill *d, const struct whistle_update *u);      /* for tests, too */

/* drill_show.c */
void drill_progress(struct drill *d, bool last);
int drill_fail(struct drill *d, enum ctl_exit code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* drill_sum.c */
struct verdicts { uint64_t rows, agree, ours_overdue, city_overdue; };
struct drill_sum {
    struct verdicts ruled;                        /* types with a rule of their own, and a target of the city's */
    struct verdicts budgeted;                     /* the other rows that the city gave a target and closed */
    uint64_t deadlines, deadlines_met;            /* of working-day types: ours is the city's, to the minute */
    int64_t real_ms, virtual_ms;
    PbStatus *status;                             /* borrowed until the next question */
};
void drill_verdicts(const struct drill *d, struct drill_sum *ret);
bool drill_passed(const struct drill *d, const struct drill_sum *s);
void drill_sum_print(const struct drill *d, const struct drill_sum *s);
#endif
