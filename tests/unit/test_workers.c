/* test_workers.c: the program whistle-worker without its main: what it takes on its command line, and what it says to
 * an offer. */
#include "workers/worker.h"

#include <errno.h>
#include <setjmp.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/fake_broker.h"

/* ---- the command line -------------------------------------------------------------------------------------------- */

enum { WORDS = 12 };

static int read_words(const char *const words[WORDS], struct worker_settings *s, char why[static WORKER_WHY_MAX]) {
    char *argv[WORDS + 2] = {(char *)"whistle-worker"};
    int argc = 1;
    for (; words[argc - 1] != NULL; argc++)
        argv[argc] = (char *)(uintptr_t)words[argc - 1];
    return worker_arguments(argc, argv, s, why);
}

static void a_level_and_divisions_are_enough(void **state) {
    (void)state;
    struct worker_settings s = {.help = false};
    char why[WORKER_WHY_MAX];
    const char *const words[WORDS] = {"--level", "street", "--divisions", "610402001, 61,610402006001003"};
    assert_int_equal(read_words(words, &s, why), 0);
    assert_int_equal(s.level, LEVEL_STREET);
    assert_int_equal(s.divisions_count, 3);
    assert_int_equal(s.divisions[0], 610402001);
    assert_int_equal(s.divisions[1], 61);
    assert_int_equal(s.divisions[2], 610402006001003);
    assert_string_equal(s.endpoint, "ipc:///run/whistled/pool");
    assert_string_equal(s.program, "whistle-worker");
    assert_int_equal(s.credit, 256);
    assert_string_equal(worker_level_name(s.level), "street");
}

static void every_flag_has_two_spellings(void **state) {
    (void)state;
    struct worker_settings s = {.help = false};
    char why[WORKER_WHY_MAX];
    const char *const words[WORDS] = {"--level=district", "--division=610402", "--pool=tcp://127.0.0.1:7702",
                                      "--credit=256", "--program=desk-1"};
    assert_int_equal(read_words(words, &s, why), 0);
    assert_int_equal(s.level, LEVEL_DISTRICT);
    assert_string_equal(s.endpoint, "tcp://127.0.0.1:7702");
    assert_int_equal(s.credit, 256);
    assert_string_equal(s.program, "desk-1");
}

static void help_is_given_to_whoever_asks(void **state) {
    (void)state;
    struct worker_settings s = {.help = false};
    char why[WORKER_WHY_MAX];
    assert_int_equal(read_words((const char *const[WORDS]){"--credit", "1", "--help"}, &s, why), 0);
    assert_true(s.help);
    s.help = false;
    assert_int_equal(read_words((const char *const[WORDS]){"-h"}, &s, why), 0);
    assert_true(s.help);
}

static void a_complaint_names_the_flag_and_what_would_be_right(void **state) {
    (void)state;
    char too_many[WHISTLE_DIVISIONS_MAX * 3 + 3] = "61";
    for (size_t i = 2; i < sizeof(too_many) - 1; i += 3)
        memcpy(too_many + i, ",61", 4);
    const struct { const char *words[WORDS], *flag, *right; } wrong[] = {
        {{NULL}, "--level is missing", "community, street, district"},
        {{"--level"}, "--level has no value", "community"},
        {{"--level", "city"}, "--level city", "community"},
        {{"--level", "street"}, "--divisions is missing", "610402,610404"},
        {{"--level", "street", "--divisions", "61040"}, "--divisions 61040", "2, 4, 6, 9, 12 or 15 digits"},
        {{"--level", "street", "--divisions", "061"}, "--divisions 061", "digits"},
        {{"--level", "street", "--divisions", "610402,"}, "--divisions 610402,", "digits"},
        {{"--level", "street", "--divisions", "6l"}, "--divisions 6l", "digits"},
        {{"--level", "street", "--divisions", ""}, "--divisions ", "digits"},
        {{"--level", "street", "--divisions", too_many}, "--divisions 61,61", "up to 64"},
        {{"--endpoint", "http://x"}, "--endpoint http://x", "ipc:///run/whistled/pool"},
        {{"--credit", "0"}, "--credit 0", "1 to 256"},
        {{"--credit", "257"}, "--credit 257", "1 to 256"},
        {{"--credit", "many"}, "--credit many", "1 to 256"},
        {{"--program", ""}, "--program ", "1 to 63"},
        {{"--levle", "street"}, "--levle", "there are --level,"},
        {{"street"}, "street", "there are --level,"},
    };
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        struct worker_settings s = {.credit = 7};
        char why[WORKER_WHY_MAX] = "";
        assert_int_equal(read_words(wrong[i].words, &s, why), -EINVAL);
        assert_int_equal(strncmp(why, wrong[i].flag, strlen(wrong[i].flag)), 0);
        assert_non_null(strstr(why, wrong[i].right));
        assert_int_equal(s.credit, 7);            /* untouched */
    }
}

static void whoever_gave_a_flag_that_is_none_is_told_all_there_are(void **state) {
    (void)state;
    struct worker_settings s;
    char why[WORKER_WHY_MAX] = "";
    assert_int_equal(read_words((const char *const[WORDS]){"--verbose"}, &s, why), -EINVAL);
    for (size_t i = 0; i < worker_flags_count; i++)
        assert_non_null(strstr(why, worker_flags[i].name));
    assert_non_null(strstr(why, "--help"));
}

/* ---- an offer ---------------------------------------------------------------------------------------------------- */

static PbWorkerFrame *hear(struct broker *b, struct whistle_worker *w, PbWorkerFrame__WorkerSaysCase what) {
    const PbOffer *offer;
    int64_t end = patience_ends_ns();
    for (;;) {
        PbWorkerFrame *frame = broker_poll(b, CODEC_WORKER_FRAME, NULL);
        if (frame != NULL && frame->worker_says_case == what)
            return frame;
        assert_true(patient(end));
        if (frame == NULL)
            assert_int_equal(whistle_worker_next(w, 2, &offer), 0);
    }
}

/* A worker that serves; the offer goes out to it, and its result comes back. */
static const PbWorkerResult *result_of(struct broker *b, struct whistle_worker **ret, PbLevel level, PbOffer *offer) {
    static const uint64_t division = 610402;
    const struct whistle_worker_options o = {
        .endpoint = b->ipc, .level = level, .divisions = &division, .divisions_count = 1, .credit = 1,
    };
    PbLeaseToken token = {.has_number = true, .number = 5, .has_case_id = true, .case_id = 7, .has_stage = true,
                          .stage = 2, .has_attempt = true, .attempt = 3};
    PbWelcome welcome = {.has_version = true, .version = PROTOCOL_VERSION};
    PbPoolFrame hello_back = {.pool_says_case = POOL_SAYS_WELCOME, .welcome = &welcome};
    PbPoolFrame frame = {.pool_says_case = POOL_SAYS_OFFER, .offer = offer};
    const PbOffer *got;
    assert_int_equal(whistle_worker_open(ret, &o), 0);
    hear(b, *ret, WORKER_SAYS_HELLO);
    broker_say_message(b, CODEC_POOL_FRAME, &hello_back);
    hear(b, *ret, WORKER_SAYS_CREDIT);
    offer->token = &token;
    broker_say_message(b, CODEC_POOL_FRAME, &frame);
    assert_int_equal(whistle_worker_next(*ret, PATIENCE_MS, &got), 1);
    assert_int_equal(worker_decide(*ret, level, got), 0);
    return hear(b, *ret, WORKER_SAYS_RESULT)->result;
}

static const PbEnvelope *decision_of(struct broker *b, const PbWorkerResult *result) {
    struct codec_result why;
    assert_true(result->has_decision);
    struct slice bytes = slice_from(result->decision.data, result->decision.len);
    const PbEnvelope *e = codec_unpack(CODEC_ENVELOPE, bytes, &b->room, &why);
    assert_non_null(e);
    return e;
}

static void who_is_to_be_asked_is_dispatched_with_a_lead(void **state) {
    struct broker *b = *state;
    struct whistle_worker *w;
    char *roles[] = {(char *)"dept-law", (char *)"dept-land"};
    PbCandidate law = {.party = (char *)"dept-law@610402", .has_kind = true, .kind = ROLE_DEPARTMENT};
    PbCandidate land = {.party = (char *)"dept-land@610402", .has_kind = true, .kind = ROLE_DEPARTMENT};
    PbCandidate *candidates[] = {&land, &law};
    PbOffer offer = {.n_duty_roles = 2, .duty_roles = roles, .n_candidates = 2, .candidates = candidates};
    const PbEnvelope *e = decision_of(b, result_of(b, &w, LEVEL_DISTRICT, &offer));
    assert_int_equal(e->command_case, COMMAND_DISPATCH);
    assert_int_equal(e->dispatch->case_id, 7);
    assert_int_equal(e->dispatch->stage, 2);
    assert_int_equal(e->dispatch->attempt, 3);
    assert_int_equal(e->dispatch->cause, CAUSE_DUTY);
    assert_int_equal(e->dispatch->n_parties, 2);
    assert_string_equal(e->dispatch->parties[0]->party, "dept-law@610402");
    assert_true(e->dispatch->parties[0]->lead);
    assert_string_equal(e->dispatch->parties[1]->party, "dept-land@610402");
    assert_false(e->dispatch->parties[1]->lead);
    whistle_worker_close(w);
}

static void what_is_not_ours_is_sent_up_with_its_cause(void **state) {
    struct broker *b = *state;
    struct whistle_worker *w;
    PbOffer offer = {.has_duty_level = true, .duty_level = LEVEL_STREET};
    const PbEnvelope *e = decision_of(b, result_of(b, &w, LEVEL_COMMUNITY, &offer));
    assert_int_equal(e->command_case, COMMAND_ESCALATE);
    assert_int_equal(e->escalate->case_id, 7);
    assert_int_equal(e->escalate->stage, 2);
    assert_int_equal(e->escalate->attempt, 3);
    assert_int_equal(e->escalate->cause, CAUSE_NOT_OUR_DUTY);
    whistle_worker_close(w);
}

static void what_nobody_can_take_comes_back_in_a_minute(void **state) {
    struct broker *b = *state;
    struct whistle_worker *w;
    PbOffer offer = {.has_last_rung = true, .last_rung = true};
    const PbWorkerResult *result = result_of(b, &w, LEVEL_DISTRICT, &offer);
    assert_false(result->has_decision);
    assert_int_equal(result->failed, OFFER_RETRY);
    assert_int_equal(result->retry_ms, 60000);
    whistle_worker_close(w);
}

static void a_worker_that_is_told_to_stop_stops(void **state) {
    struct broker *b = *state;
    struct whistle_worker *w;
    static const uint64_t division = 610402;
    const struct whistle_worker_options o = {
        .endpoint = b->ipc, .level = LEVEL_STREET, .divisions = &division, .divisions_count = 1, .credit = 1,
    };
    const struct worker_settings s = {.level = LEVEL_STREET, .divisions_count = 1, .endpoint = b->ipc, .credit = 1};
    const volatile int stop = 15;
    assert_int_equal(whistle_worker_open(&w, &o), 0);
    log_threshold = LOG_LEVEL_ERROR;
    assert_int_equal(worker_serve(w, &s, &stop), 0);
    whistle_worker_close(w);
}

int main(void) {
#define STORY(name) cmocka_unit_test_setup_teardown(name, broker_open, broker_close)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_level_and_divisions_are_enough),
        cmocka_unit_test(every_flag_has_two_spellings),
        cmocka_unit_test(help_is_given_to_whoever_asks),
        cmocka_unit_test(a_complaint_names_the_flag_and_what_would_be_right),
        cmocka_unit_test(whoever_gave_a_flag_that_is_none_is_told_all_there_are),
        STORY(who_is_to_be_asked_is_dispatched_with_a_lead),
        STORY(what_is_not_ours_is_sent_up_with_its_cause),
        STORY(what_nobody_can_take_comes_back_in_a_minute),
        STORY(a_worker_that_is_told_to_stop_stops),
    };
    return cmocka_run_group_tests_name("workers", tests, NULL, NULL);
}
