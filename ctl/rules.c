/* rules.c: the office's rules, while the broker serves: `reload`, `calendar recompute`, `case move`. */
#include "ctl/commands.h"

#include <stdio.h>

struct rules_line {
    const char *which;
    bool dry_run;
    struct command_id id;
};

#define AT(field) offsetof(struct rules_line, field)
#define DRY_RUN(zh, en) {"--dry-run", NULL, ARGUMENT_FLAG, AT(dry_run), BOTH(zh, en), false}
static const struct argument reload_table[] = {
    DRY_RUN("只说有何不同，不采用", "says what is different, adopts nothing"), ID_ARGUMENT(AT(id)),
};
static const struct argument recompute_table[] = {
    DRY_RUN("只列出哪些到期会变", "lists what would move, moves nothing"), ID_ARGUMENT(AT(id)),
};
static const struct argument move_table[] = {CASE_ARGUMENT(AT(which)), ID_ARGUMENT(AT(id))};
#undef AT

const struct command_line reload_command = {
    "reload", BOTH("服务器重读规则文件，整套采用或一概不用", "has the broker read its rules anew: adopted whole or not at all"),
    reload_table, COUNT_OF(reload_table),
    BOTH("读的是服务器自己的 config 目录。新案件用新规则，在办案件仍按原规则（换用见 case move）。有错时原规则照用，\n"
         "退出码 1。",
         "The broker reads its own config folder. New cases go by the new rules, open ones stay with theirs.\n"
         "A wrong set is told by file, line and key, and the old one goes on: exit code 1."),
};
const struct command_line calendar_recompute_command = {
    "calendar recompute", BOTH("日历改了：按现行日历重算在办案件的到期", "has open cases' deadlines reckoned by the calendars in force"),
    recompute_table, COUNT_OF(recompute_table),
    BOTH("先改日历文件、reload，再重算。在后台进行；status 显示进度。",
         "Change the calendar's file, reload, then recompute. It goes on in the background: status says how far."),
};
const struct command_line case_move_command = {
    "case move", BOTH("一个在办案件换用现行规则", "lets one open case go by the rules in force"), move_table,
    COUNT_OF(move_table), BOTH("许多案件用 bulk move。", "Many cases: bulk move."),
};

/* ---- reload ------------------------------------------------------------------------------------------------------ */

static int say_wrong(const struct ctl *c, const PbReloaded *r) {
    for (size_t i = 0; i < r->n_problems; i++)
        (void)fprintf(stderr, "whistlectl: %s\n", r->problems[i]);
    (void)fprintf(stderr, "whistlectl: %s %u\n", say(c, "有错，未采用；仍按规则集", "wrong, not adopted; still in force: rules"),
                  r->rules);
    return CTL_REFUSED;
}

static void say_difference(const struct ctl *c, const PbReloaded *r, bool dry_run) {
    for (size_t i = 0; i < r->n_lines; i++)
        puts(r->lines[i]);
    if (r->lines_left_off)
        printf("... %u %s\n", r->lines_left_off, say(c, "处未列出", "more"));
    if (r->adopted)
        printf("%s %u\n", say(c, "已采用规则集", "adopted: rules"), r->rules);
    else
        puts(!dry_run || !r->n_lines ? say(c, "没有变化", "nothing is different")
                                     : say(c, "未采用（--dry-run）", "not adopted (--dry-run)"));
    if (r->calendars_changed)
        puts(say(c, "日历有变：在办案件的到期未动；要重算用 calendar recompute",
                 "a calendar is different: open deadlines stay as they are until `calendar recompute`"));
}

int reload_main(struct ctl *c, int argc, char **argv) {
    struct rules_line l = {.dry_run = false};
    const PbReply *reply = NULL;
    int r = arguments_read(c, argc, argv, &l);
    if (r)
        return r;
    PbReload reload = {.has_dry_run = l.dry_run, .dry_run = l.dry_run};
    PbEnvelope e = {.command_case = COMMAND_RELOAD, .reload = &reload, .has_command_id = l.id.given,
                    .command_id = {.len = COMMAND_ID_SIZE, .data = l.id.byte}};
    r = ctl_call(c, &e, &reply);
    if (r)
        return r;
    CHECK(reply->reply_case == REPLY_RELOADED);
    if (c->json)
        return json_print(CODEC_REPLY, reply), reply->reloaded->n_problems ? CTL_REFUSED : CTL_DONE;
    print_drill_banner(c);
    if (reply->reloaded->n_problems)
        return say_wrong(c, reply->reloaded);
    return say_difference(c, reply->reloaded, l.dry_run), CTL_DONE;
}

/* ---- recompute --------------------------------------------------------------------------------------------------- */

static void moved_sheet(const struct ctl *c, const PbRecomputed *r) {
    static const char *const heads[] = {
        BOTH("编号", "NUMBER"), BOTH("时限", "TIMER"), BOTH("原到期", "DUE"), BOTH("新到期", "WOULD BE DUE"),
    };
    struct sheet *t;
    sheet_headed(c, &t, heads, COUNT_OF(heads));
    for (size_t i = 0; i < r->n_moved; i++) {
        const PbMoved *m = r->moved[i];
        char before[PRINTED_BYTES], after[PRINTED_BYTES];
        print_instant(c, m->due_before_ms, before);
        print_instant(c, m->due_after_ms, after);
        sheet_cell(t, "%s", m->number ? m->number : "-");
        sheet_cell(t, "%s", word_timer(c->language, m->kind));
        sheet_cell(t, "%s", before);
        sheet_cell(t, "%s", after);
    }
    sheet_close(t, r->n_moved ? stdout : NULL);
    if (r->moved_left_off)
        printf("... %llu %s\n", (unsigned long long)r->moved_left_off, say(c, "处未列出", "more"));
    printf("%llu %s\n", (unsigned long long)r->cases, say(c, "个案件的到期会变", "cases would have deadlines that move"));
}

int calendar_recompute_main(struct ctl *c, int argc, char **argv) {
    struct rules_line l = {.dry_run = false};
    const PbReply *reply = NULL;
    int r = arguments_read(c, argc, argv, &l);
    if (r)
        return r;
    PbRecompute recompute = {.has_dry_run = l.dry_run, .dry_run = l.dry_run};
    PbEnvelope e = {.command_case = COMMAND_RECOMPUTE, .recompute = &recompute, .has_command_id = l.id.given,
                    .command_id = {.len = COMMAND_ID_SIZE, .data = l.id.byte}};
    r = ctl_call(c, &e, &reply);
    if (r)
        return r;
    CHECK(reply->reply_case == REPLY_RECOMPUTED);
    if (c->json)
        return json_print(CODEC_REPLY, reply), CTL_DONE;
    print_drill_banner(c);
    if (l.dry_run)
        moved_sheet(c, reply->recomputed);
    else
        puts(say(c, "已开始重算；status 显示进度", "it has begun; `whistlectl status` says how far it is"));
    return CTL_DONE;
}

/* ---- one case ---------------------------------------------------------------------------------------------------- */

int case_move_main(struct ctl *c, int argc, char **argv) {
    struct rules_line l = {.which = NULL};
    const PbCaseView *v = NULL;
    int r = arguments_read(c, argc, argv, &l);
    if (r)
        return r;
    r = ask_case(c, l.which, &v);
    if (r)
        return r;
    PbMoveCase move = {.has_case_id = true, .case_id = v->case_id};
    PbEnvelope e = {.command_case = COMMAND_MOVE_CASE, .move_case = &move};
    return command_send(c, &e, &l.id);
}
