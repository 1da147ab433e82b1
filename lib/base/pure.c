/* pure.c: the part of the ground floor that touches nothing. CHECK, slices, numbers, arena.
 *
 * The kernel links with this file alone, so it may call mem* and str* and nothing else: no I/O, no clock, no memory.
 * `make tidy` looks at the undefined symbols and believes nobody. */
#include "lib/base/base.h"
#include <string.h>

/* ---- bugs -------------------------------------------------------------------------------------------------------- */

void (*check_hook)(const char *what, const char *file, int line);

void check_failed(const char *what, const char *file, int line) {
    void (*hook)(const char *, const char *, int) = check_hook;
    check_hook = NULL;                                   /* a hook that fails a CHECK of its own ends here */
    if (hook)
        hook(what, file, line);
    __builtin_trap();
}

/* ---- slices ------------------------------------------------------------------------------------------------------ */

struct slice slice_from(const void *at, size_t len) {
    CHECK(at || len == 0);
    return (struct slice){at, len};
}

struct slice slice_of(const char *text) {
    CHECK(text);
    return (struct slice){(const uint8_t *)text, strlen(text)};
}

/* An empty slice may have no address, and memcmp(NULL, ..., 0) is undefined. */
static int bytes_order(const uint8_t *a, const uint8_t *b, size_t len) {
    return len ? memcmp(a, b, len) : 0;
}

bool slice_equal(struct slice a, struct slice b) {
    return a.len == b.len && bytes_order(a.at, b.at, a.len) == 0;
}

int slice_order(struct slice a, struct slice b) {
    int order = bytes_order(a.at, b.at, a.len < b.len ? a.len : b.len);
    return order ? order : (a.len > b.len) - (a.len < b.len);
}

bool slice_starts(struct slice s, struct slice prefix) {
    return s.len >= prefix.len && bytes_order(s.at, prefix.at, prefix.len) == 0;
}

static bool is_blank(uint8_t c) {
    return c == ' ' || c == '\t';
}

struct slice slice_trim(struct slice s) {
    while (s.len && is_blank(s.at[s.len - 1]))
        s.len--;
    while (s.len && is_blank(s.at[0]))
        s.at++, s.len--;
    return s;
}

bool slice_cut(struct slice s, char at, struct slice *ret_before, struct slice *ret_after) {
    const uint8_t *found = s.len ? memchr(s.at, at, s.len) : NULL;
    if (!found)
        return false;
    size_t before = (size_t)(found - s.at);
    *ret_before = (struct slice){s.at, before};
    *ret_after = (struct slice){found + 1, s.len - before - 1};
    return true;
}

/* What may follow a leading byte: how many bytes, and the range of the first of them. The narrow ranges are what keeps
 * out overlong forms (E0, F0), surrogates (ED) and everything above U+10FFFF (F4). RFC 3629, section 4. */
static const struct utf8_lead { uint8_t first, last, more, low, high; } utf8_leads[] = {
    {0xE1, 0xEC, 2, 0x80, 0xBF},                         /* first what is most: every common Chinese character */
    {0x01, 0x7F, 0, 0x00, 0x00},
    {0xC2, 0xDF, 1, 0x80, 0xBF},
    {0xE0, 0xE0, 2, 0xA0, 0xBF}, {0xED, 0xED, 2, 0x80, 0x9F}, {0xEE, 0xEF, 2, 0x80, 0xBF},
    {0xF0, 0xF0, 3, 0x90, 0xBF}, {0xF1, 0xF3, 3, 0x80, 0xBF}, {0xF4, 0xF4, 3, 0x80, 0x8F},
};

/* Bytes of the character at the start of s; 0 when it is none. */
static size_t utf8_length(struct slice s) {
    for (size_t i = 0; i < COUNT_OF(utf8_leads); i++) {
        const struct utf8_lead *lead = &utf8_leads[i];
        if (s.at[0] < lead->first || s.at[0] > lead->last)
            continue;
        if (s.len <= lead->more)
            return 0;
        if (lead->more && (s.at[1] < lead->low || s.at[1] > lead->high))
            return 0;
        for (size_t k = 2; k <= lead->more; k++)
            if ((s.at[k] & 0xC0) != 0x80)
                return 0;
        return lead->more + (size_t)1;
    }
    return 0;
}

/* Eight bytes of plain ASCII: no high bit, and none that borrows one when 1 is taken from it, as NUL does. */
static bool all_plain(const uint8_t *at) {
    uint64_t eight;
    memcpy(&eight, at, sizeof eight);
    return ((eight | (eight - 0x0101010101010101)) & 0x8080808080808080) == 0;
}

/* Three bytes of nearly every Chinese character: E1 to EC, behind which any two that follow a lead may stand. */
static bool is_common(const uint8_t *at) {
    return at[0] >= 0xE1 && at[0] <= 0xEC && (at[1] & 0xC0) == 0x80 && (at[2] & 0xC0) == 0x80;
}

bool utf8_valid(struct slice s) {
    while (s.len) {
        size_t length;
        if (s.len >= 3 && is_common(s.at))
            length = 3;
        else if (s.len >= 8 && all_plain(s.at))
            length = 8;
        else
            length = utf8_length(s);
        if (length == 0)
            return false;
        s.at += length, s.len -= length;
    }
    return true;
}

bool word_valid(struct slice s, size_t bytes_max) {
    for (size_t i = 0; i < s.len; i++) {
        uint8_t c = s.at[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!letter && c != '.' && c != '_' && c != '-')
            return false;
    }
    return s.len >= 1 && s.len <= bytes_max;
}

/* ---- numbers ----------------------------------------------------------------------------------------------------- */

bool parse_u64(struct slice s, uint64_t *ret) {
    uint64_t v = 0;
    if (s.len == 0)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        if (s.at[i] < '0' || s.at[i] > '9')
            return false;
        uint64_t digit = (uint64_t)(s.at[i] - '0');
        if (v > (UINT64_MAX - digit) / 10)
            return false;
        v = v * 10 + digit;
    }
    *ret = v;
    return true;
}

bool parse_i64(struct slice s, int64_t *ret) {
    bool minus = s.len && s.at[0] == '-';
    uint64_t v;
    if (minus)
        s.at++, s.len--;
    if (!parse_u64(s, &v) || v > (uint64_t)INT64_MAX + minus)
        return false;
    /* -2^63 has no positive twin: go through v - 1, which has. */
    *ret = minus && v ? -(int64_t)(v - 1) - 1 : (int64_t)v;
    return true;
}

void put_be64(uint8_t *to, uint64_t v) {
    for (int i = 7; i >= 0; i--, v >>= 8)
        to[i] = (uint8_t)v;
}

uint64_t get_be64(const uint8_t *from) {
    uint64_t v = 0;
    for (int i = 0; i < 8; i++)
        v = v << 8 | from[i];
    return v;
}

void put_le32(uint8_t *to, uint32_t v) {
    for (int i = 0; i < 4; i++, v >>= 8)
        to[i] = (uint8_t)v;
}

uint32_t get_le32(const uint8_t *from) {
    uint32_t v = 0;
    for (int i = 3; i >= 0; i--)
        v = v << 8 | from[i];
    return v;
}

void put_le64(uint8_t *to, uint64_t v) {
    for (int i = 0; i < 8; i++, v >>= 8)
        to[i] = (uint8_t)v;
}

uint64_t get_le64(const uint8_t *from) {
    uint64_t v = 0;
    for (int i = 7; i >= 0; i--)
        v = v << 8 | from[i];
    return v;
}

/* ---- arena ------------------------------------------------------------------------------------------------------- */

enum { ARENA_ALIGN = 16 };

void arena_wrap(struct arena *a, void *memory, size_t cap) {
    CHECK(memory);
    *a = (struct arena){.base = memory, .cap = cap};
}

void *arena_take(struct arena *a, size_t size) {
    CHECK(a->base && a->used <= a->cap);
    size_t gap = -(uintptr_t)(a->base + a->used) % ARENA_ALIGN;
    if (a->cap - a->used < gap || a->cap - a->used - gap < size)
        return NULL;
    uint8_t *at = a->base + a->used + gap;
    a->used += gap + size;
    if (a->peak < a->used)
        a->peak = a->used;
    CHECK(a->used <= a->cap);
    return at;
}

void *arena_zero(struct arena *a, size_t size) {
    void *at = arena_take(a, size);
    return at ? memset(at, 0, size) : NULL;
}

void *arena_must(struct arena *a, size_t size) {
    void *at = arena_zero(a, size);
    CHECK(at);
    return at;
}

struct slice arena_copy(struct arena *a, struct slice s) {
    uint8_t *at = arena_take(a, s.len);
    if (!at)
        return (struct slice){NULL, 0};
    if (s.len)
        memcpy(at, s.at, s.len);
    return (struct slice){at, s.len};
}

char *arena_text(struct arena *a, struct slice s) {
    char *at = s.len < SIZE_MAX ? arena_take(a, s.len + 1) : NULL;
    if (!at)
        return NULL;
    if (s.len)
        memcpy(at, s.at, s.len);
    at[s.len] = 0;
    return at;
}

void arena_reset(struct arena *a) {
    CHECK(a->base && a->used <= a->cap);
    a->used = 0;
}
