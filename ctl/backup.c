/* backup.c: `backup`, `restore`, `emergency-grow`: for the day on which the disk, the house or the office burns. */
#include "ctl/commands.h"
#include "ctl/offline.h"
#include "daemon/store/backup.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { MAP_GIB = 64 };

struct backup_line { const char *store, *to, *check; };
struct restore_line { const char *from, *to, *slots; uint64_t until_seq; int64_t until_ms; };
struct grow_line { const char *store; };

#define AT(field) offsetof(struct backup_line, field)
static const struct argument backup_table[] = {
    {"--store", "DIR", ARGUMENT_TEXT, AT(store),
     BOTH("数据目录：/var/lib/whistled；服务器可以在运行", "the store: /var/lib/whistled; its broker may be running"), false},
    {"--to", "DIR", ARGUMENT_TEXT, AT(to),
     BOTH("备份目录：新的，或同一数据此前的备份", "a directory of its own: new, or an earlier backup of this store"), false},
    {"--check", "DIR", ARGUMENT_TEXT, AT(check),
     BOTH("不复制，只核对这个备份的每个字节", "copy nothing: is every byte of this backup what it was?"), false},
};
#undef AT
#define AT(field) offsetof(struct restore_line, field)
static const struct argument restore_table[] = {
    {"BACKUP", NULL, ARGUMENT_TEXT, AT(from),
     BOTH("备份，或 journal follow 写成的目录", "the backup, or a directory that `journal follow` filled"), true},
    {"--to", "DIR", ARGUMENT_TEXT, AT(to),
     BOTH("新数据目录，必须尚不存在", "the new store's directory; must not be there yet"), true},
    {"--slots", "FILE", ARGUMENT_TEXT, AT(slots),
     BOTH("密钥槽存档：BACKUP.slots", "the archive of key slots: BACKUP.slots"), false},
    {"--until-seq", "SEQ", ARGUMENT_NUMBER, AT(until_seq),
     BOTH("只恢复到这个序号", "only what was journaled up to this seq"), false},
    {"--until", "TIME", ARGUMENT_INSTANT, AT(until_ms),
     BOTH("只恢复到这个时间", "only what was journaled up to this instant"), false},
};
#undef AT
static const struct argument grow_table[] = {
    {"--store", "DIR", ARGUMENT_TEXT, offsetof(struct grow_line, store),
     BOTH("数据目录：/var/lib/whistled", "the store: /var/lib/whistled"), true},
};

const struct command_line backup_command = {
    "backup", BOTH("备份数据目录，服务器运行与否均可",
         "copies a store into a directory, while its broker runs or rests"), backup_table, COUNT_OF(backup_table),
    BOTH("密钥另存为 DIR.slots：请保存得短些，否则恢复会带回已销毁的文字。同一 DIR 再备份只复制新的。\n"
         "服务器在运行时给出 --front。退出码：0 已完成，2 命令行或目标有误，3 正在使用而无人回答，4 有损坏，6 空间或权限不足。",
         "The keys of what people wrote go to a file beside it, DIR.slots: keep that for a shorter time, or a\n"
         "restore would bring back what was erased. Again into the same DIR: only what is new is copied. With\n"
         "a running broker give its --front. Exit codes: 0 done, 2 the command line or the target is wrong, 3\n"
         "the store is in use and no broker answers, 4 something is damaged (it is named), 6 no space, no\n"
         "permission."),
};
const struct command_line restore_command = {
    "restore", BOTH("由备份恢复，可只到某个序号或时间",
         "makes a new store of a backup, all of it or up to a seq or an instant"), restore_table,
    COUNT_OF(restore_table),
    BOTH("全部核对、折算之后才得名。没有 --slots 则文字永远打不开，其余都在。下次启动为新的一次，此前的派单作迟到处理。\n"
         "退出码：0 已完成，2 命令行或目标有误，3 正在使用，4 备份损坏。",
         "Every byte is verified and folded before the store gets its name. Without --slots what people wrote\n"
         "stays closed for ever; everything else is there. The next start begins a new epoch: what desks held\n"
         "before is late. Exit codes: 0 done, 2 the command line or the target is wrong, 3 it is in use, 4 the\n"
         "backup is damaged."),
};
const struct command_line emergency_grow_command = {
    "emergency-grow", BOTH("磁盘满时放出预留空间",
         "gives the reserve of a store back to a full disk"), grow_table, COUNT_OF(grow_table),
    BOTH("服务器运行或起不来时均可。有余地时会重新预留。",
         "Beside a running broker, or when it does not start. The broker makes a new reserve when there is\n"
         "room to spare."),
};

/* ---- what came of it --------------------------------------------------------------------------------------------- */

static void number_row(const struct ctl *c, struct sheet *t, const char *zh, const char *en, uint64_t value) {
    sheet_cell(t, "%s", say(c, zh, en));
    sheet_cell(t, "%llu", (unsigned long long)value);
}

static void bytes_row(const struct ctl *c, struct sheet *t, const char *zh, const char *en, uint64_t bytes) {
    char text[PRINTED_BYTES];
    print_bytes(bytes, text);
    sheet_cell(t, "%s", say(c, zh, en));
    sheet_cell(t, "%s", text);
}

static void digest_row(const struct ctl *c, struct sheet *t, const struct hash *h) {
    char text[2 * HASH_SIZE + 1];
    hash_print(h, text);
    sheet_cell(t, "%s", say(c, "状态摘要", "state digest"));
    sheet_cell(t, "%s", text);
}

/* ---- backup ------------------------------------------------------------------------------------------------------ */

struct asking { struct ctl *c; int code; };

/* Is the broker at --front that of this store, and how far has it got? What ctl_call says, it says itself. */
static int ask_durable(void *to, const uint8_t store_id[16], uint64_t *ret_seq,
                       char problem[static STORE_PROBLEM_SIZE]) {
    struct asking *a = to;
    PbReadJournal nothing = {.has_bytes = true, .bytes = 0};
    const PbJournalPart *part = NULL;
    a->code = ask_journal(a->c, &nothing, &part);
    if (a->code)
        (void)snprintf(problem, STORE_PROBLEM_SIZE, "%s", say(a->c, "数据正在使用，而服务器没有回答它写到了哪里；请用 --front 指明",
                       "the store is in use, and its broker did not say how far it is: is --front right?"));
    if (a->code)
        return -EBUSY;
    if (part->store_id.len != 16 || memcmp(part->store_id.data, store_id, 16) != 0) {
        (void)snprintf(problem, STORE_PROBLEM_SIZE, "%s", say(a->c, "--front 处的服务器用的是另一份数据",
                       "the broker at --front has another store: give the --front of this one's"));
        return -EINVAL;
    }
    *ret_seq = part->durable_seq;
    return 0;
}

static void json_backup(const struct backup_result *b, bool checked) {
    char digest[2 * HASH_SIZE + 1] = "";
    if (b->has_state)
        hash_print(&b->digest, digest);
    printf("{\"%s\":true,\"live\":%s,\"seq\":\"%llu\",\"epoch\":\"%llu\",\"state_seq\":\"%llu\",\"digest\":\"%s\","
           "\"files\":\"%llu\",\"kept\":\"%llu\",\"bytes\":\"%llu\",\"copied\":\"%llu\",\"slots\":",
           checked ? "good" : "made", b->live ? "true" : "false", (unsigned long long)b->seq,
           (unsigned long long)b->epoch, (unsigned long long)b->state_seq, digest,
           (unsigned long long)b->files, (unsigned long long)b->files_kept,
           (unsigned long long)b->bytes, (unsigned long long)b->bytes_copied);
    json_text(b->has_slots ? b->slots : "");
    puts("}");
}

static void print_backup(const struct ctl *c, const struct backup_result *b, bool checked) {
    struct sheet *t;
    sheet_open(&t, 2);
    number_row(c, t, "到序号", "up to seq", b->seq);
    number_row(c, t, "文件", "files", b->files);
    bytes_row(c, t, "大小", "size", b->bytes);
    if (!checked) {
        number_row(c, t, "无变化的文件", "files kept", b->files_kept);
        bytes_row(c, t, "本次复制", "copied now", b->bytes_copied);
    }
    if (b->has_state) {
        number_row(c, t, "状态序号", "state at seq", b->state_seq);
        digest_row(c, t, &b->digest);
    }
    sheet_close(t, stdout);
    if (!b->has_state)
        puts(say(c, "状态表读不出，未备份：恢复时由日志重新折叠",
                 "The tables could not be read and were left out: a restore folds them from the journal."));
    if (b->has_slots)
        printf(say(c, "文字密钥在 %s：请单独保存，期限要更短，否则恢复会撤销已作的删除\n",
                   "The keys of what people wrote are in %s:\nkeep that file apart and for a shorter time, or a "
                   "restore would undo an erasure.\n"), b->slots);
    else
        puts(say(c, "没有文字密钥档案：恢复后文字不可读",
                 "There is no archive of key slots: after a restore what people wrote stays closed."));
    if (checked)
        puts(say(c, "完好", "good: every byte is what it was"));
}

static int check_main(struct ctl *c, const struct backup_line *l) {
    struct backup_result b;
    if (l->store || l->to)
        return usage(c, "--check 单独使用：它不复制", "--check stands alone: it copies nothing");
    int r = store_backup_check(l->check, &b);
    if (r < 0)
        return copy_failed(c, l->check, r, b.problem);
    if (c->json)
        return json_backup(&b, true), CTL_DONE;
    return print_backup(c, &b, true), CTL_DONE;
}

int backup_main(struct ctl *c, int argc, char **argv) {
    struct backup_line l = {.store = NULL};
    struct backup_result b;
    int r = arguments_read(c, argc, argv, &l);
    if (r)
        return r;
    if (l.check)
        return check_main(c, &l);
    if (!l.store || !l.to)
        return usage(c, "请给出 --store DIR --to DIR，或 --check DIR",
                     "give --store DIR --to DIR, or --check DIR");
    struct asking a = {.c = c};
    struct backup_options o = {
        .store = l.store, .to = l.to, .map_bytes = (uint64_t)MAP_GIB << 30, .ask = ask_durable, .asked = &a,
    };
    r = store_backup(&o, &b);
    if (r < 0)
        return copy_failed(c, l.store, r, b.problem);
    c->drill = b.drill;
    if (c->json)
        return json_backup(&b, false), CTL_DONE;
    print_drill_banner(c);
    print_backup(c, &b, false);
    printf(say(c, "已备份到 %s；查验：whistlectl backup --check %s\n",
               "Backed up to %s; to verify: whistlectl backup --check %s\n"),
           l.to, l.to);
    return CTL_DONE;
}

/* ---- restore ----------------------------------------------------------------------------------------------------- */

static void json_restore(const struct restore_result *b) {
    char digest[2 * HASH_SIZE + 1];
    hash_print(&b->digest, digest);
    printf("{\"restored\":true,\"seq\":\"%llu\",\"digest\":\"%s\",\"epoch\":\"%llu\",\"cases\":\"%llu\","
           "\"slots_lost\":\"%llu\",\"erased_again\":\"%llu\"}\n", (unsigned long long)b->seq, digest,
           (unsigned long long)b->epoch, (unsigned long long)b->cases, (unsigned long long)b->lost_slots,
           (unsigned long long)b->erased_again);
}

static void print_restore(const struct ctl *c, const struct restore_line *l, const struct restore_result *b) {
    struct sheet *t;
    sheet_open(&t, 2);
    number_row(c, t, "到序号", "up to seq", b->seq);
    if (b->last_ms) {
        char at[PRINTED_BYTES];
        print_instant(c, b->last_ms, at);
        sheet_cell(t, "%s", say(c, "最后记录", "last record"));
        sheet_cell(t, "%s", at);
    }
    number_row(c, t, "案件", "cases", b->cases);
    number_row(c, t, "下次启动的纪元", "the next epoch", b->epoch + 1);
    digest_row(c, t, &b->digest);
    sheet_close(t, stdout);
    if (b->inside_first)
        printf(say(c, "所给序号在一条记录中间（%llu–%llu），该记录未恢复\n",
                   "That seq lies inside one command's record (%llu-%llu), which was left out.\n"),
               (unsigned long long)b->inside_first, (unsigned long long)b->inside_last);
    if (b->lost_slots)
        printf(say(c, "没有给出 --slots：%llu 个案件的文字不可读，其余都在\n",
                   "No --slots was given: what people wrote in %llu cases stays closed; everything else is there.\n"),
               (unsigned long long)b->lost_slots);
    printf(say(c, "已恢复到 %s；whistled --data %s 即可启动\n", "Restored into %s; whistled --data %s starts it\n"),
           l->to, l->to);
}

int restore_main(struct ctl *c, int argc, char **argv) {
    struct restore_line l = {.from = NULL};
    struct restore_result b;
    int r = arguments_read(c, argc, argv, &l);
    if (r)
        return r;
    if (l.until_seq && l.until_ms)
        return usage(c, "--until-seq 和 --until 只能给一个", "give --until-seq or --until, not both");
    struct restore_options o = {
        .from = l.from, .to = l.to, .slots = l.slots, .until_seq = l.until_seq, .until_ms = l.until_ms,
        .map_bytes = (uint64_t)MAP_GIB << 30, .segment_bytes = 64ULL << 20, .slots_ahead = 64 << 10,
    };
    r = store_restore(&o, &b);
    if (r < 0)
        return copy_failed(c, l.from, r, b.problem);
    c->drill = b.drill;
    if (c->json)
        return json_restore(&b), CTL_DONE;
    print_drill_banner(c);
    print_restore(c, &l, &b);
    return CTL_DONE;
}

/* ---- emergency-grow ---------------------------------------------------------------------------------------------- */

int emergency_grow_main(struct ctl *c, int argc, char **argv) {
    struct grow_line l = {.store = NULL};
    struct ballast_given g;
    char bytes[PRINTED_BYTES], room[PRINTED_BYTES];
    int r = arguments_read(c, argc, argv, &l);
    if (r)
        return r;
    r = store_ballast_give(l.store, &g);
    if (r == -ENOENT && g.problem[0] == '\0') {
        (void)fprintf(stderr, "whistlectl: %s: %s\n", l.store, say(c, "储备已经交还过了：请腾出空间（日志旁的其他文件、旧备份），或换大盘",
                      "the reserve was given back already: make room (other files on this disk, old backups), or move "
                      "the store to a larger disk"));
        return CTL_REFUSED;
    }
    if (r < 0)
        return copy_failed(c, l.store, r, g.problem);
    print_bytes(g.bytes, bytes);
    print_bytes(g.free_after, room);
    if (c->json)
        return printf("{\"gained\":\"%llu\",\"free\":\"%llu\"}\n", (unsigned long long)g.bytes,
                      (unsigned long long)g.free_after), CTL_DONE;
    printf(say(c, "交还了 %s，现在有 %s 可用。\n", "%s were given back; %s are free now.\n"), bytes, room);
    puts(say(c, "接着：1. 若 whistled 没有运行，现在启动它；2. 马上腾出更多空间或换大盘，储备只够应急；\n"
                "3. 空间宽裕后 whistled 会自己重新留出储备（日志 store.ballast_made）。",
             "Next: 1. if whistled is not running, start it now; 2. make more room at once, or move the store to a\n"
             "larger disk: this was for the emergency only; 3. with room to spare whistled makes a new reserve by\n"
             "itself (log line store.ballast_made)."));
    return CTL_DONE;
}
