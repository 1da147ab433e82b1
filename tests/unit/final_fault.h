/* What ends a broker for good ends the program that includes this file: the daemon's archive is linked without
 * whistled.c. For cmocka tests: include after <cmocka.h>. */
#ifndef FINAL_FAULT_H
#define FINAL_FAULT_H
#include "daemon/daemon.h"

#include <stdlib.h>
#include <string.h>

_Noreturn void die(const char *event, int error, const char *what) {
    print_message("%s: %s: %s\n", event, strerror(-error), what);
    abort();
}
#endif
