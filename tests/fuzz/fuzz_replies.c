/* What whistlectl shows of what a broker says: any event as a line of a story, any case as a row, any reply as JSON.
 * Whatever people wrote, a terminal is not told to do anything by it, and no line is longer than it may be. */
#include "tests/fuzz/fuzz.h"
#include "ctl/ctl.h"
#include "ctl/top.h"
#include "tests/unit/rules_fixture.h"

#include <string.h>

enum { ROOM_BYTES = 8 << 20, SHOWN_BYTES = 1 << 16, JSON_BYTES = 1 << 20, EVENTS_MAX = 8 };
static uint8_t memory[ROOM_BYTES];
static char shown[SHOWN_BYTES], json[JSON_BYTES];

/* Nothing that moves the cursor, turns the text round or is no text at all. */
static void check_shown(const char *text, bool lines) {
    CHECK(utf8_valid(slice_of(text)));
    for (const char *at = text; *at; at++) {
        CHECK((uint8_t)*at >= ' ' || (lines && *at == '\n'));
        CHECK(*at != 0x7f && !(memcmp(at, "\xC2", 1) == 0 && (uint8_t)at[1] < 0xA0));
    }
}

static void show_clean(const char *text, unsigned columns) {
    text_clean(text, columns, shown, sizeof shown);
    check_shown(shown, false);
    CHECK(text_width(shown) <= columns);
}

static void *drawn(enum codec_type type, struct tape *t, struct arena *room) {
    struct draw_world w = {.rules = fixture_rules(), .now_ms = FIXTURE_MONDAY_MS, .cases = 9};
    return draw(codec_descriptor(type), t, &w, room);
}

static void try_story(const struct ctl *c, struct tape *t, struct arena *room) {
    struct story s = {.c = c, .names = drawn(CODEC_CASE_VIEW, t, room)};
    char line[LINE_BYTES];
    for (unsigned i = 0; i < EVENTS_MAX && !tape_over(t); i++) {
        const PbEvent *e = drawn(CODEC_EVENT, t, room);
        memset(line, 'x', sizeof line);
        story_words(&s, e, line);
        CHECK(memchr(line, 0, sizeof line));
        show_clean(line, 1 + tape_byte(t) * 4u);
    }
}

static void try_rows(const struct ctl *c, struct tape *t, struct arena *room) {
    static struct top_count n;
    static char frame[TOP_FRAME_BYTES];
    struct sheet *sheet;
    struct top_view v = {.now_ms = c->now_ms, .epoch = (uint64_t)tape_number(t), .open = (uint64_t)tape_number(t)};
    memset(&n, 0, sizeof n);
    case_sheet(c, &sheet);
    for (unsigned i = 0; i < EVENTS_MAX && !tape_over(t); i++) {
        const PbCaseView *view = drawn(CODEC_CASE_VIEW, t, room);
        case_row(c, sheet, view);
        top_count_case(&n, view, c->now_ms);
    }
    sheet_write(sheet, shown, sizeof shown);
    check_shown(shown, true);
    top_frame(c, &v, &n, 20 + tape_byte(t), 5 + tape_byte(t) % 60, frame);
    CHECK(memchr(frame, 0, sizeof frame));
    check_shown(frame, true);
}

static void try_json(struct tape *t, struct arena *room) {
    static const enum codec_type types[] = {CODEC_REPLY, CODEC_UPDATE, CODEC_CASE_VIEW, CODEC_RECORD};
    enum codec_type type = types[tape_below(t, COUNT_OF(types))];
    if (codec_json(type, drawn(type, t, room), json, sizeof json) >= sizeof json) return;
    for (const char *at = json; *at; at++) CHECK((uint8_t)*at >= ' ');
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len) {
    struct tape t = tape_of(at, len);
    struct arena room;
    uint8_t how = tape_byte(&t);
    struct ctl c = {
        .language = how & 4 ? LANGUAGE_ZH : LANGUAGE_EN, .zone_s = how & 8 ? 28800 : 0, .now_ms = FIXTURE_MONDAY_MS,
    };
    arena_wrap(&room, memory, sizeof memory);
    switch (how & 3) {
    case 0: try_story(&c, &t, &room); break;
    case 1: try_rows(&c, &t, &room); break;
    case 2: try_json(&t, &room); break;
    default: {
        unsigned columns = 1 + tape_byte(&t);
        show_clean(arena_text(&room, tape_bytes(&t, len)), columns);
    }
    }
    return 0;
}
