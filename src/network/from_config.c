/* From configuration to one policy. See from_config.h. */
#include "network/from_config.h"

#include "config/requirements.h"

#include <errno.h>

struct gather {
    const struct netpolicy_input *in;
    struct netpolicy *policy;
    struct error *err;
};

static const char *const words[] = {"allow", "deny"};

/* The message begins with the key, and shows its place. */
static int at(struct gather *g, int r, const char *key, const struct toml_value *value,
              struct toml_span span)
{
    (void)error_wrap(g->err, r, "%s", key);
    config_error_at(g->err, value, span);
    return r;
}

static int no_memory(struct gather *g)
{
    return error_errno(g->err, -ENOMEM, "cannot build the network's rules");
}

static struct netrule rule_at(const char *pattern, enum net_decision decision,
                              enum net_source source, const struct toml_value *value,
                              struct toml_span span)
{
    struct origin o = config_origin(value, span);
    return (struct netrule){.pattern = pattern,
                            .decision = decision,
                            .source = source,
                            .layer = o.layer,
                            .file = o.file,
                            .line = o.line,
                            .column = o.column};
}

/* Into the policy, and behind the list that goes with it. */
static int add(struct gather *g, struct netrule *rule, struct error *err)
{
    struct netrules *list = g->in->list;
    rule->id = list ? (uint32_t)list->v.n : 0;
    int r = netpolicy_add(g->policy, rule, err);
    if (r < 0 || !list)
        return r;
    struct netrule *slot = vec_push(&list->v);
    if (!slot)
        return error_errno(err, -ENOMEM, "cannot build the network's rules");
    *slot = *rule;
    return 0;
}

/* One key of a `domains` table. */
static int add_member(struct gather *g, const char *key, const struct toml_member *m,
                      enum net_source source, uint8_t level)
{
    const struct toml_value *v = m->value;
    enum net_decision decision = NET_NONE;
    if (v->type == TOML_STRING)
        decision = bytes_is(v->string, "allow")  ? NET_ALLOW
                   : bytes_is(v->string, "deny") ? NET_DENY
                                                 : NET_NONE;
    if (decision == NET_NONE) {
        const char *near =
            v->type == TOML_STRING ? nearest_word(v->string.p, words, ARRAY_LEN(words)) : NULL;
        (void)error_set(g->err, -EINVAL, "\"%s\": expected \"allow\" or \"deny\"",
                        show_n(m->key.p, m->key.n));
        if (near)
            error_note(g->err, "did you mean \"%s\"?", near);
        return at(g, -EINVAL, key, v, v->span);
    }
    struct netrule rule = rule_at(m->key.p, decision, source, v, m->key_span);
    rule.level = level;
    int r = m->key.n == strlen(m->key.p)
                ? add(g, &rule, g->err)
                : error_set(g->err, -EINVAL, "a NUL byte is in no name of a host");
    if (r == 0 || r == -ENOMEM)
        return r;
    (void)error_wrap(g->err, r, "\"%s\"", show_n(m->key.p, m->key.n));
    return at(g, r, key, v, m->key_span);
}

static int add_table(struct gather *g, const char *key, const struct toml_value *domains,
                     enum net_source source, uint8_t level)
{
    int r = 0;
    if (domains->type != TOML_TABLE) {
        (void)error_set(g->err, -EINVAL, "expected a table of patterns, found %s",
                        toml_type_name(domains->type));
        return at(g, -EINVAL, key, domains, domains->span);
    }
    for (const struct toml_member *m = domains->table.first; r == 0 && m; m = m->next)
        r = add_member(g, key, m, source, level);
    return r;
}

/* The older spelling of the requirements: lists. */
static int add_list(struct gather *g, const char *key, const struct toml_value *list,
                    enum net_decision decision)
{
    int r = 0;
    for (size_t i = 0; list && r == 0 && i < list->array.n; i++) {
        const struct toml_value *v = list->array.items[i];
        struct netrule rule = rule_at(v->string.p, decision, NET_OF_REQUIRED, v, v->span);
        r = add(g, &rule, g->err);
        if (r < 0 && r != -ENOMEM) {
            (void)error_wrap(g->err, r, "\"%s\"", show_n(v->string.p, v->string.n));
            r = at(g, r, key, v, v->span);
        }
    }
    return r;
}

static int add_profile(struct gather *g)
{
    const struct profile *p = g->in->profile;
    int r = 0;
    for (size_t i = 0; r == 0 && i < p->n_network_tables; i++) {
        const struct toml_value *domains = toml_get(p->network_tables[i], BYTES("domains"));
        if (domains)
            r = add_table(g, "domains", domains, NET_OF_PROFILE, (uint8_t)MIN_OF(i, 255u));
    }
    return r;
}

static const struct toml_value *required(const struct netpolicy_input *in, const char *key)
{
    const struct requirements *q = in->config->requirements;
    return q && q->network ? toml_get(q->network, bytes_of(key)) : NULL;
}

static int add_required(struct gather *g)
{
    const struct toml_value *domains = required(g->in, "domains");
    int r = domains ? add_table(g, "experimental_network.domains", domains, NET_OF_REQUIRED, 0) : 0;
    if (r == 0)
        r = add_list(g, "experimental_network.allowed_domains", required(g->in, "allowed_domains"),
                     NET_ALLOW);
    if (r == 0)
        r = add_list(g, "experimental_network.denied_domains", required(g->in, "denied_domains"),
                     NET_DENY);
    return r;
}

/* A stranger's file: what is wrong with it costs the rule, and is said. */
static int add_projects(struct gather *g)
{
    struct config *c = g->in->config;
    struct error *err = g->err, what;
    int r = 0;
    g->err = &what;
    for (size_t i = 0; r == 0 && i < c->n_project_domains; i++) {
        const struct toml_member *m = c->project_domains[i]->table.first;
        for (; r == 0 && m; m = m->next) {
            what = (struct error){0};
            r = add_member(g, "domains", m, NET_OF_PROJECT, 0);
            if (r < 0 && r != -ENOMEM)
                r = config_warn_error(c, &what);
        }
    }
    g->err = err;
    return r < 0 ? no_memory(g) : 0;
}

static int add_rule(struct gather *g, const struct netrule *rule)
{
    struct error what = {0};
    struct netrule copy = *rule;
    int r = add(g, &copy, &what);
    if (r == 0)
        return 0;
    if (r != -ENOMEM) {
        (void)error_wrap(&what, r, "\"%s\"", show(rule->pattern));
        error_at(&what, rule->file ? rule->file : "", rule->line, rule->column, 0, NULL, 0);
        if (rule->source == NET_OF_PROJECT)
            return config_warn_error(g->in->config, &what) < 0 ? no_memory(g) : 0;
    }
    if (g->err)
        *g->err = what;
    return r;
}

static int add_rules(struct gather *g)
{
    for (size_t i = 0; i < g->in->n_rules; i++) {
        int r = add_rule(g, &g->in->rules[i]);
        if (r < 0)
            return r;
    }
    for (size_t i = 0; i < g->in->n_own; i++)
        if (netpolicy_add_own(g->policy, &g->in->own[i]) < 0)
            return no_memory(g);
    return 0;
}

static bool is_true(const struct toml_value *v)
{
    return v && v->type == TOML_BOOLEAN && v->boolean;
}

struct netpolicy_settings netpolicy_settings_of(const struct netpolicy_input *in)
{
    const struct profile *p = in->profile;
    struct netpolicy_settings s = {.ask_unknown = in->ask_unknown, .ask_rule = in->ask_rule};
    for (size_t i = 0; i < p->n_network_tables; i++) { /* the last that says something */
        const struct toml_value *v = toml_get(p->network_tables[i], BYTES("allow_local_binding"));
        s.allow_local = v ? is_true(v) : s.allow_local;
    }
    const struct toml_value *local = required(in, "allow_local_binding");
    s.local_fixed = local && !is_true(local);
    s.allow_local = s.allow_local && !s.local_fixed;
    s.managed_only = is_true(required(in, "managed_allowed_domains_only"));
    return s;
}

int netpolicy_from_config(const struct netpolicy_input *in, struct netpolicy **ret,
                          struct error *err)
{
    struct gather g = {.in = in, .err = err};
    const struct netrule *clash = NULL;
    struct netpolicy_settings settings = netpolicy_settings_of(in);
    _cleanup_netpolicy_ struct netpolicy *p = netpolicy_new(&settings);
    if (!p)
        return no_memory(&g);
    g.policy = p;
    int r = add_required(&g);
    if (r == 0)
        r = add_profile(&g);
    if (r == 0)
        r = add_projects(&g);
    if (r == 0)
        r = add_rules(&g);
    if (r == 0) {
        r = netpolicy_finish(p, &clash, err);
        if (r == -EEXIST && clash)
            error_at(err, clash->file ? clash->file : "", clash->line, clash->column, 0, NULL, 0);
    }
    if (r == 0)
        *ret = steal_ptr(&p);
    return r;
}
