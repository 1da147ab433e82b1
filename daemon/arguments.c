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

/* --lease-ms -> lease_ms */
static int set_flag(const char *flag, const char *value, struct settings *s) {
    char name[64], advice[160];
    const char *near = NULL;
    size_t len = strlen(flag + 2);
    if (len == 0 || len >= sizeof name) return wrong("no such flag", flag, NULL);
    for (size_t i = 0; i <= len; i++) name[i] = flag[2 + i] == '-' ? '_' : flag[2 + i];
    int r = option_set(settings_table, settings_count, s, slice_of(name), slice_of(value ? value : ""), &near);
    if (r == -ENOENT) {
        snprintf(advice, sizeof advice, "the nearest is --%s (with - or _)", near ? near : "data");
        return wrong("no such flag", flag, advice);
    }
    if (!value) return wrong("needs a value", flag, NULL);
    if (r == -ERANGE) return wrong("the value is out of bounds", flag, "whistled --print-config shows them");
    if (r < 0) return wrong("the value cannot be read", flag, "whistled --print-config shows what it looks like");
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

static bool *word_at(struct arguments *a, size_t word) {
    return (bool *)((char *)a + argument_words[word].at);
}

int arguments_read(int argc, char **argv, struct arguments *a, struct settings *s) {
    options_default(settings_table, settings_count, s);
    for (int i = 1; i < argc; i++)                    /* the file first, so that flags win */
        if (argv[i][0] != '-' && (i == 1 || strncmp(argv[i - 1], "--", 2) != 0)) a->file = argv[i];
    int r = a->file ? read_file(a->file, s) : 0;
    for (int i = 1; r == 0 && i < argc; i++) {
        bool known = argv[i] == a->file;
        for (size_t w = 0; w < argument_words_count; w++)
            if (strcmp(argv[i], argument_words[w].name) == 0) known = *word_at(a, w) = true;
        if (known) continue;
        if (strncmp(argv[i], "--", 2) != 0) return wrong("what is this?", argv[i], "one settings file, then --flags");
        r = set_flag(argv[i], i + 1 < argc ? argv[i + 1] : NULL, s);
        i++;
    }
    log_threshold = s->debug ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO;
    return r;
}
