/* arguments.h: what was typed. */
#ifndef ARGUMENTS_H
#define ARGUMENTS_H
#include "daemon/daemon.h"

struct arguments { bool check, print_config, help, version, drill; const char *file; };

/* The words of the command line that have no value. */
struct argument_word {
    const char *name, *sentence;                  /* "--check" */
    size_t at;                                    /* the bool in struct arguments */
};
extern const struct argument_word argument_words[];
extern const size_t argument_words_count;

/* Fills settings from defaults, the file and --name value pairs. 0, or an exit status with the words already said on
 * stderr. */
int arguments_read(int argc, char **argv, struct arguments *a, struct settings *s);
void arguments_help(void);
#endif
