/* Foreign bytes as each kind of message: the check and the unpacking are of one mind, and neither is hurt. */
#include "tests/fuzz/fuzz.h"

#include <string.h>

enum { ROOM_BYTES = 8 << 20 };
static uint8_t memory[ROOM_BYTES], again[ROOM_BYTES / 8];

/* What passed has one spelling but for the order of its fields: unpacked and packed again it is as long. */
static void check_spelling(enum codec_type type, struct slice bytes, const void *message) {
    size_t size = codec_size(type, message);
    CHECK(size == bytes.len && size <= sizeof again);
    codec_pack(type, message, again);
    CHECK(codec_check(type, slice_from(again, size)).refusal == REFUSED_NOTHING);
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len) {
    struct tape t = tape_of(at, len);
    struct arena room;
    struct codec_result why = {REFUSED_NOTHING, NULL};
    enum codec_type type = (enum codec_type)tape_below(&t, CODEC_TYPES);
    struct slice bytes = tape_bytes(&t, len);
    arena_wrap(&room, memory, sizeof memory);
    (void)codec_peek_command(bytes);
    struct slice id = codec_peek_id(bytes);
    CHECK(id.len == 0 || (id.at >= bytes.at && id.at + id.len <= bytes.at + bytes.len));
    struct codec_result checked = codec_check(type, bytes);
    void *message = codec_unpack(type, bytes, &room, &why);
    CHECK(message ? checked.refusal == REFUSED_NOTHING : room.used == 0 && why.refusal != REFUSED_NOTHING);
    CHECK(message || checked.refusal == why.refusal || why.refusal == REFUSED_TOO_COMPLEX);
    CHECK(sentence_of(why.refusal)->name);
    if (!message) return 0;
    check_spelling(type, bytes, message);
    char json[64];
    size_t length = codec_json(type, message, NULL, 0);
    CHECK(codec_json(type, message, json, sizeof json) == length && memchr(json, 0, sizeof json));
    return 0;
}
