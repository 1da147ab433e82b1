/* codec.h: bytes <-> messages, with every check that foreign bytes need. Door: protobuf-c.
 *
 * protobuf-c 1.4.1 has no depth limit, no memory limit, takes invalid UTF-8 and NUL in strings, keeps unknown fields
 * and accepts field number 0 (docs/protocol.md, "What is refused"). So:
 *   C1  unpacking allocates from an arena with a hard cap: a bomb fails, it does not grow;
 *   C2  unknown fields, field number 0, bad UTF-8, NUL, wrong enum values, numbers too large for their type, a singular
 *       field twice and too many repetitions are refusals with the field's name;
 *   C3  what is hashed is the received bytes, never a re-packing;
 *   C4  what pack writes, unpack reads. Rules are checked as they are packed; records too in every test under ASan. */
#ifndef CODEC_H
#define CODEC_H
#include "lib/base/base.h"
#include "whistle.pb-c.h"

enum { PROTOCOL_VERSION = 1, COMMAND_ID_SIZE = 16 };

/* Which message a frame is. */
enum codec_type {
    CODEC_ENVELOPE, CODEC_WORKER_FRAME, CODEC_CONSOLE_FRAME,                                 /* what a broker is told */
    CODEC_REPLIES, CODEC_REPLY, CODEC_POOL_FRAME, CODEC_FEED_HEAD, CODEC_UPDATE, CODEC_CASE_VIEW, CODEC_WELCOME,
    CODEC_REFUSED,
    CODEC_RECORD, CODEC_RULES, CODEC_EVENT,                                                  /* what it keeps */
    CODEC_TYPES
};

const ProtobufCMessageDescriptor *codec_descriptor(enum codec_type type);

/* field: the offending one, or the message when the field has no name; static, or NULL when it is the whole. */
struct codec_result { PbRefusal refusal; const char *field; };

/* The check alone: what codec_unpack would refuse about these bytes. Allocates nothing. */
struct codec_result codec_check(enum codec_type type, struct slice bytes);

/* Foreign bytes into a message in the arena, which bounds it; so does the length of the bytes (codec.c, forms). NULL on
 * a refusal: *ret says which, and the arena is as it was. */
void *codec_unpack(enum codec_type type, struct slice bytes, struct arena *room, struct codec_result *ret);

/* Our own bytes (journal, tables): the same check, because disks lie too. 0; -EBADMSG: refused; -ENOMEM: the arena is
 * too small, which says nothing about the bytes. ret_message_pointer: the address of a pointer to the message. */
int codec_unpack_own(enum codec_type type, struct slice bytes, struct arena *room, void *ret_message_pointer);

/* Sets the descriptors of a message that was built by hand (zero-filled) all the way down, so that it can be packed. */
void codec_prepare(enum codec_type type, void *message);
size_t codec_size(enum codec_type type, const void *message);
/* Packs into memory of codec_size bytes. Prepared messages only. */
void codec_pack(enum codec_type type, const void *message, uint8_t *to);
/* All three, into an arena. at == NULL: the arena is full. */
struct slice codec_packed(enum codec_type type, void *message, struct arena *room);

/* Read from an envelope without unpacking it: which command it is (field number, 0: none) and its id (empty: none).
 * Nothing is believed because of them. */
uint32_t codec_peek_command(struct slice envelope);
struct slice codec_peek_id(struct slice envelope);

/* What Update says of a record: without source, command id and hash. Shares the record's memory. */
void codec_update_of(const PbRecord *record, PbUpdate *ret);

/* Any message as one line of JSON (names as in the .proto, 64-bit numbers as strings, bytes as base64, enums by name,
 * what is absent left out). Like snprintf: the length without the end, which fits when it is below cap; ends with NUL
 * unless cap is 0. Depth and size are bounded by the message's. */
size_t codec_json(enum codec_type type, const void *message, char *to, size_t cap);
const char *codec_enum_name(const ProtobufCEnumDescriptor *e, int value);   /* "?" when unknown */

/* Along a descriptor: how many values a field of a message has (a singular one: none or one), where the i-th of them
 * lies, and how long it is there. What lies there is the value of a number, or the pointer to a text or a message. */
size_t codec_field_count(const ProtobufCFieldDescriptor *f, const void *message);
const void *codec_field_at(const ProtobufCFieldDescriptor *f, const void *message, size_t i);
size_t codec_field_size(ProtobufCType type);

/* A refusal for people, by its stable code: a name for programs to show and a sentence that says what to do next, in
 * Chinese and in English. Never NULL: a code from a newer broker has a sentence too. */
struct sentence { PbRefusal code; const char *name, *zh, *en; };
const struct sentence *sentence_of(PbRefusal code);
#endif
