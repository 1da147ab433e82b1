/* drill.c: from the command line to the summary. */
#include "ctl/commands.h"
#include "ctl/drill.h"
#include "ctl/gzip.h"
#include "daemon/config/config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { WORKERS_LEAST = 3, WORKERS_WAIT_MS = 20000, WORKERS_LOOK_MS = 100 };

#define AT(field) offsetof(struct drill_options, field)
static const struct argument arguments[] = {
    { "--data", "FILE", ARGUMENT_TEXT, AT(data),
     BOTH("该城市的数据（config/drill/boston-2015-min.csv.gz）",
          "the city's rows (config/drill/boston-2015-min.csv.gz)"), false },
    { "--config", "DIR", ARGUMENT_TEXT, AT(config),
     BOTH("服务器启动时所用的规则（config/drill）", "the rules the broker was started with (config/drill)"), false },
    { "--until", "INSTANT", ARGUMENT_INSTANT, AT(until_ms),
     BOTH("到此为止（数据截止的时间）", "end there (when the city's copy was cut)"), false },
    { "--rows", "N", ARGUMENT_NUMBER, AT(rows),
     BOTH("只用前 N 行", "only the first N rows, ending with the last of them"), false },
    { "--quiet", NULL, ARGUMENT_FLAG, AT(quiet),
     BOTH("不显示进度", "no progress"), false },
};

const struct command_line drill_command = {
    "drill", BOTH("演练：让真实的一年走一遍，并对比结果",
         "plays a real year of reports through a drill store, and compares what came out"), arguments,
    COUNT_OF(arguments),
    BOTH("服务器须以 --drill 在空目录启动，并有三个值守程序。退出码：0 无丢失且结论与该城市一致；1 不是这样。",
         "The broker must have been started with --drill on an empty directory, and three workers must serve it.\n"
         "Exit 0: nothing lost, verdicts as the city's; 1: not so."),
};

/* ---- before ------------------------------------------------------------------------------------------------------ */

static int read_rules(struct drill *d, const PbRules **ret) {
    struct config_error e;
    char line[CONFIG_ERROR_BYTES];
    PbRules *rules = NULL;
    arena_wrap(&d->room, memory_or_die(CONFIG_ARENA_BYTES), CONFIG_ARENA_BYTES);
    if (config_load(d->options.config, &d->room, &rules, &e) < 0)
        return drill_fail(d, CTL_USAGE, "%s", config_error_line(&e, line));
    *ret = rules;
    return 0;
}

static int read_plan(struct drill *d) {
    char problem[256];
    struct slice csv;
    const PbRules *rules = NULL;
    uint64_t rows = d->options.rows && d->options.rows < DRILL_ROWS_MAX ? d->options.rows : DRILL_ROWS_MAX;
    int r = read_rules(d, &rules);
    if (r) return r;
    r = gzip_read(d->options.data, &csv);
    if (r < 0) return drill_fail(d, CTL_USAGE, "%s: %s", d->options.data, strerror(-r));
    r = drill_plan_make(&d->plan, rules, csv, (uint32_t)rows, problem);
    free((void *)csv.at);
    if (r < 0) return drill_fail(d, CTL_USAGE, "%s: %s", d->options.data, problem);
    d->end_ms = d->options.rows ? d->plan.rows[d->plan.rows_count - 1].open_ms : DRILL_END_MS;
    if (d->options.until_ms) d->end_ms = d->options.until_ms;
    d->complete = d->end_ms == DRILL_END_MS && d->options.rows == 0;
    if (d->end_ms < d->plan.steps[0].at_ms) return drill_fail(d, CTL_USAGE, "--until lies before the first row");
    return 0;
}

static int ask(struct drill *d, bool digest, const PbStatus **ret) {
    PbAskStatus question = { .has_digest = digest, .digest = digest };
    PbEnvelope e = { .command_case = COMMAND_ASK_STATUS, .ask_status = &question };
    const PbReply *reply;
    int r = ctl_call(d->ctl, &e, &reply);
    if (r) return r;
    if (reply->reply_case != REPLY_STATUS || !reply->status->broker)
        return drill_fail(d, CTL_FAULT, "the broker answered something else");
    *ret = reply->status;
    return 0;
}

/* The drill begins when the desks are there, and only on a drill store that nobody has driven yet. */
static int wait_for_desks(struct drill *d) {
    const PbStatus *s;
    for (unsigned waited_ms = 0;; waited_ms += WORKERS_LOOK_MS) {
        int r = ask(d, false, &s);
        if (r) return r;
        if (!s->broker->drill)
            return drill_fail(d, CTL_REFUSED, "NOT_A_DRILL: this broker serves a real store; start another one with "
                              "--drill and a --data directory that does not exist yet");
        d->v_ms = s->broker->now_ms;
        d->heard_seq = s->broker->durable_seq;
        if (d->v_ms > d->plan.steps[0].at_ms)
            return drill_fail(d, CTL_REFUSED, "this store has been driven already; a drill needs a fresh one");
        if (s->workers >= WORKERS_LEAST) return 0;
        if (waited_ms >= WORKERS_WAIT_MS)
            return drill_fail(d, CTL_REFUSED, "%" PRIu64 " of %d workers after %d s; start whistle-worker for "
                              "community, street and district", s->workers, WORKERS_LEAST, WORKERS_WAIT_MS / 1000);
        nanosleep(&(struct timespec){ .tv_nsec = WORKERS_LOOK_MS * 1000000L }, NULL);
    }
}

static int open_doors(struct drill *d) {
    uint64_t prefix = d->plan.rules->district;
    struct whistle_client_options client = { .endpoint = d->ctl->front, .window = WHISTLE_WINDOW_MAX };
    struct whistle_feed_options feed = {
        .endpoint = d->ctl->feed, .prefixes = &prefix, .prefixes_count = 1, .from_seq = d->heard_seq,
    };
    int r = whistle_client_open(&d->client, &client);
    if (r < 0) return drill_fail(d, CTL_USAGE, "%s: %s", client.endpoint, strerror(-r));
    r = whistle_feed_open(&d->feed, &feed);
    if (r < 0) return drill_fail(d, CTL_USAGE, "%s: %s", feed.endpoint, strerror(-r));
    return 0;
}

static void take_memory(struct drill *d) {
    d->cases = memory_or_die(d->plan.rows_count * sizeof *d->cases);
    d->queue = memory_or_die(d->plan.rows_count * sizeof *d->queue);
    d->row_of_case = memory_or_die(DRILL_SEQS_MAX * sizeof *d->row_of_case);
    d->told = memory_or_die(DRILL_SEQS_MAX / 8);
    d->parties = memory_or_die(DRILL_PARTIES_MAX * sizeof *d->parties);
    d->party_slots = memory_or_die(2 * DRILL_PARTIES_MAX * sizeof *d->party_slots);
}

/* ---- the year ---------------------------------------------------------------------------------------------------- */

static int play(struct drill *d) {
    d->next_due_ms = INT64_MAX;
    d->start_ns = clock_mono_ns();
    while (d->v_ms < d->end_ms) {
        struct drill_sight sight = {
            .v_ms = d->v_ms, .end_ms = d->end_ms, .next_due_ms = d->next_due_ms, .answers_wait = d->queue_count > 0,
        };
        struct drill_window w = drill_next_window(&d->plan, d->next_step, &sight);
        int r = drill_say_window(d, &w);
        if (r == 0) r = drill_hear_window(d);
        if (r) return r;
        drill_progress(d, d->v_ms >= d->end_ms);
    }
    return 0;
}

static int sum_up(struct drill *d) {
    struct drill_sum sum = { .real_ms = (clock_mono_ns() - d->start_ns) / 1000000 };
    sum.virtual_ms = d->end_ms - d->plan.steps[0].at_ms;
    const PbStatus *status;
    drill_verdicts(d, &sum);
    int r = ask(d, true, &status);
    if (r) return r;
    sum.status = (PbStatus *)status;
    drill_sum_print(d, &sum);
    r = drill_say_run(d);                         /* only now: the digest is that of the end, to the millisecond */
    if (r == 0) r = drill_hear_window(d);
    if (r) return r;
    return drill_passed(d, &sum) ? CTL_DONE : CTL_REFUSED;
}

/* ---- the door ---------------------------------------------------------------------------------------------------- */

static int run(struct drill *d) {
    int r = read_plan(d);
    if (r == 0) r = wait_for_desks(d);
    if (r == 0) r = open_doors(d);
    if (r) return r;
    take_memory(d);
    r = play(d);
    return r ? r : sum_up(d);
}

static void close_all(struct drill *d) {
    if (d->client) whistle_client_close(d->client);
    if (d->feed) whistle_feed_close(d->feed);
    drill_plan_free(&d->plan);
    void *const memory[] = { d->cases, d->queue, d->row_of_case, d->told, d->parties, d->party_slots, d->room.base, d };
    for (size_t i = 0; i < COUNT_OF(memory); i++) free(memory[i]);
}

int drill_main(struct ctl *c, int argc, char **argv) {
    struct drill *d = memory_or_die(sizeof *d);
    d->ctl = c;
    d->options = (struct drill_options){ .data = "config/drill/boston-2015-min.csv.gz", .config = "config/drill" };
    int r = arguments_read(c, argc, argv, &d->options);
    if (r == 0) r = run(d);
    close_all(d);
    return r;
}
