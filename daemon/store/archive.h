/* archive.h: a file that never changes again, copied so that the copy can be relied on. */
#ifndef ARCHIVE_H
#define ARCHIVE_H
#include "daemon/store/tables.h"

/* Copies from/name to to/name: synced, read back, compared, read-only, and only then under its name. 0 also when the
 * same bytes are there already; -EEXIST: others are. problem is set when it fails. */
int archive_file(int from, const char *name, int to, char problem[static STORE_PROBLEM_SIZE]);
#endif
