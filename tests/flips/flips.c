/* flips.c: one bit of a resting store is another one. Is it told, and is nothing wrong ever served?
 *
 *   flips [flips] [seed]                   ends with 1 when a flip is bad
 *
 * A store lives, erases, rests and stops; its files are kept, and what it knew. Then, flip by flip, they are put back
 * with one bit changed, in a segment, the tables or the key slots in turn, and children do what an operator and a
 * broker would:
 *
 *   verify   must tell it, in words; or nothing reads that bit, and then tables, records, keys in use and texts are all
 *            the same. In a segment up to the end of the log, in the slots' header, in a key that text is sealed under,
 *            there is no such bit
 *   start    refuses by a row of docs/store.md 19, or knows exactly what it knew; a sealed text is the one that was
 *            sealed, or none. Records of a sealed segment are looked at when somebody reads them, and he is told. A
 *            start that dies of what it reads, or finds a row damaged, is started again, as systemd would */
#include "daemon/store/file.h"
#include "lib/crypto/crypto.h"
#include "tests/unit/store_world.h"

#include <fcntl.h>
#include <ftw.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum {
    FILES_MAX = 32, TEXTS = 12, STARTS_MAX = 4, BAD_SHOWN = 12, PAGE = 4096, SLOT_HEADER = PAGE, TEXT_SIZE = 60,
};
enum target { JOURNAL, TABLES, SLOTS, TARGETS };
enum served { SAME, REFUSED, TOLD_AT_READ, WRONG };

static const char *const target_words[TARGETS] = {"journal", "tables", "key slots"};

static struct file { char path[128]; uint8_t *bytes; size_t size; enum target target; } files[FILES_MAX];
static unsigned files_count;
static struct world *w;

/* What it knew. */
static struct truth {
    uint64_t seq, slots;
    struct hash digest, records, keys;
    struct { uint64_t slot; char plain[TEXT_SIZE]; uint8_t sealed[TEXT_SIZE + SEAL_OVERHEAD]; } text[TEXTS];
} truth;

/* What the children say: in memory that outlives them. */
static struct said { bool told, same, done; enum served served; char words[400]; } *said;

static struct { unsigned long flips, told, quiet, refused, bad; } tally[TARGETS];

/* ---- a life ------------------------------------------------------------------------------------------------------ */

static void report_sealed(unsigned number) {
    PbPlace place = {.has_division = 1, .division = FIXTURE_GRID};
    PbReport report = {.place = &place, .category = (char *)(number % 2 ? "lamp" : "rubbish")};
    PbSealed text = {.has_box = 1};
    struct order order = {.kind = ORDER_REPORT, .report = &report, .text = &text};
    struct hash unique = hash_of(slice_from(&number, sizeof number));
    PbRefusal refusal;
    struct key k;
    uint64_t id;
    truth.text[number].slot = store_next_slot(w->store);
    memset(truth.text[number].plain, 'a' + (int)number, TEXT_SIZE);
    assert_int_equal(store_slot_key(w->store, truth.text[number].slot, &k), 0);
    seal(&k, SLICE("text"), &unique, slice_from(truth.text[number].plain, TEXT_SIZE), truth.text[number].sealed);
    text.box = (ProtobufCBinaryData){sizeof truth.text[number].sealed, truth.text[number].sealed};
    world_begin(w);
    assert_int_equal(world_order(w, &order, 0, NULL, &refusal, &id), 0);
    assert_int_equal(refusal, REFUSED_NOTHING);
    world_commit(w);
}

static struct hash hash_records(struct store *s, int *ret) {
    struct journal_cursor *c = NULL;
    struct hash_stream all;
    struct slice bytes;
    uint64_t first;
    uint32_t seqs;
    hash_begin(&all);
    int r = journal_cursor_open(&c, store_journal(s), 1);
    while (r >= 0 && (r = journal_next(c, &first, &seqs, &bytes)) == 1)
        hash_more(&all, bytes);
    journal_cursor_close(c);
    *ret = r;
    return hash_end(&all);
}

/* Of keys that text is sealed under. */
static struct hash hash_keys(struct store *s) {
    struct hash_stream all;
    hash_begin(&all);
    for (unsigned i = 0; i < TEXTS; i++) {
        struct key k = {0};
        (void)store_slot_key(s, truth.text[i].slot, &k);
        hash_more(&all, slice_from(&k, sizeof k));
    }
    return hash_end(&all);
}

static void live(uint64_t seed) {
    int r;
    w->dice = seed * 0x9e3779b97f4a7c15 | 1;
    w->options.segment_bytes = JOURNAL_SEGMENT_BYTES_MIN;
    w->options.slots_ahead = 64;
    w->options.map_bytes = w->options.inspect_bytes = 64 << 20;
    world_create(w);
    for (unsigned i = 0; i < TEXTS; i++) {
        report_sealed(i);
        world_random_turns(w, 6, 6);
        while (i == TEXTS / 2 && (r = store_prepare(w->store, 1 << 20)) == 1)
            continue;
        if (i == TEXTS / 2)
            assert_int_equal(journal_turn_over(store_journal(w->store)), 0);
    }
    truth.seq = store_durable_seq(w->store);
    truth.slots = store_next_slot(w->store);
    truth.digest = world_digest(w);
    truth.keys = hash_keys(w->store);
    truth.records = hash_records(w->store, &r);
    assert_int_equal(r, 0);
    world_close(w);
}

/* ---- files ------------------------------------------------------------------------------------------------------- */

static int keep(const char *path, const struct stat *st, int type, struct FTW *f) {
    const char *name = path + f->base;
    if (type != FTW_F || strcmp(name, "reserve") == 0 || strstr(name, "-lock"))
        return 0;
    assert_true(files_count < FILES_MAX);
    struct file *to = &files[files_count++];
    *to = (struct file){.size = (size_t)st->st_size, .bytes = malloc((size_t)st->st_size + 1)};
    (void)snprintf(to->path, sizeof to->path, "%s", path);
    to->target = strstr(name, ".seg") ? JOURNAL : strcmp(name, "state.mdb") == 0 ? TABLES
        : strcmp(name, "slots") == 0 ? SLOTS : TARGETS;
    FILE *from = fopen(path, "rb");
    assert_true(from && fread(to->bytes, 1, to->size, from) == to->size && fclose(from) == 0);
    return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *f) {
    (void)st, (void)type;
    return f->level > 1 || type == FTW_F ? remove(path) : 0;
}

static void put_back(void) {
    char journal[192];
    (void)nftw(w->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    world_path(w, "journal", journal);
    (void)mkdir(journal, 0700);
    for (unsigned i = 0; i < files_count; i++) {
        (void)chmod(files[i].path, 0600);
        FILE *to = fopen(files[i].path, "wb");
        assert_true(to && fwrite(files[i].bytes, 1, files[i].size, to) == files[i].size && fclose(to) == 0);
    }
}

static bool page_empty(const struct file *f, size_t at) {
    size_t from = at / PAGE * PAGE, len = f->size - from < PAGE ? f->size - from : PAGE;
    return bytes_zero(f->bytes + from, len);
}

/* Where the log ends: behind the last byte that is not zero, in a segment that has one. */
static size_t used(const struct file *f) {
    size_t end = f->size;
    while (f->target == JOURNAL && end && f->bytes[end - 1] == 0)
        end--;
    return end;
}

/* Bytes that are read are what matters: three of four flips are where some are. */
static struct file *choose(enum target target, size_t *ret_at) {
    struct file *f;
    do {
        f = &files[world_roll(w, files_count)];
    } while (f->target != target);
    size_t end = target == SLOTS ? SLOT_HEADER + truth.slots * KEY_SIZE : used(f);
    bool anywhere = world_roll(w, 4) == 0;
    do {
        *ret_at = world_roll(w, end && !anywhere ? end : f->size);
    } while (target == TABLES && !anywhere && page_empty(f, *ret_at));
    return f;
}

/* ---- what the children do ---------------------------------------------------------------------------------------- */

static bool text_good(struct store *s, unsigned number) {
    uint8_t plain[TEXT_SIZE];
    struct key k;
    int r = store_slot_key(s, truth.text[number].slot, &k);
    struct slice sealed = slice_from(truth.text[number].sealed, sizeof truth.text[number].sealed);
    if (r < 0 || !seal_open(&k, SLICE("text"), sealed, plain))
        return true;                              /* none: not another one */
    return memcmp(plain, truth.text[number].plain, TEXT_SIZE) == 0;
}

static void tell(const char *what, const char *why) {
    (void)snprintf(said->words, sizeof said->words, "%s %.300s", what, why);
}

/* Everything it can be asked is asked. -EBADMSG: it told the one who asked, and the next start knows. */
static int ask_all(enum served *ret) {
    struct hash digest;
    uint64_t seq = 0;
    int r = store_digest(w->store, &digest, &seq), read = 0;
    if (r < 0)
        return r;
    struct hash records = hash_records(w->store, &read), keys = hash_keys(w->store);
    bool texts = true;
    for (unsigned i = 0; i < TEXTS; i++)
        texts &= text_good(w->store, i);
    said->same = hash_equal(&keys, &truth.keys);
    bool good = seq == truth.seq && hash_equal(&digest, &truth.digest) && texts;
    *ret = !good || (read == 0 && !hash_equal(&records, &truth.records)) ? WRONG : read < 0 ? TOLD_AT_READ : SAME;
    if (*ret == WRONG)
        tell("it knows something else:", w->found.decision);
    return 0;
}

static void start(void) {
    enum served served = SAME;
    int r = world_try(w);
    if (r < 0) {
        tell(w->found.decision, w->found.problem);
        said->served = w->found.decision[0] && w->found.problem[0] ? REFUSED : WRONG;
        said->done = true;
        return;
    }
    r = ask_all(&served);
    said->served = served;
    said->done = r == 0;
    if (r < 0)
        tell("asked:", strerror(-r));
    world_close(w);
}

static void verify(void) {
    struct verify_result v;
    int r = store_verify(&w->options, w->top, &v, NULL, NULL);
    said->told = r < 0 || !v.equal || v.problem[0] || v.torn_bytes;
    tell("verify:", v.problem[0] || !v.torn_bytes ? v.problem : "a torn tail");
    said->done = !said->told || v.problem[0] || v.torn_bytes;
}

static bool child(void (*work)(void)) {
    said->done = false;
    (void)fflush(stdout);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        check_hook = NULL;
        work();
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status == 0 && said->done;
}

/* ---- a flip ------------------------------------------------------------------------------------------------------ */

static void bad(const struct file *f, size_t at, const char *what) {
    static unsigned shown;
    tally[f->target].bad++;
    if (shown++ < BAD_SHOWN)
        print_message("BAD %s byte %zu: %s: %s\n", f->path + strlen(w->dir) + 1, at, what, said->words);
}

static bool must_be_told(const struct file *f, size_t at) {
    return f->target == JOURNAL ? at < used(f) : f->target == SLOTS && at < SLOT_HEADER;
}

static void judge(const struct file *f, size_t at) {
    unsigned starts = 0;
    *said = (struct said){0};
    tally[f->target].flips++;
    if (!child(verify)) {
        bad(f, at, "verify told nothing that can be read");
        return;
    }
    tally[f->target].told += said->told;
    tally[f->target].quiet += !said->told;
    bool told = said->told;
    if (!told && must_be_told(f, at))
        bad(f, at, "verify did not tell");
    while (!child(start) && ++starts < STARTS_MAX)
        continue;
    if (starts == STARTS_MAX)
        bad(f, at, "it neither starts nor refuses");
    else if (said->served == WRONG)
        bad(f, at, "served wrongly");
    else if (said->served == TOLD_AT_READ && !told)
        bad(f, at, "a reader is told, and verify did not tell");
    else if (said->served == SAME && !said->same && !told)
        bad(f, at, "a key is another one, and verify did not tell");
    tally[f->target].refused += said->served == REFUSED || said->served == TOLD_AT_READ;
}

static void flip(enum target target) {
    size_t at;
    struct file *f = choose(target, &at);
    uint8_t bit = (uint8_t)(1u << world_roll(w, 8));
    f->bytes[at] ^= bit;
    put_back();
    f->bytes[at] ^= bit;
    judge(f, at);
}

int main(int argc, char **argv) {
    uint64_t flips = 1000, seed = 1;
    void *state = NULL;
    if ((argc > 1 && !parse_u64(slice_of(argv[1]), &flips)) || (argc > 2 && !parse_u64(slice_of(argv[2]), &seed))) {
        print_message("usage: flips [flips] [seed]\n");
        return 2;
    }
    (void)setenv("CMOCKA_TEST_ABORT", "1", 1);
    if (access("/dev/shm", W_OK) == 0)
        (void)setenv("TMPDIR", "/dev/shm", 1);
    (void)world_make(&state);
    w = state;
    said = mmap(NULL, sizeof *said, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(said, MAP_FAILED);
    live(seed);
    assert_int_equal(nftw(w->dir, keep, 8, FTW_PHYS), 0);
    unsigned long all_bad = 0;
    for (uint64_t i = 0; i < flips; i++)
        flip((enum target)(i % TARGETS));
    for (unsigned i = 0; i < TARGETS; i++) {
        print_message("%-10s flips %lu, told by verify %lu, where nothing reads %lu; refused at the start "
                      "or the read %lu, bad %lu\n",
                      target_words[i], tally[i].flips, tally[i].told, tally[i].quiet, tally[i].refused, tally[i].bad);
        all_bad += tally[i].bad;
    }
    print_message("flips %llu, bad %lu\n", (unsigned long long)flips, all_bad);
    for (unsigned i = 0; i < files_count; i++)
        free(files[i].bytes);
    (void)world_remove(&state);
    return all_bad ? 1 : 0;
}
