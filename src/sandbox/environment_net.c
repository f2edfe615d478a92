/*
 * Which program reads which variable. See environment_net.h.
 *
 * NO_PROXY. A server that the command itself starts is on the sandbox's loopback, where the proxy
 * is not: plain `curl http://localhost:8000` has to go there directly, so the loopback's names
 * bypass the proxy. Where a rule opens something on the host's loopback (a database, say, or
 * allow_local_binding) those names must reach the proxy instead, and the list is empty; servers
 * inside are then reached with a client's own "no proxy" option.
 *
 * What holds options (JAVA_TOOL_OPTIONS, GIT_SSH_COMMAND) is appended to. A JVM says that it picked
 * the former up, on its standard error; JDK_JAVA_OPTIONS is announced just the same and is read by
 * `java` alone. A person's GIT_SSH, or a GIT_SSH_COMMAND that is no ssh, is left as it is:
 * redirection serves what it starts.
 */
#include "sandbox/environment_net.h"

#include "sandbox/net_inside.h"

#include <errno.h>
#include <string.h>

enum value {
    HTTP,    /* http://127.0.0.1:PORT */
    ALL,     /* socks5h://127.0.0.1:PORT, or as HTTP */
    PLACE,   /* 127.0.0.1:PORT */
    PORT,    /* of the HTTP proxy */
    BYPASS,  /* what does not go through it */
    LITERAL, /* `text` */
    JAVA,
    GIT_SSH,
};

static const struct row {
    const char *name;
    enum value value;
    const char *text;
} rows[] = {
    {"BAWN_NETWORK_PROXY_ACTIVE", LITERAL, "1"},
    {"CODEX_NETWORK_PROXY_ACTIVE", LITERAL, "1"},
    /* curl reads http_proxy in small letters only, many others the capitals only. */
    {"HTTP_PROXY", HTTP, NULL},
    {"http_proxy", HTTP, NULL},
    {"HTTPS_PROXY", HTTP, NULL},
    {"https_proxy", HTTP, NULL},
    {"WS_PROXY", HTTP, NULL},
    {"ws_proxy", HTTP, NULL},
    {"WSS_PROXY", HTTP, NULL},
    {"wss_proxy", HTTP, NULL},
    {"ALL_PROXY", ALL, NULL},
    {"all_proxy", ALL, NULL},
    {"FTP_PROXY", ALL, NULL},
    {"ftp_proxy", ALL, NULL},
    {"NO_PROXY", BYPASS, NULL},
    {"no_proxy", BYPASS, NULL},
    {"npm_config_proxy", HTTP, NULL},
    {"npm_config_https_proxy", HTTP, NULL},
    {"npm_config_noproxy", BYPASS, NULL},
    {"YARN_HTTP_PROXY", HTTP, NULL},
    {"YARN_HTTPS_PROXY", HTTP, NULL},
    {"YARN_NO_PROXY", BYPASS, NULL},
    {"PIP_PROXY", HTTP, NULL},
    {"BUNDLE_HTTP_PROXY", HTTP, NULL},
    {"BUNDLE_HTTPS_PROXY", HTTP, NULL},
    {"BUNDLE_NO_PROXY", BYPASS, NULL},
    {"DOCKER_HTTP_PROXY", HTTP, NULL},
    {"DOCKER_HTTPS_PROXY", HTTP, NULL},
    {"DOCKER_NO_PROXY", BYPASS, NULL},
    {"GRPC_PROXY", HTTP, NULL},
    {"grpc_proxy", HTTP, NULL},
    {"NO_GRPC_PROXY", BYPASS, NULL},
    {"no_grpc_proxy", BYPASS, NULL},
    {"RSYNC_PROXY", PLACE, NULL},
    {"CLOUDSDK_PROXY_TYPE", LITERAL, "http"},
    {"CLOUDSDK_PROXY_ADDRESS", LITERAL, "127.0.0.1"},
    {"CLOUDSDK_PROXY_PORT", PORT, NULL},
    {"NODE_USE_ENV_PROXY", LITERAL, "1"},
    {"ELECTRON_GET_USE_PROXY", LITERAL, "1"},
    {"JAVA_TOOL_OPTIONS", JAVA, NULL},
    {"GIT_SSH_COMMAND", GIT_SSH, NULL},
};
_Static_assert(ARRAY_LEN(rows) <= ENVIRONMENT_NET_MAX, "more variables than room");

static const char *value_of(const char *const *env, size_t n, const char *name)
{
    size_t len = strlen(name);
    for (size_t i = 0; i < n; i++)
        if (strncmp(env[i], name, len) == 0 && env[i][len] == '=')
            return env[i] + len + 1;
    return NULL;
}

/* Java has its own list, with other wildcards; loopback is in it unless it is set. */
static const char *java(struct arena *a, const struct plan_net *p, const char *have)
{
    return arena_printf(a,
                        "%s%s-Dhttp.proxyHost=127.0.0.1 -Dhttp.proxyPort=%u "
                        "-Dhttps.proxyHost=127.0.0.1 -Dhttps.proxyPort=%u%s",
                        have ? have : "", have && *have ? " " : "", p->http_port, p->http_port,
                        p->loopback_is_host ? " -Dhttp.nonProxyHosts=" : "");
}

/* Is COMMAND's first word an ssh that takes OpenSSH's options? */
static bool is_ssh(const char *command)
{
    const char *name = command, *end = command + strcspn(command, " \t");
    for (const char *p = command; p < end; p++)
        if (*p == '/')
            name = p + 1;
    return end - name == 3 && strncmp(name, "ssh", 3) == 0;
}

static const char *git_ssh(struct arena *a, const struct plan_net *p, const char *have)
{
    return arena_printf(a, "%s -o ProxyCommand=\"%s %u %%h %%p\"", have && *have ? have : "ssh",
                        NET_CONNECTOR, p->socks_port);
}

static bool is_wanted(const struct row *r, const struct plan_net *p, const char *const *env,
                      size_t n)
{
    const char *have = value_of(env, n, r->name);
    if (r->value != GIT_SSH)
        return true;
    return p->socks && (have && *have ? is_ssh(have) : !value_of(env, n, "GIT_SSH"));
}

static const char *make(struct arena *a, const struct row *r, const struct plan_net *p,
                        const char *have)
{
    switch (r->value) {
    case ALL:
        if (p->socks)
            return arena_printf(a, "socks5h://127.0.0.1:%u", p->socks_port);
        break;
    case PLACE:
        return arena_printf(a, "127.0.0.1:%u", p->http_port);
    case PORT:
        return arena_printf(a, "%u", p->http_port);
    case BYPASS:
        return p->loopback_is_host ? "" : "localhost,127.0.0.1,::1";
    case LITERAL:
        return r->text;
    case JAVA:
        return java(a, p, have);
    case GIT_SSH:
        return git_ssh(a, p, have);
    case HTTP:
        break;
    }
    return arena_printf(a, "http://127.0.0.1:%u", p->http_port);
}

int environment_net(struct arena *a, const struct plan_net *net, const char *const *env, size_t n,
                    const char **ret)
{
    int used = 0;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct row *r = &rows[i];
        if (!is_wanted(r, net, env, n))
            continue;
        const char *value = make(a, r, net, value_of(env, n, r->name));
        const char *entry = value ? arena_printf(a, "%s=%s", r->name, value) : NULL;
        if (!entry)
            return -ENOMEM;
        ret[used++] = entry;
    }
    return used;
}
