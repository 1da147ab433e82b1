/* calendars.c: a calendar file -> PbCalendar. Opening hours by weekday, dated overrides, and the zone as explicit
 * offsets, so that compiling needs no tzdata and gives the same bytes everywhere. */
#include "daemon/config/reading.h"
#include "daemon/kernel/kernel.h"
#include <stdio.h>
#include <string.h>

enum { WEEKDAYS = 7 };
static const char *const weekday_names[WEEKDAYS] = {"monday", "tuesday", "wednesday", "thursday", "friday", "saturday",
                                                    "sunday"};

/* ---- zone: one offset, or steps -------------------------------------------------------------------------------- */

static int step_read(struct reading *r, const struct node *item, struct list *to) {
    static const struct keyword keys[] = {
        {"from", read_instant, HAS(PbZoneStep, from_ms), .required = true},
        {"offset", read_offset, HAS(PbZoneStep, offset_s), .required = true},
    };
    PbZoneStep *step = arena_zero(r->room, sizeof *step);
    if (!step)
        return full(r);
    int e = map_read(r, item, keys, COUNT_OF(keys), step);
    return e ? e : list_push(r, to, step);
}

static void steps_set(PbCalendar *c, const struct list *steps) {
    c->steps = (PbZoneStep **)steps->at;
    c->n_steps = steps->count;
}

static int steps_read(struct reading *r, const struct node *value, const struct keyword *key, void *at) {
    struct list steps = {0};
    CHECK(key->at == 0);
    int e = list_read(r, value, step_read, &steps);
    steps_set(at, &steps);
    return e;
}

/* A zone without summer time: one step, from 1970 on. */
static int offset_read(struct reading *r, const struct node *value, const struct keyword *key, void *at) {
    struct list steps = {0};
    PbZoneStep *step = arena_zero(r->room, sizeof *step);
    if (!step)
        return full(r);
    step->has_from_ms = step->has_offset_s = 1;
    int e = read_offset(r, value, key, &step->offset_s);
    e = e ? e : list_push(r, &steps, step);
    steps_set(at, &steps);
    return e;
}

/* ---- week ------------------------------------------------------------------------------------------------------ */

static int windows_read(struct reading *r, const struct node *value, PbWindow ***ret, size_t *ret_count) {
    struct list windows = {0};
    int e = list_read(r, value, window_item, &windows);
    *ret = (PbWindow **)windows.at;
    *ret_count = windows.count;
    return e;
}

static int weekday_read(struct reading *r, const struct node *value, const struct keyword *key, void *at) {
    PbWeekday *day = arena_zero(r->room, sizeof *day);
    CHECK(key->has == NO_FLAG);
    if (!day)
        return full(r);
    *(PbWeekday **)at = day;
    return windows_read(r, value, &day->windows, &day->n_windows);
}

static int week_read(struct reading *r, const struct node *value, const struct keyword *key, void *at) {
    PbCalendar *c = at;
    struct keyword keys[WEEKDAYS];
    PbWeekday **week = arena_zero(r->room, WEEKDAYS * sizeof *week);
    CHECK(key->at == 0);
    if (!week)
        return full(r);
    for (size_t i = 0; i < WEEKDAYS; i++)
        keys[i] = (struct keyword){weekday_names[i], weekday_read, i * sizeof *week, NO_FLAG, true, NULL};
    c->week = week;
    c->n_week = WEEKDAYS;
    return map_read(r, value, keys, WEEKDAYS, week);
}

static int working_day_read(struct reading *r, const struct node *value, const struct keyword *key, void *at) {
    PbCalendar *c = at;
    CHECK(key->at == 0);
    return windows_read(r, value, &c->working_day, &c->n_working_day);
}

/* ---- dated overrides ------------------------------------------------------------------------------------------- */

static int day_windows_read(struct reading *r, const struct node *value, const struct keyword *key, void *at) {
    PbDay *day = at;
    CHECK(key->at == 0);
    return windows_read(r, value, &day->windows, &day->n_windows);
}

/* off: closed. work: a make-up workday, open as working_day says, or as its own windows say. */
static int day_read(struct reading *r, const struct node *item, struct list *to) {
    static const struct word kinds[] = {{"off", 0}, {"work", 1}, {NULL, 0}};
    static const struct keyword keys[] = {
        {"date", read_date, HAS(PbDay, date), .required = true},
        {"name", read_text, AT(PbDay, name_zh)},
        {"kind", read_word, HAS(PbDay, working), .required = true, .more = kinds},
        {"windows", day_windows_read, WHOLE},
    };
    PbDay *day = arena_zero(r->room, sizeof *day);
    if (!day)
        return full(r);
    int e = map_read(r, item, keys, COUNT_OF(keys), day);
    if (e)
        return e;
    char date[16];
    snprintf(date, sizeof date, "%u", day->date);
    size_t mark = path_enter(r, slice_of(date));
    path_note(r, item->line);
    path_leave(r, mark);
    return list_push(r, to, day);
}

static int days_read(struct reading *r, const struct node *value, const struct keyword *key, void *at) {
    PbCalendar *c = at;
    struct list days = {0};
    CHECK(key->at == 0);
    int e = list_read(r, value, day_read, &days);
    c->days = (PbDay **)days.at;
    c->n_days = days.count;
    return e;
}

/* ---- the file -------------------------------------------------------------------------------------------------- */

int calendar_load(struct reading *r, const char *file, struct parts *to) {
    static const struct keyword keys[] = {
        {"name", read_slug, AT(PbCalendar, name), .required = true},
        {"zone", read_text, AT(PbCalendar, zone), .required = true},
        {"offset", offset_read, WHOLE},
        {"steps", steps_read, WHOLE},
        {"first_date", read_date, HAS(PbCalendar, first_date), .required = true},
        {"last_date", read_date, HAS(PbCalendar, last_date), .required = true},
        {"week", week_read, WHOLE, .required = true},
        {"working_day", working_day_read, WHOLE, .required = true},
        {"days", days_read, WHOLE},
    };
    struct node *root;
    PbCalendar *calendar = arena_zero(r->room, sizeof *calendar);
    int e = calendar ? row_load(r, file, "calendars", keys, COUNT_OF(keys), calendar, &root) : full(r);
    if (e == 0 && !node_find(root, "offset") == !node_find(root, "steps"))
        return fail_at(r, root->line, SLICE("offset"),
                       "either one offset or a list of steps must say where the zone is");
    return e ? e : list_push(r, &to->calendars, calendar);
}
