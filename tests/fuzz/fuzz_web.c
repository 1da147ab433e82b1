/* HTTP requests of the web gate, in the pieces and with the pauses that the tape has: each visit is answered by one
 * whole reply or ended, and none stays. */
#include "tests/fuzz/fuzz.h"
#include "daemon/gates/web.h"
#include "lib/base/counters.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PIECES_MAX = 12, PASSES_MAX = 64, HEARD_BYTES = 64 << 10 };

static struct event_base *base;
static struct web *web;
static int64_t now_ms = 1000;
static struct sockaddr_storage address;
static socklen_t address_len;
static char heard[HEARD_BYTES];

static void tell(void *of, enum web_page page, struct web_reply *ret) {
    (void)of;
    CHECK(page < WEB_PAGES);
    web_text(ret, 200, "it is well");
}

static void set_up(void) {
    (void)signal(SIGPIPE, SIG_IGN);                      /* as loop.c */
    base = event_base_new();
    struct web_options o = {.base = base, .address = "127.0.0.1:0", .tell = tell};
    CHECK(base && web_open(&web, &o) == 0 && web_address_parse(web_address(web), &address, &address_len));
}

static void pass(int64_t ms) {
    now_ms += ms;
    web_rest(web, now_ms);
    CHECK(event_base_loop(base, EVLOOP_NONBLOCK) >= 0);
}

/* -1: the visit is over. */
static int hear(int fd, size_t *len) {
    ssize_t n = recv(fd, heard + *len, sizeof heard - 1 - *len, MSG_DONTWAIT);
    if (n > 0) *len += (size_t)n;
    CHECK(*len < sizeof heard - 1);
    return n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR) ? -1 : 0;
}

/* One reply, whole, and nothing behind it; or nothing at all. What is no HTTP evhttp refuses by itself, and does not
 * say how long that is. */
static void check_heard(size_t len) {
    heard[len] = '\0';
    const char *body = strstr(heard, "\r\n\r\n"), *length = strcasestr(heard, "\r\nContent-Length: ");
    if (len == 0) return;
    CHECK(strncmp(heard, "HTTP/", 5) == 0 && memchr(heard, 0, len) == NULL);
    if (strncmp(heard + 8, " 100", 4) == 0) return;      /* it was asked whether it goes on */
    CHECK(body);
    if (!length || length > body) return;
    size_t said = strtoul(length + strlen("\r\nContent-Length: "), NULL, 10), sent = len - (size_t)(body + 4 - heard);
    CHECK(sent == said || sent == 0);                    /* 0: it asked for the head */
}

/* -1: this machine has no connection to give at the moment, which says nothing about the gate. */
static int visit_open(void) {
    struct linger no = {.l_onoff = 1};                   /* no port waits for a minute */
    int fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_LINGER, &no, sizeof no) == 0);
    if (connect(fd, (struct sockaddr *)&address, address_len) == 0) return fd;
    if (errno != EINTR && errno != EADDRNOTAVAIL) check_failed("connect", strerror(errno), errno);
    CHECK(close(fd) == 0);
    return -1;
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len) {
    struct tape t = tape_of(at, len);
    size_t got = 0;
    int over = 0;
    if (!web) set_up();
    int fd = visit_open();
    if (fd < 0) return 0;
    pass(1);
    for (unsigned i = 0; i < PIECES_MAX && !tape_over(&t) && over == 0; i++) {
        uint8_t how = tape_byte(&t);
        struct slice piece = tape_bytes(&t, how < 128 ? (size_t)how * 8 : 4096);
        if (piece.len && send(fd, piece.at, piece.len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) break;
        pass(how & 1 ? 1 : 700);
        over = hear(fd, &got);
    }
    if (tape_byte(&t) & 1) (void)shutdown(fd, SHUT_WR);
    for (unsigned i = 0; i < PASSES_MAX && over == 0; i++) {
        pass(i < 8 ? 1 : VISIT_MS_MAX / 4);
        over = hear(fd, &got);
    }
    CHECK(over < 0);                                     /* W2 */
    check_heard(got);
    CHECK(close(fd) == 0);
    pass(1);
    pass(1);
    CHECK(counters[COUNTER_WEB_REFUSED] <= counters[COUNTER_WEB_REQUESTS]);
    return 0;
}
