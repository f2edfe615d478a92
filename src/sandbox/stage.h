/*
 * What init must know when it is not a fork of the outer but a program of its own, started by
 * bwrap: the part of the plan that it carries out itself, written to a sealed memfd.
 */
#ifndef BAWN_SANDBOX_STAGE_H
#define BAWN_SANDBOX_STAGE_H

#include "sandbox/backend.h"

/* The hidden subcommand that bwrap starts: `bawn STAGE_COMMAND FD CONTROL WORK IN OUT ERR`, the
 * last three being the command's standard descriptors under other numbers. */
#define STAGE_COMMAND "--sandbox-init"

/* Is the directory that mount INDEX stands in one of the host's? Not in a root of the sandbox's
 * own, nor below a mask. */
bool stage_on_host(const struct plan *plan, size_t index);
/* Opens what stands at PATH as O_PATH, without following a link anywhere in it. The descriptor
 * (close-on-exec) or a negative errno. */
int stage_open(const char *path);
/* A sealed memfd (not close-on-exec) with everything, or a negative errno. */
int stage_write(const struct launch *l, struct error *err);
/* Becomes init. Never returns. */
_noreturn_ void stage_main(int argc, char **argv);

#endif
