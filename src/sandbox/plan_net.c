/*
 * The network's part of a plan. See plan_net.h.
 */
#include "sandbox/plan_net.h"

#include "base/toml.h"
#include "config/requirements.h"
#include "network/pattern.h"
#include "sandbox/net_inside.h"

#include <errno.h>
#include <string.h>

/* ---- listeners ---- */

static int decide_listeners(struct plan *p, const struct net_settings *s, struct error *err)
{
    struct plan_net *n = &p->net;
    *n = (struct plan_net){.socks = s->socks,
                           .socks_udp = s->socks_udp,
                           .transparent = s->transparent,
                           .http_port = s->http_port ? s->http_port : NET_HTTP_PORT,
                           .socks_port = s->socks_port ? s->socks_port : NET_SOCKS_PORT};
    if (!n->socks || n->socks_port != n->http_port)
        return 0;
    if (s->http_port && s->socks_port)
        return error_set(err, -EINVAL, "port %u cannot be proxy_url's and socks_url's",
                         n->http_port);
    /* One was asked for and is the other's usual one: they change places. */
    if (s->http_port)
        n->socks_port = NET_HTTP_PORT;
    else
        n->http_port = NET_SOCKS_PORT;
    return 0;
}

/* ---- the loopback ---- */

/* Does PATTERN open something on the host's loopback? Then its names must reach the proxy. */
static bool opens_loopback(struct bytes pattern)
{
    struct netpattern p;
    struct error none = {0};
    if (netpattern_parse(pattern, &p, &none) < 0)
        return false;
    if (p.kind == PATTERN_ADDRESS)
        return address_classify(&p.address, NULL) == ADDRESS_LOOPBACK;
    struct host h = {.kind = HOST_NAME, .n = p.n};
    memcpy(h.name, p.name, p.n);
    return p.kind != PATTERN_ANY && p.kind != PATTERN_RANGE && host_is_localhost(&h);
}

static bool any_opens_loopback(const struct toml_value *domains)
{
    if (!domains || domains->type != TOML_TABLE)
        return false;
    for (const struct toml_member *m = domains->table.first; m; m = m->next)
        if (m->value->type == TOML_STRING && bytes_is(m->value->string, "allow") &&
            opens_loopback(m->key))
            return true;
    return false;
}

static bool says(const struct toml_value *v, bool otherwise)
{
    return v && v->type == TOML_BOOLEAN ? v->boolean : otherwise;
}

static bool loopback_is_host(const struct plan *p)
{
    const struct requirements *q = p->config->requirements;
    const struct toml_value *required = q ? q->network : NULL;
    bool local = false, found = false;
    for (size_t i = 0; i < p->profile->n_network_tables; i++) {
        const struct toml_value *t = p->profile->network_tables[i];
        local = says(toml_get(t, BYTES("allow_local_binding")), local);
        found = found || any_opens_loopback(toml_get(t, BYTES("domains")));
    }
    if (!required)
        return local || found;
    return found || any_opens_loopback(toml_get(required, BYTES("domains"))) ||
           (local && says(toml_get(required, BYTES("allow_local_binding")), true));
}

/* ---- Unix sockets ---- */

static bool is_in(const char *const *v, size_t n, const char *path)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(v[i], path) == 0)
            return true;
    return false;
}

static int decide_sockets(struct arena *a, struct plan *p, const struct net_settings *s,
                          struct error *err)
{
    const struct string_list *own = &p->config->allow_unix_sockets;
    const char **v = arena_alloc(a, (own->n + s->n_unix_sockets + 1) * sizeof(*v));
    size_t n = 0;
    if (!v)
        return error_set(err, -ENOMEM, "out of memory");
    for (size_t i = 0; i < own->n; i++)
        if (!is_in(s->denied_unix_sockets, s->n_denied_unix_sockets, own->v[i]))
            v[n++] = own->v[i];
    for (size_t i = 0; i < s->n_unix_sockets; i++)
        if (!is_in(v, n, s->unix_sockets[i]))
            v[n++] = s->unix_sockets[i];
    p->unix_sockets = v;
    p->n_unix_sockets = n;
    p->all_unix_sockets = s->all_unix_sockets;
    return 0;
}

/* A filtered network needs a namespace of its own. */
static int check_backend(const struct plan *p, struct error *err)
{
    enum backend backend = p->config->backend;
    if (p->profile->full_access) {
        error_set(err, -EINVAL,
                  "%s confines nothing, so its network cannot be filtered: it would be open",
                  show(p->profile->name));
        error_hint(err, "choose a profile that confines, or turn the filter off");
        return -EINVAL;
    }
    if (backend != BACKEND_LANDLOCK && backend != BACKEND_EXTERNAL)
        return 0;
    error_set(err, -EINVAL, "the %s backend cannot filter the network: it has no network namespace",
              sandbox_backend_word(backend));
    error_hint(err, "sandbox_backend = \"bundled\", or turn the network off");
    return -EINVAL;
}

int plan_net_decide(struct arena *a, struct plan *p, const struct net_settings *settings,
                    struct error *err)
{
    static const struct net_settings usual = {.socks = true, .transparent = true};
    const struct net_settings *s = settings ? settings : &usual;
    int r = p->network == NETWORK_FILTERED ? check_backend(p, err) : 0;
    if (r == 0)
        r = decide_sockets(a, p, s, err);
    if (r < 0 || p->network != NETWORK_FILTERED)
        return r;
    r = decide_listeners(p, s, err);
    p->net.loopback_is_host = loopback_is_host(p);
    return r;
}
