/* backup_internal.h: what backup, restore and follow share. Private to this folder.
 *
 *   walk.c       the batches of one segment file, believed only as far as they verify; no lock, no journal
 *   copy.c       a file's bytes to another file, with their hash; directories that must be empty, or be synced
 *   manifest.c   what a backup consists of
 *
 * A problem is words for people: what, where, what to do. */
#ifndef BACKUP_INTERNAL_H
#define BACKUP_INTERNAL_H
#include "daemon/store/backup.h"
#include "daemon/store/journal_internal.h"
#include "daemon/store/store_internal.h"

#include <sys/types.h>

_Static_assert((int)BACKUP_PATH_SIZE >= (int)STORE_PATH_SIZE, "a path of this floor fits into the next one's");

/* ---- walk.c ------------------------------------------------------------------------------------------------------ */

struct segment_walk {
    const struct key *key;
    struct window window;                         /* over the file, which is this walk's own */
    uint64_t ordinal, size;
    struct segment_header header;
    uint64_t offset;                              /* of the batch to come */
    uint64_t next_seq;                            /* its first seq */
    struct hash chain;                            /* of the batch before it */
    uint64_t epoch;
    struct batch_header batch;                    /* the last one that was passed */
    const uint8_t *at;                            /* its bytes, until the next step */
    const char *why;                              /* walk_next gave 0 before the end: what stands there */
};

/* 0; -ENOENT; -ENODATA: not begun, or its header is not whole yet; -EBADMSG: not a segment of this store. */
int walk_open(struct segment_walk *w, int journal, uint64_t ordinal, const struct identity *id,
              char problem[static STORE_PROBLEM_SIZE]);
/* Is the segment behind this one begun? Then this one is whole, and synced up to its last byte. A header that is being
 * written just now reads as damaged: then it is not begun, and the journal's tail is in this one. */
int walk_is_sealed(int journal, uint64_t ordinal, const struct identity *id, bool *ret);
/* Another part of the same chain? -EBADMSG when the segment does not continue what `chain`, `seq` and `bytes` say. */
int walk_continues(const struct segment_walk *w, const struct hash *chain, uint64_t next_seq, uint64_t bytes,
                   char problem[static STORE_PROBLEM_SIZE]);
/* 1: a batch, passed. 0: the end of the file (why NULL), zeroes, a batch that is not all there, or one that does not
 * verify (why says). Negative: it could not be read. */
int walk_next(struct segment_walk *w);
bool walk_is_cut(const struct segment_walk *w);   /* it ends inside a batch that may yet become whole */
void walk_extend(struct segment_walk *w, uint64_t size);          /* the file has grown */
int walk_refuse(const struct segment_walk *w, const char *why, char problem[static STORE_PROBLEM_SIZE]);
void walk_close(struct segment_walk *w);
/* The lowest and the highest segment file there; -ENOENT: none. -EBADMSG: one between them is missing. */
int journal_ordinals(int journal, uint64_t *ret_first, uint64_t *ret_last, char problem[static STORE_PROBLEM_SIZE]);

/* ---- copy.c ------------------------------------------------------------------------------------------------------ */

int archive_say(char problem[static STORE_PROBLEM_SIZE], int r, const char *what, const char *where);
/* The same in words of its own, whatever was said before. */
int archive_refuse(char problem[static STORE_PROBLEM_SIZE], int r, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
#define refuse(work, r, ...) archive_refuse((work)->ret->problem, r, __VA_ARGS__)     /* of a backup or a restore */
int file_hash(int fd, uint64_t from, uint64_t to, struct hash *ret);
/* `bytes` of `from` into a new file of that name, synced, with the hash of what was read. Not there when it fails. */
int file_copy(int from, uint64_t offset, uint64_t bytes, int dir, const char *name, mode_t mode, struct hash *ret);
int file_put_text(int dir, const char *name, struct slice text, mode_t mode);      /* name.new, synced, renamed */
int dir_lacks_files(const char *path);            /* 0: not there or empty; -EEXIST */
int dir_sync_parent(const char *path);
int path_trim(const char *path, char to[static PATH_MAX]);        /* without slashes at the end */
/* dir.new, locked and empty, with a folder `journal` if asked for. */
int dir_prepare(const char *path, char fresh[static STORE_PATH_SIZE], int *ret_dir);

/* ---- manifest.c -------------------------------------------------------------------------------------------------- */

enum { ARCHIVED_NAME_SIZE = 64 };
struct archived { char name[ARCHIVED_NAME_SIZE]; uint64_t bytes; struct hash hash; };
struct manifest {
    uint8_t store_id[16];
    bool drill;
    int64_t made_ms;
    uint64_t seq, epoch, state_seq;
    bool has_state;
    struct hash digest;                           /* of the state, at state_seq */
    struct archived *files;                       /* in the order they were copied */
    size_t files_count, files_cap;
};
int manifest_add(struct manifest *m, const char *name, uint64_t bytes, const struct hash *hash);
const struct archived *manifest_find(const struct manifest *m, const char *name);
int manifest_write(const struct manifest *m, int dir);            /* last: MANIFEST.new, synced, renamed, synced */
/* 0; -ENOENT; -EBADMSG: damaged, or of another version. */
int manifest_read(struct manifest *ret, int dir, char problem[static STORE_PROBLEM_SIZE]);
void manifest_done(struct manifest *m);
/* Of a file's name in a backup: the segment that it is; 0: none. */
uint64_t archived_ordinal(const char *name);
bool archived_state(const char *name);            /* state-812.mdb */
bool archived_base(const char *name);             /* base-812.dump */

/* ---- backup_check.c ---------------------------------------------------------------------------------------------- */

/* A file of a backup, read from its first byte to its last: -EBADMSG, and named, unless it is what it was. */
int archived_open(int dir, const struct archived *a, int *ret_fd, char problem[static STORE_PROBLEM_SIZE]);

/* ---- slots_archive.c --------------------------------------------------------------------------------------------- */

struct slots_archive { uint8_t store_id[16]; uint64_t seq, bytes; int64_t made_ms; };
int slots_archive_write(int slots, const struct slots_archive *a, const char *path);   /* path.new, synced, renamed */
/* Verifies all of it. 0; -ENOENT; -EBADMSG. ret_fd: positioned nowhere; the slots stand SLOTS_ARCHIVE_HEAD in. */
enum { SLOTS_ARCHIVE_HEAD = 64 };
int slots_archive_open(const char *path, struct slots_archive *ret, int *ret_fd);
#endif
