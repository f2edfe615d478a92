/*
 * Names outside ASCII: what a converter says is a host only where host_parse() takes it, patterns
 * keep their wildcards and ports, and what goes to another process is ASCII.
 */
#include "network/pattern.h"
#include "network/unicode.h"
#include "network/wire.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct {
    const char *name, *ascii;
} known[] = {
    {"bücher.example", "xn--bcher-kva.example"},
    {"１２７.0.0.1", "127.0.0.1"},
    {"ａ：１", "a:1"},
    {"ü..example", "xn--tda..example"},
    {"%ü", "%xn--tda"},
    {"：：１", "::1"},
};
static int answer; /* of what is not known */

static int convert(void *data, struct bytes name, char ret[HOST_NAME_MAX_BYTES + 1],
                   struct error *err)
{
    (void)data;
    assert_true(unicode_is(name) && name.n <= UNICODE_NAME_MAX);
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (bytes_is(name, known[i].name)) {
            memcpy(ret, known[i].ascii, strlen(known[i].ascii) + 1);
            return 0;
        }
    return error_set(err, answer, "of a reason");
}
static const struct unicode_converter converter = {.convert = convert};

static int begin(void **state)
{
    (void)state;
    answer = -EINVAL;
    unicode_use(&converter);
    return 0;
}

static int end(void **state)
{
    (void)state;
    unicode_use(NULL);
    return 0;
}

static void test_hosts(void **state)
{
    (void)state;
    struct host h;
    struct error err = {0};
    assert_int_equal(unicode_host(BYTES("bücher.example"), &h, &err), 0);
    assert_string_equal(h.name, "xn--bcher-kva.example");
    assert_int_equal(unicode_host(BYTES("127.0.0.1"), &h, &err), 0); /* ASCII is as it was */
    assert_int_equal(h.kind, HOST_ADDRESS);
    for (size_t i = 1; i < ARRAY_LEN(known); i++) {
        h.n = 77;
        assert_int_equal(unicode_host(bytes_of(known[i].name), &h, &err), -EINVAL);
        assert_int_equal(h.n, 77);
        assert_int_not_equal(unicode_parse(bytes_of(known[i].name), &h), HOST_FINE);
    }
    assert_int_equal(unicode_host(BYTES("é"), &h, &err), -EINVAL);
    assert_string_equal(err.message, "the name has no ASCII form: of a reason");
    answer = -ENOSYS;
    assert_int_equal(unicode_host(BYTES("é"), &h, &err), -EINVAL);
    assert_string_equal(err.hint, "bawn-proxy would convert it, but of a reason");
    static char text[UNICODE_NAME_MAX + 2];
    memset(text, 0xc3, sizeof(text));
    assert_int_equal(unicode_host((struct bytes){text, sizeof(text)}, &h, &err), -EINVAL);
    unicode_use(NULL);
    assert_int_equal(unicode_parse(BYTES("bücher.example"), &h), HOST_NOT_ASCII);
    assert_int_equal(unicode_host(BYTES("bücher.example"), &h, &err), -EINVAL);
    assert_non_null(strstr(err.message, "xn--"));
}

static void assert_ascii(const char *text, const char *want)
{
    char buf[NETPATTERN_TEXT_MAX];
    struct netpattern p, again;
    struct error err = {0};
    assert_int_equal(netpattern_parse(bytes_of(text), &p, &err), 0);
    const char *ascii = netpattern_ascii(text, &p, buf);
    assert_string_equal(ascii, want);
    unicode_use(NULL);
    assert_int_equal(netpattern_parse(bytes_of(ascii), &again, &err), 0);
    assert_memory_equal(&p, &again, sizeof(p));
    unicode_use(&converter);
}

static void test_patterns(void **state)
{
    (void)state;
    struct netpattern p;
    struct error err = {0};
    assert_ascii("bücher.example", "xn--bcher-kva.example");
    assert_ascii("*.bücher.example:443", "*.xn--bcher-kva.example:443");
    assert_ascii("**.bücher.example:1-80", "**.xn--bcher-kva.example:1-80");
    assert_ascii("Example.COM:80", "Example.COM:80"); /* as it was written */
    assert_ascii("10.0.0.0/8:80", "10.0.0.0/8:80");
    assert_int_equal(netpattern_parse(BYTES("**.１２７.0.0.1"), &p, &err), -EINVAL);
    assert_int_equal(netpattern_parse(BYTES("１２７.0.0.1"), &p, &err), -EINVAL);
    assert_non_null(strstr(err.message, "is an address"));
    assert_int_equal(netpattern_parse(BYTES("é.example:80"), &p, &err), -EINVAL);
    assert_non_null(strstr(err.message, "no ASCII form"));
}

/* What the proxy reads has no converter: it gets ASCII. */
static void test_wire(void **state)
{
    (void)state;
    const struct netrule rules[] = {
        {.pattern = "**.bücher.example:443", .decision = NET_ALLOW, .layer = "x"}};
    const struct wire_settings s = {.rules = rules, .n_rules = 1};
    struct wire_settings got;
    _cleanup_strbuf_ struct strbuf out = {0};
    _cleanup_arena_ struct arena a = {0};
    struct error err = {0};
    assert_int_equal(wire_settings_write(&s, &out), 0);
    unicode_use(NULL);
    assert_int_equal(wire_settings_read(&a, (struct bytes){out.p, out.n}, &got, &err), 0);
    assert_string_equal(got.rules[0].pattern, "**.xn--bcher-kva.example:443");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_hosts, begin, end),
        cmocka_unit_test_setup_teardown(test_patterns, begin, end),
        cmocka_unit_test_setup_teardown(test_wire, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
