/* The shell reader: tables of texts. Those of spellings.txt are proved against real shells by
 * tests/shell/real. */
#include "base/fd.h"
#include "base/limits.h"
#include "base/mem.h"
#include "rules/command.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

static const char *spellings_file;

static struct command_list read_shell(struct arena *a, const char *text)
{
    struct command_list list;
    struct error err;
    assert_int_equal(shell_read(a, bytes_of(text), &list, &err), 0);
    return list;
}

static struct command_list read_argv(struct arena *a, const char *const *argv)
{
    struct command_list list;
    struct error err;
    size_t n = 0;
    while (argv[n])
        n++;
    assert_int_equal(command_read(a, argv, n, &list, &err), 0);
    return list;
}

/* A command as text: words with a blank between, unknown ones in braces. */
static const char *shown(struct arena *a, const struct command *c)
{
    const char *text = "";
    for (size_t i = 0; i < c->n; i++)
        text = arena_printf(a, c->words[i].known ? "%s%s%s" : "%s%s{%s}", text, i ? " " : "",
                            c->words[i].text);
    return text;
}

/* All of them, with "; " between; what stands behind something with its name: "[sudo] git". */
static const char *shown_list(struct arena *a, const struct command_list *list)
{
    const char *text = "";
    for (size_t i = 0; i < list->n; i++) {
        const char *via = list->v[i].via;
        text = arena_printf(a, via ? "%s%s[%s] %s" : "%s%s%s%s", text, i ? "; " : "",
                            via ? via : "", shown(a, &list->v[i]));
    }
    return text;
}

/* ---- spellings.txt ---- */

static const char *base(const char *name)
{
    const char *slash = strrchr(name, '/');
    return slash ? slash + 1 : name;
}

static bool is_it(const struct command *c, bool unknown, bool word)
{
    if (!c->words[0].known && unknown)
        return true;
    const char *name = base(c->words[0].text);
    const char *wanted = str_eq(name, "git") ? "push" : str_eq(name, "rm") ? "-rf" : NULL;
    return wanted && c->n > 1 && (c->words[1].known ? str_eq(c->words[1].text, wanted) : word);
}

static bool has_it(const struct command_list *list, bool unknown, bool word)
{
    for (size_t i = 0; i < list->n; i++)
        if (is_it(&list->v[i], unknown, word))
            return true;
    return false;
}

struct spelling {
    bool runs, unknown, word;
    char *text;
};

/* The next of *P, cut out of it; false at the end. *RUNS is kept from one to the next. */
static bool next_spelling(char **p, bool *runs, struct spelling *ret)
{
    for (char *line = *p; *line;) {
        char *end = line + strcspn(line, "\n");
        char *next = end + (*end != '\0');
        if (line[0] == '[') {
            *runs = str_starts(line, "[runs]");
        } else if (line[0] == '@') {
            char *stop = strstr(end, "\n@"), *section = strstr(end, "\n\n[");
            if (section && (!stop || section < stop))
                stop = section;
            *p = stop ? stop + 1 : next + strlen(next);
            if (stop)
                *stop = '\0';
            else if ((*p)[-1] == '\n')
                (*p)[-1] = '\0';
            *end = '\0';
            *ret = (struct spelling){*runs, strstr(line, "unknown"), strstr(line, "word"), next};
            return true;
        }
        line = next;
    }
    return false;
}

static void test_spellings(void **state)
{
    (void)state;
    _cleanup_fd_ int fd = open(spellings_file, O_RDONLY | O_CLOEXEC);
    _cleanup_strbuf_ struct strbuf file = {0};
    unsigned wrong = 0, runs = 0, mentions = 0;
    bool in_runs = false;
    struct spelling s;
    assert_true(fd >= 0);
    assert_int_equal(fd_read_all(fd, MAX_FILE_BYTES, &file), 0);
    for (char *p = file.p; next_spelling(&p, &in_runs, &s);) {
        _cleanup_arena_ struct arena a = {0};
        struct command_list list = read_shell(&a, s.text);
        runs += s.runs;
        mentions += !s.runs;
        if (has_it(&list, s.unknown, s.word) == s.runs)
            continue;
        wrong++;
        print_message("%s\n  -> %s\n", s.text, shown_list(&a, &list));
    }
    assert_int_equal(wrong, 0);
    assert_true(runs >= 110);
    assert_true(mentions >= 75);
}

/* ---- what is plain ---- */

static void expect_reading(enum reading wanted, const char *const *texts)
{
    static const char *const words[] = {"plain", "deep", "opaque"};
    unsigned wrong = 0;
    for (; *texts; texts++) {
        _cleanup_arena_ struct arena a = {0};
        struct command_list list = read_shell(&a, *texts);
        if (list.reading != wanted) {
            print_message("%s: %s instead of %s (%s)\n", *texts, words[list.reading], words[wanted],
                          list.reason ? list.reason : "-");
            wrong++;
        }
        assert_int_equal(list.reason == NULL, list.reading == READING_PLAIN);
        for (size_t i = 0; i < list.n; i++)
            assert_true(!list.v[i].plain || list.reading == READING_PLAIN);
    }
    assert_int_equal(wrong, 0);
}

static void test_plain(void **state)
{
    static const char *const texts[] = {"",
                                        "  ",
                                        "# only a comment",
                                        "\n\n",
                                        "git status",
                                        "git status;",
                                        "git status\n",
                                        "a && b || c; d | e\nf",
                                        "a &&\n\n b",
                                        "a |\nb",
                                        "echo 'a b' \"c d\" e\\ f",
                                        "echo \"a \\\" \\$ \\` \\\\ \\x\"",
                                        "echo a#b '#' # comment",
                                        "a\\\nb c\\\n d",
                                        "[ a = b ]",
                                        "echo HEAD@{1} {} stash@{0}",
                                        "echo -n --x=y a=b",
                                        "echo '*' \"?\" \\* '$x' '`'",
                                        "grep 'x$' y",
                                        "grep \"x$\" y",
                                        "echo \xc3\xa4 \xff \xc2\xa0",
                                        "echo a\rb",
                                        "echo \"a\nb\"",
                                        "echo ] a]",
                                        "env git push",
                                        "xargs rm",
                                        "sh -c 'a > b'",
                                        "find . -exec rm {} \\;",
                                        "echo ''",
                                        "git a!b",
                                        "echo then do done",
                                        "a;b|c",
                                        "echo $",
                                        NULL};
    (void)state;
    expect_reading(READING_PLAIN, texts);
}

static void test_deep(void **state)
{
    static const char *const texts[] = {"a > b",
                                        "a 2>&1",
                                        "a < b",
                                        "X=1 a",
                                        "X=1",
                                        "(a)",
                                        "{ a; }",
                                        "a &",
                                        "! a",
                                        "time a",
                                        "echo $x",
                                        "echo \"$x\"",
                                        "echo $(a)",
                                        "echo `a`",
                                        "echo *",
                                        "echo a?",
                                        "echo [ab]",
                                        "echo ~",
                                        "echo ~/x",
                                        "echo a=~/x",
                                        "echo {a,b}",
                                        "echo {1..3}",
                                        "if a; then b; fi",
                                        "for x in a; do b; done",
                                        "f() { a; }",
                                        "a <<E\nb\nE",
                                        "a <<< b",
                                        "echo $'a'",
                                        "echo $\"a\"",
                                        "[[ a ]]",
                                        "(( 1 ))",
                                        "coproc a",
                                        "cat <(a)",
                                        "eval a",
                                        "set -e",
                                        "export A=b",
                                        ". x",
                                        "source x",
                                        "trap a EXIT",
                                        "a |& b",
                                        "a &> b",
                                        "echo =git",
                                        "echo ''=git",
                                        "=git a",

                                        "echo \"a$'\"",
                                        "case a in b) ;; esac",
                                        "while a; do b; done",
                                        "hash -p x git",
                                        "%1",
                                        "echo }",
                                        "echo a}b",
                                        "echo @{1}}",
                                        "echo {",
                                        "echo {x}",
                                        "{x} a",
                                        "a\\\n",
                                        "echo \001",
                                        "echo \177",
                                        NULL};
    (void)state;
    expect_reading(READING_DEEP, texts);
}

static void test_opaque(void **state)
{
    static const char *const texts[] = {"echo 'a",
                                        "echo \"a",
                                        "echo `a",
                                        "echo $(a",
                                        "echo ${a",
                                        "echo $((1",
                                        "(a",
                                        "{ a;",
                                        "a )",
                                        "a ;; b",
                                        "if a; then b",
                                        "if a; b; fi",
                                        "then a",
                                        "fi",
                                        "a && ",
                                        "a |",
                                        "| a",
                                        "&& a",
                                        "; a",
                                        "for x in a; b",
                                        "for in",
                                        "case a in b",
                                        "case a in b) c",
                                        "f() {",
                                        "a >",
                                        "a > ;",
                                        "a <<",
                                        "[[ a",
                                        "[[ a b c ]]",
                                        "echo (a)",
                                        "a b()",
                                        "()",
                                        "{ }",
                                        "( )",
                                        "if ; then a; fi",
                                        "}",
                                        "esac",
                                        "while do a; done",
                                        "echo $(a; b",
                                        "echo \"$(echo 'a)\"",
                                        "a & & b",
                                        "a ;& b",
                                        "a &&& b",
                                        "sh -c 'it'\\''s'",
                                        "eval 'a )'",
                                        "function",
                                        "select",
                                        "echo ${x:-'a}",
                                        "a <<\"E\nb\nE",
                                        "cat <<$(a)\nx\n",
                                        "sh -c \"a 'b\"",
                                        "do",
                                        "done",
                                        "elif",
                                        "! (",
                                        "alias git=rm; git x",
                                        "echo $'\\'; git push #'",
                                        "echo @(a|b)",
                                        NULL};
    (void)state;
    expect_reading(READING_OPAQUE, texts);
}

static void test_nul(void **state)
{
    _cleanup_arena_ struct arena a = {0};
    struct command_list list;
    (void)state;
    assert_int_equal(shell_read(&a, (struct bytes){"git\0push", 8}, &list, NULL), 0);
    assert_int_equal(list.reading, READING_OPAQUE);
    assert_int_equal(shell_read(&a, (struct bytes){"", 0}, &list, NULL), 0);
    assert_int_equal(list.reading, READING_PLAIN);
    assert_int_equal(list.n, 0);
}

/* ---- lists ---- */

static void test_lists(void **state)
{
    static const struct {
        const char *text, *list;
    } rows[] = {
        {"git status && echo \"a  b\" | wc -l", "git status; echo a  b; wc -l"},
        {"a 'b'\\''c' \"d\\\"e\"", "a b'c d\"e"},
        {"echo $(a) `b` \"$(c)\"", "echo {$(a)} {`b`} {\"$(c)\"}; [$(…)] a; [`…`] b; [$(…)] c"},
        {"\"$HOME\"/bin/x y", "{\"$HOME\"/bin/x} y"},
        {"rm $X *.c '*'", "rm {$X} {*.c} *"},
        {"sudo -u x env A=b nice -n 3 rm -rf y",
         "sudo -u x env A=b nice -n 3 rm -rf y; [sudo] env A=b nice -n 3 rm -rf y; "
         "[env] nice -n 3 rm -rf y; [nice] rm -rf y"},
        {"bash -c 'a; b \"$1\"' x y", "bash -c a; b \"$1\" x y; [bash -c] a; [bash -c] b {\"$1\"}"},
        {"f() { a | b; }", "[function f] a; [function f] b"},
        {"ls | xargs -I{} rm {}", "ls; xargs -I{} rm {}; [xargs] rm {{}}"},
        {"ls | xargs rm", "ls; xargs rm; [xargs] rm {…}"},
        {"find . -exec a {} \\; -exec b \\;", "find . -exec a {} ; -exec b ;; [find -exec] a {{}}; "
                                              "[find -exec] b"},
        {"echo a b | sh", "echo a b; sh; [the input of sh] a b"},
        {"sh <<E\na $x\nE", "sh; [the input of sh] {a $x\nE}; [the input of sh] a {?}"},
        {"$X a", "{$X} a; a"},
        {"sh -c \"$X\"", "sh -c {\"$X\"}; [sh -c] {\"$X\"}; [sh -c] {?}"},
        {"env A=$X b", "env {A=$X} b; [env] b"},
        {"eval 'a b' c", "eval a b c; [eval] a b c"},
        {"trap 'a b' EXIT", "trap a b EXIT; [trap] a b"},
        {"((i++)); [[ a < b ]]", ""},
        {"((rm))", "[((…))] rm"},
        {"((X=1 rm y))", "[((…))] rm y"},
        {"((>x rm y))", "[((…))] rm y"},
        {"((c))|d", "[((…))] c; d"},
        {"for x in a b; do c; done", "c"},
        {"case a in b|c) d;; e) ;; esac", "d"},
        {"flock -n x -c 'a b'", "flock -n x -c a b; [flock -c] a b"},
        {"timeout -s KILL 3 a", "timeout -s KILL 3 a; [timeout] a"},
        {"git -c core.pager='a b' log", "git -c core.pager=a b log; [git -c] a b"},
        {"a 2>b <c >d e", "a e"},
        {"a >$(b) c", "a c; [$(…)] b"},
        {"a {x} y{ z}", "a {x} y{ z}"},
        {"env -S 'a | \"b c\"' d", "env -S a | \"b c\" d; [env] a | b c d"},
        {"env -S '-u x a'", "env -S -u x a; [env] a"},
        {"env -S 'a ${X} b'", "env -S a ${X} b; [env] a {a ${X} b} b"},
        {"", ""},
    };
    unsigned wrong = 0;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_arena_ struct arena a = {0};
        struct command_list list = read_shell(&a, rows[i].text);
        const char *got = shown_list(&a, &list);
        if (strcmp(got, rows[i].list) != 0) {
            print_message("%s\n  -> %s\n  != %s\n", rows[i].text, got, rows[i].list);
            wrong++;
        }
    }
    assert_int_equal(wrong, 0);
}

static void test_argv(void **state)
{
    static const struct {
        const char *argv[8];
        const char *list;
        enum reading reading;
    } rows[] = {
        {{"git", "push"}, "git push", READING_PLAIN},
        {{"git", "$X", "*"}, "git $X *", READING_PLAIN},
        {{"bash", "-lc", "a && b"}, "a; b", READING_PLAIN},
        {{"/bin/sh", "-c", "a 'b c'"}, "a b c", READING_PLAIN},
        {{"zsh", "-ec", "a"}, "a", READING_PLAIN},
        {{"bash", "-o", "pipefail", "-c", "a | b"}, "a; b", READING_PLAIN},
        {{"bash", "-O", "extglob", "-c", "a"}, "a", READING_DEEP},
        {{"bash", "-O", "extglob", "-o", "pipefail", "-c", "a"}, "a", READING_DEEP},
        {{"bash", "-ic", "a"}, "a", READING_DEEP},
        {{"bash", "-c", "a > b"}, "a", READING_DEEP},
        {{"bash", "-c", "a 'b"}, "a", READING_OPAQUE},
        {{"bash", "-c"}, "bash -c", READING_PLAIN},
        {{"bash", "x", "-c", "a"}, "bash x -c a", READING_PLAIN},
        {{"zsh", "-c", "w=(a )git"}, "", READING_OPAQUE},
        {{"zsh", "-c", "a b}"}, "a b}", READING_OPAQUE},
        {{"zsh", "-c", "a =b"}, "a {=b}", READING_DEEP},
        {{"zsh", "-c", "a b\\"}, "a b\\", READING_OPAQUE},
        {{"zsh", "-c", "a $((x=1 rm y))"}, "a {$((x=1 rm y))}", READING_OPAQUE},
        {{"zsh", "-c", "a \"$=(b)\""}, "a {\"$=(b)\"}", READING_DEEP},
        {{"dash", "-c", "a {x}>b"}, "a", READING_OPAQUE},
        {{"dash", "-c", "a b&>c d"}, "a b d; a b; d", READING_DEEP},
        {{"bash", "-c", "a b&>c d"}, "a b d", READING_DEEP},
        {{"env", "git", "push"}, "env git push; [env] git push", READING_PLAIN},
        {{"sudo", "bash", "-c", "a > b"},
         "sudo bash -c a > b; [sudo] bash -c a > b; [bash -c] a",
         READING_PLAIN},
        {{"if", "a"}, "if a", READING_PLAIN},
        {{"X=1", "a"}, "X=1 a", READING_PLAIN},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_arena_ struct arena a = {0};
        struct command_list list = read_argv(&a, rows[i].argv);
        assert_string_equal(shown_list(&a, &list), rows[i].list);
        assert_int_equal(list.reading, rows[i].reading);
        for (size_t k = 0; k < list.n; k++)
            assert_int_equal(list.v[k].plain, list.reading == READING_PLAIN && !list.v[k].via);
    }
}

static void test_places(void **state)
{
    static const struct {
        const char *text;
        size_t index;
        const char *place;
    } rows[] = {
        {"a b && c d", 0, "a b"},       {"a b && c d", 1, "c d"},
        {"  a 'b c' ;d", 0, "a 'b c'"}, {"x $(y z) w", 1, "y z"},
        {"x `y z` w", 1, "y z"},        {"x `y \\`z\\`` w", 2, "`y \\`z\\``"},
        {"x \"$(y 'z')\"", 1, "y 'z'"}, {"sudo env a b", 2, "a b"},
        {"sh -c 'a b'", 1, "'a b'"},    {"cat <<E\n$(a b)\nE\n", 1, "$(a b)\nE\n"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_arena_ struct arena a = {0};
        struct command_list list = read_shell(&a, rows[i].text);
        assert_true(rows[i].index < list.n);
        const struct command *c = &list.v[rows[i].index];
        assert_true((size_t)c->at + c->length <= strlen(rows[i].text));
        assert_string_equal(arena_strndup(&a, rows[i].text + c->at, c->length), rows[i].place);
    }
    _cleanup_arena_ struct arena a = {0};
    struct command_list list = read_shell(&a, "a; b > c");
    assert_int_equal(list.reason_at, 5);
}

static void test_pipes(void **state)
{
    _cleanup_arena_ struct arena a = {0};
    struct command_list list = read_shell(&a, "a | b | c; d <<< e; { f; g; } | h");
    static const uint32_t to[] = {1, 2, UINT32_MAX, UINT32_MAX, 6, 6, UINT32_MAX};
    static const bool data[] = {false, true, true, true, false, false, true};
    (void)state;
    assert_int_equal(list.n, 7);
    for (size_t i = 0; i < list.n; i++) {
        assert_int_equal(list.v[i].pipes_to, to[i]);
        assert_int_equal(list.v[i].stdin_data, data[i]);
    }
    assert_true(list.heredoc && list.shell);
    list = read_shell(&a, ":(){ :|:& };:");
    assert_int_equal(list.v[0].pipes_to, 1);
    assert_string_equal(list.v[0].via, "function :");
}

/* ---- back and forth ---- */

static void test_split(void **state)
{
    static const char *const bad[] = {"a; b", "a | b", "a > b",   "$x",  "a *",  "'a",
                                      "",     "X=1 a", "(a)",     "a &", "a\nb", "`a`",
                                      "a 'b", "~/x",   "{a,b} c", NULL};
    const char **argv;
    size_t argc;
    (void)state;
    _cleanup_arena_ struct arena a = {0};
    assert_int_equal(
        command_split(&a, BYTES("git commit -m 'a b' \"c\\\"d\" e\\ f # x"), &argv, &argc, NULL),
        0);
    assert_int_equal(argc, 6);
    assert_string_equal(argv[3], "a b");
    assert_string_equal(argv[4], "c\"d");
    assert_string_equal(argv[5], "e f");
    assert_null(argv[6]);
    assert_int_equal(command_split(&a, BYTES("sh -c 'a > b'"), &argv, &argc, NULL), 0);
    assert_int_equal(argc, 3);
    assert_int_equal(command_split(&a, BYTES("export A=b"), &argv, &argc, NULL), 0);
    assert_int_equal(command_split(&a, BYTES("env sh -c \"it's\""), &argv, &argc, NULL), 0);
    for (size_t i = 0; bad[i]; i++) {
        struct error err = {0};
        if (command_split(&a, bytes_of(bad[i]), &argv, &argc, &err) != -EINVAL)
            fail_msg("%s", bad[i]);
        assert_int_equal(err.code, -EINVAL);
    }
}

static void test_text(void **state)
{
    static const char *const rows[][4] = {
        {"git", "push"},      {"a b", "c'd"},  {"", "x"},          {"if", "then"},  {"X=1", "Y=2"},
        {"a\nb", "\t"},       {"$x", "`y`"},   {"*", "?"},         {"#a", "a#b"},   {"~", "~/x"},
        {"\\", "\""},         {"{a,b}", "{}"}, {"!", "[["},        {"\xff", "ä"},   {"=x", "%1"},
        {"a;b", "c|d", "e&"}, {"-n", "--x=y"}, {"time", "coproc"}, {"[", "a", "]"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_arena_ struct arena a = {0};
        size_t n = 0, argc;
        const char **argv;
        while (n < 4 && rows[i][n])
            n++;
        const char *text = command_text(&a, rows[i], n);
        assert_non_null(text);
        assert_int_equal(command_split(&a, bytes_of(text), &argv, &argc, NULL), 0);
        assert_int_equal(argc, n);
        for (size_t k = 0; k < n; k++)
            assert_string_equal(argv[k], rows[i][k]);
    }
    _cleanup_arena_ struct arena a = {0};
    assert_string_equal(command_text(&a, (const char *const[]){"git", "a b", "it's"}, 3),
                        "git 'a b' 'it'\\''s'");
}

/* ---- limits ---- */

static char *repeated(const char *before, const char *what, size_t times, const char *behind)
{
    struct strbuf b = {0};
    strbuf_puts(&b, before);
    for (size_t i = 0; i < times; i++)
        strbuf_puts(&b, what);
    strbuf_puts(&b, behind);
    assert_false(strbuf_failed(&b));
    return b.p;
}

static double milliseconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void test_many_parts(void **state)
{
    _cleanup_arena_ struct arena a = {0};
    char *text = repeated("a", " && git status --short", 4999, "");
    double begin = milliseconds();
    struct command_list list = read_shell(&a, text);
    print_message("5,000 parts: %.2f ms\n", milliseconds() - begin);
    (void)state;
    assert_int_equal(list.n, 5000);
    assert_int_equal(list.reading, READING_PLAIN);
    mem_free(text);
}

/* Whatever nests: it ends, soon, with no more than it can be. */
static void test_nesting(void **state)
{
    static const char *const pieces[] = {
        "$(",      "`",       "(",          "((",       "$((",    "{ ",          "${x:-",
        "\"$(",    "\"${x:-", "<(",         "[[ (",     "[[ ! ",  "if ",         "! ",
        "f() ",    "eval ",   "sudo ",      "sh -c \"", "time ",  "coproc ",     "a=(",
        "$[",      "a[",      "case x in ", "env -S ",  "xargs ", "while ",      "find -exec ",
        "echo @(", "<<a ",    "\\\n",       "${ ",      "|",      "function f ", "$'",
        "$((`",    "\\`\\\\", "bash <<< ",  "$a ",      "trap '", "\"${x#\"",    "(( ",
        "a[$((",   "'\\''"};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(pieces); i++)
        for (size_t times = 50; times <= 20000; times *= 20) {
            _cleanup_arena_ struct arena a = {0};
            char *text = repeated("", pieces[i], times, " a");
            double begin = milliseconds();
            (void)read_shell(&a, text);
            if (milliseconds() - begin > 3000)
                fail_msg("%s, %zu times: %.0f ms", pieces[i], times, milliseconds() - begin);
            mem_free(text);
        }
    char *long_text = repeated("", "a ", MAX_SHELL_BYTES / 2 + 1, "");
    struct command_list list;
    _cleanup_arena_ struct arena a = {0};
    assert_int_equal(shell_read(&a, bytes_of(long_text), &list, NULL), -E2BIG);
    mem_free(long_text);
}

static void test_no_memory(void **state)
{
    static const char text[] =
        "f() { a | b; }; echo $(x) `y \\`z\\`` \"${a:-$(b)}\" <<E | sudo sh -c \"c $d\"\n$(e)\nE\n"
        "echo 'a b' | sh; env -S 'a b' c; ls | xargs -I{} rm {}; a=(1 2); eval 'a > b'; trap a "
        "EXIT";
    (void)state;
    unsigned long n = 1;
    for (;; n++) {
        _cleanup_arena_ struct arena a = {0};
        struct command_list list;
        mem_fail_at(n);
        int r = shell_read(&a, BYTES(text), &list, NULL);
        mem_fail_at(0);
        if (r == 0)
            break;
        assert_int_equal(r, -ENOMEM);
        assert_true(n < 10000);
    }
    assert_true(n > 5);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spellings), cmocka_unit_test(test_plain),
        cmocka_unit_test(test_deep),      cmocka_unit_test(test_opaque),
        cmocka_unit_test(test_nul),       cmocka_unit_test(test_lists),
        cmocka_unit_test(test_argv),      cmocka_unit_test(test_places),
        cmocka_unit_test(test_pipes),     cmocka_unit_test(test_split),
        cmocka_unit_test(test_text),      cmocka_unit_test(test_many_parts),
        cmocka_unit_test(test_nesting),   cmocka_unit_test(test_no_memory),
    };
    spellings_file = argc > 1 ? argv[1] : "tests/shell/spellings.txt";
    return cmocka_run_group_tests(tests, NULL, NULL);
}
