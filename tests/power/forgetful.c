/* forgetful.c: a disk that forgets what was not synced, and the power cut that makes it.
 *
 *     forgetful [-s SEED] [-n STEPS] [-l] DIRECTORY MOUNTPOINT
 *
 * Mounts the tree that stands in DIRECTORY. Every node has two images: what programs have SEEN, which every call
 * changes at once, and what is KEPT on the platter. Between the two lies the node's list of changes; a sync plays it
 * onto KEPT: of a file its bytes and its length, of a directory its names. A file that was synced in a directory that
 * was not has no name yet.
 *
 * SIGUSR1, or the STEPS-th change or sync since the start, cuts the power: each waiting change is kept or lost by the
 * dice, a write also in part, sector by sector; DIRECTORY becomes what is left; this program ends, and every call to
 * the mount fails from then on (ENOTCONN). Unmounting it loses nothing.
 *
 * -l is a disk that lies: it says that it has synced, and has not. Who tests with this program must notice.
 *
 * Modes are kept at once, times and owners not at all; a rename stays in its directory; a sector is never torn inside.
 * One thread answers one call after the other: a cut falls between two calls, and since a sync's changes are still
 * waiting before it, in the middle of any sync as well. */
#define FUSE_USE_VERSION 312
#define _FILE_OFFSET_BITS 64
#include <fuse3/fuse_lowlevel.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { SECTOR_BYTES = 512, BLOCK_BYTES = 4096, PATH_BYTES = 4096, WALK_FDS = 16 };
static const double CACHED_S = 3600;                   /* the kernel may remember: nobody else changes the tree */

enum image { SEEN, KEPT, IMAGES };

struct bytes { uint8_t *at; size_t size, room; };
struct name { struct name *next; struct node *node; char text[]; };
struct node {
    mode_t mode;
    struct bytes bytes[IMAGES];                        /* of a file */
    struct name *names[IMAGES];                        /* of a directory */
    struct change *first, **last;                      /* not synced, oldest first; last: where the next one is hung */
    struct node *older;                                /* every node there ever was */
};

/* NAMES: `gone` loses its node and `come` gets one, both at once, as a rename does; "" is no name. */
struct change {
    struct change *next;
    enum change_kind { WRITE, RESIZE, NAMES } kind;
    size_t at, len;                                    /* RESIZE: len alone */
    struct node *node;
    char *gone, *come;
    uint8_t bytes[];
};

static struct node *root, *newest;
static uint64_t dice, steps, cut_at_step;
static bool lies;
static volatile sig_atomic_t power_cut;

static void must(bool x, const char *what) {
    if (x) return;
    perror(what);
    exit(EXIT_FAILURE);
}

static uint64_t roll(uint64_t sides) {
    dice ^= dice << 13;
    dice ^= dice >> 7;
    dice ^= dice << 17;
    return dice % sides;
}

/* ---- the images ------------------------------------------------------------------------------------------------ */

static void bytes_resize(struct bytes *b, size_t size) {
    if (size > b->room) {
        b->room = size + size / 2;
        b->at = realloc(b->at, b->room);
        must(b->at, "memory");
    }
    if (size > b->size) memset(b->at + b->size, 0, size - b->size);
    b->size = size;
}

static void bytes_write(struct bytes *b, size_t at, const uint8_t *from, size_t len) {
    if (at + len > b->size) bytes_resize(b, at + len);
    memcpy(b->at + at, from, len);
}

/* Where the name hangs, or the end of the list. */
static struct name **name_find(struct node *directory, enum image image, const char *text) {
    struct name **at = &directory->names[image];
    while (*at && strcmp((*at)->text, text) != 0) at = &(*at)->next;
    return at;
}

static void name_set(struct node *directory, enum image image, const char *text, struct node *node) {
    struct name **at = name_find(directory, image, text);
    if (!*text) return;
    if (!*at && node) {
        *at = calloc(1, sizeof **at + strlen(text) + 1);
        must(*at, "memory");
        memcpy((*at)->text, text, strlen(text));
    }
    if (node) {
        (*at)->node = node;
    } else if (*at) {
        struct name *gone = *at;
        *at = gone->next;
        free(gone);
    }
}

static struct node *node_make(mode_t mode) {
    struct node *n = calloc(1, sizeof *n);
    must(n, "memory");
    n->mode = mode;
    n->last = &n->first;
    n->older = newest;
    return newest = n;
}

/* ---- changes: noted, synced, lost ------------------------------------------------------------------------------ */

static void change_apply(struct node *n, enum image image, const struct change *c) {
    switch (c->kind) {
    case WRITE: bytes_write(&n->bytes[image], c->at, c->bytes, c->len); break;
    case RESIZE: bytes_resize(&n->bytes[image], c->len); break;
    case NAMES:
        name_set(n, image, c->gone, NULL);
        name_set(n, image, c->come, c->node);
        break;
    }
}

static void step(void) {
    if (++steps == cut_at_step) power_cut = 1;
}

static void change_note(struct node *n, struct change *c) {
    change_apply(n, SEEN, c);
    *n->last = c;
    n->last = &c->next;
    step();
}

static struct change *change_make(enum change_kind kind, size_t bytes) {
    struct change *c = calloc(1, sizeof *c + bytes);
    must(c, "memory");
    c->kind = kind;
    return c;
}

static void note_write(struct node *n, size_t at, const char *from, size_t len) {
    struct change *c = change_make(WRITE, len);
    c->at = at;
    c->len = len;
    memcpy(c->bytes, from, len);
    change_note(n, c);
}

static void note_resize(struct node *n, size_t size) {
    struct change *c = change_make(RESIZE, 0);
    c->len = size;
    change_note(n, c);
}

static void note_names(struct node *directory, const char *gone, const char *come, struct node *node) {
    struct change *c = change_make(NAMES, strlen(gone) + strlen(come) + 2);
    c->gone = (char *)c->bytes;
    c->come = c->gone + strlen(gone) + 1;
    memcpy(c->gone, gone, strlen(gone));
    memcpy(c->come, come, strlen(come));
    c->node = node;
    change_note(directory, c);
}

static void node_sync(struct node *n) {
    step();
    if (lies) return;
    for (struct change *c = n->first, *next; c; c = next) {
        next = c->next;
        change_apply(n, KEPT, c);
        free(c);
    }
    n->first = NULL;
    n->last = &n->first;
}

/* ---- the cut --------------------------------------------------------------------------------------------------- */

/* How merciful a cut is: of a hundred changes so many are kept, and writes are torn into pieces of so many bytes, each
 * with its own fate; 0: whole. */
struct mercy { unsigned percent; size_t piece; };

static bool is_kept(const struct mercy *m) {
    return roll(100) < m->percent;
}

static void write_torn(struct node *n, const struct change *c, const struct mercy *m) {
    for (size_t at = c->at, end = c->at + c->len, next; at < end; at = next) {
        next = (at / m->piece + 1) * m->piece;
        if (next > end) next = end;
        if (is_kept(m)) bytes_write(&n->bytes[KEPT], at, c->bytes + (at - c->at), next - at);
    }
}

/* How many changes were waiting. */
static unsigned node_lose(struct node *n, const struct mercy *m) {
    unsigned waiting = 0;
    for (const struct change *c = n->first; c; c = c->next, waiting++) {
        if (c->kind == WRITE && m->piece) write_torn(n, c, m);
        else if (is_kept(m)) change_apply(n, KEPT, c);
    }
    return waiting;
}

static void lose(void) {
    static const unsigned percents[] = { 0, 10, 50, 90, 100 };
    static const size_t pieces[] = { 0, SECTOR_BYTES, BLOCK_BYTES };
    struct mercy m = { .percent = 100 };
    unsigned waiting = 0;
    if (power_cut) m = (struct mercy){ .percent = percents[roll(5)], .piece = pieces[roll(3)] };
    for (struct node *n = newest; n; n = n->older) waiting += node_lose(n, &m);
    printf("%s step=%llu waiting=%u percent=%u piece=%zu\n", power_cut ? "cut" : "unmounted",
           (unsigned long long)steps, waiting, m.percent, m.piece);
}

/* ---- DIRECTORY: read at the start, written at the end ---------------------------------------------------------- */

static void load_file(struct node *n, const char *path) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    must(fd >= 0, path);
    struct stat st;
    must(fstat(fd, &st) == 0, path);
    for (enum image i = SEEN; i < IMAGES; i++) {
        bytes_resize(&n->bytes[i], (size_t)st.st_size);
        must(pread(fd, n->bytes[i].at, n->bytes[i].size, 0) == st.st_size, path);
    }
    close(fd);
}

static struct node *load(const char *path) {
    struct stat st;
    must(lstat(path, &st) == 0, path);
    struct node *n = node_make(st.st_mode);
    if (!S_ISDIR(st.st_mode)) return load_file(n, path), n;
    DIR *d = opendir(path);
    must(d, path);
    for (struct dirent *e; (e = readdir(d));) {
        char below[PATH_BYTES];
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
        must(snprintf(below, sizeof below, "%s/%s", path, e->d_name) < (int)sizeof below, "a shorter path");
        struct node *node = load(below);
        name_set(n, SEEN, e->d_name, node);
        name_set(n, KEPT, e->d_name, node);
    }
    closedir(d);
    return n;
}

static int remove_below(const char *path, const struct stat *st, int type, struct FTW *where) {
    (void)st, (void)type;
    return where->level > 0 ? remove(path) : 0;
}

static void save(const struct node *n, const char *path) {
    if (S_ISDIR(n->mode)) {
        must(mkdir(path, 0700) == 0 || errno == EEXIST, path);
        for (const struct name *e = n->names[KEPT]; e; e = e->next) {
            char below[PATH_BYTES];
            must(snprintf(below, sizeof below, "%s/%s", path, e->text) < (int)sizeof below, "a shorter path");
            save(e->node, below);
        }
    } else {
        int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        must(fd >= 0, path);
        const struct bytes *b = &n->bytes[KEPT];
        must(b->size == 0 || pwrite(fd, b->at, b->size, 0) == (ssize_t)b->size, path);
        close(fd);
    }
    must(chmod(path, n->mode & 07777) == 0, path);
}

/* ---- calls ----------------------------------------------------------------------------------------------------- */

static struct node *node_of(fuse_ino_t ino) {
    return ino == FUSE_ROOT_ID ? root : (struct node *)ino; /* the number of a node is where it lies */
}

static struct node *seen(fuse_ino_t directory, const char *text) {
    struct name *found = *name_find(node_of(directory), SEEN, text);
    return found ? found->node : NULL;
}

static struct stat attributes(const struct node *n) {
    size_t size = n->bytes[SEEN].size;
    return (struct stat){
        .st_ino = n == root ? FUSE_ROOT_ID : (ino_t)n, .st_mode = n->mode, .st_nlink = 1, .st_size = (off_t)size,
        .st_blocks = (blkcnt_t)((size + SECTOR_BYTES - 1) / SECTOR_BYTES), .st_uid = getuid(), .st_gid = getgid(),
    };
}

static struct fuse_entry_param entry_of(struct node *n) {
    return (struct fuse_entry_param){
        .ino = (fuse_ino_t)n, .attr = attributes(n), .attr_timeout = CACHED_S, .entry_timeout = CACHED_S,
    };
}

static void on_lookup(fuse_req_t request, fuse_ino_t parent, const char *text) {
    struct node *n = seen(parent, text);
    if (!n) return (void)fuse_reply_err(request, ENOENT);
    struct fuse_entry_param entry = entry_of(n);
    fuse_reply_entry(request, &entry);
}

static void on_getattr(fuse_req_t request, fuse_ino_t ino, struct fuse_file_info *file) {
    (void)file;
    struct stat st = attributes(node_of(ino));
    fuse_reply_attr(request, &st, CACHED_S);
}

static void on_setattr(fuse_req_t request, fuse_ino_t ino, struct stat *to, int what, struct fuse_file_info *file) {
    struct node *n = node_of(ino);
    if (what & FUSE_SET_ATTR_SIZE) note_resize(n, (size_t)to->st_size);
    if (what & FUSE_SET_ATTR_MODE) n->mode = (n->mode & S_IFMT) | (to->st_mode & 07777);
    on_getattr(request, ino, file);
}

static struct node *make(fuse_ino_t parent, const char *text, mode_t mode) {
    struct node *n = node_make(mode);
    note_names(node_of(parent), "", text, n);
    return n;
}

static void on_mkdir(fuse_req_t request, fuse_ino_t parent, const char *text, mode_t mode) {
    struct fuse_entry_param entry = entry_of(make(parent, text, S_IFDIR | mode));
    fuse_reply_entry(request, &entry);
}

static void on_create(fuse_req_t request, fuse_ino_t parent, const char *text, mode_t mode,
                      struct fuse_file_info *file) {
    struct fuse_entry_param entry = entry_of(make(parent, text, S_IFREG | (mode & 07777)));
    file->keep_cache = 1;
    fuse_reply_create(request, &entry, file);
}

static void on_open(fuse_req_t request, fuse_ino_t ino, struct fuse_file_info *file) {
    if (file->flags & O_TRUNC) note_resize(node_of(ino), 0);
    file->keep_cache = 1;
    fuse_reply_open(request, file);
}

static void on_remove(fuse_req_t request, fuse_ino_t parent, const char *text) {
    struct node *n = seen(parent, text);
    int error = !n ? ENOENT : n->names[SEEN] ? ENOTEMPTY : 0;
    if (!error) note_names(node_of(parent), text, "", NULL);
    fuse_reply_err(request, error);
}

static void on_rename(fuse_req_t request, fuse_ino_t parent, const char *text, fuse_ino_t to, const char *new_text,
                      unsigned flags) {
    struct node *n = seen(parent, text), *there = seen(to, new_text);
    int error = parent != to ? EXDEV : !n ? ENOENT : flags & ~(unsigned)RENAME_NOREPLACE ? EINVAL
              : there && flags ? EEXIST : there && there->names[SEEN] ? ENOTEMPTY : 0;
    if (!error) note_names(node_of(parent), text, new_text, n);
    fuse_reply_err(request, error);
}

static void on_read(fuse_req_t request, fuse_ino_t ino, size_t len, off_t at, struct fuse_file_info *file) {
    (void)file;
    const struct bytes *b = &node_of(ino)->bytes[SEEN];
    size_t from = (size_t)at < b->size ? (size_t)at : b->size, rest = b->size - from;
    fuse_reply_buf(request, (const char *)b->at + from, len < rest ? len : rest);
}

static void on_write(fuse_req_t request, fuse_ino_t ino, const char *from, size_t len, off_t at,
                     struct fuse_file_info *file) {
    (void)file;
    note_write(node_of(ino), (size_t)at, from, len);
    fuse_reply_write(request, len);
}

static void on_fallocate(fuse_req_t request, fuse_ino_t ino, int mode, off_t at, off_t len,
                         struct fuse_file_info *file) {
    (void)file;
    struct node *n = node_of(ino);
    size_t end = (size_t)at + (size_t)len;
    if (mode == 0 && end > n->bytes[SEEN].size) note_resize(n, end);
    fuse_reply_err(request, mode ? EOPNOTSUPP : 0);
}

static void on_sync(fuse_req_t request, fuse_ino_t ino, int data_only, struct fuse_file_info *file) {
    (void)data_only, (void)file;                       /* what a file's length is, belongs to its data */
    node_sync(node_of(ino));
    fuse_reply_err(request, 0);
}

static void on_readdir(fuse_req_t request, fuse_ino_t ino, size_t len, off_t from, struct fuse_file_info *file) {
    (void)file;
    off_t number = 0;
    size_t used = 0;
    char *room = malloc(len);
    must(room, "memory");
    for (const struct name *e = node_of(ino)->names[SEEN]; e; e = e->next) {
        if (number++ < from) continue;
        struct stat st = attributes(e->node);
        size_t size = fuse_add_direntry(request, room + used, len - used, e->text, &st, number);
        if (size > len - used) break;
        used += size;
    }
    fuse_reply_buf(request, room, used);
    free(room);
}

static void on_statfs(fuse_req_t request, fuse_ino_t ino) {
    (void)ino;
    struct statvfs fs;
    must(statvfs(fuse_req_userdata(request), &fs) == 0, "statvfs");
    fuse_reply_statfs(request, &fs);
}

static const struct fuse_lowlevel_ops calls = {
    .lookup = on_lookup, .getattr = on_getattr, .setattr = on_setattr, .mkdir = on_mkdir, .create = on_create,
    .open = on_open, .unlink = on_remove, .rmdir = on_remove, .rename = on_rename, .read = on_read, .write = on_write,
    .fallocate = on_fallocate, .fsync = on_sync, .fsyncdir = on_sync, .readdir = on_readdir, .statfs = on_statfs,
};

/* ---- life ------------------------------------------------------------------------------------------------------ */

static void on_signal(int number) {
    (void)number;
    power_cut = 1;
}

/* One call after the other until the mount or the power is gone. The signal comes only while we wait. */
static void serve(struct fuse_session *session) {
    struct fuse_buf call = { .mem = NULL };
    struct pollfd from = { .fd = fuse_session_fd(session), .events = POLLIN };
    sigset_t usual, held;
    sigemptyset(&held);
    sigaddset(&held, SIGUSR1);
    sigprocmask(SIG_BLOCK, &held, &usual);
    signal(SIGUSR1, on_signal);
    puts("mounted");
    while (!power_cut && !fuse_session_exited(session)) {
        if (ppoll(&from, 1, NULL, &usual) < 0) continue;
        int r = fuse_session_receive_buf(session, &call);
        if (r == -EINTR || r == -EAGAIN) continue;
        if (r <= 0) break;
        fuse_session_process_buf(session, &call);
    }
    free(call.mem);
}

static void read_options(int argc, char **argv) {
    uint64_t seed = 1;
    for (int o; (o = getopt(argc, argv, "s:n:l")) != -1;) {
        if (o == 's') seed = strtoull(optarg, NULL, 10);
        else if (o == 'n') cut_at_step = strtoull(optarg, NULL, 10);
        else if (o == 'l') lies = true;
        else exit(EXIT_FAILURE);
    }
    dice = (seed + 1) * 0x9e3779b97f4a7c15u;
    for (int i = 0; i < 8; i++) roll(2);
}

int main(int argc, char **argv) {
    read_options(argc, argv);
    if (argc - optind != 2) {
        fprintf(stderr, "forgetful [-s SEED] [-n STEPS] [-l] DIRECTORY MOUNTPOINT\n");
        return EXIT_FAILURE;
    }
    char *from = argv[optind], *none[] = { argv[0], NULL };
    setvbuf(stdout, NULL, _IOLBF, 0);
    umask(0);
    root = load(from);
    struct fuse_args arguments = FUSE_ARGS_INIT(1, none);
    struct fuse_session *session = fuse_session_new(&arguments, &calls, sizeof calls, from);
    must(session && fuse_session_mount(session, argv[optind + 1]) == 0, argv[optind + 1]);
    serve(session);
    lose();
    must(nftw(from, remove_below, WALK_FDS, FTW_DEPTH | FTW_PHYS) == 0, from);
    save(root, from);
    _exit(EXIT_SUCCESS);                               /* who still has something open is told that nothing is there */
}
