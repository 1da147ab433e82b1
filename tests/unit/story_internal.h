/* story_internal.h: what the files of the story language share. */
#ifndef STORY_INTERNAL_H
#define STORY_INTERNAL_H
#include "tests/unit/story.h"

#define ZONE_MS (8 * 3600000LL)

enum { STORY_VERSIONS_MAX = 4, STORY_PENDING_MAX = 1024 };

struct story_world {
    struct case_state state, other;               /* the case that is told, and the one aside */
    int64_t now_ms, began_ms;
    const char *source, *by, *origin;
    const PbRules *versions[STORY_VERSIONS_MAX];  /* of the rules, by number - 1; the last is in force */
    uint32_t versions_count;
    PbRefusal refusal;
    bool followers, known, in_batch, batch_confirmed;
    uint8_t memory[64 << 10];
    struct arena room;
    char trace[16 << 10];
    size_t len;
    struct told { uint16_t arrow, refusal; } pending[STORY_PENDING_MAX];    /* seen, and not yet in an expect() */
    size_t pending_count;
};
extern struct story_world story_world;

/* story.c */
const PbRules *story_rules_of(uint32_t number);
int64_t story_instant(const char *when);
const char *story_party(const char *role);        /* the party that a role means in this case */

/* story_trace.c */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
void say_event(const PbEvent *e);
void say_refusal(const struct decision *d);
const char *short_of(const char *party);
const char *stage_name(uint32_t stage);
const char *instant(int64_t ms);

/* told.c */
void told_event(PbEvent__EventCase event, PbState from, PbState to);
void told_refusal(const struct order *order, const struct case_state *c, PbRefusal refusal);
void told_is_expected(void);                      /* what is pending stands in a trace that was expected */
void told_forget(void);
#endif
