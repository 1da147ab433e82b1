/* status.c: `status`: how the broker is. Figures first, then every counter that has counted something. */
#include "ctl/commands.h"

#include <stdio.h>

struct status_line { bool digest; };

#define AT(field) offsetof(struct status_line, field)
static const struct argument table[] = {
    {"--digest", NULL, ARGUMENT_FLAG, AT(digest),
     BOTH("演练数据：状态摘要", "of a drill store: the digest of its state"), false},
};
#undef AT

const struct command_line status_command = {"status", BOTH("服务器的状况",
         "says how the broker is"), table, COUNT_OF(table), NULL};

static void row(const struct ctl *c, struct sheet *t, const char *zh, const char *en, const char *value) {
    sheet_cell(t, "%s", say(c, zh, en));
    sheet_cell(t, "%s", value);
}

static void number_row(const struct ctl *c, struct sheet *t, const char *zh, const char *en, uint64_t value) {
    char text[32];
    (void)snprintf(text, sizeof text, "%llu", (unsigned long long)value);
    row(c, t, zh, en, text);
}

static void bytes_row(const struct ctl *c, struct sheet *t, const char *zh, const char *en, uint64_t bytes) {
    char text[PRINTED_BYTES];
    print_bytes(bytes, text);
    row(c, t, zh, en, text);
}

static void instant_row(const struct ctl *c, struct sheet *t, const char *zh, const char *en, int64_t ms) {
    char at[PRINTED_BYTES], zone[PRINTED_BYTES], text[2 * PRINTED_BYTES + 4];
    print_instant(c, ms, at);
    print_zone(c, zone);
    (void)snprintf(text, sizeof text, "%s (%s)", at, zone);
    row(c, t, zh, en, text);
}

static void hash_row(const struct ctl *c, struct sheet *t, const char *zh, const char *en, ProtobufCBinaryData hash) {
    char text[2 * 32 + 1] = "";
    for (size_t i = 0; i < hash.len && i < 32; i++)
        (void)snprintf(text + 2 * i, 3, "%02x", hash.data[i]);
    sheet_cell(t, "%s", say(c, zh, en));
    sheet_cell(t, "%s", text);
}

static void rules_rows(const struct ctl *c, struct sheet *t, const PbStatus *s) {
    char text[96];
    if (s->has_rules)
        number_row(c, t, "规则集", "rules", s->rules);
    if (s->has_rules_hash)
        hash_row(c, t, "规则集摘要", "rules, digest", s->rules_hash);
    if (s->calendar_ends) {
        (void)snprintf(text, sizeof text, say(c, "%s %u（还有 %lld 天）", "%s on %u, in %lld days"), s->calendar_ends,
                       s->calendar_last_date, (long long)s->calendar_days);
        row(c, t, "日历止于", "calendar ends", text);
    }
    if (s->recomputing || s->recompute_looked) {
        (void)snprintf(text, sizeof text, say(c, "%s，看过 %llu 件，动了 %llu 件", "%s; %llu cases looked at, %llu moved"),
                       s->recomputing ? say(c, "进行中", "going on") : say(c, "已完", "over"),
                       (unsigned long long)s->recompute_looked, (unsigned long long)s->recompute_moved);
        row(c, t, "时限重算", "recomputing", text);
    }
}

static void figures(const struct ctl *c, struct sheet *t, const PbStatus *s) {
    const PbWelcome *b = s->broker;
    if (b) {
        row(c, t, "服务器", "broker", b->program ? b->program : "-");
        instant_row(c, t, "服务器时间", "broker time", b->now_ms);
        number_row(c, t, "第几次启动", "epoch", b->epoch);
        number_row(c, t, "已落盘序号", "seq on disk", b->durable_seq);
    }
    if (s->draining)
        row(c, t, "停收新上报", "draining", say(c, "是（drain off 恢复）", "yes: new reports are refused (drain off)"));
    row(c, t, "数据目录", "store", s->store ? s->store : "-");
    number_row(c, t, "未结案件", "open cases", s->cases_open);
    number_row(c, t, "全部案件", "all cases", s->cases_all);
    if (s->has_next_due_ms)
        instant_row(c, t, "下一个时限", "next deadline", s->next_due_ms);
    number_row(c, t, "值守程序", "workers", s->workers);
    number_row(c, t, "待决派单", "offers out", s->offers_open);
    number_row(c, t, "控制台", "consoles", s->consoles);
    bytes_row(c, t, "日志", "journal", s->journal_bytes);
    bytes_row(c, t, "状态", "state", s->state_bytes);
    number_row(c, t, "空间已用 %", "space used, %", s->quota_percent);
    number_row(c, t, "落盘耗时 p50 µs", "sync p50, µs", s->sync_p50_us);
    number_row(c, t, "落盘耗时 p99 µs", "sync p99, µs", s->sync_p99_us);
    rules_rows(c, t, s);
    if (s->has_digest) {
        hash_row(c, t, "状态摘要", "state digest", s->digest);
        number_row(c, t, "摘要序号", "digest at seq", s->digest_seq);
    }
}

int status_main(struct ctl *c, int argc, char **argv) {
    struct status_line l = {.digest = false};
    int r = arguments_read(c, argc, argv, &l);
    if (r)
        return r;
    PbAskStatus ask = {.has_digest = l.digest, .digest = l.digest};
    PbEnvelope e = {.command_case = COMMAND_ASK_STATUS, .ask_status = &ask};
    const PbReply *reply;
    r = ctl_call(c, &e, &reply);
    if (r)
        return r;
    CHECK(reply->reply_case == REPLY_STATUS);
    if (c->json)
        return json_print(CODEC_REPLY, reply), CTL_DONE;
    struct sheet *t;
    print_drill_banner(c);
    sheet_open(&t, 2);
    figures(c, t, reply->status);
    sheet_close(t, stdout);
    printf("\n%s\n", say(c, "计数（自启动）", "Counters (since it started)"));
    sheet_open(&t, 2);
    sheet_align(t, 1, ALIGN_RIGHT);
    for (size_t i = 0; i < reply->status->n_counters; i++) {
        const PbCounter *n = reply->status->counters[i];
        if (n->value)
            number_row(c, t, n->name ? n->name : "-", n->name ? n->name : "-", n->value);
    }
    sheet_close(t, stdout);
    return CTL_DONE;
}
