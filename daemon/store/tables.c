/* tables.c: the fifteen tables as a whole: opened, committed, thrown back; and the few rows that are asked for in every
 * turn and so remembered beside them. */
#include "daemon/store/tables.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct db_table_spec specs[TABLE_COUNT] = {
    [TABLE_META] = {"meta", false},         [TABLE_FACTS] = {"facts", true},     [TABLE_RULES] = {"rules", true},
    [TABLE_CASES] = {"cases", true},        [TABLE_DEADLINES] = {"deadlines", true},
    [TABLE_RECEIPTS] = {"receipts", true},  [TABLE_WORK] = {"work", true},       [TABLE_OPEN] = {"open", true},
    [TABLE_ASKS] = {"asks", true},          [TABLE_STORY] = {"story", true},     [TABLE_NUMBERS] = {"numbers", true},
    [TABLE_FOLLOWERS] = {"followers", true}, [TABLE_DEAD] = {"dead", true},
    [TABLE_EXTERNAL] = {"external", true},  [TABLE_BATCHES] = {"batches", true},
};

const char *tables_fold_name(enum table table) {
    return specs[table].fold ? specs[table].name : NULL;
}

int tables_result(struct tables *t, int r) {
    if (r >= 0 || r == -ENOENT)
        return r;
    t->doubtful |= r == -EBADMSG;
    (void)snprintf(t->problem, sizeof t->problem, "%s", db_problem(t->db));
    return r;
}

/* ---- open and close ---------------------------------------------------------------------------------------------- */

int tables_open(struct tables *t, const struct tables_options *o) {
    memset(t, 0, sizeof *t);
    struct db_options d = {
        .path = o->path, .tables = specs, .tables_count = TABLE_COUNT, .map_bytes = o->map_bytes,
        .read_only = o->read_only, .scratch = o->scratch,
    };
    t->read_only = o->read_only;
    int r = db_open(&t->db, &d);
    if (r < 0)
        return tables_result(t, r);
    void *memory = malloc(FOLD_ROOM_BYTES);       /* pages that no record needs are never touched */
    if (!memory) {
        db_close(t->db);
        t->db = NULL;
        return -ENOMEM;
    }
    arena_wrap(&t->room, memory, FOLD_ROOM_BYTES);
    return 0;
}

void tables_close(struct tables *t) {
    if (!t->db)
        return;
    rules_forget(t, 0);
    db_close(t->db);
    free(t->room.base);
    t->db = NULL;
}

static void forget(struct tables *t) {
    t->due_known = DUE_UNKNOWN;
    memset(t->numbers, 0, sizeof t->numbers);
    rules_forget(t, t->facts.rules);
}

void tables_begin(struct tables *t, const uint8_t store_id[static 16]) {
    t->meta = (struct meta){0};
    memcpy(t->meta.store_id, store_id, sizeof t->meta.store_id);
    t->facts = (struct facts){0};
    forget(t);
}

int tables_load(struct tables *t) {
    struct row_key key = key_number(0);
    struct slice row;
    int r = tables_get(t, TABLE_META, &key, &row);
    if (r < 0)
        return r;
    if (!meta_of_row(row, &t->meta))
        r = -EBADMSG;
    if (r == 0)
        r = tables_get(t, TABLE_FACTS, &key, &row);
    if (r == -ENOENT || (r == 0 && !facts_of_row(row, &t->facts)))
        r = -EBADMSG;
    if (r == -EBADMSG) {
        t->doubtful = true;
        (void)snprintf(t->problem, sizeof t->problem, "the tables do not say how far they are");
        return r;
    }
    forget(t);
    return r;
}

int tables_facts(struct tables *t) {
    uint8_t row[FACTS_ROW_BYTES];
    struct row_key key = key_number(0);
    row_of_facts(&t->facts, row);
    return tables_put(t, TABLE_FACTS, &key, slice_from(row, sizeof row));
}

int tables_commit(struct tables *t) {
    uint8_t row[META_ROW_BYTES];
    struct row_key key = key_number(0);
    row_of_meta(&t->meta, row);
    int r = tables_put(t, TABLE_META, &key, slice_from(row, sizeof row));
    if (r == 0)
        r = tables_facts(t);
    return r == 0 ? tables_result(t, db_commit(t->db)) : r;
}

int tables_return(struct tables *t) {
    db_abort(t->db);
    return tables_load(t);
}

/* ---- rows -------------------------------------------------------------------------------------------------------- */

int tables_get(struct tables *t, enum table table, const struct row_key *key, struct slice *ret_borrowed) {
    return tables_result(t, db_get(t->db, table, key_bytes(key), ret_borrowed));
}

int tables_put(struct tables *t, enum table table, const struct row_key *key, struct slice value) {
    return tables_result(t, db_put(t->db, table, key_bytes(key), value));
}

/* A row whose checksum is right was written by row_of_case, from a case that kept the law. */
int tables_case(struct tables *t, uint64_t id, struct case_state *ret) {
    struct row_key key = key_number(id);
    struct slice row;
    if (id == 0)
        return -ENOENT;
    int r = tables_get(t, TABLE_CASES, &key, &row);
    if (r < 0)
        return r;
    CHECK(case_of_row(row, ret) && ret->id == id);
    case_check(ret);
    return 0;
}

/* ---- what is remembered ------------------------------------------------------------------------------------------ */

int tables_first_due(struct tables *t, struct due_row *ret) {
    if (t->due_known == DUE_UNKNOWN) {
        struct db_walk w;
        struct slice key, value;
        db_walk_from(&w, t->db, TABLE_DEADLINES, (struct slice){NULL, 0});
        int r = db_walk_next(&w, &key, &value);
        if (r < 0)
            return tables_result(t, r);
        CHECK(r == 0 || due_of_key(key, &t->first_due));
        t->due_known = r ? DUE_KNOWN : DUE_NONE;
        db_walk_done(&w);
    }
    if (t->due_known == DUE_NONE)
        return -ENOENT;
    *ret = t->first_due;
    return 0;
}

static unsigned number_slot(uint32_t district, uint32_t day) {
    return (district * 31 + day) % NUMBERS_KEPT;
}

void tables_note_number(struct tables *t, uint32_t district, uint32_t day, uint32_t number) {
    unsigned i = number_slot(district, day);
    if (t->numbers[i].district != district || t->numbers[i].day != day)
        return;                                   /* not known yet: the table will be asked */
    if (t->numbers[i].last < number)
        t->numbers[i].last = number;
}

int tables_last_number(struct tables *t, uint32_t district, uint32_t day, uint32_t *ret) {
    unsigned i = number_slot(district, day);
    if (t->numbers[i].district != district || t->numbers[i].day != day || day == 0) {
        struct row_key prefix = key_day(district, day);
        struct slice key, value;
        int r = tables_result(t, db_last(t->db, TABLE_NUMBERS, key_bytes(&prefix), &key, &value));
        if (r < 0 && r != -ENOENT)
            return r;
        uint32_t last = r == 0 ? (uint32_t)(get_be64(key.at + 4) & UINT32_MAX) : 0;
        t->numbers[i].district = district;
        t->numbers[i].day = day;
        t->numbers[i].last = last;
    }
    *ret = t->numbers[i].last;
    return 0;
}
