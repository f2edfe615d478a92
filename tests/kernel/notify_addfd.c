/* SECCOMP_IOCTL_NOTIF_ADDFD with FLAG_SEND: a descriptor of ours becomes the call's result, in one
 * step. */
#include "probe.h"
PROBE("seccomp: the supervisor hands a descriptor into the caller as the result (ADDFD, SEND)");

static int body(void *arg)
{
    char c = 0;
    int fd = (int)syscall(SYS_openat, AT_FDCWD, "/nowhere", O_RDONLY, 0);
    (void)arg;
    child_must(fd >= 0 && read(fd, &c, 1) == 1 && c == 'b');
    child_must(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    return 0;
}

int main(void)
{
    struct seccomp_notif n;
    int listener, ends[2];
    pid_t pid = watched(SYS_openat, 0, body, NULL, &listener);

    must(pid > 0 && pipe(ends) == 0 && write(ends[1], "b", 1) == 1);
    must(receive(listener, &n) == 0);
    struct seccomp_notif_addfd add = {.id = n.id,
                                      .flags = SECCOMP_ADDFD_FLAG_SEND,
                                      .srcfd = (uint32_t)ends[0],
                                      .newfd_flags = O_CLOEXEC};
    must(ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &add) >= 0);
    must(status_of(pid) == 0);
    yes();
}
