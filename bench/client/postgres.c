/* postgres.c: the same work asked of PostgreSQL (protocol 3, pipelined). One prepared statement finds a repeated
 * command id, keeps the case and its deadline, and returns the case's number. Half a window is one transaction, so one
 * commit carries many and the next is under way meanwhile; an answer counts when its transaction is over: with
 * synchronous_commit it is on disk then. */
#include "bench/client/client.h"

#include <unistd.h>

static const char schema[] =
    "SET client_min_messages = warning;"
    "CREATE TABLE IF NOT EXISTS cases (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,"
    " command uuid NOT NULL UNIQUE, body bytea NOT NULL);"
    "CREATE TABLE IF NOT EXISTS deadlines (due_ms bigint, id bigint, PRIMARY KEY (due_ms, id))";
static const char statement[] =
    "WITH c AS (INSERT INTO cases (command, body) VALUES ($1, $2) ON CONFLICT (command) DO NOTHING RETURNING id) "
    "INSERT INTO deadlines SELECT $3, id FROM c RETURNING id";
enum { OID_UUID = 2950, OID_BYTEA = 17, OID_INT8 = 20 };

static uint8_t *be16(uint8_t *to, unsigned v) {
    to[0] = (uint8_t)(v >> 8);
    to[1] = (uint8_t)v;
    return to + 2;
}

static uint8_t *be32(uint8_t *to, uint32_t v) {
    return be16(be16(to, v >> 16), v);
}

static uint8_t *text(uint8_t *to, const char *t) {
    size_t len = strlen(t) + 1;
    memcpy(to, t, len);
    return to + len;
}

/* A message's length counts itself and not its kind. */
static uint8_t *closed(uint8_t *start, uint8_t *end) {
    (void)be32(start + 1, (uint32_t)(end - start) - 1);
    return end;
}

static uint32_t get32(const uint8_t *at) {
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* ---- opening ----------------------------------------------------------------------------------------------------- */

static void until_ready(int fd) {
    for (uint8_t head[5] = {0}, body[4096]; head[0] != 'Z';) {
        exactly(fd, head, sizeof head);
        uint32_t len = get32(head + 1) - 4;
        if (len > sizeof body)
            give_up("postgres says %u bytes at once", len);
        exactly(fd, body, len);
        if (head[0] == 'E')
            give_up("postgres: %.200s", (const char *)body);
    }
}

static void tell_server(int fd, const uint8_t *from, const uint8_t *to) {
    if (write(fd, from, (size_t)(to - from)) != to - from)
        give_up("postgres does not listen");
    until_ready(fd);
}

static int postgres_open(const char *endpoint) {
    uint8_t bytes[2048], *at = be32(bytes + 4, 3 << 16);
    int fd = socket_open(endpoint);
    at = text(text(text(text(at, "user"), "postgres"), "database"), "postgres");
    *at++ = 0;
    (void)be32(bytes, (uint32_t)(at - bytes));
    tell_server(fd, bytes, at);
    bytes[0] = 'Q';
    tell_server(fd, bytes, closed(bytes, text(bytes + 5, schema)));
    bytes[0] = 'P';
    at = be16(text(text(bytes + 5, "s"), statement), 3);
    at = closed(bytes, be32(be32(be32(at, OID_UUID), OID_BYTEA), OID_INT8));
    *at = 'S';
    tell_server(fd, bytes, closed(at, at + 5));
    return fd;
}

/* ---- saying ------------------------------------------------------------------------------------------------------ */

static size_t postgres_pause(struct connection *c, uint8_t *to) {
    if (c->open_rows == 0)
        return 0;
    c->open_rows = 0;
    to[0] = 'S';
    return (size_t)(closed(to, to + 5) - to);
}

/* Bind and Execute: every parameter and the result are binary. */
static size_t postgres_say(struct connection *c, uint8_t *to, const struct order *o,
                           const uint8_t id[static COMMAND_ID_SIZE]) {
    uint8_t *at = to, *execute;
    *at = 'B';
    at = be16(text(text(at + 5, ""), "s"), 1);
    at = be16(be16(at, 1), 3);
    at = be32(at, COMMAND_ID_SIZE);
    memcpy(at, id, COMMAND_ID_SIZE);
    at = be32(at + COMMAND_ID_SIZE, o->len);
    memcpy(at, o->bytes, o->len);
    at = be32(at + o->len, 8);
    put_be64(at, (uint64_t)clock_wall_ms() + 7200000 + c->next % 4 * 3600000);
    execute = closed(to, be16(be16(at + 8, 1), 1));
    *execute = 'E';
    at = closed(execute, be32(text(execute + 5, ""), 0));
    size_t len = (size_t)(at - to);
    return ++c->open_rows >= (c->window + 1) / 2 ? len + postgres_pause(c, at) : len;
}

/* ---- hearing ----------------------------------------------------------------------------------------------------- */

static void message(struct connection *c, uint8_t kind, struct slice body, answer_to tell) {
    if (kind == 'E')
        give_up("postgres: %.*s", (int)body.len, (const char *)body.at);
    if (kind == 'D' && body.len == 2 + 4 + 8 && c->told_rows < c->window)
        c->rows[c->told_rows++] = get_be64(body.at + 6);
    if (kind != 'Z')
        return;
    for (unsigned i = 0; i < c->told_rows; i++)
        tell(c, &(struct answer){.seq = c->rows[i], .case_id = c->rows[i]});
    c->told_rows = 0;
}

static size_t postgres_hear(struct connection *c, struct slice in, answer_to tell) {
    size_t at = 0;
    while (in.len - at >= 5) {
        size_t len = get32(in.at + at + 1);
        if (in.len - at < 1 + len)
            break;
        message(c, in.at[at], slice_from(in.at + at + 5, len - 4), tell);
        at += 1 + len;
    }
    return at;
}

const struct speech postgres = {"postgres", postgres_open, postgres_say, postgres_pause, postgres_hear};
