/* What the configuration says, as the deciding rooms want it. */
#ifndef BAWN_CLI_POLICY_H
#define BAWN_CLI_POLICY_H

#include "approval/decide.h"
#include "cli/setup.h"
#include "rules/classify.h"

/* The approval policy in force. */
struct approval_policy policy_of(const struct setup *s);
/* What the tables of commands are extended by; in S's arena. 0 or -ENOMEM. */
int policy_tables(struct setup *s, struct safety_tables *ret);

#endif
