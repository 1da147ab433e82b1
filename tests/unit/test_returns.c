/* A return counts each case once, says the same for ever, and knows of every case what the kernel knows. */
#include "ctl/csv.h"
#include "ctl/returns_internal.h"
#include "lib/codec/codec.h"
#include "tests/unit/store_world.h"

#define SET_MS(hour, minute) (MIDNIGHT + (hour) * 3600000LL + (minute) * 60000LL)
#define MIDNIGHT 1772380800000LL              /* Monday 2026-03-02 00:00 in the fixture's zone */

static int fixture(void *to, uint32_t number, const PbRules **ret) {
    (void)to, (void)number;
    *ret = fixture_rules();
    return 0;
}

static struct returns *open_for(const char *day) {
    struct returns_options o = {.as_of_seq = UINT64_MAX, .as_of_ms = INT64_MAX, .rules = fixture};
    assert_true(strlen(day) == 7 ? period_of_month(day, &o.period) : period_of_day(day, &o.period));
    return returns_open(&o);
}

/* ---- told by hand ------------------------------------------------------------------------------------------------ */

static uint64_t seq;

static int take(struct returns *r, uint64_t id, int64_t ms, PbEvent e) {
    PbEvent *events[] = {&e};
    seq++;
    PbUpdate u = {.first_seq = seq, .at_ms = ms, .case_id = id ? id : seq, .n_events = 1, .events = events};
    return returns_take(r, &u);
}

static uint64_t reported(struct returns *r, int64_t ms, uint64_t division, int32_t lat_e7) {
    PbTimer promise = {.kind = TIMER_PROMISE, .due_ms = ms + 3600000}, *timers[] = {&promise};
    PbPlace place = {.division = division, .has_lon_e7 = lat_e7 != 0, .lon_e7 = 1087000000, .lat_e7 = lat_e7};
    PbReported report = {.place = &place, .category = (char *)"rubbish", .rules = 1, .level = LEVEL_COMMUNITY,
                         .timers = timers, .n_timers = 1};
    assert_int_equal(take(r, 0, ms, (PbEvent){.event_case = EVENT_REPORTED, .reported = &report}), 1);
    return seq;
}

static void dispatched(struct returns *r, uint64_t id, int64_t ms, const char *party) {
    PbTimer accept = {.kind = TIMER_ACCEPT, .due_ms = ms + 600000}, *timers[] = {&accept};
    PbAsk ask = {.party = (char *)party, .lead = true}, *asks[] = {&ask};
    PbDispatched d = {.asks = asks, .n_asks = 1, .timers = timers, .n_timers = 1};
    take(r, id, ms, (PbEvent){.event_case = EVENT_DISPATCHED, .dispatched = &d});
}

static void signed_by(struct returns *r, uint64_t id, int64_t ms) {
    PbSigned s = {.party = (char *)"a"};
    take(r, id, ms, (PbEvent){.event_case = EVENT_SIGNED, .signed_ = &s});
}

static void closed(struct returns *r, uint64_t id, int64_t ms, bool on_time) {
    PbResolved resolved = {.on_time = on_time};
    PbClosed c = {.on_time = on_time};
    take(r, id, ms, (PbEvent){.event_case = EVENT_RESOLVED, .resolved = &resolved});
    take(r, id, ms + 60000, (PbEvent){.event_case = EVENT_CLOSED, .closed = &c});
}

/* The sums of the whole. */
static uint64_t sum(const struct returns *r, unsigned which) {
    return r->rows[0].sum[which];
}

static void a_golden_day(void **state) {
    (void)state;
    struct returns *r = open_for("2026-03-02");
    seq = 0;
    uint64_t id = reported(r, SET_MS(9, 0), FIXTURE_GRID, 0);
    dispatched(r, id, SET_MS(9, 5), "grid-worker@610402006001001");
    signed_by(r, id, SET_MS(9, 10));
    closed(r, id, SET_MS(9, 40), true);
    reported(r, SET_MS(9, 50), FIXTURE_GRID, 0);
    returns_sum(r);
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);
    returns_write(r, false, file);
    assert_int_equal(fclose(file), 0);
    static const char *const lines[] = {
        "\xEF\xBB\xBF期间 period,截至序号 as of seq,范围 scope,代码 code,名称 name,指标,figure,分子 part,分母 of,比率 share\r\n",
        "2026-03-02,6,全部 whole,,,上报数,reported,2,,\r\n",
        "2026-03-02,6,全部 whole,,,及时签收率,signed in time / signing due,1,1,100.00%\r\n",
        "2026-03-02,6,全部 whole,,,24小时响应率,answered within 24 h / due,1,1,100.00%\r\n",
        "2026-03-02,6,全部 whole,,,复发率,came back within 30 days / closed,1,1,100.00%\r\n",
        "2026-03-02,6,全部 whole,,,停留时长p50（分钟）·社区·办理中,\"stay p50 (min), community, handling / stays\",30,1,\r\n",
        "2026-03-02,6,社区 community,610402006001,",
        "2026-03-02,6,类别 category,rubbish,",
    };
    for (size_t i = 0; i < COUNT_OF(lines); i++)
        if (!strstr(text, lines[i]))
            fail_msg("%s is not in\n%s", lines[i], text);
    free(text);
    returns_close(r);
}

static void what_was_due_is_judged_by_the_promise_and_a_period_ends_at_midnight_there(void **state) {
    (void)state;
    struct returns *r = open_for("2026-03-02");
    seq = 0;
    closed(r, reported(r, SET_MS(10, 0), FIXTURE_GRID, 0), SET_MS(10, 30), true);
    closed(r, reported(r, SET_MS(11, 0), FIXTURE_GRID, 0), SET_MS(13, 0), false);
    (void)reported(r, SET_MS(23, 30), FIXTURE_GRID, 0);              /* due on the next day */
    (void)reported(r, SET_MS(24, 0), FIXTURE_GRID, 0);               /* of the next day */
    returns_sum(r);
    assert_int_equal(sum(r, TICK_REPORTED), 3);
    assert_int_equal(sum(r, SUM_DUE), 2);
    assert_int_equal(sum(r, SUM_DUE_RESOLVED), 2);
    assert_int_equal(sum(r, SUM_DUE_ON_TIME), 1);
    assert_int_equal(sum(r, SUM_OPEN), 1);
    returns_close(r);
}

static void a_return_is_upheld_when_another_is_asked(void **state) {
    (void)state;
    struct returns *r = open_for("2026-03");
    PbReturned back = {.party = (char *)"a"};
    seq = 0;
    for (int again = 0; again < 2; again++) {
        uint64_t id = reported(r, SET_MS(10, again), FIXTURE_GRID, 0);
        dispatched(r, id, SET_MS(11, 0), "a");
        take(r, id, SET_MS(11, 5), (PbEvent){.event_case = EVENT_RETURNED, .returned = &back});
        dispatched(r, id, SET_MS(12, 0), again ? "a" : "b");
    }
    returns_sum(r);
    assert_int_equal(sum(r, TICK_DISPATCHED), 4);
    assert_int_equal(sum(r, TICK_RETURNED), 2);
    assert_int_equal(sum(r, TICK_UPHELD), 1);
    assert_int_equal(sum(r, TICK_SIGNED_IN_TIME), 2);                /* who gives it back has looked */
    returns_close(r);
}

static void a_case_came_back_within_fifty_metres_and_thirty_days(void **state) {
    (void)state;
    static const struct { int32_t metres; int days; bool back; } cases[] = {
        {49, 1, true}, {51, 1, false}, {0, 30, true}, {0, 31, false}, {-49, 29, true},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct returns *r = open_for("2026-03-02");
        int32_t lat = 343000000;
        seq = 0;
        closed(r, reported(r, SET_MS(9, 0), FIXTURE_GRID, lat), SET_MS(9, 9), true);
        int64_t later = SET_MS(9, 10) + cases[i].days * 86400000LL;
        (void)reported(r, later, FIXTURE_GRID2, lat + cases[i].metres * 89932 / 1000);
        returns_sum(r);
        assert_int_equal(sum(r, SUM_RECURRED), cases[i].back);
        returns_close(r);
    }
}

static void exercises_count_nowhere_and_void_cases_apart(void **state) {
    (void)state;
    struct returns *r = open_for("2026-03-02");
    PbVoided voided = {.by = (char *)"x"};
    seq = 0;
    take(r, reported(r, SET_MS(9, 0), FIXTURE_GRID, 0), SET_MS(9, 1),
         (PbEvent){.event_case = EVENT_VOIDED, .voided = &voided});
    (void)reported(r, SET_MS(9, 2), FIXTURE_GRID, 0);
    counted_at(r, 1)->exercise = true;
    returns_sum(r);
    assert_int_equal(sum(r, TICK_REPORTED), 0);
    assert_int_equal(sum(r, SUM_VOID), 1);
    returns_close(r);
}

static void days_and_months_are_written_in_one_way(void **state) {
    (void)state;
    static const char *const wrong[] = {"2026-02-30", "2026-2-03", "20260302", "2026-03-02x", "1999-01-01", ""};
    struct period p;
    for (size_t i = 0; i < COUNT_OF(wrong); i++)
        assert_false(period_of_day(wrong[i], &p));
    assert_true(period_of_month("2026-12", &p));
    assert_int_equal(p.first_date, 20261201);
    assert_int_equal(p.end_date, 20270101);
    p = period_before(20260301, false);
    assert_int_equal(p.first_date, 20260228);
    p = period_before(20260115, true);
    assert_int_equal(p.first_date, 20251201);
}

/* ---- any journal ------------------------------------------------------------------------------------------------- */

static void a_fold_knows_the_state_and_level_that_the_kernel_knows(void **state) {
    struct world *w = *state;
    struct returns *r = open_for("2026-03");
    static struct case_state c;
    struct journal_cursor *from;
    struct slice bytes;
    uint64_t first;
    uint32_t seqs;
    world_create(w);
    world_random_turns(w, 200, 8);
    assert_int_equal(journal_cursor_open(&from, store_journal(w->store), 1), 0);
    while (journal_next(from, &first, &seqs, &bytes) == 1) {
        PbRecord *record = NULL;
        PbUpdate u;
        arena_reset(&w->room);
        assert_int_equal(codec_unpack_own(CODEC_RECORD, bytes, &w->room, &record), 0);
        codec_update_of(record, &u);
        assert_int_equal(!record->case_id || returns_take(r, &u) == 1, 1);
    }
    journal_cursor_close(from);
    assert_true(r->cases > 100);
    for (uint32_t i = 0; i < r->cases; i++) {
        const struct counted *k = counted_at(r, i);
        assert_int_equal(store_case(w->store, k->id, &c), 0);
        assert_int_equal(k->state, c.state);
        assert_int_equal(k->level, c.level);
        assert_int_equal(r->divisions[k->division], c.division);
        assert_string_equal(r->categories[k->category], c.category);
    }
    returns_sum(r);
    returns_close(r);
}

static void rules_are_read_part_by_part_as_they_were_adopted(void **state) {
    struct world *w = *state;
    static uint8_t whole[1 << 20], few[STORE_RULES_PART_BYTES];
    struct rules_packed all, p = {.next_part = 0};
    world_create(w);
    assert_int_equal(store_rules_packed(w->store, 1, 0, whole, sizeof whole, &all), 0);
    assert_int_equal(all.next_part, 0);
    assert_int_equal(all.bytes, all.length);
    struct hash is = hash_of(slice_from(whole, all.bytes));
    assert_true(hash_equal(&is, &all.hash));
    for (uint64_t done = 0; done < all.length; done += p.bytes) {
        assert_int_equal(store_rules_packed(w->store, 1, p.next_part, few, sizeof few, &p), 0);
        assert_true(p.bytes > 0 && memcmp(whole + done, few, p.bytes) == 0);
        assert_int_equal(p.next_part == 0, done + p.bytes == all.length);
    }
    assert_int_equal(store_rules_packed(w->store, 2, 0, few, sizeof few, &p), -ENOENT);
    assert_int_equal(store_rules_packed(w->store, 0, 0, few, sizeof few, &p), -ENOENT);
}

/* ---- cells ------------------------------------------------------------------------------------------------------- */

static void a_cell_is_never_calculated_and_comes_back_as_it_was(void **state) {
    (void)state;
    static const char *const cells[] = {"=1+1", "+86", "-1", "@x", "a,b", "\"q\"", "two\nlines", "垃圾", ""};
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);
    struct csv_out out;
    csv_begin(&out, file);
    for (size_t i = 0; i < COUNT_OF(cells); i++)
        csv_cell(&out, slice_of(cells[i]));
    csv_end(&out);
    assert_int_equal(fclose(file), 0);
    assert_string_equal(text, "\xEF\xBB\xBF'=1+1,'+86,'-1,'@x,\"a,b\",\"\"\"q\"\"\",\"two\nlines\",垃圾,\r\n");
    uint8_t memory[512];
    struct arena room;
    struct csv_in in;
    struct csv_row row;
    arena_wrap(&room, memory, sizeof memory);
    csv_open(&in, slice_from(text, size), &room);
    assert_int_equal(csv_next(&in, &row), 1);
    assert_int_equal(row.count, COUNT_OF(cells));
    for (size_t i = 4; i < COUNT_OF(cells); i++)
        assert_true(slice_equal(row.cell[i], slice_of(cells[i])));
    assert_int_equal(csv_next(&in, &row), 0);
    free(text);
}

static void a_bad_line_is_named_and_the_next_one_read(void **state) {
    (void)state;
    static const char file[] = "a,b\n1,x\"y\n\"open, 3\n\n4,5";
    uint8_t memory[512];
    struct arena room;
    struct csv_in in;
    struct csv_row row;
    arena_wrap(&room, memory, sizeof memory);
    csv_open(&in, SLICE(file), &room);
    assert_int_equal(csv_next(&in, &row), 1);
    assert_int_equal(csv_next(&in, &row), -EBADMSG);
    assert_int_equal(row.line, 2);
    assert_int_equal(csv_next(&in, &row), -EBADMSG);
    assert_int_equal(row.line, 3);
    assert_string_equal(in.problem, BOTH("引号没有收尾", "a quoted cell does not end"));
    assert_int_equal(csv_next(&in, &row), 1);
    assert_int_equal(row.line, 5);
    assert_true(slice_equal(row.cell[1], SLICE("5")));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_golden_day),
        cmocka_unit_test(what_was_due_is_judged_by_the_promise_and_a_period_ends_at_midnight_there),
        cmocka_unit_test(a_return_is_upheld_when_another_is_asked),
        cmocka_unit_test(a_case_came_back_within_fifty_metres_and_thirty_days),
        cmocka_unit_test(exercises_count_nowhere_and_void_cases_apart),
        cmocka_unit_test(days_and_months_are_written_in_one_way),
        WORLD(a_fold_knows_the_state_and_level_that_the_kernel_knows),
        WORLD(rules_are_read_part_by_part_as_they_were_adopted),
        cmocka_unit_test(a_cell_is_never_calculated_and_comes_back_as_it_was),
        cmocka_unit_test(a_bad_line_is_named_and_the_next_one_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
