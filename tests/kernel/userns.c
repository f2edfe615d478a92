/* An unprivileged process makes user, mount, pid, network, ipc, uts and cgroup namespaces in one
 * clone3. */
#include "probe.h"
PROBE("namespaces: one clone3 makes all of them without privileges, with a pidfd");

struct args {
    uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid,
        set_tid_size, cgroup;
};

int main(void)
{
    int pidfd = -1;
    struct args a = {.flags = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET |
                              CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP |
                              0x1000 /* CLONE_PIDFD */,
                     .pidfd = (uint64_t)(uintptr_t)&pidfd,
                     .exit_signal = SIGCHLD};
    if (geteuid() == 0)
        must(setgid(65534) == 0 && setuid(65534) == 0); /* nobody: what an ordinary user can do */
    pid_t pid = (pid_t)syscall(435, &a, sizeof a);
    if (pid == 0)
        _exit(getpid() == 1 ? 0 : 1);
    must(pid > 0 && pidfd >= 0 && status_of(pid) == 0);
    yes();
}
