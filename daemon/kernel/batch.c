/* batch.c: may it be asked for, confirmed, carried out? The first reason is the one that is told. */
#include "daemon/kernel/batch.h"

#include <string.h>

int64_t batch_expires_ms(const struct batch_state *b) {
    return (b->confirmed ? b->confirmed_at_ms : b->asked_at_ms) + BATCH_LASTS_MS;
}

static PbRefusal wrong(PbRefusal why, const char *field, const char **ret_field) {
    *ret_field = field;
    return why;
}

PbRefusal batch_ask(const PbAskBatch *a, struct slice by, const char **ret_field) {
    if (by.len == 0) return wrong(REFUSED_FIELD_MISSING, "by", ret_field);
    if (a->verb == BATCH_NONE) return wrong(REFUSED_FIELD_MISSING, "verb", ret_field);
    if (a->cases == 0 || a->cases > BATCH_CASES_MAX) return wrong(REFUSED_FIELD_RANGE, "cases", ret_field);
    if (a->digest.len != BATCH_DIGEST_BYTES) return wrong(REFUSED_FIELD_RANGE, "digest", ret_field);
    return REFUSED_NOTHING;
}

PbRefusal batch_confirm(const struct batch_state *b, const PbConfirmBatch *c, struct slice by, int64_t now_ms,
                        const char **ret_field) {
    if (by.len == 0) return wrong(REFUSED_FIELD_MISSING, "by", ret_field);
    if (b->confirmed) return wrong(REFUSED_NOTHING_PENDING, "batch", ret_field);
    if (now_ms > batch_expires_ms(b)) return wrong(REFUSED_TOO_LATE, "batch", ret_field);
    if (slice_equal(slice_of(b->by), by)) return wrong(REFUSED_SAME_PERSON, "by", ret_field);
    if (c->digest.len != BATCH_DIGEST_BYTES || memcmp(c->digest.data, b->digest, BATCH_DIGEST_BYTES) != 0)
        return wrong(REFUSED_FIELD_RANGE, "digest", ret_field);
    return REFUSED_NOTHING;
}

PbRefusal batch_take(const struct batch_state *b, PbBatchVerb verb, int64_t now_ms) {
    if (verb == BATCH_NONE || b->verb != verb) return REFUSED_BATCH_SPENT;
    if (now_ms > batch_expires_ms(b)) return REFUSED_TOO_LATE;
    if (!b->confirmed) return REFUSED_BATCH_NOT_CONFIRMED;
    return b->done < b->cases ? REFUSED_NOTHING : REFUSED_BATCH_SPENT;
}
