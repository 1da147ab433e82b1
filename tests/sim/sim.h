/* sim.h: a world for the broker, on one thread, drawn from one number.
 *
 * The kernel, the store, the gates, the turn and the client library are the production files. Replaced are the clock
 * and the randomness (life.c), the C library's writes (disk.c) and libzmq (net.c). One seed is one run, for ever.
 *
 *   sim.c      the world: time, streams of numbers, phases (faults, heal, quiet)
 *   swarm.c    which faults and actors it has; each can be switched off by name
 *   seeds.c    many worlds, in children; what is broken is made smaller (main)
 *   paths.c    rare paths by name, and how often each was taken
 *   broker.c   the daemon's lives: started, passing, killed, without power, on a full disk
 *   backup.c   copies of the living store, and what comes back of them; or goes on in its place
 *   follower.c its journal on another machine
 *   counts.c   returns, against what was counted
 *   actors.c   reporters, desks, an office, consoles, strangers
 *   oracle.c   what must hold: kept beside the broker from what it says and commits, checked after every step
 *
 * The numbers of each stream are its own, so that a new actor does not move the others. */
#ifndef SIM_H
#define SIM_H
#include "daemon/daemon.h"
#include "lib/client/whistle.h"

enum { SIM_PATHS_MAX = 256, SIM_COUNTS_MAX = 12, SIM_EVENTS_MAX = 96 };

/* ---- the world (sim.c) ------------------------------------------------------------------------------------------- */

/* From SIM_LATER on: what worlds have since seeds were kept; one that draws none of it is as it was. */
enum sim_stream {
    SIM_SWARM, SIM_NET, SIM_DISK, SIM_FATE, SIM_BROKER, SIM_ACTOR, SIM_LATER = SIM_ACTOR + 32, SIM_COUNTS, SIM_FOLLOW,
    SIM_LOSS, SIM_STREAMS
};

/* Which world, for how long. `without`: a bit for each switch of swarm.c. */
struct sim_run { uint64_t seed, steps, until, without; };

/* What it came to. A world that is broken says under which law: the same law is the same place in the source. */
struct sim_report {
    uint64_t counts[SIM_COUNTS_MAX], paths[SIM_PATHS_MAX], step, history;
    const char *law;                              /* NULL: none was broken */
    int line;
    char told[400], dir[40];
};
enum sim_count {
    COUNT_STEPS, COUNT_KERNEL, COUNT_DEADLINES, COUNT_PASSES, COUNT_CASES, COUNT_DONE, COUNT_MS,
    COUNT_JUDGED, COUNT_LATE,                     /* deadlines that had to be in time; that were not, by a second */
};

void sim_run(const struct sim_run *run, struct sim_report *report);
void sim_tidy(const struct sim_report *report);   /* removes what it left on disk */
void sim_remove(const char *path);                /* with all below it */
int64_t sim_now_ns(void);                         /* since the world began: every clock is made of it */
uint64_t sim_roll(enum sim_stream stream, uint64_t sides);
uint64_t disk_roll(uint64_t sides);
int64_t sim_a_while_ns(void);                      /* how long a fault lasts, at the pace of this world */
bool sim_chance(enum sim_stream stream, unsigned of_a_thousand);
void sim_count(enum sim_count what, uint64_t times);
void sim_history(const void *bytes, size_t len);  /* is part of what the same seed must do again */
extern unsigned sim_uid;                          /* who opens sockets now */
extern bool sim_trace;
_Noreturn void sim_broken(const char *format, ...) __attribute__((format(printf, 1, 2)));
void trace(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* ---- rare paths (paths.c) ---------------------------------------------------------------------------------------- */

enum sim_reach { REACH_ANY, REACH_OFTEN, REACH_ALL };

void paths_of(struct sim_report *report);          /* counts from now on */
void sometimes(const char *name);                 /* one of the table's */
void sometimes_event(const PbEvent *e);
void sometimes_refused(PbRefusal code);
/* Prints the table; how many that must be reached are not. */
unsigned paths_tell(const uint64_t counts[SIM_PATHS_MAX], enum sim_reach reach);
uint64_t paths_count(const uint64_t counts[SIM_PATHS_MAX], const char *name);

/* ---- what this world is like (swarm.c) --------------------------------------------------------------------------- */

/* Drawn first, so that some worlds have no cuts and others nothing else. */
struct swarm {
    unsigned reporters, desks, consoles;
    int64_t think_ns;                             /* between two acts of an actor */
    int64_t fate_ns;                              /* between two of fate's steps */
    int64_t night_ns;                             /* how long nobody is there */
    unsigned kill, power, pause, cut, silence, clock_jump, disk_full, disk_error, disk_slow, night, leave, rules;
                                                  /* per thousand fate steps */
    unsigned tables;                              /* of a thousand ends of the broker: its tables are removed */
    unsigned wrong, again, strange, batches, imports, playbook;  /* of a thousand commands; playbook: drawn or not */
    unsigned mistyped;                            /* of a thousand subscriptions */
    unsigned backup;                              /* of a thousand fate steps */
    unsigned habit;                               /* of words.c; 0: nobody has one */
    unsigned map;                                 /* KiB of the tables' map, which is soon full; 0: there is room */
    unsigned loss;                                /* of a thousand ends of the broker: all of its store is lost */
    unsigned follow;                              /* of a thousand fate steps: the follower goes on */
    unsigned segments;                            /* KiB of each above the least; 0: a MiB */
};
extern struct swarm swarm;

void swarm_draw(uint64_t without);
unsigned swarm_switches(void);
const char *swarm_switch(unsigned number);
bool swarm_parse(struct slice names, uint64_t *ret_without);     /* "kill,power" */

/* ---- memory, clock and randomness of a life (life.c) ------------------------------------------------------------- */

void *sim_memory(size_t size);                    /* of the world: outlives the broker */
void sim_free(void *memory);

enum life_end { LIFE_GOES_ON, LIFE_KILLED, LIFE_NO_POWER, LIFE_EXIT };
enum life_end life_run(void (*f)(void *to), void *to);    /* as the broker; however far it gets */
_Noreturn void life_over(enum life_end how);
bool life_here(void);                             /* within life_run */
void life_bury(void);                             /* what it had in memory is gone */

/* ---- the broker's lives (broker.c) ------------------------------------------------------------------------------- */

void broker_world(const char *dir);               /* once: where its store is */
bool broker_alive(void);
int64_t broker_wakes_ns(void);                    /* when it wants to run next */
void broker_step(void);                           /* starts it, or lets it pass once */
void broker_fate(void);                           /* something happens to it, perhaps */
void broker_heal(void);
void broker_no_room(void);                        /* for this turn; often enough, and somebody sees to it */
struct store *broker_store(void);                 /* NULL: it is not alive */
int64_t broker_now_ms(void);
int64_t broker_up_since_ns(void);
bool broker_excused(void);                        /* it was away, slow, without room or told another time */
uint64_t broker_passes(void);
struct hash broker_final(void);                   /* stops it cleanly, verifies the store; the digest */

/* ---- copies of its store (backup.c) ------------------------------------------------------------------------------ */

/* roomy: its tables have room, so their digest can be taken. */
void backup_take(struct store *living, const char *scratch, const char *store, uint64_t map_bytes, bool roomy);
void backup_restore(uint64_t map_bytes, uint64_t segment_bytes, uint64_t slots_ahead);     /* the last; at the end */
/* The store is lost: the last one takes its place, and its seq is returned. 0: there is none. */
uint64_t backup_serve(const char *store, uint64_t map_bytes, uint64_t segment_bytes, uint64_t slots_ahead);

/* ---- its journal, followed (follower.c) -------------------------------------------------------------------------- */

void follower_step(struct store *living, const char *scratch);
void follower_lost(void);                         /* what was followed may be no more */
void follower_end(struct store *living, const char *scratch);
void follower_restore(const char *scratch, uint64_t map_bytes, uint64_t segment_bytes, const struct hash *digest);

/* ---- who acts (actors.c) ----------------------------------------------------------------------------------------- */

void actors_open(void);
int64_t actors_next_ns(void);
void actors_step(void);                           /* whoever is due */
void actors_one_leaves(uint64_t (*roll)(uint64_t sides));   /* at once, with whatever it had in hand */
void actors_leave(void);                          /* night: connections are closed; they come back by themselves */
bool actors_quiet(void);                          /* nothing is in flight, every console has caught up */
void actors_only_wait(void);                      /* nothing new any more: the quiet phase */

/* ---- what passes by (ear.c) -------------------------------------------------------------------------------------- */

void ear_said(const char *door, uint32_t peer, const struct slice *frames, unsigned count);     /* by the broker */
void ear_told(const char *door, uint32_t peer, struct slice frame);               /* to it, as it takes it */

/* ---- what must hold (oracle.c) ----------------------------------------------------------------------------------- */

struct shadow {
    struct case_state state;
    bool overdue_told;
    uint64_t offered_in;                          /* an epoch */
    int64_t due_since_ms;                         /* since when it is known what is due first */
};

void judge(const struct case_state *before, struct shadow *after, const PbRecord *r);               /* judge.c */
void oracle_recorded(const PbRecord *record);     /* within a turn */
void oracle_committed(void);                      /* and it is on disk */
void oracle_abandoned(void);
void oracle_recovered(struct store *s);           /* a start: what the journal holds is all there is */
void oracle_acknowledged(unsigned uid, const uint8_t id[16], const PbDone *done);
void oracle_passed(struct store *s, int64_t now_ms, bool healthy);
void oracle_lost(uint64_t seq);                   /* what came behind that seq never was */
void oracle_heard(unsigned console, const PbUpdate *update, uint64_t seq);
void oracle_other_past(unsigned console);         /* it is told to forget all: a snapshot follows */
void oracle_row(unsigned console, uint64_t case_id, uint64_t seq);
void oracle_live(unsigned console, uint64_t seq);
/* It subscribes from that seq, or from a snapshot, which has been promised to it. */
void oracle_console_is(unsigned console, const uint64_t *prefixes, unsigned count, uint64_t from_seq);
bool oracle_consoles_know_all(void);
void oracle_end(struct store *s);
void counts_happened(const struct shadow *s, const PbEvent *e, uint64_t seq, int64_t at_ms);        /* counts.c */
void counts_forget(void);
void counts_judge(struct store *s);               /* and the returns that are made of it */
unsigned oracle_cases(void);
struct shadow *oracle_case(unsigned index);
uint64_t oracle_on_disk(void);                    /* the last seq that is */
void oracle_offered_in(uint64_t case_id, uint64_t in_epoch);
uint64_t oracle_steps(void);                      /* events evolved: decided by the kernel, and checked */
#endif
