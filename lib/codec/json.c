/* json.c: any message as one line of JSON, by its descriptor. The proto3 mapping with the names of the .proto: 64-bit
 * numbers are strings (JavaScript would round a case id), bytes are base64, enumerators have names, what is absent is
 * left out.
 *
 * It writes like snprintf: what does not fit is counted, not written, so one call finds the size and a second one fills
 * it. It calls nothing of the library: descriptors are data. */
#include "lib/codec/codec.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct writer {
    char *to;
    size_t cap, len;
};

static void put(struct writer *w, const char *text, size_t len) {
    if (w->len < w->cap)
        memcpy(w->to + w->len, text, len < w->cap - w->len ? len : w->cap - w->len);
    w->len += len;
}

static void put_text(struct writer *w, const char *text) {
    put(w, text, strlen(text));
}

/* Everything below a space, the quote and the backslash; UTF-8 goes as it is, because it was checked on its way in. */
static void put_escaped(struct writer *w, char c) {
    static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
    const char *known = c ? strchr(from, c) : NULL;
    char code[8];
    if (known)
        snprintf(code, sizeof code, "\\%c", to[known - from]);
    else
        snprintf(code, sizeof code, "\\u%04x", (unsigned)(unsigned char)c);
    put_text(w, code);
}

static void put_string(struct writer *w, const char *text) {
    put(w, "\"", 1);
    for (const char *from = text; *from; from = text) {
        while ((unsigned char)*text >= ' ' && *text != '"' && *text != '\\')
            text++;
        put(w, from, (size_t)(text - from));
        if (*text)
            put_escaped(w, *text++);
    }
    put(w, "\"", 1);
}

static void put_base64(struct writer *w, struct slice s) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    put(w, "\"", 1);
    for (; s.len; s.at += s.len < 3 ? s.len : 3, s.len -= s.len < 3 ? s.len : 3) {
        uint32_t three = (uint32_t)s.at[0] << 16;
        three |= s.len > 1 ? (uint32_t)s.at[1] << 8 : 0;
        three |= s.len > 2 ? s.at[2] : 0;
        char four[4] = {digits[three >> 18], digits[three >> 12 & 63], digits[three >> 6 & 63], digits[three & 63]};
        if (s.len < 3)
            four[3] = '=';
        if (s.len < 2)
            four[2] = '=';
        put(w, four, sizeof four);
    }
    put(w, "\"", 1);
}

/* A value as it lies in the struct. */
union value {
    const char *text;
    const void *message;
    ProtobufCBinaryData bytes;
    uint32_t u32;
    uint64_t u64;
};

_Static_assert(sizeof(void *) == sizeof(uint64_t), "pointers and 64-bit numbers take the same room");

static void put_number(struct writer *w, const char *quote, bool negative, uint64_t magnitude) {
    char text[32];
    snprintf(text, sizeof text, "%s%s%" PRIu64 "%s", quote, negative ? "-" : "", magnitude, quote);
    put_text(w, text);
}

static void put_signed(struct writer *w, const char *quote, int64_t v) {
    put_number(w, quote, v < 0, v < 0 ? -(uint64_t)v : (uint64_t)v);
}

static void put_enumerator(struct writer *w, const ProtobufCEnumDescriptor *e, int value) {
    const char *name = codec_enum_name(e, value);
    if (name[0] == '?')
        put_signed(w, "", value);
    else
        put_string(w, name);
}

static void put_message(struct writer *w, const ProtobufCMessageDescriptor *type, const uint8_t *message);

static void put_value(struct writer *w, const ProtobufCFieldDescriptor *f, const void *at) {
    union value v;
    memcpy(&v, at, codec_field_size(f->type));
    switch (f->type) {
    case PROTOBUF_C_TYPE_MESSAGE:
        put_message(w, f->descriptor, v.message);
        break;
    case PROTOBUF_C_TYPE_STRING:
        put_string(w, v.text);
        break;
    case PROTOBUF_C_TYPE_BYTES:
        put_base64(w, (struct slice){v.bytes.data, v.bytes.len});
        break;
    case PROTOBUF_C_TYPE_ENUM:
        put_enumerator(w, f->descriptor, (int)v.u32);
        break;
    case PROTOBUF_C_TYPE_BOOL:
        put_text(w, v.u32 ? "true" : "false");
        break;
    case PROTOBUF_C_TYPE_UINT32:
        put_number(w, "", false, v.u32);
        break;
    case PROTOBUF_C_TYPE_UINT64:
        put_number(w, "\"", false, v.u64);
        break;
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
        put_signed(w, "", (int32_t)v.u32);
        break;
    default:
        CHECK(f->type == PROTOBUF_C_TYPE_INT64 || f->type == PROTOBUF_C_TYPE_SINT64);
        put_signed(w, "\"", (int64_t)v.u64);
    }
}

static void put_array(struct writer *w, const ProtobufCFieldDescriptor *f, const void *message, size_t count) {
    for (size_t i = 0; i < count; i++) {
        put(w, i ? "," : "[", 1);
        put_value(w, f, codec_field_at(f, message, i));
    }
    put(w, "]", 1);
}

static void put_message(struct writer *w, const ProtobufCMessageDescriptor *type, const uint8_t *message) {
    const char *before = "";
    put(w, "{", 1);
    for (const ProtobufCFieldDescriptor *f = type->fields, *end = f + type->n_fields; f < end; f++) {
        size_t count = codec_field_count(f, message);
        if (!count)
            continue;
        put_text(w, before);
        put_string(w, f->name);
        put(w, ":", 1);
        if (f->label == PROTOBUF_C_LABEL_REPEATED)
            put_array(w, f, message, count);
        else
            put_value(w, f, codec_field_at(f, message, 0));
        before = ",";
    }
    put(w, "}", 1);
}

size_t codec_json(enum codec_type type, const void *message, char *to, size_t cap) {
    struct writer w = {to, cap ? cap - 1 : 0, 0};
    CHECK(message && (to || cap == 0));
    put_message(&w, codec_descriptor(type), message);
    if (cap)
        to[w.len < w.cap ? w.len : w.cap] = 0;
    return w.len;
}
