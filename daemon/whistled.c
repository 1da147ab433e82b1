/* whistled.c: settings, rules, store, doors, READY, the loop, STOPPING, done. */
#include "daemon/arguments.h"
#include "daemon/config/config.h"
#include "daemon/metrics.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { EXIT_BAD_CONFIG = 2, EXIT_CANNOT_START = 1, EXIT_FINAL_FAULT = 75 };
enum { INSPECT_BYTES = 64 << 20 };                /* of tables: looked at in half a second (docs/store.md 13) */

/* ---- ends ------------------------------------------------------------------------------------------------------ */

void die(const char *event, int error, const char *what) {
    log_error("%s error=\"%s\" what=\"%s\"", event, error ? strerror(-error) : "none", what);
    notify_status(what);
    _Exit(EXIT_FINAL_FAULT);
}

static void on_failed_check(const char *what, const char *file, int line) {
    log_error("bug.check at=%s:%d what=\"%s\"", file, line, what);
}

/* ---- rules ----------------------------------------------------------------------------------------------------- */

struct rules_loaded { struct slice bytes; struct hash hash; const PbRules *rules; };

static int rules_load(const char *dir, struct rules_loaded *ret) {
    struct arena *room = memory_or_die(sizeof *room);
    struct config_error e;
    char line[CONFIG_ERROR_BYTES];
    PbRules *rules = NULL;
    arena_wrap(room, memory_or_die(CONFIG_ARENA_BYTES), CONFIG_ARENA_BYTES);
    int r = config_load(dir, room, &rules, &e);
    if (r < 0) {
        fprintf(stderr, "whistled: %s\n", config_error_line(&e, line));
        return r;
    }
    ret->rules = rules;
    return config_canonical(rules, room, &ret->bytes, &ret->hash);
}

static void print_line(void *to, const char *text) {
    fprintf(to, "%s\n", text);
}

static int check_endpoints(const struct settings *s) {
    const char *const endpoints[] = { s->front, s->pool, s->feed };
    for (unsigned i = 0; i < COUNT_OF(endpoints); i++) {
        if (!guard_endpoint(endpoints[i])) {
            fprintf(stderr, "whistled: %s: not listened on; use ipc:///PATH or tcp://127.0.0.1:PORT\n", endpoints[i]);
            return -EINVAL;
        }
        for (unsigned before = 0; before < i; before++) {
            if (strncmp(endpoints[i], "ipc:", 4) != 0 || strcmp(endpoints[before], endpoints[i]) != 0) continue;
            fprintf(stderr, "whistled: %s: given twice; front, pool and feed want a path each\n", endpoints[i]);
            return -EINVAL;
        }
    }
    struct sockaddr_storage address;
    socklen_t len;
    if (s->http[0] == '\0' || web_address_parse(s->http, &address, &len)) return 0;
    fprintf(stderr, "whistled: http: %s: not served there; use 127.0.0.1:PORT or [::1]:PORT, or \"\" for nowhere\n",
            s->http);
    return -EINVAL;
}

/* The words that answer and exit: help, version, print-config, check. -1: go on. */
static int answer_words(const struct arguments *a, const struct settings *s) {
    struct rules_loaded rules = { .rules = NULL };
    if (a->help) return arguments_help(), 0;
    if (a->version) return puts("whistled " WHISTLED_VERSION), 0;
    if (a->print_config) return options_print(settings_table, settings_count, s, print_line, stdout), 0;
    if (!a->check) return -1;
    if (check_endpoints(s) < 0 || rules_load(s->config, &rules) < 0) return EXIT_BAD_CONFIG;
    printf("%s: good: %zu divisions, %zu parties, %zu categories, %zu calendars, %zu playbooks, %zu bytes compiled\n",
           s->config, rules.rules->n_divisions, rules.rules->n_parties, rules.rules->n_categories,
           rules.rules->n_calendars, rules.rules->n_playbooks, rules.bytes.len);
    return 0;
}

/* ---- store ----------------------------------------------------------------------------------------------------- */

static struct store_options store_options_of(const struct settings *s, bool drill) {
    return (struct store_options){
        .dir = s->data, .drill = drill, .segment_bytes = s->segment_bytes, .segments_ahead = s->segments_ahead,
        .map_bytes = s->map_bytes, .store_max_bytes = s->store_max_bytes, .slots_ahead = s->slots_ahead,
        .checkpoint_bytes_journal = s->checkpoint_bytes, .checkpoint_changes = s->checkpoint_changes,
        .checkpoint_idle_ms = (int64_t)s->checkpoint_idle_ms, .checkpoint_age_ms = (int64_t)s->checkpoint_age_ms,
        .verify_full = s->verify_full, .inspect_bytes = INSPECT_BYTES, .folded = pulse_folded,
    };
}

static int open_store(struct daemon *d, bool drill) {
    struct store_options o = store_options_of(&d->settings, drill);
    struct store_found found = { .rebuilt = false };
    int r = store_open(&d->store, &o, &found);
    if (r == -ENOENT) { /* nothing there yet; store_create refuses a directory with anything in it */
        r = store_create(&o, found.problem);
        if (r == 0) log_info("store.created dir=%s kind=%s", o.dir, drill ? "drill" : "ordinary");
        if (r == 0) r = store_open(&d->store, &o, &found);
    }
    if (r == -ENOSPC) { /* no room to fold what the last checkpoint lacks: serve what it has, and do not loop */
        log_error("store.no_space what=\"%s\" effect=\"questions only, until there is space and a restart\"",
                  found.problem);
        d->read_only = o.read_only = true;
        r = store_open(&d->store, &o, &found);
    }
    if (r < 0) {
        fprintf(stderr, "whistled: %s: %s%s\n", o.dir, found.problem[0] ? found.problem : strerror(-r),
                r == -ENOENT || r == -EACCES || r == -EROFS
                ? "; does the directory above it exist, and may this user read and write there?" : "");
        return r;
    }
    d->drill = store_is_drill(d->store);
    if (found.not_ext4_xfs)
        log_warn("store.filesystem what=\"neither ext4 nor xfs: what a sync means here is not known to us\"");
    if (found.journal.torn_bytes)
        log_warn("journal.torn bytes=%llu saved=%s", (unsigned long long)found.journal.torn_bytes,
                 found.journal.torn_file);
    log_info("store.open dir=%s kind=%s seq=%llu folded=%llu refolded=%llu decision=%s rebuilt=%d epoch=%llu", o.dir,
             d->drill ? "drill" : "ordinary", (unsigned long long)store_durable_seq(d->store),
             (unsigned long long)found.folded_seq, (unsigned long long)found.refolded, found.decision, found.rebuilt,
             (unsigned long long)store_epoch(d->store));
    return 0;
}

/* As many turns as it takes: what a turn writes is bounded. */
static int adopt(struct daemon *d, const struct rules_loaded *rules) {
    struct adoption a = { .bytes = rules->bytes, .hash = rules->hash };
    int over = 0, r = 0;
    while (over == 0 && r == 0) {
        store_begin(d->store, d->now_ms);
        over = adoption_take(d, &a, NULL);
        if (over < 0) return over;
        r = store_turn_empty(d->store) ? -ENOSPC : store_commit(d->store);
        arena_reset(&d->room);
    }
    if (r == 0) log_info("rules.adopted number=%u bytes=%zu", store_rules_number(d->store), rules->bytes.len);
    return r;
}

/* A new epoch, and the rules when they have changed: the first turns, before anybody can connect. */
static int begin_epoch(struct daemon *d, const struct rules_loaded *rules) {
    struct hash in_force = store_rules_hash(d->store);
    PbEpochBegun begun = { .has_epoch = 1, .epoch = store_epoch(d->store) + 1 };
    PbEvent event = { .event_case = EVENT_EPOCH_BEGUN, .epoch_begun = &begun };
    store_begin(d->store, d->now_ms);
    int r = broker_event(d, &event);
    bool changed = store_rules_number(d->store) == 0 || !hash_equal(&in_force, &rules->hash);
    if (r == 0) r = store_commit(d->store);
    return r == 0 && changed ? adopt(d, rules) : r;
}

/* ---- doors ----------------------------------------------------------------------------------------------------- */

static int bind_failed(const char *endpoint, int r) {
    fprintf(stderr, "whistled: %s: cannot listen: %s%s\n", endpoint, strerror(-r),
            r == -EADDRINUSE ? "; another program has it: stop that one or choose another endpoint"
            : r == -ENOENT || r == -EACCES ? "; does the directory exist, and may we write there?"
            : r == -ENAMETOOLONG ? "; the path of a socket has 107 bytes at most"
            : r == -EINVAL ? "; use ipc:///PATH or tcp://127.0.0.1:PORT" : "");
    return r;
}

/* After the loop, on which it is served. */
static int open_web(struct daemon *d) {
    if (d->settings.http[0] == '\0') return 0;
    struct web_options o = { .base = loop_base(d->loop), .address = d->settings.http, .tell = health_tell, .of = d };
    int r = web_open(&d->web, &o);
    if (r == 0) log_info("web.serving address=%s", web_address(d->web));
    return r < 0 ? bind_failed(d->settings.http, r) : 0;
}

/* An operator is root, or whose store it is. */
static int open_guard(struct daemon *d) {
    struct stat store;
    if (stat(d->settings.data, &store) < 0) return -errno;
    guard_open(store.st_uid, d->drill || d->settings.loopback_operates);
    return 0;
}

static int open_doors(struct daemon *d) {
    struct pool_options pool
        = { .endpoint = d->settings.pool, .lease_ms = (int64_t)d->settings.lease_ms, .drill = d->drill };
    int r = open_guard(d);
    if (r < 0) return bind_failed(d->settings.data, r);
    d->wire = wire_open();
    r = front_open(&d->front, d->wire, d->settings.front);
    if (r < 0) return bind_failed(d->settings.front, r);
    r = pool_open(&d->pool, d->wire, &pool, d->store);
    if (r < 0) return bind_failed(d->settings.pool, r);
    r = feed_open(&d->feed, d->wire, d->settings.feed, d->store, d->drill);
    if (r < 0) return bind_failed(d->settings.feed, r);
    r = loop_open(&d->loop, d);
    return r < 0 ? r : open_web(d);
}

/* ---- the loop -------------------------------------------------------------------------------------------------- */

enum { LOOK_MS = 100 };                           /* the longest sleep: then it is looked whether anything is due */

/* How long nothing can become due by itself: the next deadline, lease or heartbeat. */
static int64_t next_wait_ms(struct daemon *d) {
    struct due_row due;
    bool pauses = turn_pauses(d), driven = d->drill && drill_is_driven(d);
    int64_t wait = pauses ? d->resumes_ms - d->mono_ms : pool_next_ms(d->pool, d->mono_ms);
    int64_t feed = feed_next_ms(d->feed, d->mono_ms);
    if (feed < wait) wait = feed;
    if (!pauses && !driven && store_first_due(d->store, &due) == 0 && due.due_ms - d->now_ms < wait)
        wait = due.due_ms - d->now_ms;
    return wait < 1 ? 1 : wait < LOOK_MS ? wait : LOOK_MS;
}

static void serve(struct daemon *d) {
    while (!d->stopping) {
        turn(d);
        bool pauses = turn_pauses(d);
        bool more = d->more || (!pauses && pool_wants_turn(d->pool)) || feed_wants_turn(d->feed);
        bool idle = d->commands == 0 && !more;
        int r = d->read_only ? 0 : store_rest(d->store, d->mono_ms, d->now_ms, idle);
        if (r < 0 && r != -ENOSPC) die("state.lost", r, "a checkpoint failed; the next start folds the journal again");
        if (idle) housekeeping_ballast(d);
        bool housework = r > 0 || (!pauses && (housekeeping_wants_turn(d) || reload_busy(d) || recompute_busy(d)));
        horizon_look(d);
        if (d->web) web_rest(d->web, d->mono_ms);
        d->turn_took_ms = clock_mono_ns() / 1000000 - d->mono_ms;
        loop_wait(d->loop, more || !(idle || housework) ? 0 : housework ? 1 : next_wait_ms(d));
    }
    turn(d); /* what had arrived is answered STOPPING, what was decided is told */
    loop_wait(d->loop, 0);
}

static void close_all(struct daemon *d) {
    pulse_stopping();
    reload_close(d);
    if (!d->read_only) preparer_stop();
    front_close(d->front);
    pool_close(d->pool);
    feed_close(d->feed);
    web_close(d->web);
    loop_close(d->loop);
    store_close(d->store);
    pulse_stop();
    wire_close(d->wire);
    log_info("whistled.stopped");
}

int main(int argc, char **argv) {
    static struct daemon d;
    struct arguments arguments = { .file = NULL };
    struct rules_loaded rules;
    check_hook = on_failed_check;
    signal(SIGHUP, SIG_IGN);                          /* until the loop listens to it, and behind its end */
    crypto_init();
    int r = arguments_read(argc, argv, &arguments, &d.settings);
    if (r) return r;
    r = answer_words(&arguments, &d.settings);
    if (r >= 0) return r;
    if (check_endpoints(&d.settings) < 0 || rules_load(d.settings.config, &rules) < 0) return EXIT_BAD_CONFIG;
    arena_wrap(&d.room, memory_or_die(TURN_ROOM_BYTES), TURN_ROOM_BYTES);
    pulse_start(d.settings.watchdog_ms);
    if (open_store(&d, arguments.drill) < 0) return EXIT_CANNOT_START;
    int64_t last_ms = store_last_ms(d.store), start_ms = (int64_t)d.settings.drill_start_ms;
    if (last_ms < 0) die("journal.unreadable", (int)last_ms, "the last record could not be read");
    broker_clock_start(&d.clock, last_ms, (int64_t)d.settings.clock_step_ms);
    d.now_ms = d.clock.last_ms;
    d.reload = reload_open();
    d.recompute = recompute_open();
    if (d.drill) drill_open(&d, last_ms > start_ms ? last_ms : start_ms);
    r = d.read_only ? 0 : begin_epoch(&d, &rules);
    if (r < 0) die("journal.lost", r, "the first batch could not be written");
    if (open_doors(&d) < 0) return store_close(d.store), EXIT_CANNOT_START;
    if (!d.read_only) preparer_start(d.store);
    log_info("whistled.ready front=%s pool=%s feed=%s%s", wire_endpoint(front_socket(d.front)),
             wire_endpoint(pool_socket(d.pool)), wire_endpoint(feed_socket(d.feed)), d.drill ? " drill=yes" : "");
    pulse_serving(d.read_only ? "no space: questions only" : d.drill ? "serving a drill" : "serving");
    d.since_ms = clock_mono_ns() / 1000000;
    serve(&d);
    close_all(&d);
    return 0;
}
