#include "tests/unit/story_rules.h"

#define HAS(field, value) .has_##field = 1, .field = (value)
#define LIST(field, list) .n_##field = COUNT_OF(list), .field = (list)
#define LIMIT(of, n) &(PbLimit){ HAS(unit, UNIT_##of), HAS(amount, n) }

static char *greenery_lighting[] = { (char *)"greenery", (char *)"lighting" };
static PbDuty grid = { HAS(level, LEVEL_GRID) }, street = { HAS(level, LEVEL_STREET) };
static PbDuty district = { HAS(level, LEVEL_DISTRICT), LIST(roles, greenery_lighting) };

static PbMilestone *milestones[] = {
    &(PbMilestone){ .name = (char *)"isolate", .limit = LIMIT(CLOCK_HOURS, 1) },
    &(PbMilestone){ .name = (char *)"repair", .limit = LIMIT(CALENDAR_DAYS, 1) },
    &(PbMilestone){ .name = (char *)"restore", .limit = LIMIT(WORK_DAYS, 3) },
};

#define CATEGORY(word, zh, of, book, in, out, ...) \
    &(PbCategory){ \
        .code = (char *)(word), .major_zh = (char *)"故事", .name_zh = (char *)(zh), .name_en = (char *)(word), \
        HAS(urgency, URGENCY_##of), .playbook = (char *)(book), .inside = &(in), .outside = &(out), __VA_ARGS__ \
    }
static PbCategory *categories[] = {
    CATEGORY("gas", "燃气泄漏", I, "incident", grid, district, .accept = LIMIT(CLOCK_MINUTES, 30),
             LIST(milestones, milestones)),
    CATEGORY("lamp", "路灯不亮", II, "incident", grid, district, .accept = LIMIT(CLOCK_HOURS, 2),
             .promise = LIMIT(WORK_DAYS, 5)),
    CATEGORY("paint", "乱涂乱画", III, "incident", grid, street, .accept = LIMIT(WORK_HOURS, 2),
             HAS(evidence_min, 1), .extension = LIMIT(WORK_DAYS, 2)),
    CATEGORY("poster", "非法小广告", III, "pair", grid, street, .accept = LIMIT(WORK_HOURS, 2)),
    CATEGORY("road", "道路破损", III, "incident", street, street, .accept = LIMIT(WORK_HOURS, 2)),
    CATEGORY("rubbish", "暴露垃圾", III, "incident", grid, street, .accept = LIMIT(WORK_HOURS, 2),
             HAS(self_handled, 1), HAS(wall, WALL_OUTSIDE)),
    CATEGORY("tree", "树木倾斜", IV, "incident", district, district, .accept = LIMIT(WORK_DAYS, 1)),
};

enum { COMMUNITY_STAGE = 1, STREET_STAGE, DISTRICT_STAGE, VERIFY_STAGE };

#define RUNG(at, title, within, counting, done, overdue, declined, ...) \
    &(PbStage){ \
        .name = (char *)(title), HAS(kind, STAGE_HANDLE), HAS(level, LEVEL_##at), .tally = &(counting), \
        .handling = LIMIT(WORK_DAYS, within), HAS(remind_percent, 80), HAS(attempts_max, 2), HAS(offers_max, 3), \
        HAS(on_done, done), HAS(on_overdue, overdue), HAS(on_declined, declined), __VA_ARGS__ \
    }
#define SUPERVISED .supervise_first = LIMIT(WORK_DAYS, 5), .supervise_most = LIMIT(WORK_DAYS, 20)

static PbTally first = { HAS(kind, TALLY_FIRST) }, all = { HAS(kind, TALLY_ALL) };
static PbTally two = { HAS(kind, TALLY_COUNT), HAS(count, 2) };
static PbStage *incident[] = {
    RUNG(COMMUNITY, "community", 5, first, VERIFY_STAGE, STREET_STAGE, STREET_STAGE, ),
    RUNG(STREET, "street", 10, first, VERIFY_STAGE, DISTRICT_STAGE, DISTRICT_STAGE, ),
    RUNG(DISTRICT, "district", 20, all, VERIFY_STAGE, 0, 0, SUPERVISED),
    &(PbStage){
        .name = (char *)"verify", HAS(kind, STAGE_VERIFY), .handling = LIMIT(WORK_DAYS, 2), HAS(remind_percent, 80),
        HAS(loops_max, 2), SUPERVISED,
    },
};
static PbStage *pair[] = {
    RUNG(COMMUNITY, "community", 5, two, 0, STREET_STAGE, DISTRICT_STAGE, ),
    RUNG(STREET, "street", 10, all, 0, DISTRICT_STAGE, 0, ),
    RUNG(DISTRICT, "district", 20, first, 0, 0, 0, .supervise_first = LIMIT(WORK_DAYS, 5),
         .supervise_most = LIMIT(WORK_DAYS, 12)),
};
static PbPlaybook *playbooks[] = {
    &(PbPlaybook){ .name = (char *)"incident", .title_zh = (char *)"一般事件", LIST(stages, incident) },
    &(PbPlaybook){
        .name = (char *)"pair", .title_zh = (char *)"两人", LIST(stages, pair), .calendar = (char *)"behind",
    },
};

static PbZoneStep *steps[] = { &(PbZoneStep){ HAS(from_ms, 0), HAS(offset_s, -4 * 3600) } };
static char *promise_sources[] = { (char *)"uid:1000" };

PbRules *story_rules(void) {
    static uint8_t hash[32] = { 0x51 };
    static PbCalendar behind;
    static PbCalendar *calendars[2];
    static PbRules rules;
    rules = *fixture_rules();
    CHECK(rules.n_calendars == 1);
    behind = *rules.calendars[0];
    behind.name = (char *)"behind";
    behind.steps = steps;
    calendars[0] = &behind;                                       /* sorted: behind, office */
    calendars[1] = rules.calendars[0];
    rules.n_calendars = COUNT_OF(calendars), rules.calendars = calendars;
    rules.n_categories = COUNT_OF(categories), rules.categories = categories;
    rules.n_playbooks = COUNT_OF(playbooks), rules.playbooks = playbooks;
    rules.n_promise_sources = COUNT_OF(promise_sources), rules.promise_sources = promise_sources;
    for (size_t i = 0; i < COUNT_OF(playbooks); i++) {
        playbooks[i]->has_hash = 1;
        playbooks[i]->hash = (ProtobufCBinaryData){ sizeof hash, hash };
    }
    return &rules;
}

PbRules *story_rules_later(void) {
    static PbWindow morning = { HAS(open_minute, 7 * 60 + 30), HAS(close_minute, 12 * 60) };
    static PbWindow *hours[] = { &morning };
    static PbWeekday open_day = { LIST(windows, hours) }, closed_day;
    static PbWeekday *week[] = { &open_day, &open_day, &closed_day, &open_day, &open_day, &closed_day, &open_day };
    static PbCalendar later[2];
    static PbCalendar *calendars[] = { &later[0], &later[1] };
    static PbRules rules;
    rules = *story_rules();
    CHECK(rules.n_calendars == COUNT_OF(calendars));
    for (size_t i = 0; i < COUNT_OF(calendars); i++) {
        later[i] = *rules.calendars[i];
        later[i].n_week = COUNT_OF(week), later[i].week = week;
    }
    rules.calendars = calendars;
    return &rules;
}
