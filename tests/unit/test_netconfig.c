/*
 * From files to the network's rules: profiles that extend one another, requirements, projects'
 * files, rules files; who wins among them, and where a fault is.
 */
#include "config_world.h"

#include "cli/network_rules.h"
#include "network/from_config.h"
#include "network/settings.h"

#define PROFILE(lines) "default_permissions = 'p'\n[permissions.p.network]\nenabled = true\n" lines

struct expected {
    const char *what;
    struct setting s;
    const char *mode;    /* of the network; NULL: filtered */
    const char *answers; /* "HOST:PORT DECISION REASON [FILE:LINE]", a line each */
    const char *error;   /* in the message, or NULL */
    const char *place;   /* FILE:LINE:COLUMN of the error, @ for the world */
    const char *warning;
};

static const struct expected cases[] = {
    {"a profile's domains",
     {.user = PROFILE("domains = { '**.example.com' = 'allow', 'evil.example.com' = 'deny' }\n")},
     .answers = "example.com:443 allow allowed @/home/config.toml:4\n"
                "evil.example.com:443 deny denied @/home/config.toml:4\n"
                "other.test:443 deny not_allowed"},
    {"nothing is said: nothing is reached",
     {.user = PROFILE("domains = {}\n")},
     .answers = "example.com:443 deny not_allowed"},
    {"layers merge key by key",
     {.system = "[permissions.p.network]\ndomains = { 'a.test' = 'deny', 'b.test' = 'allow' }\n",
      .user = PROFILE("domains = { 'a.test' = 'allow' }\n")},
     .answers = "a.test:1 allow allowed @/home/config.toml:4\n"
                "b.test:1 allow allowed @/etc/config.toml:2"},
    {"another spelling in another layer is no replacement",
     {.system = "[permissions.p.network]\ndomains = { 'A.test.' = 'deny' }\n",
      .user = PROFILE("domains = { 'a.test' = 'allow' }\n")},
     .error = "same pattern",
     .place = "@/home/config.toml:4"},
    {"a profile replaces what it extends, deny wins otherwise",
     {.user = "default_permissions = 'p'\n[permissions.base.network]\n"
              "domains = { 'a.test' = 'deny', '**.b.test' = 'deny', 'c.test' = 'allow' }\n"
              "[permissions.p]\nextends = 'base'\nnetwork.enabled = true\n"
              "network.domains = { 'A.test' = 'allow', 'b.test' = 'allow' }\n"},
     .answers = "a.test:1 allow allowed @/home/config.toml:7\n"
                "b.test:1 deny denied @/home/config.toml:3\n"
                "c.test:1 allow allowed @/home/config.toml:3"},
    {"features.network_proxy is the lowest",
     {.user =
          "features.network_proxy = { enabled = true, domains = { 'a.test' = 'deny', 'b.test' = "
          "'allow' } }\n" PROFILE("domains = { 'a.test' = 'allow' }\n")},
     .answers = "a.test:1 allow allowed @/home/config.toml:5\n"
                "b.test:1 allow allowed @/home/config.toml:1"},
    {"features.network_proxy alone, over network_access",
     {.user = "sandbox_mode = 'workspace-write'\nsandbox_workspace_write.network_access = true\n"
              "features.network_proxy = { enabled = true, domains = { 'a.test' = 'allow' } }\n"},
     .answers = "a.test:1 allow allowed @/home/config.toml:3\nb.test:1 deny not_allowed"},
    {"features.network_proxy that is off says nothing",
     {.user = "sandbox_mode = 'workspace-write'\nsandbox_workspace_write.network_access = true\n"
              "features.network_proxy = { enabled = false, domains = { 'a.test' = 'allow' } }\n"},
     .mode = "open",
     .answers = "a.test:1 deny not_allowed"},
    {"domains with the network off",
     {.user =
          "default_permissions = 'p'\n[permissions.p.network]\ndomains = { 'a.test' = 'allow' }\n"},
     .mode = "off",
     .answers = "a.test:1 allow allowed @/home/config.toml:3"},
    {"allow_local_binding",
     {.user = PROFILE("allow_local_binding = true\ndomains = { '*' = 'allow' }\n")},
     .answers = "10.0.0.1:1 allow allowed @/home/config.toml:5\n"
                "169.254.169.254:1 deny not_allowed_local"},
    {"allow_local_binding of the nearest profile",
     {.user = "default_permissions = 'p'\n[permissions.b.network]\nallow_local_binding = true\n"
              "domains = { '*' = 'allow' }\n"
              "[permissions.p]\nextends = 'b'\nnetwork.enabled = true\n"
              "network.allow_local_binding = false\n"},
     .answers = "10.0.0.1:1 deny not_allowed_local"},
    /* ---- requirements ---- */
    {"required deny is a floor",
     {.required = "experimental_network.domains = { '**.evil.test' = 'deny' }\n",
      .user = PROFILE("domains = { '*' = 'allow', 'a.evil.test' = 'allow' }\n")},
     .answers = "a.evil.test:1 deny denied @/etc/requirements.toml:1\n"
                "b.test:1 allow allowed @/home/config.toml:4"},
    {"required allow adds",
     {.required = "experimental_network.domains = { 'a.test' = 'allow' }\n",
      .user = PROFILE("domains = { 'b.test' = 'allow' }\n")},
     .answers = "a.test:1 allow allowed @/etc/requirements.toml:1\n"
                "b.test:1 allow allowed @/home/config.toml:4"},
    {"required allow is the ceiling where it says so",
     {.required = "[experimental_network]\nmanaged_allowed_domains_only = true\n"
                  "domains = { '**.a.test' = 'allow' }\n",
      .user = PROFILE("domains = { 'b.test' = 'allow', 'x.a.test' = 'deny' }\n")},
     .answers = "a.test:1 allow allowed @/etc/requirements.toml:3\n"
                "b.test:1 deny not_allowed_managed @/home/config.toml:4\n"
                "x.a.test:1 deny denied @/home/config.toml:4\n"
                "c.test:1 deny not_allowed_managed"},
    {"the older lists",
     {.required = "[experimental_network]\nallowed_domains = ['a.test']\n"
                  "denied_domains = ['b.test']\n",
      .user = PROFILE("domains = { 'b.test' = 'allow' }\n")},
     .answers = "a.test:1 allow allowed @/etc/requirements.toml:2\n"
                "b.test:1 deny denied @/etc/requirements.toml:3"},
    {"both spellings, and they differ",
     {.required = "[experimental_network]\nallowed_domains = ['a.test']\n"
                  "domains = { 'a.test' = 'deny' }\n",
      .user = PROFILE("")},
     .error = "same pattern",
     .place = "@/etc/requirements.toml:2"},
    {"required to be filtered",
     {.required = "[experimental_network]\nenabled = true\ndomains = { 'a.test' = 'allow' }\n",
      .user = PROFILE("")},
     .answers = "a.test:1 allow allowed @/etc/requirements.toml:3\nb.test:1 deny not_allowed"},
    {"allow_local_binding is kept off",
     {.required = "experimental_network.allow_local_binding = false\n",
      .user =
          PROFILE("allow_local_binding = true\n"
                  "domains = { '*' = 'allow', '10.0.0.0/8' = 'allow', '10.9.9.9' = 'allow' }\n")},
     .answers = "10.0.0.1:1 deny not_allowed_local\n"
                "10.9.9.9:1 allow allowed @/home/config.toml:5"},
    {"allow_local_binding is not turned on",
     {.required = "experimental_network.allow_local_binding = true\n",
      .user = PROFILE("domains = { '*' = 'allow' }\n")},
     .answers = "10.0.0.1:1 deny not_allowed_local"},
    {"a pattern in requirements that is none",
     {.required = "experimental_network.domains = { '*' = 'deny' }\n", .user = PROFILE("")},
     .error = "experimental_network.domains: \"*\": * can only be allowed",
     .place = "@/etc/requirements.toml:1:34"},
    {"a list in requirements with a bad pattern",
     {.required = "experimental_network.denied_domains = ['ok.test', 'http://x']\n",
      .user = PROFILE("")},
     .error = "experimental_network.denied_domains: \"http://x\": a pattern has no scheme",
     .place = "@/etc/requirements.toml:1:51"},
    /* ---- projects ---- */
    {"a project's deny holds for every profile",
     {.user = PROFILE("domains = { '*' = 'allow' }\n"),
      .trust = TRUSTED,
      .project = "[permissions.q.network]\ndomains = { 'a.test' = 'deny' }\n"},
     .answers = "a.test:1 deny denied @/proj/.bawn/config.toml:2\n"
                "b.test:1 allow allowed @/home/config.toml:4"},
    {"a project's deny of a pattern that is allowed is no conflict",
     {.user = PROFILE("domains = { 'a.test' = 'allow' }\n"),
      .trust = TRUSTED,
      .project = "[permissions.p.network]\ndomains = { 'a.test' = 'deny' }\n"},
     .answers = "a.test:1 deny denied @/proj/.bawn/config.toml:2"},
    {"a project's allow does not",
     {.user = PROFILE("domains = { 'b.test' = 'allow' }\n"),
      .trust = TRUSTED,
      .project = "[permissions.p.network]\ndomains = { 'a.test' = 'allow' }\n"},
     .answers = "a.test:1 deny not_allowed",
     .warning = "a project can only deny"},
    {"a project's mistake costs its rule",
     {.user = PROFILE("domains = { '*' = 'allow' }\n"),
      .trust = TRUSTED,
      .project = "[permissions.p.network]\n"
                 "domains = { 'a..test' = 'deny', '*' = 'deny', 'c.test' = 'deny' }\n"},
     .answers = "c.test:1 deny denied @/proj/.bawn/config.toml:2\n"
                "b.test:1 allow allowed @/home/config.toml:4",
     .warning = "\"a..test\": "},
    /* ---- faults ---- */
    {"a word that is none",
     {.user = PROFILE("domains = { 'a.test' = 'alow' }\n")},
     .error = "domains: \"a.test\": expected \"allow\" or \"deny\"",
     .place = "@/home/config.toml:4:24"},
    {"a pattern that is none",
     {.user = PROFILE("domains = { 'a.test' = 'allow', 'api-*.test' = 'allow' }\n")},
     .error = "domains: \"api-*.test\":",
     .place = "@/home/config.toml:4:33"},
    {"a pattern that could never match",
     {.user = PROFILE("domains = { '10.0.0.0/8' = 'allow' }\n")},
     .error = "not opened by its pattern",
     .place = "@/home/config.toml:4:13"},
    {"a NUL in a pattern",
     {.user = PROFILE("domains = { \"a\\u0000.test\" = 'deny' }\n")},
     .error = "NUL"},
    {"two spellings of one address",
     {.user = PROFILE("domains = { '127.0.0.1' = 'allow', '0x7f.1' = 'deny' }\n")},
     .error = "\"0x7f.1\" = \"deny\": the same pattern is \"127.0.0.1\" = \"allow\" "
              "(@/home/config.toml:4)",
     .place = "@/home/config.toml:4:36"},
};

static const char *describe(struct arena *a, const struct netanswer *n)
{
    const struct netrule *r = n->rule;
    const char *place = r ? arena_printf(a, " %s:%u", r->file, r->line) : "";
    return arena_printf(a, "%s %s%s", net_decision_word(n->decision), net_reason_word(n->reason),
                        place);
}

static void check_answers(struct arena *a, const struct expected *e, const struct netpolicy *p)
{
    char *text = arena_strdup(a, with_world(e->answers)), *save = NULL;
    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        struct netrequest q = {.protocol = NET_HTTPS};
        struct netanswer got;
        char *space = strchr(line, ' ');
        assert_non_null(space);
        *space = '\0';
        assert_int_equal(host_parse_port(bytes_of(line), 0, &q.host, &q.port), HOST_FINE);
        netpolicy_decide(p, &q, &got);
        if (!str_eq(describe(a, &got), space + 1))
            fail_msg("%s: %s: %s, want %s", e->what, line, describe(a, &got), space + 1);
    }
}

static void check_error(struct arena *a, const struct expected *e, const struct error *err)
{
    if (!e->error || !strstr(err->message, with_world(e->error)))
        fail_msg("%s: %s", e->what, err->message);
    if (!e->place)
        return;
    const char *want = with_world(e->place);
    const char *got = arena_printf(a, "%s:%u:%u", err->file, err->line, err->column);
    if (strncmp(got, want, strlen(want)) != 0)
        fail_msg("%s: at %s, want %s", e->what, got, want);
}

static void check_case(const struct expected *e)
{
    _cleanup_arena_ struct arena a = {0};
    _cleanup_netpolicy_ struct netpolicy *policy = NULL;
    struct setting s = e->s;
    struct config *c;
    struct profile *p;
    struct error err = {0};
    s.vcs = true;
    if (load_world(&a, &s, &c, &err) < 0 || resolve_world(c, &s, &p, &err) < 0) {
        check_error(&a, e, &err);
        return;
    }
    if (!str_eq(network_word(p->network), e->mode ? e->mode : "filtered"))
        fail_msg("%s: the network is %s", e->what, network_word(p->network));
    struct netpolicy_input in = {.config = c, .profile = p};
    int r = netpolicy_from_config(&in, &policy, &err);
    if (r < 0) {
        check_error(&a, e, &err);
        return;
    }
    if (e->error)
        fail_msg("%s: no error", e->what);
    if (e->warning && !warned(c, e->warning)) {
        show_warnings(c);
        fail_msg("%s: no warning", e->what);
    }
    check_answers(&a, e, policy);
}

static void test_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        check_case(&cases[i]);
}

/* A network that is on, and a word that only the filter can hold: filtered, or an error where
 * somebody turned the filter off. */
static void test_filtered(void **state)
{
    (void)state;
    _cleanup_arena_ struct arena a = {0};
    static const struct setting settings[] = {
        {.user = PROFILE("domains = { 'a.test' = 'allow' }\n"), .vcs = true},
        {.user = PROFILE("mode = 'limited'\n"), .vcs = true},
        {.user = PROFILE(""), .required = "[experimental_network]\nenabled = true\n", .vcs = true},
        {.user = "features.network_proxy = true\n" PROFILE(""), .vcs = true},
    };
    for (size_t i = 0; i < ARRAY_LEN(settings); i++) {
        struct setting s = settings[i];
        struct config *c = load_good(&a, &s);
        struct profile *p = NULL;
        struct error err = {0};
        assert_int_equal(resolve_world(c, &s, &p, &err), 0);
        assert_int_equal(p->network, NETWORK_FILTERED);
    }
}

/* ---- what the network is like otherwise ---- */

#define ON(lines) "default_permissions = 'p'\n[permissions.p.network]\nenabled = true\n" lines

static const struct like {
    const char *what;
    struct setting s;
    const char *want; /* put_like() */
    const char *error, *place, *warning;
} likes[] = {
    {"nothing is said", {.user = ON("domains = {}\n")}, "full socks udp upstream transparent 0 0"},
    {"everything is said",
     {.user = ON("mode = 'limited'\nenable_socks5_udp = false\nallow_upstream_proxy = false\n"
                 "transparent = false\nproxy_url = 'http://127.0.0.1:4128'\n"
                 "socks_url = 'socks5h://[::1]:1081/'\nblock_message = 'ask Ada'\n"
                 "unix_sockets = { '/run/a' = 'allow', '/run/b' = 'deny' }\n")},
     "limited socks 4128 1081 [ask Ada] +/run/a -/run/b"},
    {"without SOCKS there is no UDP of it",
     {.user = ON("enable_socks5 = false\nenable_socks5_udp = true\ndomains = {}\n")},
     "full upstream transparent 0 0"},
    {"a host without a port",
     {.user = ON("proxy_url = 'localhost'\ndomains = {}\n")},
     "full socks udp upstream transparent 0 0"},
    {"the profile over what it extends, that over the feature",
     {.user = "default_permissions = 'p'\nfeatures.network_proxy = { enabled = true, "
              "allow_upstream_proxy = false, enable_socks5 = false, block_message = 'a' }\n"
              "[permissions.b.network]\nenable_socks5 = true\nblock_message = 'b'\n"
              "unix_sockets = { '/run/a' = 'allow', '/run/b' = 'allow' }\n"
              "[permissions.p]\nextends = 'b'\nnetwork.enabled = true\n"
              "network.unix_sockets = { '/run//b' = 'deny' }\n"},
     "full socks udp transparent 0 0 [b] +/run/a -/run/b"},
    {"requirements take away",
     {.required = "[experimental_network]\nmode = 'limited'\nallow_upstream_proxy = false\n"
                  "dangerously_allow_all_unix_sockets = false\nhttp_port = 8128\n"
                  "allow_unix_sockets = ['/run/c']\nunix_sockets = { '/run/a' = 'deny' }\n",
      .user = ON("proxy_url = 'http://127.0.0.1:4128'\n"
                 "dangerously_allow_all_unix_sockets = true\n"
                 "unix_sockets = { '/run/a' = 'allow' }\n")},
     "limited socks udp transparent 8128 0 -/run/a +/run/c"},
    {"all Unix sockets",
     {.user = ON("dangerously_allow_all_unix_sockets = true\ndomains = {}\n")},
     "full socks udp upstream transparent 0 0 all",
     .warning = "every Unix socket of the host"},
    {"another address than loopback",
     {.user = ON("proxy_url = 'http://192.0.2.1:3128'\ndomains = {}\n")},
     .error = "loopback only",
     .place = "@/home/config.toml:4:13"},
    {"… where that is allowed: the port counts",
     {.user = ON("proxy_url = 'http://192.0.2.1:3128'\ndomains = {}\n"
                 "dangerously_allow_non_loopback_proxy = true\n")},
     "full socks udp upstream transparent 3128 0",
     .warning = "has no effect"},
    {"no address",
     {.user = ON("socks_url = 'http://a b:1'\ndomains = {}\n")},
     .error = "network: socks_url",
     .place = "@/home/config.toml:4:13"},
    {"a path",
     {.user = ON("socks_url = 'http://localhost:1/x'\ndomains = {}\n")},
     .error = "expected [http://]HOST:PORT",
     .place = "@/home/config.toml:4:13"},
    {"one port for both",
     {.user = ON("proxy_url = 'http://127.0.0.1:1'\nsocks_url = 'http://127.0.0.1:1'\n"
                 "domains = {}\n")},
     .error = "port 1 is proxy_url's, too",
     .place = "@/home/config.toml:5:13"},
    {"a socket without its path",
     {.user = ON("unix_sockets = { 'run/a' = 'allow' }\n")},
     .error = "is not an absolute path",
     .place = "@/home/config.toml:4:18"},
    {"a socket's word",
     {.user = ON("unix_sockets = { '/run/a' = 'alow' }\n")},
     .error = "expected \"allow\" or \"deny\"",
     .place = "@/home/config.toml:4:29"},
    {"two lines to the agent",
     {.user = ON("block_message = \"a\\nb\"\ndomains = {}\n")},
     .error = "expected one line",
     .place = "@/home/config.toml:4:17"},
    {"an unknown key of the feature",
     {.user = "features.network_proxy = { enabled = true, mod = 'full' }\n" ON("")},
     .error = "features.network_proxy.mod: unknown key",
     .place = "@/home/config.toml:1:44"},
    {"a wrong value of the feature",
     {.user = "features.network_proxy = { enabled = true, mode = 'ful' }\n" ON("")},
     .error = "features.network_proxy.mode: unknown value",
     .place = "@/home/config.toml:1:51"},
};

static void put_like(const struct net_settings *n, struct strbuf *out)
{
    strbuf_puts(out, n->limited ? "limited" : "full");
    strbuf_puts(out, n->socks ? " socks" : "");
    strbuf_puts(out, n->socks_udp ? " udp" : "");
    strbuf_puts(out, n->upstream ? " upstream" : "");
    strbuf_puts(out, n->transparent ? " transparent" : "");
    strbuf_printf(out, " %u %u", n->http_port, n->socks_port);
    strbuf_puts(out, n->all_unix_sockets ? " all" : "");
    if (n->block_message)
        strbuf_printf(out, " [%s]", n->block_message);
    for (size_t i = 0; i < n->n_denied_unix_sockets; i++)
        if (n->n_unix_sockets == 0 || strcmp(n->denied_unix_sockets[i], n->unix_sockets[0]) < 0)
            strbuf_printf(out, " -%s", n->denied_unix_sockets[i]);
    for (size_t i = 0; i < n->n_unix_sockets; i++)
        strbuf_printf(out, " +%s", n->unix_sockets[i]);
    for (size_t i = 0; i < n->n_denied_unix_sockets; i++)
        if (n->n_unix_sockets && strcmp(n->denied_unix_sockets[i], n->unix_sockets[0]) > 0)
            strbuf_printf(out, " -%s", n->denied_unix_sockets[i]);
}

static void check_like(const struct like *l)
{
    _cleanup_arena_ struct arena a = {0};
    _cleanup_strbuf_ struct strbuf got = {0};
    struct setting s = l->s;
    s.vcs = true;
    struct config *c = load_good(&a, &s);
    struct profile *p;
    struct net_settings n;
    struct error err = {0};
    assert_int_equal(resolve_world(c, &s, &p, &err), 0);
    int r = net_settings_from_config(c, p, &n, &err);
    if ((r < 0) != (l->error != NULL))
        fail_msg("%s: %s", l->what, r < 0 ? err.message : "no error");
    if (r < 0) {
        char place[ERROR_FILE_MAX + 32];
        (void)snprintf(place, sizeof(place), "%s:%u:%u", err.file, err.line, err.column);
        if (!strstr(err.message, l->error))
            fail_msg("%s: %s", l->what, err.message);
        const char *want = arena_printf(&a, "%s%s", world, l->place + 1);
        if (strcmp(place, want) != 0)
            fail_msg("%s: at %s", l->what, place);
        return;
    }
    put_like(&n, &got);
    if (strcmp(strbuf_text(&got), l->want) != 0)
        fail_msg("%s: %s", l->what, strbuf_text(&got));
    bool warned = false;
    for (size_t i = 0; l->warning && i < c->n_warnings; i++)
        warned = warned || strstr(c->warnings[i], l->warning);
    if (l->warning ? !warned : c->n_warnings != 0)
        fail_msg("%s: its warnings", l->what);
}

static void test_settings(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(likes); i++)
        check_like(&likes[i]);
}

/* The list is what counts, in order, each with its place; a policy made of it answers the same. */
static void test_list(void **state)
{
    (void)state;
    _cleanup_arena_ struct arena a = {0};
    _cleanup_netpolicy_ struct netpolicy *policy = NULL, *again = NULL;
    struct setting s = {.required = "experimental_network.domains = { 'evil.a.test' = 'deny' }\n",
                        .user = PROFILE("domains = { '**.a.test' = 'allow' }\n"),
                        .vcs = true};
    const struct netrule more[] = {
        {.pattern = "b..test", .decision = NET_ALLOW, .source = NET_OF_PROJECT, .file = "f"},
        {.pattern = "c.test", .decision = NET_ALLOW, .source = NET_OF_RULES, .id = 99}};
    struct config *c = load_good(&a, &s);
    struct profile *p;
    struct netrules list = {0};
    struct error err = {0};
    assert_int_equal(resolve_world(c, &s, &p, &err), 0);
    struct netpolicy_input in = {
        .config = c, .profile = p, .rules = more, .n_rules = ARRAY_LEN(more), .list = &list};
    assert_int_equal(netpolicy_from_config(&in, &policy, &err), 0);
    assert_int_equal(list.v.n, 3);
    struct netpolicy_settings settings = netpolicy_settings_of(&in);
    again = netpolicy_new(&settings);
    for (size_t i = 0; i < list.v.n; i++) {
        assert_int_equal(list.v.v[i].id, i);
        assert_int_equal(netpolicy_add(again, &list.v.v[i], &err), 0);
    }
    assert_int_equal(netpolicy_finish(again, NULL, &err), 0);
    static const char *const hosts[] = {"evil.a.test", "www.a.test", "c.test", "d.test"};
    for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
        struct netrequest q = {.port = 443, .protocol = NET_HTTPS};
        struct netanswer one, two;
        assert_int_equal(host_parse(bytes_of(hosts[i]), &q.host), HOST_FINE);
        netpolicy_decide(policy, &q, &one);
        netpolicy_decide(again, &q, &two);
        assert_int_equal(one.decision, two.decision);
        assert_int_equal(one.rule ? one.rule->id : 77, two.rule ? two.rule->id : 77);
    }
    vec_release(&list.v);
}

static void test_rules_files(void **state)
{
    (void)state;
    static const struct {
        struct network_rule rule;
        const char *want;
    } rules[] = {
        {{"a.test", "https", 443, DECISION_ALLOW, NULL, "f", 1, RULES_USER}, "allow allowed f:1"},
        {{"a.test", "https", 0, DECISION_FORBIDDEN, "no", "f", 2, RULES_SYSTEM}, "deny denied f:2"},
        {{"a.test", "https", 0, DECISION_PROMPT, NULL, "f", 3, RULES_PROJECT}, "ask ask_rule f:3"},
        {{"a.test", "http", 0, DECISION_ALLOW, NULL, "f", 4, RULES_USER}, "deny not_allowed"},
        {{"a.test", NULL, 0, DECISION_ALLOW, NULL, "f", 5, RULES_USER}, "allow allowed f:5"},
        {{"a.test", "https", 80, DECISION_ALLOW, NULL, "f", 6, RULES_USER}, "deny not_allowed"},
        {{"a.test", "gopher", 0, DECISION_ALLOW, NULL, "f", 7, RULES_USER}, "unknown protocol"},
        {{"a..test", "https", 0, DECISION_ALLOW, NULL, "f", 8, RULES_USER}, "\"a..test\": "},
        /* a stranger's mistake costs the rule */
        {{"a..test", "https", 0, DECISION_ALLOW, NULL, "f", 9, RULES_PROJECT}, "deny not_allowed"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
        _cleanup_arena_ struct arena a = {0};
        _cleanup_netpolicy_ struct netpolicy *policy = NULL;
        struct setting s = {.user = PROFILE("domains = {}\n"), .vcs = true};
        struct config *c = load_good(&a, &s);
        struct profile *p;
        struct netrule rule;
        struct error err = {0};
        assert_int_equal(resolve_world(c, &s, &p, &err), 0);
        struct netpolicy_input in = {
            .config = c, .profile = p, .rules = &rule, .n_rules = 1, .ask_rule = true};
        if (network_rule_read(&rules[i].rule, &rule, &err) < 0 ||
            netpolicy_from_config(&in, &policy, &err) < 0) {
            assert_non_null(strstr(err.message, rules[i].want));
            assert_string_equal(err.file, "f");
            assert_int_equal(err.line, rules[i].rule.line);
            continue;
        }
        struct netrequest q = {.port = 443, .protocol = NET_HTTPS};
        struct netanswer got;
        assert_int_equal(host_parse(bytes_of("a.test"), &q.host), HOST_FINE);
        netpolicy_decide(policy, &q, &got);
        assert_string_equal(describe(&a, &got), rules[i].want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),       cmocka_unit_test(test_filtered),
        cmocka_unit_test(test_settings),    cmocka_unit_test(test_list),
        cmocka_unit_test(test_rules_files),
    };
    return cmocka_run_group_tests(tests, make_world, remove_world);
}
