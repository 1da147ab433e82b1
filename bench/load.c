/* load: publishers that send reports and believe nothing.
 *
 *   load --endpoint E [--publishers 4] [--window 64] [--seconds 3] [--warm 0.5] [--seed 1] [--config config/qindu]
 *        [--speech zmtp] [--pid SERVER] [--system NAME] [--status] [--rate N] [--count N] [--answers N] [--once]
 *
 * Each publisher is a connection with at most `window` orders unanswered; one is sent when one is answered. It speaks
 * each server's protocol itself (bench/client). The reports are packed once, one for every grid of the office; a send
 * copies one and writes its id into it.
 *
 * What is checked of every answer, or the run fails:
 *   - it is to an order that was sent and not answered before: each id is acknowledged exactly once;
 *   - on one connection orders are acknowledged in the order of sending, with rising sequence numbers;
 *   - at the end nothing is unanswered.
 * BUSY and RETRY_LATER are counted and sent again a millisecond later; any other refusal fails the run.
 *
 * Prints one line of JSON.
 *   --pid      with the CPU time of that process and its children
 *   --status   asks the broker before and after, and counts what it acknowledged besides ours: its desks' decisions
 *   --rate     so many a second, evenly; latency counts from when one was due to be sent, so a stall hides nothing
 *   --count    so many reports, and no time
 *   --answers  so many cases are reported, dispatched, and accepted in random order; the last is measured
 *   --once     what is told BUSY is not sent again; how soon it was told is measured */
#include "bench/client/client.h"
#include "lib/crypto/crypto.h"

#include <errno.h>
#include <getopt.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PUBLISHERS_MAX = 4096, STATUS_ROOM_BYTES = 4 << 20, DRAIN_SECONDS = 60, AGAIN_NS = 1000000 };

static struct {
    const char *endpoint, *config, *system;
    const struct speech *speech;
    unsigned publishers, window;
    double seconds, warm, rate;
    uint64_t count, answers;
    int pid;
    bool status, once;
} options = {.config = "config/qindu", .system = "broker", .speech = &zmtp, .publishers = 4, .window = 64,
             .seconds = 3, .warm = 0.5};

static uint64_t now_ns;                           /* looked at once a round */
static unsigned reports_count;

/* What is being said, and how much of it may still be said. */
static struct {
    enum { REPORTS, DISPATCHES, ACCEPTS } what;
    uint64_t left, said, since_ns;
} saying = {.left = UINT64_MAX};

/* --answers: the cases of our reports, in the order in which they are spoken of next. */
static struct opened { uint64_t case_id, grid; } *cases;
static uint64_t cases_count;

/* ---- sending ----------------------------------------------------------------------------------------------------- */

static void connection_open(struct connection *c, unsigned number) {
    c->fd = options.speech->open(options.endpoint);
    c->number = (uint16_t)number;
    c->window = options.window;
    c->in = memory_or_die(IN_BYTES);
    c->out = memory_or_die(2 * options.window * (size_t)(ORDER_BYTES_MAX + FRAME_ROOM));
    c->slots = memory_or_die(options.window * sizeof *c->slots);
    c->rows = memory_or_die(options.window * sizeof *c->rows);
}

/* UUIDv7: milliseconds, then dice, as ids of many senders are; the rest finds the slot again. */
static void id_make(const struct connection *c, uint64_t sequence, uint8_t to[static COMMAND_ID_SIZE]) {
    uint64_t dice = random_next();
    put_be64(to, (uint64_t)clock_wall_ms() << 16 | 0x7000 | (dice & 0xFFF));
    put_be64(to + 8, sequence);
    to[8] = (uint8_t)(0x80 | (dice >> 12 & 0x3F));
    to[9] = (uint8_t)(c->number >> 8);
    to[10] = (uint8_t)c->number;
}

static const struct order *order_of(const struct slot *s) {
    static struct order made;
    if (saying.what == REPORTS)
        return report_of(s->what);
    (saying.what == DISPATCHES ? dispatch_make : accept_make)(cases[s->what].case_id, cases[s->what].grid, &made);
    return &made;
}

static void slot_send(struct connection *c, struct slot *s) {
    c->out_len += options.speech->say(c, c->out + c->out_len, order_of(s), s->id);
    s->state = SENT;
    s->order = ++c->orders;
}

static void flush(struct connection *c) {
    while (c->out_at < c->out_len) {
        ssize_t n = send(c->fd, c->out + c->out_at, c->out_len - c->out_at, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno != EAGAIN)
            give_up("send: %s", strerror(errno));
        if (n < 0)
            return;
        c->out_at += (size_t)n;
    }
    c->out_at = c->out_len = 0;
}

/* When the next one is due to be sent; with a rate that is not now. */
static uint64_t due_ns(void) {
    return options.rate > 0 ? saying.since_ns + (uint64_t)((double)saying.said * 1e9 / options.rate) : now_ns;
}

static void say_next(struct connection *c, struct slot *s) {
    uint64_t what = saying.what == REPORTS ? random_next() % reports_count : saying.said;
    *s = (struct slot){.what = (uint32_t)what, .sequence = c->next, .sent_ns = due_ns()};
    id_make(c, c->next, s->id);
    slot_send(c, s);
    c->unanswered++;
    saying.said++;
    saying.left--;
}

/* Sends what was held off, and as many new orders as the window lets. */
static void fill(struct connection *c, bool more) {
    if (c->out_len)
        return flush(c);                          /* the last ones are not gone yet */
    for (unsigned i = 0; c->held_off > 0 && i < options.window; i++)
        if (c->slots[i].state == HELD_OFF && c->slots[i].again_ns <= now_ns) {
            slot_send(c, &c->slots[i]);
            c->held_off--;
        }
    for (; more && saying.left > 0 && due_ns() <= now_ns; c->next++) {
        struct slot *s = &c->slots[c->next % options.window];
        if (s->state != FREE)
            break;
        say_next(c, s);
    }
    if (options.speech->pause && (!more || saying.left == 0 || options.rate > 0))
        c->out_len += options.speech->pause(c, c->out + c->out_len);
    flush(c);
}

/* ---- answers ----------------------------------------------------------------------------------------------------- */

static struct { bool on; uint64_t busy, retry; struct latency latency, told; } measured;

static void measure(struct latency *l, const struct slot *s) {
    if (measured.on)
        latency_add(l, now_ns > s->sent_ns ? (now_ns - s->sent_ns) / 1000 : 0);
}

static void done(struct connection *c, struct slot *s, const struct answer *a) {
    if (s->order <= c->last_order || a->seq <= c->last_seq)
        give_up("connection %u: acknowledged out of order: sent as %llu after %llu, seq %llu after %llu", c->number,
             (unsigned long long)s->order, (unsigned long long)c->last_order, (unsigned long long)a->seq,
             (unsigned long long)c->last_seq);
    c->last_order = s->order;
    c->last_seq = a->seq;
    s->state = FREE;
    c->unanswered--;
    if (cases && saying.what == REPORTS && cases_count < options.answers) {
        cases[cases_count].case_id = a->case_id;
        cases[cases_count++].grid = report_of(s->what)->division;
    }
    measure(&measured.latency, s);
}

static void refused(struct connection *c, struct slot *s, PbRefusal code) {
    if (code != REFUSED_BUSY && code != REFUSED_RETRY_LATER)
        give_up("refused: %s", sentence_of(code)->name);
    measured.busy += measured.on && code == REFUSED_BUSY;
    measured.retry += measured.on && code == REFUSED_RETRY_LATER;
    measure(&measured.told, s);
    if (options.once) {
        s->state = FREE;
        c->unanswered--;
        return;
    }
    s->state = HELD_OFF;
    s->again_ns = now_ns + AGAIN_NS;
    c->held_off++;
}

/* A speech without ids answers in the order of asking. */
static void answered(struct connection *c, const struct answer *a) {
    uint64_t sequence = a->id ? get_be64(a->id + 8) & 0xFFFFFFFFFF : c->answers;
    struct slot *s = &c->slots[sequence % options.window];
    if (s->state != SENT || (a->id ? memcmp(s->id, a->id, sizeof s->id) != 0 : s->sequence != sequence))
        give_up("connection %u: an order was answered that is not waiting for an answer", c->number);
    c->answers++;
    if (a->refusal == REFUSED_NOTHING)
        done(c, s, a);
    else
        refused(c, s, a->refusal);
}

static void receive(struct connection *c) {
    ssize_t n = recv(c->fd, c->in + c->in_len, IN_BYTES - c->in_len, MSG_DONTWAIT);
    if (n == 0 || (n < 0 && errno != EAGAIN))
        give_up("the server hung up");
    if (n < 0)
        return;
    c->in_len += (size_t)n;
    size_t at = options.speech->hear(c, slice_from(c->in, c->in_len), answered);
    memmove(c->in, c->in + at, c->in_len - at);
    c->in_len -= at;
}

/* ---- the broker, asked ------------------------------------------------------------------------------------------- */

/* What the broker has acknowledged so far, to whomever. */
static uint64_t acknowledged(void) {
    static int fd = -1;
    static uint8_t memory[STATUS_ROOM_BYTES], bytes[STATUS_ROOM_BYTES];
    struct arena room;
    struct codec_result why;
    struct slice body = {NULL, 0};
    uint8_t id[COMMAND_ID_SIZE] = {1};
    if (!options.status)
        return 0;
    if (fd < 0)
        fd = options.speech->open(options.endpoint);
    arena_wrap(&room, memory, sizeof memory);
    PbAskStatus ask = {.has_digest = 0};
    PbEnvelope envelope = {.has_version = 1, .version = PROTOCOL_VERSION, .has_command_id = 1,
                           .command_id = {sizeof id, id}, .command_case = COMMAND_ASK_STATUS, .ask_status = &ask};
    size_t len = frame_put(bytes, codec_packed(CODEC_ENVELOPE, &envelope, &room));
    if (write(fd, bytes, len) != (ssize_t)len)
        give_up("the server does not take our question");
    for (len = 0; frame_take(slice_from(bytes, len), &body) == 0; len++)
        exactly(fd, bytes + len, 1);
    const PbReplies *replies = codec_unpack(CODEC_REPLIES, body, &room, &why);
    const PbStatus *s = replies && replies->n_replies ? replies->replies[0]->status : NULL;
    for (size_t i = 0; s && i < s->n_counters; i++)
        if (strcmp(s->counters[i]->name, "acknowledged") == 0)
            return s->counters[i]->value;
    give_up("the server does not say how it is");
}

/* ---- a run ------------------------------------------------------------------------------------------------------- */

static uint64_t until(int poll, struct connection *c, double seconds, bool more) {
    struct epoll_event events[256];
    uint64_t began = now_ns = (uint64_t)clock_mono_ns(), end = began + (uint64_t)(seconds * 1e9);
    unsigned unanswered = 1;
    while (now_ns < end && ((more && saying.left > 0) || unanswered > 0)) {
        int n = epoll_wait(poll, events, COUNT_OF(events), 1);
        now_ns = (uint64_t)clock_mono_ns();
        for (int i = 0; i < n; i++) {
            struct connection *one = events[i].data.ptr;
            receive(one);
            fill(one, more);
        }
        if (n > 0 && more && saying.left > 0 && options.rate == 0)
            continue;
        unanswered = 0;
        for (unsigned i = 0; i < options.publishers; i++) {
            fill(&c[i], more);                    /* the first time, and what was held off or did not fit */
            unanswered += c[i].unanswered;
        }
    }
    if ((!more || saying.left == 0) && unanswered > 0)
        give_up("%u orders were never answered", unanswered);
    return now_ns - began;
}

/* All of them said and answered. */
static double all_of(int poll, struct connection *c, uint64_t count) {
    saying.said = 0;
    saying.left = count;
    return (double)until(poll, c, 3600, true) / 1e9;
}

static void cases_shuffle(void) {
    for (uint64_t i = cases_count; i > 1; i--) {
        uint64_t k = random_next() % i;
        struct opened one = cases[i - 1];
        cases[i - 1] = cases[k];
        cases[k] = one;
    }
}

static void cases_open(int poll, struct connection *c) {
    cases = memory_or_die(options.answers * sizeof *cases);
    (void)all_of(poll, c, options.answers);
    cases_shuffle();
    saying.what = DISPATCHES;
    (void)all_of(poll, c, cases_count);
    cases_shuffle();
    saying.what = ACCEPTS;
}

static void run(int poll, struct connection *c) {
    bool counted = options.count || options.answers;
    double took;
    if (options.answers)
        cases_open(poll, c);
    saying.since_ns = (uint64_t)clock_mono_ns();
    if (!counted)
        (void)until(poll, c, options.warm, true);
    uint64_t others = acknowledged();
    double cpu = server_cpu_seconds(options.pid);
    measured.on = true;
    if (counted)
        took = all_of(poll, c, options.answers ? cases_count : options.count);
    else
        took = (double)until(poll, c, options.seconds, true) / 1e9;
    measured.on = false;
    cpu = server_cpu_seconds(options.pid) - cpu;
    others = acknowledged() - others;
    (void)until(poll, c, DRAIN_SECONDS, false);
    const struct latency *l = &measured.latency, *told = &measured.told;
    double all = l->count ? (double)l->count : 1;
    (void)printf("{\"system\":\"%s\",\"shape\":\"%ux%u\",\"reports_per_s\":%.0f,\"p50_us\":%llu,\"p99_us\":%llu,"
                 "\"max_us\":%llu,\"cpu_us\":%.2f,\"busy\":%llu,\"retry\":%llu,\"desk_per_s\":%.0f,"
                 "\"told_p99_us\":%llu}\n",
                 options.system, options.publishers, options.window, (double)l->count / took,
                 (unsigned long long)latency_us(l, 0.5), (unsigned long long)latency_us(l, 0.99),
                 (unsigned long long)l->max_us, cpu * 1e6 / all, (unsigned long long)measured.busy,
                 (unsigned long long)measured.retry, others > l->count ? (double)(others - l->count) / took : 0.0,
                 (unsigned long long)latency_us(told, 0.99));
}

static void options_read(int argc, char **argv) {
    static const struct option names[] = {
        {"endpoint", 1, 0, 'e'}, {"publishers", 1, 0, 'p'}, {"window", 1, 0, 'w'}, {"seconds", 1, 0, 's'},
        {"warm", 1, 0, 'W'}, {"seed", 1, 0, 'S'}, {"config", 1, 0, 'c'}, {"pid", 1, 0, 'P'}, {"system", 1, 0, 'n'},
        {"status", 0, 0, 'q'}, {"speech", 1, 0, 'm'}, {"rate", 1, 0, 'r'}, {"count", 1, 0, 'C'},
        {"answers", 1, 0, 'a'}, {"once", 0, 0, 'o'}, {0, 0, 0, 0},
    };
    for (int c; (c = getopt_long(argc, argv, "", names, NULL)) != -1;)
        switch (c) {
        case 'e': options.endpoint = optarg; break;
        case 'p': options.publishers = (unsigned)number_of(optarg); break;
        case 'w': options.window = (unsigned)number_of(optarg); break;
        case 's': options.seconds = number_of(optarg); break;
        case 'W': options.warm = number_of(optarg); break;
        case 'S': random_seed = (uint64_t)number_of(optarg) | 1; break;
        case 'c': options.config = optarg; break;
        case 'P': options.pid = (int)number_of(optarg); break;
        case 'n': options.system = optarg; break;
        case 'q': options.status = true; break;
        case 'o': options.once = true; break;
        case 'm': options.speech = speech_of(optarg); break;
        case 'r': options.rate = number_of(optarg); break;
        case 'C': options.count = (uint64_t)number_of(optarg); break;
        case 'a': options.answers = (uint64_t)number_of(optarg); break;
        default: give_up("the comment at the top of bench/load.c says what there is");
        }
    if (!options.endpoint || options.publishers - 1 >= PUBLISHERS_MAX || options.window - 1 >= WINDOW_MAX)
        give_up("--endpoint, 1..%d --publishers, a --window of 1..%d", PUBLISHERS_MAX, WINDOW_MAX);
}

int main(int argc, char **argv) {
    options_read(argc, argv);
    crypto_init();
    reports_count = reports_make(options.config);
    int poll = epoll_create1(EPOLL_CLOEXEC);
    struct connection *c = memory_or_die(options.publishers * sizeof *c);
    for (unsigned i = 0; i < options.publishers; i++) {
        connection_open(&c[i], i);
        struct epoll_event e = {.events = EPOLLIN, .data.ptr = &c[i]};
        if (poll < 0 || epoll_ctl(poll, EPOLL_CTL_ADD, c[i].fd, &e) < 0)
            give_up("epoll: %s", strerror(errno));
    }
    run(poll, c);
    return 0;
}
