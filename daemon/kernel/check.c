/* check.c: what is wrong and where, in words, without a library to print them. */
#include "daemon/kernel/check.h"
#include <string.h>

/* ---- words ------------------------------------------------------------------------------------------------------- */

const char *text_or_empty(const char *text) {
    return text ? text : "";
}

bool text_is(const char *a, const char *b) {
    return strcmp(text_or_empty(a), text_or_empty(b)) == 0;
}

struct decimal decimal_of(uint64_t n) {
    struct decimal d = {{0}};
    char reversed[sizeof d.text];
    size_t len = 0;
    do
        reversed[len++] = (char)('0' + n % 10);
    while (n /= 10);
    for (size_t i = 0; i < len; i++)
        d.text[i] = reversed[len - 1 - i];
    return d;
}

/* Appends what fits. A character of several bytes is not cut in two. */
static void append(char *to, size_t size, const char *text) {
    size_t used = strlen(to), len = strlen(text), room = size - 1 - used;
    CHECK(used < size);
    if (len > room)
        for (len = room; len && ((uint8_t)text[len] & 0xC0) == 0x80;)
            len--;
    memcpy(to + used, text, len);
    to[used + len] = 0;
}

struct where where_in(const struct where *in, const char *name) {
    CHECK(in);
    return (struct where){in, text_or_empty(name), in->ret};
}

static void where_print(const struct where *at, char *to, size_t size) {
    if (at->in)
        where_print(at->in, to, size);
    if (to[0] && at->name[0])
        append(to, size, "/");
    append(to, size, at->name);
}

bool where_wrong(const struct where *at, const char *const *words) {
    struct rules_problem *p = at->ret;
    memset(p, 0, sizeof *p);
    where_print(at, p->path, sizeof p->path);
    for (; *words; words++)
        append(p->what, sizeof p->what, *words);
    CHECK(p->path[0] && p->what[0]);
    return false;
}

/* ---- names and limits -------------------------------------------------------------------------------------------- */

bool name_check(const struct where *at, const char *name, size_t bytes_max) {
    size_t len = strlen(text_or_empty(name));
    if (len == 0)
        return WRONG(at, "has no name");
    if (len > bytes_max)
        return WRONG(at, "has a name of ", decimal_of(len).text, " bytes; at most ", decimal_of(bytes_max).text);
    return true;
}

bool limit_check_optional(const struct where *in, const char *name, const PbLimit *limit, int64_t least) {
    if (!limit)
        return true;
    struct where at = where_in(in, name);
    int64_t most = limit_amount_max(limit->unit);
    if (most < 0)
        return WRONG(&at, "has no unit; write one of cm ch wh wd cd cw mo ms");
    if (limit->amount < least)
        return WRONG(&at, "is too short: at least ", decimal_of((uint64_t)least).text, " of its unit");
    if (limit->amount > most)
        return WRONG(&at, "is too long: ", decimal_of((uint64_t)limit->amount).text, " of its unit, at most ",
            decimal_of((uint64_t)most).text);
    return true;
}

bool limit_check(const struct where *in, const char *name, const PbLimit *limit, int64_t least) {
    struct where at = where_in(in, name);
    if (!limit)
        return WRONG(&at, "is missing");
    return limit_check_optional(in, name, limit, least);
}

/* Units that share a clock, in its smallest part. Working hours, working days and recurrences only compare with
 * themselves. */
static int64_t unit_on_clock(PbUnit unit) {
    switch (unit) {
    case UNIT_MILLISECONDS: return 1;
    case UNIT_CLOCK_MINUTES: return 60000;
    case UNIT_CLOCK_HOURS: return 3600000;
    case UNIT_CALENDAR_DAYS: return 86400000;
    case UNIT_WEEKS: return 7 * 86400000;
    default: return 0;
    }
}

bool limit_may_follow(const PbLimit *earlier, const PbLimit *later) {
    int64_t a = unit_on_clock(earlier->unit), b = unit_on_clock(later->unit);
    if (earlier->unit == later->unit)
        a = b = 1;
    if (a == 0 || b == 0)
        return true;
    return earlier->amount * a < later->amount * b;
}
