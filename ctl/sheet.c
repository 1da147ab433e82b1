/* sheet.c: columns that stay columns when half of the text is Chinese. Widths are those of a terminal and come from
 * ranges of our own: wcwidth() asks the locale, and a service account has none.
 *
 * What people wrote is shown here, so whatever could move the cursor or turn the direction of the text is taken out. */
#include "ctl/ctl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_BYTES_OF_TABLE = 8 << 20, CELL_BYTES = 2048, GAP = 2, MARK = 0xFFFD };

/* ---- widths ------------------------------------------------------------------------------------------------------ */

struct range { uint32_t first, last; };

/* East Asian Wide and Fullwidth (Unicode 15), in blocks. */
static const struct range wide[] = {
    {0x1100, 0x115F}, {0x231A, 0x231B}, {0x2329, 0x232A}, {0x23E9, 0x23EC}, {0x2614, 0x2615}, {0x26A1, 0x26A1},
    {0x2705, 0x2705}, {0x274C, 0x274C}, {0x2795, 0x2797}, {0x2E80, 0x303E}, {0x3041, 0x33FF}, {0x3400, 0x4DBF},
    {0x4E00, 0xA4CF}, {0xA960, 0xA97F}, {0xAC00, 0xD7A3}, {0xF900, 0xFAFF}, {0xFE10, 0xFE19}, {0xFE30, 0xFE6F},
    {0xFF01, 0xFF60}, {0xFFE0, 0xFFE6}, {0x16FE0, 0x18AFF}, {0x1AFF0, 0x1B2FF}, {0x1F004, 0x1F004},
    {0x1F0CF, 0x1F0CF}, {0x1F18E, 0x1F18E}, {0x1F191, 0x1F19A}, {0x1F200, 0x1F320}, {0x1F32D, 0x1F64F},
    {0x1F680, 0x1F6FF}, {0x1F7E0, 0x1F7EB}, {0x1F90C, 0x1F9FF}, {0x1FA70, 0x1FAFF}, {0x20000, 0x3FFFD},
};
/* Combining marks, joiners, variation selectors. */
static const struct range none[] = {
    {0x0300, 0x036F}, {0x0483, 0x0489}, {0x0591, 0x05BD}, {0x0610, 0x061A}, {0x064B, 0x065F}, {0x0E31, 0x0E31},
    {0x0E34, 0x0E3A}, {0x0E47, 0x0E4E}, {0x0F71, 0x0F84}, {0x1AB0, 0x1AFF}, {0x1DC0, 0x1DFF}, {0x200B, 0x200D},
    {0x20D0, 0x20F0}, {0x302A, 0x302D}, {0x3099, 0x309A}, {0xFE00, 0xFE0F}, {0xFE20, 0xFE2F}, {0xFEFF, 0xFEFF},
    {0xE0100, 0xE01EF},
};
/* What acts on the terminal instead of standing on it: controls, and the marks that turn the direction of text. */
static const struct range harmful[] = {
    {0x00, 0x1F}, {0x7F, 0x9F}, {0x200E, 0x200F}, {0x2028, 0x202E}, {0x2060, 0x2069},
};

static bool within(const struct range *ranges, size_t count, uint32_t code) {
    for (size_t i = 0; i < count; i++)
        if (ranges[i].first <= code && code <= ranges[i].last)
            return true;
    return false;
}

/* The next character of valid UTF-8; of anything else, one byte as a mark. */
static size_t next_code(const char *text, uint32_t *ret) {
    const uint8_t *at = (const uint8_t *)text;
    size_t len = at[0] < 0x80 ? 1 : at[0] < 0xC2 ? 0 : at[0] < 0xE0 ? 2 : at[0] < 0xF0 ? 3 : at[0] < 0xF5 ? 4 : 0;
    uint32_t code = len == 1 ? at[0] : at[0] & (0x7Fu >> len);
    for (size_t i = 1; i < len; i++) {
        if ((at[i] & 0xC0) != 0x80)
            len = 0;
        code = code << 6 | (at[i] & 0x3Fu);
    }
    if (len > 1 && !utf8_valid(slice_from(at, len)))         /* longer than need be, half a pair, beyond the last */
        len = 0;
    *ret = len ? code : MARK;
    return len ? len : 1;
}

static unsigned code_width(uint32_t code) {
    if (code < 0x300)
        return 1;
    return within(none, COUNT_OF(none), code) ? 0 : within(wide, COUNT_OF(wide), code) ? 2 : 1;
}

unsigned text_width(const char *text) {
    unsigned width = 0;
    for (uint32_t code; *text; width += code_width(code))
        text += next_code(text, &code);
    return width;
}

/* `text` without what is harmful, as far as `columns` and cap reach; what is cut ends with an ellipsis. */
void text_clean(const char *text, unsigned columns, char *to, size_t cap) {
    static const char ellipsis[] = "\xE2\x80\xA6", mark[] = "\xEF\xBF\xBD";
    size_t len = 0, last = 0, step = 0;
    unsigned width = 0;
    CHECK(cap >= 8 && columns >= 1);
    for (uint32_t code; *text; text += step) {
        step = next_code(text, &code);
        bool bad = code == MARK || within(harmful, COUNT_OF(harmful), code);
        const char *from = bad ? mark : text;
        size_t bytes = bad ? sizeof mark - 1 : step;
        unsigned w = bad ? 1 : code_width(code);
        if (width + w > columns || len + bytes + sizeof ellipsis > cap) {
            memcpy(to + last, ellipsis, sizeof ellipsis);
            return;
        }
        memcpy(to + len, from, bytes);
        len += bytes, width += w;
        if (width < columns)                             /* so far the ellipsis would still have a column */
            last = len;
    }
    to[len] = '\0';
}

/* ---- the table --------------------------------------------------------------------------------------------------- */

struct sheet {
    unsigned columns, rows, column, dropped;
    bool full;                                           /* from then on rows are counted, not kept */
    enum alignment align[SHEET_COLUMNS_MAX];
    unsigned width[SHEET_COLUMNS_MAX];
    const char *cells[SHEET_ROWS_MAX][SHEET_COLUMNS_MAX];
    struct arena texts;
    uint8_t memory[TEXT_BYTES_OF_TABLE];                 /* touched as it fills */
};

void sheet_open(struct sheet **ret, unsigned columns) {
    CHECK(columns >= 1 && columns <= SHEET_COLUMNS_MAX);
    struct sheet *t = memory_or_die(sizeof *t);
    t->columns = columns;
    arena_wrap(&t->texts, t->memory, sizeof t->memory);
    *ret = t;
}

void sheet_align(struct sheet *t, unsigned column, enum alignment a) {
    CHECK(column < t->columns);
    t->align[column] = a;
}

void sheet_cell(struct sheet *t, const char *format, ...) {
    char raw[CELL_BYTES], clean[CELL_BYTES];
    va_list more;
    CHECK(t->column < t->columns);
    va_start(more, format);
    (void)vsnprintf(raw, sizeof raw, format, more);
    va_end(more);
    text_clean(raw, SHEET_CELL_WIDTH, clean, sizeof clean);
    char *at = t->rows < SHEET_ROWS_MAX && !t->full ? arena_text(&t->texts, slice_of(clean)) : NULL;
    t->full = !at;
    if (at) {
        unsigned width = text_width(at);
        t->cells[t->rows][t->column] = at;
        t->width[t->column] = width > t->width[t->column] ? width : t->width[t->column];
    }
    if (++t->column < t->columns)
        return;
    t->column = 0;
    if (at)
        t->rows++;
    else
        t->dropped++;
}

void sheet_headed(const struct ctl *c, struct sheet **ret, const char *const *heads, unsigned columns) {
    sheet_open(ret, columns);
    for (unsigned i = 0; i < columns; i++) {
        struct slice head = both_in(c->language, heads[i]);
        sheet_cell(*ret, "%.*s", (int)head.len, (const char *)head.at);
    }
}

/* Blanks wait for a text to stand before: no line ends with them. */
static void write_row(const struct sheet *t, const char *const *cells, FILE *to) {
    unsigned blanks = 0;
    for (unsigned i = 0; i < t->columns; i++) {
        unsigned room = t->width[i] - text_width(cells[i]);
        bool right = t->align[i] == ALIGN_RIGHT;
        if (cells[i][0])
            (void)fprintf(to, "%*s%s", (int)(blanks + (right ? room : 0)), "", cells[i]);
        blanks = (cells[i][0] ? (right ? 0 : room) : blanks + room) + GAP;
    }
    (void)fputc('\n', to);
}

static void write_rows(const struct sheet *t, FILE *to) {
    CHECK(t->column == 0);
    for (unsigned i = 0; i < t->rows; i++)
        write_row(t, t->cells[i], to);
    if (t->dropped)
        (void)fprintf(to, "... (+%u)\n", t->dropped);
}

void sheet_close(struct sheet *t, void *to) {
    if (to)
        write_rows(t, to);
    free(t);
}

void sheet_write(struct sheet *t, char *to, size_t cap) {
    FILE *memory = fmemopen(to, cap, "w");
    CHECK(memory);
    write_rows(t, memory);
    (void)fclose(memory);
    free(t);
}
