/* csv.c: CSV text (RFC 4180) -> one map a row. A field is quoted when it holds a comma, a quote or a line end; a
 * quote in it is doubled. Lines end with LF or CRLF. A byte order mark, which spreadsheets write, is passed over.
 * Empty fields are absent keys. */
#include "daemon/config/reading.h"
#include <string.h>

enum { COLUMNS_MAX = 32 };

struct csv { struct reading *r; struct slice rest; unsigned line; };

/* What follows a field. */
enum field_end { END_COMMA, END_LINE, END_FILE };

static enum field_end end_take(struct csv *c, bool *ret_garbage) {
    *ret_garbage = false;
    if (c->rest.len == 0)
        return END_FILE;
    size_t skip = 1;
    enum field_end end = c->rest.at[0] == ',' ? END_COMMA : END_LINE;
    if (c->rest.at[0] == '\r' && c->rest.len > 1 && c->rest.at[1] == '\n')
        skip = 2;
    else if (c->rest.at[0] != ',' && c->rest.at[0] != '\n')
        *ret_garbage = true;
    c->rest = slice_from(c->rest.at + skip, c->rest.len - skip);
    c->line += end == END_LINE;
    return end;
}

static struct slice plain_take(struct csv *c) {
    size_t n = 0;
    while (n < c->rest.len && !strchr(",\r\n\"", c->rest.at[n]))
        n++;
    struct slice text = {c->rest.at, n};
    c->rest = slice_from(c->rest.at + n, c->rest.len - n);
    return text;
}

/* Up to the closing quote, which is the first that is not doubled; its index, or SIZE_MAX. */
static size_t closing_quote(struct slice s) {
    for (size_t i = 0; i < s.len; i++) {
        if (s.at[i] != '"')
            continue;
        if (i + 1 == s.len || s.at[i + 1] != '"')
            return i;
        i++;
    }
    return SIZE_MAX;
}

/* After the opening quote. */
static int quoted_take(struct csv *c, struct slice *ret) {
    size_t end = closing_quote(c->rest), length = 0;
    if (end == SIZE_MAX)
        return fail_at(c->r, c->line, SLICE(""), "a quoted field does not end");
    uint8_t *text = arena_take(c->r->room, end);
    if (!text)
        return full(c->r);
    for (size_t i = 0; i < end; i++) {
        i += c->rest.at[i] == '"';
        c->line += c->rest.at[i] == '\n';
        text[length++] = c->rest.at[i];
    }
    c->rest = slice_from(c->rest.at + end + 1, c->rest.len - end - 1);
    *ret = slice_from(text, length);
    return 0;
}

static int field_take(struct csv *c, struct slice *ret, enum field_end *ret_end) {
    bool garbage;
    if (c->rest.len && c->rest.at[0] == '"') {
        c->rest = slice_from(c->rest.at + 1, c->rest.len - 1);
        int e = quoted_take(c, ret);
        if (e)
            return e;
    } else {
        *ret = plain_take(c);
    }
    unsigned line = c->line;
    *ret_end = end_take(c, &garbage);
    return garbage ? fail_at(c->r, line, SLICE(""), "a quote in the wrong place, or a bare carriage return") : 0;
}

struct columns { struct slice name[COLUMNS_MAX]; size_t count; };

static const struct keyword *column_key(const struct keyword *keys, size_t count, struct slice name) {
    for (size_t i = 0; i < count; i++)
        if (slice_equal(name, slice_of(keys[i].name)))
            return &keys[i];
    return NULL;
}

static bool column_there(const struct columns *columns, struct slice name) {
    for (size_t i = 0; i < columns->count; i++)
        if (slice_equal(columns->name[i], name))
            return true;
    return false;
}

static int header_take(struct csv *c, const struct keyword *keys, size_t count, struct columns *ret) {
    ret->count = 0;
    for (enum field_end end = END_COMMA; end == END_COMMA;) {
        struct slice name;
        int e = field_take(c, &name, &end);
        if (e)
            return e;
        if (!column_key(keys, count, name))
            return fail_at(c->r, 1, name, "is not a column here");
        if (column_there(ret, name) || ret->count == COLUMNS_MAX)
            return fail_at(c->r, 1, name, "is a column twice");
        ret->name[ret->count++] = name;
    }
    for (size_t i = 0; i < count; i++)
        if (keys[i].required && !column_there(ret, slice_of(keys[i].name)))
            return fail_at(c->r, 1, slice_of(keys[i].name), "this column is missing");
    return 0;
}

static int row_take(struct csv *c, const struct columns *columns, struct node *row) {
    struct node *last = NULL;
    size_t count = 0;
    row->line = c->line;
    for (enum field_end end = END_COMMA; end == END_COMMA; count++) {
        struct slice text;
        unsigned line = c->line;
        int e = field_take(c, &text, &end);
        if (e)
            return e;
        if (count >= columns->count)
            return fail_at(c->r, row->line, SLICE(""), "the row has more than the header's %zu fields", columns->count);
        if (text.len == 0)
            continue;
        struct node *field = arena_zero(c->r->room, sizeof *field);
        if (!field)
            return full(c->r);
        *field = (struct node){.kind = NODE_TEXT, .line = line, .key = columns->name[count], .text = text};
        node_append(row, &last, field);
    }
    if (count < columns->count)
        return fail_at(c->r, row->line, columns->name[count], "the row ends before this column: %zu fields of %zu",
                       count, columns->count);
    return 0;
}

static bool line_is_empty(struct csv *c) {
    bool garbage;
    if (c->rest.at[0] != '\n' && !slice_starts(c->rest, SLICE("\r\n")))
        return false;
    end_take(c, &garbage);
    return true;
}

static int rows_take(struct reading *r, struct slice bytes, const struct csv_table *t, struct node **ret) {
    struct csv c = {r, bytes, 1};
    struct columns columns;
    struct node *rows = arena_zero(r->room, sizeof *rows), *last = NULL;
    if (!rows)
        return full(r);
    rows->kind = NODE_LIST;
    if (slice_starts(bytes, SLICE("\xEF\xBB\xBF")))
        c.rest = slice_from(bytes.at + 3, bytes.len - 3);
    int e = header_take(&c, t->keys, t->count, &columns);
    while (e == 0 && c.rest.len) {
        if (line_is_empty(&c))
            continue;
        struct node *row = arena_zero(r->room, sizeof *row);
        if (!row)
            return full(r);
        row->kind = NODE_MAP;
        e = row_take(&c, &columns, row);
        node_append(rows, &last, row);
    }
    if (e == 0)
        *ret = rows;
    return e;
}

int csv_load(struct reading *r, const char *file, const struct csv_table *t, void *to) {
    struct slice bytes;
    struct node *rows;
    int e = file_bytes(r, file, &bytes);
    e = e ? e : rows_take(r, bytes, t, &rows);
    for (const struct node *row = e ? NULL : rows->first; row && e == 0; row = row->next) {
        const struct node *id = node_find(row, t->id);
        size_t mark = path_enter(r, slice_of(t->name));
        path_enter(r, id ? id->text : SLICE("?"));
        path_note(r, row->line);
        e = t->each(r, row, to);
        path_leave(r, mark);
    }
    return e;
}
