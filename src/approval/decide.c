/*
 * Run, ask or refuse. See decide.h; the table is that of the rules page of the manual.
 *
 * Two things can each demand a decision: what the line is (its class), and what was asked for on
 * top of it (an escalation). Each is one row of the table, a policy is the column, and the
 * strictest cell of the rows that apply is the verdict: a question is put only where no row
 * refuses. The one exception is the first row: what is allowed on every part runs, outside, and
 * nobody looks at the escalation.
 *
 * What is not in the table (a number that is no policy or no class) is refused.
 */
#include "approval/decide.h"

#include <stddef.h>

/* Which switch of a granular policy a row's question needs. */
enum needs { NEEDS_NOTHING, NEEDS_SANDBOX_APPROVAL, NEEDS_RULES };

struct cell {
    enum action action;
    const char *why;
};

struct row {
    struct cell column[POLICY_NEVER + 1]; /* granular: with its switch on */
    enum needs needs;
    const char *off; /* why granular refuses with the switch off */
};

#define EVERYWHERE(action, why)                                                                    \
    {                                                                                              \
        {action, why}, {action, why}, {action, why},                                               \
        {                                                                                          \
            action, why                                                                            \
        }                                                                                          \
    }

static const struct row class_rows[] = {
    [LINE_ALLOW] = {EVERYWHERE(ACTION_RUN, "a rule allows every part: it runs outside the sandbox "
                                           "under every policy")},
    [LINE_ALLOW_INSIDE] = {EVERYWHERE(ACTION_RUN, "a rule allows every part, inside the sandbox")},
    [LINE_SAFE] = {EVERYWHERE(ACTION_RUN, "known to be safe: it runs in the sandbox under every "
                                          "policy")},
    [LINE_UNKNOWN] =
        {
            {
                [POLICY_UNTRUSTED] = {ACTION_ASK,
                                      "policy untrusted: what no rule allows and is not known to "
                                      "be safe is asked about"},
                [POLICY_ON_REQUEST] = {ACTION_RUN, "policy on-request: what no rule names runs in "
                                                   "the sandbox"},
                [POLICY_GRANULAR] = {ACTION_RUN, "policy granular: what no rule names runs in the "
                                                 "sandbox"},
                [POLICY_NEVER] = {ACTION_RUN, "policy never: what no rule names runs in the "
                                              "sandbox"},
            },
        },
    [LINE_DANGEROUS] =
        {
            {
                [POLICY_UNTRUSTED] = {ACTION_ASK, "policy untrusted: a dangerous command is asked "
                                                  "about"},
                [POLICY_ON_REQUEST] = {ACTION_ASK, "policy on-request: a dangerous command is "
                                                   "asked about"},
                [POLICY_GRANULAR] = {ACTION_ASK, "policy granular: a dangerous command is asked "
                                                 "about"},
                [POLICY_NEVER] = {ACTION_REFUSE, "policy never: a dangerous command refuses"},
            },
            NEEDS_SANDBOX_APPROVAL,
            "policy granular, sandbox_approval = false: a dangerous command refuses",
        },
    [LINE_PROMPT] =
        {
            {
                [POLICY_UNTRUSTED] = {ACTION_ASK, "policy untrusted: a prompt rule asks"},
                [POLICY_ON_REQUEST] = {ACTION_ASK, "policy on-request: a prompt rule asks"},
                [POLICY_GRANULAR] = {ACTION_ASK, "policy granular: a prompt rule asks"},
                [POLICY_NEVER] = {ACTION_REFUSE, "policy never: a prompt rule refuses"},
            },
            NEEDS_RULES,
            "policy granular, rules = false: a prompt rule refuses",
        },
    [LINE_FORBIDDEN] = {EVERYWHERE(ACTION_REFUSE, "a rule forbids it, under every policy")},
};

static const struct row escalation_rows[] = {
    [ESCALATE_PERMISSIONS] =
        {
            {
                [POLICY_UNTRUSTED] = {ACTION_ASK, "policy untrusted: more permissions are asked "
                                                  "about"},
                [POLICY_ON_REQUEST] = {ACTION_ASK, "policy on-request: more permissions are asked "
                                                   "about"},
                [POLICY_GRANULAR] = {ACTION_ASK, "policy granular: more permissions are asked "
                                                 "about"},
                [POLICY_NEVER] = {ACTION_REFUSE, "policy never: a wish for more permissions "
                                                 "refuses"},
            },
            NEEDS_SANDBOX_APPROVAL,
            "policy granular, sandbox_approval = false: a wish for more permissions refuses",
        },
    [ESCALATE_OUTSIDE] =
        {
            {
                [POLICY_UNTRUSTED] = {ACTION_ASK, "policy untrusted: to run outside the sandbox "
                                                  "is asked about"},
                [POLICY_ON_REQUEST] = {ACTION_ASK, "policy on-request: to run outside the sandbox "
                                                   "is asked about"},
                [POLICY_GRANULAR] = {ACTION_ASK, "policy granular: to run outside the sandbox is "
                                                 "asked about"},
                [POLICY_NEVER] = {ACTION_REFUSE, "policy never: a wish to run outside the sandbox "
                                                 "refuses"},
            },
            NEEDS_SANDBOX_APPROVAL,
            "policy granular, sandbox_approval = false: a wish to run outside the sandbox refuses",
        },
};

static struct cell look_up(const struct row *row, const struct approval_policy *policy)
{
    bool off = (row->needs == NEEDS_SANDBOX_APPROVAL && !policy->sandbox_approval) ||
               (row->needs == NEEDS_RULES && !policy->rules);
    if (policy->kind == POLICY_GRANULAR && off)
        return (struct cell){ACTION_REFUSE, row->off};
    return row->column[policy->kind];
}

struct verdict decide(enum line_class class, const struct approval_policy *policy,
                      enum escalation escalation)
{
    if ((size_t) class >= ARRAY_LEN(class_rows) || (size_t)policy->kind > POLICY_NEVER ||
        (size_t)escalation > ESCALATE_OUTSIDE)
        return (struct verdict){ACTION_REFUSE, PLACE_SANDBOX, "not a case of the table"};
    struct cell cell = look_up(&class_rows[class], policy);
    if (class == LINE_ALLOW)
        return (struct verdict){cell.action, PLACE_OUTSIDE, cell.why};
    if (escalation != ESCALATE_NOTHING) {
        struct cell wish = look_up(&escalation_rows[escalation], policy);
        if (wish.action > cell.action) /* in order of strictness */
            cell = wish;
    }
    enum place place = escalation == ESCALATE_OUTSIDE ? PLACE_OUTSIDE : PLACE_SANDBOX;
    return (struct verdict){cell.action, place, cell.why};
}

const char *action_word(enum action a)
{
    static const char *const words[] = {"run", "ask", "refuse"};
    return words[a];
}

const char *place_word(enum place p)
{
    static const char *const words[] = {"sandbox", "outside"};
    return words[p];
}
