/* manual_ctl.c: whistlectl's commands, options and exit codes, for its page and for the completion. */
#include "tests/unit/manual.h"
#include "ctl/commands.h"
#include "ctl/many.h"

#include <string.h>

static enum language language(bool zh) {
    return zh ? LANGUAGE_ZH : LANGUAGE_EN;
}

#define IN(zh, both) (int)both_in(language(zh), both).len, (const char *)both_in(language(zh), both).at

static bool is_option(const struct argument *a) {
    return a->name[0] == '-';
}

/* ---- the page ---------------------------------------------------------------------------------------------------- */

/* ": grid, community": the words that may be said, in both languages where there are two. */
static void choices_text(enum argument_type type, bool zh, char to[static LINE_BYTES]) {
    size_t count, len = 0;
    const struct choice *choices = choices_of(type, &count);
    to[0] = '\0';
    for (size_t i = 0; choices && i < count; i++) {
        const struct choice *k = &choices[i];
        bool both = zh && strcmp(k->word, k->zh) != 0;
        len += (size_t)snprintf(to + len, LINE_BYTES - len, "%s" BOLD "%s" ROMAN "%s%s%s",
                                i ? zh ? "、" : ", " : zh ? "：" : ": ", k->word, both ? "（" : "", both ? k->zh : "",
                                both ? "）" : "");
        CHECK(len < LINE_BYTES);
    }
}

static void write_argument(FILE *to, const struct argument *a, bool zh) {
    char choices[LINE_BYTES];
    choices_text(a->type, zh, choices);
    if (is_option(a))
        roff_tag(to, BOLD "%s" ROMAN "%s" ITALIC "%s" ROMAN, a->name, a->value ? " " : "", a->value ? a->value : "");
    else
        roff_tag(to, ITALIC "%s" ROMAN, a->name);
    roff_text(to, "%.*s%s%s", IN(zh, a->sentence), !a->must ? "" : zh ? "（必填）" : " (must be given)", choices);
}

static void write_command(FILE *to, const struct command_line *line, bool zh) {
    char places[LINE_BYTES] = "";
    size_t len = 0;
    for (size_t i = 0; i < line->count; i++)
        if (!is_option(&line->table[i]))
            len += (size_t)snprintf(places + len, sizeof places - len, line->table[i].must ? " %s" : " [%s]",
                                    line->table[i].name);
    CHECK(len < sizeof places);
    roff_tag(to, BOLD "%s" ITALIC "%s" ROMAN, line->name, places);
    roff_text(to, "%.*s", IN(zh, line->sentence));
    if (line->count == 0 && !line->more)
        return;
    fputs(".RS\n", to);
    for (size_t i = 0; i < line->count; i++)
        write_argument(to, &line->table[i], zh);
    if (line->more) {
        fputs(line->count ? ".PP\n" : "", to);
        roff_text(to, "%.*s", IN(zh, line->more));
    }
    fputs(".RE\n", to);
}

void write_commands(FILE *to, bool zh) {
    for (int g = 0; g < GROUPS; g++) {
        struct slice title = both_in(language(zh), group_title((enum command_group)g));
        size_t colon = strlen(zh ? "：" : ":");
        fprintf(to, ".SS %.*s\n", (int)(title.len - colon), (const char *)title.at);
        for (size_t i = 0; i < commands_count; i++)
            if (commands[i].group == (enum command_group)g)
                write_command(to, commands[i].line, zh);
    }
}

void write_globals(FILE *to, bool zh) {
    for (size_t i = 0; i < global_arguments_count; i++)
        write_argument(to, &global_arguments[i], zh);
}

void write_exits(FILE *to, bool zh) {
    for (size_t i = 0; i < COUNT_OF(exit_sentences); i++) {
        roff_tag(to, BOLD "%zu" ROMAN, i);
        roff_text(to, "%.*s", IN(zh, exit_sentences[i]));
    }
}

/* ---- the completion ---------------------------------------------------------------------------------------------- */

void write_names(FILE *to, bool zh) {
    (void)zh;
    for (size_t i = 0; i < commands_count; i++)
        fprintf(to, "    '%s'\n", commands[i].line->name);
}

/* How a value is completed. Numbers of cases are not: a list of them on a screen that somebody leaves is a leak. */
static void write_how(FILE *to, const struct argument *a) {
    static const struct { const char *value, *how; } files[] = {
        {"FILE", "@file"}, {"DIR", "@dir"}, {"DATA_DIR", "@dir"}, {"CONFIG_DIR", "@dir"}, {"BACKUP", "@dir"},
    };
    const char *value = a->value ? a->value : a->name, *how = "@";
    size_t count;
    const struct choice *choices = choices_of(a->type, &count);
    for (size_t i = 0; i < COUNT_OF(files); i++)
        if (strcmp(files[i].value, value) == 0)
            how = files[i].how;
    if (strcmp(a->name, "--where") == 0)
        how = "@where";
    if (a->type == ARGUMENT_LANGUAGE)
        how = "zh,en";
    for (size_t i = 0; choices && i < count; i++)
        fprintf(to, "%s%s", i ? "," : "", choices[i].word);
    fputs(choices ? "" : how, to);
}

static void write_arguments(FILE *to, const struct argument *table, size_t count) {
    for (size_t i = 0; i < count; i++) {
        const struct argument *a = &table[i];
        bool named = is_option(a) || a->value;
        fprintf(to, "%s%s%s", i ? " " : "", named || a->type == ARGUMENT_FLAG ? a->name : "",
                named && a->type != ARGUMENT_FLAG ? "=" : "");
        if (a->type != ARGUMENT_FLAG)
            write_how(to, a);
    }
}

static void write_case(FILE *to, const char *name, const struct argument *table, size_t count, const char *more) {
    fprintf(to, "    '%s') REPLY='", name);
    write_arguments(to, table, count);
    fprintf(to, "%s' ;;\n", more);
}

void write_takes(FILE *to, bool zh) {
    char name[PRINTED_BYTES];
    (void)zh;
    write_case(to, "whistlectl", global_arguments, global_arguments_count, " --help --version");
    write_case(to, "where", filter_conditions, filter_conditions_count, "");
    for (size_t i = 0; i < commands_count; i++) {
        const struct command_line *line = commands[i].line;
        (void)snprintf(name, sizeof name, "whistlectl %s", line->name);
        write_case(to, name, line->table, line->count, "");
    }
}
