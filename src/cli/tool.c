/*
 * Running a program for what it says. See tool.h.
 *
 * Both pipes are read and written without ever waiting for longer than the caller's time. Between
 * fork and exec nothing is allocated.
 */
#include "cli/tool.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LEAVE_MS 1000 /* to end by itself, once it has said all */

void tool_reset_signals(void)
{
    sigset_t none;
    struct sigaction plain = {.sa_handler = SIG_DFL};
    for (int i = 1; i < NSIG; i++)
        (void)sigaction(i, &plain, NULL);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

struct start {
    const struct tool_program *program;
    int in, out, null, fd; /* all above 2 */
    pid_t parent;
};

/* The child, until it is another program. */
_noreturn_ static void become(const struct start *s)
{
    const struct rlimit none = {0, 0};
    const struct tool_program *p = s->program;
    tool_reset_signals();
    (void)setsid();
    (void)setrlimit(RLIMIT_CORE, &none);
    if (chdir("/") < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != s->parent ||
        dup2(s->in >= 0 ? s->in : s->null, 0) < 0 || dup2(s->out, 1) < 0 || dup2(s->null, 2) < 0)
        _exit(127);
    if (s->fd >= 0) {
        /* Its own descriptor goes with the exec. */
        if (s->fd > 3)
            (void)sys_close_range(3, (unsigned)s->fd - 1);
        (void)sys_close_range((unsigned)s->fd + 1, ~0u);
        (void)syscall(SYS_execveat, s->fd, "", p->argv, p->envp, AT_EMPTY_PATH);
    } else {
        (void)sys_close_range(3, ~0u);
        (void)execve(p->path, p->argv, p->envp);
    }
    _exit(127);
}

/* A pipe both ends of which are above the standard descriptors. */
static int make_pipe(int ret[2])
{
    int p[2];
    if (pipe2(p, O_CLOEXEC) < 0)
        return -errno;
    for (int i = 0; i < 2; i++) {
        ret[i] = fcntl(p[i], F_DUPFD_CLOEXEC, 3);
        fd_close(p[i]);
    }
    return ret[0] < 0 || ret[1] < 0 ? -EMFILE : 0;
}

static void close_both(int p[2])
{
    fd_close(p[0]);
    fd_close(p[1]);
}

int tool_start(const struct tool_program *program, struct tool *ret, struct error *err)
{
    int in[2] = {-1, -1}, out[2] = {-1, -1};
    struct start s = {.program = program, .parent = getpid()};
    _cleanup_fd_ int null = open("/dev/null", O_RDWR | O_CLOEXEC), high = -1, fd = -1;
    int r = null < 0 || (high = fcntl(null, F_DUPFD_CLOEXEC, 3)) < 0 ? -errno : 0;
    if (r == 0 && program->fd >= 0 && (fd = fcntl(program->fd, F_DUPFD_CLOEXEC, 3)) < 0)
        r = -errno;
    if (r == 0)
        r = make_pipe(out);
    if (r == 0 && program->talks)
        r = make_pipe(in);
    s.in = in[0];
    s.out = out[1];
    s.null = high;
    s.fd = fd;
    pid_t pid = r == 0 ? fork() : -1;
    if (pid == 0)
        become(&s);
    if (r == 0 && pid < 0)
        r = -errno;
    if (r == 0 &&
        (fd_set_nonblock(out[0], true) < 0 || (in[1] >= 0 && fd_set_nonblock(in[1], true) < 0)))
        r = -EIO;
    *ret = (struct tool){.pid = MAX_OF(pid, 0), .in = in[1], .out = out[0]};
    if (r < 0) {
        close_both(in);
        close_both(out);
        ret->in = ret->out = -1;
        (void)tool_end(ret);
        return error_errno(err, r, "cannot start %s", show(path_base(program->path)));
    }
    fd_close(in[0]);
    fd_close(out[1]);
    return 0;
}

/* ---- talking ---- */

/* False: the time is over. */
static bool wait_for(int fd, short events, int64_t until)
{
    for (;;) {
        struct pollfd pfd = {.fd = fd, .events = events};
        int64_t left = until - clock_ms();
        int r = left <= 0 ? 0 : poll(&pfd, 1, (int)MIN_OF(left, (int64_t)1000000));
        if (r >= 0 || errno != EINTR)
            return r > 0;
    }
}

int tool_read(struct tool *t, bool line, int64_t until, size_t max, struct strbuf *out)
{
    const size_t from = out->n;
    char buf[4096];
    for (;;) {
        /* Of a line not a byte more: what follows it is another answer. */
        ssize_t n = read(t->out, buf, line ? 1 : sizeof(buf));
        if (n < 0 && errno == EAGAIN && !wait_for(t->out, POLLIN, until))
            return -ETIMEDOUT;
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            return line ? -EPIPE : strbuf_failed(out) ? -ENOMEM : 0;
        if (line && buf[0] == '\n')
            return strbuf_failed(out) ? -ENOMEM : 0;
        if (out->n - from + (size_t)n > max)
            return -E2BIG;
        strbuf_put(out, buf, (size_t)n);
        if (clock_ms() > until)
            return -ETIMEDOUT;
    }
}

/* Without the signal of a pipe that nobody reads: a launcher must not end by it. */
static ssize_t quiet_write(int fd, const void *p, size_t n)
{
    sigset_t pipe, old, pending;
    const struct timespec now = {0};
    (void)sigemptyset(&pipe);
    (void)sigaddset(&pipe, SIGPIPE);
    (void)sigpending(&pending);
    (void)sigprocmask(SIG_BLOCK, &pipe, &old);
    ssize_t r = write(fd, p, n);
    int e = errno;
    if (r < 0 && e == EPIPE && !sigismember(&pending, SIGPIPE))
        (void)sigtimedwait(&pipe, NULL, &now);
    (void)sigprocmask(SIG_SETMASK, &old, NULL);
    errno = e;
    return r;
}

int tool_write(struct tool *t, const void *p, size_t n, int64_t until)
{
    for (const char *at = p; n > 0;) {
        ssize_t r = quiet_write(t->in, at, n);
        if (r < 0 && errno == EAGAIN && !wait_for(t->in, POLLOUT, until))
            return -ETIMEDOUT;
        if (r < 0 && errno != EAGAIN && errno != EINTR)
            return -errno;
        at += MAX_OF(r, 0);
        n -= (size_t)MAX_OF(r, 0);
    }
    return 0;
}

/* ---- the end ---- */

int tool_end(struct tool *t)
{
    const struct timespec step = {.tv_nsec = 1000000};
    int status = -1;
    pid_t got = 0;
    fd_close(t->in);
    fd_close(t->out);
    for (int i = 0; t->pid > 0 && i < LEAVE_MS && got == 0; i++) {
        got = waitpid(t->pid, &status, WNOHANG);
        if (got == 0)
            (void)nanosleep(&step, NULL);
    }
    if (t->pid > 0) {
        /* Its session, too: the number is taken as long as one of that lives. */
        (void)kill(-t->pid, SIGKILL);
        if (got == 0) {
            (void)kill(t->pid, SIGKILL);
            while ((got = waitpid(t->pid, &status, 0)) < 0 && errno == EINTR)
                continue;
        }
    }
    int of = got == t->pid && t->pid > 0 ? status : -1;
    *t = (struct tool){.in = -1, .out = -1};
    return of;
}

int tool_run(const struct tool_program *program, unsigned timeout_ms, size_t max,
             struct strbuf *out, struct error *err)
{
    const char *name = path_base(program->path);
    struct tool t;
    int r = tool_start(program, &t, err);
    if (r < 0)
        return r;
    r = tool_read(&t, false, clock_ms() + timeout_ms, max, out);
    if (r < 0) /* it is not waited for */
        (void)kill(t.pid, SIGKILL);
    int status = tool_end(&t);
    if (r == -ETIMEDOUT)
        return error_set(err, r, "%s did not answer in %u seconds", show(name), timeout_ms / 1000);
    if (r == -E2BIG)
        return error_set(err, r, "%s says more than %zu bytes", show(name), max);
    if (r < 0)
        return error_errno(err, r, "%s cannot be asked", show(name));
    if (status < 0 || !WIFEXITED(status))
        return error_set(err, -EIO, "%s did not end by itself", show(name));
    if (WEXITSTATUS(status) != 0)
        return error_set(err, -EIO, "%s ended with status %d", show(name), WEXITSTATUS(status));
    return 0;
}
