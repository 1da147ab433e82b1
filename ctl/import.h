/* import.h: what another system knows, brought in from its CSV files.
 *
 *   import cases                              a line -> an Import, checked by the kernel's own decide, then sent
 *   import divisions | parties | categories   lines -> the rule set's own file, the whole set checked, then replaced
 *
 *   W1  nothing is sent or replaced before every line has been looked at. The first bad line stops it, by file, line
 *       and column; with --keep-going the good lines go and the others are listed, and the exit code says so.
 *   W2  what is there already is not brought in twice: a case's command id is made from (origin, number there). */
#ifndef CTL_IMPORT_H
#define CTL_IMPORT_H
#include "ctl/csv.h"
#include "ctl/ctl.h"
#include "daemon/kernel/kernel.h"

enum { IMPORT_FILE_BYTES_MAX = 256 << 20, IMPORT_LINES_MAX = 1 << 20, IMPORT_PROBLEMS_SHOWN_MAX = 1000 };

/* What is said of bad lines, and how many there were. */
struct import_report { const struct ctl *c; const char *file; uint64_t bad; };
void import_problem(struct import_report *r, unsigned line, const char *column, const char *what);  /* what: BOTH */

/* The file's bytes, borrowed until *ret_memory is freed. CTL_DONE, or it was said why not. */
int import_bytes(const struct ctl *c, const char *file, struct slice *ret, void **ret_memory);

/* ---- cases (import_row.c) ---------------------------------------------------------------------------------------- */

/* The columns of a file of cases, from its header. */
struct import_columns { unsigned count; uint8_t at[CSV_COLUMNS_MAX]; };
bool import_header(const struct csv_row *row, struct import_columns *ret, struct import_report *report);
/* One line as a command, in the room; NULL: it was reported. */
PbImport *import_case_of(struct ctl *c, const struct import_columns *columns, const struct csv_row *row,
                         struct arena *room, struct import_report *report);
/* Whether a broker with these rules would take it at that instant; else it is reported. */
bool import_case_fits(const PbImport *import, const PbRules *rules, uint32_t number, int64_t now_ms, const char *origin,
                      unsigned line, struct arena *room, struct import_report *report);
#endif
