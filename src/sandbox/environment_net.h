/*
 * The variables by which programs find the proxy of a filtered network. Pure.
 */
#ifndef BAWN_SANDBOX_ENVIRONMENT_NET_H
#define BAWN_SANDBOX_ENVIRONMENT_NET_H

#include "base/mem.h"
#include "sandbox/plan.h"

/* No more of them than this. */
#define ENVIRONMENT_NET_MAX 64

/* Into RET (room for ENVIRONMENT_NET_MAX), as "NAME=VALUE" in A: how many, or -ENOMEM. ENV (N) is
 * what the command gets anyway: where a variable holds options it keeps those. */
int environment_net(struct arena *a, const struct plan_net *net, const char *const *env, size_t n,
                    const char **ret);

#endif
