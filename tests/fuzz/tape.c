/* tape.c: an input as a row of decisions. */
#include "tests/fuzz/fuzz.h"

#include <string.h>

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

int tape_words(struct tape *t, char *words[static TAPE_WORDS_MAX + 1]) {
    static char lines[TAPE_LINES_BYTES];
    struct slice text = tape_bytes(t, sizeof lines - 1);
    int count = 0;
    if (text.len) memcpy(lines, text.at, text.len);
    lines[text.len] = '\0';
    words[count++] = (char *)"program";
    for (char *at = lines, *end; at && count < TAPE_WORDS_MAX; at = end) {
        words[count++] = at;
        end = memchr(at, '\n', (size_t)(lines + text.len - at));
        if (end) *end++ = '\0';
    }
    words[count] = NULL;
    return count;
}
