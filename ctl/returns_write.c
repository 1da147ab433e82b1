/* returns_write.c: rows -> CSV, a figure a line: what is counted, out of what, and the share. Each line says of what
 * period, which row and which figure it is, so that lines of many returns can be put into one table. */
#include "ctl/csv.h"
#include "ctl/returns_internal.h"

enum { NONE = SUMS };

/* part of whole; NONE: a count alone. of_all: whole contains part, so that the rest of it must be masked, too. */
struct figure { const char *zh, *en; uint8_t part, whole; bool of_all; };

#define LEVEL_FIGURES(level, zh, en) \
    {zh "升级·超时", en ": escalated, a limit was over / came there", TICK_ROSE_BY_LIMIT + level, TICK_CAME + level, \
     false}, \
    {zh "升级·主动", en ": escalated, asked for help / came there", TICK_ROSE_BY_CHOICE + level, TICK_CAME + level, \
     false}

static const struct figure figures[] = {
    {"上报数", "reported", TICK_REPORTED, NONE, false},
    {"作废数", "void, in no other figure", SUM_VOID, NONE, false},
    {"随手办结率", "self-handled / reported", TICK_SELF_HANDLED, TICK_REPORTED, true},
    {"未诉先办率", "found on patrol / reported", TICK_FROM_PATROL, TICK_REPORTED, true},
    {"并案率", "merged / reported", TICK_MERGED, TICK_REPORTED, false},
    {"不予受理·不属职责", "rejected, out of scope / reported", TICK_OUT_OF_SCOPE, TICK_REPORTED, false},
    {"不予受理·重复", "rejected, duplicate / reported", TICK_DUPLICATE, TICK_REPORTED, false},
    {"不予受理·不属实", "rejected, not a fact / reported", TICK_NOT_A_FACT, TICK_REPORTED, false},
    {"不予受理·属其他机关", "rejected, elsewhere / reported", TICK_ELSEWHERE, TICK_REPORTED, false},
    {"撤回率", "withdrawn / reported", TICK_WITHDRAWN, TICK_REPORTED, false},
    {"申诉数", "appealed", TICK_APPEALED, NONE, false},
    {"24小时响应率", "answered within 24 h / due", SUM_RESPONDED, SUM_RESPONSE_OVER, true},
    {"派遣数", "dispatched", TICK_DISPATCHED, NONE, false},
    {"及时签收率", "signed in time / signing due", TICK_SIGNED_IN_TIME, TICK_SIGNING_OVER, true},
    {"退回率", "returned / dispatched", TICK_RETURNED, TICK_DISPATCHED, false},
    {"错派率", "returns upheld / dispatched", TICK_UPHELD, TICK_DISPATCHED, false},
    {"应处置数", "due", SUM_DUE, NONE, false},
    {"处置率", "resolved and verified / due", SUM_DUE_RESOLVED, SUM_DUE, true},
    {"按时处置率", "resolved in time / due", SUM_DUE_ON_TIME, SUM_DUE, true},
    {"结案率", "closed / due", SUM_DUE_CLOSED, SUM_DUE, true},
    {"按时结案率", "closed in time / due", SUM_DUE_CLOSED_ON_TIME, SUM_DUE, true},
    {"返工率", "rework / resolved", TICK_REWORK, TICK_RESOLVED, false},
    {"延期申请率", "extensions asked / handled", TICK_EXTENSION_ASKED, SUM_HANDLED, false},
    {"延期率", "extensions granted / handled", TICK_EXTENDED, SUM_HANDLED, false},
    {"延期驳回率", "extensions refused / handled", TICK_EXTENSION_REFUSED, SUM_HANDLED, false},
    {"挂账率", "suspended / handled", TICK_SUSPENDED, SUM_HANDLED, false},
    {"期末挂账占比", "suspended at the end / open at the end", SUM_SUSPENDED_NOW, SUM_OPEN, true},
    {"期末超期占比", "overdue at the end / open at the end", SUM_OVERDUE, SUM_OPEN, true},
    LEVEL_FIGURES(LEVEL_GRID, "网格", "grid"),
    LEVEL_FIGURES(LEVEL_COMMUNITY, "社区", "community"),
    LEVEL_FIGURES(LEVEL_STREET, "街道", "street"),
    LEVEL_FIGURES(LEVEL_DISTRICT, "区", "district"),
    {"下沉数", "delegated", TICK_DELEGATED, NONE, false},
    {"催办数", "reminded", TICK_REMINDED, NONE, false},
    {"督办数", "supervised", TICK_SUPERVISED, NONE, false},
    {"结案数", "closed, without self-handled", TICK_CLOSED, NONE, false},
    {"复发率", "came back within 30 days / closed", SUM_RECURRED, SUM_CASES_CLOSED, true},
    {"重开率", "reopened / closed", TICK_REOPENED, TICK_CLOSED, false},
    {"回访答复率·解决", "solved answered / asked", SUM_SOLVED_ANSWERED, SUM_ASKED, true},
    {"解决率", "solved / answered", SUM_SOLVED, SUM_SOLVED_ANSWERED, true},
    {"回访答复率·满意", "satisfied answered / asked", SUM_SATISFIED_ANSWERED, SUM_ASKED, true},
    {"满意率", "satisfied / answered", SUM_SATISFIED, SUM_SATISFIED_ANSWERED, true},
    {"移交率", "transferred / reported", TICK_TRANSFERRED, TICK_REPORTED, false},
    {"移交确认率", "transfers acknowledged / transferred", TICK_TRANSFER_ACKED, TICK_TRANSFERRED, false},
    {"吹哨率", "whistles / reported", TICK_WHISTLES, TICK_REPORTED, false},
    {"报到及时率", "present in time / called", TICK_PRESENT, TICK_CALLED, true},
};

static const char *const scopes[] = {
    [SCOPE_WHOLE] = "全部 whole", [SCOPE_STREET] = "街道 street", [SCOPE_COMMUNITY] = "社区 community",
    [SCOPE_CATEGORY] = "类别 category",
};

static const char *const waits[] = {
    [WAIT_DESK] = "待值守席|the desk", [WAIT_SIGNING] = "待签收|signing", [WAIT_HANDLING] = "办理中|handling",
    [WAIT_SUSPENDED] = "挂起|the hold", [WAIT_VERIFIER] = "待核查|the verifier", [WAIT_REPORTER] = "待回访|the reporter",
    [WAIT_ELSEWHERE] = "待移交确认|another authority", [AGE_OF_HOLD] = "期末挂账时长|age of holds at the end",
};

static const char *const levels_zh[] = {"网格", "社区", "街道", "区", "市", "省"};
static const char *const levels_en[] = {"grid", "community", "street", "district", "city", "province"};

struct writing { const struct returns *r; struct csv_out out; bool masked; };

/* ---- cells ------------------------------------------------------------------------------------------------------- */

static bool is_small(uint64_t n) {
    return n > 0 && n < RETURNS_MASK_BELOW;
}

static void number(struct writing *w, uint64_t n, bool hidden) {
    if (hidden)
        csv_text(&w->out, "<%d", RETURNS_MASK_BELOW);
    else
        csv_text(&w->out, "%llu", (unsigned long long)n);
}

/* In basis points, halves up. */
static void share(struct writing *w, uint64_t part, uint64_t whole) {
    uint64_t points = (part * 20000 + whole) / (2 * whole);
    csv_text(&w->out, "%llu.%02llu%%", (unsigned long long)(points / 100), (unsigned long long)(points % 100));
}

/* Which period, up to which seq, which row. */
static void row_begin(struct writing *w, uint8_t scope, uint64_t code) {
    const struct returns *r = w->r;
    const struct period *p = &r->o.period;
    unsigned year = p->first_date / 10000, month = p->first_date / 100 % 100, day = p->first_date % 100;
    if (p->monthly)
        csv_text(&w->out, "%04u-%02u", year, month);
    else
        csv_text(&w->out, "%04u-%02u-%02u", year, month, day);
    csv_text(&w->out, "%llu", (unsigned long long)r->last_seq);
    csv_cell(&w->out, slice_of(scopes[scope]));
    const char *category = scope == SCOPE_CATEGORY ? r->categories[code - 1] : NULL, *name = NULL;
    const PbDivision *division = scope == SCOPE_WHOLE || category || !r->rules ? NULL : rules_division(r->rules, code);
    const PbCategory *known = category && r->rules ? rules_category(r->rules, slice_of(category)) : NULL;
    name = division ? division->name_zh : known ? known->name_zh : NULL;
    if (category)
        csv_cell(&w->out, slice_of(category));
    else if (scope == SCOPE_WHOLE)
        csv_cell(&w->out, SLICE(""));
    else
        csv_text(&w->out, "%llu", (unsigned long long)code);
    csv_cell(&w->out, slice_of(name ? name : ""));
}

/* ---- lines ------------------------------------------------------------------------------------------------------- */

/* A count or a share of nothing is told of the whole only: a row that is not there is nothing of nothing. */
static void figure_line(struct writing *w, const struct row *row, const struct figure *f) {
    uint64_t part = row->sum[f->part], whole = f->whole == NONE ? 0 : row->sum[f->whole];
    if (row->scope != SCOPE_WHOLE && part == 0 && whole == 0)
        return;
    bool hide_whole = w->masked && is_small(whole);
    bool hide_part = w->masked && (is_small(part) || (f->of_all && is_small(whole - part)) || (hide_whole && part));
    row_begin(w, row->scope, row->code);
    csv_cell(&w->out, slice_of(f->zh));
    csv_cell(&w->out, slice_of(f->en));
    number(w, part, hide_part);
    if (f->whole == NONE)
        csv_cell(&w->out, SLICE(""));
    else
        number(w, whole, hide_whole);
    if (whole && !hide_part && !hide_whole)
        share(w, part, whole);
    else
        csv_cell(&w->out, SLICE(""));
    csv_end(&w->out);
}

static void stays_line(struct writing *w, const struct row_stays *s, unsigned percent, int64_t ms) {
    struct slice zh, en;
    CHECK(s->level < COUNT_OF(levels_zh) && slice_cut(slice_of(waits[s->wait]), '|', &zh, &en));
    row_begin(w, s->scope, s->code);
    csv_text(&w->out, "停留时长p%u（分钟）·%s·%.*s", percent, levels_zh[s->level], (int)zh.len, (const char *)zh.at);
    csv_text(&w->out, "stay p%u (min), %s, %.*s / stays", percent, levels_en[s->level], (int)en.len,
             (const char *)en.at);
    bool hidden = w->masked && is_small(s->count);
    if (hidden)
        csv_cell(&w->out, SLICE(""));
    else
        csv_text(&w->out, "%lld", (long long)(ms / 60000));
    number(w, s->count, hidden);
    csv_cell(&w->out, SLICE(""));
    csv_end(&w->out);
}

static void scope_lines(struct writing *w, enum scope scope) {
    const struct returns *r = w->r;
    for (size_t i = 0; i < r->rows_count; i++)
        for (size_t f = 0; r->rows[i].scope == scope && f < COUNT_OF(figures); f++)
            figure_line(w, &r->rows[i], &figures[f]);
    for (size_t i = 0; i < r->row_stays_count; i++) {
        const struct row_stays *s = &r->row_stays[i];
        if (s->scope != scope)
            continue;
        stays_line(w, s, 50, s->p50_ms);
        stays_line(w, s, 90, s->p90_ms);
    }
}

void returns_write(const struct returns *r, bool masked, void *file) {
    static const char *const head[] = {"期间 period", "截至序号 as of seq", "范围 scope", "代码 code", "名称 name", "指标",
                                       "figure", "分子 part", "分母 of", "比率 share"};
    struct writing w = {.r = r, .masked = masked};
    csv_begin(&w.out, file);
    for (size_t i = 0; i < COUNT_OF(head); i++)
        csv_cell(&w.out, slice_of(head[i]));
    csv_end(&w.out);
    for (int scope = 0; scope < SCOPES; scope++)
        scope_lines(&w, (enum scope)scope);
}
