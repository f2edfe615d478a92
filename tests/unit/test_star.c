/*
 * The language of rules files: text in, what print() said or the error out. The public conformance
 * files are tests/starlark's business.
 */
#include "base/limits.h"
#include "rules/star.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static int give(struct star_call *call, struct error *err)
{
    struct strbuf *out = call->data;
    if (call->n_args == 1 && star_type(call->args[0]) == STAR_INT) {
        int64_t v = 0;
        (void)star_int(call->args[0], &v);
        if (v < 0)
            return star_fail(call, NULL, 0, err, "give: %lld is less than nothing", (long long)v);
    }
    strbuf_printf(out, "[%s", call->function);
    for (size_t i = 0; i < call->n_args; i++)
        strbuf_printf(out, " %s", star_type_word(call->args[i]));
    for (size_t i = 0; i < call->n_named; i++)
        strbuf_printf(out, " %s:%s", call->names[i], star_type_word(call->named[i]));
    strbuf_printf(out, " @%u]\n", call->line);
    return 0;
}

static int opaque(struct star_call *call, struct error *err)
{
    static const char kind[] = "thing";
    static const int p = 1;
    (void)err;
    call->result = star_opaque(call->star, kind, &p);
    return call->result ? 0 : -ENOMEM;
}

static void print_line(void *data, struct bytes line)
{
    strbuf_put(data, line.p, line.n);
    strbuf_putc(data, '\n');
}

static int run(const char *text, size_t n, struct strbuf *out, struct error *err)
{
    static const struct star_function functions[] = {{"give", give}, {"opaque", opaque}};
    const struct star_request request = {.file = "f",
                                         .text = {text, n},
                                         .functions = functions,
                                         .n_functions = ARRAY_LEN(functions),
                                         .data = out,
                                         .print = print_line};
    return star_run(&request, err);
}

/* Every value that is given, in full. */
static void show_value(struct strbuf *out, const struct star_value *v)
{
    int64_t i = 0;
    strbuf_printf(out, " %s", star_type_word(v));
    if (star_type(v) == STAR_STRING)
        strbuf_printf(out, "'%.*s'", (int)star_text(v).n, star_text(v).p);
    else if (star_type(v) == STAR_BOOL)
        strbuf_printf(out, "%d", star_bool(v));
    else if (star_type(v) == STAR_INT && star_int(v, &i))
        strbuf_printf(out, "%lld", (long long)i);
    if (star_type(v) != STAR_LIST && star_type(v) != STAR_TUPLE)
        return;
    strbuf_puts(out, "(");
    for (size_t k = 0; k < star_length(v); k++)
        show_value(out, star_item(v, k));
    strbuf_puts(out, ")");
}

static int dump(struct star_call *call, struct error *err)
{
    struct strbuf *out = call->data;
    strbuf_printf(out, "%s@%u:%u", call->function, call->line, call->column);
    for (size_t i = 0; i < call->n_args; i++)
        show_value(out, call->args[i]);
    for (size_t i = 0; i < call->n_named; i++) {
        strbuf_printf(out, " %s=", call->names[i]);
        show_value(out, call->named[i]);
        if (str_eq(call->names[i], "bad"))
            return star_fail(call, "bad", 0, err, "bad is given");
        if (str_eq(call->names[i], "worse"))
            return error_set(err, -EINVAL, "worse is given");
    }
    strbuf_putc(out, '\n');
    return 0;
}

static int run_either(const char *text, bool by_tree, struct strbuf *out, struct error *err)
{
    static const struct star_function functions[] = {{"f", dump}, {"rule", dump}};
    const struct star_request request = {.file = "f",
                                         .text = bytes_of(text),
                                         .functions = functions,
                                         .n_functions = ARRAY_LEN(functions),
                                         .data = out,
                                         .by_tree = by_tree,
                                         .print = print_line};
    return star_run(&request, err);
}

/* The short cut for simple statements means what the parser would make of them. */
static void test_short_cut(void **unused)
{
    (void)unused;
    static const char *const texts[] = {
        "f()\n",
        "f('a', \"b\")\nf(1)\n\n# c\nf(a = 1)\n",
        "f(a = ['x', ['y', 'z']], b=\"q\", c = True, d = None, e = False)\n",
        "f(a = [], b = [[]], c = ['a',], )\n",
        "f(\n  a = 1, # one\n\tb = 2\n)\nf(3)\n",
        "f(1, 'it\"s', \"it's\", '')\n",
        "f('')\nf('''long\nstring''')\nf(\"\"\"x\"\"\")\n",
        "f('a' 'b')\n",
        "f('a\\n', r'\\', b'x')\n",
        "f('%s' % 1, 'x'.upper())\n",
        "f('open\n')\n",
        "f(0, 00)\n",
        "f(0x10, 1_0)\n",
        "f(-1)\nf(1.5)\nf(1e3)\nf(1 + 2)\n",
        "f(999999999999999999)\nf(9999999999999999999)\n",
        "f(9223372036854775807)\n",
        "f(1,, 2)\n",
        "f([1,, 2])\n",
        "f([,])\n",
        "f(,)\n",
        "f([1)]\n",
        "f([1, 2)\n",
        "f(1\n",
        "f(1",
        "f(1)",
        "f(1) # c\nf(2) \nf(3);f(4)\nf(5);\n",
        "f (1)\n",
        "f(a = 1, a = 2)\n",
        "f(a = 1, 2)\n",
        "f(a == 1)\n",
        "f(0a = 1)\n",
        "f(a = 1,0b = 2)\n",
        "f(if = 1)\n",
        "f(while = 1)\n",
        "f(a = x)\n",
        "f(x)\nx = 1\n",
        "x = [1]\nf(x)\nf(a = 1)\n",
        "True = 1\nf(True)\n",
        "f(True)\nTrue = 1\nf(True)\n",
        "f = 3\nf(1)\n",
        "def f(a): print(a)\nf(1)\n",
        "f(1)\ndef f(a): print(a)\nf(1)\n",
        "g(1)\n",
        "f(a = 1, bad = 2)\n",
        "f(1)\n\nf(a = 1,\n  bad = 2)\n",
        "rule(worse = 1)\n",
        "f(1)\n  f(2)\n",
        "  f(1)\n",
        "if True:\n  f(1)\nf(2)\n",
        "f(1)\r\nf(2)\r\n",
        "f(a\\\n=1)\n",
        "f(*[1, 2], **{'a': 3})\n",
        "f((1, 2), {'a': 1}, f(3))\n",
        "f([[[[[1]]]]])\n",
        "f([[[[[[1]]]]]])\n",
        "[f(x) for x in ['a', 'b']]\n",
        "f(\xc3\xa4 = 1)\n",
        "f('\xc3\xa4')\n# \xc3\xa4\n",
        "f(1)\n#",
        "#",
        "\n\n",
        "f\n",
        "f.x()\n",
        "f(1)(2)\n",
        "f(1)[0]\n",
        "f(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18)\n",
        "f([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, "
        "25, 26, 27, 28, 29, 30, 31, 32], [33])\n",
        "f([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, "
        "25, 26, 27, 28, 29, 30, 31, 32, 33])\n",
        "f([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, "
        "25, 26, 27, 28, 29, 30], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, "
        "19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30], ['a', 'b', 'c'])\n",
        "f(aa = 1)\nf(ab = 1)\nf(a = 1)\nrule(a = 1)\nf(b = 1, a = 2)\nf(a = 1, b = 2)\n",
    };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct strbuf quick = {0}, tree = {0};
        struct error of_quick = {0}, of_tree = {0};
        int r = run_either(texts[i], false, &quick, &of_quick);
        int expected = run_either(texts[i], true, &tree, &of_tree);
        if (r != expected || !str_eq(strbuf_text(&quick), strbuf_text(&tree)) ||
            !str_eq(of_quick.message, of_tree.message) || of_quick.line != of_tree.line ||
            of_quick.column != of_tree.column || of_quick.length != of_tree.length ||
            !str_eq(of_quick.excerpt, of_tree.excerpt))
            fail_msg("%s=> %d %u:%u %s\n%s\n=> %d %u:%u %s\n%s", texts[i], r, of_quick.line,
                     of_quick.column, of_quick.message, strbuf_text(&quick), expected, of_tree.line,
                     of_tree.column, of_tree.message, strbuf_text(&tree));
        strbuf_release(&quick);
        strbuf_release(&tree);
    }
}

static void test_values(void **unused)
{
    (void)unused;
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"", ""},
        {"# only a comment", ""},
        {"print(1)", "1\n"},
        {"print(1); print(2)\n", "1\n2\n"},
        {"print(\"a\", 'b', r'\\c', b'd', '''e\nf''')", "a b \\c d e\nf\n"},
        {"print(repr(\"a\\\"\\n\\t\\x41\\u00e4\"))", "\"a\\\"\\n\\tA\xc3\xa4\"\n"},
        {"print(0x10, 0o17, 0b11, 1.5, 1e3, .5, -3)", "16 15 3 1.5 1000.0 0.5 -3\n"},
        {"print(7 // 2, -7 // 2, 7 % 3, -7 % 3, 7 / 2, 2 * 3, 1 << 4, -8 >> 1, ~5, 6 & 3, 6 | 3, 6 "
         "^ 3)",
         "3 -4 1 2 3.5 6 16 -4 -6 2 7 5\n"},
        {"print(1 < 2, 2 <= 1, 'a' < 'b', [1, 2] < [1, 3], 1 == 1.0, 1 != 2)",
         "True False True True True True\n"},
        {"print(None, True, False, not 1, 1 and 2, 0 or 3, 1 if 0 else 2)",
         "None True False False 2 3 2\n"},
        {"print(not 1 == 2, 1 in [1], 3 not in (1, 2), 'b' in 'abc', 'k' in {'k': 1})",
         "True True True True True\n"},
        {"print([1, 'a', (1,), {}, {'a': [1]}], (), (1, 2))",
         "[1, \"a\", (1,), {}, {\"a\": [1]}] () (1, 2)\n"},
        {"x = [1, 2]\nx.append(3)\nx += [4]\nx[0] = 9\nprint(x, x[-1], x[1:3], x[::-1], x[:1])",
         "[9, 2, 3, 4] 4 [2, 3] [4, 3, 2, 9] [9]\n"},
        {"print('hello'[1], 'hello'[1:-1], 'hello'[::2], 'abc' * 2, [0] * 3, 'a' + 'b', [1] + [2])",
         "e ell hlo abcabc [0, 0, 0] ab [1, 2]\n"},
        {"d = {'a': 1}\nd['b'] = 2\nprint(d, d['a'], d.get('c'), d.get('c', 3), d.keys(), "
         "d.values(), d.items(), len(d))",
         "{\"a\": 1, \"b\": 2} 1 None 3 [\"a\", \"b\"] [1, 2] [(\"a\", 1), (\"b\", 2)] 2\n"},
        {"print([i * i for i in range(5) if i % 2], {k: v for k, v in [('a', 1)]}, [x + y for x in "
         "'a'.elems() for y in ['b', 'c']])",
         "[1, 9] {\"a\": 1} [\"ab\", \"ac\"]\n"},
        {"a, (b, c) = 1, [2, 3]\n[d, e] = 'xy'.elems()\nprint(a, b, c, d, e)", "1 2 3 x y\n"},
        {"for i in range(5):\n  if i == 1:\n    continue\n  elif i == 3:\n    break\n  else:\n    "
         "pass\n  print(i)",
         "0\n2\n"},
        {"def f(a, b = 2, *args, c = 3, **kw):\n  return (a, b, args, c, kw)\nprint(f(1), f(1, 5, "
         "6, 7, c = 8, d = 9), f(b = 1, a = 0), f(*[1, 2], **{'e': 4}))",
         "(1, 2, (), 3, {}) (1, 5, (6, 7), 8, {\"d\": 9}) (0, 1, (), 3, {}) (1, 2, (), 3, {\"e\": "
         "4})\n"},
        {"def make(n):\n  def add(x):\n    return x + n\n  return add\nf = make(3)\nprint(f(4), "
         "(lambda x, y = 2: x * y)(5))",
         "7 10\n"},
        {"def f(x: int, y: str = 'a') -> str:\n  return y + str(x)\nz: str = f(1)\nprint(z)",
         "a1\n"},
        {"print('%s %d %r %% %x' % ('a', 3, 'q', 255), '%s' % 1, '%(k)s' % {'k': 2})",
         "a 3 \"q\" % ff 1 2\n"},
        {"x = 3\nprint('{} {} {a!r}'.format(1, 'b', a = 'c'), '{1}{0}'.format('x', 'y'), f'{x} {x "
         "+ 1} {\"q\"!r} {{}}')",
         "1 b \"c\" yx 3 4 \"q\" {}\n"},
        {"print('a,b,c'.split(','), ' a  b '.split(), 'a,b,c'.rsplit(',', 1), "
         "'a\\nb'.splitlines(), '-'.join(['x', 'y']))",
         "[\"a\", \"b\", \"c\"] [\"a\", \"b\"] [\"a,b\", \"c\"] [\"a\", \"b\"] x-y\n"},
        {"print(' x '.strip(), 'xxa'.lstrip('x'), 'abc'.upper(), 'ABC'.lower(), 'a b'.title(), "
         "'abc'.find('c'), 'abc'.replace('b', 'x'), 'abc'.startswith('ab'), 'abc'.endswith(('x', "
         "'c')))",
         "x a ABC abc A B 2 axc True True\n"},
        {"print('k=v=w'.partition('='), 'k=v=w'.rpartition('='), 'aXa'.count('a'), "
         "'abc'.removeprefix('a'), '12'.isdigit())",
         "(\"k\", \"=\", \"v=w\") (\"k=v\", \"=\", \"w\") 2 bc True\n"},
        {"print(len('abc'), sorted([3, 1, 2]), sorted(['b', 'A'], key = lambda s: s.lower(), "
         "reverse = True), reversed([1, 2]), min(3, 1), max([1, 5]))",
         "3 [1, 2, 3] [\"b\", \"A\"] [2, 1] 1 5\n"},
        {"print(list(zip([1, 2], 'ab'.elems())), list(enumerate(['x'], 1)), any([0, 1]), all([]), "
         "bool(''), int('12'), int('ff', 16), float('1.5'), str(1), type([]), tuple([1]))",
         "[(1, \"a\"), (2, \"b\")] [(1, \"x\")] True True False 12 255 1.5 1 list (1,)\n"},
        {"x = [1, 2, 3]\nx.insert(1, 9)\nprint(x.pop(), x.index(9), "
         "x)\nx.remove(9)\nx.extend([7])\nprint(x)",
         "3 1 [1, 9, 2]\n[1, 2, 7]\n"},
        {"d = dict(a = 1)\nd.update(b = 2)\nprint(d.pop('a'), d.setdefault('c', 3), d)",
         "1 3 {\"b\": 2, \"c\": 3}\n"},
        {"give(1, [2], k = 'v')\n\ngive()\n", "[give int list k:string @1]\n[give @3]\n"},
        {"x = give\nx(2)\n", "[give int @2]\n"},
        {"print(type(opaque()))", "thing\n"},
        {"if True:\n\tprint(1)\nelse:\n\tprint(2)\n", "1\n"},
        {"x = [\n  1,\n  2,  # two\n]\nprint(x)", "[1, 2]\n"},
        {"print(1\r\n)\r\nprint(2)\r\n", "1\n2\n"},
        {"x = 1 + \\\n  2\nprint(x)", "3\n"},
        {"print(range(3), list(range(5, 0, -2)), 4 in range(0, 10, 2))",
         "range(0, 3) [5, 3, 1] True\n"},
        {"x = [1]\nfor i in list(x):\n  x.append(i)\nprint(x)", "[1, 1]\n"},
        {"print(getattr('a', 'upper')(), hasattr('a', 'nope'), hash('a') == hash('a'))",
         "A False True\n"},
        {"print({1: 'a', (1, 2): 'b'}[(1, 2)], set([1, 1, 2]))", "b set([1, 2])\n"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct strbuf out = {0};
        struct error err = {0};
        int r = run(cases[i].text, strlen(cases[i].text), &out, &err);
        if (r < 0 || strcmp(strbuf_text(&out), cases[i].want) != 0) {
            fail_msg("%s\n=> %d %u:%u %s\n%s", cases[i].text, r, err.line, err.column, err.message,
                     strbuf_text(&out));
        }
        strbuf_release(&out);
    }
}

static void test_errors(void **unused)
{
    (void)unused;
    static const struct {
        const char *text;
        unsigned line, column;
        const char *part;
    } cases[] = {
        {"x = ", 1, 5, "expected an expression"},
        {"x = 1 +\n", 1, 8, "expected an expression"},
        {"print(1", 1, 8, "expected )"},
        {"\n\n  x = 1", 3, 3, "indentation"},
        {"if True:\nprint(1)", 2, 1, "indented block"},
        {"if True:\n    x = 1\n  y = 2\n", 3, 1, "indentation"},
        {"'abc", 1, 1, "does not end"},
        {"'\\q'", 1, 2, "escape"},
        {"x = 0777", 1, 5, "octal"},
        {"x = 99999999999999999999", 1, 5, "64 bits"},
        {"print(9223372036854775807 + 1)", 1, 27, "64 bits"},
        {"print(y)", 1, 7, "not defined"},
        {"1 / 0", 1, 3, "zero"},
        {"[1][2]", 1, 4, "out of range"},
        {"{'a': 1}['b']", 1, 9, "no key"},
        {"'a' + 1", 1, 5, "means nothing"},
        {"1 < 'a'", 1, 3, "compared"},
        {"1 < 2 < 3", 1, 7, "chained"},
        {"while True:\n  pass", 1, 1, "not part of the language"},
        {"import os", 1, 1, "not part of the language"},
        {"load('a', 'b')", 1, 1, "load is not available"},
        {"return 1", 1, 1, "outside a function"},
        {"break", 1, 1, "outside a loop"},
        {"def f(a, a):\n  pass", 1, 10, "second a"},
        {"def f(a):\n  return a\nf()", 3, 1, "missing"},
        {"def f():\n  return 1\nf(1)", 3, 1, "takes 0"},
        {"f = lambda a: a\nf(b = 1)", 2, 1, "missing"},
        {"give(-1)", 1, 1, "less than nothing"},
        {"1()", 1, 1, "called"},
        {"'a'.nope()", 1, 5, "has no nope"},
        {"x = [1]\nfor i in x:\n  x.append(i)", 3, 5, "iterated"},
        {"d = {}\nd[[1]] = 2", 2, 2, "cannot be a key"},
        {"1 = 2", 1, 1, "assigned"},
        {"a, b = 1, 2, 3", 1, 1, "3 values for 2"},
        {"def f():\n  return f()\nf()", 2, 10, "too deep"},
        {"def f():\n  x = y\n  y = 1\nf()", 2, 7, "before it is assigned"},
        {"fail('no')", 1, 1, "fail: no"},
        {"{'a': 1, 'a': 2}", 1, 10, "twice"},
        {"f(a = 1, a = 2)", 1, 10, "twice"},
        {"x = $", 1, 5, "means nothing"},
        {"'%d' % 'a'", 1, 6, "number"},
        {"'{}'.format()", 1, 6, "nothing for"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct strbuf out = {0};
        struct error err = {0};
        int r = run(cases[i].text, strlen(cases[i].text), &out, &err);
        if (r != -EINVAL || err.line != cases[i].line || err.column != cases[i].column ||
            !strstr(err.message, cases[i].part))
            fail_msg("%s\n=> %d %u:%u %s", cases[i].text, r, err.line, err.column, err.message);
        strbuf_release(&out);
    }
}

/* What a hostile file tries: an error, in bounded time and memory. */
static void test_limits(void **unused)
{
    (void)unused;
    static const char *const cases[] = {
        "x = 'a' * 1000000000000",
        "x = [0] * 1000000000000",
        "for i in range(1000000000000): pass",
        "x = list(range(1000000000000))",
        "x = 'a'\nfor i in range(100): x += x",
        "x = [1]\nfor i in range(100): x = x + x",
        "def f(n):\n  return f(n + 1)\nf(0)",
        "x = []\nfor i in range(100000): x = [x]\nprint(x)",
        ("x = []\nfor i in range(100000): x = [x]\n"
         "y = []\nfor i in range(100000): y = [y]\nprint(x == y)"),
        "x = []\nx.append(x)\nprint(x)",
        "def f():\n  for i in range(10000000):\n    for j in range(10000000):\n      pass\nf()",
        "x = ['a' * 1000000 for i in range(1000000)]",
        "x = 'ab'.join(['c' * 1000000 for i in range(60)])\ny = x.replace('c', x)",
        "d = {}\nfor i in range(10000000): d[i] = i",
        "x = 'a' * 4000000\ny = 'b' + 'a' * 2000000\nfor i in range(100): x.rfind(y)",
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct strbuf out = {0};
        struct error err = {0};
        int r = run(cases[i], strlen(cases[i]), &out, &err);
        if (r != -E2BIG && r != -ENOMEM && r != -EINVAL)
            fail_msg("%s\n=> %d %s", cases[i], r, err.message);
        assert_true(err.line > 0);
        strbuf_release(&out);
    }
    static const char *const deep[] = {"(",        "[",  "{1:", "-",    "not ",
                                       "lambda: ", "f(", "x[",  "1 if "};
    for (size_t i = 0; i < ARRAY_LEN(deep); i++) {
        struct strbuf text = {0}, out = {0};
        struct error err = {0};
        strbuf_puts(&text, "x = ");
        for (int k = 0; k < 100000; k++)
            strbuf_puts(&text, deep[i]);
        assert_int_equal(run(text.p, text.n, &out, &err), -EINVAL);
        strbuf_release(&text);
        strbuf_release(&out);
    }
    struct strbuf out = {0};
    struct error err = {0};
    assert_int_equal(run("x = '\xff'", 7, &out, &err), -EINVAL);
    assert_int_equal(err.column, 6);
    assert_int_equal(run("x = 1\0y", 7, &out, &err), -EINVAL);
    strbuf_release(&out);
}

/* A long file leaves nothing behind that grows with it, and says the right line. */
static void test_long(void **unused)
{
    (void)unused;
    struct strbuf text = {0}, out = {0};
    struct error err = {0};
    for (int i = 0; i < 20000; i++)
        strbuf_printf(&text,
                      "give([\"word%d\", [\"a\", \"b\\n\"]], k = 'some text that is long')\n", i);
    strbuf_puts(&text, "oops\n");
    static const struct star_function functions[] = {{"give", give}};
    const struct star_request request = {.file = "f",
                                         .text = {text.p, text.n},
                                         .functions = functions,
                                         .n_functions = 1,
                                         .data = &out,
                                         .max_bytes = 256 * 1024};
    assert_int_equal(star_run(&request, &err), -EINVAL);
    assert_int_equal(err.line, 20001);
    assert_non_null(strstr(strbuf_text(&out), "@20000]"));
    strbuf_release(&text);
    strbuf_release(&out);
}

/* Memory that runs out anywhere is an error, and nothing leaks (sanitizers see to that). */
static void test_no_memory(void **unused)
{
    (void)unused;
    static const char text[] = "def f(a, *b, **c):\n  return [x for x in a]\n"
                               "d = {'a': f([1, 2, 3]), 'b': f'{1}'}\n"
                               "for k, v in d.items():\n  print('%s' % k, sorted([str(v), 'z']))\n"
                               "give(1, k = [2, opaque()])\n";
    bool done = false;
    for (unsigned long n = 1; !done && n < 5000; n++) {
        struct strbuf out = {0};
        struct error err = {0};
        mem_fail_at(n);
        int r = run(text, sizeof(text) - 1, &out, &err);
        mem_fail_at(0);
        done = r == 0 && !strbuf_failed(&out);
        assert_true(r == 0 || r == -ENOMEM);
        strbuf_release(&out);
    }
    assert_true(done);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_short_cut), cmocka_unit_test(test_values),
        cmocka_unit_test(test_errors),    cmocka_unit_test(test_limits),
        cmocka_unit_test(test_long),      cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
