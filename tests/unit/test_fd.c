/* Descriptors: reading and writing whole, flags, and passing them over a socket. */
#include "base/fd.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

static unsigned open_fds(void)
{
    unsigned n = 0;
    for (int fd = 0; fd < 512; fd++)
        n += is_open(fd);
    return n;
}

static void test_close(void **state)
{
    (void)state;
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC), kept;
    errno = EXDEV;
    fd_close(fd);
    fd_close(fd); /* fails inside; errno stays */
    fd_close(-1);
    assert_int_equal(errno, EXDEV);
    assert_false(is_open(fd));
    {
        _cleanup_fd_ int scoped = open("/dev/null", O_RDONLY | O_CLOEXEC);
        _cleanup_fd_ int moved = open("/dev/null", O_RDONLY | O_CLOEXEC);
        fd = scoped;
        kept = steal_fd(&moved);
        assert_int_equal(moved, -1);
    }
    assert_false(is_open(fd));
    assert_true(is_open(kept));
    fd_close(kept);
}

static void test_read_write(void **state)
{
    (void)state;
    int p[2];
    static char text[200000]; /* more than a pipe holds: writes are short */
    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = (char)(i * 7);
    assert_int_equal(pipe2(p, O_CLOEXEC), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        fd_close(p[0]);
        _exit(fd_write_all(p[1], text, sizeof(text)) == 0 ? 0 : 1);
    }
    fd_close(p[1]);
    _cleanup_strbuf_ struct strbuf b = {0};
    assert_int_equal(fd_read_all(p[0], sizeof(text), &b), 0);
    fd_close(p[0]);
    assert_int_equal(b.n, sizeof(text));
    assert_memory_equal(b.p, text, sizeof(text));
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);

    _cleanup_fd_ int zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
    _cleanup_strbuf_ struct strbuf z = {0};
    assert_int_equal(fd_read_all(zero, 100000, &z), -EFBIG); /* ends although the file does not */
    assert_int_equal(fd_read_all(-1, 1, &z), -EBADF);
    assert_int_equal(fd_write_all(-1, "x", 1), -EBADF);
    assert_int_equal(fd_write_all(-1, "x", 0), 0);

    /* No memory, or beyond the buffer's own maximum. */
    _cleanup_fd_ int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    _cleanup_strbuf_ struct strbuf small = {.max = 16};
    assert_int_equal(fd_read_all(self, SIZE_MAX, &small), -ENOMEM);
}

static void test_flags(void **state)
{
    (void)state;
    _cleanup_fd_ int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    assert_int_equal(fd_set_cloexec(fd, false), 0);
    assert_false(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    assert_int_equal(fd_set_cloexec(fd, true), 0);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    assert_int_equal(fd_set_nonblock(fd, true), 0);
    assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
    assert_int_equal(fd_set_nonblock(fd, false), 0);
    assert_false(fcntl(fd, F_GETFL) & O_NONBLOCK);
    assert_int_equal(fd_set_cloexec(-1, true), -EBADF);
    assert_int_equal(fd_set_nonblock(-1, true), -EBADF);
}

static void test_pass(void **state)
{
    (void)state;
    int s[2], got[16];
    char buf[16];
    size_t n = 99;
    unsigned before = open_fds();
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, s), 0);
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int all[16];
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        all[i] = null;

    assert_int_equal(fd_send(s[0], "plain", 5, NULL, 0), 0);
    assert_int_equal(fd_recv(s[1], buf, sizeof(buf), got, 8, &n, NULL), 5);
    assert_int_equal(n, 0);
    assert_int_equal(fd_send(s[0], "all", 3, all, 16), 0);
    assert_int_equal(fd_recv(s[1], buf, sizeof(buf), got, 16, &n, NULL), 3);
    assert_memory_equal(buf, "all", 3);
    assert_int_equal(n, 16);
    for (int i = 0; i < 16; i++) {
        struct stat st;
        assert_int_equal(fstat(got[i], &st), 0);
        assert_true(S_ISCHR(st.st_mode));
        assert_true(fcntl(got[i], F_GETFD) & FD_CLOEXEC);
        fd_close(got[i]);
    }
    const int more[17] = {0};
    assert_int_equal(fd_send(s[0], "x", 1, more, 17), -EINVAL);
    const int bad[1] = {-1};
    assert_int_equal(fd_send(s[0], "x", 1, bad, 1), -EBADF);

    /* More than was asked for: refused, and none stays open. */
    unsigned open_now = open_fds();
    assert_int_equal(fd_send(s[0], "x", 1, all, 3), 0);
    assert_int_equal(fd_recv(s[1], buf, sizeof(buf), got, 2, &n, NULL), -EPROTO);
    assert_int_equal(fd_send(s[0], "x", 1, all, 1), 0);
    assert_int_equal(fd_recv(s[1], buf, sizeof(buf), NULL, 0, NULL, NULL), -EPROTO);
    /* So is a message that is longer than the room for it. */
    assert_int_equal(fd_send(s[0], "0123456789", 10, all, 2), 0);
    assert_int_equal(fd_recv(s[1], buf, 9, got, 8, &n, NULL), -EMSGSIZE);
    assert_int_equal(open_fds(), open_now);

    assert_int_equal(fd_set_nonblock(s[1], true), 0);
    assert_int_equal(fd_recv(s[1], buf, sizeof(buf), got, 8, &n, NULL), -EAGAIN);
    fd_close(s[0]);
    assert_int_equal(fd_recv(s[1], buf, sizeof(buf), got, 8, &n, NULL), 0);
    assert_int_equal(fd_send(s[1], "x", 1, NULL, 0), -EPIPE); /* and no SIGPIPE */
    fd_close(s[1]);
    fd_close(null);
    assert_int_equal(open_fds(), before);
}

static void test_pid(void **state)
{
    (void)state;
    int s[2], got[2], on = 1;
    char buf[16];
    size_t n = 0;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, s), 0);
    assert_int_equal(setsockopt(s[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)), 0);
    pid_t child = fork(), pid = -1;
    assert_true(child >= 0);
    if (child == 0) {
        const int fds[2] = {s[0], s[0]};
        _exit(fd_send_with_pid(s[0], "me", 2, fds, 2) == 0 ? 0 : 1);
    }
    assert_int_equal(fd_recv(s[1], buf, sizeof(buf), got, 2, &n, &pid), 2);
    assert_int_equal(n, 2);
    assert_int_equal(pid, child);
    fd_close(got[0]);
    fd_close(got[1]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    fd_close(s[0]);
    fd_close(s[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_close), cmocka_unit_test(test_read_write),
        cmocka_unit_test(test_flags), cmocka_unit_test(test_pass),
        cmocka_unit_test(test_pid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
