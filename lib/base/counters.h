/* counters.h: everything that is counted, in one list. Names are stable; consoles and metrics show them as they are.
 * The broker is one thread: plain increments. */
#ifndef COUNTERS_H
#define COUNTERS_H
#include <stdint.h>

#define COUNTERS(X) \
    X(TURNS,             "turns",               "turns that journaled something") \
    X(COMMANDS,          "commands",            "commands taken, acknowledged or refused") \
    X(ACKNOWLEDGED,      "acknowledged",        "commands that are on disk") \
    X(REPEATED,          "repeated",            "commands seen before: the first reply was given again") \
    X(REFUSED,           "refused",             "commands refused; by reason: refused.<NAME>") \
    X(EVENTS,            "events",              "events journaled") \
    X(DEADLINES,         "deadlines.fired",     "deadlines fired") \
    X(DEADLINES_LATE,    "deadlines.late",      "of them, more than one second after due") \
    X(REPLIES_DROPPED,   "front.dropped",       "replies to peers that do not read; they ask again with the same id") \
    X(SHEDS,             "front.sheds",         "times more reports came than turns take, and some were told BUSY") \
    X(STRANGERS,         "guard.strangers",     "messages from peers that could not be named") \
    X(NOT_OPERATORS,     "guard.not_operators", "operator's orders from peers that are none") \
    X(FRAMES_BAD,        "frames.bad",          "messages refused before they were understood") \
    X(OFFERS,            "offers",              "offers made to desks") \
    X(OFFERS_EXPIRED,    "offers.expired",      "leases that ran out") \
    X(OFFERS_FAILED,     "offers.failed",       "offers given back by their worker") \
    X(OFFERS_LATE,       "offers.late",         "results that came after their lease or epoch") \
    X(DEAD_LETTERS,      "offers.dead",         "offers given up; a deadline moves their case") \
    X(WORKERS_GONE,      "workers.gone",        "workers that fell silent") \
    X(CONSOLES_GONE,     "consoles.gone",       "consoles that fell silent") \
    X(UPDATES,           "feed.updates",        "updates delivered to consoles") \
    X(FEED_BEHIND,       "feed.behind",         "times a console fell behind and went on from the journal") \
    X(RESYNCS,           "feed.resyncs",        "times a console was told to subscribe anew") \
    X(WEB_REQUESTS,      "web.requests",        "HTTP requests read to their end") \
    X(WEB_REFUSED,       "web.refused",         "of them, refused: no such page, host or method") \
    X(WEB_DROPPED,       "web.dropped",         "HTTP visits ended by us: too slow, or the oldest of too many") \
    X(CLOCK_DOUBTED,     "clock.doubted",       "steps of the wall clock that were not believed at once") \
    X(ABANDONED,         "turns.abandoned",     "turns undone for lack of space") \
    X(ARCHIVED,          "cases.archived",      "cases archived: long enough after their end, their text is erased") \
    X(RECEIPTS_EXPIRED,  "receipts.expired",    "receipts dropped: old enough, and their case is not open") \
    X(JOURNAL_PARTS,     "journal.parts",       "parts of the journal given to followers") \
    X(BALLASTS,          "store.ballasts",      "times the reserve was made anew after it had been given back") \
    X(RELOADS,           "rules.reloads",       "rule sets adopted while serving") \
    X(RELOADS_WRONG,     "rules.wrong",         "rule sets that were read and not adopted, because they are wrong") \
    X(DUE_MOVED,         "deadlines.moved",     "cases whose deadlines moved with a calendar") \
    X(TEXTS_DAMAGED,     "texts.damaged",       "times a sealed text did not open with its key: a damaged slot") \
    X(CHECKPOINTS,       "checkpoints",         "checkpoints of the state")

enum counter {
#define X(name, text, sentence) COUNTER_##name,
    COUNTERS(X)
#undef X
    COUNTER_COUNT
};

enum { COUNTERS_REASONS_MAX = 128 };

extern uint64_t counters[COUNTER_COUNT];
extern uint64_t counters_refused[COUNTERS_REASONS_MAX];               /* by reason code */
extern const char *const counter_names[COUNTER_COUNT];
extern const char *const counter_sentences[COUNTER_COUNT];
#define COUNT(name) (counters[COUNTER_##name]++)
#define COUNT_ADD(name, n) (counters[COUNTER_##name] += (uint64_t)(n))
#endif
