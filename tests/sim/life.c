/* life.c: a process within the process. What the broker allocates is noted, so that when it is killed it is gone, as it
 * would be; its clock and its randomness are the world's. */
#include "tests/sim/disk.h"
#include "tests/sim/sim.h"

#include <errno.h>
#include <linux/futex.h>
#include <lmdb.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { POINTERS_MAX = 1 << 14, HANDLES_MAX = 8 };

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *at, size_t size);
void __real_free(void *at);

static void *pointers[POINTERS_MAX];              /* open addressing; of the living */
static unsigned pointers_count;
static bool here;
static enum life_end ended;
static jmp_buf way_out;

/* ---- memory ------------------------------------------------------------------------------------------------------ */

void *sim_memory(size_t size) {
    void *memory = __real_calloc(1, size);
    CHECK(memory);
    return memory;
}

void sim_free(void *memory) {
    __real_free(memory);
}

static unsigned place(const void *at) {
    return (unsigned)(((uintptr_t)at >> 4) * 2654435761u) % POINTERS_MAX;
}

static void *note(void *at) {
    if (!here || !at) return at;
    CHECK(++pointers_count < POINTERS_MAX / 2);
    unsigned i = place(at);
    while (pointers[i]) i = (i + 1) % POINTERS_MAX;
    pointers[i] = at;
    return at;
}

/* Whatever stood behind it moves up, so that a search never ends too early. */
static void forget(const void *at) {
    unsigned i = place(at);
    while (pointers[i] && pointers[i] != at) i = (i + 1) % POINTERS_MAX;
    if (!pointers[i]) return;
    pointers[i] = NULL;
    pointers_count--;
    for (unsigned k = (i + 1) % POINTERS_MAX; pointers[k]; k = (k + 1) % POINTERS_MAX) {
        void *moved = pointers[k];
        pointers[k] = NULL;
        unsigned to = place(moved);
        while (pointers[to]) to = (to + 1) % POINTERS_MAX;
        pointers[to] = moved;
    }
}

void *__wrap_malloc(size_t size) {
    return note(__real_malloc(size));
}

void *__wrap_calloc(size_t count, size_t size) {
    return note(__real_calloc(count, size));
}

void *__wrap_realloc(void *at, size_t size) {
    if (at) forget(at);
    return note(__real_realloc(at, size));
}

void __wrap_free(void *at) {
    if (at) forget(at);
    __real_free(at);
}

/* ---- liblmdb's handles: it is not ours to wrap inside, but what it gives out is known --------------------------- */

int __real_mdb_env_create(MDB_env **env);
void __real_mdb_env_close(MDB_env *env);
int __real_mdb_txn_begin(MDB_env *env, MDB_txn *parent, unsigned flags, MDB_txn **txn);
int __real_mdb_txn_commit(MDB_txn *txn);
void __real_mdb_txn_abort(MDB_txn *txn);
int __real_mdb_env_open(MDB_env *env, const char *path, unsigned flags, mdb_mode_t mode);
int __real_mdb_cursor_put(MDB_cursor *c, MDB_val *key, MDB_val *value, unsigned flags);
int __real_mdb_del(MDB_txn *txn, MDB_dbi dbi, MDB_val *key, MDB_val *value);

static MDB_env *envs[HANDLES_MAX];
static MDB_txn *txns[HANDLES_MAX];
static bool inside;                               /* liblmdb is at work: what it holds cannot be tidied up, only left */

static void keep(void **handles, void *handle) {
    for (unsigned i = 0; i < HANDLES_MAX; i++)
        if (!handles[i]) {
            handles[i] = handle;
            return;
        }
    NEVER("more handles than a broker has");
}

static void drop(void **handles, const void *handle) {
    for (unsigned i = 0; i < HANDLES_MAX; i++)
        if (handles[i] == handle) handles[i] = NULL;
}

int __wrap_mdb_env_create(MDB_env **env) {
    int r = __real_mdb_env_create(env);
    if (r == 0 && here) keep((void **)envs, *env);
    return r;
}

void __wrap_mdb_env_close(MDB_env *env) {
    drop((void **)envs, env);
    __real_mdb_env_close(env);
}

int __wrap_mdb_txn_begin(MDB_env *env, MDB_txn *parent, unsigned flags, MDB_txn **txn) {
    int r = __real_mdb_txn_begin(env, parent, flags, txn);
    if (r == 0 && here) keep((void **)txns, *txn);
    return r;
}

void __wrap_mdb_txn_abort(MDB_txn *txn) {
    drop((void **)txns, txn);
    __real_mdb_txn_abort(txn);
}

#define INSIDE(call) \
    inside = here; \
    int r = call; \
    inside = false; \
    return r

int __wrap_mdb_txn_commit(MDB_txn *txn) {
    drop((void **)txns, txn);
    INSIDE(__real_mdb_txn_commit(txn));
}

int __wrap_mdb_env_open(MDB_env *env, const char *path, unsigned flags, mdb_mode_t mode) {
    INSIDE(__real_mdb_env_open(env, path, flags, mode));
}

int __wrap_mdb_cursor_put(MDB_cursor *c, MDB_val *key, MDB_val *value, unsigned flags) {
    INSIDE(__real_mdb_cursor_put(c, key, value, flags));
}

int __wrap_mdb_del(MDB_txn *txn, MDB_dbi dbi, MDB_val *key, MDB_val *value) {
    INSIDE(__real_mdb_del(txn, dbi, key, value));
}

/* ---- a life ------------------------------------------------------------------------------------------------------ */

enum life_end life_run(void (*f)(void *to), void *to) {
    CHECK(!here);
    ended = LIFE_GOES_ON;
    here = true;
    if (setjmp(way_out) == 0) f(to);
    here = false;
    return ended;
}

void life_over(enum life_end how) {
    CHECK(here && how != LIFE_GOES_ON);
    ended = how;
    longjmp(way_out, 1);
}

bool life_here(void) {
    return here;
}

/* liblmdb's locks are robust: glibc lists those that this thread holds, and would write into the dead one's file, which
 * may have been cut short since. The kernel does away with the list when a process ends. */
static void let_go_of_locks(void) {
    struct robust_list_head *held = NULL;
    size_t len = 0;
    CHECK(syscall(SYS_get_robust_list, 0, &held, &len) == 0 && len == sizeof *held);
    held->list.next = &held->list;
}

void life_bury(void) {
    if (inside) let_go_of_locks();
    for (unsigned i = 0; i < HANDLES_MAX; i++)
        if (txns[i] && !inside) __real_mdb_txn_abort(txns[i]);
    for (unsigned i = 0; i < HANDLES_MAX; i++)
        if (envs[i] && !inside) __real_mdb_env_close(envs[i]);
    memset(txns, 0, sizeof txns);
    memset(envs, 0, sizeof envs);
    inside = false;
    for (unsigned i = 0; i < POINTERS_MAX; i++) {
        __real_free(pointers[i]);
        pointers[i] = NULL;
    }
    pointers_count = 0;
}

/* A final fault of the broker's: it would exit, and systemd would start it again. */
void die(const char *event, int error, const char *what) {
    trace("broker.exit %s %s %s", event, strerror(-error), what);
    if (!here) sim_broken("die outside a life: %s", event);
    sometimes(error == -ENOSPC ? "broker.exit_for_space" : "broker.exit_for_a_fault");
    life_over(LIFE_EXIT);
}

void __wrap_random_bytes(void *to, size_t len) {
    uint8_t *at = to;
    while (len--) *at++ = (uint8_t)sim_roll(here ? SIM_BROKER : SIM_ACTOR, 256);
}
