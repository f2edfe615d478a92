/* See closer.h. */
#include "sandbox/closer.h"

#include "base/fd.h"
#include "base/macros.h"
#include "base/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define WAITING_MOST 128 /* sockets: each is a descriptor of ours */

static bool may_linger(int fd)
{
    int domain = 0, type = 0;
    socklen_t n_domain = sizeof(domain), n_type = sizeof(type);
    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &n_domain) < 0 ||
        getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &n_type) < 0)
        return false; /* no socket */
    return domain != AF_UNIX && domain != AF_NETLINK && type != SOCK_DGRAM;
}

static _noreturn_ void close_them(int from, pid_t parent)
{
    (void)prctl(PR_SET_NAME, "bawn-closer");
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
        _exit(1);
    for (int fd;;) {
        const ssize_t n = read(from, &fd, sizeof(fd));
        if (n < 0 && errno == EINTR)
            continue;
        if (n != (ssize_t)sizeof(fd))
            _exit(1);
        fd_close(fd);
    }
}

static void start(struct closer *c)
{
    const pid_t parent = getpid();
    int pipe[2], pidfd = -1;
    if (c->to <= 0) {
        if (pipe2(pipe, O_CLOEXEC) < 0)
            return;
        c->from = pipe[0];
        c->to = pipe[1];
    }
    const pid_t pid = sys_clone3(CLONE_FILES, &pidfd);
    if (pid == 0)
        close_them(c->from, parent);
    fd_close(pidfd);
    c->pid = pid > 0 ? pid : 0;
}

static void stop(struct closer *c)
{
    if (c->pid <= 0)
        return;
    (void)kill(c->pid, SIGKILL);
    while (waitpid(c->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    c->pid = 0;
}

void closer_close(struct closer *c, int fd)
{
    int waiting = 0;
    if (fd < 0)
        return;
    if (!may_linger(fd)) {
        fd_close(fd);
        return;
    }
    /* It waits for one of them: what it waits for is closed when it is killed. */
    if (c->pid && ioctl(c->to, FIONREAD, &waiting) == 0 &&
        waiting >= (int)(WAITING_MOST * sizeof(fd)))
        stop(c);
    if (c->pid == 0)
        start(c);
    /* There is room for as many as may wait. */
    if (c->pid == 0 || write(c->to, &fd, sizeof(fd)) != (ssize_t)sizeof(fd))
        fd_close(fd);
}

void closer_end(struct closer *c)
{
    stop(c);
    if (c->to > 0) {
        fd_close(c->from);
        fd_close(c->to);
    }
    *c = (struct closer){0};
}
