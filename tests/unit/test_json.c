/* The JSON writer: commas and nesting, what is escaped and how, the limits. */
#include "base/json.h"
#include "base/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

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
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
