/* crypto.c: the only file that calls libsodium and ISA-L. Nothing here fails for the world's reasons: what can go wrong
 * is a bug (CHECK) or a text that does not open (false). */
#include "lib/crypto/crypto.h"

#include <isa-l/crc.h>
#include <limits.h>
#include <sodium.h>
#include <string.h>

_Static_assert(sizeof(struct hash_stream) == sizeof(crypto_generichash_state), "a stream is libsodium's state");
_Static_assert(_Alignof(struct hash_stream) >= _Alignof(crypto_generichash_state), "and aligned like it");
_Static_assert(HASH_SIZE == crypto_generichash_BYTES, "BLAKE2b-256");
_Static_assert(KEY_SIZE == crypto_aead_xchacha20poly1305_ietf_KEYBYTES, "one key size for sealing");
_Static_assert(KEY_SIZE == crypto_generichash_KEYBYTES, "and for keyed digests");
_Static_assert(SEAL_NONCE_SIZE == crypto_aead_xchacha20poly1305_ietf_NPUBBYTES, "XChaCha20");
_Static_assert(SEAL_TAG_SIZE == crypto_aead_xchacha20poly1305_ietf_ABYTES, "Poly1305");

void crypto_init(void) {
    CHECK(sodium_init() >= 0);
    CHECK(crypto_generichash_statebytes() == sizeof(struct hash_stream));
}

/* ---- digests ---------------------------------------------------------------------------------------------------- */

struct hash hash_of(struct slice s) {
    struct hash h;
    CHECK(crypto_generichash(h.byte, HASH_SIZE, s.at, s.len, NULL, 0) == 0);
    return h;
}

struct hash hash_keyed(const struct key *k, struct slice s) {
    struct hash h;
    CHECK(crypto_generichash(h.byte, HASH_SIZE, s.at, s.len, k->byte, KEY_SIZE) == 0);
    return h;
}

bool hash_equal(const struct hash *a, const struct hash *b) {
    return sodium_memcmp(a->byte, b->byte, HASH_SIZE) == 0;
}

void hash_print(const struct hash *h, char to[static 2 * HASH_SIZE + 1]) {
    (void)sodium_bin2hex(to, 2 * HASH_SIZE + 1, h->byte, HASH_SIZE);
}

static crypto_generichash_state *state_of(struct hash_stream *s) {
    return (crypto_generichash_state *)(void *)s->opaque;
}

void hash_begin(struct hash_stream *s) {
    CHECK(crypto_generichash_init(state_of(s), NULL, 0, HASH_SIZE) == 0);
}

void hash_more(struct hash_stream *s, struct slice more) {
    CHECK(crypto_generichash_update(state_of(s), more.at, more.len) == 0);
}

struct hash hash_end(struct hash_stream *s) {
    struct hash h;
    CHECK(crypto_generichash_final(state_of(s), h.byte, HASH_SIZE) == 0);
    return h;
}

/* ---- checksum --------------------------------------------------------------------------------------------------- */

/* ISA-L leaves both inversions of the iSCSI CRC to the caller and takes an int for the length and a pointer it does not
 * write through. Inverting on the way in and out makes calls chain: crc32c(crc32c(0, a), b) is the CRC of ab. */
uint32_t crc32c(uint32_t so_far, struct slice s) {
    uint32_t crc = ~so_far;
    while (s.len > 0) {
        int piece = s.len < INT_MAX ? (int)s.len : INT_MAX;
        crc = crc32_iscsi((unsigned char *)s.at, piece, crc);
        s = (struct slice){s.at + piece, s.len - (size_t)piece};
    }
    return ~crc;
}

/* ---- sealed text ------------------------------------------------------------------------------------------------ */

/* The texts of one message share its digest; their contexts tell them apart in the last four bytes. */
static void nonce_of(struct slice context, const struct hash *unique, uint8_t *nonce) {
    _Static_assert((int)SEAL_NONCE_SIZE <= (int)HASH_SIZE, "a nonce is the beginning of a digest");
    uint8_t *last = nonce + SEAL_NONCE_SIZE - 4;
    memcpy(nonce, unique->byte, SEAL_NONCE_SIZE);
    put_le32(last, get_le32(last) ^ crc32c(0, context));
}

void seal(const struct key *k, struct slice context, const struct hash *unique, struct slice plain, uint8_t *to) {
    nonce_of(context, unique, to);
    unsigned long long len = 0;
    int r = crypto_aead_xchacha20poly1305_ietf_encrypt(to + SEAL_NONCE_SIZE, &len, plain.at, plain.len,
                                                       context.at, context.len, NULL, to, k->byte);
    CHECK(r == 0);
    CHECK(len == plain.len + SEAL_TAG_SIZE);
}

bool seal_open(const struct key *k, struct slice context, struct slice sealed, uint8_t *to) {
    if (sealed.len < SEAL_OVERHEAD)
        return false;
    struct slice hidden = {sealed.at + SEAL_NONCE_SIZE, sealed.len - SEAL_NONCE_SIZE};
    return crypto_aead_xchacha20poly1305_ietf_decrypt(to, NULL, NULL, hidden.at, hidden.len, context.at, context.len,
                                                      sealed.at, k->byte) == 0;
}

void wipe(void *at, size_t len) {
    sodium_memzero(at, len);
}
