/* desk.c: what a desk looks at and what an operator switches: `inbox`, `dead list`, `similar`, `drain`. */
#include "ctl/commands.h"
#include "daemon/kernel/kernel.h"

#include <stdio.h>

enum { PAGE = 50, PAGE_MOST = 200 };

struct desk_line {
    const char *party, *which;
    uint64_t division;
    int level, on;
    bool all;
    struct command_id id;
};

#define AT(field) offsetof(struct desk_line, field)
static const struct argument inbox_table[] = {
    {"PARTY", NULL, ARGUMENT_TEXT, AT(party), BOTH("谁的", "whose: a party such as grid-worker@610402006001003"), false},
    {"--desk", "DIVISION", ARGUMENT_DIVISION, AT(division), BOTH("或：哪个区划的值守席", "or the desk of that division"), false},
    {"--level", "LEVEL", ARGUMENT_LEVEL, AT(level), BOTH("值守席的层级；不写则由区划代码定", "its level; left out: the code's"), false},
    {"--all", NULL, ARGUMENT_FLAG, AT(all), BOTH("全部，不止第一页", "all of it, not only the first page"), false},
};
static const struct argument dead_table[] = {
    {"--division", "CODE", ARGUMENT_DIVISION, AT(division), BOTH("只看这里的", "only what happened there"), false},
};
static const struct argument similar_table[] = {CASE_ARGUMENT(AT(which))};
static const struct argument drain_table[] = {
    {"on|off", NULL, ARGUMENT_SWITCH, AT(on),
     BOTH("开：不再接收新上报；关：恢复", "on: no new reports; off: they are taken again"), true},
    ID_ARGUMENT(AT(id)),
};
#undef AT

const struct command_line inbox_command = {
    "inbox", BOTH("等我办的：按到期先后，附时限已用比例", "what waits for a party or a desk, soonest due first"), inbox_table,
    COUNT_OF(inbox_table),
    BOTH("比例按时限自己的钟计算（工作时、工作日）；! 为已逾期。",
         "The bar is the share of the limit that is used, on its own clock (working hours, days); ! is overdue."),
};
const struct command_line dead_list_command = {
    "dead list", BOTH("死信：值守程序放弃了的案件", "lists dead letters: cases that the desks' workers gave up"), dead_table,
    COUNT_OF(dead_table), NULL,
};
const struct command_line similar_command = {
    "similar", BOTH("可能是同一件事的未结案件", "lists open cases that may be the same matter"), similar_table,
    COUNT_OF(similar_table),
    BOTH("同类、50 米内或同一社区、72 小时内。并案用 merge。",
         "The same class, within 50 m or the same community, within 72 h. `merge` lets one follow the other."),
};
const struct command_line drain_command = {
    "drain", BOTH("停收新上报，已有的照常办", "refuses new reports while what is there is finished"), drain_table,
    COUNT_OF(drain_table), BOTH("重启后恢复接收。", "A restart takes reports again."),
};

/* ---- inbox ------------------------------------------------------------------------------------------------------- */

static void inbox_heads(const struct ctl *c, struct sheet **ret) {
    static const char *const heads[] = {
        BOTH("编号", "NUMBER"), BOTH("案件", "CASE"), BOTH("状态", "STATE"), BOTH("类别", "CATEGORY"),
        BOTH("地点", "PLACE"), BOTH("等待", "TO DO"), BOTH("角色", "ROLE"), BOTH("到期", "DUE"), BOTH("余", "LEFT"),
        BOTH("已用", "USED"),
    };
    sheet_headed(c, ret, heads, COUNT_OF(heads));
    sheet_align(*ret, 1, ALIGN_RIGHT);
}

static void inbox_row(const struct ctl *c, struct sheet *t, const PbInboxItem *i, bool asked_of_party) {
    const PbCaseView *v = i->case_view;
    const char *name = c->language == LANGUAGE_ZH ? v->category_zh : v->category_en;
    char due[PRINTED_BYTES], left[PRINTED_BYTES], bar[PRINTED_BYTES];
    print_instant(c, i->due_ms, due);
    print_left(c, i->due_ms, left);
    print_used(i->budget_percent, bar);
    sheet_cell(t, "%s", v->number ? v->number : "-");
    sheet_cell(t, "%llu", (unsigned long long)v->case_id);
    sheet_cell(t, "%s%s", word_state(c->language, v->state), v->overdue ? "!" : "");
    sheet_cell(t, "%s %s", v->category ? v->category : "-", name ? name : "");
    sheet_cell(t, "%llu", v->place ? (unsigned long long)v->place->division : 0ULL);
    sheet_cell(t, "%s", word_timer(c->language, i->waits_for));
    sheet_cell(t, "%s", !asked_of_party ? say(c, "值守席", "desk")
                        : i->lead ? say(c, "主办", "lead") : say(c, "协办", "helps"));
    sheet_cell(t, "%.16s", due);
    sheet_cell(t, "%s", left);
    sheet_cell(t, "%s", bar);
}

static int inbox_question(const struct ctl *c, const struct desk_line *l, PbShowInbox *to) {
    if ((l->party != NULL) == (l->division != 0))
        return usage(c, "请写谁的：PARTY，或 --desk DIVISION", "say whose: a PARTY, or --desk DIVISION");
    if (l->level >= 0 && !l->division)
        return usage(c, "--level 与 --desk DIVISION 同用", "--level goes with --desk DIVISION");
    *to = (PbShowInbox){.party = (char *)l->party, .has_count = true, .count = l->all ? PAGE_MOST : PAGE};
    if (l->division) {
        to->has_division = to->has_level = true;
        to->division = l->division;
        to->level = l->level >= 0 ? (PbLevel)l->level : division_level(l->division);
    }
    return CTL_DONE;
}

static void inbox_foot(const struct ctl *c, uint32_t waiting, uint32_t overdue, bool more) {
    if (c->language == LANGUAGE_ZH)
        printf("%u 件待办，%u 件逾期\n", waiting, overdue);
    else
        printf("%u waiting, %u overdue\n", waiting, overdue);
    if (more)
        puts(say(c, "还有更多，请用 --all", "there are more: --all shows them"));
}

int inbox_main(struct ctl *c, int argc, char **argv) {
    struct desk_line l = {.level = -1};
    PbShowInbox show;
    struct sheet *t = NULL;
    uint32_t waiting = 0, overdue = 0;
    int r = arguments_read(c, argc, argv, &l);
    if (r == CTL_DONE)
        r = inbox_question(c, &l, &show);
    bool more = true;
    for (bool first = true; r == CTL_DONE && more && (first || l.all); first = false) {
        PbEnvelope e = {.command_case = COMMAND_SHOW_INBOX, .show_inbox = &show};
        const PbReply *reply;
        r = ctl_call(c, &e, &reply);
        if (r)
            break;
        CHECK(reply->reply_case == REPLY_INBOX);
        const PbInbox *page = reply->inbox;
        if (c->json)
            json_print(CODEC_REPLY, reply);
        else if (first)
            inbox_heads(c, &t), waiting = page->waiting, overdue = page->overdue;
        for (size_t i = 0; t && i < page->n_items; i++)
            inbox_row(c, t, page->items[i], l.party != NULL);
        more = page->more && page->n_items;
        if (more) {
            const PbInboxItem *last = page->items[page->n_items - 1];
            show.has_after_due_ms = show.has_after_case_id = true;
            show.after_due_ms = last->due_ms;
            show.after_case_id = last->case_view->case_id;
        }
    }
    if (t && r == CTL_DONE) {
        print_drill_banner(c);
        sheet_close(t, waiting ? stdout : NULL);
        inbox_foot(c, waiting, overdue, more);
    }
    return r;
}

/* ---- lists of cases ---------------------------------------------------------------------------------------------- */

static void print_cases(const struct ctl *c, const PbCaseList *list, struct sheet *t) {
    for (size_t i = 0; i < list->n_cases; i++)
        case_row(c, t, list->cases[i]);
}

static void close_cases(const struct ctl *c, struct sheet *t, size_t count, const char *zh, const char *en) {
    print_drill_banner(c);
    sheet_close(t, count ? stdout : NULL);
    if (count == 0)
        puts(say(c, zh, en));
}

int dead_list_main(struct ctl *c, int argc, char **argv) {
    struct desk_line l = {.level = -1};
    struct sheet *t = NULL;
    size_t count = 0;
    int r = arguments_read(c, argc, argv, &l);
    PbListDead dead = {.has_prefix = l.division != 0, .prefix = l.division, .has_count = true, .count = PAGE_MOST};
    for (bool more = r == CTL_DONE; more;) {
        PbEnvelope e = {.command_case = COMMAND_LIST_DEAD, .list_dead = &dead};
        const PbReply *reply;
        r = ctl_call(c, &e, &reply);
        if (r)
            break;
        CHECK(reply->reply_case == REPLY_LIST);
        if (c->json)
            json_print(CODEC_REPLY, reply);
        else if (!t)
            case_sheet(c, &t);
        if (t)
            print_cases(c, reply->list, t);
        count += reply->list->n_cases;
        more = reply->list->more;
        dead.has_after_case_id = true;
        dead.after_case_id = reply->list->next_after;
    }
    if (t)
        close_cases(c, t, count, "没有死信", "there are no dead letters");
    return r;
}

int similar_main(struct ctl *c, int argc, char **argv) {
    struct desk_line l = {.level = -1};
    const PbCaseView *v;
    const PbReply *reply;
    struct sheet *t;
    int r = arguments_read(c, argc, argv, &l);
    if (r == CTL_DONE)
        r = ask_case(c, l.which, &v);
    if (r)
        return r;
    PbFindSimilar find = {.has_case_id = true, .case_id = v->case_id};
    PbEnvelope e = {.command_case = COMMAND_FIND_SIMILAR, .find_similar = &find};
    r = ctl_call(c, &e, &reply);
    if (r)
        return r;
    CHECK(reply->reply_case == REPLY_LIST);
    if (c->json)
        return json_print(CODEC_REPLY, reply), CTL_DONE;
    case_sheet(c, &t);
    print_cases(c, reply->list, t);
    close_cases(c, t, reply->list->n_cases, "没有相似的未结案件", "no open case is like it");
    return CTL_DONE;
}

/* ---- draining ---------------------------------------------------------------------------------------------------- */

int drain_main(struct ctl *c, int argc, char **argv) {
    struct desk_line l = {.level = -1};
    const PbReply *reply;
    int r = arguments_read(c, argc, argv, &l);
    if (r)
        return r;
    PbDrain drain = {.has_on = true, .on = l.on != 0};
    PbEnvelope e = {.command_case = COMMAND_DRAIN, .drain = &drain, .has_command_id = l.id.given,
                    .command_id = {.len = COMMAND_ID_SIZE, .data = l.id.byte}};
    r = ctl_call(c, &e, &reply);
    if (r == CTL_DONE && c->json)
        json_print(CODEC_REPLY, reply);
    else if (r == CTL_DONE)
        puts(l.on ? say(c, "已停收新上报", "new reports are refused from now on")
                  : say(c, "已恢复接收新上报", "new reports are taken again"));
    return r;
}
