/* hand_over.c: `hand-over`: at a shift's end, or for good: what is asked of one party is asked of another from now on.
 *
 * In one case, or in all that are open. It needs no batch: nothing is decided, only who is waited for. Whoever is cut
 * off says it again: what was handed over is not the first one's any more. */
#include "ctl/commands.h"
#include "ctl/many.h"

#include <stdio.h>
#include <string.h>

struct hand_over_line {
    const char *which, *from, *to;
    bool dry_run;
};

#define AT(field) offsetof(struct hand_over_line, field)
static const struct argument table[] = {
    {"CASE", NULL, ARGUMENT_TEXT, AT(which),
     BOTH("只这一个案件；不写则为全部未结案件", "in this case only; left out: in all that are open"), false},
    {"--from", "PARTY", ARGUMENT_TEXT, AT(from), BOTH("谁交出", "whose asks"), true},
    {"--to", "PARTY", ARGUMENT_TEXT, AT(to), BOTH("谁接手", "who takes over"), true},
    {"--dry-run", NULL, ARGUMENT_FLAG, AT(dry_run), BOTH("只列出", "lists them, does nothing"), false},
};
#undef AT

const struct command_line hand_over_command = {
    "hand-over", BOTH("交班：一方未结的派单由另一方接手", "lets another party take over what one is asked (交班)"), table,
    COUNT_OF(table),
    BOTH("核查不能交给办理的人；未接受的会列出。",
         "Who verifies cannot be who did it: such cases are refused and listed. Exit code 1: some were refused."),
};

static int choose(struct ctl *c, const struct hand_over_line *l, struct selection *ret) {
    struct filter f = {.party = l->from, .state = STATE_NONE};
    struct sheet *rows = NULL;
    const PbCaseView *v;
    if (!c->json && (l->dry_run || !l->which))
        case_sheet(c, &rows);
    int r = l->which ? ask_case(c, l->which, &v) : selection_of_filter(c, &f, rows, ret);
    if (r == CTL_DONE && l->which) {
        selection_one(v, ret);
        if (rows)
            case_row(c, rows, v);
    }
    if (rows)
        sheet_close(rows, r == CTL_DONE && ret->count ? stdout : NULL);
    return r;
}

static int hand_over(struct ctl *c, const struct hand_over_line *l, const struct chosen *k, struct outcome *o) {
    PbHandOver h = {.has_case_id = true, .case_id = k->case_id, .from = (char *)l->from, .to = (char *)l->to};
    PbEnvelope e = {.command_case = COMMAND_HAND_OVER, .hand_over = &h};
    const PbReply *reply = NULL;
    int r = ctl_try(c, &e, &reply);
    if (r == CTL_DONE)
        outcome_add(o, c, k, reply);
    return r;
}

int hand_over_main(struct ctl *c, int argc, char **argv) {
    struct hand_over_line l = {.which = NULL};
    struct selection s = {.count = 0};
    struct outcome o;
    int r = arguments_read(c, argc, argv, &l);
    if (r == CTL_DONE && strcmp(l.from, l.to) == 0)
        r = usage(c, "--from 和 --to 是同一方", "--from and --to are the same party");
    if (r == CTL_DONE)
        r = choose(c, &l, &s);
    if (r || l.dry_run)
        return selection_free(&s), r;
    if (s.count == 0 && !c->json)
        (void)fprintf(stderr, say(c, "whistlectl: %s 没有未结的派单；写法是 角色@区划\n",
                                  "whistlectl: nothing open is asked of %s; a party is written role@division\n"),
                      l.from);
    outcome_open(&o, c);
    for (uint32_t i = 0; r == CTL_DONE && !o.over && i < s.count; i++)
        r = hand_over(c, &l, &s.at[i], &o);
    int end = outcome_close(&o, c);
    selection_free(&s);
    return r ? r : end;
}
