/* categories.c: categories.csv -> PbCategory. Who is responsible is compiled here, once for each side of the wall:
 *
 *   level        社区/街道: inside the wall the community, outside the street; one level: both sides
 *   departments  物业(内);环卫(外): that side only; without (内) or (外): both sides; what a name means says departments.csv */
#include "daemon/config/reading.h"
#include "daemon/kernel/kernel.h"
#include <errno.h>
#include <string.h>

/* A row as it is written, before it is put together. */
struct category_row {
    PbCategory category;
    const struct node *level, *departments, *milestones, *handling_limit;
    char *source;
};

static const struct word words_wall[] = {{"both", WALL_UNKNOWN}, {"inside", WALL_INSIDE}, {"outside", WALL_OUTSIDE},
    {NULL, 0}};
static const struct word words_urgency[] = {{"I", URGENCY_I}, {"II", URGENCY_II}, {"III", URGENCY_III},
    {"IV", URGENCY_IV}, {NULL, 0}};
static const struct word words_duty[] = {{"社区", LEVEL_COMMUNITY}, {"街道", LEVEL_STREET}, {"区", LEVEL_DISTRICT},
    {NULL, 0}};

#define CATEGORY(field) AT(struct category_row, category.field)
#define CATEGORY_HAS(field) \
    .at = offsetof(struct category_row, category.field), .has = offsetof(struct category_row, category.has_##field)

static const struct range pieces = {0, EVIDENCE_MAX};

static const struct keyword category_keys[] = {
    {"code", read_text, CATEGORY(code), .required = true},
    {"major_zh", read_text, CATEGORY(major_zh), .required = true},
    {"minor_zh", read_text, CATEGORY(name_zh), .required = true},
    {"minor_en", read_text, CATEGORY(name_en), .required = true},
    {"wall", read_word, CATEGORY_HAS(wall), .required = true, .more = words_wall},
    {"level", read_node, AT(struct category_row, level), .required = true},
    {"departments", read_node, AT(struct category_row, departments), .required = true},
    {"urgency", read_word, CATEGORY_HAS(urgency), .required = true, .more = words_urgency},
    {"accept_limit", read_limit, CATEGORY(accept), .required = true},
    {"milestones", read_node, AT(struct category_row, milestones)},
    {"handling_limit", read_node, AT(struct category_row, handling_limit)},
    {"source", read_text, AT(struct category_row, source)},
    {"parent", read_text, CATEGORY(parent)},
    {"promise", read_limit, CATEGORY(promise)},
    {"playbook", read_slug, CATEGORY(playbook)},
    {"sensitive", read_flag, CATEGORY_HAS(sensitive)},
    {"self_handled", read_flag, CATEGORY_HAS(self_handled)},
    {"evidence_min", read_number, CATEGORY_HAS(evidence_min), .more = &pieces},
    {"extension", read_limit, CATEGORY(extension)},
};

/* ---- duty ------------------------------------------------------------------------------------------------------ */

static int levels_read(struct reading *r, const struct node *level, int *ret_inside, int *ret_outside) {
    struct slice inside = level->text, outside = level->text;
    slice_cut(level->text, '/', &inside, &outside);
    int e = word_value(r, level, inside, words_duty, ret_inside);
    return e ? e : word_value(r, level, outside, words_duty, ret_outside);
}

/* Adds the roles that a department's name stands for. */
static int department_add(struct reading *r, const struct node *at, struct slice name, const struct list *departments,
                          struct list *to) {
    bool found = false;
    for (size_t i = 0; i < departments->count; i++) {
        const struct department *d = departments->at[i];
        bool twice = false;
        if (!slice_equal(name, slice_of(d->name)))
            continue;
        found = true;
        for (size_t k = 0; k < to->count; k++)
            twice |= strcmp(to->at[k], d->role) == 0;
        int e = twice ? 0 : list_push(r, to, d->role);
        if (e)
            return e;
    }
    if (found)
        return 0;
    return fail(r, at, "'%s' is not in departments.csv", shown_of(name).text);
}

static bool side_cut(struct slice *name, struct slice side) {
    if (name->len < side.len || !slice_equal(slice_from(name->at + name->len - side.len, side.len), side))
        return false;
    name->len -= side.len;
    return true;
}

static int departments_split(struct reading *r, const struct node *value, const struct list *departments,
                             struct list *inside, struct list *outside) {
    struct slice rest = value->text;
    for (bool more = true; more;) {
        struct slice name = rest;
        more = slice_cut(rest, ';', &name, &rest);
        bool in_only = side_cut(&name, SLICE("(内)")), out_only = !in_only && side_cut(&name, SLICE("(外)"));
        int e = out_only ? 0 : department_add(r, value, name, departments, inside);
        e = e || in_only ? e : department_add(r, value, name, departments, outside);
        if (e)
            return e;
    }
    return 0;
}

static PbDuty *duty_make(struct reading *r, int level, const struct list *roles) {
    PbDuty *duty = arena_zero(r->room, sizeof *duty);
    if (!duty)
        return NULL;
    duty->has_level = 1;
    duty->level = (PbLevel)level;
    duty->n_roles = roles->count;
    duty->roles = (char **)roles->at;
    return duty;
}

static int duties_read(struct reading *r, struct category_row *row, const struct list *departments) {
    struct list inside = {0}, outside = {0};
    int level_inside, level_outside;
    int e = levels_read(r, row->level, &level_inside, &level_outside);
    e = e ? e : departments_split(r, row->departments, departments, &inside, &outside);
    if (e)
        return e;
    row->category.inside = duty_make(r, level_inside, &inside);
    row->category.outside = duty_make(r, level_outside, &outside);
    return row->category.inside && row->category.outside ? 0 : full(r);
}

/* ---- milestones ------------------------------------------------------------------------------------------------ */

/* stop=4wh,penalise=7wd */
static int milestone_read(struct reading *r, const struct node *at, struct slice text, struct list *to) {
    struct slice name, limit;
    if (!slice_cut(text, '=', &name, &limit) || !slug_valid(name))
        return fail(r, at, "must be milestones such as stop=4wh,penalise=7wd");
    PbMilestone *milestone = arena_zero(r->room, sizeof *milestone);
    if (!milestone)
        return full(r);
    milestone->name = text_take(r, name);
    int e = milestone->name ? limit_value(r, at, limit, &milestone->limit) : -ENOMEM;
    return e ? e : list_push(r, to, milestone);
}

/* The last milestone is the handling limit; the table says it twice, and it has to say the same. */
static int milestones_read(struct reading *r, struct category_row *row) {
    struct list milestones = {0};
    PbLimit *handling = NULL;
    if (!row->milestones != !row->handling_limit)
        return fail(r, row->milestones ? row->milestones : row->handling_limit,
                    "milestones and handling_limit go together");
    if (!row->milestones)
        return 0;
    struct slice rest = row->milestones->text;
    for (bool more = true; more;) {
        struct slice text = rest;
        more = slice_cut(rest, ',', &text, &rest);
        int e = milestone_read(r, row->milestones, text, &milestones);
        if (e)
            return e;
    }
    int e = limit_value(r, row->handling_limit, row->handling_limit->text, &handling);
    if (e)
        return e;
    const PbMilestone *last = milestones.at[milestones.count - 1];
    if (last->limit->unit != handling->unit || last->limit->amount != handling->amount)
        return fail(r, row->handling_limit, "differs from the last milestone, %s", last->name);
    row->category.milestones = (PbMilestone **)milestones.at;
    row->category.n_milestones = milestones.count;
    return 0;
}

/* ---- rows ------------------------------------------------------------------------------------------------------ */

/* 随手办 where the row does not say: what a community or a street may settle, unless it is 特急, which somebody has to
 * look at. */
static bool self_handled_by_rule(const PbCategory *c) {
    PbLevel lowest = c->inside->level < c->outside->level ? c->inside->level : c->outside->level;
    return lowest <= LEVEL_STREET && c->urgency != URGENCY_I;
}

struct catalogue { const char *playbook; struct parts *parts; };

static int category_read(struct reading *r, const struct node *node, void *to) {
    const struct catalogue *c = to;
    struct category_row row = {0};
    int e = map_read(r, node, category_keys, COUNT_OF(category_keys), &row);
    e = e ? e : duties_read(r, &row, &c->parts->departments);
    e = e ? e : milestones_read(r, &row);
    PbCategory *category = e ? NULL : arena_zero(r->room, sizeof *category);
    if (!category)
        return e ? e : full(r);
    *category = row.category;
    if (!category->playbook && !(category->playbook = text_take(r, slice_of(c->playbook))))
        return -ENOMEM;
    if (!category->has_self_handled)
        category->self_handled = self_handled_by_rule(category);
    category->has_self_handled = category->has_sensitive = 1;
    return list_push(r, &c->parts->categories, category);
}

int categories_load(struct reading *r, const char *file, const char *playbook, struct parts *to) {
    static const struct csv_table table
        = {"categories", "code", category_keys, COUNT_OF(category_keys), category_read};
    struct catalogue catalogue = {playbook, to};
    return csv_load(r, file, &table, &catalogue);
}
