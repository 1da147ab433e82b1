/* many.c: which cases are meant, and what came of what was said of each. */
#include "ctl/many.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PAGE = 200, FILE_LINE_BYTES = 128 };

/* ---- filters ----------------------------------------------------------------------------------------------------- */

#define AT(field) offsetof(struct filter, field)
const struct argument filter_conditions[] = {
    {"prefix", "CODE", ARGUMENT_DIVISION, AT(prefix), "", false},
    {"state", "STATE", ARGUMENT_STATE, AT(state), "", false},
    {"category", "CODE", ARGUMENT_TEXT, AT(category), "", false},
    {"older-than", "TIME", ARGUMENT_SPAN, AT(older_ms), "", false},
    {"party", "PARTY", ARGUMENT_TEXT, AT(party), "", false},
    {"overdue", NULL, ARGUMENT_FLAG, AT(overdue), "", false},
};
#undef AT
const size_t filter_conditions_count = COUNT_OF(filter_conditions);
static const char condition_words[] = "prefix=CODE, state=STATE, category=CODE, older-than=TIME, party=PARTY, overdue";

static int take_condition(const struct ctl *c, const char *word, bool seen[COUNT_OF(filter_conditions)],
                          struct filter *f, char problem[static 256]) {
    const char *value = strchr(word, '=');
    struct slice name = slice_from(word, value ? (size_t)(value - word) : strlen(word));
    for (size_t i = 0; i < COUNT_OF(filter_conditions); i++) {
        const struct argument *k = &filter_conditions[i];
        if (!slice_equal(slice_of(k->name), name))
            continue;
        bool bare = k->type == ARGUMENT_FLAG;
        if (seen[i] || bare == (value != NULL)) {
            const char *why = seen[i] ? say(c, "说了两次", " is said twice")
                            : bare ? say(c, "不带值", " takes no value") : say(c, "要有值", " needs a value");
            (void)snprintf(problem, 256, "--where: %.60s%s", word, why);
            return CTL_USAGE;
        }
        seen[i] = true;
        return argument_take(c, k, bare ? "" : value + 1, f, problem);
    }
    (void)snprintf(problem, 256, say(c, "--where：没有条件“%.60s”；有：%s",
                                     "--where: \"%.60s\" is no condition; these are: %s"), word, condition_words);
    return CTL_USAGE;
}

int filter_parse(const struct ctl *c, const struct texts *words, struct filter *ret, char problem[static 256]) {
    bool seen[COUNT_OF(filter_conditions)] = {false};
    *ret = (struct filter){.state = STATE_NONE};
    for (unsigned i = 0; i < words->count; i++) {
        int r = take_condition(c, words->at[i], seen, ret, problem);
        if (r)
            return r;
    }
    return CTL_DONE;
}

static bool asked_now(const PbCaseView *v, const char *party) {
    for (size_t i = 0; i < v->n_asks; i++) {
        const PbAskView *a = v->asks[i];
        bool open = strcmp(a->status, "asked") == 0 || strcmp(a->status, "accepted") == 0;
        if (open && strcmp(a->party, party) == 0)
            return true;
    }
    return false;
}

bool filter_takes(const struct filter *f, const PbCaseView *v, int64_t now_ms) {
    uint64_t division = v->place ? v->place->division : 0;
    return (!f->prefix || division_covers(f->prefix, division))
        && (f->state == STATE_NONE || (PbState)f->state == v->state)
        && (!f->category || (v->category && strcmp(v->category, f->category) == 0))
        && (!f->older_ms || now_ms - v->opened_at_ms >= f->older_ms) && (!f->overdue || v->overdue)
        && (!f->party || asked_now(v, f->party));
}

/* ---- selections -------------------------------------------------------------------------------------------------- */

static int too_many(const struct ctl *c) {
    return usage(c, "超过 %d 个案件；请选少些，如只选一个街道：--where prefix=CODE",
                 "more than %d cases; choose fewer, such as one street's: --where prefix=CODE", BATCH_CASES_MAX);
}

static bool selection_add(struct selection *s, const PbCaseView *v) {
    if (s->count == BATCH_CASES_MAX)
        return false;
    if (!s->at)
        s->at = memory_or_die(sizeof *s->at * BATCH_CASES_MAX);       /* touched as it fills */
    struct chosen *k = &s->at[s->count++];
    *k = (struct chosen){.case_id = v->case_id, .stage = v->stage, .attempt = v->attempt};
    (void)snprintf(k->number, sizeof k->number, "%s", v->number ? v->number : "-");
    return true;
}

void selection_one(const PbCaseView *v, struct selection *ret) {
    *ret = (struct selection){.count = 0};
    CHECK(selection_add(ret, v));
}

static int by_id(const void *a, const void *b) {
    uint64_t x = ((const struct chosen *)a)->case_id, y = ((const struct chosen *)b)->case_id;
    return (x > y) - (x < y);
}

static void selection_sort(struct selection *s) {
    uint32_t kept = 0;
    if (s->count)
        qsort(s->at, s->count, sizeof *s->at, by_id);
    for (uint32_t i = 0; i < s->count; i++)
        if (i == 0 || s->at[i].case_id != s->at[kept - 1].case_id)
            s->at[kept++] = s->at[i];
    s->count = kept;
}

int selection_of_filter(struct ctl *c, const struct filter *f, struct sheet *rows, struct selection *ret) {
    PbListCases l = {.has_prefix = true, .prefix = f->prefix, .has_open_only = true, .open_only = true,
                     .has_count = true, .count = PAGE};
    *ret = (struct selection){.count = 0};
    for (bool more = true; more;) {
        PbEnvelope e = {.command_case = COMMAND_LIST_CASES, .list_cases = &l};
        const PbReply *reply;
        int r = ctl_call(c, &e, &reply);
        if (r)
            return r;
        CHECK(reply->reply_case == REPLY_LIST);
        for (size_t i = 0; i < reply->list->n_cases; i++) {
            const PbCaseView *v = reply->list->cases[i];
            if (!filter_takes(f, v, c->now_ms))
                continue;
            if (!selection_add(ret, v))
                return too_many(c);
            if (rows)
                case_row(c, rows, v);
        }
        more = reply->list->more;
        l.has_after_case_id = true;
        l.after_case_id = reply->list->next_after;
    }
    selection_sort(ret);
    return CTL_DONE;
}

/* Empty lines and those that begin with # are left out; of a line only the first word counts. */
int selection_of_file(struct ctl *c, const char *path, struct sheet *rows, struct selection *ret) {
    char line[FILE_LINE_BYTES];
    FILE *file = fopen(path, "re");
    int r = CTL_DONE;
    *ret = (struct selection){.count = 0};
    if (!file)
        return usage(c, "--cases %s：%s", "--cases %s: %s", path, strerror(errno));
    for (unsigned n = 1; r == CTL_DONE && fgets(line, sizeof line, file); n++) {
        const PbCaseView *v = NULL;
        char *word = line + strspn(line, " \t");
        word[strcspn(word, " \t\r\n")] = '\0';
        if (!*word || *word == '#')
            continue;
        r = ask_case(c, word, &v);
        if (r)
            (void)fprintf(stderr, "whistlectl: %s:%u: %s\n", path, n, say(c, "这一行的案件不能用", "the case of this line"));
        else if (!selection_add(ret, v))
            r = too_many(c);
        else if (rows)
            case_row(c, rows, v);
    }
    (void)fclose(file);
    selection_sort(ret);
    return r;
}

struct hash selection_digest(const struct selection *s) {
    struct hash_stream stream;
    hash_begin(&stream);
    for (uint32_t i = 0; i < s->count; i++) {
        uint8_t id[8];
        put_le64(id, s->at[i].case_id);
        hash_more(&stream, slice_from(id, sizeof id));
    }
    return hash_end(&stream);
}

void selection_free(struct selection *s) {
    free(s->at);
    *s = (struct selection){.count = 0};
}

/* ---- outcomes ---------------------------------------------------------------------------------------------------- */

void outcome_open(struct outcome *o, const struct ctl *c) {
    *o = (struct outcome){.done = 0};
    sheet_open(&o->refusals, 3);
    sheet_cell(o->refusals, "%s", say(c, "编号", "NUMBER"));
    sheet_cell(o->refusals, "%s", say(c, "未接受", "REFUSED"));
    sheet_cell(o->refusals, "%s", say(c, "说明", "WHY"));
}

/* The same id with other bytes: its command was taken already, in the words of another person. */
void outcome_add(struct outcome *o, const struct ctl *c, const struct chosen *k, const PbReply *reply) {
    if (c->json)
        json_print(CODEC_REPLY, reply);
    if (reply->reply_case == REPLY_DONE && reply->done->at_ms < c->now_ms) {
        o->before++;
    } else if (reply->reply_case == REPLY_DONE) {
        o->done++;
    } else if (reply->refused->code == REFUSED_CONFLICT) {
        o->before++;
    } else {
        const struct sentence *s = sentence_of(reply->refused->code);
        o->refused++;
        o->over = reply->refused->field && strcmp(reply->refused->field, "batch") == 0;
        sheet_cell(o->refusals, "%s", k->number);
        sheet_cell(o->refusals, "%s", s->name);
        sheet_cell(o->refusals, "%s", say(c, s->zh, s->en));
    }
}

int outcome_close(struct outcome *o, const struct ctl *c) {
    if (c->json)
        printf("{\"done\":%u,\"before\":%u,\"refused\":%u}\n", o->done, o->before, o->refused);
    else if (c->language == LANGUAGE_ZH)
        printf("办成 %u 件，此前已办 %u 件，未接受 %u 件\n", o->done, o->before, o->refused);
    else
        printf("done %u, done before %u, refused %u\n", o->done, o->before, o->refused);
    sheet_close(o->refusals, o->refused && !c->json ? stdout : NULL);
    return o->refused ? CTL_REFUSED : CTL_DONE;
}
