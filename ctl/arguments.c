/* arguments.c: command lines, by table. A word is the option of its command, a global option, or given by its place.
 *
 * Global options are read in a pass of their own before the others, because an instant is read in the zone, which may
 * only be named behind it. */
#include "ctl/ctl.h"
#include "daemon/kernel/kernel.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { NAME_BYTES = 32, PROBLEM_BYTES = 256, ZONE_S_MAX = 18 * 3600, WAIT_MS_MAX = 86400000 };

/* ---- values ------------------------------------------------------------------------------------------------------ */

static bool read_flag(const struct ctl *c, const char *value, void *at) {
    (void)c, (void)value;
    *(bool *)at = true;
    return true;
}

static bool read_text(const struct ctl *c, const char *value, void *at) {
    (void)c;
    *(const char **)at = value;
    return utf8_valid(slice_of(value));
}

static bool read_texts(const struct ctl *c, const char *value, void *at) {
    struct texts *t = at;
    if (t->count == TEXTS_MAX)
        return false;
    return read_text(c, value, &t->at[t->count++]);
}

static bool read_number(const struct ctl *c, const char *value, void *at) {
    (void)c;
    return parse_u64(slice_of(value), at);
}

/* The units are those of the broker's settings. */
static bool span_of(const char *value, uint64_t max, uint64_t *ret) {
    static const struct option_spec span = {.name = "span", .type = OPTION_MS, .max = INT64_MAX};
    struct option_spec bounded = span;
    bounded.max = max;
    return option_set(&bounded, 1, ret, SLICE("span"), slice_of(value), NULL) == 0;
}

static bool read_span(const struct ctl *c, const char *value, void *at) {
    (void)c;
    uint64_t ms;
    if (!span_of(value, INT64_MAX, &ms))
        return false;
    *(int64_t *)at = (int64_t)ms;
    return true;
}

static bool read_wait(const struct ctl *c, const char *value, void *at) {
    (void)c;
    uint64_t ms;
    if (!span_of(value, WAIT_MS_MAX, &ms))
        return false;
    *(int *)at = (int)ms;
    return true;
}

/* +08:00, -05:00, UTC, Z */
static bool zone_of(struct slice s, int *ret_s) {
    uint64_t hours, minutes;
    struct slice before, after;
    if (slice_equal(s, SLICE("UTC")) || slice_equal(s, SLICE("Z")))
        return *ret_s = 0, true;
    if (s.len != 6 || (s.at[0] != '+' && s.at[0] != '-') || !slice_cut(slice_from(s.at + 1, 5), ':', &before, &after))
        return false;
    if (!parse_u64(before, &hours) || !parse_u64(after, &minutes) || minutes > 59)
        return false;
    int offset = (int)(hours * 3600 + minutes * 60);
    if (offset > ZONE_S_MAX)
        return false;
    *ret_s = s.at[0] == '-' ? -offset : offset;
    return true;
}

static bool read_zone(const struct ctl *c, const char *value, void *at) {
    (void)c;
    return zone_of(slice_of(value), at);
}

/* 2026-02-14[T09:30[:05[.123]]] and then a zone, or that of the office; a day alone begins at midnight. */
static bool read_instant(const struct ctl *c, const char *value, void *at) {
    struct slice s = slice_of(value);
    char whole[32];
    int zone_s = c->zone_s;
    int64_t ms;
    if (s.len > 16 && s.at[s.len - 1] == 'Z')
        zone_s = 0, s.len--;
    else if (s.len > 16 && s.at[s.len - 3] == ':' && (s.at[s.len - 6] == '+' || s.at[s.len - 6] == '-')) {
        if (!zone_of(slice_from(s.at + s.len - 6, 6), &zone_s))
            return false;
        s.len -= 6;
    }
    if (s.len != 10 && s.len != 16 && s.len != 19 && s.len != 23)
        return false;
    (void)snprintf(whole, sizeof whole, "%.*s%sZ", (int)s.len, value,
                   s.len == 10 ? "T00:00:00" : s.len == 16 ? ":00" : "");
    if (!instant_parse(slice_of(whole), &ms))
        return false;
    *(int64_t *)at = ms - zone_s * 1000LL;
    return true;
}

static bool read_division(const struct ctl *c, const char *value, void *at) {
    uint64_t code;
    if (!read_number(c, value, &code) || !division_digits(code))
        return false;
    *(uint64_t *)at = code;
    return true;
}

static bool read_divisions(const struct ctl *c, const char *value, void *at) {
    struct divisions *d = at;
    return d->count < WHISTLE_PREFIXES_MAX && read_division(c, value, &d->at[d->count++]);
}

static bool hex_digit(char c, unsigned *ret) {
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    const char *at = c ? strchr(digits, c) : NULL;
    if (!at)
        at = c ? strrchr(digits, c) : NULL;
    if (at)
        *ret = (unsigned)(at - digits) & 15u;
    return at != NULL;
}

bool hex_read(const char *digits, uint8_t *to, size_t bytes) {
    unsigned high = 0, low = 0;
    for (size_t i = 0; i < bytes; i++) {
        if (!hex_digit(digits[2 * i], &high) || !hex_digit(digits[2 * i + 1], &low))
            return false;
        to[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static bool read_id(const struct ctl *c, const char *value, void *at) {
    (void)c;
    struct command_id id = {.given = true};
    if (strlen(value) != 2 * COMMAND_ID_SIZE || !hex_read(value, id.byte, sizeof id.byte))
        return false;
    *(struct command_id *)at = id;
    return true;
}

static bool read_evidence(const struct ctl *c, const char *value, void *at) {
    (void)c;
    struct evidences *e = at;
    size_t digits = strcspn(value, "=");
    if (e->count == EVIDENCES_MAX || digits != 2 * sizeof e->sha256[0] || !hex_read(value, e->sha256[e->count], 32)
        || !utf8_valid(slice_of(value)))
        return false;
    e->at[e->count++] = (PbEvidence){.url = value[digits] ? (char *)value + digits + 1 : NULL, .has_sha256 = true};
    return true;
}

PbEvidence **evidence_list(struct evidences *e) {
    for (unsigned i = 0; i < e->count; i++) {
        e->at[i].sha256 = (ProtobufCBinaryData){.len = sizeof e->sha256[i], .data = e->sha256[i]};
        e->list[i] = &e->at[i];
    }
    return e->list;
}

static bool read_language(const struct ctl *c, const char *value, void *at) {
    (void)c;
    bool zh = strncmp(value, "zh", 2) == 0;
    if (!zh && strncmp(value, "en", 2) != 0)
        return false;
    *(enum language *)at = zh ? LANGUAGE_ZH : LANGUAGE_EN;
    return true;
}

static bool read_word(const struct ctl *c, const char *value, void *at) {
    (void)c;
    *(const char **)at = value;
    return word_valid(slice_of(value), BY_BYTES_MAX);
}

static bool read_limit(const struct ctl *c, const char *value, void *at) {
    (void)c;
    size_t digits = strspn(value, "0123456789");
    PbLimit limit = {.has_unit = true, .has_amount = true};
    if (!parse_i64(slice_from(value, digits), &limit.amount))
        return false;
    for (unsigned i = UNIT_NONE + 1; i < pb_unit__descriptor.n_values; i++)
        if (strcmp(value + digits, word_unit((PbUnit)i)) == 0)
            limit.unit = (PbUnit)i;
    *(PbLimit *)at = limit;
    return limit_valid(&limit);
}

/* How a value is read, and what it must be, said after "is not". */
static const struct reader {
    bool (*read)(const struct ctl *c, const char *value, void *at);
    const char *must_be;
} readers[] = {
    [ARGUMENT_FLAG] = {read_flag,
        BOTH("开关", "a flag")},
    [ARGUMENT_TEXT] = {read_text,
        BOTH("UTF-8 文字", "text in UTF-8")},
    [ARGUMENT_TEXTS] = {read_texts,
        BOTH("UTF-8 文字，至多十六次", "text in UTF-8, sixteen times at most")},
    [ARGUMENT_NUMBER] = {read_number,
        BOTH("数字", "a number")},
    [ARGUMENT_SPAN] = {read_span,
        BOTH("时长，如 90s、5min、2h、5d", "a time such as 90s, 5min, 2h or 5d")},
    [ARGUMENT_WAIT] = {read_wait,
        BOTH("不超过 1d 的时长，如 500ms、5s", "a time up to 1d, such as 500ms or 5s")},
    [ARGUMENT_INSTANT] = {read_instant,
        BOTH("时间，如 2026-02-14、2026-02-14T09:30:05 或 2026-02-14T01:30:05Z",
             "an instant such as 2026-02-14T09:30:05, 2026-02-14T01:30:05Z or 2026-02-14")},
    [ARGUMENT_WORD] = {read_word,
        BOTH("工号：1 至 31 个 A-Z a-z 0-9 . _ -", "a staff number: 1 to 31 of A-Z a-z 0-9 . _ -")},
    [ARGUMENT_EVIDENCE] = {read_evidence,
        BOTH("64 位十六进制，可再加 = 和存放处（至多 8 次）", "64 hexadecimal digits, then perhaps = and where it is (8 times at most)")},
    [ARGUMENT_LIMIT] = {read_limit,
        BOTH("时限，如 3wd、8wh、30cd", "a limit such as 3wd, 8wh or 30cd")},
    [ARGUMENT_DIVISION] = {read_division,
        BOTH("区划代码（2、4、6、9、12、15 位）", "a division's code of 2, 4, 6, 9, 12 or 15 digits")},
    [ARGUMENT_DIVISIONS] = {read_divisions,
        BOTH("区划代码（2、4、6、9、12、15 位；至多 64 个）", "a division's code of 2, 4, 6, 9, 12 or 15 digits (64 codes at most)")},
    [ARGUMENT_ID] = {read_id,
        BOTH("32 位十六进制编号", "an id of 32 hexadecimal digits")},
    [ARGUMENT_ZONE] = {read_zone,
        BOTH("时区，如 +08:00、UTC", "a zone such as +08:00, -05:00 or UTC")},
    [ARGUMENT_LANGUAGE] = {read_language,
        BOTH("zh 或 en", "zh or en")},
};

/* ---- the global options ------------------------------------------------------------------------------------------ */

#define AT(field) offsetof(struct ctl, field)
const struct argument global_arguments[] = {
    {"--front", "ENDPOINT", ARGUMENT_TEXT, AT(front),
     BOTH("命令和查询发往何处（$WHISTLE_FRONT）", "where commands and questions go ($WHISTLE_FRONT)"), false},
    {"--feed", "ENDPOINT", ARGUMENT_TEXT, AT(feed),
     BOTH("动态从何处来（$WHISTLE_FEED）", "where updates come from ($WHISTLE_FEED)"), false},
    {"--pool", "ENDPOINT", ARGUMENT_TEXT, AT(pool),
     BOTH("值守程序从何处领活（$WHISTLE_POOL）", "where desks get their work ($WHISTLE_POOL)"), false},
    {"--json", NULL, ARGUMENT_FLAG, AT(json),
     BOTH("供程序使用：JSON，每行一个对象", "for programs: JSON, an object a line"), false},
    {"--lang", "zh|en", ARGUMENT_LANGUAGE, AT(language),
     BOTH("显示语言（$LANG）", "the language of what is said ($LANG)"), false},
    {"--zone", "+HH:MM", ARGUMENT_ZONE, AT(zone_s),
     BOTH("时间所用时区（$WHISTLE_ZONE，+08:00）", "the zone of instants ($WHISTLE_ZONE, +08:00)"), false},
    {"--wait", "TIME", ARGUMENT_WAIT, AT(wait_ms),
     BOTH("等待回答多久（5s）", "how long to wait for an answer (5s)"), false},
    {"--by", "NUMBER", ARGUMENT_WORD, AT(by),
     BOTH("经办人工号，不写姓名（$WHISTLE_BY，否则为登录名）",
          "who does it, by staff number, no name ($WHISTLE_BY, else the login name)"), false},
};
#undef AT
const size_t global_arguments_count = COUNT_OF(global_arguments);

struct slice both_in(enum language l, const char *both) {
    struct slice en = slice_of(both), zh = {NULL, 0};
    return slice_cut(slice_of(both), '\x1F', &en, &zh) && l == LANGUAGE_ZH ? zh : en;
}
#define BOTH_IN(l, both) (int)both_in(l, both).len, (const char *)both_in(l, both).at

/* The words of a choice, below what it is for. */
static void print_choices(enum language l, enum argument_type type) {
    size_t count;
    const struct choice *choices = choices_of(type, &count);
    for (size_t i = 0; choices && i < count; i++)
        printf("%s%s%s", i ? "  " : "                           ", choices[i].word,
               l == LANGUAGE_ZH && strcmp(choices[i].word, choices[i].zh) != 0 ? choices[i].zh : "");
    if (choices)
        puts("");
}

static void print_options(enum language l, const struct argument *table, size_t count) {
    for (size_t i = 0; i < count; i++) {
        char name[64];
        const struct argument *a = &table[i];
        (void)snprintf(name, sizeof name, "%s%s%s", a->name, a->value && a->name[0] == '-' ? " " : "",
                       a->value && a->name[0] == '-' ? a->value : "");
        printf("  %-24s %.*s%s\n", name, BOTH_IN(l, a->sentence),
               !a->must ? "" : l == LANGUAGE_ZH ? "（必填）" : " (must be given)");
        print_choices(l, a->type);
    }
}

void arguments_print_globals(enum language l) {
    puts(l == LANGUAGE_ZH ? "\n各命令通用的选项：" : "\nOptions of every command:");
    print_options(l, global_arguments, COUNT_OF(global_arguments));
    puts(l == LANGUAGE_ZH ? "  --help                   显示这些说明" : "  --help                   this text");
}

static void print_help(enum language l, const struct command_line *line) {
    printf("whistlectl %s: %.*s\n\n  whistlectl %s", line->name, BOTH_IN(l, line->sentence), line->name);
    for (size_t i = 0; i < line->count; i++) {
        const struct argument *a = &line->table[i];
        bool option = a->name[0] == '-';
        printf(" %s%s%s%s%s", a->must ? "" : "[", a->name, option && a->value ? " " : "",
               option && a->value ? a->value : "", a->must ? "" : "]");
    }
    puts("\n");
    print_options(l, line->table, line->count);
    arguments_print_globals(l);
    if (line->more)
        printf("\n%.*s\n", BOTH_IN(l, line->more));
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

struct parser {
    struct ctl *c;
    const struct command_line *line;
    int argc, at;
    char **argv;
    void *into;
    char *problem;
    bool globals_pass;
    bool seen[ARGUMENTS_MAX];
};

/* Both formats take the same arguments. */
static int wrong(struct parser *p, const char *zh, const char *en, ...)
    __attribute__((format(printf, 2, 4), format(printf, 3, 4)));
static int wrong(struct parser *p, const char *zh, const char *en, ...) {
    va_list more;
    va_start(more, en);
    (void)vsnprintf(p->problem, PROBLEM_BYTES, say(p->c, zh, en), more);
    va_end(more);
    return CTL_USAGE;
}

static const struct argument *find(const struct argument *table, size_t count, struct slice name) {
    for (size_t i = 0; i < count; i++)
        if (slice_equal(slice_of(table[i].name), name))
            return &table[i];
    return NULL;
}

static int no_such_option(struct parser *p, struct slice name) {
    struct option_spec all[ARGUMENTS_MAX + COUNT_OF(global_arguments)] = {{.name = NULL}};
    size_t count = 0;
    const char *near = NULL;
    for (size_t i = 0; i < p->line->count; i++)
        if (p->line->table[i].name[0] == '-')
            all[count++].name = p->line->table[i].name;
    for (size_t i = 0; i < COUNT_OF(global_arguments); i++)
        all[count++].name = global_arguments[i].name;
    (void)option_set(all, count, NULL, name, SLICE(""), &near);
    return wrong(p, "%.*s：没有这个选项；最接近的是 %s", "%.*s: no such option; the nearest is %s",
                 (int)(name.len < 64 ? name.len : 64), name.at, near);
}

static int take_choice(const struct ctl *c, const struct argument *a, const struct choice *choices, size_t count,
                       const char *value, int *to, char problem[static PROBLEM_BYTES]) {
    char all[PROBLEM_BYTES] = "";
    for (size_t i = 0, len = 0; i < count; i++) {
        if (strcmp(value, choices[i].word) == 0 || strcmp(value, choices[i].zh) == 0)
            return *to = choices[i].value, 0;
        len += (size_t)snprintf(all + len, sizeof all - len, "%s%s", i ? ", " : "",
                                say(c, choices[i].zh, choices[i].word));
        CHECK(len < sizeof all);
    }
    (void)snprintf(problem, PROBLEM_BYTES, say(c, "%s：“%.60s”不在其中：%.150s", "%s: \"%.60s\" is none of %.150s"), a->name,
                   value, all);
    return CTL_USAGE;
}

int argument_take(const struct ctl *c, const struct argument *a, const char *value, void *into,
                  char problem[static PROBLEM_BYTES]) {
    size_t count;
    const struct choice *choices = choices_of(a->type, &count);
    void *at = (char *)into + a->offset;
    if (choices)
        return take_choice(c, a, choices, count, value, at, problem);
    const struct reader *r = &readers[a->type];
    CHECK((size_t)a->type < COUNT_OF(readers) && r->read);
    if (r->read(c, value, at))
        return 0;
    (void)snprintf(problem, PROBLEM_BYTES, say(c, "%s：“%.60s”不是%.*s", "%s: \"%.60s\" is not %.*s"), a->name, value,
                   BOTH_IN(c->language, r->must_be));
    return CTL_USAGE;
}

static int take(struct parser *p, const struct argument *a, const char *value, void *into) {
    return argument_take(p->c, a, value, into, p->problem);
}

/* --name, --name value, --name=value. A value that begins with dashes must be given the third way: else it is taken for
 * the next option, and this one's value was forgotten. */
static int take_option(struct parser *p) {
    const char *word = p->argv[p->at], *value = strchr(word, '=');
    struct slice name = slice_from(word, value ? (size_t)(value - word) : strlen(word));
    const struct argument *global = find(global_arguments, COUNT_OF(global_arguments), name);
    const struct argument *own = find(p->line->table, p->line->count, name), *a = own ? own : global;
    if (!a)
        return p->globals_pass ? 0 : no_such_option(p, name);
    if (a->type == ARGUMENT_FLAG && value)
        return wrong(p, "%s 不带值", "%s takes no value", a->name);
    if (value)
        value++;
    else if (a->type != ARGUMENT_FLAG) {
        value = p->at + 1 < p->argc ? p->argv[++p->at] : NULL;
        if (!value || strncmp(value, "--", 2) == 0)
            return wrong(p, "%s 还缺 %s：%.*s", "%s needs its %s: %.*s",
                         a->name, a->value, BOTH_IN(p->c->language, a->sentence));
    }
    if ((a == global) != p->globals_pass)
        return 0;
    bool *seen = a == own ? &p->seen[a - p->line->table] : NULL;
    bool again = a->type == ARGUMENT_DIVISIONS || a->type == ARGUMENT_TEXTS || a->type == ARGUMENT_EVIDENCE;
    if (seen && *seen && !again)
        return wrong(p, "%s 给了两次", "%s is given twice", a->name);
    if (seen)
        *seen = true;
    return take(p, a, value, a == own ? p->into : p->c);
}

static int take_word(struct parser *p) {
    if (p->globals_pass)
        return 0;
    for (size_t i = 0; i < p->line->count; i++) {
        const struct argument *a = &p->line->table[i];
        if (a->name[0] == '-' || (p->seen[i] && a->type != ARGUMENT_TEXTS))
            continue;
        p->seen[i] = true;
        return take(p, a, p->argv[p->at], p->into);
    }
    return wrong(p, "多了一个词“%.60s”；含空格的文字要加引号",
                 "\"%.60s\" is one word too many; a text of several words stands in quotes", p->argv[p->at]);
}

static int pass(struct parser *p, bool of_globals) {
    bool help = false;
    p->globals_pass = of_globals;
    for (p->at = 1; p->at < p->argc; p->at++) {
        const char *word = p->argv[p->at];
        bool asks = strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
        help |= asks;
        int r = asks ? 0 : word[0] == '-' && word[1] == '-' ? take_option(p) : take_word(p);
        if (r)
            return r;
    }
    return help ? ARGUMENTS_HELPED : 0;                  /* in the language that is named, wherever it stands */
}

int arguments_parse(struct ctl *c, const struct command_line *line, int argc, char **argv, void *into,
                    char problem[static 256]) {
    struct parser p = {.c = c, .line = line, .argc = argc, .argv = argv, .into = into, .problem = problem};
    CHECK(line->count <= ARGUMENTS_MAX);
    int r = pass(&p, true);
    if (r == 0)
        r = pass(&p, false);
    for (size_t i = 0; r == 0 && i < line->count; i++)
        if (line->table[i].must && !p.seen[i])
            r = wrong(&p, "缺少 %s：%.*s", "%s is missing: %.*s",
                      line->table[i].name, BOTH_IN(c->language, line->table[i].sentence));
    return r;
}

/* Asks something instead of choosing something. */
static bool word_asks(struct slice word) {
    return slice_equal(word, SLICE("--help")) || slice_equal(word, SLICE("-h"))
        || slice_equal(word, SLICE("--version"));
}

int arguments_globals(struct ctl *c, int argc, char **argv, int *ret_index, char problem[static 256]) {
    static const struct command_line none = {.name = "", .sentence = ""};
    struct parser p = {.c = c, .line = &none, .argc = argc, .argv = argv, .problem = problem, .globals_pass = true};
    for (p.at = 1; p.at < argc && argv[p.at][0] == '-'; p.at++) {
        struct slice name = slice_of(argv[p.at]), value;
        (void)slice_cut(name, '=', &name, &value);
        if (word_asks(name))
            break;
        int r = find(global_arguments, COUNT_OF(global_arguments), name) ? take_option(&p) : no_such_option(&p, name);
        if (r)
            return r;
    }
    *ret_index = p.at;
    return 0;
}

int usage(const struct ctl *c, const char *zh, const char *en, ...) {
    va_list more;
    va_start(more, en);
    (void)fprintf(stderr, "whistlectl %s: ", c->line->name);
    (void)vfprintf(stderr, say(c, zh, en), more);
    va_end(more);
    (void)fprintf(stderr, say(c, "\n详见 whistlectl %s --help\n", "\nwhistlectl %s --help says more\n"), c->line->name);
    return CTL_USAGE;
}

int arguments_read(struct ctl *c, int argc, char **argv, void *into) {
    char problem[PROBLEM_BYTES];
    int r = arguments_parse(c, c->line, argc, argv, into, problem);
    if (r == ARGUMENTS_HELPED)
        print_help(c->language, c->line);
    return r == CTL_USAGE ? usage(c, "%s", "%s", problem) : r;
}
