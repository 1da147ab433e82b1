/* redis.c: the same work asked of Redis (RESP 2). One script, which runs alone, finds a repeated command id, keeps the
 * case and its deadline, and returns the case's number. `appendfsync always` makes that durable before the reply. */
#include "bench/client/client.h"

#include <unistd.h>

static const char script[] =
    "local n = redis.call('INCR', 'cases') "
    "local seen = redis.call('SET', KEYS[1], n, 'NX', 'GET') "
    "if seen then return tonumber(seen) end "
    "redis.call('SET', 'case:' .. n, ARGV[1]) "
    "redis.call('ZADD', 'deadlines', ARGV[2], n) "
    "return n";
enum { SHA_LEN = 40 };
static char sha[SHA_LEN + 1];

static int redis_open(const char *endpoint) {
    char load[sizeof script + 64], answer[5 + SHA_LEN + 2];
    int fd = socket_open(endpoint);
    int len = snprintf(load, sizeof load, "*3\r\n$6\r\nSCRIPT\r\n$4\r\nLOAD\r\n$%zu\r\n%s\r\n", sizeof script - 1,
                       script);
    if (write(fd, load, (size_t)len) != len)
        give_up("redis does not take our script");
    exactly(fd, answer, sizeof answer);           /* $40, the name of the script */
    if (memcmp(answer, "$40\r\n", 5) != 0)
        give_up("redis: %.40s", answer);
    memcpy(sha, answer + 5, SHA_LEN);
    return fd;
}

static size_t text_put(uint8_t *to, const void *text, size_t len) {
    int head = snprintf((char *)to, 32, "$%zu\r\n", len);
    memcpy(to + head, text, len);
    memcpy(to + (size_t)head + len, "\r\n", 2);
    return (size_t)head + len + 2;
}

static size_t redis_say(struct connection *c, uint8_t *to, const struct order *o,
                        const uint8_t id[static COMMAND_ID_SIZE]) {
    char due[32];
    int64_t due_ms = clock_wall_ms() + 7200000 + (int64_t)(c->next % 4) * 3600000;
    int due_len = snprintf(due, sizeof due, "%lld", (long long)due_ms);
    int head = snprintf((char *)to, FRAME_ROOM, "*6\r\n$7\r\nEVALSHA\r\n$40\r\n%s\r\n$1\r\n1\r\n", sha);
    size_t len = (size_t)head;
    len += text_put(to + len, id, COMMAND_ID_SIZE);
    len += text_put(to + len, o->bytes, o->len);
    len += text_put(to + len, due, (size_t)due_len);
    return len;
}

static size_t redis_hear(struct connection *c, struct slice in, answer_to tell) {
    size_t at = 0;
    for (const uint8_t *end; (end = memchr(in.at + at, '\n', in.len - at)); at = (size_t)(end - in.at) + 1) {
        struct answer a = {.refusal = REFUSED_NOTHING};
        const struct slice line = slice_from(in.at + at, (size_t)(end - in.at) - at - 1);
        if (line.len < 2 || line.at[0] != ':' || !parse_u64(slice_from(line.at + 1, line.len - 1), &a.seq))
            give_up("redis: %.*s", (int)line.len, (const char *)line.at);
        a.case_id = a.seq;
        tell(c, &a);
    }
    return at;
}

const struct speech redis = {"redis", redis_open, redis_say, NULL, redis_hear};
