/*
 * The layers of configuration: their order, what a project's file may say, whose files are read,
 * and where a value came from. One test a rule; the files are real.
 */
#include "config_world.h"

#include "sandbox/environment.h"

/* ---- order ---- */

/* One key with a value of its own in every layer, lowest first. `flag` is the bare string. */
static const struct ladder_case {
    const char *key, *fallback;
    const char *value[7]; /* system … flag, as TOML */
    bool project_widens;  /* then its value is passed over */
} order[] = {
    {"limits.memory", NULL, {"90", "80", "70", "60", "50", "40", "30"}, false},
    {"limits.memory", NULL, {"10", "20", "30", "40", "50", "60", "70"}, true},
    {"model", NULL, {"'a'", "'b'", "'c'", "'d'", "'e'", "'f'", "'g'"}, true},
    {"approval_policy",
     "'on-request'",
     {"'never'", "'on-request'", "'never'", "'untrusted'", "'never'", "'on-request'",
      "'untrusted'"},
     false},
    {"web_search",
     NULL,
     {"'disabled'", "'live'", "'cached'", "'disabled'", "'live'", "'cached'", "'live'"},
     false},
    {"sandbox_backend",
     "'auto'",
     {"'bwrap'", "'bundled'", "'landlock'", "'bwrap'", "'auto'", "'bundled'", "'landlock'"},
     true},
    {"shell_environment_policy.inherit",
     "'all'",
     {"'none'", "'core'", "'all'", "'none'", "'core'", "'all'", "'none'"},
     false},
};

static const enum config_rank ranks[] = {RANK_SYSTEM,  RANK_USER,    RANK_PROFILE, RANK_PROJECT,
                                         RANK_SESSION, RANK_MANAGED, RANK_FLAG};

static const char *as_toml(struct arena *a, const struct toml_value *v)
{
    if (!v)
        return "(nothing)";
    return v->type == TOML_INTEGER  ? arena_printf(a, "%lld", (long long)v->integer)
           : v->type == TOML_STRING ? arena_printf(a, "'%s'", v->string.p)
                                    : "(another type)";
}

/* The layers whose bit is set in WHICH say their value. */
static struct setting stack_of(struct arena *a, const struct ladder_case *k, unsigned which,
                               bool profile_as_table)
{
    const char *line[7];
    for (size_t i = 0; i < 7; i++)
        line[i] = which & 1u << i ? arena_printf(a, "%s = %s\n", k->key, k->value[i]) : NULL;
    const char *bare = k->value[6];
    if (bare[0] == '\'')
        bare = arena_strndup(a, bare + 1, strlen(bare) - 2);
    struct setting s = {
        .system = line[0],
        .user = line[1],
        .project = line[3],
        .over = {which & 16 ? arena_printf(a, "%s=%s", k->key, k->value[4]) : NULL},
        .managed = line[5],
        .flags = {{"--flag", which & 64 ? k->key : NULL, bare}},
        .trust = TRUSTED,
        .profile = line[2] ? "p" : NULL,
    };
    if (line[2] && profile_as_table)
        s.user = arena_printf(a, "%s[profiles.p]\n%s", s.user ? s.user : "", line[2]);
    else
        s.profile_file = line[2];
    return s;
}

static void test_order(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(order); i++) {
        for (unsigned which = 0; which < 256; which++) {
            _cleanup_arena_ struct arena a = {0};
            const struct ladder_case *k = &order[i];
            struct setting s = stack_of(&a, k, which & 127, which & 128);
            int top = -1;
            for (int bit = 0; bit < 7; bit++)
                if (which & 1u << bit && !(bit == 3 && k->project_widens && which & 7))
                    top = bit;
            /* Against nothing but the default the project's value is judged by itself. */
            if (top == 3 && (which & 7) == 0)
                continue;
            struct config *c = load_good(&a, &s);
            const struct toml_value *v = config_find(c, k->key);
            const char *want = top < 0 ? k->fallback : k->value[top];
            const char *is = as_toml(&a, v);
            /* A flag's value is a string. */
            if (top == 6 && want[0] != '\'')
                want = arena_printf(&a, "'%s'", want);
            if (!str_eq(is, want ? want : "(nothing)"))
                fail_msg("%s, layers %02x: %s instead of %s", k->key, which, is, want);
            if (top < 0)
                continue;
            struct origin o = config_origin(v, v->span);
            if (!str_eq(o.layer, config_rank_word(ranks[top])))
                fail_msg("%s, layers %02x: from %s", k->key, which, o.layer);
        }
    }
}

static void test_origins(void **state)
{
    (void)state;
    _cleanup_arena_ struct arena a = {0};
    const struct setting s = {
        .system = "model = 'x'\nnested_repo_depth = 9\n",
        .user = "# one\n[limits]\n  processes = 8\n",
        .profile_file = "\n\nprivate_tmp =   true\n",
        .trust = TRUSTED,
        .project = "[limits]\nopen_files = 7\n",
        .sub = "\nallow_ptrace = false\nstrict_hardlinks = true\n",
        .profile = "p",
        .over = {"limits.cpu_seconds = 5"},
        .managed = "\nnested_repo_count = 4\n",
        .flags = {{"--search", "web_search", "live"}},
    };
    static const struct {
        const char *key, *layer, *file;
        unsigned line, column;
    } want[] = {
        {"model", "system", "@/etc/config.toml", 1, 9},
        {"nested_repo_depth", "system", "@/etc/config.toml", 2, 21},
        {"limits.processes", "user", "@/home/config.toml", 3, 15},
        {"private_tmp", "profile", "@/home/p.config.toml", 3, 17},
        {"limits.open_files", "project", "@/proj/.bawn/config.toml", 2, 14},
        /* what is so already stays whose word it was */
        {"allow_ptrace", "default", NULL, 0, 0},
        {"strict_hardlinks", "project", "@/proj/sub/.bawn/config.toml", 3, 20},
        {"limits.cpu_seconds", "session", "-c", 1, 22},
        {"nested_repo_count", "managed", "@/etc/managed_config.toml", 2, 21},
        {"web_search", "flag", "--search", 0, 0},
        {"sandbox_backend", "default", NULL, 0, 0},
    };
    struct config *c = load_good(&a, &s);
    for (size_t i = 0; i < ARRAY_LEN(want); i++) {
        const struct toml_value *v = config_find(c, want[i].key);
        assert_non_null(v);
        struct origin o = config_origin(v, v->span);
        print_message("%s: %s %s:%u:%u\n", want[i].key, o.layer, o.file ? o.file : "-", o.line,
                      o.column);
        assert_string_equal(o.layer, want[i].layer);
        if (want[i].file)
            assert_string_equal(o.file, with_world(want[i].file));
        else
            assert_null(o.file);
        assert_int_equal(o.line, want[i].line);
        assert_int_equal(o.column, want[i].column);
    }
    /* A table that two layers fill belongs to no one of them, its leaves do. */
    assert_int_equal(c->limits.processes, 8);
    assert_int_equal(c->limits.open_files, 7);
    assert_int_equal(c->limits.cpu_seconds, 5);
    assert_int_equal(c->n_warnings, 0);
}

/* ---- merging, profiles, files that are broken: a setting and what is asked ---- */

static const struct lcase {
    const char *what;
    struct setting with;
    const char *error;    /* a part; NULL: it loads */
    const char *place;    /* "FILE:LINE" of the error */
    const char *hint;     /* a part */
    const char *key, *is; /* a value of the merged tree as TOML; "(nothing)" */
    const char *warning;  /* a part of one; NULL: there is none */
} cases[] = {
    {"tables merge key by key",
     {.system = "[limits]\nprocesses = 1\nopen_files = 2\n", .user = "limits.processes = 3\n"},
     .key = "limits.open_files",
     .is = "2"},
    {"the higher of one key",
     {.system = "[limits]\nprocesses = 1\nopen_files = 2\n", .user = "limits.processes = 3\n"},
     .key = "limits.processes",
     .is = "3"},
    {"arrays replace",
     {.system = "devices = ['gpu', 'kvm']\n", .user = "devices = []\n"},
     .key = "devices",
     .is = "[]"},
    {"a table over a word replaces",
     {.system = "approval_policy = 'never'\n",
      .user = "approval_policy = { granular = { rules = true } }\n"},
     .key = "approval_policy.granular.rules",
     .is = "true"},
    {"a word over a table replaces",
     {.system = "approval_policy = { granular = { rules = true } }\n",
      .user = "approval_policy = 'never'\n"},
     .key = "approval_policy",
     .is = "'never'"},

    {"a profile as a file",
     {.profile = "p", .profile_file = "model = 'm'\n"},
     .key = "model",
     .is = "'m'"},
    {"a profile as a table",
     {.profile = "p", .user = "model = 'n'\n[profiles.p]\nmodel = 'm'\n"},
     .key = "model",
     .is = "'m'"},
    {"of the system",
     {.profile = "p", .system = "[profiles.p]\nmodel = 'm'\n", .user = "model = 'n'\n"},
     .key = "model",
     .is = "'m'"},
    {"of both: the user's wins",
     {.profile = "p",
      .system = "[profiles.p]\nmodel = 'm'\nnested_repo_depth = 7\n",
      .user = "[profiles.p]\nmodel = 'n'\n"},
     .key = "model",
     .is = "'n'"},
    {"of both: key by key",
     {.profile = "p",
      .system = "[profiles.p]\nmodel = 'm'\nnested_repo_depth = 7\n",
      .user = "[profiles.p]\nmodel = 'n'\n"},
     .key = "nested_repo_depth",
     .is = "7"},
    {"a fault in the system's half is shown there",
     {.profile = "p",
      .system = "# a\n# b\n# c\n[profiles.p]\nmodel = 3\n",
      .user = "[profiles.p]\nprivate_tmp = true\n"},
     "model: expected a string, found an integer",
     "@/etc/config.toml:5"},
    {"a profile that is not asked for",
     {.user = "[profiles.p]\nmodel = 'm'\n", .profile_file = "model = 'f'\n"},
     .key = "model",
     .is = "(nothing)"},
    {"a file and a table",
     {.profile = "p", .user = "[profiles.p]\nmodel = 'm'\n", .profile_file = "model = 'f'\n"},
     "both a file and a table"},
    {"a file and a table of the system",
     {.profile = "p", .system = "[profiles.p]\nmodel = 'm'\n", .profile_file = "model = 'f'\n"},
     "both a file and a table"},
    {"one that is missing",
     {.profile = "q"},
     "--profile \"q\": there is no such profile",
     .hint = "home/q.config.toml or the table [profiles.q]"},
    {"the name of a file elsewhere", {.profile = "../p"}, "is not the name of a profile"},
    {"an empty name", {.profile = ""}, "is not the name of a profile"},
    {"profile = NAME",
     {.user = "profile = 'p'\n", .profile_file = "model = 'm'\n"},
     .key = "model",
     .is = "'m'"},
    {"profile = NAME of the system",
     {.system = "profile = 'p'\n", .user = "[profiles.p]\nmodel = 'm'\n"},
     .key = "model",
     .is = "'m'"},
    {"profile = NAME, and it is missing",
     {.user = "\nprofile = 'q'\n"},
     "profile: \"q\" there is no such profile",
     "@/home/config.toml:2",
     "[profiles.q]"},
    {"--profile over profile = NAME",
     {.user = "profile = 'q'\n", .profile = "p", .profile_file = "model = 'm'\n"},
     .key = "model",
     .is = "'m'"},
    {"-c profile over the user's",
     {.user = "profile = 'q'\n", .over = {"profile=p"}, .profile_file = "model = 'm'\n"},
     .key = "model",
     .is = "'m'"},
    {"a profile in a profile",
     {.profile = "p", .profile_file = "\nprofile = 'q'\n"},
     "profile: cannot stand in a configuration profile",
     "@/home/p.config.toml:2"},
    {"profiles in a profile",
     {.profile = "p", .profile_file = "[profiles.q]\nmodel = 'm'\n"},
     "profiles.q: cannot stand in a configuration profile",
     "@/home/p.config.toml:1"},
    {"trust in a profile",
     {.profile = "p", .user = "[profiles.p.projects.'/x']\ntrust_level = 'trusted'\n"},
     "trust_level: cannot stand in a configuration profile",
     "@/home/config.toml:2"},
    {"a broken profile file",
     {.profile = "p", .profile_file = "model = \n"},
     "",
     "@/home/p.config.toml:1"},

    {"a broken system file", {.system = "a = \n"}, "", "@/etc/config.toml:1"},
    {"a broken user file", {.user = "\na = \n"}, "", "@/home/config.toml:2"},
    {"a broken managed file", {.managed = "a = [\n"}, "", "@/etc/managed_config.toml:"},
    {"a bad value in a layer that another hides",
     {.system = "sandbox_mode = 'w'\n", .user = "sandbox_mode = 'read-only'\n"},
     "sandbox_mode: unknown value \"w\"",
     "@/etc/config.toml:1"},
    {"a broken trust.toml", {.trust = "[projects\n"}, "", "@/home/trust.toml:1"},
    {"a bad word in trust.toml",
     {.trust = "[projects.'/x']\ntrust_level = 'yes'\n"},
     "unknown value \"yes\"",
     "@/home/trust.toml:2"},
    {"a relative path in trust.toml",
     {.trust = "[projects.'x/y']\ntrust_level = 'trusted'\n"},
     "x/y",
     "@/home/trust.toml:1"},

    {"-c without quotes", {.over = {"projects./a.b.trust_level=trusted"}}, ""},
    {"-c with quotes",
     {.over = {"projects.\"/a.b\".trust_level=untrusted"}},
     .key = "projects",
     .is = "{/a.b: {trust_level: 'untrusted'}}"},
    {"-c with literal quotes, an = and a bracket in them",
     {.over = {"projects.'/a=[b'.trust_level=\"trusted\""}},
     .key = "projects",
     .is = "{/a=[b: {trust_level: 'trusted'}}"},
    {"-c with an escape in the key",
     {.over = {"mcp_servers.\"a\\\"=b\".command=x"}},
     .key = "mcp_servers",
     .is = "{a\"=b: {command: 'x'}}"},
    {"-c: TOML", {.over = {"devices=[\"a=b\", 'c']"}}, .key = "devices", .is = "['a=b', 'c']"},
    {"-c: else the raw string", {.over = {"model=gpt=[5"}}, .key = "model", .is = "'gpt=[5'"},
    {"-c: spaces around both", {.over = {" model =  m "}}, .key = "model", .is = "'m'"},
    {"-c: an empty string", {.over = {"model="}}, .key = "model", .is = "''"},
    {"-c: the later wins", {.over = {"model=a", "model=b"}}, .key = "model", .is = "'b'"},
    {"-c: an unknown key", {.over = {"sandbox_mod=x"}}, "sandbox_mod: unknown key", "-c:1"},
    {"-c: no =", {.over = {"model"}}, "expected KEY=VALUE"},
    {"-c: no key", {.over = {"=x"}}, "-c =x"},
    {"-c: the wrong type", {.over = {"private_tmp=yes"}}, "private_tmp: expected a boolean"},

    {"an unknown key in a file",
     {.user = "sandbox_mod = 'x'\n"},
     .warning = "@/home/config.toml:1:1: sandbox_mod: unknown key; did you mean \"sandbox_mode\"?"},
    {"and with --strict-config",
     {.user = "sandbox_mod = 'x'\n", .strict = true},
     "sandbox_mod: unknown key",
     "@/home/config.toml:1"},
    {"in the managed file",
     {.managed = "sandbox_mod = 'x'\n"},
     .warning = "@/etc/managed_config.toml:1:1: sandbox_mod: unknown key"},

    {"managed above -c",
     {.over = {"model=a"}, .managed = "model = 'b'\n"},
     .key = "model",
     .is = "'b'"},
    {"a flag above managed",
     {.flags = {{"--ask-for-approval", "approval_policy", "untrusted"}},
      .managed = "approval_policy = 'on-request'\n"},
     .key = "approval_policy",
     .is = "'untrusted'"},
};

/* V as short TOML-like text. */
static const char *text_of(struct arena *a, const struct toml_value *v)
{
    _cleanup_strbuf_ struct strbuf out = {0};
    if (!v || (v->type != TOML_ARRAY && v->type != TOML_TABLE && v->type != TOML_BOOLEAN))
        return as_toml(a, v);
    if (v->type == TOML_BOOLEAN)
        return v->boolean ? "true" : "false";
    strbuf_puts(&out, v->type == TOML_ARRAY ? "[" : "{");
    for (size_t i = 0; v->type == TOML_ARRAY && i < v->array.n; i++)
        strbuf_printf(&out, "%s%s", i ? ", " : "", text_of(a, v->array.items[i]));
    for (const struct toml_member *m = v->type == TOML_TABLE ? v->table.first : NULL; m;
         m = m->next)
        strbuf_printf(&out, "%s%s: %s", m == v->table.first ? "" : ", ", m->key.p,
                      text_of(a, m->value));
    strbuf_puts(&out, v->type == TOML_ARRAY ? "]" : "}");
    return arena_strdup(a, strbuf_text(&out));
}

static void run_case(const struct lcase *k)
{
    _cleanup_arena_ struct arena a = {0};
    struct error err = {0};
    struct config *c = NULL;
    char place[ERROR_FILE_MAX + 16];
    int r = load_world(&a, &k->with, &c, &err);
    (void)snprintf(place, sizeof(place), "%s:%u", err.file, err.line);
    if ((r < 0) != (k->error != NULL))
        fail_msg("%s: %s: %s", k->what, place, r < 0 ? err.message : "it loads");
    if (r < 0) {
        if (!strstr(err.message, k->error) ||
            (k->place && strncmp(place, with_world(k->place), strlen(with_world(k->place))) != 0) ||
            (k->hint && !strstr(err.hint, k->hint)))
            fail_msg("%s: %s: %s (%s)", k->what, place, err.message, err.hint);
        return;
    }
    if (k->key && !str_eq(text_of(&a, config_find(c, k->key)), k->is))
        fail_msg("%s: %s is %s", k->what, k->key, text_of(&a, config_find(c, k->key)));
    if (k->warning ? !warned(c, k->warning) : c->n_warnings != 0) {
        show_warnings(c);
        fail_msg("%s: its warnings", k->what);
    }
}

static void test_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        run_case(&cases[i]);
}

/* ---- whose files are read ---- */

#define UNTRUSTED "[projects.\"@/proj\"]\ntrust_level = \"untrusted\"\n"
#define ALL_THREE                                                                                  \
    .project = "nested_repo_depth = 10\n", .sub = "nested_repo_depth = 20\n",                      \
    .deep = "nested_repo_depth = 30\n"

static const struct {
    const char *what;
    struct setting with;
    const char *depth;  /* which of the three files was the last to be heard; 4: none */
    const char *policy; /* what holds */
    const char *warning;
} trust_cases[] = {
    {"nobody said so",
     {ALL_THREE},
     "4",
     "on-request",
     "@/proj/.bawn/config.toml is not read: nobody has said that the project is trusted"},
    {"trust.toml", {ALL_THREE, .trust = TRUSTED}, "30", "on-request", NULL},
    {"the user's file", {ALL_THREE, .user = TRUSTED}, "30", "on-request", NULL},
    {"the system's file", {ALL_THREE, .system = TRUSTED}, "30", "on-request", NULL},
    {"-c",
     {ALL_THREE, .over = {"projects.\"@/proj\".trust_level=\"trusted\""}},
     "30",
     "on-request",
     NULL},
    {"only those from the root down to where one is",
     {ALL_THREE, .trust = TRUSTED, .at_root = true},
     "10",
     "on-request",
     NULL},
    {"the nearest says more than the farthest",
     {.project = "nested_repo_depth = 30\n", .deep = "nested_repo_depth = 20\n", .trust = TRUSTED},
     "30",
     "on-request",
     "@/proj/sub/deep/.bawn/config.toml:1:1: nested_repo_depth: ignored: a project cannot widen"},
    {"the working folder alone",
     {ALL_THREE, .trust = "[projects.\"@/proj/sub/deep\"]\ntrust_level = \"trusted\"\n"},
     "30",
     "on-request",
     "@/proj/sub/.bawn/config.toml is not read: the folder is not what was trusted"},
    {"from a folder between, recursively",
     {ALL_THREE,
      .trust = "[projects.\"@/proj/sub\"]\ntrust_level = \"trusted\"\nrecursive = true\n"},
     "30",
     "on-request",
     "@/proj/.bawn/config.toml is not read: the folder is not what was trusted"},
    {"a folder between, not recursively",
     {ALL_THREE, .trust = "[projects.\"@/proj/sub\"]\ntrust_level = \"trusted\"\n"},
     "4",
     "on-request",
     "nobody has said"},
    {"from above, recursively",
     {ALL_THREE, .trust = "[projects.\"@\"]\ntrust_level = \"trusted\"\nrecursive = true\n"},
     "30",
     "on-request",
     NULL},
    {"untrusted: no file, and the policy", {ALL_THREE, .trust = UNTRUSTED}, "4", "untrusted", NULL},
    {"untrusted is a default, no more",
     {ALL_THREE, .trust = UNTRUSTED, .user = "approval_policy = 'never'\n"},
     "4",
     "never",
     NULL},
    {"the same from -c",
     {ALL_THREE, .trust = UNTRUSTED, .over = {"approval_policy=on-request"}},
     "4",
     "on-request",
     NULL},
    {"untrusted for the folder, the root trusted",
     {ALL_THREE, .trust = TRUSTED "[projects.\"@/proj/sub/deep\"]\ntrust_level = \"untrusted\"\n"},
     "4",
     "untrusted",
     NULL},
    {"of two words untrusted wins",
     {ALL_THREE, .trust = TRUSTED, .user = UNTRUSTED},
     "4",
     "untrusted",
     NULL},
    {"a project cannot trust itself",
     {.project = TRUSTED "recursive = true\n", .sub = TRUSTED, .deep = "nested_repo_depth = 9\n"},
     "4",
     "on-request",
     "not read"},
    {"another root by the markers of -c",
     {ALL_THREE, .trust = TRUSTED, .over = {"project_root_markers=[]"}},
     "4",
     "on-request",
     "@/proj/sub/deep/.bawn/config.toml is not read: nobody"},
    {"a broken one is ignored, the others are not",
     {.project = "nested_repo_depth = 10\n",
      .sub = "nested_repo_depth = \n",
      .deep = "nested_repo_depth = 30\n",
      .trust = TRUSTED},
     "30",
     "on-request",
     "@/proj/sub/.bawn/config.toml:1:"},
    {"a wrong type in one",
     {.project = "approval_policy = 'untrusted'\nnested_repo_depth = 'x'\n", .trust = TRUSTED},
     "4",
     "on-request",
     "@/proj/.bawn/config.toml:2:21: nested_repo_depth: expected an integer"},
};

static void test_trust(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(trust_cases); i++) {
        _cleanup_arena_ struct arena a = {0};
        struct config *c = load_good(&a, &trust_cases[i].with);
        const char *is = text_of(&a, config_find(c, "nested_repo_depth"));
        const char *what = trust_cases[i].what;
        if (!str_eq(is, trust_cases[i].depth))
            fail_msg("%s: %s", what, is);
        if (!str_eq(c->approval_policy, trust_cases[i].policy))
            fail_msg("%s: %s", what, c->approval_policy);
        if (trust_cases[i].warning ? !warned(c, trust_cases[i].warning) : c->n_warnings != 0) {
            show_warnings(c);
            fail_msg("%s: its warnings", what);
        }
    }
}

/* $BAWN_HOME in the project is the user's, not the project's. */
static void test_home_in_project(void **state)
{
    (void)state;
    _cleanup_arena_ struct arena a = {0};
    const struct setting s = {
        .project = "sandbox_mode = 'danger-full-access'\n"
                   "[projects.\"@/proj\"]\ntrust_level = \"trusted\"\n",
        .deep = "nested_repo_depth = 9\n",
        .home_in_project = true,
    };
    struct config *c = load_good(&a, &s);
    size_t read = 0;
    for (size_t i = 0; i < c->n_layers; i++)
        if (c->layers[i].file && str_eq(c->layers[i].file, at_world("proj/.bawn/config.toml"))) {
            read++;
            assert_int_equal(c->layers[i].rank, RANK_USER);
        }
    assert_int_equal(read, 1);
    assert_int_equal(c->sandbox_mode, MODE_DANGER_FULL_ACCESS);
    assert_int_equal(c->nested_repo_depth, 9);
    show_warnings(c);
    assert_int_equal(c->n_warnings, 0);
}

/* A file that is found broken halfway leaves nothing behind. */
static void test_broken_leaves_nothing(void **state)
{
    (void)state;
    _cleanup_arena_ struct arena a = {0};
    const struct setting s = {
        .trust = TRUSTED,
        .vcs = true,
        .project = "sandbox_mode = 'read-only'\nprotected_names = ['x']\n"
                   "shell_environment_policy.include_only = ['A']\n"
                   "[permissions.x.network]\nenabled = false\ndomains = { 'a.b' = 'deny' }\n"
                   "[permissions.x.filesystem]\n'/secret' = 'none'\n"
                   "[permissions.y]\nfilesystem = 3\n",
    };
    struct config *c = load_good(&a, &s);
    show_warnings(c);
    assert_int_equal(c->n_warnings, 1);
    assert_true(warned(c, "@/proj/.bawn/config.toml:"));
    assert_int_equal(c->mode_cap, MODE_UNSET);
    assert_false(c->network_cap);
    assert_int_equal(c->n_floors, 0);
    assert_int_equal(c->n_env_narrow, 0);
    assert_int_equal(c->n_project_domains, 0);
    assert_int_equal(c->protected_names.n, 5);
    const struct setting strict = {
        .trust = TRUSTED, .project = s.project, .strict = true, .vcs = true};
    struct error err = {0};
    assert_true(load_world(&a, &strict, &c, &err) < 0);
}

/* A FIFO, a directory or a device in a project must not hold the start up. */
static void test_odd_project_files(void **state)
{
    (void)state;
    _cleanup_arena_ struct arena a = {0};
    const struct setting s = {.trust = TRUSTED, .keep_files = true};
    struct setting first = s;
    first.keep_files = false;
    (void)load_good(&a, &first);
    const char *file = at_world("proj/.bawn/config.toml");
    assert_int_equal(mkfifo(file, 0644), 0);
    struct config *c = load_good(&a, &s);
    assert_int_equal(c->n_warnings, 1);
    assert_int_equal(unlink(file), 0);
    assert_int_equal(mkdir(file, 0755), 0);
    c = load_good(&a, &s);
    assert_int_equal(c->n_warnings, 1);
    assert_int_equal(rmdir(file), 0);
    assert_int_equal(symlink("/dev/zero", file), 0);
    c = load_good(&a, &s);
    assert_int_equal(c->n_warnings, 1);
    assert_int_equal(unlink(file), 0);
}

/* ---- what a project's file may say, row by row ---- */

/* A few values of a row's type, as TOML. */
static const char *const *samples(const struct config_key *key)
{
    static const char *const booleans[] = {"true", "false", NULL};
    static const char *const integers[] = {"0", "1", "5", "9", NULL};
    static const char *const seconds[] = {"0", "1", "0.5", "9.25", NULL};
    static const char *const sizes[] = {"0", "'1K'", "2000", "'1 MiB'", NULL};
    static const char *const strings[] = {"[]", "['a']", "['b', 'a']", "['c']", NULL};
    static const char *const string[] = {"'a'", "'b'", NULL};
    static const char *const commands[] = {"[]", "[['a']]", "[['a', 'b'], ['a']]", "[['c', '-x']]",
                                           NULL};
    static const char *const sockets[] = {"[]", "['/a']", "['/b', '/a']", "['~/c']", NULL};
    static const char *const tables[] = {"{ a = 'b' }", "{}", NULL};
    static const char *const paths[] = {"{ '/a' = 'none' }", "{ '/a' = 'read' }", NULL};
    static const char *words[16];
    static char quoted[16][40];
    if (str_eq(key->name, "allow_unix_sockets"))
        return sockets;
    switch (key->type) {
    case KEY_BOOLEAN:
    case KEY_BOOLEAN_OR_TABLE:
        return booleans;
    case KEY_INTEGER:
        return integers;
    case KEY_SECONDS:
        return seconds;
    case KEY_SIZE:
        return sizes;
    case KEY_STRINGS:
        return strings;
    case KEY_COMMANDS:
        return commands;
    case KEY_WORD:
    case KEY_WORD_OR_TABLE:
        for (size_t i = 0; key->words[i]; i++) {
            (void)snprintf(quoted[i], sizeof(quoted[i]), "'%s'", key->words[i]);
            words[i] = quoted[i];
            words[i + 1] = NULL;
        }
        return words;
    case KEY_STRING_TABLE:
    case KEY_TABLE:
        return tables;
    case KEY_ACCESS_TABLE:
        return paths;
    default:
        return string;
    }
}

/* The row's name with x for every *. */
static const char *concrete(struct arena *a, const char *name)
{
    char *s = arena_strdup(a, name);
    for (char *p = s; *p; p++)
        *p = *p == '*' ? 'x' : *p;
    return s;
}

/* Rows that a project may not set: dropped, said once with file and key, nothing is left. */
static void test_forbidden_rows(void **state)
{
    (void)state;
    size_t n = 0;
    for (size_t i = 0; i < config_keys.n; i++) {
        const struct config_key *key = &config_keys.keys[i];
        if (key->project != PROJECT_NO)
            continue;
        _cleanup_arena_ struct arena a = {0};
        const char *name = concrete(&a, key->name), *value = samples(key)[0];
        if (strstr(key->name, "glob_scan_max_depth"))
            value = "3";
        if (key->flags & KEY_URL)
            value = "'https://c.test'";
        const struct setting s = {
            .trust = TRUSTED,
            .at_root = true,
            .vcs = true,
            .project = arena_printf(&a, "\n%s = %s\n", name, value),
        };
        struct config *c = load_good(&a, &s);
        const struct toml_value *v = config_find(c, name);
        if (v && str_eq(config_origin(v, v->span).layer, "project"))
            fail_msg("%s: a project's value is there", name);
        if (c->n_floors || c->n_env_narrow || c->network_cap || c->mode_cap)
            fail_msg("%s: something is held", name);
        /* What stands below a value that is judged whole is told by the name of that. */
        static const char *const wholes[] = {"approval_policy.", "otel.exporter.",
                                             "otel.trace_exporter.", "otel.metrics_exporter."};
        const char *of = name;
        for (size_t k = 0; k < ARRAY_LEN(wholes); k++)
            if (str_starts(name, wholes[k]))
                of = arena_strndup(&a, wholes[k], strlen(wholes[k]) - 1);
        const char *told = arena_printf(&a, "%s: ignored: ", of);
        if (c->n_warnings != 1 || !warned(c, "@/proj/.bawn/config.toml:2:") || !warned(c, told)) {
            show_warnings(c);
            fail_msg("%s: its warning", name);
        }
        n++;
    }
    assert_true(n > 100);
}

static size_t index_of(const struct config_key *key, const struct toml_value *v)
{
    size_t i = 0;
    while (key->words[i] && !(v->type == TOML_STRING && bytes_is(v->string, key->words[i])))
        i++;
    return i;
}

static double amount(const struct toml_value *v)
{
    uint64_t n = 0;
    if (!v)
        return 0;
    if (v->type == TOML_STRING)
        assert_true(key_parse_size(v->string, &n));
    return v->type == TOML_INTEGER ? (double)v->integer
           : v->type == TOML_FLOAT ? v->floating
                                   : (double)n;
}

/* Of strings, and of lists of them. */
static bool same_item(const struct toml_value *a, const struct toml_value *b)
{
    if (a->type == TOML_STRING)
        return bytes_eq(a->string, b->string);
    for (size_t i = 0; a->array.n == b->array.n && i < a->array.n; i++)
        if (!bytes_eq(a->array.items[i]->string, b->array.items[i]->string))
            return false;
    return a->array.n == b->array.n;
}

static bool among(const struct toml_value *list, const struct toml_value *item)
{
    for (size_t i = 0; list && i < list->array.n; i++)
        if (same_item(list->array.items[i], item))
            return true;
    return false;
}

static bool all_among(const struct toml_value *these, const struct toml_value *those)
{
    for (size_t i = 0; these && i < these->array.n; i++)
        if (!among(those, these->array.items[i]))
            return false;
    return true;
}

/* Is IS no wider than WITHOUT, in the sense of the row? */
static bool no_wider(const struct config_key *key, const struct toml_value *is,
                     const struct toml_value *without)
{
    switch (key->project) {
    case PROJECT_EARLIER:
        return !is ||
               (without ? index_of(key, is) <= index_of(key, without) : index_of(key, is) == 0);
    case PROJECT_LATER:
        return index_of(key, is) >= index_of(key, without);
    case PROJECT_TRUE:
        return is->boolean || !without->boolean;
    case PROJECT_FALSE:
        return !is || !is->boolean || (without && without->boolean);
    case PROJECT_ADD:
        return all_among(without, is);
    case PROJECT_SUBSET:
        return all_among(is, without);
    case PROJECT_LESS: /* 0: no limit */
        return amount(without) <= 0 || (amount(is) > 0 && amount(is) <= amount(without));
    case PROJECT_MORE:
        return amount(is) >= amount(without);
    case PROJECT_NO:
    case PROJECT_NARROW:
    case PROJECT_DENY:
        break;
    }
    return false;
}

/* Would IS, the project's value, be stricter, so that it has to hold? */
static bool has_to_hold(const struct config_key *key, const struct toml_value *mine,
                        const struct toml_value *without)
{
    return key->project != PROJECT_SUBSET && key->project != PROJECT_ADD &&
           !(key->project == PROJECT_LESS && amount(mine) <= 0) && no_wider(key, mine, without);
}

static void check_row(const struct config_key *key, const char *lower, const char *mine)
{
    _cleanup_arena_ struct arena a = {0};
    struct setting s = {
        .trust = TRUSTED,
        .at_root = true,
        .user = lower ? arena_printf(&a, "%s = %s\n", key->name, lower) : NULL,
    };
    struct config *c = load_good(&a, &s);
    const struct toml_value *without = config_find(c, key->name), *alone;
    s.project = arena_printf(&a, "%s = %s\n", key->name, mine);
    c = load_good(&a, &s);
    const struct toml_value *is = config_find(c, key->name);
    if (!no_wider(key, is, without))
        fail_msg("%s: %s over %s comes to %s", key->name, mine, lower ? lower : "nothing",
                 text_of(&a, is));
    struct setting only = {.user = s.project, .at_root = true};
    alone = config_find(load_good(&a, &only), key->name);
    bool strict = has_to_hold(key, alone, without);
    if (strict && !str_eq(text_of(&a, is), text_of(&a, alone)))
        fail_msg("%s: %s over %s is stricter, and not kept", key->name, mine, lower);
    if (strict ? warned(c, ": ignored: ")
               : key->project != PROJECT_ADD && key->project != PROJECT_SUBSET &&
                     !warned(c, "@/proj/.bawn/config.toml:1:")) {
        show_warnings(c);
        fail_msg("%s: %s over %s: its warnings", key->name, mine, lower);
    }
    if (key->project == PROJECT_ADD && !all_among(alone, is))
        fail_msg("%s: %s is not added", key->name, mine);
    if (key->project == PROJECT_SUBSET && !all_among(alone, without) &&
        !warned(c, "a project cannot add to it"))
        fail_msg("%s: %s: nothing is said", key->name, mine);
}

static void test_rows(void **state)
{
    (void)state;
    size_t n = 0;
    for (size_t i = 0; i < config_keys.n; i++) {
        const struct config_key *key = &config_keys.keys[i];
        bool plain = key->project != PROJECT_NO && key->project != PROJECT_DENY &&
                     key->project != PROJECT_NARROW && !str_eq(key->name, "sandbox_mode");
        if (!plain)
            continue;
        assert_null(strchr(key->name, '*'));
        /* The words of samples() are in storage that the next call uses. */
        const char *values[16] = {NULL};
        for (size_t k = 0; samples(key)[k]; k++)
            values[k] = samples(key)[k];
        for (size_t m = 0; values[m]; m++) {
            check_row(key, NULL, values[m]);
            for (size_t l = 0; values[l]; l++)
                check_row(key, values[l], values[m]);
        }
        n++;
    }
    assert_true(n > 20);
}

/* The rows with a way of their own: a setting, what is asked of the profile, what is said. */
static const struct {
    const char *what;
    struct setting with;
    const char *asks; /* "w PATH", "r PATH", "- PATH", "net on", "net off", a line each */
    const char *warning;
} own_ways[] = {
    {"sandbox_mode: read-only over the default",
     {.project = "sandbox_mode = 'read-only'\n", .vcs = true},
     "r @/proj/a",
     NULL},
    {"sandbox_mode: wider than the default",
     {.project = "sandbox_mode = 'workspace-write'\n"},
     "r @/proj/a",
     "@/proj/.bawn/config.toml:1:1: sandbox_mode: ignored: a project cannot widen it"},
    {"sandbox_mode: wider than the user's",
     {.project = "sandbox_mode = 'danger-full-access'\n",
      .user = "sandbox_mode = 'workspace-write'\n",
      .vcs = true},
     "w @/proj/a\nr /etc/x",
     "sandbox_mode: ignored"},
    {"sandbox_mode: from full access to the workspace",
     {.project = "sandbox_mode = 'workspace-write'\n",
      .user = "sandbox_mode = 'danger-full-access'\n",
      .vcs = true},
     "w @/proj/a\nr /etc/x",
     NULL},
    {"sandbox_mode: the second project's only where it is less",
     {.project = "sandbox_mode = 'read-only'\n",
      .sub = "sandbox_mode = 'workspace-write'\n",
      .vcs = true},
     "r @/proj/a",
     NULL},
    {"sandbox_mode: a session says more",
     {.project = "sandbox_mode = 'read-only'\n", .over = {"sandbox_mode=workspace-write"}},
     "w @/proj/a",
     NULL},
    {"sandbox_mode: a flag says more",
     {.project = "sandbox_mode = 'read-only'\n",
      .flags = {{"--sandbox", "sandbox_mode", "workspace-write"}}},
     "w @/proj/a",
     NULL},
    {"sandbox_mode: a profile of the user's writes nothing, and keeps its masks",
     {.project = "sandbox_mode = 'read-only'\n",
      .user = "default_permissions = 'x'\n[permissions.x]\nextends = ':workspace'\n"
              "network.enabled = true\nfilesystem = { '@/proj/s' = 'none' }\n"},
     "r @/proj/a\n- @/proj/s/x\nnet off",
     "permission profile x writes nothing: @/proj/.bawn/config.toml:1 says read-only"},

    {"a floor holds for the mode in force",
     {.project = "[permissions.any.filesystem]\n'/secret' = 'none'\n", .vcs = true},
     "- /secret\n- /secret/x\nw @/proj/a",
     NULL},
    {"also where the user's profile opens what is below",
     {.project = "[permissions.any.filesystem]\n'/secret' = 'none'\n",
      .user = "default_permissions = 'x'\n[permissions.x]\nextends = ':workspace'\n"
              "filesystem = { '/secret' = 'read', '/secret/x' = 'write' }\n"},
     "- /secret\n- /secret/x\n- /secret/x/y",
     NULL},
    {"below roots, as a pattern",
     {.project = "[permissions.any.filesystem.':workspace_roots']\n'**/*.env' = 'deny'\n",
      .vcs = true},
     "- @/proj/a/b.env\nw @/proj/a/b",
     NULL},
    {"and no more than none",
     {.project = "[permissions.any.filesystem]\n'/secret' = 'write'\n'/x' = 'none'\n", .vcs = true},
     "r /secret/x\n- /x",
     "permissions.any.filesystem.\"/secret\": ignored: of a profile's entries a project can only"},
    {"a profile of the user's is not changed by its name",
     {.project = "[permissions.x]\nextends = ':workspace'\n",
      .user = "default_permissions = 'x'\n[permissions.x]\nextends = ':read-only'\n"},
     "r @/proj/a",
     "permissions.x.extends: ignored: a project's file cannot set it"},
    {"a mistake in a floor: none of that table, and nothing of the user's is lost",
     {.project = "[permissions.any.filesystem]\n'/s' = 'none'\n'rel' = 'none'\n",
      .user = "default_permissions = 'x'\n[permissions.x]\nextends = ':read-only'\n"
              "filesystem = { '/s' = 'none', '/s/x' = 'read' }\n"},
     "- /s\n- /s/y\nr /s/x",
     "a relative path cannot stand at the top"},
    {"the network: off for every profile",
     {.project = "[permissions.any.network]\nenabled = false\n",
      .user = "default_permissions = 'x'\n[permissions.x]\nextends = ':read-only'\n"
              "network.enabled = true\n"},
     "net off",
     "the network stays off: @/proj/.bawn/config.toml:2 says so"},
    {"the network: not on",
     {.project = "[permissions.any.network]\nenabled = true\n", .vcs = true},
     "net off",
     "permissions.any.network.enabled: ignored: a project cannot turn the network on"},
    {"the network: a session turns it on",
     {.project = "[permissions.any.network]\nenabled = false\n",
      .over = {"sandbox_workspace_write.network_access=true"},
      .vcs = true},
     "net on",
     NULL},
    {"domains: deny alone",
     {.project = "[permissions.any.network.domains]\n'a.b' = 'allow'\n'c.d' = 'deny'\n"},
     "net off",
     "permissions.any.network.domains.\"a.b\": ignored: a project can only deny"},

    {"domains: an open network cannot hold them, and says so",
     {.project = "[permissions.any.network.domains]\n'c.d' = 'deny'\n",
      .over = {"sandbox_workspace_write.network_access=true"},
      .vcs = true},
     "net on",
     "@/proj/.bawn/config.toml:2: domains: not held"},

    {"roots: fewer, and what they protected stays shut",
     {.user = "sandbox_workspace_write.writable_roots = ['/data', '/data/in', '@/proj/r']\n",
      .project = "sandbox_workspace_write.writable_roots = ['/data']\n",
      .vcs = true},
     "w /data/x\nr /data/.git/x\nr /data/in/.git/x\nr /data/in/x\nr @/proj/r/x\nw @/proj/a",
     NULL},
    {"roots: none added",
     {.user = "sandbox_workspace_write.writable_roots = ['/data']\n",
      .project = "sandbox_workspace_write.writable_roots = ['/data', '/etc']\n",
      .vcs = true},
     "w /data/x\nr /etc/x",
     "writable_roots: ignored: a project cannot add to it"},
    {"roots: a relative one stays where its own file has it",
     {.user = "sandbox_workspace_write.writable_roots = ['../r']\n",
      .project = "sandbox_workspace_write.writable_roots = ['../r']\n",
      .flags = {{"--sandbox", "sandbox_mode", "workspace-write"}}},
     "w @/r/x",
     NULL},
    {"roots: a session's own list",
     {.user = "sandbox_workspace_write.writable_roots = ['/data/in']\n",
      .project = "sandbox_workspace_write.writable_roots = []\n",
      .over = {"sandbox_workspace_write.writable_roots=['/data']"},
      .vcs = true},
     "w /data/in/x",
     NULL},
    {"$TMPDIR: shut by the user already, and not opened to read by a project that says it too",
     {.user = "sandbox_workspace_write.exclude_tmpdir_env_var = true\n"
              "default_permissions = 'x'\n[permissions.x]\nextends = ':workspace'\n"
              "filesystem = { '@' = 'none' }\n",
      .project = "sandbox_workspace_write.exclude_tmpdir_env_var = true\n"},
     "- @/tmp/x\nr /etc/x",
     NULL},
    {"$TMPDIR: shut by a project",
     {.user = "default_permissions = 'x'\n[permissions.x]\nextends = ':workspace'\n",
      .project = "sandbox_workspace_write.exclude_tmpdir_env_var = true\n"},
     "r @/tmp/x\nw @/proj/x",
     NULL},
    {"/tmp: shut, and a pattern with no fixed directory holds there as before",
     {.user = "default_permissions = 'x'\n[permissions.x]\nextends = ':workspace'\n"
              "filesystem = { '/**/key' = 'none' }\n",
      .project = "sandbox_workspace_write.exclude_slash_tmp = true\n"},
     "r /tmp/a\n- /tmp/a/key\nw @/proj/a\n- @/proj/key",
     "has no fixed directory"},
    {"private_tmp would give a /tmp to write to",
     {.project = "private_tmp = true\n"},
     "r /tmp/a",
     "private_tmp: ignored: a project's file cannot set it"},
};

static void ask(struct config *c, const struct profile *p, const char *what, const char *asks)
{
    char *text = arena_strdup(c->arena, with_world(asks));
    for (char *line = text; line && *line;) {
        char *end = strchr(line, '\n');
        if (end)
            *end = '\0';
        bool good;
        if (str_starts(line, "net "))
            good = (p->network != NETWORK_OFF) == str_eq(line + 4, "on");
        else
            good = "-rw"[permissions_check(p, line + 2).access] == line[0];
        if (!good)
            fail_msg("%s: not \"%s\"", what, line);
        line = end ? end + 1 : NULL;
    }
}

static void test_own_ways(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(own_ways); i++) {
        _cleanup_arena_ struct arena a = {0};
        struct setting s = own_ways[i].with;
        struct error err = {0};
        struct profile *p = NULL;
        s.trust = TRUSTED;
        struct config *c = load_good(&a, &s);
        if (resolve_world(c, &s, &p, &err) < 0)
            fail_msg("%s: %s", own_ways[i].what, err.message);
        ask(c, p, own_ways[i].what, own_ways[i].asks);
        if (own_ways[i].warning && !warned(c, own_ways[i].warning)) {
            show_warnings(c);
            fail_msg("%s: its warnings", own_ways[i].what);
        }
    }
}

static void test_narrow(void **state)
{
    (void)state;
    _cleanup_arena_ struct arena a = {0};
    const struct setting s = {
        .trust = TRUSTED,
        .user = "[shell_environment_policy]\ninclude_only = ['A*']\nset = { AXXXB = '1' }\n",
        .project = "shell_environment_policy.include_only = ['*B']\n",
        .sub = "shell_environment_policy.include_only = []\n",
        .deep = "shell_environment_policy.include_only = ['A?B', 'x']\n",
    };
    struct config *c = load_good(&a, &s);
    assert_int_equal(c->env_include_only.n, 1);
    assert_string_equal(c->env_include_only.v[0], "A*");
    assert_int_equal(c->n_env_narrow, 2);
    assert_string_equal(c->env_narrow[0].v[0], "*B");
    assert_int_equal(c->env_narrow[1].n, 2);
    assert_int_equal(c->env_narrow[1].origin.line, 1);
    assert_string_equal(c->env_narrow[1].origin.layer, "project");
    assert_int_equal(c->n_warnings, 0);
    /* A name has to pass all three, also one that is set. */
    static const char *const variables[] = {"AXB=1", "AB=1", "AXXB=1", "AXC=1", "x=1", NULL};
    struct environment env;
    struct error err = {0};
    assert_int_equal(environment_build(&a, c, variables, NULL, 0, &env, &err), 0);
    assert_int_equal(env.n_env, 1);
    assert_string_equal(env.env[0], "AXB=1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_origins),
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_trust),
        cmocka_unit_test(test_home_in_project),
        cmocka_unit_test(test_broken_leaves_nothing),
        cmocka_unit_test(test_odd_project_files),
        cmocka_unit_test(test_forbidden_rows),
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_own_ways),
        cmocka_unit_test(test_narrow),
    };
    return cmocka_run_group_tests(tests, make_world, remove_world);
}
