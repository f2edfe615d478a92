/* What bawn learns of the outside world without a name service: homes, version control. */
#include "cli/setup.h"

#include "base/fd.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

const struct subcommand commands[] = {{0}};
void commands_help(struct strbuf *out)
{
    (void)out;
}

static char dir[] = "/var/tmp/bawn-setup-XXXXXX";

static const char *in_dir(struct arena *a, const char *name)
{
    return arena_printf(a, "%s/%s", dir, name);
}

static void write_text(const char *path, const char *text, size_t n)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(fd_write_all(fd, text, n), 0);
    fd_close(fd);
}

static void test_passwd(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t n;
        unsigned long uid;
        const char *home;
    } rows[] = {
#define TEXT(t) t, sizeof(t) - 1
        {TEXT("root:x:0:0:r:/root:/bin/sh\nme:x:1000:1000:Me,,:/home/me:/bin/sh\n"), 1000,
         "/home/me"},
        {TEXT("me:x:1000:1000::/home/me:"), 1000, "/home/me"}, /* no newline at the end */
        {TEXT("me:x:1000:1000::/home/me"), 1000, "/home/me"},  /* no shell */
        {TEXT("a:x:7:7::/first:\nb:x:7:7::/second:\n"), 7, "/first"},
        {TEXT("+:x:7:7::/nis:\n-b:x:7:7::/nis:\nc:x:7:7::/c:\n"), 7, "/c"},
        {TEXT(":x:7:7::/noname:\n"), 7, NULL},
        {TEXT("me:x:70:7::/h:\nme:x:07:7::/seven:\n"), 7, "/seven"},
        {TEXT("me:x::7::/h:\nme:x:seven:7::/h:\nme:x:-7:7::/h:\nme:x: 7:7::/h:\n"), 7, NULL},
        {TEXT("me:x:4294967303:7::/h:\n"), 7, NULL}, /* 2^32 + 7 */
        {TEXT("me:x:99999999999999999999999:7::/h:\n"), 7, NULL},
        {TEXT("me:x:7:7::relative:\n"), 7, NULL},
        {TEXT("me:x:7:7:::\n"), 7, NULL},
        {TEXT("me:x:7\n"), 7, NULL},
        {TEXT("me:x:7:7::/a\0b:\n"), 7, NULL},
        {TEXT("\n\n::::::\n"), 0, NULL},
        {TEXT(""), 0, NULL},
#undef TEXT
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena a = {0};
        const char *file = in_dir(&a, "passwd");
        write_text(file, rows[i].text, rows[i].n);
        const char *home = passwd_home(&a, file, rows[i].uid);
        if (rows[i].home ? !home || !str_eq(home, rows[i].home) : home != NULL)
            fail_msg("row %zu: %s", i, home ? home : "(none)");
        arena_release(&a);
    }
    struct arena a = {0};
    assert_null(passwd_home(&a, "/nonexistent/passwd", 0));
    assert_null(passwd_home(&a, "/", 0));
    arena_release(&a);
}

static void test_version_control(void **state)
{
    (void)state;
    struct setup s = {.state_looked = true};
    struct arena *a = &s.arena;
    const char *deep = in_dir(a, "x/y/z"), *hg = in_dir(a, "x/.hg"), *git = in_dir(a, ".git");
    assert_int_equal(mkdir(in_dir(a, "x"), 0700), 0);
    assert_int_equal(mkdir(in_dir(a, "x/y"), 0700), 0);
    assert_int_equal(mkdir(deep, 0700), 0);
    assert_false(in_version_control(&s, deep));
    assert_false(in_version_control(&s, "/"));
    assert_int_equal(mkdir(hg, 0700), 0);
    assert_true(in_version_control(&s, deep));
    assert_false(in_version_control(&s, dir));
    assert_int_equal(rmdir(hg), 0);
    write_text(git, "gitdir: x\n", 10);
    assert_true(in_version_control(&s, deep));
    assert_true(in_version_control(&s, dir));
    assert_int_equal(unlink(git), 0);
    /* An empty .git without a journal that knows it is a repository in the making. */
    assert_int_equal(mkdir(git, 0700), 0);
    assert_true(in_version_control(&s, dir));
    /* In a directory everybody writes it may be anybody's placeholder; one that holds something and
     * is ours is not. */
    assert_int_equal(chmod(dir, 01777), 0);
    assert_false(in_version_control(&s, dir));
    assert_false(in_version_control(&s, deep));
    assert_int_equal(mkdir(in_dir(a, ".git/refs"), 0700), 0);
    assert_true(in_version_control(&s, deep));
    if (geteuid() == 0) {
        assert_int_equal(chown(git, 61184, 61184), 0);
        assert_false(in_version_control(&s, deep));
    }
    assert_int_equal(rmdir(in_dir(a, ".git/refs")), 0);
    assert_int_equal(chmod(dir, 0700), 0);
    assert_int_equal(rmdir(git), 0);
    assert_int_equal(rmdir(deep), 0);
    assert_int_equal(rmdir(in_dir(a, "x/y")), 0);
    assert_int_equal(rmdir(in_dir(a, "x")), 0);
    setup_release(&s);
}

static int make_dir(void **state)
{
    (void)state;
    return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
    (void)state;
    struct arena a = {0};
    (void)unlink(in_dir(&a, "passwd"));
    arena_release(&a);
    return rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_passwd),
        cmocka_unit_test(test_version_control),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
