/* The tables of an office, in CSV and YAML; the first byte says which. */
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len) {
    static const char *const files[] = {
        "divisions.csv", "categories.csv", "departments.csv", "calendars/week.yaml",
    };
    struct tape t = tape_of(at, len);
    const char *file = files[tape_below(&t, COUNT_OF(files))];
    office_with(file, tape_bytes(&t, len));
    return 0;
}
