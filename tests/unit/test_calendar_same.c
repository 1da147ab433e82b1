/* Two calendars: deadlines are computed again only where one has become another, so no part of it may change unseen;
 * and one that stops opening ends a limit where it stands, and says so. */
#include "tests/unit/rules_fixture.h"

#include <setjmp.h>
#include <string.h>

#include <cmocka.h>

static PbWindow morning = {.open_minute = 510, .close_minute = 720}, afternoon = {.open_minute = 840,
    .close_minute = 1080}, early = {.open_minute = 511, .close_minute = 720}, late = {.open_minute = 840,
    .close_minute = 1081};
static PbWindow *hours[] = {&morning, &afternoon}, *early_hours[] = {&early, &afternoon},
    *late_hours[] = {&morning, &late};
static PbWeekday open_day = {.n_windows = 2, .windows = hours}, half_day = {.n_windows = 1, .windows = hours};
static PbWeekday *week[] = {&open_day, &open_day}, *short_week[] = {&open_day, &half_day};
static PbDay first = {.date = 20260101}, eve = {.date = 20260104, .working = true},
    moved = {.date = 20260105, .working = true}, free_eve = {.date = 20260104},
    own_hours = {.date = 20260104, .working = true, .n_windows = 2, .windows = hours};
static PbDay *days[] = {&first, &eve}, *moved_days[] = {&first, &moved}, *free_days[] = {&first, &free_eve},
    *own_days[] = {&first, &own_hours};
static PbZoneStep east8 = {.offset_s = 28800}, east9 = {.offset_s = 32400}, since = {.from_ms = 1, .offset_s = 28800};
static PbZoneStep *zone[] = {&east8}, *tokyo[] = {&east9}, *later_zone[] = {&since};

static const PbCalendar office = {
    .name = (char *)"china", .zone = (char *)"Asia/Shanghai", .n_steps = 1, .steps = zone, .n_week = 2, .week = week,
    .n_days = 2, .days = days, .n_working_day = 2, .working_day = hours, .first_date = 20260101,
    .last_date = 20261231,
};

static void a_calendar_is_the_same_only_where_all_of_it_is(void **state) {
    (void)state;
    PbCalendar other[14];
    for (size_t i = 0; i < COUNT_OF(other); i++) other[i] = office;
    other[0].first_date++, other[1].last_date--, other[2].n_steps = 0, other[3].n_week = 1, other[4].n_days = 1;
    other[5].n_working_day = 1, other[6].working_day = early_hours, other[7].working_day = late_hours;
    other[8].steps = tokyo, other[9].steps = later_zone, other[10].week = short_week;
    other[11].days = moved_days, other[12].days = free_days, other[13].days = own_days;
    for (size_t i = 0; i < COUNT_OF(other); i++) {
        assert_false(calendar_same(&office, &other[i]));
        assert_false(calendar_same(&other[i], &office));
        assert_true(calendar_same(&other[i], &other[i]));
    }
}

static void what_it_is_called_makes_no_other_calendar(void **state) {
    (void)state;
    PbCalendar renamed = office;
    renamed.name = (char *)"office", renamed.zone = (char *)"Asia/Chongqing";
    assert_true(calendar_same(&office, &renamed));
}

/* As a desk that was open for one last day. */
static void a_calendar_that_stops_opening_gives_up_in_the_middle_and_says_so(void **state) {
    (void)state;
    PbWeekday closed = {.n_windows = 0}, *never[] = {&closed, &closed, &closed, &closed, &closed, &closed, &closed};
    PbCalendar ends = office;
    ends.n_week = 7, ends.week = never, ends.last_date = 99991231;
    int64_t start = days_of_date(20260104) * 86400000 + 3600000;     /* 09:00 of that day, in its zone */
    const PbLimit at_once = {.unit = UNIT_WORK_DAYS}, next_day = {.unit = UNIT_WORK_DAYS, .amount = 1};
    const PbLimit that_day = {.unit = UNIT_WORK_HOURS, .amount = 7}, too_much = {.unit = UNIT_WORK_HOURS, .amount = 8};
    assert_int_equal(limit_due(&ends, start, &at_once).due_ms, start);
    assert_false(limit_due(&ends, start, &that_day).past_calendar);
    assert_true(limit_due(&ends, start, &too_much).past_calendar);
    assert_true(limit_due(&ends, start, &next_day).past_calendar);
    assert_true(limit_due(&ends, start, &next_day).due_ms > start);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_calendar_is_the_same_only_where_all_of_it_is),
        cmocka_unit_test(what_it_is_called_makes_no_other_calendar),
        cmocka_unit_test(a_calendar_that_stops_opening_gives_up_in_the_middle_and_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
