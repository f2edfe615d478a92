/* Paths: the lexical functions by table, the others in a scratch folder. */
#include "base/fd.h"
#include "base/path.h"
#include "base/uapi.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void test_join(void **state)
{
    (void)state;
    static const struct {
        const char *base, *path, *joined;
    } cases[] = {
        {"/a", "b", "/a/b"},
        {"/a", "/b", "/b"},
        {"/", "b", "/b"},
        {"/", "", "/"},
        {"/a/b/", "../c/./d//e/", "/a/c/d/e"},
        {"/a", "..", "/"},
        {"/a", "../../..", "/"},
        {"/a", ".../..x/.y", "/a/.../..x/.y"},
        {"/a", "/..", "/"},
        {"/a//b/./c", ".", "/a/b/c"},
        {"/a/../b", "c", "/b/c"},
        {"/\xff", "\xfe \n", "/\xff/\xfe \n"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        _cleanup_arena_ struct arena a = {0};
        assert_string_equal(path_join(&a, cases[i].base, cases[i].path), cases[i].joined);
        assert_true(path_is_normal(cases[i].joined));
    }
    _cleanup_arena_ struct arena a = {0};
    mem_fail_at(1);
    assert_null(path_join(&a, "/a", "b"));
    mem_fail_at(0);
}

static void test_lexical(void **state)
{
    (void)state;
    static const struct {
        const char *path, *prefix;
        bool below;
    } below[] = {
        {"/a/b", "/a", true},  {"/a", "/a", true}, {"/ab", "/a", false},
        {"/a", "/a/b", false}, {"/a", "/", true},  {"/", "/", true},
        {"/", "/a", false},    {"a", "/", false},  {"/a/bc", "/a/b", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(below); i++)
        assert_int_equal(path_is_below(below[i].path, below[i].prefix), below[i].below);

    static const struct {
        const char *path, *parent, *base;
        size_t depth;
    } parts[] = {{"/", "/", "", 0}, {"/a", "/", "a", 1}, {"/a/b", "/a", "b", 2}};
    _cleanup_arena_ struct arena a = {0};
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        assert_string_equal(path_parent(&a, parts[i].path), parts[i].parent);
        assert_string_equal(path_base(parts[i].path), parts[i].base);
        assert_int_equal(path_depth(parts[i].path), parts[i].depth);
    }
    static const char *const not_normal[] = {"",     "a",     "//",    "/a/", "/a//b", "/.",
                                             "/a/.", "/a/..", "/../a", "./a", "/a/./b"};
    for (size_t i = 0; i < ARRAY_LEN(not_normal); i++)
        assert_false(path_is_normal(not_normal[i]));
    assert_true(path_is_normal("/"));
    assert_true(path_is_normal("/.a/..b/..."));

    const char *p = "//a//bc/";
    struct bytes c;
    assert_true(path_next(&p, &c) && bytes_is(c, "a"));
    assert_true(path_next(&p, &c) && bytes_is(c, "bc"));
    assert_false(path_next(&p, &c));
    assert_false(path_next(&p, &c)); /* stays at the end */
}

/* ---- in a scratch folder ---- */

struct scratch {
    struct arena arena;
    char *dir; /* canonical */
};

static int setup(void **state)
{
    static struct scratch s;
    char name[] = "/tmp/bawn-test-path-XXXXXX";
    s = (struct scratch){0};
    if (!mkdtemp(name) || path_canonical(&s.arena, name, &s.dir, NULL) < 0)
        return -1;
    *state = &s;
    return 0;
}

static int teardown(void **state)
{
    struct scratch *s = *state;
    char *command = arena_printf(&s->arena, "rm -rf '%s'", s->dir);
    int r = system(command);
    arena_release(&s->arena);
    return r;
}

static char *in(struct scratch *s, const char *name)
{
    return arena_printf(&s->arena, "%s/%s", s->dir, name);
}

static void put(const char *path, const char *text)
{
    _cleanup_fd_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
}

static void test_canonical(void **state)
{
    struct scratch *s = *state;
    assert_int_equal(path_mkdirs(in(s, "real/sub"), 0700), 0);
    assert_int_equal(mkdir(in(s, "other"), 0700), 0);
    put(in(s, "file"), "x");
    assert_int_equal(symlink("real/sub", in(s, "link")), 0);
    assert_int_equal(symlink("nowhere", in(s, "dangling")), 0);
    assert_int_equal(symlink("loop", in(s, "loop")), 0);
    static const struct {
        const char *path, *real; /* below the scratch folder */
        size_t missing;
    } cases[] = {
        {"real/sub", "real/sub", 0},
        {"link", "real/sub", 0},
        {"link/", "real/sub", 0},
        {"link/.", "real/sub", 0},
        {"link/..", "real", 0}, /* the kernel's answer, not the lexical one */
        {"link/../../other", "other", 0},
        {"./real//sub/../", "real", 0},
        {"link/new", "real/sub/new", 1},
        {"link/new/er//x/", "real/sub/new/er/x", 3},
        {"link/new/./x", "real/sub/new/x", 2},
        {"none/../link", "real/sub", 0}, /* the link is found behind what is missing */
        {"none/../link/new", "real/sub/new", 1},
        {"none/../none", "none", 1},
        {"dangling", "dangling", 1},
        {"file/x", "file/x", 1},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char *real = NULL;
        size_t missing = 99;
        assert_int_equal(path_canonical(&s->arena, in(s, cases[i].path), &real, &missing), 0);
        assert_string_equal(real, in(s, cases[i].real));
        assert_int_equal(missing, cases[i].missing);
    }
    char *real = NULL;
    size_t missing;
    assert_int_equal(path_canonical(&s->arena, in(s, "loop/x"), &real, &missing), -ELOOP);
    assert_null(real);
    assert_int_equal(path_canonical(&s->arena, "/", &real, &missing), 0);
    assert_string_equal(real, "/");
    assert_int_equal(path_canonical(&s->arena, "//", &real, NULL), 0);
    assert_string_equal(real, "/");
    assert_int_equal(path_canonical(&s->arena, "/..", &real, NULL), 0);
    assert_string_equal(real, "/");
    char name[400];
    memset(name, 'n', sizeof(name));
    name[0] = '/';
    name[399] = '\0';
    assert_int_equal(path_canonical(&s->arena, name, &real, NULL), -ENAMETOOLONG);
}

/* A file that is replaced all the time is there at every moment. */
static void test_canonical_renamed(void **state)
{
    struct scratch *s = *state;
    char *name = in(s, "renamed"), *next = in(s, "renamed.tmp");
    put(name, "x");
    pid_t pid = fork();
    if (pid == 0)
        for (;;) {
            int fd = open(next, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
            if (fd < 0 || close(fd) < 0 || rename(next, name) < 0)
                _exit(1);
        }
    for (size_t i = 0; i < 20000; i++) {
        struct arena a = {0};
        char *real;
        size_t missing = 99;
        assert_int_equal(path_canonical(&a, name, &real, &missing), 0);
        assert_string_equal(real, name);
        assert_int_equal(missing, 0);
        arena_release(&a);
    }
    int status;
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
}

static void test_of_fd(void **state)
{
    struct scratch *s = *state;
    char *path = NULL;
    put(in(s, "a (deleted)"), "x");
    _cleanup_fd_ int named = open(in(s, "a (deleted)"), O_RDONLY | O_CLOEXEC);
    assert_int_equal(path_of_fd(&s->arena, named, &path), 0);
    assert_string_equal(path, in(s, "a (deleted)")); /* it is really called so */

    put(in(s, "gone"), "x");
    _cleanup_fd_ int gone = open(in(s, "gone"), O_RDONLY | O_CLOEXEC);
    assert_int_equal(link(in(s, "gone"), in(s, "other name")), 0);
    assert_int_equal(unlink(in(s, "gone")), 0);
    path = NULL;
    /* The file has another name still, but not this one. */
    assert_int_equal(path_of_fd(&s->arena, gone, &path), -ENOENT);
    assert_null(path);
    assert_int_equal(path_of_fd(&s->arena, 9999, &path), -ENOENT);
}

static void test_openat2(void **state)
{
    struct scratch *s = *state;
    _cleanup_fd_ int dir = path_openat2(AT_FDCWD, s->dir, O_PATH | O_DIRECTORY, 0, 0);
    assert_true(dir >= 0);
    assert_int_equal(symlink("/etc", in(s, "out")), 0);
    put(in(s, "f"), "x");
    _cleanup_fd_ int f = path_openat2(dir, "f", O_RDONLY, 0, UAPI_RESOLVE_BENEATH);
    assert_true(f >= 0);
    assert_true(fcntl(f, F_GETFD) & FD_CLOEXEC);
    assert_int_equal(path_openat2(dir, "out/passwd", O_RDONLY, 0, UAPI_RESOLVE_BENEATH), -EXDEV);
    assert_int_equal(path_openat2(dir, "../x", O_RDONLY, 0, UAPI_RESOLVE_BENEATH), -EXDEV);
    assert_int_equal(path_openat2(dir, "out", O_RDONLY, 0, UAPI_RESOLVE_NO_SYMLINKS), -ELOOP);
    assert_int_equal(path_openat2(dir, "none", O_RDONLY, 0, 0), -ENOENT);
    /* A mode without O_CREAT is not the kernel's EINVAL. */
    _cleanup_fd_ int again = path_openat2(dir, "f", O_RDONLY, 0600, 0);
    assert_true(again >= 0);
    _cleanup_fd_ int new = path_openat2(dir, "new", O_WRONLY | O_CREAT | O_EXCL, 0600, 0);
    assert_true(new >= 0);
}

static void test_mkdirs(void **state)
{
    struct scratch *s = *state;
    struct stat st;
    assert_int_equal(path_mkdirs(in(s, "m/n/o"), 0750), 0);
    assert_int_equal(stat(in(s, "m/n/o"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0750);
    assert_int_equal(path_mkdirs(in(s, "m//n/o/"), 0700), 0); /* is there already */
    assert_int_equal(path_mkdirs("/", 0700), 0);
    put(in(s, "m/file"), "x");
    assert_int_equal(path_mkdirs(in(s, "m/file"), 0700), -ENOTDIR);
    assert_int_equal(path_mkdirs(in(s, "m/file/x"), 0700), -ENOTDIR);
    assert_int_equal(symlink("n", in(s, "m/link")), 0);
    assert_int_equal(path_mkdirs(in(s, "m/link/p"), 0700), 0);
    assert_int_equal(stat(in(s, "m/n/p"), &st), 0);
    assert_true(path_mkdirs("/proc/none/x", 0700) < 0);
    char name[5000];
    memset(name, 'n', sizeof(name));
    name[0] = '/';
    name[4999] = '\0';
    assert_int_equal(path_mkdirs(name, 0700), -ENAMETOOLONG);
}

static void test_read_file(void **state)
{
    struct scratch *s = *state;
    _cleanup_strbuf_ struct strbuf b = {0};
    struct error err = {0};
    put(in(s, "text"), "0123456789");
    assert_int_equal(path_read_file(AT_FDCWD, in(s, "text"), 10, &b, &err), 0);
    assert_string_equal(strbuf_text(&b), "0123456789");
    assert_int_equal(path_read_file(AT_FDCWD, in(s, "text"), 9, &b, &err), -EFBIG);
    assert_non_null(strstr(err.message, "larger than 9 bytes"));
    assert_int_equal(path_read_file(AT_FDCWD, s->dir, 10, &b, &err), -EISDIR);
    assert_int_equal(path_read_file(AT_FDCWD, in(s, "none"), 10, &b, &err), -ENOENT);
    assert_int_equal(mkfifo(in(s, "fifo"), 0600), 0);
    assert_int_equal(path_read_file(AT_FDCWD, in(s, "fifo"), 10, &b, &err), -EINVAL);
    assert_non_null(strstr(err.message, "a FIFO"));
    assert_int_equal(path_read_file(AT_FDCWD, "/dev/null", 10, &b, &err), -EINVAL);
    assert_int_equal(path_read_file(AT_FDCWD, "/dev/null", 10, &b, NULL), -EINVAL);
    strbuf_release(&b);
    mem_fail_at(1);
    assert_int_equal(path_read_file(AT_FDCWD, in(s, "text"), 10, &b, &err), -ENOMEM);
    mem_fail_at(0);
}

static void test_bound_name(void **state)
{
    static const struct {
        const char *bound, *path;
        bool fits;
    } rows[] = {
        {"/run/s.sock", "/run/s.sock", true},
        {"//run/.//s.sock", "/run/s.sock", true},
        {"/run/s.sock", "/run/./s.sock", true},
        {"/run/s.sock", "/var/run/s.sock", false},
        {"/var/run/s.sock", "/run/s.sock", false},
        {"/s.sock", "/run/s.sock", false},
        {"/run/s.sock", "/s.sock", false},
        {"/run/t/s.sock", "/run/s.sock", false},
        {"/run/xs.sock", "/run/s.sock", false},
        {"/", "/run/s.sock", false},
        {"/", "/", false},
        {"s.sock", "/run/s.sock", true},
        {"./s.sock", "/run/s.sock", true},
        {"run/s.sock", "/run/s.sock", true},
        {"run/s.sock", "/s.sock", false},
        {"xrun/s.sock", "/run/s.sock", false},
        {"t.sock", "/run/s.sock", false},
        {"../s.sock", "/run/s.sock", false},
        {"../s.sock", "/../s.sock", false},
        {"/run/../run/s.sock", "/run/../run/s.sock", false},
        {"", "/run/s.sock", false},
        {".", "/run/s.sock", false},
        {"..", "/..", false},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (path_is_bound_name(bytes_of(rows[i].bound), rows[i].path) != rows[i].fits)
            fail_msg("\"%s\" at %s", rows[i].bound, rows[i].path);
    /* As the kernel gives it: with a NUL at its end, or at its beginning when it is abstract. */
    assert_true(path_is_bound_name((struct bytes){"/run/s\0x", 8}, "/run/s"));
    assert_false(path_is_bound_name((struct bytes){"\0/run/s", 7}, "/run/s"));
    assert_false(path_is_bound_name((struct bytes){NULL, 0}, "/run/s"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bound_name),        cmocka_unit_test(test_join),
        cmocka_unit_test(test_lexical),           cmocka_unit_test(test_canonical),
        cmocka_unit_test(test_canonical_renamed), cmocka_unit_test(test_of_fd),
        cmocka_unit_test(test_openat2),           cmocka_unit_test(test_mkdirs),
        cmocka_unit_test(test_read_file),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
