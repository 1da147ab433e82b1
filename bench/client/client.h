/* client.h: what the programs that load a server share: one cheap client for every server, so that what the client does
 * not spend, the server has. Client and server share the machine.
 *
 *   report_of            reports, packed once
 *   speech               how a server is spoken to: three of them stand in zmtp.c, postgres.c and redis.c
 *   server_cpu_seconds   the server, seen from outside */
#ifndef BENCH_CLIENT_H
#define BENCH_CLIENT_H
#include "lib/codec/codec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ORDER_BYTES_MAX = 512, ID_AT = 4,             /* 08 01 12 10: version 1, then sixteen bytes of id */
    FRAME_ROOM = 512,                             /* what a speech puts around one order, at most */
    WINDOW_MAX = 4096, GRIDS_MAX = 8192, IN_BYTES = 1 << 20,
};

_Noreturn void give_up(const char *format, ...) __attribute__((format(printf, 1, 2)));
extern uint64_t random_seed;
uint64_t random_next(void);                       /* xorshift64*: the same seed, the same reports */

/* ---- orders ------------------------------------------------------------------------------------------------------ */

struct order { uint16_t len; uint64_t division; uint8_t bytes[ORDER_BYTES_MAX]; };

unsigned reports_make(const char *config);        /* one for every grid of the office; how many */
const struct order *report_of(unsigned i);
/* What becomes of a report: dispatched to somebody of its community, and accepted there. Of case_id, with no id yet. */
void dispatch_make(uint64_t case_id, uint64_t grid, struct order *ret);
void accept_make(uint64_t case_id, uint64_t grid, struct order *ret);

/* ---- connections ------------------------------------------------------------------------------------------------- */

/* An order on its way. `order` is when it was sent last, counted on its connection. */
struct slot {
    enum { FREE, SENT, HELD_OFF } state;
    uint32_t what;
    uint64_t sequence, order, sent_ns, again_ns;
    uint8_t id[COMMAND_ID_SIZE];
};

struct connection {
    int fd;
    uint16_t number;
    uint8_t *in, *out;
    size_t in_len, out_at, out_len;
    struct slot *slots;
    unsigned window, held_off, unanswered;
    uint64_t next, orders, answers, last_order, last_seq;
    unsigned open_rows, told_rows;                /* postgres.c: of the open transaction, of the one that ends */
    uint64_t *rows;
};

/* id NULL: of the oldest order that is unanswered. */
struct answer { const uint8_t *id; PbRefusal refusal; uint64_t seq, case_id; };
typedef void (*answer_to)(struct connection *c, const struct answer *a);

struct speech {
    const char *name;
    int (*open)(const char *endpoint);
    size_t (*say)(struct connection *c, uint8_t *to, const struct order *o, const uint8_t id[static COMMAND_ID_SIZE]);
    size_t (*pause)(struct connection *c, uint8_t *to);           /* nothing follows for now; NULL: need not be said */
    size_t (*hear)(struct connection *c, struct slice in, answer_to tell);     /* how many bytes it took */
};
extern const struct speech zmtp, postgres, redis;
const struct speech *speech_of(const char *name);

int socket_open(const char *endpoint);            /* ipc://path, unix:path or tcp://127.0.0.1:port */
void exactly(int fd, void *at, size_t len);
/* The first ZMTP frame of s: bytes used, 0 while it is not there in full; commands have an empty body. */
size_t frame_take(struct slice s, struct slice *ret_body);
size_t frame_put(uint8_t *to, struct slice body);
/* The next field of a message: a number, or bytes. The server's bytes are its own affair: what is malformed fails. */
bool field_next(struct slice *s, uint64_t *ret_number, uint64_t *ret_value, struct slice *ret_bytes);
uint64_t field_number(struct slice message, uint64_t number);

/* ---- the server -------------------------------------------------------------------------------------------------- */

double server_cpu_seconds(int pid);               /* user and system, of the process and its children */
double number_of(const char *text);

/* Microseconds, to 1 us up to two seconds. */
enum { LATENCY_US_MAX = 1 << 21 };
struct latency { uint64_t count, max_us; uint32_t us[LATENCY_US_MAX]; };
void latency_add(struct latency *l, uint64_t us);
uint64_t latency_us(const struct latency *l, double quantile);
#endif
