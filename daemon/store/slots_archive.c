/* slots_archive.c: the key slots in a file of their own beside a backup, so that it can be thrown away sooner.
 *
 *   0   8  magic "WHSLARC\0"          40   8  made, UTC milliseconds
 *   8   8  format, 1                  48   8  bytes of slots
 *  16  16  store id                   56   8  zeroes
 *  32   8  seq of the backup          64      the file `slots`, then BLAKE2b-256 over everything before */
#include "daemon/store/backup_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const uint8_t magic[8] = "WHSLARC";
enum { AT_FORMAT = 8, AT_STORE_ID = 16, AT_SEQ = 32, AT_MADE = 40, AT_BYTES = 48, AT_REST = 56, FORMAT_KNOWN = 1 };

static void head_write(const struct slots_archive *a, uint8_t to[static SLOTS_ARCHIVE_HEAD]) {
    memset(to, 0, SLOTS_ARCHIVE_HEAD);
    memcpy(to, magic, sizeof magic);
    put_le64(to + AT_FORMAT, FORMAT_KNOWN);
    memcpy(to + AT_STORE_ID, a->store_id, sizeof a->store_id);
    put_le64(to + AT_SEQ, a->seq);
    put_le64(to + AT_MADE, (uint64_t)a->made_ms);
    put_le64(to + AT_BYTES, a->bytes);
}

/* The slots are copied behind the head first, because a living broker may be adding some: what the archive says is
 * what was read. */
static int write_all(int slots, const struct slots_archive *a, int fd) {
    uint8_t head[SLOTS_ARCHIVE_HEAD], piece[64 << 10];
    struct hash_stream stream;
    head_write(a, head);
    hash_begin(&stream);
    hash_more(&stream, slice_from(head, sizeof head));
    int r = file_write(fd, slice_from(head, sizeof head), 0);
    for (uint64_t done = 0; r == 0 && done < a->bytes;) {
        size_t len = a->bytes - done < sizeof piece ? (size_t)(a->bytes - done) : sizeof piece;
        r = file_read(slots, piece, len, done);
        if (r == 0)
            r = file_write(fd, slice_from(piece, len), SLOTS_ARCHIVE_HEAD + done);
        hash_more(&stream, slice_from(piece, len));
        done += len;
    }
    wipe(piece, sizeof piece);
    struct hash sum = hash_end(&stream);
    if (r == 0)
        r = file_write(fd, slice_from(sum.byte, HASH_SIZE), SLOTS_ARCHIVE_HEAD + a->bytes);
    return r == 0 && fsync(fd) < 0 ? -errno : r;
}

int slots_archive_write(int slots, const struct slots_archive *a, const char *path) {
    char fresh[BACKUP_PATH_SIZE + 8];
    (void)snprintf(fresh, sizeof fresh, "%s.new", path);
    int fd = open(fresh, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return -errno;
    int r = write_all(slots, a, fd);
    (void)close(fd);
    if (r == 0 && rename(fresh, path) < 0)
        r = -errno;
    if (r < 0)
        (void)unlink(fresh);
    return r == 0 ? dir_sync_parent(path) : r;
}

static int verify(int fd, struct slots_archive *a) {
    uint8_t head[SLOTS_ARCHIVE_HEAD];
    struct hash sum, said;
    uint64_t size = 0;
    int r = file_size(fd, &size);
    if (r == 0 && size < SLOTS_ARCHIVE_HEAD + HASH_SIZE)
        return -EBADMSG;
    if (r == 0)
        r = file_read(fd, head, sizeof head, 0);
    if (r < 0)
        return r;
    if (memcmp(head, magic, sizeof magic) != 0 || get_le64(head + AT_FORMAT) != FORMAT_KNOWN
        || get_le64(head + AT_BYTES) != size - SLOTS_ARCHIVE_HEAD - HASH_SIZE)
        return -EBADMSG;
    r = file_hash(fd, 0, size - HASH_SIZE, &sum);
    if (r == 0)
        r = file_read(fd, said.byte, HASH_SIZE, size - HASH_SIZE);
    if (r < 0)
        return r;
    memcpy(a->store_id, head + AT_STORE_ID, sizeof a->store_id);
    a->seq = get_le64(head + AT_SEQ);
    a->made_ms = (int64_t)get_le64(head + AT_MADE);
    a->bytes = get_le64(head + AT_BYTES);
    return hash_equal(&sum, &said) ? 0 : -EBADMSG;
}

int slots_archive_open(const char *path, struct slots_archive *ret, int *ret_fd) {
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return -errno;
    int r = verify(fd, ret);
    if (r == 0)
        *ret_fd = fd;
    else
        (void)close(fd);
    return r;
}
