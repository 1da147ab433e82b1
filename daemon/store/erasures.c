/* erasures.c: what is erased stays erased. The event comes first, then the slot is wiped, then the reply: a crash
 * between them, and slots that come back from an archive, are made good here. */
#include "daemon/store/store_internal.h"
#include "lib/codec/codec.h"

#include <errno.h>

/* A slot that is wiped already is left alone. */
static int redo(struct store *s, uint64_t case_id, uint64_t *count) {
    struct case_state c;
    struct key key;
    int r = store_case(s, case_id, &c);
    if (r < 0 || !case_is_erased(&c))
        return r;
    r = slots_key(s->slots, c.slot, &key);
    wipe(&key, sizeof key);
    if (r == -ENODATA)
        return 0;
    if (r == 0)
        r = slots_wipe(s->slots, c.slot);
    *count += r == 0;
    return r;
}

/* Records name their case: of those that a start has folded again there are few. */
static int redo_since(struct store *s, uint64_t after_seq, uint64_t *count) {
    struct journal_cursor *at = NULL;
    struct slice bytes;
    uint64_t first;
    uint32_t seqs;
    int r = journal_cursor_open(&at, s->journal, after_seq + 1);
    while (r == 0 && (r = journal_next(at, &first, &seqs, &bytes)) == 1) {
        PbRecord *record = NULL;
        arena_reset(&s->tables.room);
        r = codec_unpack_own(CODEC_RECORD, bytes, &s->tables.room, &record);
        if (r == 0 && record->case_id)
            r = redo(s, record->case_id, count);
    }
    journal_cursor_close(at);
    return r;
}

int store_redo_erasures(struct store *s, uint64_t after_seq, uint64_t *ret_count) {
    uint64_t count = 0, id = 0;
    int r = 0;
    if (after_seq)
        r = after_seq < journal_durable_seq(s->journal) ? redo_since(s, after_seq, &count) : 0;
    else
        while (r == 0 && (r = store_next_case(s, id, &id)) == 0)
            r = redo(s, id, &count);
    r = after_seq == 0 && r == -ENOENT ? 0 : r;
    if (r == 0)
        *ret_count = count;
    return r;
}
