#include "ctl/drill_plan.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAY_MS 86400000LL

enum { GRIDS = 17, WARD_COMMUNITIES = 8, DATE_DIGITS = 8, TIME_DIGITS = 6 };

/* ---- fields ------------------------------------------------------------------------------------------------------ */

struct slice csv_field(struct slice *line) {
    bool quoted = line->len && line->at[0] == '"';
    size_t from = quoted, at = from;
    for (; at < line->len; at++) {
        if (!quoted && line->at[at] == ',') break;
        if (!quoted || line->at[at] != '"') continue;
        if (at + 1 == line->len || line->at[at + 1] != '"') break;
        at++;                                     /* a doubled quote */
    }
    struct slice field = slice_from(line->at + from, at - from);
    at += quoted && at < line->len;
    at += at < line->len;                         /* the comma */
    *line = slice_from(line->at + at, line->len - at);
    return field;
}

/* "2015-03-08T09:30:00" as 20150308 and 93000: the digits, when everything between them is where it belongs. */
static bool instant_digits(struct slice text, uint64_t *ret_date, uint64_t *ret_time) {
    static const char shape[] = "dddd-dd-ddTdd:dd:dd";
    uint8_t digits[DATE_DIGITS + TIME_DIGITS];
    size_t count = 0;
    if (text.len != sizeof shape - 1) return false;
    for (size_t i = 0; i < text.len; i++) {
        if (shape[i] == 'd') digits[count++] = text.at[i];
        else if (text.at[i] != (uint8_t)shape[i]) return false;
    }
    CHECK(count == sizeof digits);
    return parse_u64(slice_from(digits, DATE_DIGITS), ret_date)
        && parse_u64(slice_from(digits + DATE_DIGITS, TIME_DIGITS), ret_time);
}

bool local_instant_parse(const PbCalendar *zone, struct slice text, int64_t *ret_ms) {
    uint64_t date, time;
    if (!instant_digits(text, &date, &time)) return false;
    int64_t days = days_of_date((uint32_t)date);
    if (days == INT64_MIN || time / 10000 > 23 || time / 100 % 100 > 59 || time % 100 > 59) return false;
    int64_t local = days * DAY_MS + (int64_t)(time / 10000 * 3600 + time / 100 % 100 * 60 + time % 100) * 1000;
    int64_t before = calendar_offset_ms(zone, local - DAY_MS), after = calendar_offset_ms(zone, local + DAY_MS);
    bool still = calendar_offset_ms(zone, local - before) == before;
    *ret_ms = local - (still ? before : after);
    return true;
}

/* ---- places ------------------------------------------------------------------------------------------------------ */

uint64_t grid_of(const struct drill_tree *t, uint64_t ward, uint64_t precinct, uint64_t id) {
    CHECK(t->count);
    uint64_t community = precinct ? ward * WARD_COMMUNITIES + precinct % WARD_COMMUNITIES : id;
    uint64_t grid = precinct ? precinct : id / t->count;
    return t->communities[community % t->count] * 1000 + grid % GRIDS + 1;
}

PbWall wall_of_queue(struct slice queue) {
    return slice_starts(queue, SLICE("PWDx")) ? WALL_OUTSIDE : WALL_INSIDE;
}

static int tree_read(struct drill_tree *t, const PbRules *rules) {
    t->communities = calloc(rules->n_divisions + 1, sizeof *t->communities);
    if (!t->communities) return -ENOMEM;
    for (size_t i = 0; i < rules->n_divisions; i++) {
        uint64_t code = rules->divisions[i]->code;
        bool gridded = rules_division(rules, code * 1000 + GRIDS);
        if (division_level(code) == LEVEL_COMMUNITY && gridded) t->communities[t->count++] = code;
    }
    return t->count ? 0 : -EINVAL;
}

/* ---- categories -------------------------------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b) {
    const PbCategory *const *x = a, *const *y = b;
    return strcmp((*x)->name_en, (*y)->name_en);
}

static int names_read(struct drill_plan *p) {
    p->by_name = calloc(p->rules->n_categories + 1, sizeof *p->by_name);
    if (!p->by_name) return -ENOMEM;
    for (size_t i = 0; i < p->rules->n_categories; i++) p->by_name[i] = p->rules->categories[i];
    qsort(p->by_name, p->rules->n_categories, sizeof *p->by_name, by_name);
    return 0;
}

static const PbCategory *category_of(const struct drill_plan *p, struct slice type) {
    size_t low = 0, high = p->rules->n_categories;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = slice_order(slice_of(p->by_name[middle]->name_en), type);
        if (order == 0) return p->by_name[middle];
        if (order < 0) low = middle + 1;
        else high = middle;
    }
    return NULL;
}

bool row_has_rule(const struct drill_row *r) {
    return r->category->promise != NULL;
}

bool row_counts_working_days(const struct drill_row *r) {
    return r->category->promise && r->category->promise->unit == UNIT_WORK_DAYS;
}

/* ---- rows -------------------------------------------------------------------------------------------------------- */

static const char header[] = "id,open,target,closed,ontime,status,closure,type,queue,dept,pwd,ward,precinct,source";
enum column { COLUMN_ID, COLUMN_OPEN, COLUMN_TARGET, COLUMN_CLOSED, COLUMN_ONTIME, COLUMN_STATUS, COLUMN_CLOSURE,
    COLUMN_TYPE, COLUMN_QUEUE, COLUMN_DEPT, COLUMN_PWD, COLUMN_WARD, COLUMN_PRECINCT, COLUMN_SOURCE, COLUMNS };

static bool instant_or_none(const PbCalendar *zone, struct slice text, int64_t *ret_ms) {
    *ret_ms = 0;
    return text.len == 0 || local_instant_parse(zone, text, ret_ms);
}

static uint64_t number_or_none(struct slice text) {
    uint64_t number;
    return parse_u64(text, &number) ? number : 0;
}

/* closed < open counts as closed = open, a target before the opening as a budget of 0. */
static void row_settle(struct drill_row *r) {
    if (r->closed_ms && r->closed_ms < r->open_ms) r->closed_ms = r->open_ms;
    if (r->target_ms && r->target_ms < r->open_ms) r->target_ms = r->open_ms;
    bool late = r->target_ms && r->closed_ms > r->target_ms;
    r->on_the_spot = r->closed_ms && r->closed_ms - r->open_ms <= DRILL_WINDOW_MS && !late;
    CHECK(!r->closed_ms || r->on_the_spot || r->closed_ms > r->open_ms);
}

/* NULL, or what is wrong with it. */
static const char *row_read(const struct drill_plan *p, struct slice line, struct drill_row *r) {
    struct slice field[COLUMNS];
    for (unsigned i = 0; i < COLUMNS; i++) field[i] = slice_trim(csv_field(&line));
    if (!parse_u64(field[COLUMN_ID], &r->id)) return "the first column is not a number";
    if (!local_instant_parse(p->zone, field[COLUMN_OPEN], &r->open_ms)) return "`open` is not an instant";
    if (!instant_or_none(p->zone, field[COLUMN_TARGET], &r->target_ms)) return "`target` is not an instant";
    if (!instant_or_none(p->zone, field[COLUMN_CLOSED], &r->closed_ms)) return "`closed` is not an instant";
    r->category = category_of(p, field[COLUMN_TYPE]);
    if (!r->category) return "the rules have no category of that type's name";
    uint64_t ward = number_or_none(field[COLUMN_WARD]), precinct = number_or_none(field[COLUMN_PRECINCT]);
    r->division = grid_of(&p->tree, ward, precinct, r->id);
    r->wall = (uint8_t)wall_of_queue(field[COLUMN_QUEUE]);
    r->city = slice_equal(field[COLUMN_ONTIME], SLICE("ONTIME")) ? CITY_ONTIME
        : slice_equal(field[COLUMN_ONTIME], SLICE("OVERDUE")) ? CITY_OVERDUE : CITY_SILENT;
    row_settle(r);
    return NULL;
}

/* Lines end as RFC 4180 has them or as Unix does; the last may lack its end. */
static bool next_line(struct slice *rest, struct slice *ret) {
    if (rest->len == 0) return false;
    if (!slice_cut(*rest, '\n', ret, rest)) {
        *ret = *rest;
        *rest = (struct slice){ 0 };
    }
    if (ret->len && ret->at[ret->len - 1] == '\r') ret->len--;
    return true;
}

static int rows_read(struct drill_plan *p, struct slice csv, uint32_t rows_max, char problem[static 256]) {
    struct slice line, rest = csv;
    if (!next_line(&rest, &line) || !slice_equal(line, SLICE(header))) {
        snprintf(problem, 256, "line 1: the columns are not those of the drill's data (%s)", header);
        return -EINVAL;
    }
    p->rows = calloc(rows_max, sizeof *p->rows);
    if (!p->rows) return -ENOMEM;
    while (p->rows_count < rows_max && next_line(&rest, &line)) {
        const char *wrong = row_read(p, line, &p->rows[p->rows_count]);
        if (wrong) {
            snprintf(problem, 256, "line %u: %s: %.*s", p->rows_count + 2, wrong,
                     (int)(line.len < 120 ? line.len : 120), (const char *)line.at);
            return -EINVAL;
        }
        p->rows_count++;
    }
    if (p->rows_count == 0) snprintf(problem, 256, "there is no row in it");
    return p->rows_count ? 0 : -EINVAL;
}

/* ---- steps ------------------------------------------------------------------------------------------------------- */

static int by_instant(const void *a, const void *b) {
    const struct drill_step *x = a, *y = b;
    if (x->at_ms != y->at_ms) return x->at_ms < y->at_ms ? -1 : 1;
    if (x->row != y->row) return x->row < y->row ? -1 : 1;
    return (int)x->kind - (int)y->kind;
}

/* What happens at one instant must fit one window. */
static bool is_crowded(const struct drill_plan *p) {
    for (uint32_t i = DRILL_STEPS_MAX; i < p->steps_count; i++)
        if (p->steps[i].at_ms == p->steps[i - DRILL_STEPS_MAX].at_ms) return true;
    return false;
}

static int steps_make(struct drill_plan *p, char problem[static 256]) {
    p->steps = calloc(2 * (size_t)p->rows_count, sizeof *p->steps);
    if (!p->steps) return -ENOMEM;
    for (uint32_t i = 0; i < p->rows_count; i++) {
        const struct drill_row *r = &p->rows[i];
        struct drill_step *to = &p->steps[p->steps_count];
        if (r->on_the_spot) {
            to[0] = (struct drill_step){ .at_ms = r->closed_ms, .row = i, .kind = STEP_SELF_HANDLE };
            p->steps_count++;
            continue;
        }
        to[0] = (struct drill_step){ .at_ms = r->open_ms, .row = i, .kind = STEP_REPORT };
        if (r->closed_ms) to[1] = (struct drill_step){ .at_ms = r->closed_ms, .row = i, .kind = STEP_DONE };
        p->steps_count += r->closed_ms ? 2 : 1;
    }
    qsort(p->steps, p->steps_count, sizeof *p->steps, by_instant);
    if (!is_crowded(p)) return 0;
    snprintf(problem, 256, "more than %d things happen at one instant", DRILL_STEPS_MAX);
    return -EINVAL;
}

/* ---- by number --------------------------------------------------------------------------------------------------- */

static int by_number(const void *a, const void *b, void *rows) {
    const struct drill_row *r = rows;
    uint64_t x = r[*(const uint32_t *)a].id, y = r[*(const uint32_t *)b].id;
    return x < y ? -1 : x > y;
}

static int ids_sort(struct drill_plan *p, char problem[static 256]) {
    p->by_id = calloc(p->rows_count, sizeof *p->by_id);
    if (!p->by_id) return -ENOMEM;
    for (uint32_t i = 0; i < p->rows_count; i++) p->by_id[i] = i;
    qsort_r(p->by_id, p->rows_count, sizeof *p->by_id, by_number, p->rows);
    for (uint32_t i = 1; i < p->rows_count; i++) {
        if (p->rows[p->by_id[i - 1]].id != p->rows[p->by_id[i]].id) continue;
        snprintf(problem, 256, "two rows have the number %llu", (unsigned long long)p->rows[p->by_id[i]].id);
        return -EINVAL;
    }
    return 0;
}

uint32_t drill_row_by_id(const struct drill_plan *p, uint64_t id) {
    uint32_t low = 0, high = p->rows_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (p->rows[p->by_id[middle]].id < id) low = middle + 1;
        else high = middle;
    }
    return low < p->rows_count && p->rows[p->by_id[low]].id == id ? p->by_id[low] : UINT32_MAX;
}

int drill_plan_make(struct drill_plan *p, const PbRules *rules, struct slice csv, uint32_t rows_max,
                    char problem[static 256]) {
    CHECK(rows_max && rows_max <= DRILL_ROWS_MAX);
    *p = (struct drill_plan){ .rules = rules, .zone = rules_calendar(rules, rules->calendar) };
    CHECK(p->zone);
    problem[0] = '\0';
    int r = tree_read(&p->tree, rules);
    if (r == -EINVAL) snprintf(problem, 256, "the rules have no community with %d grids", GRIDS);
    if (r == 0) r = names_read(p);
    if (r == 0) r = rows_read(p, csv, rows_max, problem);
    if (r == 0) r = steps_make(p, problem);
    if (r == 0) r = ids_sort(p, problem);
    if (r == -ENOMEM) snprintf(problem, 256, "there is not enough memory for it");
    return r;
}

void drill_plan_free(struct drill_plan *p) {
    free(p->tree.communities);
    free(p->by_name);
    free(p->rows);
    free(p->steps);
    free(p->by_id);
    *p = (struct drill_plan){ .rows_count = 0 };
}

/* ---- windows ----------------------------------------------------------------------------------------------------- */

/* Windows end just before a round ten minutes of UTC, and at the end of the drill. */
static int64_t window_end(int64_t at_ms, int64_t end_ms) {
    int64_t last = (at_ms / DRILL_WINDOW_MS + 1) * DRILL_WINDOW_MS - 1;
    return last < end_ms ? last : end_ms;
}

struct drill_window drill_next_window(const struct drill_plan *p, uint32_t next_step, const struct drill_sight *s) {
    CHECK(s->v_ms < s->end_ms && next_step <= p->steps_count);
    int64_t first_ms = s->v_ms + 1;
    if (!s->answers_wait) {                       /* nothing to say and nothing due: straight to where something is */
        int64_t at = next_step < p->steps_count ? p->steps[next_step].at_ms : s->end_ms;
        if (s->next_due_ms < at) at = s->next_due_ms;
        if (at > first_ms) first_ms = at < s->end_ms ? at : s->end_ms;
    }
    struct drill_window w = { .until_ms = window_end(first_ms, s->end_ms) };
    uint32_t i = next_step;
    for (; i < p->steps_count && p->steps[i].at_ms <= w.until_ms; i++) {
        const struct drill_step *step = &p->steps[i];
        const struct drill_row *r = &p->rows[step->row];
        bool full = i - next_step >= DRILL_STEPS_MAX;
        if (full && step->at_ms - 1 < w.until_ms) w.until_ms = step->at_ms - 1;
        if (step->kind == STEP_REPORT && r->closed_ms && r->closed_ms <= w.until_ms) w.until_ms = r->closed_ms - 1;
    }
    while (i > next_step && p->steps[i - 1].at_ms > w.until_ms) i--;
    CHECK(w.until_ms > s->v_ms && i - next_step <= DRILL_STEPS_MAX);
    w.steps = i - next_step;
    return w;
}
