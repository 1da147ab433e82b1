/* test_config.c: both sets of config/ are right, and the same files are the same bytes. */
#include "tests/unit/config_scratch.h"
#include "daemon/kernel/kernel.h"
#include "lib/codec/codec.h"
#include <string.h>

/* ---- the two sets ---------------------------------------------------------------------------------------------- */

static void both_sets_are_read_and_pass_every_check(void **state) {
    struct rules_problem problem;
    (void)state;
    assert_true(rules_check(loaded("config/qindu"), &problem));
    assert_true(rules_check(loaded("config/drill"), &problem));
}

static void gudu_street_has_the_243_grids_of_the_source(void **state) {
    PbRules *rules = loaded("config/qindu");
    size_t grids = 0, all = 0, communities = 0;
    (void)state;
    for (size_t i = 0; i < rules->n_divisions; i++) {
        uint64_t code = rules->divisions[i]->code;
        grids += division_digits(code) == 15 && division_covers(610402006, code);
        all += division_digits(code) == 15;
        communities += division_digits(code) == 12;
    }
    assert_int_equal(grids, 243);
    assert_int_equal(communities, 186);
    assert_int_equal(all, 186 * 17 + 5);
    assert_string_equal(rules_division(rules, 610402006001018)->name_zh, "珠泉社区居委会第18网格");
    assert_null(rules_division(rules, 610402006006018));
}

static void every_grid_has_a_grid_worker_and_every_street_a_desk(void **state) {
    PbRules *rules = loaded("config/qindu");
    (void)state;
    for (size_t i = 0; i < rules->n_divisions; i++) {
        char party[PARTY_BYTES_MAX + 1];
        uint64_t code = rules->divisions[i]->code;
        unsigned digits = division_digits(code);
        if (digits != 15 && digits != 9)
            continue;
        const char *role = digits == 15 ? "grid-worker" : "street-desk";
        party_print(party, role, code);
        assert_non_null(rules_party(rules, slice_of(party), 0));
    }
    assert_string_equal(rules_party(rules, SLICE("street-desk@610402006"), 0)->name_zh, "古渡街道 街道值守席");
}

static void there_are_74_categories_and_158_in_the_drill(void **state) {
    (void)state;
    assert_int_equal(loaded("config/qindu")->n_categories, 74);
    assert_int_equal(loaded("config/drill")->n_categories, 158);
}

static const PbCategory *category(const PbRules *rules, const char *code) {
    const PbCategory *c = rules_category(rules, slice_of(code));
    assert_non_null(c);
    return c;
}

static void the_wall_decides_who_is_responsible(void **state) {
    PbRules *rules = loaded("config/qindu");
    const PbCategory *garbage = category(rules, "E0102"), *illegal = category(rules, "E0101");
    (void)state;
    assert_int_equal(garbage->inside->level, LEVEL_COMMUNITY);
    assert_int_equal(garbage->inside->n_roles, 1);
    assert_string_equal(garbage->inside->roles[0], "dept-property");
    assert_int_equal(garbage->outside->level, LEVEL_STREET);
    assert_int_equal(garbage->outside->n_roles, 1);
    assert_string_equal(garbage->outside->roles[0], "dept-sanitation");
    assert_int_equal(illegal->inside->level, LEVEL_STREET);
    assert_int_equal(illegal->outside->n_roles, 3);
    assert_string_equal(illegal->outside->roles[0], "dept-enforcement");
    assert_string_equal(illegal->outside->roles[2], "dept-housing");
}

static void a_category_keeps_its_milestones_and_marks(void **state) {
    PbRules *rules = loaded("config/qindu");
    const PbCategory *illegal = category(rules, "E0101");
    size_t sensitive = 0;
    (void)state;
    assert_int_equal(illegal->n_milestones, 3);
    assert_string_equal(illegal->milestones[1]->name, "penalise");
    assert_int_equal(illegal->milestones[2]->limit->unit, UNIT_WORK_DAYS);
    assert_int_equal(illegal->milestones[2]->limit->amount, 20);
    assert_int_equal(illegal->accept->unit, UNIT_WORK_HOURS);
    for (size_t i = 0; i < rules->n_categories; i++)
        sensitive += (size_t)rules->categories[i]->sensitive;
    assert_int_equal(sensitive, 4);
    assert_true(category(rules, "X2401")->sensitive);
    assert_true(category(rules, "E0102")->self_handled);
    assert_false(category(rules, "X2101")->self_handled);      /* urgency I */
    assert_false(category(rules, "E0105")->self_handled);      /* the district's */
}

static void fifteen_types_of_the_drill_have_a_promise_of_their_own(void **state) {
    PbRules *rules = loaded("config/drill");
    size_t promises = 0;
    (void)state;
    for (size_t i = 0; i < rules->n_categories; i++) {
        const PbCategory *c = rules->categories[i];
        assert_true(c->self_handled);
        assert_int_equal(c->inside->level, LEVEL_COMMUNITY);
        assert_int_equal(c->outside->level, LEVEL_STREET);
        promises += c->promise != NULL;
        if (strcmp(c->name_en, "Rodent Activity") == 0)
            assert_true(c->promise->unit == UNIT_CLOCK_HOURS && c->promise->amount == 720);
        if (strcmp(c->name_en, "Street Light Outages") == 0)
            assert_true(c->promise->unit == UNIT_WORK_DAYS && c->promise->amount == 10);
    }
    assert_int_equal(promises, 15);
    assert_string_equal(rules->promise_sources[0], "*");
}

static void the_calendars_know_make_up_workdays_and_summer_time(void **state) {
    const PbCalendar *china = rules_calendar(loaded("config/qindu"), "china");
    const PbCalendar *boston = rules_calendar(loaded("config/drill"), "boston-2015");
    int64_t at;
    (void)state;
    assert_true(instant_parse(SLICE("2026-02-14T01:00:00Z"), &at));      /* a Saturday, 09:00 */
    assert_true(calendar_is_open(china, at));
    assert_true(instant_parse(SLICE("2026-02-16T01:00:00Z"), &at));      /* a Monday, the new year's eve */
    assert_false(calendar_is_open(china, at));
    assert_int_equal(calendar_offset_ms(china, at), 8 * 3600000);
    assert_true(instant_parse(SLICE("2015-03-08T06:59:59Z"), &at));
    assert_int_equal(calendar_offset_ms(boston, at), -5 * 3600000);
    assert_int_equal(calendar_offset_ms(boston, at + 1000), -4 * 3600000);
    assert_int_equal(boston->n_days, 13);
}

/* ---- canonical ------------------------------------------------------------------------------------------------- */

static struct hash hash_of_set(const char *dir) {
    struct slice bytes;
    struct hash hash;
    assert_int_equal(config_canonical(loaded(dir), &room, &bytes, &hash), 0);
    return hash;
}

static void the_same_files_give_the_same_hash(void **state) {
    struct hash once = hash_of_set("config/qindu"), again = hash_of_set("config/qindu");
    struct hash drill = hash_of_set("config/drill");
    (void)state;
    assert_true(hash_equal(&once, &again));
    assert_false(hash_equal(&once, &drill));
}

static void the_order_of_rows_and_comments_change_nothing_but_a_limit_does(void **state) {
    struct hash before = hash_of_set(scratch), after;
    uint8_t book[HASH_SIZE];
    (void)state;
    memcpy(book, loaded(scratch)->playbooks[0]->hash.data, sizeof book);
    change("categories.csv", "X2601", "X2601", "X2699");
    change("categories.csv", "X2603", "X2603", "X2601");
    change("categories.csv", "X2699", "X2699", "X2603");                 /* codes swapped ... */
    change("categories.csv", "X2603",
           "政策咨询,enquiry,both,社区,社区;12345,III,2wh,answer=1wd,1wd,Yangling: 76% of hotline volume",
        "居民提案(小提案),resident proposal,both,社区,管家团队,IV,1wd,review=30cd,30cd,-");
    change("categories.csv", "X2601", "居民提案(小提案),resident proposal,both,社区,管家团队,IV,1wd,review=30cd,30cd,D3 -> playbook",
        "政策咨询,enquiry,both,社区,社区;12345,III,2wh,answer=1wd,1wd,-");      /* ... and everything else: the rows are */
    change("playbooks/incident.yaml", "name: incident", "name: incident", "# another word\nname: incident");
    after = hash_of_set(scratch);
    assert_true(hash_equal(&before, &after));
    change("playbooks/incident.yaml", "street:\n", "handling: 10wd", "handling: 11wd");
    after = hash_of_set(scratch);
    assert_false(hash_equal(&before, &after));
    assert_memory_not_equal(loaded(scratch)->playbooks[0]->hash.data, book, sizeof book);
}

static void the_canonical_bytes_can_be_read_back_and_are_small(void **state) {
    struct slice bytes, again;
    struct hash hash, hash_again;
    PbRules *rules = NULL;
    struct rules_problem problem;
    (void)state;
    assert_int_equal(config_canonical(loaded("config/qindu"), &room, &bytes, &hash), 0);
    assert_in_range(bytes.len, 1, 600 << 10);
    assert_int_equal(codec_unpack_own(CODEC_RULES, bytes, &room, &rules), 0);
    assert_true(rules_check(rules, &problem));
    assert_int_equal(config_canonical(rules, &room, &again, &hash_again), 0);
    assert_true(slice_equal(bytes, again));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ON_A_COPY(both_sets_are_read_and_pass_every_check),
        ON_A_COPY(gudu_street_has_the_243_grids_of_the_source),
        ON_A_COPY(every_grid_has_a_grid_worker_and_every_street_a_desk),
        ON_A_COPY(there_are_74_categories_and_158_in_the_drill),
        ON_A_COPY(the_wall_decides_who_is_responsible),
        ON_A_COPY(a_category_keeps_its_milestones_and_marks),
        ON_A_COPY(fifteen_types_of_the_drill_have_a_promise_of_their_own),
        ON_A_COPY(the_calendars_know_make_up_workdays_and_summer_time),
        ON_A_COPY(the_same_files_give_the_same_hash),
        ON_A_COPY(the_order_of_rows_and_comments_change_nothing_but_a_limit_does),
        ON_A_COPY(the_canonical_bytes_can_be_read_back_and_are_small),
    };
    return cmocka_run_group_tests(tests, room_made, room_freed);
}
