/* drill_sum.c: what came out, beside what the city wrote down. */
#include "ctl/drill.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { DEADLINE_SLACK_MS = 61000, PER_MILLE_LEAST = 993, BYTES_OF_MIB = 1 << 20 };

/* ---- verdicts ---------------------------------------------------------------------------------------------------- */

/* An open case is late when its promise has passed at the end. */
static bool is_late(const struct drill *d, const struct row_case *c) {
    if (c->resolved) return !c->on_time;
    return c->promise_due_ms && c->promise_due_ms <= d->end_ms;
}

/* Whether the drill went far enough to say something about this row. */
static bool is_comparable(const struct drill *d, const struct drill_row *r) {
    if (!r->target_ms || r->open_ms > d->end_ms) return false;
    return r->closed_ms ? r->closed_ms <= d->end_ms : d->complete;
}

static void verdict_add(struct verdicts *v, bool ours, enum city_verdict city) {
    v->rows++;
    v->ours_overdue += ours;
    v->city_overdue += city == CITY_OVERDUE;
    v->agree += city == (ours ? CITY_OVERDUE : CITY_ONTIME);
}

void drill_verdicts(const struct drill *d, struct drill_sum *ret) {
    for (uint32_t i = 0; i < d->plan.rows_count; i++) {
        const struct drill_row *r = &d->plan.rows[i];
        const struct row_case *c = &d->cases[i];
        if (!is_comparable(d, r)) continue;
        if (row_has_rule(r)) verdict_add(&ret->ruled, is_late(d, c), r->city);
        else if (r->closed_ms && r->city != CITY_SILENT) verdict_add(&ret->budgeted, is_late(d, c), r->city);
        if (!row_counts_working_days(r) || !c->promise_due_ms) continue;
        ret->deadlines++;
        ret->deadlines_met += llabs(c->promise_due_ms - r->target_ms) < DEADLINE_SLACK_MS;
    }
}

/* A part of the year is too small a sample for the rules' verdicts; budgets must agree always. */
bool drill_passed(const struct drill *d, const struct drill_sum *s) {
    bool ruled = !d->complete || s->ruled.agree * 1000 >= s->ruled.rows * PER_MILLE_LEAST;
    return d->lost == 0 && ruled && s->budgeted.agree == s->budgeted.rows;
}

/* ---- for people -------------------------------------------------------------------------------------------------- */

static void row(struct sheet *t, const char *what, uint64_t number, const char *more) {
    sheet_cell(t, "%s", what);
    sheet_cell(t, "%" PRIu64, number);
    sheet_cell(t, "%s", more);
}

static double percent(uint64_t part, uint64_t of) {
    return of ? 100.0 * (double)part / (double)of : 100.0;
}

static void row_of_verdicts(const struct ctl *c, struct sheet *t, const char *what, const struct verdicts *v) {
    char more[160];
    snprintf(more, sizeof more, "%s %" PRIu64 " = %.2f %%; %s %" PRIu64 ", %s %" PRIu64, say(c, "总数", "of"), v->rows,
             percent(v->agree, v->rows), say(c, "我方逾期", "overdue: ours"), v->ours_overdue,
             say(c, "原市逾期", "the city's"), v->city_overdue);
    row(t, what, v->agree, more);
}

static void rows_of_proof(const struct drill *d, const struct drill_sum *s, struct sheet *t) {
    const struct ctl *c = d->ctl;
    char more[160];
    snprintf(more, sizeof more, "%" PRIu64 " %s, %" PRIu64 " %s", d->funnel.reported, say(c, "件上报", "reports"),
             d->events, say(c, "个事件", "events"));
    row(t, say(c, "已确认命令", "commands acknowledged"), d->acknowledged, more);
    row(t, say(c, "丢失", "lost"), d->lost, d->lost ? say(c, "必须为 0", "must be 0") : "");
    row_of_verdicts(c, t, say(c, "与原市一致:有规则的类型", "verdicts as the city's, types with a rule"), &s->ruled);
    row_of_verdicts(c, t, say(c, "与原市一致:随报时限", "verdicts as the city's, other rows"), &s->budgeted);
    snprintf(more, sizeof more, "%s %" PRIu64 " = %.2f %%", say(c, "总数", "of"), s->deadlines,
             percent(s->deadlines_met, s->deadlines));
    row(t, say(c, "到分钟复现的期限", "deadlines reproduced to the minute"), s->deadlines_met, more);
}

static void rows_of_cost(const struct drill *d, const struct drill_sum *s, struct sheet *t) {
    const struct ctl *c = d->ctl;
    const PbStatus *b = s->status;
    char more[160], span[PRINTED_BYTES];
    double seconds = (double)s->real_ms / 1000;
    snprintf(more, sizeof more, "%" PRIu64 " %s", d->windows, say(c, "个时间窗", "windows"));
    row(t, say(c, "轮次", "turns"), b->turns, more);
    print_span(c, s->virtual_ms, span);
    snprintf(more, sizeof more, "%s %.1f s", say(c, "实际用时", "in"), seconds);
    row(t, say(c, "每秒命令", "commands a second"), seconds > 0 ? (uint64_t)((double)d->acknowledged / seconds) : 0, more);
    row(t, say(c, "落盘中位数 µs", "sync p50, us"), b->sync_p50_us, "");
    snprintf(more, sizeof more, "%s %" PRIu64 ", %s %" PRIu64, say(c, "日志", "journal"),
             b->journal_bytes / BYTES_OF_MIB, say(c, "状态", "state"), b->state_bytes / BYTES_OF_MIB);
    row(t, say(c, "库大小 MiB", "store, MiB"), (b->journal_bytes + b->state_bytes) / BYTES_OF_MIB, more);
    row(t, say(c, "虚拟天数", "virtual days"), (uint64_t)(s->virtual_ms / 86400000), span);
}

static void print_digest(const PbStatus *b, FILE *to) {
    for (size_t i = 0; i < b->digest.len; i++) fprintf(to, "%02x", b->digest.data[i]);
}

static void print_table(const struct drill *d, const struct drill_sum *s) {
    struct sheet *t;
    sheet_open(&t, 3);
    sheet_align(t, 1, ALIGN_RIGHT);
    sheet_cell(t, "%s", say(d->ctl, "演练结果", "the drill"));
    sheet_cell(t, "%s", "");
    sheet_cell(t, "%s", "");
    rows_of_proof(d, s, t);
    rows_of_cost(d, s, t);
    sheet_close(t, stdout);
    printf("%s ", say(d->ctl, "摘要", "digest"));
    print_digest(s->status, stdout);
    printf("\n%s\n", drill_passed(d, s) ? say(d->ctl, "通过", "passed") : say(d->ctl, "未通过", "failed"));
}

/* ---- for programs ------------------------------------------------------------------------------------------------ */

static void json_verdicts(const char *name, const struct verdicts *v) {
    printf(",\"%s\":{\"rows\":%" PRIu64 ",\"agree\":%" PRIu64, name, v->rows, v->agree);
    printf(",\"ours_overdue\":%" PRIu64 ",\"city_overdue\":%" PRIu64 "}", v->ours_overdue, v->city_overdue);
}

static void print_json(const struct drill *d, const struct drill_sum *s) {
    const struct funnel *f = &d->funnel;
    const PbStatus *b = s->status;
    const struct { const char *name; uint64_t number; } numbers[] = {
        {"acknowledged", d->acknowledged}, {"lost", d->lost}, {"events", d->events}, {"reported", f->reported},
        {"self_handled", f->on_the_spot}, {"closed_community", f->closed[LEVEL_COMMUNITY]},
        {"closed_street", f->closed[LEVEL_STREET]}, {"closed_district", f->closed[LEVEL_DISTRICT]},
        {"overdue", f->overdue}, {"escalated", f->escalated}, {"open", f->open}, {"not_counted", d->not_counted},
        {"offers_failed", d->offers_failed}, {"deadlines", s->deadlines}, {"deadlines_met", s->deadlines_met},
        {"windows", d->windows}, {"turns", b->turns}, {"real_ms", (uint64_t)s->real_ms},
        {"virtual_ms", (uint64_t)s->virtual_ms}, {"sync_p50_us", b->sync_p50_us}, {"sync_p99_us", b->sync_p99_us},
        {"journal_bytes", b->journal_bytes}, {"state_bytes", b->state_bytes}, {"digest_seq", b->digest_seq},
    };
    printf("{\"passed\":%s", drill_passed(d, s) ? "true" : "false");
    printf(",\"complete\":%s", d->complete ? "true" : "false");
    for (size_t i = 0; i < COUNT_OF(numbers); i++) printf(",\"%s\":%" PRIu64, numbers[i].name, numbers[i].number);
    json_verdicts("verdicts_ruled", &s->ruled);
    json_verdicts("verdicts_budgeted", &s->budgeted);
    printf(",\"digest\":\"");
    print_digest(b, stdout);
    puts("\"}");
}

void drill_sum_print(const struct drill *d, const struct drill_sum *s) {
    if (d->ctl->json) print_json(d, s);
    else print_table(d, s);
    fflush(stdout);
}
