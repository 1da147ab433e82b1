/* test_client_feed.c: a console's side of libwhistle: no gap, no repeat, whatever becomes of the broker. */
#include "lib/client/whistle.h"

#include <errno.h>
#include <setjmp.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/fake_broker.h"

static const uint64_t PREFIXES[] = {610402, 610402006001};

static struct whistle_feed *feed_of(struct broker *b, uint64_t from_seq, bool snapshot) {
    struct whistle_feed *f;
    const struct whistle_feed_options o = {
        .endpoint = b->ipc, .prefixes = PREFIXES, .prefixes_count = COUNT_OF(PREFIXES), .from_seq = from_seq,
        .snapshot = snapshot,
    };
    assert_int_equal(whistle_feed_open(&f, &o), 0);
    return f;
}

/* ---- the broker's side ------------------------------------------------------------------------------------------- */

/* The next frame the broker hears; the console has nothing for its caller meanwhile. Heartbeats are not counted. */
static PbConsoleFrame *hear(struct broker *b, struct whistle_feed *f) {
    struct whistle_update u;
    int64_t end = patience_ends_ns();
    for (;;) {
        PbConsoleFrame *frame = broker_poll(b, CODEC_CONSOLE_FRAME, NULL);
        if (frame != NULL && frame->console_says_case != CONSOLE_SAYS_HEARTBEAT) {
            assert_int_equal(frame->version, PROTOCOL_VERSION);
            return frame;
        }
        assert_true(patient(end));
        if (frame == NULL)
            assert_int_equal(whistle_feed_next(f, 2, &u), 0);
    }
}

static void say(struct broker *b, PbFeedKind kind, uint64_t session_seq, uint64_t seq, struct slice body) {
    uint8_t memory[64];
    struct arena room;
    PbFeedHead head = {
        .has_session_seq = true, .session_seq = session_seq, .has_kind = true, .kind = kind, .has_seq = true,
        .seq = seq,
    };
    arena_wrap(&room, memory, sizeof(memory));
    struct slice frames[] = {codec_packed(CODEC_FEED_HEAD, &head, &room), body};
    broker_say(b, frames, 2);
}

static void say_update(struct broker *b, uint64_t seq) {
    uint8_t memory[128];
    struct arena room;
    PbNoted noted = {.party = NULL};
    PbEvent event = {.event_case = EVENT_NOTED, .noted = &noted}, *events[] = {&event};
    PbUpdate update = {.has_first_seq = true, .first_seq = seq, .has_case_id = true, .case_id = 7, .n_events = 1,
                       .events = events};
    arena_wrap(&room, memory, sizeof(memory));
    say(b, FEED_UPDATE, ++b->session_seq, seq, codec_packed(CODEC_UPDATE, &update, &room));
}

static void say_row(struct broker *b, uint64_t case_id) {
    uint8_t memory[128];
    struct arena room;
    PbCaseView view = {.has_case_id = true, .case_id = case_id};
    arena_wrap(&room, memory, sizeof(memory));
    say(b, FEED_SNAPSHOT, ++b->session_seq, case_id, codec_packed(CODEC_CASE_VIEW, &view, &room));
}

static void say_welcome_in(struct broker *b, uint64_t epoch) {
    uint8_t memory[64];
    struct arena room;
    PbWelcome welcome = {.has_epoch = epoch != 0, .epoch = epoch};
    arena_wrap(&room, memory, sizeof(memory));
    b->session_seq = 0;
    say(b, FEED_WELCOME, 0, 0, codec_packed(CODEC_WELCOME, &welcome, &room));
}

static void say_welcome(struct broker *b) {
    say_welcome_in(b, 0);
}

static void say_refused(struct broker *b, PbRefusal code) {
    uint8_t memory[64];
    struct arena room;
    PbRefused refused = {.has_code = true, .code = code};
    arena_wrap(&room, memory, sizeof(memory));
    say(b, FEED_REFUSED, 0, 0, codec_packed(CODEC_REFUSED, &refused, &room));
}

/* hello and subscribe; answered with a welcome. */
static PbSubscribe *greeted(struct broker *b, struct whistle_feed *f) {
    assert_int_equal(hear(b, f)->console_says_case, CONSOLE_SAYS_HELLO);
    say_welcome(b);
    const PbConsoleFrame *frame = hear(b, f);
    assert_int_equal(frame->console_says_case, CONSOLE_SAYS_SUBSCRIBE);
    return frame->subscribe;
}

static struct whistle_update next(struct whistle_feed *f, enum whistle_feed_kind kind, uint64_t seq) {
    struct whistle_update u;
    assert_int_equal(whistle_feed_next(f, PATIENCE_MS, &u), 1);
    assert_int_equal(u.kind, kind);
    assert_int_equal(u.seq, seq);
    return u;
}

static void nothing_more(struct whistle_feed *f) {
    struct whistle_update u;
    assert_int_equal(whistle_feed_next(f, 20, &u), 0);
}

/* ---- stories ----------------------------------------------------------------------------------------------------- */

static void a_console_asks_for_what_comes_after_its_seq_and_is_given_it(void **state) {
    struct broker *b = *state;
    struct whistle_feed *f = feed_of(b, 40, false);
    const PbSubscribe *s = greeted(b, f);
    assert_int_equal(s->n_prefixes, 2);
    assert_int_equal(s->prefixes[1], PREFIXES[1]);
    assert_int_equal(s->from_seq, 40);
    assert_int_equal(s->credit, 1024);
    assert_false(s->snapshot);

    say_update(b, 41);
    say_update(b, 45);
    say(b, FEED_LIVE, ++b->session_seq, 50, SLICE(""));
    struct whistle_update u = next(f, WHISTLE_UPDATE, 41);
    assert_int_equal(u.update->case_id, 7);
    assert_int_equal(u.update->events[0]->event_case, EVENT_NOTED);
    assert_true(u.bytes.len > 0);
    next(f, WHISTLE_UPDATE, 45);
    next(f, WHISTLE_LIVE, 50);
    nothing_more(f);
    assert_int_equal(whistle_feed_counts(f)->updates, 2);
    whistle_feed_close(f);
}

static void a_gap_is_seen_and_mended_without_a_repeat(void **state) {
    struct broker *b = *state;
    struct whistle_feed *f = feed_of(b, 0, false);
    greeted(b, f);
    say_update(b, 1);
    b->session_seq++;                             /* one is lost on the way */
    say_update(b, 3);
    say_update(b, 4);
    next(f, WHISTLE_UPDATE, 1);
    const PbSubscribe *s = greeted(b, f);
    assert_int_equal(s->from_seq, 1);
    for (uint64_t seq = 1; seq <= 4; seq++)       /* more than was asked for: what it has is not given again */
        say_update(b, seq);
    for (uint64_t seq = 2; seq <= 4; seq++)
        next(f, WHISTLE_UPDATE, seq);
    nothing_more(f);
    assert_int_equal(whistle_feed_counts(f)->gaps, 1);
    assert_int_equal(whistle_feed_counts(f)->repeats, 1);
    assert_int_equal(whistle_feed_counts(f)->subscribed, 2);
    whistle_feed_close(f);
}

static void what_an_old_session_still_sends_is_not_looked_at(void **state) {
    struct broker *b = *state;
    struct whistle_feed *f = feed_of(b, 0, false);
    greeted(b, f);
    say_update(b, 1);
    b->session_seq++;
    say_update(b, 3);
    next(f, WHISTLE_UPDATE, 1);
    assert_int_equal(hear(b, f)->console_says_case, CONSOLE_SAYS_HELLO);
    assert_int_equal(hear(b, f)->console_says_case, CONSOLE_SAYS_SUBSCRIBE);
    say_update(b, 4);                             /* on its way before hello came */
    nothing_more(f);
    say_welcome(b);
    say_update(b, 2);
    next(f, WHISTLE_UPDATE, 2);
    assert_int_equal(whistle_feed_counts(f)->gaps, 1);
    whistle_feed_close(f);
}

static void a_restart_of_the_broker_is_told_and_leaves_no_gap_and_no_repeat(void **state) {
    struct broker *b = *state;
    struct whistle_feed *f = feed_of(b, 0, false);
    greeted(b, f);
    say_update(b, 1);
    next(f, WHISTLE_UPDATE, 1);
    broker_dies(b);
    time_passes_ms(2000);                         /* the next heartbeat finds nobody */
    next(f, WHISTLE_LOST_CONTACT, 1);
    nothing_more(f);
    time_passes_ms(60000);                        /* however long it takes */
    broker_starts(b);
    assert_int_equal(greeted(b, f)->from_seq, 1);
    say_update(b, 2);
    next(f, WHISTLE_BACK, 1);
    next(f, WHISTLE_UPDATE, 2);
    nothing_more(f);
    whistle_feed_close(f);
}

static void a_restart_unnoticed_shows_by_no_session(void **state) {
    struct broker *b = *state;
    struct whistle_feed *f = feed_of(b, 0, false);
    greeted(b, f);
    say_update(b, 1);
    next(f, WHISTLE_UPDATE, 1);
    say_refused(b, REFUSED_NO_SESSION);
    assert_int_equal(greeted(b, f)->from_seq, 1);
    say_update(b, 2);
    next(f, WHISTLE_UPDATE, 2);                   /* and nobody was lost */
    whistle_feed_close(f);
}

static void a_goodbye_is_followed_by_a_hello_later(void **state) {
    struct broker *b = *state;
    struct whistle_feed *f = feed_of(b, 0, false);
    greeted(b, f);
    say(b, FEED_GOODBYE, 0, 0, SLICE(""));
    assert_int_equal(greeted(b, f)->from_seq, 0);
    whistle_feed_close(f);
}

static void silence_for_fifteen_seconds_is_a_new_connection(void **state) {
    struct broker *b = *state;
    struct whistle_feed *f = feed_of(b, 0, false);
    greeted(b, f);
    uint32_t old = b->peer.id;
    say_update(b, 1);
    next(f, WHISTLE_UPDATE, 1);
    time_passes_ms(14000);
    nothing_more(f);
    say(b, FEED_HEARTBEAT, 0, 1, SLICE(""));
    nothing_more(f);
    time_passes_ms(14000);                        /* any frame counts */
    nothing_more(f);
    time_passes_ms(1500);
    assert_int_equal(greeted(b, f)->from_seq, 1);
    assert_int_not_equal(b->peer.id, old);
    whistle_feed_close(f);
}

static void silence_is_told_when_nobody_answers_the_new_connection_either(void **state) {
    struct broker *b = *state;
    struct whistle_feed *f = feed_of(b, 0, false);
    greeted(b, f);
    nothing_more(f);
    time_passes_ms(15500);
    nothing_more(f);
    time_passes_ms(1500);
    next(f, WHISTLE_LOST_CONTACT, 0);
    whistle_feed_close(f);
}

static void a_snapshot_comes_first_and_begins_again_when_it_is_broken_off(void **state) {
    struct broker *b = *state;
    struct whistle_feed *f = feed_of(b, 0, true);
    const PbSubscribe *s = greeted(b, f);
    assert_true(s->snapshot);
    assert_false(s->has_from_seq);
    say_row(b, 3);
    assert_int_equal(next(f, WHISTLE_SNAPSHOT, 3).case_view->case_id, 3);
    say_refused(b, REFUSED_NO_SESSION);
    assert_true(greeted(b, f)->snapshot);
    say_row(b, 3);
    say_row(b, 5);
    say_update(b, 4);                             /* older than a row, and still told */
    next(f, WHISTLE_SNAPSHOT, 3);
    next(f, WHISTLE_SNAPSHOT, 5);
    next(f, WHISTLE_UPDATE, 4);
    say_refused(b, REFUSED_NO_SESSION);
    s = greeted(b, f);                            /* the snapshot is over: on from the last seq */
    assert_false(s->snapshot);
    assert_int_equal(s->from_seq, 4);
    whistle_feed_close(f);
}

static void another_past_is_told_and_begun_with_a_snapshot(void **state) {
    struct broker *b = *state;
    struct whistle_feed *f = feed_of(b, 900, false);
    greeted(b, f);
    say(b, FEED_RESYNC, ++b->session_seq, 12, SLICE(""));
    next(f, WHISTLE_OTHER_PAST, 0);
    assert_true(greeted(b, f)->snapshot);
    say_update(b, 13);
    next(f, WHISTLE_UPDATE, 13);
    assert_int_equal(whistle_feed_counts(f)->resyncs, 1);
    whistle_feed_close(f);
}

/* By which the broker knows a restored store's other records under the same seqs. A welcome alone is no proof that the
 * seq is of its past: only what was told after it is. */
static void the_epoch_in_which_the_last_seq_was_told_goes_with_it(void **state) {
    struct broker *b = *state;
    struct whistle_feed *f = feed_of(b, 40, false);
    for (uint64_t epoch = 5; epoch <= 7; epoch++) {
        hear(b, f);
        say_welcome_in(b, epoch);
        const PbSubscribe *s = hear(b, f)->subscribe;
        assert_int_equal(s->from_seq, epoch == 7 ? 41 : 40);
        assert_int_equal(s->has_epoch, epoch == 7);
        assert_int_equal(s->epoch, epoch == 7 ? 6 : 0);
        if (epoch == 6) {
            say_update(b, 41);
            assert_int_equal(next(f, WHISTLE_UPDATE, 41).epoch, 6);
        }
        say_refused(b, REFUSED_NO_SESSION);
    }
    whistle_feed_close(f);
}

static void a_refusal_is_told_and_tried_again_later(void **state) {
    struct broker *b = *state;
    struct whistle_feed *f = feed_of(b, 0, false);
    assert_int_equal(hear(b, f)->console_says_case, CONSOLE_SAYS_HELLO);
    say_refused(b, REFUSED_TOO_MANY_SESSIONS);
    say_refused(b, REFUSED_NO_SESSION);           /* the subscription that went with it */
    hear(b, f);
    assert_int_equal(next(f, WHISTLE_REFUSED, 0).refused->code, REFUSED_TOO_MANY_SESSIONS);
    nothing_more(f);
    assert_null(broker_poll(b, CODEC_CONSOLE_FRAME, NULL));
    time_passes_ms(5000);
    greeted(b, f);
    whistle_feed_close(f);
}

/* Hello may have gone out and its subscription not: the line was full. Who takes that for a session waits for ever. */
static void a_welcome_to_a_greeting_that_was_given_up_is_none(void **state) {
    struct broker *b = *state;
    struct whistle_feed *f = feed_of(b, 0, false);
    assert_int_equal(hear(b, f)->console_says_case, CONSOLE_SAYS_HELLO);
    assert_int_equal(hear(b, f)->console_says_case, CONSOLE_SAYS_SUBSCRIBE);
    say_refused(b, REFUSED_TOO_MANY_SESSIONS);
    next(f, WHISTLE_REFUSED, 0);
    say_welcome(b);
    nothing_more(f);
    time_passes_ms(5000);
    say_update(b, 5);
    nothing_more(f);
    greeted(b, f);
    say_update(b, 6);
    next(f, WHISTLE_UPDATE, 6);
    whistle_feed_close(f);
}

static void credit_is_given_back_in_halves(void **state) {
    struct broker *b = *state;
    struct whistle_feed *f = feed_of(b, 0, false);
    greeted(b, f);
    say(b, FEED_LIVE, ++b->session_seq, 0, SLICE(""));           /* costs nothing */
    next(f, WHISTLE_LIVE, 0);
    for (uint64_t seq = 1; seq <= 512; seq++) {
        say_update(b, seq);
        next(f, WHISTLE_UPDATE, seq);
        assert_null(broker_poll(b, CODEC_CONSOLE_FRAME, NULL));
    }
    const PbConsoleFrame *frame = hear(b, f);
    assert_int_equal(frame->console_says_case, CONSOLE_SAYS_CREDIT);
    assert_int_equal(frame->credit->more, 512);
    whistle_feed_close(f);
}

static void what_cannot_be_read_is_passed_over_and_its_seq_taken(void **state) {
    struct broker *b = *state;
    struct whistle_feed *f = feed_of(b, 0, false);
    greeted(b, f);
    say(b, FEED_UPDATE, ++b->session_seq, 8, SLICE("\xff\x7f word of a newer broker"));
    broker_say(b, (const struct slice[]){SLICE("\xff")}, 1);
    say_update(b, 9);
    next(f, WHISTLE_UPDATE, 9);
    assert_int_equal(whistle_feed_counts(f)->unreadable, 2);
    whistle_feed_close(f);
}

static void a_console_that_leaves_says_goodbye(void **state) {
    struct broker *b = *state;
    struct whistle_feed *f = feed_of(b, 0, false);
    greeted(b, f);
    nothing_more(f);
    whistle_feed_close(f);
    const PbConsoleFrame *frame;
    int64_t end = patience_ends_ns();
    while ((frame = broker_poll(b, CODEC_CONSOLE_FRAME, NULL)) == NULL && patient(end))
        poll(NULL, 0, 1);
    assert_non_null(frame);
    assert_int_equal(frame->console_says_case, CONSOLE_SAYS_GOODBYE);
}

static void what_cannot_be_opened_is_not(void **state) {
    struct broker *b = *state;
    struct whistle_feed *f = NULL;
    const struct whistle_feed_options bad[] = {
        {.endpoint = NULL, .prefixes = PREFIXES, .prefixes_count = 1},
        {.endpoint = b->ipc, .prefixes = PREFIXES, .prefixes_count = 0},
        {.endpoint = b->ipc, .prefixes = PREFIXES, .prefixes_count = WHISTLE_PREFIXES_MAX + 1},
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_int_equal(whistle_feed_open(&f, &bad[i]), -EINVAL);
    assert_null(f);
}

int main(void) {
#define STORY(name) cmocka_unit_test_setup_teardown(name, broker_open, broker_close)
    const struct CMUnitTest tests[] = {
        STORY(a_console_asks_for_what_comes_after_its_seq_and_is_given_it),
        STORY(a_gap_is_seen_and_mended_without_a_repeat),
        STORY(what_an_old_session_still_sends_is_not_looked_at),
        STORY(a_restart_of_the_broker_is_told_and_leaves_no_gap_and_no_repeat),
        STORY(a_restart_unnoticed_shows_by_no_session),
        STORY(a_goodbye_is_followed_by_a_hello_later),
        STORY(silence_for_fifteen_seconds_is_a_new_connection),
        STORY(silence_is_told_when_nobody_answers_the_new_connection_either),
        STORY(a_snapshot_comes_first_and_begins_again_when_it_is_broken_off),
        STORY(another_past_is_told_and_begun_with_a_snapshot),
        STORY(the_epoch_in_which_the_last_seq_was_told_goes_with_it),
        STORY(a_refusal_is_told_and_tried_again_later),
        STORY(a_welcome_to_a_greeting_that_was_given_up_is_none),
        STORY(credit_is_given_back_in_halves),
        STORY(what_cannot_be_read_is_passed_over_and_its_seq_taken),
        STORY(a_console_that_leaves_says_goodbye),
        STORY(what_cannot_be_opened_is_not),
    };
    return cmocka_run_group_tests_name("feed", tests, NULL, NULL);
}
