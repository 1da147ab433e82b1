/* What people give whistlectl as files: a plan of a batch, a CSV file, a file of cases to import. The first byte says
 * which. Each line is taken or is told by its number; a plan that is taken is written as it was read. */
#include "tests/fuzz/fuzz.h"
#include "ctl/import.h"
#include "ctl/many.h"
#include "tests/unit/rules_fixture.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ROOM_BYTES = 4 << 20 };
static uint8_t memory[ROOM_BYTES], row_memory[ROOM_BYTES];

/* As a file has it: with nothing behind its last byte. */
static int parse_plan(struct slice bytes, struct plan *ret) {
    static const struct ctl c;
    char problem[256] = "", *text = malloc(bytes.len + !bytes.len);
    uint32_t line = 0;
    CHECK(text);
    if (bytes.len) memcpy(text, bytes.at, bytes.len);
    int r = plan_parse(&c, text, bytes.len, ret, &line, problem);
    CHECK(r == 0 || (problem[0] && memchr(problem, 0, sizeof problem)));
    return r;
}

static void try_plan(struct slice bytes) {
    struct plan p, again;
    size_t len = 0, len_again = 0;
    if (parse_plan(bytes, &p) < 0) return plan_free(&p);
    char *text = plan_print(&p, &len);
    CHECK(parse_plan(slice_from(text, len), &again) == 0);
    char *text_again = plan_print(&again, &len_again);
    CHECK(len == len_again && memcmp(text, text_again, len) == 0);
    free(text);
    free(text_again);
    plan_free(&p);
    plan_free(&again);
}

static void try_csv(struct slice bytes) {
    struct arena room;
    struct csv_in in;
    struct csv_row row;
    unsigned last = 0;
    arena_wrap(&room, memory, sizeof memory);
    csv_open(&in, bytes, &room);
    for (int r; (r = csv_next(&in, &row)) != 0; last = row.line) {
        CHECK(row.line > last && (r == 1 || in.problem));
        CHECK(r < 0 || (row.count > 0 && row.count <= CSV_COLUMNS_MAX));
    }
}

static void try_cases(struct slice bytes) {
    static struct ctl c;
    struct import_report report = {.c = &c, .file = "cases.csv"};
    struct import_columns columns = {.count = 0};
    struct arena room, row_room;
    struct csv_in in;
    struct csv_row row;
    c = (struct ctl){.wait_ms = 5000, .now_ms = FIXTURE_MONDAY_MS};
    arena_wrap(&room, memory, sizeof memory);
    csv_open(&in, bytes, &room);
    if (csv_next(&in, &row) != 1 || !import_header(&row, &columns, &report)) return;
    for (int r; (r = csv_next(&in, &row)) != 0;) {
        uint64_t bad = report.bad;
        arena_wrap(&row_room, row_memory, sizeof row_memory);
        PbImport *import = r == 1 ? import_case_of(&c, &columns, &row, &row_room, &report) : NULL;
        CHECK(import ? report.bad == bad : r < 0 || report.bad == bad + 1);
        if (!import) continue;
        bool fits = import_case_fits(import, fixture_rules(), 1, c.now_ms, "city", row.line, &row_room, &report);
        CHECK(report.bad == bad + !fits);
    }
}

/* What is said on standard error is read by nobody here. */
int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len) {
    static int loud = -1, mute;
    struct tape t = tape_of(at, len);
    uint32_t which = tape_below(&t, 3);
    struct slice bytes = tape_bytes(&t, len);
    if (loud < 0) loud = dup(STDERR_FILENO), mute = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (which == 0) try_plan(bytes);
    if (which == 1) try_csv(bytes);
    if (which != 2) return 0;
    (void)dup2(mute, STDERR_FILENO);
    try_cases(bytes);
    (void)dup2(loud, STDERR_FILENO);
    return 0;
}
