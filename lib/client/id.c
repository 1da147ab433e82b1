/* id.c: names for commands. UUIDv7, RFC 9562 section 5.7: 48 bits of milliseconds, version, 12 bits, variant, 62. */
#include "lib/client/whistle.h"

static void put_id(uint8_t to[16], uint64_t ms, uint64_t high, uint64_t low) {
    put_be64(to, ms << 16 | 0x7000 | (high & 0x0fff));
    put_be64(to + 8, UINT64_C(1) << 63 | (low & (UINT64_MAX >> 2)));
}

/* The seed's bits fill the 74 free ones from below, so ids of one millisecond sort as their seeds. */
void whistle_id(uint8_t to[16], int64_t at_ms, const uint64_t *seed) {
    CHECK(at_ms >= 0 && at_ms >> 48 == 0);
    uint64_t random[2];
    if (seed == NULL)
        random_bytes(random, sizeof(random));
    else
        random[0] = *seed >> 62, random[1] = *seed;
    put_id(to, (uint64_t)at_ms, random[0], random[1]);
}
