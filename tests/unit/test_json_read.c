/* The JSON reader: what is a value and what is not, where a fault stands, bytes and surrogates, and
 * that large texts take a time that grows with their length. */
#include "base/json_read.h"

#include "base/json.h"
#include "base/limits.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

static const struct json_value *good(struct arena *a, struct bytes text)
{
    const struct json_value *v = NULL;
    struct error err = {0};
    if (json_parse(a, "t.json", text, &v, &err) < 0)
        fail_msg("%s: %u:%u %s", text.p, err.line, err.column, err.message);
    return v;
}

/* V once more as text, without spaces. */
static void write_value(struct json *j, const struct json_value *v)
{
    switch (v->type) {
    case JSON_NULL:
        json_null(j);
        break;
    case JSON_BOOL:
        json_bool(j, v->boolean);
        break;
    case JSON_NUMBER:
        json_raw(j, v->text.p);
        break;
    case JSON_STRING:
        json_bytes(j, v->text.p, v->text.n);
        break;
    case JSON_ARRAY:
    case JSON_OBJECT:
        v->type == JSON_ARRAY ? json_array(j) : json_object(j);
        for (size_t i = 0; i < v->n; i++) {
            if (v->type == JSON_OBJECT)
                json_key_bytes(j, v->names[i].p, v->names[i].n);
            write_value(j, &v->items[i]);
        }
        v->type == JSON_ARRAY ? json_end_array(j) : json_end_object(j);
        break;
    }
}

static void test_good(void **state)
{
    (void)state;
    static const struct {
        const char *text, *again;
    } cases[] = {
        {"null", "null"},
        {" true ", "true"},
        {"\r\n\tfalse\n", "false"},
        {"[]", "[]"},
        {"{ }", "{}"},
        {"[ 1 , 2,[3]]", "[1,2,[3]]"},
        {"{\"a\" : 1 , \"\" : {\"a\":[{}]}}", "{\"a\":1,\"\":{\"a\":[{}]}}"},
        {"\"\"", "\"\""},
        {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\\"\\\\/\\u0008\\u000c\\n\\u000d\\t\""},
        {"\"\\u0041\\u00e9\\u20AC\\ud83d\\ude00\"", "\"A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\""},
        {"\"\xc3\xa9\x7f/\"", "\"\xc3\xa9\\u007f/\""},
        {"\"\\udcff\\u0000\\udc80\"", "\"\\udcff\\u0000\\udc80\""},
        {"[0,-0,0.0,1e5,1E+5,1.25e-3,-1.5]", "[0,-0,0.0,1e5,1E+5,1.25e-3,-1.5]"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        _cleanup_arena_ struct arena a = {0};
        _cleanup_strbuf_ struct strbuf out = {0};
        struct json j;
        json_begin(&j, &out);
        write_value(&j, good(&a, bytes_of(cases[i].text)));
        assert_true(json_ok(&j));
        assert_string_equal(strbuf_text(&out), cases[i].again);
    }
}

static void test_bad(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned line, column;
        const char *message; /* a part of it */
    } cases[] = {
        {"", 1, 1, "the end of the text"},
        {" \n ", 2, 2, "the end of the text"},
        {"1 2", 1, 3, "expected the end of the text, found '2'"},
        {"[1,]", 1, 4, "expected a value, found ']'"},
        {"[1\n 2]", 2, 2, "',' or ']'"},
        {"[,1]", 1, 2, "a value"},
        {"{\"a\":1,}", 1, 8, "a name in double quotes"},
        {"{a:1}", 1, 2, "a name in double quotes"},
        {"{\"a\" 1}", 1, 6, "':'"},
        {"{\"a\":}", 1, 6, "a value"},
        {"{\"a\":1 \"b\":2}", 1, 8, "',' or '}'"},
        {"{\"a\":1,\n \"b\":2,\"\\u0061\":3}", 2, 8, "\"a\" stands here twice"},
        {"[1,2", 1, 5, "the end of the text"},
        {"{\"a\":1", 1, 7, "the end of the text"},
        {"\"abc", 1, 1, "does not end"},
        {"\"abc\\\"", 1, 1, "does not end"},
        {"\"abc\\", 1, 1, "does not end"},
        {"\"a\nb\"", 1, 3, "control character"},
        {"\"\\x41\"", 1, 2, "no escape"},
        {"\"\\u12g4\"", 1, 2, "four hexadecimal"},
        {"\"\\u12\"", 1, 2, "four hexadecimal"},
        {"\"\\ud800\"", 1, 2, "other half"},
        {"\"\\ud800x\"", 1, 2, "other half"},
        {"\"\\ud800\\ud800\"", 1, 2, "other half"},
        {"\"\\udc00\"", 1, 2, "other half"},
        {"\"\\udc7f\"", 1, 2, "other half"},
        {"\"\\udd00\"", 1, 2, "other half"},
        {"\"a\xff\"", 1, 3, "no UTF-8"},
        {"\"\xed\xa0\x80\"", 1, 2, "no UTF-8"},
        {"\"\xc0\x80\"", 1, 2, "no UTF-8"},
        {"\xef\xbb\xbf{}", 1, 1, "byte order mark"},
        {"01", 1, 1, "begin with 0"},
        {"-", 1, 2, "a digit"},
        {"-a", 1, 2, "a digit"},
        {"1.", 1, 3, "behind the point"},
        {".5", 1, 1, "a value"},
        {"+1", 1, 1, "a value"},
        {"1e", 1, 3, "the exponent"},
        {"1e+", 1, 4, "the exponent"},
        {"0x10", 1, 2, "the end of the text, found 'x'"},
        {"NaN", 1, 1, "found NaN"},
        {"truefalse", 1, 1, "found truefalse"},
        {"True", 1, 1, "found True"},
        {"nul", 1, 1, "found nul"},
        {"'a'", 1, 1, "a value"},
        {"// c\n1", 1, 1, "a value"},
        {"[1] /* c */", 1, 5, "the end of the text"},
        {"1\xff", 1, 2, "no UTF-8"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        _cleanup_arena_ struct arena a = {0};
        const struct json_value *v = NULL;
        struct error err = {0};
        print_message("%s\n", cases[i].text);
        assert_int_equal(json_parse(&a, "t.json", bytes_of(cases[i].text), &v, &err), -EINVAL);
        assert_null(v);
        if (!strstr(err.message, cases[i].message))
            fail_msg("\"%s\" is not in \"%s\"", cases[i].message, err.message);
        assert_int_equal(err.line, cases[i].line);
        assert_int_equal(err.column, cases[i].column);
        assert_string_equal(err.file, "t.json");
    }
}

static void test_nul_bytes(void **state)
{
    (void)state;
    _cleanup_arena_ struct arena a = {0};
    const struct json_value *v;
    struct error err = {0};
    assert_int_equal(json_parse(&a, NULL, (struct bytes){"1\0", 2}, &v, &err), -EINVAL);
    assert_int_equal(json_parse(&a, NULL, (struct bytes){"\"\0\"", 3}, &v, &err), -EINVAL);
    assert_int_equal(json_parse(&a, NULL, (struct bytes){NULL, 0}, &v, &err), -EINVAL);
    v = good(&a, BYTES("{\"a\":\"x\\u0000y\",\"b\\u0000c\":\"z\",\"b\":\"w\"}"));
    assert_int_equal(json_get(v, "a")->text.n, 3);
    assert_null(json_get_string(v, "a"));
    assert_string_equal(json_get_string(v, "b"), "w");
}

static void test_numbers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool is_int;
        int64_t integer;
        double number;
    } cases[] = {
        {"0", true, 0, 0.0},
        {"-0", true, 0, 0.0},
        {"9223372036854775807", true, INT64_MAX, 9223372036854775807.0},
        {"-9223372036854775808", true, INT64_MIN, -9223372036854775808.0},
        {"9223372036854775808", false, 0, 9223372036854775808.0},
        {"-9223372036854775809", false, 0, -9223372036854775808.0},
        {"123456789012345678901234567890", false, 0, 123456789012345678901234567890.0},
        {"1.5", false, 0, 1.5},
        {"-2.5e-3", false, 0, -2.5e-3},
        {"1e3", false, 0, 1000.0},
        {"5e-324", false, 0, 5e-324},
        {"1e-999999999999999999999", false, 0, 0.0},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        _cleanup_arena_ struct arena a = {0};
        const struct json_value *v = good(&a, bytes_of(cases[i].text));
        assert_int_equal(v->type, JSON_NUMBER);
        assert_int_equal(v->is_int, cases[i].is_int);
        assert_true(v->integer == cases[i].integer);
        assert_true(v->number == cases[i].number);
        assert_string_equal(v->text.p, cases[i].text);
    }
}

static void test_get(void **state)
{
    (void)state;
    _cleanup_arena_ struct arena a = {0};
    const struct json_value *v =
        good(&a, BYTES("{\"s\":\"x\",\"t\":true,\"f\":false,\"n\":null,\"o\":{\"k\":1}}"));
    assert_string_equal(json_get_string(v, "s"), "x");
    assert_null(json_get_string(v, "t"));
    assert_null(json_get_string(v, "missing"));
    assert_true(json_get_bool(v, "t", false));
    assert_false(json_get_bool(v, "f", true));
    assert_true(json_get_bool(v, "n", true));
    assert_true(json_get_bool(v, "missing", true));
    assert_int_equal(json_get(json_get(v, "o"), "k")->integer, 1);
    assert_null(json_get(json_get(v, "s"), "k"));
    assert_null(json_get(NULL, "k"));
}

static void test_places(void **state)
{
    (void)state;
    _cleanup_arena_ struct arena a = {0};
    struct bytes text = BYTES("{\n  \"a\": [1, \"two\", {}]\r\n}");
    const struct json_value *v = json_get(good(&a, text), "a");
    assert_int_equal(v->at, 9);
    assert_int_equal(v->length, 14);
    assert_memory_equal(text.p + v->items[1].at, "\"two\"", v->items[1].length);
    struct error err = {0};
    assert_int_equal(json_fail(&err, "f", text, &v->items[1], "no %s", "good"), -EINVAL);
    assert_string_equal(err.message, "no good");
    assert_int_equal(err.line, 2);
    assert_int_equal(err.column, 12);
    assert_int_equal(err.length, 5);
    assert_string_equal(err.excerpt, "  \"a\": [1, \"two\", {}]");
}

static void test_depth(void **state)
{
    (void)state;
    char text[2 * MAX_JSON_DEPTH + 2];
    for (unsigned deep = MAX_JSON_DEPTH; deep <= MAX_JSON_DEPTH + 1; deep++) {
        _cleanup_arena_ struct arena a = {0};
        const struct json_value *v;
        struct error err = {0};
        memset(text, '[', deep);
        memset(text + deep, ']', deep);
        int r = json_parse(&a, NULL, (struct bytes){text, 2 * (size_t)deep}, &v, &err);
        assert_int_equal(r, deep == MAX_JSON_DEPTH ? 0 : -EINVAL);
        if (r < 0)
            assert_int_equal(err.column, deep);
    }
    /* What the writer writes at its limit is read. */
    _cleanup_arena_ struct arena a = {0};
    static char many[1000000];
    const struct json_value *v;
    memset(many, '[', sizeof(many));
    assert_int_equal(json_parse(&a, NULL, (struct bytes){many, sizeof(many)}, &v, NULL), -EINVAL);
}

static double seconds(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* 100,000 names, alike for their first bytes; the last one may be a double of the first. A search
 * that compared each with each would take a minute. */
static void test_many_names(void **state)
{
    (void)state;
    for (int twice = 0; twice <= 1; twice++) {
        _cleanup_arena_ struct arena a = {0};
        _cleanup_strbuf_ struct strbuf b = {0};
        const struct json_value *v = NULL;
        struct error err = {0};
        strbuf_putc(&b, '{');
        for (unsigned i = 0; i < 100000; i++)
            strbuf_printf(&b, "%s\"the-same-beginning-of-a-name-%u\":%u", i ? "," : "",
                          twice && i == 99999 ? 0 : i, i);
        strbuf_putc(&b, '}');
        double start = seconds();
        int r = json_parse(&a, NULL, (struct bytes){b.p, b.n}, &v, &err);
        assert_true(seconds() - start < 5);
        assert_int_equal(r, twice ? -EINVAL : 0);
        if (twice) {
            assert_non_null(strstr(err.message, "name-0\" stands here twice"));
        } else {
            assert_int_equal(v->n, 100000);
            assert_int_equal(v->items[77777].integer, 77777);
            assert_string_equal(v->names[77777].p, "the-same-beginning-of-a-name-77777");
        }
    }
}

static void test_long_things(void **state)
{
    (void)state;
    enum { LONG = 4000000 };
    char *text = malloc(LONG + 2);
    assert_non_null(text);
    double start = seconds();
    {
        _cleanup_arena_ struct arena a = {0};
        memset(text, '7', LONG);
        const struct json_value *v = good(&a, (struct bytes){text, LONG});
        assert_false(v->is_int);
        assert_int_equal(v->text.n, LONG);
    }
    {
        _cleanup_arena_ struct arena a = {0};
        text[0] = text[LONG + 1] = '"';
        memset(text + 1, '\\', LONG);
        const struct json_value *v = good(&a, (struct bytes){text, LONG + 2});
        assert_int_equal(v->text.n, LONG / 2);
    }
    assert_true(seconds() - start < 5);
    free(text);
}

/* Each allocation in turn fails: an error, no leak, no crash. */
static void test_no_memory(void **state)
{
    (void)state;
    struct bytes text = BYTES("{\"a\":[1,2,{\"b\":\"c\"}],\"d\":[[],[4],{\"e\":null}]}");
    int r = -ENOMEM;
    for (unsigned long n = 1; r == -ENOMEM; n++) {
        _cleanup_arena_ struct arena a = {0};
        const struct json_value *v;
        struct error err = {0};
        assert_true(n < 100);
        mem_fail_at(n);
        r = json_parse(&a, NULL, text, &v, &err);
        mem_fail_at(0);
        assert_true(r == 0 || r == -ENOMEM);
        assert_int_equal(err.code, r);
    }
    assert_int_equal(r, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_nul_bytes),   cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_get),         cmocka_unit_test(test_places),
        cmocka_unit_test(test_depth),       cmocka_unit_test(test_many_names),
        cmocka_unit_test(test_long_things), cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
