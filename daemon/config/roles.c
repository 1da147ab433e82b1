/* roles.c: roles.yaml and departments.csv -> PbRole and PbParty. A party is a role in a division; nobody's name is
 * written anywhere. */
#include "daemon/config/reading.h"
#include "daemon/kernel/kernel.h"
#include <errno.h>
#include <string.h>

/* ---- parties --------------------------------------------------------------------------------------------------- */

struct validity { int64_t from_ms, to_ms; protobuf_c_boolean has_from_ms, has_to_ms; };

static int party_add(struct reading *r, const PbRole *role, const PbDivision *division, const struct validity *valid,
                     struct list *to) {
    char text[PARTY_BYTES_MAX + 1];
    PbParty *party = arena_zero(r->room, sizeof *party);
    if (!party)
        return full(r);
    party_print(text, role->slug, division->code);
    party->party = text_take(r, slice_of(text));
    party->name_zh = text_print(r, "%s %s", division->name_zh, role->name_zh);
    if (!party->party || !party->name_zh)
        return full(r);
    party->has_valid_from_ms = valid->has_from_ms, party->valid_from_ms = valid->from_ms;
    party->has_valid_to_ms = valid->has_to_ms, party->valid_to_ms = valid->to_ms;
    return list_push(r, to, party);
}

/* role@division in every division of the role's level. */
static int parties_add(struct reading *r, const PbRole *role, const struct validity *valid, struct parts *p) {
    int e = 0;
    CHECK(role->slug && role->has_level);
    for (size_t i = 0; i < p->divisions.count && e == 0; i++) {
        const PbDivision *division = p->divisions.at[i];
        if (division_level(division->code) == role->level)
            e = party_add(r, role, division, valid, &p->parties);
    }
    return e;
}

/* ---- roles.yaml ------------------------------------------------------------------------------------------------ */

struct role_entry { PbRole role; const struct node *where; struct validity valid; };

static int valid_read(struct reading *r, const struct node *value, const struct keyword *key, void *at) {
    static const struct keyword keys[] = {
        {"from", read_instant, HAS(struct validity, from_ms)},
        {"to", read_instant, HAS(struct validity, to_ms)},
    };
    CHECK(key->has == NO_FLAG);
    return map_read(r, value, keys, COUNT_OF(keys), at);
}

static const PbDivision *division_of(const struct list *divisions, uint64_t code) {
    for (size_t i = 0; i < divisions->count; i++) {
        const PbDivision *division = divisions->at[i];
        if (division->code == code)
            return division;
    }
    return NULL;
}

/* where: all, or a list of codes of the role's level. */
static int where_read(struct reading *r, const struct role_entry *entry, const PbRole *role, struct parts *p) {
    const struct node *where = entry->where;
    if (where->kind == NODE_TEXT && slice_equal(where->text, SLICE("all")))
        return parties_add(r, role, &entry->valid, p);
    if (where->kind != NODE_LIST)
        return fail(r, where, "must be all, or a list of division codes");
    for (const struct node *n = where->first; n; n = n->next) {
        static const struct keyword key = {.name = "where"};
        uint64_t code = 0;
        int e = read_code(r, n, &key, &code);
        if (e)
            return e;
        const PbDivision *division = division_of(&p->divisions, code);
        if (!division || division_level(code) != role->level)
            return fail(r, n, "%llu is no division of this role's level", (unsigned long long)code);
        e = party_add(r, role, division, &entry->valid, &p->parties);
        if (e)
            return e;
    }
    return 0;
}

static const struct word words_kind[] = {{"other", ROLE_OTHER}, {"grid-worker", ROLE_GRID_WORKER},
    {"grid-leader", ROLE_GRID_LEADER}, {"desk", ROLE_DESK}, {"outer-worker", ROLE_OUTER_WORKER},
    {"department", ROLE_DEPARTMENT}, {"verifier", ROLE_VERIFIER}, {NULL, 0}};

/* What the kernel takes for a role (roles_check), told before a party is made of it. */
static int role_name_check(struct reading *r, const struct node *at, struct slice name) {
    if (slug_valid(name) && name.at[0] >= 'a')
        return 0;
    return fail(r, at, "a role's name is a letter, then at most 30 of a-z, 0-9 and -");
}

static int role_read(struct reading *r, const struct node *value, struct parts *p) {
    static const struct keyword keys[] = {
        {"name_zh", read_text, AT(struct role_entry, role.name_zh), .required = true},
        {"kind", read_word, AT(struct role_entry, role.kind), .required = true, .more = words_kind},
        {"level", read_word, AT(struct role_entry, role.level), .required = true, .more = words_level},
        {"where", read_node, AT(struct role_entry, where), .required = true},
        {"valid", valid_read, AT(struct role_entry, valid)},
    };
    struct role_entry entry = {0};
    PbRole *role = arena_zero(r->room, sizeof *role);
    if (!role)
        return full(r);
    int e = role_name_check(r, value, value->key);
    e = e ? e : map_read(r, value, keys, COUNT_OF(keys), &entry);
    if (e)
        return e;
    *role = entry.role;
    role->slug = text_take(r, value->key);
    role->has_kind = role->has_level = 1;
    e = role->slug ? list_push(r, &p->roles, role) : -ENOMEM;
    return e ? e : where_read(r, &entry, role, p);
}

int roles_load(struct reading *r, const char *file, struct parts *to) {
    struct node *root;
    int e = yaml_nodes(r, file, &root);
    if (e == 0 && root->kind != NODE_MAP)
        e = fail(r, root, "must be a mapping of roles by name");
    for (const struct node *n = e ? NULL : root->first; n && e == 0; n = n->next) {
        static const char *const tables[] = {"parties", "roles"};         /* a wrong party is told at its role */
        for (size_t i = 0; i < COUNT_OF(tables); i++) {
            r->path[0] = 0;
            path_enter(r, slice_of(tables[i]));
            path_enter(r, n->key);
            path_note(r, n->line);
        }
        e = role_read(r, n, to);
    }
    r->path[0] = 0;
    return e;
}

/* ---- departments.csv ------------------------------------------------------------------------------------------- */

struct department_row { char *name, *role; PbLevel level; };

static const struct keyword department_keys[] = {
    {"name_zh", read_text, AT(struct department_row, name), .required = true},
    {"role", read_slug, AT(struct department_row, role), .required = true},
    {"level", read_word, AT(struct department_row, level), .required = true, .more = words_level},
};

static const PbRole *role_of(const struct list *roles, const char *slug) {
    for (size_t i = 0; i < roles->count; i++) {
        const PbRole *role = roles->at[i];
        if (strcmp(role->slug, slug) == 0)
            return role;
    }
    return NULL;
}

/* A role that roles.yaml does not have is a department, named by its first row, in every division of its level. */
static int department_role(struct reading *r, const struct node *row, const struct department_row *d, struct parts *p) {
    static const struct validity always;
    const PbRole *known = role_of(&p->roles, d->role);
    if (known && known->level != d->level)
        return fail(r, node_find(row, "level"), "the role %s has another level elsewhere", d->role);
    if (known)
        return 0;
    int e = role_name_check(r, node_find(row, "role"), slice_of(d->role));
    PbRole *role = e ? NULL : arena_zero(r->room, sizeof *role);
    if (!role)
        return e ? e : full(r);
    role->slug = d->role;
    role->name_zh = d->name;
    role->has_kind = role->has_level = 1;
    role->kind = ROLE_DEPARTMENT;
    role->level = d->level;
    e = list_push(r, &p->roles, role);
    return e ? e : parties_add(r, role, &always, p);
}

static int department_read(struct reading *r, const struct node *row, void *to) {
    struct parts *p = to;
    struct department_row d;
    int e = map_read(r, row, department_keys, COUNT_OF(department_keys), &d);
    e = e ? e : department_role(r, row, &d, p);
    struct department *department = e ? NULL : arena_zero(r->room, sizeof *department);
    if (!department)
        return e ? e : full(r);
    *department = (struct department){d.name, d.role};
    return list_push(r, &p->departments, department);
}

int departments_load(struct reading *r, const char *file, struct parts *to) {
    static const struct csv_table table
        = {"roles", "role", department_keys, COUNT_OF(department_keys), department_read};
    return csv_load(r, file, &table, to);
}
