/* whistled.yaml: what is let through is within bounds, and what is printed of it reads back as the same. */
#include "tests/fuzz/fuzz.h"
#include "daemon/config/config.h"
#include "daemon/daemon.h"

#include <stdio.h>
#include <string.h>

static char printed[64 << 10];

static void add_line(void *to, const char *text) {
    size_t *len = to;
    int n = snprintf(printed + *len, sizeof printed - *len, "%s\n", text);
    CHECK(n > 0 && (size_t)n < sizeof printed - *len);
    *len += (size_t)n;
}

static int read_settings(struct slice bytes, struct settings *ret) {
    char path[PATH_MAX_BYTES];
    struct config_error error;
    memset(ret, 0, sizeof *ret);
    options_default(settings_table, settings_count, ret);
    scratch_write("whistled.yaml", bytes);
    int r = config_settings(scratch_path("whistled.yaml", path), settings_table, settings_count, ret, &error);
    CHECK(r == 0 || (error.what[0] && strcmp(error.file, path) == 0));
    return r;
}

static void check_bounds(const struct settings *s) {
    for (size_t i = 0; i < settings_count; i++) {
        const struct option_spec *o = &settings_table[i];
        const char *at = (const char *)s + o->offset;
        uint64_t value = 0;
        if (o->type == OPTION_TEXT) value = strlen(at);
        else memcpy(&value, at, o->type == OPTION_BOOL ? sizeof(bool) : sizeof value);
        CHECK(value >= o->min && value <= o->max);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len) {
    static struct settings s, again;
    size_t used = 0;
    if (read_settings(slice_from(at, len), &s) < 0) return 0;
    check_bounds(&s);
    options_print(settings_table, settings_count, &s, add_line, &used);
    CHECK(read_settings(slice_from(printed, used), &again) == 0);
    for (size_t i = 0; i < settings_count; i++) {
        const struct option_spec *o = &settings_table[i];
        const char *a = (const char *)&s + o->offset, *b = (const char *)&again + o->offset;
        CHECK(o->type == OPTION_TEXT ? strcmp(a, b) == 0 : memcmp(a, b, o->type == OPTION_BOOL ? 1 : 8) == 0);
    }
    return 0;
}
