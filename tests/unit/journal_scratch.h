/* journal_scratch.h: what the tests of the journal share: one journal in a scratch directory, records that can be told
 * from their seq alone, and ways to hurt the files. */
#ifndef JOURNAL_SCRATCH_H
#define JOURNAL_SCRATCH_H
#include "daemon/store/journal.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

enum {
    MIB = 1 << 20,
    ONE = 512,                                    /* where the first batch of a segment stands */
    BATCH = 168 + 5 * (12 + 500),                 /* five records of 500 bytes */
    EXTENT = 3072,                                /* and up to the next block */
};

extern char dir[128];
extern struct journal *j;
extern struct journal_options options;            /* 1 MiB segments, two ahead, blocks of 512 */
extern struct journal_found found;

int set_up(void **state);
int tear_down(void **state);
void remove_journal(void);                        /* the files; the directory of the store stays */

void create_journal(void);                        /* and opens it */
void open_journal(void);
void close_journal(void);
void fill_ahead(void);
struct slice record_of(uint64_t seq, size_t len); /* valid until the next call */
void append(unsigned records, size_t len);        /* one batch */
void append_other(uint64_t from, uint64_t epoch); /* a batch of five records that say what later ones would */
void append_two_segments(void);                   /* batches of five records: two in a sealed segment, one behind it */
void assert_holds(uint64_t from, uint64_t to, size_t len);
void assert_refused(const char *file, const char *words);

/* Files by their names in <dir>/journal. */
const char *path_of(const char *name);            /* valid until the next call */
void put_bytes(const char *name, uint64_t offset, const void *bytes, size_t len);
void get_bytes(const char *name, uint64_t offset, void *bytes, size_t len);
void flip_byte(const char *name, uint64_t offset);
void fill_bytes(const char *name, uint64_t offset, int byte, size_t len);   /* byte < 0: garbage */
void cut_file(const char *name, uint64_t len);
void copy_file(const char *from, const char *to);
void rename_file(const char *from, const char *to);
bool file_is_there(const char *name);
#endif
