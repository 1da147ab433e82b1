/* lifecycle.c: which event leads from where to where, who says so, and what is refused. */
#include "daemon/kernel/lifecycle.h"
#include "daemon/kernel/states.h"

#define IS(name, says) { REFUSED_##name, says }

const struct arrow arrows[] = {
    { 1, EVENT_REPORTED, S(NONE), S(REPORTED), "上报", "any source", {
        IS(UNKNOWN_DIVISION, "a place that this broker does not serve"),
        IS(UNKNOWN_CATEGORY, "a category nobody knows"),
        IS(PROMISE_NOT_GRANTED, "a promise from a source that may not make one"),
        IS(FAR_FUTURE, "an occurrence more than a day ahead"),
        IS(ALREADY_KNOWN, "a number of another system that has a case") } },
    { 1, EVENT_IMPORTED, S(NONE), DESK | ASKED, "导入", "an operator", {
        IS(ALREADY_KNOWN, "a number of another system that has a case"),
        IS(FIELD_MISSING, "no origin or no number of its own there"),
        IS(BAD_INSTANT, "opened before 2000 or after now"),
        IS(NOBODY_NAMED, "said to be dispatched, and to nobody") } },
    { 2, EVENT_SELF_HANDLED, S(NONE), S(CLOSED), "随手办结", "a grid worker", {
        IS(NOT_SELF_HANDLED, "a category, a party or a grid that it is not for") } },
    { 3, EVENT_ACCEPTED, S(REPORTED), S(ACCEPTED), "受理立案", "the desk", {
        IS(UNKNOWN_PARTY, "a party nobody knows") } },
    { 4, EVENT_REJECTED, DESK, S(REJECTED), "不予受理", "the desk", {
        IS(WRONG_STAGE, "the case has moved on"),
        IS(FIELD_RANGE, "a cause that is none for a rejection") } },
    { 4, EVENT_APPEALED, S(REJECTED), S(ACCEPTED), "申诉", "the reporter", {
        IS(SPENT, "appealed once already"),
        IS(TOO_LATE, "after the days for an appeal"),
        IS(NO_HIGHER_LEVEL, "rejected by the last rung"),
        IS(NOT_THE_REPORTER, "another party than the one that reported") } },
    { 5, EVENT_MERGED, DESK, S(MERGED), "并案", "the desk", {
        IS(NO_SUCH_CASE, "no such master"),
        IS(FIELD_RANGE, "its own master, which would be a circle"),
        IS(MASTER_ENDED, "the master has ended") } },
    { 5, EVENT_SPLIT, S(MERGED), S(ACCEPTED), "拆案", "the desk", {
        IS(MASTER_ENDED, "the master has ended") } },
    { 6, EVENT_WITHDRAWN, S(REPORTED), S(WITHDRAWN), "撤回", "the reporter", {
        IS(DANGER, "a category of danger (urgency I, II)"),
        IS(NOT_THE_REPORTER, "another party than the one that reported"),
        IS(HAS_FOLLOWERS, "other cases are merged into it") } },
    { 7, EVENT_DISPATCHED, S(ACCEPTED), S(DISPATCHED), "派遣", "the desk", {
        IS(WRONG_STAGE, "the case has moved on"),
        IS(NOBODY_NAMED, "nobody to ask"),
        IS(UNKNOWN_PARTY, "a party nobody knows"),
        IS(TOO_MANY_ASKS, "more parties than a case can wait for") } },
    { 8, EVENT_SIGNED, S(DISPATCHED), S(HANDLING), "签收", "a party that was asked", { IS(NOTHING, "") } },
    { 9, EVENT_RETURNED, ASKED, S(ACCEPTED), "退回", "the lead party", {
        IS(TOO_LATE, "after the limit of a return"),
        IS(FIELD_MISSING, "no reason, or nobody proposed"),
        IS(UNKNOWN_PARTY, "a proposed party nobody knows"),
        IS(ARBITRATED, "it was ruled whose matter it is") } },
    { 10, EVENT_REASSIGNED, S(ACCEPTED) | ASKED, S(DISPATCHED), "改派", "the desk", {
        IS(WRONG_STAGE, "the case has moved on"),
        IS(NOBODY_NAMED, "nobody to ask") } },
    { 11, EVENT_ARBITRATED, S(ACCEPTED), S(DISPATCHED), "裁定派遣", "the next level's desk", { IS(NOTHING, "") } },
    { 12, EVENT_EXTENSION_ASKED, S(HANDLING), 0, "延期申请", "a party that handles it", {
        IS(NOT_ASKED, "a party that does not handle it"),
        IS(PENDING, "asked already, and not decided"),
        IS(SPENT, "as often as may be"),
        IS(NO_LIMIT, "no limit runs") } },
    { 12, EVENT_EXTENSION_GRANTED, S(HANDLING), 0, "延期批准", "an approver", {
        IS(NOTHING_PENDING, "nobody asked"),
        IS(NOT_APPROVER, "one of those who handle it, or too low"),
        IS(NO_LIMIT, "the limit is over"),
        IS(SPENT, "more than may be given in all") } },
    { 12, EVENT_EXTENSION_REFUSED, S(HANDLING), 0, "延期驳回", "an approver, or the limit's end", {
        IS(NOTHING_PENDING, "nobody asked"),
        IS(NOT_APPROVER, "one of those who handle it, or too low") } },
    { 13, EVENT_SUSPENDED, S(HANDLING), S(SUSPENDED), "挂起", "an approver", {
        IS(NOT_APPROVER, "one of those who handle it, or too low"),
        IS(FIELD_RANGE, "a cause that is none, or a review date too far off"),
        IS(SPENT, "as often as may be") } },
    { 13, EVENT_RESUMED, S(SUSPENDED), S(HANDLING), "恢复", "an approver, or the review date", {
        IS(NOT_APPROVER, "one of those who handle it, or too low") } },
    { 14, EVENT_MILESTONE_DONE, S(ACCEPTED) | ASKED, 0, "里程碑完成", "a party that was asked", {
        IS(MILESTONE_ORDER, "an earlier milestone is not done") } },
    { 15, EVENT_REMINDED, OPEN, 0, "催办", "the reminder share of a limit, or a leader", {
        IS(NOT_APPROVER, "one of those who handle it, or too low") } },
    { 15, EVENT_SUPERVISED, OPEN | S(TRANSFERRED), 0, "督办", "the last rung's limit, or a leader", {
        IS(NOT_APPROVER, "one of those who handle it, or too low") } },
    { 16, EVENT_ESCALATED, DESK | ASKED | S(RESOLVED), S(ACCEPTED), "升级", "a limit, the desk, or who was asked", {
        IS(WRONG_STAGE, "the case has moved on"),
        IS(NO_HIGHER_LEVEL, "nobody above") } },
    { 16, EVENT_ESCALATED, S(RESOLVED), S(RESOLVED), "核查升级", "the verifier's limit", { IS(NOTHING, "") } },
    { 17, EVENT_DELEGATED, DESK | ASKED, S(ACCEPTED), "下沉", "the desk", {
        IS(NOT_ADMITTED, "not a matter for that level"),
        IS(SPENT, "as often as may be"),
        IS(BAD_DIVISION, "the place does not say whose desk there"),
        IS(FIELD_RANGE, "not a lower level") } },
    { 18, EVENT_RESOLVED, S(ACCEPTED) | ASKED, S(RESOLVED), "处置反馈", "a party that was asked", {
        IS(EVIDENCE_MISSING, "less evidence than the category asks for"),
        IS(SAME_PARTY, "nobody else is there to verify it") } },
    { 19, EVENT_REWORK, S(RESOLVED), S(HANDLING), "返工", "the verifier", { IS(NOTHING, "") } },
    { 20, EVENT_VERIFIED, S(RESOLVED), 0, "核查通过", "the verifier, who did not handle it", { IS(NOTHING, "") } },
    { 20, EVENT_FOLLOWUP_BEGUN, S(RESOLVED), S(FOLLOWUP), "转回访", "with Verified, when the reporter agreed",
        { IS(NOTHING, "") } },
    { 20, EVENT_CLOSED, S(RESOLVED), S(CLOSED), "结案", "with Verified", { IS(NOTHING, "") } },
    { 21, EVENT_FOLLOWED_UP, S(FOLLOWUP), 0, "回访", "the reporter", {
        IS(FIELD_MISSING, "neither solved nor satisfied is answered"),
        IS(NOT_THE_REPORTER, "another party than the one that reported") } },
    { 21, EVENT_CLOSED, S(FOLLOWUP), S(CLOSED), "结案", "the answer, or its limit (silence is neutral)",
        { IS(NOTHING, "") } },
    { 22, EVENT_REOPENED, S(FOLLOWUP) | S(CLOSED) | S(TRANSFERRED), S(HANDLING) | S(ACCEPTED), "重开",
        "the reporter once, or a supervising desk", {
        IS(TOO_LATE, "after the days for reopening"),
        IS(SPENT, "as often as may be"),
        IS(NOT_APPROVER, "one of those who handled it, or too low"),
        IS(NOT_THE_REPORTER, "another party than the one that reported") } },
    { 23, EVENT_TRANSFERRED, OPEN, S(TRANSFERRED), "移交", "any level", {
        IS(FIELD_RANGE, "no such authority"),
        IS(HAS_FOLLOWERS, "other cases are merged into it") } },
    { 23, EVENT_TRANSFER_ACKNOWLEDGED, S(TRANSFERRED), 0, "移交确认", "whoever heard it from there", {
        IS(FIELD_MISSING, "no number given there"),
        IS(CASE_CLOSED, "acknowledged already") } },
    { 24, EVENT_VOID_ASKED, (OPEN | ENDED) & ~S(VOID), 0, "作废申请", "one person", {
        IS(FIELD_MISSING, "who, by staff number, is not said"),
        IS(HAS_FOLLOWERS, "other cases are merged into it") } },
    { 24, EVENT_VOIDED, (OPEN | ENDED) & ~S(VOID), S(VOID), "作废", "another person", {
        IS(SAME_PERSON, "the one who asked"),
        IS(HAS_FOLLOWERS, "other cases are merged into it") } },
    { 25, EVENT_ARCHIVED, ENDED, S(ARCHIVED), "归档", "the retention's end", {
        IS(TOO_EARLY, "the retention has not passed") } },
    { 26, EVENT_NOTED, ANY, 0, "补充", "any party", {
        IS(FIELD_MISSING, "nothing is written") } },
    { 26, EVENT_CORRECTED, OPEN, 0, "更正", "the desk, or a batch", {
        IS(NO_CHANGE, "it is so already"),
        IS(UNKNOWN_CATEGORY, "a category nobody knows"),
        IS(BAD_DIVISION, "another district, or coarser than the desk that has it") } },

    { 0, EVENT_ANSWERED, OPEN, 0, "回应", "a party, when it decides nothing", {
        IS(TOO_MANY_LATE, "late, again and again") } },
    { 0, EVENT_ANSWERED, ASKED, S(ACCEPTED), "再派", "the last who could have done it declines", {
        IS(TOO_MANY_ASKS, "asked as often as can be counted") } },
    { 0, EVENT_CLOSED, DESK | ASKED | S(SUSPENDED), S(CLOSED), "批量结案", "two persons, as a batch", {
        IS(BATCH_NOT_CONFIRMED, "no second person has confirmed it") } },
    { 0, EVENT_HANDED_OVER, OPEN & ~(S(REPORTED) | S(FOLLOWUP)), 0, "交班", "the desk", {
        IS(NOT_ASKED, "nothing is asked of that party here"),
        IS(SAME_PARTY, "who verifies would be who did it, or is asked already") } },
    { 0, EVENT_CASE_MOVED, OPEN, 0, "换预案", "an operator", {
        IS(NO_CHANGE, "it goes by the rules in force already"),
        IS(WRONG_STAGE, "the new playbook has no such stage") } },
    { 0, EVENT_DUE_MOVED, OPEN | S(TRANSFERRED), 0, "时限重算", "an operator, when a calendar has changed", {
        IS(NO_CHANGE, "it goes by these calendars already") } },
    { 0, EVENT_OFFER_FAILED, OPEN, 0, "席位未答", "the desk's worker, or its silence", {
        IS(WRONG_STAGE, "the case has moved on") } },
    { 0, EVENT_DEAD_RETRIED, DESK, 0, "死信重派", "an operator", {
        IS(NOTHING_PENDING, "it is no dead letter") } },
    { 0, EVENT_DEAD_DROPPED, DESK, 0, "死信销号", "an operator", {
        IS(NOTHING_PENDING, "it is no dead letter") } },
};
const unsigned arrows_count = COUNT_OF(arrows);

bool arrow_exists(PbEvent__EventCase event, PbState from, PbState to) {
    for (const struct arrow *a = arrows; a < arrows + COUNT_OF(arrows); a++)
        if (a->event == event && a->from & 1u << from && (a->to ? (a->to & 1u << to) != 0 : from == to)) return true;
    return false;
}
