/* test_turn.c: a turn of a broker that has no room to write, on a wire of its own. */
#include "tests/unit/store_world.h"

#include "tests/unit/final_fault.h"

enum { FLOOD = 500, CALL_NS = 5000000, A_MOMENT_US = 200000 };

static struct daemon d;

static struct wire_socket *doors_open(struct world *w) {
    static uint8_t memory[TURN_ROOM_BYTES];
    struct wire_socket *app;
    char front[160], feed[160];
    (void)snprintf(front, sizeof front, "ipc://%s/front", w->top);
    (void)snprintf(feed, sizeof feed, "ipc://%s/feed", w->top);
    memset(&d, 0, sizeof d);
    d.store = w->store;
    d.read_only = true;
    d.wire = wire_open();
    guard_open(getuid(), false);
    arena_wrap(&d.room, memory, sizeof memory);
    assert_int_equal(front_open(&d.front, d.wire, front), 0);
    assert_int_equal(feed_open(&d.feed, d.wire, feed, d.store, false), 0);
    assert_int_equal(wire_connect(&app, d.wire, front), 0);
    return app;
}

static void doors_close(struct wire_socket *app) {
    wire_socket_close(app);
    front_close(d.front);
    feed_close(d.feed);
    wire_close(d.wire);
}

static void send_notes(struct world *w, struct wire_socket *app, unsigned count) {
    uint8_t id[COMMAND_ID_SIZE] = {1};
    PbNote note = {.text = (char *)"closer"};
    PbEnvelope e = {.has_version = 1, .version = PROTOCOL_VERSION, .has_command_id = 1,
                    .command_id = {sizeof id, id}, .command_case = COMMAND_NOTE, .note = &note};
    struct slice bytes = codec_packed(CODEC_ENVELOPE, &e, &w->room);
    for (unsigned i = 0; i < count; i++)
        while (wire_send(app, (struct wire_peer){0}, &bytes, 1) == -EAGAIN)
            usleep(100);                          /* it is not connected yet */
    usleep(A_MOMENT_US);
}

/* Every look at the clock takes half of what a turn may decide. */
static int64_t slow_clock(void) {
    static int64_t now_ns;
    return now_ns += CALL_NS;
}

static void what_arrives_takes_nothing_from_the_time_for_answers(void **state) {
    struct world *w = *state;
    const struct clock_source real = clock_source;
    world_create(w);
    struct wire_socket *app = doors_open(w);
    send_notes(w, app, FLOOD);
    clock_source.mono_ns = slow_clock;
    unsigned answered = 0;
    for (unsigned turns = 0; answered < FLOOD; turns++) {
        turn(&d);
        assert_true(d.commands > 0 || front_waiting(d.front, LANE_URGENT) == 0);
        assert_true(turns < FLOOD);
        answered += d.commands;
    }
    clock_source = real;
    doors_close(app);
    world_close(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        WORLD(what_arrives_takes_nothing_from_the_time_for_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
