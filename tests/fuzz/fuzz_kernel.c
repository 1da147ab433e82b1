/* One life of a few cases, order by order as the tape has it, each with every law asserted (tests/unit/laws.h): no
 * client's words and no hour they are said at may lead to a CHECK.
 *
 * An order is drawn as the message of the envelope that carries it; deadlines, offers that failed, archiving and
 * recomputing are the broker's own. */
#include "tests/fuzz/fuzz.h"
#include "tests/unit/laws.h"
#include "tests/unit/story_rules.h"

#include <stdio.h>
#include <string.h>

enum { CASES = 4, FIRST_ID = 5, STEPS_MAX = 200, ROOM_BYTES = 4 << 20 };
#define HOUR_MS 3600000LL

static struct {
    struct tape t;
    struct case_state cases[CASES];
    const PbRules *versions[2];                          /* the same but for the calendars */
    uint32_t version;                                    /* in force */
    int64_t now_ms;
    uint8_t memory[ROOM_BYTES];
    struct arena room;
    uint32_t members[ORDER_COUNT];                       /* of the envelope; 0: no client says it */
} w;

/* An order's word is its name in the envelope, or that without `_case`. */
static void name_orders(void) {
    const ProtobufCMessageDescriptor *envelope = codec_descriptor(CODEC_ENVELOPE);
    for (unsigned kind = 0; kind < ORDER_COUNT; kind++) {
        char name[2][48];
        (void)snprintf(name[0], sizeof name[0], "%s", order_name((enum order_kind)kind));
        for (char *at = name[0]; *at; at++)
            if (*at == '-') *at = '_';
        (void)snprintf(name[1], sizeof name[1], "%.40s_case", name[0]);
        for (unsigned i = 0; i < envelope->n_fields; i++)
            for (unsigned k = 0; k < COUNT_OF(name); k++)
                if (strcmp(envelope->fields[i].name, name[k]) == 0 && kind != ORDER_RECOMPUTE)
                    w.members[kind] = envelope->fields[i].id;
    }
    CHECK(w.members[ORDER_VOID] && w.members[ORDER_REPORT] && w.members[ORDER_HAND_OVER]);
}

/* ---- an order ---------------------------------------------------------------------------------------------------- */

static PbSealed *draw_sealed(void) {
    static uint8_t box[48];
    PbSealed *s = arena_must(&w.room, sizeof *s);
    *s = (PbSealed){.has_box = 1, .box = {sizeof box, box}};
    return tape_byte(&w.t) & 1 ? s : NULL;
}

static void draw_own(struct order *o) {
    switch (o->kind) {
    case ORDER_DEADLINE: o->deadline.kind = (PbTimerKind)(TIMER_DESK + tape_below(&w.t, TIMER_TRANSFER)); return;
    case ORDER_ARCHIVE: o->archive.ended_before_ms = w.now_ms - tape_byte(&w.t) * HOUR_MS; return;
    case ORDER_OFFER_FAILED: break;
    default: return;
    }
    const PbLeaseToken *token = draw(&pb_lease_token__descriptor, &w.t, &(struct draw_world){.cases = CASES}, &w.room);
    o->offer_failed.stage = token->stage, o->offer_failed.attempt = token->attempt;
    o->offer_failed.tries = token->tries;
    o->offer_failed.how = (PbOfferEnd)tape_below(&w.t, pb_offer_end__descriptor.n_values);
    o->offer_failed.retry_ms = tape_two(&w.t);
}

static void draw_order(const struct case_state *c, struct order *o) {
    struct draw_world world = {
        .rules = w.versions[0], .at = c->id ? c : NULL, .now_ms = w.now_ms, .cases = CASES,
    };
    *o = (struct order){.kind = (enum order_kind)tape_below(&w.t, ORDER_COUNT)};
    uint32_t member = w.members[o->kind];
    if (!member) return draw_own(o);
    const PbEnvelope *e = draw_member(codec_descriptor(CODEC_ENVELOPE), member, &w.t, &world, &w.room);
    o->report = e->report;                               /* every message stands at the same place of both */
    o->text = draw_sealed(), o->address = draw_sealed(), o->deed = draw_sealed();
}

/* ---- a step ------------------------------------------------------------------------------------------------------ */

static const PbRules *rules_of(uint32_t number) {
    return w.versions[number % COUNT_OF(w.versions)];
}

static PbRefusal give(struct case_state *c, const struct order *o) {
    static const struct slice persons[] = {{NULL, 0}, {(const uint8_t *)"0017", 4}, {(const uint8_t *)"0018", 4}};
    struct decision d;
    uint32_t rules = c->id ? c->rules : w.version;
    uint8_t how = tape_byte(&w.t);
    struct case_state *other = &w.cases[how % CASES];
    if (o->kind == ORDER_SPLIT && c->more.master) other = &w.cases[c->more.master - FIRST_ID];
    struct decide_input in = {
        .state = c, .rules = rules_of(rules), .rules_number = rules, .now_ms = w.now_ms, .source = SLICE("uid:1000"),
        .calendar_rules = c->more.calendar_rules ? rules_of(c->more.calendar_rules) : NULL,
        .rules_now = rules_of(w.version), .rules_now_number = w.version, .day_number = 1, .slot = 7,
        .other = other->id && other != c ? other : NULL, .known = how & 4, .has_followers = (how & 24) == 24,
        .in_batch = how & 32, .batch_confirmed = how & 64, .room = &w.room,
        .by = persons[how % COUNT_OF(persons)], .origin = how & 128 ? SLICE("city") : SLICE(""),
    };
    if (o->kind == ORDER_MERGE) ((PbMerge *)o->merge)->master = in.other ? in.other->id : 0;
    if (o->kind == ORDER_ARCHIVE && o->archive.ended_before_ms > w.now_ms) return REFUSED_TOO_EARLY;
    lawful_step(&in, o, c, &d);
    return d.refusal;
}

/* Whatever is due fires, in order, as the turn has it: deadlines come first. */
static void fire_due(struct case_state *c) {
    const struct timer *t;
    for (unsigned i = 0; (t = first_timer(c)) && t->due_ms <= w.now_ms; i++) {
        struct order o = {.kind = ORDER_DEADLINE};
        o.deadline.kind = (PbTimerKind)t->kind;
        CHECK(i < 1000 && give(c, &o) == REFUSED_NOTHING);
    }
    CHECK(!case_open(c) || (t && t->due_ms > w.now_ms));
}

static void time_passes(const struct case_state *c) {
    uint8_t how = tape_byte(&w.t);
    const struct timer *t = first_timer(c);
    if (how < 160) w.now_ms += how * (HOUR_MS / 32);
    else if (how < 224 && t && t->due_ms > w.now_ms) w.now_ms = t->due_ms - 1 + how % 3;
    else if (how >= 248) w.now_ms += (int64_t)tape_two(&w.t) * 24 * HOUR_MS;
    if (w.now_ms > INSTANT_MS_MAX / 100) w.now_ms = INSTANT_MS_MAX / 100;
}

/* Ids are seqs: a case that takes the place of another has one of its own. */
static void one_step(void) {
    struct order o;
    uint8_t how = tape_byte(&w.t);
    struct case_state *c = &w.cases[how % CASES];
    arena_wrap(&w.room, w.memory, sizeof w.memory);
    if ((how & 0xc0) == 0xc0) w.version++;
    if (c->id == 0) c->last_seq = (uint64_t)(c - w.cases) + FIRST_ID - 1;
    time_passes(c);
    fire_due(c);
    draw_order(c, &o);
    (void)give(c, &o);
    if (c->id == 0) c->last_seq = 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len) {
    if (!w.versions[0]) {
        w.versions[0] = story_rules_later(), w.versions[1] = story_rules();
        name_orders();
    }
    memset(w.cases, 0, sizeof w.cases);
    w.t = tape_of(at, len);
    w.version = 1;
    w.now_ms = FIXTURE_MONDAY_MS;
    for (unsigned i = 0; i < STEPS_MAX && !tape_over(&w.t); i++) one_step();
    return 0;
}
