/* The supervisor answers a call instead of the kernel, with a value or an errno. */
#include "probe.h"
PROBE("seccomp: a supervisor answers calls of an unprivileged child with values and errors");

static int body(void *arg)
{
    (void)arg;
    child_must(syscall(SYS_getppid) == 4711);
    child_must(syscall(SYS_getppid) == -1 && errno == EPERM);
    return 0;
}

int main(void)
{
    struct seccomp_notif n;
    int listener;
    pid_t pid = watched(SYS_getppid, 0, body, NULL, &listener);

    must(pid > 0 && fcntl(listener, F_GETFD) & FD_CLOEXEC);
    must(receive(listener, &n) == 0 && n.data.nr == SYS_getppid && (pid_t)n.pid == pid);
    must(ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &n.id) == 0);
    must(answer(listener, n.id, 4711, 0, 0) == 0);
    must(ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &n.id) < 0);
    must(receive(listener, &n) == 0 && answer(listener, n.id, 0, -EPERM, 0) == 0);
    must(status_of(pid) == 0);
    yes();
}
