/* test_client_worker.c: a desk's side of libwhistle: offers, leases, results, and what a reconnect does to them. */
#include "lib/client/whistle.h"

#include <errno.h>
#include <setjmp.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/fake_broker.h"

static const uint64_t DIVISIONS[] = {610402, 610404};

static struct whistle_worker *worker_of(struct broker *b, unsigned credit) {
    struct whistle_worker *w;
    const struct whistle_worker_options o = {
        .endpoint = b->ipc, .level = LEVEL_STREET, .divisions = DIVISIONS, .divisions_count = COUNT_OF(DIVISIONS),
        .credit = credit, .program = "test",
    };
    assert_int_equal(whistle_worker_open(&w, &o), 0);
    return w;
}

/* ---- the broker's side ------------------------------------------------------------------------------------------- */

static PbWorkerFrame *hear_bytes(struct broker *b, struct whistle_worker *w, struct slice *ret_bytes) {
    int64_t end = patience_ends_ns();
    for (;;) {
        const PbOffer *offer;
        PbWorkerFrame *frame = broker_poll(b, CODEC_WORKER_FRAME, ret_bytes);
        if (frame != NULL && frame->worker_says_case != WORKER_SAYS_HEARTBEAT) {
            assert_int_equal(frame->version, PROTOCOL_VERSION);
            return frame;
        }
        assert_true(patient(end));
        if (frame == NULL)
            assert_int_equal(whistle_worker_next(w, 2, &offer), 0);
    }
}

static PbWorkerFrame *hear(struct broker *b, struct whistle_worker *w, PbWorkerFrame__WorkerSaysCase what) {
    PbWorkerFrame *frame = hear_bytes(b, w, NULL);
    assert_int_equal(frame->worker_says_case, what);
    return frame;
}

static bool hears_nothing(struct broker *b, struct whistle_worker *w) {
    for (int i = 0; i < 10; i++) {
        const PbOffer *offer;
        assert_int_equal(whistle_worker_next(w, 2, &offer), 0);
        const PbWorkerFrame *frame = broker_poll(b, CODEC_WORKER_FRAME, NULL);
        if (frame != NULL && frame->worker_says_case != WORKER_SAYS_HEARTBEAT)
            return false;
    }
    return true;
}

static void say_welcome(struct broker *b) {
    PbWelcome welcome = {.has_version = true, .version = PROTOCOL_VERSION};
    PbPoolFrame frame = {.pool_says_case = POOL_SAYS_WELCOME, .welcome = &welcome};
    broker_say_message(b, CODEC_POOL_FRAME, &frame);
}

static PbLeaseToken token_of(uint64_t number) {
    return (PbLeaseToken){
        .has_epoch = true, .epoch = 3, .has_number = true, .number = number, .has_case_id = true, .case_id = 6 + number,
        .has_stage = true, .stage = 1, .has_attempt = true, .attempt = 1, .has_tries = true, .tries = 0,
    };
}

static void say_offer(struct broker *b, uint64_t number) {
    PbLeaseToken token = token_of(number);
    PbOffer offer = {.token = &token, .has_lease_ms = true, .lease_ms = 30000, .has_now_ms = true,
                     .now_ms = 1771032600000};
    PbPoolFrame frame = {.pool_says_case = POOL_SAYS_OFFER, .offer = &offer};
    broker_say_message(b, CODEC_POOL_FRAME, &frame);
}

static void say_taken(struct broker *b, uint64_t number, PbRefusal refusal) {
    PbLeaseToken token = token_of(number);
    PbResultTaken taken = {.token = &token, .has_refusal = refusal != REFUSED_NOTHING, .refusal = refusal};
    PbPoolFrame frame = {.pool_says_case = POOL_SAYS_TAKEN, .taken = &taken};
    broker_say_message(b, CODEC_POOL_FRAME, &frame);
}

static void say_lost(struct broker *b, uint64_t number) {
    PbLeaseToken token = token_of(number);
    PbPoolFrame frame = {.pool_says_case = POOL_SAYS_LEASE_LOST, .lease_lost = &token};
    broker_say_message(b, CODEC_POOL_FRAME, &frame);
}

static void say_refused(struct broker *b, PbRefusal code) {
    PbRefused refused = {.has_code = true, .code = code};
    PbPoolFrame frame = {.pool_says_case = POOL_SAYS_REFUSED, .refused = &refused};
    broker_say_message(b, CODEC_POOL_FRAME, &frame);
}

/* ---- the worker's side ------------------------------------------------------------------------------------------- */

/* hello, welcome, credit. Returns how many tokens it presented. */
static size_t sign_on(struct broker *b, struct whistle_worker *w) {
    size_t tokens = hear(b, w, WORKER_SAYS_HELLO)->hello->n_tokens;
    say_welcome(b);
    return tokens;
}

static struct whistle_worker *serving(struct broker *b, unsigned credit) {
    struct whistle_worker *w = worker_of(b, credit);
    assert_int_equal(sign_on(b, w), 0);
    assert_int_equal(hear(b, w, WORKER_SAYS_CREDIT)->credit->more, credit);
    assert_int_equal(whistle_worker_standing(w, NULL), WHISTLE_SERVING);
    return w;
}

static PbLeaseToken take_offer(struct whistle_worker *w) {
    const PbOffer *offer;
    assert_int_equal(whistle_worker_next(w, PATIENCE_MS, &offer), 1);
    return *offer->token;
}

static int done(struct whistle_worker *w, const PbLeaseToken *token) {
    PbEscalate escalate = {
        .has_case_id = true, .case_id = token->case_id, .has_stage = true, .stage = token->stage, .has_attempt = true,
        .attempt = token->attempt, .has_cause = true, .cause = CAUSE_NOT_OUR_DUTY,
    };
    PbEnvelope e = {.command_case = COMMAND_ESCALATE, .escalate = &escalate};
    return whistle_worker_done(w, token, &e);
}

/* The worker lives until it has heard what it was told. */
static void live_until(struct whistle_worker *w, const uint64_t *counter, uint64_t value) {
    const PbOffer *offer;
    int64_t end = patience_ends_ns();
    while (*counter != value) {
        assert_true(patient(end));
        assert_int_equal(whistle_worker_next(w, 2, &offer), 0);
    }
}

/* ---- stories ----------------------------------------------------------------------------------------------------- */

static void a_worker_signs_on_and_is_offered_work(void **state) {
    struct broker *b = *state;
    struct whistle_worker *w = worker_of(b, 8);
    assert_int_equal(whistle_worker_standing(w, NULL), WHISTLE_AWAY);
    const PbWorkerHello *hello = hear(b, w, WORKER_SAYS_HELLO)->hello;
    assert_int_equal(hello->level, LEVEL_STREET);
    assert_int_equal(hello->n_divisions, 2);
    assert_int_equal(hello->divisions[1], DIVISIONS[1]);
    assert_string_equal(hello->program, "test");
    say_welcome(b);
    assert_int_equal(hear(b, w, WORKER_SAYS_CREDIT)->credit->more, 8);
    say_offer(b, 1);
    const PbOffer *offer;
    assert_int_equal(whistle_worker_next(w, PATIENCE_MS, &offer), 1);
    assert_int_equal(offer->token->case_id, 7);
    assert_int_equal(offer->lease_ms, 30000);
    whistle_worker_close(w);
}

static void a_decision_is_a_function_of_its_offer(void **state) {
    static const uint8_t id[16] = {0xf9, 0x86, 0xc8, 0x50, 0xd7, 0x9a, 0x4f, 0x40,
                                   0x20, 0xd3, 0x27, 0x4c, 0xba, 0x41, 0x85, 0x85};       /* docs/protocol.md, 7.1 */
    struct broker *b = *state;
    struct whistle_worker *w = serving(b, 8);
    say_offer(b, 1);
    PbLeaseToken token = take_offer(w);
    assert_int_equal(done(w, &token), 0);
    const PbWorkerResult *result = hear(b, w, WORKER_SAYS_RESULT)->result;
    assert_int_equal(result->token->number, 1);
    assert_false(result->has_failed);
    struct codec_result why;
    struct slice bytes = slice_from(result->decision.data, result->decision.len);
    const PbEnvelope *e = codec_unpack(CODEC_ENVELOPE, bytes, &b->room, &why);
    assert_non_null(e);
    assert_int_equal(e->version, PROTOCOL_VERSION);
    assert_int_equal(e->command_id.len, 16);
    assert_memory_equal(e->command_id.data, id, 16);
    assert_int_equal(e->sent_at_ms, 1771032600000);
    assert_int_equal(e->escalate->cause, CAUSE_NOT_OUR_DUTY);
    whistle_worker_close(w);
}

static void an_offer_ends_once(void **state) {
    struct broker *b = *state;
    struct whistle_worker *w = serving(b, 8);
    const PbLeaseToken nobodys = token_of(99);
    say_offer(b, 1);
    PbLeaseToken token = take_offer(w);
    assert_int_equal(done(w, &nobodys), -ENOENT);
    assert_int_equal(done(w, &token), 0);
    assert_int_equal(done(w, &token), -ENOENT);
    assert_int_equal(whistle_worker_retry(w, &token, 1), -ENOENT);
    assert_int_equal(whistle_worker_reject(w, &token), -ENOENT);
    assert_int_equal(whistle_worker_extend(w, &token), -ENOENT);
    hear(b, w, WORKER_SAYS_RESULT);
    say_taken(b, 1, REFUSED_WRONG_STAGE);
    live_until(w, &whistle_worker_counts(w)->taken, 1);
    assert_int_equal(whistle_worker_counts(w)->refused, 1);
    whistle_worker_close(w);
}

static void offers_are_extended_retried_and_rejected(void **state) {
    struct broker *b = *state;
    struct whistle_worker *w = serving(b, 8);
    say_offer(b, 1);
    PbLeaseToken token = take_offer(w);
    assert_int_equal(whistle_worker_extend(w, &token), 0);
    assert_int_equal(hear(b, w, WORKER_SAYS_EXTEND)->extend->token->number, 1);
    assert_int_equal(whistle_worker_retry(w, &token, 60000), 0);
    const PbWorkerResult *result = hear(b, w, WORKER_SAYS_RESULT)->result;
    assert_int_equal(result->failed, OFFER_RETRY);
    assert_int_equal(result->retry_ms, 60000);
    assert_false(result->has_decision);
    say_offer(b, 2);
    token = take_offer(w);
    assert_int_equal(whistle_worker_reject(w, &token), 0);
    result = hear(b, w, WORKER_SAYS_RESULT)->result;
    assert_int_equal(result->token->number, 2);
    assert_int_equal(result->failed, OFFER_REJECTED);
    whistle_worker_close(w);
}

static void a_decision_that_nobody_could_read_is_not_sent(void **state) {
    struct broker *b = *state;
    struct whistle_worker *w = serving(b, 8);
    static char text[WHISTLE_DECISION_BYTES_MAX + 1];
    say_offer(b, 1);
    PbLeaseToken token = take_offer(w);
    PbReject reject = {.has_case_id = true, .case_id = 7, .text = text};
    PbEnvelope e = {.command_case = COMMAND_REJECT, .reject = &reject};
    memset(text, 'x', sizeof(text) - 1);
    assert_int_equal(whistle_worker_done(w, &token, &e), -EMSGSIZE);
    memcpy(text, "\xff", 2);
    assert_int_equal(whistle_worker_done(w, &token, &e), -EBADMSG);
    assert_true(hears_nothing(b, w));
    assert_int_equal(done(w, &token), 0);         /* the offer is still open */
    hear(b, w, WORKER_SAYS_RESULT);
    whistle_worker_close(w);
}

static void a_result_is_sent_again_as_it_was_until_it_is_taken(void **state) {
    struct broker *b = *state;
    struct whistle_worker *w = serving(b, 8);
    say_offer(b, 1);
    PbLeaseToken token = take_offer(w);
    assert_int_equal(done(w, &token), 0);
    struct slice bytes;
    uint8_t first[512];
    hear_bytes(b, w, &bytes);
    size_t len = bytes.len;
    memcpy(first, bytes.at, len);
    time_passes_ms(10000);                        /* in the same session, in case `taken` was lost */
    hear_bytes(b, w, &bytes);
    assert_true(slice_equal(bytes, slice_from(first, len)));

    broker_dies(b);
    time_passes_ms(2000);
    broker_starts(b);
    assert_int_equal(sign_on(b, w), 1);           /* and in the next */
    hear_bytes(b, w, &bytes);
    assert_true(slice_equal(bytes, slice_from(first, len)));
    assert_int_equal(hear(b, w, WORKER_SAYS_CREDIT)->credit->more, 8);
    say_taken(b, 1, REFUSED_NOTHING);
    live_until(w, &whistle_worker_counts(w)->taken, 1);
    time_passes_ms(12000);
    assert_true(hears_nothing(b, w));
    whistle_worker_close(w);
}

static void a_result_found_while_nobody_is_there_goes_out_later(void **state) {
    struct broker *b = *state;
    struct whistle_worker *w = serving(b, 8);
    say_offer(b, 1);
    PbLeaseToken token = take_offer(w);
    broker_dies(b);
    const PbOffer *offer;
    for (int i = 0; i < 1000 && whistle_worker_standing(w, NULL) != WHISTLE_AWAY; i++) {
        time_passes_ms(1000);                     /* the first heartbeat may still find an open door */
        assert_int_equal(whistle_worker_next(w, 5, &offer), 0);
    }
    assert_int_equal(whistle_worker_standing(w, NULL), WHISTLE_AWAY);
    assert_int_equal(whistle_worker_extend(w, &token), -EAGAIN);
    assert_int_equal(done(w, &token), 0);
    broker_starts(b);
    assert_int_equal(sign_on(b, w), 1);
    assert_int_equal(hear(b, w, WORKER_SAYS_RESULT)->result->token->number, 1);
    whistle_worker_close(w);
}

static void a_lost_lease_drops_the_offer_and_its_result(void **state) {
    struct broker *b = *state;
    struct whistle_worker *w = serving(b, 8);
    say_offer(b, 1);
    say_offer(b, 2);
    PbLeaseToken one = take_offer(w), two = take_offer(w);
    assert_int_equal(done(w, &two), 0);
    hear(b, w, WORKER_SAYS_RESULT);
    say_refused(b, REFUSED_NO_SESSION);           /* the broker was restarted in between */
    assert_int_equal(hear(b, w, WORKER_SAYS_HELLO)->hello->n_tokens, 2);
    say_welcome(b);
    say_lost(b, 1);
    say_lost(b, 2);
    live_until(w, &whistle_worker_counts(w)->lost, 2);
    assert_int_equal(done(w, &one), -ENOENT);
    assert_int_equal(hear(b, w, WORKER_SAYS_CREDIT)->credit->more, 8);
    time_passes_ms(12000);
    assert_true(hears_nothing(b, w));
    whistle_worker_close(w);
}

static void credit_is_given_back_in_pieces_and_never_more_than_was_asked_for(void **state) {
    struct broker *b = *state;
    struct whistle_worker *w = serving(b, 4);
    PbLeaseToken token;
    for (uint64_t number = 1; number <= 4; number++) {
        say_offer(b, number);
        token = take_offer(w);
        assert_int_equal(token.number, number);
    }
    assert_true(hears_nothing(b, w));             /* four are open: no more */
    token = token_of(1);
    assert_int_equal(done(w, &token), 0);
    hear(b, w, WORKER_SAYS_RESULT);
    assert_true(hears_nothing(b, w));
    token = token_of(2);
    assert_int_equal(done(w, &token), 0);
    hear(b, w, WORKER_SAYS_RESULT);
    assert_int_equal(hear(b, w, WORKER_SAYS_CREDIT)->credit->more, 2);
    whistle_worker_close(w);
}

static void what_is_held_is_bounded_even_when_nothing_is_ever_taken(void **state) {
    struct broker *b = *state;
    struct whistle_worker *w = serving(b, WHISTLE_CREDIT_MAX);
    PbLeaseToken token;
    for (uint64_t number = 1; number <= WHISTLE_CREDIT_MAX; number++) {
        say_offer(b, number);
        token = take_offer(w);
        assert_int_equal(done(w, &token), 0);
        hear(b, w, WORKER_SAYS_RESULT);
    }
    assert_true(hears_nothing(b, w));             /* 256 results are not taken: no credit */
    say_offer(b, 999);
    const PbWorkerResult *result = hear(b, w, WORKER_SAYS_RESULT)->result;
    assert_int_equal(result->token->number, 999);
    assert_int_equal(result->failed, OFFER_RETRY);
    say_offer(b, 1);                              /* known already */
    for (uint64_t number = 1; number <= 128; number++)
        say_taken(b, number, REFUSED_NOTHING);
    assert_int_equal(hear(b, w, WORKER_SAYS_CREDIT)->credit->more, 128);
    whistle_worker_close(w);
}

static void a_worker_turned_away_knows_why_and_tries_again(void **state) {
    struct broker *b = *state;
    struct whistle_worker *w = worker_of(b, 8);
    const PbOffer *offer;
    PbRefusal why = REFUSED_NOTHING;
    hear(b, w, WORKER_SAYS_HELLO);
    say_refused(b, REFUSED_TOO_MANY_SESSIONS);
    for (int i = 0; i < 1000 && whistle_worker_standing(w, &why) != WHISTLE_TURNED_AWAY; i++)
        assert_int_equal(whistle_worker_next(w, 2, &offer), 0);
    assert_int_equal(why, REFUSED_TOO_MANY_SESSIONS);
    assert_true(hears_nothing(b, w));
    time_passes_ms(5000);
    assert_int_equal(sign_on(b, w), 0);
    hear(b, w, WORKER_SAYS_CREDIT);
    assert_int_equal(whistle_worker_standing(w, NULL), WHISTLE_SERVING);
    whistle_worker_close(w);
}

static void heartbeats_go_out_and_a_silent_broker_is_left(void **state) {
    struct broker *b = *state;
    struct whistle_worker *w = serving(b, 8);
    const PbOffer *offer;
    const PbWorkerFrame *frame = NULL;
    uint32_t old = b->peer.id;
    time_passes_ms(1000);
    for (int i = 0; i < 1000 && frame == NULL; i++) {
        assert_int_equal(whistle_worker_next(w, 2, &offer), 0);
        frame = broker_poll(b, CODEC_WORKER_FRAME, NULL);
    }
    assert_non_null(frame);
    assert_int_equal(frame->worker_says_case, WORKER_SAYS_HEARTBEAT);
    time_passes_ms(15000);
    assert_int_equal(sign_on(b, w), 0);
    assert_int_not_equal(b->peer.id, old);
    whistle_worker_close(w);
}

static void a_stopping_broker_is_greeted_again(void **state) {
    struct broker *b = *state;
    struct whistle_worker *w = serving(b, 8);
    PbGoodbye goodbye = {.why = (char *)"stopping"};
    PbPoolFrame frame = {.pool_says_case = POOL_SAYS_GOODBYE, .goodbye = &goodbye};
    broker_say_message(b, CODEC_POOL_FRAME, &frame);
    broker_say(b, (const struct slice[]){SLICE("\xff")}, 1);     /* and noise is passed over */
    assert_int_equal(sign_on(b, w), 0);
    whistle_worker_close(w);
}

static void a_worker_that_leaves_says_goodbye_after_its_results(void **state) {
    struct broker *b = *state;
    struct whistle_worker *w = serving(b, 8);
    say_offer(b, 1);
    PbLeaseToken token = take_offer(w);
    assert_int_equal(done(w, &token), 0);
    whistle_worker_close(w);
    static const PbWorkerFrame__WorkerSaysCase last_words[] = {WORKER_SAYS_RESULT, WORKER_SAYS_GOODBYE};
    int64_t end = patience_ends_ns();
    for (size_t i = 0; i < COUNT_OF(last_words);) {
        const PbWorkerFrame *frame = broker_poll(b, CODEC_WORKER_FRAME, NULL);
        assert_true(patient(end));
        if (frame == NULL)
            poll(NULL, 0, 1);
        else
            assert_int_equal(frame->worker_says_case, last_words[i++]);
    }
}

static void what_cannot_be_opened_is_not(void **state) {
    struct broker *b = *state;
    struct whistle_worker *w = NULL;
    const struct whistle_worker_options good = {
        .endpoint = b->ipc, .level = LEVEL_STREET, .divisions = DIVISIONS, .divisions_count = 1, .credit = 1,
    };
    struct whistle_worker_options bad[6];
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        bad[i] = good;
    bad[0].endpoint = NULL;
    bad[1].divisions_count = 0;
    bad[2].divisions_count = WHISTLE_DIVISIONS_MAX + 1;
    bad[3].credit = 0;
    bad[4].credit = WHISTLE_CREDIT_MAX + 1;
    bad[5].program = "a name of more than sixty-three bytes, which nobody wants to read in a list";
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_int_equal(whistle_worker_open(&w, &bad[i]), -EINVAL);
    assert_null(w);
}

int main(void) {
#define STORY(name) cmocka_unit_test_setup_teardown(name, broker_open, broker_close)
    const struct CMUnitTest tests[] = {
        STORY(a_worker_signs_on_and_is_offered_work),
        STORY(a_decision_is_a_function_of_its_offer),
        STORY(an_offer_ends_once),
        STORY(offers_are_extended_retried_and_rejected),
        STORY(a_decision_that_nobody_could_read_is_not_sent),
        STORY(a_result_is_sent_again_as_it_was_until_it_is_taken),
        STORY(a_result_found_while_nobody_is_there_goes_out_later),
        STORY(a_lost_lease_drops_the_offer_and_its_result),
        STORY(credit_is_given_back_in_pieces_and_never_more_than_was_asked_for),
        STORY(what_is_held_is_bounded_even_when_nothing_is_ever_taken),
        STORY(a_worker_turned_away_knows_why_and_tries_again),
        STORY(heartbeats_go_out_and_a_silent_broker_is_left),
        STORY(a_stopping_broker_is_greeted_again),
        STORY(a_worker_that_leaves_says_goodbye_after_its_results),
        STORY(what_cannot_be_opened_is_not),
    };
    return cmocka_run_group_tests_name("worker", tests, NULL, NULL);
}
