/* metrics.c: what there is to see, as one table. docs/operating.md shows it; a test keeps the two equal. */
#include "daemon/metrics.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { NAME_BYTES_MAX = 64, HORIZON_UNKNOWN_DAYS = 36500 };       /* a drill has no horizon */

/* ---- seeing ---------------------------------------------------------------------------------------------------- */

/* Those that wait to be fired, and how long the first of them has. Of many only so many are counted. */
static void see_deadlines(struct daemon *d, struct metrics_seen *s) {
    struct due_row due;
    int r = store_first_due(d->store, &due);
    if (r == 0 && due.due_ms < d->now_ms) s->overdue_ms = (uint64_t)(d->now_ms - due.due_ms);
    while (r == 0 && due.due_ms <= d->now_ms && s->deadlines_due < DUE_COUNTED_MAX) {
        s->deadlines_due++;
        r = store_next_due(d->store, &due, &due);
    }
}

static void see_process(struct metrics_seen *s) {
    unsigned long long pages = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "re");
    if (f && fscanf(f, "%llu %llu", &pages, &resident) == 2)
        s->resident_bytes = resident * (uint64_t)sysconf(_SC_PAGESIZE);
    if (f) fclose(f);
    DIR *open = opendir("/proc/self/fd");
    for (struct dirent *e; open && (e = readdir(open));) s->fds += e->d_name[0] != '.';
    if (open) closedir(open), s->fds--;           /* the one that looked */
}

void metrics_see(struct daemon *d, struct metrics_seen *ret) {
    static const PbLevel levels[LEVELS_WITH_DESKS] = { LEVEL_COMMUNITY, LEVEL_STREET, LEVEL_DISTRICT };
    *ret = (struct metrics_seen){
        .lateness = d->lateness, .ready = health_unready(d) == NULL, .drill = d->drill, .epoch = store_epoch(d->store),
        .seq = store_durable_seq(d->store), .consoles = feed_consoles(d->feed),
        .offers_open = pool_offers_open(d->pool), .clock_doubted = d->clock.doubting,
        .uptime_ms = (uint64_t)(clock_mono_ns() / 1000000 - d->since_ms),
    };
    const PbCalendar *ends;
    int64_t days = horizon_days(d, &ends);
    ret->rules = store_rules_number(d->store);
    ret->calendar_days = days < 0 ? 0 : ends ? (uint64_t)days : HORIZON_UNKNOWN_DAYS;
    ret->recomputing = store_recompute(d->store) != 0;
    for (unsigned i = 0; i < LEVELS_WITH_DESKS; i++) ret->workers[i] = pool_workers(d->pool, levels[i]);
    store_figures(d->store, &ret->store);
    counters[COUNTER_CHECKPOINTS] = ret->store.checkpoints; /* the store keeps count */
    see_deadlines(d, ret);
    see_process(ret);
}

/* ---- writing --------------------------------------------------------------------------------------------------- */

struct metric;
typedef void teller(const struct metric *m, const char *name, const struct metrics_seen *s, struct exposition *x);

struct metric {
    const char *name;                             /* without whistled_ */
    enum exposition_type type;
    teller *tell;
    size_t offset;                                /* in struct metrics_seen */
    const char *help;
};

static const void *value_of(const struct metric *m, const struct metrics_seen *s) {
    return (const char *)s + m->offset;
}

static const struct label none = { .name = NULL };

static void tell_number(const struct metric *m, const char *name, const struct metrics_seen *s, struct exposition *x) {
    exposition_sample(x, name, none, *(const uint64_t *)value_of(m, s), 0);
}

static void tell_ms(const struct metric *m, const char *name, const struct metrics_seen *s, struct exposition *x) {
    exposition_sample(x, name, none, *(const uint64_t *)value_of(m, s), 3);
}

static void tell_percent(const struct metric *m, const char *name, const struct metrics_seen *s,
                         struct exposition *x) {
    exposition_sample(x, name, none, *(const unsigned *)value_of(m, s), 0);
}

static void tell_build(const struct metric *m, const char *name, const struct metrics_seen *s, struct exposition *x) {
    (void)m, (void)s;
    exposition_sample(x, name, (struct label){ "version", WHISTLED_VERSION }, 1, 0);
}

static void tell_states(const struct metric *m, const char *name, const struct metrics_seen *s, struct exposition *x) {
    const uint64_t *by_state = value_of(m, s);
    for (unsigned i = STATE_NONE + 1; i < STORE_STATES_MAX; i++)
        if (strcmp(state_name((PbState)i), "?") != 0)
            exposition_sample(x, name, (struct label){ "state", state_name((PbState)i) }, by_state[i], 0);
}

static void tell_workers(const struct metric *m, const char *name, const struct metrics_seen *s, struct exposition *x) {
    static const char *const levels[LEVELS_WITH_DESKS] = { "community", "street", "district" };
    const uint64_t *workers = value_of(m, s);
    for (unsigned i = 0; i < LEVELS_WITH_DESKS; i++)
        exposition_sample(x, name, (struct label){ "level", levels[i] }, workers[i], 0);
}

/* 64 us .. 8.4 s: a sync, a checkpoint. */
static void tell_us(const struct metric *m, const char *name, const struct metrics_seen *s, struct exposition *x) {
    exposition_histogram(x, name, value_of(m, s), (struct exposition_buckets){ 6, 23, 6 });
}

/* 16 ms .. 12.4 days, counted in milliseconds: after downtime a deadline may be days late. */
static void tell_lateness(const struct metric *m, const char *name, const struct metrics_seen *s,
                          struct exposition *x) {
    exposition_histogram(x, name, value_of(m, s), (struct exposition_buckets){ 4, 30, 3 });
}

static void tell_refusals(const struct metric *m, const char *name, const struct metrics_seen *s,
                          struct exposition *x) {
    (void)m, (void)s;
    for (unsigned i = REFUSED_NOTHING + 1; i < COUNTERS_REASONS_MAX; i++) {
        const struct sentence *why = sentence_of((PbRefusal)i);
        if (why->code == (PbRefusal)i)            /* else it is the sentence for codes that nobody gives */
            exposition_sample(x, name, (struct label){ "reason", why->name }, counters_refused[i], 0);
    }
}

#define AT(field) offsetof(struct metrics_seen, field)
#define GAUGE EXPOSITION_GAUGE
#define COUNTER EXPOSITION_COUNTER
#define HISTOGRAM EXPOSITION_HISTOGRAM
static const struct metric table[] = {
    { "build_info", GAUGE, tell_build, 0, "1; the version that runs is its label" },
    { "uptime_seconds", GAUGE, tell_ms, AT(uptime_ms), "since it started to serve" },
    { "ready", GAUGE, tell_number, AT(ready), "1: commands are taken; 0: /readyz says why not" },
    { "drill", GAUGE, tell_number, AT(drill), "1: a drill store" },
    { "epoch", GAUGE, tell_number, AT(epoch), "starts of this store, this one included" },
    { "journal_seq", GAUGE, tell_number, AT(seq), "last seq on disk" },
    { "cases", GAUGE, tell_states, AT(store.cases_by_state), "cases by state, closed and rejected ones included" },
    { "cases_open", GAUGE, tell_number, AT(store.cases_open), "cases that are not over" },
    { "receipts", GAUGE, tell_number, AT(store.receipts), "commands remembered, so that a repeat is known" },
    { "deadline_lateness_seconds", HISTOGRAM, tell_lateness, AT(lateness), "how late deadlines fired" },
    { "deadlines_due", GAUGE, tell_number, AT(deadlines_due), "deadlines due and not yet fired; 1000: or more" },
    { "deadlines_overdue_seconds", GAUGE, tell_ms, AT(overdue_ms), "how long the oldest of them is overdue" },
    { "sync_seconds", HISTOGRAM, tell_us, AT(store.sync), "write and sync of a turn's batch" },
    { "checkpoint_seconds", HISTOGRAM, tell_us, AT(store.checkpoint), "commit of the state; the turn waits for it" },
    { "quota_percent", GAUGE, tell_percent, AT(store.quota_percent), "of the quota used; reports stop at 85" },
    { "quota_bytes", GAUGE, tell_number, AT(store.quota_bytes), "the quota, or what the filesystem lets it become" },
    { "journal_bytes", GAUGE, tell_number, AT(store.journal_bytes), "journal on disk, segments ahead included" },
    { "state_bytes", GAUGE, tell_number, AT(store.state_bytes), "state on disk" },
    { "slots_bytes", GAUGE, tell_number, AT(store.slots_bytes), "key slots on disk" },
    { "segments_ready", GAUGE, tell_number, AT(store.segments_ready), "segments ready; at 0 reports are refused" },
    { "workers", GAUGE, tell_workers, AT(workers), "workers connected, by the level they serve" },
    { "consoles", GAUGE, tell_number, AT(consoles), "consoles connected" },
    { "offers_open", GAUGE, tell_number, AT(offers_open), "offers that a worker holds a lease on" },
    { "rules", GAUGE, tell_number, AT(rules), "number of the rules in force" },
    { "calendar_days", GAUGE, tell_number, AT(calendar_days), "days until the first calendar ends" },
    { "recomputing", GAUGE, tell_number, AT(recomputing), "1: deadlines are being reckoned by other calendars" },
    { "clock_doubting", GAUGE, tell_number, AT(clock_doubted), "1: the wall clock is not believed at the moment" },
    { "process_resident_bytes", GAUGE, tell_number, AT(resident_bytes), "memory, mapped pages of the state included" },
    { "process_fds", GAUGE, tell_number, AT(fds), "open file descriptors" },
    { "refusals_total", COUNTER, tell_refusals, 0, "commands refused, by reason" },
};

static void write_counter(unsigned i, struct exposition *x) {
    char name[NAME_BYTES_MAX];
    CHECK(snprintf(name, sizeof name, "whistled_%s_total", counter_names[i]) < (int)sizeof name);
    for (char *at = name; *at; at++)
        if (*at == '.') *at = '_';
    exposition_family(x, name, EXPOSITION_COUNTER, counter_sentences[i]);
    exposition_sample(x, name, none, counters[i], 0);
}

void metrics_write(const struct metrics_seen *seen, struct exposition *to) {
    char name[NAME_BYTES_MAX];
    for (unsigned i = 0; i < COUNT_OF(table); i++) {
        const struct metric *m = &table[i];
        CHECK(snprintf(name, sizeof name, "whistled_%s", m->name) < (int)sizeof name);
        exposition_family(to, name, m->type, m->help);
        m->tell(m, name, seen, to);
    }
    for (unsigned i = 0; i < COUNTER_COUNT; i++) write_counter(i, to);
}
