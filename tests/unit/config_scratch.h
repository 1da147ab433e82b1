/* config_scratch.h: a copy of config/qindu in a scratch directory, to be spoiled by one test and then thrown away. */
#ifndef CONFIG_SCRATCH_H
#define CONFIG_SCRATCH_H
#include "daemon/config/config.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

extern struct arena room;                     /* empty at the start of each test */
extern char scratch[200];                     /* the copy's directory */

int room_made(void **state);                  /* set-up and tear-down of a group of tests */
int room_freed(void **state);
int set_copied(void **state);                 /* of one test */
int set_removed(void **state);
#define ON_A_COPY(test) cmocka_unit_test_setup_teardown(test, set_copied, set_removed)

char *scratch_file(char to[static 512], const char *dir, const char *file);
void file_put(const char *file, const char *bytes, size_t size);
/* Replaces the first `from` after the first `after`; returns the line where the change begins. */
unsigned change(const char *file, const char *after, const char *from, const char *to);

PbRules *loaded(const char *dir);             /* or the test fails, with the error printed */
void config_refused(const char *file, unsigned line, const char *key, const char *what);  /* the copy is, and just so */
void expect_error(const struct config_error *error, const char *file, unsigned line, const char *key, const char *what);
#endif
