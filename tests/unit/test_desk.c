/* test_desk.c: what desks do, as a table of stories: every row of the desks' table, every step of it, every way up. */
#include "lib/desk/desk.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { PARTIES = 12 };

/* A candidate: "k party", k one of w(orker) l(eader) d(esk) o(uter worker) p(department) v(erifier); capital: tried. */
struct story {
    const char *what;
    PbLevel level;
    PbWall wall;
    PbLevel duty;
    bool last_rung;
    const char *duty_roles[PARTIES], *candidates[PARTIES];

    enum desk_verb verb;
    PbCause cause;
    const char *asked[PARTIES];
};

#define COMMUNITY_ASKS "w grid-worker@610402001001001", "l grid-leader@610402001001", "d community-desk@610402001001"
#define STREET_DESK    "d street-desk@610402001"
#define DISTRICT_DESK  "d district-desk@610402"

static const struct story stories[] = {
    /* community */
    {"inside the wall the grid worker is asked", LEVEL_COMMUNITY, WALL_INSIDE, LEVEL_COMMUNITY, false, {0},
     {COMMUNITY_ASKS}, DESK_DISPATCH, CAUSE_DUTY, {"grid-worker@610402001001001"}},
    {"a place without a wall is treated as inside", LEVEL_COMMUNITY, WALL_UNKNOWN, LEVEL_COMMUNITY, false, {0},
     {COMMUNITY_ASKS}, DESK_DISPATCH, CAUSE_DUTY, {"grid-worker@610402001001001"}},
    {"after the grid worker the grid leader", LEVEL_COMMUNITY, WALL_INSIDE, LEVEL_COMMUNITY, false, {0},
     {"W grid-worker@1", "l grid-leader@2", "d community-desk@3"}, DESK_DISPATCH, CAUSE_DUTY, {"grid-leader@2"}},
    {"after both the desk itself", LEVEL_COMMUNITY, WALL_INSIDE, LEVEL_COMMUNITY, false, {0},
     {"W grid-worker@1", "L grid-leader@2", "d community-desk@3"}, DESK_DISPATCH, CAUSE_DUTY, {"community-desk@3"}},
    {"the order is the table's, not the offer's", LEVEL_COMMUNITY, WALL_INSIDE, LEVEL_COMMUNITY, false, {0},
     {"d community-desk@3", "l grid-leader@2", "w grid-worker@1"}, DESK_DISPATCH, CAUSE_DUTY, {"grid-worker@1"}},
    {"a grid without a worker is led", LEVEL_COMMUNITY, WALL_INSIDE, LEVEL_COMMUNITY, false, {0},
     {"l grid-leader@2", "d community-desk@3"}, DESK_DISPATCH, CAUSE_DUTY, {"grid-leader@2"}},
    {"all tried goes up", LEVEL_COMMUNITY, WALL_INSIDE, LEVEL_COMMUNITY, false, {0},
     {"W grid-worker@1", "L grid-leader@2", "D community-desk@3"}, DESK_ESCALATE, CAUSE_NOBODY_TO_ASK, {0}},
    {"nobody there goes up", LEVEL_COMMUNITY, WALL_INSIDE, LEVEL_COMMUNITY, false, {0}, {0},
     DESK_ESCALATE, CAUSE_NOBODY_TO_ASK, {0}},
    {"outside the wall goes up at once", LEVEL_COMMUNITY, WALL_OUTSIDE, LEVEL_COMMUNITY, false, {0}, {COMMUNITY_ASKS},
     DESK_ESCALATE, CAUSE_OUTSIDE_WALL, {0}},
    {"the street's duty goes up at once", LEVEL_COMMUNITY, WALL_INSIDE, LEVEL_STREET, false, {0}, {COMMUNITY_ASKS},
     DESK_ESCALATE, CAUSE_NOT_OUR_DUTY, {0}},
    {"of both reasons the wall is told", LEVEL_COMMUNITY, WALL_OUTSIDE, LEVEL_DISTRICT, false, {0}, {COMMUNITY_ASKS},
     DESK_ESCALATE, CAUSE_OUTSIDE_WALL, {0}},
    {"a community asks no department", LEVEL_COMMUNITY, WALL_INSIDE, LEVEL_COMMUNITY, false, {"dept-property"},
     {"p dept-property@2"}, DESK_ESCALATE, CAUSE_NOBODY_TO_ASK, {0}},

    /* street */
    {"the street asks the department of the duty row", LEVEL_STREET, WALL_OUTSIDE, LEVEL_STREET, false, {"dept-law"},
     {"o outer-worker@610402001", "p dept-law@610402001", STREET_DESK}, DESK_DISPATCH, CAUSE_DUTY,
     {"dept-law@610402001"}},
    {"of two departments the street asks the first", LEVEL_STREET, WALL_OUTSIDE, LEVEL_STREET, false,
     {"dept-law", "dept-water"}, {"p dept-water@1", "p dept-law@1", STREET_DESK}, DESK_DISPATCH, CAUSE_DUTY,
     {"dept-law@1"}},
    {"and then the second", LEVEL_STREET, WALL_OUTSIDE, LEVEL_STREET, false, {"dept-law", "dept-water"},
     {"P dept-law@1", "p dept-water@1", STREET_DESK}, DESK_DISPATCH, CAUSE_DUTY, {"dept-water@1"}},
    {"a department that the row does not name is not asked", LEVEL_STREET, WALL_OUTSIDE, LEVEL_STREET, false,
     {"dept-law"}, {"p dept-lawn@1", "p dept@1", "o outer-worker@1", STREET_DESK}, DESK_DISPATCH, CAUSE_DUTY,
     {"outer-worker@1"}},
    {"without a department the outer-grid worker", LEVEL_STREET, WALL_OUTSIDE, LEVEL_STREET, false, {0},
     {"p dept-law@1", "o outer-worker@1", STREET_DESK}, DESK_DISPATCH, CAUSE_DUTY, {"outer-worker@1"}},
    {"what came up from inside a wall is no different", LEVEL_STREET, WALL_INSIDE, LEVEL_COMMUNITY, false, {0},
     {"o outer-worker@1", STREET_DESK}, DESK_DISPATCH, CAUSE_DUTY, {"outer-worker@1"}},
    {"after them the street's desk", LEVEL_STREET, WALL_OUTSIDE, LEVEL_STREET, false, {"dept-law"},
     {"P dept-law@1", "O outer-worker@1", STREET_DESK}, DESK_DISPATCH, CAUSE_DUTY, {"street-desk@610402001"}},
    {"the district's duty goes up", LEVEL_STREET, WALL_OUTSIDE, LEVEL_DISTRICT, false, {"dept-law"},
     {"p dept-law@1", STREET_DESK}, DESK_ESCALATE, CAUSE_NOT_OUR_DUTY, {0}},
    {"the street's end is up", LEVEL_STREET, WALL_OUTSIDE, LEVEL_STREET, false, {"dept-law"},
     {"P dept-law@1", "O outer-worker@1", "D street-desk@1"}, DESK_ESCALATE, CAUSE_NOBODY_TO_ASK, {0}},

    /* district */
    {"the district asks all departments, the first leads", LEVEL_DISTRICT, WALL_OUTSIDE, LEVEL_DISTRICT, false,
     {"dept-land", "dept-law"}, {"p dept-law@610402", "p dept-land@610402", DISTRICT_DESK}, DESK_DISPATCH, CAUSE_DUTY,
     {"dept-land@610402", "dept-law@610402"}},
    {"those that were tried are left out", LEVEL_DISTRICT, WALL_OUTSIDE, LEVEL_DISTRICT, false,
     {"dept-land", "dept-law"}, {"P dept-land@1", "p dept-law@1", DISTRICT_DESK}, DESK_DISPATCH, CAUSE_DUTY,
     {"dept-law@1"}},
    {"nobody is named twice", LEVEL_DISTRICT, WALL_OUTSIDE, LEVEL_DISTRICT, false, {"dept-law", "dept-law"},
     {"p dept-law@1", "p dept-law@1", "p dept-law@2", DISTRICT_DESK}, DESK_DISPATCH, CAUSE_DUTY,
     {"dept-law@1", "dept-law@2"}},
    {"eight is the most", LEVEL_DISTRICT, WALL_OUTSIDE, LEVEL_DISTRICT, false, {"d"},
     {"p d@1", "p d@2", "p d@3", "p d@4", "p d@5", "p d@6", "p d@7", "p d@8", "p d@9"}, DESK_DISPATCH, CAUSE_DUTY,
     {"d@1", "d@2", "d@3", "d@4", "d@5", "d@6", "d@7", "d@8"}},
    {"else the district's desk", LEVEL_DISTRICT, WALL_OUTSIDE, LEVEL_DISTRICT, false, {"dept-land"},
     {"P dept-land@1", "v district-verifier@1", DISTRICT_DESK}, DESK_DISPATCH, CAUSE_DUTY, {"district-desk@610402"}},
    {"the city's duty goes up", LEVEL_DISTRICT, WALL_OUTSIDE, LEVEL_CITY, false, {"dept-land"},
     {"p dept-land@1", DISTRICT_DESK}, DESK_ESCALATE, CAUSE_NOT_OUR_DUTY, {0}},
    {"the district's end is up, where there is an up", LEVEL_DISTRICT, WALL_OUTSIDE, LEVEL_DISTRICT, false, {0},
     {"D district-desk@1"}, DESK_ESCALATE, CAUSE_NOBODY_TO_ASK, {0}},

    /* the last rung */
    {"on the last rung the desk is asked again", LEVEL_DISTRICT, WALL_OUTSIDE, LEVEL_DISTRICT, true, {"dept-land"},
     {"P dept-land@1", "D district-desk@1"}, DESK_DISPATCH, CAUSE_DUTY, {"district-desk@1"}},
    {"once, however many there are", LEVEL_DISTRICT, WALL_OUTSIDE, LEVEL_DISTRICT, true, {0},
     {"D district-desk@1", "D district-desk@2"}, DESK_DISPATCH, CAUSE_DUTY, {"district-desk@1"}},
    {"without a desk there it is tried later", LEVEL_DISTRICT, WALL_OUTSIDE, LEVEL_DISTRICT, true, {"dept-land"},
     {"P dept-land@1"}, DESK_RETRY, CAUSE_NOBODY_TO_ASK, {0}},
    {"nothing is sent up from it: not what is outside", LEVEL_COMMUNITY, WALL_OUTSIDE, LEVEL_COMMUNITY, true, {0},
     {COMMUNITY_ASKS}, DESK_DISPATCH, CAUSE_DUTY, {"grid-worker@610402001001001"}},
    {"nor what is another's duty", LEVEL_STREET, WALL_INSIDE, LEVEL_DISTRICT, true, {0}, {STREET_DESK}, DESK_DISPATCH,
     CAUSE_DUTY, {"street-desk@610402001"}},
    {"and others are asked first there, too", LEVEL_DISTRICT, WALL_OUTSIDE, LEVEL_DISTRICT, true, {"dept-land"},
     {"p dept-land@1", "D district-desk@1"}, DESK_DISPATCH, CAUSE_DUTY, {"dept-land@1"}},
};

static PbRoleKind kind_of(char letter) {
    static const char letters[] = "wldopv";
    static const PbRoleKind kinds[] = {
        ROLE_GRID_WORKER, ROLE_GRID_LEADER, ROLE_DESK, ROLE_OUTER_WORKER, ROLE_DEPARTMENT, ROLE_VERIFIER,
    };
    const char *at = strchr(letters, letter | 0x20);
    assert_non_null(at);
    return kinds[at - letters];
}

static void desks_do_what_the_table_says(void **state) {
    (void)state;
    for (size_t s = 0; s < COUNT_OF(stories); s++) {
        const struct story *story = &stories[s];
        PbPlace place = {.has_wall = story->wall != WALL_UNKNOWN, .wall = story->wall};
        PbCaseView view = {.place = &place};
        PbCandidate candidates[PARTIES] = {0}, *pointers[PARTIES];
        PbOffer offer = {
            .case_view = &view, .has_duty_level = true, .duty_level = story->duty, .candidates = pointers,
            .duty_roles = (char **)(uintptr_t)story->duty_roles, .has_last_rung = true, .last_rung = story->last_rung,
        };
        while (offer.n_duty_roles < PARTIES && story->duty_roles[offer.n_duty_roles] != NULL)
            offer.n_duty_roles++;
        for (size_t i = 0; i < PARTIES && story->candidates[i] != NULL; i++) {
            const char *word = story->candidates[i];
            bool tried = word[0] < 'a';
            candidates[i] = (PbCandidate){
                .party = (char *)(uintptr_t)(word + 2), .has_kind = true, .kind = kind_of(word[0]), .has_tried = tried,
                .tried = tried,
            };
            pointers[offer.n_candidates++] = &candidates[i];
        }

        struct desk_decision d;
        print_message("%s\n", story->what);
        desk_decide(story->level, &offer, &d);
        assert_int_equal(d.verb, story->verb);
        assert_int_equal(d.cause, story->cause);
        for (unsigned i = 0; i < d.parties_count; i++) {
            assert_non_null(story->asked[i]);
            assert_string_equal(d.parties[i], story->asked[i]);
        }
        assert_null(story->asked[d.parties_count]);
    }
}

/* A street's offer: dept-law is its duty; dept-water came into it by a return. */
static void what_came_back_goes_to_whom_the_return_named(void **state) {
    (void)state;
    const struct {
        const char *what, *proposed;
        bool ruling, tried, last_rung;
        PbLevel duty;
        const char *asked;
    } returns[] = {
        {"whom the return named", "dept-water@610402001", false, false, false, LEVEL_STREET, "dept-water@610402001"},
        {"who was tried is not asked again", "dept-water@610402001", false, true, false, LEVEL_STREET,
         "dept-law@610402001"},
        {"nor one that is no candidate", "dept-land@610402", false, false, false, LEVEL_STREET, "dept-law@610402001"},
        {"even what another level's duty is", "dept-water@610402001", false, false, false, LEVEL_DISTRICT,
         "dept-water@610402001"},
        {"a ruling names whose duty it is", "dept-law@610402001", true, true, false, LEVEL_STREET,
         "dept-law@610402001"},
        {"else the territory", "dept-water@610402001", true, false, false, LEVEL_STREET, "community-desk@610402001001"},
        {"and where nobody was named", NULL, true, false, true, LEVEL_DISTRICT, "community-desk@610402001001"},
    };
    for (size_t i = 0; i < COUNT_OF(returns); i++) {
        PbCandidate candidates[] = {
            {.party = (char *)"dept-law@610402001", .has_kind = true, .kind = ROLE_DEPARTMENT},
            {.party = (char *)"street-desk@610402001", .has_kind = true, .kind = ROLE_DESK},
            {.party = (char *)"dept-water@610402001", .has_kind = true, .kind = ROLE_DEPARTMENT, .has_tried = true,
             .tried = returns[i].tried},
            {.party = (char *)"community-desk@610402001001", .has_kind = true, .kind = ROLE_DESK},
        };
        PbCandidate *pointers[] = {&candidates[0], &candidates[1], &candidates[2], &candidates[3]};
        char *duty_roles[] = {(char *)"dept-law"};
        PbOffer offer = {
            .has_duty_level = true, .duty_level = returns[i].duty, .n_duty_roles = 1, .duty_roles = duty_roles,
            .n_candidates = COUNT_OF(pointers), .candidates = pointers, .has_last_rung = true,
            .last_rung = returns[i].last_rung, .proposed = (char *)(uintptr_t)returns[i].proposed,
            .has_arbitrating = returns[i].ruling, .arbitrating = returns[i].ruling,
        };
        struct desk_decision d;
        print_message("%s\n", returns[i].what);
        desk_decide(LEVEL_STREET, &offer, &d);
        assert_int_equal(d.verb, DESK_DISPATCH);
        assert_int_equal(d.parties_count, 1);
        assert_string_equal(d.parties[0], returns[i].asked);
    }
}

static void a_ruling_without_anybody_to_name_is_sent_up(void **state) {
    (void)state;
    PbOffer offer = {.has_arbitrating = true, .arbitrating = true, .proposed = (char *)"dept-law@610402001"};
    struct desk_decision d;
    desk_decide(LEVEL_STREET, &offer, &d);
    assert_int_equal(d.verb, DESK_ESCALATE);
    assert_int_equal(d.cause, CAUSE_NOBODY_TO_ASK);
}

static void an_offer_that_says_nothing_goes_up(void **state) {
    (void)state;
    PbCandidate nobody = {.has_kind = true, .kind = ROLE_DESK}, *candidates[] = {&nobody};
    PbCaseView nowhere = {.place = NULL};
    const PbOffer offers[] = {
        {.case_view = NULL}, {.case_view = &nowhere}, {.n_candidates = 1, .candidates = candidates},
    };
    for (size_t i = 0; i < COUNT_OF(offers); i++) {
        struct desk_decision d;
        desk_decide(LEVEL_COMMUNITY, &offers[i], &d);
        assert_int_equal(d.verb, DESK_ESCALATE);
        assert_int_equal(d.cause, CAUSE_NOBODY_TO_ASK);
        assert_int_equal(d.parties_count, 0);
    }
}

static void three_levels_have_desks(void **state) {
    (void)state;
    for (int level = LEVEL_GRID; level <= LEVEL_PROVINCE; level++)
        assert_int_equal(desk_serves((PbLevel)level), level >= LEVEL_COMMUNITY && level <= LEVEL_DISTRICT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(desks_do_what_the_table_says),
        cmocka_unit_test(what_came_back_goes_to_whom_the_return_named),
        cmocka_unit_test(a_ruling_without_anybody_to_name_is_sent_up),
        cmocka_unit_test(an_offer_that_says_nothing_goes_up),
        cmocka_unit_test(three_levels_have_desks),
    };
    return cmocka_run_group_tests_name("desk", tests, NULL, NULL);
}
