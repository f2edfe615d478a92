/* The option table and its parser: every way a command line can be right or wrong. */
#include "cli/options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static int not_run(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    return 0;
}

const struct subcommand commands[] = {
    {FOR_SANDBOX, "sandbox", "s", "[options] [--] CMD…", "About.", "bawn sandbox -- true", true,
     not_run},
    {FOR_EXPLAIN, "explain", "s", "[options] PATH…", "About.", NULL, false, not_run},
    {FOR_DENIALS, "denials", "s", "[options]", "About.", NULL, false, not_run},
    {0},
};

/* Words of a command line in one string, separated by spaces; "''" is an empty word. */
struct line {
    struct arena arena;
    char *argv[32];
    int argc;
    struct options o;
    struct error err;
    int r;
};

static void parse(struct line *l, unsigned command, const char *text)
{
    *l = (struct line){0};
    l->argv[l->argc++] = arena_strdup(&l->arena, command_of(command)->name);
    while (*text) {
        size_t n = strcspn(text, " ");
        char *word = arena_strndup(&l->arena, text, n);
        assert_non_null(word);
        if (str_eq(word, "''"))
            word[0] = '\0';
        l->argv[l->argc++] = word;
        text += n + (text[n] == ' ');
    }
    l->argv[l->argc] = NULL;
    l->r = options_parse(command_of(command), l->argc, l->argv, &l->arena, &l->o, &l->err);
}

static void accepts(struct line *l, const char *text)
{
    parse(l, FOR_SANDBOX, text);
    if (l->r < 0)
        print_message("%s: %s\n", text, l->err.message);
    assert_int_equal(l->r, 0);
}

static void test_values(void **state)
{
    (void)state;
    struct line l;
    accepts(&l, "--sandbox read-only -- x");
    assert_int_equal(l.o.mode, MODE_READ_ONLY);
    arena_release(&l.arena);
    accepts(&l, "--sandbox=workspace-write x");
    assert_int_equal(l.o.mode, MODE_WORKSPACE_WRITE);
    arena_release(&l.arena);
    accepts(&l, "-s danger-full-access x");
    assert_int_equal(l.o.mode, MODE_DANGER_FULL_ACCESS);
    arena_release(&l.arena);
    accepts(&l, "-sread-only -P=mine -C. -p ci x");
    assert_int_equal(l.o.mode, MODE_READ_ONLY);
    assert_string_equal(l.o.permissions, "mine");
    assert_string_equal(l.o.cd, ".");
    assert_string_equal(l.o.config_profile, "ci");
    arena_release(&l.arena);
    accepts(&l, "--explain --json --strict-config --log-denials -v -q x");
    assert_true(l.o.explain && l.o.json && l.o.strict && l.o.log_denials && l.o.verbose &&
                l.o.quiet);
    arena_release(&l.arena);
    accepts(&l, "--dry-run x");
    assert_true(l.o.explain);
    arena_release(&l.arena);
    accepts(&l, "-c a=-1 --config=b= --config x");
    assert_int_equal(l.o.overrides.n, 3);
    assert_string_equal(l.o.overrides.v[0], "a=-1");
    assert_string_equal(l.o.overrides.v[1], "b=");
    assert_string_equal(l.o.overrides.v[2], "x");
    arena_release(&l.arena);
}

static void test_where_options_end(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t n;
        const char *first;
    } rows[] = {
        {"ls -l", 2, "ls"},
        {"-- ls -l", 2, "ls"},
        {"-q ls --json", 2, "ls"},
        {"-- --json", 1, "--json"},
        {"-- -- x", 2, "--"},
        {"- x", 2, "-"},
        {"", 0, NULL},
        {"--", 0, NULL},
        {"-q", 0, NULL},
        {"'' x", 2, ""},
        {"-q -- -q", 1, "-q"},
        {"ls --", 2, "ls"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct line l;
        accepts(&l, rows[i].text);
        assert_int_equal(l.o.n_rest, rows[i].n);
        assert_null(l.o.rest[l.o.n_rest]);
        assert_false(l.o.json);
        if (rows[i].first)
            assert_string_equal(l.o.rest[0], rows[i].first);
        arena_release(&l.arena);
    }
}

static void test_options_among_words(void **state)
{
    (void)state;
    struct line l;
    parse(&l, FOR_EXPLAIN, "a --json b -- -c --json");
    assert_int_equal(l.r, 0);
    assert_true(l.o.json);
    assert_int_equal(l.o.n_rest, 4);
    assert_string_equal(l.o.rest[0], "a");
    assert_string_equal(l.o.rest[1], "b");
    assert_string_equal(l.o.rest[2], "-c");
    assert_string_equal(l.o.rest[3], "--json");
    assert_null(l.o.rest[4]);
    arena_release(&l.arena);
}

static void test_mistakes(void **state)
{
    (void)state;
    static const struct {
        unsigned command;
        const char *text, *message, *hint;
    } rows[] = {
        {FOR_SANDBOX, "--jsno x", "unknown option --jsno", "did you mean --json?"},
        {FOR_SANDBOX, "--sandbx=read-only", "unknown option --sandbx", "did you mean --sandbox?"},
        {FOR_SANDBOX, "--sand read-only x", "unknown option --sand", "--sandbox"},
        {FOR_SANDBOX, "--zzzzzzzz x", "unknown option --zzzzzzzz", "see bawn sandbox --help"},
        {FOR_SANDBOX, "-Z x", "unknown option -Z", "comes after --"},
        {FOR_SANDBOX, "-vq x", "unknown option -vq", "comes after --"},
        {FOR_SANDBOX, "--last 3 x", "unknown option --last", "belongs to bawn denials"},
        {FOR_EXPLAIN, "--log-denials x", "unknown option --log-denials", "belongs to bawn sandbox"},
        {FOR_SANDBOX, "--json=1 x", "--json takes no value", ""},
        {FOR_SANDBOX, "-s", "-s needs a value", "read-only"},
        {FOR_SANDBOX, "--sandbox", "--sandbox needs a value", "read-only"},
        {FOR_SANDBOX, "-s --json x", "-s needs a value", "read-only"},
        {FOR_SANDBOX, "-s -- x", "-s needs a value", "read-only"},
        {FOR_SANDBOX, "-s readonly x", "unknown value \"readonly\"", "did you mean read-only?"},
        {FOR_SANDBOX, "-s workspace x", "unknown value \"workspace\"",
         "did you mean workspace-write?"},
        {FOR_SANDBOX, "-s= x", "unknown value \"\"", ""},
        {FOR_SANDBOX, "-a allways x", "unknown value \"allways\"", ""},
        {FOR_SANDBOX, "-a nevr x", "unknown value \"nevr\"", "did you mean never?"},
        {FOR_SANDBOX, "--cd= x", "the value is empty", ""},
        {FOR_SANDBOX, "--add-dir '' x", "the value is empty", ""},
        {FOR_SANDBOX, "--status-fd x x", "not the number of a descriptor", ""},
        {FOR_SANDBOX, "--status-fd=-1 x", "not the number of a descriptor", ""},
        {FOR_SANDBOX, "--status-fd 99999999999999999999 x", "not the number", ""},
        {FOR_SANDBOX, "--status-fd 987 x", "descriptor 987 is not open", "987>FILE"},
        {FOR_SANDBOX, "--pass-fd 987 x", "descriptor 987 is not open", "987>FILE"},
        {FOR_SANDBOX, "--enable a.b x", "not the name of a feature", ""},
        {FOR_SANDBOX, "--enable=a=true x", "not the name of a feature", ""},
        {FOR_SANDBOX, "--yolo -s read-only x", "contradict", ""},
        {FOR_SANDBOX, "-s read-only --yolo x", "contradict", ""},
        {FOR_SANDBOX, "--yolo --full-auto x", "contradict", ""},
        {FOR_SANDBOX, "--full-auto -P mine x", "contradict", ""},
        {FOR_DENIALS, "--last 0", "not a positive number", ""},
        {FOR_DENIALS, "--last five", "not a positive number", ""},
        {FOR_DENIALS, "-n", "-n needs a value", ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct line l;
        parse(&l, rows[i].command, rows[i].text);
        if (l.r != -EINVAL || !strstr(l.err.message, rows[i].message) ||
            !strstr(l.err.hint, rows[i].hint))
            fail_msg("%s: %d, \"%s\", hint \"%s\"", rows[i].text, l.r, l.err.message, l.err.hint);
        arena_release(&l.arena);
    }
}

static void test_descriptors(void **state)
{
    (void)state;
    struct line l;
    accepts(&l, "--status-fd 2 --pass-fd 0 --pass-fd=1 --pass-fd 0 x");
    assert_int_equal(l.o.status_fd, 2);
    assert_int_equal(l.o.n_pass_fds, 2);
    assert_int_equal(l.o.pass_fds[0], 0);
    assert_int_equal(l.o.pass_fds[1], 1);
    arena_release(&l.arena);
    accepts(&l, "x");
    assert_int_equal(l.o.status_fd, -1);
    assert_int_equal(l.o.n_pass_fds, 0);
    arena_release(&l.arena);
}

static void test_short_for(void **state)
{
    (void)state;
    struct line l;
    accepts(&l, "--enable web-search --disable x_1 -c a=1 x");
    assert_int_equal(l.o.overrides.n, 3);
    assert_string_equal(l.o.overrides.v[0], "features.web-search=true");
    assert_string_equal(l.o.overrides.v[1], "features.x_1=false");
    arena_release(&l.arena);
    accepts(&l, "--full-auto x");
    assert_int_equal(l.o.mode, MODE_WORKSPACE_WRITE);
    assert_string_equal(l.o.policy, "on-request");
    arena_release(&l.arena);
    accepts(&l, "--yolo x");
    assert_int_equal(l.o.mode, MODE_DANGER_FULL_ACCESS);
    assert_string_equal(l.o.policy, "never");
    arena_release(&l.arena);
    accepts(&l, "--dangerously-bypass-approvals-and-sandbox -s danger-full-access x");
    assert_true(l.o.yolo);
    arena_release(&l.arena);
}

/* The last of two counts; lists keep both; --help wins over what comes behind it. */
static void test_repeated(void **state)
{
    (void)state;
    struct line l;
    accepts(&l, "-s read-only -s workspace-write --add-dir a --add-dir b --add-dir c x");
    assert_int_equal(l.o.mode, MODE_WORKSPACE_WRITE);
    assert_int_equal(l.o.add_dirs.n, 3);
    assert_string_equal(l.o.add_dirs.v[2], "c");
    arena_release(&l.arena);
    accepts(&l, "-h --no-such-option");
    assert_true(l.o.help);
    arena_release(&l.arena);
}

static void test_table_is_sound(void **state)
{
    (void)state;
    for (const struct option *o = options_table; o->name; o++) {
        assert_int_equal(o->kind == OPTION_FLAG, o->arg == NULL);
        assert_int_equal(o->completes == COMPLETES_WORDS, o->words != NULL);
        assert_true(o->commands != 0);
        for (const struct option *p = options_table; p < o; p++) {
            assert_string_not_equal(o->name, p->name);
            if (o->letter && (o->commands & p->commands))
                assert_int_not_equal(o->letter, p->letter);
        }
    }
}

static void test_help(void **state)
{
    (void)state;
    for (const struct subcommand *c = commands; c->name; c++) {
        _cleanup_strbuf_ struct strbuf out = {0};
        options_help(c, &out);
        size_t lines = 0, column = 0;
        for (size_t i = 0; i < out.n; i++) {
            column += (out.p[i] & 0xc0) != 0x80;
            assert_true(column <= 81);
            if (out.p[i] == '\n') {
                lines++;
                column = 0;
            }
        }
        assert_true(lines <= 40);
        for (const struct option *o = options_table; o->name; o++)
            if (o->help && (o->commands & c->bit))
                assert_non_null(strstr(out.p, o->name));
        assert_null(strstr(out.p, "dry-run"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_where_options_end),
        cmocka_unit_test(test_options_among_words),
        cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_descriptors),
        cmocka_unit_test(test_short_for),
        cmocka_unit_test(test_repeated),
        cmocka_unit_test(test_table_is_sound),
        cmocka_unit_test(test_help),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
