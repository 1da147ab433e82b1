/* faults.c: memory that is refused and a disk that says no. Preloaded into a program under test: file FAULTS, mapped,
 * holds which calls to count, which of them fails, whether the ones after it do as well, and with what; and how many
 * there were. Of files only regular ones and directories count, and not what is logged. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum { MEMORY = 1, DISK = 2 };
static struct faults {
    atomic_uint what;                             /* MEMORY, DISK, both; 0: nothing fails */
    uint32_t at, from_then_on, error;
    atomic_uint seen;
} none, *faults = &none;

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

__attribute__((constructor)) static void look(void) {
    const char *path = getenv("FAULTS");
    int fd = path ? (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0) : -1;
    void *at = fd < 0 ? MAP_FAILED
        : (void *)syscall(SYS_mmap, NULL, sizeof *faults, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (at != MAP_FAILED)
        faults = at;
    if (fd >= 0)
        (void)syscall(SYS_close, fd);
}

static bool fails(unsigned what) {
    if (!(faults->what & what))
        return false;
    unsigned n = ++faults->seen;
    bool now = n == faults->at || (faults->from_then_on && n > faults->at);
    if (now)
        errno = what == MEMORY ? ENOMEM : (int)faults->error;
    return now;
}

/* ---- memory ------------------------------------------------------------------------------------------------------ */

void *malloc(size_t size) {
    return fails(MEMORY) ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size) {
    return fails(MEMORY) ? NULL : __libc_calloc(count, size);
}

void *realloc(void *old, size_t size) {
    return fails(MEMORY) ? NULL : __libc_realloc(old, size);
}

int posix_memalign(void **ret, size_t alignment, size_t size) {
    void *at = fails(MEMORY) ? NULL : __libc_memalign(alignment, size);
    if (at)
        *ret = at;
    return at ? 0 : ENOMEM;
}

void *aligned_alloc(size_t alignment, size_t size) {
    return fails(MEMORY) ? NULL : __libc_memalign(alignment, size);
}

/* ---- disk -------------------------------------------------------------------------------------------------------- */

static bool fails_on(int fd) {
    struct stat st;
    return (faults->what & DISK) && fd > 2 && fstat(fd, &st) == 0 && (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode))
        && fails(DISK);
}

static bool fails_at(const char *path) {
    static const char *const others[] = {"/proc", "/sys", "/dev/null", "/dev/urandom", "/etc", "/usr"};
    for (unsigned i = 0; i < sizeof others / sizeof *others; i++)
        if (strncmp(path, others[i], strlen(others[i])) == 0)
            return false;
    return fails(DISK);
}

ssize_t pwrite(int fd, const void *bytes, size_t len, off_t offset) {
    return fails_on(fd) ? -1 : syscall(SYS_pwrite64, fd, bytes, len, offset);
}

ssize_t pwrite64(int fd, const void *bytes, size_t len, off_t offset) {
    return pwrite(fd, bytes, len, offset);
}

ssize_t pwritev(int fd, const struct iovec *pieces, int count, off_t offset) {
    return fails_on(fd) ? -1 : syscall(SYS_pwritev, fd, pieces, count, offset, 0);
}

ssize_t pwritev64(int fd, const struct iovec *pieces, int count, off_t offset) {
    return pwritev(fd, pieces, count, offset);
}

ssize_t writev(int fd, const struct iovec *pieces, int count) {
    return fails_on(fd) ? -1 : syscall(SYS_writev, fd, pieces, count);
}

ssize_t write(int fd, const void *bytes, size_t len) {
    return fails_on(fd) ? -1 : syscall(SYS_write, fd, bytes, len);
}

ssize_t pread(int fd, void *bytes, size_t len, off_t offset) {
    return fails_on(fd) ? -1 : syscall(SYS_pread64, fd, bytes, len, offset);
}

ssize_t pread64(int fd, void *bytes, size_t len, off_t offset) {
    return pread(fd, bytes, len, offset);
}

int fsync(int fd) {
    return fails_on(fd) ? -1 : (int)syscall(SYS_fsync, fd);
}

int fdatasync(int fd) {
    return fails_on(fd) ? -1 : (int)syscall(SYS_fdatasync, fd);
}

int ftruncate(int fd, off_t len) {
    return fails_on(fd) ? -1 : (int)syscall(SYS_ftruncate, fd, len);
}

int ftruncate64(int fd, off_t len) {
    return ftruncate(fd, len);
}

int fallocate(int fd, int mode, off_t from, off_t len) {
    return fails_on(fd) ? -1 : (int)syscall(SYS_fallocate, fd, mode, from, len);
}

int posix_fallocate(int fd, off_t from, off_t len) {
    return fallocate(fd, 0, from, len) < 0 ? errno : 0;
}

int fchmod(int fd, mode_t mode) {
    return fails_on(fd) ? -1 : (int)syscall(SYS_fchmod, fd, mode);
}

int renameat(int from_at, const char *from, int to_at, const char *to) {
    return fails(DISK) ? -1 : (int)syscall(SYS_renameat2, from_at, from, to_at, to, 0);
}

int renameat2(int from_at, const char *from, int to_at, const char *to, unsigned flags) {
    return fails(DISK) ? -1 : (int)syscall(SYS_renameat2, from_at, from, to_at, to, flags);
}

int rename(const char *from, const char *to) {
    return renameat(AT_FDCWD, from, AT_FDCWD, to);
}

int unlinkat(int at, const char *path, int flags) {
    return fails(DISK) ? -1 : (int)syscall(SYS_unlinkat, at, path, flags);
}

static int open_it(int at, const char *path, int flags, va_list rest) {
    unsigned mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(rest, unsigned) : 0;
    return fails_at(path) ? -1 : (int)syscall(SYS_openat, at, path, flags, mode);
}

#define OPEN(at, path, flags) \
    va_list rest; \
    va_start(rest, flags); \
    int fd = open_it(at, path, flags, rest); \
    va_end(rest); \
    return fd

int open(const char *path, int flags, ...) { OPEN(AT_FDCWD, path, flags); }
int open64(const char *path, int flags, ...) { OPEN(AT_FDCWD, path, flags); }
int openat(int at, const char *path, int flags, ...) { OPEN(at, path, flags); }
int openat64(int at, const char *path, int flags, ...) { OPEN(at, path, flags); }

void *mmap(void *at, size_t len, int may, int how, int fd, off_t offset) {
    return fd >= 0 && fails_on(fd) ? MAP_FAILED : (void *)syscall(SYS_mmap, at, len, may, how, fd, offset);
}

void *mmap64(void *at, size_t len, int may, int how, int fd, off_t offset) {
    return mmap(at, len, may, how, fd, offset);
}
