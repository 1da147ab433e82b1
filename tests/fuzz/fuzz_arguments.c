/* The command lines of the three programs, one argument a line of the input; its first byte says whose. */
#include "tests/fuzz/fuzz.h"
#include "ctl/commands.h"
#include "daemon/arguments.h"
#include "workers/worker.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { WORDS_MAX = 32, LINE_MAX_BYTES = 4096, INTO_BYTES = 64 << 10 };
static char line[LINE_MAX_BYTES];
static char *words[WORDS_MAX + 1];
static union { max_align_t aligned; uint8_t bytes[INTO_BYTES]; } into;

static int words_of(struct slice text) {
    int count = 0;
    size_t len = text.len < sizeof line - 1 ? text.len : sizeof line - 1;
    memcpy(line, text.at, len);
    line[len] = '\0';
    words[count++] = (char *)"program";
    for (char *at = line, *end; at && count < WORDS_MAX; at = end) {
        words[count++] = at;
        end = memchr(at, '\n', (size_t)(line + len - at));
        if (end) *end++ = '\0';
    }
    words[count] = NULL;
    return count;
}

/* Its settings file may be any; only that of this name is there to be read. */
static void try_daemon(int count) {
    static struct settings s;
    struct arguments a = {.file = NULL};
    for (int i = 1; i < count; i++)
        if (strchr(words[i], '/')) words[i] = (char *)"nothing-of-that-name.yaml";
    int r = arguments_read(count, words, &a, &s);
    CHECK(r == 0 || r == 2);
}

static void try_worker(int count) {
    struct worker_settings s = {.help = false};
    char why[WORKER_WHY_MAX] = "";
    int r = worker_arguments(count, words, &s, why);
    CHECK(r < 0 ? why[0] && memchr(why, 0, sizeof why) != NULL : s.help || s.divisions_count > 0);
}

static void try_ctl(int count) {
    struct ctl c = {.wait_ms = 5000};
    char problem[256] = "";
    int at = 1, taken;
    if (arguments_globals(&c, count, words, &at, problem) != 0) {
        CHECK(problem[0]);
        return;
    }
    if (at == count) return;
    const struct command *command = command_find(count - at, words + at, &taken);
    char near[LINE_BYTES];
    if (!command) return command_nearest(words[at], near);
    c.line = command->line;
    memset(&into, 0, sizeof into);
    int r = arguments_parse(&c, command->line, count - at - taken + 1, words + at + taken - 1, &into, problem);
    CHECK(r == 0 || r == ARGUMENTS_HELPED || (r == CTL_USAGE && problem[0] && memchr(problem, 0, sizeof problem)));
}

/* What is said on standard error is read by nobody here. */
int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len) {
    static void (*const tries[])(int count) = {try_ctl, try_daemon, try_worker};
    static int loud = -1, mute;
    struct tape t = tape_of(at, len);
    if (loud < 0) loud = dup(STDERR_FILENO), mute = open("/dev/null", O_WRONLY | O_CLOEXEC);
    void (*program)(int) = tries[tape_below(&t, COUNT_OF(tries))];
    int count = words_of(tape_bytes(&t, len));
    if (program == try_daemon) (void)dup2(mute, STDERR_FILENO);
    program(count);
    if (program == try_daemon) (void)dup2(loud, STDERR_FILENO);
    return 0;
}
