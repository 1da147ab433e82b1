/* call.c: one question, one answer, and what is said when there is none.
 *
 * The first call says hello. A broker that does not even answer that has been told nothing, so the outcome is known
 * (CTL_UNREACHABLE); one that falls silent after a command leaves it unknown (CTL_UNKNOWN), and the command may be
 * repeated under its id. For that the repetition must be the same bytes: sent_at is therefore the id's own time. */
#include "ctl/ctl.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int refused(const struct ctl *c, const PbReply *reply) {
    const PbRefused *r = reply->refused;
    const struct sentence *s = sentence_of(r->code);
    const char *name = r->name ? r->name : s->name, *zh = r->zh ? r->zh : s->zh, *en = r->en ? r->en : s->en;
    if (c->json)
        json_print(CODEC_REPLY, reply);
    (void)fprintf(stderr, "whistlectl: %s %s%s%s%s: %s\n", say(c, "未被接受：", "refused:"), name,
                  r->field ? " (" : "", r->field ? r->field : "", r->field ? ")" : "", say(c, zh, en));
    return CTL_REFUSED;
}

void id_print(const uint8_t id[COMMAND_ID_SIZE], char to[static 2 * COMMAND_ID_SIZE + 1]) {
    for (unsigned i = 0; i < COMMAND_ID_SIZE; i++)
        (void)snprintf(to + 2 * i, 3, "%02x", id[i]);
}

/* What changes nothing: it is asked again without an id. */
static bool is_question(const PbEnvelope *e) {
    return (e->command_case >= COMMAND_SHOW_CASE && e->command_case <= COMMAND_DRILL_GO)
        || e->command_case >= COMMAND_SHOW_INBOX;
}

static int unknown(const struct ctl *c, const PbEnvelope *e) {
    char id[2 * COMMAND_ID_SIZE + 1];
    if (is_question(e)) {
        (void)fprintf(stderr, "whistlectl: %s\n", say(c, "服务器没有在限时内回答；可用 --wait 加长等待",
                      "the broker did not answer in time; --wait gives it longer"));
        return CTL_UNREACHABLE;
    }
    id_print(e->command_id.data, id);
    (void)fprintf(stderr, "whistlectl: %s --id %s\n", say(c, "结果不明：已发出，没有等到回答。请用同样的参数再发一次，不会重复登记：加上",
                  "the outcome is unknown: it was sent, and no answer came in time. It will not count twice when it is "
                  "repeated with the same arguments and"), id);
    if (e->by)
        (void)fprintf(stderr, "whistlectl: --by %s\n", e->by);
    return CTL_UNKNOWN;
}

static int unreachable(const struct ctl *c) {
    char span[PRINTED_BYTES];
    print_span(c, c->wait_ms, span);
    if (c->language == LANGUAGE_ZH)
        (void)fprintf(stderr, "whistlectl: %s 没有回答（等了 %s）。whistled 在运行、并在那里监听吗？\n", c->front, span);
    else
        (void)fprintf(stderr, "whistlectl: nobody answered at %s within %s. Is whistled running, and does it listen "
                      "there?\n", c->front, span);
    return CTL_UNREACHABLE;
}

const char *endpoint_fault(const struct ctl *c, int r) {
    return r != -EINVAL ? strerror(-r) : say(c, "不是端点：应为 ipc:///PATH 或 tcp://127.0.0.1:PORT",
                                             "is no endpoint: use ipc:///PATH or tcp://127.0.0.1:PORT");
}

static int fault(const struct ctl *c, int r) {
    if (r == -EBADMSG || r == -EMSGSIZE) {
        (void)fprintf(stderr, "whistlectl: %s\n", r == -EMSGSIZE ? say(c, "内容太长", "this is too long to send")
                      : say(c, "内容有误，服务器不会接受（文字过长或字符有误）",
                            "the broker would not take this: a text is too long or has unreadable characters"));
        return CTL_USAGE;
    }
    (void)fprintf(stderr, "whistlectl: %s: %s\n", c->front, endpoint_fault(c, r));
    return r == -EINVAL ? CTL_USAGE : CTL_FAULT;
}

/* Who is there, what time is it there, and is it a drill? */
static int open_client(struct ctl *c) {
    PbHello hello = {.program = (char *)"whistlectl"};
    PbEnvelope e = {.command_case = COMMAND_HELLO, .hello = &hello};
    const PbReply *reply = NULL;
    struct whistle_client_options o = {.endpoint = c->front, .window = 1};
    int r = whistle_client_open(&c->client, &o);
    if (r < 0)
        return fault(c, r);
    r = whistle_call(c->client, &e, c->wait_ms, &reply);
    if (r < 0)
        return r == -ETIMEDOUT ? unreachable(c) : fault(c, r);
    if (reply->reply_case == REPLY_REFUSED)
        return refused(c, reply);
    if (reply->reply_case == REPLY_WELCOME) {
        c->drill = reply->welcome->drill;
        c->now_ms = reply->welcome->now_ms;
        c->durable_seq = reply->welcome->durable_seq;
        c->first_seq = reply->welcome->first_seq;
    }
    return CTL_DONE;
}

int64_t id_instant(const uint8_t id[COMMAND_ID_SIZE]) {
    return (int64_t)(get_be64(id) >> 16);                /* the first 48 bits of a UUIDv7 */
}

int ctl_open(struct ctl *c) {
    return c->client ? CTL_DONE : open_client(c);
}

int ctl_try(struct ctl *c, PbEnvelope *envelope, const PbReply **ret) {
    uint8_t id[COMMAND_ID_SIZE];
    int r = ctl_open(c);
    if (r)
        return r;
    if (!envelope->has_command_id) {
        whistle_id(id, clock_wall_ms(), NULL);
        envelope->command_id = (ProtobufCBinaryData){.len = sizeof id, .data = id};
        envelope->has_command_id = true;
    }
    CHECK(envelope->command_id.len == COMMAND_ID_SIZE);
    if (!is_question(envelope))
        envelope->by = (char *)c->by;
    envelope->sent_at_ms = id_instant(envelope->command_id.data);
    envelope->has_sent_at_ms = true;
    const PbReply *reply = NULL;
    r = whistle_call(c->client, envelope, c->wait_ms, &reply);
    if (r < 0)
        return r == -ETIMEDOUT ? unknown(c, envelope) : fault(c, r);
    *ret = reply;
    return CTL_DONE;
}

int ctl_call(struct ctl *c, PbEnvelope *envelope, const PbReply **ret) {
    const PbReply *reply = NULL;
    int r = ctl_try(c, envelope, &reply);
    if (r == CTL_DONE && reply->reply_case == REPLY_REFUSED)
        return refused(c, reply);
    if (r == CTL_DONE)
        *ret = reply;
    return r;
}

void ctl_done(struct ctl *c) {
    if (c->client)
        whistle_client_close(c->client);
    c->client = NULL;
}

/* ---- cases ------------------------------------------------------------------------------------------------------- */

int case_question(const struct ctl *c, const char *word, PbShowCase *to) {
    struct slice s = slice_of(word);
    size_t digits = 0, dashes = 0;
    uint64_t id;
    if (parse_u64(s, &id) && id > 0) {
        *to = (PbShowCase){.has_case_id = true, .case_id = id};
        return CTL_DONE;
    }
    for (size_t i = 0; i < s.len; i++) {
        digits += s.at[i] >= '0' && s.at[i] <= '9';
        dashes += s.at[i] == '-';
    }
    if (dashes != 2 || digits + dashes != s.len)
        return usage(c, "“%.60s”既不是序号（如 1234），也不是编号（如 610402-20260214-00123）",
                     "\"%.60s\" is neither an id such as 1234 nor a number such as 610402-20260214-00123", word);
    *to = (PbShowCase){.number = (char *)word};
    return CTL_DONE;
}

/* Without its story: after a seq that no story reaches. */
int ask_case(struct ctl *c, const char *word, const PbCaseView **ret) {
    PbShowCase show;
    PbEnvelope e = {.command_case = COMMAND_SHOW_CASE, .show_case = &show};
    const PbReply *reply = NULL;
    int r = case_question(c, word, &show);
    if (r)
        return r;
    show.has_story_after_seq = true;
    show.story_after_seq = INT64_MAX;
    r = ctl_call(c, &e, &reply);
    if (r)
        return r;
    CHECK(reply->reply_case == REPLY_STORY && reply->story->case_view);
    *ret = reply->story->case_view;
    return CTL_DONE;
}
