/* What a backup and a restore believe of files: a segment as far as it verifies, a MANIFEST whole or not at all. */
#include "daemon/store/backup_internal.h"
#include "tests/unit/journal_scratch.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char problem[STORE_PROBLEM_SIZE];

static int dir_of(const char *name) {
    int fd = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

/* ---- a segment --------------------------------------------------------------------------------------------------- */

static struct identity ours(void) {
    struct identity id = {.key = options.key};
    memcpy(id.id, options.store_id, sizeof id.id);
    return id;
}

static int walk(struct segment_walk *w, uint64_t ordinal, const struct identity *id) {
    int journal = dir_of(path_of("")), r = walk_open(w, journal, ordinal, id, problem);
    (void)close(journal);
    return r;
}

static void assert_walk_refused(uint64_t ordinal, const struct identity *id, const char *words) {
    struct segment_walk w;
    problem[0] = '\0';
    assert_int_equal(walk(&w, ordinal, id), -EBADMSG);
    if (!strstr(problem, words))
        fail_msg("expected \"%s\" in \"%s\"", words, problem);
}

/* A sealed segment of two batches, the active one, and one filled ahead. */
static void create_segments(void) {
    create_journal();
    append_two_segments();
    fill_ahead();
    close_journal();
}

static void a_segment_that_is_not_ours_is_refused_in_words_of_its_own(void **state) {
    (void)state;
    static const uint8_t newer[] = {9, 0, 0, 0};
    create_segments();
    struct identity id = ours();
    id.id[3] ^= 1;
    assert_walk_refused(1, &id, "belongs to another store");
    id = ours();
    id.key.byte[3] ^= 1;
    assert_walk_refused(1, &id, "does not verify under this store's key");
    id = ours();
    copy_file("00000001.seg", "kept");
    put_bytes("00000001.seg", 8, newer, sizeof newer);
    assert_walk_refused(1, &id, "newer version of whistled");
    copy_file("00000002.seg", "00000001.seg");
    assert_walk_refused(1, &id, "header is damaged");
    copy_file("kept", "00000001.seg");
    flip_byte("00000001.seg", 50);
    assert_walk_refused(1, &id, "header is damaged");
}

static void a_segment_that_is_not_begun_is_no_damage(void **state) {
    (void)state;
    struct segment_walk w;
    create_segments();
    struct identity id = ours();
    assert_int_equal(walk(&w, 3, &id), -ENODATA);
    assert_int_equal(walk(&w, 9, &id), -ENOENT);
    cut_file("00000002.seg", 100);
    assert_int_equal(walk(&w, 2, &id), -ENODATA);
}

static void a_segment_continues_the_one_before_it_in_chain_and_seq_and_length(void **state) {
    (void)state;
    struct segment_walk one, two;
    create_segments();
    struct identity id = ours();
    assert_int_equal(walk(&one, 1, &id), 0);
    while (walk_next(&one) == 1) {}
    assert_null(one.why);
    assert_int_equal(walk(&two, 2, &id), 0);
    struct hash other = one.chain;
    other.byte[0] ^= 1;
    assert_int_equal(walk_continues(&two, &one.chain, 11, one.size, problem), 0);
    assert_int_equal(walk_continues(&two, &other, 11, one.size, problem), -EBADMSG);
    assert_non_null(strstr(problem, "journal/00000002.seg"));
    assert_non_null(strstr(problem, "does not continue the one before it"));
    assert_int_equal(walk_continues(&two, &one.chain, 10, one.size, problem), -EBADMSG);
    assert_int_equal(walk_continues(&two, &one.chain, 11, one.size - 512, problem), -EBADMSG);
    walk_close(&one);
    walk_close(&two);
}

/* Batches that pass, and what stands behind them. */
static void assert_stops(uint64_t ordinal, unsigned batches, const char *why, bool cut) {
    struct segment_walk w;
    struct identity id = ours();
    assert_int_equal(walk(&w, ordinal, &id), 0);
    while (batches--)
        assert_int_equal(walk_next(&w), 1);
    assert_int_equal(walk_next(&w), 0);
    assert_non_null(w.why);
    assert_string_equal(w.why, why);
    assert_int_equal(walk_is_cut(&w), cut);
    walk_close(&w);
}

static void a_walk_stops_where_a_batch_does_not_verify_and_says_why(void **state) {
    (void)state;
    uint8_t second[EXTENT];
    create_segments();
    assert_stops(2, 1, "zeroes stand here", false);
    copy_file("00000001.seg", "kept");
    flip_byte("00000001.seg", ONE + EXTENT + 1000);
    assert_stops(1, 1, "the batch is damaged", false);
    flip_byte("00000001.seg", ONE + EXTENT + 1000);
    flip_byte("00000001.seg", ONE + EXTENT + 60);
    assert_stops(1, 1, "the batch's header is damaged", false);
    copy_file("kept", "00000001.seg");
    cut_file("00000001.seg", ONE + EXTENT + 1024);
    assert_stops(1, 1, "the file ends inside a batch", true);
    cut_file("00000001.seg", ONE + EXTENT + 100);
    assert_stops(1, 1, "the file ends inside a batch", true);

    copy_file("kept", "00000001.seg");                                    /* a true batch of another history */
    get_bytes("00000001.seg", ONE + EXTENT, second, sizeof second);
    remove_journal();
    create_journal();
    append_other(100, 1);
    close_journal();
    put_bytes("00000001.seg", ONE + EXTENT, second, sizeof second);
    assert_stops(1, 1, "the chain of hashes is broken here", false);
}

static void segments_are_counted_and_the_missing_one_is_named(void **state) {
    (void)state;
    uint64_t first = 0, last = 0;
    create_segments();
    int journal = dir_of(path_of(""));
    assert_int_equal(journal_ordinals(journal, &first, &last, problem), 0);
    assert_true(first == 1 && last >= 3);
    rename_file("00000002.seg", "kept");
    assert_int_equal(journal_ordinals(journal, &first, &last, problem), -EBADMSG);
    assert_non_null(strstr(problem, "journal/00000002.seg is missing"));
    (void)close(journal);
    int none = dir_of(dir);
    assert_int_equal(journal_ordinals(none, &first, &last, problem), -ENOENT);
    (void)close(none);
}

/* ---- MANIFEST ---------------------------------------------------------------------------------------------------- */

#define ID "store 000102030405060708090a0b0c0d0e0f\n"
#define MADE "made 2026-03-01T08:00:00Z\n"
#define HEAD "whistled backup 1\n" ID "kind drill\n" MADE "seq 12\n"
#define REST "epoch 3\nstate-seq 0\ndigest -\n"
#define SUM "0000000000000000000000000000000000000000000000000000000000000000"

/* With a sum that is right, so that only what it says is judged. */
static int read_of(const char *lines, struct manifest *ret) {
    char text[2048], sum[2 * HASH_SIZE + 1];
    struct hash hash = hash_of(slice_of(lines));
    hash_print(&hash, sum);
    int len = snprintf(text, sizeof text, "%ssum %s\n", lines, sum), at = dir_of(dir);
    assert_true(len > 0 && len < (int)sizeof text);
    assert_int_equal(file_put_text(at, "MANIFEST", slice_from(text, (size_t)len), 0600), 0);
    problem[0] = '\0';
    int r = manifest_read(ret, at, problem);
    (void)close(at);
    return r;
}

static void what_is_written_is_read(void **state) {
    (void)state;
    struct manifest back, m = {
        .drill = true, .made_ms = 1770000000000, .seq = 12, .epoch = 3, .state_seq = 9, .has_state = true,
    };
    int at = dir_of(dir);
    for (unsigned i = 1; i <= 70; i++) {
        char name[ARCHIVED_NAME_SIZE];
        (void)snprintf(name, sizeof name, "journal/%08u.seg", i);
        assert_int_equal(manifest_add(&m, name, i, &m.digest), 0);
    }
    assert_int_equal(manifest_write(&m, at), 0);
    assert_int_equal(manifest_read(&back, at, problem), 0);
    assert_true(back.drill && back.seq == 12 && back.epoch == 3 && back.state_seq == 9 && back.has_state);
    assert_int_equal(back.made_ms, m.made_ms);
    assert_int_equal(back.files_count, 70);
    assert_int_equal(manifest_find(&back, "journal/00000070.seg")->bytes, 70);
    assert_null(manifest_find(&back, "journal/00000071.seg"));
    manifest_done(&back);
    manifest_done(&m);
    (void)close(at);
}

static void a_manifest_is_believed_line_for_line_or_not_at_all(void **state) {
    (void)state;
    static const char *const bad[] = {
        "", "whistled\n", "whistled backup one\n", "whistled backup 1\n",
        "whistled backup 1\nstore 0001\nkind drill\n" MADE "seq 12\n" REST,
        "whistled backup 1\n" ID MADE "seq 12\n" REST,
        "whistled backup 1\n" ID "kind drill\nseq 12\n" REST,
        "whistled backup 1\n" ID "kind drill\nmade once\nseq 12\n" REST,
        "whistled backup 1\n" ID "kind drill\n" MADE "seq x\n" REST,
        HEAD, HEAD "epoch -3\n", HEAD "epoch 3\nstate-seq \n", HEAD "epoch 3\nstate-seq 0\n",
        HEAD "epoch 3\nstate-seq 0\ndigest 12\n",
        HEAD REST "fold journal/00000001.seg 1 " SUM "\n",
        HEAD REST "file journal/00000001.seg\n", HEAD REST "file journal/00000001.seg 1\n",
        HEAD REST "file journal/00000001.seg x " SUM "\n", HEAD REST "file journal/00000001.seg 1 00\n",
        HEAD REST "file ../../etc/passwd 1 " SUM "\n", HEAD REST "file journal/1.seg 1 " SUM "\n",
        HEAD REST "file journal/00000001.seg.x 1 " SUM "\n", HEAD REST "file journal/00000001.sag 1 " SUM "\n",
        HEAD REST "file journal/00000001.segment 1 " SUM "\n", HEAD REST "file state-.mdb 1 " SUM "\n",
        HEAD REST "file state-x.mdb 1 " SUM "\n", HEAD REST "file base-7.mdb 1 " SUM "\n",
        HEAD REST "file journal/0000000000000000000000000000000000000000000000000000000000000001.seg 1 " SUM "\n",
    };
    struct manifest m;
    assert_int_equal(read_of(HEAD REST, &m), 0);
    manifest_done(&m);
    assert_int_equal(read_of(HEAD REST "file journal/00000001.seg.812 1 " SUM "\nfile state-7.mdb 1 " SUM "\n", &m), 0);
    assert_int_equal(m.files_count, 2);
    assert_int_equal(archived_ordinal(m.files[0].name), 1);
    manifest_done(&m);
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        int r = read_of(bad[i], &m);
        if (r != -EBADMSG || !strstr(problem, "MANIFEST is damaged"))
            fail_msg("\"%s\" gave %d \"%s\"", bad[i], r, problem);
    }
}

static void a_manifest_of_another_version_says_what_to_use(void **state) {
    (void)state;
    struct manifest m;
    assert_int_equal(read_of("whistled backup 2\nanything\n", &m), -EPROTO);
    assert_non_null(strstr(problem, "MANIFEST says backup 2"));
    assert_non_null(strstr(problem, "the version of whistlectl that made it"));
}

static void a_manifest_larger_than_any_is_not_read(void **state) {
    (void)state;
    char path[192];
    struct manifest m;
    (void)snprintf(path, sizeof path, "%s/MANIFEST", dir);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600), at = dir_of(dir);
    assert_int_equal(ftruncate(fd, (64 << 20) + 1), 0);
    (void)close(fd);
    problem[0] = '\0';
    assert_int_equal(manifest_read(&m, at, problem), -EBADMSG);
    assert_non_null(strstr(problem, "larger than any can be"));
    (void)close(at);
}

#define STORY(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    static const struct CMUnitTest stories[] = {
        STORY(a_segment_that_is_not_ours_is_refused_in_words_of_its_own),
        STORY(a_segment_that_is_not_begun_is_no_damage),
        STORY(a_segment_continues_the_one_before_it_in_chain_and_seq_and_length),
        STORY(a_walk_stops_where_a_batch_does_not_verify_and_says_why),
        STORY(segments_are_counted_and_the_missing_one_is_named),
        STORY(what_is_written_is_read),
        STORY(a_manifest_is_believed_line_for_line_or_not_at_all),
        STORY(a_manifest_of_another_version_says_what_to_use),
        STORY(a_manifest_larger_than_any_is_not_read),
    };
    crypto_init();
    return cmocka_run_group_tests(stories, NULL, NULL);
}
