/* web.c: who may ask for what. Addresses, paths, hosts; the door is web_http.c. */
#include "daemon/gates/web.h"

#include <arpa/inet.h>
#include <string.h>

/* ---- where we listen ------------------------------------------------------------------------------------------- */

static const struct { struct slice name; int family; } loopbacks[] = {
    { SLICE("127.0.0.1"), AF_INET }, { SLICE("localhost"), AF_INET }, { SLICE("[::1]"), AF_INET6 },
};

bool web_address_parse(const char *text, struct sockaddr_storage *ret, socklen_t *ret_len) {
    const char *colon = strrchr(text, ':');
    uint64_t port;
    if (!colon || !parse_u64(slice_of(colon + 1), &port) || port > UINT16_MAX) return false;
    struct slice name = slice_from(text, (size_t)(colon - text));
    memset(ret, 0, sizeof *ret);
    for (unsigned i = 0; i < COUNT_OF(loopbacks); i++) {
        if (!slice_equal(name, loopbacks[i].name)) continue;
        if (loopbacks[i].family == AF_INET) {
            struct sockaddr_in *in = (struct sockaddr_in *)ret;
            *in = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
            in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
            *ret_len = sizeof *in;
        } else {
            struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ret;
            *in6 = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port) };
            in6->sin6_addr = in6addr_loopback;
            *ret_len = sizeof *in6;
        }
        return true;
    }
    return false;
}

/* ---- what is asked --------------------------------------------------------------------------------------------- */

static const char *const paths[WEB_PAGES] = {
    [WEB_METRICS] = "/metrics", [WEB_HEALTHZ] = "/healthz", [WEB_READYZ] = "/readyz",
};

static const struct { unsigned status; const char *reason; } reasons[] = {
    { 200, "OK" }, { 403, "Forbidden" }, { 404, "Not Found" }, { 405, "Method Not Allowed" },
    { 500, "Internal Server Error" }, { 503, "Service Unavailable" },
};

void web_text(struct web_reply *to, unsigned status, const char *text) {
    *to = (struct web_reply){ .status = status, .type = "text/plain; charset=utf-8", .body = slice_of(text) };
    for (unsigned i = 0; i < COUNT_OF(reasons); i++)
        if (reasons[i].status == status) to->reason = reasons[i].reason;
    CHECK(to->reason);
}

/* A name that somebody's own server resolves to 127.0.0.1 would let a page of theirs read ours. */
static bool host_is_loopback(const char *host) {
    if (!host) return true;                                   /* HTTP/1.0: no browser */
    for (unsigned i = 0; i < COUNT_OF(loopbacks); i++)
        if (slice_equal(slice_of(host), loopbacks[i].name)) return true;
    return false;
}

bool web_route(bool get, const char *path, const char *host, enum web_page *ret, struct web_reply *refused) {
    if (!host_is_loopback(host))
        return web_text(refused, 403, "ask for 127.0.0.1, [::1] or localhost: other hosts are not served\n"), false;
    for (enum web_page page = 0; path && page < WEB_PAGES; page++) {
        if (strcmp(path, paths[page]) != 0) continue;
        if (!get) return web_text(refused, 405, "only GET and HEAD\n"), false;
        return *ret = page, true;
    }
    return web_text(refused, 404, "there are /metrics, /healthz and /readyz\n"), false;
}
