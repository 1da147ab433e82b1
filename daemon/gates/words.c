/* words.c: what every gate says alike. */
#include "daemon/gates/gates.h"

PbWelcome welcome_of(const struct store *s, bool drill, int64_t now_ms) {
    PbWelcome w = { .version = 0 };
    SET(&w, version, PROTOCOL_VERSION);
    SET(&w, now_ms, now_ms);
    SET(&w, epoch, store_epoch(s));
    SET(&w, durable_seq, store_durable_seq(s));
    SET(&w, drill, drill);
    SET(&w, heartbeat_ms, HEARTBEAT_MS);
    return w;
}

PbRefused refused_of(PbRefusal code) {
    const struct sentence *words = sentence_of(code);
    COUNT(REFUSED);
    counters_refused[code]++;
    return (PbRefused){ .has_code = 1, .code = code, .name = (char *)words->name, .en = (char *)words->en };
}

struct slice small_packed(enum codec_type type, void *message, uint8_t *to, size_t cap) {
    codec_prepare(type, message);
    size_t size = codec_size(type, message);
    CHECK(size <= cap);
    codec_pack(type, message, to);
    return slice_from(to, size);
}
