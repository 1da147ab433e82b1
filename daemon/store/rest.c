/* rest.c: what is done between turns, and how much room there is for more of them. */
#include "daemon/store/store_internal.h"

#include <errno.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum {
    AHEAD_BYTES = 4 << 20,                        /* of state.mdb, behind its last page */
    SLICE_BYTES = 256 << 10,                      /* of a segment, zeroed at a time: 11 ms beside other syncs */
    NO_SPACE_WAIT_MS = 10000,
    PAGE_BYTES = 4096,
};

/* ---- checkpoint -------------------------------------------------------------------------------------------------- */

/* So that the next checkpoint writes to blocks it has. When it cannot be had the disk is filling: the quota says so. */
static void allocate_ahead(struct store *s) {
    uint64_t used = db_pages_used(s->tables.db) * PAGE_BYTES;
    if (s->space.percent < REPORTS_PERCENT && used + AHEAD_BYTES <= s->options.map_bytes)
        (void)db_allocate_ahead(s->tables.db, AHEAD_BYTES);
}

int store_checkpoint(struct store *s) {
    CHECK(!s->turn && !s->options.read_only);
    if (s->fault)
        return s->fault;
    CHECK(s->tables.meta.folded_seq == journal_durable_seq(s->journal));               /* S1 */
    int64_t began = clock_mono_ns();
    int r = tables_commit(&s->tables);
    if (r == -ENOSPC) {
        s->checkpoint_after_ms = mono_ms() + NO_SPACE_WAIT_MS;
        r = store_return(s);
        return r < 0 ? r : -ENOSPC;
    }
    if (r < 0) {
        s->fault = r;
        return store_given(s, r);
    }
    histogram_add(&s->checkpoint, (uint64_t)(clock_mono_ns() - began) / 1000);
    s->checkpoints++;
    s->unfolded_bytes = 0;
    s->unfolded_since_ms = 0;
    if (s->starting)
        s->starting = unlinkat(s->dir_fd, "starting", 0) < 0;
    allocate_ahead(s);
    return 0;
}

/* store.md 10 */
static bool checkpoint_due(const struct store *s, int64_t now_ms, bool rested) {
    const struct store_options *o = &s->options;
    if (s->unfolded_since_ms == 0 || now_ms < s->checkpoint_after_ms)
        return false;
    return rested || db_changes(s->tables.db) >= o->checkpoint_changes
        || s->unfolded_bytes >= o->checkpoint_bytes_journal || now_ms - s->unfolded_since_ms >= o->checkpoint_age_ms;
}

/* ---- rest -------------------------------------------------------------------------------------------------------- */

/* When the preparer's thread is at it, it needs no help. */
static int prepare_slice(struct store *s) {
    if (pthread_mutex_trylock(&s->preparing) != 0)
        return 0;
    int r = journal_prepare(s->journal, SLICE_BYTES);
    CHECK(pthread_mutex_unlock(&s->preparing) == 0);
    return r;
}

/* A few thousand slots are always ready: under load, too. */
static int slots_rest(struct store *s, bool idle) {
    uint64_t used = s->tables.facts.next_slot;
    bool worked = false;
    if (!idle && slots_filled(s->slots) - used > s->options.slots_ahead / 2)
        return 0;
    int r = slots_ahead(s->slots, used, &worked);
    return r < 0 ? r : worked;
}

int store_rest(struct store *s, int64_t now_mono_ms, int64_t now_ms, bool idle) {
    CHECK(!s->turn && !s->options.read_only);
    if (s->fault)
        return s->fault;
    bool rested = idle && now_mono_ms - s->worked_ms >= s->options.checkpoint_idle_ms;
    int r = rested ? journal_witness(s->journal, now_ms, s->tables.meta.epoch) : 0;
    if (r == -EAGAIN)
        r = 0;                                    /* no room for a witness: the checkpoint covers the batch as well */
    if (r < 0)
        return store_lost(s, r);
    if (checkpoint_due(s, now_mono_ms, rested))
        r = store_checkpoint(s);
    if (r < 0)
        return r;
    r = slots_rest(s, idle);
    if (r < 0)
        return r == -ENOSPC ? r : (s->fault = r);
    int more = r;
    if (idle)
        r = prepare_slice(s);
    if (r < 0)
        return r == -ENOSPC ? r : (s->fault = r);
    return more || (idle && r) || (idle && !rested && s->unfolded_since_ms != 0);
}

/* ---- space ------------------------------------------------------------------------------------------------------- */

static unsigned percent_of(uint64_t part, uint64_t whole) {
    return whole == 0 || part >= whole ? 100 : (unsigned)(part * 100 / whole);
}

/* quota = min(store_max, used + free). The map is a quota of its own. */
static const struct space *space_look(struct store *s) {
    struct space *p = &s->space;
    struct statvfs fs;
    int64_t now = mono_ms();
    if (p->looked_ms != 0 && now - p->looked_ms < SPACE_LOOK_MS)
        return p;
    p->looked_ms = now;
    p->used = journal_bytes(s->journal) + db_file_bytes(s->tables.db) + slots_bytes(s->slots);
    p->quota = s->options.store_max_bytes ? s->options.store_max_bytes : UINT64_MAX;
    if (fstatvfs(s->dir_fd, &fs) == 0) {
        uint64_t reachable = p->used + (uint64_t)fs.f_bavail * fs.f_frsize;
        p->quota = reachable < p->quota ? reachable : p->quota;
    }
    unsigned disk = percent_of(p->used, p->quota);
    unsigned map = percent_of(db_pages_used(s->tables.db) * PAGE_BYTES, s->options.map_bytes);
    p->percent = disk > map ? disk : map;
    return p;
}

bool store_admits(struct store *s, enum admission what) {
    if (s->fault || s->options.read_only || store_turn_room(s) < COMMAND_BYTES_MAX)
        return false;
    unsigned percent = space_look(s)->percent;
    if (what == ADMIT_REPORT)
        return percent < REPORTS_PERCENT && journal_segments_ready(s->journal) > 0 && store_slots_reach(s) == 0;
    return what == ADMIT_CLOSURE || percent < URGENT_PERCENT;
}

void store_figures(struct store *s, struct store_figures *ret) {
    const struct space *p = space_look(s);
    const struct facts *f = &s->tables.facts;
    *ret = (struct store_figures){
        .journal_bytes = journal_bytes(s->journal),
        .state_bytes = db_file_bytes(s->tables.db),
        .slots_bytes = slots_bytes(s->slots),
        .quota_bytes = p->quota,
        .cases_open = f->cases_open, .cases_all = f->cases_all, .receipts = f->receipts,
        .checkpoints = s->checkpoints,
        .segments_ready = journal_segments_ready(s->journal),
        .room_bytes = journal_room(s->journal),
        .quota_percent = p->percent,
        .sync = s->sync, .checkpoint = s->checkpoint,
        .reports_refused = p->percent >= REPORTS_PERCENT || journal_segments_ready(s->journal) == 0,
        .only_urgent = p->percent >= URGENT_PERCENT,
    };
    memcpy(ret->cases_by_state, f->by_state, sizeof ret->cases_by_state);
}
