/* lifecycle_doc.c: see lifecycle_doc.h. */
#include "tests/unit/lifecycle_doc.h"
#include "ctl/ctl.h"
#include "daemon/kernel/lifecycle.h"

#include <string.h>

enum { STATES = STATE_ARCHIVED + 1, MANY = 5, LABEL_BYTES = 600 };

/* ---- states ------------------------------------------------------------------------------------------------------ */

static const char *const clocks[STATES] = {
    [STATE_REPORTED] = "the desk's limit; the promise",
    [STATE_ACCEPTED] = "the same",
    [STATE_DISPATCHED] = "the accept limit, the handling limit, the promise",
    [STATE_HANDLING] = "the handling limit or the next milestone, the promise",
    [STATE_RESOLVED] = "the verify limit; handling and promise are met",
    [STATE_CLOSED] = "none; it may be reopened for a while",
    [STATE_REJECTED] = "none; it may be appealed against for a while",
    [STATE_SUSPENDED] = "the review date; all others stand still",
    [STATE_FOLLOWUP] = "the follow-up limit",
    [STATE_MERGED] = "none: its master's count",
    [STATE_WITHDRAWN] = "none",
    [STATE_VOID] = "none",
    [STATE_TRANSFERRED] = "the acknowledge limit, until it is acknowledged",
    [STATE_ARCHIVED] = "none; its text is erased",
};

const char *state_clocks(PbState s) {
    CHECK((size_t)s < COUNT_OF(clocks) && clocks[s]);
    return clocks[s];
}

static void write_states(FILE *to) {
    fputs("| state | 中文 | clocks that run |\n|---|---|---|\n", to);
    for (int s = STATE_REPORTED; s < STATES; s++)
        fprintf(to, "| %s | %s | %s |\n", state_name((PbState)s), word_state(LANGUAGE_ZH, (PbState)s),
                state_clocks((PbState)s));
}

/* ---- arrows ------------------------------------------------------------------------------------------------------ */

static unsigned count_of(uint32_t states) {
    unsigned count = 0;
    for (; states; states &= states - 1)
        count++;
    return count;
}

static const char *event_of(const struct arrow *a) {
    const PbEvent e = {.event_case = (PbEvent__EventCase)a->event};
    return event_name(&e);
}

void states_write(FILE *to, uint32_t states) {
    const char *before = "";
    for (int s = STATE_NONE; s < STATES; s++) {
        if (!(states & 1u << s))
            continue;
        fprintf(to, "%s%s", before, s == STATE_NONE ? "(new)" : state_name((PbState)s));
        before = ", ";
    }
}

static void write_arrows(FILE *to) {
    fputs("| row | 中文 | event | from | to | who | refused |\n|---|---|---|---|---|---|---|\n", to);
    for (const struct arrow *a = arrows; a < arrows + arrows_count; a++) {
        fprintf(to, "| %u | %s | %s | ", a->row, a->zh, event_of(a));
        states_write(to, a->from);
        fputs(" | ", to);
        states_write(to, a->to);
        fprintf(to, "%s | %s | ", a->to ? "" : "-", a->who);
        for (const struct guard *g = a->guards; g < a->guards + ARROW_GUARDS_MAX && g->refusal; g++)
            fprintf(to, "%s`%s` %s", g == a->guards ? "" : "; ", sentence_of(g->refusal)->name, g->says);
        fputs(" |\n", to);
    }
}

/* ---- the drawing ------------------------------------------------------------------------------------------------- */

/* What leads from one state to another, as one edge with all its names. Arrows out of many states are drawn once, from
 * what they have in common. */
static void label_add(char label[static LABEL_BYTES], const char *zh) {
    if (strstr(label, zh))
        return;
    size_t used = strlen(label);
    (void)snprintf(label + used, LABEL_BYTES - used, "%s%s", used ? "\\n" : "", zh);
}

static void write_edge(FILE *to, int from, int into) {
    char label[LABEL_BYTES] = "";
    for (const struct arrow *a = arrows; a < arrows + arrows_count; a++)
        if (a->from & 1u << from && a->to & 1u << into && count_of(a->from) < MANY && from != into)
            label_add(label, a->zh);
    if (label[0])
        fprintf(to, "  s%d -> s%d [label=\"%s\"];\n", from, into, label);
}

static void write_common_edge(FILE *to, int into) {
    char label[LABEL_BYTES] = "";
    for (const struct arrow *a = arrows; a < arrows + arrows_count; a++)
        if (a->to & 1u << into && count_of(a->from) >= MANY)
            label_add(label, a->zh);
    if (label[0])
        fprintf(to, "  any -> s%d [label=\"%s\", style=dashed];\n", into, label);
}

static void write_dot(FILE *to) {
    fputs("```dot\ndigraph lifecycle {\n  rankdir=TB; node [shape=box, style=rounded]; edge [fontsize=11];\n"
          "  s0 [label=\"\", shape=point]; any [label=\"多数状态\\nmost states\", style=dashed];\n", to);
    for (int s = STATE_REPORTED; s < STATES; s++)
        fprintf(to, "  s%d [label=\"%s\\n%s\"];\n", s, word_state(LANGUAGE_ZH, (PbState)s), state_name((PbState)s));
    for (int from = STATE_NONE; from < STATES; from++)
        for (int into = STATE_REPORTED; into < STATES; into++)
            write_edge(to, from, into);
    for (int into = STATE_REPORTED; into < STATES; into++)
        write_common_edge(to, into);
    fputs("}\n```\n", to);
}

/* ---- the page ---------------------------------------------------------------------------------------------------- */

void lifecycle_doc_write(FILE *template, FILE *to) {
    static const struct { const char *mark; void (*write)(FILE *to); } marks[] = {
        {"@states@\n", write_states}, {"@arrows@\n", write_arrows}, {"@dot@\n", write_dot}};
    char line[1024];
    while (fgets(line, sizeof line, template)) {
        bool marked = false;
        for (size_t i = 0; i < COUNT_OF(marks); i++)
            if (strcmp(line, marks[i].mark) == 0)
                marks[i].write(to), marked = true;
        if (!marked)
            fputs(line, to);
    }
}
