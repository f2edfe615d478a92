/*
 * Files in the shape that agents' documentation shows load unchanged: no error, no warning, with
 * --strict-config too. The folder of samples is the program's argument; the files are copied, since
 * an administrator's have to belong to one.
 */
#include "base/fd.h"
#include "base/limits.h"
#include "base/path.h"
#include "config/config.h"
#include "config/requirements.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static const char *samples;
static char dir[] = "/tmp/test_samples.XXXXXX";
static const char *const names[] = {"system.toml", "managed_config.toml", "requirements.toml",
                                    "config.toml"};

static int set_up(void **state)
{
    (void)state;
    return mkdtemp(dir) && chmod(dir, 0700) == 0 ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    return rmdir(dir);
}

static const char *in_dir(struct arena *a, const char *name)
{
    const char *path = path_join(a, dir, name);
    assert_non_null(path);
    return path;
}

/* SAMPLE, with MORE behind it, as NAME. NULL: no such file. */
static void put(struct arena *a, const char *name, const char *sample, const char *more)
{
    struct strbuf text = {0};
    const char *to = in_dir(a, name);
    (void)unlink(to);
    if (!sample)
        return;
    assert_int_equal(
        path_read_file(AT_FDCWD, path_join(a, samples, sample), MAX_FILE_BYTES, &text, NULL), 0);
    strbuf_puts(&text, more ? more : "");
    int fd = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(fd_write_all(fd, strbuf_text(&text), text.n), 0);
    fd_close(fd);
    strbuf_release(&text);
}

struct files {
    const char *system, *managed, *requirements, *user;
    const char *profile;
};

static int load(struct arena *a, const struct files *f, bool strict, const char *more,
                struct config **ret, struct error *err)
{
    const char *const from[] = {f->system, f->managed, f->requirements, f->user};
    for (size_t i = 0; i < ARRAY_LEN(from); i++)
        put(a, names[i], from[i], i == 3 || !f->user ? more : NULL);
    const struct config_request request = {
        .system_file = in_dir(a, "system.toml"),
        .managed_file = in_dir(a, "managed_config.toml"),
        .requirements_file = in_dir(a, "requirements.toml"),
        .admin_uid = getuid(),
        .bawn_home = dir,
        .home = dir,
        .cwd = "/",
        .profile = f->profile,
        .strict = strict,
    };
    int r = config_load(a, &request, ret, err);
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        (void)unlink(in_dir(a, names[i]));
    return r;
}

static void load_quietly(const struct files *f, const char *policy, enum sandbox_mode mode)
{
    for (int strict = 0; strict < 2; strict++) {
        struct arena a = {0};
        struct error err = {0};
        struct config *c;
        int r = load(&a, f, strict, NULL, &c, &err);
        if (r < 0)
            fail_msg("%s:%u: %s", err.file, err.line, err.message);
        if (c->n_warnings)
            fail_msg("%s", c->warnings[0]);
        assert_string_equal(c->approval_policy, policy);
        assert_int_equal(c->sandbox_mode, mode);
        arena_release(&a);
    }
}

static void test_user(void **state)
{
    (void)state;
    /* `profile = "careful"` is in it; another can be chosen. */
    load_quietly(&(struct files){.user = "config.toml"}, "untrusted", MODE_READ_ONLY);
    load_quietly(&(struct files){.user = "config.toml", .profile = "by-kind"}, "granular",
                 MODE_WORKSPACE_WRITE);
    load_quietly(&(struct files){.user = "config-older.toml"}, "granular", MODE_READ_ONLY);
}

static void test_every_place(void **state)
{
    (void)state;
    load_quietly(&(struct files){.system = "config-older.toml"}, "granular", MODE_READ_ONLY);
    load_quietly(&(struct files){.managed = "managed_config.toml", .user = "config-older.toml"},
                 "on-request", MODE_WORKSPACE_WRITE);
    load_quietly(&(struct files){.requirements = "requirements.toml", .user = "config-older.toml"},
                 "granular", MODE_READ_ONLY);
    load_quietly(&(struct files){.managed = "managed_config.toml",
                                 .requirements = "requirements.toml",
                                 .user = "config-older.toml"},
                 "on-request", MODE_WORKSPACE_WRITE);
}

/* What was required was read, not passed over. */
static void test_requirements_hold(void **state)
{
    (void)state;
    struct arena a = {0};
    struct config *c;
    const struct files f = {.requirements = "requirements.toml", .user = "config-older.toml"};
    assert_int_equal(load(&a, &f, false, NULL, &c, NULL), 0);
    assert_true(c->requirements->any);
    assert_int_equal(c->requirements->modes.n, 2);
    assert_int_equal(c->requirements->deny_read.n, 3);
    assert_non_null(c->requirements->network);
    assert_non_null(c->requirements->profiles);
    assert_string_equal(c->requirements->default_permissions, ":workspace");
    arena_release(&a);
}

/* The test itself can fail: an unknown key in a sample would be noticed. */
static void test_notices(void **state)
{
    (void)state;
    struct arena a = {0};
    struct error err = {0};
    struct config *c;
    const struct files f = {.user = "config-older.toml"};
    assert_int_equal(load(&a, &f, false, "\n[no_such_table]\nx = 1\n", &c, &err), 0);
    assert_int_equal(c->n_warnings, 1);
    assert_true(load(&a, &f, true, "\n[no_such_table]\nx = 1\n", &c, &err) < 0);
    assert_true(load(&a, &f, false, "\n[limits]\nmemory = true\n", &c, &err) < 0);
    arena_release(&a);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: test_samples FOLDER\n");
        return 2;
    }
    samples = argv[1];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_user),
        cmocka_unit_test(test_every_place),
        cmocka_unit_test(test_requirements_hold),
        cmocka_unit_test(test_notices),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
