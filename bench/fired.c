/* fired: which deadlines fired, as the journal of a store at rest tells it.
 *
 *   fired <store> [after-seq]         how many, how fast, how late, and whether in the order in which they were due
 *
 * A record of source `timer` says when it fired and how late that was. */
#include "daemon/store/store.h"
#include "lib/codec/codec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROOM_BYTES = 64 << 20, SOON_MS = 1000 };

static struct { uint64_t count, out_of_order, early, late; int64_t first_ms, last_ms, due_ms, late_ms_max; } seen;

static int64_t late_of(const PbRecord *r) {
    for (size_t i = 0; i < r->n_events; i++) {
        const PbEvent *e = r->events[i];
        if (e->event_case == EVENT_ESCALATED && e->escalated->has_fired) return e->escalated->late_ms;
        if (e->event_case == EVENT_SUPERVISED && e->supervised->has_fired) return e->supervised->late_ms;
        if (e->event_case == EVENT_REMINDED) return e->reminded->late_ms;
    }
    return 0;
}

static void look(const PbRecord *r) {
    if (strcmp(r->source, "timer") != 0)
        return;
    int64_t late = late_of(r), due = r->at_ms - late;
    if (seen.count++ == 0)
        seen.first_ms = r->at_ms;
    seen.last_ms = r->at_ms;
    seen.out_of_order += due < seen.due_ms;
    seen.early += late < 0;
    seen.late += late > SOON_MS;
    seen.due_ms = due;
    seen.late_ms_max = late > seen.late_ms_max ? late : seen.late_ms_max;
}

int main(int argc, char **argv) {
    uint64_t after = 0;
    if (argc < 2 || (argc > 2 && !parse_u64(slice_of(argv[2]), &after)))
        return (void)fprintf(stderr, "usage: fired <store> [after-seq]\n"), 2;
    struct store_options o = {.dir = argv[1], .read_only = true, .map_bytes = 64ull << 30, .segment_bytes = 64 << 20,
                              .segments_ahead = 2};
    struct store_found found;
    struct store *s = NULL;
    struct journal_cursor *c = NULL;
    struct arena room;
    crypto_init();
    if (store_open(&s, &o, &found) < 0 || journal_cursor_open(&c, store_journal(s), after + 1) < 0)
        return (void)fprintf(stderr, "fired: %s: %s\n", argv[1], found.problem), 1;
    arena_wrap(&room, memory_or_die(ROOM_BYTES), ROOM_BYTES);
    uint64_t first;
    uint32_t seqs;
    struct slice bytes;
    int r;
    while ((r = journal_next(c, &first, &seqs, &bytes)) == 1) {
        PbRecord *record = NULL;
        arena_reset(&room);
        if (codec_unpack_own(CODEC_RECORD, bytes, &room, &record) < 0)
            return (void)fprintf(stderr, "fired: a record that cannot be read\n"), 1;
        look(record);
    }
    int64_t took = seen.last_ms > seen.first_ms ? seen.last_ms - seen.first_ms : 1;
    (void)printf("{\"fired\":%llu,\"fired_per_s\":%.0f,\"out_of_order\":%llu,\"early\":%llu,\"over_1_s_late\":%llu,"
                 "\"late_ms_max\":%lld,\"seq\":%llu}\n",
                 (unsigned long long)seen.count, (double)seen.count * 1000 / (double)took,
                 (unsigned long long)seen.out_of_order, (unsigned long long)seen.early, (unsigned long long)seen.late,
                 (long long)seen.late_ms_max, (unsigned long long)store_durable_seq(s));
    journal_cursor_close(c);
    store_close(s);
    return r < 0;
}
