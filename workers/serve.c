/* serve.c: offer -> desk's table -> result, and a line whenever the broker comes or goes. */
#include "workers/worker.h"

#include <errno.h>
#include <stdio.h>

enum { WAIT_MS = 500 };

/* ---- one offer --------------------------------------------------------------------------------------------------- */

static int answer_dispatch(struct whistle_worker *w, const PbLeaseToken *t, const struct desk_decision *d) {
    PbAskedParty asked[DESK_PARTIES_MAX], *parties[DESK_PARTIES_MAX];
    for (unsigned i = 0; i < d->parties_count; i++) {
        asked[i] = (PbAskedParty){.party = (char *)(uintptr_t)d->parties[i], .has_lead = i == 0, .lead = i == 0};
        parties[i] = &asked[i];
    }
    PbDispatch dispatch = {
        .has_case_id = true, .case_id = t->case_id, .has_stage = true, .stage = t->stage, .has_attempt = true,
        .attempt = t->attempt, .n_parties = d->parties_count, .parties = parties, .has_cause = true, .cause = d->cause,
    };
    PbEnvelope e = {.command_case = COMMAND_DISPATCH, .dispatch = &dispatch};
    return whistle_worker_done(w, t, &e);
}

static int answer_escalate(struct whistle_worker *w, const PbLeaseToken *t, const struct desk_decision *d) {
    PbEscalate escalate = {
        .has_case_id = true, .case_id = t->case_id, .has_stage = true, .stage = t->stage, .has_attempt = true,
        .attempt = t->attempt, .has_cause = true, .cause = d->cause,
    };
    PbEnvelope e = {.command_case = COMMAND_ESCALATE, .escalate = &escalate};
    return whistle_worker_done(w, t, &e);
}

int worker_decide(struct whistle_worker *w, PbLevel level, const PbOffer *offer) {
    struct desk_decision d;
    desk_decide(level, offer, &d);
    switch (d.verb) {
    case DESK_DISPATCH:
        return answer_dispatch(w, offer->token, &d);
    case DESK_ESCALATE:
        return answer_escalate(w, offer->token, &d);
    case DESK_RETRY:
        return whistle_worker_retry(w, offer->token, RETRY_AFTER_MS);
    }
    NEVER("a verb that no desk knows");
}

/* ---- news -------------------------------------------------------------------------------------------------------- */

struct news {
    enum whistle_standing standing;
    PbRefusal why;
    uint64_t refused, lost;
};

/* One line a change, however long it lasts. */
static void tell_standing(const struct whistle_worker *w, const struct worker_settings *s, struct news *n) {
    PbRefusal why = REFUSED_NOTHING;
    enum whistle_standing standing = whistle_worker_standing(w, &why);
    if (standing == n->standing && why == n->why)
        return;
    n->standing = standing;
    n->why = why;
    switch (standing) {
    case WHISTLE_SERVING:
        log_info("worker.serving level=%s divisions=%u endpoint=%s", worker_level_name(s->level), s->divisions_count,
                 s->endpoint);
        worker_notify("STATUS=serving");
        break;
    case WHISTLE_AWAY:
        log_warn("worker.away endpoint=%s what=\"the broker does not answer; trying on\"", s->endpoint);
        worker_notify("STATUS=the broker is away");
        break;
    case WHISTLE_TURNED_AWAY:
        log_warn("worker.turned_away why=%s what=\"%s\"", sentence_of(why)->name, sentence_of(why)->en);
        worker_notify("STATUS=turned away by the broker");
        break;
    }
}

/* Results that came too late or were decided otherwise harm nobody; many of them mean a lease that is too short. */
static void tell_results(const struct whistle_worker *w, struct news *n) {
    const struct whistle_worker_counts *c = whistle_worker_counts(w);
    if (c->refused == n->refused && c->lost == n->lost)
        return;
    log_warn("worker.results refused=%llu lost=%llu of=%llu", (unsigned long long)c->refused,
             (unsigned long long)c->lost, (unsigned long long)c->results);
    n->refused = c->refused;
    n->lost = c->lost;
}

/* ---- the loop ---------------------------------------------------------------------------------------------------- */

int worker_serve(struct whistle_worker *w, const struct worker_settings *s, const volatile int *stop) {
    struct news news = {.standing = WHISTLE_AWAY};
    const PbOffer *offer;
    int r = 0;
    log_info("worker.started level=%s endpoint=%s credit=%u", worker_level_name(s->level), s->endpoint, s->credit);
    worker_notify("READY=1\nSTATUS=looking for the broker");
    while (!*stop && (r = whistle_worker_next(w, WAIT_MS, &offer)) >= 0) {
        if (r == 1)
            r = worker_decide(w, s->level, offer);
        else
            tell_results(w, &news);
        if (r < 0 && r != -ENOENT) {              /* -ENOENT: its lease was lost, somebody else will be offered it */
            log_error("worker.undecided case=%llu error=%d", (unsigned long long)offer->token->case_id, -r);
            whistle_worker_reject(w, offer->token);
        }
        tell_standing(w, s, &news);
    }
    worker_notify("STOPPING=1");
    const struct whistle_worker_counts *c = whistle_worker_counts(w);
    log_info("worker.stopped offers=%llu taken=%llu refused=%llu lost=%llu", (unsigned long long)c->offers,
             (unsigned long long)c->taken, (unsigned long long)c->refused, (unsigned long long)c->lost);
    return r < 0 && r != -ENOENT ? r : 0;
}
