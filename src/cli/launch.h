/*
 * From a profile to a command that ran: survey, plan, warnings, run. What bawn sandbox and bawn run
 * share.
 */
#ifndef BAWN_CLI_LAUNCH_H
#define BAWN_CLI_LAUNCH_H

#include "cli/setup.h"
#include "sandbox/denials.h"

struct launch_extra {
    /* As in struct run_options. */
    void (*see_denial)(void *data, const struct denial *denial);
    void *data;
    bool no_summary;
};

/* Survey and plan of S, which setup_profile() made, and, where its network is filtered and a
 * command is to run, the start of what filters it; warnings are printed, errors too. 0, or what to
 * exit with. */
int launch_prepare(struct setup *s);
/* Prints the plan. What to exit with. */
int launch_explain(struct setup *s);
/* Runs the words behind the options; what to exit with. *ret_started (may be NULL): false when the
 * sandbox could not be set up and nothing ran. EXTRA may be NULL. */
int launch_run(struct setup *s, const struct launch_extra *extra, bool *ret_started);

#endif
