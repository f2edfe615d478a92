/*
 * Run, ask or refuse: one table (spec 4.1), one pure function.
 */
#ifndef BAWN_APPROVAL_DECIDE_H
#define BAWN_APPROVAL_DECIDE_H

#include "rules/judge.h"

#include <stdbool.h>

enum policy_kind { POLICY_UNTRUSTED, POLICY_ON_REQUEST, POLICY_GRANULAR, POLICY_NEVER };

struct approval_policy {
    enum policy_kind kind;
    /* Of POLICY_GRANULAR; for the others they do not matter. False: such a question is refused. */
    bool sandbox_approval, rules, mcp_elicitations, request_permissions, skill_approval;
};

enum escalation {
    ESCALATE_NOTHING,
    ESCALATE_PERMISSIONS, /* more permissions, inside */
    ESCALATE_OUTSIDE,     /* no sandbox */
};

enum action { ACTION_RUN, ACTION_ASK, ACTION_REFUSE };
enum place { PLACE_SANDBOX, PLACE_OUTSIDE };

struct verdict {
    enum action action;
    enum place place; /* where it runs, at once or when the answer is yes */
    const char
        *why; /* static: the row and column in words, "policy never: a prompt rule refuses" */
};

struct verdict decide(enum line_class class, const struct approval_policy *policy,
                      enum escalation escalation);

const char *action_word(enum action a); /* "run", "ask", "refuse" */
const char *place_word(enum place p);   /* "sandbox", "outside" */

#endif
