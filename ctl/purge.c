/* purge.c: `purge`: what is old enough leaves the journal of a resting store. */
#include "ctl/commands.h"
#include "ctl/offline.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct purge_line {
    const char *dir, *scratch, *archive;
    int64_t before_ms, keep_ms;
    bool discard, dry_run, open_too;
};

#define AT(field) offsetof(struct purge_line, field)
static const struct argument purge_table[] = {
    {"DATA_DIR", NULL, ARGUMENT_TEXT, AT(dir),
     BOTH("数据目录：/var/lib/whistled", "the store's directory: /var/lib/whistled"), false},
    {"--store", "DATA_DIR", ARGUMENT_TEXT, AT(dir),
     BOTH("同上", "the same"), false},
    {"--before", "DATE", ARGUMENT_INSTANT, AT(before_ms),
     BOTH("此前发生的可以清理：2026-01-01", "what happened before may go: 2026-01-01"), false},
    {"--keep", "TIME", ARGUMENT_SPAN, AT(keep_ms),
     BOTH("比最后一条记录早这么多的可以清理：184d", "what is older than the last record by this may go: 184d"), false},
    {"--archive", "DIR", ARGUMENT_TEXT, AT(archive),
     BOTH("移到这里；先读回核对", "moves it there; copies are read back first"), false},
    {"--delete", NULL, ARGUMENT_FLAG, AT(discard),
     BOTH("永久删除", "removes it for good"), false},
    {"--dry-run", NULL, ARGUMENT_FLAG, AT(dry_run),
     BOTH("只说会清理什么", "only says what would go"), false},
    {"--open-too", NULL, ARGUMENT_FLAG, AT(open_too),
     BOTH("连未结案件的经过也清理：其文字将丢失", "even what open cases were told in: their text is lost"), false},
    {"--scratch", "DIR", ARGUMENT_TEXT, AT(scratch),
     BOTH("临时目录（DATA_DIR）", "where to fold meanwhile (DATA_DIR)"), false},
};
#undef AT

const struct command_line purge_command = {
    "purge", BOTH("清理足够旧的日志",
         "takes what is old enough out of a resting store's journal"), purge_table, COUNT_OF(purge_table),
    BOTH("请先停 whistled。先核对全部日志，写出基线并验证，再清理；中途被打断可重来。案件都在，此前的经过不再显示。\n"
         "除演练外至少保留六个月。退出码：0 已完成，1 会保留得太少或归档处已有别的文件，3 正在使用，4 损坏，未改动。",
         "Stop whistled first. The whole journal is verified, what it folds to is written as a base and\n"
         "proved, and only then do segments go; whoever kills it in between does it again. Cases stay; the\n"
         "stories of before are not told any more. Six months of log are kept at least, except of a drill.\n"
         "Exit codes: 0 done, 1 it would keep too little or the archive has another file, 3 the store is in\n"
         "use, 4 it is damaged and was left as it is."),
};

/* CTL_DONE: go on. */
static int check(const struct ctl *c, const struct purge_line *l) {
    if (!l->dir)
        return usage(c, "请给出数据目录：whistlectl purge DATA_DIR ...",
                     "the store's directory must be given: whistlectl purge DATA_DIR ...");
    if ((l->before_ms != 0) == (l->keep_ms != 0))
        return usage(c, "--before DATE 和 --keep TIME 须给一个，如 --keep 184d",
                     "one of --before DATE and --keep TIME must be given: --keep 184d");
    if (!l->dry_run && (l->archive != NULL) == l->discard)
        return usage(c, "--archive DIR 和 --delete 须给一个；--dry-run 只说会移除什么",
                     "one of --archive DIR and --delete must be given; --dry-run says what would go");
    return CTL_DONE;
}

static void tell_step(void *to, enum purge_step step, uint64_t number) {
    static const struct { const char *zh, *en; } words[] = {
        [PURGE_VERIFIED] = {"已核对日志，至序号", "the journal is verified, up to seq"},
        [PURGE_BASE] = {"已写基线，序号", "the base is written, at seq"},
        [PURGE_PROVED] = {"基线已验证，序号", "the base is proved, at seq"},
        [PURGE_NAMED] = {"新日志段以基线为起点，序号", "a new segment stands upon it, behind seq"},
        [PURGE_ARCHIVED] = {"已归档日志段", "archived segment"},
        [PURGE_GONE] = {"已移除日志段", "removed segment"},
    };
    const struct ctl *c = to;
    (void)fprintf(stderr, "%s %llu\n", say(c, words[step].zh, words[step].en), (unsigned long long)number);
}

static void print_purged(const struct ctl *c, const struct purge_line *l, const struct purge_result *p) {
    char before[PRINTED_BYTES];
    print_instant(c, p->before_ms, before);
    printf("%s %s: %llu/%llu %s, %llu MiB\n", say(c, "早于", "older than"), before, (unsigned long long)p->segments_gone,
           (unsigned long long)p->segments, l->dry_run ? say(c, "个日志段可以移除", "segments would go")
           : say(c, "个日志段已移除", "segments went"), (unsigned long long)(p->bytes_gone >> 20));
    if (p->held_case)
        printf("%s %llu %s: %llu\n", say(c, "未结案件", "case"), (unsigned long long)p->held_case,
               say(c, "仍需要的日志段", "is open and keeps segments"), (unsigned long long)p->held_segments);
    if (p->base_seq)
        printf("%s %llu; %s %llu\n", say(c, "基线序号", "the base stands at seq"), (unsigned long long)p->base_seq,
               say(c, "日志起始序号", "the journal begins with seq"), (unsigned long long)p->first_seq);
}

static void json_purged(const struct purge_line *l, const struct purge_result *p, bool good) {
    printf("{\"purged\":%s,\"segments\":\"%llu\",\"segments_gone\":\"%llu\",\"bytes_gone\":\"%llu\","
           "\"first_seq\":\"%llu\",\"base_seq\":\"%llu\",\"seq\":\"%llu\",\"held_case\":\"%llu\","
           "\"held_segments\":\"%llu\"",
           good && !l->dry_run ? "true" : "false", (unsigned long long)p->segments,
           (unsigned long long)p->segments_gone,
           (unsigned long long)p->bytes_gone, (unsigned long long)p->first_seq, (unsigned long long)p->base_seq,
           (unsigned long long)p->seq, (unsigned long long)p->held_case, (unsigned long long)p->held_segments);
    if (p->problem[0]) {
        (void)fputs(",\"problem\":", stdout);
        json_text(p->problem);
    }
    puts("}");
}

int purge_main(struct ctl *c, int argc, char **argv) {
    struct purge_line l = {.dir = NULL};
    struct purge_result p = {.seq = 0};
    int r = arguments_read(c, argc, argv, &l);
    if (r)
        return r;
    r = check(c, &l);
    if (r)
        return r;
    struct store_options o = offline_options(l.dir, false);
    struct purge_options what = {
        .before_ms = l.before_ms, .keep_ms = l.keep_ms, .archive = l.archive, .dry_run = l.dry_run,
        .open_too = l.open_too,
    };
    r = store_purge(&o, l.scratch ? l.scratch : l.dir, &what, &p, c->json ? NULL : tell_step, c);
    if (c->json && r != -EBUSY && r != -ENOENT && r != -ENOTDIR)
        json_purged(&l, &p, r == 0);
    else if (r == 0)
        print_purged(c, &l, &p);
    if (r == 0)
        return CTL_DONE;
    int code = offline_failed(c, l.dir, r, p.problem);
    return r == -EPERM || r == -EEXIST ? CTL_REFUSED : code;
}
