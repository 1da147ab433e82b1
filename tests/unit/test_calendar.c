/* Where limits end: cases worked out by hand on paper calendars, and laws that hold for any calendar and any
 * instant. */
#include "daemon/kernel/kernel.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define MINUTE 60000LL
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

/* ---- calendars --------------------------------------------------------------------------------------------------- */

static PbWindow morning = {.open_minute = 8 * 60 + 30, .close_minute = 12 * 60},
                afternoon = {.open_minute = 14 * 60, .close_minute = 18 * 60};
static PbWindow whole = {.open_minute = 0, .close_minute = 1440};
static PbWindow *office_hours[] = {&morning, &afternoon}, *always[] = {&whole};
static PbWeekday office_day = {.n_windows = 2, .windows = office_hours}, open_day = {.n_windows = 1, .windows = always},
                 closed_day;
static PbWeekday *office_week[] = {
    &office_day, &office_day, &office_day, &office_day, &office_day, &closed_day, &closed_day};
static PbWeekday *open_week[] = {&open_day, &open_day, &open_day, &open_day, &open_day, &open_day, &open_day};
static PbWeekday *closed_week[] = {
    &closed_day, &closed_day, &closed_day, &closed_day, &closed_day, &closed_day, &closed_day};

/* China 2026: the State Council's notice. 1 is a day of work that would be a day off. */
static const struct { uint32_t date; bool working; } notice[] = {
    {20260101, 0}, {20260102, 0}, {20260103, 0}, {20260104, 1}, {20260214, 1}, {20260215, 0}, {20260216, 0},
    {20260217, 0}, {20260218, 0}, {20260219, 0}, {20260220, 0}, {20260221, 0}, {20260222, 0}, {20260223, 0},
    {20260228, 1}, {20260404, 0}, {20260405, 0}, {20260406, 0}, {20260501, 0}, {20260502, 0}, {20260503, 0},
    {20260504, 0}, {20260505, 0}, {20260509, 1}, {20260619, 0}, {20260620, 0}, {20260621, 0}, {20260920, 1},
    {20260925, 0}, {20260926, 0}, {20260927, 0}, {20261001, 0}, {20261002, 0}, {20261003, 0}, {20261004, 0},
    {20261005, 0}, {20261006, 0}, {20261007, 0}, {20261010, 1},
};
static PbDay days[COUNT_OF(notice)], *day_list[COUNT_OF(notice)];
static PbZoneStep east8 = {.from_ms = 0, .offset_s = 8 * 3600}, *shanghai[] = {&east8};
static PbCalendar china = {.n_steps = 1, .steps = shanghai, .n_week = 7, .week = office_week, .first_date = 20260101,
    .last_date = 20261231, .n_days = COUNT_OF(notice), .days = day_list, .n_working_day = 2,
    .working_day = office_hours};

/* New York 2015: 2015-03-08 07:00Z and 2015-11-01 06:00Z. */
static PbZoneStep winter = {.from_ms = 1414908000000, .offset_s = -5 * 3600},
                  summer = {.from_ms = 1425798000000, .offset_s = -4 * 3600},
                  winter_again = {.from_ms = 1446357600000, .offset_s = -5 * 3600};
static PbZoneStep *new_york_steps[] = {&winter, &summer, &winter_again};
static PbCalendar new_york = {.n_steps = 3, .steps = new_york_steps, .n_week = 7, .week = open_week,
    .first_date = 20150101, .last_date = 20151231};

static int papers_are_printed(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(notice); i++) {
        days[i] = (PbDay){.date = notice[i].date, .working = notice[i].working};
        day_list[i] = &days[i];
    }
    return 0;
}

/* "2026-02-14 09:00" as milliseconds on the local clock, and back with the seconds. */
static int64_t local_ms(const char *text) {
    unsigned year, month, day, hour, minute;
    assert_int_equal(sscanf(text, "%u-%u-%u %u:%u", &year, &month, &day, &hour, &minute), 5);
    return days_of_date(year * 10000 + month * 100 + day) * DAY + hour * HOUR + minute * MINUTE;
}

static int64_t china_at(const char *text) { return local_ms(text) - 8 * HOUR; }

static void assert_local(const PbCalendar *c, int64_t at_ms, const char *expected) {
    char text[64];
    uint32_t date = calendar_date(c, at_ms);
    int64_t time = at_ms + calendar_offset_ms(c, at_ms) - days_of_date(date) * DAY;
    int len = snprintf(text, sizeof text, "%04u-%02u-%02u %02d:%02d", date / 10000, date / 100 % 100, date % 100,
        (int)(time / HOUR), (int)(time / MINUTE % 60));
    if (time % MINUTE)
        snprintf(text + len, sizeof text - (size_t)len, ":%02d.%03d", (int)(time / 1000 % 60), (int)(time % 1000));
    assert_string_equal(text, expected);
}

static void expect(const char *start, int64_t amount, PbUnit unit, const char *due) {
    struct due d = limit_due(&china, china_at(start), &(PbLimit){.unit = unit, .amount = amount});
    assert_local(&china, d.due_ms, due);
    assert_false(d.past_calendar);
}

static void expect_share(const char *start, int64_t amount, PbUnit unit, uint32_t percent, const char *due) {
    struct due d = limit_share(&china, china_at(start), &(PbLimit){.unit = unit, .amount = amount}, percent);
    assert_local(&china, d.due_ms, due);
}

/* ---- dates ------------------------------------------------------------------------------------------------------- */

static void every_day_from_1600_to_2400_has_one_date(void **state) {
    (void)state;
    uint32_t before = 0;
    for (int64_t day = days_of_date(16000101); day <= days_of_date(24001231); day++) {
        uint32_t date = date_of_days(day);
        assert_true(date > before);
        assert_int_equal(days_of_date(date), day);
        before = date;
    }
    assert_int_equal(days_of_date(19700101), 0);
    assert_int_equal(date_of_days(days_of_date(10101)), 10101);
    assert_int_equal(date_of_days(days_of_date(99991231)), 99991231);
    assert_int_equal(days_of_date(24001231) - days_of_date(16000101), 801 * 365 + 195 - 1);
    assert_int_equal(days_of_date(20260214), 20498);
}

static void a_date_that_does_not_exist_is_none(void **state) {
    (void)state;
    static const uint32_t none[] = {
        20150230, 20150229, 21000229, 20150431, 20151301, 20150001, 20150100, 20150132, 101, 100000101, 0};
    for (size_t i = 0; i < COUNT_OF(none); i++)
        assert_int_equal(days_of_date(none[i]), INT64_MIN);
    assert_int_not_equal(days_of_date(20000229), INT64_MIN);
    assert_int_not_equal(days_of_date(20240229), INT64_MIN);
}

/* ---- working time ------------------------------------------------------------------------------------------------ */

static void a_make_up_saturday_is_a_working_day(void **state) {
    (void)state;
    expect("2026-02-13 10:00", 1, UNIT_WORK_DAYS, "2026-02-14 10:00");
    expect("2026-02-14 10:00", 1, UNIT_WORK_HOURS, "2026-02-14 11:00");
    assert_true(calendar_is_open(&china, china_at("2026-02-14 10:00")));
    assert_false(calendar_is_open(&china, china_at("2026-02-07 10:00")));
}

static void spring_festival_is_stepped_over(void **state) {
    (void)state;
    expect("2026-02-13 10:00", 2, UNIT_WORK_DAYS, "2026-02-24 10:00");
    expect("2026-02-13 10:00", 5, UNIT_WORK_DAYS, "2026-02-27 10:00");
    expect("2026-02-13 10:00", 6, UNIT_WORK_DAYS, "2026-02-28 10:00");
    expect("2026-02-13 10:00", 7, UNIT_WORK_DAYS, "2026-03-02 10:00");
    expect("2026-02-14 09:00", 10, UNIT_WORK_DAYS, "2026-03-06 09:00");
    expect("2026-02-14 17:00", 4, UNIT_WORK_HOURS, "2026-02-24 11:30");
    expect("2026-02-28 17:30", 1, UNIT_WORK_HOURS, "2026-03-02 09:00");
}

static void moving_one_day_on_paper_moves_what_lies_behind_it(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(notice); i++)
        if (days[i].date == 20260228)
            days[i].working = false;
    expect("2026-02-13 10:00", 5, UNIT_WORK_DAYS, "2026-02-27 10:00");
    expect("2026-02-13 10:00", 6, UNIT_WORK_DAYS, "2026-03-02 10:00");
    papers_are_printed(NULL);
    expect("2026-02-13 10:00", 6, UNIT_WORK_DAYS, "2026-02-28 10:00");
}

static void lunch_is_not_working_time(void **state) {
    (void)state;
    expect("2026-02-13 11:00", 2, UNIT_WORK_HOURS, "2026-02-13 15:00");
    expect("2026-02-13 12:30", 1, UNIT_WORK_DAYS, "2026-02-14 14:00");
    expect("2026-02-13 12:00", 0, UNIT_WORK_HOURS, "2026-02-13 14:00");
}

static void a_due_that_falls_on_a_close_stays_there(void **state) {
    (void)state;
    expect("2026-02-13 11:00", 1, UNIT_WORK_HOURS, "2026-02-13 12:00");
    expect("2026-02-13 15:00", 3, UNIT_WORK_HOURS, "2026-02-13 18:00");
    struct due d = unit_walk(&china, UNIT_WORK_HOURS, china_at("2026-02-14 16:30"), 5 * HOUR);
    assert_local(&china, d.due_ms, "2026-02-24 12:00");
}

static void a_start_outside_hours_is_the_next_opening(void **state) {
    (void)state;
    expect("2026-02-14 07:00", 1, UNIT_WORK_HOURS, "2026-02-14 09:30");
    expect("2026-02-14 18:00", 1, UNIT_WORK_DAYS, "2026-02-25 08:30");
    expect("2026-02-14 18:00", 1, UNIT_WORK_HOURS, "2026-02-24 09:30");
    expect("2026-02-17 03:00", 3, UNIT_WORK_DAYS, "2026-02-27 08:30");
    bool past = true;
    assert_local(&china, calendar_opening(&china, china_at("2026-02-14 20:00"), &past), "2026-02-24 08:30");
    assert_local(&china, calendar_opening(&china, china_at("2026-02-24 09:15"), &past), "2026-02-24 09:15");
    assert_false(past);
}

static void a_budget_of_nothing_is_due_at_once_or_at_the_opening(void **state) {
    (void)state;
    static const PbUnit clocks[] = {
        UNIT_CLOCK_MINUTES, UNIT_CLOCK_HOURS, UNIT_CALENDAR_DAYS, UNIT_MILLISECONDS, UNIT_WEEKS, UNIT_MONTHS};
    for (size_t i = 0; i < COUNT_OF(clocks); i++)
        expect("2026-02-14 20:00", 0, clocks[i], "2026-02-14 20:00");
    expect("2026-02-14 20:00", 0, UNIT_WORK_HOURS, "2026-02-24 08:30");
    expect("2026-02-14 20:00", 0, UNIT_WORK_DAYS, "2026-02-24 08:30");
    expect("2026-02-14 10:00", 0, UNIT_WORK_DAYS, "2026-02-14 10:00");
}

static void a_day_with_hours_of_its_own_moves_the_due_into_them(void **state) {
    (void)state;
    PbWindow early = {.open_minute = 510, .close_minute = 720}, late = {.open_minute = 930, .close_minute = 1080},
             *own[2];
    PbDay *eve = day_list[4];
    assert_int_equal(eve->date, 20260214);
    eve->windows = own, eve->n_windows = 1, own[0] = &early;
    expect("2026-02-13 15:00", 1, UNIT_WORK_DAYS, "2026-02-14 12:00");      /* no opening follows: the last close */
    expect("2026-02-13 17:00", 2, UNIT_WORK_HOURS, "2026-02-14 09:30");
    own[0] = &late;
    expect("2026-02-13 14:30", 1, UNIT_WORK_DAYS, "2026-02-14 15:30");      /* the next opening */
    eve->n_windows = 2, own[0] = &early, own[1] = &late;
    expect("2026-02-13 14:30", 1, UNIT_WORK_DAYS, "2026-02-14 15:30");
    expect("2026-02-13 11:59", 1, UNIT_WORK_DAYS, "2026-02-14 11:59");
    early.close_minute = 660;
    expect("2026-02-13 11:00", 1, UNIT_WORK_DAYS, "2026-02-14 15:30");      /* a close is not open */
    papers_are_printed(NULL);
}

static void a_reminder_lands_in_working_time(void **state) {
    (void)state;
    expect_share("2026-02-14 17:00", 4, UNIT_WORK_HOURS, 80, "2026-02-24 10:42");
    expect_share("2026-02-14 09:00", 2, UNIT_WORK_DAYS, 80, "2026-02-24 15:30");
    expect_share("2026-02-14 17:00", 4, UNIT_WORK_HOURS, 25, "2026-02-14 18:00");
    expect_share("2026-02-14 17:00", 4, UNIT_WORK_HOURS, 0, "2026-02-14 17:00");
    expect_share("2026-02-14 17:00", 10, UNIT_CLOCK_HOURS, 80, "2026-02-15 01:00");
    expect_share("2026-02-14 12:00", 5, UNIT_CALENDAR_DAYS, 80, "2026-02-18 12:00");
}

static void a_share_is_rounded_down_to_a_millisecond(void **state) {
    (void)state;
    struct due d = limit_share(&china, 1000, &(PbLimit){.unit = UNIT_MILLISECONDS, .amount = 33}, 80);
    assert_int_equal(d.due_ms, 1026);
}

static void past_the_last_known_year_is_said_and_not_silently_monday_to_friday(void **state) {
    (void)state;
    PbLimit one = {.unit = UNIT_WORK_DAYS, .amount = 1}, hours = {.unit = UNIT_WORK_HOURS, .amount = 8},
            days_90 = {.unit = UNIT_CALENDAR_DAYS, .amount = 90};
    expect("2026-12-30 10:00", 1, UNIT_WORK_DAYS, "2026-12-31 10:00");
    struct due d = limit_due(&china, china_at("2026-12-31 10:00"), &one);
    assert_local(&china, d.due_ms, "2027-01-01 10:00");
    assert_true(d.past_calendar);
    assert_true(limit_due(&china, china_at("2026-12-31 10:00"), &hours).past_calendar);
    assert_true(limit_due(&china, china_at("2025-12-31 10:00"), &hours).past_calendar);
    assert_true(limit_share(&china, china_at("2026-12-31 10:00"), &hours, 10).past_calendar);
    assert_false(limit_due(&china, china_at("2026-12-31 10:00"), &days_90).past_calendar);
    bool past = false;
    calendar_opening(&china, china_at("2026-12-31 20:00"), &past);
    assert_true(past);
}

static void a_calendar_that_never_opens_gives_up_and_says_so(void **state) {
    (void)state;
    PbCalendar never = {.n_week = 7, .week = closed_week, .first_date = 19700101, .last_date = 99991231};
    for (int64_t amount = 0; amount < 3; amount++) {
        struct due d = limit_due(&never, 0, &(PbLimit){.unit = UNIT_WORK_DAYS, .amount = amount});
        assert_true(d.past_calendar);
        assert_int_equal(d.due_ms, 200 * 366 * DAY);
        assert_true(
            limit_due(&never, INSTANT_MS_MAX, &(PbLimit){.unit = UNIT_WORK_HOURS, .amount = amount}).past_calendar);
    }
    assert_false(calendar_is_open(&never, 0));
    assert_int_equal(unit_measure(&never, UNIT_WORK_DAYS, 0, 400 * DAY), 0);
}

static void each_unit_takes_its_largest_budget_at_the_last_instant(void **state) {
    (void)state;
    static const int64_t most[] = {[UNIT_CLOCK_MINUTES] = 10080, [UNIT_CLOCK_HOURS] = 52560, [UNIT_WORK_HOURS] = 4000,
        [UNIT_WORK_DAYS] = 500, [UNIT_CALENDAR_DAYS] = 1830, [UNIT_MILLISECONDS] = PROMISE_MS_MAX, [UNIT_WEEKS] = 260,
        [UNIT_MONTHS] = 60};
    for (int unit = UNIT_CLOCK_MINUTES; unit <= UNIT_MONTHS; unit++) {
        struct due d = limit_due(&china, INSTANT_MS_MAX, &(PbLimit){.unit = (PbUnit)unit, .amount = most[unit]});
        assert_true(d.due_ms > INSTANT_MS_MAX);
        assert_true(calendar_date(&china, d.due_ms) > 83070000);
    }
}

/* ---- wall time --------------------------------------------------------------------------------------------------- */

/* 2015: before 8 March and from 1 November on; between them. */
static int64_t east_at(const char *text) { return local_ms(text) + 5 * HOUR; }
static int64_t edt_at(const char *text) { return local_ms(text) + 4 * HOUR; }

static int64_t ny_due(int64_t start, int64_t amount, PbUnit unit) {
    return limit_due(&new_york, start, &(PbLimit){.unit = unit, .amount = amount}).due_ms;
}

static void calendar_days_keep_the_wall_time_when_the_clock_is_changed(void **state) {
    (void)state;
    assert_int_equal(ny_due(east_at("2015-03-07 10:00"), 1, UNIT_CALENDAR_DAYS), edt_at("2015-03-08 10:00"));
    assert_int_equal(ny_due(east_at("2015-03-07 10:00"), 24, UNIT_CLOCK_HOURS), edt_at("2015-03-08 11:00"));
    assert_int_equal(ny_due(edt_at("2015-10-31 10:00"), 1, UNIT_CALENDAR_DAYS), east_at("2015-11-01 10:00"));
    assert_int_equal(ny_due(edt_at("2015-10-31 10:00"), 24, UNIT_CLOCK_HOURS), east_at("2015-11-01 09:00"));
    assert_int_equal(ny_due(east_at("2015-01-15 10:00"), 300, UNIT_CALENDAR_DAYS), east_at("2015-11-11 10:00"));
    assert_int_equal(ny_due(east_at("2015-02-08 10:00"), 5, UNIT_WEEKS), edt_at("2015-03-15 10:00"));
}

static void a_wall_time_that_is_skipped_is_the_moment_of_the_change(void **state) {
    (void)state;
    int64_t change = summer.from_ms;
    assert_int_equal(ny_due(east_at("2015-03-07 02:30"), 1, UNIT_CALENDAR_DAYS), change);
    assert_int_equal(ny_due(east_at("2015-03-07 02:00"), 1, UNIT_CALENDAR_DAYS), change);
    assert_int_equal(ny_due(east_at("2015-03-07 03:00"), 1, UNIT_CALENDAR_DAYS), change);
    assert_int_equal(ny_due(east_at("2015-03-07 01:59"), 1, UNIT_CALENDAR_DAYS), change - MINUTE);
    assert_int_equal(ny_due(east_at("2015-02-08 02:30"), 1, UNIT_MONTHS), change);
}

static void a_wall_time_that_comes_twice_is_the_first(void **state) {
    (void)state;
    int64_t change = winter_again.from_ms;
    assert_int_equal(ny_due(edt_at("2015-10-31 01:30"), 1, UNIT_CALENDAR_DAYS), change - 30 * MINUTE);
    assert_int_equal(ny_due(edt_at("2015-10-31 02:00"), 1, UNIT_CALENDAR_DAYS), change + HOUR);
    assert_int_equal(ny_due(edt_at("2015-10-31 00:59"), 1, UNIT_CALENDAR_DAYS), change - 61 * MINUTE);
    /* and a limit that starts in the second hour never goes back to the first */
    for (int unit = UNIT_CLOCK_MINUTES; unit <= UNIT_MONTHS; unit++)
        assert_int_equal(ny_due(change + 30 * MINUTE, 0, (PbUnit)unit), change + 30 * MINUTE);
}

static void a_window_that_ends_in_the_hour_that_comes_twice_ends_in_the_first(void **state) {
    (void)state;
    PbWindow night = {.open_minute = 0, .close_minute = 90}, *windows[] = {&night};
    PbWeekday day = {.n_windows = 1, .windows = windows}, *week[] = {&day, &day, &day, &day, &day, &day, &day};
    PbCalendar nights = new_york;
    nights.week = week;
    int64_t close = winter_again.from_ms - 30 * MINUTE;
    assert_true(calendar_is_open(&nights, close - 1));
    for (int64_t at = close; at < close + 2 * HOUR; at += 10 * MINUTE)
        assert_int_equal(calendar_opening(&nights, at, NULL), east_at("2015-11-02 00:00"));
}

static void a_day_of_23_or_25_hours_has_as_many_working_hours(void **state) {
    (void)state;
    assert_int_equal(ny_due(east_at("2015-03-08 00:00"), 23, UNIT_WORK_HOURS), edt_at("2015-03-09 00:00"));
    assert_int_equal(ny_due(edt_at("2015-11-01 00:00"), 25, UNIT_WORK_HOURS), east_at("2015-11-02 00:00"));
    assert_int_equal(unit_measure(&new_york, UNIT_WORK_DAYS, east_at("2015-03-08 00:00"), east_at("2015-11-02 00:00")),
        east_at("2015-11-02 00:00") - east_at("2015-03-08 00:00"));
    assert_int_equal(ny_due(east_at("2015-03-06 09:00"), 3, UNIT_WORK_DAYS), edt_at("2015-03-09 09:00"));
}

static void months_recur_on_the_same_day_or_the_last_of_the_month(void **state) {
    (void)state;
    expect("2026-01-31 09:15", 1, UNIT_MONTHS, "2026-02-28 09:15");
    expect("2026-01-31 09:15", 2, UNIT_MONTHS, "2026-03-31 09:15");
    expect("2026-01-31 09:15", 3, UNIT_MONTHS, "2026-04-30 09:15");
    expect("2026-12-15 23:59", 1, UNIT_MONTHS, "2027-01-15 23:59");
    expect("2027-01-31 00:00", 13, UNIT_MONTHS, "2028-02-29 00:00");
    expect("2024-02-29 12:00", 12, UNIT_MONTHS, "2025-02-28 12:00");
    expect("2026-02-14 09:00", 2, UNIT_WEEKS, "2026-02-28 09:00");
}

static void the_local_date_is_that_of_the_zone(void **state) {
    (void)state;
    assert_int_equal(calendar_date(&china, china_at("2026-02-14 00:00")), 20260214);
    assert_int_equal(calendar_date(&china, china_at("2026-02-14 00:00") - 1), 20260213);
    assert_int_equal(calendar_date(&new_york, 0), 19691231);
    assert_int_equal(calendar_offset_ms(&new_york, summer.from_ms - 1), -5 * HOUR);
    assert_int_equal(calendar_offset_ms(&new_york, summer.from_ms), -4 * HOUR);
    assert_int_equal(calendar_offset_ms(&new_york, 0), -5 * HOUR);
}

/* ---- laws -------------------------------------------------------------------------------------------------------- */

static uint64_t seed = 20260214;

static uint64_t random_below(uint64_t n) {
    seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
    return seed % n;
}

/* A calendar nobody would print: up to three windows a day, one day in five dated, zone steps of up to two hours a
 * few times a year. */
enum { ODD_DAYS = 400, ODD_STEPS = 8 };
static struct odd {
    PbCalendar c;
    PbWindow windows[64];
    PbWindow *lists[20][3];
    PbWeekday weekdays[7], *week[7];
    PbDay days[ODD_DAYS], *day_list[ODD_DAYS];
    PbZoneStep steps[ODD_STEPS], *step_list[ODD_STEPS];
    size_t windows_count;
} odd;

static size_t odd_windows(PbWindow **list, size_t least) {
    size_t count = least + random_below(4 - least), at = 0;
    for (size_t i = 0; i < count; i++) {
        PbWindow *w = &odd.windows[odd.windows_count++];
        w->open_minute = (uint32_t)(at + random_below(200));
        w->close_minute = w->open_minute + 1 + (uint32_t)random_below(250);
        at = w->close_minute;
        list[i] = w;
    }
    return count;
}

static const PbCalendar *odd_calendar(bool steps) {
    int64_t first = days_of_date(20250101);
    size_t count = 0, lists = 8;
    memset(&odd, 0, sizeof odd);
    for (size_t i = 0; i < 7; i++) {
        odd.weekdays[i].n_windows = odd_windows(odd.lists[i], i == 2);
        odd.weekdays[i].windows = odd.lists[i];
        odd.week[i] = &odd.weekdays[i];
    }
    for (int64_t day = first; day < first + 700 && count < ODD_DAYS; day++) {
        if (random_below(5))
            continue;
        PbDay *d = odd.day_list[count] = &odd.days[count];
        *d = (PbDay){.date = date_of_days(day), .working = random_below(2) != 0};
        if (d->working && lists < COUNT_OF(odd.lists) && random_below(8) == 0) {
            d->windows = odd.lists[lists];
            d->n_windows = odd_windows(odd.lists[lists++], 1);
        }
        count++;
    }
    for (size_t i = 0; i < ODD_STEPS; i++) {
        odd.steps[i] = (PbZoneStep){.from_ms = (first + 60 * (int64_t)i) * DAY + (int64_t)random_below(48) * HOUR / 2,
            .offset_s = (int32_t)random_below(5) * 1800 + 7200};
        odd.step_list[i] = &odd.steps[i];
    }
    odd.c = (PbCalendar){.n_week = 7, .week = odd.week, .n_days = count, .days = odd.day_list, .first_date = 20250101,
        .last_date = 20261231, .n_steps = steps ? ODD_STEPS : 1, .steps = odd.step_list};
    odd.c.n_working_day = odd_windows(odd.lists[7], 1), odd.c.working_day = odd.lists[7];
    return &odd.c;
}

static int64_t odd_instant(void) {
    return days_of_date(20250102) * DAY + (int64_t)random_below(500ULL * 1440) * MINUTE;
}

static PbLimit odd_limit(void) {
    PbUnit unit = (PbUnit)(UNIT_CLOCK_MINUTES + random_below(8));
    return (PbLimit){.unit = unit, .amount = (int64_t)random_below(unit == UNIT_MONTHS ? 6 : 24)};
}

/* The windows of a local day, read from the paper without any cleverness. */
static size_t paper_windows(const PbCalendar *c, int64_t day, PbWindow ***ret) {
    *ret = c->week[(day + 3) % 7]->windows;
    size_t count = c->week[(day + 3) % 7]->n_windows;
    for (size_t i = 0; i < c->n_days; i++)
        if (c->days[i]->date == date_of_days(day)) {
            const PbDay *d = c->days[i];
            *ret = d->n_windows ? d->windows : c->working_day;
            count = !d->working ? 0 : d->n_windows ? d->n_windows : c->n_working_day;
        }
    return count;
}

static bool minute_is_open(const PbCalendar *c, int64_t at_ms) {
    int64_t local = at_ms + c->steps[0]->offset_s * 1000LL;
    uint32_t minute = (uint32_t)(local % DAY / MINUTE);
    PbWindow **windows;
    size_t count = paper_windows(c, local / DAY, &windows);
    for (size_t i = 0; i < count; i++)
        if (minute >= windows[i]->open_minute && minute < windows[i]->close_minute)
            return true;
    return false;
}

static void working_hours_are_those_that_one_counts_minute_by_minute(void **state) {
    (void)state;
    for (int round = 0; round < 40; round++) {
        const PbCalendar *c = odd_calendar(false);
        int64_t start = odd_instant(),
                end = limit_due(c, start, &(PbLimit){.unit = UNIT_WORK_HOURS, .amount = 1}).due_ms, open = 0;
        for (int64_t at = start; at < end; at += MINUTE) {
            bool is_open = minute_is_open(c, at);
            assert_int_equal(is_open, calendar_is_open(c, at));
            open += is_open;
        }
        assert_int_equal(open, 60);
        assert_true(minute_is_open(c, end - MINUTE));
        assert_int_equal(unit_measure(c, UNIT_WORK_HOURS, start, end), HOUR);
    }
}

/* The last days of a long month all recur on the last of a short one, each at its own time: so months keep the order
 * of dates only. */
static void assert_in_order(const PbCalendar *c, PbUnit unit, int64_t first, int64_t second) {
    if (unit == UNIT_MONTHS)
        assert_true(calendar_date(c, first) <= calendar_date(c, second));
    else
        assert_true(first <= second);
}

static void no_due_is_before_its_start_and_a_later_start_is_never_due_earlier(void **state) {
    (void)state;
    for (int round = 0; round < 400; round++) {
        const PbCalendar *c = odd_calendar(false);
        for (int i = 0; i < 50; i++) {
            PbLimit limit = odd_limit();
            int64_t a = odd_instant(), b = a + (int64_t)random_below(3 * DAY);
            struct due first = limit_due(c, a, &limit), second = limit_due(c, b, &limit);
            assert_true(first.due_ms >= a && second.due_ms >= b);
            assert_in_order(c, limit.unit, first.due_ms, second.due_ms);
            assert_true(limit_share(c, a, &limit, 80).due_ms <= first.due_ms);
            assert_true(limit_share(c, a, &limit, 80).due_ms >= a);
        }
    }
}

static bool comes_twice(const PbCalendar *c, int64_t at) {
    for (size_t i = 1; i < c->n_steps; i++) {
        int64_t back = (c->steps[i - 1]->offset_s - c->steps[i]->offset_s) * 1000LL;
        if (at >= c->steps[i]->from_ms - back && at < c->steps[i]->from_ms + back)
            return true;
    }
    return false;
}

static void the_same_holds_where_the_clock_is_changed_except_in_the_hour_that_comes_twice(void **state) {
    (void)state;
    for (int round = 0; round < 400; round++) {
        const PbCalendar *c = odd_calendar(true);
        for (int i = 0; i < 50; i++) {
            PbLimit limit = odd_limit();
            const PbZoneStep *near = c->steps[1 + random_below(ODD_STEPS - 1)];
            int64_t a = near->from_ms + (int64_t)random_below(3 * DAY) - 2 * DAY, b = a + (int64_t)random_below(DAY);
            assert_true(limit_due(c, a, &limit).due_ms >= a);
            if (!comes_twice(c, a) && !comes_twice(c, b))
                assert_in_order(c, limit.unit, limit_due(c, a, &limit).due_ms, limit_due(c, b, &limit).due_ms);
        }
    }
}

static void a_walk_of_a_measured_length_comes_back_to_where_it_was_measured(void **state) {
    (void)state;
    for (int round = 0; round < 400; round++) {
        const PbCalendar *c = odd_calendar(round & 1);
        for (int i = 0; i < 50; i++) {
            PbUnit unit = (PbUnit)(UNIT_CLOCK_MINUTES + random_below(8));
            bool working = unit == UNIT_WORK_HOURS || unit == UNIT_WORK_DAYS;
            int64_t start = odd_instant(), length = (int64_t)random_below(30 * HOUR);
            struct due end = unit_walk(c, unit, start, length);
            assert_int_equal(unit_measure(c, unit, start, end.due_ms), length);
            int64_t to = start + (int64_t)random_below(9 * DAY), measured = unit_measure(c, unit, start, to);
            struct due back = unit_walk(c, unit, start, measured);
            if (!working || calendar_is_open(c, to - 1))
                assert_int_equal(back.due_ms, to > start ? to : working ? calendar_opening(c, start, NULL) : start);
            else if (measured)
                assert_true(back.due_ms <= to);
        }
    }
    assert_int_equal(unit_measure(&china, UNIT_CLOCK_HOURS, 2000, 1000), 0);
    assert_int_equal(unit_measure(&china, UNIT_WORK_HOURS, 2000, 1000), 0);
}

static void the_whole_share_of_working_hours_is_the_due(void **state) {
    (void)state;
    for (int round = 0; round < 200; round++) {
        const PbCalendar *c = odd_calendar(round & 1);
        for (int i = 0; i < 50; i++) {
            PbLimit limit = {.unit = UNIT_WORK_HOURS, .amount = (int64_t)random_below(40)};
            int64_t start = odd_instant();
            assert_int_equal(limit_share(c, start, &limit, 100).due_ms, limit_due(c, start, &limit).due_ms);
        }
    }
}

static void the_nth_working_day_is_the_nth_day_with_hours_after_the_start(void **state) {
    (void)state;
    for (int round = 0; round < 300; round++) {
        const PbCalendar *c = odd_calendar(false);
        int64_t start = odd_instant(), moved = calendar_opening(c, start, NULL), amount = (int64_t)random_below(15),
                passed = 0;
        int64_t due = limit_due(c, start, &(PbLimit){.unit = UNIT_WORK_DAYS, .amount = amount}).due_ms;
        int64_t offset = calendar_offset_ms(c, start), first = (moved + offset) / DAY, last = (due - 1 + offset) / DAY;
        if (amount == 0) {
            assert_int_equal(due, moved);
            continue;
        }
        for (int64_t day = first + 1; day <= last; day++)
            passed += paper_windows(c, day, &(PbWindow **){NULL}) > 0;
        /* a due at an opening belongs to the day that begins with it: one may open at 00:00 */
        assert_true(passed == amount || (passed == amount - 1 && (due + offset) % DAY == 0));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_day_from_1600_to_2400_has_one_date),
        cmocka_unit_test(a_date_that_does_not_exist_is_none),
        cmocka_unit_test(a_make_up_saturday_is_a_working_day),
        cmocka_unit_test(spring_festival_is_stepped_over),
        cmocka_unit_test(moving_one_day_on_paper_moves_what_lies_behind_it),
        cmocka_unit_test(lunch_is_not_working_time),
        cmocka_unit_test(a_due_that_falls_on_a_close_stays_there),
        cmocka_unit_test(a_start_outside_hours_is_the_next_opening),
        cmocka_unit_test(a_budget_of_nothing_is_due_at_once_or_at_the_opening),
        cmocka_unit_test(a_day_with_hours_of_its_own_moves_the_due_into_them),
        cmocka_unit_test(a_reminder_lands_in_working_time),
        cmocka_unit_test(a_share_is_rounded_down_to_a_millisecond),
        cmocka_unit_test(past_the_last_known_year_is_said_and_not_silently_monday_to_friday),
        cmocka_unit_test(a_calendar_that_never_opens_gives_up_and_says_so),
        cmocka_unit_test(each_unit_takes_its_largest_budget_at_the_last_instant),
        cmocka_unit_test(calendar_days_keep_the_wall_time_when_the_clock_is_changed),
        cmocka_unit_test(a_wall_time_that_is_skipped_is_the_moment_of_the_change),
        cmocka_unit_test(a_wall_time_that_comes_twice_is_the_first),
        cmocka_unit_test(a_window_that_ends_in_the_hour_that_comes_twice_ends_in_the_first),
        cmocka_unit_test(a_day_of_23_or_25_hours_has_as_many_working_hours),
        cmocka_unit_test(months_recur_on_the_same_day_or_the_last_of_the_month),
        cmocka_unit_test(the_local_date_is_that_of_the_zone),
        cmocka_unit_test(working_hours_are_those_that_one_counts_minute_by_minute),
        cmocka_unit_test(no_due_is_before_its_start_and_a_later_start_is_never_due_earlier),
        cmocka_unit_test(the_same_holds_where_the_clock_is_changed_except_in_the_hour_that_comes_twice),
        cmocka_unit_test(a_walk_of_a_measured_length_comes_back_to_where_it_was_measured),
        cmocka_unit_test(the_whole_share_of_working_hours_is_the_due),
        cmocka_unit_test(the_nth_working_day_is_the_nth_day_with_hours_after_the_start),
    };
    return cmocka_run_group_tests_name("calendar", tests, papers_are_printed, NULL);
}
