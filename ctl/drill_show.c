/* drill_show.c: a year going by, on stderr: redrawn on a terminal, a line a month elsewhere. */
#include "ctl/drill.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

enum { BAR_CELLS = 32, REDRAW_MS = 200, NANOS_OF_MS = 1000000 };

int drill_fail(struct drill *d, enum ctl_exit code, const char *format, ...) {
    va_list args;
    CHECK(code != CTL_DONE);
    if (d->shown_ns && isatty(STDERR_FILENO)) fputc('\n', stderr);
    fputs("whistlectl drill: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    return (int)code;
}

static double commands_a_second(const struct drill *d) {
    int64_t ns = clock_mono_ns() - d->start_ns;
    return ns > 0 ? (double)d->acknowledged * 1e9 / (double)ns : 0;
}

/* yyyymmdd of the day it is where the reports are made. */
static uint32_t date_there(const struct drill *d, int64_t at_ms) {
    return calendar_date(d->plan.zone, at_ms);
}

static void print_bar(const struct drill *d) {
    int64_t begin_ms = d->plan.steps[0].at_ms, all = d->end_ms - begin_ms, gone = d->v_ms - begin_ms;
    unsigned cells = all > 0 && gone > 0 ? (unsigned)(gone * BAR_CELLS / all) : 0;
    uint32_t date = date_there(d, d->v_ms);
    fprintf(stderr, "%s %04u-%02u-%02u ", say(d->ctl, "演练", "drill"), date / 10000, date / 100 % 100, date % 100);
    for (unsigned i = 0; i < BAR_CELLS; i++) fputs(i < cells ? "█" : "░", stderr);
    fprintf(stderr, " %3u %%  %" PRIu64 " %s, %.0f/s", all > 0 && gone > 0 ? (unsigned)(gone * 100 / all) : 0,
            d->acknowledged, say(d->ctl, "条命令", "commands"), commands_a_second(d));
}

static void print_count(const char *before, const char *what, uint64_t count) {
    fprintf(stderr, "%s%s %" PRIu64, before, what, count);
}

static void print_funnel(const struct drill *d) {
    const struct funnel *f = &d->funnel;
    const struct ctl *c = d->ctl;
    print_count("", say(c, "上报", "reported"), f->reported);
    print_count("  ", say(c, "随手办", "self-handled"), f->on_the_spot);
    print_count("  ", say(c, "结案:社区", "closed: community"), f->closed[LEVEL_COMMUNITY]);
    print_count(" ", say(c, "街道", "street"), f->closed[LEVEL_STREET]);
    print_count(" ", say(c, "区", "district"), f->closed[LEVEL_DISTRICT]);
    print_count("  ", say(c, "逾期", "overdue"), f->overdue);
    print_count("  ", say(c, "升级", "escalated"), f->escalated);
    print_count("  ", say(c, "在办", "open"), f->open);
}

static void redraw(struct drill *d, int64_t now_ns, bool last) {
    if (!last && now_ns - d->shown_ns < (int64_t)REDRAW_MS * NANOS_OF_MS) return;
    if (d->shown_ns) fputs("\r\033[1A", stderr);         /* back to the first of the two lines */
    fputs("\033[?7l\033[K", stderr);                    /* a narrow terminal cuts them: wrapped they would be more */
    print_bar(d);
    fputs("\n\033[K", stderr);
    print_funnel(d);
    fputs("\033[?7h", stderr);
    if (last) fputc('\n', stderr);
    fflush(stderr);
    d->shown_ns = now_ns;
}

static void line_a_month(struct drill *d, bool last) {
    uint32_t month = date_there(d, d->v_ms) / 100;
    if (month == d->shown_month && !last) return;
    d->shown_month = month;
    uint32_t date = date_there(d, d->v_ms);
    fprintf(stderr, "%04u-%02u-%02u  ", date / 10000, date / 100 % 100, date % 100);
    print_funnel(d);
    fprintf(stderr, "  %.0f/s\n", commands_a_second(d));
}

void drill_progress(struct drill *d, bool last) {
    if (d->options.quiet) return;
    if (isatty(STDERR_FILENO)) redraw(d, clock_mono_ns(), last);
    else line_a_month(d, last);
}
