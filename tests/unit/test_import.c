/*
 * What an import makes of a text: what stays is byte for byte what it was, what goes is a comment
 * in its place and a note with its line. The folder of samples is the program's argument.
 */
#include "base/limits.h"
#include "base/path.h"
#include "config/import.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const char *samples;

struct trusted {
    const char *path;
    enum trust_level level;
};

static const struct {
    const char *what, *text, *want; /* want NULL: the text as it is */
    const char *notes[6];           /* "LINE: MESSAGE" */
    bool profile;
    struct trusted trust[4];
} cases[] = {
    {"nothing to do", "# mine\nsandbox_mode = \"read-only\" # why\n\n[limits]\nprocesses = 3\n",
     NULL},
    {"an empty file", "", NULL},
    {"a byte order mark goes",
     "\xef\xbb\xbfnosuch = 1\n",
     "# not imported: nosuch: unknown key\n# nosuch = 1\n",
     {"1: nosuch: unknown key"}},
    {"an unknown key, with its comment",
     "a_key = 1 # c\nsandbox_mode = \"read-only\"",
     "# not imported: a_key: unknown key\n# a_key = 1 # c\nsandbox_mode = \"read-only\"",
     {"1: a_key: unknown key"}},
    {"a nearest key",
     "sandbox_mod = 1\n",
     "# not imported: sandbox_mod: unknown key; did you mean \"sandbox_mode\"?\n# sandbox_mod = "
     "1\n",
     {"1: sandbox_mod: unknown key; did you mean \"sandbox_mode\"?"}},
    {"the last line without its end",
     "nosuch = 1",
     "# not imported: nosuch: unknown key\n# nosuch = 1",
     {"1: nosuch: unknown key"}},
    {"CRLF stays",
     "model = \"m\"\r\nnosuch = 1\r\nprofile = \"p\"\r\n[profiles.p]\r\n",
     "model = \"m\"\r\n# not imported: nosuch: unknown key\n# nosuch = 1\r\nprofile = \"p\"\r\n"
     "[profiles.p]\r\n",
     {"2: nosuch: unknown key"}},
    {"several lines",
     "nosuch = [\n 1, # one\n 2\n]\nmodel = \"m\"\n",
     "# not imported: nosuch: unknown key\n# nosuch = [\n#  1, # one\n#  2\n# ]\nmodel = \"m\"\n",
     {"1: nosuch: unknown key"}},
    {"a text of several lines",
     "nosuch = \"\"\"\na\n[limits]\n\"\"\"\nmodel = \"m\"\n",
     "# not imported: nosuch: unknown key\n# nosuch = \"\"\"\n# a\n# [limits]\n# \"\"\"\nmodel = "
     "\"m\"\n",
     {"1: nosuch: unknown key"}},
    {"a table and all in it, wherever that stands",
     "[nosuch]\na = 1\n\n# kept\n[limits]\nprocesses = 3\n[nosuch.b.c]\nd = {}\n[[nosuch.e]]\n"
     "[[nosuch.e]]\nf = 1\n",
     "# not imported: nosuch: unknown key\n# [nosuch]\n# a = 1\n\n# kept\n[limits]\nprocesses = 3\n"
     "# [nosuch.b.c]\n# d = {}\n# [[nosuch.e]]\n# [[nosuch.e]]\n# f = 1\n",
     {"1: nosuch: unknown key"}},
    {"dotted keys",
     "nosuch.a = 1\nmodel = \"m\"\nnosuch.b.c = 2\n",
     "# not imported: nosuch: unknown key\n# nosuch.a = 1\nmodel = \"m\"\n# nosuch.b.c = 2\n",
     {"1: nosuch: unknown key"}},
    {"a value of the wrong type",
     "[limits]\nprocesses = \"many\"\nopen_files = 4\n",
     "[limits]\n# not imported: limits.processes: expected an integer, found a string\n"
     "# processes = \"many\"\nopen_files = 4\n",
     {"2: limits.processes: expected an integer, found a string"}},
    {"a table in the place of a value",
     "[sandbox_mode]\na = 1\n[limits]\n",
     "# not imported: sandbox_mode: expected a string, found a table\n# [sandbox_mode]\n# a = "
     "1\n[limits]\n",
     {"1: sandbox_mode: expected a string, found a table"}},
    {"inside an inline table",
     "tools = 1\nlimits = { processes = 1, nosuch = 2, open_files = 3 } # c\n",
     "# not imported: tools: expected a table, found an integer\n# tools = 1\n"
     "# not imported: limits.nosuch: unknown key\nlimits = { processes = 1, open_files = 3 } # c\n",
     {"1: tools: expected a table, found an integer", "2: limits.nosuch: unknown key"}},
    {"one of a table of strings",
     "[shell_environment_policy.set]\nA = \"a\"\nB = 1\nC = \"c\"\n",
     "[shell_environment_policy.set]\nA = \"a\"\n"
     "# not imported: shell_environment_policy.set.B: B: expected a string, found an integer\n"
     "# B = 1\nC = \"c\"\n",
     {"3: shell_environment_policy.set.B: B: expected a string, found an integer"}},
    {"on-failure",
     "approval_policy = 'on-failure' # c\n",
     "# changed: approval_policy: \"on-failure\" is \"on-request\" here\n"
     "approval_policy = \"on-request\" # c\n",
     {"1: approval_policy: \"on-failure\" is \"on-request\" here"}},
    {"logins",
     "forced_login_method = \"api\"\nmodel = \"m\"\n",
     "# not imported: forced_login_method: logins stay with the agent\n"
     "# forced_login_method = \"api\"\nmodel = \"m\"\n",
     {"1: forced_login_method: logins stay with the agent"}},
    {"what names a profile",
     "profile = \"gone\"\ndefault_permissions = \"gone\"\n",
     "# not imported: profile: there is no such profile\n# profile = \"gone\"\n"
     "# not imported: default_permissions: there is no such permission profile\n"
     "# default_permissions = \"gone\"\n",
     {"1: profile: there is no such profile",
      "2: default_permissions: there is no such permission profile"}},
    {"what names one that is there",
     "profile = \"p\"\ndefault_permissions = \"w\"\n[profiles.p]\ndefault_permissions = "
     "\":read-only\"\n"
     "[permissions.w]\nextends = \":workspace\"\n",
     NULL},
    {"in a profile's table",
     "[profiles.p]\nnosuch = 1\nmodel = \"m\"\nprofile = \"p\"\n",
     "[profiles.p]\n# not imported: profiles.p.nosuch: unknown key\n# nosuch = 1\nmodel = \"m\"\n"
     "# not imported: profiles.p.profile: cannot stand in a configuration profile\n"
     "# profile = \"p\"\n",
     {"2: profiles.p.nosuch: unknown key",
      "4: profiles.p.profile: cannot stand in a configuration profile"}},
    {"a profile's file",
     "model = \"m\"\n[projects.\"/a\"]\ntrust_level = \"trusted\"\n",
     "model = \"m\"\n[projects.\"/a\"]\n"
     "# not imported: projects.\"/a\".trust_level: cannot stand in a configuration profile\n"
     "# trust_level = \"trusted\"\n",
     {"3: projects.\"/a\".trust_level: cannot stand in a configuration profile"},
     .profile = true},
    {"in a permission profile",
     "[permissions.w.filesystem]\n\"/a\" = \"read\"\n\"/b\" = \"run\"\n\"/c\" = { \".\" = "
     "\"write\", d = \"none\" }\n"
     "[permissions.w.network]\nnosuch = true\n",
     "[permissions.w.filesystem]\n\"/a\" = \"read\"\n"
     "# not imported: permissions.w.filesystem.\"/b\": expected \"read\", \"write\" or \"none\", "
     "or a table of them\n"
     "# \"/b\" = \"run\"\n\"/c\" = { \".\" = \"write\", d = \"none\" }\n[permissions.w.network]\n"
     "# not imported: permissions.w.network.nosuch: unknown key\n# nosuch = true\n",
     {"3: permissions.w.filesystem.\"/b\": expected \"read\", \"write\" or \"none\", or a table of "
      "them",
      "6: permissions.w.network.nosuch: unknown key"}},
    {"trust moves",
     "[projects]\n\"/nowhere/a\" = { trust_level = \"trusted\" }\n[projects.\"/nowhere/b/\"]\n"
     "trust_level = \"untrusted\"\n[projects.\"/nowhere/b\"]\ntrust_level = \"trusted\"\n"
     "[projects.c]\ntrust_level = \"trusted\"\n[projects.\"/nowhere/d\"]\ntrust_level = \"maybe\"\n"
     "[projects.\"/nowhere/e\"]\nnosuch = 1\n[tui]\n",
     "# moved: projects: in trust.toml from now on\n# [projects]\n"
     "# \"/nowhere/a\" = { trust_level = \"trusted\" }\n# [projects.\"/nowhere/b/\"]\n"
     "# trust_level = \"untrusted\"\n# [projects.\"/nowhere/b\"]\n# trust_level = \"trusted\"\n"
     "# [projects.c]\n# trust_level = \"trusted\"\n# [projects.\"/nowhere/d\"]\n"
     "# trust_level = \"maybe\"\n# [projects.\"/nowhere/e\"]\n# nosuch = 1\n[tui]\n",
     {"7: projects.c: not an absolute path",
      "9: projects.\"/nowhere/d\": trust_level is neither \"trusted\" nor \"untrusted\"",
      "12: projects.\"/nowhere/e\".nosuch: trust has no such key"},
     .trust = {{"/nowhere/a", TRUST_TRUSTED}, {"/nowhere/b", TRUST_UNTRUSTED}}},
};

static size_t count_notes(size_t i)
{
    size_t n = 0;
    while (n < ARRAY_LEN(cases[i].notes) && cases[i].notes[n])
        n++;
    return n;
}

static bool is_right(size_t i, const struct import *im, struct bytes text)
{
    const char *want = cases[i].want ? cases[i].want : cases[i].text;
    bool good = bytes_is(text, want) && im->n_notes == count_notes(i);
    for (size_t k = 0; k < im->n_notes; k++) {
        char line[512];
        (void)snprintf(line, sizeof(line), "%u: %s", im->notes[k].line, im->notes[k].what);
        if (k >= ARRAY_LEN(cases[i].notes) || !cases[i].notes[k] ||
            !str_eq(line, cases[i].notes[k])) {
            print_error("%s: note %s\n", cases[i].what, line);
            good = false;
        }
    }
    size_t trusted = 0;
    while (trusted < ARRAY_LEN(cases[i].trust) && cases[i].trust[trusted].path)
        trusted++;
    good = good && im->trust.n == trusted;
    for (size_t k = 0; good && k < trusted; k++)
        good = str_eq(im->trust.v[k].path, cases[i].trust[k].path) &&
               im->trust.v[k].level == cases[i].trust[k].level;
    return good;
}

static void test_cases(void **state)
{
    (void)state;
    int failures = 0;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct arena a = {0};
        struct import im = {.arena = &a};
        struct error err = {0};
        struct bytes text = {"", 0};
        int r =
            import_text(&im, "config.toml", bytes_of(cases[i].text), cases[i].profile, &text, &err);
        if (r < 0 || !is_right(i, &im, text)) {
            print_error("%s: %s\n%s", cases[i].what, err.message, text.p);
            failures++;
        }
        arena_release(&a);
    }
    assert_int_equal(failures, 0);
}

static void test_broken(void **state)
{
    (void)state;
    struct arena a = {0};
    struct import im = {.arena = &a};
    struct error err = {0};
    struct bytes text = {0};
    assert_int_equal(import_text(&im, "config.toml", bytes_of("a = 1\nb = \n"), false, &text, &err),
                     -EINVAL);
    assert_string_equal(err.file, "config.toml");
    assert_int_equal(err.line, 2);
    assert_null(text.p);
    arena_release(&a);
}

static struct bytes read_sample(struct arena *a, const char *name)
{
    struct strbuf text = {0};
    assert_int_equal(
        path_read_file(AT_FDCWD, path_join(a, samples, name), MAX_FILE_BYTES, &text, NULL), 0);
    struct bytes copy = {arena_strndup(a, strbuf_text(&text), text.n), text.n};
    strbuf_release(&text);
    return copy;
}

/* In the samples every key is known: what goes is what stays with the agent, and the trust. */
static void test_samples(void **state)
{
    (void)state;
    struct arena a = {0};
    struct import im = {.arena = &a};
    struct error err = {0};
    struct bytes text;
    assert_int_equal(
        import_text(&im, "config.toml", read_sample(&a, "config.toml"), false, &text, &err), 0);
    assert_true(im.n_notes > 5);
    for (size_t i = 0; i < im.n_notes; i++)
        assert_null(strstr(im.notes[i].what, "unknown"));
    assert_int_equal(im.trust.n, 2);
    /* Once more, there is nothing left to do. */
    struct import again = {.arena = &a};
    struct bytes same;
    assert_int_equal(import_text(&again, "config.toml", text, false, &same, &err), 0);
    assert_int_equal(again.n_notes, 0);
    assert_true(bytes_eq(text, same));
    arena_release(&a);
}

/* Lines of a sample dropped, doubled, exchanged and cut: what parses is imported, and the result is
 * right (import_text() checks it as the layer it will be; its refusal is not a parser's). */
static void test_damaged_samples(void **state)
{
    (void)state;
    struct arena a = {0};
    struct bytes text = read_sample(&a, "config.toml");
    size_t imported = 0;
    uint32_t seed = 1;
    for (int round = 0; round < 400; round++) {
        struct arena b = {0};
        struct import im = {.arena = &b};
        struct strbuf out = {0};
        struct error err = {0};
        struct bytes got;
        for (size_t at = 0, end; at < text.n; at = end) {
            const char *lf = memchr(text.p + at, '\n', text.n - at);
            end = lf ? (size_t)(lf - text.p) + 1 : text.n;
            seed = seed * 1664525u + 1013904223u;
            unsigned dice = (seed >> 16) % 160;
            if (dice == 0 && end - at > 3)
                strbuf_put(&out, text.p + at + 1, end - at - 1); /* another key */
            else if (dice == 1 && memchr(text.p + at, '=', end - at))
                strbuf_printf(&out, "%.*s= true\n",
                              (int)((const char *)memchr(text.p + at, '=', end - at) - text.p -
                                    (ptrdiff_t)at),
                              text.p + at);
            else if (dice != 2)
                strbuf_put(&out, text.p + at, end - at);
        }
        int r = import_text(&im, "config.toml", (struct bytes){strbuf_text(&out), out.n}, false,
                            &got, &err);
        if (r == 0)
            imported++;
        else if (strstr(err.message, "imported text"))
            fail_msg("round %d: %s:%u: %s", round, err.file, err.line, err.message);
        strbuf_release(&out);
        arena_release(&b);
    }
    assert_true(imported > 50);
    arena_release(&a);
}

/* Memory can run out anywhere: an error, and nothing is left. */
static void test_memory(void **state)
{
    (void)state;
    static const char text[] =
        "nosuch = 1\nlimits = { nosuch = 2 }\napproval_policy = \"on-failure\"\n"
        "[projects.\"/a\"]\ntrust_level = \"trusted\"\n";
    int r = -ENOMEM;
    for (unsigned long n = 1; r == -ENOMEM; n++) {
        struct arena a = {0};
        struct import im = {.arena = &a};
        struct bytes got = {0};
        mem_fail_at(n);
        r = import_text(&im, "config.toml", bytes_of(text), false, &got, NULL);
        mem_fail_at(0);
        if (r < 0)
            assert_null(got.p);
        arena_release(&a);
        assert_true(n < 10000);
    }
    assert_int_equal(r, 0);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: test_import FOLDER\n");
        return 2;
    }
    samples = argv[1];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),   cmocka_unit_test(test_broken),
        cmocka_unit_test(test_samples), cmocka_unit_test(test_damaged_samples),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
