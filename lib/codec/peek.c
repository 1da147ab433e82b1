/* peek.c: two things read from an envelope without unpacking it: which command it is (to choose its lane) and its id
 * (to refuse it by name). Nothing is believed because of them; unpacking checks everything. */
#include "lib/codec/codec.h"

enum {
    WIRE_VARINT = 0,
    WIRE_FIXED64 = 1,
    WIRE_BYTES = 2,
    WIRE_FIXED32 = 5,
    FIELD_COMMAND_ID = 2,
    FIELD_COMMAND_FIRST = 16
};

struct reader { const uint8_t *at, *end; };

static bool varint(struct reader *r, uint64_t *ret) {
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64 && r->at < r->end; shift += 7) {
        uint8_t b = *r->at++;
        v |= (uint64_t)(b & 0x7f) << shift;
        if (b < 0x80) return *ret = v, true;
    }
    return false;
}

/* The next field: its number and, for length-delimited ones, its bytes. false: the end, or nothing that can be read. */
static bool field(struct reader *r, uint64_t *ret_number, struct slice *ret_bytes) {
    uint64_t tag, len = 0;
    if (!varint(r, &tag)) return false;
    *ret_number = tag >> 3;
    *ret_bytes = (struct slice){ 0 };
    switch (tag & 7) {
    case WIRE_VARINT: return varint(r, &len);
    case WIRE_FIXED64: len = 8; break;
    case WIRE_FIXED32: len = 4; break;
    case WIRE_BYTES:
        if (!varint(r, &len)) return false;
        break;
    default: return false;
    }
    if (len > (uint64_t)(r->end - r->at)) return false;
    *ret_bytes = slice_from(r->at, (size_t)len);
    r->at += len;
    return true;
}

uint32_t codec_peek_command(struct slice envelope) {
    struct reader r = { envelope.at, envelope.at + envelope.len };
    uint64_t number;
    struct slice bytes;
    while (field(&r, &number, &bytes))
        if (number >= FIELD_COMMAND_FIRST) return number <= UINT32_MAX ? (uint32_t)number : 0;
    return 0;
}

struct slice codec_peek_id(struct slice envelope) {
    struct reader r = { envelope.at, envelope.at + envelope.len };
    uint64_t number;
    struct slice bytes;
    while (field(&r, &number, &bytes))
        if (number == FIELD_COMMAND_ID && bytes.len == COMMAND_ID_SIZE) return bytes;
    return (struct slice){ 0 };
}
