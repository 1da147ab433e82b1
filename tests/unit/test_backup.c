/* A store is copied, while it lives or rests, and becomes a store again: whole, or up to a seq or an instant. */
#include "tests/unit/backup_scratch.h"

#include <dirent.h>
#include <sys/stat.h>

/* ---- there and back ---------------------------------------------------------------------------------------------- */

static void a_living_store_comes_back_with_the_same_digest_and_every_text(void **state) {
    struct world *w = *state;
    struct key before, after;
    live(w);
    assert_int_equal(store_checkpoint(w->store), 0);
    world_random_turns(w, 5, 20);
    struct hash digest = world_digest(w);
    uint64_t seq = store_durable_seq(w->store);
    struct backup_result b = backup(w, "backup");
    assert_true(b.live && b.has_state && b.has_slots && b.seq == seq && b.state_seq < seq);
    assert_int_equal(store_slot_key(w->store, 3, &before), 0);
    world_random_turns(w, 5, 20);                 /* the broker goes on */
    struct restore_result back = restore(w, "backup", "back", (struct wish){0});
    assert_int_equal(back.seq, seq);
    same_digest(&back.digest, &digest);
    move_to(w, "back");
    assert_string_equal(w->found.decision, "serve");
    struct hash now = world_digest(w);
    same_digest(&now, &digest);
    assert_int_equal(store_slot_key(w->store, 3, &after), 0);
    assert_memory_equal(&before, &after, sizeof before);
    world_random_turns(w, 5, 20);                 /* and this one can go on, too */
    world_close(w);
    struct verify_result v;
    assert_int_equal(store_verify(&w->options, w->top, &v, NULL, NULL), 0);
    assert_true(v.equal);
}

static void a_resting_store_needs_nobody_to_ask(void **state) {
    struct world *w = *state;
    live(w);
    struct hash digest = world_digest(w);
    world_close(w);
    struct backup_result b = backup(w, "backup");
    assert_true(!b.live && b.seq == b.state_seq);
    same_digest(&b.digest, &digest);
    struct restore_result back = restore(w, "backup", "back", (struct wish){0});
    same_digest(&back.digest, &digest);
}

static void tables_that_cannot_be_read_are_left_out_and_folded_by_the_restore(void **state) {
    struct world *w = *state;
    char path[192];
    live(w);
    struct hash digest = world_digest(w);
    world_close(w);
    world_path(w, "state.mdb", path);
    assert_int_equal(truncate(path, 3 * 4096), 0);
    struct backup_result b = backup(w, "backup");
    assert_false(b.has_state);
    struct restore_result back = restore(w, "backup", "back", (struct wish){0});
    same_digest(&back.digest, &digest);
}

static void what_is_there_already_is_not_copied_again(void **state) {
    struct world *w = *state;
    char tail[PATH_BYTES];
    live(w);
    struct backup_result first = backup(w, "backup");
    assert_true(first.files_kept == 0 && first.files >= 5);
    place(w, "backup/journal/00000001.seg", tail);
    struct stat before, after;
    assert_int_equal(stat(tail, &before), 0);
    world_random_turns(w, 10, 40);
    struct backup_result second = backup(w, "backup");
    assert_true(second.seq > first.seq && second.files_kept >= 3 && second.bytes_copied < first.bytes_copied);
    assert_int_equal(stat(tail, &after), 0);
    assert_int_equal(before.st_ino, after.st_ino);
    struct backup_result third = backup(w, "backup"), checked;
    assert_true(third.files_kept == third.files && third.bytes_copied == 0);
    assert_int_equal(check(w, "backup", &checked), 0);
    assert_int_equal(checked.seq, third.seq);
    struct restore_result back = restore(w, "backup", "back", (struct wish){0});
    struct hash digest = world_digest(w);
    same_digest(&back.digest, &digest);
}

static void a_rotten_copy_is_made_good_by_the_next_backup(void **state) {
    struct world *w = *state;
    char path[PATH_BYTES];
    struct backup_result b;
    live(w);
    (void)backup(w, "backup");
    place(w, "backup/journal/00000001.seg", path);
    FILE *f = fopen(path, "r+b");
    assert_true(f && fseek(f, 100000, SEEK_SET) == 0 && fputc(7, f) == 7 && fclose(f) == 0);
    told_why(check(w, "backup", &b), -EBADMSG, b.problem, "journal/00000001.seg");
    (void)backup(w, "backup");
    assert_int_equal(check(w, "backup", &b), 0);
}

/* ---- up to there ------------------------------------------------------------------------------------------------- */

/* The restored journal's records are those of the first up to `seq`, byte for byte. */
static void same_records(struct journal *a, struct journal *b, uint64_t seq) {
    struct journal_cursor *ca = NULL, *cb = NULL;
    struct slice ra, rb;
    uint64_t fa = 0, fb = 0, end = 0;
    uint32_t sa = 0, sb = 0;
    assert_int_equal(journal_cursor_open(&ca, a, 1), 0);
    assert_int_equal(journal_cursor_open(&cb, b, 1), 0);
    while (journal_next(cb, &fb, &sb, &rb) == 1) {
        assert_int_equal(journal_next(ca, &fa, &sa, &ra), 1);
        assert_true(fa == fb && sa == sb && slice_equal(ra, rb));
        end = fb + sb - 1;
    }
    assert_int_equal(end, seq);
    journal_cursor_close(ca);
    journal_cursor_close(cb);
}

static void a_restore_to_a_seq_is_what_a_replay_up_to_there_gives(void **state) {
    struct world *w = *state;
    live(w);
    (void)backup(w, "backup");
    world_close(w);
    struct store_options original = w->options;
    char first[128];
    memcpy(first, w->dir, sizeof first);
    uint64_t last = restore(w, "backup", "whole", (struct wish){0}).seq;
    for (unsigned i = 0; i < 8; i++) {
        char as[24];
        struct verify_result v;
        struct store *whole = NULL;
        struct store_found found;
        uint64_t until = 20 + world_roll(w, last - 20);
        (void)snprintf(as, sizeof as, "back%u", i);
        struct restore_result back = restore(w, "backup", as, (struct wish){.until_seq = until});
        assert_true(back.seq == until || (back.seq + 1 == back.inside_first && back.inside_last > until));
        move_to(w, as);
        original.dir = first;
        assert_int_equal(store_open(&whole, &original, &found), 0);
        same_records(store_journal(whole), store_journal(w->store), back.seq);
        store_close(whole);
        struct hash digest = world_digest(w);
        same_digest(&back.digest, &digest);
        world_random_turns(w, 2, 10);
        world_close(w);
        assert_int_equal(store_verify(&w->options, w->top, &v, NULL, NULL), 0);
        assert_true(v.equal);
    }
}

static void a_restore_to_every_turn_has_the_digest_of_that_turn(void **state) {
    enum { TURNS = 6 };
    struct world *w = *state;
    struct hash digest[TURNS];
    uint64_t seq[TURNS];
    int64_t at_ms[TURNS];
    world_create(w);
    for (unsigned i = 0; i < TURNS; i++) {
        w->now_ms += 60000;
        world_random_turns(w, 1, 12);
        digest[i] = world_digest(w);
        seq[i] = store_durable_seq(w->store);
        at_ms[i] = w->now_ms;
        w->now_ms += 60000;
    }
    (void)backup(w, "backup");
    for (unsigned i = 0; i < TURNS; i++) {
        char as[24];
        (void)snprintf(as, sizeof as, "seq%u", i);
        struct restore_result back = restore(w, "backup", as, (struct wish){.until_seq = seq[i]});
        same_digest(&back.digest, &digest[i]);
        (void)snprintf(as, sizeof as, "time%u", i);
        back = restore(w, "backup", as, (struct wish){.until_ms = at_ms[i] + 1});
        assert_int_equal(back.seq, seq[i]);
        same_digest(&back.digest, &digest[i]);
    }
}

static void what_cannot_be_reached_is_refused(void **state) {
    struct world *w = *state;
    struct restore_result back;
    world_create(w);
    world_random_turns(w, 3, 5);
    uint64_t last = backup(w, "backup").seq;
    told_why(restore_try(w, "backup", "back", (struct wish){.until_seq = last + 1}, &back), -ERANGE, back.problem,
            "there is no seq");
    told_why(restore_try(w, "backup", "back", (struct wish){.until_ms = 5}, &back), -ERANGE, back.problem,
            "nothing had");
    (void)restore(w, "backup", "back", (struct wish){.until_seq = last});
}

static int64_t before_the_backup(void) {
    return 6;
}

/* Starts that came after the backup are lost, and desks have seen their epochs: hence the distance, which the clock
 * makes, where it is no clock that stands still. */
static void a_restored_store_begins_an_epoch_above_all_that_were_seen(void **state) {
    struct world *w = *state;
    world_create(w);
    world_random_turns(w, 3, 5);
    uint64_t seq = store_durable_seq(w->store);
    for (uint64_t epoch = 2; epoch <= 7; epoch++)
        world_epoch(w, epoch);
    world_random_turns(w, 3, 5);
    (void)backup(w, "backup");
    uint64_t now = (uint64_t)clock_wall_ms(), of_seq = 0;
    assert_in_range(restore(w, "backup", "whole", (struct wish){0}).epoch, now, now + 60000);
    uint64_t above = restore(w, "backup", "early", (struct wish){.until_seq = seq}).epoch;
    assert_in_range(above, now, now + 60000);
    clock_source.wall_ms = before_the_backup;
    assert_int_equal(restore(w, "backup", "unclocked", (struct wish){0}).epoch, 7 + RESTORE_EPOCHS_LOST);
    clock_source.wall_ms = NULL;
    move_to(w, "early");
    assert_int_equal(w->found.epoch, above);
    world_epoch(w, above + 1);
    world_close(w);
    world_open(w);
    assert_int_equal(w->found.epoch, above + 1);
    assert_int_equal(store_epoch_at(w->store, seq, &of_seq), 0);
    assert_int_equal(of_seq, 1);
    assert_int_equal(store_epoch_at(w->store, seq + 1, &of_seq), 0);      /* its first record */
    assert_in_range(of_seq, above, above + 1);
    assert_int_equal(store_epoch_at(w->store, seq + 2, &of_seq), -ENOENT);
}

/* ---- texts ------------------------------------------------------------------------------------------------------- */

static void without_the_slots_the_texts_are_closed_and_everything_else_is_there(void **state) {
    struct world *w = *state;
    struct key key;
    live(w);
    struct hash digest = world_digest(w);
    uint64_t used = store_next_slot(w->store);
    (void)backup(w, "backup");
    struct restore_result back = restore(w, "backup", "back", (struct wish){.no_slots = true});
    assert_int_equal(back.lost_slots, used);
    same_digest(&back.digest, &digest);
    move_to(w, "back");
    assert_int_equal(store_slot_key(w->store, used - 1, &key), -ENODATA);
    assert_int_equal(store_slot_key(w->store, used, &key), 0);
    world_random_turns(w, 5, 20);
    assert_int_equal(store_slot_key(w->store, used, &key), 0);
}

static void slots_behind_the_cut_are_drawn_anew(void **state) {
    struct world *w = *state;
    struct key before, after, kept;
    live(w);
    uint64_t used = store_next_slot(w->store), seq = store_durable_seq(w->store);
    world_random_turns(w, 5, 40);
    assert_true(store_next_slot(w->store) > used);
    assert_int_equal(store_slot_key(w->store, used, &before), 0);
    assert_int_equal(store_slot_key(w->store, used - 1, &kept), 0);
    (void)backup(w, "backup");
    (void)restore(w, "backup", "back", (struct wish){.until_seq = seq});
    move_to(w, "back");
    assert_int_equal(store_slot_key(w->store, used, &after), 0);
    assert_memory_not_equal(&before, &after, sizeof before);
    assert_int_equal(store_slot_key(w->store, used - 1, &after), 0);
    assert_memory_equal(&kept, &after, sizeof kept);
}

static void an_archive_of_slots_that_does_not_fit_is_refused(void **state) {
    struct world *w = *state;
    struct restore_result back;
    char archive[PATH_BYTES], old[PATH_BYTES];
    live(w);
    (void)backup(w, "backup");
    place(w, "backup.slots", archive);
    place(w, "old.slots", old);
    assert_int_equal(rename(archive, old), 0);
    told_why(restore_try(w, "backup", "back", (struct wish){0}, &back), -ENOENT, back.problem, "backup.slots");
    world_random_turns(w, 200, 40);
    (void)backup(w, "backup");
    assert_int_equal(rename(old, archive), 0);
    told_why(restore_try(w, "backup", "back", (struct wish){0}, &back), -ESTALE, back.problem,
             "older than the journal");
    FILE *f = fopen(archive, "r+b");
    assert_true(f && fseek(f, 5000, SEEK_SET) == 0 && fputc(7, f) == 7 && fclose(f) == 0);
    told_why(restore_try(w, "backup", "back", (struct wish){0}, &back), -EBADMSG, back.problem, "damaged");
    place(w, "back", archive);
    assert_int_equal(access(archive, F_OK), -1);  /* nothing half made has that name */
}

/* ---- damage ------------------------------------------------------------------------------------------------------ */

static void flip(const char *path, uint64_t size) {
    FILE *f = fopen(path, "r+b");
    assert_true(f && fseek(f, (long)(size / 2), SEEK_SET) == 0);
    int byte = fgetc(f);
    assert_true(fseek(f, (long)(size / 2), SEEK_SET) == 0 && fputc(byte ^ 0x10, f) >= 0 && fclose(f) == 0);
}

static void shorten(const char *path, uint64_t size) {
    assert_int_equal(truncate(path, (off_t)size - 1), 0);
}

static void lengthen(const char *path, uint64_t size) {
    assert_int_equal(truncate(path, (off_t)size + 1), 0);
}

static void lose(const char *path, uint64_t size) {
    (void)size;
    assert_int_equal(unlink(path), 0);
}

static void harm_and_mend(struct world *w, const char *name) {
    void (*const harms[])(const char *, uint64_t) = {flip, shorten, lengthen, lose};
    char path[PATH_BYTES], safe[PATH_BYTES], dir[PATH_BYTES];
    struct backup_result b;
    struct restore_result back;
    struct stat st;
    (void)snprintf(dir, sizeof dir, "backup/%.80s", name);
    place(w, dir, path);
    place(w, "safe", safe);
    assert_int_equal(stat(path, &st), 0);
    path_copy(path, safe);
    for (size_t i = 0; i < COUNT_OF(harms); i++) {
        harms[i](path, (uint64_t)st.st_size);
        told_why(check(w, "backup", &b), -EBADMSG, b.problem, strcmp(name, "MANIFEST") == 0 ? "MANIFEST" : name);
        bool followed = strcmp(name, "MANIFEST") == 0 && harms[i] == lose;
        int r = restore_try(w, "backup", "back", (struct wish){0}, &back);
        assert_true(followed || strcmp(name, "FORMAT") == 0 || r < 0);
        (void)unlink(path);
        path_copy(safe, path);
    }
}

static void every_file_that_is_harmed_is_named(void **state) {
    struct world *w = *state;
    const char *const folders[] = {"backup", "backup/journal"};
    struct backup_result b;
    world_create(w);
    world_random_turns(w, 120, 60);
    uint64_t seq = backup(w, "backup").seq;
    for (size_t i = 0; i < COUNT_OF(folders); i++) {
        char path[PATH_BYTES], name[PATH_BYTES + 60];
        place(w, folders[i], path);
        DIR *d = opendir(path);
        assert_non_null(d);
        for (struct dirent *e; (e = readdir(d));) {
            if (e->d_type != DT_REG)
                continue;
            (void)snprintf(name, sizeof name, "%s%.60s", i ? "journal/" : "", e->d_name);
            harm_and_mend(w, name);
        }
        (void)closedir(d);
    }
    assert_int_equal(check(w, "backup", &b), 0);
    assert_int_equal(b.seq, seq);
}

static void a_damaged_store_does_not_replace_a_good_backup(void **state) {
    struct world *w = *state;
    struct backup_result b;
    live(w);
    uint64_t seq = backup(w, "backup").seq;
    world_random_turns(w, 200, 30);
    uint64_t now = store_durable_seq(w->store);
    world_close(w);
    world_flip(w, "journal/00000002.seg", 300000);
    told_why(backup_try(w, "backup", &b), -EBADMSG, b.problem, "00000002.seg");
    assert_int_equal(check(w, "backup", &b), 0);
    assert_true(b.seq == seq && seq < now);
}

/* ---- where to ---------------------------------------------------------------------------------------------------- */

static void a_target_that_holds_something_else_is_refused(void **state) {
    struct world *w = *state;
    struct backup_result b;
    struct restore_result back;
    char path[PATH_BYTES];
    world_create(w);
    world_random_turns(w, 2, 5);
    told_why(backup_try(w, "store/inside", &b), -EINVAL, b.problem, "inside the store");
    told_why(backup_try(w, "store", &b), -EINVAL, b.problem, "inside the store");
    told_why(backup_try(w, "", &b), -EEXIST, b.problem, "not empty");
    place(w, "other", path);
    assert_int_equal(mkdir(path, 0700), 0);
    place(w, "other/file", path);
    FILE *f = fopen(path, "wb");
    assert_true(f && fclose(f) == 0);
    told_why(backup_try(w, "other", &b), -EEXIST, b.problem, "not empty");
    (void)backup(w, "backup");
    told_why(restore_try(w, "backup", "other", (struct wish){0}, &back), -EEXIST, back.problem, "not empty");
    told_why(restore_try(w, "backup", "store", (struct wish){0}, &back), -EBUSY, back.problem, "in use");
    told_why(restore_try(w, "store", "back", (struct wish){0}, &back), -EBUSY, back.problem, "in use");
    world_close(w);
    told_why(restore_try(w, "store", "back", (struct wish){0}, &back), -EEXIST, back.problem, "not a backup");
}

static void a_backup_of_another_store_is_not_mixed_with_this_one(void **state) {
    struct world *w = *state;
    struct backup_result b;
    world_create(w);
    (void)backup(w, "backup");
    world_close(w);
    (void)snprintf(w->dir, sizeof w->dir, "%.90s/second", w->top);
    world_create(w);
    told_why(backup_try(w, "backup", &b), -EEXIST, b.problem, "another store");
}

/* ---- a purged journal -------------------------------------------------------------------------------------------- */

static void a_purged_store_comes_back_upon_its_base(void **state) {
    struct world *w = *state;
    struct purge_result p;
    struct restore_result back;
    char name[40], path[PATH_BYTES];
    w->options.drill = true;                      /* it keeps what it likes */
    live(w);
    world_close(w);
    struct purge_options o = {.before_ms = w->now_ms + 1, .open_too = true};
    assert_int_equal(store_purge(&w->options, w->top, &o, &p, NULL, NULL), 0);
    assert_true(p.segments_gone > 0);
    (void)backup(w, "bare");                      /* the segment that names the base has nothing in it yet */
    world_open(w);
    struct hash bare = world_digest(w);
    world_random_turns(w, 20, 40);
    struct hash digest = world_digest(w);
    (void)backup(w, "backup");
    back = restore(w, "bare", "back1", (struct wish){0});
    same_digest(&back.digest, &bare);
    back = restore(w, "backup", "back2", (struct wish){0});
    same_digest(&back.digest, &digest);
    back = restore(w, "backup", "back3", (struct wish){.until_seq = p.base_seq});
    same_digest(&back.digest, &bare);
    told_why(restore_try(w, "backup", "back4", (struct wish){.until_seq = p.base_seq - 1}, &back), -ERANGE,
             back.problem, "purged");
    (void)snprintf(name, sizeof name, "backup/base-%llu.dump", (unsigned long long)p.base_seq);
    place(w, name, path);
    assert_int_equal(unlink(path), 0);
    struct backup_result b;
    told_why(check(w, "backup", &b), -EBADMSG, b.problem, "base-");
    assert_true(restore_try(w, "backup", "back5", (struct wish){.until_seq = p.base_seq}, &back) < 0);
}

/* The tables of the store that was lost, put beside the journal that was brought back to an earlier point. */
static void tables_from_before_a_restore_are_refused(void **state) {
    struct world *w = *state;
    char before[PATH_BYTES], now[PATH_BYTES];
    live(w);
    uint64_t seq = store_durable_seq(w->store);
    (void)backup(w, "backup");
    world_close(w);
    place(w, "store/state.mdb", before);
    (void)restore(w, "backup", "back", (struct wish){.until_seq = seq / 2});
    place(w, "back/state.mdb", now);
    assert_int_equal(rename(before, now), 0);
    (void)snprintf(w->dir, sizeof w->dir, "%.90s/back", w->top);
    assert_int_equal(world_try(w), -EBADMSG);
    assert_string_equal(w->found.decision, "journal-behind");
    assert_int_equal(store_rebuild(&w->options, &w->found), 0);
    world_open(w);
    world_random_turns(w, 400, 30);               /* past the place where those tables stood */
    assert_true(store_durable_seq(w->store) > seq);
    world_close(w);
    place(w, "old", before);
    (void)restore(w, "backup", "old", (struct wish){0});
    place(w, "old/state.mdb", before);
    assert_int_equal(rename(before, now), 0);
    assert_int_equal(world_try(w), -EBADMSG);
    assert_string_equal(w->found.decision, "other-history");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        WORLD(a_living_store_comes_back_with_the_same_digest_and_every_text),
        WORLD(a_resting_store_needs_nobody_to_ask),
        WORLD(tables_that_cannot_be_read_are_left_out_and_folded_by_the_restore),
        WORLD(what_is_there_already_is_not_copied_again),
        WORLD(a_rotten_copy_is_made_good_by_the_next_backup),
        WORLD(a_restore_to_a_seq_is_what_a_replay_up_to_there_gives),
        WORLD(a_restore_to_every_turn_has_the_digest_of_that_turn),
        WORLD(what_cannot_be_reached_is_refused),
        WORLD(a_restored_store_begins_an_epoch_above_all_that_were_seen),
        WORLD(without_the_slots_the_texts_are_closed_and_everything_else_is_there),
        WORLD(slots_behind_the_cut_are_drawn_anew),
        WORLD(an_archive_of_slots_that_does_not_fit_is_refused),
        WORLD(every_file_that_is_harmed_is_named),
        WORLD(a_damaged_store_does_not_replace_a_good_backup),
        WORLD(a_target_that_holds_something_else_is_refused),
        WORLD(a_backup_of_another_store_is_not_mixed_with_this_one),
        WORLD(a_purged_store_comes_back_upon_its_base),
        WORLD(tables_from_before_a_restore_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
