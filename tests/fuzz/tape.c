/* tape.c: an input as a row of decisions. */
#include "tests/fuzz/fuzz.h"

struct slice tape_bytes(struct tape *t, size_t most) {
    size_t left = (size_t)(t->end - t->at);
    struct slice s = {t->at, most < left ? most : left};
    t->at += s.len;
    return s;
}

int64_t tape_number(struct tape *t) {
    static const int64_t edges[] = {
        -1, INT64_MAX, INT64_MIN, INT32_MAX, INT32_MIN, UINT32_MAX, UINT32_MAX + 1LL, 0x7f, 0x80, 0x3fff, 0x4000,
    };
    uint8_t how = tape_byte(t);
    if (how < 128) return how;
    if (how < 192) return tape_two(t);
    if (how < 240) return edges[how % COUNT_OF(edges)];
    uint64_t v = 0;
    for (unsigned i = 0; i < 8; i++) v = v << 8 | tape_byte(t);
    return (int64_t)v;
}
