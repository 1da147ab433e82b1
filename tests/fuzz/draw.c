/* draw.c: any message out of any bytes, along its descriptor. So a flipped byte changes a decision, not a length: what
 * comes out is a message that the codec lets through, about cases, parties and divisions that mostly exist. */
#include "tests/fuzz/fuzz.h"
#include "daemon/kernel/kernel.h"

#include <stdio.h>
#include <string.h>

typedef ProtobufCMessageDescriptor descriptor;
typedef ProtobufCFieldDescriptor field;

enum { TEXT_MOST = 64, MANY = 70, OFTEN = 3 };
#define HOUR_MS 3600000LL

struct drawing { struct tape *t; const struct draw_world *w; struct arena *room; };

static bool is_named(const field *f, const char *const *names) {
    for (; *names; names++)
        if (strcmp(f->name, *names) == 0) return true;
    return false;
}

/* ---- numbers ----------------------------------------------------------------------------------------------------- */

/* Mostly a division that there is, or one above it. */
static uint64_t draw_division(struct drawing *d) {
    static const unsigned digits[] = {2, 4, 6, 9, 12, 15};
    const PbRules *r = d->w->rules;
    uint8_t how = tape_byte(d->t);
    if (!r || how >= 240) return (uint64_t)tape_number(d->t);
    uint64_t code = r->divisions[how % r->n_divisions]->code;
    return how < 160 ? code : division_cut(code, digits[how % COUNT_OF(digits)]);
}

static int64_t draw_instant(struct drawing *d) {
    uint8_t how = tape_byte(d->t);
    if (how < 32) return d->w->now_ms;
    if (how < 224) return d->w->now_ms + (how - 128) * (how & 1 ? HOUR_MS : 24 * HOUR_MS);
    return tape_number(d->t);
}

/* Names say what a number is about. */
static int64_t draw_number(struct drawing *d, const field *f) {
    static const char *const divisions[] = {"division", "divisions", "prefix", "prefixes", "by", "district", NULL};
    static const char *const cases[] = {"case_id", "master", "after_case", NULL};
    const struct case_state *c = d->w->at;
    size_t len = strlen(f->name);
    if (is_named(f, divisions)) return (int64_t)draw_division(d);
    if (len > 3 && strcmp(f->name + len - 3, "_ms") == 0) return draw_instant(d);
    bool usual = tape_byte(d->t) % 16 != 15;
    if (usual && strcmp(f->name, "version") == 0) return PROTOCOL_VERSION;
    if (is_named(f, cases))
        return usual && c ? (int64_t)c->id : 1 + (int64_t)tape_below(d->t, (uint32_t)d->w->cases + 2);
    if (usual && c && strcmp(f->name, "stage") == 0) return c->stage;
    if (usual && c && strcmp(f->name, "attempt") == 0) return c->attempt;
    if (usual && c && strcmp(f->name, "tries") == 0) return c->offer_tries;
    return tape_number(d->t);
}

/* ---- texts and bytes --------------------------------------------------------------------------------------------- */

static char *copy(struct drawing *d, const char *text) {
    char *to = arena_text(d->room, slice_of(text));
    CHECK(to);
    return to;
}

static char *draw_text(struct drawing *d) {
    static const char *const odd[] = {"", "水管爆裂", "0017", "a.b-c_d", "stop", "@", "grid-worker@", "\x01", "city"};
    uint8_t how = tape_byte(d->t);
    if (how < 64) return copy(d, odd[how % COUNT_OF(odd)]);
    size_t len = how < 248 ? how % TEXT_MOST : tape_two(d->t) % (TEXT_BYTES_MAX + 2);
    struct slice bytes = tape_bytes(d->t, len);
    char *to = arena_must(d->room, len + 1);
    for (size_t i = 0; i < len; i++) to[i] = i < bytes.len ? (char)(' ' + bytes.at[i] % 95) : 'x';
    return to;
}

static char *draw_string(struct drawing *d, const field *f) {
    static const char *const parties[] = {"party", "proposed", "from", "to", "reporter", "parties", NULL};
    const PbRules *r = d->w->rules;
    const struct case_state *c = d->w->at;
    uint8_t how = tape_byte(d->t);
    if (!r || how >= 248) return draw_text(d);
    if (strcmp(f->name, "category") == 0) return copy(d, r->categories[how % r->n_categories]->code);
    if (!is_named(f, parties)) return draw_text(d);
    if (how < 128 && c && c->asks_count) return copy(d, c->asks[how % c->asks_count].party);
    return copy(d, r->parties[how % r->n_parties]->party);
}

/* A version 7 UUID of now, so that a command is young; few enough of them that some come twice. */
static struct slice draw_id(struct drawing *d) {
    uint8_t *id = arena_must(d->room, COMMAND_ID_SIZE);
    put_be64(id, (uint64_t)d->w->now_ms << 16);
    id[6] = 0x70, id[8] = 0x80;
    id[15] = tape_byte(d->t);
    return slice_from(id, COMMAND_ID_SIZE);
}

static struct slice draw_envelope(struct drawing *d) {
    struct slice packed = codec_packed(CODEC_ENVELOPE, draw(codec_descriptor(CODEC_ENVELOPE), d->t, d->w, d->room),
                                       d->room);
    CHECK(packed.at);
    return packed;
}

static ProtobufCBinaryData draw_bytes(struct drawing *d, const field *f) {
    uint8_t how = tape_byte(d->t);
    struct slice s = {NULL, 0};
    if (how < 240 && (strcmp(f->name, "command_id") == 0 || strcmp(f->name, "batch") == 0)) s = draw_id(d);
    else if (how < 240 && strcmp(f->name, "decision") == 0) s = draw_envelope(d);
    else s = tape_bytes(d->t, how < 128 ? 32 : how);
    return (ProtobufCBinaryData){.len = s.len, .data = (uint8_t *)s.at};
}

/* ---- fields ------------------------------------------------------------------------------------------------------ */

static void *draw_part(struct drawing *d, const field *f) {
    const descriptor *type = f->descriptor;
    if (strcmp(type->short_name, "LeaseToken") == 0 && d->w->token && tape_byte(d->t) < 224) {
        PbLeaseToken *token = arena_must(d->room, sizeof *token);
        *token = *d->w->token;
        return token;
    }
    return draw(type, d->t, d->w, d->room);
}

static void put(void *to, const void *value, size_t size) {
    memcpy(to, value, size);
}

static void draw_value(struct drawing *d, const field *f, void *to) {
    const ProtobufCEnumDescriptor *words = f->descriptor;
    int64_t n = 0;
    switch (f->type) {
    case PROTOBUF_C_TYPE_STRING: *(char **)to = draw_string(d, f); return;
    case PROTOBUF_C_TYPE_BYTES: *(ProtobufCBinaryData *)to = draw_bytes(d, f); return;
    case PROTOBUF_C_TYPE_MESSAGE: *(void **)to = draw_part(d, f); return;
    case PROTOBUF_C_TYPE_ENUM: n = words->values[tape_below(d->t, words->n_values)].value; break;
    case PROTOBUF_C_TYPE_BOOL: n = tape_byte(d->t) & 1; break;
    default: n = draw_number(d, f);
    }
    put(to, &n, codec_field_size(f->type));                      /* the low bytes: we are little-endian */
}

static void draw_list(struct drawing *d, const field *f, uint8_t *message) {
    uint8_t how = tape_byte(d->t);
    size_t count = how < 250 ? how % 4 : (size_t)tape_below(d->t, MANY), size = codec_field_size(f->type);
    uint8_t *entries = arena_must(d->room, count * size + 1);
    for (size_t i = 0; i < count; i++) draw_value(d, f, entries + i * size);
    put(message + f->quantifier_offset, &count, sizeof count);
    put(message + f->offset, &entries, sizeof entries);
}

static void draw_field(struct drawing *d, const field *f, uint8_t *message) {
    if (f->label == PROTOBUF_C_LABEL_REPEATED) return draw_list(d, f, message);
    if (tape_byte(d->t) % 8 >= OFTEN * 2) return;                /* absent */
    draw_value(d, f, message + f->offset);
    if (f->quantifier_offset) put(message + f->quantifier_offset, &(protobuf_c_boolean){1}, sizeof(protobuf_c_boolean));
}

/* A message has one oneof at the most. */
static const field *draw_choice(struct drawing *d, const descriptor *type, uint32_t member) {
    const field *members[256];
    unsigned count = 0;
    for (const field *f = type->fields; f < type->fields + type->n_fields; f++) {
        if (!(f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)) continue;
        if (f->id == member) return f;
        members[count++] = f;
    }
    CHECK(member == 0);
    return count ? members[tape_below(d->t, count)] : NULL;
}

void *draw_member(const descriptor *type, uint32_t member, struct tape *t, const struct draw_world *w,
                  struct arena *room) {
    struct drawing d = {t, w, room};
    uint8_t *message = arena_must(room, type->sizeof_message);
    const field *chosen = draw_choice(&d, type, member);
    for (const field *f = type->fields; f < type->fields + type->n_fields; f++)
        if (!(f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)) draw_field(&d, f, message);
    if (!chosen) return message;
    draw_value(&d, chosen, message + chosen->offset);
    put(message + chosen->quantifier_offset, &chosen->id, sizeof chosen->id);
    return message;
}

void *draw(const descriptor *type, struct tape *t, const struct draw_world *w, struct arena *room) {
    return draw_member(type, 0, t, w, room);
}
