/* answer.c: `answer`: a party that was asked says accept, done or decline; `return`: it names whose matter it is (退回).
 *
 * Who answers, and to which ask, is looked up when it is not said. Repeating under an id must be the same command, and
 * a look-up might find another ask by then: --id wants all three. */
#include "ctl/commands.h"

#include <stdio.h>
#include <string.h>

struct answer_line {
    const char *which, *party, *milestone, *text, *proposed;
    int kind;
    uint64_t stage, attempt;
    struct evidences evidence;
    struct command_id id;
};

#define AT(field) offsetof(struct answer_line, field)
#define ASK_ARGUMENTS \
    {"--party", "PARTY", ARGUMENT_TEXT, AT(party), \
     BOTH("谁回应；不写则为唯一未结的派单", "who answers; left out: the party of the one open ask"), false}, \
    {"--stage", "N", ARGUMENT_NUMBER, AT(stage), \
     BOTH("派单的阶段，见 show", "the ask's stage, as `show` lists it"), false}, \
    {"--attempt", "N", ARGUMENT_NUMBER, AT(attempt), BOTH("派单的轮次", "the ask's attempt"), false}, \
    ID_ARGUMENT(AT(id))
static const struct argument answer_table[] = {
    CASE_ARGUMENT(AT(which)),
    {"accept|done|decline", NULL, ARGUMENT_ANSWER, AT(kind),
     BOTH("回应：签收、办结、不能办", "what is said: 签收, 办结, 不能办"), true},
    {"--milestone", "NAME", ARGUMENT_TEXT, AT(milestone),
     BOTH("仅完成这一阶段目标（与 done 同用）", "with done: only this milestone is reached"), false},
    {"--text", "TEXT", ARGUMENT_TEXT, AT(text), BOTH("办了什么，或为何不能办", "what was done, or why not"), false},
    EVIDENCE_ARGUMENT(AT(evidence)),
    ASK_ARGUMENTS,
};
static const struct argument return_table[] = {
    CASE_ARGUMENT(AT(which)),
    {"--to", "PARTY", ARGUMENT_TEXT, AT(proposed), BOTH("应由谁办", "whose matter it is"), true},
    {"--why", "TEXT", ARGUMENT_TEXT, AT(text), BOTH("理由", "the reason"), true},
    ASK_ARGUMENTS,
};
#undef AT

static const char more[] =
    BOTH("有几个派单未结、又没有用 --party 指明时，只列出，不发送。\n"
         "--id 需要同时给出 --party、--stage、--attempt，才是同一个命令。",
         "When several asks are open and --party does not choose one, they are listed and nothing is sent.\n"
         "--id needs --party, --stage and --attempt, so that the command is the same.");
const struct command_line answer_command = {
    "answer", BOTH("被派单的一方回应：签收、办结、不能办", "answers for a party that was asked: accept, done, decline"),
    answer_table, COUNT_OF(answer_table), more,
};
const struct command_line return_command = {
    "return", BOTH("退回：写明应由谁办和理由", "gives a case back, naming whose matter it is, and why (退回)"), return_table,
    COUNT_OF(return_table), more,
};

/* ---- the ask ----------------------------------------------------------------------------------------------------- */

/* An ask that this answer could end, if it is one the command line means. Accepting is for the silent. */
static bool fits(const PbAskView *a, const struct answer_line *l, PbAnswerKind kind) {
    bool silent = strcmp(a->status, "asked") == 0, accepted = strcmp(a->status, "accepted") == 0;
    return (silent || (accepted && kind != ANSWER_ACCEPT)) && (!l->party || strcmp(a->party, l->party) == 0)
        && (!l->stage || a->stage == l->stage) && (!l->attempt || a->attempt == l->attempt);
}

static int list_asks(const struct ctl *c, const PbCaseView *v, const struct answer_line *l, PbAnswerKind kind) {
    struct sheet *t;
    sheet_open(&t, 4);
    sheet_cell(t, "%s", say(c, "主体", "PARTY"));
    sheet_cell(t, "%s", say(c, "阶段", "STAGE"));
    sheet_cell(t, "%s", say(c, "轮次", "ATTEMPT"));
    sheet_cell(t, "%s", say(c, "状态", "STATUS"));
    for (size_t i = 0; i < v->n_asks; i++) {
        const PbAskView *a = v->asks[i];
        if (!fits(a, l, kind))
            continue;
        sheet_cell(t, "%s", a->party);
        sheet_cell(t, "%u", a->stage);
        sheet_cell(t, "%u", a->attempt);
        sheet_cell(t, "%s", word_ask(c->language, a->status));
    }
    (void)fputs(say(c, "有几个派单未结，请用 --party（及 --stage、--attempt）指明：\n",
                    "several asks are open; choose with --party (and --stage, --attempt):\n"), stderr);
    sheet_close(t, stderr);
    return CTL_USAGE;
}

/* Nobody open: a party that is named is heard all the same; the broker records it as late, or says why not. */
static int choose(struct ctl *c, const struct answer_line *l, PbAnswerKind kind, PbAnswer *to, char party[static 64]) {
    const PbCaseView *v;
    const PbAskView *found = NULL;
    unsigned count = 0;
    int r = ask_case(c, l->which, &v);
    if (r)
        return r;
    for (size_t i = 0; i < v->n_asks; i++)
        if (fits(v->asks[i], l, kind))
            found = v->asks[i], count++;
    if (count > 1)
        return list_asks(c, v, l, kind);
    if (!found && !l->party) {
        (void)fprintf(stderr, "whistlectl %s: %s\n", c->line->name, say(c, "这个案件现在没有等待回应的派单；请用 show 查看",
                      "nobody is asked for that just now; `whistlectl show` says who was"));
        return CTL_USAGE;
    }
    (void)snprintf(party, 64, "%s", found ? found->party : l->party);     /* the view is gone after the next call */
    to->case_id = v->case_id;
    to->stage = found ? found->stage : l->stage ? (uint32_t)l->stage : v->stage;
    to->attempt = found ? found->attempt : l->attempt ? (uint32_t)l->attempt : v->attempt;
    to->party = party;
    return CTL_DONE;
}

/* ---- the answer -------------------------------------------------------------------------------------------------- */

/* Whoever repeats needs the words that were looked up. */
static void say_again(const PbAnswer *a) {
    (void)fprintf(stderr, "whistlectl: --party %s --stage %u --attempt %u\n", a->party, a->stage, a->attempt);
}

/* `l` was read; CTL_DONE: what came of it was printed. */
static int send(struct ctl *c, struct answer_line *l) {
    PbAnswer answer = {.has_case_id = true, .has_stage = true, .has_attempt = true, .has_kind = true};
    PbEnvelope e = {.command_case = COMMAND_ANSWER, .answer = &answer};
    char party[64];
    if (l->stage > UINT32_MAX || l->attempt > UINT32_MAX)
        return usage(c, "阶段和轮次是小数字，见 show",
                     "a stage and an attempt are small numbers, as `show` lists them");
    if (l->id.given && !(l->party && l->stage && l->attempt))
        return usage(c, "--id 需要同时给出 --party、--stage 和 --attempt，才是同一个命令",
                     "--id needs --party, --stage and --attempt, so that the command is the same");
    answer.kind = (PbAnswerKind)l->kind;
    int r = choose(c, l, answer.kind, &answer, party);
    if (r)
        return r;
    if (l->id.given)                                 /* whatever the asks have become meanwhile */
        answer.stage = (uint32_t)l->stage, answer.attempt = (uint32_t)l->attempt;
    answer.milestone = (char *)l->milestone;
    answer.text = (char *)l->text;
    answer.evidence = evidence_list(&l->evidence);
    answer.n_evidence = l->evidence.count;
    answer.proposed = (char *)l->proposed;
    r = command_send(c, &e, &l->id);
    if (r == CTL_UNKNOWN)
        say_again(&answer);
    return r;
}

int answer_main(struct ctl *c, int argc, char **argv) {
    struct answer_line l = {.which = NULL};
    int r = arguments_read(c, argc, argv, &l);
    if (r)
        return r;
    if (l.milestone && l.kind != ANSWER_DONE)
        return usage(c, "--milestone 与 done 同用", "--milestone goes with done");
    return send(c, &l);
}

int return_main(struct ctl *c, int argc, char **argv) {
    struct answer_line l = {.kind = ANSWER_RETURN};
    int r = arguments_read(c, argc, argv, &l);
    return r ? r : send(c, &l);
}
