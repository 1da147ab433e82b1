/* rows.h: what the tables hold, as bytes. Pure: no table is touched here.
 *
 *   row_of_case, case_of_row     a case and its row
 *   rows_of_case                 the rows that follow from it: deadlines, work, open, asks
 *   key_...                      keys; integers big-endian, so that rows sort as the numbers do
 *
 * Invariants:
 *   R1  case_of_row(row_of_case(c)) == c, field for field; one table of fields serves both directions.
 *   R2  rows_of_case is a function of the case alone: no clock, no table, no order of events.
 *   R3  two different keys of a table are never the same bytes, and none is a prefix of another that it must not find.
 * Bytes of every row and key: docs/data.md. */
#ifndef ROWS_H
#define ROWS_H
#include "daemon/store/store.h"

enum {
    ROWS_FORMAT = 1,                              /* first byte of a case and of meta */
    FACTS_FORMAT = 4,                             /* 1 had no counts by state, 2 no horizon, 3 no recomputing */
    ROW_VALUE_MAX = 16,                           /* of the rows that follow from a case */
    ROWS_OF_CASE_MAX = 1 + 1 + CASE_TIMERS_MAX + CASE_ASKS_MAX + 2,
    DIVISION_DIGITS_MAX = 15,
};

struct row_key {
    uint8_t len;
    uint8_t byte[DB_KEY_MAX];
};

struct row {
    uint8_t table, value_len;
    struct row_key key;
    uint8_t value[ROW_VALUE_MAX];
};

/* ---- what is neither case nor receipt ---------------------------------------------------------------------------- */

/* Facts of the whole store, folded like everything else: one row of TABLE_FACTS. */
struct facts {
    uint64_t next_slot, cases_open, cases_all, receipts, clock_doubts;
    uint64_t by_state[STORE_STATES_MAX];          /* cases, however long ago they were closed */
    uint64_t recompute;                           /* the rules of a recomputing that was begun and not ended; 0: none */
    int64_t receipts_horizon_ms;                  /* what is older and has no receipt is stale; 0: none has expired */
    uint32_t rules;                               /* in force; 0: none */
    uint32_t pending;                             /* begun and not adopted; 0: none */
    uint32_t pending_chunks, pending_parts;       /* of those that have come */
    struct hash rules_hash;                       /* of those in force */
};

/* How far the tables are: one row of TABLE_META, the only one that is no fold. It carries its own checksum. */
struct meta {
    uint64_t folded_seq, epoch;
    struct hash chain;                            /* of the batch that ends with folded_seq */
    uint8_t store_id[16];
};

enum { FACTS_ROW_BYTES = 1 + (7 + STORE_STATES_MAX) * 8 + 4 * 4 + HASH_SIZE };
enum { META_ROW_BYTES = 1 + 2 * 8 + HASH_SIZE + 16 + 4 };

void row_of_facts(const struct facts *f, uint8_t to[static FACTS_ROW_BYTES]);
bool facts_of_row(struct slice row, struct facts *ret);
void row_of_meta(const struct meta *m, uint8_t to[static META_ROW_BYTES]);
bool meta_of_row(struct slice row, struct meta *ret);

enum { RECEIPT_ROW_BYTES = 8 + 8 + 8 + 16 };
void row_of_receipt(const struct receipt *r, uint8_t to[static RECEIPT_ROW_BYTES]);
bool receipt_of_row(struct slice row, struct receipt *ret);

enum { BATCH_ROW_BYTES = 1 + 1 + 2 * 4 + 2 * 8 + HASH_SIZE + 2 * (BY_BYTES_MAX + 1) };
void row_of_batch(const struct batch_state *b, uint8_t to[static BATCH_ROW_BYTES]);
bool batch_of_row(struct slice row, struct batch_state *ret);

/* ---- cases ------------------------------------------------------------------------------------------------------- */

size_t row_of_case(const struct case_state *c, uint8_t to[static DB_VALUE_MAX]);       /* its length */
bool case_of_row(struct slice row, struct case_state *ret);                            /* false: no row of a case */
unsigned rows_of_case(const struct case_state *c, struct row to[static ROWS_OF_CASE_MAX]);

/* ---- keys -------------------------------------------------------------------------------------------------------- */

struct slice key_bytes(const struct row_key *k);
struct row_key key_number(uint64_t number);                                            /* cases; 0: meta and facts */
struct row_key key_rules(uint32_t number, uint32_t index);
struct row_key key_deadline(const struct due_row *d);
struct row_key key_receipt(struct slice source, const uint8_t command_id[static 16]);
struct row_key key_work(const struct work_row *w);
struct row_key key_open(uint64_t division, uint64_t case_id);
struct row_key key_ask(const char *party, uint64_t case_id, uint8_t stage, uint8_t attempt);
struct row_key key_follower(uint64_t master, uint64_t case_id);                        /* case 0: the first */
struct row_key key_external(const char *origin, const char *external_id);
struct row_key key_batch(const uint8_t id[static 16]);
struct row_key key_story(uint64_t case_id, uint64_t first_seq);
struct row_key key_day(uint32_t district, uint32_t day);                               /* prefix of its numbers */
struct row_key key_case_number(uint32_t district, uint32_t day, uint32_t number);

/* A code with zeroes behind it up to 15 digits, so that whatever lies in a division sorts from it on. */
uint64_t division_left(uint64_t code);
/* The first aligned code behind everything that the division covers; prefix 0: behind all. */
uint64_t division_behind(uint64_t prefix);

bool due_of_key(struct slice key, struct due_row *ret);
bool work_of_row(struct slice key, struct slice value, struct work_row *ret);
#endif
