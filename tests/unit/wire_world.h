/* wire_world.h: where the stories of test_wire.c happen: a directory, a context, a router, up to three dealers, and the
 * patience of an event loop. For cmocka tests: include after <cmocka.h>. */
#ifndef WIRE_WORLD_H
#define WIRE_WORLD_H
#include "lib/wire/wire.h"
#include "tests/unit/ipc_scratch.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATIENCE_MS = 10000 };

static const struct wire_peer NOBODY = {0};

/* ---- a world: one directory, one context, one router ------------------------------------------------------------ */

struct world {
    char dir[IPC_DIR_BYTES];
    char path[IPC_PATH_BYTES];                    /* of an ipc socket inside it */
    char ipc[IPC_NAME_BYTES];
    struct wire *wire;
    struct wire_socket *router;                   /* NULL until bound */
    struct wire_socket *dealers[3];               /* whoever is there; the world ends with all sockets closed */
    unsigned dealers_count;
};

static inline int world_open(void **state) {
    static struct world world;
    memset(&world, 0, sizeof(world));
    if (ipc_scratch(world.dir, world.path, world.ipc) < 0)
        return -1;
    world.wire = wire_open();
    *state = &world;
    return 0;
}

static inline void close_router(struct world *w) {
    wire_socket_close(w->router);
    w->router = NULL;
}

static inline void close_dealers(struct world *w) {
    while (w->dealers_count > 0)
        wire_socket_close(w->dealers[--w->dealers_count]);
}

static inline int world_close(void **state) {
    struct world *w = *state;
    close_dealers(w);
    close_router(w);
    wire_close(w->wire);
    unlink(w->path);
    return rmdir(w->dir);
}

static inline void bind_router(struct world *w, const char *endpoint) {
    assert_int_equal(wire_bind(&w->router, w->wire, endpoint), 0);
}

static inline struct wire_socket *dealer_at(struct world *w, const char *endpoint) {
    assert_true(w->dealers_count < COUNT_OF(w->dealers));
    struct wire_socket *d;
    assert_int_equal(wire_connect(&d, w->wire, endpoint), 0);
    return w->dealers[w->dealers_count++] = d;
}

static inline struct wire_socket *dealer(struct world *w) {
    return dealer_at(w, wire_endpoint(w->router));
}

/* ---- patience: what an event loop does, in a few lines ----------------------------------------------------------- */

static inline void sleep_until_told(struct wire_socket *s, int ms) {
    struct pollfd p = {.fd = wire_fd(s), .events = POLLIN};
    if (!wire_readable(s))
        poll(&p, 1, ms);
}

static inline bool receive_within(struct wire_socket *s, struct wire_message *ret, int ms) {
    int64_t end = clock_mono_ns() + (int64_t)ms * 1000000;
    int r;
    while ((r = wire_receive(s, ret)) == 0 && clock_mono_ns() < end)
        sleep_until_told(s, 20);
    assert_true(r >= 0);
    return r == 1;
}

static inline void receive(struct wire_socket *s, struct wire_message *ret) {
    assert_true(receive_within(s, ret, PATIENCE_MS));
}

static inline void send_to(struct wire_socket *s, struct wire_peer to, const struct slice *frames, unsigned count) {
    int64_t end = clock_mono_ns() + (int64_t)PATIENCE_MS * 1000000;
    int r;
    while ((r = wire_send(s, to, frames, count)) == -EAGAIN && clock_mono_ns() < end)
        sleep_until_told(s, 5);
    assert_int_equal(r, 0);
}

static inline void say(struct wire_socket *s, struct wire_peer to, const char *text) {
    struct slice frame = slice_of(text);
    send_to(s, to, &frame, 1);
}

static inline void assert_frame(const struct wire_message *m, unsigned i, const char *text) {
    assert_true(m->frames > i);
    assert_true(slice_equal(m->frame[i], slice_of(text)));
}

/* The dealer says hello; returns who it is to the router. */
static inline struct wire_peer introduce(struct world *w, struct wire_socket *d) {
    struct wire_message m;
    say(d, NOBODY, "hello");
    receive(w->router, &m);
    assert_frame(&m, 0, "hello");
    return m.from;
}

static inline void assert_answers(struct world *w, struct wire_socket *d) {
    struct wire_message m;
    say(w->router, introduce(w, d), "and you");
    receive(d, &m);
    assert_int_equal(m.frames, 1);
    assert_frame(&m, 0, "and you");
}
#endif
