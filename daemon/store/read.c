/* read.c: questions. Everything is read through the open transaction, so an answer knows what its turn has done so far.
 *
 * Walks that go on from a row take the row itself: between two calls anything may have been written. */
#include "daemon/store/base.h"
#include "daemon/store/file.h"
#include "daemon/store/store_internal.h"
#include "lib/codec/codec.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* A value that is not what was put is never served. That it happened must outlive this process: the next start folds
 * all of it again. */
int store_given(struct store *s, int r) {
    if (!s->tables.doubtful || s->marked || s->options.read_only)
        return r;
    int fd = openat(s->dir_fd, "doubt", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return r;
    s->marked = fsync(fd) == 0 && fsync(s->dir_fd) == 0;
    (void)close(fd);
    return r;
}

/* ---- rows by key ------------------------------------------------------------------------------------------------- */

int store_case(struct store *s, uint64_t id, struct case_state *ret) {
    return store_given(s, tables_case(&s->tables, id, ret));
}

int store_case_by_number(struct store *s, uint32_t district, uint32_t day, uint32_t number, uint64_t *ret_id) {
    struct row_key key = key_case_number(district, day, number);
    struct slice row;
    int r = tables_get(&s->tables, TABLE_NUMBERS, &key, &row);
    if (r == 0)
        *ret_id = get_le64(row.at);
    return store_given(s, r);
}

int store_external(struct store *s, const char *origin, const char *external_id, uint64_t *ret_case) {
    struct row_key key = key_external(origin, external_id);
    struct slice row;
    int r = tables_get(&s->tables, TABLE_EXTERNAL, &key, &row);
    if (r == 0)
        *ret_case = get_le64(row.at);
    return store_given(s, r);
}

int store_batch(struct store *s, const uint8_t id[16], struct batch_state *ret) {
    struct row_key key = key_batch(id);
    struct slice row;
    int r = tables_get(&s->tables, TABLE_BATCHES, &key, &row);
    if (r == 0 && !batch_of_row(row, ret))
        r = -EBADMSG;
    return store_given(s, r);
}

/* A number that cannot be read makes every write after it fail: without space they do so by themselves, until the turn
 * is abandoned. */
uint32_t store_next_number(struct store *s, uint32_t district, uint32_t day) {
    uint32_t last = 0;
    int r = store_given(s, tables_last_number(&s->tables, district, day, &last));
    if (r < 0 && r != -ENOSPC)
        s->fault = r;
    return last + 1;
}

uint64_t store_next_slot(const struct store *s) {
    return s->tables.facts.next_slot;
}

struct hash store_command_hash(const struct store *s, struct slice bytes) {
    return hash_keyed(&s->identity.key, bytes);
}

/* Asked once, at start. */
int64_t store_last_ms(struct store *s) {
    struct slice bytes;
    PbRecord *record = NULL;
    uint64_t seq = journal_durable_seq(s->journal);
    if (seq == 0)
        return 0;
    arena_reset(&s->tables.room);
    int r = store_read(s, seq, &bytes);
    if (r < 0)
        return r;
    CHECK(codec_unpack_own(CODEC_RECORD, bytes, &s->tables.room, &record) == 0);
    return record->at_ms;
}

int store_receipt(struct store *s, struct slice source, const uint8_t command_id[16], struct receipt *ret) {
    struct row_key key = key_receipt(source, command_id);
    struct slice row;
    int r = tables_get(&s->tables, TABLE_RECEIPTS, &key, &row);
    if (r == 0)
        CHECK(receipt_of_row(row, ret));
    return store_given(s, r);
}

/* ---- rows in order ----------------------------------------------------------------------------------------------- */

/* The first row at or, when `behind`, behind the key. 0, -ENOENT, ... */
static int row_from(struct store *s, enum table table, const struct row_key *from, bool behind, struct db_walk *w,
                    struct slice *ret_key, struct slice *ret_value) {
    db_walk_from(w, s->tables.db, table, key_bytes(from));
    int r = db_walk_next(w, ret_key, ret_value);
    if (r == 1 && behind && slice_equal(*ret_key, key_bytes(from)))
        r = db_walk_next(w, ret_key, ret_value);
    if (r < 0)
        return store_given(s, tables_result(&s->tables, r));
    return r == 1 ? 0 : -ENOENT;
}

int store_first_due(struct store *s, struct due_row *ret) {
    return store_given(s, tables_first_due(&s->tables, ret));
}

int store_next_due(struct store *s, const struct due_row *after, struct due_row *ret) {
    struct row_key from = key_deadline(after);
    struct db_walk w;
    struct slice key, value;
    int r = row_from(s, TABLE_DEADLINES, &from, true, &w, &key, &value);
    if (r == 0)
        CHECK(due_of_key(key, ret));
    return r;
}

int store_next_work(struct store *s, PbLevel level, const struct work_row *after, struct work_row *ret) {
    struct row_key from = after ? key_work(after) : (struct row_key){.len = 1, .byte = {(uint8_t)level}};
    struct db_walk w;
    struct slice key, value;
    struct work_row found;
    CHECK(!after || after->level == level);
    int r = row_from(s, TABLE_WORK, &from, after != NULL, &w, &key, &value);
    if (r < 0)
        return r;
    CHECK(work_of_row(key, value, &found));
    if (found.level != level)
        return -ENOENT;
    *ret = found;
    return 0;
}

/* Rows of a table whose key is (division, case): the next under that prefix. */
static int next_under(struct store *s, enum table table, uint64_t prefix, uint64_t after_division, uint64_t after_case,
                      uint64_t *ret_division, uint64_t *ret_case) {
    if ((prefix && !division_digits(prefix)) || (after_case && !division_digits(after_division)))
        return -ENOENT;
    struct row_key from = after_case ? key_open(after_division, after_case) : key_open(prefix, 0);
    struct db_walk w;
    struct slice key, value;
    int r = row_from(s, table, &from, after_case != 0, &w, &key, &value);
    if (r < 0)
        return r;
    if (get_be64(key.at) >= division_behind(prefix))
        return -ENOENT;
    *ret_division = get_le64(value.at);
    *ret_case = get_be64(key.at + 8);
    return 0;
}

int store_next_open(struct store *s, uint64_t prefix, uint64_t after_division, uint64_t after_case,
                    uint64_t *ret_division, uint64_t *ret_case) {
    return next_under(s, TABLE_OPEN, prefix, after_division, after_case, ret_division, ret_case);
}

int store_next_dead(struct store *s, uint64_t prefix, uint64_t after_division, uint64_t after_case,
                    uint64_t *ret_division, uint64_t *ret_case) {
    return next_under(s, TABLE_DEAD, prefix, after_division, after_case, ret_division, ret_case);
}

/* Rows of a table whose key is two numbers: the second one of the next behind `from` that begins with `first`. */
static int next_of(struct store *s, enum table table, struct row_key from, uint64_t first, uint64_t *ret_second) {
    struct db_walk w;
    struct slice key, value;
    int r = row_from(s, table, &from, true, &w, &key, &value);
    if (r == 0 && get_be64(key.at) != first)
        r = -ENOENT;
    if (r == 0)
        *ret_second = get_be64(key.at + 8);
    return r;
}

int store_next_follower(struct store *s, uint64_t master, uint64_t after_case, uint64_t *ret_case) {
    return next_of(s, TABLE_FOLLOWERS, key_follower(master, after_case), master, ret_case);
}

int store_next_story(struct store *s, uint64_t case_id, uint64_t after_seq, uint64_t *ret_seq) {
    return next_of(s, TABLE_STORY, key_story(case_id, after_seq), case_id, ret_seq);
}

int store_next_ask(struct store *s, const char *party, const struct ask_row *after, struct ask_row *ret) {
    struct row_key from = key_ask(party, after ? after->case_id : 0, after ? after->stage : 0,
                                  after ? after->attempt : 0);
    struct slice key, value;
    struct db_walk w;
    size_t prefix = strlen(party) + 1;
    int r = row_from(s, TABLE_ASKS, &from, after != NULL, &w, &key, &value);
    if (r == 0 && (key.len != prefix + 10 || memcmp(key.at, party, prefix) != 0))
        r = -ENOENT;
    if (r == 0)
        *ret = (struct ask_row){get_be64(key.at + prefix), key.at[prefix + 8], key.at[prefix + 9]};
    return r;
}

int store_next_case(struct store *s, uint64_t after_case, uint64_t *ret_case) {
    struct row_key from = key_number(after_case);
    struct db_walk w;
    struct slice key, value;
    int r = row_from(s, TABLE_CASES, &from, true, &w, &key, &value);
    if (r == 0)
        *ret_case = get_be64(key.at);
    return r;
}

static bool ended(const struct case_state *c, int64_t before_ms) {
    return case_ended(c) && c->state != STATE_ARCHIVED && c->closed_at_ms < before_ms;
}

int store_next_ended(struct store *s, uint64_t *cursor, int64_t before_ms, unsigned most, uint64_t *ret_case) {
    struct row_key from = key_number(*cursor);
    struct slice key, row;
    struct case_state c;
    struct db_walk w;
    int r = 0;
    bool found = false;
    uint64_t id = *cursor;
    db_walk_from(&w, s->tables.db, TABLE_CASES, key_bytes(&from));
    for (unsigned seen = 0; seen < most && !found && (r = db_walk_next(&w, &key, &row)) == 1; seen++) {
        CHECK(case_of_row(row, &c));
        if (c.id == *cursor)
            continue;
        id = c.id;
        found = ended(&c, before_ms);
    }
    db_walk_done(&w);
    if (r < 0)
        return store_given(s, tables_result(&s->tables, r));
    if (id == *cursor)
        return -ENOENT;
    *cursor = id;
    if (found)
        *ret_case = id;
    return found;
}

int store_read(struct store *s, uint64_t seq, struct slice *ret_record) {
    uint64_t first = 0;
    return journal_read(s->journal, seq, &first, ret_record);
}

struct journal *store_journal(struct store *s) {
    return s->journal;
}

/* ---- keys, rules, the whole -------------------------------------------------------------------------------------- */

int store_slot_key(struct store *s, uint64_t slot, struct key *ret) {
    int r = slot == s->tables.facts.next_slot && !s->options.read_only ? store_slots_reach(s) : 0;
    return r == 0 ? slots_key(s->slots, slot, ret) : r;
}

int store_wipe_slot(struct store *s, uint64_t slot) {
    CHECK(!s->turn && !s->options.read_only && slot < s->tables.facts.next_slot);
    return slots_wipe(s->slots, slot);
}

uint32_t store_rules_number(const struct store *s) {
    return s->tables.facts.rules;
}

int store_rules(struct store *s, uint32_t number, const PbRules **ret) {
    return store_given(s, rules_find(&s->tables, number, ret));
}

int store_rules_packed(struct store *s, uint32_t number, uint32_t part, uint8_t *to, size_t cap,
                       struct rules_packed *ret) {
    int r = number && number <= s->tables.facts.rules ? 0 : -ENOENT;
    return r < 0 ? r : store_given(s, rules_packed(&s->tables, number, part, to, cap, ret));
}

struct hash store_rules_hash(const struct store *s) {
    return s->tables.facts.rules_hash;
}

int store_rules_hash_of(struct store *s, uint32_t number, struct hash *ret) {
    return store_given(s, rules_hash_of(&s->tables, number, ret));
}

uint32_t store_recompute(const struct store *s) {
    return (uint32_t)s->tables.facts.recompute;
}

uint64_t store_epoch(const struct store *s) {
    return s->tables.meta.epoch;
}

int store_epoch_at(struct store *s, uint64_t seq, uint64_t *ret) {
    struct journal_cursor *c = NULL;
    struct slice ignored;
    uint64_t first;
    uint32_t seqs;
    if (seq < store_first_seq(s) || seq > store_durable_seq(s))
        return -ENOENT;
    int r = journal_cursor_open(&c, s->journal, seq);
    if (r == 0)
        r = journal_next(c, &first, &seqs, &ignored);
    if (r == 1)
        *ret = journal_cursor_epoch(c);
    journal_cursor_close(c);
    return r == 1 ? 0 : r == 0 ? -ENOENT : r;
}

bool store_is_drill(const struct store *s) {
    return s->identity.drill;
}

void store_id(const struct store *s, uint8_t ret[static 16]) {
    memcpy(ret, s->identity.id, sizeof s->identity.id);
}

int store_base_part(struct store *s, uint64_t offset, uint8_t *to, size_t cap, uint64_t *ret_length,
                    size_t *ret_bytes) {
    char name[BASE_NAME_SIZE];
    uint64_t length = 0;
    size_t len = 0;
    if (journal_first_seq(s->journal) <= 1)
        return -ENOENT;
    base_name(journal_base(s->journal).seq, name);
    int fd = openat(s->dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    int r = fd < 0 ? -errno : file_size(fd, &length);
    if (r == 0 && offset < length)
        len = length - offset < cap ? (size_t)(length - offset) : cap;
    if (r == 0)
        r = file_read(fd, to, len, offset);
    if (fd >= 0)
        (void)close(fd);
    if (r < 0)
        return r;
    *ret_length = length;
    *ret_bytes = len;
    return 0;
}

int store_identity_file(struct store *s, const char *name, uint8_t to[static IDENTITY_FILE_MAX], struct slice *ret) {
    return identity_file(s->dir_fd, name, to, ret);
}

int store_digest(struct store *s, struct hash *ret, uint64_t *ret_seq) {
    CHECK(!s->turn);
    int r = s->options.read_only ? 0 : tables_facts(&s->tables);
    if (r == 0)
        r = tables_result(&s->tables, db_digest(s->tables.db, ret));
    if (r == 0)
        *ret_seq = s->tables.meta.folded_seq;
    if (r != -ENOSPC)
        return store_given(s, r);
    r = store_return(s);
    return r < 0 ? r : -ENOSPC;
}
