/* SECCOMP_USER_NOTIF_FLAG_CONTINUE: the kernel carries the call out after the supervisor has seen
 * it. */
#include "probe.h"
PROBE("seccomp: a notified call is let through (FLAG_CONTINUE)");

static int body(void *arg)
{
    child_must(syscall(SYS_getppid) == *(pid_t *)arg);
    return 0;
}

int main(void)
{
    struct seccomp_notif n;
    pid_t me = getpid();
    int listener;
    pid_t pid = watched(SYS_getppid, 0, body, &me, &listener);

    must(pid > 0 && receive(listener, &n) == 0);
    must(answer(listener, n.id, 0, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE) == 0);
    must(status_of(pid) == 0);
    yes();
}
