/*
 * One key of a TOML text or file changed. Every case of the table checks the bytes, that the tree
 * differs in that key alone, and that a second time changes nothing.
 */
#include "../toml_flatten.h"
#include "base/fd.h"
#include "base/path.h"
#include "config/edit.h"
#include "config/value.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define REMOVE NULL
#define BOM    "\xef\xbb\xbf"

/* ---- the text ---- */

static const struct {
    const char *what, *text, *key, *value, *result;
} cases[] = {
    /* replaced where it stands */
    {"a value", "a = 1\nb = 2\n", "a", "3", "a = 3\nb = 2\n"},
    {"the blanks round it stay", "a   =   1   # why\n", "a", "2", "a   =   2   # why\n"},
    {"blanks round the new value do not count", "a = 1\n", "a", " \n 2 \n", "a = 2\n"},
    {"comments above and beside stay", "# above\na = 1 # beside\n# below\n", "a", "\"x\"",
     "# above\na = \"x\" # beside\n# below\n"},
    {"another type", "a = 1\n", "a", "[1, 2]", "a = [1, 2]\n"},
    {"a multi-line array", "a = [ # one\n  1,\n  2, # two\n]\nb = 1\n", "a", "[]",
     "a = []\nb = 1\n"},
    {"a multi-line string", "a = \"\"\"\nx = 1\n[y]\n\"\"\" # c\nb = 1\n", "a", "''",
     "a = '' # c\nb = 1\n"},
    {"a multi-line literal", "a = '''\n# no comment\n'''\n", "a", "1", "a = 1\n"},
    {"by a multi-line array", "a = 1 # c\nb = 2\n", "a", "[\n  1,\n  2,\n]",
     "a = [\n  1,\n  2,\n] # c\nb = 2\n"},
    {"under a header", "a = 1\n[t]\na = 1\n", "t.a", "2", "a = 1\n[t]\na = 2\n"},
    {"of a dotted key", "t.a = 1\nt.b = 2\n", "t.b", "3", "t.a = 1\nt.b = 3\n"},
    {"a dotted key with blanks and quotes", "t . \"a\" = 1\n", "t.a", "2", "t . \"a\" = 2\n"},
    {"a dotted key under a header", "[t]\nu.a = 1\n", "t.u.a", "2", "[t]\nu.a = 2\n"},
    {"a quoted key", "\"a.b\" = 1\na.b = 2\n", "\"a.b\"", "3", "\"a.b\" = 3\na.b = 2\n"},
    {"a quoted header", "[p.\"/x.y\"]\nl = 'n'\n", "p.\"/x.y\".l", "'t'",
     "[p.\"/x.y\"]\nl = 't'\n"},
    {"an escape in the old key", "\"\\u0061\" = 1\n", "a", "2", "\"\\u0061\" = 2\n"},
    {"in an inline table", "t = { a = 1, b = 2 }\n", "t.a", "3", "t = { a = 3, b = 2 }\n"},
    {"in an inline table in one", "t = {u={a=1}}\n", "t.u.a", "2", "t = {u={a=2}}\n"},
    {"a dotted key in an inline table", "t = { u.a = 1 }\n", "t.u.a", "2", "t = { u.a = 2 }\n"},
    {"an inline table as a whole", "t = { a = 1, b = 2 } # c\n", "t", "{ c = 3 }",
     "t = { c = 3 } # c\n"},
    {"between [[tables]]", "[[x]]\na = 1\n[t]\na = 1\n[[x]]\na = 2\n", "t.a", "3",
     "[[x]]\na = 1\n[t]\na = 3\n[[x]]\na = 2\n"},
    {"CRLF", "a = 1\r\nb = 2\r\n", "a", "3", "a = 3\r\nb = 2\r\n"},
    {"no newline at the end", "a = 1", "a", "2", "a = 2"},
    {"a BOM", BOM "a = 1\n", "a", "2", BOM "a = 2\n"},
    {"nested brackets are one array", "a = [[1], [2]]\n", "a", "3", "a = 3\n"},

    /* nothing to do */
    {"the same", "a = 1 # c\n", "a", "1", "a = 1 # c\n"},
    {"the same in another spelling", "a = 'x' # c\n", "a", "\"x\"", "a = 'x' # c\n"},
    {"the same array", "a = [ 1, # c\n 2 ]\n", "a", "[1,2]", "a = [ 1, # c\n 2 ]\n"},
    {"a table that says so", "[t]\na = 1\n", "t", "{a=1}", "[t]\na = 1\n"},

    /* a new key, top of the file */
    {"an empty file", "", "a", "1", "a = 1\n"},
    {"only a BOM", BOM, "a", "1", BOM "a = 1\n"},
    {"only a comment", "# mine\n", "a", "1", "# mine\n\na = 1\n"},
    {"only a comment, no newline", "# mine", "a", "1", "# mine\n\na = 1\n"},
    {"a comment and a blank line", "# mine\n\n", "a", "1", "# mine\n\na = 1\n"},
    {"behind the last one", "a = 1\n", "b", "2", "a = 1\nb = 2\n"},
    {"no newline at the end", "a = 1", "b", "2", "a = 1\nb = 2\n"},
    {"CRLF", "a = 1\r\n", "b", "2", "a = 1\r\nb = 2\r\n"},
    {"CRLF, no newline at the end", "a = 1\r\nb = 2", "c", "3", "a = 1\r\nb = 2\r\nc = 3\r\n"},
    {"before the first header", "a = 1 # one\n\n# t\n[t]\nb = 2\n", "c", "3",
     "a = 1 # one\nc = 3\n\n# t\n[t]\nb = 2\n"},
    {"before the first header, no keys", "[t]\nb = 2\n", "a", "1", "a = 1\n\n[t]\nb = 2\n"},
    {"before the header's comment", "# mine\n\n# of t\n# too\n[t]\n", "a", "1",
     "# mine\n\na = 1\n\n# of t\n# too\n[t]\n"},
    {"before a comment right above", "# of t\n[t]\n", "a", "1", "a = 1\n\n# of t\n[t]\n"},
    {"before the first [[header]], BOM and CRLF", BOM "[[t]]\r\n", "a", "1",
     BOM "a = 1\r\n\r\n[[t]]\r\n"},
    {"behind a multi-line value", "a = [\n  1,\n] # c\n# d\n[t]\n", "b", "2",
     "a = [\n  1,\n] # c\nb = 2\n# d\n[t]\n"},
    {"a quoted key", "a = 1\n", "\"b c\"", "2", "a = 1\n\"b c\" = 2\n"},
    {"a key with a line feed", "", "\"b\\nc\"", "2", "\"b\\u000ac\" = 2\n"},
    {"an empty key", "", "\"\"", "2", "\"\" = 2\n"},

    /* a new key, in a table that is there */
    {"behind the table's last", "[t]\na = 1 # c\n\n# of u\n[u]\na = 2\n", "t.b", "3",
     "[t]\na = 1 # c\nb = 3\n\n# of u\n[u]\na = 2\n"},
    {"in the last table", "[t]\na = 1\n", "t.b", "2", "[t]\na = 1\nb = 2\n"},
    {"in the last table, blank lines behind", "[t]\na = 1\n\n\n", "t.b", "2",
     "[t]\na = 1\nb = 2\n\n\n"},
    {"in an empty table", "[t] # c\n\n[u]\n", "t.a", "1", "[t] # c\na = 1\n\n[u]\n"},
    {"in an empty last table, no newline", "[t]", "t.a", "1", "[t]\na = 1\n"},
    {"indented as the others", "[t]\n  a = 1\n\tb = 2\n", "t.c", "3",
     "[t]\n  a = 1\n\tb = 2\n\tc = 3\n"},
    {"indented as an array's key, not its end", "[t]\n  a = [\n      1,\n    ]\n", "t.b", "2",
     "[t]\n  a = [\n      1,\n    ]\n  b = 2\n"},
    {"before a sub-table", "[t]\na = 1\n[t.u]\nb = 2\n", "t.c", "3",
     "[t]\na = 1\nc = 3\n[t.u]\nb = 2\n"},
    {"behind its dotted keys", "[t]\na = 1\nu.b = 2\n[v]\n", "t.c", "3",
     "[t]\na = 1\nu.b = 2\nc = 3\n[v]\n"},
    {"a table defined behind its sub-table", "[t.u]\na = 1\n[t]\nb = 2\n[v]\n", "t.c", "3",
     "[t.u]\na = 1\n[t]\nb = 2\nc = 3\n[v]\n"},
    {"before a [[table]] of it", "[t]\na = 1\n\n[[t.x]]\nb = 2\n", "t.c", "3",
     "[t]\na = 1\nc = 3\n\n[[t.x]]\nb = 2\n"},
    {"a table behind [[tables]]", "[[x]]\na = 1\n[x.y]\nb = 1\n[t]\n[[x]]\n", "t.a", "1",
     "[[x]]\na = 1\n[x.y]\nb = 1\n[t]\na = 1\n[[x]]\n"},
    {"brackets in strings are no headers", "[t]\na = '''\n[u]\nb = 1\n'''\n", "t.c", "1",
     "[t]\na = '''\n[u]\nb = 1\n'''\nc = 1\n"},
    {"brackets in arrays are no headers", "[t]\na = [\n[1],\n[2]\n]\n[u]\n", "t.c", "1",
     "[t]\na = [\n[1],\n[2]\n]\nc = 1\n[u]\n"},
    {"a header with blanks and quotes", "[ t . \"u\" ]\na = 1\n", "t.u.b", "2",
     "[ t . \"u\" ]\na = 1\nb = 2\n"},

    /* beside dotted keys */
    {"beside its dotted keys", "t.a = 1\nb = 2\n[u]\n", "t.c", "3",
     "t.a = 1\nt.c = 3\nb = 2\n[u]\n"},
    {"beside dotted keys, deeper", "t.a = 1\nb = 2\n", "t.u.c", "3", "t.a = 1\nt.u.c = 3\nb = 2\n"},
    {"beside dotted keys under a header", "[t]\nu.a = 1\nb = 2\n", "t.u.c", "3",
     "[t]\nu.a = 1\nu.c = 3\nb = 2\n"},

    /* in inline tables */
    {"in an inline table", "t = { a = 1 } # c\n", "t.b", "2", "t = { a = 1, b = 2 } # c\n"},
    {"in a tight one", "t={a=1}\n", "t.b", "2", "t={a=1, b = 2}\n"},
    {"in an empty one", "t = {}\n", "t.a", "1", "t = { a = 1 }\n"},
    {"in an empty one with a blank", "t = { }\n", "t.a", "1", "t = { a = 1 }\n"},
    {"with a comma at its end", "t = { a = 1, }\n", "t.b", "2", "t = { a = 1, b = 2, }\n"},
    {"a table in it", "t = { a = 1 }\n", "t.u.b", "2", "t = { a = 1, u.b = 2 }\n"},
    {"beside a dotted key in it", "t = { u.a = 1, b = 2 }\n", "t.u.c", "3",
     "t = { u.a = 1, b = 2, u.c = 3 }\n"},
    {"of several lines", "t = {\n  a = 1, # one\n  b = 2 # two\n}\n", "t.c", "3",
     "t = {\n  a = 1, # one\n  b = 2, # two\n  c = 3\n}\n"},
    {"of several lines with a comma", "t = {\n  a = 1,\n  b = 2, # two\n}\n", "t.c", "3",
     "t = {\n  a = 1,\n  b = 2, # two\n  c = 3,\n}\n"},
    {"of several lines, the comma on another", "t = {\n  a = 1\n  ,\n}\n", "t.c", "3",
     "t = {\n  a = 1, c = 3\n  ,\n}\n"},
    {"of several lines with a comment only", "t = {\n  # none\n}\n", "t.c", "3",
     "t = { c = 3\n  # none\n}\n"},
    {"of several lines, CRLF", "t = {\r\n  a = 1\r\n}\r\n", "t.c", "3",
     "t = {\r\n  a = 1,\r\n  c = 3\r\n}\r\n"},

    /* a new table */
    {"a new table", "a = 1\n", "t.b", "2", "a = 1\n\n[t]\nb = 2\n"},
    {"a new table in an empty file", "", "t.b", "2", "[t]\nb = 2\n"},
    {"a new table behind a BOM", BOM, "t.b", "2", BOM "[t]\nb = 2\n"},
    {"a new table behind a blank line", "a = 1\n\n", "t.b", "2", "a = 1\n\n[t]\nb = 2\n"},
    {"a new table, no newline", "[u]\na = 1", "t.b", "2", "[u]\na = 1\n\n[t]\nb = 2\n"},
    {"a new table, CRLF", "a = 1\r\n", "t.b", "2", "a = 1\r\n\r\n[t]\r\nb = 2\r\n"},
    {"a new quoted table", "", "p.\"/a.b\".l", "'t'", "[p.\"/a.b\"]\nl = 't'\n"},
    {"a new sub-table", "[t]\na = 1\n[u]\n", "t.v.b", "2", "[t]\na = 1\n[u]\n\n[t.v]\nb = 2\n"},
    {"a table of which only sub-tables are there", "[t.u]\na = 1\n", "t.b", "2",
     "[t.u]\na = 1\n\n[t]\nb = 2\n"},
    {"a table of which only [[sub-tables]] are there", "[[t.u]]\na = 1\n", "t.b", "2",
     "[[t.u]]\na = 1\n\n[t]\nb = 2\n"},
    {"a table made by headers and dotted keys", "[a.b.c]\nx = 1\n[a]\nb.y = 2\n[z]\n", "a.b.w", "3",
     "[a.b.c]\nx = 1\n[a]\nb.y = 2\nb.w = 3\n[z]\n"},
    {"a table behind [[tables]]", "[[x]]\na = 1\n", "t.b", "2", "[[x]]\na = 1\n\n[t]\nb = 2\n"},

    /* removed */
    {"a line", "a = 1\nb = 2\nc = 3\n", "b", REMOVE, "a = 1\nc = 3\n"},
    {"the comment beside it goes, the one above stays", "# x\na = 1 # y\n# z\n", "a", REMOVE,
     "# x\n# z\n"},
    {"the only line", "a = 1\n", "a", REMOVE, ""},
    {"the only line, no newline", "a = 1", "a", REMOVE, ""},
    {"behind a BOM", BOM "a = 1\nb = 2\n", "a", REMOVE, BOM "b = 2\n"},
    {"CRLF", "a = 1\r\nb = 2\r\n", "a", REMOVE, "b = 2\r\n"},
    {"a multi-line value", "a = [\n  1, # x\n]\nb = 2\n", "a", REMOVE, "b = 2\n"},
    {"of a table", "[t]\n  a = 1\n  b = 2\n", "t.a", REMOVE, "[t]\n  b = 2\n"},
    {"the last of a table", "[t]\na = 1\n[u]\n", "t.a", REMOVE, "[t]\n[u]\n"},
    {"a dotted key", "t.a = 1\nt.b = 2\n", "t.a", REMOVE, "t.b = 2\n"},
    {"the only dotted key", "t.a = 1\nb = 2\n", "t.a", REMOVE, "b = 2\n"},
    {"a whole inline table", "t = { a = 1 }\nb = 2\n", "t", REMOVE, "b = 2\n"},
    {"inline, first", "t = { a = 1, b = 2, c = 3 }\n", "t.a", REMOVE, "t = { b = 2, c = 3 }\n"},
    {"inline, middle", "t = { a = 1, b = 2, c = 3 }\n", "t.b", REMOVE, "t = { a = 1, c = 3 }\n"},
    {"inline, last", "t = { a = 1, b = 2, c = 3 }\n", "t.c", REMOVE, "t = { a = 1, b = 2 }\n"},
    {"inline, tight", "t={a=1,b=2,c=3}\n", "t.b", REMOVE, "t={a=1,c=3}\n"},
    {"inline, only", "t = { a = 1 }\n", "t.a", REMOVE, "t = {}\n"},
    {"inline, dotted", "t = { u.a = 1, u.b = 2 }\n", "t.u.a", REMOVE, "t = { u.b = 2 }\n"},
    {"inline, last dotted", "t = { a = 1, u.b = 2 }\n", "t.u.b", REMOVE, "t = { a = 1 }\n"},
    {"inline, in one", "t = { u = { a = 1 }, b = 2 }\n", "t.u", REMOVE, "t = { b = 2 }\n"},
    {"inline, a comma at the end", "t = { a = 1, b = 2, }\n", "t.b", REMOVE, "t = { a = 1, }\n"},
    {"inline, lines, first", "t = {\n  a = 1, # one\n  b = 2, # two\n}\n", "t.a", REMOVE,
     "t = {\n  b = 2, # two\n}\n"},
    {"inline, lines, last", "t = {\n  a = 1, # one\n  b = 2 # two\n}\n", "t.b", REMOVE,
     "t = {\n  a = 1, # one\n}\n"},
    {"inline, lines, only", "t = {\n  # x\n  a = 1\n}\n", "t.a", REMOVE, "t = {\n  # x\n}\n"},
    {"inline, a comment before the comma", "t = {\n  a = 1 # one\n  , b = 2\n}\n", "t.a", REMOVE,
     "t = {\n   # one\n   b = 2\n}\n"},
};

static const struct {
    const char *what, *text, *key, *value;
    int code;
    const char *message;
} refusals[] = {
    {"a text that does not parse", "a = = 1\n", "a", "1", -EINVAL, "value"},
    {"a value that does not parse", "a = 1\n", "a", "x y", -EINVAL, "the value of a"},
    {"two values", "a = 1\n", "a", "1\nb = 2", -EINVAL, "the value of a"},
    {"a value with a comment", "a = 1\n", "a", "2 # c", -EINVAL, "the value of a"},
    {"a table by a scalar", "[t]\na = 1\n", "t", "1", -EINVAL,
     "t is a table, it cannot be replaced by a value"},
    {"a dotted table by a scalar", "t.a = 1\n", "t", "1", -EINVAL, "t is a table"},
    {"an implied table by a scalar", "[t.u]\n", "t", "1", -EINVAL, "t is a table"},
    {"an inline table by a scalar", "t = {}\n", "t", "1", -EINVAL,
     "t is a table, it is not replaced by a plain value"},
    {"a table by another", "[t]\na = 1\n", "t", "{a=2}", -EINVAL, "t is a table"},
    {"a scalar by a table", "t = 1\n", "t", "{a=2}", -EINVAL,
     "t is integer, it is not replaced by a table"},
    {"[[tables]] by an array", "[[t]]\na = 1\n", "t", "[1]", -EINVAL,
     "t is an array of tables, it cannot be replaced"},
    {"in a scalar", "[x]\nt = 1\n", "x.t.a", "1", -EINVAL,
     "x.t is integer, nothing can be set inside it"},
    {"in [[tables]]", "[[t]]\na = 1\n", "t.a", "1", -EINVAL,
     "t is an array of tables, nothing can be set inside it"},
    {"a table removed", "[t]\na = 1\n", "t", REMOVE, -EINVAL,
     "t is a table, it cannot be removed as a whole"},
    {"[[tables]] removed", "[[t]]\na = 1\n", "t", REMOVE, -EINVAL, "cannot be removed as a whole"},
    {"what is not there removed", "a = 1\n", "b", REMOVE, -ENOENT, "b is not set in f.toml"},
    {"in a table that is not there", "a = 1\n", "b.c", REMOVE, -ENOENT, "b.c is not set"},
    {"in a scalar, removed", "a = 1\n", "a.b", REMOVE, -ENOENT, "a.b is not set"},
    {"in [[tables]], removed", "[[a]]\nb = 1\n", "a.b", REMOVE, -ENOENT, "a.b is not set"},
};

static int edit(struct arena *a, const char *text, const char *key, const char *value,
                struct strbuf *out, struct error *err)
{
    struct bytes *parts;
    size_t n;
    assert_int_equal(toml_parse_key(a, bytes_of(key), &parts, &n, err), 0);
    return edit_set(bytes_of(text), "f.toml", parts, n, bytes_of(value), out, err);
}

static const struct toml_value *tree_of(struct arena *a, const char *text)
{
    struct toml_value *tree = NULL;
    struct error err = {0};
    if (toml_parse(a, "f.toml", bytes_of(text), TOML_1_1, &tree, &err) < 0)
        fail_msg("%s: does not parse: %s", text, err.message);
    return tree;
}

static void assert_same(const struct toml_value *a, const struct toml_value *b,
                        const struct bytes *skip, size_t n)
{
    _cleanup_strbuf_ struct strbuf one = {0}, two = {0};
    flatten(&one, a, skip, n);
    flatten(&two, b, skip, n);
    assert_string_equal(strbuf_text(&one), strbuf_text(&two));
}

static void check_trees(struct arena *a, const char *old_text, const char *new_text,
                        const char *key, const char *value)
{
    struct bytes *parts;
    struct toml_value *want;
    size_t n;
    const struct toml_value *old = tree_of(a, old_text), *new = tree_of(a, new_text), *is = new;
    assert_int_equal(toml_parse_key(a, bytes_of(key), &parts, &n, NULL), 0);
    for (size_t i = 0; i < n && is; i++)
        is = toml_get(is, parts[i]);
    if (value) {
        assert_int_equal(toml_parse_value(a, NULL, bytes_of(value), TOML_1_1, &want, NULL), 0);
        assert_non_null(is);
        assert_same(is, want, NULL, 0);
    } else {
        assert_null(is);
    }
    assert_same(old, new, parts, n);
}

static void test_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        _cleanup_arena_ struct arena a = {0};
        _cleanup_strbuf_ struct strbuf out = {0}, again = {0};
        struct error err = {0};
        const char *text = cases[i].text, *key = cases[i].key, *value = cases[i].value;
        int r = edit(&a, text, key, value, &out, &err);
        if (r < 0 || !str_eq(strbuf_text(&out), cases[i].result))
            fail_msg("%s: %d %s\n--- expected\n%s--- is\n%s", cases[i].what, r, err.message,
                     cases[i].result, strbuf_text(&out));
        check_trees(&a, text, strbuf_text(&out), key, value);
        r = edit(&a, strbuf_text(&out), key, value, &again, &err);
        assert_int_equal(r, value ? 0 : -ENOENT);
        if (value)
            assert_string_equal(strbuf_text(&out), strbuf_text(&again));
    }
}

static void test_refusals(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
        _cleanup_arena_ struct arena a = {0};
        _cleanup_strbuf_ struct strbuf out = {0};
        struct error err = {0};
        int r = edit(&a, refusals[i].text, refusals[i].key, refusals[i].value, &out, &err);
        if (r != refusals[i].code || err.code != r || out.n ||
            !strstr(err.message, refusals[i].message))
            fail_msg("%s: %d %s", refusals[i].what, r, err.message);
        if (str_starts(err.message, "t is") || str_starts(err.message, "x.t is")) {
            assert_string_equal(err.file, "f.toml");
            assert_int_not_equal(err.line, 0);
            assert_string_not_equal(err.hint, "");
        }
    }
}

/* What OUT held stays in front; without memory nothing is added. */
static void test_out(void **state)
{
    (void)state;
    bool done = false;
    for (unsigned long n = 1; !done && n < 1000; n++) {
        _cleanup_arena_ struct arena a = {0};
        _cleanup_strbuf_ struct strbuf out = {0};
        struct bytes *parts;
        size_t count;
        assert_int_equal(toml_parse_key(&a, BYTES("t.b"), &parts, &count, NULL), 0);
        strbuf_puts(&out, "front ");
        mem_fail_at(n);
        int r = edit_set(BYTES("[t]\na = 1\n"), "f", parts, count, BYTES("2"), &out, NULL);
        mem_fail_at(0);
        done = r == 0;
        if (!done)
            assert_int_equal(r, -ENOMEM);
        assert_string_equal(strbuf_text(&out), done ? "front [t]\na = 1\nb = 2\n" : "front ");
    }
    assert_true(done);
}

static void test_too_deep(void **state)
{
    (void)state;
    struct bytes parts[100];
    _cleanup_strbuf_ struct strbuf out = {0};
    struct error err = {0};
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        parts[i] = BYTES("k");
    assert_int_equal(edit_set(BYTES(""), "f", parts, 100, BYTES("1"), &out, &err), -E2BIG);
    assert_int_equal(edit_set(BYTES(""), "f", parts, 0, BYTES("1"), &out, &err), -EINVAL);
    assert_int_equal(edit_set(BYTES(""), "f", parts, 80, BYTES("[[]]"), &out, &err), -E2BIG);
    assert_int_equal(out.n, 0);
    assert_int_equal(edit_set(BYTES(""), "f", parts, 80, BYTES("1"), &out, &err), 0);
}

static void test_put_string(void **state)
{
    (void)state;
    static const char raw[] = "a\"b\\c\n\t\x01\x7f\xc3\xa4";
    _cleanup_arena_ struct arena a = {0};
    _cleanup_strbuf_ struct strbuf out = {0};
    struct toml_value *v;
    value_put_toml_string(&out, BYTES(raw));
    assert_string_equal(strbuf_text(&out), "\"a\\\"b\\\\c\\n\\t\\u0001\\u007f\xc3\xa4\"");
    struct bytes text = {strbuf_text(&out), out.n};
    assert_int_equal(toml_parse_value(&a, NULL, text, TOML_1_0, &v, NULL), 0);
    assert_true(bytes_eq(v->string, BYTES(raw)));
}

/* ---- the file ---- */

struct scratch {
    char root[64], dir[80], file[96];
};

static int set_up(void **state)
{
    static struct scratch s;
    (void)snprintf(s.root, sizeof(s.root), "/tmp/bawn-test-edit-XXXXXX");
    if (!mkdtemp(s.root))
        return -1;
    (void)snprintf(s.dir, sizeof(s.dir), "%s/home", s.root);
    (void)snprintf(s.file, sizeof(s.file), "%s/c.toml", s.dir);
    *state = &s;
    return mkdir(s.dir, 0700);
}

static void remove_tree(const char *path)
{
    DIR *d = opendir(path);
    for (struct dirent *e; d && (e = readdir(d));) {
        char inner[512];
        if (str_eq(e->d_name, ".") || str_eq(e->d_name, ".."))
            continue;
        (void)snprintf(inner, sizeof(inner), "%s/%s", path, e->d_name);
        if (unlink(inner) < 0)
            remove_tree(inner);
    }
    if (d)
        (void)closedir(d);
    (void)rmdir(path);
}

static int tear_down(void **state)
{
    const struct scratch *s = *state;
    (void)chmod(s->dir, 0700);
    remove_tree(s->root);
    return 0;
}

static void write_file(const char *file, const char *text, mode_t mode)
{
    _cleanup_fd_ int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
    assert_int_equal(fchmod(fd, mode), 0);
}

static void assert_file(const char *file, const char *text)
{
    _cleanup_strbuf_ struct strbuf b = {0};
    assert_int_equal(path_read_file(AT_FDCWD, file, 4096, &b, NULL), 0);
    assert_string_equal(strbuf_text(&b), text);
}

/* The names in DIR, sorted by nobody: at most three. */
static void assert_names(const char *dir, unsigned count)
{
    DIR *d = opendir(dir);
    assert_non_null(d);
    unsigned n = 0;
    for (struct dirent *e; (e = readdir(d));) {
        n += e->d_name[0] != '.';
        assert_null(strstr(e->d_name, ".tmp"));
    }
    (void)closedir(d);
    assert_int_equal(n, count);
}

static int set(const char *file, const char *key, const char *value, bool *changed,
               struct error *err)
{
    struct bytes part = bytes_of(key);
    struct edit_request q = {
        .file = file, .mode = 0600, .parts = &part, .n_parts = 1, .value = bytes_of(value)};
    *err = (struct error){0};
    return edit_file(&q, changed, err);
}

static void test_file_is_made(void **state)
{
    const struct scratch *s = *state;
    struct error err;
    struct stat st;
    bool changed = false;
    char file[128];
    mode_t mask = umask(0077);
    (void)snprintf(file, sizeof(file), "%s/new/er/c.toml", s->dir);
    assert_int_equal(set(file, "a", "1", &changed, &err), 0);
    (void)umask(mask);
    assert_true(changed);
    assert_file(file, "a = 1\n");
    assert_return_code(stat(file, &st), errno);
    assert_int_equal(st.st_mode & 07777, 0600);
    *strrchr(file, '/') = '\0';
    assert_names(file, 2);
    assert_return_code(stat(file, &st), errno);
    assert_int_equal(st.st_mode & 07777, 0700);
}

static void test_file_keeps_its_mode(void **state)
{
    const struct scratch *s = *state;
    struct error err;
    struct stat old, st;
    bool changed = false;
    write_file(s->file, "# mine\na = 1\n", 0664);
    if (geteuid() == 0)
        assert_return_code(chown(s->file, 1234, 2345), errno);
    assert_return_code(stat(s->file, &old), errno);
    mode_t mask = umask(0077);
    assert_int_equal(set(s->file, "a", "2", &changed, &err), 0);
    (void)umask(mask);
    assert_true(changed);
    assert_file(s->file, "# mine\na = 2\n");
    assert_return_code(stat(s->file, &st), errno);
    assert_int_equal(st.st_mode, old.st_mode);
    assert_int_equal(st.st_uid, old.st_uid);
    assert_int_equal(st.st_gid, old.st_gid);
    assert_int_not_equal(st.st_ino, old.st_ino);
    assert_names(s->dir, 2);
}

/* Not even a lock is made, so a directory that nobody can write will do. */
static void test_file_that_says_so(void **state)
{
    const struct scratch *s = *state;
    struct error err;
    struct stat old, st;
    bool changed = true;
    write_file(s->file, "a = 1 # c\n", 0600);
    assert_return_code(stat(s->file, &old), errno);
    assert_return_code(chmod(s->dir, 0500), errno);
    assert_int_equal(set(s->file, "a", "1", &changed, &err), 0);
    assert_false(changed);
    assert_return_code(stat(s->file, &st), errno);
    assert_int_equal(st.st_ino, old.st_ino);
    assert_names(s->dir, 1);
    if (geteuid() != 0) { /* root may write all the same */
        assert_int_equal(set(s->file, "a", "2", &changed, &err), -EACCES);
        assert_file(s->file, "a = 1 # c\n");
        assert_names(s->dir, 1);
    }
}

static int refuse(void *data, struct bytes text, struct error *err)
{
    assert_true(bytes_is(text, "a = 2\n") || bytes_is(text, "b = 2\n"));
    ++*(unsigned *)data;
    return error_set(err, -EINVAL, "no");
}

static void test_check(void **state)
{
    const struct scratch *s = *state;
    struct error err = {0};
    unsigned asked = 0;
    char elsewhere[128];
    struct bytes a = BYTES("a"), b = BYTES("b");
    struct edit_request q = {.file = s->file, .mode = 0600, .n_parts = 1, .value = BYTES("2")};
    q.check = refuse;
    q.data = &asked;
    q.parts = &a;
    write_file(s->file, "a = 1\n", 0600);
    assert_int_equal(edit_file(&q, NULL, &err), -EINVAL);
    assert_string_equal(err.message, "no");
    assert_int_equal(asked, 1);
    assert_file(s->file, "a = 1\n");
    assert_names(s->dir, 1);
    /* Nor is a directory made for what is refused. */
    (void)snprintf(elsewhere, sizeof(elsewhere), "%s/new/c.toml", s->dir);
    q.file = elsewhere;
    q.parts = &b;
    assert_int_equal(edit_file(&q, NULL, &err), -EINVAL);
    assert_names(s->dir, 1);
}

static void test_removal(void **state)
{
    const struct scratch *s = *state;
    struct error err;
    bool changed = false;
    assert_int_equal(set(s->file, "a", NULL, &changed, &err), -ENOENT);
    assert_names(s->dir, 0);
    write_file(s->file, "a = 1\nb = 2\n", 0600);
    assert_int_equal(set(s->file, "a", NULL, &changed, &err), 0);
    assert_true(changed);
    assert_file(s->file, "b = 2\n");
    assert_int_equal(set(s->file, "a", NULL, &changed, &err), -ENOENT);
}

static void test_symlink(void **state)
{
    const struct scratch *s = *state;
    struct error err;
    struct stat st;
    bool changed;
    char other[128], real[160];
    (void)snprintf(other, sizeof(other), "%s/dotfiles", s->root);
    (void)snprintf(real, sizeof(real), "%s/bawn.toml", other);
    assert_return_code(mkdir(other, 0700), errno);
    assert_return_code(symlink("../dotfiles/bawn.toml", s->file), errno);
    /* It leads nowhere yet: making it up is not ours. */
    assert_int_equal(set(s->file, "a", "1", &changed, &err), -ENOENT);
    assert_non_null(strstr(err.message, "symlink"));
    assert_names(s->dir, 1);
    assert_names(other, 0);
    write_file(real, "a = 1\n", 0640);
    assert_int_equal(set(s->file, "a", "2", &changed, &err), 0);
    assert_file(real, "a = 2\n");
    assert_return_code(lstat(s->file, &st), errno);
    assert_true(S_ISLNK(st.st_mode));
    assert_names(s->dir, 1);
    assert_names(other, 2);
}

/* A crash's leftover goes with the next edit, whatever that says, and is never read. */
static void test_leftover(void **state)
{
    const struct scratch *s = *state;
    struct error err;
    bool changed;
    char left[128], victim[128];
    (void)snprintf(left, sizeof(left), "%s.tmp", s->file);
    (void)snprintf(victim, sizeof(victim), "%s/victim", s->root);
    write_file(s->file, "a = 1\n", 0600);
    write_file(left, "half of a te", 0600);
    assert_int_equal(set(s->file, "a", "1", &changed, &err), 0);
    assert_false(changed);
    assert_names(s->dir, 2);
    write_file(left, "half of a te", 0600);
    assert_int_equal(set(s->file, "a", "2", &changed, &err), 0);
    assert_file(s->file, "a = 2\n");
    assert_names(s->dir, 2);
    /* Not written through, whatever it leads to. */
    write_file(victim, "victim\n", 0600);
    assert_return_code(symlink(victim, left), errno);
    assert_int_equal(set(s->file, "a", "3", &changed, &err), 0);
    assert_file(victim, "victim\n");
    assert_file(s->file, "a = 3\n");
    assert_names(s->dir, 2);
    /* In the way for good. */
    assert_return_code(mkdir(left, 0700), errno);
    assert_true(set(s->file, "a", "4", &changed, &err) < 0);
    assert_non_null(strstr(err.message, "in the way"));
    assert_file(s->file, "a = 3\n");
}

static void test_lock_is_no_symlink(void **state)
{
    const struct scratch *s = *state;
    struct error err;
    bool changed;
    char lock[128], victim[128];
    (void)snprintf(lock, sizeof(lock), "%s.lock", s->file);
    (void)snprintf(victim, sizeof(victim), "%s/victim", s->root);
    write_file(s->file, "a = 1\n", 0600);
    assert_return_code(symlink(victim, lock), errno);
    assert_int_equal(set(s->file, "a", "2", &changed, &err), -ELOOP);
    assert_non_null(strstr(err.message, "is a symlink"));
    assert_int_equal(access(victim, F_OK), -1);
    assert_return_code(unlink(lock), errno);
    assert_return_code(mkfifo(lock, 0600), errno);
    assert_int_equal(set(s->file, "a", "2", &changed, &err), -EINVAL);
    assert_file(s->file, "a = 1\n");
}

static void test_not_a_file(void **state)
{
    const struct scratch *s = *state;
    struct error err;
    bool changed;
    assert_return_code(mkfifo(s->file, 0600), errno);
    assert_int_equal(set(s->file, "a", "2", &changed, &err), -EINVAL);
    assert_return_code(unlink(s->file), errno);
    assert_return_code(mkdir(s->file, 0700), errno);
    assert_int_equal(set(s->file, "a", "2", &changed, &err), -EINVAL);
    assert_names(s->dir, 1);
}

/* Root is handed another's directory, as with sudo and the person's HOME. */
static void test_not_our_directory(void **state)
{
    const struct scratch *s = *state;
    struct error err;
    bool changed;
    if (geteuid() != 0)
        skip();
    write_file(s->file, "a = 1\n", 0600);
    assert_return_code(chown(s->dir, 1234, (gid_t)-1), errno);
    assert_int_equal(set(s->file, "a", "1", &changed, &err), 0);
    assert_int_equal(set(s->file, "a", "2", &changed, &err), -EPERM);
    assert_non_null(strstr(err.message, "belongs to user 1234"));
    assert_file(s->file, "a = 1\n");
    assert_names(s->dir, 1);
}

/* Somebody without our lock, such as an editor, saves between our reading and our rename: both
 * changes are there afterwards. The check is called in between, once before the lock. */
struct editor {
    const char *file;
    unsigned calls;
    bool always;
};

static int save_meanwhile(void *data, struct bytes text, struct error *err)
{
    struct editor *e = data;
    (void)text;
    (void)err;
    if (++e->calls == 2 || (e->always && e->calls > 1)) {
        char new[128], line[64];
        (void)snprintf(new, sizeof(new), "%s.editor", e->file);
        (void)snprintf(line, sizeof(line), "b = %u\na = 1\n", e->calls);
        write_file(new, line, 0600);
        assert_return_code(rename(new, e->file), errno);
    }
    return 0;
}

static void test_editor_saves_meanwhile(void **state)
{
    const struct scratch *s = *state;
    struct error err = {0};
    struct bytes a = BYTES("a");
    struct editor editor = {.file = s->file};
    struct edit_request q = {.file = s->file,
                             .mode = 0600,
                             .parts = &a,
                             .n_parts = 1,
                             .value = BYTES("2"),
                             .check = save_meanwhile,
                             .data = &editor};
    write_file(s->file, "a = 1\n", 0600);
    assert_int_equal(edit_file(&q, NULL, &err), 0);
    assert_int_equal(editor.calls, 3);
    assert_file(s->file, "b = 2\na = 2\n");
    assert_names(s->dir, 2);
    editor.always = true;
    q.value = BYTES("3");
    assert_int_equal(edit_file(&q, NULL, &err), -EBUSY);
    assert_names(s->dir, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_out),
        cmocka_unit_test(test_too_deep),
        cmocka_unit_test(test_put_string),
        cmocka_unit_test_setup_teardown(test_file_is_made, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_file_keeps_its_mode, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_file_that_says_so, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_check, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_removal, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_symlink, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_leftover, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_lock_is_no_symlink, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_not_a_file, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_not_our_directory, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_editor_saves_meanwhile, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
