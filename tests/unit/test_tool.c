/*
 * Programs that are run for what they say: what they get, how long they may take, how much they may
 * say, and that nothing of them is left.
 */
#include "base/clock.h"
#include "base/fd.h"
#include "cli/tool.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static struct tool_program shell(char *const *argv)
{
    static char path[] = "PATH=/usr/bin:/bin", word[] = "WORD=here";
    static char *const env[] = {path, word, NULL};
    return (struct tool_program){.fd = -1, .path = "/bin/sh", .argv = argv, .envp = env};
}

static int run(const char *script, unsigned ms, size_t max, struct strbuf *out, struct error *err)
{
    char sh[] = "sh", c[] = "-c";
    char *copy = strdup(script);
    assert_non_null(copy);
    char *argv[] = {sh, c, copy, NULL};
    const struct tool_program p = shell(argv);
    int r = tool_run(&p, ms, max, out, err);
    free(copy);
    return r;
}

static void test_says(void **state)
{
    (void)state;
    _cleanup_strbuf_ struct strbuf out = {0};
    struct error err = {0};
    assert_int_equal(setenv("SECRET", "x", 1), 0);
    assert_int_equal(run("echo $WORD $SECRET; pwd; cat; ls /proc/self/fd | wc -l; echo no >&2",
                         20000, 1000, &out, &err),
                     0);
    assert_string_equal(strbuf_text(&out), "here\n/\n4\n"); /* the fourth is ls's own */
    strbuf_clear(&out);
    assert_int_equal(run("exit 7", 20000, 1000, &out, &err), -EIO);
    assert_string_equal(err.message, "sh ended with status 7");
    assert_int_equal(run("kill -9 $$", 20000, 1000, &out, &err), -EIO);
    char none[] = "none";
    char *argv[] = {none, NULL};
    struct tool_program p = shell(argv);
    p.path = "/nonexistent/none";
    assert_int_equal(tool_run(&p, 20000, 10, &out, &err), -EIO);
    assert_string_equal(err.message, "none ended with status 127");
}

/* Whoever writes for ever, or says nothing, is ended with all that it started. */
static void test_bounds(void **state)
{
    (void)state;
    char dir[] = "/tmp/bawn-tool.XXXXXX", script[256], fifo[64];
    _cleanup_strbuf_ struct strbuf out = {0};
    struct error err = {0};
    assert_int_equal(run("while :; do echo 0123456789; done", 20000, 5000, &out, &err), -E2BIG);
    assert_true(out.n <= 5000);
    assert_non_null(mkdtemp(dir));
    (void)snprintf(fifo, sizeof(fifo), "%s/f", dir);
    /* Both hold the pipe open, so that its end is theirs. */
    (void)snprintf(script, sizeof(script), "mkfifo %s; exec 3<>%s; (sleep 1000 <&3) & sleep 1000",
                   fifo, fifo);
    int64_t began = clock_ms();
    strbuf_clear(&out);
    assert_int_equal(run(script, 500, 1000, &out, &err), -ETIMEDOUT);
    assert_true(clock_ms() - began < 15000);
    int fd = open(fifo, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    for (int i = 0; fd >= 0 && i < 10000; i++) { /* until the last reader is gone */
        fd_close(fd);
        (void)poll(NULL, 0, 1);
        fd = open(fifo, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    }
    assert_int_equal(fd, -1);
    assert_int_equal(unlink(fifo), 0);
    assert_int_equal(rmdir(dir), 0);
}

static void test_talks(void **state)
{
    (void)state;
    char sh[] = "sh", c[] = "-c", script[] = "while read -r x; do echo \"<$x>\"; done";
    char *argv[] = {sh, c, script, NULL};
    struct tool_program p = shell(argv);
    struct tool t;
    struct error err = {0};
    const int64_t until = clock_ms() + 20000;
    _cleanup_fd_ int fd = open("/bin/sh", O_RDONLY | O_CLOEXEC);
    p.talks = true;
    p.fd = fd; /* by its descriptor */
    assert_int_equal(tool_start(&p, &t, &err), 0);
    for (int i = 0; i < 3; i++) {
        _cleanup_strbuf_ struct strbuf line = {0};
        assert_int_equal(tool_write(&t, "one\ntwo\n", i == 0 ? 8 : 4, until), 0);
        assert_int_equal(tool_read(&t, true, until, 100, &line), 0);
        assert_string_equal(strbuf_text(&line), i == 1 ? "<two>" : "<one>");
    }
    _cleanup_strbuf_ struct strbuf out = {0};
    assert_int_equal(kill(t.pid, SIGKILL), 0);
    int r = 0;
    for (int i = 0; r == 0 && i < 10; i++)
        r = tool_read(&t, true, until, 100, &out);
    assert_int_equal(r, -EPIPE);
    while ((r = tool_write(&t, "x\n", 2, until)) == 0) /* and no signal ends this program */
        (void)poll(NULL, 0, 1);
    assert_int_equal(r, -EPIPE);
    int status = tool_end(&t);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_says),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_talks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
