/* show.c: `show`: a case's story. Who was asked, who is silent, each limit, and why it went where it went. */
#include "ctl/commands.h"

#include <stdio.h>
#include <string.h>

enum { STORY_COLUMNS = 400, TEXT_COLUMNS = 4096 };

struct show_line { const char *which; };

static const struct argument table[] = {
    CASE_ARGUMENT(offsetof(struct show_line, which)),
};
const struct command_line show_command = {
    "show", BOTH("案件的经过：派给谁、谁没回应、各项时限、为何这样流转",
         "tells a case's story: who was asked, who is silent, each limit, and why it went where it went"), table,
    COUNT_OF(table),
    BOTH("--json：经过一页一行。",
         "With --json: one reply a page of the story, a page a line."),
};

/* ---- the head ---------------------------------------------------------------------------------------------------- */

static const char *or_dash(const char *text) {
    return text && *text ? text : "-";
}

static void print_text(const struct ctl *c, const char *zh, const char *en, const char *text) {
    char clean[4 * 2048];
    if (!text || !*text)
        return;
    text_clean(text, TEXT_COLUMNS, clean, sizeof clean);
    printf("  %s%s%s\n", say(c, zh, en), say(c, "：", ": "), clean);
}

static void print_place(const struct ctl *c, const PbCaseView *v) {
    const PbPlace *p = v->place;
    if (!p)
        return;
    printf("  %s%s%s %llu", say(c, "地点", "place"), say(c, "：", ": "), or_dash(v->division_zh),
           (unsigned long long)p->division);
    if (p->wall != WALL_UNKNOWN)
        printf(" (%s)", word_wall(c->language, p->wall));
    if (p->has_lon_e7 && p->has_lat_e7)
        printf(" %.5f, %.5f", p->lat_e7 / 1e7, p->lon_e7 / 1e7);
    putchar('\n');
}

static void print_counts(const struct ctl *c, const PbCaseView *v) {
    const struct { const char *zh, *en; unsigned times; } counts[] = {
        {"催办", "reminded", v->reminders}, {"升级", "escalated", v->escalations},
        {"督办", "supervised", v->supervised}, {"返工", "sent back", v->reworks},
        {"退回", "returned", v->returns},      {"延期", "extended", v->extensions},
        {"挂起", "suspended", v->suspensions}, {"重开", "reopened", v->reopens},
        {"下沉", "delegated", v->delegations}, {"并入案件", "cases follow it", v->followers},
    };
    for (size_t i = 0; i < COUNT_OF(counts); i++)
        if (counts[i].times)
            printf("  %s %u×", say(c, counts[i].zh, counts[i].en), counts[i].times);
    if (v->overdue)
        printf("  %s", say(c, "已逾期", "OVERDUE"));
    if (v->self_handled)
        printf("  %s", say(c, "随手办结", "handled on the spot"));
    if (v->work_dead)
        printf("  %s", say(c, "值守程序已放弃，等时限推动", "given up by the workers: a deadline will move it"));
}

/* What leads off the main way, where it does. */
static void print_detours(const struct ctl *c, const PbCaseView *v) {
    const struct { bool holds; const char *zh, *en; } marks[] = {
        {v->exercise, "演练案件", "an exercise"},
        {v->extension_asked, "延期待批", "more time is asked for, and not decided"},
        {v->arbitrated, "已裁定", "it was ruled who does it"},
        {v->void_asked, "作废待另一人确认", "to be void, once another person says so"},
    };
    for (size_t i = 0; i < COUNT_OF(marks); i++)
        if (marks[i].holds)
            printf("  %s\n", say(c, marks[i].zh, marks[i].en));
    print_text(c, "并入", "follows", v->master_number);
    print_text(c, "来自系统", "from the system", v->origin);
    if (v->authority)
        printf("  %s%s%s\n", say(c, "移交", "transferred to"), say(c, "：", " "),
               word_authority(c->language, v->authority));
    if (v->solved || v->satisfied)
        printf("  %s%s, %s%s\n", say(c, "回访：解决 ", "the reporter said: solved "), word_opinion(c->language, v->solved),
               say(c, "满意 ", "satisfied "), word_opinion(c->language, v->satisfied));
}

static void print_head(const struct ctl *c, const PbCaseView *v) {
    char at[PRINTED_BYTES], zone[PRINTED_BYTES];
    print_instant(c, v->opened_at_ms, at);
    print_zone(c, zone);
    printf("%s  %s %llu  %s, %s", or_dash(v->number), say(c, "案件", "case"), (unsigned long long)v->case_id,
           word_state(c->language, v->state), word_level(c->language, v->level));
    print_counts(c, v);
    printf("\n  %s%s%s %s  %s\n", say(c, "类别", "category"), say(c, "：", ": "), or_dash(v->category),
           or_dash(c->language == LANGUAGE_ZH ? v->category_zh : v->category_en),
           v->urgency ? word_urgency(c->language, v->urgency) : "");
    print_place(c, v);
    print_text(c, "地址", "address", v->address);
    print_text(c, "内容", "text", v->text);
    print_text(c, "外部编号", "external id", v->external_id);
    printf("  %s%s%s (%s)  %s %s, %s %u, %s %u\n", say(c, "上报", "reported"), say(c, "：", ": "), at, zone,
           say(c, "预案", "playbook"), or_dash(v->playbook), say(c, "阶段", "stage"), v->stage,
           say(c, "轮次", "attempt"), v->attempt);
    print_detours(c, v);
}

/* ---- what it waits for ------------------------------------------------------------------------------------------- */

static void print_waiting(const struct ctl *c, const PbCaseView *v) {
    char due[PRINTED_BYTES], left[PRINTED_BYTES];
    const PbTimerView *next = next_limit(v);
    if (!v->waiting_for || !next)
        return;
    print_instant(c, next->due_ms, due);
    print_left(c, next->due_ms, left);
    printf("  %s%s%s (%s), %s %s: %s\n", say(c, "正在等待", "waits for"), say(c, "：", ": "), v->waiting_for,
           word_timer(c->language, next->kind), say(c, "至", "until"), due, left);
}

/* Since when: the answer's instant, or how long they have said nothing. */
static void since_cell(const struct ctl *c, struct sheet *t, const PbAskView *a, bool open) {
    char text[PRINTED_BYTES];
    if (a->answered_at_ms) {
        print_instant(c, a->answered_at_ms, text);
        sheet_cell(t, "%s", text);
    } else if (open && strcmp(a->status, "asked") == 0) {
        print_span(c, c->now_ms - a->asked_at_ms, text);
        sheet_cell(t, "%s %s", say(c, "已沉默", "silent for"), text);
    } else {
        sheet_cell(t, "-");
    }
}

static void print_asks(const struct ctl *c, const PbCaseView *v) {
    static const char *const heads[] = {
        BOTH("主体", "PARTY"), BOTH("名称", "NAME"), BOTH("层级", "LEVEL"), BOTH("主办", "LEAD"),
        BOTH("阶段/轮次", "STAGE/ATTEMPT"), BOTH("派单时间", "ASKED"), BOTH("状态", "STATUS"), BOTH("时间", "SINCE"),
    };
    struct sheet *t;
    char asked[PRINTED_BYTES];
    if (v->n_asks == 0)
        return;
    sheet_headed(c, &t, heads, COUNT_OF(heads));
    for (size_t i = 0; i < v->n_asks; i++) {
        const PbAskView *a = v->asks[i];
        print_instant(c, a->asked_at_ms, asked);
        sheet_cell(t, "%s", or_dash(a->party));
        sheet_cell(t, "%s", or_dash(a->name_zh));
        sheet_cell(t, "%s", word_level(c->language, a->level));
        sheet_cell(t, "%s", a->lead ? say(c, "主办", "lead") : say(c, "协办", "helps"));
        sheet_cell(t, "%u/%u", a->stage, a->attempt);
        sheet_cell(t, "%s", asked);
        sheet_cell(t, "%s", word_ask(c->language, a->status));
        since_cell(c, t, a, v->waiting_for != NULL);
    }
    printf("\n%s\n", say(c, "派单", "Who was asked"));
    sheet_close(t, stdout);
}

static void print_timers(const struct ctl *c, const PbCaseView *v) {
    static const char *const heads[] = {
        BOTH("时限", "LIMIT"), BOTH("到期", "DUE"), BOTH("余", "LEFT"), BOTH("预算", "BUDGET"),
        BOTH("起算", "COUNTS FROM"), BOTH("说明", "NOTE"),
    };
    struct sheet *t;
    char due[PRINTED_BYTES], left[PRINTED_BYTES], budget[PRINTED_BYTES], start[PRINTED_BYTES];
    if (v->n_timers == 0)
        return;
    sheet_headed(c, &t, heads, COUNT_OF(heads));
    for (size_t i = 0; i < v->n_timers; i++) {
        const PbTimerView *m = v->timers[i];
        print_instant(c, m->due_ms, due);
        print_left(c, m->due_ms, left);
        print_limit(m->limit, budget);
        print_instant(c, m->start_ms, start);
        sheet_cell(t, "%s", word_timer(c->language, m->kind));
        sheet_cell(t, "%s", due);
        sheet_cell(t, "%s", left);
        sheet_cell(t, "%s", budget);
        sheet_cell(t, "%s", start);
        sheet_cell(t, "%s%s%s", m->milestone ? m->milestone : "",
                   m->past_calendar ? say(c, "（超出已知工作日历）", " (past the known calendar)") : "",
                   m->stopped ? say(c, "（停表）", " (stands still)") : "");
    }
    printf("\n%s\n", say(c, "时限", "Deadlines"));
    sheet_close(t, stdout);
}

/* ---- the story --------------------------------------------------------------------------------------------------- */

/* One line an event; the day stands above the lines of it. */
static void print_update(struct story *s, const PbUpdate *u, char day[static PRINTED_BYTES]) {
    char at[PRINTED_BYTES], text[LINE_BYTES], clean[LINE_BYTES];
    print_instant(s->c, u->at_ms, at);
    if (strncmp(day, at, 10) != 0)
        printf("%.10s\n", at);
    (void)snprintf(day, PRINTED_BYTES, "%.10s", at);
    for (size_t i = 0; i < u->n_events; i++) {
        story_words(s, u->events[i], text);
        text_clean(text, STORY_COLUMNS, clean, sizeof clean);
        printf("  %s  %s\n", strlen(at) > 11 ? at + 11 : at, clean);
    }
}

static void print_page(const struct ctl *c, const PbCaseStory *page, bool first, struct story *s,
                       char day[static PRINTED_BYTES]) {
    const PbCaseView *v = page->case_view;
    if (first) {
        print_drill_banner(c);
        print_head(c, v);
        print_waiting(c, v);
        print_asks(c, v);
        print_timers(c, v);
        printf("\n%s\n", say(c, "经过", "What happened"));
        if (page->has_story_from_seq)
            printf("  %s %llu %s\n", say(c, "（序号", "(what happened before seq"),
                   (unsigned long long)page->story_from_seq, say(c, "之前的经过已移出日志）", "is no longer in the journal)"));
    }
    s->names = v;
    for (size_t i = 0; i < page->n_story; i++) {
        s->text = i < page->n_texts ? page->texts[i] : NULL;
        print_update(s, page->story[i], day);
    }
}

int show_main(struct ctl *c, int argc, char **argv) {
    struct show_line l = {.which = NULL};
    struct story s = {.c = c};
    PbShowCase show;
    char day[PRINTED_BYTES] = "";
    int r = arguments_read(c, argc, argv, &l);
    if (r)
        return r;
    r = case_question(c, l.which, &show);
    for (bool first = true, more = true; r == CTL_DONE && more; first = false) {
        PbEnvelope e = {.command_case = COMMAND_SHOW_CASE, .show_case = &show};
        const PbReply *reply;
        r = ctl_call(c, &e, &reply);
        if (r)
            return r;
        CHECK(reply->reply_case == REPLY_STORY && reply->story->case_view);
        const PbCaseStory *page = reply->story;
        if (c->json)
            json_print(CODEC_REPLY, reply);
        else
            print_page(c, page, first, &s, day);
        more = page->more && page->n_story > 0;
        if (more) {
            const PbUpdate *last = page->story[page->n_story - 1];
            show.has_story_after_seq = true;
            show.story_after_seq = last->first_seq + last->n_events - 1;
        }
    }
    return r;
}
