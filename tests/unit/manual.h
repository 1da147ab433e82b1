/* manual.h: the manual pages and the completion, made of their templates and of the programs' own tables.
 *
 *   a template   is copied line by line; a line `@commands@` becomes what the table of commands says
 *   marks        manual_ctl.c whistlectl's   manual_daemon.c whistled's and whistle-worker's   manual_case.c a case's
 *
 * Pages are in man(7). Source lines are broken at spaces, so that a change of one sentence changes one line or two. */
#ifndef MANUAL_H
#define MANUAL_H
#include <stdbool.h>
#include <stdio.h>

void manual_write(FILE *template, FILE *to, bool zh);

/* ---- roff (manual.c) --------------------------------------------------------------------------------------------- */

/* In what follows, where a font begins. */
#define BOLD "\x01"
#define ITALIC "\x02"
#define ROMAN "\x03"

/* What a paragraph is hung on, on one line; then the paragraph. Escaped, so that anything may be said. */
void roff_tag(FILE *to, const char *format, ...) __attribute__((format(printf, 2, 3)));
void roff_text(FILE *to, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- marks ------------------------------------------------------------------------------------------------------- */

void write_commands(FILE *to, bool zh);
void write_globals(FILE *to, bool zh);
void write_exits(FILE *to, bool zh);
void write_names(FILE *to, bool zh);              /* of the commands, for the completion */
void write_takes(FILE *to, bool zh);              /* what each takes, likewise */
void write_words(FILE *to, bool zh);
void write_settings(FILE *to, bool zh);
void write_flags(FILE *to, bool zh);
void write_story(FILE *to, bool zh);
void write_takes_beside(FILE *to, bool zh);       /* what the other programs take */
void write_states(FILE *to, bool zh);
void write_arrows(FILE *to, bool zh);
void write_refusals(FILE *to, bool zh);
#endif
