/* manifest.c: MANIFEST, the file that makes a directory a backup. Text, a line a thing, closed by a hash over all lines
 * before it; docs/data.md has the format. Names are ours alone: nothing that a manifest says leads out of the
 * backup. */
#include "daemon/store/backup_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MANIFEST_BYTES_MAX = 64 << 20, LINE_MAX_BYTES = 256 };

/* ---- names ------------------------------------------------------------------------------------------------------- */

/* journal/00000003.seg is sealed; journal/00000004.seg.812 was the tail when seq 812 was the last. */
uint64_t archived_ordinal(const char *name) {
    char segment[13];
    uint64_t seq = 0;
    if (!slice_starts(slice_of(name), SLICE("journal/")) || strlen(name) < 20)
        return 0;
    memcpy(segment, name + 8, 12);
    segment[12] = '\0';
    bool good = name[20] == '\0' || (name[20] == '.' && parse_u64(slice_of(name + 21), &seq));
    return good ? segment_ordinal(segment) : 0;
}

static bool named_by_seq(const char *name, struct slice before, struct slice behind) {
    struct slice s = slice_of(name);
    uint64_t seq;
    return slice_starts(s, before) && s.len > before.len + behind.len
        && slice_equal(slice_from(s.at + s.len - behind.len, behind.len), behind)
        && parse_u64(slice_from(s.at + before.len, s.len - before.len - behind.len), &seq);
}

bool archived_state(const char *name) {
    return named_by_seq(name, SLICE("state-"), SLICE(".mdb"));
}

bool archived_base(const char *name) {
    return named_by_seq(name, SLICE("base-"), SLICE(".dump"));
}

static bool name_known(const char *name) {
    return strcmp(name, "FORMAT") == 0 || strcmp(name, "key") == 0 || archived_state(name) || archived_base(name)
        || archived_ordinal(name);
}

/* ---- in memory --------------------------------------------------------------------------------------------------- */

int manifest_add(struct manifest *m, const char *name, uint64_t bytes, const struct hash *hash) {
    CHECK(name_known(name) && strlen(name) < ARCHIVED_NAME_SIZE);
    if (m->files_count == m->files_cap) {
        size_t cap = m->files_cap ? 2 * m->files_cap : 64;
        struct archived *files = reallocarray(m->files, cap, sizeof *files);
        if (!files)
            return -ENOMEM;
        m->files = files;
        m->files_cap = cap;
    }
    struct archived *a = &m->files[m->files_count++];
    *a = (struct archived){.bytes = bytes, .hash = *hash};
    (void)snprintf(a->name, sizeof a->name, "%s", name);
    return 0;
}

const struct archived *manifest_find(const struct manifest *m, const char *name) {
    for (size_t i = 0; i < m->files_count; i++)
        if (strcmp(m->files[i].name, name) == 0)
            return &m->files[i];
    return NULL;
}

void manifest_done(struct manifest *m) {
    free(m->files);
    *m = (struct manifest){.seq = 0};
}

/* ---- written ----------------------------------------------------------------------------------------------------- */

static size_t print_head(const struct manifest *m, char *to, size_t cap) {
    char id[HEX_MAX + 1], made[32], digest[2 * HASH_SIZE + 1] = "-";
    hex_print(m->store_id, sizeof m->store_id, id);
    instant_print(m->made_ms, made);
    if (m->has_state)
        hash_print(&m->digest, digest);
    int len = snprintf(to, cap, "whistled backup 1\nstore %s\nkind %s\nmade %s\nseq %llu\nepoch %llu\nstate-seq %llu\n"
                       "digest %s\n", id, m->drill ? "drill" : "ordinary", made, (unsigned long long)m->seq,
                       (unsigned long long)m->epoch, (unsigned long long)m->state_seq, digest);
    CHECK(len > 0 && (size_t)len < cap);
    return (size_t)len;
}

static size_t print_file(const struct archived *a, char *to, size_t cap) {
    char hash[2 * HASH_SIZE + 1];
    hash_print(&a->hash, hash);
    int len = snprintf(to, cap, "file %s %llu %s\n", a->name, (unsigned long long)a->bytes, hash);
    CHECK(len > 0 && (size_t)len < cap);
    return (size_t)len;
}

int manifest_write(const struct manifest *m, int dir) {
    size_t cap = 1024 + m->files_count * LINE_MAX_BYTES, len = 0;
    char *text = malloc(cap), sum[2 * HASH_SIZE + 1];
    if (!text)
        return -ENOMEM;
    len = print_head(m, text, cap);
    for (size_t i = 0; i < m->files_count; i++)
        len += print_file(&m->files[i], text + len, cap - len);
    struct hash hash = hash_of(slice_from(text, len));
    hash_print(&hash, sum);
    len += (size_t)snprintf(text + len, cap - len, "sum %s\n", sum);
    int r = file_put_text(dir, "MANIFEST", slice_from(text, len), 0644);
    free(text);
    return r;
}

/* ---- read -------------------------------------------------------------------------------------------------------- */

static bool take_number(struct slice *text, struct slice name, uint64_t *ret) {
    struct slice value;
    return line_take(text, name, &value) && parse_u64(value, ret);
}

static bool take_head(struct slice *text, struct manifest *m) {
    struct slice id, kind, made, digest;
    bool good = line_take(text, SLICE("store"), &id) && hex_parse(id, m->store_id, sizeof m->store_id)
        && line_take(text, SLICE("kind"), &kind) && line_take(text, SLICE("made"), &made)
        && instant_parse(made, &m->made_ms) && take_number(text, SLICE("seq"), &m->seq)
        && take_number(text, SLICE("epoch"), &m->epoch) && take_number(text, SLICE("state-seq"), &m->state_seq)
        && line_take(text, SLICE("digest"), &digest);
    if (!good)
        return false;
    m->drill = slice_equal(kind, SLICE("drill"));
    m->has_state = !slice_equal(digest, SLICE("-"));
    return !m->has_state || hex_parse(digest, m->digest.byte, HASH_SIZE);
}

static bool take_file(struct slice *text, struct manifest *m) {
    struct slice line, name, rest, bytes, hash;
    struct archived a;
    if (!line_take(text, SLICE("file"), &line) || !slice_cut(line, ' ', &name, &rest)
        || !slice_cut(rest, ' ', &bytes, &hash) || name.len >= sizeof a.name)
        return false;
    (void)snprintf(a.name, sizeof a.name, "%.*s", (int)name.len, (const char *)name.at);
    if (!name_known(a.name) || !parse_u64(bytes, &a.bytes) || !hex_parse(hash, a.hash.byte, HASH_SIZE))
        return false;
    return manifest_add(m, a.name, a.bytes, &a.hash) == 0;
}

static int parse(struct slice whole, struct manifest *m, char problem[static STORE_PROBLEM_SIZE]) {
    enum { SUM_LINE = 4 + 2 * HASH_SIZE + 1 };
    struct slice version, text = whole, sum;
    struct hash said, is;
    uint64_t number = 0;
    if (line_take(&text, SLICE("whistled backup"), &version) && parse_u64(version, &number) && number != 1) {
        (void)snprintf(problem, STORE_PROBLEM_SIZE, "MANIFEST says backup %llu and this program knows backup 1: use "
                       "the version of whistlectl that made it", (unsigned long long)number);
        return -EPROTO;
    }
    bool good = number == 1 && whole.len > SUM_LINE;
    if (good) {
        struct slice last = slice_from(whole.at + whole.len - SUM_LINE, SUM_LINE);
        is = hash_of(slice_from(whole.at, whole.len - SUM_LINE));
        good = line_take(&last, SLICE("sum"), &sum) && hex_parse(sum, said.byte, HASH_SIZE) && hash_equal(&said, &is);
    }
    text.len -= good ? (size_t)SUM_LINE : 0;
    good = good && take_head(&text, m);
    while (good && text.len)
        good = take_file(&text, m);
    if (!good)
        (void)snprintf(problem, STORE_PROBLEM_SIZE, "MANIFEST is damaged: this backup cannot be told from a forgery; "
                       "use another one");
    return good ? 0 : -EBADMSG;
}

int manifest_read(struct manifest *ret, int dir, char problem[static STORE_PROBLEM_SIZE]) {
    *ret = (struct manifest){.seq = 0};
    int fd = openat(dir, "MANIFEST", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return -errno;
    uint64_t size = 0;
    uint8_t *bytes = NULL;
    int r = file_size(fd, &size);
    if (r == 0 && size > MANIFEST_BYTES_MAX)
        r = archive_say(problem, -EBADMSG, "MANIFEST", "is larger than any can be");
    if (r == 0)
        r = (bytes = malloc(size + 1)) ? file_read(fd, bytes, size, 0) : -ENOMEM;
    (void)close(fd);
    if (r == 0)
        r = parse(slice_from(bytes, size), ret, problem);
    free(bytes);
    if (r < 0)
        manifest_done(ret);
    return r;
}
