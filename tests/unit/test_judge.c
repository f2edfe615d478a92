/* What rules say of lines: files evaluated, text read, one class. */
#include "rules/judge.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct rules *rules_of(struct arena *a, const char *text)
{
    struct error err = {0};
    struct rules *rules = rules_new(a);
    const struct rules_source source = {
        .file = "f.rules", .rank = RULES_USER, .dir = "/p", .text = bytes_of(text)};
    assert_non_null(rules);
    if (rules_add(rules, &source, &err) < 0)
        fail_msg("%s\n=> %u:%u %s", text, err.line, err.column, err.message);
    assert_int_equal(rules_finish(rules), 0);
    return rules;
}

/* Everything in /usr/bin is to be trusted; what is spelled ./x or lies in /w is the sandbox's. */
static int find(void *data, struct arena *a, const char *name, struct program *ret)
{
    (void)data;
    *ret = (struct program){0};
    if (strncmp(name, "no-", 3) == 0)
        return 0;
    bool own = name[0] == '.' || strncmp(name, "/w/", 3) == 0;
    const char *base = strrchr(name, '/');
    ret->path = name[0] == '/'
                    ? name
                    : arena_printf(a, own ? "/w/%s" : "/usr/bin/%s", base ? base + 1 : name);
    /* vi is a link to vim. */
    ret->resolved = str_eq(base ? base + 1 : name, "vi") ? "/usr/bin/vim" : ret->path;
    ret->trusted = !own;
    ret->problem = own ? "it lies in the writable root /w" : NULL;
    return 0;
}

static void judge_text(struct arena *a, const struct rules *rules, const char *text, bool broken,
                       struct judgement *ret)
{
    static struct command_list list;
    struct error err = {0};
    assert_int_equal(shell_read(a, bytes_of(text), &list, &err), 0);
    list.shell = true;
    const struct judge_request request = {.list = &list,
                                          .rules = rules,
                                          .cwd = "/p/sub",
                                          .shell = "bash",
                                          .broken_project_rules = broken,
                                          .find = find};
    assert_int_equal(judge(a, &request, ret), 0);
}

static const char all[] =
    "prefix_rule(pattern = ['git', ['push', 'commit']], decision = 'prompt', justification = "
    "'look')\n"
    "prefix_rule(pattern = ['git', 'push', '--force'], decision = 'forbidden')\n"
    "prefix_rule(pattern = ['git', 'fetch'])\n"
    "prefix_rule(pattern = ['npm', 'test'], sandbox = True)\n"
    "prefix_rule(pattern = ['npm', 'run'], permissions = 'web')\n"
    "prefix_rule(pattern = ['npm', 'start'], permissions = 'other')\n"
    "prefix_rule(pattern = ['vim'], decision = 'forbidden')\n"
    "prefix_rule(pattern = ['/opt/x/tool', 'a'], decision = 'forbidden')\n"
    "prefix_rule(pattern = ['kubectl', re('del.*|drain')], decision = 'forbidden')\n"
    "prefix_rule(pattern = [re('t[a-c]')], decision = 'prompt')\n"
    "prefix_rule(pattern = ['rm', '-rf', 'build'])\n"
    "prefix_rule(pattern = ['make'], scope = 'project')\n"
    "prefix_rule(pattern = ['curl'])\n"
    "host_executable(name = 'curl', paths = ['/usr/local/bin/curl'])\n";

static void test_classes(void **unused)
{
    (void)unused;
    static const struct {
        const char *text;
        enum line_class want;
        const char *reason;
    } cases[] = {
        {"git push", LINE_PROMPT, "f.rules:1 says prompt: look"},
        {"git push --force", LINE_FORBIDDEN, "f.rules:2"},
        {"git push origin --force", LINE_PROMPT, NULL},
        {"git fetch", LINE_ALLOW, "f.rules:3"},
        {"git fetch && git fetch origin", LINE_ALLOW, NULL},
        {"git fetch; git push", LINE_PROMPT, NULL},
        {"git fetch | tail -n 1", LINE_SAFE, NULL},
        {"git fetch && frobnicate", LINE_UNKNOWN, "no rule"},
        {"git fetch >log", LINE_UNKNOWN, NULL},
        {"git status", LINE_SAFE, "safe"},
        {"/usr/bin/git fetch", LINE_ALLOW, NULL},
        {"./git fetch", LINE_UNKNOWN, "writable root"},
        {"/w/git fetch", LINE_UNKNOWN, NULL},
        {"./git push", LINE_PROMPT, NULL},
        {"cd x && ./git push --force", LINE_FORBIDDEN, NULL},
        {"cd /usr/bin && git fetch", LINE_SAFE, NULL},
        {"no-such fetch", LINE_UNKNOWN, NULL},
        {"npm test", LINE_ALLOW_INSIDE, NULL},
        {"npm test && git fetch", LINE_ALLOW_INSIDE, NULL},
        {"npm run x", LINE_ALLOW_INSIDE, NULL},
        {"vi x", LINE_FORBIDDEN, NULL},
        {"vim", LINE_FORBIDDEN, NULL},
        {"/opt/x/tool a", LINE_FORBIDDEN, NULL},
        {"tool a", LINE_UNKNOWN, NULL},
        {"kubectl delete pod", LINE_FORBIDDEN, NULL},
        {"kubectl drain", LINE_FORBIDDEN, NULL},
        {"kubectl drained", LINE_UNKNOWN, NULL},
        {"tb x", LINE_PROMPT, NULL},
        {"tbb x", LINE_UNKNOWN, NULL},
        {"rm -rf build", LINE_ALLOW, NULL},
        {"rm -rf src", LINE_DANGEROUS, NULL},
        {"curl x", LINE_UNKNOWN, "host_executable"},
        {"make all", LINE_ALLOW, NULL},
        {"git \"$X\" --force", LINE_PROMPT, "only when it runs"},
        {"git push $X", LINE_PROMPT, NULL},
        {"git status $X", LINE_UNKNOWN, NULL},
        {"$X push", LINE_UNKNOWN, "only when it runs"},
        {"(git fetch)", LINE_UNKNOWN, NULL},
        {"(git push --force)", LINE_FORBIDDEN, NULL},
        {"env git fetch", LINE_UNKNOWN, NULL},
        {"env git push --force", LINE_FORBIDDEN, NULL},
        {"sudo -n env A=1 git push --force", LINE_FORBIDDEN, NULL},
        {"x=$(git push --force)", LINE_FORBIDDEN, NULL},
        {"echo 'git push --force'", LINE_SAFE, NULL},
        {"echo \"unbalanced", LINE_UNKNOWN, NULL},
        {"git push --force; echo \"unbalanced", LINE_FORBIDDEN, NULL},
        {"", LINE_UNKNOWN, NULL},
    };
    struct arena a = {0};
    struct rules *rules = rules_of(&a, all);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct judgement j;
        judge_text(&a, rules, cases[i].text, false, &j);
        if (j.class != cases[i].want || !j.reason ||
            (cases[i].reason && !strstr(j.reason, cases[i].reason)))
            fail_msg("%s => %s (%d), not %d: %s", cases[i].text, line_class_word(j.class),
                     (int)j.class, (int)cases[i].want, j.reason ? j.reason : "no reason");
    }
    rules_free(rules);
    arena_release(&a);
}

static void test_permissions_of_a_line(void **unused)
{
    (void)unused;
    struct arena a = {0};
    struct rules *rules = rules_of(&a, all);
    struct judgement j;
    judge_text(&a, rules, "npm run x && npm run y", false, &j);
    assert_string_equal(j.permissions, "web");
    judge_text(&a, rules, "npm run x && npm start", false, &j);
    assert_null(j.permissions);
    judge_text(&a, rules, "npm run x && npm test", false, &j);
    assert_null(j.permissions);
    /* A project's broken rules: what is not allowed is asked about. */
    judge_text(&a, rules, "npm test", true, &j);
    assert_int_equal(j.class, LINE_ALLOW_INSIDE);
    judge_text(&a, rules, "git status", true, &j);
    assert_int_equal(j.class, LINE_PROMPT);
    judge_text(&a, rules, "rm -rf src", true, &j);
    assert_int_equal(j.class, LINE_PROMPT);
    judge_text(&a, rules, "vim", true, &j);
    assert_int_equal(j.class, LINE_FORBIDDEN);
    rules_free(rules);
    arena_release(&a);
}

/* The shell that reads the text is a program as well. */
static void test_planted_shell(void **unused)
{
    (void)unused;
    struct arena a = {0};
    struct rules *rules = rules_of(&a, all);
    struct command_list list;
    struct judgement j;
    assert_int_equal(shell_read(&a, BYTES("git fetch"), &list, NULL), 0);
    list.shell = true;
    struct judge_request request = {
        .list = &list, .rules = rules, .cwd = "/p", .shell = "./bash", .find = find};
    assert_int_equal(judge(&a, &request, &j), 0);
    assert_int_equal(j.class, LINE_UNKNOWN);
    request.shell = "/usr/bin/bash";
    assert_int_equal(judge(&a, &request, &j), 0);
    assert_int_equal(j.class, LINE_ALLOW);
    /* The rule of another project. */
    assert_int_equal(shell_read(&a, BYTES("make"), &list, NULL), 0);
    request.cwd = "/other";
    assert_int_equal(judge(&a, &request, &j), 0);
    assert_int_equal(j.class, LINE_UNKNOWN);
    request.cwd = "/pp";
    assert_int_equal(judge(&a, &request, &j), 0);
    assert_int_equal(j.class, LINE_UNKNOWN);
    request.cwd = "/p";
    assert_int_equal(judge(&a, &request, &j), 0);
    assert_int_equal(j.class, LINE_ALLOW);
    rules_free(rules);
    arena_release(&a);
}

/* The strictest wins, in whatever order and file the rules stand. */
static void test_order(void **unused)
{
    (void)unused;
    static const char *const lines[] = {"prefix_rule(pattern = ['x'])\n",
                                        "prefix_rule(pattern = ['x'], sandbox = True)\n",
                                        "prefix_rule(pattern = ['x'], decision = 'prompt')\n",
                                        "prefix_rule(pattern = ['x'], decision = 'forbidden')\n"};
    static const enum line_class classes[] = {LINE_ALLOW, LINE_ALLOW_INSIDE, LINE_PROMPT,
                                              LINE_FORBIDDEN};
    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        for (size_t k = 0; k < ARRAY_LEN(lines); k++) {
            struct arena a = {0};
            struct judgement j;
            char *text = arena_printf(&a, "%s%s", lines[i], lines[k]);
            struct rules *rules = rules_of(&a, text);
            judge_text(&a, rules, "x y", false, &j);
            assert_int_equal(j.class, classes[MAX_OF(i, k)]);
            assert_int_equal(j.decided->n_matches, 2);
            rules_free(rules);
            arena_release(&a);
        }
    }
}

static void test_broken_files(void **unused)
{
    (void)unused;
    static const struct {
        const char *text, *part;
        unsigned line;
    } cases[] = {
        {"prefix_rule()", "pattern is missing", 1},
        {"prefix_rule(pattern = [])", "pattern is empty", 1},
        {"prefix_rule(pattern = 'git')", "pattern is a list", 1},
        {"prefix_rule(pattern = [1])", "a string, a list of strings", 1},
        {"prefix_rule(pattern = [''])", "empty", 1},
        {"prefix_rule(pattern = [[]])", "alternatives is empty", 1},
        {"prefix_rule(pattern = [['a', 2]])", "a string, a list", 1},
        {"prefix_rule(pattern = ['a'], decision = 'maybe')", "no decision", 1},
        {"prefix_rule(pattern = ['a'], justification = '  ')", "blank", 1},
        {"prefix_rule(pattern = ['a'], justfication = 'x')", "no argument", 1},
        {"prefix_rule(['a'], 'allow')", "without a name", 1},
        {"\nprefix_rule(pattern = ['git', 'push'], match = ['git pull'])",
         "git pull does not match", 2},
        {"prefix_rule(pattern = ['git'], not_match = ['git pull'])", "should not", 1},
        {"prefix_rule(pattern = ['git'], match = ['git $X'])", "match", 1},
        {"prefix_rule(pattern = ['git'], match = [[]])", "empty", 1},
        {"prefix_rule(pattern = ['git'], match = 'git')", "list of examples", 1},
        {"prefix_rule(pattern = ['a'], decision = 'prompt', sandbox = True)", "no allow", 1},
        {"prefix_rule(pattern = ['a'], scope = 'user')", "scope", 1},
        {"prefix_rule(pattern = [re('(')])", "re:", 1},
        {"prefix_rule(pattern = [re('(a)\\\\1')])", "back-references", 1},
        {"prefix_rule(pattern = [re('a{1000}')])", "100", 1},
        {"network_rule(host = 'a', protocol = 'ftp', decision = 'allow')", "protocol", 1},
        {"network_rule(protocol = 'https')", "host is missing", 1},
        {"network_rule(host = 'a', protocol = 'https', port = 0)", "port", 1},
        {"host_executable(name = 'git', paths = ['git'])", "absolute", 1},
        {"host_executable(name = 'git', paths = ['/usr/bin/gat'])", "called git", 1},
        {"host_executable(name = '/usr/bin/git')", "base name", 1},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct arena a = {0};
        struct error err = {0};
        struct rules *rules = rules_new(&a);
        const struct rules_source source = {.file = "f.rules", .text = bytes_of(cases[i].text)};
        /* What stands before the fault is not added either. */
        char *text = arena_printf(&a, "prefix_rule(pattern = ['before'])\n%s", cases[i].text);
        const struct rules_source with = {.file = "f.rules", .text = bytes_of(text)};
        int r = rules_add(rules, &source, &err);
        if (r != -EINVAL || err.line != cases[i].line || !strstr(err.message, cases[i].part))
            fail_msg("%s => %d %u: %s", cases[i].text, r, err.line, err.message);
        assert_string_equal(err.file, "f.rules");
        assert_int_equal(rules_add(rules, &with, &err), -EINVAL);
        assert_int_equal(rules_count(rules), 0);
        rules_free(rules);
        arena_release(&a);
    }
}

/* Many rules: each is found, and only the right ones. */
static void test_many(void **unused)
{
    (void)unused;
    struct arena a = {0};
    struct strbuf text = {0};
    for (int i = 0; i < 5000; i++)
        strbuf_printf(&text,
                      "prefix_rule(pattern = [['p%d', 'q%d'], 's%d'], decision = 'prompt')\n",
                      i % 700, i, i);
    struct rules *rules = rules_of(&a, strbuf_text(&text));
    assert_int_equal(rules_count(rules), 5000);
    for (int i = 0; i < 5000; i += 37) {
        struct rule_match found[4];
        char name[16], sub[16];
        (void)snprintf(name, sizeof(name), "p%d", i % 700);
        (void)snprintf(sub, sizeof(sub), "s%d", i);
        const struct command_word words[] = {{name, true}, {sub, true}};
        assert_int_equal(rules_match(rules, name, words, 2, NULL, found, 4), 1);
        assert_int_equal(found[0].rule->line, i + 1);
        assert_int_equal(found[0].length, 2);
        assert_int_equal(rules_match(rules, name, words, 1, NULL, found, 4), 0);
        assert_int_equal(rules_match(rules, "q0", words, 2, NULL, found, 4), i == 0);
    }
    strbuf_release(&text);
    rules_free(rules);
    arena_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_classes),       cmocka_unit_test(test_permissions_of_a_line),
        cmocka_unit_test(test_planted_shell), cmocka_unit_test(test_order),
        cmocka_unit_test(test_broken_files),  cmocka_unit_test(test_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
