/* reading.c: nodes -> structs, by tables of keys; and where everything was written. */
#include "daemon/config/reading.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- errors ---------------------------------------------------------------------------------------------------- */

/* Foreign text in an error: one line, cut between characters. */
void shown_line(char *to, size_t size, struct slice text) {
    size_t length = text.len < size ? text.len : size - 1;
    while (length < text.len && length && (text.at[length] & 0xC0) == 0x80)
        length--;
    CHECK(size && length < size);
    for (size_t i = 0; i < length; i++)
        to[i] = text.at[i] < ' ' || text.at[i] == 0x7F ? ' ' : (char)text.at[i];
    to[length] = 0;
}

struct shown shown_of(struct slice text) {
    struct shown s;
    shown_line(s.text, sizeof s.text, text);
    return s;
}

static void error_fill(struct reading *r, unsigned line, struct slice key, const char *format, va_list args) {
    struct config_error *e = r->error;
    char what[512];
    vsnprintf(what, sizeof what, format, args);
    shown_line(e->what, sizeof e->what, slice_of(what));
    shown_line(e->file, sizeof e->file, slice_of(r->file ? r->file : r->dir));
    shown_line(e->key, sizeof e->key, key);
    e->line = line;
}

int fail_at(struct reading *r, unsigned line, struct slice key, const char *format, ...) {
    va_list args;
    va_start(args, format);
    error_fill(r, line, key, format, args);
    va_end(args);
    return -EINVAL;
}

/* An item of a list has no key of its own: the last part of the path being read is its list's. */
int fail(struct reading *r, const struct node *node, const char *format, ...) {
    const char *slash = strrchr(r->path, '/');
    struct slice key = node->key.len ? node->key : slice_of(slash ? slash + 1 : r->path);
    va_list args;
    va_start(args, format);
    error_fill(r, node->line, key, format, args);
    va_end(args);
    return -EINVAL;
}

const char *config_error_line(const struct config_error *e, char to[static CONFIG_ERROR_BYTES]) {
    char line[16] = "";
    if (e->line)
        (void)snprintf(line, sizeof line, ":%u", e->line);
    (void)snprintf(to, CONFIG_ERROR_BYTES, "%s%s: %s%s%s", e->file, line, e->key, e->key[0] ? ": " : "", e->what);
    return to;
}

int full(struct reading *r) {
    fail_at(r, 0, SLICE(""), "the set is too large for the %zu bytes it may take", r->room->cap);
    return -ENOMEM;
}

/* ---- paths and notes ------------------------------------------------------------------------------------------- */

/* A part that does not fit is left out: then an error is told at the line of what it belongs to. */
size_t path_enter(struct reading *r, struct slice part) {
    size_t length = strlen(r->path);
    CHECK(length < sizeof r->path);
    if (length + part.len + 2 <= sizeof r->path)
        snprintf(r->path + length, sizeof r->path - length, "%s%.*s", length ? "/" : "", (int)part.len,
                 (const char *)part.at);
    return length;
}

void path_leave(struct reading *r, size_t length) {
    CHECK(length <= strlen(r->path));
    r->path[length] = 0;
}

/* A note that does not fit costs an error its exact line, nothing else. */
void path_note(struct reading *r, unsigned line) {
    struct note *note = arena_zero(r->room, sizeof *note);
    char *path = arena_text(r->room, slice_of(r->path));
    if (!note || !path)
        return;
    *note = (struct note){.next = r->notes, .path = path, .file = r->file, .line = line};
    r->notes = note;
}

static const struct note *note_of(const struct reading *r, const char *path) {
    const struct note *best = NULL;
    size_t longest = 0;
    for (const struct note *note = r->notes; note; note = note->next) {
        size_t length = strlen(note->path);
        if (length <= longest || strncmp(path, note->path, length) != 0)
            continue;
        if (path[length] == 0 || path[length] == '/' || path[length] == '@')     /* @: a party comes from its role */
            best = note, longest = length;
    }
    return best;
}

int fail_noted(struct reading *r, const char *path, const char *what) {
    const struct note *note = note_of(r, path);
    CHECK(path && what);
    if (!note)
        return fail_at(r, 0, slice_of(path), "%s", what);
    const char *slash = strrchr(note->path, '/'), *rest = path + strlen(note->path);
    rest += *rest == '/';
    r->file = note->file;
    return fail_at(r, note->line, slice_of(slash ? slash + 1 : note->path), "%s%s%s", rest, *rest ? ": " : "", what);
}

/* ---- files ----------------------------------------------------------------------------------------------------- */

/* Files of the set, or of a set beside it: `a`, `a/b`, `../other/a`. */
bool file_name_stays(struct slice name) {
    if (slice_starts(name, SLICE("../")))
        name = slice_from(name.at + 3, name.len - 3);
    if (name.len == 0 || name.at[0] == '/')
        return false;
    for (struct slice part; slice_cut(name, '/', &part, &name);)
        if (part.len == 0 || part.at[0] == '.')
            return false;
    return name.len > 0 && name.at[0] != '.';
}

static int bytes_read(struct reading *r, int fd, struct slice *ret) {
    off_t size = lseek(fd, 0, SEEK_END);
    if (size < 0 || size > CONFIG_FILE_BYTES_MAX)
        return fail_at(r, 0, SLICE(""), "is no plain file of at most %d MiB", CONFIG_FILE_BYTES_MAX >> 20);
    uint8_t *at = arena_take(r->room, (size_t)size);
    if (!at)
        return full(r);
    for (off_t done = 0; done < size;) {
        ssize_t n = pread(fd, at + done, (size_t)(size - done), done);
        if (n <= 0)
            return fail_at(r, 0, SLICE(""), "cannot be read: %s",
                           n < 0 ? strerror(errno) : "it became shorter meanwhile");
        done += n;
    }
    *ret = slice_from(at, (size_t)size);
    return 0;
}

static int utf8_required(struct reading *r, struct slice bytes) {
    struct slice line, rest = bytes;
    unsigned number = 1;
    if (utf8_valid(bytes))
        return 0;
    for (; slice_cut(rest, '\n', &line, &rest) && utf8_valid(line);)
        number++;
    return fail_at(r, number, SLICE(""), "is not UTF-8 text");
}

int file_bytes(struct reading *r, const char *name, struct slice *ret) {
    r->path[0] = 0;
    CHECK(!r->dir || file_name_stays(slice_of(name)));
    r->file = r->dir ? text_print(r, "%s/%s", r->dir, name) : name;
    if (!r->file)
        return full(r);
    int fd = open(r->file, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0) {
        int error = -errno;
        fail_at(r, 0, SLICE(""), "cannot be opened: %s", strerror(-error));
        return error;
    }
    int e = bytes_read(r, fd, ret);
    close(fd);
    return e ? e : utf8_required(r, *ret);
}

/* ---- nodes ----------------------------------------------------------------------------------------------------- */

const struct node *node_find(const struct node *map, const char *key) {
    CHECK(map->kind == NODE_MAP);
    for (const struct node *n = map->first; n; n = n->next)
        if (slice_equal(n->key, slice_of(key)))
            return n;
    return NULL;
}

void node_append(struct node *parent, struct node **last, struct node *child) {
    CHECK(!child->next && (parent->count == 0) == (*last == NULL));
    *(*last ? &(*last)->next : &parent->first) = child;
    *last = child;
    parent->count++;
}

/* ---- maps by table --------------------------------------------------------------------------------------------- */

/* Which name was probably meant is known to the option table already: ask it by way of a table that has only names. */
static const char *nearest_key(const struct keyword *keys, size_t count, struct slice name) {
    struct option_spec names[KEYS_MAX] = {0};
    const char *near = NULL;
    CHECK(count <= KEYS_MAX);
    for (size_t i = 0; i < count; i++)
        names[i].name = keys[i].name;
    CHECK(option_set(names, count, NULL, name, SLICE(""), &near) == -ENOENT);
    return near;
}

static const struct keyword *key_of(const struct keyword *keys, size_t count, struct slice name) {
    for (size_t i = 0; i < count; i++)
        if (slice_equal(name, slice_of(keys[i].name)))
            return &keys[i];
    return NULL;
}

static int value_read(struct reading *r, const struct node *value, const struct keyword *key, void *into) {
    size_t mark = path_enter(r, value->key);
    path_note(r, value->line);
    int e = key->read(r, value, key, (char *)into + key->at);
    if (e == 0 && key->has != NO_FLAG)
        *(protobuf_c_boolean *)((char *)into + key->has) = 1;
    path_leave(r, mark);
    return e;
}

int map_read(struct reading *r, const struct node *map, const struct keyword *keys, size_t count, void *into) {
    if (map->kind != NODE_MAP)
        return fail(r, map, "must be a mapping of keys to values");
    for (const struct node *n = map->first; n; n = n->next) {
        const struct keyword *key = key_of(keys, count, n->key);
        if (!key)
            return fail(r, n, "is not a key here; the nearest is '%s'", nearest_key(keys, count, n->key));
        int e = value_read(r, n, key, into);
        if (e)
            return e;
    }
    for (size_t i = 0; i < count; i++)
        if (keys[i].required && !node_find(map, keys[i].name))
            return fail_at(r, map->line, slice_of(keys[i].name), "is missing");
    return 0;
}

int row_load(struct reading *r, const char *file, const char *table, const struct keyword *keys, size_t count,
             void *into, struct node **ret) {
    int e = yaml_nodes(r, file, ret);
    if (e)
        return e;
    const struct node *name = (*ret)->kind == NODE_MAP ? node_find(*ret, "name") : NULL;
    size_t mark = path_enter(r, slice_of(table));
    path_enter(r, name ? name->text : slice_of(file));
    path_note(r, (*ret)->line);
    e = map_read(r, *ret, keys, count, into);
    path_leave(r, mark);
    return e;
}

/* ---- lists ----------------------------------------------------------------------------------------------------- */

int list_push(struct reading *r, struct list *to, void *item) {
    CHECK(item && to->count <= to->cap);
    if (to->count == to->cap) {
        size_t cap = to->cap ? to->cap * 2 : 16;
        void **at = arena_take(r->room, cap * sizeof *at);
        if (!at)
            return full(r);
        if (to->count)
            memcpy(at, to->at, to->count * sizeof *at);
        *to = (struct list){at, to->count, cap};
    }
    to->at[to->count++] = item;
    return 0;
}

int list_read(struct reading *r, const struct node *value, item_reader *each, struct list *to) {
    if (value->kind != NODE_LIST)
        return fail(r, value, "must be a list");
    for (const struct node *n = value->first; n; n = n->next) {
        int e = each(r, n, to);
        if (e)
            return e;
    }
    return 0;
}
