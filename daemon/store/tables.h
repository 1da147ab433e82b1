/* tables.h: the tables, and the one function that folds a record into them. Private to this folder.
 *
 *   fold_record      what a record means: the rows it writes. Live, at a restart and in a verification: the same (S2)
 *   fold_bytes       the same from the journal's bytes
 *   fold_tail        the journal from where the tables are to a seq
 *
 * Invariants:
 *   T1  everything but meta is a function of the records up to meta.folded_seq; what is kept in memory beside the
 *       tables (first due, day numbers, unpacked rules) can be forgotten at any time.
 *   T2  a row that is not what was put makes the tables doubtful: the next start folds them anew.
 * Errors are those of db.h; after one of them the open transaction is no fold of anything: tables_return. */
#ifndef TABLES_H
#define TABLES_H
#include "daemon/store/rows.h"

enum {
    NUMBERS_KEPT = 64,                            /* days of districts whose last number is remembered */
    FOLD_COMMIT_CHANGES = 32768,                  /* while folding a long tail: bounds memory */
    FOLD_ROOM_BYTES = JOURNAL_RECORD_BYTES_MAX * 32 + (64 << 10),
};

struct rules_kept {
    uint32_t number;                              /* 0: free */
    uint64_t used;
    PbRules *rules;
    void *memory;                                 /* that they live in */
};

struct tables {
    struct db *db;
    bool read_only, doubtful;
    bool later;                                   /* the rows that follow from a case are not kept: fold_derive */
    struct meta meta;                             /* of what is folded, committed or not */
    struct facts facts;
    enum { DUE_UNKNOWN, DUE_NONE, DUE_KNOWN } due_known;
    struct due_row first_due;
    struct { uint32_t district, day, last; } numbers[NUMBERS_KEPT];
    struct rules_kept rules[STORE_RULES_VERSIONS_MAX];
    uint64_t rules_uses;
    struct arena room;                            /* where fold_bytes unpacks */
    void (*folded)(uint64_t seq);                 /* store_options.folded */
    char problem[STORE_PROBLEM_SIZE];
};

struct tables_options {
    const char *path;
    uint64_t map_bytes;
    bool read_only, scratch;
};

/* ---- tables.c ---------------------------------------------------------------------------------------------------- */

int tables_open(struct tables *t, const struct tables_options *o);   /* embedded; on failure t->problem says why */
void tables_close(struct tables *t);
void tables_begin(struct tables *t, const uint8_t store_id[static 16]);      /* nothing folded yet */
int tables_load(struct tables *t);                /* meta and facts; -ENOENT: never written; -EBADMSG */
const char *tables_fold_name(enum table table);   /* NULL: it is no fold */
int tables_facts(struct tables *t);               /* writes the facts, as they must be for a digest */
int tables_commit(struct tables *t);              /* meta, facts, and the transaction */
int tables_return(struct tables *t);              /* aborts: everything as it was committed */
int tables_result(struct tables *t, int r);       /* notes T2 and the words of a failure; returns r */
int tables_get(struct tables *t, enum table table, const struct row_key *key, struct slice *ret_borrowed);
int tables_put(struct tables *t, enum table table, const struct row_key *key, struct slice value);
int tables_case(struct tables *t, uint64_t id, struct case_state *ret);
int tables_first_due(struct tables *t, struct due_row *ret);
int tables_last_number(struct tables *t, uint32_t district, uint32_t day, uint32_t *ret);
void tables_note_number(struct tables *t, uint32_t district, uint32_t day, uint32_t number);

/* ---- fold.c ------------------------------------------------------------------------------------------------------ */

/* before and after the record, when the caller has them (decide made them); NULL: loaded and evolved here. */
int fold_record(struct tables *t, const PbRecord *r, const struct case_state *before, const struct case_state *after);
int fold_bytes(struct tables *t, uint64_t first_seq, uint32_t seqs, struct slice record);
/* A fold whose rows nobody looks at on the way is told `later`, and makes those that follow from a case once, from the
 * cases as they stand; from here on they are kept. Nothing to do for any other. */
int fold_derive(struct tables *t);
/* From meta.folded_seq + 1 to upto, which the journal has on disk. Commits on the way when `commit`. -ESTALE: what
 * the tables were folded from is not this journal. */
int fold_tail(struct tables *t, struct journal *j, uint64_t upto, bool commit, uint64_t *ret_records);

/* ---- expiry.c ---------------------------------------------------------------------------------------------------- */

int receipts_expire(struct tables *t, const PbReceiptsExpired *e);

/* ---- adopted.c: rules, in parts as the journal brings them, and unpacked ----------------------------------------- */

int rules_fold(struct tables *t, const PbEvent *e);
int rules_find(struct tables *t, uint32_t number, const PbRules **ret);
int rules_hash_of(struct tables *t, uint32_t number, struct hash *ret);
struct rules_packed;
int rules_packed(struct tables *t, uint32_t number, uint32_t part, uint8_t *to, size_t cap, struct rules_packed *ret);
void rules_forget(struct tables *t, uint32_t above);                 /* those with a higher number */
#endif
