/* divisions.c: divisions.csv and `grids:` of office.yaml -> PbDivision. The tree is real down to the communities;
 * grids are numbered within their community, 001 upwards, and named after it. */
#include "daemon/config/reading.h"
#include "daemon/kernel/kernel.h"
#include <errno.h>
#include <string.h>

enum { COMMUNITY_DIGITS = 12, GRID_FACTOR = 1000, GRIDS_MAX = 999 };

struct division_row { uint64_t code, parent; char *name; PbLevel level; };

static const struct word words_tree[] = {{"province", LEVEL_PROVINCE}, {"city", LEVEL_CITY}, {"county", LEVEL_DISTRICT},
    {"street", LEVEL_STREET}, {"community", LEVEL_COMMUNITY}, {NULL, 0}};

static const struct keyword division_keys[] = {
    {"code", read_code, AT(struct division_row, code), .required = true},
    {"name", read_text, AT(struct division_row, name), .required = true},
    {"level", read_word, AT(struct division_row, level), .required = true, .more = words_tree},
    {"parent", read_code, AT(struct division_row, parent)},
};

static int division_add(struct reading *r, uint64_t code, char *name, struct list *to) {
    PbDivision *division = arena_zero(r->room, sizeof *division);
    if (!division || !name)
        return full(r);
    division->has_code = 1;
    division->code = code;
    division->name_zh = name;
    return list_push(r, to, division);
}

static int grids_add(struct reading *r, const struct division_row *community, uint32_t count, struct list *to) {
    CHECK(count <= GRIDS_MAX && division_digits(community->code) == COMMUNITY_DIGITS);
    for (uint32_t i = 1; i <= count; i++) {
        int e = division_add(r, community->code * GRID_FACTOR + i, text_print(r, "%s第%u网格", community->name, i), to);
        if (e)
            return e;
    }
    return 0;
}

struct tree { const struct grids *grids; uint64_t district; struct list *divisions; };

static int division_row_read(struct reading *r, const struct node *row, void *to) {
    const struct tree *t = to;
    struct division_row d = {0};
    int e = map_read(r, row, division_keys, COUNT_OF(division_keys), &d);
    if (e)
        return e;
    if (division_level(d.code) != d.level)
        return fail_at(r, row->line, SLICE("level"), "does not go with a code of %u digits", division_digits(d.code));
    uint64_t above = d.level == LEVEL_PROVINCE ? 0 : division_cut(d.code, level_digits(d.level + 1));
    if (d.parent && d.parent != above)
        return fail_at(r, row->line, SLICE("parent"), "is not the code cut by one level");
    e = division_add(r, d.code, d.name, t->divisions);
    if (e || d.level != LEVEL_COMMUNITY || !division_covers(t->district, d.code))
        return e;
    uint32_t count = t->grids->each;
    for (const struct node *n = t->grids->more ? t->grids->more->first : NULL; n; n = n->next) {
        uint64_t code, other;
        if (parse_u64(n->key, &code) && code == d.code && parse_u64(n->text, &other))
            count = (uint32_t)other;
    }
    return grids_add(r, &d, count, t->divisions);
}

int divisions_load(struct reading *r, const char *file, const struct grids *grids, uint64_t district,
                   struct parts *to) {
    static const struct csv_table table
        = {"divisions", "code", division_keys, COUNT_OF(division_keys), division_row_read};
    struct tree tree = {grids, district, &to->divisions};
    return csv_load(r, file, &table, &tree);
}
