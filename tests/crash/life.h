/* life.h: the life of a store, on a tape, and what it was told on the way; and the judge of what a crash left of it. */
#ifndef CRASH_LIFE_H
#define CRASH_LIFE_H
#include "tests/crash/disk.h"
#include "tests/unit/store_world.h"

enum { LIFE_SAID_MAX = 512, LIFE_RECORDS_MAX = 2048, LIFE_SLOTS_MAX = 512, LIFE_PHASES_MAX = 64 };

/* Said at that length of the tape: from there on it must hold. */
struct said {
    size_t at;
    bool created;                                 /* store_create has returned */
    uint64_t seq;                                 /* durable */
    uint64_t slots;                               /* keys that sealed text was told to be under */
    size_t erased;                                /* of the list below */
};

/* What a life is busy with when the power goes. */
enum life_phase {
    PHASE_CREATION, PHASE_RULES, PHASE_TURNS, PHASE_CHECKPOINT, PHASE_ROTATION, PHASE_RESTART, PHASE_ERASURE,
    PHASE_PURGE, PHASE_BALLAST, PHASES
};

struct life {
    struct tape tape;
    struct { size_t at; enum life_phase phase; } entered[LIFE_PHASES_MAX];
    size_t phases;
    struct said said[LIFE_SAID_MAX];
    size_t said_count;
    struct { uint64_t seq; struct hash digest; } state[LIFE_SAID_MAX];         /* of the tables, at each commit */
    size_t states;
    struct { uint64_t first_seq; struct hash bytes; } record[LIFE_RECORDS_MAX];
    size_t records;
    struct hash key[LIFE_SLOTS_MAX];
    uint64_t slots;
    uint64_t erased[LIFE_SLOTS_MAX];
    size_t erased_count;
    int64_t now_ms;                               /* at its end */
};

void life_live(struct life *l, const char *root, const char *scratch, uint64_t seed);
void life_free(struct life *l);
enum life_phase life_phase(const struct life *l, size_t at);
/* What must hold of an image of the tape up to there. */
struct said life_said(const struct life *l, size_t at);

/* Writes the image below root, opens it, looks at everything, writes, closes, verifies and opens again. `then` is what
 * it did and said meanwhile: a life of its own, for images of a recovery. `twice`: it is opened once more at the end.
 * NULL: it is as it must be; else words for the first thing that is not. */
const char *life_judge(struct life *l, const struct said *must_hold, const char *root, const char *scratch,
                       struct life *then, const struct disk *image, bool twice);
#endif
