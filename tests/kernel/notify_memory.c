/* The supervisor reads the caller's memory and takes its descriptors, also across a user namespace.
 */
#include "probe.h"
#include <sys/uio.h>
PROBE("seccomp: the supervisor reads a caller's memory and copies its descriptors");

static int body(void *arg)
{
    (void)arg;
    child_must(enter_userns(0) == 0);
    child_must(syscall(SYS_getppid, "hello", 0) == 1);
    return 0;
}

int main(void)
{
    struct seccomp_notif n;
    char text[6] = "";
    int listener;
    pid_t pid = watched(SYS_getppid, 0, body, NULL, &listener);

    must(pid > 0 && receive(listener, &n) == 0);
    struct iovec to = {text, sizeof text};
    struct iovec from = {(void *)(uintptr_t)n.data.args[0], sizeof text};
    must(process_vm_readv(pid, &to, 1, &from, 1, 0) == 6 && strcmp(text, "hello") == 0);
    int pidfd = (int)syscall(434 /* pidfd_open */, pid, 0);
    must(pidfd >= 0);
    int copy = (int)syscall(438 /* pidfd_getfd */, pidfd, 0, 0);
    must(copy >= 0);
    must(answer(listener, n.id, 1, 0, 0) == 0 && status_of(pid) == 0);
    yes();
}
