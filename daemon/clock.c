/* clock.c: broker time. Never early after a jump, never backwards.
 *
 * CLOCK_BOOTTIME carries time forward; the wall clock is only consulted. Small differences (ntp slewing) are followed
 * forwards at once; a step of more than step_ms is doubted until the kernel says that an outside source disciplines the
 * clock. A wall clock behind us is waited out: time goes on by boot time. */
#include "daemon/daemon.h"

void broker_clock_start(struct broker_clock *c, int64_t not_before_ms, int64_t step_ms) {
    int64_t wall = clock_wall_ms();
    *c = (struct broker_clock){ .base_boot_ms = clock_boot_ms(), .step_ms = step_ms };
    c->base_wall_ms = wall > not_before_ms ? wall : not_before_ms;       /* never before what the journal has seen */
    c->last_ms = c->base_wall_ms;
}

enum clock_word broker_clock_read(struct broker_clock *c, int64_t *ret_now_ms) {
    int64_t boot = clock_boot_ms(), wall = clock_wall_ms(), ours = c->base_wall_ms + (boot - c->base_boot_ms),
            ahead = wall - ours;
    enum clock_word word = CLOCK_FINE;
    bool step = ahead > c->step_ms || ahead < -c->step_ms;
    if (step && !c->doubting) word = CLOCK_DOUBT;
    if (step && ahead > 0 && clock_synchronised()) word = CLOCK_FOLLOW;
    if (word == CLOCK_FOLLOW || (!step && ahead > 0)) {
        c->base_wall_ms = wall;
        c->base_boot_ms = boot;
        ours = wall;
    }
    c->doubting = step && word != CLOCK_FOLLOW;
    if (ours < c->last_ms) ours = c->last_ms;
    c->last_ms = ours;
    *ret_now_ms = ours;
    return word;
}
