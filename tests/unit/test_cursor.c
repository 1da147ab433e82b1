/* Reading what a start did not look at: the segments before the active one. What the store's own key vouches for may
 * still be wrong, after a bug of ours or a change while we run; a reader compares all of it, and what was wrong once
 * stays wrong. */
#include "daemon/store/journal_internal.h"
#include "tests/unit/journal_scratch.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* From seq 1 on, until something is wrong: which record was the last, and what is said. */
static void reading_stops_behind(uint64_t last, const char *words) {
    struct journal_cursor *c = NULL;
    struct slice record;
    uint64_t first = 0, seen = 0;
    uint32_t seqs = 0;
    int r;
    assert_int_equal(journal_cursor_open(&c, j, 1), 0);
    while ((r = journal_next(c, &first, &seqs, &record)) == 1)
        seen = first + seqs - 1;
    assert_int_equal(r, -EBADMSG);
    assert_int_equal(journal_next(c, &first, &seqs, &record), -EBADMSG);    /* it does not go on behind it */
    if (seen != last || !strstr(journal_cursor_problem(c), words))
        fail_msg("behind %u: %s", (unsigned)seen, journal_cursor_problem(c));
    journal_cursor_close(c);
}

/* ---- batches that do not add up ---------------------------------------------------------------------------------- */

/* The only batch of the journal: five records of one seq each, and a header that says what it likes. */
static void forge(uint32_t records, uint64_t seqs) {
    uint8_t batch[ONE + EXTENT] = {0}, header[SEGMENT_HEADER_SIZE];
    struct segment_header s;
    create_journal();
    append(5, 100);
    close_journal();
    get_bytes("00000001.seg", 0, header, sizeof header);
    assert_int_equal(segment_header_read(header, &options.key, options.store_id, &s), SEGMENT_GOOD);
    struct batch_header h = {
        .records = records, .ordinal = 1, .offset = ONE, .first_seq = 1, .seqs = seqs, .bytes = 5 * (12 + 100),
        .epoch = 1, .at_ms = 1000, .previous = s.previous,
    };
    for (unsigned i = 0; i < 5; i++)
        record_write(batch + BATCH_HEADER_SIZE + i * (12 + 100), record_of(i + 1, 100), 1);
    batch_header_write(batch, &options.key, &h);
    put_bytes("00000001.seg", ONE, batch, 1024);
    open_journal();
}

static void a_batch_of_fewer_or_more_seqs_than_its_records_is_told(void **state) {
    (void)state;
    forge(5, 7);
    assert_int_equal(found.durable_seq, 7);
    reading_stops_behind(4, "does not add up");
    close_journal();
    remove_journal();
    forge(5, 3);
    reading_stops_behind(3, "a record of the batch that ends here is damaged");
    close_journal();
    remove_journal();
    forge(4, 4);
    reading_stops_behind(3, "does not add up");
    close_journal();
    remove_journal();
    forge(5, 5);
    assert_holds(1, 5, 100);
}

/* ---- segments of another length or place ------------------------------------------------------------------------- */

static void edit_header(const char *name, void (*edit)(struct segment_header *h)) {
    uint8_t bytes[SEGMENT_HEADER_SIZE];
    struct segment_header h;
    get_bytes(name, 0, bytes, sizeof bytes);
    assert_int_equal(segment_header_read(bytes, &options.key, options.store_id, &h), SEGMENT_GOOD);
    edit(&h);
    segment_header_write(bytes, &options.key, &h);
    put_bytes(name, 0, bytes, sizeof bytes);
}

static uint64_t length;

static void of_that_length(struct segment_header *h) {
    h->previous_bytes = length;
}

/* Cut, and the next header says that it was never longer: a start compares those two, and reads no further. */
static void a_segment_that_ends_inside_a_batch_is_told_by_whoever_reads_there(void **state) {
    static const uint64_t lengths[] = {ONE + EXTENT + 100, ONE + EXTENT + 512};
    (void)state;
    create_journal();
    append_two_segments();
    close_journal();
    copy_file("00000001.seg", "kept");
    for (size_t i = 0; i < COUNT_OF(lengths); i++) {
        copy_file("kept", "00000001.seg");
        cut_file("00000001.seg", length = lengths[i]);
        edit_header("00000002.seg", of_that_length);
        open_journal();
        reading_stops_behind(0, "the segment ends inside a batch");    /* its index comes first */
        close_journal();
    }
}

static void that_begins_later(struct segment_header *h) {
    h->first_seq++;
}

/* Exchanged while the journal is open, by a file that is as good as the one that was there. */
static void a_segment_that_becomes_another_one_while_we_run_is_told(void **state) {
    struct slice record;
    uint64_t first = 0;
    (void)state;
    create_journal();
    append_two_segments();
    copy_file("00000001.seg", "kept");
    copy_file("00000002.seg", "00000001.seg");
    reading_stops_behind(0, "the segment's header is damaged");
    copy_file("kept", "00000001.seg");
    edit_header("00000001.seg", that_begins_later);
    reading_stops_behind(0, "the segment's header is damaged");
    assert_int_equal(journal_read(j, 1, &first, &record), -EBADMSG);
    assert_int_equal(journal_read(j, 2, &first, &record), -EBADMSG);
    copy_file("kept", "00000001.seg");
    assert_int_equal(journal_read(j, 2, &first, &record), 0);               /* put back, it is read again */
    assert_int_equal(first, 2);
    assert_holds(1, 15, 500);
}

/* ---- bytes, for a follower --------------------------------------------------------------------------------------- */

static void parts_are_given_of_what_is_there_and_durable(void **state) {
    static uint8_t part[MIB];
    struct journal_part p = {.length = 0};
    (void)state;
    create_journal();
    append_two_segments();
    assert_int_equal(journal_part(j, 0, 0, part, sizeof part, &p), 0);
    assert_true(p.ordinal == 1 && p.last_ordinal == 2 && p.sealed && p.bytes == p.length);
    assert_int_equal(p.length, ONE + 2 * EXTENT);
    assert_int_equal(journal_part(j, 2, ONE, part, 100, &p), 0);
    assert_true(p.ordinal == 2 && !p.sealed && p.bytes == 100 && p.length == ONE + EXTENT);
    assert_int_equal(journal_part(j, 2, p.length, part, sizeof part, &p), 0);
    assert_int_equal(p.bytes, 0);
    assert_int_equal(journal_part(j, 3, 0, part, sizeof part, &p), 0);      /* not begun: nothing yet */
    assert_true(p.bytes == 0 && p.length == 0 && !p.sealed);
    copy_file("00000001.seg", "kept");
    assert_int_equal(unlink(path_of("00000001.seg")), 0);
    assert_int_equal(journal_part(j, 1, 0, part, sizeof part, &p), -ENOENT);
    copy_file("kept", "00000001.seg");
    cut_file("00000001.seg", 1000);
    assert_int_equal(journal_part(j, 1, 0, part, sizeof part, &p), -EIO);
    assert_true(p.ordinal == 3);                                            /* untouched by a failure */
}

#define JOURNAL(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void) {
    crypto_init();
    const struct CMUnitTest tests[] = {
        JOURNAL(a_batch_of_fewer_or_more_seqs_than_its_records_is_told),
        JOURNAL(a_segment_that_ends_inside_a_batch_is_told_by_whoever_reads_there),
        JOURNAL(a_segment_that_becomes_another_one_while_we_run_is_told),
        JOURNAL(parts_are_given_of_what_is_there_and_durable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
