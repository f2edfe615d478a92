/* shell_environment_policy: what the command inherits. Tables of cases. */
#include "sandbox/environment.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

/* A list in one string, separated by spaces. */
static struct string_list list(struct arena *a, const char *text)
{
    struct string_list l = {.v = arena_zalloc(a, 64, sizeof(char *))};
    assert_non_null(l.v);
    while (text && *text) {
        size_t n = strcspn(text, " ");
        l.v[l.n++] = arena_strndup(a, text, n);
        text += n + (text[n] == ' ');
    }
    return l;
}

static const char *joined(struct arena *a, const char **v, size_t n)
{
    char *out = arena_strdup(a, "");
    for (size_t i = 0; i < n; i++)
        out = arena_printf(a, "%s%s%s", out, i ? " " : "", v[i]);
    return out;
}

static void test_policy(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        enum env_inherit inherit;
        bool keep_secrets;
        const char *exclude, *include_only, *set, *environ, *added;
        const char *expect, *removed;
    } rows[] = {
        {"all", INHERIT_ALL, false, "", "", "", "A=1 B=2", "", "A=1 B=2", ""},
        {"empty", INHERIT_ALL, false, "", "", "", "", "", "", ""},
        {"secrets", INHERIT_ALL, false, "", "", "",
         "A=1 AWS_SECRET=x GH_TOKEN=x api_key=x DbPassWord=x MY_CREDENTIALS=x KEYBOARD=us KE=1", "",
         "A=1 KE=1", "AWS_SECRET GH_TOKEN api_key DbPassWord MY_CREDENTIALS KEYBOARD"},
        {"the value is not looked at", INHERIT_ALL, false, "", "", "", "A=TOKEN", "", "A=TOKEN",
         ""},
        {"secrets kept", INHERIT_ALL, true, "", "", "", "GH_TOKEN=x", "", "GH_TOKEN=x", ""},
        {"core", INHERIT_CORE, false, "", "", "",
         "HOME=/h PATH=/p LC_ALL=C lc_x=1 FOO=1 TERM=x TMPDIR=/t LD_PRELOAD=x", "",
         "HOME=/h PATH=/p LC_ALL=C lc_x=1 TERM=x TMPDIR=/t", "FOO LD_PRELOAD"},
        {"none", INHERIT_NONE, false, "", "", "X=1", "HOME=/h", "Y=2", "X=1 Y=2", "HOME"},
        {"exclude", INHERIT_ALL, false, "aws_* ?X", "", "", "AWS_A=1 aws_b=1 AX=1 AAX=1", "",
         "AAX=1", "AWS_A aws_b AX"},
        {"include only", INHERIT_ALL, false, "", "path h*", "", "PATH=/p HOME=/h FOO=1", "",
         "PATH=/p HOME=/h", "FOO"},
        {"include only is a sieve for what is set too", INHERIT_ALL, false, "", "PATH",
         "X=1 PATH=/q", "PATH=/p FOO=1", "", "PATH=/q", "FOO"},
        {"exclude, then set, then include only", INHERIT_ALL, false, "A B", "A C", "A=9 B=9",
         "A=1 B=1 C=1", "", "C=1 A=9", "B"},
        {"what include only takes from set alone is not called removed", INHERIT_ALL, false, "",
         "PATH", "X=1", "PATH=/p", "", "PATH=/p", ""},
        {"set replaces", INHERIT_ALL, false, "", "", "A=9", "A=1 B=2", "", "A=9 B=2", ""},
        {"set replaces all of a name", INHERIT_ALL, false, "", "", "A=9", "A=1 A=2 B=3", "",
         "A=9 B=3", ""},
        {"set brings back a secret", INHERIT_ALL, false, "", "", "MY_TOKEN=n", "MY_TOKEN=o", "",
         "MY_TOKEN=n", ""},
        {"set brings back what is excluded", INHERIT_ALL, false, "A", "", "A=2", "A=1", "", "A=2",
         ""},
        {"set may be empty", INHERIT_ALL, false, "", "", "A=", "A=1", "", "A=", ""},
        {"the sandbox has the last word", INHERIT_ALL, false, "BAWN_*", "PATH", "BAWN_SANDBOX=0",
         "BAWN_SANDBOX=no PATH=/p", "BAWN_SANDBOX=1", "PATH=/p BAWN_SANDBOX=1", ""},
        {"malformed entries are dropped", INHERIT_ALL, false, "", "", "", "A=1 =x nothing B==", "",
         "A=1 B==", ""},
        {"removed once", INHERIT_ALL, false, "", "", "", "A_KEY=1 A_KEY=2", "", "", "A_KEY"},
        {"names are exact", INHERIT_ALL, false, "", "", "AB=9", "A=1 ABC=2", "", "A=1 ABC=2 AB=9",
         ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena a = {0};
        struct config c = {.env_inherit = rows[i].inherit,
                           .env_ignore_default_excludes = rows[i].keep_secrets,
                           .env_exclude = list(&a, rows[i].exclude),
                           .env_include_only = list(&a, rows[i].include_only),
                           .env_set = list(&a, rows[i].set)};
        struct string_list from = list(&a, rows[i].environ), added = list(&a, rows[i].added);
        struct environment e;
        assert_int_equal(environment_build(&a, &c, from.v, added.v, added.n, &e, NULL), 0);
        assert_null(e.env[e.n_env]);
        const char *got = joined(&a, e.env, e.n_env), *gone = joined(&a, e.removed, e.n_removed);
        if (!str_eq(got, rows[i].expect) || !str_eq(gone, rows[i].removed))
            fail_msg("%s: got \"%s\", removed \"%s\"", rows[i].what, got, gone);
        arena_release(&a);
    }
}

/* Further lists come from a project: none of them can widen another. */
static void test_narrowed(void **state)
{
    (void)state;
    struct arena a = {0};
    struct string_list narrow[] = {list(&a, "A* C"), list(&a, "*B C")};
    struct config c = {.env_narrow = narrow, .n_env_narrow = 2, .env_set = list(&a, "S=1")};
    struct string_list from = list(&a, "A=1 AB=1 B=1 C=1");
    struct environment e;
    assert_int_equal(environment_build(&a, &c, from.v, NULL, 0, &e, NULL), 0);
    assert_string_equal(joined(&a, e.env, e.n_env), "AB=1 C=1");
    assert_string_equal(joined(&a, e.removed, e.n_removed), "A B");
    c.env_include_only = list(&a, "A* S");
    assert_int_equal(environment_build(&a, &c, from.v, NULL, 0, &e, NULL), 0);
    assert_string_equal(joined(&a, e.env, e.n_env), "AB=1");
    arena_release(&a);
}

static void test_glob(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *name;
        bool match;
    } rows[] = {
        {"", "", true},
        {"", "A", false},
        {"*", "", true},
        {"*", "ANY", true},
        {"a", "A", true},
        {"A?", "A", false},
        {"A?", "AB", true},
        {"A*C", "ABBC", true},
        {"A*C", "ABBD", false},
        {"*A*B*", "xxAxxB", true},
        {"*a*b*c", "aabbcd", false},
        {"LC_*", "LC_", true},
        {"[A]", "A", false},
        {"[A]", "[a]", true},
        {"**", "A", true},
        {"*?", "", false},
        {"\xc3\xa9*", "\xc3\xa9X", true},
        {"*\xff", "A\xff", true},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (environment_glob(rows[i].pattern, rows[i].name, strlen(rows[i].name)) != rows[i].match)
            fail_msg("%s against %s", rows[i].pattern, rows[i].name);
    /* Many stars against a long name end at once. */
    char name[4096];
    memset(name, 'A', sizeof(name));
    assert_false(environment_glob("*A*A*A*A*A*A*A*A*B", name, sizeof(name)));
}

static void test_no_memory(void **state)
{
    (void)state;
    static const char *const from[] = {"A=1", "MY_KEY=2", NULL};
    for (unsigned long n = 1; n < 20; n++) {
        struct arena a = {0};
        struct config c = {0};
        struct environment e;
        mem_fail_at(n);
        int r = environment_build(&a, &c, from, NULL, 0, &e, NULL);
        mem_fail_at(0);
        assert_true(r == 0 || r == -12);
        arena_release(&a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_policy),
        cmocka_unit_test(test_narrowed),
        cmocka_unit_test(test_glob),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
