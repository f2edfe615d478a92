/*
 * Running a command under a plan: the one entry of this room for cli/.
 */
#ifndef BAWN_SANDBOX_SANDBOX_H
#define BAWN_SANDBOX_SANDBOX_H

#include "sandbox/plan.h"

struct denial; /* denials.h */

struct run_options {
    char *const *argv;   /* NULL-terminated */
    const int *pass_fds; /* kept open in the command */
    size_t n_pass_fds;
    int status_fd; /* -1 = none */
    bool log_denials;
    bool json; /* the denial summary as JSON */
    bool quiet;
    /* With log_denials: called for each distinct refusal when the command has ended. */
    void (*see_denial)(void *data, const struct denial *denial);
    void *data;
    bool no_summary;       /* nothing about refusals on stderr */
    const char *state_dir; /* where journals are kept; NULL: nothing may have to be created */
    const char *state_problem, *state_fix; /* why there is none and what mends it, or NULL */
};

/* Confines and runs; *ret_status is what bawn exits with (spec 0.2). A negative return means that
 * the sandbox could not be set up (the caller exits 125). */
int sandbox_run(const struct plan *plan, const struct run_options *options, int *ret_status,
                struct error *err);

#endif
