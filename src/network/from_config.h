/*
 * The network's rules that configuration, requirements and projects' files hold, as one policy
 * (spec 5.1, 3.4).
 *
 *   the profile's tables     `domains`, of the `extends` chain: what a profile says of a pattern
 *                            replaces what those it extends, and features.network_proxy, say of it
 *   requirements             experimental_network: `deny` is a floor, `allow` adds, and is all that
 *                            can be allowed with managed_allowed_domains_only
 *   projects' files          `deny` only
 *   the caller's             rules files, a session's answers
 */
#ifndef BAWN_NETWORK_FROM_CONFIG_H
#define BAWN_NETWORK_FROM_CONFIG_H

#include "base/vec.h"
#include "config/config.h"
#include "network/policy.h"

/* Rules in order, each with its place as `id`: what bawn-proxy is handed (wire.h). */
struct netrules {
    VEC(struct netrule) v;
};

struct netpolicy_input {
    struct config *config; /* warnings are appended: about projects' files */
    const struct profile *profile;
    const struct netrule *rules; /* more of them, pointing to what outlives the policy */
    size_t n_rules;
    const struct address *own; /* addresses of the host's own interfaces */
    size_t n_own;
    bool ask_unknown, ask_rule; /* as in struct netpolicy_settings */
    struct netrules *list;      /* gets every rule that counts; or NULL */
};

struct netpolicy_settings netpolicy_settings_of(const struct netpolicy_input *in);
/* A fault in a rule has the place of the rule. */
int netpolicy_from_config(const struct netpolicy_input *in, struct netpolicy **ret,
                          struct error *err);

#endif
