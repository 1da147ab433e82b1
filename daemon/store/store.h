/* store.h: what is true, and how it stays true. The journal is the truth; the tables are a fold of it.
 *
 *   store_begin          a turn begins: a batch is open
 *   store_record         one command's events: into the batch, and folded into the tables at once, so that the next
 *                        command of the turn is decided against them
 *   store_commit         one write, one sync. After it the turn may speak
 *   store_abandon        the turn did not happen: the tables go back to the last durable seq
 *   store_rest           between turns: checkpoint, witness, segments ahead, key slots ahead; says whether there is
 *                        more to do
 *
 * Invariants:
 *   S1  LMDB commits only between turns, and only what the journal has on disk: folded seq <= durable seq.
 *   S2  tables == fold(journal up to folded seq), byte for byte: one function, fold_record, serves the live path, the
 *       restart and the verification.
 *   S3  every row except meta's is a function of records; deadlines, work, open, asks are functions of the case row
 *       alone (rows.c, rows_of_case).
 *   S4  a value that fails its CRC is never served: -EBADMSG, and the next start folds the tables again.
 *   S5  a command's receipt lives in the same record as its effect.
 *   S6  one broker per store: the directory is locked.
 *
 * Errors: -ENOSPC from store_record or store_rest: abandon, refuse, go on from what is prepared. Everything else
 * negative from a write path is final: the caller ends the process without speaking. Rules: docs/store.md. Tables and
 * keys: docs/data.md. */
#ifndef STORE_H
#define STORE_H
#include "daemon/kernel/batch.h"
#include "daemon/kernel/kernel.h"
#include "daemon/store/db.h"
#include "daemon/store/journal.h"
#include "lib/crypto/crypto.h"

enum {
    STORE_SOURCE_BYTES_MAX = 32,                  /* "uid:1000", "tcp:loopback", "work", "timer", "broker" */
    IDENTITY_FILE_MAX = 512,                      /* FORMAT, key */
    STORE_RULES_PART_BYTES = 1900,
    STORE_RECORD_EVENTS_MAX = 64,
    STORE_RULES_VERSIONS_MAX = 16,                /* kept in memory, unpacked: some MiB each */
    STORE_STATES_MAX = 16,                        /* of a case, that are counted */
    STORE_PROBLEM_SIZE = 400,                     /* words for people: what, where, what to do */
};

enum table {
    TABLE_META, TABLE_FACTS, TABLE_RULES, TABLE_CASES, TABLE_DEADLINES, TABLE_RECEIPTS, TABLE_WORK, TABLE_OPEN,
    TABLE_ASKS, TABLE_STORY, TABLE_NUMBERS, TABLE_FOLLOWERS, TABLE_DEAD, TABLE_EXTERNAL, TABLE_BATCHES, TABLE_COUNT
};

struct store;

struct store_options {
    const char *dir;
    bool drill;                                   /* creation only: FORMAT says `drill`; keys come from a fixed seed */
    uint64_t segment_bytes, segments_ahead, map_bytes, store_max_bytes, slots_ahead;
    uint64_t checkpoint_bytes_journal;            /* 64 MiB */
    uint64_t checkpoint_changes;                  /* rows changed since the last checkpoint: bounds heap and stall */
    int64_t checkpoint_idle_ms;                   /* 200 */
    int64_t checkpoint_age_ms;                    /* 10,000 */
    bool read_only;                               /* a resting store: takes the lock, changes nothing */
    bool verify_full;                             /* every byte of journal and tables, before anything is served */
    uint64_t inspect_bytes;                       /* tables in a file of at most so many: every row, at a start */
    void (*folded)(uint64_t seq);                 /* told of every record folded from the journal; or NULL */
};

/* What opening saw and did, for the log and for `whistlectl recover`. */
struct store_found {
    struct journal_found journal;
    uint64_t folded_seq;                          /* the checkpoint's */
    uint64_t refolded;                            /* records folded at start */
    uint64_t epoch;                               /* of the last run; the caller begins epoch + 1 */
    bool drill, rebuilt, not_ext4_xfs;
    char decision[24];                            /* the row of the recovery table that applied */
    char problem[STORE_PROBLEM_SIZE];                            /* on failure: what, where, what to do */
};

/* Creates dir atomically (rule 18): dir.new/ with segment 1, state, slots, FORMAT fsynced last, renamed. -EEXIST when
 * dir is there and not empty. */
int store_create(const struct store_options *o, char problem[static STORE_PROBLEM_SIZE]);
/* 0; -EBUSY another process has it; -ENOENT no store; -EBADMSG damaged or another format (found->problem); -ENOSPC no
 * room to fold (open it read_only); -EACCES ... Folds what the checkpoint lacks. */
int store_open(struct store **ret, const struct store_options *o, struct store_found *found);
void store_close(struct store *s);                /* a clean stop: witness, checkpoint; read-only: nothing */

/* ---- a turn ------------------------------------------------------------------------------------------------------ */

void store_begin(struct store *s, int64_t now_ms);
uint64_t store_next_seq(const struct store *s);   /* of the next event */
size_t store_turn_bytes(const struct store *s);   /* journaled so far in this turn */
size_t store_turn_room(const struct store *s);    /* what its batch still takes: little when no segment is ready */
bool store_turn_empty(const struct store *s);
bool store_turn_full(const struct store *s);      /* might not take another command's record: end the turn */
/* Of the last record; 0: none; negative: it cannot be read. Time never goes back past it. */
int64_t store_last_ms(struct store *s);
/* The record's first_seq and at_ms must be set (first_seq == store_next_seq); descriptors are set here. `c` is its case
 * after the events (NULL: not about a case), `before` the one before (id 0: new). Rows are written from them; a replay
 * computes them itself. `room` is scratch, and as it was afterwards. */
int store_record(struct store *s, PbRecord *record, const struct case_state *before, const struct case_state *c,
                 struct arena *room);
int store_commit(struct store *s);                /* 0; negative: final */
int store_abandon(struct store *s);               /* 0; negative: final */
uint64_t store_durable_seq(const struct store *s);
uint64_t store_first_seq(const struct store *s);  /* what happened before it is no longer in the journal */

/* ---- reading; borrowed slices live until the next write ---------------------------------------------------------- */

int store_case(struct store *s, uint64_t id, struct case_state *ret);                   /* 0, -ENOENT, -EBADMSG */
int store_case_by_number(struct store *s, uint32_t district, uint32_t day, uint32_t number, uint64_t *ret_id);
uint32_t store_next_number(struct store *s, uint32_t district, uint32_t day);           /* the next of that day */
uint64_t store_next_slot(const struct store *s);

/* What is kept of a command's bytes: BLAKE2b-256 under the store's key, so that a short text cannot be found again by
 * guessing. */
struct hash store_command_hash(const struct store *s, struct slice bytes);

struct receipt {
    uint64_t seq, case_id;                        /* seq: last of its record */
    int64_t at_ms;
    uint8_t hash[16];                             /* first half of the command hash */
};
int store_receipt(struct store *s, struct slice source, const uint8_t command_id[16], struct receipt *ret);
                                                                                        /* 0, -ENOENT */

/* What a command's age makes of it when it has no receipt. Its age is the time in its id, when that is a UUIDv7, else
 * sent_at_ms (NULL: not said). */
enum command_age { AGE_YOUNG, AGE_STALE, AGE_UNKNOWN };                                 /* unknown: must say sent_at */
enum command_age store_age(const struct store *s, const uint8_t command_id[static 16], const int64_t *sent_at_ms);

/* A walk over all receipts, in slices. Zeroed but for the horizon: at the beginning. */
struct receipts_round {
    int64_t horizon_ms;
    bool over;                                    /* the last receipt has been looked at */
    uint8_t after_len, upto_len;                  /* of the slice: behind `after`, up to `upto` */
    uint8_t after[DB_KEY_MAX], upto[DB_KEY_MAX];
};
/* The next slice of at most `most` receipts. How many of them would expire; when any would, *ret is the event to
 * journal before anything else, borrowed from *round. Negative: fault. */
int store_receipts_look(struct store *s, struct receipts_round *round, unsigned most, PbReceiptsExpired *ret);

struct due_row { int64_t due_ms; uint64_t case_id; PbTimerKind kind; };
int store_first_due(struct store *s, struct due_row *ret);                              /* 0, -ENOENT */
/* The first due row after `after` in (due, case, kind) order; for taking many. */
int store_next_due(struct store *s, const struct due_row *after, struct due_row *ret);

/* Work that waits for a desk of that level, in order of readiness. after NULL: the first; 0, -ENOENT. */
struct work_row {
    PbLevel level;
    int64_t ready_ms;
    uint64_t case_id, division;
    uint8_t stage, attempt, tries;
};
int store_next_work(struct store *s, PbLevel level, const struct work_row *after, struct work_row *ret);

/* Open cases under a prefix, by (division, case); after_case/after_division 0: the first. */
int store_next_open(struct store *s, uint64_t prefix, uint64_t after_division, uint64_t after_case,
                    uint64_t *ret_division, uint64_t *ret_case);
/* All cases by id. */
int store_next_case(struct store *s, uint64_t after_case, uint64_t *ret_case);
/* The next case behind *cursor that ended before that instant and is not archived yet, looking at `most` at the most.
 * *cursor moves on to the last one looked at. 1: *ret_case; 0: none among them; -ENOENT: none at all behind *cursor. */
int store_next_ended(struct store *s, uint64_t *cursor, int64_t before_ms, unsigned most, uint64_t *ret_case);
/* Cases merged into this one, by id; after 0: the first. 0, -ENOENT. */
int store_next_follower(struct store *s, uint64_t master, uint64_t after_case, uint64_t *ret_case);
/* Dead letters under a prefix, as store_next_open. */
int store_next_dead(struct store *s, uint64_t prefix, uint64_t after_division, uint64_t after_case,
                    uint64_t *ret_division, uint64_t *ret_case);
/* The case that another system's number stands for. 0, -ENOENT. */
int store_external(struct store *s, const char *origin, const char *external_id, uint64_t *ret_case);
/* Open asks of a party, by case; after NULL: the first. 0, -ENOENT. */
struct ask_row { uint64_t case_id; uint8_t stage, attempt; };
int store_next_ask(struct store *s, const char *party, const struct ask_row *after, struct ask_row *ret);

int store_batch(struct store *s, const uint8_t id[16], struct batch_state *ret);          /* 0, -ENOENT */

/* Records of a case, by first seq. */
int store_next_story(struct store *s, uint64_t case_id, uint64_t after_seq, uint64_t *ret_seq);
int store_read(struct store *s, uint64_t seq, struct slice *ret_record);                /* that holds it; journaled */
struct journal *store_journal(struct store *s);

/* Sealed text: the key of a case's slot. 0, -ENOENT, -ENODATA (erased); -ENOSPC only for the next one. */
int store_slot_key(struct store *s, uint64_t slot, struct key *ret);
/* Erases what was sealed under it, for good: between turns, and only when the event that says so is on disk. A crash
 * before it is made good at the next start. Negative: final. */
int store_wipe_slot(struct store *s, uint64_t slot);

/* ---- rules ------------------------------------------------------------------------------------------------------- */

uint32_t store_rules_number(const struct store *s);                                     /* in force; 0: none yet */
/* Unpacked once and kept; when more are in use than are kept, until the next such call. 0, -ENOENT, -ENOMEM. */
int store_rules(struct store *s, uint32_t number, const PbRules **ret);
struct hash store_rules_hash(const struct store *s);                                    /* of those in force */
int store_rules_hash_of(struct store *s, uint32_t number, struct hash *ret);            /* 0, -ENOENT */
uint32_t store_recompute(const struct store *s);  /* a recomputing of deadlines begun and not ended; 0: none */

/* The packed rules from that part on (0: the first), as many whole parts as fit: 0; -ENOENT: no such rules. */
struct rules_packed { size_t bytes; uint32_t next_part; uint64_t length; struct hash hash; };  /* 0: the last */
int store_rules_packed(struct store *s, uint32_t number, uint32_t part, uint8_t *to, size_t cap,
                       struct rules_packed *ret);

/* ---- rest and figures -------------------------------------------------------------------------------------------- */

/* Between turns. idle: nothing waits. Returns 1 when more housekeeping wants to be done soon, 0 when not, -ENOSPC
 * (space is short; the last checkpoint stands), other negative: final. */
int store_rest(struct store *s, int64_t now_mono_ms, int64_t now_ms, bool idle);
int store_checkpoint(struct store *s);
int store_prepare(struct store *s, size_t slice_bytes);           /* the preparer thread's: fills segments ahead */
int store_prepare_now(struct store *s);                           /* one, here and now, unless one is ready. -ENOSPC */
/* The ballast that an operator gave back (`whistlectl emergency-grow`) is made anew when there is room to spare. 1:
 * made just now; 0: it is there, or was looked for within the second; -ENOSPC: it is gone, and there is no room yet. */
int store_ballast(struct store *s);

struct store_figures {
    uint64_t journal_bytes, state_bytes, slots_bytes, quota_bytes, cases_open, cases_all, receipts, checkpoints;
    uint64_t cases_by_state[STORE_STATES_MAX];
    uint64_t segments_ready, room_bytes;
    unsigned quota_percent;
    struct histogram sync, checkpoint;
    bool reports_refused, only_urgent;            /* 85 % / 95 % */
};
void store_figures(struct store *s, struct store_figures *ret);
/* Whether a command of that urgency may be journaled now: reports stop at 85 % or when no segment is ready behind the
 * active one; at 95 % only closures, deadlines and erasures. Asked before decide. */
enum admission { ADMIT_REPORT, ADMIT_ANSWER, ADMIT_CLOSURE };
bool store_admits(struct store *s, enum admission what);
uint64_t store_epoch(const struct store *s);
/* In which that seq was journaled. 0, -ENOENT, -EBADMSG. */
int store_epoch_at(struct store *s, uint64_t seq, uint64_t *ret);
bool store_is_drill(const struct store *s);
void store_id(const struct store *s, uint8_t ret[static 16]);
/* The files that a follower keeps beside the journal. */
/* Bytes of the base that a purged journal stands on, and its length. -ENOENT: it begins with seq 1. */
int store_base_part(struct store *s, uint64_t offset, uint8_t *to, size_t cap, uint64_t *ret_length,
                    size_t *ret_bytes);
int store_identity_file(struct store *s, const char *name, uint8_t to[static IDENTITY_FILE_MAX], struct slice *ret);
int store_digest(struct store *s, struct hash *ret, uint64_t *ret_seq);

/* Wipes the slots of cases that are erased and whose slots are not wiped: of those that were folded behind after_seq;
 * of all when it is 0 (slots came back from an archive). At start and after a restore (docs/store.md 16). */
int store_redo_erasures(struct store *s, uint64_t after_seq, uint64_t *ret_count);

/* ---- offline: verify, replay, recover ---------------------------------------------------------------------------- */

struct verify_result {
    uint64_t seq, records, batches, cases;
    uint64_t first_seq, base_seq;                 /* of the journal; that the fold began with: 0, with nothing */
    struct hash journal_digest;                   /* of the records that are there, however they were batched */
    struct hash state_digest;                     /* of the tables that they fold to */
    uint64_t torn_bytes;                          /* behind the last batch: a write cut short, or damaged */
    bool equal;                                   /* the store's own tables are the same, where they stand */
    char problem[STORE_PROBLEM_SIZE];
};
/* Folds the whole journal into a scratch state in scratch_dir, checks every byte on the way, opens every sealed text
 * whose key is there, and compares digests. -EBADMSG: the journal or a key slot is damaged. progress may be NULL. */
int store_verify(const struct store_options *o, const char *scratch_dir, struct verify_result *ret,
                 void (*progress)(void *to, uint64_t seq, uint64_t last), void *to);
/* Makes room on a resting store: what the journal folds to becomes a base, and the segments that are old enough are
 * moved to an archive or deleted. Killed at any step, it is done again from the beginning. */
struct purge_options {
    int64_t before_ms;                            /* records before this instant may go; or, when it is 0: */
    int64_t keep_ms;                              /* those older than this, counted from the last record */
    const char *archive;                          /* NULL: what goes is deleted */
    bool dry_run;                                 /* says what would go */
    bool open_too;                                /* even what open cases were told in: their text is lost */
};
enum purge_step { PURGE_VERIFIED, PURGE_BASE, PURGE_PROVED, PURGE_NAMED, PURGE_ARCHIVED, PURGE_GONE };
struct purge_result {
    uint64_t seq, base_seq;                       /* of the last record; of the base that stands now: 0, none */
    uint64_t segments, segments_gone;             /* begun ones before; that went, or would */
    uint64_t bytes_gone, first_seq;               /* the first that stays */
    int64_t before_ms;
    uint64_t held_case, held_segments;            /* an open case that holds so many segments back; 0: none */
    char problem[STORE_PROBLEM_SIZE];
};
/* The least that is kept of an ordinary store's log: six months, of whatever length (网络安全法, article 21). */
#define PURGE_KEEP_MS_MIN (184 * 86400000LL)
/* step: after each; number: of the base's seq or the segment. 0; -EPERM: it would keep too little; -EBADMSG: damaged,
 * nothing was changed; -EEXIST: the archive holds another file of that name; others as store_open. */
int store_purge(const struct store_options *o, const char *scratch_dir, const struct purge_options *p,
                struct purge_result *ret, void (*step)(void *to, enum purge_step step, uint64_t number), void *to);

/* Discards the state and folds it again. */
int store_rebuild(const struct store_options *o, struct store_found *found);

/* The recovery table (rule 19), pure: visited cell by cell by a test. The standing is the journal's against the
 * checkpoint. */
enum standing { STANDING_EQUAL, STANDING_AHEAD, STANDING_BEHIND, STANDING_BROKEN, STANDING_MISSING };
enum recovery { RECOVER_SERVE, RECOVER_FOLD_TAIL, RECOVER_FOLD_ALL, RECOVER_REFUSE };
struct recovery_case {
    enum standing journal;
    bool state_missing, state_broken, other_store, gap_in_ordinals, slots_older, newer_format, other_epoch;
    bool base_missing, base_broken, state_older;  /* a purge was here */
};
enum recovery recovery_decide(const struct recovery_case *c, const char **ret_why);
#endif
