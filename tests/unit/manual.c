/* manual.c: see manual.h. */
#include "tests/unit/manual.h"
#include "lib/base/base.h"

#include <string.h>

enum { TEXT_BYTES = 4096, COLUMNS = 78, FOREIGN_COLUMNS = 8, TEMPLATE_LINE_BYTES = 1024 };

/* ---- roff -------------------------------------------------------------------------------------------------------- */

/* One byte as roff reads it. A minus that is typed must be one when it is copied from the page. */
static const char *escaped(char c, char plain[static 2]) {
    static const struct { char c; const char *says; } escapes[] = {
        {'\\', "\\e"}, {'-', "\\-"}, {'`', "\\(ga"}, {'^', "\\(ha"}, {'~', "\\(ti"},
        {BOLD[0], "\\fB"}, {ITALIC[0], "\\fI"}, {ROMAN[0], "\\fR"},
    };
    for (size_t i = 0; i < COUNT_OF(escapes); i++)
        if (escapes[i].c == c)
            return escapes[i].says;
    plain[0] = c;
    plain[1] = '\0';
    return plain;
}

/* As mandoc counts them: a character that is not ASCII is read as \[uXXXX]. */
static unsigned columns_of(struct slice word) {
    unsigned columns = 0;
    char plain[2];
    for (size_t i = 0; i < word.len; i++)
        if (word.at[i] < 0x80)
            columns += (unsigned)strlen(escaped((char)word.at[i], plain));
        else if (word.at[i] >= 0xC0)
            columns += FOREIGN_COLUMNS;
    return columns;
}

static void write_word(FILE *to, struct slice word, bool begins_line) {
    char plain[2];
    if (begins_line && word.len && (word.at[0] == '.' || word.at[0] == '\''))
        fputs("\\&", to);
    for (size_t i = 0; i < word.len; i++)
        fputs(escaped((char)word.at[i], plain), to);
}

static void write_broken(FILE *to, char *text, unsigned columns_max) {
    struct slice word, rest = slice_of(text);
    unsigned column = 0;
    for (char *c = text; *c; c++)
        *c = *c == '\n' ? ' ' : *c;
    for (bool more = true; more;) {
        word = rest;
        more = slice_cut(rest, ' ', &word, &rest);
        unsigned columns = columns_of(word);
        bool breaks = column > 0 && column + 1 + columns > columns_max;
        if (column > 0)
            fputc(breaks ? '\n' : ' ', to);
        write_word(to, word, column == 0 || breaks);
        column = breaks || column == 0 ? columns : column + 1 + columns;
    }
    fputc('\n', to);
}

static void format_into(char to[static TEXT_BYTES], const char *format, va_list more) {
    int len = vsnprintf(to, TEXT_BYTES, format, more);
    CHECK(len > 0 && len < TEXT_BYTES);
}

void roff_tag(FILE *to, const char *format, ...) {
    char text[TEXT_BYTES];
    va_list more;
    va_start(more, format);
    format_into(text, format, more);
    va_end(more);
    fputs(".TP\n", to);
    write_broken(to, text, TEXT_BYTES);
}

void roff_text(FILE *to, const char *format, ...) {
    char text[TEXT_BYTES];
    va_list more;
    va_start(more, format);
    format_into(text, format, more);
    va_end(more);
    write_broken(to, text, COLUMNS);
}

/* ---- templates --------------------------------------------------------------------------------------------------- */

static const struct { const char *line; void (*write)(FILE *to, bool zh); } marks[] = {
    {"@commands@\n", write_commands}, {"@globals@\n", write_globals},   {"@exits@\n", write_exits},
    {"@names@\n", write_names},       {"@takes@\n", write_takes},       {"@beside@\n", write_takes_beside},
    {"@words@\n", write_words},       {"@settings@\n", write_settings}, {"@flags@\n", write_flags},
    {"@story@\n", write_story},       {"@states@\n", write_states},     {"@arrows@\n", write_arrows},
    {"@refusals@\n", write_refusals},
};

void manual_write(FILE *template, FILE *to, bool zh) {
    char line[TEMPLATE_LINE_BYTES];
    while (fgets(line, sizeof line, template)) {
        size_t i = 0;
        while (i < COUNT_OF(marks) && strcmp(line, marks[i].line) != 0)
            i++;
        if (i < COUNT_OF(marks))
            marks[i].write(to, zh);
        else
            fputs(line, to);
    }
}
