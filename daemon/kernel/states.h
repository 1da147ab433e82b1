/* states.h: sets of states, a bit each, as the two tables name them: orders (decide.c) and arrows (lifecycle.c). */
#ifndef STATES_H
#define STATES_H
#include "daemon/kernel/kernel.h"

#define S(name) (1u << STATE_##name)
#define DESK (S(REPORTED) | S(ACCEPTED))
#define ASKED (S(DISPATCHED) | S(HANDLING))
#define OPEN (DESK | ASKED | S(RESOLVED) | S(SUSPENDED) | S(FOLLOWUP))
#define ENDED (S(CLOSED) | S(REJECTED) | S(MERGED) | S(WITHDRAWN) | S(VOID) | S(TRANSFERRED))
#define ANY (OPEN | ENDED | S(ARCHIVED))
#endif
