/* arguments.c: the command line. Every option of whistled.yaml is also a flag: --lease-ms 10s. */
#include "daemon/arguments.h"
#include "daemon/config/config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { EXIT_USAGE = 2 };

void arguments_help(void) {
    puts("whistled: takes in reports, gives each a deadline, and tells the next level up when nobody answers\n"
         "\n"
         "  whistled [FILE.yaml] [--OPTION VALUE]...\n");
    for (size_t i = 0; i < argument_words_count; i++)
        printf("  %-16s %s\n", argument_words[i].name, argument_words[i].sentence);
    puts("\nEvery option may be given as a flag: --data DIR, --config DIR, --front ENDPOINT, --lease-ms 30s ...");
}

static int wrong(const char *what, const char *argument, const char *advice) {
    fprintf(stderr, "whistled: %s: %s%s%s\n", argument, what, advice ? "; " : "", advice ? advice : "");
    fputs("whistled: see whistled --help\n", stderr);
    return EXIT_USAGE;
}

static bool is_flag(const char *argument) {
    return strncmp(argument, "--", 2) == 0;
}

/* The bool of --check and the like; NULL: it is none of them. */
static bool *word_find(struct arguments *a, const char *argument) {
    if (strcmp(argument, "-h") == 0) return &a->help;
    for (size_t i = 0; i < argument_words_count; i++)
        if (strcmp(argument, argument_words[i].name) == 0) return (bool *)((char *)a + argument_words[i].at);
    return NULL;
}

/* --name value and --name=value. *at stands on the flag, and behind it on its value. What begins with dashes is the
 * next flag, and no directory of that name. */
static const char *flag_value(int argc, char **argv, int *at) {
    const char *equals = strchr(argv[*at], '=');
    if (equals) return equals + 1;
    return *at + 1 < argc && !is_flag(argv[*at + 1]) ? argv[++*at] : NULL;
}

/* --lease-ms -> lease_ms */
static int set_flag(const char *flag, const char *value, struct settings *s) {
    char name[64], advice[OPTION_RIGHT_BYTES];
    const char *near = NULL;
    size_t len = strcspn(flag + 2, "=");
    if (len == 0 || len >= sizeof name) return wrong("no such flag", flag, NULL);
    for (size_t i = 0; i < len; i++) name[i] = flag[2 + i] == '-' ? '_' : flag[2 + i];
    struct slice option = {(const uint8_t *)name, len};
    int r = option_set(settings_table, settings_count, s, option, slice_of(value ? value : ""), &near);
    if (r == -ENOENT) {
        snprintf(advice, sizeof advice, "the nearest is --%s (with - or _)", near ? near : "data");
        return wrong("no such flag", flag, advice);
    }
    option_right(settings_table, settings_count, option, advice);
    if (!value) return wrong("needs a value", flag, advice);
    if (r == -ERANGE) return wrong("the value is out of bounds", flag, advice);
    if (r < 0) return wrong("the value cannot be read", flag, advice);
    return 0;
}

static int read_file(const char *file, struct settings *s) {
    struct config_error e;
    char line[CONFIG_ERROR_BYTES];
    int r = config_settings(file, settings_table, settings_count, s, &e);
    if (r == 0) return 0;
    fprintf(stderr, "whistled: %s\n", config_error_line(&e, line));
    return EXIT_USAGE;
}

int arguments_read(int argc, char **argv, struct arguments *a, struct settings *s) {
    options_default(settings_table, settings_count, s);
    for (int i = 1; i < argc; i++) {                  /* the file first, so that flags win */
        if (word_find(a, argv[i])) continue;
        if (is_flag(argv[i])) (void)flag_value(argc, argv, &i);
        else if (!a->file && argv[i][0] != '-') a->file = argv[i];
    }
    int r = a->file ? read_file(a->file, s) : 0;
    for (int i = 1; r == 0 && i < argc; i++) {
        const char *argument = argv[i];
        bool *word = word_find(a, argument);
        if (word) *word = true;
        else if (is_flag(argument)) r = set_flag(argument, flag_value(argc, argv, &i), s);
        else if (argument != a->file) r = wrong("not understood", argument, "give one settings file and --flags");
    }
    log_threshold = s->debug ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO;
    return r;
}
