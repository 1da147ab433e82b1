/* offline.c: `verify`, `replay`, `recover`: a store without its broker. All three take the store's lock, so a running
 * broker is never disturbed: they say that the store is in use. */
#include "ctl/commands.h"
#include "ctl/offline.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { REPLAY_ROOM_BYTES = 8 << 20, REPLAY_COLUMNS = 400, BAR_COLUMNS = 40 };

struct offline_line {
    const char *dir, *scratch;
    uint64_t from_seq, case_id;
    bool quiet, discard;
};

#define AT(field) offsetof(struct offline_line, field)
#define DIR_ARGUMENT {"DATA_DIR", NULL, ARGUMENT_TEXT, AT(dir), \
     BOTH("数据目录：/var/lib/whistled", "the store's directory: /var/lib/whistled"), true}
static const struct argument verify_table[] = {
    DIR_ARGUMENT,
    {"--scratch", "DIR", ARGUMENT_TEXT, AT(scratch),
     BOTH("临时目录（DATA_DIR）", "where to fold meanwhile (DATA_DIR)"), false},
    {"--quiet", NULL, ARGUMENT_FLAG, AT(quiet),
     BOTH("只给退出码和差错", "the exit code alone, and what is wrong"), false},
};
static const struct argument replay_table[] = {
    DIR_ARGUMENT,
    {"--from", "SEQ", ARGUMENT_NUMBER, AT(from_seq),
     BOTH("从含这个序号的记录起", "from the record that holds it"), false},
    {"--case", "ID", ARGUMENT_NUMBER, AT(case_id),
     BOTH("只看这个案件的记录", "only this case's records"), false},
};
static const struct argument recover_table[] = {
    DIR_ARGUMENT,
    {"--discard-state", NULL, ARGUMENT_FLAG, AT(discard),
     BOTH("只信日志：全部重新折算", "believe the journal alone: fold all of it again"), false},
};
#undef AT

const struct command_line verify_command = {
    "verify", BOTH("从头核对已停用的数据目录",
         "reads a resting store's journal from the first byte and compares what it folds to"), verify_table,
    COUNT_OF(verify_table),
    BOTH("退出码：0 一致，1 不一致或损坏，3 正在使用。",
         "Exit codes: 0 agreed, 1 it differs or is damaged, 3 the store is in use."),
};
const struct command_line replay_command = {
    "replay", BOTH("逐条打印日志（--json 时一行一条记录）",
         "prints a resting store's journal, a line an event (with --json a record a line)"), replay_table,
    COUNT_OF(replay_table),
    BOTH("密封的文字不打开。退出码：0 已完成，3 正在使用，4 损坏。",
         "What people wrote is sealed and stays so. Exit codes: 0 done, 3 the store is in use, 4 it is damaged."),
};
const struct command_line recover_command = {
    "recover", BOTH("按启动的办法打开，说明缺什么并修复",
         "opens a resting store as a start would, says what was missing and makes it good"), recover_table,
    COUNT_OF(recover_table),
    BOTH("只是表缺失的，由日志重新折算。日志缺失的会说明，绝不悄悄补：请放回文件，\n"
         "或以 --discard-state 只信余下的日志。退出码：0 可以启动，3 正在使用，4 损坏，未改动。",
         "What only the tables have lost is folded again from the journal. What the journal has lost is said\n"
         "and never made good in silence: put the files back, or give --discard-state to believe what is left\n"
         "of the journal. Exit codes: 0 it would serve, 3 the store is in use, 4 it is damaged and was left as\n"
         "it is."),
};

/* The broker's defaults; the segments' size is read from the journal. */
struct store_options offline_options(const char *dir, bool read_only) {
    return (struct store_options){
        .dir = dir, .segment_bytes = 64ULL << 20, .segments_ahead = 2, .map_bytes = 64ULL << 30,
        .slots_ahead = 64 << 10, .checkpoint_bytes_journal = 64ULL << 20, .checkpoint_changes = 40000,
        .checkpoint_idle_ms = 200, .checkpoint_age_ms = 10000, .read_only = read_only,
    };
}

/* Why no store can be opened there, whatever is in it; NULL: the place is none to blame. */
static const char *place_wrong(const struct ctl *c, const char *dir) {
    struct stat st;
    if (stat(dir, &st) < 0)
        return errno != ENOENT ? NULL : say(c, "没有这个目录；数据目录是 whistled.yaml 中的 data",
                                            "there is no such directory; a store's is `data` in whistled.yaml");
    if (!S_ISDIR(st.st_mode))
        return say(c, "这不是目录；数据目录是 whistled.yaml 中的 data",
                   "this is not a directory; a store's is `data` in whistled.yaml");
    if (access(dir, R_OK | X_OK) < 0)
        return say(c, "当前用户不能读取这个目录；请以 root 或其属主的身份再来一次",
                   "this user may not read that directory; do it again as root or as its owner");
    return NULL;
}

/* What keeps a store from being opened, as an exit code; said. */
int offline_failed(const struct ctl *c, const char *dir, int r, const char *problem) {
    const char *place = place_wrong(c, dir), *why = place ? place : problem[0] ? problem : strerror(-r);
    if (r == -EBUSY)
        why = say(c, "数据正被另一个程序使用；请先停止 whistled", "another process has this store open; stop whistled first");
    (void)fprintf(stderr, "whistlectl: %s: %s\n", dir, why);
    return r == -EBUSY ? CTL_UNREACHABLE : r == -EBADMSG ? CTL_DAMAGED
        : r == -ENOENT || r == -ENOTDIR ? CTL_USAGE : CTL_FAULT;
}

int copy_failed(const struct ctl *c, const char *what, int r, const char *problem) {
    static const struct { int error; enum ctl_exit code; } codes[] = {
        {-EINVAL, CTL_USAGE}, {-EEXIST, CTL_USAGE}, {-ERANGE, CTL_USAGE}, {-ESTALE, CTL_DAMAGED},
        {-EBUSY, CTL_UNREACHABLE},
    };
    for (size_t i = 0; problem[0] && i < COUNT_OF(codes); i++)
        if (r == codes[i].error)
            return (void)fprintf(stderr, "whistlectl: %s\n", problem), (int)codes[i].code;
    return offline_failed(c, what, r, problem);
}

/* ---- verify ------------------------------------------------------------------------------------------------------ */

static void bar(void *to, uint64_t seq, uint64_t last) {
    const struct ctl *c = to;
    unsigned share = last ? (unsigned)(seq * 100 / last) : 100;
    (void)fprintf(stderr, "\r%s [%-*.*s] %3u %%", say(c, "核对", "verifying"), BAR_COLUMNS,
                  (int)(share * BAR_COLUMNS / 100), "########################################", share);
}

static void print_hash(const struct ctl *c, struct sheet *t, const char *zh, const char *en, const struct hash *h) {
    char text[2 * HASH_SIZE + 1];
    for (size_t i = 0; i < HASH_SIZE; i++)
        (void)snprintf(text + 2 * i, 3, "%02x", h->byte[i]);
    sheet_cell(t, "%s", say(c, zh, en));
    sheet_cell(t, "%.32s", text);
    sheet_cell(t, "%.32s", text + 32);
}

static void print_verified(const struct ctl *c, const struct verify_result *v) {
    const struct { const char *zh, *en; uint64_t value; } rows[] = {
        {"起始序号", "first seq", v->first_seq}, {"基线序号", "base at seq", v->base_seq},
        {"序号", "seq", v->seq}, {"记录", "records", v->records}, {"批次", "batches", v->batches},
        {"案件", "cases", v->cases}, {"撕裂的尾部字节", "torn bytes behind the last batch", v->torn_bytes},
    };
    struct sheet *t;
    sheet_open(&t, 3);
    for (size_t i = 0; i < COUNT_OF(rows) - (v->torn_bytes == 0); i++) {
        sheet_cell(t, "%s", say(c, rows[i].zh, rows[i].en));
        sheet_cell(t, "%llu", (unsigned long long)rows[i].value);
        sheet_cell(t, "%s", "");
    }
    print_hash(c, t, "日志摘要", "journal digest", &v->journal_digest);
    print_hash(c, t, "状态摘要", "state digest", &v->state_digest);
    sheet_close(t, stdout);
    if (v->equal)
        puts(say(c, "一致：状态正是日志所记", "agreed: the state is what the journal folds to"));
}

static void json_problem(const char *problem) {
    if (problem[0]) {
        (void)fputs(",\"problem\":", stdout);
        json_text(problem);
    }
    puts("}");
}

static void hex_print(const char *name, const struct hash *h) {
    printf(",\"%s\":\"", name);
    for (size_t i = 0; i < HASH_SIZE; i++)
        printf("%02x", h->byte[i]);
    putchar('"');
}

/* What was not reached has no digest. */
static void json_verified(const struct verify_result *v, bool folded, bool good) {
    printf("{\"agreed\":%s,\"first_seq\":\"%llu\",\"base_seq\":\"%llu\",\"seq\":\"%llu\",\"records\":\"%llu\","
           "\"batches\":\"%llu\",\"cases\":\"%llu\",\"torn_bytes\":\"%llu\"", good ? "true" : "false",
           (unsigned long long)v->first_seq, (unsigned long long)v->base_seq, (unsigned long long)v->seq,
           (unsigned long long)v->records, (unsigned long long)v->batches, (unsigned long long)v->cases,
           (unsigned long long)v->torn_bytes);
    if (folded) {
        hex_print("journal_digest", &v->journal_digest);
        hex_print("state_digest", &v->state_digest);
    }
    json_problem(v->problem);
}

int verify_main(struct ctl *c, int argc, char **argv) {
    struct offline_line l = {.dir = NULL};
    struct verify_result v = {.seq = 0};
    int r = arguments_read(c, argc, argv, &l);
    if (r)
        return r;
    struct store_options o = offline_options(l.dir, true);
    bool draw = !l.quiet && isatty(STDERR_FILENO);
    r = store_verify(&o, l.scratch ? l.scratch : l.dir, &v, draw ? bar : NULL, c);
    if (draw)
        (void)fputs("\r\033[K", stderr);
    bool good = r == 0 && v.equal && v.problem[0] == '\0';
    if (r == -EBUSY || r == -ENOENT || place_wrong(c, l.dir))
        return offline_failed(c, l.dir, r, v.problem);
    if (c->json)
        json_verified(&v, r == 0, good);
    else if (!l.quiet && r == 0)
        print_verified(c, &v);
    if (!good)
        (void)fprintf(stderr, "whistlectl: %s: %s\n", l.dir, v.problem[0] ? v.problem
                      : say(c, "状态与日志不一致", "the tables are not what the journal folds to"));
    return good ? CTL_DONE : r == 0 || r == -EBADMSG ? CTL_REFUSED : CTL_FAULT;
}

/* ---- replay ------------------------------------------------------------------------------------------------------ */

static void print_record(const struct ctl *c, struct story *s, const PbRecord *record) {
    char at[PRINTED_BYTES], text[LINE_BYTES], clean[LINE_BYTES];
    print_instant(c, record->at_ms, at);
    for (size_t i = 0; i < record->n_events; i++) {
        story_words(s, record->events[i], text);
        text_clean(text, REPLAY_COLUMNS, clean, sizeof clean);
        printf("%s  #%llu  %s", at, (unsigned long long)(record->first_seq + i), record->source ? record->source : "-");
        if (record->case_id)
            printf("  %s %llu", say(c, "案件", "case"), (unsigned long long)record->case_id);
        printf("  %s\n", clean);
    }
}

static int replay(const struct ctl *c, const struct offline_line *l, struct journal_cursor *from, struct arena room) {
    struct story s = {.c = c};
    struct slice bytes;
    uint64_t first;
    uint32_t seqs;
    int r;
    while ((r = journal_next(from, &first, &seqs, &bytes)) == 1 && !ferror(stdout)) {
        PbRecord *record = NULL;
        arena_reset(&room);
        if (codec_unpack_own(CODEC_RECORD, bytes, &room, &record) < 0)
            return offline_failed(c, l->dir, -EBADMSG, say(c, "有一条记录无法读取", "a record cannot be read"));
        if (l->case_id && record->case_id != l->case_id)
            continue;
        if (c->json)
            json_print(CODEC_RECORD, record);
        else
            print_record(c, &s, record);
    }
    return r < 0 ? offline_failed(c, l->dir, r, journal_cursor_problem(from)) : CTL_DONE;
}

/* Both open for reading only. Damaged tables are none of a replay's business, but the store's opening looks at them. */
int replay_main(struct ctl *c, int argc, char **argv) {
    struct offline_line l = {.from_seq = 1};
    struct store *s = NULL;
    struct store_found found = {.epoch = 0};
    struct journal_cursor *from = NULL;
    int r = arguments_read(c, argc, argv, &l);
    if (r)
        return r;
    struct store_options o = offline_options(l.dir, true);
    r = store_open(&s, &o, &found);
    if (r < 0)
        return offline_failed(c, l.dir, r, found.problem);
    c->drill = found.drill;
    print_drill_banner(c);
    r = journal_cursor_open(&from, store_journal(s), l.from_seq ? l.from_seq : 1);
    const char *why = say(c, "日志里没有这个序号", "that seq is not in the journal");
    struct arena room;
    arena_wrap(&room, memory_or_die(REPLAY_ROOM_BYTES), REPLAY_ROOM_BYTES);
    int result = r < 0 ? offline_failed(c, l.dir, r, r == -ENOENT ? why : "") : replay(c, &l, from, room);
    free(room.base);
    journal_cursor_close(from);
    store_close(s);
    return result;
}

/* ---- recover ----------------------------------------------------------------------------------------------------- */

static void print_found(const struct ctl *c, const struct store_found *f) {
    const struct { const char *zh, *en; uint64_t value; } rows[] = {
        {"检查点序号", "checkpoint at seq", f->folded_seq}, {"补折叠的记录", "records folded", f->refolded},
        {"上次启动", "last epoch", f->epoch},
    };
    struct sheet *t;
    sheet_open(&t, 2);
    sheet_cell(t, "%s", say(c, "恢复表", "recovery table"));
    sheet_cell(t, "%s", f->decision);
    sheet_cell(t, "%s", say(c, "状态重建", "tables rebuilt"));
    sheet_cell(t, "%s", f->rebuilt ? say(c, "是", "yes") : say(c, "否", "no"));
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        sheet_cell(t, "%s", say(c, rows[i].zh, rows[i].en));
        sheet_cell(t, "%llu", (unsigned long long)rows[i].value);
    }
    if (f->journal.torn_bytes) {
        sheet_cell(t, "%s", say(c, "撕裂的尾部", "torn tail"));
        sheet_cell(t, "%llu bytes, %s", (unsigned long long)f->journal.torn_bytes, f->journal.torn_file);
    }
    sheet_close(t, stdout);
}

static void json_found(const struct store_found *f, bool serves) {
    printf("{\"serves\":%s,\"decision\":\"%s\",\"rebuilt\":%s,\"checkpoint_seq\":\"%llu\",\"folded\":\"%llu\","
           "\"torn_bytes\":\"%llu\"", serves ? "true" : "false", f->decision, f->rebuilt ? "true" : "false",
           (unsigned long long)f->folded_seq, (unsigned long long)f->refolded,
           (unsigned long long)f->journal.torn_bytes);
    json_problem(f->problem);
}

int recover_main(struct ctl *c, int argc, char **argv) {
    uint64_t erased = 0;
    struct offline_line l = {.dir = NULL};
    struct store *s = NULL;
    struct store_found found = {.epoch = 0};
    int r = arguments_read(c, argc, argv, &l);
    if (r)
        return r;
    struct store_options o = offline_options(l.dir, false);
    r = l.discard ? store_rebuild(&o, &found) : store_open(&s, &o, &found);
    if (r == 0 && s)
        r = store_redo_erasures(s, 0, &erased);   /* slots may have come back from an archive */
    if (s)
        store_close(s);
    c->drill = found.drill;
    print_drill_banner(c);
    if (r != -EBUSY && !place_wrong(c, l.dir)) {
        if (c->json)
            json_found(&found, r == 0);
        else if (found.decision[0])
            print_found(c, &found);
    }
    if (r < 0)
        return offline_failed(c, l.dir, r, found.problem);
    if (!c->json)
        puts(say(c, "可以启动 whistled", "whistled can be started"));
    return CTL_DONE;
}
