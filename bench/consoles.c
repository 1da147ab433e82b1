/* consoles: many of them, on the broker's feed.
 *
 *   consoles --endpoint E [--consoles 100] [--behind N] [--seconds 5] [--communities]
 *
 * Each subscribes to the whole district, or to one community of it, from N seqs back, grants credit as it reads, and
 * checks that its numbers are contiguous and its seqs rise. Prints `live` when all have caught up, and one line of JSON
 * after so many seconds more. One thread, and ZMTP by hand: what it does not spend, the broker has. */
#include "bench/client/client.h"
#include "lib/crypto/crypto.h"

#include <errno.h>
#include <getopt.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CONSOLES_MOST = 1024, CREDIT = 4096, BEAT_NS = 1000000000, MORE = 1 };

struct console {
    int fd;
    uint64_t prefix;
    bool subscribed, live, body_next;             /* body_next: the frame of a head that was read */
    uint64_t session_seq, seq, kind;
    unsigned used;                                /* updates since credit was granted */
    uint8_t *in;
    size_t in_len;
};

static struct { const char *endpoint; unsigned consoles; uint64_t behind; double seconds; bool communities; }
options = {.consoles = 100, .seconds = 5};
static uint64_t updates, live;

static void say(struct console *c, PbConsoleFrame *frame) {
    uint8_t memory[512], bytes[512];
    struct arena room;
    arena_wrap(&room, memory, sizeof memory);
    frame->has_version = 1;
    frame->version = PROTOCOL_VERSION;
    size_t len = frame_put(bytes, codec_packed(CODEC_CONSOLE_FRAME, frame, &room));
    if (send(c->fd, bytes, len, MSG_NOSIGNAL) != (ssize_t)len)
        give_up("the broker does not listen: %s", strerror(errno));
}

static void subscribe(struct console *c, uint64_t durable) {
    PbSubscribe s = {.n_prefixes = 1, .prefixes = &c->prefix, .has_from_seq = 1, .has_credit = 1,
                     .credit = 2 * CREDIT};
    s.from_seq = durable > options.behind ? durable - options.behind : 0;
    c->seq = s.from_seq;
    c->subscribed = true;
    say(c, &(PbConsoleFrame){.console_says_case = CONSOLE_SAYS_SUBSCRIBE, .subscribe = &s});
}

static void on_numbered(struct console *c, uint64_t session_seq, uint64_t seq) {
    if (session_seq != c->session_seq + 1 || seq < c->seq)
        give_up("a gap: number %llu after %llu, seq %llu after %llu", (unsigned long long)session_seq,
             (unsigned long long)c->session_seq, (unsigned long long)seq, (unsigned long long)c->seq);
    c->session_seq = session_seq;
    c->seq = seq;
    if (c->kind == FEED_LIVE && !c->live)
        c->live = true, live++;
    if (c->kind != FEED_UPDATE)
        return;
    updates++;
    if (++c->used < CREDIT)
        return;
    PbWorkerCredit more = {.has_more = 1, .more = c->used};
    c->used = 0;
    say(c, &(PbConsoleFrame){.console_says_case = CONSOLE_SAYS_CREDIT, .credit = &more});
}

static void on_head(struct console *c, struct slice head) {
    uint64_t session_seq = field_number(head, 1), seq = field_number(head, 3);
    c->kind = field_number(head, 2);
    if (c->kind == FEED_REFUSED || c->kind == FEED_GOODBYE || c->kind == FEED_RESYNC)
        give_up("the broker will not serve us: kind %llu", (unsigned long long)c->kind);
    if (c->kind == FEED_WELCOME && !c->subscribed)
        subscribe(c, seq);
    if (session_seq)
        on_numbered(c, session_seq, seq);
}

static void receive(struct console *c) {
    ssize_t n = recv(c->fd, c->in + c->in_len, IN_BYTES - c->in_len, MSG_DONTWAIT);
    if (n == 0 || (n < 0 && errno != EAGAIN))
        give_up("the broker hung up");
    c->in_len += n > 0 ? (size_t)n : 0;
    size_t at = 0, used;
    struct slice body;
    while ((used = frame_take(slice_from(c->in + at, c->in_len - at), &body)) > 0) {
        if (!c->body_next)
            on_head(c, body);
        c->body_next = c->in[at] & MORE;
        at += used;
    }
    memmove(c->in, c->in + at, c->in_len - at);
    c->in_len -= at;
}

static void beat(struct console *all) {
    PbHeartbeat nothing = {.has_n = 0};
    for (unsigned i = 0; i < options.consoles; i++)
        say(&all[i], &(PbConsoleFrame){.console_says_case = CONSOLE_SAYS_HEARTBEAT, .heartbeat = &nothing});
}

static void run(int poll, struct console *all) {
    struct epoll_event events[256];
    int64_t began = clock_mono_ns(), now = began, live_ns = 0, beaten = began, counted_ns = 0;
    uint64_t before = 0;
    while (live_ns == 0 || (double)(now - counted_ns) < options.seconds * 1e9) {
        int n = epoll_wait(poll, events, COUNT_OF(events), 100);
        for (int i = 0; i < n; i++)
            receive(events[i].data.ptr);
        now = clock_mono_ns();
        if (now - beaten > BEAT_NS)
            beat(all), beaten = now;
        if (live_ns != 0 || live < options.consoles)
            continue;
        live_ns = counted_ns = now;
        before = updates;
        (void)printf("live\n");
        (void)fflush(stdout);
    }
    (void)printf("{\"consoles\":%u,\"live_after_s\":%.2f,\"caught_up\":%llu,\"updates\":%llu,\"updates_per_s\":%.0f}\n",
                 options.consoles, (double)(live_ns - began) / 1e9, (unsigned long long)before,
                 (unsigned long long)(updates - before), (double)(updates - before) * 1e9 / (double)(now - counted_ns));
}

int main(int argc, char **argv) {
    static const struct option names[] = {{"endpoint", 1, 0, 'e'}, {"consoles", 1, 0, 'n'}, {"behind", 1, 0, 'b'},
                                          {"seconds", 1, 0, 's'}, {"communities", 0, 0, 'c'}, {0, 0, 0, 0}};
    for (int c; (c = getopt_long(argc, argv, "", names, NULL)) != -1;)
        switch (c) {
        case 'e': options.endpoint = optarg; break;
        case 'n': options.consoles = (unsigned)number_of(optarg); break;
        case 'c': options.communities = true; break;
        case 'b': options.behind = (uint64_t)number_of(optarg); break;
        case 's': options.seconds = number_of(optarg); break;
        default: give_up("the comment at the top of bench/consoles.c says what there is");
        }
    if (!options.endpoint || options.consoles - 1 >= CONSOLES_MOST)
        give_up("--endpoint, 1..%d --consoles", CONSOLES_MOST);
    const struct rlimit files = {2 * CONSOLES_MOST, 2 * CONSOLES_MOST};
    (void)setrlimit(RLIMIT_NOFILE, &files);
    crypto_init();
    unsigned grids = reports_make("config/qindu");
    int poll = epoll_create1(EPOLL_CLOEXEC);
    struct console *all = memory_or_die(options.consoles * sizeof *all);
    PbHello hello = {.program = (char *)"bench"};
    for (unsigned i = 0; i < options.consoles; i++) {
        all[i] = (struct console){.fd = zmtp.open(options.endpoint), .in = memory_or_die(IN_BYTES)};
        uint64_t grid = report_of(i * 7 % grids)->division;
        all[i].prefix = options.communities ? grid / 1000 : grid / 1000000000;
        struct epoll_event e = {.events = EPOLLIN, .data.ptr = &all[i]};
        if (poll < 0 || epoll_ctl(poll, EPOLL_CTL_ADD, all[i].fd, &e) < 0)
            give_up("epoll: %s", strerror(errno));
        say(&all[i], &(PbConsoleFrame){.console_says_case = CONSOLE_SAYS_HELLO, .hello = &hello});
    }
    run(poll, all);
    return 0;
}
