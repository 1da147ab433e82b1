/* journal_appends: what an append costs. Records of 300 bytes in batches of 1, 64 and 1,024, with segments of 64 MiB
 * filled ahead by a thread of its own; then the same journal is opened again and read from the front.
 *
 *   journal_appends <directory> [seconds] [block]   batches a second, latency of one, CPU time of a record. block: 512,
 *                                                   4096, or what the device says */
#include "daemon/store/journal.h"
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { RECORD = 300 };

static struct journal *j;
static atomic_bool stop;

static uint64_t now_ns(clockid_t clock) {
    struct timespec t;
    (void)clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void must(int r, const char *what, const char *why) {
    if (r >= 0)
        return;
    (void)fprintf(stderr, "journal_appends: %s: %s %s\n", what, strerror(-r), why);
    exit(1);
}

/* What the daemon's preparer does: a slice, a breath. */
static void *prepare(void *unused) {
    (void)unused;
    while (!atomic_load(&stop)) {
        int r = journal_prepare(j, 256 << 10);
        must(r, "prepare", "");
        if (r == 0)
            (void)usleep(10000);
    }
    return NULL;
}

static void run(unsigned records, double seconds) {
    static uint8_t record[RECORD];
    struct histogram latency = {0};
    uint64_t batches = 0, waited = 0, began = now_ns(CLOCK_MONOTONIC), cpu = 0;
    uint64_t end = began + (uint64_t)(seconds * 1e9), now = began;
    for (; now < end; batches++) {
        while (journal_room(j) < (size_t)records * (RECORD + 12)) {
            int r = journal_turn_over(j);
            if (r == -EAGAIN)
                waited++, (void)usleep(1000);
            else
                must(r, "turn over", "");
        }
        uint64_t cpu_before = now_ns(CLOCK_THREAD_CPUTIME_ID), before = now_ns(CLOCK_MONOTONIC);
        journal_begin(j, 0, 1);
        for (unsigned i = 0; i < records; i++) {
            put_le64(record + 8, journal_next_seq(j) + i);
            must(journal_add(j, slice_from(record, RECORD), 1), "add", "");
        }
        must(journal_append(j), "append", "");
        now = now_ns(CLOCK_MONOTONIC);
        cpu += now_ns(CLOCK_THREAD_CPUTIME_ID) - cpu_before;
        histogram_add(&latency, (now - before) / 1000);
    }
    double took = (double)(now - began) / 1e9, all = (double)batches * records;
    printf("%5u records: %7.0f batches/s %9.0f records/s  mean %6.0f us  p50 < %5llu  p99 < %6llu  max %6llu us  "
           "CPU %7.2f us/record  waited %llu ms\n", records, (double)batches / took, all / took,
           (double)latency.sum_us / (double)batches, (unsigned long long)histogram_quantile_us(&latency, 0.5),
           (unsigned long long)histogram_quantile_us(&latency, 0.99), (unsigned long long)latency.max_us,
           (double)cpu / 1e3 / all, (unsigned long long)waited);
}

static void read_again(const struct journal_options *o) {
    struct journal_found found;
    struct journal_cursor *c = NULL;
    struct slice record = {0};
    uint64_t first = 0, records = 0, before = now_ns(CLOCK_MONOTONIC);
    uint32_t seqs = 0;
    must(journal_open(&j, o, false, &found), "open", found.problem);
    uint64_t opened = now_ns(CLOCK_MONOTONIC);
    must(journal_cursor_open(&c, j, 1), "cursor", "");
    int r;
    while ((r = journal_next(c, &first, &seqs, &record)) == 1)
        records++;
    must(r, "read", journal_cursor_problem(c));
    uint64_t took = now_ns(CLOCK_MONOTONIC) - opened;
    printf("opened in %llu ms; read %llu records, %.2f us each\n", (unsigned long long)(opened - before) / 1000000,
           (unsigned long long)records, (double)took / 1e3 / (double)records);
    journal_cursor_close(c);
    journal_close(j);
}

int main(int argc, char **argv) {
    static const unsigned sizes[] = {1, 64, 1024};
    struct journal_options o = {
        .dir = argc > 1 ? argv[1] : "", .segment_bytes = 64 << 20, .segments_ahead = 2,
        .block = argc > 3 ? (uint32_t)strtoul(argv[3], NULL, 10) : 0,
    };
    double seconds = argc > 2 ? strtod(argv[2], NULL) : 5;
    struct journal_found found;
    pthread_t thread;
    crypto_init();
    must(journal_create(&o), "create", "(an empty directory, please)");
    must(journal_open(&j, &o, false, &found), "open", found.problem);
    must(-pthread_create(&thread, NULL, prepare, NULL), "thread", "");
    while (journal_segments_ready(j) < o.segments_ahead)
        (void)usleep(1000);
    for (size_t i = 0; i < COUNT_OF(sizes); i++)
        run(sizes[i], seconds);
    atomic_store(&stop, true);
    must(-pthread_join(thread, NULL), "thread", "");
    journal_close(j);
    read_again(&o);
    return 0;
}
