/* reload.c: the office's files are read anew while cases go on, and adopted whole or not at all.
 *
 *   order, SIGHUP    a thread of its own reads, compiles and checks: files may be slow, and a turn must not be
 *   over             a wrong set: told where and what; the old one goes on serving
 *                    the same set, or a dry run: told, and nothing happens
 *   adopting         begun, part by part, adopted: as much as each turn takes (adopt.c)
 *   adopted          told, in a turn of its own: the new number and what is different. A repeat is told the same
 *
 * One at a time. Cases stay pinned to the rules that they opened under; new ones open under the new. */
#include "daemon/config/config.h"
#include "daemon/query.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINES_MAX = 200 };

/* What the thread works on. The loop looks at nothing else of it before `over` is set. */
struct files {
    atomic_bool over;
    pthread_t thread;
    const char *dir;
    void *memory;
    struct arena room;
    struct adoption adoption;
    PbRules *rules;
    struct config_error error;
    int result;
};

struct reload {
    enum { RELOAD_IDLE, RELOAD_READING, RELOAD_ADOPTING, RELOAD_ADOPTED, RELOAD_TOLD } at, before;
    bool dry_run;
    uint32_t next;                                /* of the adoption when this turn began, as `before` */
    struct asker asker;
    struct files *files;
};

struct reload *reload_open(void) {
    return memory_or_die(sizeof(struct reload));
}

bool reload_busy(const struct daemon *d) {
    return d->reload->at != RELOAD_IDLE && d->reload->at != RELOAD_TOLD;
}

/* ---- the thread ------------------------------------------------------------------------------------------------ */

static void *read_files(void *arg) {
    struct files *f = arg;
    arena_wrap(&f->room, f->memory, CONFIG_ARENA_BYTES);
    f->result = config_load(f->dir, &f->room, &f->rules, &f->error);
    if (f->result == 0) {
        f->result = config_canonical(f->rules, &f->room, &f->adoption.bytes, &f->adoption.hash);
        if (f->result < 0) snprintf(f->error.what, sizeof f->error.what, "the set is too large to be packed");
    }
    atomic_store(&f->over, true);
    return NULL;
}

static void files_close(struct reload *r) {
    if (r->files) free(r->files->memory);
    free(r->files);
    r->files = NULL;
    r->at = RELOAD_IDLE;
}

static bool start(struct daemon *d, const struct asker *asker, bool dry_run) {
    struct reload *r = d->reload;
    files_close(r);
    struct files *f = calloc(1, sizeof *f);
    void *memory = malloc(CONFIG_ARENA_BYTES);
    if (f) *f = (struct files){ .dir = d->settings.config, .memory = memory };
    if (!f || !memory || pthread_create(&f->thread, NULL, read_files, f) != 0) {
        free(f);
        free(memory);
        return false;
    }
    *r = (struct reload){ .at = RELOAD_READING, .dry_run = dry_run, .asker = *asker, .files = f };
    return true;
}

/* ---- what is told ---------------------------------------------------------------------------------------------- */

struct lines { PbReloaded *to; struct arena *room; };

static void add_line(void *to, const char *text) {
    struct lines *l = to;
    if (strncmp(text + 1, " calendar ", 10) == 0) SET(l->to, calendars_changed, true);
    if (l->to->n_lines == LINES_MAX) {
        SET(l->to, lines_left_off, l->to->lines_left_off + 1);
        return;
    }
    char *line = arena_text(l->room, slice_of(text));
    CHECK(line);
    l->to->lines[l->to->n_lines++] = line;
}

static void tell_difference(struct daemon *d, const PbRules *before, const PbRules *after, PbReloaded *to) {
    struct lines l = { .to = to, .room = &d->room };
    to->lines = arena_must(&d->room, LINES_MAX * sizeof *to->lines);
    config_diff(before, after, add_line, &l);
}

static ProtobufCBinaryData hash_told(struct daemon *d, const struct hash *hash) {
    struct hash *copy = arena_must(&d->room, sizeof *copy);
    *copy = *hash;
    return (ProtobufCBinaryData){ .len = HASH_SIZE, .data = copy->byte };
}

/* Of an adoption that is journaled: from the store alone, so that a repeat is told the same. */
static int tell_adopted(struct daemon *d, uint32_t number, PbReloaded *to) {
    struct hash before, after;
    const PbRules *old = NULL, *new = NULL;
    int r = store_rules_hash_of(d->store, number, &after);
    if (r == 0 && number > 1) r = store_rules_hash_of(d->store, number - 1, &before);
    if (r == 0) r = store_rules(d->store, number, &new);
    if (r == 0 && number > 1) r = store_rules(d->store, number - 1, &old);
    if (r < 0) return r;
    SET(to, adopted, true);
    SET(to, rules, number);
    SET(to, hash_after, hash_told(d, &after));
    if (number == 1) return 0;
    SET(to, hash_before, hash_told(d, &before));
    tell_difference(d, old, new, to);
    return 0;
}

static void answer(struct daemon *d, PbReloaded *reloaded) {
    PbReply reply = { .reply_case = REPLY_RELOADED, .reloaded = reloaded };
    asker_reply(d, &d->reload->asker, &reply);
}

static void tell_wrong(struct daemon *d, PbReloaded *to) {
    char *problem = arena_must(&d->room, CONFIG_ERROR_BYTES);
    config_error_line(&d->reload->files->error, problem);
    to->problems = arena_must(&d->room, sizeof *to->problems);
    to->problems[to->n_problems++] = problem;
    COUNT(RELOADS_WRONG);
    log_warn("rules.wrong what=\"%s\" effect=\"the rules in force go on serving\"", problem);
}

/* ---- adopted or not -------------------------------------------------------------------------------------------- */

/* Whether it is to be adopted; else it has been answered. */
static bool judge(struct daemon *d) {
    struct reload *r = d->reload;
    const struct files *f = r->files;
    struct hash now = store_rules_hash(d->store);
    PbReloaded to = { .has_adopted = 1, .has_rules = 1, .rules = store_rules_number(d->store) };
    SET(&to, hash_before, hash_told(d, &now));
    if (f->result < 0) {
        tell_wrong(d, &to);
    } else {
        SET(&to, hash_after, hash_told(d, &f->adoption.hash));
        bool same = hash_equal(&now, &f->adoption.hash);
        if (!same && !r->dry_run) return true;
        if (!same) tell_difference(d, must_have_rules(d, to.rules), f->rules, &to);
        log_info(same ? "rules.same" : "rules.dry_run");
    }
    answer(d, &to);
    return false;
}

static int adopt(struct daemon *d) {
    struct reload *r = d->reload;
    struct adoption *a = &r->files->adoption;
    if (!store_admits(d->store, ADMIT_ANSWER)) return 0;
    int over = adoption_take(d, a, &r->asker);
    if (over <= 0) return over;
    recompute_anew(d);
    d->horizon_day = 0;                           /* the calendars may be others: look again */
    r->at = RELOAD_ADOPTED;
    return 0;
}

/* In a turn of its own: to compare two large sets takes some milliseconds. */
static int tell(struct daemon *d) {
    const struct adoption *a = &d->reload->files->adoption;
    PbReloaded to = { .has_adopted = 1 };
    int r = tell_adopted(d, a->number, &to);
    if (r < 0) return r;
    answer(d, &to);
    COUNT(RELOADS);
    log_info("rules.adopted number=%u bytes=%zu lines=%zu left_off=%u", a->number, a->bytes.len, to.n_lines,
             to.lines_left_off);
    d->reload->at = RELOAD_TOLD;
    return 0;
}

int reload_take(struct daemon *d) {
    static const struct asker nobody = { .by = "SIGHUP" };
    struct reload *r = d->reload;
    if (r->at == RELOAD_TOLD) files_close(r);
    r->before = r->at;
    r->next = r->files ? r->files->adoption.next : 0;
    if (r->at == RELOAD_IDLE && d->reload_wanted && store_admits(d->store, ADMIT_REPORT)) {
        d->reload_wanted = false;
        if (!start(d, &nobody, false)) log_warn("rules.not_read what=\"no memory or no thread; send SIGHUP again\"");
    }
    if (r->at == RELOAD_ADOPTED) return tell(d);
    if (r->at == RELOAD_READING && atomic_load(&r->files->over)) {
        CHECK(pthread_join(r->files->thread, NULL) == 0);
        r->at = judge(d) ? RELOAD_ADOPTING : RELOAD_TOLD;
    }
    return r->at == RELOAD_ADOPTING ? adopt(d) : 0;
}

/* What this turn journaled of it did not happen. */
void reload_forget(struct daemon *d) {
    struct reload *r = d->reload;
    if (!r->files || r->before > RELOAD_ADOPTING || r->at < RELOAD_ADOPTING || r->at == RELOAD_TOLD) return;
    r->files->adoption.next = r->before == RELOAD_ADOPTING ? r->next : 0;
    r->at = RELOAD_ADOPTING;
}

/* ---- asked for ------------------------------------------------------------------------------------------------- */

int reload_order(struct daemon *d, const struct command *c, const PbEnvelope *e, const struct hash *hash) {
    struct reload *r = d->reload;
    struct asker asker = asker_of(c, e, hash);
    PbRefusal refusal = REFUSED_NOTHING;
    if (!e->by && !e->reload->dry_run) refusal = REFUSED_FIELD_MISSING;
    else if (reload_busy(d) && asker_is(&r->asker, c, e)) r->asker = asker;
    else if (reload_busy(d) || !start(d, &asker, e->reload->dry_run)) refusal = REFUSED_BUSY;
    if (refusal) command_refuse(d, c, e, refusal, refusal == REFUSED_BUSY ? NULL : "by");
    return 0;
}

/* The number that this record adopted; 0: it is no longer in the journal. */
static int number_of(struct daemon *d, uint64_t seq, uint32_t *ret) {
    struct slice bytes;
    PbRecord *record = NULL;
    *ret = 0;
    if (seq < store_first_seq(d->store)) return 0;
    int r = store_read(d->store, seq, &bytes);
    if (r == 0) r = codec_unpack_own(CODEC_RECORD, bytes, &d->room, &record);
    if (r == 0) *ret = record->events[record->n_events - 1]->rules_adopted->rules;
    return r;
}

int reload_again(struct daemon *d, const struct command *c, const PbEnvelope *e, const struct receipt *receipt) {
    PbReloaded to = { .has_adopted = 1, .adopted = 1 };
    uint32_t number;
    int r = number_of(d, receipt->seq, &number);
    if (r == 0 && number) r = tell_adopted(d, number, &to);
    if (r < 0) return r;
    PbReply reply = { .has_command_id = 1, .command_id = e->command_id, .reply_case = REPLY_RELOADED, .reloaded = &to };
    front_reply(d->front, c->peer, &reply);
    return 0;
}

void reload_close(struct daemon *d) {
    struct reload *r = d->reload;
    if (r->at == RELOAD_READING) CHECK(pthread_join(r->files->thread, NULL) == 0);
    files_close(r);
}
