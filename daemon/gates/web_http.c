/* web_http.c: HTTP on the loop. Door: libevent's evhttp, and what it stands on.
 *
 * evhttp bounds neither how many connect, nor how long they stay: its timeout begins anew with every byte. So each
 * visit is ours as well: we hold a second reference on its bufferevent, which tells when evhttp has let go of it, and
 * lets us end it: a socket that is shut down is read to its end like one that its client has closed. */
#include "daemon/gates/web.h"
#include "lib/base/counters.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { REST_AFTER_ERROR_MS = 100 };

struct visit {
    struct bufferevent *stream;
    int64_t since_ms;
    bool ended;                                   /* shut down by us */
};

struct web {
    struct web_options options;
    struct evhttp *http;
    struct evconnlistener *listener;
    struct visit visits[VISITS_MAX];
    unsigned visits_count;
    bool shut;                                    /* the listener is: no place, or nothing could be accepted */
    int64_t now_ms, listen_after_ms;
    char address[WEB_ADDRESS_BYTES];
};

/* ---- a visit --------------------------------------------------------------------------------------------------- */

static void stop_listening(struct web *w) {
    evconnlistener_disable(w->listener);
    w->shut = true;
}

/* evhttp asks for the stream of a connection that it has accepted. The last place taken ends the accepting. */
static struct bufferevent *on_visit(struct event_base *base, void *arg) {
    struct web *w = arg;
    struct bufferevent *stream = bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
    CHECK(stream && w->visits_count < VISITS_MAX);
    bufferevent_incref(stream);
    bufferevent_setwatermark(stream, EV_READ, 0, WEB_INPUT_BYTES_MAX);
    w->visits[w->visits_count++] = (struct visit){ .stream = stream, .since_ms = w->now_ms };
    if (w->visits_count == VISITS_MAX) stop_listening(w);
    return stream;
}

/* No descriptor left, as a rule: asking again at once would only be told so again. */
static void on_accept_error(struct evconnlistener *listener, void *arg) {
    struct web *w = arg;
    (void)listener;
    log_warn("web.accept error=\"%s\"", strerror(errno));
    stop_listening(w);
    w->listen_after_ms = w->now_ms + REST_AFTER_ERROR_MS;
}

static bool is_over(const struct visit *v) {
    bufferevent_event_cb on_event;
    bufferevent_getcb(v->stream, NULL, NULL, &on_event, NULL);
    return on_event == NULL;                      /* evhttp has let go of it */
}

static void visit_end(struct visit *v) {
    if (v->ended) return;
    v->ended = true;
    COUNT(WEB_DROPPED);
    (void)shutdown(bufferevent_getfd(v->stream), SHUT_RDWR);
}

void web_rest(struct web *w, int64_t mono_ms) {
    w->now_ms = mono_ms;
    for (unsigned i = 0; i < w->visits_count;) {
        if (!is_over(&w->visits[i])) {
            i++;
            continue;
        }
        bufferevent_decref(w->visits[i].stream);
        w->visits_count--;
        memmove(&w->visits[i], &w->visits[i + 1], (w->visits_count - i) * sizeof w->visits[0]);
    }
    bool full = w->visits_count == VISITS_MAX;
    for (unsigned i = 0; i < w->visits_count; i++) {
        int64_t age_ms = mono_ms - w->visits[i].since_ms;
        if (age_ms > VISIT_MS_MAX || (full && age_ms > VISIT_GRACE_MS)) visit_end(&w->visits[i]);
    }
    if (w->shut && !full && mono_ms >= w->listen_after_ms) w->shut = evconnlistener_enable(w->listener) < 0;
}

/* ---- a request ------------------------------------------------------------------------------------------------- */

/* evhttp would send the body of an answer to HEAD, too. */
static void answer(struct evhttp_request *request, const struct web_reply *reply) {
    struct evkeyvalq *headers = evhttp_request_get_output_headers(request);
    struct evbuffer *body = evbuffer_new();
    bool head = evhttp_request_get_command(request) == EVHTTP_REQ_HEAD;
    char length[24];
    CHECK(body && evbuffer_add(body, reply->body.at, head ? 0 : reply->body.len) == 0);
    snprintf(length, sizeof length, "%zu", reply->body.len);
    evhttp_add_header(headers, "Content-Length", length);
    evhttp_add_header(headers, "Content-Type", reply->type);
    evhttp_add_header(headers, "Cache-Control", "no-store");
    evhttp_add_header(headers, "X-Content-Type-Options", "nosniff");
    evhttp_add_header(headers, "Connection", "close");
    if (reply->status == 405) evhttp_add_header(headers, "Allow", "GET, HEAD");
    evhttp_send_reply(request, (int)reply->status, reply->reason, body);
    evbuffer_free(body);
}

static void on_request(struct evhttp_request *request, void *arg) {
    struct web *w = arg;
    struct web_reply reply;
    enum web_page page;
    enum evhttp_cmd_type method = evhttp_request_get_command(request);
    const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(request);
    const char *path = uri ? evhttp_uri_get_path(uri) : NULL;
    bool get = method == EVHTTP_REQ_GET || method == EVHTTP_REQ_HEAD;
    COUNT(WEB_REQUESTS);
    if (web_route(get, path, evhttp_request_get_host(request), &page, &reply))
        w->options.tell(w->options.of, page, &reply);
    else COUNT(WEB_REFUSED);
    answer(request, &reply);
}

/* ---- open and close -------------------------------------------------------------------------------------------- */

static void note_address(struct web *w) {
    struct sockaddr_storage a;
    socklen_t len = sizeof a;
    char host[INET6_ADDRSTRLEN];
    CHECK(getsockname(evconnlistener_get_fd(w->listener), (struct sockaddr *)&a, &len) == 0);
    bool v6 = a.ss_family == AF_INET6;
    const struct sockaddr_in *in = (const struct sockaddr_in *)&a;
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&a;
    const void *bytes = v6 ? (const void *)&in6->sin6_addr : &in->sin_addr;
    CHECK(inet_ntop(a.ss_family, bytes, host, sizeof host));
    snprintf(w->address, sizeof w->address, v6 ? "[%s]:%u" : "%s:%u", host,
             (unsigned)ntohs(v6 ? in6->sin6_port : in->sin_port));
}

static void set_limits(struct evhttp *http) {
    const unsigned methods = EVHTTP_REQ_GET | EVHTTP_REQ_HEAD | EVHTTP_REQ_POST | EVHTTP_REQ_PUT | EVHTTP_REQ_DELETE
        | EVHTTP_REQ_OPTIONS | EVHTTP_REQ_PATCH;  /* of these we say ourselves that they are not served */
    evhttp_set_max_headers_size(http, WEB_HEADERS_BYTES_MAX);
    evhttp_set_max_body_size(http, WEB_BODY_BYTES_MAX);
    evhttp_set_timeout(http, VISIT_MS_MAX / 1000);
    evhttp_set_allowed_methods(http, (uint16_t)methods);
    evhttp_set_default_content_type(http, "text/plain; charset=utf-8");
}

int web_open(struct web **ret, const struct web_options *o) {
    struct sockaddr_storage a;
    socklen_t len;
    if (!web_address_parse(o->address, &a, &len)) return -EINVAL;
    struct web *w = memory_or_die(sizeof *w);
    w->options = *o;
    w->http = evhttp_new(o->base);
    CHECK(w->http);
    set_limits(w->http);
    evhttp_set_gencb(w->http, on_request, w);
    evhttp_set_bevcb(w->http, on_visit, w);
    w->listener = evconnlistener_new_bind(o->base, NULL, NULL,
                                          LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_REUSEABLE,
                                          VISIT_BACKLOG_MAX, (struct sockaddr *)&a, (int)len);
    if (!w->listener) {
        int r = -errno;
        evhttp_free(w->http);
        free(w);
        return r ? r : -EADDRNOTAVAIL;
    }
    CHECK(evhttp_bind_listener(w->http, w->listener));
    evconnlistener_set_error_cb(w->listener, on_accept_error);
    note_address(w);
    *ret = w;
    return 0;
}

const char *web_address(const struct web *w) {
    return w->address;
}

void web_close(struct web *w) {
    if (!w) return;
    evhttp_free(w->http);                         /* the listener and every visit with it */
    for (unsigned i = 0; i < w->visits_count; i++) bufferevent_decref(w->visits[i].stream);
    free(w);
}
