/*
 * A guard over a program that starts processes before it can answer for them.
 *
 * bwrap's first process starts a second one, which waits to be told to go on. When the first is
 * killed in between, the second waits for ever, and nobody knows its pid. So a guard stands between
 * bawn and what it starts: both processes are in one group, and the guard ends that group when its
 * first process has ended, when bawn has, or when it is sent SIGTERM.
 */
#ifndef BAWN_SANDBOX_GUARD_H
#define BAWN_SANDBOX_GUARD_H

#include "base/macros.h"

#include <sys/types.h>

/* In a child that OUTER has just forked: goes on in a child of this one, the first of a new session
 * and dead with this one, which becomes the guard: it holds no descriptor, and ends as the guarded
 * process does. 0, or a negative errno. Signals other than SIGTERM are as they were. */
int guard_over(pid_t outer);

#endif
