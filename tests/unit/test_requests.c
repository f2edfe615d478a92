/*
 * Rules for requests, credentials, and which hosts are opened: from files to answers, and what is
 * wrong with them and where.
 */
#include "config_world.h"

#include "network/opened.h"

#define PROFILE(lines) "default_permissions = 'p'\n[permissions.p.network]\nenabled = true\n" lines

/* ---- paths ---- */

static void test_paths(void **state)
{
    (void)state;
    static const struct {
        const char *target, *want; /* NULL: refused */
    } cases[] = {
        {"/", "/"},
        {"", "/"},
        {"?x=/../", "/"},
        {"/a/b", "/a/b"},
        {"/a/b/", "/a/b/"},
        {"/a?b/../c", "/a"},
        {"/%41%7a%2D%2e%5f%7E", "/Az-._~"},
        {"/%c3%a4", "/%C3%A4"},
        {"/%2525", "/%2525"},
        {"/%3f", "/%3F"},
        {"*", "*"},
        {"/...", "/..."},
        {"/a;b/c", "/a;b/c"},
        {"/a/.b/..c", "/a/.b/..c"},
        {"a", NULL},
        {"/a/../b", NULL},
        {"/..", NULL},
        {"/.", NULL},
        {"/a/./b", NULL},
        {"/a/%2e./b", NULL},
        {"/a/%2E%2e", NULL},
        {"/a/..;x/b", NULL},
        {"/a/.;/b", NULL},
        {"/a//b", NULL},
        {"//a", NULL},
        {"/a%2fb", NULL},
        {"/a%2Fb", NULL},
        {"/a%5cb", NULL},
        {"/a\\b", NULL},
        {"/a%00", NULL},
        {"/a%", NULL},
        {"/a%4", NULL},
        {"/a%4g", NULL},
        {"/a b", NULL},
        {"/a\xc3\xa4", NULL},
        {"/a\tb", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char buf[128];
        size_t n = 0;
        const char *problem = request_path(bytes_of(cases[i].target), buf, sizeof(buf), &n);
        if ((problem != NULL) != (cases[i].want == NULL) ||
            (!problem && !bytes_is((struct bytes){buf, n}, cases[i].want)))
            fail_msg("%s: %s%.*s", cases[i].target, problem ? problem : "", (int)n, buf);
    }
    char small[4];
    size_t n;
    assert_non_null(request_path(BYTES("/abcd"), small, sizeof(small), &n));
}

static void test_globs(void **state)
{
    (void)state;
    static const struct {
        const char *glob, *path;
        bool want;
    } cases[] = {
        {"/a", "/a", true},          {"/a", "/ab", false},        {"/a", "/", false},
        {"/*", "/a", true},          {"/*", "/", true},           {"/*", "/a/b", false},
        {"/a/*", "/a", false},       {"/a/*/c", "/a/b/c", true},  {"/a/*/c", "/a/b/b/c", false},
        {"/a/**", "/a/b/c", true},   {"/a/**", "/a/", true},      {"/a/**", "/a", false},
        {"/a**", "/a", true},        {"/a**", "/abc/d", true},    {"/**/c", "/a/b/c", true},
        {"/**/c", "/c", false},      {"/**c", "/c", true},        {"/a?c", "/abc", true},
        {"/a?c", "/a/c", false},     {"/a?", "/a", false},        {"/*.js", "/x.y.js", true},
        {"/*.js", "/x.jsx", false},  {"/*a*b", "/xaxb", true},    {"/*a*b", "/xa/b", false},
        {"/**a*b", "/x/a/ab", true}, {"/**a*b", "/ab/a/", false}, {"*", "*", true},
        {"**", "/a/b", true},        {"/[a]", "/a", false},       {"/[a]", "/[a]", true},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        if (request_glob(cases[i].glob, bytes_of(cases[i].path)) != cases[i].want)
            fail_msg("%s, %s", cases[i].glob, cases[i].path);
}

/* The worst pattern on the longest path takes moments, not years. */
static void test_glob_cost(void **state)
{
    (void)state;
    static char path[16000], glob[MAX_REQUEST_GLOB + 1];
    memset(path, 'a', sizeof(path));
    for (size_t i = 0; i < MAX_REQUEST_GLOB; i++)
        glob[i] = "**a*"[i % 4];
    glob[MAX_REQUEST_GLOB - 1] = 'b';
    assert_false(request_glob(glob, (struct bytes){path, sizeof(path)}));
}

/* ---- from files ---- */

struct read {
    struct arena a;
    struct netrequests requests;
    struct netcredentials credentials;
    struct netopened opened;
};

/* All of it, as the launcher reads it; LIMITED as the profile's mode would be. */
static int read_all(struct read *r, const struct setting *s, bool limited, struct error *err)
{
    struct config *c = NULL;
    struct profile *p = NULL;
    int n = load_world(&r->a, s, &c, err);
    if (n == 0)
        n = resolve_world(c, s, &p, err);
    if (n == 0)
        n = requests_from_config(&r->a, p, &r->requests, err);
    if (n == 0)
        n = credentials_from_config(&r->a, p, "/home/u", &r->credentials, err);
    if (n == 0)
        n = opened_from_config(&r->a, p, limited, &r->requests, &r->credentials, &r->opened, err);
    return n;
}

#define RULE(host, rest) "[[permissions.p.network.requests]]\nhost = '" host "'\n" rest "\n"

static const struct {
    const char *what;
    struct setting s;
    const char *asked; /* "METHOD HOST:PORT TARGET want [FILE:LINE]", a line each */
} answers[] = {
    {"no rules",
     {.user = PROFILE("")},
     .asked = "GET a.test:443 / no-rules\nPOST a.test:80 /../x no-rules"},
    {"the first that matches decides",
     {.user = PROFILE("") RULE("a.test", "path = '/secret**'\ndecision = 'deny'")
          RULE("a.test", "methods = ['GET', 'HEAD']\npath = '/**'\ndecision = 'allow'")
              RULE("a.test", "methods = ['POST']\npath = '/form'\ndecision = 'allow'")},
     .asked = "GET a.test:443 / allowed @/home/config.toml:8\n"
              "GET a.test:443 /secret/x denied @/home/config.toml:4\n"
              "GET a.test:443 /%73ecret/x denied @/home/config.toml:4\n"
              "POST a.test:443 /form?x allowed @/home/config.toml:13\n"
              "POST a.test:443 /form/x not-named\n"
              "get a.test:443 / not-named\n"
              "GET a.test:443 /x/../secret bad-path\n"
              "DELETE b.test:443 /x/../y no-rules"},
    {"patterns and ports",
     {.user = PROFILE("") RULE("**.a.test:443", "decision = 'allow'\nmethods = ['GET']")
          RULE("10.0.0.0/8", "decision = 'deny'")},
     .asked = "GET x.a.test:443 /x allowed @/home/config.toml:4\n"
              "GET a.test:443 /x allowed @/home/config.toml:4\n"
              "PUT a.test:443 /x not-named\n"
              "PUT a.test:80 /x no-rules\n"
              "PUT b-a.test:443 /x no-rules\n"
              "GET 10.1.2.3:1 / denied @/home/config.toml:8\n"
              "GET [::ffff:10.1.2.3]:1 / denied @/home/config.toml:8\n"
              "GET 11.1.2.3:1 / no-rules"},
    {"a profile's rules stand before those of what it extends",
     {.user = "default_permissions = 'p'\n[permissions.b]\nnetwork.enabled = true\n"
              "[[permissions.b.network.requests]]\nhost = 'a.test'\ndecision = 'deny'\n"
              "[permissions.p]\nextends = 'b'\n" RULE("a.test",
                                                      "methods = ['GET']\ndecision = 'allow'")},
     .asked = "GET a.test:443 / allowed @/home/config.toml:9\n"
              "PUT a.test:443 / denied @/home/config.toml:4"},
};

static const char *word_of(enum requests_reason r)
{
    static const char *const words[] = {[REQUESTS_NO_RULES] = "no-rules",
                                        [REQUESTS_ALLOWED] = "allowed",
                                        [REQUESTS_DENIED] = "denied",
                                        [REQUESTS_NOT_NAMED] = "not-named",
                                        [REQUESTS_BAD_PATH] = "bad-path"};
    return words[r];
}

static void ask(struct arena *a, const char *what, const struct netrequests *r, char *line)
{
    char *save = NULL, *method = strtok_r(line, " ", &save), *at = strtok_r(NULL, " ", &save),
         *target = strtok_r(NULL, " ", &save);
    struct host host;
    uint16_t port;
    struct requests_answer got;
    assert_int_equal(host_parse_port(bytes_of(at), 0, &host, &port), HOST_FINE);
    requests_decide(r, &host, port, bytes_of(method), bytes_of(target), &got);
    const char *said =
        got.rule ? arena_printf(a, "%s %s:%u", word_of(got.reason), got.rule->file, got.rule->line)
                 : word_of(got.reason);
    if (!str_eq(said, save))
        fail_msg("%s: %s %s %s: %s, want %s", what, method, at, target, said, save);
    bool allowed = got.reason == REQUESTS_NO_RULES || got.reason == REQUESTS_ALLOWED;
    assert_int_equal(got.decision, allowed ? NET_ALLOW : NET_DENY);
    assert_int_equal(got.text == NULL, allowed);
    if (got.rule)
        assert_ptr_equal(got.rule, &r->places[got.rule->id]);
}

static void ask_all(struct arena *a, const char *what, const struct netrequests *r,
                    const char *asked)
{
    char *text = arena_strdup(a, with_world(asked)), *next;
    for (char *line = text; line; line = next) {
        next = strchr(line, '\n');
        if (next)
            *next++ = '\0';
        ask(a, what, r, line);
    }
}

/* What was written and read again answers the same. */
static struct netrequests again(struct arena *a, const struct netrequests *r)
{
    struct strbuf out = {0};
    struct netrequests got;
    struct error err = {0};
    requests_write(r, &out);
    strbuf_puts(&out, "rest");
    assert_false(strbuf_failed(&out));
    struct bytes text = {arena_strndup(a, out.p, out.n), out.n};
    for (size_t n = 0; n + 4 < out.n; n++) {
        struct bytes cut = {text.p, n};
        assert_int_equal(requests_read(a, &cut, &got, &err), -EINVAL);
    }
    assert_int_equal(requests_read(a, &text, &got, &err), 0);
    assert_true(bytes_is(text, "rest"));
    strbuf_release(&out);
    return got;
}

static void test_answers(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
        struct read r = {0};
        struct error err = {0};
        struct setting s = answers[i].s;
        s.vcs = true;
        if (read_all(&r, &s, false, &err) < 0)
            fail_msg("%s: %s", answers[i].what, err.message);
        ask_all(&r.a, answers[i].what, &r.requests, answers[i].asked);
        struct netrequests other = again(&r.a, &r.requests);
        ask_all(&r.a, answers[i].what, &other, answers[i].asked);
        arena_release(&r.a);
    }
}

#define CREDENTIAL(rest) "[permissions.p.network.credentials.c]\n" rest "\n"

static const struct {
    const char *what, *user, *error;
    unsigned line, column;
    const char *note;
} faults[] = {
    {"no array", PROFILE("requests = 'x'\n"), "array of tables", 4, 12, NULL},
    {"an unknown key", PROFILE("") RULE("a.test", "decision = 'deny'\nmethod = ['GET']"),
     "network.requests: unknown key \"method\"", 7, 1, "methods"},
    {"no host", PROFILE("requests = [{ decision = 'deny' }]\n"), "\"host\" is missing", 4, 13,
     NULL},
    {"no decision", PROFILE("requests = [{ host = 'a.test' }]\n"), "\"decision\" is missing", 4, 13,
     NULL},
    {"another decision", PROFILE("") RULE("a.test", "decision = 'alow'"), "expected \"allow\"", 6,
     12, "allow"},
    {"a host that is none", PROFILE("") RULE("https://a.test", "decision = 'deny'"),
     "a pattern has no scheme", 5, 8, NULL},
    {"a small method", PROFILE("") RULE("a.test", "methods = ['GET', 'post']\ndecision = 'deny'"),
     "methods have a case", 6, 19, "POST"},
    {"no method", PROFILE("") RULE("a.test", "methods = ['GE T']\ndecision = 'deny'"),
     "is no method", 6, 12, NULL},
    {"no methods", PROFILE("") RULE("a.test", "methods = []\ndecision = 'deny'"),
     "array of methods", 6, 11, NULL},
    {"a path with dots", PROFILE("") RULE("a.test", "path = '/a/../b'\ndecision = 'deny'"),
     "would match no request", 6, 8, NULL},
    {"a path without a slash", PROFILE("") RULE("a.test", "path = 'a'\ndecision = 'deny'"),
     "does not begin with a slash", 6, 8, NULL},
    {"a path that is not normal", PROFILE("") RULE("a.test", "path = '/%41'\ndecision = 'deny'"),
     "decoded", 6, 8, NULL},
    {"an empty path", PROFILE("") RULE("a.test", "path = ''\ndecision = 'deny'"), "is empty", 6, 8,
     NULL},
    {"two sources",
     PROFILE("") CREDENTIAL("host = 'a.test'\nheader = 'a'\nfrom_env = 'A'\n"
                            "from_file = '/a'"),
     "one of \"from_env\" and \"from_file\"", 4, 1, NULL},
    {"no source", PROFILE("") CREDENTIAL("host = 'a.test'\nheader = 'a'"), "one of", 4, 1, NULL},
    {"a pattern of hosts", PROFILE("") CREDENTIAL("host = '*.a.test'\nheader = 'a'"),
     "belongs to one host", 5, 8, NULL},
    {"a range of hosts", PROFILE("") CREDENTIAL("host = '10.0.0.0/8'\nheader = 'a'"),
     "belongs to one host", 5, 8, NULL},
    {"no header", PROFILE("") CREDENTIAL("host = 'a.test'\nfrom_env = 'A'"),
     "\"header\" is missing", 4, 1, NULL},
    {"a header of the connection", PROFILE("") CREDENTIAL("host = 'a.test'\nheader = 'Host'"),
     "is no header that a secret can stand in", 6, 10, NULL},
    {"a header that is none", PROFILE("") CREDENTIAL("host = 'a.test'\nheader = 'a: b'"),
     "is no header", 6, 10, NULL},
    {"a format without a place",
     PROFILE("") CREDENTIAL("host = 'a.test'\nheader = 'a'\nformat = 'x'"), "is no format", 7, 10,
     NULL},
    {"a format with two", PROFILE("") CREDENTIAL("host = 'a.test'\nheader = 'a'\nformat = '{}{}'"),
     "is no format", 7, 10, NULL},
    {"a format of two lines",
     PROFILE("") CREDENTIAL("host = 'a.test'\nheader = 'a'\nformat = \"{}\\r\\nx: y\""),
     "is no format", 7, 10, NULL},
    {"a variable that is none",
     PROFILE("") CREDENTIAL("host = 'a.test'\nheader = 'a'\nfrom_env = 'A=B'"),
     "is no name of an environment variable", 7, 12, NULL},
    {"a relative file", PROFILE("") CREDENTIAL("host = 'a.test'\nheader = 'a'\nfrom_file = 'x'"),
     "expected an absolute path", 7, 13, NULL},
    {"an unknown key of a credential",
     PROFILE("") CREDENTIAL("host = 'a.test'\nheader = 'a'\nfrom_envv = 'x'"),
     "unknown key \"from_envv\"", 7, 1, "from_env"},
    {"two for one header",
     PROFILE("") CREDENTIAL(
         "host = 'a.test'\nheader = 'A'\nfrom_env = 'A'") "[permissions.p.network.credentials.d]"
                                                          "\nhost = 'A.test.'\nheader = "
                                                          "'a'\nfrom_env = 'B'\n",
     "for the same header", 8, 36, NULL},
    {"a credential for a host that is not opened",
     PROFILE("mitm = { exclude = ['**.test'] }\n")
         CREDENTIAL("host = 'a.test'\nheader = 'a'\nfrom_env = 'A'"),
     "mitm.exclude leaves unopened", 5, 36, NULL},
    {"an unknown key of mitm", PROFILE("mitm = { exclud = [] }\n"), "unknown key \"exclud\"", 4, 10,
     "exclude"},
    {"no list", PROFILE("mitm = { exclude = 'x' }\n"), "array of patterns", 4, 20, NULL},
    {"no pattern", PROFILE("mitm = { exclude = ['a.test', 'a..b'] }\n"), "\"a..b\"", 4, 31, NULL},
};

static void test_faults(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(faults); i++) {
        struct read r = {0};
        struct error err = {0};
        struct setting s = {.user = faults[i].user, .vcs = true};
        if (read_all(&r, &s, false, &err) == 0)
            fail_msg("%s: no error", faults[i].what);
        if (!strstr(err.message, faults[i].error) || err.line != faults[i].line ||
            err.column != faults[i].column || !str_eq(err.file, at_world("home/config.toml")))
            fail_msg("%s: %s:%u:%u: %s", faults[i].what, err.file, err.line, err.column,
                     err.message);
        if (faults[i].note && !strstr(err.note, faults[i].note))
            fail_msg("%s: %s", faults[i].what, err.note);
        arena_release(&r.a);
    }
}

/* ---- credentials and opened hosts ---- */

static void test_credentials(void **state)
{
    (void)state;
    struct read r = {0};
    struct error err = {0};
    struct setting s = {
        .user = "default_permissions = 'p'\n[permissions.b.network]\nenabled = true\n"
                "[permissions.b.network.credentials]\n"
                "forge = { host = 'old.test', header = 'a', from_env = 'OLD' }\n"
                "other = { host = '10.0.0.1:8443', header = 'X-Key', from_file = '/k' }\n"
                "[permissions.p]\nextends = 'b'\n"
                "[permissions.p.network.credentials.forge]\nhost = 'API.test'\n"
                "header = 'Authorization'\nformat = 'Bearer {};'\nfrom_file = '~/t'\n"
                "placeholder_env = 'TOKEN'\n",
        .vcs = true};
    if (read_all(&r, &s, false, &err) < 0)
        fail_msg("%s:%u: %s", err.file, err.line, err.message);
    assert_int_equal(r.credentials.n, 2);
    const struct netcredential *other = &r.credentials.v[0], *forge = &r.credentials.v[1];
    assert_string_equal(other->name, "other");
    assert_string_equal(other->header, "x-key");
    assert_string_equal(other->before, "");
    assert_string_equal(other->after, "");
    assert_int_equal(other->host.first, 8443);
    assert_string_equal(forge->name, "forge");
    assert_string_equal(forge->header, "authorization");
    assert_string_equal(forge->before, "Bearer ");
    assert_string_equal(forge->after, ";");
    assert_string_equal(forge->from_file, "/home/u/t");
    assert_null(forge->from_env);
    assert_string_equal(forge->placeholder_env, "TOKEN");
    assert_int_equal(forge->place.line, 9);
    struct host h;
    assert_int_equal(host_parse(BYTES("api.test"), &h), HOST_FINE);
    assert_true(credentials_name(&r.credentials, &h, 443));
    assert_int_equal(host_parse(BYTES("x.api.test"), &h), HOST_FINE);
    assert_false(credentials_name(&r.credentials, &h, 443));
    arena_release(&r.a);
}

static void check_opened(const struct netopened *o, const char *const *want)
{
    for (; *want; want += 2) {
        struct host h;
        uint16_t port;
        static const char *const words[] = {"no", "yes", "excluded"};
        assert_int_equal(host_parse_port(bytes_of(want[0]), 443, &h, &port), HOST_FINE);
        assert_string_equal(words[opened_for(o, &h, port)], want[1]);
    }
}

static void test_opened(void **state)
{
    (void)state;
    static const char *const some[] = {
        "a.test",   "yes",      "x.b.test", "yes", "b.test",        "no", "c.test", "excluded",
        "k.b.test", "excluded", "api.test", "yes", "api.test:8443", "no", NULL};
    static const char *const all[] = {"a.test",   "yes",      "any.test", "yes", "c.test",
                                      "excluded", "10.0.0.1", "yes",      NULL};
    struct setting s = {.user = PROFILE("mitm = { exclude = ['c.test', 'k.b.test'] }\n") RULE(
                            "a.test", "decision = 'allow'") RULE("*.b.test", "decision = 'deny'")
                            RULE("c.test", "decision = 'deny'")
                                CREDENTIAL("host = 'api.test:443'\nheader = 'a'\nfrom_env = 'A'"),
                        .vcs = true};
    for (int limited = 0; limited < 2; limited++) {
        struct read r = {0};
        struct error err = {0};
        struct netopened other;
        if (read_all(&r, &s, limited, &err) < 0)
            fail_msg("%s", err.message);
        assert_true(opened_any(&r.opened));
        check_opened(&r.opened, limited ? all : some);
        struct strbuf out = {0};
        opened_write(&r.opened, &out);
        struct bytes text = {strbuf_text(&out), out.n};
        assert_int_equal(opened_read(&r.a, &text, &other, &err), 0);
        assert_int_equal(text.n, 0);
        check_opened(&other, limited ? all : some);
        strbuf_release(&out);
        arena_release(&r.a);
    }
    struct read none = {0};
    struct setting plain = {.user = PROFILE(""), .vcs = true};
    assert_int_equal(read_all(&none, &plain, false, NULL), 0);
    assert_false(opened_any(&none.opened));
    arena_release(&none.a);
}

static void test_methods(void **state)
{
    (void)state;
    assert_true(method_is_reading(BYTES("GET")));
    assert_true(method_is_reading(BYTES("HEAD")));
    assert_true(method_is_reading(BYTES("OPTIONS")));
    static const char *const others[] = {"", "get", "GETX", "GE", "POST", "TRACE", "CONNECT"};
    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        assert_false(method_is_reading(bytes_of(others[i])));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paths),   cmocka_unit_test(test_globs),
        cmocka_unit_test(test_methods), cmocka_unit_test(test_glob_cost),
        cmocka_unit_test(test_answers), cmocka_unit_test(test_faults),
        cmocka_unit_test(test_opened),  cmocka_unit_test(test_credentials),
    };
    return cmocka_run_group_tests(tests, make_world, remove_world);
}
