/* ctl.h: whistlectl, the broker's words for people and for scripts. One process, one subcommand, then it exits.
 *
 *   main      reads the global options into struct ctl, finds the command in the table, calls its main
 *   a command arguments_read   its own options, by table, into a struct of its own
 *             ctl_call         one question, one answer; what it may not answer is said here, once
 *             table_* ctl_json what came, for people or for programs
 *
 *   X1  stdout carries the answer, stderr everything else: with --json stdout is JSON and nothing but.
 *   X2  the exit code says what happened (enum ctl_exit); no code means two things.
 *   X3  no locale is asked: text is UTF-8, widths come from table.c, instants are shown in the office's zone. */
#ifndef CTL_H
#define CTL_H
#include "lib/base/base.h"
#include "lib/client/whistle.h"
#include "lib/codec/codec.h"

enum ctl_exit {
    CTL_DONE = 0,
    CTL_REFUSED = 1,                              /* by the broker; or verified, and not equal */
    CTL_USAGE = 2,
    CTL_UNREACHABLE = 3,                          /* no broker there; or a store that is in use */
    CTL_DAMAGED = 4,
    CTL_UNKNOWN = 5,                              /* sent, and no answer in time: the outcome is unknown */
    CTL_FAULT = 6,                                /* of this machine: no memory, no disk, no permission */
};

enum language { LANGUAGE_EN, LANGUAGE_ZH };

struct ctl {
    const char *front, *feed, *pool;              /* endpoints */
    bool json;
    bool drill;                                   /* once ctl_call has met a drill store: screens say so */
    enum language language;
    int zone_s;                                   /* east of Greenwich */
    int wait_ms;                                  /* for one answer */
    struct whistle_client *client;                /* opened by the first ctl_call */
};

/* One subcommand. argv[0] is its name. Returns an enum ctl_exit. */
int report_main(struct ctl *c, int argc, char **argv);
int answer_main(struct ctl *c, int argc, char **argv);
int dispatch_main(struct ctl *c, int argc, char **argv);
int escalate_main(struct ctl *c, int argc, char **argv);
int reject_main(struct ctl *c, int argc, char **argv);
int note_main(struct ctl *c, int argc, char **argv);
int show_main(struct ctl *c, int argc, char **argv);
int list_main(struct ctl *c, int argc, char **argv);
int watch_main(struct ctl *c, int argc, char **argv);
int status_main(struct ctl *c, int argc, char **argv);
int drill_main(struct ctl *c, int argc, char **argv);
int verify_main(struct ctl *c, int argc, char **argv);
int replay_main(struct ctl *c, int argc, char **argv);
int recover_main(struct ctl *c, int argc, char **argv);

/* ---- arguments (arguments.c) ------------------------------------------------------------------------------------- */

enum argument_type {
    ARGUMENT_FLAG,                                /* bool: --quiet */
    ARGUMENT_TEXT,                                /* const char *, borrowed from argv; UTF-8 */
    ARGUMENT_NUMBER,                              /* uint64_t */
    ARGUMENT_SPAN,                                /* int64_t milliseconds, from 500ms 30s 5min 2h 1d */
    ARGUMENT_INSTANT,                             /* int64_t UTC milliseconds; without Z: in the office's zone */
    ARGUMENT_DIVISION,                            /* uint64_t, a code of 2 4 6 9 12 15 digits */
    ARGUMENT_DIVISIONS,                           /* struct divisions, may be repeated */
    ARGUMENT_ID,                                  /* struct command_id, 32 hexadecimal digits */
    ARGUMENT_ZONE,                                /* int seconds east: +08:00, -05:00, UTC */
    ARGUMENT_LANGUAGE,                            /* enum language: zh, en */
};
enum { ARGUMENTS_MAX = 24 };
struct divisions { uint64_t at[WHISTLE_PREFIXES_MAX]; unsigned count; };
struct command_id { uint8_t byte[COMMAND_ID_SIZE]; bool given; };

struct argument {
    const char *name;                             /* "--division"; without dashes: given by its place, in table order */
    const char *value;                            /* what help calls the value: "CODE"; NULL for a flag */
    enum argument_type type;
    size_t offset;                                /* in the struct that is filled */
    const char *sentence;                         /* for help */
    bool must;
};
struct command_line {
    const char *name, *sentence;                  /* "report", "Reports something that happened." */
    const struct argument *table;
    size_t count;
    const char *more;                             /* printed below the options by --help; may be NULL */
};

/* Fills *into from argv[1..], which is zeroed or holds the defaults. Global options are taken anywhere, into *c.
 * CTL_DONE: go on. ARGUMENTS_HELPED: --help was asked for and printed: return CTL_DONE. CTL_USAGE: it was said what is
 * wrong, and what would be right. */
enum { ARGUMENTS_HELPED = -1 };
int arguments_read(struct ctl *c, const struct command_line *line, int argc, char **argv, void *into);
/* The same without printing, for tests: problem is what is wrong in one line. */
int arguments_parse(struct ctl *c, const struct command_line *line, int argc, char **argv, void *into,
                    char problem[static 256]);
/* The global options alone, until the first word that is none; *ret_index is that word's place. */
int arguments_globals(struct ctl *c, int argc, char **argv, int *ret_index, char problem[static 256]);
void arguments_print_globals(void);
/* Says on stderr what is wrong with a command line; gives CTL_USAGE. */
int usage(const char *command, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- talking to the broker (call.c) ------------------------------------------------------------------------------ */

/* One command, one answer, within c->wait_ms. CTL_DONE: *ret (borrowed until the next call) is what was asked for.
 * Anything else was said on stderr (with --json a refusal is an object on stdout): CTL_REFUSED, CTL_UNREACHABLE (nothing
 * was ever heard), CTL_UNKNOWN. */
int ctl_call(struct ctl *c, PbEnvelope *envelope, const PbReply **ret);
/* CASE|NUMBER into a question; the story's page after that seq. CTL_USAGE when it is neither. */
int case_question(const char *word, PbShowCase *to, const char *command);
void ctl_done(struct ctl *c);                     /* closes what ctl_call opened */

/* ---- tables (table.c) -------------------------------------------------------------------------------------------- */

/* Columns of text, aligned by what a terminal shows: CJK counts two, combining marks none. Memory is bounded: a cell is
 * cut at TABLE_CELL_WIDTH columns with an ellipsis, rows past TABLE_ROWS_MAX are dropped and counted. */
enum { TABLE_COLUMNS_MAX = 12, TABLE_ROWS_MAX = 4096, TABLE_CELL_WIDTH = 60 };
enum alignment { ALIGN_LEFT, ALIGN_RIGHT };
struct table;
void table_open(struct table **ret, unsigned columns);
void table_align(struct table *t, unsigned column, enum alignment a);        /* ALIGN_LEFT unless told */
void table_cell(struct table *t, const char *format, ...) __attribute__((format(printf, 2, 3)));    /* the next one */
/* Prints header (the first row) and rows to `to` (a FILE), two spaces between columns; closes. */
void table_close(struct table *t, void *to);
void table_write(struct table *t, char *to, size_t cap);                     /* the same into memory, for tests */
unsigned text_width(const char *text);                                       /* in columns of a terminal */

/* ---- words (words.c): each has zh and en; never NULL ------------------------------------------------------------- */

const char *word_state(enum language l, PbState s);
const char *word_level(enum language l, PbLevel v);
const char *word_cause(enum language l, PbCause cause);
const char *word_timer(enum language l, PbTimerKind k);
const char *word_urgency(enum language l, PbUrgency u);
const char *word_wall(enum language l, PbWall w);
const char *word_answer(enum language l, PbAnswerKind k);
const char *word_fate(enum language l, PbAnswerFate f);
const char *word_offer_end(enum language l, PbOfferEnd e);
const char *word_unit(PbUnit u);                                             /* wh, wd, ...: the same in both */
const char *word_ask(enum language l, const char *status);                   /* of AskView.status */
static inline const char *say(const struct ctl *c, const char *zh, const char *en) {
    return c->language == LANGUAGE_ZH ? zh : en;
}

/* ---- showing (print.c, story.c, json_out.c) ---------------------------------------------------------------------- */

enum { PRINTED_BYTES = 64, LINE_BYTES = 1024 };
void print_instant(const struct ctl *c, int64_t ms, char to[static PRINTED_BYTES]);   /* 2026-02-14 09:30:05 */
void print_span(const struct ctl *c, int64_t ms, char to[static PRINTED_BYTES]);      /* 3 h 12 min; never negative */
void print_limit(const PbLimit *l, char to[static PRINTED_BYTES]);                    /* 2wh; - when there is none */
void print_drill_banner(const struct ctl *c);                                         /* 演练 DRILL, when it is one */
/* One event in people's words, without instant and number. */
void story_words(const struct ctl *c, const PbEvent *e, char to[static LINE_BYTES]);
/* "09:30:05  <words>" for each event, one line each, to stdout; the date when it changes from *last_day. */
void story_print(const struct ctl *c, const PbUpdate *u, bool with_case);
/* One line of JSON to stdout, flushed. */
void json_print(enum codec_type type, const void *message);
#endif
