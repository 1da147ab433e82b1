/* offline.h: what the commands for a resting store share. */
#ifndef CTL_OFFLINE_H
#define CTL_OFFLINE_H
#include "ctl/ctl.h"
#include "daemon/store/store.h"

/* The broker's defaults; the segments' size is read from the journal. */
struct store_options offline_options(const char *dir, bool read_only);
/* What keeps a store from being opened, as an exit code; said. */
int offline_failed(const struct ctl *c, const char *dir, int r, const char *problem);
/* The same of a backup, a restore, a follower: what was asked for may be wrong, and who is in the way is in the
 * words. */
int copy_failed(const struct ctl *c, const char *what, int r, const char *problem);
#endif
