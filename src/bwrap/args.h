/*
 * bubblewrap's command line as a plan of steps (sandbox/steps.h). The language is that of bwrap(1),
 * version 0.11: operations in their order, modifiers that hold for the next one, the environment
 * changed word by word. Pure: no file, no descriptor, no environment but what is handed in; what
 * `--args` names is read by a function of the caller's.
 *
 * Messages are bubblewrap's, without the "bwrap: " before them: scripts look for some of them.
 */
#ifndef BAWN_BWRAP_ARGS_H
#define BAWN_BWRAP_ARGS_H

#include "base/error.h"
#include "base/mem.h"
#include "base/str.h"
#include "sandbox/steps.h"

#include <stdbool.h>

/* What the machine says; asked only for what the command line leaves open. */
struct bwrap_machine {
    uid_t uid;
    gid_t gid;
    bool userns; /* user namespaces can be made, as far as settings tell: for -try */
    bool cgroup; /* the kernel has cgroup namespaces */
};

enum bwrap_request { BWRAP_RUN, BWRAP_HELP, BWRAP_VERSION, BWRAP_USAGE };

struct bwrap_args {
    enum bwrap_request request; /* BWRAP_USAGE: there is no command */
    struct plan_steps steps;    /* of BWRAP_RUN, complete after bwrap_settle() */
    bool user_try, cgroup_try;
    bool level_prefix, hostname;
    char *const *command; /* of the caller's argv, NULL-terminated */
    const char **env;     /* "NAME=VALUE", NULL-terminated */
    size_t n_env;
    const char **warnings;
    size_t n_warnings;
};

struct bwrap_input {
    char *const *argv; /* behind the program's name, NULL-terminated */
    const char *const *environ;
    /* Reads what FD holds, whole, into memory that lives as long as the plan. 0 or -errno. */
    int (*read_args)(void *data, int fd, struct bytes *ret);
    void *data;
};

/* Everything in RET is in A or the caller's. -EINVAL with bubblewrap's message for a mistake;
 * RET->level_prefix and the warnings count then too. */
int bwrap_parse(struct arena *a, const struct bwrap_input *input, struct bwrap_args *ret,
                struct error *err);
/* What depends on the machine: which namespaces, which ids; and what does not go together. */
int bwrap_settle(struct bwrap_args *args, const struct bwrap_machine *facts, struct error *err);
/* The number of a capability ("CAP_NET_ADMIN", in any case, or a number), or -1. */
int bwrap_capability(const char *name);
/* All options, for people and for scripts that look for one. */
void bwrap_help(const char *program, struct strbuf *out);

#endif
