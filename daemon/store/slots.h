/* slots.h: the keys of sealed text, in fixed slots of one flat file, overwritten in place.
 *
 *   <dir>/slots = header | slot 0 | slot 1 | ...      slot = 32 bytes of key; all zeroes: wiped
 *   header      = 4096 bytes: magic, format, slot size, store id, ahead, drill or not and its seed, crc32c; zeroes
 *
 * A case's text is sealed under the key of its slot; wiping the slot in place erases the text, and the journal's chain
 * stays valid. (A key deleted inside LMDB would survive in free pages.) Slots are filled with random keys and synced
 * ahead of use; a drill store derives them from a fixed seed (slot i: BLAKE2b of i as le64, keyed with the seed), so
 * that two drills are byte-identical. Slot numbers are given out by the journal (Reported.slot). */
#ifndef SLOTS_H
#define SLOTS_H
#include "lib/crypto/crypto.h"

struct slots;
/* wiped: so many come first, wiped: their keys were lost (0). ahead: how many filled slots to keep beyond the highest
 * used one (65,536). drill_seed NULL: random keys. */
int slots_create(const char *dir, const uint8_t store_id[16], uint64_t wiped, uint64_t ahead,
                 const struct key *drill_seed);
/* 0; -ENOENT; -EBADMSG (other store, damaged header). `used` = slots given out according to the journal: fewer in the
 * file = -ESTALE
 * (slots older than the journal). Fills ahead and syncs before it returns unless read_only. */
int slots_open(struct slots **ret, const char *dir, const uint8_t store_id[16], uint64_t used, bool read_only);
int slots_key(struct slots *s, uint64_t slot, struct key *ret);   /* -ENOENT beyond the file; -ENODATA: wiped */
/* When idle: fill on, synced; at most 64 KiB a call. */
int slots_ahead(struct slots *s, uint64_t used, bool *ret_worked);
uint64_t slots_filled(const struct slots *s);
int slots_wipe(struct slots *s, uint64_t slot);                   /* in place, then fdatasync */
uint64_t slots_bytes(const struct slots *s);
uint64_t slots_bytes_of(uint64_t slots);                         /* a file of so many slots */
void slots_close(struct slots *s);
#endif
