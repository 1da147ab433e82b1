/* crypto.h: digests, keyed digests, sealed text, checksums.
 * Doors: libsodium (BLAKE2b, XChaCha20-Poly1305) and ISA-L (CRC32C).
 *
 * BLAKE2b (RFC 7693) names content: batches, commands, configurations, digests of whole tables.
 * CRC32C (iSCSI, RFC 3720) only tells damage: it is not a key, and nothing is believed because of it. */
#ifndef CRYPTO_H
#define CRYPTO_H
#include "lib/base/base.h"

enum { HASH_SIZE = 32, KEY_SIZE = 32 };
enum { SEAL_NONCE_SIZE = 24, SEAL_TAG_SIZE = 16, SEAL_OVERHEAD = SEAL_NONCE_SIZE + SEAL_TAG_SIZE };

struct hash { uint8_t byte[HASH_SIZE]; };
struct key { uint8_t byte[KEY_SIZE]; };

void crypto_init(void);                                          /* once, before anything else; CHECKs */

struct hash hash_of(struct slice s);                             /* BLAKE2b-256 */
struct hash hash_keyed(const struct key *k, struct slice s);     /* BLAKE2b-256 under a key: a MAC, or a derived key */
bool hash_equal(const struct hash *a, const struct hash *b);     /* constant time */
void hash_print(const struct hash *h, char to[static 2 * HASH_SIZE + 1]);

/* The same, in pieces. */
struct hash_stream { _Alignas(64) uint8_t opaque[384]; };        /* libsodium's state; size asserted in crypto.c */
void hash_begin(struct hash_stream *s);
void hash_more(struct hash_stream *s, struct slice more);
struct hash hash_end(struct hash_stream *s);

uint32_t crc32c(uint32_t so_far, struct slice s);                /* start with 0 */

/* seal: nonce ‖ ciphertext ‖ tag into `to` (plain.len + SEAL_OVERHEAD bytes). context: what the text is ("text",
 * "address"). unique: a keyed digest of the message that the text came in; with the context it makes the nonce. So
 * two texts never share a nonce under one key, and the same message seals to the same bytes: so do two drills. */
void seal(const struct key *k, struct slice context, const struct hash *unique, struct slice plain, uint8_t *to);
/* false: wrong key, wrong context or damaged. `to` holds sealed.len - SEAL_OVERHEAD bytes. */
bool seal_open(const struct key *k, struct slice context, struct slice sealed, uint8_t *to);

void wipe(void *at, size_t len);                                 /* not optimised away */
#endif
