/* actors.h: one who talks to the broker, and what there is to say (words.c). */
#ifndef ACTORS_H
#define ACTORS_H
#include "tests/sim/sim.h"

enum actor_kind { REPORTER, OFFICE, DESK, CONSOLE, STRANGER, INSISTENT };

/* What somebody keeps at, in worlds that have such a one (words.c). */
enum habit { HABIT_MORE_TIME = 1, HABIT_SENDS_BACK, HABIT_SAYS_AGAIN, HABIT_MEDDLES, HABITS = HABIT_MEDDLES };

/* A command that was sent once, to be sent again some day, byte for byte. */
enum { KEPT_MAX = 256, KEPT_BYTES = 1024 };
struct kept { unsigned len; uint8_t bytes[KEPT_BYTES]; };

struct actor {
    enum actor_kind kind;
    unsigned number, uid;
    int64_t wakes_ns;
    struct whistle_client *client;
    struct whistle_worker *worker;
    struct whistle_feed *feed;
    struct wire_socket *socket;
    PbLevel level;
    struct kept *kept;
    unsigned kept_count;
    unsigned absent;                              /* console: so many steps it will not read */
    unsigned in_hand;                             /* desk: offers that it will never answer */
    uint64_t last_seq, last_epoch;                /* console: where it goes on after a night; in which it was told */
    bool mistyped;                                /* console: a prefix, until it is told */
    bool anew;                                    /* console: was told to forget all, and knows not yet all that is */
    unsigned times;                               /* habit: said so often, */
    uint64_t about;                               /* about that case */
};

uint64_t actor_roll(const struct actor *a, uint64_t sides);
bool actor_chance(const struct actor *a, unsigned of_a_thousand);

/* A command, but for its id; what it needs is in `room` until that is reset. */
void words_say(struct actor *a, struct arena *room, const uint8_t id[16], PbEnvelope *e);
#endif
