/* top.c: `top`: how it goes, once a second, on a plain terminal.
 *
 * Each second asks for the status and goes through some pages of the open cases; what is shown is the last whole round,
 * so a large office costs the broker no more than a small one. The terminal is given back whatever ends it. */
#include "ctl/commands.h"
#include "ctl/top.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { PAGE = 200, PAGES_A_SECOND = 5, CASES_MAX = 200000, COLUMNS = 80, ROWS = 24, ANSWER_MS = 2000 };

struct top_line { bool once; };

static const struct argument table[] = {
    {"--once", NULL, ARGUMENT_FLAG, offsetof(struct top_line, once),
     BOTH("只显示一次，不带控制符", "one frame, without escape codes: for logs"), false},
};
const struct command_line top_command = {
    "top", BOTH("每秒刷新的总览", "how it goes, refreshed each second"), table, COUNT_OF(table),
    BOTH("Ctrl-C 结束。", "Ctrl-C ends it. Into a file or a pipe: one frame, as with --once."),
};

struct top {
    struct ctl *c;
    struct top_view view;
    struct top_count *shown, *counting;
    uint64_t after, commands;                     /* of the round; of the status before */
    int64_t answered_ns;
    bool live;                                    /* on another screen */
    int problem;                                  /* an exit code: what was said is wrong */
    bool whole;                                   /* a round is over: `shown` is one */
};

static volatile sig_atomic_t stopped;

static void stop(int signal_number) {
    (void)signal_number;
    stopped = 1;
}

/* ---- asking ------------------------------------------------------------------------------------------------------ */

/* On a screen nothing is said of a broker that is gone but that it does not answer. */
static bool ask(struct top *t, PbEnvelope *e, const PbReply **ret) {
    int r = t->live ? whistle_call(t->c->client, e, ANSWER_MS, ret) : ctl_call(t->c, e, ret);
    t->problem = t->live ? CTL_DONE : r;
    return r == 0 && (*ret)->reply_case != REPLY_REFUSED;
}

static uint64_t refused_of(const PbStatus *s) {
    for (size_t i = 0; i < s->n_counters; i++)
        if (s->counters[i]->name && strcmp(s->counters[i]->name, "refused") == 0)
            return s->counters[i]->value;
    return 0;
}

static bool ask_status(struct top *t) {
    PbAskStatus question = {.has_digest = false};
    PbEnvelope e = {.command_case = COMMAND_ASK_STATUS, .ask_status = &question};
    const PbReply *reply;
    struct top_view *v = &t->view;
    if (!ask(t, &e, &reply))
        return false;
    const PbStatus *s = reply->status;
    int64_t now_ns = clock_mono_ns();
    double seconds = (double)(now_ns - t->answered_ns) / 1e9;
    bool before = t->answered_ns != 0 && s->commands >= t->commands && seconds > 0;
    *v = (struct top_view){
        .now_ms = s->broker->now_ms, .epoch = s->broker->epoch, .seq = s->broker->durable_seq, .open = s->cases_open,
        .all = s->cases_all, .sync_p50_us = s->sync_p50_us, .sync_p99_us = s->sync_p99_us, .workers = s->workers,
        .consoles = s->consoles, .offers = s->offers_open, .refused = refused_of(s), .quota_percent = s->quota_percent,
        .draining = s->draining,
        .commands_a_second = before ? (uint64_t)((double)(s->commands - t->commands) / seconds + 0.5) : 0,
    };
    t->commands = s->commands;
    t->answered_ns = now_ns;
    return true;
}

/* One page on; when it was the last, what was counted is shown and a new round begins. */
static bool ask_page(struct top *t) {
    PbListCases l = {.has_open_only = true, .open_only = true, .has_count = true, .count = PAGE,
                     .has_after_case_id = t->after != 0, .after_case_id = t->after};
    PbEnvelope e = {.command_case = COMMAND_LIST_CASES, .list_cases = &l};
    const PbReply *reply;
    if (!ask(t, &e, &reply))
        return false;
    for (size_t i = 0; i < reply->list->n_cases; i++)
        top_count_case(t->counting, reply->list->cases[i], t->view.now_ms);
    t->after = reply->list->next_after;
    t->counting->cut = reply->list->more && t->counting->cases >= CASES_MAX;
    if (reply->list->more && !t->counting->cut)
        return true;
    struct top_count *done = t->counting;
    t->counting = t->shown, t->shown = done, t->after = 0, t->whole = true;
    memset(t->counting, 0, sizeof *t->counting);
    return false;
}

/* ---- the terminal ------------------------------------------------------------------------------------------------ */

static void size_of_terminal(unsigned *columns, unsigned *rows) {
    struct winsize w = {.ws_col = 0};
    bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col && w.ws_row;
    *columns = known ? w.ws_col : COLUMNS;
    *rows = known ? w.ws_row : ROWS;
}

/* Each line to its end is cleared as it is written, so nothing flickers; the last line has no newline. */
static void draw(const struct top *t) {
    static char frame[TOP_FRAME_BYTES];
    unsigned columns, rows;
    size_of_terminal(&columns, &rows);
    const struct top_count *n = t->whole ? t->shown : t->counting;
    top_frame(t->c, &t->view, n, columns - 1, rows - 1, frame);
    (void)fputs("\x1b[H", stdout);
    for (char *line = frame, *end; *line; line = end + 1) {
        end = strchr(line, '\n');
        printf("%.*s\x1b[K\n", (int)(end - line), line);
    }
    (void)fputs("\x1b[J", stdout);
    (void)fflush(stdout);
}

static int show_once(struct top *t) {
    static char frame[TOP_FRAME_BYTES];
    while (ask_page(t) && !stopped)
        continue;
    if (!t->whole)
        return t->problem;
    top_frame(t->c, &t->view, t->shown, COLUMNS, ROWS, frame);
    (void)fputs(frame, stdout);
    return CTL_DONE;
}

static void show_live(struct top *t) {
    t->live = true;
    (void)fputs("\x1b[?1049h\x1b[?25l", stdout);             /* another screen, no cursor */
    while (!stopped) {
        for (unsigned i = 0; i < PAGES_A_SECOND && ask_page(t); i++)
            continue;
        draw(t);
        (void)nanosleep(&(struct timespec){.tv_sec = 1}, NULL);          /* a signal ends it early */
        if (!stopped && !ask_status(t))
            t->view.silent_ms = (clock_mono_ns() - t->answered_ns) / 1000000;
    }
    (void)fputs("\x1b[?25h\x1b[?1049l", stdout);
    (void)fflush(stdout);
}

int top_main(struct ctl *c, int argc, char **argv) {
    struct top_line l = {.once = false};
    struct top t = {.c = c};
    struct sigaction action = {.sa_handler = stop};
    int r = arguments_read(c, argc, argv, &l);
    if (r)
        return r;
    if (c->json)
        return usage(c, "这是给人看的；程序请用 status --json",
                     "this is for people; `status --json` is for programs");
    if (!ask_status(&t))
        return t.problem;
    t.shown = memory_or_die(sizeof *t.shown);
    t.counting = memory_or_die(sizeof *t.counting);
    CHECK(sigaction(SIGINT, &action, NULL) == 0 && sigaction(SIGTERM, &action, NULL) == 0);
    CHECK(sigaction(SIGHUP, &action, NULL) == 0);
    if (l.once || !isatty(STDOUT_FILENO))
        r = show_once(&t);
    else
        show_live(&t);
    free(t.shown);
    free(t.counting);
    return r;
}
