/* check.h: how the checks of rules and playbooks say what is wrong, and where. Private to this folder.
 *
 * A check descends: each level is a `struct where` on the stack that knows the one it lies in. The first problem
 * ends it. */
#ifndef KERNEL_CHECK_H
#define KERNEL_CHECK_H
#include "daemon/kernel/kernel.h"

enum { NAME_BYTES_MAX = 47 };                 /* of a calendar, a playbook, a stage, a milestone */

struct where {
    const struct where *in;                   /* NULL: the top */
    const char *name;
    struct rules_problem *ret;
};

struct where where_in(const struct where *in, const char *name);

/* Fills in the problem and returns false, so that a check ends with `return WRONG(...)`. The words are put together
 * as they are. */
#define WRONG(at, ...) where_wrong((at), (const char *const[]){__VA_ARGS__, NULL})
bool where_wrong(const struct where *at, const char *const *words);

struct decimal { char text[24]; };
struct decimal decimal_of(uint64_t n);

const char *text_or_empty(const char *text);
bool text_is(const char *a, const char *b);   /* NULL is the empty text */
bool name_check(const struct where *at, const char *name, size_t bytes_max);

/* `least` <= amount <= what its unit allows. A limit that is absent is wrong only for limit_check. */
int64_t limit_amount_max(PbUnit unit);        /* -1: no such unit */
bool limit_check(const struct where *in, const char *name, const PbLimit *limit, int64_t least);
bool limit_check_optional(const struct where *in, const char *name, const PbLimit *limit, int64_t least);
/* False when `later` is certain not to end after `earlier`. Limits on different clocks only compare with a calendar. */
bool limit_may_follow(const PbLimit *earlier, const PbLimit *later);

/* The five tables of rules that are sorted by a text. */
enum rules_table { TABLE_CALENDARS, TABLE_CATEGORIES, TABLE_PLAYBOOKS, TABLE_ROLES, TABLE_PARTIES, TABLE_COUNT };
const char *table_name(enum rules_table t);
size_t table_size(const PbRules *r, enum rules_table t);
const char *table_key(const PbRules *r, enum rules_table t, size_t index);
bool role_slug_valid(struct slice slug);
/* Of rows that are sorted by a code, a uint64_t at that offset: how many have a lower one. */
size_t rows_before(const void *rows, size_t count, size_t code_at, uint64_t code);
#endif
