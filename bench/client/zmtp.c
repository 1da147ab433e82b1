/* zmtp.c: the broker's and the skeleton's speech, ZMTP 3.0 with mechanism NULL: greeting, READY, frames. */
#include "bench/client/client.h"

#include <unistd.h>

static int zmtp_open(const char *endpoint) {
    static const uint8_t greeting[64] = {0xFF, 0, 0, 0, 0, 0, 0, 0, 1, 0x7F, 3, 0, 'N', 'U', 'L', 'L'};
    static const char ready[] = "\4\x1C\5READY\13Socket-Type\0\0\0\6DEALER";
    uint8_t answer[256];
    int fd = socket_open(endpoint);
    if (write(fd, greeting, sizeof greeting) != sizeof greeting || write(fd, ready, 30) != 30)
        give_up("the server does not take our greeting");
    exactly(fd, answer, 64);
    if (answer[0] != 0xFF || answer[10] < 3)
        give_up("the server does not speak ZMTP 3");
    exactly(fd, answer, 2);
    size_t len = answer[1];
    exactly(fd, answer, len);
    if (len < 6 || memcmp(answer, "\5READY", 6) != 0)
        give_up("the server is not ready");
    return fd;
}

/* Commands (bit 2) have a body of no interest. */
size_t frame_take(struct slice s, struct slice *ret_body) {
    if (s.len < 2 || ((s.at[0] & 2) && s.len < 9))
        return 0;
    size_t head = s.at[0] & 2 ? 9 : 2;
    uint64_t len = head == 9 ? get_be64(s.at + 1) : s.at[1];
    if (len > IN_BYTES - 9)
        give_up("a frame of %llu bytes", (unsigned long long)len);
    if (s.len < head + len)
        return 0;
    *ret_body = slice_from(s.at + head, s.at[0] & 4 ? 0 : len);
    return head + len;
}

size_t frame_put(uint8_t *to, struct slice body) {
    size_t head = body.len > 255 ? 9 : 2;
    to[0] = head == 9 ? 2 : 0;
    if (head == 9)
        put_be64(to + 1, body.len);
    else
        to[1] = (uint8_t)body.len;
    memcpy(to + head, body.at, body.len);
    return head + body.len;
}

static size_t zmtp_say(struct connection *c, uint8_t *to, const struct order *o,
                       const uint8_t id[static COMMAND_ID_SIZE]) {
    (void)c;
    size_t len = frame_put(to, slice_from(o->bytes, o->len));
    memcpy(to + (len - o->len) + ID_AT, id, COMMAND_ID_SIZE);
    return len;
}

/* ---- answers ----------------------------------------------------------------------------------------------------- */

bool field_next(struct slice *s, uint64_t *ret_number, uint64_t *ret_value, struct slice *ret_bytes) {
    uint64_t word[2] = {0, 0};
    if (s->len == 0)
        return false;
    for (unsigned w = 0, shift = 0; w < 2; s->at++, s->len--) {
        if (s->len == 0 || shift > 63)
            give_up("a reply is malformed");
        word[w] |= (uint64_t)(*s->at & 0x7F) << shift;
        shift += 7;
        if (*s->at < 0x80)
            w++, shift = 0;
    }
    *ret_number = word[0] >> 3;
    *ret_value = word[1];
    if ((word[0] & 7) == 2) {
        if (word[1] > s->len)
            give_up("a reply is cut short");
        *ret_bytes = slice_from(s->at, word[1]);
        *s = slice_from(s->at + word[1], s->len - word[1]);
    }
    return true;
}

uint64_t field_number(struct slice message, uint64_t number) {
    uint64_t n, value;
    struct slice bytes;
    while (field_next(&message, &n, &value, &bytes))
        if (n == number)
            return value;
    return 0;
}

static void reply_take(struct connection *c, struct slice reply, answer_to tell) {
    uint64_t number, value, which = 0;
    struct slice bytes = {NULL, 0}, id = {NULL, 0}, body = {NULL, 0};
    struct answer a = {.refusal = REFUSED_NOTHING};
    while (field_next(&reply, &number, &value, &bytes)) {
        if (number == 1)
            id = bytes;
        else
            which = number, body = bytes;
    }
    if (id.len != COMMAND_ID_SIZE || (which != REPLY_DONE && which != REPLY_REFUSED))
        give_up("a reply that answers no order");
    a.id = id.at;
    if (which == REPLY_REFUSED)
        a.refusal = (PbRefusal)field_number(body, 1);
    else
        a.seq = field_number(body, 1), a.case_id = field_number(body, 2);
    tell(c, &a);
}

static size_t zmtp_hear(struct connection *c, struct slice in, answer_to tell) {
    size_t at = 0, used;
    uint64_t number, value;
    struct slice body, reply;
    while ((used = frame_take(slice_from(in.at + at, in.len - at), &body)) > 0) {
        while (field_next(&body, &number, &value, &reply))
            reply_take(c, reply, tell);
        at += used;
    }
    return at;
}

const struct speech zmtp = {"zmtp", zmtp_open, zmtp_say, NULL, zmtp_hear};
