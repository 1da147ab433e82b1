/* exposition.c: figures as text. A line is written whole or not at all. */
#include "daemon/gates/exposition.h"

#include <stdio.h>
#include <string.h>

enum { LINE_BYTES_MAX = 1024, NUMBER_BYTES_MAX = 32, DECIMALS_MAX = 9 };

static void line(struct exposition *x, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void line(struct exposition *x, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int len = x->full ? -1 : vsnprintf(x->text + x->used, x->size - x->used, format, arguments);
    va_end(arguments);
    if (len < 0 || (size_t)len >= x->size - x->used) x->full = true;
    else x->used += (size_t)len;
}

/* A backslash, a quote and the end of a line would end the text early: they are written as two characters. */
static const char *escaped(const char *from, char to[static LINE_BYTES_MAX]) {
    size_t used = 0;
    for (; *from && used + 3 < LINE_BYTES_MAX; from++) {
        if (*from == '\\' || *from == '"' || *from == '\n') to[used++] = '\\';
        to[used++] = *from == '\n' ? 'n' : *from;
    }
    to[used] = '\0';
    return to;
}

static const char *number(uint64_t value, unsigned decimals, char to[static NUMBER_BYTES_MAX]) {
    unsigned long long one = 1, whole = value;
    CHECK(decimals <= DECIMALS_MAX);
    for (unsigned i = 0; i < decimals; i++) one *= 10;
    if (decimals == 0) snprintf(to, NUMBER_BYTES_MAX, "%llu", whole);
    else snprintf(to, NUMBER_BYTES_MAX, "%llu.%0*llu", whole / one, (int)decimals, whole % one);
    return to;
}

/* A quote stands for itself in a sentence of help. */
void exposition_family(struct exposition *x, const char *name, enum exposition_type type, const char *help) {
    static const char *const types[] = { "gauge", "counter", "histogram" };
    CHECK(!strpbrk(help, "\\\n"));
    line(x, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, types[type]);
}

void exposition_sample(struct exposition *x, const char *name, struct label label, uint64_t value, unsigned decimals) {
    char text[LINE_BYTES_MAX], digits[NUMBER_BYTES_MAX];
    number(value, decimals, digits);
    if (label.name) line(x, "%s{%s=\"%s\"} %s\n", name, label.name, escaped(label.value, text), digits);
    else line(x, "%s %s\n", name, digits);
}

void exposition_histogram(struct exposition *x, const char *name, const struct histogram *h,
                          struct exposition_buckets which) {
    char bound[NUMBER_BYTES_MAX], sum[NUMBER_BYTES_MAX];
    uint64_t below = 0;
    CHECK(which.first <= which.last && which.last < COUNT_OF(h->bucket) - 1); /* the last one has no bound */
    for (unsigned i = 0; i <= which.last; i++) {
        below += h->bucket[i];
        if (i < which.first) continue;
        number(UINT64_C(1) << i, which.decimals, bound);
        line(x, "%s_bucket{le=\"%s\"} %llu\n", name, bound, (unsigned long long)below);
    }
    line(x, "%s_bucket{le=\"+Inf\"} %llu\n%s_sum %s\n%s_count %llu\n", name, (unsigned long long)h->count, name,
         number(h->sum_us, which.decimals, sum), name, (unsigned long long)h->count);
}
