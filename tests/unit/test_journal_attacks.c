/* Whole segments and headers in the wrong place: what each of them says by itself is true, so only the rules between
 * them can tell. Nothing is cut for it: with the files back in their places every record is there again. */
#include "tests/unit/journal_scratch.h"
#include "daemon/store/journal_internal.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Two sealed segments and an active one, five records in each. The second and the third are of one length. */
static void create_three(void) {
    create_journal();
    for (unsigned i = 0; i < 3; i++) {
        fill_ahead();
        if (i > 0)
            assert_int_equal(journal_turn_over(j), 0);
        append(5, 500);
    }
    close_journal();
}

/* Whole journals by their names in the directory of the store. */
static void rename_journal(const char *from, const char *to) {
    char old[256], new[256];
    (void)snprintf(old, sizeof old, "%s/%s", dir, from);
    (void)snprintf(new, sizeof new, "%s/%s", dir, to);
    assert_int_equal(rename(old, new), 0);
}

static bool anything_torn(void) {
    char name[32];
    for (unsigned seq = 1; seq <= 16; seq++) {
        (void)snprintf(name, sizeof name, "torn-%u.bin", seq);
        if (file_is_there(name))
            return true;
    }
    return false;
}

/* By a start and by a full check, in the same words; and no byte is touched. */
static void assert_told(const char *file, const char *words) {
    static uint8_t before[3][4096], after[4096];
    static const char *const names[] = {"00000001.seg", "00000002.seg", "00000003.seg"};
    for (size_t i = 0; i < COUNT_OF(names); i++)
        get_bytes(names[i], 0, before[i], ONE + EXTENT);
    assert_refused(file, words);
    assert_int_equal(journal_open(&j, &options, true, &found), -EBADMSG);
    if (!strstr(found.problem, file) || !strstr(found.problem, words))
        fail_msg("expected \"%s\" and \"%s\" in \"%s\"", file, words, found.problem);
    assert_false(anything_torn());
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        get_bytes(names[i], 0, after, ONE + EXTENT);
        assert_memory_equal(after, before[i], ONE + EXTENT);
    }
}

static void assert_whole_again(void) {
    open_journal();
    assert_int_equal(found.durable_seq, 15);
    assert_int_equal(found.torn_bytes, 0);
    assert_holds(1, 15, 500);
    close_journal();
}

static void two_sealed_segments_swapped_are_told(void **state) {
    (void)state;
    create_three();
    rename_file("00000001.seg", "kept");
    rename_file("00000002.seg", "00000001.seg");
    rename_file("kept", "00000002.seg");
    assert_told("00000001.seg", "header is that of another segment");
    rename_file("00000001.seg", "kept");
    rename_file("00000002.seg", "00000001.seg");
    rename_file("kept", "00000002.seg");
    assert_whole_again();
}

static void a_segment_repeated_under_the_next_ordinal_is_told(void **state) {
    (void)state;
    create_three();
    copy_file("00000002.seg", "kept");
    copy_file("00000001.seg", "00000002.seg");
    assert_told("00000002.seg", "header is that of another segment");
    copy_file("kept", "00000002.seg");
    assert_whole_again();

    copy_file("00000003.seg", "kept");                                    /* the active one */
    copy_file("00000002.seg", "00000003.seg");
    assert_told("00000003.seg", "header is that of another segment");
    copy_file("kept", "00000003.seg");
    assert_whole_again();

    copy_file("00000004.seg", "kept");                                    /* one filled ahead, which nothing follows */
    copy_file("00000003.seg", "00000004.seg");
    assert_told("00000004.seg", "header is that of another segment");
    copy_file("kept", "00000004.seg");
    assert_whole_again();
}

/* The other store has the same key, as one whose identity was copied by hand may have: its id alone tells. */
static void a_segment_of_another_store_is_told(void **state) {
    (void)state;
    create_three();
    rename_file("00000002.seg", "kept");
    rename_journal("journal", "ours");
    options.store_id[15] = '2';
    create_three();
    options.store_id[15] = 's';
    rename_journal("journal", "theirs");
    rename_journal("ours", "journal");
    rename_file("../theirs/00000002.seg", "00000002.seg");
    assert_told("00000002.seg", "belongs to another store");
    rename_file("kept", "00000002.seg");
    assert_whole_again();
}

/* The same segment of the same store, as another history has it: a store and what became of its backup. A start looks
 * at the active segment and believes the rest; who reads on, and a full check, come to where they part. */
static void a_segment_of_another_history_is_told_when_it_is_read(void **state) {
    (void)state;
    struct journal_cursor *c = NULL;
    struct slice record = {0};
    uint64_t first = 0;
    uint32_t seqs = 0;
    int r;
    create_three();
    rename_journal("journal", "ours");
    create_journal();
    fill_ahead();
    append_other(100, 2);
    assert_int_equal(journal_turn_over(j), 0);
    append_other(200, 2);
    fill_ahead();
    assert_int_equal(journal_turn_over(j), 0);
    close_journal();
    rename_journal("journal", "theirs");
    rename_journal("ours", "journal");
    rename_file("00000002.seg", "kept");
    rename_file("../theirs/00000002.seg", "00000002.seg");
    assert_int_equal(journal_open(&j, &options, true, &found), -EBADMSG);
    assert_non_null(strstr(found.problem, "00000002.seg at byte 0 (seq 6)"));
    assert_non_null(strstr(found.problem, "does not continue the segment before"));
    open_journal();
    assert_int_equal(journal_cursor_open(&c, j, 1), 0);
    while ((r = journal_next(c, &first, &seqs, &record)) == 1)
        assert_true(first <= 5);
    assert_int_equal(r, -EBADMSG);
    assert_non_null(strstr(journal_cursor_problem(c), "00000002.seg"));
    journal_cursor_close(c);
    close_journal();
    assert_false(anything_torn());
    rename_file("kept", "00000002.seg");
    assert_whole_again();
}

static void a_segment_of_another_length_is_told(void **state) {
    (void)state;
    create_three();
    fill_bytes("00000001.seg", ONE + EXTENT, -1, 512);
    assert_told("00000001.seg", "longer than its successor says");
    cut_file("00000001.seg", ONE + EXTENT);
    assert_whole_again();

    copy_file("00000004.seg", "kept");
    cut_file("00000004.seg", 4096);
    assert_told("00000004.seg", "shorter than one filled ahead can be");
    copy_file("kept", "00000004.seg");
    assert_whole_again();
}

/* As if it had never been begun, while a later one was. */
static void a_begun_segment_that_a_blank_one_took_the_place_of_is_told(void **state) {
    (void)state;
    create_three();
    copy_file("00000002.seg", "kept");
    copy_file("00000004.seg", "00000002.seg");
    assert_told("00000002.seg", "blank though it was begun");
    copy_file("kept", "00000002.seg");
    assert_whole_again();
}

static void a_segment_cut_within_a_block_of_4_kib_is_told(void **state) {
    (void)state;
    options.block = 4096;
    create_journal();
    append(5, 500);
    close_journal();
    cut_file("00000001.seg", 1024);
    assert_refused("00000001.seg at byte 1024 (seq 1)", "cut short inside its header");
}

/* ---- headers ----------------------------------------------------------------------------------------------------- */

/* Written with the store's own key, so that nothing in it tells. */
static void put_header(const char *name, uint64_t ordinal, uint64_t first_seq, uint64_t epoch) {
    uint8_t bytes[SEGMENT_HEADER_SIZE];
    struct segment_header h;
    get_bytes(name, 0, bytes, sizeof bytes);
    assert_int_equal(segment_header_read(bytes, &options.key, options.store_id, &h), SEGMENT_GOOD);
    assert_int_equal(h.ordinal, ordinal);
    h.first_seq = first_seq;
    h.epoch = epoch;
    segment_header_write(bytes, &options.key, &h);
    put_bytes(name, 0, bytes, sizeof bytes);
}

/* Epochs only rise, and a header names that of the batch before it. */
static void a_header_of_another_epoch_is_told(void **state) {
    (void)state;
    create_three();
    put_header("00000003.seg", 3, 11, 7);                                      /* its batches are of epoch 1 */
    assert_refused("00000003.seg at byte 512 (seq 11)", "epochs run backwards here");
    assert_int_equal(journal_open(&j, &options, true, &found), -EBADMSG);
    assert_non_null(strstr(found.problem, "00000003.seg at byte 0 (seq 11)"));
    put_header("00000003.seg", 3, 11, 1);
    assert_whole_again();

    put_header("00000002.seg", 2, 6, 0);                                      /* sealed: a full check's work */
    assert_int_equal(journal_open(&j, &options, true, &found), -EBADMSG);
    assert_non_null(strstr(found.problem, "00000002.seg at byte 0 (seq 6)"));
    assert_non_null(strstr(found.problem, "does not continue the segment before"));
    put_header("00000002.seg", 2, 6, 1);
    assert_whole_again();
}

static void a_header_of_another_seq_is_told(void **state) {
    (void)state;
    create_three();
    put_header("00000003.seg", 3, 5, 1);
    assert_told("00000003.seg at byte 0 (seq 5)", "seqs run backwards here");
    put_header("00000003.seg", 3, 10, 1);
    assert_refused("00000003.seg at byte 512 (seq 10)", "seqs do not follow here");
    put_header("00000003.seg", 3, 11, 1);
    assert_whole_again();
}

/* Somebody without the key: the sum he can mend, the MAC he cannot. */
static void a_header_of_another_epoch_without_the_key_is_told(void **state) {
    (void)state;
    enum { AT_EPOCH = 48, AT_CRC = 128 };
    uint8_t bytes[SEGMENT_HEADER_SIZE], good[SEGMENT_HEADER_SIZE];
    create_three();
    get_bytes("00000003.seg", 0, good, sizeof good);
    memcpy(bytes, good, sizeof bytes);
    put_le64(bytes + AT_EPOCH, 0);
    put_bytes("00000003.seg", 0, bytes, sizeof bytes);
    assert_told("00000003.seg", "header is damaged");
    put_le32(bytes + AT_CRC, crc32c(0, slice_from(bytes, AT_CRC)));
    put_bytes("00000003.seg", 0, bytes, sizeof bytes);
    assert_told("00000003.seg", "does not verify under this store's key");
    put_bytes("00000003.seg", 0, good, sizeof good);
    assert_whole_again();
}

/* ---- the last batch ---------------------------------------------------------------------------------------------- */

/* Wherever in it, header, records or the zeroes up to the block's end: it was acknowledged, and a witness says so. */
static void no_flip_in_a_witnessed_batch_passes_for_a_tear(void **state) {
    (void)state;
    create_three();
    open_journal();
    assert_int_equal(journal_witness(j, 5, 1), 0);
    close_journal();
    for (uint64_t at = ONE; at < ONE + EXTENT; at += at < ONE + BATCH_HEADER_SIZE ? 1 : 13) {
        flip_byte("00000003.seg", at);
        assert_told("00000003.seg at byte 512 (seq 11)", "a later one stands at byte 3584");
        flip_byte("00000003.seg", at);
    }
    assert_whole_again();
}

/* The witness itself may be torn: what it covers stays. */
static void a_flip_in_the_witness_costs_the_witness_alone(void **state) {
    (void)state;
    create_three();
    for (uint64_t at = 0; at < BATCH_HEADER_SIZE; at += 7) {
        open_journal();
        assert_int_equal(journal_witness(j, 5, 1), 0);
        close_journal();
        flip_byte("00000003.seg", ONE + EXTENT + at);
        open_journal();
        assert_int_equal(found.durable_seq, 15);
        assert_in_range(found.torn_bytes, 1, 512);
        assert_true(file_is_there(found.torn_file));
        assert_holds(1, 15, 500);
        close_journal();
    }
}

#define STORY(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    static const struct CMUnitTest stories[] = {
        STORY(two_sealed_segments_swapped_are_told),
        STORY(a_segment_repeated_under_the_next_ordinal_is_told),
        STORY(a_segment_of_another_store_is_told),
        STORY(a_segment_of_another_history_is_told_when_it_is_read),
        STORY(a_segment_of_another_length_is_told),
        STORY(a_begun_segment_that_a_blank_one_took_the_place_of_is_told),
        STORY(a_segment_cut_within_a_block_of_4_kib_is_told),
        STORY(a_header_of_another_epoch_is_told),
        STORY(a_header_of_another_seq_is_told),
        STORY(a_header_of_another_epoch_without_the_key_is_told),
        STORY(no_flip_in_a_witnessed_batch_passes_for_a_tear),
        STORY(a_flip_in_the_witness_costs_the_witness_alone),
    };
    crypto_init();
    return cmocka_run_group_tests(stories, NULL, NULL);
}
