/* test_client.c: the front's side of libwhistle, against a broker that does what the story needs. */
#include "lib/client/whistle.h"

#include "lib/client/window.h"

#include <errno.h>
#include <setjmp.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/fake_broker.h"

/* ---- both sides -------------------------------------------------------------------------------------------------- */

static struct whistle_client *client_of(struct broker *b, unsigned window) {
    struct whistle_client *c;
    const struct whistle_client_options o = {.endpoint = b->ipc, .window = window};
    assert_int_equal(whistle_client_open(&c, &o), 0);
    return c;
}

static int send_note(struct whistle_client *c, uint64_t case_id, uint8_t id[16]) {
    PbNote note = {.has_case_id = true, .case_id = case_id, .text = (char *)"looked at it"};
    PbEnvelope e = {.command_case = COMMAND_NOTE, .note = &note};
    return whistle_send(c, &e, id);
}

/* The next envelope the broker hears; the client lives on meanwhile and has nothing to say to its caller. */
static PbEnvelope *hear(struct broker *b, struct whistle_client *c, struct slice *ret_bytes) {
    PbEnvelope *e = NULL;
    int64_t end = patience_ends_ns();
    while ((e = broker_poll(b, CODEC_ENVELOPE, ret_bytes)) == NULL) {
        const PbReply *reply;
        assert_true(patient(end));
        assert_int_equal(whistle_next(c, 2, &reply), 0);
    }
    return e;
}

static bool hears_nothing(struct broker *b, struct whistle_client *c) {
    for (int i = 0; i < 10; i++) {
        const PbReply *reply;
        assert_int_equal(whistle_next(c, 2, &reply), 0);
        if (broker_poll(b, CODEC_ENVELOPE, NULL) != NULL)
            return false;
    }
    return true;
}

static void answer(struct broker *b, const uint8_t id[16], uint64_t seq) {
    PbDone done = {.has_seq = true, .seq = seq};
    PbReply reply = {.reply_case = REPLY_DONE, .done = &done}, *replies[] = {&reply};
    PbReplies all = {.n_replies = 1, .replies = replies};
    reply.has_command_id = true;
    reply.command_id = (ProtobufCBinaryData){.len = 16, .data = (uint8_t *)(uintptr_t)id};
    broker_say_message(b, CODEC_REPLIES, &all);
}

static void refuse(struct broker *b, const uint8_t id[16], PbRefusal code) {
    PbRefused refused = {.has_code = true, .code = code};
    PbReply reply = {.reply_case = REPLY_REFUSED, .refused = &refused}, *replies[] = {&reply};
    PbReplies all = {.n_replies = 1, .replies = replies};
    reply.has_command_id = true;
    reply.command_id = (ProtobufCBinaryData){.len = 16, .data = (uint8_t *)(uintptr_t)id};
    broker_say_message(b, CODEC_REPLIES, &all);
}

static void assert_done(struct whistle_client *c, const uint8_t id[16], uint64_t seq) {
    const PbReply *reply;
    assert_int_equal(whistle_next(c, PATIENCE_MS, &reply), 1);
    assert_int_equal(reply->reply_case, REPLY_DONE);
    assert_memory_equal(reply->command_id.data, id, 16);
    assert_int_equal(reply->done->seq, seq);
}

/* ---- ids --------------------------------------------------------------------------------------------------------- */

static void ids_are_uuids_ordered_by_time_and_then_by_seed(void **state) {
    (void)state;
    static const uint64_t seeds[] = {0, 1, 4095, UINT64_C(1) << 61, UINT64_C(1) << 62, UINT64_MAX};
    uint8_t before[16] = {0}, id[16], again[16];
    for (int64_t at = 1771032600000; at < 1771032600003; at++)
        for (size_t i = 0; i < COUNT_OF(seeds); i++) {
            whistle_id(id, at, &seeds[i]);
            assert_int_equal(get_be64(id) >> 16, at);
            assert_int_equal(id[6] >> 4, 7);
            assert_int_equal(id[8] >> 6, 2);
            assert_true(memcmp(before, id, sizeof(id)) < 0);
            memcpy(before, id, sizeof(id));
        }
    whistle_id(id, 1771032600000, NULL);
    whistle_id(again, 1771032600000, NULL);
    assert_memory_not_equal(id, again, sizeof(id));
    assert_memory_equal(id, again, 6);
    assert_int_equal(again[6] >> 4, 7);
    assert_int_equal(again[8] >> 6, 2);
}

/* ---- sending and being answered ---------------------------------------------------------------------------------- */

static void a_command_is_filled_in_sent_and_answered(void **state) {
    struct broker *b = *state;
    struct whistle_client *c = client_of(b, 4);
    PbNote note = {.has_case_id = true, .case_id = 7};
    PbEnvelope e = {.command_case = COMMAND_NOTE, .note = &note};
    uint8_t id[16];
    assert_int_equal(whistle_send(c, &e, id), 0);
    assert_false(e.has_version || e.has_command_id || e.has_sent_at_ms);
    assert_int_equal(whistle_in_flight(c), 1);

    const PbEnvelope *heard = hear(b, c, NULL);
    assert_int_equal(heard->version, PROTOCOL_VERSION);
    assert_memory_equal(heard->command_id.data, id, 16);
    assert_true(heard->has_sent_at_ms && heard->sent_at_ms > 1700000000000);
    assert_int_equal(heard->note->case_id, 7);
    answer(b, id, 42);
    assert_done(c, id, 42);
    assert_int_equal(whistle_in_flight(c), 0);
    assert_int_equal(whistle_client_counts(c)->sent, 1);
    assert_int_equal(whistle_client_counts(c)->resent, 0);
    whistle_client_close(c);
}

static void what_the_caller_filled_in_is_kept(void **state) {
    struct broker *b = *state;
    struct whistle_client *c = client_of(b, 4);
    uint8_t id[16], told[16];
    whistle_id(id, 1771032600000, NULL);
    PbNote note = {.has_case_id = true, .case_id = 7};
    PbEnvelope e = {
        .has_version = true, .version = 9, .has_sent_at_ms = true, .sent_at_ms = 1771032600000, .has_command_id = true,
        .command_id = {.len = 16, .data = id}, .command_case = COMMAND_NOTE, .note = &note,
    };
    assert_int_equal(whistle_send(c, &e, told), 0);
    assert_memory_equal(told, id, 16);
    const PbEnvelope *heard = hear(b, c, NULL);
    assert_int_equal(heard->version, 9);
    assert_int_equal(heard->sent_at_ms, 1771032600000);
    assert_memory_equal(heard->command_id.data, id, 16);
    whistle_client_close(c);
}

static void replies_come_in_any_order_and_many_at_once(void **state) {
    struct broker *b = *state;
    struct whistle_client *c = client_of(b, 3);
    uint8_t ids[3][16], unknown[16] = {1};
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(send_note(c, i + 1, ids[i]), 0);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(hear(b, c, NULL)->note->case_id, i + 1);

    const uint8_t *order[] = {ids[2], unknown, ids[0], ids[2], ids[1]};
    PbDone done[5];
    PbReply reply[5], *replies[5];
    for (unsigned i = 0; i < 5; i++) {
        done[i] = (PbDone){.has_seq = true, .seq = i + 1};
        reply[i] = (PbReply){.reply_case = REPLY_DONE, .done = &done[i], .has_command_id = true};
        reply[i].command_id = (ProtobufCBinaryData){.len = 16, .data = (uint8_t *)(uintptr_t)order[i]};
        replies[i] = &reply[i];
    }
    PbReplies all = {.n_replies = 5, .replies = replies};
    broker_say_message(b, CODEC_REPLIES, &all);
    assert_done(c, ids[2], 1);
    assert_done(c, ids[0], 3);
    assert_done(c, ids[1], 5);
    assert_int_equal(whistle_client_counts(c)->answered, 3);
    assert_int_equal(whistle_client_counts(c)->strays, 2);
    whistle_client_close(c);
}

static void a_full_window_says_so_and_takes_more_when_answered(void **state) {
    struct broker *b = *state;
    struct whistle_client *c = client_of(b, 2);
    uint8_t ids[2][16], more[16];
    assert_int_equal(send_note(c, 1, ids[0]), 0);
    assert_int_equal(send_note(c, 2, ids[1]), 0);
    assert_int_equal(send_note(c, 3, more), -EAGAIN);
    hear(b, c, NULL);
    hear(b, c, NULL);
    answer(b, ids[1], 1);
    assert_done(c, ids[1], 1);
    assert_int_equal(send_note(c, 3, more), 0);
    assert_int_equal(send_note(c, 4, NULL), -EAGAIN);
    assert_int_equal(whistle_forget(c, ids[0]), 0);
    assert_int_equal(whistle_forget(c, ids[0]), -ENOENT);
    assert_int_equal(send_note(c, 4, NULL), 0);
    whistle_client_close(c);
}

static void what_could_never_be_answered_is_not_sent(void **state) {
    struct broker *b = *state;
    struct whistle_client *c = client_of(b, 2);
    static char text[WHISTLE_ENVELOPE_BYTES_MAX + 1];
    uint8_t id[16] = {7};
    PbNote note = {.has_case_id = true, .case_id = 1, .text = text};
    PbEnvelope e = {.command_case = COMMAND_NOTE, .note = &note};
    memset(text, 'x', sizeof(text) - 1);
    assert_int_equal(whistle_send(c, &e, NULL), -EMSGSIZE);
    note.text = NULL;
    e.has_command_id = true;
    e.command_id = (ProtobufCBinaryData){.len = 15, .data = id};
    assert_int_equal(whistle_send(c, &e, NULL), -EBADMSG);
    e.command_id.len = 16;
    assert_int_equal(whistle_send(c, &e, NULL), 0);
    assert_int_equal(whistle_send(c, &e, NULL), -EEXIST);
    assert_int_equal(hear(b, c, NULL)->note->case_id, 1);
    assert_true(hears_nothing(b, c));
    whistle_client_close(c);
}

static void what_cannot_be_opened_is_not(void **state) {
    struct broker *b = *state;
    struct whistle_client *c = NULL;
    const struct whistle_client_options bad[] = {
        {.endpoint = NULL, .window = 1}, {.endpoint = b->ipc, .window = 0},
        {.endpoint = b->ipc, .window = WHISTLE_WINDOW_MAX + 1}, {.endpoint = "carrier-pigeon://roof", .window = 1},
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_int_equal(whistle_client_open(&c, &bad[i]), -EINVAL);
    assert_null(c);
}

/* ---- again ------------------------------------------------------------------------------------------------------- */

static void silence_brings_the_same_bytes_again_and_waits_longer_each_time(void **state) {
    struct broker *b = *state;
    struct whistle_client *c = client_of(b, 4);
    struct slice bytes;
    uint8_t id[16], first[512];
    assert_int_equal(send_note(c, 1, id), 0);
    hear(b, c, &bytes);
    size_t len = bytes.len;
    memcpy(first, bytes.at, len);
    static const int waits[] = {1000, 2000, 4000, 5000, 5000};
    for (size_t i = 0; i < COUNT_OF(waits); i++) {
        time_passes_ms(waits[i] / 2);
        assert_true(hears_nothing(b, c));
        time_passes_ms(waits[i] / 2);
        hear(b, c, &bytes);
        assert_int_equal(bytes.len, len);
        assert_memory_equal(bytes.at, first, len);
    }
    assert_int_equal(whistle_client_counts(c)->resent, COUNT_OF(waits));
    answer(b, id, 1);
    assert_done(c, id, 1);
    time_passes_ms(60000);
    assert_true(hears_nothing(b, c));
    whistle_client_close(c);
}

static void a_broker_that_answers_others_is_not_told_twice_for_five_seconds(void **state) {
    struct broker *b = *state;
    struct whistle_client *c = client_of(b, 4);
    uint8_t waits[16], others[16];
    assert_int_equal(send_note(c, 1, waits), 0);
    hear(b, c, NULL);
    for (int second = 0; second < 4; second++) {
        time_passes_ms(900);
        assert_int_equal(send_note(c, 2, others), 0);
        assert_int_equal(hear(b, c, NULL)->note->case_id, 2);
        answer(b, others, 1);
        assert_done(c, others, 1);
    }
    time_passes_ms(900);
    assert_true(hears_nothing(b, c));
    time_passes_ms(500);
    assert_int_equal(hear(b, c, NULL)->note->case_id, 1);
    whistle_client_close(c);
}

static void a_restart_of_the_broker_loses_nothing_and_keeps_the_order(void **state) {
    struct broker *b = *state;
    struct whistle_client *c = client_of(b, 8);
    uint8_t ids[6][16];
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(send_note(c, i, ids[i]), 0);
    for (unsigned i = 0; i < 3; i++)
        hear(b, c, NULL);
    broker_dies(b);
    for (unsigned i = 3; i < 6; i++)
        assert_int_equal(send_note(c, i, ids[i]), 0);
    time_passes_ms(6000);
    broker_starts(b);
    bool heard[6] = {false};
    for (unsigned count = 0; count < 6;) {
        uint64_t i = hear(b, c, NULL)->note->case_id;
        assert_in_range(i, 0, 5);
        count += !heard[i];
        heard[i] = true;
        time_passes_ms(100);
    }
    for (unsigned i = 0; i < 6; i++) {
        answer(b, ids[i], i);
        assert_done(c, ids[i], i);
    }
    assert_int_equal(whistle_in_flight(c), 0);
    whistle_client_close(c);
}

static void nobody_needs_to_be_there_yet(void **state) {
    struct broker *b = *state;
    broker_dies(b);
    struct whistle_client *c = client_of(b, 4);
    const PbReply *reply;
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(send_note(c, i, NULL), 0);
    assert_int_equal(whistle_next(c, 20, &reply), 0);
    assert_int_equal(whistle_client_counts(c)->sent, 0);
    broker_starts(b);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(hear(b, c, NULL)->note->case_id, i);
    assert_int_equal(whistle_client_counts(c)->sent, 4);
    whistle_client_close(c);
}

static void busy_is_no_answer_and_is_waited_out(void **state) {
    struct broker *b = *state;
    struct whistle_client *c = client_of(b, 4);
    static const PbRefusal not_now[] = {REFUSED_BUSY, REFUSED_RETRY_LATER, REFUSED_STOPPING, REFUSED_BUSY, REFUSED_BUSY,
                                        REFUSED_BUSY};
    static const int waits[] = {100, 200, 400, 800, 1600, 2000};
    struct slice bytes;
    uint8_t id[16], first[512];
    assert_int_equal(send_note(c, 1, id), 0);
    hear(b, c, &bytes);
    size_t len = bytes.len;
    memcpy(first, bytes.at, len);
    for (size_t i = 0; i < COUNT_OF(not_now); i++) {
        const PbReply *reply;
        refuse(b, id, not_now[i]);
        while (whistle_client_counts(c)->held_off == i)
            assert_int_equal(whistle_next(c, 1, &reply), 0);
        if (waits[i] >= 400) {                    /* looking takes time itself */
            time_passes_ms(waits[i] / 2);
            assert_true(hears_nothing(b, c));
        }
        time_passes_ms(waits[i] + waits[i] / 4);
        hear(b, c, &bytes);
        assert_int_equal(bytes.len, len);
        assert_memory_equal(bytes.at, first, len);
    }
    assert_int_equal(whistle_client_counts(c)->held_off, COUNT_OF(not_now));
    answer(b, id, 5);
    assert_done(c, id, 5);
    whistle_client_close(c);
}

static void every_other_refusal_is_an_answer(void **state) {
    struct broker *b = *state;
    struct whistle_client *c = client_of(b, 1);
    const PbReply *reply;
    uint8_t id[16];
    assert_int_equal(send_note(c, 1, id), 0);
    hear(b, c, NULL);
    refuse(b, id, REFUSED_NO_SUCH_CASE);
    assert_int_equal(whistle_next(c, PATIENCE_MS, &reply), 1);
    assert_int_equal(reply->refused->code, REFUSED_NO_SUCH_CASE);
    assert_int_equal(whistle_in_flight(c), 0);
    whistle_client_close(c);
}

static void noise_from_the_broker_is_passed_over(void **state) {
    struct broker *b = *state;
    struct whistle_client *c = client_of(b, 1);
    const struct slice noise[] = {SLICE("\xff\xff"), SLICE("x")};
    uint8_t id[16];
    assert_int_equal(send_note(c, 1, id), 0);
    hear(b, c, NULL);
    broker_say(b, noise, 1);
    broker_say(b, noise, 2);
    answer(b, id, 1);
    assert_done(c, id, 1);
    assert_int_equal(whistle_client_counts(c)->unreadable, 2);
    whistle_client_close(c);
}

/* ---- one command, one answer ------------------------------------------------------------------------------------- */

static void a_call_without_an_answer_is_unknown_and_its_late_answer_is_not_shown(void **state) {
    struct broker *b = *state;
    struct whistle_client *c = client_of(b, 2);
    PbAskStatus ask = {.has_digest = false};
    PbEnvelope e = {.command_case = COMMAND_ASK_STATUS, .ask_status = &ask};
    const PbReply *reply;
    assert_int_equal(whistle_call(c, &e, 30, &reply), -ETIMEDOUT);
    assert_int_equal(whistle_in_flight(c), 0);
    const PbEnvelope *heard = hear(b, c, NULL);
    answer(b, heard->command_id.data, 1);

    uint8_t id[16];
    assert_int_equal(send_note(c, 2, id), 0);
    assert_int_equal(whistle_call(c, &e, 30, &reply), -EBUSY);
    hear(b, c, NULL);
    answer(b, id, 2);
    assert_done(c, id, 2);
    assert_int_equal(whistle_client_counts(c)->strays, 1);
    whistle_client_close(c);
}

static void a_call_brings_its_answer(void **state) {
    struct broker *b = *state;
    struct whistle_client *c = client_of(b, 1);
    uint8_t id[16] = {3};
    PbAskStatus ask = {.has_digest = false};
    PbEnvelope e = {.command_case = COMMAND_ASK_STATUS, .ask_status = &ask, .has_command_id = true};
    e.command_id = (ProtobufCBinaryData){.len = 16, .data = id};
    const PbReply *reply;
    assert_int_equal(whistle_call(c, &e, 30, &reply), -ETIMEDOUT);
    hear(b, c, NULL);
    answer(b, id, 9);                             /* asked again under the same id, the old answer is the answer */
    assert_int_equal(whistle_call(c, &e, PATIENCE_MS, &reply), 0);
    assert_int_equal(reply->done->seq, 9);
    whistle_client_close(c);
}

/* ---- the window by itself ---------------------------------------------------------------------------------------- */

static void commands_of_all_sizes_come_and_go_in_any_order(void **state) {
    (void)state;
    enum { SIZE = 64, ROUNDS = 20000 };
    static uint8_t bytes[WHISTLE_ENVELOPE_BYTES_MAX], back[WHISTLE_ENVELOPE_BYTES_MAX];
    struct { uint8_t id[16]; size_t len; bool there; } model[SIZE] = {0};
    struct window *w = window_open(SIZE);
    unsigned count = 0, refused = 0;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        unsigned i = (unsigned)rand() % SIZE;
        if (model[i].there) {
            uint32_t at = window_find(w, model[i].id);
            memset(bytes, (int)i, model[i].len);
            assert_true(slice_equal(window_bytes(w, at, back), slice_from(bytes, model[i].len)));
            window_remove(w, at);
            assert_int_equal(window_find(w, model[i].id), WINDOW_NONE);
            model[i].there = false;
            count--;
        } else {
            uint64_t seed = round;
            whistle_id(model[i].id, 1771032600000, &seed);
            model[i].len = 1 + (size_t)rand() % (round % 50 == 0 ? sizeof(bytes) : 2000);
            memset(bytes, (int)i, model[i].len);
            model[i].there = window_add(w, model[i].id, slice_from(bytes, model[i].len)) != WINDOW_NONE;
            count += model[i].there;
            refused += !model[i].there;
        }
        assert_int_equal(window_count(w), count);
    }
    assert_true(refused > 0 && refused < ROUNDS / 4);            /* for want of bytes, now and then */
    for (unsigned i = 0; i < SIZE; i++)
        assert_int_equal(window_find(w, model[i].id) != WINDOW_NONE, model[i].there);
    unsigned seen = 0;
    for (uint32_t at = window_first(w, WINDOW_ORDER); at != WINDOW_NONE; at = window_after(w, WINDOW_ORDER, at))
        seen++;
    assert_int_equal(seen, count);
    window_close(w);
}

int main(void) {
#define STORY(name) cmocka_unit_test_setup_teardown(name, broker_open, broker_close)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_are_uuids_ordered_by_time_and_then_by_seed),
        STORY(a_command_is_filled_in_sent_and_answered),
        STORY(what_the_caller_filled_in_is_kept),
        STORY(replies_come_in_any_order_and_many_at_once),
        STORY(a_full_window_says_so_and_takes_more_when_answered),
        STORY(what_could_never_be_answered_is_not_sent),
        STORY(what_cannot_be_opened_is_not),
        STORY(silence_brings_the_same_bytes_again_and_waits_longer_each_time),
        STORY(a_broker_that_answers_others_is_not_told_twice_for_five_seconds),
        STORY(a_restart_of_the_broker_loses_nothing_and_keeps_the_order),
        STORY(nobody_needs_to_be_there_yet),
        STORY(busy_is_no_answer_and_is_waited_out),
        STORY(every_other_refusal_is_an_answer),
        STORY(noise_from_the_broker_is_passed_over),
        STORY(a_call_without_an_answer_is_unknown_and_its_late_answer_is_not_shown),
        STORY(a_call_brings_its_answer),
        cmocka_unit_test(commands_of_all_sizes_come_and_go_in_any_order),
    };
    return cmocka_run_group_tests_name("client", tests, NULL, NULL);
}
