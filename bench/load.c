/* load: publishers that send reports and believe nothing.
 *
 *   load --endpoint E [--publishers 4] [--window 64] [--seconds 3] [--warm 0.5] [--seed 1] [--config config/qindu]
 *        [--pid SERVER] [--system NAME] [--status]
 *
 * Each publisher is a connection with at most `window` reports unanswered; one is sent when one is answered. It speaks
 * ZMTP 3.0 itself, because client and server share the machine: what the client does not spend, the server has, and
 * every server gets the same client. The reports are packed once, one for every grid of the office; a send copies one
 * and writes its id into it.
 *
 * What is checked of every answer, or the run fails:
 *   - it is to a report that was sent and not answered before: each id is acknowledged exactly once;
 *   - on one connection reports are acknowledged in the order of sending, with rising sequence numbers;
 *   - at the end nothing is unanswered.
 * BUSY and RETRY_LATER are counted and sent again a millisecond later; any other refusal fails the run.
 *
 * Prints one line of JSON. --pid: with the CPU time of that process. --status: asks the broker before and after, and
 * counts what it acknowledged besides our reports: the decisions of its desks. */
#include "daemon/config/config.h"
#include "lib/codec/codec.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    REPORT_BYTES_MAX = 512, ID_AT = 4,            /* 08 01 12 10: version 1, then sixteen bytes of id */
    PUBLISHERS_MAX = 4096, WINDOW_MAX = 4096, GRIDS_MAX = 8192,
    IN_BYTES = 1 << 20, STATUS_ROOM_BYTES = 4 << 20,
    LATENCY_US_MAX = 1 << 21, DRAIN_SECONDS = 20, AGAIN_NS = 1000000,
};

static struct {
    const char *endpoint, *config, *system;
    unsigned publishers, window;
    double seconds, warm;
    uint64_t seed;
    int pid;
    bool status;
} options = {.config = "config/qindu", .system = "broker", .publishers = 4, .window = 64, .seconds = 3, .warm = 0.5,
             .seed = 1};

_Noreturn static void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void fail(const char *format, ...) {
    va_list list;
    va_start(list, format);
    (void)fputs("load: ", stderr);
    (void)vfprintf(stderr, format, list);
    (void)fputs("\n", stderr);
    va_end(list);
    exit(1);
}

static uint64_t random_next(void) {               /* xorshift64*: the same seed, the same reports */
    options.seed ^= options.seed >> 12;
    options.seed ^= options.seed << 25;
    options.seed ^= options.seed >> 27;
    return options.seed * 2685821657736338717u;
}

/* ---- reports ----------------------------------------------------------------------------------------------------- */

static struct report { uint16_t len; uint8_t bytes[REPORT_BYTES_MAX]; } reports[GRIDS_MAX];
static unsigned reports_count;

static const char *const texts[] = {
    "人行道上的井盖松动翘起,夜间没有照明也没有警示牌,已经有两位老人在这里绊倒,请尽快派人处理。",
    "楼下垃圾桶已经三天没有清运,垃圾堆到了路面上,气味很大,夏天蚊蝇多,居民反映强烈。",
    "小区东门外的流动摊贩占道经营,早晚高峰车辆无法通行,油污流到路面,请协调城管现场处理。",
    "单元门口的路灯不亮已有一周,晚归的学生和老人行走不便,物业表示无法维修,请帮助联系。",
};

static void report_make(const PbDivision *grid, const PbCategory *category, struct report *ret) {
    static uint8_t memory[64 << 10];
    struct arena room;
    char reporter[64];
    uint8_t id[COMMAND_ID_SIZE] = {0};
    arena_wrap(&room, memory, sizeof memory);
    (void)snprintf(reporter, sizeof reporter, "grid-worker@%llu", (unsigned long long)grid->code);
    PbPlace place = {
        .has_division = 1, .division = grid->code, .has_wall = 1,
        .wall = category->wall ? category->wall : random_next() & 1 ? WALL_INSIDE : WALL_OUTSIDE,
        .has_lon_e7 = 1, .lon_e7 = 1087000000 + (int32_t)(random_next() % 1000000),
        .has_lat_e7 = 1, .lat_e7 = 343000000 + (int32_t)(random_next() % 1000000),
    };
    PbReport report = {
        .place = &place, .category = category->code, .has_occurred_at_ms = 1, .occurred_at_ms = clock_wall_ms(),
        .text = (char *)texts[random_next() % COUNT_OF(texts)], .address = (char *)"人民西路与古渡路交叉口东北角",
        .reporter = reporter,
    };
    PbEnvelope envelope = {
        .has_version = 1, .version = PROTOCOL_VERSION, .has_command_id = 1, .command_id = {sizeof id, id},
        .has_sent_at_ms = 1, .sent_at_ms = clock_wall_ms(), .command_case = COMMAND_REPORT, .report = &report,
    };
    struct slice bytes = codec_packed(CODEC_ENVELOPE, &envelope, &room);
    CHECK(bytes.at && bytes.len <= sizeof ret->bytes);
    CHECK(codec_peek_id(bytes).at == bytes.at + ID_AT);
    memcpy(ret->bytes, bytes.at, bytes.len);
    ret->len = (uint16_t)bytes.len;
}

/* One report for every grid of the office's rules, of any category that is reported from a grid. */
static void reports_make(void) {
    struct arena room;
    struct config_error e;
    PbRules *rules = NULL;
    arena_wrap(&room, memory_or_die(CONFIG_ARENA_BYTES), CONFIG_ARENA_BYTES);
    if (config_load(options.config, &room, &rules, &e) < 0)
        fail("%s:%u: %s", e.file, e.line, e.what);
    for (size_t i = 0; i < rules->n_divisions && reports_count < GRIDS_MAX; i++)
        if (rules->divisions[i]->code >= 100000000000000)
            report_make(rules->divisions[i], rules->categories[random_next() % rules->n_categories],
                        &reports[reports_count++]);
    if (reports_count == 0)
        fail("%s has no grids", options.config);
    free(room.base);
}

/* ---- connections ------------------------------------------------------------------------------------------------- */

/* A report on its way. `order` is when it was sent last, counted on its connection. */
struct slot { enum { FREE, SENT, HELD_OFF } state; uint16_t report; uint64_t sequence, order, sent_ns, again_ns;
    uint8_t id[COMMAND_ID_SIZE]; };

struct connection {
    int fd;
    uint16_t number;
    uint8_t *in, *out;
    size_t in_len, out_at, out_len;
    struct slot *slots;
    uint64_t next, orders, last_order, last_seq;
    unsigned held_off, unanswered;
};

static int open_socket(const char *endpoint) {
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    bool ipc = strncmp(endpoint, "ipc://", 6) == 0, tcp = strncmp(endpoint, "tcp://127.0.0.1:", 16) == 0;
    uint64_t port = 0;
    if ((!ipc && !tcp) || (tcp && (!parse_u64(slice_of(endpoint + 16), &port) || port > 65535)))
        fail("%s: neither ipc://path nor tcp://127.0.0.1:port", endpoint);
    in.sin_port = htons((uint16_t)port);
    if (ipc)
        (void)snprintf(un.sun_path, sizeof un.sun_path, "%s", endpoint + 6);
    int fd = socket(ipc ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
    if (fd < 0 || connect(fd, ipc ? (void *)&un : (void *)&in, ipc ? sizeof un : sizeof in) < 0)
        fail("%s: %s", endpoint, strerror(errno));
    if (tcp)
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

static void exactly(int fd, void *at, size_t len) {
    for (ssize_t n; len > 0; len -= (size_t)n, at = (uint8_t *)at + n)
        if ((n = read(fd, at, len)) <= 0)
            fail("the server hung up");
}

/* ZMTP 3.0, mechanism NULL: greeting, READY. */
static void shake_hands(int fd) {
    static const uint8_t greeting[64] = {0xFF, 0, 0, 0, 0, 0, 0, 0, 1, 0x7F, 3, 0, 'N', 'U', 'L', 'L'};
    static const char ready[] = "\4\x1C\5READY\13Socket-Type\0\0\0\6DEALER";
    uint8_t answer[256];
    if (write(fd, greeting, sizeof greeting) != sizeof greeting || write(fd, ready, 30) != 30)
        fail("the server does not take our greeting");
    exactly(fd, answer, 64);
    if (answer[0] != 0xFF || answer[10] < 3)
        fail("the server does not speak ZMTP 3");
    exactly(fd, answer, 2);
    size_t len = answer[1];
    exactly(fd, answer, len);
    if (len < 6 || memcmp(answer, "\5READY", 6) != 0)
        fail("the server is not ready");
}

static void connection_open(struct connection *c, unsigned number) {
    c->fd = open_socket(options.endpoint);
    c->number = (uint16_t)number;
    c->in = memory_or_die(IN_BYTES);
    c->out = memory_or_die(2 * options.window * (size_t)(REPORT_BYTES_MAX + 9));
    c->slots = memory_or_die(options.window * sizeof *c->slots);
    shake_hands(c->fd);
}

/* The first frame of s: bytes used, 0 while it is not there in full. Commands (bit 2) have a body of no interest. */
static size_t frame_take(struct slice s, struct slice *ret_body) {
    if (s.len < 2 || ((s.at[0] & 2) && s.len < 9))
        return 0;
    size_t head = s.at[0] & 2 ? 9 : 2;
    uint64_t len = head == 9 ? get_be64(s.at + 1) : s.at[1];
    if (len > IN_BYTES - 9)
        fail("a frame of %llu bytes", (unsigned long long)len);
    if (s.len < head + len)
        return 0;
    *ret_body = slice_from(s.at + head, s.at[0] & 4 ? 0 : len);
    return head + len;
}

static size_t frame_put(uint8_t *to, struct slice body) {
    size_t head = body.len > 255 ? 9 : 2;
    to[0] = head == 9 ? 2 : 0;
    if (head == 9)
        put_be64(to + 1, body.len);
    else
        to[1] = (uint8_t)body.len;
    memcpy(to + head, body.at, body.len);
    return head + body.len;
}

/* ---- sending ----------------------------------------------------------------------------------------------------- */

static uint64_t now_ns;                           /* looked at once a round */

/* UUIDv7: milliseconds, then dice, as ids of many senders are; the rest finds the slot again. */
static void id_make(const struct connection *c, uint64_t sequence, uint8_t to[static COMMAND_ID_SIZE]) {
    uint64_t dice = random_next();
    put_be64(to, (uint64_t)clock_wall_ms() << 16 | 0x7000 | (dice & 0xFFF));
    put_be64(to + 8, sequence);
    to[8] = (uint8_t)(0x80 | (dice >> 12 & 0x3F));
    to[9] = (uint8_t)(c->number >> 8);
    to[10] = (uint8_t)c->number;
}

static void slot_send(struct connection *c, struct slot *s) {
    const struct report *r = &reports[s->report];
    uint8_t *to = c->out + c->out_len;
    size_t len = frame_put(to, slice_from(r->bytes, r->len));
    memcpy(to + (len - r->len) + ID_AT, s->id, sizeof s->id);
    c->out_len += len;
    s->state = SENT;
    s->order = ++c->orders;
}

static void flush(struct connection *c) {
    while (c->out_at < c->out_len) {
        ssize_t n = send(c->fd, c->out + c->out_at, c->out_len - c->out_at, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno != EAGAIN)
            fail("send: %s", strerror(errno));
        if (n < 0)
            return;
        c->out_at += (size_t)n;
    }
    c->out_at = c->out_len = 0;
}

/* Sends what was held off, and as many new reports as the window lets. */
static void fill(struct connection *c, bool more) {
    if (c->out_len)
        return flush(c);                          /* the last ones are not gone yet */
    for (unsigned i = 0; c->held_off > 0 && i < options.window; i++)
        if (c->slots[i].state == HELD_OFF && c->slots[i].again_ns <= now_ns) {
            slot_send(c, &c->slots[i]);
            c->held_off--;
        }
    for (struct slot *s; more && (s = &c->slots[c->next % options.window])->state == FREE; c->next++) {
        *s = (struct slot){.report = (uint16_t)(random_next() % reports_count), .sequence = c->next, .sent_ns = now_ns};
        id_make(c, c->next, s->id);
        slot_send(c, s);
        c->unanswered++;
    }
    flush(c);
}

/* ---- answers ----------------------------------------------------------------------------------------------------- */

static struct { bool on; uint64_t done, busy, retry, max_us; uint32_t latency_us[LATENCY_US_MAX]; } measured;

/* The next field of a message: a number, or bytes. The server's bytes are its own affair: what is malformed fails. */
static bool field_next(struct slice *s, uint64_t *ret_number, uint64_t *ret_value, struct slice *ret_bytes) {
    uint64_t word[2] = {0, 0};
    if (s->len == 0)
        return false;
    for (unsigned w = 0, shift = 0; w < 2; s->at++, s->len--) {
        if (s->len == 0 || shift > 63)
            fail("a reply is malformed");
        word[w] |= (uint64_t)(*s->at & 0x7F) << shift;
        shift += 7;
        if (*s->at < 0x80)
            w++, shift = 0;
    }
    *ret_number = word[0] >> 3;
    *ret_value = word[1];
    if ((word[0] & 7) == 2) {
        if (word[1] > s->len)
            fail("a reply is cut short");
        *ret_bytes = slice_from(s->at, word[1]);
        *s = slice_from(s->at + word[1], s->len - word[1]);
    }
    return true;
}

static uint64_t field_number(struct slice message, uint64_t number) {
    uint64_t n, value;
    struct slice bytes;
    while (field_next(&message, &n, &value, &bytes))
        if (n == number)
            return value;
    return 0;
}

static void done(struct connection *c, struct slot *s, uint64_t seq) {
    if (s->order <= c->last_order || seq <= c->last_seq)
        fail("connection %u: acknowledged out of order: sent as %llu after %llu, seq %llu after %llu", c->number,
             (unsigned long long)s->order, (unsigned long long)c->last_order, (unsigned long long)seq,
             (unsigned long long)c->last_seq);
    c->last_order = s->order;
    c->last_seq = seq;
    s->state = FREE;
    c->unanswered--;
    if (!measured.on)
        return;
    uint64_t us = (now_ns - s->sent_ns) / 1000;
    measured.done++;
    measured.latency_us[us < LATENCY_US_MAX ? us : LATENCY_US_MAX - 1]++;
    measured.max_us = us > measured.max_us ? us : measured.max_us;
}

static void refused(struct connection *c, struct slot *s, struct slice refusal) {
    uint64_t code = field_number(refusal, 1);
    if (code != REFUSED_BUSY && code != REFUSED_RETRY_LATER)
        fail("refused: %s", sentence_of((PbRefusal)code)->name);
    measured.busy += measured.on && code == REFUSED_BUSY;
    measured.retry += measured.on && code == REFUSED_RETRY_LATER;
    s->state = HELD_OFF;
    s->again_ns = now_ns + AGAIN_NS;
    c->held_off++;
}

static void reply_take(struct connection *c, struct slice reply) {
    uint64_t number, value, which = 0;
    struct slice bytes = {NULL, 0}, id = {NULL, 0}, body = {NULL, 0};
    while (field_next(&reply, &number, &value, &bytes)) {
        if (number == 1)
            id = bytes;
        else
            which = number, body = bytes;
    }
    if (id.len != COMMAND_ID_SIZE || (which != REPLY_DONE && which != REPLY_REFUSED))
        fail("a reply that answers no report");
    struct slot *s = &c->slots[(get_be64(id.at + 8) & 0xFFFFFFFFFF) % options.window];
    if (s->state != SENT || memcmp(s->id, id.at, sizeof s->id) != 0)
        fail("connection %u: a report was answered that is not waiting for an answer", c->number);
    if (which == REPLY_DONE)
        done(c, s, field_number(body, 1));
    else
        refused(c, s, body);
}

static void receive(struct connection *c) {
    ssize_t n = recv(c->fd, c->in + c->in_len, IN_BYTES - c->in_len, MSG_DONTWAIT);
    if (n == 0 || (n < 0 && errno != EAGAIN))
        fail("the server hung up");
    if (n < 0)
        return;
    c->in_len += (size_t)n;
    size_t at = 0, used;
    uint64_t number, value;
    struct slice body, reply;
    while ((used = frame_take(slice_from(c->in + at, c->in_len - at), &body)) > 0) {
        while (field_next(&body, &number, &value, &reply))
            reply_take(c, reply);
        at += used;
    }
    memmove(c->in, c->in + at, c->in_len - at);
    c->in_len -= at;
}

/* ---- the server, seen from outside ------------------------------------------------------------------------------- */

static double cpu_seconds(void) {
    char path[64], line[1024];
    unsigned long user = 0, system = 0;
    if (options.pid == 0)
        return 0;
    (void)snprintf(path, sizeof path, "/proc/%d/stat", options.pid);
    FILE *f = fopen(path, "r");
    char *after = f && fgets(line, sizeof line, f) ? strrchr(line, ')') : NULL;
    if (!after || sscanf(after, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) != 2)
        fail("%s says nothing", path);
    (void)fclose(f);
    return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

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
        shake_hands(fd = open_socket(options.endpoint));
    arena_wrap(&room, memory, sizeof memory);
    PbAskStatus ask = {.has_digest = 0};
    PbEnvelope envelope = {.has_version = 1, .version = PROTOCOL_VERSION, .has_command_id = 1,
                           .command_id = {sizeof id, id}, .command_case = COMMAND_ASK_STATUS, .ask_status = &ask};
    size_t len = frame_put(bytes, codec_packed(CODEC_ENVELOPE, &envelope, &room));
    if (write(fd, bytes, len) != (ssize_t)len)
        fail("the server does not take our question");
    for (len = 0; frame_take(slice_from(bytes, len), &body) == 0; len++)
        exactly(fd, bytes + len, 1);
    const PbReplies *replies = codec_unpack(CODEC_REPLIES, body, &room, &why);
    const PbStatus *s = replies && replies->n_replies ? replies->replies[0]->status : NULL;
    for (size_t i = 0; s && i < s->n_counters; i++)
        if (strcmp(s->counters[i]->name, "acknowledged") == 0)
            return s->counters[i]->value;
    fail("the server does not say how it is");
}

/* ---- a run ------------------------------------------------------------------------------------------------------- */

static uint64_t until(int poll, struct connection *c, double seconds, bool more) {
    struct epoll_event events[256];
    uint64_t began = now_ns = (uint64_t)clock_mono_ns(), end = began + (uint64_t)(seconds * 1e9);
    unsigned unanswered = 1;
    while (now_ns < end && (more || unanswered > 0)) {
        int n = epoll_wait(poll, events, COUNT_OF(events), 1);
        now_ns = (uint64_t)clock_mono_ns();
        for (int i = 0; i < n; i++) {
            struct connection *one = events[i].data.ptr;
            receive(one);
            fill(one, more);
        }
        unanswered = 0;
        for (unsigned i = 0; i < options.publishers && (n == 0 || !more); i++) {
            fill(&c[i], more);                    /* the first time, and what was held off or did not fit */
            unanswered += c[i].unanswered;
        }
    }
    if (!more && unanswered > 0)
        fail("%u reports were never answered", unanswered);
    return now_ns - began;
}

static uint64_t quantile_us(double q) {
    uint64_t want = (uint64_t)((double)measured.done * q), seen = 0;
    for (uint64_t us = 0; us < LATENCY_US_MAX; us++)
        if ((seen += measured.latency_us[us]) > want)
            return us;
    return measured.max_us;
}

static void run(int poll, struct connection *c) {
    (void)until(poll, c, options.warm, true);
    uint64_t others = acknowledged();
    double cpu = cpu_seconds();
    measured.on = true;
    double took = (double)until(poll, c, options.seconds, true) / 1e9;
    measured.on = false;
    cpu = cpu_seconds() - cpu;
    others = acknowledged() - others;
    (void)until(poll, c, DRAIN_SECONDS, false);
    double all = measured.done ? (double)measured.done : 1;
    (void)printf("{\"system\":\"%s\",\"shape\":\"%ux%u\",\"reports_per_s\":%.0f,\"p50_us\":%llu,\"p99_us\":%llu,"
                 "\"max_us\":%llu,\"cpu_us\":%.2f,\"busy\":%llu,\"retry\":%llu,\"desk_per_s\":%.0f}\n",
                 options.system, options.publishers, options.window, (double)measured.done / took,
                 (unsigned long long)quantile_us(0.5), (unsigned long long)quantile_us(0.99),
                 (unsigned long long)measured.max_us, cpu * 1e6 / all, (unsigned long long)measured.busy,
                 (unsigned long long)measured.retry,
                 others > measured.done ? (double)(others - measured.done) / took : 0.0);
}

static double number_of(const char *text) {
    char *end;
    double v = strtod(text, &end);
    if (*end || v < 0)
        fail("%s is no number", text);
    return v;
}

static void options_read(int argc, char **argv) {
    static const struct option names[] = {
        {"endpoint", 1, 0, 'e'}, {"publishers", 1, 0, 'p'}, {"window", 1, 0, 'w'}, {"seconds", 1, 0, 's'},
        {"warm", 1, 0, 'W'}, {"seed", 1, 0, 'S'}, {"config", 1, 0, 'c'}, {"pid", 1, 0, 'P'}, {"system", 1, 0, 'n'},
        {"status", 0, 0, 'q'}, {0, 0, 0, 0},
    };
    for (int c; (c = getopt_long(argc, argv, "", names, NULL)) != -1;)
        switch (c) {
        case 'e': options.endpoint = optarg; break;
        case 'p': options.publishers = (unsigned)number_of(optarg); break;
        case 'w': options.window = (unsigned)number_of(optarg); break;
        case 's': options.seconds = number_of(optarg); break;
        case 'W': options.warm = number_of(optarg); break;
        case 'S': options.seed = (uint64_t)number_of(optarg) | 1; break;
        case 'c': options.config = optarg; break;
        case 'P': options.pid = (int)number_of(optarg); break;
        case 'n': options.system = optarg; break;
        case 'q': options.status = true; break;
        default: fail("the comment at the top of bench/load.c says what there is");
        }
    if (!options.endpoint || options.publishers - 1 >= PUBLISHERS_MAX || options.window - 1 >= WINDOW_MAX)
        fail("--endpoint, 1..%d --publishers, a --window of 1..%d", PUBLISHERS_MAX, WINDOW_MAX);
}

int main(int argc, char **argv) {
    options_read(argc, argv);
    crypto_init();
    reports_make();
    int poll = epoll_create1(EPOLL_CLOEXEC);
    struct connection *c = memory_or_die(options.publishers * sizeof *c);
    for (unsigned i = 0; i < options.publishers; i++) {
        connection_open(&c[i], i);
        struct epoll_event e = {.events = EPOLLIN, .data.ptr = &c[i]};
        if (poll < 0 || epoll_ctl(poll, EPOLL_CTL_ADD, c[i].fd, &e) < 0)
            fail("epoll: %s", strerror(errno));
    }
    run(poll, c);
    return 0;
}
