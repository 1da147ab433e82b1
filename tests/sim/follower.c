/* follower.c: a journal that is followed on another machine, as `whistlectl journal follow` does it, a few parts at a
 * time: through the broker's ends and starts, power cuts, changes of the segment; and killed itself.
 *
 *   F1  what it has is a prefix of what is durable, byte for byte
 *   F2  it is refused only when the store is another one than it has followed: never else, and then for certain
 *   F3  killed, it has what it had synced
 *   F4  at the end it has everything, and what is restored from it is the store */
#include "daemon/store/backup.h"
#include "tests/sim/sim.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PART_MAX = 96 << 10, SECTOR = 512 };

static struct {
    char dir[128];
    unsigned number;                              /* of the directory; 0: nothing is followed yet */
    struct follow *f;
    bool compared, lost;                          /* lost: the store, since it was followed last */
    uint64_t synced_seq, synced_ordinal, synced_bytes;
    char problem[STORE_PROBLEM_SIZE];
} my;
static uint8_t part_bytes[PART_MAX], own_bytes[PART_MAX];

static struct follow_place place(void) {
    struct follow_place at;
    follow_where(my.f, &at);
    return at;
}

static void synced(void) {
    struct follow_place at = place();
    my.synced_seq = at.seq;
    my.synced_ordinal = at.ordinal;
    my.synced_bytes = at.offset;
}

static void path_of(uint64_t ordinal, char to[static 200]) {
    char name[JOURNAL_NAME_SIZE];
    journal_segment_name(ordinal, name);
    snprintf(to, 200, "%s/journal/%s", my.dir, name);
}

/* ---- F1 ---------------------------------------------------------------------------------------------------------- */

/* What is here of that segment is there, too; whole: and no more is. */
static bool same_bytes(struct journal *j, uint64_t ordinal, bool whole) {
    char path[200];
    struct journal_part part = {.length = 0};
    path_of(ordinal, path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = 0;
    bool same = true;
    uint64_t at = 0;
    for (; fd >= 0 && same && (n = pread(fd, own_bytes, PART_MAX, (off_t)at)) > 0; at += (uint64_t)n) {
        CHECK(journal_part(j, ordinal, at, part_bytes, (size_t)n, &part) == 0);
        same = part.bytes == (size_t)n && memcmp(part_bytes, own_bytes, (size_t)n) == 0;
    }
    if (fd >= 0) close(fd);
    return same && (!whole || part.length == at);
}

static bool is_prefix(struct store *living) {
    bool same = true;
    for (uint64_t ordinal = 1; same && ordinal <= place().ordinal; ordinal++)
        same = same_bytes(store_journal(living), ordinal, ordinal < place().ordinal);
    return same;
}

/* ---- a part ------------------------------------------------------------------------------------------------------ */

static int introduce(struct store *living) {
    uint8_t format[IDENTITY_FILE_MAX], key[IDENTITY_FILE_MAX];
    struct slice format_text, key_text;
    CHECK(store_identity_file(living, "FORMAT", format, &format_text) == 0);
    CHECK(store_identity_file(living, "key", key, &key_text) == 0);
    return follow_begin(my.f, format_text, key_text, my.problem);
}

static int compare(struct store *living, const struct follow_place *at) {
    struct journal_part part;
    my.compared = true;
    if (!at->last_bytes) return 0;
    CHECK(journal_part(store_journal(living), at->ordinal, at->last_offset, part_bytes, at->last_bytes, &part) == 0);
    return follow_same(my.f, slice_from(part_bytes, part.bytes), my.problem);
}

/* 1: there is more; 0: everything is here; -EBADMSG: what is there does not continue what is here. */
static int take(struct store *living, size_t cap) {
    struct follow_place at = place();
    struct journal_part part;
    int r = at.known ? 0 : introduce(living);
    if (r == 0 && !my.compared) r = compare(living, &at);
    if (r < 0) return r;
    CHECK(journal_part(store_journal(living), at.ordinal, at.offset, part_bytes, cap, &part) == 0);
    if (part.length < at.offset || (part.length == 0 && part.ordinal > part.last_ordinal)) return -EBADMSG;
    uint64_t end = at.offset + part.bytes;
    bool whole = end == part.length;
    if (part.bytes) r = follow_take(my.f, part.ordinal, slice_from(part_bytes, part.bytes), my.problem);
    if (r == 0 && whole && part.sealed) {
        r = follow_seal(my.f, my.problem);
        sometimes("follow.segment");
        synced();
    } else if (r == 0 && whole) {
        r = follow_sync(my.f);
        synced();
    }
    return r < 0 ? r : !whole || part.sealed;
}

/* ---- its life ---------------------------------------------------------------------------------------------------- */

static void open_it(const char *scratch) {
    if (!my.number) my.number = 1;
    snprintf(my.dir, sizeof my.dir, "%s/followed.%u", scratch, my.number);
    my.compared = false;
    if (follow_open(&my.f, my.dir, my.problem) < 0) sim_broken("F2: a follower cannot go on: %s", my.problem);
    struct follow_place at = place();
    if (at.seq < my.synced_seq)
        sim_broken("F3: a follower had synced up to seq %llu, and has %llu", (unsigned long long)my.synced_seq,
                   (unsigned long long)at.seq);
    if (at.cut_bytes) sometimes("follow.cut");
}

/* What is not synced is lost from some byte on, or sector by sector. */
static void tear(uint64_t ordinal, uint64_t from) {
    static const uint8_t zeroes[SECTOR];
    char path[200];
    struct stat st;
    path_of(ordinal, path);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0) return;
    CHECK(fstat(fd, &st) == 0);
    uint64_t size = (uint64_t)st.st_size;
    if (size > from && sim_roll(SIM_FOLLOW, 2)) size = from + sim_roll(SIM_FOLLOW, size - from);
    CHECK(size <= from || ftruncate(fd, (off_t)size) == 0);
    for (uint64_t at = from; at < size; at += SECTOR - at % SECTOR) {
        uint64_t len = SECTOR - at % SECTOR;
        if (sim_roll(SIM_FOLLOW, 4)) continue;
        CHECK(pwrite(fd, zeroes, at + len < size ? len : size - at, (off_t)at) > 0);
    }
    CHECK(fsync(fd) == 0 && close(fd) == 0);
    sometimes("follow.killed");
}

static void close_it(bool killed) {
    struct follow_place at = place();
    follow_close(my.f);
    my.f = NULL;
    bool same = at.ordinal == my.synced_ordinal;
    if (killed && at.ordinal) tear(at.ordinal, same ? my.synced_bytes : 0);
    else my.synced_seq = at.seq, my.synced_ordinal = at.ordinal, my.synced_bytes = at.offset;
}

/* The words that it says then: follow into a new directory. */
static void begin_anew(const char *scratch) {
    follow_close(my.f);
    my.number++;
    my.synced_seq = my.synced_ordinal = my.synced_bytes = 0;
    my.lost = false;
    sometimes("follow.refused");
    open_it(scratch);
}

/* So many parts, or until everything is here. */
static void follow(struct store *living, const char *scratch, uint64_t parts, size_t cap) {
    int r = 1;
    bool prefix = is_prefix(living);
    if (!prefix && !my.lost) sim_broken("F1: what is followed is not what is durable");
    while (r == 1 && parts-- > 0) {
        r = take(living, cap);
        if (r == -EBADMSG && !prefix) return begin_anew(scratch);
        if (r < 0) sim_broken("F2: a follower is refused what continues its journal: %s", my.problem);
        if (!prefix) sim_broken("F2: a follower takes what does not continue its journal");
    }
    my.lost = false;
    if (!is_prefix(living) || place().seq > oracle_on_disk())
        sim_broken("F1: a follower has seq %llu, and up to %llu it is durable", (unsigned long long)place().seq,
                   (unsigned long long)oracle_on_disk());
    if (r == 0 && place().seq != oracle_on_disk())
        sim_broken("F1: a follower was told that seq %llu of %llu is all", (unsigned long long)place().seq,
                   (unsigned long long)oracle_on_disk());
}

void follower_step(struct store *living, const char *scratch) {
    open_it(scratch);
    uint64_t parts = 1 + sim_roll(SIM_FOLLOW, 40), most = sim_roll(SIM_FOLLOW, 2) ? 4096 : PART_MAX;
    follow(living, scratch, parts, 1 + sim_roll(SIM_FOLLOW, most));
    close_it(sim_roll(SIM_FOLLOW, 3) == 0);
    sometimes("follow.step");
}

void follower_lost(void) {
    my.lost = my.number > 0;
}

void follower_end(struct store *living, const char *scratch) {
    if (!my.number) return;
    open_it(scratch);
    for (unsigned i = 0; i < 2; i++) follow(living, scratch, UINT64_MAX, PART_MAX);      /* again, when refused */
    if (place().seq != oracle_on_disk())
        sim_broken("F4: a follower ends at seq %llu of %llu", (unsigned long long)place().seq,
                   (unsigned long long)oracle_on_disk());
    close_it(false);
}

void follower_restore(const char *scratch, uint64_t map_bytes, uint64_t segment_bytes, const struct hash *digest) {
    char back[160];
    snprintf(back, sizeof back, "%s/unfollowed", scratch);
    struct restore_options o = {.from = my.dir, .to = back, .map_bytes = map_bytes, .segment_bytes = segment_bytes,
                                .slots_ahead = 64};
    struct restore_result now = {.seq = 0};
    if (!my.number) return;
    if (store_restore(&o, &now) < 0) sim_broken("F4: a followed journal cannot be restored: %s", now.problem);
    if (!now.followed || now.seq != oracle_on_disk() || !hash_equal(&now.digest, digest))
        sim_broken("F4: what was restored of a followed journal up to seq %llu of %llu is not the store",
                   (unsigned long long)now.seq, (unsigned long long)oracle_on_disk());
    sometimes("follow.restored");
}
