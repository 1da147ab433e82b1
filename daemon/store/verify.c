/* verify.c: is everything still what it was? The journal is read from its first byte to its last and folded into tables
 * beside the store; they must be those of the store, byte for byte. Where a purge has taken the first segments, the
 * fold begins with the base; where they are still there, the base is held against the fold.
 *
 * The store's own tables are looked at in a child: LMDB believes what it reads, and a damaged tree may end the process
 * that walks it. It works while the journal is folded. */
#include "daemon/store/base.h"
#include "daemon/store/store_internal.h"
#include "daemon/store/texts.h"
#include "lib/codec/codec.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { PROGRESS_RECORDS = 4096 };

/* ---- the store's tables, in a child ------------------------------------------------------------------------------ */

_Static_assert(sizeof(struct state_seen) <= PIPE_BUF, "what the child has seen goes through the pipe in one piece");

static void tell(int fd, const struct state_seen *seen) {
    if (write(fd, seen, sizeof *seen) < 0)
        return;                                           /* nobody listens: then nobody needs it */
}

/* What a child is given: the state file, and where to say something. */
struct errand {
    const struct store_options *options;
    const char *path;
    int fd;
};

static int errand_open(const struct errand *e, struct tables *t) {
    struct tables_options o = {.path = e->path, .map_bytes = e->options->map_bytes, .read_only = true};
    return tables_open(t, &o);
}

/* Says first where the tables claim to stand, then what all their rows are like. */
static int inspect(const void *with) {
    const struct errand *e = with;
    struct state_seen seen = {0};
    struct tables t;
    int r = errand_open(e, &t);
    if (r == 0)
        r = tables_load(&t);
    seen.seq = t.meta.folded_seq;
    seen.result = r == -ENOENT ? -EBADMSG : r;
    tell(e->fd, &seen);
    if (r == 0)
        r = db_verify(t.db, seen.problem);
    if (r == 0)
        r = db_digest(t.db, &seen.digest);
    if (r < 0 && seen.problem[0] == '\0')
        (void)snprintf(seen.problem, sizeof seen.problem, "%.*s", (int)sizeof seen.problem - 1, t.problem);
    seen.result = r == -ENOENT ? -EBADMSG : r;
    tell(e->fd, &seen);
    tables_close(&t);
    return 0;
}

static void hear(int fd, struct state_seen *ret) {
    ssize_t n;
    while ((n = read(fd, ret, sizeof *ret)) < 0 && errno == EINTR) {}
    if (n == (ssize_t)sizeof *ret)
        return;
    *ret = (struct state_seen){.result = -EBADMSG};
    (void)snprintf(ret->problem, sizeof ret->problem, "the tables are damaged so badly that reading them fails");
}

/* In two steps, so that the journal may be read meanwhile. The first waits until the child has said where the tables
 * claim to stand: seq, and a result that is not the last word. */
struct inspection { struct child child; int fd; };

static int inspection_begin(const struct store_options *o, const char *path, struct inspection *ret,
                            struct state_seen *seen) {
    int ends[2];
    *ret = (struct inspection){.fd = -1};
    *seen = (struct state_seen){0};
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    const struct errand e = {o, path, ends[1]};
    int r = child_begin(&ret->child, inspect, &e);
    (void)close(ends[1]);
    if (r < 0) {
        (void)close(ends[0]);
        return r;
    }
    ret->fd = ends[0];
    hear(ret->fd, seen);
    return 0;
}

/* What the child has seen, or that it died of it; ret->result is 0 or -EBADMSG or another error. */
static void inspection_end(struct inspection *i, struct state_seen *ret) {
    if (i->fd < 0)
        return;
    hear(i->fd, ret);
    (void)close(i->fd);
    (void)child_end(&i->child);
    i->fd = -1;
}

int state_inspect(const struct store_options *o, const char *path, struct state_seen *ret) {
    struct inspection i;
    int r = inspection_begin(o, path, &i, ret);
    inspection_end(&i, ret);
    return r;
}

static int copy(const void *with) {
    const struct errand *e = with;
    struct tables t;
    int r = errand_open(e, &t);
    if (r == 0)
        r = db_copy(t.db, e->fd);
    tables_close(&t);
    return r;
}

int state_copy(const struct store_options *o, const char *path, int fd) {
    struct child c;
    const struct errand e = {o, path, fd};
    int r = child_begin(&c, copy, &e);
    return r < 0 ? r : child_end(&c);
}

/* ---- the fold, beside it ----------------------------------------------------------------------------------------- */

struct verification {
    struct store_options options;                         /* read only, with the journal read in full */
    int dir;                                              /* of the store; locked */
    struct identity identity;
    struct journal *journal;
    struct journal_found found;
    struct hash chain;                                    /* of the batch at hand */
    bool texts;                                           /* look whether sealed text opens */
    struct slots *slots;
    struct tables scratch;
    uint64_t digest_seq;                                  /* where the scratch tables had this digest */
    struct hash digest;
    char scratch_path[STORE_PATH_SIZE];
    struct state_seen state;                              /* of the store's tables */
    bool compared;                                        /* where they stand, ours had this digest */
    struct hash compared_digest;
    struct verify_result *ret;
    void (*progress)(void *to, uint64_t seq, uint64_t last);
    void *to;
};

static int say(struct verification *v, int r, const char *what, const char *why) {
    return store_say(v->ret->problem, r, what, why);
}

static void scratch_remove(const struct verification *v) {
    char lock[STORE_PATH_SIZE + 8];
    (void)snprintf(lock, sizeof lock, "%s-lock", v->scratch_path);
    (void)unlink(v->scratch_path);
    (void)unlink(lock);
}

/* Of our tables as they stand; at one seq it is taken once. */
static int scratch_digest(struct verification *v, struct hash *ret) {
    int r = v->digest_seq == v->scratch.meta.folded_seq ? 1 : fold_derive(&v->scratch);
    if (r == 0)
        r = tables_facts(&v->scratch);
    if (r == 0)
        r = tables_result(&v->scratch, db_digest(v->scratch.db, &v->digest));
    if (r < 0)
        return say(v, r, "digest", v->scratch.problem);
    v->digest_seq = v->scratch.meta.folded_seq;
    *ret = v->digest;
    return 0;
}

/* Where the store's tables stand, ours must be the same. */
static int compare(struct verification *v) {
    struct hash digest;
    int r = scratch_digest(v, &digest);
    if (r < 0)
        return r;
    v->compared = true;
    v->compared_digest = digest;
    return 0;
}

/* What was folded from the first record on must be what the base was made from. One that a purge has made and nothing
 * needs yet may be gone. */
static int prove_base(struct verification *v) {
    struct hash said, folded;
    int r = base_check(v->dir, &v->found.base, true, &said, v->ret->problem);
    if (r == -ENOENT) {
        v->ret->problem[0] = '\0';
        return 0;
    }
    if (r == 0)
        r = scratch_digest(v, &folded);
    if (r == 0 && !hash_equal(&said, &folded))
        r = -EBADMSG;
    return say(v, r, "base", r == -EBADMSG ? "it does not hold what the journal folds to" : NULL);
}

/* ---- sealed text ------------------------------------------------------------------------------------------------- */

/* A key that is gone opens nothing, and is no damage: the text is erased, or its slot was lost with a restore. A key
 * that is another one than it was, and a text that is, are told here, because nothing else knows. */
static bool text_opens(struct verification *v, const struct key *k, const struct sealed_text *t) {
    struct slice box = slice_from(t->sealed->box.data, t->sealed->box.len);
    uint8_t *plain = box.len < SEAL_OVERHEAD ? NULL : arena_take(&v->scratch.room, box.len - SEAL_OVERHEAD + 1);
    return plain && seal_open(k, slice_of(t->context), box, plain);
}

static int check_event(struct verification *v, const PbEvent *e, uint64_t slot) {
    struct sealed_text text[EVENT_TEXTS_MAX];
    struct key k;
    int r = 0;
    for (unsigned i = 0, count = event_texts(e, text); i < count && r == 0; i++) {
        r = slots_key(v->slots, slot, &k);
        if (r == 0 && !text_opens(v, &k, &text[i]))
            r = -EBADMSG;
        wipe(&k, sizeof k);
    }
    return r == -ENODATA ? 0 : r;
}

static int check_texts(struct verification *v, uint64_t first, struct slice bytes) {
    PbRecord *record = NULL;
    struct case_state c;
    char why[160];
    arena_reset(&v->scratch.room);
    int r = codec_unpack_own(CODEC_RECORD, bytes, &v->scratch.room, &record);
    if (r == 0 && record->case_id)
        r = tables_case(&v->scratch, record->case_id, &c);
    if (r < 0 || record->case_id == 0)
        return say(v, r, "read a record", v->scratch.problem);
    for (size_t i = 0; r == 0 && i < record->n_events; i++)
        r = check_event(v, record->events[i], c.slot);
    if (r == 0)
        return 0;
    (void)snprintf(why, sizeof why, "the text of seq %llu does not open with the key of slot %llu: put back the newest "
                   "copy of `slots`", (unsigned long long)first, (unsigned long long)c.slot);
    return say(v, r, "key slots", r == -EBADMSG || r == -ENOENT ? why : NULL);
}

/* ---- the journal ------------------------------------------------------------------------------------------------- */

/* What the base has is passed over: but it must end with this very record. */
static int fold_one(struct verification *v, const struct journal_cursor *c, uint64_t first, uint32_t seqs,
                    struct slice record) {
    struct hash chain = journal_cursor_chain(c);
    uint64_t last = first + seqs - 1, folded = v->scratch.meta.folded_seq;
    if (first > folded) {
        int r = say(v, fold_bytes(&v->scratch, first, seqs, record), "fold", v->scratch.problem);
        return r == 0 && last == v->found.base.seq ? prove_base(v) : r;
    }
    bool continues = last < folded || (last == folded && hash_equal(&chain, &v->scratch.meta.chain));
    return say(v, continues ? 0 : -EBADMSG, "base", "it was made from another history of this journal");
}

static void note(struct verification *v, struct hash_stream *records, const struct journal_cursor *c, uint64_t first,
                 uint32_t seqs, struct slice record) {
    uint8_t head[16];
    struct hash chain = journal_cursor_chain(c);
    put_le64(head, first);
    put_le32(head + 8, seqs);
    put_le32(head + 12, (uint32_t)record.len);
    hash_more(records, slice_from(head, sizeof head));
    hash_more(records, record);
    v->ret->records++;
    v->ret->batches += !hash_equal(&chain, &v->chain);
    v->chain = chain;
    v->ret->seq = first + seqs - 1;
    if (v->progress && v->ret->records % PROGRESS_RECORDS == 0)
        v->progress(v->to, v->ret->seq, journal_durable_seq(v->journal));
}

static int fold_all(struct verification *v, struct journal_cursor *c) {
    struct hash_stream records;
    uint64_t first = 0;
    uint32_t seqs = 0;
    struct slice record;
    int r = v->state.seq == v->scratch.meta.folded_seq ? compare(v) : 0, more = 0;
    hash_begin(&records);
    while (r == 0 && (more = journal_next(c, &first, &seqs, &record)) == 1) {
        r = fold_one(v, c, first, seqs, record);
        if (r == 0 && v->texts)
            r = check_texts(v, first, record);
        note(v, &records, c, first, seqs, record);
        if (r == 0 && v->ret->seq == v->state.seq && first > v->ret->base_seq)
            r = compare(v);
        if (r == 0 && db_changes(v->scratch.db) >= FOLD_COMMIT_CHANGES)
            r = say(v, tables_commit(&v->scratch), "keep the scratch tables", v->scratch.problem);
    }
    if (more < 0)
        r = say(v, more, "journal", journal_cursor_problem(c));
    v->ret->journal_digest = hash_end(&records);
    return r;
}

static int verify_fold(struct verification *v) {
    struct journal_cursor *c = NULL;
    struct tables_options t = {.path = v->scratch_path, .map_bytes = v->options.map_bytes, .scratch = true};
    scratch_remove(v);
    int r = say(v, tables_open(&v->scratch, &t), "open the scratch tables", NULL);
    if (r < 0)
        return r;
    tables_begin(&v->scratch, v->identity.id);
    v->digest_seq = UINT64_MAX;
    v->scratch.later = v->found.first_ordinal == 1;       /* a base brings them */
    if (v->found.first_ordinal > 1)
        r = say(v, base_load(&v->scratch, v->dir, &v->found.base, v->ret->problem), "base", v->scratch.problem);
    v->ret->base_seq = v->scratch.meta.folded_seq;
    if (r == 0)
        r = say(v, journal_cursor_open(&c, v->journal, 1), "read the journal", NULL);
    if (r == 0)
        r = fold_all(v, c);
    journal_cursor_close(c);
    if (r == 0)
        r = scratch_digest(v, &v->ret->state_digest);
    v->ret->cases = v->scratch.facts.cases_all;
    tables_close(&v->scratch);
    scratch_remove(v);
    return r;
}

/* The child has looked at every row of the store's tables: where do they stand, and are they ours? */
static void judge(struct verification *v) {
    struct verify_result *ret = v->ret;
    unsigned long long seq = v->state.seq;
    CHECK(seq <= ret->seq);                       /* else the journal was not opened: it is told where they stand */
    ret->equal = v->compared && hash_equal(&v->compared_digest, &v->state.digest);
    if (seq < ret->base_seq)
        (void)snprintf(ret->problem, sizeof ret->problem, "the tables stand at seq %llu, before the base at %llu; "
                       "fold them again: `whistlectl recover`", seq, (unsigned long long)ret->base_seq);
    else if (!ret->equal)
        (void)snprintf(ret->problem, sizeof ret->problem, "the tables are not what the journal folds to at seq %llu; "
                       "fold them again: `whistlectl recover --discard-state`", seq);
}

static int verify_journal(struct verification *v) {
    struct journal_options j = journal_options_of(&v->options, v->options.dir, &v->identity);
    j.covered_seq = v->state.result == 0 ? v->state.seq : 0;
    int r = journal_open(&v->journal, &j, true, &v->found);
    if (r < 0)
        return say(v, r, "journal", v->found.problem);
    v->ret->first_seq = v->found.first_seq;
    v->ret->torn_bytes = v->found.torn_bytes;
    r = verify_fold(v);
    journal_close(v->journal);
    return r;
}

static int verify_all(struct verification *v) {
    char path[STORE_PATH_SIZE];
    struct inspection child;
    int r = say(v, identity_read(v->dir, &v->identity, v->ret->problem), "read FORMAT and key", NULL);
    if (r < 0)
        return r;
    r = path_in(v->options.dir, "state.mdb", path);
    CHECK(r == 0);                                /* a directory that could be opened has a shorter name */
    r = say(v, inspection_begin(&v->options, path, &child, &v->state), "look at the tables", NULL);
    if (r < 0)
        return r;
    r = v->texts ? slots_open(&v->slots, v->options.dir, v->identity.id, 0, true) : 0;
    bool lost = r == -EBADMSG || r == -ENOENT;
    (void)say(v, r, "key slots", lost ? "they are missing or damaged: put back the newest copy of `slots`" : NULL);
    if (r == 0)
        r = verify_journal(v);
    slots_close(v->slots);
    inspection_end(&child, &v->state);
    if (v->state.result < 0)
        (void)say(v, v->state.result, "tables", v->state.problem);
    else if (r == 0)
        judge(v);
    return r;
}

static int verify_in(struct verification *v, const char *scratch_dir) {
    v->options.read_only = true;
    *v->ret = (struct verify_result){0};
    int r = say(v, path_in(scratch_dir, "verify.mdb", v->scratch_path), "scratch", NULL);
    if (r == 0)
        r = verify_all(v);
    wipe(&v->identity, sizeof v->identity);
    return r;
}

int verify_locked(int dir, const struct store_options *o, const char *scratch_dir, struct verify_result *ret) {
    struct verification v = {.options = *o, .dir = dir, .ret = ret};
    return verify_in(&v, scratch_dir);
}

int store_verify(const struct store_options *o, const char *scratch_dir, struct verify_result *ret,
                 void (*progress)(void *to, uint64_t seq, uint64_t last), void *to) {
    int dir = -1, r = store_lock(o->dir, &dir);
    *ret = (struct verify_result){0};
    if (r < 0) {
        (void)snprintf(ret->problem, sizeof ret->problem, "open the store: %s", strerror(-r));
        return r;
    }
    struct verification v = {.options = *o, .dir = dir, .ret = ret, .texts = true, .progress = progress, .to = to};
    r = verify_in(&v, scratch_dir);
    (void)close(dir);
    return r;
}

/* ---- folding again ----------------------------------------------------------------------------------------------- */

/* By doubt: the same path that a start takes when it finds a damaged row. Where no store is, its opening says so. */
int store_rebuild(const struct store_options *o, struct store_found *found) {
    struct store *s = NULL;
    struct store_options writable = *o;
    writable.read_only = false;
    int dir = -1, r = store_lock(o->dir, &dir);
    *found = (struct store_found){0};
    bool store = r == 0 && faccessat(dir, "FORMAT", F_OK, AT_SYMLINK_NOFOLLOW) == 0;
    int fd = store ? openat(dir, "doubt", O_WRONLY | O_CREAT | O_CLOEXEC, 0600) : -1;
    if (store && fd < 0)
        r = -errno;
    if (fd >= 0)
        (void)close(fd);
    if (dir >= 0)
        (void)close(dir);
    if (r == 0)
        r = store_open(&s, &writable, found);
    else
        (void)snprintf(found->problem, sizeof found->problem, "open the store: %s", strerror(-r));
    if (r == 0)
        store_close(s);
    return r;
}
