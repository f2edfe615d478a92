/*
 * The network's part of a plan: listeners, variables, sockets of the host, and what is refused.
 */
#include "base/toml.h"
#include "sandbox/environment_net.h"
#include "sandbox/net_inside.h"
#include "sandbox/plan.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

struct world {
    struct arena a;
    struct perm_entry entries[2];
    struct survey_item items[2];
    struct profile profile;
    struct survey survey;
    struct config config;
    struct net_settings network;
    struct plan_input in;
    const char *environ[8];
    const struct toml_value *tables[2];
};

/* A profile that reads the host's files, or (OWN) has a root of its own with /usr and /w. */
static void make_world(struct world *w, bool own)
{
    *w = (struct world){.network = {.socks = true, .socks_udp = true, .transparent = true}};
    w->entries[0] = (struct perm_entry){.path = own ? "/usr" : "/",
                                        .written = "r",
                                        .access = ACCESS_READ,
                                        .kind = own ? ENTRY_NAMED : ENTRY_BASE};
    w->entries[1] = (struct perm_entry){
        .path = "/w", .written = "w", .access = ACCESS_WRITE, .kind = ENTRY_NAMED};
    for (size_t i = 0; i < 2; i++)
        w->items[i] = (struct survey_item){.entry = &w->entries[i],
                                           .path = w->entries[i].path,
                                           .kind = FILE_DIRECTORY,
                                           .dev = 1,
                                           .ino = i + 1};
    w->profile = (struct profile){.name = "p",
                                  .mode = "workspace-write",
                                  .full_read = !own,
                                  .entries = w->entries,
                                  .n_entries = 2,
                                  .network = NETWORK_FILTERED,
                                  .network_tables = w->tables};
    w->survey = (struct survey){.items = w->items, .n_items = 2};
    w->config.backend = BACKEND_BUNDLED;
    w->config.env_ignore_default_excludes = true;
    w->in = (struct plan_input){.config = &w->config,
                                .profile = &w->profile,
                                .network = &w->network,
                                .survey = &w->survey,
                                .workspace = "/w",
                                .cwd = "/w",
                                .environ = w->environ};
}

static void add_table(struct world *w, const char *text)
{
    struct error err = {0};
    struct toml_value *v = NULL;
    if (toml_parse(&w->a, "t", bytes_of(text), TOML_1_0, &v, &err) < 0)
        fail_msg("%s", err.message);
    w->tables[w->profile.n_network_tables++] = v;
}

static struct plan *build(struct world *w)
{
    struct plan *p = NULL;
    struct error err = {0};
    if (plan_build(&w->a, &w->in, &p, &err) < 0)
        fail_msg("%s", err.message);
    return p;
}

static const char *variable(const struct plan *p, const char *name)
{
    size_t n = strlen(name);
    const char *found = NULL;
    for (size_t i = 0; i < p->n_env; i++)
        if (strncmp(p->env[i], name, n) == 0 && p->env[i][n] == '=') {
            assert_null(found);
            found = p->env[i] + n + 1;
        }
    return found;
}

static bool has_mount(const struct plan *p, enum mount_op op, const char *path)
{
    for (size_t i = 0; i < p->n_mounts; i++)
        if (p->mounts[i].op == op && str_eq(p->mounts[i].path, path))
            return true;
    return false;
}

static void test_plan(void **state)
{
    (void)state;
    struct world w;
    make_world(&w, false);
    struct plan *p = build(&w);
    assert_int_equal(p->network, NETWORK_FILTERED);
    /* Unix sockets of the host are as closed as with the network off. */
    assert_int_equal(p->filter, FILTER_NETWORK_OFF);
    assert_true(p->net.transparent && p->net.socks && p->net.socks_udp);
    assert_int_equal(p->net.http_port, NET_HTTP_PORT);
    assert_int_equal(p->net.socks_port, NET_SOCKS_PORT);
    assert_int_equal(net_transparent_port(&p->net), NET_TRANSPARENT_PORT);
    assert_true(has_mount(p, MOUNT_SELF, NET_CONNECTOR));
    assert_null(variable(p, "BAWN_SANDBOX_NETWORK_DISABLED"));
    assert_string_equal(variable(p, "BAWN_NETWORK_PROXY_ACTIVE"), "1");
    w.network.socks = false;
    p = build(&w);
    assert_false(has_mount(p, MOUNT_SELF, NET_CONNECTOR));
    w.profile.network = NETWORK_OFF;
    p = build(&w);
    assert_null(variable(p, "BAWN_NETWORK_PROXY_ACTIVE"));
    assert_null(variable(p, "HTTPS_PROXY"));
    arena_release(&w.a);
}

static const struct {
    const char *environ[3];
    bool no_socks, host;
    const char *name, *value; /* NULL: not there */
} variables[] = {
    {{NULL}, false, false, "HTTP_PROXY", "http://127.0.0.1:3128"},
    {{NULL}, false, false, "http_proxy", "http://127.0.0.1:3128"},
    {{"HTTPS_PROXY=http://u:p@corp.example:8080"},
     false,
     false,
     "HTTPS_PROXY",
     "http://127.0.0.1:3128"},
    {{NULL}, false, false, "ALL_PROXY", "socks5h://127.0.0.1:1080"},
    {{NULL}, true, false, "all_proxy", "http://127.0.0.1:3128"},
    {{NULL}, false, false, "RSYNC_PROXY", "127.0.0.1:3128"},
    {{NULL}, false, false, "CLOUDSDK_PROXY_PORT", "3128"},
    {{NULL}, false, false, "NODE_USE_ENV_PROXY", "1"},
    {{"no_proxy=.corp.example"}, false, false, "no_proxy", "localhost,127.0.0.1,::1"},
    {{"NO_PROXY=.corp.example"}, false, true, "NO_PROXY", ""},
    {{NULL},
     false,
     false,
     "JAVA_TOOL_OPTIONS",
     "-Dhttp.proxyHost=127.0.0.1 -Dhttp.proxyPort=3128 -Dhttps.proxyHost=127.0.0.1 "
     "-Dhttps.proxyPort=3128"},
    {{"JAVA_TOOL_OPTIONS=-Xmx1g"},
     false,
     true,
     "JAVA_TOOL_OPTIONS",
     "-Xmx1g -Dhttp.proxyHost=127.0.0.1 -Dhttp.proxyPort=3128 -Dhttps.proxyHost=127.0.0.1 "
     "-Dhttps.proxyPort=3128 -Dhttp.nonProxyHosts="},
    {{NULL},
     false,
     false,
     "GIT_SSH_COMMAND",
     "ssh -o ProxyCommand=\"" NET_CONNECTOR " 1080 %h %p\""},
    {{"GIT_SSH_COMMAND=/usr/bin/ssh -i k"},
     false,
     false,
     "GIT_SSH_COMMAND",
     "/usr/bin/ssh -i k -o ProxyCommand=\"" NET_CONNECTOR " 1080 %h %p\""},
    {{"GIT_SSH_COMMAND=plink -batch"}, false, false, "GIT_SSH_COMMAND", "plink -batch"},
    {{"GIT_SSH_COMMAND=autossh"}, false, false, "GIT_SSH_COMMAND", "autossh"},
    {{"GIT_SSH=/opt/myssh"}, false, false, "GIT_SSH_COMMAND", NULL},
    {{NULL}, true, false, "GIT_SSH_COMMAND", NULL},
};

static void test_variables(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(variables); i++) {
        struct world w;
        make_world(&w, false);
        w.network.socks = !variables[i].no_socks;
        for (size_t k = 0; k < 3; k++)
            w.environ[k] = variables[i].environ[k];
        if (variables[i].host)
            add_table(&w, "allow_local_binding = true");
        struct plan *p = build(&w);
        const char *value = variable(p, variables[i].name);
        if ((value != NULL) != (variables[i].value != NULL) ||
            (value && !str_eq(value, variables[i].value)))
            fail_msg("row %zu: %s is %s", i, variables[i].name, value ? value : "missing");
        arena_release(&w.a);
    }
}

/* What the policy for the environment takes away does not come back with the sandbox's own. */
static void test_excluded(void **state)
{
    (void)state;
    struct world w;
    make_world(&w, false);
    w.environ[0] = "JAVA_TOOL_OPTIONS=-Dsecret=1";
    w.config.env_inherit = INHERIT_NONE;
    assert_null(strstr(variable(build(&w), "JAVA_TOOL_OPTIONS"), "secret"));
    arena_release(&w.a);
}

static const struct {
    const char *tables[2];
    bool host;
} loopbacks[] = {
    {{"domains = { \"example.com\" = \"allow\" }"}, false},
    {{"domains = { \"localhost\" = \"allow\" }"}, true},
    {{"domains = { \"localhost:5432\" = \"allow\" }"}, true},
    {{"domains = { \"localhost\" = \"deny\" }"}, false},
    {{"domains = { \"127.0.0.1\" = \"allow\" }"}, true},
    {{"domains = { \"[::1]:80\" = \"allow\" }"}, true},
    {{"domains = { \"10.0.0.1\" = \"allow\" }"}, false},
    {{"domains = { \"*\" = \"allow\" }"}, false},
    {{"allow_local_binding = true"}, true},
    {{"allow_local_binding = true", "allow_local_binding = false"}, false},
};

static void test_loopback(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(loopbacks); i++) {
        struct world w;
        make_world(&w, false);
        for (size_t k = 0; k < 2 && loopbacks[i].tables[k]; k++)
            add_table(&w, loopbacks[i].tables[k]);
        if (build(&w)->net.loopback_is_host != loopbacks[i].host)
            fail_msg("%s", loopbacks[i].tables[0]);
        arena_release(&w.a);
    }
}

static const struct {
    uint16_t http, socks;
    uint16_t want_http, want_socks, want_transparent;
} ports[] = {
    {0, 0, 3128, 1080, 3129},    {8080, 0, 8080, 1080, 3129}, {1080, 0, 1080, 3128, 3129},
    {0, 3128, 1080, 3128, 3129}, {3129, 0, 3129, 1080, 3130}, {3130, 3129, 3130, 3129, 3131},
};

static void test_ports(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(ports); i++) {
        struct world w;
        make_world(&w, false);
        w.network.http_port = ports[i].http;
        w.network.socks_port = ports[i].socks;
        struct plan *p = build(&w);
        assert_int_equal(p->net.http_port, ports[i].want_http);
        assert_int_equal(p->net.socks_port, ports[i].want_socks);
        assert_int_equal(net_transparent_port(&p->net), ports[i].want_transparent);
        arena_release(&w.a);
    }
    struct world w;
    struct plan *p;
    struct error err = {0};
    make_world(&w, false);
    w.network.http_port = w.network.socks_port = 4000;
    assert_int_equal(plan_build(&w.a, &w.in, &p, &err), -EINVAL);
    arena_release(&w.a);
}

static void test_sockets(void **state)
{
    (void)state;
    static const char *const configured[] = {"/run/a", "/run/b"};
    static const char *const allowed[] = {"/run/b", "/run/c", "/w/d"};
    static const char *const denied[] = {"/run/a"};
    struct world w;
    for (int own = 0; own < 2; own++) {
        make_world(&w, own);
        w.profile.network = own ? NETWORK_OFF : NETWORK_FILTERED;
        w.config.allow_unix_sockets =
            (struct string_list){.v = (const char **)(uintptr_t)configured, .n = 2};
        w.network.unix_sockets = allowed;
        w.network.n_unix_sockets = 3;
        w.network.denied_unix_sockets = denied;
        w.network.n_denied_unix_sockets = 1;
        struct plan *p = build(&w);
        assert_int_equal(p->n_unix_sockets, 3);
        assert_string_equal(p->unix_sockets[0], "/run/b");
        assert_string_equal(p->unix_sockets[1], "/run/c");
        assert_string_equal(p->unix_sockets[2], "/w/d");
        assert_int_equal(has_mount(p, MOUNT_SOCKET, "/run/c"), own);
        assert_false(has_mount(p, MOUNT_SOCKET, "/run/a"));
        assert_false(has_mount(p, MOUNT_SOCKET, "/w/d"));
        arena_release(&w.a);
    }
}

static void test_backends(void **state)
{
    (void)state;
    struct world w;
    struct plan *p;
    struct error err = {0};
    make_world(&w, false);
    w.in.bwrap.path = "/usr/bin/bwrap";
    w.config.backend = BACKEND_AUTO;
    p = build(&w);
    assert_int_equal(p->backend, BACKEND_BUNDLED);
    assert_true(p->net.transparent);
    w.config.backend = BACKEND_BWRAP;
    p = build(&w);
    assert_false(p->net.transparent);
    assert_int_equal(p->n_warnings, 1);
    static const enum backend without[] = {BACKEND_LANDLOCK, BACKEND_EXTERNAL};
    for (size_t i = 0; i < ARRAY_LEN(without); i++) {
        w.config.backend = without[i];
        assert_int_equal(plan_build(&w.a, &w.in, &p, &err), -EINVAL);
        assert_non_null(strstr(err.message, "cannot filter the network"));
    }
    w.config.backend = BACKEND_BUNDLED;
    w.profile.full_access = true;
    assert_int_equal(plan_build(&w.a, &w.in, &p, &err), -EINVAL);
    arena_release(&w.a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plan),     cmocka_unit_test(test_variables),
        cmocka_unit_test(test_excluded), cmocka_unit_test(test_loopback),
        cmocka_unit_test(test_ports),    cmocka_unit_test(test_sockets),
        cmocka_unit_test(test_backends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
