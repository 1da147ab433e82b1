/* Rules that the daemon could not run on are refused with their place; in those it accepts, everything is found. */
#include "daemon/kernel/kernel.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* ---- a small district -------------------------------------------------------------------------------------------- */

static PbLimit two_hours, four_hours, two_days, seven_days, twenty_days;
static PbWindow morning, afternoon, *hours[2];
static PbWeekday office, *week[8];
static PbDay eve, festival, *days[2];
static PbZoneStep east8, east9, *steps[3];
static PbCalendar calendar, spare, *calendars[2];
static PbMilestone stop, penalise, demolish, *milestones[MILESTONES_MAX + 1];
static PbDuty inside;
static char *duty_roles[1];
static PbCategory litter, rubble, other, *categories[3];
static PbStage street, *stages[1];
static PbPlaybook book, spare_book, *playbooks[2];
static PbDivision divisions[7], *division_list[7];
static PbManagedBy managed, managed_later, *managed_by[2];
static PbRole desk, grid_worker, *roles[2];
static PbParty desk_street, worker, *parties[2];
static char *sources[2];
static PbRules rules;

static void the_office(void) {
    morning = (PbWindow){.open_minute = 510, .close_minute = 720},
    afternoon = (PbWindow){.open_minute = 840, .close_minute = 1080};
    hours[0] = &morning, hours[1] = &afternoon;
    office = (PbWeekday){.n_windows = 2, .windows = hours};
    for (size_t i = 0; i < COUNT_OF(week); i++)
        week[i] = &office;
    eve = (PbDay){.date = 20260214, .working = true}, festival = (PbDay){.date = 20260215};
    days[0] = &eve, days[1] = &festival;
    east8 = (PbZoneStep){.offset_s = 8 * 3600}, east9 = (PbZoneStep){.from_ms = 1000000000, .offset_s = 9 * 3600};
    steps[0] = &east8, steps[1] = &east9;
    calendar = (PbCalendar){.name = "china", .zone = "Asia/Shanghai", .n_steps = 1, .steps = steps, .n_week = 7,
        .week = week, .n_days = 2, .days = days, .first_date = 20260101, .last_date = 20261231, .n_working_day = 2,
        .working_day = hours};
    spare = calendar, spare.name = "spare";
    calendars[0] = &calendar, calendars[1] = &spare;
}

static void the_tree(void) {
    static const uint64_t codes[] = {6104, 610402, 610402006, 610402007, 610402006001, 610402006002, 610402006001003};
    for (size_t i = 0; i < COUNT_OF(codes); i++)
        divisions[i] = (PbDivision){.code = codes[i]}, division_list[i] = &divisions[i];
    managed = (PbManagedBy){.division = 610402006, .by = 6104, .valid_from_ms = 10, .valid_to_ms = 20};
    managed_later = (PbManagedBy){.division = 610402006, .by = 610402, .valid_from_ms = 20};
    managed_by[0] = &managed, managed_by[1] = &managed_later;
    desk = (PbRole){.slug = "desk", .kind = ROLE_DESK, .level = LEVEL_STREET};
    grid_worker = (PbRole){.slug = "grid-worker", .kind = ROLE_GRID_WORKER, .level = LEVEL_GRID};
    roles[0] = &desk, roles[1] = &grid_worker;
    desk_street = (PbParty){.party = "desk@610402006", .valid_from_ms = 100, .valid_to_ms = 200};
    worker = (PbParty){.party = "grid-worker@610402006001003"};
    parties[0] = &desk_street, parties[1] = &worker;
}

static void the_matters(void) {
    two_hours = (PbLimit){.unit = UNIT_WORK_HOURS, .amount = 2},
    four_hours = (PbLimit){.unit = UNIT_WORK_HOURS, .amount = 4};
    two_days = (PbLimit){.unit = UNIT_WORK_DAYS, .amount = 2},
    seven_days = (PbLimit){.unit = UNIT_WORK_DAYS, .amount = 7};
    twenty_days = (PbLimit){.unit = UNIT_WORK_DAYS, .amount = 20};
    street = (PbStage){.name = "street", .level = LEVEL_STREET, .handling = &two_days, .supervise_first = &seven_days,
        .supervise_most = &twenty_days};
    stages[0] = &street;
    book = (PbPlaybook){.name = "incident", .n_stages = 1, .stages = stages},
    spare_book = (PbPlaybook){.name = "spare", .n_stages = 1, .stages = stages};
    playbooks[0] = &book, playbooks[1] = &spare_book;
    stop = (PbMilestone){.name = "stop", .limit = &four_hours},
    penalise = (PbMilestone){.name = "penalise", .limit = &seven_days};
    demolish = (PbMilestone){.name = "demolish", .limit = &twenty_days};
    milestones[0] = &stop, milestones[1] = &penalise, milestones[2] = &demolish;
    duty_roles[0] = "desk";
    inside = (PbDuty){.level = LEVEL_STREET, .n_roles = 1, .roles = duty_roles};
    litter = (PbCategory){.code = "E0101", .playbook = "incident", .accept = &two_hours, .n_milestones = 3,
        .milestones = milestones, .inside = &inside, .parent = "other", .urgency = URGENCY_III};
    rubble = (PbCategory){.code = "E0103", .playbook = "spare", .accept = &two_hours, .promise = &seven_days};
    other = (PbCategory){.code = "other", .playbook = "spare", .accept = &two_hours};
    categories[0] = &litter, categories[1] = &rubble, categories[2] = &other;
    sources[0] = "*";
}

static int rules_that_are_right(void **state) {
    (void)state;
    the_office(), the_tree(), the_matters();
    rules = (PbRules){.n_calendars = 2, .calendars = calendars, .n_categories = 3, .categories = categories,
        .n_playbooks = 2, .playbooks = playbooks, .n_divisions = 7, .divisions = division_list, .n_roles = 2,
        .roles = roles, .n_parties = 2, .parties = parties, .n_managed_by = 2, .managed_by = managed_by,
        .calendar = "china", .n_promise_sources = 1, .promise_sources = sources, .district = 610402};
    return 0;
}

static void accepted(void) {
    struct rules_problem p;
    memset(&p, 'x', sizeof p);
    if (!rules_check(&rules, &p))
        fail_msg("%s: %s", p.path, p.what);
    assert_string_equal(p.path, "");
}

/* What is wrong is said, and then the rules are put right again. */
static void refused(const char *path, const char *words) {
    struct rules_problem p;
    memset(&p, 'x', sizeof p);
    assert_false(rules_check(&rules, &p));
    assert_string_equal(p.path, path);
    if (!strstr(p.what, words))
        fail_msg("\"%s\" does not say \"%s\"", p.what, words);
    rules_that_are_right(NULL);
}

#define TEST(name) static void name(void **state)

/* ---- finding ----------------------------------------------------------------------------------------------------- */

TEST(what_is_there_is_found_and_nothing_else_is) {
    (void)state;
    accepted();
    for (size_t i = 0; i < rules.n_divisions; i++)
        assert_ptr_equal(rules_division(&rules, divisions[i].code), &divisions[i]);
    assert_null(rules_division(&rules, 0));
    assert_null(rules_division(&rules, 610402006003));
    assert_null(rules_division(&rules, UINT64_MAX));
    for (size_t i = 0; i < rules.n_categories; i++)
        assert_ptr_equal(rules_category(&rules, slice_of(categories[i]->code)), categories[i]);
    assert_null(rules_category(&rules, SLICE("E0102")));
    assert_null(rules_category(&rules, SLICE("E010")));
    assert_null(rules_category(&rules, SLICE("")));
    assert_ptr_equal(rules_role(&rules, SLICE("grid-worker")), &grid_worker);
    assert_null(rules_role(&rules, SLICE("grid-workers")));
    assert_ptr_equal(rules_calendar(&rules, "spare"), &spare);
    assert_null(rules_calendar(&rules, NULL));
    assert_ptr_equal(rules_role_of_kind(&rules, ROLE_DESK, LEVEL_STREET), &desk);
    assert_null(rules_role_of_kind(&rules, ROLE_DESK, LEVEL_COMMUNITY));
}

TEST(a_playbook_is_found_with_its_number) {
    (void)state;
    uint32_t number = 9;
    assert_null(rules_playbook(&rules, "nothing", &number));
    assert_int_equal(number, 9);
    assert_ptr_equal(rules_playbook(&rules, "incident", &number), &book);
    assert_int_equal(number, 1);
    assert_ptr_equal(rules_playbook(&rules, "spare", &number), &spare_book);
    assert_int_equal(number, 2);
}

TEST(a_party_is_known_while_it_is_valid) {
    (void)state;
    assert_null(rules_party(&rules, SLICE("desk@610402006"), 99));
    assert_ptr_equal(rules_party(&rules, SLICE("desk@610402006"), 100), &desk_street);
    assert_ptr_equal(rules_party(&rules, SLICE("desk@610402006"), 199), &desk_street);
    assert_null(rules_party(&rules, SLICE("desk@610402006"), 200));
    assert_ptr_equal(rules_party(&rules, SLICE("grid-worker@610402006001003"), INT64_MAX), &worker);
    assert_null(rules_party(&rules, SLICE("grid-worker@610402006001004"), 100));
}

TEST(everything_in_a_large_table_is_found) {
    (void)state;
    enum { MANY = 1000 };
    static PbCategory many[MANY];
    static PbCategory *list[MANY];
    static char codes[MANY][8];
    for (size_t i = 0; i < MANY; i++) {
        snprintf(codes[i], sizeof codes[i], "C%05zu", i * 3);
        many[i].code = codes[i];
        list[i] = &many[i];
    }
    rules.categories = list;
    for (size_t size = 0; size < MANY; size += size < 20 ? 1 : 97) {
        rules.n_categories = size;
        for (size_t i = 0; i < MANY; i++)
            assert_ptr_equal(rules_category(&rules, slice_of(codes[i])), i < size ? &many[i] : NULL);
        assert_null(rules_category(&rules, SLICE("C00001")));
    }
}

/* ---- refusing ---------------------------------------------------------------------------------------------------- */

TEST(tables_are_sorted_and_each_name_is_there_once) {
    (void)state;
    categories[1] = &other, categories[2] = &rubble;
    refused("categories/E0103", "out of order");
    rubble.code = "E0101";
    refused("categories/E0101", "is there twice");
    calendars[0] = &spare, calendars[1] = &calendar;
    refused("calendars/china", "out of order");
    spare_book.name = "incident";
    refused("playbooks/incident", "is there twice");
    grid_worker.slug = "desk";
    refused("roles/desk", "is there twice");
    parties[0] = &worker, parties[1] = &desk_street;
    refused("parties/desk@610402006", "out of order");
    other.code = "E010000000000016";
    refused("categories/E010000000000016", "a name of 16 bytes; at most 15");
    litter.code = NULL;
    refused("categories", "has no name");
}

TEST(divisions_are_codes_in_order_whose_parents_are_there) {
    (void)state;
    divisions[0].code = 12345;
    refused("divisions/12345", "is not a division");
    divisions[2].code = 610402008;
    refused("divisions/610402007", "out of order");
    divisions[3].code = 610402006;
    refused("divisions/610402006", "is there twice");
    divisions[3].code = 610403001;
    refused("divisions/610403001", "has no parent: 610403");
    divisions[6].code = 610402006009001;
    refused("divisions/610402006009001", "has no parent: 610402006009");
    rules.district = 610403;
    refused("district", "610403 is not");
    rules.district = 610402006;
    refused("district", "is not a district");
    rules.district = 0, divisions[0].code = managed.by = 61;
    accepted();
}

TEST(a_manager_is_there_and_above_and_one_at_a_time) {
    (void)state;
    managed.division = 610402005;
    refused("managed_by/610402005", "is not a division that is there");
    managed.by = 610401;
    refused("managed_by/610402006", "managed by 610401");
    managed.by = 610402007;
    refused("managed_by/610402006", "of a higher level");
    managed.valid_to_ms = 10;
    refused("managed_by/610402006", "ends before it begins");
    managed.valid_to_ms = 21;
    refused("managed_by/610402006", "two managers");
    managed.valid_to_ms = 0;
    refused("managed_by/610402006", "two managers");
    managed.valid_from_ms = 21, managed.valid_to_ms = 22;
    refused("managed_by/610402006", "out of order");
    managed.division = 610402007;
    refused("managed_by/610402006", "out of order");
}

TEST(parties_refer_to_roles_and_divisions_that_are_there) {
    (void)state;
    worker.party = "grid-worker";
    refused("parties/grid-worker", "is not a party");
    worker.party = "grid-workers@610402006001003";
    refused("parties/grid-workers@610402006001003", "a role that is not there");
    worker.party = "grid-worker@610402006001004";
    refused("parties/grid-worker@610402006001004", "a division that is not there");
    desk_street.valid_to_ms = 100;
    refused("parties/desk@610402006", "ends before it begins");
    grid_worker.slug = "grid worker";
    refused("roles/grid worker", "is not a role");
    desk.level = (PbLevel)6;
    refused("roles/desk", "a level that does not exist");
    desk.kind = (PbRoleKind)7;
    refused("roles/desk", "a kind that does not exist");
}

TEST(categories_refer_to_what_is_there) {
    (void)state;
    litter.playbook = "nothing";
    refused("categories/E0101/playbook", "names nothing, which is not there");
    litter.playbook = NULL;
    refused("categories/E0101/playbook", "is missing");
    litter.parent = "nothing";
    refused("categories/E0101/parent", "which is not there");
    other.parent = "E0101";
    refused("categories/E0101/parent", "never comes to a top");
    duty_roles[0] = "nobody";
    refused("categories/E0101/inside/nobody", "is not a role that is there");
    inside.level = LEVEL_PROVINCE;
    refused("categories/E0101/inside", "above the city");
    litter.urgency = (PbUrgency)5;
    refused("categories/E0101", "an urgency");
    litter.wall = (PbWall)3;
    refused("categories/E0101", "a wall");
    sources[0] = "";
    refused("promise_sources", "has no name");
}

TEST(milestones_come_one_after_the_other) {
    (void)state;
    demolish.limit = &two_days;
    refused("categories/E0101/milestones/demolish", "after penalise");
    demolish.limit = &seven_days;
    refused("categories/E0101/milestones/demolish", "after penalise");
    demolish.name = "stop";
    refused("categories/E0101/milestones/stop", "is there twice");
    stop.name = "";
    refused("categories/E0101/milestones/1", "has no name");
    stop.limit = NULL;
    refused("categories/E0101/milestones/stop/limit", "is missing");
    four_hours.amount = 4001;
    refused("categories/E0101/milestones/stop/limit", "4001 of its unit, at most 4000");
    litter.n_milestones = MILESTONES_MAX + 1;
    refused("categories/E0101/milestones", "has more than 6");
    PbLimit day = {.unit = UNIT_CALENDAR_DAYS, .amount = 1}, minutes = {.unit = UNIT_CLOCK_MINUTES, .amount = 1440};
    stop.limit = &minutes, penalise.limit = &day;
    refused("categories/E0101/milestones/penalise", "after stop");
    minutes.amount--, stop.limit = &minutes, penalise.limit = &day;
    accepted();
    PbLimit week_long = {.unit = UNIT_WEEKS, .amount = 1}, counted = {.unit = UNIT_MILLISECONDS, .amount = 604800000};
    stop.limit = &week_long, penalise.limit = &counted;
    refused("categories/E0101/milestones/penalise", "after stop");
    counted.amount++, stop.limit = &week_long, penalise.limit = &counted;
    accepted();
}

TEST(a_desk_always_has_a_limit) {
    (void)state;
    litter.accept = NULL;
    refused("categories/E0101/accept", "stage street of incident lacks");
    litter.accept = NULL, street.desk = &two_hours;
    refused("categories/E0101/accept", "is missing");
    litter.accept = NULL, street.desk = street.accept = &two_hours;
    accepted();
    two_hours.unit = UNIT_NONE, street.desk = street.accept = NULL;
    refused("categories/E0101/accept", "is missing");
    two_hours.unit = UNIT_NONE;
    refused("categories/E0101/accept", "has no unit");
    rubble.promise = &(PbLimit){.unit = UNIT_MILLISECONDS, .amount = PROMISE_MS_MAX + 1};
    refused("categories/E0103/promise", "too long");
    rubble.promise = &(PbLimit){.unit = UNIT_MILLISECONDS, .amount = 0};
    accepted();
    rubble.has_evidence_min = 1, rubble.evidence_min = EVIDENCE_MAX + 1;
    refused("categories/E0103/evidence_min", "more than an answer may bring");
    rubble.evidence_min = EVIDENCE_MAX, rubble.extension = &(PbLimit){.unit = UNIT_WORK_DAYS, .amount = 0};
    refused("categories/E0103/extension", "is too short");
}

TEST(playbooks_are_checked_and_have_a_calendar) {
    (void)state;
    street.handling = NULL;
    refused("playbooks/incident/stages/street/handling", "is missing");
    book.calendar = "nothing";
    refused("playbooks/incident/calendar", "names nothing");
    book.calendar = "spare";
    accepted();
    rules.calendar = NULL;
    refused("calendar", "is missing");
    rules.calendar = "nothing";
    refused("calendar", "names nothing");
}

TEST(a_calendar_is_open_sometimes_and_in_order) {
    (void)state;
    calendar.n_week = 6;
    refused("calendars/china/week", "has 6 days");
    office.n_windows = 0;
    refused("calendars/china/week", "is never open");
    morning.close_minute = 510;
    refused("calendars/china/week/monday", "window 1 must open before it closes");
    afternoon.close_minute = 1441;
    refused("calendars/china/week/monday", "window 2 must open before it closes, by 24:00");
    afternoon.open_minute = 719;
    refused("calendars/china/week/monday", "window 2 opens before");
    afternoon.open_minute = 720, afternoon.close_minute = 1440;
    accepted();
    calendar.zone = "";
    refused("calendars/china/zone", "is missing");
    calendar.n_steps = 0;
    refused("calendars/china/steps", "is empty");
    east8.offset_s = 18 * 3600 + 1;
    refused("calendars/china/steps", "step 1 is more than 18 hours off");
    calendar.n_steps = 2, east9.from_ms = 0;
    refused("calendars/china/steps", "step 2 comes too early");
    PbZoneStep too_soon = {.from_ms = east9.from_ms + 1, .offset_s = 0};
    steps[2] = &too_soon, calendar.n_steps = 3, east8.offset_s = 12 * 3600;
    refused("calendars/china/steps", "step 3 comes too early");
    calendar.n_steps = 2;
    accepted();
}

TEST(dated_days_are_real_sorted_and_known) {
    (void)state;
    eve.date = 20260230;
    refused("calendars/china/days/20260230", "is not a date");
    eve.date = 20260215;
    refused("calendars/china/days/20260215", "is there twice");
    eve.date = 20260216;
    refused("calendars/china/days/20260215", "out of order");
    festival.date = 20270101;
    refused("calendars/china/days/20270101", "lies outside");
    calendar.first_date = 0;
    refused("calendars/china/first_date", "is not a date");
    calendar.last_date = 20261301;
    refused("calendars/china/last_date", "is not a date");
    calendar.last_date = 20251231;
    refused("calendars/china/last_date", "is before first_date");
    calendar.n_working_day = 0;
    refused("calendars/china/days/20260214", "without windows");
    festival.n_windows = 2, festival.windows = hours;
    refused("calendars/china/days/20260215", "is a day off and has windows");
    calendar.n_working_day = spare.n_working_day = 0, eve.n_windows = 2, eve.windows = hours;
    accepted();
}

TEST(a_path_that_is_too_long_is_cut_between_characters) {
    (void)state;
    struct rules_problem p;
    char name[3 * 100 + 1] = "";
    for (int i = 0; i < 100; i++)
        memcpy(name + 3 * i, "区", 4);
    book.name = name;
    assert_false(playbook_check(&book, &p));
    assert_true(utf8_valid(slice_of(p.path)));
    assert_true(strlen(p.path) > sizeof p.path - 4 && strlen(p.path) < sizeof p.path);
}

#define UNIT(name) cmocka_unit_test_setup(name, rules_that_are_right)

int main(void) {
    const struct CMUnitTest tests[] = {
        UNIT(what_is_there_is_found_and_nothing_else_is),
        UNIT(a_playbook_is_found_with_its_number),
        UNIT(a_party_is_known_while_it_is_valid),
        UNIT(everything_in_a_large_table_is_found),
        UNIT(tables_are_sorted_and_each_name_is_there_once),
        UNIT(divisions_are_codes_in_order_whose_parents_are_there),
        UNIT(a_manager_is_there_and_above_and_one_at_a_time),
        UNIT(parties_refer_to_roles_and_divisions_that_are_there),
        UNIT(categories_refer_to_what_is_there),
        UNIT(milestones_come_one_after_the_other),
        UNIT(a_desk_always_has_a_limit),
        UNIT(playbooks_are_checked_and_have_a_calendar),
        UNIT(a_calendar_is_open_sometimes_and_in_order),
        UNIT(dated_days_are_real_sorted_and_known),
        UNIT(a_path_that_is_too_long_is_cut_between_characters),
    };
    return cmocka_run_group_tests_name("rules", tests, NULL, NULL);
}
