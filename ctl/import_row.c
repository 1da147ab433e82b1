/* import_row.c: a line of another system's cases -> an Import command. A column is read as the option of the same name
 * would be, so instants, levels and states may be written as on any command line, in English or in Chinese. */
#include "ctl/import.h"

#include <stdio.h>
#include <string.h>

enum { PARTIES_MAX = CASE_ASKS_MAX, DEGREE_DIGITS = 7, WHAT_BYTES = 320 };

struct case_cells {
    const char *external_id, *category, *parties, *lon, *lat, *text, *address, *reporter;
    uint64_t division;
    int state, level, wall, ask_me;
    int64_t opened_at_ms, asked_at_ms, handling_due_ms, promise_due_ms, occurred_at_ms;
};

#define AT(field) offsetof(struct case_cells, field)
static const struct argument cells[] = {
    {"--external_id", "TEXT", ARGUMENT_TEXT, AT(external_id), BOTH("在原系统的编号", "its number in the other system"), true},
    {"--opened_at", "TIME", ARGUMENT_INSTANT, AT(opened_at_ms), BOTH("上报时间", "when it was reported there"), true},
    {"--division", "CODE", ARGUMENT_DIVISION, AT(division), BOTH("地点的区划代码", "where it is"), true},
    {"--category", "CODE", ARGUMENT_TEXT, AT(category), BOTH("本规则集的类别代码", "a category of this rule set"), true},
    {"--state", "STATE", ARGUMENT_STATE, AT(state), BOTH("状态", "reported, accepted, dispatched or handling"), true},
    {"--level", "LEVEL", ARGUMENT_LEVEL, AT(level), BOTH("在哪一级", "the level that has it"), false},
    {"--parties", "PARTIES", ARGUMENT_TEXT, AT(parties), BOTH("派给谁，分号隔开", "who was asked, by semicolons"), false},
    {"--asked_at", "TIME", ARGUMENT_INSTANT, AT(asked_at_ms), BOTH("派单时间", "when they were asked"), false},
    {"--handling_due", "TIME", ARGUMENT_INSTANT, AT(handling_due_ms), BOTH("处置期限", "the handling limit"), false},
    {"--promise_due", "TIME", ARGUMENT_INSTANT, AT(promise_due_ms), BOTH("承诺期限", "the promise to the reporter"), false},
    {"--occurred_at", "TIME", ARGUMENT_INSTANT, AT(occurred_at_ms), BOTH("发生时间", "when it happened"), false},
    {"--wall", "WALL", ARGUMENT_WALL, AT(wall), BOTH("墙内、墙外", "inside or outside the wall"), false},
    {"--lon", "DEGREES", ARGUMENT_TEXT, AT(lon), BOTH("经度（WGS 84）", "WGS 84"), false},
    {"--lat", "DEGREES", ARGUMENT_TEXT, AT(lat), BOTH("纬度（WGS 84）", "WGS 84"), false},
    {"--reporter", "PARTY", ARGUMENT_TEXT, AT(reporter), BOTH("上报人", "the reporting grid worker"), false},
    {"--ask_me", "yes|no", ARGUMENT_OPINION, AT(ask_me), BOTH("愿意回访", "the reporter agreed to be asked"), false},
    {"--text", "TEXT", ARGUMENT_TEXT, AT(text), BOTH("描述", "what it is about"), false},
    {"--address", "TEXT", ARGUMENT_TEXT, AT(address), BOTH("地址", "the address"), false},
};
#undef AT
static const struct command_line import_case_columns = {"import", "", cells, COUNT_OF(cells), NULL};
_Static_assert(COUNT_OF(cells) <= ARGUMENTS_MAX, "a line is read as a command line");

/* ---- the header -------------------------------------------------------------------------------------------------- */

static bool column_of(struct slice name, uint8_t *ret) {
    for (size_t i = 0; i < COUNT_OF(cells); i++)
        if (slice_equal(slice_of(cells[i].name + 2), name))
            return *ret = (uint8_t)i, true;
    return false;
}

static bool header_says(const struct import_columns *columns, size_t cell) {
    for (unsigned i = 0; i < columns->count; i++)
        if (columns->at[i] == cell)
            return true;
    return false;
}

bool import_header(const struct csv_row *row, struct import_columns *ret, struct import_report *report) {
    ret->count = 0;
    for (unsigned i = 0; i < row->count; i++) {
        char name[64];
        uint8_t at = 0;
        struct slice cell = row->cell[i];
        (void)snprintf(name, sizeof name, "%.*s", (int)(cell.len < 60 ? cell.len : 60), cell.at);
        bool known = column_of(cell, &at), twice = known && header_says(ret, at);
        if (!known || twice)
            return import_problem(report, row->line, name, twice
                                  ? BOTH("这一列出现两次", "is a column twice")
                                  : BOTH("没有这一列；whistlectl import cases --help 列出全部",
                                         "is no column here; whistlectl import cases --help lists them")), false;
        ret->at[ret->count++] = at;
    }
    for (size_t i = 0; i < COUNT_OF(cells); i++)
        if (cells[i].must && !header_says(ret, i))
            return import_problem(report, row->line, cells[i].name + 2, BOTH("缺少这一列", "this column is missing")), false;
    return true;
}

/* ---- one line ---------------------------------------------------------------------------------------------------- */

/* --name=value for each cell that says something; the first word is whose line it is. */
static int words_of(const struct import_columns *columns, const struct csv_row *row, struct arena *room, char **words) {
    int count = 0;
    words[count++] = "import";
    for (unsigned i = 0; i < row->count; i++) {
        const char *name = cells[columns->at[i]].name;
        size_t size = strlen(name) + 1 + row->cell[i].len + 1;
        if (row->cell[i].len == 0)
            continue;
        char *word = arena_must(room, size);
        (void)snprintf(word, size, "%s=%.*s", name, (int)row->cell[i].len, row->cell[i].at);
        words[count++] = word;
    }
    return count;
}

/* 108.7012345 -> 1087012345; exact, to seven places. */
static bool degrees(const char *text, int32_t *ret) {
    struct slice s = slice_of(text), whole = s, part = SLICE("");
    bool negative = s.len && s.at[0] == '-';
    uint64_t a = 0, b = 0;
    if (negative)
        s = slice_from(s.at + 1, s.len - 1), whole = s;
    (void)slice_cut(s, '.', &whole, &part);
    if (!parse_u64(whole, &a) || a > 180 || part.len > DEGREE_DIGITS || (part.len && !parse_u64(part, &b)))
        return false;
    for (size_t i = part.len; i < DEGREE_DIGITS; i++)
        b *= 10;
    int64_t all = (int64_t)(a * 10000000 + b);
    *ret = (int32_t)(negative ? -all : all);
    return all <= 1800000000;
}

static bool place_of(const struct case_cells *l, PbPlace *to, unsigned line, struct import_report *report) {
    to->has_division = true, to->division = l->division;
    to->has_wall = l->wall != WALL_UNKNOWN, to->wall = (PbWall)l->wall;
    to->has_lon_e7 = l->lon != NULL, to->has_lat_e7 = l->lat != NULL;
    static const char what[] =
        BOTH("不是 108.7012345 这样的度数（至多七位小数）", "is not degrees such as 108.7012345, of seven places at most");
    if (l->lon && !degrees(l->lon, &to->lon_e7))
        return import_problem(report, line, "lon", what), false;
    if (l->lat && !degrees(l->lat, &to->lat_e7))
        return import_problem(report, line, "lat", what), false;
    return true;
}

static bool parties_of(const struct case_cells *l, PbImport *to, unsigned line, struct arena *room,
                       struct import_report *report) {
    struct slice rest = slice_of(l->parties ? l->parties : ""), word = rest;
    to->parties = arena_must(room, PARTIES_MAX * sizeof *to->parties);
    for (bool more = rest.len > 0; more;) {
        word = rest;
        more = slice_cut(rest, ';', &word, &rest);
        if (to->n_parties == PARTIES_MAX)
            return import_problem(report, line, "parties", BOTH("多于 16 方", "more than 16 parties")), false;
        PbAskedParty *p = to->parties[to->n_parties] = arena_must(room, sizeof *p);
        p->party = arena_text(room, slice_trim(word));
        p->has_lead = p->lead = to->n_parties++ == 0;
    }
    return true;
}

static PbImport *build(const struct case_cells *l, unsigned line, struct arena *room, struct import_report *report) {
    PbImport *to = arena_must(room, sizeof *to);
    PbReport *r = to->report = arena_must(room, sizeof *r);
    r->place = arena_must(room, sizeof *r->place);
    if (!place_of(l, r->place, line, report) || !parties_of(l, to, line, room, report))
        return NULL;
    r->category = (char *)l->category;
    r->external_id = (char *)l->external_id;
    r->text = (char *)l->text;
    r->address = (char *)l->address;
    r->reporter = (char *)l->reporter;
    r->has_ask_me = r->ask_me = l->ask_me == OPINION_YES;
    r->has_occurred_at_ms = l->occurred_at_ms != 0, r->occurred_at_ms = l->occurred_at_ms;
    to->has_opened_at_ms = true, to->opened_at_ms = l->opened_at_ms;
    to->has_state = true, to->state = (PbState)l->state;
    to->has_level = l->level >= 0, to->level = l->level >= 0 ? (PbLevel)l->level : LEVEL_GRID;
    to->has_asked_at_ms = l->asked_at_ms != 0, to->asked_at_ms = l->asked_at_ms;
    to->has_handling_due_ms = l->handling_due_ms != 0, to->handling_due_ms = l->handling_due_ms;
    to->has_promise_due_ms = l->promise_due_ms != 0, to->promise_due_ms = l->promise_due_ms;
    return to;
}

/* "--state: "x" is none of ..." -> column and what is wrong with it. */
static void problem_of(struct import_report *report, unsigned line, const char *said) {
    struct slice column = SLICE(""), what = slice_of(said);
    char name[64] = "";
    if (strncmp(said, "--", 2) == 0 && strcspn(said, ": ") < sizeof name + 2) {
        column = slice_from(said + 2, strcspn(said, ": ") - 2);
        what = slice_of(said + strcspn(said, " ") + (said[strcspn(said, " ")] == ' '));
    }
    (void)snprintf(name, sizeof name, "%.*s", (int)column.len, column.at);
    import_problem(report, line, name, (const char *)what.at);
}

PbImport *import_case_of(struct ctl *c, const struct import_columns *columns, const struct csv_row *row,
                         struct arena *room, struct import_report *report) {
    char *words[CSV_COLUMNS_MAX + 1], problem[256], what[WHAT_BYTES];
    struct case_cells l = {.level = -1};
    if (row->count != columns->count) {
        (void)snprintf(what, sizeof what, say(c, "%u 个单元格，而表头有 %u 个", "%u cells, and the header has %u"),
                       row->count, columns->count);
        return import_problem(report, row->line, "", what), NULL;
    }
    int count = words_of(columns, row, room, words);
    if (arguments_parse(c, &import_case_columns, count, words, &l, problem) != 0)
        return problem_of(report, row->line, problem), NULL;
    return build(&l, row->line, room, report);
}

/* ---- by the rules ------------------------------------------------------------------------------------------------ */

/* The columns are called as the fields are: place.division, opened_at_ms. */
static void column_of_field(const char *field, char to[static 64]) {
    struct slice s = slice_of(field ? field : ""), rest = s, end = SLICE("_ms");
    if (slice_starts(s, SLICE("place.")))
        s = slice_from(s.at + 6, s.len - 6);
    if (s.len > end.len && slice_equal(slice_from(s.at + s.len - end.len, end.len), end))
        s.len -= end.len;
    (void)slice_cut(s, '_', &rest, &end);
    if (slice_equal(end, SLICE("e7")))
        s = rest;
    (void)snprintf(to, 64, "%.*s", (int)(s.len < 60 ? s.len : 60), s.at);
}

bool import_case_fits(const PbImport *import, const PbRules *rules, uint32_t number, int64_t now_ms, const char *origin,
                      unsigned line, struct arena *room, struct import_report *report) {
    static struct case_state none;
    static struct decision decision;
    struct order order = {.kind = ORDER_IMPORT, .import = import};
    struct decide_input in = {
        .state = &none, .rules = rules, .rules_number = number, .rules_now = rules, .rules_now_number = number,
        .now_ms = now_ms, .source = SLICE("import"), .origin = slice_of(origin), .day_number = 1, .slot = 1,
        .room = room,
    };
    char column[64];
    decide(&in, &order, &decision);
    if (!decision.refusal)
        return true;
    const struct sentence *s = sentence_of(decision.refusal);
    column_of_field(decision.field, column);
    import_problem(report, line, column, say(report->c, s->zh, s->en));
    return false;
}
