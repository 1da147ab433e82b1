/* The front gate's lanes: what waits, and who is told BUSY. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "daemon/gates/gates.h"
#include "wire_world.h"

enum { ROOM_BYTES = 4 << 20, REPLIES_ROOM_BYTES = 16 << 20, TURN_TAKES = 100, A_SECOND_MS = 1000 };

struct gate {
    struct world *w;
    struct front *front;
    struct wire_socket *app;
    uint64_t sent, busy;
    int64_t now_ms;
};

static void gate_open(struct gate *g, struct world *w) {
    *g = (struct gate){ .w = w };
    assert_int_equal(front_open(&g->front, w->wire, w->ipc), 0);
    assert_int_equal(wire_connect(&g->app, w->wire, w->ipc), 0);
}

static void gate_close(struct gate *g) {
    wire_socket_close(g->app);
    front_close(g->front);
}

/* What the app has been told so far. */
static void hear(struct gate *g) {
    static uint8_t memory[REPLIES_ROOM_BYTES];
    struct wire_message m;
    struct codec_result why;
    while (wire_receive(g->app, &m) == 1) {
        struct arena room;
        arena_wrap(&room, memory, sizeof memory);
        const PbReplies *replies = codec_unpack(CODEC_REPLIES, m.frame[0], &room, &why);
        assert_non_null(replies);
        for (size_t i = 0; i < replies->n_replies; i++) {
            assert_int_equal(replies->replies[i]->refused->code, REFUSED_BUSY);
            assert_int_equal(replies->replies[i]->command_id.len, COMMAND_ID_SIZE);
            g->busy++;
        }
    }
}

/* So many more, of one kind; the gate takes them in as they come. */
static void send_on(struct gate *g, bool urgent, unsigned count) {
    static uint8_t memory[ROOM_BYTES];
    struct arena room;
    uint8_t id[COMMAND_ID_SIZE] = { 1 };
    PbReport report = { .category = (char *)"E0102" };
    PbNote note = { .text = (char *)"closer" };
    PbEnvelope e = { .has_version = 1, .version = 1, .has_command_id = 1, .command_id = { sizeof id, id } };
    e.command_case = urgent ? COMMAND_NOTE : COMMAND_REPORT;
    if (urgent) e.note = &note;
    else e.report = &report;
    arena_wrap(&room, memory, sizeof memory);
    struct slice bytes = codec_packed(CODEC_ENVELOPE, &e, &room);
    enum lane lane = urgent ? LANE_URGENT : LANE_REPORTS;
    uint64_t told_before = g->busy, waited_before = front_waiting(g->front, lane);
    for (unsigned sent = 0, tries = 0; sent < count; tries++) {
        assert_true(tries < 1000000);
        if (wire_send(g->app, NOBODY, &bytes, 1) == 0) {
            sent++;
            continue;
        }
        front_drain(g->front, g->now_ms);
        hear(g);
        usleep(100);
    }
    for (unsigned tries = 0; tries < 10000; tries++) {
        front_drain(g->front, g->now_ms);
        hear(g);
        uint64_t waiting = front_waiting(g->front, lane);
        if (waiting + g->busy >= waited_before + told_before + count && wire_readable(g->app) == false) break;
        usleep(100);
    }
}

static unsigned take(struct gate *g, unsigned most) {
    struct front_item item;
    unsigned taken = 0;
    while (taken < most && front_take(g->front, LANE_REPORTS, &item)) taken++;
    return taken;
}

/* ---- the stories ----------------------------------------------------------------------------------------------- */

static void a_burst_waits_and_nobody_is_told_busy(void **state) {
    struct gate g;
    gate_open(&g, *state);
    send_on(&g, false, LANE_REPORTS_MAX);
    assert_int_equal(front_waiting(g.front, LANE_REPORTS), LANE_REPORTS_MAX);
    assert_int_equal(g.busy, 0);
    gate_close(&g);
}

/* A turn that left some behind has shown how many it takes. */
static void overflow(struct gate *g) {
    send_on(g, false, LANE_REPORTS_MAX);
    assert_int_equal(take(g, TURN_TAKES), TURN_TAKES);
    send_on(g, false, TURN_TAKES + 1);
}

static void a_lane_that_overflows_keeps_what_a_turn_takes_and_tells_the_others_at_once(void **state) {
    struct gate g;
    gate_open(&g, *state);
    overflow(&g);
    assert_int_equal(front_waiting(g.front, LANE_REPORTS), TURN_TAKES);
    assert_int_equal(g.busy, LANE_REPORTS_MAX + 1 - TURN_TAKES);
    send_on(&g, false, 500);
    assert_int_equal(front_waiting(g.front, LANE_REPORTS), TURN_TAKES);
    gate_close(&g);
}

static void what_is_urgent_is_let_in_while_reports_are_told_busy(void **state) {
    struct gate g;
    gate_open(&g, *state);
    overflow(&g);
    uint64_t busy = g.busy;
    send_on(&g, true, LANE_URGENT_MAX);
    assert_int_equal(front_waiting(g.front, LANE_URGENT), LANE_URGENT_MAX);
    assert_int_equal(g.busy, busy);
    gate_close(&g);
}

static void a_turn_that_gets_through_is_given_a_quarter_more(void **state) {
    struct gate g;
    gate_open(&g, *state);
    overflow(&g);
    assert_int_equal(take(&g, TURN_TAKES), TURN_TAKES);
    front_drain(g.front, g.now_ms);
    send_on(&g, false, 500);
    assert_int_equal(front_waiting(g.front, LANE_REPORTS), TURN_TAKES + TURN_TAKES / 4);
    gate_close(&g);
}

static void a_second_without_busy_and_the_lane_is_long_again(void **state) {
    struct gate g;
    gate_open(&g, *state);
    overflow(&g);
    uint64_t busy = g.busy;
    take(&g, LANE_REPORTS_MAX);
    g.now_ms += A_SECOND_MS;
    front_drain(g.front, g.now_ms);
    send_on(&g, false, LANE_REPORTS_MAX);
    assert_int_equal(front_waiting(g.front, LANE_REPORTS), LANE_REPORTS_MAX);
    assert_int_equal(g.busy, busy);
    gate_close(&g);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_burst_waits_and_nobody_is_told_busy, world_open, world_close),
        cmocka_unit_test_setup_teardown(a_lane_that_overflows_keeps_what_a_turn_takes_and_tells_the_others_at_once,
                                        world_open, world_close),
        cmocka_unit_test_setup_teardown(what_is_urgent_is_let_in_while_reports_are_told_busy, world_open, world_close),
        cmocka_unit_test_setup_teardown(a_turn_that_gets_through_is_given_a_quarter_more, world_open, world_close),
        cmocka_unit_test_setup_teardown(a_second_without_busy_and_the_lane_is_long_again, world_open, world_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
