/* count.h: what broker.c says to the gates, and hears from them, through wire.c. */
#ifndef COUNT_H
#define COUNT_H
#include "lib/wire/wire.h"

enum count_gate { COUNT_FRONT, COUNT_POOL, COUNT_FEED, COUNT_GATES };     /* in the order in which they are opened */

void count_tell(enum count_gate gate, struct slice frame);
bool count_hear(enum count_gate gate, struct wire_message *ret);              /* borrowed until the next */
#endif
