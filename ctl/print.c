/* print.c: instants, spans, limits. Instants are UTC in the protocol and in the office's zone on the screen. */
#include "ctl/ctl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void print_instant(const struct ctl *c, int64_t ms, char to[static PRINTED_BYTES]) {
    char whole[32];
    instant_print(ms + c->zone_s * 1000LL, whole);
    (void)snprintf(to, PRINTED_BYTES, "%.19s", whole);                    /* without .mmmZ: it is local */
}

void print_zone(const struct ctl *c, char to[static PRINTED_BYTES]) {
    int minutes = abs(c->zone_s) / 60;
    if (c->zone_s == 0)
        (void)snprintf(to, PRINTED_BYTES, "UTC");
    else
        (void)snprintf(to, PRINTED_BYTES, "%c%02d:%02d", c->zone_s < 0 ? '-' : '+', minutes / 60, minutes % 60);
}

/* Two units are enough to act on. */
void print_span(const struct ctl *c, int64_t ms, char to[static PRINTED_BYTES]) {
    static const struct { int64_t ms; const char *zh, *en; } units[] = {
        {86400000, "天", "d"}, {3600000, "小时", "h"}, {60000, "分", "min"}, {1000, "秒", "s"}, {1, "毫秒", "ms"},
    };
    uint64_t left = ms < 0 ? 0u - (uint64_t)ms : (uint64_t)ms;
    size_t i = 0;
    while (i + 1 < COUNT_OF(units) && left < (uint64_t)units[i].ms)
        i++;
    uint64_t first = (uint64_t)units[i].ms;
    int len = snprintf(to, PRINTED_BYTES, "%llu %s", (unsigned long long)(left / first),
                       say(c, units[i].zh, units[i].en));
    if (i + 1 >= COUNT_OF(units) - 1)                                     /* 5 s, not 5 s 12 ms */
        return;
    uint64_t second = (uint64_t)units[i + 1].ms;
    if (left % first >= second)
        (void)snprintf(to + len, PRINTED_BYTES - (size_t)len, " %llu %s", (unsigned long long)(left % first / second),
                       say(c, units[i + 1].zh, units[i + 1].en));
}

/* "3 h 12 min left", "overdue by 5 min" */
void print_left(const struct ctl *c, int64_t due_ms, char to[static PRINTED_BYTES]) {
    char span[PRINTED_BYTES];
    bool over = due_ms < c->now_ms;
    print_span(c, due_ms - c->now_ms, span);
    if (over)
        (void)snprintf(to, PRINTED_BYTES, "%s %.50s", say(c, "已超", "overdue by"), span);
    else
        (void)snprintf(to, PRINTED_BYTES, "%s%.50s%s", say(c, "还剩 ", ""), span, say(c, "", " left"));
}

void print_bytes(uint64_t bytes, char to[static PRINTED_BYTES]) {
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    size_t u = 0;
    double value = (double)bytes;
    while (value >= 1024 && u + 1 < COUNT_OF(units))
        value /= 1024, u++;
    (void)snprintf(to, PRINTED_BYTES, u ? "%.1f %s" : "%.0f %s", value, units[u]);
}

void print_limit(const PbLimit *l, char to[static PRINTED_BYTES]) {
    if (!l || l->unit == UNIT_NONE)
        (void)snprintf(to, PRINTED_BYTES, "-");
    else
        (void)snprintf(to, PRINTED_BYTES, "%lld%s", (long long)l->amount, word_unit(l->unit));
}

void print_drill_banner(const struct ctl *c) {
    if (c->drill && !c->json)
        puts(say(c, "〔演练〕这是演练系统，不是真实案件", "[DRILL] this is a drill system, these are no real cases"));
}

const PbTimerView *next_limit(const PbCaseView *v) {
    const PbTimerView *next = NULL;
    for (size_t i = 0; i < v->n_timers; i++) {
        const PbTimerView *t = v->timers[i];
        if (t->kind != TIMER_REMIND && !t->stopped && (!next || t->due_ms < next->due_ms))
            next = t;
    }
    return next;
}

/* How much of a limit is used. Plain letters: a bar of blocks is two columns wide on some terminals. */
void print_used(uint32_t percent, char to[static PRINTED_BYTES]) {
    enum { CELLS = 10 };
    unsigned full = percent >= 100 ? CELLS : percent * CELLS / 100;
    (void)snprintf(to, PRINTED_BYTES, "[%.*s%.*s] %3u%%%s", (int)full, "##########", (int)(CELLS - full), "..........",
                   percent < 999 ? percent : 999, percent >= 100 ? "!" : "");
}

/* ---- JSON -------------------------------------------------------------------------------------------------------- */

static char *json_of(enum codec_type type, const void *message) {
    size_t len = codec_json(type, message, NULL, 0);
    char *text = malloc(len + 1);
    CHECK(text);
    CHECK(codec_json(type, message, text, len + 1) == len);
    return text;
}

void json_print(enum codec_type type, const void *message) {
    char *text = json_of(type, message);
    puts(text);
    (void)fflush(stdout);
    free(text);
}

/* Between quotes. The text is ours or the system's: UTF-8. */
void json_text(const char *text) {
    putchar('"');
    for (; *text; text++)
        if (*text == '"' || *text == '\\')
            printf("\\%c", *text);
        else if ((unsigned char)*text < ' ')
            printf("\\u%04x", (unsigned)(unsigned char)*text);
        else
            putchar(*text);
    putchar('"');
}

/* {"seq":"12","kind":"update","update":{...}}: what comes as a stream says where it stands. message may be NULL. */
void json_print_at(const char *kind, uint64_t seq, enum codec_type type, const void *message) {
    char *text = message ? json_of(type, message) : NULL;
    printf("{\"seq\":\"%llu\",\"kind\":\"%s\"", (unsigned long long)seq, kind);
    if (text)
        printf(",\"%s\":%s", kind, text);
    puts("}");
    (void)fflush(stdout);
    free(text);
}
