/* operator.c: `dispatch`, `escalate`, `reject`, `note`: what a desk decides, said by an operator. The same commands on
 * the same path as a worker's; stage and attempt are those of the case unless they are said. */
#include "ctl/ctl.h"

#include <stdio.h>
#include <string.h>

struct operator_line {
    const char *which, *party, *cause, *text;
    struct texts to;
    uint64_t stage, attempt;
    struct command_id id;
};

#define AT(field) offsetof(struct operator_line, field)
#define CASE_ARGUMENT {"CASE", NULL, ARGUMENT_TEXT, AT(which), "a case's id or number", true}
#define CURSOR_ARGUMENTS \
    {"--stage", "N", ARGUMENT_NUMBER, AT(stage), "the stage it is said about; left out: the case's", false}, \
    {"--attempt", "N", ARGUMENT_NUMBER, AT(attempt), "the attempt it is said about; left out: the case's", false}, \
    {"--id", "HEX", ARGUMENT_ID, AT(id), "repeat an earlier command whose outcome is unknown", false}

static const struct argument dispatch_table[] = {
    CASE_ARGUMENT,
    {"--to", "PARTY", ARGUMENT_TEXTS, AT(to), "who is asked; may be repeated: the first is in the lead", true},
    CURSOR_ARGUMENTS,
};
static const struct argument escalate_table[] = {
    CASE_ARGUMENT,
    {"--party", "PARTY", ARGUMENT_TEXT, AT(party), "at whose wish (吹哨)", false},
    CURSOR_ARGUMENTS,
};
static const struct argument reject_table[] = {
    CASE_ARGUMENT,
    {"--cause", "CAUSE", ARGUMENT_TEXT, AT(cause), "out-of-scope, duplicate, not-a-fact or elsewhere", true},
    {"--text", "TEXT", ARGUMENT_TEXT, AT(text), "what the reporter is told", false},
    CURSOR_ARGUMENTS,
};
static const struct argument note_table[] = {
    CASE_ARGUMENT,
    {"--text", "TEXT", ARGUMENT_TEXT, AT(text), "what is noted", true},
    {"--party", "PARTY", ARGUMENT_TEXT, AT(party), "who notes it", false},
    {"--id", "HEX", ARGUMENT_ID, AT(id), "repeat an earlier command whose outcome is unknown", false},
};
#undef AT

static const char more[] = "For operators; workers say the same over the pool. --id needs --stage and --attempt.";
static const struct command_line lines[] = {
    {"dispatch", "asks parties to deal with a case", dispatch_table, COUNT_OF(dispatch_table), more},
    {"escalate", "takes a case to the next level up", escalate_table, COUNT_OF(escalate_table), more},
    {"reject", "ends a case that is not this office's", reject_table, COUNT_OF(reject_table), more},
    {"note", "leaves a note in a case's story", note_table, COUNT_OF(note_table), NULL},
};

/* The case's id and its cursor, where the command line does not say. CTL_DONE; else it was said what is wrong. */
static int locate(struct ctl *c, const char *name, struct operator_line *l, uint64_t *ret_case) {
    const PbCaseView *v;
    if (l->stage > UINT32_MAX || l->attempt > UINT32_MAX)
        return usage(name, "a stage and an attempt are small numbers, as `show` lists them");
    int r = ask_case(c, name, l->which, &v);
    if (r)
        return r;
    l->stage = l->stage ? l->stage : v->stage;
    l->attempt = l->attempt ? l->attempt : v->attempt;
    *ret_case = v->case_id;
    return CTL_DONE;
}

/* Reads the line and fills in what is common. ARGUMENTS_HELPED or an exit code: over. */
static int begin(struct ctl *c, const struct command_line *line, int argc, char **argv, struct operator_line *l,
                 uint64_t *ret_case) {
    int r = arguments_read(c, line, argc, argv, l);
    if (r)
        return r;
    if (l->id.given && line->table != note_table && !(l->stage && l->attempt))
        return usage(line->name, "--id needs --stage and --attempt, so that the command is the same");
    return locate(c, line->name, l, ret_case);
}

static int end(struct ctl *c, PbEnvelope *e, struct operator_line *l) {
    int r = command_send(c, e, &l->id);
    if (r == CTL_UNKNOWN && e->command_case != COMMAND_NOTE)
        (void)fprintf(stderr, "whistlectl: --stage %llu --attempt %llu\n", (unsigned long long)l->stage,
                      (unsigned long long)l->attempt);
    return r;
}

int dispatch_main(struct ctl *c, int argc, char **argv) {
    struct operator_line l = {.which = NULL};
    PbDispatch d = {.has_case_id = true, .has_stage = true, .has_attempt = true, .has_cause = true,
                    .cause = CAUSE_DUTY};
    PbEnvelope e = {.command_case = COMMAND_DISPATCH, .dispatch = &d};
    PbAskedParty parties[TEXTS_MAX] = {{.party = NULL}}, *pointers[TEXTS_MAX];
    int r = begin(c, &lines[0], argc, argv, &l, &d.case_id);
    if (r)
        return r == ARGUMENTS_HELPED ? CTL_DONE : r;
    for (unsigned i = 0; i < l.to.count; i++) {
        parties[i] = (PbAskedParty){.party = (char *)l.to.at[i], .has_lead = i == 0, .lead = i == 0};
        pointers[i] = &parties[i];
    }
    d.stage = (uint32_t)l.stage;
    d.attempt = (uint32_t)l.attempt;
    d.parties = pointers;
    d.n_parties = l.to.count;
    return end(c, &e, &l);
}

int escalate_main(struct ctl *c, int argc, char **argv) {
    struct operator_line l = {.which = NULL};
    PbEscalate s = {.has_case_id = true, .has_stage = true, .has_attempt = true, .has_cause = true,
                    .cause = CAUSE_ASKED_FOR_HELP};
    PbEnvelope e = {.command_case = COMMAND_ESCALATE, .escalate = &s};
    int r = begin(c, &lines[1], argc, argv, &l, &s.case_id);
    if (r)
        return r == ARGUMENTS_HELPED ? CTL_DONE : r;
    s.stage = (uint32_t)l.stage;
    s.attempt = (uint32_t)l.attempt;
    s.party = (char *)l.party;
    return end(c, &e, &l);
}

static int cause_of(const char *word, PbCause *ret) {
    static const struct { const char *name; PbCause cause; } causes[] = {
        {"out-of-scope", CAUSE_OUT_OF_SCOPE}, {"duplicate", CAUSE_DUPLICATE}, {"not-a-fact", CAUSE_NOT_A_FACT},
        {"elsewhere", CAUSE_ELSEWHERE},
    };
    for (size_t i = 0; i < COUNT_OF(causes); i++)
        if (strcmp(word, causes[i].name) == 0)
            return *ret = causes[i].cause, CTL_DONE;
    return usage("reject", "--cause: \"%.60s\" is none of out-of-scope, duplicate, not-a-fact, elsewhere", word);
}

int reject_main(struct ctl *c, int argc, char **argv) {
    struct operator_line l = {.which = NULL};
    PbReject j = {.has_case_id = true, .has_stage = true, .has_attempt = true, .has_cause = true};
    PbEnvelope e = {.command_case = COMMAND_REJECT, .reject = &j};
    int r = begin(c, &lines[2], argc, argv, &l, &j.case_id);
    if (r == CTL_DONE)
        r = cause_of(l.cause, &j.cause);
    if (r)
        return r == ARGUMENTS_HELPED ? CTL_DONE : r;
    j.stage = (uint32_t)l.stage;
    j.attempt = (uint32_t)l.attempt;
    j.text = (char *)l.text;
    return end(c, &e, &l);
}

int note_main(struct ctl *c, int argc, char **argv) {
    struct operator_line l = {.which = NULL};
    PbNote n = {.has_case_id = true};
    PbEnvelope e = {.command_case = COMMAND_NOTE, .note = &n};
    int r = begin(c, &lines[3], argc, argv, &l, &n.case_id);
    if (r)
        return r == ARGUMENTS_HELPED ? CTL_DONE : r;
    n.party = (char *)l.party;
    n.text = (char *)l.text;
    return end(c, &e, &l);
}
