/* returns_rules.c: a broker's rules, asked for part by part and unpacked here. */
#include "ctl/ctl.h"

#include "lib/crypto/crypto.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RULES_PACKED_MAX = 64 << 20, UNPACKED_PER_BYTE = 32, UNPACKED_BASE = 64 << 10 };

static int ask_part(struct ctl *c, uint32_t number, uint32_t part, const PbRulesPart **ret) {
    PbReadRules ask = {.has_rules = true, .rules = number, .has_part = true, .part = part};
    PbEnvelope e = {.command_case = COMMAND_READ_RULES, .read_rules = &ask};
    const PbReply *reply;
    int r = ctl_call(c, &e, &reply);
    if (r)
        return r;
    CHECK(reply->reply_case == REPLY_RULES_PART);
    *ret = reply->rules_part;
    return CTL_DONE;
}

static int wrong(const struct ctl *c) {
    (void)fprintf(stderr, "whistlectl: %s: %s\n", c->front,
                  say(c, "收到的规则与其摘要不符", "the rules that came are not what their hash says"));
    return CTL_DAMAGED;
}

/* Bytes that hash to what was said, as rules. */
static int unpack(const struct ctl *c, struct slice packed, const struct hash *hash, struct ctl_rules *ret) {
    struct hash is = hash_of(packed);
    size_t cap = packed.len * UNPACKED_PER_BYTE + UNPACKED_BASE;
    struct arena room;
    if (!hash_equal(&is, hash))
        return wrong(c);
    arena_wrap(&room, memory_or_die(cap), cap);
    PbRules *rules = NULL;
    if (codec_unpack_own(CODEC_RULES, packed, &room, &rules) < 0)
        return free(room.base), wrong(c);
    ret->rules = rules;
    return CTL_DONE;
}

int ask_rules(struct ctl *c, uint32_t number, struct ctl_rules *ret) {
    uint8_t *bytes = NULL;
    uint64_t length = 0, done = 0;
    struct hash hash = {{0}};
    uint32_t part = 0;
    int r = CTL_DONE;
    do {
        const PbRulesPart *p;
        r = ask_part(c, number, part, &p);
        if (r)
            break;
        if (!bytes) {                             /* the set in force may change meanwhile: this one is meant */
            if (p->length == 0 || p->length > RULES_PACKED_MAX || p->hash.len != HASH_SIZE)
                return wrong(c);
            ret->number = number = p->rules;
            length = p->length;
            memcpy(hash.byte, p->hash.data, HASH_SIZE);
            bytes = memory_or_die(length);
        }
        if (p->bytes.len > length - done) {
            r = wrong(c);
            break;
        }
        memcpy(bytes + done, p->bytes.data, p->bytes.len);
        done += p->bytes.len;
        part = p->next_part;
    } while (part);
    if (r == CTL_DONE)
        r = done == length ? unpack(c, slice_from(bytes, done), &hash, ret) : wrong(c);
    free(bytes);
    return r;
}
