/* ctl.h: whistlectl, the broker's words for people and for scripts. One process, one subcommand, then it exits.
 *
 *   main      reads the global options into struct ctl, finds the command in the table, calls its main
 *   a command arguments_read   its own options, by table, into a struct of its own
 *             ctl_call         one question, one answer; what it may not answer is said here, once
 *             sheet_* json_*  what came, for people or for programs
 *
 *   X1  stdout carries the answer, stderr everything else: with --json stdout is JSON and nothing but.
 *   X2  the exit code says what happened (enum ctl_exit); no code means two things.
 *   X3  no locale is asked: text is UTF-8, widths come from sheet.c, instants are shown in the office's zone. */
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
    const char *by;                               /* who sits here, by staff number; NULL: not known */
    const struct command_line *line;              /* which command this is */
    int zone_s;                                   /* east of Greenwich */
    int wait_ms;                                  /* for one answer */
    int64_t now_ms;                               /* broker time and its last seq, as told when ctl_call opened */
    uint64_t first_seq, durable_seq;              /* of the journal there */
    struct whistle_client *client;                /* opened by the first ctl_call */
};

/* ---- arguments (arguments.c) ------------------------------------------------------------------------------------- */

enum argument_type {
    ARGUMENT_FLAG,                                /* bool: --quiet */
    ARGUMENT_TEXT,                                /* const char *, borrowed from argv; UTF-8 */
    ARGUMENT_TEXTS,                               /* struct texts, may be repeated */
    ARGUMENT_NUMBER,                              /* uint64_t */
    ARGUMENT_WAIT,                                /* int milliseconds, up to a day */
    ARGUMENT_SPAN,                                /* int64_t milliseconds, from 500ms 30s 5min 2h 1d */
    ARGUMENT_INSTANT,                             /* int64_t UTC milliseconds; without Z: in the office's zone */
    ARGUMENT_DIVISION,                            /* uint64_t, a code of 2 4 6 9 12 15 digits */
    ARGUMENT_DIVISIONS,                           /* struct divisions, may be repeated */
    ARGUMENT_ID,                                  /* struct command_id, 32 hexadecimal digits */
    ARGUMENT_ZONE,                                /* int seconds east: +08:00, -05:00, UTC */
    ARGUMENT_LANGUAGE,                            /* enum language: zh, en */
    ARGUMENT_WORD,                                /* const char *: a staff number, no name and no sentence */
    ARGUMENT_LIMIT,                               /* PbLimit: 3wd 8wh 30cd */
    ARGUMENT_EVIDENCE,                            /* struct evidences, may be repeated: SHA256[=URL] */
    /* int: one of a few words, in English or in Chinese (choices.c) */
    ARGUMENT_LEVEL, ARGUMENT_STATE, ARGUMENT_WALL, ARGUMENT_URGENCY, ARGUMENT_ANSWER, ARGUMENT_REJECTION,
    ARGUMENT_STAY, ARGUMENT_AUTHORITY, ARGUMENT_OPINION, ARGUMENT_SWITCH,
    ARGUMENT_TYPES
};
/* The words of such a type, for reading, help and completion; NULL: the type is none of those. */
struct choice { const char *word, *zh; int value; };
const struct choice *choices_of(enum argument_type type, size_t *ret_count);

/* A sentence in both languages as one literal, for the tables. One without a separator is said in both as it is. */
#define BOTH(zh, en) en "\x1F" zh
struct slice both_in(enum language l, const char *both);
enum { ARGUMENTS_MAX = 24, TEXTS_MAX = 16, EVIDENCES_MAX = 8 };
struct evidences {                                /* zeroed; *list[i] is at[i] once evidence_list said so */
    PbEvidence at[EVIDENCES_MAX], *list[EVIDENCES_MAX];
    uint8_t sha256[EVIDENCES_MAX][32];
    unsigned count;
};
PbEvidence **evidence_list(struct evidences *e);
struct texts { const char *at[TEXTS_MAX]; unsigned count; };
struct divisions { uint64_t at[WHISTLE_PREFIXES_MAX]; unsigned count; };
struct command_id { uint8_t byte[COMMAND_ID_SIZE]; bool given; };

struct argument {
    const char *name;                             /* "--division"; without dashes: given by its place, in table order */
    const char *value;                            /* what help calls the value: "CODE"; NULL for a flag */
    enum argument_type type;
    size_t offset;                                /* in the struct that is filled */
    const char *sentence;                         /* for help: BOTH */
    bool must;
};
/* Arguments that many commands have. */
#define CASE_ARGUMENT(offset) \
    {"CASE", NULL, ARGUMENT_TEXT, offset, BOTH("案件的序号或编号", "a case's id or number"), true}
#define ID_ARGUMENT(offset) \
    {"--id", "HEX", ARGUMENT_ID, offset, \
     BOTH("重发结果不明的命令", "repeat an earlier command whose outcome is unknown"), false}

#define EVIDENCE_ARGUMENT(offset) \
    {"--evidence", "SHA256[=URL]", ARGUMENT_EVIDENCE, offset, \
     BOTH("照片或文件：其 SHA-256，以及存放处；可重复", "a photo or paper: its SHA-256, and where it is; may be repeated"), false}

struct command_line {
    const char *name, *sentence;                  /* "report" or, one of a family, "extend ask"; BOTH */
    const struct argument *table;
    size_t count;
    const char *more;                             /* printed below the options by --help: BOTH; may be NULL */
};

/* The arguments of c->line, from argv[1..] into *into, which is zeroed or holds the defaults. Global options are taken
 * anywhere, into *c. CTL_DONE: go on. Else give it back: ARGUMENTS_HELPED (--help was asked for and printed), or
 * CTL_USAGE (it was said what is wrong, and what would be right). */
enum { ARGUMENTS_HELPED = -1 };
int arguments_read(struct ctl *c, int argc, char **argv, void *into);
/* The same without printing, for tests: problem is what is wrong in one line. */
int arguments_parse(struct ctl *c, const struct command_line *line, int argc, char **argv, void *into,
                    char problem[static 256]);
/* One value into *into, as its argument says; 0 or CTL_USAGE. */
int argument_take(const struct ctl *c, const struct argument *a, const char *value, void *into,
                  char problem[static 256]);
/* The global options alone, until the first word that is no option, --help or --version; *ret_index is its place. */
int arguments_globals(struct ctl *c, int argc, char **argv, int *ret_index, char problem[static 256]);
void arguments_print_globals(enum language l);
extern const struct argument global_arguments[];
extern const size_t global_arguments_count;
bool hex_read(const char *digits, uint8_t *to, size_t bytes);    /* 2 × bytes digits; false: not all of them are */
/* Says on stderr what is wrong with the command line of c->line; gives CTL_USAGE. Both formats take the same. */
int usage(const struct ctl *c, const char *zh, const char *en, ...)
    __attribute__((format(printf, 2, 4), format(printf, 3, 4)));

/* ---- talking to the broker (call.c) ------------------------------------------------------------------------------ */

/* One command, one answer, within c->wait_ms. CTL_DONE: *ret (borrowed until the next call) is what was asked for.
 * Anything else was said on stderr (with --json a refusal is an object on stdout): CTL_REFUSED, CTL_UNREACHABLE
 * (nothing was ever heard), CTL_UNKNOWN. */
int ctl_call(struct ctl *c, PbEnvelope *envelope, const PbReply **ret);
/* The same, where a refusal is an answer like others: nothing is said of it. */
int ctl_try(struct ctl *c, PbEnvelope *envelope, const PbReply **ret);
int64_t id_instant(const uint8_t id[COMMAND_ID_SIZE]);   /* when it was drawn: the milliseconds of a UUIDv7 */
void id_print(const uint8_t id[COMMAND_ID_SIZE], char to[static 2 * COMMAND_ID_SIZE + 1]);
int ctl_open(struct ctl *c);                      /* the hello alone: c->now_ms, durable_seq, drill; the same codes */
/* One part of the broker's journal, for a follower and for a backup; the same codes. Borrowed until the next call. */
int ask_journal(struct ctl *c, const PbReadJournal *question, const PbJournalPart **ret);
/* CASE|NUMBER into a question. CTL_USAGE when it is neither. */
int case_question(const struct ctl *c, const char *word, PbShowCase *to);
/* The case without its story; the same codes as ctl_call. Borrowed until the next call. */
int ask_case(struct ctl *c, const char *word, const PbCaseView **ret);
/* A command under that id, or one of its own; prints what came of it. */
int command_send(struct ctl *c, PbEnvelope *e, struct command_id *id);
const char *endpoint_fault(const struct ctl *c, int r);   /* why nothing can be opened at an endpoint */
void ctl_done(struct ctl *c);                     /* closes what ctl_call opened */
/* Rules by their number, 0: those in force; the same codes (returns_rules.c). */
struct ctl_rules { uint32_t number; const PbRules *rules; };
int ask_rules(struct ctl *c, uint32_t number, struct ctl_rules *ret);     /* kept until the program ends */
/* A feed of everything is one of all provinces. */
void divisions_all(struct divisions *d);

/* ---- sheets (sheet.c) -------------------------------------------------------------------------------------------- */

/* Columns of text, aligned by what a terminal shows: CJK counts two, combining marks none. Memory is bounded: a cell is
 * cut at SHEET_CELL_WIDTH columns with an ellipsis, rows past SHEET_ROWS_MAX are dropped and counted. */
enum { SHEET_COLUMNS_MAX = 12, SHEET_ROWS_MAX = 4096, SHEET_CELL_WIDTH = 64 };
enum alignment { ALIGN_LEFT, ALIGN_RIGHT };
struct sheet;
void sheet_open(struct sheet **ret, unsigned columns);
void sheet_headed(const struct ctl *c, struct sheet **ret, const char *const *heads, unsigned columns);  /* BOTH */
void sheet_align(struct sheet *t, unsigned column, enum alignment a);        /* ALIGN_LEFT unless told */
void sheet_cell(struct sheet *t, const char *format, ...) __attribute__((format(printf, 2, 3)));    /* the next one */
/* Prints header (the first row) and rows to `to` (a FILE), two spaces between columns; closes. */
void sheet_close(struct sheet *t, void *to);                                 /* NULL: prints nothing */
void sheet_write(struct sheet *t, char *to, size_t cap);                     /* the same into memory, for tests */
unsigned text_width(const char *text);                                       /* in columns of a terminal */
/* What people wrote, made safe to show: nothing that moves the cursor or turns the text; cut at `columns`. */
void text_clean(const char *text, unsigned columns, char *to, size_t cap);

/* ---- words (words.c): each has zh and en; never NULL ------------------------------------------------------------- */

enum { PRINTED_BYTES = 96, LINE_BYTES = 1024 };

const char *word_state(enum language l, PbState s);
const char *word_level(enum language l, PbLevel v);
const char *word_cause(enum language l, PbCause cause);
/* With the limit that has passed; false: that cause has none. */
bool word_cause_within(enum language l, PbCause cause, const char *limit, char to[static PRINTED_BYTES]);
const char *word_timer(enum language l, PbTimerKind k);
const char *word_urgency(enum language l, PbUrgency u);
const char *word_wall(enum language l, PbWall w);
const char *word_answer(enum language l, PbAnswerKind k);
const char *word_fate(enum language l, PbAnswerFate f);
const char *word_authority(enum language l, PbAuthority a);
const char *word_opinion(enum language l, PbOpinion o);
const char *word_batch(enum language l, PbBatchVerb v);
const char *word_offer_end(enum language l, PbOfferEnd e);
const char *word_unit(PbUnit u);                                             /* wh, wd, ...: the same in both */
const char *word_ask(enum language l, const char *status);                   /* of AskView.status */
static inline const char *say(const struct ctl *c, const char *zh, const char *en) {
    return c->language == LANGUAGE_ZH ? zh : en;
}

/* ---- showing (print.c, story.c) ---------------------------------------------------------------------------------- */

void print_instant(const struct ctl *c, int64_t ms, char to[static PRINTED_BYTES]);   /* 2026-02-14 09:30:05 */
void print_zone(const struct ctl *c, char to[static PRINTED_BYTES]);                  /* +08:00 */
void print_span(const struct ctl *c, int64_t ms, char to[static PRINTED_BYTES]);      /* 3 h 12 min; without a sign */
void print_left(const struct ctl *c, int64_t due_ms, char to[static PRINTED_BYTES]);  /* 3 h 12 min left */
void print_bytes(uint64_t bytes, char to[static PRINTED_BYTES]);                      /* 12.5 MiB */
void print_limit(const PbLimit *l, char to[static PRINTED_BYTES]);                    /* 2wh; - when there is none */
void print_drill_banner(const struct ctl *c);                                         /* when it is one, for people */
/* The deadline that comes next: no reminder, none that stands still. NULL: none. */
const PbTimerView *next_limit(const PbCaseView *v);
void print_used(uint32_t percent, char to[static PRINTED_BYTES]);                      /* [#####.....]  52% */
/* A sheet of cases, a row each (list.c). */
void case_sheet(const struct ctl *c, struct sheet **ret);
void case_row(const struct ctl *c, struct sheet *t, const PbCaseView *v);
void json_print(enum codec_type type, const void *message);                           /* one line, flushed */
void json_text(const char *text);                                                     /* in quotes, escaped */
void json_print_at(const char *kind, uint64_t seq, enum codec_type type, const void *message);

/* A case's events in people's words. What a line says of an earlier one (which limit has passed, what a party is
 * called) is remembered here; zeroed, it remembers nothing. */
struct story {
    const struct ctl *c;
    const PbCaseView *names;                      /* whose asks know the parties' names; may be NULL */
    PbLimit limit[TIMER_TRANSFER + 1];            /* last armed, by PbTimerKind */
    const char *text;                             /* what was written at this update, opened; NULL: not known */
};
void story_words(struct story *s, const PbEvent *e, char to[static LINE_BYTES]);
#endif
