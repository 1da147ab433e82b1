/* rules.c: finding things in the compiled configuration. Every table is sorted by its key (rules_check says so), so
 * every search halves. */
#include "daemon/kernel/check.h"

#include <string.h>

/* ---- tables sorted by a text ------------------------------------------------------------------------------------- */

/* Where PbRules has each of them, and where its rows have their key. */
static const struct { const char *name; size_t count, rows, key; } columns[TABLE_COUNT] = {
#define TABLE(member, type, field) \
    {#member, offsetof(PbRules, n_##member), offsetof(PbRules, member), offsetof(type, field)}
    [TABLE_CALENDARS] = TABLE(calendars, PbCalendar, name),
    [TABLE_CATEGORIES] = TABLE(categories, PbCategory, code),
    [TABLE_PLAYBOOKS] = TABLE(playbooks, PbPlaybook, name),
    [TABLE_ROLES] = TABLE(roles, PbRole, slug),
    [TABLE_PARTIES] = TABLE(parties, PbParty, party),
#undef TABLE
};

static const void *pointer_at(const void *base, size_t offset) {
    const void *p;
    memcpy(&p, (const uint8_t *)base + offset, sizeof p);
    return p;
}

const char *table_name(enum rules_table t) {
    CHECK(t < TABLE_COUNT);
    return columns[t].name;
}

size_t table_size(const PbRules *r, enum rules_table t) {
    size_t size;
    CHECK(t < TABLE_COUNT);
    memcpy(&size, (const uint8_t *)r + columns[t].count, sizeof size);
    return size;
}

size_t rows_before(const void *rows, size_t count, size_t code_at, uint64_t code) {
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        uint64_t at_middle;
        memcpy(&at_middle, (const uint8_t *)pointer_at(rows, middle * sizeof(void *)) + code_at, sizeof at_middle);
        if (at_middle < code)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static const char *key_at(const void *rows, size_t index, size_t key) {
    return text_or_empty(pointer_at(pointer_at(rows, index * sizeof(void *)), key));
}

const char *table_key(const PbRules *r, enum rules_table t, size_t index) {
    CHECK(index < table_size(r, t));
    return key_at(pointer_at(r, columns[t].rows), index, columns[t].key);
}

/* As slice_order would say, without measuring the text first: most are told apart by their first bytes. */
static int text_order(const char *text, struct slice key) {
    int order = strncmp(text, (const char *)key.at, key.len);
    return order != 0 ? order : text[key.len] != '\0';
}

/* table_size: not there. */
static size_t table_find(const PbRules *r, enum rules_table t, struct slice key) {
    size_t size = table_size(r, t), low = 0, high = size;
    const void *rows = pointer_at(r, columns[t].rows);
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = text_order(key_at(rows, middle, columns[t].key), key);
        if (order == 0)
            return middle;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return size;
}

/* ---- lookups ----------------------------------------------------------------------------------------------------- */

const PbCategory *rules_category(const PbRules *r, struct slice code) {
    size_t i = table_find(r, TABLE_CATEGORIES, code);
    return i < r->n_categories ? r->categories[i] : NULL;
}

const PbRole *rules_role(const PbRules *r, struct slice slug) {
    size_t i = table_find(r, TABLE_ROLES, slug);
    return i < r->n_roles ? r->roles[i] : NULL;
}

const PbParty *rules_party(const PbRules *r, struct slice party, int64_t at_ms) {
    size_t i = table_find(r, TABLE_PARTIES, party);
    if (i == r->n_parties)
        return NULL;
    const PbParty *p = r->parties[i];
    return p->valid_from_ms <= at_ms && (p->valid_to_ms == 0 || at_ms < p->valid_to_ms) ? p : NULL;
}

const PbCalendar *rules_calendar(const PbRules *r, const char *name) {
    size_t i = table_find(r, TABLE_CALENDARS, slice_of(text_or_empty(name)));
    return i < r->n_calendars ? r->calendars[i] : NULL;
}

const PbPlaybook *rules_playbook(const PbRules *r, const char *name, uint32_t *ret_number) {
    size_t i = table_find(r, TABLE_PLAYBOOKS, slice_of(text_or_empty(name)));
    if (i == r->n_playbooks)
        return NULL;
    if (ret_number)
        *ret_number = (uint32_t)i + 1;
    return r->playbooks[i];
}

const PbRole *rules_role_of_kind(const PbRules *r, PbRoleKind kind, PbLevel level) {
    for (size_t i = 0; i < r->n_roles; i++)
        if (r->roles[i]->kind == kind && r->roles[i]->level == level)
            return r->roles[i];
    return NULL;
}

const PbDivision *rules_division(const PbRules *r, uint64_t code) {
    size_t i = rows_before(r->divisions, r->n_divisions, offsetof(PbDivision, code), code);
    return i < r->n_divisions && r->divisions[i]->code == code ? r->divisions[i] : NULL;
}
