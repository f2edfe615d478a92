/* The JSON writer: commas and nesting, what is escaped and how, the limits. */
#include "base/json.h"
#include "base/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_shape(void **state)
{
    (void)state;
    _cleanup_strbuf_ struct strbuf b = {0};
    struct json j;
    json_begin(&j, &b);
    json_object(&j);
    json_kv_string(&j, "s", "x");
    json_kv_string(&j, "none", NULL);
    json_kv_int(&j, "i", INT64_MIN);
    json_kv_bool(&j, "t", true);
    json_key(&j, "a");
    json_array(&j);
    json_uint(&j, UINT64_MAX);
    json_array(&j);
    json_end_array(&j);
    json_object(&j);
    json_end_object(&j);
    json_bool(&j, false);
    json_null(&j);
    json_end_array(&j);
    json_kv_string(&j, "last", "");
    assert_false(json_ok(&j)); /* still open */
    json_end_object(&j);
    assert_true(json_ok(&j));
    assert_string_equal(strbuf_text(&b),
                        "{\"s\":\"x\",\"none\":null,\"i\":-9223372036854775808,\"t\":true,"
                        "\"a\":[18446744073709551615,[],{},false,null],\"last\":\"\"}");
}

static void test_strings(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t n;
        const char *json;
    } cases[] = {
        {"a\"b\\c/", 6, "\"a\\\"b\\\\c/\""},
        {"\n\t\r\b\x1b\x7f", 6, "\"\\n\\t\\u000d\\u0008\\u001b\\u007f\""},
        {"a\0b", 3, "\"a\\u0000b\""},
        {"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", 9, "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\""},
        {"\xff", 1, "\"\\udcff\""},
        {"\xc3", 1, "\"\\udcc3\""}, /* cut short */
        {"\xe2\x82", 2, "\"\\udce2\\udc82\""},
        {"\xc0\xaf", 2, "\"\\udcc0\\udcaf\""},
        {"\xe0\x80\x80", 3, "\"\\udce0\\udc80\\udc80\""},
        {"\xed\xb2\x80", 3, "\"\\udced\\udcb2\\udc80\""}, /* what \udc80 would be in UTF-8 */
        {"\xf4\x90\x80\x80", 4, "\"\\udcf4\\udc90\\udc80\\udc80\""},
        {"\xf8\x88\x80\x80\x80", 5, "\"\\udcf8\\udc88\\udc80\\udc80\\udc80\""},
        {"", 0, "\"\""},
        /* What steers a terminal or turns the reading round: C1, marks, overrides, isolates. */
        {"\xc2\x80\xc2\x9b\xc2\x9f\xc2\xa0", 8, "\"\\u0080\\u009b\\u009f\xc2\xa0\""},
        {"\xd8\x9c\xd8\x9b", 4, "\"\\u061c\xd8\x9b\""},
        {"\xe2\x80\x8e\xe2\x80\x8f\xe2\x80\x90", 9, "\"\\u200e\\u200f\xe2\x80\x90\""},
        {"\xe2\x80\xa8\xe2\x80\xaa\xe2\x80\xae", 9, "\"\\u2028\\u202a\\u202e\""},
        {"\xe2\x81\xa6\xe2\x81\xa9\xe2\x81\xb0", 9, "\"\\u2066\\u2069\xe2\x81\xb0\""},
        {"\xef\xbb\xbf\xf3\xa0\x81\x81", 7, "\"\\ufeff\\udb40\\udc41\""},
        {"\x9b", 1, "\"\\udc9b\""},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        _cleanup_strbuf_ struct strbuf b = {0};
        struct json j;
        json_begin(&j, &b);
        json_bytes(&j, cases[i].bytes, cases[i].n);
        assert_true(json_ok(&j));
        assert_string_equal(strbuf_text(&b), cases[i].json);
    }
}

/* Every code point there is: one that a terminal may obey is an escape, the others are themselves.
 */
static void test_every_code_point(void **state)
{
    (void)state;
    _cleanup_strbuf_ struct strbuf b = {0};
    for (uint32_t c = 0x80; c <= 0x10ffff; c++) {
        char s[4];
        size_t n = 0;
        if (c >= 0xd800 && c <= 0xdfff)
            continue;
        if (c >= 0x10000) {
            s[n++] = (char)(0xf0 | c >> 18);
            s[n++] = (char)(0x80 | (c >> 12 & 0x3f));
        } else if (c >= 0x800) {
            s[n++] = (char)(0xe0 | c >> 12);
        } else {
            s[n++] = (char)(0xc0 | c >> 6);
        }
        if (c >= 0x800)
            s[n++] = (char)(0x80 | (c >> 6 & 0x3f));
        s[n++] = (char)(0x80 | (c & 0x3f));
        struct json j;
        strbuf_clear(&b);
        json_begin(&j, &b);
        json_bytes(&j, s, n);
        bool escaped = strbuf_text(&b)[1] == '\\';
        bool bad = c < 0xa0 || c == 0x61c || c == 0x200e || c == 0x200f ||
                   (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
        assert_true(escaped || !bad);
        assert_true(escaped || (b.n == n + 2 && memcmp(b.p + 1, s, n) == 0));
        if (escaped && c < 0x10000) {
            assert_int_equal(b.n, 8);
            assert_int_equal(strtoul(b.p + 3, NULL, 16), c);
        }
    }
}

static void test_limits(void **state)
{
    (void)state;
    for (unsigned more = 0; more < 2; more++) {
        _cleanup_strbuf_ struct strbuf b = {0};
        struct json j;
        json_begin(&j, &b);
        for (unsigned i = 0; i < MAX_JSON_DEPTH + more; i++)
            json_array(&j);
        for (unsigned i = 0; i < MAX_JSON_DEPTH + more; i++)
            json_end_array(&j);
        assert_int_equal(json_ok(&j), more == 0);
    }
    _cleanup_strbuf_ struct strbuf b = {0}, small = {.max = 4};
    struct json j;
    json_begin(&j, &b);
    json_end_object(&j); /* never opened */
    assert_false(json_ok(&j));
    json_begin(&j, &small);
    json_string(&j, "does not fit");
    assert_false(json_ok(&j));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shape),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_every_code_point),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
