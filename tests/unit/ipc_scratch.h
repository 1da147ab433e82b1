/* ipc_scratch.h: a directory of its own, and an ipc socket's name in it: short, because its path has 107 bytes. */
#ifndef IPC_SCRATCH_H
#define IPC_SCRATCH_H
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { IPC_DIR_BYTES = 64, IPC_PATH_BYTES = 96, IPC_NAME_BYTES = 104 };

static inline int ipc_scratch(char dir[static IPC_DIR_BYTES], char path[static IPC_PATH_BYTES],
                              char ipc[static IPC_NAME_BYTES]) {
    const char *base = getenv("TMPDIR");
    if (base == NULL || strlen(base) > 30)
        base = "/tmp";
    snprintf(dir, IPC_DIR_BYTES, "%s/whistle.XXXXXX", base);
    if (mkdtemp(dir) == NULL)
        return -1;
    snprintf(path, IPC_PATH_BYTES, "%.60s/gate", dir);
    snprintf(ipc, IPC_NAME_BYTES, "ipc://%.90s", path);
    return 0;
}
#endif
