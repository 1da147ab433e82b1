/* fields.c: the values of a message, found along its descriptor. It calls nothing of the library: they are data. */
#include "lib/codec/codec.h"
#include <string.h>

_Static_assert(sizeof(void *) == sizeof(uint64_t), "pointers and 64-bit numbers take the same room");

size_t codec_field_size(ProtobufCType type) {
    switch (type) {
    case PROTOBUF_C_TYPE_BOOL:
    case PROTOBUF_C_TYPE_ENUM:
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_UINT32:
        return sizeof(uint32_t);
    case PROTOBUF_C_TYPE_BYTES:
        return sizeof(ProtobufCBinaryData);
    default:
        return sizeof(uint64_t);
    }
}

size_t codec_field_count(const ProtobufCFieldDescriptor *f, const void *message) {
    const uint8_t *bytes = message;
    size_t count = 0;
    uint32_t quantifier = 0;
    const void *pointer;
    if (f->label == PROTOBUF_C_LABEL_REPEATED) {
        memcpy(&count, bytes + f->quantifier_offset, sizeof count);
        return count;
    }
    if (f->quantifier_offset)
        memcpy(&quantifier, bytes + f->quantifier_offset, sizeof quantifier);
    if (f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
        return quantifier == f->id;
    if (f->type != PROTOBUF_C_TYPE_STRING && f->type != PROTOBUF_C_TYPE_MESSAGE)
        return quantifier != 0;
    memcpy(&pointer, bytes + f->offset, sizeof pointer);
    return pointer != NULL;
}

const void *codec_field_at(const ProtobufCFieldDescriptor *f, const void *message, size_t i) {
    const uint8_t *at = (const uint8_t *)message + f->offset, *list;
    if (f->label != PROTOBUF_C_LABEL_REPEATED)
        return at;
    memcpy(&list, at, sizeof list);
    return list + i * codec_field_size(f->type);
}
