/*
 * Thousands of random stacks of layers, and two promises asked of each:
 *
 *   - whatever loads and resolves is nothing that the requirements forbid;
 *   - with the projects' files it gives no more than without them.
 *
 * What is forbidden is judged here by simple means of its own: probe paths, hand-written matches of
 * the denied patterns, ranks of words. Stack N is made from the number N alone, so a failure, which
 * prints every text, can be run again by itself: test_stacks N.
 */
#include "base/path.h"
#include "config/requirements.h"
#include "permissions/resolve.h"
#include "sandbox/environment.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define STACKS 5000u

static uint64_t only = UINT64_MAX;
static char dir[] = "/var/tmp/test_stacks.XXXXXX";
static char root[64], cwd[80], home[64], in_cwd[96]; /* the last: a $TMPDIR in the workspace */

enum {
    SYSTEM,
    USER,
    PROFILE,
    PROJECT_ROOT,
    PROJECT_SUB,
    MANAGED,
    REQUIREMENTS,
    N_FILES,
};
static char files[N_FILES][128], trust_file[128];

/* ---- what is asked ---- */

static const char *const probes[] = {
    "/var/w1/x",
    "/var/w2/x",
    "/var/d/a.key",
    "/var/d/s/b.key",
    "/var/d/plain",
    "/home/u/.ssh/id",
    "/home/u/x",
    "/etc/passwd",
    "/tmp/z",
    "/usr/lib/x",
    "/home/u/src/a.env",
    /* what is protected only while the place above it is a root, or has a pattern only then */
    "/var/d/s/.git/x",
    "/var/w1/t/.git/x",
    "/tmp/v.pem",
    "/var/w2/v.pem",
    "/home/u/.npm/x",
};
/* and some in the workspace, one of them below its $TMPDIR */
static const char *const in_workspace[] = {"f", "secret/k.key", "t/.git/x", "r/.git/x"};
#define N_PROBES (ARRAY_LEN(probes) + ARRAY_LEN(in_workspace))

static const char *probe(size_t i, char *buf, size_t n)
{
    if (i < ARRAY_LEN(probes))
        return probes[i];
    (void)snprintf(buf, n, "%s/%s", cwd, in_workspace[i - ARRAY_LEN(probes)]);
    return buf;
}

/* A denied pattern and the probes that it covers, by hand. */
static const struct {
    const char *pattern;
    const char *covers; /* '1' where it covers that probe */
} denials[] = {
    {"/var/d", "00111000000"
               "10000"
               "0000"},
    {"/var/d/**/*.key", "00110000000"
                        "00000"
                        "0000"},
    {"~/.ssh", "00000100000"
               "00000"
               "0000"},
    {"/etc/passwd", "00000001000"
                    "00000"
                    "0000"},
    {"/home/u/**/*.env", "00000000001"
                         "00000"
                         "0000"},
    {"/usr/lib", "00000000010"
                 "00000"
                 "0000"},
    {"/var/d/s", "00010000000"
                 "10000"
                 "0000"},
};

static const char *const modes[] = {"read-only", "workspace-write", "danger-full-access"};
static const char *const policies[] = {"untrusted", "on-request", "granular", "never"};
static const int policy_rank[] = {0, 1, 1, 2};
static const char *const searches[] = {"disabled", "cached", "live"};
static const char *const reviewers[] = {"user", "auto_review"};
static const char *const profiles[] = {":read-only", ":workspace", ":danger-full-access", "own",
                                       "sec"};
static const char *const variables[] = {"PATH=1",  "AWS_SECRET_KEY=1", "FOO=1",
                                        "BAR_X=1", "HOME=/h",          NULL};

/* ---- chance ---- */

struct chance {
    uint64_t state;
};

static uint64_t draw(struct chance *c)
{
    c->state ^= c->state << 13;
    c->state ^= c->state >> 7;
    c->state ^= c->state << 17;
    return c->state * 0x2545f4914f6cdd1dull >> 16;
}

static size_t below(struct chance *c, size_t n)
{
    return draw(c) % n;
}

static bool one_in(struct chance *c, size_t n)
{
    return below(c, n) == 0;
}

#define PICK(c, list) (list)[below(c, ARRAY_LEN(list))]

static const char *truth(struct chance *c)
{
    return one_in(c, 2) ? "true" : "false";
}

static void put_some(struct chance *c, struct strbuf *out, const char *key, const char *const *list,
                     size_t n)
{
    bool first = true;
    strbuf_printf(out, "%s = [", key);
    for (size_t i = 0; i < n; i++) {
        if (one_in(c, 2))
            continue;
        strbuf_printf(out, "%s\"%s\"", first ? "" : ", ", list[i]);
        first = false;
    }
    strbuf_puts(out, "]\n");
}

/* ---- texts ---- */

static void put_policy(struct chance *c, struct strbuf *out)
{
    if (one_in(c, 4))
        strbuf_printf(out,
                      "approval_policy = { granular = { sandbox_approval = %s, rules = %s, "
                      "mcp_elicitations = %s } }\n",
                      truth(c), truth(c), truth(c));
    else
        strbuf_printf(out, "approval_policy = \"%s\"\n",
                      one_in(c, 8) ? "on-failure" : policies[(size_t[]){0, 1, 3}[below(c, 3)]]);
}

static void put_commands(struct chance *c, struct strbuf *out)
{
    static const char *const lists[] = {"known_safe", "not_safe", "dangerous", "not_dangerous"};
    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        if (one_in(c, 2))
            strbuf_printf(out, "commands.%s = [[\"make\", \"t%zu\"], [\"p%zu\"]]\n", lists[i],
                          below(c, 3), below(c, 3));
}

static void put_scalars(struct chance *c, struct strbuf *out, bool project)
{
    static const char *const sockets[] = {"/s1", "/s2", "/s3"};
    static const char *const devices[] = {"gpu", "kvm"};
    static const char *const names[] = {"n1", "n2", ".git"};
    static const char *const backends[] = {"auto", "bundled", "landlock", "external"};
    if (one_in(c, project ? 2 : 6))
        strbuf_printf(out, "sandbox_mode = \"%s\"\n", PICK(c, modes));
    if (one_in(c, 4))
        strbuf_printf(out, "default_permissions = \"%s\"\n", PICK(c, profiles));
    if (one_in(c, 3))
        put_policy(c, out);
    if (one_in(c, 4))
        strbuf_printf(out, "approvals_reviewer = \"%s\"\n", PICK(c, reviewers));
    if (one_in(c, 3))
        strbuf_printf(out, "web_search = \"%s\"\n", PICK(c, searches));
    if (one_in(c, 6))
        strbuf_printf(out, "sandbox_backend = \"%s\"\n", PICK(c, backends));
    if (one_in(c, 4))
        strbuf_printf(out, "allow_nested_userns = %s\n", truth(c));
    if (one_in(c, 4))
        strbuf_printf(out, "allow_ptrace = %s\n", truth(c));
    if (one_in(c, 4))
        strbuf_printf(out, "private_tmp = %s\n", truth(c));
    if (one_in(c, 4))
        strbuf_printf(out, "allow_login_shell = %s\n", truth(c));
    if (one_in(c, 3))
        put_some(c, out, "allow_unix_sockets", sockets, ARRAY_LEN(sockets));
    if (one_in(c, 3))
        put_some(c, out, "devices", devices, ARRAY_LEN(devices));
    if (one_in(c, 3))
        put_some(c, out, "protected_names", names, ARRAY_LEN(names));
    if (one_in(c, 3))
        put_commands(c, out);
}

static void put_entries(struct chance *c, struct strbuf *out)
{
    static const char *const places[] = {"/var/w1",     "/var/w2",  "/var/d",
                                         "/var/d/s",    "/home/u",  "~/.ssh",
                                         "/etc/passwd", "/usr/lib", "/home/u/src"};
    static const char *const words[] = {"read", "write", "none"};
    for (size_t i = 0; i < ARRAY_LEN(places); i++)
        if (one_in(c, 3))
            strbuf_printf(out, "\"%s\" = \"%s\"\n", places[i], PICK(c, words));
    if (one_in(c, 3))
        strbuf_puts(out, "\"/var/d/**/*.key\" = \"none\"\n");
    if (one_in(c, 3))
        strbuf_puts(out, "\"/**/*.pem\" = \"none\"\n");
    if (one_in(c, 4))
        strbuf_printf(out, "\":slash_tmp\" = \"%s\"\n", PICK(c, words));
    if (one_in(c, 6))
        strbuf_puts(out, "\":tmpdir\" = \"write\"\n");
    if (one_in(c, 3))
        strbuf_printf(out, "\":workspace_roots\" = { \".\" = \"%s\", \"secret\" = \"%s\" }\n",
                      PICK(c, words), PICK(c, words));
}

static void put_tables(struct chance *c, struct strbuf *out)
{
    static const char *const roots[] = {"/var/w1", "/var/w2", "/var/d/s", "../p/sub/r", "/var/d"};
    static const char *const globs[] = {"FOO", "BAR_*", "P*", "AWS_*"};
    static const char *const inherits[] = {"all", "core", "none"};
    if (one_in(c, 3)) {
        strbuf_puts(out, "[sandbox_workspace_write]\n");
        put_some(c, out, "writable_roots", roots, ARRAY_LEN(roots));
        strbuf_printf(out,
                      "network_access = %s\nexclude_slash_tmp = %s\nexclude_tmpdir_env_var = %s\n",
                      truth(c), truth(c), truth(c));
    }
    if (one_in(c, 3))
        strbuf_printf(out, "[limits]\ncpu_seconds = %zu\nmemory = \"%zuMiB\"\n", below(c, 4),
                      below(c, 4));
    if (one_in(c, 3)) {
        strbuf_printf(
            out, "[shell_environment_policy]\ninherit = \"%s\"\nignore_default_excludes = %s\n",
            PICK(c, inherits), truth(c));
        if (one_in(c, 2))
            put_some(c, out, "exclude", globs, ARRAY_LEN(globs));
        if (one_in(c, 2))
            put_some(c, out, "include_only", globs, ARRAY_LEN(globs));
    }
    if (one_in(c, 3))
        strbuf_printf(out, "[features]\nf1 = %s\nf2 = { enabled = %s }\n", truth(c), truth(c));
}

static void put_profile(struct chance *c, struct strbuf *out, const char *name)
{
    strbuf_printf(out, "[permissions.%s]\n", name);
    if (!one_in(c, 3))
        strbuf_printf(out, "extends = \"%s\"\n", one_in(c, 2) ? ":workspace" : ":read-only");
    if (one_in(c, 6))
        strbuf_puts(out, "include = [\"npm\"]\n");
    if (one_in(c, 4))
        strbuf_printf(out, "workspace_roots = { \"%s\" = true }\n",
                      one_in(c, 2) ? "/var/w2" : "/var/d/s");
    strbuf_printf(out, "[permissions.%s.filesystem]\n", name);
    put_entries(c, out);
    if (one_in(c, 3))
        strbuf_printf(out, "[permissions.%s.network]\nenabled = %s\n", name, truth(c));
}

/* The user's file defines the profiles that all can name; a project's may say anything of them. */
static void put_layer(struct chance *c, int which, struct strbuf *out)
{
    if (which != USER && one_in(c, 3))
        return;
    put_scalars(c, out, which == PROJECT_ROOT || which == PROJECT_SUB);
    put_tables(c, out);
    if (which == USER || which == PROJECT_ROOT || which == PROJECT_SUB) {
        put_profile(c, out, "own");
        put_profile(c, out, "sec");
    }
}

static void put_words(struct chance *c, struct strbuf *out, const char *key,
                      const char *const *list, size_t n)
{
    size_t must = below(c, n);
    bool first = true;
    strbuf_printf(out, "%s = [", key);
    for (size_t i = 0; i < n; i++) {
        if (i != must && !one_in(c, 3))
            continue;
        strbuf_printf(out, "%s\"%s\"", first ? "" : ", ", list[i]);
        first = false;
    }
    strbuf_puts(out, "]\n");
}

static void put_requirements(struct chance *c, struct strbuf *out)
{
    if (one_in(c, 5))
        return;
    if (one_in(c, 2))
        put_words(c, out, "allowed_sandbox_modes", modes, ARRAY_LEN(modes));
    if (one_in(c, 2))
        put_words(c, out, "allowed_approval_policies", policies, ARRAY_LEN(policies));
    if (one_in(c, 4))
        put_words(c, out, "allowed_approvals_reviewers", reviewers, ARRAY_LEN(reviewers));
    if (one_in(c, 4))
        put_words(c, out, "allowed_web_search_modes", searches, ARRAY_LEN(searches));
    if (one_in(c, 6))
        strbuf_printf(out, "allow_login_shell = %s\n", truth(c));
    if (one_in(c, 6))
        strbuf_printf(out, "default_permissions = \"%s\"\n", PICK(c, profiles));
    if (one_in(c, 4)) {
        strbuf_puts(out, "[allowed_permission_profiles]\n");
        for (size_t i = 0; i < ARRAY_LEN(profiles); i++)
            if (one_in(c, 2))
                strbuf_printf(out, "\"%s\" = %s\n", profiles[i], truth(c));
    }
    if (one_in(c, 4))
        strbuf_printf(out, "[features]\nf1 = %s\nf2 = %s\n", truth(c), truth(c));
    if (one_in(c, 2)) {
        const char *list[ARRAY_LEN(denials)];
        for (size_t i = 0; i < ARRAY_LEN(denials); i++)
            list[i] = denials[i].pattern;
        strbuf_puts(out, "[permissions.filesystem]\n");
        put_words(c, out, "deny_read", list, ARRAY_LEN(list));
    }
}

/* ---- one stack ---- */

struct stack {
    struct strbuf texts[N_FILES];
    const char *overrides[4];
    size_t n_overrides;
    struct config_flag flags[2];
    size_t n_flags;
    const char *permissions; /* -P */
    bool use_profile, vcs;
    const char *add_dir, *tmpdir;
};

static void make_stack(uint64_t number, struct stack *s)
{
    static const char *const overrides[] = {
        "sandbox_mode=read-only",
        "sandbox_mode=workspace-write",
        "sandbox_mode=danger-full-access",
        "default_permissions=own",
        "approval_policy=never",
        "web_search=live",
        "sandbox_workspace_write.network_access=true",
        "sandbox_workspace_write.writable_roots=[\"/var/w2\"]",
        "features.f1=true",
        "features.f2=false",
        "permissions.own.filesystem.\"/var/d\"=write",
        "sandbox_backend=external",
    };
    struct chance c = {number * 0x9e3779b97f4a7c15ull + 1};
    for (int i = 0; i < 4; i++)
        (void)draw(&c);
    for (int i = 0; i < N_FILES; i++) {
        if (i == REQUIREMENTS)
            put_requirements(&c, &s->texts[i]);
        else if (i != MANAGED || one_in(&c, 4))
            put_layer(&c, i, &s->texts[i]);
    }
    while (s->n_overrides < ARRAY_LEN(s->overrides) && one_in(&c, 3))
        s->overrides[s->n_overrides++] = PICK(&c, overrides);
    if (one_in(&c, 6))
        s->flags[s->n_flags++] = (struct config_flag){"--sandbox", "sandbox_mode", PICK(&c, modes)};
    if (one_in(&c, 6))
        s->flags[s->n_flags++] = (struct config_flag){"--ask-for-approval", "approval_policy",
                                                      one_in(&c, 2) ? "never" : "untrusted"};
    s->permissions = one_in(&c, 8) ? PICK(&c, profiles) : NULL;
    s->use_profile = one_in(&c, 2);
    s->vcs = one_in(&c, 2);
    s->add_dir = one_in(&c, 6) ? "/var/d/s" : NULL;
    s->tmpdir = one_in(&c, 2) ? NULL : one_in(&c, 2) ? "/var/w1/t" : in_cwd;
}

static void write_file(const char *file, struct strbuf *text)
{
    if (text->n == 0) {
        (void)unlink(file);
        return;
    }
    FILE *f = fopen(file, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(strbuf_text(text), 1, text->n, f), text->n);
    assert_int_equal(fclose(f), 0);
}

struct outcome {
    bool loaded;
    struct config *config;
    struct profile *profile;
    struct environment env;
    struct error err;
};

static void load(struct arena *a, const struct stack *s, bool with_project, struct outcome *o)
{
    struct config_request request = {
        .system_file = files[SYSTEM],
        .managed_file = files[MANAGED],
        .requirements_file = files[REQUIREMENTS],
        .admin_uid = geteuid(),
        .bawn_home = home,
        .home = "/home/u",
        .cwd = cwd,
        .profile = s->use_profile && s->texts[PROFILE].n ? "p" : NULL,
        .overrides = s->overrides,
        .n_overrides = s->n_overrides,
        .flags = s->flags,
        .n_flags = s->n_flags,
        .in_version_control = s->vcs,
        .find_project = with_project,
    };
    struct perm_context context = {
        .workspace = cwd,
        .home = "/home/u",
        .bawn_home = home,
        .tmpdir = s->tmpdir,
        .add_dirs = &s->add_dir,
        .n_add_dirs = s->add_dir ? 1 : 0,
    };
    int r = config_load(a, &request, &o->config, &o->err);
    if (r == 0)
        r = profile_resolve(o->config, s->permissions, &context, &o->profile, &o->err);
    if (r == 0)
        r = environment_build(a, o->config, variables, NULL, 0, &o->env, &o->err);
    o->loaded = r == 0;
}

/* ---- the judge ---- */

static const struct stack *judged;
static uint64_t judged_number;
static unsigned complaints;

static void complain(const char *fmt, ...) _printf_(1, 2);
static void complain(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    (void)fprintf(stderr, "stack %llu: ", (unsigned long long)judged_number);
    (void)vfprintf(stderr, fmt, ap);
    (void)fputc('\n', stderr);
    va_end(ap);
    if (complaints++)
        return;
    for (int i = 0; i < N_FILES; i++)
        (void)fprintf(stderr, "---- %s\n%s", files[i],
                      strbuf_text((struct strbuf *)&judged->texts[i]));
    for (size_t i = 0; i < judged->n_overrides; i++)
        (void)fprintf(stderr, "-c %s\n", judged->overrides[i]);
    for (size_t i = 0; i < judged->n_flags; i++)
        (void)fprintf(stderr, "%s %s\n", judged->flags[i].flag, judged->flags[i].value);
    (void)fprintf(stderr, "-P %s, profile %d, vcs %d, add-dir %s, TMPDIR %s\n",
                  judged->permissions ? judged->permissions : "-", judged->use_profile, judged->vcs,
                  judged->add_dir ? judged->add_dir : "-", judged->tmpdir ? judged->tmpdir : "-");
}

static size_t index_of(const char *const *list, size_t n, const char *word)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq(list[i], word))
            return i;
    return n;
}

static int rank_of(const char *policy)
{
    size_t i = index_of(policies, ARRAY_LEN(policies), policy);
    return i < ARRAY_LEN(policies) ? policy_rank[i] : 99;
}

/* The loosest that is allowed; SIZE_MAX when nothing is required. */
static size_t loosest(const struct string_list *list, const char *const *words, size_t n)
{
    size_t most = 0;
    for (size_t i = 0; i < list->n; i++)
        most = MAX_OF(most, index_of(words, n, list->v[i]));
    return list->set ? most : SIZE_MAX;
}

static enum access access_of(const struct outcome *o, size_t i)
{
    char buf[160];
    return permissions_check(o->profile, probe(i, buf, sizeof(buf))).access;
}

static bool flag_of(const struct outcome *o, const char *name)
{
    const struct toml_value *v = config_find(o->config, name);
    if (v && v->type == TOML_TABLE)
        v = toml_get(v, BYTES("enabled"));
    return v && v->type == TOML_BOOLEAN && v->boolean;
}

/* By the text, not by what was made of it. */
static bool is_denied(size_t denial)
{
    char quoted[64];
    (void)snprintf(quoted, sizeof(quoted), "\"%s\"", denials[denial].pattern);
    return strstr(strbuf_text((struct strbuf *)&judged->texts[REQUIREMENTS]), quoted) != NULL;
}

static void judge_paths(const struct outcome *o)
{
    const struct requirements *q = o->config->requirements;
    size_t most = loosest(&q->modes, modes, ARRAY_LEN(modes));
    bool nothing_held = o->profile->full_access || o->config->backend == BACKEND_EXTERNAL;
    if (nothing_held && most < 2)
        complain("nothing is confined, and %s is the most", modes[most]);
    if (nothing_held &&
        strstr(strbuf_text((struct strbuf *)&judged->texts[REQUIREMENTS]), "deny_read"))
        complain("nothing is confined, and deny_read is required");
    for (size_t i = 0; i < N_PROBES && !o->profile->full_access; i++) {
        enum access access = access_of(o, i);
        char buf[160];
        bool own_tmp = o->config->private_tmp && path_is_below(probe(i, buf, sizeof(buf)), "/tmp");
        if (access == ACCESS_WRITE && most == 0 && !own_tmp)
            complain("%s can be written, and read-only is the most", probe(i, buf, sizeof(buf)));
        for (size_t d = 0; d < ARRAY_LEN(denials); d++)
            if (denials[d].covers[i] == '1' && access != ACCESS_NONE && is_denied(d))
                complain("%s can be read, and %s is denied", probe(i, buf, sizeof(buf)),
                         denials[d].pattern);
    }
    if (most == 0 && o->profile->network != NETWORK_OFF)
        complain("the network is on, and read-only is the most");
}

static void judge_requirements(const struct outcome *o)
{
    const struct config *c = o->config;
    const struct requirements *q = c->requirements;
    int most = -1;
    judge_paths(o);
    for (size_t i = 0; i < q->policies.n; i++)
        most = MAX_OF(most, rank_of(q->policies.v[i]));
    if (q->policies.set && rank_of(c->approval_policy) > most)
        complain("approval_policy %s is more than is allowed", c->approval_policy);
    if (q->reviewers.set && !str_eq(c->approvals_reviewer, "user") &&
        index_of(q->reviewers.v, q->reviewers.n, c->approvals_reviewer) == q->reviewers.n)
        complain("reviewer %s is not allowed", c->approvals_reviewer);
    const char *search = config_web_search(c, o->profile->full_access);
    size_t far = loosest(&q->web_search, searches, ARRAY_LEN(searches));
    if (index_of(searches, ARRAY_LEN(searches), search) > far)
        complain("web_search %s is more than %s", search, searches[far]);
    const char *name = o->profile->name;
    const struct toml_value *may = q->profiles ? toml_get(q->profiles, bytes_of(name)) : NULL;
    if (q->profiles && !str_eq(name, ":read-only") && !(may && may->boolean))
        complain("profile %s is not allowed", name);
    static const char *const pinned[] = {"features.f1", "features.f2"};
    for (size_t i = 0; i < ARRAY_LEN(pinned); i++) {
        const struct toml_value *pins = q->tree ? toml_get(q->tree, BYTES("features")) : NULL;
        const struct toml_value *pin = pins ? toml_get(pins, bytes_of(pinned[i] + 9)) : NULL;
        if (pin && flag_of(o, pinned[i]) != pin->boolean)
            complain("%s is not what is pinned", pinned[i]);
    }
    const struct toml_value *login = q->tree ? toml_get(q->tree, BYTES("allow_login_shell")) : NULL;
    if (login && !login->boolean && flag_of(o, "allow_login_shell"))
        complain("login shells are on");
}

static void judge_list(const char *what, const struct string_list *with,
                       const struct string_list *without)
{
    for (size_t i = 0; i < with->n; i++)
        if (index_of(without->v, without->n, with->v[i]) == without->n)
            complain("a project added %s to %s", with->v[i], what);
}

static bool same_command(const struct config_command *a, const struct config_command *b)
{
    for (size_t i = 0; a->n == b->n && i < a->n; i++)
        if (!str_eq(a->words[i], b->words[i]))
            return false;
    return a->n == b->n;
}

/* Everything that PART has is in WHOLE. */
static void judge_commands(const char *what, const struct config_command_list *part,
                           const struct config_command_list *whole)
{
    for (size_t i = 0; i < part->n; i++) {
        size_t k = 0;
        while (k < whole->n && !same_command(&part->v[i], &whole->v[k]))
            k++;
        if (k == whole->n)
            complain("a project changed %s: %s", what, part->v[i].words[0]);
    }
}

static void judge_limit(const char *what, uint64_t with, uint64_t without)
{
    if (without && (with == 0 || with > without))
        complain("a project raised %s", what);
}

static bool has_variable(const struct environment *env, const char *variable)
{
    for (size_t i = 0; i < env->n_env; i++)
        if (str_eq(env->env[i], variable))
            return true;
    return false;
}

static void judge_project(const struct outcome *with, const struct outcome *without)
{
    const struct config *c = with->config, *d = without->config;
    static const char *const switches[] = {"allow_nested_userns", "allow_ptrace",
                                           "allow_login_shell", "features.f1", "features.f2"};
    for (size_t i = 0; i < N_PROBES; i++) {
        char buf[160];
        if (access_of(with, i) > access_of(without, i))
            complain("a project opened %s: %s instead of %s", probe(i, buf, sizeof(buf)),
                     access_word(access_of(with, i)), access_word(access_of(without, i)));
    }
    if (with->profile->network != NETWORK_OFF && without->profile->network == NETWORK_OFF)
        complain("a project turned the network on");
    if (with->profile->full_access && !without->profile->full_access)
        complain("a project lifted the sandbox");
    if (c->backend != d->backend)
        complain("a project chose the backend");
    if (rank_of(c->approval_policy) > rank_of(d->approval_policy))
        complain("a project made approvals looser: %s instead of %s", c->approval_policy,
                 d->approval_policy);
    if (!str_eq(c->approvals_reviewer, d->approvals_reviewer))
        complain("a project chose the reviewer");
    if (index_of(searches, 3, config_web_search(c, with->profile->full_access)) >
        index_of(searches, 3, config_web_search(d, without->profile->full_access)))
        complain("a project widened web_search");
    for (size_t i = 0; i < ARRAY_LEN(switches); i++)
        if (flag_of(with, switches[i]) && !flag_of(without, switches[i]))
            complain("a project turned %s on", switches[i]);
    judge_list("allow_unix_sockets", &c->allow_unix_sockets, &d->allow_unix_sockets);
    judge_list("devices", &c->devices, &d->devices);
    judge_list("writable_roots", &c->writable_roots, &d->writable_roots);
    judge_list("what is protected", &d->protected_names, &c->protected_names);
    judge_commands("known_safe", &c->commands.known_safe, &d->commands.known_safe);
    judge_commands("not_dangerous", &c->commands.not_dangerous, &d->commands.not_dangerous);
    judge_commands("not_safe", &d->commands.not_safe, &c->commands.not_safe);
    judge_commands("dangerous", &d->commands.dangerous, &c->commands.dangerous);
    if (str_eq(c->approval_policy, "granular") &&
        memcmp(&c->granular, &d->granular, sizeof(c->granular)) != 0)
        complain("a project changed the policy by kind");
    judge_limit("limits.cpu_seconds", c->limits.cpu_seconds, d->limits.cpu_seconds);
    judge_limit("limits.memory", c->limits.memory_bytes, d->limits.memory_bytes);
    for (size_t i = 0; variables[i]; i++)
        if (has_variable(&with->env, variables[i]) && !has_variable(&without->env, variables[i]))
            complain("a project let %s through", variables[i]);
}

/* ---- the run ---- */

static void test_stacks(void **state)
{
    unsigned loaded = 0, refused = 0, tightened = 0;
    (void)state;
    for (uint64_t n = 0; n < STACKS && complaints < 10; n++) {
        struct stack s = {0};
        struct arena a = {0};
        struct outcome with = {0}, without = {0};
        if (only != UINT64_MAX && n != only)
            continue;
        make_stack(n, &s);
        judged = &s;
        judged_number = n;
        for (int i = 0; i < N_FILES; i++)
            write_file(files[i], &s.texts[i]);
        load(&a, &s, true, &with);
        load(&a, &s, false, &without);
        if (with.loaded)
            judge_requirements(&with);
        if (without.loaded)
            judge_requirements(&without);
        if (without.loaded && !with.loaded)
            complain("a project's file ended the start: %s", with.err.message);
        if (with.loaded && without.loaded)
            judge_project(&with, &without);
        loaded += with.loaded;
        refused += !without.loaded && without.err.code == -EPERM;
        for (size_t i = 0; with.loaded && without.loaded && i < N_PROBES; i++)
            if (access_of(&with, i) < access_of(&without, i)) {
                tightened++;
                break;
            }
        arena_release(&a);
        for (int i = 0; i < N_FILES; i++)
            strbuf_release(&s.texts[i]);
    }
    assert_int_equal(complaints, 0);
    if (only != UINT64_MAX)
        return;
    /* Chance has to reach every side, or the promises were not asked. */
    (void)printf("%u loaded, %u refused, %u tightened\n", loaded, refused, tightened);
    assert_true(loaded > STACKS / 4);
    assert_true(refused > STACKS / 10);
    assert_true(tightened > STACKS / 20);
}

static void make_dirs(void)
{
    char path[160];
    (void)snprintf(root, sizeof(root), "%s/p", dir);
    (void)snprintf(cwd, sizeof(cwd), "%s/sub", root);
    (void)snprintf(home, sizeof(home), "%s/home", dir);
    (void)snprintf(in_cwd, sizeof(in_cwd), "%s/t", cwd);
    const char *const made[] = {"p", "p/.git", "p/.bawn", "p/sub", "p/sub/.bawn", "home", "etc"};
    for (size_t i = 0; i < ARRAY_LEN(made); i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", dir, made[i]);
        assert_int_equal(mkdir(path, 0700), 0);
    }
    static const char *const names[N_FILES] = {
        [SYSTEM] = "etc/config.toml",
        [USER] = "home/config.toml",
        [PROFILE] = "home/p.config.toml",
        [PROJECT_ROOT] = "p/.bawn/config.toml",
        [PROJECT_SUB] = "p/sub/.bawn/config.toml",
        [MANAGED] = "etc/managed_config.toml",
        [REQUIREMENTS] = "etc/requirements.toml",
    };
    for (int i = 0; i < N_FILES; i++)
        (void)snprintf(files[i], sizeof(files[i]), "%s/%s", dir, names[i]);
    (void)snprintf(trust_file, sizeof(trust_file), "%s/trust.toml", home);
    _cleanup_strbuf_ struct strbuf text = {0};
    strbuf_printf(&text, "[projects.\"%s\"]\ntrust_level = \"trusted\"\n", root);
    write_file(trust_file, &text);
    (void)snprintf(path, sizeof(path), "%s/.git/HEAD", root);
    strbuf_clear(&text);
    strbuf_puts(&text, "ref: refs/heads/main\n");
    write_file(path, &text);
}

static int set_up(void **state)
{
    (void)state;
    (void)umask(077);
    if (!mkdtemp(dir))
        return -1;
    make_dirs();
    return 0;
}

static int tear_down(void **state)
{
    static const char *const made[] = {"p/.git/HEAD", "home/trust.toml", "p/.git", "p/sub/.bawn",
                                       "p/sub",       "p/.bawn",         "p",      "home",
                                       "etc"};
    char path[160];
    (void)state;
    for (int i = 0; i < N_FILES; i++)
        (void)unlink(files[i]);
    for (size_t i = 0; i < ARRAY_LEN(made); i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", dir, made[i]);
        (void)remove(path);
    }
    return rmdir(dir);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_stacks)};
    if (argc > 1)
        only = strtoull(argv[1], NULL, 10);
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
