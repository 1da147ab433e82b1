/* commands.c: every command there is, in the order of the help. */
#include "ctl/commands.h"

#include <stdio.h>
#include <string.h>

#define VERB(kind, group) {&verb_commands[VERB_##kind], verb_main, GROUP_##group}
#define BULK(verb) {&bulk_commands[BATCH_##verb - 1], bulk_main, GROUP_MANY}

const struct command commands[] = {
    {&report_command, report_main, GROUP_CASES},
    {&tell_command, tell_main, GROUP_CASES},
    {&show_command, show_main, GROUP_CASES},
    {&list_command, list_main, GROUP_CASES},
    {&watch_command, watch_main, GROUP_CASES},
    {&answer_command, answer_main, GROUP_CASES},
    {&return_command, return_main, GROUP_CASES},
    VERB(EXTEND_ASK, CASES),
    VERB(NOTE, CASES),

    {&inbox_command, inbox_main, GROUP_DESK},
    {&similar_command, similar_main, GROUP_DESK},
    VERB(ACCEPT, DESK),
    VERB(DISPATCH, DESK),
    VERB(REASSIGN, DESK),
    VERB(ESCALATE, DESK),
    VERB(DELEGATE, DESK),
    VERB(REJECT, DESK),
    VERB(MERGE, DESK),
    VERB(SPLIT, DESK),
    VERB(TRANSFER, DESK),
    VERB(ACKNOWLEDGE_TRANSFER, DESK),
    VERB(CORRECT, DESK),

    VERB(EXTEND_GRANT, LEADER),
    VERB(EXTEND_REFUSE, LEADER),
    VERB(SUSPEND, LEADER),
    VERB(RESUME, LEADER),
    VERB(REMIND, LEADER),
    VERB(SUPERVISE, LEADER),

    VERB(WITHDRAW, AFTER),
    VERB(APPEAL, AFTER),
    VERB(FOLLOW_UP, AFTER),
    VERB(REOPEN, AFTER),
    VERB(VOID, AFTER),

    {&hand_over_command, hand_over_main, GROUP_MANY},
    BULK(REASSIGN),
    BULK(CLOSE),
    BULK(VOID),
    BULK(CORRECT),
    BULK(HAND_OVER),
    BULK(MOVE),
    {&bulk_confirm_command, bulk_confirm_main, GROUP_MANY},
    {&bulk_run_command, bulk_run_main, GROUP_MANY},
    {&bulk_show_command, bulk_show_main, GROUP_MANY},
    {&import_cases_command, import_cases_main, GROUP_MANY},
    {&import_config_commands[0], import_config_main, GROUP_MANY},
    {&import_config_commands[1], import_config_main, GROUP_MANY},
    {&import_config_commands[2], import_config_main, GROUP_MANY},

    {&status_command, status_main, GROUP_BROKER},
    {&returns_daily_command, returns_main, GROUP_BROKER},
    {&returns_monthly_command, returns_main, GROUP_BROKER},
    {&top_command, top_main, GROUP_BROKER},
    {&reload_command, reload_main, GROUP_BROKER},
    {&calendar_recompute_command, calendar_recompute_main, GROUP_BROKER},
    {&case_move_command, case_move_main, GROUP_BROKER},
    {&drain_command, drain_main, GROUP_BROKER},
    {&dead_list_command, dead_list_main, GROUP_BROKER},
    VERB(DEAD_RETRY, BROKER),
    VERB(DEAD_DROP, BROKER),
    {&drill_command, drill_main, GROUP_BROKER},

    {&verify_command, verify_main, GROUP_STORE},
    {&replay_command, replay_main, GROUP_STORE},
    {&recover_command, recover_main, GROUP_STORE},
    {&backup_command, backup_main, GROUP_STORE},
    {&restore_command, restore_main, GROUP_STORE},
    {&journal_follow_command, journal_follow_main, GROUP_STORE},
    {&journal_show_command, journal_show_main, GROUP_STORE},
    {&emergency_grow_command, emergency_grow_main, GROUP_STORE},
    {&purge_command, purge_main, GROUP_STORE},
};
const size_t commands_count = COUNT_OF(commands);

const char *group_title(enum command_group g) {
    static const char *const titles[] = {
        [GROUP_CASES] = BOTH("案件，以及被派单的各方：", "Cases, and who was asked:"),
        [GROUP_DESK] = BOTH("值守席：", "What a desk decides:"),
        [GROUP_LEADER] = BOTH("审批与督促：", "What a leader says:"),
        [GROUP_AFTER] = BOTH("上报人，以及事后：", "The reporter, and afterwards:"),
        [GROUP_MANY] = BOTH("多个案件：", "Many cases at once:"),
        [GROUP_BROKER] = BOTH("服务器：", "The broker:"),
        [GROUP_STORE] = BOTH("数据目录：", "The store:"),
    };
    CHECK((size_t)g < COUNT_OF(titles));
    return titles[g];
}

const char *const exit_sentences[CTL_FAULT + 1] = {
    [CTL_DONE] = BOTH("已完成", "done"),
    [CTL_REFUSED] = BOTH("服务器未接受，或核对结果不一致", "refused by the broker; or verified, and not equal"),
    [CTL_USAGE] = BOTH("命令行有误，或没有这个数据目录", "the command line is wrong, or there is no such store"),
    [CTL_UNREACHABLE] = BOTH("无人应答，或数据目录正在使用：什么也没有发生",
                             "nobody there to ask, or the store is in use: nothing has happened"),
    [CTL_DAMAGED] = BOTH("数据损坏，未改动", "damaged data; it was left as it is"),
    [CTL_UNKNOWN] = BOTH("没有及时回答，结果不明：请加 --id 再发一次", "no answer in time, the outcome is unknown: repeat it with --id"),
    [CTL_FAULT] = BOTH("本机故障：空间或权限不足", "this machine failed: no space, no permission"),
};

/* ---- finding one ------------------------------------------------------------------------------------------------- */

bool command_family(const struct command *k, const char *word) {
    struct slice first, rest;
    return slice_cut(slice_of(k->line->name), ' ', &first, &rest) && slice_equal(first, slice_of(word));
}

static const struct command *command_named(const char *name) {
    for (size_t i = 0; i < commands_count; i++)
        if (strcmp(commands[i].line->name, name) == 0)
            return &commands[i];
    return NULL;
}

const struct command *command_find(int argc, char *const *argv, int *ret_words) {
    char two[PRINTED_BYTES] = "";
    if (argc > 1)
        (void)snprintf(two, sizeof two, "%.40s %.40s", argv[0], argv[1]);
    const struct command *of_a_family = command_named(two);
    *ret_words = of_a_family ? 2 : 1;
    return of_a_family ? of_a_family : command_named(argv[0]);
}

void command_nearest(const char *word, char to[static LINE_BYTES]) {
    struct option_spec names[COUNT_OF(commands)] = {{.name = NULL}};
    const char *near = NULL;
    size_t len = 0;
    to[0] = '\0';
    for (size_t i = 0; i < commands_count; i++) {
        names[i].name = commands[i].line->name;
        if (!command_family(&commands[i], word))
            continue;
        len += (size_t)snprintf(to + len, LINE_BYTES - len, "%s%s", len ? ", " : "", names[i].name);
        CHECK(len < LINE_BYTES);
    }
    if (len)
        return;
    (void)option_set(names, commands_count, NULL, slice_of(word), SLICE(""), &near);
    (void)snprintf(to, LINE_BYTES, "%s", near);
}
