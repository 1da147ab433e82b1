/* worker.h: the program whistle-worker: one desk, or as many as its divisions have. It keeps no state: an offer carries
 * all that is needed, and what was decided is in the broker's journal. So it may be killed and started at any moment,
 * and any number of them may serve the same divisions. */
#ifndef WORKER_H
#define WORKER_H
#include "lib/client/whistle.h"
#include "lib/desk/desk.h"

enum { RETRY_AFTER_MS = 60000 };                  /* an offer that the desk can neither decide nor send up */

struct worker_settings {
    PbLevel level;
    uint64_t divisions[WHISTLE_DIVISIONS_MAX];
    unsigned divisions_count;
    const char *endpoint, *program;
    unsigned credit;
    bool help;
};

/* arguments.c: 0; -EINVAL, and `why` says what is wrong and what would be right. */
enum { WORKER_WHY_MAX = 256 };
int worker_arguments(int argc, char **argv, struct worker_settings *ret, char why[static WORKER_WHY_MAX]);
void worker_help(void);
struct worker_flag {
    const char *name, *also, *value;              /* "--divisions", another spelling or NULL, "CODE[,CODE]..." */
    bool (*set)(struct worker_settings *s, const char *value);
    const char *right;                            /* what a value must be, for a complaint */
    const char *sentence, *otherwise;             /* for help; its default, NULL: it must be given */
};
extern const struct worker_flag worker_flags[];
extern const size_t worker_flags_count;
extern const char worker_story[];                 /* what is said below the flags */
const char *worker_level_name(PbLevel level);     /* "community", "street", "district" */

/* serve.c: applies the desk's table until *stop. 0; a fault. */
int worker_serve(struct whistle_worker *w, const struct worker_settings *s, const volatile int *stop);
/* Ends one offer. 0; -ENOENT its lease was lost. */
int worker_decide(struct whistle_worker *w, PbLevel level, const PbOffer *offer);

/* notify.c: tells systemd, if it started us. */
void worker_notify(const char *text);
#endif
