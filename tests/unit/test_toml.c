/*
 * The TOML parser: what the toml-test corpus (tests/toml/run) does not ask for: places, messages,
 * limits, memory running out, what 1.1 adds, and the calls beside toml_parse().
 */
#include "base/error.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/toml.h"

#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

/* A heap copy of exactly the text, so that the address sanitizer sees a read past its end. */
static int parse_exactly(struct arena *a, struct bytes text, enum toml_version version,
                         struct toml_value **ret, struct error *err)
{
    char *copy = arena_alloc(a, 1), *exact = text.n ? mem_alloc(text.n) : copy;
    assert_non_null(exact);
    if (text.n)
        memcpy(exact, text.p, text.n);
    int r = toml_parse(a, "t.toml", (struct bytes){exact, text.n}, version, ret, err);
    if (text.n)
        mem_free(exact);
    return r;
}

static struct toml_value *parse(struct arena *a, const char *text)
{
    struct toml_value *root = NULL;
    struct error err = {0};
    if (toml_parse(a, "t.toml", bytes_of(text), TOML_1_1, &root, &err) < 0)
        fail_msg("%u:%u: %s", err.line, err.column, err.message);
    return root;
}

static struct toml_value *at(struct toml_value *v, const char *dotted)
{
    for (const char *p = dotted; *p;) {
        size_t n = strcspn(p, ".");
        v = v && v->type == TOML_ARRAY ? v->array.items[strtoul(p, NULL, 10)]
                                       : toml_get(v, (struct bytes){p, n});
        if (!v)
            fail_msg("no %s", dotted);
        p += n + (p[n] == '.');
    }
    return v;
}

/* ---- refusals: where, and in which words ---- */

static const struct {
    const char *text;
    unsigned line, column, length;
    const char *message; /* a part of it */
} refused[] = {
    {"a = 1\nb = yes\n", 2, 5, 3, "yes is not a value; TOML writes true"},
    {"mode = workspace-write", 1, 8, 15, "a string needs quotes: \"workspace-write\""},
    {"mode = Read, only", 1, 8, 4, "a string needs quotes"},
    {"a = ", 1, 5, 1, "no value for the key a before the end of the text"},
    {"a = # x", 1, 5, 1, "no value for the key a before a comment"},
    {"a\n= 1", 1, 2, 1, "expected = after the key a, found the end of the line"},
    {"a b = 1", 1, 3, 1, "expected = after the key a, found 'b'"},
    {"\xc3\xa4 = 1", 1, 1, 2, "expected a key, found '\xc3\xa4'"},
    {"a = 1 b = 2", 1, 7, 1, "expected the end of the line after the value, found 'b'"},
    {"a = \"x", 1, 5, 2, "not closed on its line"},
    {"a = \"x\r\nb = 1\r\n", 1, 5, 2, "not closed on its line"},
    {"a = '''x\ny", 1, 5, 3, "never closed; it ends with '''"},
    {"a = \"\"\"x\ny\\q\"\"\"", 2, 2, 2, "unknown escape \\q"},
    {"a = \"C:\\Users\"", 1, 8, 2, "escape \\U needs 8 hexadecimal digits, 0 found"},
    {"a = \"\\ud800\"", 1, 6, 6, "not a Unicode character"},
    {"[a]\nb = 1\n[a]\n", 3, 1, 3, "table [a] is defined twice; first on line 1"},
    {"[a.b]\nc = 1\n[a]\nb.d = 2\n", 4, 1, 1, "table b was defined on line 1"},
    {"a = 1\n\"a\" = 2\n", 2, 1, 3, "key \"a\" is set already, on line 1"},
    {"a.b = 1\na.b.c = 2\n", 2, 3, 1, "a.b is an integer already (line 1)"},
    {"a = {b = 1}\na.c = 2\n", 2, 1, 1, "a is an inline table (line 1), which is complete"},
    {"[[a]]\n[a]\n", 2, 1, 3, "one more of them is [[a]]"},
    {"[a]\n[[a]]\n", 2, 1, 5, "a is a table already (line 1)"},
    {"a = []\n[[a]]\n", 2, 1, 5, "a is an array already (line 1)"},
    {"a.b = 1\n[a]\n", 2, 1, 3, "a is a table made by dotted keys already (line 1)"},
    {"a = [1,\n 2\n", 3, 1, 1, "the array opened on line 1 is not closed: ] is missing"},
    {"a = [1 2]", 1, 8, 1, "expected a comma or ]"},
    {"a = {b = 1,\n c = 2", 2, 7, 1, "the inline table opened on line 1 is not closed"},
    {"a = {b = 1 c = 2}", 1, 12, 1, "expected a comma or }"},
    {"[a", 1, 3, 1, "expected ] at the end of the table header, found the end of the text"},
    {"[[a]\n", 1, 4, 1, "expected ]]"},
    {"[ [a]]\n", 1, 3, 1, "expected a key, found '['"},
    {"\"\"\"a\"\"\" = 1", 1, 1, 3, "a multi-line string cannot be a key"},
    {"a = 9223372036854775808", 1, 5, 19, "does not fit 64 bits"},
    {"a = -9223372036854775809", 1, 5, 20, "does not fit 64 bits"},
    {"a = 0x8000000000000000", 1, 5, 18, "does not fit 64 bits"},
    {"a = 1e400", 1, 5, 5, "does not fit 64 bits; write inf"},
    {"a = 2023-02-29", 1, 5, 10, "that month has fewer days"},
    {"a = 2023-02-20 25:00:00", 1, 5, 19, "an hour from 00 to 23"},
    {"a = 0b102", 1, 5, 5, "digits 0 and 1 follow 0b"},
    {"a = 1_000_", 1, 5, 6, "an underscore stands between two digits"},
    {"a = 0755", 1, 5, 4, "needless zero"},
    {"a = 1\rb = 2\n", 1, 6, 1, "carriage return without a newline"},
    {"x = 1\na = \"\x01\"", 2, 6, 1, "control character \\x01; write it as \"\\u0001\""},
    {"# \xff", 1, 3, 1, "byte \\xff is not UTF-8"},
    {"a = '\xed\xa0\x80'", 1, 6, 1, "is not UTF-8"},     /* a surrogate */
    {"a = '\xf4\x90\x80\x80'", 1, 6, 1, "is not UTF-8"}, /* above 10FFFF */
    {"a = '\xc0\xaf'", 1, 6, 1, "is not UTF-8"},         /* overlong */
    {"\xef\xbb\xbf"
     "a = yes",
     1, 5, 3, "yes is not a value"}, /* BOM: no column */
    {"a = 1\n\xef\xbb\xbf", 2, 1, 3, "expected a key"},
};

static void test_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        _cleanup_arena_ struct arena a = {0};
        struct toml_value *root = (void *)&a;
        struct error err = {0};
        int r = parse_exactly(&a, bytes_of(refused[i].text), TOML_1_1, &root, &err);
        if (r >= 0)
            fail_msg("accepted: %s", show(refused[i].text));
        assert_ptr_equal(root, &a); /* untouched */
        if (err.line != refused[i].line || err.column != refused[i].column ||
            err.length != refused[i].length || !strstr(err.message, refused[i].message))
            fail_msg("%s\n  got  %u:%u+%u %s\n  want %u:%u+%u …%s…", show(refused[i].text),
                     err.line, err.column, err.length, err.message, refused[i].line,
                     refused[i].column, refused[i].length, refused[i].message);
        assert_int_equal(err.code, r);
        assert_string_equal(err.file, "t.toml");
    }
}

static void test_excerpt(void **state)
{
    (void)state;
    _cleanup_arena_ struct arena a = {0};
    struct toml_value *root;
    struct error err = {0};
    struct bytes text = BYTES("\xef\xbb\xbf"
                              "x = 1\r\nmode = no # why\r\nz = 2\r\n");
    assert_int_equal(toml_parse(&a, "c.toml", text, TOML_1_0, &root, &err), -EINVAL);
    assert_string_equal(err.excerpt, "mode = no # why");
    /* Without an error to fill, too. */
    assert_int_equal(toml_parse(&a, "c.toml", text, TOML_1_0, &root, NULL), -EINVAL);
    text = BYTES("\xef\xbb\xbf"
                 "x = 1 2\r\n");
    assert_int_equal(toml_parse(&a, "c.toml", text, TOML_1_0, &root, &err), -EINVAL);
    assert_string_equal(err.excerpt, "x = 1 2");
    assert_int_equal(err.column, 7);
    /* A place for a fault of type found later. */
    text = BYTES("x = 1\ny = [ 1,\n 2 ]\n");
    assert_int_equal(toml_parse(&a, "c.toml", text, TOML_1_0, &root, &err), 0);
    toml_error_at(&err, "c.toml", text, at(root, "y")->span);
    assert_int_equal(err.line, 2);
    assert_int_equal(err.column, 5);
    assert_int_equal(err.length, 4); /* what is on that line */
    assert_string_equal(err.excerpt, "y = [ 1,");
    toml_error_at(NULL, "c.toml", text, at(root, "y")->span);
    toml_error_at(&err, "c.toml", BYTES(""), (struct toml_span){1, 1, 0, 0});
    toml_error_at(&err, "c.toml", (struct bytes){NULL, 0}, (struct toml_span){9, 9, 99, 99});
}

/* ---- spans ---- */

static void assert_span(struct bytes text, struct toml_span s, const char *want, unsigned line,
                        unsigned column)
{
    assert_true(s.offset + s.length <= text.n);
    assert_int_equal(s.length, strlen(want));
    assert_memory_equal(text.p + s.offset, want, s.length);
    assert_int_equal(s.line, line);
    assert_int_equal(s.column, column);
}

static void test_spans(void **state)
{
    (void)state;
    _cleanup_arena_ struct arena a = {0};
    const char *doc = "one = 1 # c\n"
                      "[t.u]\r\n"
                      "  \"k\\n\" . b = 'v'  \n"
                      "m = \"\"\"\n\nx\"\"\"\n"
                      "n = [ 1, 2020-01-01 10:00:00 ]\n"
                      "[[l]]\nx = { y = 1.5 }\n[[l]]\n"
                      "[t]\nz = true\n";
    struct bytes text = bytes_of(doc);
    struct toml_value *root = parse(&a, doc);
    assert_span(text, root->span, doc, 1, 1);
    assert_span(text, at(root, "one")->span, "1", 1, 7);
    assert_span(text, toml_member(root, BYTES("one"))->key_span, "one", 1, 1);
    struct toml_value *u = at(root, "t.u");
    assert_span(text, u->span, "[t.u]", 2, 1);
    assert_span(text, toml_member(at(root, "t"), BYTES("u"))->key_span, "u", 2, 4);
    struct toml_value *k = toml_get(u, BYTES("k\n"));
    assert_span(text, k->span, "\"k\\n\"", 3, 3);
    assert_span(text, at(k, "b")->span, "'v'", 3, 15);
    assert_span(text, toml_member(k, BYTES("b"))->key_span, "b", 3, 11);
    assert_span(text, at(u, "m")->span, "\"\"\"\n\nx\"\"\"", 4, 5);
    assert_string_equal(at(u, "m")->string.p, "\nx");
    assert_span(text, at(u, "n")->span, "[ 1, 2020-01-01 10:00:00 ]", 7, 5);
    assert_span(text, at(u, "n.1")->span, "2020-01-01 10:00:00", 7, 10);
    assert_span(text, at(root, "l")->span, "[[l]]", 8, 1);
    assert_span(text, at(root, "l.1")->span, "[[l]]", 10, 1);
    assert_span(text, at(root, "l.0.x")->span, "{ y = 1.5 }", 9, 5);
    assert_span(text, at(root, "l.0.x.y")->span, "1.5", 9, 11);
    assert_span(text, at(root, "t")->span, "[t]", 11, 1); /* its own header, though later */
}

/* ---- what 1.1 adds ---- */

static const struct {
    const char *text, *value; /* of the string s in 1.1 */
} only_1_1[] = {
    {"s = \"\\e\\x41\\xe9\"", "\x1b"
                              "A\xc3\xa9"},
    {"t = {\n a = 1, # one\n\n b = 2,\n}\ns = 'x'", "x"},
    {"t = {a = 1,}\ns = 'x'", "x"},
    {"t = {# c\n}\ns = 'x'", "x"},
    {"t = 10:20\ns = 'x'", "x"},
    {"t = 2020-02-29 10:20Z\ns = 'x'", "x"},
    {"t = 2020-02-29T10:20-08:00\ns = 'x'", "x"},
};

static void test_versions(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(only_1_1); i++) {
        _cleanup_arena_ struct arena a = {0};
        struct toml_value *root;
        struct bytes text = bytes_of(only_1_1[i].text);
        if (parse_exactly(&a, text, TOML_1_0, &root, NULL) == 0)
            fail_msg("1.0 took %s", only_1_1[i].text);
        assert_int_equal(parse_exactly(&a, text, TOML_1_1, &root, NULL), 0);
        assert_string_equal(at(root, "s")->string.p, only_1_1[i].value);
    }
    /* Neither reads these. */
    static const char *const never[] = {"t = {,}",     "t = {a = 1,,}", "t = 10:2",
                                        "t = 10:20.5", "s = \"\\x4\"",  "t = {a = 1 \n b = 2}",
                                        "\xc3\xa9 = 1"};
    for (size_t i = 0; i < ARRAY_LEN(never); i++) {
        _cleanup_arena_ struct arena a = {0};
        struct toml_value *root;
        if (parse_exactly(&a, bytes_of(never[i]), TOML_1_1, &root, NULL) == 0)
            fail_msg("1.1 took %s", never[i]);
    }
}

/* ---- values ---- */

static void test_values(void **state)
{
    (void)state;
    _cleanup_arena_ struct arena a = {0};
    struct toml_value *v =
        parse(&a, "min = -9223372036854775808\nmax = +9_223_372_036_854_775_807\n"
                  "hex = 0xDEAD_beef\noct = 0o755\nbin = 0b1101\nzero = -0\n"
                  "nul = \"a\\u0000b\"\ncr = '''a\r\nb'''\n"
                  "join = \"\"\"a\\ \r\n\r\n   b\\\n\"\"\"\n"
                  "q = \"\"\"\"\"x\"\"\"\"\"\nraw = 'C:\\x'\nempty = ''\n"
                  "d = 1979-05-27t00:32:00.9999999999-07:30\n");
    assert_true(at(v, "min")->integer == INT64_MIN);
    assert_true(at(v, "max")->integer == INT64_MAX);
    assert_int_equal(at(v, "hex")->integer, 0xdeadbeef);
    assert_int_equal(at(v, "oct")->integer, 0755);
    assert_int_equal(at(v, "bin")->integer, 13);
    assert_int_equal(at(v, "zero")->integer, 0);
    assert_int_equal(at(v, "nul")->string.n, 3);
    assert_memory_equal(at(v, "nul")->string.p, "a\0b", 4); /* terminated behind its length */
    assert_string_equal(at(v, "cr")->string.p, "a\nb");
    assert_string_equal(at(v, "join")->string.p, "ab");
    assert_string_equal(at(v, "q")->string.p, "\"\"x\"\"");
    assert_string_equal(at(v, "raw")->string.p, "C:\\x");
    assert_int_equal(at(v, "empty")->string.n, 0);
    struct toml_datetime d = at(v, "d")->datetime;
    assert_int_equal(at(v, "d")->type, TOML_OFFSET_DATETIME);
    assert_int_equal(d.year, 1979);
    assert_int_equal(d.nanosecond, 999999999);
    assert_int_equal(d.offset_minutes, -450);
    assert_string_equal(toml_type_name(TOML_INTEGER), "integer");
    for (int t = TOML_STRING; t <= TOML_TABLE; t++)
        assert_true(strlen(toml_type_name((enum toml_type)t)) > 0);
}

/* Rounding is the C library's, to the last bit. */
static void test_floats(void **state)
{
    (void)state;
    static const char *const numbers[] = {
        "0.0",
        "-0.0",
        "1.0",
        "3.14",
        "-1e-2",
        "6.626e-34",
        "1e22",
        "1e23",
        "8.98846567431158e307",
        "1.7976931348623157e308",
        "5e-324",
        "4.9406564584124654e-324",
        "2.2250738585072011e-308",
        "9007199254740993.0",
        "9007199254740992.9999999999999999999999",
        "0.1e-0",
        "123456789012345e22",
        "0.000000000000000000000000000001e30",
        "1e-400",
        "179769313486231580793e288",
        "100000000000000000000000000000000000000000000000000000000000.0"};
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        _cleanup_arena_ struct arena a = {0};
        struct toml_value *v;
        assert_int_equal(toml_parse_value(&a, NULL, bytes_of(numbers[i]), TOML_1_0, &v, NULL), 0);
        assert_int_equal(v->type, TOML_FLOAT);
        double want = strtod(numbers[i], NULL);
        if (memcmp(&want, &v->floating, sizeof(want)) != 0)
            fail_msg("%s: %.17g, not %.17g", numbers[i], v->floating, want);
    }
    /* Halfway between two doubles but for a digit far behind what a buffer holds. */
    for (int tail = 0; tail < 2; tail++) {
        _cleanup_arena_ struct arena a = {0};
        _cleanup_strbuf_ struct strbuf b = {0};
        struct toml_value *v;
        strbuf_puts(&b, "9007199254740993.");
        for (int i = 0; i < 2000; i++)
            strbuf_putc(&b, '0');
        strbuf_putc(&b, tail ? '1' : '0');
        assert_int_equal(toml_parse_value(&a, NULL, (struct bytes){b.p, b.n}, TOML_1_0, &v, NULL),
                         0);
        assert_true(v->floating == (tail ? 9007199254740994.0 : 9007199254740992.0));
    }
    _cleanup_arena_ struct arena a = {0};
    struct toml_value *v = parse(&a, "a = inf\nb = -inf\nc = +nan\nd = 1e-999999999999999999999\n");
    assert_true(isinf(at(v, "a")->floating) && at(v, "a")->floating > 0);
    assert_true(isinf(at(v, "b")->floating) && at(v, "b")->floating < 0);
    assert_true(isnan(at(v, "c")->floating));
    assert_true(at(v, "d")->floating == 0);
}

/* ---- who may add to what; the rest of it is in the corpus ---- */

static const struct {
    bool good;
    const char *text;
} structure[] = {
    {true, "[a.b.c]\n[a]\nb.d = 1\n"},
    {false, "[a.b.c]\n[a]\nb.d = 1\n[a.b]\n"},
    {true, "a.b = 1\n[a.c]\nd = 1\n"},
    {false, "a.b = 1\n[a.b]\n"},
    {false, "a.b = 1\n[[a.b]]\n"},
    {true, "[[a]]\n[a.b]\n[[a]]\n[a.b]\n"},
    {false, "[[a]]\n[a.b]\n[a.b]\n"},
    {true, "[[a.b]]\n[a]\nc = 1\n"},
    {false, "[[a.b]]\n[a]\nb.c = 1\n"},
    {true, "[[a.b]]\n[[a.b.c]]\n[[a.b.c]]\n[[a.b]]\n[[a.b.c]]\n"},
    {false, "a = [{}]\n[[a]]\n"},
    {false, "a = [{}]\n[a.b]\n"},
    {false, "a = {b = {}}\n[a.b.c]\n"},
    {false, "a = {b = 1, b.c = 2}\n"},
    {false, "a = {b.c = 1, b = {}}\n"},
    {false, "a = {b = {c = 1}, b.d = 2}\n"},
    {true, "a = {b.c = 1, b.d = 2}\n"},
    {false, "[a]\n[b.a]\n[a]\n"},
    {true, "\"\" = 1\n'a.b' = 2\na.b = 3\n"},
    {false, "a.'b' = 1\n'a'.\"b\" = 2\n"},
    {true, "1 = 1\n-2 = 2\n3.4 = 5\ntrue = 6\n"},
    {true, ""},
    {true, "\n# only\n"},
    {true, "\xef\xbb\xbf"},
    {true, "\t[ a . \"b\" ]\t# c\r\n"},
};

static void test_structure(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(structure); i++) {
        _cleanup_arena_ struct arena a = {0};
        struct toml_value *root;
        struct error err = {0};
        int r = parse_exactly(&a, bytes_of(structure[i].text), TOML_1_0, &root, &err);
        if ((r == 0) != structure[i].good)
            fail_msg("%s: %s", show(structure[i].text), r ? err.message : "accepted");
    }
}

/* ---- limits ---- */

static void repeat(struct strbuf *b, const char *s, size_t n)
{
    while (n--)
        strbuf_puts(b, s);
}

static int parse_buf(const struct strbuf *b, struct error *err)
{
    _cleanup_arena_ struct arena a = {0};
    struct toml_value *root;
    return toml_parse(&a, NULL, (struct bytes){b->p, b->n}, TOML_1_1, &root, err);
}

static void test_depth(void **state)
{
    (void)state;
    static const char *const shapes[][4] = {
        /* before, N times, in the middle, N times */
        {"a = ", "[", "1", "]"},       {"a = ", "{a = ", "1", "}"},   {"", "a.", "a = 1", ""},
        {"a = ", "{a.b = ", "1", "}"}, {"a = ", "[{a = ", "1", "}]"},
    };
    static const size_t deepest[] = {MAX_TOML_DEPTH, MAX_TOML_DEPTH, MAX_TOML_DEPTH,
                                     MAX_TOML_DEPTH / 2, MAX_TOML_DEPTH / 2};
    for (size_t i = 0; i < ARRAY_LEN(shapes); i++) {
        for (size_t more = 0; more < 2; more++) {
            _cleanup_strbuf_ struct strbuf b = {0};
            struct error err = {0};
            strbuf_puts(&b, shapes[i][0]);
            repeat(&b, shapes[i][1], deepest[i] + more);
            strbuf_puts(&b, shapes[i][2]);
            repeat(&b, shapes[i][3], deepest[i] + more);
            int r = parse_buf(&b, &err);
            if (r != (more ? -E2BIG : 0))
                fail_msg("shape %zu, %zu deep: %d %s", i, deepest[i] + more, r, err.message);
            assert_int_equal(err.line, more ? 1 : 0);
        }
    }
    /* Headers; and not a stack overflow but an error, however deep. */
    for (size_t n = MAX_TOML_DEPTH; n < 4000000; n = n == MAX_TOML_DEPTH ? n + 1 : n * 40) {
        _cleanup_strbuf_ struct strbuf b = {0}, c = {0};
        strbuf_putc(&b, '[');
        repeat(&b, "a.", n - 1);
        strbuf_puts(&b, "a]\n");
        assert_int_equal(parse_buf(&b, NULL), n == MAX_TOML_DEPTH ? 0 : -E2BIG);
        strbuf_puts(&c, "a = ");
        repeat(&c, "[", n);
        assert_true(parse_buf(&c, NULL) < 0);
    }
    /* Arrays of tables in arrays of tables are two levels each. */
    _cleanup_strbuf_ struct strbuf b = {0}, name = {0};
    for (size_t i = 1; i <= MAX_TOML_DEPTH / 2; i++) {
        strbuf_puts(&name, i > 1 ? ".a" : "a");
        strbuf_printf(&b, "[[%s]]\n", strbuf_text(&name));
    }
    assert_int_equal(parse_buf(&b, NULL), 0);
    strbuf_printf(&b, "[[%s.a]]\n", strbuf_text(&name));
    assert_int_equal(parse_buf(&b, NULL), -E2BIG);
}

static double seconds(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void test_size(void **state)
{
    (void)state;
    _cleanup_strbuf_ struct strbuf b = {0};
    struct error err = {0};
    repeat(&b, "#23456789012345\n", MAX_FILE_BYTES / 16);
    assert_int_equal(b.n, MAX_FILE_BYTES);
    assert_int_equal(parse_buf(&b, &err), 0);
    strbuf_putc(&b, '\n');
    assert_int_equal(parse_buf(&b, &err), -EFBIG);
    assert_non_null(strstr(err.message, "at most 16777216"));
}

/* A million keys, the most there may be, in one table; then one more. Fewer in the other shapes.
 * What is quadratic would take hours. */
static void test_keys(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        unsigned keys;
    } shapes[] = {{"=1\n", MAX_TOML_KEYS}, {"]\n", 100000}, {".x=1\n", 100000}};
    for (size_t shape = 0; shape < ARRAY_LEN(shapes); shape++) {
        _cleanup_strbuf_ struct strbuf b = {0};
        struct error err = {0};
        /* Neither sorted nor random: a bijection of the numbers below 2^24. */
        for (unsigned i = 0; i < shapes[shape].keys; i++) {
            strbuf_printf(&b, "%sk%06x", shape == 1 ? "[" : "", i * 7919u & 0xffffffu);
            strbuf_puts(&b, shapes[shape].line);
        }
        double from = seconds();
        int r = parse_buf(&b, &err);
        if (r < 0)
            fail_msg("shape %zu: %s", shape, err.message);
        assert_true(seconds() - from < 60);
        if (shape == 0) {
            strbuf_puts(&b, "z=1\n");
            assert_int_equal(parse_buf(&b, &err), -E2BIG);
            assert_non_null(strstr(err.message, "more than 1000000 keys"));
        }
    }
}

/* ---- look-ups in small and large tables, and tables of the caller's ---- */

static void test_index(void **state)
{
    (void)state;
    for (unsigned n = 0; n < 200; n += n < 20 ? 1 : 37) {
        _cleanup_arena_ struct arena a = {0};
        _cleanup_strbuf_ struct strbuf b = {0};
        for (unsigned i = 0; i < n; i++)
            strbuf_printf(&b, "key%u = %u\n", i * 31 % 211, i);
        struct toml_value *root = parse(&a, strbuf_text(&b));
        assert_int_equal(root->table.n, n);
        unsigned i = 0;
        for (struct toml_member *m = root->table.first; m; m = m->next, i++) {
            assert_int_equal(m->value->integer, i); /* in order of appearance */
            assert_ptr_equal(toml_member(root, m->key), m);
        }
        assert_null(toml_get(root, BYTES("key")));
        assert_null(toml_get(root, BYTES("key999")));
        assert_null(toml_get(root, BYTES("")));
        /* A member that a caller appends by hand is found, and so is what is added after it. */
        struct toml_value one = {.type = TOML_INTEGER, .integer = 7};
        struct toml_member by_hand = {.key = BYTES("by hand"), .value = &one};
        if (n) {
            root->table.last->next = &by_hand;
            root->table.last = &by_hand;
            root->table.n++;
            assert_ptr_equal(toml_get(root, BYTES("by hand")), &one);
            assert_int_equal(toml_get(root, BYTES("key0"))->integer, 0);
        }
        for (unsigned k = 0; k < 40; k++) {
            char key[16];
            int len = snprintf(key, sizeof(key), "new%u", k);
            assert_non_null(
                toml_add(&a, root, (struct bytes){key, (size_t)len}, (struct toml_span){0}, &one));
        }
        assert_ptr_equal(toml_get(root, BYTES("new39")), &one);
        assert_ptr_equal(toml_get(root, BYTES("new0")), &one);
        if (n)
            assert_ptr_equal(toml_get(root, BYTES("by hand")), &one);
        assert_int_equal(root->table.n, n + 40 + (n ? 1 : 0));
    }
    struct toml_value scalar = {.type = TOML_INTEGER};
    assert_null(toml_get(&scalar, BYTES("x")));
    assert_null(toml_get(NULL, BYTES("x")));
}

/* ---- keys and values alone ---- */

static void test_parse_key(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int n; /* parts, or a negative errno */
        const char *parts[4];
    } cases[] = {
        {"a", 1, {"a"}},
        {" sandbox_workspace_write . network-access ",
         2,
         {"sandbox_workspace_write", "network-access"}},
        {"projects.\"/a.b\".trust_level", 3, {"projects", "/a.b", "trust_level"}},
        {"a.'C:\\x'.\"\\u00e9\\t\"", 3, {"a", "C:\\x", "\xc3\xa9\t"}},
        {"\"\"", 1, {""}},
        {"", -EINVAL, {0}},
        {".", -EINVAL, {0}},
        {"a.", -EINVAL, {0}},
        {"a..b", -EINVAL, {0}},
        {"a b", -EINVAL, {0}},
        {"a=1", -EINVAL, {0}},
        {"a\n", -EINVAL, {0}},
        {"/a.b", -EINVAL, {0}},
        {"\"a", -EINVAL, {0}},
        {"\xff", -EINVAL, {0}},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        _cleanup_arena_ struct arena a = {0};
        struct bytes *parts = NULL;
        size_t n = 0;
        struct error err = {0};
        int r = toml_parse_key(&a, bytes_of(cases[i].text), &parts, &n, &err);
        assert_int_equal(r, MIN_OF(cases[i].n, 0));
        if (r < 0) {
            assert_true(err.message[0] && err.line == 1 && err.column > 0);
            assert_null(parts);
            continue;
        }
        assert_int_equal(n, cases[i].n);
        for (size_t k = 0; k < n; k++) {
            assert_int_equal(parts[k].n, strlen(cases[i].parts[k]));
            assert_string_equal(parts[k].p, cases[i].parts[k]);
        }
    }
}

static void test_parse_value(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int type; /* or a negative errno */
    } cases[] = {
        {"1", TOML_INTEGER},
        {" true ", TOML_BOOLEAN},
        {"[\"a\", 'b']\n", TOML_ARRAY},
        {"{a.b = 1, c = [1,\n2]}", TOML_TABLE},
        {"\"\"\"\nx\"\"\"", TOML_STRING},
        {"10:00:00", TOML_LOCAL_TIME},
        {"", -EINVAL},
        {"workspace-write", -EINVAL},
        {"1 2", -EINVAL},
        {"1 # x", -EINVAL},
        {"[1", -EINVAL},
        {"\"a\" b", -EINVAL},
        {"99999999999999999999", -ERANGE},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        _cleanup_arena_ struct arena a = {0};
        struct toml_value *v = NULL;
        struct error err = {0};
        int r = toml_parse_value(&a, "-c", bytes_of(cases[i].text), TOML_1_1, &v, &err);
        if (r < 0)
            assert_int_equal(r, cases[i].type);
        else
            assert_int_equal(v->type, cases[i].type);
    }
}

/* ---- memory running out ---- */

static const char everything[] =
    "a = 1\nb.\"c\\t\".d = \"x\\ny\"\n[t]\nu = [1, 2, 3, 4, 5, {v = 'w'}]\n"
    "[[l]]\nm = \"\"\"z\\\n\"\"\"\n[[l]]\n[[l.n]]\n[o.p.q]\n";

static void test_no_memory(void **state)
{
    (void)state;
    /* Enough of it for the arena to ask for several blocks, and for an index. */
    _cleanup_strbuf_ struct strbuf b = {0};
    strbuf_puts(&b, everything);
    for (unsigned i = 0; i < 1000; i++)
        strbuf_printf(&b, "key%u = \"value of the key %u\"\n", i, i);
    assert_false(strbuf_failed(&b));
    unsigned long n = 1;
    for (;; n++) {
        _cleanup_arena_ struct arena a = {0};
        struct toml_value *root = NULL;
        struct error err = {0};
        mem_fail_at(n);
        int r = toml_parse(&a, "t.toml", (struct bytes){b.p, b.n}, TOML_1_0, &root, &err);
        mem_fail_at(0);
        if (r == 0)
            break;
        assert_int_equal(r, -ENOMEM);
        assert_int_equal(err.code, -ENOMEM);
        assert_string_equal(err.message, "out of memory while reading t.toml");
        assert_null(root);
    }
    assert_true(n > 4); /* several blocks were asked for */
}

/* As above with a block for every allocation: an arena whose head has no room left. */
static void test_no_memory_anywhere(void **state)
{
    (void)state;
    struct bytes parts_text = BYTES("a.\"b\\t\".c"), value_text = BYTES("[{a = \"x\\t\"}, 'y']");
    for (int call = 0; call < 3; call++) {
        int r = -ENOMEM;
        /* Room for N units is left, then the next block fails: every allocation is hit once. */
        for (size_t left = 0; r != 0; left += _Alignof(max_align_t)) {
            _cleanup_arena_ struct arena a = {0};
            struct toml_value *v = NULL;
            struct bytes *parts = NULL;
            size_t n = 0;
            struct error err = {0};
            assert_non_null(arena_alloc(&a, 1));
            assert_true(left <= a.cap - a.used);
            assert_non_null(arena_alloc(&a, a.cap - a.used - left ? a.cap - a.used - left : 1));
            mem_fail_at(1);
            if (call == 0)
                r = toml_parse(&a, NULL, BYTES(everything), TOML_1_1, &v, &err);
            else if (call == 1)
                r = toml_parse_value(&a, NULL, value_text, TOML_1_1, &v, &err);
            else
                r = toml_parse_key(&a, parts_text, &parts, &n, &err);
            mem_fail_at(0);
            assert_true(r == 0 || r == -ENOMEM);
            assert_int_equal(err.code, r);
            assert_true(r == 0 || (!v && !parts));
        }
    }
}

/* A configuration of 200 lines is read in far less than 100 us; ten times that, under whatever
 * instrumentation and load the tests run, would say that something went badly wrong. */
static void test_speed(void **state)
{
    (void)state;
    _cleanup_strbuf_ struct strbuf b = {0};
    for (unsigned i = 0; i < 40; i++)
        strbuf_printf(&b,
                      "[permissions.profile_%u.filesystem]\n\"/srv/data/%u\" = \"read\"\n"
                      "writable_roots = [\"/tmp/%u\", \"~/x\"]\nlimit = %u\n# a comment line\n",
                      i, i, i, i);
    double best = 1;
    for (int i = 0; i < 50; i++) {
        double from = seconds();
        assert_int_equal(parse_buf(&b, NULL), 0);
        best = MIN_OF(best, seconds() - from);
    }
    print_message("200 lines, %zu bytes: %.1f us\n", b.n, best * 1e6);
    assert_true(best < 1e-3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_excerpt),
        cmocka_unit_test(test_spans),
        cmocka_unit_test(test_versions),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_floats),
        cmocka_unit_test(test_structure),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_size),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_index),
        cmocka_unit_test(test_parse_key),
        cmocka_unit_test(test_parse_value),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_no_memory_anywhere),
        cmocka_unit_test(test_speed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
