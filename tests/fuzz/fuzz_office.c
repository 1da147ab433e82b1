/* office.yaml and roles.yaml: the files that name the others, and the parties. */
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len) {
    struct tape t = tape_of(at, len);
    const char *file = tape_byte(&t) & 1 ? "roles.yaml" : "office.yaml";
    office_with(file, tape_bytes(&t, len));
    return 0;
}
