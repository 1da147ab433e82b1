/* config_scratch.c: see config_scratch.h. */
#include "tests/unit/config_scratch.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct arena room;
char scratch[200];

int room_made(void **state) {
    (void)state;
    crypto_init();
    arena_wrap(&room, memory_or_die(CONFIG_ARENA_BYTES), CONFIG_ARENA_BYTES);
    return 0;
}

int room_freed(void **state) {
    (void)state;
    free(room.base);
    return 0;
}

/* ---- files of a scratch set ------------------------------------------------------------------------------------ */

static const char *const set_files[] = {"office.yaml", "divisions.csv", "categories.csv", "departments.csv",
                                        "roles.yaml",
    "calendars/china-2024-2026.yaml", "playbooks/incident.yaml"};

char *scratch_file(char to[static 512], const char *dir, const char *file) {
    snprintf(to, 512, "%s/%s", dir, file);
    return to;
}

static char *file_take(const char *path, size_t *ret_size) {
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    char *bytes = calloc(1, CONFIG_FILE_BYTES_MAX + 2);
    *ret_size = fread(bytes, 1, CONFIG_FILE_BYTES_MAX + 1, f);
    fclose(f);
    return bytes;
}

void file_put(const char *file, const char *bytes, size_t size) {
    char path[512];
    FILE *f = fopen(scratch_file(path, scratch, file), "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, size, f), size);
    assert_int_equal(fclose(f), 0);
}

/* A copy of config/qindu to spoil, for each test anew. */
int set_copied(void **state) {
    const char *base = getenv("TMPDIR");
    char path[512];
    (void)state;
    snprintf(scratch, sizeof scratch, "%.150s/test_config.XXXXXX", base ? base : "/tmp");
    assert_non_null(mkdtemp(scratch));
    assert_int_equal(mkdir(scratch_file(path, scratch, "calendars"), 0700), 0);
    assert_int_equal(mkdir(scratch_file(path, scratch, "playbooks"), 0700), 0);
    for (size_t i = 0; i < COUNT_OF(set_files); i++) {
        size_t size;
        char *bytes = file_take(scratch_file(path, "config/qindu", set_files[i]), &size);
        file_put(set_files[i], bytes, size);
        free(bytes);
    }
    arena_reset(&room);
    return 0;
}

int set_removed(void **state) {
    char path[512];
    (void)state;
    unlink(scratch_file(path, scratch, "settings.yaml"));
    for (size_t i = 0; i < COUNT_OF(set_files); i++)
        unlink(scratch_file(path, scratch, set_files[i]));
    rmdir(scratch_file(path, scratch, "calendars"));
    rmdir(scratch_file(path, scratch, "playbooks"));
    return rmdir(scratch);
}

unsigned change(const char *file, const char *after, const char *from, const char *to) {
    char path[512];
    size_t size;
    char *bytes = file_take(scratch_file(path, scratch, file), &size), *whole = calloc(1, size + strlen(to) + 1);
    char *at = strstr(bytes, after);
    assert_non_null(at);
    at = strstr(at, from);
    assert_non_null(at);
    unsigned line = 1;
    for (const char *c = bytes; c < at; c++)
        line += *c == '\n';
    int length = snprintf(whole, size + strlen(to) + 1, "%.*s%s%s", (int)(at - bytes), bytes, to, at + strlen(from));
    file_put(file, whole, (size_t)length);
    free(bytes);
    free(whole);
    return line;
}

/* ---- what is expected ------------------------------------------------------------------------------------------ */

PbRules *loaded(const char *dir) {
    struct config_error error;
    PbRules *rules = NULL;
    int e = config_load(dir, &room, &rules, &error);
    if (e)
        print_message("%s:%u: %s: %s\n", error.file, error.line, error.key, error.what);
    assert_int_equal(e, 0);
    return rules;
}

void expect_error(const struct config_error *error, const char *file, unsigned line, const char *key,
                         const char *what) {
    char path[512];
    if (error->line != line || strcmp(error->key, key) != 0 || !strstr(error->what, what))
        print_message("%s:%u: %s: %s\n", error->file, error->line, error->key, error->what);
    assert_string_equal(error->file, scratch_file(path, scratch, file));
    assert_int_equal(error->line, line);
    assert_string_equal(error->key, key);
    assert_non_null(strstr(error->what, what));
}

void config_refused(const char *file, unsigned line, const char *key, const char *what) {
    struct config_error error;
    PbRules *rules = NULL;
    assert_int_equal(config_load(scratch, &room, &rules, &error), -EINVAL);
    assert_null(rules);
    expect_error(&error, file, line, key, what);
}
