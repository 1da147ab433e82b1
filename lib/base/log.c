/* log.c: one line a time, whole or not at all, and never so many that the log becomes the load.
 *
 * Called from one thread. A line is one write(2), so that lines of several processes on one pipe do not mix. */
#include "lib/base/base.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { LOG_BURST = 50, LOG_LINE_MAX = 1024 };
#define LEVELS ((unsigned)LOG_LEVEL_DEBUG + 1)

enum log_level log_threshold = LOG_LEVEL_INFO;

static const struct { const char *word; char journald; } levels[LEVELS] = {
    [LOG_LEVEL_ERROR] = {"error", '3'},
    [LOG_LEVEL_WARN] = {"warn", '4'},
    [LOG_LEVEL_INFO] = {"info", '6'},
    [LOG_LEVEL_DEBUG] = {"debug", '7'},
};

/* Per level: lines of the second that is running, and what it did not let pass. */
static struct window { int64_t second; uint64_t passed, dropped; } windows[LEVELS];

static void log_write(enum log_level level, const char *format, va_list arguments) {
    char line[LOG_LINE_MAX];
    size_t head = 0;
    if (!isatty(STDERR_FILENO))
        head = (size_t)snprintf(line, sizeof line, "<%c>", levels[level].journald);
    int wanted = vsnprintf(line + head, sizeof line - head - 1, format, arguments);
    if (wanted < 0)
        return;
    size_t len = head + (size_t)wanted;
    if (len > sizeof line - 2) {                         /* a cut line says that it was cut */
        len = sizeof line - 2;
        memcpy(line + len - 3, "...", 3);
    }
    for (size_t i = head; i < len; i++)
        if ((unsigned char)line[i] < ' ' || line[i] == 0x7F)
            line[i] = '?';                               /* a value must not be able to forge a second line */
    line[len++] = '\n';
    while (write(STDERR_FILENO, line, len) < 0 && errno == EINTR)
        ;                                                /* a log that cannot be written is nobody's reason to stop */
}

static void log_write_now(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void log_write_now(enum log_level level, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    log_write(level, format, arguments);
    va_end(arguments);
}

/* Closes every window of an earlier second and says what it dropped; then asks whether one more line fits. */
static bool log_admit(enum log_level level) {
    int64_t second = clock_mono_ns() / 1000000000;
    for (unsigned i = 0; i < LEVELS; i++) {
        struct window *w = &windows[i];
        if (w->second == second)
            continue;
        if (w->dropped)
            log_write_now(LOG_LEVEL_WARN, "log.dropped level=%s lines=%llu", levels[i].word,
                          (unsigned long long)w->dropped);
        *w = (struct window){.second = second};
    }
    if (level != LOG_LEVEL_ERROR && windows[level].passed >= LOG_BURST) {
        windows[level].dropped++;
        return false;
    }
    windows[level].passed++;
    return true;
}

void log_line(enum log_level level, const char *format, ...) {
    CHECK((unsigned)level < LEVELS);
    int saved = errno;                                   /* callers log on their way out with it */
    if (level <= log_threshold && log_admit(level)) {
        va_list arguments;
        va_start(arguments, format);
        log_write(level, format, arguments);
        va_end(arguments);
    }
    errno = saved;
}
