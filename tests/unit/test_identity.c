/* The files that say which store this is: read to the letter, or refused in words that help. */
#include "daemon/store/store_internal.h"
#include "tests/unit/store_world.h"

#include <fcntl.h>

#define ID "id 00112233445566778899aabbccddeeff\n"
#define REST "kind ordinary\ncreated 2026-03-01T08:00:00.000+08:00\n"
#define KEY "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n"

static char top[96];

static int make_dir(void **state) {
    (void)state;
    (void)snprintf(top, sizeof top, "/tmp/identity-XXXXXX");
    return mkdtemp(top) ? 0 : -1;
}

static int remove_dir(void **state) {
    (void)state;
    return path_remove(top);
}

static void put(const char *name, const char *text) {
    char path[140];
    (void)snprintf(path, sizeof path, "%s/%s", top, name);
    (void)unlink(path);
    if (!text)
        return;
    FILE *f = fopen(path, "wb");
    assert_true(f && fputs(text, f) >= 0 && fclose(f) == 0);
}

static int read_as(const char *format, const char *key, struct identity *ret, char problem[static STORE_PROBLEM_SIZE]) {
    int dir = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(dir >= 0);
    put("FORMAT", format);
    put("key", key);
    problem[0] = '\0';
    int r = identity_read(dir, ret, problem);
    assert_int_equal(close(dir), 0);
    return r;
}

static void a_store_is_known_by_its_format_and_its_key(void **state) {
    struct identity id;
    char problem[STORE_PROBLEM_SIZE];
    (void)state;
    assert_int_equal(read_as("whistled store 1\n" ID REST, KEY, &id, problem), 0);
    assert_true(!id.drill && id.id[1] == 0x11 && id.id[15] == 0xff && id.key.byte[31] == 0x1f);
    assert_int_equal(read_as("whistled store 1\n" ID "kind drill\ncreated then\n", KEY, &id, problem), 0);
    assert_true(id.drill);
}

static void every_letter_of_a_format_or_a_key_that_is_not_right_is_refused(void **state) {
    static const struct { const char *format, *key; int r; const char *words; } cases[] = {
        {NULL, KEY, -ENOENT, "there is no FORMAT"},
        {"", KEY, -EBADMSG, "does not name a store"},
        {"whistled store 1", KEY, -EBADMSG, "does not name a store"},          /* the line has no end */
        {"whistled store\n", KEY, -EBADMSG, "does not name a store"},
        {"whistled storehouse\n", KEY, -EBADMSG, "does not name a store"},
        {"whistled store one\n", KEY, -EBADMSG, "does not name a store"},
        {"whistled backup 1\n", KEY, -EBADMSG, "does not name a store"},
        {"whistled store 2\n" ID REST, KEY, -EPROTO, "start the version of whistled that wrote it"},
        {"whistled store 1\n" REST, KEY, -EBADMSG, "FORMAT is damaged"},
        {"whistled store 1\nid 0011\n" REST, KEY, -EBADMSG, "FORMAT is damaged"},
        {"whistled store 1\nid 00112233445566778899aabbccddeef-\n" REST, KEY, -EBADMSG, "FORMAT is damaged"},
        {"whistled store 1\nid 00112233445566778899aabbccddeeg0\n" REST, KEY, -EBADMSG, "FORMAT is damaged"},
        {"whistled store 1\n" ID "created then\n", KEY, -EBADMSG, "FORMAT is damaged"},
        {"whistled store 1\n" ID "kind ordinary\n", KEY, -EBADMSG, "FORMAT is damaged"},
        {"whistled store 1\n" ID "kind other\ncreated then\n", KEY, -EBADMSG, "FORMAT is damaged"},
        {"whistled store 1\n" ID REST "more\n", KEY, -EBADMSG, "FORMAT is damaged"},
        {"whistled store 1\n" ID REST, NULL, -EBADMSG, "the file `key` is missing or damaged"},
        {"whistled store 1\n" ID REST, "0123", -EBADMSG, "the file `key` is missing or damaged"},
        {"whistled store 1\n" ID REST, "0123\n", -EBADMSG, "the file `key` is missing or damaged"},
        {"whistled store 1\n" ID REST, KEY KEY, -EBADMSG, "the file `key` is missing or damaged"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct identity id;
        char problem[STORE_PROBLEM_SIZE];
        int r = read_as(cases[i].format, cases[i].key, &id, problem);
        if (r != cases[i].r || !strstr(problem, cases[i].words))
            fail_msg("case %zu: %d, \"%s\", not %d, \"%s\"", i, r, problem, cases[i].r, cases[i].words);
    }
}

static void a_path_that_is_too_long_is_refused_and_not_cut(void **state) {
    static char dir[STORE_PATH_SIZE + 1];
    char path[STORE_PATH_SIZE];
    (void)state;
    memset(dir, 'd', STORE_PATH_SIZE - 5);
    assert_int_equal(path_in(dir, "key", path), 0);
    assert_int_equal(strlen(path), STORE_PATH_SIZE - 1);
    assert_int_equal(path_in(dir, "keys", path), -ENAMETOOLONG);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_store_is_known_by_its_format_and_its_key, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(every_letter_of_a_format_or_a_key_that_is_not_right_is_refused, make_dir,
                                        remove_dir),
        cmocka_unit_test(a_path_that_is_too_long_is_refused_and_not_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
