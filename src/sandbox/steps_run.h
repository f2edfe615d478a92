/*
 * Carrying a plan of steps out (steps.h): the processes (steps_run.c) and the file view
 * (steps_mount.c).
 */
#ifndef BAWN_SANDBOX_STEPS_RUN_H
#define BAWN_SANDBOX_STEPS_RUN_H

#include "sandbox/backend.h"

/* sandbox_run() for such a plan: runs OPTIONS->argv. *ret_status is the command's own, or 128 and
 * the signal. A negative return: the set-up did not work. */
int steps_run(const struct plan *plan, const struct run_options *options, int *ret_status,
              struct error *err);

/* In the new mount namespace: carries the steps out in an empty root and makes it the process's
 * own. SOURCES has room for one descriptor a step. Ends the process with init_fail(). */
void steps_mount(struct launch *l, const struct plan_steps *p, int *sources);

#endif
