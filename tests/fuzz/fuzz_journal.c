/* A journal with damaged files: it is refused by place, or what is read is what was written, up to where it ends. One
 * that a checkpoint covers never ends before it. After a torn tail was cut it can be written, and read again. */
#include "tests/fuzz/fuzz.h"
#include "daemon/store/journal.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

enum { SEGMENT_BYTES = 1 << 20, RECORD_MOST = 3000, EDITS_MAX = 4 };

static struct kept good;
static struct journal_options options;
static struct journal_found found;
static uint64_t last_seq;

/* A record can be told from its seq alone. */
static struct slice record_of(uint64_t seq) {
    static uint8_t bytes[RECORD_MOST];
    size_t len = 1 + (seq * 7919) % (seq % 5 == 0 ? RECORD_MOST : 200);
    for (size_t i = 0; i < len; i++) bytes[i] = (uint8_t)(seq * 31 + i * 7);
    return slice_from(bytes, len);
}

static void append(struct journal *j, unsigned records) {
    journal_begin(j, 1000, 1);
    for (unsigned i = 0; i < records; i++) CHECK(journal_add(j, record_of(journal_next_seq(j) + i), 1) == 0);
    CHECK(journal_append(j) == 0);
}

static void fill_ahead(struct journal *j) {
    int r;
    while ((r = journal_prepare(j, SEGMENT_BYTES)) == 1) continue;
    CHECK(r == 0);
}

/* Two segments begun, the last batch not witnessed. */
static void set_up(void) {
    static char dir[PATH_MAX_BYTES];
    struct journal *j;
    crypto_init();
    options = (struct journal_options){
        .dir = scratch_path("store", dir), .store_id = "a store of fuzz", .segment_bytes = SEGMENT_BYTES,
        .segments_ahead = 2, .block = 512,
    };
    memset(options.key.byte, 7, KEY_SIZE);
    CHECK(mkdir(dir, 0700) == 0 && journal_create(&options) == 0);
    CHECK(journal_open(&j, &options, false, &found) == 0);
    fill_ahead(j);
    for (unsigned i = 1; i < 5; i++) append(j, i * 3);
    CHECK(journal_witness(j, 1000, 1) == 0 && journal_turn_over(j) == 0);
    fill_ahead(j);
    for (unsigned i = 1; i < 5; i++) append(j, i * 2);
    last_seq = journal_durable_seq(j);
    journal_close(j);
    keep(&good, dir);
}

/* 0: all that is said to be there was read; else what it was refused for. */
static int read_all(struct journal *j, uint64_t until) {
    struct journal_cursor *c = NULL;
    struct slice record = {NULL, 0};
    uint64_t seq = 0, expected = 1;
    uint32_t seqs = 0;
    int r = journal_cursor_open(&c, j, 1);
    while (r == 0 && (r = journal_next(c, &seq, &seqs, &record)) == 1) {
        CHECK(seq == expected && seqs == 1 && slice_equal(record, record_of(seq)));
        expected++;
        r = 0;
    }
    CHECK(r < 0 || expected == until + 1);
    if (c) journal_cursor_close(c);
    return r;
}

static void go_on(void) {
    struct journal *j;
    if (journal_open(&j, &options, true, &found) != 0) return;       /* a part that was not looked at before */
    uint64_t last = found.durable_seq;
    fill_ahead(j);
    if (journal_room(j) < 4 * RECORD_MOST) CHECK(journal_turn_over(j) == 0);
    append(j, 3);
    CHECK(read_all(j, last + 3) == 0);
    journal_close(j);
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len) {
    struct tape t = tape_of(at, len);
    struct journal *j;
    if (!good.count) set_up();
    put_back(&good);
    uint8_t how = tape_byte(&t);
    for (unsigned i = 0; i < EDITS_MAX && !tape_over(&t); i++) (void)spoil(&good, &t);
    options.read_only = how & 1;
    options.covered_seq = how & 2 ? last_seq : 0;
    int r = journal_open(&j, &options, how & 4, &found);
    options.read_only = false;
    if (r < 0) {
        CHECK(r != -EBADMSG || found.problem[0]);
        return 0;
    }
    CHECK(found.durable_seq <= last_seq && found.durable_seq >= options.covered_seq);
    r = read_all(j, found.durable_seq);
    CHECK(r == 0 || !(how & 4));                         /* every byte was verified */
    journal_close(j);
    if (r == 0 && !(how & 1)) go_on();
    return 0;
}
