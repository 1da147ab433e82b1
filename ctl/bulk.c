/* bulk.c: one decision about many cases, by two persons.
 *
 *   bulk reassign --where ... --to P     A: the list, its digest, a plan in a file; the broker is asked for a batch
 *   bulk confirm BATCH --by B            B: looks at the same plan and confirms its digest
 *   bulk run BATCH                       either: a command a case; again after ^C or a kill, it goes on
 *
 * The plan is beside whoever works, not in the broker: the broker keeps the verb, the count and the digest. */
#include "ctl/commands.h"
#include "ctl/many.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATH_BYTES = 4096 };

struct bulk_line {
    struct texts where, to;
    const char *file, *from, *taker, *text, *category, *plan, *digest;
    int urgency, wall;
    bool dry_run;
    struct command_id batch;
};

/* ---- the lines --------------------------------------------------------------------------------------------------- */

#define AT(field) offsetof(struct bulk_line, field)
#define WHICH \
    {"--where", "CONDITION", ARGUMENT_TEXTS, AT(where), \
     BOTH("哪些未结案件；可重复，须同时满足：prefix=CODE state=STATE category=CODE older-than=30d party=PARTY overdue", \
          "which open cases; may be repeated, all must hold: prefix=CODE state=STATE category=CODE older-than=30d " \
          "party=PARTY overdue"), false}, \
    {"--cases", "FILE", ARGUMENT_TEXT, AT(file), \
     BOTH("或：编号文件，一行一个", "or a file of numbers or ids, a line each"), false}, \
    {"--dry-run", NULL, ARGUMENT_FLAG, AT(dry_run), BOTH("只列出，什么也不做", "lists them, does nothing"), false}, \
    {"--plan", "FILE", ARGUMENT_TEXT, AT(plan), \
     BOTH("方案写到哪里（bulk-批号.plan）", "where the plan goes (bulk-BATCH.plan)"), false}
#define REASON {"--text", "TEXT", ARGUMENT_TEXT, AT(text), BOTH("说明，一行", "why, in one line"), false}
#define BATCH {"BATCH", NULL, ARGUMENT_ID, AT(batch), BOTH("批号", "the batch's id, as it was printed"), true}
#define PLAN \
    {"--plan", "FILE", ARGUMENT_TEXT, AT(plan), BOTH("方案文件（bulk-批号.plan）", "the plan (bulk-BATCH.plan)"), false}

static const struct argument reassign_table[] = {
    {"--to", "PARTY", ARGUMENT_TEXTS, AT(to), BOTH("改派给谁；第一个为主办", "who is asked instead; the first leads"), true},
    WHICH,
};
static const struct argument close_table[] = {REASON, WHICH};
static const struct argument correct_table[] = {
    {"--category", "CODE", ARGUMENT_TEXT, AT(category), BOTH("正确的类别", "the category they are"), false},
    {"--urgency", "URGENCY", ARGUMENT_URGENCY, AT(urgency), BOTH("正确的紧急程度", "the urgency they have"), false},
    {"--wall", "inside|outside", ARGUMENT_WALL, AT(wall), BOTH("墙内还是墙外", "which side of the wall"), false},
    REASON, WHICH,
};
static const struct argument hand_over_table[] = {
    {"--from", "PARTY", ARGUMENT_TEXT, AT(from), BOTH("谁交出", "whose asks"), true},
    {"--to", "PARTY", ARGUMENT_TEXT, AT(taker), BOTH("谁接手", "who takes over"), true}, WHICH,
};
static const struct argument move_table[] = {WHICH};
static const struct argument confirm_table[] = {
    BATCH, PLAN,
    {"--digest", "HEX", ARGUMENT_TEXT, AT(digest),
     BOTH("没有方案文件时：核对过的摘要", "without the plan: its digest, read out"), false},
};
static const struct argument run_table[] = {BATCH, PLAN};
static const struct argument show_table[] = {BATCH};
#undef AT

#define MORE BOTH("列出案件，向服务器申请批次，写下方案文件。另一人 bulk confirm 后，用 bulk run 办理。", \
                  "Lists the cases, asks the broker for a batch and writes the plan. Another person says\n" \
                  "bulk confirm; then bulk run does it. --by tells the two apart.")
#define LINE(verb, zh, en, table) {"bulk " verb, BOTH(zh, en), table, COUNT_OF(table), MORE}
const struct command_line bulk_commands[] = {
    [BATCH_REASSIGN - 1] = LINE("reassign", "批量改派", "asks others instead, in many cases", reassign_table),
    [BATCH_CLOSE - 1] = LINE("close", "批量结案", "closes many cases", close_table),
    [BATCH_VOID - 1] = LINE("void", "批量作废", "makes many cases void", close_table),
    [BATCH_CORRECT - 1] = LINE("correct", "批量更正", "puts many cases right", correct_table),
    [BATCH_HAND_OVER - 1] = LINE("hand-over", "批量交班", "hands over what is asked in many cases", hand_over_table),
    [BATCH_MOVE - 1] = LINE("move", "批量换用现行预案", "moves many cases to the rules in force", move_table),
};
const struct command_line bulk_confirm_command = {
    "bulk confirm", BOTH("另一人确认批次", "confirms a batch, as another person"), confirm_table, COUNT_OF(confirm_table),
    BOTH("列出方案里的案件并核对摘要。", "Lists the plan's cases and checks its digest."),
};
const struct command_line bulk_run_command = {
    "bulk run", BOTH("办理已确认的批次；中断后再次运行即继续", "does what was confirmed; again after a break, it goes on"),
    run_table, COUNT_OF(run_table),
    BOTH("方案之后有变动的案件不会硬办，会列出。退出码 1：有未接受的。",
         "What has moved on since the plan is refused and listed, never done blindly. Exit code 1: some were refused."),
};
const struct command_line bulk_show_command = {
    "bulk show", BOTH("批次现在如何", "says how a batch stands"), show_table, COUNT_OF(show_table), NULL,
};

static void plan_path(const struct bulk_line *l, const char *batch, char to[static PATH_BYTES]) {
    if (l->plan)
        (void)snprintf(to, PATH_BYTES, "%s", l->plan);
    else
        (void)snprintf(to, PATH_BYTES, "bulk-%s.plan", batch);
}

/* ---- asking ------------------------------------------------------------------------------------------------------ */

static int check_ask(const struct ctl *c, const struct bulk_line *l, PbBatchVerb verb) {
    if ((l->where.count > 0) == (l->file != NULL))
        return usage(c, "请写哪些案件：--where CONDITION ...，或 --cases FILE",
                     "say which cases: --where CONDITION ..., or --cases FILE");
    if (!c->by && !l->dry_run)
        return usage(c, "需要两个人：请用 --by（或 $WHISTLE_BY）写明您的工号",
                     "it takes two persons: --by says who you are (or $WHISTLE_BY)");
    if (l->text && strchr(l->text, '\n'))
        return usage(c, "--text 只能写一行", "--text is one line");
    if (verb == BATCH_CORRECT && !l->category && !l->urgency && !l->wall)
        return usage(c, "请写要更正什么：--category、--urgency 或 --wall",
                     "say what is to be put right: --category, --urgency or --wall");
    return CTL_DONE;
}

static int choose(struct ctl *c, const struct bulk_line *l, struct selection *ret) {
    char problem[256];
    struct filter f;
    struct sheet *rows = NULL;
    if (l->where.count && filter_parse(c, &l->where, &f, problem))
        return usage(c, "%s", "%s", problem);
    if (!c->json)
        case_sheet(c, &rows);
    int r = l->file ? selection_of_file(c, l->file, rows, ret) : selection_of_filter(c, &f, rows, ret);
    if (rows && r == CTL_DONE)
        print_drill_banner(c);
    if (rows)
        sheet_close(rows, r == CTL_DONE && ret->count ? stdout : NULL);
    if (r == CTL_DONE && ret->count == 0) {
        (void)fprintf(stderr, "whistlectl: %s\n", say(c, "没有符合条件的案件", "no case is so; nothing was asked for"));
        return CTL_USAGE;
    }
    return r;
}

static void print_batch(const struct ctl *c, const struct plan *p, const char *id, const char *path) {
    struct hash digest = selection_digest(&p->cases);
    char hex[2 * HASH_SIZE + 1];
    hash_print(&digest, hex);
    if (c->json) {
        printf("{\"batch\":\"%s\",\"verb\":\"%s\",\"cases\":%u,\"digest\":\"%s\",\"plan\":", id,
               word_batch(LANGUAGE_EN, p->verb), p->cases.count, hex);
        json_text(path);
        puts("}");
        return;
    }
    printf("\n%s: %s, %u%s\n%s %s\n", say(c, "批量", "batch"), word_batch(c->language, p->verb), p->cases.count,
           say(c, " 件", " cases"), say(c, "摘要", "digest"), hex);
    if (*id)
        printf("%s %s\n%s %s\n", say(c, "批号", "id"), id, say(c, "方案", "plan"), path);
}

static int write_plan(const struct ctl *c, const char *path, struct slice text) {
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
    ssize_t written = fd < 0 ? -1 : write(fd, text.at, text.len);
    bool good = written == (ssize_t)text.len && fsync(fd) == 0;
    int error = errno;
    if (fd >= 0)
        (void)close(fd);
    if (good)
        return CTL_DONE;
    if (fd >= 0)
        (void)unlink(path);
    (void)fprintf(stderr, "whistlectl %s: --plan %s: %s\n", c->line->name, path, strerror(error));
    return error == EEXIST ? CTL_USAGE : CTL_FAULT;
}

/* The plan is on disk before the broker hears of it: whoever is killed between the two has asked for nothing. */
static int ask(struct ctl *c, const struct bulk_line *l, const struct plan *p) {
    size_t len;
    char *text = plan_print(p, &len), hex[2 * COMMAND_ID_SIZE + 1], path[PATH_BYTES];
    uint8_t id[COMMAND_ID_SIZE];
    plan_id(id, clock_wall_ms(), slice_from(text, len));
    id_print(id, hex);
    plan_path(l, hex, path);
    int r = write_plan(c, path, slice_from(text, len));
    free(text);
    if (r)
        return r;
    struct hash digest = selection_digest(&p->cases);
    PbAskBatch a = {.has_verb = true, .verb = p->verb, .has_cases = true, .cases = p->cases.count, .has_digest = true,
                    .digest = {.len = HASH_SIZE, .data = digest.byte}};
    PbEnvelope e = {.command_case = COMMAND_ASK_BATCH, .ask_batch = &a, .has_command_id = true,
                    .command_id = {.len = sizeof id, .data = id}};
    const PbReply *reply;
    r = ctl_call(c, &e, &reply);
    if (r == CTL_REFUSED || r == CTL_UNREACHABLE)
        (void)unlink(path);
    if (r == CTL_DONE)
        print_batch(c, p, hex, path);
    return r;
}

int bulk_main(struct ctl *c, int argc, char **argv) {
    struct bulk_line l = {.dry_run = false};
    int r = arguments_read(c, argc, argv, &l);
    PbBatchVerb verb = (PbBatchVerb)(c->line - bulk_commands + 1);
    struct plan p = {.verb = verb, .cases.count = 0};
    if (r == CTL_DONE)
        r = check_ask(c, &l, verb);
    if (r == CTL_DONE)
        r = choose(c, &l, &p.cases);
    if (r)
        return selection_free(&p.cases), r;
    p.to = l.to, p.from = l.from, p.text = l.text, p.category = l.category, p.urgency = l.urgency, p.wall = l.wall;
    if (l.taker)
        p.to = (struct texts){.at = {l.taker}, .count = 1};
    if (l.dry_run)
        print_batch(c, &p, "", "");
    else
        r = ask(c, &l, &p);
    selection_free(&p.cases);
    return r;
}

/* ---- the plan again ---------------------------------------------------------------------------------------------- */

static char *read_file(const char *path, size_t *ret_len) {
    FILE *file = fopen(path, "re");
    char *text = file ? malloc(PLAN_BYTES_MAX + 1) : NULL;
    size_t len = text ? fread(text, 1, PLAN_BYTES_MAX + 1, file) : 0;
    bool good = text && !ferror(file) && len <= PLAN_BYTES_MAX;
    if (text && len > PLAN_BYTES_MAX)
        errno = EFBIG;
    if (file)
        (void)fclose(file);
    if (good)
        return *ret_len = len, text;
    free(text);
    return NULL;
}

static int read_plan(const struct ctl *c, const struct bulk_line *l, struct plan *ret) {
    char hex[2 * COMMAND_ID_SIZE + 1], path[PATH_BYTES], problem[256] = "";
    uint32_t line = 0;
    size_t len = 0;
    id_print(l->batch.byte, hex);
    plan_path(l, hex, path);
    char *text = read_file(path, &len);
    if (!text)
        return usage(c, "方案 %s：%s；请用 --plan 写明它在哪里",
                     "the plan %s: %s; --plan says where it is", path, strerror(errno));
    if (!plan_has_id(l->batch.byte, slice_from(text, len))) {
        free(text);
        return usage(c, "%s 不是该批次的方案，或之后被改过",
                     "%s is not the plan of this batch, or it was changed since", path);
    }
    if (plan_parse(c, text, len, ret, &line, problem) == 0)
        return CTL_DONE;
    plan_free(ret);
    return usage(c, "%s:%u：%s", "%s:%u: %s", path, line, problem);
}

/* ---- confirming -------------------------------------------------------------------------------------------------- */

static void print_plan(const struct ctl *c, const struct plan *p, const char *id, const char *path) {
    if (!c->json)
        for (uint32_t i = 0; i < p->cases.count; i++)
            printf("%s  %llu\n", p->cases.at[i].number, (unsigned long long)p->cases.at[i].case_id);
    for (unsigned i = 0; i < p->to.count && !c->json; i++)
        printf("→ %s\n", p->to.at[i]);
    print_batch(c, p, id, path);
}

int bulk_confirm_main(struct ctl *c, int argc, char **argv) {
    struct bulk_line l = {.dry_run = false};
    struct plan p = {.verb = BATCH_NONE};
    struct hash digest = {.byte = {0}};
    char hex[2 * COMMAND_ID_SIZE + 1], path[PATH_BYTES];
    int r = arguments_read(c, argc, argv, &l);
    if (r)
        return r;
    if (l.digest && (strlen(l.digest) != 2 * HASH_SIZE || !hex_read(l.digest, digest.byte, HASH_SIZE)))
        return usage(c, "--digest：“%.70s”不是 %d 位十六进制摘要",
                     "--digest: \"%.70s\" is not a digest of %d hexadecimal digits", l.digest, 2 * HASH_SIZE);
    if (!l.digest) {
        r = read_plan(c, &l, &p);
        if (r)
            return r;
        digest = selection_digest(&p.cases);
        id_print(l.batch.byte, hex);
        plan_path(&l, hex, path);
        print_plan(c, &p, hex, path);
        plan_free(&p);
    }
    PbConfirmBatch w = {.has_batch = true, .batch = {.len = COMMAND_ID_SIZE, .data = l.batch.byte}, .has_digest = true,
                        .digest = {.len = HASH_SIZE, .data = digest.byte}};
    PbEnvelope e = {.command_case = COMMAND_CONFIRM_BATCH, .confirm_batch = &w};
    const PbReply *reply;
    r = ctl_call(c, &e, &reply);
    if (r == CTL_DONE && c->json)
        json_print(CODEC_REPLY, reply);
    else if (r == CTL_DONE)
        puts(say(c, "已确认", "confirmed"));
    return r;
}

/* ---- running ----------------------------------------------------------------------------------------------------- */

static volatile sig_atomic_t stopped;

static void stop(int signal_number) {
    (void)signal_number;
    stopped = 1;
}

/* One message of any batch's kind, and what it points to. */
struct deed {
    union {
        PbReassign reassign; PbCloseCase close_case; PbVoidCase void_case; PbCorrect correct; PbHandOver hand_over;
        PbMoveCase move_case;
    };
    PbPlace place;
    PbAskedParty parties[TEXTS_MAX], *pointers[TEXTS_MAX];
};

#define SAY(COMMAND, Type, member, ...) \
    (d->member = (Type){.has_case_id = true, .case_id = k->case_id, __VA_ARGS__}, e->member = &d->member, \
     e->command_case = COMMAND_##COMMAND)

static void say_deed(const struct plan *p, const struct chosen *k, struct deed *d, PbEnvelope *e) {
    char *text = (char *)p->text;
    for (unsigned i = 0; i < p->to.count; i++) {
        d->parties[i] = (PbAskedParty){.party = (char *)p->to.at[i], .has_lead = i == 0, .lead = i == 0};
        d->pointers[i] = &d->parties[i];
    }
    d->place = (PbPlace){.has_wall = true, .wall = (PbWall)p->wall};
    switch (p->verb) {
    case BATCH_REASSIGN:
        SAY(REASSIGN, PbReassign, reassign, .has_stage = true, .stage = k->stage, .has_attempt = true,
            .attempt = k->attempt, .parties = d->pointers, .n_parties = p->to.count);
        return;
    case BATCH_CLOSE: SAY(CLOSE_CASE, PbCloseCase, close_case, .text = text); return;
    case BATCH_VOID: SAY(VOID_CASE, PbVoidCase, void_case, .text = text); return;
    case BATCH_CORRECT:
        SAY(CORRECT, PbCorrect, correct, .text = text, .category = (char *)p->category,
            .has_urgency = p->urgency != URGENCY_NONE, .urgency = (PbUrgency)p->urgency,
            .place = p->wall ? &d->place : NULL);
        return;
    case BATCH_HAND_OVER:
        SAY(HAND_OVER, PbHandOver, hand_over, .from = (char *)p->from, .to = (char *)p->to.at[0]);
        return;
    case BATCH_MOVE: SAY(MOVE_CASE, PbMoveCase, move_case, ); return;
    default: NEVER("a batch without a verb");
    }
}

static int run_one(struct ctl *c, const struct plan *p, const uint8_t batch[COMMAND_ID_SIZE], const struct chosen *k,
                   struct outcome *o) {
    uint8_t id[COMMAND_ID_SIZE];
    struct deed d = {.place.has_wall = false};
    PbEnvelope e = {.has_batch = true, .batch = {.len = COMMAND_ID_SIZE, .data = (uint8_t *)batch},
                    .has_command_id = true, .command_id = {.len = sizeof id, .data = id}};
    const PbReply *reply = NULL;
    plan_case_id(id, batch, k->case_id);
    say_deed(p, k, &d, &e);
    int r = ctl_try(c, &e, &reply);
    if (r == CTL_DONE)
        outcome_add(o, c, k, reply);
    return r;
}

static int run_all(struct ctl *c, const struct plan *p, const uint8_t batch[COMMAND_ID_SIZE]) {
    struct outcome o;
    char hex[2 * COMMAND_ID_SIZE + 1];
    struct sigaction action = {.sa_handler = stop};
    int r = ctl_open(c);
    if (r)
        return r;
    CHECK(sigaction(SIGINT, &action, NULL) == 0 && sigaction(SIGTERM, &action, NULL) == 0);
    outcome_open(&o, c);
    for (uint32_t i = 0; r == CTL_DONE && !o.over && !stopped && i < p->cases.count; i++)
        r = run_one(c, p, batch, &p->cases.at[i], &o);
    bool cut = r != CTL_DONE || stopped;
    int end = outcome_close(&o, c);
    id_print(batch, hex);
    if (cut)
        (void)fprintf(stderr, "whistlectl: %s: whistlectl bulk run %s\n",
                      say(c, "没有办完，继续请用", "not all of it is done; go on with"), hex);
    return r ? r : stopped ? CTL_UNKNOWN : end;
}

int bulk_run_main(struct ctl *c, int argc, char **argv) {
    struct bulk_line l = {.dry_run = false};
    struct plan p = {.verb = BATCH_NONE};
    int r = arguments_read(c, argc, argv, &l);
    if (r == CTL_DONE)
        r = read_plan(c, &l, &p);
    if (r)
        return r;
    r = run_all(c, &p, l.batch.byte);
    plan_free(&p);
    return r;
}

/* ---- how it stands ----------------------------------------------------------------------------------------------- */

static void print_state(const struct ctl *c, const PbBatchView *b) {
    char at[PRINTED_BYTES];
    print_instant(c, b->asked_at_ms, at);
    printf("%s: %u/%u%s\n  %s %s (%s)\n", word_batch(c->language, b->verb), b->done, b->cases, say(c, " 件已办", " done"),
           say(c, "申请", "asked for by"), b->by ? b->by : "-", at);
    print_instant(c, b->confirmed_at_ms, at);
    if (b->confirmed_by)
        printf("  %s %s (%s)\n", say(c, "确认", "confirmed by"), b->confirmed_by, at);
    else
        printf("  %s\n", say(c, "待另一人确认", "to be confirmed by another person"));
    print_instant(c, b->expires_at_ms, at);
    if (b->expires_at_ms)
        printf("  %s %s\n", say(c, "有效至", "holds until"), at);
}

int bulk_show_main(struct ctl *c, int argc, char **argv) {
    struct bulk_line l = {.dry_run = false};
    const PbReply *reply;
    int r = arguments_read(c, argc, argv, &l);
    if (r)
        return r;
    PbShowBatch s = {.has_batch = true, .batch = {.len = COMMAND_ID_SIZE, .data = l.batch.byte}};
    PbEnvelope e = {.command_case = COMMAND_SHOW_BATCH, .show_batch = &s};
    r = ctl_call(c, &e, &reply);
    if (r)
        return r;
    CHECK(reply->reply_case == REPLY_BATCH);
    if (c->json)
        json_print(CODEC_REPLY, reply);
    else
        print_state(c, reply->batch);
    return CTL_DONE;
}
