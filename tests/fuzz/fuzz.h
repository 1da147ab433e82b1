/* fuzz.h: what the targets share. A target is one file, fuzz_<what>.c, with LLVMFuzzerTestOneInput: bytes in, and
 * either it returns, or a sanitizer or a CHECK ends it: a find. Nothing of one input may be left over for the next. */
#ifndef FUZZ_H
#define FUZZ_H
#include "lib/base/base.h"
#include "lib/codec/codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len);

/* ---- bytes as decisions ------------------------------------------------------------------------------------------ */

/* An input read from its beginning; past its end there are only zeroes, so that every input is a whole one. */
struct tape { const uint8_t *at, *end; };

static inline struct tape tape_of(const uint8_t *at, size_t len) { return (struct tape){at, at + len}; }
static inline bool tape_over(const struct tape *t) { return t->at == t->end; }
static inline uint8_t tape_byte(struct tape *t) { return tape_over(t) ? 0 : *t->at++; }
static inline uint32_t tape_two(struct tape *t) { return tape_byte(t) | (uint32_t)tape_byte(t) << 8; }
static inline uint32_t tape_below(struct tape *t, uint32_t n) { return (n > 256 ? tape_two(t) : tape_byte(t)) % n; }
struct slice tape_bytes(struct tape *t, size_t most);    /* as many as there are */
int64_t tape_number(struct tape *t);                     /* small, of any size, or at the edge of what a type holds */

/* The rest as a command line, an argument a line; borrowed until the next call. */
enum { TAPE_WORDS_MAX = 32, TAPE_LINES_BYTES = 4096 };
int tape_words(struct tape *t, char *words[static TAPE_WORDS_MAX + 1]);

/* ---- files ------------------------------------------------------------------------------------------------------- */

enum { PATH_MAX_BYTES = 512, KEPT_MAX = 24 };
const char *scratch_path(const char *name, char to[static PATH_MAX_BYTES]);   /* in a directory of this process's own */
void scratch_write(const char *name, struct slice bytes);

/* A directory as it was, to be spoiled and put back. */
struct kept {
    char dir[PATH_MAX_BYTES];
    unsigned count;
    struct kept_file { char name[64]; uint8_t *bytes; size_t len, used; } file[KEPT_MAX];    /* used: zeroes follow */
};
void keep(struct kept *k, const char *dir);
void put_back(const struct kept *k);
/* Does some damage to one file, as the tape has it; which one. */
const struct kept_file *spoil(const struct kept *k, struct tape *t);

/* ---- an office --------------------------------------------------------------------------------------------------- */

/* Loads tests/fuzz/office with other bytes for one of its files; everything that a load promises is checked. */
void office_with(const char *file, struct slice bytes);

/* ---- messages ---------------------------------------------------------------------------------------------------- */

/* What a drawn message may speak of, so that it is not refused at the first field. */
struct draw_world {
    const PbRules *rules;                                /* its parties, categories and divisions */
    const struct case_state *at;                         /* the case that is spoken of most, or NULL */
    const PbLeaseToken *token;                           /* the last that was offered, or NULL */
    int64_t now_ms;
    uint64_t cases;                                      /* ids up to this one */
};

/* Any message out of any bytes, plain and not prepared. Everything lives in the room, which must be large. */
void *draw(const ProtobufCMessageDescriptor *type, struct tape *t, const struct draw_world *w, struct arena *room);
/* That member of the oneof and no other (a field's id); 0: the tape chooses. */
void *draw_member(const ProtobufCMessageDescriptor *type, uint32_t member, struct tape *t, const struct draw_world *w,
                  struct arena *room);
#endif
