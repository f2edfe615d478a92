/*
 * Where bawn-proxy is looked for, and the way out through other proxies that the environment names.
 * (The process itself: tests/cli/network.bats.)
 */
#include "cli/proxy_start.h"
#include "cli/proxy_upstream.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_place(void **state)
{
    (void)state;
    static const struct {
        const char *own, *program, *want;
    } cases[] = {
        {"/usr/bin/bawn", PROXY_PROGRAM, "/usr/libexec/bawn/bawn-proxy"},
        {"/usr/bin/bawn", INTERCEPT_PROGRAM, "/usr/libexec/bawn/bawn-intercept"},
        {"/bin/bawn", PROXY_PROGRAM, "/libexec/bawn/bawn-proxy"},
        {"/bawn", PROXY_PROGRAM, "/libexec/bawn/bawn-proxy"},
        {"/opt/bawn/bawn", PROXY_PROGRAM, "/opt/bawn/libexec/bawn/bawn-proxy"},
        {"/opt/cabin/bawn", PROXY_PROGRAM, "/opt/cabin/libexec/bawn/bawn-proxy"},
        {"/w/build/src/cli/bawn", PROXY_PROGRAM, "/w/build/src/proxy/bawn-proxy"},
        {"/w/build/src/cli/bawn", INTERCEPT_PROGRAM, "/w/build/src/intercept/bawn-intercept"},
        {"/w/build/src/cli/bawn", "bawn-exporter", "/w/build/src/exporter/bawn-exporter"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        _cleanup_arena_ struct arena a = {0};
        assert_string_equal(proxy_place(&a, cases[i].own, cases[i].program), cases[i].want);
    }
}

static const char *const names[] = {"http_proxy",  "HTTP_PROXY", "https_proxy",
                                    "HTTPS_PROXY", "all_proxy",  "ALL_PROXY",
                                    "no_proxy",    "NO_PROXY",   "REQUEST_METHOD"};

/* ENV: up to four "NAME=VALUE". */
static int read_with(struct arena *a, const char *const env[4], struct wire_settings *s,
                     struct error *err)
{
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        assert_int_equal(unsetenv(names[i]), 0);
    for (size_t i = 0; i < 4 && env[i]; i++) {
        char *copy = arena_strdup(a, env[i]);
        char *sign = strchr(copy, '=');
        *sign = '\0';
        assert_int_equal(setenv(copy, sign + 1, 1), 0);
    }
    return upstream_read(a, s, err);
}

static void test_upstream(void **state)
{
    (void)state;
    static const struct {
        const char *env[4], *want; /* of upstream_words(); NULL: straight */
        bool over_tls;
    } cases[] = {
        {{NULL}, NULL},
        {{"HTTP_PROXY=", "no_proxy=x"}, NULL},
        {{"HTTP_PROXY=http://a:1"}, "http through http://a:1"},
        {{"HTTP_PROXY=http://a:1", "http_proxy=http://b:2/"}, "http through http://b:2"},
        {{"HTTP_PROXY=http://a:1", "http_proxy="}, "http through http://a:1"},
        {{"HTTP_PROXY=http://a:1", "REQUEST_METHOD=GET"}, NULL},
        {{"http_proxy=http://a:1", "REQUEST_METHOD=GET"}, "http through http://a:1"},
        {{"HTTPS_PROXY=a:1"}, "https through http://a:1"},
        {{"ALL_PROXY=socks5h://me:it@is@a:1", "NO_PROXY=b,c"},
         "all else through socks5h://a:1; straight to b,c"},
        {{"https_proxy=https://a:1", "ALL_PROXY=socks5://b:2", "no_proxy=d", "NO_PROXY=e"},
         "https through https://a:1, all else through socks5://b:2; straight to d",
         true},
        {{"HTTP_PROXY=https://me:it@a"}, "http through https://a", true},
        {{"ALL_PROXY=https://[2606:4700::1]:8443"},
         "all else through https://[2606:4700::1]:8443",
         true},
        {{"ALL_PROXY=http://https://"}, "all else through http://https:"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        _cleanup_arena_ struct arena a = {0};
        struct wire_settings s = {0};
        struct error err = {0};
        assert_int_equal(read_with(&a, cases[i].env, &s, &err), 0);
        assert_int_equal(upstream_over_tls(&s), cases[i].over_tls);
        const char *got = upstream_words(&a, &s);
        if (!cases[i].want)
            assert_null(got);
        else
            assert_string_equal(got, cases[i].want);
    }
}

static void test_no_way(void **state)
{
    (void)state;
    static const char *const env[][4] = {{"ALL_PROXY=socks4://me:hidden@a:1"},
                                         {"https_proxy=ftp://me:hidden@a"}};
    for (size_t i = 0; i < ARRAY_LEN(env); i++) {
        _cleanup_arena_ struct arena a = {0};
        struct wire_settings s = {0};
        struct error err = {0};
        assert_int_equal(read_with(&a, env[i], &s, &err), -EINVAL);
        assert_non_null(strstr(err.message, "cannot go through"));
        assert_null(strstr(err.message, "hidden"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_place),
        cmocka_unit_test(test_upstream),
        cmocka_unit_test(test_no_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
