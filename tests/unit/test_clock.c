/* Broker time: forwards, never early, whatever the wall clock does. */
#include "daemon/daemon.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE, DAY = 24 * HOUR, STEP = 2 * SECOND };
#define NOON 1772424000000LL

static int64_t wall, boot;
static bool synchronised;

static int64_t read_wall(void) { return wall; }
static int64_t read_boot(void) { return boot; }
static bool read_synchronised(void) { return synchronised; }

static int setup(void **state) {
    static struct broker_clock c;
    wall = NOON, boot = 5 * MINUTE, synchronised = false;
    clock_source = (struct clock_source){.wall_ms = read_wall, .boot_ms = read_boot, .synchronised = read_synchronised};
    broker_clock_start(&c, 0, STEP);
    *state = &c;
    return 0;
}

static int teardown(void **state) {
    (void)state;
    clock_source = (struct clock_source){.wall_ms = NULL};
    return 0;
}

static void pass(int64_t ms) {
    wall += ms;
    boot += ms;
}

static void expect(struct broker_clock *c, enum clock_word word, int64_t now_ms) {
    int64_t now;
    assert_int_equal(broker_clock_read(c, &now), word);
    assert_int_equal(now, now_ms);
}

static void time_passes(void **state) {
    struct broker_clock *c = *state;
    expect(c, CLOCK_FINE, NOON);
    pass(HOUR);
    expect(c, CLOCK_FINE, NOON + HOUR);
    pass(30 * (int64_t)DAY);
    expect(c, CLOCK_FINE, NOON + HOUR + 30 * (int64_t)DAY);
}

static void an_hour_back_is_said_once_and_waited_out(void **state) {
    struct broker_clock *c = *state;
    wall -= HOUR;
    expect(c, CLOCK_DOUBT, NOON);
    for (int64_t i = 1; i <= 60; i++) {
        pass(MINUTE);
        expect(c, CLOCK_FINE, NOON + i * MINUTE);
    }
}

static void an_hour_back_is_not_followed_when_synchronised_either(void **state) {
    struct broker_clock *c = *state;
    synchronised = true;
    wall -= HOUR;
    expect(c, CLOCK_DOUBT, NOON);
    pass(SECOND);
    expect(c, CLOCK_FINE, NOON + SECOND);
}

static void a_day_ahead_is_doubted_once_and_not_followed(void **state) {
    struct broker_clock *c = *state;
    wall += DAY;
    expect(c, CLOCK_DOUBT, NOON);
    pass(SECOND);
    expect(c, CLOCK_FINE, NOON + SECOND);
}

static void a_day_ahead_is_followed_when_the_kernel_says_synchronised(void **state) {
    struct broker_clock *c = *state;
    synchronised = true;
    wall += DAY;
    expect(c, CLOCK_FOLLOW, NOON + DAY);
    pass(SECOND);
    expect(c, CLOCK_FINE, NOON + DAY + SECOND);
}

static void what_was_doubted_is_followed_when_synchronised_later(void **state) {
    struct broker_clock *c = *state;
    wall += DAY;
    expect(c, CLOCK_DOUBT, NOON);
    synchronised = true;
    pass(SECOND);
    expect(c, CLOCK_FOLLOW, NOON + DAY + SECOND);
}

static void a_step_that_is_taken_back_may_be_doubted_again(void **state) {
    struct broker_clock *c = *state;
    wall += DAY;
    expect(c, CLOCK_DOUBT, NOON);
    wall -= DAY;
    pass(SECOND);
    expect(c, CLOCK_FINE, NOON + SECOND);
    wall += DAY;
    expect(c, CLOCK_DOUBT, NOON + SECOND);
}

static void small_steps_ahead_are_followed_and_back_are_waited_out(void **state) {
    struct broker_clock *c = *state;
    wall += STEP;
    expect(c, CLOCK_FINE, NOON + STEP);
    wall -= STEP;
    expect(c, CLOCK_FINE, NOON + STEP);
    pass(SECOND);
    expect(c, CLOCK_FINE, NOON + STEP + SECOND);
}

static void a_machine_that_slept_has_got_older(void **state) {
    struct broker_clock *c = *state;
    pass(8 * HOUR);                                       /* CLOCK_BOOTTIME counts through suspend */
    expect(c, CLOCK_FINE, NOON + 8 * HOUR);
}

static void it_never_starts_before_what_the_journal_has_seen(void **state) {
    struct broker_clock *c = *state;
    broker_clock_start(c, NOON + HOUR, STEP);
    expect(c, CLOCK_DOUBT, NOON + HOUR);
    pass(MINUTE);
    expect(c, CLOCK_FINE, NOON + HOUR + MINUTE);
}

static void it_never_goes_back_whatever_happens(void **state) {
    struct broker_clock *c = *state;
    uint64_t chance = 20260214;
    int64_t before = 0, now;
    for (unsigned i = 0; i < 100000; i++) {
        chance = chance * 6364136223846793005u + 1442695040888963407u;
        boot += (int64_t)(chance >> 40 & 1023);
        wall += (int64_t)(chance >> 20 & 0xfffff) - 0x7ffff;
        synchronised = chance >> 60 & 1;
        (void)broker_clock_read(c, &now);
        assert_true(now >= before);
        before = now;
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(time_passes),
        TEST(an_hour_back_is_said_once_and_waited_out),
        TEST(an_hour_back_is_not_followed_when_synchronised_either),
        TEST(a_day_ahead_is_doubted_once_and_not_followed),
        TEST(a_day_ahead_is_followed_when_the_kernel_says_synchronised),
        TEST(what_was_doubted_is_followed_when_synchronised_later),
        TEST(a_step_that_is_taken_back_may_be_doubted_again),
        TEST(small_steps_ahead_are_followed_and_back_are_waited_out),
        TEST(a_machine_that_slept_has_got_older),
        TEST(it_never_starts_before_what_the_journal_has_seen),
        TEST(it_never_goes_back_whatever_happens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
