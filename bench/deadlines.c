/* deadlines: what one costs to store and to fire, when there are many.
 *
 *   deadlines <directory> <count> [<count> ...]      us per insert and per firing, and their ratio to the first count
 *
 * Keys as the store has them: due, case, kind. Cases come one after another through a year, and each gets one of an
 * office's limits, so what is inserted is due at one of a few places ahead. Firing takes the first row, again and
 * again. Committed when the broker would: after 50,000 changes. */
#include "daemon/store/rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { CHANGES = 50000 };
static const int64_t year_ms = 365ll * 86400000, hour_ms = 3600000;

static void must(int r, const char *what) {
    if (r >= 0)
        return;
    (void)fprintf(stderr, "deadlines: %s: %d %s\n", what, r, db_problem(NULL));
    exit(1);
}

static void commit_now_and_then(struct db *d) {
    if (db_changes(d) >= CHANGES)
        must(db_commit(d), "commit");
}

static void insert_all(struct db *d, uint64_t count) {
    static const int64_t limits_h[] = {2, 4, 24, 48, 5 * 24, 7 * 24, 15 * 24, 20 * 24};
    for (uint64_t id = 1; id <= count; id++) {
        int64_t now = (int64_t)((double)id / (double)count * (double)year_ms);
        struct due_row due = {now + limits_h[id * 2654435761u % COUNT_OF(limits_h)] * hour_ms, id, TIMER_DESK};
        struct row_key key = key_deadline(&due);
        must(db_put(d, 0, key_bytes(&key), (struct slice){NULL, 0}), "put");
        commit_now_and_then(d);
    }
    must(db_commit(d), "commit");
}

static void fire_all(struct db *d, uint64_t count) {
    struct due_row due, last = {0};
    struct slice key, value;
    uint64_t fired = 0;
    for (struct db_walk w;; fired++) {
        db_walk_from(&w, d, 0, (struct slice){NULL, 0});
        int r = db_walk_next(&w, &key, &value);
        must(r, "first");
        if (r == 0)
            break;
        CHECK(due_of_key(key, &due) && due.due_ms >= last.due_ms);
        last = due;
        must(db_delete(d, 0, key), "delete");
        commit_now_and_then(d);
    }
    CHECK(fired == count);
    must(db_commit(d), "commit");
}

static double us_each(int64_t since_ns, uint64_t count) {
    return (double)(clock_mono_ns() - since_ns) / 1e3 / (double)count;
}

int main(int argc, char **argv) {
    static const struct db_table_spec table = {"deadlines", true};
    double first_insert = 0, first_fire = 0;
    crypto_init();
    for (int i = 2; i < argc; i++) {
        char path[4096], lock[4104];
        uint64_t count = 0;
        struct db *d = NULL;
        if (!parse_u64(slice_of(argv[i]), &count) || count == 0)
            return (void)fprintf(stderr, "usage: deadlines <directory> <count> [<count> ...]\n"), 2;
        (void)snprintf(path, sizeof path, "%s/deadlines.mdb", argv[1]);
        (void)snprintf(lock, sizeof lock, "%s-lock", path);
        struct db_options o = {.path = path, .tables = &table, .tables_count = 1, .map_bytes = 1ull << 36};
        must(db_open(&d, &o), "open");
        int64_t began = clock_mono_ns();
        insert_all(d, count);
        double insert = us_each(began, count);
        began = clock_mono_ns();
        fire_all(d, count);
        double fire = us_each(began, count);
        first_insert = first_insert > 0 ? first_insert : insert;
        first_fire = first_fire > 0 ? first_fire : fire;
        (void)printf("{\"deadlines\":%llu,\"insert_us\":%.2f,\"fire_us\":%.2f,", (unsigned long long)count, insert,
                     fire);
        (void)printf("\"insert_ratio\":%.2f,\"fire_ratio\":%.2f}\n", insert / first_insert, fire / first_fire);
        (void)fflush(stdout);
        db_close(d);
        (void)unlink(path);
        (void)unlink(lock);
    }
    return 0;
}
