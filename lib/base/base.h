/* base.h: the ground floor. Slices, CHECK, arenas, the clock, the log, counters and the option table.
 *
 * Every other floor stands on this one; this one stands on libc alone. It comes in two parts:
 *   pure    slices, CHECK, arena, numbers          (pure.c: no I/O, no clock; the kernel links with this part only)
 *   worldly clock, randomness, log, stats, options (sys.c log.c stats.c options.c)
 *
 * Three kinds of failure never mix, here and everywhere above:
 *   refusal   the client's affair    a value (enum of reason codes), nothing changed
 *   fault     the world's affair     a negative errno, handed up to who can act
 *   bug       our affair             CHECK, and the process ends
 *
 * Ownership is in the verb: x_init/x_done embedded, x_open/x_close heap, x_borrow valid until the end of the turn,
 * ret_ parameters untouched on failure. */
#ifndef BASE_H
#define BASE_H
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- bugs -------------------------------------------------------------------------------------------------------- */

/* Stops the process when `x` does not hold. On in production: a broker that is wrong must not go on. */
#define CHECK(x) ((x) ? (void)0 : check_failed(#x, __FILE__, __LINE__))
/* Where no way leads, as the default of a switch over all there is: NEVER("a limit without a unit"). */
#define NEVER(what) check_failed(what, __FILE__, __LINE__)

_Noreturn void check_failed(const char *what, const char *file, int line);

/* What check_failed does before it traps: the daemon points it at the log. NULL: trap at once. */
extern void (*check_hook)(const char *what, const char *file, int line);

/* ---- slices ------------------------------------------------------------------------------------------------------ */

/* Bytes that somebody else owns. Not terminated; at may be NULL only when len is 0. */
struct slice {
    const uint8_t *at;
    size_t len;
};

#define SLICE(literal) ((struct slice){(const uint8_t *)(literal), sizeof(literal) - 1})
#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))
/* A field of a message: its value, and that it is there. */
#define SET(message, field, value) ((message)->has_##field = 1, (message)->field = (value))

struct slice slice_of(const char *text);                         /* a C string, without its end */
struct slice slice_from(const void *at, size_t len);
bool slice_equal(struct slice a, struct slice b);
int slice_order(struct slice a, struct slice b);                  /* <0, 0, >0 as memcmp; a prefix comes first */
bool slice_starts(struct slice s, struct slice prefix);
struct slice slice_trim(struct slice s);                          /* without spaces and tabs at both ends */
bool slice_cut(struct slice s, char at, struct slice *ret_before, struct slice *ret_after);  /* false: no such byte */
bool utf8_valid(struct slice s);                                  /* RFC 3629, and no NUL */
/* 1 .. bytes_max of A-Z a-z 0-9 . _ -: what may stand in a journal for who did it. No name of a person, no sentence. */
bool word_valid(struct slice s, size_t bytes_max);

/* Decimal digits only, no sign, no space; false on anything else or when the number does not fit. */
bool parse_u64(struct slice s, uint64_t *ret);
bool parse_i64(struct slice s, int64_t *ret);                     /* with an optional leading minus */

/* Integers in byte order: be for keys (so that bytes sort as numbers), le for everything else on disk. */
void put_be64(uint8_t *to, uint64_t v);
uint64_t get_be64(const uint8_t *from);
void put_le32(uint8_t *to, uint32_t v);
uint32_t get_le32(const uint8_t *from);
void put_le64(uint8_t *to, uint64_t v);
uint64_t get_le64(const uint8_t *from);

/* ---- arena ------------------------------------------------------------------------------------------------------- */

/* Memory that lives one turn (or one file load). Bounded; never grows; reset frees everything at once. */
struct arena {
    uint8_t *base;
    size_t used, cap;
    size_t peak;                                                  /* the most that was ever used */
};

void arena_wrap(struct arena *a, void *memory, size_t cap);       /* over memory of the caller's */
void *arena_take(struct arena *a, size_t size);                   /* 16-byte aligned; NULL when full. Not zeroed */
void *arena_zero(struct arena *a, size_t size);                   /* the same, zeroed */
void *arena_must(struct arena *a, size_t size);                   /* zeroed; that there is room is not in question */
struct slice arena_copy(struct arena *a, struct slice s);         /* at == NULL and len 0 when full */
char *arena_text(struct arena *a, struct slice s);                /* the same with a terminating NUL */
void arena_reset(struct arena *a);

/* ---- the only clock (sys.c) -------------------------------------------------------------------------------------- */

int64_t clock_wall_ms(void);                                      /* UTC, milliseconds since 1970; may jump */
int64_t clock_boot_ms(void);                                      /* counts through suspend, never jumps */
int64_t clock_mono_ns(void);                                      /* for durations, leases, heartbeats */
bool clock_synchronised(void);                                    /* an outside source disciplines the clock */

/* Tests put their own readings here; NULL members mean the real clock. */
struct clock_source {
    int64_t (*wall_ms)(void);
    int64_t (*boot_ms)(void);
    int64_t (*mono_ns)(void);
    bool (*synchronised)(void);
};
extern struct clock_source clock_source;

void random_bytes(void *to, size_t len);                          /* getrandom(2); CHECKs that it worked */
void *memory_or_die(size_t size);                                 /* zeroed, at start-up only; CHECKs */

/* "2026-02-14 09:30:05.123Z" into at least 25 bytes; parse accepts the same with T or space, with or without .mmm */
void instant_print(int64_t ms, char to[static 32]);
bool instant_parse(struct slice s, int64_t *ret_ms);

/* ---- log (log.c) ------------------------------------------------------------------------------------------------- */

/* One line: `area.event key=value ...` on stderr with journald's <level> prefix when stderr is not a terminal.
 * Floors 0-3 never log: they return. No personal data in any line. At most LOG_BURST lines a second pass per level
 * below error; what was dropped is counted and said. */
enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };
void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));
#define log_error(...) log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...)  log_line(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...)  log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)
extern enum log_level log_threshold;                              /* default LOG_LEVEL_INFO */

/* ---- options (options.c) ----------------------------------------------------------------------------------------- */

/* One table makes the parser, `--print-config` and the manual page. Values live in a struct of the caller's:
 * U64, MS and BYTES in a uint64_t, BOOL in a bool, TEXT in a char[OPTION_TEXT_MAX]. */
enum option_type { OPTION_U64, OPTION_MS, OPTION_BYTES, OPTION_BOOL, OPTION_TEXT };
enum { OPTION_TEXT_MAX = 256 };

struct option_spec {
    const char *name;                                             /* `lease_ms`; unit last */
    enum option_type type;
    uint64_t min, max, value;                                     /* bounds and default; for TEXT: min = least length */
    const char *text;                                             /* default of a TEXT option */
    size_t offset;                                                /* in the caller's struct */
    const char *sentence;                                         /* what it is for, one sentence */
};

void options_default(const struct option_spec *table, size_t count, void *into);
/* 0, -ENOENT (no such option; *ret_near, unless NULL, names the closest one), -EINVAL (does not parse), -ERANGE (out of
 * bounds; TEXT is counted in bytes). On failure the value stays.
 * Times accept `500ms 30s 5min 2h 1d`, sizes `512 64KiB 1MiB 4GiB`, booleans `true false`. */
int option_set(const struct option_spec *table, size_t count, void *into, struct slice name, struct slice value,
               const char **ret_near);
/* What a value of that option must be, said to whoever gave another: `it must be a time with its unit, such as 30s,
 * from 1s to 10min`. An option that is not there leaves nothing to say. */
enum { OPTION_RIGHT_BYTES = 160 };
void option_right(const struct option_spec *table, size_t count, struct slice name,
                  char to[static OPTION_RIGHT_BYTES]);
/* Hands `line` two lines an option, `# what it is for (bounds)` and `name: value`, as a settings file has them. */
void options_print(const struct option_spec *table, size_t count, const void *values,
                   void (*line)(void *to, const char *text), void *to);

/* ---- counters (stats.c) ------------------------------------------------------------------------------------------ */

/* Everything refused, dropped, retried late or resynced has a counter. One list, in counters.h, names them all. */
struct histogram {                                                /* powers of two of microseconds, 1 us .. 2^31 us */
    uint64_t bucket[32];
    uint64_t count, sum_us, max_us;
};
void histogram_add(struct histogram *h, uint64_t us);
uint64_t histogram_quantile_us(const struct histogram *h, double q);  /* upper bound of the bucket that holds it */

#endif
