/* list.c: `list`: cases of a division, a line each. */
#include "ctl/commands.h"

#include <stdio.h>

enum { LIST_LIMIT = 50, LIST_PAGE = 200 };

struct list_line {
    uint64_t division, limit;
    bool all;
};

#define AT(field) offsetof(struct list_line, field)
static const struct argument table[] = {
    {"--division", "CODE", ARGUMENT_DIVISION, AT(division),
     BOTH("只看这里；不写则为全部", "only what happened there; left out: everywhere"), false},
    {"--all", NULL, ARGUMENT_FLAG, AT(all),
     BOTH("也列已结束的案件", "ended cases, too"), false},
    {"--limit", "N", ARGUMENT_NUMBER, AT(limit),
     BOTH("最多列多少件（50）", "so many at most (50)"), false},
};
#undef AT

const struct command_line list_command = {
    "list", BOTH("列出未结案件",
         "lists open cases"), table, COUNT_OF(table),
    BOTH("--json：一页一行。",
         "With --json: one reply a page, a page a line."),
};

struct listing {
    struct ctl *c;
    const struct list_line *l;
    struct sheet *t;
    uint64_t listed;
    bool more;                                       /* than were asked for */
};

/* ---- the table --------------------------------------------------------------------------------------------------- */

void case_sheet(const struct ctl *c, struct sheet **ret) {
    static const char *const heads[] = {
        BOTH("编号", "NUMBER"), BOTH("案件", "CASE"), BOTH("状态", "STATE"), BOTH("层级", "LEVEL"),
        BOTH("类别", "CATEGORY"), BOTH("地点", "PLACE"), BOTH("上报时间", "OPENED"), BOTH("等待", "WAITS FOR"),
        BOTH("到期", "DUE"), BOTH("余", "LEFT"),
    };
    sheet_headed(c, ret, heads, COUNT_OF(heads));
    sheet_align(*ret, 1, ALIGN_RIGHT);
}

void case_row(const struct ctl *c, struct sheet *t, const PbCaseView *v) {
    const char *name = c->language == LANGUAGE_ZH ? v->category_zh : v->category_en;
    char opened[PRINTED_BYTES], due[PRINTED_BYTES] = "-", left[PRINTED_BYTES] = "-";
    const PbTimerView *next = next_limit(v);
    print_instant(c, v->opened_at_ms, opened);
    if (next) {
        print_instant(c, next->due_ms, due);
        print_left(c, next->due_ms, left);
    }
    sheet_cell(t, "%s", v->number ? v->number : "-");
    sheet_cell(t, "%llu", (unsigned long long)v->case_id);
    sheet_cell(t, "%s%s", word_state(c->language, v->state), v->overdue ? "!" : "");
    sheet_cell(t, "%s", word_level(c->language, v->level));
    sheet_cell(t, "%s %s", v->category ? v->category : "-", name ? name : "");
    sheet_cell(t, "%llu %s", v->place ? (unsigned long long)v->place->division : 0ULL,
               v->division_zh ? v->division_zh : "");
    sheet_cell(t, "%.16s", opened);
    sheet_cell(t, "%s", v->waiting_for ? v->waiting_for : "-");
    sheet_cell(t, "%.16s", due);
    sheet_cell(t, "%s", left);
}

/* ---- the pages --------------------------------------------------------------------------------------------------- */

static int list_page(struct listing *g, PbListCases *l, const PbCaseList **ret) {
    PbEnvelope e = {.command_case = COMMAND_LIST_CASES, .list_cases = l};
    const PbReply *reply;
    uint64_t wanted = g->l->limit - g->listed;
    l->count = wanted < LIST_PAGE ? (uint32_t)wanted : LIST_PAGE;
    int r = ctl_call(g->c, &e, &reply);
    if (r)
        return r;
    CHECK(reply->reply_case == REPLY_LIST);
    if (g->c->json && reply->list->n_cases)
        json_print(CODEC_REPLY, reply);
    *ret = reply->list;
    return CTL_DONE;
}

static int list_prefix(struct listing *g, uint64_t prefix) {
    PbListCases l = {.has_prefix = true, .prefix = prefix, .has_open_only = true, .open_only = !g->l->all,
                     .has_count = true};
    for (bool more = true; more && !g->more;) {
        const PbCaseList *page;
        int r = list_page(g, &l, &page);
        if (r)
            return r;
        for (size_t i = 0; i < page->n_cases; i++, g->listed++)
            if (!g->c->json)
                case_row(g->c, g->t, page->cases[i]);
        more = page->more;
        g->more = more && g->listed >= g->l->limit;
        if (more) {
            l.has_after_case_id = true;
            l.after_case_id = page->next_after;
        }
    }
    return CTL_DONE;
}

static void close_table(struct listing *g) {
    print_drill_banner(g->c);
    sheet_close(g->t, stdout);
    if (g->listed == 0)
        puts(say(g->c, "没有案件", "there are no cases"));
    if (g->more)
        puts(say(g->c, "还有更多，请用 --limit", "there are more: --limit shows them"));
}

int list_main(struct ctl *c, int argc, char **argv) {
    struct list_line l = {.limit = LIST_LIMIT};
    struct listing g = {.c = c, .l = &l};
    int r = arguments_read(c, argc, argv, &l);
    if (r)
        return r;
    if (l.limit < 1 || l.limit >= SHEET_ROWS_MAX)
        return usage(c, "--limit 为 1 至 %d", "--limit is 1 to %d", SHEET_ROWS_MAX - 1);
    if (!c->json)
        case_sheet(c, &g.t);
    r = list_prefix(&g, l.division);
    if (r == CTL_DONE && !c->json)
        close_table(&g);
    return r;
}
