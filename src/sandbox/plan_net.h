/*
 * What a plan says of the network. Pure.
 */
#ifndef BAWN_SANDBOX_PLAN_NET_H
#define BAWN_SANDBOX_PLAN_NET_H

#include "network/settings.h"
#include "sandbox/plan.h"

/* Fills `net`, `unix_sockets` and `all_unix_sockets` of P, whose profile, configuration and network
 * mode are set; lists are in A. SETTINGS may be NULL: what nobody configured.
 * -EINVAL where a network is to be filtered that cannot be. */
int plan_net_decide(struct arena *a, struct plan *p, const struct net_settings *settings,
                    struct error *err);

#endif
