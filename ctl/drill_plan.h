/* drill_plan.h: the drill on paper. What the city's year means here, and how far to go next; pure, so that it can be
 * tested without a broker.
 *
 *   the rows      local instants of the city -> UTC; a type -> a category; a precinct -> a grid; what was closed in no
 *                 time -> handled on the spot
 *   the steps     everything that the city's rows say will happen, in time order
 *   the windows   10 virtual minutes each. An answer needs to have seen what it answers, so what was asked in one
 *                 window is answered in the next, and a case that closes soon after it opens ends its window early
 *
 *   P1  V, broker time, is the last `until`. A window begins at V + 1; nothing in it is earlier.
 *   P2  no case is opened and answered in the same window.
 *   P3  a window is a function of the plan, V, the broker's next deadline and whether answers wait: two drills cut the
 *       year in the same places. */
#ifndef DRILL_PLAN_H
#define DRILL_PLAN_H
#include "daemon/kernel/kernel.h"
#include "lib/base/base.h"

enum {
    DRILL_WINDOW_MS = 600000,
    DRILL_STEPS_MAX = 512,                        /* of one window; what the broker holds bounds it */
    DRILL_ANSWERS_MAX = 1280,
    DRILL_ROWS_MAX = 1 << 20,
};
#define DRILL_END_MS 1452661200000LL              /* 2016-01-13T05:00:00Z: when the city's copy was cut */

/* ---- rows -------------------------------------------------------------------------------------------------------- */

enum city_verdict { CITY_SILENT, CITY_ONTIME, CITY_OVERDUE };

struct drill_row {
    uint64_t id;                                  /* the city's number of it */
    uint64_t division;                            /* a grid */
    int64_t open_ms, target_ms, closed_ms;        /* 0: none */
    const PbCategory *category;
    uint8_t wall;                                 /* PbWall */
    uint8_t city;                                 /* enum city_verdict */
    bool on_the_spot;                             /* closed within a window's length, not late: the finder's */
};

/* A category with a promise of its own: the broker counts it on its calendar, and that is what the drill proves. */
bool row_has_rule(const struct drill_row *r);
bool row_counts_working_days(const struct drill_row *r);

/* The next field of a line of CSV; quoted fields lose their quotes, doubled ones inside stay. */
struct slice csv_field(struct slice *line);

/* The instant at which that zone's clocks show it, the first when they show it twice. "2015-03-08T09:30:00" */
bool local_instant_parse(const PbCalendar *zone, struct slice text, int64_t *ret_ms);

/* A ward's precincts lie in eight communities that follow each other, and in each of these every precinct is one of the
 * seventeen grids. What the city knows no precinct of is spread by its number. */
struct drill_tree { uint64_t *communities; size_t count; };
uint64_t grid_of(const struct drill_tree *t, uint64_t ward, uint64_t precinct, uint64_t id);
/* What public works look after lies outside the walls; that is 43 in 100. */
PbWall wall_of_queue(struct slice queue);

/* ---- the plan ---------------------------------------------------------------------------------------------------- */

enum step_kind { STEP_REPORT, STEP_SELF_HANDLE, STEP_DONE };
struct drill_step { int64_t at_ms; uint32_t row; uint8_t kind; };

struct drill_plan {
    const PbRules *rules;
    const PbCalendar *zone;
    struct drill_tree tree;
    const PbCategory **by_name;                   /* sorted by name_en */
    struct drill_row *rows;                       /* by number of the row in the file */
    struct drill_step *steps;                     /* by (instant, row, kind) */
    uint32_t *by_id;                              /* rows sorted by the city's number */
    uint32_t rows_count, steps_count;
};

/* Reads at most rows_max rows of the file's bytes. 0; -EINVAL with words for people. Takes memory and keeps it. */
int drill_plan_make(struct drill_plan *p, const PbRules *rules, struct slice csv, uint32_t rows_max,
                    char problem[static 256]);
void drill_plan_free(struct drill_plan *p);
/* The row of that number of the city's; UINT32_MAX: none. */
uint32_t drill_row_by_id(const struct drill_plan *p, uint64_t id);

/* ---- windows ----------------------------------------------------------------------------------------------------- */

struct drill_sight {
    int64_t v_ms, end_ms;
    int64_t next_due_ms;                          /* INT64_MAX: none */
    bool answers_wait;
};
struct drill_window { int64_t until_ms; uint32_t steps; };   /* steps: of the plan, from the next one on */
struct drill_window drill_next_window(const struct drill_plan *p, uint32_t next_step, const struct drill_sight *s);
#endif
