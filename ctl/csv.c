/* csv.c: cells out, quoted where they must be; rows in. */
#include "ctl/csv.h"
#include "ctl/ctl.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#define MARK "\xEF\xBB\xBF"
enum { TEXT_BYTES = 512 };

/* ---- out --------------------------------------------------------------------------------------------------------- */

void csv_begin(struct csv_out *o, FILE *file) {
    *o = (struct csv_out){.file = file};
    (void)fputs(MARK, file);
}

void csv_cell(struct csv_out *o, struct slice text) {
    bool calculated = !o->plain && text.len && memchr("=+-@\t\r", text.at[0], 6), quoted = false;
    for (size_t i = 0; i < text.len; i++)
        quoted |= memchr(",\"\r\n", text.at[i], 4) != NULL;
    if (o->begun)
        (void)fputc(',', o->file);
    o->begun = true;
    if (quoted)
        (void)fputc('"', o->file);
    if (calculated)
        (void)fputc('\'', o->file);
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] == '"')
            (void)fputc('"', o->file);
        (void)fputc(text.at[i], o->file);
    }
    if (quoted)
        (void)fputc('"', o->file);
}

void csv_text(struct csv_out *o, const char *format, ...) {
    char text[TEXT_BYTES];
    va_list more;
    va_start(more, format);
    int len = vsnprintf(text, sizeof text, format, more);
    va_end(more);
    CHECK(len >= 0 && (size_t)len < sizeof text);
    csv_cell(o, slice_of(text));
}

void csv_end(struct csv_out *o) {
    (void)fputs(o->plain ? "\n" : "\r\n", o->file);
    o->begun = false;
}

/* ---- in ---------------------------------------------------------------------------------------------------------- */

void csv_open(struct csv_in *in, struct slice bytes, struct arena *room) {
    *in = (struct csv_in){.rest = bytes, .line = 1, .room = room};
    if (slice_starts(bytes, SLICE(MARK)))
        in->rest = slice_from(bytes.at + 3, bytes.len - 3);
}

static uint8_t peek(const struct csv_in *in) {
    return in->rest.len ? in->rest.at[0] : '\n';
}

static uint8_t take(struct csv_in *in) {
    uint8_t byte = peek(in);
    in->line += byte == '\n' && in->rest.len;
    if (in->rest.len)
        in->rest = slice_from(in->rest.at + 1, in->rest.len - 1);
    return byte;
}

static bool at_end(const struct csv_in *in) {
    return in->rest.len == 0 || in->rest.at[0] == '\n'
        || (in->rest.at[0] == '\r' && (in->rest.len == 1 || in->rest.at[1] == '\n'));
}

static void skip_end(struct csv_in *in) {
    if (peek(in) == '\r')
        (void)take(in);
    (void)take(in);
}

/* How far the closing quote is; false: there is none. */
static bool quoted_length(const struct csv_in *in, size_t *ret) {
    struct slice s = in->rest;
    size_t i = 0;
    while (i < s.len && (s.at[i] != '"' || (i + 1 < s.len && s.at[i + 1] == '"')))
        i += s.at[i] == '"' ? 2 : 1;
    *ret = i;
    return i < s.len;
}

/* Behind the opening quote: bytes into the room, two quotes are one. */
static int quoted(struct csv_in *in, struct slice *ret) {
    size_t left, len = 0;
    if (!quoted_length(in, &left))
        return in->problem = BOTH("引号没有收尾", "a quoted cell does not end"), -EBADMSG;
    uint8_t *to = arena_take(in->room, left + 1);
    if (!to)
        return in->problem = BOTH("文件太大", "the file is too large"), -EBADMSG;
    for (const uint8_t *end = in->rest.at + left; in->rest.at < end;) {
        to[len] = take(in);
        if (to[len++] == '"')
            (void)take(in);
    }
    (void)take(in);
    *ret = slice_from(to, len);
    if (!at_end(in) && peek(in) != ',')
        return in->problem = BOTH("收尾引号之后还有内容", "something follows a closing quote"), -EBADMSG;
    return 0;
}

static int cell(struct csv_in *in, struct slice *ret) {
    if (in->rest.len && in->rest.at[0] == '"')
        return (void)take(in), quoted(in, ret);
    const uint8_t *from = in->rest.at;
    while (!at_end(in) && peek(in) != ',')
        if (take(in) == '"')
            return in->problem = BOTH("未加引号的单元格里有引号", "a quote in a cell that is not quoted"), -EBADMSG;
    *ret = slice_from(from, (size_t)(in->rest.at - from));
    return 0;
}

int csv_next(struct csv_in *in, struct csv_row *ret) {
    while (in->rest.len && at_end(in))
        skip_end(in);
    if (!in->rest.len)
        return 0;
    int e = 0;
    *ret = (struct csv_row){.line = in->line};
    for (bool more = true; more && e == 0;) {
        if (ret->count == CSV_COLUMNS_MAX)
            e = (in->problem = BOTH("单元格太多", "too many cells"), -EBADMSG);
        else
            e = cell(in, &ret->cell[ret->count++]);
        more = e == 0 && !at_end(in);
        if (more)
            (void)take(in);
    }
    while (e < 0 && !at_end(in))
        (void)take(in);
    if (in->rest.len)
        skip_end(in);
    return e < 0 ? e : 1;
}
