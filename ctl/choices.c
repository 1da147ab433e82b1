/* choices.c: arguments that are one of a few words. Each may be said in English or in Chinese. */
#include "ctl/ctl.h"

static const struct choice levels[] = {
    {"grid", "网格", LEVEL_GRID}, {"community", "社区", LEVEL_COMMUNITY}, {"street", "街道", LEVEL_STREET},
    {"district", "区", LEVEL_DISTRICT}, {"city", "市", LEVEL_CITY}, {"province", "省", LEVEL_PROVINCE},
};
static const struct choice states[] = {
    {"reported", "已上报", STATE_REPORTED},     {"accepted", "已受理", STATE_ACCEPTED},
    {"dispatched", "已派遣", STATE_DISPATCHED}, {"handling", "办理中", STATE_HANDLING},
    {"resolved", "已处置", STATE_RESOLVED},     {"suspended", "已挂起", STATE_SUSPENDED},
    {"followup", "待回访", STATE_FOLLOWUP},
};
static const struct choice walls[] = {{"inside", "墙内", WALL_INSIDE}, {"outside", "墙外", WALL_OUTSIDE}};
static const struct choice urgencies[] = {
    {"I", "特急", URGENCY_I}, {"II", "紧急", URGENCY_II}, {"III", "一般", URGENCY_III}, {"IV", "长期", URGENCY_IV},
};
static const struct choice answers[] = {
    {"accept", "签收", ANSWER_ACCEPT}, {"done", "办结", ANSWER_DONE}, {"decline", "不能办", ANSWER_DECLINE},
};
static const struct choice rejections[] = {
    {"out-of-scope", "不属受理范围", CAUSE_OUT_OF_SCOPE}, {"duplicate", "重复上报", CAUSE_DUPLICATE},
    {"not-a-fact", "查无此事", CAUSE_NOT_A_FACT},         {"elsewhere", "属其他部门", CAUSE_ELSEWHERE},
};
static const struct choice stays[] = {
    {"engineering", "工程", CAUSE_ENGINEERING}, {"season", "季节", CAUSE_SEASON},
    {"litigation", "诉讼", CAUSE_LITIGATION},   {"funding", "待资金", CAUSE_FUNDING},
    {"absent", "当事人不在", CAUSE_ABSENT},
};
static const struct choice authorities[] = {
    {"police", "公安", AUTHORITY_POLICE},       {"fire", "消防", AUTHORITY_FIRE},
    {"ambulance", "急救", AUTHORITY_AMBULANCE}, {"court", "法院", AUTHORITY_COURT},
    {"petition", "信访", AUTHORITY_PETITION},   {"district", "外区", AUTHORITY_DISTRICT},
    {"hotline", "12345", AUTHORITY_HOTLINE},    {"other", "其他", AUTHORITY_OTHER},
};
static const struct choice opinions[] = {{"yes", "是", OPINION_YES}, {"no", "否", OPINION_NO}};
static const struct choice switches[] = {{"on", "开", 1}, {"off", "关", 0}};

const struct choice *choices_of(enum argument_type type, size_t *ret_count) {
#define LIST(list) {list, COUNT_OF(list)}
    static const struct { const struct choice *at; size_t count; } lists[ARGUMENT_TYPES] = {
        [ARGUMENT_LEVEL] = LIST(levels),         [ARGUMENT_STATE] = LIST(states),
        [ARGUMENT_WALL] = LIST(walls),           [ARGUMENT_URGENCY] = LIST(urgencies),
        [ARGUMENT_ANSWER] = LIST(answers),       [ARGUMENT_REJECTION] = LIST(rejections),
        [ARGUMENT_STAY] = LIST(stays),           [ARGUMENT_AUTHORITY] = LIST(authorities),
        [ARGUMENT_OPINION] = LIST(opinions),     [ARGUMENT_SWITCH] = LIST(switches),
    };
#undef LIST
    CHECK(type < ARGUMENT_TYPES);
    *ret_count = lists[type].count;
    return lists[type].at;
}
