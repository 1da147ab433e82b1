/* whistlectl.c: the surroundings a command starts in, and the help that lists them all. */
#include "ctl/commands.h"
#include "daemon/kernel/kernel.h"
#include "lib/crypto/crypto.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef WHISTLED_VERSION
#define WHISTLED_VERSION "0.1.0"
#endif

static const char *environment(const char *name, const char *otherwise) {
    const char *value = getenv(name);
    return value && *value ? value : otherwise;
}

static enum language language_of_environment(void) {
    const char *value = environment("LC_ALL", environment("LC_MESSAGES", environment("LANG", "C")));
    return strncmp(value, "zh", 2) == 0 ? LANGUAGE_ZH : LANGUAGE_EN;
}

/* Who sits here: as the office wrote it, else as the system calls them; NULL when that is no such word. */
static const char *login_name(void) {
    const struct passwd *p = getpwuid(getuid());
    return p && word_valid(slice_of(p->pw_name), BY_BYTES_MAX) ? p->pw_name : NULL;
}

static void print_command(enum language l, const struct command *k) {
    struct slice sentence = both_in(l, k->line->sentence);
    printf("  %-20s %.*s\n", k->line->name, (int)sentence.len, (const char *)sentence.at);
}

static void print_group(enum language l, enum command_group g) {
    struct slice title = both_in(l, group_title(g));
    printf("\n%.*s\n", (int)title.len, (const char *)title.at);
    for (size_t i = 0; i < commands_count; i++)
        if (commands[i].group == g)
            print_command(l, &commands[i]);
}

/* `whistlectl extend --help`: the commands whose names begin so. */
static int print_family(enum language l, const char *word) {
    int r = CTL_USAGE;
    for (size_t i = 0; i < commands_count; i++)
        if (command_family(&commands[i], word))
            print_command(l, &commands[i]), r = CTL_DONE;
    return r;
}

static void print_help(const struct ctl *c) {
    puts(say(c, "whistlectl：服务器的话，给人看，也给脚本用\n\n  whistlectl [选项]... 命令 [参数]...\n\n"
                "whistlectl 命令 --help 说明更多。",
             "whistlectl: the broker's words, for people and for scripts\n\n"
             "  whistlectl [OPTION]... COMMAND [ARGUMENT]...\n\nwhistlectl COMMAND --help says more."));
    for (int g = 0; g < GROUPS; g++)
        print_group(c->language, (enum command_group)g);
    arguments_print_globals(c->language);
    puts(say(c, "\n退出码：", "\nExit codes:"));
    for (size_t i = 0; i < COUNT_OF(exit_sentences); i++) {
        struct slice sentence = both_in(c->language, exit_sentences[i]);
        printf("  %zu  %.*s\n", i, (int)sentence.len, (const char *)sentence.at);
    }
}

static int no_such_command(const struct ctl *c, const char *word) {
    char near[LINE_BYTES];
    command_nearest(word, near);
    (void)fprintf(stderr, "whistlectl: %.60s: %s %s; whistlectl --help %s\n", word,
                  say(c, "没有这个命令；最接近的是", "no such command; the nearest is"), near, say(c, "列出全部", "lists them"));
    return CTL_USAGE;
}

static int run(struct ctl *c, int argc, char **argv) {
    int words;
    const struct command *command = command_find(argc, argv, &words);
    bool asks = argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0);
    if (!command && asks && print_family(c->language, argv[0]) == CTL_DONE)
        return CTL_DONE;
    if (!command)
        return no_such_command(c, argv[0]);
    c->line = command->line;
    int r = command->main(c, argc - words + 1, argv + words - 1);
    return r == ARGUMENTS_HELPED ? CTL_DONE : r;
}

/* Options of before the command; -1: go on at *ret_at. */
static int begin(struct ctl *c, int argc, char **argv, int *ret_at) {
    char problem[256];
    char *zone[] = {"whistlectl", "--zone", (char *)environment("WHISTLE_ZONE", "+08:00")};
    if (arguments_globals(c, COUNT_OF(zone), zone, ret_at, problem) != 0)
        return (void)fprintf(stderr, "whistlectl: $WHISTLE_ZONE: %s\n", problem), CTL_USAGE;
    if (c->by && !word_valid(slice_of(c->by), BY_BYTES_MAX))
        return (void)fprintf(stderr, say(c, "whistlectl: $WHISTLE_BY：“%.60s”不是工号：1 至 31 个 A-Z a-z 0-9 . _ -\n",
                                         "whistlectl: $WHISTLE_BY: \"%.60s\" is not a staff number: 1 to 31 of A-Z a-z "
                                         "0-9 . _ -\n"), c->by), CTL_USAGE;
    if (arguments_globals(c, argc, argv, ret_at, problem) != 0)
        return (void)fprintf(stderr, "whistlectl: %s\n", problem), CTL_USAGE;
    const char *word = *ret_at < argc ? argv[*ret_at] : "--help";
    if (strcmp(word, "--version") == 0)
        return puts("whistlectl " WHISTLED_VERSION), CTL_DONE;
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0) {
        int rest;                                        /* `--help --lang zh` is in Chinese */
        (void)arguments_globals(c, argc - *ret_at, argv + *ret_at, &rest, problem);
        return print_help(c), *ret_at < argc ? CTL_DONE : CTL_USAGE;
    }
    return -1;
}

int main(int argc, char **argv) {
    struct ctl c = {
        .front = environment("WHISTLE_FRONT", "ipc:///run/whistled/front"),
        .feed = environment("WHISTLE_FEED", "ipc:///run/whistled/feed"),
        .pool = environment("WHISTLE_POOL", "ipc:///run/whistled/pool"),
        .language = language_of_environment(), .wait_ms = 5000, .by = environment("WHISTLE_BY", login_name()),
    };
    int at = 1;
    crypto_init();
    int r = begin(&c, argc, argv, &at);
    if (r < 0)
        r = run(&c, argc - at, argv + at);
    ctl_done(&c);
    if (fflush(stdout) != 0 || ferror(stdout))
        return r == CTL_DONE ? CTL_FAULT : r;
    return r;
}
