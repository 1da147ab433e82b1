/* returns.c: `returns daily`, `returns monthly`: from a broker over the feed, or from a resting store's files. Both
 * hand the same updates to the same fold. */
#include "ctl/returns.h"
#include "ctl/commands.h"
#include "ctl/offline.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FEED_PATIENCE_MS = 30000, RECORD_ROOM_BYTES = 8 << 20, RULES_KEPT_MAX = 64, PATH_BYTES = 4096 };

struct returns_line {
    const char *date, *month, *as_of, *out, *data;
    struct divisions prefixes;
    bool masked;
};

#define AT(field) offsetof(struct returns_line, field)
#define ROWS \
    {"--as-of", "SEQ|TIME", ARGUMENT_TEXT, AT(as_of), \
     BOTH("只算到这个序号或时刻；不写则为现在", "only what had happened by then; left out: by now"), false}, \
    {"--prefix", "CODE", ARGUMENT_DIVISIONS, AT(prefixes), \
     BOTH("只算这些区划的案件；可重复", "only cases that lie there; may be repeated"), false}, \
    {"--out", "FILE", ARGUMENT_TEXT, AT(out), \
     BOTH("写入文件，写完才替换；不写则为标准输出", "into this file, replaced when it is whole; left out: stdout"), false}, \
    {"--public", NULL, ARGUMENT_FLAG, AT(masked), \
     BOTH("公开版：小于 5 的数不显示", "for the public: counts below 5 are not told"), false}, \
    {"--data", "DATA_DIR", ARGUMENT_TEXT, AT(data), \
     BOTH("不经服务器，读停着的数据目录", "from a resting store's directory, without a broker"), false}
static const struct argument daily_table[] = {
    {"--date", "YYYY-MM-DD", ARGUMENT_TEXT, AT(date), BOTH("哪一天；不写则为昨天", "which day; left out: yesterday"), false},
    ROWS,
};
static const struct argument monthly_table[] = {
    {"--month", "YYYY-MM", ARGUMENT_TEXT, AT(month), BOTH("哪个月；不写则为上月", "which month; left out: the last one"),
     false},
    ROWS,
};
#undef AT

static const char more[] =
    BOTH("CSV（UTF-8，带 BOM）。同一个 --as-of 永远得到同样的字节。指标的算法：docs/returns.md。不按人、不排名。\n"
         "演练不计；作废另计。",
         "CSV (UTF-8 with a mark). The same --as-of gives the same bytes, for ever. What each figure is made of:\n"
         "docs/returns.md. Nothing is told of a person, nothing is ranked. Exercises do not count; void cases apart.");
const struct command_line returns_daily_command = {
    "returns daily", BOTH("日报", "the figures of a day (日报)"), daily_table, COUNT_OF(daily_table), more,
};
const struct command_line returns_monthly_command = {
    "returns monthly", BOTH("月报", "the figures of a month (月报)"), monthly_table, COUNT_OF(monthly_table), more,
};

/* ---- what is asked for ------------------------------------------------------------------------------------------- */

static uint32_t today(const struct ctl *c, int64_t now_ms) {
    return date_of_days((now_ms + c->zone_s * 1000LL) / 86400000);
}

static int period_read(const struct ctl *c, const struct returns_line *l, int64_t now_ms, struct period *ret) {
    bool monthly = c->line == &returns_monthly_command;
    *ret = period_before(today(c, now_ms), monthly);
    if (l->date && !period_of_day(l->date, ret))
        return usage(c, "--date：“%.60s”不是日期（如 2026-03-02）",
                     "--date: \"%.60s\" is not a day such as 2026-03-02", l->date);
    if (l->month && !period_of_month(l->month, ret))
        return usage(c, "--month：“%.60s”不是月份（如 2026-03）",
                     "--month: \"%.60s\" is not a month such as 2026-03", l->month);
    return CTL_DONE;
}

/* A seq is digits alone; anything else is an instant, read as every command reads one. */
static int as_of_read(struct ctl *c, const char *word, struct returns_options *o) {
    static const struct argument table[] = {{"--as-of", "TIME", ARGUMENT_INSTANT, 0, "", false}};
    static const struct command_line line = {.name = "returns", .sentence = "", .table = table, .count = 1};
    char problem[256], *argv[] = {"returns", "--as-of", (char *)word};
    o->as_of_seq = UINT64_MAX;
    o->as_of_ms = INT64_MAX;
    if (!word || parse_u64(slice_of(word), &o->as_of_seq))
        return CTL_DONE;
    if (arguments_parse(c, &line, COUNT_OF(argv), argv, &o->as_of_ms, problem) != 0)
        return usage(c, "--as-of：“%.60s”既不是序号，也不是时间（如 2026-03-03T00:00:00）",
                     "--as-of: \"%.60s\" is neither a seq nor an instant such as 2026-03-03T00:00:00", word);
    return CTL_DONE;
}

/* What has not happened yet would make another return tomorrow under the same name. */
static int as_of_there(const struct ctl *c, const char *word, struct returns_options *o, uint64_t seq, int64_t now_ms) {
    if (word && o->as_of_seq != UINT64_MAX && o->as_of_seq > seq)
        return usage(c, "--as-of %s：日志到 %llu 为止",
                     "--as-of %s: the journal ends at %llu", word, (unsigned long long)seq);
    if (word && o->as_of_ms != INT64_MAX && o->as_of_ms > now_ms)
        return usage(c, "--as-of %s：还没有到", "--as-of %s has not come yet", word);
    if (o->as_of_seq > seq)
        o->as_of_seq = seq;
    return CTL_DONE;
}

static int too_many(const struct ctl *c) {
    (void)fprintf(stderr, "whistlectl: %s\n", say(c, "案件太多，内存不够；请用 --prefix 分开算",
                  "more cases than fit into memory; make returns of parts with --prefix"));
    return CTL_FAULT;
}

/* ---- from a broker ----------------------------------------------------------------------------------------------- */

struct asked { struct ctl *c; struct ctl_rules kept[RULES_KEPT_MAX]; unsigned count; int code; };

static int rules_asked(void *to, uint32_t number, const PbRules **ret) {
    struct asked *a = to;
    for (unsigned i = 0; i < a->count; i++)
        if (a->kept[i].number == number)
            return *ret = a->kept[i].rules, 0;
    CHECK(a->count < RULES_KEPT_MAX);
    a->code = ask_rules(a->c, number, &a->kept[a->count]);
    if (a->code)
        return -EIO;                              /* said, and remembered as an exit code */
    *ret = a->kept[a->count++].rules;
    return 0;
}

static int feed_broken(const struct ctl *c, int r) {
    const char *why = r == -EBADMSG ? say(c, "服务器比本程序新，请更新本程序", "the broker is newer than this program; update it")
        : r == 0 ? say(c, "没有等到动态；--feed 对吗？", "no updates came; is --feed right?") : endpoint_fault(c, r);
    (void)fprintf(stderr, "whistlectl: %s: %s\n", c->feed, why);
    return r == 0 ? CTL_UNREACHABLE : CTL_FAULT;
}

/* Updates until everything up to the as-of has come. */
static int listen_to(struct ctl *c, struct whistle_feed *f, struct returns *r, struct asked *a, uint64_t until_seq) {
    int64_t heard_ns = clock_mono_ns();
    for (;;) {
        struct whistle_update u;
        int e = whistle_feed_next(f, WHISTLE_TICK_MS, &u);
        bool silent = clock_mono_ns() - heard_ns > FEED_PATIENCE_MS * 1000000LL;
        if (e < 0 || (e == 0 && silent))
            return feed_broken(c, e);
        if (e == 0)
            continue;
        heard_ns = clock_mono_ns();
        if (u.kind == WHISTLE_LIVE || u.kind == WHISTLE_OTHER_PAST || (u.kind == WHISTLE_UPDATE && u.seq > until_seq))
            return CTL_DONE;
        e = u.kind == WHISTLE_UPDATE ? returns_take(r, u.update) : 1;
        if (e <= 0)
            return e == 0 ? CTL_DONE : a->code ? a->code : too_many(c);
    }
}

static int from_broker(struct ctl *c, struct returns_line *l, struct returns_options *o, struct returns **ret) {
    static struct asked a;
    struct whistle_feed *f = NULL;
    int r = ctl_open(c);
    if (r == CTL_DONE)
        r = period_read(c, l, c->now_ms, &o->period);
    if (r == CTL_DONE)
        r = as_of_there(c, l->as_of, o, c->durable_seq, c->now_ms);
    if (r)
        return r;
    a.c = c;
    o->rules = rules_asked;
    o->to = &a;
    if (l->prefixes.count == 0)
        divisions_all(&l->prefixes);
    struct whistle_feed_options feed = {
        .endpoint = c->feed, .prefixes = l->prefixes.at, .prefixes_count = l->prefixes.count,
        .from_seq = c->first_seq ? c->first_seq - 1 : 0,
    };
    int e = whistle_feed_open(&f, &feed);
    if (e < 0)
        return feed_broken(c, e);
    *ret = returns_open(o);
    r = listen_to(c, f, *ret, &a, o->as_of_seq);
    whistle_feed_close(f);
    return r;
}

/* ---- from a resting store ---------------------------------------------------------------------------------------- */

static int rules_stored(void *to, uint32_t number, const PbRules **ret) {
    return store_rules(to, number, ret);
}

/* As a console with these prefixes would be told it, so that both ways see the same. */
static bool concerns(const struct divisions *prefixes, const PbRecord *record) {
    bool yes = prefixes->count == 0;
    for (unsigned i = 0; i < prefixes->count && !yes; i++) {
        yes = division_covers(prefixes->at[i], record->division);
        for (size_t k = 0; k < record->n_routes; k++)
            yes |= division_covers(prefixes->at[i], record->routes[k]);
        for (size_t k = 0; k < record->n_left; k++)
            yes |= division_covers(prefixes->at[i], record->left[k]);
    }
    return yes;
}

static int read_on(struct ctl *c, const char *dir, struct journal_cursor *from, const struct divisions *prefixes,
                   struct returns *r) {
    struct arena room;
    struct slice bytes;
    uint64_t first;
    uint32_t seqs;
    int e = 1, took = 1;
    arena_wrap(&room, memory_or_die(RECORD_ROOM_BYTES), RECORD_ROOM_BYTES);
    while (took == 1 && (e = journal_next(from, &first, &seqs, &bytes)) == 1) {
        PbRecord *record = NULL;
        PbUpdate update;
        arena_reset(&room);
        e = codec_unpack_own(CODEC_RECORD, bytes, &room, &record);
        if (e < 0)
            break;
        codec_update_of(record, &update);
        if (record->case_id && concerns(prefixes, record))
            took = returns_take(r, &update);
    }
    free(room.base);
    return took < 0 ? too_many(c) : e < 0 ? offline_failed(c, dir, e, journal_cursor_problem(from)) : CTL_DONE;
}

static int from_store(struct ctl *c, struct returns_line *l, struct returns_options *o, struct store *s,
                      struct returns **ret) {
    struct journal_cursor *from = NULL;
    int64_t last_ms = store_last_ms(s);
    if (last_ms < 0)
        return offline_failed(c, l->data, (int)last_ms, "");
    int r = period_read(c, l, clock_wall_ms(), &o->period);
    if (r == CTL_DONE)
        r = as_of_there(c, l->as_of, o, store_durable_seq(s), last_ms);
    if (r)
        return r;
    o->rules = rules_stored;
    o->to = s;
    int e = journal_cursor_open(&from, store_journal(s), store_first_seq(s));
    if (e < 0)
        return offline_failed(c, l->data, e, "");
    *ret = returns_open(o);
    r = read_on(c, l->data, from, &l->prefixes, *ret);
    journal_cursor_close(from);
    return r;
}

/* ---- out --------------------------------------------------------------------------------------------------------- */

static int failed(const char *path) {
    (void)fprintf(stderr, "whistlectl: %s: %s\n", path, strerror(errno));
    return CTL_FAULT;
}

/* Whole or not at all: written beside, synced, renamed. */
static int write_out(const struct returns_line *l, const struct returns *r) {
    char beside[PATH_BYTES];
    if (!l->out) {
        returns_write(r, l->masked, stdout);
        return CTL_DONE;
    }
    if ((size_t)snprintf(beside, sizeof beside, "%s.new", l->out) >= sizeof beside)
        return errno = ENAMETOOLONG, failed(l->out);
    FILE *file = fopen(beside, "wbe");
    if (!file)
        return failed(beside);
    returns_write(r, l->masked, file);
    bool written = fflush(file) == 0 && !ferror(file) && fsync(fileno(file)) == 0;
    if (fclose(file) != 0 || !written || rename(beside, l->out) != 0) {
        int code = failed(beside);
        (void)unlink(beside);
        return code;
    }
    return CTL_DONE;
}

static int finish(const struct ctl *c, const struct returns_line *l, struct returns *r) {
    returns_sum(r);
    if (returns_strangers(r))
        (void)fprintf(stderr, "whistlectl: %llu %s\n", (unsigned long long)returns_strangers(r),
                      say(c, "条动态未计：其案件的开头已不在日志里（已清理），或不在这些区划里",
                          "updates do not count: the beginning of their cases was purged, or lay elsewhere"));
    return write_out(l, r);
}

int returns_main(struct ctl *c, int argc, char **argv) {
    struct returns_line l = {.date = NULL};
    struct returns_options o = {.as_of_seq = 0};
    struct returns *made = NULL;
    struct store *s = NULL;
    struct store_found found = {.epoch = 0};
    int r = arguments_read(c, argc, argv, &l);
    if (r)
        return r;
    struct period wrong;
    r = period_read(c, &l, 0, &wrong);            /* before anybody is asked */
    if (r == CTL_DONE)
        r = as_of_read(c, l.as_of, &o);
    if (r)
        return r;
    o.prefixes = l.prefixes;
    if (l.data) {
        struct store_options options = offline_options(l.data, true);
        int e = store_open(&s, &options, &found);
        if (e < 0)
            return offline_failed(c, l.data, e, found.problem);
        c->drill = found.drill;
    }
    r = l.data ? from_store(c, &l, &o, s, &made) : from_broker(c, &l, &o, &made);
    if (r == CTL_DONE)
        r = finish(c, &l, made);
    returns_close(made);
    if (s)
        store_close(s);
    return r;
}
