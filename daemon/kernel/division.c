/* division.c: codes of the administrative tree, and parties written role@division.
 *
 * A code is a number that names its ancestors by its leading digits: 61 province, 6104 city, 610402 district,
 * 610402006 street, 610402006001 community, 610402006001003 grid. A code filled up with zeros (610402000000) is a
 * community's, not the district's. */
#include "daemon/kernel/kernel.h"
#include "daemon/kernel/check.h"
#include <string.h>

enum { DIGITS_MAX = 15, ROLE_BYTES_MAX = 31 };
_Static_assert(ROLE_BYTES_MAX + 1 + DIGITS_MAX == PARTY_BYTES_MAX, "the longest role in the longest division fits");

static const uint8_t digits_of_level[] = {
    [LEVEL_GRID] = 15,    [LEVEL_COMMUNITY] = 12, [LEVEL_STREET] = 9,
    [LEVEL_DISTRICT] = 6, [LEVEL_CITY] = 4,       [LEVEL_PROVINCE] = 2,
};

static const uint64_t power_of_ten[DIGITS_MAX + 1] = {
    1ULL, 10ULL, 100ULL, 1000ULL, 10000ULL, 100000ULL, 1000000ULL, 10000000ULL, 100000000ULL, 1000000000ULL,
    10000000000ULL, 100000000000ULL, 1000000000000ULL, 10000000000000ULL, 100000000000000ULL, 1000000000000000ULL,
};

/* ---- divisions --------------------------------------------------------------------------------------------------- */

unsigned level_digits(PbLevel level) {
    CHECK((size_t)level < COUNT_OF(digits_of_level));
    return digits_of_level[level];
}

unsigned division_digits(uint64_t code) {
    for (size_t i = 0; i < COUNT_OF(digits_of_level); i++) {
        unsigned digits = digits_of_level[i];
        if (code >= power_of_ten[digits - 1] && code < power_of_ten[digits])
            return digits;
    }
    return 0;
}

PbLevel division_level(uint64_t code) {
    unsigned digits = division_digits(code);
    CHECK(digits != 0);
    PbLevel level = LEVEL_GRID;
    while (digits_of_level[level] != digits)
        level++;
    return level;
}

uint64_t division_cut(uint64_t code, unsigned digits) {
    unsigned has = division_digits(code);
    if (digits == 0 || digits > has)
        return 0;
    uint64_t cut = code / power_of_ten[has - digits];
    return division_digits(cut) == digits ? cut : 0;
}

bool division_covers(uint64_t prefix, uint64_t code) {
    return prefix != 0 && division_cut(code, division_digits(prefix)) == prefix;
}

uint64_t division_above(const PbRules *r, uint64_t code, int64_t at_ms) {
    PbLevel level = division_level(code);
    size_t first = rows_before(r->managed_by, r->n_managed_by, offsetof(PbManagedBy, division), code);
    for (size_t i = first; i < r->n_managed_by && r->managed_by[i]->division == code; i++) {
        const PbManagedBy *m = r->managed_by[i];
        if (m->valid_from_ms <= at_ms && (m->valid_to_ms == 0 || at_ms < m->valid_to_ms))
            return m->by;
    }
    return level == LEVEL_PROVINCE ? 0 : division_cut(code, level_digits(level + 1));
}

uint64_t division_at_level(const PbRules *r, uint64_t code, PbLevel level, int64_t at_ms) {
    CHECK(division_digits(code) && level <= LEVEL_PROVINCE);
    if (division_level(code) > level)
        return 0;
    while (code && division_level(code) < level)
        code = division_above(r, code, at_ms);
    return code;
}

/* ---- parties ----------------------------------------------------------------------------------------------------- */

bool role_slug_valid(struct slice slug) {
    if (slug.len == 0 || slug.len > ROLE_BYTES_MAX || slug.at[0] < 'a' || slug.at[0] > 'z')
        return false;
    for (size_t i = 1; i < slug.len; i++) {
        uint8_t c = slug.at[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-')
            return false;
    }
    return true;
}

bool party_split(struct slice party, struct slice *ret_role, uint64_t *ret_division) {
    struct slice role, digits;
    uint64_t division;
    if (!slice_cut(party, '@', &role, &digits) || !role_slug_valid(role))
        return false;
    /* As many digits as were written: 0610402 is not another way to write 610402. */
    if (!parse_u64(digits, &division) || digits.len != division_digits(division))
        return false;
    *ret_role = role;
    *ret_division = division;
    return true;
}

void party_print(char to[static PARTY_BYTES_MAX + 1], const char *role, uint64_t division) {
    size_t role_len = strlen(role);
    struct decimal digits = decimal_of(division);
    CHECK(role_slug_valid(slice_of(role)));
    CHECK(division_digits(division) == strlen(digits.text));
    memcpy(to, role, role_len);
    to[role_len] = '@';
    memcpy(to + role_len + 1, digits.text, strlen(digits.text) + 1);
}
