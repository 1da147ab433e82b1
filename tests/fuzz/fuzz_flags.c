/* The command line of whistled, one argument a line of the input. */
#include "tests/fuzz/fuzz.h"
#include "daemon/arguments.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { EXIT_USAGE = 2 };

/* What is said on standard error is read by nobody here. A settings file is none that lies about on this machine. */
int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len) {
    static struct settings s;
    static int loud = -1, mute;
    struct tape t = tape_of(at, len);
    struct arguments a = {.file = NULL};
    char *words[TAPE_WORDS_MAX + 1];
    if (loud < 0) loud = dup(STDERR_FILENO), mute = open("/dev/null", O_WRONLY | O_CLOEXEC);
    int count = tape_words(&t, words);
    for (int i = 1; i < count; i++)
        if (strchr(words[i], '/') && !strchr(words[i], ':')) words[i] = (char *)"no-such-file.yaml";
    (void)dup2(mute, STDERR_FILENO);
    int r = arguments_read(count, words, &a, &s);
    (void)dup2(loud, STDERR_FILENO);
    CHECK(r == 0 || r == EXIT_USAGE);
    return 0;
}
