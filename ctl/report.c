/* report.c: `report`: something that happened becomes a case, or was dealt with on the spot. */
#include "ctl/commands.h"

#include <stdio.h>

struct report_line {
    uint64_t division;
    const char *category, *text, *address, *external_id, *party, *reporter;
    int64_t occurred_ms, promise_ms;
    bool self_handled, ask_me, exercise;
    int wall;
    struct evidences evidence;
    struct command_id id;
};

#define AT(field) offsetof(struct report_line, field)
static const struct argument table[] = {
    {"--division", "CODE", ARGUMENT_DIVISION, AT(division),
     BOTH("地点的区划代码，越细越好", "where: a division's code, the finer the better"), true},
    {"--category", "CODE", ARGUMENT_TEXT, AT(category),
     BOTH("类别代码，如 E0102", "what: a category's code, such as E0102"), true},
    {"--wall", "inside|outside", ARGUMENT_WALL, AT(wall),
     BOTH("墙内还是墙外", "which side of the wall it is (墙内, 墙外)"), false},
    {"--text", "TEXT", ARGUMENT_TEXT, AT(text), BOTH("看到了什么", "what was seen"), false},
    {"--address", "TEXT", ARGUMENT_TEXT, AT(address), BOTH("详细地址", "where exactly"), false},
    {"--occurred", "INSTANT", ARGUMENT_INSTANT, AT(occurred_ms),
     BOTH("发生的时间；时限从现在起算", "when it happened; limits count from now"), false},
    {"--external-id", "TEXT", ARGUMENT_TEXT, AT(external_id),
     BOTH("在其他系统里的编号", "its number in another system"), false},
    {"--promise", "TIME", ARGUMENT_SPAN, AT(promise_ms),
     BOTH("对来件人承诺的时限，如 5d", "the time promised to the reporter, such as 5d"), false},
    {"--reporter", "PARTY", ARGUMENT_TEXT, AT(reporter), BOTH("上报的网格员", "the reporting grid worker"), false},
    {"--ask-me", NULL, ARGUMENT_FLAG, AT(ask_me),
     BOTH("上报人同意回访", "the reporter agreed to be asked afterwards (回访)"), false},
    {"--exercise", NULL, ARGUMENT_FLAG, AT(exercise),
     BOTH("演练：走完全程，不计入统计", "an exercise (演练): goes the whole way, counts in no figure"), false},
    {"--self-handled", NULL, ARGUMENT_FLAG, AT(self_handled),
     BOTH("随手办：已当场办结", "it was dealt with on the spot (随手办)"), false},
    {"--party", "PARTY", ARGUMENT_TEXT, AT(party), BOTH("谁办的", "who dealt with it"), false},
    EVIDENCE_ARGUMENT(AT(evidence)),
    ID_ARGUMENT(AT(id)),
};
#undef AT

const struct command_line report_command = {
    "report", BOTH("上报一件事", "reports something that happened"), table, COUNT_OF(table),
    BOTH("打印编号、案件序号和日志序号。--self-handled 还需要 --party。承诺时限须规则允许。",
         "Prints the case's number, its id and the seq. With --self-handled, --party is needed, too.\n"
         "A promise must be granted to this source by the office's rules."),
};

static void done_print(const struct ctl *c, const PbReply *reply) {
    CHECK(reply->reply_case == REPLY_DONE);
    const PbDone *d = reply->done;
    if (c->json)
        return json_print(CODEC_REPLY, reply);
    print_drill_banner(c);
    printf("%s  %s %llu  seq %llu\n", d->number ? d->number : "-", say(c, "案件", "case"),
           (unsigned long long)d->case_id, (unsigned long long)d->seq);
}

int command_send(struct ctl *c, PbEnvelope *e, struct command_id *id) {
    const PbReply *reply;
    e->has_command_id = id->given;
    e->command_id = (ProtobufCBinaryData){.len = COMMAND_ID_SIZE, .data = id->byte};
    int r = ctl_call(c, e, &reply);
    if (r == CTL_DONE)
        done_print(c, reply);
    return r;
}

/* It is checked here so that the answer names what would be right; the broker checks it again. */
static int check(const struct ctl *c, const struct report_line *l) {
    if (l->self_handled && !l->party)
        return usage(c, "--self-handled 需要 --party：谁办的",
                     "--self-handled needs --party: who dealt with it");
    if (!l->self_handled && l->party)
        return usage(c, "--party 与 --self-handled 同用；上报人写 --reporter",
                     "--party goes with --self-handled; who reports is --reporter");
    return CTL_DONE;
}

int report_main(struct ctl *c, int argc, char **argv) {
    struct report_line l = {.occurred_ms = INT64_MIN, .promise_ms = -1};
    int r = arguments_read(c, argc, argv, &l);
    if (r == CTL_DONE)
        r = check(c, &l);
    if (r)
        return r;
    PbPlace place = {.has_division = true, .division = l.division, .has_wall = l.wall != WALL_UNKNOWN,
                     .wall = (PbWall)l.wall};
    PbReport report = {
        .place = &place, .category = (char *)l.category, .text = (char *)l.text, .address = (char *)l.address,
        .has_occurred_at_ms = l.occurred_ms != INT64_MIN, .occurred_at_ms = l.occurred_ms,
        .has_promise_ms = l.promise_ms >= 0, .promise_ms = l.promise_ms,
        .evidence = evidence_list(&l.evidence), .n_evidence = l.evidence.count,
        .external_id = (char *)l.external_id, .reporter = (char *)l.reporter,
        .has_ask_me = l.ask_me, .ask_me = l.ask_me, .has_exercise = l.exercise, .exercise = l.exercise,
    };
    PbSelfHandle self = {.report = &report, .party = (char *)l.party};
    PbEnvelope e = {.command_case = COMMAND_REPORT, .report = &report};
    if (l.self_handled) {
        e.command_case = COMMAND_SELF_HANDLE;
        e.self_handle = &self;
    }
    return command_send(c, &e, &l.id);
}
