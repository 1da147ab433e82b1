/* The drill on paper: what the city's year means on Qindu's tree, and where it is cut into windows. */
#include "ctl/drill.h"
#include "ctl/gzip.h"
#include "daemon/config/config.h"

#include <errno.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define HEADER "id,open,target,closed,ontime,status,closure,type,queue,dept,pwd,ward,precinct,source\n"
#define MINUTE 60000LL
#define HOUR (60 * MINUTE)

enum { ROWS = 121145, ON_THE_SPOT = 14653, BUDGETS_OF_NOTHING = 13, RULED = 50843, DEADLINES = 42385,
    BUDGETED = 35894 };

static const PbRules *rules;
static struct slice year;
static struct arena room;

static int rules_are_read(void **state) {
    (void)state;
    struct config_error e;
    PbRules *read = NULL;
    arena_wrap(&room, memory_or_die(CONFIG_ARENA_BYTES), CONFIG_ARENA_BYTES);
    assert_int_equal(config_load("config/drill", &room, &read, &e), 0);
    rules = read;
    return gzip_read("config/drill/boston-2015-min.csv.gz", &year);
}

static int rules_are_forgotten(void **state) {
    (void)state;
    free(room.base);
    free((void *)year.at);
    return 0;
}

static int64_t utc(const char *text) {
    int64_t ms;
    assert_true(instant_parse(slice_of(text), &ms));
    return ms;
}

static int64_t there(const char *text) {
    int64_t ms = 0;
    assert_true(local_instant_parse(rules_calendar(rules, rules->calendar), slice_of(text), &ms));
    return ms;
}

static void plan_of(struct drill_plan *p, const char *csv) {
    char problem[256];
    assert_int_equal(drill_plan_make(p, rules, slice_of(csv), 100, problem), 0);
}

static void plan_fails(const char *csv, const char *because) {
    struct drill_plan p;
    char problem[256];
    assert_int_equal(drill_plan_make(&p, rules, slice_of(csv), 100, problem), -EINVAL);
    if (!strstr(problem, because)) fail_msg("\"%s\" does not say \"%s\"", problem, because);
    drill_plan_free(&p);
}

/* ---- rows -------------------------------------------------------------------------------------------------------- */

static void an_instant_of_boston_is_five_hours_behind_utc_in_winter_and_four_in_summer(void **state) {
    (void)state;
    assert_int_equal(there("2015-01-15T08:30:00"), utc("2015-01-15T13:30:00Z"));
    assert_int_equal(there("2015-07-15T08:30:00"), utc("2015-07-15T12:30:00Z"));
    assert_int_equal(there("2015-03-08T01:59:59"), utc("2015-03-08T06:59:59Z"));
    assert_int_equal(there("2015-03-08T03:00:00"), utc("2015-03-08T07:00:00Z"));
    assert_int_equal(there("2016-01-13T00:00:00"), DRILL_END_MS);
}

static void an_hour_that_clocks_show_twice_is_its_first(void **state) {
    (void)state;
    assert_int_equal(there("2015-11-01T00:59:59"), utc("2015-11-01T04:59:59Z"));
    assert_int_equal(there("2015-11-01T01:30:00"), utc("2015-11-01T05:30:00Z"));
    assert_int_equal(there("2015-11-01T02:00:00"), utc("2015-11-01T07:00:00Z"));
}

static void what_is_no_instant_is_not_taken_for_one(void **state) {
    static const char *const wrong[] = { "", "2015-01-01", "2015-02-29T00:00:00", "2015-01-01T24:00:00",
        "2015-01-01 00:00:00", "2015-01-01T00:60:00", "2015-01-01T00:00:60", "2015-1-01T000:00:00",
        "2015-01-01T00:00:0x" };
    int64_t ms;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(wrong); i++)
        assert_false(local_instant_parse(rules_calendar(rules, rules->calendar), slice_of(wrong[i]), &ms));
}

static void a_field_in_quotes_may_hold_commas_and_quotes(void **state) {
    (void)state;
    struct slice line = SLICE("a,\"b, \"\"c\"\"\",,d");
    assert_true(slice_equal(csv_field(&line), SLICE("a")));
    assert_true(slice_equal(csv_field(&line), SLICE("b, \"\"c\"\"")));
    assert_true(slice_equal(csv_field(&line), SLICE("")));
    assert_true(slice_equal(csv_field(&line), SLICE("d")));
    assert_true(slice_equal(csv_field(&line), SLICE("")));
}

static void a_precinct_is_always_the_same_grid_and_one_that_the_rules_know(void **state) {
    struct drill_plan p;
    (void)state;
    plan_of(&p, HEADER "1,2015-01-01T00:00:00,,,ONTIME,Open,open,Animal Found,ANML,ANML,06,20,2010,call\n");
    assert_int_equal(grid_of(&p.tree, 20, 2010, 1), grid_of(&p.tree, 20, 2010, 2));
    for (uint64_t precinct = 0; precinct < 3000; precinct++)
        assert_non_null(rules_division(rules, grid_of(&p.tree, precinct / 100, precinct, precinct * 7919)));
    drill_plan_free(&p);
}

static void what_public_works_look_after_lies_outside_the_walls(void **state) {
    (void)state;
    assert_int_equal(wall_of_queue(SLICE("PWDx_Street Light Outages")), WALL_OUTSIDE);
    assert_int_equal(wall_of_queue(SLICE("ISD_Housing")), WALL_INSIDE);
    assert_int_equal(wall_of_queue(SLICE("")), WALL_INSIDE);
}

static void what_is_closed_in_ten_minutes_and_not_late_is_handled_on_the_spot(void **state) {
    struct drill_plan p;
    (void)state;
    plan_of(&p, HEADER
            "1,2015-01-05T09:00:00,2015-01-06T09:00:00,2015-01-05T09:10:00,ONTIME,,,Animal Found,Q,D,,1,101,call\n"
            "2,2015-01-05T09:00:00,2015-01-06T09:00:00,2015-01-05T09:10:01,ONTIME,,,Animal Found,Q,D,,1,101,call\n"
            "3,2015-01-05T09:00:00,2015-01-05T09:01:00,2015-01-05T09:02:00,OVERDUE,,,Animal Found,Q,D,,1,101,call\n"
            "4,2015-01-05T09:00:00,,,,,,Animal Found,Q,D,,1,101,call");
    assert_int_equal(p.rows_count, 4);
    assert_true(p.rows[0].on_the_spot);
    assert_false(p.rows[1].on_the_spot);
    assert_false(p.rows[2].on_the_spot);
    assert_false(p.rows[3].on_the_spot);
    assert_int_equal(p.steps_count, 1 + 2 + 2 + 1);
    drill_plan_free(&p);
}

static void what_closed_before_it_opened_closed_at_once_and_a_budget_is_never_negative(void **state) {
    struct drill_plan p;
    (void)state;
    plan_of(&p, HEADER
            "1,2015-01-05T09:00:00,2015-01-05T08:59:00,2015-01-05T08:59:30,ONTIME,,,Animal Found,Q,D,,1,101,call\n");
    assert_int_equal(p.rows[0].closed_ms, p.rows[0].open_ms);
    assert_int_equal(p.rows[0].target_ms, p.rows[0].open_ms);
    drill_plan_free(&p);
}

static void a_row_that_cannot_be_read_is_named_by_its_line(void **state) {
    (void)state;
    plan_fails("id,open\n", "line 1: the columns");
    plan_fails(HEADER, "no row");
    plan_fails(HEADER "x,2015-01-05T09:00:00,,,,,,Animal Found,Q,D,,1,101,call\n", "line 2: the first column");
    plan_fails(HEADER "1,yesterday,,,,,,Animal Found,Q,D,,1,101,call\n", "`open`");
    plan_fails(HEADER "1,2015-01-05T09:00:00,soon,,,,,Animal Found,Q,D,,1,101,call\n", "`target`");
    plan_fails(HEADER "1,2015-01-05T09:00:00,,never,,,,Animal Found,Q,D,,1,101,call\n", "`closed`");
    plan_fails(HEADER "1,2015-01-05T09:00:00,,,,,,Unicorns,Q,D,,1,101,call\n", "no category of that type");
    plan_fails(HEADER "1,2015-01-05T09:00:00,,,,,,Animal Found,Q,D,,1,101,call\n"
               "1,2015-01-05T09:00:00,,,,,,Animal Found,Q,D,,1,101,call\n", "two rows have the number 1");
}

/* ---- the year ---------------------------------------------------------------------------------------------------- */

static void the_year_has_the_rows_that_its_description_counts(void **state) {
    struct drill_plan p;
    char problem[256];
    unsigned spot = 0, nothing = 0, ruled = 0, working = 0, budgeted = 0, outside = 0;
    (void)state;
    if (drill_plan_make(&p, rules, year, DRILL_ROWS_MAX, problem) != 0) fail_msg("%s", problem);
    for (uint32_t i = 0; i < p.rows_count; i++) {
        const struct drill_row *r = &p.rows[i];
        spot += r->on_the_spot;
        nothing += r->target_ms == r->open_ms;
        ruled += r->target_ms && row_has_rule(r);
        working += r->target_ms && row_counts_working_days(r);
        budgeted += r->target_ms && r->closed_ms && !row_has_rule(r) && r->city != CITY_SILENT;
        outside += r->wall == WALL_OUTSIDE;
        assert_int_equal(drill_row_by_id(&p, r->id), i);
    }
    assert_int_equal(p.rows_count, ROWS);
    assert_int_equal(spot, ON_THE_SPOT);
    assert_int_equal(nothing, BUDGETS_OF_NOTHING);
    assert_int_equal(ruled, RULED);
    assert_int_equal(working, DEADLINES);
    assert_int_equal(budgeted, BUDGETED);
    assert_true(outside > ROWS / 3 && outside < ROWS / 2);
    assert_int_equal(drill_row_by_id(&p, 1), UINT32_MAX);
    drill_plan_free(&p);
}

/* Every step in one window, in order, none before its window begins; no case opened and closed in the same one. */
static void the_year_is_cut_so_that_no_case_closes_in_the_window_it_opens_in(void **state) {
    struct drill_plan p;
    char problem[256];
    (void)state;
    if (drill_plan_make(&p, rules, year, DRILL_ROWS_MAX, problem) != 0) fail_msg("%s", problem);
    struct drill_sight s = { .v_ms = utc("2015-01-01T05:00:00Z"), .end_ms = DRILL_END_MS, .next_due_ms = INT64_MAX };
    unsigned windows = 0;
    for (uint32_t next = 0; s.v_ms < s.end_ms; windows++) {
        struct drill_window w = drill_next_window(&p, next, &s);
        assert_true(w.until_ms > s.v_ms && w.until_ms <= s.end_ms);
        for (uint32_t i = next; i < next + w.steps; i++) {
            const struct drill_step *step = &p.steps[i];
            assert_true(step->at_ms > s.v_ms && step->at_ms <= w.until_ms);
            if (step->kind == STEP_REPORT && p.rows[step->row].closed_ms)
                assert_true(p.rows[step->row].closed_ms > w.until_ms);
        }
        next += w.steps;
        assert_true(next == p.steps_count || p.steps[next].at_ms > w.until_ms);
        s.v_ms = w.until_ms;
        s.answers_wait = w.steps > 0;
    }
    assert_true(windows > 30000 && windows < 60000);
    drill_plan_free(&p);
}

/* ---- windows ----------------------------------------------------------------------------------------------------- */

static const char two_rows[] = HEADER
    "1,2015-01-05T09:03:00,2015-01-05T09:04:00,2015-01-05T09:06:00,OVERDUE,,,Animal Found,Q,D,,1,101,call\n"
    "2,2015-01-05T12:34:56,,,ONTIME,,,Animal Found,Q,D,,1,101,call\n";

static struct drill_window window_at(const struct drill_plan *p, uint32_t next, struct drill_sight s) {
    if (!s.end_ms) s.end_ms = DRILL_END_MS;
    if (!s.next_due_ms) s.next_due_ms = INT64_MAX;
    return drill_next_window(p, next, &s);
}

static void a_late_row_ends_its_window_just_before_it_closes(void **state) {
    struct drill_plan p;
    (void)state;
    plan_of(&p, two_rows);
    struct drill_window w = window_at(&p, 0, (struct drill_sight){ .v_ms = there("2015-01-05T09:00:00") - 1 });
    assert_int_equal(w.until_ms, there("2015-01-05T09:06:00") - 1);
    assert_int_equal(w.steps, 1);
    w = window_at(&p, 1, (struct drill_sight){ .v_ms = w.until_ms, .answers_wait = true });
    assert_int_equal(w.until_ms, there("2015-01-05T09:10:00") - 1);
    assert_int_equal(w.steps, 1);
    drill_plan_free(&p);
}

static void where_nothing_happens_the_next_window_is_the_one_in_which_something_does(void **state) {
    struct drill_plan p;
    (void)state;
    plan_of(&p, two_rows);
    struct drill_sight s = { .v_ms = there("2015-01-05T09:10:00") - 1 };
    assert_int_equal(window_at(&p, 2, s).until_ms, there("2015-01-05T12:40:00") - 1);
    s.next_due_ms = there("2015-01-05T10:00:00");
    assert_int_equal(window_at(&p, 2, s).until_ms, there("2015-01-05T10:10:00") - 1);
    assert_int_equal(window_at(&p, 2, s).steps, 0);
    s.answers_wait = true;
    assert_int_equal(window_at(&p, 2, s).until_ms, there("2015-01-05T09:20:00") - 1);
    drill_plan_free(&p);
}

static void the_last_window_ends_with_the_drill(void **state) {
    struct drill_plan p;
    (void)state;
    plan_of(&p, two_rows);
    struct drill_sight s = { .v_ms = there("2015-01-05T12:00:00"), .end_ms = there("2015-01-05T12:33:00") };
    struct drill_window w = window_at(&p, 2, s);
    assert_int_equal(w.until_ms, s.end_ms);
    assert_int_equal(w.steps, 0);
    s = (struct drill_sight){ .v_ms = there("2015-01-05T13:00:00") };
    assert_int_equal(window_at(&p, 3, s).until_ms, DRILL_END_MS);
    drill_plan_free(&p);
}

static void a_crowd_is_spread_over_windows_and_one_at_a_single_instant_is_refused(void **state) {
    enum { CROWD = DRILL_STEPS_MAX + 88, LINE = 96 };
    struct drill_plan p;
    char problem[256], *csv = calloc(CROWD + 2, LINE);
    (void)state;
    assert_non_null(csv);
    for (int spread = 1; spread >= 0; spread--) {
        size_t used = (size_t)snprintf(csv, LINE, HEADER);
        for (int i = 0; i < CROWD; i++)
            used += (size_t)snprintf(csv + used, LINE, "%d,2015-01-05T09:%02d:00,,,,,,Animal Found,Q,D,,1,101,call\n",
                                     i + 1, spread ? i / 100 : 0);
        int r = drill_plan_make(&p, rules, slice_from(csv, used), CROWD, problem);
        assert_int_equal(r, spread ? 0 : -EINVAL);
        if (!spread) break;
        struct drill_window w = window_at(&p, 0, (struct drill_sight){ .v_ms = there("2015-01-05T09:00:00") - 1 });
        assert_int_equal(w.steps, 500);
        assert_int_equal(w.until_ms, there("2015-01-05T09:05:00") - 1);
        drill_plan_free(&p);
    }
    assert_non_null(strstr(problem, "at one instant"));
    drill_plan_free(&p);
    free(csv);
}

/* ---- the file ---------------------------------------------------------------------------------------------------- */

static void a_gzipped_file_that_ends_early_is_not_taken_for_a_short_year(void **state) {
    char path[] = "/tmp/whistle-gzip-XXXXXX", bytes[4096];
    struct slice got;
    (void)state;
    int fd = mkstemp(path);
    FILE *from = fopen("config/drill/boston-2015-min.csv.gz", "rb"), *to = fdopen(fd, "wb");
    assert_true(from && to && fread(bytes, sizeof bytes, 1, from) == 1 && fwrite(bytes, sizeof bytes, 1, to) == 1);
    fclose(from);
    fclose(to);
    assert_int_equal(gzip_read(path, &got), -EBADMSG);
    unlink(path);
    assert_int_equal(gzip_read(path, &got), -ENOENT);
}

/* ---- what is heard ----------------------------------------------------------------------------------------------- */

static void the_lead_answers_last_and_a_party_keeps_its_number(void **state) {
    struct ctl c = { .language = LANGUAGE_EN };
    struct drill *d = memory_or_die(sizeof *d);
    PbAsk lead = { .party = (char *)"dept-water@610402", .has_lead = 1, .lead = 1 };
    PbAsk helper = { .party = (char *)"dept-power@610402" }, *asks[] = { &lead, &helper };
    PbReported reported = { .external_id = (char *)"2" };
    PbDispatched dispatched = { .stage = 3, .attempt = 2, .n_asks = 2, .asks = asks };
    PbEvent first = { .event_case = EVENT_REPORTED, .reported = &reported };
    PbEvent second = { .event_case = EVENT_DISPATCHED, .dispatched = &dispatched }, *events[] = { &first, &second };
    PbUpdate update = { .first_seq = 7, .case_id = 7, .n_events = 2, .events = events };
    struct row_case cases[2] = { { .id = 0 } };
    uint32_t row_of_case[16] = { 0 }, queue[2];
    uint8_t told[16] = { 0 };
    (void)state;
    plan_of(&d->plan, two_rows);
    d->ctl = &c, d->cases = cases, d->row_of_case = row_of_case, d->queue = queue, d->told = told;
    d->parties = memory_or_die(DRILL_PARTIES_MAX * sizeof *d->parties);
    d->party_slots = memory_or_die(2 * DRILL_PARTIES_MAX * sizeof *d->party_slots);
    assert_int_equal(drill_hear_update(d, &(struct whistle_update){ .seq = 8, .update = &update }), 0);
    assert_int_equal(cases[1].id, 7);
    assert_int_equal(cases[1].handlers.count, 2);
    assert_string_equal(d->parties[cases[1].handlers.party[0]], helper.party);
    assert_string_equal(d->parties[cases[1].handlers.party[1]], lead.party);
    assert_int_equal(drill_party(d, lead.party), cases[1].handlers.party[1]);
    assert_int_equal(d->queue_count, 1);
    assert_int_equal(d->queue[0], 1);
    assert_int_equal(told[1], 1);
    assert_int_equal(d->funnel.open, 1);
    free(d->parties);
    free(d->party_slots);
    drill_plan_free(&d->plan);
    free(d);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_instant_of_boston_is_five_hours_behind_utc_in_winter_and_four_in_summer),
        cmocka_unit_test(an_hour_that_clocks_show_twice_is_its_first),
        cmocka_unit_test(what_is_no_instant_is_not_taken_for_one),
        cmocka_unit_test(a_field_in_quotes_may_hold_commas_and_quotes),
        cmocka_unit_test(a_precinct_is_always_the_same_grid_and_one_that_the_rules_know),
        cmocka_unit_test(what_public_works_look_after_lies_outside_the_walls),
        cmocka_unit_test(what_is_closed_in_ten_minutes_and_not_late_is_handled_on_the_spot),
        cmocka_unit_test(what_closed_before_it_opened_closed_at_once_and_a_budget_is_never_negative),
        cmocka_unit_test(a_row_that_cannot_be_read_is_named_by_its_line),
        cmocka_unit_test(the_year_has_the_rows_that_its_description_counts),
        cmocka_unit_test(the_year_is_cut_so_that_no_case_closes_in_the_window_it_opens_in),
        cmocka_unit_test(a_late_row_ends_its_window_just_before_it_closes),
        cmocka_unit_test(where_nothing_happens_the_next_window_is_the_one_in_which_something_does),
        cmocka_unit_test(the_last_window_ends_with_the_drill),
        cmocka_unit_test(a_crowd_is_spread_over_windows_and_one_at_a_single_instant_is_refused),
        cmocka_unit_test(a_gzipped_file_that_ends_early_is_not_taken_for_a_short_year),
        cmocka_unit_test(the_lead_answers_last_and_a_party_keeps_its_number),
    };
    return cmocka_run_group_tests(tests, rules_are_read, rules_are_forgotten);
}
