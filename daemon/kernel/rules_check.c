/* rules_check.c: is this configuration one that the daemon can run on? The first thing that is not is said, with its
 * place.
 *
 * Order first: every lookup halves its table, and in a table out of order it would find nothing and blame the wrong
 * line. Then each table, those that others refer to before those that refer. */
#include "daemon/kernel/check.h"
#include <string.h>

enum { DAY_MINUTES = 1440, OFFSET_S_MAX = 18 * 3600, PARENTS_MAX = 8, PATTERN_BYTES_MAX = 255 };

static bool reference_wrong(const struct where *at, const char *name) {
    return text_is(name, "") ? WRONG(at, "is missing") : WRONG(at, "names ", name, ", which is not there");
}

/* ---- order ------------------------------------------------------------------------------------------------------- */

static bool order_check(const PbRules *r, struct rules_problem *ret) {
    for (enum rules_table t = 0; t < TABLE_COUNT; t++) {
        struct where table = {NULL, table_name(t), ret};
        for (size_t i = 0; i < table_size(r, t); i++) {
            const char *key = table_key(r, t, i);
            struct where at = where_in(&table, key);
            if (!name_check(&at, key, t == TABLE_CATEGORIES ? CATEGORY_BYTES_MAX : NAME_BYTES_MAX))
                return false;
            int order = i ? strcmp(table_key(r, t, i - 1), key) : -1;
            if (order >= 0)
                return WRONG(&at, order ? "is out of order: the table must be sorted" : "is there twice");
        }
    }
    return true;
}

/* ---- calendars --------------------------------------------------------------------------------------------------- */

static bool windows_check(const struct where *in, const char *name, PbWindow *const *windows, size_t count) {
    struct where at = where_in(in, name);
    for (size_t i = 0; i < count; i++) {
        if (windows[i]->open_minute >= windows[i]->close_minute || windows[i]->close_minute > DAY_MINUTES)
            return WRONG(&at, "window ", decimal_of(i + 1).text, " must open before it closes, by 24:00");
        if (i && windows[i]->open_minute < windows[i - 1]->close_minute)
            return WRONG(&at, "window ", decimal_of(i + 1).text, " opens before the one ahead of it has closed");
    }
    return true;
}

static bool week_check(const struct where *calendar, const PbCalendar *c) {
    static const char *const names[] = {"monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"};
    struct where at = where_in(calendar, "week");
    size_t windows = 0;
    if (c->n_week != COUNT_OF(names))
        return WRONG(&at, "has ", decimal_of(c->n_week).text, " days; it must have seven, Monday first");
    for (size_t i = 0; i < c->n_week; i++) {
        if (!windows_check(&at, names[i], c->week[i]->windows, c->week[i]->n_windows))
            return false;
        windows += c->week[i]->n_windows;
    }
    return windows || WRONG(&at, "is never open: no working limit would ever end");
}

static bool day_check(const struct where *days, const PbCalendar *c, size_t i) {
    const PbDay *d = c->days[i];
    struct decimal date = decimal_of(d->date);
    struct where at = where_in(days, date.text);
    if (days_of_date(d->date) == INT64_MIN)
        return WRONG(&at, "is not a date");
    if (i && c->days[i - 1]->date >= d->date)
        return WRONG(&at, c->days[i - 1]->date == d->date ? "is there twice" : "is out of order");
    if (d->date < c->first_date || d->date > c->last_date)
        return WRONG(&at, "lies outside first_date to last_date");
    if (!d->working && d->n_windows)
        return WRONG(&at, "is a day off and has windows");
    if (d->working && !d->n_windows && !c->n_working_day)
        return WRONG(&at, "is a working day without windows, and the calendar has no working_day");
    return windows_check(&at, "windows", d->windows, d->n_windows);
}

/* The wall time at which a step is over, on its own clock. These must rise: then wall times are found going forward. */
static int64_t step_over_ms(const PbCalendar *c, size_t i) {
    return c->steps[i + 1]->from_ms + c->steps[i]->offset_s * 1000LL;
}

static bool zone_check(const struct where *calendar, const PbCalendar *c) {
    struct where zone = where_in(calendar, "zone"), at = where_in(calendar, "steps");
    if (text_is(c->zone, ""))
        return WRONG(&zone, "is missing");
    if (c->n_steps == 0)
        return WRONG(&at, "is empty: the offset of the zone is not known");
    for (size_t i = 0; i < c->n_steps; i++) {
        if (c->steps[i]->offset_s < -OFFSET_S_MAX || c->steps[i]->offset_s > OFFSET_S_MAX)
            return WRONG(&at, "step ", decimal_of(i + 1).text, " is more than 18 hours off");
        bool follows = i == 0 || c->steps[i - 1]->from_ms < c->steps[i]->from_ms;
        if (!follows || (i > 1 && step_over_ms(c, i - 2) >= step_over_ms(c, i - 1)))
            return WRONG(&at, "step ", decimal_of(i + 1).text, " comes too early after the one before");
    }
    return true;
}

static bool calendar_check(const struct where *calendars, const PbCalendar *c) {
    struct where calendar = where_in(calendars, c->name), days = where_in(&calendar, "days");
    struct where first = where_in(&calendar, "first_date"), last = where_in(&calendar, "last_date");
    if (days_of_date(c->first_date) == INT64_MIN)
        return WRONG(&first, "is not a date");
    if (days_of_date(c->last_date) == INT64_MIN)
        return WRONG(&last, "is not a date");
    if (c->last_date < c->first_date)
        return WRONG(&last, "is before first_date");
    if (!zone_check(&calendar, c) || !week_check(&calendar, c) ||
        !windows_check(&calendar, "working_day", c->working_day, c->n_working_day))
        return false;
    for (size_t i = 0; i < c->n_days; i++)
        if (!day_check(&days, c, i))
            return false;
    return true;
}

/* ---- divisions --------------------------------------------------------------------------------------------------- */

/* A tree may begin at a district: what lies above it is another authority's. */
static bool divisions_check(const PbRules *r, struct rules_problem *ret) {
    struct where table = {NULL, "divisions", ret}, district = {NULL, "district", ret};
    for (size_t i = 0; i < r->n_divisions; i++) {
        uint64_t code = r->divisions[i]->code;
        struct decimal text = decimal_of(code);
        struct where at = where_in(&table, text.text);
        if (division_digits(code) == 0)
            return WRONG(&at, "is not a division: a code has 2, 4, 6, 9, 12 or 15 digits");
        if (i && r->divisions[i - 1]->code >= code)
            return WRONG(&at, r->divisions[i - 1]->code == code ? "is there twice" : "is out of order");
    }
    for (size_t i = 0; i < r->n_divisions; i++) {
        uint64_t code = r->divisions[i]->code;
        struct decimal text = decimal_of(code);
        struct where at = where_in(&table, text.text);
        PbLevel level = division_level(code);
        uint64_t parent = level < LEVEL_DISTRICT ? division_cut(code, level_digits(level + 1)) : 0;
        if (parent && !rules_division(r, parent))
            return WRONG(&at, "has no parent: ", decimal_of(parent).text, " is not there");
    }
    if (r->district && (division_digits(r->district) != 6 || !rules_division(r, r->district)))
        return WRONG(&district, decimal_of(r->district).text, " is not a district that is there");
    return true;
}

static bool managed_by_check(const PbRules *r, struct rules_problem *ret) {
    struct where table = {NULL, "managed_by", ret};
    for (size_t i = 0; i < r->n_managed_by; i++) {
        const PbManagedBy *m = r->managed_by[i], *before = i ? r->managed_by[i - 1] : NULL;
        struct decimal text = decimal_of(m->division);
        struct where at = where_in(&table, text.text);
        if (!rules_division(r, m->division))
            return WRONG(&at, "is not a division that is there");
        if (!rules_division(r, m->by))
            return WRONG(&at, "is managed by ", decimal_of(m->by).text, ", which is not there");
        if (division_level(m->by) <= division_level(m->division))
            return WRONG(&at, "must be managed by a division of a higher level");
        if (m->valid_to_ms && m->valid_to_ms <= m->valid_from_ms)
            return WRONG(&at, "ends before it begins");
        if (!before || before->division < m->division)
            continue;
        if (before->division > m->division || before->valid_from_ms > m->valid_from_ms)
            return WRONG(&at, "is out of order: sort by division, then by valid_from");
        if (!before->valid_to_ms || before->valid_to_ms > m->valid_from_ms)
            return WRONG(&at, "has two managers at the same time");
    }
    return true;
}

/* ---- roles and parties ------------------------------------------------------------------------------------------- */

static bool roles_check(const PbRules *r, struct rules_problem *ret) {
    struct where table = {NULL, "roles", ret};
    for (size_t i = 0; i < r->n_roles; i++) {
        const PbRole *role = r->roles[i];
        struct where at = where_in(&table, role->slug);
        if (!role_slug_valid(slice_of(role->slug)))
            return WRONG(&at, "is not a role: write a-z, then at most 30 of a-z 0-9 -");
        if ((unsigned)role->kind > ROLE_VERIFIER)
            return WRONG(&at, "has a kind that does not exist");
        if ((unsigned)role->level > LEVEL_PROVINCE)
            return WRONG(&at, "has a level that does not exist");
    }
    return true;
}

static bool parties_check(const PbRules *r, struct rules_problem *ret) {
    struct where table = {NULL, "parties", ret};
    for (size_t i = 0; i < r->n_parties; i++) {
        const PbParty *p = r->parties[i];
        struct where at = where_in(&table, p->party);
        struct slice role;
        uint64_t division;
        if (!party_split(slice_of(p->party), &role, &division))
            return WRONG(&at, "is not a party: write role@division");
        if (!rules_role(r, role))
            return WRONG(&at, "has a role that is not there");
        if (!rules_division(r, division))
            return WRONG(&at, "is in a division that is not there");
        if (p->valid_to_ms && p->valid_to_ms <= p->valid_from_ms)
            return WRONG(&at, "ends before it begins");
    }
    return true;
}

/* ---- categories -------------------------------------------------------------------------------------------------- */

static bool milestones_check(const struct where *category, const PbCategory *c) {
    struct where list = where_in(category, "milestones");
    if (c->n_milestones > MILESTONES_MAX)
        return WRONG(&list, "has more than ", decimal_of(MILESTONES_MAX).text);
    for (size_t i = 0; i < c->n_milestones; i++) {
        const PbMilestone *m = c->milestones[i];
        struct decimal number = decimal_of(i + 1);
        struct where at = where_in(&list, text_is(m->name, "") ? number.text : m->name);
        if (!name_check(&at, m->name, NAME_BYTES_MAX) || !limit_check(&at, "limit", m->limit, 0))
            return false;
        for (size_t k = 0; k < i; k++) {
            if (text_is(c->milestones[k]->name, m->name))
                return WRONG(&at, "is there twice");
            if (!limit_may_follow(c->milestones[k]->limit, m->limit))
                return WRONG(&at, "must be due after ", c->milestones[k]->name, ", which comes before");
        }
    }
    return true;
}

static bool duty_check(const struct where *category, const char *name, const PbRules *r, const PbDuty *d) {
    struct where at = where_in(category, name);
    if (!d)
        return true;
    if ((unsigned)d->level > LEVEL_CITY)
        return WRONG(&at, "has a level above the city");
    for (size_t i = 0; i < d->n_roles; i++) {
        struct where role = where_in(&at, d->roles[i]);
        if (!rules_role(r, slice_of(d->roles[i])))
            return WRONG(&role, "is not a role that is there");
    }
    return true;
}

/* A parent is a heading; a circle of headings has no top. */
static bool parent_check(const struct where *category, const PbRules *r, const PbCategory *c) {
    struct where at = where_in(category, "parent");
    for (size_t depth = 0; !text_is(c->parent, ""); depth++) {
        const PbCategory *parent = rules_category(r, slice_of(c->parent));
        if (!parent)
            return reference_wrong(&at, c->parent);
        if (depth == PARENTS_MAX)
            return WRONG(&at, "never comes to a top");
        c = parent;
    }
    return true;
}

/* How long a desk, and those it asks, may be silent comes from the stage or else from the category. */
static bool accept_check(const struct where *category, const PbCategory *c, const PbPlaybook *p) {
    struct where at = where_in(category, "accept");
    for (size_t i = 0; i < p->n_stages && !c->accept; i++) {
        const PbStage *s = p->stages[i];
        if (s->kind == STAGE_HANDLE && (!s->desk || !s->accept))
            return WRONG(&at, "is missing, and stage ", s->name, " of ", p->name, " lacks a desk or accept limit");
    }
    return limit_check_optional(category, "accept", c->accept, 0);
}

/* More than an answer may bring could never be done. */
static bool evidence_check(const struct where *category, const PbCategory *c) {
    struct where at = where_in(category, "evidence_min");
    if (c->evidence_min <= EVIDENCE_MAX)
        return true;
    return WRONG(&at, "is more than an answer may bring, ", decimal_of(EVIDENCE_MAX).text);
}

static bool category_check(const struct where *table, const PbRules *r, const PbCategory *c) {
    struct where at = where_in(table, c->code), playbook = where_in(&at, "playbook");
    const PbPlaybook *p = rules_playbook(r, c->playbook, NULL);
    if (!p)
        return reference_wrong(&playbook, c->playbook);
    if ((unsigned)c->wall > WALL_OUTSIDE)
        return WRONG(&at, "has a wall that does not exist");
    if ((unsigned)c->urgency > URGENCY_IV)
        return WRONG(&at, "has an urgency that does not exist");
    return parent_check(&at, r, c) && duty_check(&at, "inside", r, c->inside) &&
        duty_check(&at, "outside", r, c->outside) && accept_check(&at, c, p) && milestones_check(&at, c) &&
        limit_check_optional(&at, "promise", c->promise, 0) && evidence_check(&at, c) &&
        limit_check_optional(&at, "extension", c->extension, 1);
}

/* ---- all of it --------------------------------------------------------------------------------------------------- */

static bool playbooks_check(const PbRules *r, struct rules_problem *ret) {
    struct where table = {NULL, "playbooks", ret};
    for (size_t i = 0; i < r->n_playbooks; i++) {
        const PbPlaybook *p = r->playbooks[i];
        struct where book = where_in(&table, p->name), at = where_in(&book, "calendar");
        if (!playbook_check(p, ret))
            return false;
        if (!text_is(p->calendar, "") && !rules_calendar(r, p->calendar))
            return reference_wrong(&at, p->calendar);
    }
    return true;
}

static bool calendars_check(const PbRules *r, struct rules_problem *ret) {
    struct where table = {NULL, "calendars", ret}, chosen = {NULL, "calendar", ret};
    for (size_t i = 0; i < r->n_calendars; i++)
        if (!calendar_check(&table, r->calendars[i]))
            return false;
    return rules_calendar(r, r->calendar) || reference_wrong(&chosen, r->calendar);
}

static bool categories_check(const PbRules *r, struct rules_problem *ret) {
    struct where table = {NULL, "categories", ret};
    for (size_t i = 0; i < r->n_categories; i++)
        if (!category_check(&table, r, r->categories[i]))
            return false;
    return true;
}

static bool sources_check(const PbRules *r, struct rules_problem *ret) {
    struct where at = {NULL, "promise_sources", ret};
    for (size_t i = 0; i < r->n_promise_sources; i++)
        if (!name_check(&at, r->promise_sources[i], PATTERN_BYTES_MAX))
            return false;
    return true;
}

bool rules_check(const PbRules *r, struct rules_problem *ret) {
    CHECK(r && ret);
    ret->path[0] = ret->what[0] = 0;
    return order_check(r, ret) && calendars_check(r, ret) && divisions_check(r, ret) && managed_by_check(r, ret) &&
        roles_check(r, ret) && parties_check(r, ret) && playbooks_check(r, ret) && categories_check(r, ret) &&
        sources_check(r, ret);
}
