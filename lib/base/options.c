/* options.c: one table of options; from it the parser, the printed configuration and the manual page. */
#include "lib/base/base.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

struct unit { const char *name; uint64_t factor; };

/* Largest first: a value is printed in the largest unit that divides it. */
static const struct unit units_ms[] = {
    {"d", 86400000}, {"h", 3600000}, {"min", 60000}, {"s", 1000}, {"ms", 1}, {NULL, 0},
};
static const struct unit units_bytes[] = {{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"", 1}, {NULL, 0}};
static const struct unit units_none[] = {{"", 1}, {NULL, 0}};

static const struct unit *units_of(enum option_type type) {
    return type == OPTION_MS ? units_ms : type == OPTION_BYTES ? units_bytes : units_none;
}

static void *option_at(const struct option_spec *o, void *into) {
    return (char *)into + o->offset;
}

static uint64_t text_max(const struct option_spec *o) {
    return o->max && o->max < OPTION_TEXT_MAX ? o->max : OPTION_TEXT_MAX - 1;
}

/* ---- defaults ---------------------------------------------------------------------------------------------------- */

/* A default out of its own bounds is a bug of the table, found at the first start. */
static void option_default(const struct option_spec *o, void *at) {
    switch (o->type) {
    case OPTION_U64:
    case OPTION_MS:
    case OPTION_BYTES:
        CHECK(o->min <= o->value && o->value <= o->max);
        *(uint64_t *)at = o->value;
        return;
    case OPTION_BOOL:
        CHECK(o->value <= 1);
        *(bool *)at = o->value;
        return;
    case OPTION_TEXT:
        CHECK(o->text && strlen(o->text) <= text_max(o));
        memset(at, 0, OPTION_TEXT_MAX);
        memcpy(at, o->text, strlen(o->text));
        return;
    }
    NEVER("an option without a type");
}

void options_default(const struct option_spec *table, size_t count, void *into) {
    for (size_t i = 0; i < count; i++)
        option_default(&table[i], option_at(&table[i], into));
}

/* ---- setting ----------------------------------------------------------------------------------------------------- */

enum { NAME_MAX_COMPARED = 64 };

static size_t least(size_t a, size_t b, size_t c) {
    size_t ab = a < b ? a : b;
    return ab < c ? ab : c;
}

/* How many letters must be put in, left out or changed to make b out of a (Levenshtein, one row at a time). */
static size_t name_distance(struct slice a, struct slice b) {
    size_t row[NAME_MAX_COMPARED + 1];
    a.len = a.len < NAME_MAX_COMPARED ? a.len : NAME_MAX_COMPARED;
    b.len = b.len < NAME_MAX_COMPARED ? b.len : NAME_MAX_COMPARED;
    for (size_t j = 0; j <= b.len; j++)
        row[j] = j;
    for (size_t i = 0; i < a.len; i++) {
        size_t diagonal = row[0];
        row[0] = i + 1;
        for (size_t j = 0; j < b.len; j++) {
            size_t above = row[j + 1];
            row[j + 1] = least(above + 1, row[j] + 1, diagonal + (a.at[i] != b.at[j]));
            diagonal = above;
        }
    }
    return row[b.len];
}

static const char *nearest_name(const struct option_spec *table, size_t count, struct slice name) {
    const char *near = NULL;
    size_t nearest = SIZE_MAX;
    for (size_t i = 0; i < count; i++) {
        size_t distance = name_distance(name, slice_of(table[i].name));
        if (distance < nearest)
            nearest = distance, near = table[i].name;
    }
    return near;
}

static int number_set(const struct option_spec *o, struct slice value, uint64_t *at) {
    struct slice digits = {value.at, 0};
    while (digits.len < value.len && value.at[digits.len] >= '0' && value.at[digits.len] <= '9')
        digits.len++;
    struct slice word = {value.at + digits.len, value.len - digits.len};
    const struct unit *unit = units_of(o->type);
    while (unit->name && !slice_equal(word, slice_of(unit->name)))
        unit++;
    if (digits.len == 0 || !unit->name)
        return -EINVAL;
    uint64_t number;
    if (!parse_u64(digits, &number) || number > UINT64_MAX / unit->factor)
        return -ERANGE;                                  /* digits it is; they only do not fit */
    number *= unit->factor;
    if (number < o->min || number > o->max)
        return -ERANGE;
    *at = number;
    return 0;
}

static int bool_set(struct slice value, bool *at) {
    bool yes = slice_equal(value, SLICE("true"));
    if (!yes && !slice_equal(value, SLICE("false")))
        return -EINVAL;
    *at = yes;
    return 0;
}

/* A value is part of one line wherever it is printed, and YAML reads it back as it was: no controls, nor those from
 * U+0080 to U+009F (to YAML one of them is a line break, and the others are no text), no U+2028 and U+2029, which break
 * lines as well, and no U+FFFE and U+FFFF, which are no text either. */
static bool one_line(struct slice text) {
    static const char never[][4] = {"\xE2\x80\xA8", "\xE2\x80\xA9", "\xEF\xBF\xBE", "\xEF\xBF\xBF"};
    for (size_t i = 0; i < text.len; i++) {
        struct slice rest = {text.at + i, text.len - i};
        if (rest.at[0] < ' ' || rest.at[0] == 0x7F || (rest.at[0] == 0xC2 && rest.at[1] < 0xA0))
            return false;
        for (size_t n = 0; n < COUNT_OF(never); n++)
            if (slice_starts(rest, slice_of(never[n])))
                return false;
    }
    return true;
}

static int text_set(const struct option_spec *o, struct slice value, char *at) {
    if (!utf8_valid(value) || !one_line(value))
        return -EINVAL;
    if (value.len < o->min || value.len > text_max(o))
        return -ERANGE;
    memset(at, 0, OPTION_TEXT_MAX);
    if (value.len)
        memcpy(at, value.at, value.len);
    return 0;
}

int option_set(const struct option_spec *table, size_t count, void *into, struct slice name, struct slice value,
               const char **ret_near) {
    for (size_t i = 0; i < count; i++) {
        const struct option_spec *o = &table[i];
        if (!slice_equal(name, slice_of(o->name)))
            continue;
        void *at = option_at(o, into);
        switch (o->type) {
        case OPTION_BOOL:
            return bool_set(value, at);
        case OPTION_TEXT:
            return text_set(o, value, at);
        case OPTION_U64:
        case OPTION_MS:
        case OPTION_BYTES:
            return number_set(o, value, at);
        }
        NEVER("an option without a type");
    }
    if (ret_near)
        *ret_near = nearest_name(table, count, name);
    return -ENOENT;
}

/* ---- printing ---------------------------------------------------------------------------------------------------- */

/* In the double quotes of YAML, where a quote and a backslash stand behind a backslash. */
static void text_print(const char *text, char *to, size_t size) {
    size_t len = 0;
    CHECK(size > 2 * OPTION_TEXT_MAX + 2);
    to[len++] = '"';
    for (; *text; text++) {
        if (*text == '"' || *text == '\\') to[len++] = '\\';
        to[len++] = *text;
    }
    to[len++] = '"';
    to[len] = '\0';
}

/* As a settings file would be read. */
static void value_print(enum option_type type, const void *at, char *to, size_t size) {
    if (type == OPTION_BOOL) {
        snprintf(to, size, "%s", *(const bool *)at ? "true" : "false");
    } else if (type == OPTION_TEXT) {
        text_print(at, to, size);
    } else {
        uint64_t number = *(const uint64_t *)at;
        const struct unit *unit = units_of(type);
        while (unit->factor > 1 && (number == 0 || number % unit->factor))
            unit++;
        snprintf(to, size, "%llu%s", (unsigned long long)(number / unit->factor), unit->name);
    }
}

void option_right(const struct option_spec *table, size_t count, struct slice name,
                  char to[static OPTION_RIGHT_BYTES]) {
    static const char *const kinds[] = {
        [OPTION_U64] = "a number", [OPTION_MS] = "a time with its unit, such as 30s",
        [OPTION_BYTES] = "a size with its unit, such as 64MiB",
    };
    char low[32], high[32];
    to[0] = '\0';
    for (const struct option_spec *o = table; o < table + count; o++) {
        if (!slice_equal(name, slice_of(o->name)))
            continue;
        if (o->type == OPTION_BOOL) {
            snprintf(to, OPTION_RIGHT_BYTES, "it must be true or false");
        } else if (o->type == OPTION_TEXT) {
            snprintf(to, OPTION_RIGHT_BYTES, "it must be one line of %u to %zu bytes", (unsigned)o->min, text_max(o));
        } else {
            value_print(o->type, &o->min, low, sizeof low);
            value_print(o->type, &o->max, high, sizeof high);
            snprintf(to, OPTION_RIGHT_BYTES, "it must be %s, from %s to %s", kinds[o->type], low, high);
        }
    }
}

void options_print(const struct option_spec *table, size_t count, const void *values,
                   void (*line)(void *to, const char *text), void *to) {
    for (size_t i = 0; i < count; i++) {
        const struct option_spec *o = &table[i];
        char value[2 * OPTION_TEXT_MAX + 3], low[32], high[32], text[1024];
        if (o->type == OPTION_BOOL || o->type == OPTION_TEXT) {
            snprintf(text, sizeof text, "# %s", o->sentence);
        } else {
            value_print(o->type, &o->min, low, sizeof low);
            value_print(o->type, &o->max, high, sizeof high);
            snprintf(text, sizeof text, "# %s (%s .. %s)", o->sentence, low, high);
        }
        line(to, text);
        value_print(o->type, (const char *)values + o->offset, value, sizeof value);
        snprintf(text, sizeof text, "%s: %s", o->name, value);
        line(to, text);
    }
}
