/* skeleton: the least code that does a report's durable work with the same parts, and so the measure of the broker.
 *
 *   skeleton --endpoint E --dir D [--checkpoint 50000] [--deadlines 2]
 *
 *   take what waits (at most 4,096) -> unpack -> BLAKE2b of the bytes -> eight rows into one open LMDB transaction
 *   -> one write and one fdatasync of the log -> one Replies for each peer -> after `checkpoint` rows: commit
 *
 * A dispatch and an acceptance (bench/load --answers) change the rows that the broker's change: the case, its
 * deadlines, work, ask, story, receipt.
 *
 * One thread beside libzmq's own. Rows have the broker's keys and sizes, so the same pages are touched. What it lacks
 * is what the broker is for: it checks nothing, decides nothing, seals nothing, finds no repetition, keeps no chain,
 * and cannot start again. The log goes round in a file that was filled before the first report, so it never waits for
 * space. */
#include "whistle.pb-c.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <lmdb.h>
#include <signal.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>

enum {
    BATCH_MAX = 4096, PEERS_MAX = 65536, REPLY_BYTES_MAX = 128,
    LOG_BYTES = 192 << 20, LOG_HEAD_BYTES = 16, BATCH_BYTES_MAX = BATCH_MAX * 1024,
    ARENA_BYTES = 16 << 20, MAP_BYTES_LOG2 = 36,
    CASE_ROW_BYTES = 184, RECEIPT_ROW_BYTES = 44,
};

enum table { CASES, DEADLINES, RECEIPTS, WORK, OPEN, STORY, NUMBERS, ASKS, TABLES };
static const char *const table_names[TABLES] = {"cases", "deadlines", "receipts", "work",
                                                "open",  "story",     "numbers",  "asks"};

static volatile sig_atomic_t stopping;
static uint64_t checkpoint_rows = 50000;
static unsigned deadlines = 2;

static void must(bool good, const char *what) {
    if (good)
        return;
    (void)fprintf(stderr, "skeleton: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void must_lmdb(int rc, const char *what) {
    if (rc == 0)
        return;
    (void)fprintf(stderr, "skeleton: %s: %s\n", what, mdb_strerror(rc));
    exit(1);
}

static int64_t wall_ms(void) {
    struct timespec t;
    (void)clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ---- messages ---------------------------------------------------------------------------------------------------- */

/* Unpacking takes from here and frees nothing; a batch begins with an empty one. */
static uint8_t arena[ARENA_BYTES];
static size_t arena_used;

static void *take(void *unused, size_t size) {
    (void)unused;
    size = (size + 15) & ~(size_t)15;
    if (size > sizeof arena - arena_used)
        return NULL;
    arena_used += size;
    return arena + arena_used - size;
}

static void give_back(void *unused, void *memory) {
    (void)unused, (void)memory;
}

struct item { uint32_t peer; uint64_t seq; zmq_msg_t bytes; PbEnvelope *envelope; };
static struct item batch[BATCH_MAX];
static unsigned batch_count;

static void batch_receive(void *router) {
    ProtobufCAllocator allocator = {take, give_back, NULL};
    while (batch_count < BATCH_MAX) {
        struct item *i = &batch[batch_count];
        zmq_msg_t id;
        (void)zmq_msg_init(&id);
        if (zmq_msg_recv(&id, router, ZMQ_DONTWAIT) < 0)
            return;
        (void)zmq_msg_init(&i->bytes);
        must(zmq_msg_recv(&i->bytes, router, 0) >= 0 && zmq_msg_size(&id) == 5, "receive");
        memcpy(&i->peer, (uint8_t *)zmq_msg_data(&id) + 1, sizeof i->peer);
        (void)zmq_msg_close(&id);
        i->envelope = pb_envelope__unpack(&allocator, zmq_msg_size(&i->bytes), zmq_msg_data(&i->bytes));
        must(i->envelope && i->envelope->command_id.len == 16, "not an envelope");
        must(i->envelope->command_case != COMMAND_REPORT || i->envelope->report->place, "a report without a place");
        batch_count++;
    }
}

/* ---- rows -------------------------------------------------------------------------------------------------------- */

static MDB_env *env;
static MDB_txn *txn;
static MDB_cursor *cursors[TABLES];
static MDB_dbi dbis[TABLES];
static uint64_t rows_changed;

static void transaction_begin(void) {
    must_lmdb(mdb_txn_begin(env, NULL, 0, &txn), "begin");
    for (unsigned i = 0; i < TABLES; i++)
        must_lmdb(mdb_cursor_open(txn, dbis[i], &cursors[i]), "cursor");
    rows_changed = 0;
}

static void rows_open(const char *dir) {
    must_lmdb(mdb_env_create(&env), "create");
    must_lmdb(mdb_env_set_maxdbs(env, TABLES), "maxdbs");
    must_lmdb(mdb_env_set_mapsize(env, (size_t)1 << MAP_BYTES_LOG2), "mapsize");
    must_lmdb(mdb_env_open(env, dir, MDB_NORDAHEAD, 0600), dir);
    must_lmdb(mdb_txn_begin(env, NULL, 0, &txn), "begin");
    for (unsigned i = 0; i < TABLES; i++)
        must_lmdb(mdb_dbi_open(txn, table_names[i], MDB_CREATE, &dbis[i]), table_names[i]);
    must_lmdb(mdb_txn_commit(txn), "commit");
    transaction_begin();
}

static void checkpoint(void) {
    for (unsigned i = 0; i < TABLES; i++)
        mdb_cursor_close(cursors[i]);
    must_lmdb(mdb_txn_commit(txn), "commit");
    transaction_begin();
}

/* A key of up to four parts, each big-endian so that it sorts as the number does. */
struct key { uint8_t bytes[64]; size_t len; };

static void add(struct key *k, uint64_t number, unsigned width) {
    for (unsigned i = 0; i < width; i++)
        k->bytes[k->len++] = (uint8_t)(number >> 8 * (width - 1 - i));
}

static void put(enum table table, struct key k, const void *value, size_t len, unsigned flags) {
    MDB_val key = {k.len, k.bytes}, row = {len, (void *)value};
    must_lmdb(mdb_cursor_put(cursors[table], &key, &row, flags), table_names[table]);
    rows_changed++;
}

static void row_delete(enum table table, struct key k) {
    MDB_val key = {k.len, k.bytes};
    must_lmdb(mdb_cursor_get(cursors[table], &key, NULL, MDB_SET), table_names[table]);
    must_lmdb(mdb_cursor_del(cursors[table], 0), table_names[table]);
    rows_changed++;
}

static struct key key_of_due(uint64_t due_ms, uint64_t id, unsigned kind) {
    struct key k = {.len = 0};
    add(&k, due_ms, 8);
    add(&k, id, 8);
    add(&k, kind, 1);
    return k;
}

static struct key key_of_case(uint64_t id) {
    struct key k = {.len = 0};
    add(&k, id, 8);
    return k;
}

static struct key key_of(uint64_t first, unsigned first_width, uint64_t second, uint64_t third, unsigned third_width) {
    struct key k = {.len = 0};
    add(&k, first, first_width);
    add(&k, second, 8);
    add(&k, third, third_width);
    return k;
}

/* What every command leaves: a line of its case's story, and a receipt. Values end in four bytes for a checksum, as the
 * broker's do. */
static void leave_trace(struct item *item, uint64_t id) {
    static const char source[] = "\5uid:0";
    uint8_t row[RECEIPT_ROW_BYTES] = {0};
    struct key receipt = {.len = sizeof source - 1};
    put(STORY, key_of(id, 8, item->seq, 0, 0), row, 4, id == item->seq ? MDB_APPEND : 0);
    memcpy(receipt.bytes, source, receipt.len);
    memcpy(receipt.bytes + receipt.len, item->envelope->command_id.data, 16);
    receipt.len += 16;
    crypto_generichash(row, 16, zmq_msg_data(&item->bytes), zmq_msg_size(&item->bytes), NULL, 0);
    put(RECEIPTS, receipt, row, sizeof row, 0);
}

/* A case as it lies in its row. */
struct row { uint64_t id, division, ready_ms, due_ms[2]; uint8_t rest[CASE_ROW_BYTES - 40]; };
_Static_assert(sizeof(struct row) == CASE_ROW_BYTES, "the broker's size");

/* The rows of a new case. */
static void apply_report(struct item *item, int64_t now_ms) {
    const PbPlace *place = item->envelope->report->place;
    struct row row = {.id = item->seq, .division = place->division, .ready_ms = (uint64_t)now_ms};
    for (unsigned i = 0; i < deadlines; i++) {
        row.due_ms[i] = (uint64_t)now_ms + 7200000 * (1 + i) + row.id % 4 * 3600000;
        put(DEADLINES, key_of_due(row.due_ms[i], row.id, i + 1), &row, 4, 0);
    }
    put(CASES, key_of_case(row.id), &row, sizeof row, MDB_APPEND);
    leave_trace(item, row.id);
    put(WORK, key_of(LEVEL_COMMUNITY, 1, row.ready_ms, row.id, 8), &row, 15, 0);
    put(OPEN, key_of(row.division, 8, row.id, 0, 0), &row, 12, 0);
    struct key number = {.len = 0};
    add(&number, 610402, 4);
    add(&number, 20260101, 4);
    add(&number, row.id, 4);
    put(NUMBERS, number, &row, 12, 0);
}

/* A dispatch ends the desk's work and deadline, and asks somebody, with two limits; an acceptance ends one of them. */
static void apply_change(struct item *item, uint64_t id, bool dispatch, int64_t now_ms) {
    struct key key = key_of_case(id), ask = {.len = 0};
    MDB_val k = {key.len, key.bytes}, was;
    struct row row;
    must_lmdb(mdb_cursor_get(cursors[CASES], &k, &was, MDB_SET), "case");
    memcpy(&row, was.mv_data, sizeof row);
    row_delete(DEADLINES, key_of_due(row.due_ms[0], id, 1));
    if (dispatch) {
        row_delete(WORK, key_of(LEVEL_COMMUNITY, 1, row.ready_ms, id, 8));
        row.due_ms[0] = (uint64_t)now_ms + 7200000;
        put(DEADLINES, key_of_due(row.due_ms[0], id, 1), &row, 4, 0);
        put(DEADLINES, key_of_due((uint64_t)now_ms + 432000000, id, 3), &row, 4, 0);
        add(&ask, row.division, 8);
        add(&ask, id, 8);
        add(&ask, 0, 16);
        put(ASKS, ask, &row, 4, 0);
    }
    put(CASES, key, &row, sizeof row, 0);
    leave_trace(item, id);
}

static void apply(struct item *item, int64_t now_ms) {
    const PbEnvelope *e = item->envelope;
    switch (e->command_case) {
    case COMMAND_REPORT: apply_report(item, now_ms); break;
    case COMMAND_DISPATCH: apply_change(item, e->dispatch->case_id, true, now_ms); break;
    case COMMAND_ANSWER: apply_change(item, e->answer->case_id, false, now_ms); break;
    default: must(false, "neither a report nor a dispatch nor an answer");
    }
}

/* ---- log --------------------------------------------------------------------------------------------------------- */

static uint8_t log_buffer[BATCH_BYTES_MAX];
static size_t log_len;
static off_t log_at;
static int log_fd;

static void log_open(const char *dir) {
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/log", dir);
    must((log_fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600)) >= 0, path);
    for (off_t at = 0; at < LOG_BYTES; at += BATCH_BYTES_MAX)
        must(pwrite(log_fd, log_buffer, BATCH_BYTES_MAX, at) == BATCH_BYTES_MAX, "fill the log");
    must(fsync(log_fd) == 0, "fsync");
}

static void log_add(struct item *item) {
    uint64_t head[LOG_HEAD_BYTES / 8] = {zmq_msg_size(&item->bytes), item->seq};
    must(LOG_HEAD_BYTES + head[0] <= sizeof log_buffer - log_len, "a batch does not fit");
    memcpy(log_buffer + log_len, head, LOG_HEAD_BYTES);
    memcpy(log_buffer + log_len + LOG_HEAD_BYTES, zmq_msg_data(&item->bytes), head[0]);
    log_len += LOG_HEAD_BYTES + head[0];
}

static void log_sync(void) {
    if (log_at + (off_t)log_len > LOG_BYTES)
        log_at = 0;
    must(pwrite(log_fd, log_buffer, log_len, log_at) == (ssize_t)log_len && fdatasync(log_fd) == 0, "log");
    log_at = (log_at + (off_t)log_len + 511) & ~(off_t)511;
    log_len = 0;
}

/* ---- replies ----------------------------------------------------------------------------------------------------- */

/* Items of one peer are chained, so that each peer is told once. libzmq gives out peers' ids one after another, from a
 * random one on. */
static int32_t chain_first[PEERS_MAX], chain_next[BATCH_MAX], chain_last[PEERS_MAX];

static size_t reply_pack(const struct item *i, int64_t now_ms, uint8_t *to) {
    char number[24];
    (void)snprintf(number, sizeof number, "610402-20260101-%05u", (unsigned)(i->seq & UINT32_MAX));
    PbDone done = PB_DONE_INIT;
    done.has_seq = done.has_case_id = done.has_at_ms = 1;
    done.seq = done.case_id = i->seq;
    done.at_ms = now_ms;
    done.number = number;
    PbReply reply = PB_REPLY_INIT;
    reply.has_command_id = 1;
    reply.command_id = i->envelope->command_id;
    reply.reply_case = REPLY_DONE;
    reply.done = &done;
    size_t len = pb_reply__pack(&reply, to + 2);
    must(len < 0x80, "a reply that is too long");
    to[0] = 0x0A;                                 /* Replies.replies */
    to[1] = (uint8_t)len;
    return len + 2;
}

static void peer_tell(void *router, int32_t first, int64_t now_ms) {
    static uint8_t frame[BATCH_MAX * REPLY_BYTES_MAX];
    uint8_t id[5] = {0};
    size_t len = 0;
    memcpy(id + 1, &batch[first].peer, 4);
    for (int32_t i = first; i >= 0; i = chain_next[i])
        len += reply_pack(&batch[i], now_ms, frame + len);
    must(zmq_send(router, id, sizeof id, ZMQ_SNDMORE) >= 0 && zmq_send(router, frame, len, 0) >= 0, "send");
}

static unsigned peer_slot(uint32_t peer) {
    return __builtin_bswap32(peer) % PEERS_MAX;
}

static void batch_tell(void *router, int64_t now_ms) {
    for (unsigned i = 0; i < batch_count; i++)
        chain_first[peer_slot(batch[i].peer)] = chain_next[i] = -1;
    for (int32_t i = 0; i < (int32_t)batch_count; i++) {
        unsigned slot = peer_slot(batch[i].peer);
        if (chain_first[slot] < 0)
            chain_first[slot] = i;
        else
            chain_next[chain_last[slot]] = i;
        chain_last[slot] = i;
    }
    for (int32_t i = 0; i < (int32_t)batch_count; i++)
        if (chain_first[peer_slot(batch[i].peer)] == i)
            peer_tell(router, i, now_ms);
    for (unsigned i = 0; i < batch_count; i++)
        (void)zmq_msg_close(&batch[i].bytes);
}

/* ---- the turn ---------------------------------------------------------------------------------------------------- */

static void serve(void *router) {
    zmq_pollitem_t readable = {router, 0, ZMQ_POLLIN, 0};
    uint64_t seq = 0;
    while (!stopping) {
        batch_count = 0;
        arena_used = 0;
        if (zmq_poll(&readable, 1, 1000) > 0)
            batch_receive(router);
        if (batch_count == 0)
            continue;
        int64_t now_ms = wall_ms();
        for (unsigned i = 0; i < batch_count; i++) {
            batch[i].seq = ++seq;
            apply(&batch[i], now_ms);
            log_add(&batch[i]);
        }
        log_sync();
        batch_tell(router, now_ms);
        if (rows_changed >= checkpoint_rows)
            checkpoint();
    }
}

static void on_signal(int signal) {
    (void)signal;
    stopping = 1;
}

int main(int argc, char **argv) {
    static const struct option names[] = {
        {"endpoint", 1, 0, 'e'}, {"dir", 1, 0, 'd'}, {"checkpoint", 1, 0, 'c'}, {"deadlines", 1, 0, 'l'}, {0, 0, 0, 0},
    };
    const char *endpoint = NULL, *dir = NULL;
    for (int c; (c = getopt_long(argc, argv, "", names, NULL)) != -1;)
        switch (c) {
        case 'e': endpoint = optarg; break;
        case 'd': dir = optarg; break;
        case 'c': checkpoint_rows = strtoull(optarg, NULL, 10); break;
        case 'l': deadlines = (unsigned)strtoul(optarg, NULL, 10); break;
        default: return 2;
        }
    if (!endpoint || !dir)
        return (void)fprintf(stderr, "usage: skeleton --endpoint ipc://... --dir DIRECTORY\n"), 2;
    const struct sigaction stop = {.sa_handler = on_signal};
    must(sigaction(SIGTERM, &stop, NULL) == 0 && sigaction(SIGINT, &stop, NULL) == 0, "sigaction");
    must(sodium_init() >= 0, "sodium");
    rows_open(dir);
    log_open(dir);
    void *context = zmq_ctx_new(), *router = context ? zmq_socket(context, ZMQ_ROUTER) : NULL;
    int many = 100000;
    must(router && zmq_setsockopt(router, ZMQ_RCVHWM, &many, sizeof many) == 0
         && zmq_setsockopt(router, ZMQ_SNDHWM, &many, sizeof many) == 0, "socket");
    must(zmq_bind(router, endpoint) == 0, endpoint);
    (void)printf("ready\n");
    (void)fflush(stdout);
    serve(router);
    return 0;
}
