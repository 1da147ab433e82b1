/* backup.c: copies of the living store, taken beside its broker as whistlectl takes them, each into the directory of
 * the one before; and at the end of the world what a restore makes of the last one.
 *
 *   K1  a backup reaches as far as what was durable when it was taken, and every byte of it is what it was
 *   K2  it becomes a store again that is, byte for byte, the one that was copied; where its tables had no room, nobody
 *       could say what they were, and it only becomes one
 *
 * When all of the store is lost, the last one is served in its place: what then holds, oracle.c says (K3..K5). */
#include "daemon/store/backup.h"
#include "tests/sim/sim.h"

#include <errno.h>
#include <stdio.h>

static char to[128], back[128];
static struct backup_result last;
static struct hash digest;                        /* of the living store, when the last one was taken */
static bool digest_known;

/* What the broker would answer to a ReadJournal. */
static int ask(void *living, const uint8_t store_id[16], uint64_t *ret_seq, char problem[static STORE_PROBLEM_SIZE]) {
    (void)store_id, (void)problem;
    *ret_seq = store_durable_seq(living);
    return 0;
}

void backup_take(struct store *living, const char *scratch, const char *store, uint64_t map_bytes, bool roomy) {
    struct backup_options o = {.store = store, .to = to, .map_bytes = map_bytes, .ask = ask, .asked = living};
    struct backup_result now = {.live = false}, checked = {.live = false};
    uint64_t seq = 0;
    snprintf(to, sizeof to, "%s/backup", scratch);
    snprintf(back, sizeof back, "%s/back", scratch);
    int r = store_backup(&o, &now);
    if (r < 0) sim_broken("K1: no backup can be taken: %s", now.problem);
    if (store_backup_check(to, &checked) < 0) sim_broken("K1: a backup just taken is damaged: %s", checked.problem);
    if (!now.live || now.seq != oracle_on_disk())
        sim_broken("K1: a backup reaches to seq %llu of %llu", (unsigned long long)now.seq,
                   (unsigned long long)oracle_on_disk());
    r = store_digest(living, &digest, &seq);
    digest_known = r == 0;
    if (r == -ENOSPC ? roomy : r < 0 || seq != now.seq)
        sim_broken("K2: no digest at seq %llu", (unsigned long long)now.seq);
    if (r == -ENOSPC) sometimes("backup.without_digest");
    sometimes(last.seq ? "backup.again" : "backup.taken");
    trace("backup.taken seq=%llu", (unsigned long long)now.seq);
    last = now;
}

static void restore(const char *as, uint64_t map_bytes, uint64_t segment_bytes, uint64_t slots_ahead) {
    struct restore_options o = {.from = to, .to = as, .slots = last.slots, .map_bytes = map_bytes,
                                .segment_bytes = segment_bytes, .slots_ahead = slots_ahead};
    struct restore_result now = {.seq = 0};
    if (store_restore(&o, &now) < 0) sim_broken("K2: a backup cannot be restored: %s", now.problem);
    bool same = !digest_known || hash_equal(&now.digest, &digest);
    if (now.seq != last.seq || now.lost_slots || !same)
        sim_broken("K2: what was restored up to seq %llu of %llu is not what was copied", (unsigned long long)now.seq,
                   (unsigned long long)last.seq);
}

uint64_t backup_serve(const char *store, uint64_t map_bytes, uint64_t segment_bytes, uint64_t slots_ahead) {
    if (!last.seq) return 0;
    sim_remove(store);
    restore(store, map_bytes, segment_bytes, slots_ahead);
    sometimes("backup.served");
    return last.seq;
}

void backup_restore(uint64_t map_bytes, uint64_t segment_bytes, uint64_t slots_ahead) {
    if (!last.seq) return;
    restore(back, map_bytes, segment_bytes, slots_ahead);
    sometimes("backup.restored");
}
