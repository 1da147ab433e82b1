/* settings.c: whistled.yaml -> the options of a table. Flat `name: value` pairs; what a value may be says the table. */
#include "daemon/config/reading.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { SETTINGS_ARENA_BYTES = CONFIG_FILE_BYTES_MAX + (8 << 20) };

static int setting_set(struct reading *r, const struct node *n, const struct option_spec *table, size_t count,
                       void *into) {
    const char *near = "";
    char right[OPTION_RIGHT_BYTES];
    option_right(table, count, n->key, right);
    if (n->kind != NODE_TEXT)
        return fail(r, n, "must be a single value");
    switch (option_set(table, count, into, n->key, n->text, &near)) {
    case 0:
        return 0;
    case -ENOENT:
        return fail(r, n, "is not a setting; the nearest is '%s'", near ? near : "");
    case -ERANGE:
        return fail(r, n, "is out of bounds; %s", right);
    default:
        return fail(r, n, "cannot be read; %s", right);
    }
}

static int settings_read(struct reading *r, const char *file, const struct option_spec *table, size_t count,
                         void *into) {
    struct node *root;
    int e = yaml_nodes(r, file, &root);
    if (e == 0 && root->kind != NODE_MAP)
        e = fail(r, root, "must be a mapping of settings to values");
    for (const struct node *n = e ? NULL : root->first; n && e == 0; n = n->next)
        e = setting_set(r, n, table, count, into);
    return e;
}

int config_settings(const char *file, const struct option_spec *table, size_t count, void *into,
                    struct config_error *error) {
    struct arena room;
    CHECK(file && table && error);
    memset(error, 0, sizeof *error);
    void *memory = memory_or_die(SETTINGS_ARENA_BYTES);
    arena_wrap(&room, memory, SETTINGS_ARENA_BYTES);
    struct reading r = {.room = &room, .error = error};
    int e = settings_read(&r, file, table, count, into);
    free(memory);
    return e;
}
