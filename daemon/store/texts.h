/* texts.h: where sealed text stands in events. Each is sealed under the key of its case's slot, and a context that says
 * what it is: "text", "address", or "deed" for what was done on the spot. */
#ifndef TEXTS_H
#define TEXTS_H
#include "whistle.pb-c.h"

#include <stdbool.h>

const PbReported *event_report(const PbEvent *e);                     /* of an event that opens a case; or NULL */
/* Besides a report's own; or NULL. */
const PbSealed *event_text(const PbEvent *e, const char **ret_context);

struct sealed_text { const PbSealed *sealed; const char *context; };
enum { EVENT_TEXTS_MAX = 3 };
unsigned event_texts(const PbEvent *e, struct sealed_text to[EVENT_TEXTS_MAX]);          /* all; how many */
#endif
