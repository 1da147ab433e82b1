/* query.h: what the files of questions share. An answer is made from what is on disk, a page at a time. */
#ifndef QUERY_H
#define QUERY_H
#include "daemon/daemon.h"

/* A page ends when it has so many entries or bytes: what a front sends has a limit, and the last entry may be large. */
enum { LIST_MAX = 200, STORY_MAX = 100, SCAN_MAX = 4000, PAGE_BYTES_MAX = 64 << 10 };

/* What cannot be read is not told, and nothing else after it: the next start folds the state again from the journal. */
void must_read(int r);
const PbRules *must_have_rules(struct daemon *d, uint32_t number);
PbCaseView *must_view(struct daemon *d, const struct case_state *c, bool with_text);
bool was_found(int r);                            /* of a walk's step: 0; -ENOENT: false; else it must be read */
/* Questions that walk over many rows ask first; else refused BUSY, so that many of them do not keep reports waiting. */
bool may_look(struct daemon *d, const struct query *q);
unsigned page_most(uint32_t count);               /* entries, when so many are asked for; 0: as many as there may be */
void query_refuse(struct daemon *d, const struct query *q, PbRefusal code, const char *field);
void query_reply(struct daemon *d, const struct query *q, PbReply *reply);

/* A page of cases that is being filled. */
struct page { PbCaseList list; unsigned most; size_t bytes_used; };
void page_begin(struct daemon *d, struct page *p, uint32_t count);
bool page_full(const struct page *p);
void page_add(struct daemon *d, struct page *p, const struct case_state *c);
void page_reply(struct daemon *d, const struct query *q, struct page *p);

void show_inbox(struct daemon *d, const struct query *q);         /* inbox.c */
void find_similar(struct daemon *d, const struct query *q);       /* similar.c */
#endif
