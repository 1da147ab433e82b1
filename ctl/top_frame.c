/* top_frame.c: counting open cases, and the frame that shows them. */
#include "ctl/top.h"
#include "daemon/kernel/kernel.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HOUR_MS = 3600000 };

/* ---- counting ---------------------------------------------------------------------------------------------------- */

/* When what it should have been done by has passed. */
static int64_t missed_due(const PbCaseView *v) {
    return v->promise_due_ms ? v->promise_due_ms : v->handling_due_ms ? v->handling_due_ms : v->opened_at_ms;
}

static void count_desk(struct top_count *n, const PbCaseView *v) {
    uint64_t place = v->place ? v->place->division : 0;
    uint64_t division = division_digits(place) ? division_cut(place, level_digits(v->level)) : 0;
    struct top_desk *d = n->desks;
    while (d < n->desks + n->desks_count && (d->division != division || d->level != v->level))
        d++;
    if (d == n->desks + TOP_DESKS_MAX)
        return;
    if (d == n->desks + n->desks_count)
        *d = (struct top_desk){.division = division, .level = v->level}, n->desks_count++;
    d->open++;
    d->overdue += v->overdue != 0;
}

static void count_oldest(struct top_count *n, const PbCaseView *v) {
    int64_t due = missed_due(v);
    uint32_t at = n->oldest_count;
    while (at > 0 && n->oldest[at - 1].due_ms > due)
        at--;
    if (at == TOP_OLDEST_MAX)
        return;
    if (n->oldest_count < TOP_OLDEST_MAX)
        n->oldest_count++;
    memmove(&n->oldest[at + 1], &n->oldest[at], (n->oldest_count - at - 1) * sizeof n->oldest[0]);
    n->oldest[at].due_ms = due;
    (void)snprintf(n->oldest[at].number, sizeof n->oldest[at].number, "%s", v->number ? v->number : "-");
    (void)snprintf(n->oldest[at].waits, sizeof n->oldest[at].waits, "%s", v->waiting_for ? v->waiting_for : "-");
}

void top_count_case(struct top_count *n, const PbCaseView *v, int64_t now_ms) {
    const PbTimerView *next = next_limit(v);
    n->cases++;
    if ((size_t)v->state < COUNT_OF(n->by_state))
        n->by_state[v->state]++;
    n->due_soon += next && next->due_ms >= now_ms && next->due_ms - now_ms <= HOUR_MS;
    n->overdue += v->overdue != 0;
    count_desk(n, v);
    if (v->overdue)
        count_oldest(n, v);
}

/* ---- the frame --------------------------------------------------------------------------------------------------- */

struct frame {
    const struct ctl *c;
    unsigned columns, rows;                       /* rows left */
    char *to;
    size_t len;
};

static void line(struct frame *f, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void line(struct frame *f, const char *format, ...) {
    char raw[LINE_BYTES], clean[LINE_BYTES];
    va_list more;
    if (f->rows == 0)
        return;
    va_start(more, format);
    (void)vsnprintf(raw, sizeof raw, format, more);
    va_end(more);
    text_clean(raw, f->columns, clean, sizeof clean);
    f->rows--;
    f->len += (size_t)snprintf(f->to + f->len, TOP_FRAME_BYTES - f->len, "%s\n", clean);
    CHECK(f->len < TOP_FRAME_BYTES);
}

static void broker_lines(struct frame *f, const struct top_view *v) {
    char at[PRINTED_BYTES], silent[PRINTED_BYTES];
    print_instant(f->c, v->now_ms, at);
    print_span(f->c, v->silent_ms, silent);
    line(f, "whistled  %s  %s %llu  seq %llu%s%s%s%s", at, say(f->c, "第几次启动", "epoch"), (unsigned long long)v->epoch,
         (unsigned long long)v->seq, f->c->drill ? say(f->c, "  〔演练〕", "  [DRILL]") : "",
         v->draining ? say(f->c, "  停收新上报", "  DRAINING") : "",
         v->silent_ms ? say(f->c, "  没有回答已 ", "  NO ANSWER for ") : "", v->silent_ms ? silent : "");
    line(f, "%s %llu/s  %s p50 %llu µs p99 %llu µs  %s %u%%", say(f->c, "命令", "commands"),
         (unsigned long long)v->commands_a_second, say(f->c, "落盘", "sync"), (unsigned long long)v->sync_p50_us,
         (unsigned long long)v->sync_p99_us, say(f->c, "空间", "space"), v->quota_percent);
    line(f, "%s %llu  %s %llu  %s %llu  %s %llu", say(f->c, "值守程序", "workers"), (unsigned long long)v->workers,
         say(f->c, "待决派单", "offers out"), (unsigned long long)v->offers, say(f->c, "控制台", "consoles"),
         (unsigned long long)v->consoles, say(f->c, "未接受", "refused"), (unsigned long long)v->refused);
}

static void state_lines(struct frame *f, const struct top_view *v, const struct top_count *n) {
    static const PbState shown[2][4] = {
        {STATE_REPORTED, STATE_ACCEPTED, STATE_DISPATCHED, STATE_HANDLING},
        {STATE_RESOLVED, STATE_SUSPENDED, STATE_FOLLOWUP},
    };
    line(f, "%s", "");
    line(f, "%s %llu  %s %llu%s", say(f->c, "未结", "open"), (unsigned long long)v->open, say(f->c, "全部", "all"),
         (unsigned long long)v->all, n->cut ? say(f->c, "  （以下只数了一部分）", "  (below: of a part of them)") : "");
    for (size_t row = 0; row < COUNT_OF(shown); row++) {
        char text[LINE_BYTES] = "";
        size_t len = 0;
        for (size_t i = 0; i < COUNT_OF(shown[row]) && shown[row][i] != STATE_NONE; i++)
            len += (size_t)snprintf(text + len, sizeof text - len, "%s%s %u", i ? "  " : "",
                                    word_state(f->c->language, shown[row][i]), n->by_state[shown[row][i]]);
        line(f, "%s", text);
    }
    line(f, "%s %u  %s %u", say(f->c, "一小时内到期", "due within the hour"), n->due_soon, say(f->c, "逾期", "overdue"),
         n->overdue);
}

/* Ties by division, so that the screen does not flicker. */
static bool busier(const struct top_desk *a, const struct top_desk *b) {
    return a->open != b->open ? a->open > b->open : a->division < b->division;
}

static void desk_lines(struct frame *f, const struct top_count *n) {
    const struct top_desk *before = NULL;
    line(f, "%s", "");
    line(f, "%s", say(f->c, "最忙的值守席              未结    逾期", "BUSIEST DESKS              open  overdue"));
    for (unsigned shown = 0; shown < TOP_DESKS_SHOWN; shown++) {
        const struct top_desk *next = NULL;
        for (const struct top_desk *d = n->desks; d < n->desks + n->desks_count; d++)
            if ((!before || busier(before, d)) && (!next || busier(d, next)))
                next = d;
        if (!next)
            return;
        const char *level = word_level(f->c->language, next->level);
        unsigned width = text_width(level);
        line(f, "%s%*s %-15llu %6u  %7u", level, (int)(width < 10 ? 10 - width : 0), "",
             (unsigned long long)next->division, next->open, next->overdue);
        before = next;
    }
}

static void oldest_lines(struct frame *f, const struct top_view *v, const struct top_count *n) {
    line(f, "%s", "");
    line(f, "%s", n->oldest_count ? say(f->c, "逾期最久", "OLDEST OVERDUE") : say(f->c, "没有逾期", "NOTHING OVERDUE"));
    for (uint32_t i = 0; i < n->oldest_count; i++) {
        char span[PRINTED_BYTES];
        print_span(f->c, v->now_ms - n->oldest[i].due_ms, span);
        line(f, "%-22s %s%s  %s", n->oldest[i].number, say(f->c, "已超 ", ""), span, n->oldest[i].waits);
    }
}

void top_frame(const struct ctl *c, const struct top_view *v, const struct top_count *n, unsigned columns,
               unsigned rows, char to[static TOP_FRAME_BYTES]) {
    struct frame f = {.c = c, .columns = columns, .rows = rows, .to = to};
    to[0] = '\0';
    broker_lines(&f, v);
    state_lines(&f, v, n);
    desk_lines(&f, n);
    oldest_lines(&f, v, n);
}
