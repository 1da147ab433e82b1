/* lifecycle_doc.h: docs/lifecycle.md, made of its template and the kernel's table of arrows. */
#ifndef LIFECYCLE_DOC_H
#define LIFECYCLE_DOC_H
#include <stdio.h>

/* The template with its marks (@states@, @arrows@, @dot@, each a line of its own) filled in. */
void lifecycle_doc_write(FILE *template, FILE *to);
#endif
