/* files.c: a scratch directory, and directories that are spoiled and put back. */
#include "tests/fuzz/fuzz.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TOP_MAX = 200, PAGE = 4096 };

/* ---- the scratch directory --------------------------------------------------------------------------------------- */

static char top[TOP_MAX];
static pid_t owner;                                      /* a forked child must not remove it */

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *f) {
    (void)st, (void)type;
    return f->level == 0 && strcmp(path, top) != 0 ? 0 : remove(path);
}

static void remove_top(void) {
    if (getpid() == owner) (void)nftw(top, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

const char *scratch_path(const char *name, char to[static PATH_MAX_BYTES]) {
    if (!top[0]) {
        const char *tmp = getenv("TMPDIR");
        (void)snprintf(top, sizeof top, "%.150s/fuzz-XXXXXX", tmp ? tmp : "/dev/shm");
        CHECK(mkdtemp(top));
        owner = getpid();
        CHECK(atexit(remove_top) == 0);
    }
    (void)snprintf(to, PATH_MAX_BYTES, "%s%s%s", top, name[0] ? "/" : "", name);
    return to;
}

static void write_all(int fd, const uint8_t *at, size_t len, size_t offset) {
    CHECK(pwrite(fd, at, len, (off_t)offset) == (ssize_t)len);
}

void scratch_write(const char *name, struct slice bytes) {
    char path[PATH_MAX_BYTES];
    int fd = open(scratch_path(name, path), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    CHECK(fd >= 0);
    if (bytes.len) write_all(fd, bytes.at, bytes.len, 0);
    CHECK(close(fd) == 0);
}

/* ---- a directory as it was --------------------------------------------------------------------------------------- */

static void path_in(const struct kept *k, const char *name, char to[static PATH_MAX_BYTES]) {
    int len = snprintf(to, PATH_MAX_BYTES, "%s/%s", k->dir, name);
    CHECK(len > 0 && len < PATH_MAX_BYTES);
}

static void keep_file(struct kept *k, const char *name, size_t size) {
    char path[PATH_MAX_BYTES];
    CHECK(k->count < KEPT_MAX && strlen(name) < sizeof k->file[0].name);
    struct kept_file *f = &k->file[k->count++];
    *f = (struct kept_file){.bytes = calloc(1, size + 1), .len = size};
    memcpy(f->name, name, strlen(name) + 1);
    path_in(k, name, path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    CHECK(fd >= 0 && f->bytes && pread(fd, f->bytes, size, 0) == (ssize_t)size && close(fd) == 0);
    for (f->used = size; f->used && f->bytes[f->used - 1] == 0;) f->used--;
}

/* In the order of the names, so that an input means the same on every machine. Folders are one deep. */
static void keep_below(struct kept *k, const char *folder) {
    char path[PATH_MAX_BYTES];
    struct dirent **names;
    path_in(k, folder, path);
    int count = scandir(path, &names, NULL, alphasort);
    CHECK(count >= 0);
    for (int i = 0; i < count; i++) {
        char name[300];
        struct stat st;
        (void)snprintf(name, sizeof name, "%s%s%s", folder, folder[0] ? "/" : "", names[i]->d_name);
        path_in(k, name, path);
        CHECK(stat(path, &st) == 0);
        if (S_ISREG(st.st_mode)) keep_file(k, name, (size_t)st.st_size);
        else if (!folder[0] && names[i]->d_name[0] != '.') keep_below(k, name);
        free(names[i]);
    }
    free(names);
}

void keep(struct kept *k, const char *dir) {
    *k = (struct kept){.count = 0};
    (void)snprintf(k->dir, sizeof k->dir, "%s", dir);
    keep_below(k, "");
}

static bool kept_there(const struct kept *k, const char *name) {
    for (unsigned i = 0; i < k->count; i++)
        if (strcmp(k->file[i].name, name) == 0) return true;
    return false;
}

static void remove_new(const struct kept *k, const char *folder) {
    char path[PATH_MAX_BYTES], name[300];
    path_in(k, folder, path);
    DIR *d = opendir(path);
    CHECK(d);
    for (struct dirent *e; (e = readdir(d));) {
        struct stat st;
        (void)snprintf(name, sizeof name, "%s%s%s", folder, folder[0] ? "/" : "", e->d_name);
        path_in(k, name, path);
        if (e->d_name[0] == '.' || stat(path, &st) < 0) continue;
        if (S_ISDIR(st.st_mode)) remove_new(k, name), (void)rmdir(path);     /* goes when it is empty */
        else if (!kept_there(k, name)) CHECK(unlink(path) == 0);
    }
    CHECK(closedir(d) == 0);
}

static void put_file(const struct kept *k, const struct kept_file *f) {
    static const uint8_t zeroes[PAGE];
    char path[PATH_MAX_BYTES];
    path_in(k, f->name, path);
    (void)chmod(path, 0600);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    CHECK(fd >= 0 && ftruncate(fd, (off_t)f->len) == 0);
    for (size_t at = 0; at < f->used; at += PAGE) {
        size_t len = f->used - at < PAGE ? f->used - at : PAGE;
        if (memcmp(f->bytes + at, zeroes, len) != 0) write_all(fd, f->bytes + at, len, at);
    }
    CHECK(close(fd) == 0);
}

void put_back(const struct kept *k) {
    remove_new(k, "");
    for (unsigned i = 0; i < k->count; i++) {
        char path[PATH_MAX_BYTES];
        path_in(k, k->file[i].name, path);
        if (strchr(k->file[i].name, '/')) {
            *strrchr(path, '/') = '\0';
            (void)mkdir(path, 0700);                     /* its folder, if that has gone */
        }
        put_file(k, &k->file[i]);
    }
}

/* ---- damage ------------------------------------------------------------------------------------------------------ */

/* Somewhere in what is used, most often; near its end is where a power cut strikes. */
static size_t place_in(const struct kept_file *f, struct tape *t) {
    uint8_t how = tape_byte(t);
    size_t at = (size_t)tape_two(t) << 8 | tape_byte(t);
    if (how < 64) at = at % 1024;
    else if (how < 96) at = f->used - at % (f->used < 2048 ? f->used + 1 : 2048);
    else at = at % (how < 240 ? f->used + 1 : f->len + 1);
    return at < f->len ? at : f->len ? f->len - 1 : 0;
}

static void overwrite(int fd, const struct kept_file *f, struct tape *t, size_t at) {
    static uint8_t page[PAGE];
    size_t most = f->len - at < PAGE ? f->len - at : PAGE, from = place_in(f, t);
    switch (tape_below(t, 4)) {
    case 0: {                                            /* what the tape says */
        struct slice s = tape_bytes(t, 1 + tape_byte(t) % 64);
        if (s.len > most) s.len = most;
        if (s.len) write_all(fd, s.at, s.len, at);
        return;
    }
    case 1: memset(page, 0, sizeof page); break;         /* a hole */
    case 2: memset(page, 0xff, sizeof page); break;
    default:                                             /* another place's bytes: a write gone astray */
        if (f->len - from < most) most = f->len - from;
        memcpy(page, f->bytes + from, most);
    }
    size_t len = tape_byte(t) & 1 ? 512 : PAGE;
    write_all(fd, page, len < most ? len : most, at);
}

const struct kept_file *spoil(const struct kept *k, struct tape *t) {
    const struct kept_file *f = &k->file[tape_below(t, k->count)];
    char path[PATH_MAX_BYTES];
    path_in(k, f->name, path);
    uint8_t how = tape_byte(t);
    size_t at = place_in(f, t);
    if (how >= 248) {
        (void)unlink(path);
        return f;
    }
    (void)chmod(path, 0600);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0) return f;                                /* deleted before */
    if (how >= 232) CHECK(ftruncate(fd, (off_t)at) == 0);
    else if (how >= 224) CHECK(ftruncate(fd, (off_t)(f->len + at)) == 0);
    else if (how < 128 && f->len) {
        uint8_t byte = f->bytes[at] ^ (uint8_t)(1u << (how & 7));
        write_all(fd, &byte, 1, at);
    } else if (f->len) overwrite(fd, f, t, at);
    CHECK(close(fd) == 0);
    return f;
}
