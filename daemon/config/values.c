/* values.c: what one scalar may say. Each reader takes the text of a node and leaves a field of a message. */
#include "daemon/config/reading.h"
#include "daemon/kernel/kernel.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { TEXT_VALUE_BYTES_MAX = 200, SLUG_BYTES_MAX = 31 };

/* ---- text ------------------------------------------------------------------------------------------------------ */

char *text_take(struct reading *r, struct slice s) {
    char *text = arena_text(r->room, s);
    if (!text)
        full(r);
    return text;
}

char *text_print(struct reading *r, const char *format, ...) {
    char text[1024];
    va_list args;
    va_start(args, format);
    int length = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    CHECK(length >= 0);
    size_t fits = (size_t)length < sizeof text ? (size_t)length : sizeof text - 1;
    return arena_text(r->room, slice_from(text, fits));
}

/* A scalar that says something, on one line. */
static int text_required(struct reading *r, const struct node *value) {
    if (value->kind != NODE_TEXT)
        return fail(r, value, "must be a single value");
    if (value->text.len == 0 || value->text.len > TEXT_VALUE_BYTES_MAX)
        return fail(r, value, "must have 1 to %d bytes", TEXT_VALUE_BYTES_MAX);
    for (size_t i = 0; i < value->text.len; i++)
        if (value->text.at[i] < ' ' || value->text.at[i] == 0x7F)
            return fail(r, value, "must be one line of text");
    return 0;
}

int read_node(struct reading *r, const struct node *value, const struct keyword *key, void *at) {
    CHECK(r->room && key->has == NO_FLAG);
    *(const struct node **)at = value;
    return 0;
}

int read_text(struct reading *r, const struct node *value, const struct keyword *key, void *at) {
    CHECK(key->has == NO_FLAG);
    int e = text_required(r, value);
    if (e)
        return e;
    char *text = text_take(r, value->text);
    *(char **)at = text;
    return text ? 0 : -ENOMEM;
}

int read_file(struct reading *r, const struct node *value, const struct keyword *key, void *at) {
    int e = text_required(r, value);
    if (e)
        return e;
    if (!file_name_stays(value->text))
        return fail(r, value, "must be a file of this set or of one beside it");
    return read_text(r, value, key, at);
}

bool slug_valid(struct slice s) {
    for (size_t i = 0; i < s.len; i++) {
        uint8_t c = s.at[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-')
            return false;
    }
    return s.len > 0 && s.len <= SLUG_BYTES_MAX;
}

int read_slug(struct reading *r, const struct node *value, const struct keyword *key, void *at) {
    int e = text_required(r, value);
    if (e)
        return e;
    if (!slug_valid(value->text))
        return fail(r, value, "must be a name of a-z, 0-9 and -, at most %d bytes", SLUG_BYTES_MAX);
    return read_text(r, value, key, at);
}

/* ---- numbers, words -------------------------------------------------------------------------------------------- */

int read_number(struct reading *r, const struct node *value, const struct keyword *key, void *at) {
    const struct range *range = key->more;
    uint64_t number;
    CHECK(range && range->least <= range->most);
    int e = text_required(r, value);
    if (e)
        return e;
    if (!parse_u64(value->text, &number) || number < range->least || number > range->most)
        return fail(r, value, "must be a number from %u to %u", range->least, range->most);
    *(uint32_t *)at = (uint32_t)number;
    return 0;
}

int word_value(struct reading *r, const struct node *at, struct slice text, const struct word *words, int *ret) {
    char list[160] = "";
    for (const struct word *w = words; w->name; w++) {
        if (slice_equal(text, slice_of(w->name))) {
            *ret = w->value;
            return 0;
        }
        size_t length = strlen(list);
        snprintf(list + length, sizeof list - length, "%s%s", length ? ", " : "", w->name);
    }
    return fail(r, at, "'%s' is none of: %s", shown_of(text).text, list);
}

int read_word(struct reading *r, const struct node *value, const struct keyword *key, void *at) {
    _Static_assert(sizeof(PbLevel) == sizeof(int), "protobuf-c keeps enums in an int");
    CHECK(key->more);
    int e = text_required(r, value);
    return e ? e : word_value(r, value, value->text, key->more, at);
}

int read_flag(struct reading *r, const struct node *value, const struct keyword *key, void *at) {
    static const struct word words[] = {{"yes", 1}, {"no", 0}, {NULL, 0}};
    int flag, e = text_required(r, value);
    CHECK(key->name);
    e = e ? e : word_value(r, value, value->text, words, &flag);
    if (e == 0)
        *(protobuf_c_boolean *)at = flag;
    return e;
}

const struct word words_level[] = {{"grid", LEVEL_GRID}, {"community", LEVEL_COMMUNITY}, {"street", LEVEL_STREET},
    {"district", LEVEL_DISTRICT}, {"city", LEVEL_CITY}, {"province", LEVEL_PROVINCE}, {NULL, 0}};

int read_code(struct reading *r, const struct node *value, const struct keyword *key, void *at) {
    uint64_t code;
    CHECK(key->name);
    int e = text_required(r, value);
    if (e)
        return e;
    if (!parse_u64(value->text, &code) || division_digits(code) != value->text.len)
        return fail(r, value, "must be a division code of 2, 4, 6, 9, 12 or 15 digits");
    *(uint64_t *)at = code;
    return 0;
}

/* ---- limits ---------------------------------------------------------------------------------------------------- */

static const struct { char name[3]; PbUnit value; } units[] = {
    {"cm", UNIT_CLOCK_MINUTES}, {"ch", UNIT_CLOCK_HOURS}, {"wh", UNIT_WORK_HOURS}, {"wd", UNIT_WORK_DAYS},
    {"cd", UNIT_CALENDAR_DAYS}, {"cw", UNIT_WEEKS}, {"mo", UNIT_MONTHS}};

const char *unit_suffix(PbUnit unit) {
    for (size_t i = 0; i < COUNT_OF(units); i++)
        if (units[i].value == unit)
            return units[i].name;
    return "ms";
}

/* Number and unit, nothing between. What a unit means is in kernel.h. */
int limit_value(struct reading *r, const struct node *at, struct slice text, PbLimit **ret) {
    uint64_t amount;
    for (size_t i = 0; i < COUNT_OF(units); i++) {
        if (text.len < 3 || memcmp(text.at + text.len - 2, units[i].name, 2) != 0)
            continue;
        if (!parse_u64(slice_from(text.at, text.len - 2), &amount) || amount == 0 || amount > 1000000)
            break;
        PbLimit *limit = arena_zero(r->room, sizeof *limit);
        if (!limit)
            return full(r);
        limit->has_unit = limit->has_amount = 1;
        limit->unit = units[i].value;
        limit->amount = (int64_t)amount;
        *ret = limit;
        return 0;
    }
    return fail(r, at, "must be a limit such as 30cm, 2ch, 4wh, 5wd, 20cd, 1cw or 1mo");
}

int read_limit(struct reading *r, const struct node *value, const struct keyword *key, void *at) {
    CHECK(key->has == NO_FLAG);
    int e = text_required(r, value);
    return e ? e : limit_value(r, value, value->text, at);
}

/* ---- time ------------------------------------------------------------------------------------------------------ */

static bool date_value(struct slice text, uint32_t *ret) {
    uint64_t year, month, day;
    if (text.len != 10 || text.at[4] != '-' || text.at[7] != '-')
        return false;
    if (!parse_u64(slice_from(text.at, 4), &year) || !parse_u64(slice_from(text.at + 5, 2), &month))
        return false;
    if (!parse_u64(slice_from(text.at + 8, 2), &day))
        return false;
    uint32_t date = (uint32_t)(year * 10000 + month * 100 + day);
    if (days_of_date(date) == INT64_MIN)
        return false;
    *ret = date;
    return true;
}

int read_date(struct reading *r, const struct node *value, const struct keyword *key, void *at) {
    CHECK(key->name);
    int e = text_required(r, value);
    if (e)
        return e;
    return date_value(value->text, at) ? 0 : fail(r, value, "must be a date of the calendar such as 2026-02-14");
}

int read_instant(struct reading *r, const struct node *value, const struct keyword *key, void *at) {
    CHECK(key->name);
    int e = text_required(r, value);
    if (e)
        return e;
    return instant_parse(value->text, at) ? 0 : fail(r, value,
                                                     "must be an instant of UTC such as 2015-03-08T07:00:00Z");
}

/* hh:mm as minutes; 24:00 is the end of a day. */
static bool minutes_value(struct slice text, uint64_t *ret) {
    uint64_t hour, minute;
    if (text.len != 5 || text.at[2] != ':')
        return false;
    if (!parse_u64(slice_from(text.at, 2), &hour) || !parse_u64(slice_from(text.at + 3, 2), &minute) || minute > 59)
        return false;
    *ret = hour * 60 + minute;
    return *ret <= 1440;
}

int read_offset(struct reading *r, const struct node *value, const struct keyword *key, void *at) {
    uint64_t minutes;
    CHECK(key->name);
    int e = text_required(r, value);
    if (e)
        return e;
    bool minus = value->text.at[0] == '-';
    struct slice rest = slice_from(value->text.at + 1, value->text.len - 1);
    if ((!minus && value->text.at[0] != '+') || !minutes_value(rest, &minutes) || minutes > 14 * 60)
        return fail(r, value, "must be an offset from UTC such as \"+08:00\"");
    *(int32_t *)at = (minus ? -60 : 60) * (int32_t)minutes;
    return 0;
}

int window_item(struct reading *r, const struct node *item, struct list *to) {
    uint64_t open, close;
    struct slice from, until;
    int e = text_required(r, item);
    if (e)
        return e;
    if (!slice_cut(item->text, '-', &from, &until) || !minutes_value(from, &open) || !minutes_value(until, &close) ||
        open >= close)
        return fail(r, item, "must be opening hours such as \"08:30-12:00\"");
    PbWindow *window = arena_zero(r->room, sizeof *window);
    if (!window)
        return full(r);
    window->has_open_minute = window->has_close_minute = 1;
    window->open_minute = (uint32_t)open;
    window->close_minute = (uint32_t)close;
    return list_push(r, to, window);
}

/* ---- tally ----------------------------------------------------------------------------------------------------- */

int read_tally(struct reading *r, const struct node *value, const struct keyword *key, void *at) {
    static const struct word words[] = {{"first", TALLY_FIRST}, {"all", TALLY_ALL}, {NULL, 0}};
    uint64_t count = 0;
    int kind = TALLY_COUNT, e = text_required(r, value);
    CHECK(key->has == NO_FLAG);
    if (e)
        return e;
    if (slice_starts(value->text, SLICE("count "))) {
        if (!parse_u64(slice_from(value->text.at + 6, value->text.len - 6), &count) || count == 0 ||
            count > CASE_ASKS_MAX)
            return fail(r, value, "must be first, all, or count and a number from 1 to %d", CASE_ASKS_MAX);
    } else if ((e = word_value(r, value, value->text, words, &kind)) != 0) {
        return e;
    }
    PbTally *tally = arena_zero(r->room, sizeof *tally);
    if (!tally)
        return full(r);
    tally->has_kind = 1;
    tally->kind = (PbTallyKind)kind;
    tally->has_count = kind == TALLY_COUNT;
    tally->count = (uint32_t)count;
    *(PbTally **)at = tally;
    return 0;
}
