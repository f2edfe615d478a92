/*
 * The namespaces of the bundled backend, made while the plan is still being worked out.
 *
 * namespaces_begin() starts a maker beside the outer process; namespaces_spawn() has it make init
 * once the plan stands. Between the two the outer does as it likes; begin may also be called only
 * when spawn is due. One sandbox at a time.
 */
#ifndef BAWN_SANDBOX_NAMESPACES_H
#define BAWN_SANDBOX_NAMESPACES_H

#include "base/error.h"

#include <stdbool.h>
#include <sys/types.h>

/* Two processes of the outer's own memory begin to work: one makes all namespaces but the pid's and
 * the network's, and with NETWORK (a guess is enough) the other makes that. What fails is told by
 * namespaces_spawn(). */
void namespaces_begin(bool network);

/* Makes init, a child of the caller that is pid 1 of a new pid namespace in the others, with a copy
 * of the caller's memory and of the descriptors that were open at namespaces_begin(); it runs
 * INIT(DATA). Returns its pid, or a negative errno. */
pid_t namespaces_spawn(bool network, void (*init)(void *), void *data, struct error *err);

/* In init: enters the network namespace. *ret_diag: a unix_diag socket in it, or -1. Negative
 * errno, *ret_what saying what failed. */
int namespaces_enter_network(int *ret_diag, const char **ret_what);

/* After the network was entered: waits until maker and network are gone. */
void namespaces_wait(void);
/* At any time: ends what is still there. namespaces_begin() may follow. */
void namespaces_end(void);

#endif
