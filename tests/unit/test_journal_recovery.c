/* Opening a journal after the worst: what was torn is cut and kept, what was damaged is refused by place. */
#include "tests/unit/journal_scratch.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- tears ------------------------------------------------------------------------------------------------------- */

/* Two acknowledged batches and a third that is torn: its first `keep` bytes landed (or all but those). */
static void tear_and_reopen(size_t keep, bool tail_landed, int byte) {
    copy_file("image", "00000001.seg");
    uint64_t third = ONE + 2 * EXTENT;
    if (tail_landed)
        fill_bytes("00000001.seg", third, byte, keep);
    else
        fill_bytes("00000001.seg", third + keep, byte, EXTENT - keep);
    open_journal();
    bool whole = found.torn_bytes == 0 && found.durable_seq == 15;
    if (!whole) {
        assert_int_equal(found.durable_seq, 10);
        assert_true(found.torn_bytes == 0 || file_is_there(found.torn_file));
    }
    assert_holds(1, found.durable_seq, 500);
    append(5, 500);
    assert_holds(1, found.durable_seq + 5, 500);
    close_journal();
    open_journal();
    assert_int_equal(found.torn_bytes, 0);
    assert_holds(1, found.durable_seq, 500);
    close_journal();
    if (!whole)
        assert_int_equal(found.durable_seq, 15);
    (void)unlink(path_of("torn-11.bin"));
}

static void a_torn_last_batch_is_cut_and_saved_and_what_was_acknowledged_survives(void **state) {
    (void)state;
    static const size_t odd[] = {1, 7, 100, 167, 168, 169, 511, 513, 1000, 2049, BATCH - 1};
    create_journal();
    for (unsigned i = 0; i < 3; i++)
        append(5, 500);
    close_journal();
    copy_file("00000001.seg", "image");
    for (int variant = 0; variant < 4; variant++) {
        for (size_t at = 0; at < EXTENT; at += 512)
            tear_and_reopen(at, variant & 1, variant & 2 ? -1 : 0);
        for (size_t i = 0; i < COUNT_OF(odd); i++)
            tear_and_reopen(odd[i], variant & 1, variant & 2 ? -1 : 0);
    }
}

/* An unsynced batch of six sectors: whatever set of them the disk has, two batches survive, the third only whole. */
static void sectors_of_an_unsynced_batch_may_land_in_any_order(void **state) {
    (void)state;
    static uint8_t third[EXTENT];
    create_journal();
    for (unsigned i = 0; i < 3; i++)
        append(5, 500);
    close_journal();
    get_bytes("00000001.seg", ONE + 2 * EXTENT, third, sizeof third);
    for (unsigned landed = 0; landed < 64; landed++) {
        fill_bytes("00000001.seg", ONE + 2 * EXTENT, 0, EXTENT);
        for (unsigned sector = 0; sector < 6; sector++)
            if (landed & 1u << sector)
                put_bytes("00000001.seg", ONE + 2 * EXTENT + sector * 512, third + sector * 512, 512);
        open_journal();
        assert_int_equal(found.durable_seq, landed == 63 ? 15 : 10);
        assert_int_equal(found.torn_bytes > 0, landed > 0 && landed < 63);
        assert_holds(1, found.durable_seq, 500);
        close_journal();
    }
}

static void a_torn_tail_is_saved_byte_for_byte_and_under_a_new_name_each_time(void **state) {
    (void)state;
    create_journal();
    append(5, 500);
    close_journal();
    for (unsigned i = 0; i < 3; i++) {
        uint8_t wrote[700], saved[700];
        for (size_t at = 0; at < sizeof wrote; at++)
            wrote[at] = (uint8_t)(at * 3 + i + 1) | 1;
        put_bytes("00000001.seg", ONE + EXTENT, wrote, sizeof wrote);
        open_journal();
        assert_int_equal(found.torn_bytes, sizeof wrote);
        assert_string_equal(found.torn_file, i == 0 ? "torn-6.bin" : i == 1 ? "torn-6-2.bin" : "torn-6-3.bin");
        get_bytes(found.torn_file, 0, saved, sizeof saved);
        assert_memory_equal(saved, wrote, sizeof saved);
        get_bytes("00000001.seg", ONE + EXTENT, saved, sizeof saved);
        for (size_t at = 0; at < sizeof saved; at++)
            assert_int_equal(saved[at], 0);
        close_journal();
    }
}

/* Two batches, and the second does not verify. */
static void torn_journal(void) {
    create_journal();
    append(5, 500);
    append(5, 500);
    close_journal();
    flip_byte("00000001.seg", ONE + EXTENT + 300);
}

/* Somebody starts it again and again, and each time the power goes before the torn tail is zeroed. */
static void a_tail_that_cannot_be_saved_under_any_name_is_not_cut(void **state) {
    (void)state;
    torn_journal();
    for (unsigned n = 1; n < 1000; n++) {
        char name[32];
        (void)snprintf(name, sizeof name, n == 1 ? "torn-6.bin" : "torn-6-%u.bin", n);
        put_bytes(name, 0, "x", 1);
    }
    assert_int_equal(journal_open(&j, &options, false, &found), -EEXIST);
    assert_int_equal(remove(path_of("torn-6-77.bin")), 0);
    open_journal();
    assert_int_equal(found.durable_seq, 5);
    assert_string_equal(found.torn_file, "torn-6-77.bin");
}

/* Garbage up to the last byte of a file that ends inside a block. */
static void a_tail_that_ends_inside_a_block_is_looked_through_to_its_end(void **state) {
    (void)state;
    torn_journal();
    cut_file("00000001.seg", ONE + 2 * EXTENT + 100);
    fill_bytes("00000001.seg", ONE + 2 * EXTENT, 7, 100);
    assert_refused("00000001.seg at byte 3584 (seq 6)", "no single write reaches");
    cut_file("00000001.seg", ONE + 2 * EXTENT - 100);
    assert_refused("00000001.seg at byte 3584 (seq 6)", "the file ends inside this batch");
}

static void only_the_next_in_turn_may_have_a_torn_header(void **state) {
    (void)state;
    create_journal();
    fill_ahead();
    append(5, 500);
    close_journal();
    put_bytes("00000002.seg", 20, "torn", 4);
    open_journal();
    assert_int_equal(journal_segments_ready(j), 2);
    close_journal();
    put_bytes("00000003.seg", 20, "torn", 4);
    assert_refused("00000003.seg", "no journal segment");
}

static void a_header_forged_inside_a_torn_record_is_not_believed(void **state) {
    (void)state;
    create_journal();
    append(5, 500);
    uint8_t record[2000] = {0}, header[168];
    get_bytes("00000001.seg", ONE, header, sizeof header);
    memcpy(record + 512 - 180, header, sizeof header);                    /* a true header, of another place */
    memcpy(record + 1024 - 180, header, sizeof header); /* one for this place, with a MAC of his own */
    put_le64(record + 1024 - 180 + 24, ONE + EXTENT + 1024);
    put_le64(record + 1024 - 180 + 32, 7);
    journal_begin(j, 0, 1);
    assert_int_equal(journal_add(j, slice_from(record, sizeof record), 1), 0);
    assert_int_equal(journal_append(j), 0);
    close_journal();
    uint8_t there[8];
    get_bytes("00000001.seg", ONE + EXTENT + 1024, there, sizeof there);
    assert_memory_equal(there, "WHBATCH", 8);                             /* it stands where a batch could */
    fill_bytes("00000001.seg", ONE + EXTENT, 0, 512); /* the sector of the true header never landed */
    open_journal();
    assert_int_equal(found.durable_seq, 5);
    assert_true(found.torn_bytes > 1024);
    assert_holds(1, 5, 500);
}

static void a_true_header_of_another_segment_is_not_believed_either(void **state) {
    (void)state;
    uint8_t record[2000] = {0};
    create_journal();
    fill_ahead();
    append(5, 500);
    append(1, 10);
    append(1, 10);
    append(1, 10);
    get_bytes("00000001.seg", ONE + EXTENT + 1024, record + 1024 - 180, 168);
    assert_int_equal(journal_turn_over(j), 0);
    append(5, 500);
    journal_begin(j, 0, 1);
    assert_int_equal(journal_add(j, slice_from(record, sizeof record), 1), 0);
    assert_int_equal(journal_append(j), 0);
    close_journal();
    get_bytes("00000002.seg", ONE + EXTENT + 1024, record, 8);
    assert_memory_equal(record, "WHBATCH", 8);
    fill_bytes("00000002.seg", ONE + EXTENT, 0, 512);
    open_journal();
    assert_int_equal(found.durable_seq, 13);
}

/* ---- damage ------------------------------------------------------------------------------------------------------ */

/* With one byte flipped the journal may be refused, when it is opened or when the cursor gets there; or the last batch
 * is cut, which no witness follows. What is served is what was written, and a full check always sees it. */
static void assert_flip_is_seen(const char *name, uint64_t offset, uint64_t least, size_t len) {
    flip_byte(name, offset);
    int r = journal_open(&j, &options, false, &found);
    assert_true(r == 0 || (r == -EBADMSG && strstr(found.problem, name)));
    if (r == 0) {
        struct journal_cursor *c = NULL;
        struct slice record = {0};
        uint64_t first = 0, seq = 0;
        uint32_t seqs = 0;
        assert_int_equal(journal_cursor_open(&c, j, 1), 0);
        while ((r = journal_next(c, &first, &seqs, &record)) == 1) {
            assert_int_equal(first, ++seq);
            assert_true(slice_equal(record, record_of(seq, len)));
        }
        assert_true(r == 0 ? found.torn_bytes > 0 && seq >= least : strstr(journal_cursor_problem(c), name) != NULL);
        journal_cursor_close(c);
        close_journal();
    }
    r = journal_open(&j, &options, true, &found);
    assert_true(r == -EBADMSG || (r == 0 && found.torn_bytes > 0));
    if (r == 0)
        close_journal();
    flip_byte(name, offset);
}

static void every_flipped_byte_is_refused_or_cut_with_the_last_batch(void **state) {
    (void)state;
    create_journal();
    fill_ahead();
    append(3, 60);
    append(3, 60);
    assert_int_equal(journal_turn_over(j), 0);
    append(2, 60);
    append(2, 60);
    close_journal();
    (void)unlink(path_of("00000003.seg"));
    options.read_only = true;
    for (uint64_t at = 0; at < 3 * 512; at++)
        assert_flip_is_seen("00000001.seg", at, UINT64_MAX, 60);
    for (uint64_t at = 0; at < 2 * 512; at++)
        assert_flip_is_seen("00000002.seg", at, UINT64_MAX, 60);
    for (uint64_t at = 2 * 512; at < 3 * 512; at++)
        assert_flip_is_seen("00000002.seg", at, 8, 60);
    for (uint64_t at = 3 * 512; at < MIB; at += 65537)
        assert_flip_is_seen("00000002.seg", at, 10, 60);
}

static void damage_before_the_last_batch_is_refused_by_place(void **state) {
    (void)state;
    create_journal();
    append(5, 500);
    append(5, 500);
    append(5, 500);
    close_journal();
    flip_byte("00000001.seg", ONE + EXTENT + 1000);
    assert_refused("00000001.seg at byte 3584 (seq 6)", "a later one stands at byte 6656");
    assert_non_null(strstr(found.problem, "backup"));
    flip_byte("00000001.seg", ONE + EXTENT + 1000);
    fill_bytes("00000001.seg", ONE + EXTENT, 0, 512);                     /* a lost header is no tear either */
    assert_refused("00000001.seg at byte 3584 (seq 6)", "a later one stands at byte 6656");
}

static void damage_to_a_witnessed_batch_is_refused(void **state) {
    (void)state;
    create_journal();
    append(5, 500);
    assert_false(journal_witnessed(j));
    assert_int_equal(journal_witness(j, 5, 1), 0);
    assert_int_equal(journal_witness(j, 6, 1), 0);
    assert_true(journal_witnessed(j));
    close_journal();
    flip_byte("00000001.seg", ONE + 2000);
    assert_refused("00000001.seg at byte 512 (seq 1)", "a later one stands at byte 3584");
    flip_byte("00000001.seg", ONE + 2000);
    open_journal();
    assert_true(journal_witnessed(j));
    uint8_t byte = 1;
    get_bytes("00000001.seg", ONE + EXTENT + 512, &byte, 1);
    assert_int_equal(byte, 0);                                            /* the second witness was not needed */
    assert_holds(1, 5, 500);
}

static void damage_to_a_batch_below_the_checkpoint_is_refused(void **state) {
    (void)state;
    create_journal();
    append(5, 500);
    append(5, 500);
    close_journal();
    flip_byte("00000001.seg", ONE + EXTENT + 2000);
    options.covered_seq = 6;
    assert_refused("00000001.seg at byte 3584 (seq 6)", "checkpoint stands at seq 6");
    options.covered_seq = 5;
    open_journal();
    assert_int_equal(found.durable_seq, 5);
}

static void a_checkpoint_ahead_of_the_journal_is_refused(void **state) {
    (void)state;
    create_journal();
    append(5, 500);
    close_journal();
    options.covered_seq = 5;
    open_journal();
    close_journal();
    options.covered_seq = 6;
    assert_refused("00000001.seg at byte 3584 (seq 6)", "recover --discard-state");
}

static void stale_bytes_that_no_write_explains_are_refused(void **state) {
    (void)state;
    create_journal();
    append(5, 500);
    append(5, 500);
    close_journal();
    flip_byte("00000001.seg", ONE + EXTENT + 2000);                       /* torn, and its header tells its length */
    flip_byte("00000001.seg", ONE + 2 * EXTENT + 5);
    assert_refused("00000001.seg at byte 3584 (seq 6)", "no single write reaches to byte 6661");
}

/* Two journals with one id and one key: a store and what became of its backup. Each batch verifies in either. */
static void a_true_batch_of_another_history_breaks_the_chain(void **state) {
    (void)state;
    static uint8_t second[EXTENT];
    struct slice record = {0};
    uint64_t first = 0;
    create_journal();
    append(5, 500);
    append(5, 500);
    close_journal();
    get_bytes("00000001.seg", ONE + EXTENT, second, sizeof second);
    remove_journal();
    create_journal();
    fill_ahead();
    append_other(100, 1);
    append(5, 500);
    put_bytes("00000001.seg", ONE + EXTENT, second, sizeof second);
    struct journal_cursor *c = NULL;
    uint32_t seqs = 0;
    assert_int_equal(journal_cursor_open(&c, j, 5), 0);
    assert_int_equal(journal_next(c, &first, &seqs, &record), 1);
    assert_int_equal(journal_next(c, &first, &seqs, &record), -EBADMSG);
    assert_non_null(strstr(journal_cursor_problem(c), "chain of hashes is broken"));
    journal_cursor_close(c);
    close_journal();
    assert_refused("00000001.seg at byte 3584 (seq 6)", "chain of hashes is broken");
}

static void a_broken_file_is_refused_in_words_of_its_own(void **state) {
    (void)state;
    static const uint8_t newer[] = {9, 0, 0, 0};
    create_journal();
    fill_ahead();
    append(5, 500);
    assert_int_equal(journal_turn_over(j), 0);
    append(5, 500);
    close_journal();
    struct journal_options good = options;

    options.store_id[3] ^= 1;
    assert_refused("00000001.seg", "belongs to another store");
    options = good;
    options.key.byte[3] ^= 1;
    assert_refused("00000001.seg", "does not verify under this store's key");
    options = good;

    rename_file("00000001.seg", "kept");
    assert_refused("00000001.seg", "is missing");
    rename_file("kept", "00000001.seg");

    copy_file("00000001.seg", "kept");
    copy_file("00000002.seg", "00000001.seg");
    assert_refused("00000001.seg", "header is that of another segment");
    copy_file("kept", "00000001.seg");
    cut_file("00000001.seg", ONE + 512);
    assert_refused("00000001.seg", "sealed segment is truncated");
    cut_file("00000001.seg", 100);
    assert_refused("00000001.seg", "cut short inside its header");
    copy_file("kept", "00000001.seg");

    put_bytes("00000001.seg", 8, newer, sizeof newer);
    assert_refused("00000001.seg", "newer format");
    copy_file("kept", "00000001.seg");
    flip_byte("00000002.seg", 3);
    assert_refused("00000002.seg", "no journal segment");
    flip_byte("00000002.seg", 3);
    flip_byte("00000002.seg", 50);
    assert_refused("00000002.seg", "header is damaged");
    flip_byte("00000002.seg", 50);
    fill_bytes("00000001.seg", 0, 0, 512);
    assert_refused("00000001.seg", "blank though it was begun");
    copy_file("kept", "00000001.seg");
    flip_byte("00000003.seg", 5000);
    assert_refused("00000003.seg", "blank though it was begun");
    flip_byte("00000003.seg", 5000);

    cut_file("00000002.seg", ONE + 1024);
    assert_refused("00000002.seg at byte 512 (seq 6)", "the file ends inside this batch");
}

static void a_sealed_segments_damage_is_found_by_a_cursor_and_by_a_full_check(void **state) {
    (void)state;
    struct slice record = {0};
    uint64_t first = 0;
    create_journal();
    append_two_segments();
    close_journal();
    flip_byte("00000001.seg", ONE + EXTENT + 200);
    open_journal();                                                       /* it does not look into sealed segments */
    assert_int_equal(journal_read(j, 5, &first, &record), 0);
    assert_int_equal(journal_read(j, 6, &first, &record), -EBADMSG);
    assert_int_equal(journal_read(j, 11, &first, &record), 0);
    close_journal();
    assert_int_equal(journal_open(&j, &options, true, &found), -EBADMSG);
    assert_non_null(strstr(found.problem, "00000001.seg at byte 3584 (seq 6)"));
}

/* ---- blocks ------------------------------------------------------------------------------------------------------ */

static void blocks_of_4_kib_keep_all_the_promises(void **state) {
    (void)state;
    options.block = 4096;
    create_journal();
    fill_ahead();
    append(1, 300);
    append(1, 300);
    assert_int_equal(journal_witness(j, 0, 1), 0);
    assert_int_equal(journal_turn_over(j), 0);
    append(1, 300);
    append(1, 300);
    close_journal();
    struct stat st;
    assert_int_equal(stat(path_of("00000001.seg"), &st), 0);
    assert_int_equal(st.st_size, 4 * 4096);
    flip_byte("00000002.seg", 2 * 4096 + 400);
    open_journal();
    assert_int_equal(found.durable_seq, 3);
    assert_int_equal(found.torn_bytes, 168 + 312);
    assert_holds(1, 3, 300);
    options.block = 512;                          /* moved to another disk: from the next segment on */
    close_journal();
    open_journal();
    append(1, 300);
    fill_ahead();
    assert_int_equal(journal_turn_over(j), 0);
    append(1, 300);
    close_journal();
    assert_int_equal(journal_open(&j, &options, true, &found), 0);
    assert_holds(1, 5, 300);
}

#define STORY(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    static const struct CMUnitTest stories[] = {
        STORY(a_torn_last_batch_is_cut_and_saved_and_what_was_acknowledged_survives),
        STORY(sectors_of_an_unsynced_batch_may_land_in_any_order),
        STORY(a_torn_tail_is_saved_byte_for_byte_and_under_a_new_name_each_time),
        STORY(a_tail_that_cannot_be_saved_under_any_name_is_not_cut),
        STORY(a_tail_that_ends_inside_a_block_is_looked_through_to_its_end),
        STORY(only_the_next_in_turn_may_have_a_torn_header),
        STORY(a_header_forged_inside_a_torn_record_is_not_believed),
        STORY(a_true_header_of_another_segment_is_not_believed_either),
        STORY(every_flipped_byte_is_refused_or_cut_with_the_last_batch),
        STORY(damage_before_the_last_batch_is_refused_by_place),
        STORY(damage_to_a_witnessed_batch_is_refused),
        STORY(damage_to_a_batch_below_the_checkpoint_is_refused),
        STORY(a_checkpoint_ahead_of_the_journal_is_refused),
        STORY(stale_bytes_that_no_write_explains_are_refused),
        STORY(a_true_batch_of_another_history_breaks_the_chain),
        STORY(a_broken_file_is_refused_in_words_of_its_own),
        STORY(a_sealed_segments_damage_is_found_by_a_cursor_and_by_a_full_check),
        STORY(blocks_of_4_kib_keep_all_the_promises),
    };
    crypto_init();
    return cmocka_run_group_tests(stories, NULL, NULL);
}
