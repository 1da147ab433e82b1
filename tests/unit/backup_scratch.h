/* backup_scratch.h: what the tests of backup and restore share: a world whose store is copied to a place beside it, and
 * brought back from there. Places are names below the world's directory. */
#ifndef BACKUP_SCRATCH_H
#define BACKUP_SCRATCH_H
#include "daemon/store/backup.h"
#include "tests/unit/store_world.h"

enum { PATH_BYTES = 200 };

void place(const struct world *w, const char *name, char to[static PATH_BYTES]);
void live(struct world *w);                       /* small batches for an hour, then large ones: several segments */
void told_why(int r, int expected, const char *problem, const char *words);
void same_digest(const struct hash *a, const struct hash *b);

/* What the broker of a living store says when it is asked how far it is durable: `to` is its world. */
int told_durable(void *to, const uint8_t id[16], uint64_t *ret_seq, char problem[static STORE_PROBLEM_SIZE]);
int backup_try(struct world *w, const char *as, struct backup_result *ret);
struct backup_result backup(struct world *w, const char *as);
int check(const struct world *w, const char *as, struct backup_result *ret);

struct wish { uint64_t until_seq; int64_t until_ms; bool no_slots; };
int restore_try(struct world *w, const char *from, const char *as, struct wish wish, struct restore_result *ret);
struct restore_result restore(struct world *w, const char *from, const char *as, struct wish wish);
void move_to(struct world *w, const char *as);    /* the world goes on in the store that was restored there */
#endif
