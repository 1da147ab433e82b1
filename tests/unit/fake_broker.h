/* fake_broker.h: a broker made of one gate and a test's patience, in the test's own thread. For cmocka tests: include
 * after <cmocka.h>. */
#ifndef FAKE_BROKER_H
#define FAKE_BROKER_H
#include "lib/client/whistle.h"
#include "lib/wire/wire.h"
#include "tests/unit/ipc_scratch.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { PATIENCE_MS = 10000, MESSAGE_ROOM = 1 << 20 };

/* ---- time: the real one, and as much more as a test adds --------------------------------------------------------- */

static int64_t time_added_ns;

static inline int64_t later_mono_ns(void) {
    int64_t (*added)(void) = clock_source.mono_ns;
    clock_source.mono_ns = NULL;
    int64_t now = clock_mono_ns();
    clock_source.mono_ns = added;
    return now + time_added_ns;
}

static inline void time_passes_ms(int64_t ms) {
    time_added_ns += ms * 1000000;
}

/* ---- the broker -------------------------------------------------------------------------------------------------- */

struct broker {
    char dir[IPC_DIR_BYTES], path[IPC_PATH_BYTES], ipc[IPC_NAME_BYTES];
    struct wire *wire;
    struct wire_socket *gate;                     /* NULL: it is down */
    struct wire_peer peer;                        /* who spoke last */
    struct arena room;
    uint64_t session_seq;                         /* of a feed */
};

static inline int broker_open(void **state) {
    static struct broker broker;
    memset(&broker, 0, sizeof(broker));
    time_added_ns = 0;
    clock_source.mono_ns = later_mono_ns;
    if (ipc_scratch(broker.dir, broker.path, broker.ipc) < 0)
        return -1;
    broker.wire = wire_open();
    arena_wrap(&broker.room, memory_or_die(MESSAGE_ROOM), MESSAGE_ROOM);
    *state = &broker;
    return wire_bind(&broker.gate, broker.wire, broker.ipc);
}

static inline bool broker_listens(const struct broker *b) {
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    memcpy(to.sun_path, b->path, strlen(b->path));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    bool listens = connect(fd, (const struct sockaddr *)&to, sizeof(to)) == 0;
    close(fd);
    return listens;
}

/* What was sent and not heard is lost, as with a broker that is killed. libzmq closes its socket behind our back, and
 * until it has, somebody could still connect. */
static inline void broker_dies(struct broker *b) {
    wire_socket_close(b->gate);
    b->gate = NULL;
    for (int i = 0; broker_listens(b) && i < 1000; i++)
        poll(NULL, 0, 1);
}

static inline void broker_starts(struct broker *b) {
    assert_null(b->gate);
    assert_int_equal(wire_bind(&b->gate, b->wire, b->ipc), 0);
}

static inline int broker_close(void **state) {
    struct broker *b = *state;
    wire_socket_close(b->gate);
    wire_close(b->wire);
    free(b->room.base);
    unlink(b->path);
    clock_source.mono_ns = NULL;
    return rmdir(b->dir);
}

/* Takes one frame if one is there, as a message of its type. NULL: none. */
static inline void *broker_poll(struct broker *b, enum codec_type type, struct slice *ret_bytes) {
    struct wire_message m;
    struct codec_result why;
    if (b->gate == NULL || wire_receive(b->gate, &m) != 1)
        return NULL;
    assert_int_equal(m.frames, 1);
    b->peer = m.from;
    arena_reset(&b->room);
    struct slice kept = arena_copy(&b->room, m.frame[0]);
    void *message = codec_unpack(type, kept, &b->room, &why);
    assert_non_null(message);
    if (ret_bytes != NULL)
        *ret_bytes = kept;
    return message;
}

static inline void broker_say(struct broker *b, const struct slice *frames, unsigned count) {
    assert_int_equal(wire_send(b->gate, b->peer, frames, count), 0);
}

static inline void broker_say_message(struct broker *b, enum codec_type type, void *message) {
    static uint8_t memory[64 << 10];
    struct arena room;
    arena_wrap(&room, memory, sizeof(memory));
    struct slice bytes = codec_packed(type, message, &room);
    assert_non_null(bytes.at);
    broker_say(b, &bytes, 1);
}

static inline int64_t patience_ends_ns(void) {
    return later_mono_ns() - time_added_ns + (int64_t)PATIENCE_MS * 1000000;
}

static inline bool patient(int64_t end_ns) {
    return later_mono_ns() - time_added_ns < end_ns;
}
#endif
