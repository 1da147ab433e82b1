/* db_puts: what a put costs. Eight tables, keys ordered by time, values of 16 to 400 bytes, a checkpoint every
 * 4,000 pages of heap, as the broker does it: three rows are new at the end of their table, two change what was put
 * lately, three change any row.
 *
 *   db_puts <directory> [rows] [fixed]      ns per put with and without the checksum, and what checkpoints took.
 *                                           fixed: all values have 200 bytes, so that a change stays in its place */
#include "daemon/store/db.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { TABLES = 8, VALUE_MIN = 16, VALUE_MAX = 400, VALUE_FIXED = 200, LATELY = 1000 };
enum { CHANGES_PER_COMMIT = 10000 };                 /* three puts in eight change a page of their own: 4,000 pages */
enum pattern { AT_END, LATE, ANYWHERE };
static const enum pattern patterns[TABLES] = {AT_END, AT_END, AT_END, LATE, LATE, ANYWHERE, ANYWHERE, ANYWHERE};

static uint64_t now_ns(void) {
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static uint64_t next_random(void) {
    static uint64_t seed = 1;
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return seed >> 33;
}

static void must(int r, const char *what, const char *why) {
    if (r >= 0)
        return;
    (void)fprintf(stderr, "db_puts: %s: %d %s\n", what, r, why);
    exit(1);
}

/* Time-ordered: milliseconds in front, a table's own number behind. */
static struct slice key_at(uint8_t key[static 16], enum pattern p, uint64_t row) {
    if (p == LATE && row > LATELY)
        row -= next_random() % LATELY;
    else if (p == ANYWHERE)
        row = next_random() % (row + 1);
    put_be64(key, 1767225600000 + row / 60);
    put_be64(key + 8, row);
    return slice_from(key, 16);
}

static void run(const char *path, bool fold, bool fixed, uint64_t rows) {
    static const char *const names[TABLES] = {"t0", "t1", "t2", "t3", "t4", "t5", "t6", "t7"};
    struct db_table_spec specs[TABLES];
    for (unsigned i = 0; i < TABLES; i++)
        specs[i] = (struct db_table_spec){names[i], fold};
    struct db_options o = {.path = path, .tables = specs, .tables_count = TABLES, .map_bytes = 1ull << 36};
    struct db *d = NULL;
    must(db_open(&d, &o), "open", db_problem(NULL));
    static uint8_t value[VALUE_MAX];
    uint8_t key[16];
    uint64_t commit_ns = 0, commit_max_ns = 0, commits = 0, spent[3] = {0}, puts[3] = {0};
    const uint64_t start = now_ns();
    for (uint64_t row = 0; row < rows; row++) {
        for (unsigned t = 0; t < TABLES; t++) {
            struct slice k = key_at(key, patterns[t], row);
            size_t len = fixed ? VALUE_FIXED : VALUE_MIN + next_random() % (VALUE_MAX - VALUE_MIN);
            struct slice v = slice_from(value, len);
            const uint64_t before = now_ns();
            must((patterns[t] == AT_END ? db_put_last : db_put)(d, t, k, v), "put", db_problem(d));
            spent[patterns[t]] += now_ns() - before;
            puts[patterns[t]]++;
        }
        if (db_changes(d) < CHANGES_PER_COMMIT)
            continue;
        const uint64_t before = now_ns();
        must(db_commit(d), "commit", db_problem(d));
        const uint64_t took = now_ns() - before;
        commit_ns += took;
        commit_max_ns = took > commit_max_ns ? took : commit_max_ns;
        commits++;
    }
    const double total = (double)(now_ns() - start - commit_ns);
    (void)printf("%-8s %5.0f ns/put (at the end %.0f, lately %.0f, anywhere %.0f); ", fold ? "checksum" : "plain",
                 total / (double)(rows * TABLES), (double)spent[AT_END] / (double)puts[AT_END],
                 (double)spent[LATE] / (double)puts[LATE], (double)spent[ANYWHERE] / (double)puts[ANYWHERE]);
    (void)printf("%llu commits, %.1f ms each, %.1f at worst; %llu MiB\n", (unsigned long long)commits,
                 commits > 0 ? (double)commit_ns / 1e6 / (double)commits : 0.0, (double)commit_max_ns / 1e6,
                 (unsigned long long)(db_file_bytes(d) >> 20));
    db_close(d);
}

int main(int argc, char **argv) {
    if (argc < 2)
        return (void)fprintf(stderr, "usage: db_puts <directory> [rows] [fixed]\n"), 2;
    uint64_t rows = 200000;
    if (argc > 2 && !parse_u64(slice_of(argv[2]), &rows))
        return (void)fprintf(stderr, "db_puts: rows is a number\n"), 2;
    crypto_init();
    for (unsigned fold = 0; fold < 2; fold++) {
        char path[4096], lock[4104];
        (void)snprintf(path, sizeof path, "%s/db_puts.mdb", argv[1]);
        (void)snprintf(lock, sizeof lock, "%s-lock", path);
        run(path, fold == 1, argc > 3, rows);
        (void)unlink(path);
        (void)unlink(lock);
    }
    return 0;
}
