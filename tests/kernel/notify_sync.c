/* SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP (Linux 6.6): the supervisor runs on the caller's processor. */
#include "probe.h"
PROBE("seccomp: the listener takes the synchronous wake-up flag (6.6)");

#define SET_FLAGS _IOW('!', 4, uint64_t)

static int body(void *arg)
{
    (void)arg;
    for (int i = 0; i < 1000; i++)
        child_must(syscall(SYS_getppid) == i);
    return 0;
}

int main(void)
{
    struct seccomp_notif n;
    int listener;
    pid_t pid = watched(SYS_getppid, 0, body, NULL, &listener);

    must(pid > 0 && ioctl(listener, SET_FLAGS, 1ul) == 0);
    must(ioctl(listener, SET_FLAGS, 1ul << 63) < 0 && errno == EINVAL);
    for (int i = 0; i < 1000; i++)
        must(receive(listener, &n) == 0 && answer(listener, n.id, i, 0, 0) == 0);
    must(status_of(pid) == 0);
    yes();
}
