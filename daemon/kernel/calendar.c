/* calendar.c: instants, local dates, and where a limit ends.
 *
 * Two clocks. The plain one is arithmetic on milliseconds, or on the local wall time for days, weeks and months. The
 * working one visits local days in order, and on each its open windows: the weekly pattern, unless a dated override
 * stands in. One walk does it all. It goes forward only, so the next override and the zone step that holds are
 * pointers that move along; nothing is searched again.
 *
 * Wall time is not monotonous. A time that a zone step skips is the instant of the step; a time that comes twice is
 * the first of the two. With that, a later start never has an earlier due unless the start itself lies in the hour
 * that comes twice. */
#include "daemon/kernel/kernel.h"
#include "daemon/kernel/check.h"

#define MINUTE_MS 60000LL
#define HOUR_MS 3600000LL
#define DAY_MS 86400000LL

enum {
    WALK_DAYS_MAX = 200 * 366,                  /* a walk that finds nothing open for so long gives up */
    DAYS_PER_ERA = 146097,                      /* 400 years */
    DAYS_TO_1970 = 719468,                      /* since 0000-03-01 */
    FIRST_DAY = -719162,                        /* 0001-01-01 */
    LAST_DAY = 2932896,                         /* 9999-12-31 */
};
_Static_assert(INSTANT_MS_MAX / DAY_MS + WALK_DAYS_MAX < LAST_DAY, "every day a walk can reach has a date");

static int64_t floor_div(int64_t a, int64_t b) {
    return a / b - (a % b < 0);
}

/* ---- dates ------------------------------------------------------------------------------------------------------- */

struct civil { uint32_t year, month, day; };

/* Years are counted from March, so that the leap day is the last of its year. */
static struct civil civil_of_days(int64_t days) {
    CHECK(days >= FIRST_DAY && days <= LAST_DAY);
    uint32_t since = (uint32_t)(days + DAYS_TO_1970), era = since / DAYS_PER_ERA, day = since % DAYS_PER_ERA;
    uint32_t year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
    uint32_t of_year = day - (365 * year + year / 4 - year / 100), march = (5 * of_year + 2) / 153;
    uint32_t month = march < 10 ? march + 3 : march - 9;
    return (struct civil){era * 400 + year + (month <= 2), month, of_year - (153 * march + 2) / 5 + 1};
}

static int64_t days_of_civil(struct civil c) {
    uint32_t year = c.year - (c.month <= 2), of_era = year % 400;
    uint32_t of_year = (153 * (c.month > 2 ? c.month - 3 : c.month + 9) + 2) / 5 + c.day - 1;
    return (int64_t)(year / 400 * DAYS_PER_ERA + of_era * 365 + of_era / 4 - of_era / 100 + of_year) - DAYS_TO_1970;
}

static uint32_t days_of_month(uint32_t year, uint32_t month) {
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month == 2 && leap ? 29 : days[month - 1];
}

uint32_t date_of_days(int64_t days_since_1970) {
    struct civil c = civil_of_days(days_since_1970);
    return c.year * 10000 + c.month * 100 + c.day;
}

int64_t days_of_date(uint32_t date) {
    struct civil c = {date / 10000, date / 100 % 100, date % 100};
    if (c.year < 1 || c.year > 9999 || c.month < 1 || c.month > 12)
        return INT64_MIN;
    if (c.day < 1 || c.day > days_of_month(c.year, c.month))
        return INT64_MIN;
    return days_of_civil(c);
}

/* ---- zones ------------------------------------------------------------------------------------------------------- */

/* The step that holds at `at`; before the first, the first. No steps: UTC. */
static size_t zone_step(const PbCalendar *c, int64_t at) {
    size_t low = 0, high = c->n_steps;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (c->steps[middle]->from_ms <= at)
            low = middle + 1;
        else
            high = middle;
    }
    return low ? low - 1 : 0;
}

static int64_t step_offset(const PbCalendar *c, size_t step) {
    return c->n_steps ? c->steps[step]->offset_s * 1000LL : 0;
}

/* The wall time that a step is over at, on its own clock. */
static int64_t step_end(const PbCalendar *c, size_t step) {
    return step + 1 < c->n_steps ? c->steps[step + 1]->from_ms + step_offset(c, step) : INT64_MAX;
}

/* The first instant with that wall time, from `step` on: the earliest step that is not over by then; when it has not
 * begun, the time is skipped. */
static int64_t local_instant(const PbCalendar *c, size_t step, int64_t local) {
    size_t i = step;
    while (local >= step_end(c, i))
        i++;
    int64_t at = local - step_offset(c, i);
    return i && at < c->steps[i]->from_ms ? c->steps[i]->from_ms : at;
}

int64_t calendar_offset_ms(const PbCalendar *c, int64_t at_ms) {
    return step_offset(c, zone_step(c, at_ms));
}

uint32_t calendar_date(const PbCalendar *c, int64_t at_ms) {
    return date_of_days(floor_div(at_ms + calendar_offset_ms(c, at_ms), DAY_MS));
}

/* ---- the walk over days and windows ------------------------------------------------------------------------------ */

struct walk {
    const PbCalendar *c;
    int64_t day, day_last;                      /* local days since 1970; the walk ends after day_last */
    int64_t known_first, known_last;
    int64_t override_day;                       /* of days[override], the next from `day` on; INT64_MAX: none */
    size_t override;
    size_t step;                                /* of the zone: the one in which `day` begins */
    size_t weekday;                             /* 0 Monday */
    PbWindow *const *windows;                   /* of `day`; none: closed */
    size_t windows_count, window;               /* window: the next one to visit */
    bool past;                                  /* a day beyond the known range was looked at */
};

struct span { int64_t from, to; };

static void walk_override(struct walk *w, size_t index) {
    w->override = index;
    w->override_day = index < w->c->n_days ? days_of_date(w->c->days[index]->date) : INT64_MAX;
}

static void walk_look(struct walk *w) {
    const PbCalendar *c = w->c;
    w->past |= w->day < w->known_first || w->day > w->known_last;
    while (w->day * DAY_MS >= step_end(c, w->step))
        w->step++;
    w->window = 0;
    w->windows = c->week[w->weekday]->windows;
    w->windows_count = c->week[w->weekday]->n_windows;
    if (w->day < w->override_day)
        return;
    const PbDay *d = c->days[w->override];
    bool own = d->n_windows > 0;
    w->windows = own ? d->windows : c->working_day;
    w->windows_count = !d->working ? 0 : own ? d->n_windows : c->n_working_day;
    walk_override(w, w->override + 1);
}

static void walk_begin(struct walk *w, const PbCalendar *c, int64_t at) {
    CHECK(c->n_week == 7);
    CHECK(at >= 0 && at <= INSTANT_MS_MAX);
    size_t step = zone_step(c, at), low = 0, high = c->n_days;
    int64_t day = floor_div(at + step_offset(c, step), DAY_MS);
    *w = (struct walk){.c = c, .day = day, .day_last = day + WALK_DAYS_MAX, .weekday = (size_t)(day + 7 + 3) % 7,
        .known_first = days_of_date(c->first_date), .known_last = days_of_date(c->last_date)};
    while (step && day * DAY_MS < step_end(c, step - 1))
        step--;
    w->step = step;
    uint32_t date = date_of_days(day);
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (c->days[middle]->date < date)
            low = middle + 1;
        else
            high = middle;
    }
    walk_override(w, low);
    walk_look(w);
}

static bool walk_next_day(struct walk *w) {
    if (w->day == w->day_last)
        return false;
    w->day++;
    w->weekday = w->weekday == 6 ? 0 : w->weekday + 1;
    walk_look(w);
    return true;
}

static bool walk_next_working_day(struct walk *w) {
    do {
        if (!walk_next_day(w))
            return false;
    } while (w->windows_count == 0);
    return true;
}

static int64_t walk_instant(const struct walk *w, int64_t time_ms) {
    return local_instant(w->c, w->step, w->day * DAY_MS + time_ms);
}

/* The next window. One that a zone step swallowed is none. */
static bool walk_next_span(struct walk *w, struct span *ret) {
    for (;;) {
        while (w->window == w->windows_count)
            if (!walk_next_day(w))
                return false;
        const PbWindow *open = w->windows[w->window++];
        int64_t from = walk_instant(w, open->open_minute * MINUTE_MS);
        struct span s = {from, walk_instant(w, open->close_minute * MINUTE_MS)};
        if (s.from < s.to) {
            *ret = s;
            return true;
        }
    }
}

/* The same, but what is left of it from `at` on, and only when something is. */
static bool walk_span_after(struct walk *w, int64_t at, struct span *ret) {
    struct span s;
    do {
        if (!walk_next_span(w, &s))
            return false;
    } while (s.to <= at);
    *ret = (struct span){s.from > at ? s.from : at, s.to};
    return true;
}

static struct due walk_given_up(const struct walk *w) {
    return (struct due){walk_instant(w, 0), true};
}

/* ---- working time ------------------------------------------------------------------------------------------------ */

/* A due that falls on a close stays there; without anything to consume it is the start, moved into a window. */
static struct due work_walk(const PbCalendar *c, int64_t start, int64_t length) {
    struct walk w;
    struct span open;
    walk_begin(&w, c, start);
    while (walk_span_after(&w, start, &open)) {
        if (length <= open.to - open.from)
            return (struct due){open.from + length, w.past};
        length -= open.to - open.from;
    }
    return walk_given_up(&w);
}

static int64_t work_measure(const PbCalendar *c, int64_t from, int64_t to) {
    struct walk w;
    struct span open;
    int64_t length = 0;
    walk_begin(&w, c, from);
    while (walk_span_after(&w, from, &open) && open.from < to)
        length += (open.to < to ? open.to : to) - open.from;
    return length;
}

/* The day's instant for a wall time: itself when open, else the next opening, else the last close. */
static int64_t walk_open_time(const struct walk *w, int64_t time_ms) {
    CHECK(w->windows_count > 0);
    for (size_t i = 0; i < w->windows_count; i++) {
        int64_t opening = w->windows[i]->open_minute * MINUTE_MS;
        if (time_ms < w->windows[i]->close_minute * MINUTE_MS)
            return walk_instant(w, time_ms > opening ? time_ms : opening);
    }
    return walk_instant(w, w->windows[w->windows_count - 1]->close_minute * MINUTE_MS);
}

static struct due work_days(const PbCalendar *c, int64_t start, int64_t count) {
    struct walk w;
    struct span open;
    walk_begin(&w, c, start);
    if (!walk_span_after(&w, start, &open))
        return walk_given_up(&w);
    if (count == 0)
        return (struct due){open.from, w.past};
    int64_t time_ms = open.from + calendar_offset_ms(c, open.from) - w.day * DAY_MS;
    for (int64_t i = 0; i < count; i++)
        if (!walk_next_working_day(&w))
            return walk_given_up(&w);
    return (struct due){walk_open_time(&w, time_ms), w.past};
}

int64_t calendar_opening(const PbCalendar *c, int64_t at_ms, bool *ret_past) {
    struct due opening = work_walk(c, at_ms, 0);
    if (ret_past)
        *ret_past = opening.past_calendar;
    return opening.due_ms;
}

bool calendar_is_open(const PbCalendar *c, int64_t at_ms) {
    struct due opening = work_walk(c, at_ms, 0);
    return opening.due_ms == at_ms;
}

/* ---- wall time --------------------------------------------------------------------------------------------------- */

static int64_t wall_days(const PbCalendar *c, int64_t start, int64_t days) {
    size_t step = zone_step(c, start);
    return local_instant(c, step, start + step_offset(c, step) + days * DAY_MS);
}

static int64_t wall_months(const PbCalendar *c, int64_t start, int64_t months) {
    size_t step = zone_step(c, start);
    int64_t local = start + step_offset(c, step), day = floor_div(local, DAY_MS);
    struct civil d = civil_of_days(day);
    uint32_t month = d.month - 1 + (uint32_t)months;
    d.year += month / 12, d.month = month % 12 + 1;
    if (d.day > days_of_month(d.year, d.month))
        d.day = days_of_month(d.year, d.month);
    return local_instant(c, step, local + (days_of_civil(d) - day) * DAY_MS);
}

/* ---- limits ------------------------------------------------------------------------------------------------------ */

int64_t limit_amount_max(PbUnit unit) {
    switch (unit) {
    case UNIT_CLOCK_MINUTES: return 7 * 24 * 60;
    case UNIT_CLOCK_HOURS: return 6 * 365 * 24;
    case UNIT_WORK_HOURS: return 4000;
    case UNIT_WORK_DAYS: return 500;
    case UNIT_CALENDAR_DAYS: return 5 * 366;
    case UNIT_MILLISECONDS: return PROMISE_MS_MAX;
    case UNIT_WEEKS: return 260;
    case UNIT_MONTHS: return 60;
    default: return -1;
    }
}

bool limit_valid(const PbLimit *limit) {
    return limit->amount >= 1 && limit->amount <= limit_amount_max(limit->unit);
}

static struct due on_clock(int64_t due_ms) {
    return (struct due){due_ms, false};
}

struct due limit_due(const PbCalendar *c, int64_t start_ms, const PbLimit *limit) {
    CHECK(start_ms >= 0 && start_ms <= INSTANT_MS_MAX);
    CHECK(limit->amount >= 0 && limit->amount <= limit_amount_max(limit->unit));
    switch (limit->unit) {
    case UNIT_CLOCK_MINUTES: return on_clock(start_ms + limit->amount * MINUTE_MS);
    case UNIT_CLOCK_HOURS: return on_clock(start_ms + limit->amount * HOUR_MS);
    case UNIT_MILLISECONDS: return on_clock(start_ms + limit->amount);
    case UNIT_WORK_HOURS: return work_walk(c, start_ms, limit->amount * HOUR_MS);
    case UNIT_WORK_DAYS: return work_days(c, start_ms, limit->amount);
    case UNIT_CALENDAR_DAYS: return on_clock(wall_days(c, start_ms, limit->amount));
    case UNIT_WEEKS: return on_clock(wall_days(c, start_ms, limit->amount * 7));
    case UNIT_MONTHS: return on_clock(wall_months(c, start_ms, limit->amount));
    default: NEVER("a limit without a unit");
    }
}

static bool unit_is_working(PbUnit unit) {
    return unit == UNIT_WORK_HOURS || unit == UNIT_WORK_DAYS;
}

int64_t unit_measure(const PbCalendar *c, PbUnit unit, int64_t from_ms, int64_t to_ms) {
    if (to_ms <= from_ms)
        return 0;
    return unit_is_working(unit) ? work_measure(c, from_ms, to_ms) : to_ms - from_ms;
}

struct due unit_walk(const PbCalendar *c, PbUnit unit, int64_t start_ms, int64_t length_ms) {
    CHECK(length_ms >= 0);
    return unit_is_working(unit) ? work_walk(c, start_ms, length_ms) : on_clock(start_ms + length_ms);
}

struct due limit_share(const PbCalendar *c, int64_t start_ms, const PbLimit *limit, uint32_t percent) {
    CHECK(percent <= 100);
    struct due whole = limit_due(c, start_ms, limit);
    int64_t length = unit_measure(c, limit->unit, start_ms, whole.due_ms);
    struct due share = unit_walk(c, limit->unit, start_ms, length * percent / 100);
    share.past_calendar |= whole.past_calendar;
    CHECK(share.due_ms <= whole.due_ms);
    return share;
}

/* ---- the same calendar? ------------------------------------------------------------------------------------------ */

static bool windows_same(PbWindow *const *a, size_t a_count, PbWindow *const *b, size_t b_count) {
    for (size_t i = 0; i < a_count && a_count == b_count; i++)
        if (a[i]->open_minute != b[i]->open_minute || a[i]->close_minute != b[i]->close_minute) return false;
    return a_count == b_count;
}

bool calendar_same(const PbCalendar *a, const PbCalendar *b) {
    if (a->first_date != b->first_date || a->last_date != b->last_date || a->n_steps != b->n_steps
        || a->n_week != b->n_week || a->n_days != b->n_days
        || !windows_same(a->working_day, a->n_working_day, b->working_day, b->n_working_day))
        return false;
    for (size_t i = 0; i < a->n_steps; i++)
        if (a->steps[i]->from_ms != b->steps[i]->from_ms || a->steps[i]->offset_s != b->steps[i]->offset_s)
            return false;
    for (size_t i = 0; i < a->n_week; i++)
        if (!windows_same(a->week[i]->windows, a->week[i]->n_windows, b->week[i]->windows, b->week[i]->n_windows))
            return false;
    for (size_t i = 0; i < a->n_days; i++) {
        const PbDay *x = a->days[i], *y = b->days[i];
        if (x->date != y->date || x->working != y->working
            || !windows_same(x->windows, x->n_windows, y->windows, y->n_windows))
            return false;
    }
    return true;
}
