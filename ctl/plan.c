/* plan.c: what is to be done with many cases, as a file that two persons look at.
 *
 *     verb reassign
 *     to street-desk@610402006
 *     case 1234 1 2 610402-20260214-00123          id, stage, attempt, number
 *
 * One word and its value a line. What the batch's id is made of is every byte of it. */
#include "ctl/many.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- writing ----------------------------------------------------------------------------------------------------- */

static void put(FILE *to, const char *word, const char *value) {
    if (value)
        (void)fprintf(to, "%s %s\n", word, value);
}

char *plan_print(const struct plan *p, size_t *ret_len) {
    char *text = NULL;
    FILE *to = open_memstream(&text, ret_len);
    CHECK(to);
    put(to, "verb", word_batch(LANGUAGE_EN, p->verb));
    for (unsigned i = 0; i < p->to.count; i++)
        put(to, "to", p->to.at[i]);
    put(to, "from", p->from);
    put(to, "text", p->text);
    put(to, "category", p->category);
    if (p->urgency)
        (void)fprintf(to, "urgency %d\n", p->urgency);
    if (p->wall)
        (void)fprintf(to, "wall %d\n", p->wall);
    for (uint32_t i = 0; i < p->cases.count; i++) {
        const struct chosen *k = &p->cases.at[i];
        (void)fprintf(to, "case %llu %u %u %s\n", (unsigned long long)k->case_id, k->stage, k->attempt, k->number);
    }
    CHECK(fclose(to) == 0);
    return text;
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

static bool small(struct slice s, uint64_t max, uint32_t *ret) {
    uint64_t value;
    if (!parse_u64(s, &value) || value > max)
        return false;
    *ret = (uint32_t)value;
    return true;
}

static bool read_case(struct plan *p, char *value) {
    struct selection *s = &p->cases;
    struct slice id, stage, attempt, number, rest = slice_of(value);
    if (s->count == BATCH_CASES_MAX || !slice_cut(rest, ' ', &id, &rest) || !slice_cut(rest, ' ', &stage, &rest)
        || !slice_cut(rest, ' ', &attempt, &number) || number.len >= NUMBER_BYTES_MAX)
        return false;
    if (!s->at)
        s->at = memory_or_die(sizeof *s->at * BATCH_CASES_MAX);
    struct chosen *k = &s->at[s->count];
    (void)snprintf(k->number, sizeof k->number, "%.*s", (int)number.len, (const char *)number.at);
    bool ordered = parse_u64(id, &k->case_id) && k->case_id > (s->count ? s->at[s->count - 1].case_id : 0);
    s->count += ordered;
    return ordered && small(stage, UINT32_MAX, &k->stage) && small(attempt, UINT32_MAX, &k->attempt);
}

static bool read_verb(struct plan *p, char *value) {
    for (int v = BATCH_REASSIGN; v <= BATCH_MOVE; v++)
        if (strcmp(value, word_batch(LANGUAGE_EN, (PbBatchVerb)v)) == 0)
            return p->verb = (PbBatchVerb)v, true;
    return false;
}

static bool read_to(struct plan *p, char *value) {
    if (p->to.count == TEXTS_MAX)
        return false;
    p->to.at[p->to.count++] = value;
    return true;
}

static bool read_from(struct plan *p, char *value) {
    return p->from = value, true;
}

static bool read_text(struct plan *p, char *value) {
    return p->text = value, true;
}

static bool read_category(struct plan *p, char *value) {
    return p->category = value, true;
}

static bool read_urgency(struct plan *p, char *value) {
    uint32_t urgency = 0;
    bool good = small(slice_of(value), URGENCY_IV, &urgency);
    return p->urgency = (int)urgency, good;
}

static bool read_wall(struct plan *p, char *value) {
    uint32_t wall = 0;
    bool good = small(slice_of(value), WALL_OUTSIDE, &wall);
    return p->wall = (int)wall, good;
}

static bool read_line(struct plan *p, char *line) {
    static const struct { const char *word; bool (*read)(struct plan *p, char *value); } words[] = {
        {"case", read_case}, {"verb", read_verb}, {"to", read_to}, {"from", read_from}, {"text", read_text},
        {"category", read_category}, {"urgency", read_urgency}, {"wall", read_wall},
    };
    char *value = strchr(line, ' ');
    if (!value)
        return false;
    *value++ = '\0';
    for (size_t i = 0; i < COUNT_OF(words); i++)
        if (strcmp(line, words[i].word) == 0)
            return words[i].read(p, value);
    return false;
}

int plan_parse(const struct ctl *c, char *text, size_t len, struct plan *ret, uint32_t *ret_line,
               char problem[static 256]) {
    *ret = (struct plan){.memory = text};
    *ret_line = 0;
    for (char *line = text, *end; line < text + len; line = end + 1) {
        ++*ret_line;
        size_t left = (size_t)(text + len - line);
        end = memchr(line, '\n', left);
        if (end)
            left = (size_t)(end - line);
        char shown[64];
        (void)snprintf(shown, sizeof shown, "%.*s", left < 60 ? (int)left : 60, line);
        if (end)
            *end = '\0';
        if (!end || !utf8_valid(slice_from(line, (size_t)(end - line))) || !read_line(ret, line)) {
            (void)snprintf(problem, 256, say(c, "“%s”不是计划里的一行", "\"%s\" is no line of a plan"), shown);
            return -EINVAL;
        }
    }
    if (ret->verb != BATCH_NONE && ret->cases.count)
        return 0;
    (void)snprintf(problem, 256, "%s", ret->cases.count ? say(c, "没有写明要办什么（verb）", "it names no verb")
                   : say(c, "没有列出案件（case）", "it names no case"));
    return -EINVAL;
}

void plan_free(struct plan *p) {
    selection_free(&p->cases);
    free(p->memory);
    p->memory = NULL;
}

/* ---- names ------------------------------------------------------------------------------------------------------- */

static uint64_t seed_of(struct hash h) {
    return get_le64(h.byte);
}

void plan_id(uint8_t to[COMMAND_ID_SIZE], int64_t at_ms, struct slice text) {
    uint64_t seed = seed_of(hash_of(text));
    whistle_id(to, at_ms, &seed);
}

bool plan_has_id(const uint8_t id[COMMAND_ID_SIZE], struct slice text) {
    uint8_t made[COMMAND_ID_SIZE];
    plan_id(made, id_instant(id), text);
    return memcmp(made, id, sizeof made) == 0;
}

void plan_case_id(uint8_t to[COMMAND_ID_SIZE], const uint8_t batch[COMMAND_ID_SIZE], uint64_t case_id) {
    struct hash_stream s;
    uint8_t number[8];
    put_le64(number, case_id);
    hash_begin(&s);
    hash_more(&s, slice_from(batch, COMMAND_ID_SIZE));
    hash_more(&s, slice_from(number, sizeof number));
    uint64_t seed = seed_of(hash_end(&s));
    whistle_id(to, id_instant(batch), &seed);
}
