/* guard.c: who is it, and may it. The only place that decides either.
 *
 * A source's name comes from the transport: the uid of an ipc peer (SO_PEERCRED), or loopback for tcp; never a pid, a
 * routing id or anything the client wrote. Receipts are kept per source, so a name must outlive connections. */
#include "daemon/gates/gates.h"

#include <stdio.h>
#include <string.h>

static struct source owner;                       /* whose store it is; set before any gate is open */
static bool loopback_operates;

static bool name_is(struct source *to, struct slice prefix, struct slice rest) {
    if (rest.len == 0 || prefix.len + rest.len >= sizeof to->name) return false;
    memcpy(to->name, prefix.at, prefix.len);
    memcpy(to->name + prefix.len, rest.at, rest.len);
    to->name[prefix.len + rest.len] = '\0';
    return true;
}

bool guard_source(const char *address, struct source *ret) {
    struct slice a = slice_of(address), uid, rest;
    if (slice_equal(a, SLICE("127.0.0.1")) || slice_equal(a, SLICE("::1")) || slice_equal(a, SLICE("::ffff:127.0.0.1")))
        return name_is(ret, SLICE("tcp:"), SLICE("loopback"));
    if (a.len < 2 || a.at[0] != ':') return false;                       /* ":uid:gid:pid" */
    uint64_t number = 0;
    if (!slice_cut(slice_from(a.at + 1, a.len - 1), ':', &uid, &rest) || !parse_u64(uid, &number)) return false;
    return name_is(ret, SLICE("uid:"), uid);
}

bool guard_endpoint(const char *endpoint) {
    static const char *const allowed[] = { "ipc:///", "tcp://127.0.0.1:", "tcp://[::1]:", "tcp://localhost:" };
    for (unsigned i = 0; i < COUNT_OF(allowed); i++)
        if (slice_starts(slice_of(endpoint), slice_of(allowed[i]))) return true;
    return false;
}

void guard_open(uint64_t owner_uid, bool loopback) {
    (void)snprintf(owner.name, sizeof owner.name, "uid:%llu", (unsigned long long)owner_uid);
    loopback_operates = loopback;
}

/* Root, whose store it is, and where that is wanted whoever is on this machine. */
static bool operates(const struct source *who) {
    if (strcmp(who->name, "tcp:loopback") == 0) return loopback_operates;
    return strcmp(who->name, "uid:0") == 0 || strcmp(who->name, owner.name) == 0;
}

/* First policy: whoever is local and named may; an operator's orders are an operator's. */
bool guard_may(const struct source *who, enum guard_verb verb, uint64_t division) {
    (void)division;
    if (who->name[0] == '\0') return false;
    if (verb != GUARD_OPERATE || operates(who)) return true;
    COUNT(NOT_OPERATORS);
    return false;
}

/* That whoever is on this machine operates says nothing about the key. */
bool guard_may_follow(const struct source *who, bool drill) {
    bool may = strcmp(who->name, "tcp:loopback") == 0 ? drill : operates(who);
    if (!may) COUNT(NOT_OPERATORS);
    return may;
}
