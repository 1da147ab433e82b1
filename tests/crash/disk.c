#include "tests/crash/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static void must(bool x, const char *what) {
    if (x)
        return;
    perror(what);
    abort();
}

uint64_t dice_roll(uint64_t *dice, uint64_t sides) {
    *dice ^= *dice << 13;
    *dice ^= *dice >> 7;
    *dice ^= *dice << 17;
    return *dice % sides;
}

/* ---- the pool ---------------------------------------------------------------------------------------------------- */

void pool_make(struct pool *p, size_t cap) {
    void *base = mmap(NULL, cap, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    must(base != MAP_FAILED, "a pool");
    *p = (struct pool){.base = base, .cap = cap};
}

void pool_reset(struct pool *p) {
    p->used = 0;
}

static void *pool_take(struct pool *p, size_t len) {
    len = (len + 15) / 16 * 16;
    must(len <= p->cap - p->used, "a larger pool");
    void *at = p->base + p->used;
    p->used += len;
    return at;
}

static bool pool_owns(const struct pool *p, const uint8_t *at) {
    return at >= p->base && at < p->base + p->cap;
}

/* ---- bytes ------------------------------------------------------------------------------------------------------- */

static void file_reach(struct disk *d, struct disk_file *f, size_t pages) {
    if (pages <= f->pages_count)
        return;
    size_t count = f->pages_count * 2 > pages ? f->pages_count * 2 : pages;
    uint8_t **table = pool_take(d->pool, count * sizeof *table);
    memset(table, 0, count * sizeof *table);
    if (f->pages_count)
        memcpy(table, f->pages, f->pages_count * sizeof *table);
    f->pages = table;
    f->pages_count = count;
}

static uint8_t *page_own(struct disk *d, struct disk_file *f, size_t number) {
    uint8_t *old = f->pages[number];
    if (old && pool_owns(d->pool, old))
        return old;
    uint8_t *page = pool_take(d->pool, DISK_PAGE);
    if (old)
        memcpy(page, old, DISK_PAGE);
    else
        memset(page, 0, DISK_PAGE);
    return f->pages[number] = page;
}

/* bytes NULL: zeroes. */
void disk_put(struct disk *d, struct disk_file *f, uint64_t offset, const void *bytes, size_t len) {
    const uint8_t *from = bytes;
    if (offset + len > f->size)
        f->size = offset + len;
    file_reach(d, f, (size_t)((f->size + DISK_PAGE - 1) / DISK_PAGE));
    for (size_t done = 0, n; done < len; done += n) {
        size_t number = (size_t)((offset + done) / DISK_PAGE), at = (size_t)((offset + done) % DISK_PAGE);
        n = len - done < DISK_PAGE - at ? len - done : DISK_PAGE - at;
        if (from)
            memcpy(page_own(d, f, number) + at, from + done, n);
        else if (f->pages[number])
            memset(page_own(d, f, number) + at, 0, n);
    }
}

void disk_get(const struct disk_file *f, uint64_t offset, void *bytes, size_t len) {
    uint8_t *to = bytes;
    memset(to, 0, len);
    for (size_t i = 0; i < len && offset + i < f->size; i++) {
        const uint8_t *page = f->pages[(offset + i) / DISK_PAGE];
        to[i] = page ? page[(offset + i) % DISK_PAGE] : 0;
    }
}

static void file_resize(struct disk *d, struct disk_file *f, uint64_t size) {
    uint64_t before = f->size;
    f->size = size;
    file_reach(d, f, (size_t)((size + DISK_PAGE - 1) / DISK_PAGE));
    if (size < before) {
        disk_put(d, f, size, NULL, (size_t)(before - size));
        f->size = size;
    }
}

static void apply_bytes(struct disk *d, const struct entry *e, bool torn, uint64_t *dice) {
    struct disk_file *f = &d->file[e->inode];
    if (e->kind == TAPE_RESIZE) {
        file_resize(d, f, e->offset);
        return;
    }
    for (size_t at = 0, n; at < e->len; at += n) {
        n = e->len - at;
        size_t edge = DISK_SECTOR - (size_t)((e->offset + at) % DISK_SECTOR);
        if (torn && n > edge)
            n = edge;
        if (!torn || dice_roll(dice, 2))
            disk_put(d, f, e->offset + at, e->bytes ? e->bytes + at : NULL, n);
    }
}

/* ---- names ------------------------------------------------------------------------------------------------------- */

static struct disk_name *name_find(struct disk *d, uint32_t dir, const char *name) {
    for (size_t i = 0; i < d->names; i++)
        if (d->name[i].dir == dir && strcmp(d->name[i].name, name) == 0)
            return &d->name[i];
    return NULL;
}

static void name_put(struct disk *d, uint32_t dir, const char *name, uint32_t inode) {
    struct disk_name *n = name_find(d, dir, name);
    must(n || d->names < DISK_NAMES_MAX, "a name more");
    if (!n)
        n = &d->name[d->names++];
    *n = (struct disk_name){.dir = dir, .inode = inode};
    (void)snprintf(n->name, sizeof n->name, "%s", name);
}

static bool name_drop(struct disk *d, uint32_t dir, const char *name, uint32_t inode) {
    struct disk_name *n = name_find(d, dir, name);
    if (!n || n->inode != inode)
        return false;
    *n = d->name[--d->names];
    return true;
}

static void apply_name(struct disk *d, const struct entry *e) {
    switch (e->kind) {
    case TAPE_CREATE: case TAPE_MKDIR:
        name_put(d, e->dir, e->name, e->inode);
        return;
    case TAPE_UNLINK:
        (void)name_drop(d, e->dir, e->name, e->inode);
        return;
    case TAPE_RENAME:
        if (name_drop(d, e->dir, e->name, e->inode))
            name_put(d, e->to_dir, e->to_name, e->inode);
        return;
    case TAPE_WRITE: case TAPE_RESIZE: case TAPE_SYNC: default:
        abort();
    }
}

static bool is_bytes(const struct entry *e) {
    return e->kind == TAPE_WRITE || e->kind == TAPE_RESIZE;
}

/* ---- playing ----------------------------------------------------------------------------------------------------- */

void disk_begin(struct disk *d, struct pool *pool) {
    memset(d, 0, sizeof *d);
    pool_reset(pool);
    d->pool = pool;
    d->files = 1;
    d->file[TAPE_ROOT] = (struct disk_file){.there = true, .dir = true};
}

static uint32_t synced_by(const struct entry *e) {
    return is_bytes(e) ? e->inode : e->kind == TAPE_RENAME ? e->to_dir : e->dir;
}

static void settle(struct disk *d, uint32_t inode) {
    size_t left = 0;
    for (size_t i = 0; i < d->pending_count; i++) {
        const struct entry *e = d->pending[i];
        if (synced_by(e) != inode)
            d->pending[left++] = e;
        else if (is_bytes(e))
            apply_bytes(d, e, false, NULL);
        else
            apply_name(d, e);
    }
    d->pending_count = left;
}

static bool lies_about(const struct disk *d, uint32_t inode, enum disk_lie lie) {
    if (lie != DISK_IGNORES_SYNCS_OF_STATE)
        return lie == DISK_IGNORES_SYNCS;
    for (size_t i = 0; i < d->names; i++)
        if (d->name[i].inode == inode && strcmp(d->name[i].name, "state.mdb") == 0)
            return true;
    return false;
}

void disk_play(struct disk *d, const struct entry *e, enum disk_lie lie) {
    if (e->kind == TAPE_CREATE || e->kind == TAPE_MKDIR) {
        d->file[e->inode] = (struct disk_file){.there = true, .dir = e->kind == TAPE_MKDIR};
        if (d->files <= e->inode)
            d->files = e->inode + 1;
    }
    if (e->kind == TAPE_SYNC) {
        if (!lies_about(d, e->inode, lie))
            settle(d, e->inode);
        return;
    }
    if (e->through && !lies_about(d, e->inode, lie)) {
        apply_bytes(d, e, false, NULL);
        return;
    }
    must(d->pending_count < DISK_PENDING_MAX, "more under way");
    d->pending[d->pending_count++] = e;
}

bool disk_names_pending(const struct disk *d) {
    for (size_t i = 0; i < d->pending_count; i++)
        if (!is_bytes(d->pending[i]))
            return true;
    return false;
}

/* ---- images ------------------------------------------------------------------------------------------------------ */

void disk_copy(const struct disk *d, struct pool *pool, struct disk *ret) {
    ret->pool = pool;
    ret->files = d->files, ret->names = d->names, ret->pending_count = 0;
    memcpy(ret->file, d->file, d->files * sizeof *d->file);
    memcpy(ret->name, d->name, d->names * sizeof *d->name);
    for (uint32_t i = 0; i < ret->files; i++) {
        struct disk_file *f = &ret->file[i];
        if (!f->pages_count)
            continue;
        uint8_t **table = pool_take(pool, f->pages_count * sizeof *table);
        memcpy(table, f->pages, f->pages_count * sizeof *table);
        f->pages = table;
    }
}

void disk_carry(const struct disk *d, struct disk *copy) {
    memcpy(copy->pending, d->pending, d->pending_count * sizeof *d->pending);
    copy->pending_count = d->pending_count;
}

void disk_image(const struct disk *d, enum disk_kind kind, uint64_t *dice, struct pool *pool, struct disk *ret) {
    pool_reset(pool);
    disk_copy(d, pool, ret);
    uint64_t lost = d->pending_count > 1 ? dice_roll(dice, d->pending_count - 1) : 0;
    for (size_t i = 0; i < d->pending_count && kind != DISK_LOST; i++) {
        const struct entry *e = d->pending[i];
        bool keep = kind == DISK_KEPT || (kind == DISK_REORDERED && i != lost)
            || (kind == DISK_NAMELESS && is_bytes(e)) || (kind != DISK_REORDERED && dice_roll(dice, 2));
        if (is_bytes(e) && (keep || kind == DISK_TORN))
            apply_bytes(ret, e, kind == DISK_TORN && !keep, dice);
        else if (keep)
            apply_name(ret, e);
    }
}

static uint64_t mark_more(uint64_t mark, const void *bytes, size_t len) {
    const uint8_t *at = bytes;
    for (uint64_t word; len; at += sizeof word, len -= sizeof word) {
        memcpy(&word, at, sizeof word);
        mark = (mark ^ word) * 0x9e3779b97f4a7c15;
        mark ^= mark >> 32;
    }
    return mark;
}

static uint64_t mark_file(const struct disk_file *f) {
    uint64_t mark = mark_more(1, &f->size, sizeof f->size);
    for (uint64_t i = 0; i * DISK_PAGE < f->size; i++)
        if (f->pages[i])
            mark = mark_more(mark_more(mark, &i, sizeof i), f->pages[i], DISK_PAGE);
    return mark;
}

/* The names in any order. */
uint64_t disk_mark(const struct disk *d) {
    uint64_t all = 0;
    _Static_assert(TAPE_NAME_SIZE % sizeof all == 0, "whole words");
    for (size_t i = 0; i < d->names; i++) {
        const struct disk_name *n = &d->name[i];
        char name[TAPE_NAME_SIZE] = "";
        memcpy(name, n->name, strlen(n->name));
        const uint64_t words[] = {n->dir, n->inode, d->file[n->inode].dir ? 0 : mark_file(&d->file[n->inode])};
        all += mark_more(mark_more(1, words, sizeof words), name, sizeof name);
    }
    return all;
}

/* ---- as files ---------------------------------------------------------------------------------------------------- */

static void write_file(const struct disk_file *f, const char *path) {
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    must(fd >= 0 && syscall(SYS_ftruncate, fd, f->size) == 0, path);
    for (size_t i = 0; i * DISK_PAGE < f->size; i++) {
        size_t left = (size_t)f->size - i * DISK_PAGE, n = left < DISK_PAGE ? left : DISK_PAGE;
        if (f->pages[i])
            must(syscall(SYS_pwrite64, fd, f->pages[i], n, i * DISK_PAGE) == (long)n, path);
    }
    (void)syscall(SYS_close, fd);
}

static void write_dir(const struct disk *d, uint32_t dir, const char *path, struct tape *known) {
    for (size_t i = 0; i < d->names; i++) {
        char below[PATH_MAX];
        const struct disk_name *n = &d->name[i];
        if (n->dir != dir)
            continue;
        must(snprintf(below, sizeof below, "%s/%s", path, n->name) < (int)sizeof below, path);
        if (d->file[n->inode].dir) {
            must(syscall(SYS_mkdir, below, 0700) == 0, below);
            write_dir(d, n->inode, below, known);
        } else {
            write_file(&d->file[n->inode], below);
        }
        if (known)
            tape_know(known, n->inode, below);
    }
}

void disk_write(const struct disk *d, const char *root, struct tape *known) {
    write_dir(d, TAPE_ROOT, root, known);
    if (known && known->inodes < d->files)
        known->inodes = d->files;
}

struct disk_file *disk_find(struct disk *d, const char *path) {
    uint32_t at = TAPE_ROOT;
    char part[TAPE_NAME_SIZE];
    while (*path) {
        size_t len = strcspn(path, "/");
        must(len < sizeof part, path);
        memcpy(part, path, len);
        part[len] = '\0';
        struct disk_name *n = name_find(d, at, part);
        if (!n)
            return NULL;
        at = n->inode;
        path += len + (path[len] == '/');
    }
    return &d->file[at];
}
