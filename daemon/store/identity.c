/* identity.c: the files that say which store this is, and the lock that says whose it is now.
 *
 *   FORMAT   text: what it is, its id, its kind. Written last: a directory without it is no store
 *   key      64 hexadecimal digits: the MAC of the journal's headers
 *
 * A drill store draws nothing by chance: id, key and slots come from one seed, so that two drills are the same. */
#include "daemon/store/file.h"
#include "daemon/store/store_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/vfs.h>
#include <unistd.h>

enum { EXT4_MAGIC = 0xEF53, XFS_MAGIC = 0x58465342 };

#define HELP "; see `whistlectl recover --help`"

int store_say(char problem[static STORE_PROBLEM_SIZE], int r, const char *what, const char *why) {
    if (r < 0 && problem[0] == '\0')
        (void)snprintf(problem, STORE_PROBLEM_SIZE, "%s: %s", what, why && *why ? why : strerror(-r));
    return r;
}

/* ---- places ------------------------------------------------------------------------------------------------------ */

int path_in(const char *dir, const char *name, char to[static STORE_PATH_SIZE]) {
    int len = snprintf(to, STORE_PATH_SIZE, "%s/%s", dir, name);
    return (unsigned)len >= STORE_PATH_SIZE ? -ENAMETOOLONG : 0;
}

int store_lock(const char *dir, int *ret_fd) {
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        int r = errno == EWOULDBLOCK ? -EBUSY : -errno;
        (void)close(fd);
        return r;
    }
    *ret_fd = fd;
    return 0;
}

bool fs_supported(int dir) {
    struct statfs fs;
    return fstatfs(dir, &fs) == 0 && (fs.f_type == EXT4_MAGIC || fs.f_type == XFS_MAGIC);
}

struct journal_options journal_options_of(const struct store_options *o, const char *dir, const struct identity *id) {
    struct journal_options j = {
        .dir = dir, .key = id->key, .segment_bytes = o->segment_bytes, .segments_ahead = o->segments_ahead,
        .read_only = o->read_only,
    };
    memcpy(j.store_id, id->id, sizeof j.store_id);
    return j;
}

/* ---- drawing ----------------------------------------------------------------------------------------------------- */

static struct key drill_key(struct slice of_what) {
    static const struct key seed = {{'w', 'h', 'i', 's', 't', 'l', 'e', 'd', ' ', 'd', 'r', 'i', 'l', 'l'}};
    struct hash h = hash_keyed(&seed, of_what);
    struct key k;
    memcpy(k.byte, h.byte, KEY_SIZE);
    return k;
}

struct key drill_seed(void) {
    return drill_key(SLICE("slots"));
}

void identity_draw(struct identity *ret, bool drill) {
    ret->drill = drill;
    if (drill) {
        struct key id = drill_key(SLICE("id"));
        memcpy(ret->id, id.byte, sizeof ret->id);
        ret->key = drill_key(SLICE("journal"));
        return;
    }
    random_bytes(ret->id, sizeof ret->id);
    random_bytes(ret->key.byte, sizeof ret->key.byte);
}

/* ---- hexadecimal ------------------------------------------------------------------------------------------------- */

void hex_print(const uint8_t *from, size_t len, char to[static HEX_MAX + 1]) {
    CHECK(2 * len <= HEX_MAX);
    for (size_t i = 0; i < len; i++)
        (void)snprintf(to + 2 * i, 3, "%02x", from[i]);
}

static int nibble(uint8_t c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool hex_parse(struct slice s, uint8_t *to, size_t len) {
    if (s.len != 2 * len)
        return false;
    for (size_t i = 0; i < len; i++) {
        int high = nibble(s.at[2 * i]), low = nibble(s.at[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        to[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

/* ---- files ------------------------------------------------------------------------------------------------------- */

static int file_put(int dir, const char *name, const char *text, mode_t mode) {
    int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0)
        return -errno;
    int r = file_write(fd, slice_of(text), 0);
    if (r == 0 && fsync(fd) < 0)
        r = -errno;
    (void)close(fd);
    return r;
}

int identity_file(int dir, const char *name, uint8_t to[static IDENTITY_FILE_MAX], struct slice *ret) {
    int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return -errno;
    ssize_t n = read(fd, to, IDENTITY_FILE_MAX);
    int r = n < 0 ? -errno : 0;
    (void)close(fd);
    if (r == 0)
        *ret = slice_from(to, (size_t)n);
    return r;
}

int identity_write_key(int dir, const struct identity *id) {
    char text[HEX_MAX + 2], hex[HEX_MAX + 1];
    hex_print(id->key.byte, KEY_SIZE, hex);
    (void)snprintf(text, sizeof text, "%s\n", hex);
    int r = file_put(dir, "key", text, 0600);
    wipe(text, sizeof text);
    wipe(hex, sizeof hex);
    return r;
}

int identity_write_format(int dir, const struct identity *id) {
    char text[IDENTITY_FILE_MAX], hex[HEX_MAX + 1], created[32];
    hex_print(id->id, sizeof id->id, hex);
    instant_print(clock_wall_ms(), created);
    (void)snprintf(text, sizeof text, "whistled store %d\nid %s\nkind %s\ncreated %s\n", STORE_FORMAT, hex,
                   id->drill ? "drill" : "ordinary", created);
    return file_put(dir, "FORMAT", text, 0644);
}

bool line_take(struct slice *text, struct slice name, struct slice *ret) {
    struct slice line, rest;
    if (!slice_cut(*text, '\n', &line, &rest) || !slice_starts(line, name) || line.len <= name.len
        || line.at[name.len] != ' ')
        return false;
    *ret = slice_from(line.at + name.len + 1, line.len - name.len - 1);
    *text = rest;
    return true;
}

static int format_read(struct slice text, struct identity *ret, char problem[static STORE_PROBLEM_SIZE]) {
    struct slice version, id, kind, created;
    uint64_t number = 0;
    if (!line_take(&text, SLICE("whistled store"), &version) || !parse_u64(version, &number)) {
        (void)snprintf(problem, STORE_PROBLEM_SIZE, "FORMAT does not name a store of whistled" HELP);
        return -EBADMSG;
    }
    if (number != STORE_FORMAT) {
        (void)snprintf(problem, STORE_PROBLEM_SIZE, "FORMAT says store %llu and this program knows store %d: start the "
                       "version of whistled that wrote it" HELP, (unsigned long long)number, STORE_FORMAT);
        return -EPROTO;
    }
    bool good = line_take(&text, SLICE("id"), &id) && hex_parse(id, ret->id, sizeof ret->id)
        && line_take(&text, SLICE("kind"), &kind) && line_take(&text, SLICE("created"), &created) && text.len == 0;
    if (!good || (!slice_equal(kind, SLICE("drill")) && !slice_equal(kind, SLICE("ordinary")))) {
        (void)snprintf(problem, STORE_PROBLEM_SIZE, "FORMAT is damaged" HELP);
        return -EBADMSG;
    }
    ret->drill = slice_equal(kind, SLICE("drill"));
    return 0;
}

int identity_copy_format(int from, int to) {
    uint8_t bytes[IDENTITY_FILE_MAX];
    char text[IDENTITY_FILE_MAX + 1];
    struct slice format;
    int r = identity_file(from, "FORMAT", bytes, &format);
    if (r < 0)
        return r;
    (void)snprintf(text, sizeof text, "%.*s", (int)format.len, (const char *)format.at);
    return file_put(to, "FORMAT", text, 0644);
}

int identity_read(int dir, struct identity *ret, char problem[static STORE_PROBLEM_SIZE]) {
    uint8_t bytes[IDENTITY_FILE_MAX];
    struct slice text, hex, rest;
    int r = identity_file(dir, "FORMAT", bytes, &text);
    if (r == -ENOENT)
        (void)snprintf(problem, STORE_PROBLEM_SIZE, "there is no FORMAT here: not a store (`data` in whistled.yaml "
                       "names it), or one that has lost it (put it back from a backup); for a new one name a directory "
                       "that is not there yet" HELP);
    if (r == 0)
        r = format_read(text, ret, problem);
    if (r < 0)
        return r;
    r = identity_file(dir, "key", bytes, &text);
    if (r == 0 && !(slice_cut(text, '\n', &hex, &rest) && rest.len == 0 && hex_parse(hex, ret->key.byte, KEY_SIZE)))
        r = -EBADMSG;
    wipe(bytes, sizeof bytes);
    if (r < 0)
        (void)snprintf(problem, STORE_PROBLEM_SIZE, "the file `key` is missing or damaged: without it the journal "
                       "cannot be told from a forgery; put it back from a backup" HELP);
    return r == -ENOENT ? -EBADMSG : r;
}
