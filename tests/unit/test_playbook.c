/* A playbook that could leave a case alone, or never end, is refused; and the place that is wrong is named. */
#include "daemon/kernel/kernel.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { COMMUNITY = 1, STREET = 2, DISTRICT = 3, VERIFY = 4, STAGES = 4 };

static PbLimit one_hour, two_days, five_days, twenty_days, endless;
static PbTally first;
static PbStage stage[STAGES_MAX + 2], *list[STAGES_MAX + 2];     /* stage[n] has number n */
static PbPlaybook book;

static int a_playbook_that_is_right(void **state) {
    (void)state;
    one_hour = (PbLimit){.unit = UNIT_WORK_HOURS, .amount = 1};
    two_days = (PbLimit){.unit = UNIT_WORK_DAYS, .amount = 2};
    five_days = (PbLimit){.unit = UNIT_WORK_DAYS, .amount = 5};
    twenty_days = (PbLimit){.unit = UNIT_WORK_DAYS, .amount = 20};
    endless = (PbLimit){.unit = UNIT_WORK_DAYS, .amount = 501};
    first = (PbTally){.kind = TALLY_FIRST};
    const PbStage rung = {.kind = STAGE_HANDLE, .tally = &first, .desk = &one_hour, .accept = &one_hour,
        .handling = &two_days, .remind_percent = 80, .attempts_max = 3, .offers_max = 3, .on_done = VERIFY};
    memset(stage, 0, sizeof stage);
    stage[COMMUNITY] = rung, stage[STREET] = rung, stage[DISTRICT] = rung;
    stage[COMMUNITY].name = "community", stage[COMMUNITY].level = LEVEL_COMMUNITY, stage[COMMUNITY].on_overdue = STREET;
    stage[STREET].name = "street", stage[STREET].level = LEVEL_STREET, stage[STREET].on_overdue = DISTRICT;
    stage[DISTRICT].name = "district", stage[DISTRICT].level = LEVEL_DISTRICT;
    stage[DISTRICT].supervise_first = &five_days, stage[DISTRICT].supervise_most = &twenty_days;
    stage[VERIFY] = (PbStage){.name = "verify", .kind = STAGE_VERIFY, .level = LEVEL_STREET, .handling = &two_days,
        .loops_max = 2, .supervise_first = &five_days, .supervise_most = &twenty_days};
    for (size_t i = 0; i < COUNT_OF(list); i++)
        list[i] = &stage[(i + 1) % COUNT_OF(stage)];
    book = (PbPlaybook){.name = "incident", .n_stages = STAGES, .stages = list};
    return 0;
}

static void accepted(void) {
    struct rules_problem p;
    memset(&p, 'x', sizeof p);
    if (!playbook_check(&book, &p))
        fail_msg("%s: %s", p.path, p.what);
    assert_string_equal(p.path, "");
}

static void refused(const char *path, const char *words) {
    struct rules_problem p;
    memset(&p, 'x', sizeof p);
    assert_false(playbook_check(&book, &p));
    assert_string_equal(p.path, path);
    if (!strstr(p.what, words))
        fail_msg("\"%s\" does not say \"%s\"", p.what, words);
}

#define TEST(name) static void name(void **state)
#define AT "playbooks/incident/stages/"

TEST(a_ladder_with_a_verifier_is_accepted) {
    (void)state;
    accepted();
    stage[VERIFY].on_declined = COMMUNITY;
    accepted();
    stage[DISTRICT].on_done = 0, stage[COMMUNITY].on_declined = DISTRICT;
    accepted();
    first.kind = TALLY_COUNT, first.count = CASE_ASKS_MAX;
    accepted();
}

TEST(one_rung_that_closes_by_itself_is_a_playbook) {
    (void)state;
    book.n_stages = 1;
    stage[1] = stage[DISTRICT];
    stage[1].on_done = 0, stage[1].tally = NULL, stage[1].desk = stage[1].accept = NULL;
    accepted();
}

TEST(it_has_1_to_16_stages) {
    (void)state;
    book.n_stages = 0;
    refused("playbooks/incident/stages", "is 0, not 1 to 16");
    book.n_stages = STAGES_MAX + 1;
    refused("playbooks/incident/stages", "is 17, not 1 to 16");
    static char names[STAGES_MAX + 1][3];
    for (uint32_t n = 1; n <= STAGES_MAX; n++) {
        names[n][0] = (char)('a' + n);
        stage[n] = stage[n < STAGES_MAX ? STREET : DISTRICT];
        stage[n].name = names[n], stage[n].level = LEVEL_STREET, stage[n].on_done = 0,
        stage[n].on_overdue = n < STAGES_MAX ? n + 1 : 0;
    }
    stage[STAGES_MAX].supervise_first = &five_days, stage[STAGES_MAX].supervise_most = &twenty_days;
    book.n_stages = STAGES_MAX;
    accepted();
}

TEST(names_are_there_and_differ) {
    (void)state;
    stage[STREET].name = NULL;
    refused(AT "2", "has no name");
    stage[STREET].name = "community";
    refused(AT "community", "is there twice");
    stage[STREET].name = "a-name-of-forty-eight-bytes-is-one-byte-too-long";
    refused(AT "a-name-of-forty-eight-bytes-is-one-byte-too-long", "has a name of 48 bytes; at most 47");
    book.name = "";
    refused("playbooks", "has no name");
}

TEST(a_stage_that_cannot_be_reached_is_refused) {
    (void)state;
    stage[COMMUNITY].on_done = stage[STREET].on_done = stage[DISTRICT].on_done = 0;
    refused(AT "verify", "cannot be reached");
    a_playbook_that_is_right(NULL);
    stage[STREET].level = LEVEL_COMMUNITY;                  /* no report starts there any more ... */
    accepted();                                             /* ... but the community leads to it */
    stage[COMMUNITY].on_overdue = DISTRICT;
    refused(AT "street", "cannot be reached");
}

TEST(a_stage_where_a_report_may_start_is_reached) {
    (void)state;
    stage[COMMUNITY].on_overdue = DISTRICT;       /* nothing leads to the street; a place of nine digits starts there */
    accepted();
}

TEST(a_city_rung_is_reached_only_by_escalation) {
    (void)state;
    stage[DISTRICT].level = LEVEL_CITY;
    accepted();
    stage[STREET].level = LEVEL_DISTRICT, stage[STREET].on_overdue = DISTRICT;
    accepted();
    book.n_stages = 5;
    stage[5] = stage[DISTRICT], stage[5].name = "city-again";
    refused(AT "district/on_overdue", "leads nowhere");
    stage[DISTRICT].on_overdue = 5;
    accepted();
    stage[STREET].on_overdue = 5;
    refused(AT "district", "cannot be reached");
}

TEST(a_timeout_that_leads_nowhere_is_refused) {
    (void)state;
    stage[STREET].on_overdue = 0;
    refused(AT "street/on_overdue", "leads nowhere");
    stage[STREET].supervise_first = &five_days, stage[STREET].supervise_most = &twenty_days;
    refused(AT "street/on_overdue", "only the last rung");
}

TEST(the_last_rung_is_supervised) {
    (void)state;
    stage[DISTRICT].supervise_first = NULL;
    refused(AT "district/supervise_first", "is missing");
    stage[DISTRICT].supervise_first = &five_days, stage[DISTRICT].supervise_most = NULL;
    refused(AT "district/supervise_most", "is missing");
    stage[DISTRICT].supervise_most = &one_hour;
    refused(AT "district/supervise_most", "must have the unit");
    stage[DISTRICT].supervise_most = &two_days;
    refused(AT "district/supervise_most", "is shorter");
    five_days.amount = 0;
    refused(AT "district/supervise_first", "too short");
    a_playbook_that_is_right(NULL);
    stage[VERIFY].supervise_first = NULL;
    refused(AT "verify/supervise_first", "is missing");
}

TEST(an_endless_loop_is_refused) {
    (void)state;
    stage[STREET].on_overdue = COMMUNITY;
    refused(AT "street/on_overdue", "leads back to community: an endless loop");
    stage[STREET].on_overdue = STREET;
    refused(AT "street/on_overdue", "an endless loop");
    stage[STREET].on_overdue = DISTRICT, stage[STREET].on_declined = STREET;
    refused(AT "street/on_declined", "an endless loop");
    stage[STREET].on_declined = 0, stage[DISTRICT].on_overdue = COMMUNITY;
    refused(AT "district/on_overdue", "an endless loop");
    stage[DISTRICT].on_overdue = 0, stage[STREET].on_done = COMMUNITY;
    refused(AT "street/on_done", "must lead to a verify stage or close");
}

TEST(rework_is_counted_from_1_to_9) {
    (void)state;
    stage[VERIFY].loops_max = 0;
    refused(AT "verify/loops_max", "is 0, not 1 to 9");
    stage[VERIFY].loops_max = 10;
    refused(AT "verify/loops_max", "is 10, not 1 to 9");
    stage[VERIFY].loops_max = 9;
    accepted();
}

TEST(what_is_verified_is_over) {
    (void)state;
    stage[VERIFY].on_done = STREET;
    refused(AT "verify/on_done", "must close the case");
    stage[VERIFY].on_done = 0, stage[VERIFY].on_overdue = DISTRICT;
    refused(AT "verify/on_overdue", "by itself");
    stage[VERIFY].on_overdue = 0, stage[VERIFY].on_declined = VERIFY;
    refused(AT "verify/on_declined", "must lead to a handling stage");
}

TEST(a_way_to_a_stage_that_does_not_exist_is_refused) {
    (void)state;
    stage[STREET].on_overdue = 5;
    refused(AT "street/on_overdue", "does not exist");
    stage[STREET].on_overdue = DISTRICT, stage[STREET].on_done = UINT32_MAX;
    refused(AT "street/on_done", "does not exist");
    stage[STREET].on_done = VERIFY, stage[STREET].on_declined = 5;
    refused(AT "street/on_declined", "does not exist");
    stage[STREET].on_declined = VERIFY;
    refused(AT "street/on_declined", "nothing is done yet");
    stage[STREET].on_declined = 0, stage[VERIFY].on_declined = 9;
    refused(AT "verify/on_declined", "does not exist");
}

TEST(every_stage_has_a_handling_limit) {
    (void)state;
    for (uint32_t n = 1; n <= STAGES; n++) {
        char path[64];
        a_playbook_that_is_right(NULL);
        stage[n].handling = NULL;
        snprintf(path, sizeof path, AT "%s/handling", stage[n].name);
        refused(path, "is missing");
    }
}

TEST(limits_are_in_range) {
    (void)state;
    stage[STREET].handling = &endless;
    refused(AT "street/handling", "501 of its unit, at most 500");
    stage[STREET].handling = &two_days, stage[STREET].desk = &endless;
    refused(AT "street/desk", "too long");
    stage[STREET].desk = NULL, stage[STREET].accept = &endless;
    refused(AT "street/accept", "too long");
    endless = (PbLimit){.unit = UNIT_NONE, .amount = 1};
    refused(AT "street/accept", "has no unit");
    endless = (PbLimit){.unit = UNIT_WORK_DAYS, .amount = -1};
    refused(AT "street/accept", "too short");
    stage[STREET].accept = NULL;
    accepted();
}

TEST(numbers_are_in_range) {
    (void)state;
    stage[STREET].remind_percent = 100;
    refused(AT "street/remind_percent", "is 100, not 0 to 99");
    stage[STREET].remind_percent = 0, stage[STREET].attempts_max = 101;
    refused(AT "street/attempts_max", "is 101");
    stage[STREET].attempts_max = 100, stage[STREET].offers_max = 101;
    refused(AT "street/offers_max", "is 101");
    stage[STREET].offers_max = 100, stage[STREET].level = LEVEL_PROVINCE;
    refused(AT "street/level", "is 5, not 0 to 4");
    stage[STREET].level = LEVEL_STREET, stage[STREET].kind = (PbStageKind)2;
    refused(AT "street/kind", "neither");
}

TEST(a_count_is_one_that_the_asked_can_reach) {
    (void)state;
    first.kind = TALLY_COUNT;
    refused(AT "community/tally/count", "is 0, not 1 to 16");
    first.count = CASE_ASKS_MAX + 1;
    refused(AT "community/tally/count", "is 17, not 1 to 16");
    first.kind = (PbTallyKind)3;
    refused(AT "community/tally", "is not one of");
    first.kind = TALLY_ALL;
    accepted();
}

TEST(levels_never_fall_from_one_rung_to_the_next) {
    (void)state;
    stage[STREET].level = LEVEL_GRID;
    refused(AT "street/level", "is lower than that of community");
    stage[STREET].level = LEVEL_COMMUNITY, stage[VERIFY].level = LEVEL_GRID;      /* a verifier is not a rung */
    accepted();
}

TEST(the_first_stage_is_one_that_handles) {
    (void)state;
    PbStage *verify = list[3];
    list[3] = list[0], list[0] = verify;
    refused(AT "verify", "comes first");
}

TEST(how_often_one_may_leave_the_main_way_is_in_range) {
    (void)state;
    static const struct { const char *name; size_t is, has; uint32_t least, most; } numbers[] = {
#define N(name, least, most) {#name, offsetof(PbPlaybook, name), offsetof(PbPlaybook, has_##name), least, most}
        N(returns_max, 1, 9), N(extensions_max, 0, 9), N(extensions_percent, 1, 1000), N(suspensions_max, 0, 9),
        N(reopens_max, 0, 9), N(delegations_max, 0, 9),
#undef N
    };
    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        uint32_t *n = (uint32_t *)((char *)&book + numbers[i].is);
        char path[64];
        (void)snprintf(path, sizeof path, "playbooks/incident/%s", numbers[i].name);
        *(protobuf_c_boolean *)((char *)&book + numbers[i].has) = true;
        *n = numbers[i].most + 1;
        refused(path, "not");
        *n = numbers[i].most;
        accepted();
        *n = numbers[i].least;
        accepted();
    }
}

#define UNIT(name) cmocka_unit_test_setup(name, a_playbook_that_is_right)

int main(void) {
    const struct CMUnitTest tests[] = {
        UNIT(a_ladder_with_a_verifier_is_accepted),
        UNIT(one_rung_that_closes_by_itself_is_a_playbook),
        UNIT(it_has_1_to_16_stages),
        UNIT(names_are_there_and_differ),
        UNIT(a_stage_that_cannot_be_reached_is_refused),
        UNIT(a_stage_where_a_report_may_start_is_reached),
        UNIT(a_city_rung_is_reached_only_by_escalation),
        UNIT(a_timeout_that_leads_nowhere_is_refused),
        UNIT(the_last_rung_is_supervised),
        UNIT(an_endless_loop_is_refused),
        UNIT(rework_is_counted_from_1_to_9),
        UNIT(what_is_verified_is_over),
        UNIT(a_way_to_a_stage_that_does_not_exist_is_refused),
        UNIT(every_stage_has_a_handling_limit),
        UNIT(limits_are_in_range),
        UNIT(numbers_are_in_range),
        UNIT(a_count_is_one_that_the_asked_can_reach),
        UNIT(levels_never_fall_from_one_rung_to_the_next),
        UNIT(the_first_stage_is_one_that_handles),
        UNIT(how_often_one_may_leave_the_main_way_is_in_range),
    };
    return cmocka_run_group_tests_name("playbook", tests, NULL, NULL);
}
