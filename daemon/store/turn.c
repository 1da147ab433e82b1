/* turn.c: begin, record, commit, abandon. The path that every command takes.
 *
 *   record -> packed once -> the batch (journal) and the tables (fold), both in memory
 *   commit -> one write, one sync; the tables go on being memory until a checkpoint
 *
 * Nothing here allocates. A fold that fails leaves a transaction that is no fold of anything: it is thrown away, and
 * what is durable is folded again. */
#include "daemon/store/store_internal.h"
#include "lib/codec/codec.h"

#include <errno.h>
#include <string.h>

enum { PREPARE_SLICE_BYTES = 256 << 10 };

int64_t mono_ms(void) {
    return clock_mono_ns() / 1000000;
}

static uint64_t mono_us(void) {
    return (uint64_t)clock_mono_ns() / 1000;
}

/* Anything but a lack of space is final. */
static int final(struct store *s, int r) {
    if (r < 0 && r != -ENOSPC)
        s->fault = r;
    return r < 0 ? store_given(s, r) : r;
}

/* ---- room in the journal ----------------------------------------------------------------------------------------- */

int store_prepare(struct store *s, size_t slice_bytes) {
    CHECK(pthread_mutex_lock(&s->preparing) == 0);
    int r = journal_prepare(s->journal, slice_bytes);
    CHECK(pthread_mutex_unlock(&s->preparing) == 0);
    return r;
}

int store_prepare_now(struct store *s) {
    int r = 1;
    while (r == 1 && journal_segments_ready(s->journal) == 0)
        r = store_prepare(s, PREPARE_SLICE_BYTES);
    return r < 0 ? r : 0;
}

/* Room for the largest batch of a turn. When no segment can be had, what is left of the active one is for answers:
 * store_admits says no to reports, and store_turn_room says how much there is. */
static int make_room(struct store *s) {
    uint64_t quarter = s->options.segment_bytes / 4;
    size_t want = quarter < TURN_BYTES ? (size_t)quarter : TURN_BYTES;
    if (journal_room(s->journal) >= want)
        return 0;
    if (journal_segments_ready(s->journal) == 0) {
        if (mono_ms() < s->prepare_after_ms)
            return 0;
        int r = store_prepare_now(s);
        if (r == -ENOSPC)
            s->prepare_after_ms = mono_ms() + SPACE_LOOK_MS;
        if (r < 0)
            return r == -ENOSPC ? 0 : r;
    }
    return journal_turn_over(s->journal);
}

/* A slot that is given out is on disk: a store whose journal speaks of a slot that is not there does not open. Rest
 * fills far ahead; this is for a turn that began with few. */
int store_slots_reach(struct store *s) {
    bool worked = false;
    uint64_t next = s->tables.facts.next_slot;
    return next < slots_filled(s->slots) ? 0 : slots_ahead(s->slots, next, &worked);
}

/* ---- the turn ---------------------------------------------------------------------------------------------------- */

void store_begin(struct store *s, int64_t now_ms) {
    CHECK(!s->turn && !s->options.read_only);
    CHECK(s->fault || s->next_seq == journal_next_seq(s->journal));
    if (s->fault == 0)
        (void)final(s, make_room(s));
    journal_begin(s->journal, now_ms, s->tables.meta.epoch);
    s->turn = true;
    s->turn_folded = false;
}

uint64_t store_next_seq(const struct store *s) {
    return s->next_seq;
}

size_t store_turn_bytes(const struct store *s) {
    return journal_batch_bytes(s->journal);
}

size_t store_turn_room(const struct store *s) {
    size_t room = journal_room(s->journal), used = journal_batch_bytes(s->journal);
    return room > used ? room - used : 0;
}

bool store_turn_empty(const struct store *s) {
    return journal_batch_bytes(s->journal) == 0;
}

bool store_turn_full(const struct store *s) {
    return !store_turn_empty(s) && store_turn_room(s) < COMMAND_BYTES_MAX;
}

int store_record(struct store *s, PbRecord *record, const struct case_state *before, const struct case_state *c,
                 struct arena *room) {
    CHECK(s->turn && record->first_seq == s->next_seq && record->has_at_ms);
    CHECK(record->n_events >= 1 && record->n_events <= STORE_RECORD_EVENTS_MAX);
    CHECK((record->case_id != 0) == (c != NULL) && (c == NULL || before != NULL));
    if (s->fault)
        return s->fault;
    if (c) {
        case_check(before);
        case_check(c);
    }
    size_t used = room->used;
    struct slice bytes = codec_packed(CODEC_RECORD, record, room);
    CHECK(bytes.at);
    int r = c && before->id == 0 ? store_slots_reach(s) : 0;      /* a case takes a slot; all else goes on without */
    if (r == 0)
        r = journal_add(s->journal, bytes, (uint32_t)record->n_events);
    room->used = used;                            /* it has been copied */
    if (r == 0) {
        s->turn_folded = true;
        r = fold_record(&s->tables, record, before, c);
    }
    if (r == 0)
        s->next_seq += record->n_events;
    return final(s, r);
}

/* Between the write and the end of the sync nobody knows whether it happened: that is why a failure is final. */
int store_commit(struct store *s) {
    CHECK(s->turn);
    if (s->fault)
        return s->fault;
    CHECK(s->tables.meta.folded_seq + 1 == s->next_seq);
    size_t bytes = journal_batch_bytes(s->journal);
    s->turn = false;
    if (bytes == 0) {
        journal_abandon(s->journal);
        return 0;
    }
    uint64_t began = mono_us();
    int r = journal_append(s->journal);
    if (r < 0) {
        s->fault = r;
        return r;
    }
    uint64_t now = mono_us();
    histogram_add(&s->sync, now - began);
    s->tables.meta.chain = journal_chain(s->journal);
    s->worked_ms = (int64_t)(now / 1000);
    if (s->unfolded_since_ms == 0)
        s->unfolded_since_ms = s->worked_ms;
    s->unfolded_bytes += bytes;
    CHECK(journal_durable_seq(s->journal) + 1 == s->next_seq);
    return 0;
}

/* What is final is never called a lack of space: that would be waited out. */
int store_lost(struct store *s, int r) {
    s->fault = r == -ENOSPC ? -ENOTRECOVERABLE : r;
    return store_given(s, s->fault);
}

int store_return(struct store *s) {
    uint64_t records = 0;
    int r = tables_return(&s->tables);
    if (r == 0)
        r = fold_tail(&s->tables, s->journal, journal_durable_seq(s->journal), false, &records);
    if (r == 0) {
        CHECK(s->tables.meta.folded_seq == journal_durable_seq(s->journal));
        return 0;
    }
    return store_lost(s, r);
}

int store_abandon(struct store *s) {
    CHECK(s->turn);
    s->turn = false;
    journal_abandon(s->journal);
    s->next_seq = journal_next_seq(s->journal);
    if (s->fault)
        return s->fault;
    return s->turn_folded ? store_return(s) : 0;
}

uint64_t store_first_seq(const struct store *s) {
    return journal_first_seq(s->journal);
}

uint64_t store_durable_seq(const struct store *s) {
    return journal_durable_seq(s->journal);
}
