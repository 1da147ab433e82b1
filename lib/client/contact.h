/* contact.h: one connection, as front, feed and pool have it: a DEALER, what was last heard and said on it, and, for
 * those with sessions, whether the broker knows us. Internal to lib/client.
 *
 * libzmq reconnects by itself and does not say so. So a session is believed in only while frames come: a heartbeat that
 * finds nobody, a refusal "no session" or 15 s of silence ends it, and it is begun anew. */
#ifndef CONTACT_H
#define CONTACT_H
#include "lib/wire/wire.h"

enum {
    BEAT_MS = 1000,                               /* we say something at least so often: a restart shows within it */
    SILENCE_MS = 15000,                           /* the broker says something every 5 s */
    GREETING_MS = 5000,                           /* a greeting is answered within, or said again */
    GREETING_RETRY_MS = 100,                      /* nobody there: the next attempt */
    CONTACT_ENDPOINT_MAX = 256,
};

enum contact_state { CONTACT_AWAY, CONTACT_GREETING, CONTACT_UP };

struct contact {
    struct wire_socket *socket;
    enum contact_state state;
    int64_t heard_ms, told_ms, greet_ms;          /* greet_ms: not before, while AWAY */
    char endpoint[CONTACT_ENDPOINT_MAX];
};

int64_t contact_now_ms(void);

int contact_open(struct contact *c, const char *endpoint);
void contact_close(struct contact *c);
/* A new socket, AWAY: what the old one had is let go. On a fault the old one stays. */
int contact_renew(struct contact *c);

/* 0, -EAGAIN: nobody there, or their queue is full. */
int contact_send(struct contact *c, struct slice bytes);
/* 1 a message; 0; negative. */
int contact_receive(struct contact *c, struct wire_message *ret);
/* Sleeps until there is something to receive or until_ms has come. 0, or -EINTR. */
int contact_wait(struct contact *c, int64_t until_ms);

/* ---- sessions ---------------------------------------------------------------------------------------------------- */

/* What a session asks for now. */
enum contact_need { CONTACT_NOTHING, CONTACT_GREET, CONTACT_BEAT, CONTACT_RENEW };
enum contact_need contact_need(const struct contact *c, int64_t now_ms);
int64_t contact_due_ms(const struct contact *c);  /* when it asks next */
/* The greeting is out. From AWAY, silence counts from here. */
void contact_greeted(struct contact *c);
/* The session ended; the next greeting is due after that long. */
void contact_lost(struct contact *c, int64_t after_ms);

#endif
