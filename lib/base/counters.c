/* counters.c: the list of counters.h, made into arrays. */
#include "lib/base/counters.h"

uint64_t counters[COUNTER_COUNT];
uint64_t counters_refused[COUNTERS_REASONS_MAX];

const char *const counter_names[COUNTER_COUNT] = {
#define X(name, text, sentence) text,
    COUNTERS(X)
#undef X
};

const char *const counter_sentences[COUNTER_COUNT] = {
#define X(name, text, sentence) sentence,
    COUNTERS(X)
#undef X
};
