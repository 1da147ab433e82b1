/* backup.h: copies of a store that can become a store again, and the space that is kept for the worst day.
 *
 *   store_backup         of a resting store or of a living one, beside its broker; into a directory of its own
 *   store_backup_check   is every byte of it what it was?
 *   store_restore        a backup, or a followed journal, becomes a new store
 *   follow_*             a journal elsewhere, byte for byte, as it grows
 *   store_survey         what a journal's files say, without opening it
 *   store_ballast_give   the reserve becomes free space
 *
 * Invariants:
 *   B1  nothing is read past what is durable: a living broker says where that is, a resting journal is asked itself.
 *   B2  the order is state, sealed segments, tail, slots, manifest: so the state never stands ahead of the journal.
 *   B3  a backup that is cut short, or that fails, leaves the one before it whole: no file of it is written over; the
 *       new manifest takes the old one's name at the end.
 *   B4  keys of sealed text never lie inside a backup: they are an archive of their own, <backup>.slots, that may be
 *       kept for a shorter time. Otherwise a restore would undo an erasure.
 *   B5  a restore makes all of a store or nothing: it gets its name at the end.
 *   B6  its next epoch is above every one that anybody has seen, those of starts after the backup, too:
 *       it is made of the clock.
 * 0 or a negative errno, with `problem` saying what, where and what to do. */
#ifndef BACKUP_H
#define BACKUP_H
#include "daemon/store/store.h"

enum {
    BACKUP_PATH_SIZE = 4096 + 32,
    RESTORE_EPOCHS_LOST = 1000,                   /* where the clock is wrong: starts of which it cannot know */
};

/* ---- backup ------------------------------------------------------------------------------------------------------ */

struct backup_options {
    const char *store, *to;
    uint64_t map_bytes;
    /* Asks the broker that has this store how far it is durable; called once the state has been copied. Words go to
     * problem. */
    int (*ask)(void *to, const uint8_t store_id[16], uint64_t *ret_seq, char problem[static STORE_PROBLEM_SIZE]);
    void *asked;
};
struct backup_result {
    bool live, drill, has_state, has_slots;
    uint64_t seq, state_seq, epoch;
    struct hash digest;                           /* of the state, at state_seq */
    uint64_t files, files_kept, bytes, bytes_copied;          /* kept: they were there, byte for byte */
    char slots[BACKUP_PATH_SIZE];                 /* the archive of key slots */
    char problem[STORE_PROBLEM_SIZE];
};
/* -EBUSY: the store is in use and its broker did not answer; -EEXIST: `to` holds something else; -EINVAL: `to` lies in
 * the store; -ENOSPC: seen before anything is written, if it can be; -EBADMSG: the store is damaged. */
int store_backup(const struct backup_options *o, struct backup_result *ret);
/* -EBADMSG: the first file that is not what it was is named. */
int store_backup_check(const char *dir, struct backup_result *ret);

/* ---- restore ----------------------------------------------------------------------------------------------------- */

struct restore_options {
    const char *from, *to;
    const char *slots;                            /* the archive; NULL: what is sealed stays closed for ever */
    uint64_t until_seq;                           /* 0: all */
    int64_t until_ms;                             /* 0: all */
    uint64_t map_bytes, segment_bytes, slots_ahead;
};
struct restore_result {
    uint64_t seq, epoch, cases, lost_slots, erased_again;
    uint64_t inside_first, inside_last;           /* until_seq lay inside this command's record, which was left out */
    int64_t last_ms;                              /* of the last record; 0: none */
    struct hash digest;
    bool drill, followed;                         /* followed: from a journal without a manifest */
    char problem[STORE_PROBLEM_SIZE];
};
int store_restore(const struct restore_options *o, struct restore_result *ret);

/* ---- following --------------------------------------------------------------------------------------------------- */

struct follow;
struct follow_place {
    bool known;                                   /* FORMAT and key are there */
    uint64_t ordinal, offset;                     /* the next byte that is wanted; ordinal 0: of the first there is */
    uint64_t seq;                                 /* the last whole one that is here */
    int64_t at_ms;                                /* of its batch; 0: none */
    uint64_t last_offset, last_bytes;             /* the last batch's header: both sides must have the same */
    uint64_t cut_bytes;                           /* what a crash had left behind the last whole batch */
};
/* Opens or begins a followed journal in dir, and locks it. -EEXIST: there is something else; -EBUSY; -EBADMSG. */
int follow_open(struct follow **ret, const char *dir, char problem[static STORE_PROBLEM_SIZE]);
int follow_begin(struct follow *f, struct slice format, struct slice key, char problem[static STORE_PROBLEM_SIZE]);
/* The base that a purged journal stands on, in parts from the first to the last, before any segment: last says that it
 * is all there. -EBADMSG: it is not what it should be. */
int follow_base(struct follow *f, uint64_t seq, uint64_t offset, struct slice bytes, bool last,
                char problem[static STORE_PROBLEM_SIZE]);
void follow_where(const struct follow *f, struct follow_place *ret);
bool follow_is_of(const struct follow *f, const uint8_t store_id[static 16]);
/* Bytes of that segment from the offset that was wanted. -EBADMSG: they do not continue what is here. */
int follow_take(struct follow *f, uint64_t ordinal, struct slice bytes, char problem[static STORE_PROBLEM_SIZE]);
/* The broker's bytes of the last batch's header: -EBADMSG when they are not ours. */
int follow_same(struct follow *f, struct slice header, char problem[static STORE_PROBLEM_SIZE]);
int follow_seal(struct follow *f, char problem[static STORE_PROBLEM_SIZE]);      /* that segment is complete */
int follow_sync(struct follow *f);
void follow_close(struct follow *f);

/* ---- looking ----------------------------------------------------------------------------------------------------- */

struct segment_seen {
    uint64_t ordinal, first_seq, last_seq, batches, records, bytes, used;
    int64_t first_ms, last_ms;                    /* of its batches; 0: none */
    bool begun, sealed, witnessed;
    const char *why;                              /* where it ends: NULL: it is whole */
};
/* Each segment of DIR/journal in turn (only the last `most`, unless 0), every batch verified. Takes no lock. A negative
 * result of `seen` ends it. */
int store_survey(const char *dir, uint64_t most, int (*seen)(void *to, const struct segment_seen *s), void *to,
                 char problem[static STORE_PROBLEM_SIZE]);

/* ---- ballast ----------------------------------------------------------------------------------------------------- */

struct ballast_given { uint64_t bytes, free_before, free_after; char problem[STORE_PROBLEM_SIZE]; };
/* 0; -ENOENT: it was given already; other: not a store ... Beside a running broker, and without one. */
int store_ballast_give(const char *dir, struct ballast_given *ret);
#endif
