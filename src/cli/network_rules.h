/* What rules files say of the network, as src/network takes it. */
#ifndef BAWN_CLI_NETWORK_RULES_H
#define BAWN_CLI_NETWORK_RULES_H

#include "cli/setup.h"
#include "network/from_config.h"
#include "network/policy.h"
#include "rules/rules.h"

/* One network_rule(). -EINVAL with its place: an unknown protocol. Strings are RULE's own. */
int network_rule_read(const struct network_rule *rule, struct netrule *ret, struct error *err);
/* Those of all rules files in force, in S's arena (network_rules_load.c). After setup_profile(). */
int network_rules_load(struct setup *s, const struct netrule **ret, size_t *ret_n,
                       struct error *err);
/* Everything the policy is made of: configuration and profile of S, its rules files, the addresses
 * of this machine. What is asked about is the caller's to add. */
int network_input(struct setup *s, struct netpolicy_input *ret, struct error *err);

#endif
