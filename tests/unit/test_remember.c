/* What an answer leaves behind: lines of a rules file, answers of a session. */
#include "approval/remember.h"
#include "approval/session.h"
#include "base/fd.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

struct scratch {
    char dir[64], file[128];
};

static void make_scratch(struct scratch *s)
{
    (void)snprintf(s->dir, sizeof(s->dir), "/tmp/bawn-test-remember-XXXXXX");
    assert_non_null(mkdtemp(s->dir));
    (void)snprintf(s->file, sizeof(s->file), "%s/rules/default.rules", s->dir);
}

static void drop_scratch(const struct scratch *s)
{
    char command[256];
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", s->dir);
    assert_int_equal(system(command), 0);
}

static void put(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
    (void)close(fd);
}

static void assert_text(const char *path, const char *want)
{
    struct strbuf b = {0};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(fd_read_all(fd, 1 << 20, &b), 0);
    assert_string_equal(strbuf_text(&b), want);
    (void)close(fd);
    strbuf_release(&b);
}

/* ---- rules ---- */

static void test_lines(void **unused)
{
    (void)unused;
    static const struct {
        const char *before, *line, *after;
        bool added;
    } cases[] = {
        {NULL, "a", "a\n", true},
        {"", "a", "a\n", true},
        {"b\n", "a", "b\na\n", true},
        {"b", "a", "b\na\n", true},
        {"# c\n\na\nb\n", "a", "# c\n\na\nb\n", false},
        {"a", "a", "a", false},
        {"a\r\nb\r\n", "b", "a\r\nb\r\n", false},
        {"aa\n", "a", "aa\na\n", true},
        {" a\n", "a", " a\na\n", true},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct scratch s;
        struct error err = {0};
        struct stat st;
        bool added = !cases[i].added;
        char dir[128];
        make_scratch(&s);
        (void)snprintf(dir, sizeof(dir), "%s/rules", s.dir);
        if (cases[i].before) {
            assert_int_equal(mkdir(dir, 0700), 0);
            put(s.file, cases[i].before);
        }
        assert_int_equal(remember_line(s.file, cases[i].line, &added, &err), 0);
        assert_text(s.file, cases[i].after);
        assert_int_equal(added, cases[i].added);
        assert_int_equal(stat(s.file, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0600);
        assert_int_equal(stat(dir, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0700);
        drop_scratch(&s);
    }
}

static void test_forget(void **unused)
{
    (void)unused;
    struct scratch s;
    struct error err = {0};
    make_scratch(&s);
    assert_int_equal(forget_line(s.file, "a", &err), -ENOENT);
    assert_int_equal(remember_line(s.file, "a", NULL, &err), 0);
    put(s.file, "# first\na\nb\na\n# last");
    assert_int_equal(forget_line(s.file, "a", &err), 0);
    assert_text(s.file, "# first\nb\n# last");
    assert_int_equal(forget_line(s.file, "a", &err), -ENOENT);
    assert_non_null(strstr(err.message, "no line"));
    assert_int_equal(forget_line(s.file, "# last", &err), 0);
    assert_text(s.file, "# first\nb\n");
    assert_int_equal(remember_line(s.file, "two\nlines", NULL, &err), -EINVAL);
    assert_text(s.file, "# first\nb\n");
    drop_scratch(&s);
}

/* Of many at once none is lost and none is there twice. */
static void test_many_writers(void **unused)
{
    (void)unused;
    enum { WRITERS = 8, LINES = 6 };
    struct scratch s;
    make_scratch(&s);
    pid_t pids[WRITERS];
    for (int i = 0; i < WRITERS; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            for (int k = 0; k < LINES; k++) {
                char line[32];
                (void)snprintf(line, sizeof(line), "line %d", (i + k) % LINES);
                struct error err = {0};
                if (remember_line(s.file, line, NULL, &err) < 0) {
                    (void)fprintf(stderr, "%s\n", err.message);
                    _exit(1);
                }
            }
            _exit(0);
        }
    }
    for (int i = 0; i < WRITERS; i++) {
        int status;
        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        assert_int_equal(status, 0);
    }
    struct strbuf b = {0};
    int fd = open(s.file, O_RDONLY | O_CLOEXEC);
    assert_int_equal(fd_read_all(fd, 1 << 20, &b), 0);
    (void)close(fd);
    assert_int_equal(b.n, LINES * sizeof("line 0"));
    for (int k = 0; k < LINES; k++) {
        char line[32];
        (void)snprintf(line, sizeof(line), "line %d\n", k);
        assert_non_null(strstr(strbuf_text(&b), line));
    }
    strbuf_release(&b);
    drop_scratch(&s);
}

/* ---- sessions ---- */

static void key_of(const char *text, char key[SHA256_HEX_BYTES])
{
    struct sha256 h;
    unsigned char digest[SHA256_BYTES];
    sha256_init(&h);
    session_key_text(&h, text);
    sha256_end(&h, digest);
    sha256_hex(digest, key);
}

static void test_session(void **unused)
{
    (void)unused;
    struct scratch s;
    struct arena a = {0};
    struct error err = {0};
    const char *mine, *again, *named, *other, **grants;
    size_t n = 99;
    char one[SHA256_HEX_BYTES], two[SHA256_HEX_BYTES];
    make_scratch(&s);
    key_of("one", one);
    key_of("two", two);
    assert_int_equal(session_name(&a, NULL, &mine, &err), 0);
    assert_int_equal(session_name(&a, NULL, &again, &err), 0);
    assert_string_equal(mine, again);
    assert_int_equal(session_name(&a, "agent/1\n", &named, &err), 0);
    assert_int_equal(session_name(&a, "agent/2\n", &other, &err), 0);
    assert_string_not_equal(named, other);
    assert_null(strchr(named, '/'));

    assert_int_equal(session_look(&a, s.dir, mine, one, &grants, &n), -ENOENT);
    assert_int_equal(session_add(s.dir, mine, one, NULL, 0, &err), 0);
    assert_int_equal(session_look(&a, s.dir, mine, one, &grants, &n), 0);
    assert_int_equal(n, 0);
    assert_int_equal(session_look(&a, s.dir, mine, two, &grants, &n), -ENOENT);
    assert_int_equal(session_look(&a, s.dir, named, one, &grants, &n), -ENOENT);

    /* The newest answer counts, with whatever bytes a path holds. */
    const char *list[] = {"write:/a b\n\xff", "network"};
    assert_int_equal(session_add(s.dir, mine, one, list, 2, &err), 0);
    assert_int_equal(session_look(&a, s.dir, mine, one, &grants, &n), 0);
    assert_int_equal(n, 2);
    assert_string_equal(grants[0], list[0]);
    assert_string_equal(grants[1], list[1]);
    arena_release(&a);
    drop_scratch(&s);
}

/* Whatever is wrong with the file is no answer. */
static void test_session_hostile(void **unused)
{
    (void)unused;
    struct arena a = {0};
    struct error err = {0};
    char key[SHA256_HEX_BYTES], text[256];
    key_of("one", key);
    static const struct {
        const char *format; /* %s: the key */
        int want;
    } cases[] = {
        {"%s\n", 0},
        {"%s", -ENOENT}, /* cut short */
        {"%sx\n", -ENOENT},
        {" %s\n", -ENOENT},
        {"%s \n", -ENOENT},
        {"%s 6\n", -ENOENT},
        {"%s zz\n", -ENOENT},
        {"%s 00\n", -ENOENT},
        {"%s 61  62\n", -ENOENT},
        {"garbage\n\n\n%s 6162\n", 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct scratch s;
        const char *name, **grants;
        size_t n;
        char folder[128], file[256];
        make_scratch(&s);
        assert_int_equal(session_name(&a, "x", &name, &err), 0);
        (void)snprintf(folder, sizeof(folder), "%s/session", s.dir);
        (void)snprintf(file, sizeof(file), "%s/%s", folder, name);
        assert_int_equal(mkdir(folder, 0700), 0);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        (void)snprintf(text, sizeof(text), cases[i].format, key);
#pragma GCC diagnostic pop
        put(file, text);
        assert_int_equal(session_look(&a, s.dir, name, key, &grants, &n), cases[i].want);
        /* What others can write, or could have, is not read. */
        assert_int_equal(chmod(file, 0620), 0);
        assert_int_equal(session_look(&a, s.dir, name, key, &grants, &n), -ENOENT);
        assert_int_equal(chmod(file, 0600), 0);
        assert_int_equal(chmod(folder, 0770), 0);
        assert_int_equal(session_look(&a, s.dir, name, key, &grants, &n), -ENOENT);
        assert_true(session_add(s.dir, name, key, NULL, 0, &err) < 0);
        assert_int_equal(chmod(folder, 0700), 0);
        /* A line that a crash cut short is not completed by the next. */
        assert_int_equal(session_add(s.dir, name, key, NULL, 0, &err), 0);
        assert_int_equal(session_look(&a, s.dir, name, key, &grants, &n), 0);
        /* A symlink and a FIFO neither lead away nor make anybody wait. */
        assert_int_equal(unlink(file), 0);
        assert_int_equal(symlink("/etc/passwd", file), 0);
        assert_int_equal(session_look(&a, s.dir, name, key, &grants, &n), -ENOENT);
        assert_true(session_add(s.dir, name, key, NULL, 0, &err) < 0);
        assert_int_equal(unlink(file), 0);
        assert_int_equal(mkfifo(file, 0600), 0);
        assert_int_equal(session_look(&a, s.dir, name, key, &grants, &n), -ENOENT);
        assert_true(session_add(s.dir, name, key, NULL, 0, &err) < 0);
        drop_scratch(&s);
    }
    arena_release(&a);
}

/* The answers of a session whose leader is gone go with it. */
static void test_session_ends(void **unused)
{
    (void)unused;
    struct scratch s;
    struct arena a = {0};
    struct error err = {0};
    char key[SHA256_HEX_BYTES], folder[128], file[256];
    const char *mine;
    int pipes[2];
    make_scratch(&s);
    key_of("one", key);
    assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
    pid_t pid = fork();
    if (pid == 0) {
        const char *name;
        if (setsid() < 0 || session_name(&a, NULL, &name, NULL) < 0 ||
            session_add(s.dir, name, key, NULL, 0, NULL) < 0 ||
            write(pipes[1], name, strlen(name) + 1) < 0)
            _exit(1);
        _exit(0);
    }
    int status;
    char theirs[128];
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_true(read(pipes[0], theirs, sizeof(theirs)) > 0);
    (void)close(pipes[0]);
    (void)close(pipes[1]);
    (void)snprintf(folder, sizeof(folder), "%s/session", s.dir);
    (void)snprintf(file, sizeof(file), "%s/%s", folder, theirs);
    assert_int_equal(access(file, F_OK), 0);
    assert_int_equal(session_name(&a, NULL, &mine, &err), 0);
    assert_string_not_equal(mine, theirs);
    assert_int_equal(session_add(s.dir, mine, key, NULL, 0, &err), 0);
    assert_int_equal(access(file, F_OK), -1);
    (void)snprintf(file, sizeof(file), "%s/%s", folder, mine);
    assert_int_equal(access(file, F_OK), 0);
    arena_release(&a);
    drop_scratch(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),           cmocka_unit_test(test_forget),
        cmocka_unit_test(test_many_writers),    cmocka_unit_test(test_session),
        cmocka_unit_test(test_session_hostile), cmocka_unit_test(test_session_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
