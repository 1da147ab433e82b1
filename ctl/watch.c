/* watch.c: `watch`: what happens, as it happens. The feed resumes by itself from the last seq it gave, so what is
 * printed has no gap and no repeat, whatever the broker does in between; that contact was lost and is back is said. */
#include "ctl/commands.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

enum { WATCH_WAIT_MS = WHISTLE_TICK_MS, WATCH_COLUMNS = 400 };

struct watch_line {
    struct divisions divisions;
    uint64_t from_seq, count;
    const char *not_origin;
    bool snapshot;
};

#define NOT_GIVEN UINT64_MAX
#define AT(field) offsetof(struct watch_line, field)
static const struct argument table[] = {
    {"--division", "CODE", ARGUMENT_DIVISIONS, AT(divisions),
     BOTH("只看与它有关的；可重复", "only what concerns it; may be repeated"), false},
    {"--from", "SEQ", ARGUMENT_NUMBER, AT(from_seq),
     BOTH("先补这个序号之后的全部；0 为从头", "everything after that seq first; 0: from the beginning"), false},
    {"--snapshot", NULL, ARGUMENT_FLAG, AT(snapshot),
     BOTH("先列未结案件", "the open cases first"), false},
    {"--count", "N", ARGUMENT_NUMBER, AT(count),
     BOTH("收到这么多条后结束", "end after so many updates"), false},
    {"--not-origin", "NAME", ARGUMENT_WORD, AT(not_origin),
     BOTH("跳过来自该系统的动态，以免回传", "not what came from that system: for whoever feeds it"), false},
};
#undef AT

const struct command_line watch_command = {
    "watch", BOTH("实时显示动态",
         "shows what happens, as it happens"), table, COUNT_OF(table),
    BOTH("不写 --from 和 --snapshot 则从现在起。服务器重启后自动续上，不缺不重。\n"
         "Ctrl-C 结束，退出码 0。--json：每行 {seq, kind: update, snapshot, live, lost, back, ...}。",
         "Without --from and --snapshot: from now on. It resumes after a restart of the broker without gap or repeat.\n"
         "Ctrl-C ends it with 0. With --json: {\"seq\", \"kind\": update, snapshot, live, lost, back, ...} a line."),
};

static volatile sig_atomic_t stopped;

static void stop(int signal_number) {
    (void)signal_number;
    stopped = 1;
}

/* Without SA_RESTART: the wait ends at once. */
static void catch_signals(void) {
    struct sigaction action = {.sa_handler = stop};
    CHECK(sigemptyset(&action.sa_mask) == 0);
    CHECK(sigaction(SIGINT, &action, NULL) == 0 && sigaction(SIGTERM, &action, NULL) == 0);
}

/* The first two digits of every division there is: a subscription is for prefixes. */
static const uint8_t provinces[] = {
    11, 12, 13, 14, 15, 21, 22, 23, 31, 32, 33, 34, 35, 36, 37, 41, 42, 43, 44, 45, 46, 50, 51, 52, 53, 54, 61, 62, 63,
    64, 65, 71, 81, 82,
};

void divisions_all(struct divisions *d) {
    d->count = 0;
    for (unsigned i = 0; i < COUNT_OF(provinces); i++)
        d->at[d->count++] = provinces[i];
}

/* ---- lines for people -------------------------------------------------------------------------------------------- */

static void print_update(const struct ctl *c, const PbUpdate *u) {
    struct story s = {.c = c};
    char at[PRINTED_BYTES], text[LINE_BYTES], clean[LINE_BYTES];
    print_instant(c, u->at_ms, at);
    for (size_t i = 0; i < u->n_events; i++) {
        story_words(&s, u->events[i], text);
        text_clean(text, WATCH_COLUMNS, clean, sizeof clean);
        printf("%s  #%llu", at, (unsigned long long)(u->first_seq + i));
        if (u->case_id)
            printf("  %s %llu", say(c, "案件", "case"), (unsigned long long)u->case_id);
        if (u->division)
            printf("  %llu", (unsigned long long)u->division);
        printf("  %s\n", clean);
    }
}

static void print_case(const struct ctl *c, const PbCaseView *v) {
    char at[PRINTED_BYTES];
    print_instant(c, v->opened_at_ms, at);
    printf("%s  %s  %s %llu  %s, %s  %s  %s\n", at, v->number ? v->number : "-", say(c, "案件", "case"),
           (unsigned long long)v->case_id, word_state(c->language, v->state), word_level(c->language, v->level),
           v->category ? v->category : "-", v->waiting_for ? v->waiting_for : "");
}

static void print_refused(const struct ctl *c, const PbRefused *r) {
    const struct sentence *s = sentence_of(r->code);
    (void)fprintf(stderr, "whistlectl: %s %s: %s\n", say(c, "未被接受：", "refused:"), s->name,
                  say(c, r->zh ? r->zh : s->zh, r->en ? r->en : s->en));
}

static void print_for_people(const struct ctl *c, const struct whistle_update *u) {
    switch (u->kind) {
    case WHISTLE_UPDATE: print_update(c, u->update); break;
    case WHISTLE_SNAPSHOT: print_case(c, u->case_view); break;
    case WHISTLE_LIVE: printf("-- %s #%llu\n", say(c, "已到最新", "live at"), (unsigned long long)u->seq); break;
    case WHISTLE_LOST_CONTACT:
        printf("-- %s #%llu\n", say(c, "失去联系，自动重连；已到", "contact is lost, trying again; got as far as"),
               (unsigned long long)u->seq);
        break;
    case WHISTLE_BACK: printf("-- %s\n", say(c, "已恢复联系", "contact is back")); break;
    case WHISTLE_REFUSED: print_refused(c, u->refused); break;
    case WHISTLE_OTHER_PAST:
        printf("-- %s\n", say(c, "这是另一份数据、已恢复的备份，或其间的日志已清理：之前的全部作废，重新列出",
                             "another store, or one restored or purged: forget all above; it is listed anew"));
        break;
    }
    (void)fflush(stdout);
}

static void print_for_programs(const struct ctl *c, const struct whistle_update *u) {
    switch (u->kind) {
    case WHISTLE_UPDATE: json_print_at("update", u->seq, CODEC_UPDATE, u->update); break;
    case WHISTLE_SNAPSHOT: json_print_at("snapshot", u->seq, CODEC_CASE_VIEW, u->case_view); break;
    case WHISTLE_LIVE: json_print_at("live", u->seq, CODEC_UPDATE, NULL); break;
    case WHISTLE_LOST_CONTACT: json_print_at("lost", u->seq, CODEC_UPDATE, NULL); break;
    case WHISTLE_BACK: json_print_at("back", u->seq, CODEC_UPDATE, NULL); break;
    case WHISTLE_OTHER_PAST: json_print_at("other_past", u->seq, CODEC_UPDATE, NULL); break;
    case WHISTLE_REFUSED:
        json_print_at("refused", u->seq, CODEC_REFUSED, u->refused);
        print_refused(c, u->refused);
        break;
    }
}

/* ---- the watch --------------------------------------------------------------------------------------------------- */

static int open_feed(struct ctl *c, struct watch_line *l, struct whistle_feed **ret) {
    if (l->divisions.count == 0)
        divisions_all(&l->divisions);
    struct whistle_feed_options o = {
        .endpoint = c->feed, .prefixes = l->divisions.at, .prefixes_count = l->divisions.count,
        .from_seq = l->from_seq, .snapshot = l->snapshot,
    };
    int r = whistle_feed_open(ret, &o);
    if (r < 0)
        (void)fprintf(stderr, "whistlectl: %s: %s\n", c->feed, endpoint_fault(c, r));
    return r == -EINVAL ? CTL_USAGE : r < 0 ? CTL_FAULT : CTL_DONE;
}

/* "From now on" is after what the broker has on disk when it is asked. */
static int begin(struct ctl *c, struct watch_line *l) {
    int r = CTL_DONE;
    if (l->from_seq == NOT_GIVEN && !l->snapshot) {
        r = ctl_open(c);
        l->from_seq = c->durable_seq;
    }
    if (r == CTL_DONE)
        print_drill_banner(c);
    (void)fflush(stdout);
    return r;
}

/* What came from there is known there. */
static bool is_echo(const struct whistle_update *u, const char *not_origin) {
    const char *origin = u->kind == WHISTLE_UPDATE ? u->update->origin : NULL;
    return not_origin && origin && strcmp(origin, not_origin) == 0;
}

/* Before the first word from the broker it may be the wrong endpoint. Once, and then it goes on trying. */
static void say_silent(const struct ctl *c) {
    (void)fprintf(stderr, c->language == LANGUAGE_ZH ? "whistlectl: %s 尚无回答，继续尝试。whistled 在运行吗？--feed 对吗？\n"
                  : "whistlectl: nobody has answered at %s yet; still trying. Is whistled running? Is --feed right?\n",
                  c->feed);
}

static int watch(struct ctl *c, struct whistle_feed *f, const struct watch_line *l) {
    struct whistle_update u;
    uint64_t seen = 0;
    int patience_ms = c->wait_ms;
    while (!stopped && !ferror(stdout)) {
        int r = whistle_feed_next(f, WATCH_WAIT_MS, &u);
        if (r < 0) {
            const char *newer = say(c, "服务器比本程序新，请更新本程序", "the broker is newer than this program; update it");
            (void)fprintf(stderr, "whistlectl: %s: %s\n", c->feed, r == -EBADMSG ? newer : strerror(-r));
            return CTL_FAULT;
        }
        if (r == 0 && patience_ms > 0 && (patience_ms -= WATCH_WAIT_MS) <= 0)
            say_silent(c);
        if (r != 0)
            patience_ms = 0;
        if (r == 0 || is_echo(&u, l->not_origin))
            continue;
        if (c->json)
            print_for_programs(c, &u);
        else
            print_for_people(c, &u);
        seen += u.kind == WHISTLE_UPDATE;
        if (l->count && seen >= l->count)
            break;
    }
    return CTL_DONE;
}

int watch_main(struct ctl *c, int argc, char **argv) {
    struct watch_line l = {.from_seq = NOT_GIVEN};
    struct whistle_feed *f = NULL;
    int r = arguments_read(c, argc, argv, &l);
    if (r)
        return r;
    if (l.snapshot && l.from_seq != NOT_GIVEN)
        return usage(c, "--from 和 --snapshot 是两种起点，请选一个",
                     "--from and --snapshot are two beginnings; choose one");
    catch_signals();
    r = begin(c, &l);
    if (r == CTL_DONE)
        r = open_feed(c, &l, &f);
    if (r == CTL_DONE)
        r = watch(c, f, &l);
    if (f)
        whistle_feed_close(f);
    return r;
}
