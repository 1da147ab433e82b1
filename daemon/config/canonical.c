/* canonical.c: the same rules are the same bytes, whatever the order of files and rows was. Tables are sorted by
 * key, lists whose order means something (stages, milestones, the departments of a duty, opening hours) are not. */
#include "daemon/config/reading.h"
#include "daemon/kernel/kernel.h"
#include "lib/codec/codec.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

typedef int order(const void *a, const void *b);

static int order_numbers(int64_t a, int64_t b) {
    return (a > b) - (a < b);
}

/* One comparison a table: elements are pointers to messages. */
#define ORDER_TEXT(name, type, field)                                            \
    static int name(const void *a, const void *b) {                             \
        const type *x = *(const type *const *)a, *y = *(const type *const *)b;  \
        return strcmp(x->field, y->field);                                      \
    }
#define ORDER_NUMBER(name, type, field)                                          \
    static int name(const void *a, const void *b) {                             \
        const type *x = *(const type *const *)a, *y = *(const type *const *)b;  \
        return order_numbers((int64_t)x->field, (int64_t)y->field);             \
    }

ORDER_TEXT(order_calendars, PbCalendar, name)
ORDER_TEXT(order_playbooks, PbPlaybook, name)
ORDER_TEXT(order_categories, PbCategory, code)
ORDER_TEXT(order_roles, PbRole, slug)
ORDER_NUMBER(order_divisions, PbDivision, code)
ORDER_NUMBER(order_days, PbDay, date)
ORDER_NUMBER(order_steps, PbZoneStep, from_ms)

static int order_parties(const void *a, const void *b) {
    const PbParty *x = *(const PbParty *const *)a, *y = *(const PbParty *const *)b;
    int by_party = strcmp(x->party, y->party);
    return by_party ? by_party : order_numbers(x->valid_from_ms, y->valid_from_ms);
}

static int order_managed(const void *a, const void *b) {
    const PbManagedBy *x = *(const PbManagedBy *const *)a, *y = *(const PbManagedBy *const *)b;
    int by_division = order_numbers((int64_t)x->division, (int64_t)y->division);
    return by_division ? by_division : order_numbers(x->valid_from_ms, y->valid_from_ms);
}

static int order_sources(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void sort(void *at, size_t count, order *by) {
    CHECK(at || count == 0);
    if (count > 1)
        qsort(at, count, sizeof(void *), by);
}

void rules_sort(PbRules *rules) {
    CHECK(rules);
    sort(rules->calendars, rules->n_calendars, order_calendars);
    sort(rules->playbooks, rules->n_playbooks, order_playbooks);
    sort(rules->categories, rules->n_categories, order_categories);
    sort(rules->divisions, rules->n_divisions, order_divisions);
    sort(rules->roles, rules->n_roles, order_roles);
    sort(rules->parties, rules->n_parties, order_parties);
    sort(rules->managed_by, rules->n_managed_by, order_managed);
    sort(rules->promise_sources, rules->n_promise_sources, order_sources);
    for (size_t i = 0; i < rules->n_calendars; i++) {
        sort(rules->calendars[i]->days, rules->calendars[i]->n_days, order_days);
        sort(rules->calendars[i]->steps, rules->calendars[i]->n_steps, order_steps);
    }
}

int config_canonical(PbRules *rules, struct arena *room, struct slice *ret_bytes, struct hash *ret_hash) {
    CHECK(rules && room);
    rules_sort(rules);
    struct slice bytes = codec_packed(CODEC_RULES, rules, room);
    if (!bytes.at)
        return -ENOMEM;
    *ret_bytes = bytes;
    *ret_hash = hash_of(bytes);
    return 0;
}
