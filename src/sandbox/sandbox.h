/*
 * Running a command under a plan: the one entry of this room for cli/.
 */
#ifndef BAWN_SANDBOX_SANDBOX_H
#define BAWN_SANDBOX_SANDBOX_H

#include "network/wire.h"
#include "sandbox/asker.h"
#include "sandbox/plan.h"

struct denial; /* denials.h */
struct denials;

/* ---- a filtered network ---- */

struct net_listener {
    uint8_t kind; /* enum wire_listener */
    int fd;
};

/* What sandbox_run() needs of the one who filters. Which sockets there are is the plan's to say. */
/* The content of a file that the plan names (MOUNT_TEXT). */
struct net_file {
    const char *path;
    int fd; /* read from its beginning */
};

struct run_network {
    const struct net_file *files;
    size_t n_files;
    /* The sandbox's listening sockets, the callee's to close. Called once, before the command
     * starts; when it returns 0 the filter stands. */
    int (*listening)(void *data, const struct net_listener *listeners, size_t n, struct error *err);
    /* readable() is called when there is something to read on it; -1: none. Looked at each time:
     * readable() sets it to -1 when the proxy is gone. */
    int fd;
    void (*readable)(void *data);
    /* Set for that call, else nowhere: where who asks is looked for. */
    struct asker_place inside;
    /* The command ended, the terminal is as it was: what was refused. With --log-denials it is
     * taken over; `taken` says so. May be NULL. */
    struct denials *(*ended)(void *data);
    bool taken;
    void *data;
};

/* Who wants to know how it went. Times are of clock_gettime(CLOCK_REALTIME), nanoseconds; what it
 * did not come to stays 0. */
struct run_report {
    void (*started)(void *data); /* called when the command runs; may be NULL */
    void *data;
    uint64_t begun_ns, started_ns, ended_ns; /* set-up, command */
    int status, signal;
};

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
    struct run_report *report;             /* or NULL */
    struct run_network *network;           /* exactly when the plan's network is NETWORK_FILTERED */
};

/* Confines and runs; *ret_status is what bawn exits with (spec 0.2). A negative return means that
 * the sandbox could not be set up (the caller exits 125). */
int sandbox_run(const struct plan *plan, const struct run_options *options, int *ret_status,
                struct error *err);

#endif
