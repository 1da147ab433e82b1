#include "daemon/store/texts.h"

#include "lib/base/base.h"

#include <stddef.h>
#include <string.h>

const PbReported *event_report(const PbEvent *e) {
    switch (e->event_case) {
    case EVENT_REPORTED: return e->reported;
    case EVENT_SELF_HANDLED: return e->self_handled->report;
    case EVENT_IMPORTED: return e->imported->report;
    default: return NULL;
    }
}

/* Where in its event a text stands, of those that may carry one besides a report's own. */
static const uint16_t text_at[] = {
    [EVENT_SELF_HANDLED] = offsetof(PbSelfHandled, text), [EVENT_REJECTED] = offsetof(PbRejected, text),
    [EVENT_ANSWERED] = offsetof(PbAnswered, text), [EVENT_MILESTONE_DONE] = offsetof(PbMilestoneDone, text),
    [EVENT_RESOLVED] = offsetof(PbResolved, text), [EVENT_REWORK] = offsetof(PbRework, text),
    [EVENT_NOTED] = offsetof(PbNoted, text), [EVENT_REMINDED] = offsetof(PbReminded, text),
    [EVENT_SUPERVISED] = offsetof(PbSupervised, text), [EVENT_CLOSED] = offsetof(PbClosed, text),
    [EVENT_APPEALED] = offsetof(PbAppealed, text), [EVENT_WITHDRAWN] = offsetof(PbWithdrawn, text),
    [EVENT_RETURNED] = offsetof(PbReturned, text), [EVENT_EXTENSION_ASKED] = offsetof(PbExtensionAsked, text),
    [EVENT_EXTENSION_GRANTED] = offsetof(PbExtensionGranted, text),
    [EVENT_EXTENSION_REFUSED] = offsetof(PbExtensionRefused, text), [EVENT_SUSPENDED] = offsetof(PbSuspended, text),
    [EVENT_DELEGATED] = offsetof(PbDelegated, text), [EVENT_FOLLOWED_UP] = offsetof(PbFollowedUp, text),
    [EVENT_REOPENED] = offsetof(PbReopened, text), [EVENT_TRANSFERRED] = offsetof(PbTransferred, text),
    [EVENT_VOID_ASKED] = offsetof(PbVoidAsked, text), [EVENT_VOIDED] = offsetof(PbVoided, text),
    [EVENT_CORRECTED] = offsetof(PbCorrected, text),
};

/* Every event stands at the same place of its union. */
const PbSealed *event_text(const PbEvent *e, const char **ret_context) {
    const PbSealed *text = NULL;
    *ret_context = e->event_case == EVENT_SELF_HANDLED ? "deed" : "text";
    if ((size_t)e->event_case < COUNT_OF(text_at) && text_at[e->event_case])
        memcpy(&text, (const uint8_t *)e->reported + text_at[e->event_case], sizeof text);
    return text;
}

unsigned event_texts(const PbEvent *e, struct sealed_text to[EVENT_TEXTS_MAX]) {
    const PbReported *r = event_report(e);
    const char *context;
    const PbSealed *own = event_text(e, &context);
    unsigned count = 0;
    if (own)
        to[count++] = (struct sealed_text){own, context};
    if (r && r->text)
        to[count++] = (struct sealed_text){r->text, "text"};
    if (r && r->address)
        to[count++] = (struct sealed_text){r->address, "address"};
    return count;
}
