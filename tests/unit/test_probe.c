/*
 * Probes: what the kernel's say here, every explanation of a missing user namespace, and the choice
 * of a bwrap, with scripts in the place of bwrap that behave well or badly.
 */
#include "base/fd.h"
#include "base/path.h"
#include "sandbox/probe.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- the kernel's ---- */

static void check_shape(const struct probe_result *r, const char *id)
{
    assert_string_equal(r->id, id);
    assert_true(r->detail[0]);
    assert_null(strchr(r->detail, '\n'));
    if (!r->ok)
        assert_true(r->fix[0]);
}

static void test_kernel_probes(void **state)
{
    (void)state;
    static const struct {
        const char *id;
        void (*probe)(struct probe_facts *, struct probe_result *);
    } all[] = {
        {"kernel", probe_kernel},     {"userns", probe_userns},   {"seccomp", probe_seccomp},
        {"landlock", probe_landlock}, {"cgroups", probe_cgroups}, {"proc", probe_proc_mount},
    };
    struct probe_facts facts = {0};
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        struct probe_result r = {0};
        all[i].probe(&facts, &r);
        check_shape(&r, all[i].id);
        print_message("%s %s %s\n", r.ok ? "ok  " : "FAIL", r.id, r.detail);
    }
    assert_true(facts.release[0]);
    /* None of it stays with us: no filter, no child, no namespace. */
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
    assert_int_not_equal(getppid(), 4242);
}

static void test_explain_userns(void **state)
{
    (void)state;
    static const struct userns_facts fine = {
        .built_in = true, .userns_clone = -1, .max_namespaces = 1000, .apparmor = -1};
    struct {
        struct userns_facts f;
        const char *detail, *fix;
    } cases[12];
    size_t n = 0;
#define CASE(want_detail, want_fix, ...)                                                           \
    do {                                                                                           \
        cases[n].f = fine;                                                                         \
        struct userns_facts *f = &cases[n].f;                                                      \
        f->failed = USERNS_CREATE;                                                                 \
        f->error = EPERM;                                                                          \
        __VA_ARGS__;                                                                               \
        cases[n].detail = want_detail;                                                             \
        cases[n++].fix = want_fix;                                                                 \
    } while (0)
    CASE("WSL1", "WSL2", f->wsl1 = true);
    CASE("built without", "CONFIG_USER_NS", f->built_in = false; f->error = EINVAL);
    CASE("unprivileged_userns_clone = 0", "sysctl -w kernel.unprivileged_userns_clone=1",
         f->userns_clone = 0);
    CASE("max_user_namespaces = 0", "sysctl -w user.max_user_namespaces=", f->max_namespaces = 0;
         f->error = ENOSPC);
    CASE("in use", "raise", f->error = ENOSPC);
    CASE("chroot", "leave the chroot", f->chroot = true);
    CASE("seccomp filter", "seccomp=unconfined", f->filtered = true);
    CASE("Docker", "external", f->filtered = true; f->container = "Docker");
    CASE("AppArmor", "bwrap-userns-restrict", f->apparmor = 1; f->failed = USERNS_OTHERS);
    CASE("AppArmor", "bwrap-userns-restrict", f->apparmor = 1; f->failed = USERNS_MAP;
         f->error = EACCES);
    CASE("Podman", "apparmor=unconfined", f->container = "Podman"; f->failed = USERNS_MOUNT);
    CASE("making a user namespace: Operation not permitted", "RestrictNamespaces", (void)f);
#undef CASE
    for (size_t i = 0; i < n; i++) {
        struct probe_result r;
        probe_explain_userns(&cases[i].f, &r);
        assert_false(r.ok);
        assert_true(r.needed);
        check_shape(&r, "userns");
        if (!strstr(r.detail, cases[i].detail) || !strstr(r.fix, cases[i].fix))
            fail_msg("case %zu: \"%s\" / \"%s\"", i, r.detail, r.fix);
    }
    struct probe_result r;
    probe_explain_userns(&fine, &r);
    assert_true(r.ok);
    assert_string_equal(r.fix, "");
}

/* ---- running ---- */

static void test_exec(void **state)
{
    (void)state;
    static const char *const env[] = {"X=1", NULL};
    const char *argv[] = {"sh", "-c", "echo out $X; echo err >&2; read x || exit 7", NULL};
    _cleanup_strbuf_ struct strbuf out = {0}, err = {0};
    struct probe_run run = {.program = "/bin/sh",
                            .argv = argv,
                            .envp = env,
                            .timeout_ms = 5000,
                            .out = &out,
                            .err = &err};
    int status = 0;
    assert_int_equal(probe_exec(&run, &status), 0);
    assert_int_equal(WEXITSTATUS(status), 7);
    assert_string_equal(strbuf_text(&out), "out 1\n");
    assert_string_equal(strbuf_text(&err), "err\n");

    run.program = "/nonexistent";
    assert_int_equal(probe_exec(&run, &status), 0);
    assert_int_equal(WEXITSTATUS(status), 127);

    /* Too long, with a grandchild that holds the pipe and floods it. */
    run.program = "/bin/sh";
    argv[2] = "(while :; do echo flood; done) & sleep 100";
    run.timeout_ms = 200;
    struct timespec a, b;
    (void)clock_gettime(CLOCK_MONOTONIC, &a);
    strbuf_clear(&out);
    assert_int_equal(probe_exec(&run, &status), -ETIMEDOUT);
    (void)clock_gettime(CLOCK_MONOTONIC, &b);
    assert_in_range(b.tv_sec - a.tv_sec, 0, 2);
    assert_in_range(out.n, 1, 65536);
}

/* ---- bwrap ---- */

static char base[512]; /* a directory whose parents nobody else can write */

static bool parents_are_fit(const char *dir)
{
    char path[512];
    (void)snprintf(path, sizeof(path), "%s", dir);
    for (;;) {
        struct stat st;
        if (stat(path, &st) < 0 || (st.st_uid != 0 && st.st_uid != geteuid()) ||
            (st.st_mode & S_IWOTH) || ((st.st_mode & S_IWGRP) && st.st_gid != 0))
            return false;
        char *slash = strrchr(path, '/');
        if (!slash || !slash[1])
            return true;
        slash[slash == path] = '\0';
    }
}

static int make_base(void **state)
{
    (void)state;
    char cwd[400];
    const char *places[] = {getcwd(cwd, sizeof(cwd)), getenv("XDG_RUNTIME_DIR"), "/run"};
    (void)umask(022);
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        if (!places[i] || !parents_are_fit(places[i]))
            continue;
        (void)snprintf(base, sizeof(base), "%s/test-probe-XXXXXX", places[i]);
        if (mkdtemp(base))
            return chmod(base, 0755);
    }
    print_error("no directory here has parents that only root and we can write\n");
    return -1;
}

static int remove_base(void **state)
{
    (void)state;
    return probe_remove_tree(base);
}

static const char *at(const char *name)
{
    static char ring[8][1024];
    static unsigned next;
    char *b = ring[next++ % 8];
    (void)snprintf(b, sizeof(ring[0]), "%s/%s", base, name);
    return b;
}

static void make_dir(const char *name)
{
    assert_int_equal(path_mkdirs(at(name), 0755), 0);
}

static void write_script(const char *name, const char *text)
{
    (void)unlink(at(name));
    _cleanup_fd_ int fd = open(at(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
    assert_true(fd >= 0);
    assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
}

/* "--bind ROOT /": an attempt at the escape; ROOT/control says that it was tried. */
#define SCRIPT_HEAD                                                                                \
    "#!/bin/sh\n"                                                                                  \
    "PATH=/usr/bin:/bin\n"                                                                         \
    "echo run >>${0%/*}/runs\n"                                                                    \
    "case $* in *--ro-bind*/link/probe*) kind=file;; *) kind=dir;; esac\n"                         \
    "case $* in *--bind*) ;; *) exit 0;; esac\n"                                                   \
    "root=${*#*--bind }; root=${root%% / *}\n"                                                     \
    "mkdir $root/control; link=$(readlink $root/link)\n"                                           \
    "case $link in /*) how=absolute;; *) how=relative;; esac\n"                                    \
    "host=${link#*/oldroot}\n"
static const char safe_script[] = SCRIPT_HEAD "exit 1\n";
static const char pinning_script[] =
    "#!/bin/sh\n"
    "test $1 = --help && echo '    --bind-fd FD DEST' && exec echo '    --ro-bind-fd FD DEST'\n"
    ": " SCRIPT_HEAD "exit 1\n";
static const char escaping_script[] = SCRIPT_HEAD "mkdir $host/probe\n";
static const char relative_file_script[] =
    SCRIPT_HEAD "test $how$kind = relativefile && : >$host/probe\n exit 1\n";
static const char broken_script[] =
    "#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2; exit 1\n";
static const char silent_script[] = "#!/bin/sh\nexit 0\n"; /* makes nothing, not even control */

static void fresh_dirs(void)
{
    assert_int_equal(probe_remove_tree(at("t")), 0);
    make_dir("t/bin");
    make_dir("t/other");
    make_dir("t/state");
    assert_int_equal(chmod(at("t/state"), 0700), 0);
}

static unsigned runs(const char *name)
{
    _cleanup_strbuf_ struct strbuf text = {0};
    (void)path_read_file(AT_FDCWD, at(name), 1 << 20, &text, NULL);
    unsigned n = 0;
    for (size_t i = 0; i < text.n; i++)
        n += text.p[i] == '\n';
    return n;
}

static struct bwrap_probe probe(const char *path_env, const char *unfit)
{
    struct bwrap_probe b;
    char state[1024];
    (void)snprintf(state, sizeof(state), "%s", at("t/state"));
    struct bwrap_request q = {.path_env = path_env,
                              .state_dir = state,
                              .unfit_dirs = &unfit,
                              .n_unfit_dirs = unfit ? 1 : 0};
    (void)probe_bwrap(&q, &b);
    assert_string_equal(b.result.id, "bwrap");
    assert_int_equal(b.result.ok, b.state == BWRAP_FIT);
    assert_true(b.result.detail[0]);
    if (!b.result.ok)
        assert_true(b.result.fix[0]);
    return b;
}

/* Nothing but the cache stays in the state directory. */
static void assert_no_residue(void)
{
    DIR *d = opendir(at("t/state"));
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d));)
        if (!str_eq(e->d_name, ".") && !str_eq(e->d_name, "..") &&
            !str_eq(e->d_name, "bwrap-probe"))
            fail_msg("left behind: %s", e->d_name);
    (void)closedir(d);
}

static void test_verdicts(void **state)
{
    (void)state;
    static const struct {
        const char *script;
        enum bwrap_state want;
        const char *says;
    } cases[] = {
        {safe_script, BWRAP_FIT, "keeps inside"},
        {escaping_script, BWRAP_ESCAPES, "CVE-2026-87766"},
        {relative_file_script, BWRAP_ESCAPES, "CVE-2026-87766"},
        {broken_script, BWRAP_BROKEN, "No permissions to create new namespace"},
        {silent_script, BWRAP_UNTRIED, "could not be tried"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        fresh_dirs();
        write_script("t/bin/bwrap", cases[i].script);
        struct bwrap_probe b = probe(at("t/bin"), NULL);
        if (b.state != cases[i].want || !strstr(b.result.detail, cases[i].says))
            fail_msg("case %zu: %d \"%s\"", i, b.state, b.result.detail);
        assert_string_equal(b.path, at("t/bin/bwrap"));
        assert_no_residue();
    }
}

static void test_places(void **state)
{
    (void)state;
    char path[2048];
    fresh_dirs();
    assert_int_equal(probe(NULL, NULL).state, BWRAP_MISSING);
    assert_int_equal(probe("", NULL).state, BWRAP_MISSING);
    assert_int_equal(probe(at("t/bin"), NULL).state, BWRAP_MISSING);
    write_script("t/bin/bwrap", safe_script);
    assert_int_equal(probe(at("t/bin"), NULL).state, BWRAP_FIT);
    /* bawn itself under that name, by a link or as a file of two names, is no bwrap. */
    make_dir("t/compat");
    write_script("t/compat/bawn", safe_script);
    assert_int_equal(symlink("bawn", at("t/compat/bwrap")), 0);
    assert_int_equal(probe(at("t/compat"), NULL).state, BWRAP_MISSING);
    (void)snprintf(path, sizeof(path), "%s:%s", at("t/compat"), at("t/bin"));
    assert_int_equal(probe(path, NULL).state, BWRAP_FIT);
    /* Relative and empty elements are the working directory. */
    assert_int_equal(chdir(at("t/bin")), 0);
    assert_int_equal(probe(":.::bin", NULL).state, BWRAP_MISSING);
    assert_int_equal(chdir("/"), 0);
    /* The workspace, its parent, the directory by another name. */
    assert_int_equal(probe(at("t/bin"), at("t/bin")).state, BWRAP_PLACE);
    assert_int_equal(probe(at("t/bin"), at("t")).state, BWRAP_PLACE);
    assert_int_equal(symlink(at("t/bin"), at("t/alias")), 0);
    assert_int_equal(probe(at("t/bin"), at("t/alias")).state, BWRAP_PLACE);
    assert_int_equal(probe(at("t/alias"), at("t/bin")).state, BWRAP_PLACE);
    assert_int_equal(probe(at("t/bin"), at("t/other")).state, BWRAP_FIT);
    /* Others can write: the directory, one above it, the program. */
    assert_int_equal(chmod(at("t/bin"), 01777), 0);
    assert_int_equal(probe(at("t/bin"), NULL).state, BWRAP_PLACE);
    assert_int_equal(chmod(at("t/bin"), 0755), 0);
    assert_int_equal(chmod(at("t"), 0757), 0);
    assert_int_equal(probe(at("t/bin"), NULL).state, BWRAP_PLACE);
    assert_int_equal(chmod(at("t"), 0755), 0);
    assert_int_equal(chmod(at("t/bin/bwrap"), 0777), 0);
    assert_int_equal(probe(at("t/bin"), NULL).state, BWRAP_PLACE);
    if (geteuid() == 0) {
        assert_int_equal(chmod(at("t/bin/bwrap"), 0755), 0);
        assert_int_equal(chown(at("t/bin"), 0, 12345), 0);
        assert_int_equal(chmod(at("t/bin"), 0775), 0);
        assert_int_equal(probe(at("t/bin"), NULL).state, BWRAP_PLACE);
        assert_int_equal(chown(at("t/bin"), 12345, 0), 0);
        assert_int_equal(chmod(at("t/bin"), 0755), 0);
        assert_int_equal(probe(at("t/bin"), NULL).state, BWRAP_PLACE);
        assert_int_equal(chown(at("t/bin"), 0, 0), 0);
    }
    assert_int_equal(chmod(at("t/bin/bwrap"), 04755), 0);
    assert_int_equal(probe(at("t/bin"), NULL).state, BWRAP_SETUID);
    /* None of these was ever executed after the first verdict. */
    assert_int_equal(chmod(at("t/bin/bwrap"), 0644), 0);
    assert_int_equal(probe(at("t/bin"), NULL).state, BWRAP_MISSING);

    /* The first that is fit, past those that are not; a link is followed to a place that counts. */
    write_script("t/bin/bwrap", escaping_script);
    make_dir("t/second");
    make_dir("t/third/bwrap"); /* a directory */
    make_dir("t/real");
    write_script("t/real/program", safe_script);
    assert_int_equal(symlink("../real/program", at("t/second/bwrap")), 0);
    (void)snprintf(path, sizeof(path), "%s:%s:%s", at("t/third"), at("t/bin"), at("t/second"));
    struct bwrap_probe b = probe(path, NULL);
    assert_int_equal(b.state, BWRAP_FIT);
    assert_string_equal(b.path, at("t/real/program"));
    assert_int_equal(probe(path, at("t/real")).state, BWRAP_ESCAPES); /* the first one's answer */
    assert_int_equal(probe(at("t/second"), at("t/real")).state, BWRAP_PLACE);
    assert_no_residue();
}

static void test_cache(void **state)
{
    (void)state;
    fresh_dirs();
    write_script("t/bin/bwrap", safe_script);
    struct bwrap_probe b = probe(at("t/bin"), NULL);
    assert_int_equal(b.state, BWRAP_FIT);
    assert_false(b.cached);
    unsigned tried = runs("t/bin/runs");
    assert_true(tried >= 2);
    struct stat st;
    assert_int_equal(stat(at("t/state/bwrap-probe"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    b = probe(at("t/bin"), NULL);
    assert_true(b.cached);
    assert_int_equal(b.state, BWRAP_FIT);
    assert_false(b.pins);
    assert_int_equal(runs("t/bin/runs"), tried);

    /* One that takes descriptors, tried and remembered. */
    write_script("t/bin/bwrap", pinning_script);
    for (int i = 0; i < 2; i++) {
        b = probe(at("t/bin"), NULL);
        assert_int_equal(b.cached, i);
        assert_int_equal(b.state, BWRAP_FIT);
        assert_true(b.pins);
    }

    /* Another program in its place: another answer, and the old line is no longer asked. */
    write_script("t/bin/bwrap", escaping_script);
    b = probe(at("t/bin"), NULL);
    assert_false(b.cached);
    assert_int_equal(b.state, BWRAP_ESCAPES);
    b = probe(at("t/bin"), NULL);
    assert_true(b.cached);
    assert_int_equal(b.state, BWRAP_ESCAPES);

    /* A cache that others may have written is not believed; nor is one that is a link. */
    assert_int_equal(chmod(at("t/state/bwrap-probe"), 0620), 0);
    assert_false(probe(at("t/bin"), NULL).cached);
    assert_true(probe(at("t/bin"), NULL).cached);
    assert_int_equal(rename(at("t/state/bwrap-probe"), at("t/other/cache")), 0);
    assert_int_equal(symlink("../other/cache", at("t/state/bwrap-probe")), 0);
    assert_false(probe(at("t/bin"), NULL).cached);

    /* "Does not work" is asked anew each time. */
    write_script("t/bin/bwrap", broken_script);
    assert_int_equal(probe(at("t/bin"), NULL).state, BWRAP_BROKEN);
    assert_false(probe(at("t/bin"), NULL).cached);

    /* It stays small. */
    for (int i = 0; i < 20; i++) {
        write_script("t/bin/bwrap", escaping_script);
        assert_int_equal(probe(at("t/bin"), NULL).state, BWRAP_ESCAPES);
    }
    assert_int_equal(runs("t/state/bwrap-probe"), 16);

    /* Doctor does not believe it; without a state directory nothing is tried. */
    char where[1024];
    (void)snprintf(where, sizeof(where), "%s", at("t/state"));
    struct bwrap_request q = {.path_env = at("t/bin"), .state_dir = where, .fresh = true};
    assert_false(probe_bwrap(&q, &b));
    assert_false(b.cached);
    q.state_dir = NULL;
    assert_false(probe_bwrap(&q, &b));
    assert_int_equal(b.state, BWRAP_UNTRIED);
}

/* What a killed probe left is removed by the next; what a living one has is not. */
static void test_sweep(void **state)
{
    (void)state;
    char living[64], name[128];
    fresh_dirs();
    write_script("t/bin/bwrap", safe_script);
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    (void)snprintf(name, sizeof(name), "t/state/probe-%ld-0/root/deep", (long)pid);
    make_dir(name);
    (void)snprintf(living, sizeof(living), "t/state/probe-%ld-99", (long)getppid());
    make_dir(living);
    assert_int_equal(probe(at("t/bin"), NULL).state, BWRAP_FIT);
    assert_int_equal(access(at(living), F_OK), 0);
    assert_int_equal(probe_remove_tree(at(living)), 0);
    assert_no_residue();
}

static void test_remove_tree_follows_nothing(void **state)
{
    (void)state;
    fresh_dirs();
    make_dir("t/other/kept");
    make_dir("t/gone/a/b");
    assert_int_equal(symlink(at("t/other"), at("t/gone/a/link")), 0);
    assert_int_equal(probe_remove_tree(at("t/gone")), 0);
    assert_int_equal(access(at("t/other/kept"), F_OK), 0);
    assert_int_equal(access(at("t/gone"), F_OK), -1);
    assert_int_equal(probe_remove_tree(at("t/gone")), 0);
}

/* The real one, if it is here: our verdict against an attempt made with a shell, as a person would.
 */
static void test_real_bwrap(void **state)
{
    (void)state;
    static const char *const env[] = {"PATH=/usr/local/bin:/usr/bin:/bin", NULL};
    fresh_dirs();
    make_dir("t/host");
    make_dir("t/box");
    struct bwrap_probe b = probe("/usr/local/bin:/usr/bin:/bin", NULL);
    print_message("%s: %s\n", b.path, b.result.detail);
    assert_no_residue();
    if (b.state != BWRAP_FIT && b.state != BWRAP_ESCAPES)
        return;
    char script[4096];
    (void)snprintf(script, sizeof(script),
                   "cd '%s' && ln -s /oldroot$(pwd -P)/host box/link && "
                   "%s --unshare-all --ro-bind / / --bind $(pwd -P)/box $(pwd -P)/box "
                   "--dir $(pwd -P)/box/link/x -- true; test -d host/x",
                   at("t"), b.path);
    const char *argv[] = {"sh", "-c", script, NULL};
    struct probe_run run = {.program = "/bin/sh", .argv = argv, .envp = env, .timeout_ms = 5000};
    int status = 0;
    assert_int_equal(probe_exec(&run, &status), 0);
    assert_int_equal(b.state == BWRAP_ESCAPES, WEXITSTATUS(status) == 0);
    assert_true(probe("/usr/local/bin:/usr/bin:/bin", NULL).cached);
}

static void test_start_warning(void **state)
{
    (void)state;
    struct bwrap_probe b = {.state = BWRAP_MISSING};
    assert_non_null(probe_start_warning(&b));
    assert_null(strchr(probe_start_warning(&b), '\n'));
    b.state = BWRAP_BROKEN;
    assert_non_null(probe_start_warning(&b));
    b.state = BWRAP_FIT;
    assert_null(probe_start_warning(&b));
}

static void test_unfit_dirs(void **state)
{
    (void)state;
    _cleanup_arena_ struct arena a = {0};
    struct perm_entry entries[] = {{.path = "/r", .access = ACCESS_READ},
                                   {.path = "/w", .access = ACCESS_WRITE},
                                   {.path = "/n", .access = ACCESS_NONE, .glob = "*"}};
    const char *roots[] = {"/ws"};
    struct profile p = {.entries = entries, .n_entries = 3, .roots = roots, .n_roots = 1};
    const char *const *v;
    size_t n;
    assert_int_equal(probe_unfit_dirs(&a, &p, "/cwd", &v, &n), 0);
    assert_int_equal(n, 3);
    assert_string_equal(v[0], "/cwd");
    assert_string_equal(v[1], "/ws");
    assert_string_equal(v[2], "/w");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kernel_probes), cmocka_unit_test(test_explain_userns),
        cmocka_unit_test(test_exec),          cmocka_unit_test(test_verdicts),
        cmocka_unit_test(test_places),        cmocka_unit_test(test_cache),
        cmocka_unit_test(test_sweep),         cmocka_unit_test(test_remove_tree_follows_nothing),
        cmocka_unit_test(test_real_bwrap),    cmocka_unit_test(test_start_warning),
        cmocka_unit_test(test_unfit_dirs),
    };
    return cmocka_run_group_tests(tests, make_base, remove_base);
}
