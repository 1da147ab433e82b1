/* csv.h: CSV files, out and in (RFC 4180, UTF-8).
 *
 *   V1  what is written begins with a byte order mark, ends its lines with CR LF, and no cell begins with what a
 *       spreadsheet would calculate (= + - @, a tab, a return): such a cell gets an apostrophe before it.
 *   V2  what is read may begin with a mark and end its lines with LF alone; a quoted cell may have anything in it.
 *   V3  every row has as many cells as the first, and every line its number. */
#ifndef CTL_CSV_H
#define CTL_CSV_H
#include "lib/base/base.h"

#include <stdio.h>

enum { CSV_COLUMNS_MAX = 32 };

struct csv_out {
    FILE *file;
    bool begun;                                   /* a cell stands on this line already */
    bool plain;                                   /* for programs: lines end with LF, nothing gets an apostrophe */
};
void csv_begin(struct csv_out *o, FILE *file);    /* the mark */
void csv_cell(struct csv_out *o, struct slice text);
void csv_text(struct csv_out *o, const char *format, ...) __attribute__((format(printf, 2, 3)));
void csv_end(struct csv_out *o);                  /* of the line */

/* A row that was read: cells are borrowed from the file's bytes or, unquoted, from the room. */
struct csv_row { unsigned line, count; struct slice cell[CSV_COLUMNS_MAX]; };
struct csv_in { struct slice rest; unsigned line; struct arena *room; const char *problem; };
void csv_open(struct csv_in *in, struct slice bytes, struct arena *room);
/* 1: a row; 0: the end; -EBADMSG: in->problem (BOTH) says what is wrong, at row->line; the next call goes on behind
 * it. */
int csv_next(struct csv_in *in, struct csv_row *ret);
#endif
