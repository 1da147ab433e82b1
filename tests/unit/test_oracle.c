/* A whole year of a real city: the deadlines that Boston promised in 2015, computed again. See config/drill/DATA.md. */
#include "daemon/kernel/kernel.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MINUTE 60000LL
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

enum { DEADLINES = 42385, AGREE_LEAST = 41305, COLUMN_OPEN = 1, COLUMN_TARGET = 2, COLUMN_TYPE = 7, COLUMNS = 8 };

static const char data_path[] = "config/drill/boston-2015-min.csv.gz";

static const struct { const char *type; int64_t working_days; } promises[] = {
    {"Pick up Dead Animal", 1}, {"CE Collection", 1}, {"Empty Litter Basket", 1}, {"Building Inspection Request", 3},
    {"Electrical", 5}, {"Sticker Request", 1}, {"Sidewalk Repair (Make Safe)", 1},
    {"General Comments For a Program or Policy", 10}, {"Ground Maintenance", 5}, {"Sign Repair", 10},
    {"Street Light Outages", 10},
};

static const uint32_t holidays[] = {20150101, 20150119, 20150216, 20150420, 20150525, 20150907, 20151012, 20151111,
    20151126, 20151225, 20160101, 20160118, 20160215};

/* 2014-11-02 06:00Z, 2015-03-08 07:00Z, 2015-11-01 06:00Z */
static PbZoneStep steps[] = {{.from_ms = 1414908000000, .offset_s = -5 * 3600},
    {.from_ms = 1425798000000, .offset_s = -4 * 3600}, {.from_ms = 1446357600000, .offset_s = -5 * 3600}};
static PbWindow hours = {.open_minute = 8 * 60 + 30, .close_minute = 17 * 60}, *windows[] = {&hours};
static PbWeekday working = {.n_windows = 1, .windows = windows}, off;
static PbWeekday *week[] = {&working, &working, &working, &working, &working, &off, &off};
static PbZoneStep *step_list[] = {&steps[0], &steps[1], &steps[2]};
static PbDay days[COUNT_OF(holidays)], *day_list[COUNT_OF(holidays)];
static PbCalendar boston = {.n_steps = 3, .steps = step_list, .n_week = 7, .week = week, .n_days = COUNT_OF(holidays),
    .days = day_list, .first_date = 20150101, .last_date = 20161231};

static int holidays_are_printed(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(holidays); i++) {
        days[i] = (PbDay){.date = holidays[i]};
        day_list[i] = &days[i];
    }
    return 0;
}

/* "2015-01-01T00:20:09" as milliseconds on the local clock. */
static int64_t local_ms(const char *text) {
    unsigned year, month, day, hour, minute, second;
    assert_int_equal(sscanf(text, "%u-%u-%uT%u:%u:%u", &year, &month, &day, &hour, &minute, &second), 6);
    return days_of_date(year * 10000 + month * 100 + day) * DAY + hour * HOUR + minute * MINUTE + second * 1000;
}

/* Summer time was from 02:00 on 8 March to 02:00 on 1 November. */
static int64_t instant_of(int64_t local) {
    bool summer = local >= local_ms("2015-03-08T02:00:00") && local < local_ms("2015-11-01T02:00:00");
    return local + (summer ? 4 : 5) * HOUR;
}

/* Cuts a line at its commas, in place. None of the columns that are used is ever quoted. */
static void cut(char *line, char *column[COLUMNS]) {
    for (int i = 0; i < COLUMNS; i++) {
        column[i] = line;
        line = strchr(line, ',');
        assert_non_null(line);
        *line++ = 0;
    }
}

static int64_t promised_days(const char *type) {
    for (size_t i = 0; i < COUNT_OF(promises); i++)
        if (strcmp(promises[i].type, type) == 0)
            return promises[i].working_days;
    return 0;
}

static void the_calendar_gives_the_deadlines_that_boston_promised_to_the_minute(void **state) {
    (void)state;
    char command[128], line[1024], *column[COLUMNS];
    unsigned deadlines = 0, agree = 0, past = 0;
    snprintf(command, sizeof command, "gzip -dc %s", data_path);
    FILE *rows = popen(command, "r");
    assert_non_null(rows);
    assert_non_null(fgets(line, sizeof line, rows));
    while (fgets(line, sizeof line, rows)) {
        cut(line, column);
        PbLimit limit = {.unit = UNIT_WORK_DAYS, .amount = promised_days(column[COLUMN_TYPE])};
        if (limit.amount == 0 || !column[COLUMN_TARGET][0])
            continue;
        struct due due = limit_due(&boston, instant_of(local_ms(column[COLUMN_OPEN])), &limit);
        int64_t off_by = due.due_ms + calendar_offset_ms(&boston, due.due_ms) - local_ms(column[COLUMN_TARGET]);
        agree += llabs(off_by) <= MINUTE;
        past += due.past_calendar;
        deadlines++;
    }
    assert_int_equal(pclose(rows), 0);
    print_message(
        "boston 2015: %u of %u deadlines agree to the minute (%.2f %%)\n", agree, deadlines, 100.0 * agree / deadlines);
    assert_int_equal(deadlines, DEADLINES);
    assert_true(agree >= AGREE_LEAST);
    assert_int_equal(past, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_calendar_gives_the_deadlines_that_boston_promised_to_the_minute),
    };
    return cmocka_run_group_tests_name("oracle", tests, holidays_are_printed, NULL);
}
