/* sys.c: the world, as little of it as possible. The only clock, the only randomness, memory for start-up, instants. */
#include "lib/base/base.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/timex.h>
#include <time.h>

/* ---- clock ------------------------------------------------------------------------------------------------------- */

struct clock_source clock_source;

static int64_t clock_read_ns(clockid_t clock) {
    struct timespec t;
    CHECK(clock_gettime(clock, &t) == 0);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t clock_wall_ms(void) {
    return clock_source.wall_ms ? clock_source.wall_ms() : clock_read_ns(CLOCK_REALTIME) / 1000000;
}

int64_t clock_boot_ms(void) {
    return clock_source.boot_ms ? clock_source.boot_ms() : clock_read_ns(CLOCK_BOOTTIME) / 1000000;
}

int64_t clock_mono_ns(void) {
    return clock_source.mono_ns ? clock_source.mono_ns() : clock_read_ns(CLOCK_MONOTONIC);
}

bool clock_synchronised(void) {
    if (clock_source.synchronised)
        return clock_source.synchronised();
    struct timex question = {.modes = 0};                /* modes 0 only asks */
    int state = adjtimex(&question);
    return state >= 0 && state != TIME_ERROR && !(question.status & STA_UNSYNC);
}

/* ---- randomness and memory --------------------------------------------------------------------------------------- */

void random_bytes(void *to, size_t len) {
    uint8_t *at = to;
    while (len) {
        ssize_t got = getrandom(at, len, 0);             /* short above 256 bytes, when a signal comes in between */
        CHECK(got > 0 || (got < 0 && errno == EINTR));
        if (got > 0)
            at += got, len -= (size_t)got;
    }
}

void *memory_or_die(size_t size) {
    void *memory = calloc(1, size ? size : 1);
    CHECK(memory);
    return memory;
}

/* ---- instants ---------------------------------------------------------------------------------------------------- */

/* The calendar by whole 400-year eras that begin on 1 March, so that the leap day is the last day of its year and the
 * month lengths follow one straight line, (153 m + 2) / 5. 719468 days lie between 0000-03-01 and 1970-01-01. */
enum { DAY_MS = 86400000, ERA_DAYS = 146097, EPOCH_DAYS = 719468 };

struct civil { int64_t year; int month, day; };

static int64_t days_from_civil(struct civil c) {
    int64_t year = c.month <= 2 ? c.year - 1 : c.year;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * ((c.month + 9) % 12) + 2) / 5 + c.day - 1;
    return era * ERA_DAYS + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - EPOCH_DAYS;
}

static struct civil civil_from_days(int64_t days) {
    days += EPOCH_DAYS;
    int64_t era = (days >= 0 ? days : days - ERA_DAYS + 1) / ERA_DAYS;
    int64_t day_of_era = days - era * ERA_DAYS;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / (ERA_DAYS - 1)) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int month_from_march = (int)((5 * day_of_year + 2) / 153);
    int month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
    int day = (int)(day_of_year - (153 * month_from_march + 2) / 5) + 1;
    return (struct civil){year_of_era + era * 400 + (month <= 2), month, day};
}

void instant_print(int64_t ms, char to[static 32]) {
    int64_t of_day = (ms % DAY_MS + DAY_MS) % DAY_MS;    /* the day runs forward before 1970, too */
    struct civil c = civil_from_days(ms / DAY_MS - (ms % DAY_MS < 0));
    if (c.year < 0 || c.year > 9999) {                   /* no such date: show the number rather than a lie */
        snprintf(to, 32, "%lld ms", (long long)ms);
        return;
    }
    int second = (int)(of_day / 1000);
    int len = snprintf(to, 32, "%04d-%02d-%02d %02d:%02d:%02d.%03dZ", (int)c.year, c.month, c.day,
                       second / 3600, second / 60 % 60, second % 60, (int)(of_day % 1000));
    CHECK(len == 24);
}

/* Reads the next `digits` digits and, unless it is 0, the byte that must follow them. */
static bool instant_number(struct slice *s, size_t digits, char then, int *ret) {
    uint64_t v;
    if (s->len < digits + (then != 0) || !parse_u64((struct slice){s->at, digits}, &v))
        return false;
    if (then && s->at[digits] != then)
        return false;
    s->at += digits + (then != 0), s->len -= digits + (then != 0);
    *ret = (int)v;
    return true;
}

bool instant_parse(struct slice s, int64_t *ret_ms) {
    int year, month, day, hour, minute, second, ms = 0;
    if (s.len != 20 && s.len != 24)
        return false;
    char between = s.at[10] == 'T' ? 'T' : ' ';
    char after_second = s.len == 24 ? '.' : 'Z';
    if (!instant_number(&s, 4, '-', &year) || !instant_number(&s, 2, '-', &month) ||
        !instant_number(&s, 2, between, &day) || !instant_number(&s, 2, ':', &hour) ||
        !instant_number(&s, 2, ':', &minute) || !instant_number(&s, 2, after_second, &second) ||
        (s.len && !instant_number(&s, 3, 'Z', &ms)))
        return false;
    if (month < 1 || month > 12 || day < 1 || hour > 23 || minute > 59 || second > 59)
        return false;
    int64_t days = days_from_civil((struct civil){year, month, day});
    if (civil_from_days(days).day != day)                /* the 31st of a short month came out as the 1st of the next */
        return false;
    *ret_ms = ((days * 24 + hour) * 60 + minute) * 60000 + second * 1000 + ms;
    return true;
}
