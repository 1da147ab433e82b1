/* wire.c: sockets in, slices out. The only file that knows libzmq.
 *
 * Order of the file: a context, a socket and its settings, binding and connecting, readiness, taking, giving, sharing.
 * libzmq tells its errors by zmq_errno(); those that only a bug of ours can cause stop the process (fault). */
#include "lib/wire/wire.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <zmq.h>

enum {
    SOCKETS_MAX = 4096,                           /* of one process: a rehearsal opens a thousand clients in one */
    HWM_MESSAGES = 2000,                          /* per peer and direction */
    LINGER_MS = 1000,
    ENDPOINT_MAX = 256,
    ROUTING_ID_BYTES = 5,                         /* zero, then libzmq's count in network order */
    STRANGERS_IN_A_ROW_MAX = 64,                  /* dropped by one wire_receive before it gives the turn back */
    IPC_UMASK = 0117                              /* the socket file is 0660: owner and group talk, others do not */
};
_Static_assert(WIRE_ADDRESS_MAX > sizeof("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255"), "any numeric address fits");
_Static_assert(ENDPOINT_MAX > sizeof("ipc://") + sizeof(((struct sockaddr_un *)0)->sun_path), "any path fits");

struct wire {
    void *context;
};

struct wire_socket {
    void *zmq;
    int fd;
    bool router, ipc;
    unsigned held;                                /* parts that carry the current message */
    zmq_msg_t part[WIRE_FRAMES_MAX];              /* always initialised */
    uint64_t dropped;
    char endpoint[ENDPOINT_MAX];
};

/* The fault libzmq just reported. What only we can have caused never leaves this file. */
static int fault(void) {
    int error = zmq_errno();
    CHECK(error != ETERM && error != EMTHREAD && error != EFSM);
    CHECK(error != EFAULT && error != ENOTSOCK);
    CHECK(error > 0);
    return -error;
}

/* ---- context ----------------------------------------------------------------------------------------------------- */

struct wire *wire_open(void) {
    struct wire *w = memory_or_die(sizeof(*w));
    w->context = zmq_ctx_new();
    CHECK(w->context != NULL);
    CHECK(zmq_ctx_set(w->context, ZMQ_IO_THREADS, 1) == 0);
    CHECK(zmq_ctx_set(w->context, ZMQ_BLOCKY, 0) == 0);
    CHECK(zmq_ctx_set(w->context, ZMQ_MAX_SOCKETS, SOCKETS_MAX) == 0);

    /* libzmq 4.3.4 counts routing ids up from rand() and never seeds it: every ROUTER starts at 006b8b4567. A client
     * may name itself in its handshake, even with a leading zero. Whoever can guess the next id can take it, and libzmq
     * aborts when its own count gets there. So the count starts where nobody can guess. */
    unsigned seed;
    random_bytes(&seed, sizeof(seed));
    srand(seed);
    return w;
}

void wire_close(struct wire *w) {
    if (w == NULL)
        return;
    int r;
    do {
        r = zmq_ctx_term(w->context);
    } while (r < 0 && zmq_errno() == EINTR);
    CHECK(r == 0);
    free(w);
}

/* ---- sockets ----------------------------------------------------------------------------------------------------- */

struct setting {
    int option, value;
};

/* High-water marks come before bind: changing them under live connections can crash 4.3.4. No ZMTP heartbeats anywhere:
 * a connecting peer with a full queue asserts; a bound one loses what the peer had queued. */
static const struct setting settings_common[] = {
    {ZMQ_SNDHWM, HWM_MESSAGES},     {ZMQ_RCVHWM, HWM_MESSAGES},     {ZMQ_LINGER, LINGER_MS},
    {ZMQ_TCP_KEEPALIVE, 1},         {ZMQ_TCP_KEEPALIVE_IDLE, 30},   {ZMQ_TCP_KEEPALIVE_INTVL, 10},
    {ZMQ_TCP_KEEPALIVE_CNT, 3},     {ZMQ_TCP_MAXRT, 60000},         {ZMQ_HANDSHAKE_IVL, 5000},
};

static const struct setting settings_router[] = {
    {ZMQ_ROUTER_MANDATORY, 1},                    /* tell of a full or lost peer instead of dropping in silence */
    {ZMQ_ROUTER_HANDOVER, 0},                     /* nobody takes over another's id */
    {ZMQ_BACKLOG, 1024},
};

static const struct setting settings_dealer[] = {
    {ZMQ_IMMEDIATE, 1},                           /* queue only for a broker that is there: -EAGAIN until then */
    {ZMQ_RECONNECT_IVL, 200},                     /* libzmq adds up to as much again, at random */
    {ZMQ_RECONNECT_IVL_MAX, 5000},
};

static void socket_set(struct wire_socket *s, const struct setting *settings, size_t count) {
    CHECK(s->zmq != NULL);
    for (size_t i = 0; i < count; i++)
        CHECK(zmq_setsockopt(s->zmq, settings[i].option, &settings[i].value, sizeof(int)) == 0);
}

static int socket_open(struct wire_socket **ret, struct wire *w, int type, const char *endpoint) {
    CHECK(w != NULL && (type == ZMQ_ROUTER || type == ZMQ_DEALER));
    void *zmq = zmq_socket(w->context, type);
    if (zmq == NULL)
        return fault();
    struct wire_socket *s = calloc(1, sizeof(*s));
    if (s == NULL) {
        zmq_close(zmq);
        return -ENOMEM;
    }
    s->zmq = zmq;
    s->router = type == ZMQ_ROUTER;
    s->ipc = slice_starts(slice_of(endpoint), SLICE("ipc:"));
    for (unsigned i = 0; i < WIRE_FRAMES_MAX; i++)
        zmq_msg_init(&s->part[i]);

    socket_set(s, settings_common, COUNT_OF(settings_common));
    if (s->router)
        socket_set(s, settings_router, COUNT_OF(settings_router));
    else
        socket_set(s, settings_dealer, COUNT_OF(settings_dealer));
    int64_t frame_bytes_max = WIRE_FRAME_BYTES_HEARD;
    CHECK(zmq_setsockopt(zmq, ZMQ_MAXMSGSIZE, &frame_bytes_max, sizeof(frame_bytes_max)) == 0);
    /* Only where it is asked for: with it, libzmq would bind 127.0.0.1 as ::ffff:127.0.0.1 and name its peers so. */
    int ipv6 = strchr(endpoint, '[') != NULL;
    CHECK(zmq_setsockopt(zmq, ZMQ_IPV6, &ipv6, sizeof(ipv6)) == 0);

    size_t size = sizeof(s->fd);
    CHECK(zmq_getsockopt(zmq, ZMQ_FD, &s->fd, &size) == 0);
    *ret = s;
    return 0;
}

static void parts_release(struct wire_socket *s) {
    CHECK(s->held <= WIRE_FRAMES_MAX);
    for (unsigned i = 0; i < s->held; i++) {
        zmq_msg_close(&s->part[i]);
        zmq_msg_init(&s->part[i]);
    }
    s->held = 0;
}

void wire_socket_close(struct wire_socket *s) {
    if (s == NULL)
        return;
    parts_release(s);
    CHECK(zmq_close(s->zmq) == 0);
    free(s);
}

/* ---- binding and connecting -------------------------------------------------------------------------------------- */

/* libzmq takes port 99999 for 34463. */
static bool port_valid(const char *endpoint) {
    const char *colon = strrchr(endpoint, ':');
    CHECK(colon != NULL);                         /* at least the one of tcp:// */
    uint64_t port;
    return slice_equal(slice_of(colon), SLICE(":*")) || (parse_u64(slice_of(colon + 1), &port) && port <= UINT16_MAX);
}

/* ipc:///path and tcp://address:port; *ret_path is the path, or NULL. */
static int endpoint_parse(const char *endpoint, const char **ret_path) {
    struct slice text = slice_of(endpoint);
    if (slice_starts(text, SLICE("ipc:///"))) {
        const char *path = endpoint + strlen("ipc://");
        if (strlen(path) >= sizeof(((struct sockaddr_un *)0)->sun_path))
            return -ENAMETOOLONG;
        *ret_path = path;
        return 0;
    }
    if (!slice_starts(text, SLICE("tcp://")) || text.len >= ENDPOINT_MAX || !port_valid(endpoint))
        return -EINVAL;
    *ret_path = NULL;
    return 0;
}

/* Does anybody listen there? 0: nobody, the file is left over from an earlier life; -EADDRINUSE: somebody. */
static int path_knock(const char *path) {
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    size_t len = strlen(path);
    CHECK(len < sizeof(to.sun_path));
    memcpy(to.sun_path, path, len);

    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    int error = connect(fd, (const struct sockaddr *)&to, sizeof(to)) == 0 ? 0 : errno;
    close(fd);
    switch (error) {
    case ECONNREFUSED:
    case ENOENT:
        return 0;
    case 0:
    case EAGAIN:                                  /* somebody, with a full backlog */
    case EPROTOTYPE:                              /* somebody else's kind of socket */
        return -EADDRINUSE;
    default:
        return -error;
    }
}

/* libzmq unlinks whatever is at the path before it binds, even a living broker's socket. So we look first. */
static int path_clear(const char *path) {
    struct stat st;
    if (lstat(path, &st) < 0)
        return errno == ENOENT ? 0 : -errno;
    if (!S_ISSOCK(st.st_mode))
        return -EEXIST;
    int r = path_knock(path);
    if (r < 0)
        return r;
    return unlink(path) == 0 || errno == ENOENT ? 0 : -errno;
}

static int socket_bind(struct wire_socket *s, const char *endpoint) {
    mode_t before = umask(IPC_UMASK);             /* chmod afterwards would leave the door open for a moment */
    int r = zmq_bind(s->zmq, endpoint) == 0 ? 0 : fault();
    umask(before);
    if (r == -ENODEV || r == -EPROTONOSUPPORT)
        return -EINVAL;                           /* "tcp://nonsense:1": libzmq took it for a network card */
    if (r < 0)
        return r;
    size_t size = sizeof(s->endpoint);            /* with the port that was picked */
    CHECK(zmq_getsockopt(s->zmq, ZMQ_LAST_ENDPOINT, s->endpoint, &size) == 0);
    return 0;
}

int wire_bind(struct wire_socket **ret, struct wire *w, const char *endpoint) {
    CHECK(ret != NULL && endpoint != NULL);
    const char *path;
    int r = endpoint_parse(endpoint, &path);
    if (r == 0 && path != NULL)
        r = path_clear(path);
    if (r < 0)
        return r;
    struct wire_socket *s;
    r = socket_open(&s, w, ZMQ_ROUTER, endpoint);
    if (r < 0)
        return r;
    r = socket_bind(s, endpoint);
    if (r < 0) {
        wire_socket_close(s);
        return r;
    }
    *ret = s;
    return 0;
}

int wire_connect(struct wire_socket **ret, struct wire *w, const char *endpoint) {
    CHECK(ret != NULL && endpoint != NULL);
    const char *path;
    int r = endpoint_parse(endpoint, &path);
    if (r < 0)
        return r;
    struct wire_socket *s;
    r = socket_open(&s, w, ZMQ_DEALER, endpoint);
    if (r < 0)
        return r;
    if (zmq_connect(s->zmq, endpoint) < 0) {
        r = fault();
        wire_socket_close(s);
        return r;
    }
    memcpy(s->endpoint, endpoint, strlen(endpoint) + 1);
    *ret = s;
    return 0;
}

const char *wire_endpoint(const struct wire_socket *s) {
    return s->endpoint;
}

/* ---- readiness --------------------------------------------------------------------------------------------------- */

int wire_fd(const struct wire_socket *s) {
    return s->fd;
}

bool wire_readable(struct wire_socket *s) {
    int events, r;
    size_t size = sizeof(events);
    do {
        r = zmq_getsockopt(s->zmq, ZMQ_EVENTS, &events, &size);    /* works off the mailbox and so quiets the fd */
    } while (r < 0 && zmq_errno() == EINTR);
    CHECK(r == 0);
    return (events & ZMQ_POLLIN) != 0;
}

uint64_t wire_dropped(const struct wire_socket *s) {
    return s->dropped;
}

/* ---- taking ------------------------------------------------------------------------------------------------------ */

static int part_receive(struct wire_socket *s, zmq_msg_t *into) {
    int r;
    do {
        r = zmq_msg_recv(into, s->zmq, ZMQ_DONTWAIT);
    } while (r < 0 && zmq_errno() == EINTR);
    if (r >= 0)
        return 1;
    return zmq_errno() == EAGAIN ? 0 : fault();
}

/* False: the client named itself, which no client of ours does. */
static bool peer_parse(zmq_msg_t *id, struct wire_peer *ret) {
    if (zmq_msg_size(id) != ROUTING_ID_BYTES)
        return false;
    const uint8_t *b = zmq_msg_data(id);
    if (b[0] != 0)
        return false;
    ret->id = (uint32_t)b[1] << 24 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 8 | b[4];
    return true;
}

/* Takes the rest of the message whose first part is in part[0] (a router: the routing id, which the first payload frame
 * then replaces). Frames beyond the limit are taken and let go. Returns how many payload frames there were. */
static unsigned payload_receive(struct wire_socket *s) {
    zmq_msg_t excess;
    zmq_msg_init(&excess);
    unsigned frames = s->router ? 0 : 1;
    s->held = 1;
    bool more = zmq_msg_more(&s->part[0]) != 0;
    while (more) {
        zmq_msg_t *into = frames < WIRE_FRAMES_MAX ? &s->part[frames] : &excess;
        CHECK(part_receive(s, into) == 1);        /* libzmq hands over whole messages only */
        more = zmq_msg_more(into) != 0;
        frames++;
        s->held = frames < WIRE_FRAMES_MAX ? frames : WIRE_FRAMES_MAX;
    }
    zmq_msg_close(&excess);
    return frames;
}

/* The address is the connection's own, put on every payload frame by libzmq. The routing id's frame may lack it, and
 * remembering it by routing id would trust that id for longer than one message. Of "localhost:uid:gid:pid", which an
 * ipc peer has from the kernel, only the numbers are worth keeping. */
static void address_read(struct wire_socket *s, char to[WIRE_ADDRESS_MAX]) {
    const char *address = zmq_msg_gets(&s->part[0], "Peer-Address");
    if (address != NULL && s->ipc)
        address = strchr(address, ':');
    size_t len = address != NULL ? strlen(address) : 0;
    if (len >= WIRE_ADDRESS_MAX)
        len = 0;                                  /* half an address is somebody else's */
    if (len > 0)
        memcpy(to, address, len);
    to[len] = '\0';
}

static void message_show(struct wire_socket *s, struct wire_peer from, unsigned frames, struct wire_message *ret) {
    ret->from = from;
    ret->frames = frames;
    ret->address[0] = '\0';
    if (s->router && frames > 0)
        address_read(s, ret->address);
    if (frames > WIRE_FRAMES_MAX)
        parts_release(s);
    for (unsigned i = 0; i < WIRE_FRAMES_MAX; i++) {
        bool kept = i < frames && frames <= WIRE_FRAMES_MAX;
        ret->frame[i] = kept ? slice_from(zmq_msg_data(&s->part[i]), zmq_msg_size(&s->part[i])) : (struct slice){0};
    }
}

int wire_receive(struct wire_socket *s, struct wire_message *ret) {
    CHECK(s != NULL && ret != NULL);
    for (unsigned strangers = 0; strangers < STRANGERS_IN_A_ROW_MAX; strangers++) {
        parts_release(s);
        int r = part_receive(s, &s->part[0]);
        if (r <= 0)
            return r;
        struct wire_peer from = {0};
        bool known = !s->router || peer_parse(&s->part[0], &from);
        unsigned frames = payload_receive(s);
        if (known) {
            message_show(s, from, frames, ret);
            return 1;
        }
        s->dropped++;
    }
    return 0;                                     /* there may be more: wire_readable knows */
}

/* ---- giving ------------------------------------------------------------------------------------------------------ */

static int part_copy(zmq_msg_t *part, struct slice bytes) {
    CHECK(bytes.len <= WIRE_FRAME_BYTES_MAX);     /* the other side would hang up */
    if (zmq_msg_init_size(part, bytes.len) < 0)
        return fault();
    if (bytes.len > 0)
        memcpy(zmq_msg_data(part), bytes.at, bytes.len);
    return 0;
}

static int routing_id_send(struct wire_socket *s, struct wire_peer to) {
    const uint8_t id[ROUTING_ID_BYTES] = {
        0, (uint8_t)(to.id >> 24), (uint8_t)(to.id >> 16), (uint8_t)(to.id >> 8), (uint8_t)to.id,
    };
    int r;
    do {
        r = zmq_send(s->zmq, id, sizeof(id), ZMQ_DONTWAIT | ZMQ_SNDMORE);
    } while (r < 0 && zmq_errno() == EINTR);
    return r < 0 ? fault() : 0;
}

static int part_send(struct wire_socket *s, zmq_msg_t *part, bool more) {
    int r;
    do {
        r = zmq_msg_send(part, s->zmq, ZMQ_DONTWAIT | (more ? ZMQ_SNDMORE : 0));
    } while (r < 0 && zmq_errno() == EINTR);
    return r < 0 ? fault() : 0;
}

/* The first frame decides: when libzmq takes it, the rest finds room. Should the connection end in between, libzmq
 * takes the message back by itself; it then wants to see the remaining frames to know where the next one begins. */
static int parts_send(struct wire_socket *s, struct wire_peer to, zmq_msg_t *part, unsigned count) {
    unsigned i = 0;
    int r;
    if (s->router)
        r = routing_id_send(s, to);
    else {
        r = part_send(s, &part[0], count > 1);
        i = 1;
    }
    bool begun = r == 0;
    for (; begun && i < count; i++) {
        int later = part_send(s, &part[i], i + 1 < count);
        if (later < 0)
            r = later;
    }
    for (i = 0; i < count; i++)
        zmq_msg_close(&part[i]);                  /* empty when sent */
    return r;
}

int wire_send(struct wire_socket *s, struct wire_peer to, const struct slice *frames, unsigned count) {
    CHECK(s != NULL && frames != NULL);
    CHECK(count > 0 && count <= WIRE_FRAMES_MAX);
    zmq_msg_t part[WIRE_FRAMES_MAX];
    for (unsigned i = 0; i < count; i++) {
        int r = part_copy(&part[i], frames[i]);
        if (r < 0) {
            while (i > 0)
                zmq_msg_close(&part[--i]);
            return r;
        }
    }
    return parts_send(s, to, part, count);
}

/* ---- sharing ----------------------------------------------------------------------------------------------------- */

/* libzmq counts the copies of a message atomically, so whichever thread lets go last frees the bytes. */
struct wire_shared {
    zmq_msg_t message;
    struct slice bytes;
};

struct wire_shared *wire_share(struct slice bytes) {
    struct wire_shared *b = malloc(sizeof(*b));
    if (b == NULL)
        return NULL;
    if (part_copy(&b->message, bytes) < 0) {
        free(b);
        return NULL;
    }
    b->bytes = slice_from(zmq_msg_data(&b->message), bytes.len);
    return b;
}

struct slice wire_shared_bytes(const struct wire_shared *b) {
    return b->bytes;
}

int wire_send_shared(struct wire_socket *s, struct wire_peer to, struct slice first, struct wire_shared *second) {
    CHECK(s != NULL && second != NULL);
    zmq_msg_t part[2];
    int r = part_copy(&part[0], first);
    if (r < 0)
        return r;
    zmq_msg_init(&part[1]);
    CHECK(zmq_msg_copy(&part[1], &second->message) == 0);
    return parts_send(s, to, part, COUNT_OF(part));
}

void wire_unshare(struct wire_shared *b) {
    if (b == NULL)
        return;
    zmq_msg_close(&b->message);
    free(b);
}
