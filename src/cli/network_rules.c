/*
 * From a network_rule() of a rules file to a rule of the network's policy. See network_rules.h.
 *
 * allow, prompt and forbidden are allow, ask and deny. A rule of a trusted project counts like any
 * other, and opens nothing that is not public: its file is a stranger's text.
 */
#include "cli/network_rules.h"

#include <errno.h>

static const struct {
    enum rules_rank rank;
    enum net_source source;
} sources[] = {
    {RULES_SYSTEM, NET_OF_RULES},
    {RULES_USER, NET_OF_RULES},
    {RULES_PROJECT, NET_OF_PROJECT},
    {RULES_REQUIREMENTS, NET_OF_REQUIRED},
};

static enum net_decision decision_of(enum decision d)
{
    switch (d) {
    case DECISION_ALLOW:
        return NET_ALLOW;
    case DECISION_PROMPT:
        return NET_ASK;
    case DECISION_NONE:
    case DECISION_FORBIDDEN:
        break;
    }
    return NET_DENY;
}

int network_rule_read(const struct network_rule *rule, struct netrule *ret, struct error *err)
{
    struct netrule r = {.pattern = rule->host,
                        .decision = decision_of(rule->decision),
                        .source = NET_OF_PROJECT,
                        .port = rule->port,
                        .message = rule->justification,
                        .layer = "rules",
                        .file = rule->file,
                        .line = rule->line};
    for (size_t i = 0; i < ARRAY_LEN(sources); i++)
        if (sources[i].rank == rule->rank)
            r.source = sources[i].source;
    if (rule->protocol && !(r.protocols = net_protocol(rule->protocol))) {
        (void)error_set(err, -EINVAL, "network_rule: unknown protocol \"%s\"",
                        show(rule->protocol));
        error_hint(err, "one of %s, any", NET_PROTOCOL_WORDS);
        error_at(err, rule->file ? rule->file : "", rule->line, 0, 0, NULL, 0);
        return -EINVAL;
    }
    *ret = r;
    return 0;
}
