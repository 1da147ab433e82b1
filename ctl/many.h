/* many.h: many cases at once: which, what is to be done, what came of it.
 *
 *   filter      what the command line asks for           --where state=handling --where older-than=30d
 *   selection   the cases that it names now, by id, with the cursor they stood at
 *   plan        a selection and what is to be done with it: a file that two persons look at
 *   outcome     done, done before, refused and why
 *
 *   M1  a batch's id is made of the instant and of the plan's hash: a plan that was changed afterwards is seen.
 *   M2  a case's command id is made of (batch, case): whoever goes on after a kill repeats, and nothing counts twice.
 *   M3  the cursor is the plan's: what has moved on since is refused, never done blindly. */
#ifndef CTL_MANY_H
#define CTL_MANY_H
#include "ctl/ctl.h"
#include "daemon/kernel/batch.h"
#include "lib/crypto/crypto.h"

enum { NUMBER_BYTES_MAX = 32, PLAN_BYTES_MAX = 16 << 20 };

/* ---- which (many.c) ---------------------------------------------------------------------------------------------- */

struct filter {
    uint64_t prefix;                              /* 0: everywhere */
    int64_t older_ms;                             /* opened at least so long ago */
    const char *category, *party;                 /* of an open ask; NULL: any */
    int state;                                    /* STATE_NONE: any */
    bool overdue;
};
/* Each is an argument like any other, without its dashes. */
extern const struct argument filter_conditions[];
extern const size_t filter_conditions_count;
/* `--where` words, such as prefix=610402006: 0; CTL_USAGE: problem says which, and what would be right. */
int filter_parse(const struct ctl *c, const struct texts *words, struct filter *ret, char problem[static 256]);
bool filter_takes(const struct filter *f, const PbCaseView *v, int64_t now_ms);

struct chosen { uint64_t case_id; uint32_t stage, attempt; char number[NUMBER_BYTES_MAX]; };
struct selection { struct chosen *at; uint32_t count; };    /* ascending ids, each once; BATCH_CASES_MAX at most */

/* The open cases that the filter takes, or those of a file of numbers and ids, a line each; an exit code, said. rows:
 * each is added to it; may be NULL. */
int selection_of_filter(struct ctl *c, const struct filter *f, struct sheet *rows, struct selection *ret);
int selection_of_file(struct ctl *c, const char *path, struct sheet *rows, struct selection *ret);
void selection_one(const PbCaseView *v, struct selection *ret);
struct hash selection_digest(const struct selection *s);            /* as AskBatch has it */
void selection_free(struct selection *s);

/* ---- what came of it (many.c) ------------------------------------------------------------------------------------ */

struct outcome {
    uint32_t done, before, refused;
    bool over;                                    /* the whole batch was refused: nothing more is sent */
    struct sheet *refusals;
};
void outcome_open(struct outcome *o, const struct ctl *c);
void outcome_add(struct outcome *o, const struct ctl *c, const struct chosen *k, const PbReply *reply);
int outcome_close(struct outcome *o, const struct ctl *c);          /* prints; CTL_DONE, or CTL_REFUSED */

/* ---- what is to be done (plan.c) --------------------------------------------------------------------------------- */

struct plan {
    PbBatchVerb verb;
    struct texts to;                              /* reassign: who is asked; hand-over: the one who takes over */
    const char *from, *text, *category;
    int urgency, wall;
    struct selection cases;
    char *memory;                                 /* what the texts point into, once it was read from a file */
};
/* As a file has it; malloced. */
char *plan_print(const struct plan *p, size_t *ret_len);
/* NULL problem line 0: well. Otherwise the line and what is wrong with it. text is kept and written to. */
int plan_parse(const struct ctl *c, char *text, size_t len, struct plan *ret, uint32_t *ret_line,
               char problem[static 256]);
void plan_id(uint8_t to[COMMAND_ID_SIZE], int64_t at_ms, struct slice text);          /* M1 */
bool plan_has_id(const uint8_t id[COMMAND_ID_SIZE], struct slice text);
void plan_case_id(uint8_t to[COMMAND_ID_SIZE], const uint8_t batch[COMMAND_ID_SIZE], uint64_t case_id);   /* M2 */
void plan_free(struct plan *p);
#endif
