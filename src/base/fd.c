/* Descriptors. See fd.h. */
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

void fd_close(int fd)
{
    if (fd < 0)
        return;
    int saved = errno;
    (void)close(fd);
    errno = saved;
}

void fd_closep(int *fd)
{
    fd_close(*fd);
    *fd = -1;
}

int fd_read_all(int fd, size_t max, struct strbuf *out)
{
    char buf[16384];
    size_t total = 0;
    for (;;) {
        ssize_t n = read(fd, buf, sizeof(buf));
        if (n < 0) {
            if (errno == EINTR)
                continue;
            return -errno;
        }
        if (n == 0)
            return strbuf_failed(out) ? -ENOMEM : 0;
        total += (size_t)n;
        if (total > max)
            return -EFBIG;
        strbuf_put(out, buf, (size_t)n);
    }
}

int fd_write_all(int fd, const void *p, size_t n)
{
    const char *s = p;
    while (n) {
        ssize_t w = write(fd, s, n);
        if (w < 0) {
            if (errno == EINTR)
                continue;
            return -errno;
        }
        s += w;
        n -= (size_t)w;
    }
    return 0;
}

static int change_flag(int fd, int get, int set, int flag, bool on)
{
    int flags = fcntl(fd, get);
    if (flags < 0)
        return -errno;
    int want = on ? flags | flag : flags & ~flag;
    return want != flags && fcntl(fd, set, want) < 0 ? -errno : 0;
}

int fd_set_cloexec(int fd, bool on)
{
    return change_flag(fd, F_GETFD, F_SETFD, FD_CLOEXEC, on);
}

int fd_set_nonblock(int fd, bool on)
{
    return change_flag(fd, F_GETFL, F_SETFL, O_NONBLOCK, on);
}

int fd_lock(int fd, long patience_us)
{
    long waited_us = 0, step_us = 20;
    while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        if (errno == EINTR)
            continue;
        if (errno != EWOULDBLOCK)
            return -errno;
        if (waited_us >= patience_us)
            return -ETIMEDOUT;
        struct timespec step = {.tv_nsec = step_us * 1000};
        (void)nanosleep(&step, NULL);
        waited_us += step_us;
        step_us = MIN_OF(step_us * 2, 1000L + waited_us / 100);
    }
    return 0;
}

#define FDS_PER_MESSAGE 16

static int send_message(int sock, const void *p, size_t n, const int *fds, size_t nfds, bool creds)
{
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(sizeof(int) * FDS_PER_MESSAGE) + CMSG_SPACE(sizeof(struct ucred))];
    } control;
    if (nfds > FDS_PER_MESSAGE)
        return -EINVAL;
    struct iovec iov = {.iov_base = (void *)(uintptr_t)p, .iov_len = n};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    size_t len = 0;
    memset(&control, 0, sizeof(control));
    if (nfds || creds) {
        msg.msg_control = control.space;
        msg.msg_controllen = sizeof(control.space);
    }
    struct cmsghdr *c = nfds || creds ? CMSG_FIRSTHDR(&msg) : NULL;
    if (nfds && c) {
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int) * nfds);
        memcpy(CMSG_DATA(c), fds, sizeof(int) * nfds);
        len += CMSG_SPACE(sizeof(int) * nfds);
        c = CMSG_NXTHDR(&msg, c);
    }
    if (creds && c) { /* there is room for both in the buffer: never NULL */
        struct ucred who = {.pid = getpid(), .uid = getuid(), .gid = getgid()};
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_CREDENTIALS;
        c->cmsg_len = CMSG_LEN(sizeof(who));
        memcpy(CMSG_DATA(c), &who, sizeof(who));
        len += CMSG_SPACE(sizeof(who));
    }
    msg.msg_controllen = len;
    ssize_t w;
    do
        w = sendmsg(sock, &msg, MSG_NOSIGNAL);
    while (w < 0 && errno == EINTR);
    if (w < 0)
        return -errno;
    return (size_t)w == n ? 0 : -EMSGSIZE;
}

int fd_send(int sock, const void *p, size_t n, const int *fds, size_t nfds)
{
    return send_message(sock, p, n, fds, nfds, false);
}

int fd_send_with_pid(int sock, const void *p, size_t n, const int *fds, size_t nfds)
{
    return send_message(sock, p, n, fds, nfds, true);
}

ssize_t fd_recv(int sock, void *p, size_t cap, int *fds, size_t cap_fds, size_t *ret_nfds,
                pid_t *ret_pid)
{
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(sizeof(int) * 64) + CMSG_SPACE(sizeof(struct ucred))];
    } control;
    struct iovec iov = {.iov_base = p, .iov_len = cap};
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = control.space,
                         .msg_controllen = sizeof(control.space)};
    ssize_t r;
    do
        r = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
    while (r < 0 && errno == EINTR);
    if (r < 0)
        return -errno;
    size_t got = 0;
    bool too_many = (msg.msg_flags & MSG_CTRUNC) != 0, too_long = (msg.msg_flags & MSG_TRUNC) != 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c)) {
        if (c->cmsg_level != SOL_SOCKET)
            continue;
        if (c->cmsg_type == SCM_RIGHTS) {
            size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
            for (size_t i = 0; i < count; i++) {
                int fd;
                memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
                if (got < cap_fds) {
                    fds[got++] = fd;
                } else {
                    fd_close(fd);
                    too_many = true;
                }
            }
        } else if (c->cmsg_type == SCM_CREDENTIALS && ret_pid) {
            struct ucred who;
            memcpy(&who, CMSG_DATA(c), sizeof(who));
            *ret_pid = who.pid;
        }
    }
    if (too_many || too_long) {
        for (size_t i = 0; i < got; i++)
            fd_close(fds[i]);
        return too_many ? -EPROTO : -EMSGSIZE;
    }
    if (ret_nfds)
        *ret_nfds = got;
    return r;
}
