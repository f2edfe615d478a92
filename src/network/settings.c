/*
 * From configuration to what a filtered network is like. See settings.h.
 *
 * The tables are looked at from the lowest: what a later one says of a key counts. The requirements
 * come last and can only take away: `false` keeps a switch off, a `deny` stays, a port is theirs.
 *
 * The proxy listens inside the sandbox's own network namespace, which has a loopback and nothing
 * else. So an address in proxy_url is a port, and dangerously_allow_non_loopback_proxy, with which
 * such an address may be another than loopback, opens nothing: it is read, and said to be without
 * effect.
 */
#include "network/settings.h"

#include "base/path.h"
#include "base/vec.h"
#include "config/keys.h"
#include "config/requirements.h"
#include "network/host.h"
#include "permissions/permissions.h"

#include <errno.h>
#include <stdlib.h>

#define MAX_BLOCK_MESSAGE 1000u /* bytes */

struct reader {
    struct config *config;
    const struct profile *profile;
    const struct toml_value *required; /* experimental_network, or NULL */
    struct error *err;
};

/* A socket and what was said of it; the last one said counts, and what is required stays. */
struct socket_word {
    const char *path;
    bool allow, fixed;
};

static int fault(struct reader *g, const char *key, const struct toml_value *v, struct toml_span at)
{
    (void)error_wrap(g->err, -EINVAL, "network: %s", key);
    config_error_at(g->err, v, at);
    return -EINVAL;
}

/* ---- one key ---- */

/* What counts of KEY, or NULL. */
static const struct toml_value *last_said(const struct reader *g, const char *key)
{
    const struct profile *p = g->profile;
    for (size_t i = p->n_network_tables; i-- > 0;) {
        const struct toml_value *v = toml_get(p->network_tables[i], bytes_of(key));
        if (v)
            return v;
    }
    return NULL;
}

static const struct toml_value *required(const struct reader *g, const char *key)
{
    return g->required ? toml_get(g->required, bytes_of(key)) : NULL;
}

static bool is_off(const struct toml_value *v)
{
    return v && v->type == TOML_BOOLEAN && !v->boolean;
}

/* A switch that requirements can keep off. */
static bool read_switch(const struct reader *g, const char *key, bool otherwise)
{
    const struct toml_value *v = last_said(g, key);
    return !is_off(required(g, key)) && (v ? v->boolean : otherwise);
}

/* ---- the keys of features.network_proxy ---- */

/* Those of a profile's network; profiles' own tables were looked at when the profile was made. */
static int check_member(struct reader *g, const struct toml_member *m)
{
    struct bytes parts[] = {BYTES("permissions"), BYTES("x"), BYTES("network"), m->key};
    const struct toml_value *at = m->value;
    bool inner = false;
    const struct config_key *key = keys_find(&config_keys, parts, ARRAY_LEN(parts), &inner);
    if (!key && !inner) {
        const char *near = keys_nearest(&config_keys, parts, ARRAY_LEN(parts) - 1, m->key.p);
        (void)error_set(g->err, -EINVAL, "features.network_proxy.%s: unknown key",
                        show_n(m->key.p, m->key.n));
        config_error_at(g->err, m->value, m->key_span);
        if (near)
            error_note(g->err, "did you mean \"%s\"?", near);
        return -EINVAL;
    }
    if (!key || key_check(key, m->value, &at, g->err) == 0)
        return 0;
    (void)error_wrap(g->err, -EINVAL, "features.network_proxy.%s", show_n(m->key.p, m->key.n));
    config_error_at(g->err, at, at->span);
    return -EINVAL;
}

static int check_feature(struct reader *g)
{
    const struct toml_value *all = toml_get(g->config->tree, BYTES("features"));
    const struct toml_value *v =
        all && all->type == TOML_TABLE ? toml_get(all, BYTES("network_proxy")) : NULL;
    int r = 0;
    for (const struct toml_member *m = v && v->type == TOML_TABLE ? v->table.first : NULL;
         r == 0 && m; m = m->next)
        r = check_member(g, m);
    return r;
}

/* ---- listeners ---- */

/* SCHEME://HOST[:PORT][/], or without the scheme. *ret_port: 0 when there is none. */
static const char *read_url(const char *url, bool anywhere, uint16_t *ret_port)
{
    static const char *const schemes[] = {"http://", "socks5://", "socks5h://"};
    struct address a;
    struct host h;
    for (size_t i = 0; i < ARRAY_LEN(schemes); i++)
        if (str_starts(url, schemes[i])) {
            url += strlen(schemes[i]);
            break;
        }
    size_t n = strcspn(url, "/");
    if (url[n] && url[n + 1])
        return "expected [http://]HOST:PORT";
    enum host_problem p = host_parse_port((struct bytes){url, n}, 0, &h, ret_port);
    if (p == HOST_NO_PORT)
        p = host_parse((struct bytes){url, n}, &h);
    if (p != HOST_FINE)
        return host_problem_text(p);
    if (anywhere || host_is_localhost(&h))
        return NULL;
    a = address_normal(&h.address);
    if (h.kind == HOST_ADDRESS && address_classify(&a, NULL) == ADDRESS_LOOPBACK)
        return NULL;
    return "the proxy listens on the sandbox's loopback only";
}

static int read_port(struct reader *g, const char *key, const char *fixed, bool anywhere,
                     uint16_t *ret)
{
    const struct toml_value *v = last_said(g, key), *port = required(g, fixed);
    *ret = 0;
    if (v) {
        const char *problem = memchr(v->string.p, '\0', v->string.n)
                                  ? "a NUL byte is in no address"
                                  : read_url(v->string.p, anywhere, ret);
        if (problem) {
            (void)error_set(g->err, -EINVAL, "\"%s\": %s", show(v->string.p), problem);
            error_hint(g->err, "http://127.0.0.1:PORT");
            return fault(g, key, v, v->span);
        }
    }
    if (port)
        *ret = (uint16_t)port->integer;
    return 0;
}

static int read_listeners(struct reader *g, struct net_settings *s)
{
    static const char any[] = "dangerously_allow_non_loopback_proxy";
    bool anywhere = read_switch(g, any, false);
    int r = read_port(g, "proxy_url", "http_port", anywhere, &s->http_port);
    if (r == 0)
        r = read_port(g, "socks_url", "socks_port", anywhere, &s->socks_port);
    if (r == 0 && s->http_port && s->http_port == s->socks_port) {
        const struct toml_value *v = last_said(g, "socks_url");
        (void)error_set(g->err, -EINVAL, "port %u is proxy_url's, too", s->http_port);
        return v ? fault(g, "socks_url", v, v->span) : error_wrap(g->err, -EINVAL, "socks_port");
    }
    if (r == 0 && anywhere && g->profile->network == NETWORK_FILTERED)
        r = config_warn(g->config,
                        "%s has no effect: the proxy listens inside the sandbox, which has no "
                        "other address than loopback",
                        any);
    return r;
}

/* ---- Unix sockets ---- */

struct socket_words {
    VEC(struct socket_word) v;
};

static int say_socket(struct reader *g, struct socket_words *words, struct bytes path, bool allow,
                      bool fixed)
{
    const char *clean = path_join(g->config->arena, "/", path.p);
    if (!clean)
        return -ENOMEM;
    vec_foreach (w, &words->v) {
        if (!str_eq(w->path, clean))
            continue;
        if (!w->fixed || !allow)
            *w = (struct socket_word){clean, allow, w->fixed || fixed};
        return 0;
    }
    struct socket_word *slot = vec_push(&words->v);
    if (!slot)
        return -ENOMEM;
    *slot = (struct socket_word){clean, allow, fixed};
    return 0;
}

static const char *socket_problem(struct bytes path)
{
    return memchr(path.p, '\0', path.n)    ? "a NUL byte is in no path"
           : path.n == 0 || *path.p != '/' ? "is not an absolute path"
                                           : NULL;
}

static int add_sockets(struct reader *g, struct socket_words *words, const struct toml_value *table,
                       bool required)
{
    static const char key[] = "unix_sockets";
    if (!table)
        return 0;
    if (table->type != TOML_TABLE) {
        (void)error_set(g->err, -EINVAL, "expected a table of paths, found %s",
                        toml_type_name(table->type));
        return fault(g, key, table, table->span);
    }
    for (const struct toml_member *m = table->table.first; m; m = m->next) {
        const char *problem = socket_problem(m->key);
        const struct toml_value *v = m->value;
        bool allow = v->type == TOML_STRING && bytes_is(v->string, "allow");
        if (problem) {
            (void)error_set(g->err, -EINVAL, "\"%s\" %s", show_n(m->key.p, m->key.n), problem);
            return fault(g, key, v, m->key_span);
        }
        if (!allow && !(v->type == TOML_STRING && bytes_is(v->string, "deny"))) {
            (void)error_set(g->err, -EINVAL, "\"%s\": expected \"allow\" or \"deny\"",
                            show_n(m->key.p, m->key.n));
            return fault(g, key, v, v->span);
        }
        int r = say_socket(g, words, m->key, allow, required && !allow);
        if (r < 0)
            return error_errno(g->err, r, "network: %s", key);
    }
    return 0;
}

/* The older spelling of the requirements: a list. */
static int add_listed(struct reader *g, struct socket_words *words, const struct toml_value *list)
{
    for (size_t i = 0; list && i < list->array.n; i++) {
        const struct toml_value *v = list->array.items[i];
        const char *problem = socket_problem(v->string);
        if (problem) {
            (void)error_set(g->err, -EINVAL, "\"%s\" %s", show_n(v->string.p, v->string.n),
                            problem);
            return fault(g, "allow_unix_sockets", v, v->span);
        }
        int r = say_socket(g, words, v->string, true, false);
        if (r < 0)
            return error_errno(g->err, r, "network: unix_sockets");
    }
    return 0;
}

static int keep_sockets(struct reader *g, struct socket_words *words, struct net_settings *s)
{
    const char **v = arena_zalloc(g->config->arena, words->v.n + 1, sizeof(*v));
    const char **denied = arena_zalloc(g->config->arena, words->v.n + 1, sizeof(*denied));
    if (!v || !denied)
        return error_errno(g->err, -ENOMEM, "network: unix_sockets");
    vec_foreach (w, &words->v) {
        if (w->allow)
            v[s->n_unix_sockets++] = w->path;
        else
            denied[s->n_denied_unix_sockets++] = w->path;
    }
    s->unix_sockets = v;
    s->denied_unix_sockets = denied;
    return 0;
}

static int read_sockets(struct reader *g, struct net_settings *s)
{
    static const char all[] = "dangerously_allow_all_unix_sockets";
    struct socket_words words = {0};
    const struct profile *p = g->profile;
    int r = 0;
    for (size_t i = 0; r == 0 && i < p->n_network_tables; i++)
        r = add_sockets(g, &words, toml_get(p->network_tables[i], BYTES("unix_sockets")), false);
    if (r == 0)
        r = add_listed(g, &words, required(g, "allow_unix_sockets"));
    if (r == 0)
        r = add_sockets(g, &words, required(g, "unix_sockets"), true);
    if (r == 0)
        r = keep_sockets(g, &words, s);
    vec_release(&words.v);
    s->all_unix_sockets = read_switch(g, all, false);
    if (r == 0 && s->all_unix_sockets && g->profile->network == NETWORK_FILTERED)
        r = config_warn(g->config, "%s: every Unix socket of the host can be connected to", all);
    return r;
}

/* ---- the whole ---- */

static int read_message(struct reader *g, struct net_settings *s)
{
    const struct toml_value *v = last_said(g, "block_message");
    if (!v || v->string.n == 0)
        return 0;
    char shown[2 * MAX_BLOCK_MESSAGE];
    if (v->string.n > MAX_BLOCK_MESSAGE ||
        strlen(printable(shown, sizeof(shown), v->string.p, v->string.n)) != v->string.n) {
        (void)error_set(g->err, -EINVAL, "expected one line of at most %u bytes",
                        MAX_BLOCK_MESSAGE);
        return fault(g, "block_message", v, v->span);
    }
    s->block_message = v->string.p;
    return 0;
}

static bool is_limited(const struct toml_value *v)
{
    return v && v->type == TOML_STRING && bytes_is(v->string, "limited");
}

int net_settings_from_config(struct config *config, const struct profile *profile,
                             struct net_settings *ret, struct error *err)
{
    const struct requirements *q = config->requirements;
    struct reader g = {config, profile, q ? q->network : NULL, err};
    struct net_settings s = {0};
    int r = check_feature(&g);
    if (r < 0)
        return r;
    s.limited = is_limited(last_said(&g, "mode")) || is_limited(required(&g, "mode"));
    s.socks = read_switch(&g, "enable_socks5", true);
    s.socks_udp = s.socks && read_switch(&g, "enable_socks5_udp", true);
    s.upstream = read_switch(&g, "allow_upstream_proxy", true);
    s.transparent = read_switch(&g, "transparent", true);
    if ((r = read_listeners(&g, &s)) < 0 || (r = read_sockets(&g, &s)) < 0 ||
        (r = read_message(&g, &s)) < 0)
        return r;
    *ret = s;
    return 0;
}
