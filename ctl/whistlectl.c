/* whistlectl.c: the table of commands, and the surroundings they start in. */
#include "ctl/ctl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef WHISTLED_VERSION
#define WHISTLED_VERSION "0.1.0"
#endif

static const struct command {
    const char *name;
    int (*main)(struct ctl *c, int argc, char **argv);
    const char *sentence;
} commands[] = {
    {"report", report_main, "reports something that happened"},
    {"answer", answer_main, "answers for a party that was asked: accept, done, decline"},
    {"show", show_main, "tells a case's story: who was asked, who is silent, why it went where it went"},
    {"list", list_main, "lists open cases"},
    {"watch", watch_main, "shows what happens, as it happens"},
    {"status", status_main, "says how the broker is"},
    {"dispatch", dispatch_main, "asks parties to deal with a case, for its desk"},
    {"escalate", escalate_main, "takes a case to the next level up"},
    {"reject", reject_main, "ends a case that is not this office's"},
    {"note", note_main, "leaves a note in a case's story"},
    {"drill", drill_main, "plays a year against a drill broker"},
    {"verify", verify_main, "checks a resting store, byte by byte"},
    {"replay", replay_main, "prints a resting store's journal"},
    {"recover", recover_main, "makes a resting store fit to start"},
    {"backup", backup_main, "copies a store, while it lives or rests"},
    {"restore", restore_main, "makes a store of a backup, or of a followed journal"},
    {"journal", journal_main, "follows a journal onto another machine, or looks at one"},
    {"emergency-grow", emergency_grow_main, "gives a full disk its reserve back"},
    {"purge", purge_main, "takes what is old enough out of a resting store's journal"},
};

static const char *environment(const char *name, const char *otherwise) {
    const char *value = getenv(name);
    return value && *value ? value : otherwise;
}

static enum language language_of_environment(void) {
    const char *value = environment("LC_ALL", environment("LC_MESSAGES", environment("LANG", "C")));
    return strncmp(value, "zh", 2) == 0 ? LANGUAGE_ZH : LANGUAGE_EN;
}

static void print_help(void) {
    puts("whistlectl: the broker's words, for people and for scripts\n"
         "\n"
         "  whistlectl [OPTION]... COMMAND [ARGUMENT]...\n"
         "\n"
         "Commands (whistlectl COMMAND --help says more):");
    for (size_t i = 0; i < COUNT_OF(commands); i++)
        printf("  %-14s %s\n", commands[i].name, commands[i].sentence);
    arguments_print_globals();
    puts("\n"
         "Exit codes: 0 done; 1 refused by the broker (verify: it differs); 2 the command line is wrong; 3 nobody\n"
         "there to ask, or the store is in use; 4 damaged data; 5 no answer in time, the outcome is unknown: repeat\n"
         "it with --id; 6 this machine failed.");
}

static int no_such_command(const char *word) {
    struct option_spec names[COUNT_OF(commands)] = {{.name = NULL}};
    const char *near = NULL;
    for (size_t i = 0; i < COUNT_OF(commands); i++)
        names[i].name = commands[i].name;
    (void)option_set(names, COUNT_OF(names), NULL, slice_of(word), SLICE(""), &near);
    (void)fprintf(stderr, "whistlectl: %.60s: no such command; the nearest is %s; whistlectl --help lists them\n", word,
                  near);
    return CTL_USAGE;
}

static int run(struct ctl *c, int argc, char **argv) {
    for (size_t i = 0; i < COUNT_OF(commands); i++)
        if (strcmp(argv[0], commands[i].name) == 0)
            return commands[i].main(c, argc, argv);
    return no_such_command(argv[0]);
}

/* Options of before the command; -1: go on at *ret_at. */
static int begin(struct ctl *c, int argc, char **argv, int *ret_at) {
    char problem[256];
    char *zone[] = {"whistlectl", "--zone", (char *)environment("WHISTLE_ZONE", "+08:00")};
    if (arguments_globals(c, COUNT_OF(zone), zone, ret_at, problem) != 0)
        return (void)fprintf(stderr, "whistlectl: $WHISTLE_ZONE: %s\n", problem), CTL_USAGE;
    if (arguments_globals(c, argc, argv, ret_at, problem) != 0)
        return (void)fprintf(stderr, "whistlectl: %s\n", problem), CTL_USAGE;
    const char *word = *ret_at < argc ? argv[*ret_at] : "--help";
    if (strcmp(word, "--version") == 0)
        return puts("whistlectl " WHISTLED_VERSION), CTL_DONE;
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0)
        return print_help(), *ret_at < argc ? CTL_DONE : CTL_USAGE;
    return -1;
}

int main(int argc, char **argv) {
    struct ctl c = {
        .front = environment("WHISTLE_FRONT", "ipc:///run/whistled/front"),
        .feed = environment("WHISTLE_FEED", "ipc:///run/whistled/feed"),
        .pool = environment("WHISTLE_POOL", "ipc:///run/whistled/pool"),
        .language = language_of_environment(), .wait_ms = 5000,
    };
    int at = 1;
    int r = begin(&c, argc, argv, &at);
    if (r < 0)
        r = run(&c, argc - at, argv + at);
    ctl_done(&c);
    if (fflush(stdout) != 0 || ferror(stdout))
        return r == CTL_DONE ? CTL_FAULT : r;
    return r;
}
