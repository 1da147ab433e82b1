/* playbooks.c: a playbook file -> PbPlaybook. Stages are written by name, in order; the number of a stage is its
 * place. */
#include "daemon/config/reading.h"
#include "daemon/kernel/kernel.h"
#include "lib/codec/codec.h"
#include <errno.h>
#include <string.h>

/* A stage's name -> its number; `otherwise` is the word for 0. */
static int stage_number(struct reading *r, const struct node *value, const char *otherwise, uint32_t *ret) {
    uint32_t number = 1;
    if (value->kind == NODE_TEXT && slice_equal(value->text, slice_of(otherwise))) {
        *ret = 0;
        return 0;
    }
    for (const struct node *n = r->stages->first; n && value->kind == NODE_TEXT; n = n->next, number++)
        if (slice_equal(n->key, value->text)) {
            *ret = number;
            return 0;
        }
    return fail(r, value, "must be the name of a stage of this playbook, or %s", otherwise);
}

static int read_next(struct reading *r, const struct node *value, const struct keyword *key, void *at) {
    return stage_number(r, value, key->more, at);
}

static int stage_read(struct reading *r, const struct node *value, const struct keyword *key, void *at) {
    static const struct word kinds[] = {{"handle", STAGE_HANDLE}, {"verify", STAGE_VERIFY}, {NULL, 0}};
    static const struct range percent = {1, 99}, few = {1, 100};
    static const struct keyword keys[] = {
        {"kind", read_word, HAS(PbStage, kind), .required = true, .more = kinds},
        {"level", read_word, HAS(PbStage, level), .more = words_level},
        {"tally", read_tally, AT(PbStage, tally), .required = true},
        {"desk", read_limit, AT(PbStage, desk)},
        {"accept", read_limit, AT(PbStage, accept)},
        {"handling", read_limit, AT(PbStage, handling), .required = true},
        {"remind_percent", read_number, HAS(PbStage, remind_percent), .more = &percent},
        {"attempts_max", read_number, HAS(PbStage, attempts_max), .more = &few},
        {"offers_max", read_number, HAS(PbStage, offers_max), .more = &few},
        {"loops_max", read_number, HAS(PbStage, loops_max), .more = &few},
        {"on_done", read_next, HAS(PbStage, on_done), .required = true, .more = "close"},
        {"on_overdue", read_next, HAS(PbStage, on_overdue), .more = "supervise"},
        {"on_declined", read_next, HAS(PbStage, on_declined), .more = "supervise"},
        {"supervise_first", read_limit, AT(PbStage, supervise_first)},
        {"supervise_most", read_limit, AT(PbStage, supervise_most)},
    };
    PbStage *stage = arena_zero(r->room, sizeof *stage);
    char *name = text_take(r, value->key);
    if (!stage || !name)
        return full(r);
    CHECK(key->has == NO_FLAG);
    if (!slug_valid(value->key))
        return fail(r, value, "a stage's name is made of a-z, 0-9 and -");
    stage->name = name;
    *(PbStage **)at = stage;
    return map_read(r, value, keys, COUNT_OF(keys), stage);
}

/* The keys of `stages` are the stages' own names: a table of keys made for this playbook. */
static int stages_read(struct reading *r, const struct node *value, const struct keyword *key, void *at) {
    PbPlaybook *playbook = at;
    struct keyword keys[STAGES_MAX];
    CHECK(key->at == 0);
    if (value->kind != NODE_MAP || value->count == 0 || value->count > STAGES_MAX)
        return fail(r, value, "must have 1 to %d stages by name", STAGES_MAX);
    PbStage **stages = arena_zero(r->room, value->count * sizeof *stages);
    size_t count = 0;
    for (const struct node *n = value->first; n && stages; n = n->next, count++) {
        char *name = text_take(r, n->key);
        if (!name)
            return -ENOMEM;
        keys[count] = (struct keyword){name, stage_read, count * sizeof *stages, NO_FLAG, true, NULL};
    }
    if (!stages)
        return full(r);
    r->stages = value;
    playbook->stages = stages;
    playbook->n_stages = count;
    return map_read(r, value, keys, count, stages);
}

/* The playbook's name for ever: what it says, not how its file looks. A case keeps it. */
static int playbook_hash(struct reading *r, PbPlaybook *playbook) {
    PbRules alone = {.playbooks = &playbook, .n_playbooks = 1};
    CHECK(!playbook->has_hash);
    struct slice bytes = codec_packed(CODEC_RULES, &alone, r->room);
    struct hash *hash = arena_take(r->room, sizeof *hash);
    if (!bytes.at || !hash)
        return full(r);
    *hash = hash_of(bytes);
    playbook->has_hash = 1;
    playbook->hash = (ProtobufCBinaryData){sizeof hash->byte, hash->byte};
    return 0;
}

int playbook_load(struct reading *r, const char *file, struct parts *to) {
    static const struct range once = {1, DETOURS_MAX}, times = {0, DETOURS_MAX}, percent = {1, EXTENSIONS_PERCENT_MAX};
    static const struct keyword keys[] = {
        {"name", read_slug, AT(PbPlaybook, name), .required = true},
        {"title_zh", read_text, AT(PbPlaybook, title_zh), .required = true},
        {"calendar", read_slug, AT(PbPlaybook, calendar), .required = true},
        {"return_within", read_limit, AT(PbPlaybook, return_within)},
        {"returns_max", read_number, HAS(PbPlaybook, returns_max), .more = &once},
        {"extensions_max", read_number, HAS(PbPlaybook, extensions_max), .more = &times},
        {"extensions_percent", read_number, HAS(PbPlaybook, extensions_percent), .more = &percent},
        {"suspend_most", read_limit, AT(PbPlaybook, suspend_most)},
        {"suspensions_max", read_number, HAS(PbPlaybook, suspensions_max), .more = &times},
        {"follow_up", read_limit, AT(PbPlaybook, follow_up)},
        {"reopen_within", read_limit, AT(PbPlaybook, reopen_within)},
        {"reopens_max", read_number, HAS(PbPlaybook, reopens_max), .more = &times},
        {"appeal_within", read_limit, AT(PbPlaybook, appeal_within)},
        {"transfer_ack", read_limit, AT(PbPlaybook, transfer_ack)},
        {"delegations_max", read_number, HAS(PbPlaybook, delegations_max), .more = &times},
        {"stages", stages_read, WHOLE, .required = true},
    };
    struct node *root;
    PbPlaybook *playbook = arena_zero(r->room, sizeof *playbook);
    int e = playbook ? row_load(r, file, "playbooks", keys, COUNT_OF(keys), playbook, &root) : full(r);
    e = e ? e : playbook_hash(r, playbook);
    return e ? e : list_push(r, &to->playbooks, playbook);
}
