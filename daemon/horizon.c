/* horizon.c: a calendar is known up to a date; behind it every day is guessed at. Whoever keeps it is told in time. */
#include "daemon/query.h"

enum { HORIZON_DAYS = 60 };
#define DAY_MS 86400000LL

int64_t horizon_days(struct daemon *d, const PbCalendar **ret) {
    uint32_t number = store_rules_number(d->store);
    const PbRules *rules = number && !d->drill ? must_have_rules(d, number) : NULL;
    int64_t least = INT64_MAX;
    *ret = NULL;
    for (size_t i = 0; rules && i < rules->n_calendars; i++) {
        const PbCalendar *c = rules->calendars[i];
        int64_t days = days_of_date(c->last_date) - days_of_date(calendar_date(c, d->now_ms));
        if (days >= least) continue;
        least = days;
        *ret = c;
    }
    return least;
}

void horizon_look(struct daemon *d) {
    const PbCalendar *c;
    int64_t day = d->now_ms / DAY_MS;
    if (day == d->horizon_day) return;
    d->horizon_day = day;
    int64_t days = horizon_days(d, &c);
    if (days < HORIZON_DAYS)
        log_warn("calendar.ends name=%s last_date=%u days=%lld what=\"publish the next year and reload\"", c->name,
                 c->last_date, (long long)days);
}
