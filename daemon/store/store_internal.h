/* store_internal.h: what the files of the store share. Private to this folder. */
#ifndef STORE_INTERNAL_H
#define STORE_INTERNAL_H
#include "daemon/store/slots.h"
#include "daemon/store/tables.h"

#include <limits.h>
#include <pthread.h>

enum {
    STORE_FORMAT = 1,
    TURN_BYTES = (1 << 20) + JOURNAL_RECORD_BYTES_MAX,    /* a turn stops at 1 MiB; the record that reaches it fits */
    COMMAND_BYTES_MAX = 64 << 10,                         /* of one command's record; rules come in larger ones */
    STORE_PATH_SIZE = PATH_MAX + 32,
    REPORTS_PERCENT = 85, URGENT_PERCENT = 95,            /* store.md 12 */
    SPACE_LOOK_MS = 1000,
};

/* Who a store is: the files FORMAT and key. */
struct identity {
    uint8_t id[16];
    bool drill;
    struct key key;                                       /* MACs the journal */
};

struct space {
    int64_t looked_ms;                                    /* on the monotonic clock; 0: never */
    uint64_t quota, used;
    unsigned percent;
};

struct store {
    struct store_options options;
    char dir[PATH_MAX];
    int dir_fd;                                           /* holds the lock */
    struct identity identity;
    struct tables tables;
    struct journal *journal;
    struct slots *slots;
    pthread_mutex_t preparing;                            /* the preparer thread, or a turn that must not wait for it */

    int fault;                                            /* final: every write returns it */
    bool turn, turn_folded, marked;                       /* marked: the doubt is on disk */
    bool starting;                                        /* the file `starting` is there: no checkpoint yet */
    uint64_t next_seq;

    int64_t worked_ms, unfolded_since_ms;                 /* monotonic; 0: nothing since the checkpoint */
    int64_t checkpoint_after_ms, prepare_after_ms;        /* not before: the last time there was no space */
    uint64_t unfolded_bytes;                              /* journaled since the checkpoint */
    int64_t ballast_due_ms;                               /* of the next look, by the monotonic clock */

    struct space space;
    uint64_t checkpoints;
    struct histogram sync, checkpoint;
};

/* ---- identity.c -------------------------------------------------------------------------------------------------- */

enum { HEX_MAX = 2 * KEY_SIZE };
void hex_print(const uint8_t *from, size_t len, char to[static HEX_MAX + 1]);
bool hex_parse(struct slice s, uint8_t *to, size_t len);
/* The next line must begin with `name` and a space; what stands behind it. */
bool line_take(struct slice *text, struct slice name, struct slice *ret);
int identity_file(int dir, const char *name, uint8_t to[static IDENTITY_FILE_MAX], struct slice *ret);
int identity_write_key(int dir, const struct identity *id);
int identity_write_format(int dir, const struct identity *id);        /* the last file of a creation: synced */
int identity_copy_format(int from, int to);                           /* of a restore: the same, as the last */
void identity_draw(struct identity *ret, bool drill);
struct key drill_seed(void);                                          /* of the key slots */
/* 0; -ENOENT: no FORMAT; -EPROTO: another format; -EBADMSG: not readable. */
int identity_read(int dir, struct identity *ret, char problem[static STORE_PROBLEM_SIZE]);
int store_lock(const char *dir, int *ret_fd);                         /* -EBUSY: another process */
/* Gives r. Of a fault that has no words yet, which: "what: why", or what errno means when there is no why. */
int store_say(char problem[static STORE_PROBLEM_SIZE], int r, const char *what, const char *why);
int path_in(const char *dir, const char *name, char to[static STORE_PATH_SIZE]);       /* -ENAMETOOLONG */
struct journal_options journal_options_of(const struct store_options *o, const char *dir, const struct identity *id);
bool fs_supported(int dir);                                           /* ext4, xfs */

/* ---- ballast.c --------------------------------------------------------------------------------------------------- */

uint64_t ballast_bytes(const struct store_options *o);
int ballast_make(int dir, uint64_t bytes);                            /* the file `reserve` */

/* ---- recover.c --------------------------------------------------------------------------------------------------- */

const char *recovery_name(const struct recovery_case *c);             /* of the row that applies */

/* ---- child.c ----------------------------------------------------------------------------------------------------- */

/* Begun by a thread that lives as long as the process: it is killed with that. */
struct child { pid_t pid; };
/* `work` gives 0 or a negative errno; it changes nothing that others see but by what it was given. */
int child_begin(struct child *ret, int (*work)(const void *with), const void *with);
int child_end(struct child *c);                                       /* what it gave; -EBADMSG: it died of it */

/* ---- verify.c ---------------------------------------------------------------------------------------------------- */

/* Looks at every row of a state file in a child, because a damaged tree may end the process that walks it. */
struct state_seen { int result; uint64_t seq; struct hash digest; char problem[256]; };
/* The same as store_verify, by somebody who has the lock; but a text that does not open is not in his way. */
int verify_locked(int dir, const struct store_options *o, const char *scratch_dir, struct verify_result *ret);
int state_inspect(const struct store_options *o, const char *path, struct state_seen *ret);
/* Its last checkpoint, compact, into an empty file; by a child as well. -EBADMSG: it could not be read. */
int state_copy(const struct store_options *o, const char *path, int fd);

/* ---- turn.c, rest.c ---------------------------------------------------------------------------------------------- */

int store_slots_reach(struct store *s);                               /* the next slot has its key. -ENOSPC */
int store_return(struct store *s);                                    /* the tables go back to the last durable seq */
int store_lost(struct store *s, int r);                               /* r is final; gives what every write gives now */
int store_given(struct store *s, int r);                              /* what a read returns: notes doubt on disk */
int64_t mono_ms(void);
#endif
