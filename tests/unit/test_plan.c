/*
 * plan_build() by a table: what a profile and a survey of the disk come to. A case is a few lines
 * of text, "entry" and "item" in, mounts out, so that a plan can be read at a glance.
 *
 *   e ACCESS KIND PATH      an entry of the profile (none read write; named protected nested own
 * base) i KIND[:MISSING] PATH   what the survey found for the entry of that path (dir file link
 * gone)
 *   s                       there is nowhere to keep state
 */
#include "base/path.h"
#include "sandbox/plan.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define MOST 24

struct plan_case {
    const char *name;
    const char *in;      /* lines as above, separated by ';' */
    const char *mounts;  /* "op path" of each but /proc and /dev, separated by ';' */
    const char *guarded; /* paths, separated by ';' */
    const char *absent;
    unsigned
        filter; /* FILTER_* beyond NETWORK_OFF that must be set; what is not named must not be */
};

static const struct plan_case cases[] = {
    {"nothing is writable", "e read base /;i dir /", "", "", "", 0},
    {"a writable root", "e read base /;e write named /w;i dir /;i dir /w", "write /w", "", "", 0},
    {"a protected directory and a file",
     "e read base /;e write named /w;e read protected /w/.git;"
     "e read protected /w/.x;i dir /;i dir /w;i dir /w/.git;i file /w/.x",
     "write /w;read /w/.git;read /w/.x", "", "", 0},
    {"a missing name is held",
     "e read base /;e write named /w;e read protected /w/.git;i dir /;i dir /w;"
     "i gone:1 /w/.git",
     "write /w;held /w/.git", "", "", 0},
    {"the first missing component is held",
     "e read base /;e write named /w;e read protected /w/.v/t;i dir /;"
     "i dir /w;i gone:2 /w/.v/t",
     "write /w;held /w/.v", "", "", 0},
    {"nothing is held where nothing can be made",
     "e read base /;e read protected /r/.git;i dir /;"
     "i gone:1 /r/.git",
     "", "", "", 0},
    {"a nested writable root needs no mount, its parents are guarded",
     "e read base /;e write named /w;e write named /w/a/b;i dir /;i dir /w;i dir /w/a/b",
     "write /w", "/w/a", "", FILTER_WATCH_RENAME},
    {"masks",
     "e read base /;e write named /w;e none named /w/k;e none named /w/d;i dir /;i dir /w;i file "
     "/w/k;"
     "i dir /w/d",
     "write /w;mask /w/d;mask /w/k", "", "", FILTER_WATCH_OPEN},
    {"a mask in a directory guards the directory",
     "e read base /;e write named /w;e none named /w/c/k;i dir /;i dir /w;"
     "i file /w/c/k",
     "write /w;mask /w/c/k", "/w/c", "", FILTER_WATCH_OPEN | FILTER_WATCH_RENAME},
    {"a mask of what is missing is judged, not held",
     "e read base /;e write named /w;e none named /w/k;i dir /;"
     "i dir /w;i gone:1 /w/k",
     "write /w", "", "/w/k", FILTER_WATCH_OPEN},
    {"reopened below a mask",
     "e read base /;e none named /s;e read named /s/a/b;i dir /;i dir /s;i dir /s/a/b",
     "reopened /s;read /s/a/b", "", "", FILTER_WATCH_OPEN},
    {"a mask inside a mask is one mask",
     "e read base /;e none named /s;e none named /s/x;i dir /;i dir /s;i file /s/x", "mask /s", "",
     "", FILTER_WATCH_OPEN},
    {"writable below protected",
     "e read base /;e write named /w;e read protected /w/.git;e write named /w/.git/o;i dir /;"
     "i dir /w;i dir /w/.git;i dir /w/.git/o",
     "write /w;read /w/.git;write /w/.git/o", "/w/.git", "", FILTER_WATCH_RENAME},
    {"a nested repository keeps its .git in place",
     "e read base /;e write named /w;e read nested /w/n/.git/hooks;i dir /;"
     "i dir /w;i dir /w/n/.git/hooks",
     "write /w;write /w/n/.git;read /w/n/.git/hooks", "", "", 0},
    {"a link is held where it could be replaced",
     "e read base /;e write named /w;e read protected /w/.git;i dir /;i dir /w;"
     "i link /w/.git",
     "write /w;read /w/.git", "", "", 0},
    {"a restricted root has only what is named",
     "e read named /usr;e write named /w;i dir /usr;i dir /w", "read /usr;write /w", "", "", 0},
    {"a restricted root needs no masks outside",
     "e read named /usr;e none named /home;i dir /usr;i dir /home", "read /usr", "", "",
     FILTER_WATCH_OPEN},
    {"two items of one path", "e read base /;e write named /w;i dir /;i dir /w;i dir /w",
     "write /w", "", "", 0},
    {"order does not matter",
     "e write named /w;e none named /w/z;e read base /;e none named /w/a;i file /w/z;i dir /w;"
     "i file /w/a;i dir /",
     "write /w;mask /w/a;mask /w/z", "", "", FILTER_WATCH_OPEN},
    {"a sibling with a longer name is not below",
     "e read base /;e write named /w;e none named /w-x;i dir /;i dir /w;i dir /w-x",
     "write /w;mask /w-x", "", "", FILTER_WATCH_OPEN},
    {"a missing name is watched where nothing can be written down",
     "s;e read base /;e write named /w;e read protected /w/.git;"
     "e read protected /w/.v/t;i dir /;i dir /w;i gone:1 /w/.git;i gone:2 /w/.v/t",
     "write /w", "", "/w/.git;/w/.v", FILTER_WATCH_OPEN},
    {"a missing name that is written outright is not held for what may lie in it",
     "e read base /;e write named /w;e write named /w/b;e read protected /w/b/.git;i dir /;i dir "
     "/w;"
     "i gone:2 /w/b/.git",
     "write /w", "", "", 0},
    {"what a preset opens is held while it is missing",
     "e read base /;e write named /w;e write base /w/.git;e read protected /w/.git/hooks;i dir /;"
     "i dir /w;i gone:2 /w/.git/hooks",
     "write /w;held /w/.git", "", "", 0},
};

/* ---- reading a case ---- */

struct world {
    struct arena a;
    struct perm_entry entries[MOST];
    struct survey_item items[MOST];
    struct profile profile;
    struct survey survey;
    struct config config;
    struct plan_input in;
};

static enum entry_kind kind_of(const char *word)
{
    static const char *const words[] = {"named", "protected", "gitdir", "nested", "own", "base"};
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (str_eq(words[i], word))
            return (enum entry_kind)i;
    fail_msg("kind %s", word);
    return ENTRY_NAMED;
}

static void read_entry(struct world *w, const char *access, const char *kind, const char *path)
{
    struct perm_entry *e = &w->entries[w->profile.n_entries++];
    e->path = arena_strdup(&w->a, path);
    e->written = e->path;
    e->access = str_eq(access, "none")   ? ACCESS_NONE
                : str_eq(access, "read") ? ACCESS_READ
                                         : ACCESS_WRITE;
    e->kind = kind_of(kind);
    w->profile.full_read = w->profile.full_read || str_eq(path, "/");
}

static void read_item(struct world *w, const char *what, unsigned missing, const char *path)
{
    struct survey_item *item = &w->items[w->survey.n_items++];
    item->path = arena_strdup(&w->a, path);
    item->missing = missing;
    item->kind = missing                ? FILE_MISSING
                 : str_eq(what, "dir")  ? FILE_DIRECTORY
                 : str_eq(what, "link") ? FILE_SYMLINK
                                        : FILE_REGULAR;
    item->is_link = item->kind == FILE_SYMLINK;
    item->ino = w->survey.n_items;
    item->dev = 1;
    for (size_t i = 0; i < w->profile.n_entries; i++)
        if (str_eq(w->entries[i].path, path))
            item->entry = &w->entries[i];
}

static void make_world(struct world *w, const char *text)
{
    *w = (struct world){0};
    w->profile.name = ":workspace";
    w->profile.mode = "workspace-write";
    w->profile.entries = w->entries;
    w->survey.items = w->items;
    w->config.backend = BACKEND_BUNDLED;
    w->config.env_ignore_default_excludes = true;
    static const char *const none[] = {NULL};
    w->in = (struct plan_input){.config = &w->config,
                                .profile = &w->profile,
                                .survey = &w->survey,
                                .workspace = "/w",
                                .cwd = "/w",
                                .environ = none};
    for (const char *p = text; *p;) {
        size_t n = strcspn(p, ";");
        char line[128], a[32], b[32], path[64];
        assert_true(n < sizeof(line));
        memcpy(line, p, n);
        line[n] = '\0';
        if (str_eq(line, "s")) { /* nowhere to keep state */
            w->in.stateless = true;
        } else if (line[0] == 'e') {
            assert_int_equal(sscanf(line, "e %31s %31s %63s", a, b, path), 3);
            read_entry(w, a, b, path);
        } else {
            assert_int_equal(sscanf(line, "i %31s %63s", a, path), 2);
            char *colon = strchr(a, ':');
            unsigned missing = colon ? (unsigned)strtoul(colon + 1, NULL, 10) : 0;
            if (colon)
                *colon = '\0';
            read_item(w, a, missing, path);
        }
        p += n + (p[n] == ';');
    }
}

static const char *op_of(const struct plan_mount *m)
{
    switch (m->op) {
    case MOUNT_BIND:
        return m->write ? "write" : "read";
    case MOUNT_MASK:
        return m->reopened ? "reopened" : "mask";
    case MOUNT_MISSING:
        return "held";
    case MOUNT_TMPFS:
        return "tmpfs";
    case MOUNT_DEVICE:
        return "device";
    default:
        return NULL;
    }
}

static void show_mounts(const struct plan *p, struct strbuf *out)
{
    for (size_t i = 0; i < p->n_mounts; i++)
        if (op_of(&p->mounts[i]))
            strbuf_printf(out, "%s%s %s", out->n ? ";" : "", op_of(&p->mounts[i]),
                          p->mounts[i].path);
}

static void show_list(const char *const *v, size_t n, struct strbuf *out)
{
    for (size_t i = 0; i < n; i++)
        strbuf_printf(out, "%s%s", i ? ";" : "", v[i]);
}

/* ---- tests ---- */

static void test_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct plan_case *c = &cases[i];
        struct world w;
        struct plan *p;
        struct error err = {0};
        make_world(&w, c->in);
        assert_return_code(plan_build(&w.a, &w.in, &p, &err), 0);
        struct strbuf mounts = {0}, guarded = {0}, absent = {0};
        show_mounts(p, &mounts);
        show_list(p->guarded, p->n_guarded, &guarded);
        show_list(p->absent, p->n_absent, &absent);
        if (!str_eq(strbuf_text(&mounts), c->mounts) ||
            !str_eq(strbuf_text(&guarded), c->guarded) ||
            !str_eq(strbuf_text(&absent), c->absent) ||
            p->filter != (FILTER_NETWORK_OFF | c->filter))
            fail_msg("%s:\n  mounts  %s\n  wanted  %s\n  guarded %s\n  wanted  %s\n  absent  %s\n  "
                     "wanted  %s\n  filter %x",
                     c->name, strbuf_text(&mounts), c->mounts, strbuf_text(&guarded), c->guarded,
                     strbuf_text(&absent), c->absent, p->filter);
        strbuf_release(&mounts);
        strbuf_release(&guarded);
        strbuf_release(&absent);
        arena_release(&w.a);
    }
}

/* The preset `git` opens a directory. Where the survey found a file and closed it, it stays shut,
 * unless a person's own line names it. */
static void test_git_file_of_preset(void **state)
{
    (void)state;
    static const struct {
        const char *layer;
        enum access access;
    } rows[] = {{"preset:git", ACCESS_READ}, {"user", ACCESS_WRITE}, {"flag", ACCESS_WRITE}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct world w;
        struct plan *p;
        struct error err = {0};
        struct perm_entry extra = {
            .path = "/w/.git", .written = "x", .access = ACCESS_READ, .kind = ENTRY_GITDIR};
        make_world(&w, "e read base /;e write named /w;e write base /w/.git;i dir /;i dir /w;"
                       "i file /w/.git");
        w.entries[2].origin.layer = rows[i].layer;
        w.survey.extra = &extra;
        w.survey.n_extra = 1;
        assert_return_code(plan_build(&w.a, &w.in, &p, &err), 0);
        assert_int_equal(permissions_check(p->profile, "/w/.git").access, rows[i].access);
        arena_release(&w.a);
    }
}

static const char basic[] = "e read base /;e write named /w;i dir /;i dir /w";

static struct plan *build(struct world *w)
{
    struct plan *p = NULL;
    struct error err = {0};
    if (plan_build(&w->a, &w->in, &p, &err) < 0)
        fail_msg("%s", err.message);
    return p;
}

static void test_filter(void **state)
{
    (void)state;
    struct world w;
    make_world(&w, basic);
    w.in.log_denials = true;
    assert_int_equal(build(&w)->filter, FILTER_NETWORK_OFF | FILTER_LOG);
    w.in.log_denials = false;
    w.config.allow_ptrace = true;
    assert_int_equal(build(&w)->filter, FILTER_NETWORK_OFF | FILTER_ALLOW_PTRACE);
    w.config.allow_ptrace = false;
    w.config.allow_nested_userns = true;
    assert_int_equal(build(&w)->filter, FILTER_NETWORK_OFF | FILTER_ALLOW_USERNS);
    w.config.allow_nested_userns = false;
    w.profile.network = NETWORK_OPEN;
    assert_int_equal(build(&w)->filter, 0);
    w.profile.network = NETWORK_OFF;
    w.config.backend = BACKEND_LANDLOCK;
    assert_int_equal(build(&w)->filter, FILTER_NETWORK_OFF | FILTER_NO_NETNS);
    arena_release(&w.a);
}

static void test_masks_and_userns(void **state)
{
    (void)state;
    struct world w;
    struct plan *p;
    struct error err = {0};
    make_world(&w, "e read base /;e none named /k;i dir /;i file /k");
    w.config.allow_nested_userns = true;
    assert_int_equal(plan_build(&w.a, &w.in, &p, &err), -EINVAL);
    assert_true(strstr(err.message, "allow_nested_userns") != NULL && err.hint[0]);
    arena_release(&w.a);
}

static void test_backend(void **state)
{
    (void)state;
    struct world w;
    make_world(&w, basic);
    w.config.backend = BACKEND_AUTO;
    assert_int_equal(build(&w)->backend, BACKEND_BUNDLED);
    w.in.bwrap.path = "/usr/bin/bwrap";
    assert_int_equal(build(&w)->backend, BACKEND_BWRAP);
    w.config.backend = BACKEND_BUNDLED;
    assert_int_equal(build(&w)->backend, BACKEND_BUNDLED);
    arena_release(&w.a);
    make_world(&w,
               "e read base /;e write named /w;e read protected /w/l;i dir /;i dir /w;i link /w/l");
    w.config.backend = BACKEND_AUTO;
    w.in.bwrap.path = "/usr/bin/bwrap";
    assert_int_equal(build(&w)->backend, BACKEND_BUNDLED);
    arena_release(&w.a);
}

static void test_many_mounts(void **state)
{
    (void)state;
    struct world w;
    make_world(&w, "e read base /;i dir /");
    static struct survey_item items[200];
    static struct perm_entry entry = {
        .path = "/d", .glob = "*.k", .access = ACCESS_NONE, .written = "*.k"};
    w.entries[w.profile.n_entries++] = entry;
    for (size_t i = 0; i < ARRAY_LEN(items); i++)
        items[i] = (struct survey_item){.entry = &entry,
                                        .kind = FILE_REGULAR,
                                        .ino = i + 1,
                                        .path = arena_printf(&w.a, "/d/%03zu.k", i)};
    w.survey.items = items;
    w.survey.n_items = ARRAY_LEN(items);
    w.config.backend = BACKEND_AUTO;
    w.in.bwrap.path = "/usr/bin/bwrap";
    struct plan *p = build(&w);
    assert_int_equal(p->n_mounts, ARRAY_LEN(items) + 2);
    assert_int_equal(p->backend, BACKEND_BUNDLED);
    assert_true(strstr(p->backend_reason, "mounts") != NULL);
    arena_release(&w.a);
}

static bool has(const char *const *v, size_t n, const char *what)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq(v[i], what))
            return true;
    return false;
}

static void test_environment(void **state)
{
    (void)state;
    static const char *const environ[] = {"PATH=/bin", "MY_TOKEN=x", NULL};
    struct world w;
    make_world(&w, "e read base /;e write named /w;e read protected /w/.git;i dir /;i dir /w;i "
                   "gone:1 /w/.git");
    w.in.environ = environ;
    w.config.env_ignore_default_excludes = false;
    struct plan *p = build(&w);
    assert_true(has(p->env, p->n_env, "BAWN_SANDBOX=1"));
    assert_true(has(p->env, p->n_env, "BAWN_SANDBOX_NETWORK_DISABLED=1"));
    assert_true(has(p->env, p->n_env, "PATH=/bin"));
    assert_false(has(p->env, p->n_env, "MY_TOKEN=x"));
    assert_true(has(p->env_removed, p->n_env_removed, "MY_TOKEN"));
    /* A held .git would stop `go build`. */
    assert_true(has(p->env, p->n_env, "GOFLAGS=-buildvcs=false"));
    arena_release(&w.a);
}

static void test_private_tmp_and_devices(void **state)
{
    (void)state;
    struct world w;
    make_world(&w, "e read base /;e write base /tmp;i dir /;i dir /tmp");
    static const char *names[] = {"kvm", "/dev/ttyUSB0", "nonsense"};
    w.config.private_tmp = true;
    w.config.devices = (struct string_list){.v = names, .n = 3};
    struct plan *p = build(&w);
    struct strbuf mounts = {0};
    show_mounts(p, &mounts);
    assert_string_equal(strbuf_text(&mounts), "device /dev/kvm;device /dev/ttyUSB0;tmpfs /tmp");
    assert_int_equal(p->n_warnings, 1);
    strbuf_release(&mounts);
    arena_release(&w.a);
}

static void test_json_is_whole(void **state)
{
    (void)state;
    struct world w;
    make_world(&w, cases[7].in);
    struct strbuf out = {0};
    struct json j;
    json_begin(&j, &out);
    plan_json(build(&w), &j);
    assert_true(json_ok(&j));
    static const char *const keys[] = {"backend", "mode",        "profile", "network",
                                       "roots",   "protected",   "masked",  "mounts",
                                       "seccomp", "environment", "warnings"};
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        char key[32];
        (void)snprintf(key, sizeof(key), "\"%s\":", keys[i]);
        if (!strstr(strbuf_text(&out), key))
            fail_msg("no %s", key);
    }
    strbuf_clear(&out);
    plan_print(build(&w), &out);
    assert_true(strstr(strbuf_text(&out), "/w/k") != NULL);
    strbuf_release(&out);
    arena_release(&w.a);
}

static void test_memory_failures(void **state)
{
    (void)state;
    for (unsigned long n = 1; n < 200; n++) {
        struct world w;
        struct plan *p;
        struct error err = {0};
        make_world(&w, cases[8].in);
        mem_fail_at(n);
        int r = plan_build(&w.a, &w.in, &p, &err);
        mem_fail_at(0);
        arena_release(&w.a);
        if (r == 0)
            return;
        assert_int_equal(r, -ENOMEM);
    }
    fail_msg("never succeeded");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),         cmocka_unit_test(test_git_file_of_preset),
        cmocka_unit_test(test_filter),        cmocka_unit_test(test_masks_and_userns),
        cmocka_unit_test(test_backend),       cmocka_unit_test(test_many_mounts),
        cmocka_unit_test(test_environment),   cmocka_unit_test(test_private_tmp_and_devices),
        cmocka_unit_test(test_json_is_whole), cmocka_unit_test(test_memory_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
