/* reading.h: how this folder reads files. For daemon/config/ only; others see config.h.
 *
 *   bytes -- yaml.c, csv.c --> nodes, each with its line -- reading.c, values.c, by tables of keys --> messages
 *
 * A row of a CSV file is a map whose keys are its columns, so one table of keys reads either. Every reader returns 0,
 * or -EINVAL after it has filled the error; nothing is printed here. While a map is read, its path
 * ("playbooks/incident/stages/street") is noted with file and line: what the kernel's checks find wrong later is told
 * to people at the line where they wrote it. */
#ifndef CONFIG_READING_H
#define CONFIG_READING_H
#include "daemon/config/config.h"
#include <stddef.h>

enum { PATH_BYTES_MAX = 160, KEYS_MAX = 64, MAP_KEYS_MAX = 1024 };

/* ---- nodes ----------------------------------------------------------------------------------------------------- */

enum node_kind { NODE_TEXT, NODE_LIST, NODE_MAP };

struct node {
    enum node_kind kind;
    unsigned line;                            /* of its key when it has one, else of its first byte; from 1 */
    unsigned count;                           /* items of a list, keys of a map */
    struct slice key, text;
    struct node *first, *next;                /* children in the order of the file */
};

const struct node *node_find(const struct node *map, const char *key);     /* NULL: not there */
void node_append(struct node *parent, struct node **last, struct node *child);

/* ---- the reading of one set ------------------------------------------------------------------------------------ */

struct note { struct note *next; const char *path, *file; unsigned line; };

struct reading {
    struct arena *room;
    struct config_error *error;
    const char *dir, *file;                   /* file: the one being read, as people should see it */
    char path[PATH_BYTES_MAX];
    struct note *notes;                       /* newest first */
    const struct node *stages;                /* of the playbook being read: what a stage's name means */
};

/* Fills the error and returns -EINVAL: `return fail(r, node, "...", ...)`. fail_at: when there is no node. */
int fail(struct reading *r, const struct node *node, const char *format, ...) __attribute__((format(printf, 3, 4)));
int fail_at(struct reading *r, unsigned line, struct slice key, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
struct shown { char text[48]; };
struct shown shown_of(struct slice text);     /* foreign text for an error: a piece of it, on one line */
void shown_line(char *to, size_t size, struct slice text);      /* the same, as long as fits */
int full(struct reading *r);                  /* the arena is: -ENOMEM, and the error says so */

/* The same when the file has been read long ago: where `path` was written. The longest noted path that `path` begins
 * with wins; what it says less than `path` becomes part of the sentence. */
int fail_noted(struct reading *r, const char *path, const char *what);
void path_note(struct reading *r, unsigned line);
size_t path_enter(struct reading *r, struct slice part);                   /* returns what path_leave wants */
void path_leave(struct reading *r, size_t length);

/* A file of the set: `name` is relative to the set's directory and may point into a sibling set
 * (../qindu/divisions.csv), no further. The file becomes r->file. */
bool file_name_stays(struct slice name);                                   /* what read_file lets through */
int file_bytes(struct reading *r, const char *name, struct slice *ret);
int yaml_nodes(struct reading *r, const char *file, struct node **ret);    /* one document; the door to libyaml */

/* ---- tables of keys -------------------------------------------------------------------------------------------- */

struct keyword;
typedef int value_reader(struct reading *r, const struct node *value, const struct keyword *key, void *at);

#define NO_FLAG SIZE_MAX
/* Where a value goes: AT(type, field) for pointers and plain structs, HAS(type, field) for protobuf's optional
 * scalars. */
#define AT(type, field)  .at = offsetof(type, field), .has = NO_FLAG
#define HAS(type, field) .at = offsetof(type, field), .has = offsetof(type, has_##field)
#define WHOLE            .at = 0, .has = NO_FLAG                     /* the reader fills several fields */

struct keyword {
    const char *name;
    value_reader *read;
    size_t at, has;
    bool required;
    const void *more;                         /* words of read_word, range of read_number */
};

int map_read(struct reading *r, const struct node *map, const struct keyword *keys, size_t count, void *into);
/* Lists: each item through `each`, which appends what it made. */
struct list { void **at; size_t count, cap; };
int list_push(struct reading *r, struct list *to, void *item);
typedef int item_reader(struct reading *r, const struct node *item, struct list *to);
int list_read(struct reading *r, const struct node *value, item_reader *each, struct list *to);
/* A CSV file: its header is checked against the keys, then each row is a map, handed to `each` under the path
 * name/(its field `id`). */
struct csv_table {
    const char *name, *id;
    const struct keyword *keys;
    size_t count;
    int (*each)(struct reading *r, const struct node *row, void *to);
};
int csv_load(struct reading *r, const char *file, const struct csv_table *t, void *to);
/* A YAML file that is one row of a table of the rules, under the path table/(its name). *ret: its map. */
int row_load(struct reading *r, const char *file, const char *table, const struct keyword *keys, size_t count,
             void *into, struct node **ret);

/* ---- values ---------------------------------------------------------------------------------------------------- */

struct word { const char *name; int value; };            /* ends with a NULL name */
struct range { uint32_t least, most; };

value_reader read_node;                       /* const struct node *: for later */
value_reader read_text;                       /* char *: one line, not empty */
value_reader read_file;                       /* char *: the name of a file that may be read */
value_reader read_slug;                       /* char *: a-z, 0-9 and -, at most 31 */
value_reader read_number;                     /* uint32_t within the range */
value_reader read_flag;                       /* protobuf_c_boolean: yes, no */
value_reader read_word;                       /* int-sized enum: one of the words */
value_reader read_code;                       /* uint64_t: a division's code */
value_reader read_limit;                      /* PbLimit *: 30cm 2ch 4wh 5wd 20cd 1cw 1mo */
value_reader read_date;                       /* uint32_t: 2026-02-14 as 20260214 */
value_reader read_instant;                    /* int64_t: 2015-03-08T07:00:00Z */
value_reader read_offset;                     /* int32_t seconds: "+08:00" */
value_reader read_tally;                      /* PbTally *: first, all, count 2 */

int window_item(struct reading *r, const struct node *item, struct list *to);      /* "08:30-12:00" -> PbWindow */
int word_value(struct reading *r, const struct node *at, struct slice text, const struct word *words, int *ret);
int limit_value(struct reading *r, const struct node *at, struct slice text, PbLimit **ret);
const char *unit_suffix(PbUnit unit);         /* "wd"; of what no file can say, "ms" */
bool slug_valid(struct slice s);
char *text_take(struct reading *r, struct slice s);      /* NULL: full */
char *text_print(struct reading *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
extern const struct word words_level[];

/* ---- parts of a set, in the order in which load.c reads them --------------------------------------------------- */

/* Lists of messages, but for departments: of what the categories' department names mean, and sources: of texts. */
struct parts {
    struct list calendars, playbooks, divisions, roles, parties, departments, categories, sources, managed;
};
struct department { const char *name; char *role; };      /* one name may stand for several roles */
struct grids { uint32_t each; const struct node *more; };

int calendar_load(struct reading *r, const char *file, struct parts *to);
int playbook_load(struct reading *r, const char *file, struct parts *to);
int divisions_load(struct reading *r, const char *file, const struct grids *grids, uint64_t district, struct parts *to);
int roles_load(struct reading *r, const char *file, struct parts *to);
int departments_load(struct reading *r, const char *file, struct parts *to);
int categories_load(struct reading *r, const char *file, const char *playbook, struct parts *to);

void rules_sort(PbRules *rules);              /* by key, so that the same rules are the same bytes */
#endif
