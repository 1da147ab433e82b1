/* base.h: a base: what the journal up to a seq folds to, as a file of its own, so that what was folded may go.
 *
 *   <dir>/base-<seq>.dump
 *
 *       0   8  magic "WHBASE\0\0"                     32   8  seq that it stands at
 *       8   4  format, 1                               40   8  epoch
 *      12   4  how many tables follow                  48  32  hash of the batch that ends with seq
 *      16  16  store id                                80  32  digest of the tables (store.md 14)
 *                                                     112  16  zeroes
 *     128      the fold tables, in the order of the digest:
 *                name: length u8, bytes
 *                rows by key: key length u8, value length u16, key, value
 *                end: 0 u8, rows u64
 *    last  32  BLAKE2b-256 of all bytes before it
 *
 * The same tables make the same bytes. A segment's header names the base by that last hash under the store's key; so
 * what is loaded is what was written, or it is refused.
 *
 * Errors: -ENOENT: it is not there; -EBADMSG: it is not what the journal names; both in words. Others are the
 * world's. */
#ifndef BASE_FILE_H
#define BASE_FILE_H
#include "daemon/store/tables.h"

enum { BASE_NAME_SIZE = 40 };
void base_name(uint64_t seq, char to[static BASE_NAME_SIZE]);

/* The tables as they stand. Its name appears when it is on disk. */
int base_write(struct tables *t, int dir, struct journal_base *ret);
/* Is it there, and the one that is named? full: every byte of it is looked at. The digest is that of its tables. */
int base_check(int dir, const struct journal_base *b, bool full, struct hash *ret_digest,
               char problem[static STORE_PROBLEM_SIZE]);
/* Into tables that hold nothing yet (tables_begin). They stand at its seq then, committed. */
int base_load(struct tables *t, int dir, const struct journal_base *b, char problem[static STORE_PROBLEM_SIZE]);
#endif
