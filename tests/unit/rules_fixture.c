#include "tests/unit/rules_fixture.h"

#define HAS(field, value) .has_##field = 1, .field = (value)
#define LIST(field, list) .n_##field = COUNT_OF(list), .field = (list)
#define LIMIT(of, n) &(PbLimit){HAS(unit, UNIT_##of), HAS(amount, n)}

/* ---- when -------------------------------------------------------------------------------------------------------- */

static PbWindow morning = {HAS(open_minute, 8 * 60 + 30), HAS(close_minute, 12 * 60)};
static PbWindow afternoon = {HAS(open_minute, 14 * 60), HAS(close_minute, 18 * 60)};
static PbWindow *hours[] = {&morning, &afternoon};
static PbWeekday open_day = {LIST(windows, hours)}, closed_day;
static PbWeekday *week[] = {&open_day, &open_day, &open_day, &open_day, &open_day, &closed_day, &closed_day};
static PbDay *days[] = {
    &(PbDay){HAS(date, 20260501), .name_zh = (char *)"劳动节"},
    &(PbDay){HAS(date, 20260509), HAS(working, 1), .name_zh = (char *)"补班"},
    &(PbDay){HAS(date, 20261001), .name_zh = (char *)"国庆节"},
};
static PbZoneStep *steps[] = {&(PbZoneStep){HAS(from_ms, 0), HAS(offset_s, 8 * 3600)}};
static PbCalendar *calendars[] = {&(PbCalendar){
    .name = (char *)"office", .zone = (char *)"Asia/Shanghai", LIST(steps, steps), LIST(week, week), LIST(days, days),
    HAS(first_date, 20260101), HAS(last_date, 20261231), LIST(working_day, hours),
}};

/* ---- where and who ----------------------------------------------------------------------------------------------- */

#define DIVISION(number, name) &(PbDivision){HAS(code, number), .name_zh = (char *)(name)}
static PbDivision *divisions[] = {
    DIVISION(FIXTURE_DISTRICT, "秦都区"),
    DIVISION(FIXTURE_STREET, "渭滨街道"),
    DIVISION(FIXTURE_COMMUNITY, "渭滨苑社区"),
    DIVISION(FIXTURE_COMMUNITY2, "沈家社区"),
    DIVISION(FIXTURE_GRID, "渭滨苑第一网格"),
    DIVISION(FIXTURE_GRID2, "渭滨苑第二网格"),
    DIVISION(610402006002001ULL, "沈家第一网格"),
    DIVISION(610402006002002ULL, "沈家第二网格"),
};

#define ROLE(name, zh, of_kind, at) \
    &(PbRole){.slug = (char *)(name), .name_zh = (char *)(zh), HAS(kind, ROLE_##of_kind), HAS(level, LEVEL_##at)}
static PbRole *roles[] = {
    ROLE("community-desk", "社区值守席", DESK, COMMUNITY),
    ROLE("district-desk", "区值守席", DESK, DISTRICT),
    ROLE("greenery", "园林局", DEPARTMENT, DISTRICT),
    ROLE("grid-leader", "网格长", GRID_LEADER, COMMUNITY),
    ROLE("grid-worker", "网格员", GRID_WORKER, GRID),
    ROLE("lighting", "路灯所", DEPARTMENT, DISTRICT),
    ROLE("outer-worker", "墙外网格员", OUTER_WORKER, STREET),
    ROLE("street-desk", "街道值守席", DESK, STREET),
    ROLE("urban-management", "城管局", DEPARTMENT, DISTRICT),
    ROLE("verifier", "核查员", VERIFIER, STREET),
};

#define PARTY(name, zh) &(PbParty){.party = (char *)(name), .name_zh = (char *)(zh)}
static PbParty *parties[] = {
    PARTY("community-desk@610402006001", "渭滨苑社区"),
    PARTY("community-desk@610402006002", "沈家社区"),
    PARTY("district-desk@610402", "秦都区网格中心"),
    PARTY("greenery@610402", "园林局"),
    PARTY("grid-leader@610402006001", "渭滨苑网格长"),
    PARTY("grid-leader@610402006002", "沈家网格长"),
    PARTY("grid-worker@610402006001001", "网格员一"),
    PARTY("grid-worker@610402006001002", "网格员二"),
    PARTY("grid-worker@610402006002001", "网格员三"),
    PARTY("grid-worker@610402006002002", "网格员四"),
    PARTY("lighting@610402", "路灯所"),
    PARTY("outer-worker@610402006", "墙外网格员"),
    PARTY("street-desk@610402006", "渭滨街道"),
    PARTY("urban-management@610402", "城管局"),
    PARTY("verifier@610402006", "核查员"),
};

/* ---- what -------------------------------------------------------------------------------------------------------- */

static char *lighting[] = {(char *)"lighting"}, *management[] = {(char *)"urban-management"};
static PbDuty grid_duty = {HAS(level, LEVEL_GRID)};
static PbDuty lighting_duty = {HAS(level, LEVEL_DISTRICT), LIST(roles, lighting)};
static PbDuty management_duty = {HAS(level, LEVEL_DISTRICT), LIST(roles, management)};
static PbMilestone *milestones[] = {
    &(PbMilestone){.name = (char *)"stop", .limit = LIMIT(WORK_HOURS, 4)},
    &(PbMilestone){.name = (char *)"penalise", .limit = LIMIT(WORK_DAYS, 7)},
    &(PbMilestone){.name = (char *)"demolish", .limit = LIMIT(WORK_DAYS, 20)},
};
static PbCategory *categories[] = {
    &(PbCategory){
        .code = (char *)"lamp", .major_zh = (char *)"公用设施", .name_zh = (char *)"路灯不亮",
        .name_en = (char *)"street lamp out", HAS(wall, WALL_OUTSIDE), .inside = &grid_duty, .outside = &lighting_duty,
        HAS(urgency, URGENCY_II), .accept = LIMIT(CLOCK_HOURS, 2), .promise = LIMIT(WORK_DAYS, 5),
        .playbook = (char *)"incident",
    },
    &(PbCategory){
        .code = (char *)"rubbish", .major_zh = (char *)"市容环境", .name_zh = (char *)"暴露垃圾",
        .name_en = (char *)"rubbish", HAS(wall, WALL_INSIDE), .inside = &grid_duty, .outside = &management_duty,
        HAS(urgency, URGENCY_III), .accept = LIMIT(WORK_HOURS, 2), .playbook = (char *)"incident",
        HAS(self_handled, 1),
    },
    &(PbCategory){
        .code = (char *)"stall", .major_zh = (char *)"街面秩序", .name_zh = (char *)"违法建设",
        .name_en = (char *)"illegal structure", HAS(wall, WALL_INSIDE), .inside = &management_duty,
        .outside = &management_duty, HAS(urgency, URGENCY_III), .accept = LIMIT(WORK_HOURS, 2),
        LIST(milestones, milestones), .playbook = (char *)"incident",
    },
};

/* ---- how --------------------------------------------------------------------------------------------------------- */

#define RUNG(at, title, up, ...) \
    &(PbStage){ \
        .name = (char *)(title), HAS(kind, STAGE_HANDLE), HAS(level, LEVEL_##at), .tally = &first, \
        .handling = LIMIT(WORK_DAYS, 3), HAS(remind_percent, 80), HAS(attempts_max, 3), HAS(offers_max, 3), \
        HAS(on_done, FIXTURE_VERIFY_STAGE), HAS(on_overdue, up), HAS(on_declined, up), __VA_ARGS__ \
    }
#define SUPERVISED .supervise_first = LIMIT(WORK_DAYS, 5), .supervise_most = LIMIT(WORK_DAYS, 20)

static PbTally first = {HAS(kind, TALLY_FIRST)};
static PbStage *stages[] = {
    RUNG(COMMUNITY, "community", FIXTURE_STREET_STAGE, .desk = LIMIT(WORK_HOURS, 1)),
    RUNG(STREET, "street", FIXTURE_DISTRICT_STAGE, .desk = LIMIT(WORK_HOURS, 2)),
    RUNG(DISTRICT, "district", 0, SUPERVISED),
    &(PbStage){
        .name = (char *)"verify", HAS(kind, STAGE_VERIFY), HAS(level, LEVEL_STREET), .tally = &first,
        .handling = LIMIT(WORK_DAYS, 2), HAS(remind_percent, 80), HAS(attempts_max, 3), HAS(offers_max, 3),
        HAS(loops_max, 1), SUPERVISED,
    },
};
static PbPlaybook *playbooks[] = {&(PbPlaybook){
    .name = (char *)"incident", .title_zh = (char *)"一般案件", LIST(stages, stages), .calendar = (char *)"office",
}};

static char *promise_sources[] = {(char *)"*"};
static PbRules rules = {
    HAS(format, 1), .name = (char *)"fixture", LIST(calendars, calendars), LIST(categories, categories),
    LIST(playbooks, playbooks), LIST(divisions, divisions), LIST(roles, roles), LIST(parties, parties),
    .calendar = (char *)"office", LIST(promise_sources, promise_sources), HAS(district, FIXTURE_DISTRICT),
};

PbRules *fixture_rules(void) {
    static uint8_t hash[32] = {0xf1};
    playbooks[0]->has_hash = 1;
    playbooks[0]->hash = (ProtobufCBinaryData){sizeof hash, hash};
    return &rules;
}
