/* answer.c: `answer`: a party that was asked says accept, done or decline.
 *
 * Who answers, and to which ask, is looked up when it is not said. Repeating under an id must be the same command, and
 * a look-up might find another ask by then: --id wants all three. */
#include "ctl/ctl.h"

#include <stdio.h>
#include <string.h>

struct answer_line {
    const char *which, *kind, *party, *milestone, *text;
    uint64_t stage, attempt;
    struct command_id id;
};

#define AT(field) offsetof(struct answer_line, field)
static const struct argument table[] = {
    {"CASE", NULL, ARGUMENT_TEXT, AT(which), "a case's id or number", true},
    {"accept|done|decline", NULL, ARGUMENT_TEXT, AT(kind), "what is said: 签收, 办结, 不能办", true},
    {"--party", "PARTY", ARGUMENT_TEXT, AT(party), "who answers; left out: the party of the one open ask", false},
    {"--stage", "N", ARGUMENT_NUMBER, AT(stage), "the ask's stage, as `show` lists it", false},
    {"--attempt", "N", ARGUMENT_NUMBER, AT(attempt), "the ask's attempt", false},
    {"--milestone", "NAME", ARGUMENT_TEXT, AT(milestone), "with done: only this milestone is reached", false},
    {"--text", "TEXT", ARGUMENT_TEXT, AT(text), "what was done, or why not", false},
    {"--id", "HEX", ARGUMENT_ID, AT(id), "repeat an earlier command whose outcome is unknown", false},
};
#undef AT

static const struct command_line line = {
    "answer", "answers for a party that was asked", table, COUNT_OF(table),
    "When several asks are open and --party does not choose one, they are listed and nothing is sent.\n"
    "--id needs --party, --stage and --attempt, so that the command is the same.",
};

static const struct { const char *name; PbAnswerKind kind; } kinds[] = {
    {"accept", ANSWER_ACCEPT}, {"done", ANSWER_DONE}, {"decline", ANSWER_DECLINE},
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
    int r = ask_case(c, line.name, l->which, &v);
    if (r)
        return r;
    for (size_t i = 0; i < v->n_asks; i++)
        if (fits(v->asks[i], l, kind))
            found = v->asks[i], count++;
    if (count > 1)
        return list_asks(c, v, l, kind);
    if (!found && !l->party) {
        (void)fprintf(stderr, "whistlectl answer: %s\n", say(c, "这个案件现在没有等待回应的派单；请用 show 查看",
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

static int kind_of(const char *word, PbAnswerKind *ret) {
    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        if (strcmp(word, kinds[i].name) == 0)
            return *ret = kinds[i].kind, CTL_DONE;
    return usage(line.name, "\"%.60s\" is no answer; accept, done and decline are", word);
}

/* Whoever repeats needs the words that were looked up. */
static void say_again(const PbAnswer *a) {
    (void)fprintf(stderr, "whistlectl: --party %s --stage %u --attempt %u\n", a->party, a->stage, a->attempt);
}

int answer_main(struct ctl *c, int argc, char **argv) {
    struct answer_line l = {.which = NULL};
    PbAnswer answer = {.has_case_id = true, .has_stage = true, .has_attempt = true, .has_kind = true};
    PbEnvelope e = {.command_case = COMMAND_ANSWER, .answer = &answer};
    char party[64];
    int r = arguments_read(c, &line, argc, argv, &l);
    if (r)
        return r == ARGUMENTS_HELPED ? CTL_DONE : r;
    if (l.stage > UINT32_MAX || l.attempt > UINT32_MAX)
        return usage(line.name, "a stage and an attempt are small numbers, as `show` lists them");
    if (l.id.given && !(l.party && l.stage && l.attempt))
        return usage(line.name, "--id needs --party, --stage and --attempt, so that the command is the same");
    if (l.milestone && strcmp(l.kind, "done") != 0)
        return usage(line.name, "--milestone goes with done");
    r = kind_of(l.kind, &answer.kind);
    if (r == CTL_DONE)
        r = choose(c, &l, answer.kind, &answer, party);
    if (r)
        return r;
    if (l.id.given)                                  /* whatever the asks have become meanwhile */
        answer.stage = (uint32_t)l.stage, answer.attempt = (uint32_t)l.attempt;
    answer.milestone = (char *)l.milestone;
    answer.text = (char *)l.text;
    r = command_send(c, &e, &l.id);
    if (r == CTL_UNKNOWN)
        say_again(&answer);
    return r;
}
