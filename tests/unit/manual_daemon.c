/* manual_daemon.c: what whistled and whistle-worker take on their command lines, and the settings file. */
#include "tests/unit/manual.h"
#include "daemon/arguments.h"
#include "workers/worker.h"

#include <string.h>

void write_words(FILE *to, bool zh) {
    (void)zh;
    for (size_t i = 0; i < argument_words_count; i++) {
        roff_tag(to, BOLD "%s" ROMAN, argument_words[i].name);
        roff_text(to, "%s", argument_words[i].sentence);
    }
}

/* ---- the settings ------------------------------------------------------------------------------------------------ */

struct setting { FILE *to; char about[512]; };

/* Two lines a setting, as in the file: `# what it is for (bounds)`, then `name: value`. */
static void write_setting(void *into, const char *line) {
    struct setting *s = into;
    struct slice name, value;
    if (line[0] == '#') {
        int len = snprintf(s->about, sizeof s->about, "%s", line + strspn(line, "# "));
        CHECK(len > 0 && len < (int)sizeof s->about);
        return;
    }
    CHECK(slice_cut(slice_of(line), ':', &name, &value));
    roff_tag(s->to, BOLD "%.*s:" ROMAN "%s", (int)name.len, (const char *)name.at, (const char *)value.at);
    roff_text(s->to, "%s", s->about);
}

void write_settings(FILE *to, bool zh) {
    struct settings defaults;
    struct setting s = {.to = to};
    (void)zh;
    options_default(settings_table, settings_count, &defaults);
    options_print(settings_table, settings_count, &defaults, write_setting, &s);
}

/* ---- the worker -------------------------------------------------------------------------------------------------- */

void write_flags(FILE *to, bool zh) {
    (void)zh;
    for (size_t i = 0; i < worker_flags_count; i++) {
        const struct worker_flag *f = &worker_flags[i];
        roff_tag(to, BOLD "%s" ROMAN " " ITALIC "%s" ROMAN, f->name, f->value);
        roff_text(to, "%s (%s%s)%s%s%s", f->sentence, f->otherwise ? "default: " : "must be given",
                  f->otherwise ? f->otherwise : "", f->also ? "; " BOLD : "", f->also ? f->also : "",
                  f->also ? ROMAN " is the same" : "");
    }
}

void write_story(FILE *to, bool zh) {
    (void)zh;
    roff_text(to, "%s", worker_story);
}

/* ---- the completion ---------------------------------------------------------------------------------------------- */

static const char *setting_how(const struct option_spec *o) {
    bool folder = strcmp(o->name, "data") == 0 || strcmp(o->name, "config") == 0;
    return o->type == OPTION_BOOL ? "true,false" : folder ? "@dir" : "@";
}

/* --lease-ms rather than --lease_ms: both are read. */
static void write_setting_flag(FILE *to, const struct option_spec *o) {
    fputs(" --", to);
    for (const char *c = o->name; *c; c++)
        fputc(*c == '_' ? '-' : *c, to);
    fprintf(to, "=%s", setting_how(o));
}

static void write_worker_flag(FILE *to, const struct worker_flag *f) {
    bool level = strcmp(f->value, "LEVEL") == 0;
    fprintf(to, "%s=%s", f->name, level ? "" : "@");
    for (int v = LEVEL_COMMUNITY; level && v <= LEVEL_DISTRICT; v++)
        fprintf(to, "%s%s", v == LEVEL_COMMUNITY ? "" : ",", worker_level_name((PbLevel)v));
    fputc(' ', to);
}

void write_takes_beside(FILE *to, bool zh) {
    (void)zh;
    fputs("    'whistled') REPLY='@file", to);
    for (size_t i = 0; i < settings_count; i++)
        write_setting_flag(to, &settings_table[i]);
    for (size_t i = 0; i < argument_words_count; i++)
        fprintf(to, " %s", argument_words[i].name);
    fputs("' ;;\n    'whistle-worker') REPLY='", to);
    for (size_t i = 0; i < worker_flags_count; i++)
        write_worker_flag(to, &worker_flags[i]);
    fputs("--help' ;;\n", to);
}
