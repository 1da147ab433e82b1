/* tell.c: `tell`: what a citizen is told who reads out a number. Where the matter stands in plain words, since when,
 * until when; of a merged case, the one it follows. No person, no place, no category, no desk and no text: whoever
 * holds the number may not be the one who reported. */
#include "ctl/commands.h"

#include <stdio.h>

enum { MASTERS_MAX = 16 };

struct tell_line { const char *number; };

static const struct argument table[] = {
    {"NUMBER", NULL, ARGUMENT_TEXT, offsetof(struct tell_line, number),
     BOTH("对方报出的编号，如 610402-20260214-00123", "the number that was read out, such as 610402-20260214-00123"), true},
};
const struct command_line tell_command = {
    "tell", BOTH("群众报编号来问时的答复", "what a citizen is told who reads out a number"), table, COUNT_OF(table),
    BOTH("不含任何个人信息和内部信息，可以照着念。", "Nothing personal and nothing internal: it may be read to whoever asks."),
};

/* What it says of a state, and what the instant of "until" then means. */
static const struct { const char *says, *until; } sayings[] = {
    [STATE_REPORTED] = {BOTH("已收到，正在安排办理", "It has arrived and is being assigned"), NULL},
    [STATE_ACCEPTED] = {BOTH("已受理，正在安排办理单位", "It was taken up and is being assigned"), NULL},
    [STATE_DISPATCHED] = {BOTH("已交给负责的单位", "It was given to those who are responsible"), NULL},
    [STATE_HANDLING] = {BOTH("正在办理", "It is being dealt with"), NULL},
    [STATE_RESOLVED] = {BOTH("已办完，正在核查", "It was dealt with and is being checked"), NULL},
    [STATE_CLOSED] = {BOTH("已办结", "It is done"), NULL},
    [STATE_REJECTED] = {BOTH("经审核不予受理，可以申诉一次", "It was not taken up; one appeal is possible"), NULL},
    [STATE_SUSPENDED] = {BOTH("因客观原因暂缓办理", "It has to wait, for a reason that takes its time"),
                         BOTH("最迟恢复", "it goes on at the latest")},
    [STATE_FOLLOWUP] = {BOTH("已办完，等待回访意见", "It was dealt with; the reporter is being asked"), NULL},
    [STATE_MERGED] = {BOTH("与另一件同样的上报合并办理", "It is dealt with together with an earlier report"), NULL},
    [STATE_WITHDRAWN] = {BOTH("已由上报人撤回", "It was taken back by whoever reported it"), NULL},
    [STATE_VOID] = {BOTH("已作废", "It is void"), NULL},
    [STATE_TRANSFERRED] = {BOTH("已移交", "It was handed to"), BOTH("最迟确认", "to be acknowledged")},
    [STATE_ARCHIVED] = {BOTH("已办结归档", "It is over and archived"), NULL},
};

static int64_t later(int64_t a, int64_t b) {
    return a > b ? a : b;
}

/* The last thing that happened to it, as far as the case itself knows. */
static int64_t since_of(const struct ctl *c, const PbCaseView *v) {
    int64_t since = v->opened_at_ms;
    if (v->closed_at_ms)
        return v->closed_at_ms;
    if (v->state == STATE_RESOLVED && v->resolved_at_ms)
        return v->resolved_at_ms;
    for (size_t i = 0; i < v->n_asks; i++)
        since = later(since, later(v->asks[i]->asked_at_ms, v->asks[i]->answered_at_ms));
    for (size_t i = 0; i < v->n_timers; i++)
        if (v->timers[i]->start_ms <= c->now_ms)
            since = later(since, v->timers[i]->start_ms);
    return since;
}

/* What was promised, else what those who deal with it have; 0: nothing that could be told. */
static int64_t until_of(const PbCaseView *v) {
    PbTimerKind own = v->state == STATE_SUSPENDED ? TIMER_REVIEW
        : v->state == STATE_TRANSFERRED ? TIMER_TRANSFER : TIMER_NONE;
    for (size_t i = 0; i < v->n_timers; i++)
        if (own && v->timers[i]->kind == own)
            return v->timers[i]->due_ms;
    bool runs = v->state >= STATE_REPORTED && v->state <= STATE_HANDLING;
    return !runs ? 0 : v->promise_due_ms ? v->promise_due_ms : v->handling_due_ms;
}

static void print_both(const struct ctl *c, const char *both) {
    struct slice s = both_in(c->language, both);
    printf("%.*s", (int)s.len, (const char *)s.at);
}

static void print_words(const struct ctl *c, const char *number, const PbCaseView *v) {
    char since[PRINTED_BYTES], until[PRINTED_BYTES];
    int64_t until_ms = until_of(v);
    size_t state = (size_t)v->state;
    bool known = state < COUNT_OF(sayings) && sayings[state].says;
    const char *says = known ? sayings[state].says : BOTH("正在处理", "It is being looked at");
    const char *means = known && sayings[state].until ? sayings[state].until : BOTH("承诺或应办结", "to be done");
    print_instant(c, since_of(c, v), since);
    print_instant(c, until_ms, until);
    printf("%s%s", number, say(c, "：", ": "));
    print_both(c, says);
    if (v->state == STATE_TRANSFERRED)
        printf("%s%s", say(c, "：", " "), word_authority(c->language, v->authority));
    printf("%s%.16s%s", say(c, "（自 ", " (since "), since, say(c, "）", ")"));
    if (until_ms) {
        printf("%s", say(c, "，", "; "));
        print_both(c, means);
        printf("%s%.16s", say(c, "：", " by "), until);
    }
    if (v->overdue && until_ms && until_ms < c->now_ms)
        printf("%s", say(c, "，已超时，上级已介入", "; it is late, and the level above has been told"));
    puts(say(c, "。", "."));
}

static void json_words(const struct ctl *c, const char *number, const PbCaseView *v) {
    printf("{\"number\":");
    json_text(number);
    printf(",\"state\":\"%s\",\"since_ms\":\"%lld\",\"until_ms\":\"%lld\",\"overdue\":%s}\n",
           codec_enum_name(&pb_state__descriptor, (int)v->state), (long long)since_of(c, v), (long long)until_of(v),
           v->overdue ? "true" : "false");
}

int tell_main(struct ctl *c, int argc, char **argv) {
    struct tell_line l = {.number = NULL};
    const PbCaseView *v = NULL;
    char number[PRINTED_BYTES], master[PRINTED_BYTES];
    int r = arguments_read(c, argc, argv, &l);
    if (r == CTL_DONE)
        r = ask_case(c, l.number, &v);
    if (r)
        return r;
    (void)snprintf(number, sizeof number, "%s", v->number ? v->number : l.number);
    for (unsigned i = 0; i < MASTERS_MAX && v->state == STATE_MERGED && v->master; i++) {
        if (!c->json && i == 0)
            print_words(c, number, v);
        (void)snprintf(master, sizeof master, "%llu", (unsigned long long)v->master);
        r = ask_case(c, master, &v);
        if (r)
            return r;
        (void)snprintf(number, sizeof number, "%s", v->number ? v->number : master);
    }
    if (c->json)
        json_words(c, number, v);
    else
        print_words(c, number, v);
    return CTL_DONE;
}
