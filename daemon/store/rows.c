/* rows.c: rows and keys, byte by byte. Everything that is in a struct is in its table of fields once; packing and
 * unpacking walk the same table, so they cannot disagree. Values are little-endian, keys big-endian. */
#include "daemon/store/rows.h"

#include <stddef.h>
#include <string.h>

/* ---- fields ------------------------------------------------------------------------------------------------------ */

struct field {
    uint16_t offset;
    uint8_t width;                                /* 1 2 4 8: an integer; any other: bytes as they are */
    bool flag;                                    /* a bool, which no other byte than 0 and 1 may become */
};

#define WIDTH(type, member) sizeof(((struct type *)0)->member)
#define IS_BOOL(type, member) _Generic(((struct type *)0)->member, bool: true, default: false)
#define FIELD(type, member) {offsetof(struct type, member), WIDTH(type, member), IS_BOOL(type, member)},
#define PLUS_WIDTH(type, member) +WIDTH(type, member)

#define CASE_FIELDS(F, t) \
    F(t, id) F(t, last_seq) F(t, division) F(t, district) F(t, day) F(t, day_number) F(t, lon_e7) F(t, lat_e7) \
    F(t, rules) F(t, slot) F(t, opened_at_ms) F(t, occurred_at_ms) F(t, resolved_at_ms) F(t, closed_at_ms) \
    F(t, promise_due_ms) F(t, handling_due_ms) F(t, offer_ready_ms) F(t, late_answers) F(t, reminders) \
    F(t, supervised) F(t, escalations) F(t, reworks) F(t, state) F(t, level) F(t, wall) F(t, urgency) \
    F(t, playbook) F(t, stage) F(t, attempt) F(t, handled_stage) F(t, milestones_done) F(t, offer_tries) \
    F(t, overdue) F(t, self_handled) F(t, on_time) F(t, offer_dead) F(t, has_place) F(t, has_text) \
    F(t, has_address) F(t, past_calendar) F(t, ask_me) F(t, exercise) F(t, asks_count) F(t, timers_count) \
    F(t, attempts)
#define DETOUR_FIELDS(F, t) \
    F(t, master) F(t, suspended_at_ms) F(t, void_asked_at_ms) F(t, extended_ms) F(t, extension_amount) \
    F(t, calendar_rules) F(t, extension_unit) F(t, returns) F(t, extensions) F(t, suspensions) F(t, reopens) \
    F(t, delegations) F(t, solved) F(t, satisfied) F(t, authority) F(t, returned) F(t, arbitrating) F(t, arbitrated) \
    F(t, appealed) F(t, reporter_reopened) F(t, transfer_acked) F(t, dead_dropped) F(t, imported)
#define ASK_FIELDS(F, t) \
    F(t, stage) F(t, attempt) F(t, level) F(t, lead) F(t, status) F(t, asked_at_ms) F(t, answered_at_ms)
#define TIMER_FIELDS(F, t) \
    F(t, kind) F(t, unit) F(t, milestone) F(t, past_calendar) F(t, stopped) F(t, amount) F(t, start_ms) F(t, due_ms)
#define FACTS_FIELDS(F, t) \
    F(t, next_slot) F(t, cases_open) F(t, cases_all) F(t, receipts) F(t, clock_doubts) \
    F(t, by_state[0]) F(t, by_state[1]) F(t, by_state[2]) F(t, by_state[3]) F(t, by_state[4]) F(t, by_state[5]) \
    F(t, by_state[6]) F(t, by_state[7]) F(t, by_state[8]) F(t, by_state[9]) F(t, by_state[10]) F(t, by_state[11]) \
    F(t, by_state[12]) F(t, by_state[13]) F(t, by_state[14]) F(t, by_state[15]) F(t, recompute) \
    F(t, receipts_horizon_ms) \
    F(t, rules) F(t, pending) F(t, pending_chunks) F(t, pending_parts) F(t, rules_hash)
#define META_FIELDS(F, t) F(t, folded_seq) F(t, epoch) F(t, chain) F(t, store_id)
#define RECEIPT_FIELDS(F, t) F(t, seq) F(t, case_id) F(t, at_ms) F(t, hash)
#define BATCH_FIELDS(F, t) \
    F(t, verb) F(t, confirmed) F(t, cases) F(t, done) F(t, asked_at_ms) F(t, confirmed_at_ms) F(t, digest) F(t, by) \
    F(t, confirmed_by)

static const struct field case_fields[] = {CASE_FIELDS(FIELD, case_state)};
static const struct field ask_fields[] = {ASK_FIELDS(FIELD, ask)};
static const struct field timer_fields[] = {TIMER_FIELDS(FIELD, timer)};
static const struct field facts_fields[] = {FACTS_FIELDS(FIELD, facts)};
static const struct field meta_fields[] = {META_FIELDS(FIELD, meta)};
static const struct field receipt_fields[] = {RECEIPT_FIELDS(FIELD, receipt)};
static const struct field detour_fields[] = {DETOUR_FIELDS(FIELD, case_detours)};
static const struct field batch_fields[] = {BATCH_FIELDS(FIELD, batch_state)};

enum {
    CRC_SIZE = 4,
    TEXT_MAX = UINT8_MAX,                         /* a text is one byte of length, then its bytes */
    CASE_BYTES = 0 CASE_FIELDS(PLUS_WIDTH, case_state),
    ASK_BYTES = 0 ASK_FIELDS(PLUS_WIDTH, ask),
    TIMER_BYTES = 0 TIMER_FIELDS(PLUS_WIDTH, timer),
    DETOUR_BYTES = 0 DETOUR_FIELDS(PLUS_WIDTH, case_detours),
    CASE_ROW_BYTES_MAX = 1 + CASE_BYTES + 1 + CATEGORY_BYTES_MAX + 1 + EXTERNAL_ID_BYTES_MAX + 1 + PARTY_BYTES_MAX
        + CASE_ASKS_MAX * (ASK_BYTES + 1 + PARTY_BYTES_MAX) + CASE_TIMERS_MAX * TIMER_BYTES
        + 1 + DETOUR_BYTES + 1 + BY_BYTES_MAX + 1 + PARTY_BYTES_MAX + 1 + ORIGIN_BYTES_MAX + 1 + PARTY_BYTES_MAX,
};
_Static_assert((0 BATCH_FIELDS(PLUS_WIDTH, batch_state)) == BATCH_ROW_BYTES, "and of a batch");
_Static_assert((int)CASE_ROW_BYTES_MAX <= (int)DB_VALUE_MAX, "the largest case fits into a row");
_Static_assert(1 + (0 FACTS_FIELDS(PLUS_WIDTH, facts)) == FACTS_ROW_BYTES, "rows.h knows the length of the facts");
_Static_assert(1 + (0 META_FIELDS(PLUS_WIDTH, meta)) + CRC_SIZE == META_ROW_BYTES, "and of meta");
_Static_assert((0 RECEIPT_FIELDS(PLUS_WIDTH, receipt)) == RECEIPT_ROW_BYTES, "and of a receipt");
_Static_assert(1 + STORE_SOURCE_BYTES_MAX + 16 <= DB_KEY_MAX, "a receipt's key fits");
_Static_assert(PARTY_BYTES_MAX + 1 + 8 + 1 + 1 <= DB_KEY_MAX, "an ask's key fits");
_Static_assert(ORIGIN_BYTES_MAX + 1 + EXTERNAL_ID_BYTES_MAX + 1 <= DB_KEY_MAX, "and another system's number");

/* An integer, on its way between memory and bytes: turned around where this machine is not little-endian. */
static void integer_copy(uint8_t *to, const uint8_t *from, unsigned width) {
    const unsigned one = 1;
    uint8_t little;
    memcpy(&little, &one, 1);
    if (little)                                   /* GCOVR_EXCL_BR_LINE: one machine has one order of bytes */
        memcpy(to, from, width);
    for (unsigned i = 0; i < width && !little; i++)             /* GCOVR_EXCL_BR_LINE: the same */
        to[i] = from[width - 1 - i];              /* GCOVR_EXCL_LINE: on a machine that is not little-endian */
}

static void copy_field(uint8_t *to, const uint8_t *from, unsigned width) {
    switch (width) {
    case 1: *to = *from; break;
    case 2: integer_copy(to, from, 2); break;
    case 4: integer_copy(to, from, 4); break;
    case 8: integer_copy(to, from, 8); break;
    default: memcpy(to, from, width);             /* bytes as they are */
    }
}

static uint8_t *pack(const struct field *f, size_t count, const void *from, uint8_t *to) {
    for (; count; count--, to += f->width, f++) {
        const uint8_t *member = (const uint8_t *)from + f->offset;
        copy_field(to, member, f->width);
    }
    return to;
}

/* Takes the fields off the front of *from. */
static bool unpack(const struct field *f, size_t count, struct slice *from, void *to) {
    for (; count; count--, f++) {
        uint8_t *member = (uint8_t *)to + f->offset;
        if (from->len < f->width || (f->flag && *from->at > 1))
            return false;
        copy_field(member, from->at, f->width);
        from->at += f->width;
        from->len -= f->width;
    }
    return true;
}

#define PACK(fields, from, to) pack(fields, COUNT_OF(fields), from, to)
#define UNPACK(fields, from, to) unpack(fields, COUNT_OF(fields), from, to)

static uint8_t *pack_text(const char *text, size_t size, uint8_t *to) {
    size_t len = strnlen(text, size);
    CHECK(len < size && len <= TEXT_MAX);
    *to = (uint8_t)len;
    memcpy(to + 1, text, len);
    return to + 1 + len;
}

static bool unpack_text(struct slice *from, char *to, size_t size) {
    if (from->len == 0 || from->at[0] >= size || from->at[0] > from->len - 1)
        return false;
    size_t len = from->at[0];
    memcpy(to, from->at + 1, len);
    memset(to + len, 0, size - len);
    from->at += 1 + len;
    from->len -= 1 + len;
    return strnlen(to, size) == len;
}

static bool unpack_format(struct slice *from, uint8_t format) {
    if (from->len == 0 || from->at[0] != format)
        return false;
    from->at++;
    from->len--;
    return true;
}

/* ---- facts, meta, receipts --------------------------------------------------------------------------------------- */

void row_of_facts(const struct facts *f, uint8_t to[static FACTS_ROW_BYTES]) {
    *to = FACTS_FORMAT;
    CHECK(PACK(facts_fields, f, to + 1) == to + FACTS_ROW_BYTES);
}

bool facts_of_row(struct slice row, struct facts *ret) {
    return row.len == FACTS_ROW_BYTES && unpack_format(&row, FACTS_FORMAT) && UNPACK(facts_fields, &row, ret);
}

void row_of_meta(const struct meta *m, uint8_t to[static META_ROW_BYTES]) {
    *to = ROWS_FORMAT;
    uint8_t *end = PACK(meta_fields, m, to + 1);
    CHECK(end == to + META_ROW_BYTES - CRC_SIZE);
    put_le32(end, crc32c(0, slice_from(to, META_ROW_BYTES - CRC_SIZE)));
}

bool meta_of_row(struct slice row, struct meta *ret) {
    if (row.len != META_ROW_BYTES)
        return false;
    struct slice summed = slice_from(row.at, META_ROW_BYTES - CRC_SIZE);
    return get_le32(row.at + summed.len) == crc32c(0, summed) && unpack_format(&row, ROWS_FORMAT)
        && UNPACK(meta_fields, &row, ret);
}

void row_of_receipt(const struct receipt *r, uint8_t to[static RECEIPT_ROW_BYTES]) {
    CHECK(PACK(receipt_fields, r, to) == to + RECEIPT_ROW_BYTES);
}

bool receipt_of_row(struct slice row, struct receipt *ret) {
    return row.len == RECEIPT_ROW_BYTES && UNPACK(receipt_fields, &row, ret);
}

void row_of_batch(const struct batch_state *b, uint8_t to[static BATCH_ROW_BYTES]) {
    CHECK(PACK(batch_fields, b, to) == to + BATCH_ROW_BYTES);
}

bool batch_of_row(struct slice row, struct batch_state *ret) {
    return row.len == BATCH_ROW_BYTES && UNPACK(batch_fields, &row, ret);
}

/* ---- cases ------------------------------------------------------------------------------------------------------- */

/* One byte when it has none, as most cases: a zero says that all that would follow is zero. */
static uint8_t *pack_detours(const struct case_detours *m, uint8_t *to) {
    uint8_t *end = PACK(detour_fields, m, to + 1), any = 0;
    end = pack_text(m->void_by, sizeof m->void_by, end);
    end = pack_text(m->approver, sizeof m->approver, end);
    end = pack_text(m->origin, sizeof m->origin, end);
    end = pack_text(m->proposed, sizeof m->proposed, end);
    for (const uint8_t *at = to + 1; at < end; at++)
        any |= *at;
    *to = any != 0;
    return any ? end : to + 1;
}

static bool unpack_detours(struct slice *from, struct case_detours *m) {
    if (from->len == 0 || from->at[0] > 1)
        return false;
    bool any = from->at[0];
    from->at++;
    from->len--;
    return !any || (UNPACK(detour_fields, from, m) && unpack_text(from, m->void_by, sizeof m->void_by)
        && unpack_text(from, m->approver, sizeof m->approver) && unpack_text(from, m->origin, sizeof m->origin)
        && unpack_text(from, m->proposed, sizeof m->proposed));
}

size_t row_of_case(const struct case_state *c, uint8_t to[static DB_VALUE_MAX]) {
    CHECK(c->id != 0 && c->asks_count <= CASE_ASKS_MAX && c->timers_count <= CASE_TIMERS_MAX);
    uint8_t *at = to;
    *at++ = ROWS_FORMAT;
    at = PACK(case_fields, c, at);
    at = pack_text(c->category, sizeof c->category, at);
    at = pack_text(c->external_id, sizeof c->external_id, at);
    at = pack_text(c->reporter, sizeof c->reporter, at);
    for (unsigned i = 0; i < c->asks_count; i++) {
        at = PACK(ask_fields, &c->asks[i], at);
        at = pack_text(c->asks[i].party, sizeof c->asks[i].party, at);
    }
    for (unsigned i = 0; i < c->timers_count; i++)
        at = PACK(timer_fields, &c->timers[i], at);
    at = pack_detours(&c->more, at);
    CHECK(at <= to + CASE_ROW_BYTES_MAX);
    return (size_t)(at - to);
}

bool case_of_row(struct slice row, struct case_state *ret) {
    memset(ret, 0, sizeof *ret);
    if (!unpack_format(&row, ROWS_FORMAT) || !UNPACK(case_fields, &row, ret))
        return false;
    if (ret->id == 0 || ret->asks_count > CASE_ASKS_MAX || ret->timers_count > CASE_TIMERS_MAX)
        return false;
    if (!unpack_text(&row, ret->category, sizeof ret->category)
        || !unpack_text(&row, ret->external_id, sizeof ret->external_id)
        || !unpack_text(&row, ret->reporter, sizeof ret->reporter))
        return false;
    for (unsigned i = 0; i < ret->asks_count; i++) {
        struct ask *a = &ret->asks[i];
        if (!UNPACK(ask_fields, &row, a) || !unpack_text(&row, a->party, sizeof a->party))
            return false;
    }
    for (unsigned i = 0; i < ret->timers_count; i++)
        if (!UNPACK(timer_fields, &row, &ret->timers[i]))
            return false;
    return unpack_detours(&row, &ret->more) && row.len == 0;
}

static struct row *row_next(struct row to[static ROWS_OF_CASE_MAX], unsigned *count, enum table table,
                            struct row_key key) {
    CHECK(*count < ROWS_OF_CASE_MAX);
    struct row *r = &to[(*count)++];
    r->table = (uint8_t)table;
    r->value_len = 0;
    r->key = key;
    return r;
}

static void row_of_division(struct row to[static ROWS_OF_CASE_MAX], unsigned *count, enum table table,
                            const struct case_state *c) {
    struct row *r = row_next(to, count, table, key_open(c->division, c->id));
    put_le64(r->value, c->division);
    r->value_len = 8;
}

unsigned rows_of_case(const struct case_state *c, struct row to[static ROWS_OF_CASE_MAX]) {
    unsigned count = 0;
    if (case_open(c))
        row_of_division(to, &count, TABLE_OPEN, c);
    if (case_wants_desk(c)) {
        struct work_row w = {.level = (PbLevel)c->level, .ready_ms = c->offer_ready_ms, .case_id = c->id};
        struct row *r = row_next(to, &count, TABLE_WORK, key_work(&w));
        put_le64(r->value, c->division);
        r->value[8] = c->stage;
        r->value[9] = c->attempt;
        r->value[10] = c->offer_tries;
        r->value_len = 11;
    }
    for (unsigned i = 0; i < c->timers_count; i++) {
        if (c->timers[i].stopped)
            continue;
        struct due_row d = {c->timers[i].due_ms, c->id, (PbTimerKind)c->timers[i].kind};
        row_next(to, &count, TABLE_DEADLINES, key_deadline(&d));
    }
    for (unsigned i = 0; i < c->asks_count; i++) {
        const struct ask *a = &c->asks[i];
        if (ask_is_open(a))
            row_next(to, &count, TABLE_ASKS, key_ask(a->party, c->id, a->stage, a->attempt));
    }
    if (c->state == STATE_MERGED)
        row_next(to, &count, TABLE_FOLLOWERS, key_follower(c->more.master, c->id));
    if (case_is_dead_letter(c))
        row_of_division(to, &count, TABLE_DEAD, c);
    return count;
}

/* ---- keys -------------------------------------------------------------------------------------------------------- */

static void add(struct row_key *k, const void *at, size_t len) {
    CHECK(len > 0 && len <= DB_KEY_MAX - (size_t)k->len);
    memcpy(k->byte + k->len, at, len);
    k->len = (uint8_t)(k->len + len);
}

static void add_u8(struct row_key *k, uint8_t v) {
    add(k, &v, 1);
}

static void add_be32(struct row_key *k, uint32_t v) {
    uint8_t bytes[4] = {(uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v};
    add(k, bytes, sizeof bytes);
}

static void add_be64(struct row_key *k, uint64_t v) {
    uint8_t bytes[8];
    put_be64(bytes, v);
    add(k, bytes, sizeof bytes);
}

/* Half of the range up: what is negative sorts before what is not. */
static uint64_t biased(int64_t v) {
    return (uint64_t)v ^ 1ULL << 63;
}

static int64_t unbiased(uint64_t v) {
    return (int64_t)(v ^ 1ULL << 63);
}

struct slice key_bytes(const struct row_key *k) {
    return slice_from(k->byte, k->len);
}

static struct row_key key_begun(void) {
    struct row_key k;
    k.len = 0;                                    /* the bytes behind it are not looked at */
    return k;
}

struct row_key key_number(uint64_t number) {
    struct row_key k = key_begun();
    add_be64(&k, number);
    return k;
}

static struct row_key key_pair(uint64_t first, uint64_t second) {
    struct row_key k = key_number(first);
    add_be64(&k, second);
    return k;
}

static struct row_key key_small_pair(uint32_t first, uint32_t second) {
    struct row_key k = key_begun();
    add_be32(&k, first);
    add_be32(&k, second);
    return k;
}

struct row_key key_rules(uint32_t number, uint32_t index) {
    return key_small_pair(number, index);
}

struct row_key key_deadline(const struct due_row *d) {
    struct row_key k = key_pair(biased(d->due_ms), d->case_id);
    add_u8(&k, (uint8_t)d->kind);
    return k;
}

bool due_of_key(struct slice key, struct due_row *ret) {
    if (key.len != 17)
        return false;
    *ret = (struct due_row){unbiased(get_be64(key.at)), get_be64(key.at + 8), (PbTimerKind)key.at[16]};
    return true;
}

struct row_key key_receipt(struct slice source, const uint8_t command_id[static 16]) {
    struct row_key k = key_begun();
    CHECK(source.len >= 1 && source.len <= STORE_SOURCE_BYTES_MAX);
    add_u8(&k, (uint8_t)source.len);
    add(&k, source.at, source.len);
    add(&k, command_id, 16);
    return k;
}

struct row_key key_work(const struct work_row *w) {
    struct row_key k = key_begun();
    add_u8(&k, (uint8_t)w->level);
    add_be64(&k, biased(w->ready_ms));
    add_be64(&k, w->case_id);
    return k;
}

bool work_of_row(struct slice key, struct slice value, struct work_row *ret) {
    if (key.len != 17 || value.len != 11)
        return false;
    *ret = (struct work_row){
        .level = (PbLevel)key.at[0], .ready_ms = unbiased(get_be64(key.at + 1)), .case_id = get_be64(key.at + 9),
        .division = get_le64(value.at), .stage = value.at[8], .attempt = value.at[9], .tries = value.at[10],
    };
    return true;
}

static uint64_t ten_to(unsigned n) {
    uint64_t v = 1;
    while (n--)
        v *= 10;
    return v;
}

uint64_t division_left(uint64_t code) {
    unsigned digits = division_digits(code);
    CHECK(digits > 0);
    return code * ten_to(DIVISION_DIGITS_MAX - digits);
}

uint64_t division_behind(uint64_t prefix) {
    if (prefix == 0)
        return UINT64_MAX;
    return division_left(prefix) + ten_to(DIVISION_DIGITS_MAX - division_digits(prefix));
}

struct row_key key_open(uint64_t division, uint64_t case_id) {
    return key_pair(division ? division_left(division) : 0, case_id);
}

struct row_key key_ask(const char *party, uint64_t case_id, uint8_t stage, uint8_t attempt) {
    struct row_key k = key_begun();
    size_t len = strnlen(party, PARTY_BYTES_MAX + 1);
    CHECK(len >= 1 && len <= PARTY_BYTES_MAX);
    add(&k, party, len + 1);                      /* with its end: no party is the beginning of another */
    add_be64(&k, case_id);
    add_u8(&k, stage);
    add_u8(&k, attempt);
    return k;
}

struct row_key key_story(uint64_t case_id, uint64_t first_seq) {
    return key_pair(case_id, first_seq);
}

struct row_key key_follower(uint64_t master, uint64_t case_id) {
    return key_pair(master, case_id);
}

struct row_key key_external(const char *origin, const char *external_id) {
    struct row_key k = key_begun();
    add(&k, origin, strnlen(origin, ORIGIN_BYTES_MAX) + 1);
    add(&k, external_id, strnlen(external_id, EXTERNAL_ID_BYTES_MAX) + 1);
    return k;
}

struct row_key key_batch(const uint8_t id[static 16]) {
    struct row_key k = key_begun();
    add(&k, id, 16);
    return k;
}

struct row_key key_day(uint32_t district, uint32_t day) {
    return key_small_pair(district, day);
}

struct row_key key_case_number(uint32_t district, uint32_t day, uint32_t number) {
    struct row_key k = key_day(district, day);
    add_be32(&k, number);
    return k;
}
