/* adopt.c: a rule set into the journal: begun, part by part, adopted. Only the last record takes effect, so the parts
 * may come in as many turns as they need, and a set that is never ended is none. */
#include "daemon/daemon.h"

#include <string.h>

enum { PART_BYTES = 48 << 10, PART_ROOM = PART_BYTES + (4 << 10), SLICE_BYTES = 192 << 10 };   /* a slice: some ms */

/* ---- who waits for it ------------------------------------------------------------------------------------------ */

struct asker asker_of(const struct command *c, const PbEnvelope *e, const struct hash *hash) {
    struct asker a = { .command = { .peer = c->peer, .source = c->source }, .waits = true, .hash = *hash };
    memcpy(a.id, e->command_id.data, sizeof a.id);
    if (e->by) memcpy(a.by, e->by, strlen(e->by));
    if (e->origin) memcpy(a.origin, e->origin, strlen(e->origin));
    return a;
}

bool asker_is(const struct asker *a, const struct command *c, const PbEnvelope *e) {
    return a->waits && strcmp(a->command.source.name, c->source.name) == 0
        && memcmp(a->id, e->command_id.data, sizeof a->id) == 0;
}

int asker_event(struct daemon *d, const struct asker *a, PbEvent *event) {
    if (!a || !a->waits) return broker_event(d, event);
    PbEnvelope e = {
        .has_command_id = 1, .command_id = { .len = sizeof a->id, .data = (uint8_t *)a->id },
        .by = a->by[0] ? (char *)a->by : NULL, .origin = a->origin[0] ? (char *)a->origin : NULL,
    };
    COUNT(ACKNOWLEDGED);
    return broker_order(d, &a->command, &e, &a->hash, event);
}

void asker_reply(struct daemon *d, const struct asker *a, PbReply *reply) {
    if (!a->waits) return;
    SET(reply, command_id, ((ProtobufCBinaryData){ .len = sizeof a->id, .data = (uint8_t *)a->id }));
    front_reply(d->front, a->command.peer, reply);
}

/* ---- the records ----------------------------------------------------------------------------------------------- */

static int begin(struct daemon *d, struct adoption *a) {
    uint32_t chunks = (uint32_t)((a->bytes.len + PART_BYTES - 1) / PART_BYTES);
    a->number = store_rules_number(d->store) + 1;
    PbRulesBegun begun = {
        .has_rules = 1, .rules = a->number, .has_hash = 1, .hash = { .len = HASH_SIZE, .data = a->hash.byte },
        .has_bytes = 1, .bytes = a->bytes.len, .has_chunks = 1, .chunks = chunks,
    };
    PbEvent event = { .event_case = EVENT_RULES_BEGUN, .rules_begun = &begun };
    return broker_event(d, &event);
}

static int part(struct daemon *d, const struct adoption *a, uint32_t index) {
    size_t at = (size_t)index * PART_BYTES, left = a->bytes.len - at, len = left < PART_BYTES ? left : PART_BYTES;
    PbRulesChunk chunk = {
        .has_rules = 1, .rules = a->number, .has_index = 1, .index = index, .has_part = 1,
        .part = { .len = len, .data = (uint8_t *)a->bytes.at + at },
    };
    PbEvent event = { .event_case = EVENT_RULES_CHUNK, .rules_chunk = &chunk };
    return broker_event(d, &event);
}

static int end(struct daemon *d, struct adoption *a, const struct asker *by) {
    PbRulesAdopted adopted = {
        .has_rules = 1, .rules = a->number, .has_hash = 1, .hash = { .len = HASH_SIZE, .data = a->hash.byte },
        .by = by && by->by[0] ? (char *)by->by : NULL,
    };
    PbEvent event = { .event_case = EVENT_RULES_ADOPTED, .rules_adopted = &adopted };
    return asker_event(d, by, &event);
}

int adoption_take(struct daemon *d, struct adoption *a, const struct asker *by) {
    uint32_t chunks = (uint32_t)((a->bytes.len + PART_BYTES - 1) / PART_BYTES);
    CHECK(a->bytes.len > 0);
    for (; store_turn_room(d->store) > PART_ROOM && store_turn_bytes(d->store) < SLICE_BYTES; a->next++) {
        int r = a->next == 0 ? begin(d, a) : a->next <= chunks ? part(d, a, a->next - 1) : end(d, a, by);
        if (r < 0) return r;
        if (a->next > chunks) return 1;
    }
    return 0;
}
