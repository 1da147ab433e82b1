/* contact.c: a socket of the process's one context, and the upkeep of a session on it. */
#include "lib/client/contact.h"

#include "lib/crypto/crypto.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>

/* ---- the context: one per process, opened by the first connection and closed by the last ------------------------- */

static pthread_mutex_t context_lock = PTHREAD_MUTEX_INITIALIZER;
static struct wire *context;
static unsigned context_users;

static struct wire *context_borrow(void) {
    CHECK(pthread_mutex_lock(&context_lock) == 0);
    if (context_users++ == 0) {
        crypto_init();
        context = wire_open();
    }
    struct wire *w = context;
    CHECK(pthread_mutex_unlock(&context_lock) == 0);
    return w;
}

static void context_give_back(void) {
    CHECK(pthread_mutex_lock(&context_lock) == 0);
    CHECK(context_users > 0);
    if (--context_users == 0) {
        wire_close(context);
        context = NULL;
    }
    CHECK(pthread_mutex_unlock(&context_lock) == 0);
}

/* ---- a connection ------------------------------------------------------------------------------------------------ */

int64_t contact_now_ms(void) {
    return clock_mono_ns() / 1000000;
}

int contact_open(struct contact *c, const char *endpoint) {
    size_t len = strlen(endpoint);
    if (len >= sizeof(c->endpoint))
        return -EINVAL;
    struct wire_socket *socket;
    int r = wire_connect(&socket, context_borrow(), endpoint);
    if (r < 0) {
        context_give_back();
        return r;
    }
    int64_t now = contact_now_ms();
    *c = (struct contact){.socket = socket, .heard_ms = now, .told_ms = now, .greet_ms = now};
    memcpy(c->endpoint, endpoint, len + 1);
    return 0;
}

void contact_close(struct contact *c) {
    CHECK(c->socket != NULL);
    wire_socket_close(c->socket);
    c->socket = NULL;
    context_give_back();
}

int contact_renew(struct contact *c) {
    struct wire_socket *socket;
    int r = wire_connect(&socket, context_borrow(), c->endpoint);
    context_give_back();                          /* the old socket's share stands for the new one */
    if (r < 0)
        return r;
    wire_socket_close(c->socket);
    c->socket = socket;
    c->heard_ms = contact_now_ms();
    contact_lost(c, 0);
    return 0;
}

int contact_send(struct contact *c, struct slice bytes) {
    int r = wire_send(c->socket, (struct wire_peer){0}, &bytes, 1);
    if (r == 0)
        c->told_ms = contact_now_ms();
    return r < 0 ? -EAGAIN : 0;                   /* no memory is a queue that is full */
}

int contact_receive(struct contact *c, struct wire_message *ret) {
    int r = wire_receive(c->socket, ret);
    if (r > 0)
        c->heard_ms = contact_now_ms();
    return r;
}

int contact_wait(struct contact *c, int64_t until_ms) {
    int64_t ms = until_ms - contact_now_ms();
    if (ms <= 0 || wire_readable(c->socket))
        return 0;
    struct pollfd p = {.fd = wire_fd(c->socket), .events = POLLIN};
    int r = poll(&p, 1, ms < INT_MAX ? (int)ms : INT_MAX);
    CHECK(r >= 0 || errno == EINTR || errno == ENOMEM);
    return r < 0 ? -EINTR : 0;
}

/* ---- sessions ---------------------------------------------------------------------------------------------------- */

static int64_t earlier(int64_t a, int64_t b) {
    return a < b ? a : b;
}

enum contact_need contact_need(const struct contact *c, int64_t now_ms) {
    if (now_ms < contact_due_ms(c))
        return CONTACT_NOTHING;
    if (c->state == CONTACT_AWAY)
        return CONTACT_GREET;
    if (now_ms - c->heard_ms >= SILENCE_MS)
        return CONTACT_RENEW;
    return c->state == CONTACT_GREETING ? CONTACT_GREET : CONTACT_BEAT;
}

int64_t contact_due_ms(const struct contact *c) {
    switch (c->state) {
    case CONTACT_AWAY:
        return c->greet_ms;
    case CONTACT_GREETING:
        return earlier(c->told_ms + GREETING_MS, c->heard_ms + SILENCE_MS);
    case CONTACT_UP:
        return earlier(c->told_ms + BEAT_MS, c->heard_ms + SILENCE_MS);
    }
    NEVER("a contact without a state");
}

void contact_greeted(struct contact *c) {
    if (c->state == CONTACT_AWAY)
        c->heard_ms = c->told_ms;
    c->state = CONTACT_GREETING;
}

void contact_lost(struct contact *c, int64_t after_ms) {
    CHECK(after_ms >= 0);
    c->state = CONTACT_AWAY;
    c->greet_ms = contact_now_ms() + after_ms;
}
