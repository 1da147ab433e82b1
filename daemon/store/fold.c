/* fold.c: a record becomes rows. The only writer of the tables, for the live path, the restart and the verification.
 *
 *   record -> events -> case before and after -> its row, the rows that follow from it, story, number, receipt
 *          -> facts (rules, epoch, clock, counts)
 *
 * Rows that follow from a case (deadlines, work, open, asks) are never edited: those of the case before and after are
 * compared in memory, and only what differs is written. A verification makes them at its end, from nothing but the
 * cases: so what was kept record by record is held against what it should be. */
#include "daemon/store/tables.h"
#include "lib/codec/codec.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* ---- rows that follow from a case -------------------------------------------------------------------------------- */

static bool same_key(const struct row *a, const struct row *b) {
    return a->table == b->table && slice_equal(key_bytes(&a->key), key_bytes(&b->key));
}

/* Of one table, whose rows are of one length. */
static bool same_value(const struct row *a, const struct row *b) {
    CHECK(a->value_len == b->value_len);
    return memcmp(a->value, b->value, a->value_len) == 0;
}

static const struct row *row_find(const struct row *rows, unsigned count, const struct row *like) {
    for (unsigned i = 0; i < count; i++)
        if (same_key(&rows[i], like))
            return &rows[i];
    return NULL;
}

static bool due_before(const struct due_row *a, const struct due_row *b) {
    if (a->due_ms != b->due_ms)
        return a->due_ms < b->due_ms;
    return a->case_id != b->case_id ? a->case_id < b->case_id : a->kind < b->kind;
}

static bool is_due(const struct row *row, struct due_row *ret) {
    if (row->table != TABLE_DEADLINES)
        return false;
    CHECK(due_of_key(key_bytes(&row->key), ret));
    return true;
}

static int row_put(struct tables *t, const struct row *row) {
    struct due_row due;
    if (is_due(row, &due) && (t->due_known == DUE_NONE
                              || (t->due_known == DUE_KNOWN && due_before(&due, &t->first_due)))) {
        t->due_known = DUE_KNOWN;
        t->first_due = due;
    }
    struct slice value = slice_from(row->value, row->value_len);
    if (row->table == TABLE_WORK)                 /* by readiness: what becomes ready now is the last */
        return tables_result(t, db_put_last(t->db, row->table, key_bytes(&row->key), value));
    return tables_put(t, row->table, &row->key, value);
}

/* A row that should be there and is not: the tables are no fold of the journal. */
static int row_delete(struct tables *t, const struct row *row) {
    struct due_row due;
    if (is_due(row, &due) && !due_before(&t->first_due, &due))
        t->due_known = DUE_UNKNOWN;
    int r = tables_result(t, db_delete(t->db, row->table, key_bytes(&row->key)));
    if (r != -ENOENT)
        return r;
    t->doubtful = true;
    (void)snprintf(t->problem, sizeof t->problem, "a row of table %u that its case speaks of is missing", row->table);
    return -EBADMSG;
}

static int project(struct tables *t, const struct case_state *before, const struct case_state *after) {
    struct row old[ROWS_OF_CASE_MAX], new[ROWS_OF_CASE_MAX];
    unsigned old_count = rows_of_case(before, old), new_count = rows_of_case(after, new);
    int r = 0;
    for (unsigned i = 0; i < old_count && r == 0; i++)
        if (!row_find(new, new_count, &old[i]))
            r = row_delete(t, &old[i]);
    for (unsigned i = 0; i < new_count && r == 0; i++) {
        const struct row *was = row_find(old, old_count, &new[i]);
        if (!was || !same_value(was, &new[i]))
            r = row_put(t, &new[i]);
    }
    return r;
}

int fold_derive(struct tables *t) {
    static const struct case_state nothing;
    struct case_state c;
    struct db_walk w;
    struct slice key, row;
    int r = t->later;
    t->later = false;
    db_walk_from(&w, t->db, TABLE_CASES, (struct slice){NULL, 0});
    while (r > 0 && (r = tables_result(t, db_walk_next(&w, &key, &row))) > 0) {
        CHECK(case_of_row(row, &c));
        int put = project(t, &nothing, &c);
        if (put == 0 && db_changes(t->db) >= FOLD_COMMIT_CHANGES)
            put = tables_commit(t);
        r = put < 0 ? put : r;
    }
    db_walk_done(&w);
    return r;
}

/* ---- a case's record --------------------------------------------------------------------------------------------- */

/* The day's number, and the slot of its sealed text. */
static int fold_opening(struct tables *t, const PbRecord *r, const struct case_state *c) {
    const PbEvent *e = r->events[0];
    const PbReported *opening = e->event_case == EVENT_REPORTED ? e->reported
        : e->event_case == EVENT_SELF_HANDLED ? e->self_handled->report : e->imported->report;
    CHECK(opening);
    uint8_t id[8];
    put_le64(id, c->id);
    if (c->more.origin[0] && c->external_id[0]) {
        struct row_key external = key_external(c->more.origin, c->external_id);
        int result = tables_put(t, TABLE_EXTERNAL, &external, slice_from(id, sizeof id));
        if (result < 0)
            return result;
    }
    t->facts.cases_all++;
    if (opening->has_slot && opening->slot >= t->facts.next_slot)
        t->facts.next_slot = opening->slot + 1;
    tables_note_number(t, c->district, c->day, c->day_number);
    struct row_key key = key_case_number(c->district, c->day, c->day_number);
    return tables_result(t, db_put_last(t->db, TABLE_NUMBERS, key_bytes(&key), slice_from(id, sizeof id)));
}

static void count_case(struct facts *f, const struct case_state *before, const struct case_state *after) {
    CHECK(before->state < STORE_STATES_MAX && after->state < STORE_STATES_MAX);
    if (before->id != 0)
        f->by_state[before->state]--;
    f->by_state[after->state]++;
    f->cases_open += (uint64_t)case_open(after) - (uint64_t)case_open(before);
}

static int fold_case(struct tables *t, const PbRecord *r, const struct case_state *before,
                     const struct case_state *after) {
    uint8_t row[DB_VALUE_MAX];
    struct slice value = {row, row_of_case(after, row)}, nothing = {NULL, 0};
    struct row_key key = key_number(after->id), story = key_story(after->id, r->first_seq);
    bool opens = before->id == 0;
    CHECK(after->id == r->case_id && (opens ? after->id == r->first_seq : before->id == after->id));
    CHECK(after->last_seq == r->first_seq + r->n_events - 1);
    int result = opens ? tables_result(t, db_put_last(t->db, TABLE_CASES, key_bytes(&key), value))
                       : tables_put(t, TABLE_CASES, &key, value);
    if (result == 0 && !t->later)
        result = project(t, before, after);
    if (result == 0)
        result = opens ? tables_result(t, db_put_last(t->db, TABLE_STORY, key_bytes(&story), nothing))
                       : tables_put(t, TABLE_STORY, &story, nothing);
    if (result == 0 && opens)
        result = fold_opening(t, r, after);
    count_case(&t->facts, before, after);
    return result;
}

/* As a restart sees it: the case from its row, the events from the record. */
static int fold_evolved(struct tables *t, const PbRecord *r) {
    struct case_state before = {0}, after;
    int result = r->case_id == r->first_seq ? 0 : tables_case(t, r->case_id, &before);
    if (result < 0) {
        if (result == -ENOENT)
            (void)snprintf(t->problem, sizeof t->problem, "a record speaks of case %llu, which is not there",
                           (unsigned long long)r->case_id);
        return result == -ENOENT ? -EBADMSG : result;
    }
    after = before;
    for (size_t i = 0; i < r->n_events; i++)
        evolve(&after, r->events[i], r->first_seq + i, r->at_ms);
    case_check(&after);
    return fold_case(t, r, &before, &after);
}

/* ---- batches ----------------------------------------------------------------------------------------------------- */

static int batch_get(struct tables *t, const ProtobufCBinaryData *id, struct row_key *ret_key,
                     struct batch_state *ret) {
    struct slice row;
    CHECK(id->len == 16);
    *ret_key = key_batch(id->data);
    int r = tables_get(t, TABLE_BATCHES, ret_key, &row);
    if (r == 0 && !batch_of_row(row, ret))
        r = -EBADMSG;
    return r;
}

static int batch_put(struct tables *t, const struct row_key *key, const struct batch_state *b) {
    uint8_t row[BATCH_ROW_BYTES];
    row_of_batch(b, row);
    return tables_put(t, TABLE_BATCHES, key, slice_from(row, sizeof row));
}

static int fold_batch_asked(struct tables *t, const PbBatchAsked *e, int64_t at_ms) {
    CHECK(e->batch.len == 16 && e->digest.len == BATCH_DIGEST_BYTES && strlen(e->by) <= BY_BYTES_MAX);
    struct batch_state b = {.verb = (uint8_t)e->verb, .cases = e->cases, .asked_at_ms = at_ms};
    struct row_key key = key_batch(e->batch.data);
    memcpy(b.digest, e->digest.data, sizeof b.digest);
    memcpy(b.by, e->by, strlen(e->by));
    return batch_put(t, &key, &b);
}

static int fold_batch_confirmed(struct tables *t, const PbBatchConfirmed *e, int64_t at_ms) {
    struct batch_state b;
    struct row_key key;
    CHECK(strlen(e->by) <= BY_BYTES_MAX);
    int r = batch_get(t, &e->batch, &key, &b);
    if (r < 0)
        return r == -ENOENT ? -EBADMSG : r;
    b.confirmed = true;
    b.confirmed_at_ms = at_ms;
    memcpy(b.confirmed_by, e->by, strlen(e->by));
    return batch_put(t, &key, &b);
}

/* A case's record that was part of one: one more is done. */
static int fold_batch_done(struct tables *t, const PbRecord *r) {
    struct batch_state b;
    struct row_key key;
    int result = batch_get(t, &r->batch, &key, &b);
    if (result < 0)
        return result == -ENOENT ? -EBADMSG : result;
    b.done++;
    return batch_put(t, &key, &b);
}

/* ---- the broker's own records ------------------------------------------------------------------------------------ */

static int fold_event(struct tables *t, const PbEvent *e, int64_t at_ms) {
    switch (e->event_case) {
    case EVENT_EPOCH_BEGUN:
        if (e->epoch_begun->epoch > t->meta.epoch)
            t->meta.epoch = e->epoch_begun->epoch;
        return 0;
    case EVENT_CLOCK_DOUBTED:
        t->facts.clock_doubts++;
        return 0;
    case EVENT_RULES_BEGUN: case EVENT_RULES_CHUNK: case EVENT_RULES_ADOPTED:
        return rules_fold(t, e);
    case EVENT_BATCH_ASKED:
        return fold_batch_asked(t, e->batch_asked, at_ms);
    case EVENT_BATCH_CONFIRMED:
        return fold_batch_confirmed(t, e->batch_confirmed, at_ms);
    case EVENT_RECOMPUTE_BEGUN:
        t->facts.recompute = e->recompute_begun->rules;
        return 0;
    case EVENT_RECOMPUTE_ENDED:
        t->facts.recompute = 0;
        return 0;
    case EVENT_DRAINED:
        return 0;                                 /* kept for whoever asks who did it */
    case EVENT_RECEIPTS_EXPIRED:
        return receipts_expire(t, e->receipts_expired);
    default:
        (void)snprintf(t->problem, sizeof t->problem, "event %d stands in a record without a case", e->event_case);
        return -EBADMSG;
    }
}

static int fold_receipt(struct tables *t, const PbRecord *r) {
    uint8_t row[RECEIPT_ROW_BYTES];
    struct receipt receipt = {.seq = r->first_seq + r->n_events - 1, .case_id = r->case_id, .at_ms = r->at_ms};
    CHECK(r->command_id.len == 16 && r->source);
    if (r->command_hash.len >= sizeof receipt.hash)
        memcpy(receipt.hash, r->command_hash.data, sizeof receipt.hash);
    row_of_receipt(&receipt, row);
    t->facts.receipts++;
    struct row_key key = key_receipt(slice_of(r->source), r->command_id.data);
    return tables_put(t, TABLE_RECEIPTS, &key, slice_from(row, sizeof row));
}

int fold_record(struct tables *t, const PbRecord *r, const struct case_state *before, const struct case_state *after) {
    CHECK(r->first_seq == t->meta.folded_seq + 1);
    CHECK(r->n_events >= 1 && r->n_events <= STORE_RECORD_EVENTS_MAX);
    int result = 0;
    if (r->case_id && after)
        result = fold_case(t, r, before, after);
    else if (r->case_id)
        result = fold_evolved(t, r);
    for (size_t i = 0; i < r->n_events && r->case_id == 0 && result == 0; i++)
        result = fold_event(t, r->events[i], r->at_ms);
    if (result == 0 && r->case_id && r->batch.len > 0)
        result = fold_batch_done(t, r);
    if (result == 0 && r->command_id.len > 0)
        result = fold_receipt(t, r);
    if (result == 0)
        t->meta.folded_seq = r->first_seq + r->n_events - 1;
    return result;
}

/* ---- from the journal -------------------------------------------------------------------------------------------- */

int fold_bytes(struct tables *t, uint64_t first_seq, uint32_t seqs, struct slice bytes) {
    PbRecord *r = NULL;
    arena_reset(&t->room);
    int result = codec_unpack_own(CODEC_RECORD, bytes, &t->room, &r);
    if (result == 0 && (r->first_seq != first_seq || r->n_events != seqs || seqs > STORE_RECORD_EVENTS_MAX))
        result = -EBADMSG;
    if (result < 0) {
        (void)snprintf(t->problem, sizeof t->problem, "the record of seq %llu cannot be read (another version?)",
                       (unsigned long long)first_seq);
        return result;
    }
    return fold_record(t, r, NULL, NULL);
}

/* Where the tables stand must be the end of a batch of this journal, the very one they were folded from. */
static int check_standing(const struct tables *t, struct journal_cursor *c) {
    uint64_t first = 0;
    uint32_t seqs = 0;
    struct slice record;
    struct hash chain = {{0}};
    int r = 1;
    for (uint64_t end = 0; end < t->meta.folded_seq && r == 1; end = first + seqs - 1)
        r = journal_next(c, &first, &seqs, &record);
    if (r < 0)
        return r;
    if (r == 1)
        chain = journal_cursor_chain(c);
    return r == 1 && first + seqs - 1 == t->meta.folded_seq && hash_equal(&chain, &t->meta.chain) ? 0 : -ESTALE;
}

static int fold_along(struct tables *t, struct journal_cursor *c, uint64_t upto, bool commit, uint64_t *records) {
    uint64_t first = 0;
    uint32_t seqs = 0;
    struct slice record;
    int r = 0;
    struct hash chain = t->meta.chain;
    while (t->meta.folded_seq < upto && (r = journal_next(c, &first, &seqs, &record)) == 1) {
        struct hash now = journal_cursor_chain(c);
        bool batch_over = !hash_equal(&now, &chain);
        if (commit && batch_over && db_changes(t->db) >= FOLD_COMMIT_CHANGES) {
            r = tables_commit(t);                 /* here meta speaks of the end of the batch before */
            if (r < 0)
                return r;
        }
        r = fold_bytes(t, first, seqs, record);
        if (r < 0)
            return r;
        t->meta.chain = chain = now;
        ++*records;
        if (t->folded)
            t->folded(t->meta.folded_seq);
    }
    if (r < 0)
        (void)snprintf(t->problem, sizeof t->problem, "%s", journal_cursor_problem(c));
    return r < 0 ? r : 0;
}

int fold_tail(struct tables *t, struct journal *j, uint64_t upto, bool commit, uint64_t *ret_records) {
    CHECK(upto <= journal_durable_seq(j));
    struct journal_cursor *c = NULL;
    uint64_t records = 0, from = t->meta.folded_seq ? t->meta.folded_seq : 1;
    if (upto == 0)
        return 0;
    int r = journal_cursor_open(&c, j, from);
    if (r < 0)
        return r;
    if (t->meta.folded_seq)
        r = check_standing(t, c);
    if (r == 0)
        r = fold_along(t, c, upto, commit, &records);
    journal_cursor_close(c);
    if (r == 0)
        *ret_records = records;
    return r;
}
