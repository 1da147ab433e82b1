/* returns_period.c: which days a return is about. Where a day begins, the calendar says when the rules are known. */
#include "ctl/returns.h"

#include <stdio.h>

enum { DAY_DIGITS = 10, MONTH_DIGITS = 7 };

static uint32_t date_after(uint32_t date) {
    return date_of_days(days_of_date(date) + 1);
}

static uint32_t month_after(uint32_t date) {
    uint32_t year = date / 10000, month = date / 100 % 100;
    return month == 12 ? (year + 1) * 10000 + 101 : year * 10000 + (month + 1) * 100 + 1;
}

/* 2026-03-02 or, with `digits` MONTH_DIGITS, 2026-03 as its first day; INT64_MIN-like dates do not exist. */
static bool date_parse(const char *text, unsigned digits, uint32_t *ret) {
    struct slice s = slice_of(text), year, month, day = SLICE("01"), rest;
    uint64_t y, m, d;
    if (s.len != digits || !slice_cut(s, '-', &year, &rest))
        return false;
    month = rest;
    if (digits == DAY_DIGITS && !slice_cut(rest, '-', &month, &day))
        return false;
    if (year.len != 4 || month.len != 2 || day.len != 2)
        return false;
    if (!parse_u64(year, &y) || !parse_u64(month, &m) || !parse_u64(day, &d))
        return false;
    *ret = (uint32_t)(y * 10000 + m * 100 + d);
    return y >= 2000 && days_of_date(*ret) != INT64_MIN;
}

bool period_of_day(const char *text, struct period *ret) {
    uint32_t date;
    if (!date_parse(text, DAY_DIGITS, &date))
        return false;
    *ret = (struct period){.first_date = date, .end_date = date_after(date)};
    return true;
}

bool period_of_month(const char *text, struct period *ret) {
    uint32_t date;
    if (!date_parse(text, MONTH_DIGITS, &date))
        return false;
    *ret = (struct period){.first_date = date, .end_date = month_after(date), .monthly = true};
    return true;
}

struct period period_before(uint32_t date, bool monthly) {
    uint32_t end = monthly ? date / 100 * 100 + 1 : date;
    uint32_t first = date_of_days(days_of_date(end) - 1);
    return (struct period){.first_date = monthly ? first / 100 * 100 + 1 : first, .end_date = end, .monthly = monthly};
}
