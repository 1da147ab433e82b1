/* Digests and checksums against numbers computed elsewhere (Python's hashlib.blake2b, RFC 3720 B.4), and what sealing
 * promises. */
#include "lib/crypto/crypto.h"

#include <setjmp.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

static const char EMPTY[] = "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8";
static const char ABC[] = "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319";
static const char BYTES_4_TIMES[] = "f1551feeb252c7e60bb362205bd1ac2f70b145260a91d41e8c5d0a187549a5f2";
static const char KEYED_EMPTY[] = "4e51e7a913fc80137da52880fecca175bf81e117d5c68126dc2774033517ea0d";
static const char KEYED_ABC[] = "d63a32d3e44738d7907f964316c241adaba0abfeabc32349677578a15a203f7f";

static struct key counting_key(void) {
    struct key k;
    for (unsigned i = 0; i < KEY_SIZE; i++)
        k.byte[i] = (uint8_t)i;
    return k;
}

static void expect_hash(struct hash h, const char *hex) {
    char printed[2 * HASH_SIZE + 1];
    hash_print(&h, printed);
    assert_string_equal(printed, hex);
}

static void digests_are_blake2b_256(void **state) {
    (void)state;
    uint8_t bytes[1024];
    for (unsigned i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)i;
    expect_hash(hash_of((struct slice){NULL, 0}), EMPTY);
    expect_hash(hash_of(SLICE("abc")), ABC);
    expect_hash(hash_of(slice_from(bytes, sizeof bytes)), BYTES_4_TIMES);
}

static void keyed_digests_are_blake2b_256_with_the_key(void **state) {
    (void)state;
    struct key k = counting_key();
    expect_hash(hash_keyed(&k, (struct slice){NULL, 0}), KEYED_EMPTY);
    expect_hash(hash_keyed(&k, SLICE("abc")), KEYED_ABC);
    k.byte[31] ^= 1;
    struct hash other = hash_keyed(&k, SLICE("abc")), plain = hash_of(SLICE("abc"));
    assert_false(hash_equal(&other, &plain));
}

static void a_digest_in_pieces_is_the_digest_of_the_whole(void **state) {
    (void)state;
    uint8_t bytes[1024];
    for (unsigned i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)i;
    for (size_t cut = 0; cut <= sizeof bytes; cut += 37) {
        struct hash_stream s;
        hash_begin(&s);
        hash_more(&s, slice_from(bytes, cut));
        hash_more(&s, (struct slice){NULL, 0});
        hash_more(&s, slice_from(bytes + cut, sizeof bytes - cut));
        expect_hash(hash_end(&s), BYTES_4_TIMES);
    }
}

static void one_flipped_bit_makes_a_hash_unequal(void **state) {
    (void)state;
    struct hash a = hash_of(SLICE("abc"));
    for (unsigned bit = 0; bit < 8 * HASH_SIZE; bit++) {
        struct hash b = a;
        assert_true(hash_equal(&a, &b));
        b.byte[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        assert_false(hash_equal(&a, &b));
    }
}

static void checksums_are_those_of_rfc_3720(void **state) {
    (void)state;
    uint8_t zeros[32] = {0}, ones[32], rising[32], falling[32];
    for (unsigned i = 0; i < 32; i++) {
        ones[i] = 0xff;
        rising[i] = (uint8_t)i;
        falling[i] = (uint8_t)(31 - i);
    }
    assert_int_equal(crc32c(0, SLICE("123456789")), 0xE3069283);
    assert_int_equal(crc32c(0, slice_from(zeros, 32)), 0x8A9136AA);
    assert_int_equal(crc32c(0, slice_from(ones, 32)), 0x62A8AB43);
    assert_int_equal(crc32c(0, slice_from(rising, 32)), 0x46DD794E);
    assert_int_equal(crc32c(0, slice_from(falling, 32)), 0x113FDB5C);
    assert_int_equal(crc32c(0, (struct slice){NULL, 0}), 0);
}

static void checksums_chain_at_every_cut(void **state) {
    (void)state;
    uint8_t bytes[600];
    for (unsigned i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 7 + i / 256);
    uint32_t whole = crc32c(0, slice_from(bytes, sizeof bytes));
    for (size_t cut = 0; cut <= sizeof bytes; cut++) {
        uint32_t first = crc32c(0, slice_from(bytes, cut));
        assert_int_equal(crc32c(first, slice_from(bytes + cut, sizeof bytes - cut)), whole);
    }
}

/* ISA-L is assembler that no sanitiser watches: a page that may not be read stands on either side. */
static void a_checksum_reads_only_its_bytes(void **state) {
    (void)state;
    const size_t page = 4096;
    uint8_t *three = mmap(NULL, 3 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(three, MAP_FAILED);
    uint8_t *middle = three + page;
    assert_int_equal(mprotect(middle, page, PROT_READ | PROT_WRITE), 0);
    memset(middle, 0x5a, page);
    for (size_t len = 0; len <= page; len++)
        assert_int_equal(crc32c(0, slice_from(middle, len)), crc32c(0, slice_from(middle + page - len, len)));
    munmap(three, 3 * page);
}

/* ---- sealing ---------------------------------------------------------------------------------------------------- */

enum { PLAIN_MAX = 300, SEALED_MAX = PLAIN_MAX + SEAL_OVERHEAD };
static const struct hash message = {{7, 7, 7}}, another_message = {{7, 7, 8}};

static void what_was_sealed_opens(void **state) {
    (void)state;
    struct key k = counting_key();
    uint8_t plain[PLAIN_MAX], sealed[SEALED_MAX], opened[PLAIN_MAX];
    memset(plain, 'x', sizeof plain);
    for (size_t len = 0; len <= sizeof plain; len++) {
        seal(&k, SLICE("text"), &message, slice_from(plain, len), sealed);
        memset(opened, 0, sizeof opened);
        assert_true(seal_open(&k, SLICE("text"), slice_from(sealed, len + SEAL_OVERHEAD), opened));
        assert_memory_equal(opened, plain, len);
    }
}

static void nothing_opens_with_another_key_or_context(void **state) {
    (void)state;
    struct key k = counting_key(), other = counting_key();
    other.byte[0] ^= 0x80;
    struct slice plain = SLICE("the lamp at gate 3 is out");
    uint8_t sealed[SEALED_MAX], opened[PLAIN_MAX];
    seal(&k, SLICE("text"), &message, plain, sealed);
    struct slice s = slice_from(sealed, plain.len + SEAL_OVERHEAD);
    assert_true(seal_open(&k, SLICE("text"), s, opened));
    assert_false(seal_open(&other, SLICE("text"), s, opened));
    assert_false(seal_open(&k, SLICE("address"), s, opened));
    assert_false(seal_open(&k, SLICE("tex"), s, opened));
    assert_false(seal_open(&k, (struct slice){NULL, 0}, s, opened));
}

static void any_flipped_bit_and_any_shorter_text_is_refused(void **state) {
    (void)state;
    struct key k = counting_key();
    struct slice plain = SLICE("13800000000");
    uint8_t sealed[SEALED_MAX], opened[PLAIN_MAX];
    seal(&k, SLICE("text"), &message, plain, sealed);
    const size_t len = plain.len + SEAL_OVERHEAD;
    for (size_t bit = 0; bit < 8 * len; bit++) {
        sealed[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        assert_false(seal_open(&k, SLICE("text"), slice_from(sealed, len), opened));
        sealed[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
    for (size_t shorter = 0; shorter < len; shorter++)
        assert_false(seal_open(&k, SLICE("text"), slice_from(sealed, shorter), opened));
    assert_true(seal_open(&k, SLICE("text"), slice_from(sealed, len), opened));
}

static void the_same_message_seals_to_the_same_bytes_and_nothing_else_shares_its_nonce(void **state) {
    (void)state;
    struct key k = counting_key();
    uint8_t a[SEALED_MAX], b[SEALED_MAX];
    seal(&k, SLICE("text"), &message, SLICE("abc"), a);
    seal(&k, SLICE("text"), &message, SLICE("abc"), b);
    assert_memory_equal(a, b, 3 + SEAL_OVERHEAD);
    seal(&k, SLICE("text"), &another_message, SLICE("abc"), b);
    assert_memory_not_equal(a, b, SEAL_NONCE_SIZE);
    seal(&k, SLICE("address"), &message, SLICE("abc"), b);
    assert_memory_not_equal(a, b, SEAL_NONCE_SIZE);
    seal(&k, SLICE("deed"), &message, SLICE("abc"), a);
    assert_memory_not_equal(a, b, SEAL_NONCE_SIZE);
}

static void wiping_leaves_zeroes(void **state) {
    (void)state;
    struct key k = counting_key(), zero = {{0}};
    wipe(&k, sizeof k);
    assert_memory_equal(&k, &zero, sizeof k);
}

int main(void) {
    crypto_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(digests_are_blake2b_256),
        cmocka_unit_test(keyed_digests_are_blake2b_256_with_the_key),
        cmocka_unit_test(a_digest_in_pieces_is_the_digest_of_the_whole),
        cmocka_unit_test(one_flipped_bit_makes_a_hash_unequal),
        cmocka_unit_test(checksums_are_those_of_rfc_3720),
        cmocka_unit_test(checksums_chain_at_every_cut),
        cmocka_unit_test(a_checksum_reads_only_its_bytes),
        cmocka_unit_test(what_was_sealed_opens),
        cmocka_unit_test(nothing_opens_with_another_key_or_context),
        cmocka_unit_test(any_flipped_bit_and_any_shorter_text_is_refused),
        cmocka_unit_test(the_same_message_seals_to_the_same_bytes_and_nothing_else_shares_its_nonce),
        cmocka_unit_test(wiping_leaves_zeroes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
