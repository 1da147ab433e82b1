/* open.c: who are you, what have you got, and what is missing. Locks, looks, decides by the table in recover.c, folds.
 *
 * The tables are opened before the journal: the journal must know what the checkpoint vouches for before it may cut a
 * torn tail. */
#include "daemon/store/base.h"
#include "daemon/store/store_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What is on its way to a decision. */
struct opening {
    struct store *s;
    struct store_found *found;
    struct recovery_case seen;
};

static int say(struct store_found *found, int r, const char *what) {
    return store_say(found->problem, r, what, NULL);
}

/* ---- the tables -------------------------------------------------------------------------------------------------- */

static bool exists(const struct store *s, const char *name) {
    return faccessat(s->dir_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static int state_open(struct store *s) {
    char path[STORE_PATH_SIZE];
    struct tables_options o = {.path = path, .map_bytes = s->options.map_bytes, .read_only = s->options.read_only};
    int r = path_in(s->dir, "state.mdb", path);
    if (r == 0)
        r = tables_open(&s->tables, &o);
    s->tables.folded = s->options.folded;
    return r;
}

/* A start that did not live to its first checkpoint leaves this behind: a damaged tree can end the process that walks
 * it, and must not do so at every start. */
static int mark_starting(struct store *s) {
    int fd = openat(s->dir_fd, "starting", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    s->starting = fd >= 0;
    return fd < 0 ? -errno : close(fd) < 0 ? -errno : 0;
}

/* LMDB's pages have no sums, and one that lost rows is only found by whoever counts them all. */
static bool looks_at_rows(const struct store *s) {
    struct stat st;
    return s->options.verify_full || exists(s, "starting")
        || (fstatat(s->dir_fd, "state.mdb", &st, 0) == 0 && (uint64_t)st.st_size <= s->options.inspect_bytes);
}

/* -EBADMSG: broken. */
static int state_check(struct store *s) {
    char path[STORE_PATH_SIZE];
    struct state_seen seen;
    if (exists(s, "doubt"))
        return -EBADMSG;
    if (!looks_at_rows(s))
        return 0;
    int r = path_in(s->dir, "state.mdb", path);
    if (r == 0)
        r = state_inspect(&s->options, path, &seen);
    return r == 0 ? seen.result : r;
}

static int look_at_state(struct opening *p) {
    struct store *s = p->s;
    p->seen.state_missing = !exists(s, "state.mdb");
    if (p->seen.state_missing)
        return 0;
    int r = state_check(s);
    if (r == 0 && !s->options.read_only)
        r = mark_starting(s);
    if (r == 0)
        r = state_open(s);
    if (r == 0)
        r = tables_load(&s->tables);
    p->seen.state_broken = r == -EBADMSG || r == -ENOENT;
    if (r < 0) {
        tables_close(&s->tables);
        return p->seen.state_broken ? 0 : say(p->found, r, "open state.mdb");
    }
    p->seen.other_store = memcmp(s->tables.meta.store_id, s->identity.id, sizeof s->identity.id) != 0;
    p->found->folded_seq = s->tables.meta.folded_seq;
    return 0;
}

static bool state_good(const struct opening *p) {
    return !p->seen.state_missing && !p->seen.state_broken && !p->seen.other_store;
}

/* ---- the journal ------------------------------------------------------------------------------------------------- */

/* Refused because it ends before the checkpoint, and whole up to there? */
static bool journal_short(const struct store *s, struct journal_options o) {
    struct journal *j = NULL;
    struct journal_found ignored;
    uint64_t covered = o.covered_seq;
    o.covered_seq = 0;
    o.read_only = true;
    if (covered == 0 || journal_open(&j, &o, s->options.verify_full, &ignored) < 0)
        return false;
    uint64_t durable = journal_durable_seq(j);
    journal_close(j);
    return durable < covered;
}

static bool stands_on_base(const struct opening *p) {
    return p->found->journal.first_ordinal > 1;
}

/* Where the first segments are gone. Tables that end before what is left can only be those of before a purge, or a base
 * that was not loaded to its end. */
static int look_at_base(struct opening *p) {
    struct journal_found *j = &p->found->journal;
    char problem[STORE_PROBLEM_SIZE];
    struct hash digest;
    if (!stands_on_base(p))
        return 0;
    p->seen.state_older = state_good(p) && p->found->folded_seq < j->first_seq;
    bool needed = !state_good(p) || p->seen.state_older || p->s->options.verify_full;
    int r = base_check(p->s->dir_fd, &j->base, needed, &digest, problem);
    p->seen.base_missing = r == -ENOENT;
    p->seen.base_broken = r == -EBADMSG;
    if (r != -ENOENT && r != -EBADMSG)
        return say(p->found, r, "read the base");
    (void)snprintf(j->problem, sizeof j->problem, "%.255s", problem);
    return 0;
}

static int look_at_journal(struct opening *p) {
    struct store *s = p->s;
    struct journal_options o = journal_options_of(&s->options, s->dir, &s->identity);
    o.covered_seq = state_good(p) ? p->found->folded_seq : 0;
    int r = journal_open(&s->journal, &o, s->options.verify_full, &p->found->journal);
    if (r == 0) {
        uint64_t durable = journal_durable_seq(s->journal);
        p->seen.journal = durable == o.covered_seq ? STANDING_EQUAL
            : durable > o.covered_seq ? STANDING_AHEAD : STANDING_BEHIND;
        return look_at_base(p);
    }
    if (r != -ENOENT && r != -EBADMSG)
        return say(p->found, r, "open the journal");
    p->seen.gap_in_ordinals = p->found->journal.gap;
    p->seen.journal = r == -ENOENT ? STANDING_MISSING : journal_short(s, o) ? STANDING_BEHIND : STANDING_BROKEN;
    return 0;
}

/* ---- deciding ---------------------------------------------------------------------------------------------------- */

static enum recovery decide_recovery(struct opening *p) {
    const char *why = NULL;
    enum recovery decision = recovery_decide(&p->seen, &why);
    struct store_found *f = p->found;
    (void)snprintf(f->decision, sizeof f->decision, "%s", recovery_name(&p->seen));
    if (decision == RECOVER_REFUSE)
        (void)snprintf(f->problem, sizeof f->problem, "%s%s%s", why, f->journal.problem[0] ? ": " : "",
                       f->journal.problem);
    return decision;
}

/* An empty state of our own. What was there is a fold of the journal, or nothing that can be read. */
static int state_renew(struct store *s) {
    static const char *const names[] = {"state.mdb", "state.mdb-lock"};
    tables_close(&s->tables);
    for (unsigned i = 0; i < COUNT_OF(names); i++)
        if (unlinkat(s->dir_fd, names[i], 0) < 0 && errno != ENOENT)
            return -errno;
    int r = state_open(s);
    if (r < 0)
        return r;
    tables_begin(&s->tables, s->identity.id);
    r = tables_commit(&s->tables);
    if (r == 0 && fsync(s->dir_fd) < 0)
        r = -errno;
    if (r == 0 && unlinkat(s->dir_fd, "doubt", 0) < 0 && errno != ENOENT)
        r = -errno;
    return r;
}

static int refold(struct opening *p, bool from_nothing) {
    struct store *s = p->s;
    struct store_found *f = p->found;
    uint64_t durable = journal_durable_seq(s->journal);
    int r = from_nothing ? state_renew(s) : 0;
    if (r == 0 && from_nothing && stands_on_base(p))
        r = base_load(&s->tables, s->dir_fd, &f->journal.base, f->problem);
    if (r == 0)
        r = fold_tail(&s->tables, s->journal, durable, true, &f->refolded);
    if (r == -ESTALE) {
        p->seen.other_epoch = true;
        CHECK(decide_recovery(p) == RECOVER_REFUSE);
        return -EBADMSG;
    }
    if (r == 0 && (f->refolded || from_nothing))
        r = tables_commit(&s->tables);
    f->rebuilt = from_nothing;
    if (r == -ENOSPC)
        (void)snprintf(f->problem, sizeof f->problem, "no space to fold the journal: free some and start again; until "
                       "then the store can be read as it stood at seq %llu", (unsigned long long)f->folded_seq);
    else if (r < 0 && s->tables.problem[0])
        (void)snprintf(f->problem, sizeof f->problem, "fold the journal: %.370s", s->tables.problem);
    return say(f, r, "fold the journal");
}

static int bring_up(struct opening *p) {
    enum recovery decision = decide_recovery(p);
    if (decision == RECOVER_REFUSE)
        return -EBADMSG;
    bool from_nothing = decision == RECOVER_FOLD_ALL;
    if (!p->s->options.read_only)
        return refold(p, from_nothing);
    if (from_nothing) {
        (void)snprintf(p->found->problem, sizeof p->found->problem,
                       "the tables are missing or damaged, and nothing may be changed: start whistled, or run "
                       "`whistlectl recover`");
        return -EBADMSG;
    }
    return 0;
}

static int look_at_slots(struct opening *p) {
    struct store *s = p->s;
    int r = slots_open(&s->slots, s->dir, s->identity.id, s->tables.facts.next_slot, s->options.read_only);
    if (r != -ESTALE && r != -ENOENT && r != -EBADMSG)
        return say(p->found, r, "open the key slots");
    p->seen.slots_older = true;
    CHECK(decide_recovery(p) == RECOVER_REFUSE);
    return -EBADMSG;
}

/* ---- open and close ---------------------------------------------------------------------------------------------- */

static int look_at_identity(struct opening *p) {
    struct store *s = p->s;
    struct store_found *f = p->found;
    int r = store_lock(s->dir, &s->dir_fd);
    if (r == -EBUSY)
        (void)snprintf(f->problem, sizeof f->problem, "another process has this store open");
    if (r < 0)
        return say(f, r, "open the store");
    f->not_ext4_xfs = !fs_supported(s->dir_fd);
    r = identity_read(s->dir_fd, &s->identity, f->problem);
    p->seen.newer_format = r == -EPROTO;
    if (p->seen.newer_format)
        (void)snprintf(f->decision, sizeof f->decision, "%s", recovery_name(&p->seen));
    f->drill = s->identity.drill;
    return r == -EPROTO || r == -ENOENT ? -EBADMSG : say(f, r, "read FORMAT and key");
}

/* A restore leaves a witness of an epoch above all that anybody has seen: what began in those is over. */
static void take_epoch(struct opening *p) {
    uint64_t *epoch = &p->s->tables.meta.epoch, seen = p->found->journal.epoch;
    *epoch = seen > *epoch ? seen : *epoch;
}

static int open_parts(struct opening *p) {
    int r = look_at_identity(p);
    if (r == 0)
        r = look_at_state(p);
    if (r == 0)
        r = look_at_journal(p);
    if (r == 0)
        r = bring_up(p);
    if (r == 0)
        r = look_at_slots(p);
    if (r == 0)
        take_epoch(p);
    return r;
}

/* A creation or a restore may have been killed between its rename and the sync of the directory above: what is served
 * must not be lost with its name. Who may not read that directory did not make a store there. */
static int sync_name(const struct store *s) {
    int fd = openat(s->dir_fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return errno == EACCES ? 0 : -errno;
    int r = fsync(fd) < 0 ? -errno : 0;
    (void)close(fd);
    return r;
}

int store_open(struct store **ret, const struct store_options *o, struct store_found *found) {
    *found = (struct store_found){0};
    struct store *s = calloc(1, sizeof *s);
    if (!s)
        return say(found, -ENOMEM, "open the store");
    s->options = *o;
    s->dir_fd = -1;
    CHECK(pthread_mutex_init(&s->preparing, NULL) == 0);
    struct opening p = {.s = s, .found = found};
    uint64_t erased = 0;
    int len = snprintf(s->dir, sizeof s->dir, "%s", o->dir);
    int r = len >= (int)sizeof s->dir ? say(found, -ENAMETOOLONG, "open the store") : open_parts(&p);
    if (r == 0 && !o->read_only) {
        s->options.dir = s->dir;
        s->next_seq = journal_next_seq(s->journal);
        CHECK(s->tables.meta.folded_seq + 1 == s->next_seq);
        s->worked_ms = mono_ms();
        r = say(found, sync_name(s), "sync the directory above");
        int ready = r == 0 && !journal_segments_ready(s->journal) ? store_prepare_now(s) : 0;
        if (ready < 0 && ready != -ENOSPC)        /* without room reports wait, answers do not */
            r = say(found, ready, "prepare a segment");
        if (r == 0)
            r = say(found, store_redo_erasures(s, found->rebuilt ? 0 : found->folded_seq, &erased), "erase again");
    }
    found->epoch = s->tables.meta.epoch;
    if (r < 0) {
        s->fault = r;
        store_close(s);
        return r;
    }
    *ret = s;
    return 0;
}

/* A clean stop leaves nothing to do for the next start. What fails here is not lost: it is folded again. */
void store_close(struct store *s) {
    if (!s)
        return;
    if (s->turn)
        (void)store_abandon(s);
    if (s->fault == 0 && !s->options.read_only) {
        int r = journal_witness(s->journal, clock_wall_ms(), s->tables.meta.epoch);
        if (r == 0 || r == -EAGAIN)               /* no room for one: the checkpoint covers the last batch as well */
            (void)store_checkpoint(s);
    }
    slots_close(s->slots);
    journal_close(s->journal);
    tables_close(&s->tables);
    if (s->dir_fd >= 0)
        (void)close(s->dir_fd);
    (void)pthread_mutex_destroy(&s->preparing);
    wipe(&s->identity, sizeof s->identity);
    free(s);
}
