/* loop.c: how the daemon sleeps. Door: libevent.
 *
 * The loop is ours (whistled.c): turn, then wait here until a socket has something, a signal comes or the time is up.
 * The descriptors of the sockets are libzmq's command mailboxes, edge-triggered in meaning: so the loop asks
 * wire_readable before it sleeps, every time (a turn reads and sends). */
#include "daemon/daemon.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>

struct loop {
    struct daemon *daemon;
    struct event_base *base;
    struct event *sockets[3], *signals[3], *timer;
};

static void on_socket(evutil_socket_t fd, short what, void *arg) {
    (void)fd, (void)what, (void)arg;                  /* the turn reads; waking was all */
}

static void on_signal(evutil_socket_t signal, short what, void *arg) {
    (void)what;
    struct loop *l = arg;
    if (signal == SIGHUP) {
        l->daemon->reload_wanted = true;
        return;
    }
    log_info("whistled.stopping signal=%d", (int)signal);
    l->daemon->stopping = true;
}

static bool any_readable(const struct loop *l) {
    bool front = wire_readable(front_socket(l->daemon->front)), pool = wire_readable(pool_socket(l->daemon->pool));
    return wire_readable(feed_socket(l->daemon->feed)) || front || pool;
}

void loop_wait(struct loop *l, int64_t wait_ms) {
    if (any_readable(l)) wait_ms = 0;
    struct timeval wait = { .tv_sec = wait_ms / 1000, .tv_usec = wait_ms % 1000 * 1000 };
    if (wait_ms > 0) event_add(l->timer, &wait);
    /* ONCE with NONBLOCK: a descriptor that stays readable would keep a plain NONBLOCK pass for ever. */
    event_base_loop(l->base, wait_ms > 0 ? EVLOOP_ONCE : EVLOOP_ONCE | EVLOOP_NONBLOCK);
    event_del(l->timer);
}

int loop_open(struct loop **ret, struct daemon *d) {
    static const int signals[] = { SIGTERM, SIGINT, SIGHUP };
    struct loop *l = memory_or_die(sizeof *l);
    struct wire_socket *sockets[] = { front_socket(d->front), pool_socket(d->pool), feed_socket(d->feed) };
    signal(SIGPIPE, SIG_IGN);
    l->daemon = d;
    l->base = event_base_new();
    if (!l->base || event_base_priority_init(l->base, 2) < 0) return -ENOMEM; /* signals come first */
    l->timer = event_new(l->base, -1, 0, on_socket, l);
    for (unsigned i = 0; i < COUNT_OF(sockets); i++) {
        l->sockets[i] = event_new(l->base, wire_fd(sockets[i]), EV_READ | EV_PERSIST, on_socket, l);
        if (!l->sockets[i] || event_add(l->sockets[i], NULL) < 0) return -ENOMEM;
    }
    for (unsigned i = 0; i < COUNT_OF(signals); i++) {
        l->signals[i] = evsignal_new(l->base, signals[i], on_signal, l);
        if (!l->signals[i] || event_priority_set(l->signals[i], 0) < 0 || event_add(l->signals[i], NULL) < 0)
            return -ENOMEM;
    }
    if (!l->timer) return -ENOMEM;
    *ret = l;
    return 0;
}

struct event_base *loop_base(struct loop *l) {
    return l->base;
}

void loop_close(struct loop *l) {
    for (unsigned i = 0; i < COUNT_OF(l->sockets); i++) event_free(l->sockets[i]);
    for (unsigned i = 0; i < COUNT_OF(l->signals); i++) event_free(l->signals[i]);
    event_free(l->timer);
    event_base_free(l->base);
}
