/* manual_case.c: the states and arrows of a case and what is refused, for whistle(7). */
#include "tests/unit/manual.h"
#include "ctl/ctl.h"
#include "daemon/kernel/lifecycle.h"
#include "tests/unit/lifecycle_doc.h"

void write_states(FILE *to, bool zh) {
    (void)zh;
    for (int s = STATE_REPORTED; s <= STATE_ARCHIVED; s++) {
        roff_tag(to, BOLD "%s" ROMAN " %s", state_name((PbState)s), word_state(LANGUAGE_ZH, (PbState)s));
        roff_text(to, "clocks that run: %s", state_clocks((PbState)s));
    }
}

static void states_text(uint32_t states, char *to, size_t size) {
    FILE *f = fmemopen(to, size, "w");
    CHECK(f);
    states_write(f, states);
    CHECK(fclose(f) == 0);
}

void write_arrows(FILE *to, bool zh) {
    (void)zh;
    for (const struct arrow *a = arrows; a < arrows + arrows_count; a++) {
        const PbEvent e = {.event_case = (PbEvent__EventCase)a->event};
        char from[LINE_BYTES], into[LINE_BYTES];
        states_text(a->from, from, sizeof from);
        states_text(a->to, into, sizeof into);
        roff_tag(to, BOLD "%s" ROMAN " %s", event_name(&e), a->zh);
        roff_text(to, "from %s %s%s; by: %s", from, a->to ? "to " : "and the state stays", a->to ? into : "", a->who);
        for (const struct guard *g = a->guards; g < a->guards + ARROW_GUARDS_MAX && g->refusal; g++)
            roff_text(to, "%s" BOLD "%s" ROMAN " %s%s", g == a->guards ? "(refused: " : "",
                      sentence_of(g->refusal)->name, g->says,
                      g + 1 < a->guards + ARROW_GUARDS_MAX && g[1].refusal ? ";" : ")");
    }
}

void write_refusals(FILE *to, bool zh) {
    (void)zh;
    for (size_t i = 1; i < pb_refusal__descriptor.n_values; i++) {
        const struct sentence *s = sentence_of((PbRefusal)pb_refusal__descriptor.values[i].value);
        roff_tag(to, BOLD "%s" ROMAN, s->name);
        roff_text(to, "%s", s->en);
    }
}
