#include "tests/crash/attack.h"

#include "daemon/store/journal_internal.h"

enum { MAGIC_BYTES = 8, PLACES_AHEAD = 3 };

/* ---- finding ----------------------------------------------------------------------------------------------------- */

static bool is_batch(const struct entry *e) {
    return e->kind == TAPE_WRITE && !e->through && e->bytes && e->len >= JOURNAL_BLOCK && e->offset >= JOURNAL_BLOCK
        && memcmp(e->bytes, "WHBATCH", MAGIC_BYTES - 1) == 0;
}

static const struct entry *batch_before(const struct life *l, size_t at) {
    while (at > 0)
        if (is_batch(&l->tape.entries[--at]))
            return &l->tape.entries[at];
    return NULL;
}

bool attack_find(const struct life *l, size_t at, enum attack_kind kind, uint64_t *dice, struct attack *ret) {
    struct said now = life_said(l, at + 1), earlier = life_said(l, at);
    if (now.seq == earlier.seq || !earlier.created)
        return false;
    *ret = (struct attack){.kind = kind, .life = l, .at = at, .last = batch_before(l, at + 1)};
    ret->dice = dice_roll(dice, UINT64_MAX) | 1;
    if (!ret->last)
        return false;
    ret->before = batch_before(l, (size_t)(ret->last - l->tape.entries));
    return kind != ATTACK_FLIP_WITNESSED || (ret->before && ret->before->inode == ret->last->inode);
}

/* ---- doing ------------------------------------------------------------------------------------------------------- */

static void flip(struct disk *image, const struct entry *e, uint64_t *dice) {
    struct disk_file *f = &image->file[e->inode];
    uint64_t at = e->offset + dice_roll(dice, e->len);
    uint8_t byte;
    disk_get(f, at, &byte, 1);
    byte ^= (uint8_t)(1 << dice_roll(dice, 8));
    disk_put(image, f, at, &byte, 1);
}

/* Behind the end stand some sectors of a batch that was not acknowledged; in its text, a header that names its place
 * rightly and everything else as the last one does. Only the store's key is missing. */
static void forge(struct disk *image, const struct entry *e, uint64_t *dice) {
    struct disk_file *f = &image->file[e->inode];
    uint64_t end = e->offset + e->len, block = e->offset % DISK_PAGE ? JOURNAL_BLOCK : BLOCK_MAX;
    for (unsigned i = 0; i < PLACES_AHEAD; i++) {
        uint8_t header[BATCH_HEADER_SIZE];
        uint64_t place = end + i * block;
        memcpy(header, e->bytes, sizeof header);
        for (size_t k = MAGIC_BYTES; k + 8 <= sizeof header; k += 4)
            if (get_le64(header + k) == e->offset)
                put_le64(header + k, place);
        if (place + block <= f->size && (i > 0 || dice_roll(dice, 2)))
            disk_put(image, f, place, header, sizeof header);
    }
}

void attack_do(const struct attack *a, struct disk *image, struct said *ret) {
    uint64_t dice = a->dice;
    struct disk_file *f = &image->file[a->last->inode];
    uint64_t end = a->last->offset + a->last->len;
    *ret = life_said(a->life, a->at + 1);
    switch (a->kind) {
    case ATTACK_FLIP:
        flip(image, a->last, &dice);
        ret->seq = life_said(a->life, a->at).seq;
        ret->slots = life_said(a->life, a->at).slots;
        break;
    case ATTACK_FLIP_WITNESSED:
        flip(image, a->before, &dice);
        break;
    case ATTACK_STALE:
        if (end + a->last->len <= f->size)
            disk_put(image, f, end, a->last->bytes, a->last->len);
        break;
    case ATTACK_FORGED:
        forge(image, a->last, &dice);
        break;
    case ATTACK_KINDS: default: abort();
    }
}

const char *attack_judge(const struct attack *a, const char *problem) {
    if (a->kind != ATTACK_FLIP_WITNESSED)
        return problem;
    if (!problem)
        return "damage to what a later batch vouches for was not refused";
    return strstr(problem, "journal-broken") ? NULL : problem;
}
