/* raw_peer.h: a peer that can misbehave. ZMTP 3.0 (RFC 23) written by hand on a plain socket, so that it can say what
 * libzmq would never say for us. For cmocka tests: include after <cmocka.h>. */
#ifndef RAW_PEER_H
#define RAW_PEER_H
#include "lib/base/base.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

static inline void raw_write(int fd, const void *bytes, size_t len) {
    const uint8_t *at = bytes;
    while (len > 0) {
        ssize_t n = send(fd, at, len, MSG_NOSIGNAL);
        if (n <= 0)
            return;                               /* hung up on: the test finds out by reading */
        at += n;
        len -= (size_t)n;
    }
}

static inline void raw_read(int fd, size_t len) {
    uint8_t bytes[256];
    assert_true(len <= sizeof(bytes));
    assert_int_equal(recv(fd, bytes, len, MSG_WAITALL), (ssize_t)len);
}

static inline void raw_frame(int fd, bool more, const void *bytes, size_t len) {
    uint8_t head[9] = {(uint8_t)(2 | (more ? 1 : 0))};          /* always the long form */
    put_be64(head + 1, len);
    raw_write(fd, head, sizeof(head));
    raw_write(fd, bytes, len);
}

/* Connects to the ipc socket at `path`, shakes hands as a DEALER called `name` and returns the descriptor. */
static inline int raw_connect(const char *path, struct slice name) {
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    memcpy(to.sun_path, path, strlen(path));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&to, sizeof(to)), 0);

    uint8_t greeting[64] = {0xff, [9] = 0x7f, [10] = 3, [12] = 'N', 'U', 'L', 'L'};
    raw_write(fd, greeting, sizeof(greeting));
    raw_read(fd, sizeof(greeting));

    static const uint8_t type[] = "\5READY\13Socket-Type\0\0\0\6DEALER\10Identity\0\0";
    size_t len = sizeof(type) - 1;                              /* two of the four length bytes of the name follow */
    const uint8_t head[2] = {4, (uint8_t)(len + 2 + name.len)};
    const uint8_t name_len[2] = {0, (uint8_t)name.len};
    raw_write(fd, head, sizeof(head));
    raw_write(fd, type, len);
    raw_write(fd, name_len, sizeof(name_len));
    raw_write(fd, name.at, name.len);
    uint8_t ready[2];
    assert_int_equal(recv(fd, ready, 2, MSG_WAITALL), 2);
    raw_read(fd, ready[1]);
    return fd;
}

static inline void assert_hung_up(int fd) {
    struct timeval patience = {.tv_sec = 10};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    uint8_t byte;
    ssize_t n = recv(fd, &byte, 1, 0);
    assert_true(n == 0 || (n < 0 && errno == ECONNRESET));
    close(fd);
}
#endif
