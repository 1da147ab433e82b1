/* expiry.c: receipts that no honest repeat can need any more.
 *
 *   look     a slice of the table, read only: would any of them expire? then that range becomes an event
 *   expire   the event, folded: in that range, exactly those that are old enough and whose case is not open
 *   age      what a command without a receipt is: young, or stale
 *
 * Which receipts go is a function of the event and the tables, so a replay drops the same ones. The horizon holds
 * from the first slice of a round on, not from its last: between the two a repeat would find its receipt gone and
 * count again.
 *
 * A receipt is as old as the youngest age that its command could claim. Its id is in its key: the time in a UUIDv7 is
 * known. Any other command says sent_at_ms, which was not further ahead than RECEIPT_SKEW_MS when it was taken. */
#include "daemon/store/store_internal.h"

#include <errno.h>
#include <string.h>

enum { ID_SIZE = 16, RECEIPT_SKEW_MS = 86400000 };
_Static_assert((int64_t)RECEIPT_SKEW_MS == FAR_FUTURE_MS, "what a command's sent_at may be ahead when it is taken");

/* RFC 9562: 48 bits of milliseconds, version 7, variant 2. */
static bool id_ms(const uint8_t id[static ID_SIZE], int64_t *ret) {
    if (id[6] >> 4 != 7 || id[8] >> 6 != 2)
        return false;
    *ret = (int64_t)(get_be64(id) >> 16);
    return true;
}

enum command_age store_age(const struct store *s, const uint8_t command_id[static 16], const int64_t *sent_at_ms) {
    int64_t horizon = s->tables.facts.receipts_horizon_ms, at_ms = sent_at_ms ? *sent_at_ms : 0;
    if (horizon == 0)
        return AGE_YOUNG;
    if (!id_ms(command_id, &at_ms) && !sent_at_ms)
        return AGE_UNKNOWN;
    return at_ms < horizon ? AGE_STALE : AGE_YOUNG;
}

/* 1: it goes. The key is the caller's; the row is borrowed and not looked at again. */
static int expires(struct tables *t, struct slice key, struct slice row, int64_t horizon_ms) {
    struct receipt receipt;
    struct case_state c;
    int64_t said_ms;
    CHECK(receipt_of_row(row, &receipt) && key.len > ID_SIZE);
    if (!id_ms(key.at + key.len - ID_SIZE, &said_ms))
        said_ms = receipt.at_ms + RECEIPT_SKEW_MS;
    if (receipt.at_ms >= horizon_ms || said_ms >= horizon_ms)
        return 0;
    int r = tables_case(t, receipt.case_id, &c);
    return r == 0 ? !case_open(&c) : r == -ENOENT ? 1 : r;
}

/* Walks from behind `after` to its end; 1: a row. */
static int next_behind(struct db_walk *w, struct slice after, struct slice *ret_key, struct slice *ret_row) {
    int r = db_walk_next(w, ret_key, ret_row);
    if (r == 1 && slice_equal(*ret_key, after))
        r = db_walk_next(w, ret_key, ret_row);
    return r;
}

/* ---- look -------------------------------------------------------------------------------------------------------- */

int store_receipts_look(struct store *s, struct receipts_round *round, unsigned most, PbReceiptsExpired *ret) {
    struct tables *t = &s->tables;
    struct slice key, row;
    struct db_walk w;
    int count = 0, more = 0;
    CHECK(most > 0 && !round->over);
    memcpy(round->after, round->upto, round->upto_len);
    round->after_len = round->upto_len;
    struct slice after = slice_from(round->after, round->after_len);
    db_walk_from(&w, t->db, TABLE_RECEIPTS, after);
    for (unsigned seen = 0; seen < most && (more = next_behind(&w, after, &key, &row)) == 1; seen++) {
        memcpy(round->upto, key.at, key.len);
        round->upto_len = (uint8_t)key.len;
        int r = expires(t, key, row, round->horizon_ms);
        if (r < 0)
            return store_given(s, r);
        count += r;
    }
    db_walk_done(&w);
    if (more < 0)
        return store_given(s, tables_result(t, more));
    round->over = more == 0;
    *ret = (PbReceiptsExpired){
        .has_after_key = 1, .after_key = {round->after_len, round->after},
        .has_upto_key = 1, .upto_key = {round->upto_len, round->upto},
        .has_horizon_ms = 1, .horizon_ms = round->horizon_ms,
    };
    return count;
}

/* ---- expire ------------------------------------------------------------------------------------------------------ */

int receipts_expire(struct tables *t, const PbReceiptsExpired *e) {
    struct slice after = {e->after_key.data, e->after_key.len}, upto = {e->upto_key.data, e->upto_key.len};
    struct slice key, row;
    struct db_walk w;
    int r;
    CHECK(after.len <= DB_KEY_MAX);                       /* the look's own */
    db_walk_from(&w, t->db, TABLE_RECEIPTS, after);
    while ((r = tables_result(t, next_behind(&w, after, &key, &row))) == 1 && slice_order(key, upto) <= 0) {
        r = expires(t, key, row, e->horizon_ms);
        if (r == 1) {
            t->facts.receipts--;
            r = tables_result(t, db_delete(t->db, TABLE_RECEIPTS, key));
        }
        if (r < 0)
            break;
    }
    db_walk_done(&w);
    if (e->horizon_ms > t->facts.receipts_horizon_ms)
        t->facts.receipts_horizon_ms = e->horizon_ms;
    return r < 0 ? r : 0;
}
