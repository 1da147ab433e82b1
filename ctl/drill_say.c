/* drill_say.c: a window's commands. Their ids are made of instant, row and a count, so that two drills send the same
 * bytes, and what happens at one instant is decided in the order of the rows. */
#include "ctl/drill.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* ---- one command ------------------------------------------------------------------------------------------------- */

static int send_now(struct drill *d, uint32_t row, const uint8_t id[static COMMAND_ID_SIZE], PbEnvelope *e) {
    SET(e, version, PROTOCOL_VERSION);
    SET(e, command_id, ((ProtobufCBinaryData){ .len = COMMAND_ID_SIZE, .data = (uint8_t *)id }));
    CHECK(d->sent_count < DRILL_SENT_MAX);
    struct sent *s = &d->sent[d->sent_count++];
    memcpy(s->id, id, COMMAND_ID_SIZE);
    s->row = row;
    int r = whistle_send(d->client, e, NULL);
    if (r < 0) return drill_fail(d, CTL_FAULT, "a command could not be sent: %s", strerror(-r));
    return 0;
}

static int send_at(struct drill *d, uint32_t row, int64_t at_ms, PbEnvelope *e) {
    uint8_t id[COMMAND_ID_SIZE];
    uint64_t seed = (uint64_t)row << 16 | d->cases[row].commands++;
    whistle_id(id, at_ms, &seed);
    SET(e, sent_at_ms, at_ms);
    SET(e, drill_at_ms, at_ms);
    d->commands++;
    return send_now(d, row, id, e);
}

/* ---- what the rows say ------------------------------------------------------------------------------------------- */

static int send_report(struct drill *d, uint32_t row, int64_t at_ms, bool on_the_spot) {
    const struct drill_row *r = &d->plan.rows[row];
    char number[24], finder[PARTY_BYTES_MAX + 1];
    PbPlace place = { .has_division = 1, .division = r->division, .has_wall = 1, .wall = (PbWall)r->wall };
    PbReport report = { .place = &place, .category = r->category->code, .external_id = number };
    PbSelfHandle deed = { .report = &report, .party = finder };
    PbEnvelope report_it = { .command_case = COMMAND_REPORT, .report = &report };
    PbEnvelope handle_it = { .command_case = COMMAND_SELF_HANDLE, .self_handle = &deed };
    snprintf(number, sizeof number, "%llu", (unsigned long long)r->id);
    SET(&report, occurred_at_ms, r->open_ms);
    if (r->target_ms && !row_has_rule(r)) SET(&report, promise_ms, r->target_ms - r->open_ms);
    if (!on_the_spot) return send_at(d, row, at_ms, &report_it);
    party_print(finder, "grid-worker", r->division);
    return send_at(d, row, at_ms, &handle_it);
}

static int send_answers(struct drill *d, uint32_t row, int64_t at_ms, const struct asked *to, PbAnswerKind kind) {
    for (unsigned i = 0; i < to->count; i++) {
        PbAnswer answer = { .party = d->parties[to->party[i]] };
        PbEnvelope e = { .command_case = COMMAND_ANSWER, .answer = &answer };
        SET(&answer, case_id, d->cases[row].id);
        SET(&answer, stage, to->stage);
        SET(&answer, attempt, to->attempt);
        SET(&answer, kind, kind);
        int r = send_at(d, row, at_ms, &e);
        if (r) return r;
    }
    return 0;
}

static int send_done(struct drill *d, uint32_t row, int64_t at_ms) {
    struct row_case *c = &d->cases[row];
    if (c->handlers.count == 0)
        return drill_fail(d, CTL_REFUSED, "row %u is closed now, and no desk of ours has asked anybody", row + 1);
    return send_answers(d, row, at_ms, &c->handlers, ANSWER_DONE);
}

/* ---- a window ---------------------------------------------------------------------------------------------------- */

/* Answers to what was asked before, at the beginning of the window; what does not fit waits for the next. */
static int say_answers(struct drill *d) {
    uint32_t taken = 0;
    int r = 0;
    for (; r == 0 && taken < d->queue_count && d->sent_count < DRILL_ANSWERS_MAX; taken++) {
        uint32_t row = d->queue[taken];
        struct row_case *c = &d->cases[row];
        if (c->verify_waits) r = send_answers(d, row, d->v_ms + 1, &c->verifier, ANSWER_DONE);
        else if (c->accept_waits && !c->resolved) r = send_answers(d, row, d->v_ms + 1, &c->handlers, ANSWER_ACCEPT);
        c->verify_waits = c->accept_waits = c->queued = false;
    }
    memmove(d->queue, d->queue + taken, (d->queue_count - taken) * sizeof *d->queue);
    d->queue_count -= taken;
    return r;
}

static int say_step(struct drill *d, const struct drill_step *s) {
    switch (s->kind) {
    case STEP_REPORT: return send_report(d, s->row, s->at_ms, false);
    case STEP_SELF_HANDLE: return send_report(d, s->row, s->at_ms, true);
    default: return send_done(d, s->row, s->at_ms);
    }
}

static int say_go(struct drill *d, int64_t until_ms, bool run) {
    PbDrillGo go = { .has_until_ms = 1, .until_ms = until_ms };
    PbEnvelope e = { .command_case = COMMAND_DRILL_GO, .drill_go = &go };
    if (run) SET(&go, run, true);
    SET(&e, sent_at_ms, until_ms);
    whistle_id(d->go_id, until_ms, &d->windows);
    d->at = false;
    return send_now(d, UINT32_MAX, d->go_id, &e);
}

int drill_say_window(struct drill *d, const struct drill_window *w) {
    d->sent_count = d->acknowledged_count = 0;
    int r = say_answers(d);
    for (uint32_t i = 0; r == 0 && i < w->steps; i++) r = say_step(d, &d->plan.steps[d->next_step++]);
    if (r == 0) r = say_go(d, w->until_ms, false);
    d->windows++;
    return r;
}

int drill_say_run(struct drill *d) {
    d->sent_count = d->acknowledged_count = 0;
    d->windows++;
    return say_go(d, d->end_ms, true);
}
