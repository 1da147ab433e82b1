/* A playbook in YAML: whatever is let through may be trusted by the kernel (rules_check), and can be kept. */
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len) {
    office_with("playbooks/incident.yaml", slice_from(at, len));
    return 0;
}
