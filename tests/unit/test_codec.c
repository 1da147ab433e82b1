/* Messages of every type with random content go out and come back the same; bytes that nobody should send are refused
 * by name, and cost no more memory than is allowed. The messages are filled along the descriptors, so that a field
 * added to the schema is in these tests already. */
#include "lib/codec/codec.h"

#include <errno.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { FRAME_MAX = 256 * 1024, ROOM = 16 * 1024 * 1024 };

typedef ProtobufCMessageDescriptor descriptor;
typedef ProtobufCFieldDescriptor field;

static struct arena build, room;                          /* messages made here; messages unpacked here */
static uint64_t dice_state = 20260214;

static int set_up(void **state) {
    (void)state;
    arena_wrap(&build, memory_or_die(ROOM), ROOM);
    arena_wrap(&room, memory_or_die(ROOM), ROOM);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    free(build.base);
    free(room.base);
    return 0;
}

static void clear(void) {
    arena_reset(&build);
    arena_reset(&room);
}

static uint64_t dice(void) {                              /* splitmix64 */
    uint64_t z = dice_state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

static uint64_t dice_below(uint64_t n) {
    return dice() % n;
}

static char *text(const char *constant) {                 /* the generated structs know no const */
    return (char *)(uintptr_t)constant;
}

static void *need(void *memory) {
    assert_non_null(memory);
    return memory;
}

/* ---- messages with random content -------------------------------------------------------------------------------- */

static void *random_message(const descriptor *type);

static uint64_t random_number(void) {
    return dice() >> dice_below(64);
}

static size_t random_value(const field *f, void *at) {
    static const char *const texts[] = {
        "", "grid-worker@610402006001003", "占道经营", "\x01\"\\\n\x7f", "\U0001F6A8 é ߿",
    };
    const ProtobufCEnumDescriptor *e = f->descriptor;
    uint64_t number = random_number();
    uint32_t half = (uint32_t)number;
    switch (f->type) {
    case PROTOBUF_C_TYPE_MESSAGE:
        memcpy(at, &(void *){random_message(f->descriptor)}, sizeof(void *));
        return sizeof(void *);
    case PROTOBUF_C_TYPE_STRING:
        memcpy(at, &(char *){need(arena_text(&build, slice_of(texts[dice_below(COUNT_OF(texts))])))}, sizeof(char *));
        return sizeof(char *);
    case PROTOBUF_C_TYPE_BYTES: {
        size_t len = dice_below(40);
        memcpy(at, &(ProtobufCBinaryData){len, memset(need(arena_take(&build, len)), (int)half, len)},
               sizeof(ProtobufCBinaryData));
        return sizeof(ProtobufCBinaryData);
    }
    case PROTOBUF_C_TYPE_ENUM:
        half = (uint32_t)e->values[dice_below(e->n_values)].value;
        break;
    case PROTOBUF_C_TYPE_BOOL:
        half &= 1;
        break;
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_UINT64:
        memcpy(at, &number, sizeof number);
        return sizeof number;
    default:
        break;
    }
    memcpy(at, &half, sizeof half);
    return sizeof half;
}

static void random_field(const field *f, uint8_t *message) {
    uint32_t quantifier = 0;
    if (dice_below(4) == 0)
        return;
    if (f->label == PROTOBUF_C_LABEL_REPEATED) {
        size_t count = dice_below(4);
        uint8_t *entries = need(arena_zero(&build, count * 16)), *to = entries;
        for (size_t i = 0; i < count; i++)
            to += random_value(f, to);
        memcpy(message + f->quantifier_offset, &count, sizeof count);
        memcpy(message + f->offset, &entries, sizeof entries);
        return;
    }
    if (f->quantifier_offset)
        memcpy(&quantifier, message + f->quantifier_offset, sizeof quantifier);
    if (f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF && (quantifier || dice_below(6)))
        return;
    random_value(f, message + f->offset);
    quantifier = f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF ? f->id : 1;
    if (f->quantifier_offset)
        memcpy(message + f->quantifier_offset, &quantifier, sizeof quantifier);
}

/* Built as the kernel builds: zero-filled, and nothing said about descriptors. */
static void *random_message(const descriptor *type) {
    uint8_t *message = need(arena_zero(&build, type->sizeof_message));
    for (unsigned i = 0; i < type->n_fields; i++)
        random_field(&type->fields[i], message);
    return message;
}

static struct slice random_bytes_of(enum codec_type type) {
    struct slice bytes = codec_packed(type, random_message(codec_descriptor(type)), &build);
    assert_non_null(bytes.at);
    return bytes;
}

static void expect_taken(enum codec_type type, struct slice bytes) {
    struct codec_result result = {REFUSED_NOTHING, NULL};
    void *message = codec_unpack(type, bytes, &room, &result);
    if (!message)
        fail_msg("%s: %s %s", codec_descriptor(type)->name, sentence_of(result.refusal)->name,
                 result.field ? result.field : "");
    struct slice again = codec_packed(type, message, &room);
    assert_true(slice_equal(bytes, again));
}

static void what_is_packed_is_unpacked_and_packed_the_same(void **state) {
    (void)state;
    for (unsigned i = 0; i < 2000; i++)
        for (enum codec_type type = 0; type < CODEC_TYPES; type++) {
            clear();
            expect_taken(type, random_bytes_of(type));
        }
}

static void our_own_bytes_are_unpacked_or_said_to_be_bad(void **state) {
    (void)state;
    clear();
    PbRecord *record = NULL;
    uint8_t few[128];
    struct arena small;
    arena_wrap(&small, few, sizeof few);
    struct slice bytes = random_bytes_of(CODEC_RECORD);
    assert_int_equal(codec_unpack_own(CODEC_RECORD, bytes, &room, &record), 0);
    assert_ptr_equal(record->base.descriptor, &pb_record__descriptor);
    record = NULL;
    assert_int_equal(codec_unpack_own(CODEC_RECORD, SLICE("\x00"), &room, &record), -EBADMSG);
    assert_int_equal(codec_unpack_own(CODEC_RECORD, bytes, &small, &record), -ENOMEM);
    assert_null(record);
    assert_int_equal(small.used, 0);
}

static void preparing_forgets_what_stood_in_the_head_of_a_message(void **state) {
    (void)state;
    clear();
    PbPlace place = {.base = {(void *)&place, 7, (void *)&place}, .has_division = 1, .division = 610402};
    PbReport report = {.base = {(void *)&place, 7, (void *)&place}, .place = &place};
    PbEnvelope e = {.command_case = COMMAND_REPORT, .report = &report};
    expect_taken(CODEC_ENVELOPE, codec_packed(CODEC_ENVELOPE, &e, &build));
    struct arena full;
    uint8_t few[4];
    arena_wrap(&full, few, sizeof few);
    assert_null(codec_packed(CODEC_ENVELOPE, &e, &full).at);
}

/* Runs `bug` in a child, where a failed CHECK is exit status 42. */
static void quit(const char *what, const char *file, int line) {
    (void)what, (void)file, (void)line;
    _exit(42);
}

static void expect_stop(void (*bug)(void)) {
    pid_t child = fork();
    int status = 0;
    if (child == 0) {
        check_hook = quit;
        bug();
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 42);
}

static void pack_record_with_bad_text(void) {
    PbRecord record = {.source = text("\xff")};
    (void)codec_packed(CODEC_RECORD, &record, &room);
}

static void pack_rules_with_bad_text(void) {
    PbRules rules = {.name = text("\xff")};
    (void)codec_packed(CODEC_RULES, &rules, &room);
}

static void pack_oneof_without_its_member(void) {
    PbEvent event = {.event_case = EVENT_REPORTED};
    (void)codec_packed(CODEC_EVENT, &event, &room);
}

/* Rules always; records, which are packed for every command, where everything is proved. */
static void what_could_not_be_read_back_is_not_written(void **state) {
    (void)state;
    expect_stop(pack_rules_with_bad_text);
#if defined(__SANITIZE_ADDRESS__)
    expect_stop(pack_record_with_bad_text);
#else
    (void)pack_record_with_bad_text;
#endif
    expect_stop(pack_oneof_without_its_member);
}

static void an_update_says_what_happened_and_not_who_sent_it(void **state) {
    (void)state;
    clear();
    PbEvent closed = {.event_case = EVENT_CLOSED, .closed = &(PbClosed){.has_on_time = 1, .on_time = 1}};
    PbEvent *events[] = {&closed};
    PbRecord record = {.has_first_seq = 1, .first_seq = 9, .has_at_ms = 1, .at_ms = 5, .source = text("timer"),
        .has_case_id = 1, .case_id = 3, .has_division = 1, .division = 610402, .n_events = 1, .events = events};
    PbUpdate update;
    char json[256];
    codec_update_of(&record, &update);
    codec_json(CODEC_UPDATE, &update, json, sizeof json);
    assert_string_equal(json, "{\"first_seq\":\"9\",\"at_ms\":\"5\",\"case_id\":\"3\",\"division\":\"610402\","
                              "\"events\":[{\"closed\":{\"on_time\":true}}]}");
    expect_taken(CODEC_UPDATE, codec_packed(CODEC_UPDATE, &update, &build));
}

/* ---- bytes that nobody should send ------------------------------------------------------------------------------- */

static void expect_refused(enum codec_type type, struct slice bytes, PbRefusal refusal, const char *name) {
    struct codec_result result = {REFUSED_NOTHING, "untouched"};
    uint8_t *exact = memory_or_die(bytes.len + 1);        /* so that reading past the end is seen */
    memcpy(exact + 1, bytes.at, bytes.len);
    size_t used = room.used, cap = room.cap;
    assert_null(codec_unpack(type, (struct slice){exact + 1, bytes.len}, &room, &result));
    free(exact);
    assert_string_equal(sentence_of(result.refusal)->name, sentence_of(refusal)->name);
    if (name)
        assert_string_equal(result.field, name);
    else
        assert_null(result.field);
    assert_true(room.used == used && room.cap == cap);
}

#define BYTES(...) (struct slice){(const uint8_t[]){__VA_ARGS__}, sizeof(const uint8_t[]){__VA_ARGS__}}

static void malformed_bytes_are_refused(void **state) {
    (void)state;
    const struct { struct slice bytes; PbRefusal refusal; const char *field; } bad[] = {
        {BYTES(0x05), REFUSED_BAD_PROTOBUF, "Envelope"},                                  /* field number 0 */
        {BYTES(0x85, 0x00), REFUSED_BAD_PROTOBUF, "Envelope"},                            /* the same, spelled longer */
        {BYTES(0x88, 0x00, 0x01), REFUSED_BAD_PROTOBUF, "Envelope"},                      /* a padded tag */
        {BYTES(0x08, 0x81, 0x00), REFUSED_BAD_PROTOBUF, "version"},                       /* a padded number */
        {BYTES(0x88, 0x80, 0x80, 0x80, 0x10, 0x01), REFUSED_BAD_PROTOBUF, "Envelope"},    /* a tag of 33 bits */
        {BYTES(0x80), REFUSED_BAD_PROTOBUF, "Envelope"},                                  /* half a tag */
        {BYTES(0x08), REFUSED_BAD_PROTOBUF, "version"},                                   /* nothing behind it */
        {BYTES(0x18, 255, 255, 255, 255, 255, 255, 255, 255, 255, 2), REFUSED_BAD_PROTOBUF, "sent_at_ms"},
        {BYTES(0x18, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1), REFUSED_BAD_PROTOBUF, "sent_at_ms"},
        {BYTES(0x08, 0x80, 0x80, 0x80, 0x80, 0x10), REFUSED_FIELD_RANGE, "version"},      /* 2^32 */
        {BYTES(0x0a, 0x00), REFUSED_BAD_PROTOBUF, "version"},                             /* bytes for a number */
        {BYTES(0x10, 0x01), REFUSED_BAD_PROTOBUF, "command_id"},                          /* a number for bytes */
        {BYTES(0x0d, 1, 0, 0, 0), REFUSED_BAD_PROTOBUF, "version"},                       /* fixed width */
        {BYTES(0x0b, 0x0c), REFUSED_BAD_PROTOBUF, "version"},                             /* a group */
        {BYTES(0x0f), REFUSED_BAD_PROTOBUF, "version"},                                   /* no such wire type */
        {BYTES(0x12, 0x02, 0x01), REFUSED_BAD_PROTOBUF, "command_id"},                    /* longer than what is left */
        {BYTES(0x12, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1), REFUSED_BAD_PROTOBUF, "command_id"},
        {BYTES(0x40, 0x01), REFUSED_UNKNOWN_FIELD, "Envelope"},                           /* 8: in no run */
        {BYTES(0xf8, 255, 255, 255, 0x0f, 0x01), REFUSED_UNKNOWN_FIELD, "Envelope"},      /* 2^29 - 1 */
        {BYTES(0x82, 0x01, 0x02, 0x78, 0x00), REFUSED_UNKNOWN_FIELD, "Report"},           /* in a sub-message */
        {BYTES(0x08, 0x01, 0x08, 0x01), REFUSED_BAD_PROTOBUF, "version"},                 /* twice */
        {BYTES(0x82, 0x01, 0x00, 0x82, 0x01, 0x00), REFUSED_BAD_PROTOBUF, "report"},      /* would be merged */
        {BYTES(0x82, 0x01, 0x00, 0xb2, 0x01, 0x00), REFUSED_BAD_PROTOBUF, "escalate"},    /* two commands in one */
        {BYTES(0x82, 0x01, 0x04, 0x0a, 0x02, 0x10, 0x03), REFUSED_FIELD_RANGE, "wall"},   /* no such enumerator */
        {BYTES(0x82, 0x01, 0x08, 0x0a, 0x06, 0x10, 0x80, 0x80, 0x80, 0x80, 0x10), REFUSED_FIELD_RANGE, "wall"},
        {BYTES(0x82, 0x01, 0x0d, 0x0a, 0x0b, 0x10, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1),
         REFUSED_FIELD_RANGE, "wall"},                                                    /* -1 */
        {BYTES(0xd2, 0x02, 0x02, 0x08, 0x02), REFUSED_FIELD_RANGE, "digest"},             /* neither yes nor no */
        {BYTES(0x82, 0x01, 0x08, 0x0a, 0x06, 0x18, 0x80, 0x80, 0x80, 0x80, 0x10), REFUSED_FIELD_RANGE, "lon_e7"},
    };
    clear();
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        expect_refused(CODEC_ENVELOPE, bad[i].bytes, bad[i].refusal, bad[i].field);
    expect_refused(CODEC_RULES, BYTES(0x1a, 0x0a, 0x1a, 0x08, 0x10, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01),
                   REFUSED_FIELD_RANGE, "offset_s");
    expect_refused(CODEC_RECORD, BYTES(0x6a, 0x00), REFUSED_BAD_PROTOBUF, "left");        /* an empty list */
    expect_refused(CODEC_RECORD, BYTES(0x6a, 0x01, 0x05, 0x6a, 0x01, 0x06), REFUSED_BAD_PROTOBUF, "left");
    expect_taken(CODEC_RECORD, BYTES(0x6a, 0x02, 0x05, 0x06));
    expect_taken(CODEC_ENVELOPE, BYTES(0x82, 0x01, 0x08, 0x0a, 0x06, 0x18, 0xff, 0xff, 0xff, 0xff, 0x0f));
    expect_taken(CODEC_ENVELOPE, (struct slice){NULL, 0});
}

/* Bytes are written backwards, from the innermost field out. */
static uint8_t frame[FRAME_MAX];
static size_t frame_start;

static struct slice framed(void) {
    return slice_from(frame + frame_start, FRAME_MAX - frame_start);
}

static void before(const void *at, size_t len) {
    assert_true(len <= frame_start);
    frame_start -= len;
    memcpy(frame + frame_start, at, len);
}

static void before_varint(uint64_t v) {
    uint8_t byte[10];
    size_t len = 0;
    for (; v >= 0x80; v >>= 7)
        byte[len++] = (uint8_t)(v | 0x80);
    byte[len++] = (uint8_t)v;
    before(byte, len);
}

/* Makes everything so far the content of this field. */
static void wrap(uint32_t id) {
    before_varint(FRAME_MAX - frame_start);
    before_varint((uint64_t)id << 3 | 2);
}

struct path { uint32_t id[8]; unsigned depth; };

static void text_at(const struct path *path, struct slice text) {
    frame_start = FRAME_MAX;
    before(text.at, text.len);
    for (unsigned i = path->depth; i; i--)
        wrap(path->id[i - 1]);
}

static unsigned try_texts(const descriptor *type, struct path path) {
    static const struct slice bad[] = {
        SLICE("\xff"), SLICE("a\0b"), SLICE("\0"), SLICE("\xed\xa0\x80"), SLICE("\xc0\x80"), SLICE("\xe0\x80\x80"),
        SLICE("\xf4\x90\x80\x80"), SLICE("\xe4\xb8"), SLICE("\x80"), SLICE("abcdefgh\xffijklmno"),
    };
    unsigned tried = 0;
    assert_true(path.depth < COUNT_OF(path.id));
    path.depth++;
    for (unsigned i = 0; i < type->n_fields; i++) {
        const field *f = &type->fields[i];
        path.id[path.depth - 1] = f->id;
        if (f->type == PROTOBUF_C_TYPE_MESSAGE)
            tried += try_texts(f->descriptor, path);
        if (f->type != PROTOBUF_C_TYPE_STRING)
            continue;
        clear();
        for (size_t k = 0; k < COUNT_OF(bad); k++) {
            text_at(&path, bad[k]);
            expect_refused(CODEC_ENVELOPE, framed(), REFUSED_BAD_TEXT, f->name);
        }
        text_at(&path, SLICE("井盖丢失 \U0001F6A8"));
        expect_taken(CODEC_ENVELOPE, framed());
        tried++;
    }
    return tried;
}

static void bad_text_is_refused_in_every_text_of_every_command(void **state) {
    (void)state;
    assert_true(try_texts(&pb_envelope__descriptor, (struct path){.depth = 0}) >= 30);
}

static void a_deep_nest_is_refused_at_the_depth_of_the_schema(void **state) {
    (void)state;
    clear();
    frame_start = FRAME_MAX;
    while (frame_start > 16)
        wrap(1);
    wrap(1), wrap(17);
    expect_refused(CODEC_ENVELOPE, framed(), REFUSED_BAD_PROTOBUF, "division");
}

/* count empty entries of repeated field `id`, and around them the fields `outer`, innermost first, until a 0. */
static void repeat_empty(uint32_t id, size_t count, const uint32_t *outer) {
    frame_start = FRAME_MAX;
    for (size_t i = 0; i < count; i++)
        before_varint(0), before_varint((uint64_t)id << 3 | 2);
    for (; *outer; outer++)
        wrap(*outer);
}

static void a_frame_of_empty_entries_is_refused(void **state) {
    (void)state;
    const uint32_t report[] = {16, 0}, top[] = {0};
    clear();
    repeat_empty(6, FRAME_MAX / 2 - 8, report);
    expect_refused(CODEC_ENVELOPE, framed(), REFUSED_TOO_COMPLEX, "evidence");
    repeat_empty(6, 65, report);
    expect_refused(CODEC_ENVELOPE, framed(), REFUSED_TOO_COMPLEX, "evidence");
    repeat_empty(6, 64, report);
    expect_taken(CODEC_ENVELOPE, framed());
    repeat_empty(1, FRAME_MAX / 2, top);
    expect_refused(CODEC_REPLIES, framed(), REFUSED_TOO_COMPLEX, "replies");
    repeat_empty(1, 1000, top);                           /* allowed in number, too much for 2000 bytes */
    room.peak = room.used;
    expect_refused(CODEC_REPLIES, framed(), REFUSED_TOO_COMPLEX, NULL);
    assert_true(room.peak - room.used <= 16 * 1024 + 32 * 2000);
}

static void a_console_may_name_more_prefixes_than_it_gets(void **state) {
    (void)state;
    clear();
    for (unsigned count = 255; count <= 257; count++) {
        frame_start = FRAME_MAX;
        for (unsigned i = 0; i < count; i++)
            before_varint(61);
        wrap(1), wrap(17);
        if (count <= 256)
            expect_taken(CODEC_CONSOLE_FRAME, framed());
        else
            expect_refused(CODEC_CONSOLE_FRAME, framed(), REFUSED_TOO_COMPLEX, "prefixes");
    }
}

static void a_full_arena_is_a_refusal_that_leaves_it_as_it_was(void **state) {
    (void)state;
    clear();
    PbReport report = {.text = text("占道经营"), .category = text("0501")};
    PbEnvelope e = {.command_case = COMMAND_REPORT, .report = &report};
    struct slice bytes = codec_packed(CODEC_ENVELOPE, &e, &build);
    bool taken = false;
    for (size_t cap = 0; !taken; cap += 16) {
        struct codec_result result;
        struct arena small;
        arena_wrap(&small, room.base, cap);
        assert_true(cap < 4096);
        taken = codec_unpack(CODEC_ENVELOPE, bytes, &small, &result);
        if (!taken)
            assert_true(result.refusal == REFUSED_TOO_COMPLEX && small.used == 0 && small.cap == cap);
    }
}

/* A message cut between two of its fields is a message, and nothing else cut off is. */
static void a_truncated_message_is_refused_or_is_what_it_says(void **state) {
    (void)state;
    for (unsigned i = 0; i < 40; i++)
        for (enum codec_type type = 0; type < CODEC_TYPES; type++) {
            clear();
            struct slice bytes = random_bytes_of(type);
            size_t used = room.used, cut = bytes.len < 1000 ? 0 : bytes.len - 1000;
            for (; cut < bytes.len; cut++, room.used = used) {
                struct codec_result result;
                struct slice part = {bytes.at, cut};
                void *message = codec_unpack(type, part, &room, &result);
                assert_true(message || result.refusal != REFUSED_NOTHING);
                if (message)
                    assert_true(slice_equal(codec_packed(type, message, &room), part));
            }
        }
}

static void damaged(uint8_t *bytes, size_t len) {
    for (uint64_t flips = 1 + dice_below(4); flips; flips--)
        bytes[dice_below(len)] ^= (uint8_t)(1u << dice_below(8));
}

static void damaged_bytes_are_refused_or_can_be_written_and_read_again(void **state) {
    (void)state;
    unsigned taken = 0, tried = 0;
    while (tried < 200000) {
        enum codec_type type = (enum codec_type)dice_below(CODEC_TYPES);
        clear();
        struct slice bytes = random_bytes_of(type);
        if (bytes.len == 0)
            continue;
        uint8_t *exact = memory_or_die(bytes.len);
        for (unsigned i = 0; i < 50; i++, tried++) {
            struct codec_result result;
            memcpy(exact, bytes.at, bytes.len);
            damaged(exact, bytes.len);
            arena_reset(&room);
            void *message = codec_unpack(type, (struct slice){exact, bytes.len}, &room, &result);
            if (message && ++taken)
                expect_taken(type, codec_packed(type, message, &room));
            else if (!message)
                assert_true(room.used == 0 && result.refusal != REFUSED_NOTHING);
        }
        free(exact);
    }
    assert_true(taken > 1000 && tried - taken > 1000);
}

/* ---- JSON -------------------------------------------------------------------------------------------------------- */

static void json_of_a_known_message_is_this(void **state) {
    (void)state;
    uint8_t id[] = {0xff, 0xfe, 0xfd, 0x00};
    PbEvidence first = {.has_sha256 = 1, .sha256 = {1, id}, .has_bytes = 1, .bytes = UINT64_MAX};
    PbEvidence second = {.has_sha256 = 1}, *evidence[] = {&first, &second};
    PbPlace place = {.has_division = 1, .division = 610402006001003, .has_wall = 1, .wall = WALL_OUTSIDE,
        .has_lon_e7 = 1, .lon_e7 = -1087000000};
    PbReport report = {.place = &place, .category = text(""), .has_occurred_at_ms = 1,
        .occurred_at_ms = INT64_MIN, .text = text("\"井\\盖\"\n\t\r\b\f\x01\x7f/"),
        .n_evidence = 2, .evidence = evidence};
    PbEnvelope e = {.has_version = 1, .version = UINT32_MAX, .has_command_id = 1, .command_id = {2, id},
        .command_case = COMMAND_REPORT, .report = &report};
    const char *expected = "{\"version\":4294967295,\"command_id\":\"//4=\",\"report\":{\"place\":{\"division\":"
        "\"610402006001003\",\"wall\":\"WALL_OUTSIDE\",\"lon_e7\":-1087000000},\"category\":\"\",\"occurred_at_ms\":"
        "\"-9223372036854775808\","
        "\"text\":\"\\\"井\\\\盖\\\"\\n\\t\\r\\b\\f\\u0001\x7f/\",\"evidence\":[{\"sha256\":\"/w==\","
        "\"bytes\":\"18446744073709551615\"},{\"sha256\":\"\"}]}}";
    char text[1024];
    assert_int_equal(codec_json(CODEC_ENVELOPE, &e, text, sizeof text), strlen(expected));
    assert_string_equal(text, expected);
    place.wall = (PbWall)99;
    e.command_id = (ProtobufCBinaryData){3, id};
    codec_json(CODEC_ENVELOPE, &e, text, sizeof text);
    assert_non_null(strstr(text, "\"wall\":99,"));
    assert_non_null(strstr(text, "\"command_id\":\"//79\""));
}

static void json_that_does_not_fit_is_counted_and_cut(void **state) {
    (void)state;
    PbFeedHead head = {.has_session_seq = 1, .session_seq = 7, .has_kind = 1, .kind = FEED_LIVE};
    const char *whole = "{\"session_seq\":\"7\",\"kind\":\"FEED_LIVE\"}";
    assert_int_equal(codec_json(CODEC_FEED_HEAD, &head, NULL, 0), strlen(whole));
    for (size_t cap = 1; cap < strlen(whole) + 4; cap++) {
        char *exact = memory_or_die(cap);
        assert_int_equal(codec_json(CODEC_FEED_HEAD, &head, exact, cap), strlen(whole));
        assert_int_equal(strlen(exact), cap > strlen(whole) ? strlen(whole) : cap - 1);
        assert_memory_equal(exact, whole, strlen(exact));
        free(exact);
    }
}

static void json_of_any_message_is_json(void **state) {
    (void)state;
    for (unsigned i = 0; i < 100; i++)
        for (enum codec_type type = 0; type < CODEC_TYPES; type++) {
            clear();
            void *message = random_message(codec_descriptor(type));
            size_t len = codec_json(type, message, NULL, 0);
            char *text = need(arena_take(&build, len + 1));
            assert_int_equal(codec_json(type, message, text, len + 1), len);
            json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
            assert_non_null(json);
            json_decref(json);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_packed_is_unpacked_and_packed_the_same),
        cmocka_unit_test(our_own_bytes_are_unpacked_or_said_to_be_bad),
        cmocka_unit_test(preparing_forgets_what_stood_in_the_head_of_a_message),
        cmocka_unit_test(what_could_not_be_read_back_is_not_written),
        cmocka_unit_test(an_update_says_what_happened_and_not_who_sent_it),
        cmocka_unit_test(malformed_bytes_are_refused),
        cmocka_unit_test(bad_text_is_refused_in_every_text_of_every_command),
        cmocka_unit_test(a_deep_nest_is_refused_at_the_depth_of_the_schema),
        cmocka_unit_test(a_frame_of_empty_entries_is_refused),
        cmocka_unit_test(a_console_may_name_more_prefixes_than_it_gets),
        cmocka_unit_test(a_full_arena_is_a_refusal_that_leaves_it_as_it_was),
        cmocka_unit_test(a_truncated_message_is_refused_or_is_what_it_says),
        cmocka_unit_test(damaged_bytes_are_refused_or_can_be_written_and_read_again),
        cmocka_unit_test(json_of_a_known_message_is_this),
        cmocka_unit_test(json_that_does_not_fit_is_counted_and_cut),
        cmocka_unit_test(json_of_any_message_is_json),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
