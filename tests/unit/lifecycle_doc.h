/* lifecycle_doc.h: docs/lifecycle.md, made of its template and the kernel's table of arrows. */
#ifndef LIFECYCLE_DOC_H
#define LIFECYCLE_DOC_H
#include "daemon/kernel/kernel.h"
#include <stdio.h>

/* The template with its marks (@states@, @arrows@, @dot@, each a line of its own) filled in. */
void lifecycle_doc_write(FILE *template, FILE *to);
/* For other pages: a state's clocks in words, and a set of states (a bit each) by their names. */
const char *state_clocks(PbState s);
void states_write(FILE *to, uint32_t states);
#endif
