/* query.c: questions, answered after the sync from what is on disk. A page at a time: nothing is unbounded. */
#include "daemon/query.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

void must_read(int r) {
    if (r < 0) die("state.unreadable", r, "a row or a record could not be read; the next start folds it again");
}

const PbRules *must_have_rules(struct daemon *d, uint32_t number) {
    const PbRules *rules = NULL;
    must_read(store_rules(d->store, number, &rules));
    return rules;
}

PbCaseView *must_view(struct daemon *d, const struct case_state *c, bool with_text) {
    PbCaseView *view = NULL;
    must_read(view_case(d->store, c, with_text, &d->room, &view));
    return view;
}

bool was_found(int r) {
    if (r != -ENOENT) must_read(r);
    return r == 0;
}

void query_refuse(struct daemon *d, const struct query *q, PbRefusal code, const char *field) {
    const ProtobufCBinaryData *id = &q->envelope->command_id;
    front_refuse(d->front, q->peer, slice_from(id->data, id->len), code, field);
}

void query_reply(struct daemon *d, const struct query *q, PbReply *reply) {
    SET(reply, command_id, q->envelope->command_id);
    front_reply(d->front, q->peer, reply);
}

bool may_look(struct daemon *d, const struct query *q) {
    if (d->looked_at < TURN_LOOKED_AT_MAX) return true;
    query_refuse(d, q, REFUSED_BUSY, NULL);
    return false;
}

/* ---- a case and its story -------------------------------------------------------------------------------------- */

/* 610402-20260214-00123 */
static bool number_parse(const char *text, uint32_t *ret_district, uint32_t *ret_day, uint32_t *ret_number) {
    struct slice district, day, number, rest;
    uint64_t a, b, c;
    if (!slice_cut(slice_of(text), '-', &district, &rest) || !slice_cut(rest, '-', &day, &number)) return false;
    if (!parse_u64(district, &a) || !parse_u64(day, &b) || !parse_u64(number, &c)) return false;
    if (a > 999999 || b > 99999999 || c > UINT32_MAX) return false;
    *ret_district = (uint32_t)a, *ret_day = (uint32_t)b, *ret_number = (uint32_t)c;
    return true;
}

static int find_case(struct daemon *d, const PbShowCase *s, struct case_state *ret) {
    uint64_t id = s->case_id;
    uint32_t district, day, number;
    if (s->number) {
        if (!number_parse(s->number, &district, &day, &number)) return -ENOENT;
        int r = store_case_by_number(d->store, district, day, number, &id);
        if (r < 0) return r;
    }
    return store_case(d->store, id, ret);
}

/* Behind what a purge has taken: what stands in the journal is told, and that there was more. */
static uint64_t story_start(struct daemon *d, uint64_t after, PbCaseStory *story, const struct case_state *c) {
    uint64_t first = store_first_seq(d->store), next;
    if (after + 1 >= first || store_next_story(d->store, c->id, after, &next) < 0 || next >= first) return after;
    SET(story, story_from_seq, first);
    return first - 1;
}

static void tell_story(struct daemon *d, const PbShowCase *s, PbCaseStory *story, const struct case_state *c) {
    uint64_t seq = s->story_after_seq;
    size_t bytes_used = 0;
    story->story = arena_must(&d->room, STORY_MAX * sizeof *story->story);
    story->texts = arena_must(&d->room, STORY_MAX * sizeof *story->texts);
    seq = story_start(d, seq, story, c);
    while (was_found(store_next_story(d->store, c->id, seq, &seq))) {
        struct slice bytes;
        PbRecord *record = NULL;
        if (story->n_story == STORY_MAX || bytes_used > PAGE_BYTES_MAX
            || d->room.cap - d->room.used < 4 * COMMAND_ROOM_BYTES) {
            SET(story, more, true);
            return;
        }
        must_read(store_read(d->store, seq, &bytes));
        must_read(codec_unpack_own(CODEC_RECORD, bytes, &d->room, &record));
        bytes_used += 2 * bytes.len; /* what was written is told twice: sealed, and opened */
        PbUpdate *update = arena_must(&d->room, sizeof *update);
        codec_update_of(record, update);
        story->texts[story->n_texts++] = view_text_of(d->store, c, record, &d->room);
        story->story[story->n_story++] = update;
        seq = record->first_seq + record->n_events - 1;
    }
}

static void show_case(struct daemon *d, const struct query *q) {
    const PbShowCase *s = q->envelope->show_case;
    int r = find_case(d, s, &d->before);
    if (r == -ENOENT) return query_refuse(d, q, REFUSED_NO_SUCH_CASE, s->number ? "number" : "case_id");
    must_read(r);
    if (!guard_may(&q->source, GUARD_QUERY, d->before.division)) return query_refuse(d, q, REFUSED_NOT_PERMITTED, NULL);
    PbCaseStory story = { .case_view = must_view(d, &d->before, true) };
    tell_story(d, s, &story, &d->before);
    PbReply reply = { .reply_case = REPLY_STORY, .story = &story };
    query_reply(d, q, &reply);
}

/* ---- lists ----------------------------------------------------------------------------------------------------- */

unsigned page_most(uint32_t count) {
    return count && count < LIST_MAX ? count : LIST_MAX;
}

void page_begin(struct daemon *d, struct page *p, uint32_t count) {
    *p = (struct page){ .most = page_most(count) };
    p->list.cases = arena_must(&d->room, p->most * sizeof *p->list.cases);
}

bool page_full(const struct page *p) {
    return p->list.n_cases == p->most || p->bytes_used > PAGE_BYTES_MAX;
}

void page_add(struct daemon *d, struct page *p, const struct case_state *c) {
    PbCaseView *view = p->list.cases[p->list.n_cases++] = must_view(d, c, false);
    codec_prepare(CODEC_CASE_VIEW, view);
    p->bytes_used += codec_size(CODEC_CASE_VIEW, view);
}

void page_reply(struct daemon *d, const struct query *q, struct page *p) {
    PbReply reply = { .reply_case = REPLY_LIST, .list = &p->list };
    query_reply(d, q, &reply);
}

/* Behind a case, in the order of an index by (division, case): its division. false: refused. */
static bool go_on_behind(struct daemon *d, const struct query *q, uint64_t id, uint64_t *ret_division) {
    int r = id ? store_case(d->store, id, &d->before) : -ENOENT;
    if (r == 0) *ret_division = d->before.division;
    if (id && !was_found(r)) return query_refuse(d, q, REFUSED_NO_SUCH_CASE, "after_case_id"), false;
    return true;
}

static bool may_list(struct daemon *d, const struct query *q, uint64_t prefix) {
    if (!may_look(d, q)) return false;
    PbRefusal refusal = prefix && !division_digits(prefix)               ? REFUSED_BAD_DIVISION
                        : !guard_may(&q->source, GUARD_QUERY, prefix) ? REFUSED_NOT_PERMITTED
                                                                        : REFUSED_NOTHING;
    if (refusal) query_refuse(d, q, refusal, "prefix");
    return !refusal;
}

/* The cases of a list: of an index by (division, case), or all there are. */
enum listed { LISTED_OPEN, LISTED_DEAD, LISTED_ALL };
struct listing { enum listed of; uint64_t prefix, after; uint32_t count; };

static bool next_listed(struct daemon *d, const struct listing *l, uint64_t *division, uint64_t *id) {
    switch (l->of) {
    case LISTED_OPEN: return was_found(store_next_open(d->store, l->prefix, *division, *id, division, id));
    case LISTED_DEAD: return was_found(store_next_dead(d->store, l->prefix, *division, *id, division, id));
    default: return was_found(store_next_case(d->store, *id, id));
    }
}

static void list(struct daemon *d, const struct query *q, const struct listing *l) {
    uint64_t division = 0, id = l->after, seen = id;
    struct page page;
    if (!may_list(d, q, l->prefix) || (l->of != LISTED_ALL && !go_on_behind(d, q, id, &division))) return;
    page_begin(d, &page, l->count);
    for (unsigned scanned = 0; next_listed(d, l, &division, &id); scanned++) {
        if (page_full(&page) || scanned == SCAN_MAX) {
            SET(&page.list, more, true);
            SET(&page.list, next_after, seen);
            break;
        }
        seen = id;
        d->looked_at++;
        must_read(store_case(d->store, id, &d->before));
        if (!l->prefix || division_covers(l->prefix, d->before.division)) page_add(d, &page, &d->before);
    }
    page_reply(d, q, &page);
}

static void list_cases(struct daemon *d, const struct query *q) {
    const PbListCases *l = q->envelope->list_cases;
    list(d, q, &(struct listing){ l->open_only ? LISTED_OPEN : LISTED_ALL, l->prefix, l->after_case_id, l->count });
}

/* 死信: what desks were offered and did not decide. */
static void list_dead(struct daemon *d, const struct query *q) {
    const PbListDead *l = q->envelope->list_dead;
    list(d, q, &(struct listing){ LISTED_DEAD, l->prefix, l->after_case_id, l->count });
}

/* ---- batches --------------------------------------------------------------------------------------------------- */

static void show_batch(struct daemon *d, const struct query *q) {
    const PbShowBatch *w = q->envelope->show_batch;
    struct batch_state b;
    if (w->batch.len != COMMAND_ID_SIZE) return query_refuse(d, q, REFUSED_FIELD_RANGE, "batch");
    if (!was_found(store_batch(d->store, w->batch.data, &b))) return query_refuse(d, q, REFUSED_NO_SUCH_BATCH, "batch");
    PbBatchView view = {
        .has_batch = 1, .batch = w->batch, .has_verb = 1, .verb = (PbBatchVerb)b.verb, .has_cases = 1, .cases = b.cases,
        .has_done = 1, .done = b.done, .has_digest = 1, .digest = { .len = sizeof b.digest, .data = b.digest },
        .by = b.by, .has_asked_at_ms = 1, .asked_at_ms = b.asked_at_ms, .has_expires_at_ms = 1,
        .expires_at_ms = batch_expires_ms(&b),
    };
    if (b.confirmed) {
        view.confirmed_by = b.confirmed_by;
        SET(&view, confirmed_at_ms, b.confirmed_at_ms);
    }
    PbReply reply = { .reply_case = REPLY_BATCH, .batch = &view };
    query_reply(d, q, &reply);
}

/* ---- status, hello --------------------------------------------------------------------------------------------- */

static PbWelcome welcome(struct daemon *d) {
    PbWelcome w = welcome_of(d->store, d->drill, d->now_ms);
    SET(&w, first_seq, store_first_seq(d->store));
    w.program = (char *)"whistled";
    return w;
}

static void add_counter(struct daemon *d, PbStatus *s, const char *name, uint64_t value) {
    PbCounter *c = s->counters[s->n_counters++] = arena_must(&d->room, sizeof *c);
    c->name = (char *)name;
    SET(c, value, value);
}

static void status_counters(struct daemon *d, PbStatus *s) {
    s->counters = arena_must(&d->room, (COUNTER_COUNT + COUNTERS_REASONS_MAX) * sizeof *s->counters);
    for (unsigned i = 0; i < COUNTER_COUNT; i++) add_counter(d, s, counter_names[i], counters[i]);
    for (unsigned i = 0; i < COUNTERS_REASONS_MAX; i++) {
        if (!counters_refused[i]) continue;
        char *name = arena_must(&d->room, 64);
        snprintf(name, 64, "refused.%s", sentence_of((PbRefusal)i)->name);
        add_counter(d, s, name, counters_refused[i]);
    }
}

static void status_figures(struct daemon *d, PbStatus *s) {
    struct store_figures f;
    struct due_row due;
    store_figures(d->store, &f);
    counters[COUNTER_CHECKPOINTS] = f.checkpoints; /* the store keeps count */
    SET(s, cases_open, f.cases_open);
    SET(s, cases_all, f.cases_all);
    SET(s, journal_bytes, f.journal_bytes);
    SET(s, state_bytes, f.state_bytes);
    SET(s, quota_percent, f.quota_percent);
    SET(s, turns, counters[COUNTER_TURNS]);
    SET(s, commands, counters[COUNTER_COMMANDS]);
    SET(s, sync_p50_us, histogram_quantile_us(&f.sync, 0.5));
    SET(s, sync_p99_us, histogram_quantile_us(&f.sync, 0.99));
    if (store_first_due(d->store, &due) == 0) SET(s, next_due_ms, due.due_ms);
    SET(s, workers, pool_workers_all(d->pool));
    SET(s, consoles, feed_consoles(d->feed));
    SET(s, offers_open, pool_offers_open(d->pool));
    if (d->draining) SET(s, draining, true);
}

static void status_rules(struct daemon *d, PbStatus *s) {
    const PbCalendar *c;
    int64_t days = horizon_days(d, &c);
    SET(s, rules, store_rules_number(d->store));
    recompute_tell(d, s);
    if (!c) return;
    s->calendar_ends = c->name;
    SET(s, calendar_last_date, c->last_date);
    SET(s, calendar_days, days);
}

static void ask_status(struct daemon *d, const struct query *q) {
    PbWelcome w = welcome(d);
    PbStatus status = { .broker = &w, .store = d->settings.data };
    struct hash rules = store_rules_hash(d->store), digest;
    uint64_t seq;
    if (q->envelope->ask_status->digest && !d->drill) return query_refuse(d, q, REFUSED_ONLY_IN_DRILL, "digest");
    status_figures(d, &status);
    status_counters(d, &status);
    status_rules(d, &status);
    SET(&status, rules_hash, ((ProtobufCBinaryData){ .len = HASH_SIZE, .data = rules.byte }));
    if (q->envelope->ask_status->digest) {
        CHECK(store_digest(d->store, &digest, &seq) == 0);
        SET(&status, digest, ((ProtobufCBinaryData){ .len = HASH_SIZE, .data = digest.byte }));
        SET(&status, digest_seq, seq);
    }
    PbReply reply = { .reply_case = REPLY_STATUS, .status = &status };
    query_reply(d, q, &reply);
}

static void hello(struct daemon *d, const struct query *q) {
    PbWelcome w = welcome(d);
    PbReply reply = { .reply_case = REPLY_WELCOME, .welcome = &w };
    query_reply(d, q, &reply);
}

/* ---- the journal, for followers -------------------------------------------------------------------------------- */

static void identity_fill(struct daemon *d, PbJournalPart *part) {
    const struct { const char *name; ProtobufCBinaryData *to; protobuf_c_boolean *has; } files[] = {
        { "FORMAT", &part->format, &part->has_format }, { "key", &part->key, &part->has_key },
    };
    for (unsigned i = 0; i < COUNT_OF(files); i++) {
        uint8_t *bytes = arena_must(&d->room, IDENTITY_FILE_MAX);
        struct slice file;
        if (store_identity_file(d->store, files[i].name, bytes, &file) < 0) continue;
        *files[i].to = (ProtobufCBinaryData){ .len = file.len, .data = bytes };
        *files[i].has = 1;
    }
}

static void read_journal(struct daemon *d, const struct query *q) {
    const PbReadJournal *ask = q->envelope->read_journal;
    size_t cap = ask->bytes < JOURNAL_PART_BYTES_MAX ? ask->bytes : JOURNAL_PART_BYTES_MAX;
    uint8_t id[16];
    struct journal_part p;
    if (!guard_may_follow(&q->source, d->drill)) return query_refuse(d, q, REFUSED_NOT_PERMITTED, "read_journal");
    if (d->journal_parts == TURN_JOURNAL_PARTS_MAX) return query_refuse(d, q, REFUSED_BUSY, NULL);
    uint8_t *bytes = arena_must(&d->room, JOURNAL_PART_BYTES_MAX);
    int r = journal_part(store_journal(d->store), ask->ordinal, ask->offset, bytes, ask->of_base ? 0 : cap, &p);
    if (r == 0 && ask->of_base) r = store_base_part(d->store, ask->offset, bytes, cap, &p.length, &p.bytes);
    if (r == -ENOENT) return query_refuse(d, q, REFUSED_FIELD_RANGE, "of_base");
    if (r < 0) {
        log_warn("journal.unreadable ordinal=%llu error=\"%s\"", (unsigned long long)ask->ordinal, strerror(-r));
        return query_refuse(d, q, REFUSED_RETRY_LATER, "ordinal");
    }
    store_id(d->store, id);
    PbJournalPart part = { .has_ordinal = 1, .ordinal = p.ordinal };
    SET(&part, offset, ask->offset);
    SET(&part, bytes, ((ProtobufCBinaryData){ .len = p.bytes, .data = bytes }));
    SET(&part, length, p.length);
    SET(&part, sealed, p.sealed);
    SET(&part, last_ordinal, p.last_ordinal);
    SET(&part, durable_seq, store_durable_seq(d->store));
    SET(&part, at_ms, d->now_ms);
    SET(&part, store_id, ((ProtobufCBinaryData){ .len = sizeof id, .data = id }));
    if (journal_first_seq(store_journal(d->store)) > 1)
        SET(&part, base_seq, journal_base(store_journal(d->store)).seq);
    if (ask->identity) identity_fill(d, &part);
    PbReply reply = { .reply_case = REPLY_JOURNAL_PART, .journal_part = &part };
    d->journal_parts++;
    COUNT(JOURNAL_PARTS);
    query_reply(d, q, &reply);
}

/* ---- rules, for returns and imports ---------------------------------------------------------------------------- */

static void read_rules(struct daemon *d, const struct query *q) {
    const PbReadRules *ask = q->envelope->read_rules;
    struct rules_packed p;
    if (d->journal_parts == TURN_JOURNAL_PARTS_MAX) return query_refuse(d, q, REFUSED_BUSY, NULL);
    uint32_t number = ask->rules ? ask->rules : store_rules_number(d->store);
    uint8_t *bytes = arena_must(&d->room, JOURNAL_PART_BYTES_MAX);
    if (!was_found(store_rules_packed(d->store, number, ask->part, bytes, JOURNAL_PART_BYTES_MAX, &p)))
        return query_refuse(d, q, REFUSED_FIELD_RANGE, "rules");
    PbRulesPart part = { .has_rules = 1, .rules = number };
    SET(&part, bytes, ((ProtobufCBinaryData){ .len = p.bytes, .data = bytes }));
    if (p.next_part) SET(&part, next_part, p.next_part);
    SET(&part, length, p.length);
    SET(&part, hash, ((ProtobufCBinaryData){ .len = HASH_SIZE, .data = p.hash.byte }));
    PbReply reply = { .reply_case = REPLY_RULES_PART, .rules_part = &part };
    d->journal_parts++;
    query_reply(d, q, &reply);
}

static void go(struct daemon *d, const struct query *q) {
    PbRefusal refusal = d->drill ? drill_go(d, q) : REFUSED_NOT_A_DRILL;
    if (refusal) query_refuse(d, q, refusal, "drill_go");
}

void query_answer(struct daemon *d, const struct query *q) {
    size_t mark = d->room.used;
    switch (q->envelope->command_case) {
    case COMMAND_SHOW_CASE: show_case(d, q); break;
    case COMMAND_LIST_CASES: list_cases(d, q); break;
    case COMMAND_LIST_DEAD: list_dead(d, q); break;
    case COMMAND_SHOW_INBOX: show_inbox(d, q); break;
    case COMMAND_FIND_SIMILAR: find_similar(d, q); break;
    case COMMAND_SHOW_BATCH: show_batch(d, q); break;
    case COMMAND_ASK_STATUS: ask_status(d, q); break;
    case COMMAND_HELLO: hello(d, q); break;
    case COMMAND_DRILL_GO: go(d, q); break;
    case COMMAND_READ_JOURNAL: read_journal(d, q); break;
    case COMMAND_READ_RULES: read_rules(d, q); break;
    default: query_refuse(d, q, REFUSED_NOT_YET, "command");
    }
    d->room.used = mark;                                               /* replies are packed already */
}
