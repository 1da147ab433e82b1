/* The command lines of whistlectl and whistle-worker, one argument a line of the input; its first byte says whose. */
#include "tests/fuzz/fuzz.h"
#include "ctl/commands.h"
#include "workers/worker.h"

#include <string.h>

static union { max_align_t aligned; uint8_t bytes[64 << 10]; } into;

static void try_worker(int count, char **words) {
    struct worker_settings s = {.help = false};
    char why[WORKER_WHY_MAX] = "";
    int r = worker_arguments(count, words, &s, why);
    CHECK(r < 0 ? why[0] && memchr(why, 0, sizeof why) != NULL : s.help || s.divisions_count > 0);
}

static void try_ctl(int count, char **words) {
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

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len) {
    struct tape t = tape_of(at, len);
    char *words[TAPE_WORDS_MAX + 1];
    bool worker = tape_byte(&t) & 1;
    int count = tape_words(&t, words);
    if (worker) try_worker(count, words);
    else try_ctl(count, words);
    return 0;
}
