/* codec.c: bytes -> check -> message; message -> prepare -> bytes. The only file that calls protobuf-c.
 *
 * The check walks the bytes along the static descriptors before the library sees them and allocates nothing. It is
 * stricter than the wire format on purpose: one value has one spelling (shortest varints, a singular field once, one
 * member of a oneof), so nothing is merged, overwritten, cut or dropped between what was hashed and what was decided.
 * What passes the check can fail in the library for one reason only: the arena is full. */
#include "lib/codec/codec.h"
#include <errno.h>
#include <string.h>

typedef ProtobufCMessageDescriptor descriptor;
typedef ProtobufCFieldDescriptor field;

enum { FIELDS_MAX = 64 };                                 /* of one message type; test_codec holds the schema to it */

enum {
    ENTRIES_COMMAND = 64,                                 /* nobody means more photos or parties than this */
    ENTRIES_PEER = 256,                                   /* more prefixes than allowed reach the gate, which says so */
    ENTRIES_OURS = 4096,                                  /* a turn: what a broker says to one peer at once */
    ENTRIES_RULES = 65535,                                /* a district has 3,000 grids and a party in each */
    MEMORY_BASE = 16 * 1024,
    MEMORY_PER_BYTE_FOREIGN = 8,                          /* a plain report takes 3 */
    MEMORY_PER_BYTE_OURS = 32,                            /* many small messages: ten bytes make a struct of 200 */
};

/* A record is packed for every command: that it can be read back is proved in every test under ASan, not each time. */
#if defined(__SANITIZE_ADDRESS__)
#define PROVE_RECORDS true
#else
#define PROVE_RECORDS false
#endif

/* kept: it will be read back years later, so packing proves that it can be. */
static const struct form {
    const descriptor *type;
    uint32_t entries_max, memory_per_byte;
    bool kept;
} forms[] = {
    [CODEC_ENVELOPE]      = {&pb_envelope__descriptor, ENTRIES_COMMAND, MEMORY_PER_BYTE_FOREIGN, false},
    [CODEC_WORKER_FRAME]  = {&pb_worker_frame__descriptor, ENTRIES_PEER, MEMORY_PER_BYTE_FOREIGN, false},
    [CODEC_CONSOLE_FRAME] = {&pb_console_frame__descriptor, ENTRIES_PEER, MEMORY_PER_BYTE_FOREIGN, false},
    [CODEC_REPLIES]       = {&pb_replies__descriptor, ENTRIES_OURS, MEMORY_PER_BYTE_OURS, false},
    [CODEC_REPLY]         = {&pb_reply__descriptor, ENTRIES_OURS, MEMORY_PER_BYTE_OURS, false},
    [CODEC_POOL_FRAME]    = {&pb_pool_frame__descriptor, ENTRIES_OURS, MEMORY_PER_BYTE_OURS, false},
    [CODEC_FEED_HEAD]     = {&pb_feed_head__descriptor, ENTRIES_OURS, MEMORY_PER_BYTE_OURS, false},
    [CODEC_UPDATE]        = {&pb_update__descriptor, ENTRIES_OURS, MEMORY_PER_BYTE_OURS, false},
    [CODEC_CASE_VIEW]     = {&pb_case_view__descriptor, ENTRIES_OURS, MEMORY_PER_BYTE_OURS, false},
    [CODEC_WELCOME]       = {&pb_welcome__descriptor, ENTRIES_OURS, MEMORY_PER_BYTE_OURS, false},
    [CODEC_REFUSED]       = {&pb_refused__descriptor, ENTRIES_OURS, MEMORY_PER_BYTE_OURS, false},
    [CODEC_RECORD]        = {&pb_record__descriptor, ENTRIES_OURS, MEMORY_PER_BYTE_OURS, PROVE_RECORDS},
    [CODEC_RULES]         = {&pb_rules__descriptor, ENTRIES_RULES, MEMORY_PER_BYTE_OURS, true},
    [CODEC_EVENT]         = {&pb_event__descriptor, ENTRIES_OURS, MEMORY_PER_BYTE_OURS, false},
};
_Static_assert(COUNT_OF(forms) == CODEC_TYPES, "the last codec_type has its form; form_of looks at the others");

static const struct form *form_of(enum codec_type type) {
    CHECK(type < CODEC_TYPES && forms[type].type);
    return &forms[type];
}

const ProtobufCMessageDescriptor *codec_descriptor(enum codec_type type) {
    return form_of(type)->type;
}

/* ---- the check: along the bytes -------------------------------------------------------------------------------- */

struct check {
    const uint8_t *at;                                    /* of the innermost message that is being read */
    uint32_t entries_max;
    struct codec_result result;
};

static bool refuse(struct check *c, PbRefusal refusal, const char *name) {
    c->result = (struct codec_result){refusal, name};
    return false;
}

/* At most ten bytes, 64 bits, and no padding: 85 00 is not another way to write 05. */
static bool long_varint(struct check *c, const uint8_t *end, uint64_t *ret) {
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 70 && c->at < end; shift += 7) {
        uint8_t byte = *c->at++;
        if (shift == 63 && byte > 1)
            return false;
        v |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80) {
            *ret = v;
            return byte != 0 || shift == 0;
        }
    }
    return false;
}

static inline bool varint(struct check *c, const uint8_t *end, uint64_t *ret) {
    if (c->at == end || *c->at >= 0x80)
        return long_varint(c, end, ret);
    *ret = *c->at++;
    return true;
}

/* Numbers of fields and of enumerators come as runs: each says where it starts and how many lie before it; one more
 * run ends the list. The index of `number`, or -1. */
static inline int run_find(const ProtobufCIntRange *runs, unsigned count, int number) {
    for (unsigned i = 0; i < count && number >= runs[i].start_value; i++) {
        int64_t index = (int64_t)number - runs[i].start_value + runs[i].orig_index;
        if (index < runs[i + 1].orig_index)
            return (int)index;
    }
    return -1;
}

/* The library would cut a number to its type and take any number for an enumerator. */
static bool number_fits(const field *f, uint64_t v) {
    int64_t as_signed = (int64_t)v;
    const ProtobufCEnumDescriptor *e = f->descriptor;
    switch (f->type) {
    case PROTOBUF_C_TYPE_BOOL:
        return v <= 1;
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_SINT32:                          /* zigzag: all 32 bits are in use */
        return v <= UINT32_MAX;
    case PROTOBUF_C_TYPE_INT32:
        return as_signed >= INT32_MIN && as_signed <= INT32_MAX;
    case PROTOBUF_C_TYPE_ENUM:
        return v <= INT32_MAX && run_find(e->value_ranges, e->n_value_ranges, (int)v) >= 0;
    default:
        return true;
    }
}

static inline bool number_check(struct check *c, const field *f, const uint8_t *end) {
    uint64_t v;
    if (!varint(c, end, &v))
        return refuse(c, REFUSED_BAD_PROTOBUF, f->name);
    return number_fits(f, v) || refuse(c, REFUSED_FIELD_RANGE, f->name);
}

/* All of them at once: an empty list is one that is not there, and a list in pieces would be put together. */
static bool packed_check(struct check *c, const field *f, const uint8_t *end, uint32_t *entries) {
    if (*entries || c->at == end)
        return refuse(c, REFUSED_BAD_PROTOBUF, f->name);
    for (; c->at < end; ++*entries) {
        if (*entries >= c->entries_max)
            return refuse(c, REFUSED_TOO_COMPLEX, f->name);
        if (!number_check(c, f, end))
            return false;
    }
    return true;
}

enum wire { WIRE_VARINT = 0, WIRE_BYTES = 2, WIRE_NEVER = 8 };

/* Fixed-width and floating numbers are not in the schema (test_codec holds it to that) and so are never right. */
static enum wire wire_of(const field *f) {
    switch (f->type) {
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_BYTES:
    case PROTOBUF_C_TYPE_MESSAGE:
        return WIRE_BYTES;
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_BOOL:
    case PROTOBUF_C_TYPE_ENUM:
        return f->flags & PROTOBUF_C_FIELD_FLAG_PACKED ? WIRE_BYTES : WIRE_VARINT;
    default:
        return WIRE_NEVER;
    }
}

static bool message_check(struct check *c, const descriptor *type, const uint8_t *end);

/* What stands behind a tag: *entries is how many of this field there have been. Recursion is as deep as the schema. */
static bool field_check(struct check *c, const field *f, enum wire wire, const uint8_t *end, uint32_t *entries) {
    uint64_t len;
    if (wire != wire_of(f))
        return refuse(c, REFUSED_BAD_PROTOBUF, f->name);
    if (wire == WIRE_VARINT) {
        ++*entries;
        return number_check(c, f, end);
    }
    if (!varint(c, end, &len) || len > (size_t)(end - c->at))
        return refuse(c, REFUSED_BAD_PROTOBUF, f->name);
    const uint8_t *start = c->at, *after = c->at + len;
    if (f->flags & PROTOBUF_C_FIELD_FLAG_PACKED)
        return packed_check(c, f, after, entries);
    ++*entries;
    if (f->type == PROTOBUF_C_TYPE_MESSAGE)
        return message_check(c, f->descriptor, after);
    c->at = after;
    if (f->type == PROTOBUF_C_TYPE_STRING && !utf8_valid((struct slice){start, len}))
        return refuse(c, REFUSED_BAD_TEXT, f->name);
    return true;
}

/* Members of one oneof share the field that says which of them it is. */
static bool other_member_seen(const descriptor *type, const field *f, const uint32_t *entries) {
    for (unsigned i = 0; i < type->n_fields; i++) {
        const field *other = &type->fields[i];
        if (entries[i] && other != f && other->flags & PROTOBUF_C_FIELD_FLAG_ONEOF &&
            other->quantifier_offset == f->quantifier_offset)
            return true;
    }
    return false;
}

static bool message_check(struct check *c, const descriptor *type, const uint8_t *end) {
    uint32_t entries[FIELDS_MAX];
    CHECK(type->n_fields <= FIELDS_MAX);
    memset(entries, 0, type->n_fields * sizeof entries[0]);
    while (c->at < end) {
        uint64_t tag;
        if (!varint(c, end, &tag) || tag > UINT32_MAX || tag >> 3 == 0)
            return refuse(c, REFUSED_BAD_PROTOBUF, type->short_name);
        int i = run_find(type->field_ranges, type->n_field_ranges, (int)(tag >> 3));
        if (i < 0)
            return refuse(c, REFUSED_UNKNOWN_FIELD, type->short_name);
        const field *f = &type->fields[i];
        bool repeated = f->label == PROTOBUF_C_LABEL_REPEATED;
        if (!repeated && entries[i])
            return refuse(c, REFUSED_BAD_PROTOBUF, f->name);
        if (repeated && entries[i] >= c->entries_max)
            return refuse(c, REFUSED_TOO_COMPLEX, f->name);
        if (f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF && other_member_seen(type, f, entries))
            return refuse(c, REFUSED_BAD_PROTOBUF, f->name);
        if (!field_check(c, f, (enum wire)(tag & 7), end, &entries[i]))
            return false;
    }
    CHECK(c->at == end);
    return true;
}

struct codec_result codec_check(enum codec_type type, struct slice bytes) {
    const struct form *form = form_of(type);
    CHECK(bytes.at || bytes.len == 0);
    struct check c = {.at = bytes.at, .entries_max = form->entries_max, .result = {REFUSED_NOTHING, NULL}};
    if (bytes.len && !message_check(&c, form->type, bytes.at + bytes.len))
        CHECK(c.result.refusal != REFUSED_NOTHING);
    return c.result;
}

/* ---- bytes into messages --------------------------------------------------------------------------------------- */

static void *take(void *room, size_t size) {
    return arena_take(room, size);
}

static void give_back(void *room, void *memory) {         /* the arena gives back everything at once */
    (void)room, (void)memory;
}

/* Bytes that have passed the check. NULL: they need more than `most` or than the arena has, and it is as it was. */
static void *unpack(const descriptor *type, struct slice bytes, struct arena *room, size_t most) {
    ProtobufCAllocator allocator = {take, give_back, room};
    size_t used = room->used, cap = room->cap;
    CHECK(used <= cap);
    if (cap - used > most)
        room->cap = used + most;
    void *message = protobuf_c_message_unpack(type, &allocator, bytes.len, bytes.at);
    room->cap = cap;
    if (!message)
        room->used = used;
    return message;
}

void *codec_unpack(enum codec_type type, struct slice bytes, struct arena *room, struct codec_result *ret) {
    const struct form *form = form_of(type);
    struct codec_result result = codec_check(type, bytes);
    if (result.refusal == REFUSED_NOTHING) {
        void *message = unpack(form->type, bytes, room, MEMORY_BASE + bytes.len * form->memory_per_byte);
        if (message)
            return message;
        result = (struct codec_result){REFUSED_TOO_COMPLEX, NULL};
    }
    *ret = result;
    return NULL;
}

int codec_unpack_own(enum codec_type type, struct slice bytes, struct arena *room, void *ret_message_pointer) {
    if (codec_check(type, bytes).refusal != REFUSED_NOTHING)
        return -EBADMSG;
    void *message = unpack(form_of(type)->type, bytes, room, SIZE_MAX);
    if (!message)
        return -ENOMEM;
    memcpy(ret_message_pointer, &message, sizeof message);
    return 0;
}

/* ---- messages into bytes --------------------------------------------------------------------------------------- */

/* Members are read by memcpy: the pointer's type in the struct is the message's own, not ProtobufCMessage *. */
static ProtobufCMessage *pointer_at(const void *at) {
    ProtobufCMessage *m;
    memcpy(&m, at, sizeof m);
    return m;
}

static void prepare(const descriptor *type, ProtobufCMessage *m) {
    const uint8_t *bytes = (const uint8_t *)m;
    *m = (ProtobufCMessage){.descriptor = type};
    for (const field *f = type->fields, *end = f + type->n_fields; f < end; f++) {
        if (f->type != PROTOBUF_C_TYPE_MESSAGE)
            continue;
        const void *at = bytes + f->offset, *quantifier = bytes + f->quantifier_offset;
        if (f->label == PROTOBUF_C_LABEL_REPEATED) {
            size_t count;
            const uint8_t *entry;
            memcpy(&count, quantifier, sizeof count);
            memcpy(&entry, at, sizeof entry);
            for (; count; count--, entry += sizeof(void *))
                prepare(f->descriptor, pointer_at(entry));
        } else if (f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) {
            uint32_t chosen;
            memcpy(&chosen, quantifier, sizeof chosen);
            if (chosen != f->id)
                continue;
            CHECK(pointer_at(at));                        /* else it would be packed as nothing at all */
            prepare(f->descriptor, pointer_at(at));
        } else if (pointer_at(at)) {
            prepare(f->descriptor, pointer_at(at));
        }
    }
}

void codec_prepare(enum codec_type type, void *message) {
    CHECK(message);
    prepare(form_of(type)->type, message);
}

static bool is_prepared(const struct form *form, const ProtobufCMessage *message) {
    return message->descriptor == form->type && message->n_unknown_fields == 0;
}

size_t codec_size(enum codec_type type, const void *message) {
    CHECK(is_prepared(form_of(type), message));
    return protobuf_c_message_get_packed_size(message);
}

/* A record that cannot be read back would stop the next start, so it stops this process before it is written. */
void codec_pack(enum codec_type type, const void *message, uint8_t *to) {
    const struct form *form = form_of(type);
    CHECK(is_prepared(form, message));
    size_t len = protobuf_c_message_pack(message, to);
    if (form->kept)
        CHECK(codec_check(type, (struct slice){to, len}).refusal == REFUSED_NOTHING);
}

struct slice codec_packed(enum codec_type type, void *message, struct arena *room) {
    codec_prepare(type, message);
    size_t len = codec_size(type, message);
    uint8_t *to = arena_take(room, len);
    if (!to)
        return (struct slice){NULL, 0};
    codec_pack(type, message, to);
    return (struct slice){to, len};
}

void codec_update_of(const PbRecord *record, PbUpdate *ret) {
    *ret = (PbUpdate){
        .has_first_seq = record->has_first_seq, .first_seq = record->first_seq,
        .has_at_ms = record->has_at_ms, .at_ms = record->at_ms,
        .has_case_id = record->has_case_id, .case_id = record->case_id,
        .has_division = record->has_division, .division = record->division,
        .n_events = record->n_events, .events = record->events,
        .by = record->by, .has_batch = record->has_batch, .batch = record->batch, .origin = record->origin,
    };
}

const char *codec_enum_name(const ProtobufCEnumDescriptor *e, int value) {
    int i = run_find(e->value_ranges, e->n_value_ranges, value);
    return i < 0 ? "?" : e->values[i].name;
}
