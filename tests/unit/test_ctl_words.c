/* Every word of the protocol can be said in both languages, and every event has its line. */
#include "ctl/ctl.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static bool chinese(const char *text) {
    for (; *text; text++)
        if ((unsigned char)*text >= 0xE3)
            return true;
    return false;
}

/* Each value has a word of its own in each language, and one that is not known yet has one, too. */
#define EVERY_VALUE_HAS_WORDS(type, descriptor, word) \
    do { \
        for (unsigned i = 0; i < (descriptor)->n_values; i++) { \
            type v = (type)(descriptor)->values[i].value; \
            const char *zh = word(LANGUAGE_ZH, v), *en = word(LANGUAGE_EN, v); \
            assert_string_not_equal(en, "unknown"); \
            assert_string_not_equal(zh, "未知"); \
            assert_false(chinese(en)); \
            assert_true(chinese(zh)); \
            for (unsigned k = 0; k < i; k++) \
                assert_string_not_equal(zh, word(LANGUAGE_ZH, (type)(descriptor)->values[k].value)); \
        } \
        assert_string_equal(word(LANGUAGE_EN, (type)9999), "unknown"); \
        assert_string_equal(word(LANGUAGE_ZH, (type)-1), "未知"); \
    } while (0)

static void every_enumerator_has_words_in_both_languages(void **state) {
    (void)state;
    EVERY_VALUE_HAS_WORDS(PbState, &pb_state__descriptor, word_state);
    EVERY_VALUE_HAS_WORDS(PbLevel, &pb_level__descriptor, word_level);
    EVERY_VALUE_HAS_WORDS(PbCause, &pb_cause__descriptor, word_cause);
    EVERY_VALUE_HAS_WORDS(PbTimerKind, &pb_timer_kind__descriptor, word_timer);
    EVERY_VALUE_HAS_WORDS(PbUrgency, &pb_urgency__descriptor, word_urgency);
    EVERY_VALUE_HAS_WORDS(PbWall, &pb_wall__descriptor, word_wall);
    EVERY_VALUE_HAS_WORDS(PbAnswerKind, &pb_answer_kind__descriptor, word_answer);
    EVERY_VALUE_HAS_WORDS(PbAnswerFate, &pb_answer_fate__descriptor, word_fate);
    EVERY_VALUE_HAS_WORDS(PbAuthority, &pb_authority__descriptor, word_authority);
    EVERY_VALUE_HAS_WORDS(PbOpinion, &pb_opinion__descriptor, word_opinion);
    EVERY_VALUE_HAS_WORDS(PbBatchVerb, &pb_batch_verb__descriptor, word_batch);
    EVERY_VALUE_HAS_WORDS(PbOfferEnd, &pb_offer_end__descriptor, word_offer_end);
}

static void every_unit_is_written_as_in_the_playbooks(void **state) {
    (void)state;
    static const struct { PbUnit unit; const char *text; } units[] = {
        {UNIT_CLOCK_MINUTES, "5cm"}, {UNIT_CLOCK_HOURS, "5ch"}, {UNIT_WORK_HOURS, "5wh"}, {UNIT_WORK_DAYS, "5wd"},
        {UNIT_CALENDAR_DAYS, "5cd"}, {UNIT_MILLISECONDS, "5ms"}, {UNIT_WEEKS, "5cw"}, {UNIT_MONTHS, "5mo"},
    };
    char text[PRINTED_BYTES];
    assert_int_equal(pb_unit__descriptor.n_values, COUNT_OF(units) + 1);
    for (size_t i = 0; i < COUNT_OF(units); i++) {
        PbLimit l = {.unit = units[i].unit, .amount = 5};
        print_limit(&l, text);
        assert_string_equal(text, units[i].text);
    }
    print_limit(NULL, text);
    assert_string_equal(text, "-");
}

static void an_ask_has_words_for_each_status(void **state) {
    (void)state;
    static const char *const statuses[] = {"asked", "accepted", "done", "declined", "ended", "returned"};
    for (size_t i = 0; i < COUNT_OF(statuses); i++)
        assert_true(chinese(word_ask(LANGUAGE_ZH, statuses[i])));
    assert_string_equal(word_ask(LANGUAGE_EN, "asked"), "silent");
    assert_string_equal(word_ask(LANGUAGE_EN, "a newer one"), "a newer one");
    assert_string_equal(word_ask(LANGUAGE_ZH, NULL), "-");
}

static void spans_are_said_in_two_units(void **state) {
    (void)state;
    const struct ctl en = {.language = LANGUAGE_EN}, zh = {.language = LANGUAGE_ZH};
    static const struct { int64_t ms; const char *en, *zh; } spans[] = {
        {0, "0 ms", "0 毫秒"}, {999, "999 ms", "999 毫秒"}, {1000, "1 s", "1 秒"}, {61000, "1 min 1 s", "1 分 1 秒"},
        {11520000, "3 h 12 min", "3 小时 12 分"}, {3600000, "1 h", "1 小时"}, {90000000, "1 d 1 h", "1 天 1 小时"},
        {-61000, "1 min 1 s", "1 分 1 秒"}, {INT64_MIN, "106751991167 d 7 h", "106751991167 天 7 小时"},
    };
    char text[PRINTED_BYTES];
    for (size_t i = 0; i < COUNT_OF(spans); i++) {
        print_span(&en, spans[i].ms, text);
        assert_string_equal(text, spans[i].en);
        print_span(&zh, spans[i].ms, text);
        assert_string_equal(text, spans[i].zh);
    }
}

static void what_is_left_is_told_from_what_is_overdue(void **state) {
    (void)state;
    const struct ctl en = {.language = LANGUAGE_EN, .now_ms = 1000000};
    const struct ctl zh = {.language = LANGUAGE_ZH, .now_ms = 1000000};
    char text[PRINTED_BYTES];
    print_left(&en, 1000000 + 11520000, text);
    assert_string_equal(text, "3 h 12 min left");
    print_left(&zh, 1000000 + 11520000, text);
    assert_string_equal(text, "还剩 3 小时 12 分");
    print_left(&en, 1000000 - 300000, text);
    assert_string_equal(text, "overdue by 5 min");
    print_left(&zh, 1000000 - 300000, text);
    assert_string_equal(text, "已超 5 分");
}

static void instants_are_those_of_the_office(void **state) {
    (void)state;
    const struct ctl office = {.zone_s = 8 * 3600}, boston = {.zone_s = -5 * 3600 - 1800}, utc = {.zone_s = 0};
    const int64_t ms = 1771032605123;                             /* 2026-02-14 01:30:05.123Z */
    char text[PRINTED_BYTES];
    print_instant(&office, ms, text);
    assert_string_equal(text, "2026-02-14 09:30:05");
    print_instant(&boston, ms, text);
    assert_string_equal(text, "2026-02-13 20:00:05");
    print_zone(&boston, text);
    assert_string_equal(text, "-05:30");
    print_zone(&utc, text);
    assert_string_equal(text, "UTC");
}

static void an_escalation_names_the_limit_that_has_passed(void **state) {
    (void)state;
    struct ctl c = {.language = LANGUAGE_EN, .zone_s = 8 * 3600};
    struct story s = {.c = &c};
    char text[LINE_BYTES];
    PbLimit two_hours = {.unit = UNIT_WORK_HOURS, .amount = 2};
    PbTimer timer = {.kind = TIMER_ACCEPT, .limit = &two_hours, .due_ms = 1771032605123}, *timers[] = {&timer};
    PbAsk ask = {.party = (char *)"grid-worker@610402006001001", .lead = true}, *asks[] = {&ask};
    PbDispatched dispatched = {.level = LEVEL_COMMUNITY, .asks = asks, .n_asks = 1, .timers = timers, .n_timers = 1};
    PbEscalated escalated = {.from_level = LEVEL_COMMUNITY, .level = LEVEL_STREET, .cause = CAUSE_ACCEPT_OVERDUE,
                             .fired = TIMER_ACCEPT, .has_late_ms = true, .late_ms = 12};
    PbEvent first = {.event_case = EVENT_DISPATCHED, .dispatched = &dispatched};
    PbEvent second = {.event_case = EVENT_ESCALATED, .escalated = &escalated};
    story_words(&s, &first, text);
    assert_string_equal(text, "the community desk asked grid-worker@610402006001001; accept within 2wh, until "
                              "2026-02-14 09:30:05");
    story_words(&s, &second, text);
    assert_string_equal(text, "escalated community → street: nobody accepted within 2wh (late 12 ms)");
    c.language = LANGUAGE_ZH;
    story_words(&s, &second, text);
    assert_string_equal(text, "升级 社区 → 街道：2wh 内无人签收（迟 12 毫秒）");
    s = (struct story){.c = &c};                                  /* a watcher has not seen it armed */
    story_words(&s, &second, text);
    assert_string_equal(text, "升级 社区 → 街道：逾期无人签收（迟 12 毫秒）");
}

/* An empty message of each kind, as an old journal might hold it, and no line stays empty or overflows. */
static void every_event_has_a_line_in_both_languages(void **state) {
    (void)state;
    static uint64_t nothing[512];                                 /* larger than any event; all fields absent */
    const ProtobufCMessageDescriptor *d = codec_descriptor(CODEC_EVENT);
    PbReported reported = {.slot = 0};
    PbSelfHandled self = {.report = &reported};
    for (unsigned i = 0; i < d->n_fields; i++)
        for (int l = 0; l < 2; l++) {
            struct ctl c = {.language = l ? LANGUAGE_ZH : LANGUAGE_EN};
            struct story s = {.c = &c};
            char text[LINE_BYTES];
            PbEvent e = {.event_case = (PbEvent__EventCase)d->fields[i].id, .reported = (PbReported *)nothing};
            if (e.event_case == EVENT_SELF_HANDLED)
                e.self_handled = &self;
            story_words(&s, &e, text);
            assert_int_not_equal(text[0], '\0');
            assert_int_equal(chinese(text), l);
            assert_null(strstr(text, "newer broker"));
            assert_null(strstr(text, "新版"));
        }
}

static void an_event_of_a_newer_broker_and_one_with_much_to_say_are_told(void **state) {
    (void)state;
    struct ctl c = {.language = LANGUAGE_ZH};
    struct story s = {.c = &c};
    char text[LINE_BYTES + 1];
    PbEvent unknown = {.event_case = (PbEvent__EventCase)999};
    story_words(&s, &unknown, text);
    assert_non_null(strstr(text, "新版"));
    PbAsk ask = {.party = (char *)"dept-mediation@610402006001001"}, *asks[64];
    for (size_t i = 0; i < COUNT_OF(asks); i++)
        asks[i] = &ask;
    PbDispatched dispatched = {.asks = asks, .n_asks = COUNT_OF(asks)};
    PbEvent long_one = {.event_case = EVENT_DISPATCHED, .dispatched = &dispatched};
    text[LINE_BYTES] = '!';
    story_words(&s, &long_one, text);
    assert_int_equal(strlen(text), LINE_BYTES - 1);
    assert_int_equal(text[LINE_BYTES], '!');
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_enumerator_has_words_in_both_languages),
        cmocka_unit_test(every_unit_is_written_as_in_the_playbooks),
        cmocka_unit_test(an_ask_has_words_for_each_status),
        cmocka_unit_test(spans_are_said_in_two_units),
        cmocka_unit_test(what_is_left_is_told_from_what_is_overdue),
        cmocka_unit_test(instants_are_those_of_the_office),
        cmocka_unit_test(an_escalation_names_the_limit_that_has_passed),
        cmocka_unit_test(every_event_has_a_line_in_both_languages),
        cmocka_unit_test(an_event_of_a_newer_broker_and_one_with_much_to_say_are_told),
    };
    return cmocka_run_group_tests_name("ctl_words", tests, NULL, NULL);
}
