/* What the disk says no to, of the journal and the key slots: every system call that can fail is made to, one after the
 * other. Whatever comes of it, the next opening must find all that was acknowledged. */
#include "daemon/store/file.h"
#include "daemon/store/slots.h"
#include "tests/unit/broken_disk.h"
#include "tests/unit/journal_scratch.h"

#include <stdio.h>
#include <string.h>

/* ---- the journal ------------------------------------------------------------------------------------------------- */

enum { LEN = 500, LONG = 60000 };

/* One batch as the turns make it; what journal_append says. */
static int try_append(size_t len) {
    journal_begin(j, 1000, 1);
    assert_int_equal(journal_add(j, record_of(journal_next_seq(j), len), 1), 0);
    return journal_append(j);
}

static void a_journal_that_could_not_be_created_can_be_created_again(void **state) {
    (void)state;
    bool hit = true;
    for (unsigned at = 1; hit; at++) {
        break_disk(at, ONCE, EIO);
        int r = journal_create(&options);
        hit = mend_disk();
        if (r < 0 && access(path_of("00000001.seg"), F_OK) < 0)
            assert_int_equal(journal_create(&options), 0);
        open_journal();
        append(1, LEN);
        close_journal();
        remove_journal();
        assert_true(hit ? at < 50 : at > 8 && r == 0);
    }
}

/* Nobody knows what the disk holds: the batch may be there or not, and the journal takes no other. */
static void after_a_failed_append_nothing_is_appended_and_what_was_acknowledged_is_there(void **state) {
    (void)state;
    create_journal();
    bool hit = true;
    for (unsigned at = 1; hit; at++) {
        uint64_t acknowledged = journal_durable_seq(j);
        break_disk(at, ONCE, at % 2 ? EIO : ENOSPC);
        int r = try_append(LEN);
        hit = mend_disk();
        assert_int_equal(r, !hit ? 0 : at % 2 ? -EIO : -ENOSPC);
        assert_int_equal(journal_durable_seq(j), acknowledged + (r == 0));
        if (r < 0) {
            assert_int_equal(try_append(LEN), r);
            journal_abandon(j);
            assert_int_equal(journal_witness(j, 1000, 1), r);
            assert_int_equal(journal_turn_over(j), r);
            close_journal();
            open_journal();
            assert_true(journal_durable_seq(j) - acknowledged <= 1);
        }
        assert_holds(1, journal_durable_seq(j), LEN);
    }
}

static void a_turn_over_that_fails_is_final_and_goes_on_after_the_next_start(void **state) {
    (void)state;
    bool hit = true;
    for (unsigned at = 1; hit; at++) {
        create_journal();
        fill_ahead();
        append(3, LEN);
        break_disk(at, at % 2 ? ONCE : FROM_THEN_ON, EIO);
        int r = journal_turn_over(j);
        hit = mend_disk();
        assert_true(hit == (r < 0) && at < 30);
        if (r < 0) {
            assert_int_equal(try_append(LEN), r);
            journal_abandon(j);
            close_journal();
            open_journal();
        }
        assert_int_equal(journal_durable_seq(j), 3);
        fill_ahead();
        if (journal_room(j) == 0)                 /* sealed, and its successor not begun */
            assert_int_equal(journal_turn_over(j), 0);
        append(2, LEN);
        assert_int_equal(journal_turn_over(j), 0);
        append(1, LEN);
        close_journal();
        open_journal();
        assert_holds(1, 6, LEN);
        close_journal();
        remove_journal();
    }
}

/* No space is not final: what was half filled is given back, and the next try begins anew. */
static void a_segment_that_could_not_be_filled_is_filled_later(void **state) {
    static const int errors[] = {ENOSPC, EDQUOT, EFBIG, EIO};
    (void)state;
    create_journal();
    uint64_t bytes = journal_bytes(j);
    bool hit = true;
    for (unsigned at = 1; hit; at++) {
        int error = errors[at % COUNT_OF(errors)], r = 1;
        break_disk(at, ONCE, error);
        while (r == 1 && journal_segments_ready(j) == 0)
            r = journal_prepare(j, MIB / 4);
        hit = mend_disk();
        assert_int_equal(hit ? r : -error, error == EIO ? -EIO : hit ? -ENOSPC : -error);
        if (!hit)
            break;
        assert_int_equal(journal_bytes(j), bytes);
        /* Published and not known to be: the name is taken until the next start. */
        if (file_is_there("00000002.seg")) {
            close_journal();
            open_journal();
            assert_int_equal(journal_segments_ready(j), 1);
            close_journal();
            assert_int_equal(remove(path_of("00000002.seg")), 0);
            open_journal();
        }
    }
    fill_ahead();
    assert_int_equal(journal_turn_over(j), 0);
    append(5, LEN);
    assert_holds(1, 5, LEN);
}

/* Two segments sealed, one active whose last batch is torn `inside`, one ready. */
static void live_and_crash(size_t len, uint64_t inside) {
    create_journal();
    for (unsigned segment = 0; segment < 2; segment++) {
        fill_ahead();
        append(4, len);
        assert_int_equal(journal_turn_over(j), 0);
    }
    append(4, len);
    append(4, len);
    close_journal();
    flip_byte("00000003.seg", ONE + round_up(168 + 4 * (12 + len), 512) + inside);
}

static void openings_fail(size_t len, uint64_t inside) {
    bool hit = true;
    for (unsigned at = 1; hit; at++) {
        live_and_crash(len, inside);
        break_disk(at, at % 2 ? ONCE : FROM_THEN_ON, EIO);
        int r = journal_open(&j, &options, at % 3 == 0, &found);
        hit = mend_disk();
        if (r == 0)
            close_journal();
        assert_true(at < 300);
        assert_int_equal(journal_open(&j, &options, true, &found), 0);
        assert_int_equal(journal_durable_seq(j), 12);
        assert_holds(1, 12, len);
        append(1, len);
        assert_holds(1, 13, len);
        close_journal();
        remove_journal();
    }
}

/* Long batches are read piece by piece; and so is what stands behind one whose header is torn. */
static void an_opening_that_fails_leaves_everything_for_the_next(void **state) {
    (void)state;
    openings_fail(LEN, 300);
    openings_fail(LONG, 20);
}

static void a_read_that_fails_is_no_damage_and_succeeds_later(void **state) {
    uint64_t first = 0;
    uint32_t seqs = 0;
    struct slice record;
    (void)state;
    create_journal();
    for (unsigned segment = 0; segment < 3; segment++) {
        fill_ahead();
        append(1, LONG), append(1, LONG), append(1, LONG);
        assert_int_equal(journal_turn_over(j), 0);
    }
    bool hit = true;
    for (unsigned at = 1; hit; at++) {
        struct journal_cursor *c = NULL;
        break_disk(at, ONCE, EIO);
        int r = journal_cursor_open(&c, j, 1 + at % 9);
        while (r >= 0 && (r = journal_next(c, &first, &seqs, &record)) == 1)
            continue;
        hit = mend_disk();
        assert_int_equal(r, hit ? -EIO : 0);
        journal_cursor_close(c);
        assert_holds(1, 9, LONG);
        close_journal();                          /* forgets the indices of sealed segments */
        break_disk(at, ONCE, EIO);
        r = journal_open(&j, &options, true, &found);
        assert_int_equal(r, mend_disk() ? -EIO : 0);
        if (r < 0)
            open_journal();
        break_disk(at, ONCE, EIO);
        r = journal_read(j, 1 + at % 9, &first, &record);
        assert_int_equal(r, mend_disk() ? -EIO : 0);
        assert_int_equal(journal_read(j, 5, &first, &record), 0);
        assert_true(slice_equal(record, record_of(5, LONG)));
    }
}

static void interrupted_and_short_calls_are_tried_on(void **state) {
    (void)state;
    create_journal();
    disk->torn = true;
    fill_ahead();
    append(2, LEN);
    assert_int_equal(journal_turn_over(j), 0);
    append(3, LEN);
    assert_holds(1, 5, LEN);
    close_journal();
    open_journal();
    assert_holds(1, 5, LEN);
    assert_true(disk->seen > 100);
    disk->torn = false;
}

/* ---- key slots --------------------------------------------------------------------------------------------------- */

static void key_slots_that_could_not_be_written_stay_as_they_were(void **state) {
    static const uint8_t id[16] = "a store of tests";
    struct slots *s = NULL;
    struct key first, again;
    bool worked = false, hit = true;
    (void)state;
    for (unsigned at = 1; hit; at++) {
        break_disk(at, ONCE, EIO);
        int r = slots_create(dir, id, 0, 100, NULL);
        hit = mend_disk();
        assert_int_equal(r, hit ? -EIO : 0);
        char path[192];
        (void)snprintf(path, sizeof path, "%s/slots", dir);
        if (hit)
            (void)unlink(path);
    }
    assert_int_equal(slots_open(&s, dir, id, 0, false), 0);
    assert_int_equal(slots_key(s, 7, &first), 0);
    slots_close(s);
    s = NULL;
    hit = true;
    for (unsigned at = 1; hit; at++) {
        break_disk(at, ONCE, EIO);
        int r = slots_open(&s, dir, id, 10 * at, false);
        if (r == 0)
            r = slots_ahead(s, 10 * at + 5, &worked);
        if (r == 0)
            r = slots_key(s, 9, &again);
        if (r == 0)
            r = slots_wipe(s, 8);
        hit = mend_disk();
        assert_int_equal(r, hit ? -EIO : 0);
        if (s)
            slots_close(s);
        s = NULL;
        assert_int_equal(slots_open(&s, dir, id, 10 * at, false), 0);
        assert_int_equal(slots_key(s, 7, &again), 0);
        assert_memory_equal(&first, &again, sizeof first);
        assert_true(slots_filled(s) >= 100 + 10 * at);
        if (!hit)
            assert_int_equal(slots_key(s, 8, &again), -ENODATA);
        slots_close(s);
        s = NULL;
    }
}

#define JOURNAL(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void) {
    crypto_init();
    if (!disk_share())
        return 1;
    const struct CMUnitTest tests[] = {
        JOURNAL(a_journal_that_could_not_be_created_can_be_created_again),
        JOURNAL(after_a_failed_append_nothing_is_appended_and_what_was_acknowledged_is_there),
        JOURNAL(a_turn_over_that_fails_is_final_and_goes_on_after_the_next_start),
        JOURNAL(a_segment_that_could_not_be_filled_is_filled_later),
        JOURNAL(an_opening_that_fails_leaves_everything_for_the_next),
        JOURNAL(a_read_that_fails_is_no_damage_and_succeeds_later),
        JOURNAL(interrupted_and_short_calls_are_tried_on),
        JOURNAL(key_slots_that_could_not_be_written_stay_as_they_were),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
