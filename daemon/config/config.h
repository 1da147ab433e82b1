/* config.h: files -> rules. YAML and CSV in, one checked, canonical PbRules out; every error names file, line and key.
 *
 *   <dir>/office.yaml            name, district, calendar, promise sources, which files follow
 *   <dir>/divisions.csv          code,name,level,parent          grids are generated from `grids:` of office.yaml
 *   <dir>/categories.csv         code,... (config/qindu/DATA.md)
 *   <dir>/departments.csv        name_zh,role,level              what the categories' department names mean
 *   <dir>/roles.yaml             roles and which divisions have them
 *   <dir>/calendars/....yaml     zone, weekly windows, dated overrides
 *   <dir>/playbooks/....yaml     stages
 *
 * Aliases and nesting deeper than 16 are refused; unknown keys are errors. Nothing here is read by the kernel: it sees
 * the compiled form. Compiling is deterministic: same files, same bytes, on any machine (zones come from the files, not
 * from the machine's tzdata). */
#ifndef CONFIG_H
#define CONFIG_H
#include "lib/base/base.h"
#include "lib/crypto/crypto.h"
#include "whistle.pb-c.h"

enum { CONFIG_FILE_BYTES_MAX = 4 << 20, CONFIG_DEPTH_MAX = 16, CONFIG_ARENA_BYTES = 32 << 20 };

struct config_error { char file[200]; unsigned line; char key[80]; char what[240]; };   /* line 0: the whole file */
/* FILE:LINE: key: what; without a line or a key when there is none. */
enum { CONFIG_ERROR_BYTES = 560 };
const char *config_error_line(const struct config_error *e, char to[static CONFIG_ERROR_BYTES]);

/* Loads and checks a directory. `room` takes everything (CONFIG_ARENA_BYTES is plenty). 0, or -EINVAL with the
 * error filled, or -ENOENT... */
int config_load(const char *dir, struct arena *room, PbRules **ret, struct config_error *error);
/* The canonical bytes and their BLAKE2b: what is journaled at adoption. */
int config_canonical(PbRules *rules, struct arena *room, struct slice *ret_bytes, struct hash *ret_hash);

/* What differs, a line each: `+ category E0507 ...`, `- ...`, `~ playbook incident: stages.street.handling 10wd ->
 * 8wd`. Both are sorted, as config_load and the store give them. `text` is borrowed for the call. */
enum { CONFIG_LINE_BYTES = 320 };
typedef void config_line(void *to, const char *text);
void config_diff(const PbRules *before, const PbRules *after, config_line *each, void *to);

/* whistled.yaml: flat `name: value` pairs over an option table. The same errors. */
int config_settings(const char *file, const struct option_spec *table, size_t count, void *into,
                    struct config_error *error);
#endif
