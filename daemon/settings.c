/* settings.c: every option, once. These tables make the command line, the parser of whistled.yaml, `whistled
 * --print-config`, whistled(8), whistled.yaml(5) and the completion. */
#include "daemon/arguments.h"

#define AT(field) offsetof(struct settings, field)
#define KIB 1024ULL
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)
#define SECOND 1000ULL

const struct option_spec settings_table[] = {
    { "data", OPTION_TEXT, 1, 200, 0, "/var/lib/whistled", AT(data),
      "The store's directory; created when it does not exist." },
    { "config", OPTION_TEXT, 1, 200, 0, "/etc/whistled/qindu", AT(config),
      "The office's rules: divisions, categories, calendars, playbooks." },
    { "front", OPTION_TEXT, 1, 200, 0, "ipc:///run/whistled/front", AT(front),
      "Where reporting apps and tools connect (ipc:// or tcp on loopback)." },
    { "pool", OPTION_TEXT, 1, 200, 0, "ipc:///run/whistled/pool", AT(pool), "Where the desks' workers connect." },
    { "feed", OPTION_TEXT, 1, 200, 0, "ipc:///run/whistled/feed", AT(feed), "Where consoles connect." },
    { "http", OPTION_TEXT, 0, 64, 0, "", AT(http),
      "Where /metrics, /healthz and /readyz are served, such as 127.0.0.1:9464 (loopback only); empty: nowhere." },
    { "loopback_operates", OPTION_BOOL, 0, 1, 0, NULL, AT(loopback_operates),
      "Whoever connects over tcp on loopback may give an operator's orders, as in a drill; else root and the store's "
      "owner over ipc." },
    { "lease_ms", OPTION_MS, 1000, 600 * SECOND, 30 * SECOND, NULL, AT(lease_ms),
      "How long a worker may hold an offer without extending it." },
    { "segment_bytes", OPTION_BYTES, MIB, GIB, 64 * MIB, NULL, AT(segment_bytes),
      "Size of a journal segment, zero-filled ahead of use." },
    { "segments_ahead", OPTION_U64, 1, 16, 2, NULL, AT(segments_ahead),
      "Segments kept ready beyond the active one: the reserve that answers and deadlines live on when the disk is "
      "full." },
    { "map_bytes", OPTION_BYTES, 16 * MIB, 1024 * GIB, 64 * GIB, NULL, AT(map_bytes),
      "Address space for the state; virtual, never resized while running." },
    { "store_max_bytes", OPTION_BYTES, 0, 1024 * GIB, 0, NULL, AT(store_max_bytes),
      "The store's quota; 0: what the filesystem has. Reports stop at 85 % of it." },
    { "slots_ahead", OPTION_U64, 1024, 16 * MIB, 64 * KIB, NULL, AT(slots_ahead),
      "Key slots for sealed text kept ready ahead of use." },
    { "checkpoint_bytes", OPTION_BYTES, MIB, 4 * GIB, 64 * MIB, NULL, AT(checkpoint_bytes),
      "A checkpoint is due after so much journal." },
    { "checkpoint_changes", OPTION_U64, 100, 10000000, 50000, NULL, AT(checkpoint_changes),
      "A checkpoint is due after so many changed rows: bounds its stall and the memory it needs." },
    { "checkpoint_idle_ms", OPTION_MS, 10, 60 * SECOND, 200, NULL, AT(checkpoint_idle_ms),
      "A checkpoint is due when nothing has happened for so long." },
    { "checkpoint_age_ms", OPTION_MS, 1000, 600 * SECOND, 10 * SECOND, NULL, AT(checkpoint_age_ms),
      "No change stays out of a checkpoint for longer." },
    { "clock_step_ms", OPTION_MS, 100, 3600 * SECOND, 2 * SECOND, NULL, AT(clock_step_ms),
      "A step of the wall clock beyond this is doubted." },
    { "receipt_days", OPTION_U64, 30, 3650, 30, NULL, AT(receipt_days),
      "Receipts of commands are kept so many days, and as long as their case is open." },
    { "archive_after_days", OPTION_U64, 1, 36500, 1096, NULL, AT(archive_after_days),
      "A case is archived so many days after it ended." },
    { "drill_start_ms", OPTION_U64, 946684800000, 4102444800000, 1420088400000, NULL, AT(drill_start_ms),
      "A new drill store begins at this instant (UTC milliseconds); only read with --drill." },
    { "watchdog_ms", OPTION_MS, 1000, 3600 * SECOND, 60 * SECOND, NULL, AT(watchdog_ms),
      "A turn that takes longer than this is said in the log." },
    { "verify_full", OPTION_BOOL, 0, 1, 0, NULL, AT(verify_full),
      "Verify every byte of the journal and the state at start." },
    { "debug", OPTION_BOOL, 0, 1, 0, NULL, AT(debug), "Log debug lines." },
};

const size_t settings_count = COUNT_OF(settings_table);

#define WORD(field) offsetof(struct arguments, field)
const struct argument_word argument_words[] = {
    { "--check", "read the settings and the office's rules, say what is wrong, and exit", WORD(check) },
    { "--print-config", "show every option with its value, bounds and meaning, and exit", WORD(print_config) },
    { "--drill", "create the store as a drill store (演练): its clock is driven by `whistlectl drill`", WORD(drill) },
    { "--version", "say which version this is, and exit", WORD(version) },
    { "--help", "this text", WORD(help) },
};
const size_t argument_words_count = COUNT_OF(argument_words);
