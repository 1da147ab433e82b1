/* wire.h: sockets. Bytes in, bytes out, never a wait. Door: libzmq.
 *
 * A gate binds one ROUTER and asks it for messages; a client connects one DEALER. Everything is DONTWAIT and MANDATORY,
 * routing ids are libzmq's own (clients never choose them), no ZMTP heartbeats on connecting sockets, TCP keepalive
 * instead.
 *
 * The readiness trap: ZMQ_FD is the edge-triggered handle of a command mailbox, not of a socket. So wire_fd is watched
 * level-triggered, and before anybody sleeps, wire_readable is asked: it works off the mailbox. Sends count too: a
 * message may arrive during one without the fd ever saying so.
 *
 *   W1  a message is read whole or not at all; more than WIRE_FRAMES_MAX frames: reported as such, none kept. A frame
 *       over the byte limit never gets here: its connection is closed.
 *   W2  the peer's address is taken from a payload frame of every message, never from what the client wrote.
 *   W3  a send either queues the whole message or nothing: -EAGAIN full, -EHOSTUNREACH gone. */
#ifndef WIRE_H
#define WIRE_H
#include "lib/base/base.h"

/* A frame up to the first size is a message; up to the second it is heard, so that its sender can be told; beyond that
 * libzmq hangs up on the sender. */
enum {
    WIRE_FRAMES_MAX = 4, WIRE_FRAME_BYTES_MAX = 256 << 10, WIRE_FRAME_BYTES_HEARD = 512 << 10, WIRE_ADDRESS_MAX = 48,
};

struct wire;                                      /* one libzmq context: one per process */
struct wire_socket;                               /* belongs to one thread */

struct wire *wire_open(void);                     /* CHECKs. Before any thread; not across fork */
void wire_close(struct wire *w);                  /* every socket is closed before; blocks for linger (1 s) at most */

struct wire_peer { uint32_t id; };                /* libzmq's 5-byte routing id without its leading zero */

/* Router side. endpoint: ipc:///path or tcp://address:port (port 0 or *: pick one; wire_endpoint tells which).
 * 0; -EADDRINUSE somebody listens there; -EEXIST the ipc path is a file and no socket; -ENAMETOOLONG an ipc path of
 * more than 107 bytes; -EINVAL malformed, or another kind; -EACCES, -ENOENT ... as bind(2).
 * Addresses other than 127.0.0.1 and [::1] are for the caller to refuse. An ipc socket is made with mode 0660, and one
 * left over from an earlier life is removed; umask is the process's, so bind before there are threads. */
int wire_bind(struct wire_socket **ret, struct wire *w, const char *endpoint);

/* Dealer side. Returns before anybody answered and reconnects for ever: nobody there is -EAGAIN from wire_send. */
int wire_connect(struct wire_socket **ret, struct wire *w, const char *endpoint);

const char *wire_endpoint(const struct wire_socket *s);
int wire_fd(const struct wire_socket *s);         /* watch for readable, level-triggered */
bool wire_readable(struct wire_socket *s);        /* ask before sleeping, and after sends */
void wire_socket_close(struct wire_socket *s);

struct wire_message {
    struct wire_peer from;                        /* router side only */
    unsigned frames;                              /* payload frames; may exceed WIRE_FRAMES_MAX: then none are kept */
    struct slice frame[WIRE_FRAMES_MAX];          /* borrowed until the next wire_receive on this socket */
    char address[WIRE_ADDRESS_MAX];               /* router side: "127.0.0.1", of ipc ":uid:gid:pid"; "" unknown */
};

/* 1 a message; 0 none waiting; negative errno. */
int wire_receive(struct wire_socket *s, struct wire_message *ret);
uint64_t wire_dropped(const struct wire_socket *s);    /* messages of peers that named themselves: taken and let go */

/* Copies small frames; 0, -EAGAIN, -EHOSTUNREACH. `to` is ignored on the dealer side. */
int wire_send(struct wire_socket *s, struct wire_peer to, const struct slice *frames, unsigned count);

/* A payload shared between many receivers: packed once, counted. */
struct wire_shared;
struct wire_shared *wire_share(struct slice bytes);    /* NULL: no memory */
struct slice wire_shared_bytes(const struct wire_shared *b);
int wire_send_shared(struct wire_socket *s, struct wire_peer to, struct slice first, struct wire_shared *second);
void wire_unshare(struct wire_shared *b);         /* the sender's own reference; libzmq may hold others */
#endif
