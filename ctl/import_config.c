/* import_config.c: `import divisions`, `import parties`, `import categories`: lines of another system's CSV into
 * the rule set's own file. A line whose key is there already changes it, any other is put behind the last.
 *
 * The set is first tried as a whole: beside it, in a folder of its own in which every name leads to the set's file and
 * one is the new file. What daemon/config finds wrong there is told at the line it came from. Only then is the file
 * replaced: written beside, synced, renamed. */
#include "ctl/commands.h"
#include "ctl/import.h"
#include "daemon/config/config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ROWS_MAX = 1 << 16, BAD_LINES_MAX = 1000 };

struct config_line { const char *file, *into; bool dry_run, keep_going; };

#define AT(field) offsetof(struct config_line, field)
static const struct argument table[] = {
    {"FILE", NULL, ARGUMENT_TEXT, AT(file), BOTH("CSV 文件，首行为列名", "a CSV file, the first line names its columns"), true},
    {"--into", "CONFIG_DIR", ARGUMENT_TEXT, AT(into), BOTH("并入哪个规则集", "the folder of the rule set"), true},
    {"--dry-run", NULL, ARGUMENT_FLAG, AT(dry_run), BOTH("只检查，不改动", "checks only, changes nothing"), false},
    {"--keep-going", NULL, ARGUMENT_FLAG, AT(keep_going),
     BOTH("有错的行列出，其余并入", "takes the good lines and lists the others"), false},
};
#undef AT

static const char more[] =
    BOTH("列同规则集中的文件。整套规则检查通过后才替换，之后用 reload 采用。退出码 1：有错的行。",
         "The columns are those of the rule set's file. The whole set is checked before the file is replaced; reload\n"
         "adopts it. Exit code 1: some lines are bad.");
const struct command_line import_config_commands[] = {
    {"import divisions", BOTH("把区划并入规则集", "brings divisions into a rule set"), table, COUNT_OF(table), more},
    {"import parties", BOTH("把部门并入规则集", "brings departments into a rule set"), table, COUNT_OF(table), more},
    {"import categories", BOTH("把类别并入规则集", "brings categories into a rule set"), table, COUNT_OF(table), more},
};

/* office.yaml's name for the file, and the column that tells rows apart. */
static const struct { const char *office, *key; } kinds[] = {
    {"divisions", "code"}, {"departments", "name_zh"}, {"categories", "code"},
};
_Static_assert(COUNT_OF(kinds) == COUNT_OF(import_config_commands), "a command each");

/* ---- two files as one -------------------------------------------------------------------------------------------- */

/* from: the line it came from; 0: it was there. */
struct merged_row { struct slice cell[CSV_COLUMNS_MAX]; unsigned from; };
struct merge {
    const struct ctl *c;
    const struct config_line *line;
    unsigned kind;
    struct import_report report;
    struct arena room;                            /* quoted cells */
    char name[NAME_MAX + 1], path[PATH_MAX];      /* of the set's file */
    struct slice there, here;                     /* bytes */
    struct slice column[CSV_COLUMNS_MAX];
    unsigned columns, key, brought[CSV_COLUMNS_MAX], brought_count;
    struct merged_row *rows;
    unsigned count;
    bool left_out[ROWS_MAX];                      /* lines of the file brought in that are bad */
    uint64_t added, changed;
};

static bool column_find(const struct merge *m, struct slice name, unsigned *ret) {
    for (unsigned i = 0; i < m->columns; i++)
        if (slice_equal(m->column[i], name))
            return *ret = i, true;
    return false;
}

static bool header_bad(struct merge *m, unsigned line, const char *column, const char *what) {
    import_problem(&m->report, line, column, what);
    return false;
}

/* The set's columns, and behind them those it does not have yet: whether there are such, the set's reader says. */
static bool headers_read(struct merge *m, const struct csv_row *there, const struct csv_row *here) {
    memcpy(m->column, there->cell, sizeof m->column);
    m->columns = there->count;
    m->brought_count = here->count;
    for (unsigned i = 0; i < here->count; i++) {
        if (!column_find(m, here->cell[i], &m->brought[i]) && m->columns == CSV_COLUMNS_MAX)
            return header_bad(m, here->line, "", BOTH("列太多", "too many columns"));
        if (!column_find(m, here->cell[i], &m->brought[i]))
            m->column[m->brought[i] = m->columns++] = here->cell[i];
        for (unsigned k = 0; k < i; k++)
            if (m->brought[k] == m->brought[i])
                return header_bad(m, here->line, "", BOTH("有一列出现两次", "a column is there twice"));
    }
    for (unsigned i = 0; i < here->count; i++)
        if (column_find(m, slice_of(kinds[m->kind].key), &m->key) && m->brought[i] == m->key)
            return true;
    return header_bad(m, here->line, kinds[m->kind].key, BOTH("缺少这一列", "this column is missing"));
}

static struct merged_row *row_with(struct merge *m, struct slice key) {
    for (unsigned i = 0; i < m->count; i++)
        if (slice_equal(m->rows[i].cell[m->key], key))
            return &m->rows[i];
    return NULL;
}

/* A cell that says nothing leaves what is there. */
static void row_bring(struct merge *m, const struct csv_row *row, struct slice key) {
    struct merged_row *to = row_with(m, key);
    m->added += to == NULL;
    m->changed += to != NULL;
    if (!to)
        to = &m->rows[m->count++];
    to->from = row->line;
    for (unsigned i = 0; i < row->count; i++)
        if (row->cell[i].len)
            to->cell[m->brought[i]] = row->cell[i];
}

static int rows_there(struct merge *m, struct csv_in *in) {
    struct csv_row row;
    int e;
    while ((e = csv_next(in, &row)) == 1 && m->count < ROWS_MAX / 2) {
        struct merged_row *to = &m->rows[m->count++];
        memcpy(to->cell, row.cell, row.count * sizeof row.cell[0]);
    }
    if (e == 0)
        return CTL_DONE;
    struct slice said = both_in(m->c->language, e < 0 ? in->problem : BOTH("行太多", "too many rows"));
    (void)fprintf(stderr, "whistlectl: %s:%u: %.*s\n", m->path, row.line, (int)said.len, (const char *)said.at);
    return CTL_USAGE;
}

static int rows_here(struct merge *m, struct csv_in *in) {
    struct csv_row row;
    int e;
    while ((m->report.bad == 0 || m->line->keep_going) && (e = csv_next(in, &row)) != 0) {
        struct slice key = {NULL, 0};
        if (row.line >= ROWS_MAX || m->count == ROWS_MAX) {
            import_problem(&m->report, row.line, "", BOTH("行数太多，请把文件分开", "more lines than fit; split the file"));
            return CTL_REFUSED;
        }
        if (m->left_out[row.line])
            continue;
        for (unsigned i = 0; e == 1 && i < row.count && i < m->brought_count; i++)
            key = m->brought[i] == m->key ? row.cell[i] : key;
        if (e == 1 && row.count == m->brought_count && key.len) {
            row_bring(m, &row, key);
            continue;
        }
        import_problem(&m->report, row.line, e == 1 && row.count == m->brought_count ? kinds[m->kind].key : "",
                       e < 0 ? in->problem : key.len
                       ? BOTH("单元格数与表头不同", "not as many cells as the header has") : BOTH("没有填写", "is missing"));
        m->left_out[row.line] = true;
    }
    return m->report.bad && !m->line->keep_going ? CTL_REFUSED : CTL_DONE;
}

/* From the beginning, without the lines that were found bad. */
static int merge_all(struct merge *m) {
    struct csv_in there, here;
    struct csv_row head_there, head_here;
    arena_reset(&m->room);
    memset(m->rows, 0, ROWS_MAX * sizeof *m->rows);
    m->count = 0;
    m->added = m->changed = 0;
    csv_open(&there, m->there, &m->room);
    csv_open(&here, m->here, &m->room);
    if (csv_next(&there, &head_there) != 1)
        return (void)fprintf(stderr, "whistlectl: %s: %s\n", m->path, say(m->c, "没有表头", "has no header")), CTL_USAGE;
    if (csv_next(&here, &head_here) != 1)
        return import_problem(&m->report, 1, "", here.problem ? here.problem
                              : BOTH("文件是空的", "the file is empty")), CTL_REFUSED;
    if (!headers_read(m, &head_there, &head_here))
        return CTL_REFUSED;
    int r = rows_there(m, &there);
    return r ? r : rows_here(m, &here);
}

/* ---- out --------------------------------------------------------------------------------------------------------- */

static int fault(const char *path) {
    (void)fprintf(stderr, "whistlectl: %s: %s\n", path, strerror(errno));
    return CTL_FAULT;
}

/* As the sets are written: no mark, lines that end with LF alone. */
static int merged_write(const struct merge *m, const char *path) {
    FILE *file = fopen(path, "wbe");
    if (!file)
        return fault(path);
    struct csv_out out = {.file = file, .plain = true};
    for (unsigned i = 0; i < m->columns; i++)
        csv_cell(&out, m->column[i]);
    csv_end(&out);
    for (unsigned k = 0; k < m->count; k++) {
        for (unsigned i = 0; i < m->columns; i++)
            csv_cell(&out, m->rows[k].cell[i]);
        csv_end(&out);
    }
    bool good = fflush(file) == 0 && !ferror(file) && fsync(fileno(file)) == 0;
    return fclose(file) == 0 && good ? CTL_DONE : fault(path);
}

static int replace(const struct merge *m) {
    char beside[PATH_MAX];
    if ((size_t)snprintf(beside, sizeof beside, "%s.new", m->path) >= sizeof beside)
        return errno = ENAMETOOLONG, fault(m->path);
    int r = merged_write(m, beside);
    if (r == CTL_DONE && rename(beside, m->path) != 0)
        r = fault(m->path);
    if (r)
        (void)unlink(beside);
    int dir = r ? -1 : open(m->line->into, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (r == CTL_DONE && (dir < 0 || fsync(dir) != 0))
        r = fault(m->line->into);
    if (dir >= 0)
        (void)close(dir);
    return r;
}

/* ---- the set, tried beside --------------------------------------------------------------------------------------- */

static void try_remove(const char *dir) {
    char path[PATH_MAX];
    DIR *d = opendir(dir);
    for (struct dirent *e; d && (e = readdir(d));)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0
            && (size_t)snprintf(path, sizeof path, "%s/%s", dir, e->d_name) < sizeof path)
            (void)unlink(path);
    if (d)
        (void)closedir(d);
    (void)rmdir(dir);
}

/* Beside the set, so that `../other-set/file` leads where it led. */
static int try_make(const struct merge *m, char dir[static PATH_MAX]) {
    char set[PATH_MAX], from[2 * PATH_MAX], to[2 * PATH_MAX];
    if (!realpath(m->line->into, set) || (size_t)snprintf(dir, PATH_MAX, "%s.import-XXXXXX", set) >= PATH_MAX
        || !mkdtemp(dir))
        return fault(m->line->into);
    DIR *d = opendir(set);
    int r = d ? CTL_DONE : fault(set);
    for (struct dirent *e; r == CTL_DONE && d && (e = readdir(d));) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 || strcmp(e->d_name, m->name) == 0)
            continue;
        (void)snprintf(from, sizeof from, "%s/%s", set, e->d_name);
        (void)snprintf(to, sizeof to, "%s/%s", dir, e->d_name);
        if (symlink(from, to) != 0)
            r = fault(to);
    }
    if (d)
        (void)closedir(d);
    return r;
}

/* Where the set's reader found something: at a line of the merged file, at which a line of ours may stand. */
static int found_wrong(struct merge *m, const struct config_error *error) {
    const char *slash = strrchr(error->file, '/');
    bool ours = slash && strcmp(slash + 1, m->name) == 0;
    unsigned from = ours && error->line >= 2 && error->line - 2 < m->count ? m->rows[error->line - 2].from : 0;
    if (from || (ours && error->line == 1)) {
        import_problem(&m->report, from ? from : 1, error->key, error->what);
        m->left_out[from] = true;
        return from && m->line->keep_going && m->report.bad < BAD_LINES_MAX ? CTL_DONE : CTL_REFUSED;
    }
    (void)fprintf(stderr, "whistlectl: %s/%s:%u: %s: %s\n", m->line->into, slash ? slash + 1 : error->file, error->line,
                  error->key, error->what);
    m->report.bad++;
    return CTL_REFUSED;
}

/* CTL_DONE and *ret_good: the set is one. Not good: a line was left out, and it is to be tried again. */
static int try_set(struct merge *m, const char *dir, bool *ret_good) {
    static struct arena room;
    struct config_error error;
    PbRules *rules = NULL;
    char path[2 * PATH_MAX];
    if (!room.base)
        arena_wrap(&room, memory_or_die(CONFIG_ARENA_BYTES), CONFIG_ARENA_BYTES);
    arena_reset(&room);
    (void)snprintf(path, sizeof path, "%s/%s", dir, m->name);
    int r = merged_write(m, path);
    if (r)
        return r;
    *ret_good = config_load(dir, &room, &rules, &error) == 0;
    return *ret_good ? CTL_DONE : found_wrong(m, &error);
}

static int try_until_good(struct merge *m) {
    char dir[PATH_MAX];
    bool good = false;
    int r = try_make(m, dir);
    while (r == CTL_DONE && !good) {
        r = merge_all(m);
        if (r == CTL_DONE)
            r = try_set(m, dir, &good);
    }
    try_remove(dir);
    return r;
}

/* ---- the command ------------------------------------------------------------------------------------------------- */

/* `divisions: divisions.csv` of office.yaml. Another set's file is that set's to change. */
static int file_of_set(struct merge *m) {
    char office[PATH_MAX];
    struct slice bytes, line, rest, name, value;
    void *memory = NULL;
    if ((size_t)snprintf(office, sizeof office, "%s/office.yaml", m->line->into) >= sizeof office)
        return errno = ENAMETOOLONG, fault(m->line->into);
    int r = import_bytes(m->c, office, &bytes, &memory);
    for (rest = bytes; r == CTL_DONE && !m->name[0] && slice_cut(rest, '\n', &line, &rest);) {
        struct slice comment;
        if (!slice_cut(line, ':', &name, &value) || !slice_equal(name, slice_of(kinds[m->kind].office)))
            continue;
        (void)slice_cut(value, '#', &value, &comment);
        value = slice_trim(value);
        (void)snprintf(m->name, sizeof m->name, "%.*s", (int)(value.len < NAME_MAX ? value.len : 0), value.at);
    }
    free(memory);
    if (r == CTL_DONE && (!m->name[0] || strchr(m->name, '/')))
        r = usage(m->c, "%s：“%s: %s”不是本规则集自己的文件；请导入到拥有它的那一套",
                  "%s: \"%s: %s\" is no file of this set itself; import into the set that has it",
                  office, kinds[m->kind].office, m->name);
    (void)snprintf(m->path, sizeof m->path, "%.2000s/%s", m->line->into, m->name);
    return r;
}

static void print_outcome(const struct merge *m, bool replaced) {
    const struct ctl *c = m->c;
    unsigned long long added = m->added, changed = m->changed, bad = m->report.bad;
    if (c->json)
        printf("{\"added\":\"%llu\",\"changed\":\"%llu\",\"bad\":\"%llu\",\"replaced\":%s}\n", added, changed, bad,
               replaced ? "true" : "false");
    else
        printf(say(c, "新增 %llu，更改 %llu，有错 %llu；%s\n", "added %llu, changed %llu, bad %llu; %s\n"), added, changed,
               bad, replaced ? say(c, "已替换，reload 后生效", "replaced; reload adopts it")
                             : say(c, "未改动", "nothing was changed"));
}

int import_config_main(struct ctl *c, int argc, char **argv) {
    struct config_line l = {.file = NULL};
    static struct merge m;
    void *here = NULL, *there = NULL;
    int r = arguments_read(c, argc, argv, &l);
    if (r)
        return r;
    m = (struct merge){.c = c, .line = &l, .report = {.c = c, .file = l.file}};
    m.kind = (unsigned)(c->line - import_config_commands);
    r = file_of_set(&m);
    if (r == CTL_DONE)
        r = import_bytes(c, m.path, &m.there, &there);
    if (r == CTL_DONE)
        r = import_bytes(c, l.file, &m.here, &here);
    bool replaced = false;
    if (r == CTL_DONE) {
        size_t cap = 2 * (m.there.len + m.here.len) + 4096;
        arena_wrap(&m.room, memory_or_die(cap), cap);
        m.rows = memory_or_die(ROWS_MAX * sizeof *m.rows);
        r = try_until_good(&m);
        if (r == CTL_DONE && !l.dry_run)
            r = replace(&m), replaced = r == CTL_DONE;
        print_outcome(&m, replaced);
        free(m.room.base), free(m.rows);
    }
    free(here), free(there);
    return r == CTL_DONE && m.report.bad ? CTL_REFUSED : r;
}
