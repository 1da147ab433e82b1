/* arguments.c: the command line of whistle-worker. Every complaint names what would be right. */
#include "workers/worker.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char ENDPOINT[] = "ipc:///run/whistled/pool", PROGRAM[] = "whistle-worker";
enum { CREDIT = 256, /* as its flag says */ ENDPOINT_BYTES_MAX = 255, PROGRAM_BYTES_MAX = 63 };

static int wrong(char why[static WORKER_WHY_MAX], const char *flag, const char *value, const char *right) {
    if (value != NULL)
        snprintf(why, WORKER_WHY_MAX, "%s %.64s: %s", flag, value, right);
    else
        snprintf(why, WORKER_WHY_MAX, "%.64s: %s", flag, right);
    return -EINVAL;
}

/* ---- values ------------------------------------------------------------------------------------------------------ */

static const struct { const char *name; PbLevel level; } levels[] = {
    {"community", LEVEL_COMMUNITY}, {"street", LEVEL_STREET}, {"district", LEVEL_DISTRICT},
};

const char *worker_level_name(PbLevel level) {
    for (size_t i = 0; i < COUNT_OF(levels); i++)
        if (levels[i].level == level)
            return levels[i].name;
    NEVER("a level without a desk");
}

static bool set_level(struct worker_settings *s, const char *value) {
    for (size_t i = 0; i < COUNT_OF(levels); i++)
        if (strcmp(levels[i].name, value) == 0) {
            s->level = levels[i].level;
            return true;
        }
    return false;
}

/* 区划代码: 2, 4, 6, 9, 12 or 15 digits. */
static bool parse_division(struct slice text, uint64_t *ret) {
    bool length = text.len == 2 || text.len == 4 || text.len == 6 || text.len == 9 || text.len == 12 || text.len == 15;
    return length && text.at[0] != '0' && parse_u64(text, ret);
}

static bool set_divisions(struct worker_settings *s, const char *value) {
    struct slice one, rest = slice_of(value);
    bool more = true;
    for (s->divisions_count = 0; more; s->divisions_count++) {
        more = slice_cut(rest, ',', &one, &rest);
        if (s->divisions_count == WHISTLE_DIVISIONS_MAX)
            return false;
        if (!parse_division(slice_trim(more ? one : rest), &s->divisions[s->divisions_count]))
            return false;
    }
    return true;
}

static bool set_endpoint(struct worker_settings *s, const char *value) {
    struct slice text = slice_of(value);
    bool known = slice_starts(text, SLICE("ipc:///")) || slice_starts(text, SLICE("tcp://"));
    s->endpoint = value;
    return known && text.len <= ENDPOINT_BYTES_MAX;
}

static bool set_credit(struct worker_settings *s, const char *value) {
    uint64_t credit;
    if (!parse_u64(slice_of(value), &credit) || credit == 0 || credit > WHISTLE_CREDIT_MAX)
        return false;
    s->credit = (unsigned)credit;
    return true;
}

static bool set_program(struct worker_settings *s, const char *value) {
    size_t len = strlen(value);
    s->program = value;
    return len > 0 && len <= PROGRAM_BYTES_MAX && utf8_valid(slice_of(value));
}

/* ---- flags ------------------------------------------------------------------------------------------------------- */

const struct worker_flag worker_flags[] = {
    {"--level", NULL, "LEVEL", set_level, "one of community, street, district",
     "community, street or district", NULL},
    {"--divisions", "--division", "CODE[,CODE]...", set_divisions,
     "up to 64 codes of 2, 4, 6, 9, 12 or 15 digits, with commas between them, such as 610402,610404",
     "whose desks: up to 64 codes; 610402 is all desks of that level in the district", NULL},
    {"--endpoint", "--pool", "ENDPOINT", set_endpoint,
     "the broker's pool, such as ipc:///run/whistled/pool or tcp://127.0.0.1:7702", "the broker's pool", ENDPOINT},
    {"--credit", NULL, "N", set_credit, "how many offers may be open at once, 1 to 256",
     "offers open at once, 1 to 256", "256"},
    {"--program", NULL, "NAME", set_program, "a name of 1 to 63 bytes that the broker shows",
     "its name in the broker's list", PROGRAM},
};
const size_t worker_flags_count = COUNT_OF(worker_flags);

const char worker_story[]
    = "It keeps trying while the broker is away. Any number may serve the same divisions: each case goes to one.\n"
      "SIGTERM ends it: what it holds is offered to others at once.";

/* Whoever gave another flag is told all there are. */
static int no_such_flag(const char *flag, char why[static WORKER_WHY_MAX]) {
    char known[WORKER_WHY_MAX / 2];
    int len = snprintf(known, sizeof known, "no such flag; there are ");
    for (size_t i = 0; i < worker_flags_count; i++)
        len += snprintf(known + len, sizeof known - (size_t)len, "%s, ", worker_flags[i].name);
    CHECK((size_t)len < sizeof known - sizeof "--help");
    (void)snprintf(known + len, sizeof known - (size_t)len, "--help");
    return wrong(why, flag, NULL, known);
}

static const struct worker_flag *flag_find(struct slice name) {
    for (size_t i = 0; i < COUNT_OF(worker_flags); i++) {
        const struct worker_flag *f = &worker_flags[i];
        if (slice_equal(name, slice_of(f->name)) || (f->also != NULL && slice_equal(name, slice_of(f->also))))
            return f;
    }
    return NULL;
}

/* --flag value and --flag=value. *at stands on the flag, and behind it on its value. */
static int flag_read(int argc, char **argv, int *at, struct worker_settings *s, char why[static WORKER_WHY_MAX]) {
    struct slice name = slice_of(argv[*at]), rest;
    const char *value = NULL;
    if (slice_cut(name, '=', &name, &rest))
        value = (const char *)rest.at;
    const struct worker_flag *f = flag_find(name);
    if (f == NULL)
        return no_such_flag(argv[*at], why);
    if (value == NULL && *at + 1 < argc)
        value = argv[++*at];
    if (value == NULL)
        return wrong(why, f->name, "has no value", f->right);
    return f->set(s, value) ? 0 : wrong(why, f->name, value, f->right);
}

int worker_arguments(int argc, char **argv, struct worker_settings *ret, char why[static WORKER_WHY_MAX]) {
    struct worker_settings s = {.endpoint = ENDPOINT, .credit = CREDIT, .program = PROGRAM};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            ret->help = true;
            return 0;
        }
        int r = flag_read(argc, argv, &i, &s, why);
        if (r < 0)
            return r;
    }
    if (s.level == LEVEL_GRID)
        return wrong(why, worker_flags[0].name, "is missing", worker_flags[0].right);
    if (s.divisions_count == 0)
        return wrong(why, worker_flags[1].name, "is missing", worker_flags[1].right);
    *ret = s;
    return 0;
}

void worker_help(void) {
    puts("whistle-worker: serves the desks (值守席) of one level: whom to ask, and what to send up\n"
         "\n"
         "  whistle-worker --level LEVEL --divisions CODE[,CODE]... [--FLAG VALUE]...\n");
    for (size_t i = 0; i < COUNT_OF(worker_flags); i++) {
        const struct worker_flag *f = &worker_flags[i];
        printf("  %-12s %s%s%s%s\n", f->name, f->sentence, f->otherwise ? " (" : "", f->otherwise ? f->otherwise : "",
               f->otherwise ? ")" : "");
    }
    printf("  --help\n\n%s\n", worker_story);
}
