/* words.c: the words of the protocol for people, by table, each in Chinese and in English. The Chinese ones are those
 * of the grid regulations; a console shows the same. */
#include "ctl/ctl.h"

#include <stdio.h>
#include <string.h>

struct word { const char *zh, *en; };

static const char *word_of(const struct word *words, size_t count, enum language l, int value) {
    static const struct word unknown = {"未知", "unknown"};               /* of a newer broker */
    const struct word *w = value >= 0 && (size_t)value < count && words[value].zh ? &words[value] : &unknown;
    return l == LANGUAGE_ZH ? w->zh : w->en;
}
#define WORD_OF(words, l, value) word_of(words, COUNT_OF(words), l, (int)(value))

const char *word_state(enum language l, PbState s) {
    static const struct word words[] = {
        [STATE_NONE] = {"无", "none"},
        [STATE_REPORTED] = {"已上报", "reported"},
        [STATE_ACCEPTED] = {"已受理", "accepted"},
        [STATE_DISPATCHED] = {"已派遣", "dispatched"},
        [STATE_HANDLING] = {"办理中", "handling"},
        [STATE_RESOLVED] = {"已处置", "resolved"},
        [STATE_CLOSED] = {"已结案", "closed"},
        [STATE_REJECTED] = {"不予受理", "rejected"},
        [STATE_SUSPENDED] = {"已挂起", "suspended"},
        [STATE_FOLLOWUP] = {"待回访", "follow-up"},
        [STATE_MERGED] = {"已并案", "merged"},
        [STATE_WITHDRAWN] = {"已撤回", "withdrawn"},
        [STATE_VOID] = {"已作废", "void"},
        [STATE_TRANSFERRED] = {"已移交", "transferred"},
        [STATE_ARCHIVED] = {"已归档", "archived"},
    };
    return WORD_OF(words, l, s);
}

const char *word_level(enum language l, PbLevel v) {
    static const struct word words[] = {
        [LEVEL_GRID] = {"网格", "grid"},         [LEVEL_COMMUNITY] = {"社区", "community"},
        [LEVEL_STREET] = {"街道", "street"},     [LEVEL_DISTRICT] = {"区", "district"},
        [LEVEL_CITY] = {"市", "city"},           [LEVEL_PROVINCE] = {"省", "province"},
    };
    return WORD_OF(words, l, v);
}

const char *word_cause(enum language l, PbCause cause) {
    static const struct word words[] = {
        [CAUSE_NONE] = {"未说明", "no cause given"},
        [CAUSE_REPORTED] = {"新上报", "newly reported"},
        [CAUSE_DESK_SILENT] = {"值守席逾期未处理", "the desk did not answer in time"},
        [CAUSE_ACCEPT_OVERDUE] = {"逾期无人签收", "nobody accepted in time"},
        [CAUSE_HANDLING_OVERDUE] = {"逾期未办结", "not done in time"},
        [CAUSE_PROMISE_OVERDUE] = {"超过对来件人的承诺时限", "the promise to the reporter has passed"},
        [CAUSE_MILESTONE_OVERDUE] = {"阶段目标逾期", "a milestone is overdue"},
        [CAUSE_VERIFY_OVERDUE] = {"逾期未核查", "not verified in time"},
        [CAUSE_OUTSIDE_WALL] = {"墙外，不属社区", "outside the wall: not the community's place"},
        [CAUSE_NOT_OUR_DUTY] = {"职责在上级", "the duty begins at a higher level"},
        [CAUSE_DECLINED] = {"本级各方均不能办", "everybody who could be asked here has declined"},
        [CAUSE_NOBODY_TO_ASK] = {"本级无人可派", "there is nobody to ask here"},
        [CAUSE_IMPOSSIBLE] = {"余下的回应已不足以办结", "the answers still possible are not enough"},
        [CAUSE_ASKED_FOR_HELP] = {"吹哨求助", "asked for help"},
        [CAUSE_ATTEMPTS_SPENT] = {"派单次数已用完", "the attempts are used up"},
        [CAUSE_LAST_RUNG] = {"已无上级，转督办", "nobody is above: supervised"},
        [CAUSE_DUTY] = {"按职责派单", "it is their duty"},
        [CAUSE_OUT_OF_SCOPE] = {"不属受理范围", "not a matter for this office"},
        [CAUSE_DUPLICATE] = {"重复上报", "known already"},
        [CAUSE_NOT_A_FACT] = {"查无此事", "could not be found"},
        [CAUSE_ELSEWHERE] = {"属其他部门", "another authority's"},
        [CAUSE_RETURNS_SPENT] = {"退回次数已用完，由上级裁定", "returned as often as may be: the next level rules"},
        [CAUSE_LEADER] = {"领导交办", "a leader's word"},
        [CAUSE_APPEAL] = {"上报人申诉", "appealed against"},
        [CAUSE_ENGINEERING] = {"工程施工", "needs works that take their time"},
        [CAUSE_SEASON] = {"季节原因", "waits for the season"},
        [CAUSE_LITIGATION] = {"进入诉讼", "before a court"},
        [CAUSE_FUNDING] = {"等待资金", "waits for funds"},
        [CAUSE_ABSENT] = {"当事人不在", "whom it concerns is away"},
        [CAUSE_BATCH] = {"两人确认的批量办理", "with others, by two persons"},
        [CAUSE_NOT_ACKNOWLEDGED] = {"移交后对方逾期未确认", "not acknowledged there in time"},
        [CAUSE_DEPARTURE] = {"交班或离岗", "handed over"},
    };
    return WORD_OF(words, l, cause);
}

/* With the limit that has passed: zh is said behind it, en before it. */
bool word_cause_within(enum language l, PbCause cause, const char *limit, char to[static PRINTED_BYTES]) {
    static const struct word words[] = {
        [CAUSE_DESK_SILENT] = {"内值守席未处理", "the desk did not answer within"},
        [CAUSE_ACCEPT_OVERDUE] = {"内无人签收", "nobody accepted within"},
        [CAUSE_HANDLING_OVERDUE] = {"内未办结", "not done within"},
        [CAUSE_PROMISE_OVERDUE] = {"的承诺已过", "the reporter was promised an end within"},
        [CAUSE_MILESTONE_OVERDUE] = {"的阶段目标未完成", "the milestone was not reached within"},
        [CAUSE_VERIFY_OVERDUE] = {"内未核查", "not verified within"},
        [CAUSE_NOT_ACKNOWLEDGED] = {"内对方未确认移交", "not acknowledged there within"},
    };
    if ((size_t)cause >= COUNT_OF(words) || !words[cause].zh)
        return false;
    if (l == LANGUAGE_ZH)
        (void)snprintf(to, PRINTED_BYTES, "%s %s", limit, words[cause].zh);
    else
        (void)snprintf(to, PRINTED_BYTES, "%s %s", words[cause].en, limit);
    return true;
}

const char *word_timer(enum language l, PbTimerKind k) {
    static const struct word words[] = {
        [TIMER_NONE] = {"无", "none"},           [TIMER_DESK] = {"值守席派单", "desk decides"},
        [TIMER_ACCEPT] = {"签收", "accept"},     [TIMER_REMIND] = {"催办", "remind"},
        [TIMER_HANDLING] = {"办结", "done"},     [TIMER_PROMISE] = {"对来件人承诺", "promise to reporter"},
        [TIMER_VERIFY] = {"核查", "verify"},     [TIMER_SUPERVISE] = {"督办", "supervise"},
        [TIMER_REVIEW] = {"挂账复核", "review"}, [TIMER_FOLLOWUP] = {"回访", "follow-up"},
        [TIMER_TRANSFER] = {"移交确认", "transfer acknowledged"},
    };
    return WORD_OF(words, l, k);
}

const char *word_urgency(enum language l, PbUrgency u) {
    static const struct word words[] = {
        [URGENCY_NONE] = {"未定", "none"},       [URGENCY_I] = {"特急", "I (at once)"},
        [URGENCY_II] = {"紧急", "II (urgent)"},  [URGENCY_III] = {"一般", "III (ordinary)"},
        [URGENCY_IV] = {"长期", "IV (long-term)"},
    };
    return WORD_OF(words, l, u);
}

const char *word_wall(enum language l, PbWall w) {
    static const struct word words[] = {
        [WALL_UNKNOWN] = {"墙内外不明", "wall unknown"},
        [WALL_INSIDE] = {"墙内", "inside the wall"},
        [WALL_OUTSIDE] = {"墙外", "outside the wall"},
    };
    return WORD_OF(words, l, w);
}

const char *word_answer(enum language l, PbAnswerKind k) {
    static const struct word words[] = {
        [ANSWER_NONE] = {"无", "nothing"},       [ANSWER_ACCEPT] = {"签收", "accept"},
        [ANSWER_DONE] = {"办结", "done"},        [ANSWER_DECLINE] = {"不能办", "decline"},
        [ANSWER_RETURN] = {"退回", "return"},    [ANSWER_VOTE] = {"表决", "vote"},
        [ANSWER_ACKNOWLEDGE] = {"已阅", "acknowledge"},
        [ANSWER_PLEDGE] = {"认领", "pledge"},
    };
    return WORD_OF(words, l, k);
}

const char *word_fate(enum language l, PbAnswerFate f) {
    static const struct word words[] = {
        [FATE_COUNTED] = {"计入", "counted"},
        [FATE_LATE] = {"已迟，不计", "too late to count"},
        [FATE_NOT_ASKED] = {"未被派单，不计", "was not asked, does not count"},
        [FATE_REPEATED] = {"重复，不计", "said before, does not count again"},
    };
    return WORD_OF(words, l, f);
}

const char *word_authority(enum language l, PbAuthority a) {
    static const struct word words[] = {
        [AUTHORITY_NONE] = {"未指明", "none"},
        [AUTHORITY_POLICE] = {"公安（110）", "the police (110)"},
        [AUTHORITY_FIRE] = {"消防（119）", "the fire brigade (119)"},
        [AUTHORITY_AMBULANCE] = {"急救（120）", "the ambulance (120)"},
        [AUTHORITY_COURT] = {"法院", "the court"},
        [AUTHORITY_PETITION] = {"信访", "the petitions office"},
        [AUTHORITY_DISTRICT] = {"其他区县", "another district"},
        [AUTHORITY_HOTLINE] = {"12345 热线", "the hotline (12345)"},
        [AUTHORITY_OTHER] = {"其他机关", "another authority"},
    };
    return WORD_OF(words, l, a);
}

const char *word_opinion(enum language l, PbOpinion o) {
    static const struct word words[] = {
        [OPINION_NONE] = {"未表示", "not said"}, [OPINION_YES] = {"是", "yes"}, [OPINION_NO] = {"否", "no"},
    };
    return WORD_OF(words, l, o);
}

const char *word_batch(enum language l, PbBatchVerb v) {
    static const struct word words[] = {
        [BATCH_NONE] = {"无", "nothing"},          [BATCH_REASSIGN] = {"改派", "reassign"},
        [BATCH_CLOSE] = {"结案", "close"},         [BATCH_VOID] = {"作废", "void"},
        [BATCH_CORRECT] = {"更正", "correct"},     [BATCH_HAND_OVER] = {"交班", "hand-over"},
        [BATCH_MOVE] = {"换预案", "move"},
    };
    return WORD_OF(words, l, v);
}

const char *word_offer_end(enum language l, PbOfferEnd e) {
    static const struct word words[] = {
        [OFFER_RETRY] = {"值守程序要求稍后再来", "the desk's worker asked for another time"},
        [OFFER_REJECTED] = {"值守程序退回", "the desk's worker gave it back"},
        [OFFER_EXPIRED] = {"值守程序没有回音", "the desk's worker fell silent"},
        [OFFER_REFUSED] = {"值守程序的决定未被接受", "the worker's decision was refused"},
        [OFFER_LATE] = {"值守程序的决定来迟", "the worker's decision came late"},
    };
    return WORD_OF(words, l, e);
}

const char *word_unit(PbUnit u) {
    static const struct word words[] = {
        [UNIT_NONE] = {"-", "-"},                [UNIT_CLOCK_MINUTES] = {"cm", "cm"},
        [UNIT_CLOCK_HOURS] = {"ch", "ch"},       [UNIT_WORK_HOURS] = {"wh", "wh"},
        [UNIT_WORK_DAYS] = {"wd", "wd"},         [UNIT_CALENDAR_DAYS] = {"cd", "cd"},
        [UNIT_MILLISECONDS] = {"ms", "ms"},      [UNIT_WEEKS] = {"cw", "cw"},
        [UNIT_MONTHS] = {"mo", "mo"},
    };
    return WORD_OF(words, LANGUAGE_EN, u);
}

const char *word_ask(enum language l, const char *status) {
    static const struct { const char *status; struct word word; } words[] = {
        {"asked", {"未回应", "silent"}},         {"accepted", {"已签收", "accepted"}},
        {"done", {"已办结", "done"}},            {"declined", {"不能办", "declined"}},
        {"ended", {"已收回", "ended"}},          {"returned", {"已退回", "returned"}},
    };
    for (size_t i = 0; status && i < COUNT_OF(words); i++)
        if (strcmp(words[i].status, status) == 0)
            return word_of(&words[i].word, 1, l, 0);
    return status ? status : "-";
}
