/* Every kind of message, drawn: what is packed unpacks to the same, or was refused for being too much. */
#include "tests/fuzz/fuzz.h"
#include "tests/unit/rules_fixture.h"

#include <string.h>

enum { ROOM_BYTES = 32 << 20, JSON_MAX = 1 << 20 };
static uint8_t memory[ROOM_BYTES];
static char json[2][JSON_MAX];

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len) {
    struct tape t = tape_of(at, len);
    struct arena room;
    struct codec_result why = {REFUSED_NOTHING, NULL};
    struct draw_world w = {.rules = fixture_rules(), .now_ms = FIXTURE_MONDAY_MS, .cases = 9};
    enum codec_type type = (enum codec_type)tape_below(&t, CODEC_TYPES);
    arena_wrap(&room, memory, sizeof memory);
    void *drawn = draw(codec_descriptor(type), &t, &w, &room);
    codec_prepare(type, drawn);
    size_t size = codec_size(type, drawn);
    uint8_t *bytes = arena_must(&room, size + 1), *again = arena_must(&room, size + 1);
    codec_pack(type, drawn, bytes);
    void *read = codec_unpack(type, slice_from(bytes, size), &room, &why);
    if (!read) {
        CHECK(why.refusal == REFUSED_TOO_COMPLEX || why.refusal == REFUSED_BAD_TEXT);
        return 0;
    }
    CHECK(codec_size(type, read) == size);
    codec_pack(type, read, again);
    CHECK(memcmp(bytes, again, size) == 0);
    size_t written = codec_json(type, drawn, json[0], JSON_MAX);
    CHECK(codec_json(type, read, json[1], JSON_MAX) == written && strcmp(json[0], json[1]) == 0);
    return 0;
}
