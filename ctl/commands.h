/* commands.h: the table of commands. Help, manual pages and completion are made from it.
 *
 *   a command is   its command line (name, sentence, arguments with their sentences; both languages) and its function
 *   to add one     un-static its `struct command_line`, name it here, and give it a row in commands.c
 *
 * A name of two words is one of a family: `extend ask`. The function's argv[0] is the last of them; c->line says which
 * command it is. The words an argument may take: choices_of(argument.type). Sentences: both_in(language, ...). */
#ifndef CTL_COMMANDS_H
#define CTL_COMMANDS_H
#include "ctl/ctl.h"

/* The chapters of the help. */
enum command_group {
    GROUP_CASES, GROUP_DESK, GROUP_LEADER, GROUP_AFTER, GROUP_MANY, GROUP_BROKER, GROUP_STORE, GROUPS
};

struct command {
    const struct command_line *line;
    int (*main)(struct ctl *c, int argc, char **argv);            /* an enum ctl_exit */
    enum command_group group;
};
extern const struct command commands[];
extern const size_t commands_count;

/* argv[0], or it and argv[1], as a command; *ret_words says how many. NULL: none. */
const struct command *command_find(int argc, char *const *argv, int *ret_words);
bool command_family(const struct command *k, const char *word);     /* whether its name begins with that word */
/* What was meant, perhaps, in one line: the nearest name, or the words of the family. */
void command_nearest(const char *word, char to[static LINE_BYTES]);
const char *group_title(enum command_group g);                    /* BOTH */
/* What an exit code means, by enum ctl_exit: BOTH. */
extern const char *const exit_sentences[CTL_FAULT + 1];

/* ---- the command lines, by file ---------------------------------------------------------------------------------- */

extern const struct command_line report_command, answer_command, return_command, show_command, list_command,
    watch_command, status_command, drill_command, verify_command, replay_command, recover_command, purge_command,
    backup_command, restore_command, emergency_grow_command, journal_follow_command, journal_show_command,
    inbox_command, dead_list_command, similar_command, drain_command, hand_over_command, tell_command, top_command,
    bulk_confirm_command, bulk_run_command, bulk_show_command, reload_command, calendar_recompute_command,
    case_move_command, returns_daily_command, returns_monthly_command, import_cases_command,
    import_config_commands[];

int report_main(struct ctl *c, int argc, char **argv);
int answer_main(struct ctl *c, int argc, char **argv);
int return_main(struct ctl *c, int argc, char **argv);
int show_main(struct ctl *c, int argc, char **argv);
int list_main(struct ctl *c, int argc, char **argv);
int watch_main(struct ctl *c, int argc, char **argv);
int status_main(struct ctl *c, int argc, char **argv);
int drill_main(struct ctl *c, int argc, char **argv);
int verify_main(struct ctl *c, int argc, char **argv);
int replay_main(struct ctl *c, int argc, char **argv);
int recover_main(struct ctl *c, int argc, char **argv);
int purge_main(struct ctl *c, int argc, char **argv);
int backup_main(struct ctl *c, int argc, char **argv);
int restore_main(struct ctl *c, int argc, char **argv);
int emergency_grow_main(struct ctl *c, int argc, char **argv);
int journal_follow_main(struct ctl *c, int argc, char **argv);
int journal_show_main(struct ctl *c, int argc, char **argv);
int returns_main(struct ctl *c, int argc, char **argv);
int import_cases_main(struct ctl *c, int argc, char **argv);
int import_config_main(struct ctl *c, int argc, char **argv);

int inbox_main(struct ctl *c, int argc, char **argv);
int dead_list_main(struct ctl *c, int argc, char **argv);
int similar_main(struct ctl *c, int argc, char **argv);
int drain_main(struct ctl *c, int argc, char **argv);
int hand_over_main(struct ctl *c, int argc, char **argv);
int tell_main(struct ctl *c, int argc, char **argv);
int top_main(struct ctl *c, int argc, char **argv);
int bulk_confirm_main(struct ctl *c, int argc, char **argv);
int bulk_run_main(struct ctl *c, int argc, char **argv);
int bulk_show_main(struct ctl *c, int argc, char **argv);
int reload_main(struct ctl *c, int argc, char **argv);
int calendar_recompute_main(struct ctl *c, int argc, char **argv);
int case_move_main(struct ctl *c, int argc, char **argv);

/* bulk.c: one function for all that is asked for many; by PbBatchVerb - 1. */
extern const struct command_line bulk_commands[];
int bulk_main(struct ctl *c, int argc, char **argv);

/* verbs.c: one function for all that is said of one case. */
enum verb_kind {
    VERB_ACCEPT, VERB_DISPATCH, VERB_REASSIGN, VERB_ESCALATE, VERB_DELEGATE, VERB_REJECT, VERB_MERGE, VERB_SPLIT,
    VERB_TRANSFER, VERB_ACKNOWLEDGE_TRANSFER, VERB_CORRECT, VERB_NOTE, VERB_EXTEND_ASK, VERB_EXTEND_GRANT,
    VERB_EXTEND_REFUSE, VERB_SUSPEND, VERB_RESUME, VERB_REMIND, VERB_SUPERVISE, VERB_WITHDRAW, VERB_APPEAL,
    VERB_FOLLOW_UP, VERB_REOPEN, VERB_VOID, VERB_DEAD_RETRY, VERB_DEAD_DROP, VERBS
};
extern const struct command_line verb_commands[VERBS];
int verb_main(struct ctl *c, int argc, char **argv);
#endif
