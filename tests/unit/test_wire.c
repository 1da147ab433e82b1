/* test_wire.c: the promises of lib/wire/wire.h, against real sockets. Where a peer must misbehave it is a raw one. */
#include "lib/wire/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/raw_peer.h"
#include "tests/unit/wire_world.h"

/* ---- taking and giving ------------------------------------------------------------------------------------------- */

static void messages_cross_over_ipc_and_tcp_with_all_their_frames(void **state) {
    struct world *w = *state;
    const char *endpoints[] = {w->ipc, "tcp://127.0.0.1:0", "tcp://127.0.0.1:*", "tcp://[::1]:0"};
    for (size_t i = 0; i < COUNT_OF(endpoints); i++) {
        bind_router(w, endpoints[i]);
        struct wire_socket *d = dealer(w);
        struct slice frames[] = {SLICE("one"), SLICE("two"), SLICE(""), SLICE("a fourth, too long to be inline")};
        struct wire_message m;

        send_to(d, NOBODY, frames, 4);
        receive(w->router, &m);
        assert_int_equal(m.frames, 4);
        for (unsigned f = 0; f < 4; f++)
            assert_true(slice_equal(m.frame[f], frames[f]));

        send_to(w->router, m.from, frames, 3);
        receive(d, &m);
        assert_int_equal(m.frames, 3);
        for (unsigned f = 0; f < 3; f++)
            assert_true(slice_equal(m.frame[f], frames[f]));
        assert_int_equal(m.frame[3].len, 0);

        close_dealers(w);
        close_router(w);
    }
}

static void an_empty_frame_is_a_frame(void **state) {
    struct world *w = *state;
    bind_router(w, w->ipc);
    struct wire_socket *d = dealer(w);
    struct wire_message m;
    say(d, NOBODY, "");
    receive(w->router, &m);
    assert_int_equal(m.frames, 1);
    assert_int_equal(m.frame[0].len, 0);
    assert_string_not_equal(m.address, "");
}

static void nothing_waiting_is_zero_and_leaves_the_message_alone(void **state) {
    struct world *w = *state;
    bind_router(w, w->ipc);
    struct wire_message m = {.frames = 77};
    assert_int_equal(wire_receive(w->router, &m), 0);
    assert_int_equal(m.frames, 77);
    assert_false(wire_readable(w->router));
}

static void five_frames_are_counted_and_not_kept(void **state) {
    struct world *w = *state;
    bind_router(w, w->ipc);
    int fd = raw_connect(w->path, SLICE(""));
    struct wire_message m;
    for (int i = 0; i < 5; i++)
        raw_frame(fd, i < 4, "content", 7);
    raw_frame(fd, false, "after", 5);

    receive(w->router, &m);
    assert_int_equal(m.frames, 5);
    for (unsigned i = 0; i < WIRE_FRAMES_MAX; i++)
        assert_null(m.frame[i].at);
    assert_int_equal(m.address[0], ':');
    receive(w->router, &m);                       /* nothing of it is left in the way */
    assert_int_equal(m.frames, 1);
    assert_frame(&m, 0, "after");
    close(fd);
}

static void half_a_message_is_no_message(void **state) {
    struct world *w = *state;
    bind_router(w, w->ipc);
    struct wire_message m;
    int quitter = raw_connect(w->path, SLICE(""));
    raw_frame(quitter, true, "half", 4);
    int slow = raw_connect(w->path, SLICE(""));
    raw_frame(slow, true, "one", 3);
    assert_false(receive_within(w->router, &m, 100));

    close(quitter);
    raw_frame(slow, false, "two", 3);
    receive(w->router, &m);
    assert_int_equal(m.frames, 2);
    assert_frame(&m, 0, "one");
    assert_frame(&m, 1, "two");
    assert_false(receive_within(w->router, &m, 100));
    close(slow);
}

static void an_oversize_frame_closes_that_peer_only(void **state) {
    struct world *w = *state;
    bind_router(w, w->ipc);
    struct wire_socket *d = dealer(w);
    struct wire_message m;
    uint8_t *bytes = calloc(1, WIRE_FRAME_BYTES_HEARD + 1);
    assert_non_null(bytes);

    struct slice largest = slice_from(bytes, WIRE_FRAME_BYTES_MAX);
    send_to(d, NOBODY, &largest, 1);
    receive(w->router, &m);
    assert_true(slice_equal(m.frame[0], largest));

    int fd = raw_connect(w->path, SLICE(""));
    raw_frame(fd, false, bytes, WIRE_FRAME_BYTES_HEARD + 1);
    assert_hung_up(fd);
    assert_answers(w, d);
    assert_false(receive_within(w->router, &m, 50));
    free(bytes);
}

/* ---- who is it --------------------------------------------------------------------------------------------------- */

static void the_address_is_the_connections_own(void **state) {
    struct world *w = *state;
    char me[WIRE_ADDRESS_MAX];
    snprintf(me, sizeof(me), ":%u:%u:%d", getuid(), getgid(), getpid());
    const struct { const char *endpoint, *address; } cases[] = {
        {w->ipc, me}, {"tcp://127.0.0.1:0", "127.0.0.1"}, {"tcp://[::1]:0", "::1"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        bind_router(w, cases[i].endpoint);
        struct wire_socket *d = dealer(w);
        struct wire_message m;
        for (int n = 0; n < 10; n++)
            say(d, NOBODY, "who am I");
        for (int n = 0; n < 10; n++) {            /* with and without libzmq having looked ahead */
            receive(w->router, &m);
            assert_string_equal(m.address, cases[i].address);
            if (n % 2 == 0)
                wire_readable(w->router);
        }
        close_dealers(w);
        close_router(w);
    }
}

static void a_peer_that_names_itself_is_not_heard_but_counted(void **state) {
    struct world *w = *state;
    bind_router(w, w->ipc);
    struct wire_message m;
    int five = raw_connect(w->path, SLICE("alice")), three = raw_connect(w->path, SLICE("bob"));
    for (int i = 0; i < 100; i++) {
        raw_frame(five, true, "let me", 6);
        raw_frame(five, false, "in", 2);
    }
    raw_frame(three, false, "me too", 6);
    int64_t end = clock_mono_ns() + (int64_t)PATIENCE_MS * 1000000;
    while (wire_dropped(w->router) < 101 && clock_mono_ns() < end)
        assert_false(receive_within(w->router, &m, 20));
    assert_int_equal(wire_dropped(w->router), 101);

    assert_answers(w, dealer(w));
    close(five);
    close(three);
}

static void routing_ids_start_where_nobody_can_guess(void **state) {
    struct world *w = *state;
    uint32_t first[2];
    for (int i = 0; i < 2; i++) {
        wire_close(w->wire);
        srand(1);                                 /* as in a process that never seeded: libzmq would say 006b8b4567 */
        w->wire = wire_open();
        bind_router(w, w->ipc);
        first[i] = introduce(w, dealer(w)).id;
        close_dealers(w);
        close_router(w);
    }
    assert_int_not_equal(first[0], 0x6b8b4567);
    assert_int_not_equal(first[0], first[1]);
}

/* ---- full, gone and back ----------------------------------------------------------------------------------------- */

static void an_unknown_peer_is_unreachable(void **state) {
    struct world *w = *state;
    bind_router(w, w->ipc);
    struct wire_socket *d = dealer(w);
    struct wire_peer peer = introduce(w, d);
    struct slice frame = SLICE("anybody");
    assert_int_equal(wire_send(w->router, (struct wire_peer){peer.id + 1000}, &frame, 1), -EHOSTUNREACH);
    assert_answers(w, d);

    close_dealers(w);
    int64_t end = clock_mono_ns() + (int64_t)PATIENCE_MS * 1000000;
    int r;
    while ((r = wire_send(w->router, peer, &frame, 1)) != -EHOSTUNREACH && clock_mono_ns() < end)
        sleep_until_told(w->router, 5);
    assert_int_equal(r, -EHOSTUNREACH);
}

static void a_dealer_with_nobody_there_is_full(void **state) {
    struct world *w = *state;
    struct wire_socket *d = dealer_at(w, w->ipc);
    struct slice frame = SLICE("anybody");
    assert_int_equal(wire_send(d, NOBODY, &frame, 1), -EAGAIN);
    bind_router(w, w->ipc);                       /* the broker comes later */
    assert_answers(w, d);
}

static void a_dealer_finds_a_restarted_broker(void **state) {
    struct world *w = *state;
    bind_router(w, w->ipc);
    struct wire_socket *d = dealer(w);
    assert_answers(w, d);
    close_router(w);
    int r;                                        /* the old socket lets go on libzmq's own thread */
    while ((r = wire_bind(&w->router, w->wire, w->ipc)) == -EADDRINUSE)
        usleep(1000);
    assert_int_equal(r, 0);

    /* What was said to the dying connection is lost, so say it until it is heard. */
    struct wire_message m;
    struct slice frame = SLICE("hello again");
    do
        wire_send(d, NOBODY, &frame, 1);
    while (!receive_within(w->router, &m, 50));
    assert_frame(&m, 0, "hello again");
}

static void a_peer_that_never_reads_fills_up_and_hurts_nobody_else(void **state) {
    struct world *w = *state;
    bind_router(w, "tcp://127.0.0.1:0");
    struct wire_socket *deaf = dealer(w), *other = dealer(w);
    struct wire_peer peer = introduce(w, deaf);
    static uint8_t bytes[4096];
    uint8_t count[8];
    struct slice frames[] = {slice_from(count, sizeof(count)), slice_from(bytes, sizeof(bytes))};
    uint64_t sent = 0, refused = 0;
    while (sent < 50000 && refused < 5) {         /* five refusals with time in between: really full */
        put_be64(count, sent);
        int r = wire_send(w->router, peer, frames, 2);
        assert_true(r == 0 || r == -EAGAIN);
        sent += r == 0;
        refused = r == 0 ? 0 : refused + 1;
        if (r == -EAGAIN)
            sleep_until_told(w->router, 50);
    }
    assert_int_equal(refused, 5);
    assert_answers(w, other);

    /* It wakes up: exactly what was accepted arrives, whole and in order. */
    struct wire_message m;
    for (uint64_t i = 0; i < sent; i++) {
        receive(deaf, &m);
        assert_int_equal(m.frames, 2);
        assert_int_equal(get_be64(m.frame[0].at), i);
        assert_int_equal(m.frame[1].len, sizeof(bytes));
    }
    say(w->router, peer, "room again");
    receive(deaf, &m);
    assert_frame(&m, 0, "room again");
}

/* ---- the readiness trap ------------------------------------------------------------------------------------------ */

enum { PIPELINED = 20000, WINDOW = 1000, BUDGET = 8, STALL_MS = 3000 };

/* Keeps WINDOW messages on their way until PIPELINED came back; returns how many did. */
static void *pipeliner(void *arg) {
    struct wire_socket *d = arg;
    struct wire_message m;
    struct slice frame = SLICE("round and round");
    intptr_t sent = 0, back = 0;
    int64_t end = clock_mono_ns() + (int64_t)2 * PATIENCE_MS * 1000000;
    while (back < PIPELINED && clock_mono_ns() < end) {
        if (sent < PIPELINED && sent - back < WINDOW && wire_send(d, NOBODY, &frame, 1) == 0)
            sent++;
        else if (wire_receive(d, &m) == 1)
            back++;
        else
            sleep_until_told(d, 5);
    }
    return (void *)back;
}

static void a_loop_that_asks_before_it_sleeps_never_stalls(void **state) {
    struct world *w = *state;
    bind_router(w, w->ipc);
    struct wire_socket *d = dealer(w);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, pipeliner, d), 0);

    struct pollfd p = {.fd = wire_fd(w->router), .events = POLLIN};
    unsigned taken = 0, refused = 0;
    bool stalled = false;
    while (taken < PIPELINED && !stalled) {
        if (!wire_readable(w->router))
            stalled = poll(&p, 1, STALL_MS) == 0;
        struct wire_message m;
        for (unsigned i = 0; i < BUDGET && wire_receive(w->router, &m) == 1; i++, taken++)
            refused += wire_send(w->router, m.from, m.frame, m.frames) != 0;
    }
    void *back;
    pthread_join(thread, &back);
    assert_false(stalled);
    assert_int_equal(refused, 0);
    assert_int_equal(taken, PIPELINED);
    assert_int_equal((intptr_t)back, PIPELINED);
}

/* ---- binding ----------------------------------------------------------------------------------------------------- */

static void assert_refused(struct world *w, const char *endpoint, int error) {
    struct wire_socket *s = NULL;
    int r = wire_bind(&s, w->wire, endpoint);
    wire_socket_close(s);                         /* NULL, unless this test is about to fail */
    assert_int_equal(r, error);
    assert_null(s);
}

static void a_used_endpoint_is_not_stolen(void **state) {
    struct world *w = *state;
    const char *endpoints[] = {"tcp://127.0.0.1:0", w->ipc};
    for (size_t i = 0; i < COUNT_OF(endpoints); i++) {
        bind_router(w, endpoints[i]);
        assert_refused(w, wire_endpoint(w->router), -EADDRINUSE);
        assert_answers(w, dealer(w));
        close_dealers(w);
        close_router(w);
    }
}

static void a_socket_left_over_from_an_earlier_life_is_replaced(void **state) {
    struct world *w = *state;
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    memcpy(to.sun_path, w->path, strlen(w->path));
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&to, sizeof(to)), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_refused(w, w->ipc, -EADDRINUSE);       /* still alive */
    close(fd);

    bind_router(w, w->ipc);
    struct stat st;
    assert_int_equal(stat(w->path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0660);
    assert_answers(w, dealer(w));
}

static void a_file_at_the_path_is_left_alone(void **state) {
    struct world *w = *state;
    int fd = open(w->path, O_CREAT | O_WRONLY, 0600);
    assert_true(fd >= 0);
    close(fd);
    assert_refused(w, w->ipc, -EEXIST);
    assert_int_equal(access(w->path, F_OK), 0);
}

static void endpoints_that_make_no_sense_are_refused(void **state) {
    struct world *w = *state;
    char lengthy[6 + 109] = "ipc://";
    memset(lengthy + 6, '/', 108);
    const struct { const char *endpoint; int error; } cases[] = {
        {"", -EINVAL},
        {"ipc://relative", -EINVAL},
        {"ipc://@abstract", -EINVAL},
        {"ipc://*", -EINVAL},
        {"inproc://inside", -EINVAL},
        {"tcp://127.0.0.1", -EINVAL},
        {"tcp://127.0.0.1:", -EINVAL},
        {"tcp://127.0.0.1:65536", -EINVAL},
        {"tcp://127.0.0.1:-1", -EINVAL},
        {"tcp://no.such.card:1", -EINVAL},
        {lengthy, -ENAMETOOLONG},
        {"ipc:///no/such/directory/gate", -ENOENT},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_refused(w, cases[i].endpoint, cases[i].error);
    struct wire_socket *s = NULL;
    assert_int_equal(wire_connect(&s, w->wire, "tcp://127.0.0.1:99999"), -EINVAL);
    assert_int_equal(wire_connect(&s, w->wire, lengthy), -ENAMETOOLONG);
    assert_null(s);
}

/* ---- sharing ----------------------------------------------------------------------------------------------------- */

static void a_shared_payload_outlives_its_sender(void **state) {
    struct world *w = *state;
    bind_router(w, w->ipc);
    struct wire_socket *d[3];
    struct wire_peer peer[3];
    for (unsigned i = 0; i < 3; i++) {
        d[i] = dealer(w);
        peer[i] = introduce(w, d[i]);
    }
    static const size_t sizes[] = {0, 10, 33, 34, 300, 100000};
    static uint8_t bytes[100000];
    memset(bytes, 'x', sizeof(bytes));
    for (size_t n = 0; n < COUNT_OF(sizes); n++) {
        struct slice payload = slice_from(bytes, sizes[n]);
        struct wire_shared *b = wire_share(payload);
        assert_non_null(b);
        assert_true(slice_equal(wire_shared_bytes(b), payload));
        for (unsigned i = 0; i < 3; i++)
            assert_int_equal(wire_send_shared(w->router, peer[i], slice_of(i == 1 ? "second" : "other"), b), 0);
        struct wire_peer gone = {peer[0].id + 1000};
        assert_int_equal(wire_send_shared(w->router, gone, SLICE("?"), b), -EHOSTUNREACH);
        wire_unshare(b);
        for (unsigned i = 0; i < 3; i++) {
            struct wire_message m;
            receive(d[i], &m);
            assert_int_equal(m.frames, 2);
            assert_frame(&m, 0, i == 1 ? "second" : "other");
            assert_true(slice_equal(m.frame[1], payload));
        }
    }
}

#define STORY(f) cmocka_unit_test_setup_teardown(f, world_open, world_close)

int main(void) {
    const struct CMUnitTest tests[] = {
        STORY(messages_cross_over_ipc_and_tcp_with_all_their_frames),
        STORY(an_empty_frame_is_a_frame),
        STORY(nothing_waiting_is_zero_and_leaves_the_message_alone),
        STORY(five_frames_are_counted_and_not_kept),
        STORY(half_a_message_is_no_message),
        STORY(an_oversize_frame_closes_that_peer_only),
        STORY(the_address_is_the_connections_own),
        STORY(a_peer_that_names_itself_is_not_heard_but_counted),
        STORY(routing_ids_start_where_nobody_can_guess),
        STORY(an_unknown_peer_is_unreachable),
        STORY(a_dealer_with_nobody_there_is_full),
        STORY(a_dealer_finds_a_restarted_broker),
        STORY(a_peer_that_never_reads_fills_up_and_hurts_nobody_else),
        STORY(a_loop_that_asks_before_it_sleeps_never_stalls),
        STORY(a_used_endpoint_is_not_stolen),
        STORY(a_socket_left_over_from_an_earlier_life_is_replaced),
        STORY(a_file_at_the_path_is_left_alone),
        STORY(endpoints_that_make_no_sense_are_refused),
        STORY(a_shared_payload_outlives_its_sender),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
