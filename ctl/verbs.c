/* verbs.c: what is said of one case, a verb a row: its arguments, and how they become a command.
 *
 * The case is looked up by its id or number; where a command names its cursor, stage and attempt are those of the case
 * unless they are said. The same commands go the same path when a program sends them. */
#include "ctl/commands.h"

#include <stdio.h>
#include <string.h>

/* What a line of any of them may say. */
struct verb_line {
    const char *which, *other, *party, *text, *number, *category;
    struct texts to;
    uint64_t stage, attempt, division;
    int level, cause, authority, solved, satisfied, urgency, wall;
    int64_t until_ms;
    PbLimit limit;
    bool reporter;
    struct command_id id;
    uint64_t case_id, other_id;                   /* looked up */
};

/* ---- the arguments ----------------------------------------------------------------------------------------------- */

#define AT(field) offsetof(struct verb_line, field)
#define CASE CASE_ARGUMENT(AT(which))
#define ID ID_ARGUMENT(AT(id))
#define PARTY(zh, en, must) {"--party", "PARTY", ARGUMENT_TEXT, AT(party), BOTH(zh, en), must}
#define WHO PARTY("谁说的", "who says so", false)
#define APPROVER PARTY("由谁决定：本级或上级值守席、网格长，且不是办理人", \
                       "who decides: a desk or grid leader of this level or above, none of the handlers", true)
#define REPORTER PARTY("上报人；不写则不核对", "the reporter; left out: not checked", false)
#define TEXT(zh, en, must) {"--text", "TEXT", ARGUMENT_TEXT, AT(text), BOTH(zh, en), must}
#define REASON TEXT("说明", "why, or whatever else is to be known", false)
#define CURSOR \
    {"--stage", "N", ARGUMENT_NUMBER, AT(stage), \
     BOTH("所指的阶段；不写则为案件当前阶段", "the stage it is said about; left out: the case's"), false}, \
    {"--attempt", "N", ARGUMENT_NUMBER, AT(attempt), \
     BOTH("所指的轮次；不写则为案件当前轮次", "the attempt it is said about; left out: the case's"), false}, ID
#define ASKED \
    {"--to", "PARTY", ARGUMENT_TEXTS, AT(to), \
     BOTH("派给谁；可重复，第一个为主办", "who is asked; may be repeated: the first is in the lead"), true}

static const struct argument plain_table[] = {CASE, WHO, ID};                   /* accept, split */
static const struct argument asked_table[] = {CASE, ASKED, CURSOR};             /* dispatch, reassign */
static const struct argument approver_table[] = {CASE, APPROVER, REASON, ID};   /* what a leader says */
static const struct argument reporter_table[] = {CASE, REPORTER, REASON, ID};   /* appeal, withdraw */
static const struct argument case_table[] = {CASE, ID};
static const struct argument escalate_table[] = {
    CASE,
    PARTY("由谁提出（吹哨）", "at whose wish (吹哨)", false),
    {"--to-level", "LEVEL", ARGUMENT_LEVEL, AT(level), BOTH("直接到这一级", "not the next level, but this one"), false},
    CURSOR,
};
static const struct argument delegate_table[] = {
    CASE,
    {"--to-level", "LEVEL", ARGUMENT_LEVEL, AT(level), BOTH("下沉到哪一级", "to which lower level"), true},
    {"--division", "CODE", ARGUMENT_DIVISION, AT(division),
     BOTH("更细的地点，使下级明确", "the place, more exactly, when the lower desk needs it"), false},
    WHO, REASON, CURSOR,
};
static const struct argument reject_table[] = {
    CASE,
    {"--cause", "CAUSE", ARGUMENT_REJECTION, AT(cause), BOTH("不予受理的原因", "why it is not this office's"), true},
    TEXT("告知上报人的话", "what the reporter is told", false), CURSOR,
};
static const struct argument merge_table[] = {
    CASE,
    {"--into", "CASE", ARGUMENT_TEXT, AT(other), BOTH("主案件", "the master, that it follows from now on"), true},
    WHO, ID,
};
static const struct argument transfer_table[] = {
    CASE,
    {"--to", "AUTHORITY", ARGUMENT_AUTHORITY, AT(authority), BOTH("移交给谁", "to whom"), true},
    WHO, REASON, ID,
};
static const struct argument acknowledge_table[] = {
    CASE, {"--number", "TEXT", ARGUMENT_TEXT, AT(number), BOTH("对方的编号", "its number there"), true}, ID,
};
static const struct argument correct_table[] = {
    CASE,
    {"--category", "CODE", ARGUMENT_TEXT, AT(category), BOTH("正确的类别", "the category it is"), false},
    {"--urgency", "URGENCY", ARGUMENT_URGENCY, AT(urgency), BOTH("正确的紧急程度", "the urgency it has"), false},
    {"--division", "CODE", ARGUMENT_DIVISION, AT(division), BOTH("正确的地点", "where it is, in the same district"), false},
    {"--wall", "inside|outside", ARGUMENT_WALL, AT(wall), BOTH("墙内还是墙外", "which side of the wall it is"), false},
    WHO, REASON, ID,
};
static const struct argument note_table[] = {CASE, TEXT("备注内容", "what is noted", true), WHO, ID};
static const struct argument extend_ask_table[] = {
    CASE, PARTY("办理的一方", "who handles it", true),
    {"--limit", "LIMIT", ARGUMENT_LIMIT, AT(limit),
     BOTH("延长多久，如 3wd；不写则按类别", "how much longer, such as 3wd; left out: the category's"), false},
    REASON, ID,
};
static const struct argument suspend_table[] = {
    CASE, APPROVER,
    {"--until", "DATE", ARGUMENT_INSTANT, AT(until_ms), BOTH("挂起到哪一天，届时自动恢复", "the day it ends by itself"), true},
    {"--why", "CAUSE", ARGUMENT_STAY, AT(cause), BOTH("挂起原因", "what it waits for"), true},
    REASON, ID,
};
static const struct argument resume_table[] = {CASE, APPROVER, ID};
static const struct argument follow_up_table[] = {
    CASE,
    {"--solved", "yes|no", ARGUMENT_OPINION, AT(solved), BOTH("是否解决", "whether it is solved"), false},
    {"--satisfied", "yes|no", ARGUMENT_OPINION, AT(satisfied), BOTH("是否满意", "whether they are satisfied"), false},
    REPORTER, REASON, ID,
};
static const struct argument reopen_table[] = {
    CASE,
    {"--reporter", NULL, ARGUMENT_FLAG, AT(reporter), BOTH("上报人要求（仅一次）", "at the reporter's wish, once"), false},
    PARTY("上报人，或监督的值守席", "the reporter, or the supervising desk", false), REASON, ID,
};
static const struct argument void_table[] = {CASE, TEXT("作废理由", "why", false), ID};
#undef AT

/* ---- the lines --------------------------------------------------------------------------------------------------- */

#define CURSOR_MORE BOTH("--id 需要同时给出 --stage 和 --attempt，才是同一个命令。", \
                         "--id needs --stage and --attempt, so that the command is the same.")
#define LINE(kind, name, zh, en, table, more) [VERB_##kind] = {name, BOTH(zh, en), table, COUNT_OF(table), more}

const struct command_line verb_commands[VERBS] = {
    LINE(ACCEPT, "accept", "受理立案", "takes note of a case, for its desk", plain_table, NULL),
    LINE(DISPATCH, "dispatch", "派单给各方", "asks parties to deal with a case, for its desk", asked_table, CURSOR_MORE),
    LINE(REASSIGN, "reassign", "改派：收回原派单，另派他方", "asks other parties instead (改派)", asked_table, CURSOR_MORE),
    LINE(ESCALATE, "escalate", "上报上一级（吹哨）", "takes a case up (吹哨)", escalate_table, CURSOR_MORE),
    LINE(DELEGATE, "delegate", "下沉到下级", "takes a case down to a level whose matter it is (下沉)", delegate_table,
         CURSOR_MORE),
    LINE(REJECT, "reject", "不予受理", "ends a case that is not this office's", reject_table, CURSOR_MORE),
    LINE(MERGE, "merge", "并案", "lets a case follow another that is the same matter (并案)", merge_table, NULL),
    LINE(SPLIT, "split", "拆案", "makes a merged case one of its own again (拆案)", plain_table, NULL),
    LINE(TRANSFER, "transfer", "移交其他机关", "hands a case to another authority (移交)", transfer_table, NULL),
    LINE(ACKNOWLEDGE_TRANSFER, "acknowledge-transfer", "登记对方的确认编号", "notes that the other authority has it",
         acknowledge_table, NULL),
    LINE(CORRECT, "correct", "更正类别、地点或紧急程度", "puts category, place or urgency right (更正)", correct_table, NULL),
    LINE(NOTE, "note", "补充一条备注", "leaves a note in a case's story", note_table, NULL),
    LINE(EXTEND_ASK, "extend ask", "申请延期", "asks for more time, before it is due (延期申请)", extend_ask_table, NULL),
    LINE(EXTEND_GRANT, "extend grant", "批准延期", "grants more time", approver_table, NULL),
    LINE(EXTEND_REFUSE, "extend refuse", "驳回延期", "refuses more time", approver_table, NULL),
    LINE(SUSPEND, "suspend", "挂起", "lets the limits stand still until a day (挂账)", suspend_table, NULL),
    LINE(RESUME, "resume", "恢复办理", "ends a suspension", resume_table, NULL),
    LINE(REMIND, "remind", "催办", "reminds those who are asked (催办)", approver_table, NULL),
    LINE(SUPERVISE, "supervise", "督办", "supervises a case (督办)", approver_table, NULL),
    LINE(WITHDRAW, "withdraw", "撤回上报", "takes a report back (撤回)", reporter_table, NULL),
    LINE(APPEAL, "appeal", "对不予受理申诉", "appeals against a rejection, once (申诉)", reporter_table, NULL),
    LINE(FOLLOW_UP, "follow-up", "登记回访结果", "writes down what the reporter says afterwards (回访)", follow_up_table,
         BOTH("两项至少写一项；不写的视为未表示。", "One of the two at least; what is left out counts as not said.")),
    LINE(REOPEN, "reopen", "重开", "opens a case again (重开)", reopen_table, NULL),
    LINE(VOID, "void", "作废：需两人先后说", "makes a case void; it takes two persons (作废)", void_table,
         BOTH("第一个人申请，另一个人一周内再说一次即作废；两人以 --by 区分。",
              "The first person asks, another says the same within a week; --by tells them apart.")),
    LINE(DEAD_RETRY, "dead retry", "死信：重新派给值守程序", "offers a dead letter to the desk's workers again", case_table, NULL),
    LINE(DEAD_DROP, "dead drop", "死信：销号，等时限推动", "takes a dead letter off the list; a deadline moves it",
         case_table, NULL),
};

/* ---- from a line to a command ------------------------------------------------------------------------------------ */

/* One message of any kind, and what it points to. */
struct spoken {
    union {
        PbAccept accept; PbDispatch dispatch; PbReassign reassign; PbEscalate escalate; PbDelegate delegate;
        PbReject reject; PbMerge merge; PbSplit split; PbTransfer transfer; PbAcknowledgeTransfer acknowledge_transfer;
        PbCorrect correct; PbNote note; PbAskExtension ask_extension; PbDecideExtension decide_extension;
        PbSuspend suspend; PbResume resume; PbRemind remind; PbSupervise supervise; PbWithdraw withdraw;
        PbAppeal appeal; PbFollowUp follow_up; PbReopen reopen; PbVoidCase void_case; PbRetryDead retry_dead;
        PbDropDead drop_dead;
    };
    PbPlace place;
    PbLimit limit;
    PbAskedParty parties[TEXTS_MAX], *pointers[TEXTS_MAX];
};

#define SAY(COMMAND, Type, member, ...) \
    (o->member = (Type){.has_case_id = true, .case_id = l->case_id, __VA_ARGS__}, \
     e->member = &o->member, e->command_case = COMMAND_##COMMAND)
#define SAID(field) .field = (char *)l->field
#define CURSOR_OF .has_stage = true, .stage = (uint32_t)l->stage, .has_attempt = true, .attempt = (uint32_t)l->attempt

static size_t asked_parties(const struct verb_line *l, struct spoken *o) {
    for (unsigned i = 0; i < l->to.count; i++) {
        o->parties[i] = (PbAskedParty){.party = (char *)l->to.at[i], .has_lead = i == 0, .lead = i == 0};
        o->pointers[i] = &o->parties[i];
    }
    return l->to.count;
}

static void say_accept(const struct verb_line *l, struct spoken *o, PbEnvelope *e) {
    SAY(ACCEPT, PbAccept, accept, SAID(party));
}

static void say_dispatch(const struct verb_line *l, struct spoken *o, PbEnvelope *e) {
    SAY(DISPATCH, PbDispatch, dispatch, CURSOR_OF, .has_cause = true, .cause = CAUSE_DUTY, .parties = o->pointers,
        .n_parties = asked_parties(l, o));
}

static void say_reassign(const struct verb_line *l, struct spoken *o, PbEnvelope *e) {
    SAY(REASSIGN, PbReassign, reassign, CURSOR_OF, .parties = o->pointers, .n_parties = asked_parties(l, o));
}

static void say_escalate(const struct verb_line *l, struct spoken *o, PbEnvelope *e) {
    SAY(ESCALATE, PbEscalate, escalate, CURSOR_OF, .has_cause = true, .cause = CAUSE_ASKED_FOR_HELP, SAID(party),
        .has_to_level = l->level >= 0, .to_level = (PbLevel)l->level);
}

static void say_delegate(const struct verb_line *l, struct spoken *o, PbEnvelope *e) {
    SAY(DELEGATE, PbDelegate, delegate, CURSOR_OF, .has_to_level = true, .to_level = (PbLevel)l->level,
        .has_division = l->division != 0, .division = l->division, SAID(party), SAID(text));
}

static void say_reject(const struct verb_line *l, struct spoken *o, PbEnvelope *e) {
    SAY(REJECT, PbReject, reject, CURSOR_OF, .has_cause = true, .cause = (PbCause)l->cause, SAID(text));
}

static void say_merge(const struct verb_line *l, struct spoken *o, PbEnvelope *e) {
    SAY(MERGE, PbMerge, merge, .has_master = true, .master = l->other_id, SAID(party));
}

static void say_split(const struct verb_line *l, struct spoken *o, PbEnvelope *e) {
    SAY(SPLIT, PbSplit, split, SAID(party));
}

static void say_transfer(const struct verb_line *l, struct spoken *o, PbEnvelope *e) {
    SAY(TRANSFER, PbTransfer, transfer, .has_authority = true, .authority = (PbAuthority)l->authority,
        SAID(party), SAID(text));
}

static void say_acknowledge_transfer(const struct verb_line *l, struct spoken *o, PbEnvelope *e) {
    SAY(ACKNOWLEDGE_TRANSFER, PbAcknowledgeTransfer, acknowledge_transfer, .external_id = (char *)l->number);
}

static void say_correct(const struct verb_line *l, struct spoken *o, PbEnvelope *e) {
    o->place = (PbPlace){.has_division = l->division != 0, .division = l->division, .has_wall = l->wall != WALL_UNKNOWN,
                         .wall = (PbWall)l->wall};
    SAY(CORRECT, PbCorrect, correct, SAID(party), SAID(text), SAID(category), .has_urgency = l->urgency != URGENCY_NONE,
        .urgency = (PbUrgency)l->urgency, .place = l->division || l->wall ? &o->place : NULL);
}

static void say_note(const struct verb_line *l, struct spoken *o, PbEnvelope *e) {
    SAY(NOTE, PbNote, note, SAID(party), SAID(text));
}

static void say_ask_extension(const struct verb_line *l, struct spoken *o, PbEnvelope *e) {
    o->limit = l->limit;
    SAY(ASK_EXTENSION, PbAskExtension, ask_extension, SAID(party), SAID(text),
        .limit = l->limit.unit ? &o->limit : NULL);
}

static void say_grant(const struct verb_line *l, struct spoken *o, PbEnvelope *e) {
    SAY(DECIDE_EXTENSION, PbDecideExtension, decide_extension, SAID(party), SAID(text), .has_grant = true,
        .grant = true);
}

static void say_refuse(const struct verb_line *l, struct spoken *o, PbEnvelope *e) {
    SAY(DECIDE_EXTENSION, PbDecideExtension, decide_extension, SAID(party), SAID(text), .has_grant = true,
        .grant = false);
}

static void say_suspend(const struct verb_line *l, struct spoken *o, PbEnvelope *e) {
    SAY(SUSPEND, PbSuspend, suspend, SAID(party), SAID(text), .has_cause = true, .cause = (PbCause)l->cause,
        .has_review_ms = true, .review_ms = l->until_ms);
}

static void say_resume(const struct verb_line *l, struct spoken *o, PbEnvelope *e) {
    SAY(RESUME, PbResume, resume, SAID(party));
}

static void say_remind(const struct verb_line *l, struct spoken *o, PbEnvelope *e) {
    SAY(REMIND, PbRemind, remind, SAID(party), SAID(text));
}

static void say_supervise(const struct verb_line *l, struct spoken *o, PbEnvelope *e) {
    SAY(SUPERVISE, PbSupervise, supervise, SAID(party), SAID(text));
}

static void say_withdraw(const struct verb_line *l, struct spoken *o, PbEnvelope *e) {
    SAY(WITHDRAW, PbWithdraw, withdraw, SAID(party), SAID(text));
}

static void say_appeal(const struct verb_line *l, struct spoken *o, PbEnvelope *e) {
    SAY(APPEAL, PbAppeal, appeal, SAID(party), SAID(text));
}

static void say_follow_up(const struct verb_line *l, struct spoken *o, PbEnvelope *e) {
    SAY(FOLLOW_UP, PbFollowUp, follow_up, SAID(party), SAID(text), .has_solved = l->solved != OPINION_NONE,
        .solved = (PbOpinion)l->solved, .has_satisfied = l->satisfied != OPINION_NONE,
        .satisfied = (PbOpinion)l->satisfied);
}

static void say_reopen(const struct verb_line *l, struct spoken *o, PbEnvelope *e) {
    SAY(REOPEN, PbReopen, reopen, SAID(party), SAID(text), .has_reporter = l->reporter, .reporter = l->reporter);
}

static void say_void(const struct verb_line *l, struct spoken *o, PbEnvelope *e) {
    SAY(VOID_CASE, PbVoidCase, void_case, SAID(text));
}

static void say_retry_dead(const struct verb_line *l, struct spoken *o, PbEnvelope *e) {
    SAY(RETRY_DEAD, PbRetryDead, retry_dead, );
}

static void say_drop_dead(const struct verb_line *l, struct spoken *o, PbEnvelope *e) {
    SAY(DROP_DEAD, PbDropDead, drop_dead, );
}

static void (*const sayings[VERBS])(const struct verb_line *l, struct spoken *o, PbEnvelope *e) = {
    [VERB_ACCEPT] = say_accept, [VERB_DISPATCH] = say_dispatch, [VERB_REASSIGN] = say_reassign,
    [VERB_ESCALATE] = say_escalate, [VERB_DELEGATE] = say_delegate, [VERB_REJECT] = say_reject,
    [VERB_MERGE] = say_merge, [VERB_SPLIT] = say_split, [VERB_TRANSFER] = say_transfer,
    [VERB_ACKNOWLEDGE_TRANSFER] = say_acknowledge_transfer, [VERB_CORRECT] = say_correct, [VERB_NOTE] = say_note,
    [VERB_EXTEND_ASK] = say_ask_extension, [VERB_EXTEND_GRANT] = say_grant, [VERB_EXTEND_REFUSE] = say_refuse,
    [VERB_SUSPEND] = say_suspend, [VERB_RESUME] = say_resume, [VERB_REMIND] = say_remind,
    [VERB_SUPERVISE] = say_supervise, [VERB_WITHDRAW] = say_withdraw, [VERB_APPEAL] = say_appeal,
    [VERB_FOLLOW_UP] = say_follow_up, [VERB_REOPEN] = say_reopen, [VERB_VOID] = say_void,
    [VERB_DEAD_RETRY] = say_retry_dead, [VERB_DEAD_DROP] = say_drop_dead,
};

/* ---- saying it --------------------------------------------------------------------------------------------------- */

static bool has_cursor(const struct command_line *line) {
    for (size_t i = 0; i < line->count; i++)
        if (strcmp(line->table[i].name, "--stage") == 0)
            return true;
    return false;
}

/* What the broker would refuse in words of its protocol is said here in words of the command line. */
static int check(const struct ctl *c, const struct verb_line *l, enum verb_kind kind) {
    if (l->stage > UINT32_MAX || l->attempt > UINT32_MAX)
        return usage(c, "阶段和轮次是小数字，见 show",
                     "a stage and an attempt are small numbers, as `show` lists them");
    if (l->id.given && has_cursor(c->line) && !(l->stage && l->attempt))
        return usage(c, "--id 需要同时给出 --stage 和 --attempt，才是同一个命令",
                     "--id needs --stage and --attempt, so that the command is the same");
    if (kind == VERB_FOLLOW_UP && !l->solved && !l->satisfied)
        return usage(c, "请写 --solved yes|no 或 --satisfied yes|no，或两项都写",
                     "say --solved yes|no or --satisfied yes|no, or both");
    if (kind == VERB_CORRECT && !l->category && !l->urgency && !l->division && !l->wall)
        return usage(c, "请写要更正什么：--category、--urgency、--division 或 --wall",
                     "say what is to be put right: --category, --urgency, --division or --wall");
    if (kind == VERB_REOPEN && !l->reporter && !l->party)
        return usage(c, "请写 --reporter，或 --party：哪个监督的值守席要求",
                     "say --reporter, or --party: which supervising desk wants it");
    if (kind == VERB_VOID && !c->by)
        return usage(c, "需要两个人：请用 --by（或 $WHISTLE_BY）写明您的工号",
                     "it takes two persons: --by says who you are (or $WHISTLE_BY)");
    return CTL_DONE;
}

/* The case's id and its cursor, where the command line does not say; and the other case's. */
static int locate(struct ctl *c, struct verb_line *l) {
    const PbCaseView *v;
    int r = ask_case(c, l->which, &v);
    if (r)
        return r;
    l->stage = l->stage ? l->stage : v->stage;
    l->attempt = l->attempt ? l->attempt : v->attempt;
    l->case_id = v->case_id;
    if (l->other) {
        r = ask_case(c, l->other, &v);
        l->other_id = r ? 0 : v->case_id;
    }
    return r;
}

int verb_main(struct ctl *c, int argc, char **argv) {
    struct verb_line l = {.level = -1};
    struct spoken o;
    PbEnvelope e = {.command_case = ENVELOPE_COMMAND_NOT_SET};
    enum verb_kind kind = (enum verb_kind)(c->line - verb_commands);
    int r = arguments_read(c, argc, argv, &l);
    if (r == CTL_DONE)
        r = check(c, &l, kind);
    if (r == CTL_DONE)
        r = locate(c, &l);
    if (r)
        return r;
    CHECK(kind < VERBS && sayings[kind]);
    sayings[kind](&l, &o, &e);
    r = command_send(c, &e, &l.id);
    if (r == CTL_UNKNOWN && has_cursor(c->line))
        (void)fprintf(stderr, "whistlectl: --stage %llu --attempt %llu\n", (unsigned long long)l.stage,
                      (unsigned long long)l.attempt);
    return r;
}
