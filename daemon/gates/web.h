/* web.h: what machines ask over HTTP: how it is, whether it takes commands, the figures. Nothing else, and no writing.
 *
 *   GET /metrics   the figures, for Prometheus          GET /healthz   the process turns
 *   GET /readyz    commands are taken                   anything else  a refusal with a short text
 *
 *   W1  loopback only, and only for a Host that is loopback: a page in somebody's browser cannot ask through it.
 *   W2  a visit (one connection) asks once, is answered at once and is over, within VISIT_MS_MAX whatever the client
 *       does. At most VISITS_MAX at a time; when all places are taken, those that have had VISIT_GRACE_MS make room.
 *   W3  the loop never waits for a visitor: headers, bodies, replies and visits a pass are bounded. */
#ifndef WEB_H
#define WEB_H
#include "lib/base/base.h"

#include <netinet/in.h>

enum {
    VISITS_MAX = 16, VISIT_MS_MAX = 5000, VISIT_GRACE_MS = 100, VISIT_BACKLOG_MAX = 128,
    WEB_HEADERS_BYTES_MAX = 8 << 10, WEB_BODY_BYTES_MAX = 1 << 10, WEB_INPUT_BYTES_MAX = 16 << 10,
    WEB_ADDRESS_BYTES = INET6_ADDRSTRLEN + 10,
};
_Static_assert(WEB_HEADERS_BYTES_MAX + WEB_BODY_BYTES_MAX < WEB_INPUT_BYTES_MAX, "a request that is taken can be read");

enum web_page { WEB_METRICS, WEB_HEALTHZ, WEB_READYZ, WEB_PAGES };

struct web_reply {
    unsigned status;
    const char *reason, *type;
    struct slice body;                            /* borrowed until the next one */
};

/* ---- web.c: who may ask for what ------------------------------------------------------------------------------- */

/* "127.0.0.1:9464", "[::1]:9464", "localhost:9464"; port 0: any free one. false: not loopback, or no address. */
bool web_address_parse(const char *text, struct sockaddr_storage *ret, socklen_t *ret_len);
/* true: that page. false: *refused says why not. */
bool web_route(bool get, const char *path, const char *host, enum web_page *ret, struct web_reply *refused);
void web_text(struct web_reply *to, unsigned status, const char *text);     /* one line; the text must be a constant */

/* ---- web_http.c: the door -------------------------------------------------------------------------------------- */

struct event_base;
struct web;
struct web_options {
    struct event_base *base;
    const char *address;
    void (*tell)(void *of, enum web_page page, struct web_reply *ret);
    void *of;
};

int web_open(struct web **ret, const struct web_options *o);
const char *web_address(const struct web *w);     /* with the port that was found */
void web_rest(struct web *w, int64_t mono_ms);    /* between passes of the loop: ends visits, makes room */
void web_close(struct web *w);
#endif
