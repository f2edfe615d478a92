/* bubblewrap's command line: what each option becomes, what modifiers hold for, and every message.
 */
#include "bwrap/args.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>

#define MAX_WORDS 64

/* A command line in one string, words separated by spaces; "''" is an empty word. */
struct line {
    struct arena arena;
    char *argv[MAX_WORDS];
    struct bwrap_args args;
    struct error err;
    int r;
};

static const char *const environment[] = {"PATH=/bin", "A=1", "AB=2", NULL};
static const char *file_words; /* what --args reads */

static int read_args(void *data, int fd, struct bytes *ret)
{
    static char text[4096];
    (void)data;
    if (fd != 5)
        return -EBADF;
    size_t n = strlen(file_words);
    memcpy(text, file_words, n + 1);
    for (char *p = text; *p; p++)
        if (*p == ' ')
            *p = '\0';
    *ret = (struct bytes){text, n ? n + 1 : 0};
    return 0;
}

static void parse(struct line *l, const char *text)
{
    size_t n = 0;
    *l = (struct line){0};
    for (const char *p = text; *p;) {
        size_t len = strcspn(p, " ");
        assert_true(n < MAX_WORDS - 1);
        l->argv[n++] = len == 2 && strncmp(p, "''", 2) == 0 ? arena_strdup(&l->arena, "")
                                                            : arena_strndup(&l->arena, p, len);
        p += len + (p[len] == ' ');
    }
    struct bwrap_input input = {.argv = l->argv, .environ = environment, .read_args = read_args};
    l->r = bwrap_parse(&l->arena, &input, &l->args, &l->err);
}

static void settle(struct line *l, uid_t uid)
{
    struct bwrap_machine m = {.uid = uid, .gid = uid, .userns = true, .cgroup = true};
    assert_int_equal(l->r, 0);
    l->r = bwrap_settle(&l->args, &m, &l->err);
}

/* One operation as text. */
static const char *step_text(struct line *l, size_t i)
{
    static const char *const names[] = {
        [STEP_BIND] = "bind",       [STEP_OVERLAY] = "overlay", [STEP_PROC] = "proc",
        [STEP_DEV] = "dev",         [STEP_TMPFS] = "tmpfs",     [STEP_MQUEUE] = "mqueue",
        [STEP_DIR] = "dir",         [STEP_FILE] = "file",       [STEP_DATA] = "data",
        [STEP_SYMLINK] = "symlink", [STEP_READONLY] = "ro",     [STEP_CHMOD] = "chmod",
        [STEP_HOSTNAME] = "host"};
    const struct plan_step *s = &l->args.steps.v[i];
    struct strbuf b = {0};
    strbuf_printf(&b, "%s%s%s%s%s", names[s->op], s->read_only ? " ro" : "",
                  s->devices ? " dev" : "", s->optional ? " try" : "", s->temporary ? " tmp" : "");
    if (s->fd >= 0)
        strbuf_printf(&b, " fd=%d", s->fd);
    if (s->perms >= 0)
        strbuf_printf(&b, " %04o", (unsigned)s->perms);
    if (s->size)
        strbuf_printf(&b, " size=%llu", (unsigned long long)s->size);
    if (s->source)
        strbuf_printf(&b, " %s", s->source);
    for (uint32_t k = 0; k < s->n_layers; k++)
        strbuf_printf(&b, " %s", s->layers[k]);
    if (s->upper)
        strbuf_printf(&b, " up=%s work=%s", s->upper, s->work);
    strbuf_printf(&b, " > %s", s->dest);
    const char *text = arena_strdup(&l->arena, strbuf_text(&b));
    strbuf_release(&b);
    return text;
}

static void test_steps(void **state)
{
    (void)state;
    static const struct {
        const char *line, *step;
    } cases[] = {
        {"--bind /a /b", "bind /a > /b"},
        {"--bind-try /a /b", "bind try /a > /b"},
        {"--ro-bind /a /b", "bind ro /a > /b"},
        {"--ro-bind-try /a /b", "bind ro try /a > /b"},
        {"--dev-bind /a /b", "bind dev /a > /b"},
        {"--dev-bind-try /a /b", "bind dev try /a > /b"},
        {"--bind-fd 7 /b", "bind fd=7 /proc/self/fd/7 > /b"},
        {"--ro-bind-fd 0 /b", "bind ro fd=0 /proc/self/fd/0 > /b"},
        {"--tmpfs /t", "tmpfs 0755 > /t"},
        {"--perms 1777 --tmpfs /t", "tmpfs 1777 > /t"},
        {"--size 0x10 --perms 700 --tmpfs /t", "tmpfs 0700 size=16 > /t"},
        {"--dir d", "dir 0755 > d"},
        {"--perms 0 --dir d", "dir 0000 > d"},
        {"--file 9 /f", "file fd=9 0666 > /f"},
        {"--perms 0640 --file 9 /f", "file fd=9 0640 > /f"},
        {"--bind-data 9 /f", "data fd=9 0600 > /f"},
        {"--perms 0444 --ro-bind-data 9 /f", "data ro fd=9 0444 > /f"},
        {"--symlink a/b ''", "symlink a/b > "},
        {"--chmod 0711 /x", "chmod 0711 > /x"},
        {"--remount-ro /x", "ro > /x"},
        {"--proc /p", "proc > /p"},
        {"--dev /d", "dev > /d"},
        {"--mqueue /q", "mqueue > /q"},
        {"--hostname h", "host > h"},
        {"--overlay-src /1 --overlay-src /2 --overlay /u /w /o",
         "overlay /2 /1 up=/u work=/w > /o"},
        {"--overlay-src /1 --tmp-overlay /o", "overlay tmp /1 > /o"},
        {"--overlay-src /1 --overlay-src /2 --ro-overlay /o", "overlay /2 /1 > /o"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct line l;
        char text[256];
        (void)snprintf(text, sizeof(text), "%s -- true --bind", cases[i].line);
        parse(&l, text);
        assert_int_equal(l.r, 0);
        assert_int_equal(l.args.steps.n, 1);
        assert_string_equal(step_text(&l, 0), cases[i].step);
        assert_string_equal(l.args.command[0], "true");
        assert_string_equal(l.args.command[1], "--bind");
        arena_release(&l.arena);
    }
}

static void test_order(void **state)
{
    (void)state;
    struct line l;
    file_words = "--dir /b --setenv B 2 -- --dir";
    parse(&l, "--dir /a --args 5 --perms 0700 --dir /c --dir /d true");
    assert_int_equal(l.r, 0);
    assert_int_equal(l.args.steps.n, 4);
    assert_string_equal(step_text(&l, 0), "dir 0755 > /a");
    assert_string_equal(step_text(&l, 1), "dir 0755 > /b");
    assert_string_equal(step_text(&l, 2), "dir 0700 > /c");
    assert_string_equal(step_text(&l, 3), "dir 0755 > /d");
    arena_release(&l.arena);
    /* A word that is no option ends the file, not the command line; its last NUL may be missing. */
    file_words = "--unshare-pid true --unshare-net";
    parse(&l, "--args 5 --unshare-ipc true");
    assert_true(l.r == 0 && l.args.steps.unshare_pid && l.args.steps.unshare_ipc);
    assert_false(l.args.steps.unshare_net);
    arena_release(&l.arena);
    /* No limit on the number of words. */
    struct strbuf b = {0};
    for (int i = 0; i < 250; i++)
        strbuf_puts(&b, "--unshare-pid ");
    strbuf_puts(&b, "--dir /last");
    file_words = strbuf_text(&b);
    for (int i = 0; i < 4; i++) {
        parse(&l, "--args 5 --args 5 --args 5 true");
        assert_true(l.r == 0 && l.args.steps.n == 3);
        arena_release(&l.arena);
    }
    strbuf_release(&b);
}

static void test_environment(void **state)
{
    (void)state;
    static const struct {
        const char *line, *env;
    } cases[] = {
        {"true", "PATH=/bin A=1 AB=2"},
        {"--setenv A x true", "PATH=/bin A=x AB=2"},
        {"--setenv C '' true", "PATH=/bin A=1 AB=2 C="},
        {"--unsetenv A true", "PATH=/bin AB=2"},
        {"--unsetenv NONE true", "PATH=/bin A=1 AB=2"},
        {"--setenv X 1 --clearenv --setenv Y 2 true", "Y=2"},
        {"--clearenv true", ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct line l;
        struct strbuf b = {0};
        parse(&l, cases[i].line);
        assert_int_equal(l.r, 0);
        for (size_t k = 0; k < l.args.n_env; k++)
            strbuf_printf(&b, "%s%s", k ? " " : "", l.args.env[k]);
        assert_string_equal(strbuf_text(&b), cases[i].env);
        assert_null(l.args.env[l.args.n_env]);
        strbuf_release(&b);
        arena_release(&l.arena);
    }
}

static void test_values(void **state)
{
    (void)state;
    struct line l;
    parse(&l,
          "--unshare-all --share-net --userns2 4 --pidns 5 --sync-fd 6 --block-fd 7 --info-fd 8 "
          "--json-status-fd 9 --argv0 zero --chdir /c --new-session --die-with-parent "
          "--lock-file /l --lock-file /m --add-seccomp-fd 10 --add-seccomp-fd 11 --level-prefix "
          "true");
    const struct plan_steps *s = &l.args.steps;
    assert_int_equal(l.r, 0);
    assert_true(l.args.user_try && l.args.cgroup_try && s->unshare_ipc && s->unshare_pid &&
                s->unshare_uts && !s->unshare_net && !s->unshare_user && l.args.level_prefix);
    assert_true(s->userns_fd == -1 && s->userns2_fd == 4 && s->pidns_fd == 5 && s->sync_fd == 6 &&
                s->block_fd == 7 && s->info_fd == 8 && s->json_status_fd == 9);
    assert_string_equal(s->argv0, "zero");
    assert_string_equal(s->chdir, "/c");
    assert_true(s->new_session && s->die_with_parent && !s->as_pid_1);
    assert_int_equal(s->n_locks, 2);
    assert_string_equal(s->locks[1], "/m");
    assert_true(s->n_filters == 2 && s->filters[0] == 10 && s->filters[1] == 11);
    settle(&l, 1000);
    assert_true(l.r == 0 && s->unshare_user && s->unshare_cgroup);
    assert_true(s->uid == 1000 && s->gid == 1000);
    arena_release(&l.arena);
    /* The last --seccomp counts. */
    parse(&l, "--seccomp 3 --seccomp 4 true");
    assert_true(l.r == 0 && l.args.steps.n_filters == 1 && l.args.steps.filters[0] == 4);
    assert_int_equal(l.args.n_warnings, 1);
    assert_string_equal(l.args.warnings[0], "Only the last --seccomp option will take effect");
    arena_release(&l.arena);
}

static void test_machine(void **state)
{
    (void)state;
    struct line l;
    /* Root needs no user namespace; -try gives it one where that is possible. */
    parse(&l, "true");
    settle(&l, 0);
    assert_false(l.args.steps.unshare_user);
    arena_release(&l.arena);
    parse(&l, "--unshare-user-try --unshare-cgroup-try true");
    struct bwrap_machine none = {.uid = 0};
    assert_int_equal(bwrap_settle(&l.args, &none, &l.err), 0);
    assert_false(l.args.steps.unshare_user || l.args.steps.unshare_cgroup);
    settle(&l, 0);
    assert_true(l.args.steps.unshare_user && l.args.steps.unshare_cgroup);
    arena_release(&l.arena);
    /* Who enters a user namespace makes none. */
    parse(&l, "--userns 3 --uid 7 true");
    settle(&l, 1000);
    assert_true(l.r == 0 && !l.args.steps.unshare_user && l.args.steps.uid == 7);
    arena_release(&l.arena);
}

static void test_capabilities(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        uint64_t keep, add;
    } cases[] = {
        {"true", ~0ull, 0},
        {"--cap-drop ALL true", 0, 0},
        {"--cap-add ALL true", ~0ull, ~0ull},
        {"--cap-add CAP_CHOWN --cap-add cap_bpf true", ~0ull, 1ull | 1ull << 39},
        {"--cap-drop all --cap-add 2 true", 0, 4},
        {"--cap-add ALL --cap-drop CAP_KILL true", ~(1ull << 5), ~(1ull << 5)},
        {"--cap-drop CAP_KILL --cap-add CAP_KILL true", ~(1ull << 5), 1ull << 5},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct line l;
        parse(&l, cases[i].line);
        assert_int_equal(l.r, 0);
        assert_true(l.args.steps.caps_keep == cases[i].keep);
        assert_true(l.args.steps.caps_add == cases[i].add);
        assert_int_equal(l.args.steps.caps_said, i > 0);
        arena_release(&l.arena);
    }
    assert_int_equal(bwrap_capability("CAP_CHECKPOINT_RESTORE"), 40);
    assert_int_equal(bwrap_capability("cap_sys_admin"), 21);
    assert_int_equal(bwrap_capability("sys_admin"), -1);
    assert_int_equal(bwrap_capability("64"), -1);
    assert_int_equal(bwrap_capability("1x"), -1);
    assert_int_equal(bwrap_capability(""), -1);
}

static void test_requests(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        enum bwrap_request request;
    } cases[] = {
        {"", BWRAP_USAGE},
        {"--ro-bind / /", BWRAP_USAGE},
        {"--", BWRAP_USAGE},
        {"--ro-bind / / --help --nonsense", BWRAP_HELP},
        {"--version --nonsense", BWRAP_VERSION},
        {"-- --version", BWRAP_RUN},
        {"x --help", BWRAP_RUN},
        {"''", BWRAP_RUN},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct line l;
        parse(&l, cases[i].line);
        assert_int_equal(l.r, 0);
        assert_int_equal(l.args.request, cases[i].request);
        arena_release(&l.arena);
    }
    struct strbuf b = {0};
    bwrap_help("bwrap", &b);
    assert_non_null(strstr(strbuf_text(&b), "usage: bwrap ["));
    assert_non_null(strstr(strbuf_text(&b), "--overlay RWSRC WORKDIR DEST"));
    strbuf_release(&b);
}

static void test_mistakes(void **state)
{
    (void)state;
    static const struct {
        const char *line, *message;
    } cases[] = {
        {"--nonsense", "Unknown option --nonsense"},
        {"-", "Unknown option -"},
        {"--bind /a", "--bind takes two arguments"},
        {"--tmpfs", "--tmpfs takes an argument"},
        {"--chdir", "--chdir takes one argument"},
        {"--overlay-src / --overlay a b", "--overlay takes three arguments"},
        {"--args 5", "--args not supported in arguments file"},
        {"--args 6", "Can't read --args data: Bad file descriptor"},
        {"--args x", "Invalid fd: x"},
        {"--sync-fd -1", "Invalid fd: -1"},
        {"--sync-fd 99999999999", "Invalid fd: 99999999999"},
        {"--file '' /f", "Invalid fd: "},
        {"--uid x", "Invalid uid: x"},
        {"--gid -5", "Invalid gid: -5"},
        {"--perms 8", "--perms takes an octal argument <= 07777"},
        {"--perms 10000", "--perms takes an octal argument <= 07777"},
        {"--chmod x /", "--chmod takes an octal argument <= 07777"},
        {"--perms 0 --perms 0", "--perms given twice for the same action"},
        {"--perms 0 --bind / / true", "--perms must be followed by an option that creates a file"},
        {"--perms 0 true", "--perms must be followed by an option that creates a file"},
        {"--size 0", "--size takes a non-zero number of bytes"},
        {"--size -1", "--size takes a non-zero number of bytes"},
        {"--size 1k", "--size takes a non-zero number of bytes"},
        {"--size 1 --size 1", "--size given twice for the same action"},
        {"--size 1 --dir /d", "--size must be followed by --tmpfs"},
        {"--cap-add CAP_X", "unknown cap: CAP_X"},
        {"--setenv '' x", "setenv failed"},
        {"--setenv a=b x", "setenv failed"},
        {"--unsetenv ''", "unsetenv failed"},
        {"--exec-label x", "labeling not supported on this system"},
        {"--seccomp 1 --add-seccomp-fd 2", "--add-seccomp-fd cannot be combined with --seccomp"},
        {"--add-seccomp-fd 2 --seccomp 1", "--seccomp cannot be combined with --add-seccomp-fd"},
        {"--argv0 a --argv0 b", "--argv0 used multiple times"},
        {"--overlay a b c", "--overlay requires at least one --overlay-src"},
        {"--overlay-src a --ro-overlay c", "--ro-overlay requires at least two --overlay-src"},
        {"--overlay-src a true", "--overlay-src must be followed by another --overlay-src or one "
                                 "of --overlay, --tmp-overlay, or --ro-overlay"},
    };
    file_words = "--args 5";
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct line l;
        parse(&l, cases[i].line);
        assert_true(l.r < 0);
        assert_string_equal(l.err.message, cases[i].message);
        arena_release(&l.arena);
    }
}

static void test_what_does_not_go_together(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        uid_t uid;
        const char *message;
    } cases[] = {
        {"--userns-block-fd 3 true", 0, "--userns-block-fd requires --unshare-user"},
        {"--unshare-user --userns-block-fd 3 true", 0, "--userns-block-fd requires --info-fd"},
        {"--userns 3 --unshare-user true", 0, "--userns not compatible --unshare-user"},
        {"--userns 3 --unshare-all true", 0, "--userns not compatible --unshare-user-try"},
        {"--disable-userns true", 1000, "--disable-userns requires --unshare-user"},
        {"--uid 5 true", 0, "Specifying --uid requires --unshare-user or --userns"},
        {"--gid 5 true", 0, "Specifying --gid requires --unshare-user or --userns"},
        {"--hostname x true", 1000, "Specifying --hostname requires --unshare-uts"},
        {"--as-pid-1 true", 1000, "Specifying --as-pid-1 requires --unshare-pid"},
        {"--unshare-pid --as-pid-1 --lock-file /l true", 1000,
         "Specifying --as-pid-1 and --lock-file is not permitted"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct line l;
        parse(&l, cases[i].line);
        settle(&l, cases[i].uid);
        assert_true(l.r < 0);
        assert_string_equal(l.err.message, cases[i].message);
        arena_release(&l.arena);
    }
}

static void test_no_memory(void **state)
{
    (void)state;
    file_words = "--dir /a --setenv A b";
    for (unsigned long n = 1; n < 400; n++) {
        struct line l;
        mem_fail_at(n);
        parse(&l, "true");
        mem_fail_at(0);
        arena_release(&l.arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_steps),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_environment),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_machine),
        cmocka_unit_test(test_capabilities),
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_what_does_not_go_together),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
