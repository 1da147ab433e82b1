/* diff.c: what differs between two sets, in lines that whoever wrote the files recognises.
 *
 *   + category E0507 占道经营
 *   - division 610402006015
 *   ~ playbook incident: stages.street.handling 10wd -> 8wd
 *
 * It walks both messages along their descriptors, so a field that is added to the schema is told without a line of code
 * here. Entries of a table are the same when their key is; what has no key goes by its place. */
#include "daemon/config/reading.h"
#include "lib/codec/codec.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { VALUE_BYTES = 240, LINE_BYTES = CONFIG_LINE_BYTES };

struct diff {
    config_line *line;
    void *to;
    const char *kind;                         /* of the entry being compared, and its name */
    char name[64], path[PATH_BYTES_MAX];
};

/* What kind of entry a message is in a line, by which of its fields it is known, and which field says what it is. */
static const struct keyed { const char *message, *kind, *key, *title; } keyed[] = {
    {"Calendar", "calendar", "name", NULL}, {"Category", "category", "code", "name_zh"},
    {"Playbook", "playbook", "name", "title_zh"}, {"Division", "division", "code", "name_zh"},
    {"Role", "role", "slug", "name_zh"}, {"Party", "party", "party", NULL},
    {"ManagedBy", "managed-by", "division", NULL}, {"Stage", "stage", "name", NULL},
    {"Milestone", "milestone", "name", NULL}, {"Day", "day", "date", "name_zh"}, {"ZoneStep", "step", "from_ms", NULL},
};

/* What an absent message is compared with. */
static const uint64_t nothing[64];
_Static_assert(sizeof(PbPlaybook) <= sizeof nothing && sizeof(PbCategory) <= sizeof nothing, "nothing is large enough");

static const ProtobufCMessageDescriptor *type_of(const ProtobufCFieldDescriptor *f) {
    return f->type == PROTOBUF_C_TYPE_MESSAGE ? f->descriptor : NULL;
}

static const struct keyed *keyed_of(const ProtobufCFieldDescriptor *f) {
    const ProtobufCMessageDescriptor *type = type_of(f);
    for (const struct keyed *k = keyed; type && k < keyed + COUNT_OF(keyed); k++)
        if (strcmp(k->message, type->short_name) == 0)
            return k;
    return NULL;
}

static const ProtobufCFieldDescriptor *field_of(const ProtobufCMessageDescriptor *type, const char *name) {
    for (unsigned i = 0; name && i < type->n_fields; i++)
        if (strcmp(type->fields[i].name, name) == 0)
            return &type->fields[i];
    return NULL;
}

static const void *message_at(const ProtobufCFieldDescriptor *f, const void *message, size_t i) {
    const void *at = nothing;
    if (i < codec_field_count(f, message))
        memcpy(&at, codec_field_at(f, message, i), sizeof at);
    return at;
}

/* ---- values ---------------------------------------------------------------------------------------------------- */

static bool same_message(const ProtobufCMessageDescriptor *type, const void *a, const void *b);

static bool same_value(const ProtobufCFieldDescriptor *f, const void *a, const void *b, size_t i) {
    const void *x = codec_field_at(f, a, i), *y = codec_field_at(f, b, i);
    const char *s, *t;
    ProtobufCBinaryData m, n;
    switch (f->type) {
    case PROTOBUF_C_TYPE_MESSAGE:
        return same_message(f->descriptor, message_at(f, a, i), message_at(f, b, i));
    case PROTOBUF_C_TYPE_STRING:
        memcpy(&s, x, sizeof s);
        memcpy(&t, y, sizeof t);
        return strcmp(s, t) == 0;
    case PROTOBUF_C_TYPE_BYTES:
        memcpy(&m, x, sizeof m);
        memcpy(&n, y, sizeof n);
        return m.len == n.len && (m.len == 0 || memcmp(m.data, n.data, m.len) == 0);
    default:
        return memcmp(x, y, codec_field_size(f->type)) == 0;
    }
}

static bool same_field(const ProtobufCFieldDescriptor *f, const void *a, const void *b) {
    size_t count = codec_field_count(f, a);
    if (count != codec_field_count(f, b))
        return false;
    for (size_t i = 0; i < count; i++)
        if (!same_value(f, a, b, i))
            return false;
    return true;
}

static bool same_message(const ProtobufCMessageDescriptor *type, const void *a, const void *b) {
    for (unsigned i = 0; i < type->n_fields; i++)
        if (!same_field(&type->fields[i], a, b))
            return false;
    return true;
}

/* LEVEL_STREET is written `street` in the files. */
static void enumerator_print(const ProtobufCFieldDescriptor *f, int value, char *to, size_t size) {
    const char *name = codec_enum_name(f->descriptor, value), *under = strchr(name, '_');
    size_t len = 0;
    for (const char *c = under ? under + 1 : name; *c && len + 1 < size; c++)
        to[len++] = (char)(*c >= 'A' && *c <= 'Z' ? *c - 'A' + 'a' : *c);
    to[len] = 0;
}

/* Limits and opening hours as they are written. */
static bool message_print(const ProtobufCFieldDescriptor *f, const void *message, char *to, size_t size) {
    const ProtobufCMessageDescriptor *type = type_of(f);
    if (type && strcmp(type->short_name, "Limit") == 0) {
        const PbLimit *limit = message;
        snprintf(to, size, "%" PRId64 "%s", limit->amount, unit_suffix(limit->unit));
    } else if (type && strcmp(type->short_name, "Window") == 0) {
        const PbWindow *w = message;
        snprintf(to, size, "%02u:%02u-%02u:%02u", w->open_minute / 60, w->open_minute % 60, w->close_minute / 60,
                 w->close_minute % 60);
    } else {
        return false;
    }
    return true;
}

static void value_print(const ProtobufCFieldDescriptor *f, const void *message, size_t i, char *to, size_t size) {
    union { uint32_t u32; int32_t i32; uint64_t u64; int64_t i64; const char *text; ProtobufCBinaryData bytes; } v;
    memcpy(&v, codec_field_at(f, message, i), codec_field_size(f->type));
    switch (f->type) {
    case PROTOBUF_C_TYPE_STRING: snprintf(to, size, "%s", v.text); break;
    case PROTOBUF_C_TYPE_BYTES: snprintf(to, size, "%zu bytes", v.bytes.len); break;
    case PROTOBUF_C_TYPE_BOOL: snprintf(to, size, "%s", v.u32 ? "yes" : "no"); break;
    case PROTOBUF_C_TYPE_ENUM: enumerator_print(f, v.i32, to, size); break;
    case PROTOBUF_C_TYPE_UINT32: snprintf(to, size, "%" PRIu32, v.u32); break;
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32: snprintf(to, size, "%" PRId32, v.i32); break;
    case PROTOBUF_C_TYPE_UINT64: snprintf(to, size, "%" PRIu64, v.u64); break;
    case PROTOBUF_C_TYPE_MESSAGE: CHECK(message_print(f, message_at(f, message, i), to, size)); break;
    default: snprintf(to, size, "%" PRId64, v.i64); break;
    }
}

/* A list as one value, with commas. What does not fit is cut; that it differs is known already. */
static void field_print(const ProtobufCFieldDescriptor *f, const void *message, char to[static VALUE_BYTES]) {
    size_t count = codec_field_count(f, message), used = 0;
    snprintf(to, VALUE_BYTES, "-");
    for (size_t i = 0; i < count && used + 2 < VALUE_BYTES; i++) {
        if (i)
            to[used++] = ',';
        value_print(f, message, i, to + used, VALUE_BYTES - used);
        used += strlen(to + used);
    }
}

/* ---- lines ----------------------------------------------------------------------------------------------------- */

static void line(const struct diff *d, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void line(const struct diff *d, const char *format, ...) {
    char what[LINE_BYTES], text[LINE_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    shown_line(text, sizeof text, slice_of(what));
    d->line(d->to, text);
}

static size_t diff_enter(struct diff *d, const char *part) {
    size_t length = strlen(d->path);
    snprintf(d->path + length, sizeof d->path - length, "%s%s", length ? "." : "", part);
    return length;
}

static void diff_messages(struct diff *d, const ProtobufCMessageDescriptor *type, const void *a, const void *b);

static void diff_part(struct diff *d, const char *part, const ProtobufCMessageDescriptor *type, const void *a,
                      const void *b) {
    size_t mark = diff_enter(d, part);
    if (a == nothing || b == nothing)
        line(d, "~ %s %s: %s %s", d->kind, d->name, d->path, a == nothing ? "added" : "removed");
    else
        diff_messages(d, type, a, b);
    d->path[mark] = 0;
}

/* The entry of the list with that key; nothing: there is none. */
static const void *entry_of(const ProtobufCFieldDescriptor *f, const ProtobufCFieldDescriptor *key, const void *message,
                            const void *like) {
    for (size_t i = 0; i < codec_field_count(f, message); i++)
        if (same_field(key, message_at(f, message, i), like))
            return message_at(f, message, i);
    return nothing;
}

/* A list whose entries have keys, and whose order means something. */
static void diff_keyed(struct diff *d, const ProtobufCFieldDescriptor *f, const struct keyed *k, const void *a,
                       const void *b) {
    const ProtobufCFieldDescriptor *key = field_of(f->descriptor, k->key);
    size_t before = codec_field_count(f, a), after = codec_field_count(f, b), kept = 0, in_place = 0;
    char name[VALUE_BYTES];
    for (size_t i = 0; i < before; i++) {
        const void *x = message_at(f, a, i), *y = entry_of(f, key, b, x);
        field_print(key, x, name);
        diff_part(d, name, f->descriptor, x, y);
        kept += y != nothing;
        in_place += i < after && same_field(key, x, message_at(f, b, i));
    }
    for (size_t i = 0; i < after; i++) {
        const void *y = message_at(f, b, i);
        field_print(key, y, name);
        if (entry_of(f, key, a, y) == nothing)
            diff_part(d, name, f->descriptor, nothing, y);
    }
    if (kept == before && kept == after && in_place < kept)
        line(d, "~ %s %s: %s in another order", d->kind, d->name, d->path);
}

static void diff_placed(struct diff *d, const ProtobufCFieldDescriptor *f, const void *a, const void *b) {
    size_t before = codec_field_count(f, a), after = codec_field_count(f, b);
    bool list = f->label == PROTOBUF_C_LABEL_REPEATED;
    for (size_t i = 0; i < before || i < after; i++) {
        const void *x = message_at(f, a, i), *y = message_at(f, b, i);
        char place[24];
        snprintf(place, sizeof place, "%zu", i + 1);
        if (list)
            diff_part(d, place, f->descriptor, x, y);
        else
            diff_messages(d, f->descriptor, x, y);
    }
}

static void diff_field(struct diff *d, const ProtobufCFieldDescriptor *f, const void *a, const void *b) {
    char before[VALUE_BYTES], after[VALUE_BYTES];
    const struct keyed *k = keyed_of(f);
    if (same_field(f, a, b) || strcmp(f->name, "hash") == 0)      /* a playbook's: of what is told anyway */
        return;
    size_t mark = diff_enter(d, f->name);
    if (k) {
        diff_keyed(d, f, k, a, b);
    } else if (type_of(f) && !message_print(f, nothing, before, sizeof before)) {
        diff_placed(d, f, a, b);
    } else {
        field_print(f, a, before);
        field_print(f, b, after);
        line(d, "~ %s %s: %s %s -> %s", d->kind, d->name, d->path, before, after);
    }
    d->path[mark] = 0;
}

static void diff_messages(struct diff *d, const ProtobufCMessageDescriptor *type, const void *a, const void *b) {
    for (unsigned i = 0; i < type->n_fields; i++)
        diff_field(d, &type->fields[i], a, b);
}

/* ---- tables ---------------------------------------------------------------------------------------------------- */

static int order_of(const ProtobufCFieldDescriptor *key, const void *a, const void *b) {
    uint64_t m = 0, n = 0;
    const char *s, *t;
    if (key->type == PROTOBUF_C_TYPE_STRING) {
        memcpy(&s, codec_field_at(key, a, 0), sizeof s);
        memcpy(&t, codec_field_at(key, b, 0), sizeof t);
        return strcmp(s, t);
    }
    memcpy(&m, codec_field_at(key, a, 0), codec_field_size(key->type));
    memcpy(&n, codec_field_at(key, b, 0), codec_field_size(key->type));
    return (m > n) - (m < n);
}

static void told(struct diff *d, char sign, const struct keyed *k, const ProtobufCMessageDescriptor *type,
                 const void *entry) {
    const ProtobufCFieldDescriptor *title = field_of(type, k->title);
    char name[VALUE_BYTES], is[VALUE_BYTES] = "-";
    field_print(field_of(type, k->key), entry, name);
    if (title)
        field_print(title, entry, is);
    bool titled = strcmp(is, "-") != 0;
    line(d, "%c %s %s%s%s", sign, k->kind, name, titled ? " " : "", titled ? is : "");
}

/* Both are sorted by key: one walk along the two. */
static void diff_table(struct diff *d, const ProtobufCFieldDescriptor *f, const struct keyed *k, const void *a,
                       const void *b) {
    const ProtobufCMessageDescriptor *type = f->descriptor;
    const ProtobufCFieldDescriptor *key = field_of(type, k->key);
    size_t before = codec_field_count(f, a), after = codec_field_count(f, b);
    for (size_t i = 0, j = 0; i < before || j < after;) {
        const void *x = message_at(f, a, i), *y = message_at(f, b, j);
        int order = i == before ? 1 : j == after ? -1 : order_of(key, x, y);
        if (order == 0) {
            char name[VALUE_BYTES];
            field_print(key, x, name);
            snprintf(d->name, sizeof d->name, "%.60s", name);
            d->kind = k->kind;
            diff_messages(d, type, x, y);
        } else {
            told(d, order < 0 ? '-' : '+', k, type, order < 0 ? x : y);
        }
        i += order <= 0;
        j += order >= 0;
    }
}

void config_diff(const PbRules *before, const PbRules *after, config_line *each, void *to) {
    const ProtobufCMessageDescriptor *type = codec_descriptor(CODEC_RULES);
    struct diff d = {.line = each, .to = to};
    CHECK(before && after && each);
    for (unsigned i = 0; i < type->n_fields; i++) {
        const ProtobufCFieldDescriptor *f = &type->fields[i];
        const struct keyed *k = keyed_of(f);
        if (k) {
            diff_table(&d, f, k, before, after);
            continue;
        }
        d.kind = "office";
        snprintf(d.name, sizeof d.name, "%s", after->name ? after->name : "-");
        diff_field(&d, f, before, after);
    }
}
