/*
 * Descriptors that the caller forgot to close, or closed to writing only.
 */
#include "escape.h"

#include <sched.h>
#include <sys/socket.h>

/* Args: descriptor of a directory, name to make in it. */
static int fd_create(char *const *a)
{
    int fd = openat(number(a[0]), a[1], O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    return fd < 0 ? refused("openat") : mark(fd);
}

/* Any descriptor at all that is a directory. */
static int fd_any_create(char *const *a)
{
    for (int i = 0; i < 1024; i++) {
        int fd = openat(i, a[0], O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
        if (fd >= 0)
            return mark(fd);
    }
    return refused("openat on every descriptor");
}

static int fd_write(char *const *a)
{
    return mark(number(a[0]));
}

/* A descriptor for reading, opened again for writing: the mount it came from decides, not this one.
 */
static int fd_reopen(char *const *a)
{
    char path[64];
    int fd;

    snprintf(path, sizeof path, "%s/%s", a[1], a[0]);
    fd = open(path, O_RDWR | O_CLOEXEC);
    return fd < 0 ? refused(path) : mark(fd);
}

/* A descriptor for appending, opened again to read what was there before. */
static int fd_read_back(char *const *a)
{
    char path[64];
    int fd;

    snprintf(path, sizeof path, "/proc/self/fd/%s", a[0]);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? refused(path) : show(fd);
}

static int fd_kill(char *const *a)
{
    return syscall(SYS_pidfd_send_signal, number(a[0]), SIGKILL, NULL, 0) == 0 ? 0
                                                                               : refused("pidfd");
}

static int fd_setns(char *const *a)
{
    return setns(number(a[0]), CLONE_NEWNS) == 0 ? 0 : refused("setns");
}

/* A directory handed over by a process outside. Args: socket, name to make in it. */
static int fd_receive(char *const *a)
{
    char byte, control[CMSG_SPACE(sizeof(int))];
    struct iovec iov = {&byte, 1};
    struct msghdr m = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    struct cmsghdr *c;
    int dir, fd;

    if (recvmsg(number(a[0]), &m, 0) < 0 || !(c = CMSG_FIRSTHDR(&m)))
        return refused("recvmsg");
    memcpy(&dir, CMSG_DATA(c), sizeof dir);
    fd = openat(dir, a[1], O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    return fd < 0 ? refused("openat") : mark(fd);
}

const struct attempt descriptors_attempts[] = {
    {"fd-create", 2, fd_create}, {"fd-any-create", 1, fd_any_create}, {"fd-write", 1, fd_write},
    {"fd-reopen", 2, fd_reopen}, {"fd-read-back", 1, fd_read_back},   {"fd-kill", 1, fd_kill},
    {"fd-setns", 1, fd_setns},   {"fd-receive", 2, fd_receive},       {0},
};
