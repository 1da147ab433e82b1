/* batch.h: many cases, one decision, two persons. Pure.
 *
 *   asked ──▶ confirmed, by another ──▶ carried out, a case a command ──▶ spent
 *     └─ after BATCH_LASTS_MS: over          └─ after BATCH_LASTS_MS: over
 *
 * The digest is of the case ids, so that the second person confirms what the first one saw. A batch is for one verb and
 * for so many cases; what was not carried out in time takes two persons again. */
#ifndef BATCH_H
#define BATCH_H
#include "daemon/kernel/kernel.h"

enum { BATCH_CASES_MAX = 100000, BATCH_DIGEST_BYTES = 32 };
#define BATCH_LASTS_MS (7LL * 86400000)

struct batch_state {
    uint8_t verb;                                 /* PbBatchVerb */
    bool confirmed;
    uint32_t cases, done;                         /* done: commands carried out as part of it */
    int64_t asked_at_ms, confirmed_at_ms;
    uint8_t digest[BATCH_DIGEST_BYTES];
    char by[BY_BYTES_MAX + 1], confirmed_by[BY_BYTES_MAX + 1];
};

int64_t batch_expires_ms(const struct batch_state *b);

/* What each word is refused for; *ret_field names the field. `by`: the envelope's; empty: not said. */
PbRefusal batch_ask(const PbAskBatch *a, struct slice by, const char **ret_field);
PbRefusal batch_confirm(const struct batch_state *b, const PbConfirmBatch *c, struct slice by, int64_t now_ms,
                        const char **ret_field);
/* One more case of it. verb NONE: the command is of no batch. */
PbRefusal batch_take(const struct batch_state *b, PbBatchVerb verb, int64_t now_ms);
#endif
