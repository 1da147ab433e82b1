/* office.c: a small office's files, one of them foreign. */
#include "tests/fuzz/fuzz.h"
#include "daemon/config/config.h"
#include "daemon/kernel/kernel.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char source[] = "tests/fuzz/office";
static const char *const files[] = {
    "office.yaml", "divisions.csv", "categories.csv", "departments.csv", "roles.yaml", "calendars/week.yaml",
    "playbooks/incident.yaml",
};
static struct { const char *foreign; struct arena room, other; uint8_t *bytes; } o;

static void copy_original(const char *file) {
    char path[PATH_MAX_BYTES];
    (void)snprintf(path, sizeof path, "%s/%s", source, file);
    FILE *f = fopen(path, "rb");                         /* from the root of the tree, as all tests run */
    CHECK(f);
    size_t len = fread(o.bytes, 1, CONFIG_FILE_BYTES_MAX, f);
    CHECK(fclose(f) == 0);
    scratch_write(file, slice_from(o.bytes, len));
}

static void set_up(void) {
    char path[PATH_MAX_BYTES];
    crypto_init();
    o.bytes = memory_or_die(CONFIG_FILE_BYTES_MAX);
    arena_wrap(&o.room, memory_or_die(CONFIG_ARENA_BYTES), CONFIG_ARENA_BYTES);
    arena_wrap(&o.other, memory_or_die(CONFIG_ARENA_BYTES), CONFIG_ARENA_BYTES);
    CHECK(mkdir(scratch_path("calendars", path), 0700) == 0 && mkdir(scratch_path("playbooks", path), 0700) == 0);
    for (size_t i = 0; i < COUNT_OF(files); i++) copy_original(files[i]);
}

/* What is adopted can be read back, and is the same rules. */
static void check_canonical(PbRules *rules) {
    struct slice bytes, again;
    struct hash hash, hash_again;
    struct rules_problem problem;
    PbRules *read = NULL;
    CHECK(rules_check(rules, &problem));
    CHECK(config_canonical(rules, &o.room, &bytes, &hash) == 0);
    CHECK(codec_unpack_own(CODEC_RULES, bytes, &o.other, &read) == 0 && rules_check(read, &problem));
    CHECK(config_canonical(read, &o.other, &again, &hash_again) == 0);
    CHECK(slice_equal(bytes, again) && hash_equal(&hash, &hash_again));
}

void office_with(const char *file, struct slice bytes) {
    char dir[PATH_MAX_BYTES];
    struct config_error error;
    PbRules *rules = NULL;
    if (!o.bytes) set_up();
    if (o.foreign && strcmp(o.foreign, file) != 0) copy_original(o.foreign);
    scratch_write(o.foreign = file, bytes);
    arena_reset(&o.room);
    arena_reset(&o.other);
    int r = config_load(scratch_path("", dir), &o.room, &rules, &error);
    if (r == 0) return check_canonical(rules);
    CHECK(r < 0 && !rules && error.what[0] && memchr(error.what, 0, sizeof error.what));
    CHECK(strncmp(error.file, dir, strlen(dir)) == 0 && utf8_valid(slice_of(error.key)));
}
