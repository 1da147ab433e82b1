/* A store in a directory of its own, with the fixture's rules, the real kernel in front of it, and dice. */
#ifndef STORE_WORLD_H
#define STORE_WORLD_H
#include "daemon/store/store.h"
#include "tests/unit/rules_fixture.h"

#include <errno.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct world {
    char top[96], dir[128];
    struct store_options options;
    struct store *store;                          /* NULL: closed */
    struct store_found found;                     /* of the last opening */
    struct arena room;                            /* reset when a turn begins */
    int64_t now_ms;
    uint64_t dice;
    uint64_t ids;                                 /* command ids given out */
    const char *origin;                           /* the system that orders come from; NULL: none */
    const uint8_t *batch;                         /* that orders are part of; NULL: none */
};

/* ---- a store ----------------------------------------------------------------------------------------------------- */

int world_make(void **state);                     /* *state becomes a world with small segments; nothing on disk yet */
int world_remove(void **state);
void world_create(struct world *w);               /* creates, opens, begins epoch 1, adopts the fixture's rules */
int world_try(struct world *w);                   /* store_open, as it returns */
void world_open(struct world *w);
void world_close(struct world *w);
void world_path(const struct world *w, const char *name, char to[static 192]);
void world_flip(const struct world *w, const char *name, long offset);       /* a byte; from the end when negative */
void world_add_deadline(const struct world *w);    /* that no case speaks of, to the tables of a closed store */
struct hash world_digest(struct world *w);
void world_has(struct world *w, const struct hash *digest);                  /* nothing less, nothing else */
void world_still_has(struct world *w, const struct hash *digest);            /* closed before and afterwards */
/* A file, or a directory with all that is in it, and their modes; a file that is there already is replaced. */
void path_copy(const char *from, const char *to);
int path_remove(const char *path);                 /* with all that is in it; 0, or -1 and errno */

#define WORLD(f) cmocka_unit_test_setup_teardown(f, world_make, world_remove)

/* ---- turns ------------------------------------------------------------------------------------------------------- */

void world_begin(struct world *w);
void world_commit(struct world *w);
/* One command within a turn: decided, evolved, recorded. Returns what store_record does; 0 also for a refusal. */
int world_order(struct world *w, const struct order *order, uint64_t case_id, const uint8_t *command_id,
                PbRefusal *ret_refusal, uint64_t *ret_case);
int world_events(struct world *w, PbEvent **events, size_t count);           /* a record of the broker's own */
void world_epoch(struct world *w, uint64_t epoch);                           /* a turn of its own */
void world_adopt(struct world *w, uint32_t number, size_t chunk_bytes);      /* the same */
const PbRules *world_rules(struct world *w, uint32_t number);
/* A report within a turn; the case it made. */
uint64_t world_report(struct world *w, const char *category, uint64_t division);
uint64_t world_report_as(struct world *w, const char *category, uint64_t division, const uint8_t *command_id);
/* What a grid worker found and did on the spot: reported, done and closed at once. command_id may be NULL. */
uint64_t world_self_handle(struct world *w, const uint8_t *command_id);
/* A case of another system's, under its number there; what world_order returns. */
int world_import(struct world *w, const char *origin, const char *number, uint64_t *ret_case);

/* ---- dice -------------------------------------------------------------------------------------------------------- */

uint64_t world_roll(struct world *w, uint64_t sides);
int world_random_order(struct world *w);          /* within a turn: a report, an answer, a deadline ... */
void world_random_turns(struct world *w, unsigned turns, unsigned orders);
#endif
