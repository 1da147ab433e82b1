/* journal.c: `journal follow`, `journal show`: the journal on another machine, and what a journal's files say.
 *
 * The follower asks for the next bytes, writes them, verifies them, asks again. It knows nothing that its directory
 * does not know: killed at any time, it goes on from the last whole batch. */
#include "ctl/commands.h"
#include "ctl/offline.h"
#include "daemon/store/backup.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { WANTED_BYTES = 256 << 10, POLL_MS = 200, TELL_MS = 10000, PATIENCE_MAX_MS = 30000 };

struct follow_line { const char *from, *to; bool once, status; };
struct show_line { const char *dir; };

#define AT(field) offsetof(struct follow_line, field)
static const struct argument follow_table[] = {
    {"--from", "ENDPOINT", ARGUMENT_TEXT, AT(from),
     BOTH("服务器的 front（--front）", "the broker's front (--front)"), false},
    {"--to", "DIR", ARGUMENT_TEXT, AT(to),
     BOTH("日志写到哪里；此处只能由跟随程序写", "where the journal goes; only a follower writes there"), true},
    {"--once", NULL, ARGUMENT_FLAG, AT(once),
     BOTH("取齐即结束", "end as soon as everything is here"), false},
    {"--status", NULL, ARGUMENT_FLAG, AT(status),
     BOTH("不取，只说落后多少", "fetch nothing: say how far DIR is behind"), false},
};
#undef AT
static const struct argument show_table[] = {
    {"DIR", NULL, ARGUMENT_TEXT, offsetof(struct show_line, dir),
     BOTH("数据目录，或跟随所得的日志", "a store, or a followed journal"), true},
};

const struct command_line journal_follow_command = {
    "journal follow", BOTH("逐字节跟随日志，保持副本最新",
         "keeps a copy of a broker's journal up to date, byte for byte"), follow_table, COUNT_OF(follow_table),
    BOTH("只答复数据目录的属主和 root（经 ipc；异机用 ssh -L）。DIR 加密钥槽存档即可 restore。\n"
         "退出码：0 已齐，1 未接受，2 DIR 里是别的，3 无人回答（不加 --once 会一直试），4 与已跟随的接不上。",
         "The broker answers its store's owner and root (over ipc; from another machine through `ssh -L`). DIR\n"
         "and an archive of key slots are all that `restore` needs. Exit codes: 0 everything is here, 1\n"
         "refused, 2 DIR holds something else, 3 nobody there (without --once it keeps trying), 4 what is\n"
         "there does not continue what was followed."),
};
const struct command_line journal_show_command = {
    "journal show", BOTH("列出日志段并逐批核对",
         "lists a journal's segments and verifies every batch"), show_table, COUNT_OF(show_table),
    BOTH("不加锁，不改动。退出码：0 全部核对一致，4 损坏（说明位置）。",
         "Takes no lock and changes nothing. Exit codes: 0 all of it verifies, 4 damaged (it says where)."),
};

int ask_journal(struct ctl *c, const PbReadJournal *question, const PbJournalPart **ret) {
    PbReadJournal q = *question;
    PbEnvelope e = {.command_case = COMMAND_READ_JOURNAL, .read_journal = &q};
    const PbReply *reply = NULL;
    int r = ctl_call(c, &e, &reply);
    if (r)
        return r;
    CHECK(reply->reply_case == REPLY_JOURNAL_PART);
    *ret = reply->journal_part;
    return CTL_DONE;
}

/* ---- follow ------------------------------------------------------------------------------------------------------ */

struct following {
    struct ctl *c;
    const struct follow_line *line;
    struct follow *to;
    bool based;                                   /* the base is here, if there is one */
    bool compared;                                /* that both sides have the same last batch, in this contact */
    bool caught_up, told_caught_up;
    uint64_t lag_seqs;
    int64_t lag_ms, told_ms;
    char problem[STORE_PROBLEM_SIZE];
};

static int fail(const struct following *f, int r) {
    return copy_failed(f->c, f->line->to, r, f->problem);
}

static int differs(struct following *f, const char *what) {
    struct slice said = both_in(f->c->language, what);
    (void)snprintf(f->problem, sizeof f->problem, say(f->c, "%.*s；请另用新目录跟随，查明原因之前保留这一份",
                   "%.*s; follow into a new directory, and keep this one until you know why"), (int)said.len,
                   (const char *)said.at);
    return fail(f, -EBADMSG);
}

/* FORMAT and key, once; afterwards that it is still the same store. */
static int meet(struct following *f, const PbJournalPart *part, bool known) {
    int r = 0;
    if (part->store_id.len != 16)
        return differs(f, BOTH("服务器没有说它是哪份数据",
                               "the broker did not say which store it has"));
    if (!known)
        r = follow_begin(f->to, slice_from(part->format.data, part->format.len),
                         slice_from(part->key.data, part->key.len), f->problem);
    if (r < 0)
        return fail(f, r);
    return follow_is_of(f->to, part->store_id.data) ? CTL_DONE
        : differs(f, BOTH("那里的服务器用的是另一份数据，不是一直跟随的那份",
                               "the broker there has another store than the one that was followed"));
}

/* Is the last batch that is here the one that is there? */
static int compare(struct following *f, const struct follow_place *at) {
    PbReadJournal q = {
        .has_ordinal = true, .ordinal = at->ordinal, .has_offset = true, .offset = at->last_offset, .has_bytes = true,
        .bytes = (uint32_t)at->last_bytes,
    };
    const PbJournalPart *part = NULL;
    f->compared = true;
    if (!at->last_bytes)
        return CTL_DONE;
    int code = ask_journal(f->c, &q, &part);
    if (code)
        return f->compared = false, code;
    int r = follow_same(f->to, slice_from(part->bytes.data, part->bytes.len), f->problem);
    return r < 0 ? fail(f, r) : CTL_DONE;
}

/* Before the first segment of a journal that a purge has shortened: what it stands on. */
static int fetch_base(struct following *f, uint64_t seq) {
    uint64_t offset = 0, length = 1;
    while (offset < length) {
        PbReadJournal q = {
            .has_of_base = true, .of_base = true, .has_offset = true, .offset = offset, .has_bytes = true,
            .bytes = WANTED_BYTES,
        };
        const PbJournalPart *part = NULL;
        int code = ask_journal(f->c, &q, &part);
        if (code)
            return code;
        if (part->base_seq != seq || part->bytes.len == 0)
            return differs(f, BOTH("服务器的日志恰在此刻被清理",
                               "the broker's journal was purged in this moment"));
        length = part->length;
        int r = follow_base(f->to, seq, offset, slice_from(part->bytes.data, part->bytes.len),
                            offset + part->bytes.len == length, f->problem);
        if (r < 0)
            return fail(f, r);
        offset += part->bytes.len;
    }
    return CTL_DONE;
}

static int take(struct following *f, const struct follow_place *at, const PbJournalPart *part) {
    if (part->length < at->offset || (part->length == 0 && part->ordinal > part->last_ordinal))
        return differs(f, BOTH("服务器的日志比已跟随的短：它由备份恢复过",
                               "the broker's journal ends before what was followed: it was restored"));
    if (part->length == 0)
        return differs(f, BOTH("服务器已没有接下来的那一段",
                               "the broker no longer has the segment that comes next here"));
    uint64_t end = at->offset + part->bytes.len;
    struct slice bytes = slice_from(part->bytes.data, part->bytes.len);
    int r = bytes.len ? follow_take(f->to, part->ordinal, bytes, f->problem) : 0;
    if (r == 0 && part->sealed && end == part->length)
        r = follow_seal(f->to, f->problem);
    f->caught_up = !part->sealed && end == part->length;
    if (r == 0 && f->caught_up)
        r = follow_sync(f->to);
    return r < 0 ? fail(f, r) : CTL_DONE;
}

static void measure(struct following *f, const PbJournalPart *part) {
    struct follow_place now;
    follow_where(f->to, &now);
    f->lag_seqs = part->durable_seq > now.seq ? part->durable_seq - now.seq : 0;
    f->lag_ms = f->lag_seqs && now.at_ms ? part->at_ms - now.at_ms : 0;
    int64_t mono_ms = clock_mono_ns() / 1000000;
    if (mono_ms - f->told_ms < TELL_MS && f->caught_up == f->told_caught_up)
        return;
    f->told_ms = mono_ms;
    f->told_caught_up = f->caught_up;
    log_info("follow.at seq=%llu segment=%llu lag_seqs=%llu lag_ms=%lld caught_up=%s", (unsigned long long)now.seq,
             (unsigned long long)now.ordinal, (unsigned long long)f->lag_seqs, (long long)f->lag_ms,
             f->caught_up ? "yes" : "no");
}

static int step(struct following *f) {
    struct follow_place at;
    follow_where(f->to, &at);
    PbReadJournal q = {
        .has_ordinal = true, .ordinal = at.ordinal, .has_offset = true, .offset = at.offset, .has_bytes = true,
        .bytes = WANTED_BYTES, .has_identity = !at.known, .identity = !at.known,
    };
    const PbJournalPart *part = NULL;
    int code = at.known && !f->compared ? compare(f, &at) : CTL_DONE;
    if (code == CTL_DONE)
        code = ask_journal(f->c, &q, &part);
    if (code == CTL_DONE)
        code = meet(f, part, at.known);
    if (code == CTL_DONE && at.ordinal == 0 && part->has_base_seq && !f->based) {
        f->based = true;
        return fetch_base(f, part->base_seq);     /* then the first segment is asked for anew */
    }
    if (code == CTL_DONE)
        code = take(f, &at, part);
    if (code == CTL_DONE)
        measure(f, part);
    return code;
}

static void pause_ms(int64_t ms) {
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    (void)nanosleep(&t, NULL);
}

static int follow(struct following *f) {
    int64_t patience_ms = POLL_MS;
    for (;;) {
        int code = step(f);
        if (code == CTL_UNREACHABLE && !f->line->once) {
            f->compared = false;                  /* who answers next may be another */
            pause_ms(patience_ms);
            patience_ms = patience_ms < PATIENCE_MAX_MS / 2 ? 2 * patience_ms : PATIENCE_MAX_MS;
            continue;
        }
        if (code)
            return code;
        patience_ms = POLL_MS;
        if (f->caught_up && f->line->once)
            return CTL_DONE;
        if (f->caught_up)
            pause_ms(POLL_MS);
    }
}

/* ---- how far behind ---------------------------------------------------------------------------------------------- */

static int note_last(void *to, const struct segment_seen *s) {
    struct segment_seen *last = to;
    if (!s->begun)
        return 0;
    int64_t at_ms = s->last_ms ? s->last_ms : last->last_ms;
    *last = *s;
    last->last_ms = at_ms;
    return 0;
}

static int status(struct following *f) {
    struct segment_seen last = {.begun = false};
    PbReadJournal nothing = {.has_bytes = true, .bytes = 0};
    const PbJournalPart *part = NULL;
    int r = store_survey(f->line->to, 2, note_last, &last, f->problem);
    if (r < 0)
        return fail(f, r);
    int code = ask_journal(f->c, &nothing, &part);
    uint64_t lag = code == CTL_DONE && part->durable_seq > last.last_seq ? part->durable_seq - last.last_seq : 0;
    int64_t lag_ms = lag && last.last_ms ? part->at_ms - last.last_ms : 0;
    if (f->c->json)
        printf("{\"seq\":\"%llu\",\"segment\":\"%llu\",\"reached\":%s,\"lag_seqs\":\"%llu\",\"lag_ms\":\"%lld\"}\n",
               (unsigned long long)last.last_seq, (unsigned long long)last.ordinal, code ? "false" : "true",
               (unsigned long long)lag, (long long)lag_ms);
    else if (code == CTL_DONE)
        printf(say(f->c, "本地到序号 %llu（段 %llu），落后 %llu 个序号，%lld 毫秒\n",
                   "here up to seq %llu (segment %llu); behind by %llu seqs, %lld ms\n"),
               (unsigned long long)last.last_seq, (unsigned long long)last.ordinal, (unsigned long long)lag,
               (long long)lag_ms);
    else
        printf(say(f->c, "本地到序号 %llu（段 %llu）\n", "here up to seq %llu (segment %llu)\n"),
               (unsigned long long)last.last_seq, (unsigned long long)last.ordinal);
    return code;
}

int journal_follow_main(struct ctl *c, int argc, char **argv) {
    struct follow_line l = {.from = NULL};
    struct following f = {.c = c, .line = &l};
    int r = arguments_read(c, argc, argv, &l);
    if (r)
        return r;
    if (l.from)
        c->front = l.from;
    if (l.status)
        return status(&f);
    r = follow_open(&f.to, l.to, f.problem);
    if (r < 0)
        return fail(&f, r);
    struct follow_place at;
    follow_where(f.to, &at);
    log_info("follow.begins dir=%s seq=%llu cut_bytes=%llu", l.to, (unsigned long long)at.seq,
             (unsigned long long)at.cut_bytes);
    r = follow(&f);
    follow_close(f.to);
    return r;
}

/* ---- show -------------------------------------------------------------------------------------------------------- */

struct showing { const struct ctl *c; struct sheet *sheet; bool any; };

static const char *state_of(const struct ctl *c, const struct segment_seen *s) {
    return !s->begun ? say(c, "备用", "ready") : s->sealed ? say(c, "封存", "sealed") : say(c, "当前", "active");
}

static int show_segment(void *to, const struct segment_seen *s) {
    struct showing *p = to;
    const struct ctl *c = p->c;
    p->any = true;
    char bytes[PRINTED_BYTES], first[PRINTED_BYTES] = "-", last[PRINTED_BYTES] = "-";
    if (c->json)
        return printf("{\"segment\":\"%llu\",\"state\":\"%s\",\"first_seq\":\"%llu\",\"last_seq\":\"%llu\","
                      "\"batches\":\"%llu\",\"records\":\"%llu\",\"bytes\":\"%llu\",\"witnessed\":%s}\n",
                      (unsigned long long)s->ordinal, s->begun ? s->sealed ? "sealed" : "active" : "ready",
                      (unsigned long long)s->first_seq, (unsigned long long)s->last_seq, (unsigned long long)s->batches,
                      (unsigned long long)s->records, (unsigned long long)s->used, s->witnessed ? "true" : "false"), 0;
    print_bytes(s->used, bytes);
    if (s->first_ms) {
        print_instant(c, s->first_ms, first);
        print_instant(c, s->last_ms, last);
    }
    sheet_cell(p->sheet, "%08llu", (unsigned long long)s->ordinal);
    sheet_cell(p->sheet, "%s", state_of(c, s));
    sheet_cell(p->sheet, s->begun ? "%llu" : "-", (unsigned long long)s->first_seq);
    sheet_cell(p->sheet, s->begun ? "%llu" : "-", (unsigned long long)s->last_seq);
    sheet_cell(p->sheet, "%llu", (unsigned long long)s->batches);
    sheet_cell(p->sheet, "%llu", (unsigned long long)s->records);
    sheet_cell(p->sheet, "%s", bytes);
    sheet_cell(p->sheet, "%s", !s->begun ? "-" : s->witnessed ? say(c, "有", "yes") : say(c, "无", "no"));
    sheet_cell(p->sheet, "%s", first);
    sheet_cell(p->sheet, "%s", last);
    return 0;
}

int journal_show_main(struct ctl *c, int argc, char **argv) {
    static const char *const zh[] = {"段", "状态", "首序号", "末序号", "批次", "记录", "字节", "见证", "自", "至"};
    static const char *const en[] = {"segment", "state", "first seq", "last seq", "batches", "records", "bytes",
                                     "witness", "from", "to"};
    struct show_line l = {.dir = NULL};
    struct showing p = {.c = c};
    char problem[STORE_PROBLEM_SIZE];
    int r = arguments_read(c, argc, argv, &l);
    if (r)
        return r;
    if (!c->json)
        sheet_open(&p.sheet, COUNT_OF(en));
    for (size_t i = 0; p.sheet && i < COUNT_OF(en); i++)
        sheet_cell(p.sheet, "%s", say(c, zh[i], en[i]));
    r = store_survey(l.dir, 0, show_segment, &p, problem);
    if (p.sheet)
        sheet_close(p.sheet, p.any ? stdout : NULL);
    return r < 0 ? offline_failed(c, l.dir, r, problem) : CTL_DONE;
}
