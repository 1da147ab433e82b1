/* backup_scratch.c: a world's store to a backup beside it and back. */
#include "tests/unit/backup_scratch.h"

void place(const struct world *w, const char *name, char to[static PATH_BYTES]) {
    (void)snprintf(to, PATH_BYTES, "%.95s/%.100s", w->top, name);
}

int told_durable(void *to, const uint8_t id[16], uint64_t *ret_seq, char problem[static STORE_PROBLEM_SIZE]) {
    struct world *w = to;
    uint8_t ours[16];
    (void)problem;
    store_id(w->store, ours);
    assert_memory_equal(id, ours, 16);
    *ret_seq = store_durable_seq(w->store);
    return 0;
}

int backup_try(struct world *w, const char *as, struct backup_result *ret) {
    char to[PATH_BYTES];
    place(w, as, to);
    struct backup_options o = {
        .store = w->dir, .to = to, .map_bytes = w->options.map_bytes, .ask = told_durable, .asked = w,
    };
    return store_backup(&o, ret);
}

struct backup_result backup(struct world *w, const char *as) {
    struct backup_result b;
    int r = backup_try(w, as, &b);
    if (r < 0)
        print_message("store_backup: %d %s\n", r, b.problem);
    assert_int_equal(r, 0);
    return b;
}

int check(const struct world *w, const char *as, struct backup_result *ret) {
    char dir[PATH_BYTES];
    place(w, as, dir);
    return store_backup_check(dir, ret);
}

int restore_try(struct world *w, const char *from, const char *as, struct wish wish, struct restore_result *ret) {
    char source[PATH_BYTES], to[PATH_BYTES], slots[PATH_BYTES + 8];
    place(w, from, source);
    place(w, as, to);
    (void)snprintf(slots, sizeof slots, "%s.slots", source);
    struct restore_options o = {
        .from = source, .to = to, .slots = wish.no_slots ? NULL : slots, .until_seq = wish.until_seq,
        .until_ms = wish.until_ms, .map_bytes = w->options.map_bytes, .segment_bytes = w->options.segment_bytes,
        .slots_ahead = w->options.slots_ahead,
    };
    return store_restore(&o, ret);
}

struct restore_result restore(struct world *w, const char *from, const char *as, struct wish wish) {
    struct restore_result back;
    int r = restore_try(w, from, as, wish, &back);
    if (r < 0)
        print_message("store_restore: %d %s\n", r, back.problem);
    assert_int_equal(r, 0);
    return back;
}

void move_to(struct world *w, const char *as) {
    if (w->store)
        world_close(w);
    (void)snprintf(w->dir, sizeof w->dir, "%.90s/%.30s", w->top, as);
    world_open(w);
}

void same_digest(const struct hash *a, const struct hash *b) {
    assert_memory_equal(a, b, sizeof *a);
}

void told_why(int r, int expected, const char *problem, const char *words) {
    if (r != expected || !strstr(problem, words))
        print_message("%d, \"%s\", not %d, \"%s\"\n", r, problem, expected, words);
    assert_int_equal(r, expected);
    assert_non_null(strstr(problem, words));
}

void live(struct world *w) {
    world_create(w);
    world_random_turns(w, 60, 2);
    world_random_turns(w, 200, 60);
}
