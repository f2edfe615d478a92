/* From configuration to what decides. See policy.h. */
#include "cli/policy.h"

#include "config/config.h"

#include <errno.h>

struct approval_policy policy_of(const struct setup *s)
{
    static const struct {
        const char *word;
        enum policy_kind kind;
    } words[] = {{"untrusted", POLICY_UNTRUSTED},
                 {"on-request", POLICY_ON_REQUEST},
                 {"on-failure", POLICY_ON_REQUEST},
                 {"granular", POLICY_GRANULAR},
                 {"never", POLICY_NEVER}};
    const struct config *c = s->config;
    const struct config_granular *g = &c->granular;
    struct approval_policy policy = {.kind = POLICY_UNTRUSTED,
                                     .sandbox_approval = g->sandbox_approval,
                                     .rules = g->rules,
                                     .mcp_elicitations = g->mcp_elicitations,
                                     .request_permissions = g->request_permissions,
                                     .skill_approval = g->skill_approval};
    for (size_t i = 0; c->approval_policy && i < ARRAY_LEN(words); i++)
        if (str_eq(words[i].word, c->approval_policy))
            policy.kind = words[i].kind;
    return policy;
}

static int convert(struct arena *a, const struct config_command_list *list,
                   const struct safety_entry **ret, size_t *ret_n)
{
    struct safety_entry *v = arena_zalloc(a, list->n + 1, sizeof(*v));
    if (!v)
        return -ENOMEM;
    for (size_t i = 0; i < list->n; i++)
        v[i] = (struct safety_entry){.words = list->v[i].words, .n = list->v[i].n};
    *ret = v;
    *ret_n = list->n;
    return 0;
}

int policy_tables(struct setup *s, struct safety_tables *ret)
{
    const struct config_commands *c = &s->config->commands;
    struct safety_tables t = {0};
    int r = convert(&s->arena, &c->known_safe, &t.safe, &t.n_safe);
    if (r == 0)
        r = convert(&s->arena, &c->not_safe, &t.not_safe, &t.n_not_safe);
    if (r == 0)
        r = convert(&s->arena, &c->dangerous, &t.dangerous, &t.n_dangerous);
    if (r == 0)
        r = convert(&s->arena, &c->not_dangerous, &t.not_dangerous, &t.n_not_dangerous);
    if (r == 0)
        *ret = t;
    return r;
}
