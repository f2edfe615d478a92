/* How messages look, and how the record of refusals is read. */
#include "cli/denial_record.h"
#include "cli/print.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>

static void expect_text(const struct error *err, const char *want)
{
    _cleanup_strbuf_ struct strbuf out = {0};
    print_error_text(err, &out);
    if (!str_eq(strbuf_text(&out), want))
        fail_msg("got:\n%s\nwant:\n%s", strbuf_text(&out), want);
}

static void place(struct error *err, const char *line, unsigned column, unsigned length)
{
    error_at(err, "config.toml", 12, column, length, line, strlen(line));
}

static void test_shape(void **state)
{
    (void)state;
    struct error err = {0};
    error_set(&err, -EINVAL, "sandbox_mode: unknown value \"workspace\"; expected this or that");
    place(&err, "sandbox_mode = \"workspace\"", 16, 11);
    error_note(&err, "did you mean \"workspace-write\"?");
    expect_text(&err, "bawn: config.toml:12:16: sandbox_mode: unknown value \"workspace\"; "
                      "expected this or that\n"
                      "   12 | sandbox_mode = \"workspace\"\n"
                      "      |                ^~~~~~~~~~~ did you mean \"workspace-write\"?\n");
    error_set(&err, -EINVAL, "short");
    expect_text(&err, "bawn: short\n");
    error_hint(&err, "do that");
    expect_text(&err, "bawn: short\nbawn: hint: do that\n");
    error_at(&err, "f", 0, 0, 0, NULL, 0);
    expect_text(&err, "bawn: f: short\nbawn: hint: do that\n");
}

static void test_marker(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        unsigned column, length;
        const char *want;
    } rows[] = {
        {"a = 1", 5, 1, "   12 | a = 1\n      |     ^\n"},
        {"a = 1", 5, 0, "   12 | a = 1\n      |     ^\n"},
        {"a = ", 5, 1, "   12 | a = \n      |     ^\n"},             /* behind the end */
        {"a = 12", 5, 99, "   12 | a = 12\n      |     ^~\n"},       /* over the end */
        {"a = 12", 77, 3, "   12 | a = 12\n"},                       /* nowhere */
        {"\ta = 1", 6, 1, "   12 |     a = 1\n      |         ^\n"}, /* a tab */
        {"\xc3\xa9 = x", 6, 1, "   12 | \xc3\xa9 = x\n      |     ^\n"},
        {"\xe6\xbc\xa2 = x", 7, 1, "   12 | \xe6\xbc\xa2 = x\n      |      ^\n"}, /* wide */
        {"k\xff = x", 6, 1, "   12 | k\\xff = x\n      |         ^\n"},           /* not text */
        {"k = \"\\x41\" y", 12, 1, "   12 | k = \"\\x41\" y\n      |            ^\n"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct error err = {0};
        error_set(&err, -EINVAL, "m");
        place(&err, rows[i].line, rows[i].column, rows[i].length);
        _cleanup_strbuf_ struct strbuf want = {0};
        strbuf_printf(&want, "bawn: config.toml:12:%u: m\n%s", rows[i].column, rows[i].want);
        expect_text(&err, strbuf_text(&want));
    }
}

/* A line longer than a screen shows the part that is meant, with the marker under it. */
static void test_long_line(void **state)
{
    (void)state;
    char line[400];
    memset(line, 'x', sizeof(line));
    memcpy(line + 299, "HERE", 4);
    struct error err = {0};
    error_set(&err, -EINVAL, "m");
    error_at(&err, "f", 1, 300, 4, line, sizeof(line));
    _cleanup_strbuf_ struct strbuf out = {0};
    print_error_text(&err, &out);
    const char *first = strstr(out.p, "    1 | "), *here = strstr(out.p, "HERE");
    const char *second = strstr(out.p, "      | "), *mark = strstr(out.p, "^~~~\n");
    assert_true(first && here && second && mark);
    assert_int_equal(here - first - 2 /* "…" is three bytes and one column */, mark - second);
    assert_true(second - first < 120);
}

static void test_nothing_forges_a_line(void **state)
{
    (void)state;
    struct error err = {0};
    error_set(&err, -EINVAL, "no file a\nbawn: all is well");
    error_hint(&err, "x\x1b[2Jy");
    expect_text(&err, "bawn: no file a\\x0abawn: all is well\nbawn: hint: x\\x1b[2Jy\n");
}

static void test_json(void **state)
{
    (void)state;
    struct error err = {0};
    _cleanup_strbuf_ struct strbuf out = {0};
    error_set(&err, -EINVAL, "m \"q\"");
    print_error_json(&err, "usage", &out);
    assert_string_equal(out.p, "{\"error\":\"usage\",\"message\":\"m \\\"q\\\"\",\"file\":null,"
                               "\"line\":null,\"column\":null,\"hint\":null}\n");
    place(&err, "a = 1", 5, 1);
    error_note(&err, "n");
    strbuf_clear(&out);
    print_error_json(&err, "configuration", &out);
    assert_string_equal(out.p,
                        "{\"error\":\"configuration\",\"message\":\"m \\\"q\\\"\","
                        "\"file\":\"config.toml\",\"line\":12,\"column\":5,\"hint\":\"n\"}\n");
}

static void test_record(void **state)
{
    (void)state;
    struct arena a = {0};
    struct denial_record d;
    struct bytes line = BYTES(
        " {\"event\":\"denied\",\"time\":\"2026-05-01T12:00:00Z\",\"kind\":\"file\","
        "\"path\":\"/tmp/\\u00e9\\udcff\\ud83d\\ude00\\n\",\"access\":\"write\",\"rule\":\"r\","
        "\"line\":0,\"hint\":\"h\",\"process\":{\"pid\":12,\"exe\":\"/bin/cat\",\"x\":[1,{}]},"
        "\"count\":3,\"later\":[true,false,null,-1.5e+3]} ");
    assert_true(denial_record_parse(&a, line, &d));
    assert_string_equal(d.path, "/tmp/\xc3\xa9\xff\xf0\x9f\x98\x80\n");
    assert_string_equal(d.pid, "12");
    assert_string_equal(d.exe, "/bin/cat");
    _cleanup_strbuf_ struct strbuf out = {0};
    denial_record_print(&d, &out);
    assert_string_equal(out.p,
                        "2026-05-01T12:00:00Z  write /tmp/\xc3\xa9\\xff\xf0\x9f\x98\x80\\x0a "
                        "(3 times) by /bin/cat[12]\n"
                        "    refused by r\n    allowed by h\n");
    arena_release(&a);
}

static void test_broken_records(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "",
        " ",
        "x",
        "[]",
        "\"a\"",
        "{",
        "{}x",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1",
        "{\"a\":1,}",
        "{\"a\":01}",
        "{\"a\":1.}",
        "{\"a\":-}",
        "{\"a\":1e}",
        "{\"a\":tru}",
        "{\"a\":\"",
        "{\"a\":\"\\",
        "{\"a\":\"\\u12",
        "{\"a\":\"\\ud800\"}",
        "{\"a\":\"\\udc00\"}",
        "{\"a\":\"\\x\"}",
        "{\"a\":\"\x01\"}",
        "{\"a\":\"\xff\"}",
        "{\"a\":\"\xc0\xaf\"}",
        "{\"a\":\"\xe2\x82\"}",
        "{\"a\":\"\xed\xa0\x80\"}",
        "{\"a\":[1,]}",
        "{\"a\":1}{\"b\":2}",
        "{,}",
        "{1:2}",
    };
    struct arena a = {0};
    struct denial_record d;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (denial_record_parse(&a, bytes_of(rows[i]), &d))
            fail_msg("accepted: %s", rows[i]);
    /* Every prefix of a good line is torn; none of them reads past its end (sanitizers see to it).
     */
    static const char good[] =
        "{\"path\":\"/a\\ud83d\\ude00\",\"process\":{\"pid\":1},\"n\":-1.0e5}";
    assert_true(denial_record_parse(&a, BYTES("{}"), &d));
    for (size_t n = 0; n < sizeof(good) - 1; n++) {
        char *exact = mem_alloc(n + 1);
        assert_non_null(exact);
        memcpy(exact, good, n);
        assert_false(denial_record_parse(&a, (struct bytes){exact, n}, &d));
        mem_free(exact);
    }
    char deep[4096];
    memset(deep, '[', sizeof(deep));
    memcpy(deep, "{\"a\":", 5);
    assert_false(denial_record_parse(&a, (struct bytes){deep, sizeof(deep)}, &d));
    /* A NUL in a value: the value is not kept, the rest is. */
    assert_true(denial_record_parse(&a, BYTES("{\"path\":\"a\\u0000b\",\"rule\":\"r\"}"), &d));
    assert_null(d.path);
    assert_string_equal(d.rule, "r");
    arena_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shape),          cmocka_unit_test(test_marker),
        cmocka_unit_test(test_long_line),      cmocka_unit_test(test_nothing_forges_a_line),
        cmocka_unit_test(test_json),           cmocka_unit_test(test_record),
        cmocka_unit_test(test_broken_records),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
