/* arguments.h: what was typed. */
#ifndef ARGUMENTS_H
#define ARGUMENTS_H
#include "daemon/daemon.h"

struct arguments { bool check, print_config, help, version, drill; const char *file; };

/* Fills settings from defaults, the file and --name value pairs. 0, or an exit status with the words already said on
 * stderr. */
int arguments_read(int argc, char **argv, struct arguments *a, struct settings *s);
void arguments_help(void);
#endif
