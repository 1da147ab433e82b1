/* survey.c: what a journal's files say: a store's, a followed one's. No lock, no journal opened, nothing changed. */
#include "daemon/store/backup_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* A segment that is filled ahead has no header yet, and its bytes are zeroes. */
static int look(int journal, uint64_t ordinal, const struct identity *id, struct segment_seen *s,
                char problem[static STORE_PROBLEM_SIZE]) {
    struct segment_walk w;
    *s = (struct segment_seen){.ordinal = ordinal};
    int r = walk_open(&w, journal, ordinal, id, problem);
    if (r < 0)
        return r == -ENODATA ? 0 : r;
    s->begun = true;
    s->first_seq = w.header.first_seq;
    s->bytes = w.size;
    while ((r = walk_next(&w)) == 1) {
        s->batches++;
        s->records += w.batch.records;
        s->witnessed = w.batch.flags & BATCH_WITNESS;
        s->first_ms = s->first_ms ? s->first_ms : w.batch.at_ms;
        s->last_ms = w.batch.at_ms;
    }
    s->last_seq = w.next_seq - 1;
    s->used = w.offset;
    s->why = w.why;
    walk_close(&w);
    return archive_say(problem, r, "read", "a segment");
}

int store_survey(const char *path, uint64_t most, int (*seen)(void *to, const struct segment_seen *s), void *to,
                 char problem[static STORE_PROBLEM_SIZE]) {
    struct identity id;
    struct segment_seen s;
    uint64_t first = 0, last = 0;
    problem[0] = '\0';
    int journal = -1, dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = dir < 0 ? -errno : 0;
    if (r == 0)
        r = identity_read(dir, &id, problem);
    if (r == 0 && (journal = openat(dir, "journal", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
        r = -errno;
    if (r == 0)
        r = journal_ordinals(journal, &first, &last, problem);
    if (most && r == 0 && last - first >= most)
        first = last - most + 1;
    for (uint64_t ordinal = first; r == 0 && ordinal <= last; ordinal++) {
        r = look(journal, ordinal, &id, &s, problem);
        if (r == 0 && s.begun)
            r = walk_is_sealed(journal, ordinal, &id, &s.sealed);
        s.witnessed = s.witnessed || s.sealed;    /* by the next segment's header */
        if (r == 0)
            r = seen(to, &s);
        if (r == 0 && s.sealed && s.used != s.bytes)
            r = journal_refuse(problem, ordinal, s.used, s.last_seq + 1, s.why);
    }
    wipe(&id, sizeof id);
    if (journal >= 0)
        (void)close(journal);
    if (dir >= 0)
        (void)close(dir);
    return archive_say(problem, r, "look at", path);
}
