/* test_waits.c: whose timer is whose, and how much of it is used. */
#include "daemon/kernel/waits.h"
#include "tests/unit/rules_fixture.h"

#include <setjmp.h>
#include <string.h>

#include <cmocka.h>

#define NOW 1772413200000LL
#define HOUR 3600000LL

static struct case_state c;

static void arm(PbTimerKind kind, int64_t due_ms, bool stopped) {
    c.timers[c.timers_count++] = (struct timer){ .kind = (uint8_t)kind, .unit = UNIT_CLOCK_HOURS, .start_ms = NOW,
                                                 .due_ms = due_ms, .stopped = stopped };
}

/* A case of that state, asked at (1, 1), without any timer yet. */
static const struct ask *a_case(PbState state, uint8_t status) {
    c = (struct case_state){ .id = 7, .state = (uint8_t)state, .stage = 1, .attempt = 1, .level = LEVEL_STREET,
                             .opened_at_ms = NOW, .asks_count = 1 };
    c.asks[0] = (struct ask){ .party = "a@610402", .stage = 1, .attempt = 1, .status = status, .asked_at_ms = NOW };
    return &c.asks[0];
}

static void each_waits_for_the_soonest_of_its_own_timers(void **state) {
    (void)state;
    const struct ask *a = a_case(STATE_DISPATCHED, ASK_OPEN);
    arm(TIMER_HANDLING, NOW + 3 * HOUR, false);
    arm(TIMER_ACCEPT, NOW + HOUR, false);
    arm(TIMER_REMIND, NOW + 1, false);
    arm(TIMER_DESK, NOW + 2, false);
    assert_int_equal(wait_of(&c, a).kind, TIMER_ACCEPT);
    c.asks[0].status = ASK_ACCEPTED;
    assert_int_equal(wait_of(&c, a).kind, TIMER_HANDLING);
    arm(TIMER_PROMISE, NOW + 2 * HOUR, false);
    assert_int_equal(wait_of(&c, a).kind, TIMER_PROMISE);
    assert_int_equal(wait_of(&c, NULL).kind, TIMER_DESK);
    c.state = STATE_RESOLVED;
    arm(TIMER_VERIFY, NOW + 9 * HOUR, false);
    assert_int_equal(wait_of(&c, a).kind, TIMER_VERIFY);
}

static void what_stands_still_is_not_waited_for(void **state) {
    (void)state;
    const struct ask *a = a_case(STATE_SUSPENDED, ASK_ACCEPTED);
    arm(TIMER_HANDLING, NOW + HOUR, true);
    arm(TIMER_REVIEW, NOW + 9 * HOUR, false);
    assert_int_equal(wait_of(&c, a).kind, TIMER_REVIEW);
}

static void an_ask_below_waits_for_the_promise_or_is_over(void **state) {
    (void)state;
    const struct ask *a = a_case(STATE_ACCEPTED, ASK_ACCEPTED);
    c.stage = 2;
    arm(TIMER_DESK, NOW + 5 * HOUR, false);
    struct wait w = wait_of(&c, a);
    assert_int_equal(w.kind, TIMER_DESK);                     /* nothing is its own: what the case waits for */
    c.handling_due_ms = NOW + HOUR;
    w = wait_of(&c, a);
    assert_int_equal(w.kind, TIMER_HANDLING);
    assert_true(w.due_ms == NOW + HOUR && w.start_ms == NOW);
    arm(TIMER_PROMISE, NOW + 7 * HOUR, false);
    assert_int_equal(wait_of(&c, a).kind, TIMER_PROMISE);
}

static void a_desk_waits_on_the_level_that_has_the_case(void **state) {
    (void)state;
    a_case(STATE_ACCEPTED, ASK_ENDED);
    assert_true(case_waits_for_desk(&c, LEVEL_STREET));
    assert_false(case_waits_for_desk(&c, LEVEL_COMMUNITY));
    c.state = STATE_DISPATCHED;
    assert_false(case_waits_for_desk(&c, LEVEL_STREET));
}

static void the_share_is_100_when_it_is_due_and_never_before(void **state) {
    (void)state;
    const PbRules *rules = fixture_rules();
    const PbCalendar *calendar = rules_calendar(rules, rules->calendar);
    struct wait w = { TIMER_HANDLING, UNIT_CLOCK_HOURS, NOW, NOW + 100 };
    assert_int_equal(wait_percent(&w, calendar, NOW - 5), 0);
    assert_int_equal(wait_percent(&w, calendar, NOW), 0);
    assert_int_equal(wait_percent(&w, calendar, NOW + 50), 50);
    assert_int_equal(wait_percent(&w, calendar, NOW + 99), 99);
    assert_int_equal(wait_percent(&w, calendar, NOW + 100), 100);
    assert_int_equal(wait_percent(&w, calendar, NOW + 250), 250);
    assert_int_equal(wait_percent(&w, calendar, INSTANT_MS_MAX), 1000000);
    w.due_ms = w.start_ms;                                    /* a limit without length */
    assert_int_equal(wait_percent(&w, calendar, NOW), 100);
}

/* A case keeps the rules that it was made under; its calendar is that of other rules where it was told so. */
static void a_case_goes_by_the_calendar_of_its_playbook(void **state) {
    (void)state;
    const PbRules *own = fixture_rules();
    PbCalendar holidays = *rules_calendar(own, own->calendar), *calendars[] = { &holidays };
    PbRules later = *own;
    later.n_calendars = 1, later.calendars = calendars;
    a_case(STATE_ACCEPTED, ASK_ENDED);
    c.playbook = 1;
    assert_ptr_equal(case_calendar(&c, own, NULL), rules_calendar(own, own->calendar));
    assert_ptr_equal(case_calendar(&c, own, &later), &holidays);
    holidays.name = (char *)"renamed";                        /* not there any more: its own, then */
    assert_ptr_equal(case_calendar(&c, own, &later), rules_calendar(own, own->calendar));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_waits_for_the_soonest_of_its_own_timers),
        cmocka_unit_test(what_stands_still_is_not_waited_for),
        cmocka_unit_test(an_ask_below_waits_for_the_promise_or_is_over),
        cmocka_unit_test(a_desk_waits_on_the_level_that_has_the_case),
        cmocka_unit_test(the_share_is_100_when_it_is_due_and_never_before),
        cmocka_unit_test(a_case_goes_by_the_calendar_of_its_playbook),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
