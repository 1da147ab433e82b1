/* The journal: what was acknowledged comes back, over many segments, through every cursor and after every crash. */
#include "tests/unit/journal_scratch.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- appending and reading --------------------------------------------------------------------------------------- */

static void what_is_appended_is_read_back_over_many_segments(void **state) {
    (void)state;
    create_journal();
    for (unsigned batch = 0; batch < 600; batch++) {
        fill_ahead();
        if (journal_room(j) < 10 * 1012)
            assert_int_equal(journal_turn_over(j), 0);
        append(10, 1000);
    }
    assert_true(file_is_there("00000006.seg"));
    assert_holds(1, 6000, 1000);
    struct hash chain = journal_chain(j);
    close_journal();
    for (int full = 0; full < 2; full++) {
        assert_int_equal(journal_open(&j, &options, full, &found), 0);
        assert_int_equal(found.durable_seq, 6000);
        assert_int_equal(found.first_seq, 1);
        assert_int_equal(found.epoch, 1);
        assert_true(hash_equal(&chain, &found.chain));
        assert_holds(1, 6000, 1000);
        close_journal();
    }
}

static void any_record_is_found_by_a_seq_it_covers(void **state) {
    (void)state;
    create_journal();
    uint64_t first = 0;
    struct slice record = {0};
    for (unsigned batch = 0; batch < 300; batch++) {
        fill_ahead();
        if (journal_room(j) < 8000)
            assert_int_equal(journal_turn_over(j), 0);
        journal_begin(j, 0, 1);
        for (unsigned i = 0; i < 2; i++)
            assert_int_equal(journal_add(j, record_of(journal_next_seq(j) + i * 3, 3800), 3), 0);
        assert_int_equal(journal_append(j), 0);
        if (batch % 7 == 0)
            assert_int_equal(journal_witness(j, 0, 1), 0);
    }
    for (int again = 0; again < 2; again++) {
        for (uint64_t seq = 1; seq <= 1800; seq += 11) {
            assert_int_equal(journal_read(j, seq, &first, &record), 0);
            assert_int_equal(first, (seq - 1) / 3 * 3 + 1);
            assert_true(slice_equal(record, record_of(first, 3800)));
        }
        assert_int_equal(journal_read(j, 1801, &first, &record), -ENOENT);
        assert_int_equal(journal_read(j, 0, &first, &record), -ENOENT);
        close_journal();
        open_journal();                           /* now the indexes of sealed segments are built from the files */
    }
}

static void a_cursor_waits_at_the_durable_end_and_goes_on_over_a_new_segment(void **state) {
    (void)state;
    create_journal();
    fill_ahead();
    struct journal_cursor *c = NULL;
    struct slice record = {0};
    uint64_t first = 0;
    uint32_t seqs = 0;
    assert_int_equal(journal_cursor_open(&c, j, 2), 0);
    assert_int_equal(journal_next(c, &first, &seqs, &record), 0);
    append(1, 100);
    assert_int_equal(journal_next(c, &first, &seqs, &record), 0);         /* seq 1 is not what was asked for */
    journal_begin(j, 0, 2);
    assert_int_equal(journal_add(j, record_of(2, 100), 1), 0);
    assert_int_equal(journal_next(c, &first, &seqs, &record), 0);         /* added is not durable */
    assert_int_equal(journal_append(j), 0);
    assert_int_equal(journal_witness(j, 0, 2), 0);
    assert_int_equal(journal_turn_over(j), 0);
    assert_int_equal(journal_next(c, &first, &seqs, &record), 1);
    assert_int_equal(first, 2);
    assert_int_equal(journal_cursor_epoch(c), 2);
    assert_int_equal(journal_next(c, &first, &seqs, &record), 0);
    journal_begin(j, 0, 2);
    assert_int_equal(journal_add(j, record_of(3, 100), 1), 0);
    assert_int_equal(journal_append(j), 0);
    assert_int_equal(journal_next(c, &first, &seqs, &record), 1);
    assert_int_equal(first, 3);
    struct hash chain = journal_chain(j), seen = journal_cursor_chain(c);
    assert_true(hash_equal(&chain, &seen));
    journal_cursor_close(c);
}

static void a_batch_takes_no_more_than_its_segment_has_room_for(void **state) {
    (void)state;
    create_journal();
    journal_begin(j, 0, 1);
    assert_int_equal(journal_append(j), -EINVAL);
    int r = 0;
    while ((r = journal_add(j, record_of(1, 60000), 1)) == 0)
        assert_true(journal_batch_bytes(j) <= journal_room(j));
    assert_int_equal(r, -ENOSPC);
    assert_true(journal_batch_bytes(j) > journal_room(j) - 60012);
    journal_abandon(j);
    assert_int_equal(journal_batch_bytes(j), 0);
    journal_begin(j, 0, 1);
    uint8_t *big = calloc(1, JOURNAL_RECORD_BYTES_MAX + 1);
    assert_int_equal(journal_add(j, slice_from(big, JOURNAL_RECORD_BYTES_MAX + 1), 1), -EMSGSIZE);
    while (journal_room(j) - journal_batch_bytes(j) > 12 + 60000)
        assert_int_equal(journal_add(j, slice_from(big, 60000), 1), 0);
    size_t rest = journal_room(j) - journal_batch_bytes(j) - 12;
    assert_int_equal(journal_add(j, slice_from(big, rest), 1), 0);
    free(big);
    assert_int_equal(journal_append(j), 0);
    assert_int_equal(journal_room(j), 0);
    assert_int_equal(journal_witness(j, 0, 1), 0);   /* its block was kept free */
    assert_true(journal_witnessed(j));
    assert_int_equal(journal_turn_over(j), -EAGAIN);
    fill_ahead();
    assert_int_equal(journal_turn_over(j), 0);
    assert_true(journal_room(j) > 1000000);
    struct stat st;
    assert_int_equal(stat(path_of("00000001.seg"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0400);
    assert_int_equal(st.st_size, MIB);
}

static void a_write_that_fails_is_final(void **state) {
    (void)state;
    create_journal();
    append(1, 100);
    struct rlimit old, small = {1024, 1024};
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small.rlim_max = old.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    journal_begin(j, 0, 1);
    assert_int_equal(journal_add(j, record_of(2, 100), 1), 0);
    int failed = journal_append(j);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_int_equal(failed, -EFBIG);
    assert_int_equal(journal_durable_seq(j), 1);
    journal_begin(j, 0, 1);
    assert_int_equal(journal_add(j, record_of(2, 100), 1), 0);
    assert_int_equal(journal_append(j), -EFBIG);
    journal_abandon(j);
    assert_int_equal(journal_witness(j, 0, 1), -EFBIG);
    assert_int_equal(journal_turn_over(j), -EFBIG);
}

/* ---- opening, creating, turning over ----------------------------------------------------------------------------- */

/* Names, sizes, modes and bytes of everything in the journal. */
static struct hash picture(void) {
    struct hash_stream stream;
    struct dirent **entries = NULL;
    int count = scandir(path_of("."), &entries, NULL, alphasort);
    assert_true(count > 2);
    hash_begin(&stream);
    for (int i = 0; i < count; i++) {
        struct stat st;
        assert_int_equal(stat(path_of(entries[i]->d_name), &st), 0);
        hash_more(&stream, slice_of(entries[i]->d_name));
        hash_more(&stream, slice_from(&st.st_mode, sizeof st.st_mode));
        int fd = open(path_of(entries[i]->d_name), O_RDONLY);
        uint8_t bytes[4096];
        for (ssize_t n; S_ISREG(st.st_mode) && (n = read(fd, bytes, sizeof bytes)) > 0;)
            hash_more(&stream, slice_from(bytes, (size_t)n));
        (void)close(fd);
        free(entries[i]);
    }
    free(entries);
    return hash_end(&stream);
}

static void opening_read_only_changes_nothing(void **state) {
    (void)state;
    create_journal();
    fill_ahead();
    append(5, 500);
    assert_int_equal(journal_turn_over(j), 0);
    append(5, 500);
    append(5, 500);
    assert_int_equal(journal_prepare(j, 4096), 1);
    close_journal();
    flip_byte("00000002.seg", ONE + EXTENT + 700);
    struct hash before = picture();
    options.read_only = true;
    open_journal();
    assert_int_equal(found.durable_seq, 10);
    assert_int_equal(found.torn_bytes, 168 + 5 * 512);
    assert_string_equal(found.torn_file, "");
    assert_holds(1, 10, 500);
    close_journal();
    struct hash after = picture();
    assert_true(hash_equal(&before, &after));
}

static void a_journal_is_created_once_and_again_after_a_creation_that_was_cut_short(void **state) {
    (void)state;
    assert_int_equal(journal_open(&j, &options, false, &found), -ENOENT);
    (void)snprintf(dir + strlen(dir), 16, "/journal");
    assert_int_equal(mkdir(dir, 0700), 0);
    *strrchr(dir, '/') = 0;
    assert_int_equal(journal_open(&j, &options, false, &found), -ENOENT);
    fill_bytes("next.tmp", 0, -1, 5000);
    create_journal();
    assert_int_equal(found.durable_seq, 0);
    assert_int_equal(found.first_seq, 0);
    assert_int_equal(journal_next_seq(j), 1);
    assert_true(journal_witnessed(j));
    append(1, 10);
    close_journal();
    assert_int_equal(journal_create(&options), -EEXIST);
    open_journal();
    assert_holds(1, 1, 10);
}

static void options_that_make_no_journal_are_refused_before_anything_is_touched(void **state) {
    (void)state;
    struct journal_options nowhere = options, odd = options, small = options, alone = options;
    nowhere.dir = NULL, odd.block = 1000, small.segment_bytes = JOURNAL_SEGMENT_BYTES_MIN - 1, alone.segments_ahead = 1;
    const struct journal_options *const bad[] = {&nowhere, &odd, &small, &alone};
    for (unsigned i = 0; i < COUNT_OF(bad); i++) {
        assert_int_equal(journal_create(bad[i]), -EINVAL);
        assert_int_equal(journal_open(&j, bad[i], false, &found), -EINVAL);
    }
    assert_int_equal(journal_open(&j, &options, false, &found), -ENOENT);
}

/* What the files look like when the power goes at each step of a turn-over, and that the journal goes on from there. */
static void a_turn_over_that_was_cut_short_at_any_step_is_taken_up_again(void **state) {
    (void)state;
    enum { HALF_FILLED, READY, TRUNCATED, SEALED, HEADER_TORN, HEADER_LOST, BEGUN, STEPS };
    for (int step = 0; step < STEPS; step++) {
        create_journal();
        append(5, 500);
        fill_ahead();
        uint64_t bytes = journal_bytes(j);
        assert_int_equal(bytes, 3 * MIB);
        if (step == BEGUN)
            assert_int_equal(journal_turn_over(j), 0);
        close_journal();
        if (step == HALF_FILLED) {
            rename_file("00000003.seg", "next.tmp");
            cut_file("next.tmp", 5000);
        }
        if (step >= TRUNCATED && step <= HEADER_LOST)
            cut_file("00000001.seg", ONE + EXTENT);
        if (step == SEALED || step == HEADER_LOST)
            assert_int_equal(chmod(path_of("00000001.seg"), 0400), 0);
        if (step == HEADER_TORN)
            fill_bytes("00000002.seg", 0, -1, 512);
        open_journal();
        assert_int_equal(found.durable_seq, 5);
        assert_int_equal(found.torn_bytes, 0);
        assert_false(file_is_there("next.tmp"));
        assert_int_equal(journal_segments_ready(j), step == HALF_FILLED || step == BEGUN ? 1 : 2);
        assert_int_equal(journal_witness(j, 0, 1), 0);
        assert_true(journal_witnessed(j));
        if (journal_room(j) < 5 * 512)
            assert_int_equal(journal_turn_over(j), 0);
        append(5, 500);
        fill_ahead();
        assert_int_equal(journal_segments_ready(j), 2);
        close_journal();
        assert_int_equal(journal_open(&j, &options, true, &found), 0);
        assert_holds(1, 10, 500);
        close_journal();
        remove_journal();
    }
}

/* ---- filling ahead ----------------------------------------------------------------------------------------------- */

static void no_space_while_filling_ahead_is_not_final(void **state) {
    (void)state;
    create_journal();
    struct rlimit old, small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = (struct rlimit){MIB / 2, old.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    int at_once = journal_prepare(j, 4096);
    append(5, 500);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_int_equal(at_once, -ENOSPC);
    assert_int_equal(journal_prepare(j, MIB - 4096), 1);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    int half_way = journal_prepare(j, 4096);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_int_equal(half_way, -ENOSPC);
    assert_false(file_is_there("next.tmp"));      /* the space is given back */
    assert_int_equal(journal_bytes(j), MIB);
    fill_ahead();
    assert_int_equal(journal_segments_ready(j), 2);
    assert_int_equal(journal_turn_over(j), 0);
    append(5, 500);
    assert_holds(1, 10, 500);
}

static void filling_ahead_works_in_slices_and_stops_at_enough(void **state) {
    (void)state;
    create_journal();
    for (int i = 0; i < 7; i++)
        assert_int_equal(journal_prepare(j, MIB / 4), 1);
    assert_int_equal(journal_segments_ready(j), 1);
    assert_int_equal(journal_prepare(j, MIB / 4), 0);
    assert_int_equal(journal_segments_ready(j), 2);
    assert_int_equal(journal_prepare(j, MIB / 4), 0);
    assert_false(file_is_there("00000004.seg"));
    struct stat st;
    assert_int_equal(stat(path_of("00000003.seg"), &st), 0);
    assert_int_equal(st.st_blocks * 512, MIB);                            /* blocks of its own, not a hole */
}

static atomic_bool preparer_stop;

static void *prepare_all_along(void *unused) {
    (void)unused;
    int r = 0;
    while (r >= 0 && !atomic_load(&preparer_stop))
        r = journal_prepare(j, 256 << 10);
    return r < 0 ? &preparer_stop : NULL;
}

static void a_preparer_fills_ahead_while_the_journal_appends(void **state) {
    (void)state;
    pthread_t thread;
    void *failed = NULL;
    create_journal();
    atomic_store(&preparer_stop, false);
    assert_int_equal(pthread_create(&thread, NULL, prepare_all_along, NULL), 0);
    for (unsigned batch = 0; batch < 60; batch++) {
        while (journal_room(j) < 100000 && journal_turn_over(j) == -EAGAIN)
            (void)usleep(1000);
        append(10, 9000);
        assert_true(journal_bytes(j) >= (uint64_t)(batch + 1) * 90000);
    }
    atomic_store(&preparer_stop, true);
    assert_int_equal(pthread_join(thread, &failed), 0);
    assert_null(failed);
    assert_holds(1, 600, 9000);
    assert_true(file_is_there("00000006.seg"));
}

#define STORY(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    static const struct CMUnitTest stories[] = {
        STORY(what_is_appended_is_read_back_over_many_segments),
        STORY(any_record_is_found_by_a_seq_it_covers),
        STORY(a_cursor_waits_at_the_durable_end_and_goes_on_over_a_new_segment),
        STORY(a_batch_takes_no_more_than_its_segment_has_room_for),
        STORY(a_write_that_fails_is_final),
        STORY(opening_read_only_changes_nothing),
        STORY(a_journal_is_created_once_and_again_after_a_creation_that_was_cut_short),
        STORY(options_that_make_no_journal_are_refused_before_anything_is_touched),
        STORY(a_turn_over_that_was_cut_short_at_any_step_is_taken_up_again),
        STORY(no_space_while_filling_ahead_is_not_final),
        STORY(filling_ahead_works_in_slices_and_stops_at_enough),
        STORY(a_preparer_fills_ahead_while_the_journal_appends),
    };
    crypto_init();
    (void)signal(SIGXFSZ, SIG_IGN);
    return cmocka_run_group_tests(stories, NULL, NULL);
}
