/* daemon.h: the turn, and what it needs. One thread does all of it.
 *
 *     take ──▶ decide ──▶ commit ──▶ speak ──▶ rest
 *
 * Take what has arrived; decide each against the state after all earlier ones of its turn; one write and one sync; then
 * speak. Group commit needs no timer: the batch is what arrived during the last sync. Two helper threads share only
 * atomics with this one: `pulse` (watchdog, status while a sync is slow), `preparer` (zero-fills the next segment). */
#ifndef DAEMON_H
#define DAEMON_H
#include "daemon/gates/gates.h"
#include "daemon/gates/web.h"

#ifndef WHISTLED_VERSION
#define WHISTLED_VERSION "0.1.0"
#endif

enum {
    TURN_COMMANDS_MAX = 4096,                     /* whichever of the three is first */
    TURN_BYTES_MAX = 1 << 20,
    TURN_DECIDE_NS_MAX = 10000000,                /* decisions/0010 */
    TURN_REPORTS_MAX = TURN_COMMANDS_MAX * 3 / 4, /* a quarter is kept for deadlines, answers and closures */
    TURN_DEADLINES_MAX = 1024,
    TURN_QUERIES_MAX = 256,
    TURN_LOOKED_AT_MAX = 20000,                   /* rows that a turn's questions look at; the next is told BUSY */
    TURN_JOURNAL_PARTS_MAX = 16, JOURNAL_PART_BYTES_MAX = 96 << 10,  /* a part fits a message of the front gate */
    TURN_ROOM_BYTES = 64 << 20,                   /* the turn's arena */
    COMMAND_ROOM_BYTES = 1 << 20,                 /* what one command may take of it, at the most */
    STRIDE_INPUTS_MAX = 256, STRIDE_SPAN_MS = 600000,
    HELD_MAX = 4096, HELD_BYTES_MAX = 8 << 20,
};
_Static_assert(TURN_BYTES_MAX + 2 * (int)JOURNAL_RECORD_BYTES_MAX <= (int)JOURNAL_BATCH_BYTES_MAX,
               "a turn fits one batch");

/* ---- settings -------------------------------------------------------------------------------------------------- */

struct settings {
    char data[OPTION_TEXT_MAX], config[OPTION_TEXT_MAX], front[OPTION_TEXT_MAX], pool[OPTION_TEXT_MAX],
        feed[OPTION_TEXT_MAX], http[OPTION_TEXT_MAX];
    uint64_t lease_ms, segment_bytes, segments_ahead, map_bytes, store_max_bytes, slots_ahead, checkpoint_bytes,
        checkpoint_changes, checkpoint_idle_ms, checkpoint_age_ms, clock_step_ms, drill_start_ms, watchdog_ms,
        receipt_days, archive_after_days;
    bool verify_full, debug, loopback_operates;
};
extern const struct option_spec settings_table[];
extern const size_t settings_count;

/* ---- time in --------------------------------------------------------------------------------------------------- */

/* Broker time = last trusted wall time + CLOCK_BOOTTIME. A step of the wall clock is doubted: journaled, and followed
 * only when the kernel says it is synchronised (or an operator accepts it); backwards is waited out. Broker time never
 * goes back. */
struct broker_clock { int64_t base_wall_ms, base_boot_ms, last_ms, step_ms; bool doubting; };
void broker_clock_start(struct broker_clock *c, int64_t not_before_ms, int64_t step_ms);
enum clock_word { CLOCK_FINE, CLOCK_DOUBT, CLOCK_FOLLOW };
enum clock_word broker_clock_read(struct broker_clock *c, int64_t *ret_now_ms);

/* ---- housekeeping ---------------------------------------------------------------------------------------------- */

/* Where the two walks are: over the receipts, for those that may go; over the cases, for those to archive. Forgotten
 * at a restart: what they did is in the journal. */
enum { ARCHIVED_MAX = 8 };                        /* in a turn: each costs a sync of the key slots */
struct housekeeping {
    struct receipts_round receipts;
    uint64_t receipts_gone, archived, archive_cursor;
    bool receipts_walk, archive_walk;             /* under way */
    bool ballast_told;                            /* that it is gone */
    int64_t receipts_ms, archive_ms;              /* by broker time: the next round of each */
    int64_t slice_ms;                             /* monotonic: the last slice */
    int64_t archive_before_ms;
    uint64_t wipe[ARCHIVED_MAX];                  /* slots of the cases that this turn has archived */
    unsigned wipe_count;
};

/* ---- the daemon ------------------------------------------------------------------------------------------------ */

struct query { struct wire_peer peer; struct source source; PbEnvelope *envelope; };
struct held;

struct daemon {
    struct settings settings;
    struct wire *wire;
    struct store *store;
    struct front *front;
    struct pool *pool;
    struct feed *feed;
    struct loop *loop;
    struct web *web;                              /* NULL: not asked for */
    struct broker_clock clock;
    struct arena room;
    int64_t now_ms, mono_ms;                      /* this turn's */
    int64_t resumes_ms;                           /* monotonic; until then nothing is begun that nobody asks for */
    int64_t since_ms, turn_took_ms;               /* monotonic; of the last turn, with its rest */
    struct histogram lateness;                    /* of fired deadlines, in milliseconds */
    unsigned commands;                            /* decided in this turn */
    struct query queries[TURN_QUERIES_MAX];
    unsigned queries_count, journal_parts, looked_at;    /* in this turn */
    bool more;                                    /* the turn ended at a limit: another one at once */
    bool stopping, drill;
    bool draining, drained_before;                /* no new reports; as it was before this turn */
    bool read_only;                               /* no space to fold at start: questions only */
    struct housekeeping housekeeping;
    struct reload *reload;
    struct recompute *recompute;
    bool reload_wanted;                           /* SIGHUP */
    int64_t horizon_day;                          /* of the last look at the calendars' end */
    struct held *held;                            /* drill: commands that wait for their instant */
    PbRefusal work_refused;                       /* of the desk's decision that is being decided */
    struct case_state before, after, other;       /* of the command being decided; other: its master */
};

/* turn.c */
void turn(struct daemon *d);
bool turn_pauses(const struct daemon *d);         /* one was abandoned: deadlines, desks and housework wait */

/* command.c: one message -> decided, journaled, folded, its reply queued. 0; -ENOSPC: the turn must be abandoned; other
 * negative: final. */
struct command {
    struct wire_peer peer;
    struct source source;
    struct slice bytes;
    const struct pool_item *work;                 /* a desk's result; NULL: it came through the front */
    bool due;                                     /* drill: its instant has come */
};
int command_do(struct daemon *d, const struct command *c);
int command_deadline(struct daemon *d, const struct due_row *due);
int command_offer_failed(struct daemon *d, const struct pool_item *item);
int command_archive(struct daemon *d, uint64_t case_id, int64_t ended_before_ms);      /* d->after: the case archived */
/* *ret: what moves, and moved unless dry; NULL: nothing does. The case as it was is in d->before. */
int command_recompute(struct daemon *d, uint64_t case_id, bool dry, const PbDueMoved **ret);
uint64_t command_case(const PbEnvelope *e);       /* that it is about; 0: of none, or it makes one */
void command_refuse(struct daemon *d, const struct command *c, const PbEnvelope *e, PbRefusal code, const char *field);
/* about NULL: no case. */
void command_done(struct daemon *d, const struct command *c, const PbEnvelope *e, uint64_t seq,
                  const struct case_state *about, int64_t at_ms);

/* office.c: commands about the broker, not a case; and the broker's own events. broker_order: an event that somebody's
 * command made, with its receipt; the reply is the caller's. */
bool office_takes(const PbEnvelope *e);
int office_take(struct daemon *d, const struct command *c, const PbEnvelope *e, const struct hash *hash);
int office_again(struct daemon *d, const struct command *c, const PbEnvelope *e, const struct receipt *r);
int broker_order(struct daemon *d, const struct command *c, const PbEnvelope *e, const struct hash *hash,
                 PbEvent *event);
int broker_event(struct daemon *d, PbEvent *event);

/* adopt.c: a rule set into the journal, in as many turns as it needs; only its end takes effect. */
struct asker;
struct adoption { struct slice bytes; struct hash hash; uint32_t number, next; };       /* next: 0: not begun */
/* As much as this turn takes. by: whose order it is; NULL: a start. 1: adopted; 0: not yet. */
int adoption_take(struct daemon *d, struct adoption *a, const struct asker *by);

/* Somebody whose order takes longer than a turn: he is answered when it is done. */
struct asker {
    struct command command;                       /* peer and source; no bytes */
    bool waits;                                   /* false: a signal; nobody is answered */
    uint8_t id[COMMAND_ID_SIZE];
    struct hash hash;
    char by[BY_BYTES_MAX + 1], origin[ORIGIN_BYTES_MAX + 1];
};
struct asker asker_of(const struct command *c, const PbEnvelope *e, const struct hash *hash);
bool asker_is(const struct asker *a, const struct command *c, const PbEnvelope *e);     /* he asks again */
int asker_event(struct daemon *d, const struct asker *a, PbEvent *event);               /* with his receipt */
void asker_reply(struct daemon *d, const struct asker *a, PbReply *reply);

/* reload.c: the office's files, read anew by a thread of its own and adopted whole or not at all. */
struct reload;
struct reload *reload_open(void);
int reload_order(struct daemon *d, const struct command *c, const PbEnvelope *e, const struct hash *hash);
int reload_again(struct daemon *d, const struct command *c, const PbEnvelope *e, const struct receipt *r);
int reload_take(struct daemon *d);                /* within a turn, behind everything else */
bool reload_busy(const struct daemon *d);
void reload_forget(struct daemon *d);             /* the turn was abandoned */
void reload_close(struct daemon *d);

/* recompute.c: deadlines of open cases by the calendars in force. */
struct recompute;
struct recompute *recompute_open(void);
int recompute_order(struct daemon *d, const struct command *c, const PbEnvelope *e, const struct hash *hash);
int recompute_again(struct daemon *d, const struct command *c, const PbEnvelope *e, const struct receipt *r);
int recompute_take(struct daemon *d);
bool recompute_busy(const struct daemon *d);
void recompute_forget(struct daemon *d);
void recompute_anew(struct daemon *d);            /* other rules are in force: from the first case on */
void recompute_tell(struct daemon *d, PbStatus *s);

/* horizon.c: how many days from now the calendars in force know; INT64_MAX: a drill does not care. */
int64_t horizon_days(struct daemon *d, const PbCalendar **ret_first_to_end);
void horizon_look(struct daemon *d);              /* once a day of broker time: warns when they end soon */

/* housekeeping.c: a slice of what nobody asked for; within a turn, behind everything else. 0; -ENOSPC; negative:
 * final. */
int housekeeping_take(struct daemon *d);
void housekeeping_done(struct daemon *d);         /* after the sync: what was archived is erased */
void housekeeping_forget(struct daemon *d);       /* the turn was abandoned */
bool housekeeping_wants_turn(const struct daemon *d);
void housekeeping_ballast(struct daemon *d);      /* between turns: the reserve that was given back */

/* query.c: answers from what is on disk, after the sync. */
void query_answer(struct daemon *d, const struct query *q);

/* drill.c: strides and barriers on a driven clock. */
void drill_open(struct daemon *d, int64_t start_ms);
int64_t drill_now(struct daemon *d);              /* V: broker time of a drill store */
bool drill_is_driven(const struct daemon *d);     /* else it runs by itself: an ordinary turn at V */
int drill_take(struct daemon *d);                 /* the whole taking and deciding of a driven turn */
void drill_spoken(struct daemon *d);              /* after the sync: says DrillAt when all is quiet */
/* NOTHING: held until its instant. */
PbRefusal drill_hold(struct daemon *d, const struct command *c, const PbEnvelope *e);
PbRefusal drill_go(struct daemon *d, const struct query *q);

/* loop.c (libevent), pulse.c, preparer.c, notify.c (systemd) */
struct loop;
int loop_open(struct loop **ret, struct daemon *d);
struct event_base *loop_base(struct loop *l);     /* for the web gate, which is served while it waits */
void loop_wait(struct loop *l, int64_t wait_ms);
void loop_close(struct loop *l);
enum pulse_phase { PULSE_STARTING, PULSE_SERVING, PULSE_STOPPING };
void pulse_start(uint64_t slow_ms);               /* starting */
void pulse_folded(uint64_t seq);                  /* so far the journal has been folded */
void pulse_serving(const char *status);           /* READY; the text must be a constant */
void pulse_beat(void);                            /* the turn has come round */
void pulse_stopping(void);
void pulse_stop(void);
void preparer_start(struct store *s);
void preparer_stop(void);
void notify_ready(const char *status);
void notify_status(const char *status);
void notify_watchdog(void);
void notify_extend(uint64_t ms);                   /* a start or a stop needs longer */
void notify_stopping(void);
uint64_t notify_watchdog_ms(void);                /* what systemd asks for; 0: nothing */

_Noreturn void die(const char *event, int error, const char *what);   /* a final fault: said once, exit 75 */
#endif
