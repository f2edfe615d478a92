/*
 * The Landlock backend's rules, live: a small tree on disk, a plan for it, a child under the rules
 * that tries. Each case is a string of attempts; capital letters of the answer are what must be
 * refused.
 */
#include "base/fd.h"
#include "base/mem.h"
#include "base/path.h"
#include "sandbox/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
    struct arena arena;
    char *top; /* scratch directory */
    struct plan plan;
    struct plan_mount mounts[32];
};

static const char *at(struct fixture *f, const char *rel)
{
    char *p = arena_printf(&f->arena, "%s/%s", f->top, rel);
    assert_non_null(p);
    return p;
}

static void make_file(struct fixture *f, const char *rel)
{
    _cleanup_fd_ int fd = open(at(f, rel), O_CREAT | O_WRONLY | O_EXCL | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "data", 4), 4);
}

static void make_dir(struct fixture *f, const char *rel)
{
    assert_int_equal(mkdir(at(f, rel), 0755), 0);
}

static int set_up(void **state)
{
    struct fixture *f = mem_zalloc(1, sizeof *f);
    char template[] = "/tmp/test-landlock-XXXXXX";

    assert_non_null(f);
    assert_non_null(mkdtemp(template));
    f->top = arena_strdup(&f->arena, template);
    f->plan.mounts = f->mounts;
    f->plan.network = NETWORK_OFF;
    f->plan.root_is_host = true;
    make_dir(f, "ws");
    make_dir(f, "ws/.git");
    make_file(f, "ws/.git/config");
    make_dir(f, "ws/src");
    make_file(f, "ws/src/a.c");
    make_file(f, "ws/src/secret");
    make_dir(f, "ws/lib");
    make_file(f, "ws/lib/b.c");
    make_file(f, "ws/top");
    assert_int_equal(symlink(".git/config", at(f, "ws/link")), 0);
    make_dir(f, "out");
    make_file(f, "out/file");
    make_dir(f, "out/vault");
    make_file(f, "out/vault/key");
    make_dir(f, "out/open");
    make_file(f, "out/open/file");
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    pid_t pid = fork();
    if (pid == 0) {
        execlp("rm", "rm", "-rf", "--", f->top, (char *)NULL);
        _exit(127);
    }
    waitpid(pid, NULL, 0);
    arena_release(&f->arena);
    mem_free(f);
    return 0;
}

static void add(struct fixture *f, enum mount_op op, const char *path, bool write, bool is_dir)
{
    assert_true(f->plan.n_mounts < ARRAY_LEN(f->mounts));
    f->mounts[f->plan.n_mounts++] =
        (struct plan_mount){.op = op, .path = path, .write = write, .is_dir = is_dir};
}

/* ---- attempts: 0 or errno ---- */

typedef int attempt(const char *path);

static int try_open(const char *path, int flags)
{
    _cleanup_fd_ int fd = open(path, flags | O_CLOEXEC | O_NOCTTY, 0644);
    return fd < 0 ? errno : 0;
}
static int may_read(const char *p)
{
    return try_open(p, O_RDONLY);
}
static int may_write(const char *p)
{
    return try_open(p, O_WRONLY);
}
static int may_list(const char *p)
{
    return try_open(p, O_RDONLY | O_DIRECTORY);
}
static int may_create(const char *p)
{
    return try_open(p, O_CREAT | O_EXCL | O_WRONLY);
}
static int may_touch(const char *p) /* an empty file, which takes no right to write */
{
    return try_open(p, O_CREAT | O_EXCL | O_RDONLY);
}
static int may_truncate(const char *p)
{
    return truncate(p, 1) < 0 ? errno : 0;
}
static int may_cut_open(const char *p)
{
    return try_open(p, O_RDONLY | O_TRUNC);
}
static int may_unlink(const char *p)
{
    return unlink(p) < 0 ? errno : 0;
}
static int may_mkdir(const char *p)
{
    return mkdir(p, 0755) < 0 ? errno : 0;
}
static int may_symlink(const char *p)
{
    return symlink("x", p) < 0 ? errno : 0;
}
static int may_rename(const char *p)
{
    char to[4200];
    snprintf(to, sizeof to, "%s.moved", p);
    return rename(p, to) < 0 ? errno : 0;
}

struct trial {
    attempt *what;
    const char *name, *path;
    bool allowed;
};
#define YES(what, path)                                                                            \
    {                                                                                              \
        may_##what, #what, path, true                                                              \
    }
#define NO(what, path)                                                                             \
    {                                                                                              \
        may_##what, #what, path, false                                                             \
    }

static void enforce(int ruleset)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || landlock_enforce(ruleset) != 0)
        _exit(1);
}

/* Every trial in a child under the plan; paths without a leading slash are below the scratch
 * directory. */
static void check(struct fixture *f, const struct trial *trials, size_t n)
{
    struct error err = {0};
    int ruleset = -1, status;

    int r = landlock_prepare(&f->plan, &ruleset, &err);
    if (r < 0)
        fail_msg("landlock_prepare: %s", err.message);
    assert_true(fcntl(ruleset, F_GETFD) & FD_CLOEXEC);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        int wrong = 0;
        enforce(ruleset);
        for (size_t i = 0; i < n; i++) {
            const struct trial *t = &trials[i];
            const char *path = t->path[0] == '/' ? t->path : at(f, t->path);
            int e = t->what(path);
            bool refused = e == EACCES || e == EPERM || e == EXDEV;
            if (t->allowed ? e != 0 : !refused) {
                fprintf(stderr, "%s %s: %s\n", t->name, path, e ? strerror(e) : "done");
                wrong++;
            }
        }
        _exit(wrong ? 1 : 0);
    }
    close(ruleset);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}
#define CHECK(f, ...)                                                                              \
    check(f, (const struct trial[]){__VA_ARGS__}, ARRAY_LEN(((const struct trial[]){__VA_ARGS__})))

static void test_read_only(void **state)
{
    struct fixture *f = *state;

    add(f, MOUNT_DEV, "/dev", false, true);
    add(f, MOUNT_PROC, "/proc", false, true);
    CHECK(f, YES(read, "out/file"), YES(list, "out"), YES(list, "/"),
          YES(read, "/proc/self/status"), NO(write, "out/file"), NO(create, "out/new"),
          NO(touch, "out/new"), NO(truncate, "out/file"), NO(cut_open, "out/file"),
          NO(unlink, "out/file"), NO(mkdir, "out/d"), NO(symlink, "out/l"), NO(rename, "out/file"),
          YES(write, "/dev/null"), YES(read, "/dev/urandom"), YES(list, "/dev"),
          NO(write, "/proc/self/comm"));
}

/* No host root: nothing is readable but what is named. */
static void test_restricted_read(void **state)
{
    struct fixture *f = *state;

    f->plan.root_is_host = false;
    add(f, MOUNT_BIND, at(f, "out/open"), false, true);
    add(f, MOUNT_BIND, at(f, "ws/top"), true, false);
    CHECK(f, YES(read, "out/open/file"), YES(list, "out/open"), NO(read, "out/file"),
          NO(list, "out"), NO(list, "/"), NO(read, "/etc/passwd"), YES(write, "ws/top"),
          YES(truncate, "ws/top"), NO(unlink, "ws/top"), NO(read, "ws/lib/b.c"));
}

static void test_writable_root(void **state)
{
    struct fixture *f = *state;

    add(f, MOUNT_BIND, at(f, "ws"), true, true);
    CHECK(f, YES(write, "ws/top"), YES(create, "ws/new"), YES(write, "ws/new"), YES(mkdir, "ws/d"),
          YES(symlink, "ws/l"), YES(rename, "ws/new"), YES(unlink, "ws/new.moved"),
          YES(truncate, "ws/top"), YES(write, "ws/.git/config"), NO(write, "out/file"),
          NO(rename, "ws"));
}

/* A protected directory below a writable root: held, the rest of the root works, new names beside
 * it do not. */
static void test_protected(void **state)
{
    struct fixture *f = *state;

    add(f, MOUNT_BIND, at(f, "ws"), true, true);
    add(f, MOUNT_BIND, at(f, "ws/.git"), false, true);
    CHECK(f, YES(read, "ws/.git/config"), YES(list, "ws/.git"), NO(write, "ws/.git/config"),
          NO(truncate, "ws/.git/config"), NO(cut_open, "ws/.git/config"),
          NO(unlink, "ws/.git/config"), NO(create, "ws/.git/new"), NO(touch, "ws/.git/new"),
          NO(symlink, "ws/.git/l"), NO(mkdir, "ws/.git/d"), NO(rename, "ws/.git"),
          NO(rename, "ws/.git/config"), NO(write, "ws/link"), YES(write, "ws/top"),
          YES(truncate, "ws/top"), YES(create, "ws/src/new"), YES(mkdir, "ws/lib/d"),
          YES(rename, "ws/src/new"), YES(unlink, "ws/lib/b.c"), NO(create, "ws/new"),
          NO(rename, "ws/src"), YES(list, "ws"));
}

/* Moving things into or out of a protected place over two directories. */
static int may_move_in(const char *dir)
{
    char from[4200], to[4200];
    snprintf(from, sizeof from, "%s/src/a.c", dir);
    snprintf(to, sizeof to, "%s/.git/hook", dir);
    if (rename(from, to) == 0 || link(from, to) == 0)
        return 0;
    return errno;
}
static int may_move_across(const char *dir)
{
    char from[4200], to[4200];
    snprintf(from, sizeof from, "%s/src/a.c", dir);
    snprintf(to, sizeof to, "%s/lib/a.c", dir);
    return rename(from, to) < 0 ? errno : 0;
}
/* Another name for a masked file, where rights are full. */
static int may_link_out(const char *dir)
{
    char from[4200], to[4200];
    snprintf(from, sizeof from, "%s/src/secret", dir);
    snprintf(to, sizeof to, "%s/lib/copy", dir);
    if (link(from, to) == 0 || rename(from, to) == 0)
        return 0;
    return errno;
}
static void test_moves(void **state)
{
    struct fixture *f = *state;

    add(f, MOUNT_BIND, at(f, "ws"), true, true);
    add(f, MOUNT_BIND, at(f, "ws/.git"), false, true);
    CHECK(f, NO(move_in, "ws"), YES(move_across, "ws"));
    add(f, MOUNT_MASK, at(f, "ws/src/secret"), false, false);
    CHECK(f, NO(link_out, "ws"));
}

static void test_masks(void **state)
{
    struct fixture *f = *state;
    struct error err = {0};
    struct strbuf notes = {0};

    add(f, MOUNT_MASK, at(f, "out/vault"), false, true);
    add(f, MOUNT_BIND, at(f, "ws"), true, true);
    add(f, MOUNT_MASK, at(f, "ws/src/secret"), false, false);
    CHECK(f, NO(read, "out/vault/key"), NO(list, "out/vault"), NO(write, "out/vault/key"),
          YES(read, "out/file"), YES(read, "out/open/file"), NO(list, "out"), YES(list, "out/open"),
          NO(read, "ws/src/secret"), NO(write, "ws/src/secret"), NO(unlink, "ws/src/secret"),
          NO(rename, "ws/src/secret"), NO(truncate, "ws/src/secret"), YES(list, "ws/src"),
          YES(write, "ws/src/a.c"), YES(create, "ws/lib/new"));
    assert_int_equal(landlock_describe(&f->plan, &notes, &err), 0);
    assert_non_null(strstr(strbuf_text(&notes), "/out: cannot be listed\n"));
    assert_non_null(strstr(strbuf_text(&notes), "/ws/src: no name can be made"));
    assert_null(strstr(strbuf_text(&notes), "/ws/lib"));
    strbuf_release(&notes);
}

static void test_reopened(void **state)
{
    struct fixture *f = *state;

    make_dir(f, "out/vault/sub");
    make_file(f, "out/vault/sub/file");
    add(f, MOUNT_MASK, at(f, "out/vault"), false, true);
    f->mounts[0].reopened = true;
    add(f, MOUNT_BIND, at(f, "out/vault/sub"), true, true);
    CHECK(f, NO(read, "out/vault/key"), NO(list, "out/vault"), YES(read, "out/vault/sub/file"),
          YES(create, "out/vault/sub/new"), YES(list, "out/vault/sub"));
}

static void test_missing(void **state)
{
    struct fixture *f = *state;
    struct error err = {0};
    int fd = -1;

    add(f, MOUNT_BIND, at(f, "ws"), true, true);
    add(f, MOUNT_MISSING, at(f, "ws/.agents"), false, true);
    assert_int_equal(landlock_prepare(&f->plan, &fd, &err), -EOPNOTSUPP);
    assert_int_equal(fd, -1);
    assert_non_null(strstr(err.message, "ws/.agents"));
    assert_non_null(strstr(err.hint, "protected_names"));

    /* Beside an existing hole it is held anyway. */
    add(f, MOUNT_BIND, at(f, "ws/.git"), false, true);
    CHECK(f, NO(mkdir, "ws/.agents"), NO(create, "ws/.agents"), NO(symlink, "ws/.agents"),
          YES(create, "ws/src/new"));

    /* And where nothing can be written anyway. */
    f->plan.n_mounts = 0;
    add(f, MOUNT_MISSING, at(f, "ws/.agents"), false, true);
    CHECK(f, NO(mkdir, "ws/.agents"), YES(read, "ws/top"));
}

static void test_refusals(void **state)
{
    struct fixture *f = *state;
    struct error err = {0};
    struct stat st;
    int fd = -1;

    add(f, MOUNT_TMPFS, "/tmp", true, true);
    assert_int_equal(landlock_prepare(&f->plan, &fd, &err), -EOPNOTSUPP);
    assert_non_null(strstr(err.hint, "private_tmp"));

    f->plan.n_mounts = 0;
    add(f, MOUNT_BIND, at(f, "ws"), true, true);
    assert_int_equal(stat(at(f, "out"), &st), 0);
    f->mounts[0].dev = st.st_dev;
    f->mounts[0].ino = st.st_ino;
    assert_int_equal(landlock_prepare(&f->plan, &fd, &err), -ESTALE);
    assert_int_equal(fd, -1);
}

/* One entry too many to enumerate: the start is refused, and nothing is left open. */
static void test_too_many(void **state)
{
    struct fixture *f = *state;
    struct error err = {0};
    int fd = -1;

    make_dir(f, "many");
    _cleanup_fd_ int dir = open(at(f, "many"), O_PATH | O_CLOEXEC);
    for (unsigned i = 0; i < MAX_LANDLOCK_RULES + 1; i++) {
        char name[16];
        snprintf(name, sizeof name, "%u", i);
        assert_int_equal(mknodat(dir, name, S_IFREG | 0644, 0), 0);
    }
    add(f, MOUNT_MASK, at(f, "many/7"), false, false);
    assert_int_equal(landlock_prepare(&f->plan, &fd, &err), -E2BIG);
    assert_non_null(strstr(err.message, "/many/"));
    assert_int_equal(fd, -1);
}

/* A writable root that was swapped for a symlink is granted nothing. */
static void test_symlink_root(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(symlink("out", at(f, "swapped")), 0);
    add(f, MOUNT_BIND, at(f, "swapped"), true, true);
    add(f, MOUNT_BIND, at(f, "swapped/open"), true, true);
    CHECK(f, NO(write, "out/file"), NO(create, "out/new"), NO(write, "out/open/file"),
          NO(create, "out/open/new"));
}

static int may_bind_tcp(const char *p _unused_)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    _cleanup_fd_ int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return s < 0 || bind(s, (struct sockaddr *)&a, sizeof a) < 0 ? errno : 0;
}
static int may_connect_tcp(const char *p _unused_)
{
    struct sockaddr_in a = {
        .sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    _cleanup_fd_ int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (s < 0 || connect(s, (struct sockaddr *)&a, sizeof a) < 0)
        return errno == ECONNREFUSED ? 0 : errno;
    return 0;
}
static int may_signal(const char *p _unused_)
{
    return kill(getppid(), 0) < 0 ? errno : 0;
}
static void test_network_and_scope(void **state)
{
    struct fixture *f = *state;
    int abi = landlock_abi();

    if (abi >= 4)
        CHECK(f, NO(bind_tcp, ""), NO(connect_tcp, ""));
    f->plan.network = NETWORK_OPEN;
    CHECK(f, YES(bind_tcp, ""), YES(connect_tcp, ""));
    if (abi >= 6)
        CHECK(f, NO(signal, ""));
}

static int abstract_socket(const char *top, struct sockaddr_un *a, socklen_t *len)
{
    *a = (struct sockaddr_un){.sun_family = AF_UNIX};
    int n = snprintf(a->sun_path + 1, sizeof a->sun_path - 1, "%s", top);
    *len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
    return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

/* The second wall alone: files as before, signals and abstract sockets shut. */
static void test_scope_install(void **state)
{
    struct fixture *f = *state;
    struct sockaddr_un a;
    socklen_t len;
    int status;
    _cleanup_fd_ int server = abstract_socket(f->top, &a, &len);

    assert_true(server >= 0);
    assert_int_equal(bind(server, (struct sockaddr *)&a, len), 0);
    assert_int_equal(listen(server, 1), 0);
    pid_t pid = fork();
    if (pid == 0) {
        bool scoped = landlock_abi() >= 6;
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || landlock_scope_install() != 0)
            _exit(1);
        _cleanup_fd_ int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if ((connect(s, (struct sockaddr *)&a, len) < 0) != scoped)
            _exit(2);
        if ((kill(getppid(), 0) < 0) != scoped)
            _exit(3);
        if (kill(getpid(), 0) != 0 || may_write(at(f, "out/file")) != 0)
            _exit(4);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define LIVE(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)
        LIVE(test_read_only),     LIVE(test_restricted_read), LIVE(test_writable_root),
        LIVE(test_protected),     LIVE(test_moves),           LIVE(test_masks),
        LIVE(test_reopened),      LIVE(test_missing),         LIVE(test_refusals),
        LIVE(test_symlink_root),  LIVE(test_too_many),        LIVE(test_network_and_scope),
        LIVE(test_scope_install),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
