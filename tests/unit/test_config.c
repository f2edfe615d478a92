/* Layers, keys, and the shape of every error. */
#include "base/fd.h"
#include "base/path.h"
#include "config/config.h"
#include "config/keys.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[] = "/tmp/test_config.XXXXXX";
static char system_file[64], user_dir[64], user_file[80];

static int set_up(void **state)
{
    (void)state;
    if (!mkdtemp(dir))
        return -1;
    (void)snprintf(system_file, sizeof(system_file), "%s/etc.toml", dir);
    (void)snprintf(user_dir, sizeof(user_dir), "%s/home", dir);
    (void)snprintf(user_file, sizeof(user_file), "%s/config.toml", user_dir);
    return mkdir(user_dir, 0700);
}

static int tear_down(void **state)
{
    (void)state;
    (void)unlink(system_file);
    (void)unlink(user_file);
    return rmdir(user_dir) | rmdir(dir);
}

static void write_file(const char *file, const char *text)
{
    if (!text) {
        (void)unlink(file);
        return;
    }
    FILE *f = fopen(file, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
    assert_int_equal(fclose(f), 0);
}

struct setting {
    const char *system, *user;
    const char *over[4];
    enum sandbox_mode flag;
    bool strict, vcs, no_home;
};

static int load(struct arena *a, const struct setting *s, struct config **ret, struct error *err)
{
    struct config_flag flag = {"--sandbox", "sandbox_mode", sandbox_mode_word(s->flag)};
    struct config_request request = {
        .system_file = system_file,
        .bawn_home = user_dir,
        .home = s->no_home ? NULL : "/home/u",
        .cwd = "/ws",
        .overrides = s->over,
        .flags = &flag,
        .n_flags = flag.value != NULL,
        .strict = s->strict,
        .in_version_control = s->vcs,
    };
    while (request.n_overrides < ARRAY_LEN(s->over) && s->over[request.n_overrides])
        request.n_overrides++;
    write_file(system_file, s->system);
    write_file(user_file, s->user);
    return config_load(a, &request, ret, err);
}

/* ---- errors and warnings ---- */

static const struct {
    const char *what;
    struct setting with;
    const char *error; /* a part; NULL: it loads */
    const char *note;  /* of the error */
    unsigned line, column, length;
    const char *warning; /* a part of the only one; NULL: there is none */
} cases[] = {
    {"nothing", {0}, NULL},
    {"the example of the specification",
     {.user = "# x\nsandbox_mode = \"workspace\"\n"},
     "sandbox_mode: unknown value \"workspace\"; expected read-only, workspace-write or "
     "danger-full-access",
     "did you mean \"workspace-write\"?",
     2,
     16,
     11,
     NULL},
    {"a value that is near nothing",
     {.user = "sandbox_mode = \"zzz\"\n"},
     "unknown value \"zzz\"",
     "",
     1,
     16,
     5,
     NULL},
    {"a syntax error", {.user = "a = \n"}, "", NULL, 1, 0, 0, NULL},
    {"a syntax error in the system's file", {.system = "[a\n"}, "", NULL, 1, 0, 0, NULL},
    {"a string where a boolean is due",
     {.user = "private_tmp = \"yes\"\n"},
     "private_tmp: expected a boolean, found a string",
     NULL,
     1,
     15,
     5,
     NULL},
    {"an integer where a string is due",
     {.user = "model = 3\n"},
     "model: expected a string, found an integer",
     NULL,
     1,
     9,
     1,
     NULL},
    {"a table where a list is due",
     {.user = "[protected_names]\n"},
     "expected an array of strings, found a table",
     NULL,
     1,
     0,
     0,
     NULL},
    {"an item of the wrong type",
     {.user = "devices = [\"gpu\", 3]\n"},
     "devices: expected a string, found an integer",
     NULL,
     1,
     19,
     1,
     NULL},
    {"a scalar where a table is due",
     {.user = "sandbox_workspace_write = true\n"},
     "expected a table, found boolean",
     NULL,
     1,
     27,
     4,
     NULL},
    {"a nested key of the wrong type",
     {.user = "[sandbox_workspace_write]\nnetwork_access = 1\n"},
     "sandbox_workspace_write.network_access: expected a boolean",
     NULL,
     2,
     18,
     1,
     NULL},
    {"a NUL byte", {.user = "model = \"a\\u0000b\"\n"}, "NUL byte", NULL, 1, 9, 10, NULL},
    {"an integer out of range",
     {.user = "nested_repo_depth = 65\n"},
     "65 is too large; at most 64",
     NULL,
     1,
     21,
     2,
     NULL},
    {"a negative integer",
     {.user = "nested_repo_count = -1\n"},
     "-1 is too small",
     NULL,
     1,
     21,
     2,
     NULL},
    {"a negative size",
     {.user = "limits.memory = -1\n"},
     "limits.memory: -1 is too small",
     NULL,
     1,
     17,
     2,
     NULL},
    {"a size that is none",
     {.user = "limits.memory = \"2 gigs\"\n"},
     "is not a size",
     NULL,
     1,
     17,
     8,
     NULL},
    {"an infinite time", {.user = "limits.wall_seconds = inf\n"}, "finite", NULL, 1, 23, 3, NULL},
    {"a protected name with ..",
     {.user = "protected_names = [\"a\", \"../b\"]\n"},
     "\"..\" components",
     NULL,
     1,
     25,
     6,
     NULL},
    {"a protected name with a wildcard",
     {.user = "protected_names = [\"*.key\"]\n"},
     "without wildcards",
     NULL,
     1,
     20,
     7,
     NULL},
    {"a protected name that is absolute",
     {.user = "protected_agent_names = [\"/a\"]\n"},
     "not a name below",
     NULL,
     1,
     26,
     4,
     NULL},
    {"an empty protected name",
     {.user = "protected_names = [\"\"]\n"},
     "not a name below",
     NULL,
     1,
     20,
     2,
     NULL},
    {"a relative socket",
     {.user = "allow_unix_sockets = [\"run/x\"]\n"},
     "\"run/x\" is not an absolute path",
     NULL,
     1,
     23,
     7,
     NULL},
    {"a socket in a home that is not there",
     {.user = "allow_unix_sockets = [\"~/x\"]\n", .no_home = true},
     "there is no home directory",
     NULL,
     1,
     23,
     5,
     NULL},
    {"a variable's name with =",
     {.user = "shell_environment_policy.set = { \"A=B\" = \"x\" }\n"},
     "\"A=B\" cannot be a variable's name",
     NULL,
     1,
     34,
     5,
     NULL},
    {"a variable's value of the wrong type",
     {.user = "shell_environment_policy.set = { A = 1 }\n"},
     "shell_environment_policy.set: A: expected a string",
     NULL,
     1,
     38,
     1,
     NULL},
    {"an approval policy",
     {.user = "approval_policy = \"always\"\n"},
     "expected untrusted, on-failure, on-request or never",
     NULL,
     1,
     19,
     8,
     NULL},
    {"a feature of the wrong type",
     {.user = "features.x = 1\n"},
     "features.x: expected a boolean or a table",
     NULL,
     1,
     14,
     1,
     NULL},
    {"a fault that a higher layer would hide",
     {.system = "private_tmp = 1\n", .user = "private_tmp = true\n"},
     "private_tmp: expected a boolean",
     NULL,
     1,
     15,
     1,
     NULL},
    {"permissions that are no table",
     {.user = "permissions = 1\n"},
     "permissions: expected a table",
     NULL,
     1,
     15,
     1,
     NULL},
    {"a broken profile is no error here", {.user = "[permissions.p]\nnonsense = 1\n"}, NULL},

    {"an unknown key",
     {.user = "\nsandbox_mod = \"read-only\"\n"},
     NULL,
     NULL,
     0,
     0,
     0,
     "config.toml:2:1: sandbox_mod: unknown key; did you mean \"sandbox_mode\"?"},
    {"an unknown nested key",
     {.user = "[sandbox_workspace_write]\nwritable_root = []\n"},
     NULL,
     NULL,
     0,
     0,
     0,
     "config.toml:2:1: sandbox_workspace_write.writable_root: unknown key; did you mean "
     "\"writable_roots\"?"},
    {"a key in the wrong table",
     {.user = "writable_roots = []\n"},
     NULL,
     NULL,
     0,
     0,
     0,
     "did you mean \"sandbox_workspace_write.writable_roots\"?"},
    {"an unknown table",
     {.user = "[weather]\ntheme = \"x\"\n"},
     NULL,
     NULL,
     0,
     0,
     0,
     "weather: unknown key"},
    {"an unknown key that needs quotes",
     {.user = "\"a b\\n\" = 1\n"},
     NULL,
     NULL,
     0,
     0,
     0,
     "\"a b\\u000a\": unknown key"},
    {"an unknown key, strictly",
     {.user = "sandbox_mod = 1\n", .strict = true},
     "sandbox_mod: unknown key",
     "did you mean \"sandbox_mode\"?",
     1,
     1,
     11,
     NULL},
    {"an unknown key of granular",
     {.user = "approval_policy = { granular = { rule = true } }\n"},
     NULL,
     NULL,
     0,
     0,
     0,
     "approval_policy.granular.rule: unknown key; did you mean \"rules\"?"},
    {"on-failure",
     {.user = "approval_policy = \"on-failure\"\n"},
     NULL,
     NULL,
     0,
     0,
     0,
     "config.toml:1: approval_policy: \"on-failure\" is read as \"on-request\""},
    {"a word where a list of commands is due",
     {.user = "[commands]\nknown_safe = \"make\"\n"},
     "commands.known_safe: expected an array of arrays of strings, found a string",
     NULL,
     2,
     14,
     6,
     NULL},
    {"a word where a command is due",
     {.user = "commands.not_safe = [[\"a\"], \"make test\"]\n"},
     "commands.not_safe: expected an array of words such as [\"git\", \"push\"], found a string",
     NULL,
     1,
     29,
     11,
     NULL},
    {"a number in a command",
     {.user = "commands.dangerous = [[\"a\", 1]]\n"},
     "commands.dangerous: expected a string, found an integer",
     NULL,
     1,
     23,
     8,
     NULL},
    {"a command without a program",
     {.user = "commands.not_dangerous = [[]]\n"},
     "commands.not_dangerous: a command begins with the name of a program",
     NULL,
     1,
     27,
     2,
     NULL},
    {"a program with its directory",
     {.user = "commands.known_safe = [[\"/bin/ls\"]]\n"},
     "commands.known_safe: \"/bin/ls\": a program is named without its directory",
     NULL,
     1,
     24,
     11,
     NULL},
    {"an unknown list of commands",
     {.user = "[commands]\nsafe = []\n"},
     NULL,
     NULL,
     0,
     0,
     0,
     "commands.safe: unknown key"},
    {"the older spelling of granular",
     {.user = "approval_policy = { reject = { rules = true } }\n"},
     NULL,
     NULL,
     0,
     0,
     0,
     "config.toml:1: approval_policy.reject: the older spelling; now it is granular = { "
     "sandbox_approval = true, rules = false, mcp_elicitations = true, request_permissions = true, "
     "skill_approval = true }"},
    {"an unknown key of it",
     {.user = "[approval_policy.reject]\nrule = true\n", .strict = true},
     "approval_policy.reject.rule: unknown key",
     "did you mean \"rules\"?",
     2,
     1,
     4,
     NULL},
    {"keys of other programs' tables are kept",
     {.user = "[mcp_servers.x]\ncommand = \"a\"\nanything = [1]\n[tui]\nx = 1\n"
              "[history]\npersistence = \"none\"\n[model_providers.y]\nz = 1\n[profiles.q]\nm = "
              "1\n[auto_review]\npolicy = \"\"\n"},
     NULL},
    {"trust",
     {.user = "[projects.\"/a.b\"]\ntrust_level = \"trused\"\n"},
     "projects.\"/a.b\".trust_level: unknown value",
     "did you mean \"trusted\"?",
     2,
     15,
     8,
     NULL},
    {"CRLF and a byte order mark",
     {.user = "\xef\xbb\xbfprivate_tmp = true\r\nmodel = \"m\"\r\n"},
     NULL},

    {"-c: an unknown key",
     {.over = {"sandbox_mod=1"}},
     "sandbox_mod: unknown key",
     "did you mean \"sandbox_mode\"?",
     1,
     1,
     11,
     NULL},
    {"-c: without =", {.over = {"sandbox_mode"}}, "expected KEY=VALUE", NULL, 0, 0, 0, NULL},
    {"-c: without a key", {.over = {"=1"}}, "-c =1", NULL, 0, 0, 0, NULL},
    {"-c: a key that is none", {.over = {"a b=1"}}, "-c a b=1", NULL, 0, 0, 0, NULL},
    {"-c: a bad value",
     {.over = {"sandbox_mode=workspace"}},
     "unknown value \"workspace\"",
     "did you mean \"workspace-write\"?",
     1,
     14,
     9,
     NULL},
    {"-c: a bad TOML value",
     {.over = {"devices = [ 1 ]"}},
     "expected a string, found an integer",
     NULL,
     1,
     13,
     1,
     NULL},
    {"-c: half a list is a string",
     {.over = {"devices=[\"a\""}},
     "expected an array of strings, found a string",
     NULL,
     1,
     9,
     4,
     NULL},
    {"-c: an equals sign in quotes", {.over = {"projects.\"/a=b\".trust_level=trusted"}}, NULL},
    {"-c: an escaped quote", {.over = {"projects.\"/a\\\"=b\".trust_level=trusted"}}, NULL},
    {"-c: a literal key", {.over = {"projects.'/a=b\\'.trust_level = \"trusted\""}}, NULL},
};

static void test_cases(void **state)
{
    (void)state;
    size_t failures = 0;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        _cleanup_arena_ struct arena a = {0};
        struct config *c = NULL;
        struct error err = {0};
        const char *what = cases[i].what;
        int r = load(&a, &cases[i].with, &c, &err);
        if ((r < 0) != (cases[i].error != NULL)) {
            print_error("%s: returned %d: %s\n", what, r, err.message);
            failures++;
            continue;
        }
        bool bad =
            r < 0 && (!strstr(err.message, cases[i].error) ||
                      (cases[i].note && !str_eq(err.note, cases[i].note)) ||
                      (cases[i].line && err.line != cases[i].line) ||
                      (cases[i].column && err.column != cases[i].column) ||
                      (cases[i].length && err.length != cases[i].length) ||
                      (cases[i].line && !err.excerpt[0]) || !err.message[0] || err.code != r);
        if (bad)
            print_error("%s: %s:%u:%u (%u): %s [%s] %s\n", what, err.file, err.line, err.column,
                        err.length, err.message, err.note, err.excerpt);
        if (r == 0 &&
            (cases[i].warning ? c->n_warnings != 1 || !strstr(c->warnings[0], cases[i].warning)
                              : c->n_warnings != 0)) {
            bad = true;
            print_error("%s: %zu warnings: %s\n", what, c->n_warnings,
                        c->n_warnings ? c->warnings[0] : "");
        }
        failures += bad;
    }
    assert_int_equal(failures, 0);
}

/* ---- values ---- */

static void check_list(const struct string_list *l, const char *want)
{
    _cleanup_strbuf_ struct strbuf b = {0};
    for (size_t i = 0; i < l->n; i++)
        strbuf_printf(&b, "%s%s", i ? " " : "", l->v[i]);
    assert_string_equal(strbuf_text(&b), want);
}

static void test_defaults(void **state)
{
    (void)state;
    _cleanup_arena_ struct arena a = {0};
    struct config *c;
    struct setting s = {.vcs = true};
    assert_int_equal(load(&a, &s, &c, NULL), 0);
    assert_int_equal(c->sandbox_mode, MODE_UNSET);
    assert_int_equal(c->default_mode, MODE_WORKSPACE_WRITE);
    assert_null(c->default_permissions);
    assert_int_equal(c->backend, BACKEND_AUTO);
    assert_false(c->network_access || c->exclude_slash_tmp || c->exclude_tmpdir_env_var);
    assert_false(c->private_tmp || c->strict_hardlinks || c->allow_nested_userns ||
                 c->allow_ptrace);
    check_list(&c->protected_names, ".git .agents .codex .bawn .aws");
    assert_string_equal(c->protected_agent_names.v[0], ".claude");
    assert_false(c->protected_names.set);
    assert_string_equal(c->protected_names.origin.layer, "default");
    assert_null(c->protected_names.origin.file);
    assert_int_equal(c->nested_repo_depth, 4);
    assert_int_equal(c->nested_repo_count, 256);
    assert_int_equal(c->env_inherit, INHERIT_ALL);
    assert_false(c->env_ignore_default_excludes);
    assert_int_equal(c->limits.memory_bytes + c->limits.cpu_seconds + c->limits.processes +
                         c->limits.open_files + c->limits.file_size_bytes,
                     0);
    assert_true(c->limits.wall_seconds == 0);
    assert_string_equal(c->approval_policy, "on-request");
    assert_int_equal(c->n_layers, 3);
    assert_false(c->layers[1].read);
    assert_non_null(c->layers[1].reason);
    s.vcs = false;
    assert_int_equal(load(&a, &s, &c, NULL), 0);
    assert_int_equal(c->default_mode, MODE_READ_ONLY);
}

static void test_values(void **state)
{
    (void)state;
    _cleanup_arena_ struct arena a = {0};
    struct config *c;
    struct error err = {0};
    struct setting s = {
        .user =
            "sandbox_backend = \"landlock\"\nprivate_tmp = true\nstrict_hardlinks = true\n"
            "allow_nested_userns = true\nallow_ptrace = true\nallow_unix_sockets = [\"/run//x\", "
            "\"~/y\"]\n"
            "devices = [\"gpu\"]\nnested_repo_depth = 0\nnested_repo_count = "
            "7\ndefault_permissions = \"p\"\n"
            "[limits]\ncpu_seconds = 5\nmemory = \"2GiB\"\nprocesses = 10\nopen_files = "
            "20\nfile_size = "
            "\"5 MB\"\nwall_seconds = 1.5\n[shell_environment_policy]\ninherit = \"core\"\n"
            "ignore_default_excludes = true\nexclude = [\"A*\"]\ninclude_only = [\"B\", \"C\"]\n"
            "set = { X = \"1\", Y = \"a=b\" }\n[sandbox_workspace_write]\nwritable_roots = [\"a\", "
            "\"~/b\"]\n"
            "network_access = true\nexclude_tmpdir_env_var = true\nexclude_slash_tmp = true\n"};
    if (load(&a, &s, &c, &err) < 0)
        fail_msg("%s:%u: %s", err.file, err.line, err.message);
    assert_int_equal(c->backend, BACKEND_LANDLOCK);
    assert_int_equal(c->backend_origin.line, 1);
    assert_true(c->private_tmp && c->strict_hardlinks && c->allow_nested_userns && c->allow_ptrace);
    check_list(&c->allow_unix_sockets, "/run/x /home/u/y");
    check_list(&c->devices, "gpu");
    assert_int_equal(c->nested_repo_depth, 0);
    assert_int_equal(c->nested_repo_count, 7);
    assert_string_equal(c->default_permissions, "p");
    assert_int_equal(c->default_permissions_origin.line, 10);
    assert_int_equal(c->limits.cpu_seconds, 5);
    assert_int_equal(c->limits.memory_bytes, 2147483648u);
    assert_int_equal(c->limits.processes, 10);
    assert_int_equal(c->limits.open_files, 20);
    assert_int_equal(c->limits.file_size_bytes, 5000000);
    assert_true(c->limits.wall_seconds > 1.49 && c->limits.wall_seconds < 1.51);
    assert_int_equal(c->env_inherit, INHERIT_CORE);
    assert_true(c->env_ignore_default_excludes);
    check_list(&c->env_exclude, "A*");
    check_list(&c->env_include_only, "B C");
    check_list(&c->env_set, "X=1 Y=a=b");
    check_list(&c->writable_roots, "a ~/b");
    assert_true(c->network_access && c->exclude_slash_tmp && c->exclude_tmpdir_env_var);
    assert_string_equal(c->network_access_origin.layer, "user");
    assert_string_equal(c->network_access_origin.file, user_file);
}

static void test_layers(void **state)
{
    (void)state;
    _cleanup_arena_ struct arena a = {0};
    struct config *c;
    struct error err = {0};
    struct setting s = {
        .system = "sandbox_mode = \"read-only\"\nmodel = \"s\"\nprivate_tmp = true\n"
                  "[sandbox_workspace_write]\nwritable_roots = [\"/s\"]\nnetwork_access = true\n"
                  "[mcp_servers.a]\nx = 1\ny = 1\n",
        .user = "model = \"u\"\n[sandbox_workspace_write]\nwritable_roots = [\"/u\", \"/v\"]\n"
                "[mcp_servers.a]\ny = 2\n[mcp_servers.b]\nz = 1\n",
        .over = {"model=c", "mcp_servers.a.y = 3", "sandbox_workspace_write.network_access = false",
                 "shell_environment_policy.set={A=\"x\"}"},
        .flag = MODE_DANGER_FULL_ACCESS};
    if (load(&a, &s, &c, &err) < 0)
        fail_msg("%s:%u: %s", err.file, err.line, err.message);
    assert_int_equal(c->sandbox_mode, MODE_DANGER_FULL_ACCESS);
    assert_string_equal(c->sandbox_mode_origin.layer, "flag");
    assert_string_equal(c->sandbox_mode_origin.file, "--sandbox");
    assert_int_equal(c->sandbox_mode_origin.line, 0);
    assert_true(c->private_tmp);
    assert_false(c->network_access);
    assert_string_equal(c->network_access_origin.layer, "session");
    assert_string_equal(c->network_access_origin.file, "-c");
    check_list(&c->writable_roots, "/u /v"); /* arrays replace */
    assert_string_equal(c->writable_roots.origin.layer, "user");
    assert_int_equal(c->writable_roots.origin.line, 3);
    check_list(&c->env_set, "A=x");
    const struct toml_value *v = toml_get(c->tree, BYTES("model"));
    assert_string_equal(v->string.p, "c");
    const struct toml_value *servers = toml_get(c->tree, BYTES("mcp_servers"));
    assert_int_equal(servers->table.n, 2);
    const struct toml_value *one = toml_get(servers, BYTES("a"));
    assert_int_equal(toml_get(one, BYTES("x"))->integer, 1);
    assert_int_equal(toml_get(one, BYTES("y"))->integer, 3);
    struct origin o = config_origin(toml_get(one, BYTES("x")), toml_get(one, BYTES("x"))->span);
    assert_string_equal(o.layer, "system");
    assert_int_equal(o.line, 8);
    assert_string_equal(config_place(&a, &o),
                        show_n(config_place(&a, &o), strlen(config_place(&a, &o))));
    assert_int_equal(c->n_layers, 8);
    for (size_t i = 0; i < c->n_layers; i++)
        assert_true(c->layers[i].read);
    assert_string_equal(c->layers[1].dir, dir);
    assert_string_equal(c->layers[2].dir, user_dir);
}

/* Tables and scalars may stand in for one another across layers only where the key allows both. */
static void test_approval_layers(void **state)
{
    (void)state;
    _cleanup_arena_ struct arena a = {0};
    struct config *c;
    struct setting s = {.system = "approval_policy = \"never\"\n",
                        .user = "[approval_policy.granular]\nrules = true\n"};
    assert_int_equal(load(&a, &s, &c, NULL), 0);
    assert_string_equal(c->approval_policy, "granular");
    s.over[0] = "approval_policy=untrusted";
    assert_int_equal(load(&a, &s, &c, NULL), 0);
    assert_string_equal(c->approval_policy, "untrusted");
    assert_false(c->granular.rules); /* of another policy */
}

/* What the policy by kind asks about: s, r, m, p and k for its five, in their order. */
static void test_granular(void **state)
{
    static const struct {
        struct setting with;
        const char *asked;
    } policies[] = {
        {{.user = "approval_policy = { granular = { sandbox_approval = true, rules = true, "
                  "mcp_elicitations = true } }\n"},
         "srm"},
        {{.user = "approval_policy = { granular = { sandbox_approval = false, rules = true, "
                  "mcp_elicitations = false, request_permissions = true, skill_approval = true } "
                  "}\n"},
         "rpk"},
        /* fails closed: what is not said is refused */
        {{.user = "approval_policy = { granular = { rules = true } }\n"}, "r"},
        {{.user = "approval_policy = { granular = {} }\n"}, ""},
        {{.user = "approval_policy = {}\n"}, ""},
        /* the older spelling, negated */
        {{.user = "approval_policy = { reject = {} }\n"}, "srmpk"},
        {{.user = "approval_policy = { reject = { sandbox_approval = true, rules = false } }\n"},
         "rmpk"},
        /* both: what neither refuses */
        {{.system = "approval_policy = { reject = { rules = true } }\n",
          .user = "approval_policy = { granular = { rules = true, sandbox_approval = true } }\n"},
         "s"},
        {{.system = "approval_policy = { granular = { rules = true, sandbox_approval = true } }\n",
          .over = {"approval_policy.reject.rules=true"}},
         "s"},
        /* layers merge key by key */
        {{.system = "approval_policy = { granular = { rules = true, skill_approval = true } }\n",
          .user = "approval_policy = { granular = { rules = false } }\n"},
         "k"},
        {{.user = "approval_policy = \"on-request\"\n"}, ""},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(policies); i++) {
        _cleanup_arena_ struct arena a = {0};
        struct config *c;
        char asked[8];
        assert_int_equal(load(&a, &policies[i].with, &c, NULL), 0);
        (void)snprintf(asked, sizeof(asked), "%s%s%s%s%s", c->granular.sandbox_approval ? "s" : "",
                       c->granular.rules ? "r" : "", c->granular.mcp_elicitations ? "m" : "",
                       c->granular.request_permissions ? "p" : "",
                       c->granular.skill_approval ? "k" : "");
        assert_string_equal(asked, policies[i].asked);
    }
}

static void test_commands(void **state)
{
    (void)state;
    _cleanup_arena_ struct arena a = {0};
    struct config *c;
    struct setting s = {.user = "[commands]\nknown_safe = [[\"terraform\", \"plan\"], [\"make\"]]\n"
                                "dangerous = [[\"x\", \"\", \"-y z/\"]]\n"};
    assert_int_equal(load(&a, &s, &c, NULL), 0);
    const struct config_commands *k = &c->commands;
    assert_int_equal(k->known_safe.n, 2);
    assert_int_equal(k->known_safe.v[0].n, 2);
    assert_string_equal(k->known_safe.v[0].words[0], "terraform");
    assert_string_equal(k->known_safe.v[0].words[1], "plan");
    assert_int_equal(k->known_safe.v[1].n, 1);
    assert_string_equal(k->known_safe.v[1].words[0], "make");
    assert_int_equal(k->dangerous.n, 1);
    assert_int_equal(k->dangerous.v[0].n, 3);
    assert_string_equal(k->dangerous.v[0].words[2], "-y z/");
    assert_int_equal(k->not_safe.n, 0);
    assert_int_equal(k->not_dangerous.n, 0);
    s.over[0] = "commands.known_safe=[]";
    assert_int_equal(load(&a, &s, &c, NULL), 0);
    assert_int_equal(c->commands.known_safe.n, 0);
}

static void test_files(void **state)
{
    (void)state;
    _cleanup_arena_ struct arena a = {0};
    struct config *c;
    struct error err = {0};
    struct config_request request = {.bawn_home = dir};
    /* a directory where the file should be */
    char path[80];
    (void)snprintf(path, sizeof(path), "%s/config.toml", dir);
    assert_int_equal(mkdir(path, 0700), 0);
    int r = config_load(&a, &request, &c, &err);
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(r, -EISDIR);
    assert_string_equal(err.file, path);
    /* no home at all */
    request.bawn_home = NULL;
    assert_int_equal(config_load(&a, &request, &c, &err), 0);
    assert_int_equal(c->n_layers, 1);
}

static void test_many_warnings(void **state)
{
    (void)state;
    _cleanup_arena_ struct arena a = {0};
    _cleanup_strbuf_ struct strbuf text = {0};
    struct config *c;
    for (unsigned i = 0; i < 5000; i++)
        strbuf_printf(&text, "unknown_%u = 1\n", i);
    struct setting s = {.user = strbuf_text(&text)};
    assert_int_equal(load(&a, &s, &c, NULL), 0);
    assert_int_equal(c->n_warnings, MAX_CONFIG_WARNINGS + 1);
    assert_string_equal(c->warnings[MAX_CONFIG_WARNINGS], "there are more warnings than are shown");
}

static void test_deep_override(void **state)
{
    (void)state;
    _cleanup_arena_ struct arena a = {0};
    _cleanup_strbuf_ struct strbuf text = {0};
    struct config *c;
    struct error err = {0};
    strbuf_puts(&text, "mcp_servers");
    for (unsigned i = 0; i < 2000; i++)
        strbuf_puts(&text, ".a");
    strbuf_puts(&text, "=1");
    struct setting s = {.over = {strbuf_text(&text)}};
    assert_true(load(&a, &s, &c, &err) < 0);
    assert_non_null(strstr(err.message, "-c "));
}

static void test_no_memory(void **state)
{
    (void)state;
    int r = -ENOMEM;
    for (unsigned long n = 1; r < 0; n++) {
        _cleanup_arena_ struct arena a = {0};
        struct config *c;
        struct error err = {0};
        struct setting s = {.system = "foo = 1\nmodel = \"x\"\n",
                            .user = "devices = [\"a\"]\n",
                            .over = {"model=1x"}};
        mem_fail_at(n);
        r = load(&a, &s, &c, &err);
        mem_fail_at(0);
        assert_true(r == 0 || err.code != 0);
        assert_true(n < 10000);
    }
}

/* ---- the table itself ---- */

static void test_table(void **state)
{
    (void)state;
    _cleanup_arena_ struct arena a = {0};
    for (size_t i = 0; i < config_keys.n; i++) {
        const struct config_key *k = &config_keys.keys[i];
        struct bytes parts[8];
        size_t n = 0;
        for (const char *s = k->name; *s;) {
            size_t len = strcspn(s, ".");
            parts[n++] = (struct bytes){s, len};
            s += len + (s[len] == '.');
        }
        const struct config_key *found = keys_find(&config_keys, parts, n, NULL);
        if (!found || !str_eq(found->name, k->name))
            fail_msg("%s is hidden by another row", k->name);
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(k->name, config_keys.keys[j].name);
        assert_true(k->text && k->text[0] && k->text[strlen(k->text) - 1] == '.');
        assert_int_equal((k->type == KEY_WORD || k->type == KEY_WORD_OR_TABLE), k->words != NULL);
        if (!k->fallback[0])
            continue;
        struct toml_value *v;
        const struct toml_value *at;
        struct error err = {0};
        if (toml_parse_value(&a, "x", bytes_of(k->fallback), TOML_1_1, &v, &err) < 0 ||
            key_check(k, v, &at, &err) < 0)
            fail_msg("the default of %s: %s", k->name, err.message);
    }
}

static void test_sizes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t want; /* 0: refused */
    } sizes[] = {
        {"1", 1},
        {"1B", 1},
        {"1K", 1024},
        {"1KiB", 1024},
        {"1KB", 1000},
        {"2GiB", 1ull << 31},
        {"2 GiB", 1ull << 31},
        {"3M", 3u << 20},
        {"1T", 1ull << 40},
        {"", 0},
        {"K", 0},
        {"-1", 0},
        {"1.5G", 0},
        {"1 ", 1},
        {"1  K", 0},
        {"1k", 0},
        {"1Gi", 0},
        {"9999999999999999999999", 0},
        {"9223372036854775807", INT64_MAX},
        {"9223372036854775808", 0},
        {"8388608TiB", 0},
        {"0x10", 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        uint64_t got = 0;
        bool ok = key_parse_size(bytes_of(sizes[i].text), &got);
        if (ok != (sizes[i].want != 0) || (ok && got != sizes[i].want))
            fail_msg("\"%s\": %d, %llu", sizes[i].text, ok, (unsigned long long)got);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),           cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_values),          cmocka_unit_test(test_layers),
        cmocka_unit_test(test_approval_layers), cmocka_unit_test(test_granular),
        cmocka_unit_test(test_commands),        cmocka_unit_test(test_files),
        cmocka_unit_test(test_many_warnings),   cmocka_unit_test(test_deep_override),
        cmocka_unit_test(test_no_memory),       cmocka_unit_test(test_table),
        cmocka_unit_test(test_sizes),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
