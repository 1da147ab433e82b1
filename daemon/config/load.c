/* load.c: a directory -> PbRules. office.yaml says which files follow; they are read in the order in which they
 * need each other. */
#include "daemon/config/reading.h"
#include "daemon/kernel/kernel.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { RULES_FORMAT = 1 };

/* office.yaml as it is written. */
struct office {
    uint32_t format;
    uint64_t district;
    char *name, *calendar, *playbook, *divisions, *categories, *departments, *roles;
    const struct node *calendars, *playbooks, *promise_sources, *managed_by;
    struct grids grids;
};

/* ---- office.yaml ----------------------------------------------------------------------------------------------- */

static const struct range grids_range = {0, 999};

static int grids_more_read(struct reading *r, const struct node *value, const struct keyword *key, void *at) {
    static const struct keyword community = {.name = "community"}, count = {.name = "grids", .more = &grids_range};
    CHECK(key->has == NO_FLAG);
    if (value->kind != NODE_MAP)
        return fail(r, value, "must be a mapping of community codes to numbers of grids");
    for (const struct node *n = value->first; n; n = n->next) {
        uint64_t code = 0;
        uint32_t grids;
        struct node name = {.line = n->line, .key = n->key, .text = n->key};
        int e = read_code(r, &name, &community, &code);
        if (e == 0 && division_level(code) != LEVEL_COMMUNITY)
            e = fail(r, n, "is no community's code");
        e = e ? e : read_number(r, n, &count, &grids);
        if (e)
            return e;
        size_t mark = path_enter(r, n->key);
        path_note(r, n->line);
        path_leave(r, mark);
    }
    *(const struct node **)at = value;
    return 0;
}

static int grids_read(struct reading *r, const struct node *value, const struct keyword *key, void *at) {
    static const struct keyword keys[] = {
        {"each", read_number, AT(struct grids, each), .required = true, .more = &grids_range},
        {"but", grids_more_read, AT(struct grids, more)},
    };
    CHECK(key->has == NO_FLAG);
    return map_read(r, value, keys, COUNT_OF(keys), at);
}

static const struct range format_range = {RULES_FORMAT, RULES_FORMAT};

static const struct keyword office_keys[] = {
    {"format", read_number, AT(struct office, format), .required = true, .more = &format_range},
    {"name", read_slug, AT(struct office, name), .required = true},
    {"district", read_code, AT(struct office, district), .required = true},
    {"calendar", read_slug, AT(struct office, calendar), .required = true},
    {"playbook", read_slug, AT(struct office, playbook), .required = true},
    {"divisions", read_file, AT(struct office, divisions), .required = true},
    {"grids", grids_read, AT(struct office, grids), .required = true},
    {"roles", read_file, AT(struct office, roles), .required = true},
    {"departments", read_file, AT(struct office, departments), .required = true},
    {"categories", read_file, AT(struct office, categories), .required = true},
    {"calendars", read_node, AT(struct office, calendars), .required = true},
    {"playbooks", read_node, AT(struct office, playbooks), .required = true},
    {"promise_sources", read_node, AT(struct office, promise_sources)},
    {"managed_by", read_node, AT(struct office, managed_by)},
};

static int office_read(struct reading *r, struct office *ret) {
    struct node *root;
    int e = yaml_nodes(r, "office.yaml", &root);
    if (e == -ENOENT || e == -ENOTDIR)
        fail_at(r, 0, SLICE(""), "cannot be opened: %s; `config` names the directory of the office's rules",
                strerror(-e));
    return e ? e : map_read(r, root, office_keys, COUNT_OF(office_keys), ret);
}

static int text_push(struct reading *r, const struct node *item, value_reader *read, struct list *to) {
    static const struct keyword key = {.name = "item", .has = NO_FLAG};
    char *text;
    int e = read(r, item, &key, &text);
    return e ? e : list_push(r, to, text);
}

static int file_item(struct reading *r, const struct node *item, struct list *to) {
    return text_push(r, item, read_file, to);
}

static int source_item(struct reading *r, const struct node *item, struct list *to) {
    return text_push(r, item, read_text, to);
}

static int managed_item(struct reading *r, const struct node *item, struct list *to) {
    static const struct keyword keys[] = {
        {"division", read_code, HAS(PbManagedBy, division), .required = true},
        {"by", read_code, HAS(PbManagedBy, by), .required = true},
        {"from", read_instant, HAS(PbManagedBy, valid_from_ms)},
        {"to", read_instant, HAS(PbManagedBy, valid_to_ms)},
    };
    PbManagedBy *managed = arena_zero(r->room, sizeof *managed);
    if (!managed)
        return full(r);
    int e = map_read(r, item, keys, COUNT_OF(keys), managed);
    if (e)
        return e;
    size_t mark = path_enter(r, node_find(item, "division")->text);
    path_note(r, item->line);
    path_leave(r, mark);
    return list_push(r, to, managed);
}

/* The lists of office.yaml itself, while it still is the file that errors are told in. */
static int office_lists(struct reading *r, const struct office *o, struct list *calendars, struct list *playbooks,
                        struct parts *p) {
    const struct { const char *name; const struct node *node; item_reader *each; struct list *to; } lists[] = {
        {"calendars", o->calendars, file_item, calendars}, {"playbooks", o->playbooks, file_item, playbooks},
        {"promise_sources", o->promise_sources, source_item, &p->sources},
        {"managed_by", o->managed_by, managed_item, &p->managed}};
    for (size_t i = 0; i < COUNT_OF(lists); i++) {
        size_t mark = path_enter(r, slice_of(lists[i].name));
        int e = lists[i].node ? list_read(r, lists[i].node, lists[i].each, lists[i].to) : 0;
        path_leave(r, mark);
        if (e)
            return e;
    }
    return 0;
}

/* ---- all files ------------------------------------------------------------------------------------------------- */

/* A community that is named in `grids: but:` is one of the district's: else a wrong digit would cost it its grids. */
static int grids_there(struct reading *r, const struct office *o, const struct parts *p) {
    for (const struct node *n = o->grids.more ? o->grids.more->first : NULL; n; n = n->next) {
        uint64_t code = 0;
        bool there = false;
        CHECK(parse_u64(n->key, &code));
        for (size_t i = 0; i < p->divisions.count; i++)
            there |= ((const PbDivision *)p->divisions.at[i])->code == code;
        if (!there || !division_covers(o->district, code)) {
            char path[64];
            snprintf(path, sizeof path, "grids/but/%llu", (unsigned long long)code);
            return fail_noted(r, path, "is no community of the district");
        }
    }
    return 0;
}

static int parts_load(struct reading *r, struct office *o, struct parts *p) {
    struct list calendars = {0}, playbooks = {0};
    int e = office_read(r, o);
    e = e ? e : office_lists(r, o, &calendars, &playbooks, p);
    for (size_t i = 0; i < calendars.count && e == 0; i++)
        e = calendar_load(r, calendars.at[i], p);
    for (size_t i = 0; i < playbooks.count && e == 0; i++)
        e = playbook_load(r, playbooks.at[i], p);
    e = e ? e : divisions_load(r, o->divisions, &o->grids, o->district, p);
    e = e ? e : grids_there(r, o, p);
    e = e ? e : roles_load(r, o->roles, p);
    e = e ? e : departments_load(r, o->departments, p);
    return e ? e : categories_load(r, o->categories, o->playbook, p);
}

#define TAKE(rules, field, list) ((rules)->field = (void *)(list).at, (rules)->n_##field = (list).count)

static PbRules *rules_make(struct reading *r, const struct office *o, const struct parts *p) {
    PbRules *rules = arena_zero(r->room, sizeof *rules);
    if (!rules)
        return NULL;
    rules->has_format = rules->has_district = 1;
    rules->format = o->format;
    rules->district = o->district;
    rules->name = o->name;
    rules->calendar = o->calendar;
    TAKE(rules, calendars, p->calendars);
    TAKE(rules, playbooks, p->playbooks);
    TAKE(rules, divisions, p->divisions);
    TAKE(rules, roles, p->roles);
    TAKE(rules, parties, p->parties);
    TAKE(rules, categories, p->categories);
    TAKE(rules, managed_by, p->managed);
    TAKE(rules, promise_sources, p->sources);
    rules_sort(rules);
    return rules;
}

int config_load(const char *dir, struct arena *room, PbRules **ret, struct config_error *error) {
    struct reading r = {.room = room, .error = error, .dir = dir};
    struct office office = {0};
    struct parts parts = {0};
    struct rules_problem problem;
    CHECK(dir && room && ret && error);
    memset(error, 0, sizeof *error);
    int e = parts_load(&r, &office, &parts);
    if (e)
        return e;
    PbRules *rules = rules_make(&r, &office, &parts);
    if (!rules)
        return full(&r);
    if (!rules_check(rules, &problem))
        return fail_noted(&r, problem.path, problem.what);
    *ret = rules;
    return 0;
}
