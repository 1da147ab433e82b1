/* create.c: a new store, or none. Everything is made in <dir>.new; the rename at the end is what makes it a store. */
#include "daemon/store/backup_internal.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

/* ---- the parts --------------------------------------------------------------------------------------------------- */

static int create_state(const char *dir, const struct store_options *o, const struct identity *id) {
    char path[STORE_PATH_SIZE];
    struct tables t;
    int r = path_in(dir, "state.mdb", path);
    struct tables_options options = {.path = path, .map_bytes = o->map_bytes};
    if (r == 0)
        r = tables_open(&t, &options);
    if (r < 0)
        return r;
    tables_begin(&t, id->id);
    r = tables_commit(&t);
    tables_close(&t);
    return r;
}

static int create_parts(int at, const char *dir, const struct store_options *o) {
    struct identity id;
    identity_draw(&id, o->drill);
    struct key seed = drill_seed();
    struct journal_options journal = journal_options_of(o, dir, &id);
    int r = identity_write_key(at, &id);
    if (r == 0)
        r = journal_create(&journal);
    if (r == 0)
        r = create_state(dir, o, &id);
    if (r == 0)
        r = slots_create(dir, id.id, 0, o->slots_ahead, o->drill ? &seed : NULL);
    if (r == 0)
        r = ballast_make(at, ballast_bytes(o));
    if (r == 0)
        r = identity_write_format(at, &id);
    if (r == 0 && fsync(at) < 0)
        r = -errno;
    wipe(&id, sizeof id);
    return r;
}

int store_create(const struct store_options *o, char problem[static STORE_PROBLEM_SIZE]) {
    char dir[PATH_MAX], fresh[STORE_PATH_SIZE];
    int at = -1;
    problem[0] = '\0';
    if (path_trim(o->dir, dir) < 0)
        return archive_say(problem, -ENAMETOOLONG, "create", "a store");
    int r = dir_lacks_files(dir);
    if (r < 0)
        return archive_say(problem, r, "a store is not created over", dir);
    r = dir_prepare(dir, fresh, &at);
    if (r < 0)
        return archive_say(problem, r, "create", fresh);
    r = create_parts(at, fresh, o);
    if (r == 0 && rename(fresh, dir) < 0)
        r = -errno;
    if (r == 0)
        r = dir_sync_parent(dir);
    (void)close(at);
    return archive_say(problem, r, "create the store in", fresh);
}
